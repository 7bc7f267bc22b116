//! Words that a copy does not say where it was moved to, because the move lost them.

use crate::{BOTH, World, at, carry, text};

const INBOX: &str = "account/mail/INBOX";
const WORK: &str = "account/mail/Work";

/// A message that stands in the inbox everywhere, and is called "work".
async fn worded(manner: crate::Manner) -> World {
    let mut world = World::with_twenty(manner).await;
    let id = world.account.find_one(&text(1));
    world.account.change(id, |message| _ = message.keywords.insert("work".to_owned()));
    world.sync().await;
    assert!(world.laptop.shows().contains(&at("INBOX", 1, &["$seen", "work"])), "{manner:?}");
    world
}

#[tokio::test]
async fn a_word_that_a_move_lost_is_not_taken_off_and_is_said_again_where_the_copy_stands() {
    for manner in BOTH {
        for is_named_anew in [true, false] {
            let (mut world, what) = (worded(manner).await, format!("{manner:?}, another name: {is_named_anew}"));
            let before = world.laptop.writes().len();
            world.laptop.change(world.laptop.find_one(&text(1)), |message| {
                carry(message, INBOX, WORK);
                if is_named_anew {
                    message.at.insert(WORK.to_owned(), "another".to_owned());
                }
                message.keywords = ["$flagged".to_owned()].into();
            });
            assert_eq!(world.sync().await.exit, 0, "{what}");
            let moved = at("Work", 1, &["$flagged", "work"]);
            assert!(world.account.shows().contains(&moved), "{what}: what else the move changed counts");
            assert!(world.laptop.shows().contains(&moved), "{what}: it is said there again");
            assert_eq!(world.laptop.writes()[before..], [format!("update in {WORK}")], "{what}");
            world.settled(&what).await;
            // Taken off where it stands by now it is taken off.
            world.laptop.change(world.laptop.find_one(&text(1)), |message| {
                message.keywords.remove("work");
            });
            world.sync().await;
            assert!(world.account.shows().contains(&at("Work", 1, &["$flagged"])), "{what}");
            world.settled(&what).await;
        }
    }
}

#[tokio::test]
async fn a_word_that_was_taken_off_at_its_account_meanwhile_does_not_come_back_with_a_move() {
    for manner in BOTH {
        let mut world = worded(manner).await;
        let id = world.account.find_one(&text(1));
        world.account.change(id, |message| message.keywords.clear());
        world.laptop.change(world.laptop.find_one(&text(1)), |message| {
            carry(message, INBOX, WORK);
            message.keywords.remove("work");
        });
        world.sync().await;
        assert!(world.account.shows().contains(&at("Work", 1, &[])), "{manner:?}");
        world.settled("taken off, and moved").await;
    }
}

#[tokio::test]
async fn a_run_that_is_stopped_anywhere_takes_no_word_from_what_was_moved() {
    for manner in BOTH {
        for step in 0.. {
            let mut world = worded(manner).await;
            world.laptop.change(world.laptop.find_one(&text(1)), |message| {
                carry(message, INBOX, WORK);
                message.keywords.remove("work");
            });
            if !world.stopped_at(step).await {
                assert!(step > 4, "{manner:?}: {step} steps");
                break;
            }
            let what = format!("{manner:?}, stopped at step {step}");
            (0..3).for_each(|_| _ = world.now.fetch_add(3_600_000, std::sync::atomic::Ordering::SeqCst));
            for _ in 0..2 {
                world.sync().await;
            }
            assert!(world.account.shows().contains(&at("Work", 1, &["$seen", "work"])), "{what}");
            world.settled(&what).await;
        }
    }
}
