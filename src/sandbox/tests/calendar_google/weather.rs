//! Sign-in, quotas, faults, batches, seeds, and the hands of others.

use super::*;
use twofold_sandbox::{Fault, Rule};

#[test]
fn a_token_is_needed_and_must_be_for_calendars() {
    let client = Client::empty();
    let missing = client.sandbox.handle(&Request::get(EVENTS));
    assert_eq!(missing.status, 401);
    assert_eq!(missing.body_json()["error"]["errors"][0]["reason"], "required");
    assert_eq!(missing.body_json()["error"]["details"][0]["reason"], "CREDENTIALS_MISSING");
    let wrong = client.sandbox.handle(&Request::get(EVENTS).bearer("nonsense"));
    let body = wrong.body_json();
    assert_eq!(
        (&body["error"]["errors"][0]["reason"], &body["error"]["status"]),
        (&json!("authError"), &json!("UNAUTHENTICATED"))
    );
    assert!(wrong.header("www-authenticate").unwrap().contains("invalid_token"));
    let read_only =
        client.sandbox.access_token_for(Provider::Google, &["https://www.googleapis.com/auth/calendar.readonly"]);
    let contacts = client.sandbox.access_token_for(Provider::Google, &["https://www.googleapis.com/auth/contacts"]);
    let as_of = |token: &str, request: Request| client.sandbox.handle(&request.bearer(token));
    assert_eq!(as_of(&read_only, Request::get(EVENTS)).status, 200);
    for (token, request) in [
        (&contacts, Request::get(EVENTS)),
        (&contacts, Request::get(&format!("{V3}/users/me/calendarList"))),
        (&read_only, Request::post(EVENTS, &lunch())),
        (&read_only, Request::post(&format!("{V3}/calendars"), &json!({ "summary": "x" }))),
    ] {
        let reply = as_of(token, request);
        let error = reply.body_json()["error"].clone();
        assert_eq!((reply.status, &error["errors"][0]["reason"]), (403, &json!("insufficientPermissions")));
        assert_eq!(error["details"][0]["reason"], "ACCESS_TOKEN_SCOPE_INSUFFICIENT");
    }
}

#[test]
fn too_many_requests_are_limited_in_the_way_that_the_switches_say() {
    let client = Client::with(Switches { calendar_requests_per_min: 3, ..Switches::default() });
    for _ in 0..3 {
        client.ok(Request::get(EVENTS));
    }
    let error = client.refused(Request::get(EVENTS), 403, "rateLimitExceeded");
    assert_eq!(error["error"]["errors"][0]["domain"], "usageLimits");
    client.sandbox.switch(|switches| {
        switches.calendar_rate_limit_status = 429;
        switches.calendar_rate_limit_reason = "userRateLimitExceeded".into();
        switches.calendar_errors_status = true;
    });
    let error = client.refused(Request::get(EVENTS), 429, "userRateLimitExceeded");
    assert_eq!(error["error"]["status"], "RESOURCE_EXHAUSTED");
    client.sandbox.clock().advance_ms(61_000);
    client.ok(Request::get(EVENTS));
    // People has a budget of its own.
    client.ok(Request::get("/google/v1/people/me/connections?personFields=names"));
    client.sandbox.switch(|switches| switches.calendar_patch_units = 3);
    client.sandbox.clock().advance_ms(61_000);
    let id = client.sandbox.google_add_event("primary", &lunch()).unwrap();
    client.patch(&id, json!({ "summary": "x" }));
    client.refused(Request::get(EVENTS), 429, "userRateLimitExceeded");
}

#[test]
fn one_calendar_takes_only_so_many_writes() {
    let client = Client::with(Switches { calendar_writes_per_min: 2, ..Switches::default() });
    let other = client.sandbox.google_add_calendar("Second").unwrap();
    client.insert(lunch());
    client.insert(lunch());
    client.refused(Request::post(EVENTS, &lunch()), 403, "rateLimitExceeded");
    client.ok(Request::post(&format!("{V3}/calendars/{}/events", encoded(&other)), &lunch()));
    client.ok(Request::get(EVENTS));
}

#[test]
fn too_many_events_with_guests_stop_every_write_for_hours() {
    let client = Client::with(Switches { calendar_guest_inserts: 2, ..Switches::default() });
    let meeting = with(lunch(), json!({ "attendees": [{ "email": "anna@example.org" }] }));
    client.insert(meeting.clone());
    client.insert(meeting.clone());
    let error = client.refused(Request::post(&format!("{EVENTS}?sendUpdates=none"), &meeting), 403, "quotaExceeded");
    assert_eq!(error["error"]["message"], "Calendar usage limits exceeded.");
    client.sandbox.clock().advance_ms(3 * 3_600_000);
    let client = Client { token: client.sandbox.access_token(Provider::Google), sandbox: client.sandbox };
    client.refused(Request::post(EVENTS, &lunch()), 403, "quotaExceeded");
    assert_eq!(client.full().0.len(), 2);
    client.sandbox.clock().advance_ms(2 * 3_600_000);
    let client = Client { token: client.sandbox.access_token(Provider::Google), sandbox: client.sandbox };
    client.insert(lunch());
}

#[test]
fn faults_speak_the_calendars_words() {
    let client = Client::empty();
    client.sandbox.fault(Rule::any(Fault::status(503)).on(Provider::Google).path("/calendar/v3/").times(1));
    let reply = client.sandbox.exchange(&Request::get(EVENTS).bearer(&client.token)).unwrap();
    assert_eq!((reply.status, &reply.body_json()["error"]["errors"][0]["reason"]), (503, &json!("backendError")));
    client.sandbox.fault(Rule::any(Fault::DropAfter).writes().times(1));
    let insert = Request::post(EVENTS, &with(lunch(), json!({ "id": "lost0repl" })));
    assert!(client.sandbox.exchange(&insert.clone().bearer(&client.token)).is_none());
    client.refused(insert, 409, "duplicate");
    assert_eq!(client.get("lost0repl")["summary"], "Lunch");
    let counts = client.sandbox.counts(Provider::Google);
    assert_eq!((counts.writes, counts.writes_done), (2, 1));
}

#[test]
fn a_batch_runs_its_parts_and_answers_each() {
    let client = Client::empty();
    let made = client.insert(lunch());
    let id = made["id"].as_str().unwrap();
    let part = |name: &str, head: &str, body: &str| {
        let kind = if body.is_empty() { String::new() } else { "Content-Type: application/json\r\n".into() };
        format!(
            "--bx\r\nContent-Type: application/http\r\nContent-ID: <{name}>\r\n\r\n{head} HTTP/1.1\r\n{kind}\r\n{body}\r\n"
        )
    };
    let parts = [
        part("item1", &format!("GET /calendar/v3/calendars/primary/events/{id}"), ""),
        part("item2", "GET /calendar/v3/calendars/primary/events/never0there", ""),
        part("item3", "POST /calendar/v3/calendars/primary/events", &lunch().to_string()),
    ];
    let batch = |text: String| {
        let mut request = Request::new("POST", "/google/batch/calendar/v3");
        request.body = text.into();
        request.with_header("content-type", "multipart/mixed; boundary=bx")
    };
    client.sandbox.reset_counts();
    let reply = client.send(batch(format!("{}--bx--\r\n", parts.concat())));
    assert!(reply.header("content-type").unwrap().starts_with("multipart/mixed; boundary=batch_"));
    let text = String::from_utf8(reply.body.to_vec()).unwrap();
    for wanted in
        ["<response-item1>", "HTTP/1.1 200 OK", "<response-item2>", "HTTP/1.1 404 Not Found", "<response-item3>"]
    {
        assert!(text.contains(wanted), "{wanted} in {text}");
    }
    assert_eq!(client.sandbox.google_events("primary").len(), 2);
    let counts = client.sandbox.counts(Provider::Google);
    assert_eq!((counts.requests, counts.parts, counts.writes, counts.quota), (1, 3, 1, 3));
    client.sandbox.fault(Rule::any(Fault::DropAfter).parts().times(1));
    let one = client.send(batch(format!("{}{}--bx--\r\n", parts[0], parts[1])));
    let text = String::from_utf8_lossy(&one.body).into_owned();
    assert!(one.status == 200 && !text.contains("item1") && text.contains("item2"), "{text}");
    client.refused(batch(format!("{}--bx--\r\n", parts[0].repeat(51))), 400, "badRequest");
    client.refused(batch("nonsense".into()), 400, "invalid");
}

#[test]
fn the_events_of_the_start_are_all_there() {
    let client = Client::demo();
    let stored = client.sandbox.google_events("primary");
    assert_eq!(stored.len(), 12);
    let occurrences = client
        .ok(Request::get(&format!("{EVENTS}/seedstandup/instances?timeMax=2026-02-01T00:00:00Z&showDeleted=true")));
    let statuses: Vec<_> =
        occurrences["items"].as_array().unwrap().iter().map(|item| item["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["confirmed", "confirmed", "confirmed", "cancelled"]);
    assert!(client.sandbox.google_mails().is_empty());
    // A lagging list knows them: they are old.
    let lagging = Client::new(Options::demo().virtual_time().with(Switches { list_lag_s: 600, ..Switches::default() }));
    assert_eq!(lagging.full().0.len(), 12);
    assert_eq!(client.sandbox.google_calendars().len(), 5);
}

#[test]
fn another_client_of_the_user_changes_things() {
    let client = Client::demo();
    let hands = &client.sandbox;
    let (_, token) = client.full();
    let id = hands.google_add_event("primary", &lunch()).unwrap();
    hands.google_edit_event("primary", &id, |event| event["summary"] = json!("Brunch")).unwrap();
    hands
        .google_edit_event("primary", "seedstandup_20260202T083000Z", |event| event["summary"] = json!("One"))
        .unwrap();
    hands.google_delete_event("primary", "seedstandup_20260209T083000Z").unwrap();
    hands
        .google_edit_event("primary", "seedfit", |event| event["recurrence"] = json!(["RRULE:FREQ=WEEKLY;COUNT=3"]))
        .unwrap();
    let calendar = hands.google_add_calendar("New").unwrap();
    hands.google_move_event("primary", "seedflight", &calendar).unwrap();
    let (changes, _) = client.delta(&token);
    assert_eq!(
        ids(&changes),
        [id.as_str(), "seedstandup_20260202T083000Z", "seedstandup_20260209T083000Z", "seedfit", "seedflight"]
    );
    hands.google_edit_calendar(&calendar, &json!({ "summary": "Newer" })).unwrap();
    hands.google_edit_calendar_entry(&calendar, &json!({ "colorId": "3" })).unwrap();
    let entry = client.ok(Request::get(&format!("{V3}/users/me/calendarList/{}", encoded(&calendar))));
    assert_eq!((&entry["summary"], &entry["backgroundColor"]), (&json!("Newer"), &json!("#f83a22")));
    hands.google_delete_calendar(&calendar).unwrap();
    client.refused(Request::get(&format!("{V3}/calendars/{}", encoded(&calendar))), 404, "notFound");
    assert!(hands.google_edit_event("primary", "nothing", |_| {}).is_err());
    assert!(hands.google_mails().is_empty());
}

#[test]
fn the_services_own_calendars_are_made_anew_under_other_ids() {
    let client = Client::demo();
    let holidays = "en.german#holiday@group.v.calendar.google.com";
    let list = format!("{V3}/calendars/{}/events?showDeleted=true", encoded(holidays));
    let (before, token) = client.round(&list, None);
    client.sandbox.google_regenerate_calendar(holidays).unwrap();
    let (changes, _) = client.round(&list, token.as_deref());
    assert_eq!((before.len(), changes.len()), (3, 6));
    let living: Vec<_> = changes.iter().filter(|item| item["status"] == "confirmed").collect();
    assert!(living.iter().all(|item| before.iter().all(|old| old["id"] != item["id"])));
}

#[test]
fn a_test_in_another_process_has_the_same_hands() {
    let client = Client::empty();
    let act = |action: &str, body: Value| {
        let reply = client.sandbox.handle(&Request::post(&format!("/_sandbox/google/calendar/{action}"), &body));
        (reply.status, reply.body_json())
    };
    let (_, made) = act("add_event", json!({ "event": weekly() }));
    assert_eq!(made["id"], "tf0000000000001");
    act("edit_event", json!({ "id": "tf0000000000001_20261027T080000Z", "event": { "location": "Hall" } }));
    let (_, calendar) = act("add", json!({ "summary": "Second" }));
    act("move_event", json!({ "id": "tf0000000000001", "to": calendar["calendar"] }));
    let (_, events) = act("events", calendar.clone());
    assert_eq!(events.as_array().unwrap().len(), 2);
    let (_, occurrences) = act("occurrences", json!({ "calendar": calendar["calendar"], "id": "tf0000000000001" }));
    assert_eq!((occurrences.as_array().unwrap().len(), &occurrences[1]["location"]), (4, &json!("Hall")));
    act("edit_entry", json!({ "calendar": calendar["calendar"], "fields": { "colorId": "9" } }));
    let (_, list) = act("list", json!({}));
    assert_eq!((list.as_array().unwrap().len(), &list[1]["colorId"]), (2, &json!("9")));
    assert_eq!(act("delete", calendar), (200, json!({})));
    assert_eq!(act("nonsense", json!({})).0, 400);
    assert_eq!(act("delete_event", json!({ "id": "nothing" })).0, 400);
    let reset = Request::post("/_sandbox/reset", &json!({ "seed": "empty", "events": 5 }));
    assert_eq!(client.sandbox.handle(&reset).status, 200);
    assert_eq!(
        client.sandbox.google_events("primary").iter().filter(|event| event.get("recurringEventId").is_none()).count(),
        5
    );
}

#[test]
fn switches_trim_restamp_and_drop_what_programs_left() {
    let switches = Switches {
        trim_values: true,
        recase_emails: true,
        restamp_etag_after_s: 5,
        calendar_edit_drops_private: true,
        ..Switches::default()
    };
    let client = Client::with(switches);
    let made = client.insert(with(
        lunch(),
        json!({
            "summary": " Lunch ", "attendees": [{ "email": "Zoe@Example.com" }],
            "extendedProperties": { "private": { "a": "1" } },
        }),
    ));
    assert_eq!((&made["summary"], &made["attendees"][0]["email"]), (&json!("Lunch"), &json!("zoe@example.com")));
    client.sandbox.clock().advance_ms(6_000);
    let id = made["id"].as_str().unwrap();
    let later = client.get(id);
    assert_ne!(later["etag"], made["etag"]);
    assert_eq!(later["updated"], made["updated"]);
    client.sandbox.google_edit_event("primary", id, |event| event["summary"] = json!("x")).unwrap();
    assert!(client.get(id).get("extendedProperties").is_none());
}

#[test]
fn the_dump_has_the_calendars_and_is_the_same_twice() {
    let client = Client::demo();
    let dump = client.sandbox.with(|state| state.dump());
    assert!(dump["google"]["calendars"]["ada@example.com"]["events"]["seedfit"]["etag"].is_string());
    client.full();
    assert_eq!(client.sandbox.with(|state| state.dump()), dump);
}
