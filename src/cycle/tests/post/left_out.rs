//! What the configuration leaves out is frozen, and compared when it is taken up again (ENGINE 19).

use super::office::{Manner, Office};
use super::{BOTH, World, at, carry, deed, text};
use rand::{Rng, SeedableRng};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use twofold_cycle::{Report, Settings};
use twofold_model::Kind;
use twofold_model::email::scope::{Limits, Name, Scope};

pub(super) fn without(names: &[&str]) -> Scope {
    Scope { exclude: names.iter().map(|name| Name::parse(name).unwrap()).collect(), ..Scope::default() }
}

pub(super) fn since(since_ms: i64) -> Scope {
    Scope { limits: Limits { since_ms: Some(since_ms), max_size: None }, ..Scope::default() }
}

pub(super) fn at_most(bytes: u64) -> Scope {
    Scope { limits: Limits { since_ms: None, max_size: Some(bytes) }, ..Scope::default() }
}

pub(super) fn says(report: &Report, words: &str) -> bool {
    report.troubles.iter().any(|said| said.contains(words))
}

/// The rows of one mailbox.
pub(super) fn inside(place: &Arc<Office>, name: &str) -> Vec<(String, String, Vec<String>)> {
    place.shows().into_iter().filter(|(mailbox, ..)| mailbox == name).collect()
}

impl World {
    /// Twenty messages in the inbox and ten among the work (31 to 40), all in step.
    pub(super) async fn with_work(manner: Manner) -> World {
        let mut world = World::with_twenty(manner).await;
        for n in 31..=40 {
            world.account.put(&text(n), &["Work"], &["$seen"]);
        }
        world.sync().await;
        world.settled("with work").await;
        world
    }

    pub(super) async fn sync_and_write_nothing(&mut self, what: &str) {
        let before = self.writes();
        let report = self.sync().await;
        assert_eq!(report.exit, 0, "{what}: {report:?}");
        assert_eq!(self.writes(), before, "{what}");
    }
}

#[tokio::test]
async fn a_folder_left_out_from_the_first_run_is_read_and_made_nowhere_until_it_is_taken_up() {
    for manner in BOTH {
        let mut world = World::new(manner);
        world.scope = without(&["work"]);
        for n in 1..=3 {
            world.account.put(&text(n), &["INBOX"], &[]);
            world.account.put(&text(30 + n), &["Work"], &[]);
        }
        assert_eq!(world.sync().await.exit, 0);
        assert_eq!(world.account.bodies(), [1; 3], "{manner:?}: only the inbox is read");
        assert_eq!(world.laptop.shows().len(), 3, "{manner:?}");
        assert!(!world.laptop.has_mailbox("account/mail/Work"), "{manner:?}");
        world.sync_and_write_nothing("a second run").await;
        world.scope = Scope::default();
        let report = world.sync().await;
        assert!(says(&report, "\"Work\" is kept in step again"), "{report:?}");
        assert_eq!(world.account.bodies(), [1; 6], "{manner:?}");
        assert_eq!(world.account.writes(), Vec::<String>::new());
        world.settled("taken up").await;
    }
}

#[tokio::test]
async fn whatever_happens_in_a_folder_that_is_left_out_stays_there_until_it_is_taken_up() {
    for manner in BOTH {
        let mut world = World::with_work(manner).await;
        world.scope = without(&["Work"]);
        let report = world.sync().await;
        assert!(says(&report, "\"Work\" is left out from now on") && report.exit == 0, "{report:?}");
        let bodies = world.account.bodies();
        for n in 31..=32 {
            let here = world.laptop.find_one(&text(n));
            world.laptop.change(here, |message| message.at.clear());
        }
        for n in 35..=36 {
            let there = world.account.find_one(&text(n));
            world.account.change(there, |message| message.at.clear());
        }
        let here = world.phone.find_one(&text(39));
        world.phone.change(here, |message| message.keywords = ["$flagged".to_owned()].into());
        world.account.put(&text(41), &["Work"], &[]);
        world.laptop.put(&text(42), &["account/mail/Work"], &[]);
        let before = [&world.account, &world.laptop, &world.phone].map(|place| place.shows());
        for _ in 0..2 {
            world.sync_and_write_nothing("frozen").await;
        }
        assert_eq!([&world.account, &world.laptop, &world.phone].map(|place| place.shows()), before);
        world.scope = Scope::default();
        let report = world.sync().await;
        assert_eq!(report.exit, 0, "{manner:?}: {report:?}");
        let work = inside(&world.account, "Work");
        let mut left: Vec<_> = [33, 34, 37, 38, 40].map(|n| at("Work", n, &["$seen"])).into();
        left.extend([at("Work", 39, &["$flagged"]), at("Work", 41, &[]), at("Work", 42, &[])]);
        left.sort();
        assert_eq!(work, left, "{manner:?}");
        let away = if manner == Manner::Labels { "Archive" } else { "Trash" };
        assert_eq!(inside(&world.account, away).len(), 2, "{manner:?}: what was deleted on the laptop");
        assert_eq!(world.account.bodies().len(), bodies.len() + 1, "{manner:?}: what is held is not read again");
        world.settled("taken up").await;
    }
}

#[tokio::test]
async fn a_message_that_its_account_moves_to_what_is_left_out_leaves_the_devices_and_comes_back() {
    for manner in BOTH {
        let mut world = World::with_work(manner).await;
        world.scope = without(&["Work"]);
        world.sync().await;
        let bodies = world.account.bodies();
        // So many removals would be held.
        for n in 1..=15 {
            let there = world.account.find_one(&text(n));
            world.account.change(there, |message| carry(message, "INBOX", "Work"));
        }
        let report = world.sync().await;
        assert_eq!(report.exit, 0, "{manner:?}: {report:?}");
        assert_eq!((inside(&world.laptop, "INBOX").len(), inside(&world.laptop, "Work").len()), (5, 10), "{manner:?}");
        assert_eq!(world.account.writes(), Vec::<String>::new());
        world.sync_and_write_nothing("moved away").await;
        let there = world.account.find_one(&text(1));
        world.account.change(there, |message| carry(message, "Work", "INBOX"));
        world.sync().await;
        assert!(world.phone.shows().contains(&at("INBOX", 1, &["$seen"])), "{manner:?}");
        assert_eq!(world.account.bodies(), bodies, "{manner:?}: it was held all the time");
        assert_eq!(world.account.writes(), Vec::<String>::new());
        world.scope = Scope::default();
        world.sync().await;
        assert_eq!(world.account.bodies(), bodies, "{manner:?}");
        assert_eq!(world.account.writes(), Vec::<String>::new());
        world.settled("taken up").await;
    }
}

#[tokio::test]
async fn a_file_that_is_moved_into_a_folder_left_out_is_moved_at_the_account_when_that_is_taken_up() {
    for manner in BOTH {
        let mut world = World::with_work(manner).await;
        world.scope = without(&["Work"]);
        world.sync().await;
        let here = world.laptop.find_one(&text(1));
        world.laptop.change(here, |message| carry(message, "account/mail/INBOX", "account/mail/Work"));
        for _ in 0..2 {
            world.sync_and_write_nothing("moved on the laptop").await;
            assert!(world.account.shows().contains(&at("INBOX", 1, &["$seen"])), "{manner:?}");
        }
        world.scope = Scope::default();
        world.sync().await;
        assert!(world.account.shows().contains(&at("Work", 1, &["$seen"])), "{manner:?}");
        assert_eq!(world.account.writes(), ["move to Work"], "{manner:?}");
        world.settled("taken up").await;
    }
}

#[tokio::test]
async fn what_is_deleted_on_a_device_goes_to_the_trash_also_where_that_is_left_out() {
    for manner in BOTH {
        let mut world = World::new(manner);
        world.scope = without(&["role:trash", "role:archive"]);
        for n in 1..=20 {
            world.account.put(&text(n), &["INBOX"], &["$seen"]);
        }
        world.sync().await;
        let here = world.laptop.find_one(&text(1));
        world.laptop.change(here, |message| message.at.clear());
        assert_eq!(world.sync().await.exit, 0);
        let to = if manner == Manner::Labels { "Archive" } else { "Trash" };
        assert_eq!(inside(&world.account, to), [at(to, 1, &["$seen"])], "{manner:?}");
        assert_eq!(world.phone.shows().len(), 19, "{manner:?}");
        world.sync_and_write_nothing("deleted").await;
        world.scope = Scope::default();
        world.sync().await;
        world.settled("taken up").await;
    }
}

#[tokio::test]
async fn messages_too_old_or_too_large_are_not_fetched_and_are_when_the_limit_is_wider() {
    for manner in BOTH {
        // The date of message n is 1,000,000 + n; those with two digits are larger than the others.
        let size = text(20).len() as u64;
        for (scope, out) in [(since(1_000_011), 10), (at_most(text(9).len() as u64), 11), (at_most(size), 0)] {
            let mut world = World::new(manner);
            world.scope = scope;
            for n in 1..=20 {
                world.account.put(&text(n), &["INBOX"], &[]);
            }
            assert_eq!(world.sync().await.exit, 0, "{manner:?}");
            assert_eq!(world.account.bodies(), vec![1; 20 - out], "{manner:?}: no bytes of the others are asked for");
            assert_eq!((world.laptop.shows().len(), world.phone.shows().len()), (20 - out, 20 - out), "{manner:?}");
            let account = world.hub.replica("account", false).unwrap().id;
            assert_eq!(world.hub.count_noted(account).unwrap(), out, "{manner:?}");
            let looks = world.account.looks();
            world.sync_and_write_nothing("narrow").await;
            let settings = Settings { full_check: true, ..world.settings() };
            world.run_with(settings).await.unwrap();
            assert_eq!(world.account.looks(), looks, "{manner:?}: what was left out once is not looked at again");
            assert_eq!(world.hub.count_noted(account).unwrap(), out, "{manner:?}");
            world.scope = Scope::default();
            world.sync().await;
            assert_eq!(world.account.bodies(), [1; 20], "{manner:?}");
            assert_eq!(world.hub.count_noted(account).unwrap(), 0, "{manner:?}");
            world.settled("wider").await;
        }
    }
}

#[tokio::test]
async fn a_message_that_is_held_and_left_out_by_now_is_frozen_wherever_it_stands() {
    for manner in BOTH {
        let mut world = World::with_twenty(manner).await;
        world.scope = since(1_000_011);
        let report = world.sync().await;
        assert!(says(&report, "10 messages that are held are left out") && report.exit == 0, "{report:?}");
        let bodies = world.account.bodies();
        for n in [1, 2, 3] {
            let here = world.laptop.find_one(&text(n));
            world.laptop.change(here, |message| message.at.clear());
        }
        let here = world.laptop.find_one(&text(6));
        world.laptop.change(here, |message| carry(message, "account/mail/INBOX", "account/mail/Work"));
        let there = world.account.find_one(&text(7));
        world.account.change(there, |message| message.keywords.clear());
        let there = world.account.find_one(&text(8));
        world.account.change(there, |message| message.at.clear());
        // And one that somebody has kept for long.
        let old = world.laptop.put(&text(50), &["account/mail/INBOX"], &[]);
        world.laptop.change(old, |message| message.received_ms = 77);
        for _ in 0..2 {
            world.sync_and_write_nothing("narrow").await;
        }
        let settings = Settings { full_check: true, ..world.settings() };
        let before = world.writes();
        assert_eq!(world.run_with(settings).await.unwrap().exit, 0, "{manner:?}");
        assert_eq!(world.writes(), before, "{manner:?}: a full listing neither");
        let laptop = world.hub.replica("laptop", true).unwrap().id;
        assert_eq!(world.hub.count_noted(laptop).unwrap(), 2, "the old file, and the one that was moved");
        assert_eq!(world.phone.shows().len(), 20, "{manner:?}");
        world.scope = Scope::default();
        let report = world.sync().await;
        assert_eq!(report.exit, 0, "{manner:?}: {report:?}");
        let away = if manner == Manner::Labels { "Archive" } else { "Trash" };
        assert_eq!(inside(&world.account, away).len(), 3, "{manner:?}");
        assert!(world.account.shows().contains(&at("Work", 6, &["$seen"])), "{manner:?}");
        assert!(world.phone.shows().contains(&at("INBOX", 7, &[])), "{manner:?}");
        assert!(!world.phone.has(&text(8)) && world.account.has(&text(50)), "{manner:?}");
        // (What a device brought is the account's own by now.)
        assert_eq!(world.account.bodies(), bodies, "{manner:?}");
        world.settled("wider").await;
    }
}

#[tokio::test]
async fn a_dry_run_says_what_would_be_frozen_or_taken_up_and_changes_nothing() {
    let mut world = World::with_work(Manner::Folders).await;
    let lists = world.account.lists();
    world.scope = Scope { limits: since(1_000_011).limits, ..without(&["Work", "Wrok"]) };
    let dry = |world: &World| Settings { dry_run: true, ..world.settings() };
    let settings = dry(&world);
    let report = world.run_with(settings).await.unwrap();
    assert!(says(&report, "\"Work\" would be left out, as the configuration says: its 10 items"), "{report:?}");
    assert!(says(&report, "10 messages that are held would be left out"), "{report:?}");
    assert!(says(&report, "exclude in [account.mail] names \"Wrok\", and there is no such folder"), "{report:?}");
    assert!(world.hub.left_out(Kind::Mail).unwrap().is_empty());
    world.sync().await;
    assert_eq!((world.hub.left_out(Kind::Mail).unwrap().len(), world.account.lists()), (1, lists));
    world.scope = Scope::default();
    let settings = dry(&world);
    let report = world.run_with(settings).await.unwrap();
    assert!(says(&report, "\"Work\" would be kept in step again"), "{report:?}");
    assert!(says(&report, "leave out less than before: all folders would be listed"), "{report:?}");
    assert_eq!(world.hub.left_out(Kind::Mail).unwrap().len(), 1);
    world.sync().await;
    assert!(world.account.lists() > lists, "everything is listed anew");
    world.settled("taken up").await;
}

#[tokio::test]
async fn while_the_account_is_away_nothing_is_taken_up() {
    let mut world = World::with_work(Manner::Folders).await;
    world.scope = Scope { limits: since(1_000_011).limits, ..without(&["Work"]) };
    world.sync().await;
    world.scope = Scope::default();
    world.account.set_away(true);
    world.sync().await;
    let account = world.hub.replica("account", false).unwrap().id;
    assert_eq!(world.hub.left_out(Kind::Mail).unwrap().len(), 1);
    assert!(!world.hub.limits(account).unwrap().is_none());
    world.account.set_away(false);
    world.sync().await;
    assert!(world.hub.left_out(Kind::Mail).unwrap().is_empty() && world.hub.limits(account).unwrap().is_none());
    world.settled("back").await;
}

#[tokio::test]
async fn a_kind_that_is_not_kept_any_more_is_frozen_at_a_provider_and_at_a_device() {
    for manner in BOTH {
        for who in ["account", "phone"] {
            let mut world = World::with_twenty(manner).await;
            world.without_mail = Some(who);
            world.sync_and_write_nothing("narrowed").await;
            let there = world.account.find_one(&text(1));
            world.account.change(there, |message| carry(message, "INBOX", "Work"));
            let here = world.laptop.find_one(&text(2));
            world.laptop.change(here, |message| message.at.clear());
            let phone = world.phone.find_one(&text(3));
            world.phone.change(phone, |message| message.keywords = ["$flagged".to_owned()].into());
            let shown = if who == "account" { &world.account } else { &world.phone }.shows();
            for _ in 0..2 {
                assert_eq!(world.sync().await.exit, 0, "{manner:?}, {who}");
                assert_eq!(
                    if who == "account" { &world.account } else { &world.phone }.shows(),
                    shown,
                    "{manner:?}, {who}"
                );
            }
            if who == "account" {
                assert_eq!((world.laptop.shows().len(), world.phone.shows().len()), (19, 20), "{manner:?}");
                assert!(!world.laptop.shows().contains(&at("INBOX", 3, &["$flagged"])), "{manner:?}");
            }
            world.without_mail = None;
            assert_eq!(world.sync().await.exit, 0, "{manner:?}, {who}");
            assert!(world.account.shows().contains(&at("INBOX", 3, &["$flagged"])), "{manner:?}, {who}");
            world.settled(who).await;
        }
    }
}

#[tokio::test]
async fn a_message_moved_at_two_places_to_what_is_left_out_after_a_stop_stands_there_once_when_that_is_taken_up() {
    for manner in BOTH {
        for step in 0.. {
            let case = format!("{manner:?}, stopped at {step}");
            let mut world = World::new(manner);
            for n in 1..=3 {
                world.account.put(&text(n), &["INBOX"], &["$seen"]);
            }
            world.sync().await;
            let there = world.account.find_one(&text(1));
            world.account.change(there, |message| carry(message, "INBOX", "Trash"));
            // The program gives the file that it moves another name.
            world.phone.change(world.phone.find_one(&text(1)), |message| message.at.clear());
            world.phone.put(&text(1), &["account/mail/Trash"], &["$seen"]);
            let is_stopped = world.stopped_at(step).await;
            for scope in [without(&["Trash"]), Scope::default()] {
                world.scope = scope;
                world.sync().await;
            }
            for place in [&world.account, &world.laptop, &world.phone] {
                assert_eq!(inside(place, "Trash"), [at("Trash", 1, &["$seen"])], "{case}");
            }
            assert_eq!(world.account.writes(), Vec::<String>::new(), "{case}");
            world.settled(&case).await;
            if !is_stopped {
                break;
            }
        }
    }
}

/// Deeds at all places while folders and messages are left out and taken up again: in the end, with nothing left out, nothing is lost
/// and nothing doubled.
async fn random_life(manner: Manner, seed: u64) {
    let what = format!("{manner:?}, seed {seed}");
    let mut rng = rand::rngs::StdRng::seed_from_u64(seed);
    let mut world = World::with_work(manner).await;
    let (mut next, mut destroyed) = (100, BTreeSet::new());
    let mut put: BTreeSet<Vec<u8>> = (1..=20).chain(31..=40).map(text).collect();
    for _ in 0..rng.random_range(2..6) {
        for _ in 0..rng.random_range(1..5) {
            let before = next;
            deed(&mut rng, &world, &mut next, &mut destroyed);
            world.trace("deed");
            put.extend((before + 1..=next).map(text));
        }
        world.scope = match rng.random_range(0..6) {
            0 => Scope::default(),
            1 => without(&["Work"]),
            2 => without(&["Archive", "role:trash"]),
            3 => Scope { include: vec![Name::parse("INBOX").unwrap()], ..Scope::default() },
            4 => since(1_000_000 + rng.random_range(1..40)),
            _ => Scope { limits: at_most(text(9).len() as u64).limits, ..without(&["Work"]) },
        };
        if rng.random_range(0..3) == 0 {
            let at = rng.random_range(0..60);
            world.stopped_at(at).await;
            world.trace("stopped");
        } else {
            world.sync().await;
            world.trace("synced");
        }
    }
    world.scope = Scope::default();
    for _ in 0..5 {
        world.sync().await;
    }
    let shows = world.account.shows();
    for bytes in put.difference(&destroyed) {
        let body = String::from_utf8(bytes.clone()).unwrap();
        assert!(shows.iter().any(|(_, shown, _)| *shown == body), "{what}: lost {body:?}");
    }
    let kept = |place: &Arc<Office>| {
        let mut rows = place.shows();
        rows.retain(|(mailbox, ..)| mailbox != "Trash");
        rows
    };
    assert_eq!(kept(&world.laptop), kept(&world.account), "{what}: laptop");
    assert_eq!(kept(&world.phone), kept(&world.account), "{what}: phone");
    let mut times: BTreeMap<(String, String), usize> = BTreeMap::new();
    for (mailbox, body, _) in &shows {
        *times.entry((mailbox.clone(), body.clone())).or_default() += 1;
    }
    if manner == Manner::Labels {
        assert!(times.values().all(|times| *times == 1), "{what}: doubled in {times:?}");
    }
    let before = world.writes();
    world.sync().await;
    assert_eq!(world.writes(), before, "{what}: a further run writes nothing");
}

#[tokio::test]
async fn random_deeds_while_things_are_left_out_and_taken_up_lose_and_double_no_message() {
    let from: u64 = std::env::var("TWOFOLD_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    let count: u64 = std::env::var("TWOFOLD_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(12);
    for seed in from..from + count {
        for manner in BOTH {
            random_life(manner, seed).await;
        }
    }
}

#[tokio::test]
async fn a_file_whose_move_was_not_made_yet_when_it_came_to_be_beyond_the_limits_is_moved_or_deleted_once_they_are_lifted()
 {
    for (manner, to) in BOTH.into_iter().flat_map(|manner| ["Work", "Trash"].map(|to| (manner, to))) {
        for is_deleted in [false, true] {
            // What happens meanwhile: nothing, a full check, other limits.
            let happens = if is_deleted { 3 } else { 1 };
            for (step, meanwhile) in (1..).step_by(2).flat_map(|step| (0..happens).map(move |what| (step, what))) {
                let case =
                    format!("{manner:?}, to {to}, deleted: {is_deleted}, stopped at {step}, meanwhile {meanwhile}");
                let mut world = World::with_twenty(manner).await;
                let here = world.laptop.find_one(&text(1));
                world
                    .laptop
                    .change(here, |message| carry(message, "account/mail/INBOX", &format!("account/mail/{to}")));
                let was_stopped = world.stopped_at(step).await;
                world.scope = since(1_000_010);
                world.sync().await;
                if is_deleted {
                    world.laptop.change(here, |message| message.at.clear());
                    world.sync().await;
                    // Whatever is listed, or left out besides, meanwhile.
                    match meanwhile {
                        1 => _ = world.run_with(Settings { full_check: true, ..world.settings() }).await.unwrap(),
                        2 => world.scope = since(1_000_011),
                        _ => {}
                    }
                    world.sync().await;
                }
                world.scope = Scope::default();
                for _ in 0..2 {
                    world.sync().await;
                }
                let (account, phone) = (world.account.shows(), world.phone.shows());
                assert_eq!(phone, account, "{case}");
                // A trash that was emptied on a device is not filled there again.
                let mut there: Vec<_> = account.into_iter().filter(|(_, body, _)| body.as_bytes() == text(1)).collect();
                assert_eq!(there.len(), 1, "{case}: {there:?}");
                there.retain(|(mailbox, ..)| mailbox != "Trash");
                let mut shown = world.laptop.shows();
                shown.retain(|(mailbox, body, _)| mailbox != "Trash" && body.as_bytes() == text(1));
                assert_eq!(shown, there, "{case}");
                if !was_stopped && meanwhile + 1 == happens {
                    break;
                }
            }
        }
    }
}

#[tokio::test]
async fn what_was_deleted_on_a_device_and_held_is_no_question_while_limits_leave_it_out_and_one_again_when_they_are_lifted()
 {
    for manner in BOTH {
        for comes_back in [false, true] {
            let what = format!("{manner:?}, comes back: {comes_back}");
            let mut world = World::with_twenty(manner).await;
            let before = world.account.shows();
            let files: Vec<u64> = (1..=15).map(|n| world.laptop.find_one(&text(n))).collect();
            let mut kept = Vec::new();
            for file in &files {
                world.laptop.change(*file, |message| kept.push(std::mem::take(&mut message.at)));
            }
            assert_eq!(world.sync().await.exit, 4, "{what}: too many");
            world.scope = since(1_000_016);
            for _ in 0..2 {
                let report = world.sync().await;
                assert_eq!((report.exit, world.hub.holds().unwrap().len()), (0, 0), "{what}: {report:?}");
            }
            if comes_back {
                for (n, at) in (1..=15).zip(kept) {
                    let file = world.laptop.put(&text(n), &["account/mail/INBOX"], &["$seen"]);
                    world.laptop.change(file, |message| message.at = at);
                }
                world.sync().await;
            }
            world.scope = Scope::default();
            let report = world.sync().await;
            assert_eq!(world.account.shows(), before, "{what}: {report:?}");
            assert_eq!(report.exit, if comes_back { 0 } else { 4 }, "{what}: {report:?}");
            if comes_back {
                assert_eq!(world.laptop.shows(), before, "{what}");
            }
        }
    }
}

#[tokio::test]
async fn what_was_moved_to_the_trash_on_a_device_and_held_is_no_question_while_it_is_left_out_and_is_not_lost() {
    let out = [since(1_000_016), Scope { include: vec![Name::parse("Archive").unwrap()], ..Scope::default() }];
    for (manner, scope) in BOTH.into_iter().flat_map(|manner| out.clone().map(move |scope| (manner, scope))) {
        for is_deleted in [false, true] {
            let what = format!("{manner:?}, {scope:?}, deleted: {is_deleted}");
            let mut world = World::with_twenty(manner).await;
            let files: Vec<u64> = (1..=15).map(|n| world.laptop.find_one(&text(n))).collect();
            for file in &files {
                world.laptop.change(*file, |message| carry(message, "account/mail/INBOX", "account/mail/Trash"));
            }
            assert_eq!(world.sync().await.exit, 4, "{what}: too many");
            world.scope = scope.clone();
            for _ in 0..2 {
                let report = world.sync().await;
                assert_eq!((report.exit, world.hub.holds().unwrap().len()), (0, 0), "{what}: {report:?}");
            }
            if is_deleted {
                files.iter().for_each(|file| world.laptop.change(*file, |message| message.at.clear()));
                world.sync().await;
            }
            world.scope = Scope::default();
            for _ in 0..3 {
                world.sync().await;
            }
            let kept = |place: &Arc<Office>| {
                let mut rows = place.shows();
                rows.retain(|(mailbox, ..)| mailbox != "Trash");
                rows
            };
            let is_held = !world.hub.holds().unwrap().is_empty();
            assert!(is_held || kept(&world.laptop) == kept(&world.account), "{what}: the laptop lacks some for good");
            assert_eq!(kept(&world.phone), kept(&world.account), "{what}");
        }
    }
}
