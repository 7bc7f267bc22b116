//! On which days and at which times of one period a rule falls (RFC 5545 3.3.10, the table of BYxxx parts).

use super::{Frequency, Rule};
use chrono::{Datelike, Duration, NaiveDate, NaiveDateTime, NaiveTime, Timelike, Weekday};

/// How many times one period may have.
const TIMES: usize = 50_000;

/// A rule together with what it takes from the series' start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    rule: Rule,
    start: NaiveDateTime,
    /// The times of each day (of each hour, of each minute, for rules that short), in order.
    hours: Vec<u32>,
    minutes: Vec<u32>,
    seconds: Vec<u32>,
}

impl Plan {
    /// `None` for a rule of more times in one period than anybody could mean.
    pub(crate) fn new(rule: &Rule, start: NaiveDateTime) -> Option<Self> {
        let rule = with_days(rule.sorted(), start.date());
        let list = |said: &[u8], own: u32| match said.is_empty() {
            true => vec![own],
            // A leap second is in no zone's rules.
            false => said.iter().map(|value| u32::from(*value)).filter(|value| *value < 60).collect(),
        };
        let hours = list(&rule.by_hour, start.hour());
        let minutes = list(&rule.by_minute, start.minute());
        let seconds = list(&rule.by_second, start.second());
        let most_days = match rule.frequency {
            Frequency::Yearly => 366,
            Frequency::Monthly => 31,
            Frequency::Weekly => 7,
            _ => 1,
        };
        let most = hours.len() * minutes.len() * seconds.len() * most_days;
        (most <= TIMES).then_some(Self { rule, start, hours, minutes, seconds })
    }

    /// The period in which that time stands, counted from that of the start in steps of the interval, rounded down.
    pub(crate) fn period_of(&self, time: NaiveDateTime) -> i64 {
        let interval = i64::from(self.rule.interval);
        let months = |date: NaiveDate| i64::from(date.year()) * 12 + i64::from(date.month0());
        let seconds = |unit: i64| (time - self.start).num_seconds().div_euclid(unit);
        let units = match self.rule.frequency {
            Frequency::Yearly => i64::from(time.year()) - i64::from(self.start.year()),
            Frequency::Monthly => months(time.date()) - months(self.start.date()),
            Frequency::Weekly => (time.date() - self.week_of(self.start.date())).num_days().div_euclid(7),
            Frequency::Daily => (time.date() - self.start.date()).num_days(),
            // One too early is skipped by the caller; these count from the start's very second.
            Frequency::Hourly => seconds(3600),
            Frequency::Minutely => seconds(60),
            Frequency::Secondly => seconds(1),
        };
        units.div_euclid(interval)
    }

    /// The times in a period, in order; `None` past the years that can be told.
    pub(crate) fn starts_in(&self, period: i64) -> Option<Vec<NaiveDateTime>> {
        let units = period.checked_mul(i64::from(self.rule.interval))?;
        let mut starts = match self.rule.frequency {
            Frequency::Yearly => {
                let year = i32::try_from(i64::from(self.start.year()).checked_add(units)?).ok()?;
                self.in_days(self.days_of_year(year)?)
            }
            Frequency::Monthly => {
                let month = i64::from(self.start.year()) * 12 + i64::from(self.start.month0());
                let month = month.checked_add(units)?;
                let year = i32::try_from(month.div_euclid(12)).ok()?;
                self.in_days(self.days_of_month(year, month.rem_euclid(12) as u32 + 1)?)
            }
            Frequency::Weekly => {
                let first = add_days(self.week_of(self.start.date()), units.checked_mul(7)?).filter(is_told)?;
                self.in_days((0..7).filter_map(|day| add_days(first, day)).filter(|day| self.has(*day)).collect())
            }
            Frequency::Daily => {
                let day = add_days(self.start.date(), units).filter(is_told)?;
                self.in_days(if self.has(day) { vec![day] } else { Vec::new() })
            }
            Frequency::Hourly | Frequency::Minutely | Frequency::Secondly => self.in_short(units)?,
        };
        self.take_positions(&mut starts);
        Some(starts)
    }

    /// The times in a calendar year of a rule that is `YEARLY` with interval 1, whether the start is before them or not.
    pub(crate) fn in_year(&self, year: i32) -> Vec<NaiveDateTime> {
        let mut starts = self.days_of_year(year).map_or_else(Vec::new, |days| self.in_days(days));
        self.take_positions(&mut starts);
        starts
    }

    /// The first day of a date's week.
    fn week_of(&self, date: NaiveDate) -> NaiveDate {
        week_of(date, self.rule.week_start)
    }

    fn days_of_year(&self, year: i32) -> Option<Vec<NaiveDate>> {
        let all: Vec<u8> = (1..=12).collect();
        let months = if self.rule.by_month.is_empty() { &all } else { &self.rule.by_month };
        let mut days = Vec::new();
        for month in months {
            days.extend(self.days_of_month(year, u32::from(*month))?);
        }
        Some(days)
    }

    fn days_of_month(&self, year: i32, month: u32) -> Option<Vec<NaiveDate>> {
        let first = NaiveDate::from_ymd_opt(year, month, 1).filter(is_told)?;
        let is_allowed = self.rule.by_month.is_empty() || self.rule.by_month.contains(&(month as u8));
        let mut days = if is_allowed { self.candidates(first) } else { Vec::new() };
        days.retain(|day| self.has(*day));
        Some(days)
    }

    /// The days of a month, in order, without most of those that the rule does not have: a quick look at what it names.
    fn candidates(&self, first: NaiveDate) -> Vec<NaiveDate> {
        let rule = &self.rule;
        let length = month_length(first) as i8;
        let mut numbers: Vec<i8> = if !rule.by_month_day.is_empty() {
            rule.by_month_day.iter().map(|day| if *day < 0 { length + 1 + day } else { *day }).collect()
        } else if !rule.by_day.is_empty() {
            let of_weekday = |day: Weekday| 1 + day.days_since(first.weekday()) as i8;
            rule.by_day.iter().flat_map(|by| (of_weekday(by.day())..=length).step_by(7)).collect()
        } else {
            (1..=length).collect()
        };
        numbers.sort_unstable();
        numbers.dedup();
        numbers.into_iter().filter_map(|day| first.with_day(u32::try_from(day).ok()?)).collect()
    }

    fn in_days(&self, days: Vec<NaiveDate>) -> Vec<NaiveDateTime> {
        let mut starts = Vec::with_capacity(days.len());
        for day in days {
            starts.extend(self.times(&self.hours, &self.minutes).map(|time| day.and_time(time)));
        }
        starts
    }

    fn times<'a>(&'a self, hours: &'a [u32], minutes: &'a [u32]) -> impl Iterator<Item = NaiveTime> + 'a {
        hours.iter().flat_map(move |hour| {
            minutes.iter().flat_map(move |minute| {
                self.seconds.iter().filter_map(move |second| NaiveTime::from_hms_opt(*hour, *minute, *second))
            })
        })
    }

    /// The times of a period that is shorter than a day.
    fn in_short(&self, units: i64) -> Option<Vec<NaiveDateTime>> {
        let unit_s = match self.rule.frequency {
            Frequency::Hourly => 3600,
            Frequency::Minutely => 60,
            _ => 1,
        };
        let at = self.start.checked_add_signed(Duration::try_seconds(units.checked_mul(unit_s)?)?)?;
        if !is_told(&at.date()) {
            return None;
        }
        let allows = |list: &[u8], value: u32| list.is_empty() || list.iter().any(|v| u32::from(*v) == value);
        let rule = &self.rule;
        let (hour, minute, second) = ([at.hour()], [at.minute()], at.second());
        let is_in = self.has(at.date())
            && allows(&rule.by_hour, hour[0])
            && (unit_s > 60 || allows(&rule.by_minute, minute[0]))
            && (unit_s > 1 || allows(&rule.by_second, second));
        if !is_in {
            return Some(Vec::new());
        }
        Some(match unit_s {
            3600 => self.times(&hour, &self.minutes).map(|time| at.date().and_time(time)).collect(),
            60 => self.times(&hour, &minute).map(|time| at.date().and_time(time)).collect(),
            _ => vec![at],
        })
    }

    fn take_positions(&self, starts: &mut Vec<NaiveDateTime>) {
        if self.rule.by_set_pos.is_empty() {
            return;
        }
        let index = |position: i16| match position > 0 {
            true => usize::try_from(position - 1).ok(),
            false => starts.len().checked_sub(usize::from(position.unsigned_abs())),
        };
        let mut chosen: Vec<NaiveDateTime> =
            self.rule.by_set_pos.iter().filter_map(|position| starts.get(index(*position)?).copied()).collect();
        chosen.sort();
        chosen.dedup();
        *starts = chosen;
    }

    /// Whether a day has what the rule asks of days.
    fn has(&self, day: NaiveDate) -> bool {
        let rule = &self.rule;
        let counts = |list: &[i16], from_start: i64, from_end: i64| {
            list.is_empty() || list.iter().any(|v| i64::from(*v) == from_start || i64::from(*v) == from_end)
        };
        let wide = |list: &[i8]| list.iter().map(|v| i16::from(*v)).collect::<Vec<_>>();
        if !rule.by_month.is_empty() && !rule.by_month.iter().any(|month| u32::from(*month) == day.month()) {
            return false;
        }
        if !rule.by_month_day.is_empty() {
            let (at, length) = (i64::from(day.day()), i64::from(month_length(day)));
            if !counts(&wide(&rule.by_month_day), at, at - length - 1) {
                return false;
            }
        }
        if !rule.by_year_day.is_empty() {
            let (at, length) = (i64::from(day.ordinal()), i64::from(year_length(day)));
            if !counts(&rule.by_year_day, at, at - length - 1) {
                return false;
            }
        }
        if !rule.by_week_no.is_empty() {
            let (at, weeks) = week_number(day, rule.week_start);
            if !counts(&wide(&rule.by_week_no), at, at - weeks - 1) {
                return false;
            }
        }
        rule.by_day.is_empty() || rule.by_day.iter().any(|by| by.day() == day.weekday() && self.is_nth(by.nth, day))
    }

    /// Whether a day is the how-manieth of its weekday in the month, or in the year for a rule of the year without months.
    fn is_nth(&self, nth: Option<i8>, day: NaiveDate) -> bool {
        let Some(nth) = nth else { return true };
        let is_of_year = self.rule.frequency == Frequency::Yearly && self.rule.by_month.is_empty();
        let (at, length) = match is_of_year {
            true => (day.ordinal(), year_length(day)),
            false => (day.day(), month_length(day)),
        };
        let (from_start, from_end) = ((at - 1) / 7 + 1, (length - at) / 7 + 1);
        i64::from(nth) == i64::from(from_start) || i64::from(nth) == -i64::from(from_end)
    }
}

/// Adds the days that a rule leaves to the start (RFC 5545 3.3.10, RFC 8984 4.3.3).
fn with_days(mut rule: Rule, start: NaiveDate) -> Rule {
    let (month, day) = (start.month() as u8, start.day() as i8);
    let weekday = super::NthDay::each(start.weekday());
    let names_days = !(rule.by_day.is_empty() && rule.by_month_day.is_empty() && rule.by_year_day.is_empty());
    match rule.frequency {
        Frequency::Weekly if rule.by_day.is_empty() => rule.by_day.push(weekday),
        Frequency::Monthly if !names_days => rule.by_month_day.push(day),
        Frequency::Yearly if !names_days && !rule.by_week_no.is_empty() => rule.by_day.push(weekday),
        Frequency::Yearly if !names_days => {
            rule.by_month_day.push(day);
            if rule.by_month.is_empty() {
                rule.by_month.push(month);
            }
        }
        _ => {}
    }
    rule
}

/// Whether a day is in the years that are told.
fn is_told(day: &NaiveDate) -> bool {
    day.year() <= super::LAST_YEAR
}

fn add_days(date: NaiveDate, days: i64) -> Option<NaiveDate> {
    date.checked_add_signed(Duration::try_days(days)?)
}

fn week_of(date: NaiveDate, week_start: Weekday) -> NaiveDate {
    let past = date.weekday().days_since(week_start);
    date.checked_sub_signed(Duration::days(i64::from(past))).unwrap_or(date)
}

/// A day's week, and how many weeks its year has (ISO 8601, with weeks that begin on `week_start`): week 1 is the first with
/// at least four days in the year.
fn week_number(day: NaiveDate, week_start: Weekday) -> (i64, i64) {
    let middle = |day: NaiveDate| add_days(week_of(day, week_start), 3).unwrap_or(day);
    let number = |middle: NaiveDate| i64::from(middle.ordinal0()) / 7 + 1;
    let own = middle(day);
    // 28 December is always in the last week of its year.
    let last = NaiveDate::from_ymd_opt(own.year(), 12, 28).map_or(own, middle);
    (number(own), number(last))
}

fn month_length(day: NaiveDate) -> u32 {
    match day.month() {
        2 if day.leap_year() => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn year_length(day: NaiveDate) -> u32 {
    if day.leap_year() { 366 } else { 365 }
}
