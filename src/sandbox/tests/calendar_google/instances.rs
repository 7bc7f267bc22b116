//! Occurrences: listed, changed, cancelled, orphaned.

use super::*;

const SECOND: &str = "tf0000000000001_20261027T080000Z";

fn instances(client: &Client, query: &str) -> Vec<Value> {
    client.round(&format!("{EVENTS}/tf0000000000001/instances?{query}"), None).0
}

#[test]
fn a_series_has_its_occurrences_by_id() {
    let client = Client::empty();
    let master = client.insert(weekly());
    let all = instances(&client, "");
    assert_eq!(
        ids(&all),
        [
            "tf0000000000001_20261020T070000Z",
            SECOND,
            "tf0000000000001_20261103T080000Z",
            "tf0000000000001_20261110T080000Z"
        ]
    );
    let second = &all[1];
    assert_eq!(
        keys(second),
        [
            "created",
            "creator",
            "end",
            "etag",
            "eventType",
            "htmlLink",
            "iCalUID",
            "id",
            "kind",
            "organizer",
            "originalStartTime",
            "recurringEventId",
            "reminders",
            "sequence",
            "start",
            "status",
            "summary",
            "updated"
        ]
    );
    assert_eq!((&second["etag"], &second["iCalUID"]), (&master["etag"], &master["iCalUID"]));
    assert_eq!(second["originalStartTime"], second["start"]);
    assert_eq!(second["start"]["dateTime"], "2026-10-27T09:00:00+01:00");
    assert_eq!(client.get(SECOND), *second);
    for wrong in
        ["tf0000000000001_20261028T080000Z", "tf0000000000001_20261027", "tf0000000000001_x", "never_20261027T080000Z"]
    {
        client.refused(Request::get(&format!("{EVENTS}/{wrong}")), 404, "notFound");
    }
    assert_eq!(instances(&client, "maxResults=1").len(), 4);
    assert_eq!(ids(&instances(&client, "timeMin=2026-10-27T08:05:00Z&timeMax=2026-11-03T08:00:00Z")), [SECOND]);
    assert_eq!(ids(&instances(&client, "originalStart=2026-10-27T09:00:00%2B01:00")), [SECOND]);
    client.refused(Request::get(&format!("{EVENTS}/{SECOND}/instances")), 400, "eventNotRecurring");
}

#[test]
fn whole_days_have_dates_in_their_ids() {
    let client = Client::empty();
    let yearly = with(
        day("Birthday", "2026-03-09", "2026-03-10"),
        json!({ "id": "birth", "recurrence": ["RRULE:FREQ=YEARLY"] }),
    );
    client.insert(yearly);
    let second = client.get("birth_20270309");
    assert_eq!(
        (&second["start"], &second["originalStartTime"]),
        (&json!({ "date": "2027-03-09" }), &json!({ "date": "2027-03-09" }))
    );
    assert_eq!(second["end"], json!({ "date": "2027-03-10" }));
}

#[test]
fn a_written_occurrence_becomes_an_exception() {
    let client = Client::empty();
    let master = client.insert(weekly());
    let (_, token) = client.full();
    let path = format!("{EVENTS}/{SECOND}");
    let patch =
        Request::patch(&path, &json!({ "summary": "Late" })).with_header("if-match", master["etag"].as_str().unwrap());
    let changed = client.ok(patch);
    assert_ne!(changed["etag"], master["etag"]);
    assert_eq!(client.get("tf0000000000001")["etag"], master["etag"]);
    let moved = client.patch(
        SECOND,
        json!({
            "start": { "dateTime": "2026-10-27T15:00:00", "timeZone": "Europe/Berlin" },
            "end": { "dateTime": "2026-10-27T15:15:00", "timeZone": "Europe/Berlin" },
        }),
    );
    assert_eq!(moved["originalStartTime"]["dateTime"], "2026-10-27T09:00:00+01:00");
    assert_eq!(moved["start"]["dateTime"], "2026-10-27T15:00:00+01:00");
    let (changes, _) = client.delta(&token);
    assert_eq!(ids(&changes), [SECOND]);
    assert_eq!(instances(&client, "")[1], moved);
    assert_eq!(ids(&instances(&client, "originalStart=2026-10-27T08:00:00Z")), [SECOND]);
    let rule = json!({ "recurrence": ["RRULE:FREQ=DAILY"] });
    client.refused(Request::patch(&path, &rule), 400, "invalid");
    client.refused(
        Request::patch(&path, &json!({ "summary": "x" })).with_header("if-match", master["etag"].as_str().unwrap()),
        412,
        "conditionNotMet",
    );
}

#[test]
fn a_cancelled_occurrence_stays_and_can_come_back() {
    let client = Client::empty();
    client.insert(weekly());
    let path = format!("{EVENTS}/{SECOND}");
    client.done(Request::delete(&path));
    client.refused(Request::delete(&path), 410, "deleted");
    let gone = client.get(SECOND);
    assert_eq!(keys(&gone), ["etag", "id", "kind", "originalStartTime", "recurringEventId", "status"]);
    assert_eq!(instances(&client, "").len(), 3);
    assert_eq!(instances(&client, "showDeleted=true").len(), 4);
    let back = client.patch(SECOND, json!({ "status": "confirmed" }));
    assert_eq!((&back["status"], &back["summary"]), (&json!("confirmed"), &json!("Stand-up")));
    client.patch(SECOND, json!({ "status": "cancelled" }));
    assert_eq!(client.get(SECOND)["status"], "cancelled");
}

#[test]
fn exceptions_fall_with_their_series_and_rise_with_it() {
    let client = Client::with(Switches { calendar_restore_refused: false, ..Switches::default() });
    client.insert(weekly());
    client.patch(SECOND, json!({ "summary": "Late" }));
    client.done(Request::delete(&format!("{EVENTS}/tf0000000000001_20261103T080000Z")));
    let (_, token) = client.full();
    client.done(Request::delete(&format!("{EVENTS}/tf0000000000001")));
    let (changes, token) = client.delta(&token);
    assert_eq!(ids(&changes), [SECOND, "tf0000000000001"]);
    assert!(changes.iter().all(|item| item["status"] == "cancelled"));
    assert_eq!(client.get("tf0000000000001_20261110T080000Z")["status"], "cancelled");
    client.refused(Request::patch(&format!("{EVENTS}/{SECOND}"), &json!({ "status": "confirmed" })), 410, "deleted");
    client.refused(Request::get(&format!("{EVENTS}/tf0000000000001/instances")), 404, "notFound");
    client.patch("tf0000000000001", json!({ "status": "confirmed" }));
    assert_eq!(client.get(SECOND)["summary"], "Late");
    assert_eq!(client.get("tf0000000000001_20261103T080000Z")["status"], "cancelled");
    assert_eq!(client.delta(&token).0.len(), 2);
}

#[test]
fn a_new_rule_keeps_exceptions_that_no_longer_fit_or_drops_them_all() {
    for drops in [false, true] {
        let client = Client::with(Switches { calendar_rule_change_drops_exceptions: drops, ..Switches::default() });
        client.insert(weekly());
        client.patch(SECOND, json!({ "summary": "Late" }));
        let (_, token) = client.full();
        let after = client.patch("tf0000000000001", json!({ "recurrence": ["RRULE:FREQ=WEEKLY;INTERVAL=2;COUNT=2"] }));
        assert_eq!(after["sequence"], 1);
        assert_eq!(ids(&client.delta(&token).0), ["tf0000000000001"]);
        let stored = client.sandbox.google_events("primary");
        assert_eq!(stored.len(), if drops { 1 } else { 2 });
        assert_eq!(instances(&client, "").len(), if drops { 2 } else { 3 });
        // A series that becomes a single event has no exceptions.
        let single = client.patch("tf0000000000001", json!({ "recurrence": null }));
        assert!(single.get("recurrence").is_none());
        assert_eq!(client.sandbox.google_events("primary").len(), 1);
    }
}

#[test]
fn a_change_of_the_series_goes_into_exceptions_that_said_the_same() {
    for follows in [true, false] {
        let client = Client::with(Switches { calendar_exceptions_follow_series: follows, ..Switches::default() });
        client.insert(with(weekly(), json!({ "location": "Room 1" })));
        client.patch(SECOND, json!({ "summary": "Late" }));
        client.patch("tf0000000000001", json!({ "location": "Room 2", "summary": "Daily" }));
        let second = client.get(SECOND);
        let room = if follows { "Room 2" } else { "Room 1" };
        assert_eq!((&second["summary"], &second["location"]), (&json!("Late"), &json!(room)));
    }
}

#[test]
fn this_and_following_ends_one_series_and_begins_another() {
    let client = Client::empty();
    client.insert(weekly());
    let rest = client.sandbox.google_split_series("primary", "tf0000000000001_20261103T080000Z").unwrap();
    assert_eq!(rest, "tf0000000000001_R20261103T080000");
    assert_eq!(instances(&client, "").len(), 2);
    let rest = client.get(&rest);
    assert_eq!(
        (&rest["recurrence"], &rest["iCalUID"]),
        (&json!(["RRULE:FREQ=WEEKLY;COUNT=2"]), &json!("tf0000000000001_R20261103T080000@google.com"))
    );
    let fourth = client.get("tf0000000000001_R20261103T080000_20261110T080000Z");
    assert_eq!(fourth["recurringEventId"], rest["id"]);
}

#[test]
fn a_guest_of_one_occurrence_has_it_without_its_series() {
    let client = Client::empty();
    let one = with(
        lunch(),
        json!({
            "recurringEventId": "foreignseries", "iCalUID": "foreign@example.net",
            "originalStartTime": { "dateTime": "2026-02-02T12:00:00", "timeZone": "Europe/Berlin" },
        }),
    );
    let id = client.sandbox.google_invite("primary", "boss@example.net", &one).unwrap();
    assert_eq!(id, "foreignseries_20260202T110000Z");
    let (items, _) = client.full();
    assert_eq!((ids(&items), &items[0]["recurringEventId"]), (vec![id.as_str()], &json!("foreignseries")));
    client.refused(Request::get(&format!("{EVENTS}/foreignseries")), 404, "notFound");
    client.refused(Request::get(&format!("{EVENTS}/foreignseries/instances")), 404, "notFound");
    client.done(Request::delete(&format!("{EVENTS}/{id}")));
    assert_eq!(client.get(&id)["status"], "cancelled");
}

#[test]
fn an_exception_may_come_before_its_series() {
    let client = Client::empty();
    client.insert(weekly());
    client.patch(SECOND, json!({ "summary": "Late" }));
    client.patch("tf0000000000001", json!({ "colorId": "3" }));
    client.sandbox.switch(|switches| switches.calendar_exceptions_follow_series = false);
    client.patch("tf0000000000001", json!({ "colorId": "4" }));
    let (items, _) = client.round(&format!("{EVENTS}?maxResults=1"), None);
    assert_eq!(ids(&items), [SECOND, "tf0000000000001"]);
}

#[test]
fn a_stricter_visibility_goes_to_the_whole_series_and_a_laxer_one_nowhere() {
    let client = Client::empty();
    client.insert(weekly());
    let changed = client.patch(SECOND, json!({ "visibility": "private" }));
    assert_eq!(
        (&changed["visibility"], &client.get("tf0000000000001")["visibility"]),
        (&json!("private"), &json!("private"))
    );
    let changed = client.patch(SECOND, json!({ "visibility": "public", "summary": "x" }));
    assert_eq!((&changed["visibility"], &changed["summary"]), (&json!("private"), &json!("x")));
    assert_eq!(client.patch("tf0000000000001", json!({ "visibility": "public" }))["visibility"], "public");
}
