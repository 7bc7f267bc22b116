//! Mailboxes that an account does not show beside others: its trash, and its archive.

use super::left_out::inside;
use super::office::Office;
use super::{Manner, World, at, carry, text};

fn here(mailbox: &str) -> String {
    format!("account/mail/{mailbox}")
}

/// Twenty messages with two labels each, and all in step.
async fn with_two_labels(first: &str, second: &str) -> World {
    let mut world = World::new(Manner::Alone);
    for n in 1..=20 {
        world.account.put(&text(n), &[first, second], &["$seen"]);
    }
    world.sync().await;
    world
}

/// One file of a message is moved on the laptop.
fn moved(world: &World, n: usize, from: &str, to: &str) {
    world.laptop.change(world.laptop.find_one(&text(n)), |message| carry(message, &here(from), &here(to)));
}

/// A further file of a message on the laptop.
fn copied(world: &World, n: usize, to: &str) {
    world.laptop.change(world.laptop.find_one(&text(n)), |message| {
        let name = message.at.values().next().cloned().unwrap();
        message.at.insert(here(to), name);
    });
}

/// After one run the message stands there everywhere, and a further run has nothing to do.
async fn ends(world: &mut World, what: &str, mailboxes: &[&str]) {
    let report = world.sync().await;
    assert_eq!(report.exit, 0, "{what}: {report:?}");
    for place in [&world.account, &world.laptop, &world.phone] {
        let rows: Vec<_> = place.shows().into_iter().filter(|(_, body, _)| body.as_bytes() == text(1)).collect();
        let wanted: Vec<_> = mailboxes.iter().map(|mailbox| at(mailbox, 1, &["$seen"])).collect();
        assert_eq!(rows, wanted, "{what}");
    }
    world.settled(what).await;
}

#[tokio::test]
async fn one_file_moved_to_the_trash_takes_the_others_along_in_the_same_run() {
    for from in ["INBOX", "Work"] {
        let mut world = with_two_labels("INBOX", "Work").await;
        moved(&world, 1, from, "Trash");
        ends(&mut world, from, &["Trash"]).await;
        assert_eq!(world.account.writes(), ["move to Trash"], "{from}");
    }
}

#[tokio::test]
async fn what_is_put_back_from_the_trash_leaves_it_moved_or_copied() {
    for is_moved in [true, false] {
        let mut world = with_two_labels("INBOX", "Work").await;
        moved(&world, 1, "INBOX", "Trash");
        world.sync().await;
        match is_moved {
            true => moved(&world, 1, "Trash", "INBOX"),
            false => copied(&world, 1, "INBOX"),
        }
        ends(&mut world, &format!("moved: {is_moved}"), &["INBOX"]).await;
    }
}

#[tokio::test]
async fn a_message_that_goes_to_the_trash_there_and_elsewhere_here_is_kept() {
    let mut world = with_two_labels("INBOX", "INBOX").await;
    let there = world.account.find_one(&text(1));
    world.account.change(there, |message| carry(message, "INBOX", "Trash"));
    moved(&world, 1, "INBOX", "Work");
    ends(&mut world, "trashed there", &["Work"]).await;

    let mut world = with_two_labels("INBOX", "INBOX").await;
    let there = world.account.find_one(&text(1));
    world.account.change(there, |message| carry(message, "INBOX", "Work"));
    moved(&world, 1, "INBOX", "Trash");
    ends(&mut world, "trashed here", &["Work"]).await;
}

#[tokio::test]
async fn one_file_moved_to_the_archive_leaves_the_other_label() {
    let mut world = with_two_labels("INBOX", "Work").await;
    moved(&world, 1, "INBOX", "Archive");
    ends(&mut world, "archived", &["Work"]).await;
    copied(&world, 1, "INBOX");
    ends(&mut world, "labelled", &["INBOX", "Work"]).await;
}

#[tokio::test]
async fn a_message_whose_files_are_all_removed_is_archived_whatever_labels_it_had() {
    let mut world = with_two_labels("INBOX", "Work").await;
    world.laptop.change(world.laptop.find_one(&text(1)), |message| message.at.clear());
    ends(&mut world, "removed", &["Archive"]).await;
}

#[tokio::test]
async fn a_label_that_an_archived_message_gets_takes_it_out_of_the_archive() {
    let mut world = with_two_labels("Archive", "Archive").await;
    copied(&world, 1, "Work");
    ends(&mut world, "labelled", &["Work"]).await;
}

/// A program may copy first, and remove when it has the time.
#[tokio::test]
async fn a_copy_in_the_trash_or_the_archive_takes_nothing_away_before_the_other_file_goes() {
    for to in ["Trash", "Archive"] {
        let mut world = with_two_labels("INBOX", "INBOX").await;
        copied(&world, 1, to);
        world.sync().await;
        assert!(world.laptop.shows().contains(&at("INBOX", 1, &["$seen"])), "{to}");
        assert!(world.account.shows().contains(&at("INBOX", 1, &["$seen"])), "{to}");
        world.laptop.change(world.laptop.find_one(&text(1)), |message| drop(message.at.remove(&here("INBOX"))));
        ends(&mut world, to, &[to]).await;
    }
}

/// One file of a message is moved to the trash by a program that gives it another name.
fn written_anew(world: &World, n: usize) {
    world.laptop.change(world.laptop.find_one(&text(n)), |message| drop(message.at.remove(&here("INBOX"))));
    world.laptop.put(&text(n), &[&here("Trash")], &["$seen"]);
}

#[tokio::test]
async fn promise_8_many_messages_of_two_labels_that_are_moved_to_the_trash_wait_for_a_word() {
    let deeds: [fn(&World, usize); 2] = [|world, n| moved(world, n, "INBOX", "Trash"), written_anew];
    for deed in deeds {
        let mut world = with_two_labels("INBOX", "Work").await;
        (1..=15).for_each(|n| deed(&world, n));
        assert_eq!(world.sync().await.exit, 4);
        assert_eq!(world.account.writes(), Vec::<String>::new());
        assert_eq!((inside(&world.phone, "INBOX").len(), inside(&world.laptop, "Work").len()), (20, 20));
        for hold in world.hub.holds().unwrap() {
            world.hub.approve(&hold.id).unwrap();
        }
        ends(&mut world, "approved", &["Trash"]).await;

        let mut world = with_two_labels("INBOX", "Work").await;
        let mut exits = Vec::new();
        for first in [1, 5, 9] {
            (first..first + 4).for_each(|n| deed(&world, n));
            exits.push(world.sync().await.exit);
        }
        assert_eq!(exits, [0, 4, 4], "removals of a day add up");
    }
}

/// A message in a folder, and a copy of it in another one, each a message of its own there.
#[tokio::test]
async fn a_copy_in_a_folder_that_goes_to_the_trash_at_one_side_and_elsewhere_at_the_other_is_kept_and_so_is_the_first()
{
    for is_trashed_there in [true, false] {
        for elsewhere in ["Archive", "Bills"] {
            let what = format!("trashed there: {is_trashed_there}, {elsewhere}");
            let mut world = World::with_twenty(Manner::Folders).await;
            world.account.add_mailbox("Bills", None);
            world.sync().await;
            copied(&world, 1, "Work");
            world.sync().await;
            world.settled(&what).await;
            let copy = |place: &Office, at: &str| {
                let ids = place.ids().into_iter().filter(|id| place.message(*id).bytes == text(1));
                ids.into_iter().find(|id| place.message(*id).at.contains_key(at)).unwrap()
            };
            let (there, on_laptop) = if is_trashed_there { ("Trash", elsewhere) } else { (elsewhere, "Trash") };
            world.account.change(copy(&world.account, "Work"), |message| carry(message, "Work", there));
            let file = copy(&world.laptop, &here("Work"));
            world.laptop.change(file, |message| carry(message, &here("Work"), &here(on_laptop)));
            assert_eq!(world.sync().await.exit, 0, "{what}");
            let rows = world.account.shows().into_iter().filter(|(_, body, _)| body.as_bytes() == text(1));
            let stands: Vec<String> = rows.map(|(mailbox, ..)| mailbox).collect();
            let mut wanted = ["INBOX".to_owned(), elsewhere.to_owned()];
            wanted.sort();
            assert_eq!(stands, wanted, "{what}");
            assert_eq!(world.account.creates(), 0, "{what}: {:?}", world.account.writes());
            world.settled(&what).await;
        }
    }
}
