//! Series: rules, instances, views, exceptions and cancelled days.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::{Graph, encoded, refused, text, texts, timed, with};

const BERLIN: &str = "W. Europe Standard Time";
const BYTES: &str = "Binary {00062002-0000-0000-C000-000000000046} Id 0x8216";

fn repeated(start: &str, pattern: Value, range: Value) -> Value {
    let hour = |hour: &str| format!("{start}T{hour}:00:00");
    let range = with(range, json!({ "startDate": start }));
    with(
        timed("Stand-up", BERLIN, &hour("09"), &hour("10")),
        json!({ "recurrence": { "pattern": pattern, "range": range } }),
    )
}

fn weekly() -> Value {
    let pattern = json!({ "type": "weekly", "interval": 1, "daysOfWeek": ["Monday"] });
    repeated("2026-03-02", pattern, json!({ "type": "endDate", "endDate": "2026-12-31" }))
}

/// The local dates on which a series falls within two years.
fn dates(graph: &Graph, id: &str) -> Vec<String> {
    let window = "startDateTime=2026-01-01T00:00:00Z&endDateTime=2028-01-01T00:00:00Z&$top=999&$select=start";
    let mut found = texts(
        &graph
            .rows(&format!("me/events/{id}/instances?{window}"))
            .iter()
            .map(|row| row["start"].clone())
            .collect::<Vec<_>>(),
        "dateTime",
    );
    found.sort();
    found.iter().map(|time| time[..10].to_owned()).collect()
}

fn march(graph: &Graph, id: &str) -> Vec<Value> {
    let window = "startDateTime=2026-03-01T00:00:00&endDateTime=2026-04-01T00:00:00";
    graph.rows(&format!("me/events/{id}/instances?{window}&$select=subject,start,type,seriesMasterId,originalStart"))
}

#[test]
fn the_documented_series_comes_back_filled_in() {
    let graph = Graph::empty();
    let made = graph.event(&weekly());
    assert_eq!(made["type"], "seriesMaster");
    let pattern = json!({
        "type": "weekly", "interval": 1, "month": 0, "dayOfMonth": 0, "daysOfWeek": ["monday"],
        "firstDayOfWeek": "sunday", "index": "first",
    });
    let range = json!({
        "type": "endDate", "startDate": "2026-03-02", "endDate": "2026-12-31", "recurrenceTimeZone": BERLIN,
        "numberOfOccurrences": 0,
    });
    assert_eq!(made["recurrence"], json!({ "pattern": pattern, "range": range }));
    let endless =
        graph.event(&repeated("2026-03-02", json!({ "type": "daily", "interval": 3 }), json!({ "type": "noEnd" })));
    assert_eq!(endless["recurrence"]["range"]["endDate"], "0001-01-01");
    assert!(endless["recurrence"]["pattern"].get("daysOfWeek").is_none());
    let lists = graph.rows("me/events");
    assert_eq!(texts(&lists, "type"), ["seriesMaster", "seriesMaster"], "no occurrences");
    // What was read can be written back.
    let path = format!("me/events/{}", text(&endless["id"]));
    let same = graph.patch(&path, &json!({ "recurrence": endless["recurrence"] }));
    assert_eq!((same.status, &same.body_json()["recurrence"]), (200, &endless["recurrence"]));
}

#[test]
fn rules_fall_on_outlooks_days() {
    let graph = Graph::empty();
    let numbered = |count: u64| json!({ "type": "numbered", "numberOfOccurrences": count });
    for (what, start, pattern, count, expected) in [
        (
            "short months",
            "2026-01-31",
            json!({ "type": "absoluteMonthly", "interval": 1, "dayOfMonth": 31 }),
            4,
            "2026-01-31 2026-02-28 2026-03-31 2026-04-30",
        ),
        (
            "leap days",
            "2026-02-28",
            json!({ "type": "absoluteYearly", "interval": 1, "dayOfMonth": 29, "month": 2 }),
            2,
            "2026-02-28 2027-02-28",
        ),
        (
            "second tuesday",
            "2026-01-13",
            json!({ "type": "relativeMonthly", "interval": 2, "daysOfWeek": ["tuesday"], "index": "second" }),
            3,
            "2026-01-13 2026-03-10 2026-05-12",
        ),
        (
            "last working day",
            "2026-01-30",
            json!({ "type": "relativeMonthly", "interval": 1, "daysOfWeek": ["monday", "tuesday", "wednesday", "thursday", "friday"], "index": "last" }),
            3,
            "2026-01-30 2026-02-27 2026-03-31",
        ),
        (
            "first sunday of may",
            "2026-05-03",
            json!({ "type": "relativeYearly", "interval": 1, "daysOfWeek": ["sunday"], "month": 5 }),
            2,
            "2026-05-03 2027-05-02",
        ),
        (
            "weeks from sunday",
            "2026-03-01",
            json!({ "type": "weekly", "interval": 2, "daysOfWeek": ["sunday", "monday"] }),
            4,
            "2026-03-01 2026-03-02 2026-03-15 2026-03-16",
        ),
        (
            "weeks from monday",
            "2026-03-01",
            json!({ "type": "weekly", "interval": 2, "daysOfWeek": ["sunday", "monday"], "firstDayOfWeek": "monday" }),
            4,
            "2026-03-01 2026-03-09 2026-03-15 2026-03-23",
        ),
        (
            "a start off the pattern moves",
            "2026-03-03",
            json!({ "type": "weekly", "interval": 1, "daysOfWeek": ["friday"] }),
            2,
            "2026-03-06 2026-03-13",
        ),
    ] {
        let made = graph.event(&repeated(start, pattern, numbered(count)));
        let found = dates(&graph, &text(&made["id"]));
        assert_eq!(found.join(" "), expected, "{what}");
        assert_eq!(made["recurrence"]["range"]["startDate"], found[0].as_str(), "{what}");
        assert_eq!(text(&made["start"]["dateTime"])[..10], found[0], "{what}");
    }
}

#[test]
fn rules_that_say_too_little_or_too_much_are_refused() {
    let graph = Graph::empty();
    let no_end = json!({ "type": "noEnd" });
    let daily = json!({ "type": "daily", "interval": 1 });
    let refuse = |what: &str, event: Value, name: &str| {
        let reply = graph.post("me/events", &event);
        assert_eq!((reply.status, crate::code(&reply).as_str()), (400, name), "{what}: {}", reply.body_json());
    };
    for (what, pattern) in [
        ("no interval", json!({ "type": "daily" })),
        ("too many weeks", json!({ "type": "weekly", "interval": 100, "daysOfWeek": ["monday"] })),
        ("no days", json!({ "type": "weekly", "interval": 1, "daysOfWeek": [] })),
        ("no day", json!({ "type": "absoluteMonthly", "interval": 1 })),
        ("day 32", json!({ "type": "absoluteMonthly", "interval": 1, "dayOfMonth": 32 })),
        ("no month", json!({ "type": "absoluteYearly", "interval": 1, "dayOfMonth": 3 })),
    ] {
        refuse(what, repeated("2026-03-02", pattern, no_end.clone()), "ErrorPropertyValidationFailure");
    }
    for (what, pattern) in [
        ("unknown type", json!({ "type": "hourly", "interval": 1 })),
        ("unknown day", json!({ "type": "weekly", "interval": 1, "daysOfWeek": ["MO"] })),
        (
            "unknown index",
            json!({ "type": "relativeMonthly", "interval": 1, "daysOfWeek": ["monday"], "index": "fifth" }),
        ),
        ("unknown part", json!({ "type": "daily", "interval": 1, "count": 3 })),
    ] {
        refuse(what, repeated("2026-03-02", pattern, no_end.clone()), "RequestBodyRead");
    }
    for (what, range) in [
        ("no end", json!({ "type": "endDate" })),
        ("ends before it begins", json!({ "type": "endDate", "endDate": "2026-03-01" })),
        ("no count", json!({ "type": "numbered" })),
        ("another zone", json!({ "type": "noEnd", "recurrenceTimeZone": "Tokyo Standard Time" })),
    ] {
        refuse(what, repeated("2026-03-02", daily.clone(), range), "ErrorPropertyValidationFailure");
    }
    let mut other_day = weekly();
    other_day["recurrence"]["range"]["startDate"] = "2026-03-09".into();
    refuse("another day than the start's", other_day, "ErrorPropertyValidationFailure");
    graph.sandbox.switch(|switches| switches.graph_bounds_recurrence = false);
    let rare = json!({ "type": "weekly", "interval": 100, "daysOfWeek": ["monday"] });
    graph.event(&repeated("2026-03-02", rare, no_end));
}

#[test]
fn occurrences_keep_their_local_time_and_show_where_they_stem_from() {
    let graph = Graph::empty();
    let id = text(&graph.event(&weekly())["id"]);
    let rows = march(&graph, &id);
    assert_eq!(rows.len(), 5);
    // Summer time begins on the 29th.
    assert_eq!(rows[3]["start"]["dateTime"], "2026-03-23T08:00:00.0000000");
    assert_eq!(rows[4]["start"]["dateTime"], "2026-03-30T07:00:00.0000000");
    assert_eq!(rows[4]["originalStart"], "2026-03-30T07:00:00Z");
    assert!(rows.iter().all(|row| row["type"] == "occurrence" && row["seriesMasterId"] == id.as_str()));
    let one = graph.get_json(&format!("me/events/{}", text(&rows[4]["id"])));
    assert_eq!((&one["type"], &one["recurrence"]), (&json!("occurrence"), &Value::Null));
    assert!(one.get("originalStart").is_none(), "only a select brings it");
    let master = graph.get_json(&format!("me/events/{id}"));
    assert_ne!(one["iCalUId"], master["iCalUId"]);
    assert!(text(&one["iCalUId"]).contains("07EA031E"));
    assert_eq!(one["changeKey"], master["changeKey"]);
    graph.sandbox.switch(|switches| {
        switches.graph_shows_original_start = true;
        switches.graph_shows_beta_properties = true;
    });
    let one = graph.get_json(&format!("me/events/{}", text(&rows[4]["id"])));
    assert_eq!((&one["originalStart"], &one["uid"]), (&json!("2026-03-30T07:00:00Z"), &master["iCalUId"]));
    assert_eq!(one["occurrenceId"], format!("OID.{id}.2026-03-30"));
}

#[test]
fn a_view_takes_series_apart_and_orders_by_time() {
    let graph = Graph::empty();
    let id = text(&graph.event(&weekly())["id"]);
    graph.event(&timed("Late", BERLIN, "2026-03-08T23:30:00", "2026-03-09T08:30:00"));
    graph.event(&timed("Long ago", BERLIN, "2026-02-08T23:30:00", "2026-02-09T08:30:00"));
    let view = "me/calendarView?startDateTime=2026-03-09T01:00:00%2B01:00&endDateTime=2026-03-16T09:00:00%2B01:00";
    let rows = graph.rows(view);
    assert_eq!(texts(&rows, "subject"), ["Late", "Stand-up"]);
    let calendar = text(&graph.get_json("me/calendar")["id"]);
    assert_eq!(graph.rows(&view.replace("me/", &format!("me/calendars/{calendar}/"))).len(), 2);
    assert_eq!(graph.get_json(&format!("{view}&$top=1"))["value"].as_array().map(Vec::len), Some(1));
    let single = "me/calendarView?startDateTime=2026-03-09&endDateTime=2026-03-10&$filter=type%20eq%20%27occurrence%27";
    assert_eq!(graph.rows(single)[0]["seriesMasterId"], id.as_str());
    refused(&graph.get(&format!("{view}&$expand=exceptionOccurrences")), 400, "ErrorInvalidRequest");
}

#[test]
fn one_occurrence_is_changed_or_deleted_by_its_own_id() {
    let graph = Graph::empty();
    let id = text(&graph.event(&weekly())["id"]);
    let rows = march(&graph, &id);
    let path = |at: usize| format!("me/events/{}", text(&rows[at]["id"]));
    let moved = json!({
        "subject": "Moved",
        "start": { "dateTime": "2026-03-10T14:00:00", "timeZone": BERLIN },
        "end": { "dateTime": "2026-03-10T15:00:00", "timeZone": BERLIN },
    });
    let changed = graph.patch(&path(1), &moved);
    assert_eq!((changed.status, &changed.body_json()["type"]), (200, &json!("exception")));
    assert_eq!(changed.body_json()["id"], rows[1]["id"], "the id stays");
    assert_eq!(graph.delete(&path(2)).status, 204);
    refused(&graph.get(&path(2)), 404, "ErrorItemNotFound");
    refused(&graph.delete(&path(2)), 404, "ErrorItemNotFound");
    let now = march(&graph, &id);
    assert_eq!(texts(&now, "type"), ["exception", "occurrence", "occurrence", "occurrence"], "exceptions first");
    assert_eq!(now[0]["originalStart"], "2026-03-09T08:00:00Z");
    let whole = format!("me/events/{id}?$select=subject,start,cancelledOccurrences&$expand=exceptionOccurrences");
    let whole = graph.get_json(&whole);
    assert_eq!(whole["cancelledOccurrences"], json!([format!("OID.{id}.2026-03-16")]));
    assert_eq!(whole["exceptionOccurrences"][0]["subject"], "Moved");
    assert_eq!(whole["exceptionOccurrences"][0]["id"], rows[1]["id"]);
    // What the master says reaches an exception that does not say otherwise.
    graph.patch(&format!("me/events/{id}"), &json!({ "subject": "Daily", "showAs": "free" }));
    let exception = graph.get_json(&path(1));
    assert_eq!((&exception["subject"], &exception["showAs"]), (&json!("Moved"), &json!("free")));
    assert_eq!(graph.delete(&path(1)).status, 204);
    assert_eq!(march(&graph, &id).len(), 3);
    refused(
        &graph.patch(&path(3), &json!({ "recurrence": weekly()["recurrence"] })),
        400,
        "ErrorPropertyValidationFailure",
    );
    refused(&graph.get("me/events?$select=cancelledOccurrences"), 400, "ErrorInvalidRequest");
    graph.sandbox.switch(|switches| switches.graph_master_tells_exceptions = false);
    refused(&graph.get(&format!("me/events/{id}?$select=cancelledOccurrences")), 400, "BadRequest");
    refused(&graph.get(&format!("me/events/{id}?$expand=exceptionOccurrences")), 400, "BadRequest");
}

#[test]
fn an_exception_stays_between_its_neighbours() {
    let graph = Graph::empty();
    let id = text(&graph.event(&weekly())["id"]);
    let rows = march(&graph, &id);
    let to = |day: &str| {
        json!({
            "start": { "dateTime": format!("{day}T14:00:00"), "timeZone": BERLIN },
            "end": { "dateTime": format!("{day}T15:00:00"), "timeZone": BERLIN },
        })
    };
    let path = format!("me/events/{}", text(&rows[1]["id"]));
    for day in ["2026-03-02", "2026-03-16", "2026-03-20", "2026-02-20"] {
        refused(&graph.patch(&path, &to(day)), 400, "ErrorOccurrenceCrossingBoundary");
    }
    for day in ["2026-03-03", "2026-03-15"] {
        assert_eq!(graph.patch(&path, &to(day)).status, 200, "{day}");
    }
    // Past a neighbour that is not there any more it may go.
    graph.delete(&format!("me/events/{}", text(&rows[2]["id"])));
    assert_eq!(graph.patch(&path, &to("2026-03-20")).status, 200);
}

#[test]
fn another_rule_or_start_drops_what_was_done_to_single_days() {
    let graph = Graph::empty();
    let id = text(&graph.event(&weekly())["id"]);
    let path = format!("me/events/{id}");
    let touch = || {
        let rows = march(&graph, &id);
        let row = |date: &str| rows.iter().find(|row| text(&row["originalStart"]).starts_with(date)).expect("a row");
        graph.patch(&format!("me/events/{}", text(&row("2026-03-09")["id"])), &json!({ "subject": "Other" }));
        graph.delete(&format!("me/events/{}", text(&row("2026-03-16")["id"])));
    };
    touch();
    assert_eq!(march(&graph, &id).len(), 4);
    graph.patch(&path, &json!({ "subject": "New", "recurrence": weekly()["recurrence"] }));
    assert_eq!(march(&graph, &id).len(), 4, "the same rule changes nothing");
    let later = json!({
        "start": { "dateTime": "2026-03-02T11:00:00", "timeZone": BERLIN },
        "end": { "dateTime": "2026-03-02T12:00:00", "timeZone": BERLIN },
    });
    assert_eq!(graph.patch(&path, &later).status, 200);
    let rows = march(&graph, &id);
    assert!(rows.len() == 5 && rows.iter().all(|row| row["type"] == "occurrence"));
    graph.sandbox.switch(|switches| switches.graph_series_change_drops_exceptions = false);
    touch();
    let mut rule = weekly()["recurrence"].clone();
    rule["pattern"]["daysOfWeek"] = json!(["monday", "wednesday"]);
    assert_eq!(graph.patch(&path, &json!({ "recurrence": rule })).status, 200);
    let rows = march(&graph, &id);
    assert_eq!((rows.len(), &rows[0]["type"]), (8, &json!("exception")));
    let zone = json!({
        "start": { "dateTime": "2026-03-02T11:00:00", "timeZone": "Tokyo Standard Time" },
        "end": { "dateTime": "2026-03-02T12:00:00", "timeZone": "Tokyo Standard Time" },
    });
    refused(&graph.patch(&path, &zone), 400, "ErrorPropertyValidationFailure");
    assert_eq!(graph.patch(&path, &with(zone, json!({ "recurrence": weekly()["recurrence"] }))).status, 200);
    assert_eq!(graph.patch(&path, &json!({ "recurrence": null })).body_json()["type"], "singleInstance");
}

#[test]
fn the_original_start_of_a_whole_day_is_midnight_of_its_zone_or_of_utc() {
    let graph = Graph::empty();
    let event = with(
        timed("Day", BERLIN, "2026-03-02T00:00:00", "2026-03-03T00:00:00"),
        json!({ "isAllDay": true, "recurrence": weekly()["recurrence"] }),
    );
    let id = text(&graph.event(&event)["id"]);
    let first = march(&graph, &id).remove(0);
    assert_eq!(
        (&first["originalStart"], &first["start"]["dateTime"]),
        (&json!("2026-03-01T23:00:00Z"), &json!("2026-03-02T00:00:00.0000000"))
    );
    graph.sandbox.switch(|switches| switches.graph_all_day_original_start_in_zone = false);
    assert_eq!(march(&graph, &id)[0]["originalStart"], "2026-03-02T00:00:00Z");
}

/// Reads numbers from the bytes of PidLidAppointmentRecur, as MS-OXOCAL lays them out.
struct Bytes(Vec<u8>, usize);

impl Bytes {
    fn short(&mut self) -> u16 {
        self.1 += 2;
        u16::from_le_bytes([self.0[self.1 - 2], self.0[self.1 - 1]])
    }

    fn long(&mut self) -> u32 {
        u32::from(self.short()) | u32::from(self.short()) << 16
    }

    fn list(&mut self) -> Vec<String> {
        (0..self.long()).map(|_| day(self.long())).collect()
    }
}

/// A day from minutes since 1601.
fn day(minutes: u32) -> String {
    let begin = chrono::NaiveDate::from_ymd_opt(1601, 1, 1).expect("a day").and_time(chrono::NaiveTime::MIN);
    (begin + chrono::TimeDelta::minutes(minutes.into())).format("%Y-%m-%d %H:%M").to_string()
}

#[test]
fn exchanges_own_bytes_name_each_deleted_and_changed_day() {
    let graph = Graph::empty();
    let id = text(&graph.event(&weekly())["id"]);
    let rows = march(&graph, &id);
    let moved = json!({
        "subject": "Später",
        "start": { "dateTime": "2026-03-10T14:00:00", "timeZone": BERLIN },
        "end": { "dateTime": "2026-03-10T15:30:00", "timeZone": BERLIN },
    });
    graph.patch(&format!("me/events/{}", text(&rows[1]["id"])), &moved);
    graph.delete(&format!("me/events/{}", text(&rows[2]["id"])));
    let expand = encoded(&format!("singleValueExtendedProperties($filter=id eq '{BYTES}')"));
    let listed = graph.rows(&format!("me/events?$expand={expand}")).remove(0);
    let property = &listed["singleValueExtendedProperties"][0];
    assert_eq!(text(&property["id"]).to_lowercase(), BYTES.to_lowercase());
    let mut bytes = Bytes(STANDARD.decode(text(&property["value"])).expect("base64"), 0);
    let head: Vec<u16> = (0..5).map(|_| bytes.short()).collect();
    assert_eq!(head, [0x3004, 0x3004, 0x200B, 1, 0]);
    // The first day of a week is a Sunday, 1601 began on a Monday; every week counts.
    assert_eq!((bytes.long(), bytes.long(), bytes.long(), bytes.long()), (6 * 1440, 1, 0, 0b10));
    assert_eq!((bytes.long(), bytes.long(), bytes.long()), (0x2021, 44, 0));
    assert_eq!(bytes.list(), ["2026-03-09 00:00", "2026-03-16 00:00"]);
    assert_eq!(bytes.list(), ["2026-03-10 00:00"]);
    assert_eq!((day(bytes.long()).as_str(), day(bytes.long()).as_str()), ("2026-03-02 00:00", "2026-12-31 00:00"));
    assert_eq!((bytes.long(), bytes.long(), bytes.long(), bytes.long()), (0x3006, 0x3009, 540, 600));
    assert_eq!(bytes.short(), 1);
    assert_eq!(
        [bytes.long(), bytes.long(), bytes.long()].map(day),
        ["2026-03-10 14:00", "2026-03-10 15:30", "2026-03-09 09:00"]
    );
    assert_eq!((bytes.short(), bytes.short(), bytes.short()), (1, 7, 6));
    bytes.1 += 6;
    assert_eq!((bytes.long(), bytes.long(), bytes.long(), bytes.long()), (0, 4, 0, 0));
    assert_eq!(day(bytes.long()), "2026-03-10 14:00");
    bytes.1 += 8;
    let letters: Vec<u16> = (0..bytes.short()).map(|_| bytes.short()).collect();
    assert_eq!(String::from_utf16_lossy(&letters), "Später");
    assert_eq!((bytes.long(), bytes.long(), bytes.1), (0, 0, bytes.0.len()));
    graph.sandbox.switch(|switches| switches.graph_shows_recurrence_bytes = false);
    assert!(graph.rows(&format!("me/events?$expand={expand}"))[0].get("singleValueExtendedProperties").is_none());
}
