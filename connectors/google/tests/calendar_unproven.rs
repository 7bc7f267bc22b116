//! What we rely on at Calendar and have not seen on a live service (`tests/UNPROVEN.md`): the outcome is right, whichever way the
//! service turns out to behave. Each test turns the sandbox's switch both ways.

mod calendar_desk;

use calendar_desk::{Desk, KIND, at, lunch, mark, weekly};
use serde_json::{Value, json};
use twofold_model::event::key;
use twofold_model::{Connector, ErrorKind, Found, Seen, Since};
use twofold_sandbox::Switches;

async fn with(set: impl FnOnce(&mut Switches)) -> Desk {
    let mut switches = Switches::default();
    set(&mut switches);
    Desk::new(switches, false).await
}

fn event_of(seen: &Seen) -> String {
    seen.remote_id.as_str().rsplit_once('/').unwrap().1.to_owned()
}

#[tokio::test]
async fn exceptions_say_what_was_meant_whether_they_follow_their_series_or_not() {
    for (follows, drops) in [(true, false), (false, true)] {
        let desk = with(|switches| {
            switches.calendar_exceptions_follow_series = follows;
            switches.calendar_rule_change_drops_exceptions = drops;
        })
        .await;
        let made = desk.write(desk.create("weekly", &weekly())).await.unwrap().unwrap();
        let mut wanted = weekly();
        wanted.set("title", json!("Brunch"));
        wanted.set("recurrenceRules", json!([{"frequency": "weekly", "count": 6}]));
        let after = desk.write(desk.update(&made, &wanted)).await.unwrap().unwrap();
        assert_eq!(desk.read(&after.rendering), wanted, "follows {follows}, drops {drops}");
        assert_eq!(desk.read(&desk.fetch(&event_of(&after)).await.unwrap().rendering), wanted);
    }
}

#[tokio::test]
async fn an_edit_that_drops_private_properties_removes_nothing_of_what_they_held() {
    for drops in [true, false] {
        let desk = with(|switches| switches.calendar_edit_drops_private = drops).await;
        let mut carried = lunch();
        carried.set("priority", json!(1));
        let made = desk.write(desk.create("lunch", &carried)).await.unwrap().unwrap();
        desk.edit(&event_of(&made), |event| event["location"] = json!("Mill 1"));
        let now = desk.fetch(&event_of(&made)).await.unwrap();
        let settled = desk.google.lens(KIND).settle_unknown(&made.rendering, now.rendering);
        carried.set("locations", json!({"location": {"name": "Mill 1"}}));
        assert_eq!(desk.read(&settled), carried, "drops {drops}");
    }
}

#[tokio::test]
async fn what_has_no_field_fits_into_properties_of_any_limit() {
    for limit in ["refused", "cut", "kept"] {
        let desk = with(|switches| switches.calendar_long_properties = limit.into()).await;
        let mut big = lunch();
        big.set("iCalProps", json!({"k": {"line": format!("X-BIG:{}", "\u{e4}\u{1f0a1}".repeat(1000))}}));
        let made = desk.write(desk.create("big", &big)).await.unwrap().unwrap();
        assert_eq!(desk.read(&made.rendering), big, "{limit}");
    }
}

#[tokio::test]
async fn an_event_that_was_deleted_is_made_again_under_another_id() {
    for refused in [true, false] {
        let desk = with(|switches| switches.calendar_restore_refused = refused).await;
        let first = desk.write(desk.create("lunch", &lunch())).await.unwrap().unwrap();
        desk.sandbox.google_delete_event(&desk.calendar, &event_of(&first)).unwrap();
        let second = desk.write(desk.create("lunch", &lunch())).await.unwrap().unwrap();
        assert_ne!(first.remote_id, second.remote_id, "refused {refused}");
        assert!(matches!(desk.find("lunch").await, Found::Here(found) if found.remote_id == second.remote_id));
    }
}

#[tokio::test]
async fn a_copy_of_a_meeting_is_made_and_changed_whatever_an_import_must_have() {
    for strict in [true, false] {
        let desk = with(|switches| {
            switches.calendar_import_needs_part = strict;
            switches.calendar_imported_copies_locked = strict;
        })
        .await;
        let mut meeting = lunch();
        let boss = json!({"email": "boss@x.example", "roles": {"owner": true, "attendee": true}});
        meeting.set("participants", json!({key("boss@x.example"): boss}));
        let made = desk.write(desk.create("meeting", &meeting)).await.unwrap().unwrap();
        assert_eq!((desk.read(&made.rendering), &made.mark), (meeting.clone(), &Some(mark("meeting"))));
        meeting.set("start", json!("2026-03-04T12:00:00"));
        let moved = desk.write(desk.update(&made, &meeting)).await.unwrap().unwrap();
        assert_eq!(desk.read(&moved.rendering), meeting, "strict {strict}");
    }
}

#[tokio::test]
async fn a_deleted_series_is_not_there_whether_lists_show_it_or_not() {
    for shows in [true, false] {
        let desk = with(|switches| switches.calendar_plain_lists_show_deleted_series = shows).await;
        let id = desk.series();
        desk.sandbox.google_delete_event(&desk.calendar, &format!("{id}_20260310T080000Z")).unwrap();
        let (_, _, token) = desk.round(Since::Start).await;
        desk.sandbox.google_delete_event(&desk.calendar, &id).unwrap();
        let (seen, gone, _) = desk.round(token).await;
        assert_eq!((seen.len(), gone), (0, vec![desk.id(&id)]), "shows {shows}");
        assert!(desk.round(Since::Start).await.0.is_empty(), "shows {shows}");
        assert_eq!(desk.fetch(&id).await, None);
    }
}

#[tokio::test]
async fn nobody_is_mailed_whatever_a_write_without_a_word_would_do() {
    for unasked in [true, false] {
        let desk = with(|switches| switches.calendar_mails_unasked = unasked).await;
        let event = json!({"summary": "Mine", "start": at("2026-03-03", "09:00"), "end": at("2026-03-03", "09:15"),
                           "attendees": [{"email": "ada@x.example"}]});
        let id = desk.sandbox.google_add_event(&desk.calendar, &event).unwrap();
        desk.sandbox.google_forget_mails();
        let seen = desk.fetch(&id).await.unwrap();
        let mut wanted = desk.read(&seen.rendering);
        wanted.set("start", json!("2026-03-03T10:00:00"));
        desk.write(desk.update(&seen, &wanted)).await.unwrap();
        assert_eq!(desk.sandbox.google_mails(), vec![], "unasked {unasked}");
    }
}

#[tokio::test]
async fn too_many_requests_are_waited_for_however_they_are_called() {
    for (status, reason, newer) in [(403, "rateLimitExceeded", false), (429, "userRateLimitExceeded", true)] {
        let desk = with(|switches| {
            switches.calendar_rate_limit_status = status;
            switches.calendar_rate_limit_reason = reason.into();
            switches.calendar_errors_status = newer;
            switches.calendar_writes_per_min = 3;
        })
        .await;
        let items = ["a", "b", "c", "d"];
        let operations = items.map(|item| desk.create(item, &lunch()));
        let answers = desk.google.write(KIND, &operations).await;
        let made = answers.iter().filter(|answer| answer.is_ok()).count();
        assert!(made >= 3, "{status} {reason}: {answers:?}");
        for answer in answers.into_iter().filter_map(Result::err) {
            assert!(matches!(answer.kind, ErrorKind::Throttled { .. }), "{status} {reason}: {answer}");
        }
        assert_eq!(desk.sandbox.google_events(&desk.calendar).len(), made, "none is doubled");
    }
}

#[tokio::test]
async fn a_token_that_is_too_old_asks_for_a_listing_whenever_it_dies() {
    for days in [7, 28] {
        let desk = with(|switches| {
            switches.calendar_sync_token_days = days;
            switches.access_token_life_s = 90 * 86_400;
        })
        .await;
        desk.series();
        let (_, _, token) = desk.round(Since::Start).await;
        assert!(desk.page(&desk.calendar, token.clone()).await.is_ok());
        desk.sandbox.clock().advance_ms((days + 1) * 86_400_000);
        let error = desk.page(&desk.calendar, token).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::TokenExpired, "{days} days");
        assert_eq!(desk.round(Since::Start).await.0.len(), 1);
    }
}

#[tokio::test]
async fn a_change_to_what_is_there_is_one_whether_it_makes_an_etag_or_not() {
    for restamps in [true, false] {
        let desk = with(|switches| switches.calendar_patch_always_restamps = restamps).await;
        let id = desk.series();
        let seen = desk.fetch(&id).await.unwrap();
        let mut noted = desk.read(&seen.rendering);
        noted.set("description", json!("n"));
        let mut operation = desk.update(&seen, &noted);
        let first = desk.write(operation.clone()).await.unwrap().unwrap();
        if let twofold_model::Operation::Update { etag, from, .. } = &mut operation {
            let mut state: Value = serde_json::from_slice(from.as_bytes()).unwrap();
            state["event"]["etag"] =
                serde_json::from_slice::<Value>(first.rendering.as_bytes()).unwrap()["event"]["etag"].clone();
            (*etag, *from) = (first.etag.clone(), twofold_model::Rendering::from(state.to_string()));
        }
        let second = desk.write(operation).await.unwrap().unwrap();
        assert_eq!(desk.read(&second.rendering), noted, "restamps {restamps}");
    }
}
