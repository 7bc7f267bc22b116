//! Device folders: a replica that is a tree of files which other programs read and write (khard, vdirsyncer, Radicale,
//! Syncthing to a phone).
//!
//! `ROOT/PROVIDER/contacts/NAME/UID.vcf`, with vdir's `displayname` and `color`. A [`RemoteId`] is the file's path below the
//! root, a [`CollectionId`] the folder's; each folder is a feed of its own. There is no delta: the caller hands in what the hub
//! knows ([`Poll::known`]) and the scan answers what differs.
//!
//! What must hold:
//! * *Absence is never deletion.* The root and each collection folder carry a marker. Without it nothing is read as gone:
//!   the device, or the one collection, is held. A file counts as gone after a second look by name in a folder whose listing
//!   was read to its end and whose marker stands.
//! * *Nobody's edit is overwritten unseen.* Files are exchanged, never written in place, and what comes out is compared.
//! * *Nothing beneath the root leads out of it.* Every name is opened by itself and links are not followed.
//! * No modification time is ever set, no file touched whose meaning stays.
//!
//! Rooms: `names` (safe names, ids), `marker`, `beneath` (opening and reading), `scan` (what changed), `atomic` (one guarded
//! change), `write` (a batch of them), `vdir` (folders and formats), `radicale` (its lock). All calls block for as long as
//! the disk takes, no longer than five seconds for a foreign lock.

mod atomic;
mod beneath;
mod marker;
mod names;
mod radicale;
mod scan;
mod vdir;
mod write;

pub use marker::{COLLECTION_MARKER, CollectionState, MarkerState, ROOT_MARKER};

use async_trait::async_trait;
use atomic::FileAccess;
use beneath::{Look, refused};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use scan::{Mark, Met, Scan, Stamp};
use std::collections::HashMap;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};
use twofold_model::error::AtPlace as _;
use twofold_model::{
    Abilities, Arrival, Collection, CollectionId, Connector, Content, DeltaToken, Error, ErrorKind, Feed, FeedId, Found,
};
use twofold_model::{
    Identity, Kind, Lens, Lookup, Operation, Page, Place, Poll, RemoteId, Rendering, Result, Seen, Since,
};
use twofold_model::{Uid, Visit, Written, vcard};
use vdir::{Format, Shape};

/// So many operations are staged at once: enough for one sync of the file system to count little, few enough for memory.
const WRITE_BATCH: usize = 500;

/// Where the time comes from, in nanoseconds since 1970.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// What a device is.
#[derive(Clone)]
pub struct DeviceOptions {
    /// Its name in the configuration, for messages.
    pub name: String,
    /// Its folder.
    pub root: PathBuf,
    /// The hub it belongs to.
    pub hub_id: String,
    /// The replica it is.
    pub replica_id: String,
    /// Whether the hub has met this replica before. A known device without its marker is held; an unknown one is a first use.
    /// [`Connector::arrive`] says it anew in each run.
    pub is_known: bool,
    /// What it holds.
    pub kinds: Vec<Kind>,
    /// Permission bits of new files; `None`: 0600, with a group 0660. Folders get the matching search bits.
    pub mode: Option<u32>,
    /// The group (name or number) that new files and folders belong to; `None`: the process's own.
    pub group: Option<String>,
    /// What new cards are written as.
    pub vcard: vcard::Version,
    /// Whether what is written is forced to disk. Off only for tests, which have no power cuts.
    pub is_durable: bool,
    /// Where the time comes from (whether a file is too young to be trusted, whether a leftover is old).
    pub clock: Clock,
}

impl DeviceOptions {
    /// A known device with contacts, readable by its owner only.
    pub fn new(
        name: impl Into<String>,
        root: impl Into<PathBuf>,
        hub_id: impl Into<String>,
        replica_id: impl Into<String>,
    ) -> Self {
        Self {
            name: name.into(),
            root: root.into(),
            hub_id: hub_id.into(),
            replica_id: replica_id.into(),
            is_known: true,
            kinds: vec![Kind::Contacts],
            mode: None,
            group: None,
            vcard: vcard::Version::V3,
            is_durable: true,
            clock: Arc::new(now_ns),
        }
    }
}

/// A device folder as a replica.
///
/// *Each run.* [`arrive`](Connector::arrive) before anything else: it looks for the marker, and answers
/// [`ErrorKind::Held`] where nothing may be touched. At the end [`depart`](Connector::depart) writes the run's number into the
/// marker, if the run wrote anything here.
///
/// *First use.* A path that the hub never met and that has no marker (or is not there) is read as it is. It is marked with
/// the first thing that the run decides about it: a collection made or adopted, or its departure. A dry run that calls none
/// of these leaves no trace.
///
/// *Adoption.* A folder that somebody made below `PROVIDER/KIND` and that holds items is listed among the collections. It
/// is marked when `create_collection` is asked for one of that name, when it is asked for changes while the hub knows no
/// item of it, or by [`adopt_collection`](Device::adopt_collection). A folder without marker of which the hub knows items, or which is
/// empty, is held: it may be a mount that is absent.
///
/// *`create_collection`.* `like.id` is the parent folder (`google/contacts`, `joined/contacts`), `like.name` the name that
/// the user reads. The folder's own name is made from it once; the answered id is the one to store. With a key behind
/// `#` (`google/contacts#c42`, the caller's own id for the collection) the call may be repeated and two collections of one
/// name get two folders (`Friends`, `Friends (2)`); without it, one of that name that is there already is the answer.
///
/// *Device lost.* [`reset_marker`](Device::reset_marker) makes the folder the home of a new replica id.
pub struct Device {
    options: DeviceOptions,
    formats: Vec<Format>,
    unsupported: Unsupported,
    access: FileAccess,
    replica_id: Mutex<String>,
    /// What was said on arrival.
    visit: Mutex<Visit>,
    has_written: AtomicBool,
    temps: atomic::TempNames,
    /// When this device was opened: leftovers of ours that are younger are not of a crashed run.
    opened_ns: i64,
    /// File systems written to since the last flush, by device number.
    touched: Mutex<HashMap<u64, OwnedFd>>,
    /// What rounds under way have met, by feed.
    met: Mutex<HashMap<FeedId, Met>>,
}

impl Device {
    /// A device on that folder. Nothing is touched yet, and the folder need not be there: [`state`](Device::state) tells.
    ///
    /// # Errors
    /// [`ErrorKind::Misconfigured`] where the options cannot be meant.
    pub fn open(options: DeviceOptions) -> Result<Device> {
        let wrong = |what: &str| Error::new(ErrorKind::Misconfigured, what);
        if options.root.as_os_str().is_empty() {
            return Err(wrong("the device has no path"));
        }
        if options.hub_id.is_empty() || options.replica_id.is_empty() {
            return Err(wrong("the device has no replica id or no hub id"));
        }
        let access = FileAccess::of(options.mode, options.group.as_deref())?;
        let formats = options
            .kinds
            .iter()
            .filter_map(|kind| match kind {
                Kind::Contacts => Some(Format::contacts(options.vcard)),
                Kind::Mail | Kind::Calendar => None,
            })
            .collect();
        Ok(Device {
            formats,
            unsupported: Unsupported,
            access,
            replica_id: Mutex::new(options.replica_id.clone()),
            visit: Mutex::new(Visit {
                is_known: options.is_known,
                hub_is_empty: false,
                is_dry_run: false,
                run: 0,
                last_run: i64::MAX,
            }),
            has_written: AtomicBool::new(false),
            temps: atomic::TempNames::new(),
            opened_ns: (options.clock)(),
            touched: Mutex::default(),
            met: Mutex::default(),
            options,
        })
    }

    /// What the marker says now.
    ///
    /// # Errors
    /// Where the path cannot be looked at (no right, an input or output error).
    pub fn state(&self) -> Result<MarkerState> {
        Ok(self.look_at_root()?.0)
    }

    fn look_at_root(&self) -> Result<(MarkerState, Option<OwnedFd>)> {
        let is_known = lock(&self.visit).is_known;
        let root = match beneath::open_root(&self.options.root) {
            Ok(root) => root,
            Err(Errno::NOENT | Errno::NOTDIR) if is_known => return Ok((MarkerState::MissingPath, None)),
            Err(Errno::NOENT) => return Ok((MarkerState::Fresh, None)),
            Err(errno) => {
                let doing = format!("opening {}", self.options.root.display());
                return Err(refused(errno, doing));
            }
        };
        let marker = marker::read_root(&root, &self.options.root)?;
        let state = MarkerState::of(marker, &self.replica_id(), &self.options.hub_id, is_known);
        Ok((state, Some(root)))
    }

    /// Marks the folder as ours, up to this run; on first use it makes the folder where it is not there.
    ///
    /// # Errors
    /// [`ErrorKind::Held`] where the folder is not ours to mark; see [`reset_marker`](Device::reset_marker).
    pub fn mark(&self, run: u64) -> Result<()> {
        let (state, root) = self.look_at_root()?;
        if let Some(held) = state.held(&self.options.name, &self.options.root) {
            return Err(held);
        }
        self.write_root_marker(root, run)
    }

    fn write_root_marker(&self, root: Option<OwnedFd>, run: u64) -> Result<()> {
        let root = match root {
            Some(root) => root,
            None => self.make_root()?,
        };
        let marker = marker::RootMarker::new(&self.replica_id(), &self.options.hub_id, run);
        self.write_ours(&root, "", ROOT_MARKER, &marker::text(&marker)?)?;
        lock(&self.visit).is_known = true;
        Ok(())
    }

    fn make_root(&self) -> Result<OwnedFd> {
        let path = &self.options.root;
        let doing = || format!("making {}", path.display());
        let errno = |e: &std::io::Error| Errno::from_io_error(e).unwrap_or(Errno::IO);
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(self.access.folder_mode() & 0o777)
            .create(path)
            .map_err(|e| refused(errno(&e), doing()))?;
        beneath::open_root(path).map_err(|e| refused(e, doing()))
    }

    /// `twofold device fill`: makes the folder, whatever it was, the home of this replica id: the root's marker and the marker
    /// of every collection folder that has one. Folders without a marker stay to be adopted. No item is touched. May be
    /// repeated after a failure.
    ///
    /// # Errors
    /// Where a marker cannot be written.
    pub fn reset_marker(&self, replica_id: &str) -> Result<()> {
        replica_id.clone_into(&mut lock(&self.replica_id));
        let root = match beneath::open_root(&self.options.root) {
            Err(Errno::NOENT) => self.make_root(),
            other => other.map_err(|e| refused(e, format!("opening {}", self.options.root.display()))),
        };
        let root = root?;
        let _lock = self.lock_to_write()?;
        // The root's marker last: until it is written, everything is held.
        for format in &self.formats {
            for collection in self.list_collections(&root, format)? {
                let Some(folder) = self.open_collection(&root, &collection.id)? else { continue };
                if marker::read_collection(&folder, &self.path_of(collection.id.as_str()))?.is_some() {
                    self.write_marker(&folder, &collection.id, None)?;
                }
            }
        }
        self.write_root_marker(Some(root), 0)
    }

    /// What a collection folder's marker says.
    ///
    /// # Errors
    /// [`ErrorKind::Held`] where the device itself is held or the marker cannot be understood.
    pub fn collection_state(&self, id: &CollectionId) -> Result<CollectionState> {
        let Some(root) = self.root_to_read()? else { return Ok(CollectionState::Absent) };
        match self.open_collection(&root, id)? {
            Some(folder) => Ok(self.marker_of(&folder, id)?.0),
            None => Ok(CollectionState::Absent),
        }
    }

    /// Marks a folder that was found without our marker (or with one of another folder) as this collection. `key` is what
    /// `create_collection` would have been given behind `#`.
    ///
    /// # Errors
    /// [`ErrorKind::Held`] where the device is held; [`ErrorKind::NotFound`] where there is no such folder.
    pub fn adopt_collection(&self, id: &CollectionId, key: Option<&str>) -> Result<()> {
        let root = self.root_to_own()?;
        let _lock = self.lock_to_write()?;
        let none = || Error::new(ErrorKind::NotFound, "the folder is not there").at(id);
        let folder = self.open_collection(&root, id)?.ok_or_else(none)?;
        self.write_marker(&folder, id, key)
    }

    fn is_dry_run(&self) -> bool {
        lock(&self.visit).is_dry_run
    }

    pub(crate) fn replica_id(&self) -> String {
        lock(&self.replica_id).clone()
    }

    fn format(&self, kind: Kind) -> Result<&Format> {
        self.formats
            .iter()
            .find(|format| format.kind == kind)
            .ok_or_else(|| Error::new(ErrorKind::Unsupported, format!("{kind} is not kept in this device's folder")))
    }

    /// The root, where it may be read; nothing on a first use whose path is not there yet.
    pub(crate) fn root_to_read(&self) -> Result<Option<OwnedFd>> {
        let (state, root) = self.look_at_root()?;
        let visit = *lock(&self.visit);
        let is_dry_takeover = visit.is_dry_run && visit.hub_is_empty && !visit.is_known;
        match state.held(&self.options.name, &self.options.root) {
            Some(held) if !is_dry_takeover => Err(held),
            _ => Ok(root),
        }
    }

    /// The root, where it may be written to: marked as ours.
    pub(crate) fn root_to_write(&self) -> Result<OwnedFd> {
        let (state, root) = self.look_at_root()?;
        if let Some(held) = state.held(&self.options.name, &self.options.root) {
            return Err(held);
        }
        match (state, root) {
            (MarkerState::Ours { .. }, Some(root)) => Ok(root),
            _ => Err(self.held("the folder is not marked yet; nothing was written")),
        }
    }

    /// The root as [`root_to_write`](Self::root_to_write) has it, marked now if this is its first use.
    fn root_to_own(&self) -> Result<OwnedFd> {
        if self.state()? == MarkerState::Fresh && !self.is_dry_run() {
            let run = lock(&self.visit).run;
            self.mark(u64::try_from(run).unwrap_or_default())?;
        }
        self.root_to_write()
    }

    /// A collection's folder, provided that its marker stands.
    pub(crate) fn marked_collection(&self, root: &OwnedFd, id: &CollectionId) -> Result<OwnedFd> {
        let folder = self.open_collection(root, id)?;
        let state = match &folder {
            Some(folder) => self.marker_of(folder, id)?.0,
            None => CollectionState::Absent,
        };
        match (folder, state) {
            (Some(folder), CollectionState::Marked) => Ok(folder),
            (_, state) => Err(self.collection_held(&state)),
        }
    }

    fn collection_held(&self, state: &CollectionState) -> Error {
        let reason = match state {
            CollectionState::Absent => "the folder is not there; is a disk not mounted?".to_owned(),
            CollectionState::OtherReplica => "the folder is marked as another device's".to_owned(),
            CollectionState::OtherFolder { was } => {
                format!("the folder is marked as that of {was}; was it renamed or copied?")
            }
            CollectionState::Marked | CollectionState::Unmarked => {
                format!("the folder has no marker {COLLECTION_MARKER}; is a disk not mounted, or was it replaced?")
            }
        };
        let message = format!(
            "{reason} Nothing in it was written or deleted. If it is new or was replaced, type: twofold device fill {}",
            self.options.name
        );
        Error::new(ErrorKind::Held, message)
    }

    fn held(&self, message: &str) -> Error {
        Error::new(ErrorKind::Held, message)
    }

    pub(crate) fn lock_to_write(&self) -> Result<radicale::Held> {
        radicale::take(&self.options.root, radicale::Purpose::Write)
    }

    fn lock_to_read(&self) -> Result<radicale::Held> {
        radicale::take(&self.options.root, radicale::Purpose::Read)
    }

    /// Notes that the file system of this folder wants a sync.
    pub(crate) fn touched(&self, folder: &OwnedFd) {
        self.has_written.store(true, Ordering::Relaxed);
        let Ok(stat) = rustix::fs::fstat(folder) else { return };
        let mut touched = lock(&self.touched);
        if let std::collections::hash_map::Entry::Vacant(free) = touched.entry(stat.st_dev)
            && let Ok(handle) = folder.try_clone()
        {
            free.insert(handle);
        }
    }

    fn now(&self) -> i64 {
        (self.options.clock)()
    }

    fn poll(&self, poll: &Poll<'_>) -> Result<Page> {
        let id = CollectionId(poll.feed.id.0.clone());
        let format = self.format(poll.feed.kind)?;
        // A dry run plans for folders that a real one would have made.
        let is_planned = self.is_dry_run() && poll.known.is_empty();
        let nothing = || Page { entries: Vec::new(), next: twofold_model::Next::Done(DeltaToken::from("scan")) };
        let root = match self.root_to_read()? {
            Some(root) => root,
            None if is_planned => return Ok(nothing()),
            None => return Err(self.held("the folder is not there yet")),
        };
        let mut _lock = self.lock_to_read()?;
        let Some(folder) = self.open_collection(&root, &id)? else {
            return if is_planned { Ok(nothing()) } else { Err(self.collection_held(&CollectionState::Absent)) };
        };
        let state = self.marker_of(&folder, &id)?.0;
        if state != CollectionState::Marked {
            // Where the hub knows no item, none can be missed: what stands there is adopted.
            let is_adoptable = matches!(state, CollectionState::Unmarked | CollectionState::OtherFolder { .. })
                && poll.known.is_empty()
                && self.has_items(&folder, format, &id)?;
            if !is_adoptable {
                return Err(self.collection_held(&state));
            }
            if !self.is_dry_run() {
                drop(_lock);
                self.adopt_collection(&id, None)?;
                _lock = self.lock_to_read()?;
            }
        }
        let mut listing = self.listing(&folder, format)?;
        if !listing.temps.is_empty() && !self.is_dry_run() {
            drop(_lock);
            let alone = self.lock_to_write()?;
            atomic::tidy(&folder, &listing.temps, format, self.opened_ns, self.now())
                .map_err(|e| refused(e, "looking at what a stopped run left"))?;
            drop(alone);
            _lock = self.lock_to_read()?;
            listing = self.listing(&folder, format)?;
        }
        let still_there = || self.still_the_same(&folder, &id);
        let scan = Scan {
            folder: &folder,
            collection: &id,
            format,
            known: poll.known,
            now_ns: self.now(),
            still_there: &still_there,
        };
        let cursor = match &poll.since {
            Since::Page(cursor) => cursor.as_str(),
            Since::Start | Since::Token(_) => "",
        };
        let mut all = lock(&self.met);
        if cursor.is_empty() {
            all.remove(&poll.feed.id);
        }
        let mut met = all.remove(&poll.feed.id).unwrap_or_default();
        drop(all);
        let page = scan.page(listing, cursor, &mut met)?;
        if matches!(page.next, twofold_model::Next::Page(_)) {
            lock(&self.met).insert(poll.feed.id.clone(), met);
        }
        Ok(page)
    }

    pub(crate) fn listing(&self, folder: &OwnedFd, format: &Format) -> Result<scan::Listing> {
        scan::list(folder, format.extension).map_err(|e| refused(e, "listing the folder"))
    }

    /// Whether the path still leads to the folder that was scanned, with both markers in place.
    fn still_the_same(&self, folder: &OwnedFd, id: &CollectionId) -> Result<()> {
        let root = self.root_to_read()?.ok_or_else(|| self.held("the folder is not there any more"))?;
        let now = self.marked_collection(&root, id)?;
        let identity = |folder: &OwnedFd| rustix::fs::fstat(folder).map(|stat| (stat.st_dev, stat.st_ino));
        match (identity(folder), identity(&now)) {
            (Ok(a), Ok(b)) if a == b => Ok(()),
            _ => Err(self.collection_held(&CollectionState::Absent)),
        }
    }

    fn fetch_one(&self, format: &Format, root: &OwnedFd, place: &Place) -> Result<Option<Seen>> {
        let (collection, name) = write::split_remote(&place.remote_id, format)?;
        let Some(folder) = self.open_collection(root, &collection)? else {
            return Err(self.collection_held(&CollectionState::Absent));
        };
        if let Some(seen) = self.read_item(format, &folder, &collection, &name)? {
            return Ok(Some(seen));
        }
        let state = self.marker_of(&folder, &collection)?.0;
        if state != CollectionState::Marked {
            return Err(self.collection_held(&state));
        }
        // A file that is called like its UID is the same item where it stands now.
        for other in self.list_collections(root, format)? {
            let Some(folder) = self.open_collection(root, &other.id)? else { continue };
            if other.id == collection {
                continue;
            }
            if let Ok(Some(seen)) = self.read_item(format, &folder, &other.id, &name)
                && seen.uid.as_ref().is_some_and(|uid| format.file_name(uid, 1).as_bytes() == name)
            {
                return Ok(Some(seen));
            }
        }
        Ok(None)
    }

    /// One item as it is now; nothing where there is no such file. What is there and cannot be taken is an error.
    fn read_item(
        &self,
        format: &Format,
        folder: &OwnedFd,
        collection: &CollectionId,
        name: &[u8],
    ) -> Result<Option<Seen>> {
        let mut id = collection.as_str().to_owned();
        names::push(&mut id, name);
        let unfit = |reason: String| Error::new(ErrorKind::Malformed, reason);
        let (bytes, stat) = match beneath::look(folder, name).map_err(|e| refused(e, "reading"))? {
            Look::File(bytes, stat) => (bytes, stat),
            Look::Absent => return Ok(None),
            Look::Odd(oddity) => return Err(unfit(format!("the file {oddity}"))),
            Look::Unsteady => return Err(unfit("the file is being written; it is taken the next time".into())),
        };
        let uid = match (format.shape)(&bytes) {
            Shape::Whole(uid) => uid,
            Shape::Half => return Err(unfit("the file has no end; it is taken when it is whole".into())),
            Shape::Several(count) => return Err(unfit(format!("the file holds {count} items"))),
            Shape::Unreadable(reason) => return Err(unfit(reason)),
        };
        let stamp = Stamp::of(&stat);
        let mark = Mark {
            stamp,
            content: scan::digest(&bytes),
            uid: uid.as_ref().map(scan::uid_key),
            is_dirty: stamp.is_young(self.now()),
        };
        Ok(Some(scan::seen(RemoteId(id), collection.clone(), mark, bytes, uid)))
    }

    fn find_one(&self, format: &Format, root: &OwnedFd, read: &mut Uids, lookup: &Lookup) -> Result<Found> {
        let collection = &lookup.collection;
        let folder = self.marked_collection(root, collection)?;
        let name = format.file_name(&lookup.uid, 1).into_bytes();
        if let Ok(Some(seen)) = self.read_item(format, &folder, collection, &name)
            && seen.uid.as_ref() == Some(&lookup.uid)
        {
            return Ok(Found::Here(Box::new(seen)));
        }
        // Under another name: the folder is read once for all look-ups.
        if !read.contains_key(collection) {
            let mut uids = HashMap::new();
            for (name, _) in self.listing(&folder, format)?.names {
                if let Ok(Some(seen)) = self.read_item(format, &folder, collection, &name)
                    && let Some(uid) = seen.uid
                {
                    uids.insert(uid, name);
                }
            }
            read.insert(collection.clone(), uids);
        }
        let name = read.get(collection).and_then(|uids| uids.get(&lookup.uid));
        let seen = name.map(|name| self.read_item(format, &folder, collection, name)).transpose()?.flatten();
        Ok(seen.map_or(Found::Nowhere, |seen| Found::Here(Box::new(seen))))
    }
}

/// The replica that a folder is marked as, whatever hub it belongs to; nothing where there is no readable marker.
pub fn replica_marked_at(path: &Path) -> Option<String> {
    let root = beneath::open_root(path).ok()?;
    Some(marker::read_root(&root, path).ok()??.ok()?.replica)
}

/// Which file holds which UID, by collection.
type Uids = HashMap<CollectionId, HashMap<Uid, Vec<u8>>>;

#[async_trait]
impl Connector for Device {
    fn abilities(&self) -> Abilities {
        Abilities {
            compares_known: true,
            rank: 0,
            relist_after_s: 0,
            makes_collections: true,
            write_batch: WRITE_BATCH,
            sweeps: false,
            reads_lag_s: 0,
        }
    }

    fn lens(&self, kind: Kind) -> &dyn Lens {
        match self.formats.iter().find(|format| format.kind == kind) {
            Some(format) => format.lens.as_ref(),
            None => &self.unsupported,
        }
    }

    async fn collections(&self, kind: Kind) -> Result<Vec<Collection>> {
        let format = self.format(kind)?;
        let Some(root) = self.root_to_read()? else { return Ok(Vec::new()) };
        let _lock = self.lock_to_read()?;
        self.list_collections(&root, format)
    }

    /// One feed per collection folder, under the collection's own name.
    fn feeds(&self, kind: Kind, collections: &[Collection]) -> Vec<Feed> {
        let feed = |c: &Collection| Feed { id: FeedId(c.id.0.clone()), kind, collections: vec![c.id.clone()] };
        collections.iter().filter(|c| c.kind == kind).map(feed).collect()
    }

    /// A scan of each folder against what is known. A collection whose folder or marker is missing answers
    /// [`ErrorKind::Held`], unless the hub knows nothing of it yet.
    async fn changes(&self, polls: &[Poll<'_>]) -> Vec<Result<Page>> {
        polls.iter().map(|poll| self.poll(poll)).collect()
    }

    /// A second look by name. An item that is not in its folder any more but, under the same UID's name, in another one
    /// comes with that collection: a move, unless the answered remote id was known as a copy of its own.
    async fn fetch(&self, kind: Kind, places: &[Place]) -> Vec<Result<Option<Seen>>> {
        let ready = || -> Result<_> {
            let format = self.format(kind)?;
            let root = self.root_to_read()?.ok_or_else(|| self.held("the folder is not there yet"))?;
            Ok((format, root, self.lock_to_read()?))
        };
        match ready() {
            Ok((format, root, _lock)) => {
                places.iter().map(|place| self.fetch_one(format, &root, place).at(&place.remote_id)).collect()
            }
            Err(error) => places.iter().map(|_| Err(write::again(&error))).collect(),
        }
    }

    async fn write(&self, kind: Kind, operations: &[Operation]) -> Vec<Result<Written>> {
        self.write_batch(kind, operations)
    }

    async fn find(&self, kind: Kind, lookups: &[Lookup], _now_ms: i64) -> Vec<Result<Found>> {
        let ready = || -> Result<_> { Ok((self.format(kind)?, self.root_to_write()?, self.lock_to_read()?)) };
        match ready() {
            Ok((format, root, _lock)) => {
                let mut read = HashMap::new();
                lookups
                    .iter()
                    .map(|lookup| self.find_one(format, &root, &mut read, lookup).at(&lookup.collection))
                    .collect()
            }
            Err(error) => lookups.iter().map(|_| Err(write::again(&error))).collect(),
        }
    }

    async fn create_collection(&self, kind: Kind, like: &Collection) -> Result<Collection> {
        let format = self.format(kind)?;
        let root = self.root_to_own()?;
        let _lock = self.lock_to_write()?;
        self.make_collection(&root, format, like)
    }

    /// Looks for the marker. A folder of a hub that was lost is taken over: to the new hub everything in it is a first
    /// meeting (ENGINE 22).
    async fn arrive(&self, visit: Visit) -> Result<Arrival> {
        *lock(&self.visit) = visit;
        let state = self.state()?;
        let was_lost = visit.hub_is_empty && !visit.is_known;
        match state {
            MarkerState::OtherHub { .. } if was_lost => {
                if !visit.is_dry_run {
                    self.reset_marker(&self.replica_id())?;
                }
                Ok(Arrival::OfLostHub)
            }
            // Such a hub's bases are older than the folder: what it lacks would look new, or deleted.
            MarkerState::Ours { run: marked } if u64::try_from(visit.last_run).is_ok_and(|last| marked > last) => Err(self
                .held(&format!(
                    "{} was written by run {marked}, but this hub knows of none there after run {}: it is an older copy of \
                     itself. Nothing was read, written or deleted there. To pair both anew, type: twofold device fill {}",
                    self.options.root.display(),
                    visit.last_run,
                    self.options.name
                ))),
            state => match state.held(&self.options.name, &self.options.root) {
                Some(held) => Err(held),
                None => Ok(Arrival::Known),
            },
        }
    }

    /// The marker takes the run's number only after a run that wrote here: nothing to do leaves no trace.
    async fn depart(&self, run: i64) -> Result<()> {
        if self.is_dry_run() {
            return Ok(());
        }
        if self.has_written.load(Ordering::Relaxed) || self.state()? == MarkerState::Fresh {
            self.mark(u64::try_from(run).unwrap_or_default())?;
            self.has_written.store(false, Ordering::Relaxed);
        }
        Ok(())
    }

    async fn remove_collection(&self, kind: Kind, id: &CollectionId) -> Result<bool> {
        self.format(kind)?;
        let root = self.root_to_write()?;
        let _lock = self.lock_to_write()?;
        self.take_away(&root, id).at(id)
    }

    async fn moved_collections(&self, kind: Kind) -> Result<Vec<(CollectionId, CollectionId)>> {
        let format = self.format(kind)?;
        let Some(root) = self.root_to_read()? else { return Ok(Vec::new()) };
        let _lock = self.lock_to_read()?;
        let mut moved = Vec::new();
        for collection in self.list_collections(&root, format)? {
            let Some(folder) = self.open_collection(&root, &collection.id)? else { continue };
            let CollectionState::OtherFolder { was } = self.marker_of(&folder, &collection.id)?.0 else { continue };
            // A copy of a folder that is still there is no rename. Of two copies nobody can tell which one it is.
            let is_gone = matches!(self.open_collection(&root, &was), Ok(None));
            match moved.iter().position(|(from, _)| *from == was) {
                Some(twin) => drop(moved.remove(twin)),
                None if is_gone => moved.push((was, collection.id)),
                None => {}
            }
        }
        Ok(moved)
    }

    async fn follow_collection(&self, kind: Kind, to: &CollectionId) -> Result<()> {
        self.format(kind)?;
        let root = self.root_to_write()?;
        let _lock = self.lock_to_write()?;
        let none = || Error::new(ErrorKind::NotFound, "the folder is not there").at(to);
        let folder = self.open_collection(&root, to)?.ok_or_else(none)?;
        let key = match marker::read_collection(&folder, &self.path_of(to.as_str()))? {
            Some(Ok(marker)) if marker.replica == self.replica_id() => marker.key,
            _ => return Err(self.collection_held(&CollectionState::OtherReplica)),
        };
        self.write_marker(&folder, to, key.as_deref())
    }

    /// Only `displayname` and `color` change; the folder keeps its own name, for the id is a path.
    async fn rename_collection(&self, kind: Kind, id: &CollectionId, name: &str, color: Option<&str>) -> Result<()> {
        self.format(kind)?;
        let root = self.root_to_write()?;
        let _lock = self.lock_to_write()?;
        self.describe(&root, id, name, color).at(id)
    }

    /// One sync per file system written to since the last one; a folder that is a mount of its own counts by itself.
    async fn flush(&self) -> Result<()> {
        let mut touched = lock(&self.touched);
        if self.options.is_durable {
            for folder in touched.values() {
                rustix::fs::syncfs(folder).map_err(|e| refused(e, "making what was written durable"))?;
            }
        }
        touched.clear();
        Ok(())
    }
}

/// A mutex whose holders leave it whole at every step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The system's time in nanoseconds since 1970.
pub(crate) fn now_ns() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

/// The lens of a kind that the device does not hold.
struct Unsupported;

impl Lens for Unsupported {
    fn read(&self, _: &Rendering) -> Result<Content> {
        Err(Error::new(ErrorKind::Unsupported, "this device does not hold that kind"))
    }

    fn write(&self, _: Option<&Rendering>, _: &Content, _: &Identity) -> Result<Rendering> {
        Err(Error::new(ErrorKind::Unsupported, "this device does not hold that kind"))
    }
}
