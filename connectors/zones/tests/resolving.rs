//! Which zone a name means, with and without a definition.

use chrono::NaiveDateTime;
use twofold_model::zone::{Resolved, Rules, Span, Zones, canonical, find, iana, resolve, vtimezone, windows};
use twofold_zones::SystemZones;

fn time(text: &str) -> NaiveDateTime {
    text.parse().unwrap()
}

fn once(at: &str) -> Span {
    Span { from: time(at), until: Some(time(at)) }
}

fn endless(from: &str) -> Span {
    Span { from: time(from), until: None }
}

/// A definition with two yearly changes, as programs write it: local time, offsets in hours, rule.
fn definition(from: &str, [standard, summer]: [&str; 2], begins: &str, ends: &str) -> Rules {
    let part = |kind: &str, before: &str, after: &str, rule: &str| {
        format!(
            "BEGIN:{kind}\nDTSTART:{from}\nTZOFFSETFROM:{before}\nTZOFFSETTO:{after}\nRRULE:FREQ=YEARLY;{rule}\nEND:{kind}\n"
        )
    };
    let parts = part("STANDARD", summer, standard, ends) + &part("DAYLIGHT", standard, summer, begins);
    vtimezone::parse(&format!("BEGIN:VTIMEZONE\nTZID:x\n{parts}END:VTIMEZONE\n")).unwrap().rules
}

fn european() -> Rules {
    definition("16010101T020000", ["+0100", "+0200"], "BYDAY=-1SU;BYMONTH=3", "BYDAY=-1SU;BYMONTH=10;BYHOUR=3")
}

fn american() -> Rules {
    definition("20070101T020000", ["-0500", "-0400"], "BYDAY=2SU;BYMONTH=3", "BYDAY=1SU;BYMONTH=11")
}

#[test]
fn a_name_alone_is_understood_in_the_ways_in_which_programs_write_it() {
    for (name, zone) in [
        ("Europe/Berlin", Some("Europe/Berlin")),
        ("europe/berlin", Some("Europe/Berlin")),
        ("Asia/Calcutta", Some("Asia/Kolkata")),
        ("Europe/Kiev", Some("Europe/Kyiv")),
        ("US/Pacific", Some("America/Los_Angeles")),
        ("Europe/Oslo", Some("Europe/Oslo")),
        ("UTC", Some("Etc/UTC")),
        ("Z", Some("Etc/UTC")),
        ("tzone://Microsoft/Utc", Some("Etc/UTC")),
        ("W. Europe Standard Time", Some("Europe/Berlin")),
        ("\"w. europe standard time\"", Some("Europe/Berlin")),
        ("FLE Standard Time", Some("Europe/Kyiv")),
        ("India Standard Time", Some("Asia/Kolkata")),
        ("(UTC+01:00) Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna", Some("Europe/Berlin")),
        ("(UTC+07:00) Bangkok\\, Hanoi\\, Jakarta", Some("Asia/Bangkok")),
        ("(GMT+10:00) Canberra, Melbourne, Sydney", Some("Australia/Sydney")),
        ("(UTC-05:00) Eastern Time (US & Canada)", Some("America/New_York")),
        ("Eastern Time (US & Canada)", Some("America/New_York")),
        ("(UTC-06:00) Eastern Time (US & Canada)", None),
        ("/freeassociation.sourceforge.net/Tzfile/Europe/Vienna", Some("Europe/Vienna")),
        ("/mozilla.org/20070129_1/America/Argentina/Buenos_Aires", Some("America/Argentina/Buenos_Aires")),
        ("America-Chicago", Some("America/Chicago")),
        ("America/Los Angeles", Some("America/Los_Angeles")),
        ("Etc/GMT-2", Some("Etc/GMT-2")),
        ("Mitteleurop\u{e4}ische Zeit", None),
        ("Customized Time Zone", None),
        ("tzone://Microsoft/Custom", None),
        ("Europe/Germany", None),
        ("Eastern", None),
        ("1", None),
        ("", None),
        ("/", None),
        ("GMT+1", None),
    ] {
        assert_eq!(iana(name), zone, "{name}");
    }
}

#[test]
fn windows_names_are_found_both_ways_and_aliases_first() {
    for (zone, name) in [
        ("Europe/Berlin", Some("W. Europe Standard Time")),
        ("Europe/Vienna", Some("W. Europe Standard Time")),
        ("Asia/Kolkata", Some("India Standard Time")),
        ("Asia/Calcutta", Some("India Standard Time")),
        ("Europe/Kyiv", Some("FLE Standard Time")),
        ("Europe/Kiev", Some("FLE Standard Time")),
        ("Asia/Singapore", Some("Singapore Standard Time")),
        ("Singapore", Some("Singapore Standard Time")),
        ("Asia/Yangon", Some("Myanmar Standard Time")),
        ("Asia/Ho_Chi_Minh", Some("SE Asia Standard Time")),
        ("America/Nuuk", Some("Greenland Standard Time")),
        ("America/Argentina/Buenos_Aires", Some("Argentina Standard Time")),
        ("Etc/UTC", Some("UTC")),
        ("US/Eastern", Some("Eastern Standard Time")),
        ("Europe/Nowhere", None),
    ] {
        assert_eq!(windows::from_iana(zone), name, "{zone}");
    }
    let zones = SystemZones::in_folder(None);
    let mut without = Vec::new();
    for zone in zones.names().iter().filter(|name| canonical(name) == **name) {
        match windows::from_iana(zone) {
            // What Windows calls a zone must be a zone again, and called the same.
            Some(name) => assert_eq!(windows::from_iana(windows::to_iana(name).unwrap()), Some(name), "{zone}"),
            None => without.push(zone.clone()),
        }
    }
    // Relics of POSIX and of countries, Antarctica, Ciudad Juárez and the like.
    assert!(without.len() < 40, "{} zones without a Windows name: {without:?}", without.len());
}

#[test]
fn all_canonical_names_are_zones() {
    let zones = SystemZones::in_folder(None);
    for name in zones.names() {
        assert!(zones.rules(&canonical(&name)).is_some(), "{name}");
        assert_eq!(canonical(&canonical(&name)), canonical(&name));
    }
}

#[test]
fn tzone_custom() {
    let zones = SystemZones::in_folder(None);
    let resolved = |name: &str, rules: Option<&Rules>, span: &Span| resolve(&zones, name, rules, span);
    let berlin = Resolved::Iana("Europe/Berlin".into());
    for name in ["Customized Time Zone", "tzone://Microsoft/Custom", "Mitteleurop\u{e4}ische Zeit"] {
        assert_eq!(resolved(name, None, &endless("2026-01-05T09:00:00")), Resolved::Unknown, "{name}");
        // By its rules; also where the event happens once, so that any zone with that offset on that day would do.
        assert_eq!(resolved(name, Some(&european()), &endless("2026-01-05T09:00:00")), berlin, "{name}");
        assert_eq!(resolved(name, Some(&european()), &once("2026-07-05T09:00:00")), berlin, "{name}");
    }
    // The fourth Sunday of October is the last one in 2026; in 2027 the 31st is one as well.
    let odd =
        definition("16010101T020000", ["+0100", "+0200"], "BYDAY=-1SU;BYMONTH=3", "BYDAY=4SU;BYMONTH=10;BYHOUR=3");
    let until = |until: &str| Span { until: Some(time(until)), ..endless("2026-01-05T09:00:00") };
    assert_eq!(resolved("Customized Time Zone", Some(&odd), &until("2027-10-20T09:00:00")), berlin);
    let custom = resolved("Customized Time Zone", Some(&odd), &until("2029-12-01T09:00:00"));
    let Resolved::Custom { rules, named: None } = custom else { panic!("{custom:?}") };
    assert_eq!(
        rules.to_utc(time("2027-10-25T09:00:00")),
        "2027-10-25T08:00:00Z".parse::<chrono::DateTime<chrono::Utc>>().unwrap()
    );
}

/// A VTIMEZONE grows old in the file that it came with, and most programs do not look at it where they know the name: an event
/// that keeps to it is an hour off everywhere else.
#[test]
fn the_name_of_a_place_wins_whatever_the_definition_beside_it_says() {
    let zones = SystemZones::in_folder(None);
    let series = endless("2026-01-05T09:00:00");
    let old = before_2007();
    let constant = constant();
    for (name, rules, zone) in [
        ("America/New_York", &old, "America/New_York"),
        ("america/new_york", &old, "America/New_York"),
        ("US/Eastern", &old, "America/New_York"),
        ("America/New_York", &european(), "America/New_York"),
        ("Asia/Calcutta", &european(), "Asia/Kolkata"),
        ("Europe/Berlin", &constant, "Europe/Berlin"),
    ] {
        assert_eq!(resolve(&zones, name, Some(rules), &series), Resolved::Iana(zone.into()), "{name}");
    }
    // What programs write for zones with summer time, and in the wrong direction.
    for name in ["EST", "GMT", "Etc/GMT+1", "Etc/GMT-1"] {
        let berlin = Resolved::Iana("Europe/Berlin".into());
        assert_eq!(resolve(&zones, name, Some(&european()), &series), berlin, "{name}");
    }
    assert_eq!(resolve(&zones, "EST", Some(&american()), &series), Resolved::Iana("America/New_York".into()));
}

/// The rules of New York before 2007.
fn before_2007() -> Rules {
    definition("19870101T020000", ["-0500", "-0400"], "BYDAY=1SU;BYMONTH=4", "BYDAY=-1SU;BYMONTH=10")
}

/// Winter time all year.
fn constant() -> Rules {
    let text = "BEGIN:VTIMEZONE\nTZID:x\nBEGIN:STANDARD\nDTSTART:19700101T000000\n\
        TZOFFSETFROM:+0100\nTZOFFSETTO:+0100\nEND:STANDARD\nEND:VTIMEZONE\n";
    vtimezone::parse(text).unwrap().rules
}

#[test]
fn another_name_wins_unless_its_definition_says_otherwise_within_the_span() {
    let zones = SystemZones::in_folder(None);
    let resolved = |name: &str, rules: &Rules, span: &Span| resolve(&zones, name, Some(rules), span);
    let named = |name: &str| Resolved::Iana(name.into());
    let series = endless("2026-01-05T09:00:00");
    let (berlin, new_york) = ("W. Europe Standard Time", "Eastern Standard Time");
    assert_eq!(resolved("Romance Standard Time", &european(), &series), named("Europe/Paris"));
    // The name of New York with the rules of Berlin: what was meant are the hours of Berlin.
    assert_eq!(resolved(new_york, &european(), &series), named("Europe/Berlin"));
    // Rules from before 2007: in July nothing differs, at the end of March something does.
    let old = before_2007();
    assert_eq!(resolved(new_york, &old, &once("2026-07-05T09:00:00")), named("America/New_York"));
    assert_ne!(resolved(new_york, &old, &once("2026-03-30T09:00:00")), named("America/New_York"));
    assert!(
        matches!(resolved(new_york, &old, &series), Resolved::Custom { named: Some(name), .. } if name == "America/New_York")
    );
    // The hour of the change is wrong, which matters to who meets in that hour only.
    let late = definition("19810101T030000", ["+0100", "+0200"], "BYDAY=-1SU;BYMONTH=3", "BYDAY=-1SU;BYMONTH=10");
    assert_eq!(resolved(berlin, &late, &series), named("Europe/Berlin"));
    assert_ne!(resolved(berlin, &late, &once("2026-03-29T03:30:00")), named("Europe/Berlin"));
    // The definition begins in 2007 and says nothing about the summer of 2006.
    assert_eq!(resolved(new_york, &american(), &endless("2006-07-03T09:00:00")), named("America/New_York"));
}

#[test]
fn a_list_of_single_changes_says_nothing_after_its_last() {
    let zones = SystemZones::in_folder(None);
    let name = "W. Europe Standard Time";
    let text = "BEGIN:VTIMEZONE\nTZID:W. Europe Standard Time\n\
        BEGIN:DAYLIGHT\nDTSTART:20260329T020000\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0200\nEND:DAYLIGHT\n\
        BEGIN:STANDARD\nDTSTART:20261025T030000\nTZOFFSETFROM:+0200\nTZOFFSETTO:+0100\nEND:STANDARD\nEND:VTIMEZONE\n";
    let rules = vtimezone::parse(text).unwrap().rules;
    let series = endless("2026-05-04T09:00:00");
    assert_eq!(resolve(&zones, name, Some(&rules), &series), Resolved::Iana("Europe/Berlin".into()));
    assert_eq!(
        resolve(&zones, name, Some(&rules), &once("2030-07-01T09:00:00")),
        Resolved::Iana("Europe/Berlin".into())
    );
    // One offset without any change is not such a list: somebody means winter time all year.
    assert_eq!(resolve(&zones, name, Some(&constant()), &series), Resolved::Iana("Etc/GMT-1".into()));
    assert_eq!(
        resolve(&zones, name, Some(&constant()), &once("2026-12-01T09:00:00")),
        Resolved::Iana("Europe/Berlin".into())
    );
}

#[test]
fn an_offset_that_the_name_states_is_a_zone_where_nothing_else_is_said() {
    let zones = SystemZones::in_folder(None);
    let series = endless("2026-01-05T09:00:00");
    for (name, zone) in [
        ("GMT+0100", "Etc/GMT-1"),
        ("UTC+01:00", "Etc/GMT-1"),
        ("UTC+1", "Etc/GMT-1"),
        ("-0800", "Etc/GMT+8"),
        ("GMT+0530", "Asia/Kolkata"),
        ("UTC-00:00", "Etc/UTC"),
        // A Windows name, and no offset.
        ("UTC-11", "Etc/GMT+11"),
    ] {
        assert_eq!(resolve(&zones, name, None, &series), Resolved::Iana(zone.into()), "{name}");
    }
    for name in ["GMT+1", "GMT-1", "UTC+25", "UTC+1x", "+", "UTC+01:0"] {
        assert_eq!(resolve(&zones, name, None, &series), Resolved::Unknown, "{name}");
    }
    let custom = resolve(&zones, "UTC+01:07", None, &series);
    assert!(
        matches!(&custom, Resolved::Custom { rules, .. } if rules.offset_at(rules.to_utc(series.from)) == 4020),
        "{custom:?}"
    );
}

#[test]
fn equality_looks_at_each_change_and_not_at_samples() {
    // The same but for one hour in the night of the change.
    let early =
        definition("16010101T010000", ["+0100", "+0200"], "BYDAY=-1SU;BYMONTH=3", "BYDAY=-1SU;BYMONTH=10;BYHOUR=3");
    let usual = european();
    assert!(usual.same_over(&usual.clone(), &endless("2026-01-01T00:00:00")));
    assert!(!usual.same_over(&early, &endless("2026-01-01T00:00:00")));
    assert!(
        usual.same_over(&early, &Span { from: time("2026-04-01T00:00:00"), until: Some(time("2027-03-01T00:00:00")) })
    );
    assert_eq!(find(&SystemZones::in_folder(None), &early, &endless("2026-01-01T00:00:00")), None);
}
