//! Writes: operations staged, made durable, carried out, and looked at again.
//!
//! A batch goes through four steps. Every new content is written under a temporary name; all of them are made durable at
//! once; each gets its name, guarded by what the hub last saw ([`crate::atomic`]); then every file is looked at again a
//! tick of the clock later, so that its etag needs no second look by the next scan.
//!
//! Every step of a file system answers for certain, so no write ends as *unknown*.

use crate::atomic::{self, Change, FileAccess, Outcome, Placed, Ways};
use crate::beneath::{self, Look, refused};
use crate::scan::{self, Digest, Mark, Stamp};
use crate::vdir::{Format, Shape};
use crate::{Device, names};
use rustix::fd::OwnedFd;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use twofold_model::error::AtPlace as _;
use twofold_model::{
    CollectionId, Error, ErrorKind, Etag, Kind, Operation, Place, RemoteId, Rendering, Result, Uid, Written,
};

/// The kernel's clock for files moves at least this often: what is older cannot change again under the same stamp.
const TICK: Duration = Duration::from_millis(20);

/// Up to so many files are made durable one by one; more of them by one sync of the file system.
const SYNCED_SINGLY: usize = 8;

/// An operation whose content lies ready under a temporary name.
enum Staged {
    Create { at: At, uid: Uid, new: New },
    Update { at: At, name: Vec<u8>, etag: Etag, new: New },
    Delete { at: At, name: Vec<u8>, etag: Etag },
}

/// Where.
#[derive(Clone)]
struct At {
    collection: CollectionId,
    folder: Arc<OwnedFd>,
}

/// What is to be written.
struct New {
    temp: String,
    bytes: Vec<u8>,
    content: Digest,
    uid: Uid,
}

/// A file that stands as it should, not yet looked at again.
struct Landed {
    at: At,
    name: Vec<u8>,
    bytes: Vec<u8>,
    content: Digest,
    uid: Uid,
}

impl Device {
    /// Carries out a batch and answers for each operation.
    pub(crate) fn write_batch(&self, kind: Kind, operations: &[Operation]) -> Vec<Result<Written>> {
        let ready = || -> Result<_> { Ok((self.format(kind)?, self.root_to_write()?, self.lock_to_write()?)) };
        let (format, root, _lock) = match ready() {
            Ok(ready) => ready,
            Err(error) => return operations.iter().map(|_| Err(again(&error))).collect(),
        };
        let mut folders = HashMap::new();
        let mut staged: Vec<Result<Staged>> =
            operations.iter().map(|operation| self.stage(&root, &mut folders, format, operation)).collect();
        self.make_durable(&mut staged);
        let landed: Vec<Result<Option<Landed>>> = staged
            .into_iter()
            .zip(operations)
            .map(|(staged, operation)| staged.and_then(|staged| self.carry_out(staged, format)).at(place_of(operation)))
            .collect();
        self.look_again(landed)
    }

    fn stage(
        &self,
        root: &OwnedFd,
        folders: &mut HashMap<CollectionId, Arc<OwnedFd>>,
        format: &Format,
        operation: &Operation,
    ) -> Result<Staged> {
        match operation {
            Operation::Create { collection, rendering, uid, .. } => {
                let at = self.at(root, folders, collection.clone())?;
                let new = self.new_content(&at, format, rendering, self.access)?;
                Ok(Staged::Create { at, uid: uid.clone(), new })
            }
            Operation::Update { place, etag, to, .. } => {
                let (at, name) = self.at_place(root, folders, format, place)?;
                let stat = beneath::stat(&at.folder, &name).map_err(|e| refused(e, "reading"))?.ok_or_else(gone)?;
                if let Some(oddity) = beneath::oddity(&stat) {
                    return Err(Error::new(ErrorKind::Refused, format!("the file {oddity}; it is not written to")));
                }
                // Who could read the old file can read the new one.
                let access = FileAccess { mode: stat.st_mode & 0o777, group: None };
                let mut new = self.new_content(&at, format, to, access)?;
                self.keep_group(&at, &mut new, stat.st_gid);
                Ok(Staged::Update { at, name, etag: etag.clone(), new })
            }
            Operation::Delete { place, etag } => {
                let (at, name) = self.at_place(root, folders, format, place)?;
                Ok(Staged::Delete { at, name, etag: etag.clone() })
            }
            Operation::Copy { .. } | Operation::Move { .. } => Err(operation.has_no_way()),
        }
    }

    fn at(
        &self,
        root: &OwnedFd,
        folders: &mut HashMap<CollectionId, Arc<OwnedFd>>,
        collection: CollectionId,
    ) -> Result<At> {
        if let Some(folder) = folders.get(&collection) {
            return Ok(At { collection, folder: Arc::clone(folder) });
        }
        let folder = Arc::new(self.marked_collection(root, &collection)?);
        self.touched(&folder);
        folders.insert(collection.clone(), Arc::clone(&folder));
        Ok(At { collection, folder })
    }

    fn at_place(
        &self,
        root: &OwnedFd,
        folders: &mut HashMap<CollectionId, Arc<OwnedFd>>,
        format: &Format,
        place: &Place,
    ) -> Result<(At, Vec<u8>)> {
        let (collection, name) = split_remote(&place.remote_id, format)?;
        Ok((self.at(root, folders, collection)?, name))
    }

    /// Writes the new content under a temporary name. What we could not read back ourselves is not written.
    fn new_content(&self, at: &At, format: &Format, rendering: &Rendering, access: FileAccess) -> Result<New> {
        let bytes = rendering.as_bytes().to_vec();
        let uid = match (format.shape)(&bytes) {
            Shape::Whole(Some(uid)) => uid,
            _ => return Err(Error::new(ErrorKind::Refused, "what was to be written is not one whole item with a UID")),
        };
        let temp = atomic::write_temp(&at.folder, &self.temps, &bytes, access).map_err(|e| refused(e, "writing"))?;
        Ok(New { temp, content: scan::digest(&bytes), bytes, uid })
    }

    /// Keeps the old file's group where we may.
    fn keep_group(&self, at: &At, new: &mut New, group: u32) {
        let mine = rustix::process::getegid().as_raw();
        if group != mine
            && let Err(errno) = rustix::fs::chownat(
                &*at.folder,
                new.temp.as_str(),
                None,
                Some(rustix::fs::Gid::from_raw(group)),
                rustix::fs::AtFlags::SYMLINK_NOFOLLOW,
            )
        {
            tracing::debug!("the group of a file cannot be kept: {errno}");
        }
    }

    /// Before any name points to new content, the content is on disk.
    fn make_durable(&self, staged: &mut [Result<Staged>]) {
        if !self.options.is_durable {
            return;
        }
        let temps: Vec<(usize, At, String)> = staged
            .iter()
            .enumerate()
            .filter_map(|(index, staged)| match staged {
                Ok(Staged::Create { at, new, .. } | Staged::Update { at, new, .. }) => {
                    Some((index, at.clone(), new.temp.clone()))
                }
                _ => None,
            })
            .collect();
        let is_single = temps.len() <= SYNCED_SINGLY;
        let mut synced = HashMap::new();
        for (index, at, temp) in temps {
            let outcome = if is_single {
                atomic::sync_file(&at.folder, &temp)
            } else {
                *synced.entry(at.collection.clone()).or_insert_with(|| rustix::fs::syncfs(&*at.folder))
            };
            if let Err(errno) = outcome {
                atomic::discard(&at.folder, &temp);
                staged[index] = Err(refused(errno, "writing to disk"));
            }
        }
    }

    fn carry_out(&self, staged: Staged, format: &Format) -> Result<Option<Landed>> {
        match staged {
            Staged::Create { at, uid, new } => {
                let placed =
                    atomic::place_new(&at.folder, &new.temp, &uid, format).map_err(|e| refused(e, "creating"))?;
                match placed {
                    Placed::As(name) => Ok(Some(landed(at, name, new))),
                    // The same bytes: this create was carried out before.
                    Placed::Taken(name, bytes) if bytes == new.bytes => Ok(Some(landed(at, name, new))),
                    Placed::Taken(name, _) => {
                        let message = format!("{} holds this UID already", String::from_utf8_lossy(&name));
                        Err(Error::new(ErrorKind::StaleEtag, message))
                    }
                }
            }
            Staged::Update { at, name, etag, new } => {
                let expected = match self.expected(&at, &name, &etag) {
                    Ok(expected) => expected.ok_or_else(gone),
                    Err(error) => Err(error),
                };
                let expected = expected.inspect_err(|_| atomic::discard(&at.folder, &new.temp))?;
                if expected == new.content {
                    atomic::discard(&at.folder, &new.temp);
                    return Ok(Some(landed(at, name, new)));
                }
                let outcome = self.change(&at, &name, &expected).replace_by(&new.temp, &new.content);
                match outcome.map_err(|e| refused(e, "replacing"))? {
                    Outcome::Done => Ok(Some(landed(at, name, new))),
                    Outcome::Changed => Err(stale()),
                    Outcome::Gone => Err(gone()),
                }
            }
            Staged::Delete { at, name, etag } => {
                let Some(expected) = self.expected(&at, &name, &etag)? else { return Ok(None) };
                match self.change(&at, &name, &expected).remove().map_err(|e| refused(e, "removing"))? {
                    Outcome::Done | Outcome::Gone => Ok(None),
                    Outcome::Changed => Err(stale()),
                }
            }
        }
    }

    fn change<'a>(&'a self, at: &'a At, name: &'a [u8], expected: &'a Digest) -> Change<'a> {
        Change { folder: &at.folder, names: &self.temps, name, expected, ways: Ways::ALL }
    }

    /// The guard: the hash of what stands there, provided that it is what the etag says; nothing where nothing stands.
    fn expected(&self, at: &At, name: &[u8], etag: &Etag) -> Result<Option<Digest>> {
        let Some(stat) = beneath::stat(&at.folder, name).map_err(|e| refused(e, "reading"))? else { return Ok(None) };
        let guard = Mark::parse(etag).ok_or_else(stale)?;
        if !guard.is_dirty && guard.stamp == Stamp::of(&stat) {
            return Ok(Some(guard.content));
        }
        // Touched, or too young for its stamp to be trusted: the content decides.
        match beneath::look(&at.folder, name).map_err(|e| refused(e, "reading"))? {
            Look::File(bytes, _) if scan::digest(&bytes) == guard.content => Ok(Some(guard.content)),
            Look::Absent => Ok(None),
            Look::Odd(oddity) => {
                Err(Error::new(ErrorKind::Refused, format!("the file {oddity}; it is not written to")))
            }
            Look::File(..) | Look::Unsteady => Err(stale()),
        }
    }

    /// Looks at each file once more, a tick after the last change, so that the etags answered are final.
    fn look_again(&self, landed: Vec<Result<Option<Landed>>>) -> Vec<Result<Written>> {
        let last_change = Instant::now();
        let is_any = landed.iter().any(|landed| matches!(landed, Ok(Some(_))));
        if is_any {
            std::thread::sleep(TICK.saturating_sub(last_change.elapsed()));
        }
        let now_ns = crate::now_ns();
        let tick_ns = i64::try_from(TICK.as_nanos()).unwrap_or(i64::MAX);
        landed
            .into_iter()
            .map(|landed| {
                Ok(landed?.map(|file| {
                    let mut mark = Mark {
                        stamp: Stamp::default(),
                        content: file.content,
                        uid: Some(scan::uid_key(&file.uid)),
                        is_dirty: true,
                    };
                    // Anything else than our bytes is somebody's newer edit: the next scan sees another stamp and takes it.
                    if let Ok(Look::File(bytes, stat)) = beneath::look(&file.at.folder, &file.name)
                        && bytes == file.bytes
                    {
                        mark.stamp = Stamp::of(&stat);
                        mark.is_dirty = !mark.stamp.is_fine() || mark.stamp.age_ns(now_ns) < tick_ns / 2;
                    }
                    let mut id = file.at.collection.as_str().to_owned();
                    names::push(&mut id, &file.name);
                    scan::seen(RemoteId(id), file.at.collection, mark, file.bytes, Some(file.uid))
                }))
            })
            .collect()
    }
}

fn landed(at: At, name: Vec<u8>, new: New) -> Landed {
    Landed { at, name, bytes: new.bytes, content: new.content, uid: new.uid }
}

/// The collection and the file name of a remote id; only the name of an item of this kind, never a climbing path.
pub(crate) fn split_remote(id: &RemoteId, format: &Format) -> Result<(CollectionId, Vec<u8>)> {
    let none = || Error::new(ErrorKind::NotFound, format!("{:?} names no item of this device", id.as_str()));
    let path = names::split(id.as_str()).ok_or_else(none)?;
    let [provider, kind, folder, name] = path.as_slice() else { return Err(none()) };
    if kind.as_ref() != format.kind.as_str().as_bytes() || !scan::is_item_name(name, format.extension) {
        return Err(none());
    }
    Ok((CollectionId(names::join(&[provider, kind, folder])), name.to_vec()))
}

/// Where an operation is at work: its collection, because a file may be called as people call an item, and errors are told in logs.
pub(crate) fn place_of(operation: &Operation) -> &CollectionId {
    match operation {
        Operation::Create { collection, .. } => collection,
        Operation::Update { place, .. } | Operation::Delete { place, .. } | Operation::Move { place, .. } => {
            &place.collection
        }
        Operation::Copy { of, .. } => &of.collection,
    }
}

pub(crate) fn stale() -> Error {
    Error::new(ErrorKind::StaleEtag, "the file changed meanwhile; its state stands and is taken first")
}

pub(crate) fn gone() -> Error {
    Error::new(ErrorKind::NotFound, "the file is not there any more")
}

/// The same error for each of several operations.
pub(crate) fn again(error: &Error) -> Error {
    let mut copy = Error::new(error.kind, error.message.clone());
    copy.places.clone_from(&error.places);
    copy
}
