//! Rules as JSON (RFC 8984 4.3.3). What is the default, and `@type`, is left out.

use super::series::local;
use super::{End, Frequency, NthDay, Rule, RuleError, weekday_of, weekday_word};
use chrono::{DateTime, SecondsFormat, Utc, Weekday};
use serde_json::{Map, Value, json};

/// Members of a rule that is one of RFC 5545, apart from the lists of numbers.
const SINGLE: [&str; 9] =
    ["@type", "frequency", "interval", "rscale", "skip", "firstDayOfWeek", "byDay", "count", "until"];
const LISTS: [&str; 8] =
    ["byMonth", "byWeekNo", "byYearDay", "byMonthDay", "byHour", "byMinute", "bySecond", "bySetPosition"];

impl Rule {
    /// The rule as JSON: lists in order, defaults left out. Equal rules are equal JSON; for equal *meaning* take
    /// [`Rule::canonical`] first.
    pub fn to_json(&self) -> Value {
        let rule = self.sorted();
        let mut map = Map::new();
        map.insert("frequency".into(), rule.frequency.as_str().into());
        if rule.interval != 1 {
            map.insert("interval".into(), rule.interval.into());
        }
        if rule.week_start != Weekday::Mon {
            map.insert("firstDayOfWeek".into(), weekday_word(rule.week_start).into());
        }
        let mut list = |name: &str, values: Vec<Value>| {
            if !values.is_empty() {
                map.insert(name.into(), values.into());
            }
        };
        // RFC 8984: months are text, because other calendars have leap months.
        list("byMonth", rule.by_month.iter().map(|month| month.to_string().into()).collect());
        list("byWeekNo", rule.by_week_no.iter().map(|v| (*v).into()).collect());
        list("byYearDay", rule.by_year_day.iter().map(|v| (*v).into()).collect());
        list("byMonthDay", rule.by_month_day.iter().map(|v| (*v).into()).collect());
        list("byDay", rule.by_day.iter().map(day_json).collect());
        list("byHour", rule.by_hour.iter().map(|v| (*v).into()).collect());
        list("byMinute", rule.by_minute.iter().map(|v| (*v).into()).collect());
        list("bySecond", rule.by_second.iter().map(|v| (*v).into()).collect());
        list("bySetPosition", rule.by_set_pos.iter().map(|v| (*v).into()).collect());
        match rule.end {
            End::Never => {}
            End::After(count) => drop(map.insert("count".into(), count.into())),
            End::At(until) => drop(map.insert("until".into(), until.format("%Y-%m-%dT%H:%M:%S").to_string().into())),
            End::AtInstant(until) => {
                map.insert("until".into(), until.to_rfc3339_opts(SecondsFormat::Secs, true).into());
            }
        }
        Value::Object(map)
    }

    /// Reads a rule.
    ///
    /// # Errors
    /// [`RuleError`] for what is no rule, is one of another calendar, or has parts that do not go together.
    pub fn from_json(value: &Value) -> Result<Self, RuleError> {
        let map = value.as_object().ok_or_else(|| RuleError::new("rule", "not an object"))?;
        if let Some(other) = map.keys().find(|name| !SINGLE.contains(&name.as_str()) && !LISTS.contains(&name.as_str()))
        {
            return Err(RuleError::new(other.as_str(), "not known"));
        }
        let text = |name: &str| map.get(name).and_then(Value::as_str);
        let only = |name: &str, known: &str| match map.get(name) {
            Some(said) if !said.as_str().is_some_and(|said| said.eq_ignore_ascii_case(known)) => {
                Err(RuleError::new(name, "not supported"))
            }
            _ => Ok(()),
        };
        only("rscale", "gregorian")?;
        only("skip", "omit")?;
        let wrong = |name: &str| RuleError::new(name, "not readable");
        let frequency = text("frequency").and_then(Frequency::from_name).ok_or_else(|| wrong("frequency"))?;
        let mut rule = Rule::each(frequency);
        if let Some(interval) = map.get("interval") {
            rule.interval = interval.as_u64().and_then(|n| n.try_into().ok()).ok_or_else(|| wrong("interval"))?;
        }
        if map.contains_key("firstDayOfWeek") {
            rule.week_start = text("firstDayOfWeek").and_then(weekday_of).ok_or_else(|| wrong("firstDayOfWeek"))?;
        }
        rule.end = match (map.get("count"), map.get("until")) {
            (None, None) => End::Never,
            (Some(count), None) => {
                End::After(count.as_u64().and_then(|n| n.try_into().ok()).ok_or_else(|| wrong("count"))?)
            }
            (None, Some(until)) => until.as_str().and_then(end).ok_or_else(|| wrong("until"))?,
            (Some(_), Some(_)) => return Err(RuleError::new("count", "not together with until")),
        };
        rule.by_month = match map.get("byMonth") {
            None => Vec::new(),
            Some(months) => {
                let months = months.as_array().ok_or_else(|| wrong("byMonth"))?.iter();
                months.map(|m| m.as_str()?.parse().ok()).collect::<Option<_>>().ok_or_else(|| wrong("byMonth"))?
            }
        };
        rule.by_day = match map.get("byDay") {
            None => Vec::new(),
            Some(days) => {
                let days = days.as_array().ok_or_else(|| wrong("byDay"))?.iter();
                days.map(day).collect::<Option<_>>().ok_or_else(|| wrong("byDay"))?
            }
        };
        rule.by_week_no = numbers(map, "byWeekNo")?;
        rule.by_year_day = numbers(map, "byYearDay")?;
        rule.by_month_day = numbers(map, "byMonthDay")?;
        rule.by_hour = numbers(map, "byHour")?;
        rule.by_minute = numbers(map, "byMinute")?;
        rule.by_second = numbers(map, "bySecond")?;
        rule.by_set_pos = numbers(map, "bySetPosition")?;
        rule.check()?;
        Ok(rule)
    }
}

fn day_json(day: &NthDay) -> Value {
    match day.nth {
        None => json!({"day": weekday_word(day.day())}),
        Some(nth) => json!({"day": weekday_word(day.day()), "nthOfPeriod": nth}),
    }
}

fn day(value: &Value) -> Option<NthDay> {
    let weekday = weekday_of(value.get("day")?.as_str()?)?;
    Some(match value.get("nthOfPeriod") {
        None => NthDay::each(weekday),
        Some(nth) => NthDay::nth(nth.as_i64()?.try_into().ok()?, weekday),
    })
}

fn end(text: &str) -> Option<End> {
    match text.ends_with('Z') {
        true => DateTime::parse_from_rfc3339(text).ok().map(|at| End::AtInstant(at.with_timezone(&Utc))),
        false => local(text).map(End::At),
    }
}

fn numbers<T: TryFrom<i64>>(map: &Map<String, Value>, name: &str) -> Result<Vec<T>, RuleError> {
    let wrong = || RuleError::new(name, "not readable");
    let Some(list) = map.get(name) else { return Ok(Vec::new()) };
    let list = list.as_array().ok_or_else(wrong)?.iter();
    list.map(|v| v.as_i64()?.try_into().ok()).collect::<Option<_>>().ok_or_else(wrong)
}
