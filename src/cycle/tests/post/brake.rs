//! What counts as a removal from a mailbox, and what is a move (promise 8).

use super::left_out::{inside, without};
use super::{BOTH, HOUR_MS, World, carry, text};
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
