//! Recurrence: what a pattern and a range say, read strictly, and the days on which they fall.
//!
//! Outlook differs from RFC 5545: day 31 of a month without one is its last day, weeks begin on Sunday unless said
//! otherwise, and a series begins on the first day that its pattern names.

use chrono::{Datelike, Days, Months, NaiveDate, Weekday};
use serde_json::{Map, Value, json};

use super::super::reply::Refusal;
use super::zones::{When, Zone, not_supported};
use crate::Switches;

const MOST_INTERVAL: u64 = 99;
const MOST_DAYS: u64 = 999;
const MOST_COUNT: u64 = 999;
const NO_DATE: &str = "0001-01-01";
const KINDS: [(&str, Kind); 6] = [
    ("daily", Kind::Daily),
    ("weekly", Kind::Weekly),
    ("absoluteMonthly", Kind::AbsoluteMonthly),
    ("relativeMonthly", Kind::RelativeMonthly),
    ("absoluteYearly", Kind::AbsoluteYearly),
    ("relativeYearly", Kind::RelativeYearly),
];
const DAYS: [(&str, Weekday); 7] = [
    ("sunday", Weekday::Sun),
    ("monday", Weekday::Mon),
    ("tuesday", Weekday::Tue),
    ("wednesday", Weekday::Wed),
    ("thursday", Weekday::Thu),
    ("friday", Weekday::Fri),
    ("saturday", Weekday::Sat),
];
const INDICES: [(&str, usize); 5] = [("first", 0), ("second", 1), ("third", 2), ("fourth", 3), ("last", LAST)];
/// The index that counts from the end.
pub(super) const LAST: usize = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Daily,
    Weekly,
    AbsoluteMonthly,
    RelativeMonthly,
    AbsoluteYearly,
    RelativeYearly,
}

/// When a series ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// With this day.
    On(NaiveDate),
    /// After so many occurrences.
    After(u32),
    Never,
}

/// A pattern in its range.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rule {
    pub kind: Kind,
    pub interval: u32,
    /// In the order of the week from Sunday; empty where the kind has none.
    pub days: Vec<Weekday>,
    pub first_day: Weekday,
    /// 0 where the kind has none.
    pub day_of_month: u32,
    /// 0 where the kind has none.
    pub month: u32,
    pub index: usize,
    pub start: NaiveDate,
    pub end: End,
    pub zone: Zone,
}

impl Rule {
    /// Reads a `patternedRecurrence` for a series whose first start is this.
    pub fn read(sent: &Value, start: &When, switches: &Switches) -> Result<Self, Refusal> {
        let sent = object("recurrence", sent, "patternedRecurrence", &["pattern", "range"])?;
        let pattern = sent.get("pattern").ok_or_else(|| invalid("A recurrence needs a pattern."))?;
        let known = ["type", "interval", "month", "dayOfMonth", "daysOfWeek", "firstDayOfWeek", "index"];
        let pattern = object("pattern", pattern, "recurrencePattern", &known)?;
        let range = sent.get("range").ok_or_else(|| invalid("A recurrence needs a range."))?;
        let known = ["type", "startDate", "endDate", "numberOfOccurrences", "recurrenceTimeZone"];
        let range = object("range", range, "recurrenceRange", &known)?;
        let mut rule = read_pattern(pattern, switches)?;
        rule.read_range(range, start, switches)?;
        // Outlook moves the start to the first day that the pattern names.
        let Some(first) = Self { end: End::Never, ..rule.clone() }.dates().next() else {
            return Err(invalid("The pattern names no day."));
        };
        rule.start = first;
        if matches!(rule.end, End::On(end) if end < first) {
            return Err(invalid("The recurrence range has no occurrence."));
        }
        Ok(rule)
    }

    fn read_range(&mut self, range: &Map<String, Value>, start: &When, switches: &Switches) -> Result<(), Refusal> {
        let date = |name: &str| {
            let text = range.get(name).and_then(Value::as_str);
            text.map(|text| text.parse::<NaiveDate>().map_err(|_| wrong_type(name, "Edm.Date"))).transpose()
        };
        if let Some(name) = range.get("recurrenceTimeZone").and_then(Value::as_str).filter(|name| !name.is_empty()) {
            let zone = Zone::named(name).ok_or_else(|| not_supported(name))?;
            if !zone.is_same(&start.zone) {
                return Err(invalid("The recurrence's time zone is not that of the event's start."));
            }
        }
        self.zone = start.zone.clone();
        self.start = date("startDate")?.ok_or_else(|| invalid("A range needs a startDate."))?;
        if self.start != start.local.date() {
            let text = "The Recurrence.Range.StartDate value must match the date of the event's Start.";
            return Err(invalid(text));
        }
        let end = date("endDate")?.filter(|end| end.to_string() != NO_DATE);
        let kind = range.get("type").and_then(Value::as_str).unwrap_or_default().to_ascii_lowercase();
        self.end = match kind.as_str() {
            "enddate" => End::On(end.ok_or_else(|| invalid("A range of type endDate needs an endDate."))?),
            "numbered" => match range.get("numberOfOccurrences").and_then(Value::as_u64) {
                Some(count @ 1..=100_000) if count <= MOST_COUNT || !switches.graph_bounds_recurrence => {
                    End::After(u32::try_from(count).unwrap_or(1))
                }
                _ => return Err(invalid(format!("numberOfOccurrences must be between 1 and {MOST_COUNT}."))),
            },
            "noend" => End::Never,
            _ => return Err(wrong_type("type", "microsoft.graph.recurrenceRangeType")),
        };
        Ok(())
    }

    /// As a `patternedRecurrence`, with the values that Graph fills in where a kind has none.
    pub fn shown(&self) -> Value {
        let mut pattern = Map::new();
        pattern.insert("type".into(), word(&KINDS, &self.kind).into());
        pattern.insert("interval".into(), self.interval.into());
        pattern.insert("month".into(), self.month.into());
        pattern.insert("dayOfMonth".into(), self.day_of_month.into());
        if !self.days.is_empty() {
            pattern.insert("daysOfWeek".into(), self.days.iter().map(|day| word(&DAYS, day)).collect());
        }
        pattern.insert("firstDayOfWeek".into(), word(&DAYS, &self.first_day).into());
        pattern.insert("index".into(), word(&INDICES, &self.index).into());
        let (kind, end, count) = match self.end {
            End::On(end) => ("endDate", end.to_string(), 0),
            End::After(count) => ("numbered", NO_DATE.to_owned(), count),
            End::Never => ("noEnd", NO_DATE.to_owned(), 0),
        };
        let range = json!({
            "type": kind,
            "startDate": self.start.to_string(),
            "endDate": end,
            "recurrenceTimeZone": self.zone.name,
            "numberOfOccurrences": count,
        });
        json!({ "pattern": pattern, "range": range })
    }

    /// The days of the series, in order, cancelled ones included. Without an end it goes on for thousands of years.
    pub fn dates(&self) -> impl Iterator<Item = NaiveDate> + '_ {
        let most = match self.end {
            End::After(count) => count as usize,
            _ => usize::MAX,
        };
        let last = match self.end {
            End::On(end) => end,
            _ => NaiveDate::MAX,
        };
        let rounds = (0_u32..).map_while(|round| self.round(round)).flatten();
        rounds.filter(|date| *date >= self.start).take_while(move |date| *date <= last).take(most)
    }

    /// Whether the series has an occurrence on this day, cancelled or not.
    pub fn falls_on(&self, date: NaiveDate) -> bool {
        self.dates().take_while(|found| *found <= date).last() == Some(date)
    }

    /// The days of one round of the pattern: one day, week, month or year of those that count.
    fn round(&self, round: u32) -> Option<Vec<NaiveDate>> {
        let steps = round.checked_mul(self.interval)?;
        let month = |months: u32, month: Option<u32>| {
            let first = self.start.with_day(1)?.checked_add_months(Months::new(months))?;
            month.map_or(Some(first), |month| first.with_month(month))
        };
        let days = match self.kind {
            Kind::Daily => vec![self.start.checked_add_days(Days::new(steps.into()))?],
            Kind::Weekly => {
                let since = self.start.weekday().days_since(self.first_day);
                let begins = self.start.checked_sub_days(Days::new(since.into()))?;
                let week = begins.checked_add_days(Days::new(u64::from(steps) * 7))?;
                let mut days = Vec::new();
                for day in (0..7).filter_map(|day| week.checked_add_days(Days::new(day))) {
                    if self.days.contains(&day.weekday()) {
                        days.push(day);
                    }
                }
                days
            }
            Kind::AbsoluteMonthly => vec![day_or_last(month(steps, None)?, self.day_of_month)?],
            Kind::RelativeMonthly => self.relative(month(steps, None)?)?,
            Kind::AbsoluteYearly => {
                let first = month(steps.checked_mul(12)?, Some(self.month))?;
                vec![day_or_last(first, self.day_of_month)?]
            }
            Kind::RelativeYearly => self.relative(month(steps.checked_mul(12)?, Some(self.month))?)?,
        };
        Some(days)
    }

    /// The day of a month that the index picks out of those on the right days of the week.
    fn relative(&self, first: NaiveDate) -> Option<Vec<NaiveDate>> {
        let fitting: Vec<NaiveDate> = first
            .iter_days()
            .take_while(|day| day.month() == first.month())
            .filter(|day| self.days.contains(&day.weekday()))
            .collect();
        let picked = if self.index == LAST { fitting.last() } else { fitting.get(self.index) };
        picked.map(|day| vec![*day])
    }
}

/// This day of the month, or its last one.
fn day_or_last(first: NaiveDate, day: u32) -> Option<NaiveDate> {
    (28..=day).rev().chain([day]).find_map(|day| first.with_day(day))
}

fn read_pattern(pattern: &Map<String, Value>, switches: &Switches) -> Result<Rule, Refusal> {
    let kind = enumerated("type", pattern.get("type"), &KINDS, None)?;
    let number = |name: &str| match pattern.get(name) {
        None | Some(Value::Null) => Ok(0),
        Some(value) => value.as_u64().ok_or_else(|| wrong_type(name, "Edm.Int32")),
    };
    let interval = number("interval")?;
    let most = if kind == Kind::Daily { MOST_DAYS } else { MOST_INTERVAL };
    if interval == 0 || (switches.graph_bounds_recurrence && interval > most) || interval > 100_000 {
        return Err(invalid(format!("The interval must be between 1 and {most}.")));
    }
    let mut days = match pattern.get("daysOfWeek") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(days)) => {
            let days = days.iter().map(|day| enumerated("daysOfWeek", Some(day), &DAYS, None));
            days.collect::<Result<Vec<_>, _>>()?
        }
        Some(_) => return Err(wrong_type("daysOfWeek", "Collection(microsoft.graph.dayOfWeek)")),
    };
    days.sort_by_key(Weekday::num_days_from_sunday);
    days.dedup();
    let (day, month) = (number("dayOfMonth")?, number("month")?);
    let needs = |is_met: bool, text: &str| if is_met { Ok(()) } else { Err(invalid(text)) };
    if matches!(kind, Kind::Weekly | Kind::RelativeMonthly | Kind::RelativeYearly) {
        needs(!days.is_empty(), "The pattern needs daysOfWeek.")?;
    }
    if matches!(kind, Kind::AbsoluteMonthly | Kind::AbsoluteYearly) {
        needs((1..=31).contains(&day), "The pattern needs a dayOfMonth between 1 and 31.")?;
    }
    if matches!(kind, Kind::AbsoluteYearly | Kind::RelativeYearly) {
        needs((1..=12).contains(&month), "The pattern needs a month between 1 and 12.")?;
    }
    let has_days = !matches!(kind, Kind::Daily | Kind::AbsoluteMonthly | Kind::AbsoluteYearly);
    let has_day = matches!(kind, Kind::AbsoluteMonthly | Kind::AbsoluteYearly);
    let has_month = matches!(kind, Kind::AbsoluteYearly | Kind::RelativeYearly);
    let small = |number: u64, is_had: bool| if is_had { u32::try_from(number).unwrap_or(0) } else { 0 };
    Ok(Rule {
        kind,
        interval: small(interval, true),
        days: if has_days { days } else { Vec::new() },
        first_day: enumerated("firstDayOfWeek", pattern.get("firstDayOfWeek"), &DAYS, Some(Weekday::Sun))?,
        day_of_month: small(day, has_day),
        month: small(month, has_month),
        index: enumerated("index", pattern.get("index"), &INDICES, Some(0))?,
        start: NaiveDate::MIN,
        end: End::Never,
        zone: Zone::utc(),
    })
}

/// 400 for values that do not go together.
pub(super) fn invalid(text: impl Into<String>) -> Refusal {
    Refusal::new(400, "ErrorPropertyValidationFailure", text)
}

/// 400 for a value of another type.
pub(super) fn wrong_type(name: &str, kind: &str) -> Refusal {
    Refusal::body(format!("Cannot convert the value given for the property '{name}' to the expected type '{kind}'."))
}

fn object<'a>(name: &str, sent: &'a Value, of: &str, known: &[&str]) -> Result<&'a Map<String, Value>, Refusal> {
    let object = sent.as_object().ok_or_else(|| wrong_type(name, &format!("microsoft.graph.{of}")))?;
    match object.keys().find(|key| !known.contains(&key.as_str())) {
        Some(unknown) => Err(Refusal::no_property(unknown, of)),
        None => Ok(object),
    }
}

/// Reads a word of a list, in whatever case; the default stands for none.
fn enumerated<T: Copy>(
    name: &str,
    sent: Option<&Value>,
    words: &[(&str, T)],
    default: Option<T>,
) -> Result<T, Refusal> {
    let found = match sent {
        None | Some(Value::Null) => default,
        Some(value) => {
            let text = value.as_str().unwrap_or_default();
            words.iter().find(|(word, _)| word.eq_ignore_ascii_case(text)).map(|(_, found)| *found)
        }
    };
    found.ok_or_else(|| Refusal::body(format!("Requested value of '{name}' was not found.")))
}

fn word<T: PartialEq>(words: &[(&'static str, T)], value: &T) -> &'static str {
    words.iter().find(|(_, have)| have == value).map_or("", |(word, _)| word)
}
