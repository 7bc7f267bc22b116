//! Definitions of zones (VTIMEZONE): what they say, what they do not, and that none takes long.

use chrono::{DateTime, NaiveDateTime, Utc};
use proptest::prelude::*;
use std::time::{Duration, Instant};
use twofold_model::zone::vtimezone::{VtimezoneError, parse, write};
use twofold_model::zone::{Rules, Span};

fn read(parts: &str) -> Result<Rules, VtimezoneError> {
    parse(&format!("BEGIN:VTIMEZONE\nTZID:x\n{parts}END:VTIMEZONE\n")).map(|definition| definition.rules)
}

fn part(kind: &str, lines: &[&str]) -> String {
    format!("BEGIN:{kind}\n{}\nEND:{kind}\n", lines.join("\n"))
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn changes(rules: &Rules, from: i32, until: i32) -> Vec<(String, i32)> {
    let year = |year: i32| at(&format!("{year:04}-01-01T00:00:00Z"));
    rules
        .offset_changes(year(from), year(until))
        .map(|(at, offset)| (at.format("%F %R").to_string(), offset / 60))
        .collect()
}

#[test]
fn a_definition_says_offsets_by_start_lists_and_rules() {
    // RFC 5545 3.6.5: from 1967 to 1973 by a rule with an end, then once early (1974), then for ever.
    let eastern = read(
        &(part(
            "DAYLIGHT",
            &[
                "DTSTART:19670430T020000",
                "RRULE:FREQ=YEARLY;BYMONTH=4;BYDAY=-1SU;UNTIL=19730429T070000Z",
                "TZOFFSETFROM:-0500",
                "TZOFFSETTO:-0400",
            ],
        ) + &part(
            "STANDARD",
            &[
                "DTSTART:19671029T020000",
                "RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU",
                "TZOFFSETFROM:-0400",
                "TZOFFSETTO:-0500",
            ],
        ) + &part(
            "DAYLIGHT",
            &["DTSTART:19740106T020000", "RDATE:19750223T020000", "TZOFFSETFROM:-0500", "TZOFFSETTO:-0400"],
        ) + &part(
            "DAYLIGHT",
            &[
                "DTSTART:19760425T020000",
                "RRULE:FREQ=YEARLY;BYMONTH=4;BYDAY=-1SU",
                "TZOFFSETFROM:-0500",
                "TZOFFSETTO:-0400",
            ],
        )),
    )
    .unwrap();
    let said =
        |pairs: &[(&str, i32)]| pairs.iter().map(|(at, minutes)| ((*at).to_owned(), *minutes)).collect::<Vec<_>>();
    let expected = [
        ("1972-04-30 07:00", -240),
        ("1972-10-29 06:00", -300),
        ("1973-04-29 07:00", -240),
        ("1973-10-28 06:00", -300),
        ("1974-01-06 07:00", -240),
        ("1974-10-27 06:00", -300),
        ("1975-02-23 07:00", -240),
        ("1975-10-26 06:00", -300),
        ("1976-04-25 07:00", -240),
        ("1976-10-31 06:00", -300),
        ("1977-04-24 07:00", -240),
        ("1977-10-30 06:00", -300),
    ];
    assert_eq!(changes(&eastern, 1972, 1978), said(&expected));
    // Before the first change its offset before; and on for ever.
    assert_eq!(eastern.offset_at(at("1950-07-01T00:00:00Z")), -5 * 3600);
    assert_eq!(changes(&eastern, 2400, 2401), said(&[("2400-04-30 07:00", -240), ("2400-10-29 06:00", -300)]));
    assert_eq!(changes(&eastern, 9998, 9999).len(), 2);
}

#[test]
fn odd_spellings_are_read() {
    let bare = part("STANDARD", &["DTSTART:19700101", "TZOFFSETTO:+053015"]);
    assert_eq!(read(&bare).unwrap().offset_at(at("2026-01-01T00:00:00Z")), 5 * 3600 + 30 * 60 + 15);
    let period = part(
        "STANDARD",
        &[
            "dtstart:18930401T000000",
            "rdate;value=period:19200401T000000/19200402T000000",
            "tzoffsetfrom:+0000",
            "tzoffsetto:+0100",
        ],
    );
    assert_eq!(read(&period).unwrap().offset_at(at("2026-01-01T00:00:00Z")), 3600);
    let utc = part("STANDARD", &["DTSTART:20200101T000000Z", "TZOFFSETFROM:+0200", "TZOFFSETTO:+0100"]);
    assert_eq!(changes(&read(&utc).unwrap(), 2019, 2021), [("2020-01-01 00:00".to_owned(), 60)]);
    let name = "BEGIN:VTIMEZONE\nX-LIC-LOCATION:a\nTZID:Pacific Time (US & Canada)\\, Tijuana\nBEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:-0800\nTZOFFSETTO:-0800\nTZID:inner\nEND:STANDARD\nEND:VTIMEZONE\n";
    let definition = parse(name).unwrap();
    assert_eq!(definition.tzid, "Pacific Time (US & Canada), Tijuana");
    let from = NaiveDateTime::parse_from_str("20260101T000000", "%Y%m%dT%H%M%S").unwrap();
    let lines = write(&definition.tzid, &definition.rules, &Span { from, until: None });
    assert_eq!(lines.get(1).map(String::as_str), Some("TZID:Pacific Time (US & Canada)\\, Tijuana"));
}

#[test]
fn what_says_no_rules_says_why() {
    let start = "DTSTART:19700101T000000";
    for (lines, why) in [
        (&[start, "TZOFFSETFROM:+0100"][..], VtimezoneError::Property("TZOFFSETTO")),
        (&[start, "TZOFFSETTO:+2500"], VtimezoneError::Property("TZOFFSETTO")),
        (&[start, "TZOFFSETTO:+1"], VtimezoneError::Property("TZOFFSETTO")),
        (&["TZOFFSETTO:+0100"], VtimezoneError::Property("DTSTART")),
        (&["DTSTART:19701301T000000", "TZOFFSETTO:+0100"], VtimezoneError::Property("DTSTART")),
        (&[start, "TZOFFSETTO:+0100", "RDATE:x"], VtimezoneError::Property("RDATE")),
        (&[start, "TZOFFSETTO:+0100", "EXDATE:19800101T000000"], VtimezoneError::Property("EXDATE")),
        (&[start, "TZOFFSETTO:+0100", "RRULE:FREQ=WEEKLY"], VtimezoneError::Rule),
        (&[start, "TZOFFSETTO:+0100", "RRULE:FREQ=WEEKLY;COUNT=3"], VtimezoneError::Rule),
        (&[start, "TZOFFSETTO:+0100", "RRULE:FREQ=YEARLY;INTERVAL=2"], VtimezoneError::Rule),
        (&[start, "TZOFFSETTO:+0100", "RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29"], VtimezoneError::Rule),
        (&[start, "TZOFFSETTO:+0100", "RRULE:FREQ=YEARLY;BYDAY=MO"], VtimezoneError::Rule),
        (&[start, "TZOFFSETTO:+0100", "RRULE:nonsense"], VtimezoneError::Rule),
    ] {
        assert_eq!(read(&part("STANDARD", lines)).unwrap_err(), why, "{lines:?}");
    }
    assert_eq!(read("").unwrap_err(), VtimezoneError::Empty);
    assert_eq!(parse("BEGIN:VEVENT\nEND:VEVENT\n").unwrap_err(), VtimezoneError::Empty);
    assert_eq!(parse("BEGIN:VTIMEZONE\nEND:VTIMEZONE\n").unwrap_err(), VtimezoneError::Property("TZID"));
}

#[test]
fn a_hostile_definition_is_answered_soon() {
    let offsets = ["TZOFFSETFROM:+0000", "TZOFFSETTO:+0100"];
    let lines = |start: &str, rule: &str| {
        part("STANDARD", &[&format!("DTSTART:{start}"), offsets[0], offsets[1], &format!("RRULE:{rule}")])
    };
    let never = lines("00010101T000000", "FREQ=YEARLY;BYYEARDAY=-366;BYMONTHDAY=31;BYDAY=MO;COUNT=9");
    let long = lines("00010101T000000", "FREQ=YEARLY;BYMONTHDAY=1;UNTIL=99991231T000000Z");
    let crowded = lines("19700101T000000", "FREQ=YEARLY;BYDAY=MO;BYHOUR=0,1,2,3,4,5,6,7,8,9;BYMINUTE=1,2,3;COUNT=9");
    let ancient = lines("00010101T000000", "FREQ=YEARLY") + &lines("99991231T000000", "FREQ=YEARLY");
    let begun = Instant::now();
    for hostile in [never.repeat(400), long.repeat(400), crowded.repeat(400), ancient.repeat(200), long.repeat(401)] {
        assert!(read(&hostile).is_ok() || read(&hostile) == Err(VtimezoneError::TooMuch));
    }
    let many = format!("BEGIN:VTIMEZONE\nTZID:x\n{}END:VTIMEZONE\n", "BEGIN:STANDARD\nEND:STANDARD\n".repeat(60_000));
    assert_eq!(parse(&many), Err(VtimezoneError::TooMuch));
    // Generous: it is a question of seconds or of hours.
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is read has an offset at every time, and goes there and back.
    #[test]
    fn times_go_to_instants_and_back(
        offsets in (-14_i32..=14, 0_i32..60, -14_i32..=14),
        months in (1_u32..=12, 1_u32..=12),
        rules in (-5_i32..=5, 0_usize..7, 1_u32..=28),
        time in 0_i64..=253_000_000_000,
    ) {
        let sign = |hours: i32, minutes: i32| format!("{}{:02}{minutes:02}", if hours < 0 { '-' } else { '+' }, hours.abs());
        let (standard, summer) = (sign(offsets.0, offsets.1), sign(offsets.2, 0));
        let day = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"][rules.1];
        let nth = if rules.0 == 0 || rules.0.abs() == 5 { -1 } else { rules.0 };
        let spring = format!("RRULE:FREQ=YEARLY;BYMONTH={};BYDAY={nth}{day}", months.0);
        let autumn = format!("RRULE:FREQ=YEARLY;BYMONTH={};BYMONTHDAY={}", months.1, rules.2);
        let text = part("DAYLIGHT", &["DTSTART:19700101T020000", &spring, &format!("TZOFFSETFROM:{standard}"), &format!("TZOFFSETTO:{summer}")])
            + &part("STANDARD", &["DTSTART:19700101T030000", &autumn, &format!("TZOFFSETFROM:{summer}"), &format!("TZOFFSETTO:{standard}")]);
        let rules = read(&text).unwrap();
        let instant = DateTime::from_timestamp(time, 0).unwrap();
        let local = rules.to_local(instant);
        // The first of the instants that show a time, and never a later one.
        let first = rules.to_utc(local);
        prop_assert!(first <= instant);
        prop_assert_eq!(rules.to_local(first), local);
        let span = Span { from: local, until: None };
        let again = parse(&write("x", &rules, &span).join("\n")).unwrap().rules;
        prop_assert!(again.same_over(&rules, &span));
        prop_assert!(!again.contradict(&rules, &span));
    }
}
