//! Messages through whole cycles: an account with labels or with folders, and two devices, all in memory.

mod alone;
mod between;
mod brake;
mod brought;
mod bytes;
mod copies;
mod ear;
mod emptied;
mod equal;
mod folders;
mod frozen;
mod known;
mod left_out;
mod moving;
mod office;
mod pace;
mod pages;
mod questions;
mod refused;
mod spoiled;
mod words;

use ear::Ear;
use office::{Manner, Message, Office, Watch};
use rand::{Rng, SeedableRng};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use twofold_cycle::{Calls, Party, Report, Settings, cycle};
use twofold_engine::brake::Brake;
use twofold_hub::Hub;
use twofold_model::blob::MemoryBlobs;
use twofold_model::email::Role;
use twofold_model::email::scope::Scope;
use twofold_model::zone::{Rules, Zones};
use twofold_model::{Blobs, Connector, Error, ErrorKind, Kind, Result};

const HOUR_MS: i64 = 3_600_000;

/// No zone is known here: no meeting is.
struct NoZones;

impl Zones for NoZones {
    fn rules(&self, _name: &str) -> Option<Arc<Rules>> {
        None
    }

    fn names(&self) -> Vec<String> {
        Vec::new()
    }
}

struct World {
    hub: Hub,
    blobs: Arc<dyn Blobs>,
    account: Arc<Office>,
    /// A second account, in some tests.
    other: Option<Arc<Office>>,
    laptop: Arc<Office>,
    phone: Arc<Office>,
    now: Arc<AtomicI64>,
    /// What of the account's mail is kept in step.
    scope: Scope,
    /// Who keeps no mail any more.
    without_mail: Option<&'static str>,
    ear: Arc<Ear>,
    calls: Calls,
}

fn text(n: usize) -> Vec<u8> {
    format!("Message-ID: <{n}@example.org>\r\nSubject: Message {n}\r\nFrom: ada@example.org\r\n\r\nBody {n}\r\n")
        .into_bytes()
}

impl World {
    fn new(manner: Manner) -> World {
        World::keeping(manner, Arc::new(MemoryBlobs::default()))
    }

    fn keeping(manner: Manner, blobs: Arc<dyn Blobs>) -> World {
        let account = Office::new("account", manner, blobs.clone());
        for (id, role) in [
            ("INBOX", Some(Role::Inbox)),
            ("Work", None),
            ("Trash", Some(Role::Trash)),
            ("Archive", Some(Role::Archive)),
        ] {
            account.add_mailbox(id, role);
        }
        World {
            hub: Hub::in_memory().unwrap(),
            account,
            other: None,
            laptop: Office::new("laptop", Manner::Files, blobs.clone()),
            phone: Office::new("phone", Manner::Files, blobs.clone()),
            blobs,
            now: Arc::new(AtomicI64::new(1_000 * HOUR_MS)),
            scope: Scope::default(),
            without_mail: None,
            ear: Arc::default(),
            calls: Calls::default(),
        }
    }

    fn settings(&self) -> Settings {
        let now = self.now.clone();
        Settings {
            now_ms: Box::new(move || now.load(Ordering::SeqCst)),
            only_kinds: Vec::new(),
            full_check: false,
            outdated_ms: Box::new(|now_ms| now_ms - 24 * HOUR_MS),
            dry_run: false,
            retention_ms: Some(180 * 24 * HOUR_MS),
            may_mail: false,
            zones: Arc::new(NoZones),
            blobs: Some(self.blobs.clone()),
            retry_quarantined: false,
            left_alone: Vec::new(),
            leaves_alone: true,
            brakes: BTreeMap::from([(Kind::Mail, Brake { percent: 30, count: 2000 })]),
            joins: Vec::new(),
            scopes: BTreeMap::from([("account".to_owned(), self.scope.clone())]),
            progress: self.ear.clone(),
            room: Box::new(|| None),
            calls: self.calls.clone(),
        }
    }

    async fn sync(&mut self) -> Report {
        self.run().await.unwrap()
    }

    async fn run(&mut self) -> Result<Report> {
        let settings = self.settings();
        self.run_with(settings).await
    }

    async fn run_with(&mut self, settings: Settings) -> Result<Report> {
        self.now.fetch_add(60_000, Ordering::SeqCst);
        let party = |name: &str, place: &Arc<Office>, is_device| Party {
            name: name.into(),
            is_device,
            kinds: if self.without_mail == Some(name) { Vec::new() } else { vec![Kind::Mail] },
            absent: BTreeMap::new(),
            account: None,
            connector: Ok(place.clone() as Arc<dyn Connector>),
        };
        let parties = vec![
            party("account", &self.account, false),
            party("laptop", &self.laptop, true),
            party("phone", &self.phone, true),
        ];
        let parties = parties.into_iter().chain(self.other.iter().map(|other| party("other", other, false))).collect();
        cycle(&mut self.hub, parties, &settings).await
    }

    /// A run that is stopped for good at its step `at`; whether it came so far.
    async fn stopped_at(&mut self, at: usize) -> bool {
        let (steps, dead) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let watch: Watch = {
            let (steps, dead) = (steps.clone(), dead.clone());
            Arc::new(move |_: &str| {
                if steps.fetch_add(1, Ordering::SeqCst) == at {
                    dead.store(true, Ordering::SeqCst);
                }
                match dead.load(Ordering::SeqCst) {
                    true => Err(Error::new(ErrorKind::Broken, "stopped")),
                    false => Ok(()),
                }
            })
        };
        let places = [self.account.clone(), self.laptop.clone(), self.phone.clone()];
        places.iter().for_each(|place| place.set_watch(Some(watch.clone())));
        let step = watch.clone();
        self.hub.set_steps(Some(Box::new(move |name: &str| step(name))));
        self.hub.set_dead_switch(dead.clone());
        let _ = self.run().await;
        places.iter().for_each(|place| place.set_watch(None));
        self.hub.set_steps(None);
        self.hub.set_dead_switch(Arc::default());
        dead.load(Ordering::SeqCst)
    }

    /// All places show the same, and a further run writes nothing.
    async fn settled(&mut self, what: &str) {
        assert_eq!(self.laptop.shows(), self.account.shows(), "{what}: laptop and account");
        assert_eq!(self.phone.shows(), self.account.shows(), "{what}: phone and account");
        let before = self.writes();
        let report = self.sync().await;
        assert_eq!(self.writes(), before, "{what}: a further run writes nothing");
        assert_eq!(report.exit, 0, "{what}: {report:?}");
        assert_eq!(self.laptop.shows(), self.account.shows(), "{what}: still");
    }

    fn writes(&self) -> Vec<Vec<String>> {
        [&self.account, &self.laptop, &self.phone].map(|place| place.writes()).to_vec()
    }

    /// Prints where everything stands, if `$TWOFOLD_TRACE` is set.
    fn trace(&self, what: &str) {
        if std::env::var_os("TWOFOLD_TRACE").is_some() {
            for (name, place) in [("account", &self.account), ("laptop", &self.laptop), ("phone", &self.phone)] {
                let rows = place.shows().into_iter().map(|(mailbox, text, words)| {
                    format!("{mailbox}:{}{}", text.split(['<', '@']).nth(1).unwrap_or_default(), words.join(""))
                });
                let rows: Vec<String> = rows
                    .filter(|row| !row.starts_with("INBOX:") || row.split(':').nth(1).is_some_and(|n| n.len() == 8))
                    .collect();
                println!("{what} {name}: {} {}", place.shows().len(), rows.join(" "));
            }
            println!("  writes {:?}", self.account.writes());
        }
    }

    /// Twenty messages in the inbox, and all in step.
    async fn with_twenty(manner: Manner) -> World {
        let mut world = World::new(manner);
        for n in 1..=20 {
            world.account.put(&text(n), &["INBOX"], &["$seen"]);
        }
        world.sync().await;
        world
    }
}

fn carry(message: &mut Message, from: &str, to: &str) {
    let base = message.at.remove(from).unwrap();
    message.at.insert(to.to_owned(), base);
}

fn at(mailbox: &str, n: usize, keywords: &[&str]) -> (String, String, Vec<String>) {
    let keywords = keywords.iter().map(|word| (*word).to_owned()).collect();
    (mailbox.to_owned(), String::from_utf8(text(n)).unwrap(), keywords)
}

const BOTH: [Manner; 2] = [Manner::Labels, Manner::Folders];

#[tokio::test]
async fn a_first_sync_brings_every_message_once_and_writes_nothing_to_the_account() {
    for manner in BOTH {
        let mut world = World::with_twenty(manner).await;
        assert_eq!(world.account.writes(), Vec::<String>::new(), "{manner:?}");
        assert_eq!(world.account.bodies(), [1; 20], "{manner:?}: each body is read once");
        assert_eq!(world.laptop.shows().len(), 20);
        let first = world.laptop.find_one(&text(1));
        assert_eq!(world.laptop.message(first).received_ms, 1_000_001, "the date comes along");
        world.settled("first sync").await;
        assert_eq!(world.account.bodies(), [1; 20], "{manner:?}: nor is it read again");
    }
}

#[tokio::test]
async fn a_message_with_two_labels_is_one_message_in_two_folders() {
    let mut world = World::new(Manner::Labels);
    world.account.put(&text(1), &["INBOX", "Work"], &[]);
    world.sync().await;
    assert_eq!(world.account.bodies(), [1]);
    assert_eq!(world.laptop.shows(), [at("INBOX", 1, &[]), at("Work", 1, &[])]);
    assert_eq!(world.laptop.writes(), ["create in account/mail/INBOX", "copy to account/mail/Work"]);
    world.settled("two labels").await;
}

#[tokio::test]
async fn flags_go_both_ways_in_one_run() {
    for manner in BOTH {
        let mut world = World::with_twenty(manner).await;
        let there = world.account.find_one(&text(1));
        world.account.change(there, |message| message.keywords = ["$flagged".to_owned()].into());
        let here = world.laptop.find_one(&text(2));
        world
            .laptop
            .change(here, |message| message.keywords = ["$answered", "$seen", "work"].map(str::to_owned).into());
        assert_eq!(world.sync().await.exit, 0);
        assert!(world.phone.shows().contains(&at("INBOX", 1, &["$flagged"])));
        assert!(world.account.shows().contains(&at("INBOX", 2, &["$answered", "$seen", "work"])));
        world.settled("flags").await;
        assert_eq!(world.account.bodies(), [1; 20], "{manner:?}: a flag reads no body");
    }
}

#[tokio::test]
async fn a_flag_set_on_one_of_two_files_of_a_message_is_set_on_all() {
    let mut world = World::new(Manner::Labels);
    world.account.put(&text(1), &["INBOX", "Work"], &[]);
    world.sync().await;
    let here = world.laptop.find_one(&text(1));
    world.laptop.change(here, |message| message.keywords = ["$seen".to_owned()].into());
    world.sync().await;
    assert_eq!(world.account.shows(), [at("INBOX", 1, &["$seen"]), at("Work", 1, &["$seen"])]);
    world.settled("one of two files").await;
}

#[tokio::test]
async fn a_message_that_moves_anywhere_moves_everywhere_in_one_run() {
    for manner in BOTH {
        let mut world = World::with_twenty(manner).await;
        let here = world.laptop.find_one(&text(1));
        world.laptop.change(here, |message| carry(message, "account/mail/INBOX", "account/mail/Work"));
        let there = world.account.find_one(&text(2));
        world.account.change(there, |message| carry(message, "INBOX", "Work"));
        let report = world.sync().await;
        assert_eq!(report.exit, 0, "{manner:?}");
        let counts = |name: &str| {
            let row = report.replicas.iter().find(|row| row.name == name).unwrap();
            (row.moved, row.sent_moved, row.taken(), row.sent())
        };
        let told = ["account", "laptop", "phone"].map(counts);
        assert_eq!(told, [(1, 1, 1, 1), (1, 1, 1, 1), (0, 2, 0, 2)], "{manner:?}: moves, and nothing else");
        for place in [&world.account, &world.phone, &world.laptop] {
            assert!(place.shows().contains(&at("Work", 1, &["$seen"])), "{manner:?}");
            assert!(place.shows().contains(&at("Work", 2, &["$seen"])), "{manner:?}");
            assert_eq!(place.shows().len(), 20, "{manner:?}");
        }
        assert_eq!(world.account.writes(), ["move to Work"], "{manner:?}: one step, no copy and no removal");
        world.settled("moved").await;
    }
}

#[tokio::test]
async fn a_program_that_moves_a_file_under_a_new_name_and_marks_it_moves_the_message() {
    for manner in BOTH {
        let mut world = World::with_twenty(manner).await;
        let here = world.laptop.find_one(&text(1));
        world.laptop.change(here, |message| message.at.clear());
        world.laptop.put(&text(1), &["account/mail/Work"], &["$flagged", "$seen"]);
        world.sync().await;
        assert_eq!(world.account.writes(), ["move to Work", "update in Work"], "{manner:?}");
        assert!(world.account.shows().contains(&at("Work", 1, &["$flagged", "$seen"])), "{manner:?}");
        world.settled("moved under a new name").await;
    }
}

/// Dovecot gives a file that it moves another name: it links it there, then takes it away here.
#[tokio::test]
async fn a_file_that_is_moved_after_its_folder_was_listed_and_before_the_other_is_moves_the_message() {
    for manner in BOTH {
        for is_renamed in [true, false] {
            let mut world = World::with_twenty(manner).await;
            // So that folders are compared.
            world.laptop.change(world.laptop.find_one(&text(2)), |message| message.keywords.clear());
            let (laptop, is_done) = (world.laptop.clone(), AtomicBool::new(false));
            world.laptop.set_before_list(Some(Arc::new(move |folder: &str| {
                if folder == "account/mail/Work" && !is_done.swap(true, Ordering::SeqCst) {
                    let here = laptop.find_one(&text(1));
                    if is_renamed {
                        laptop.change(here, |message| message.at.clear());
                        laptop.put(&text(1), &["account/mail/Work"], &["$seen"]);
                    } else {
                        laptop.change(here, |message| carry(message, "account/mail/INBOX", "account/mail/Work"));
                    }
                }
                Ok(())
            })));
            world.sync().await;
            world.laptop.set_before_list(None);
            world.sync().await;
            let case = format!("{manner:?}, under another name: {is_renamed}");
            let moves: Vec<String> =
                world.account.writes().into_iter().filter(|write| !write.starts_with("update")).collect();
            assert_eq!(moves, ["move to Work"], "{case}: no copy, and nothing in the trash");
            assert!(world.account.shows().contains(&at("Work", 1, &["$seen"])), "{case}");
            assert_eq!(world.account.shows().len(), 20, "{case}");
            world.settled(&case).await;
        }
    }
}

/// What was marked at the account is not put away because nobody could look there when it was deleted on a device.
#[tokio::test]
async fn a_deletion_waits_for_a_folder_of_the_account_that_could_not_be_read() {
    for manner in BOTH {
        let mut world = World::with_twenty(manner).await;
        let there = world.account.find_one(&text(1));
        world.account.change(there, |message| _ = message.keywords.insert("$flagged".to_owned()));
        world.laptop.change(world.laptop.find_one(&text(1)), |message| message.at.clear());
        world.account.set_before_list(Some(Arc::new(|feed: &str| match feed {
            "INBOX" | "all" => Err(Error::new(ErrorKind::Unknown, "a page of a proxy")),
            _ => Ok(()),
        })));
        world.sync().await;
        assert_eq!(world.account.writes(), Vec::<String>::new(), "{manner:?}: nobody could look there");
        world.account.set_before_list(None);
        world.sync().await;
        assert!(world.account.shows().contains(&at("INBOX", 1, &["$flagged", "$seen"])), "{manner:?}");
        assert_eq!(world.account.shows().len(), 20, "{manner:?}");
        world.settled("looked at").await;
    }
}

#[tokio::test]
async fn promise_3_what_is_moved_on_a_device_into_a_folder_that_could_not_be_made_stays_where_it_was() {
    for manner in BOTH {
        for is_renamed in [true, false] {
            let case = format!("{manner:?}, under another name: {is_renamed}");
            let mut world = World::with_twenty(manner).await;
            world.laptop.add_mailbox("account/mail/Bills", None);
            let here = world.laptop.find_one(&text(1));
            if is_renamed {
                world.laptop.change(here, |message| message.at.clear());
                world.laptop.put(&text(1), &["account/mail/Bills"], &["$seen"]);
            } else {
                world.laptop.change(here, |message| carry(message, "account/mail/INBOX", "account/mail/Bills"));
            }
            world.account.set_watch(Some(Arc::new(|step: &str| match step {
                "before a mailbox is made" => Err(Error::new(ErrorKind::Unknown, "a page of a proxy")),
                _ => Ok(()),
            })));
            for _ in 0..2 {
                assert_ne!(world.sync().await.exit, 0, "{case}");
                assert_eq!(world.account.writes(), Vec::<String>::new(), "{case}: there is nowhere to move it to yet");
                assert_eq!(world.phone.shows().len(), 20, "{case}");
            }
            world.account.set_watch(None);
            world.sync().await;
            assert_eq!(world.account.writes(), ["move to Bills"], "{case}");
            assert!(world.account.shows().contains(&at("Bills", 1, &["$seen"])), "{case}");
            assert_eq!(world.account.shows().len(), 20, "{case}");
            world.settled(&case).await;
        }
    }
}

/// neomutt writes a file that it moves anew, with a line that says how long it is.
#[tokio::test]
async fn a_file_that_is_moved_and_written_anew_with_lines_that_say_nothing_moves_the_message() {
    for manner in BOTH {
        for is_same in [true, false] {
            let mut world = World::with_twenty(manner).await;
            let here = world.laptop.find_one(&text(1));
            world.laptop.change(here, |message| message.at.clear());
            let old = String::from_utf8(text(1)).unwrap();
            let mut new = old.replacen("\r\n\r\n", "\r\nContent-Length: 8\r\n\r\n", 1).replace("\r\n", "\n");
            if !is_same {
                new += "More\n";
            }
            world.laptop.put(new.as_bytes(), &["account/mail/Work"], &["$flagged", "$seen"]);
            world.sync().await;
            let writes = world.account.writes();
            if !is_same {
                assert!(
                    writes.contains(&"create in Work".to_owned()),
                    "{manner:?}: another text is another message: {writes:?}"
                );
                continue;
            }
            assert_eq!(writes, ["move to Work", "update in Work"], "{manner:?}");
            assert!(world.account.shows().contains(&at("Work", 1, &["$flagged", "$seen"])), "{manner:?}");
            assert_eq!(world.account.shows().len(), 20, "{manner:?}");
            assert_eq!(world.phone.shows(), world.account.shows(), "{manner:?}: as first received");
            // The file stays as it was written, whatever happens to it now.
            let ours = world.laptop.find_one(new.as_bytes());
            world.laptop.change(ours, |message| carry(message, "account/mail/Work", "account/mail/INBOX"));
            world.sync().await;
            world.account.change(world.account.find_one(&text(1)), |message| message.keywords.clear());
            world.sync().await;
            let before = world.writes();
            assert_eq!(world.sync().await.exit, 0, "{manner:?}");
            assert_eq!(world.writes(), before, "{manner:?}: a further run writes nothing");
            assert!(world.account.shows().contains(&at("INBOX", 1, &[])), "{manner:?}");
            let (mut ours, mut theirs) = (world.laptop.shows(), world.account.shows());
            ours.retain(|row| *row != ("INBOX".to_owned(), new.clone(), Vec::new()));
            theirs.retain(|row| *row != at("INBOX", 1, &[]));
            assert_eq!((ours.len(), ours), (19, theirs), "{manner:?}");
        }
    }
}

#[tokio::test]
async fn a_file_copied_to_another_folder_is_a_label_or_a_message_of_its_own() {
    for manner in BOTH {
        let mut world = World::with_twenty(manner).await;
        world.laptop.put(&text(1), &["account/mail/Work"], &["$seen"]);
        world.sync().await;
        assert!(world.account.shows().contains(&at("Work", 1, &["$seen"])));
        assert_eq!(world.account.shows().len(), 21, "{manner:?}");
        assert_eq!(world.account.writes(), ["copy to Work"], "{manner:?}: nothing is sent again");
        world.settled("copied").await;
    }
}

#[tokio::test]
async fn a_mark_that_a_further_copy_still_has_comes_back_where_it_was_taken_away() {
    let mut world = World::with_twenty(Manner::Labels).await;
    let there = world.account.find_one(&text(1));
    world.account.change(there, |message| message.keywords.clear());
    world.laptop.put(&text(1), &["account/mail/Work"], &["$seen"]);
    world.sync().await;
    world.settled("a mark taken away here, and a further copy with it there").await;
    for place in [&world.account, &world.phone, &world.laptop] {
        let rows: Vec<_> = place.shows().into_iter().filter(|(_, body, _)| body.as_bytes() == text(1)).collect();
        assert_eq!(rows, [at("INBOX", 1, &["$seen"]), at("Work", 1, &["$seen"])]);
    }
}

#[tokio::test]
async fn two_copies_of_a_message_that_come_to_stand_in_one_folder_stay_two() {
    let mut world = World::with_twenty(Manner::Folders).await;
    let here = world.laptop.find_one(&text(1));
    // A program that copies a file under its own name.
    world.laptop.change(here, |message| {
        let name = message.at["account/mail/INBOX"].clone();
        message.at.insert("account/mail/Work".to_owned(), name);
    });
    world.sync().await;
    let ids: Vec<u64> =
        world.account.ids().into_iter().filter(|id| *world.account.message(*id).bytes == *text(1)).collect();
    assert_eq!(ids.len(), 2);
    // First one of them goes to where the other one is, then both to a third folder at once.
    for (deeds, at_last) in
        [(&[("Work", "INBOX")][..], "INBOX"), (&[("INBOX", "Archive"), ("INBOX", "Archive")], "Archive")]
    {
        for (from, to) in deeds {
            let id = ids.iter().find(|id| world.account.message(**id).at.contains_key(*from)).copied().unwrap();
            world.account.change(id, |message| carry(message, from, to));
        }
        assert_eq!(world.sync().await.exit, 0);
        for place in [&world.account, &world.phone, &world.laptop] {
            let rows: Vec<_> = place.shows().into_iter().filter(|(_, body, _)| body.as_bytes() == text(1)).collect();
            assert_eq!(rows, [at(at_last, 1, &["$seen"]), at(at_last, 1, &["$seen"])]);
            assert_eq!(place.shows().len(), 21);
        }
        world.settled("two in one folder").await;
    }
}

#[tokio::test]
async fn two_copies_of_a_message_in_one_folder_keep_the_marks_that_each_of_them_has() {
    let mut world = World::with_twenty(Manner::Folders).await;
    let first = world.account.find_one(&text(1));
    // A program that copies a file under its own name.
    world.laptop.change(world.laptop.find_one(&text(1)), |message| {
        let name = message.at["account/mail/INBOX"].clone();
        message.at.insert("account/mail/Work".to_owned(), name);
    });
    world.sync().await;
    let second = *world.account.ids().last().unwrap();
    world.account.change(second, |message| message.keywords = ["$flagged".to_owned()].into());
    world.account.change(first, |message| carry(message, "INBOX", "Work"));
    world.sync().await;
    for place in [&world.account, &world.phone, &world.laptop] {
        let rows: Vec<_> = place.shows().into_iter().filter(|(_, body, _)| body.as_bytes() == text(1)).collect();
        assert_eq!(rows, [at("Work", 1, &["$flagged"]), at("Work", 1, &["$seen"])]);
    }
    world.settled("two in one folder, marked differently").await;
}

#[tokio::test]
async fn a_new_file_becomes_a_message_of_the_account_with_its_date() {
    for manner in BOTH {
        let mut world = World::with_twenty(manner).await;
        let new = world.laptop.put(&text(30), &["account/mail/Work"], &["$seen", "$flagged"]);
        world.laptop.change(new, |message| message.received_ms = 77);
        world.sync().await;
        let there = world.account.find_one(&text(30));
        assert_eq!(world.account.message(there).received_ms, 77);
        assert!(world.phone.shows().contains(&at("Work", 30, &["$flagged", "$seen"])));
        assert_eq!(world.account.creates(), 1);
        world.settled("a new file").await;
    }
}

#[tokio::test]
async fn a_message_that_came_from_a_device_gets_further_labels_as_any_other() {
    let mut world = World::with_twenty(Manner::Labels).await;
    world.laptop.put(&text(30), &["account/mail/INBOX"], &["$seen"]);
    world.sync().await;
    let there = world.account.find_one(&text(30));
    // An account may write a message in its own way, so that its bytes tell nobody which it is.
    world.account.change(there, |message| {
        message.at.insert("Work".into(), "x".into());
        message.bytes.extend(b"X-Added: by the account\r\n");
    });
    world.sync().await;
    assert_eq!(world.account.bodies(), [1; 20], "its bytes are known");
    assert_eq!(world.laptop.shows().iter().filter(|(_, body, _)| body.contains("Body 30")).count(), 2);
    assert!(world.laptop.shows().contains(&at("Work", 30, &["$seen"])), "as it was first received");
}

#[tokio::test]
async fn what_a_round_tells_of_a_message_counts_by_its_age_and_not_by_its_order() {
    for manner in BOTH {
        for age in [1, 2] {
            let mut world = World::with_twenty(manner).await;
            world.account.stamp();
            let there = world.account.find_one(&text(1));
            let mut olds = vec![world.account.copies(there)];
            world.account.change(there, |message| message.keywords = ["$flagged".to_owned()].into());
            olds.push(world.account.copies(there));
            world.account.change(there, |message| message.keywords = ["$flagged", "$seen"].map(str::to_owned).into());
            // After its last state, the round shows an earlier one once more: that of the last run, or the one between.
            let mut old = olds[2 - age].clone();
            old.iter_mut().for_each(|seen| seen.modified_ms = Some(1));
            world.account.echo(old);
            world.sync().await;
            assert!(world.laptop.shows().contains(&at("INBOX", 1, &["$flagged", "$seen"])), "{manner:?}, {age} before");
            world.settled("told").await;
        }
    }
}

#[tokio::test]
async fn a_message_deleted_on_a_device_goes_to_the_trash_or_the_archive_and_is_never_destroyed() {
    for (manner, unmarked) in [(Manner::Labels, "Archive"), (Manner::Folders, "Trash")] {
        let mut world = World::with_twenty(manner).await;
        let marked = world.laptop.find_one(&text(2));
        world.laptop.change(marked, |message| _ = message.deleted.insert("account/mail/INBOX".into()));
        world.sync().await;
        assert_eq!(world.account.writes(), Vec::<String>::new(), "a mark alone moves nothing");
        world.laptop.change(marked, |message| message.at.clear());
        let plain = world.laptop.find_one(&text(1));
        world.laptop.change(plain, |message| message.at.clear());
        world.sync().await;
        assert!(world.account.shows().contains(&at(unmarked, 1, &["$seen"])), "{manner:?}");
        assert!(world.account.shows().contains(&at("Trash", 2, &["$seen"])), "{manner:?}");
        assert_eq!(world.account.shows().len(), 20, "{manner:?}");
        world.settled("deleted").await;
    }
}

#[tokio::test]
async fn a_draft_a_sent_message_or_spam_that_is_deleted_on_a_device_goes_to_the_trash() {
    let roles = [Role::Drafts, Role::Sent, Role::Junk];
    for (manner, role) in BOTH.into_iter().flat_map(|manner| roles.map(|role| (manner, role))) {
        let mut world = World::new(manner);
        world.account.add_mailbox("Fixed", Some(role));
        world.account.put(&text(1), &["Fixed"], &["$seen"]);
        world.account.put(&text(2), &["Fixed"], &["$seen"]);
        world.sync().await;
        let here = world.laptop.find_one(&text(1));
        world.laptop.change(here, |message| message.at.clear());
        world.sync().await;
        assert!(world.account.shows().contains(&at("Trash", 1, &["$seen"])), "{manner:?} {role:?}");
        world.settled("deleted").await;
    }
}

#[tokio::test]
async fn promise_3_a_draft_that_was_written_on_is_not_sent_again_as_long_as_what_became_of_it_cannot_be_found() {
    for manner in BOTH {
        let mut world = World::new(manner);
        world.account.add_mailbox("Drafts", Some(Role::Drafts));
        world.account.put(&text(1), &["Drafts"], &["$draft", "$seen"]);
        world.sync().await;
        world.laptop.change(world.laptop.find_one(&text(1)), |message| message.bytes = text(2));
        let tries = Arc::new(AtomicUsize::new(0));
        let counted = tries.clone();
        world.account.set_watch(Some(Arc::new(move |step: &str| match step {
            "before a write" => {
                counted.fetch_add(1, Ordering::SeqCst);
                Err(Error::new(ErrorKind::Unknown, "no answer"))
            }
            _ => Ok(()),
        })));
        assert_eq!(world.sync().await.exit, 75, "{manner:?}");
        assert_eq!(tries.load(Ordering::SeqCst), 1, "{manner:?}: within a minute a search may not find it yet");
        world.account.set_watch(None);
        for _ in 0..2 {
            world.sync().await;
        }
        assert!(world.account.has(&text(2)), "{manner:?}: {:?}", world.account.writes());
        world.settled("written on").await;
    }
}

/// Where a text cannot be changed in place another message takes its place, and a list shows that one before a write answers.
#[tokio::test]
async fn promise_3_a_draft_that_took_the_place_of_another_and_was_read_before_its_answer_is_one() {
    let mut world = World::new(Manner::Folders);
    world.account.add_mailbox("Drafts", Some(Role::Drafts));
    world.account.add_mailbox("Trash", Some(Role::Trash));
    let old = world.account.put(&text(1), &["Drafts"], &["$draft", "$seen"]);
    world.sync().await;
    world.laptop.change(world.laptop.find_one(&text(1)), |message| message.bytes = text(2));
    world.account.set_watch(Some(Arc::new(|step: &str| match step {
        "before a write" => Err(Error::new(ErrorKind::Unknown, "no answer")),
        _ => Ok(()),
    })));
    assert_eq!(world.sync().await.exit, 75);
    // It was made all the same.
    world.account.stands_instead(old, world.account.put(&text(2), &["Drafts"], &["$draft", "$seen"]));
    world.account.set_watch(None);
    // A run that meets it while nobody knows yet what became of the write.
    world.now.fetch_sub(HOUR_MS / 60, Ordering::SeqCst);
    world.sync().await;
    let report = world.sync().await;
    assert_ne!(report.exit, 1, "{report:?}");
    for _ in 0..3 {
        world.sync().await;
    }
    let is = BTreeSet::from([at("Drafts", 2, &["$draft", "$seen"]), at("Trash", 1, &["$draft", "$seen"])]);
    assert_eq!(BTreeSet::from_iter(world.account.shows()), is);
    for device in [&world.laptop, &world.phone] {
        let texts: Vec<String> = device.shows().into_iter().map(|(_, text, _)| text).collect();
        let is = [text(1), text(2)].map(|text| String::from_utf8(text).unwrap());
        assert_eq!(BTreeSet::from_iter(texts.clone()), BTreeSet::from(is), "{texts:?}");
        assert_eq!(texts.len(), 2);
    }
    world.settled("one took the place of another").await;
}

#[tokio::test]
async fn promise_3_a_draft_on_its_way_to_the_trash_is_not_made_there_once_more() {
    for at in 0.. {
        let mut world = World::new(Manner::Labels);
        world.account.add_mailbox("Drafts", Some(Role::Drafts));
        world.account.put(&text(1), &["Drafts"], &["$draft", "$seen"]);
        world.account.put(&text(2), &["INBOX"], &["$seen"]);
        world.sync().await;
        let here = world.laptop.find_one(&text(1));
        world.laptop.change(here, |message| message.at.clear());
        if !world.stopped_at(at).await {
            break;
        }
        for _ in 0..2 {
            world.sync().await;
        }
        assert_eq!(world.account.creates(), 0, "stopped at {at}: {:?}", world.account.writes());
        assert!(world.account.shows().contains(&self::at("Trash", 1, &["$draft", "$seen"])), "stopped at {at}");
        world.settled(&format!("stopped at {at}")).await;
    }
}

#[tokio::test]
async fn a_trash_that_is_emptied_on_a_device_stays_in_the_account_and_is_not_filled_again() {
    for manner in BOTH {
        let mut world = World::with_twenty(manner).await;
        let there = world.account.find_one(&text(1));
        world.account.change(there, |message| message.at = BTreeMap::from([("Trash".into(), "x".into())]));
        world.sync().await;
        world.settled("in the trash").await;
        let here = world.laptop.find_one(&text(1));
        world.laptop.change(here, |message| message.at.clear());
        let before = world.account.writes();
        for _ in 0..2 {
            assert_eq!(world.sync().await.exit, 0, "{manner:?}");
            assert_eq!(world.account.writes(), before, "{manner:?}");
            assert_eq!((world.laptop.shows().len(), world.phone.shows().len()), (19, 20), "{manner:?}");
        }
        // Taken out of the trash again, it is everywhere.
        world.account.change(there, |message| message.at = BTreeMap::from([("Work".into(), "x".into())]));
        world.sync().await;
        world.settled("back again").await;
        // Thrown away once more, it is in the trash of every device: what was emptied was another time.
        world.account.change(there, |message| message.at = BTreeMap::from([("Trash".into(), "x".into())]));
        world.sync().await;
        assert_eq!((world.laptop.shows(), world.phone.shows()), (world.account.shows(), world.account.shows()));
        world.settled("thrown away again").await;
    }
}

#[tokio::test]
async fn what_the_account_destroys_leaves_the_devices() {
    for manner in BOTH {
        let mut world = World::with_twenty(manner).await;
        let there = world.account.find_one(&text(1));
        world.account.change(there, |message| message.at.clear());
        world.sync().await;
        assert_eq!(world.laptop.shows().len(), 19, "{manner:?}");
        world.settled("destroyed").await;
    }
}

#[tokio::test]
async fn many_messages_archived_at_once_are_no_alarm_and_many_in_the_trash_are() {
    for manner in BOTH {
        for (to, is_held) in [("Archive", false), ("Trash", true)] {
            let mut world = World::with_twenty(manner).await;
            for n in 1..=15 {
                let there = world.account.find_one(&text(n));
                world.account.change(there, |message| message.at = BTreeMap::from([(to.to_owned(), "x".into())]));
            }
            let report = world.sync().await;
            assert_eq!(report.exit == 4, is_held, "{manner:?} to {to}: {report:?}");
            let in_inbox = world.laptop.shows().iter().filter(|(mailbox, ..)| mailbox == "INBOX").count();
            assert_eq!(in_inbox, if is_held { 20 } else { 5 }, "{manner:?} to {to}");
        }
    }
}

#[tokio::test]
async fn a_place_that_is_suddenly_empty_is_held_however_little_stood_in_each_mailbox() {
    for manner in BOTH {
        for (left, is_held) in [(0, true), (1, false)] {
            let mut world = World::new(manner);
            for n in 1..=6 {
                world.account.put(&text(n), &[["INBOX", "Work"][n % 2]], &["$seen"]);
            }
            world.sync().await;
            for n in left + 1..=6 {
                world.account.change(world.account.find_one(&text(n)), |message| message.at.clear());
            }
            let exit = world.sync().await.exit;
            let here = world.laptop.shows().len();
            assert_eq!((exit, here), if is_held { (4, 6) } else { (0, left) }, "{manner:?}, {left} left");
        }
    }
}

#[tokio::test]
async fn a_first_sync_that_is_stopped_goes_on_and_reads_no_message_twice() {
    for manner in BOTH {
        let mut world = World::new(manner);
        for n in 1..=30 {
            world.account.put(&text(n), &["INBOX"], &[]);
        }
        world.account.limit_bodies(Some(12));
        assert_eq!(world.sync().await.exit, 75, "{manner:?}");
        assert_eq!(world.laptop.shows().len(), 12, "{manner:?}: what is here is made");
        let newest: Vec<_> = (19..=30).map(|n| at("INBOX", n, &[])).collect();
        assert_eq!(world.laptop.shows(), newest, "{manner:?}: the newest first");
        // What comes meanwhile is newer than all that is still to be read.
        world.account.put(&text(31), &["INBOX"], &[]);
        world.account.limit_bodies(Some(1));
        assert_eq!(world.sync().await.exit, 75, "{manner:?}");
        assert!(world.laptop.has(&text(31)), "{manner:?}");
        world.account.limit_bodies(None);
        assert_eq!(world.sync().await.exit, 0, "{manner:?}");
        assert_eq!(world.account.bodies(), [1; 31], "{manner:?}");
        world.settled("stopped").await;
    }
}

#[tokio::test]
async fn a_run_that_is_asked_to_stop_before_it_read_what_waits_says_so_and_is_not_aligned() {
    for manner in BOTH {
        let mut world = World::with_twenty(manner).await;
        world.account.put(&text(21), &["INBOX"], &[]);
        world.calls.stop.store(true, Ordering::SeqCst);
        let report = world.sync().await;
        assert_eq!((report.exit, report.stopped), (75, true), "{manner:?}: {:?}", report.troubles);
        assert!(
            report.troubles.iter().any(|words| words.contains("asked to stop")),
            "{manner:?}: {:?}",
            report.troubles
        );
        assert!(!world.laptop.has(&text(21)), "{manner:?}");
        world.calls = Calls::default();
        assert_eq!(world.sync().await.exit, 0, "{manner:?}");
        assert!(world.laptop.has(&text(21)), "{manner:?}: the next run brings it");
    }
}

#[tokio::test]
async fn a_first_sync_that_gives_way_moves_on_by_a_part_a_run_and_reads_no_message_twice() {
    for manner in BOTH {
        let mut world = World::new(manner);
        for n in 1..=450 {
            world.account.put(&text(n), &["INBOX"], &[]);
        }
        world.calls.give_way.store(true, Ordering::SeqCst);
        let mut runs: Vec<(i32, bool, usize)> = Vec::new();
        while runs.last().is_none_or(|(exit, ..)| *exit != 0) {
            assert!(runs.len() < 10, "{manner:?}: {runs:?}");
            let report = world.sync().await;
            assert!(!report.stopped, "{manner:?}");
            runs.push((report.exit, report.gave_way, world.laptop.shows().len()));
            if runs.len() == 1 {
                assert!(world.laptop.shows().contains(&at("INBOX", 450, &[])), "{manner:?}: the newest first");
                assert!(report.troubles.iter().any(|words| words.contains("twofold status")), "{manner:?}: {report:?}");
            }
        }
        assert_eq!(runs, [(75, true, 200), (75, true, 400), (0, false, 450)], "{manner:?}");
        assert_eq!(world.account.bodies(), [1; 450], "{manner:?}");
        assert!(!world.sync().await.gave_way, "{manner:?}: there is nothing to give way with");
        world.settled("gave way").await;
    }
}

#[tokio::test]
async fn a_first_sync_that_dies_while_it_gives_way_goes_on_and_loses_and_doubles_no_message() {
    for manner in BOTH {
        for at in [40, 150, 450] {
            let mut world = World::new(manner);
            for n in 1..=220 {
                world.account.put(&text(n), &["INBOX"], &[]);
            }
            world.calls.give_way.store(true, Ordering::SeqCst);
            assert!(world.stopped_at(at).await, "{manner:?}: it has no step {at}");
            let mut runs = 0;
            while world.sync().await.exit != 0 {
                runs += 1;
                assert!(runs < 5, "{manner:?}, died at step {at}");
            }
            let asked = world.account.bodies();
            assert!(asked.iter().all(|times| (1..=2).contains(times)), "{manner:?}, died at step {at}: {asked:?}");
            assert_eq!(world.laptop.shows().len(), 220, "{manner:?}, died at step {at}");
            assert_eq!(world.account.writes(), Vec::<String>::new(), "{manner:?}, died at step {at}");
            world.settled(&format!("{manner:?}, died at step {at}")).await;
        }
    }
}

#[tokio::test]
async fn a_first_sync_tells_how_far_it_has_come_each_message_once() {
    for manner in BOTH {
        let mut world = World::new(manner);
        for n in 10..40 {
            let mailboxes: &[&str] = if manner == Manner::Labels { &["INBOX", "Work"] } else { &["INBOX"] };
            world.account.put(&text(n), mailboxes, &[]);
        }
        let size = text(10).len() as u64;
        world.account.limit_bodies(Some(12));
        let report = world.sync().await;
        let heard = world.ear.take("account");
        assert_eq!(heard.first(), Some(&(0, 30, 0)), "{manner:?}");
        assert_eq!(heard.last(), Some(&(12, 30, 12 * size)), "{manner:?}");
        let read = report.replicas.iter().find(|row| row.name == "account").unwrap().read;
        assert_eq!((read, world.hub.lacking_messages(account_id(&world)).unwrap()), (12, 18), "{manner:?}");
        world.account.limit_bodies(None);
        world.sync().await;
        let heard = world.ear.take("account");
        assert_eq!(heard.first(), Some(&(0, 18, 0)), "{manner:?}");
        assert_eq!(heard.last(), Some(&(18, 18, 18 * size)), "{manner:?}");
        world.sync().await;
        assert_eq!(world.ear.take("account"), [], "{manner:?}: nothing is to be read");
    }
}

/// The hub's key of the account.
fn account_id(world: &World) -> i64 {
    world.hub.replicas().unwrap().into_iter().find(|replica| replica.name == "account").unwrap().id
}

#[tokio::test]
async fn files_that_are_there_already_are_adopted_and_not_doubled() {
    for manner in BOTH {
        let mut world = World::new(manner);
        world.laptop.add_mailbox("account/mail/INBOX", None);
        for n in 1..=30 {
            world.account.put(&text(n), &["INBOX"], &["$seen"]);
            // Half of them were kept with other line ends.
            let kept = String::from_utf8(text(n)).unwrap();
            let kept = if n % 2 == 0 { kept.replace("\r\n", "\n") } else { kept };
            world.laptop.put(kept.as_bytes(), &["account/mail/INBOX"], &["$seen"]);
        }
        let report = world.sync().await;
        assert_eq!(report.exit, 0, "{manner:?}: {report:?}");
        assert_eq!(world.account.writes(), Vec::<String>::new(), "{manner:?}");
        assert_eq!(world.laptop.writes(), Vec::<String>::new(), "{manner:?}");
        assert_eq!(world.phone.shows().len(), 30, "{manner:?}");
    }
}

#[tokio::test]
async fn while_the_account_is_away_nothing_that_was_deleted_on_a_device_is_decided() {
    let mut world = World::with_twenty(Manner::Labels).await;
    let here = world.laptop.find_one(&text(1));
    world.laptop.change(here, |message| message.at.clear());
    world.account.set_away(true);
    world.sync().await;
    assert_eq!(world.phone.shows().len(), 20);
    assert_eq!(world.laptop.shows().len(), 19, "nor is it put back");
    world.account.set_away(false);
    world.sync().await;
    assert!(world.account.shows().contains(&at("Archive", 1, &["$seen"])));
    world.settled("back").await;
}

/// What people do between two runs, at both sides.
#[tokio::test]
async fn a_move_made_while_the_account_was_away_is_a_move_when_it_is_back() {
    for manner in BOTH {
        let mut world = World::with_twenty(manner).await;
        world.account.set_away(true);
        let here = world.laptop.find_one(&text(1));
        world.laptop.change(here, |message| carry(message, "account/mail/INBOX", "account/mail/Work"));
        world.sync().await;
        world.account.set_away(false);
        let there = world.account.find_one(&text(1));
        world.account.change(there, |message| message.keywords.extend(["$flagged".to_owned()]));
        world.sync().await;
        for place in [&world.account, &world.phone, &world.laptop] {
            let rows: Vec<_> = place.shows().into_iter().filter(|(_, body, _)| body.as_bytes() == text(1)).collect();
            assert_eq!(rows, [at("Work", 1, &["$flagged", "$seen"])], "{manner:?}");
        }
        world.settled("moved while it was away").await;
    }
}

fn a_day(world: &World) {
    let account = |n: usize| world.account.find_one(&text(n));
    let laptop = |n: usize| world.laptop.find_one(&text(n));
    world.account.change(account(1), |message| carry(message, "INBOX", "Work"));
    world.account.change(account(2), |message| message.keywords = ["$flagged".to_owned()].into());
    world.account.change(account(3), |message| message.at.clear());
    world.account.put(&text(31), &["INBOX"], &[]);
    world.laptop.change(laptop(4), |message| carry(message, "account/mail/INBOX", "account/mail/Work"));
    world.laptop.change(laptop(5), |message| message.at.clear());
    world.laptop.put(&text(5), &["account/mail/Work"], &["$seen"]);
    world.laptop.change(laptop(6), |message| message.keywords = ["$seen", "work"].map(str::to_owned).into());
    world.laptop.put(&text(32), &["account/mail/INBOX"], &["$seen"]);
    world.laptop.change(laptop(7), |message| message.at.clear());
}

/// What must stand everywhere after that day.
fn after_the_day(manner: Manner) -> Vec<(String, String, Vec<String>)> {
    let mut shows: Vec<_> = (8..=20).map(|n| at("INBOX", n, &["$seen"])).collect();
    shows.push(at(if manner == Manner::Labels { "Archive" } else { "Trash" }, 7, &["$seen"]));
    shows.extend([1, 4, 5].map(|n| at("Work", n, &["$seen"])));
    shows.extend([at("INBOX", 2, &["$flagged"]), at("INBOX", 6, &["$seen", "work"])]);
    shows.extend([at("INBOX", 31, &[]), at("INBOX", 32, &["$seen"])]);
    shows.sort();
    shows
}

#[tokio::test]
async fn a_run_that_is_stopped_at_any_step_loses_and_doubles_no_message() {
    for manner in BOTH {
        let mut at = 0;
        loop {
            let mut world = World::with_twenty(manner).await;
            a_day(&world);
            let is_stopped = world.stopped_at(at).await;
            for _ in 0..3 {
                world.sync().await;
            }
            assert_eq!(world.account.shows(), after_the_day(manner), "{manner:?}, stopped at step {at}");
            world.settled(&format!("{manner:?}, stopped at step {at}")).await;
            if !is_stopped {
                break;
            }
            at += 1;
        }
        assert!(at > 30, "{manner:?}: only {at} steps");
    }
}

#[tokio::test]
async fn a_first_sync_that_is_stopped_at_any_step_doubles_no_message() {
    for manner in BOTH {
        let mut at = 0;
        loop {
            let mut world = World::new(manner);
            for n in 1..=4 {
                let mailboxes: &[&str] =
                    if n == 1 && manner == Manner::Labels { &["INBOX", "Work"] } else { &["INBOX"] };
                world.account.put(&text(n), mailboxes, &["$seen"]);
            }
            let is_stopped = world.stopped_at(at).await;
            for _ in 0..2 {
                world.sync().await;
            }
            assert_eq!(world.account.writes(), Vec::<String>::new(), "{manner:?}, stopped at step {at}");
            world.settled(&format!("first sync, {manner:?}, stopped at step {at}")).await;
            if !is_stopped {
                break;
            }
            at += 1;
        }
    }
}

/// One deed of somebody's, at a place; `false` where there was nothing to do.
fn deed(rng: &mut impl Rng, world: &World, next: &mut usize, destroyed: &mut BTreeSet<Vec<u8>>) {
    let (place, prefix) = match rng.random_range(0..3) {
        0 => (&world.account, ""),
        1 => (&world.laptop, "account/mail/"),
        _ => (&world.phone, "account/mail/"),
    };
    let mailbox = |rng: &mut dyn rand::RngCore| {
        let name = ["INBOX", "Work", "Archive", "Trash"][(rng.next_u32() % 4) as usize];
        format!("{prefix}{name}")
    };
    let ids = place.ids();
    let Some(id) = ids.get(rng.random_range(0..ids.len().max(1))).copied() else { return };
    let is_account = prefix.is_empty();
    match rng.random_range(0..7) {
        0 => {
            let words: BTreeSet<String> =
                ["$seen", "$flagged", "work"].iter().filter(|_| rng.random()).map(|word| (*word).to_owned()).collect();
            place.change(id, |message| message.keywords = words);
        }
        1 | 2 => {
            let to = mailbox(rng);
            place.change(id, |message| {
                let from = message.at.keys().next().cloned().unwrap();
                if !message.at.contains_key(&to) {
                    carry(message, &from, &to);
                }
            });
        }
        3 => {
            // A program moves a file under a name of its own.
            if !is_account && place.message(id).at.len() == 1 {
                let (bytes, words) = (place.message(id).bytes, place.message(id).keywords);
                place.change(id, |message| message.at.clear());
                let words: Vec<&str> = words.iter().map(String::as_str).collect();
                place.put(&bytes, &[&mailbox(rng)], &words);
            }
        }
        4 => {
            // What nobody else has seen yet goes with its only file.
            if is_account || !world.account.has(&place.message(id).bytes) {
                destroyed.insert(place.message(id).bytes);
            }
            place.change(id, |message| message.at.clear());
        }
        5 => {
            let to = mailbox(rng);
            if !is_account || world.account.is_shared() {
                place.change(id, |message| {
                    let base = message.at.values().next().cloned().unwrap();
                    message.at.entry(to).or_insert(base);
                });
            }
        }
        _ => {
            *next += 1;
            place.put(&text(*next), &[&mailbox(rng)], &["$seen"]);
        }
    }
}

async fn random_life(manner: Manner, seed: u64) {
    let what = format!("{manner:?}, seed {seed}");
    let mut rng = rand::rngs::StdRng::seed_from_u64(seed);
    let mut world = World::with_twenty(manner).await;
    let (mut next, mut destroyed) = (100, BTreeSet::new());
    let mut put: BTreeSet<Vec<u8>> = (1..=20).map(text).collect();
    for _ in 0..rng.random_range(1..5) {
        for _ in 0..rng.random_range(1..6) {
            let before = next;
            deed(&mut rng, &world, &mut next, &mut destroyed);
            world.trace("deed");
            put.extend((before + 1..=next).map(text));
        }
        if rng.random_range(0..3) == 0 {
            let at = rng.random_range(0..60);
            world.stopped_at(at).await;
            world.trace("stopped");
        } else {
            world.sync().await;
            world.trace("synced");
        }
    }
    for _ in 0..4 {
        world.sync().await;
    }
    let shows = world.account.shows();
    for bytes in put.difference(&destroyed) {
        let body = String::from_utf8(bytes.clone()).unwrap();
        assert!(shows.iter().any(|(_, shown, _)| *shown == body), "{what}: lost {body:?}");
        if manner != Manner::Folders {
            world.account.find_one(bytes);
        }
    }
    let kept = |place: &Arc<Office>| {
        // What somebody removed from the trash of one device stays in the others'.
        let mut rows = place.shows();
        rows.retain(|(mailbox, ..)| mailbox != "Trash");
        // A copy beside which nothing was taken away has no way into an archive of what stands nowhere else.
        if manner == Manner::Alone {
            let all = rows.clone();
            let has_others = |body: &str| all.iter().any(|(at, other, _)| other == body && at != "Archive");
            rows.retain(|(mailbox, body, _)| mailbox != "Archive" || !has_others(body));
        }
        rows
    };
    for place in [&world.laptop, &world.phone] {
        let (here, there) = (kept(place), kept(&world.account));
        let lacks: Vec<_> = there.iter().filter(|row| !here.contains(row)).collect();
        let adds: Vec<_> = here.iter().filter(|row| !there.contains(row)).collect();
        assert!(lacks.is_empty() && adds.is_empty(), "{what}: a device lacks {lacks:?} and has {adds:?}");
        assert_eq!(here, there, "{what}: as often");
    }
    let before = world.writes();
    world.sync().await;
    assert_eq!(world.writes(), before, "{what}: a further run writes nothing");
}

#[tokio::test]
async fn random_deeds_and_stops_lose_and_double_no_message() {
    let from: u64 = std::env::var("TWOFOLD_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    let count: u64 = std::env::var("TWOFOLD_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(12);
    for seed in from..from + count {
        for manner in [Manner::Labels, Manner::Folders, Manner::Alone] {
            random_life(manner, seed).await;
        }
    }
}

#[tokio::test]
async fn a_dry_run_says_how_many_messages_would_be_read() {
    for manner in BOTH {
        let mut world = World::with_twenty(manner).await;
        for n in 21..=23 {
            world.account.put(&text(n), &["INBOX"], &[]);
        }
        let settings = Settings { dry_run: true, ..world.settings() };
        let report = world.run_with(settings).await.unwrap();
        assert_eq!(report.replicas[0].would_read, 3, "{manner:?}: {report:?}");
        assert_eq!(world.account.bodies(), [1; 20], "{manner:?}: and reads none");
        let report = world.sync().await;
        assert_eq!((report.replicas[0].read, report.replicas[0].would_read), (3, 0), "{manner:?}");
    }
}

/// Somebody began a message on a device.
#[tokio::test]
async fn promise_3_a_draft_whose_making_was_not_answered_is_the_one_that_the_next_list_shows() {
    for manner in BOTH {
        for is_written_on in [false, true] {
            let case = format!("{manner:?}, written on meanwhile: {is_written_on}");
            let mut world = World::new(manner);
            world.account.add_mailbox("Drafts", Some(Role::Drafts));
            world.sync().await;
            world.laptop.put(&text(1), &["account/mail/Drafts"], &["$draft", "$seen"]);
            world.account.set_watch(Some(Arc::new(|step: &str| match step {
                "after a write" => Err(Error::new(ErrorKind::Unknown, "no answer came")),
                _ => Ok(()),
            })));
            world.sync().await;
            assert_eq!(
                (world.account.creates(), world.account.shows().len()),
                (1, 1),
                "{case}: made, and not answered"
            );
            world.account.set_watch(None);
            let mut texts = BTreeSet::from([text(1)]);
            if is_written_on {
                let there = world.account.find_one(&text(1));
                world.account.change(there, |message| message.bytes = text(2));
                texts.insert(text(2));
            }
            world.sync().await;
            world.sync().await;
            assert_eq!(world.account.creates(), 1, "{case}: there are not two");
            assert_eq!(world.account.shows().len(), 1, "{case}");
            let said: BTreeSet<Vec<u8>> =
                world.laptop.shows().into_iter().map(|(_, text, _)| text.into_bytes()).collect();
            assert!(said.is_subset(&texts) && said.len() == 1, "{case}: {said:?}");
            world.settled(&case).await;
        }
    }
}
