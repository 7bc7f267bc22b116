//! The laws of the calendar's lens, over events as Google shows them and events as others say them.

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use twofold_google::calendar::CalendarLens;
use twofold_google::calendar::map::CARRY_LIMIT;
use twofold_google::calendar::rendering::{CARRY_KEY, MARK_KEY, Series, UID_KEY, carried};
use twofold_google::calendar::wire::private;
use twofold_model::event::{insert, insert_as, key};
use twofold_model::{Content, ErrorKind, Identity, Lens, Mark, Rendering, Uid};
use twofold_zones::SystemZones;

fn lens() -> CalendarLens {
    // Zones of the machine would make the tests depend on it.
    CalendarLens::new(Arc::new(SystemZones::in_folder(None)))
}

fn identity() -> Identity {
    Identity { uid: Uid("one@example.org".into()), mark: Mark::parse("hub:item:1") }
}

fn render(value: Value) -> Rendering {
    Rendering::from(value.to_string())
}

fn read(rendering: &Rendering) -> Content {
    lens().read(rendering).unwrap()
}

fn write(onto: Option<&Rendering>, content: &Content) -> Rendering {
    lens().write(onto, content, &identity()).unwrap()
}

fn refusal(onto: Option<&Rendering>, content: &Content) -> String {
    let error = lens().write(onto, content, &identity()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Refused);
    error.to_string()
}

fn json_of(rendering: &Rendering) -> Value {
    serde_json::from_slice(rendering.as_bytes()).unwrap()
}

fn content(value: Value) -> Content {
    Content::from_value(value)
}

fn with(base: &Content, member: &str, value: Value) -> Content {
    let mut content = base.clone();
    content.set(member, value);
    content
}

/// An event as Google shows it, with things that the lens does not read.
fn single() -> Value {
    json!({"event": {
        "kind": "calendar#event", "etag": "\"1\"", "id": "abcde", "status": "confirmed", "iCalUID": "abcde@google.com",
        "summary": "Dentist", "description": "Bring\r\nthe card", "location": "Mill 1, Paris", "colorId": "11",
        "creator": {"email": "me@x.example", "self": true}, "organizer": {"email": "me@x.example", "self": true},
        // Told in another zone than the event's own.
        "start": {"dateTime": "2026-03-20T13:00:00-03:00", "timeZone": "America/Los_Angeles"},
        "end": {"dateTime": "2026-03-20T14:30:00-03:00", "timeZone": "America/Los_Angeles"},
        "visibility": "public", "transparency": "transparent", "sequence": 3, "eventType": "default", "future": {"x": 1},
        "reminders": {"useDefault": false, "overrides": [{"method": "email", "minutes": 1440}, {"method": "popup", "minutes": 10}]},
        "source": {"url": "https://x.example/page", "title": "Page"},
        "attachments": [{"fileUrl": "https://drive.example/1", "title": "Plan", "mimeType": "application/pdf", "iconLink": "i"}],
        "conferenceData": {"entryPoints": [{"entryPointType": "video", "uri": "https://meet.example/abc", "label": "abc"},
                                           {"entryPointType": "phone", "uri": "tel:+1-555", "pin": "1"}], "signature": "s"},
        "hangoutLink": "https://meet.example/abc",
        "extendedProperties": {"private": {"theirs": "1"}, "shared": {"s": "2"}},
    }})
}

fn dentist() -> Value {
    let (meet, tel) = (key("https://meet.example/abc"), key("tel:+1-555"));
    let mut alerts = Map::new();
    insert(&mut alerts, "-P1D|||email", json!({"trigger": {"offset": "-P1D"}, "action": "email"}));
    json!({
        "title": "Dentist", "description": "Bring\nthe card", "locations": {"location": {"name": "Mill 1, Paris"}}, "color": "crimson",
        "start": "2026-03-20T09:00:00", "timeZone": "America/Los_Angeles", "duration": "PT1H30M", "freeBusyStatus": "free",
        "alerts": {
            key(&twofold_model::event::alert_identity(&json!({"trigger": {"offset": "-P1D"}, "action": "email"}))): {"trigger": {"offset": "-P1D"}, "action": "email"},
            key(&twofold_model::event::alert_identity(&json!({"trigger": {"offset": "-PT10M"}}))): {"trigger": {"offset": "-PT10M"}},
        },
        "links": {
            key("https://x.example/page"): {"href": "https://x.example/page", "title": "Page"},
            key("https://drive.example/1"): {"href": "https://drive.example/1", "rel": "enclosure", "title": "Plan", "contentType": "application/pdf"},
        },
        "virtualLocations": {
            meet: {"uri": "https://meet.example/abc", "name": "abc", "features": {"video": true}},
            tel: {"uri": "tel:+1-555", "features": {"phone": true}},
        },
    })
}

/// A weekly series on Tuesdays in Berlin, with a moved, a cancelled and an unchanged exception, and one outside of its dates.
fn series() -> Value {
    let time = |day: &str, clock: &str| json!({"dateTime": format!("{day}T{clock}"), "timeZone": "Europe/Berlin"});
    let row = |day: &str, utc: &str, offset: &str, members: Value| {
        let id = format!("m_{utc}");
        let mut row = json!({
            "id": id, "etag": "\"2\"", "recurringEventId": "m", "originalStartTime": time(day, &format!("09:00:00{offset}")),
            "status": "confirmed", "summary": "Standup", "reminders": {"useDefault": false},
            "start": time(day, &format!("09:00:00{offset}")), "end": time(day, &format!("09:15:00{offset}")),
        });
        members.as_object().unwrap().iter().for_each(|(name, value)| row[name] = value.clone());
        (id, row)
    };
    let rows: Map<String, Value> = [
        row("2026-10-27", "20261027T080000Z", "+01:00", json!({"summary": "Late", "start": time("2026-10-27", "11:00:00+01:00"), "end": time("2026-10-27", "11:15:00+01:00")})),
        row("2026-11-10", "20261110T080000Z", "+01:00", json!({})),
        row("2027-01-05", "20270105T080000Z", "+01:00", json!({"summary": "After the end"})),
    ]
    .into_iter()
    .chain([("m_20261103T080000Z".to_owned(), json!({"id": "m_20261103T080000Z", "etag": "\"3\"", "status": "cancelled",
        "recurringEventId": "m", "originalStartTime": {"dateTime": "2026-11-03T08:00:00Z", "timeZone": "Europe/Berlin"}}))])
    .collect();
    json!({
        "event": {
            "id": "m", "etag": "\"1\"", "status": "confirmed", "summary": "Standup", "iCalUID": "m@google.com", "eventType": "default",
            "start": time("2026-10-20", "09:00:00+02:00"), "end": time("2026-10-20", "09:15:00+02:00"), "reminders": {"useDefault": false},
            "recurrence": ["EXDATE;TZID=Europe/Berlin:20261117T090000", "RRULE:FREQ=WEEKLY;WKST=SU;UNTIL=20261208T225959Z"],
        },
        "exceptions": rows,
    })
}

fn standup() -> Value {
    json!({
        "title": "Standup", "start": "2026-10-20T09:00:00", "timeZone": "Europe/Berlin", "duration": "PT15M",
        "recurrenceRules": [{"frequency": "weekly", "until": "2026-12-08T23:59:59"}],
        "recurrenceOverrides": {
            "2026-10-27T09:00:00": {"start": "2026-10-27T11:00:00", "title": "Late"},
            "2026-11-03T09:00:00": {"excluded": true},
            "2026-11-17T09:00:00": {"excluded": true},
        },
    })
}

/// Somebody's meeting, as it stands in a guest's calendar.
fn invitation() -> Value {
    json!({"event": {
        "id": "inv", "etag": "\"1\"", "status": "confirmed", "iCalUID": "boss@x", "summary": "Review", "eventType": "default",
        "organizer": {"email": "boss@x.example"}, "attendees": [
            {"email": "boss@x.example", "organizer": true, "responseStatus": "accepted"},
            {"email": "me@x.example", "self": true, "responseStatus": "needsAction"}],
        "start": {"date": "2026-05-04"}, "end": {"date": "2026-05-06"}, "reminders": {"useDefault": true},
    }, "defaults": [{"method": "popup", "minutes": 30}]})
}

// ---- examples ---------------------------------------------------------------------------------------------------------

#[test]
fn an_event_reads_as_one() {
    assert_eq!(read(&render(single())), content(dentist()));
}

#[test]
fn a_series_reads_with_its_exceptions() {
    assert_eq!(read(&render(series())), content(standup()));
}

#[test]
fn what_the_calendar_says_counts_for_those_who_lean_on_it() {
    let says = read(&render(invitation()));
    assert_eq!(says.get("start"), Some(&json!("2026-05-04T00:00:00")));
    assert_eq!((says.get("showWithoutTime"), says.get("duration")), (Some(&json!(true)), Some(&json!("P2D"))));
    let alerts = says.get("alerts").unwrap().as_object().unwrap();
    assert_eq!(alerts.values().collect::<Vec<_>>(), [&json!({"trigger": {"offset": "-PT30M"}})]);
    let bare = json!({"event": {"id": "abcde", "start": {"dateTime": "2026-07-01T10:00:00Z"}, "end": {"dateTime": "2026-07-01T11:00:00Z"}},
                      "zone": "Europe/Berlin"});
    let says = read(&render(bare));
    assert_eq!(
        (says.get("start"), says.get("timeZone")),
        (Some(&json!("2026-07-01T12:00:00")), Some(&json!("Europe/Berlin")))
    );
}

#[test]
fn an_edit_changes_its_field_and_nothing_else() {
    let before = render(single());
    for (member, value, field, expected) in [
        ("title", json!("Doctor"), "summary", json!("Doctor")),
        ("description", Value::Null, "description", Value::Null),
        ("color", json!("plum"), "colorId", json!("3")),
        ("freeBusyStatus", Value::Null, "transparency", Value::Null),
        ("privacy", json!("private"), "visibility", json!("private")),
        ("status", json!("tentative"), "status", json!("tentative")),
        ("locations", json!({"location": {"name": "Home"}}), "location", json!("Home")),
    ] {
        let written = json_of(&write(Some(&before), &with(&content(dentist()), member, value)));
        let mut wanted = single();
        match expected {
            Value::Null => drop(wanted["event"].as_object_mut().unwrap().shift_remove(field)),
            value => wanted["event"][field] = value,
        }
        assert_eq!(written, wanted, "{member}");
    }
}

#[test]
fn a_new_event_says_what_it_is_and_who_made_it() {
    let mut new = content(
        json!({"title": "Lunch", "start": "2026-03-01T12:00:00", "timeZone": "Europe/Berlin", "duration": "PT1H",
                                 "priority": 5, "keywords": {"food": true}}),
    );
    let written = write(None, &new);
    let event = json_of(&written)["event"].as_object().unwrap().clone();
    assert_eq!(event["start"], json!({"dateTime": "2026-03-01T12:00:00", "timeZone": "Europe/Berlin"}));
    assert_eq!(event["reminders"], json!({"useDefault": false, "overrides": []}));
    assert!(event["id"].as_str().unwrap().starts_with("tf") && !event.contains_key("iCalUID"));
    assert_eq!((private(&event, MARK_KEY), private(&event, UID_KEY)), (Some("hub:item:1"), Some("one@example.org")));
    assert_eq!(read(&written), new);
    // A meeting of others is imported under its own UID, and its people are carried.
    new.set("participants", json!({key("ada@x.example"): {"email": "ada@x.example", "roles": {"attendee": true}}}));
    let copy = write(None, &new);
    let event = json_of(&copy)["event"].as_object().unwrap().clone();
    assert_eq!(event["iCalUID"], "one@example.org");
    assert!(!event.contains_key("id") && !event.contains_key("attendees") && !event.contains_key("organizer"));
    assert_eq!(read(&copy), new);
}

#[test]
fn a_day_ends_with_the_day_after() {
    let day = content(
        json!({"title": "Holiday", "start": "2026-12-24T00:00:00", "showWithoutTime": true, "duration": "P3D"}),
    );
    let event = &json_of(&write(None, &day))["event"];
    assert_eq!((&event["start"], &event["end"]), (&json!({"date": "2026-12-24"}), &json!({"date": "2026-12-27"})));
    // From a time to a day: no member of the time stays.
    let moved = with(
        &with(&with(&content(dentist()), "timeZone", Value::Null), "showWithoutTime", json!(true)),
        "duration",
        json!("P1D"),
    );
    let moved = with(&moved, "start", json!("2026-03-20T00:00:00"));
    let event = &json_of(&write(Some(&render(single())), &moved))["event"];
    assert_eq!((&event["start"], &event["end"]), (&json!({"date": "2026-03-20"}), &json!({"date": "2026-03-21"})));
}

#[test]
fn an_occurrence_is_changed_cancelled_and_put_back_as_an_exception() {
    let before = render(series());
    let mut wanted = content(standup());
    wanted.0["recurrenceOverrides"] = json!({
        "2026-10-27T09:00:00": {"start": "2026-10-27T11:00:00", "title": "Later"},
        "2026-11-10T09:00:00": {"excluded": true},
        "2026-11-17T09:00:00": {"excluded": true},
        "2026-11-24T09:00:00": {"title": "New"},
        "2026-12-01T09:00:00": {"excluded": true},
    });
    let after = json_of(&write(Some(&before), &wanted));
    let old = series();
    assert_eq!(after["event"], old["event"], "the master has nothing to do with it");
    let rows = &after["exceptions"];
    assert_eq!(rows["m_20261027T080000Z"]["summary"], "Later");
    assert_eq!(
        (&rows["m_20261110T080000Z"]["status"], &rows["m_20261110T080000Z"]["etag"]),
        (&json!("cancelled"), &json!("\"2\""))
    );
    assert_eq!(
        (&rows["m_20261103T080000Z"]["status"], &rows["m_20261103T080000Z"]["summary"]),
        (&json!("confirmed"), &json!("Standup"))
    );
    assert_eq!(
        rows["m_20261103T080000Z"]["start"],
        json!({"dateTime": "2026-11-03T09:00:00", "timeZone": "Europe/Berlin"})
    );
    assert_eq!(
        (&rows["m_20261124T080000Z"]["summary"], &rows["m_20261124T080000Z"]["etag"]),
        (&json!("New"), &Value::Null)
    );
    assert_eq!(
        rows["m_20261201T080000Z"],
        json!({"id": "m_20261201T080000Z", "recurringEventId": "m", "status": "cancelled",
        "originalStartTime": {"dateTime": "2026-12-01T09:00:00", "timeZone": "Europe/Berlin"}})
    );
    assert_eq!(rows["m_20270105T080000Z"], old["exceptions"]["m_20270105T080000Z"], "what is not shown is not touched");
    assert_eq!(read(&render(after)), wanted);
}

#[test]
fn a_change_of_the_whole_series_reaches_its_exceptions() {
    let wanted = with(&content(standup()), "description", json!("Tea"));
    let after = json_of(&write(Some(&render(series())), &wanted));
    assert_eq!(after["event"]["description"], "Tea");
    assert_eq!(after["exceptions"]["m_20261027T080000Z"]["description"], "Tea");
    assert_eq!(after["exceptions"]["m_20261103T080000Z"], series()["exceptions"]["m_20261103T080000Z"]);
}

#[test]
fn a_rule_is_changed_in_its_line() {
    let mut wanted = content(standup());
    wanted.0["recurrenceRules"] = json!([{"frequency": "weekly", "interval": 2}]);
    wanted.0["recurrenceOverrides"] = json!({"2026-11-17T09:00:00": {"excluded": true}});
    let after = json_of(&write(Some(&render(series())), &wanted));
    assert_eq!(
        after["event"]["recurrence"],
        json!(["EXDATE;TZID=Europe/Berlin:20261117T090000", "RRULE:FREQ=WEEKLY;INTERVAL=2"])
    );
    assert_eq!(read(&render(after)), wanted);
}

#[test]
fn a_new_series_leaves_dates_out_in_lines_and_changes_by_exceptions() {
    let mut wanted = content(standup());
    wanted.0["recurrenceOverrides"]["2026-10-22T15:00:00"] = json!({"excluded": false, "title": "Extra"});
    let made = json_of(&write(None, &wanted));
    assert_eq!(
        made["event"]["recurrence"],
        json!([
            "RRULE:FREQ=WEEKLY;UNTIL=20261208T080000Z",
            "RDATE;TZID=Europe/Berlin:20261022T150000",
            "EXDATE;TZID=Europe/Berlin:20261103T090000,20261117T090000"
        ])
    );
    let id = made["event"]["id"].as_str().unwrap();
    let ids: Vec<&String> = made["exceptions"].as_object().unwrap().keys().collect();
    assert_eq!(ids, [&format!("{id}_20261022T130000Z"), &format!("{id}_20261027T080000Z")]);
    assert_eq!(read(&render(made)), wanted);
}

#[test]
fn an_event_that_repeats_no_more_has_no_lines() {
    let mut wanted = content(standup());
    wanted.set("recurrenceRules", Value::Null);
    wanted.set("recurrenceOverrides", Value::Null);
    let after = json_of(&write(Some(&render(series())), &wanted));
    assert!(after["event"].get("recurrence").is_none() && after.get("exceptions").is_none());
}

#[test]
fn what_google_could_only_say_wrongly_is_refused() {
    let plain =
        content(json!({"title": "x", "start": "2026-03-01T12:00:00", "timeZone": "Europe/Berlin", "duration": "PT1H"}));
    let weekly = with(&plain, "recurrenceRules", json!([{"frequency": "weekly"}]));
    let elsewhere = with(
        &with(&with(&plain, "duration", Value::Null), "end", json!("2026-03-01T11:00:00")),
        "endTimeZone",
        json!("Europe/London"),
    );
    for (what, words) in [
        (with(&plain, "timeZone", Value::Null), "without a time zone"),
        (with(&plain, "timeZone", json!("/Custom")), "none of the known"),
        (with(&plain, "status", json!("cancelled")), "cancelled"),
        (with(&plain, "start", Value::Null), "without a start"),
        (with(&elsewhere, "recurrenceRules", json!([{"frequency": "weekly"}])), "another time zone"),
        (with(&weekly, "recurrenceRules", json!([{"frequency": "weekly", "skip": "forward"}])), "recurrence rule"),
        (with(&weekly, "iCalOverrides", json!({"k": {"component": "BEGIN:VEVENT"}})), "all that follow"),
        (with(&weekly, "recurrenceOverrides", json!({"2026-03-08T12:00:00": {"status": "cancelled"}})), "cancelled"),
    ] {
        assert!(refusal(None, &what).contains(words), "{}", refusal(None, &what));
        assert!(lens().project(&what).is_err());
    }
    let flight = json_of(&write(None, &elsewhere));
    assert_eq!(flight["event"]["end"], json!({"dateTime": "2026-03-01T11:00:00", "timeZone": "Europe/London"}));
    assert_eq!(read(&render(flight)), elsewhere);
}

#[test]
fn a_guest_changes_what_is_his_own() {
    let before = render(invitation());
    let says = read(&before);
    let mut own = with(&with(&says, "alerts", Value::Null), "color", json!("plum"));
    own.set("keywords", json!({"work": true}));
    let after = json_of(&write(Some(&before), &own));
    assert_eq!((&after["event"]["colorId"], &after["event"]["reminders"]["useDefault"]), (&json!("3"), &json!(false)));
    assert_eq!(after["event"]["attendees"], invitation()["event"]["attendees"]);
    assert_eq!(read(&render(after)), own);
    for (member, value) in
        [("title", json!("Mine")), ("start", json!("2026-05-05T00:00:00")), ("participants", Value::Null)]
    {
        assert!(refusal(Some(&before), &with(&says, member, value)).contains(member));
    }
    let mut open = invitation();
    open["event"]["guestsCanModify"] = json!(true);
    let open = render(open);
    // Even where they may: the others would hear of it, or have another meeting than the one that is.
    assert!(refusal(Some(&open), &with(&says, "title", json!("Ours"))).contains("title"));
}

#[test]
fn events_that_google_makes_are_left_to_it() {
    for kind in ["birthday", "fromGmail", "focusTime", "outOfOffice", "workingLocation", "tomorrows"] {
        let mut event = single();
        event["event"]["eventType"] = json!(kind);
        let before = render(event);
        let says = read(&before);
        assert_eq!(write(Some(&before), &says), before);
        assert!(refusal(Some(&before), &with(&says, "title", json!("x"))).contains(kind));
    }
}

#[test]
fn guests_of_ones_own_meeting_are_edited_in_place() {
    let mut meeting = invitation();
    meeting["event"]["organizer"] = json!({"email": "boss@x.example", "self": true});
    let before = render(meeting);
    let mut wanted = read(&before);
    wanted.0["participants"][key("me@x.example")]["name"] = json!("Me");
    let after = json_of(&write(Some(&before), &wanted));
    assert_eq!(
        after["event"]["attendees"][1],
        json!({"email": "me@x.example", "self": true, "responseStatus": "needsAction", "displayName": "Me"})
    );
}

#[test]
fn a_new_meeting_that_asks_its_guests_names_them_under_an_id_of_its_own() {
    let people = json!({
        "a": {"email": "Ada@x", "name": "Ada", "roles": {"owner": true, "attendee": true}, "participationStatus": "accepted"},
        "b": {"email": "Bob@x", "name": "Bob", "roles": {"attendee": true, "optional": true}, "expectReply": true},
        "n": {"email": "nobody", "roles": {"attendee": true}},
    });
    let said = content(
        json!({"start": "2026-03-02T09:00:00", "timeZone": "Europe/Berlin", "duration": "PT1H", "participants": people,
        "recurrenceRules": [{"frequency": "weekly"}], "recurrenceOverrides": {"2026-03-09T09:00:00": {"title": "Other"}}}),
    );
    let asking = lens().inviting(&said, &identity()).unwrap().unwrap();
    let event = json_of(&asking)["event"].clone();
    assert_eq!(
        event["attendees"],
        json!([
            {"email": "Ada@x", "displayName": "Ada", "responseStatus": "accepted"},
            {"email": "Bob@x", "displayName": "Bob", "optional": true, "responseStatus": "needsAction"},
        ])
    );
    assert!(event["id"].is_string() && event.get("iCalUID").is_none(), "it is inserted, not imported: {event}");
    let exceptions = json_of(&asking)["exceptions"].clone();
    let (_, exception) = exceptions.as_object().unwrap().iter().next().unwrap();
    assert_eq!(exception["attendees"], event["attendees"], "nobody is asked away from an occurrence");
    assert_eq!(read(&asking), read(&write(None, &said)));
    let copy = json_of(&write(None, &said))["event"].clone();
    assert!(copy.get("attendees").is_none() && copy["iCalUID"].is_string(), "a copy asks nobody: {copy}");
    let mut alone = said.clone();
    alone.0["participants"].as_object_mut().unwrap().shift_remove("b");
    assert_eq!(lens().inviting(&alone, &identity()).unwrap(), None);
    let lone = content(
        json!({"recurrenceOverrides": {"2026-03-09T09:00:00": {"start": "2026-03-09T09:00:00", "timeZone": "Europe/Berlin",
        "recurrenceIdTimeZone": "Europe/Berlin", "participants": people}}}),
    );
    assert_eq!(lens().inviting(&lone, &identity()).unwrap(), None, "one occurrence of a series that is not there");
}

#[test]
fn text_that_looks_like_html_stays_text() {
    let plain =
        content(json!({"title": "x", "start": "2026-03-01T00:00:00", "showWithoutTime": true, "duration": "P1D",
                               "description": "a <b> c & d"}));
    let written = write(None, &plain);
    assert_eq!(json_of(&written)["event"]["description"], "a &lt;b&gt; c &amp; d");
    assert_eq!(read(&written), plain);
    let html = with(&with(&plain, "description", json!("<b>x</b>")), "descriptionContentType", json!("text/html"));
    let written = write(None, &html);
    assert_eq!(json_of(&written)["event"]["description"], "<b>x</b>");
    assert_eq!((read(&written), lens().native(&written).unwrap()), (html.clone(), html));
}

#[test]
fn occurrences_without_their_master_are_an_item_of_their_own() {
    let mut lone = series();
    lone.as_object_mut().unwrap().shift_remove("event");
    let rows = lone["exceptions"].as_object_mut().unwrap();
    rows.retain(|id, _| id == "m_20261027T080000Z" || id == "m_20261103T080000Z");
    rows["m_20261027T080000Z"]["organizer"] = json!({"email": "boss@x.example"});
    rows["m_20261027T080000Z"]["attendees"] = json!([{"email": "me@x.example", "self": true}]);
    let before = render(lone);
    let says = read(&before);
    let on = says.at(&["recurrenceOverrides", "2026-10-27T09:00:00"]).unwrap();
    assert_eq!(
        (&on["recurrenceIdTimeZone"], &on["start"], &on["title"]),
        (&json!("Europe/Berlin"), &json!("2026-10-27T11:00:00"), &json!("Late"))
    );
    assert_eq!(says.get("recurrenceOverrides").unwrap().as_object().unwrap().len(), 1, "a cancelled one is not there");
    assert_eq!(write(Some(&before), &says), before);
    assert_eq!(lens().project(&says).unwrap(), says);
    let mut own = says.clone();
    own.0["recurrenceOverrides"]["2026-10-27T09:00:00"]["color"] = json!("plum");
    let after = write(Some(&before), &own);
    assert_eq!(json_of(&after)["exceptions"]["m_20261027T080000Z"]["colorId"], "3");
    assert_eq!(read(&after), own);
    let mut other = says.clone();
    other.0["recurrenceOverrides"]["2026-10-27T09:00:00"]["title"] = json!("Mine");
    assert!(refusal(Some(&before), &other).contains("title"));
    assert!(refusal(Some(&before), &with(&says, "recurrenceOverrides", Value::Null)).contains("single occurrences"));
}

#[test]
fn the_carry_all_is_split_and_shrinks_again() {
    let before = render(single());
    let big =
        with(&content(dentist()), "iCalProps", json!({"k": {"line": format!("X-BIG:{}", "\u{e4}".repeat(2000))}}));
    let written = write(Some(&before), &big);
    let event = Series::parse(&written).unwrap().event.unwrap();
    let pieces = event["extendedProperties"]["private"].as_object().unwrap();
    assert!(pieces.iter().filter(|(name, _)| name.starts_with(CARRY_KEY)).count() >= 4);
    assert!(pieces.iter().all(|(name, piece)| name.len() <= 44 && piece.as_str().unwrap().len() <= 1024));
    assert_eq!(read(&written), big);
    // An emptied one keeps its header, so that one that is gone was dropped by somebody else.
    let mut emptied = json_of(&write(Some(&written), &content(dentist())));
    let properties = emptied["event"]["extendedProperties"]["private"].as_object_mut().unwrap();
    assert_eq!(properties.shift_remove("twofold-carry-0"), Some(json!("{\"v\":1}")));
    assert_eq!(emptied, single());
    // What does not fit stays in the hub; nothing else suffers, and it counts as held.
    let huge = with(&big, "iCalComponents", json!({"k": {"component": "x".repeat(2 * CARRY_LIMIT)}}));
    let written = write(Some(&before), &huge);
    assert!(carried(&Series::parse(&written).unwrap().event.unwrap()).unwrap().len() <= CARRY_LIMIT);
    assert_eq!(read(&written), big);
    assert_eq!(lens().project(&huge).unwrap(), huge);
}

#[test]
fn what_is_not_understood_is_malformed() {
    for event in [
        json!({"id": "a"}),
        json!({"id": "a", "start": {"date": "2026-13-01"}}),
        json!({"id": "a", "start": {"dateTime": "2026-01-01T10:00:00Z", "timeZone": "Mars/Olympus"}}),
        json!({"id": "a", "start": {"date": "2026-01-01"}, "recurrence": ["RRULE:FREQ=OFTEN"]}),
        json!({"id": "a", "start": {"date": "2026-01-01"}, "recurrence": ["RSCALE:X"]}),
        json!({"id": "a", "start": {"date": "2026-01-01"}, "recurrence": ["RDATE;VALUE=PERIOD:20260101T100000Z/PT1H"]}),
    ] {
        let error = lens().read(&render(json!({"event": event}))).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Malformed);
    }
}

// ---- laws -------------------------------------------------------------------------------------------------------------

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-zA-Z\u{e4}<>&;/ \n]{1,12}", Just("<b>bold</b>".to_owned()), Just("R&amp;D".to_owned())]
        .prop_filter("says something", |text| !text.trim().is_empty())
}

fn maybe<T: Into<Value> + std::fmt::Debug>(some: impl Strategy<Value = T>) -> impl Strategy<Value = Value> {
    proptest::option::of(some).prop_map(|value| value.map_or(Value::Null, Into::into))
}

fn alerts() -> impl Strategy<Value = Value> {
    let trigger = prop_oneof![
        (-50_000_i64..100).prop_map(|minutes| json!({"offset": twofold_model::event::duration_text(minutes * 60)})),
        Just(json!({"offset": "-PT90S"})),
        Just(json!({"offset": "-PT5M", "relativeTo": "end"})),
        Just(json!({"when": "2026-03-01T08:00:00Z"})),
    ];
    let alert = (trigger, any::<bool>(), any::<bool>()).prop_map(|(trigger, email, props)| {
        json!({"trigger": trigger, "action": email.then_some("email"), "iCalProps": props.then(|| json!({"p": {"line": "REPEAT:2"}}))})
    });
    proptest::collection::vec(alert, 0..8).prop_map(|list| {
        let mut map = Map::new();
        list.into_iter().for_each(|alert| drop(insert(&mut map, &twofold_model::event::alert_identity(&alert), alert)));
        Value::Object(map)
    })
}

fn people() -> impl Strategy<Value = Value> {
    let person = ("[a-c]@x", maybe("[A-Z][a-z]{1,5}"), any::<(bool, bool)>(), 0..4_usize).prop_map(|(email, name, roles, answer)| {
        let answers = [None, Some("accepted"), Some("declined"), Some("delegated")];
json!({"email": email, "name": name, "roles": {"attendee": true, "optional": roles.0.then_some(true), "chair": roles.1.then_some(true)},
               "participationStatus": answers[answer]})
    });
    proptest::collection::vec(person, 0..3).prop_map(|list| {
        let mut map = Map::new();
        list.into_iter()
            .for_each(|person| drop(insert(&mut map, person["email"].as_str().unwrap().to_owned().as_str(), person)));
        Value::Object(map)
    })
}

fn links() -> impl Strategy<Value = Value> {
    let link = ("(https|ftp)://[a-c]\\.x", maybe(text()), any::<bool>()).prop_map(
        |(href, title, encloses)| json!({"href": href, "title": title, "rel": encloses.then_some("enclosure")}),
    );
    proptest::collection::vec(link, 0..4).prop_map(|list| {
        let mut map = Map::new();
        list.into_iter()
            .for_each(|link| drop(insert(&mut map, link["href"].as_str().unwrap().to_owned().as_str(), link)));
        Value::Object(map)
    })
}

fn places() -> impl Strategy<Value = Value> {
    proptest::collection::vec((maybe(text()), any::<bool>()), 0..3).prop_map(|list| {
        let mut map = Map::new();
        for (name, is_there) in list {
            let place = json!({"name": name, "coordinates": is_there.then_some("geo:1,2")});
            if place != json!({"name": null, "coordinates": null}) {
                insert_as(&mut map, "location", place);
            }
        }
        Value::Object(map)
    })
}

/// What an event says besides when it is.
fn says() -> impl Strategy<Value = Map<String, Value>> {
    let word = |words: &'static [&'static str]| maybe(proptest::sample::select(words).prop_map(str::to_owned));
    let first = (maybe(text()), maybe(text()), any::<bool>(), places(), links(), people(), alerts());
    let second = (
        word(&["crimson", "plum", "red"]),
        word(&["private", "secret"]),
        word(&["free", "unavailable", "tentative"]),
        word(&["tentative"]),
        maybe(1..9_i64),
        proptest::collection::btree_set("[a-c]", 0..3),
        maybe("[a-z]{1,4}:x"),
    );
    (first, second).prop_map(|(a, b)| {
        let keywords: Map<String, Value> = b.5.into_iter().map(|word| (word, json!(true))).collect();
        let html = (a.2 && a.1 != Value::Null).then_some("text/html");
        let event = json!({
            "title": a.0, "description": a.1, "descriptionContentType": html, "locations": a.3, "links": a.4, "participants": a.5, "alerts": a.6,
            "color": b.0, "privacy": b.1, "freeBusyStatus": b.2, "status": b.3, "priority": b.4, "keywords": keywords,
            "virtualLocations": b.6.as_str().map(|uri| json!({key(uri): {"uri": uri}})),
        });
        content(event).0
    })
}

/// When an event is: a day or a time, with a length.
fn when() -> impl Strategy<Value = Map<String, Value>> {
    let zone = proptest::sample::select(&["Europe/Berlin", "America/New_York", "Etc/UTC", "Asia/Kolkata"][..]);
    let timed = (1..28_u32, 0..24_u32, zone, 0..200_i64).prop_map(|(day, hour, zone, quarters)| {
        let duration = (quarters > 0).then(|| twofold_model::event::duration_text(quarters * 900));
        json!({"start": format!("2026-03-{day:02}T{hour:02}:30:00"), "timeZone": zone, "duration": duration})
    });
    let day = (1..28_u32, 1..5_i64).prop_map(|(day, days)| {
        json!({"start": format!("2026-03-{day:02}T00:00:00"), "showWithoutTime": true, "duration": format!("P{days}D")})
    });
    let flight = (1..28_u32).prop_map(|day| {
        json!({"start": format!("2026-03-{day:02}T08:00:00"), "timeZone": "Europe/Berlin", "end": format!("2026-03-{day:02}T09:00:00"), "endTimeZone": "America/New_York"})
    });
    prop_oneof![4 => timed, 3 => day, 1 => flight].prop_map(|value| content(value).0)
}

fn singles() -> impl Strategy<Value = Content> {
    (says(), when()).prop_map(|(says, when)| Content(says.into_iter().chain(when).collect()).tidied())
}

fn rules() -> impl Strategy<Value = Value> {
    proptest::sample::select(vec![
        json!([{"frequency": "daily"}]),
        json!([{"frequency": "weekly", "byDay": [{"day": "mo"}, {"day": "we"}], "interval": 2}]),
        json!([{"frequency": "daily", "count": 20}]),
        json!([{"frequency": "weekly", "until": "2026-09-01T23:59:59"}]),
        json!([{"frequency": "monthly", "byDay": [{"day": "fr", "nthOfPeriod": -1}]}]),
        json!([{"frequency": "yearly"}, {"frequency": "monthly"}]),
    ])
}

/// A series with overrides on some of its days, and beside them.
fn all_series() -> impl Strategy<Value = Content> {
    let over = prop_oneof![
        2 => Just(json!({"excluded": true})),
        1 => Just(json!({"excluded": false})),
        3 => (text(), any::<bool>()).prop_map(|(title, color)| json!({"title": title, "color": color.then_some("plum")})),
        1 => Just(json!({"start": "2026-04-01T10:00:00"})),
        1 => Just(json!({"description": false, "excluded": false})),
    ];
    let overrides = proptest::collection::vec((0..40_i64, over), 0..5);
    (singles(), rules(), overrides).prop_map(|(mut event, rules, overrides)| {
        if event.get("end").is_some() {
            event.set("end", Value::Null);
            event.set("endTimeZone", Value::Null);
        }
        let start = twofold_model::event::local(event.get("start").unwrap().as_str().unwrap()).unwrap();
        let overrides: Map<String, Value> = overrides
            .into_iter()
            .map(|(day, over)| (twofold_model::event::local_text(start + chrono::Duration::days(day)), over))
            .collect();
        event.set("recurrenceRules", rules);
        event.set("recurrenceOverrides", Value::Object(overrides));
        let settled = twofold_model::event::settled(&event.tidied()).into_owned();
        // The form in which the lens compares rules.
        lens().project(&settled).unwrap()
    })
}

#[test]
fn a_change_that_guests_would_hear_of_says_how_many_they_are() {
    let meeting = |mut value: Value| {
        let guests =
            json!([{"email": "me@x.example", "self": true, "organizer": true}, {"email": "a@x"}, {"email": "b@x"}]);
        value["event"]["organizer"] = json!({"email": "me@x.example", "self": true});
        value["event"]["attendees"] = guests;
        render(value)
    };
    let with = |rendering: &Rendering, member: &str, value: Value| {
        let mut says = read(rendering);
        says.set(member, value);
        write(Some(rendering), &says)
    };
    let mails = |from: &Rendering, to: Option<&Rendering>| lens().mails(from, to);
    let (one, many) = (meeting(single()), meeting(series()));
    for (member, value) in [("title", json!("x")), ("start", json!("2026-03-20T08:00:00")), ("locations", Value::Null)]
    {
        assert_eq!(mails(&one, Some(&with(&one, member, value.clone()))), 2, "{member}");
        let own = render(single());
        assert_eq!(mails(&own, Some(&with(&own, member, value))), 0, "{member}");
    }
    for (member, value) in
        [("color", Value::Null), ("alerts", Value::Null), ("freeBusyStatus", Value::Null), ("priority", json!(1))]
    {
        assert_ne!(with(&one, member, value.clone()), one, "{member}");
        assert_eq!(mails(&one, Some(&with(&one, member, value))), 0, "{member}");
    }
    assert_eq!((mails(&one, None), mails(&many, None), mails(&render(single()), None)), (2, 2, 0));
    assert_eq!(mails(&many, Some(&with(&many, "recurrenceRules", json!([{"frequency": "daily"}])))), 2);
    assert_eq!(mails(&one, Some(&one)), 0);
    // One occurrence: with a title of its own, or with an alarm of its own.
    let occurrence = |patch: Value| {
        let mut says = read(&many);
        let mut overrides = says.get("recurrenceOverrides").cloned().unwrap();
        overrides["2026-12-01T09:00:00"] = patch;
        says.set("recurrenceOverrides", overrides);
        write(Some(&many), &says)
    };
    assert_eq!(mails(&many, Some(&occurrence(json!({"title": "Elsewhere"})))), 2);
    assert_eq!(mails(&many, Some(&occurrence(json!({"start": "2026-12-01T11:00:00"})))), 2);
    assert_eq!(mails(&many, Some(&occurrence(json!({"excluded": true})))), 2);
    let alarm = json!({"alerts": {key("-PT5M"): {"trigger": {"offset": "-PT5M"}}}});
    assert_eq!(mails(&many, Some(&occurrence(alarm))), 0);
    // Of somebody else's only what is the user's own is written.
    assert_eq!(mails(&render(invitation()), None), 0);
}

/// What the laws ask of a rendering and a content.
fn check_laws(rendering: &Rendering, wanted: &Content) {
    assert_eq!(&write(Some(rendering), &read(rendering)), rendering, "nothing changes when nothing is changed");
    let written = write(Some(rendering), wanted);
    assert_eq!(&read(&written), wanted, "what is written is read back");
    assert_eq!(read(&write(None, wanted)), read(&written), "onto something or nothing");
    assert_eq!(write(Some(&written), wanted), written, "a second write changes nothing");
    assert_eq!(&lens().project(wanted).unwrap(), wanted, "what was read can be held");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn every_event_is_read_back(wanted in prop_oneof![singles(), all_series()]) {
        check_laws(&write(None, &wanted), &wanted);
        if let Some(asking) = lens().inviting(&wanted, &identity()).unwrap() {
            prop_assert_eq!(read(&asking), wanted, "asking says the same");
        }
    }

    #[test]
    fn every_event_can_become_every_other(first in prop_oneof![singles(), all_series()], second in prop_oneof![singles(), all_series()]) {
        check_laws(&write(None, &first), &second);
    }

    #[test]
    fn every_event_can_be_written_onto_one_of_googles(wanted in prop_oneof![singles(), all_series()]) {
        check_laws(&render(single()), &wanted);
        check_laws(&render(series()), &wanted);
    }
}
