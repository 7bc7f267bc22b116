//! What is left out and vanishes, or is made use of, on one side only (ENGINE 19).

use super::left_out::{inside, since, without};
use super::office::Manner;
use super::{BOTH, World, at, text};
use twofold_model::email::scope::Scope;

/// Whatever was left out is taken up: all places are the same again.
async fn taken_up(world: &mut World, what: &str) {
    world.scope = Scope::default();
    let report = world.sync().await;
    assert_eq!(report.exit, 0, "{what}: {report:?}");
    world.settled(what).await;
}

#[tokio::test]
async fn a_message_that_its_account_lost_from_a_folder_left_out_is_made_where_its_file_is_copied_to() {
    for manner in BOTH {
        // Under its own name, and as another program does it.
        for is_of_its_name in [true, false] {
            let what = format!("{manner:?}, {is_of_its_name}");
            let mut world = World::with_work(manner).await;
            world.scope = without(&["Work"]);
            world.sync().await;
            let there = world.account.find_one(&text(31));
            world.account.change(there, |message| message.at.clear());
            match is_of_its_name {
                true => world.laptop.change(world.laptop.find_one(&text(31)), |message| {
                    let name = message.at["account/mail/Work"].clone();
                    message.at.insert("account/mail/INBOX".to_owned(), name);
                }),
                false => _ = world.laptop.put(&text(31), &["account/mail/INBOX"], &["$seen"]),
            }
            let report = world.sync().await;
            assert_eq!(report.exit, 0, "{what}: {report:?}");
            assert_eq!(world.account.writes(), ["create in INBOX"], "{what}");
            assert!(world.phone.shows().contains(&at("INBOX", 31, &["$seen"])), "{what}");
            world.sync_and_write_nothing(&what).await;
            taken_up(&mut world, &what).await;
            assert!(world.account.shows().contains(&at("INBOX", 31, &["$seen"])), "{what}");
            assert!(!world.account.shows().contains(&at("Work", 31, &["$seen"])), "{what}: lost is lost");
        }
    }
}

#[tokio::test]
async fn a_label_is_added_to_a_message_that_stands_in_what_is_left_out_and_none_is_made_beside_it() {
    let mut world = World::with_work(Manner::Labels).await;
    world.scope = without(&["Work"]);
    world.sync().await;
    world.laptop.put(&text(31), &["account/mail/INBOX"], &["$seen"]);
    assert_eq!(world.sync().await.exit, 0);
    assert_eq!(world.account.writes(), ["copy to INBOX"]);
    world.sync_and_write_nothing("labelled").await;
    taken_up(&mut world, "labelled").await;
    assert_eq!(inside(&world.account, "Work").len(), 10);
}

#[tokio::test]
async fn what_stands_in_a_folder_left_out_is_not_read_to_make_a_copy_of_it() {
    let mut world = World::with_work(Manner::Folders).await;
    world.scope = without(&["Work"]);
    world.sync().await;
    world.laptop.put(&text(31), &["account/mail/INBOX"], &["$seen"]);
    assert_eq!(world.sync().await.exit, 0);
    assert_eq!(world.account.writes(), ["create in INBOX"]);
    taken_up(&mut world, "copied").await;
    assert_eq!(inside(&world.account, "Work").len(), 10);
}

#[tokio::test]
async fn a_message_beyond_the_limits_that_its_account_lost_is_no_source_of_a_copy() {
    for manner in BOTH {
        let mut world = World::with_twenty(manner).await;
        world.scope = since(1_000_011);
        world.sync().await;
        let there = world.account.find_one(&text(1));
        world.account.change(there, |message| message.at.clear());
        // A copy that says another date than the message, as those of some programs do.
        world.laptop.put(&text(1), &["account/mail/Work"], &["$seen"]);
        let report = world.sync().await;
        assert_eq!(report.exit, 0, "{manner:?}: {report:?}");
        world.sync_and_write_nothing(&format!("{manner:?}")).await;
        taken_up(&mut world, &format!("{manner:?}")).await;
        assert!(world.account.shows().contains(&at("Work", 1, &["$seen"])), "{manner:?}");
    }
}
