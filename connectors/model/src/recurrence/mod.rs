//! Recurrence rules (RFC 5545 3.3.10, RFC 8984 4.3.3): what they say, how they are written, and on which dates they fall.
//!
//! A [`Rule`] is the Gregorian rule that both RFCs share. It is read from RRULE text ([`Rule::read`]) and JSON
//! ([`Rule::from_json`]), brought into one form for one meaning ([`Rule::canonical`]), and written as either. A [`Series`] is a
//! start with its rules and its further and left-out dates; [`Series::dates`] tells its dates within a span.
//!
//! Everything here is *local* time of the series: an hour that is skipped or comes twice is the business of
//! [`crate::zone::Rules`], which turns the dates into instants. What is no Gregorian rule (RSCALE, SKIP, leap months) is
//! refused with the part that says so; whoever reads keeps the text.

mod days;
mod json;
mod series;
mod text;

pub(crate) use days::Plan;
pub(crate) use series::LAST_YEAR;
pub use series::{Series, Unexpandable, same_dates};
pub use text::Clock;

use chrono::{DateTime, Datelike, NaiveDateTime, NaiveTime, Timelike, Utc, Weekday};
use std::fmt;

/// How long a rule's period is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Frequency {
    /// Each second.
    Secondly,
    /// Each minute.
    Minutely,
    /// Each hour.
    Hourly,
    /// Each day.
    Daily,
    /// Each week.
    Weekly,
    /// Each month.
    Monthly,
    /// Each year.
    Yearly,
}

impl Frequency {
    const ALL: [(Frequency, &str); 7] = [
        (Frequency::Secondly, "secondly"),
        (Frequency::Minutely, "minutely"),
        (Frequency::Hourly, "hourly"),
        (Frequency::Daily, "daily"),
        (Frequency::Weekly, "weekly"),
        (Frequency::Monthly, "monthly"),
        (Frequency::Yearly, "yearly"),
    ];

    /// The word of RFC 8984; in capitals it is that of RFC 5545.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(frequency, _)| *frequency == self).map_or("", |(_, word)| word)
    }

    /// The frequency of a word in any case.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, word)| word.eq_ignore_ascii_case(name)).map(|(frequency, _)| *frequency)
    }
}

/// The two letters of a weekday (RFC 5545 `weekday`), in small ones.
pub fn weekday_word(day: Weekday) -> &'static str {
    ["mo", "tu", "we", "th", "fr", "sa", "su"][day.num_days_from_monday() as usize]
}

/// The weekday of two letters in any case.
pub fn weekday_of(word: &str) -> Option<Weekday> {
    let all = [Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu, Weekday::Fri, Weekday::Sat, Weekday::Sun];
    all.into_iter().find(|day| weekday_word(*day).eq_ignore_ascii_case(word))
}

/// A weekday, or one certain of a month or a year: the second Monday, the last Friday.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NthDay {
    /// The how-manieth of the period, negative from its end; `None`: each.
    pub nth: Option<i8>,
    /// The weekday, counted from Monday as 0.
    day: u8,
}

impl NthDay {
    /// Each of that weekday.
    pub fn each(day: Weekday) -> Self {
        Self { nth: None, day: day.num_days_from_monday() as u8 }
    }

    /// One certain of that weekday.
    pub fn nth(nth: i8, day: Weekday) -> Self {
        Self { nth: Some(nth), ..Self::each(day) }
    }

    /// The weekday.
    pub fn day(self) -> Weekday {
        // Invariant: `each` is the only place where the number comes from, so that it is a weekday's.
        Weekday::try_from(self.day).unwrap_or(Weekday::Mon)
    }
}

/// Where a rule ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum End {
    /// Never.
    #[default]
    Never,
    /// After that many dates; the start counts as the first.
    After(u32),
    /// With the last date at or before that local time of the series.
    At(NaiveDateTime),
    /// With the last date at or before that instant, of a series whose zone has no rules that anybody knows.
    AtInstant(DateTime<Utc>),
}

/// One recurrence rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The period.
    pub frequency: Frequency,
    /// Each how-manieth period; at least 1.
    pub interval: u32,
    /// Where it ends.
    pub end: End,
    /// The first day of a week.
    pub week_start: Weekday,
    /// Months, 1 to 12.
    pub by_month: Vec<u8>,
    /// Weeks of the year (ISO 8601 with [`Rule::week_start`]), 1 to 53 or -53 to -1.
    pub by_week_no: Vec<i8>,
    /// Days of the year, 1 to 366 or -366 to -1.
    pub by_year_day: Vec<i16>,
    /// Days of the month, 1 to 31 or -31 to -1.
    pub by_month_day: Vec<i8>,
    /// Weekdays.
    pub by_day: Vec<NthDay>,
    /// Hours, 0 to 23.
    pub by_hour: Vec<u8>,
    /// Minutes, 0 to 59.
    pub by_minute: Vec<u8>,
    /// Seconds, 0 to 60.
    pub by_second: Vec<u8>,
    /// Which of the dates of one period, 1 to 366 or -366 to -1.
    pub by_set_pos: Vec<i16>,
}

/// Why something is no rule that can be understood: which part, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleError {
    /// The part, as RFC 5545 names it.
    pub part: String,
    /// What is wrong.
    pub why: &'static str,
}

impl RuleError {
    pub(crate) fn new(part: impl Into<String>, why: &'static str) -> Self {
        Self { part: part.into(), why }
    }
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "recurrence rule, {}: {}", self.part, self.why)
    }
}

impl std::error::Error for RuleError {}

/// The last second of a day: until then, a rule that ends with a day goes on.
pub(crate) const END_OF_DAY: NaiveTime = match NaiveTime::from_hms_opt(23, 59, 59) {
    Some(time) => time,
    None => NaiveTime::MIN,
};

impl Rule {
    /// The rule that only repeats the start in each period.
    pub fn each(frequency: Frequency) -> Self {
        Self {
            frequency,
            interval: 1,
            end: End::Never,
            week_start: Weekday::Mon,
            by_month: Vec::new(),
            by_week_no: Vec::new(),
            by_year_day: Vec::new(),
            by_month_day: Vec::new(),
            by_day: Vec::new(),
            by_hour: Vec::new(),
            by_minute: Vec::new(),
            by_second: Vec::new(),
            by_set_pos: Vec::new(),
        }
    }

    /// Whether all dates of a series with this rule have the start's time of day.
    pub fn keeps_time_of_day(&self) -> bool {
        self.frequency >= Frequency::Daily
            && self.by_hour.is_empty()
            && self.by_minute.is_empty()
            && self.by_second.is_empty()
    }

    /// Whether the first day of the week decides on which dates the rule falls (RFC 5545 3.3.10, WKST).
    pub fn minds_week_start(&self) -> bool {
        match self.frequency {
            Frequency::Weekly => (self.interval > 1 && !self.by_day.is_empty()) || !self.by_set_pos.is_empty(),
            Frequency::Yearly => !self.by_week_no.is_empty(),
            _ => false,
        }
    }

    /// One form for one meaning, for a series that starts at `start`, so that equal rules are equal JSON:
    ///
    /// * lists are sorted and hold nothing twice; a first day of the week that decides nothing is Monday;
    /// * what the start says by itself is left out: `WEEKLY;BYDAY=TU` of a series that starts on a Tuesday is `WEEKLY`;
    /// * `DAILY;BYDAY=MO,TU` is `WEEKLY;BYDAY=MO,TU`, and `BYDAY=TU;BYSETPOS=2` of a month is `BYDAY=2TU`;
    /// * an end at a time is the end of the last day on which the start's time is not after it, so that a series that is
    ///   moved to another hour keeps its last date, and places that end with a date say the same as those with a time.
    ///
    /// Rules of equal dates that differ in more are told apart by [`same_dates`] only.
    #[must_use]
    pub fn canonical(&self, start: NaiveDateTime) -> Self {
        let mut rule = self.sorted();
        let names_days = !(rule.by_month.is_empty()
            && rule.by_week_no.is_empty()
            && rule.by_year_day.is_empty()
            && rule.by_month_day.is_empty()
            && rule.by_day.is_empty());
        // Positions need something that they are positions of.
        if rule.frequency >= Frequency::Daily && (names_days || rule.by_set_pos.is_empty()) {
            drop_if(&mut rule.by_hour, &[start.hour() as u8]);
            drop_if(&mut rule.by_minute, &[start.minute() as u8]);
            drop_if(&mut rule.by_second, &[start.second() as u8]);
        }
        if rule.by_set_pos.is_empty() || rule.name_positions() {
            rule.spread_days();
            rule.drop_implied(start);
        }
        if !rule.minds_week_start() {
            rule.week_start = Weekday::Mon;
        }
        if let (End::At(until), true) = (rule.end, rule.keeps_time_of_day()) {
            let is_reached = until.time() >= start.time();
            let day = if is_reached { Some(until.date()) } else { until.date().pred_opt() };
            rule.end = day.map_or(rule.end, |day| End::At(day.and_time(END_OF_DAY)));
        }
        rule
    }

    /// The rule with its lists in order and nothing in them twice.
    fn sorted(&self) -> Self {
        fn tidy<T: Ord>(list: &mut Vec<T>) {
            list.sort();
            list.dedup();
        }
        let mut rule = self.clone();
        tidy(&mut rule.by_month);
        tidy(&mut rule.by_week_no);
        tidy(&mut rule.by_year_day);
        tidy(&mut rule.by_month_day);
        tidy(&mut rule.by_day);
        tidy(&mut rule.by_hour);
        tidy(&mut rule.by_minute);
        tidy(&mut rule.by_second);
        tidy(&mut rule.by_set_pos);
        rule
    }

    /// `BYDAY=TU;BYSETPOS=2` within a month as `BYDAY=2TU`; whether no position is left.
    fn name_positions(&mut self) -> bool {
        let is_of_month =
            self.frequency == Frequency::Monthly || (self.frequency == Frequency::Yearly && self.by_month.len() == 1);
        let has_only_days = self.by_month_day.is_empty()
            && self.by_year_day.is_empty()
            && self.by_week_no.is_empty()
            && self.keeps_time_of_day();
        let ([day], [position]) = (&self.by_day[..], &self.by_set_pos[..]) else { return false };
        let is_nameable = is_of_month && has_only_days && day.nth.is_none() && (-5..=5).contains(position);
        if is_nameable {
            self.by_day = vec![NthDay::nth(*position as i8, day.day())];
            self.by_set_pos.clear();
        }
        is_nameable
    }

    /// `DAILY;BYDAY=MO,TU` as `WEEKLY;BYDAY=MO,TU`.
    fn spread_days(&mut self) {
        let is_spread = self.frequency == Frequency::Daily
            && self.interval == 1
            && !self.by_day.is_empty()
            && self.by_month_day.is_empty();
        if is_spread {
            self.frequency = Frequency::Weekly;
        }
    }

    /// Drops what follows from the start.
    fn drop_implied(&mut self, start: NaiveDateTime) {
        let (month, day) = ([start.month() as u8], [start.day() as i8]);
        match self.frequency {
            Frequency::Weekly => drop_if(&mut self.by_day, &[NthDay::each(start.weekday())]),
            Frequency::Monthly if self.by_day.is_empty() => drop_if(&mut self.by_month_day, &day),
            Frequency::Yearly
                if self.by_day.is_empty() && self.by_year_day.is_empty() && self.by_week_no.is_empty() =>
            {
                // Without a month, a day of the month means that of each month.
                if !self.by_month.is_empty() {
                    drop_if(&mut self.by_month_day, &day);
                }
                if self.by_month_day.is_empty() {
                    drop_if(&mut self.by_month, &month);
                }
            }
            _ => {}
        }
    }

    /// Whether the parts go together (RFC 5545 3.3.10) and are within their ranges.
    ///
    /// # Errors
    /// [`RuleError`] with the part that does not.
    pub fn check(&self) -> Result<(), RuleError> {
        fn within<T: Copy + Into<i64>>(part: &str, list: &[T], least: i64, most: i64) -> Result<(), RuleError> {
            // A list that counts from the end as well has no 0.
            let is_in = |value: i64| match least < 0 {
                true => value != 0 && (least..=most).contains(&value),
                false => (least..=most).contains(&value),
            };
            match list.iter().all(|value| is_in((*value).into())) {
                true => Ok(()),
                false => Err(RuleError::new(part, "a number out of range")),
            }
        }
        if self.interval == 0 {
            return Err(RuleError::new("INTERVAL", "a number out of range"));
        }
        if self.end == End::After(0) {
            return Err(RuleError::new("COUNT", "a number out of range"));
        }
        within("BYMONTH", &self.by_month, 1, 12)?;
        within("BYWEEKNO", &self.by_week_no, -53, 53)?;
        within("BYYEARDAY", &self.by_year_day, -366, 366)?;
        within("BYMONTHDAY", &self.by_month_day, -31, 31)?;
        within("BYHOUR", &self.by_hour, 0, 23)?;
        within("BYMINUTE", &self.by_minute, 0, 59)?;
        within("BYSECOND", &self.by_second, 0, 60)?;
        within("BYSETPOS", &self.by_set_pos, -366, 366)?;
        let nths: Vec<i8> = self.by_day.iter().filter_map(|day| day.nth).collect();
        within("BYDAY", &nths, -53, 53)?;
        use Frequency::{Daily, Monthly, Weekly, Yearly};
        let is_of = |part: &str, is_used: bool, may: bool| match is_used && !may {
            true => Err(RuleError::new(part, "not with this FREQ")),
            false => Ok(()),
        };
        is_of("BYWEEKNO", !self.by_week_no.is_empty(), self.frequency == Yearly)?;
        is_of("BYYEARDAY", !self.by_year_day.is_empty(), !matches!(self.frequency, Daily | Weekly | Monthly))?;
        is_of("BYMONTHDAY", !self.by_month_day.is_empty(), self.frequency != Weekly)?;
        let may_count = matches!(self.frequency, Monthly) || (self.frequency == Yearly && self.by_week_no.is_empty());
        is_of("BYDAY", !nths.is_empty(), may_count)?;
        let has_set = self.has_lists();
        match self.by_set_pos.is_empty() || has_set {
            true => Ok(()),
            false => Err(RuleError::new("BYSETPOS", "nothing to take a position of")),
        }
    }

    fn has_lists(&self) -> bool {
        !(self.by_month.is_empty()
            && self.by_week_no.is_empty()
            && self.by_year_day.is_empty()
            && self.by_month_day.is_empty()
            && self.by_day.is_empty()
            && self.by_hour.is_empty()
            && self.by_minute.is_empty()
            && self.by_second.is_empty())
    }
}

/// Empties a list that says only what is said anyway.
fn drop_if<T: PartialEq>(list: &mut Vec<T>, said: &[T]) {
    if list == said {
        list.clear();
    }
}
