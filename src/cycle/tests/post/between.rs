//! Messages that somebody moves on a device from one account to another: at each moment one of the two has them.

use super::*;

const INBOX: &str = "account/mail/INBOX";

/// Twenty messages at the account, three at another one, and all in step.
async fn two_accounts(manner: Manner) -> (World, Arc<Office>) {
    let mut world = World::with_twenty(manner).await;
    let other = Office::new("other", Manner::Folders, world.blobs.clone());
    for (id, role) in [("Inbox", Some(Role::Inbox)), ("Private", None)] {
        other.add_mailbox(id, role);
    }
    for n in 101..=103 {
        other.put(&text(n), &["Inbox"], &[]);
    }
    world.other = Some(other.clone());
    world.sync().await;
    (world, other)
}

fn move_to(world: &World, n: usize, to: &str) {
    world.laptop.change(world.laptop.find_one(&text(n)), |message| carry(message, INBOX, to));
}

#[tokio::test]
async fn a_message_that_is_moved_to_an_account_whose_folder_is_not_read_yet_leaves_the_first_once_it_is_there() {
    for manner in BOTH {
        let (mut world, other) = two_accounts(manner).await;
        other.put(&text(104), &["Inbox"], &[]);
        other.limit_bodies(Some(0));
        world.sync().await;
        move_to(&world, 1, "other/mail/Inbox");
        for _ in 0..3 {
            world.sync().await;
            assert!(world.account.has(&text(1)), "{manner:?}: it is at no other account yet");
            assert!(!other.has(&text(1)), "{manner:?}: nothing is made where not all was read");
        }
        other.limit_bodies(None);
        for _ in 0..2 {
            world.sync().await;
            assert!(world.account.has(&text(1)) || other.has(&text(1)), "{manner:?}");
        }
        let is_there =
            |(mailbox, body, _): &(String, String, Vec<String>)| mailbox != "Trash" && body.as_bytes() == text(1);
        assert_eq!(world.account.shows().iter().filter(|row| is_there(row)).count(), 0, "{manner:?}: it moved");
        assert_eq!(other.shows().iter().filter(|row| is_there(row)).count(), 1, "{manner:?}");
        assert_eq!(world.sync().await.exit, 0, "{manner:?}");
    }
}

#[tokio::test]
async fn a_message_that_is_moved_into_what_another_account_leaves_out_stays_at_the_first() {
    for manner in BOTH {
        let (mut world, other) = two_accounts(manner).await;
        let scope = left_out::without(&["Private"]);
        for run in 0..4 {
            if run == 1 {
                move_to(&world, 1, "other/mail/Private");
            }
            let mut settings = world.settings();
            settings.scopes.insert("other".to_owned(), scope.clone());
            let report = world.run_with(settings).await.unwrap();
            assert!(world.account.has(&text(1)), "{manner:?}, run {run}: {report:?}");
            assert!(!other.has(&text(1)), "{manner:?}, run {run}: nothing is written to what is left out");
            assert!(world.laptop.has(&text(1)), "{manner:?}, run {run}");
        }
    }
}
