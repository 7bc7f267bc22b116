//! The vdir layout: `ROOT/PROVIDER/KIND/NAME/UID.EXT`, with `displayname` and `color` beside the items; which folders are
//! collections, how they are made, and what an item file of each kind is.
//!
//! A further kind of item is one more [`Format`]: an extension, a lens and a look at whether a file is whole.

use crate::atomic::{self, TempNames};
use crate::beneath::{self, Look, refused};
use crate::marker::{self, CollectionMarker, CollectionState};
use crate::{Device, maildir, names};
use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, RawDir};
use rustix::io::Errno;
use std::path::PathBuf;
use std::sync::Arc;
use twofold_model::error::AtPlace as _;
use twofold_model::ical::{self, IcalLens};
use twofold_model::vcard::{self, FileProblem, VcardLens};
use twofold_model::zone::Zones;
use twofold_model::{Access, Collection, CollectionId, Error, ErrorKind, Kind, Lens, Result, Uid, plain_color};

pub(crate) const DISPLAY_NAME: &str = "displayname";
pub(crate) const COLOR: &str = "color";

/// What a file is to its kind.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// One item, with the UID that it carries.
    Whole(Option<Uid>),
    /// It begins and does not end: somebody is writing it.
    Half,
    /// So many items.
    Several(usize),
    /// Something of another kind (a task in a calendar's folder): left alone.
    Foreign,
    /// Nothing that can be understood, and why.
    Unreadable(String),
}

/// One kind of item file.
pub(crate) struct Format {
    pub kind: Kind,
    /// With its dot.
    pub extension: &'static str,
    pub lens: Box<dyn Lens>,
    pub shape: fn(&[u8]) -> Shape,
}

impl Format {
    /// Contacts: `.vcf`.
    pub fn contacts(version: vcard::Version) -> Self {
        Self { kind: Kind::Contacts, extension: ".vcf", lens: Box::new(VcardLens::new(version)), shape: card_shape }
    }

    /// Calendars: `.ics`, with the rules of these zones.
    pub fn calendar(zones: Arc<dyn Zones>) -> Self {
        Self { kind: Kind::Calendar, extension: ".ics", lens: Box::new(IcalLens::new(zones)), shape: event_shape }
    }

    /// The name for the item of this UID; further ordinals where another item has the name.
    pub fn file_name(&self, uid: &Uid, ordinal: usize) -> String {
        names::with_ordinal(&names::file_stem(uid), ordinal) + self.extension
    }
}

/// Whether a file has only just been opened for writing: it is empty, blank where a power cut left it so, or has the first few
/// letters of `begin`.
fn is_begun(bytes: &[u8], begin: &[u8]) -> bool {
    let start = bytes.trim_ascii();
    bytes.iter().all(|b| *b == 0) || (start.len() < begin.len() && begin[..start.len()].eq_ignore_ascii_case(start))
}

fn card_shape(bytes: &[u8]) -> Shape {
    if is_begun(bytes, b"BEGIN:VCARD") {
        return Shape::Half;
    }
    match vcard::check_whole(bytes) {
        Ok(file) => Shape::Whole(file.uid),
        Err(FileProblem::HalfWritten) => Shape::Half,
        Err(FileProblem::SeveralCards(count)) => Shape::Several(count),
        Err(problem) => Shape::Unreadable(problem.to_string()),
    }
}

fn event_shape(bytes: &[u8]) -> Shape {
    if is_begun(bytes, b"BEGIN:VCALENDAR") {
        return Shape::Half;
    }
    match ical::check_whole(bytes) {
        Ok(file) => Shape::Whole(file.uid),
        Err(ical::FileProblem::HalfWritten) => Shape::Half,
        Err(ical::FileProblem::Several(count)) => Shape::Several(count),
        Err(ical::FileProblem::NotEvents(_)) => Shape::Foreign,
        Err(problem) => Shape::Unreadable(problem.to_string()),
    }
}

/// A folder found at the place of a collection.
struct Found {
    collection: Collection,
    folder: OwnedFd,
    state: CollectionState,
    key: Option<String>,
    has_items: bool,
}

impl Device {
    /// Every collection of a kind: folders with our marker, and folders without it that hold items (to be adopted).
    pub(crate) fn list_collections(&self, root: &OwnedFd, format: &Format) -> Result<Vec<Collection>> {
        let mut collections = Vec::new();
        for provider in self.subfolders(root, "")? {
            let Some(provider_folder) = self.enter(root, &provider, &names::join(&[&provider]))? else { continue };
            let parent = [provider.as_slice(), format.kind.as_str().as_bytes()];
            let Some(parent_folder) = self.enter(&provider_folder, parent[1], &names::join(&parent))? else { continue };
            let found = self.found_beneath(&parent_folder, parent, format)?;
            let is_collection = |found: &Found| found.state != CollectionState::Unmarked || found.has_items;
            collections.extend(found.into_iter().filter(is_collection).map(|found| found.collection));
        }
        collections.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(collections)
    }

    fn found_beneath(&self, parent_folder: &OwnedFd, parent: [&[u8]; 2], format: &Format) -> Result<Vec<Found>> {
        let mut all = Vec::new();
        for name in self.subfolders(parent_folder, &names::join(&parent))? {
            let id = CollectionId(names::join(&[parent[0], parent[1], &name]));
            let Some(folder) = self.enter(parent_folder, &name, id.as_str())? else { continue };
            let (state, key) = self.marker_of(&folder, &id)?;
            let read = |file: &str| -> Result<Option<String>> {
                let bytes = beneath::read_small(&folder, file, &self.path_of(id.as_str()))?;
                let text = bytes.map(|bytes| String::from_utf8_lossy(&bytes).trim().to_owned());
                Ok(text.filter(|text| !text.is_empty()))
            };
            let display_name = read(DISPLAY_NAME)?;
            let color = read(COLOR)?.as_deref().and_then(plain_color);
            let access = match rustix::fs::accessat(
                &folder,
                c".",
                rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK,
                AtFlags::empty(),
            ) {
                Ok(()) => Access::ReadWrite,
                Err(_) => Access::ReadOnly,
            };
            let has_items = state != CollectionState::Marked && self.has_items(&folder, format, &id)?;
            let collection = Collection {
                kind: format.kind,
                // A folder that is ours had a name: what is not there any more, or not yet again, says nothing.
                name: display_name.unwrap_or_else(|| match state {
                    CollectionState::Marked => String::new(),
                    _ => String::from_utf8_lossy(&name).into_owned(),
                }),
                color,
                is_default: false,
                role: None,
                access,
                id,
            };
            all.push(Found { collection, folder, state, key, has_items });
        }
        Ok(all)
    }

    /// Whether a folder holds any item file. A folder of nothing but tasks is no calendar.
    pub(crate) fn has_items(&self, folder: &OwnedFd, format: &Format, id: &CollectionId) -> Result<bool> {
        let is_foreign = |name: &[u8]| match beneath::look(folder, name) {
            Ok(Look::File(bytes, _)) => (format.shape)(&bytes) == Shape::Foreign,
            _ => false,
        };
        Ok(self.listing(folder, format).at(id)?.names.iter().any(|(name, _)| !is_foreign(name)))
    }

    /// What a collection folder's marker says, and the key it was made under.
    pub(crate) fn marker_of(&self, folder: &OwnedFd, id: &CollectionId) -> Result<(CollectionState, Option<String>)> {
        let (state, marker) = self.marker_in(folder, id)?;
        let key = marker.filter(|_| state == CollectionState::Marked).and_then(|marker| marker.key);
        Ok((state, key))
    }

    /// [`marker_of`](Self::marker_of), with the marker itself where it is this replica's.
    pub(crate) fn marker_in(
        &self,
        folder: &OwnedFd,
        id: &CollectionId,
    ) -> Result<(CollectionState, Option<CollectionMarker>)> {
        let path = self.path_of(id.as_str());
        match marker::read_collection(folder, &path)? {
            None => Ok((CollectionState::Unmarked, None)),
            Some(Err(reason)) => Err(Error::new(ErrorKind::Held, format!("{}: {reason}", path.display()))),
            Some(Ok(marker)) if marker.replica != self.replica_id() => Ok((CollectionState::OtherReplica, None)),
            Some(Ok(marker)) if marker.collection != *id => {
                Ok((CollectionState::OtherFolder { was: marker.collection.clone() }, Some(marker)))
            }
            Some(Ok(marker)) => Ok((CollectionState::Marked, Some(marker))),
        }
    }

    /// Opens a collection's folder; nothing where it is not there.
    pub(crate) fn open_collection(&self, root: &OwnedFd, id: &CollectionId) -> Result<Option<OwnedFd>> {
        if let Some(room) = self.mail()
            && maildir::is_folder(id)
        {
            return room.locate(root, id);
        }
        let none = || Error::new(ErrorKind::NotFound, format!("{id:?} names no collection of this device"));
        let path = names::split(id.as_str()).ok_or_else(none)?;
        let [provider, kind, name] = path.as_slice() else { return Err(none()) };
        if !self.formats.iter().any(|format| format.kind.as_str().as_bytes() == kind.as_ref()) {
            return Err(none());
        }
        let Some(folder) = self.enter(root, provider, id.as_str())? else { return Ok(None) };
        let Some(folder) = self.enter(&folder, kind, id.as_str())? else { return Ok(None) };
        self.enter(&folder, name, id.as_str())
    }

    pub(crate) fn enter(&self, parent: &OwnedFd, name: &[u8], id: &str) -> Result<Option<OwnedFd>> {
        match beneath::open_folder(parent, name) {
            Ok(folder) => Ok(Some(folder)),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(refused(errno, format!("opening {}", self.path_of(id).display()))),
        }
    }

    /// The folders beneath a folder, hidden ones and links left out, and what a file system has at its top for what it finds when it is
    /// repaired: that is nobody's account, and may not be entered.
    pub(crate) fn subfolders(&self, folder: &OwnedFd, id: &str) -> Result<Vec<Vec<u8>>> {
        let read = || -> rustix::io::Result<Vec<Vec<u8>>> {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let handle = rustix::fs::openat(folder, c".", flags, Mode::empty())?;
            let mut buffer: Vec<u8> = Vec::with_capacity(16 * 1024);
            let mut entries = RawDir::new(handle, buffer.spare_capacity_mut());
            let mut found = Vec::new();
            while let Some(entry) = entries.next() {
                let entry = entry?;
                let name = entry.file_name().to_bytes();
                if name.starts_with(b".") || (id.is_empty() && name == b"lost+found") {
                    continue;
                }
                let file_type = match entry.file_type() {
                    FileType::Unknown => match beneath::stat(folder, name)? {
                        Some(stat) => FileType::from_raw_mode(stat.st_mode),
                        None => continue,
                    },
                    known => known,
                };
                match file_type {
                    FileType::Directory => found.push(name.to_vec()),
                    FileType::Symlink => {
                        tracing::debug!(name = %String::from_utf8_lossy(name), "a symbolic link among the folders is not followed");
                    }
                    _ => {}
                }
            }
            found.sort();
            Ok(found)
        };
        read().map_err(|errno| refused(errno, format!("listing {}", self.path_of(id).display())))
    }

    /// Makes or finds a collection; see [`Device`] for what `like` says.
    pub(crate) fn make_collection(&self, root: &OwnedFd, format: &Format, like: &Collection) -> Result<Collection> {
        let wrong = || {
            let message =
                format!("{:?} is no place for a collection; PROVIDER/{} is expected", like.id.as_str(), format.kind);
            Error::new(ErrorKind::Misconfigured, message)
        };
        let (parent, key) = match like.id.as_str().split_once('#') {
            Some((parent, key)) => (parent, Some(key)),
            None => (like.id.as_str(), None),
        };
        let path = names::split(parent).ok_or_else(wrong)?;
        let [provider, kind] = path.as_slice() else { return Err(wrong()) };
        if kind.as_ref() != format.kind.as_str().as_bytes() {
            return Err(wrong());
        }
        let provider_folder = self.make_folder(root, provider, parent)?.0;
        let parent_folder = self.make_folder(&provider_folder, kind, parent)?.0;

        let siblings = self.found_beneath(&parent_folder, [provider, kind], format)?;
        let wished = names::folder_name(&like.name);
        if let Some(index) = position_of(&siblings, key, &like.name, &wished, format) {
            let found = &siblings[index];
            let is_to_mark = found.state != CollectionState::Marked || (key.is_some() && found.key.is_none());
            if is_to_mark {
                self.write_marker(&found.folder, &found.collection.id, key)?;
            }
            return Ok(found.collection.clone());
        }

        let name_in = |id: &CollectionId| id.as_str().rsplit('/').next().unwrap_or_default().to_owned();
        for ordinal in 1.. {
            let name = names::with_ordinal(&wished, ordinal);
            let clash = siblings.iter().find(|s| names::same_ignoring_case(&name_in(&s.collection.id), &name));
            // A folder of exactly that name in which nothing stands (made by hand, or by a run that was stopped) is taken.
            let is_free = clash.is_none_or(|sibling| {
                sibling.state == CollectionState::Unmarked
                    && !sibling.has_items
                    && name_in(&sibling.collection.id) == name
            });
            if !is_free {
                continue;
            }
            let id = CollectionId(names::join(&[provider, kind, name.as_bytes()]));
            let (folder, _) = self.make_folder(&parent_folder, name.as_bytes(), id.as_str())?;
            // The marker first: a folder without it would be nobody's.
            self.write_marker(&folder, &id, key)?;
            self.write_text(&folder, &id, DISPLAY_NAME, &like.name)?;
            let color = like.color.as_deref().and_then(plain_color);
            if let Some(color) = &color {
                self.write_text(&folder, &id, COLOR, color)?;
            }
            self.touched(&parent_folder);
            return Ok(Collection {
                id,
                kind: format.kind,
                name: like.name.clone(),
                color,
                is_default: false,
                role: None,
                access: Access::ReadWrite,
            });
        }
        Err(wrong())
    }

    pub(crate) fn make_folder(&self, parent: &OwnedFd, name: &[u8], id: &str) -> Result<(OwnedFd, bool)> {
        let access = self.access;
        let made = match rustix::fs::mkdirat(parent, name, Mode::RWXU) {
            Ok(()) => true,
            Err(Errno::EXIST) => false,
            Err(errno) => return Err(refused(errno, format!("making {}", self.path_of(id).display()))),
        };
        let open = || -> rustix::io::Result<OwnedFd> {
            let folder = beneath::open_folder(parent, name)?;
            if made {
                atomic::give(&folder, access.folder_mode(), access.group)?;
            }
            Ok(folder)
        };
        let folder = open().map_err(|errno| refused(errno, format!("opening {}", self.path_of(id).display())))?;
        Ok((folder, made))
    }

    pub(crate) fn write_marker(&self, folder: &OwnedFd, id: &CollectionId, key: Option<&str>) -> Result<()> {
        self.write_this_marker(folder, id, &CollectionMarker::new(&self.replica_id(), id, key))
    }

    pub(crate) fn write_this_marker(
        &self,
        folder: &OwnedFd,
        id: &CollectionId,
        marker: &CollectionMarker,
    ) -> Result<()> {
        self.write_ours(folder, id.as_str(), marker::COLLECTION_MARKER, &marker::text(marker)?)
    }

    /// Writes a file of ours through a temporary one; leaves it alone when it says that already.
    pub(crate) fn write_ours(&self, folder: &OwnedFd, id: &str, name: &str, text: &[u8]) -> Result<()> {
        if beneath::read_small(folder, name, &self.path_of(id))?.as_deref() == Some(text) {
            return Ok(());
        }
        let temps: &TempNames = &self.temps;
        let write = || -> rustix::io::Result<()> {
            let temp = atomic::write_temp(folder, temps, text, self.access)?;
            if self.options.is_durable
                && let Err(errno) = atomic::sync_file(folder, &temp)
            {
                atomic::discard(folder, &temp);
                return Err(errno);
            }
            atomic::replace_ours(folder, &temp, name)
        };
        write().map_err(|errno| refused(errno, format!("writing {}/{name}", self.path_of(id).display())))?;
        self.touched(folder);
        Ok(())
    }

    fn write_text(&self, folder: &OwnedFd, id: &CollectionId, file: &str, text: &str) -> Result<()> {
        self.write_ours(folder, id.as_str(), file, text.as_bytes())
    }

    /// Tells the programs that read the folder another name or colour for a collection, and answers what it says then.
    pub(crate) fn describe(
        &self,
        root: &OwnedFd,
        format: &Format,
        id: &CollectionId,
        name: Option<&str>,
        color: Option<&str>,
    ) -> Result<Collection> {
        let folder = self.marked_collection(root, id)?;
        if let Some(name) = name {
            self.write_text(&folder, id, DISPLAY_NAME, name)?;
        }
        if let Some(color) = color.and_then(plain_color) {
            self.write_text(&folder, id, COLOR, &color)?;
        }
        let mut all = self.list_collections(root, format)?.into_iter();
        let here = all.find(|collection| collection.id == *id);
        here.ok_or_else(|| self.collection_held(&CollectionState::Absent))
    }

    /// Takes a collection's folder away when only our own files are in it; `false`: something else is, and all stays.
    pub(crate) fn take_away(&self, root: &OwnedFd, format: &Format, id: &CollectionId) -> Result<bool> {
        const OURS: [&str; 3] = [DISPLAY_NAME, COLOR, marker::COLLECTION_MARKER];
        // Not there any more: taken away by a run that was stopped, or by somebody.
        let Some(folder) = self.open_collection(root, id)? else { return Ok(true) };
        let (state, key) = self.marker_of(&folder, id)?;
        if state != CollectionState::Marked {
            return Ok(false);
        }
        let failed = |errno| refused(errno, format!("removing {}", self.path_of(id.as_str()).display()));
        // What one that was killed left in it would keep it, and be found by nobody any more. No other process writes here now.
        let temps = self.listing(&folder, format)?.temps;
        atomic::tidy(&folder, &temps, format, self.opened_ns).map_err(failed)?;
        if names_in(&folder).map_err(failed)?.iter().any(|name| !OURS.iter().any(|ours| ours.as_bytes() == name)) {
            return Ok(false);
        }
        let none = || Error::new(ErrorKind::NotFound, format!("{id:?} names no collection of this device"));
        let path = names::split(id.as_str()).ok_or_else(none)?;
        let [provider, kind, name] = path.as_slice() else { return Err(none()) };
        let parent = self.enter(root, provider, id.as_str())?.ok_or_else(none)?;
        let parent = self.enter(&parent, kind, id.as_str())?.ok_or_else(none)?;
        // The marker goes last: a folder that is still there is still ours.
        for ours in OURS {
            match rustix::fs::unlinkat(&folder, ours, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(errno) => return Err(failed(errno)),
            }
        }
        self.touched(&parent);
        match rustix::fs::unlinkat(&parent, name.as_ref(), AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT) => Ok(true),
            // Somebody put a file there in this moment.
            Err(Errno::NOTEMPTY | Errno::EXIST) => {
                self.write_marker(&folder, id, key.as_deref())?;
                Ok(false)
            }
            Err(errno) => Err(failed(errno)),
        }
    }

    /// The path of an id, for the person who reads a message.
    pub(crate) fn path_of(&self, id: &str) -> PathBuf {
        if id.is_empty() { self.options.root.clone() } else { self.options.root.join(id) }
    }
}

/// Every name in a folder, hidden ones too.
fn names_in(folder: &OwnedFd) -> rustix::io::Result<Vec<Vec<u8>>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let handle = rustix::fs::openat(folder, c".", flags, Mode::empty())?;
    let mut buffer: Vec<u8> = Vec::with_capacity(16 * 1024);
    let mut entries = RawDir::new(handle, buffer.spare_capacity_mut());
    let mut names = Vec::new();
    while let Some(entry) = entries.next() {
        let name = entry?.file_name().to_bytes().to_vec();
        if name != b"." && name != b".." {
            names.push(name);
        }
    }
    Ok(names)
}

/// The collection that is there already: made under the same key; else one of that name which has no other key; else a
/// folder to be adopted that is called so.
fn position_of(siblings: &[Found], key: Option<&str>, name: &str, wished: &str, format: &Format) -> Option<usize> {
    let is_marked = |s: &Found| s.state == CollectionState::Marked;
    let is_same_key = |s: &Found| is_marked(s) && key.is_some() && s.key.as_deref() == key;
    let folder_of = |s: &Found| s.collection.id.as_str().rsplit('/').next().unwrap_or_default().to_owned();
    // A folder that lost its name is called as it is.
    let is_called = |s: &Found| match s.collection.name.is_empty() {
        true => folder_of(s) == wished,
        false => s.collection.name == name,
    };
    let is_same_name = |s: &Found| is_marked(s) && is_called(s) && (key.is_none() || s.key.is_none());
    let is_adoptable = |s: &Found| {
        s.state == CollectionState::Unmarked
            && s.has_items
            && s.collection.kind == format.kind
            && (s.collection.name == name || folder_of(s) == wished)
    };
    // A copy that somebody made of a folder is one of its own, whatever the marker says that came along.
    let is_copy = |s: &Found| match &s.state {
        CollectionState::OtherFolder { was } => {
            siblings.iter().any(|other| is_marked(other) && other.collection.id == *was)
        }
        _ => false,
    };
    let is_called_copy = |s: &Found| is_called(s) && is_copy(s);
    siblings
        .iter()
        .position(is_same_key)
        .or_else(|| siblings.iter().position(is_same_name))
        .or_else(|| siblings.iter().position(is_adoptable))
        .or_else(|| siblings.iter().position(is_called_copy))
}
