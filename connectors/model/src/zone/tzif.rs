//! Rules from the files of the time zone database (TZif, RFC 9636).

use super::rules::{Observance, Rules, Yearly};
use crate::recurrence::{Frequency, NthDay, Rule};
use chrono::{NaiveDate, NaiveDateTime, NaiveTime, Weekday};
use std::fmt;
use tz::timezone::{AlternateTime, LocalTimeType, RuleDay, TransitionRule};

/// Why bytes are no zone file that can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TzifError {
    /// No TZif, or a broken one.
    Malformed,
    /// It counts leap seconds, so that its times are not those of UTC.
    LeapSeconds,
    /// The footer has a rule that no yearly rule of the calendar says.
    Footer,
}

impl fmt::Display for TzifError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TzifError::Malformed => "not a readable zone file",
            TzifError::LeapSeconds => "a zone file that counts leap seconds",
            TzifError::Footer => "a zone file whose rule for later years is not understood",
        })
    }
}

impl std::error::Error for TzifError {}

impl Rules {
    /// Reads the bytes of a zone file.
    ///
    /// # Errors
    /// [`TzifError`] for what is none, or cannot be used.
    pub fn from_tzif(bytes: &[u8]) -> Result<Self, TzifError> {
        let zone = tz::TimeZone::from_tz_data(bytes).map_err(|_| TzifError::Malformed)?;
        let zone = zone.as_ref();
        if !zone.leap_seconds().is_empty() {
            return Err(TzifError::LeapSeconds);
        }
        let mut rules = Rules {
            observances: Vec::new(),
            first: 0,
            changes: Vec::new(),
            yearly: Vec::new(),
            yearly_after: i64::MIN,
            is_silent_before: false,
        };
        // A file may name one observance several times; here each has one number.
        let numbers: Vec<usize> = zone.local_time_types().iter().map(|of| rules.index_of(observance(of))).collect();
        let number = |of: usize| numbers.get(of).copied().ok_or(TzifError::Malformed);
        for change in zone.transitions() {
            rules.changes.push((change.unix_leap_time(), number(change.local_time_type_index())?));
        }
        if let Some(TransitionRule::Alternate(alternate)) = zone.extra_rule() {
            rules.yearly_after = rules.changes.last().map_or(i64::MIN, |(at, _)| *at);
            let standard = rules.index_of(observance(alternate.std()));
            let daylight = rules.index_of(observance(alternate.dst()));
            rules.yearly = footer(alternate, standard, daylight).ok_or(TzifError::Footer)?;
            rules.leave_to_yearly();
        }
        Ok(rules)
    }

    fn index_of(&mut self, observance: Observance) -> usize {
        let found = self.observances.iter().position(|known| *known == observance);
        found.unwrap_or_else(|| {
            self.observances.push(observance);
            self.observances.len() - 1
        })
    }

    /// Drops listed changes that the yearly rules say as well, from the last one back. Files list them until 2037.
    fn leave_to_yearly(&mut self) {
        while let Some(last) = self.changes.pop() {
            self.yearly_after = self.changes.last().map_or(i64::MIN, |(at, _)| *at);
            let mut said = self.changes_after(self.yearly_after).take_while(|(at, _)| *at <= last.0);
            let is_said = said.next() == Some(last) && said.next().is_none();
            if !is_said {
                self.yearly_after = last.0;
                self.changes.push(last);
                return;
            }
        }
    }
}

fn observance(of: &LocalTimeType) -> Observance {
    Observance { offset_s: of.ut_offset(), is_daylight: of.is_dst(), name: of.time_zone_designation().to_owned() }
}

/// The two changes of each year after RFC 9636 3.3.
fn footer(alternate: &AlternateTime, standard: usize, daylight: usize) -> Option<Vec<Yearly>> {
    let (standard_s, daylight_s) = (alternate.std().ut_offset(), alternate.dst().ut_offset());
    let (rule, start) = yearly(alternate.dst_start(), alternate.dst_start_time())?;
    let begin = Yearly::new(rule, start, standard_s, daylight)?;
    let (rule, start) = yearly(alternate.dst_end(), alternate.dst_end_time())?;
    let end = Yearly::new(rule, start, daylight_s, standard)?;
    Some(vec![begin, end])
}

/// A day and a time after it, which may be before that day's midnight or days later, as a rule and some date of it.
fn yearly(day: &RuleDay, time_s: i32) -> Option<(Rule, NaiveDateTime)> {
    let (days, time) = (time_s.div_euclid(86_400), time_s.rem_euclid(86_400));
    let time = NaiveTime::from_num_seconds_from_midnight_opt(time.try_into().ok()?, 0)?;
    let mut rule = Rule::each(Frequency::Yearly);
    match day {
        RuleDay::MonthWeekDay(day) => {
            let weekday = Weekday::try_from((i32::from(day.week_day()) - 1 + days).rem_euclid(7) as u8).ok()?;
            let month = u32::from(day.month());
            // The week runs from the first to the seventh day, …, or over the last seven.
            if days == 0 {
                rule.by_month = vec![day.month()];
                let nth = if day.week() == 5 { -1 } else { day.week() as i8 };
                rule.by_day = vec![NthDay::nth(nth, weekday)];
            } else {
                // A year that is not a leap year; nothing may depend on that.
                let next = NaiveDate::from_ymd_opt(2001 + i32::from(month == 12), month % 12 + 1, 1)?;
                let first = match day.week() {
                    5 if month == 2 => return None,
                    5 => next - chrono::Duration::days(7),
                    week => NaiveDate::from_ymd_opt(2001, month, u32::from(week) * 7 - 6)?,
                } + chrono::Duration::days(days.into());
                rule.by_day = vec![NthDay::each(weekday)];
                week_from(first, &mut rule)?;
            }
        }
        RuleDay::Julian1WithoutLeap(day) if days == 0 => {
            let date = NaiveDate::from_yo_opt(2001, day.get().into())?;
            use chrono::Datelike as _;
            rule.by_month = vec![date.month() as u8];
            rule.by_month_day = vec![date.day() as i8];
        }
        RuleDay::Julian0WithLeap(day) if days == 0 => rule.by_year_day = vec![day.get() as i16 + 1],
        RuleDay::Julian1WithoutLeap(_) | RuleDay::Julian0WithLeap(_) => return None,
    }
    Some((rule, NaiveDate::from_ymd_opt(2001, 1, 1)?.and_time(time)))
}

/// The seven days from `first` (in a year that is not a leap year) as days of their month, or of the year where they are in two.
fn week_from(first: NaiveDate, rule: &mut Rule) -> Option<()> {
    use chrono::Datelike as _;
    let last = first + chrono::Duration::days(6);
    let is_clear_of_leap_day = first.month() > 2 || (last.month(), last.day()) <= (2, 28);
    if first.year() != 2001 || last.year() != 2001 || !is_clear_of_leap_day {
        return None;
    }
    if first.month() == last.month() {
        rule.by_month = vec![first.month() as u8];
        rule.by_month_day = (first.day() as i8..=last.day() as i8).collect();
    } else {
        // Counted from the year's end, a day after February has the same number in each year.
        let (first, last) = (first.ordinal() as i16, last.ordinal() as i16);
        let from_end = if first > 59 { 366 } else { 0 };
        rule.by_year_day = (first - from_end..=last - from_end).collect();
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::super::{Span, vtimezone};
    use super::*;

    /// A zone file of version 3 (RFC 9636 3): types as offset, daylight and name; transitions as instant and type.
    fn file(types: &[(i32, bool, &str)], transitions: &[(i64, u8)], leaps: &[(i64, i32)], footer: &str) -> Vec<u8> {
        let names: String = types.iter().map(|(_, _, name)| format!("{name}\0")).collect();
        let header = |counts: [usize; 6]| {
            let counts = counts.iter().flat_map(|count| (*count as u32).to_be_bytes());
            [b"TZif3".to_vec(), vec![0; 15], counts.collect()].concat()
        };
        // The first, shorter part is for readers of version 1.
        let mut bytes = [header([0, 0, 0, 0, 1, 1]), vec![0; 7]].concat();
        bytes.extend(header([0, 0, leaps.len(), transitions.len(), types.len(), names.len()]));
        bytes.extend(transitions.iter().flat_map(|(at, _)| at.to_be_bytes()));
        bytes.extend(transitions.iter().map(|(_, to)| *to));
        let mut at = 0;
        for (offset, is_daylight, name) in types {
            bytes.extend(offset.to_be_bytes());
            bytes.extend([u8::from(*is_daylight), at]);
            at += name.len() as u8 + 1;
        }
        bytes.extend(names.bytes());
        bytes.extend(
            leaps.iter().flat_map(|(at, sum)| [at.to_be_bytes().to_vec(), sum.to_be_bytes().to_vec()].concat()),
        );
        bytes.extend(format!("\n{footer}\n").bytes());
        bytes
    }

    const CENTRAL: [(i32, bool, &str); 2] = [(3600, false, "CET"), (7200, true, "CEST")];

    fn seconds(text: &str) -> i64 {
        text.parse::<chrono::DateTime<chrono::Utc>>().unwrap().timestamp()
    }

    #[test]
    fn changes_that_the_footer_says_are_left_to_it() {
        // 1994 ended its summer in September; in 1995 nothing changed.
        let listed = [
            ("1994-03-27T01:00:00Z", 1),
            ("1994-09-25T01:00:00Z", 0),
            ("1996-03-31T01:00:00Z", 1),
            ("1996-10-27T01:00:00Z", 0),
            ("1997-03-30T01:00:00Z", 1),
            ("1997-10-26T01:00:00Z", 0),
        ];
        let transitions = listed.map(|(at, to)| (seconds(at), to));
        let rules = Rules::from_tzif(&file(&CENTRAL, &transitions, &[], "CET-1CEST,M3.5.0,M10.5.0/3")).unwrap();
        // What is left: the summer of 1994, and the first change after the year for which only the footer has one.
        assert_eq!(rules.changes, [0, 1, 2].map(|n| (transitions[n].0, usize::from(transitions[n].1))));
        let at = |text: &str| rules.offset_at(text.parse().unwrap());
        let summers = [1994, 1995, 1996, 1997, 2050].map(|year| at(&format!("{year}-07-01T00:00:00Z")));
        assert_eq!(summers, [7200, 3600, 7200, 7200, 7200]);
    }

    #[test]
    fn a_listed_zone_is_defined_by_its_rule() {
        let years = (2000..2037).flat_map(|year| {
            let last_sunday = |month: u32, utc_hour: u32| {
                let mut days = (25..=31).filter_map(|day| NaiveDate::from_ymd_opt(year, month, day));
                let day = days.rfind(|day| chrono::Datelike::weekday(day) == Weekday::Sun).unwrap();
                day.and_hms_opt(utc_hour, 0, 0).unwrap().and_utc().timestamp()
            };
            [(last_sunday(3, 1), 1), (last_sunday(10, 1), 0)]
        });
        // Files name a type twice where clocks were once told otherwise.
        let types = [CENTRAL[0], CENTRAL[1], CENTRAL[0], CENTRAL[1]];
        let years = years.map(|(at, to)| (at, if at > 1_000_000_000 { to + 2 } else { to }));
        let rules =
            Rules::from_tzif(&file(&types, &years.collect::<Vec<_>>(), &[], "CET-1CEST,M3.5.0,M10.5.0/3")).unwrap();
        let from = NaiveDate::from_ymd_opt(2026, 1, 5).unwrap().and_hms_opt(9, 0, 0).unwrap();
        let lines = vtimezone::write("Europe/Berlin", &rules, &Span { from, until: None });
        let expected = "BEGIN:VTIMEZONE|TZID:Europe/Berlin\
            |BEGIN:DAYLIGHT|TZOFFSETFROM:+0100|TZOFFSETTO:+0200|TZNAME:CEST|DTSTART:20250330T020000|RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU|END:DAYLIGHT\
            |BEGIN:STANDARD|TZOFFSETFROM:+0200|TZOFFSETTO:+0100|TZNAME:CET|DTSTART:20251026T030000|RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU|END:STANDARD\
            |END:VTIMEZONE";
        assert_eq!(lines.join("|"), expected);
    }

    #[test]
    fn bytes_that_cannot_be_used_say_why() {
        assert_eq!(Rules::from_tzif(b"TZif"), Err(TzifError::Malformed));
        assert_eq!(Rules::from_tzif(b""), Err(TzifError::Malformed));
        let leaps = file(&CENTRAL, &[], &[(78_796_800, 1)], "CET-1");
        assert_eq!(Rules::from_tzif(&leaps), Err(TzifError::LeapSeconds));
        // The last Sunday of February and two days, which is in March in some years.
        let odd = file(&CENTRAL, &[], &[], "CET-1CEST,M2.5.0/50,M10.5.0/3");
        assert_eq!(Rules::from_tzif(&odd), Err(TzifError::Footer));
        let whole = file(&CENTRAL, &[(seconds("1996-03-31T01:00:00Z"), 1)], &[], "CET-1CEST,J60/2,300/3");
        let rules = Rules::from_tzif(&whole).unwrap();
        // Cut right after the footer's first line end, it is a file with an empty footer.
        let footer =
            whole.iter().rposition(|byte| *byte == b'\n').map(|end| end - "CET-1CEST,J60/2,300/3".len()).unwrap();
        for end in (0..whole.len() - 1).filter(|end| *end != footer) {
            assert!(Rules::from_tzif(&whole[..end]).is_err(), "{end}");
        }
        // J60 is March 1st in each year; 300, counted from 0, is October 27th in leap years and the 28th in others.
        let day = |year: i32| NaiveDate::from_ymd_opt(year, 1, 1).unwrap().and_time(NaiveTime::MIN).and_utc();
        for (year, expected) in [
            (2027, ["2027-03-01T01:00:00+00:00", "2027-10-28T01:00:00+00:00"]),
            (2028, ["2028-03-01T01:00:00+00:00", "2028-10-27T01:00:00+00:00"]),
        ] {
            let changes = rules.offset_changes(day(year), day(year + 1)).map(|(at, _)| at.to_rfc3339());
            assert_eq!(changes.collect::<Vec<_>>(), expected);
        }
    }
}
