//! `events.list`: pages, tokens, windows, filters.

use super::*;

#[test]
fn a_full_list_and_the_deltas_after_it_tell_everything() {
    let client = Client::empty();
    client.insert(weekly());
    let holiday = client.insert(day("Urlaub", "2026-12-24", "2026-12-27"));
    let body = client.ok(Request::get(&format!("{EVENTS}?showDeleted=true")));
    assert_eq!(
        keys(&body),
        [
            "accessRole",
            "defaultReminders",
            "description",
            "etag",
            "items",
            "kind",
            "nextSyncToken",
            "summary",
            "timeZone",
            "updated"
        ]
    );
    assert_eq!(body["defaultReminders"], json!([{ "method": "popup", "minutes": 10 }]));
    let (none, token) = client.delta(body["nextSyncToken"].as_str().unwrap());
    assert!(none.is_empty());
    client.done(Request::delete(&format!("{EVENTS}/tf0000000000001_20261103T080000Z")));
    client.done(Request::delete(&format!("{EVENTS}/{}", holiday["id"].as_str().unwrap())));
    let (changes, token) = client.delta(&token);
    assert_eq!(keys(&changes[0]), ["etag", "id", "kind", "originalStartTime", "recurringEventId", "status"]);
    assert_eq!(
        changes[0]["originalStartTime"],
        json!({ "dateTime": "2026-11-03T09:00:00+01:00", "timeZone": "Europe/Berlin" })
    );
    assert_eq!((&changes[1]["status"], &changes[1]["summary"]), (&json!("cancelled"), &json!("Urlaub")));
    let made = client.insert(lunch());
    let (changes, _) = client.delta(&token);
    assert_eq!(changes, [client.get(made["id"].as_str().unwrap())]);
}

#[test]
fn without_show_deleted_a_delta_tells_of_deletions_by_id_alone() {
    let client = Client::empty();
    let made = client.insert(lunch());
    let (_, token) = client.round(EVENTS, None);
    client.done(Request::delete(&format!("{EVENTS}/{}", made["id"].as_str().unwrap())));
    let (changes, _) = client.round(EVENTS, token.as_deref());
    assert_eq!(keys(&changes[0]), ["etag", "id", "kind", "status"]);
    assert!(client.round(EVENTS, None).0.is_empty());
    assert_eq!(client.round(&format!("{EVENTS}?showDeleted=true"), None).0.len(), 1);
}

#[test]
fn a_sync_token_goes_with_the_parameters_of_its_first_call_only() {
    let client = Client::empty();
    let (_, token) = client.full();
    for name in ["timeMin", "timeMax", "updatedMin"] {
        let request = Request::get(&format!("{EVENTS}?showDeleted=true&{name}=2026-01-01T00:00:00Z&syncToken={token}"));
        let error = client.refused(request, 400, "badRequest");
        assert_eq!(error["error"]["message"], format!("Sync token cannot be used with {name}."));
        assert_eq!(error["error"]["errors"][0]["location"], name);
    }
    for pair in ["iCalUID=x", "orderBy=updated", "privateExtendedProperty=a%3Db", "q=x", "sharedExtendedProperty=a%3Db"]
    {
        client.refused(Request::get(&format!("{EVENTS}?showDeleted=true&{pair}&syncToken={token}")), 400, "badRequest");
    }
    client.refused(Request::get(&format!("{EVENTS}?showDeleted=false&syncToken={token}")), 400, "badRequest");
    let other = || Request::get(&format!("{EVENTS}?showDeleted=true&maxResults=7&syncToken={token}"));
    client.refused(other(), 400, "badRequest");
    client.sandbox.switch(|switches| switches.calendar_sync_takes_other_parameters = true);
    client.ok(other());
    client.refused(Request::get(&format!("{EVENTS}?syncToken=nonsense")), 400, "invalidParameter");
    client.refused(Request::get(&format!("{EVENTS}?pageToken=nonsense")), 400, "invalid");
    // A token of one calendar is none of another.
    let calendar = client.sandbox.google_add_calendar("Second").unwrap();
    client.sandbox.switch(|switches| switches.calendar_sync_takes_other_parameters = false);
    let elsewhere = format!("{V3}/calendars/{}/events?showDeleted=true&syncToken={token}", encoded(&calendar));
    client.refused(Request::get(&elsewhere), 400, "badRequest");
}

#[test]
fn a_sync_token_dies_of_age_and_when_the_service_says_so() {
    let client = Client::empty();
    let (_, token) = client.full();
    client.sandbox.clock().advance_ms(27 * 86_400_000);
    let client = Client { token: client.sandbox.access_token(Provider::Google), sandbox: client.sandbox };
    let (_, later) = client.delta(&token);
    client.sandbox.clock().advance_ms(2 * 86_400_000);
    let client = Client { token: client.sandbox.access_token(Provider::Google), sandbox: client.sandbox };
    let sync = |token: &str| Request::get(&format!("{EVENTS}?showDeleted=true&syncToken={token}"));
    let error = client.refused(sync(&token), 410, "fullSyncRequired");
    assert_eq!(error["error"]["errors"][0]["location"], "syncToken");
    client.ok(sync(&later));
    client.sandbox.google_expire_sync_tokens();
    client.refused(sync(&later), 410, "fullSyncRequired");
}

#[test]
fn the_window_of_the_first_call_sticks_to_its_token() {
    let client = Client::empty();
    client.insert(lunch());
    client.insert(day("Old", "2020-01-01", "2020-01-02"));
    client.insert(with(weekly(), json!({ "recurrence": ["RRULE:FREQ=WEEKLY"] })));
    let from = format!("{EVENTS}?timeMin=2026-01-01T00:00:00Z");
    let (items, token) = client.round(&from, None);
    assert_eq!(items.len(), 2);
    client.insert(day("Older", "2019-01-01", "2019-01-02"));
    client.insert(day("New", "2027-01-01", "2027-01-02"));
    let (changes, _) = client.round(EVENTS, token.as_deref());
    assert_eq!((changes.len(), &changes[0]["summary"]), (1, &json!("New")));
    let until = format!("{EVENTS}?timeMax=2026-03-01T00:00:00Z");
    assert_eq!(client.round(&until, None).0.len(), 3);
    let far = format!("{EVENTS}?timeMin=2040-01-01T00:00:00Z");
    assert_eq!(ids(&client.round(&far, None).0), ["tf0000000000001"]);
    let none = format!("{EVENTS}?timeMin=2026-03-01T00:00:00Z&timeMax=2026-03-01T00:00:00Z");
    client.refused(Request::get(&none), 400, "timeRangeEmpty");
    client.refused(Request::get(&format!("{EVENTS}?timeMin=2026-03-01")), 400, "invalidParameter");
}

#[test]
fn pages_may_be_short_and_empty_and_still_hold_everything() {
    let switches = Switches { short_pages: true, empty_pages: true, reorder_fields: true, ..Switches::default() };
    let client = Client::new(Options::empty().events(40).virtual_time().with(switches));
    let (items, token) = client.round(&format!("{EVENTS}?maxResults=9"), None);
    // 40 and, of four series, a changed and a cancelled occurrence each.
    assert_eq!((items.len(), token.is_some()), (48, true));
    let mut seen = ids(&items);
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 48);
    let (single, _) = client.round(&format!("{EVENTS}?maxResults=9&singleEvents=true"), None);
    assert_eq!(single.len(), 36 + 4 * 11);
}

#[test]
fn what_changes_while_a_client_pages_comes_again() {
    let client = Client::new(Options::empty().events(10).virtual_time());
    let first = client.ok(Request::get(&format!("{EVENTS}?maxResults=3")));
    let early = first["items"][0]["id"].as_str().unwrap();
    client.sandbox.google_edit_event("primary", early, |event| event["summary"] = json!("Edited")).unwrap();
    let mut ids_seen = Vec::new();
    let mut page = first["nextPageToken"].as_str().unwrap().to_owned();
    let token = loop {
        let body = client.ok(Request::get(&format!("{EVENTS}?maxResults=3&pageToken={page}")));
        ids_seen.extend(body["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()));
        match body["nextPageToken"].as_str() {
            Some(next) => page = next.to_owned(),
            None => break body["nextSyncToken"].as_str().unwrap().to_owned(),
        }
    };
    assert!(ids_seen.iter().any(|id| id == early));
    // The token is of the round's beginning: the edit is told once more.
    let (changes, _) = client.round(&format!("{EVENTS}?maxResults=3"), Some(&token));
    assert_eq!(ids(&changes), [early]);
    client.refused(Request::get(&format!("{EVENTS}?maxResults=4&pageToken={page}")), 400, "invalid");
}

#[test]
fn a_lagging_list_shows_old_news_and_then_the_new() {
    let client = Client::with(Switches { list_lag_s: 120, ..Switches::default() });
    let (_, token) = client.full();
    let made = client.insert(lunch());
    assert!(client.delta(&token).0.is_empty() && client.full().0.is_empty());
    client.get(made["id"].as_str().unwrap());
    let (_, token) = client.delta(&token);
    client.sandbox.clock().advance_ms(121_000);
    assert_eq!(client.delta(&token).0.len(), 1);
}

#[test]
fn single_events_are_expanded_page_by_page_in_both_orders() {
    let client = Client::empty();
    client.insert(weekly());
    client.patch("tf0000000000001_20261027T080000Z", json!({ "summary": "Late" }));
    client.done(Request::delete(&format!("{EVENTS}/tf0000000000001_20261103T080000Z")));
    client.insert(day("Day", "2026-10-28", "2026-10-29"));
    let list = format!("{EVENTS}?singleEvents=true&maxResults=1");
    let (items, token) = client.round(&list, None);
    assert_eq!(items.len(), 4);
    assert!(items.iter().all(|item| item.get("recurrence").is_none()));
    let (ordered, none) = client.round(&format!("{list}&orderBy=startTime"), None);
    let summaries: Vec<_> = ordered.iter().map(|item| item["summary"].as_str().unwrap()).collect();
    assert_eq!((summaries, none), (vec!["Stand-up", "Late", "Day", "Stand-up"], None));
    client.refused(Request::get(&format!("{EVENTS}?orderBy=startTime")), 400, "badRequest");
    let window = "timeMin=2026-10-25T00:00:00Z&timeMax=2026-11-01T00:00:00Z";
    assert_eq!(client.round(&format!("{EVENTS}?singleEvents=true&{window}"), None).0.len(), 2);
    client.done(Request::delete(&format!("{EVENTS}/tf0000000000001")));
    let (changes, _) = client.round(&list, token.as_deref());
    assert!(changes.iter().all(|item| item["status"] == "cancelled" && item["recurringEventId"] == "tf0000000000001"));
    client.sandbox.switch(|switches| switches.calendar_single_events_token = false);
    assert_eq!(client.round(&list, None).1, None);
}

#[test]
fn a_deleted_series_is_told_with_some_months_of_its_occurrences() {
    let client = Client::empty();
    let endless = with(weekly(), json!({ "recurrence": ["RRULE:FREQ=WEEKLY"] }));
    client.insert(with(
        endless,
        json!({
            "start": { "dateTime": "2026-01-06T09:00:00", "timeZone": "Europe/Berlin" },
            "end": { "dateTime": "2026-01-06T10:00:00", "timeZone": "Europe/Berlin" },
        }),
    ));
    let list = format!("{EVENTS}?singleEvents=true");
    let token = client.round(&list, None).1.unwrap();
    client.done(Request::delete(&format!("{EVENTS}/tf0000000000001")));
    let (changes, _) = client.round(&list, Some(&token));
    assert_eq!(changes.len(), 13);
    client.sandbox.switch(|switches| switches.calendar_deleted_series_months = 1);
    assert_eq!(client.round(&list, Some(&token)).0.len(), 4);
}

#[test]
fn cancelled_occurrences_are_in_every_list_and_deleted_series_in_some() {
    let client = Client::empty();
    client.insert(weekly());
    client.done(Request::delete(&format!("{EVENTS}/tf0000000000001_20261103T080000Z")));
    let (plain, _) = client.round(EVENTS, None);
    assert_eq!(ids(&plain), ["tf0000000000001", "tf0000000000001_20261103T080000Z"]);
    client.done(Request::delete(&format!("{EVENTS}/tf0000000000001")));
    let far = format!("{EVENTS}?timeMin=2040-01-01T00:00:00Z");
    let (shown, _) = client.round(&far, None);
    assert_eq!((ids(&shown), &shown[0]["status"]), (vec!["tf0000000000001"], &json!("cancelled")));
    client.sandbox.switch(|switches| switches.calendar_plain_lists_show_deleted_series = false);
    assert!(client.round(&far, None).0.is_empty() && client.round(EVENTS, None).0.is_empty());
}

#[test]
fn lists_are_searched_by_uid_property_type_text_and_change() {
    let client = Client::demo();
    let found = |query: &str| {
        let (items, token) = client.round(&format!("{EVENTS}?{query}"), None);
        (ids(&items).into_iter().map(str::to_owned).collect::<Vec<_>>(), token.is_some())
    };
    assert_eq!(found("iCalUID=seedfit@google.com"), (vec!["seedfit".into()], false));
    assert_eq!(
        found("privateExtendedProperty=plan%3Db&sharedExtendedProperty=club%3Dnorth"),
        (vec!["seedfit".into()], false)
    );
    assert_eq!(found("privateExtendedProperty=plan%3Dc"), (vec![], false));
    assert_eq!(found("q=m%C3%BCller"), (vec!["seeddoctor".into()], false));
    assert_eq!(found("eventTypes=birthday&eventTypes=focusTime"), (vec![], true));
    assert_eq!(found("iCalUID=seedstandup@google.com").0.len(), 4);
    let now = "2026-01-01T07:00:00Z";
    let made = client.sandbox.google_add_event("primary", &lunch()).unwrap();
    client.sandbox.google_delete_event("primary", &made).unwrap();
    assert_eq!(found(&format!("updatedMin={now}")), (vec![made], false));
    client.refused(Request::get(&format!("{EVENTS}?updatedMin=2025-11-01T00:00:00Z")), 410, "updatedMinTooLongAgo");
    let few = client.ok(Request::get(&format!("{EVENTS}/seedmeeting?maxAttendees=1")));
    assert_eq!((few["attendees"].as_array().unwrap().len(), &few["attendeesOmitted"]), (1, &json!(true)));
    assert_eq!(few["attendees"][0]["self"], true);
    let fields = client.ok(Request::get(&format!("{EVENTS}?fields=items(id,etag),nextSyncToken")));
    assert_eq!(keys(&fields["items"][0]), ["etag", "id"]);
    client.refused(Request::get(&format!("{EVENTS}?fields=items(id")), 400, "invalid");
}

#[test]
fn tombstones_are_forgotten_in_time() {
    let client = Client::with(Switches { calendar_tombstone_days: 10, ..Switches::default() });
    let made = client.insert(lunch());
    let path = format!("{EVENTS}/{}", made["id"].as_str().unwrap());
    client.done(Request::delete(&path));
    let (_, token) = client.full();
    client.sandbox.clock().advance_ms(11 * 86_400_000);
    let client = Client { token: client.sandbox.access_token(Provider::Google), sandbox: client.sandbox };
    client.refused(Request::get(&path), 404, "notFound");
    assert!(client.full().0.is_empty());
    client.refused(Request::get(&format!("{EVENTS}?showDeleted=true&syncToken={token}")), 410, "fullSyncRequired");
}

#[test]
fn ten_thousand_events_are_made_and_listed_fast() {
    let start = std::time::Instant::now();
    let client = Client::new(Options::empty().events(10_000).virtual_time());
    let (items, _) = client.round(&format!("{EVENTS}?maxResults=2500"), None);
    assert_eq!(items.len(), 12_000);
    let series = items.iter().filter(|item| item.get("recurrence").is_some()).count();
    let cancelled = items.iter().filter(|item| item["status"] == "cancelled").count();
    assert_eq!((series, cancelled), (1_000, 1_000));
    assert!(start.elapsed().as_secs() < 30, "{:?}", start.elapsed());
}
