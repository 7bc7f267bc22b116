//! Messages whose bytes or headers cannot be read: each is set aside alone (promise 9).

use super::left_out::at_most;
use super::office::Manner;
use super::{BOTH, HOUR_MS, World, at, text};
use std::sync::atomic::Ordering;
use twofold_model::ErrorKind;

/// What a place may say of a message that it cannot read, and after how many runs nobody waits for that any more.
const WAYS: [(ErrorKind, usize); 6] = [
    (ErrorKind::Refused, 1),
    (ErrorKind::Malformed, 1),
    (ErrorKind::Forbidden, 1),
    (ErrorKind::NotFound, 1),
    (ErrorKind::Unsupported, 1),
    (ErrorKind::Unknown, 3),
];

/// Twenty messages in step, and one that cannot be read.
async fn with_one_that_cannot_be_read(manner: Manner, kind: ErrorKind) -> World {
    let world = World::with_twenty(manner).await;
    let mailboxes: &[&str] = if manner == Manner::Labels { &["INBOX", "Work"] } else { &["INBOX"] };
    let spoiled = world.account.put(&text(21), mailboxes, &[]);
    world.account.spoil(spoiled, kind);
    world
}

#[tokio::test]
async fn promise_9_a_message_that_can_never_be_read_stops_nothing_in_its_folder() {
    for (kind, runs) in WAYS {
        for manner in BOTH {
            let what = format!("{manner:?}, {kind:?}");
            let mut world = with_one_that_cannot_be_read(manner, kind).await;
            world.laptop.put(&text(30), &["account/mail/INBOX"], &["$seen"]);
            world.account.put(&text(22), &["INBOX"], &[]);
            for run in 1..=runs + 2 {
                let exit = world.sync().await.exit;
                assert_eq!(exit, if run < runs { 75 } else { 5 }, "{what}, run {run}");
                assert!(world.phone.has(&text(22)), "{what}, run {run}: the others are read");
                let made = if run < runs { 0 } else { 1 };
                assert_eq!(world.account.writes(), vec!["create in INBOX"; made], "{what}, run {run}");
            }
            // Its next try, and the one after that, which comes later; nobody waits for either.
            for (hours, asked) in [(2, true), (1, false), (2, true)] {
                world.now.fetch_add(hours * HOUR_MS, Ordering::SeqCst);
                let refusals = world.account.refusals();
                world.laptop.put(&text(40 + world.account.ids().len()), &["account/mail/INBOX"], &["$seen"]);
                let before = world.account.writes().len();
                assert_eq!(world.sync().await.exit, 5, "{what}");
                assert_eq!(world.account.writes().len(), before + 1, "{what}: nobody waits");
                assert_eq!(world.account.refusals() > refusals, asked, "{what}, after {hours} hours");
            }
            world.account.mend();
            world.now.fetch_add(8 * HOUR_MS, Ordering::SeqCst);
            assert_eq!(world.sync().await.exit, 0, "{what}");
            world.settled(&what).await;
            assert!(world.phone.has(&text(21)), "{what}");
        }
    }
}

/// What its account goes on writing, and cannot be read any more, is deleted on a device, or moved there.
#[tokio::test]
async fn a_message_that_became_unreadable_is_not_made_a_second_time_where_a_device_puts_it_elsewhere() {
    let draft = |bytes: usize| [&text(21)[..], &vec![b'x'; bytes]].concat();
    for manner in [Manner::Labels, Manner::Alone, Manner::Folders] {
        for goal in [None, Some("account/mail/Work")] {
            let what = format!("{manner:?}, {goal:?}");
            let mut world = World::with_twenty(manner).await;
            let there = world.account.put(&draft(1), &["INBOX"], &["$draft"]);
            world.sync().await;
            world.account.change(there, |message| message.bytes = draft(2));
            world.account.spoil(there, ErrorKind::Refused);
            assert_eq!(world.sync().await.exit, 5, "{what}");
            world.laptop.change(world.laptop.find_one(&draft(1)), |message| match goal {
                Some(goal) => super::carry(message, "account/mail/INBOX", goal),
                None => message.at.clear(),
            });
            for _ in 0..3 {
                world.sync().await;
                assert_eq!(world.account.creates(), 0, "{what}: {:?}", world.account.writes());
            }
            world.account.mend();
            for _ in 0..3 {
                world.now.fetch_add(8 * HOUR_MS, Ordering::SeqCst);
                world.sync().await;
            }
            assert_eq!(world.account.creates(), 0, "{what}: {:?}", world.account.writes());
            world.settled(&what).await;
        }
    }
}

#[tokio::test]
async fn a_place_that_fails_with_all_that_it_is_asked_for_sets_nothing_aside() {
    for manner in BOTH {
        let mut world = World::with_twenty(manner).await;
        for n in 50..80 {
            let there = world.account.put(&text(n), &["INBOX"], &[]);
            world.account.spoil(there, ErrorKind::Unknown);
        }
        for _ in 0..5 {
            assert_eq!(world.sync().await.exit, 75, "{manner:?}");
            assert!(world.hub.quarantined().unwrap().is_empty(), "{manner:?}");
        }
        world.account.mend();
        assert_eq!(world.sync().await.exit, 0, "{manner:?}");
        world.settled("mended").await;
    }
}

#[tokio::test]
async fn many_messages_that_their_account_never_gives_out_are_set_aside_at_last_and_what_waits_for_them_goes_on() {
    for manner in BOTH {
        let mut world = World::with_twenty(manner).await;
        for n in 50..80 {
            let there = world.account.put(&text(n), &["INBOX"], &[]);
            world.account.spoil(there, ErrorKind::Unknown);
        }
        world.laptop.put(&text(99), &["account/mail/INBOX"], &["$seen"]);
        let mut runs = 0;
        while world.hub.quarantined().unwrap().len() < 30 {
            runs += 1;
            assert!(runs < 30, "{manner:?}: {}", world.hub.quarantined().unwrap().len());
            world.sync().await;
        }
        assert!(runs > 10, "{manner:?}: after {runs} runs");
        assert_eq!(world.sync().await.exit, 5, "{manner:?}");
        assert!(world.account.has(&text(99)), "{manner:?}: nobody waits for them any more");
    }
}

#[tokio::test]
async fn a_place_that_goes_away_while_it_is_asked_sets_nothing_aside() {
    for manner in BOTH {
        let mut world = World::with_twenty(manner).await;
        for n in 50..60 {
            let there = world.account.put(&text(n), &["INBOX"], &[]);
            // It was silent about some, and after that it was not asked for the others.
            world.account.spoil(there, if n > 55 { ErrorKind::Unknown } else { ErrorKind::Offline });
        }
        for _ in 0..5 {
            assert_eq!(world.sync().await.exit, 75, "{manner:?}");
            assert!(world.hub.quarantined().unwrap().is_empty(), "{manner:?}");
        }
        world.account.mend();
        assert_eq!(world.sync().await.exit, 0, "{manner:?}");
        world.settled("back").await;
    }
}

#[tokio::test]
async fn a_header_that_can_never_be_read_stops_no_adoption() {
    for (kind, runs) in WAYS {
        let mut world = World::new(Manner::Labels);
        world.laptop.add_mailbox("account/mail/INBOX", None);
        for n in 1..=30 {
            world.account.put(&text(n), &["INBOX"], &["$seen"]);
        }
        for n in 1..=20 {
            world.laptop.put(&text(n), &["account/mail/INBOX"], &["$seen"]);
        }
        world.account.spoil(world.account.find_one(&text(25)), kind);
        for run in 1..=runs {
            world.sync().await;
            assert!(world.phone.shows().len() >= 9, "{kind:?}, run {run}: those that can be read are");
        }
        assert_eq!(world.account.bodies(), [1; 9], "{kind:?}: what is here is not read once more");
        assert_eq!(world.phone.shows().len(), 29, "{kind:?}");
        assert!(world.phone.shows().contains(&at("INBOX", 30, &["$seen"])), "{kind:?}");
        assert_eq!(world.sync().await.exit, 5, "{kind:?}");
        assert_eq!(world.account.writes(), Vec::<String>::new(), "{kind:?}");
    }
}

#[tokio::test]
async fn a_message_that_cannot_be_looked_at_before_its_bytes_are_asked_for_stops_nothing() {
    for (kind, runs) in WAYS {
        let mut world = World::new(Manner::Labels);
        world.scope = at_most(1_000);
        for n in 1..=5 {
            world.account.put(&text(n), &["INBOX"], &["$seen"]);
        }
        world.account.hide(world.account.find_one(&text(3)), kind);
        for run in 1..=runs {
            let ended = tokio::time::timeout(std::time::Duration::from_secs(20), world.sync()).await;
            let exit = ended.expect("the run ends").exit;
            assert_eq!(exit, if run < runs { 75 } else { 5 }, "{kind:?}, run {run}");
            assert_eq!(world.phone.shows().len(), 4, "{kind:?}, run {run}");
        }
        world.account.mend();
        world.now.fetch_add(3 * HOUR_MS, Ordering::SeqCst);
        assert_eq!(world.sync().await.exit, 0, "{kind:?}");
        world.settled("mended").await;
    }
}

#[tokio::test]
async fn a_message_that_cannot_be_read_is_set_aside_though_it_changes_meanwhile() {
    for manner in BOTH {
        let mut world = with_one_that_cannot_be_read(manner, ErrorKind::Unknown).await;
        let there = world.account.find_one(&text(21));
        for (word, exit) in [("$seen", 75), ("$flagged", 75), ("work", 5)] {
            world.account.change(there, |message| message.keywords = [word.to_owned()].into());
            assert_eq!(world.sync().await.exit, exit, "{manner:?}, {word}");
        }
    }
}

#[tokio::test]
async fn nobody_waits_for_a_message_that_was_set_aside_and_may_be_asked_for_again() {
    for manner in BOTH {
        let mut world = with_one_that_cannot_be_read(manner, ErrorKind::Refused).await;
        assert_eq!(world.sync().await.exit, 5, "{manner:?}");
        // It could be read by now; but the place wants to be left alone.
        world.account.mend();
        world.account.limit_bodies(Some(0));
        world.now.fetch_add(2 * HOUR_MS, Ordering::SeqCst);
        world.laptop.put(&text(30), &["account/mail/INBOX"], &["$seen"]);
        assert_eq!(world.sync().await.exit, 75, "{manner:?}");
        assert_eq!(world.account.writes(), ["create in INBOX"], "{manner:?}");
        world.account.limit_bodies(None);
        assert_eq!(world.sync().await.exit, 0, "{manner:?}");
        world.settled("asked for again").await;
    }
}

#[tokio::test]
async fn what_is_moved_on_a_device_while_its_account_is_not_read_yet_is_moved_there_and_no_stranger() {
    for manner in BOTH {
        let mut world = World::new(manner);
        world.account.add_mailbox("Later", None);
        for n in 1..=20 {
            world.account.put(&text(n), &["INBOX"], &["$seen"]);
        }
        let spoiled = world.account.put(&text(21), &["INBOX"], &[]);
        world.account.spoil(spoiled, ErrorKind::Unknown);
        assert_eq!(world.sync().await.exit, 75, "{manner:?}");
        // As a reader does that makes a file of another name, and then throws the first one away.
        for n in 1..=8 {
            let file = world.laptop.find_one(&text(n));
            world.laptop.put(&text(n), &["account/mail/Later"], &["$seen"]);
            world.laptop.change(file, |message| drop(message.at.remove("account/mail/INBOX")));
        }
        assert_eq!(world.sync().await.exit, 75, "{manner:?}");
        assert!(world.hub.holds().unwrap().is_empty(), "{manner:?}: {:?}", world.hub.holds().unwrap());
        let shows = world.account.shows();
        for n in 1..=8 {
            let stands: Vec<_> = shows.iter().filter(|(_, bytes, _)| bytes.as_bytes() == text(n)).collect();
            assert_eq!(stands, [&at("Later", n, &["$seen"])], "{manner:?}");
        }
        assert_eq!(world.account.creates(), 0, "{manner:?}");
        world.account.mend();
        world.sync().await;
        world.settled("mended").await;
        assert_eq!(world.account.shows().len(), 21, "{manner:?}");
    }
}
