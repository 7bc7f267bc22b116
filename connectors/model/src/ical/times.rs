//! Dates and times of properties (RFC 5545 3.3.4, 3.3.5, 3.3.9), and what they mean in the zone of a series.

use super::doc::{Prop, Zones};
use super::zones::World;
use crate::event::{UTC, duration_seconds, local, local_text};
use chrono::{Days, Duration, NaiveDate, NaiveDateTime, NaiveTime};

/// A date or time as a property says it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Stamp {
    /// A day.
    Date(NaiveDate),
    /// A time on the clocks of a zone; of no zone: floating. UTC is a zone too.
    Time(NaiveDateTime, Option<String>),
}

impl Stamp {
    /// The time on the clock; of a day its beginning.
    pub(super) fn time(&self) -> NaiveDateTime {
        match self {
            Stamp::Date(date) => date.and_time(NaiveTime::MIN),
            Stamp::Time(time, _) => *time,
        }
    }
}

/// Reads one date or time; `zone` is what its TZID means. A time that calls itself a date (`VALUE=DATE`) is its day.
pub(super) fn stamp(text: &str, is_date: bool, zone: Option<&str>) -> Option<Stamp> {
    let text = text.trim();
    let (date, time) = match text.split_once(['T', 't']) {
        Some((date, time)) => (date, Some(time)),
        // Google's birthdays have days with a Z.
        None => (text.strip_suffix(['Z', 'z']).unwrap_or(text), None),
    };
    let date = date_of(date)?;
    let Some(time) = time else { return Some(Stamp::Date(date)) };
    let (clock, is_utc) = match time.strip_suffix(['Z', 'z']) {
        Some(clock) => (clock, true),
        None => (time, false),
    };
    let time = date.and_time(clock_of(clock)?);
    if is_date {
        return Some(Stamp::Date(date));
    }
    Some(Stamp::Time(time, if is_utc { Some(UTC.to_owned()) } else { zone.map(str::to_owned) }))
}

fn digits(text: &str, count: usize) -> Option<u32> {
    (text.len() == count && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}

fn date_of(text: &str) -> Option<NaiveDate> {
    digits(text, 8)?;
    let (year, month, day) = (digits(text.get(..4)?, 4)?, digits(text.get(4..6)?, 2)?, digits(text.get(6..)?, 2)?);
    // Year 0 has no form in which every place could say it.
    NaiveDate::from_ymd_opt(i32::try_from(year).ok().filter(|year| *year > 0)?, month, day)
}

fn clock_of(text: &str) -> Option<NaiveTime> {
    let seconds = if text.len() == 4 { 0 } else { digits(text.get(4..)?, 2)? };
    // The leap second is the last one that clocks show.
    NaiveTime::from_hms_opt(
        digits(text.get(..2)?, 2)?,
        digits(text.get(2..4)?, 2)?,
        if seconds == 60 { 59 } else { seconds },
    )
}

/// The stamps of a property, one for each item between commas, by its VALUE and TZID.
pub(super) fn stamps(prop: &Prop, zones: &Zones) -> Vec<(String, Option<Stamp>)> {
    let is_date = prop.token("VALUE").is_some_and(|value| value == "date");
    let zone = prop.parameter("TZID").map(|tzid| zones.zone_of(tzid));
    let items = prop.content.value().split(',').map(str::trim);
    items
        .map(|item| (item.to_owned(), stamp(item.split('/').next().unwrap_or(item), is_date, zone.as_deref())))
        .collect()
}

/// The seconds of a period (`start/end`, `start/duration`); `None` for anything else.
pub(super) fn period_seconds(item: &str) -> Option<i64> {
    let (start, end) = item.split_once('/')?;
    let time = |text: &str| match stamp(text, false, None)? {
        Stamp::Time(time, _) => Some(time),
        Stamp::Date(_) => None,
    };
    match end.trim().starts_with(['P', 'p', '+', '-']) {
        true => duration_seconds(end),
        false => Some((time(end)? - time(start)?).num_seconds()),
    }
}

/// The start of a series, against which its other dates are read.
#[derive(Clone)]
pub(super) struct Frame<'a> {
    pub(super) start: NaiveDateTime,
    pub(super) is_day: bool,
    /// The zone; none when floating or all-day.
    pub(super) zone: Option<String>,
    pub(super) world: &'a World<'a>,
}

impl<'a> Frame<'a> {
    /// The frame that a start gives.
    pub(super) fn of(stamp: &Stamp, world: &'a World<'a>) -> Self {
        match stamp {
            Stamp::Date(date) => Self { start: date.and_time(NaiveTime::MIN), is_day: true, zone: None, world },
            Stamp::Time(time, zone) => Self { start: *time, is_day: false, zone: zone.clone(), world },
        }
    }

    /// The LocalDateTime in the series' zone that a stamp means; with `Z` for an instant in a zone whose rules nobody knows.
    /// `None` where even that cannot be said.
    ///
    /// An all-day series takes the day (of a time in UTC the nearest midnight: writers turn the midnight of their own zone into UTC);
    /// a timed one takes a bare day for the occurrence on that day.
    pub(super) fn key_of(&self, stamp: &Stamp) -> Option<String> {
        let time = match (stamp, self.is_day) {
            (Stamp::Date(date), true) => date.and_time(NaiveTime::MIN),
            (Stamp::Date(date), false) => date.and_time(self.start.time()),
            (Stamp::Time(time, Some(zone)), true) if zone == UTC => nearest_midnight(*time)?,
            (Stamp::Time(time, _), true) => time.date().and_time(NaiveTime::MIN),
            (Stamp::Time(time, zone), false) => match (zone, &self.zone) {
                (Some(from), Some(to)) if from != to => {
                    let utc = self.world.to_utc(from, *time)?;
                    match self.world.to_local(to, utc) {
                        Some(time) => time,
                        None => return Some(format!("{}Z", local_text(utc))),
                    }
                }
                _ => *time,
            },
        };
        Some(local_text(time))
    }

    /// The last moment that an UNTIL allows. A bare day of a timed series is allowed as a whole.
    pub(super) fn until_of(&self, stamp: &Stamp) -> Option<String> {
        match (stamp, self.is_day) {
            (Stamp::Date(date), false) => Some(local_text(date.and_hms_opt(23, 59, 59)?)),
            // The last second of a day in somebody's zone, turned into UTC.
            (Stamp::Time(time, Some(zone)), true) if zone == UTC && time.format("%S").to_string() == "59" => {
                let next = nearest_midnight(time.checked_add_signed(Duration::seconds(1))?)?;
                Some(local_text(next.checked_sub_days(Days::new(1))?))
            }
            _ => self.key_of(stamp),
        }
    }

    /// A key as a value in the form of the series' start, and whether it is a time in UTC instead of one in the series' zone. `None` for
    /// a text that is the key of no occurrence.
    pub(super) fn value_of(&self, key: &str) -> Option<(String, bool)> {
        let (value, is_utc) = self.value_for(key)?;
        let again = stamp(&value, self.is_day, self.zone.as_deref()).and_then(|stamp| self.key_of(&stamp));
        (again.as_deref() == Some(key)).then_some((value, is_utc))
    }

    fn value_for(&self, key: &str) -> Option<(String, bool)> {
        if let Some(utc) = key.strip_suffix('Z') {
            return local(utc).map(|time| (time_value(time) + "Z", true));
        }
        let time = local(key)?;
        match self.is_day {
            true => (time.time() == NaiveTime::MIN).then(|| (date_value(time.date()), false)),
            false if self.zone.as_deref() == Some(UTC) => Some((time_value(time) + "Z", true)),
            false => Some((time_value(time), false)),
        }
    }
}

fn nearest_midnight(time: NaiveDateTime) -> Option<NaiveDateTime> {
    let noon_later = time.checked_add_signed(Duration::hours(12))?;
    Some(noon_later.date().and_time(NaiveTime::MIN))
}

/// A day as DATE.
pub(super) fn date_value(date: NaiveDate) -> String {
    date.format("%Y%m%d").to_string()
}

/// A time as DATE-TIME, without zone.
pub(super) fn time_value(time: NaiveDateTime) -> String {
    time.format("%Y%m%dT%H%M%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::super::zones::{Atlas, World};
    use super::*;
    use crate::zone::{Rules, Zones};
    use std::sync::Arc;

    /// Where no zone file is.
    struct NoZones;

    impl Zones for NoZones {
        fn rules(&self, _name: &str) -> Option<Arc<Rules>> {
            None
        }

        fn names(&self) -> Vec<String> {
            Vec::new()
        }
    }

    fn at(text: &str) -> Stamp {
        stamp(text, false, Some("Europe/Berlin")).unwrap()
    }

    #[test]
    fn stamps_are_read_in_every_form() {
        let date = NaiveDate::from_ymd_opt(2026, 3, 1).unwrap();
        assert_eq!(at("20260301"), Stamp::Date(date));
        assert_eq!(at("20260301T090000Z"), Stamp::Time(date.and_hms_opt(9, 0, 0).unwrap(), Some(UTC.into())));
        assert_eq!(at("20260301t0900"), Stamp::Time(date.and_hms_opt(9, 0, 0).unwrap(), Some("Europe/Berlin".into())));
        assert_eq!(
            at("20260301T235960"),
            Stamp::Time(date.and_hms_opt(23, 59, 59).unwrap(), Some("Europe/Berlin".into()))
        );
        assert_eq!(stamp("20260301T000000", true, None), Some(Stamp::Date(date)));
        for text in [
            "",
            "2026",
            "20261301",
            "00000101",
            "20260301T",
            "20260301T9",
            "20260301T250000",
            "2026030\u{e4}",
            "20260301T\u{e4}\u{e4}00",
        ] {
            assert_eq!(stamp(text, false, None), None, "{text}");
        }
        assert_eq!(period_seconds("20260301T090000Z/PT1H"), Some(3600));
        assert_eq!(period_seconds("20260301T090000Z/20260301T100000Z"), Some(3600));
        assert_eq!(period_seconds("20260301T090000Z"), None);
    }

    #[test]
    fn all_day_series_take_days_from_whatever_stands_there() {
        let atlas = Atlas::new(Arc::new(NoZones));
        let world = World::new(&atlas);
        let frame = Frame::of(&at("20260301"), &world);
        let key = |text: &str| frame.key_of(&at(text)).unwrap();
        assert_eq!(key("20260302"), "2026-03-02T00:00:00");
        assert_eq!(key("20260302T000000"), "2026-03-02T00:00:00");
        assert_eq!(key("20260301T230000Z"), "2026-03-02T00:00:00", "midnight of Berlin");
        assert_eq!(key("20260302T050000Z"), "2026-03-02T00:00:00", "midnight of New York");
        let until = |text: &str| frame.until_of(&at(text)).unwrap();
        assert_eq!(until("20260302"), "2026-03-02T00:00:00");
        for end in ["20260302T235959Z", "20260302T225959Z", "20260303T045959Z"] {
            assert_eq!(until(end), "2026-03-02T00:00:00", "{end}");
        }
        assert_eq!(until("20260301T230000Z"), "2026-03-02T00:00:00");
        assert_eq!(frame.value_of("2026-03-02T00:00:00"), Some(("20260302".into(), false)));
        assert_eq!(frame.value_of("2026-03-02T09:00:00"), None);
    }

    #[test]
    fn timed_series_take_a_bare_day_for_the_occurrence_on_it() {
        let atlas = Atlas::new(Arc::new(NoZones));
        let world = World::new(&atlas);
        let frame = Frame::of(&at("20260301T090000"), &world);
        let key = |text: &str| frame.key_of(&at(text));
        assert_eq!(key("20260302").as_deref(), Some("2026-03-02T09:00:00"));
        assert_eq!(key("20260302T100000").as_deref(), Some("2026-03-02T10:00:00"));
        assert_eq!(
            key("20260302T080000Z").as_deref(),
            Some("2026-03-02T08:00:00Z"),
            "nobody knows the rules of Berlin here"
        );
        assert_eq!(frame.key_of(&stamp("20260302T080000", false, Some("Asia/Tokyo")).unwrap()), None);
        assert_eq!(frame.until_of(&at("20260302")).as_deref(), Some("2026-03-02T23:59:59"));
        assert_eq!(frame.value_of("2026-03-02T08:00:00Z"), Some(("20260302T080000Z".into(), true)));
        let utc = Frame::of(&at("20260301T090000Z"), &world);
        assert_eq!(utc.key_of(&at("20260302T080000Z")).as_deref(), Some("2026-03-02T08:00:00"));
    }
}
