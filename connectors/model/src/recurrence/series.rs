//! A series: its start, rules, further dates and dates left out; on which dates it falls.

use super::{End, Plan, Rule, RuleError};
use crate::Content;
use crate::zone::Span;
use chrono::{Datelike, Duration, Months, NaiveDateTime};
use serde_json::Value;
use std::collections::{BTreeSet, VecDeque};
use std::fmt;

/// The last year whose dates are told.
pub(crate) const LAST_YEAR: i32 = 9999;

/// How many periods and dates are looked at for one answer, at most. Ten years of each hour fit, ten of each minute do not.
const STEPS: usize = 400_000;

/// Why nobody can say on which dates a series falls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unexpandable {
    /// The rules fall too often, or too seldom, for the span that was asked about.
    TooManySteps,
    /// The series ends at an instant, and its zone has no rules that anybody knows.
    EndsAtInstant,
}

impl fmt::Display for Unexpandable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Unexpandable::TooManySteps => "the dates of the series cannot be told: too many steps",
            Unexpandable::EndsAtInstant => {
                "the dates of the series cannot be told: its end is an instant in an unknown zone"
            }
        })
    }
}

impl std::error::Error for Unexpandable {}

/// A start and what repeats it. All times are local times of the series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series {
    /// The first date. It belongs to the series, and counts, even where no rule falls on it (RFC 5545 3.8.5.3, RFC 8984 4.3.3).
    pub start: NaiveDateTime,
    /// Rules whose dates belong to it (RRULE).
    pub rules: Vec<Rule>,
    /// Rules whose dates do not (EXRULE); the start falls under them only where they say so.
    pub excluded: Vec<Rule>,
    /// Further dates (RDATE).
    pub added: BTreeSet<NaiveDateTime>,
    /// Dates that do not belong to it (EXDATE), whatever else says that they do.
    pub removed: BTreeSet<NaiveDateTime>,
}

impl Series {
    /// A start and one rule.
    pub fn each(start: NaiveDateTime, rule: Rule) -> Self {
        let (added, removed) = (BTreeSet::new(), BTreeSet::new());
        Self { start, rules: vec![rule], excluded: Vec::new(), added, removed }
    }

    /// The series that an event is (RFC 8984): `None` for one without a start. An event without rules is a series of one date. Overrides count by their keys: one that is excluded is a date left out, every other is a date.
    ///
    /// # Errors
    /// [`RuleError`] for a rule that is not understood.
    pub fn of(event: &Content) -> Result<Option<Self>, RuleError> {
        let Some(start) = event.get("start").and_then(Value::as_str).and_then(local) else { return Ok(None) };
        let rules = |member: &str| {
            let list = event.get(member).and_then(Value::as_array);
            list.into_iter().flatten().map(Rule::from_json).collect::<Result<Vec<_>, _>>()
        };
        let mut series = Self {
            start,
            rules: rules("recurrenceRules")?,
            excluded: rules("excludedRecurrenceRules")?,
            added: BTreeSet::new(),
            removed: BTreeSet::new(),
        };
        let overrides = event.get("recurrenceOverrides").and_then(Value::as_object);
        for (key, patch) in overrides.into_iter().flatten() {
            let Some(date) = local(key) else { continue };
            match patch.get("excluded") == Some(&Value::Bool(true)) {
                true => series.removed.insert(date),
                false => series.added.insert(date),
            };
        }
        Ok(Some(series))
    }

    /// The dates from `from` to `until`, both included, in order: at most `limit` of them, the first ones.
    ///
    /// # Errors
    /// [`Unexpandable`] when they cannot be told for certain with a bounded number of steps.
    pub fn dates(
        &self,
        from: NaiveDateTime,
        until: NaiveDateTime,
        limit: usize,
    ) -> Result<Vec<NaiveDateTime>, Unexpandable> {
        let mut steps = STEPS;
        let mut included = self.included(from)?;
        let excluded = self.excluded.iter().map(|rule| Starts::new(rule, self.start, false, from));
        let mut excluded = excluded.collect::<Result<Vec<_>, _>>()?;
        let mut further =
            self.added.range(from.min(until)..=until).copied().chain(Some(self.start)).collect::<BTreeSet<_>>();
        let mut dates = Vec::new();
        while dates.len() < limit {
            let mut next = further.first().copied();
            for starts in &mut included {
                next = [next, starts.peek(until, &mut steps)?].into_iter().flatten().min();
            }
            let Some(date) = next.filter(|date| *date <= until) else { break };
            further.remove(&date);
            for starts in &mut included {
                starts.pass(date);
            }
            let mut is_out = date < from || self.removed.contains(&date);
            for starts in &mut excluded {
                while starts.peek(until, &mut steps)?.is_some_and(|out| out < date) {
                    starts.pop();
                }
                is_out |= starts.peek(until, &mut steps)? == Some(date);
            }
            if !is_out {
                dates.push(date);
            }
        }
        Ok(dates)
    }

    fn included(&self, from: NaiveDateTime) -> Result<Vec<Starts>, Unexpandable> {
        self.rules.iter().map(|rule| Starts::new(rule, self.start, true, from)).collect()
    }

    /// From the first to the last start, for comparing zones over it; without end when the series has none, or when its
    /// last date cannot be told.
    pub fn span(&self) -> Span {
        let from = self.added.first().copied().map_or(self.start, |first| first.min(self.start));
        let mut last = self.added.last().copied().map_or(self.start, |last| last.max(self.start));
        for rule in &self.rules {
            match self.last_of(rule) {
                Some(date) => last = last.max(date),
                None => return Span { from, until: None },
            }
        }
        Span { from, until: Some(last) }
    }

    fn last_of(&self, rule: &Rule) -> Option<NaiveDateTime> {
        match rule.end {
            End::Never => None,
            End::At(until) => Some(until),
            // No zone is more than a day from UTC.
            End::AtInstant(until) => until.naive_utc().checked_add_signed(Duration::days(1)),
            End::After(_) => {
                let mut steps = STEPS;
                let mut starts = Starts::new(rule, self.start, true, self.start).ok()?;
                let mut last = self.start;
                while let Some(date) = starts.peek(NaiveDateTime::MAX, &mut steps).ok()? {
                    last = date;
                    starts.pop();
                }
                (last.year() < LAST_YEAR).then_some(last)
            }
        }
    }
}

/// Whether two series fall on the same dates in the first `years` years from the earlier start.
///
/// # Errors
/// [`Unexpandable`] when it cannot be told.
pub fn same_dates(a: &Series, b: &Series, years: u32) -> Result<bool, Unexpandable> {
    let from = a.span().from.min(b.span().from);
    let until = from.checked_add_months(Months::new(years.saturating_mul(12))).unwrap_or(NaiveDateTime::MAX);
    let until = until.max(a.start).max(b.start);
    Ok(a.dates(from, until, usize::MAX)? == b.dates(from, until, usize::MAX)?)
}

/// The dates of one rule, in order, found period by period.
struct Starts {
    plan: Plan,
    start: NaiveDateTime,
    is_from_start: bool,
    buffer: VecDeque<NaiveDateTime>,
    /// The period to be looked at next; `None`: there is none.
    next: Option<i64>,
    /// Dates that may still come, where they are counted.
    left: Option<u32>,
    until: NaiveDateTime,
}

impl Starts {
    /// `is_from_start`: the start is the first date whatever the rule says. Dates before `from` need not come.
    fn new(rule: &Rule, start: NaiveDateTime, is_from_start: bool, from: NaiveDateTime) -> Result<Self, Unexpandable> {
        let (left, until) = match rule.end {
            End::Never => (None, NaiveDateTime::MAX),
            End::After(count) => (Some(count), NaiveDateTime::MAX),
            End::At(until) => (None, until),
            End::AtInstant(_) => return Err(Unexpandable::EndsAtInstant),
        };
        let plan = Plan::new(rule, start).ok_or(Unexpandable::TooManySteps)?;
        // What is counted is counted from the start; else the periods before are passed over at once.
        let first = if left.is_some() { 0 } else { plan.period_of(from).saturating_sub(1).max(0) };
        let mut starts = Self { plan, start, is_from_start, buffer: VecDeque::new(), next: Some(first), left, until };
        if is_from_start {
            starts.buffer.push_back(start);
            starts.left = starts.left.map(|left| left.saturating_sub(1));
        }
        Ok(starts)
    }

    /// The next date, if there is one up to `horizon`.
    fn peek(&mut self, horizon: NaiveDateTime, steps: &mut usize) -> Result<Option<NaiveDateTime>, Unexpandable> {
        while self.buffer.is_empty() {
            let Some(period) = self.next else { return Ok(None) };
            // Hours and shorter periods are counted from the start's minute and second, and so reach into the next one.
            let last = self.plan.period_of(horizon.min(self.until)).saturating_add(1);
            if self.left == Some(0) || period > last {
                return Ok(None);
            }
            let found = self.plan.starts_in(period);
            self.next = period.checked_add(1).filter(|_| found.is_some());
            let found = found.unwrap_or_default();
            *steps = steps.checked_sub(1 + found.len()).ok_or(Unexpandable::TooManySteps)?;
            for date in found.into_iter().filter(|date| *date >= self.start && *date <= self.until) {
                let has_come = self.is_from_start && date == self.start;
                if has_come || self.left == Some(0) {
                    continue;
                }
                self.left = self.left.map(|left| left - 1);
                self.buffer.push_back(date);
            }
        }
        Ok(self.buffer.front().copied())
    }

    fn pop(&mut self) {
        self.buffer.pop_front();
    }

    /// Goes on when the next date is that one.
    fn pass(&mut self, date: NaiveDateTime) {
        if self.buffer.front() == Some(&date) {
            self.pop();
        }
    }
}

/// A LocalDateTime (RFC 8984 1.4.4).
pub(crate) fn local(text: &str) -> Option<NaiveDateTime> {
    NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S").ok()
}
