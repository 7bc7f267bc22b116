//! Calendars.

use crate::connected::google;
use crate::desk::{Desk, mark};
use crate::events::{at, lunch, standup, weekly};
use serde_json::{Value, json};
use twofold_google::Google;
use twofold_model::event::key;
use twofold_model::{Connector, ErrorKind, Found, Kind, Operation, RemoteId, Rendering, Seen, Since};
use twofold_sandbox::{Sandbox, Switches};

fn desk(set: impl FnOnce(&mut Switches)) -> Desk<Google> {
    Desk::new(Kind::Calendar, set, google)
}

/// The primary calendar.
fn primary(sandbox: &Sandbox) -> String {
    let calendars = sandbox.google_calendars();
    calendars.iter().find(|calendar| calendar["primary"] == true).unwrap()["id"].as_str().unwrap().to_owned()
}

/// Makes an event with the user's other client: its id, and the copy as the connector sees it.
async fn theirs(desk: &Desk<Google>, event: &Value) -> (String, Seen) {
    let id = desk.sandbox.google_add_event(&primary(&desk.sandbox), event).unwrap();
    let name = RemoteId(format!("{}/{id}", primary(&desk.sandbox)));
    let seen = desk.round(Since::Start).await.unwrap().seen.remove(&name).unwrap();
    (id, seen)
}

fn event_of(seen: &Seen) -> &str {
    seen.remote_id.as_str().rsplit_once('/').unwrap().1
}

#[tokio::test]
async fn exceptions_say_what_was_meant_whether_they_follow_their_series_or_not() {
    for (follows, drops) in [(true, false), (false, true)] {
        let desk = desk(|switches| {
            switches.calendar_exceptions_follow_series = follows;
            switches.calendar_rule_change_drops_exceptions = drops;
        });
        let made = desk.made("weekly", &weekly()).await;
        let mut wanted = weekly();
        wanted.set("title", json!("Brunch"));
        wanted.set("recurrenceRules", json!([{"frequency": "weekly", "count": 6}]));
        let after = desk.done(desk.update(&made, |event| *event = wanted.clone())).await;
        assert_eq!(desk.read(&after), wanted, "follows {follows}, drops {drops}");
        assert_eq!(desk.read(&desk.fetch(&after).await.unwrap()), wanted);
    }
}

#[tokio::test]
async fn an_edit_that_drops_private_properties_removes_nothing_of_what_they_held() {
    for drops in [true, false] {
        let desk = desk(|switches| switches.calendar_edit_drops_private = drops);
        let mut carried = lunch();
        carried.set("priority", json!(1));
        let made = desk.made("lunch", &carried).await;
        let moves = |event: &mut Value| event["location"] = json!("Mill 1");
        desk.sandbox.google_edit_event(&primary(&desk.sandbox), event_of(&made), moves).unwrap();
        let settled = desk.settle(&made, desk.fetch(&made).await.unwrap());
        carried.set("locations", json!({"location": {"name": "Mill 1"}}));
        assert_eq!(desk.read(&settled), carried, "drops {drops}");
    }
}

#[tokio::test]
async fn what_has_no_field_fits_into_properties_of_any_limit() {
    for limit in ["refused", "cut", "kept"] {
        let desk = desk(|switches| switches.calendar_long_properties = limit.into());
        let mut big = lunch();
        big.set("iCalProps", json!({"k": {"line": format!("X-BIG:{}", "\u{e4}\u{1f0a1}".repeat(1000))}}));
        let made = desk.made("big", &big).await;
        assert_eq!(desk.read(&made), big, "{limit}");
    }
}

#[tokio::test]
async fn an_event_that_was_deleted_is_made_again_under_another_id() {
    for refused in [true, false] {
        let desk = desk(|switches| switches.calendar_restore_refused = refused);
        let first = desk.made("lunch", &lunch()).await;
        desk.sandbox.google_delete_event(&primary(&desk.sandbox), event_of(&first)).unwrap();
        let second = desk.made("lunch", &lunch()).await;
        assert_ne!(first.remote_id, second.remote_id, "refused {refused}");
        assert!(matches!(desk.find("lunch", 0).await, Found::Here(found) if found.remote_id == second.remote_id));
    }
}

#[tokio::test]
async fn a_copy_of_a_meeting_is_made_and_changed_whatever_an_import_must_have() {
    for strict in [true, false] {
        let desk = desk(|switches| {
            switches.calendar_import_needs_part = strict;
            switches.calendar_imported_copies_locked = strict;
        });
        let mut meeting = lunch();
        let boss = json!({"email": "boss@x.example", "roles": {"owner": true, "attendee": true}});
        meeting.set("participants", json!({key("boss@x.example"): boss}));
        let made = desk.made("meeting", &meeting).await;
        assert_eq!((desk.read(&made), &made.mark), (meeting.clone(), &Some(mark("meeting"))));
        meeting.set("start", json!("2026-03-04T12:00:00"));
        let moved = desk.done(desk.update(&made, |event| *event = meeting.clone())).await;
        assert_eq!(desk.read(&moved), meeting, "strict {strict}");
    }
}

#[tokio::test]
async fn a_deleted_series_is_not_there_whether_lists_show_it_or_not() {
    for shows in [true, false] {
        let desk = desk(|switches| switches.calendar_plain_lists_show_deleted_series = shows);
        let (id, made) = theirs(&desk, &standup()).await;
        let delete = |id: &str| desk.sandbox.google_delete_event(&primary(&desk.sandbox), id).unwrap();
        delete(&format!("{id}_20260310T080000Z"));
        let token = desk.token().await;
        delete(&id);
        let round = desk.round(token).await.unwrap();
        assert_eq!((round.seen.len(), round.gone), (0, vec![made.remote_id.clone()]), "shows {shows}");
        assert!(desk.round(Since::Start).await.unwrap().seen.is_empty(), "shows {shows}");
        assert_eq!(desk.fetch(&made).await, None);
    }
}

#[tokio::test]
async fn nobody_is_mailed_whatever_a_write_without_a_word_would_do() {
    for unasked in [true, false] {
        let desk = desk(|switches| switches.calendar_mails_unasked = unasked);
        let event = json!({"summary": "Mine", "start": at("2026-03-03", "09:00"), "end": at("2026-03-03", "09:15"),
                           "attendees": [{"email": "ada@x.example"}]});
        let (_, seen) = theirs(&desk, &event).await;
        desk.sandbox.google_forget_mails();
        desk.done(desk.update(&seen, |event| event.set("start", json!("2026-03-03T10:00:00")))).await;
        assert_eq!(desk.sandbox.google_mails(), vec![], "unasked {unasked}");
    }
}

#[tokio::test]
async fn too_many_requests_are_waited_for_however_they_are_called() {
    for (status, reason, newer) in [(403, "rateLimitExceeded", false), (429, "userRateLimitExceeded", true)] {
        let desk = desk(|switches| {
            switches.calendar_rate_limit_status = status;
            switches.calendar_rate_limit_reason = reason.into();
            switches.calendar_errors_status = newer;
            switches.calendar_writes_per_min = 3;
        });
        let mut operations = Vec::new();
        for item in ["a", "b", "c", "d"] {
            operations.push(desk.creation(item, &lunch()).await);
        }
        let answers = desk.connector.write(desk.kind, &operations).await;
        let made = answers.iter().filter(|answer| answer.is_ok()).count();
        assert!(made >= 3, "{status} {reason}: {answers:?}");
        for answer in answers.into_iter().filter_map(Result::err) {
            assert!(matches!(answer.kind, ErrorKind::Throttled { .. }), "{status} {reason}: {answer}");
        }
        assert_eq!(desk.sandbox.google_events(&primary(&desk.sandbox)).len(), made, "none is doubled");
    }
}

#[tokio::test]
async fn a_token_that_is_too_old_asks_for_a_listing_whenever_it_dies() {
    for days in [7, 28] {
        let desk = desk(|switches| {
            switches.calendar_sync_token_days = days;
            switches.access_token_life_s = 90 * 86_400;
        });
        theirs(&desk, &standup()).await;
        let token = desk.token().await;
        assert!(desk.round(token.clone()).await.is_ok());
        desk.time.passes(u64::try_from(days + 1).unwrap() * 86_400_000);
        let error = desk.round(token).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::TokenExpired, "{days} days");
        assert_eq!(desk.round(Since::Start).await.unwrap().seen.len(), 1);
    }
}

#[tokio::test]
async fn a_change_to_what_is_there_is_one_whether_it_makes_an_etag_or_not() {
    for restamps in [true, false] {
        let desk = desk(|switches| switches.calendar_patch_always_restamps = restamps);
        let (_, seen) = theirs(&desk, &standup()).await;
        let mut noted = desk.read(&seen);
        noted.set("description", json!("n"));
        let mut operation = desk.update(&seen, |event| *event = noted.clone());
        let first = desk.write(operation.clone()).await.unwrap().unwrap();
        if let Operation::Update { etag, from, .. } = &mut operation {
            let mut state: Value = serde_json::from_slice(from.as_bytes()).unwrap();
            state["event"]["etag"] =
                serde_json::from_slice::<Value>(first.rendering.as_bytes()).unwrap()["event"]["etag"].clone();
            (*etag, *from) = (first.etag.clone(), Rendering::from(state.to_string()));
        }
        let second = desk.write(operation).await.unwrap().unwrap();
        assert_eq!(desk.read(&second), noted, "restamps {restamps}");
    }
}
