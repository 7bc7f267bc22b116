//! A folder of a device that is not there any more: what stands elsewhere on the device by now was moved, and the rest is one question.

use crate::equal::put_away;
use crate::{BOTH, Manner, World, at, carry, text};

const HERE: &str = "account/mail/Work";

/// Ten messages in the inbox, and three in another folder; all in step.
async fn with_three(manner: Manner) -> World {
    let mut world = World::new(manner);
    for n in 1..=10 {
        world.account.put(&text(n), &["INBOX"], &["$seen"]);
    }
    for n in 11..=13 {
        world.account.put(&text(n), &["Work"], &["$seen"]);
    }
    world.sync().await;
    world.settled("all in step").await;
    world
}

/// Moves messages from the folder on the laptop, under new names if that is what the program does.
fn moved(world: &World, numbers: &[usize], to: &str, is_renamed: bool) {
    for n in numbers {
        let (id, to) = (world.laptop.find_one(&text(*n)), format!("account/mail/{to}"));
        if is_renamed {
            world.laptop.change(id, |message| message.at.clear());
            world.laptop.put(&text(*n), &[&to], &["$seen"]);
        } else {
            world.laptop.change(id, |message| carry(message, HERE, &to));
        }
    }
}

/// What is held, in words.
fn held(world: &World) -> Vec<String> {
    world.hub.holds().unwrap().into_iter().map(|hold| hold.reason).collect()
}

fn assert_gone(world: &World, items: usize, case: &str) {
    let held = held(world);
    assert_eq!(held.len(), 1, "{case}: {held:?}");
    let words = format!("\"Work\" of account with {items} items is gone at laptop; nothing was removed elsewhere");
    assert!(held[0].starts_with(&words), "{case}: {held:?}");
}

/// The account and the phone show so many messages in the inbox and in the folder, and a further run writes nothing.
async fn stand(world: &mut World, inbox: usize, work: usize, case: &str) {
    for place in [&world.account, &world.phone] {
        let shows = place.shows();
        let count = |name: &str| shows.iter().filter(|(folder, ..)| folder == name).count();
        assert_eq!((count("INBOX"), count("Work")), (inbox, work), "{case}");
    }
    let before = world.writes();
    world.sync().await;
    assert_eq!(world.writes(), before, "{case}: a further run writes nothing");
}

#[tokio::test]
async fn messages_that_are_moved_out_of_a_folder_that_is_then_removed_are_moved_and_the_folder_goes_with_a_word() {
    for manner in BOTH {
        for is_renamed in [false, true] {
            let case = format!("{manner:?}, under new names: {is_renamed}");
            let mut world = with_three(manner).await;
            moved(&world, &[11, 12, 13], "INBOX", is_renamed);
            world.laptop.remove_mailbox(HERE);
            world.sync().await;
            assert_eq!(world.account.writes(), ["move to INBOX"; 3], "{case}");
            assert_gone(&world, 0, &case);
            stand(&mut world, 13, 0, &case).await;
            world.hub.approve(&world.hub.holds().unwrap()[0].id.clone()).unwrap();
            world.sync().await;
            assert!(!world.account.has_mailbox("Work"), "{case}: it is empty, and goes");
            assert!(!world.phone.has_mailbox(HERE), "{case}");
            assert_eq!(world.account.writes(), ["move to INBOX"; 3], "{case}");
            world.settled(&case).await;
        }
    }
}

#[tokio::test]
async fn a_removed_folder_that_was_emptied_and_is_wanted_back_comes_back_empty() {
    for manner in BOTH {
        let mut world = with_three(manner).await;
        moved(&world, &[11, 12, 13], "INBOX", false);
        world.laptop.remove_mailbox(HERE);
        world.sync().await;
        world.hub.drop_hold(&world.hub.holds().unwrap()[0].clone()).unwrap();
        world.sync().await;
        assert!(world.laptop.has_mailbox(HERE), "{manner:?}");
        assert_eq!(world.account.writes(), ["move to INBOX"; 3], "{manner:?}");
        world.settled("back and empty").await;
    }
}

#[tokio::test]
async fn what_was_not_moved_out_of_a_removed_folder_waits_for_a_word() {
    for manner in BOTH {
        for is_renamed in [false, true] {
            let case = format!("{manner:?}, under new names: {is_renamed}");
            let mut world = with_three(manner).await;
            moved(&world, &[11, 12], "INBOX", is_renamed);
            world.laptop.remove_mailbox(HERE);
            world.sync().await;
            assert_eq!(world.account.writes(), ["move to INBOX"; 2], "{case}");
            assert_gone(&world, 1, &case);
            stand(&mut world, 12, 1, &case).await;
            world.hub.approve(&world.hub.holds().unwrap()[0].id.clone()).unwrap();
            world.sync().await;
            let away = format!("move to {}", put_away(manner));
            assert_eq!(world.account.writes(), ["move to INBOX", "move to INBOX", &away], "{case}");
            world.settled(&case).await;
        }
    }
}

#[tokio::test]
async fn messages_that_go_from_a_removed_folder_to_one_that_is_new_are_moved() {
    for manner in BOTH {
        for is_renamed in [false, true] {
            let case = format!("{manner:?}, under new names: {is_renamed}");
            let mut world = with_three(manner).await;
            (14..=19).for_each(|n| _ = world.account.put(&text(n), &["Work"], &["$seen"]));
            world.sync().await;
            world.laptop.add_mailbox("account/mail/Bills", None);
            moved(&world, &[11, 12, 13, 14, 15, 16, 17, 18, 19], "Bills", is_renamed);
            world.laptop.remove_mailbox(HERE);
            world.sync().await;
            assert_eq!(world.account.writes(), ["move to Bills"; 9], "{case}");
            assert_gone(&world, 0, &case);
            stand(&mut world, 10, 0, &case).await;
        }
    }
}

#[tokio::test]
async fn messages_that_go_from_a_removed_folder_to_the_trash_under_new_names_wait_for_a_word() {
    for manner in BOTH {
        let mut world = with_three(manner).await;
        (14..=19).for_each(|n| _ = world.account.put(&text(n), &["Work"], &["$seen"]));
        world.sync().await;
        moved(&world, &[11, 12, 13, 14, 15, 16, 17, 18, 19], "Trash", true);
        world.laptop.remove_mailbox(HERE);
        world.sync().await;
        assert_eq!(world.account.writes(), Vec::<String>::new(), "{manner:?}: {:?}", held(&world));
        let ids: Vec<String> = world.hub.holds().unwrap().into_iter().map(|hold| hold.id).collect();
        ids.iter().for_each(|id| world.hub.approve(id).unwrap());
        world.sync().await;
        assert_eq!(world.account.writes(), ["move to Trash"; 9], "{manner:?}");
        world.settled("with a word").await;
    }
}

/// A disk that is not mounted took a folder away, in which two of the messages are the same.
#[tokio::test]
async fn a_folder_that_is_back_has_what_it_had_whatever_was_asked_meanwhile() {
    for manner in BOTH {
        let mut world = with_three(manner).await;
        world.account.put(&text(13), &["Work"], &["$seen"]);
        world.sync().await;
        let lost = world.laptop.remove_mailbox(HERE);
        world.laptop.put(&text(13), &["account/mail/INBOX"], &["$seen"]);
        for _ in 0..2 {
            world.sync().await;
            assert_eq!(world.account.writes(), ["move to INBOX"], "{manner:?}: one of the two");
            assert_gone(&world, 3, &format!("{manner:?}"));
        }
        world.laptop.bring_back(lost);
        assert_eq!(world.sync().await.exit, 0, "{manner:?}");
        for place in [&world.account, &world.phone, &world.laptop] {
            let count = |row: &(String, String, Vec<String>)| place.shows().iter().filter(|it| *it == row).count();
            assert_eq!(count(&at("INBOX", 13, &["$seen"])), 1, "{manner:?}");
            assert_eq!(count(&at("Work", 13, &["$seen"])), 2, "{manner:?}");
            assert_eq!(place.shows().len(), 15, "{manner:?}");
        }
        world.settled("back").await;
    }
}

#[tokio::test]
async fn a_run_that_is_stopped_at_any_step_moves_what_left_a_removed_folder() {
    for manner in BOTH {
        let mut at_step = 0;
        loop {
            let mut world = with_three(manner).await;
            moved(&world, &[11], "INBOX", false);
            moved(&world, &[12], "INBOX", true);
            world.laptop.remove_mailbox(HERE);
            let is_stopped = world.stopped_at(at_step).await;
            for _ in 0..2 {
                world.sync().await;
            }
            let case = format!("{manner:?}, stopped at step {at_step}");
            assert_eq!(world.account.writes(), ["move to INBOX"; 2], "{case}");
            assert_gone(&world, 1, &case);
            stand(&mut world, 12, 1, &case).await;
            if !is_stopped {
                break;
            }
            at_step += 1;
        }
        assert!(at_step > 15, "{manner:?}: only {at_step} steps");
    }
}

/// A label that is deleted at Gmail leaves its messages, and those that have no other one are archived.
#[tokio::test]
async fn promise_8_a_label_that_is_gone_at_its_account_is_one_question_about_all_that_had_it() {
    for is_wanted_back in [true, false] {
        let mut world = with_three(Manner::Labels).await;
        world.account.put(&text(14), &["INBOX", "Work"], &["$seen"]);
        world.account.put(&text(15), &["Archive"], &["$seen"]);
        world.sync().await;
        world.settled("all in step").await;
        for n in 11..=13 {
            world.account.change(world.account.find_one(&text(n)), |message| carry(message, "Work", "Archive"));
        }
        let (label, _) = world.account.remove_mailbox("Work");
        let before = world.laptop.shows();
        for _ in 0..2 {
            assert_eq!(world.sync().await.exit, 4);
            let held = held(&world);
            assert!(held.len() == 1 && held[0].starts_with("\"Work\" with 4 items is gone at account"), "{held:?}");
            assert_eq!(world.laptop.shows(), before, "nothing goes anywhere before somebody decided");
            assert_eq!(world.account.writes(), Vec::<String>::new());
        }
        let hold = world.hub.holds().unwrap().remove(0);
        let in_work: Vec<_> = (11..=14).map(|n| at("Work", n, &["$seen"])).collect();
        match is_wanted_back {
            true => world.hub.drop_hold(&hold).unwrap(),
            false => world.hub.approve(&hold.id).unwrap(),
        }
        for _ in 0..2 {
            world.sync().await;
        }
        let mut shows = world.account.shows();
        assert_eq!(
            world.account.has_mailbox("Work") || shows.iter().any(|(name, ..)| name == &label.name),
            is_wanted_back
        );
        shows.retain(|(name, ..)| name == "Work");
        match is_wanted_back {
            true => assert_eq!(shows, in_work, "as it was"),
            false => assert_eq!(world.account.shows().iter().filter(|(name, ..)| name == "Archive").count(), 4),
        }
        world.settled(&format!("wanted back: {is_wanted_back}")).await;
    }
}
