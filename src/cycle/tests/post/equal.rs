//! Several messages of the same bytes. Which of them is which nobody can tell, and nobody needs to: none gets lost, and none is made anew.

use crate::{BOTH, Manner, World, at, carry, text};
use rand::{Rng, SeedableRng};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The folder of a message, and its marks.
type Message = (&'static str, &'static [&'static str]);

/// Messages of the same bytes at the account, among ten others; and all in step.
async fn equal(manner: Manner, folders: &[Message]) -> World {
    let mut world = World::new(manner);
    for n in 2..=11 {
        world.account.put(&text(n), &["INBOX"], &["$seen"]);
    }
    for (folder, marks) in folders {
        world.account.put(&text(1), &[folder], marks);
    }
    world.sync().await;
    world.settled("all in step").await;
    world
}

/// The files of these messages on the laptop.
fn files(world: &World) -> Vec<u64> {
    let ids = world.laptop.ids().into_iter();
    ids.filter(|id| world.laptop.message(*id).bytes == text(1)).collect()
}

/// All these files go away from the laptop, and others of the same bytes come to stand there.
fn moved(world: &World, to: &[Message]) {
    for id in files(world) {
        world.laptop.change(id, |message| message.at.clear());
    }
    for (folder, marks) in to {
        world.laptop.put(&text(1), &[&format!("account/mail/{folder}")], marks);
    }
}

/// What the account was told, sorted.
fn told(world: &World) -> Vec<String> {
    let mut told = world.account.writes();
    told.sort();
    told
}

fn rows(world: &World) -> Vec<(String, String, Vec<String>)> {
    world.account.shows().into_iter().filter(|(_, body, _)| body.as_bytes() == text(1)).collect()
}

/// Where a message goes that is deleted on a device.
pub fn put_away(manner: Manner) -> &'static str {
    if manner == Manner::Folders { "Trash" } else { "Archive" }
}

#[tokio::test]
async fn equal_messages_that_are_moved_together_under_new_names_are_moved_each() {
    for manner in BOTH {
        let mut world =
            equal(manner, &[("INBOX", &["$seen"]), ("INBOX", &["$flagged"]), ("INBOX", &[]), ("INBOX", &["$seen"])])
                .await;
        moved(&world, &[("Work", &[]), ("Work", &["$seen"]), ("Work", &["$flagged"]), ("Work", &["$seen"])]);
        assert_eq!(world.sync().await.exit, 0, "{manner:?}");
        assert_eq!(told(&world), ["move to Work"; 4], "{manner:?}: each keeps its marks, so that none is told");
        let shown = [&[][..], &["$flagged"], &["$seen"], &["$seen"]].map(|marks| at("Work", 1, marks));
        assert_eq!(rows(&world), shown, "{manner:?}");
        world.settled("moved").await;
    }
}

#[tokio::test]
async fn marks_that_were_changed_on_the_way_are_told_of_as_few_equal_messages_as_can_be() {
    for manner in BOTH {
        let mut world = equal(manner, &[("INBOX", &["$seen"]), ("INBOX", &[])]).await;
        moved(&world, &[("Work", &["$flagged"]), ("Work", &["$seen"])]);
        assert_eq!(world.sync().await.exit, 0, "{manner:?}");
        assert_eq!(told(&world), ["move to Work", "move to Work", "update in Work"], "{manner:?}");
        assert_eq!(rows(&world), [at("Work", 1, &["$flagged"]), at("Work", 1, &["$seen"])], "{manner:?}");
        world.settled("moved and marked").await;
    }
}

#[tokio::test]
async fn of_equal_messages_that_vanish_as_many_are_moved_as_come_to_stand_elsewhere_and_the_others_are_deleted() {
    for manner in BOTH {
        let mut world = equal(manner, &[("INBOX", &[]), ("INBOX", &[]), ("INBOX", &[])]).await;
        moved(&world, &[("Work", &[]), ("Work", &[])]);
        assert_eq!(world.sync().await.exit, 0, "{manner:?}");
        let away = put_away(manner);
        assert_eq!(told(&world), [&format!("move to {away}"), "move to Work", "move to Work"], "{manner:?}");
        world.settled("one deleted").await;
    }
}

/// A message stands once in a folder of an account with labels, and a further file of it is taken away.
#[tokio::test]
async fn of_equal_files_that_come_to_stand_elsewhere_more_than_vanished_are_copies() {
    for manner in BOTH {
        let mut world = equal(manner, &[("INBOX", &[]), ("INBOX", &[])]).await;
        moved(&world, &[("Work", &[]), ("Work", &[]), ("Work", &[]), ("Work", &[])]);
        assert_eq!(world.sync().await.exit, 0, "{manner:?}");
        let copies = if manner == Manner::Folders { 2 } else { 0 };
        assert_eq!(world.account.creates(), 0, "{manner:?}: nothing is sent");
        assert_eq!(told(&world)[..copies], vec!["copy to Work"; copies], "{manner:?}");
        assert_eq!(told(&world)[copies..], ["move to Work", "move to Work"], "{manner:?}");
        assert_eq!(rows(&world), vec![at("Work", 1, &[]); 2 + copies], "{manner:?}");
        world.settled("two more").await;
    }
}

#[tokio::test]
async fn of_equal_messages_one_that_keeps_its_name_is_the_one_that_it_was() {
    for manner in BOTH {
        for which in 0..3 {
            let case = format!("{manner:?}, number {which}");
            let mut world = equal(manner, &[("INBOX", &["$seen"]), ("INBOX", &["$seen"]), ("INBOX", &["$seen"])]).await;
            for (n, id) in files(&world).into_iter().enumerate() {
                if n == which {
                    world.laptop.change(id, |message| carry(message, "account/mail/INBOX", "account/mail/Work"));
                } else {
                    world.laptop.change(id, |message| message.at.clear());
                    world.laptop.put(&text(1), &["account/mail/Work"], &["$seen"]);
                }
            }
            assert_eq!(world.sync().await.exit, 0, "{case}");
            assert_eq!(told(&world), ["move to Work"; 3], "{case}");
            world.settled(&case).await;
        }
    }
}

#[tokio::test]
async fn of_equal_messages_one_whose_file_is_renamed_where_it_stands_stays_there() {
    let (here, there): (Message, Message) = (("INBOX", &["$seen"]), ("Work", &[]));
    for messages in [[here, there], [there, here]] {
        for manner in BOTH {
            let case = format!("{manner:?}, {messages:?}");
            let mut world = equal(manner, &messages).await;
            moved(&world, &[("Work", &["$seen"])]);
            assert_eq!(world.sync().await.exit, 0, "{case}");
            let away = put_away(manner);
            assert_eq!(told(&world), [&format!("move to {away}"), "update in Work"], "{case}");
            world.settled(&case).await;
        }
    }
}

#[tokio::test]
async fn equal_messages_that_go_to_several_folders_are_moved_each() {
    for manner in BOTH {
        let mut world = equal(manner, &[("INBOX", &[]), ("INBOX", &[]), ("INBOX", &[])]).await;
        world.laptop.add_mailbox("account/mail/Bills", None);
        moved(&world, &[("Bills", &[]), ("Work", &[]), ("Bills", &[])]);
        assert_eq!(world.sync().await.exit, 0, "{manner:?}");
        assert_eq!(told(&world), ["move to Bills", "move to Bills", "move to Work"], "{manner:?}");
        world.settled("to two folders").await;
    }
}

/// Dovecot gives files that it moves other names: it links them there, then takes them away here.
#[tokio::test]
async fn equal_messages_that_are_moved_after_their_folder_was_listed_and_before_the_other_is_are_moved_each() {
    for manner in BOTH {
        let mut world = equal(manner, &[("INBOX", &[]), ("INBOX", &[]), ("INBOX", &[])]).await;
        // So that folders are compared.
        world.laptop.change(world.laptop.find_one(&text(2)), |message| message.keywords.clear());
        let (laptop, equals, is_done) = (world.laptop.clone(), files(&world), AtomicBool::new(false));
        world.laptop.set_before_list(Some(Arc::new(move |folder: &str| {
            if folder == "account/mail/Work" && !is_done.swap(true, Ordering::SeqCst) {
                for id in &equals {
                    laptop.change(*id, |message| message.at.clear());
                    laptop.put(&text(1), &["account/mail/Work"], &[]);
                }
            }
            Ok(())
        })));
        world.sync().await;
        world.laptop.set_before_list(None);
        world.sync().await;
        assert_eq!(told(&world), ["move to Work", "move to Work", "move to Work", "update in INBOX"], "{manner:?}");
        world.settled("moved meanwhile").await;
    }
}

#[tokio::test]
async fn a_run_that_is_stopped_at_any_step_moves_each_of_equal_messages_once() {
    for manner in BOTH {
        let mut at_step = 0;
        loop {
            let mut world = equal(manner, &[("INBOX", &["$seen"]), ("INBOX", &[]), ("INBOX", &[])]).await;
            moved(&world, &[("Work", &[]), ("Work", &["$seen"]), ("Work", &[])]);
            let is_stopped = world.stopped_at(at_step).await;
            for _ in 0..3 {
                world.sync().await;
            }
            let case = format!("{manner:?}, stopped at step {at_step}");
            assert_eq!(rows(&world), [&[][..], &[], &["$seen"]].map(|marks| at("Work", 1, marks)), "{case}");
            assert_eq!(world.account.creates(), 0, "{case}");
            world.settled(&case).await;
            if !is_stopped {
                break;
            }
            at_step += 1;
        }
        assert!(at_step > 15, "{manner:?}: only {at_step} steps");
    }
}

/// How many statements the hub carried out since it was last asked.
fn statements_since(world: &World, before: &mut u64) -> u64 {
    let all = world.hub.statements();
    all - std::mem::replace(before, all)
}

/// What it costs the hub, in statements, when so many equal messages are moved on a device under new names, then once more and marked; and when
/// a device that holds them all is met.
async fn statements(manner: Manner, count: usize) -> [(&'static str, u64); 3] {
    let marks: [&[&str]; 3] = [&[], &["$seen"], &["$flagged"]];
    let mut world = equal(manner, &vec![("INBOX", marks[1]); count]).await;
    let mut before = world.hub.statements();
    moved(&world, &vec![("Work", marks[1]); count]);
    world.sync().await;
    assert_eq!(told(&world), vec!["move to Work"; count], "{manner:?}");
    let moves = statements_since(&world, &mut before);
    moved(&world, &(0..count).map(|n| ("INBOX", marks[n % 3])).collect::<Vec<_>>());
    world.sync().await;
    let marked = statements_since(&world, &mut before);
    world.settled("moved and marked").await;
    let mut world = World::new(manner);
    world.laptop.add_mailbox("account/mail/INBOX", None);
    for _ in 0..count {
        world.account.put(&text(1), &["INBOX"], marks[1]);
        world.laptop.put(&text(1), &["account/mail/INBOX"], marks[1]);
    }
    before = world.hub.statements();
    world.sync().await;
    let adopted = statements_since(&world, &mut before);
    world.settled("adopted").await;
    [("moved", moves), ("moved and marked", marked), ("adopted", adopted)]
}

#[tokio::test]
async fn twice_as_many_equal_messages_cost_the_hub_twice_as_much() {
    for manner in BOTH {
        let (few, many) = (statements(manner, 25).await, statements(manner, 50).await);
        for ((what, few), (_, many)) in few.into_iter().zip(many) {
            assert!(many * 10 < few * 23, "{manner:?}, {what}: {few} statements, {many} for twice as many");
        }
    }
}

/// Files of equal messages are moved, marked and deleted on the laptop, and some runs are stopped.
async fn random_life(manner: Manner, seed: u64) {
    let mut rng = rand::rngs::StdRng::seed_from_u64(seed);
    let marks: [&[&str]; 3] = [&[], &["$seen"], &["$flagged", "$seen"]];
    let some: Vec<Message> = (0..rng.random_range(2..7))
        .map(|_| (["INBOX", "Work"][rng.random_range(0..2)], marks[rng.random_range(0..3)]))
        .collect();
    let mut world = equal(manner, &some).await;
    world.laptop.add_mailbox("account/mail/Bills", None);
    // In every other life the account hangs over what is written there, and nothing is for a while.
    let hangs = !seed.is_multiple_of(2);
    let mut deletions = 2;
    for round in 0..3 {
        for id in files(&world) {
            let from = world.laptop.message(id).at.keys().next().cloned().unwrap();
            let to = format!("account/mail/{}", ["INBOX", "Work", "Bills"][rng.random_range(0..3)]);
            let has = marks[rng.random_range(0..3)];
            match rng.random_range(0..8) {
                0 if deletions > 0 => {
                    deletions -= 1;
                    world.laptop.change(id, |message| message.at.clear());
                }
                1 | 2 => world.laptop.change(id, |message| carry(message, &from, &to)),
                3..6 => {
                    world.laptop.change(id, |message| message.at.clear());
                    world.laptop.put(&text(1), &[&to], has);
                }
                6 => world.laptop.change(id, |message| message.keywords = has.iter().map(|&it| it.into()).collect()),
                _ => {}
            }
        }
        let shown = world.laptop.shows();
        if hangs {
            let over = (0..rng.random_range(0..4)).map(|_| [None, Some(true), Some(false)][rng.random_range(0..3)]);
            world.account.hang(over.collect::<Vec<_>>());
            for _ in 0..rng.random_range(1..4) {
                world.sync().await;
            }
            world.account.hang([]);
            world.now.fetch_add(crate::HOUR_MS, Ordering::SeqCst);
            world.sync().await;
        }
        if rng.random_range(0..2) == 0 {
            world.stopped_at(rng.random_range(0..60)).await;
            world.sync().await;
        }
        world.sync().await;
        let case = format!("{manner:?}, seed {seed}, round {round}");
        for place in [&world.account, &world.phone, &world.laptop] {
            let mut shows = place.shows();
            shows.retain(|(folder, ..)| !["Trash", "Archive"].contains(&folder.as_str()));
            assert_eq!(shows, shown, "{case}");
        }
        world.settled(&case).await;
        // What was put away takes no part any more, and is none of these messages.
        for id in files(&world) {
            let is_away = |at: &String| at.ends_with("Trash") || at.ends_with("Archive");
            if world.laptop.message(id).at.keys().any(is_away) {
                let there = world.account.ids().into_iter().find(|id| {
                    let message = world.account.message(*id);
                    message.bytes == text(1) && message.at.keys().any(is_away)
                });
                world.account.change(there.unwrap(), |message| message.at.clear());
            }
        }
        world.sync().await;
    }
    assert_eq!(world.account.creates(), 0, "{manner:?}, seed {seed}: {:?}", world.account.writes());
}

#[tokio::test]
async fn equal_messages_that_are_moved_marked_and_deleted_at_random_are_where_their_files_are() {
    let from: u64 = std::env::var("TWOFOLD_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    let count: u64 = std::env::var("TWOFOLD_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(12);
    for seed in from..from + count {
        for manner in BOTH {
            random_life(manner, seed).await;
        }
    }
}
