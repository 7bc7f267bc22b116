//! Offsets and local times, judged by another reading of the same database.

use chrono::{DateTime, Datelike, Duration, NaiveDate, NaiveDateTime, Offset, TimeZone, Utc};
use chrono_tz::Tz;
use twofold_model::zone::{Rules, Span, Zones, vtimezone};
use twofold_zones::SystemZones;

/// Zones with much and little daylight saving, odd offsets, changes of mind, Ramadan, the date line, negative saving.
const ZONES: [&str; 34] = [
    "Europe/Berlin",
    "Europe/London",
    "Europe/Dublin",
    "Europe/Lisbon",
    "Europe/Kyiv",
    "Europe/Moscow",
    "Europe/Istanbul",
    "Europe/Chisinau",
    "America/New_York",
    "America/Los_Angeles",
    "America/Anchorage",
    "America/St_Johns",
    "America/Sao_Paulo",
    "America/Mexico_City",
    "America/Santiago",
    "America/Asuncion",
    "America/Havana",
    "America/Phoenix",
    "America/Caracas",
    "Africa/Cairo",
    "Africa/Casablanca",
    "Africa/Nairobi",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Asia/Tehran",
    "Asia/Jerusalem",
    "Asia/Gaza",
    "Asia/Beirut",
    "Asia/Pyongyang",
    "Australia/Lord_Howe",
    "Australia/Sydney",
    "Pacific/Chatham",
    "Pacific/Apia",
    "Pacific/Honolulu",
];

/// The bundled files are newer than the judge's data: zones whose law has changed between them are judged until then.
fn agreed_until(zone: &str) -> i32 {
    match zone {
        "Europe/Chisinau" => 2021,
        "Africa/Casablanca" | "America/Havana" => 2025,
        _ => 2035,
    }
}

fn offset(zone: Tz, at: DateTime<Utc>) -> i32 {
    zone.offset_from_utc_datetime(&at.naive_utc()).fix().local_minus_utc()
}

fn utc(year: i32) -> DateTime<Utc> {
    Utc.with_ymd_and_hms(year, 1, 1, 0, 0, 0).unwrap()
}

#[test]
fn offsets_are_those_of_chrono_tz_to_the_second() {
    // Nobody knows how new the system's files are, so that they are judged by what is past.
    for (zones, last) in [(SystemZones::in_folder(None), 2035), (SystemZones::new(), 2023)] {
        for name in ZONES {
            let (rules, judge): (_, Tz) = (zones.rules(name).unwrap(), name.parse().unwrap());
            let (mut at, end) = (utc(2015), utc(agreed_until(name).min(last) + 1));
            // A day at a time; where the judge's offset changes, each half hour and the second before.
            while at < end {
                let next = at + Duration::hours(24);
                let halves = if offset(judge, at) == offset(judge, next) { 1 } else { 48 };
                if halves > 1 || at.day() == 1 {
                    let fine = (0..halves).map(|half| at + Duration::minutes(30 * half));
                    for at in fine.flat_map(|at| [at - Duration::seconds(1), at]) {
                        assert_eq!(rules.offset_at(at), offset(judge, at), "{name} at {at}");
                    }
                }
                at = next;
            }
        }
    }
}

/// What RFC 5545 3.3.5 says of a local time, in the judge's words.
fn judged(judge: Tz, time: NaiveDateTime) -> DateTime<Utc> {
    match judge.from_local_datetime(&time) {
        chrono::LocalResult::Single(at) => at.with_timezone(&Utc),
        chrono::LocalResult::Ambiguous(first, _) => first.with_timezone(&Utc),
        chrono::LocalResult::None => {
            let before = judge.from_local_datetime(&(time - Duration::hours(3))).earliest();
            // Samoa left out a whole day.
            let before = before.or_else(|| judge.from_local_datetime(&(time - Duration::days(1))).earliest()).unwrap();
            (time - Duration::seconds(before.offset().fix().local_minus_utc().into())).and_utc()
        }
    }
}

#[test]
fn a_time_that_comes_twice_is_its_first_and_a_skipped_one_is_told_before_the_gap() {
    let zones = SystemZones::in_folder(None);
    for name in ZONES {
        let (rules, judge): (_, Tz) = (zones.rules(name).unwrap(), name.parse().unwrap());
        let (mut day, end) = (
            NaiveDate::from_ymd_opt(2011, 1, 1).unwrap(),
            NaiveDate::from_ymd_opt(agreed_until(name).min(2029), 12, 31).unwrap(),
        );
        while day < end {
            let midnight = day.and_hms_opt(0, 0, 0).unwrap();
            let is_odd = offset(judge, (midnight - Duration::days(1)).and_utc())
                != offset(judge, (midnight + Duration::days(2)).and_utc());
            let step = if is_odd { 15 } else { 1440 };
            let is_looked_at = is_odd || day.day() == 1;
            for minutes in (0..24 * 60).step_by(step).take_while(|_| is_looked_at) {
                let time = midnight + Duration::minutes(minutes as i64);
                assert_eq!(rules.to_utc(time), judged(judge, time), "{name} at {time}");
            }
            day = day.succ_opt().unwrap();
        }
    }
    let berlin = zones.rules("Europe/Berlin").unwrap();
    let at = |text: &str| berlin.to_utc(text.parse().unwrap()).to_rfc3339();
    assert_eq!(at("2026-03-29T02:30:00"), "2026-03-29T01:30:00+00:00");
    assert_eq!(at("2026-10-25T02:30:00"), "2026-10-25T00:30:00+00:00");
}

#[test]
fn the_footer_goes_on_for_ever() {
    let berlin = SystemZones::in_folder(None).rules("Europe/Berlin").unwrap();
    let at = |text: &str| berlin.offset_at(text.parse().unwrap());
    // The last Sundays of March and October 2499 and 9999, found by hand: 29 March, 25 October; 28 March, 31 October.
    assert_eq!((at("2499-03-29T00:59:59Z"), at("2499-03-29T01:00:00Z")), (3600, 7200));
    assert_eq!((at("2499-10-25T00:59:59Z"), at("2499-10-25T01:00:00Z")), (7200, 3600));
    assert_eq!((at("9999-03-28T00:59:59Z"), at("9999-03-28T01:00:00Z")), (3600, 7200));
    assert_eq!((at("9999-10-31T00:59:59Z"), at("9999-10-31T01:00:00Z")), (7200, 3600));
}

/// Each zone as a definition, read back, is the same zone over the span.
#[test]
fn a_definition_that_is_written_reads_as_the_same_zone() {
    let zones = SystemZones::in_folder(None);
    let time = |year: i32| NaiveDate::from_ymd_opt(year, 5, 5).unwrap().and_hms_opt(9, 0, 0).unwrap();
    let spans = [(2026, None), (2026, Some(2026)), (2015, Some(2035)), (1930, None), (1999, Some(2003))];
    let names = zones.names();
    for name in names.iter().step_by(9).map(String::as_str).chain(ZONES) {
        let rules = zones.rules(name).unwrap();
        for (from, until) in spans {
            let span = Span { from: time(from), until: until.map(time) };
            let text = vtimezone::write(name, &rules, &span).join("\r\n");
            let read = vtimezone::parse(&text).unwrap_or_else(|error| panic!("{name}: {error}\n{text}"));
            assert_eq!(read.tzid, name);
            assert!(read.rules.same_over(&rules, &span), "{name} {span:?}\n{text}");
        }
    }
}

#[test]
fn the_day_after_the_last_thursday_may_be_in_another_month() {
    // Egypt's summer ends at the end of the last Thursday of October: 31 October 2024 was one, 30 October 2025 another.
    let zones = SystemZones::in_folder(None);
    let cairo = zones.rules("Africa/Cairo").unwrap();
    let changes = |rules: &Rules, year| {
        let changes = rules.offset_changes(utc(year), utc(year + 1));
        changes.map(|(at, offset)| (at.naive_utc().to_string(), offset / 3600)).collect::<Vec<_>>()
    };
    let said = |pairs: [(&str, i32); 2]| pairs.map(|(at, hours)| (at.to_owned(), hours)).to_vec();
    assert_eq!(changes(&cairo, 2024), said([("2024-04-25 22:00:00", 3), ("2024-10-31 21:00:00", 2)]));
    assert_eq!(changes(&cairo, 2025), said([("2025-04-24 22:00:00", 3), ("2025-10-30 21:00:00", 2)]));
    let from = NaiveDate::from_ymd_opt(2025, 1, 1).unwrap().and_hms_opt(0, 0, 0).unwrap();
    let text = vtimezone::write("Africa/Cairo", &cairo, &Span { from, until: None }).join("\n");
    assert!(text.contains("RRULE:FREQ=YEARLY;BYYEARDAY=-67,-66,-65,-64,-63,-62,-61;BYDAY=FR"), "{text}");
    let read = vtimezone::parse(&text).unwrap();
    for year in 2025..2060 {
        assert_eq!(changes(&read.rules, year), changes(&cairo, year), "{year}");
        assert_eq!(utc(year).year(), year);
    }
}
