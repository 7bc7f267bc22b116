//! What is refused.

use super::*;

fn refused(event: Value, reason: &str) {
    let client = Client::empty();
    client.refused(Request::post(EVENTS, &event), 400, reason);
}

#[test]
fn an_event_must_be_whole() {
    let timed = |start: &str, end: &str| json!({ "start": { "dateTime": start, "timeZone": "Europe/Berlin" }, "end": { "dateTime": end, "timeZone": "Europe/Berlin" } });
    refused(json!({ "summary": "x" }), "required");
    refused(json!({ "start": { "date": "2026-01-01" } }), "required");
    refused(json!({ "start": { "date": "2026-01-01" }, "end": { "dateTime": "2026-01-02T00:00:00Z" } }), "invalid");
    refused(day("x", "2026-01-02", "2026-01-02"), "timeRangeEmpty");
    refused(timed("2026-01-02T10:00:00", "2026-01-02T09:00:00"), "timeRangeEmpty");
    refused(day("x", "2026-02-29", "2026-03-01"), "invalid");
    refused(
        json!({ "start": { "dateTime": "2026-01-01T09:00:00" }, "end": { "dateTime": "2026-01-01T10:00:00" } }),
        "required",
    );
    refused(
        json!({ "start": { "dateTime": "2026-01-01T09:00:00Z", "timeZone": "W. Europe Standard Time" }, "end": { "dateTime": "2026-01-01T10:00:00Z" } }),
        "invalid",
    );
    Client::empty().insert(timed("2026-01-02T10:00:00", "2026-01-02T10:00:00"));
}

#[test]
fn unknown_names_and_wrong_types_are_refused_or_ignored() {
    for odd in [
        json!({ "subject": "x" }),
        json!({ "start": { "date": "2026-01-01", "tz": "x" } }),
        json!({ "summary": 1 }),
        json!({ "attendees": { "email": "a@example.com" } }),
        json!({ "sequence": "1" }),
        json!({ "extendedProperties": { "private": { "a": 1 } } }),
        json!({ "recurrence": "RRULE:FREQ=DAILY" }),
    ] {
        refused(with(lunch(), odd), "parseError");
    }
    let client = Client::with(Switches { calendar_ignores_unknown: true, ..Switches::default() });
    let made = client.ok(Request::post(&format!("{EVENTS}?foo=1"), &with(lunch(), json!({ "subject": "x" }))));
    assert!(made.get("subject").is_none());
    client.sandbox.switch(|switches| switches.calendar_ignores_unknown = false);
    client.refused(Request::get(&format!("{EVENTS}?foo=1")), 400, "invalidParameter");
    client.refused(Request::get(&format!("{EVENTS}?singleEvents=yes")), 400, "invalidParameter");
    client.refused(Request::get(&format!("{EVENTS}?maxResults=0")), 400, "invalidParameter");
    client.refused(Request::post(&format!("{EVENTS}?sendUpdates=some"), &lunch()), 400, "invalidParameter");
    let mut plain = Request::post(EVENTS, &lunch());
    plain.headers.retain(|(name, _)| name != "content-type");
    client.refused(plain, 400, "invalid");
    // What the service alone may say is not taken from a body.
    let made = client
        .insert(with(lunch(), json!({ "etag": "x", "htmlLink": "x", "organizer": { "email": "x@example.org" } })));
    assert_eq!(made["organizer"]["email"], "ada@example.com");
}

#[test]
fn values_have_their_bounds() {
    let reminders = |list: Value| json!({ "reminders": { "useDefault": false, "overrides": list } });
    let popup = |minutes: i64| json!({ "method": "popup", "minutes": minutes });
    refused(with(lunch(), reminders(json!([popup(1), popup(2), popup(3), popup(4), popup(5), popup(6)]))), "invalid");
    refused(with(lunch(), reminders(json!([popup(40_321)]))), "invalid");
    refused(with(lunch(), reminders(json!([popup(-1)]))), "invalid");
    refused(with(lunch(), reminders(json!([{ "method": "sms", "minutes": 1 }]))), "invalid");
    let both = json!({ "reminders": { "useDefault": true, "overrides": [popup(1)] } });
    refused(with(lunch(), both), "cannotUseDefaultRemindersAndSpecifyOverride");
    for odd in [
        json!({ "colorId": "12" }),
        json!({ "colorId": "01" }),
        json!({ "visibility": "secret" }),
        json!({ "transparency": "free" }),
        json!({ "status": "maybe" }),
        json!({ "attendees": [{ "email": "nobody" }] }),
        json!({ "attendees": [{ "displayName": "x" }] }),
        json!({ "attendees": [{ "email": "a@example.com" }, { "email": "A@example.com" }] }),
        json!({ "attendees": [{ "email": "a@example.com", "responseStatus": "yes" }] }),
        json!({ "source": { "url": "ftp://example.com" } }),
    ] {
        refused(with(lunch(), odd), "invalid");
    }
    let client = Client::empty();
    client.insert(with(lunch(), reminders(json!([popup(0), popup(40_320), popup(3), popup(4), popup(5)]))));
    let files: Vec<Value> = (0..26).map(|i| json!({ "fileUrl": format!("https://example.com/{i}") })).collect();
    let request =
        Request::post(&format!("{EVENTS}?supportsAttachments=true"), &with(lunch(), json!({ "attachments": files })));
    client.refused(request, 400, "invalid");
}

#[test]
fn series_need_their_zones_and_valid_lines() {
    let series = |line: &str| with(weekly(), json!({ "recurrence": [line] }));
    for line in
        ["RRULE:FREQ=WEEKLY;UNTIL=20261201", "DTSTART:20261020T070000Z", "EXDATE:20261027T080000Z", "RRULE:COUNT=2"]
    {
        refused(series(line), "invalid");
    }
    let bare = json!({
        "start": { "dateTime": "2026-10-20T09:00:00+02:00" }, "end": { "dateTime": "2026-10-20T09:15:00+02:00" },
        "recurrence": ["RRULE:FREQ=DAILY"],
    });
    refused(bare, "required");
    let two = json!({ "end": { "dateTime": "2026-10-20T09:15:00", "timeZone": "Europe/Paris" } });
    refused(with(weekly(), two), "invalid");
    let client = Client::with(Switches { calendar_lenient_until: true, ..Switches::default() });
    let made = client.insert(series("RRULE:FREQ=WEEKLY;UNTIL=20261103"));
    assert_eq!(made["recurrence"], json!(["RRULE:FREQ=WEEKLY;UNTIL=20261103"]));
    let all = client.ok(Request::get(&format!("{EVENTS}/tf0000000000001/instances")));
    assert_eq!(all["items"].as_array().unwrap().len(), 3);
}

#[test]
fn a_start_outside_its_rule_counts_or_does_not() {
    let client = Client::empty();
    client.insert(with(weekly(), json!({ "recurrence": ["RRULE:FREQ=WEEKLY;BYDAY=WE;COUNT=2"] })));
    let count =
        || client.ok(Request::get(&format!("{EVENTS}/tf0000000000001/instances")))["items"].as_array().unwrap().len();
    assert_eq!(count(), 3);
    client.sandbox.switch(|switches| switches.calendar_start_always_counts = false);
    assert_eq!(count(), 2);
}

#[test]
fn long_extended_properties_are_refused_cut_or_kept() {
    let client = Client::empty();
    let long =
        json!({ "extendedProperties": { "private": { "k".repeat(45): "x", "long": "v".repeat(1025), "fits": "y" } } });
    client.refused(Request::post(EVENTS, &with(lunch(), long.clone())), 400, "invalid");
    client.sandbox.switch(|switches| switches.calendar_long_properties = "cut".into());
    let cut = client.insert(with(lunch(), long.clone()));
    assert_eq!(cut["extendedProperties"], json!({ "private": { "long": "v".repeat(1024), "fits": "y" } }));
    client.sandbox.switch(|switches| switches.calendar_long_properties = "kept".into());
    assert_eq!(client.insert(with(lunch(), long.clone()))["extendedProperties"], long["extendedProperties"]);
    client.sandbox.switch(|switches| switches.calendar_long_properties = "refused".into());
    let many: serde_json::Map<String, Value> = (0..301).map(|i| (format!("k{i}"), json!("v"))).collect();
    client.refused(
        Request::post(EVENTS, &with(lunch(), json!({ "extendedProperties": { "shared": many } }))),
        400,
        "invalid",
    );
    let big: serde_json::Map<String, Value> = (0..33).map(|i| (format!("k{i}"), json!("v".repeat(1000)))).collect();
    client.refused(
        Request::post(EVENTS, &with(lunch(), json!({ "extendedProperties": { "private": big } }))),
        400,
        "invalid",
    );
}

#[test]
fn types_of_events_have_their_own_rules() {
    let rule = "eventTypeRestriction";
    refused(with(lunch(), json!({ "eventType": "fromGmail" })), rule);
    refused(with(lunch(), json!({ "eventType": "focusTime" })), rule);
    refused(with(lunch(), json!({ "focusTimeProperties": {} })), rule);
    refused(
        with(
            day("Away", "2026-01-01", "2026-01-02"),
            json!({ "eventType": "outOfOffice", "outOfOfficeProperties": {} }),
        ),
        rule,
    );
    refused(with(lunch(), json!({ "eventType": "workingLocation", "workingLocationProperties": {} })), rule);
    refused(with(lunch(), json!({ "eventType": "birthday" })), rule);
    let client = Client::empty();
    let focus = json!({ "eventType": "focusTime", "focusTimeProperties": { "chatStatus": "doNotDisturb" } });
    let made = client.insert(with(lunch(), focus.clone()));
    let path = format!("{EVENTS}/{}", made["id"].as_str().unwrap());
    client.refused(Request::patch(&path, &json!({ "eventType": "default" })), 400, rule);
    let calendar = client.sandbox.google_add_calendar("Second").unwrap();
    let events = format!("{V3}/calendars/{}/events", encoded(&calendar));
    client.refused(Request::post(&events, &with(lunch(), focus.clone())), 400, rule);
    client.refused(Request::new("POST", &format!("{path}/move?destination={}", encoded(&calendar))), 400, rule);
    client.sandbox.switch(|switches| switches.calendar_event_type_rules = false);
    client.ok(Request::post(&events, &with(lunch(), focus)));
    client.sandbox.switch(|switches| switches.calendar_event_type_rules = true);
    let birthday = with(
        day("Ada", "2026-12-10", "2026-12-11"),
        json!({
            "eventType": "birthday", "visibility": "private", "transparency": "transparent",
            "recurrence": ["RRULE:FREQ=YEARLY"],
        }),
    );
    let made = client.insert(birthday);
    assert_eq!(made["birthdayProperties"], json!({ "type": "birthday" }));
    let path = format!("{EVENTS}/{}", made["id"].as_str().unwrap());
    client.refused(Request::patch(&path, &json!({ "description": "x" })), 400, rule);
    client.ok(Request::patch(&path, &json!({ "colorId": "2", "summary": "Ada L." })));
    let ticket = with(lunch(), json!({ "eventType": "fromGmail" }));
    let id = client.sandbox.google_add_event("primary", &ticket).unwrap();
    let path = format!("{EVENTS}/{id}");
    client.refused(Request::patch(&path, &json!({ "summary": "x" })), 400, rule);
    client.ok(Request::patch(&path, &json!({ "colorId": "2" })));
}

#[test]
fn a_uid_is_taken_while_its_event_lives() {
    let client = Client::empty();
    let event = with(lunch(), json!({ "iCalUID": "u5@outlook.example" }));
    let made = client.insert(event.clone());
    client.refused(Request::post(EVENTS, &event), 409, "duplicate");
    client.done(Request::delete(&format!("{EVENTS}/{}", made["id"].as_str().unwrap())));
    assert_ne!(client.insert(event)["id"], made["id"]);
}

#[test]
fn a_locked_copy_keeps_its_main_fields() {
    let client = Client::empty();
    let id = client.insert(lunch())["id"].as_str().unwrap().to_owned();
    client.sandbox.google_edit_event("primary", &id, |event| event["locked"] = json!(true)).unwrap();
    let path = format!("{EVENTS}/{id}");
    client.refused(Request::patch(&path, &json!({ "summary": "x" })), 403, "forbiddenForNonOrganizer");
    assert_eq!(client.ok(Request::patch(&path, &json!({ "colorId": "2", "locked": false })))["locked"], true);
}
