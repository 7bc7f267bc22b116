//! A Maildir on a device, what a hub would know of it, and another program's hands.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use twofold_device::{Device, DeviceOptions};
use twofold_model::blob::MemoryBlobs;
use twofold_model::email::Sheet;
use twofold_model::*;

pub const INBOX: &str = "google/mail/INBOX";
pub const WORK: &str = "google/mail/.Work";

/// Ten seconds: what a test writes counts as settled.
const AHEAD_NS: i64 = 10_000_000_000;

pub struct Desk {
    pub dir: tempfile::TempDir,
    pub device: Device,
    pub blobs: Arc<MemoryBlobs>,
    /// What the hub knows: each copy's etag and rendering.
    pub copies: HashMap<RemoteId, (Etag, Rendering)>,
    /// The last token of each folder's scan, and what was known then.
    pub told: Mutex<HashMap<String, (DeltaToken, Known)>>,
    /// Whether nobody else works on the folders while they are scanned.
    pub is_alone: bool,
}

pub fn now_ns() -> i64 {
    i64::try_from(std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos()).unwrap()
}

/// A message.
pub fn mail(subject: &str) -> String {
    format!("Message-ID: <{subject}@example.org>\r\nSubject: {subject}\r\nFrom: ada@example.org\r\n\r\nHello\r\n")
}

pub fn open(root: &Path, blobs: &Arc<MemoryBlobs>, change: impl FnOnce(&mut DeviceOptions)) -> Device {
    let mut options = DeviceOptions::new("laptop", root, "hub-1", "replica-1");
    options.is_durable = false;
    options.is_known = false;
    options.kinds = vec![Kind::Mail];
    options.blobs = Some(Arc::clone(blobs) as Arc<dyn Blobs>);
    options.clock = Arc::new(|| now_ns() + AHEAD_NS);
    change(&mut options);
    Device::open(options).unwrap()
}

impl Desk {
    /// A device on which nothing was made yet.
    pub fn bare() -> Desk {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Arc::new(MemoryBlobs::default());
        let device = open(dir.path(), &blobs, |_| {});
        Desk { dir, device, blobs, copies: HashMap::new(), told: Mutex::default(), is_alone: true }
    }

    /// An INBOX and a folder "Work", both empty.
    pub async fn new() -> Desk {
        let desk = Desk::bare();
        desk.make("INBOX").await;
        desk.make("Work").await;
        desk
    }

    pub async fn make(&self, name: &str) -> Collection {
        self.device.create_collection(Kind::Mail, &like("google/mail", name)).await.unwrap()
    }

    /// Where a file of a folder is; of the INBOX, where that is empty.
    pub fn path(&self, below: &str) -> PathBuf {
        self.dir.path().join("google/mail").join(below)
    }

    pub fn put(&self, below: &str, text: &str) {
        std::fs::write(self.path(below), text).unwrap();
    }

    pub fn mv(&self, from: &str, to: &str) {
        std::fs::rename(self.path(from), self.path(to)).unwrap();
    }

    /// The names in a folder's `new` and `cur`.
    pub fn names(&self, folder: &str) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        for place in ["new", "cur"] {
            for entry in std::fs::read_dir(self.path(folder).join(place)).unwrap() {
                names.insert(format!("{place}/{}", entry.unwrap().file_name().to_string_lossy()));
            }
        }
        names
    }

    pub fn tmp(&self, folder: &str) -> usize {
        std::fs::read_dir(self.path(folder).join("tmp")).unwrap().count()
    }

    pub fn known(&self, folder: &str) -> Known {
        let inside = format!("{folder}/");
        let of = |(id, (etag, _)): (&RemoteId, &(Etag, Rendering))| {
            id.as_str().starts_with(&inside).then(|| (id.clone(), etag.clone()))
        };
        self.copies.iter().filter_map(of).collect()
    }

    /// All pages of a folder's round.
    pub async fn pages(&self, folder: &str) -> Result<Vec<Vec<Entry>>> {
        let feed = Feed { id: folder.into(), kind: Kind::Mail, collections: vec![folder.into()] };
        let known = self.known(folder);
        let (mut since, mut pages) = (Since::Start, Vec::new());
        loop {
            let poll = Poll { feed: &feed, since: since.clone(), known: &known };
            let page = self.device.changes(&[poll]).await.pop().unwrap()?;
            pages.push(page.entries);
            match page.next {
                Next::Page(next) => since = Since::Page(next),
                Next::Done(token) => {
                    let said: Vec<&Entry> = pages.iter().flatten().collect();
                    self.is_as_told(&feed, &known, &said, token).await;
                    return Ok(pages);
                }
            }
        }
    }

    /// A token promises that a comparison with what was known then finds nothing, for as long as the device answers that all is as it
    /// was: whoever asks by the last one hears of whatever a comparison tells.
    async fn is_as_told(&self, feed: &Feed, known: &Known, said: &[&Entry], token: DeltaToken) {
        let last = self.told.lock().unwrap().remove(feed.id.as_str());
        if let Some((last, _)) = last.filter(|(_, then)| self.is_alone && then == known) {
            let poll = Poll { feed, since: Since::Token(last), known: &Known::new() };
            match self.device.changes(&[poll]).await.pop().unwrap() {
                Ok(page) => assert!(page.entries.is_empty() && said.is_empty(), "hidden by a token: {said:?}"),
                Err(error) => assert_eq!(error.kind, ErrorKind::TokenExpired, "{error}"),
            }
        }
        if !token.as_str().is_empty() {
            assert!(said.is_empty(), "a token after something was said: {said:?}");
            self.told.lock().unwrap().insert(feed.id.0.clone(), (token, known.clone()));
        }
    }

    pub async fn try_scan(&self, folder: &str) -> Result<Vec<Entry>> {
        Ok(self.pages(folder).await?.into_iter().flatten().collect())
    }

    /// What the scan of a folder says, a sorted line for each entry.
    pub async fn words(&self, folder: &str) -> Vec<String> {
        let short = |id: &RemoteId| id.as_str().strip_prefix(folder).unwrap()[1..].to_owned();
        let mut lines: Vec<String> = self
            .try_scan(folder)
            .await
            .unwrap()
            .iter()
            .map(|entry| match entry {
                Entry::Seen(seen) => format!("seen {} {}", short(&seen.remote_id), seen.etag.as_str()),
                Entry::Gone(id) => format!("gone {}", short(id)),
                Entry::Renamed { from, to } => format!("renamed {} to {}", short(from), short(to)),
                Entry::Bad { remote_id, reason, .. } => format!("bad {} {reason}", short(remote_id)),
            })
            .collect();
        lines.sort();
        lines
    }

    /// Takes what a scan says, as the hub would.
    pub async fn agree(&mut self, folder: &str) {
        for entry in self.try_scan(folder).await.unwrap() {
            match entry {
                Entry::Seen(seen) => self.take(*seen),
                Entry::Gone(id) => drop(self.copies.remove(&id)),
                Entry::Renamed { from, to } => {
                    let copy = self.copies.remove(&from).unwrap();
                    self.copies.insert(to, copy);
                }
                Entry::Bad { .. } => {}
            }
        }
    }

    pub fn take(&mut self, seen: Seen) {
        let rendering = match self.copies.get(&seen.remote_id) {
            Some((_, last)) => self.device.lens(Kind::Mail).settle_unknown(last, seen.rendering),
            None => seen.rendering,
        };
        self.copies.insert(seen.remote_id, (seen.etag, rendering));
    }

    pub fn sheet(&self, folder: &str, base: &str) -> Sheet {
        Sheet::read(&self.copies[&remote(folder, base)].1).unwrap()
    }

    pub async fn fetch(&self, folder: &str, base: &str) -> Result<Option<Seen>> {
        self.device.fetch(Kind::Mail, &[place(folder, base)]).await.pop().unwrap()
    }

    pub async fn write(&mut self, operation: Operation) -> Result<Written> {
        self.device.write(Kind::Mail, &[operation]).await.pop().unwrap()
    }

    /// A create of a message with these keywords.
    pub fn create(&self, folder: &str, uid: &str, text: &str, words: &[&str]) -> Operation {
        let (blob, _) = self.blobs.put(&mut text.as_bytes()).unwrap();
        let mut sheet = Sheet { keywords: set(words), received_ms: Some(1_700_000_000_500), ..Sheet::default() };
        sheet.set_message(&blob, text.as_bytes());
        let mark = Mark { hub: "hub-1".into(), item: "i1".into(), generation: 0 };
        Operation::Create { collection: folder.into(), rendering: sheet.write().unwrap(), uid: uid.into(), mark }
    }

    /// An update of a known copy that gives it these keywords.
    pub fn flag(&self, folder: &str, base: &str, words: &[&str]) -> Operation {
        let place = place(folder, base);
        let (etag, from) = self.copies[&place.remote_id].clone();
        let to = Sheet { keywords: set(words), ..Sheet::read(&from).unwrap() }.write().unwrap();
        Operation::Update { place, etag, from, to }
    }

    pub fn delete(&self, folder: &str, base: &str) -> Operation {
        let place = place(folder, base);
        let etag = self.copies[&place.remote_id].0.clone();
        Operation::Delete { place, etag }
    }

    pub fn shift(&self, folder: &str, base: &str, to: &str) -> Operation {
        let place = place(folder, base);
        let etag = self.copies[&place.remote_id].0.clone();
        Operation::Move { place, etag, to: to.into() }
    }

    pub async fn find(&self, folder: &str, uid: &str) -> Found {
        let mark = Mark { hub: "hub-1".into(), item: "i1".into(), generation: 0 };
        let lookup = Lookup { mark, uid: uid.into(), collection: folder.into(), sent_ms: 0 };
        self.device.find(Kind::Mail, &[lookup], 0).await.pop().unwrap().unwrap()
    }

    pub async fn collections(&self) -> BTreeMap<String, String> {
        let all = self.device.collections(Kind::Mail).await.unwrap();
        all.into_iter().map(|collection| (collection.id.0, collection.name)).collect()
    }
}

pub fn like(parent: &str, name: &str) -> Collection {
    Collection {
        id: parent.into(),
        kind: Kind::Mail,
        name: name.into(),
        color: None,
        is_default: false,
        role: None,
        access: Access::ReadWrite,
    }
}

pub fn set(words: &[&str]) -> BTreeSet<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

pub fn remote(folder: &str, base: &str) -> RemoteId {
    format!("{folder}/{base}").into()
}

pub fn place(folder: &str, base: &str) -> Place {
    Place { remote_id: remote(folder, base), collection: folder.into() }
}

pub fn kind_of<T: std::fmt::Debug>(result: Result<T>) -> ErrorKind {
    result.unwrap_err().kind
}
