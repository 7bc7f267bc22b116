//! What calendars of several programs are read as, whatever form their dates, zones and people have.

mod common;

use common::{BundledZones, calendar_lens, fixture, identity};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use twofold_model::event::{added, excluded, key, occurrence};
use twofold_model::ical::{IcalLens, mark_of, uid_of};
use twofold_model::zone::{Rules, Zones};
use twofold_model::{Content, ErrorKind, Identity, Lens, Mark, Rendering};

fn calendar(lines: &str) -> Rendering {
    Rendering::from(format!("BEGIN:VCALENDAR\nVERSION:2.0\n{lines}\nEND:VCALENDAR\n"))
}

fn event(lines: &str) -> Rendering {
    calendar(&format!("BEGIN:VEVENT\nUID:x\n{lines}\nEND:VEVENT"))
}

fn read(rendering: &Rendering) -> Content {
    calendar_lens().read(rendering).unwrap()
}

/// One member of an event with these lines.
fn member(lines: &str, member: &str) -> Value {
    read(&event(lines)).get(member).cloned().unwrap_or_default()
}

fn overrides(content: &Content) -> Value {
    content.get("recurrenceOverrides").cloned().unwrap_or_default()
}

#[test]
fn a_series_of_exchange_is_one_item_with_its_changed_occurrence() {
    let series = read(&Rendering(fixture("series-exchange.ics")));
    assert_eq!(series.get("timeZone"), Some(&json!("Europe/Berlin")), "a Windows name is resolved");
    let rule = json!({"frequency": "weekly", "until": "2026-10-26T23:59:59"});
    assert_eq!(series.get("recurrenceRules"), Some(&json!([rule])), "UNTIL is turned into the series' zone");
    let charles = format!("participants/{}/participationStatus", key("charles@engines.example"));
    let moved = json!({"start": "2026-03-17T14:00:00", "title": "Engine meeting (moved)", charles: "declined"});
    assert_eq!(
        overrides(&series),
        json!({"2026-03-16T10:00:00": moved, "2026-04-06T10:00:00": excluded(), "2026-05-25T10:00:00": excluded()})
    );
    let changed = occurrence(&series, "2026-03-16T10:00:00").unwrap();
    assert_eq!(changed.get("duration"), Some(&json!("PT1H30M")));
    let room = json!({
        "email": "room3@engines.example", "name": "Room 3, upstairs", "kind": "location", "participationStatus": "accepted",
        "roles": {"attendee": true, "optional": true},
    });
    assert_eq!(series.at(&["participants", &key("room3@engines.example")]), Some(&room));
    assert_eq!(series.get("freeBusyStatus"), None);
    assert_eq!(series.get("status"), None);
}

#[test]
fn an_event_of_apple_keeps_what_only_apple_says() {
    let dinner = read(&Rendering(fixture("apple.ics")));
    let place = json!({"name": "Mary’s house\n12 Soho Square\nLondon", "coordinates": "geo:51.5152,-0.1323"});
    assert_eq!(dinner.get("locations"), Some(&json!({"location": place})));
    assert_eq!(dinner.get("keywords"), Some(&json!({"Friends": true, "Food, good": true, "London": true})));
    let alerts = dinner.get("alerts").and_then(Value::as_object).unwrap();
    assert_eq!(alerts.len(), 2, "ACTION:NONE is no alert");
    assert!(alerts.values().any(|alert| *alert == json!({"trigger": {"offset": "-PT1H"}})));
    let links = dinner.get("links").and_then(Value::as_object).unwrap();
    assert!(links.values().any(|link| *link == json!({"href": "https://dinner.example/mary?x=1,2"})));
    let lines = dinner.get("iCalProps").and_then(Value::as_object).unwrap();
    assert_eq!(lines.len(), 2, "{lines:?}");
}

#[test]
fn all_day_series_are_days_in_whatever_form_their_dates_stand() {
    let days = read(&Rendering(fixture("all-day.ics")));
    assert_eq!(days.get("showWithoutTime"), Some(&json!(true)));
    assert_eq!(days.get("duration"), Some(&json!("P2D")));
    assert_eq!(days.at(&["recurrenceRules"]).unwrap()[0]["until"], json!("2026-12-31T23:59:59"));
    assert_eq!(
        overrides(&days),
        json!({
            "2026-05-01T00:00:00": added(), "2026-05-02T00:00:00": added(),
            "2026-06-17T00:00:00": excluded(), "2026-07-15T00:00:00": excluded(),
        })
    );
    let unread = days.get("iCalOverrides").and_then(Value::as_object).unwrap();
    let text = unread.values().next().unwrap()["component"].as_str().unwrap();
    assert!(text.contains("RANGE=THISANDFUTURE") && !text.contains("UID"), "kept, not read: {text}");
}

/// All-day events shifted: an end that is missing, or is the start, is how several programs write one day (RFC 5545 3.6.1).
#[test]
fn a_whole_day_is_that_day_however_its_end_is_written() {
    for end in [
        "",
        "DTEND;VALUE=DATE:20260329\n",
        "DTEND;VALUE=DATE:20260330\n",
        "DTEND;VALUE=DATE:20260328\n",
        "DURATION:P1D\n",
        "DURATION:PT24H\n",
        "DURATION:PT0S\n",
    ] {
        let file = event(&format!("DTSTART;VALUE=DATE:20260329\n{end}SUMMARY:Fair"));
        let day = read(&file);
        assert_eq!(
            (day.get("start"), day.get("duration"), day.get("showWithoutTime"), day.get("timeZone")),
            (Some(&json!("2026-03-29T00:00:00")), Some(&json!("P1D")), Some(&json!(true)), None),
            "{end}"
        );
        // A new title leaves the form of the times as it is; another day, and two days, are what was wished for.
        for (member, value) in
            [("title", json!("Trip")), ("start", json!("2026-10-25T00:00:00")), ("duration", json!("P2D"))]
        {
            let mut wanted = day.clone();
            wanted.set(member, value);
            let edited = calendar_lens().write(Some(&file), &wanted, &identity()).unwrap();
            assert_eq!(read(&edited), wanted, "{end} {member}");
            let text = String::from_utf8(edited.0).unwrap().replace("\r\n", "\n");
            assert!(
                member != "title" || text.contains(&format!("DTSTART;VALUE=DATE:20260329\n{end}SUMMARY:Trip")),
                "{text}"
            );
        }
    }
}

#[test]
fn occurrences_without_their_master_are_an_item() {
    let guest = read(&Rendering(fixture("guest-of-two.ics")));
    assert_eq!(guest.get("start"), None);
    let first = &overrides(&guest)["2026-03-03T09:00:00"];
    assert_eq!(first["start"], json!("2026-03-03T09:30:00"));
    assert_eq!(first["timeZone"], json!("/Our own; zone"));
    assert_eq!(first["recurrenceIdTimeZone"], json!("/Our own; zone"));
    let second = &overrides(&guest)["2026-03-10T09:00:00"];
    assert_eq!((&second["end"], &second["endTimeZone"]), (&json!("2026-03-10T06:30:00"), &json!("America/New_York")));
    let zone = guest.at(&["timeZones", "/Our own; zone", "component"]).and_then(Value::as_str).unwrap();
    assert!(zone.starts_with("BEGIN:VTIMEZONE\nTZID:Our own; zone\n") && zone.contains("+0137"), "{zone}");
}

#[test]
fn floating_times_periods_and_an_html_twin() {
    let pills = read(&Rendering(fixture("floating.ics")));
    assert_eq!((pills.get("timeZone"), pills.get("duration")), (None, Some(&json!("PT1H30M"))));
    assert_eq!(pills.get("descriptionContentType"), Some(&json!("text/html")), "the twin says the same");
    assert_eq!(
        overrides(&pills),
        json!({
            "2026-06-03T07:00:00": excluded(), "2026-08-01T07:00:00": {"excluded": false, "duration": "PT3H"},
            "2026-08-02T07:00:00": {"excluded": false, "duration": "PT1H"},
        })
    );
    let edited = "DTSTART:20260601T070000\nDESCRIPTION:Blue ones\nX-ALT-DESC;FMTTYPE=text/html:<b>Red</b> ones";
    assert_eq!(member(edited, "description"), json!("Blue ones"), "the text was edited by somebody who knows no HTML");
    assert_eq!(member(edited, "descriptionContentType"), Value::Null);
}

#[test]
fn the_same_event_is_the_same_content_however_it_is_written() {
    let one = read(&event(
        "DTSTART;TZID=Europe/Berlin:20260301T090000\nDTEND;TZID=Europe/Berlin:20260301T100000\nSUMMARY:A\nSTATUS:CONFIRMED\nTRANSP:OPAQUE",
    ));
    for other in [
        "SUMMARY:A\nDURATION:PT60M\nDTSTART;TZID=W. Europe Standard Time:20260301T090000",
        "dtstart;tzid=\"/example.org/20050126_1/Europe/Berlin\":20260301T090000\nDURATION:PT3600S\nSummary;LANGUAGE=de:A\nCLASS:PUBLIC\nPRIORITY:0",
        "DTSTAMP:20260101T000000Z\nSEQUENCE:4\nDTSTART;TZID=Europe/Berlin:20260301T0900\nDTEND;TZID=W. Europe Standard Time:20260301T100000\nSUMM\n ARY:A\nLOCATION:\nDESCRIPTION:  \nX-MICROSOFT-CDO-BUSYSTATUS:BUSY",
    ] {
        assert_eq!(read(&event(other)), one, "{other}");
    }
    let series = "BEGIN:VEVENT\nUID:x\nDTSTART;TZID=Europe/Berlin:20260301T090000\nRRULE:FREQ=DAILY\nEND:VEVENT\n";
    let moved =
        "BEGIN:VEVENT\nUID:x\nRECURRENCE-ID:20260302T080000Z\nDTSTART;TZID=Europe/Berlin:20260302T110000\nEND:VEVENT\n";
    let (master_first, master_last) = (calendar(&format!("{series}{moved}")), calendar(&format!("{moved}{series}")));
    assert_eq!(read(&master_first), read(&master_last));
    assert_eq!(overrides(&read(&master_first)), json!({"2026-03-02T09:00:00": {"start": "2026-03-02T11:00:00"}}));
}

#[test]
fn excluded_dates_name_the_occurrence_in_every_form() {
    for line in [
        "EXDATE;TZID=Europe/Berlin:20260302T090000",
        "EXDATE:20260302T080000Z",
        "EXDATE:20260302T090000",
        "EXDATE;VALUE=DATE:20260302",
        "EXDATE:20260302",
        "EXDATE;TZID=America/New_York:20260302T030000",
        "EXDATE;TZID=W. Europe Standard Time:20260302T090000,",
        "EXDATE:20260302T080000Z\nEXDATE:20260302T080000Z\nEXDATE:",
    ] {
        let series = read(&event(&format!("DTSTART;TZID=Europe/Berlin:20260301T090000\nRRULE:FREQ=DAILY\n{line}")));
        assert_eq!(overrides(&series), json!({"2026-03-02T09:00:00": excluded()}), "{line}");
    }
}

#[test]
fn the_last_day_of_a_rule_is_that_of_the_series_zone() {
    let until = |start: &str, until: &str| {
        let rules = member(&format!("DTSTART{start}\nRRULE:FREQ=DAILY;UNTIL={until}"), "recurrenceRules");
        rules[0]["until"].as_str().unwrap().to_owned()
    };
    let honolulu = ";TZID=Pacific/Honolulu:20260301T220000";
    for (start, text) in [
        (honolulu, "20260311T080000Z"),
        (honolulu, "20260310T220000"),
        (honolulu, "20260310"),
        (":20260301T090000Z", "20260310T090000Z"),
        (";VALUE=DATE:20260301", "20260310"),
        (";VALUE=DATE:20260301", "20260310T000000Z"),
        (";VALUE=DATE:20260301", "20260309T230000Z"),
        (";VALUE=DATE:20260301", "20260311T045959Z"),
    ] {
        assert_eq!(until(start, text), "2026-03-10T23:59:59", "{start} {text}");
    }
    assert_eq!(until(honolulu, "20260311T075959Z"), "2026-03-09T23:59:59", "a second before the last start");
}

#[test]
fn what_must_not_be_guessed_is_not_read() {
    for (lines, word) in [
        ("SUMMARY:x", "DTSTART"),
        ("DTSTART:tomorrow", "DTSTART"),
        ("DTSTART:20260301T090000\nDTEND:later", "DTEND"),
        ("DTSTART:20260301T090000\nDURATION:long", "DURATION"),
        ("DTSTART:20260301T090000\nRRULE:FREQ=SOMETIMES", "FREQ"),
        ("DTSTART:20260301T090000\nRRULE:FREQ=DAILY;X-SKIP=2", "X-SKIP"),
        ("DTSTART:20260301T090000\nEXDATE:never", "EXDATE"),
        ("DTSTART;TZID=Europe/Berlin:20260301T090000\nRRULE:FREQ=DAILY\nEXDATE;TZID=Nowhere:20260301T090000", "EXDATE"),
        ("DTSTART:20260301T090000\nEND:VEVENT\nBEGIN:VEVENT\nUID:x\nDTSTART:20260301T090000", "2 events of one UID"),
        ("RECURRENCE-ID:soon\nDTSTART:20260301T090000", "RECURRENCE-ID"),
    ] {
        let error = calendar_lens().read(&event(lines)).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Malformed, "{lines}");
        assert!(error.message.contains(word), "{lines}: {error}");
    }
    let old = Rendering::from(
        "BEGIN:VCALENDAR\nVERSION:1.0\nBEGIN:VEVENT\nDTSTART:20260301T090000\nEND:VEVENT\nEND:VCALENDAR\n".to_owned(),
    );
    assert!(calendar_lens().read(&old).unwrap_err().message.contains("vCalendar 1.0"));
}

#[test]
fn a_zone_of_the_senders_own_is_found_by_its_rules_or_kept_with_them() {
    let zone = |offset: &str| {
        format!(
            "BEGIN:VTIMEZONE\nTZID:Mine\nBEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:{offset}\nTZOFFSETTO:{offset}\nEND:STANDARD\nEND:VTIMEZONE"
        )
    };
    let series = |offset: &str| {
        let lines = "DTSTART;TZID=Mine:20260301T090000\nRRULE:FREQ=DAILY\nEXDATE:20260302T072300Z";
        read(&calendar(&format!("{}\nBEGIN:VEVENT\nUID:x\n{lines}\nEND:VEVENT", zone(offset))))
    };
    assert_eq!(series("+0530").get("timeZone"), Some(&json!("Asia/Kolkata")));
    let own = series("+0137");
    assert_eq!(own.get("timeZone"), Some(&json!("/Mine")));
    assert_eq!(overrides(&own), json!({"2026-03-02T09:00:00": excluded()}), "its rules are known");
    let fresh = calendar_lens().write(None, &own, &identity()).unwrap();
    let text = String::from_utf8(fresh.0.clone()).unwrap();
    assert!(text.contains("TZOFFSETTO:+0137\r\n") && text.contains("EXDATE;TZID=Mine:20260302T090000\r\n"), "{text}");
    assert_eq!(calendar_lens().read(&fresh).unwrap(), own);
}

/// An hour off: the file's VTIMEZONE has New York's rules from before 2007, and every other program goes by the name.
#[test]
fn an_old_definition_of_a_known_place_does_not_count_and_stays_in_the_file() {
    let part = |name: &str, from: &str, to: &str, start: &str, day: &str, month: u8| {
        format!(
            "BEGIN:{name}\nDTSTART:{start}T020000\nTZOFFSETFROM:{from}\nTZOFFSETTO:{to}\n\
             RRULE:FREQ=YEARLY;BYDAY={day};BYMONTH={month}\nEND:{name}\n"
        )
    };
    let zone = format!(
        "BEGIN:VTIMEZONE\nTZID:US/Eastern\n{}{}END:VTIMEZONE\n",
        part("DAYLIGHT", "-0500", "-0400", "19870405", "1SU", 4),
        part("STANDARD", "-0400", "-0500", "19871025", "-1SU", 10)
    );
    // The 16th of March is summer by the rules of now, and winter by the old ones.
    let lines = "DTSTART;TZID=US/Eastern:20260302T090000\nRRULE:FREQ=WEEKLY\nEXDATE:20260316T130000Z";
    let file = calendar(&format!("{zone}BEGIN:VEVENT\nUID:x\n{lines}\nEND:VEVENT"));
    let series = read(&file);
    assert_eq!((series.get("timeZone"), series.get("timeZones")), (Some(&json!("America/New_York")), None));
    assert_eq!(overrides(&series), json!({"2026-03-16T09:00:00": excluded()}));
    let mut later = series;
    later.set("start", json!("2026-03-02T10:00:00"));
    later.set("recurrenceOverrides", json!({"2026-03-16T10:00:00": excluded()}));
    let edited = calendar_lens().write(Some(&file), &later, &identity()).unwrap();
    let text = String::from_utf8(edited.0.clone()).unwrap().replace("\r\n", "\n");
    assert!(text.contains(&zone) && text.contains("DTSTART;TZID=US/Eastern:20260302T100000\n"), "{text}");
    assert_eq!(read(&edited), later);
}

/// The zones of the world, which count how often all of them are compared.
struct Counted(BundledZones, AtomicUsize);

impl Zones for Counted {
    fn rules(&self, name: &str) -> Option<Arc<Rules>> {
        self.0.rules(name)
    }

    fn names(&self) -> Vec<String> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.names()
    }
}

/// Exchange puts the same nameless definition into each of thousands of files.
#[test]
fn a_definition_without_a_name_is_compared_with_all_zones_once() {
    let zones = Arc::new(Counted(BundledZones, AtomicUsize::new(0)));
    let lens = IcalLens::new(zones.clone());
    let zone = "BEGIN:VTIMEZONE\nTZID:Customized Time Zone\nBEGIN:STANDARD\nDTSTART:19700101T000000\n\
        TZOFFSETFROM:+0137\nTZOFFSETTO:+0137\nEND:STANDARD\nEND:VTIMEZONE";
    for at in 0..100 {
        let day = format!("2026{:02}{:02}", 2 + at % 11, 1 + at % 28);
        let event = format!(
            "BEGIN:VEVENT\nUID:{at}\nDTSTART;TZID=Customized Time Zone:{day}T090000\nRRULE:FREQ=DAILY\nEND:VEVENT"
        );
        let says = lens.read(&calendar(&format!("{zone}\n{event}"))).unwrap();
        assert_eq!(says.get("timeZone"), Some(&json!("/Customized Time Zone")));
    }
    assert_eq!(zones.1.load(Ordering::Relaxed), 1);
}

#[test]
fn in_a_zone_that_nobody_knows_an_instant_stays_one() {
    let lines =
        "DTSTART;TZID=Nowhere:20260301T090000\nRRULE:FREQ=DAILY;UNTIL=20260310T080000Z\nEXDATE:20260302T080000Z";
    let series = read(&event(lines));
    assert_eq!(series.get("timeZone"), Some(&json!("/Nowhere")));
    assert_eq!(overrides(&series), json!({"2026-03-02T08:00:00Z": excluded()}));
    assert_eq!(series.get("recurrenceRules").unwrap()[0]["until"], json!("2026-03-10T08:00:00Z"));
    let fresh = calendar_lens().write(None, &series, &identity()).unwrap();
    assert_eq!(calendar_lens().read(&fresh).unwrap(), series);
    let text = String::from_utf8(fresh.0).unwrap();
    assert!(text.contains("UNTIL=20260310T080000Z") && text.contains("EXDATE:20260302T080000Z"), "{text}");
}

#[test]
fn people_are_read_whole() {
    let lines = "DTSTART:20260301T090000Z\nORGANIZER;CN=Ada;SENT-BY=\"mailto:aide@x\":MAILTO:Ada@x\nATTENDEE;PARTSTAT=ACCEPTED:mailto:ada@x\n\
        ATTENDEE;CUTYPE=GROUP;ROLE=NON-PARTICIPANT;MEMBER=\"mailto:l@x\";DELEGATED-TO=\"mailto:b@x\",\"MAILTO:c@x\":mailto:g@x\n\
        ATTENDEE;EMAIL=p@x;SCHEDULE-AGENT=CLIENT;X-NUM-GUESTS=0:/principals/p";
    let people = member(lines, "participants");
    assert_eq!(
        people,
        json!({
            key("ada@x"): {
                "email": "ada@x", "name": "Ada", "roles": {"owner": true, "attendee": true}, "participationStatus": "accepted",
                "sentBy": "mailto:aide@x",
            },
            key("g@x"): {
                "email": "g@x", "kind": "group", "roles": {"informational": true}, "memberOf": {"mailto:l@x": true},
                "delegatedTo": {"mailto:b@x": true, "mailto:c@x": true},
            },
            key("/principals/p"): {
                "sendTo": {"other": "/principals/p"}, "email": "p@x", "roles": {"attendee": true}, "scheduleAgent": "client",
            },
        })
    );
}

#[test]
fn free_and_busy_have_the_words_of_exchange_too() {
    for (lines, word) in [
        ("TRANSP:OPAQUE", Value::Null),
        ("TRANSP:TRANSPARENT", json!("free")),
        ("X-MICROSOFT-CDO-BUSYSTATUS:FREE", json!("free")),
        ("TRANSP:OPAQUE\nX-MICROSOFT-CDO-BUSYSTATUS:OOF", json!("unavailable")),
        ("X-MICROSOFT-CDO-BUSYSTATUS:TENTATIVE", json!("tentative")),
        ("TRANSP:TRANSPARENT\nX-MICROSOFT-CDO-BUSYSTATUS:OOF", json!("free")),
    ] {
        assert_eq!(member(&format!("DTSTART:20260301T090000Z\n{lines}"), "freeBusyStatus"), word, "{lines}");
    }
}

#[test]
fn a_new_calendar_has_what_every_reader_asks_for() {
    let lens = calendar_lens();
    let mark = Mark { hub: "h1".into(), item: "7".into(), generation: 2 };
    let who = Identity { uid: "a,b;c".into(), mark: Some(mark.clone()) };
    let content =
        Content::from_value(json!({"start": "2026-03-01T09:00:00", "timeZone": "Europe/Berlin", "title": "T"}));
    let fresh = lens.write(None, &content, &who).unwrap();
    let text = String::from_utf8(fresh.0.clone()).unwrap();
    for line in [
        "VERSION:2.0",
        "PRODID:-//twofold//EN",
        "UID:a\\,b\\;c",
        "DTSTAMP:19700101T000000Z",
        "BEGIN:VTIMEZONE",
        "TZID:Europe/Berlin",
    ] {
        assert!(text.lines().any(|own| own == line), "{line}:\n{text}");
    }
    assert_eq!(uid_of(&fresh), Some("a,b;c".into()));
    assert_eq!(mark_of(&fresh), Some(mark));
    assert_eq!(lens.write(None, &content, &who).unwrap(), fresh, "the same content is the same bytes");
    let refused = lens.write(None, &Content::from_value(json!({"title": "T"})), &who).unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Refused);
}

#[test]
fn a_series_that_ends_by_its_count_needs_its_zone_until_then_only() {
    // Rules of New York as they were until 2006.
    let zone = "BEGIN:VTIMEZONE\nTZID:Eastern\n\
                BEGIN:STANDARD\nDTSTART:19671029T020000\nRRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10\n\
                TZOFFSETFROM:-0400\nTZOFFSETTO:-0500\nEND:STANDARD\n\
                BEGIN:DAYLIGHT\nDTSTART:19870405T020000\nRRULE:FREQ=YEARLY;BYDAY=1SU;BYMONTH=4\n\
                TZOFFSETFROM:-0500\nTZOFFSETTO:-0400\nEND:DAYLIGHT\nEND:VTIMEZONE";
    let zone_of = |rule: &str| {
        let event = format!("BEGIN:VEVENT\nUID:x\nDTSTART;TZID=Eastern:20050411T090000\nRRULE:{rule}\nEND:VEVENT");
        read(&calendar(&format!("{zone}\n{event}"))).get("timeZone").cloned().unwrap_or_default()
    };
    assert_eq!(zone_of("FREQ=DAILY;COUNT=5"), "America/New_York");
    assert_eq!(zone_of("FREQ=DAILY;UNTIL=20050415T130000Z"), "America/New_York");
    assert_eq!(zone_of("FREQ=WEEKLY;COUNT=200"), "/Eastern", "it goes on after 2006");
    assert_eq!(zone_of("FREQ=DAILY"), "/Eastern");
}
