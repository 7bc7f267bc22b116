//! Accounts that do not answer when they are asked for the bytes of messages: nobody waits for them longer than a part takes. All on a clock
//! that is turned by hand.

use super::office::{Manner, Office};
use super::{World, text};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;
use twofold_model::email::Role;

/// Two accounts with new messages, one of which is silent for so long. Answers when each message was made on the laptop, in seconds since the run
/// began, how long that took, and its exit code.
async fn with_a_silent_one(world: &mut World, silence: Duration, answers: bool) -> (Vec<u64>, u64, i32) {
    let other = Office::new("other", Manner::Folders, world.blobs.clone());
    other.add_mailbox("INBOX", Some(Role::Inbox));
    for n in 1..=3 {
        world.account.put(&text(n), &["INBOX"], &[]);
        other.put(&text(10 + n), &["INBOX"], &[]);
    }
    other.be_silent(silence, answers);
    world.other = Some(other);
    let began = Instant::now();
    let made: Arc<Mutex<Vec<u64>>> = Arc::default();
    let note = made.clone();
    world.laptop.set_watch(Some(Arc::new(move |step: &str| {
        if step == "after a write" {
            note.lock().unwrap().push(began.elapsed().as_secs());
        }
        Ok(())
    })));
    let exit = world.sync().await.exit;
    world.laptop.set_watch(None);
    let made = made.lock().unwrap().clone();
    (made, began.elapsed().as_secs(), exit)
}

#[tokio::test(start_paused = true)]
async fn what_one_account_has_is_on_the_device_within_seconds_while_another_one_hangs() {
    for manner in super::BOTH {
        let mut world = World::new(manner);
        let (made, took, exit) = with_a_silent_one(&mut world, Duration::from_secs(30), false).await;
        assert_eq!((made.len(), exit), (3, 75), "{manner:?}: the other one is told");
        assert!(made.iter().all(|at| *at < 10), "{manner:?}: {made:?}");
        assert!((30..40).contains(&took), "{manner:?}: it is waited for once, for {took} s");
        let reasons = world.hub.replicas().unwrap();
        let other = reasons.iter().find(|replica| replica.name == "other").unwrap();
        assert!(other.trouble.as_ref().is_some_and(|words| words.contains("did not answer")), "{:?}", other.trouble);
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_slow_account_answers_in_the_end_is_asked_for_once() {
    let mut world = World::new(Manner::Labels);
    let (made, took, exit) = with_a_silent_one(&mut world, Duration::from_secs(20), true).await;
    let (soon, late): (Vec<u64>, Vec<u64>) = made.iter().partition(|at| **at < 10);
    assert_eq!((soon.len(), late.len(), exit), (3, 3, 0), "{made:?}");
    assert!(took < 30, "{took} s");
    assert_eq!(world.other.as_ref().unwrap().bodies(), [1; 3]);
}
