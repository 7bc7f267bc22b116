//! Writes that wait because they would mail people, while everything else goes on: stops at every step, places that are away,
//! joins, collections that are deleted.

use super::mail::{holds, invited, note, rename_on_phone};
use super::*;
use serde_json::json;

/// What somebody says of what is held.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Word {
    None,
    Yes,
    No,
}

fn decide(world: &mut World, word: Word) {
    let hold = holds(world).remove(0);
    match word {
        Word::None => {}
        Word::Yes => world.hub.approve(&hold.id).unwrap(),
        Word::No => world.hub.drop_hold(&hold).unwrap(),
    }
}

/// A change on the phone, what is said of it, and what Google has in the end.
type Deed = (&'static str, fn(&World), Word, &'static [&'static str]);

fn edit(world: &World) {
    world.phone.edit(&World::find(&world.phone, "Meeting"), rename("Moved"));
}

fn delete(world: &World) {
    world.phone.delete(&World::find(&world.phone, "Meeting"));
}

const DEEDS: &[Deed] = &[
    ("a change that is held", edit, Word::None, &["Alone", "Meeting"]),
    ("a removal that is held", delete, Word::None, &["Alone", "Meeting"]),
    ("a change that was allowed", edit, Word::Yes, &["Alone", "Moved"]),
    ("a removal that was allowed", delete, Word::Yes, &["Alone"]),
    ("a change that was refused", edit, Word::No, &["Alone", "Meeting"]),
    ("a removal that was refused", delete, Word::No, &["Alone", "Meeting"]),
];

#[tokio::test]
async fn held_writes_stopped_at_every_step_end_the_same() {
    let mut stops = 0;
    for (what, act, word, names) in DEEDS {
        for at in 0.. {
            let mut world = invited().await;
            act(&world);
            if *word != Word::None {
                world.sync().await;
                decide(&mut world, *word);
            }
            world.tick(60_000);
            world.steps.store(0, Ordering::SeqCst);
            world.stop_at.store(at, Ordering::SeqCst);
            let settings = world.settings();
            let _ = world.run(&settings).await;
            let was_stopped = world.dead.load(Ordering::SeqCst);
            world.stop_at.store(usize::MAX, Ordering::SeqCst);
            for _ in 0..2 {
                world.sync().await;
            }
            assert_eq!(World::names(&world.google), *names, "{what}, stopped at step {at}");
            let mailed = if *word == Word::Yes { 3 } else { 0 };
            assert_eq!(world.google.mailed(), mailed, "{what}, stopped at step {at}");
            let open = usize::from(*word == Word::None);
            assert_eq!(world.hub.holds_of_any_state().unwrap().len(), open, "{what}, stopped at step {at}");
            if *word != Word::None {
                world.settled(what).await;
            }
            if !was_stopped {
                break;
            }
            stops += 1;
        }
    }
    assert!(stops > 60, "{stops}");
}

#[tokio::test]
async fn a_change_of_a_meeting_that_lost_its_guests_goes_out_by_itself() {
    let mut world = invited().await;
    rename_on_phone(&mut world, "Moved").await;
    world.google.edit(&World::find(&world.google, "Meeting"), |content| content.set("members", json!(null)));
    assert_eq!(world.sync().await.exit, 0);
    assert_eq!((World::names(&world.google)[1].as_str(), world.google.mailed()), ("Moved", 0));
    assert_eq!(world.hub.holds_of_any_state().unwrap(), []);
    world.settled("no guests").await;
}

#[tokio::test]
async fn what_was_allowed_while_the_place_was_away_is_made_once_it_is_back() {
    for is_changed in [false, true] {
        let mut world = invited().await;
        rename_on_phone(&mut world, "Moved").await;
        decide(&mut world, Word::Yes);
        world.google.set_offline(true);
        assert_eq!(world.sync().await.exit, 75);
        if is_changed {
            world.phone.edit(&World::find(&world.phone, "Moved"), rename("Moved again"));
            world.sync().await;
        }
        world.google.set_offline(false);
        let exit = if is_changed { 4 } else { 0 };
        assert_eq!(world.sync().await.exit, exit, "changed meanwhile: {is_changed}");
        assert_eq!(world.google.mailed(), if is_changed { 0 } else { 3 });
        assert_eq!(holds(&world).len(), usize::from(is_changed));
        if !is_changed {
            assert_eq!(world.hub.holds_of_any_state().unwrap(), []);
            world.settled("allowed").await;
        }
    }
}

#[tokio::test]
async fn what_was_refused_while_the_place_was_away_is_taken_back_once_it_is_back() {
    let mut world = invited().await;
    rename_on_phone(&mut world, "Moved").await;
    decide(&mut world, Word::No);
    world.google.set_offline(true);
    world.sync().await;
    world.google.set_offline(false);
    assert_eq!(world.sync().await.exit, 0);
    assert_eq!(World::names(&world.phone), ["Alone", "Meeting"]);
    assert_eq!(world.hub.holds_of_any_state().unwrap(), []);
    world.settled("refused").await;
}

#[tokio::test]
async fn what_was_said_after_a_refusal_is_a_change_of_its_own() {
    let mut world = invited().await;
    rename_on_phone(&mut world, "Moved").await;
    decide(&mut world, Word::No);
    world.google.set_offline(true);
    world.phone.edit(&World::find(&world.phone, "Moved"), rename("Moved again"));
    world.sync().await;
    world.google.set_offline(false);
    assert_eq!(world.sync().await.exit, 4, "it waits, as any change does");
    assert_eq!(World::names(&world.phone), ["Alone", "Moved again"], "and nobody took it back");
    assert_eq!((holds(&world).len(), world.google.mailed()), (1, 0));
    decide(&mut world, Word::Yes);
    assert_eq!(world.sync().await.exit, 0);
    world.settled("allowed").await;
}

#[tokio::test]
async fn a_change_that_may_not_be_written_any_more_waits_for_nobody() {
    for act in [edit, delete] {
        let mut world = invited().await;
        act(&world);
        assert_eq!(world.sync().await.exit, 4);
        world.google.set_access(0, twofold_model::Access::ReadOnly);
        world.sync().await;
        assert_eq!(world.hub.holds_of_any_state().unwrap(), []);
        assert_eq!(world.google.mailed(), 0);
    }
}

#[tokio::test]
async fn a_dry_run_neither_makes_nor_forgets_what_was_said_of_a_held_write() {
    for word in [Word::None, Word::Yes, Word::No] {
        let mut world = invited().await;
        rename_on_phone(&mut world, "Moved").await;
        decide(&mut world, word);
        let before = world.hub.holds_of_any_state().unwrap();
        let (writes, rows) = (world.writes(), world.hub.writes_of_hold(&before[0].id).unwrap());
        world.tick(60_000);
        let settings = Settings { dry_run: true, ..world.settings() };
        world.run(&settings).await.unwrap();
        assert_eq!(world.writes(), writes, "{word:?}");
        assert_eq!(world.hub.holds_of_any_state().unwrap(), before, "{word:?}");
        assert_eq!(world.hub.writes_of_hold(&before[0].id).unwrap(), rows, "{word:?}");
    }
}

#[tokio::test]
async fn a_held_write_outlives_a_join_under_its_name() {
    let mut world = invited().await;
    rename_on_phone(&mut world, "Moved").await;
    let hold = holds(&world).remove(0);
    world.joined = true;
    assert_eq!(world.sync().await.exit, 4);
    let now = holds(&world);
    assert_eq!((now.len(), now[0].id.as_str()), (1, hold.id.as_str()), "{now:?}");
    assert_eq!(world.google.mailed(), 0);
    decide(&mut world, Word::Yes);
    assert_eq!(world.sync().await.exit, 0);
    assert_eq!(world.google.mailed(), 3);
    world.settled("joined").await;
    // And out again.
    world.phone.edit(&World::find(&world.phone, "Moved"), rename("Moved again"));
    assert_eq!(world.sync().await.exit, 4);
    let hold = holds(&world).remove(0);
    world.joined = false;
    world.sync().await;
    world.sync().await;
    let now = holds(&world);
    assert_eq!((now.len(), now[0].id.as_str()), (1, hold.id.as_str()), "{now:?}");
    decide(&mut world, Word::No);
    world.sync().await;
    assert_eq!((world.google.mailed(), world.hub.holds_of_any_state().unwrap().len()), (3, 0));
    assert!(World::names(&world.google).contains(&"Moved".to_owned()));
}

#[tokio::test]
async fn what_was_said_of_a_held_write_outlives_a_join_while_its_place_is_away() {
    for word in [Word::Yes, Word::No] {
        let mut world = invited().await;
        world.joined = true;
        world.sync().await;
        rename_on_phone(&mut world, "Moved").await;
        decide(&mut world, word);
        world.google.set_offline(true);
        world.joined = false;
        world.sync().await;
        world.google.set_offline(false);
        assert_eq!(world.sync().await.exit, 0, "{word:?}");
        assert_eq!(world.google.mailed(), if word == Word::Yes { 3 } else { 0 }, "{word:?}");
        let name = if word == Word::Yes { "Moved" } else { "Meeting" };
        assert!(World::names(&world.google).contains(&name.to_owned()), "{word:?}");
        assert_eq!(world.hub.holds_of_any_state().unwrap(), [], "{word:?}");
    }
}

#[tokio::test]
async fn a_change_that_two_places_would_mail_and_that_was_refused_at_both_is_taken_back() {
    let mut world = World::new(true, 0);
    world.google = Memory::new("My Contacts", Manners { mails: true, ..Manners::default() });
    world.microsoft = Memory::new("Contacts", Manners { mails: true, emails: 1, ..Manners::default() });
    let mut meeting = card("Meeting", &["a@example.org", "b@example.org"]);
    meeting.set("members", json!({"bob": true, "eve": true, "ann": true}));
    world.google.create(&meeting);
    world.sync().await;
    let id = World::find(&world.phone, "Meeting");
    world.phone.edit(&id, |content| {
        rename("Moved")(content);
        note("and more")(content);
    });
    assert_eq!(world.sync().await.exit, 4);
    for hold in holds(&world) {
        world.hub.drop_hold(&hold).unwrap();
    }
    let report = world.sync().await;
    assert_eq!((report.exit, world.hub.holds_of_any_state().unwrap()), (0, Vec::new()), "{:?}", report.troubles);
    assert_eq!((world.google.mailed(), world.microsoft.mailed()), (0, 0));
    assert_eq!(World::names(&world.phone), ["Meeting"]);
    world.settled("refused at both").await;
}

#[tokio::test]
async fn a_calendar_whose_meetings_would_mail_goes_once_somebody_allows_them_and_stays_if_not() {
    for word in [Word::Yes, Word::No] {
        let mut world = World::of(Kind::Calendar, false, 0);
        world.google = Memory::of(Kind::Calendar, "Calendar", Manners { mails: true, ..Manners::default() });
        world.google.add_shelf("work", Kind::Calendar, "Work", None);
        let mut meeting = card("Meeting", &[]);
        meeting.set("members", json!({"bob": true, "eve": true, "ann": true}));
        world.google.create_in(1, &meeting);
        world.google.create_in(1, &card("Alone", &[]));
        world.sync().await;
        world.phone.remove_shelf("Work");
        assert_eq!(world.sync().await.exit, 4);
        let gone = holds(&world).remove(0);
        world.hub.approve(&gone.id).unwrap();
        assert_eq!(world.sync().await.exit, 4, "the meeting waits");
        assert_eq!((World::names(&world.google), world.google.mailed()), (vec!["Meeting".to_owned()], 0));
        decide(&mut world, word);
        let report = world.sync().await;
        world.sync().await;
        let stays = word == Word::No;
        let is_there = |place: &Memory| place.shelves().iter().any(|shelf| shelf.name == "Work");
        assert_eq!((is_there(&world.google), is_there(&world.phone)), (stays, stays), "{:?}", report.troubles);
        assert_eq!(world.google.mailed(), if stays { 0 } else { 3 });
        assert_eq!(World::names(&world.phone).len(), usize::from(stays));
        assert_eq!(world.hub.holds_of_any_state().unwrap(), []);
        world.settled("in the end").await;
    }
}
