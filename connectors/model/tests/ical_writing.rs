//! A calendar edited by somebody else than its writer keeps every line that did not change, and cannot be tricked into more.

mod common;

use common::{calendar_lens, fixture, fixtures, identity};
use serde_json::{Value, json};
use twofold_model::contentline::File;
use twofold_model::event::{added, alert_identity, excluded, key, override_of, settled, unchanged};
use twofold_model::ical::check_whole;
use twofold_model::{Content, ErrorKind, Lens, Rendering};

/// Edits a calendar and gives the lines that went and those that came, unfolded, and the bytes.
fn edit(bytes: &[u8], change: impl FnOnce(&mut Value)) -> (Vec<String>, Vec<String>, Vec<u8>) {
    let lens = calendar_lens();
    let before = Rendering(bytes.to_vec());
    let mut content = lens.read(&before).unwrap().to_value();
    change(&mut content);
    let content = settled(&Content::from_value(content)).into_owned();
    let after = lens.write(Some(&before), &content, &identity()).unwrap();
    assert_eq!(lens.read(&after).unwrap(), content, "{}", String::from_utf8_lossy(after.as_bytes()));
    assert!(check_whole(after.as_bytes()).is_ok());
    let lines = |bytes: &[u8]| -> Vec<(Vec<u8>, String)> {
        let file = File::parse(bytes).unwrap();
        (0..file.len())
            .map(|i| (file.raw(i).to_vec(), String::from_utf8_lossy(&file.unfolded(i)).into_owned()))
            .collect()
    };
    let (old, new) = (lines(bytes), lines(after.as_bytes()));
    let gone = old.iter().filter(|line| !new.contains(line)).map(|line| line.1.clone()).collect();
    let come = new.iter().filter(|line| !old.contains(line)).map(|line| line.1.clone()).collect();
    (gone, come, after.0)
}

fn event(lines: &str) -> Vec<u8> {
    format!("BEGIN:VCALENDAR\nVERSION:2.0\nBEGIN:VEVENT\nUID:x\n{lines}\nEND:VEVENT\nEND:VCALENDAR\n").into_bytes()
}

#[test]
fn an_edit_of_nothing_gives_the_same_bytes() {
    let lens = calendar_lens();
    let whole = fixtures()
        .into_iter()
        .filter(|(_, bytes)| check_whole(bytes).is_ok())
        .map(|(name, bytes)| (name, Rendering(bytes)));
    let read = whole.filter_map(|(name, rendering)| Some((name, lens.read(&rendering).ok()?, rendering)));
    let mut count = 0;
    for (name, content, rendering) in read {
        assert!(lens.write(Some(&rendering), &content, &identity()).unwrap() == rendering, "{name}");
        count += 1;
    }
    assert_eq!(count, 5);
}

#[test]
fn a_changed_text_keeps_its_parameters() {
    let (gone, come, after) =
        edit(&fixture("series-exchange.ics"), |event| event["locations"]["location"]["name"] = json!("Room 4; left"));
    assert_eq!(
        gone,
        ["LOCATION;LANGUAGE=en-GB:Room 3", "LOCATION;LANGUAGE=en-GB:Room 3"],
        "of the changed occurrence too"
    );
    assert_eq!(come, ["LOCATION;LANGUAGE=en-GB:Room 4\\; left", "LOCATION;LANGUAGE=en-GB:Room 4\\; left"]);
    assert!(!after.windows(2).any(|pair| pair[1] == b'\n' && pair[0] != b'\r'), "line ends are those of the file");
    let (gone, come, _) = edit(&fixture("series-exchange.ics"), |event| event["title"] = json!("Engine meeting"));
    assert_eq!((gone.len(), come.len()), (0, 0));
}

#[test]
fn a_moved_event_keeps_the_form_of_its_times() {
    let moved = |event: &mut Value| event["start"] = json!("2026-03-09T14:00:00");
    let (gone, come, _) =
        edit(&event("DTSTART;X-A=1;TZID=W. Europe Standard Time:20260302T100000\nDURATION:PT1H"), moved);
    assert_eq!(gone, ["DTSTART;X-A=1;TZID=W. Europe Standard Time:20260302T100000"]);
    assert_eq!(come, ["DTSTART;X-A=1;TZID=W. Europe Standard Time:20260309T140000"]);
    let (_, come, _) = edit(&event("DTEND:20260302T110000Z\nDTSTART:20260302T100000Z"), moved);
    assert_eq!(come, ["DTEND:20260309T150000Z", "DTSTART:20260309T140000Z"]);
    let longer = |event: &mut Value| event["duration"] = json!("PT2H");
    let (_, come, _) = edit(&event("DTSTART:20260302T100000Z\nDURATION;X-B=2:PT60M"), longer);
    assert_eq!(come, ["DURATION;X-B=2:PT2H"]);
    let (_, come, _) = edit(&event("DTSTART:20260302T100000Z"), longer);
    assert_eq!(come, ["DTEND:20260302T120000Z"]);
    let (gone, come, _) = edit(&event("DTSTART:20260302T100000Z\nDTEND:20260302T100000Z"), moved);
    assert_eq!((gone.len(), come.len()), (2, 1), "an end that was none goes: {gone:?} {come:?}");
}

#[test]
fn an_event_that_becomes_all_day_or_gets_a_zone_has_new_forms() {
    let all_day = |event: &mut Value| {
        let times = json!({"start": "2026-03-09T00:00:00", "showWithoutTime": true, "duration": "P1D"});
        event.as_object_mut().unwrap().shift_remove("timeZone");
        event.as_object_mut().unwrap().extend(times.as_object().unwrap().clone());
    };
    let (_, come, _) = edit(
        &event(
            "DTSTART;TZID=Europe/London:20260302T100000\nDTEND;TZID=Europe/London:20260302T110000\nX-MICROSOFT-CDO-ALLDAYEVENT:FALSE",
        ),
        all_day,
    );
    assert_eq!(come, ["DTSTART;VALUE=DATE:20260309", "DTEND;VALUE=DATE:20260310"]);
    let (_, come, after) =
        edit(&event("DTSTART;VALUE=DATE:20260302\nRRULE:FREQ=DAILY\nEXDATE;VALUE=DATE:20260303,20260304"), |event| {
            event["showWithoutTime"] = Value::Null;
            event["timeZone"] = json!("Europe/Berlin");
            event["start"] = json!("2026-03-02T09:00:00");
            event["duration"] = json!("PT1H");
            event["recurrenceOverrides"] = json!({"2026-03-03T09:00:00": excluded()});
        });
    let of_event: Vec<&str> =
        come.iter().map(String::as_str).filter(|line| line.starts_with("DT") || line.starts_with("EX")).collect();
    assert!(of_event.contains(&"DTSTART;TZID=Europe/Berlin:20260302T090000"), "{of_event:?}");
    assert!(of_event.contains(&"DTEND;TZID=Europe/Berlin:20260302T100000"), "{of_event:?}");
    let text = String::from_utf8(after).unwrap();
    assert!(text.find("BEGIN:VTIMEZONE").unwrap() < text.find("BEGIN:VEVENT").unwrap(), "{text}");
    assert!(text.contains("EXDATE;VALUE=DATE:20260303\n"), "a bare day still says it: {text}");
}

#[test]
fn rules_and_dates_change_item_by_item() {
    let series = event(
        "DTSTART;TZID=Europe/Berlin:20260302T100000\nRRULE:BYDAY=MO,WE;WKST=MO;FREQ=WEEKLY\nRRULE:FREQ=YEARLY\nEXDATE;TZID=Europe/Berlin:20260304T100000,20260309T100000\nEXDATE:20260311T090000Z\nX-A:1",
    );
    let (gone, come, _) = edit(&series, |event| {
        event["recurrenceOverrides"].as_object_mut().unwrap().shift_remove("2026-03-09T10:00:00");
        event["recurrenceOverrides"]["2026-03-16T10:00:00"] = excluded();
        event["recurrenceOverrides"]["2026-03-17T10:00:00"] = added();
    });
    assert_eq!(gone, ["EXDATE;TZID=Europe/Berlin:20260304T100000,20260309T100000"]);
    assert_eq!(
        come,
        [
            "RDATE;TZID=Europe/Berlin:20260317T100000",
            "EXDATE;TZID=Europe/Berlin:20260304T100000",
            "EXDATE;TZID=Europe/Berlin:20260316T100000",
        ]
    );
    let (gone, come, _) = edit(&series, |event| {
        event["recurrenceRules"][0] = json!({"frequency": "monthly", "until": "2026-12-01T10:00:00"})
    });
    assert_eq!(gone.len(), 1);
    assert_eq!(come, ["RRULE:FREQ=MONTHLY;UNTIL=20261201T090000Z"]);
    let (gone, come, _) =
        edit(&series, |event| drop(event.as_object_mut().unwrap().shift_remove("recurrenceOverrides")));
    assert_eq!((gone.len(), come.len()), (2, 0));
}

#[test]
fn occurrences_are_changed_added_and_taken_back() {
    let series = fixture("series-exchange.ics");
    let on = "2026-06-01T10:00:00";
    let (gone, come, after) = edit(&series, |event| {
        let content = Content::from_value(event.clone());
        let mut wanted = unchanged(&content, on);
        wanted.set("title", json!("Picnic"));
        event["recurrenceOverrides"][on] = override_of(&content, on, &wanted, false);
    });
    assert_eq!(gone, [] as [&str; 0]);
    for line in ["RECURRENCE-ID;TZID=W. Europe Standard Time:20260601T100000", "SUMMARY:Picnic"] {
        assert!(come.iter().any(|own| own == line), "{line} in {come:?}");
    }
    let text = String::from_utf8(after).unwrap();
    assert_eq!(text.matches("BEGIN:VTIMEZONE").count(), 1);
    assert_eq!(text.matches("UID:040000008200E00074C5B7101A82E00800000000\r\n").count(), 3);
    let (gone, come, after) = edit(&series, |event| event["recurrenceOverrides"]["2026-03-16T10:00:00"] = excluded());
    assert!(gone.contains(&"RECURRENCE-ID;TZID=W. Europe Standard Time:20260316T100000".to_owned()));
    assert_eq!(come, ["EXDATE;TZID=W. Europe Standard Time:20260316T100000"]);
    assert_eq!(String::from_utf8(after).unwrap().matches("BEGIN:VEVENT").count(), 1);
    let (_, come, _) = edit(&series, |event| {
        let patch = event["recurrenceOverrides"]["2026-03-16T10:00:00"].as_object_mut().unwrap();
        patch.insert("title".into(), json!("Later"));
        patch.shift_remove(&format!("participants/{}/participationStatus", key("charles@engines.example")));
    });
    assert_eq!(come[1..], ["SUMMARY;LANGUAGE=en-GB:Later"]);
    assert!(come[0].starts_with("ATTENDEE;ROLE=REQ-PARTICIPANT;RSVP=TRUE;CN=Charles Babbage:"), "{come:?}");
}

#[test]
fn an_answer_changes_one_parameter() {
    let series = fixture("series-exchange.ics");
    let (gone, come, _) = edit(&series, |event| {
        event["participants"][key("charles@engines.example")]["participationStatus"] = json!("accepted");
    });
    assert_eq!(
        gone,
        [
            "ATTENDEE;ROLE=REQ-PARTICIPANT;PARTSTAT=NEEDS-ACTION;RSVP=TRUE;CN=Charles Babbage:mailto:charles@engines.example"
        ]
    );
    assert_eq!(
        come,
        ["ATTENDEE;ROLE=REQ-PARTICIPANT;RSVP=TRUE;CN=Charles Babbage;PARTSTAT=ACCEPTED:mailto:charles@engines.example"]
    );
    let lines =
        "DTSTART:20260301T090000Z\nATTENDEE;X-NUM-GUESTS=0;CUTYPE=INDIVIDUAL:mailto:a@x\nORGANIZER;X-B=1:MAILTO:A@x";
    let (_, come, _) = edit(&event(lines), |event| {
        let mut me = event["participants"].as_object_mut().unwrap().shift_remove(&key("a@x")).unwrap();
        me["email"] = json!("b@x");
        event["participants"][key("b@x")] = me;
    });
    assert_eq!(come, ["ATTENDEE;X-NUM-GUESTS=0;CUTYPE=INDIVIDUAL:mailto:b@x", "ORGANIZER;X-B=1:mailto:b@x"]);
}

#[test]
fn an_alarm_that_is_moved_keeps_what_it_says() {
    let dinner = fixture("apple.ics");
    let (gone, come, _) = edit(&dinner, |event| {
        let alerts = event["alerts"].as_object_mut().unwrap();
        alerts.shift_remove(&key(&alert_identity(&json!({"trigger": {"offset": "-PT1H"}})))).unwrap();
        let later = json!({"trigger": {"offset": "-PT30M"}});
        alerts.insert(key(&alert_identity(&later)), later);
    });
    assert_eq!((gone, come), (vec!["TRIGGER:-PT1H".to_owned()], vec!["TRIGGER:-PT30M".to_owned()]));
    let (gone, come, _) = edit(&dinner, |event| event["alerts"] = Value::Null);
    assert_eq!(come, [] as [&str; 0]);
    assert!(
        gone.contains(&"UID:11111111-2222-3333-4444-555555555555".to_owned())
            && !gone.contains(&"ACTION:NONE".to_owned())
    );
    let (gone, come, _) = edit(&dinner, |event| {
        let alert = event["alerts"]
            .as_object_mut()
            .unwrap()
            .values_mut()
            .find(|alert| alert.get("iCalProps").is_some())
            .unwrap();
        let lines = alert["iCalProps"].as_object_mut().unwrap();
        lines.retain(|_, entry| !entry["line"].as_str().unwrap().starts_with("REPEAT"));
    });
    assert_eq!((gone, come), (vec!["REPEAT:2".to_owned()], vec![]));
}

#[test]
fn an_alarm_before_the_end_says_so_until_it_is_one_before_the_start() {
    let text =
        event("DTSTART:20260301T090000Z\nBEGIN:VALARM\nTRIGGER;X-A=1;RELATED=END:-PT300S\nACTION:DISPLAY\nEND:VALARM");
    let before_end = json!({"trigger": {"offset": "-PT5M", "relativeTo": "end"}});
    let content = calendar_lens().read(&Rendering(text.clone())).unwrap();
    assert_eq!(content.get("alerts"), Some(&json!({key(&alert_identity(&before_end)): before_end})));
    let fresh = calendar_lens().write(None, &content, &identity()).unwrap();
    assert!(String::from_utf8(fresh.0).unwrap().contains("TRIGGER;RELATED=END:-PT5M\r\n"));
    let (_, come, _) = edit(&text, |event| {
        let before_start = json!({"trigger": {"offset": "-PT5M"}});
        event["alerts"] = json!({key(&alert_identity(&before_start)): before_start});
    });
    assert_eq!(come, ["TRIGGER;X-A=1:-PT300S"]);
}

#[test]
fn an_override_that_changes_nothing_is_not_said_a_second_time() {
    let one = "BEGIN:VEVENT\nUID:x\nRECURRENCE-ID:20260302T090000Z\nDTSTART:20260302T090000Z\nEND:VEVENT\n";
    let master = "BEGIN:VEVENT\nUID:x\nDTSTART:20260301T090000Z\nRRULE:FREQ=DAILY\nEND:VEVENT\n";
    let series = format!("BEGIN:VCALENDAR\nVERSION:2.0\n{master}{one}END:VCALENDAR\n").into_bytes();
    let (gone, come, _) = edit(&series, |event| {
        assert_eq!(event["recurrenceOverrides"], json!({"2026-03-02T09:00:00": added()}));
        event["recurrenceOverrides"]["2026-03-05T09:00:00"] = excluded();
    });
    assert_eq!((gone, come), (vec![], vec!["EXDATE:20260305T090000Z".to_owned()]));
}

#[test]
fn html_and_its_text_change_together() {
    let (gone, come, _) = edit(&fixture("floating.ics"), |event| {
        event["description"] = json!("<p>Blue &amp; <i>green</i></p>");
    });
    assert_eq!(
        (gone.len(), come.clone()),
        (
            2,
            vec![
                "X-ALT-DESC;FMTTYPE=text/html:<p>Blue &amp\\; <i>green</i></p>".to_owned(),
                "DESCRIPTION:Blue & green".to_owned()
            ]
        )
    );
    let (gone, come, _) = edit(&fixture("floating.ics"), |event| {
        event["description"] = json!("Plain");
        event["descriptionContentType"] = Value::Null;
    });
    assert_eq!((gone.len(), come), (2, vec!["DESCRIPTION:Plain".to_owned()]), "a twin that says something else goes");
}

#[test]
fn lists_and_empty_lines_are_used_again() {
    let text = event("DTSTART:20260301T090000Z\nCATEGORIES;X=1:a\\,b, c ,d\nCATEGORIES:e\nLOCATION:\nURL:");
    let (gone, come, _) = edit(&text, |event| {
        event["keywords"].as_object_mut().unwrap().shift_remove("c");
        event["keywords"]["f;g"] = json!(true);
        event["locations"] = json!({"location": {"name": "Here"}});
    });
    assert_eq!(gone, ["CATEGORIES;X=1:a\\,b, c ,d", "CATEGORIES:e", "LOCATION:"]);
    assert_eq!(come, ["CATEGORIES;X=1:a\\,b,d", "CATEGORIES:e,f\\;g", "LOCATION:Here"]);
}

#[test]
fn occurrences_without_master_stay_so_and_get_one() {
    let guest = fixture("guest-of-two.ics");
    let (gone, come, _) =
        edit(&guest, |event| event["recurrenceOverrides"]["2026-03-10T09:00:00"]["title"] = json!("Once more"));
    assert_eq!((gone, come), (vec!["SUMMARY:Again".to_owned()], vec!["SUMMARY:Once more".to_owned()]));
    let (gone, _, _) = edit(&guest, |event| {
        drop(event["recurrenceOverrides"].as_object_mut().unwrap().shift_remove("2026-03-03T09:00:00"))
    });
    assert!(gone.contains(&"SUMMARY:Only you and me".to_owned()));
    let (gone, come, after) = edit(&guest, |event| {
        event["start"] = json!("2026-03-03T09:00:00");
        event["timeZone"] = json!("Etc/UTC");
        event["title"] = json!("All of them");
        event["recurrenceRules"] = json!([{"frequency": "weekly"}]);
        let overrides = event["recurrenceOverrides"].as_object_mut().unwrap();
        overrides.shift_remove("2026-03-03T09:00:00");
        overrides["2026-03-10T09:00:00"].as_object_mut().unwrap().shift_remove("recurrenceIdTimeZone");
    });
    assert!(come.contains(&"RRULE:FREQ=WEEKLY".to_owned()) && !gone.contains(&"SUMMARY:Again".to_owned()));
    assert_eq!(String::from_utf8(after).unwrap().matches("BEGIN:VEVENT").count(), 2);
    let lens = calendar_lens();
    let error =
        lens.write(Some(&Rendering(guest)), &Content::from_value(json!({"title": "?"})), &identity()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Refused);
}

#[test]
fn an_override_for_all_that_follows_stays_byte_for_byte() {
    let (gone, come, _) = edit(&fixture("all-day.ics"), |event| event["title"] = json!("Free days"));
    assert_eq!((gone, come), (vec!["SUMMARY:Days off".to_owned()], vec!["SUMMARY:Free days".to_owned()]));
    let (gone, come, _) = edit(&fixture("all-day.ics"), |event| event["iCalOverrides"] = Value::Null);
    assert!(come.is_empty() && gone.contains(&"RECURRENCE-ID;RANGE=THISANDFUTURE;VALUE=DATE:20260916".to_owned()));
}

#[test]
fn what_icalendar_cannot_say_is_carried_and_goes_when_it_is_gone() {
    let text = event("DTSTART:20260301T090000Z\nSUMMARY:x");
    let (_, come, after) =
        edit(&text, |event| event["locations"] = json!({"location": {"name": "A"}, "location-2": {"name": "B"}}));
    assert_eq!(come.len(), 2);
    assert!(come[1].starts_with("X-TWOFOLD-CARRY:"), "{come:?}");
    let (gone, _, _) =
        edit(&after, |event| drop(event["locations"].as_object_mut().unwrap().shift_remove("location-2")));
    assert_eq!(gone.len(), 1);
    // Somebody who knows no carry-all changes the place: theirs counts, and the second one stays.
    let changed = String::from_utf8(after).unwrap().replace("LOCATION:A", "LOCATION:C");
    let content = calendar_lens().read(&Rendering::from(changed)).unwrap();
    assert_eq!(content.get("locations"), Some(&json!({"location": {"name": "C"}, "location-2": {"name": "B"}})));
}

#[test]
fn what_an_event_may_say_once_is_said_once() {
    let page = |uri: &str| (key(uri), json!({"href": uri}));
    let owner = |email: &str| (key(email), json!({"email": email, "roles": {"owner": true}}));
    let pages: serde_json::Map<_, _> = ["https://a", "https://b"].map(page).into_iter().collect();
    let owners: serde_json::Map<_, _> = ["a@x", "b@x"].map(owner).into_iter().collect();
    let content = Content::from_value(json!({"start": "2026-03-01T09:00:00", "links": pages, "participants": owners}));
    let lens = calendar_lens();
    let fresh = lens.write(None, &content, &identity()).unwrap();
    let onto = lens.write(Some(&Rendering(event("DTSTART:20260301T090000"))), &content, &identity()).unwrap();
    for written in [fresh, onto] {
        let text = String::from_utf8(written.0.clone()).unwrap();
        for line in ["\nURL", "\nORGANIZER", "\nX-TWOFOLD-CARRY"] {
            assert_eq!(text.matches(line).count(), 1, "{line}: {text}");
        }
        assert_eq!(lens.read(&written).unwrap(), content);
    }
}

#[test]
fn keys_that_the_place_would_not_give_are_stated() {
    let text =
        event("DTSTART:20260301T090000Z\nATTENDEE:mailto:a@x\nBEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:-PT5M\nEND:VALARM");
    let alert = key(&alert_identity(&json!({"trigger": {"offset": "-PT5M"}})));
    let (_, come, after) = edit(&text, |event| {
        event["participants"][key("a@x")]["email"] = json!("b@x");
        event["alerts"][&alert]["trigger"]["offset"] = json!("-PT6M");
    });
    assert_eq!(
        come,
        [
            format!("ATTENDEE;X-TWOFOLD-KEY={}:mailto:b@x", key("a@x")),
            format!("X-TWOFOLD-KEY:{alert}"),
            "TRIGGER:-PT6M".into()
        ]
    );
    let (gone, come, _) = edit(&after, |event| {
        event["participants"] = json!({key("c@x"): {"email": "c@x", "roles": {"attendee": true}}});
        let later = json!({"trigger": {"offset": "-PT7M"}});
        event["alerts"] = json!({key(&alert_identity(&later)): later});
    });
    assert_eq!((gone.len(), come), (3, vec!["ATTENDEE:mailto:c@x".to_owned(), "TRIGGER:-PT7M".to_owned()]));
}

#[test]
fn no_text_adds_a_line() {
    let lens = calendar_lens();
    let bad = "x\r\nEND:VEVENT\nBEGIN:VEVENT\rUID:y\u{0}\u{85}\u{2028}";
    let content = Content::from_value(json!({
        "start": "2026-03-01T09:00:00", "timeZone": format!("/{bad}"), "title": bad, "description": bad, "color": bad, "status": bad, "privacy": bad,
        "freeBusyStatus": bad, "descriptionContentType": bad, "locations": {"location": {"name": bad, "coordinates": format!("geo:1,{bad}")}},
        "links": {"a": {"href": bad}, "b": {"href": "https://x", "rel": "enclosure", "contentType": bad, "title": bad}},
        "virtualLocations": {"a": {"uri": bad}, "b": {"uri": "https://x", "name": bad, "features": {bad: true}}},
        "keywords": {bad: true}, "relatedTo": {bad: {"relation": {bad: true}}},
        "participants": {"a": {"email": bad}, "b": {"email": "b@x", "name": bad, "kind": bad, "participationStatus": bad, "roles": {bad: true}, "sentBy": bad, "delegatedTo": {bad: true}}},
        "alerts": {"a": {"trigger": {"offset": bad}}, "b": {"trigger": {"offset": "PT1H"}, "action": bad, "iCalProps": {"x": {"line": bad}}}},
        "iCalProps": {"a": {"line": bad}, "b": {"line": format!("X-A:{bad}")}, "c": {"line": "END:VEVENT"}},
        "iCalComponents": {"a": {"component": bad}, "b": {"component": "BEGIN:X\nEND:X\nEND:VEVENT\nBEGIN:VEVENT"},
            "c": {"component": "BEGIN:X\nEND:X\nEND:VEVENT"}, "d": {"component": "X-A:1\nBEGIN:X\nEND:X"}, "e": {"component": "BEGIN:X\nBEGIN:Y\nEND:X"},
            "f": {"component": "BEGIN:VEVENT\nEND:VEVENT"}},
        "iCalOverrides": {"a": {"component": bad}}, "timeZones": {format!("/{bad}"): {"component": bad}},
        "recurrenceRules": [{"frequency": bad}], "recurrenceOverrides": {bad: {"title": bad}},
    }));
    let content = settled(&content).into_owned();
    let fresh = lens.write(None, &content, &identity()).unwrap();
    assert_eq!(lens.read(&fresh).unwrap(), content, "{}", String::from_utf8_lossy(fresh.as_bytes()));
    let file = File::parse(fresh.as_bytes()).unwrap();
    let names: Vec<&str> = file.components().iter().map(|component| component.name.as_str()).collect();
    assert_eq!(names, ["VCALENDAR", "VEVENT"], "{}", String::from_utf8_lossy(fresh.as_bytes()));
}

#[test]
fn calendars_in_other_encodings_stay_so() {
    let text = String::from_utf8(event("DTSTART:20260301T090000Z\nSUMMARY:é")).unwrap();
    let wide: Vec<u8> = std::iter::once(0xFEFF).chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let lens = calendar_lens();
    let mut content = lens.read(&Rendering(wide.clone())).unwrap();
    assert_eq!(content.get("title"), Some(&json!("é")));
    content.set("title", json!("ü"));
    let written = lens.write(Some(&Rendering(wide)), &content, &identity()).unwrap();
    assert!(written.as_bytes().starts_with(b"\xff\xfe"));
    assert_eq!(lens.read(&written).unwrap(), content);
    let ansi = Rendering(
        event("DTSTART:20260301T090000Z\nSUMMARY:caf\u{fffd}")
            .iter()
            .copied()
            .filter(|b| !matches!(b, 0xEF | 0xBF))
            .map(|b| if b == 0xBD { 0xE9 } else { b })
            .collect(),
    );
    assert_eq!(lens.read(&ansi).unwrap().get("title"), Some(&json!("café")));
}
