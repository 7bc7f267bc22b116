//! Writes: messages written, flagged, linked, moved and removed, in batches.
//!
//! New bytes are written in `tmp` first and made durable for the whole batch at once; then each operation is one step of the kernel, which
//! names the file as the etag says it is called and fails where somebody gave it another name. Every step answers for certain; the
//! one thing that may be left undone is a keyword whose letter cannot be noted now.

use super::at::At;
use super::ids::{self, message_of};
use super::keywords::{self, Table};
use super::name::{FileName, draft_base, own_base, stem};
use super::{Place, Room, change, message};
use crate::atomic;
use crate::beneath::refused;
use crate::write::{again, place_of, stale};
use rustix::fd::OwnedFd;
use rustix::fs::AtFlags;
use rustix::io::Errno;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use twofold_model::email::Sheet;
use twofold_model::error::AtPlace as _;
use twofold_model::{BlobId, CollectionId, Error, ErrorKind, Etag, Operation, RemoteId, Result, Seen, Uid, Written};

/// Up to so many files are made durable one by one; more of them by one sync of the file system.
const SYNCED_SINGLY: usize = 8;

/// Bytes that lie ready in `tmp`.
struct New<'a> {
    at: Arc<At<'a>>,
    temp: String,
    size: u64,
    blob: BlobId,
    sheet: Sheet,
}

/// An operation, its bytes ready.
enum Staged<'a, 'o> {
    Create { new: New<'a>, uid: &'o Uid },
    Replace { new: New<'a>, place: &'o RemoteId, etag: &'o Etag },
    Plain(&'o Operation),
}

/// The folders that one part of a batch may hold open.
const OPEN_AT_MOST: usize = 8;

/// A batch in parts that need few open folders each.
fn parts(operations: &[Operation]) -> Vec<&[Operation]> {
    let mut parts = Vec::new();
    let (mut start, mut open) = (0, HashSet::new());
    for (at, operation) in operations.iter().enumerate() {
        let own = folders_of(operation);
        if at > start && open.union(&own).count() > OPEN_AT_MOST {
            parts.push(&operations[start..at]);
            (start, open) = (at, HashSet::new());
        }
        open.extend(own);
    }
    parts.push(&operations[start..]);
    parts
}

fn folders_of(operation: &Operation) -> HashSet<CollectionId> {
    let of = |id: &RemoteId| message_of(id).ok().map(|(folder, _)| folder);
    match operation {
        Operation::Create { collection, .. } => HashSet::from([collection.clone()]),
        Operation::Update { place, .. } | Operation::Delete { place, .. } => of(&place.remote_id).into_iter().collect(),
        Operation::Copy { of: place, collection: to } | Operation::Move { place, to, .. } => {
            of(&place.remote_id).into_iter().chain([to.clone()]).collect()
        }
    }
}

/// One part of a batch.
struct Batch<'a> {
    room: Room<'a>,
    root: &'a OwnedFd,
    folders: HashMap<CollectionId, Arc<At<'a>>>,
}

impl Room<'_> {
    /// Carries out a batch and answers for each operation.
    pub(crate) fn write_batch(&self, operations: &[Operation]) -> Vec<Result<Written>> {
        let root = match self.device.root_to_write() {
            Ok(root) => root,
            Err(error) => return operations.iter().map(|_| Err(again(&error))).collect(),
        };
        let mut answers = Vec::new();
        for part in parts(operations) {
            answers.extend(self.write_part(&root, part));
        }
        answers
    }

    fn write_part(&self, root: &OwnedFd, operations: &[Operation]) -> Vec<Result<Written>> {
        let mut batch = Batch { room: *self, root, folders: HashMap::new() };
        let mut staged: Vec<Result<Staged<'_, '_>>> =
            operations.iter().map(|operation| batch.stage(operation)).collect();
        batch.make_durable(&mut staged);
        staged
            .into_iter()
            .zip(operations)
            .map(|(staged, operation)| staged.and_then(|staged| batch.carry_out(staged)).at(place_of(operation)))
            .collect()
    }
}

impl<'a> Batch<'a> {
    fn at(&mut self, id: &CollectionId) -> Result<Arc<At<'a>>> {
        if let Some(at) = self.folders.get(id) {
            return Ok(Arc::clone(at));
        }
        let (folder, maildir) = self.room.marked(self.root, id)?;
        self.room.device.touched(&folder);
        let at = Arc::new(At::new(self.room, id.clone(), folder, maildir));
        self.folders.insert(id.clone(), Arc::clone(&at));
        Ok(at)
    }

    fn at_message(&mut self, id: &RemoteId) -> Result<(Arc<At<'a>>, Vec<u8>)> {
        let (folder, base) = message_of(id)?;
        Ok((self.at(&folder)?, base))
    }

    fn stage<'o>(&mut self, operation: &'o Operation) -> Result<Staged<'a, 'o>> {
        match operation {
            Operation::Create { collection, rendering, uid, .. } => {
                let at = self.at(collection)?;
                Ok(Staged::Create { new: self.new_bytes(at, Sheet::read(rendering)?)?, uid })
            }
            Operation::Update { place, etag, from, to } => {
                let (from, to) = (Sheet::read(from)?, Sheet::read(to)?);
                if to.blob().is_none() || to.blob_id == from.blob_id {
                    return Ok(Staged::Plain(operation));
                }
                let (at, _) = self.at_message(&place.remote_id)?;
                Ok(Staged::Replace { new: self.new_bytes(at, to)?, place: &place.remote_id, etag })
            }
            Operation::Copy { .. } | Operation::Move { .. } | Operation::Delete { .. } => Ok(Staged::Plain(operation)),
        }
    }

    fn new_bytes(&self, at: Arc<At<'a>>, sheet: Sheet) -> Result<New<'a>> {
        let none = || Error::new(ErrorKind::Refused, "the message to be written names no bytes");
        let blob = sheet.blob().ok_or_else(none)?;
        let (temp, size) = self.room.write_blob(&at.maildir, &blob, sheet.received_ms)?;
        Ok(New { at, temp, size, blob, sheet })
    }

    /// Before any name points to new bytes, they are on disk.
    fn make_durable(&self, staged: &mut [Result<Staged<'_, '_>>]) {
        if !self.room.device.options.is_durable {
            return;
        }
        let temps: Vec<(usize, Arc<At<'_>>, String)> = staged
            .iter()
            .enumerate()
            .filter_map(|(index, staged)| match staged {
                Ok(Staged::Create { new, .. } | Staged::Replace { new, .. }) => {
                    Some((index, Arc::clone(&new.at), new.temp.clone()))
                }
                _ => None,
            })
            .collect();
        let is_single = temps.len() <= SYNCED_SINGLY;
        // By file system: folders may be mounts of their own.
        let mut synced = HashMap::new();
        for (index, at, temp) in temps {
            let device = rustix::fs::fstat(&at.maildir.tmp).map(|stat| stat.st_dev);
            let outcome = match device {
                Ok(_) if is_single => atomic::sync_file(&at.maildir.tmp, &temp),
                Ok(device) => *synced.entry(device).or_insert_with(|| rustix::fs::syncfs(&at.maildir.tmp)),
                Err(errno) => Err(errno),
            };
            if let Err(errno) = outcome {
                atomic::discard(&at.maildir.tmp, &temp);
                staged[index] = Err(refused(errno, "writing to disk"));
            }
        }
    }

    fn carry_out(&mut self, staged: Staged<'a, '_>) -> Result<Written> {
        match staged {
            Staged::Create { new, uid } => self.create(new, uid).map(Some),
            Staged::Replace { new, place, etag } => self.replace(new, place, etag).map(Some),
            Staged::Plain(Operation::Update { place, etag, from, to }) => {
                let (at, base) = self.at_message(&place.remote_id)?;
                change::flag(&at, &base, etag, &Sheet::read(from)?, Sheet::read(to)?).map(Some)
            }
            Staged::Plain(Operation::Copy { of, collection }) => {
                let (from, base) = self.at_message(&of.remote_id)?;
                let to = self.at(collection)?;
                change::copy(&from, &base, &to).map(Some)
            }
            Staged::Plain(Operation::Move { place, etag, to }) => {
                let (from, base) = self.at_message(&place.remote_id)?;
                let to = self.at(to)?;
                change::move_to(&from, &base, etag, &to).map(Some)
            }
            Staged::Plain(Operation::Delete { place, etag }) => {
                let (at, base) = self.at_message(&place.remote_id)?;
                change::delete(&at, &base, etag)
            }
            // A create was staged above.
            Staged::Plain(operation @ Operation::Create { .. }) => Err(operation.has_no_way()),
        }
    }

    fn create(&self, new: New, uid: &Uid) -> Result<Seen> {
        let discard = || atomic::discard(&new.at.maildir.tmp, &new.temp);
        let stem = stem(uid);
        let there = new.at.of_uid(&stem).inspect_err(|_| discard())?;
        if let Some(here) = there.first() {
            discard();
            let seen = new.at.seen_whole(here)?;
            let is_same = Sheet::read(&seen.rendering)?.blob().as_ref() == Some(&new.blob);
            // The same bytes: this create was carried out before.
            return if is_same { Ok(seen) } else { Err(stale()) };
        }
        let received_ms = new.sheet.received_ms.unwrap_or_else(|| self.room.device.now() / 1_000_000);
        let base = own_base(received_ms.div_euclid(1000), &stem, new.size);
        let (seen, noted) = self.place(new, base, BTreeSet::new())?;
        noted.map(|()| seen)
    }

    /// Gives new bytes their name, with the flags that the sheet's keywords are beside those of `flags` that are none. Answers too whether
    /// every keyword has its letter.
    fn place(&self, new: New, base: Vec<u8>, flags: BTreeSet<u8>) -> Result<(Seen, Result<()>)> {
        let at = Arc::clone(&new.at);
        let discard = || atomic::discard(&at.maildir.tmp, &new.temp);
        let (table, noted) = at.words(&new.sheet.keywords).inspect_err(|_| discard())?;
        let separator = at.separator().inspect_err(|_| discard())?;
        let flags = keywords::with_keywords(&flags, &new.sheet.keywords, &table);
        let place = if flags.is_empty() { Place::New } else { Place::Cur };
        let name = FileName { base, flags };
        let file = if place == Place::New { name.base.clone() } else { name.in_cur(separator) };
        let placed = atomic::move_new(&at.maildir.tmp, new.temp.as_bytes(), at.place(place), &file);
        if let Err(errno) = placed {
            discard();
            return Err(if errno == Errno::EXIST { stale() } else { refused(errno, "creating") });
        }
        let mut sheet = new.sheet;
        sheet.size = Some(new.size);
        Ok((answer(&at, place, &name, &table, sheet)?, noted))
    }

    /// A draft whose text changed: the new one is there before the old one goes, and goes again where somebody changed the old one.
    fn replace(&self, new: New, place: &RemoteId, etag: &Etag) -> Result<Seen> {
        let (_, base) = message_of(place)?;
        let at = Arc::clone(&new.at);
        let temp = new.temp.clone();
        let here = at.guarded(&base, etag).inspect_err(|_| atomic::discard(&at.maildir.tmp, &temp))?;
        let base = draft_base(&here.name.base, new.size, &new.blob.as_str()[..8]);
        let mut flags = here.name.flags.clone();
        flags.remove(&keywords::COMPRESSED);
        let (seen, noted) = self.place(new, base.clone(), flags)?;
        match rustix::fs::unlinkat(at.place(here.place), here.file.as_slice(), AtFlags::empty()) {
            Ok(()) => noted.map(|()| seen),
            Err(errno) => {
                // Under its own name alone: a file of the same message may be the one that somebody changed.
                if let Some(ours) = at.exact(&base)? {
                    let _ = rustix::fs::unlinkat(at.place(ours.place), ours.file.as_slice(), AtFlags::empty());
                }
                Err(if errno == Errno::NOENT { stale() } else { refused(errno, "replacing") })
            }
        }
    }
}

/// What a write of ours left behind.
pub fn answer(at: &At<'_>, place: Place, name: &FileName, table: &Table, mut sheet: Sheet) -> Result<Seen> {
    message::dress(&mut sheet, place, name, table);
    message::seen(&at.id, &name.base, ids::etag(place, &name.flags, table, false), &sheet)
}
