//! What counts as a removal from a mailbox, and what is a move (promise 8).

use super::left_out::{inside, without};
use super::office::{Manner, Office};
use super::{BOTH, HOUR_MS, World, at, carry, text};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::atomic::Ordering;
use twofold_model::email::scope::Scope;

/// What somebody does with a message of the inbox.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Deed {
    ArchivedAtTheAccount,
    ArchivedOnTheLaptop,
    /// By a program that gives it another name.
    CopiedToTheArchiveOnTheLaptop,
    TrashedAtTheAccount,
    DestroyedAtTheAccount,
    DeletedOnTheLaptop,
    TrashedOnTheLaptop,
}

const DEEDS: [Deed; 7] = [
    Deed::ArchivedAtTheAccount,
    Deed::ArchivedOnTheLaptop,
    Deed::CopiedToTheArchiveOnTheLaptop,
    Deed::TrashedAtTheAccount,
    Deed::DestroyedAtTheAccount,
    Deed::DeletedOnTheLaptop,
    Deed::TrashedOnTheLaptop,
];

impl Deed {
    fn is_move(self) -> bool {
        matches!(self, Deed::ArchivedAtTheAccount | Deed::ArchivedOnTheLaptop | Deed::CopiedToTheArchiveOnTheLaptop)
    }

    fn with(self, world: &World, messages: RangeInclusive<usize>) {
        for n in messages {
            let here = |mailbox: &str| format!("account/mail/{mailbox}");
            let at_account = |to: &str| {
                let there = world.account.find_one(&text(n));
                world.account.change(there, |message| message.at = BTreeMap::from([(to.to_owned(), "x".into())]));
            };
            let laptop = world.laptop.find_one(&text(n));
            match self {
                Deed::ArchivedAtTheAccount => at_account("Archive"),
                Deed::TrashedAtTheAccount => at_account("Trash"),
                Deed::DestroyedAtTheAccount => {
                    world.account.change(world.account.find_one(&text(n)), |message| message.at.clear());
                }
                Deed::ArchivedOnTheLaptop => {
                    world.laptop.change(laptop, |message| carry(message, &here("INBOX"), &here("Archive")));
                }
                Deed::TrashedOnTheLaptop => {
                    world.laptop.change(laptop, |message| carry(message, &here("INBOX"), &here("Trash")));
                }
                Deed::DeletedOnTheLaptop => world.laptop.change(laptop, |message| message.at.clear()),
                Deed::CopiedToTheArchiveOnTheLaptop => {
                    world.laptop.change(laptop, |message| message.at.clear());
                    world.laptop.put(&text(n), &[&here("Archive")], &["$seen"]);
                }
            }
        }
    }
}

#[tokio::test]
async fn promise_8_an_inbox_that_is_archived_is_no_alarm_and_one_that_is_deleted_is() {
    for manner in BOTH {
        for deed in DEEDS {
            let mut world = World::with_twenty(manner).await;
            deed.with(&world, 1..=15);
            let report = world.sync().await;
            let (exit, left) = if deed.is_move() { (0, 5) } else { (4, 20) };
            assert_eq!(report.exit, exit, "{manner:?}, {deed:?}: {report:?}");
            assert_eq!(inside(&world.phone, "INBOX").len(), left, "{manner:?}, {deed:?}");
            if deed.is_move() {
                world.settled(&format!("{manner:?}, {deed:?}")).await;
            }
        }
    }
}

#[tokio::test]
async fn promise_8_a_mailbox_that_is_empty_on_all_sides_is_no_alarm_and_one_that_somebody_still_has_is() {
    for manner in [Manner::Labels, Manner::Alone, Manner::Folders] {
        for is_trashed in [false, true] {
            for (devices, exit) in [(2, 0), (1, 4)] {
                let what = format!("{manner:?}, {devices} devices, to the trash: {is_trashed}");
                let mut world = World::with_twenty(manner).await;
                let places = [&world.account, &world.laptop, &world.phone];
                for (at, place) in places[..=devices].iter().enumerate() {
                    for n in 1..=19 {
                        place.change(place.find_one(&text(n)), |message| match is_trashed && at == 0 {
                            true => carry(message, "INBOX", "Trash"),
                            false => message.at.clear(),
                        });
                    }
                }
                assert_eq!(world.sync().await.exit, exit, "{what}: {:?}", world.hub.holds().unwrap());
                let left = inside(&world.phone, "INBOX").len();
                assert_eq!(left, if exit == 0 { 1 } else { 20 }, "{what}");
                if exit == 0 {
                    world.sync().await;
                    world.settled(&what).await;
                    assert_eq!(inside(&world.account, "INBOX").len(), 1, "{what}");
                    // Nor does that count with what goes later.
                    world.account.put(&text(21), &["INBOX"], &["$seen"]);
                    world.sync().await;
                    world.account.change(world.account.find_one(&text(21)), |message| message.at.clear());
                    assert_eq!((world.sync().await.exit, inside(&world.phone, "INBOX").len()), (0, 1), "{what}");
                }
            }
        }
    }
}

/// Some of it everybody let go of, and what was left one place alone.
#[tokio::test]
async fn promise_8_what_all_sides_let_go_of_does_not_hide_that_a_mailbox_is_emptied() {
    for manner in [Manner::Labels, Manner::Alone, Manner::Folders] {
        let mut world = World::with_twenty(manner).await;
        for place in [&world.account, &world.laptop, &world.phone] {
            let gone = if place.shows() == world.account.shows() { 20 } else { 14 };
            for n in 1..=gone {
                place.change(place.find_one(&text(n)), |message| message.at.clear());
            }
        }
        assert_eq!(world.sync().await.exit, 4, "{manner:?}");
        assert_eq!(inside(&world.phone, "INBOX").len(), 6, "{manner:?}");
    }
}

/// What was held is deleted by its other owner, too, before anybody decides.
#[tokio::test]
async fn promise_8_a_hold_ends_with_what_it_kept_from_being_removed() {
    for manner in BOTH {
        let mut world = World::with_twenty(manner).await;
        Deed::DestroyedAtTheAccount.with(&world, 1..=15);
        assert_eq!(world.sync().await.exit, 4, "{manner:?}");
        for place in [&world.laptop, &world.phone] {
            for n in 1..=15 {
                place.change(place.find_one(&text(n)), |message| message.at.clear());
            }
        }
        assert_eq!(world.sync().await.exit, 0, "{manner:?}: {:?}", world.hub.holds().unwrap());
        world.settled(&format!("{manner:?}")).await;
        assert_eq!(inside(&world.phone, "INBOX").len(), 5, "{manner:?}");
    }
}

/// What a device lost is put elsewhere at its account before anybody decides.
#[tokio::test]
async fn promise_8_a_hold_ends_with_what_its_account_moved_on_and_holds_no_later_deletion() {
    for manner in BOTH {
        for goal in ["Work", "Trash"] {
            let what = format!("{manner:?}, {goal}");
            let mut world = World::with_twenty(manner).await;
            for n in 1..=15 {
                world.laptop.change(world.laptop.find_one(&text(n)), |message| message.at.clear());
            }
            assert_eq!(world.sync().await.exit, 4, "{what}");
            for n in 1..=15 {
                world.account.change(world.account.find_one(&text(n)), |message| carry(message, "INBOX", goal));
            }
            world.sync().await;
            // What went to the trash is asked about.
            let held = world.hub.holds().unwrap();
            assert_eq!(held.is_empty(), goal == "Work", "{what}: {held:?}");
            for hold in held {
                world.hub.approve(&hold.id).unwrap();
            }
            world.sync().await;
            world.settled(&what).await;
            assert_eq!((inside(&world.laptop, "INBOX").len(), inside(&world.laptop, goal).len()), (5, 15), "{what}");
            world.laptop.change(world.laptop.find_one(&text(16)), |message| message.at.clear());
            assert_eq!((world.sync().await.exit, world.hub.holds().unwrap()), (0, vec![]), "{what}");
        }
    }
}

#[tokio::test]
async fn promise_8_many_marked_messages_that_move_into_a_small_folder_are_no_change_of_what_was_there() {
    for manner in [Manner::Labels, Manner::Alone, Manner::Folders] {
        let mut world = World::new(manner);
        for n in 1..=55 {
            world.account.put(&text(n), &[if n <= 25 { "Work" } else { "INBOX" }], &["$seen"]);
        }
        world.sync().await;
        for n in 26..=55 {
            world.account.change(world.account.find_one(&text(n)), |message| {
                message.keywords.insert("$flagged".into());
                carry(message, "INBOX", "Work");
            });
        }
        assert_eq!(world.sync().await.exit, 0, "{manner:?}: {:?}", world.hub.holds().unwrap());
        assert_eq!(inside(&world.phone, "Work").len(), 55, "{manner:?}");
        world.settled(&format!("{manner:?}")).await;
    }
}

#[tokio::test]
async fn promise_8_of_twenty_messages_that_are_all_marked_at_once_nobody_is_told_until_somebody_decides() {
    for manner in BOTH {
        for (marked, approved) in [(20, Some(true)), (20, Some(false)), (19, None)] {
            let what = format!("{manner:?}, {marked}, {approved:?}");
            let mut world = World::with_twenty(manner).await;
            for n in 1..=marked {
                let there = world.account.find_one(&text(n));
                world.account.change(there, |message| _ = message.keywords.insert("$flagged".into()));
            }
            let flagged = |place: &Office| {
                place.shows().iter().filter(|(_, _, words)| words.contains(&"$flagged".to_owned())).count()
            };
            let exit = world.sync().await.exit;
            assert_eq!((exit, flagged(&world.phone)), if approved.is_some() { (4, 0) } else { (0, 19) }, "{what}");
            let Some(is_approved) = approved else { continue };
            let hold = world.hub.holds().unwrap().remove(0);
            match is_approved {
                true => world.hub.approve(&hold.id).unwrap(),
                false => world.hub.drop_hold(&hold).unwrap(),
            }
            assert_eq!(world.sync().await.exit, 0, "{what}");
            world.settled(&what).await;
            let all = [&world.account, &world.laptop, &world.phone].map(|place| flagged(place));
            assert_eq!(all, if is_approved { [20; 3] } else { [0; 3] }, "{what}");
        }
    }
}

/// "Mark all as read" was approved; what is deleted before the next run is another question.
#[tokio::test]
async fn promise_8_who_approves_a_change_has_not_approved_the_deletion_that_follows() {
    for manner in BOTH {
        for deed in [Deed::TrashedAtTheAccount, Deed::DestroyedAtTheAccount] {
            for is_decided in [true, false] {
                let what = format!("{manner:?}, {deed:?}, decided: {is_decided}");
                let mut world = World::with_twenty(manner).await;
                for n in 1..=20 {
                    let there = world.account.find_one(&text(n));
                    world.account.change(there, |message| _ = message.keywords.insert("$flagged".into()));
                }
                assert_eq!(world.sync().await.exit, 4, "{what}");
                let hold = world.hub.holds().unwrap().remove(0);
                assert_eq!(hold.cause, "changes", "{what}");
                if is_decided {
                    world.hub.approve(&hold.id).unwrap();
                }
                deed.with(&world, 1..=15);
                assert_eq!(world.sync().await.exit, 4, "{what}");
                assert_eq!(inside(&world.phone, "INBOX").len(), 20, "{what}");
                let causes: Vec<String> = world.hub.holds().unwrap().into_iter().map(|hold| hold.cause).collect();
                assert!(causes.contains(&"deletes".to_owned()), "{what}: {causes:?}");
            }
        }
    }
}

/// What was thrown away is held, and the trash is emptied before anybody decides.
#[tokio::test]
async fn promise_8_what_is_held_in_the_trash_is_held_when_that_is_emptied() {
    for manner in [Manner::Labels, Manner::Alone, Manner::Folders] {
        for is_seen_between in [true, false] {
            let what = format!("{manner:?}, seen between: {is_seen_between}");
            let mut world = World::with_twenty(manner).await;
            Deed::TrashedAtTheAccount.with(&world, 1..=15);
            if is_seen_between {
                assert_eq!(world.sync().await.exit, 4, "{what}");
            }
            Deed::DestroyedAtTheAccount.with(&world, 1..=15);
            for _ in 0..2 {
                assert_eq!(world.sync().await.exit, 4, "{what}");
                assert_eq!(inside(&world.phone, "INBOX").len(), 20, "{what}");
            }
        }
    }
}

/// More than are asked about at once.
#[tokio::test]
async fn hundreds_of_messages_that_move_at_once_move_in_one_run() {
    const MANY: usize = 250;
    let mut world = World::new(Manner::Labels);
    for n in 0..MANY {
        world.account.put(&text(n), &["INBOX"], &["$seen"]);
    }
    world.sync().await;
    for n in 0..MANY {
        world.account.change(world.account.find_one(&text(n)), |message| carry(message, "INBOX", "Work"));
    }
    assert_eq!(world.sync().await.exit, 0);
    assert_eq!((inside(&world.phone, "INBOX").len(), inside(&world.phone, "Work").len()), (0, MANY));
    // neomutt moves them back, and writes each anew.
    for n in 0..MANY {
        let (old, here) = (text(n), world.laptop.find_one(&text(n)));
        world.laptop.change(here, |message| message.at.clear());
        let new = String::from_utf8(old).unwrap().replacen("\r\n\r\n", "\r\nLines: 1\r\n\r\n", 1);
        world.laptop.put(new.as_bytes(), &["account/mail/INBOX"], &["$seen"]);
    }
    assert_eq!(world.sync().await.exit, 0);
    assert_eq!((world.account.creates(), inside(&world.account, "INBOX").len()), (0, MANY));
}

#[tokio::test]
async fn promise_8_removals_of_a_day_add_up_and_moves_do_not() {
    for manner in BOTH {
        for deed in DEEDS {
            let mut world = World::with_twenty(manner).await;
            let mut exits = Vec::new();
            for first in [1, 5, 9] {
                world.now.fetch_add(HOUR_MS, Ordering::SeqCst);
                deed.with(&world, first..=first + 3);
                exits.push(world.sync().await.exit);
            }
            // Six of twenty may go in a day.
            assert_eq!(exits, if deed.is_move() { [0, 0, 0] } else { [0, 4, 4] }, "{manner:?}, {deed:?}");
            let left = if deed.is_move() { 8 } else { 16 };
            assert_eq!(inside(&world.phone, "INBOX").len(), left, "{manner:?}, {deed:?}");
        }
    }
}

#[tokio::test]
async fn promise_8_what_goes_to_a_trash_that_is_left_out_counts_and_to_an_archive_does_not() {
    for manner in BOTH {
        for deed in [Deed::ArchivedAtTheAccount, Deed::TrashedAtTheAccount] {
            for is_out_from_the_first in [true, false] {
                let what = format!("{manner:?}, {deed:?}, {is_out_from_the_first}");
                let mut world = World::new(manner);
                let out = without(&["role:trash", "role:archive"]);
                world.scope = if is_out_from_the_first { out.clone() } else { Scope::default() };
                for n in 1..=20 {
                    world.account.put(&text(n), &["INBOX"], &["$seen"]);
                }
                world.sync().await;
                world.scope = out;
                world.sync().await;
                deed.with(&world, 1..=15);
                let exit = world.sync().await.exit;
                assert_eq!(exit, if deed.is_move() { 0 } else { 4 }, "{what}");
                assert_eq!(inside(&world.phone, "INBOX").len(), if deed.is_move() { 5 } else { 20 }, "{what}");
            }
        }
    }
}

/// Somebody says no to everything that is held.
fn drop_all(world: &mut World) {
    for hold in world.hub.holds().unwrap() {
        world.hub.drop_hold(&hold).unwrap();
    }
}

#[tokio::test]
async fn what_went_to_the_trash_and_should_not_have_is_moved_back() {
    for manner in [Manner::Alone, Manner::Folders] {
        for deed in [Deed::TrashedAtTheAccount, Deed::TrashedOnTheLaptop] {
            let what = format!("{manner:?}, {deed:?}");
            let mut world = World::with_twenty(manner).await;
            let before = world.account.shows();
            deed.with(&world, 1..=15);
            // What is marked there meanwhile is marked where it comes back.
            let marked = if deed == Deed::TrashedAtTheAccount { &world.account } else { &world.laptop };
            marked.change(marked.find_one(&text(1)), |message| _ = message.keywords.insert("$flagged".to_owned()));
            marked.change(marked.find_one(&text(2)), |message| message.keywords.clear());
            assert_eq!(world.sync().await.exit, 4, "{what}");
            drop_all(&mut world);
            assert_eq!(world.sync().await.exit, 0, "{what}");
            let at_account = if deed == Deed::TrashedAtTheAccount { 15 } else { 0 };
            let moves = |place: &Office| place.writes().iter().filter(|write| write.starts_with("move to ")).count();
            let made = |place: &Office| {
                place.writes().iter().any(|write| !write.starts_with("move to ") && !write.starts_with("update"))
            };
            assert_eq!((moves(&world.account), made(&world.account)), (at_account, false), "{what}");
            if deed == Deed::TrashedOnTheLaptop {
                let since = world.laptop.writes().split_off(20);
                assert_eq!(since, ["move to account/mail/INBOX"; 15], "{what}");
            }
            assert_eq!(world.account.shows().len(), before.len(), "{what}");
            assert_eq!(inside(&world.account, "INBOX").len(), 20, "{what}");
            for place in [&world.account, &world.laptop, &world.phone] {
                assert!(place.shows().contains(&at("INBOX", 1, &["$flagged", "$seen"])), "{what}: {:?}", place.shows());
                assert!(place.shows().contains(&at("INBOX", 2, &[])), "{what}: {:?}", place.shows());
            }
            world.settled(&what).await;
        }
    }
}

/// The hub is an old copy; what it does not know yet stands in the trash of the account, and of a device that is filled before anybody decides.
#[tokio::test]
async fn what_is_held_waits_though_a_device_that_is_filled_shows_it_in_the_trash() {
    for manner in [Manner::Alone, Manner::Folders] {
        for (messages, is_approved) in [(15, true), (15, false), (1, true), (1, false)] {
            let what = format!("{manner:?}, {messages}, approved: {is_approved}");
            let mut world = World::with_twenty(manner).await;
            world.hub.note_restored().unwrap();
            Deed::TrashedAtTheAccount.with(&world, 1..=messages);
            Deed::TrashedOnTheLaptop.with(&world, 1..=messages);
            assert_eq!(world.sync().await.exit, 4, "{what}");
            let laptop = world.hub.replica("laptop", true).unwrap();
            world.hub.meet_anew(laptop.id).unwrap();
            for _ in 0..2 {
                assert_eq!(world.sync().await.exit, 4, "{what}");
                assert_eq!(world.account.writes(), Vec::<String>::new(), "{what}: what is held waits");
                assert_eq!(inside(&world.phone, "INBOX").len(), 20, "{what}");
            }
            if is_approved {
                let ids: Vec<String> = world.hub.holds().unwrap().into_iter().map(|hold| hold.id).collect();
                ids.iter().for_each(|id| world.hub.approve(id).unwrap());
            } else {
                drop_all(&mut world);
            }
            assert_eq!(world.sync().await.exit, 0, "{what}");
            let (in_trash, moves) = if is_approved { (messages, 0) } else { (0, messages) };
            assert_eq!(inside(&world.account, "Trash").len(), in_trash, "{what}");
            assert_eq!(world.account.writes(), vec!["move to INBOX"; moves], "{what}");
            world.settled(&what).await;
        }
    }
}

/// Yesterday's copy of a device is put back, and filled: what moved since is no stranger, and what was deleted is asked about.
#[tokio::test]
async fn what_moved_since_an_older_copy_of_a_device_is_moved_there_and_only_what_was_deleted_is_held() {
    for manner in BOTH {
        let mut world = World::with_twenty(manner).await;
        for n in 1..=8 {
            let there = world.account.find_one(&text(n));
            match n {
                1..=4 => world.account.change(there, |message| carry(message, "INBOX", "Work")),
                5..=7 => world.account.change(there, |message| carry(message, "INBOX", "Trash")),
                _ => {}
            }
            // Of what moved two were marked since, too.
            if n <= 2 || n == 8 {
                world.account.change(there, |message| message.keywords.extend(["$flagged".to_owned()]));
            }
        }
        world.sync().await;
        world.settled(&format!("{manner:?}, before")).await;
        for n in 1..=8 {
            let here = world.laptop.find_one(&text(n));
            world.laptop.change(here, |message| {
                let moved = message.at.keys().find(|at| !at.ends_with("INBOX")).cloned();
                moved.into_iter().for_each(|from| carry(message, &from, "account/mail/INBOX"));
                message.keywords.remove("$flagged");
            });
        }
        // Nobody has told yet that this one was answered.
        world.laptop.change(world.laptop.find_one(&text(2)), |message| {
            message.keywords.insert("$answered".to_owned());
        });
        let laptop = world.hub.replica("laptop", true).unwrap();
        world.hub.meet_anew(laptop.id).unwrap();
        let before = world.account.writes().len();
        assert_eq!(world.sync().await.exit, 4, "{manner:?}");
        assert_eq!(world.account.writes()[before..], ["update in Work"], "{manner:?}: what nobody had told yet");
        let held = world.hub.holds().unwrap();
        assert_eq!(held.len(), 1, "{manner:?}");
        assert!(held[0].reason.starts_with("3 items") && held[0].reason.contains("3 of them"), "{}", held[0].reason);
        for n in 2..=4 {
            let words: &[&str] = if n == 2 { &["$answered", "$flagged", "$seen"] } else { &["$seen"] };
            assert!(world.laptop.shows().contains(&at("Work", n, words)), "{manner:?}: {n}");
        }
        assert!(world.laptop.shows().contains(&at("Work", 1, &["$flagged", "$seen"])), "{manner:?}");
        world.hub.approve(&held[0].id).unwrap();
        world.sync().await;
        world.sync().await;
        for n in 1..=4 {
            let copies = world.account.shows().into_iter().filter(|(_, body, _)| body.as_bytes() == text(n));
            assert_eq!(copies.map(|(mailbox, ..)| mailbox).collect::<Vec<_>>(), ["Work"], "{manner:?}: {n}");
        }
        world.settled(&format!("{manner:?}, approved")).await;
    }
}

#[tokio::test]
async fn old_files_that_are_not_to_be_taken_up_are_listed_until_they_are_gone_or_asked_about_again() {
    for manner in BOTH {
        let mut world = World::new(manner);
        world.laptop.add_mailbox("account/mail/INBOX", None);
        let old: Vec<u64> = (1..=8).map(|n| world.laptop.put(&text(n), &["account/mail/INBOX"], &["$seen"])).collect();
        assert_eq!(world.sync().await.exit, 4, "{manner:?}");
        // Somebody opens the folder, and reads one: that asks for nothing to be made.
        let mark = |world: &World, at: usize| {
            world.laptop.change(old[at], |message| message.keywords.extend(["$flagged".to_owned()]));
        };
        mark(&world, 1);
        assert_eq!(world.sync().await.exit, 4, "{manner:?}");
        assert_eq!(world.account.shows().len(), 0, "{manner:?}: it is held as the others are");
        drop_all(&mut world);
        mark(&world, 2);
        for (files, gone) in [("8 files", None), ("7 files", Some(old[0]))] {
            gone.into_iter().for_each(|gone| world.laptop.change(gone, |message| message.at.clear()));
            let report = world.sync().await;
            assert_eq!(report.exit, 5, "{manner:?}: {report:?}");
            let listed = world.hub.quarantined().unwrap();
            let [one] = listed.as_slice() else { panic!("{manner:?}: {listed:?}") };
            assert!(one.reason.contains(files) && one.reason.contains("--retry-quarantined"), "{manner:?}: {listed:?}");
            assert!(one.remote_id.as_str().contains("account/mail/INBOX"), "{manner:?}: {listed:?}");
            assert_eq!(world.account.shows().len(), 0, "{manner:?}");
        }
        let mut settings = world.settings();
        settings.retry_quarantined = true;
        assert_eq!(world.run_with(settings).await.unwrap().exit, 4, "{manner:?}: it is a question again");
        assert_eq!((world.hub.quarantined().unwrap().len(), world.account.shows().len()), (0, 0), "{manner:?}");
        let held = world.hub.holds().unwrap();
        world.hub.approve(&held[0].id).unwrap();
        assert_eq!(world.sync().await.exit, 0, "{manner:?}");
        assert_eq!((world.hub.quarantined().unwrap().len(), world.account.shows().len()), (0, 7), "{manner:?}");
        world.settled(&format!("{manner:?}, approved")).await;
    }
}

#[tokio::test]
async fn what_went_to_a_trash_that_is_left_out_and_should_not_have_is_moved_back() {
    let manners = [Manner::Folders, Manner::Alone].into_iter();
    for (manner, is_out_from_the_first) in manners.flat_map(|manner| [(manner, true), (manner, false)]) {
        let what = format!("{manner:?}, from the first: {is_out_from_the_first}");
        let mut world = World::new(manner);
        let out = without(&["role:trash"]);
        world.scope = if is_out_from_the_first { out.clone() } else { Scope::default() };
        for n in 1..=20 {
            world.account.put(&text(n), &["INBOX"], &["$seen"]);
        }
        world.sync().await;
        world.scope = out;
        world.sync().await;
        Deed::TrashedAtTheAccount.with(&world, 1..=15);
        // What is marked there is read when it comes back.
        let mark = |world: &World, n: usize, word: &str| {
            world.account.change(world.account.find_one(&text(n)), |message| _ = message.keywords.insert(word.into()));
        };
        mark(&world, 1, "$flagged");
        assert_eq!(world.sync().await.exit, 4, "{what}");
        mark(&world, 2, "$flagged");
        drop_all(&mut world);
        assert_eq!(world.sync().await.exit, 0, "{what}");
        assert_eq!(world.account.writes(), ["move to INBOX"; 15], "{what}");
        for n in [1, 2] {
            assert!(world.laptop.shows().contains(&at("INBOX", n, &["$flagged", "$seen"])), "{what}: as marked there");
        }
        world.settled(&what).await;
    }
}

/// A message with two labels leaves both of them for the trash.
#[tokio::test]
async fn what_went_to_the_trash_from_two_labels_and_should_not_have_gets_both_back() {
    for scope in [Scope::default(), without(&["role:trash"])] {
        let what = format!("{scope:?}");
        let mut world = World::new(Manner::Alone);
        world.scope = scope;
        for n in 1..=20 {
            world.account.put(&text(n), &["INBOX", "Work"], &["$seen"]);
        }
        world.sync().await;
        for n in 1..=15 {
            world.account.change(world.account.find_one(&text(n)), |message| carry(message, "INBOX", "Trash"));
        }
        assert_eq!(world.sync().await.exit, 4, "{what}");
        drop_all(&mut world);
        assert_eq!(world.sync().await.exit, 0, "{what}");
        let told = world.account.writes();
        assert!(told.iter().all(|write| !write.starts_with("create")), "{what}: {told:?}");
        assert_eq!((told.len(), world.account.shows().len()), (30, 40), "{what}: {told:?}");
        world.settled(&what).await;
    }
}

#[tokio::test]
async fn a_hold_ends_by_itself_when_the_files_that_were_missed_are_back_under_their_names() {
    for manner in BOTH {
        let mut world = World::with_twenty(manner).await;
        let files: Vec<u64> = (1..=15).map(|n| world.laptop.find_one(&text(n))).collect();
        let was: Vec<_> = files.iter().map(|file| world.laptop.message(*file)).collect();
        files.iter().for_each(|file| world.laptop.change(*file, |message| message.at.clear()));
        assert_eq!(world.sync().await.exit, 4, "{manner:?}: too many");
        for message in &was {
            let file = world.laptop.put(&message.bytes, &["account/mail/INBOX"], &["$seen"]);
            world.laptop.change(file, |file| file.at.clone_from(&message.at));
        }
        let report = world.sync().await;
        assert_eq!((report.exit, world.hub.holds().unwrap().len()), (0, 0), "{manner:?}: {report:?}");
        assert_eq!(world.account.writes(), Vec::<String>::new(), "{manner:?}");
        world.settled("they are back").await;
    }
}
