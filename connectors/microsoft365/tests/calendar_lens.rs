//! The lens of a Graph event: its laws over generated events, and the traps that other tools fell into.

use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::Arc;
use twofold_microsoft365::calendar::map::EventLens;
use twofold_microsoft365::calendar::sheet::Sheet;
use twofold_microsoft365::calendar::times::Times;
use twofold_microsoft365::calendar::wire::{CARRY, Event, ZONE};
use twofold_model::event::{alert_identity, settled};
use twofold_model::recurrence::{Rule, Series, same_dates};
use twofold_model::{Content, ErrorKind, Identity, Lens, Mark, Rendering, Uid, card};
use twofold_zones::SystemZones;

fn lens() -> EventLens {
    EventLens::new(Times::new(Arc::new(SystemZones::in_folder(None)), Some("Europe/Berlin".into())))
}

fn identity() -> Identity {
    Identity { uid: Uid::from("uid-1"), mark: Some(Mark { hub: "hub".into(), item: "item".into(), generation: 1 }) }
}

fn content(value: Value) -> Content {
    Content::from_value(value)
}

fn new(content: &Content) -> Rendering {
    lens().write(None, content, &identity()).unwrap()
}

fn refused(onto: Option<&Rendering>, content: &Content) -> String {
    let error = lens().write(onto, content, &identity()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unsupported);
    error.message
}

fn onto(rendering: &Rendering, content: &Content) -> Rendering {
    lens().write(Some(rendering), content, &identity()).unwrap()
}

fn read(rendering: &Rendering) -> Content {
    lens().read(rendering).unwrap()
}

fn sheet(rendering: &Rendering) -> Sheet {
    Sheet::open(rendering).unwrap()
}

fn event(value: Value) -> Event {
    Event::from_value(value).unwrap()
}

/// What differs is sent.
fn sent(from: &Rendering, to: &Rendering) -> Option<Value> {
    sheet(to).event.patch_body(&sheet(from).event)
}

fn alert(offset: &str) -> Value {
    let alert = json!({"trigger": {"offset": offset}});
    json!({card::key(&alert_identity(&alert)): alert})
}

/// A time in UTC, as Graph answers.
fn utc(text: &str) -> Value {
    json!({"dateTime": format!("{text}.0000000"), "timeZone": "UTC"})
}

/// A single event as Graph shows one.
fn lunch() -> Value {
    json!({
        "@odata.etag": "W/\"1\"", "id": "E1", "changeKey": "1", "subject": "Lunch", "type": "singleInstance", "isOrganizer": true,
        "start": utc("2026-03-02T11:00:00"), "end": utc("2026-03-02T12:00:00"), "isAllDay": false,
        "originalStartTimeZone": "W. Europe Standard Time", "originalEndTimeZone": "W. Europe Standard Time",
        "body": {"contentType": "text", "content": "Bring\r\nfork\r\n"}, "showAs": "busy", "sensitivity": "normal",
        "importance": "normal", "isReminderOn": true, "reminderMinutesBeforeStart": 15, "categories": ["Food"],
        "location": {"displayName": "Bar", "locationType": "default"}, "locations": [{"displayName": "Bar"}],
        "attendees": [], "organizer": {"emailAddress": {"name": "Ada", "address": "ada@example.com"}},
        "recurrence": null, "iCalUId": "0400", "webLink": "https://outlook/1", "isCancelled": false, "isOnlineMeeting": false,
    })
}

fn changed(mut base: Value, with: Value) -> Value {
    base.as_object_mut().unwrap().extend(with.as_object().unwrap().clone());
    base
}

fn single(with: Value) -> Rendering {
    Sheet::of(event(changed(lunch(), with))).close()
}

/// A series that starts on Monday 2026-03-02 at 09:00 in Berlin.
fn weekly(with: Value) -> Event {
    event(changed(
        lunch(),
        changed(
            json!({
                "type": "seriesMaster", "subject": "Standup", "start": utc("2026-03-02T08:00:00"), "end": utc("2026-03-02T08:30:00"),
                "recurrence": {"pattern": {"type": "weekly", "interval": 1, "month": 0, "dayOfMonth": 0, "daysOfWeek": ["monday"],
                    "firstDayOfWeek": "monday", "index": "first"},
                    "range": {"type": "noEnd", "startDate": "2026-03-02", "endDate": "0001-01-01", "recurrenceTimeZone": "W. Europe Standard Time",
                    "numberOfOccurrences": 0}},
            }),
            with,
        ),
    ))
}

fn exception(original: &str, with: Value) -> Event {
    let mut fields = weekly(json!({})).0;
    fields.shift_remove("recurrence");
    event(changed(
        Value::Object(fields),
        changed(
            json!({"id": format!("E1.{original}"), "type": "exception", "seriesMasterId": "E1", "originalStart": original}),
            with,
        ),
    ))
}

fn series(exceptions: Vec<Event>, cancelled: &[&str]) -> Rendering {
    let cancelled = cancelled.iter().map(|day| (*day).to_owned()).collect();
    Sheet { event: weekly(json!({})), exceptions, cancelled, is_partial: false }.close()
}

fn overrides(content: &Content) -> Value {
    content.get("recurrenceOverrides").cloned().unwrap_or_default()
}

/// Reading and writing back changes nothing, byte for byte.
fn check(rendering: &Rendering) -> Content {
    let says = read(rendering);
    assert_eq!(onto(rendering, &says), *rendering);
    assert_eq!(*settled(&says), says, "canonical");
    assert_eq!(
        read(&onto(rendering, &content(json!({"start": "2026-03-02T12:00:00", "timeZone": "Europe/Berlin"})))),
        content(json!({"start": "2026-03-02T12:00:00", "timeZone": "Europe/Berlin"}))
    );
    says
}

// What the fields say

#[test]
fn each_field_says_what_the_table_says() {
    let rendering = single(json!({
        "sensitivity": "confidential", "importance": "high", "showAs": "oof", "isCancelled": true,
        "onlineMeeting": {"joinUrl": "https://teams/1"},
        "locations": [{"displayName": "Bar", "coordinates": {"latitude": 47.5, "longitude": -102.25}}, {"displayName": "Hall"}],
    }));
    let says = read(&rendering);
    assert_eq!(
        says,
        content(json!({
            "start": "2026-03-02T12:00:00", "timeZone": "Europe/Berlin", "duration": "PT1H", "title": "Lunch",
            "description": "Bring\nfork", "keywords": {"Food": true}, "privacy": "secret", "freeBusyStatus": "unavailable",
            "status": "cancelled", "priority": 1, "alerts": alert("-PT15M"),
            "locations": {"location": {"name": "Bar", "coordinates": "geo:47.5,-102.25"}, "location-2": {"name": "Hall"}},
            "virtualLocations": {card::key("https://teams/1"): {"uri": "https://teams/1"}},
        }))
    );
    assert_eq!(onto(&rendering, &says), rendering);
    let made = sheet(&new(&says)).event;
    for (field, value) in [
        ("subject", json!("Lunch")),
        ("body", json!({"contentType": "text", "content": "Bring\r\nfork"})),
        ("start", json!({"dateTime": "2026-03-02T12:00:00", "timeZone": "W. Europe Standard Time"})),
        ("end", json!({"dateTime": "2026-03-02T13:00:00", "timeZone": "W. Europe Standard Time"})),
        ("sensitivity", json!("confidential")),
        ("importance", json!("high")),
        ("showAs", json!("oof")),
        ("isReminderOn", json!(true)),
        ("reminderMinutesBeforeStart", json!(15)),
        ("categories", json!(["Food"])),
    ] {
        assert_eq!(made.0.get(field), Some(&value), "{field}");
    }
    assert_eq!(read(&new(&says)), says);
}

#[test]
fn only_what_changed_is_sent() {
    let rendering = single(json!({}));
    let says = check(&rendering);
    let with = |member: &str, value: Value| {
        let mut content = says.clone();
        content.set(member, value);
        let to = onto(&rendering, &content);
        assert_eq!(read(&to), content, "{member}");
        sent(&rendering, &to)
    };
    assert_eq!(with("title", json!("Dinner")), Some(json!({"subject": "Dinner"})));
    assert_eq!(with("keywords", Value::Null), Some(json!({"categories": []})), "the last category is unset");
    assert_eq!(with("freeBusyStatus", json!("free")), Some(json!({"showAs": "free"})));
    assert_eq!(with("privacy", json!("private")), Some(json!({"sensitivity": "private"})));
    assert_eq!(with("priority", json!(9)), Some(json!({"importance": "low"})));
    assert_eq!(with("alerts", Value::Null), Some(json!({"isReminderOn": false})));
    assert_eq!(with("locations", Value::Null), Some(json!({"location": {"displayName": ""}})));
    let hour = |text: &str| json!({"dateTime": text, "timeZone": "W. Europe Standard Time"});
    let times = json!({"start": hour("2026-03-02T12:00:00"), "end": hour("2026-03-02T14:00:00")});
    assert_eq!(with("duration", json!("PT2H")), Some(changed(times, json!({}))));
}

// Bodies

#[test]
fn clear_description() {
    let rendering = single(json!({}));
    let mut says = read(&rendering);
    says.set("description", Value::Null);
    let to = onto(&rendering, &says);
    assert_eq!(sent(&rendering, &to), Some(json!({"body": {"contentType": "text", "content": ""}})), "never null");
    assert_eq!(read(&to), says);
}

#[test]
fn edit_text_of_html_body() {
    let html = "<html>\r\n<head></head>\r\n<body>\r\n<p>Bring <b>fork</b></p>\r\n</body>\r\n</html>\r\n";
    let rendering = single(json!({"body": {"contentType": "html", "content": html}}));
    let mut says = check(&rendering);
    assert_eq!(says.get("description"), Some(&json!("Bring fork")));
    says.set("description", json!("Bring spoon"));
    let to = onto(&rendering, &says);
    assert_eq!(sent(&rendering, &to), Some(json!({"body": {"contentType": "text", "content": "Bring spoon"}})));
    // What the server made of it is compared as text: nothing is sent again.
    let wrapped =
        single(json!({"body": {"contentType": "html", "content": "<html><body>Bring spoon\r\n</body></html>"}}));
    assert_eq!(read(&wrapped), says);
}

#[test]
fn markup_from_elsewhere_lasts_until_somebody_changes_the_text() {
    let said = content(json!({"start": "2026-03-02T12:00:00", "timeZone": "Europe/Berlin",
        "description": "<p>Bring <b>fork</b></p>", "descriptionContentType": "text/html"}));
    let made = new(&said);
    assert_eq!(read(&made), said);
    let mut told = sheet(&made);
    told.event.0["body"] = json!({"contentType": "text", "content": "Bring fork\r\n"});
    assert_eq!(read(&told.close()), said, "the server's text of it is the same text");
    told.event.0["body"] = json!({"contentType": "text", "content": "Bring spoon"});
    let now = read(&told.close());
    assert_eq!((now.get("description"), now.get("descriptionContentType")), (Some(&json!("Bring spoon")), None));
}

#[test]
fn teams_block_survives() {
    let block = "Agenda\r\n____\r\nJoin: https://teams/1";
    let rendering = single(json!({"isOnlineMeeting": true, "body": {"contentType": "text", "content": block}}));
    let mut says = check(&rendering);
    says.set("description", json!("New agenda"));
    says.set("title", json!("Call"));
    let to = onto(&rendering, &says);
    assert_eq!(sheet(&to).event.0["body"]["content"], block);
    let body = sent(&rendering, &to).unwrap();
    assert_eq!((body.get("subject"), body.get("body")), (Some(&json!("Call")), None));
    assert_eq!(read(&to), says, "what the user wrote is carried");
}

// Reminders

#[test]
fn no_alarm_stays_none() {
    let made = new(&content(json!({"start": "2026-03-02T12:00:00", "timeZone": "Europe/Berlin"})));
    let made = sheet(&made).event;
    assert_eq!(made.0["isReminderOn"], json!(false));
    assert_eq!(made.0["showAs"], json!("busy"));
    let off = single(json!({"isReminderOn": false}));
    assert_eq!(check(&off).get("alerts"), None, "the minutes of a reminder that is off say nothing");
}

#[test]
fn one_reminder_is_shown_and_the_others_are_carried() {
    let mut said = content(json!({"start": "2026-03-02T12:00:00", "timeZone": "Europe/Berlin"}));
    let mut alerts = serde_json::Map::new();
    for alert in [
        json!({"trigger": {"offset": "PT5M"}}),
        json!({"trigger": {"offset": "-PT10M"}, "action": "email"}),
        json!({"trigger": {"offset": "-P1D"}}),
        json!({"trigger": {"when": "2026-03-01T08:00:00Z"}}),
        json!({"trigger": {"offset": "-PT15M"}}),
    ] {
        card::insert(&mut alerts, &alert_identity(&alert), alert);
    }
    said.set("alerts", Value::Object(alerts));
    let made = new(&said);
    assert_eq!(sheet(&made).event.0["reminderMinutesBeforeStart"], json!(1440), "the first that can be said");
    assert_eq!(read(&made), said);
    let held = single(json!({}));
    let mut both = read(&held);
    both.set("alerts", said.get("alerts").unwrap().clone());
    assert_eq!(
        sheet(&onto(&held, &both)).event.0["reminderMinutesBeforeStart"],
        json!(15),
        "the one that is set stays"
    );
}

// Times and zones

#[test]
fn all_day_auckland() {
    for zone in ["UTC", "New Zealand Standard Time", "Customized Time Zone"] {
        let midnight = |day: &str| json!({"dateTime": format!("{day}T00:00:00.0000000"), "timeZone": zone});
        let rendering =
            single(json!({"isAllDay": true, "start": midnight("2026-03-02"), "end": midnight("2026-03-04"),
            "originalStartTimeZone": "New Zealand Standard Time", "originalEndTimeZone": "New Zealand Standard Time"}));
        let says = read(&rendering);
        let when = |member: &str| says.get(member).cloned().unwrap_or_default();
        assert_eq!(
            (when("start"), when("duration"), when("timeZone")),
            (json!("2026-03-02T00:00:00"), json!("P2D"), Value::Null)
        );
        assert_eq!(when("showWithoutTime"), json!(true));
        assert_eq!(onto(&rendering, &says), rendering);
        let made = sheet(&new(&says)).event;
        assert_eq!(made.0["start"]["dateTime"], "2026-03-02T00:00:00");
        assert_eq!(made.0["end"]["dateTime"], "2026-03-04T00:00:00");
        assert_eq!(made.0["start"]["timeZone"], made.0["end"]["timeZone"]);
    }
}

#[test]
fn a_timed_event_from_midnight_to_midnight_is_not_all_day() {
    let rendering = single(json!({"start": utc("2026-03-01T23:00:00"), "end": utc("2026-03-02T23:00:00")}));
    let says = check(&rendering);
    assert_eq!((says.get("showWithoutTime"), says.get("duration")), (None, Some(&json!("P1D"))));
    assert_eq!(sheet(&new(&says)).event.0["isAllDay"], json!(false));
}

#[test]
fn weekly_over_dst_both_ways() {
    // In summer the series is at 07:00 UTC: its exception's original start says so, and it is still the occurrence of 09:00.
    let rendering = series(
        vec![exception(
            "2026-07-06T07:00:00Z",
            json!({"subject": "Summer",
        "start": utc("2026-07-06T07:00:00"), "end": utc("2026-07-06T07:30:00")}),
        )],
        &["2026-07-13"],
    );
    let says = read(&rendering);
    assert_eq!(
        says.get("recurrenceOverrides"),
        Some(&json!({
        "2026-07-06T09:00:00": {"title": "Summer"}, "2026-07-13T09:00:00": {"excluded": true}}))
    );
    assert_eq!(says.get("timeZone"), Some(&json!("Europe/Berlin")));
    let made = sheet(&new(&says));
    assert_eq!(
        made.event.0["start"],
        json!({"dateTime": "2026-03-02T09:00:00", "timeZone": "W. Europe Standard Time"})
    );
    assert_eq!(made.event.0["recurrence"]["range"]["recurrenceTimeZone"], "W. Europe Standard Time");
    assert_eq!(made.exceptions[0].text("originalStart"), Some("2026-07-06T07:00:00Z"));
    assert_eq!(read(&made.close()), says);
}

#[test]
fn the_iana_name_comes_back_while_its_windows_name_is_still_the_one_seen() {
    let said = content(json!({"start": "2026-03-02T12:00:00", "timeZone": "Europe/Vienna", "title": "t"}));
    let made = new(&said);
    assert_eq!(sheet(&made).event.text("originalStartTimeZone"), Some("W. Europe Standard Time"));
    assert_eq!(read(&made), said);
    let mut moved = sheet(&made);
    moved.event.0["originalStartTimeZone"] = json!("Tokyo Standard Time");
    moved.event.0["start"]["timeZone"] = json!("Tokyo Standard Time");
    assert_eq!(read(&moved.close()).get("timeZone"), Some(&json!("Asia/Tokyo")), "somebody chose another zone there");
}

#[test]
fn tzone_custom() {
    for name in ["tzone://Microsoft/Custom", "Customized Time Zone", "Irgendwo Normalzeit"] {
        let once = single(json!({"originalStartTimeZone": name, "originalEndTimeZone": name}));
        let mut says = read(&once);
        assert_eq!(says.get("timeZone"), Some(&json!("Etc/UTC")), "an instant is an instant: {name}");
        says.set("title", json!("Dinner"));
        assert_eq!(sent(&once, &onto(&once, &says)), Some(json!({"subject": "Dinner"})));
        // On which hour a series falls when the clocks change, nobody can say: it is kept, and not guessed at.
        let mut often = weekly(json!({"originalStartTimeZone": name}));
        often.0["recurrence"]["range"]["recurrenceTimeZone"] = json!(name);
        assert_eq!(lens().read(&Sheet::of(often).close()).unwrap_err().kind, ErrorKind::Malformed);
    }
    let utc = single(
        json!({"originalStartTimeZone": "tzone://Microsoft/Utc", "originalEndTimeZone": "tzone://Microsoft/Utc"}),
    );
    assert_eq!(read(&utc).get("timeZone"), Some(&json!("Etc/UTC")));
    // The zone of the recurrence speaks for a series whose own says nothing.
    let often = Sheet::of(weekly(json!({"originalStartTimeZone": "tzone://Microsoft/Custom"}))).close();
    assert_eq!(read(&often).get("timeZone"), Some(&json!("Europe/Berlin")));
}

#[test]
fn start_and_end_in_two_zones() {
    let rendering = single(json!({"originalEndTimeZone": "Eastern Standard Time", "end": utc("2026-03-02T20:00:00")}));
    let says = read(&rendering);
    assert_eq!(
        (says.get("end"), says.get("endTimeZone")),
        (Some(&json!("2026-03-02T15:00:00")), Some(&json!("America/New_York")))
    );
    assert_eq!(onto(&rendering, &says), rendering);
    let made = sheet(&new(&says)).event;
    assert_eq!(made.0["end"], json!({"dateTime": "2026-03-02T15:00:00", "timeZone": "Eastern Standard Time"}));
}

#[test]
fn a_time_without_a_zone_is_shown_in_the_mailboxs_own_and_stays_without() {
    let said = content(json!({"start": "2026-03-02T12:00:00", "duration": "PT1H", "title": "Float"}));
    let made = new(&said);
    assert_eq!(sheet(&made).event.text("originalStartTimeZone"), Some("W. Europe Standard Time"));
    assert_eq!(read(&made), said);
    let homeless = EventLens::new(Times::new(Arc::new(SystemZones::in_folder(None)), None));
    assert_eq!(homeless.write(None, &said, &identity()).unwrap_err().kind, ErrorKind::Unsupported);
}

#[test]
fn a_zone_that_windows_lacks_is_told_in_utc_once_and_refused_for_a_series() {
    // Lord Howe changes by half an hour; Windows knows it. Troll does not stand in Windows' table.
    let once = content(json!({"start": "2026-07-02T12:00:00", "timeZone": "Antarctica/Troll", "duration": "PT1H"}));
    let made = new(&once);
    assert_eq!(sheet(&made).event.0["start"], json!({"dateTime": "2026-07-02T10:00:00", "timeZone": "UTC"}));
    assert_eq!(read(&made), once);
    let mut moved = sheet(&made);
    moved.event.0["start"] = utc("2026-07-02T15:00:00");
    moved.event.0["end"] = utc("2026-07-02T16:00:00");
    let now = read(&moved.close());
    assert_eq!((now.get("start"), now.get("timeZone")), (Some(&json!("2026-07-02T15:00:00")), Some(&json!("Etc/UTC"))));
    let mut often = once;
    often.set("recurrenceRules", json!([{"frequency": "weekly"}]));
    assert!(refused(None, &often).contains("Antarctica/Troll"));
}

#[test]
fn a_zone_without_a_name_may_have_rules() {
    let named = |rules: &str| {
        let name = "Customized Time Zone";
        let mut often = weekly(json!({"originalStartTimeZone": name, "originalEndTimeZone": name,
            "singleValueExtendedProperties": [{"id": ZONE, "value": rules}]}));
        often.0["recurrence"]["range"]["recurrenceTimeZone"] = json!(name);
        let changed = exception(
            "2026-07-06T07:00:00Z",
            json!({"subject": "Summer", "start": utc("2026-07-06T07:00:00"),
            "end": utc("2026-07-06T07:30:00"), "originalStartTimeZone": name, "originalEndTimeZone": name}),
        );
        Sheet { event: often, exceptions: vec![changed], ..Sheet::default() }.close()
    };
    // Those of Berlin.
    let rendering = named("xP///wAAAADE////AAAAAAoAAAAFAAMAAAAAAAAAAAAAAAMAAAAFAAIAAAAAAAAA");
    let says = read(&rendering);
    let zone = says.get("timeZone").and_then(Value::as_str).unwrap().to_owned();
    assert_eq!((says.get("start"), zone.starts_with("Europe/")), (Some(&json!("2026-03-02T09:00:00")), true), "{zone}");
    assert_eq!(overrides(&says), json!({"2026-07-06T09:00:00": {"title": "Summer"}}));
    assert_eq!(onto(&rendering, &says), rendering);
    // Those of nobody: the clocks change in June and in August.
    let rendering = named("xP///wAAAADE////AAAAAAgAAAAFAAMAAAAAAAAAAAAAAAYAAAAFAAIAAAAAAAAA");
    let mut says = read(&rendering);
    assert_eq!(says.get("timeZone"), Some(&json!("/Customized Time Zone")));
    assert!(says.at(&["timeZones", "/Customized Time Zone", "component"]).is_some());
    assert_eq!(overrides(&says), json!({"2026-07-06T09:00:00": {"title": "Summer"}}));
    assert_eq!(onto(&rendering, &says), rendering);
    says.set("title", json!("Other"));
    says.set("recurrenceOverrides", json!({"2026-07-06T09:00:00": {"title": "Summer"}}));
    assert_eq!(
        sent(&rendering, &onto(&rendering, &says)),
        Some(json!({"subject": "Other"})),
        "its times are left alone"
    );
    says.set("start", json!("2026-03-02T10:00:00"));
    says.set("recurrenceOverrides", Value::Null);
    assert!(refused(Some(&rendering), &says).contains("Customized Time Zone"), "and are never told in another zone");
}

#[test]
fn a_windows_name_that_had_other_rules_then_is_not_used() {
    // Lisbon goes by the name that means London, which kept another time in 1975.
    let said = content(json!({"start": "1975-01-15T12:00:00", "timeZone": "Europe/Lisbon", "duration": "PT1H"}));
    let made = new(&said);
    assert_eq!(sheet(&made).event.0["start"], json!({"dateTime": "1975-01-15T11:00:00", "timeZone": "UTC"}));
    assert_eq!(read(&made), said);
    let now = content(json!({"start": "2026-01-15T12:00:00", "timeZone": "Europe/Lisbon", "duration": "PT1H"}));
    assert_eq!(sheet(&new(&now)).event.0["start"]["timeZone"], "GMT Standard Time");
}

// Series

#[test]
fn a_day_of_a_whole_day_series_is_named_by_either_midnight() {
    // Midnight in New York, in Auckland, in UTC; and, where the zone is not known, the nearest one.
    for (zone, original) in [
        ("Eastern Standard Time", "2026-03-10T04:00:00Z"),
        ("Eastern Standard Time", "2026-03-10T00:00:00Z"),
        ("New Zealand Standard Time", "2026-03-09T11:00:00Z"),
        ("New Zealand Standard Time", "2026-03-10T00:00:00Z"),
        ("Customized Time Zone", "2026-03-09T13:00:00Z"),
    ] {
        let midnight = |day: &str| json!({"dateTime": format!("{day}T00:00:00.0000000"), "timeZone": "UTC"});
        let days = json!({"isAllDay": true, "start": midnight("2026-03-03"), "end": midnight("2026-03-04"), "originalStartTimeZone": zone,
            "originalEndTimeZone": zone, "recurrence": {"pattern": {"type": "weekly", "interval": 1, "daysOfWeek": ["tuesday"]},
                "range": {"type": "noEnd", "startDate": "2026-03-03", "recurrenceTimeZone": zone}}});
        let changed = exception(
            original,
            json!({"isAllDay": true, "start": midnight("2026-03-10"), "end": midnight("2026-03-11"),
            "originalStartTimeZone": zone, "originalEndTimeZone": zone, "subject": "Big"}),
        );
        let rendering = Sheet {
            event: weekly(days),
            exceptions: vec![changed],
            cancelled: vec!["2026-03-17".into()],
            is_partial: false,
        }
        .close();
        let says = read(&rendering);
        let wanted = json!({"2026-03-10T00:00:00": {"title": "Big"}, "2026-03-17T00:00:00": {"excluded": true}});
        assert_eq!(says.get("recurrenceOverrides"), Some(&wanted), "{zone} {original}");
        assert_eq!(onto(&rendering, &says), rendering);
    }
}

#[test]
fn exception_no_original_start() {
    let mut lost = exception("2026-03-09T08:00:00Z", json!({"subject": "Moved"}));
    lost.0.shift_remove("originalStart");
    let error = lens().read(&series(vec![lost.clone()], &[])).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Malformed, "it is not taken for a second series");
    lost.0.insert("occurrenceId".into(), json!("OID.E1=.2026-03-09"));
    let says = read(&series(vec![lost], &[]));
    assert_eq!(
        says.get("recurrenceOverrides"),
        Some(&json!({"2026-03-09T09:00:00": {"start": "2026-03-02T09:00:00", "title": "Moved"}}))
    );
}

#[test]
fn exdate_22h_honolulu() {
    let evening = weekly(json!({"start": utc("2026-03-03T08:00:00"), "end": utc("2026-03-03T09:00:00"),
        "originalStartTimeZone": "Hawaiian Standard Time", "originalEndTimeZone": "Hawaiian Standard Time"}));
    let rendering =
        Sheet { event: evening, exceptions: Vec::new(), cancelled: vec!["2026-03-09".into()], is_partial: false }
            .close();
    let mut says = read(&rendering);
    assert_eq!(says.get("start"), Some(&json!("2026-03-02T22:00:00")));
    assert_eq!(says.get("recurrenceOverrides"), Some(&json!({"2026-03-09T22:00:00": {"excluded": true}})));
    says.set(
        "recurrenceOverrides",
        json!({"2026-03-09T22:00:00": {"excluded": true}, "2026-03-16T22:00:00": {"excluded": true}}),
    );
    let to = sheet(&onto(&rendering, &says));
    assert_eq!(to.cancelled, ["2026-03-09", "2026-03-16"]);
    assert_eq!(read(&to.close()), says);
}

#[test]
fn title_edit_keeps_overrides() {
    let rendering = series(
        vec![exception(
            "2026-03-09T08:00:00Z",
            json!({"start": utc("2026-03-09T10:00:00"), "end": utc("2026-03-09T10:30:00")}),
        )],
        &["2026-03-16"],
    );
    let mut says = read(&rendering);
    let overrides = says.get("recurrenceOverrides").cloned();
    assert_eq!(
        overrides,
        Some(
            json!({"2026-03-09T09:00:00": {"start": "2026-03-09T11:00:00"}, "2026-03-16T09:00:00": {"excluded": true}})
        )
    );
    assert_eq!(onto(&rendering, &says), rendering);
    says.set("title", json!("Daily"));
    let to = onto(&rendering, &says);
    assert_eq!(sent(&rendering, &to), Some(json!({"subject": "Daily"})), "no recurrence, no start");
    assert_eq!(read(&to), says);
    assert_eq!(sheet(&to).cancelled, ["2026-03-16"]);
}

#[test]
fn an_occurrence_is_changed_taken_out_and_set_right_again() {
    let rendering = series(Vec::new(), &[]);
    let mut says = read(&rendering);
    says.set("recurrenceOverrides", json!({"2026-03-09T09:00:00": {"title": "Other", "color": "red", "start": "2026-03-10T09:00:00"},
        "2026-03-16T09:00:00": {"excluded": true}, "2026-03-23T09:00:00": {"excluded": false}, "2026-03-24T10:00:00": {"excluded": true}}));
    let to = onto(&rendering, &says);
    let held = sheet(&to);
    assert_eq!(held.exceptions.len(), 1);
    let plain = event(
        json!({"subject": "Standup", "start": {"dateTime": "2026-03-09T09:00:00", "timeZone": "W. Europe Standard Time"}}),
    );
    let body = held.exceptions[0].patch_body(&plain).unwrap();
    assert_eq!((&body["subject"], &body["start"]["dateTime"]), (&json!("Other"), &json!("2026-03-10T09:00:00")));
    assert_eq!(held.exceptions[0].text("originalStart"), Some("2026-03-09T08:00:00Z"));
    assert_eq!(held.cancelled, ["2026-03-16"]);
    let mut expected = says.clone();
    // A date that is none of the series is out anyway, and stays unsaid.
    twofold_model::patch::set_path(
        &mut expected.0,
        &["recurrenceOverrides".into(), "2026-03-24T10:00:00".into()],
        Value::Null,
    );
    assert_eq!(read(&to), expected);
    // The changed one says what the series says again.
    let mut back = read(&to);
    back.set("recurrenceOverrides", json!({"2026-03-16T09:00:00": {"excluded": true}}));
    let again = onto(&to, &back);
    assert_eq!(read(&again), back);
    // What was taken out cannot be put back there: that it is meant to be is carried.
    back.set("recurrenceOverrides", Value::Null);
    let carried = onto(&again, &back);
    assert_eq!(sheet(&carried).cancelled, ["2026-03-16"]);
    assert_eq!(read(&carried), back);
}

#[test]
fn an_occurrence_that_cannot_come_back_there_is_told_until_it_is_out_everywhere() {
    let there = series(Vec::new(), &["2026-03-09", "2026-03-16"]);
    assert_eq!(lens().shortfall(&there), None, "as everybody says");
    let out = json!({"excluded": true});
    let mut says = read(&there);
    says.set("title", "Renamed".into());
    says.set("recurrenceOverrides", json!({"2026-03-16T09:00:00": out}));
    let plain = onto(&there, &says);
    let words = lens().shortfall(&plain).unwrap();
    assert!(words.contains("2026-03-09") && !words.contains("2026-03-16"), "{words}");
    assert!(words.contains("no way to bring an occurrence back"), "{words}");
    assert_eq!(sent(&there, &plain).unwrap()["subject"], "Renamed", "the rest of the change is sent");
    // It comes back changed, and the other one comes back too.
    says.set("recurrenceOverrides", json!({"2026-03-09T09:00:00": {"title": "Other"}}));
    let changed = onto(&plain, &says);
    assert_eq!(read(&changed), says);
    let words = lens().shortfall(&changed).unwrap();
    assert!(words.contains("2026-03-09, 2026-03-16"), "{words}");
    // Out again everywhere.
    says.set("recurrenceOverrides", json!({"2026-03-09T09:00:00": out, "2026-03-16T09:00:00": out}));
    assert_eq!(lens().shortfall(&onto(&changed, &says)), None);
}

#[test]
fn an_occurrence_that_came_back_stays_so_when_another_one_is_changed_there() {
    let mut says = read(&series(Vec::new(), &["2026-03-09"]));
    says.set("recurrenceOverrides", Value::Null);
    let mut later = sheet(&onto(&series(Vec::new(), &["2026-03-09"]), &says));
    later.exceptions.push(exception(
        "2026-03-16T08:00:00Z",
        json!({"subject": "Other", "start": utc("2026-03-16T08:00:00"), "end": utc("2026-03-16T08:30:00")}),
    ));
    assert_eq!(overrides(&read(&later.close())), json!({"2026-03-16T09:00:00": {"title": "Other"}}));
    assert!(lens().shortfall(&later.close()).unwrap().contains("2026-03-09"));
}

#[test]
fn a_changed_rule_keeps_the_exceptions_that_still_fit() {
    let rendering = series(
        vec![
            exception(
                "2026-03-09T08:00:00Z",
                json!({"subject": "Fits", "start": utc("2026-03-09T08:00:00"), "end": utc("2026-03-09T08:30:00")}),
            ),
            exception(
                "2026-03-16T08:00:00Z",
                json!({"subject": "Does not", "start": utc("2026-03-16T08:00:00"), "end": utc("2026-03-16T08:30:00")}),
            ),
        ],
        &["2026-03-23", "2026-03-30"],
    );
    let mut says = read(&rendering);
    // Every third week: 2 March, 23 March.
    says.set("recurrenceRules", json!([{"frequency": "weekly", "interval": 3}]));
    says.set("recurrenceOverrides", json!({"2026-03-23T09:00:00": {"excluded": true}}));
    let to = onto(&rendering, &says);
    let held = sheet(&to);
    assert_eq!((held.exceptions.len(), held.cancelled.clone()), (0, vec!["2026-03-23".to_owned()]));
    assert_eq!(held.event.0["recurrence"]["pattern"]["interval"], json!(3));
    assert_eq!(read(&to), says);
    // An override of a date that is none would be a date of its own.
    says.set("recurrenceOverrides", json!({"2026-03-16T09:00:00": {"title": "Does not"}}));
    assert!(refused(Some(&rendering), &says).contains("RDATE"));
}

#[test]
fn what_graph_cannot_say_is_refused_and_never_approximated() {
    let base = json!({"start": "2026-03-31T09:00:00", "timeZone": "Europe/Berlin", "title": "t"});
    let rows = [
        ("two rules", json!({"recurrenceRules": [{"frequency": "weekly"}, {"frequency": "daily", "interval": 5}]})),
        (
            "EXRULE",
            json!({"recurrenceRules": [{"frequency": "weekly"}], "excludedRecurrenceRules": [{"frequency": "weekly", "interval": 2}]}),
        ),
        (
            "RDATE",
            json!({"recurrenceRules": [{"frequency": "weekly"}], "recurrenceOverrides": {"2026-04-01T09:00:00": {"excluded": false}}}),
        ),
        ("RDATE alone", json!({"recurrenceOverrides": {"2026-04-01T09:00:00": {"excluded": false}}})),
        ("hourly", json!({"recurrenceRules": [{"frequency": "hourly"}]})),
        ("day 31", json!({"recurrenceRules": [{"frequency": "monthly"}]})),
        ("a rule of another calendar", json!({"recurrenceRules": [{"frequency": "yearly", "rscale": "hebrew"}]})),
        (
            "this and following",
            json!({"recurrenceRules": [{"frequency": "weekly"}], "iCalOverrides": {"k": {"component": "BEGIN:VEVENT"}}}),
        ),
        ("an unknown zone", json!({"timeZone": "/Nowhere", "recurrenceRules": [{"frequency": "weekly"}]})),
    ];
    for (what, with) in rows {
        let said = content(changed(base.clone(), with));
        assert!(!refused(None, &said).is_empty(), "{what}");
    }
    assert!(!refused(None, &content(json!({"title": "no start"}))).is_empty());
}

#[test]
fn an_exception_that_says_nothing_else_is_none() {
    let same = json!({"start": utc("2026-03-09T08:00:00"), "end": utc("2026-03-09T08:30:00")});
    let rendering = series(vec![exception("2026-03-09T08:00:00Z", same)], &[]);
    let says = read(&rendering);
    assert_eq!(says.get("recurrenceOverrides"), None);
    assert_eq!(onto(&rendering, &says), rendering);
}

#[test]
fn guest_of_one_occurrence() {
    let lone = exception(
        "2026-03-09T08:00:00Z",
        json!({"seriesMasterId": "hidden", "isOrganizer": false, "subject": "Guest",
        "start": utc("2026-03-09T09:00:00"), "end": utc("2026-03-09T10:00:00")}),
    );
    let rendering = Sheet::of(lone).close();
    let mut says = read(&rendering);
    let inner = says.at(&["recurrenceOverrides", "2026-03-09T09:00:00"]).unwrap().clone();
    assert_eq!(
        (&inner["title"], &inner["start"], &inner["recurrenceIdTimeZone"]),
        (&json!("Guest"), &json!("2026-03-09T10:00:00"), &json!("Europe/Berlin"))
    );
    assert_eq!((says.get("start"), says.0.len()), (None, 1));
    assert_eq!(onto(&rendering, &says), rendering);
    let path = ["recurrenceOverrides", "2026-03-09T09:00:00", "alerts"].map(str::to_owned);
    twofold_model::patch::set_path(&mut says.0, &path, alert("-PT5M"));
    let to = onto(&rendering, &says);
    assert_eq!(sent(&rendering, &to), Some(json!({"reminderMinutesBeforeStart": 5})));
    assert_eq!(read(&to), says);
    // At another mailbox it is a single event that remembers what it is.
    let copy = new(&says);
    assert_eq!(sheet(&copy).event.text("subject"), Some("Guest"));
    assert_eq!(read(&copy), says);
    let mut renamed = sheet(&copy);
    renamed.event.0["subject"] = json!("Renamed");
    let now = read(&renamed.close());
    assert_eq!((now.get("title"), now.get("start")), (Some(&json!("Renamed")), Some(&json!("2026-03-09T10:00:00"))));
}

// Meetings

fn guests() -> Value {
    json!([{"type": "required", "emailAddress": {"name": "Bob", "address": "bob@example.com"}, "status": {"response": "accepted"}}])
}

#[test]
fn on_somebody_elses_meeting_only_private_things_are_sent() {
    let rendering = single(json!({"isOrganizer": false, "attendees": guests()}));
    let mut says = read(&rendering);
    says.set("title", json!("Mine"));
    says.set("start", json!("2026-03-02T15:00:00"));
    says.set("locations", Value::Null);
    says.set("privacy", json!("private"));
    says.set("keywords", json!({"Work": true}));
    says.set("freeBusyStatus", json!("free"));
    says.set("alerts", alert("-PT30M"));
    let to = onto(&rendering, &says);
    let body = sent(&rendering, &to).unwrap();
    let mut names: Vec<&str> = body.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["categories", "reminderMinutesBeforeStart", "showAs", "singleValueExtendedProperties"]);
    assert_eq!(read(&to), says, "the rest is carried");
    // What the organizer changes later wins.
    let mut later = sheet(&to);
    later.event.0["subject"] = json!("Theirs");
    later.event.0["start"] = utc("2026-03-03T11:00:00");
    later.event.0["end"] = utc("2026-03-03T12:00:00");
    let now = read(&later.close());
    assert_eq!((now.get("title"), now.get("start")), (Some(&json!("Theirs")), Some(&json!("2026-03-03T12:00:00"))));
}

#[test]
fn a_copy_of_a_meeting_invites_nobody() {
    let says = read(&single(json!({"isOrganizer": false, "attendees": guests()})));
    assert_eq!(says.get("participants").and_then(Value::as_object).map(serde_json::Map::len), Some(2));
    let copy = new(&says);
    assert_eq!(sheet(&copy).event.0.get("attendees"), None);
    assert!(sheet(&copy).event.property(CARRY).unwrap().contains("bob@example.com"));
    assert_eq!(read(&copy), says);
}

#[test]
fn a_new_meeting_that_asks_its_guests_names_all_but_its_organizer() {
    let people = json!({
        "a": {"email": "Ada@x", "name": "Ada", "roles": {"owner": true, "attendee": true}, "participationStatus": "accepted"},
        "b": {"email": "Bob@x", "name": "Bob", "roles": {"attendee": true, "optional": true}, "expectReply": true},
        "r": {"email": "room@x", "roles": {"attendee": true}, "kind": "resource"},
        "n": {"email": "nobody", "roles": {"attendee": true}},
    });
    let said = content(json!({"start": "2026-03-02T09:00:00", "timeZone": "Europe/Berlin", "participants": people,
        "recurrenceRules": [{"frequency": "weekly"}], "recurrenceOverrides": {"2026-03-09T09:00:00": {"title": "Other"}}}));
    let asking = lens().inviting(&said, &identity()).unwrap().unwrap();
    let sent = sheet(&asking).event.create_body("t");
    let person = |address: &str, kind: &str| json!({"emailAddress": {"address": address}, "type": kind});
    let mut bob = person("Bob@x", "optional");
    bob["emailAddress"]["name"] = "Bob".into();
    assert_eq!(sent["attendees"], json!([bob, person("room@x", "resource")]));
    assert_eq!(sent.get("organizer"), None, "that follows from the mailbox");
    assert_eq!(
        sheet(&asking).exceptions[0].0["attendees"],
        sent["attendees"],
        "nobody is asked away from an occurrence"
    );
    assert_eq!(read(&asking), read(&new(&said)));
    let mut alone = said.clone();
    ["b", "r"].iter().for_each(|key| drop(alone.0["participants"].as_object_mut().unwrap().shift_remove(*key)));
    assert_eq!(lens().inviting(&alone, &identity()).unwrap(), None);
    let lone = content(
        json!({"recurrenceOverrides": {"2026-03-09T09:00:00": {"start": "2026-03-09T09:00:00", "participants": people}}}),
    );
    assert_eq!(lens().inviting(&lone, &identity()).unwrap(), None, "one occurrence of a series that is not there");
}

#[test]
fn guests_of_a_meeting_of_the_users_own_come_and_go_and_that_mails() {
    let meeting = single(json!({"attendees": guests()}));
    let mut says = read(&meeting);
    let eve = json!({"email": "eve@example.com", "roles": {"attendee": true}, "participationStatus": "accepted"});
    says.0["participants"][card::key("eve@example.com")] = eve.clone();
    let to = onto(&meeting, &says);
    let added = json!({"emailAddress": {"address": "eve@example.com"}, "type": "required"});
    let body = sent(&meeting, &to).unwrap();
    assert_eq!(body["attendees"], json!([guests()[0], added]), "what she answered is not ours to say");
    assert_eq!(read(&to), says);
    assert_eq!(lens().mails(&meeting, Some(&to)), 2);
    // What the server makes of it is the same meaning.
    let mut told = sheet(&to);
    told.event.0["attendees"][1]["status"] = json!({"response": "none", "time": "0001-01-01T00:00:00Z"});
    told.event.0["attendees"][1]["emailAddress"]["name"] = json!("eve@example.com");
    assert_eq!(read(&told.close()), says);
    says.set("participants", Value::Null);
    let alone = onto(&to, &says);
    assert_eq!(sent(&to, &alone).unwrap()["attendees"], json!([]));
    assert_eq!((read(&alone), lens().mails(&to, Some(&alone))), (says, 2));
    // Somebody else's, and one to which nobody was asked.
    for rendering in [single(json!({"isOrganizer": false, "attendees": guests()})), single(json!({}))] {
        let mut says = read(&rendering);
        let mut people = says.get("participants").cloned().unwrap_or_else(|| json!({}));
        people[card::key("eve@example.com")] = eve.clone();
        says.set("participants", people);
        let to = onto(&rendering, &says);
        assert_eq!(sent(&rendering, &to).unwrap().get("attendees"), None);
        assert_eq!((read(&to), lens().mails(&rendering, Some(&to))), (says, 0), "it is carried");
    }
}

#[test]
fn guests_are_asked_to_a_series_and_never_to_one_occurrence() {
    let asked = json!({"attendees": guests()});
    let changed = exception("2026-03-09T08:00:00Z", changed(asked.clone(), json!({"subject": "Other"})));
    let rendering = Sheet { event: weekly(asked), exceptions: vec![changed], ..Sheet::default() }.close();
    let eve = json!({"email": "eve@example.com", "roles": {"attendee": true}});
    let path = |of: &[&str]| of.iter().map(|part| (*part).to_owned()).collect::<Vec<_>>();
    let key = card::key("eve@example.com");
    // To all of them; to all but the changed one; to the changed one alone.
    for (is_master, is_changed) in [(true, true), (true, false), (false, true)] {
        let mut says = read(&rendering);
        if is_master {
            twofold_model::patch::set_path(&mut says.0, &path(&["participants", &key]), eve.clone());
        }
        let own = format!("participants/{key}");
        let of_its_own = if is_changed { eve.clone() } else { json!(false) };
        let at = path(&["recurrenceOverrides", "2026-03-09T09:00:00", &own]);
        twofold_model::patch::set_path(&mut says.0, &at, of_its_own);
        let says = settled(&says).into_owned();
        let to = onto(&rendering, &says);
        assert_eq!(read(&to), says, "{is_master} {is_changed}");
        let is_sent = sent(&rendering, &to).is_some_and(|body| body.get("attendees").is_some());
        assert_eq!(is_sent, is_master, "{is_master} {is_changed}");
        assert_eq!(lens().mails(&rendering, Some(&to)) > 0, is_master, "{is_master} {is_changed}");
    }
}

#[test]
fn no_write_mails_anyone() {
    let meeting = single(json!({"attendees": guests()}));
    let own = single(json!({}));
    let theirs = single(json!({"isOrganizer": false, "attendees": guests()}));
    let with = |rendering: &Rendering, member: &str, value: Value| {
        let mut says = read(rendering);
        says.set(member, value);
        onto(rendering, &says)
    };
    let mails = |from: &Rendering, to: Option<&Rendering>| lens().mails(from, to) > 0;
    for member in ["title", "description"] {
        assert!(mails(&meeting, Some(&with(&meeting, member, json!("x")))), "{member}");
        assert!(!mails(&own, Some(&with(&own, member, json!("x")))), "{member}");
        assert!(!mails(&theirs, Some(&with(&theirs, member, json!("x")))), "{member}");
    }
    assert!(mails(&meeting, Some(&with(&meeting, "start", json!("2026-03-02T13:00:00")))));
    assert!(mails(&meeting, Some(&with(&meeting, "recurrenceRules", json!([{"frequency": "weekly"}])))));
    let mine = [
        ("keywords", json!({"a": true})),
        ("alerts", Value::Null),
        ("freeBusyStatus", json!("free")),
        ("color", json!("red")),
    ];
    for (member, value) in mine {
        assert!(!mails(&meeting, Some(&with(&meeting, member, value))), "{member}");
    }
    assert_eq!(lens().mails(&meeting, None), guests().as_array().unwrap().len(), "each guest");
    assert_eq!(lens().mails(&theirs, None), 1, "the organizer alone");
    assert!(mails(&meeting, None), "a removal cancels it");
    assert!(mails(&theirs, None), "a removal may decline it");
    assert!(!mails(&own, None));
    assert!(!mails(&single(json!({"isOrganizer": false, "isCancelled": true, "attendees": guests()})), None));
    assert!(!mails(&meeting, Some(&meeting)));
    let series = Sheet { event: weekly(json!({"attendees": guests()})), ..Sheet::default() };
    let cancelled = Sheet { cancelled: vec!["2026-03-09".into()], ..series.clone() };
    assert!(mails(&series.close(), Some(&cancelled.close())));
}

// Renderings that know less

#[test]
fn exceptions_that_could_not_be_read_are_not_taken_away() {
    let was = series(vec![exception("2026-03-09T08:00:00Z", json!({"subject": "Kept"}))], &["2026-03-16"]);
    let mut now = Sheet { exceptions: Vec::new(), cancelled: Vec::new(), is_partial: true, ..sheet(&was) };
    let settled = lens().settle_unknown(&was, now.close());
    assert_eq!(read(&settled), read(&was));
    // What is named as taken out is.
    now.cancelled = vec!["2026-03-09".into()];
    let settled = sheet(&lens().settle_unknown(&was, now.close()));
    assert_eq!(
        (settled.exceptions.len(), settled.cancelled),
        (0, vec!["2026-03-09".to_owned(), "2026-03-16".to_owned()])
    );
    now.is_partial = false;
    now.cancelled.clear();
    assert_eq!(lens().settle_unknown(&was, now.close()), now.close(), "a whole answer stands as it is");
}

#[test]
fn properties_that_somebody_dropped_were_not_removed_by_anybody() {
    let made = new(&content(json!({"start": "2026-03-02T12:00:00", "timeZone": "Europe/Vienna", "color": "red"})));
    let mut dropped = sheet(&made);
    dropped.event.0.shift_remove("singleValueExtendedProperties");
    assert_eq!(lens().settle_unknown(&made, dropped.close()), sheet_again(&made));
}

/// The same rendering with its extended properties last.
fn sheet_again(rendering: &Rendering) -> Rendering {
    let mut sheet = sheet(rendering);
    let properties = sheet.event.0.shift_remove("singleValueExtendedProperties").unwrap();
    sheet.event.0.insert("singleValueExtendedProperties".into(), properties);
    sheet.close()
}

// Laws

fn rules() -> impl Strategy<Value = Option<Value>> {
    let end = prop_oneof![
        Just(json!({})),
        (1_u32..40).prop_map(|n| json!({"count": n})),
        (1_u32..29).prop_map(|d| json!({"until": format!("2027-05-{d:02}T23:59:59")}))
    ];
    let rule = prop_oneof![
        (1_u32..9).prop_map(|n| json!({"frequency": "daily", "interval": n})),
        (1_u32..5).prop_map(|n| json!({"frequency": "weekly", "interval": n})),
        (1_u32..5).prop_map(|n| json!({"frequency": "weekly", "interval": n, "byDay": [{"day": "mo"}, {"day": "we"}, {"day": "su"}], "firstDayOfWeek": "su"})),
        Just(json!({"frequency": "monthly"})),
        Just(json!({"frequency": "monthly", "byDay": [{"day": "mo", "nthOfPeriod": 1}]})),
        Just(json!({"frequency": "monthly", "byMonthDay": [-1]})),
        Just(json!({"frequency": "yearly"})),
        Just(json!({"frequency": "secondly"})),
    ];
    proptest::option::of((rule, end).prop_map(|(mut rule, end)| {
        rule.as_object_mut().unwrap().extend(end.as_object().unwrap().clone());
        let start = twofold_model::event::local("2026-03-02T09:00:00").unwrap();
        Rule::from_json(&rule).unwrap().canonical(start).to_json()
    }))
}

prop_compose! {
    fn contents()(
        rule in rules(),
        zone in prop_oneof![Just(json!("Europe/Berlin")), Just(json!("Europe/Vienna")), Just(json!("America/St_Johns")), Just(json!("Etc/UTC")), Just(Value::Null)],
        is_all_day in proptest::bool::weighted(0.2),
        title in "[a-zA-Z ÄÖ✓\u{1f600}]{0,12}",
        description in "[ a-z<>&\n]{0,20}",
        is_html in any::<bool>(),
        minutes in proptest::collection::vec(prop_oneof![Just("-PT15M"), Just("-P1D"), Just("PT5M"), Just("PT0S")], 0..3),
        words in proptest::collection::vec("[a-c]{1,2}", 0..3),
        privacy in prop_oneof![Just(Value::Null), Just(json!("private")), Just(json!("secret"))],
        busy in prop_oneof![Just(Value::Null), Just(json!("free")), Just(json!("unavailable")), Just(json!("workingElsewhere"))],
        priority in prop_oneof![Just(Value::Null), (1_u64..10).prop_map(Value::from)],
        places in proptest::collection::vec("[A-Z][a-z]{0,4}", 0..3),
        color in proptest::option::of("red|blue"),
        has_guest in any::<bool>(),
        excluded in proptest::collection::vec(0_i64..60, 0..3),
        renamed in proptest::collection::vec(0_i64..60, 0..3),
    ) -> Content {
        let start = twofold_model::event::local(if is_all_day { "2026-03-02T00:00:00" } else { "2026-03-02T09:00:00" }).unwrap();
        let mut alerts = serde_json::Map::new();
        for offset in minutes {
            let alert = json!({"trigger": {"offset": offset}});
            alerts.insert(card::key(&alert_identity(&alert)), alert);
        }
        let mut locations = serde_json::Map::new();
        for place in places {
            card::insert_as(&mut locations, "location", json!({"name": place}));
        }
        let mut said = json!({
            "start": twofold_model::event::local_text(start), "title": title, "description": description, "alerts": alerts,
            "keywords": words.into_iter().map(|word| (word, json!(true))).collect::<serde_json::Map<_, _>>(),
            "privacy": privacy, "freeBusyStatus": busy, "priority": priority, "locations": locations, "color": color,
        });
        if is_all_day {
            said["showWithoutTime"] = json!(true);
            said["duration"] = json!("P2D");
        } else {
            said["timeZone"] = zone;
            said["duration"] = json!("PT45M");
        }
        if is_html {
            said["descriptionContentType"] = json!("text/html");
        }
        if has_guest {
            said["participants"] = json!({card::key("b@x"): {"email": "b@x", "roles": {"attendee": true}}});
        }
        if let Some(rule) = rule {
            let series = Series { start, rules: vec![Rule::from_json(&rule).unwrap()], excluded: vec![], added: Default::default(), removed: Default::default() };
            let until = start + chrono::Duration::days(400);
            let dates = series.dates(start, until, 60).unwrap_or_default();
            let mut overrides = serde_json::Map::new();
            let at = |index: i64| dates.get(usize::try_from(index).unwrap()).map(|date| twofold_model::event::local_text(*date));
            renamed.into_iter().filter_map(at).for_each(|key| drop(overrides.insert(key, json!({"title": "Other", "color": "green"}))));
            excluded.into_iter().filter_map(at).for_each(|key| drop(overrides.insert(key, json!({"excluded": true}))));
            said["recurrenceRules"] = json!([rule]);
            said["recurrenceOverrides"] = Value::Object(overrides);
        }
        settled(&content(said)).into_owned()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn nothing_changes_when_nothing_is_changed(said in contents()) {
        let Ok(made) = lens().write(None, &said, &identity()) else { return Ok(()) };
        let says = read(&made);
        prop_assert_eq!(onto(&made, &says), made);
        prop_assert_eq!(settled(&says).into_owned(), says);
    }

    #[test]
    fn what_is_written_is_read_back_wherever_it_is_written(said in contents(), before in contents(), is_meeting in any::<bool>()) {
        let Ok(projected) = lens().project(&said) else {
            // What cannot be said is refused as a whole.
            prop_assert_eq!(lens().write(None, &said, &identity()).unwrap_err().kind, ErrorKind::Unsupported);
            return Ok(());
        };
        prop_assert_eq!(lens().project(&projected).unwrap(), projected.clone());
        let Ok(mut old) = lens().write(None, &before, &identity()) else { return Ok(()) };
        if is_meeting {
            let mut held = sheet(&old);
            held.event.0.insert("isOrganizer".into(), true.into());
            held.event.0.insert("attendees".into(), guests());
            old = held.close();
        }
        let to = lens().write(Some(&old), &said, &identity()).unwrap();
        prop_assert_eq!(read(&to), projected);
        prop_assert_eq!(onto(&to, &read(&to)), to);
        if let Some(asking) = lens().inviting(&said, &identity()).unwrap() {
            prop_assert_eq!(read(&asking), read(&new(&said)), "asking says the same");
        }
    }

    #[test]
    fn a_series_falls_on_the_same_dates_for_ten_years(said in contents()) {
        let Ok(made) = lens().write(None, &said, &identity()) else { return Ok(()) };
        let series = |content: &Content| Series::of(content).unwrap().unwrap();
        prop_assert!(same_dates(&series(&said), &series(&lens().native(&made).unwrap()), 10).unwrap());
    }
}
