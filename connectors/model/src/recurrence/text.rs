//! Rules as text: the value of RRULE and EXRULE (RFC 5545 3.3.10).

use super::{END_OF_DAY, End, Frequency, NthDay, Rule, RuleError, weekday_of, weekday_word};
use crate::zone::Rules;
use chrono::{NaiveDate, NaiveDateTime, Weekday};
use std::fmt::Display;

/// What the times of a series are told in. It decides how UNTIL is written (RFC 5545 3.3.10): in UTC for a series in a zone,
/// else in the form of the start.
#[derive(Clone, Copy, Debug)]
pub enum Clock<'a> {
    /// A zone (or UTC) with its rules.
    Zoned(&'a Rules),
    /// A zone whose rules nobody knows.
    Unknown,
    /// The clock on the wall, wherever that is.
    Floating,
    /// Whole days.
    AllDay,
}

impl Rule {
    /// Reads the value of an RRULE.
    ///
    /// UNTIL becomes local time of the series. A date in the place of a time, which is not allowed but common, means the
    /// whole of that day.
    ///
    /// # Errors
    /// [`RuleError`] for what is no rule, is one of another calendar (RSCALE, SKIP), or has parts that do not go together.
    pub fn read(text: &str, clock: Clock<'_>) -> Result<Self, RuleError> {
        let mut rule = Rule::each(Frequency::Yearly);
        let mut seen: Vec<String> = Vec::new();
        for part in text.trim().split(';').map(str::trim).filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').ok_or_else(|| RuleError::new("part", "without a value"))?;
            let (name, value) = (name.trim().to_ascii_uppercase(), value.trim());
            if seen.contains(&name) {
                return Err(RuleError::new(name, "twice"));
            }
            rule.take(&name, value, clock)?;
            seen.push(name);
        }
        let has = |name: &str| seen.iter().any(|seen| seen == name);
        if !has("FREQ") {
            return Err(RuleError::new("FREQ", "missing"));
        }
        if has("COUNT") && has("UNTIL") {
            return Err(RuleError::new("COUNT", "not together with UNTIL"));
        }
        rule.check()?;
        Ok(rule)
    }

    fn take(&mut self, name: &str, value: &str, clock: Clock<'_>) -> Result<(), RuleError> {
        let wrong = || RuleError::new(name, "not readable");
        match name {
            "FREQ" => self.frequency = Frequency::from_name(value).ok_or_else(wrong)?,
            "INTERVAL" => self.interval = value.parse().map_err(|_| wrong())?,
            "COUNT" => self.end = End::After(value.parse().map_err(|_| wrong())?),
            "UNTIL" => self.end = until(value, clock).ok_or_else(wrong)?,
            "WKST" => self.week_start = weekday_of(value).ok_or_else(wrong)?,
            "BYMONTH" => self.by_month = numbers(name, value)?,
            "BYWEEKNO" => self.by_week_no = numbers(name, value)?,
            "BYYEARDAY" => self.by_year_day = numbers(name, value)?,
            "BYMONTHDAY" => self.by_month_day = numbers(name, value)?,
            "BYHOUR" => self.by_hour = numbers(name, value)?,
            "BYMINUTE" => self.by_minute = numbers(name, value)?,
            "BYSECOND" => self.by_second = numbers(name, value)?,
            "BYSETPOS" => self.by_set_pos = numbers(name, value)?,
            "BYDAY" => {
                let days = value.split(',').map(str::trim).filter(|day| !day.is_empty());
                self.by_day = days.map(nth_day).collect::<Option<_>>().ok_or_else(wrong)?;
            }
            "RSCALE" if value.eq_ignore_ascii_case("GREGORIAN") => {}
            "SKIP" if value.eq_ignore_ascii_case("OMIT") => {}
            "RSCALE" | "SKIP" => return Err(RuleError::new(name, "not supported")),
            _ => return Err(RuleError::new(name, "not known")),
        }
        Ok(())
    }

    /// Writes the value of an RRULE for a series that starts at `start`.
    ///
    /// WKST is written wherever it decides something, Monday included: not every reader has Monday for its default.
    pub fn write(&self, start: NaiveDateTime, clock: Clock<'_>) -> String {
        let rule = self.sorted();
        let mut text = format!("FREQ={}", rule.frequency.as_str().to_ascii_uppercase());
        let mut put = |name: &str, value: &dyn Display| text.push_str(&format!(";{name}={value}"));
        if rule.interval != 1 {
            put("INTERVAL", &rule.interval);
        }
        match rule.end {
            End::Never => {}
            End::After(count) => put("COUNT", &count),
            End::At(until) => put("UNTIL", &rule.until_text(until, start, clock)),
            End::AtInstant(until) => put("UNTIL", &until.format("%Y%m%dT%H%M%SZ")),
        }
        let mut list = |name: &str, values: Vec<String>| {
            if !values.is_empty() {
                put(name, &values.join(","));
            }
        };
        list("BYMONTH", words(&rule.by_month));
        list("BYWEEKNO", words(&rule.by_week_no));
        list("BYYEARDAY", words(&rule.by_year_day));
        list("BYMONTHDAY", words(&rule.by_month_day));
        list("BYDAY", rule.by_day.iter().map(day_text).collect());
        list("BYHOUR", words(&rule.by_hour));
        list("BYMINUTE", words(&rule.by_minute));
        list("BYSECOND", words(&rule.by_second));
        list("BYSETPOS", words(&rule.by_set_pos));
        if rule.week_start != Weekday::Mon || rule.minds_week_start() {
            put("WKST", &weekday_word(rule.week_start).to_ascii_uppercase());
        }
        text
    }

    fn until_text(&self, until: NaiveDateTime, start: NaiveDateTime, clock: Clock<'_>) -> String {
        // The end of a day stands for its date at the start's time (`Rule::canonical`): the form that all places agree on.
        let is_of_day = self.keeps_time_of_day() && until.time() == END_OF_DAY;
        let until = if is_of_day { until.date().and_time(start.time()) } else { until };
        match clock {
            Clock::AllDay => until.format("%Y%m%d").to_string(),
            Clock::Zoned(rules) => rules.to_utc(until).format("%Y%m%dT%H%M%SZ").to_string(),
            Clock::Floating | Clock::Unknown => until.format("%Y%m%dT%H%M%S").to_string(),
        }
    }
}

fn until(text: &str, clock: Clock<'_>) -> Option<End> {
    if text.len() == 8 {
        return Some(End::At(NaiveDate::parse_from_str(text, "%Y%m%d").ok()?.and_time(END_OF_DAY)));
    }
    let (digits, is_utc) = match text.strip_suffix(['Z', 'z']) {
        Some(digits) => (digits, true),
        None => (text, false),
    };
    let time = NaiveDateTime::parse_from_str(digits, "%Y%m%dT%H%M%S").ok()?;
    Some(match clock {
        // Of a series of days only the date counts, whatever zone it was written in.
        Clock::AllDay => End::At(time.date().and_time(END_OF_DAY)),
        Clock::Zoned(rules) if is_utc => End::At(rules.to_local(time.and_utc())),
        Clock::Unknown if is_utc => End::AtInstant(time.and_utc()),
        _ => End::At(time),
    })
}

fn numbers<T: std::str::FromStr>(name: &str, text: &str) -> Result<Vec<T>, RuleError> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    let parsed = parts.map(|part| part.strip_prefix('+').unwrap_or(part).parse().ok());
    parsed.collect::<Option<_>>().ok_or_else(|| RuleError::new(name, "not readable"))
}

fn nth_day(text: &str) -> Option<NthDay> {
    let at = text.len().checked_sub(2).filter(|at| text.is_char_boundary(*at))?;
    let (nth, day) = text.split_at(at);
    let day = weekday_of(day)?;
    Some(match nth {
        "" => NthDay::each(day),
        nth => NthDay::nth(nth.strip_prefix('+').unwrap_or(nth).parse().ok()?, day),
    })
}

fn day_text(day: &NthDay) -> String {
    let nth = day.nth.map_or(String::new(), |nth| nth.to_string());
    format!("{nth}{}", weekday_word(day.day()).to_ascii_uppercase())
}

fn words<T: ToString>(list: &[T]) -> Vec<String> {
    list.iter().map(T::to_string).collect()
}
