//! Calendars and the user's list of them.

use super::*;

const LIST: &str = "/google/calendar/v3/users/me/calendarList";

#[test]
fn an_account_has_its_primary_calendar_from_the_start() {
    let client = Client::empty();
    let body = client.ok(Request::get(LIST));
    assert_eq!(keys(&body), ["etag", "items", "kind", "nextSyncToken"]);
    let primary = &body["items"][0];
    assert_eq!(
        keys(primary),
        [
            "accessRole",
            "backgroundColor",
            "colorId",
            "conferenceProperties",
            "defaultReminders",
            "etag",
            "foregroundColor",
            "id",
            "kind",
            "primary",
            "selected",
            "summary",
            "timeZone"
        ]
    );
    assert_eq!((&primary["id"], &primary["accessRole"]), (&json!("ada@example.com"), &json!("owner")));
    let calendar = client.send(Request::get(&format!("{V3}/calendars/primary")));
    let shown = calendar.body_json();
    assert_eq!(keys(&shown), ["conferenceProperties", "etag", "id", "kind", "summary", "timeZone"]);
    assert_eq!(calendar.header("etag"), shown["etag"].as_str());
}

#[test]
fn the_list_comes_in_pages_and_tells_of_changes() {
    let client = Client::demo();
    let (all, token) = client.round(&format!("{LIST}?maxResults=2"), None);
    assert_eq!(all.len(), 5);
    let roles: Vec<_> = all.iter().map(|entry| entry["accessRole"].as_str().unwrap()).collect();
    assert_eq!(roles, ["owner", "owner", "writer", "reader", "reader"]);
    let token = token.unwrap();
    let made = client
        .ok(Request::post(&format!("{V3}/calendars"), &json!({ "summary": "Reisen", "timeZone": "Europe/Lisbon" })));
    let id = made["id"].as_str().unwrap();
    assert!(id.starts_with("c_") && id.ends_with("@group.calendar.google.com"));
    let (changed, token) = client.round(LIST, Some(&token));
    assert_eq!((ids(&changed), &changed[0]["defaultReminders"]), (vec![id], &json!([])));
    client.done(Request::delete(&format!("{V3}/calendars/{}", encoded(id))));
    let (changed, _) = client.round(LIST, token.as_deref());
    assert_eq!((keys(&changed[0]), &changed[0]["deleted"]), (vec!["deleted", "etag", "id", "kind"], &json!(true)));
    client.refused(Request::get(&format!("{V3}/calendars/{}/events", encoded(id))), 404, "notFound");
    assert_eq!(client.round(LIST, None).0.len(), 5);
    assert_eq!(client.round(&format!("{LIST}?showDeleted=true"), None).0.len(), 7);
}

#[test]
fn a_sync_token_of_the_list_goes_with_few_parameters_and_dies() {
    let client = Client::demo();
    let token = client.round(LIST, None).1.unwrap();
    for bad in ["minAccessRole=writer", "showDeleted=false", "showHidden=false"] {
        client.refused(Request::get(&format!("{LIST}?{bad}&syncToken={token}")), 400, "badRequest");
    }
    client.refused(Request::get(&format!("{LIST}?syncToken=nonsense")), 400, "invalidParameter");
    assert_eq!(client.round(&format!("{LIST}?minAccessRole=writer"), None).0.len(), 3);
    client.sandbox.google_expire_sync_tokens();
    client.refused(Request::get(&format!("{LIST}?syncToken={token}")), 410, "fullSyncRequired");
}

#[test]
fn a_renamed_calendar_is_in_no_delta_of_the_list() {
    let client = Client::demo();
    for shows in [false, true] {
        client.sandbox.switch(|switches| switches.calendar_rename_shows_in_list = shows);
        let token = client.round(LIST, None).1.unwrap();
        let id = "c_5e1f@group.calendar.google.com";
        let name = format!("Kerho {shows}");
        client.ok(Request::patch(&format!("{V3}/calendars/{}", encoded(id)), &json!({ "summary": name })));
        let (changed, _) = client.round(LIST, Some(&token));
        assert_eq!(changed.len(), usize::from(shows));
        let full = client.round(LIST, None).0;
        assert_eq!(full.iter().find(|entry| entry["id"] == id).unwrap()["summary"], json!(name));
    }
}

#[test]
fn colours_are_ids_or_free_ones_when_asked_for() {
    let client = Client::demo();
    let entry = format!("{LIST}/{}", encoded("c_5e1f@group.calendar.google.com"));
    let palette = client.ok(Request::get(&format!("{V3}/colors")));
    assert_eq!(palette["calendar"].as_object().unwrap().len(), 24);
    assert_eq!(palette["event"].as_object().unwrap().len(), 11);
    let by_id = client.ok(Request::patch(&entry, &json!({ "colorId": "11", "backgroundColor": "#000000" })));
    assert_eq!(by_id["backgroundColor"], palette["calendar"]["11"]["background"]);
    let free = json!({ "backgroundColor": "#0088AA", "foregroundColor": "#ffffff" });
    let by_rgb = client.ok(Request::patch(&format!("{entry}?colorRgbFormat=true"), &free));
    assert_eq!((&by_rgb["backgroundColor"], &by_rgb["foregroundColor"]), (&json!("#0088aa"), &json!("#ffffff")));
    assert_ne!(by_rgb["colorId"], "11");
    client.refused(Request::patch(&entry, &json!({ "colorId": "25" })), 400, "invalid");
    client.refused(
        Request::patch(&format!("{entry}?colorRgbFormat=true"), &json!({ "backgroundColor": "blue" })),
        400,
        "invalid",
    );
}

#[test]
fn an_entry_is_the_users_own_view() {
    let client = Client::demo();
    let id = "c_77aa@group.calendar.google.com";
    let entry = format!("{LIST}/{}", encoded(id));
    let patch = json!({
        "summaryOverride": "Mine", "hidden": true, "summary": "read only",
        "defaultReminders": [{ "method": "popup", "minutes": 5 }],
    });
    let seen = client.ok(Request::patch(&entry, &patch));
    assert_eq!((&seen["summaryOverride"], &seen["summary"]), (&json!("Mine"), &json!("Projekt “Æther”")));
    assert_eq!(client.round(LIST, None).0.len(), 4);
    assert_eq!(client.round(&format!("{LIST}?showHidden=true"), None).0.len(), 5);
    let events = client.ok(Request::get(&format!("{V3}/calendars/{}/events", encoded(id))));
    assert_eq!(events["defaultReminders"][0]["minutes"], 5);
    client.done(Request::delete(&entry));
    client.refused(Request::get(&entry), 404, "notFound");
    // The calendar itself is still there, and comes back.
    client.ok(Request::get(&format!("{V3}/calendars/{}", encoded(id))));
    client.ok(Request::post(LIST, &json!({ "id": id })));
    let other = "en.austrian#holiday@group.v.calendar.google.com";
    client.ok(Request::post(LIST, &json!({ "id": other })));
    client.refused(Request::post(LIST, &json!({ "id": "nobody@example.com" })), 404, "notFound");
    client.refused(Request::delete(&format!("{LIST}/primary")), 403, "forbidden");
}

#[test]
fn the_primary_calendar_cannot_be_deleted_and_alone_can_be_cleared() {
    let client = Client::demo();
    client.refused(Request::delete(&format!("{V3}/calendars/primary")), 403, "cannotDeletePrimaryCalendar");
    let club = encoded("c_5e1f@group.calendar.google.com");
    client.refused(Request::post(&format!("{V3}/calendars/{club}/clear"), &json!({})), 400, "invalid");
    client.done(Request::new("POST", &format!("{V3}/calendars/primary/clear")));
    assert!(client.sandbox.google_events("primary").is_empty());
    let shared = encoded("c_77aa@group.calendar.google.com");
    client.refused(Request::delete(&format!("{V3}/calendars/{shared}")), 403, "forbidden");
    client.refused(Request::patch(&format!("{V3}/calendars/{shared}"), &json!({ "summary": "x" })), 403, "forbidden");
    client.refused(Request::post(&format!("{V3}/calendars"), &json!({ "timeZone": "Europe/Berlin" })), 400, "required");
    let windows = json!({ "summary": "x", "timeZone": "W. Europe Standard Time" });
    client.refused(Request::post(&format!("{V3}/calendars"), &windows), 400, "invalid");
}

#[test]
fn roles_decide_what_may_be_read_and_written() {
    let client = Client::demo();
    let holidays = "en.german#holiday@group.v.calendar.google.com";
    let events = format!("{V3}/calendars/{}/events", encoded(holidays));
    let list = client.ok(Request::get(&events));
    assert_eq!((list["items"].as_array().unwrap().len(), &list["accessRole"]), (3, &json!("reader")));
    client.refused(Request::post(&events, &day("x", "2026-01-01", "2026-01-02")), 403, "requiredAccessLevel");
    let club = "c_5e1f@group.calendar.google.com";
    let here = format!("{V3}/calendars/{}/events", encoded(club));
    let private = with(lunch(), json!({ "visibility": "private", "description": "secret" }));
    client.sandbox.google_add_event(club, &private).unwrap();
    let token = client.round(&here, None).1.unwrap();
    for (role, shows_title, writes) in [
        ("owner", true, true),
        ("writer", true, true),
        ("writerWithoutPrivateAccess", false, true),
        ("reader", false, false),
    ] {
        client.sandbox.google_set_calendar_role(club, role).unwrap();
        let list = client.ok(Request::get(&here));
        let lunch = list["items"].as_array().unwrap().iter().find(|item| item["visibility"] == "private").unwrap();
        assert_eq!(lunch["summary"].is_string(), shows_title, "{role}");
        assert!(lunch["start"]["dateTime"].is_string());
        assert_eq!(client.send(Request::post(&here, &lunch_of_today())).is_ok(), writes, "{role}");
    }
    // A changed right ends the tokens.
    client.refused(Request::get(&format!("{here}?syncToken={token}")), 410, "fullSyncRequired");
    client.sandbox.google_set_calendar_role(club, "freeBusyReader").unwrap();
    let bare = client.ok(Request::get(&here));
    assert!(bare["items"].as_array().unwrap().iter().all(|item| item.get("summary").is_none()));
    client.sandbox.switch(|switches| switches.calendar_free_busy_lists = false);
    client.refused(Request::get(&here), 403, "forbidden");
    client.sandbox.switch(|switches| switches.calendar_denied_calendars = vec!["Holidays in Germany".into()]);
    client.refused(Request::get(&events), 403, "forbidden");
    client.ok(Request::get(EVENTS));
}

fn lunch_of_today() -> Value {
    lunch()
}
