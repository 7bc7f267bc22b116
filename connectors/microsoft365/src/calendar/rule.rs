//! The recurrence of a series: Graph's patterns and ranges against rules after RFC 5545 (sheet, 4.4). What the two mean differently
//! is never taken for the same: Outlook's day 31 is the last day of a shorter month, and RFC 5545's is none there.

use super::times::unsayable;
use super::wire::Event;
use chrono::{Datelike, NaiveDate, NaiveDateTime, NaiveTime, Weekday};
use serde_json::{Value, json};
use twofold_model::recurrence::{End, Frequency, NthDay, Rule, Series, same_dates};
use twofold_model::{Content, Error, ErrorKind, Result, event};

const DAYS: [(&str, Weekday); 7] = [
    ("monday", Weekday::Mon),
    ("tuesday", Weekday::Tue),
    ("wednesday", Weekday::Wed),
    ("thursday", Weekday::Thu),
    ("friday", Weekday::Fri),
    ("saturday", Weekday::Sat),
    ("sunday", Weekday::Sun),
];
const INDEXES: [(&str, i16); 5] = [("first", 1), ("second", 2), ("third", 3), ("fourth", 4), ("last", -1)];
/// Over so many years the dates of a rule and of the pattern made of it are compared.
const YEARS: u32 = 10;
/// The last second of a day: a range ends with a day.
const END_OF_DAY: NaiveTime = match NaiveTime::from_hms_opt(23, 59, 59) {
    Some(time) => time,
    None => NaiveTime::MIN,
};

/// The rule of a series that starts at `start`, as contents have it; `None` for an event that happens once.
///
/// # Errors
/// Malformed for a pattern that is not known.
pub fn read(event: &Event, start: NaiveDateTime) -> Result<Option<Value>> {
    let Some(recurrence) = event.0.get("recurrence").filter(|recurrence| recurrence.is_object()) else {
        return Ok(None);
    };
    let rule = rule_of(recurrence, start)
        .ok_or_else(|| Error::new(ErrorKind::Malformed, "the recurrence of the series cannot be read"))?;
    Ok(Some(rule.canonical(start).to_json()))
}

fn rule_of(recurrence: &Value, start: NaiveDateTime) -> Option<Rule> {
    let (pattern, range) = (recurrence.get("pattern")?, recurrence.get("range")?);
    let text = |of: &Value, name: &str| of.get(name).and_then(Value::as_str).map(str::to_ascii_lowercase);
    let number = |of: &Value, name: &str| of.get(name).and_then(Value::as_u64);
    let days = || -> Option<Vec<Weekday>> {
        let list = pattern.get("daysOfWeek")?.as_array()?.iter();
        list.map(|day| weekday(&day.as_str()?.to_ascii_lowercase())).collect()
    };
    let index = || match text(pattern, "index") {
        None => Some(1),
        Some(word) => INDEXES.iter().find(|(name, _)| *name == word).map(|(_, index)| *index),
    };
    let month = || u8::try_from(number(pattern, "month")?).ok().filter(|month| (1..=12).contains(month));
    let day = || u8::try_from(number(pattern, "dayOfMonth")?).ok().filter(|day| (1..=31).contains(day));
    let mut rule;
    match text(pattern, "type")?.as_str() {
        "daily" => rule = Rule::each(Frequency::Daily),
        "weekly" => {
            rule = Rule::each(Frequency::Weekly);
            rule.by_day = days()?.into_iter().map(NthDay::each).collect();
            // Sunday where it is not said, which is not RFC 5545's default.
            rule.week_start = weekday(text(pattern, "firstDayOfWeek").as_deref().unwrap_or("sunday"))?;
        }
        "absolutemonthly" => {
            rule = Rule::each(Frequency::Monthly);
            set_day(&mut rule, day()?, 28, 31);
        }
        "relativemonthly" => {
            rule = Rule::each(Frequency::Monthly);
            set_days(&mut rule, days()?, index()?);
        }
        "absoluteyearly" => {
            rule = Rule::each(Frequency::Yearly);
            rule.by_month = vec![month()?];
            set_day(&mut rule, day()?, shortest(month()?), longest(month()?));
        }
        "relativeyearly" => {
            rule = Rule::each(Frequency::Yearly);
            rule.by_month = vec![month()?];
            set_days(&mut rule, days()?, index()?);
        }
        _ => return None,
    }
    rule.interval = u32::try_from(number(pattern, "interval").unwrap_or(1).max(1)).ok()?;
    // The type says which of the other members mean something: `endDate` is 0001-01-01 in ranges that have none.
    rule.end = match text(range, "type")?.as_str() {
        "noend" => End::Never,
        "numbered" => End::After(u32::try_from(number(range, "numberOfOccurrences")?).ok().filter(|n| *n > 0)?),
        "enddate" => {
            let date = NaiveDate::parse_from_str(range.get("endDate")?.as_str()?.get(..10)?, "%Y-%m-%d").ok()?;
            // A day before the first one is no end that anybody set.
            End::At(date.max(start.date()).and_time(END_OF_DAY))
        }
        _ => return None,
    };
    rule.check().ok()?;
    Some(rule)
}

/// A day of the month, in months that have `shortest` to `longest` days: where a month lacks it, its last day.
fn set_day(rule: &mut Rule, day: u8, shortest: u8, longest: u8) {
    let list = |from: u8, to: u8| (from..=to).filter_map(|day| i8::try_from(day).ok()).collect();
    if day <= shortest {
        rule.by_month_day = list(day, day);
    } else if day >= longest {
        rule.by_month_day = vec![-1];
    } else {
        rule.by_month_day = list(shortest, day);
        rule.by_set_pos = vec![-1];
    }
}

/// The first, … last of these weekdays within a month.
fn set_days(rule: &mut Rule, days: Vec<Weekday>, index: i16) {
    match days[..] {
        [day] => rule.by_day = vec![NthDay::nth(i8::try_from(index).unwrap_or(1), day)],
        _ => {
            rule.by_day = days.into_iter().map(NthDay::each).collect();
            rule.by_set_pos = vec![index];
        }
    }
}

fn weekday(word: &str) -> Option<Weekday> {
    DAYS.iter().find(|(name, _)| *name == word).map(|(_, day)| *day)
}

fn day_name(day: Weekday) -> &'static str {
    DAYS.iter().find(|(_, own)| *own == day).map_or("monday", |(name, _)| name)
}

fn longest(month: u8) -> u8 {
    match month {
        2 => 29,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn shortest(month: u8) -> u8 {
    if month == 2 { 28 } else { longest(month) }
}

/// Edits the recurrence of an event until it says what the content says; whether anything changed. `has_moved`: the start is
/// another one, with which the range begins.
///
/// # Errors
/// Unsupported where Graph cannot say it: it is never approximated.
pub fn edit(event: &mut Event, content: &Content, has_moved: bool) -> Result<bool> {
    let list = |member: &str| content.get(member).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if !list("excludedRecurrenceRules").is_empty() {
        return Err(unsayable("it has a rule for dates left out (EXRULE)"));
    }
    let start = content.get("start").and_then(Value::as_str).and_then(event::local);
    let (rule, start) = match (list("recurrenceRules"), start) {
        ([], _) => {
            if !event.0.get("recurrence").is_some_and(Value::is_object) {
                return Ok(false);
            }
            event.0.insert("recurrence".into(), Value::Null);
            return Ok(true);
        }
        ([rule], Some(start)) => (Rule::from_json(rule).map_err(unsayable)?.canonical(start), start),
        ([_], None) => return Err(unsayable("it has no start")),
        _ => return Err(unsayable("it has more than one recurrence rule")),
    };
    let is_said = read(event, start).ok().flatten().is_some_and(|now| now == rule.to_json());
    if is_said && !has_moved {
        return Ok(false);
    }
    let zone = event.text("originalStartTimeZone").unwrap_or("UTC").to_owned();
    event.0.insert("recurrence".into(), tell(&rule, start, &zone)?);
    Ok(true)
}

/// The recurrence that says a rule (in its canonical form).
fn tell(rule: &Rule, start: NaiveDateTime, zone: &str) -> Result<Value> {
    let pattern =
        pattern(rule, start.date()).ok_or_else(|| unsayable("there is no pattern for its recurrence rule"))?;
    let mut range = json!({"startDate": start.date().to_string(), "recurrenceTimeZone": zone});
    match rule.end {
        End::Never => range["type"] = "noEnd".into(),
        End::After(count) => {
            range["type"] = "numbered".into();
            range["numberOfOccurrences"] = count.into();
        }
        End::At(until) => {
            // The last day on which the series' hour is not after the end; a canonical rule ends with a day.
            let last = if until.time() >= start.time() { Some(until.date()) } else { until.date().pred_opt() };
            let last = last.filter(|day| *day >= start.date()).ok_or_else(|| unsayable("it ends before it starts"))?;
            range["type"] = "endDate".into();
            range["endDate"] = last.to_string().into();
        }
        End::AtInstant(_) => return Err(unsayable("it ends at an instant, and its zone is not known")),
    }
    let recurrence = json!({"pattern": pattern, "range": range});
    let series = |rule: &Rule| Series {
        start,
        rules: vec![rule.clone()],
        excluded: Vec::new(),
        added: Default::default(),
        removed: Default::default(),
    };
    let back = rule_of(&recurrence, start).map(|back| back.canonical(start));
    // What is not the same rule in other words must fall on the same dates.
    let is_same = back
        .as_ref()
        .is_some_and(|back| back == rule || same_dates(&series(back), &series(rule), YEARS).unwrap_or_default());
    match is_same && falls_on(&recurrence["pattern"], start.date()) {
        true => Ok(recurrence),
        false => Err(unsayable("its first date is none of its recurrence rule")),
    }
}

fn pattern(rule: &Rule, start: NaiveDate) -> Option<Value> {
    let is_plain = rule.keeps_time_of_day() && rule.by_week_no.is_empty() && rule.by_year_day.is_empty();
    if !is_plain {
        return None;
    }
    let mut pattern = json!({"interval": rule.interval});
    let has_no_days = rule.by_day.is_empty() && rule.by_month_day.is_empty() && rule.by_set_pos.is_empty();
    let has_no_month = rule.by_month.is_empty();
    let month = match rule.by_month[..] {
        [] => Some(u8::try_from(start.month()).ok()?),
        [month] => Some(month),
        _ => None,
    };
    match rule.frequency {
        Frequency::Daily if has_no_days && has_no_month => pattern["type"] = "daily".into(),
        Frequency::Weekly if rule.by_set_pos.is_empty() && has_no_month => {
            pattern["type"] = "weekly".into();
            let own = [NthDay::each(start.weekday())];
            let days = if rule.by_day.is_empty() { &own[..] } else { &rule.by_day[..] };
            pattern["daysOfWeek"] = days.iter().map(|day| day_name(day.day())).collect();
            pattern["firstDayOfWeek"] = day_name(rule.week_start).into();
        }
        Frequency::Monthly if has_no_month => match day(rule, start, 28, 31) {
            Some(day) => {
                pattern["type"] = "absoluteMonthly".into();
                pattern["dayOfMonth"] = day.into();
            }
            None => {
                pattern["type"] = "relativeMonthly".into();
                tell_days(rule, &mut pattern)?;
            }
        },
        Frequency::Yearly => {
            let month = month?;
            pattern["month"] = month.into();
            match day(rule, start, shortest(month), longest(month)) {
                Some(day) => {
                    pattern["type"] = "absoluteYearly".into();
                    pattern["dayOfMonth"] = day.into();
                }
                // Without a month it is the how-manieth of the year.
                None if has_no_month => return None,
                None => {
                    pattern["type"] = "relativeYearly".into();
                    tell_days(rule, &mut pattern)?;
                }
            }
        }
        _ => return None,
    }
    Some(pattern)
}

/// The day of the month that a rule names, as Outlook counts: a day that a month lacks is its last one.
fn day(rule: &Rule, start: NaiveDate, shortest: u8, longest: u8) -> Option<u8> {
    if !rule.by_day.is_empty() {
        return None;
    }
    let days: Vec<u8> = rule.by_month_day.iter().filter_map(|day| u8::try_from(*day).ok()).collect();
    let is_each = |from: u8, to: u8| days.iter().copied().eq(from..=to) && days.len() == rule.by_month_day.len();
    match (&rule.by_month_day[..], &rule.by_set_pos[..]) {
        ([], []) => u8::try_from(start.day()).ok().filter(|day| *day <= shortest),
        ([-1], []) => Some(longest),
        ([_], []) => days.first().copied().filter(|day| *day <= shortest),
        (_, [-1]) => (shortest..=longest).find(|last| is_each(shortest, *last)),
        _ => None,
    }
}

/// `daysOfWeek` and `index`: `2TU`, or the first of several days.
fn tell_days(rule: &Rule, pattern: &mut Value) -> Option<()> {
    if !rule.by_month_day.is_empty() {
        return None;
    }
    let index = match (&rule.by_day[..], &rule.by_set_pos[..]) {
        ([one], []) => i16::from(one.nth?),
        ([_, ..], [position]) if rule.by_day.iter().all(|day| day.nth.is_none()) => *position,
        _ => return None,
    };
    pattern["index"] = INDEXES.iter().find(|(_, own)| *own == index)?.0.into();
    pattern["daysOfWeek"] = rule.by_day.iter().map(|day| day_name(day.day())).collect();
    Some(())
}

/// Whether a pattern falls on a date. Outlook moves a start that does not to the first date that does, while RFC 5545 counts it as
/// a date of its own.
fn falls_on(pattern: &Value, date: NaiveDate) -> bool {
    let text = |name: &str| pattern.get(name).and_then(Value::as_str).unwrap_or_default();
    let is_named = |date: NaiveDate| {
        let days = pattern.get("daysOfWeek").and_then(Value::as_array);
        days.is_some_and(|days| days.iter().any(|day| day == day_name(date.weekday())))
    };
    let last = date.with_day(u32::from(longest(u8::try_from(date.month()).unwrap_or(1))));
    let last = last.or_else(|| date.with_day(28)).map_or(31, |date| date.day());
    let is_in_month = match pattern.get("month").and_then(Value::as_u64) {
        Some(month) => month == u64::from(date.month()),
        None => true,
    };
    let is_day = match text("type") {
        "daily" => true,
        "weekly" => is_named(date),
        "absoluteMonthly" | "absoluteYearly" => {
            let day = pattern.get("dayOfMonth").and_then(Value::as_u64).unwrap_or_default();
            u64::from(date.day()) == day.min(u64::from(last))
        }
        _ => {
            let named: Vec<u32> = (1..=last).filter(|day| date.with_day(*day).is_some_and(is_named)).collect();
            let at = INDEXES.iter().find(|(name, _)| *name == text("index")).map_or(1, |(_, index)| *index);
            let found = match usize::try_from(at) {
                Ok(at) => named.get(at - 1),
                Err(_) => named.last(),
            };
            found == Some(&date.day())
        }
    };
    is_day && is_in_month
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(text: &str) -> NaiveDateTime {
        event::local(text).unwrap()
    }

    /// What a rule becomes, and that it comes back with the same dates.
    fn told(rule: Value, on: &str) -> std::result::Result<Value, String> {
        let rule = Rule::from_json(&rule).unwrap().canonical(start(on));
        let recurrence = tell(&rule, start(on), "UTC").map_err(|error| error.message)?;
        let event = Event(serde_json::from_value(json!({"recurrence": recurrence})).unwrap());
        let back = Rule::from_json(&read(&event, start(on)).unwrap().unwrap()).unwrap();
        let series = |rule: &Rule| Series {
            start: start(on),
            rules: vec![rule.clone()],
            excluded: vec![],
            added: Default::default(),
            removed: Default::default(),
        };
        assert!(same_dates(&series(&back), &series(&rule), 10).unwrap());
        Ok(recurrence["pattern"].clone())
    }

    #[test]
    fn each_row_of_the_table_goes_over_with_its_dates() {
        let days = |days: &[&str]| days.iter().map(|day| json!({"day": day})).collect::<Vec<_>>();
        let work = ["mo", "tu", "we", "th", "fr"];
        let rows = [
            // 2026-03-02 is a Monday.
            (
                "every third day",
                json!({"frequency": "daily", "interval": 3}),
                "2026-03-02T09:00:00",
                json!({"type": "daily", "interval": 3}),
            ),
            (
                "working days",
                json!({"frequency": "daily", "byDay": days(&work)}),
                "2026-03-02T09:00:00",
                json!({"type": "weekly", "interval": 1, "firstDayOfWeek": "monday",
                    "daysOfWeek": ["monday", "tuesday", "wednesday", "thursday", "friday"]}),
            ),
            (
                "weekly, as the start",
                json!({"frequency": "weekly"}),
                "2026-03-03T09:00:00",
                json!({"type": "weekly", "interval": 1, "daysOfWeek": ["tuesday"], "firstDayOfWeek": "monday"}),
            ),
            (
                "biweekly_sunday_wkst",
                json!({"frequency": "weekly", "interval": 2, "byDay": days(&["su", "mo"]), "firstDayOfWeek": "su"}),
                "2026-03-02T09:00:00",
                json!({"type": "weekly", "interval": 2, "daysOfWeek": ["monday", "sunday"], "firstDayOfWeek": "sunday"}),
            ),
            (
                "day 15",
                json!({"frequency": "monthly", "byMonthDay": [15]}),
                "2026-03-15T09:00:00",
                json!({"type": "absoluteMonthly", "interval": 1, "dayOfMonth": 15}),
            ),
            (
                "the last day",
                json!({"frequency": "monthly", "byMonthDay": [-1]}),
                "2026-03-31T09:00:00",
                json!({"type": "absoluteMonthly", "interval": 1, "dayOfMonth": 31}),
            ),
            (
                "day 30 or the last",
                json!({"frequency": "monthly", "byMonthDay": [28, 29, 30], "bySetPosition": [-1]}),
                "2026-03-30T09:00:00",
                json!({"type": "absoluteMonthly", "interval": 1, "dayOfMonth": 30}),
            ),
            (
                "day 31 in other words",
                json!({"frequency": "monthly", "byMonthDay": [28, 29, 30, 31], "bySetPosition": [-1]}),
                "2026-03-31T09:00:00",
                json!({"type": "absoluteMonthly", "interval": 1, "dayOfMonth": 31}),
            ),
            (
                "second_monday",
                json!({"frequency": "monthly", "byDay": [{"day": "mo", "nthOfPeriod": 2}]}),
                "2026-03-09T09:00:00",
                json!({"type": "relativeMonthly", "interval": 1, "index": "second", "daysOfWeek": ["monday"]}),
            ),
            (
                "the last Friday",
                json!({"frequency": "monthly", "byDay": [{"day": "fr", "nthOfPeriod": -1}]}),
                "2026-03-27T09:00:00",
                json!({"type": "relativeMonthly", "interval": 1, "index": "last", "daysOfWeek": ["friday"]}),
            ),
            (
                "the first working day",
                json!({"frequency": "monthly", "byDay": days(&work), "bySetPosition": [1]}),
                "2026-03-02T09:00:00",
                json!({"type": "relativeMonthly", "interval": 1, "index": "first",
                    "daysOfWeek": ["monday", "tuesday", "wednesday", "thursday", "friday"]}),
            ),
            (
                "yearly, as the start",
                json!({"frequency": "yearly"}),
                "2026-03-15T09:00:00",
                json!({"type": "absoluteYearly", "interval": 1, "month": 3, "dayOfMonth": 15}),
            ),
            (
                "the last day of February",
                json!({"frequency": "yearly", "byMonth": ["2"], "byMonthDay": [-1]}),
                "2026-02-28T09:00:00",
                json!({"type": "absoluteYearly", "interval": 1, "month": 2, "dayOfMonth": 29}),
            ),
            (
                "Thanksgiving",
                json!({"frequency": "yearly", "byMonth": ["11"], "byDay": [{"day": "th", "nthOfPeriod": 4}]}),
                "2026-11-26T09:00:00",
                json!({"type": "relativeYearly", "interval": 1, "month": 11, "index": "fourth", "daysOfWeek": ["thursday"]}),
            ),
        ];
        for (what, rule, on, pattern) in rows {
            assert_eq!(told(rule, on), Ok(pattern), "{what}");
        }
    }

    #[test]
    fn what_graph_cannot_say_is_refused() {
        let rows = [
            ("monthly_31_ten_years", json!({"frequency": "monthly", "byMonthDay": [31]}), "2026-03-31T09:00:00"),
            ("day 31, as the start", json!({"frequency": "monthly"}), "2026-03-31T09:00:00"),
            ("day 29, as the start", json!({"frequency": "monthly"}), "2026-03-29T09:00:00"),
            ("29 February", json!({"frequency": "yearly"}), "2028-02-29T09:00:00"),
            ("hourly", json!({"frequency": "hourly"}), "2026-03-02T09:00:00"),
            ("twice a day", json!({"frequency": "daily", "byHour": [9, 15]}), "2026-03-02T09:00:00"),
            ("two days of a month", json!({"frequency": "monthly", "byMonthDay": [13, 14]}), "2026-03-13T09:00:00"),
            ("the last but one", json!({"frequency": "monthly", "byMonthDay": [-2]}), "2026-03-30T09:00:00"),
            (
                "the fifth Tuesday",
                json!({"frequency": "monthly", "byDay": [{"day": "tu", "nthOfPeriod": 5}]}),
                "2026-03-31T09:00:00",
            ),
            (
                "a list of positions",
                json!({"frequency": "monthly", "byDay": [{"day": "mo"}, {"day": "tu"}], "bySetPosition": [1, -1]}),
                "2026-03-02T09:00:00",
            ),
            (
                "two ordinals",
                json!({"frequency": "monthly", "byDay": [{"day": "mo", "nthOfPeriod": 1}, {"day": "we", "nthOfPeriod": 3}]}),
                "2026-03-02T09:00:00",
            ),
            (
                "every Monday of a month",
                json!({"frequency": "monthly", "byDay": [{"day": "mo"}]}),
                "2026-03-02T09:00:00",
            ),
            (
                "two months",
                json!({"frequency": "yearly", "byMonth": ["3", "9"], "byMonthDay": [15]}),
                "2026-03-15T09:00:00",
            ),
            ("a week of the year", json!({"frequency": "yearly", "byWeekNo": [10]}), "2026-03-02T09:00:00"),
            ("a day of the year", json!({"frequency": "yearly", "byYearDay": [100]}), "2026-04-10T09:00:00"),
            (
                "the 20th Monday of a year",
                json!({"frequency": "yearly", "byDay": [{"day": "mo", "nthOfPeriod": 20}]}),
                "2026-05-18T09:00:00",
            ),
            ("in March only", json!({"frequency": "daily", "byMonth": ["3"]}), "2026-03-02T09:00:00"),
            (
                "a start beside the rule",
                json!({"frequency": "weekly", "byDay": [{"day": "tu"}]}),
                "2026-03-02T09:00:00",
            ),
            (
                "Friday the 13th",
                json!({"frequency": "monthly", "byMonthDay": [13], "byDay": [{"day": "fr"}]}),
                "2026-03-13T09:00:00",
            ),
        ];
        for (what, rule, on) in rows {
            assert!(told(rule, on).is_err(), "{what}");
        }
    }

    fn read_of(pattern: Value, range: Value, on: &str) -> Value {
        let event = Event(serde_json::from_value(json!({"recurrence": {"pattern": pattern, "range": range}})).unwrap());
        read(&event, start(on)).unwrap().unwrap()
    }

    #[test]
    fn numbered_range() {
        let range =
            json!({"type": "numbered", "startDate": "2026-03-02", "endDate": "0001-01-01", "numberOfOccurrences": 10});
        let read = read_of(json!({"type": "daily", "interval": 1}), range, "2026-03-02T09:00:00");
        assert_eq!(read, json!({"frequency": "daily", "count": 10}));
        let range =
            json!({"type": "noEnd", "startDate": "2026-03-02", "endDate": "0001-01-01", "numberOfOccurrences": 0});
        let read = read_of(json!({"type": "daily", "interval": 1}), range, "2026-03-02T09:00:00");
        assert_eq!(read, json!({"frequency": "daily"}));
    }

    #[test]
    fn until_last_evening() {
        // 22:00 in Honolulu is the next day in UTC; the end is a day of the series.
        let range = json!({"type": "endDate", "startDate": "2026-03-02", "endDate": "2026-03-05"});
        let rule = read_of(json!({"type": "daily", "interval": 1}), range, "2026-03-02T22:00:00");
        assert_eq!(rule, json!({"frequency": "daily", "until": "2026-03-05T23:59:59"}));
        for until in ["2026-03-05T23:59:59", "2026-03-05T22:00:00", "2026-03-06T00:00:00", "2026-03-06T21:59:59"] {
            let rule = Rule::from_json(&json!({"frequency": "daily", "until": until})).unwrap();
            let on = start("2026-03-02T22:00:00");
            let told = tell(&rule.canonical(on), on, "Hawaiian Standard Time").unwrap();
            assert_eq!(told["range"]["endDate"], "2026-03-05", "{until}");
            assert_eq!(told["range"]["startDate"], "2026-03-02");
            assert_eq!(told["range"]["recurrenceTimeZone"], "Hawaiian Standard Time");
        }
    }

    #[test]
    fn outlooks_day_31_is_the_last_day_of_a_shorter_month() {
        let range = || json!({"type": "numbered", "numberOfOccurrences": 4});
        let monthly = |day: u8| {
            let pattern = json!({"type": "absoluteMonthly", "interval": 1, "dayOfMonth": day, "firstDayOfWeek": "sunday", "index": "first"});
            let rule = Rule::from_json(&read_of(pattern, range(), "2026-01-31T09:00:00")).unwrap();
            let series = Series {
                start: start("2026-01-31T09:00:00"),
                rules: vec![rule],
                excluded: vec![],
                added: Default::default(),
                removed: Default::default(),
            };
            let dates = series.dates(series.start, start("2027-01-01T00:00:00"), 9).unwrap();
            dates.iter().map(|date| date.date().to_string()[5..].to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(monthly(31), ["01-31", "02-28", "03-31", "04-30"]);
        assert_eq!(monthly(30)[1..], ["02-28", "03-30", "04-30"]);
        let leap = json!({"type": "absoluteYearly", "interval": 1, "dayOfMonth": 29, "month": 2});
        let rule = read_of(leap, json!({"type": "noEnd"}), "2028-02-29T09:00:00");
        assert_eq!(rule, json!({"frequency": "yearly", "byMonth": ["2"], "byMonthDay": [-1]}));
    }

    #[test]
    fn a_week_begins_on_sunday_where_nobody_says() {
        let pattern = json!({"type": "weekly", "interval": 2, "daysOfWeek": ["Monday", "sunday"]});
        let rule = read_of(pattern, json!({"type": "noEnd"}), "2026-03-02T09:00:00");
        assert_eq!(rule.get("firstDayOfWeek"), Some(&json!("su")));
    }

    #[test]
    fn a_pattern_that_nobody_knows_is_not_guessed_at() {
        for pattern in
            [json!({"type": "lunar", "interval": 1}), json!({"type": "absoluteMonthly", "dayOfMonth": 0}), json!({})]
        {
            let event = json!({"recurrence": {"pattern": pattern, "range": {"type": "noEnd"}}});
            let event = Event(serde_json::from_value(event).unwrap());
            assert!(read(&event, start("2026-03-02T09:00:00")).is_err());
        }
    }
}
