//! Deltas of events: of a window, and of a whole calendar.

use serde_json::{Value, json};
use twofold_sandbox::{Options, Request, Switches};

use crate::{Graph, refused, text, texts, timed, url, with};

const WINDOW: &str = "me/calendarView/delta?startdatetime=2026-03-01T00:00:00Z&enddatetime=2026-04-01T00:00:00Z";

fn hour(subject: &str, day: &str) -> Value {
    timed(subject, "UTC", &format!("{day}T10:00:00"), &format!("{day}T11:00:00"))
}

fn weekly() -> Value {
    let pattern = json!({ "type": "weekly", "interval": 1, "daysOfWeek": ["monday"] });
    let range = json!({ "type": "noEnd", "startDate": "2026-03-02" });
    with(hour("Weekly", "2026-03-02"), json!({ "recurrence": { "pattern": pattern, "range": range } }))
}

fn removed(id: &str) -> Value {
    json!({ "@odata.type": "#microsoft.graph.event", "id": id, "@removed": { "reason": "deleted" } })
}

#[test]
fn a_window_shows_singles_whole_and_occurrences_bare_behind_their_master() {
    let graph = Graph::empty();
    let single = text(&graph.event(&hour("Single", "2026-03-05"))["id"]);
    let series = text(&graph.event(&weekly())["id"]);
    graph.event(&hour("Outside", "2026-05-05"));
    // A page goes on until the series is told.
    let request = Request::get(&url(WINDOW)).with_header("Prefer", "odata.maxpagesize=2");
    let page = graph.send(request).body_json();
    assert_eq!(page["value"].as_array().map(Vec::len), Some(7));
    assert!(page["@odata.deltaLink"].is_string());
    let (rows, link) = graph.round(&url(WINDOW), 1);
    assert_eq!(rows.len(), 1 + 1 + 5);
    assert_eq!((&rows[0]["id"], &rows[0]["subject"]), (&json!(single), &json!("Single")));
    assert_eq!((&rows[1]["id"], &rows[1]["type"]), (&json!(series), &json!("seriesMaster")));
    let keys: Vec<&String> = rows[2].as_object().expect("a row").keys().collect();
    assert_eq!(keys, ["@odata.type", "@odata.etag", "id", "seriesMasterId", "type", "start", "end"]);
    assert!(graph.round(&link, 1).0.is_empty());
    graph.sandbox.switch(|switches| {
        switches.graph_bare_occurrences = false;
        switches.graph_view_delta_shows_masters = false;
    });
    let (rows, _) = graph.round(&url(WINDOW), 10);
    assert_eq!(texts(&rows, "subject"), ["Single", "Weekly", "Weekly", "Weekly", "Weekly", "Weekly"]);
}

#[test]
fn what_leaves_the_window_or_never_was_in_it_is_told_as_removed() {
    let graph = Graph::empty();
    let inside = text(&graph.event(&hour("Inside", "2026-03-05"))["id"]);
    let gone = text(&graph.event(&hour("Gone", "2026-03-06"))["id"]);
    let (_, link) = graph.round(&url(WINDOW), 10);
    let out = json!({ "start": { "dateTime": "2026-05-05T10:00:00", "timeZone": "UTC" }, "end": { "dateTime": "2026-05-05T11:00:00", "timeZone": "UTC" } });
    assert_eq!(graph.patch(&format!("me/events/{inside}"), &out).status, 200);
    graph.delete(&format!("me/events/{gone}"));
    let stranger = text(&graph.event(&hour("Stranger", "2026-06-05"))["id"]);
    let fresh = text(&graph.event(&hour("Fresh", "2026-03-07"))["id"]);
    let (rows, later) = graph.round(&link, 10);
    assert_eq!(rows[..3], [removed(&inside), removed(&gone), removed(&stranger)]);
    assert_eq!((rows.len(), &rows[3]["id"]), (4, &json!(fresh)));
    assert_eq!(graph.get(&format!("me/events/{inside}")).status, 200, "it is only out of the window");
    assert!(graph.round(&later, 10).0.is_empty());
}

#[test]
fn a_deleted_occurrence_is_told_by_its_absence_or_as_removed() {
    let graph = Graph::empty();
    let series = text(&graph.event(&weekly())["id"]);
    let (rows, link) = graph.round(&url(WINDOW), 10);
    let second = text(&rows[2]["id"]);
    graph.delete(&format!("me/events/{second}"));
    let (rows, _) = graph.round(&link, 10);
    assert_eq!((rows.len(), &rows[0]["id"]), (5, &json!(series)));
    assert!(rows.iter().all(|row| row["id"] != second.as_str() && row.get("@removed").is_none()));
    graph.sandbox.switch(|switches| switches.graph_view_delta_tells_deleted_occurrences = true);
    let (rows, _) = graph.round(&link, 10);
    assert_eq!((rows.len(), &rows[5]), (6, &removed(&second)));
    graph.delete(&format!("me/events/{series}"));
    assert_eq!(graph.round(&link, 10).0, [removed(&series)]);
}

#[test]
fn a_window_needs_its_ends_and_is_fixed_in_its_tokens() {
    let graph = Graph::empty();
    refused(&graph.get("me/calendarView/delta"), 400, "ErrorInvalidParameter");
    refused(&graph.get(&format!("{WINDOW}&$select=subject")), 400, "ErrorInvalidUrlQuery");
    let (_, link) = graph.round(&url(WINDOW), 10);
    refused(&graph.send(Request::get(&format!("{link}&startdatetime=2026-01-01"))), 400, "BadRequest");
    let calendar = text(&graph.get_json("me/calendar")["id"]);
    let elsewhere = link.replace("me/calendarView", &format!("me/calendars/{calendar}/calendarView"));
    refused(&graph.send(Request::get(&elsewhere)), 400, "ErrorInvalidSyncStateData");
    let own = WINDOW.replace("me/", &format!("me/calendars/{calendar}/"));
    assert_eq!(graph.get(&own).status, 200);
    graph.sandbox.switch(|switches| switches.graph_view_delta_per_calendar = false);
    refused(&graph.get(&own), 400, "ErrorInvalidIdMalformed");
    // The preferences are not in the token, but are sent with each page.
    graph.event(&hour("Fresh", "2026-03-07"));
    let request = Request::get(&link).with_header("Prefer", "outlook.timezone=\"Tokyo Standard Time\"");
    assert_eq!(graph.send(request).body_json()["value"][0]["start"]["dateTime"], "2026-03-07T19:00:00.0000000");
}

#[test]
fn dead_tokens_of_events_are_410_with_a_location_or_400() {
    let graph = Graph::empty();
    graph.event(&hour("Inside", "2026-03-05"));
    let (_, view) = graph.round(&url(WINDOW), 10);
    let (_, events) = graph.round(&url("me/events/delta?$select=subject"), 10);
    graph.sandbox.graph_expire_delta_tokens();
    for link in [&view, &events] {
        let reply = graph.send(Request::get(link));
        refused(&reply, 410, "resyncRequired");
        let (rows, fresh) = graph.round(reply.header("location").expect("a location"), 10);
        assert_eq!(rows.len(), 1);
        assert!(graph.round(&fresh, 10).0.is_empty());
    }
    graph.sandbox.switch(|switches| switches.graph_expired_status = 400);
    refused(&graph.send(Request::get(&view)), 400, "SyncStateNotFound");
}

#[test]
fn a_calendar_tells_masters_and_singles_and_little_of_them() {
    let graph = Graph::empty();
    let single = text(&graph.event(&hour("Single", "2026-03-05"))["id"]);
    let series = text(&graph.event(&weekly())["id"]);
    let (rows, link) = graph.round(&url("me/events/delta?$select=subject,body"), 1);
    assert_eq!(texts(&rows, "id"), [single.as_str(), series.as_str()]);
    let keys: Vec<&String> = rows[1].as_object().expect("a row").keys().collect();
    assert_eq!(keys, ["@odata.type", "@odata.etag", "id", "type", "start", "end"]);
    // An occurrence is the series' affair.
    graph.sandbox.graph_occurrence_delete(&series, "2026-03-09").expect("deletes");
    graph.sandbox.graph_occurrence_edit(&series, "2026-03-16", |one| one["subject"] = "Other".into()).expect("edits");
    graph.delete(&format!("me/events/{single}"));
    let (rows, _) = graph.round(&link, 10);
    assert_eq!((rows.len(), &rows[0]["id"], &rows[1]), (2, &json!(series), &removed(&single)));
    graph.sandbox.switch(|switches| {
        switches.graph_events_delta = "select".into();
        switches.graph_events_delta_tells_exceptions = true;
    });
    let (rows, _) = graph.round(&link, 10);
    assert_eq!(texts(&rows[..2], "subject"), ["Weekly", "Other"]);
    assert!(rows[0].get("start").is_none() && rows[0].get("body").is_some());
    refused(&graph.get("me/events/delta?endDateTime=2026-01-01"), 400, "ErrorInvalidUrlQuery");
    let from = |day: &str| graph.round(&url(&format!("me/events/delta?startDateTime={day}T00:00:00Z")), 10).0.len();
    graph.event(&hour("Early", "2026-01-05"));
    assert_eq!((from("2026-01-01"), from("2026-02-01")), (3, 2));
    graph.sandbox.switch(|switches| switches.graph_events_delta = "off".into());
    refused(&graph.get("me/events/delta"), 400, "ErrorInvalidIdMalformed");
}

#[test]
fn a_moved_event_leaves_one_calendar_and_comes_to_another() {
    let graph = Graph::empty();
    let other = graph.sandbox.graph_calendar_create("Other").expect("makes");
    let id = text(&graph.event(&hour("Single", "2026-03-05"))["id"]);
    let there = url(&format!("me/calendars/{other}/events/delta"));
    let (_, here_link) = graph.round(&url("me/events/delta"), 10);
    let (_, there_link) = graph.round(&there, 10);
    graph.sandbox.graph_event_move(&id, "Other").expect("moves");
    assert_eq!(graph.round(&here_link, 10).0, [removed(&id)]);
    assert_eq!(graph.round(&there_link, 10).0[0]["id"], id.as_str());
    graph.sandbox.switch(|switches| switches.graph_move_missing_at_goal = true);
    assert!(graph.round(&there_link, 10).0.is_empty());
    graph.sandbox.graph_event_move(&id, "").expect("moves back");
    // It is there, and the delta says it is not.
    assert_eq!(graph.round(&here_link, 10).0, [removed(&id)]);
    graph.sandbox.switch(|switches| switches.graph_immutable_move_hole = false);
    assert_eq!(graph.round(&here_link, 10).0[0]["id"], id.as_str());
    // Without the header, ids die at moves.
    let list = graph.plain(Request::get(&url("me/events"))).body_json();
    let regular = text(&list["value"][0]["id"]);
    let start = graph.plain(Request::get(&url("me/events/delta"))).body_json();
    graph.sandbox.graph_event_move(&id, "Other").expect("moves");
    let page = graph.plain(Request::get(&text(&start["@odata.deltaLink"]))).body_json();
    assert_eq!(page["value"], json!([removed(&regular)]));
}

#[test]
fn deltas_of_events_lag_and_restamp_like_others() {
    let graph = Graph::empty();
    graph.sandbox.switch(|switches| {
        switches.list_lag_s = 60;
        switches.restamp_etag_after_s = 5;
    });
    let (_, link) = graph.round(&url("me/events/delta"), 10);
    let made = graph.event(&hour("Late", "2026-03-05"));
    let (rows, link) = graph.round(&link, 10);
    assert!(rows.is_empty());
    graph.sandbox.clock().advance_ms(70_000);
    let (rows, _) = graph.round(&link, 10);
    assert_eq!(rows.len(), 1);
    assert_ne!(rows[0]["@odata.etag"], made["@odata.etag"]);
}

#[test]
fn ten_thousand_events_are_told_whole() {
    let graph = Graph::with(Options::empty().events(10_000));
    let (rows, link) = graph.round(&url("me/events/delta"), 500);
    assert_eq!(rows.len(), 10_000);
    assert_eq!(rows.iter().filter(|row| row["type"] == "seriesMaster").count(), 1000);
    for _ in 0..100 {
        assert!(graph.round(&link, 100).0.is_empty());
    }
    let series = text(&rows[10]["id"]);
    let whole =
        graph.get_json(&format!("me/events/{series}?$select=id,cancelledOccurrences&$expand=exceptionOccurrences"));
    assert_eq!(whole["cancelledOccurrences"].as_array().map(Vec::len), Some(1));
    assert_eq!(whole["exceptionOccurrences"].as_array().map(Vec::len), Some(1));
}

#[test]
fn in_the_worst_weather_rounds_of_events_still_tell_all() {
    let graph = Graph::with(Options::empty().events(40).with(Switches::hostile()));
    let (rows, _) = graph.round(&url("me/events/delta"), 7);
    let ids: std::collections::HashSet<String> = rows.iter().map(|row| text(&row["id"])).collect();
    assert_eq!(ids.len(), 40);
    let window = "me/calendarView/delta?startdatetime=2025-01-01T00:00:00Z&enddatetime=2027-01-01T00:00:00Z";
    let (rows, link) = graph.round(&url(window), 7);
    // 36 events, and 4 masters with 29 of their 30 occurrences.
    assert_eq!(rows.len(), 36 + 4 * 30);
    let id = text(&graph.event(&hour(" Single ", "2026-03-05"))["id"]);
    graph.sandbox.clock().advance_ms(181_000);
    let (rows, _) = graph.round(&link, 7);
    assert!(rows.len() >= 2 && rows.iter().all(|row| row["id"] == id.as_str() && row["subject"] == "Single"));
}
