//! Device folders: a replica that is a tree of files which other programs read and write (khard, vdirsyncer, Radicale,
//! Syncthing to a phone).
//!
//! `ROOT/PROVIDER/contacts/NAME/UID.vcf` and `ROOT/PROVIDER/calendar/NAME/UID.ics`, with vdir's `displayname` and `color`; and
//! `ROOT/PROVIDER/mail`, a Maildir++ (`maildir`). A [`RemoteId`](twofold_model::RemoteId) is the file's path below the
//! root, a [`CollectionId`] the folder's; each folder is a feed of its own. There is no delta: the caller hands in what the hub
//! knows ([`Poll::known`](twofold_model::Poll::known)) and the scan answers what differs.
//!
//! What must hold:
//! * *Absence is never deletion.* The root and each collection folder carry a marker. Without it nothing is read as gone:
//!   the device, or the one collection, is held. A file counts as gone after a second look by name in a folder whose listing
//!   was read to its end and whose marker stands.
//! * *Nobody's edit is overwritten unseen.* Files are exchanged, never written in place, and what comes out is compared.
//! * *Nothing beneath the root leads out of it.* Every name is opened by itself and links are not followed.
//! * No modification time of a card or an event is ever set, no file touched whose meaning stays.
//!
//! Rooms: `replica` (the contract that the cycle speaks), `names` (safe names, ids), `marker`, `beneath` (opening and reading), `scan` (what changed), `atomic` (one guarded
//! change), `write` (a batch of them), `vdir` (folders and formats), `radicale` (its lock), `maildir` (mail), [`foreign`] (trees of other tools)
//! and `lay` (what of them is laid into this one). All calls block for as long as
//! the disk takes, no longer than five seconds for a foreign lock.

mod atomic;
mod beneath;
pub mod foreign;
mod lay;
mod maildir;
mod marker;
mod names;
mod radicale;
mod replica;
mod scan;
mod vdir;
mod write;

pub use beneath::memory_above;
pub use lay::{Laid, Left, Why};
pub use maildir::lay::{Key, Keys};
pub use marker::{COLLECTION_MARKER, CollectionState, MarkerState, ROOT_MARKER};

use atomic::FileAccess;
use beneath::refused;
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use scan::Met;
use std::collections::HashMap;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};
use twofold_model::email::EmailLens;
use twofold_model::zone::Zones;
use twofold_model::{
    Blobs, CollectionId, Content, Error, ErrorKind, FeedId, Identity, Kind, Lens, Rendering, Result, Visit, vcard,
};
use vdir::Format;

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
    /// [`Connector::arrive`](twofold_model::Connector::arrive) says it anew in each run.
    pub is_known: bool,
    /// What it holds.
    pub kinds: Vec<Kind>,
    /// Permission bits of new files; `None`: 0600, with a group 0660. Folders get the matching search bits.
    pub mode: Option<u32>,
    /// The group (name or number) that new files and folders belong to; `None`: the process's own.
    pub group: Option<String>,
    /// What new cards are written as.
    pub vcard: vcard::Version,
    /// The rules of time zones; without them the device holds no calendars.
    pub zones: Option<Arc<dyn Zones>>,
    /// Where the bytes of messages are kept; without them the device holds no mail.
    pub blobs: Option<Arc<dyn Blobs>>,
    /// Whether it is opened to take away what is forgotten: an INBOX goes, too.
    pub is_leaving: bool,
    /// Whether what is written is forced to disk. Off only for tests, which have no power cuts.
    pub is_durable: bool,
    /// The systemd unit that this process runs in, as `systemctl` takes its name; what its sandbox lets through was settled when it started.
    pub unit: Option<String>,
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
            zones: None,
            blobs: None,
            is_leaving: false,
            is_durable: true,
            unit: None,
            clock: Arc::new(now_ns),
        }
    }
}

/// A device folder as a replica.
///
/// *Each run.* [`arrive`](twofold_model::Connector::arrive) before anything else: it looks for the marker, and answers
/// [`ErrorKind::Held`] where nothing may be touched. At the end [`depart`](twofold_model::Connector::depart) writes the run's number into the
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
    mail_lens: EmailLens,
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
                Kind::Calendar => options.zones.clone().map(Format::calendar),
                Kind::Mail => None,
            })
            .collect();
        Ok(Device {
            formats,
            mail_lens: EmailLens::new(|_| true).marking_drafts().moving(maildir::MOVING),
            unsupported: Unsupported,
            access,
            replica_id: Mutex::new(options.replica_id.clone()),
            visit: Mutex::new(Visit {
                is_known: options.is_known,
                hub_is_empty: false,
                is_dry_run: false,
                run: 0,
                last_run: i64::MAX,
                wrote_run: 0,
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
                return Err(self.shut(refused(errno, doing)));
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
        if let Some(held) = self.held_at_root(&state) {
            return Err(held);
        }
        self.write_root_marker(root, run)
    }

    /// Why nothing of the folder may be touched, and what to type.
    pub(crate) fn held_at_root(&self, state: &MarkerState) -> Option<Error> {
        let mut error = state.held(&self.options.name, &self.options.root)?;
        if let Some(unit) = &self.options.unit {
            error.message += &format!(
                "; and, since the service goes on seeing the folder that was there when it started: sudo systemctl restart {unit}"
            );
        }
        Some(error)
    }

    /// What cannot be opened or written because the unit's sandbox hides it or lets nobody write there, with the way out.
    fn shut(&self, mut error: Error) -> Error {
        let errno = std::error::Error::source(&error).and_then(|source| source.downcast_ref());
        let is_of_sandbox =
            errno == Some(&Errno::ROFS) || (errno == Some(&Errno::ACCESS) && beneath::is_of_home(&self.options.root));
        if let Some(unit) = self.options.unit.as_deref().filter(|_| is_of_sandbox) {
            error.message += &format!(
                ". Nothing was written there. For a service its sandbox is why, unless the folder or its disk is shut to everybody: put what `twofold systemd-dropin` prints into \
                 /etc/systemd/system/{unit}.service.d/devices.conf, then type: sudo systemctl daemon-reload && sudo systemctl restart {unit}"
            );
        }
        error
    }

    fn write_root_marker(&self, root: Option<OwnedFd>, run: u64) -> Result<()> {
        let root = match root {
            Some(root) => root,
            None => self.make_root()?,
        };
        let marker = marker::RootMarker::new(&self.replica_id(), &self.options.hub_id, run);
        let written = self.write_ours(&root, "", ROOT_MARKER, &marker::text(&marker)?);
        written.map_err(|error| self.shut(error))?;
        lock(&self.visit).is_known = true;
        Ok(())
    }

    fn make_root(&self) -> Result<OwnedFd> {
        let path = &self.options.root;
        let doing = || format!("making {}", path.display());
        let errno = |e: &std::io::Error| Errno::from_io_error(e).unwrap_or(Errno::IO);
        if let Some(memory) = memory_above(path) {
            let restart = self.options.unit.as_ref().map(|unit| format!(" && sudo systemctl restart {unit}"));
            return Err(self.held(&format!(
                "{0} would be in memory only, and lost with the next restart: {1} is no disk here (`ProtectHome=tmpfs` of a unit is so). The \
                 folder was not made, and nothing was written. As the user whose folder it is, type: install -d -m 700 '{0}'{2}",
                path.display(),
                memory.display(),
                restart.unwrap_or_default()
            )));
        }
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(self.access.folder_mode() & 0o777)
            .create(path)
            .map_err(|e| self.shut(refused(errno(&e), doing())))?;
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
            other => other.map_err(|e| self.shut(refused(e, format!("opening {}", self.options.root.display())))),
        };
        let root = root?;
        let _lock = self.lock_to_write()?;
        // The root's marker last: until it is written, everything is held.
        self.mark_folders_anew(&root, None)?;
        self.write_root_marker(Some(root), 0)
    }

    /// Takes the keys from the markers of these folders: whoever keeps nothing of them any more knows them by their names the next time. Nothing
    /// else is touched. May be repeated.
    ///
    /// # Errors
    /// Where a marker cannot be written.
    pub fn let_go_of(&self, folders: &[CollectionId]) -> Result<()> {
        let root = self.root_to_own()?;
        let _lock = self.lock_to_write()?;
        self.mark_folders_anew(&root, Some(folders))
    }

    /// Writes the marker of each folder that has one, or of each of some, without its key.
    fn mark_folders_anew(&self, root: &OwnedFd, of: Option<&[CollectionId]>) -> Result<()> {
        let is_one = |id: &CollectionId| of.is_none_or(|of| of.contains(id));
        for format in &self.formats {
            for collection in self.list_collections(root, format)?.into_iter().filter(|one| is_one(&one.id)) {
                let Some(folder) = self.open_collection(root, &collection.id)? else { continue };
                if marker::read_collection(&folder, &self.path_of(collection.id.as_str()))?.is_some() {
                    self.write_marker(&folder, &collection.id, None)?;
                }
            }
        }
        self.mail().map_or(Ok(()), |room| room.mark_anew(root, of))
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

    pub(crate) fn is_dry_run(&self) -> bool {
        lock(&self.visit).is_dry_run
    }

    pub(crate) fn replica_id(&self) -> String {
        lock(&self.replica_id).clone()
    }

    /// The room of messages, where this device holds any.
    /// The message files that are not as long as their names say, and why; for people. Nothing is changed.
    ///
    /// # Errors
    /// Where a folder cannot be read.
    pub fn damaged_messages(&self) -> Result<Vec<(PathBuf, String)>> {
        match (self.mail(), self.root_to_read()?) {
            (Some(room), Some(root)) => room.damaged(&root),
            _ => Ok(Vec::new()),
        }
    }

    pub(crate) fn mail(&self) -> Option<maildir::Room<'_>> {
        let blobs = self.options.blobs.as_deref().filter(|_| self.options.kinds.contains(&Kind::Mail))?;
        Some(maildir::Room { device: self, blobs })
    }

    fn format(&self, kind: Kind) -> Result<&Format> {
        self.formats.iter().find(|format| format.kind == kind).ok_or_else(|| self.not_kept(kind))
    }

    fn not_kept(&self, kind: Kind) -> Error {
        Error::new(ErrorKind::Unsupported, format!("{kind} is not kept in this device's folder"))
    }

    /// The root, where it may be read; nothing on a first use whose path is not there yet.
    pub(crate) fn root_to_read(&self) -> Result<Option<OwnedFd>> {
        let (state, root) = self.look_at_root()?;
        let visit = *lock(&self.visit);
        let is_dry_takeover = visit.is_dry_run && visit.hub_is_empty && !visit.is_known;
        match self.held_at_root(&state) {
            Some(held) if !is_dry_takeover => Err(held),
            _ => Ok(root),
        }
    }

    /// The root, where it may be written to: marked as ours.
    pub(crate) fn root_to_write(&self) -> Result<OwnedFd> {
        let (state, root) = self.look_at_root()?;
        if let Some(held) = self.held_at_root(&state) {
            return Err(held);
        }
        match (state, root) {
            (MarkerState::Ours { .. }, Some(root)) => Ok(root),
            _ => Err(self.held("the folder is not marked yet; nothing was written")),
        }
    }

    /// The root as [`root_to_write`](Self::root_to_write) has it, marked now if this is its first use.
    pub(crate) fn root_to_own(&self) -> Result<OwnedFd> {
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

    pub(crate) fn collection_held(&self, state: &CollectionState) -> Error {
        let reason = match state {
            CollectionState::Absent => "the folder is not there; is a disk not mounted?".to_owned(),
            CollectionState::OtherReplica => "the folder is marked as another device's.".to_owned(),
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

    pub(crate) fn held(&self, message: &str) -> Error {
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

    pub(crate) fn now(&self) -> i64 {
        (self.options.clock)()
    }

    /// What of ours is older than this was left by one that was killed, also where another process of the same hub may be looking or at work.
    pub(crate) fn left_behind_ns(&self) -> i64 {
        self.opened_ns.min(self.now() - atomic::LEFTOVER_AGE_NS)
    }

    pub(crate) fn listing(&self, folder: &OwnedFd, format: &Format) -> Result<scan::Listing> {
        scan::list(folder, format.extension).map_err(|e| refused(e, "listing the folder"))
    }
}

/// The replica that a folder is marked as, whatever hub it belongs to; nothing where there is no readable marker.
pub fn replica_marked_at(path: &Path) -> Option<String> {
    let root = beneath::open_root(path).ok()?;
    Some(marker::read_root(&root, path).ok()??.ok()?.replica)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_sandbox_of_a_unit_hides_or_shuts_is_told_with_one_way_out_and_nothing_else_is() {
        let told = |root: &str, errno| {
            let mut options = DeviceOptions::new("laptop", root, "hub-1", "replica-1");
            options.unit = Some("twofold@bob".into());
            let error = Device::open(options).unwrap().shut(refused(errno, format!("opening {root}")));
            error.to_string().contains("/etc/systemd/system/twofold@bob.service.d/devices.conf")
        };
        assert!(told("/srv/twofold", Errno::ROFS));
        assert!(told("/home/bob/twofold", Errno::ROFS));
        assert!(told("/home/bob/twofold", Errno::ACCESS));
        assert!(!told("/srv/twofold", Errno::ACCESS), "a right that is missing there is no matter of the sandbox");
        assert!(!told("/home/bob/twofold", Errno::IO));
    }
}
