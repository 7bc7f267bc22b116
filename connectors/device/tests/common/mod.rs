//! A device folder in a temporary place, a clock that tests move, and cards to put there.
#![allow(dead_code, reason = "each test file uses its part")]

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use twofold_device::{Device, DeviceOptions};
use twofold_model::*;

/// Where the test's collection stands.
pub const FRIENDS: &str = "google/contacts/Friends";
const SECOND_NS: i64 = 1_000_000_000;

pub struct World {
    pub dir: tempfile::TempDir,
    pub device: Device,
    /// Nanoseconds that the device's clock is ahead of the real one.
    pub ahead: Arc<AtomicI64>,
    pub known: Known,
    /// The last token of a scan, and what was known then.
    pub told: Mutex<Option<(DeltaToken, Known)>>,
}

/// A card, readable by everybody.
pub fn card(uid: &str, name: &str) -> String {
    format!("BEGIN:VCARD\r\nVERSION:3.0\r\nUID:{uid}\r\nFN:{name}\r\nN:{name};;;;\r\nEND:VCARD\r\n")
}

pub fn options(root: &Path, ahead: &Arc<AtomicI64>) -> DeviceOptions {
    let mut options = DeviceOptions::new("laptop", root, "hub-1", "replica-1");
    options.is_durable = false;
    let ahead = Arc::clone(ahead);
    options.clock = Arc::new(move || {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        i64::try_from(since.as_nanos()).unwrap() + ahead.load(Ordering::Relaxed)
    });
    options
}

pub fn visit(is_known: bool, run: i64) -> Visit {
    Visit { is_known, hub_is_empty: false, is_dry_run: false, run, last_run: run - 1, wrote_run: 0 }
}

impl World {
    /// A folder that nothing has happened to.
    pub fn fresh() -> World {
        World::with(|_| {})
    }

    pub fn with(change: impl FnOnce(&mut DeviceOptions)) -> World {
        let dir = tempfile::tempdir().unwrap();
        // Ten seconds ahead: what a test writes counts as settled, unless it says otherwise.
        let ahead = Arc::new(AtomicI64::new(10 * SECOND_NS));
        let mut options = options(dir.path(), &ahead);
        options.is_known = false;
        change(&mut options);
        World { device: Device::open(options).unwrap(), dir, ahead, known: Known::new(), told: Mutex::default() }
    }

    /// A marked folder with one empty collection.
    pub async fn ready() -> World {
        let world = World::fresh();
        world.make("google/contacts", "Friends").await.unwrap();
        world
    }

    /// A marked folder whose collection holds these cards, all of them known.
    pub async fn agreed_on(cards: &[(&str, &str)]) -> World {
        let mut world = World::ready().await;
        for (uid, name) in cards {
            world.put(&format!("{uid}.vcf"), &card(uid, name));
        }
        world.agree().await;
        world
    }

    /// The same folder, looked at by a new process.
    pub fn reopened(&mut self) {
        self.device = Device::open(options(self.dir.path(), &self.ahead)).unwrap();
    }

    pub fn set_ahead(&self, seconds: i64) {
        self.ahead.store(seconds * SECOND_NS, Ordering::Relaxed);
    }

    pub fn path(&self, file: &str) -> PathBuf {
        self.dir.path().join(FRIENDS).join(file)
    }

    pub fn put(&self, file: &str, text: &str) {
        std::fs::write(self.path(file), text).unwrap();
    }

    /// Comes back when what is written from now on is dated later than the last change of this file.
    pub fn until_later_than(&self, file: &str) {
        let (.., seconds, nanoseconds) = stamps(&self.path(file));
        loop {
            let probe = tempfile::NamedTempFile::new().unwrap();
            let (.., now_s, now_ns) = stamps(probe.path());
            if (now_s, now_ns) > (seconds, nanoseconds) {
                return;
            }
            std::thread::yield_now();
        }
    }

    pub fn text(&self, file: &str) -> String {
        std::fs::read_to_string(self.path(file)).unwrap()
    }

    /// Everything in the collection's folder but marker and `displayname`.
    pub fn files(&self) -> BTreeMap<String, String> {
        std::fs::read_dir(self.path(""))
            .unwrap()
            .map(|entry| entry.unwrap())
            .filter(|entry| {
                !["displayname", "color", ".twofold-collection"].contains(&entry.file_name().to_str().unwrap_or(""))
            })
            .map(|entry| {
                let text = std::fs::read(entry.path()).unwrap();
                (entry.file_name().to_string_lossy().into_owned(), String::from_utf8_lossy(&text).into_owned())
            })
            .collect()
    }

    pub async fn make(&self, parent: &str, name: &str) -> Result<Collection> {
        self.device.create_collection(Kind::Contacts, &like(parent, name)).await
    }

    pub fn feed(&self, id: &str) -> Feed {
        Feed { id: id.into(), kind: Kind::Contacts, collections: vec![id.into()] }
    }

    pub async fn try_scan(&self) -> Result<Vec<Entry>> {
        let feed = self.feed(FRIENDS);
        let (mut since, mut entries) = (Since::Start, Vec::new());
        loop {
            let poll = Poll { feed: &feed, since: since.clone(), known: &self.known };
            let page = self.device.changes(&[poll]).await.pop().unwrap()?;
            entries.extend(page.entries);
            match page.next {
                Next::Page(next) => since = Since::Page(next),
                Next::Done(token) => {
                    self.is_as_told(&entries, &token).await;
                    return Ok(entries);
                }
            }
        }
    }

    /// A token promises that a comparison with what was known then finds nothing, for as long as the device answers that all is as it
    /// was: whoever asks by the last one hears of whatever a comparison tells.
    async fn is_as_told(&self, entries: &[Entry], token: &DeltaToken) {
        let feed = self.feed(FRIENDS);
        let last = self.told.lock().unwrap().take();
        if let Some((last, known)) = last
            && known == self.known
        {
            let poll = Poll { feed: &feed, since: Since::Token(last), known: &Known::new() };
            match self.device.changes(&[poll]).await.pop().unwrap() {
                Ok(page) => assert!(page.entries.is_empty() && entries.is_empty(), "hidden by a token: {entries:?}"),
                Err(error) => assert_eq!(error.kind, ErrorKind::TokenExpired, "{error}"),
            }
        }
        if !token.as_str().is_empty() {
            assert!(entries.is_empty(), "a token after something was said: {entries:?}");
            *self.told.lock().unwrap() = Some((token.clone(), self.known.clone()));
        }
    }

    pub async fn scan(&self) -> Vec<Entry> {
        self.try_scan().await.unwrap()
    }

    /// What the scan says, in one sorted line per entry.
    pub async fn scan_words(&self) -> Vec<String> {
        words(&self.scan().await)
    }

    /// Takes everything that the scan says, as the hub would.
    pub async fn agree(&mut self) {
        for entry in self.scan().await {
            match entry {
                Entry::Seen(seen) => drop(self.known.insert(seen.remote_id, seen.etag)),
                Entry::Gone(id) => drop(self.known.remove(&id)),
                Entry::Renamed { from, to } => {
                    let etag = self.known.remove(&from).unwrap();
                    self.known.insert(to, etag);
                }
                Entry::Bad { .. } => {}
            }
        }
    }

    pub async fn fetch(&self, file: &str) -> Result<Option<Seen>> {
        self.device.fetch(Kind::Contacts, &[place(file)]).await.pop().unwrap()
    }

    pub async fn write(&self, operation: Operation) -> Result<Written> {
        self.device.write(Kind::Contacts, &[operation]).await.pop().unwrap()
    }

    pub fn update(&self, file: &str, to: &str) -> Operation {
        let place = place(file);
        let etag = self.known[&place.remote_id].clone();
        Operation::Update { place, etag, from: Rendering(Vec::new()), to: Rendering(to.as_bytes().to_vec()) }
    }

    pub fn delete(&self, file: &str) -> Operation {
        let place = place(file);
        let etag = self.known[&place.remote_id].clone();
        Operation::Delete { place, etag }
    }

    pub async fn find(&self, uid: &str) -> Result<Found> {
        let lookup = Lookup { mark: mark(), uid: uid.into(), collection: FRIENDS.into(), sent_ms: 0 };
        self.device.find(Kind::Contacts, &[lookup], 0).await.pop().unwrap()
    }
}

pub fn like(parent: &str, name: &str) -> Collection {
    Collection {
        id: parent.into(),
        kind: Kind::Contacts,
        name: name.into(),
        color: None,
        is_default: false,
        role: None,
        access: Access::ReadWrite,
    }
}

pub fn place(file: &str) -> Place {
    Place { remote_id: remote(file), collection: FRIENDS.into() }
}

pub fn remote(file: &str) -> RemoteId {
    format!("{FRIENDS}/{file}").into()
}

pub fn mark() -> Mark {
    Mark { hub: "hub-1".into(), item: "i1".into(), generation: 0 }
}

pub fn create(uid: &str, name: &str) -> Operation {
    Operation::Create { collection: FRIENDS.into(), rendering: card(uid, name).into(), uid: uid.into(), mark: mark() }
}

pub fn words(entries: &[Entry]) -> Vec<String> {
    let short = |id: &RemoteId| id.as_str().rsplit('/').next().unwrap().to_owned();
    let mut lines: Vec<String> = entries
        .iter()
        .map(|entry| match entry {
            Entry::Seen(seen) => format!("seen {}", short(&seen.remote_id)),
            Entry::Gone(id) => format!("gone {}", short(id)),
            Entry::Renamed { from, to } => format!("renamed {} to {}", short(from), short(to)),
            Entry::Bad { remote_id, reason, .. } => format!("bad {}: {reason}", short(remote_id)),
        })
        .collect();
    lines.sort();
    lines
}

/// The stamps that nobody but the file system sets.
pub fn stamps(path: &Path) -> (u64, i64, i64, i64, i64) {
    let data = std::fs::metadata(path).unwrap();
    (data.ino(), data.mtime(), data.mtime_nsec(), data.ctime(), data.ctime_nsec())
}

/// The whole tree: names and contents.
pub fn tree(path: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    let Ok(entries) = std::fs::read_dir(path) else { return all };
    for entry in entries {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            all.insert(entry.path(), Vec::new());
            all.extend(tree(&entry.path()));
        } else {
            all.insert(entry.path(), std::fs::read(entry.path()).unwrap());
        }
    }
    all
}
