//! Messages that their account does not let go where a device moved them.

use super::left_out::inside;
use super::office::Manner;
use super::{BOTH, HOUR_MS, World, at, carry, text};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use twofold_cycle::{Party, Settings, cycle};
use twofold_model::{Connector, Error, ErrorKind, Kind};

/// How an account says no: to be tried again, or for good.
const WAYS: [ErrorKind; 3] = [ErrorKind::Forbidden, ErrorKind::Refused, ErrorKind::Unsupported];

/// Twenty messages in step, and one that a device moved to where its account does not take it.
async fn with_one_refused(manner: Manner, kind: ErrorKind) -> World {
    let mut world = World::with_twenty(manner).await;
    world.account.close("Work", kind);
    let here = world.laptop.find_one(&text(1));
    world.laptop.change(here, |message| carry(message, "account/mail/INBOX", "account/mail/Work"));
    world.sync().await;
    let what = format!("{manner:?}, {kind:?}");
    if kind != ErrorKind::Unsupported {
        assert_eq!(world.account.turned_away(), 1, "{what}");
    }
    assert!(world.account.shows().contains(&at("INBOX", 1, &["$seen"])), "{what}");
    for device in [&world.laptop, &world.phone] {
        assert_eq!(device.shows().len(), 20, "{what}");
        assert!(device.shows().contains(&at("Work", 1, &["$seen"])), "{what}: it stays where it was put");
    }
    world
}

/// Nothing of a refusal is told any more.
fn nothing_is_refused(world: &World, what: &str) {
    assert!(world.hub.quarantined().unwrap().is_empty(), "{what}");
    assert!(world.hub.withheld().unwrap().is_empty(), "{what}");
}

#[tokio::test]
async fn a_move_that_its_account_refuses_is_told_and_tried_again_later_and_later() {
    for manner in BOTH {
        for kind in [ErrorKind::Forbidden, ErrorKind::Refused] {
            let what = format!("{manner:?}, {kind:?}");
            let mut world = with_one_refused(manner, kind).await;
            for (hours, tries) in [(0, 1), (2, 2), (1, 2), (2, 3), (2, 3), (3, 4)] {
                world.now.fetch_add(hours * HOUR_MS, Ordering::SeqCst);
                assert_eq!(world.sync().await.exit, 5, "{what}");
                assert_eq!(world.account.turned_away(), tries, "{what}, {hours} hours later");
                let told = world.hub.quarantined().unwrap();
                assert_eq!(told.len(), 1, "{what}");
                assert!(told[0].reason.contains("no message may be put there"), "{what}: {}", told[0].reason);
            }
            world.account.open();
            world.now.fetch_add(9 * HOUR_MS, Ordering::SeqCst);
            world.sync().await;
            assert_eq!(world.account.writes(), ["move to Work"], "{what}");
            nothing_is_refused(&world, &what);
            world.settled(&what).await;
        }
    }
}

/// What a device does with one message of twenty that are in step, each of which is one write at the account.
type Deed = (&'static str, fn(&World));

const DEEDS: [Deed; 2] = [
    ("made", |world| _ = world.laptop.put(&text(50), &["account/mail/INBOX"], &["$seen"])),
    ("marked", |world| {
        world.laptop.change(world.laptop.find_one(&text(1)), |message| _ = message.keywords.insert("$flagged".into()));
    }),
];

#[tokio::test]
async fn whatever_its_account_forbids_is_told_and_tried_again_later_and_later_and_the_rest_goes_on() {
    for manner in BOTH {
        for kind in [ErrorKind::Forbidden, ErrorKind::Refused] {
            for (deed, do_it) in DEEDS {
                let what = format!("{deed}, {manner:?}, {kind:?}");
                let mut world = World::with_twenty(manner).await;
                world.account.shut(kind);
                do_it(&world);
                for (hours, tries) in [(0, 1), (0, 1), (2, 2), (1, 2), (2, 3), (3, 3), (2, 4)] {
                    world.now.fetch_add(hours * HOUR_MS, Ordering::SeqCst);
                    assert_eq!(world.sync().await.exit, 5, "{what}");
                    assert_eq!(world.account.turned_away(), tries, "{what}, {hours} hours later");
                    let told = world.hub.quarantined().unwrap();
                    assert_eq!(told.len(), 1, "{what}");
                    assert!(told[0].reason.contains("no message may be written"), "{what}: {}", told[0].reason);
                }
                // Another device has it all the same, and so has what its account does itself.
                world.account.change(world.account.find_one(&text(2)), |message| carry(message, "INBOX", "Work"));
                world.sync().await;
                assert!(world.laptop.shows().contains(&at("Work", 2, &["$seen"])), "{what}");
                assert_eq!(world.phone.shows(), world.laptop.shows(), "{what}");
                world.account.open();
                world.now.fetch_add(9 * HOUR_MS, Ordering::SeqCst);
                world.sync().await;
                nothing_is_refused(&world, &what);
                world.settled(&what).await;
            }
        }
    }
}

#[tokio::test]
async fn a_label_that_its_account_does_not_let_go_is_told_and_tried_again_later_and_later() {
    let mut world = World::with_twenty(Manner::Labels).await;
    world.account.put(&text(30), &["INBOX", "Work"], &["$seen"]);
    world.sync().await;
    world.account.shut(ErrorKind::Forbidden);
    world.laptop.change(world.laptop.find_one(&text(30)), |message| _ = message.at.remove("account/mail/Work"));
    for (hours, tries) in [(0, 1), (0, 1), (2, 2), (1, 2), (2, 3)] {
        world.now.fetch_add(hours * HOUR_MS, Ordering::SeqCst);
        assert_eq!(world.sync().await.exit, 5);
        assert_eq!(world.account.turned_away(), tries, "{hours} hours later");
    }
    world.account.open();
    world.now.fetch_add(9 * HOUR_MS, Ordering::SeqCst);
    world.sync().await;
    assert_eq!(world.account.writes(), ["delete in Work"]);
    nothing_is_refused(&world, "a label");
    world.settled("a label").await;
}

#[tokio::test]
async fn of_several_labels_each_that_is_refused_waits_and_the_others_are_given() {
    for kind in [ErrorKind::Forbidden, ErrorKind::Refused] {
        let mut world = World::with_twenty(Manner::Labels).await;
        for name in ["Bills", "Travel"] {
            world.account.add_mailbox(name, None);
        }
        world.sync().await;
        ["Work", "Bills"].iter().for_each(|name| world.account.close(name, kind));
        world.laptop.change(world.laptop.find_one(&text(1)), |message| {
            let name = message.at["account/mail/INBOX"].clone();
            for to in ["Work", "Bills", "Travel"] {
                message.at.insert(format!("account/mail/{to}"), name.clone());
            }
        });
        for run in 1..=2 {
            assert_eq!(world.sync().await.exit, 5, "{kind:?}, run {run}");
            assert_eq!((world.account.turned_away(), world.hub.quarantined().unwrap().len()), (2, 2), "{kind:?}");
            assert_eq!(world.account.writes(), ["copy to Travel"], "{kind:?}, run {run}");
            for name in ["INBOX", "Work", "Bills", "Travel"] {
                assert!(world.phone.shows().contains(&at(name, 1, &["$seen"])), "{kind:?}, {name}, run {run}");
            }
        }
        world.account.open();
        world.now.fetch_add(2 * HOUR_MS, Ordering::SeqCst);
        world.sync().await;
        let mut told = world.account.writes();
        told.sort();
        assert_eq!(told, ["copy to Bills", "copy to Travel", "copy to Work"], "{kind:?}");
        nothing_is_refused(&world, &format!("{kind:?}"));
        world.settled(&format!("{kind:?}")).await;
    }
}

#[tokio::test]
async fn what_its_account_forbade_is_tried_at_once_where_somebody_asks_for_it() {
    for manner in BOTH {
        let mut world = World::with_twenty(manner).await;
        world.account.shut(ErrorKind::Forbidden);
        DEEDS.iter().for_each(|(_, do_it)| do_it(&world));
        world.sync().await;
        world.account.open();
        let settings = Settings { retry_quarantined: true, ..world.settings() };
        world.run_with(settings).await.unwrap();
        nothing_is_refused(&world, &format!("{manner:?}"));
        world.settled(&format!("{manner:?}")).await;
    }
}

#[tokio::test]
async fn what_is_marked_on_a_message_that_cannot_be_moved_goes_both_ways() {
    for manner in BOTH {
        for kind in WAYS {
            let what = format!("{manner:?}, {kind:?}");
            let mut world = with_one_refused(manner, kind).await;
            let (there, here) = (world.account.find_one(&text(1)), world.laptop.find_one(&text(1)));
            let steps: [(bool, &[&str]); 6] = [
                (true, &["$flagged", "$seen"]),
                (false, &["$flagged"]),
                (true, &[]),
                (false, &["$seen", "work"]),
                (false, &["$seen"]),
                (true, &["$answered", "$seen"]),
            ];
            for (is_there, words) in steps {
                let set = |keywords: &mut std::collections::BTreeSet<String>| {
                    *keywords = words.iter().map(|word| (*word).to_owned()).collect();
                };
                match is_there {
                    true => world.account.change(there, |message| set(&mut message.keywords)),
                    false => world.laptop.change(here, |message| set(&mut message.keywords)),
                }
                for run in 1..=2 {
                    world.sync().await;
                    assert!(world.account.shows().contains(&at("INBOX", 1, words)), "{what}, {words:?}, run {run}");
                    assert!(world.laptop.shows().contains(&at("Work", 1, words)), "{what}, {words:?}, run {run}");
                    assert!(world.phone.shows().contains(&at("Work", 1, words)), "{what}, {words:?}, run {run}");
                }
                let before = world.writes();
                world.sync().await;
                assert_eq!(world.writes(), before, "{what}, {words:?}: told once");
            }
            assert!(world.hub.conflicts().unwrap().is_empty(), "{what}");
        }
    }
}

#[tokio::test]
async fn where_its_account_puts_a_message_that_it_did_not_let_go_is_where_it_stands() {
    for manner in BOTH {
        for kind in WAYS {
            for to in ["Archive", "Trash", "Work"] {
                let what = format!("{manner:?}, {kind:?}, {to}");
                let mut world = with_one_refused(manner, kind).await;
                let there = world.account.find_one(&text(1));
                world.account.change(there, |message| carry(message, "INBOX", to));
                world.sync().await;
                for place in [&world.account, &world.laptop, &world.phone] {
                    assert_eq!(place.shows().len(), 20, "{what}");
                    assert!(place.shows().contains(&at(to, 1, &["$seen"])), "{what}");
                }
                nothing_is_refused(&world, &what);
                world.settled(&what).await;
            }
        }
    }
}

#[tokio::test]
async fn a_message_that_its_account_did_not_let_go_and_then_destroys_is_gone_everywhere() {
    for manner in BOTH {
        for kind in WAYS {
            let what = format!("{manner:?}, {kind:?}");
            let mut world = with_one_refused(manner, kind).await;
            let there = world.account.find_one(&text(1));
            world.account.change(there, |message| message.at.clear());
            world.sync().await;
            for place in [&world.account, &world.laptop, &world.phone] {
                assert!(!place.has(&text(1)), "{what}");
                assert_eq!(place.shows().len(), 19, "{what}");
            }
            nothing_is_refused(&world, &what);
            world.settled(&what).await;
        }
    }
}

#[tokio::test]
async fn promise_8_many_messages_that_its_account_did_not_let_go_and_then_deletes_are_held() {
    for manner in BOTH {
        for (kind, to) in
            [(ErrorKind::Forbidden, None), (ErrorKind::Refused, Some("Trash")), (ErrorKind::Unsupported, None)]
        {
            let what = format!("{manner:?}, {kind:?}, {to:?}");
            let mut world = World::with_twenty(manner).await;
            world.account.close("Work", kind);
            for n in 1..=15 {
                let here = world.laptop.find_one(&text(n));
                world.laptop.change(here, |message| carry(message, "account/mail/INBOX", "account/mail/Work"));
            }
            world.sync().await;
            assert_eq!(inside(&world.phone, "Work").len(), 15, "{what}");
            for n in 1..=15 {
                let there = world.account.find_one(&text(n));
                world.account.change(there, |message| {
                    message.at = to.map(|to| (to.to_owned(), "x".to_owned())).into_iter().collect();
                });
            }
            for _ in 0..2 {
                assert_eq!(world.sync().await.exit, 4, "{what}: held");
                assert_eq!(inside(&world.phone, "Work").len(), 15, "{what}");
            }
            let ids: Vec<String> = world.hub.holds().unwrap().into_iter().map(|hold| hold.id).collect();
            ids.iter().for_each(|id| world.hub.approve(id).unwrap());
            world.sync().await;
            assert_eq!(inside(&world.phone, "Work").len(), 0, "{what}");
            nothing_is_refused(&world, &what);
            world.settled(&what).await;
        }
    }
}

#[tokio::test]
async fn an_edit_of_a_message_that_its_account_destroys_where_it_did_not_let_it_go_wins() {
    for manner in BOTH {
        for kind in WAYS {
            let what = format!("{manner:?}, {kind:?}");
            let mut world = with_one_refused(manner, kind).await;
            world.account.open();
            world.account.change(world.account.find_one(&text(1)), |message| message.at.clear());
            let here = world.laptop.find_one(&text(1));
            world.laptop.change(here, |message| message.keywords = ["$flagged".to_owned()].into());
            world.sync().await;
            world.sync().await;
            assert!(world.account.shows().contains(&at("Work", 1, &["$flagged"])), "{what}");
            nothing_is_refused(&world, &what);
            world.settled(&what).await;
        }
    }
}

#[tokio::test]
async fn a_device_that_moves_what_was_refused_once_more_is_heard_at_once() {
    for manner in BOTH {
        for kind in WAYS {
            for to in ["INBOX", "Archive"] {
                let what = format!("{manner:?}, {kind:?}, {to}");
                let mut world = with_one_refused(manner, kind).await;
                let here = world.laptop.find_one(&text(1));
                let to_there = format!("account/mail/{to}");
                world.laptop.change(here, |message| carry(message, "account/mail/Work", &to_there));
                world.sync().await;
                for place in [&world.account, &world.laptop, &world.phone] {
                    assert_eq!(place.shows().len(), 20, "{what}");
                    assert!(place.shows().contains(&at(to, 1, &["$seen"])), "{what}");
                }
                nothing_is_refused(&world, &what);
                world.settled(&what).await;
            }
        }
    }
}

#[tokio::test]
async fn what_was_moved_into_a_folder_that_its_account_does_not_take_goes_where_its_account_puts_it() {
    for manner in BOTH {
        for to in [None, Some("Trash"), Some("Archive")] {
            let what = format!("{manner:?}, {to:?}");
            let mut world = World::with_twenty(manner).await;
            world.account.set_watch(Some(Arc::new(|step: &str| match step {
                "before a mailbox is made" => Err(Error::new(ErrorKind::Refused, "no such name")),
                _ => Ok(()),
            })));
            world.laptop.add_mailbox("account/mail/Odd", None);
            let here = world.laptop.find_one(&text(1));
            world.laptop.change(here, |message| carry(message, "account/mail/INBOX", "account/mail/Odd"));
            let there = world.account.find_one(&text(1));
            world.sync().await;
            assert!(world.account.shows().contains(&at("INBOX", 1, &["$seen"])), "{what}");
            world.account.change(there, |message| message.keywords = ["$flagged".to_owned()].into());
            world.sync().await;
            assert!(world.laptop.shows().contains(&at("Odd", 1, &["$flagged"])), "{what}");
            world.account.change(there, |message| match to {
                Some(to) => carry(message, "INBOX", to),
                None => message.at.clear(),
            });
            for run in 1..=2 {
                world.sync().await;
                for place in [&world.account, &world.laptop, &world.phone] {
                    let is_there = to.is_some_and(|to| place.shows().contains(&at(to, 1, &["$flagged"])));
                    assert_eq!(is_there, to.is_some(), "{what}, run {run}");
                    assert_eq!(place.shows().len(), if to.is_some() { 20 } else { 19 }, "{what}, run {run}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_folder_that_its_account_does_not_take_is_listed_also_in_a_run_without_the_device() {
    let mut world = World::with_twenty(Manner::Folders).await;
    let says_no = |kind| -> super::Watch {
        Arc::new(move |step: &str| match step {
            "before a mailbox is made" => Err(Error::new(kind, "no such name")),
            _ => Ok(()),
        })
    };
    world.account.set_watch(Some(says_no(ErrorKind::Unknown)));
    world.laptop.add_mailbox("account/mail/Odd", None);
    world.sync().await;
    assert!(world.hub.quarantined().unwrap().is_empty(), "it may be made yet");
    world.account.set_watch(Some(says_no(ErrorKind::Refused)));
    let account = Party {
        name: "account".into(),
        is_device: false,
        kinds: vec![Kind::Mail],
        absent: std::collections::BTreeMap::new(),
        account: None,
        connector: Ok(world.account.clone() as Arc<dyn Connector>),
    };
    let settings = world.settings();
    let report = cycle(&mut world.hub, vec![account], &settings).await.unwrap();
    let told = world.hub.quarantined().unwrap();
    let names: Vec<&str> = told.iter().map(|one| one.remote_id.as_str()).collect();
    assert_eq!(names, ["folder:account/mail/Odd"; 2], "on the laptop, and on the phone, which has it too");
    assert!(report.troubles.iter().any(|line| line.contains("laptop: folder account/mail/Odd")), "{report:?}");
}

#[tokio::test]
async fn a_folder_whose_name_its_account_refuses_is_told_by_each_run_and_tried_again_later_and_later() {
    for manner in BOTH {
        let mut world = World::with_twenty(manner).await;
        let (watch, tries) = super::folders::refusing("before a mailbox is made");
        world.account.set_watch(Some(watch));
        world.laptop.add_mailbox("account/mail/Odd", None);
        world.laptop.put(&text(40), &["account/mail/Odd"], &[]);
        for (hours, tried) in super::folders::LATER_AND_LATER {
            world.now.fetch_add(hours * HOUR_MS, Ordering::SeqCst);
            let report = world.sync().await;
            assert_eq!((report.exit, tries.load(Ordering::SeqCst)), (5, tried), "{manner:?}, {hours} hours later");
            for device in ["laptop", "phone"] {
                let words = format!("{device}: folder account/mail/Odd");
                let is_said = |line: &String| line.contains(&words) && line.contains("no such name");
                assert!(report.troubles.iter().any(is_said), "{manner:?}, {hours}: {:?}", report.troubles);
            }
            assert_eq!(world.hub.quarantined().unwrap().len(), 2, "{manner:?}, {hours} hours later");
        }
        let settings = Settings { retry_quarantined: true, ..world.settings() };
        world.run_with(settings).await.unwrap();
        assert_eq!(tries.load(Ordering::SeqCst), 4, "{manner:?}: at once, where somebody asks for it");
        world.laptop.call("account/mail/Odd", "Strange");
        world.sync().await;
        assert_eq!(tries.load(Ordering::SeqCst), 5, "{manner:?}: another name is tried at once");
        world.account.set_watch(None);
        world.laptop.call("account/mail/Odd", "Good");
        world.sync().await;
        assert!(world.account.has_mailbox("Good") && world.account.has(&text(40)), "{manner:?}");
        nothing_is_refused(&world, &format!("{manner:?}"));
    }
}
