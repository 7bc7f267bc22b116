//! What another client does to calendars and events, and what is there at the start.

use serde_json::{Value, json};
use twofold_sandbox::{Options, Request};

use crate::{Graph, refused, text, texts, timed, url, with};

const BERLIN: &str = "W. Europe Standard Time";

fn series() -> Value {
    let pattern = json!({ "type": "weekly", "interval": 1, "daysOfWeek": ["monday"] });
    let range = json!({ "type": "noEnd", "startDate": "2026-03-02" });
    with(
        timed("Series", BERLIN, "2026-03-02T10:00:00", "2026-03-02T11:00:00"),
        json!({ "recurrence": { "pattern": pattern, "range": range } }),
    )
}

#[test]
fn another_client_edits_what_it_changes_and_leaves_the_rest() {
    let graph = Graph::empty();
    let event = with(
        timed("Other", BERLIN, "2026-03-02T10:00:00", "2026-03-02T11:00:00"),
        json!({
            "body": { "contentType": "text", "content": "x" },
            "location": { "displayName": "Here" },
            "singleValueExtendedProperties": [{ "id": crate::MARK, "value": "1" }],
        }),
    );
    let id = graph.sandbox.graph_event_create("", &event).expect("makes");
    let before = graph.sandbox.graph_event(&id).expect("is there");
    graph.sandbox.graph_event_edit(&id, |event| event["location"]["displayName"] = "There".into()).expect("edits");
    let after = graph.sandbox.graph_event(&id).expect("is there");
    assert_eq!((&after["locations"][0]["displayName"], &after["body"]), (&json!("There"), &before["body"]));
    assert_eq!(after["singleValueExtendedProperties"], before["singleValueExtendedProperties"]);
    assert_ne!(after["changeKey"], before["changeKey"]);
    graph.sandbox.graph_event_edit(&id, |event| event["subject"] = Value::Null).expect("edits");
    assert_eq!(graph.sandbox.graph_event(&id).expect("is there")["subject"], "");
    graph.sandbox.switch(|switches| switches.graph_edit_drops_properties = true);
    graph.sandbox.graph_event_edit(&id, |event| event["showAs"] = "oof".into()).expect("edits");
    assert_eq!(graph.sandbox.graph_event(&id).expect("is there")["singleValueExtendedProperties"], json!([]));
    assert!(graph.sandbox.graph_event_edit(&id, |event| event["showAs"] = "away".into()).is_err());
    graph.sandbox.graph_event_delete(&id).expect("deletes");
    assert!(graph.sandbox.graph_events().is_empty() && graph.sandbox.graph_mails().is_empty());
    graph.sandbox.graph_event_move(&id, "").expect("restores");
    assert_eq!(graph.rows("me/events").len(), 1);
}

#[test]
fn a_guest_proposes_another_time() {
    let graph = Graph::empty();
    let people = json!([{ "emailAddress": { "address": "bob@example.org" }, "type": "optional" }]);
    let event = timed("Meeting", BERLIN, "2026-03-02T10:00:00", "2026-03-02T11:00:00");
    let id = text(&graph.event(&with(event, json!({ "attendees": people })))["id"]);
    let slot = timed("", BERLIN, "2026-03-03T10:00:00", "2026-03-03T11:00:00");
    let proposed = json!({ "start": slot["start"], "end": slot["end"] });
    let answer = |event: &mut Value| {
        event["attendees"][0]["status"] = json!({ "response": "tentativelyAccepted", "time": "2026-01-02T11:00:00Z" });
        event["attendees"][0]["proposedNewTime"] = proposed.clone();
    };
    graph.sandbox.graph_event_edit(&id, answer).expect("answers");
    let path = format!("me/events/{id}");
    assert_eq!(graph.get_json(&path)["attendees"][0]["proposedNewTime"], proposed);
    // A client that sends the guests again does not take their answers away.
    let again = json!({ "attendees": [{ "emailAddress": { "address": "Bob@example.org" } }] });
    let now = graph.patch(&path, &again).body_json();
    assert_eq!(now["attendees"][0]["status"]["response"], "tentativelyAccepted");
}

#[test]
fn another_client_changes_single_days_and_the_rule() {
    let graph = Graph::empty();
    let id = graph.sandbox.graph_event_create("", &series()).expect("makes");
    graph
        .sandbox
        .graph_occurrence_edit(&id, "2026-03-09", |one| {
            one["start"]["dateTime"] = "2026-03-10T10:00:00".into();
            one["end"]["dateTime"] = "2026-03-10T12:00:00".into();
        })
        .expect("edits");
    graph.sandbox.graph_occurrence_delete(&id, "2026-03-16").expect("deletes");
    assert!(graph.sandbox.graph_occurrence_delete(&id, "2026-03-17").is_err());
    let whole = graph.sandbox.graph_event(&id).expect("is there");
    assert_eq!(whole["cancelled"], json!(["2026-03-16"]));
    assert_eq!(whole["exceptions"]["2026-03-09"]["start"]["dateTime"], "2026-03-10T10:00:00.0000000");
    graph.sandbox.graph_event_edit(&id, |event| event["subject"] = "Renamed".into()).expect("edits");
    assert_eq!(graph.sandbox.graph_event(&id).expect("is there")["cancelled"], json!(["2026-03-16"]));
    graph.sandbox.graph_event_edit(&id, |event| event["recurrence"]["pattern"]["interval"] = 2.into()).expect("edits");
    let whole = graph.sandbox.graph_event(&id).expect("is there");
    assert_eq!((&whole["cancelled"], &whole["exceptions"]), (&json!([]), &json!({})));
    graph
        .sandbox
        .graph_event_edit(&id, |event| {
            event["start"]["dateTime"] = "2026-03-02T15:00:00".into();
            event["end"]["dateTime"] = "2026-03-02T16:00:00".into();
        })
        .expect("edits");
    let rows = graph.rows(&format!("me/events/{id}/instances?startDateTime=2026-03-01&endDateTime=2026-03-20"));
    let starts: Vec<Value> = rows.iter().map(|row| row["start"]["dateTime"].clone()).collect();
    assert_eq!(starts, ["2026-03-02T14:00:00.0000000", "2026-03-16T14:00:00.0000000"]);
}

#[test]
fn zones_without_a_name_of_their_own_come_from_other_clients_only() {
    let graph = Graph::empty();
    for (zone, utc) in
        [("tzone://Microsoft/Custom", "09"), ("Customized Time Zone", "09"), ("tzone://Microsoft/Utc", "10")]
    {
        let mut event = series();
        event["start"]["timeZone"] = zone.into();
        event["end"]["timeZone"] = zone.into();
        let id = graph.sandbox.graph_event_create("", &event).expect("makes");
        let shown = graph.get_json(&format!("me/events/{id}"));
        assert_eq!(
            (&shown["originalStartTimeZone"], &shown["recurrence"]["range"]["recurrenceTimeZone"]),
            (&json!(zone), &json!(zone))
        );
        assert_eq!(shown["start"]["dateTime"], format!("2026-03-02T{utc}:00:00.0000000"));
        graph.sandbox.graph_event_edit(&id, |event| event["subject"] = "x".into()).expect("edits");
        assert_eq!(graph.get_json(&format!("me/events/{id}"))["originalStartTimeZone"], zone);
    }
}

#[test]
fn the_control_endpoint_reaches_calendars_too() {
    let graph = Graph::empty();
    let control = |action: &str, body: Value| {
        let reply = graph.sandbox.handle(&Request::post(&format!("/_sandbox/microsoft/{action}"), &body));
        assert_eq!(reply.status, 200, "{action}: {}", reply.body_json());
        reply.body_json()
    };
    let calendar = text(&control("add_calendar", json!({ "name": "Team", "color": "lightRed" }))["id"]);
    let id = text(&control("create_event", json!({ "calendar": "Team", "event": series() }))["id"]);
    control("edit_event", json!({ "id": id, "event": { "subject": "Renamed" } }));
    control("edit_occurrence", json!({ "id": id, "date": "2026-03-09", "event": { "subject": "Other" } }));
    control("delete_occurrence", json!({ "id": id, "date": "2026-03-16" }));
    control("restamp_event", json!({ "id": id }));
    let event = control("get_event", json!({ "id": id }));
    assert_eq!(
        (&event["subject"], &event["exceptions"]["2026-03-09"]["subject"]),
        (&json!("Renamed"), &json!("Other"))
    );
    control("edit_calendar", json!({ "calendar": "Team", "name": "Crew" }));
    control("mailbox_zone", json!({ "zone": "Europe/Vienna" }));
    let calendars = control("calendars", json!({}));
    assert_eq!(calendars["calendars"][1]["events"][0]["id"], id.as_str());
    control("move_event", json!({ "id": id, "calendar": "" }));
    control("delete_calendar", json!({ "calendar": calendar }));
    assert_eq!(control("events", json!({})).as_array().map(Vec::len), Some(1));
    let guests = json!([{ "emailAddress": { "address": "bob@example.org" } }]);
    graph.patch(&format!("me/events/{id}"), &json!({ "attendees": guests }));
    let mails = control("mails", json!({ "reset": true }));
    assert_eq!((&mails[0]["why"], &mails[0]["to"]), (&json!("invitation"), &json!(["bob@example.org"])));
    assert_eq!(control("mails", json!({})), json!([]));
    control("delete_event", json!({ "id": id }));
    assert_eq!(control("events", json!({})), json!([]));
    let reset = json!({ "seed": "demo", "events": 20 });
    assert_eq!(graph.sandbox.handle(&Request::post("/_sandbox/reset", &reset)).status, 200);
    assert_eq!(graph.sandbox.graph_events().len(), 20);
    let reply = graph.sandbox.handle(&Request::post("/_sandbox/microsoft/delete_event", &json!({ "id": "x" })));
    assert_eq!(reply.status, 400);
}

#[test]
fn the_demo_has_lifelike_events() {
    let graph = Graph::with(Options::demo());
    let all = graph.sandbox.graph_events();
    assert_eq!(all.len(), 13);
    let has = |what: &str, test: &dyn Fn(&Value) -> bool| assert!(all.iter().any(test), "{what}");
    has("exception and cancelled days", &|one| {
        one["exceptions"].as_object().is_some_and(|days| days.len() == 1)
            && one["cancelled"].as_array().is_some_and(|days| days.len() == 2)
    });
    has("day 31", &|one| one["recurrence"]["pattern"]["dayOfMonth"] == 31);
    has("organizer with guests", &|one| {
        one["isOrganizer"] == true && one["attendees"].as_array().is_some_and(|list| list.len() == 2)
    });
    has("guest", &|one| one["isOrganizer"] == false && text(&one["iCalUId"]).contains("7643616C2D556964"));
    has("two zones", &|one| one["originalStartTimeZone"] != one["originalEndTimeZone"]);
    has("a zone of its own", &|one| one["originalStartTimeZone"] == "tzone://Microsoft/Custom");
    has("many days", &|one| one["isAllDay"] == true && one["end"]["dateTime"] == "2026-07-25T00:00:00.0000000");
    has("private", &|one| one["sensitivity"] == "private");
    has("no reminder", &|one| one["isReminderOn"] == false);
    let calendars = graph.rows("me/calendars");
    assert_eq!(texts(&calendars, "name"), ["Kalender", "Privat", "Feiertage in Deutschland", "Geburtstage"]);
    let can_edit: Vec<&Value> = calendars.iter().map(|calendar| &calendar["canEdit"]).collect();
    assert_eq!(can_edit, [&json!(true), &json!(true), &json!(false), &json!(false)]);
    let holidays = format!("me/calendars/{}/events", text(&calendars[2]["id"]));
    assert_eq!(graph.rows(&holidays).len(), 3);
    let reply =
        graph.send(Request::post(&url(&holidays), &timed("x", "UTC", "2026-01-01T00:00:00", "2026-01-01T01:00:00")));
    refused(&reply, 403, "ErrorAccessDenied");
    assert!(graph.sandbox.graph_mails().is_empty());
}
