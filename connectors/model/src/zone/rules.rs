//! The rules of a time zone: which offset from UTC holds when.

use crate::recurrence::Plan;
use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, Utc};
use std::collections::VecDeque;

/// A span of local time, from the first to the last moment that matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first.
    pub from: NaiveDateTime,
    /// The last, included; `None`: without end.
    pub until: Option<NaiveDateTime>,
}

/// What a clock shows for a time: its offset, and what that is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observance {
    /// Seconds east of UTC.
    pub offset_s: i32,
    /// Whether the zone calls it daylight saving time.
    pub is_daylight: bool,
    /// The abbreviation (`CET`); empty when there is none.
    pub name: String,
}

/// A change that comes each year without end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Yearly {
    /// The rule, with interval 1, and the local time of each change.
    pub rule: crate::recurrence::Rule,
    /// Some local time at which the change comes; it gives the rule its time of day.
    pub start: NaiveDateTime,
    plan: Plan,
    /// The offset that the local time is told in: the one before the change.
    pub before_s: i32,
    /// What holds from then on, as an index.
    pub to: usize,
}

impl Yearly {
    /// `None` when the rule does not come each year, or too often.
    pub fn new(rule: crate::recurrence::Rule, start: NaiveDateTime, before_s: i32, to: usize) -> Option<Self> {
        let plan = Plan::new(&rule, start)?;
        let yearly = Self { rule, start, plan, before_s, to };
        // A leap year at the end of a century without one shows both kinds of year, and each weekday at a year's start.
        let comes = |year| (1..=10).contains(&yearly.plan.in_year(year).len());
        (2094..=2106).all(comes).then_some(yearly)
    }

    pub fn in_year(&self, year: i32) -> Vec<i64> {
        let starts = self.plan.in_year(year).into_iter();
        starts.map(|local| seconds(local) - i64::from(self.before_s)).collect()
    }
}

/// The rules of one zone: exact for every instant up to the year 9999, after which nothing changes any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    pub(super) observances: Vec<Observance>,
    /// What holds before every change.
    pub(super) first: usize,
    /// When (seconds since 1970 in UTC), and what holds from then on; in order.
    pub(super) changes: Vec<(i64, usize)>,
    /// What comes each year after the last of `changes`.
    pub(super) yearly: Vec<Yearly>,
    /// Yearly changes up to this instant, included, do not count.
    pub(super) yearly_after: i64,
    /// Whether the rules come from somebody who says nothing about the time before the first change.
    pub(super) is_silent_before: bool,
}

impl Rules {
    /// One offset for ever, in seconds east of UTC.
    pub fn fixed(offset_s: i32) -> Self {
        let observance = Observance { offset_s, is_daylight: false, name: String::new() };
        Self {
            observances: vec![observance],
            first: 0,
            changes: Vec::new(),
            yearly: Vec::new(),
            yearly_after: i64::MIN,
            is_silent_before: false,
        }
    }

    /// UTC.
    pub fn utc() -> Self {
        let mut rules = Self::fixed(0);
        rules.observances[0].name = "UTC".to_owned();
        rules
    }

    /// The offset at an instant, in seconds east of UTC.
    pub fn offset_at(&self, at: DateTime<Utc>) -> i32 {
        self.offset_s(self.holding(at.timestamp()).1)
    }

    /// What a clock in the zone shows at an instant.
    pub fn to_local(&self, at: DateTime<Utc>) -> NaiveDateTime {
        local(at.timestamp() + i64::from(self.offset_at(at)))
    }

    /// The instant at which a clock in the zone shows a time (RFC 5545 3.3.5): of a time that comes twice the first, and a time
    /// that is skipped is told in the offset before the gap.
    pub fn to_utc(&self, time: NaiveDateTime) -> DateTime<Utc> {
        let wanted = seconds(time);
        DateTime::from_timestamp(self.to_utc_s(wanted), 0).unwrap_or_else(|| time.and_utc())
    }

    fn to_utc_s(&self, wanted: i64) -> i64 {
        // No offset is more than a day, so that what matters lies within two.
        let (first, last) = (wanted - 2 * DAY, wanted + 2 * DAY);
        let mut offset = i64::from(self.offset_s(self.holding(first).1));
        for (at, to) in self.changes_after(first).take_while(|(at, _)| *at <= last) {
            // Either before the change, or in the gap that it leaves.
            let next = i64::from(self.offset_s(to));
            if wanted - offset < at || wanted - next < at {
                return wanted - offset;
            }
            offset = next;
        }
        wanted - offset
    }

    /// Whether two zones show the same times at all instants of a span. Their changes are compared, not samples.
    pub fn same_over(&self, other: &Rules, span: &Span) -> bool {
        let from = seconds(span.from);
        let start = self.to_utc_s(from);
        if start != other.to_utc_s(from) || self.offset_before(start + 1) != other.offset_before(start + 1) {
            return false;
        }
        let until = match span.until {
            Some(until) if self.to_utc_s(seconds(until)) != other.to_utc_s(seconds(until)) => return false,
            Some(until) => self.to_utc_s(seconds(until)),
            None => year_start(self.repeats_from(start).max(other.repeats_from(start)) + CYCLE),
        };
        self.same_between(other, start, until, 0)
    }

    /// Whether the same changes of the offset come after `start`, up to `until`, none more than `slack_s` seconds apart.
    fn same_between(&self, other: &Rules, start: i64, until: i64, slack_s: i64) -> bool {
        let mut ours = self.real_changes_after(start).take_while(|(at, _)| *at <= until);
        let mut theirs = other.real_changes_after(start).take_while(|(at, _)| *at <= until);
        loop {
            match (ours.next(), theirs.next()) {
                (None, None) => return true,
                (Some((at, to)), Some((other_at, other_to))) if to == other_to && (at - other_at).abs() <= slack_s => {}
                _ => return false,
            }
        }
    }

    /// Whether these rules, which a sender defined under the name of a known zone, say something else than that zone does
    /// within a span.
    ///
    /// A definition says nothing about the time before its first change. One that lists single changes of the offset, and no
    /// rule for later years, says nothing about the time after the last: such lists are cut where the event needed no more. And
    /// an hour more or less in the night of a change is a mistake that several programs make, and no other zone, as long as the
    /// span neither begins nor ends within that hour.
    pub fn contradict(&self, known: &Rules, span: &Span) -> bool {
        let (from, until) =
            (known.to_utc_s(seconds(span.from)), span.until.map(|until| known.to_utc_s(seconds(until))));
        let first = self.changes_after(i64::MIN).next().map(|(at, _)| at).filter(|_| self.is_silent_before);
        let from = first.map_or(from, |first| from.max(first));
        let lists = self.yearly.is_empty() && self.real_changes_after(i64::MIN).next().is_some();
        let last = self.changes.last().map(|(at, _)| *at).filter(|_| lists);
        let until = until.into_iter().chain(last).min();
        if until.is_some_and(|until| until < from) {
            // All that matters is before the first change, or after the last.
            return false;
        }
        if self.offset_before(from + 1) != known.offset_before(from + 1) {
            return true;
        }
        let until = until.unwrap_or_else(|| year_start(self.repeats_from(from).max(known.repeats_from(from)) + CYCLE));
        !self.same_between(known, from, until, NIGHT_S)
    }

    /// The instant of the first change, if there is one.
    pub fn first_change(&self) -> Option<DateTime<Utc>> {
        self.changes_after(i64::MIN).next().and_then(|(at, _)| DateTime::from_timestamp(at, 0))
    }

    /// The changes after an instant, up to another: when, and the offset from then on in seconds east of UTC. What changes only the
    /// name is left out.
    pub fn offset_changes(
        &self,
        after: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> impl Iterator<Item = (DateTime<Utc>, i32)> {
        let changes = self.real_changes_after(after.timestamp()).take_while(move |(at, _)| *at <= until.timestamp());
        changes.filter_map(|(at, offset)| Some((DateTime::from_timestamp(at, 0)?, offset)))
    }

    pub(super) fn offset_s(&self, observance: usize) -> i32 {
        self.observances.get(observance).map_or(0, |observance| observance.offset_s)
    }

    /// The offset just before an instant.
    pub(super) fn offset_before(&self, at: i64) -> i32 {
        self.offset_s(self.holding(at.saturating_sub(1)).1)
    }

    /// What holds at an instant, and since when.
    pub(super) fn holding(&self, at: i64) -> (Option<i64>, usize) {
        if !self.yearly.is_empty() && at > self.yearly_after {
            // Near New Year, a change of the next local year may have come already.
            let year = year_of(at.saturating_add(2 * DAY));
            for year in (year - 2..=year).rev() {
                if let Some((since, to)) = self.yearly_in(year).into_iter().rfind(|(change, _)| *change <= at) {
                    return (Some(since), to);
                }
            }
        }
        match self
            .changes
            .partition_point(|(change, _)| *change <= at)
            .checked_sub(1)
            .and_then(|last| self.changes.get(last))
        {
            Some((since, to)) => (Some(*since), *to),
            None => (None, self.first),
        }
    }

    /// The yearly changes of one local year that count, in order.
    pub(super) fn yearly_in(&self, year: i32) -> Vec<(i64, usize)> {
        let all = self.yearly.iter().flat_map(|yearly| yearly.in_year(year).into_iter().map(|at| (at, yearly.to)));
        let mut changes: Vec<_> = all.filter(|(at, _)| *at > self.yearly_after).collect();
        changes.sort();
        changes
    }

    /// All changes after an instant, in order; without end where they come each year.
    pub(super) fn changes_after(&self, after: i64) -> Changes<'_> {
        let next = self.changes.partition_point(|(at, _)| *at <= after);
        let next_year = match self.yearly.is_empty() {
            true => LAST_YEAR + 1,
            false => year_of(after.max(self.yearly_after).saturating_sub(2 * DAY)),
        };
        Changes { rules: self, after, next, next_year, buffer: VecDeque::new() }
    }

    /// The changes after an instant that change the offset: when, and to what.
    fn real_changes_after(&self, after: i64) -> impl Iterator<Item = (i64, i32)> + '_ {
        let mut offset = self.offset_s(self.holding(after).1);
        self.changes_after(after).filter_map(move |(at, to)| {
            let next = self.offset_s(to);
            let is_real = next != offset;
            offset = next;
            is_real.then_some((at, next))
        })
    }

    /// A year from which on everything repeats with the calendar, not before that of `from`.
    fn repeats_from(&self, from: i64) -> i32 {
        let last = self.changes.last().map_or(from, |(at, _)| *at);
        year_of(last.max(from)) + 1
    }
}

const DAY: i64 = 86_400;
/// How far apart two changes of one night may be.
const NIGHT_S: i64 = 2 * 3600;
const LAST_YEAR: i32 = crate::recurrence::LAST_YEAR;
/// The years after which the calendar repeats, weekdays included.
const CYCLE: i32 = 400;

/// An iterator over changes.
pub(super) struct Changes<'a> {
    rules: &'a Rules,
    after: i64,
    next: usize,
    next_year: i32,
    buffer: VecDeque<(i64, usize)>,
}

impl Iterator for Changes<'_> {
    type Item = (i64, usize);

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(change) = self.rules.changes.get(self.next) {
            self.next += 1;
            return Some(*change);
        }
        // A change near New Year may come before one of the year before, in UTC: both years are looked at together.
        while self.next_year <= LAST_YEAR
            && self.buffer.front().is_none_or(|(at, _)| *at >= year_start(self.next_year) - 2 * DAY)
        {
            let changes = self.rules.yearly_in(self.next_year).into_iter().filter(|(at, _)| *at > self.after);
            self.buffer.extend(changes);
            self.buffer.make_contiguous().sort();
            self.next_year += 1;
        }
        self.buffer.pop_front()
    }
}

/// Local or UTC time as seconds since 1970.
pub(super) fn seconds(time: NaiveDateTime) -> i64 {
    time.and_utc().timestamp()
}

/// The reverse of [`seconds`].
pub(super) fn local(seconds: i64) -> NaiveDateTime {
    DateTime::from_timestamp(seconds, 0).map_or(NaiveDateTime::MAX, |at| at.naive_utc())
}

/// The year of an instant, in UTC; the first or last that can be told for what is beyond.
fn year_of(at: i64) -> i32 {
    match DateTime::from_timestamp(at, 0) {
        Some(at) => at.year().clamp(-1, LAST_YEAR),
        None if at < 0 => -1,
        None => LAST_YEAR,
    }
}

fn year_start(year: i32) -> i64 {
    let day = NaiveDate::from_ymd_opt(year, 1, 1).unwrap_or(NaiveDate::MAX);
    seconds(day.and_time(chrono::NaiveTime::MIN))
}
