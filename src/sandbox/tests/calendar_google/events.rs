//! Single events: insert, get, patch, update, delete, import, move.

use super::*;

#[test]
fn an_inserted_event_has_what_google_adds() {
    let client = Client::empty();
    let reply = client.send(Request::post(
        EVENTS,
        &with(day("Urlaub", "2026-12-24", "2026-12-27"), json!({ "transparency": "transparent" })),
    ));
    let made = reply.body_json();
    assert_eq!(
        keys(&made),
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
            "reminders",
            "sequence",
            "start",
            "status",
            "summary",
            "transparency",
            "updated"
        ]
    );
    assert_eq!(reply.header("etag"), made["etag"].as_str());
    assert_eq!(made["creator"], json!({ "email": "ada@example.com", "self": true }));
    assert_eq!(made["organizer"], made["creator"]);
    assert_eq!((&made["sequence"], &made["reminders"]), (&json!(0), &json!({ "useDefault": true })));
    let id = made["id"].as_str().unwrap();
    assert_eq!(made["iCalUID"], format!("{id}@google.com"));
    assert!(id.len() == 26 && id.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'v').contains(&byte)));
    let unchanged =
        Request::get(&format!("{EVENTS}/{id}")).with_header("if-none-match", made["etag"].as_str().unwrap());
    let reply = client.send(unchanged);
    assert_eq!((reply.status, reply.header("etag")), (304, made["etag"].as_str()));
}

#[test]
fn times_are_shown_in_the_zone_of_the_calendar_and_keep_the_name_of_their_own() {
    let client = Client::empty();
    let made = client.insert(json!({
        "start": { "dateTime": "2026-02-02T18:00:00-05:00", "timeZone": "America/New_York" },
        "end": { "dateTime": "2026-02-02T19:00:00", "timeZone": "America/New_York" },
    }));
    assert_eq!(made["start"], json!({ "dateTime": "2026-02-03T00:00:00+01:00", "timeZone": "America/New_York" }));
    let id = made["id"].as_str().unwrap();
    let asked = client.ok(Request::get(&format!("{EVENTS}/{id}?timeZone=Asia/Tokyo")));
    assert_eq!(asked["end"]["dateTime"], "2026-02-03T09:00:00+09:00");
    assert!(made.get("summary").is_none());
}

#[test]
fn a_chosen_id_is_taken_once_and_for_ever() {
    let client = Client::empty();
    client.insert(weekly());
    let again = with(day("x", "2026-01-01", "2026-01-02"), json!({ "id": "tf0000000000001" }));
    client.refused(Request::post(EVENTS, &again), 409, "duplicate");
    client.done(Request::delete(&format!("{EVENTS}/tf0000000000001")));
    client.refused(Request::post(EVENTS, &again), 409, "duplicate");
    for id in ["abcd", "Abcde", "abcdw", "abc_de", &"a".repeat(1025)] {
        client.refused(Request::post(EVENTS, &with(again.clone(), json!({ "id": id }))), 400, "invalid");
    }
    client.insert(with(again.clone(), json!({ "id": "abcde" })));
    client.refused(
        Request::post(EVENTS, &with(again.clone(), json!({ "id": "abcdf", "iCalUID": "u" }))),
        400,
        "invalid",
    );
    client.sandbox.switch(|switches| switches.calendar_id_or_uid_only = false);
    let both = client.insert(with(again, json!({ "id": "abcdf", "iCalUID": "u@example.org" })));
    assert_eq!((&both["id"], &both["iCalUID"]), (&json!("abcdf"), &json!("u@example.org")));
}

#[test]
fn a_patch_merges_objects_replaces_lists_and_clears_with_null() {
    let client = Client::empty();
    let made = client.insert(with(
        lunch(),
        json!({
            "location": "Canteen", "description": "x",
            "extendedProperties": { "private": { "a": "1", "b": "2" } },
            "attendees": [{ "email": "zoe@example.com" }, { "email": "jo@example.org" }],
        }),
    ));
    let id = made["id"].as_str().unwrap();
    let after = client.patch(
        id,
        json!({
            "location": null, "summary": "Brunch",
            "extendedProperties": { "private": { "a": null, "c": "3" } },
            "attendees": [{ "email": "zoe@example.com", "displayName": "Zoë" }],
        }),
    );
    assert_eq!(after["extendedProperties"], json!({ "private": { "b": "2", "c": "3" } }));
    assert_eq!(
        (after.get("location"), &after["description"], &after["summary"]),
        (None, &json!("x"), &json!("Brunch"))
    );
    assert_eq!(
        after["attendees"],
        json!([{ "email": "zoe@example.com", "displayName": "Zoë", "responseStatus": "needsAction" }])
    );
    // From times to whole days, the other member must be cleared by name.
    let days = json!({ "start": { "date": "2026-02-02" }, "end": { "date": "2026-02-03" } });
    client.refused(Request::patch(&format!("{EVENTS}/{id}"), &days), 400, "invalid");
    let clear = json!({ "dateTime": null, "timeZone": null });
    let days = json!({ "start": with(json!({ "date": "2026-02-02" }), clear.clone()), "end": with(json!({ "date": "2026-02-03" }), clear) });
    let after = client.patch(id, days);
    assert_eq!((&after["start"], &after["sequence"]), (&json!({ "date": "2026-02-02" }), &json!(1)));
}

#[test]
fn an_update_replaces_the_whole_event() {
    let client = Client::empty();
    let made = client.insert(with(lunch(), json!({ "location": "Canteen", "colorId": "3" })));
    let id = made["id"].as_str().unwrap();
    let put = |event: Value| client.ok(Request::put(&format!("{EVENTS}/{id}?sendUpdates=none"), &event));
    let after = put(with(lunch(), json!({ "summary": "Other" })));
    assert_eq!((after.get("location"), after.get("colorId"), &after["iCalUID"]), (None, None, &made["iCalUID"]));
    client.refused(Request::put(&format!("{EVENTS}/{id}"), &json!({ "summary": "no times" })), 400, "required");
    let lower = with(lunch(), json!({ "sequence": -1 }));
    client.refused(Request::put(&format!("{EVENTS}/{id}"), &lower), 400, "invalid");
}

#[test]
fn a_stale_etag_is_refused() {
    let client = Client::empty();
    let made = client.insert(lunch());
    let id = made["id"].as_str().unwrap();
    let path = format!("{EVENTS}/{id}");
    let etag = made["etag"].as_str().unwrap();
    let after = client.ok(Request::patch(&path, &json!({ "summary": "x" })).with_header("if-match", etag));
    assert_ne!(after["etag"], made["etag"]);
    let error = client.refused(
        Request::patch(&path, &json!({ "summary": "y" })).with_header("if-match", etag),
        412,
        "conditionNotMet",
    );
    assert_eq!(error["error"]["errors"][0]["locationType"], "header");
    client.refused(Request::put(&path, &lunch()).with_header("if-match", etag), 412, "conditionNotMet");
    client.refused(Request::delete(&path).with_header("if-match", etag), 412, "conditionNotMet");
    client.done(Request::delete(&path).with_header("if-match", after["etag"].as_str().unwrap()));
}

#[test]
fn a_deleted_event_can_be_read_and_not_deleted_twice() {
    let client = Client::empty();
    let made = client.insert(lunch());
    let path = format!("{EVENTS}/{}", made["id"].as_str().unwrap());
    client.done(Request::delete(&path));
    let gone = client.ok(Request::get(&path));
    assert_eq!((&gone["status"], &gone["summary"]), (&json!("cancelled"), &json!("Lunch")));
    client.refused(Request::delete(&path), 410, "deleted");
    client.refused(Request::delete(&format!("{EVENTS}/never0there")), 404, "notFound");
    let restore = || Request::patch(&path, &json!({ "status": "confirmed" }));
    client.refused(restore(), 403, "forbidden");
    client.sandbox.switch(|switches| switches.calendar_restore_refused = false);
    assert_eq!(client.ok(restore())["status"], "confirmed");
}

#[test]
fn reminders_change_the_etag_and_not_the_time_of_the_last_change() {
    let client = Client::empty();
    let made = client.insert(lunch());
    client.sandbox.clock().advance_ms(60_000);
    let reminders = json!({ "useDefault": false, "overrides": [{ "method": "popup", "minutes": 0 }] });
    let after = client.patch(made["id"].as_str().unwrap(), json!({ "reminders": reminders }));
    assert_eq!((&after["updated"], &after["reminders"]), (&made["updated"], &reminders));
    assert_ne!(after["etag"], made["etag"]);
    let after = client.patch(made["id"].as_str().unwrap(), json!({ "summary": "x" }));
    assert_ne!(after["updated"], made["updated"]);
}

#[test]
fn a_patch_that_changes_nothing_makes_a_new_etag_or_none() {
    let client = Client::empty();
    let made = client.insert(lunch());
    let id = made["id"].as_str().unwrap();
    let after = client.patch(id, json!({ "summary": "Lunch" }));
    assert_ne!(after["etag"], made["etag"]);
    client.sandbox.switch(|switches| switches.calendar_patch_always_restamps = false);
    assert_eq!(client.patch(id, json!({ "summary": "Lunch" }))["etag"], after["etag"]);
}

#[test]
fn an_import_goes_by_the_uid() {
    let client = Client::empty();
    let calendar = client.sandbox.google_add_calendar("Reisen").unwrap();
    let import = format!("{V3}/calendars/{}/events/import", encoded(&calendar));
    let event =
        with(day("Import", "2026-01-01", "2026-01-02"), json!({ "iCalUID": "u1@outlook.example", "sequence": 3 }));
    let made = client.ok(Request::post(&import, &event));
    assert_eq!(made["organizer"], json!({ "email": calendar, "displayName": "Reisen", "self": true }));
    assert_eq!((&made["creator"]["self"], &made["iCalUID"]), (&json!(true), &json!("u1@outlook.example")));
    // The same UID is the same event, also with a lower sequence number.
    let again = client.ok(Request::post(&import, &with(event.clone(), json!({ "summary": "Again", "sequence": 1 }))));
    assert_eq!((&again["id"], &again["summary"]), (&made["id"], &json!("Again")));
    client.refused(Request::post(&import, &day("No UID", "2026-01-01", "2026-01-02")), 400, "required");
    client.refused(
        Request::post(&import, &with(event.clone(), json!({ "eventType": "focusTime" }))),
        400,
        "eventTypeRestriction",
    );
    client.refused(Request::post(&format!("{import}?sendUpdates=none"), &event), 400, "invalidParameter");
    let guests = json!({ "iCalUID": "u4@outlook.example", "attendees": [{ "email": "anna@example.org" }] });
    client.ok(Request::post(&import, &with(lunch(), guests)));
    assert!(client.sandbox.google_mails().is_empty());
}

#[test]
fn an_import_keeps_a_foreign_organizer_when_the_user_takes_part() {
    let client = Client::empty();
    let import = format!("{EVENTS}/import");
    let foreign =
        with(lunch(), json!({ "iCalUID": "u2@outlook.example", "organizer": { "email": "boss@example.net" } }));
    client.refused(Request::post(&import, &foreign), 400, "participantIsNeitherOrganizerNorAttendee");
    let as_guest = with(
        foreign.clone(),
        json!({ "attendees": [{ "email": "ada@example.com" }, { "email": "boss@example.net" }] }),
    );
    let made = client.ok(Request::post(&import, &as_guest));
    assert_eq!(made["organizer"], json!({ "email": "boss@example.net" }));
    assert_eq!(made["attendees"][1]["organizer"], true);
    let path = format!("{EVENTS}/{}", made["id"].as_str().unwrap());
    client.refused(Request::patch(&path, &json!({ "summary": "x" })), 403, "forbiddenForNonOrganizer");
    client.sandbox.switch(|switches| {
        switches.calendar_imported_copies_locked = false;
        switches.calendar_import_needs_part = false;
    });
    assert_eq!(client.ok(Request::patch(&path, &json!({ "summary": "x" })))["summary"], "x");
    client.ok(Request::post(&import, &with(foreign, json!({ "iCalUID": "u3@outlook.example" }))));
    assert!(client.sandbox.google_mails().is_empty());
}

#[test]
fn a_moved_event_leaves_its_id_behind() {
    let client = Client::empty();
    client.insert(weekly());
    client.patch("tf0000000000001_20261027T080000Z", json!({ "summary": "Late" }));
    let (_, token) = client.full();
    let calendar = client.sandbox.google_add_calendar("Reisen").unwrap();
    client.sandbox.google_edit_calendar(&calendar, &json!({ "timeZone": "Europe/Lisbon" })).unwrap();
    let move_to = |id: &str| Request::new("POST", &format!("{EVENTS}/{id}/move?destination={}", encoded(&calendar)));
    client.refused(move_to("tf0000000000001_20261103T080000Z"), 400, "cannotChangeOrganizerOfInstance");
    let moved = client.ok(move_to("tf0000000000001"));
    assert_eq!((&moved["organizer"]["email"], &moved["organizer"]["self"]), (&json!(calendar), &json!(true)));
    assert_eq!(moved["start"], json!({ "dateTime": "2026-10-20T08:00:00+01:00", "timeZone": "Europe/Berlin" }));
    let (changes, _) = client.delta(&token);
    assert_eq!(ids(&changes), ["tf0000000000001_20261027T080000Z", "tf0000000000001"]);
    assert_eq!(keys(&changes[1]), ["etag", "id", "kind", "status"]);
    assert_eq!(keys(&changes[0]), ["etag", "id", "kind", "originalStartTime", "recurringEventId", "status"]);
    let there = client.sandbox.google_events(&calendar);
    assert_eq!(ids(&there), ["tf0000000000001", "tf0000000000001_20261027T080000Z"]);
    assert_eq!(there[1]["summary"], "Late");
    client.refused(move_to("tf0000000000001"), 404, "notFound");
    client.refused(Request::new("POST", &format!("{EVENTS}/x/move")), 400, "required");
}

#[test]
fn what_a_client_does_not_ask_for_is_left_out_of_a_body() {
    let client = Client::empty();
    let request =
        json!({ "createRequest": { "requestId": "r1", "conferenceSolutionKey": { "type": "hangoutsMeet" } } });
    let attachment = json!([{ "fileUrl": "https://drive.example.com/x", "title": "X" }]);
    let full = with(
        lunch(),
        json!({ "conferenceData": request, "attachments": attachment, "eventLabelId": "l1", "colorId": "4" }),
    );
    let plain = client.insert(full.clone());
    for name in ["conferenceData", "attachments", "eventLabelId"] {
        assert!(plain.get(name).is_none(), "{name}");
    }
    let asked = "conferenceDataVersion=1&supportsAttachments=true&eventLabelVersion=1";
    let rich = client.ok(Request::post(&format!("{EVENTS}?{asked}"), &full));
    assert_eq!(rich["conferenceData"]["createRequest"]["status"]["statusCode"], "success");
    assert_eq!(rich["hangoutLink"], rich["conferenceData"]["entryPoints"][0]["uri"]);
    assert_eq!((&rich["eventLabelId"], rich.get("colorId")), (&json!("l1"), None));
    let id = rich["id"].as_str().unwrap();
    let after = client.patch(id, json!({ "summary": "x" }));
    assert_eq!((&after["conferenceData"], &after["attachments"]), (&rich["conferenceData"], &rich["attachments"]));
    client.sandbox.switch(|switches| switches.calendar_put_drops_unversioned = false);
    let put = || client.ok(Request::put(&format!("{EVENTS}/{id}"), &lunch()));
    assert_eq!(put()["conferenceData"], rich["conferenceData"]);
    client.sandbox.switch(|switches| switches.calendar_put_drops_unversioned = true);
    let after = put();
    assert!(
        after.get("conferenceData").is_none()
            && after.get("hangoutLink").is_none()
            && after.get("attachments").is_none()
    );
}
