//! Rules as text and as JSON, and that one meaning has one form; by tables, and over random rules with two judges.

use chrono::{Datelike, Duration, NaiveDate, NaiveDateTime, Timelike, Weekday};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use twofold_model::recurrence::{Clock, End, Frequency, NthDay, Rule, Series, same_dates};
use twofold_model::zone::Rules;

fn time(text: &str) -> NaiveDateTime {
    NaiveDateTime::parse_from_str(text, "%Y%m%dT%H%M%S").unwrap()
}

fn only(start: NaiveDateTime, rule: Rule) -> Series {
    Series { start, rules: vec![rule], excluded: Vec::new(), added: BTreeSet::new(), removed: BTreeSet::new() }
}

/// A rule of a series that starts on Tuesday, March 3rd, 2026 at 9:00 becomes this text.
fn canonical(text: &str) -> String {
    let start = time("20260303T090000");
    let rule = Rule::read(text, Clock::Floating).unwrap();
    let canonical = rule.canonical(start);
    assert_eq!(same_dates(&only(start, rule), &only(start, canonical.clone()), 10), Ok(true), "{text}");
    canonical.write(start, Clock::Floating)
}

#[test]
fn one_meaning_has_one_form() {
    for (text, form) in [
        ("FREQ=WEEKLY;INTERVAL=1;WKST=SU;BYDAY=TU", "FREQ=WEEKLY"),
        ("freq=weekly;byday=fr,mo,we,mo", "FREQ=WEEKLY;BYDAY=MO,WE,FR"),
        ("FREQ=WEEKLY;BYDAY=TU,TH;WKST=SU", "FREQ=WEEKLY;BYDAY=TU,TH"),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,TH;WKST=SU", "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,TH;WKST=SU"),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,TH", "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,TH;WKST=MO"),
        // On one weekday only, that of the start, the first day of the week decides nothing.
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=TU;WKST=SU", "FREQ=WEEKLY;INTERVAL=2"),
        ("FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR", "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"),
        ("FREQ=DAILY;INTERVAL=2;BYDAY=MO,TU", "FREQ=DAILY;INTERVAL=2;BYDAY=MO,TU"),
        ("FREQ=MONTHLY;BYMONTHDAY=3", "FREQ=MONTHLY"),
        ("FREQ=MONTHLY;BYDAY=TU;BYSETPOS=2", "FREQ=MONTHLY;BYDAY=2TU"),
        ("FREQ=MONTHLY;BYDAY=+2TU", "FREQ=MONTHLY;BYDAY=2TU"),
        ("FREQ=MONTHLY;BYDAY=FR;BYSETPOS=-1", "FREQ=MONTHLY;BYDAY=-1FR"),
        ("FREQ=MONTHLY;BYDAY=MO,FR;BYSETPOS=-1", "FREQ=MONTHLY;BYDAY=MO,FR;BYSETPOS=-1"),
        ("FREQ=YEARLY;BYMONTH=3;BYMONTHDAY=3", "FREQ=YEARLY"),
        ("FREQ=YEARLY;BYMONTH=3", "FREQ=YEARLY"),
        ("FREQ=YEARLY;BYMONTH=3,9;BYMONTHDAY=3", "FREQ=YEARLY;BYMONTH=3,9"),
        ("FREQ=YEARLY;BYMONTHDAY=3", "FREQ=YEARLY;BYMONTHDAY=3"),
        ("FREQ=YEARLY;BYMONTH=11;BYDAY=TH;BYSETPOS=4", "FREQ=YEARLY;BYMONTH=11;BYDAY=4TH"),
        ("FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10;BYHOUR=9;BYMINUTE=0", "FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU"),
        ("RSCALE=GREGORIAN;FREQ=DAILY;SKIP=OMIT", "FREQ=DAILY"),
        // An end at any time of the last day is one; one before the start's time is the day before.
        ("FREQ=DAILY;UNTIL=20260310", "FREQ=DAILY;UNTIL=20260310T090000"),
        ("FREQ=DAILY;UNTIL=20260310T235959", "FREQ=DAILY;UNTIL=20260310T090000"),
        ("FREQ=DAILY;UNTIL=20260310T090000", "FREQ=DAILY;UNTIL=20260310T090000"),
        ("FREQ=DAILY;UNTIL=20260310T085959", "FREQ=DAILY;UNTIL=20260309T090000"),
        ("FREQ=HOURLY;UNTIL=20260310T085959", "FREQ=HOURLY;UNTIL=20260310T085959"),
    ] {
        assert_eq!(canonical(text), form, "{text}");
    }
}

#[test]
fn the_end_is_written_in_the_form_of_the_start() {
    let start = time("20260303T090000");
    let east = Rules::fixed(2 * 3600);
    let written =
        |rule: &str, from: Clock<'_>, to: Clock<'_>| Rule::read(rule, from).unwrap().canonical(start).write(start, to);
    let zoned = Clock::Zoned(&east);
    assert_eq!(written("FREQ=DAILY;UNTIL=20260310T070000Z", zoned, zoned), "FREQ=DAILY;UNTIL=20260310T070000Z");
    assert_eq!(written("FREQ=DAILY;UNTIL=20260310T065959Z", zoned, zoned), "FREQ=DAILY;UNTIL=20260309T070000Z");
    // A date where a time ought to be is the whole day.
    assert_eq!(written("FREQ=DAILY;UNTIL=20260310", zoned, zoned), "FREQ=DAILY;UNTIL=20260310T070000Z");
    assert_eq!(written("FREQ=DAILY;UNTIL=20260310T090000", zoned, zoned), "FREQ=DAILY;UNTIL=20260310T070000Z");
    assert_eq!(
        written("FREQ=DAILY;UNTIL=20260310T070000Z", zoned, Clock::Floating),
        "FREQ=DAILY;UNTIL=20260310T090000"
    );
    let unknown = Clock::Unknown;
    assert_eq!(written("FREQ=DAILY;UNTIL=20260310T070000Z", unknown, unknown), "FREQ=DAILY;UNTIL=20260310T070000Z");
    let day = time("20260303T000000");
    for until in ["20260310", "20260310T000000", "20260310T235959Z"] {
        let rule = Rule::read(&format!("FREQ=DAILY;UNTIL={until}"), Clock::AllDay).unwrap().canonical(day);
        assert_eq!(rule.to_json()["until"], "2026-03-10T23:59:59");
        assert_eq!(rule.write(day, Clock::AllDay), "FREQ=DAILY;UNTIL=20260310");
    }
}

#[test]
fn json_is_that_of_rfc_8984_without_its_defaults() {
    let all = json!({
        "frequency": "yearly", "interval": 2, "firstDayOfWeek": "su", "byMonth": ["1", "3"], "byWeekNo": [-1, 10],
        "byYearDay": [-5], "byMonthDay": [-1, 13], "byDay": [{"day": "mo"}, {"day": "fr"}], "byHour": [9], "byMinute": [0, 30],
        "bySecond": [1], "bySetPosition": [-1, 2], "count": 5,
    });
    let rule = Rule::from_json(&all).unwrap();
    assert_eq!(rule.to_json(), all);
    assert_eq!(
        rule.write(time("20260303T090000"), Clock::Floating),
        "FREQ=YEARLY;INTERVAL=2;COUNT=5;BYMONTH=1,3;BYWEEKNO=-1,10;BYYEARDAY=-5;BYMONTHDAY=-1,13;BYDAY=MO,FR;BYHOUR=9;BYMINUTE=0,30;BYSECOND=1;BYSETPOS=-1,2;WKST=SU"
    );
    let plain = json!({"@type": "RecurrenceRule", "frequency": "daily", "interval": 1, "rscale": "gregorian", "skip": "omit", "firstDayOfWeek": "mo", "byDay": [{"@type": "NDay", "day": "tu"}]});
    assert_eq!(Rule::from_json(&plain).unwrap().to_json(), json!({"frequency": "daily", "byDay": [{"day": "tu"}]}));
    let until = json!({"frequency": "daily", "until": "2026-03-10T08:00:00Z"});
    assert_eq!(Rule::from_json(&until).unwrap().to_json(), until);
}

#[test]
fn what_is_no_gregorian_rule_is_refused_with_its_part() {
    for (text, part) in [
        ("", "FREQ"),
        ("FREQ=FORTNIGHTLY", "FREQ"),
        ("INTERVAL=2", "FREQ"),
        ("FREQ=DAILY;FREQ=DAILY", "FREQ"),
        ("FREQ=DAILY;INTERVAL=0", "INTERVAL"),
        ("FREQ=DAILY;INTERVAL=-1", "INTERVAL"),
        ("FREQ=DAILY;COUNT=0", "COUNT"),
        ("FREQ=DAILY;COUNT=3;UNTIL=20260101", "COUNT"),
        ("FREQ=DAILY;UNTIL=20261301", "UNTIL"),
        ("FREQ=DAILY;UNTIL=tomorrow", "UNTIL"),
        ("FREQ=DAILY;BYMONTH=13", "BYMONTH"),
        ("FREQ=DAILY;BYMONTH=5L", "BYMONTH"),
        ("FREQ=WEEKLY;BYMONTHDAY=1", "BYMONTHDAY"),
        ("FREQ=MONTHLY;BYMONTHDAY=0", "BYMONTHDAY"),
        ("FREQ=MONTHLY;BYMONTHDAY=32", "BYMONTHDAY"),
        ("FREQ=MONTHLY;BYYEARDAY=1", "BYYEARDAY"),
        ("FREQ=MONTHLY;BYWEEKNO=1", "BYWEEKNO"),
        ("FREQ=WEEKLY;BYDAY=1MO", "BYDAY"),
        ("FREQ=YEARLY;BYWEEKNO=1;BYDAY=1MO", "BYDAY"),
        ("FREQ=MONTHLY;BYDAY=XX", "BYDAY"),
        ("FREQ=MONTHLY;BYDAY=\u{e4}", "BYDAY"),
        ("FREQ=MONTHLY;BYSETPOS=1", "BYSETPOS"),
        ("FREQ=YEARLY;RSCALE=CHINESE", "RSCALE"),
        ("FREQ=MONTHLY;SKIP=FORWARD", "SKIP"),
        ("FREQ=DAILY;X-OWN=1", "X-OWN"),
        ("FREQ", "part"),
    ] {
        let error = Rule::read(text, Clock::Floating).expect_err(text);
        assert_eq!(error.part, part, "{text}");
    }
    for (rule, part) in [
        (json!("daily"), "rule"),
        (json!({}), "frequency"),
        (json!({"frequency": "daily", "rscale": "hebrew"}), "rscale"),
        (json!({"frequency": "daily", "skip": "backward"}), "skip"),
        (json!({"frequency": "daily", "byMonth": ["5L"]}), "byMonth"),
        (json!({"frequency": "daily", "byMonth": [5]}), "byMonth"),
        (json!({"frequency": "daily", "interval": 0}), "INTERVAL"),
        (json!({"frequency": "daily", "count": 1, "until": "2026-01-01T00:00:00"}), "count"),
        (json!({"frequency": "daily", "byEaster": [0]}), "byEaster"),
        (json!({"frequency": "daily", "byHour": ["9"]}), "byHour"),
    ] {
        assert_eq!(Rule::from_json(&rule).expect_err(&rule.to_string()).part, part, "{rule}");
    }
}

// ---- random rules -------------------------------------------------------------------------------------------------------

fn some<T: Clone + std::fmt::Debug + Ord + 'static>(of: impl Strategy<Value = T> + 'static) -> BoxedStrategy<Vec<T>> {
    prop_oneof![3 => Just(Vec::new()), 1 => prop::collection::btree_set(of, 1..4).prop_map(|set| set.into_iter().collect())]
        .boxed()
}

fn around(most: i16) -> impl Strategy<Value = i16> {
    prop_oneof![1..=most, -most..=-1]
}

fn weekday() -> impl Strategy<Value = Weekday> {
    (0_u8..7).prop_map(|day| Weekday::try_from(day).unwrap())
}

/// A rule whose parts go together, of days and longer periods.
fn rule() -> impl Strategy<Value = Rule> {
    let frequency =
        prop_oneof![Just(Frequency::Daily), Just(Frequency::Weekly), Just(Frequency::Monthly), Just(Frequency::Yearly)];
    let end = prop_oneof![
        2 => Just(End::Never),
        1 => (1_u32..40).prop_map(End::After),
        1 => (0_i64..3000, 0_i64..86_400).prop_map(|(days, s)| End::At(time("20260101T000000") + Duration::days(days) + Duration::seconds(s))),
    ];
    let lists = (
        some(1_u8..=12),
        some(around(53)),
        some(around(366)),
        some(around(31)),
        some((prop::option::of(around(5)), weekday().prop_map(|day| day.num_days_from_monday()))),
        some(0_u8..=23),
        some(0_u8..=59),
        some(around(6)),
    );
    (frequency, 1_u32..5, end, weekday(), lists).prop_map(|(frequency, interval, end, week_start, lists)| {
        let (by_month, by_week_no, by_year_day, by_month_day, by_day, by_hour, by_minute, by_set_pos) = lists;
        let mut rule = Rule { interval, end, week_start, by_month, by_hour, by_minute, ..Rule::each(frequency) };
        let counts = matches!(frequency, Frequency::Monthly | Frequency::Yearly);
        if frequency == Frequency::Yearly {
            rule.by_week_no = by_week_no.iter().map(|v| *v as i8).collect();
            rule.by_year_day = by_year_day;
        }
        if frequency != Frequency::Weekly {
            rule.by_month_day = by_month_day.iter().map(|v| *v as i8).collect();
        }
        let counts = counts && rule.by_week_no.is_empty();
        let days = by_day.into_iter().map(|(nth, day)| {
            let day = Weekday::try_from(day as u8).unwrap();
            nth.filter(|_| counts).map_or(NthDay::each(day), |nth| NthDay::nth(nth as i8, day))
        });
        rule.by_day = days.collect::<BTreeSet<_>>().into_iter().collect();
        rule.by_set_pos = by_set_pos;
        if rule.check().is_err() {
            rule.by_set_pos.clear();
        }
        rule
    })
}

fn start() -> impl Strategy<Value = NaiveDateTime> {
    (0_i64..2000, 0_i64..96)
        .prop_map(|(days, quarters)| time("20260101T000000") + Duration::days(days) + Duration::minutes(15 * quarters))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_rule_comes_back_from_text_and_from_json(rule in rule(), start in start()) {
        prop_assert_eq!(rule.check(), Ok(()));
        let canonical = rule.canonical(start);
        prop_assert_eq!(&canonical.canonical(start), &canonical);
        let zone = Rules::fixed(-7 * 3600);
        for clock in [Clock::Floating, Clock::Zoned(&zone)] {
            let text = canonical.write(start, clock);
            prop_assert_eq!(&Rule::read(&text, clock).unwrap().canonical(start), &canonical, "{}", text);
        }
        prop_assert_eq!(&Rule::from_json(&canonical.to_json()).unwrap(), &canonical);
        prop_assert_eq!(Rule::from_json(&rule.to_json()).unwrap().to_json(), rule.to_json());
    }

    #[test]
    fn the_canonical_form_falls_on_the_same_dates(rule in rule(), start in start()) {
        let (plain, canonical) = (only(start, rule.clone()), only(start, rule.canonical(start)));
        prop_assert_eq!(same_dates(&plain, &canonical, 10), Ok(true), "{:?}", canonical.rules[0].to_json());
    }

    /// Each day by itself, without periods: what a rule with interval 1 and no positions means.
    #[test]
    fn the_dates_are_the_days_that_have_what_the_rule_asks(rule in rule(), start in start()) {
        let rule = Rule { interval: 1, end: End::Never, by_set_pos: Vec::new(), by_hour: Vec::new(), by_minute: Vec::new(), ..rule };
        let until = start + Duration::days(1500);
        let dates = only(start, rule.clone()).dates(start, until, usize::MAX).unwrap();
        let days = start.date().iter_days().take_while(|day| day.and_time(start.time()) <= until);
        let expected: Vec<NaiveDateTime> = days
            .filter(|day| *day == start.date() || asks(&rule, start.date(), *day))
            .map(|day| day.and_time(start.time()))
            .collect();
        prop_assert_eq!(dates, expected, "{}", rule.write(start, Clock::Floating));
    }

    /// An expansion that others wrote says the same, for a start that its rule falls on.
    #[test]
    fn another_expansion_agrees(rule in rule(), start in start()) {
        // The other misses days of numbered weeks that reach into the year after or before (the law above judges those), counts
        // positions of the first week from the start and not from the week's first day, and takes `BYDAY=MO,1MO` for the first
        // Monday; it is each Monday.
        let counted = rule.by_day.iter().filter(|day| day.nth.is_some()).count();
        let is_known_to_differ = (rule.frequency == Frequency::Weekly && !rule.by_set_pos.is_empty())
            || !rule.by_week_no.is_empty()
            || (counted > 0 && counted < rule.by_day.len());
        let until = start + Duration::days(4000);
        let own = only(start, Rule { end: End::Never, ..rule.clone() }).dates(start, until, 2).unwrap();
        // The start of a rule that does not fall on it is dropped here, and the rule begins at its next date instead.
        let (Some(first), false) = (own.get(1), is_known_to_differ) else { return Ok(()) };
        let pinned = pinned(&rule, start);
        let own = only(*first, pinned.clone()).dates(*first, until, 60).unwrap();
        let text = pinned.write(*first, Clock::Zoned(&Rules::utc()));
        let text = format!("DTSTART:{}Z\nRRULE:{text}", first.format("%Y%m%dT%H%M%S"));
        // It refuses an end before the start, and the fifth weekday from a month's end.
        let Ok(set) = text.parse::<rrule::RRuleSet>() else { return Ok(()) };
        let theirs = set.into_iter().map(|date| date.naive_utc()).take_while(|date| *date <= until);
        prop_assert_eq!(theirs.take(60).collect::<Vec<_>>(), own, "{}", text);
    }
}

/// The rule with what it takes from the start written out, so that it may begin elsewhere.
fn pinned(rule: &Rule, start: NaiveDateTime) -> Rule {
    let mut rule = rule.clone();
    if rule.by_hour.is_empty() {
        rule.by_hour.push(start.hour() as u8);
    }
    if rule.by_minute.is_empty() {
        rule.by_minute.push(start.minute() as u8);
    }
    if rule.by_day.is_empty() && rule.by_month_day.is_empty() && rule.by_year_day.is_empty() {
        match rule.frequency {
            Frequency::Weekly => rule.by_day.push(NthDay::each(start.weekday())),
            Frequency::Monthly => rule.by_month_day.push(start.day() as i8),
            Frequency::Yearly if !rule.by_week_no.is_empty() => rule.by_day.push(NthDay::each(start.weekday())),
            Frequency::Yearly => {
                rule.by_month_day.push(start.day() as i8);
                if rule.by_month.is_empty() {
                    rule.by_month.push(start.month() as u8);
                }
            }
            _ => {}
        }
    }
    rule
}

/// Whether a rule with interval 1 falls on a day, asked of the day alone.
fn asks(rule: &Rule, start: NaiveDate, day: NaiveDate) -> bool {
    let first_of = |year: i32, month: u32| NaiveDate::from_ymd_opt(year, month, 1).unwrap();
    let next_month = |day: NaiveDate| first_of(day.year() + i32::from(day.month() == 12), day.month() % 12 + 1);
    let (month_end, year_end) =
        (next_month(day).pred_opt().unwrap(), NaiveDate::from_ymd_opt(day.year(), 12, 31).unwrap());
    let from_end = |end: NaiveDate| -(end - day).num_days() - 1;
    let is_free = rule.by_day.is_empty() && rule.by_month_day.is_empty() && rule.by_year_day.is_empty();
    let implied = !is_free
        || match rule.frequency {
            Frequency::Weekly => day.weekday() == start.weekday(),
            Frequency::Monthly => day.day() == start.day(),
            Frequency::Yearly if !rule.by_week_no.is_empty() => day.weekday() == start.weekday(),
            Frequency::Yearly => {
                day.day() == start.day() && (!rule.by_month.is_empty() || day.month() == start.month())
            }
            _ => true,
        };
    let of_year = rule.frequency == Frequency::Yearly && rule.by_month.is_empty();
    let (begin, end) =
        if of_year { (first_of(day.year(), 1), year_end) } else { (first_of(day.year(), day.month()), month_end) };
    let same_weekday = |from: NaiveDate, to: NaiveDate| {
        from.iter_days().take_while(|d| *d <= to).filter(|d| d.weekday() == day.weekday()).count() as i64
    };
    let is_nth = |nth: Option<i8>| {
        nth.is_none_or(|nth| match nth > 0 {
            true => same_weekday(begin, day) == i64::from(nth),
            false => same_weekday(day, end) == -i64::from(nth),
        })
    };
    // A week is of the year that has its fourth day, and its number counts the days up to that day.
    let fourth_day = |day: NaiveDate| day + Duration::days(3 - i64::from(day.weekday().days_since(rule.week_start)));
    let week = i64::from(fourth_day(day).ordinal0() / 7) + 1;
    let last_day = first_of(fourth_day(day).year() + 1, 1).pred_opt().unwrap();
    let last_weeks = [0, 7].map(|back| fourth_day(last_day - Duration::days(back)));
    let last_week = last_weeks.into_iter().find(|day| day.year() == last_day.year()).unwrap();
    let weeks = i64::from(last_week.ordinal0() / 7) + 1;
    let among = |list: Vec<i64>, values: [i64; 2]| list.is_empty() || list.iter().any(|v| values.contains(v));
    implied
        && among(rule.by_month.iter().map(|v| i64::from(*v)).collect(), [day.month().into(); 2])
        && among(rule.by_month_day.iter().map(|v| i64::from(*v)).collect(), [day.day().into(), from_end(month_end)])
        && among(rule.by_week_no.iter().map(|v| i64::from(*v)).collect(), [week, week - weeks - 1])
        && among(rule.by_year_day.iter().map(|v| i64::from(*v)).collect(), [day.ordinal().into(), from_end(year_end)])
        && (rule.by_day.is_empty() || rule.by_day.iter().any(|by| by.day() == day.weekday() && is_nth(by.nth)))
}

#[test]
fn a_series_of_json_that_is_no_rule_says_so() {
    let event = |rule: Value| {
        twofold_model::Content::from_value(json!({"start": "2026-03-03T09:00:00", "recurrenceRules": [rule]}))
    };
    assert!(Series::of(&event(json!({"frequency": "daily"}))).unwrap().is_some());
    assert_eq!(Series::of(&event(json!({"frequency": "daily", "rscale": "hebrew"}))).unwrap_err().part, "rscale");
    assert_eq!(Series::of(&twofold_model::Content::new()), Ok(None));
}
