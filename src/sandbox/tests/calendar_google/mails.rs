//! Whom the real service would have written to, and what a guest may change.

use super::*;

/// (to, what) of every mail since the last call.
fn mails(client: &Client) -> Vec<(String, String)> {
    let all = client.sandbox.google_mails();
    client.sandbox.google_forget_mails();
    all.into_iter().map(|mail| (mail.to, format!("{:?}", mail.what).to_lowercase())).collect()
}

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(to, what)| ((*to).to_owned(), (*what).to_owned())).collect()
}

fn meeting() -> Value {
    with(
        lunch(),
        json!({
            "attendees": [
                { "email": "ada@example.com", "responseStatus": "accepted" },
                { "email": "zoe@example.com" },
                { "email": "guest@example.org" },
                { "email": "room@resource.example.com", "resource": true },
            ],
        }),
    )
}

#[test]
fn guests_are_told_what_happens_to_them() {
    let client = Client::empty();
    let made = client.ok(Request::post(&format!("{EVENTS}?sendUpdates=all"), &meeting()));
    assert_eq!(mails(&client), pairs(&[("zoe@example.com", "invitation"), ("guest@example.org", "invitation")]));
    let path = format!("{EVENTS}/{}", made["id"].as_str().unwrap());
    client.ok(Request::patch(&format!("{path}?sendUpdates=all"), &json!({ "location": "Room 2" })));
    assert_eq!(mails(&client), pairs(&[("zoe@example.com", "update"), ("guest@example.org", "update")]));
    let fewer = json!({ "attendees": [{ "email": "zoe@example.com" }, { "email": "new@example.org" }] });
    client.ok(Request::patch(&format!("{path}?sendUpdates=all"), &fewer));
    assert_eq!(mails(&client), pairs(&[("new@example.org", "invitation"), ("guest@example.org", "cancellation")]));
    // What is the user's own is nobody else's business.
    client.ok(Request::patch(
        &format!("{path}?sendUpdates=all"),
        &json!({ "colorId": "3", "reminders": { "useDefault": false } }),
    ));
    assert_eq!(mails(&client), []);
    client.done(Request::delete(&format!("{path}?sendUpdates=externalOnly")));
    assert_eq!(mails(&client), pairs(&[("new@example.org", "cancellation")]));
}

#[test]
fn nobody_is_told_when_the_request_says_so_except_where_the_service_does_as_it_likes() {
    let client = Client::empty();
    let made = client.ok(Request::post(&format!("{EVENTS}?sendUpdates=none"), &meeting()));
    let path = format!("{EVENTS}/{}?sendUpdates=none", made["id"].as_str().unwrap());
    client.ok(Request::patch(&path, &json!({ "summary": "x" })));
    client.done(Request::delete(&path));
    assert_eq!(mails(&client), []);
    client.sandbox.switch(|switches| switches.calendar_none_still_mails = true);
    let made = client.ok(Request::post(&format!("{EVENTS}?sendUpdates=none"), &meeting()));
    client.done(Request::delete(&format!("{EVENTS}/{}?sendUpdates=none", made["id"].as_str().unwrap())));
    assert_eq!(mails(&client), pairs(&[("guest@example.org", "cancellation")]));
}

#[test]
fn a_request_that_says_nothing_mails_or_does_not() {
    let client = Client::empty();
    client.ok(Request::post(EVENTS, &meeting()));
    assert_eq!(mails(&client).len(), 2);
    client.sandbox.switch(|switches| switches.calendar_mails_unasked = false);
    client.ok(Request::post(EVENTS, &meeting()));
    assert_eq!(mails(&client), []);
    client.ok(Request::post(&format!("{EVENTS}?sendNotifications=true"), &meeting()));
    assert_eq!(mails(&client).len(), 2);
}

#[test]
fn a_cancelled_occurrence_is_called_off_by_its_own_id() {
    let client = Client::empty();
    client.insert(with(weekly(), json!({ "attendees": [{ "email": "zoe@example.com" }] })));
    client.done(Request::delete(&format!("{EVENTS}/tf0000000000001_20261027T080000Z?sendUpdates=all")));
    let all = client.sandbox.google_mails();
    assert_eq!((all.len(), all[0].event.as_str()), (1, "tf0000000000001_20261027T080000Z"));
    assert_eq!((all[0].calendar.as_str(), all[0].summary.as_str()), ("ada@example.com", "Stand-up"));
    let by_control = client.sandbox.handle(&Request::post("/_sandbox/google/calendar/mails", &json!({}))).body_json();
    assert_eq!((&by_control[0]["to"], &by_control[0]["what"]), (&json!("zoe@example.com"), &json!("cancellation")));
}

#[test]
fn a_guest_changes_what_is_the_guests_own_and_no_more() {
    let client = Client::empty();
    let invited =
        with(lunch(), json!({ "attendees": [{ "email": "zoe@example.com" }, { "email": "ada@example.com" }] }));
    let id = client.sandbox.google_invite("primary", "boss@example.net", &invited).unwrap();
    let path = format!("{EVENTS}/{id}?sendUpdates=all");
    let seen = client.get(&id);
    assert_eq!(
        (&seen["organizer"], &seen["attendees"][1]["self"]),
        (&json!({ "email": "boss@example.net" }), &json!(true))
    );
    for shared in [
        json!({ "summary": "x" }),
        json!({ "start": { "dateTime": "2026-02-02T11:00:00", "timeZone": "Europe/Berlin" } }),
        json!({ "attendees": [{ "email": "ada@example.com" }] }),
        json!({ "extendedProperties": { "shared": { "a": "1" } } }),
        json!({ "recurrence": ["RRULE:FREQ=DAILY"] }),
    ] {
        client.refused(Request::patch(&path, &shared), 403, "forbiddenForNonOrganizer");
    }
    client.refused(Request::put(&path, &lunch()), 403, "forbiddenForNonOrganizer");
    let own = json!({
        "colorId": "5", "transparency": "transparent", "reminders": { "useDefault": false },
        "extendedProperties": { "private": { "a": "1" } },
    });
    assert_eq!(client.ok(Request::patch(&path, &own))["colorId"], "5");
    assert_eq!(mails(&client), []);
    let answer = json!({ "attendeesOmitted": true, "attendees": [{ "email": "ada@example.com", "responseStatus": "accepted" }] });
    let after = client.ok(Request::patch(&path, &answer));
    assert_eq!(after["attendees"].as_array().unwrap().len(), 2);
    assert_eq!((&after["attendees"][1]["responseStatus"], after.get("attendeesOmitted")), (&json!("accepted"), None));
    assert_eq!(mails(&client), pairs(&[("boss@example.net", "response")]));
    client.sandbox.google_edit_event("primary", &id, |event| event["guestsCanModify"] = json!(true)).unwrap();
    client.ok(Request::patch(&path, &json!({ "summary": "x" })));
    client.sandbox.google_edit_event("primary", &id, |event| event["guestsCanModify"] = json!(false)).unwrap();
    client.refused(
        Request::new("POST", &format!("{EVENTS}/{id}/move?destination=primary")),
        403,
        "forbiddenForNonOrganizer",
    );
    client.done(Request::delete(&path));
    assert_eq!(mails(&client), pairs(&[("boss@example.net", "response")]));
}
