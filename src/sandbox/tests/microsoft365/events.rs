//! Events: what is asked, what is written, what is refused, and what the service makes of it.

use serde_json::{Value, json};
use twofold_sandbox::Request;

use crate::{Graph, refused, text, timed, url, with};

const PACIFIC: &str = "Pacific Standard Time";

fn lunch() -> Value {
    with(
        timed("Let's go for lunch", PACIFIC, "2026-03-15T12:00:00", "2026-03-15T14:00:00"),
        json!({
            "body": { "contentType": "HTML", "content": "Does mid month work for you?" },
            "location": { "displayName": "Harry's Bar" },
            "transactionId": "7E163156-7762-4BEB-A1C6-729EA81755A7",
        }),
    )
}

fn prefer(graph: &Graph, path: &str, what: &str) -> Value {
    graph.send(Request::get(&url(path)).with_header("Prefer", what)).body_json()
}

#[test]
fn a_create_answers_with_all_that_the_documentation_shows() {
    let graph = Graph::empty();
    let reply = graph.post("me/events", &lunch());
    assert_eq!(reply.status, 201, "{}", reply.body_json());
    assert!(reply.header("location").is_some() && reply.header("etag").is_some());
    let made = reply.body_json();
    let keys: Vec<&String> = made.as_object().expect("an event").keys().collect();
    let expected = [
        "@odata.context",
        "@odata.etag",
        "id",
        "createdDateTime",
        "lastModifiedDateTime",
        "changeKey",
        "categories",
        "transactionId",
        "originalStartTimeZone",
        "originalEndTimeZone",
        "iCalUId",
        "reminderMinutesBeforeStart",
        "isReminderOn",
        "hasAttachments",
        "subject",
        "bodyPreview",
        "importance",
        "sensitivity",
        "isAllDay",
        "isCancelled",
        "isOrganizer",
        "responseRequested",
        "seriesMasterId",
        "showAs",
        "type",
        "webLink",
        "onlineMeetingUrl",
        "isOnlineMeeting",
        "onlineMeetingProvider",
        "allowNewTimeProposals",
        "isDraft",
        "hideAttendees",
        "responseStatus",
        "body",
        "start",
        "end",
        "location",
        "locations",
        "recurrence",
        "attendees",
        "organizer",
        "onlineMeeting",
    ];
    assert_eq!(keys, expected);
    // What nobody said.
    assert_eq!((&made["isReminderOn"], &made["reminderMinutesBeforeStart"]), (&json!(true), &json!(15)));
    assert_eq!((&made["showAs"], &made["type"]), (&json!("busy"), &json!("singleInstance")));
    assert_eq!((&made["seriesMasterId"], &made["onlineMeeting"]), (&Value::Null, &Value::Null));
    assert_eq!(made["@odata.etag"], format!("W/\"{}\"", text(&made["changeKey"])));
    assert_eq!(made["originalStartTimeZone"], PACIFIC);
    // Unasked, times are in UTC; on the 15th of March Seattle is seven hours behind.
    assert_eq!(made["start"], json!({ "dateTime": "2026-03-15T19:00:00.0000000", "timeZone": "UTC" }));
    assert_eq!(made["location"]["uniqueId"], "Harry's Bar");
    assert_eq!(made["locations"][0]["displayName"], "Harry's Bar");
    assert_eq!(made["organizer"]["emailAddress"]["address"], "ada@example.com");
    assert!(text(&made["iCalUId"]).starts_with("040000008200E00074C5B7101A82E008"));
    let plain = graph.event(&timed("x", "UTC", "2026-03-15T12:00:00", "2026-03-15T14:00:00"));
    assert!(plain.get("transactionId").is_none(), "shown only if set");
    assert_eq!(plain["location"]["displayName"], "");
}

#[test]
fn bodies_come_back_as_wrapped_html_or_as_text() {
    let graph = Graph::empty();
    let html = text(&graph.event(&lunch())["body"]["content"]);
    assert!(html.starts_with("<html>\r\n<head>") && html.contains("\r\nDoes mid month work for you?\r\n"), "{html}");
    let sent = with(
        timed("x", "UTC", "2026-03-15T12:00:00", "2026-03-15T14:00:00"),
        json!({ "body": { "contentType": "text", "content": "one & two\n<three>" } }),
    );
    let made = graph.event(&sent);
    assert_eq!(made["body"]["contentType"], "html");
    assert!(text(&made["body"]["content"]).contains("one &amp; two<br>\r\n&lt;three&gt;"));
    assert_eq!(made["bodyPreview"], "one & two\r\n<three>");
    let path = format!("me/events/{}", text(&made["id"]));
    let shown = prefer(&graph, &path, "outlook.body-content-type=\"text\"");
    assert_eq!(shown["body"], json!({ "contentType": "text", "content": "one & two\r\n<three>\r\n" }));
    refused(&graph.patch(&path, &json!({ "body": null })), 400, "ErrorPropertyValidationFailure");
    // Wrapping what is wrapped already changes nothing.
    let again = graph.patch(&path, &json!({ "body": { "contentType": "html", "content": html } })).body_json();
    assert_eq!(text(&again["body"]["content"]), html);
}

#[test]
fn times_are_shown_in_the_zone_that_is_preferred_and_kept_under_windows_names() {
    let graph = Graph::empty();
    let made = graph.event(&timed("x", "Europe/Vienna", "2026-07-01T09:00:00", "2026-07-01T10:00:00.5"));
    assert_eq!(made["originalStartTimeZone"], "W. Europe Standard Time");
    assert_eq!(made["start"]["dateTime"], "2026-07-01T07:00:00.0000000");
    assert_eq!(made["end"]["dateTime"], "2026-07-01T08:00:00.5000000");
    let path = format!("me/events/{}", text(&made["id"]));
    let request = Request::get(&url(&path)).with_header("Prefer", "outlook.timezone=\"Tokyo Standard Time\"");
    let reply = graph.send(request);
    assert_eq!(reply.header("preference-applied"), Some("outlook.timezone=\"Tokyo Standard Time\""));
    let start = json!({ "dateTime": "2026-07-01T16:00:00.0000000", "timeZone": "Tokyo Standard Time" });
    assert_eq!(reply.body_json()["start"], start);
    assert_eq!(
        prefer(&graph, &path, "outlook.timezone=\"Asia/Kolkata\"")["start"]["dateTime"],
        "2026-07-01T12:30:00.0000000"
    );
    let reply = graph.send(Request::get(&url(&path)).with_header("Prefer", "outlook.timezone=\"Mars/Base\""));
    refused(&reply, 400, "TimeZoneNotSupportedException");
    graph.sandbox.switch(|switches| {
        switches.graph_prefers_iana_zones = false;
        switches.graph_zones_become_windows = false;
    });
    let reply = graph.send(Request::get(&url(&path)).with_header("Prefer", "outlook.timezone=\"Asia/Kolkata\""));
    refused(&reply, 400, "TimeZoneNotSupportedException");
    let made = graph.event(&timed("x", "Europe/Vienna", "2026-07-01T09:00:00", "2026-07-01T10:00:00"));
    assert_eq!(made["originalStartTimeZone"], "Europe/Vienna");
}

#[test]
fn whole_days_are_from_midnight_to_midnight_in_every_zone() {
    let graph = Graph::empty();
    let day = |zone: &str, start: &str, end: &str| with(timed("Day", zone, start, end), json!({ "isAllDay": true }));
    let made = graph.event(&day(PACIFIC, "2026-07-01T00:00:00", "2026-07-02T00:00:00"));
    let path = format!("me/events/{}", text(&made["id"]));
    for zone in ["UTC", "Tokyo Standard Time", PACIFIC] {
        let shown = prefer(&graph, &path, &format!("outlook.timezone=\"{zone}\""));
        assert_eq!(shown["start"], json!({ "dateTime": "2026-07-01T00:00:00.0000000", "timeZone": zone }));
        assert_eq!(shown["end"]["dateTime"], "2026-07-02T00:00:00.0000000");
    }
    for wrong in [
        day("UTC", "2026-07-01T10:00:00", "2026-07-02T00:00:00"),
        day("UTC", "2026-07-01T00:00:00", "2026-07-01T10:00:00"),
        day("UTC", "2026-07-01T00:00:00", "2026-07-01T00:00:00"),
        with(
            day("UTC", "2026-07-01T00:00:00", "2026-07-02T00:00:00"),
            json!({ "end": { "dateTime": "2026-07-02T00:00:00", "timeZone": PACIFIC } }),
        ),
    ] {
        refused(&graph.post("me/events", &wrong), 400, "ErrorInvalidRequest");
    }
    let reply = graph.post("me/events", &day("UTC", "2026-07-01T10:00:00", "2026-07-02T00:00:00"));
    let text = text(&reply.body_json()["error"]["message"]);
    assert_eq!(text, "The Event.Start property for an all-day event needs to be set to midnight.");
}

#[test]
fn events_are_read_strictly() {
    let graph = Graph::empty();
    let path = format!("me/events/{}", text(&graph.event(&lunch())["id"]));
    for (what, body, code) in [
        ("unknown property", json!({ "url": "x" }), "RequestBodyRead"),
        ("number for a text", json!({ "subject": 7 }), "RequestBodyRead"),
        ("text for a truth", json!({ "isAllDay": "false" }), "RequestBodyRead"),
        ("unknown word", json!({ "showAs": "away" }), "RequestBodyRead"),
        ("unknown part of a place", json!({ "location": { "floor": 2 } }), "RequestBodyRead"),
        ("unknown part of a body", json!({ "body": { "text": "x" } }), "RequestBodyRead"),
        ("null for a list", json!({ "categories": null }), "RequestBodyRead"),
        ("read-only", json!({ "isOrganizer": false }), "ErrorInvalidPropertySet"),
        ("read-only", json!({ "organizer": {} }), "ErrorInvalidPropertySet"),
        ("read-only", json!({ "onlineMeeting": {} }), "ErrorInvalidPropertySet"),
        ("only at creation", json!({ "transactionId": "x" }), "ErrorInvalidPropertySet"),
        ("no zone", json!({ "start": { "dateTime": "2026-03-15T12:00:00" } }), "TimeZoneNotSupportedException"),
        (
            "unknown zone",
            json!({ "start": { "dateTime": "2026-03-15T12:00:00", "timeZone": "Mars" } }),
            "TimeZoneNotSupportedException",
        ),
        (
            "a zone that is nobody's",
            json!({ "start": { "dateTime": "2026-03-15T12:00:00", "timeZone": "tzone://Microsoft/Custom" } }),
            "TimeZoneNotSupportedException",
        ),
        ("an offset", json!({ "start": { "dateTime": "2026-03-15T12:00:00Z", "timeZone": "UTC" } }), "RequestBodyRead"),
        (
            "ends before it starts",
            json!({ "end": { "dateTime": "2026-03-14T12:00:00", "timeZone": "UTC" } }),
            "ErrorPropertyValidationFailure",
        ),
        ("no address", json!({ "attendees": [{ "emailAddress": { "name": "x" } }] }), "ErrorInvalidRecipients"),
        (
            "unknown kind",
            json!({ "attendees": [{ "emailAddress": { "address": "a@example.com" }, "type": "vip" }] }),
            "RequestBodyRead",
        ),
        (
            "bad extended id",
            json!({ "singleValueExtendedProperties": [{ "id": "Mark", "value": "1" }] }),
            "ErrorInvalidProperty",
        ),
        ("no object", json!([]), "UnableToDeserializePostBody"),
    ] {
        let reply = graph.patch(&path, &body);
        assert_eq!((reply.status, crate::code(&reply).as_str()), (400, code), "{what}: {}", reply.body_json());
    }
    refused(&graph.patch(&path, &json!({ "attachments": [] })), 501, "NotImplemented");
    refused(&graph.post("me/events", &json!({ "subject": "x" })), 400, "ErrorPropertyValidationFailure");
    let many: Vec<Value> =
        (0..501).map(|at| json!({ "emailAddress": { "address": format!("a{at}@example.com") } })).collect();
    refused(&graph.patch(&path, &json!({ "attendees": many })), 400, "ErrorPropertyValidationFailure");
    for path in [
        "me/events?$search=x",
        "me/calendarView?pageSize=3",
        "me/calendarView/delta?$top=3",
        "me/events/delta?$filter=x",
    ] {
        refused(&graph.get(path), 400, "ErrorInvalidUrlQuery");
    }
    for path in [
        "me/events?$top=0",
        "me/events?$top=1000",
        "me/events?$select=url",
        "me/events?$filter=a",
        "me/events?$orderby=body",
    ] {
        refused(&graph.get(path), 400, "BadRequest");
    }
    refused(&graph.get("me/events/nonsense"), 400, "ErrorInvalidIdMalformed");
    refused(&graph.send(Request::put(&url("me/events"), &json!({}))), 405, "ErrorInvalidRequest");
    refused(&graph.get("me/calendarView?startDateTime=2026-01-01"), 400, "ErrorInvalidParameter");
    refused(&graph.get("me/calendarView?startDateTime=2026-01-01&endDateTime=soon"), 400, "ErrorInvalidParameter");
    refused(
        &graph.get("me/calendarView?startDateTime=2020-01-01&endDateTime=2026-01-01"),
        400,
        "ErrorCalendarViewRangeTooBig",
    );
    refused(&graph.get("me/calendar/calendarPermissions"), 501, "NotImplemented");
    refused(&graph.get("me/calendar/messages"), 404, "ResourceNotFound");
}

#[test]
fn an_update_changes_what_it_names() {
    let graph = Graph::empty();
    let made = graph.event(&lunch());
    let path = format!("me/events/{}", text(&made["id"]));
    let body = json!({
        "originalStartTimeZone": "UTC",
        "iCalUId": "mine",
        "reminderMinutesBeforeStart": 99,
        "isReminderOn": false,
        "categories": ["Red category"],
        "sensitivity": "Private",
        "importance": "HIGH",
        "locations": [{ "displayName": "Conf Room 3" }, { "displayName": "Fourth Coffee", "address": { "city": "Redmond" } }],
    });
    let reply = graph.patch(&path, &body);
    assert_eq!(reply.status, 200, "{}", reply.body_json());
    let now = reply.body_json();
    assert_eq!((&now["reminderMinutesBeforeStart"], &now["isReminderOn"]), (&json!(99), &json!(false)));
    assert_eq!((&now["sensitivity"], &now["importance"]), (&json!("private"), &json!("high")));
    // The documentation's update sends these; they are the service's.
    assert_eq!((&now["iCalUId"], &now["originalStartTimeZone"]), (&made["iCalUId"], &json!(PACIFIC)));
    assert_eq!(now["location"]["displayName"], "Conf Room 3; Fourth Coffee");
    assert_eq!(
        (&now["locations"][0]["uniqueIdType"], &now["locations"][1]["uniqueIdType"]),
        (&json!("private"), &json!("private"))
    );
    assert_eq!((&now["subject"], &now["body"]), (&made["subject"], &made["body"]));
    assert_ne!(now["changeKey"], made["changeKey"]);
    let cleared = graph.patch(&path, &json!({ "location": null, "subject": null })).body_json();
    assert_eq!(
        (&cleared["location"]["displayName"], &cleared["locations"], &cleared["subject"]),
        (&json!(""), &json!([]), &json!(""))
    );
}

#[test]
fn a_repeated_transaction_conflicts_or_answers_with_the_first_event() {
    let graph = Graph::empty();
    let first = graph.event(&lunch());
    refused(&graph.post("me/events", &lunch()), 409, "ErrorDuplicateTransactionId");
    graph.sandbox.switch(|switches| switches.graph_repeated_transaction_conflicts = false);
    assert_eq!(graph.event(&lunch())["id"], first["id"]);
    assert_eq!(graph.sandbox.graph_events().len(), 1);
}

#[test]
fn a_guard_on_an_event_holds_or_is_not_looked_at() {
    let graph = Graph::empty();
    let made = graph.event(&lunch());
    let id = text(&made["id"]);
    let guarded = |method: &str| {
        let request = Request::new(method, &url(&format!("me/events/{id}"))).json(&json!({ "showAs": "free" }));
        graph.send(request.with_header("If-Match", &text(&made["@odata.etag"])))
    };
    graph.sandbox.graph_event_edit(&id, |event| event["subject"] = "Dinner".into()).expect("edits");
    refused(&guarded("PATCH"), 412, "ErrorIrresolvableConflict");
    refused(&guarded("DELETE"), 412, "ErrorIrresolvableConflict");
    graph.sandbox.switch(|switches| switches.graph_events_ignore_if_match = true);
    assert_eq!(guarded("PATCH").body_json()["subject"], "Dinner");
    assert_eq!(guarded("DELETE").status, 204);
    graph.sandbox.switch(|switches| switches.graph_false_conflict = 1);
    let other = text(&graph.event(&with(lunch(), json!({ "transactionId": null })))["id"]);
    refused(
        &graph.patch(&format!("me/events/{other}"), &json!({ "showAs": "free" })),
        412,
        "ErrorIrresolvableConflict",
    );
}

#[test]
fn ids_have_two_forms_and_a_deleted_event_stands_in_deleted_items() {
    let graph = Graph::empty();
    let immutable = text(&graph.event(&lunch())["id"]);
    let regular = text(&graph.plain(Request::get(&url("me/events"))).body_json()["value"][0]["id"]);
    assert_ne!(regular, immutable);
    refused(&graph.get(&format!("me/events/{regular}")), 404, "ErrorItemNotFound");
    assert_eq!(graph.plain(Request::get(&url(&format!("me/events/{regular}")))).status, 200);
    let calendar = text(&graph.get_json("me/calendar")["id"]);
    let path = format!("me/events/{immutable}");
    let here = format!("me/calendars/{calendar}/events/{immutable}");
    assert_eq!(graph.get(&here).status, 200);
    assert_eq!(graph.delete(&path).status, 204);
    assert_eq!(graph.rows("me/events"), Vec::<Value>::new());
    refused(&graph.plain(Request::get(&url(&format!("me/events/{regular}")))), 404, "ErrorItemNotFound");
    assert_eq!(graph.get(&path).status, 200);
    refused(&graph.get(&here), 404, "ErrorItemNotFound");
    refused(&graph.get(&format!("{path}/calendar")), 404, "ErrorItemNotFound");
    graph.sandbox.switch(|switches| switches.graph_deleted_answers_404 = true);
    refused(&graph.get(&path), 404, "ErrorItemNotFound");
}

#[test]
fn an_online_meeting_is_set_once_and_lost_with_its_way_in() {
    let graph = Graph::empty();
    let sent = with(lunch(), json!({ "isOnlineMeeting": true, "onlineMeetingProvider": "teamsForBusiness" }));
    let made = graph.event(&sent);
    let join = text(&made["onlineMeeting"]["joinUrl"]);
    assert!(made["onlineMeeting"]["conferenceId"].is_string() && made["onlineMeeting"]["tollNumber"].is_string());
    assert!(text(&made["body"]["content"]).contains(&join));
    let path = format!("me/events/{}", text(&made["id"]));
    let now = graph.patch(&path, &json!({ "isOnlineMeeting": false, "subject": "x" })).body_json();
    assert_eq!((&now["isOnlineMeeting"], &now["onlineMeeting"]), (&json!(true), &made["onlineMeeting"]));
    let lost = graph.patch(&path, &json!({ "body": { "contentType": "text", "content": "new" } })).body_json();
    assert_eq!((&lost["isOnlineMeeting"], &lost["onlineMeeting"]), (&json!(false), &Value::Null));
    assert!(!text(&lost["body"]["content"]).contains(&join));
}

#[test]
fn files_are_attached_beside_the_event() {
    let graph = Graph::empty();
    let made = graph.event(&lunch());
    let path = format!("me/events/{}", text(&made["id"]));
    let file = json!({ "@odata.type": "#microsoft.graph.fileAttachment", "name": "menu.txt", "contentBytes": "bWFj" });
    let reply = graph.post(&format!("{path}/attachments"), &file);
    assert_eq!((reply.status, &reply.body_json()["contentType"]), (201, &json!("text/plain")));
    let now = graph.get_json(&path);
    assert_eq!(now["hasAttachments"], true);
    assert_ne!(now["changeKey"], made["changeKey"]);
    let rows = graph.rows(&format!("{path}/attachments"));
    assert_eq!(rows[0]["contentBytes"], "bWFj");
    assert_eq!(graph.delete(&format!("{path}/attachments/{}", text(&rows[0]["id"]))).status, 204);
    assert_eq!(graph.get_json(&path)["hasAttachments"], false);
    let item = json!({ "@odata.type": "#microsoft.graph.itemAttachment", "name": "x" });
    refused(&graph.post(&format!("{path}/attachments"), &item), 501, "NotImplemented");
}
