//! A second look: a message that is asked for by name, found wherever in its tree it stands by now.
//!
//! A message that moves from folder to folder may be missed by one reading of all of them, and it must never be called gone for that. The
//! kernel notes a change of a folder in its times, in ticks. So, before the answer "it is nowhere": the times of all folders are taken, a tick
//! passes, all folders are read, and the times are taken again. Where they are the same, nothing changed in between, and what
//! was not found is not there. Where they are not, the next try; and after many, no answer.

use super::ids::{self, message_of};
use super::listing::{self, File, Stamps};
use super::message::{self, Reading};
use super::name::{FileName, identity, is_own, said_size, stem, uid_of};
use super::tree;
use super::{Maildir, Room, words};
use crate::beneath::refused;
use crate::marker::CollectionState;
use rustix::fd::OwnedFd;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use twofold_model::email::Sheet;
use twofold_model::{CollectionId, Error, ErrorKind, Found, Kind, Known, Lookup, Place, Rendering, Result, Seen};

/// So long a tree that changes all the time is read before no answer is given.
const PATIENCE: Duration = Duration::from_secs(4);

/// The kernel's clock for files moves at least this often.
const TICK: Duration = Duration::from_millis(20);
/// A file system that keeps whole seconds moves its clock this often.
const COARSE_TICK: Duration = Duration::from_millis(2_100);

/// Messages that are looked for, by identity: which of the places asked about, and the exact base.
type Wanted = HashMap<Vec<u8>, Vec<(usize, Vec<u8>)>>;

/// How long damaged files were that another program named: one of them may be a message that is looked for.
type Stumps = HashSet<u64>;

impl Room<'_> {
    /// Each message as it is now. One that is not in its folder any more comes from the first other folder of its tree that has it.
    pub(crate) fn fetch(&self, root: &OwnedFd, places: &[Place]) -> Vec<Result<Option<Seen>>> {
        let mut answers: Vec<Option<Result<Option<Seen>>>> = places.iter().map(|_| None).collect();
        let mut by_folder: BTreeMap<CollectionId, Vec<(usize, Vec<u8>)>> = BTreeMap::new();
        for (at, place) in places.iter().enumerate() {
            match message_of(&place.remote_id) {
                Ok((folder, base)) => by_folder.entry(folder).or_default().push((at, base)),
                Err(error) => answers[at] = Some(Err(error)),
            }
        }
        let mut missing: BTreeMap<Vec<u8>, Wanted> = BTreeMap::new();
        // Of what stood in a folder that is not there, only where else it stands is known.
        let mut without_folder: HashMap<usize, Error> = HashMap::new();
        for (id, asked) in by_folder {
            let fail = |answers: &mut Vec<Option<Result<Option<Seen>>>>, error: &Error| {
                for (at, _) in &asked {
                    if answers[*at].is_none() {
                        answers[*at] = Some(Err(crate::write::again(error)));
                    }
                }
            };
            let mut wanted = Wanted::new();
            for (at, base) in &asked {
                wanted.entry(identity(base).to_vec()).or_default().push((*at, base.clone()));
            }
            match self.in_folder(root, &id, &mut wanted, &mut answers) {
                Ok(true) => {}
                Ok(false) => {
                    let error = self.device.collection_held(&CollectionState::Absent);
                    without_folder.extend(asked.iter().map(|(at, _)| (*at, crate::write::again(&error))));
                }
                Err(error) => {
                    fail(&mut answers, &error);
                    continue;
                }
            }
            if wanted.is_empty() {
                continue;
            }
            match ids::folder_of(&id) {
                Ok((provider, _)) => {
                    let all = missing.entry(provider).or_default();
                    for (key, asked) in wanted {
                        all.entry(key).or_default().extend(asked);
                    }
                }
                Err(error) => fail(&mut answers, &error),
            }
        }
        for (provider, mut wanted) in missing {
            let outcome = self.in_tree(root, &provider, &mut wanted, &mut answers);
            for (at, base) in wanted.into_values().flatten() {
                answers[at] = Some(match &outcome {
                    Ok(_) if without_folder.contains_key(&at) => Err(crate::write::again(&without_folder[&at])),
                    Ok(stumps) if said_size(&base).is_some_and(|size| stumps.contains(&size)) => {
                        let message = "a damaged file that another program named may be it; put that file's bytes back, or delete it";
                        Err(Error::new(ErrorKind::Malformed, message))
                    }
                    Ok(_) => Ok(None),
                    Err(error) => Err(crate::write::again(error)),
                });
            }
        }
        let none = || Err(Error::new(ErrorKind::Unknown, "the message was not looked for"));
        answers.into_iter().map(|answer| answer.unwrap_or_else(none)).collect()
    }

    /// Looks in the folder where the messages should be; whether there is one. What is not there is left in `wanted`, provided that the folder
    /// is the one it should be.
    fn in_folder(
        &self,
        root: &OwnedFd,
        id: &CollectionId,
        wanted: &mut Wanted,
        answers: &mut [Option<Result<Option<Seen>>>],
    ) -> Result<bool> {
        let Some(folder) = self.locate(root, id)? else { return Ok(false) };
        let maildir = self.maildir(&folder, id)?;
        self.take((&folder, &maildir, id), wanted, answers, &mut Stumps::new())?;
        if wanted.is_empty() {
            return Ok(true);
        }
        match self.device.marker_of(&folder, id)?.0 {
            CollectionState::Marked => Ok(true),
            state => Err(self.device.collection_held(&state)),
        }
    }

    /// Looks in every folder of a tree. After `Ok` what is left in `wanted` is nowhere, unless it is one of the stumps.
    fn in_tree(
        &self,
        root: &OwnedFd,
        provider: &[u8],
        wanted: &mut Wanted,
        answers: &mut [Option<Result<Option<Seen>>>],
    ) -> Result<Stumps> {
        let start = Instant::now();
        let mut is_first = true;
        while start.elapsed() < PATIENCE {
            let absent = || self.device.collection_held(&CollectionState::Absent);
            let tree = self.tree(root, provider)?.ok_or_else(absent)?;
            let mut stamps: BTreeMap<CollectionId, Stamps> = BTreeMap::new();
            let folders = self.folders(&tree, provider)?;
            for found in &folders {
                stamps.insert(found.known.clone(), self.stamps(&tree, found)?);
            }
            // The first time everything may be found without waiting.
            if !is_first {
                let is_coarse = stamps.values().flatten().all(|(_, stamp)| stamp.is_coarse());
                std::thread::sleep(if is_coarse { COARSE_TICK } else { TICK });
            }
            let mut stumps = Stumps::new();
            for found in &folders {
                let folder = self.enter_found(&tree, found)?;
                let maildir = self.maildir(&folder, &found.collection.id)?;
                self.take((&folder, &maildir, &found.known), wanted, answers, &mut stumps)?;
                if wanted.is_empty() {
                    return Ok(stumps);
                }
            }
            let mut after = BTreeMap::new();
            let (all, closed) = self.folders_and_closed(&tree, provider)?;
            if let Some(closed) = closed.first() {
                let (why, mend) = self.closed(closed);
                let message = format!("{why}, so that it cannot be told whether what is missed stands there; {mend}");
                return Err(Error::new(ErrorKind::Unknown, message));
            }
            for found in all {
                let stamp = self.stamps(&tree, &found)?;
                after.insert(found.known, stamp);
            }
            if !is_first && after == stamps {
                return Ok(stumps);
            }
            is_first = false;
        }
        let message =
            "its folders change all the time, so that it cannot be told whether it is gone; asked again later";
        Err(Error::new(ErrorKind::Unknown, message))
    }

    /// Messages in folders that are not `read`, under names that are not `known`, with the Message-ID of one of `like`. What cannot be read
    /// there is none.
    pub(crate) fn aside(
        &self,
        root: &OwnedFd,
        read: &HashSet<CollectionId>,
        known: &Known,
        like: &[Rendering],
    ) -> Result<Vec<Seen>> {
        let message_id = |sheet: &Sheet| sheet.says.get("messageId").map(ToString::to_string);
        let mut wanted = HashSet::new();
        for rendering in like {
            wanted.insert(message_id(&Sheet::read(rendering)?));
        }
        let mut aside = Vec::new();
        for (provider, tree) in self.trees(root)?.0 {
            for found in self.folders(&tree, &provider)?.into_iter().filter(|found| !read.contains(&found.known)) {
                let folder = self.enter_found(&tree, &found)?;
                let maildir = self.maildir(&folder, &found.collection.id)?;
                let table = words::read(&folder)?;
                let listing = listing::list(&maildir).map_err(|e| refused(e, "listing the folder"))?;
                for file in &listing.files {
                    let name = listing.parse(file);
                    if known.contains_key(&ids::remote_id(&found.known, &name.base)) {
                        continue;
                    }
                    let Some(header) = self.header(maildir.place(file.place), &file.name) else { continue };
                    let mut sheet = Sheet::default();
                    sheet.set_header(&header);
                    if !wanted.contains(&message_id(&sheet)) {
                        continue;
                    }
                    match self.read(maildir.place(file.place), &file.name, &name)? {
                        Reading::Whole(bytes) => {
                            let sheet = message::whole_sheet(file.place, &name, &table, &bytes);
                            let etag = ids::etag(file.place, &name.flags, &table, bytes.is_young);
                            aside.push(message::seen(&found.known, &name.base, etag, &sheet)?);
                        }
                        Reading::Vanished | Reading::Unsteady => {
                            let message = "a message there is just being written; asked again later";
                            return Err(Error::new(ErrorKind::Unknown, message).at(&found.known));
                        }
                        Reading::Odd(_) | Reading::Damaged(_) => {}
                    }
                }
            }
        }
        Ok(aside)
    }

    /// The files of all trees that are not as long as their names say, and why. None is opened that has the length it should have.
    pub(crate) fn damaged(&self, root: &OwnedFd) -> Result<Vec<(PathBuf, String)>> {
        let mut damaged = Vec::new();
        for (provider, tree) in self.trees(root)?.0 {
            for found in self.folders(&tree, &provider)? {
                let maildir = self.maildir(&self.enter_found(&tree, &found)?, &found.collection.id)?;
                let listing = listing::list(&maildir).map_err(|e| refused(e, "listing the folder"))?;
                for file in &listing.files {
                    let name = listing.parse(file);
                    if let Some(why) = self.damage(maildir.place(file.place), &file.name, &name)? {
                        damaged.push((self.path_of(&found.collection.id, file), why));
                    }
                }
            }
        }
        Ok(damaged)
    }

    /// Where a file stands.
    pub(super) fn path_of(&self, folder: &CollectionId, file: &File) -> PathBuf {
        let mut path = self.device.options.root.clone();
        if let Ok((provider, folder)) = ids::folder_of(folder) {
            path.push(OsStr::from_bytes(&provider));
            path.push(Kind::Mail.as_str());
            if folder != ids::INBOX {
                path.push(OsStr::from_bytes(&folder));
            }
        }
        path.join(file.place.as_str()).join(OsStr::from_bytes(&file.name))
    }

    fn stamps(&self, tree: &OwnedFd, found: &tree::Found) -> Result<Stamps> {
        let maildir = self.maildir(&self.enter_found(tree, found)?, &found.collection.id)?;
        listing::stamps(&maildir).map_err(|e| refused(e, "reading the folder"))
    }

    /// Answers what of `wanted` stands in a folder.
    fn take(
        &self,
        (folder, maildir, id): (&OwnedFd, &Maildir, &CollectionId),
        wanted: &mut Wanted,
        answers: &mut [Option<Result<Option<Seen>>>],
        stumps: &mut Stumps,
    ) -> Result<()> {
        let table = words::read(folder)?;
        let listing = listing::list(maildir).map_err(|e| refused(e, "listing the folder"))?;
        let sizes: HashSet<u64> = wanted.values().flatten().filter_map(|(_, base)| said_size(base)).collect();
        let mut found: Vec<(&File, FileName)> = Vec::new();
        for file in &listing.files {
            let name = listing.parse(file);
            if wanted.contains_key(identity(&name.base)) {
                found.push((file, name));
            } else if let Some(size) = said_size(&name.base).filter(|size| sizes.contains(size))
                && !is_own(&name.base)
                && self.damage(maildir.place(file.place), &file.name, &name)?.is_some()
            {
                stumps.insert(size);
            }
        }
        // The very base goes before one that a program changed.
        for is_exact in [true, false] {
            for (file, name) in &found {
                let key = identity(&name.base);
                let Some(asked) = wanted.get_mut(key) else { continue };
                let is_it = |base: &[u8]| !is_exact || base == name.base;
                if !asked.iter().any(|(_, base)| is_it(base)) {
                    continue;
                }
                let answer = match self.read(maildir.place(file.place), &file.name, name)? {
                    Reading::Whole(bytes) => {
                        let sheet = message::whole_sheet(file.place, name, &table, &bytes);
                        let etag = ids::etag(file.place, &name.flags, &table, bytes.is_young);
                        Ok(message::seen(id, &name.base, etag, &sheet)?)
                    }
                    // It moved on since the listing.
                    Reading::Vanished => continue,
                    Reading::Unsteady => Err("is being written; it is taken the next time".to_owned()),
                    // Its name says which message it was, and where that was moved to; of its bytes nothing is said.
                    Reading::Damaged(_) => {
                        let etag = ids::etag(file.place, &name.flags, &table, false);
                        Ok(message::seen(id, &name.base, etag, &message::sheet(file.place, name, &table))?)
                    }
                    Reading::Odd(reason) => Err(reason),
                };
                asked.retain(|(at, base)| {
                    if !is_it(base) {
                        return true;
                    }
                    answers[*at] = Some(match &answer {
                        Ok(seen) => Ok(Some(seen.clone())),
                        Err(why) => Err(Error::new(ErrorKind::Malformed, format!("the file {why}"))),
                    });
                    false
                });
                if asked.is_empty() {
                    wanted.remove(key);
                }
            }
        }
        Ok(())
    }

    /// Looks for messages that a stopped run may have written, by what their UIDs make of a base.
    pub(crate) fn find(&self, root: &OwnedFd, lookups: &[Lookup]) -> Vec<Result<Found>> {
        let mut folders: HashMap<&CollectionId, Result<HashMap<String, Vec<u8>>>> = HashMap::new();
        let places: Vec<Result<Option<Place>>> = lookups
            .iter()
            .map(|lookup| {
                let id = &lookup.collection;
                let bases = folders.entry(id).or_insert_with(|| self.bases(root, id));
                let bases = bases.as_ref().map_err(crate::write::again)?;
                let base = bases.get(&stem(&lookup.uid));
                Ok(base.map(|base| Place { remote_id: ids::remote_id(id, base), collection: id.clone() }))
            })
            .collect();
        // All at once: each look lists its folder.
        let asked: Vec<Place> = places.iter().filter_map(|place| place.as_ref().ok()?.clone()).collect();
        let mut seen = self.fetch(root, &asked).into_iter();
        let found = |place: Result<Option<Place>>| {
            let Some(seen) = place?.and_then(|_| seen.next()).transpose()?.flatten() else { return Ok(Found::Nowhere) };
            if Sheet::read(&seen.rendering)?.blob().is_none() {
                let message = "the file is not as it was written; put its bytes back, or delete it";
                return Err(Error::new(ErrorKind::Malformed, message));
            }
            Ok(Found::Here(Box::new(seen)))
        };
        places.into_iter().map(found).collect()
    }

    /// The bases in a folder, by what stands in them for their UIDs.
    fn bases(&self, root: &OwnedFd, id: &CollectionId) -> Result<HashMap<String, Vec<u8>>> {
        let (_, maildir) = self.marked(root, id)?;
        let listing = listing::list(&maildir).map_err(|e| refused(e, "listing the folder"))?;
        let bases = listing.files.iter().map(|file| listing.parse(file).base);
        Ok(bases.map(|base| (uid_of(&base).0, base)).collect())
    }
}
