//! Folders that only a device has: they are made at the account when something of them may go there.

use super::*;

const OLD: &str = "account/mail/Old";

/// What stands in the folder, by number.
fn left(place: &Office, folder: &str) -> usize {
    place.shows().iter().filter(|(mailbox, ..)| mailbox == folder).count()
}

/// A laptop that has a folder with so many messages of its own when it is used first, or comes by it later.
async fn with_old(manner: Manner, messages: usize, is_first_use: bool) -> World {
    let world = if is_first_use { World::new(manner) } else { World::with_twenty(manner).await };
    world.laptop.add_mailbox(OLD, None);
    for n in 0..messages {
        world.laptop.put(&text(200 + n), &[OLD], &["$seen"]);
    }
    world
}

const USES: [bool; 2] = [true, false];

#[tokio::test]
async fn a_folder_of_a_device_whose_messages_are_all_held_is_not_made_at_the_account_until_somebody_said_yes() {
    for (manner, is_first_use) in BOTH.into_iter().flat_map(|manner| USES.map(|first| (manner, first))) {
        let case = format!("{manner:?}, first use: {is_first_use}");
        let mut world = with_old(manner, 6, is_first_use).await;
        for _ in 0..2 {
            assert_eq!(world.sync().await.exit, 4, "{case}");
            assert!(!world.account.has_mailbox("Old"), "{case}: it waits with what is in it");
            let holds = world.hub.holds().unwrap();
            assert_eq!(holds.len(), 1, "{case}");
            assert!(holds[0].reason.contains("6 items of \"Old\""), "{case}: {}", holds[0].reason);
            assert!(holds[0].reason.contains("nor was the folder"), "{case}: {}", holds[0].reason);
        }
        let hold = world.hub.holds().unwrap().remove(0);
        world.hub.approve(&hold.id).unwrap();
        assert_eq!(world.sync().await.exit, 0, "{case}");
        assert_eq!(left(&world.account, "Old"), 6, "{case}: folder and messages in one run");
        world.settled(&case).await;
    }
}

#[tokio::test]
async fn a_folder_of_a_device_that_is_empty_or_brings_little_is_made_at_the_account_in_one_run() {
    for (manner, is_first_use) in BOTH.into_iter().flat_map(|manner| USES.map(|first| (manner, first))) {
        for messages in [0, 5] {
            let case = format!("{manner:?}, first use: {is_first_use}, {messages} messages");
            let mut world = with_old(manner, messages, is_first_use).await;
            assert_eq!(world.sync().await.exit, 0, "{case}");
            assert!(world.account.has_mailbox("Old"), "{case}");
            assert_eq!(left(&world.account, "Old"), messages, "{case}");
            world.settled(&case).await;
        }
    }
}

#[tokio::test]
async fn an_empty_folder_is_made_at_the_account_though_another_one_of_the_device_cannot_be_read() {
    for manner in BOTH {
        let mut world = with_old(manner, 0, false).await;
        // The one device, so that no other one has the folder and reads it.
        world.without_mail = Some("phone");
        world.laptop.set_before_list(Some(Arc::new(|feed: &str| match feed {
            "account/mail/Work" => Err(Error::new(ErrorKind::Unknown, "it cannot be read")),
            _ => Ok(()),
        })));
        world.sync().await;
        assert!(world.account.has_mailbox("Old"), "{manner:?}");
        world.laptop.set_before_list(None);
        assert_eq!(world.sync().await.exit, 0, "{manner:?}");
    }
}

#[tokio::test]
async fn a_folder_that_could_not_be_read_yet_is_not_taken_for_an_empty_one() {
    for manner in BOTH {
        let mut world = with_old(manner, 6, false).await;
        world.laptop.set_before_list(Some(Arc::new(|feed: &str| match feed {
            OLD => Err(Error::new(ErrorKind::Unknown, "it cannot be read")),
            _ => Ok(()),
        })));
        for _ in 0..2 {
            world.sync().await;
            assert!(!world.account.has_mailbox("Old"), "{manner:?}: the phone has an empty one, and not the laptop");
        }
        world.laptop.set_before_list(None);
        assert_eq!(world.sync().await.exit, 4, "{manner:?}");
        assert!(!world.account.has_mailbox("Old"), "{manner:?}: now it is known what is in it, and that is held");
    }
}

#[tokio::test]
async fn a_folder_whose_messages_were_all_refused_is_made_once_another_one_comes_to_stand_there() {
    for manner in BOTH {
        let mut world = with_old(manner, 6, true).await;
        world.sync().await;
        let hold = world.hub.holds().unwrap().remove(0);
        world.hub.drop_hold(&hold).unwrap();
        for _ in 0..2 {
            world.sync().await;
            assert!(!world.account.has_mailbox("Old"), "{manner:?}: nothing of it goes there");
        }
        world.laptop.put(&text(300), &[OLD], &[]);
        world.sync().await;
        assert_eq!(left(&world.account, "Old"), 1, "{manner:?}: the new one alone");
        assert_eq!(left(&world.laptop, "Old"), 7, "{manner:?}: what was refused stays on the laptop");
    }
}

#[tokio::test]
async fn a_message_that_is_moved_beside_held_ones_brings_their_folder_to_the_account_and_none_of_them() {
    for manner in BOTH {
        let mut world = with_old(manner, 6, false).await;
        let here = world.laptop.find_one(&text(1));
        world.laptop.change(here, |message| carry(message, "account/mail/INBOX", OLD));
        assert_eq!(world.sync().await.exit, 4, "{manner:?}");
        assert_eq!(left(&world.account, "Old"), 1, "{manner:?}");
        assert_eq!(world.account.writes(), ["move to Old"], "{manner:?}");
        assert_eq!(world.account.shows().len(), 20, "{manner:?}");
    }
}

#[tokio::test]
async fn a_folder_that_waits_for_what_is_in_it_ends_the_same_wherever_a_run_is_stopped() {
    for (messages, is_approved) in [(0, false), (3, false), (6, true)] {
        let mut stops = 0;
        for at in 0.. {
            let case = format!("{messages} messages, stopped at step {at}");
            let mut world = with_old(Manner::Folders, messages, false).await;
            if is_approved {
                world.sync().await;
                let hold = world.hub.holds().unwrap().remove(0);
                world.hub.approve(&hold.id).unwrap();
            }
            let was_stopped = world.stopped_at(at).await;
            assert_eq!(world.sync().await.exit, 0, "{case}");
            world.now.fetch_add(HOUR_MS, Ordering::SeqCst);
            world.sync().await;
            assert!(world.account.has_mailbox("Old"), "{case}");
            assert_eq!(left(&world.account, "Old"), messages, "{case}");
            world.settled(&case).await;
            if !was_stopped {
                break;
            }
            stops += 1;
        }
        assert!(stops > 20, "{messages} messages: {stops}");
    }
}
