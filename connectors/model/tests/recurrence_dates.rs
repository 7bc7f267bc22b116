//! On which dates a series falls: the examples of RFC 5545 3.8.5.3, and what went wrong elsewhere.

use chrono::{DateTime, Datelike, Duration, NaiveDateTime, Utc, Weekday};
use serde_json::json;
use std::collections::BTreeSet;
use twofold_model::Content;
use twofold_model::recurrence::{Clock, Rule, Series, Unexpandable, same_dates};
use twofold_model::zone::{Rules, vtimezone};

fn time(text: &str) -> NaiveDateTime {
    let format = if text.contains('-') { "%Y-%m-%dT%H:%M:%S" } else { "%Y%m%dT%H%M%S" };
    NaiveDateTime::parse_from_str(text, format).unwrap()
}

fn new_york() -> Rules {
    let text = "BEGIN:VTIMEZONE\nTZID:x\n\
        BEGIN:DAYLIGHT\nDTSTART:19870405T020000\nTZOFFSETFROM:-0500\nTZOFFSETTO:-0400\n\
        RRULE:FREQ=YEARLY;BYMONTH=4;BYDAY=1SU;UNTIL=20060402T070000Z\nEND:DAYLIGHT\n\
        BEGIN:STANDARD\nDTSTART:19871025T020000\nTZOFFSETFROM:-0400\nTZOFFSETTO:-0500\n\
        RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU;UNTIL=20061029T060000Z\nEND:STANDARD\n\
        BEGIN:DAYLIGHT\nDTSTART:20070311T020000\nTZOFFSETFROM:-0500\nTZOFFSETTO:-0400\n\
        RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=2SU\nEND:DAYLIGHT\n\
        BEGIN:STANDARD\nDTSTART:20071104T020000\nTZOFFSETFROM:-0400\nTZOFFSETTO:-0500\n\
        RRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=1SU\nEND:STANDARD\nEND:VTIMEZONE\n";
    vtimezone::parse(text).unwrap().rules
}

fn berlin() -> Rules {
    let text = "BEGIN:VTIMEZONE\nTZID:x\n\
        BEGIN:DAYLIGHT\nDTSTART:19960331T020000\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0200\n\
        RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU\nEND:DAYLIGHT\n\
        BEGIN:STANDARD\nDTSTART:19961027T030000\nTZOFFSETFROM:+0200\nTZOFFSETTO:+0100\n\
        RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU\nEND:STANDARD\nEND:VTIMEZONE\n";
    vtimezone::parse(text).unwrap().rules
}

fn series(start: &str, rules: &[&str], clock: Clock<'_>) -> Series {
    Series {
        start: time(start),
        rules: rules.iter().map(|text| Rule::read(text, clock).unwrap()).collect(),
        excluded: Vec::new(),
        added: BTreeSet::new(),
        removed: BTreeSet::new(),
    }
}

/// The first dates of a series in the zone of New York, as `1997: 9/2 9/3 …, 1998: …`.
fn told(start: &str, rule: &str, limit: usize) -> String {
    let new_york = new_york();
    let series = series(start, &[rule], Clock::Zoned(&new_york));
    let dates = series.dates(series.start, time("99990101T000000"), limit).unwrap();
    let (mut text, mut year) = (String::new(), 0);
    for date in dates {
        if date.year() != year {
            year = date.year();
            text += &format!("{}{year}:", if text.is_empty() { "" } else { ", " });
        }
        text += &format!(" {}/{}", date.month(), date.day());
        assert_eq!(date.time(), series.start.time());
    }
    text
}

#[test]
fn the_examples_of_rfc_5545() {
    for (start, rule, limit, dates) in [
        ("19970902T090000", "FREQ=DAILY;COUNT=10", 99, "1997: 9/2 9/3 9/4 9/5 9/6 9/7 9/8 9/9 9/10 9/11"),
        ("19970902T090000", "FREQ=DAILY;INTERVAL=2", 5, "1997: 9/2 9/4 9/6 9/8 9/10"),
        ("19970902T090000", "FREQ=DAILY;INTERVAL=10;COUNT=5", 99, "1997: 9/2 9/12 9/22 10/2 10/12"),
        ("19970902T090000", "FREQ=WEEKLY;COUNT=10", 99, "1997: 9/2 9/9 9/16 9/23 9/30 10/7 10/14 10/21 10/28 11/4"),
        (
            "19970902T090000",
            "FREQ=WEEKLY;INTERVAL=2;WKST=SU",
            11,
            "1997: 9/2 9/16 9/30 10/14 10/28 11/11 11/25 12/9 12/23, 1998: 1/6 1/20",
        ),
        (
            "19970902T090000",
            "FREQ=WEEKLY;UNTIL=19971007T000000Z;WKST=SU;BYDAY=TU,TH",
            99,
            "1997: 9/2 9/4 9/9 9/11 9/16 9/18 9/23 9/25 9/30 10/2",
        ),
        (
            "19970902T090000",
            "FREQ=WEEKLY;COUNT=10;WKST=SU;BYDAY=TU,TH",
            99,
            "1997: 9/2 9/4 9/9 9/11 9/16 9/18 9/23 9/25 9/30 10/2",
        ),
        (
            "19970901T090000",
            "FREQ=WEEKLY;INTERVAL=2;UNTIL=19971224T000000Z;WKST=SU;BYDAY=MO,WE,FR",
            99,
            "1997: 9/1 9/3 9/5 9/15 9/17 9/19 9/29 10/1 10/3 10/13 10/15 10/17 10/27 10/29 10/31 11/10 11/12 11/14 11/24 11/26 11/28 12/8 12/10 12/12 12/22",
        ),
        (
            "19970902T090000",
            "FREQ=WEEKLY;INTERVAL=2;COUNT=8;WKST=SU;BYDAY=TU,TH",
            99,
            "1997: 9/2 9/4 9/16 9/18 9/30 10/2 10/14 10/16",
        ),
        (
            "19970905T090000",
            "FREQ=MONTHLY;COUNT=10;BYDAY=1FR",
            99,
            "1997: 9/5 10/3 11/7 12/5, 1998: 1/2 2/6 3/6 4/3 5/1 6/5",
        ),
        ("19970905T090000", "FREQ=MONTHLY;UNTIL=19971224T000000Z;BYDAY=1FR", 99, "1997: 9/5 10/3 11/7 12/5"),
        (
            "19970907T090000",
            "FREQ=MONTHLY;INTERVAL=2;COUNT=10;BYDAY=1SU,-1SU",
            99,
            "1997: 9/7 9/28 11/2 11/30, 1998: 1/4 1/25 3/1 3/29 5/3 5/31",
        ),
        ("19970922T090000", "FREQ=MONTHLY;COUNT=6;BYDAY=-2MO", 99, "1997: 9/22 10/20 11/17 12/22, 1998: 1/19 2/16"),
        ("19970928T090000", "FREQ=MONTHLY;BYMONTHDAY=-3", 6, "1997: 9/28 10/29 11/28 12/29, 1998: 1/29 2/26"),
        (
            "19970902T090000",
            "FREQ=MONTHLY;COUNT=10;BYMONTHDAY=2,15",
            99,
            "1997: 9/2 9/15 10/2 10/15 11/2 11/15 12/2 12/15, 1998: 1/2 1/15",
        ),
        (
            "19970930T090000",
            "FREQ=MONTHLY;COUNT=10;BYMONTHDAY=1,-1",
            99,
            "1997: 9/30 10/1 10/31 11/1 11/30 12/1 12/31, 1998: 1/1 1/31 2/1",
        ),
        (
            "19970910T090000",
            "FREQ=MONTHLY;INTERVAL=18;COUNT=10;BYMONTHDAY=10,11,12,13,14,15",
            99,
            "1997: 9/10 9/11 9/12 9/13 9/14 9/15, 1999: 3/10 3/11 3/12 3/13",
        ),
        (
            "19970902T090000",
            "FREQ=MONTHLY;INTERVAL=2;BYDAY=TU",
            18,
            "1997: 9/2 9/9 9/16 9/23 9/30 11/4 11/11 11/18 11/25, 1998: 1/6 1/13 1/20 1/27 3/3 3/10 3/17 3/24 3/31",
        ),
        (
            "19970610T090000",
            "FREQ=YEARLY;COUNT=10;BYMONTH=6,7",
            99,
            "1997: 6/10 7/10, 1998: 6/10 7/10, 1999: 6/10 7/10, 2000: 6/10 7/10, 2001: 6/10 7/10",
        ),
        (
            "19970310T090000",
            "FREQ=YEARLY;INTERVAL=2;COUNT=10;BYMONTH=1,2,3",
            99,
            "1997: 3/10, 1999: 1/10 2/10 3/10, 2001: 1/10 2/10 3/10, 2003: 1/10 2/10 3/10",
        ),
        (
            "19970101T090000",
            "FREQ=YEARLY;INTERVAL=3;COUNT=10;BYYEARDAY=1,100,200",
            99,
            "1997: 1/1 4/10 7/19, 2000: 1/1 4/9 7/18, 2003: 1/1 4/10 7/19, 2006: 1/1",
        ),
        ("19970519T090000", "FREQ=YEARLY;BYDAY=20MO", 3, "1997: 5/19, 1998: 5/18, 1999: 5/17"),
        ("19970512T090000", "FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO", 3, "1997: 5/12, 1998: 5/11, 1999: 5/17"),
        (
            "19970313T090000",
            "FREQ=YEARLY;BYMONTH=3;BYDAY=TH",
            11,
            "1997: 3/13 3/20 3/27, 1998: 3/5 3/12 3/19 3/26, 1999: 3/4 3/11 3/18 3/25",
        ),
        (
            "19970605T090000",
            "FREQ=YEARLY;BYDAY=TH;BYMONTH=6,7,8",
            13,
            "1997: 6/5 6/12 6/19 6/26 7/3 7/10 7/17 7/24 7/31 8/7 8/14 8/21 8/28",
        ),
        (
            "19970913T090000",
            "FREQ=MONTHLY;BYDAY=SA;BYMONTHDAY=7,8,9,10,11,12,13",
            10,
            "1997: 9/13 10/11 11/8 12/13, 1998: 1/10 2/7 3/7 4/11 5/9 6/13",
        ),
        (
            "19961105T090000",
            "FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8",
            3,
            "1996: 11/5, 2000: 11/7, 2004: 11/2",
        ),
        ("19970904T090000", "FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3", 99, "1997: 9/4 10/7 11/6"),
        (
            "19970929T090000",
            "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2",
            7,
            "1997: 9/29 10/30 11/27 12/30, 1998: 1/29 2/26 3/30",
        ),
        ("20070115T090000", "FREQ=MONTHLY;BYMONTHDAY=15,30;COUNT=5", 99, "2007: 1/15 1/30 2/15 3/15 3/30"),
    ] {
        assert_eq!(told(start, rule, limit), dates, "{rule}");
    }
    // Every day of January, said in two ways: 31 days in each of three years.
    for rule in [
        "FREQ=YEARLY;UNTIL=20000131T140000Z;BYMONTH=1;BYDAY=SU,MO,TU,WE,TH,FR,SA",
        "FREQ=DAILY;UNTIL=20000131T140000Z;BYMONTH=1",
    ] {
        let said = told("19980101T090000", rule, 999);
        assert_eq!(said.matches(" 1/").count(), 93, "{said}");
        assert!(said.ends_with(" 1/31"), "{said}");
    }
    // From September 2nd to December 23rd.
    assert_eq!(told("19970902T090000", "FREQ=DAILY;UNTIL=19971224T000000Z", 999).matches('/').count(), 113);
}

#[test]
fn times_of_day_that_repeat() {
    let told = |start: &str, rule: &str, until: &str| {
        let series = series(start, &[rule], Clock::Floating);
        let dates = series.dates(series.start, time(until), 999).unwrap();
        dates.into_iter().map(|date| date.format("%d %H:%M").to_string()).collect::<Vec<_>>().join(", ")
    };
    let until = "19970903T000000";
    assert_eq!(
        told("19970902T090000", "FREQ=HOURLY;INTERVAL=3", until),
        "02 09:00, 02 12:00, 02 15:00, 02 18:00, 02 21:00, 03 00:00"
    );
    assert_eq!(
        told("19970902T090000", "FREQ=MINUTELY;INTERVAL=15;COUNT=6", until),
        "02 09:00, 02 09:15, 02 09:30, 02 09:45, 02 10:00, 02 10:15"
    );
    assert_eq!(
        told("19970902T090000", "FREQ=MINUTELY;INTERVAL=90;COUNT=4", until),
        "02 09:00, 02 10:30, 02 12:00, 02 13:30"
    );
    let by_day =
        told("19970902T090000", "FREQ=DAILY;BYHOUR=9,10,11,12,13,14,15,16;BYMINUTE=0,20,40", "19970905T000000");
    assert_eq!(
        by_day,
        told("19970902T090000", "FREQ=MINUTELY;INTERVAL=20;BYHOUR=9,10,11,12,13,14,15,16", "19970905T000000")
    );
    assert_eq!(by_day.split(", ").count(), 3 * 8 * 3);
    // An hour that is looked at begins before the start's own minute.
    assert_eq!(
        told("19970902T093000", "FREQ=HOURLY;BYMINUTE=0,45", "19970902T111000"),
        "02 09:30, 02 09:45, 02 10:00, 02 10:45, 02 11:00"
    );
}

#[test]
fn biweekly_sunday_wkst() {
    // RFC 5545: the first day of the week decides.
    let rule = |wkst: &str| format!("FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST={wkst}");
    assert_eq!(told("19970805T090000", &rule("MO"), 9), "1997: 8/5 8/10 8/19 8/24");
    assert_eq!(told("19970805T090000", &rule("SU"), 9), "1997: 8/5 8/17 8/19 8/31");
}

#[test]
fn second_monday() {
    let rule = Rule::read("FREQ=MONTHLY;BYDAY=2MO", Clock::Floating).unwrap();
    assert_eq!(rule.to_json(), json!({"frequency": "monthly", "byDay": [{"day": "mo", "nthOfPeriod": 2}]}));
    assert_eq!(told("20260112T090000", "FREQ=MONTHLY;BYDAY=2MO", 6), "2026: 1/12 2/9 3/9 4/13 5/11 6/8");
}

#[test]
fn monthly_31_ten_years() {
    let months_with_31_days = series("20260131T090000", &["FREQ=MONTHLY;BYMONTHDAY=31"], Clock::Floating);
    let last_days = series("20260131T090000", &["FREQ=MONTHLY;BYMONTHDAY=28,29,30,31;BYSETPOS=-1"], Clock::Floating);
    let also_last_days = series("20260131T090000", &["FREQ=MONTHLY;BYMONTHDAY=-1"], Clock::Floating);
    let count = |series: &Series| series.dates(series.start, time("20360130T000000"), 999).unwrap().len();
    assert_eq!((count(&months_with_31_days), count(&last_days)), (70, 120));
    assert_eq!(same_dates(&last_days, &also_last_days, 10), Ok(true));
    assert_eq!(same_dates(&last_days, &months_with_31_days, 10), Ok(false));
    // February 29 comes in leap years only.
    assert_eq!(told("20240229T090000", "FREQ=YEARLY", 4), "2024: 2/29, 2028: 2/29, 2032: 2/29, 2036: 2/29");
}

#[test]
fn until_last_evening() {
    let new_york = new_york();
    let clock = Clock::Zoned(&new_york);
    // 20:00 in New York on November 10 is 01:00 of the next day in UTC.
    let text = "FREQ=DAILY;UNTIL=20261111T010000Z";
    let evenings = series("20261101T200000", &[text], clock);
    let dates = evenings.dates(evenings.start, time("20270101T000000"), 99).unwrap();
    assert_eq!((dates.len(), dates.last()), (10, Some(&time("20261110T200000"))));
    let canonical = evenings.rules[0].canonical(evenings.start);
    assert_eq!(canonical.to_json(), json!({"frequency": "daily", "until": "2026-11-10T23:59:59"}));
    assert_eq!(canonical.write(evenings.start, clock), text);
    // A second earlier, and the last evening does not belong to it.
    let before = series("20261101T200000", &["FREQ=DAILY;UNTIL=20261111T005959Z"], clock);
    assert_eq!(before.dates(before.start, time("20270101T000000"), 99).unwrap().len(), 9);
    assert_eq!(before.rules[0].canonical(before.start).to_json()["until"], "2026-11-09T23:59:59");
    // East of Greenwich the same: 00:30 in Berlin on November 11 is 23:30 of the day before.
    let berlin = berlin();
    let nights = series("20261101T003000", &["FREQ=DAILY;UNTIL=20261110T233000Z"], Clock::Zoned(&berlin));
    assert_eq!(nights.dates(nights.start, time("20270101T000000"), 99).unwrap().last(), Some(&time("20261111T003000")));
}

#[test]
fn weekly_over_dst_both_ways() {
    let berlin = berlin();
    let weekly = series("20260323T090000", &["FREQ=WEEKLY"], Clock::Zoned(&berlin));
    let utc = |from: &str, until: &str| {
        let dates = weekly.dates(time(from), time(until), 99).unwrap();
        dates.into_iter().map(|date| berlin.to_utc(date).format("%m-%d %H:%M").to_string()).collect::<Vec<_>>()
    };
    assert_eq!(utc("20260320T000000", "20260410T000000"), ["03-23 08:00", "03-30 07:00", "04-06 07:00"]);
    assert_eq!(utc("20261015T000000", "20261103T000000"), ["10-19 07:00", "10-26 08:00", "11-02 08:00"]);
    // At half past two: skipped in March (RFC 5545 3.3.5: told before the gap), twice in October (the first).
    let nights = series("20260328T023000", &["FREQ=DAILY"], Clock::Zoned(&berlin));
    let at = |day: &str| {
        let day = time(day);
        let dates = nights.dates(day, day + Duration::hours(23), 9).unwrap();
        dates.into_iter().map(|date| berlin.to_utc(date)).collect::<Vec<DateTime<Utc>>>()
    };
    assert_eq!(at("20260329T000000"), ["2026-03-29T01:30:00Z".parse::<DateTime<Utc>>().unwrap()]);
    assert_eq!(at("20261025T000000"), ["2026-10-25T00:30:00Z".parse::<DateTime<Utc>>().unwrap()]);
}

#[test]
fn exdate_22h_honolulu() {
    let honolulu = Rules::fixed(-10 * 3600);
    let event = Content::from_value(json!({
        "start": "2026-03-02T22:00:00",
        "timeZone": "Pacific/Honolulu",
        "recurrenceRules": [{"frequency": "daily", "count": 4}],
        "recurrenceOverrides": {"2026-03-03T22:00:00": {"excluded": true}, "2026-03-04T22:00:00": {"title": "moved"}},
    }));
    let series = Series::of(&event).unwrap().unwrap();
    let dates = series.dates(series.start, time("20270101T000000"), 99).unwrap();
    // The evening of the 3rd, which is the morning of the 4th in UTC, and no other.
    let utc: Vec<String> = dates.into_iter().map(|date| honolulu.to_utc(date).format("%d %H:%M").to_string()).collect();
    assert_eq!(utc, ["03 08:00", "05 08:00", "06 08:00"]);
}

#[test]
fn the_start_is_the_first_date_and_counts_whatever_the_rule_says() {
    // March 3rd, 2026 is a Tuesday.
    assert_eq!(told("20260303T090000", "FREQ=WEEKLY;COUNT=3;BYDAY=FR", 9), "2026: 3/3 3/6 3/13");
    let mut fridays = series("20260303T090000", &["FREQ=WEEKLY;BYDAY=FR"], Clock::Floating);
    fridays.excluded.push(Rule::read("FREQ=MONTHLY;BYDAY=1FR", Clock::Floating).unwrap());
    fridays.added.insert(time("20260304T110000"));
    fridays.removed.insert(time("20260303T090000"));
    let dates = fridays.dates(time("20260301T000000"), time("20260401T000000"), 99).unwrap();
    assert_eq!(dates, ["20260304T110000", "20260313T090000", "20260320T090000", "20260327T090000"].map(time));
    assert_eq!(fridays.span().until, None);
    // A rule that leaves out falls on the start where it says so, and only there.
    let mut daily = series("20260303T090000", &["FREQ=DAILY;COUNT=3"], Clock::Floating);
    daily.excluded.push(Rule::read("FREQ=MONTHLY;BYMONTHDAY=3", Clock::Floating).unwrap());
    let left = |daily: &Series| daily.dates(daily.start, time("20260401T000000"), 9).unwrap();
    assert_eq!(left(&daily), ["20260304T090000", "20260305T090000"].map(time));
    daily.excluded = vec![Rule::read("FREQ=MONTHLY;BYMONTHDAY=4", Clock::Floating).unwrap()];
    assert_eq!(left(&daily), ["20260303T090000", "20260305T090000"].map(time));
    // Two rules, a further date before the start, dates that come twice.
    let mut two = series("20260303T090000", &["FREQ=DAILY;COUNT=3", "FREQ=DAILY;INTERVAL=2;COUNT=3"], Clock::Floating);
    two.added.insert(time("20260301T090000"));
    let dates = two.dates(time("20260101T000000"), time("20270101T000000"), 99).unwrap();
    assert_eq!(dates.iter().map(Datelike::day).collect::<Vec<_>>(), [1, 3, 4, 5, 7]);
    assert_eq!((two.span().from, two.span().until), (time("20260301T090000"), Some(time("20260307T090000"))));
    assert_eq!(
        two.dates(time("20260304T000000"), time("20270101T000000"), 2).unwrap(),
        ["20260304T090000", "20260305T090000"].map(time)
    );
}

#[test]
fn friday_the_13th_and_weeks_across_new_year() {
    let mut fridays = series("19970902T090000", &["FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13"], Clock::Floating);
    fridays.removed.insert(fridays.start);
    let dates = fridays.dates(fridays.start, time("20010101T000000"), 99).unwrap();
    let told: Vec<String> = dates.iter().map(|date| date.format("%y-%m-%d").to_string()).collect();
    assert_eq!(told, ["98-02-13", "98-03-13", "98-11-13", "99-08-13", "00-10-13"]);
    assert!(dates.iter().all(|date| date.weekday() == Weekday::Fri));
    // The Monday of week 1 of 2026 is in 2025; 2026 has 53 weeks, and December 28 is in the last of them.
    assert_eq!(told_weeks("FREQ=YEARLY;BYWEEKNO=1;BYDAY=MO"), "2024: 1/1 12/30, 2025: 12/29, 2027: 1/4");
    assert_eq!(told_weeks("FREQ=YEARLY;BYWEEKNO=-1;BYDAY=MO"), "2024: 1/1 12/23, 2025: 12/22, 2026: 12/28");
}

fn told_weeks(rule: &str) -> String {
    told("20240101T090000", rule, 4)
}

#[test]
fn a_hostile_rule_is_answered_soon_and_never_wrongly() {
    let dates = |rule: &str, until: &str| {
        let series = series("20260101T000000", &[rule], Clock::Floating);
        series.dates(series.start, time(until), usize::MAX).map(|dates| dates.len())
    };
    let (ten_years, for_ever) = ("20360101T000000", "99981231T000000");
    // February 30 never comes; that is known for any span that can be walked through.
    assert_eq!(dates("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", for_ever), Ok(1));
    assert_eq!(dates("FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30", for_ever), Ok(1));
    assert_eq!(dates("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", ten_years), Ok(1));
    assert_eq!(dates("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", for_ever), Err(Unexpandable::TooManySteps));
    for rule in [
        "FREQ=SECONDLY",
        "FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=SECONDLY;INTERVAL=7;BYMINUTE=59;BYHOUR=3",
        "FREQ=MINUTELY;BYHOUR=3",
        "FREQ=SECONDLY;COUNT=4000000000",
    ] {
        assert_eq!(dates(rule, ten_years), Err(Unexpandable::TooManySteps), "{rule}");
    }
    let all = |last: u32| (0..=last).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
    let crowded = format!("FREQ=YEARLY;BYDAY=MO;BYHOUR={};BYMINUTE={};BYSECOND={}", all(23), all(59), all(59));
    assert_eq!(dates(&crowded, ten_years), Err(Unexpandable::TooManySteps));
    assert_eq!(dates("FREQ=HOURLY", ten_years).unwrap(), 3652 * 24 + 1);
    assert_eq!(dates("FREQ=DAILY;INTERVAL=4294967295", for_ever), Ok(1));
    // A short look far from the start costs little.
    let seconds = series("20260101T000000", &["FREQ=SECONDLY;INTERVAL=7"], Clock::Floating);
    assert_eq!(seconds.dates(time("20500101T000000"), time("20500101T000013"), 9).unwrap().len(), 2);
    // An endless or uncountable series has an endless span.
    assert_eq!(series("20260101T000000", &["FREQ=SECONDLY;COUNT=4000000000"], Clock::Floating).span().until, None);
    let unknown = series("20260101T000000", &["FREQ=DAILY;UNTIL=20260301T000000Z"], Clock::Unknown);
    assert_eq!(unknown.dates(unknown.start, time(ten_years), 9), Err(Unexpandable::EndsAtInstant));
    assert_eq!(unknown.span().until, Some(time("20260302T000000")));
}
