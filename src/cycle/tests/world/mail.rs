//! Promise 7: nobody is mailed. At a place where a change of a meeting mails its guests, such a change waits for a person.

use super::*;
use serde_json::json;

/// A meeting of three at Google, and a card that has no guests, both on the phone too.
pub(super) async fn invited() -> World {
    let mut world = World::new(false, 0);
    world.google = Memory::new("My Contacts", Manners { mails: true, ..Manners::default() });
    let mut meeting = card("Meeting", &[]);
    meeting.set("members", json!({"bob": true, "eve": true, "ann": true}));
    world.google.create(&meeting);
    world.google.create(&card("Alone", &[]));
    world.sync().await;
    world
}

pub(super) fn note(text: &str) -> impl FnOnce(&mut Content) + '_ {
    move |content| content.set("notes", json!({"note": {"note": text}}))
}

pub(super) fn holds(world: &World) -> Vec<twofold_hub::Hold> {
    world.hub.holds().unwrap().into_iter().filter(|hold| !hold.is_approved).collect()
}

pub(super) async fn rename_on_phone(world: &mut World, to: &str) -> Report {
    let id = World::find(&world.phone, "Meeting");
    world.phone.edit(&id, rename(to));
    world.sync().await
}

#[tokio::test]
async fn promise_7_a_change_that_would_mail_waits_and_the_rest_goes_on() {
    let mut world = invited().await;
    let alone = World::find(&world.phone, "Alone");
    world.phone.edit(&alone, rename("Alone still"));
    let report = rename_on_phone(&mut world, "Moved").await;
    assert_eq!(report.exit, 4, "{:?}", report.troubles);
    assert_eq!(World::names(&world.google), ["Alone still", "Meeting"]);
    let held = holds(&world);
    assert_eq!(held.len(), 1);
    assert_eq!(held[0].cause, "mail");
    assert_eq!(held[0].reason, "1 change in \"My Contacts\" would mail 3 people; nothing was changed there");
    // It goes on waiting, under the same name, and with what it says by then.
    let id = World::find(&world.phone, "Moved");
    world.phone.edit(&id, rename("Moved again"));
    assert_eq!(world.sync().await.exit, 4);
    assert_eq!(holds(&world), [twofold_hub::Hold { since_ms: held[0].since_ms, ..held[0].clone() }]);
    assert_eq!((world.google.mailed(), World::names(&world.google)[1].as_str()), (0, "Meeting"));
}

#[tokio::test]
async fn promise_7_what_is_the_users_own_in_a_meeting_is_written_and_mails_nobody() {
    let mut world = invited().await;
    let id = World::find(&world.phone, "Meeting");
    world.phone.edit(&id, note("bring cake"));
    assert_eq!(world.sync().await.exit, 0);
    assert_eq!(world.google.mailed(), 0);
    world.settled("a note").await;
}

#[tokio::test]
async fn promise_7_what_was_allowed_is_made_once_and_nothing_else() {
    let mut world = invited().await;
    rename_on_phone(&mut world, "Moved").await;
    let hold = holds(&world).remove(0);
    world.hub.approve(&hold.id).unwrap();
    assert_eq!(world.sync().await.exit, 0);
    assert_eq!((world.google.mailed(), World::names(&world.google)[1].as_str()), (3, "Moved"));
    assert_eq!(world.hub.holds_of_any_state().unwrap(), []);
    world.settled("allowed").await;
    // The next one is asked for anew.
    let id = World::find(&world.phone, "Moved");
    world.phone.edit(&id, rename("Moved again"));
    assert_eq!(world.sync().await.exit, 4);
    assert_eq!(world.google.mailed(), 3);
}

#[tokio::test]
async fn promise_7_what_changed_after_it_was_allowed_is_held_anew() {
    for at_google in [false, true] {
        let mut world = invited().await;
        rename_on_phone(&mut world, "Moved").await;
        let hold = holds(&world).remove(0);
        world.hub.approve(&hold.id).unwrap();
        if at_google {
            let id = World::find(&world.google, "Meeting");
            world.google.edit(&id, note("from elsewhere"));
        } else {
            let id = World::find(&world.phone, "Moved");
            world.phone.edit(&id, rename("Moved again"));
        }
        assert_eq!(world.sync().await.exit, 4, "at Google: {at_google}");
        assert_eq!(world.google.mailed(), 0);
        let now = holds(&world);
        assert!(now.len() == 1 && now[0].id != hold.id, "{now:?}");
        world.hub.approve(&now[0].id).unwrap();
        assert_eq!(world.sync().await.exit, 0);
        assert_eq!(world.google.mailed(), 3);
        world.settled("allowed in the end").await;
    }
}

#[tokio::test]
async fn promise_7_a_change_that_was_refused_is_taken_back_everywhere() {
    let mut world = invited().await;
    rename_on_phone(&mut world, "Moved").await;
    let hold = holds(&world).remove(0);
    world.hub.drop_hold(&hold).unwrap();
    assert_eq!(world.sync().await.exit, 0);
    assert_eq!(World::names(&world.phone), ["Alone", "Meeting"]);
    assert_eq!(world.google.mailed(), 0);
    let item =
        world.hub.standing(1).unwrap().into_iter().find(|item| world.hub.versions_of(item.id).unwrap().len() > 1);
    let versions = world.hub.versions_of(item.unwrap().id).unwrap();
    let said = |id: &i64| world.hub.version(*id).unwrap().content.at(&["name", "full"]).cloned();
    assert!(versions.iter().any(|id| said(id) == Some(json!("Moved"))), "what was taken back can be found");
    world.settled("refused").await;
}

#[tokio::test]
async fn promise_7_a_removal_that_would_mail_waits_and_can_be_refused_or_allowed() {
    for is_allowed in [false, true] {
        let mut world = invited().await;
        let id = World::find(&world.phone, "Meeting");
        world.phone.delete(&id);
        assert_eq!(world.sync().await.exit, 4);
        assert_eq!((World::names(&world.google).len(), world.google.mailed()), (2, 0));
        let hold = holds(&world).remove(0);
        match is_allowed {
            true => world.hub.approve(&hold.id).unwrap(),
            false => world.hub.drop_hold(&hold).unwrap(),
        }
        assert_eq!(world.sync().await.exit, 0);
        let left = if is_allowed { vec!["Alone"] } else { vec!["Alone", "Meeting"] };
        assert_eq!(
            (World::names(&world.google), World::names(&world.phone)),
            (left.iter().map(|n| (*n).to_owned()).collect(), left.iter().map(|n| (*n).to_owned()).collect())
        );
        assert_eq!(world.google.mailed(), if is_allowed { 3 } else { 0 });
        assert_eq!(world.hub.holds_of_any_state().unwrap(), []);
        world.settled("removed").await;
    }
}

#[tokio::test]
async fn promise_7_a_change_that_is_not_needed_any_more_waits_for_nobody() {
    for at_google in [false, true] {
        let mut world = invited().await;
        rename_on_phone(&mut world, "Moved").await;
        if at_google {
            // The user makes the same change there; what that mails is theirs.
            let id = World::find(&world.google, "Meeting");
            world.google.edit(&id, rename("Moved"));
        } else {
            let id = World::find(&world.phone, "Moved");
            world.phone.edit(&id, rename("Meeting"));
        }
        assert_eq!(world.sync().await.exit, 0, "at Google: {at_google}");
        assert_eq!(world.hub.holds_of_any_state().unwrap(), []);
        assert_eq!(world.google.mailed(), 0);
        world.settled("healed").await;
    }
}

#[tokio::test]
async fn a_meeting_that_is_gone_at_its_place_frees_the_change_that_waited_for_it() {
    let mut world = invited().await;
    rename_on_phone(&mut world, "Moved").await;
    let id = World::find(&world.google, "Meeting");
    world.google.delete(&id);
    assert_eq!(world.sync().await.exit, 0);
    assert_eq!(world.hub.holds_of_any_state().unwrap(), []);
    assert_eq!(world.google.mailed(), 0);
    world.settled("gone").await;
}

#[tokio::test]
async fn whoever_may_mail_is_not_asked() {
    let mut world = invited().await;
    let id = World::find(&world.phone, "Meeting");
    world.phone.edit(&id, rename("Moved"));
    world.tick(60_000);
    let settings = Settings { may_mail: true, ..world.settings() };
    assert_eq!(world.run(&settings).await.unwrap().exit, 0);
    assert_eq!(world.google.mailed(), 3);
    world.settled("told").await;
}

#[tokio::test]
async fn promise_7_a_lost_reply_of_what_was_allowed_mails_once() {
    for fault in [Fault::LostReply, Fault::LostRequest, Fault::Throttled] {
        let mut world = invited().await;
        rename_on_phone(&mut world, "Moved").await;
        let hold = holds(&world).remove(0);
        world.hub.approve(&hold.id).unwrap();
        world.google.fault([Some(fault)]);
        for _ in 0..3 {
            world.sync().await;
        }
        assert_eq!(world.google.mailed(), 3, "{fault:?}");
        assert_eq!(world.hub.holds_of_any_state().unwrap(), []);
        world.settled("in the end").await;
    }
}

#[tokio::test]
async fn promise_7_what_the_place_said_since_outlives_a_change_that_was_refused() {
    let mut world = invited().await;
    rename_on_phone(&mut world, "Moved").await;
    let id = World::find(&world.google, "Meeting");
    world.google.edit(&id, |content| content.set("notes", json!({"note": {"note": "said at google"}})));
    assert_eq!(world.sync().await.exit, 4);
    let phone = World::find(&world.phone, "Moved");
    let has = |place: &Memory, id: &RemoteId| place.contents().iter().any(|(o, c)| o == id && c.get("notes").is_some());
    assert!(has(&world.phone, &phone), "the note came to the phone");
    let hold = holds(&world).remove(0);
    world.hub.drop_hold(&hold).unwrap();
    world.sync().await;
    assert!(has(&world.google, &id), "google kept it");
    assert!(has(&world.phone, &phone), "the phone keeps it");
    world.settled("dropped").await;
}
