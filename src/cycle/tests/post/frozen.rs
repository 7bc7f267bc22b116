//! What is left out and vanishes, or is made use of, on one side only (ENGINE 19).

use super::left_out::{at_most, inside, since, without};
use super::office::Manner;
use super::{BOTH, Settings, World, at, carry, text};
use twofold_model::Seen;
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

/// A folder of a device that its account leaves out since the first run, so that nothing of it is mirrored.
async fn with_a_folder_of_its_own(manner: Manner) -> World {
    let mut world = World::new(manner);
    world.scope = without(&["Work"]);
    for n in 1..=20 {
        world.account.put(&text(n), &["INBOX"], &["$seen"]);
    }
    assert_eq!(world.sync().await.exit, 0);
    world.laptop.add_mailbox("account/mail/Work", None);
    world
}

/// What is listed as not to be had at the laptop, in words.
fn listed(world: &mut World) -> Vec<String> {
    let laptop = world.hub.replica("laptop", true).unwrap().id;
    let mut listed = world.hub.withheld().unwrap();
    listed.retain(|(_, replica, ..)| *replica == laptop);
    listed.into_iter().map(|(.., reason)| reason).collect()
}

fn put_away(world: &World, n: usize) {
    let here = world.laptop.find_one(&text(n));
    world.laptop.change(here, |message| carry(message, "account/mail/INBOX", "account/mail/Work"));
}

#[tokio::test]
async fn promise_1_what_is_moved_on_a_device_to_a_folder_that_was_never_mirrored_stays_at_its_account() {
    for manner in BOTH {
        let mut world = with_a_folder_of_its_own(manner).await;
        for n in 1..=3 {
            put_away(&world, n);
        }
        for _ in 0..3 {
            world.sync_and_write_nothing(&format!("{manner:?}: put away")).await;
        }
        assert_eq!((world.account.shows().len(), world.phone.shows().len()), (20, 20), "{manner:?}");
        let words = "it was moved there to a folder that is not kept in step; at its account it stays where it is";
        assert_eq!(listed(&mut world), [words; 3], "{manner:?}");
        // What is changed elsewhere goes on, and nothing is put back.
        let there = world.account.find_one(&text(1));
        world.account.change(there, |message| message.keywords = ["$flagged".to_owned()].into());
        assert_eq!(world.sync().await.exit, 0, "{manner:?}");
        assert!(world.phone.shows().contains(&at("INBOX", 1, &["$flagged"])), "{manner:?}");
        assert_eq!(inside(&world.laptop, "INBOX").len(), 17, "{manner:?}");
        // One comes back, one is deleted there.
        let back = world.laptop.find_one(&text(2));
        world.laptop.change(back, |message| carry(message, "account/mail/Work", "account/mail/INBOX"));
        let deleted = world.laptop.find_one(&text(3));
        world.laptop.change(deleted, |message| message.at.clear());
        assert_eq!(world.sync().await.exit, 0, "{manner:?}");
        assert_eq!(listed(&mut world), [words], "{manner:?}");
        let away = if manner == Manner::Labels { "Archive" } else { "Trash" };
        assert_eq!(inside(&world.account, away), [at(away, 3, &["$seen"])], "{manner:?}: what is deleted is");
        world.sync_and_write_nothing(&format!("{manner:?}: still put away")).await;
        taken_up(&mut world, &format!("{manner:?}: put away")).await;
        assert_eq!(inside(&world.account, "Work"), [at("Work", 1, &["$flagged"])], "{manner:?}");
        assert_eq!(listed(&mut world), Vec::<String>::new(), "{manner:?}");
    }
}

#[tokio::test]
async fn what_is_put_away_on_a_device_and_copied_elsewhere_there_gets_that_place_too() {
    for manner in BOTH {
        let mut world = with_a_folder_of_its_own(manner).await;
        put_away(&world, 1);
        world.sync_and_write_nothing("put away").await;
        world.laptop.put(&text(1), &["account/mail/Archive"], &["$seen"]);
        assert_eq!(world.sync().await.exit, 0, "{manner:?}");
        for place in [&world.account, &world.phone] {
            assert_eq!(inside(place, "Archive"), [at("Archive", 1, &["$seen"])], "{manner:?}");
            assert_eq!(inside(place, "INBOX").len(), 20, "{manner:?}");
        }
        world.sync_and_write_nothing("copied").await;
    }
}

#[tokio::test]
async fn however_many_are_put_away_every_question_has_its_turn() {
    let mut world = with_a_folder_of_its_own(Manner::Folders).await;
    let name = {
        let here = world.laptop.find_one(&text(1));
        world.laptop.message(here).at["account/mail/INBOX"].clone()
    };
    put_away(&world, 1);
    // As many copies as are asked about in one run, all of which stand where that file stands.
    let laptop = world.hub.replica("laptop", true).unwrap().id;
    let known = world.hub.placement(laptop, &format!("account/mail/INBOX|{name}").as_str().into()).unwrap().unwrap();
    for n in 0..4_000 {
        let seen = Seen {
            remote_id: format!("{n:04}|{name}").as_str().into(),
            collection: "account/mail/INBOX".into(),
            etag: known.etag.clone(),
            rendering: known.seen.clone(),
            uid: None,
            mark: None,
            modified_ms: None,
        };
        world.hub.add_placement(known.item, laptop, known.collection, known.agreed, &seen).unwrap();
    }
    let deleted = world.laptop.find_one(&text(5));
    world.laptop.change(deleted, |message| message.at.clear());
    for _ in 0..2 {
        world.sync().await;
    }
    assert_eq!(world.account.writes(), ["move to Trash"]);
}

#[tokio::test]
async fn a_draft_that_is_small_again_goes_on_also_where_all_is_listed_anew() {
    for manner in BOTH {
        let mut world = World::with_twenty(manner).await;
        world.scope = at_most(1_000);
        let there = world.account.put(&draft(500), &["INBOX"], &["$draft"]);
        world.sync().await;
        world.account.change(there, |message| message.bytes = draft(2_000));
        world.sync().await;
        assert!(world.laptop.has(&draft(500)), "{manner:?}: as it was");
        // In the run that lists everything it is as large, then it shrinks.
        for (bytes, here) in [(2_000, 500), (700, 700)] {
            world.account.change(there, |message| message.bytes = draft(bytes));
            let settings = Settings { full_check: true, ..world.settings() };
            let report = world.run_with(settings).await.unwrap();
            assert_eq!(report.exit, 0, "{manner:?}, {bytes}: {report:?}");
            assert!(world.laptop.has(&draft(here)) && world.phone.has(&draft(here)), "{manner:?}, {bytes}");
        }
        world.settled(&format!("{manner:?}")).await;
    }
}

/// A draft of so many bytes.
fn draft(bytes: usize) -> Vec<u8> {
    let mut text = text(60);
    text.resize(bytes, b'x');
    text
}

#[tokio::test]
async fn a_draft_that_grows_past_the_limit_is_frozen_and_goes_on_when_it_is_small_again() {
    for manner in BOTH {
        let mut world = World::with_twenty(manner).await;
        world.scope = at_most(1_000);
        let there = world.account.put(&draft(500), &["INBOX"], &["$draft"]);
        assert_eq!(world.sync().await.exit, 0, "{manner:?}");
        assert!(world.laptop.has(&draft(500)), "{manner:?}");
        world.account.change(there, |message| message.bytes = draft(600));
        assert_eq!(world.sync().await.exit, 0, "{manner:?}");
        assert!(world.laptop.has(&draft(600)), "{manner:?}: as long as it is within the limit");
        let bodies = world.account.bodies();
        world.account.change(there, |message| message.bytes = draft(2_000));
        for _ in 0..3 {
            world.sync_and_write_nothing(&format!("{manner:?}: grown")).await;
        }
        assert_eq!(world.account.bodies(), bodies, "{manner:?}: it is not read");
        assert!(world.laptop.has(&draft(600)) && world.phone.has(&draft(600)), "{manner:?}: as it was");
        // Nor is anything of it written.
        world.laptop.change(world.laptop.find_one(&draft(600)), |message| _ = message.keywords.insert("$seen".into()));
        world.sync_and_write_nothing(&format!("{manner:?}: marked")).await;
        let account = world.hub.replica("account", false).unwrap().id;
        assert_eq!(world.hub.count_beyond(account).unwrap(), 1, "{manner:?}");
        world.account.change(there, |message| message.bytes = draft(700));
        assert_eq!(world.sync().await.exit, 0, "{manner:?}");
        assert!(world.laptop.has(&draft(700)) && world.phone.has(&draft(700)), "{manner:?}");
        world.account.change(there, |message| message.bytes = draft(3_000));
        assert_eq!(world.sync().await.exit, 0, "{manner:?}");
        taken_up(&mut world, &format!("{manner:?}: taken up")).await;
        assert!(world.laptop.has(&draft(3_000)), "{manner:?}");
    }
}

#[tokio::test]
async fn a_copy_that_its_account_moves_beside_another_in_a_folder_left_out_leaves_the_devices() {
    let mut world = World::with_twenty(Manner::Folders).await;
    world.laptop.change(world.laptop.find_one(&text(1)), |message| {
        let name = message.at["account/mail/INBOX"].clone();
        message.at.insert("account/mail/Work".to_owned(), name);
    });
    world.sync().await;
    world.settled("copied").await;
    world.scope = without(&["Work"]);
    world.sync().await;
    let stands = |world: &World, mailbox: &str| {
        let ids = world.account.ids().into_iter().map(|id| (id, world.account.message(id)));
        let mut found = ids.filter(|(_, message)| message.bytes == text(1) && message.at.contains_key(mailbox));
        found.next().map(|(id, _)| id)
    };
    let there = stands(&world, "INBOX").unwrap();
    world.account.change(there, |message| carry(message, "INBOX", "Work"));
    for run in 0..3 {
        let report = world.sync().await;
        assert_eq!(report.exit, 0, "{run}: {report:?}");
        for place in [&world.laptop, &world.phone] {
            assert_eq!((inside(place, "INBOX").len(), inside(place, "Work").len()), (19, 1), "{run}");
        }
    }
    world.sync_and_write_nothing("moved").await;
    assert_eq!(inside(&world.account, "Work").len(), 2);
    let written = world.account.writes();
    taken_up(&mut world, "moved beside another").await;
    assert_eq!(world.account.writes(), written);
    assert_eq!(inside(&world.laptop, "Work").len(), 2);
}

/// Nothing is written of what is left out, so that a message which a device moves out of there stands there at its account until it is taken up.
#[tokio::test]
async fn a_file_that_is_moved_out_of_a_folder_left_out_is_moved_at_the_account_when_that_is_taken_up() {
    for manner in BOTH {
        // Under its own name, and as another program does it.
        for is_of_its_name in [true, false] {
            let what = format!("{manner:?}, {is_of_its_name}");
            let mut world = World::with_work(manner).await;
            world.scope = without(&["Work"]);
            world.sync().await;
            let here = world.laptop.find_one(&text(31));
            match is_of_its_name {
                true => world.laptop.change(here, |message| {
                    carry(message, "account/mail/Work", "account/mail/INBOX");
                }),
                false => {
                    world.laptop.change(here, |message| message.at.clear());
                    world.laptop.put(&text(31), &["account/mail/INBOX"], &["$seen"]);
                }
            }
            assert_eq!(world.sync().await.exit, 0, "{what}");
            for place in [&world.account, &world.phone] {
                assert!(place.shows().contains(&at("INBOX", 31, &["$seen"])), "{what}");
                assert_eq!(inside(place, "Work").len(), 10, "{what}: nothing of what is left out is written");
            }
            world.sync_and_write_nothing(&what).await;
            taken_up(&mut world, &what).await;
            assert_eq!(inside(&world.account, "INBOX").len(), 21, "{what}");
            assert_eq!(inside(&world.account, "Work").len(), 9, "{what}: it was moved");
            let first = if manner == Manner::Labels { "copy to INBOX" } else { "create in INBOX" };
            assert_eq!(world.account.writes()[0], first, "{what}: what is left out is no source of another message");
        }
    }
}

#[tokio::test]
async fn what_was_moved_and_is_left_out_before_it_was_read_is_read_once_in_a_run_at_most() {
    for (from, to) in [("INBOX", "Work"), ("Work", "INBOX")] {
        for scope in [at_most(1_000), inside_archive()] {
            let what = format!("{from} to {to}, {scope:?}");
            let mut world = World::new(Manner::Folders);
            let there = world.account.put(&draft(600), &[from], &["$draft", "$seen"]);
            world.sync().await;
            assert!(world.laptop.has(&draft(600)), "{what}");
            // Written on and moved, and not read yet.
            world.account.limit_bodies(Some(0));
            world.account.change(there, |message| {
                message.bytes = draft(700);
                carry(message, from, to);
            });
            world.sync().await;
            world.account.change(there, |message| message.bytes = draft(2_000));
            world.account.limit_bodies(None);
            world.scope = scope;
            let before: usize = world.account.bodies().iter().sum();
            let run = tokio::time::timeout(std::time::Duration::from_secs(20), world.sync());
            assert!(run.await.is_ok(), "{what}: a run comes to its end");
            assert!(world.account.bodies().iter().sum::<usize>() <= before + 1, "{what}: it is read once");
        }
    }
}

fn inside_archive() -> Scope {
    Scope { include: vec![twofold_model::email::scope::Name::parse("Archive").unwrap()], ..Scope::default() }
}
