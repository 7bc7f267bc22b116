//! Bytes that are here when an account is read for the first time: on a device, or brought without a place.

use super::left_out::{at_most, since};
use super::*;
use twofold_hub::Offer;
use twofold_model::email::Sheet;
use twofold_model::{BlobId, Uid};

/// Messages 1 to 30, with the line ends of a Unix tool.
fn kept(n: usize) -> Vec<u8> {
    String::from_utf8(text(n)).unwrap().replace("\r\n", "\n").into_bytes()
}

/// An account with thirty messages, of which a laptop holds the first `here`.
fn filled(manner: Manner, here: usize) -> World {
    filled_of(manner, 30, here)
}

/// An account with so many messages, of which a laptop holds the first `here`.
fn filled_of(manner: Manner, all: usize, here: usize) -> World {
    let world = World::new(manner);
    world.laptop.add_mailbox("account/mail/INBOX", None);
    for n in 1..=all {
        world.account.put(&text(n), &["INBOX"], &["$seen"]);
    }
    for n in 1..=here {
        world.laptop.put(&kept(n), &["account/mail/INBOX"], &["$seen"]);
    }
    world
}

/// Stores what somebody brought for the account.
fn bring(world: &mut World, n: usize, uid: Option<&str>) {
    let bytes = kept(n);
    let (blob, _) = world.blobs.put(&mut &bytes[..]).unwrap();
    let mut sheet = Sheet { received_ms: Some(77), ..Sheet::default() };
    sheet.set_message(&blob, &bytes);
    let account = world.hub.replica("account", false).unwrap().id;
    let offer = Offer { name: n.to_string(), uid: uid.map(Uid::from), rendering: sheet.write().unwrap() };
    assert!(world.hub.offer(account, &offer).unwrap());
    assert_eq!(blob, BlobId::of(&bytes));
}

/// What the laptop shows, but for line ends.
fn subjects(place: &Office) -> Vec<(String, String)> {
    let plain = |(mailbox, text, _): (String, String, Vec<String>)| (mailbox, text.replace("\r\n", "\n"));
    place.shows().into_iter().map(plain).collect()
}

#[tokio::test]
async fn promise_13_what_a_device_holds_is_not_read_once_more() {
    for manner in BOTH {
        let mut world = filled(manner, 20);
        let report = world.sync().await;
        assert_eq!(report.exit, 0, "{manner:?}: {report:?}");
        assert_eq!(world.account.bodies(), [1; 10], "{manner:?}: those that are nowhere here");
        assert_eq!(world.account.writes(), Vec::<String>::new(), "{manner:?}");
        for place in [&world.laptop, &world.phone] {
            assert_eq!(subjects(place), subjects(&world.account), "{manner:?}");
        }
        let headers = if manner == Manner::Labels { vec![1; 30] } else { Vec::new() };
        assert_eq!(world.account.headers(), headers, "{manner:?}");
        let before = world.writes();
        assert_eq!(world.sync().await.exit, 0);
        assert_eq!(world.writes(), before, "{manner:?}: a further run writes nothing");
        assert_eq!(world.account.bodies(), [1; 10], "{manner:?}");
    }
}

#[tokio::test]
async fn two_candidates_pair_nobody_and_another_subject_is_another_message() {
    for manner in BOTH {
        let mut world = filled(manner, 0);
        // The account has a second one of that id, and the laptop one of that id that says something else.
        world.account.put(&text(1), &["Work"], &["$seen"]);
        let other = String::from_utf8(text(2)).unwrap().replace("Message 2", "Message 2b");
        world.laptop.put(&kept(1), &["account/mail/INBOX"], &["$seen"]);
        world.laptop.put(other.as_bytes(), &["account/mail/INBOX"], &["$seen"]);
        world.laptop.put(&kept(3), &["account/mail/INBOX"], &["$seen"]);
        world.sync().await;
        let read = world.account.bodies().len();
        match manner {
            Manner::Labels => assert_eq!(read, 30, "but for the third"),
            // In a folder of its own the first is the only one.
            _ => assert_eq!(read, 29, "but for the first and the third"),
        }
        assert!(world.account.has(other.as_bytes()), "{manner:?}: it is a message of its own");
    }
}

#[tokio::test]
async fn what_was_brought_for_an_account_fills_every_device_and_says_nothing_of_places() {
    for named in [true, false] {
        let mut world = filled(Manner::Labels, 0);
        world.account.put(&text(31), &["INBOX", "Work"], &[]);
        for n in 1..=31 {
            bring(&mut world, n, named.then(|| format!("m{n}")).as_deref());
        }
        // One that the account has no more.
        bring(&mut world, 40, named.then_some("m40"));
        assert_eq!(world.sync().await.exit, 0);
        assert_eq!(world.account.bodies(), Vec::<usize>::new(), "{named}");
        assert_eq!(world.account.writes(), Vec::<String>::new(), "{named}");
        assert_eq!(world.account.headers().len(), if named { 0 } else { 31 });
        assert_eq!(subjects(&world.laptop), subjects(&world.account), "{named}");
        let account = world.hub.replica("account", false).unwrap().id;
        assert_eq!(world.hub.offers_count(account).unwrap(), 0, "nobody lacks anything any more");
        let before = world.writes();
        assert_eq!(world.sync().await.exit, 0);
        assert_eq!(world.writes(), before);
    }
}

/// What was read, starred and put elsewhere at its account since the tree was filled, in which it was not, or was answered.
#[tokio::test]
async fn promise_13_an_old_tree_takes_no_mark_off_what_was_put_elsewhere_since_and_adds_its_own() {
    for manner in [Manner::Labels, Manner::Alone] {
        let mut world = filled(manner, 0);
        for n in 1..=4 {
            let words: &[&str] = if n > 2 { &["$answered"] } else { &[] };
            world.laptop.put(&text(n), &["account/mail/INBOX"], words);
            world.account.change(world.account.find_one(&text(n)), |message| {
                carry(message, "INBOX", "Work");
                message.keywords = ["$flagged", "$seen"].map(str::to_owned).into();
            });
        }
        assert_eq!(world.sync().await.exit, 0, "{manner:?}");
        let before = world.writes();
        assert_eq!((world.sync().await.exit, world.writes()), (0, before), "{manner:?}");
        let both: &[&str] = &["$flagged", "$seen"];
        let all: &[&str] = &["$answered", "$flagged", "$seen"];
        for place in [&world.account, &world.laptop, &world.phone] {
            let mut there: Vec<Vec<String>> =
                place.shows().into_iter().filter(|row| row.0 == "Work").map(|row| row.2).collect();
            there.sort();
            assert_eq!(there, [all, all, both, both], "{manner:?}");
        }
    }
}

#[tokio::test]
async fn promise_8_an_old_tree_brings_nothing_back_that_left_its_folder_long_ago() {
    for manner in BOTH {
        let mut world = filled(manner, 20);
        // Ten that were deleted, and ten that were put elsewhere since.
        for n in 1..=10 {
            let there = world.account.find_one(&text(n));
            world.account.change(there, |message| message.at.clear());
        }
        for n in 11..=20 {
            let there = world.account.find_one(&text(n));
            world.account.change(there, |message| carry(message, "INBOX", "Work"));
        }
        let report = world.sync().await;
        assert_eq!(report.exit, 4, "{manner:?}: {report:?}");
        assert_eq!(world.account.writes(), Vec::<String>::new(), "{manner:?}");
        assert_eq!(world.account.shows().len(), 20, "{manner:?}");
        assert_eq!(world.account.bodies().len(), 10, "{manner:?}: the twenty that are left, less those that are here");
        world.sync().await;
        assert_eq!(world.account.writes(), Vec::<String>::new(), "{manner:?}: still held");
    }
}

#[tokio::test]
async fn promise_8_an_old_tree_brings_nothing_back_however_its_messages_are_spread_over_folders() {
    for manner in BOTH {
        for (each, is_held) in [(2, true), (1, false)] {
            let mut world = filled(manner, 30);
            for folder in 0..5 {
                world.account.add_mailbox(&format!("F{folder}"), None);
                world.laptop.add_mailbox(&format!("account/mail/F{folder}"), None);
                for n in 0..each {
                    world.laptop.put(&kept(100 + 10 * folder + n), &[&format!("account/mail/F{folder}")], &["$seen"]);
                }
            }
            let report = world.sync().await;
            if is_held {
                assert_eq!(report.exit, 4, "{manner:?}: {report:?}");
                world.sync().await;
                assert_eq!(world.account.writes(), Vec::<String>::new(), "{manner:?}");
                let holds = world.hub.holds().unwrap();
                assert_eq!(holds.len(), 5, "{holds:?}");
                assert!(holds.iter().all(|hold| hold.reason.contains("are nowhere else, 10 with")), "{holds:?}");
                for hold in holds {
                    world.hub.approve(&hold.id).unwrap();
                }
                world.sync().await;
                assert_eq!(world.account.shows().len(), 40, "{manner:?}: somebody said yes");
            } else {
                assert_eq!((report.exit, world.account.shows().len()), (0, 35), "{manner:?}: five are few");
            }
        }
    }
}

#[tokio::test]
async fn promise_8_an_old_tree_takes_nothing_out_of_the_trash_of_its_account() {
    for manner in BOTH {
        let mut world = filled(manner, 20);
        let there = world.account.find_one(&text(1));
        world.account.change(there, |message| carry(message, "INBOX", "Trash"));
        let report = world.sync().await;
        assert_eq!(report.exit, 4, "{manner:?}: {report:?}");
        assert_eq!(world.account.writes(), Vec::<String>::new(), "{manner:?}");
        let holds = world.hub.holds().unwrap();
        assert!(
            holds.len() == 1 && holds[0].reason.contains("1 of them are in the trash, or were deleted before"),
            "{holds:?}"
        );
        let id = holds[0].id.clone();
        world.hub.approve(&id).unwrap();
        world.sync().await;
        let shown = world.account.shows();
        assert!(shown.contains(&at("INBOX", 1, &["$seen"])), "{manner:?}: somebody said yes: {shown:?}");
    }
}

#[tokio::test]
async fn promise_13_what_stands_in_a_folder_and_in_the_trash_is_paired_in_both() {
    for is_trash_first in [true, false] {
        let mut world = World::new(Manner::Folders);
        let both = if is_trash_first { ["Trash", "INBOX"] } else { ["INBOX", "Trash"] };
        for mailbox in both {
            let here = format!("account/mail/{mailbox}");
            world.laptop.add_mailbox(&here, None);
            world.account.put(&text(1), &[mailbox], &["$seen"]);
            world.laptop.put(&kept(1), &[&here], &["$seen"]);
        }
        assert_eq!(world.sync().await.exit, 0, "{is_trash_first}");
        assert_eq!(world.account.writes(), Vec::<String>::new(), "{is_trash_first}");
        assert_eq!((world.account.shows().len(), world.laptop.shows().len()), (2, 2), "{is_trash_first}");
    }
}

#[tokio::test]
async fn promise_12_an_adoption_that_is_stopped_anywhere_goes_on_and_reads_nothing_that_is_here() {
    for manner in BOTH {
        for at in (0..).step_by(2) {
            let mut world = filled_of(manner, 6, 6);
            if !world.stopped_at(at).await {
                break;
            }
            for _ in 0..2 {
                world.sync().await;
            }
            assert_eq!(world.account.bodies(), Vec::<usize>::new(), "{manner:?} stopped at {at}");
            assert_eq!(world.account.writes(), Vec::<String>::new(), "{manner:?} stopped at {at}");
            assert_eq!(subjects(&world.phone), subjects(&world.account), "{manner:?} stopped at {at}");
            assert_eq!(world.laptop.shows().len(), 6, "{manner:?} stopped at {at}: nothing is doubled");
        }
    }
}

#[tokio::test]
async fn what_is_here_is_given_to_no_message_that_is_too_old_or_too_large() {
    let size = text(9).len() as u64;
    for (scope, out) in [(since(1_000_011), 10), (at_most(size), 21)] {
        for named in [true, false] {
            let mut world = filled(Manner::Labels, 0);
            world.scope = scope.clone();
            // (What was brought says another date, and is smaller.)
            for n in 1..=30 {
                bring(&mut world, n, named.then(|| format!("m{n}")).as_deref());
            }
            let report = world.sync().await;
            assert_eq!(report.exit, 0, "{named}, {out}: {report:?}");
            assert_eq!(world.account.bodies(), Vec::<usize>::new(), "{named}, {out}: all that is taken is here");
            assert_eq!((world.laptop.shows().len(), world.phone.shows().len()), (30 - out, 30 - out), "{named}, {out}");
            let account = world.hub.replica("account", false).unwrap().id;
            assert_eq!(world.hub.count_noted(account).unwrap(), out, "{named}");
            assert_eq!(world.hub.count_beyond(account).unwrap(), 0, "{named}, {out}");
            let before = world.writes();
            assert_eq!(world.sync().await.exit, 0);
            assert_eq!(world.writes(), before, "{named}, {out}");
            world.scope = Scope::default();
            assert_eq!(world.sync().await.exit, 0);
            assert_eq!(world.phone.shows().len(), 30, "{named}, {out}");
        }
    }
}

#[tokio::test]
async fn what_a_device_holds_within_the_limits_is_not_read_once_more() {
    for manner in BOTH {
        let mut world = filled(manner, 20);
        world.scope = since(1_000_011);
        assert_eq!(world.sync().await.exit, 0, "{manner:?}");
        assert_eq!(world.account.bodies(), [1; 10], "{manner:?}");
        assert_eq!(world.phone.shows().len(), 20, "{manner:?}");
        let before = world.writes();
        assert_eq!(world.sync().await.exit, 0, "{manner:?}");
        assert_eq!(world.writes(), before, "{manner:?}");
    }
}

#[tokio::test]
async fn two_files_of_one_message_id_with_other_texts_pair_nobody() {
    for manner in BOTH {
        let mut world = World::new(manner);
        for (place, mailbox) in [(&world.laptop, "INBOX"), (&world.laptop, "Work"), (&world.phone, "INBOX")] {
            place.add_mailbox(&format!("account/mail/{mailbox}"), None);
        }
        for n in 1..=3 {
            world.account.put(&text(n), &["INBOX"], &["$seen"]);
        }
        let other = |n: usize| [kept(n), b"-- \nThe list\n".to_vec()].concat();
        // One in each folder of a device, one on each device; and one that only has other line ends there.
        world.laptop.put(&kept(1), &["account/mail/Work"], &["$seen"]);
        world.laptop.put(&other(1), &["account/mail/INBOX"], &["$seen"]);
        world.laptop.put(&other(2), &["account/mail/INBOX"], &["$seen"]);
        world.phone.put(&kept(2), &["account/mail/INBOX"], &["$seen"]);
        world.laptop.put(&kept(3), &["account/mail/INBOX"], &["$seen"]);
        world.phone.put(&text(3), &["account/mail/INBOX"], &["$seen"]);
        world.sync().await;
        let read: Vec<usize> = if manner == Manner::Labels { vec![1; 2] } else { vec![1] };
        assert_eq!(world.account.bodies(), read, "{manner:?}");
        // What was read is what its account has, and no file's text.
        let account = world.hub.replica("account", false).unwrap().id;
        let (id, remote_id) = match manner {
            Manner::Labels => (1, "1|INBOX"),
            _ => (2, "2"),
        };
        let known = world.hub.placement(account, &remote_id.into()).unwrap().unwrap();
        assert_eq!(Sheet::read(&known.seen).unwrap().blob(), Some(BlobId::of(&text(id))), "{manner:?}");
        assert!(world.laptop.has(&other(1)) && world.laptop.has(&other(2)), "{manner:?}: and nothing is lost");
    }
}

#[tokio::test]
async fn a_draft_is_not_given_the_text_of_a_file_that_somebody_wrote_on() {
    // Where the account has it, what both say of it; a program need not mark its drafts.
    let cases: [(&str, &[&str], &[&str]); 3] =
        [("Drafts", &["$draft"], &["$draft"]), ("Drafts", &["$draft"], &[]), ("Trash", &[], &[])];
    for manner in BOTH {
        for (mailbox, there, here) in cases {
            let mut world = World::new(manner);
            world.account.add_mailbox("Drafts", Some(Role::Drafts));
            world.laptop.add_mailbox("account/mail/Drafts", None);
            world.account.put(&text(1), &[mailbox], there);
            let written_on = [text(1), b"And more\r\n".to_vec()].concat();
            world.laptop.put(&written_on, &["account/mail/Drafts"], here);
            world.sync().await;
            assert_eq!(world.account.bodies(), [1], "{manner:?}, {mailbox}, {here:?}");
            for place in [&world.account, &world.phone] {
                assert!(place.has(&text(1)), "{manner:?}, {mailbox}, {here:?}: what the account has is believed");
            }
            assert!(world.laptop.has(&written_on), "{manner:?}, {mailbox}, {here:?}: and nothing is lost");
        }
    }
}

/// Somebody went on writing a draft at one of two sides: nobody can tell which text is wanted.
#[tokio::test]
async fn a_draft_that_says_something_else_on_a_device_that_is_used_first_is_kept_beside_the_accounts() {
    for manner in BOTH {
        for words in [&["$draft"][..], &[]] {
            let mut world = World::new(manner);
            world.account.add_mailbox("Drafts", Some(Role::Drafts));
            world.laptop.add_mailbox("account/mail/Drafts", None);
            world.account.put(&text(1), &["Drafts"], &["$draft"]);
            world.account.put(&text(2), &["Drafts"], &["$draft"]);
            let written_on = [text(1), b"And more\r\n".to_vec()].concat();
            world.laptop.put(&written_on, &["account/mail/Drafts"], words);
            // Another tool ends its lines otherwise.
            let kept = String::from_utf8(text(2)).unwrap().replace("\r\n", "\n");
            world.laptop.put(kept.as_bytes(), &["account/mail/Drafts"], words);
            world.sync().await;
            world.sync().await;
            let has_both = |place: &Office| place.has(&text(1)) && place.has(&written_on);
            let what = format!("{manner:?}, {words:?}");
            assert!(has_both(&world.account) && has_both(&world.laptop) && has_both(&world.phone), "{what}");
            assert_eq!(
                [&world.account, &world.laptop, &world.phone].map(|place| place.shows().len()),
                [3; 3],
                "{what}"
            );
            world.sync_and_write_nothing(&what).await;
        }
    }
}

/// What a device lacks of an account is known when the bytes of its messages are here, however many runs that takes.
#[tokio::test]
async fn promise_8_after_a_loss_nothing_is_written_to_a_device_that_lacks_many_messages() {
    for manner in BOTH {
        for at_once in [None, Some(4)] {
            let case = format!("{manner:?}, {at_once:?} bodies in a run");
            let mut world = filled(manner, 20);
            twofold_cycle::lost::note(&mut world.hub).unwrap();
            for _ in 0..4 {
                world.account.limit_bodies(at_once);
                world.sync().await;
                assert_eq!((world.laptop.shows().len(), world.phone.shows().len()), (20, 0), "{case}");
            }
            world.account.limit_bodies(None);
            assert_eq!(world.sync().await.exit, 4, "{case}");
            assert_eq!((world.laptop.shows().len(), world.phone.shows().len()), (20, 0), "{case}");
            let holds = world.hub.holds().unwrap();
            let is_told = |words: &str| holds.iter().any(|hold| hold.cause == "lost" && hold.reason.contains(words));
            assert!(is_told("10 of 30 items are not in \"INBOX\" at laptop"), "{case}: {holds:?}");
            assert!(is_told("30 of 30 items are not in \"INBOX\" at phone"), "{case}: {holds:?}");
            holds.iter().for_each(|hold| world.hub.approve(&hold.id).unwrap());
            world.sync().await;
            assert_eq!(subjects(&world.laptop), subjects(&world.account), "{case}: somebody said yes");
            assert_eq!(subjects(&world.phone), subjects(&world.account), "{case}");
            assert_eq!(world.account.writes(), Vec::<String>::new(), "{case}");
        }
    }
}

/// The hub is lost, and what two devices show is older than what the account does.
#[tokio::test]
async fn promise_8_after_a_loss_two_devices_bring_back_nothing_that_moved_at_its_account_since() {
    for manner in [Manner::Labels, Manner::Alone, Manner::Folders] {
        for (moved, to) in [(2, "Archive"), (12, "Archive"), (12, "Work")] {
            for (is_told, is_renamed) in [(true, false), (false, false), (true, true), (false, true)] {
                let what = format!("{manner:?}, {moved} to {to}, told of the loss: {is_told}, renamed: {is_renamed}");
                let mut world = World::with_twenty(manner).await;
                // Another program gave the files names of its own.
                for (device, n) in
                    [&world.laptop, &world.phone].into_iter().flat_map(|it| (1..=20).map(move |n| (it, n)))
                {
                    if is_renamed {
                        device.change(device.find_one(&text(n)), |message| {
                            message.at = message.at.keys().map(|at| (at.clone(), format!("dove{n}"))).collect();
                        });
                    }
                }
                if is_renamed {
                    world.sync().await;
                }
                for n in 1..=moved {
                    world.account.change(world.account.find_one(&text(n)), |message| carry(message, "INBOX", to));
                }
                world.hub = Hub::in_memory().unwrap();
                if is_told {
                    twofold_cycle::lost::note(&mut world.hub).unwrap();
                }
                for _ in 0..3 {
                    world.sync().await;
                    assert_eq!(world.account.writes(), Vec::<String>::new(), "{what}");
                }
                let ids: Vec<String> = world.hub.holds().unwrap().into_iter().map(|hold| hold.id).collect();
                ids.iter().for_each(|id| world.hub.approve(id).unwrap());
                world.sync().await;
                assert_eq!(world.account.writes(), Vec::<String>::new(), "{what}");
                world.settled(&what).await;
            }
        }
    }
}

/// A device is filled from an older copy of itself, in which files have names that another program gave them.
#[tokio::test]
async fn promise_8_an_older_copy_of_a_device_brings_back_nothing_that_moved_at_its_account_since() {
    for manner in [Manner::Labels, Manner::Alone, Manner::Folders] {
        for (moved, name) in [(3, true), (12, true), (3, false)] {
            let what = format!("{manner:?}, {moved}, named by another program: {name}");
            let mut world = World::with_twenty(manner).await;
            for n in (1..=20).filter(|_| name) {
                world.laptop.change(world.laptop.find_one(&text(n)), |message| {
                    message.at = message.at.keys().map(|at| (at.clone(), format!("dove{n}"))).collect();
                });
            }
            world.sync().await;
            for n in 1..=moved {
                world.account.change(world.account.find_one(&text(n)), |message| carry(message, "INBOX", "Archive"));
            }
            world.sync().await;
            world.settled(&what).await;
            let (archive, inbox) = ("account/mail/Archive", "account/mail/INBOX");
            for n in 1..=moved {
                world.laptop.change(world.laptop.find_one(&text(n)), |message| carry(message, archive, inbox));
            }
            let laptop = world.hub.replica("laptop", true).unwrap();
            world.hub.meet_anew(laptop.id).unwrap();
            world.sync().await;
            assert_eq!(world.account.writes(), Vec::<String>::new(), "{what}");
            world.settled(&what).await;
        }
    }
}

#[tokio::test]
async fn after_a_loss_a_device_that_lacks_few_messages_gets_them_in_the_run_that_has_read_all() {
    for manner in BOTH {
        let mut world = filled(manner, 29);
        for n in 1..=28 {
            world.phone.put(&kept(n), &["account/mail/INBOX"], &["$seen"]);
        }
        world.phone.add_mailbox("account/mail/INBOX", None);
        twofold_cycle::lost::note(&mut world.hub).unwrap();
        assert_eq!(world.sync().await.exit, 0, "{manner:?}");
        for place in [&world.laptop, &world.phone] {
            assert_eq!(subjects(place), subjects(&world.account), "{manner:?}");
        }
        world.account.put(&text(31), &["Work"], &[]);
        assert_eq!(world.sync().await.exit, 0, "{manner:?}");
        assert_eq!(subjects(&world.phone), subjects(&world.account), "{manner:?}: the loss is over");
    }
}

#[tokio::test]
async fn a_dry_run_says_how_many_messages_are_here_already_and_how_many_would_be_read_and_made() {
    for manner in BOTH {
        for is_brought in [false, true] {
            let case = format!("{manner:?}, brought: {is_brought}");
            let mut world = filled(manner, if is_brought { 0 } else { 20 });
            (1..=20).filter(|_| is_brought).for_each(|n| bring(&mut world, n, Some(&format!("m{n}"))));
            let settings = Settings { dry_run: true, ..world.settings() };
            let report = world.run_with(settings).await.unwrap();
            let row = |name: &str| report.replicas.iter().find(|row| row.name == name).unwrap();
            // Of labels only headers say which message is which, and a dry run asks for none.
            let is_told = manner == Manner::Folders || is_brought;
            let account = (row("account").taken_over, row("account").may_be_here, row("account").would_read);
            assert_eq!(account, if is_told { (20, 0, 10) } else { (0, 20, 30) }, "{case}: {report:?}");
            let made = ["laptop", "phone"].map(|name| row(name).sent_created);
            let lacks = if is_brought { [20, 20] } else { [0, 20] };
            assert_eq!(made, if is_told { lacks } else { [0, 0] }, "{case}: {report:?}");
            assert_eq!(world.account.headers().len() + world.account.bodies().len(), 0, "{case}: nothing is read");
            assert_eq!(world.writes().concat(), Vec::<String>::new(), "{case}");
            let report = world.sync().await;
            assert_eq!(report.replicas.iter().find(|row| row.name == "account").unwrap().taken_over, 20, "{case}");
            assert_eq!(world.account.bodies(), [1; 10], "{case}");
        }
    }
}

/// A message as a list sends it on: the same Message-ID, subject, sender and date, and other bytes.
fn by_a_list(n: usize) -> Vec<u8> {
    [text(n), b"-- \r\nThe list\r\n".to_vec()].concat()
}

#[tokio::test]
async fn promise_13_a_direct_copy_and_that_of_a_list_are_two_messages_when_a_device_is_used_first() {
    for (manner, is_list_first) in BOTH.into_iter().flat_map(|manner| [(manner, false), (manner, true)]) {
        let what = format!("{manner:?}, the list's is met first: {is_list_first}");
        let mut world = World::new(manner);
        world.laptop.add_mailbox("account/mail/INBOX", None);
        world.account.put(&text(1), &["INBOX"], &[]);
        // A device lists what came last first.
        let mut files = [by_a_list(1), text(1)];
        if is_list_first {
            files.reverse();
        }
        files.iter().for_each(|bytes| _ = world.laptop.put(bytes, &["account/mail/INBOX"], &[]));
        for _ in 0..2 {
            world.sync().await;
        }
        world.account.change(world.account.find_one(&text(1)), |message| message.keywords = ["$flagged".into()].into());
        for _ in 0..2 {
            world.sync().await;
        }
        for bytes in [text(1), by_a_list(1)] {
            let count = |place: &Office| place.shows().iter().filter(|(_, body, _)| body.as_bytes() == bytes).count();
            assert!(
                count(&world.laptop) == 1,
                "{what}: {} on the laptop: {}",
                count(&world.laptop),
                String::from_utf8_lossy(&bytes)
            );
        }
    }
}

#[tokio::test]
async fn promise_13_files_of_one_message_id_are_paired_once_all_of_their_account_was_read() {
    for files in [vec![by_a_list(1), text(1)], vec![text(1)]] {
        let mut world = World::new(Manner::Folders);
        world.laptop.add_mailbox("account/mail/INBOX", None);
        for bytes in [text(1), by_a_list(1)] {
            world.account.put(&bytes, &["INBOX"], &[]);
        }
        files.iter().for_each(|bytes| _ = world.laptop.put(bytes, &["account/mail/INBOX"], &[]));
        world.account.limit_bodies(Some(1));
        world.sync().await;
        world.account.limit_bodies(None);
        for _ in 0..2 {
            world.sync().await;
        }
        assert_eq!((world.laptop.shows(), world.phone.shows()), (world.account.shows(), world.account.shows()));
        world.account.change(world.account.find_one(&text(1)), |message| message.at.clear());
        world.sync().await;
        assert_eq!(world.laptop.shows(), world.account.shows(), "the file of the other one stays");
        assert_eq!(world.phone.shows(), world.account.shows());
    }
}

#[tokio::test]
async fn a_file_that_comes_into_a_folder_in_use_gives_its_bytes_to_no_message_of_its_account() {
    for manner in BOTH {
        let mut world = World::new(manner);
        world.account.put(&text(2), &["INBOX"], &[]);
        world.account.put(&text(3), &["Work"], &[]);
        world.sync().await;
        // What the list made of it, and one's own copy.
        world.account.put(&by_a_list(1), &["INBOX"], &[]);
        world.laptop.put(&text(1), &["account/mail/Work"], &["$seen"]);
        for _ in 0..2 {
            world.sync().await;
        }
        for place in [&world.account, &world.laptop, &world.phone] {
            for (mailbox, bytes) in [("INBOX", by_a_list(1)), ("Work", text(1))] {
                let is_it = |(at, body, _): &(String, String, Vec<String>)| at == mailbox && body.as_bytes() == bytes;
                let shows = place.shows();
                assert_eq!(shows.iter().filter(|shown| is_it(shown)).count(), 1, "{manner:?}: {shows:?}");
            }
        }
    }
}
