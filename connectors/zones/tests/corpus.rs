//! Zones of real calendars of many programs, versions and faults.

use chrono::{NaiveDate, NaiveDateTime};
use std::path::PathBuf;
use twofold_model::contentline::File;
use twofold_model::zone::{Resolved, Span, resolve, vtimezone};
use twofold_zones::SystemZones;

/// The calendars of the corpus; none where this checkout has none (it is said aloud, and CI insists on it).
fn corpus() -> Vec<(String, Vec<u8>)> {
    let shared = std::env::var_os("TWOFOLD_SHARED")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared")), PathBuf::from);
    let Ok(entries) = std::fs::read_dir(shared.join("corpus/ics")) else {
        assert!(std::env::var_os("TWOFOLD_REQUIRE_SHARED").is_none(), "the corpus is required, but absent");
        println!("left out: no corpus (set TWOFOLD_SHARED)");
        return Vec::new();
    };
    let mut files: Vec<(String, Vec<u8>)> = entries
        .flatten()
        .map(|entry| (entry.file_name().to_string_lossy().into_owned(), std::fs::read(entry.path()).unwrap()))
        .collect();
    files.sort();
    files
}

/// Each definition of the corpus: its file, and what was read.
fn definitions() -> Vec<(String, Result<vtimezone::Definition, vtimezone::VtimezoneError>)> {
    let mut found = Vec::new();
    for (name, bytes) in corpus() {
        let Ok(file) = File::parse(bytes) else { continue };
        let own = file.components().iter().enumerate().filter(|(_, component)| component.name == "VTIMEZONE");
        found.extend(own.map(|(at, _)| (name.clone(), vtimezone::read(&file, at))));
    }
    found
}

/// Definitions that say no rules, and what is said of them. Each is broken on purpose, by a fuzzer or by its age.
const BROKEN: [(&str, &str); 9] = [
    ("ical.js__recur_instances.ics", "TZID is missing or not readable"),
    ("libical__1.ics", "DTSTART is missing or not readable"),
    ("libical__caltime.ics", "RDATE is missing or not readable"),
    ("libical__caltime.ics", "neither STANDARD nor DAYLIGHT"),
    ("libical__crash.ics", "DTSTART is missing or not readable"),
    ("libical__crash.ics", "RDATE is missing or not readable"),
    ("libical__crash.ics", "a rule that is not understood"),
    ("libical__issue252.ics", "TZID is missing or not readable"),
    ("libical__zday.ics", "a rule that is not understood"),
];

#[test]
fn each_definition_is_read_or_says_why_not() {
    let found = definitions();
    if found.is_empty() {
        return;
    }
    let mut broken: Vec<(String, String)> =
        found.iter().filter_map(|(name, read)| Some((name.clone(), read.as_ref().err()?.to_string()))).collect();
    broken.sort();
    let expected = BROKEN.map(|(name, why)| (name.to_owned(), format!("VTIMEZONE: {why}")));
    assert_eq!(broken, expected);
    assert!(found.len() > 100, "{} definitions", found.len());
}

#[test]
fn each_definition_comes_back_from_our_own_writing() {
    for (name, definition) in definitions() {
        let Ok(definition) = definition else { continue };
        for (year, until) in [(1995, None), (2026, None), (1990, Some(2020))] {
            let span = Span { from: first_of(year), until: until.map(first_of) };
            let text = vtimezone::write(&definition.tzid, &definition.rules, &span).join("\r\n");
            let again = vtimezone::parse(&text).unwrap_or_else(|error| panic!("{name}: {error}\n{text}"));
            assert_eq!(again.tzid, definition.tzid, "{name}");
            assert!(again.rules.same_over(&definition.rules, &span), "{name} {span:?}\n{text}");
        }
    }
}

fn first_of(year: i32) -> NaiveDateTime {
    NaiveDate::from_ymd_opt(year, 1, 5).unwrap().and_hms_opt(9, 0, 0).unwrap()
}

/// What the definitions of the corpus mean for a series without end from 2026 on. `-`: rules of their own.
const MEANT: [(&str, &str, &str); 22] = [
    ("caldavtester__23.ics", "America/New_York", "America/New_York"),
    // Rules from before 2007, which the name of a place outlives.
    ("caldavtester__2.ics", "US/Eastern", "America/New_York"),
    ("ical.js__Denver.ics", "America/Denver", "America/Denver"),
    ("ical.net__Language1.ics", "Europe/Madrid", "Europe/Madrid"),
    ("ical.net__TimeZone3.ics", "/mozilla.org/20070129_1/Europe/Berlin", "Europe/Berlin"),
    // Perth tried summer time until 2009.
    ("ical.net__XProperty2.ics", "W. Australia Standard Time", "-"),
    ("ical4j__evolution2.ics", "Arabian Standard Time", "Asia/Dubai"),
    ("ical4j__japan_west.ics", "Japan", "Asia/Tokyo"),
    ("node-ical__exchange-custom-tz.ics", "(UTC+07:00) Bangkok, Hanoi, Jakarta", "Asia/Bangkok"),
    ("node-ical__google-calendar-kiev-tz.ics", "Europe/Kiev", "Europe/Kyiv"),
    // Spring comes an hour late.
    ("node-ical__sabredav-school-holidays.ics", "Europe/Berlin", "Europe/Berlin"),
    ("node-ical__test_with_int_tzid.ics", "1", "Europe/Berlin"),
    ("node-ical__vtimezone-year-0001-dtstart.ics", "W. Europe Standard Time", "Europe/Berlin"),
    ("py-ical__apple_ical.ics", "America/Los_Angeles", "America/Los_Angeles"),
    ("py-ical__datetime_vtimezone.ics", "America/Example", "America/Los_Angeles"),
    ("py-ical__office_356_custom_timezone.ics", "Central European Standard Time", "Europe/Warsaw"),
    // Winter begins on the fourth Sunday of October.
    ("py-ical__office_356_custom_timezone.ics", "Customized Time Zone", "-"),
    ("py-ical__office_360_nz_tz.ics", "New Zealand Standard Time", "Pacific/Auckland"),
    // The changes of the night come an hour early, and the name is German.
    ("radicale__event_issue2172.ics", "Mitteleurop\u{e4}ische Zeit", "-"),
    ("sync-engine__icloud_cancelled1.ics", "Europe/Paris", "Europe/Paris"),
    ("synctools__dst-only-vtimezone.ics", "Europe/Berlin", "Europe/Berlin"),
    ("synctools__vienna-evolution.ics", "/freeassociation.sourceforge.net/Tzfile/Europe/Vienna", "Europe/Vienna"),
];

#[test]
fn what_the_definitions_mean() {
    let found = definitions();
    let zones = SystemZones::in_folder(None);
    let span = Span { from: first_of(2026), until: None };
    for (file, tzid, meant) in MEANT.iter().filter(|_| !found.is_empty()) {
        let of_file = found.iter().filter(|(name, _)| name == file);
        let definition = of_file.filter_map(|(_, read)| read.as_ref().ok()).find(|read| read.tzid == *tzid);
        let definition = definition.unwrap_or_else(|| panic!("{file} has no {tzid}"));
        let resolved = resolve(&zones, tzid, Some(&definition.rules), &span);
        let said = if let Resolved::Iana(name) = &resolved { name.as_str() } else { "-" };
        assert_eq!(said, *meant, "{file} {tzid}");
    }
}
