//! The bytes of messages over the years: how long they stay, and when they go (promise 4).

use super::{BOTH, HOUR_MS, World, text};
use crate::office::Manner;
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use twofold_cycle::Settings;
use twofold_model::blob::MemoryBlobs;
use twofold_model::{BlobId, Blobs, Error, ErrorKind, Result};

const DAY_MS: i64 = 24 * HOUR_MS;

impl World {
    fn has_bytes(&self, n: usize) -> bool {
        self.blobs.has(&BlobId::of(&text(n))).unwrap()
    }

    /// The bytes of everything that is shown anywhere, and of everything that the hub names, are here.
    fn misses_no_bytes(&self, what: &str) {
        for place in [&self.account, &self.laptop, &self.phone] {
            for (_, text, _) in place.shows() {
                assert!(self.blobs.has(&BlobId::of(text.as_bytes())).unwrap(), "{what}: {text}");
            }
        }
        let is_here = |blob: &BlobId| {
            assert!(self.blobs.has(blob)?, "{what}: {blob}");
            Ok(())
        };
        self.hub.each_named_blob(is_here).unwrap();
    }

    /// So many days later there are a run, which finds a clock that moved, and another one, which believes it.
    async fn leap(&mut self, days: i64) {
        self.now.fetch_add(days * DAY_MS, Ordering::SeqCst);
        self.sync().await;
        self.run_on(1).await;
    }

    /// A run every two hours.
    async fn run_on(&mut self, times: usize) {
        for _ in 0..times {
            self.now.fetch_add(2 * HOUR_MS, Ordering::SeqCst);
            self.sync().await;
            // At once: the next run may put them again.
            self.misses_no_bytes("a run later");
        }
    }

    /// Two messages that nobody has any more, one of them with a twin; and one that was never anybody's.
    async fn with_losses(manner: Manner) -> World {
        let mut world = World::with_twenty(manner).await;
        for n in [1, 2] {
            let there = world.account.find_one(&text(n));
            world.account.change(there, |message| message.at.clear());
        }
        if manner == Manner::Folders {
            world.account.put(&text(2), &["Work"], &[]);
        }
        world.sync().await;
        let kept = if manner == Manner::Folders { 19 } else { 18 };
        assert_eq!(world.laptop.shows().len(), kept);
        world
    }
}

#[tokio::test]
async fn promise_4_bytes_stay_for_the_retention_time_and_go_after_it_unless_somebody_else_has_them() {
    for manner in BOTH {
        let mut world = World::with_losses(manner).await;
        world.leap(179).await;
        assert!((1..=20).all(|n| world.has_bytes(n)), "{manner:?}: within the retention time");
        world.leap(2).await;
        assert!(!world.has_bytes(1), "{manner:?}: after it");
        assert_eq!(world.has_bytes(2), manner == Manner::Folders, "{manner:?}: those that another message has too");
        world.misses_no_bytes(&format!("{manner:?}"));
        world.settled("long after").await;
    }
}

#[tokio::test]
async fn bytes_that_a_stopped_run_left_behind_are_found_within_some_months_and_those_of_others_never() {
    let mut world = World::with_twenty(Manner::Labels).await;
    let orphans: Vec<BlobId> = (100..600).map(|n| world.blobs.put(&mut &text(n)[..]).unwrap().0).collect();
    world.leap(29).await;
    world.run_on(5).await;
    assert!(orphans.iter().all(|blob| world.blobs.has(blob).unwrap()), "not looked for yet");
    world.leap(2).await;
    let left = orphans.iter().filter(|blob| world.blobs.has(blob).unwrap()).count();
    assert!(left > 400, "a part in each run: {left}");
    world.run_on(15).await;
    assert!(!orphans.iter().any(|blob| world.blobs.has(blob).unwrap()));
    world.misses_no_bytes("swept");
    // And again, from the beginning, a month later.
    let (late, _) = world.blobs.put(&mut &text(700)[..]).unwrap();
    world.run_on(20).await;
    assert!(world.blobs.has(&late).unwrap());
    world.leap(31).await;
    world.run_on(15).await;
    assert!(!world.blobs.has(&late).unwrap());
    world.misses_no_bytes("swept again");
}

#[tokio::test]
async fn a_run_that_lets_go_of_bytes_may_be_stopped_at_every_step() {
    let mut at = 0;
    loop {
        let mut world = World::with_losses(Manner::Folders).await;
        world.leap(179).await;
        assert!(world.has_bytes(1));
        world.now.fetch_add(2 * DAY_MS, Ordering::SeqCst);
        let is_stopped = world.stopped_at(at).await;
        let what = format!("stopped at step {at}");
        world.misses_no_bytes(&what);
        // What the next runs do not let go of is left for a sweep.
        world.run_on(20).await;
        assert!(!world.has_bytes(1), "{what}");
        world.misses_no_bytes(&what);
        world.settled(&what).await;
        if !is_stopped {
            break;
        }
        at += 1;
    }
    assert!(at > 10, "only {at} steps");
}

/// A store that counts the changes which no flush has made durable yet.
#[derive(Default)]
struct Counting {
    blobs: MemoryBlobs,
    waiting: AtomicUsize,
}

impl Blobs for Counting {
    fn put(&self, source: &mut dyn Read) -> Result<(BlobId, u64)> {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        self.blobs.put(source)
    }

    fn open(&self, id: &BlobId) -> Result<Box<dyn Read + Send>> {
        self.blobs.open(id)
    }

    fn flush(&self) -> Result<()> {
        self.waiting.store(0, Ordering::SeqCst);
        Ok(())
    }

    fn has(&self, id: &BlobId) -> Result<bool> {
        self.blobs.has(id)
    }

    fn list(&self, first: u8) -> Result<Vec<BlobId>> {
        self.blobs.list(first)
    }

    fn remove(&self, id: &BlobId) -> Result<()> {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        self.blobs.remove(id)
    }
}

#[tokio::test]
async fn nothing_is_committed_while_bytes_wait_to_be_durable() {
    for manner in BOTH {
        let blobs = Arc::new(Counting::default());
        let mut world = World::keeping(manner, blobs.clone());
        let (commits, counted) = (Arc::new(AtomicUsize::new(0)), blobs.clone());
        let count = commits.clone();
        world.hub.set_steps(Some(Box::new(move |step: &str| {
            let waiting = counted.waiting.load(Ordering::SeqCst);
            let is_committed = step.ends_with(": after");
            count.fetch_add(usize::from(is_committed), Ordering::SeqCst);
            assert!(!is_committed || waiting == 0, "{manner:?}: {waiting} changes wait at {step}");
            Ok(())
        })));
        for n in 1..=5 {
            world.account.put(&text(n), &["INBOX"], &[]);
        }
        world.laptop.put(&text(6), &["account/mail/INBOX"], &[]);
        world.phone.put(&text(7), &["account/mail/INBOX"], &["$draft"]);
        world.sync().await;
        for place in [&world.account, &world.laptop] {
            let there = place.find_one(&text(3));
            place.change(there, |message| message.at.clear());
        }
        let there = world.laptop.find_one(&text(4));
        world.laptop.change(there, |message| message.keywords.extend(["$flagged".to_owned()]));
        world.sync().await;
        world.leap(179).await;
        world.leap(2).await;
        assert!(!world.has_bytes(3) && world.has_bytes(6));
        assert_eq!(
            blobs.waiting.load(Ordering::SeqCst),
            0,
            "{manner:?}: at the end, what was removed is gone for good"
        );
        assert!(commits.load(Ordering::SeqCst) > 20);
    }
}

/// A store on a disk that lists and removes nothing.
struct Stubborn(Arc<dyn Blobs>);

impl Blobs for Stubborn {
    fn put(&self, source: &mut dyn Read) -> Result<(BlobId, u64)> {
        self.0.put(source)
    }

    fn open(&self, id: &BlobId) -> Result<Box<dyn Read + Send>> {
        self.0.open(id)
    }

    fn flush(&self) -> Result<()> {
        self.0.flush()
    }

    fn has(&self, id: &BlobId) -> Result<bool> {
        self.0.has(id)
    }

    fn list(&self, _: u8) -> Result<Vec<BlobId>> {
        Err(Error::new(ErrorKind::Broken, "the disk lists nothing"))
    }

    fn remove(&self, _: &BlobId) -> Result<()> {
        Err(Error::new(ErrorKind::Broken, "the disk removes nothing"))
    }
}

#[tokio::test]
async fn bytes_that_cannot_be_removed_are_told_of_and_end_no_run() {
    let mut world = World::with_losses(Manner::Labels).await;
    world.leap(179).await;
    world.now.fetch_add(2 * DAY_MS, Ordering::SeqCst);
    let stubborn =
        |world: &World| Settings { blobs: Some(Arc::new(Stubborn(world.blobs.clone()))), ..world.settings() };
    let settings = stubborn(&world);
    let report = world.run_with(settings).await.unwrap();
    assert!(report.pruned > 0 && report.exit == 1, "{report:?}");
    // Two files, and the sixteen parts of a sweep.
    let told: Vec<&String> = report.troubles.iter().filter(|words| words.contains("the disk")).collect();
    assert!(told[0].contains("(18 failures)"), "{told:?}");
    assert!(world.has_bytes(1) && world.has_bytes(2));
    // A sweep that is due does not end a run either.
    world.now.fetch_add(31 * DAY_MS, Ordering::SeqCst);
    for is_told in [false, true] {
        world.now.fetch_add(2 * HOUR_MS, Ordering::SeqCst);
        let settings = stubborn(&world);
        let report = world.run_with(settings).await.unwrap();
        assert_eq!(report.troubles.iter().any(|words| words.contains("lists nothing")), is_told, "{report:?}");
    }
    // They are found when the disk is well again, by the next sweep at the latest.
    world.run_on(20).await;
    world.leap(31).await;
    world.run_on(20).await;
    assert!(!world.has_bytes(1) && !world.has_bytes(2));
    world.settled("removed at last").await;
}

#[tokio::test]
async fn what_an_account_calls_words_is_kept_for_the_next_run_and_for_that_account_alone() {
    let mut world = World::with_twenty(Manner::Folders).await;
    assert!(world.account.told_names().is_empty());
    world.account.call_word("work", "Work");
    world.account.put(&text(21), &["INBOX"], &["work"]);
    world.sync().await;
    world.sync().await;
    assert_eq!(world.account.told_names(), [("work".to_owned(), "Work".to_owned())].into());
    assert!(world.laptop.told_names().is_empty());
}
