//! Copies that a folder of an account makes of its own messages: each is a message of its own.

use crate::left_out::{inside, without};
use crate::office::{Manner, Watch};
use crate::{World, at, carry, text};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use twofold_model::email::scope::Scope;
use twofold_model::{Error, ErrorKind};

/// How a message came to its account before somebody copies its file, and how that is done.
#[derive(Clone, Copy, Debug)]
enum Source {
    /// It was received there, and carries no mark.
    Received,
    /// It came from a device, so that its copy will carry its mark.
    Made,
    /// It was received, and is copied under its own name.
    UnderItsName,
}

const SOURCES: [Source; 3] = [Source::Received, Source::Made, Source::UnderItsName];

/// Twenty messages, and the first of them copied on the laptop, where the copy is flagged if it is one of its own.
async fn copied(source: Source) -> World {
    let mut world = World::with_twenty(Manner::Folders).await;
    let n = number(source);
    if matches!(source, Source::Made) {
        world.laptop.put(&text(n), &["account/mail/INBOX"], &["$seen"]);
        world.sync().await;
        world.settled("made").await;
    }
    match source {
        Source::UnderItsName => world.laptop.change(world.laptop.find_one(&text(n)), |message| {
            let name = message.at["account/mail/INBOX"].clone();
            message.at.insert("account/mail/Work".to_owned(), name);
        }),
        _ => _ = world.laptop.put(&text(n), &["account/mail/Work"], &["$flagged"]),
    }
    world
}

fn number(source: Source) -> usize {
    if matches!(source, Source::Made) { 30 } else { 1 }
}

/// Its rows at the account.
fn rows(world: &World, n: usize) -> Vec<(String, String, Vec<String>)> {
    world.account.shows().into_iter().filter(|(_, body, _)| body.as_bytes() == text(n)).collect()
}

/// Nobody hears of the first write at the account, which is made.
fn lose_a_reply(world: &World) {
    let is_lost = AtomicBool::new(false);
    let watch: Watch =
        Arc::new(move |step: &str| match step == "after a write" && !is_lost.swap(true, Ordering::SeqCst) {
            true => Err(Error::new(ErrorKind::Unknown, "the line went dead")),
            false => Ok(()),
        });
    world.account.set_watch(Some(watch));
}

#[tokio::test]
async fn a_copy_is_made_by_its_account_and_each_of_the_two_keeps_its_own_marks() {
    for source in [Source::Received, Source::Made] {
        let mut world = copied(source).await;
        let before = world.account.writes().len();
        assert_eq!(world.sync().await.exit, 0);
        assert_eq!(world.account.writes()[before..], ["copy to Work", "update in Work"], "{source:?}");
        let n = number(source);
        assert_eq!(rows(&world, n), [at("INBOX", n, &["$seen"]), at("Work", n, &["$flagged"])], "{source:?}");
        world.settled("copied").await;
        // What is done to one of them is not done to the other.
        let ids: Vec<u64> =
            world.account.ids().into_iter().filter(|id| world.account.message(*id).bytes == text(n)).collect();
        world.account.change(ids[0], |message| message.keywords.clear());
        world.sync().await;
        assert_eq!(rows(&world, n), [at("INBOX", n, &[]), at("Work", n, &["$flagged"])], "{source:?}");
        world.settled("marked").await;
    }
}

#[tokio::test]
async fn a_message_that_changes_while_it_is_copied_leaves_a_copy_that_says_what_its_file_says() {
    let mut world = copied(Source::Received).await;
    let account = world.account.clone();
    let there = account.find_one(&text(1));
    let is_done = AtomicBool::new(false);
    world.hub.set_steps(Some(Box::new(move |step: &str| {
        if step.contains("send") && !is_done.swap(true, Ordering::SeqCst) {
            account.change(there, |message| message.keywords = ["$answered".to_owned()].into());
        }
        Ok(())
    })));
    world.sync().await;
    world.hub.set_steps(None);
    world.sync().await;
    assert_eq!(rows(&world, 1), [at("INBOX", 1, &["$answered"]), at("Work", 1, &["$flagged"])]);
    world.settled("changed meanwhile").await;
}

#[tokio::test]
async fn a_message_that_goes_while_it_is_copied_is_sent_instead() {
    let mut world = copied(Source::Received).await;
    let account = world.account.clone();
    let there = account.find_one(&text(1));
    let is_done = AtomicBool::new(false);
    world.hub.set_steps(Some(Box::new(move |step: &str| {
        if step.contains("send") && !is_done.swap(true, Ordering::SeqCst) {
            account.change(there, |message| message.at.clear());
        }
        Ok(())
    })));
    assert_eq!(world.sync().await.exit, 75);
    world.hub.set_steps(None);
    assert_eq!(world.account.writes(), Vec::<String>::new());
    assert_eq!(world.sync().await.exit, 0);
    assert_eq!(world.account.writes(), ["create in Work"]);
    assert_eq!(rows(&world, 1), [at("Work", 1, &["$flagged"])]);
    world.settled("gone meanwhile").await;
}

#[tokio::test]
async fn a_copy_whose_reply_is_lost_is_found_by_the_pull_also_where_its_bytes_come_late() {
    for source in SOURCES {
        let mut world = copied(source).await;
        let before = world.account.writes().len();
        let n = number(source);
        lose_a_reply(&world);
        world.sync().await;
        assert_eq!(world.account.writes()[before..], ["copy to Work"], "{source:?}: within the run");
        world.account.limit_bodies(Some(0));
        for _ in 0..2 {
            world.sync().await;
            assert_eq!(rows(&world, n).len(), 2, "{source:?}: while its bytes cannot be had");
        }
        world.account.limit_bodies(None);
        world.sync().await;
        world.settled(&format!("{source:?}, the reply lost")).await;
        let rows = rows(&world, n);
        assert_eq!(rows.len(), 2, "{source:?}: {rows:?}");
        assert_eq!(rows[0], at("INBOX", n, &["$seen"]), "{source:?}");
        let is_flagged = rows[1].2.contains(&"$flagged".to_owned());
        assert_eq!(is_flagged, !matches!(source, Source::UnderItsName), "{source:?}: {rows:?}");
    }
}

#[tokio::test]
async fn a_run_that_is_stopped_at_any_step_leaves_one_copy() {
    for source in SOURCES {
        let n = number(source);
        let mut at_step = 0;
        loop {
            let mut world = copied(source).await;
            let is_stopped = world.stopped_at(at_step).await;
            for _ in 0..3 {
                world.sync().await;
            }
            let what = format!("{source:?}, stopped at step {at_step}");
            let rows = rows(&world, n);
            let folders: Vec<&str> = rows.iter().map(|(mailbox, ..)| mailbox.as_str()).collect();
            assert_eq!(folders, ["INBOX", "Work"], "{what}");
            assert_eq!(rows[0], at("INBOX", n, &["$seen"]), "{what}");
            let is_flagged = rows[1].2.contains(&"$flagged".to_owned());
            assert_eq!(is_flagged, !matches!(source, Source::UnderItsName), "{what}: {rows:?}");
            world.settled(&what).await;
            if !is_stopped {
                break;
            }
            at_step += 1;
        }
        assert!(at_step > 15, "{source:?}: only {at_step} steps");
    }
}

/// A message stands once in a folder of an account with labels.
#[tokio::test]
async fn a_file_that_is_moved_to_where_another_file_of_its_message_stands_is_one_with_that() {
    for is_left_out in [false, true] {
        for keeps_its_name in [false, true] {
            let what = format!("left out: {is_left_out}, keeps its name: {keeps_its_name}");
            let mut world = World::new(Manner::Labels);
            world.account.put(&text(1), &["INBOX", "Work"], &["$seen"]);
            world.account.put(&text(2), &["INBOX"], &["$seen"]);
            world.sync().await;
            // Files of two names, as a program makes them that copies.
            let here = world.laptop.find_one(&text(1));
            world.laptop.change(here, |message| _ = message.at.remove("account/mail/Work"));
            let second = world.laptop.put(&text(1), &["account/mail/Work"], &["$seen"]);
            world.sync().await;
            world.scope = if is_left_out { without(&["Work"]) } else { Scope::default() };
            world.sync().await;
            if keeps_its_name {
                world.laptop.change(second, |message| carry(message, "account/mail/Work", "account/mail/INBOX"));
            } else {
                world.laptop.change(second, |message| message.at.clear());
                world.laptop.put(&text(1), &["account/mail/INBOX"], &["$seen"]);
            }
            let third = *world.laptop.ids().last().unwrap();
            world.laptop.change(third, |message| _ = message.keywords.insert("$flagged".into()));
            world.sync().await;
            world.scope = Scope::default();
            world.sync().await;
            for place in [&world.account, &world.laptop, &world.phone] {
                let shows = [at("INBOX", 1, &["$flagged", "$seen"]), at("INBOX", 2, &["$seen"])];
                assert_eq!(inside(place, "INBOX"), shows, "{what}");
            }
            world.settled(&what).await;
            assert_eq!(world.account.creates(), 0, "{what}: {:?}", world.account.writes());
        }
    }
}

#[tokio::test]
async fn a_file_copied_on_purpose_within_its_folder_is_taken_away_at_the_next_run_and_what_was_marked_on_it_stays() {
    for mark in [None, Some("$flagged")] {
        let mut world = World::with_twenty(Manner::Labels).await;
        let words: Vec<&str> = mark.into_iter().chain(["$seen"]).collect();
        world.laptop.put(&text(1), &["account/mail/INBOX"], &words);
        assert_eq!(world.sync().await.exit, 0, "{mark:?}");
        for place in [&world.account, &world.laptop, &world.phone] {
            let rows: Vec<_> = place.shows().into_iter().filter(|(_, body, _)| body.as_bytes() == text(1)).collect();
            assert_eq!(rows, [at("INBOX", 1, &words)], "{mark:?}: one of the two stays");
            assert_eq!(place.shows().len(), 20, "{mark:?}");
        }
        let told: &[&str] = if mark.is_some() { &["update in INBOX"] } else { &[] };
        assert_eq!(world.account.writes(), told, "{mark:?}: no further message is made");
        world.settled("copied within its folder").await;
    }
}

/// How one of two copies is deleted.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    AtTheAccount,
    MovedToTheTrash,
    Removed,
}

#[tokio::test]
async fn of_two_copies_the_account_keeps_the_one_that_nobody_deleted_and_devices_show_both() {
    for source in SOURCES {
        for deleted in ["INBOX", "Work"] {
            for way in [Way::AtTheAccount, Way::MovedToTheTrash, Way::Removed] {
                let what = format!("{source:?}, {deleted}, {way:?}");
                let mut world = copied(source).await;
                world.sync().await;
                let n = number(source);
                // Their marks are the same: else they are two anyway.
                for id in world.account.find(&text(n)) {
                    world.account.change(id, |message| _ = message.keywords.insert("$seen".into()));
                }
                world.sync().await;
                world.settled(&what).await;
                let (place, from, to) = match way {
                    Way::AtTheAccount => (&world.account, deleted.to_owned(), "Trash"),
                    _ => (&world.laptop, format!("account/mail/{deleted}"), "account/mail/Trash"),
                };
                for id in place.find(&text(n)) {
                    place.change(id, |message| match message.at.contains_key(&from) {
                        true if way == Way::Removed => drop(message.at.remove(&from)),
                        true => carry(message, &from, to),
                        false => {}
                    });
                }
                world.sync().await;
                let stays = if deleted == "INBOX" { "Work" } else { "INBOX" };
                let mut stand: Vec<String> = rows(&world, n).into_iter().map(|(at, ..)| at).collect();
                stand.sort();
                let mut both = [stays.to_owned(), "Trash".to_owned()];
                both.sort();
                assert_eq!(stand, both, "{what}");
                world.settled(&what).await;
                // The other one goes on, and that one stays in the trash.
                for id in world.account.find(&text(n)) {
                    world.account.change(id, |message| {
                        if message.at.contains_key(stays) {
                            carry(message, stays, "Archive");
                        }
                    });
                }
                assert_eq!(world.sync().await.exit, 0, "{what}");
                let stand: Vec<String> = rows(&world, n).into_iter().map(|(at, ..)| at).collect();
                assert_eq!(stand, ["Archive", "Trash"], "{what}");
                world.settled(&what).await;
                // A trash that is emptied on a device stays empty there, and as it is at the account.
                let trashed: Vec<u64> = world.laptop.find(&text(n));
                for id in trashed {
                    world.laptop.change(id, |message| drop(message.at.remove("account/mail/Trash")));
                }
                let writes = world.account.writes();
                for _ in 0..2 {
                    assert_eq!(world.sync().await.exit, 0, "{what}");
                    assert_eq!(inside(&world.laptop, "Trash").len(), 0, "{what}");
                    assert_eq!(world.account.writes(), writes, "{what}");
                    assert_eq!(rows(&world, n).len(), 2, "{what}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_trash_that_is_emptied_on_a_device_stays_as_it_is_at_the_account_also_while_the_other_copy_moves() {
    for is_at_account in [true, false] {
        let what = format!("the other moves at the account: {is_at_account}");
        let mut world = copied(Source::UnderItsName).await;
        world.sync().await;
        let here = |name: &str| format!("account/mail/{name}");
        let carry_at = |world: &World, at_account: bool, from: &str, to: &str| {
            let (place, from, to) = match at_account {
                true => (&world.account, from.to_owned(), to.to_owned()),
                false => (&world.laptop, here(from), here(to)),
            };
            for id in place.find(&text(1)) {
                place.change(id, |message| {
                    if message.at.contains_key(&from) {
                        carry(message, &from, &to);
                    }
                });
            }
        };
        carry_at(&world, true, "Work", "Trash");
        world.sync().await;
        world.settled(&what).await;
        carry_at(&world, is_at_account, "INBOX", "Archive");
        for id in world.laptop.find(&text(1)) {
            world.laptop.change(id, |message| drop(message.at.remove(&here("Trash"))));
        }
        for _ in 0..2 {
            assert_eq!(world.sync().await.exit, 0, "{what}");
            let stand: Vec<String> = rows(&world, 1).into_iter().map(|(at, ..)| at).collect();
            assert_eq!(stand, ["Archive", "Trash"], "{what}");
            assert_eq!((inside(&world.laptop, "Trash").len(), inside(&world.phone, "Trash").len()), (0, 1), "{what}");
        }
    }
}
