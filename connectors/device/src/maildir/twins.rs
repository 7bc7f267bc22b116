//! Two files of one base name in one folder: what a program leaves that is killed between link and unlink, a restored copy beside the file that
//! stands there. The same bytes are one message, and become one file with the flags of all; other bytes are another message, which gets a base
//! of its own. The file that is called as it is known keeps the base.

use super::keywords::COMPRESSED;
use super::listing::{File, Listing};
use super::message::{Bytes, Reading};
use super::name::{FileName, own_base, split};
use super::{Maildir, Place, Room, ids};
use crate::atomic;
use crate::beneath::{self, is_denied, refused};
use crate::scan::Stamp;
use rustix::fs::AtFlags;
use rustix::io::Errno;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;
use twofold_model::{BlobId, Etag, Result};

/// So much of a hash stands in a base that is made of it.
const HASH_DIGITS: usize = 32;

/// A file that shares its base, read.
struct Twin {
    place: Place,
    file: Vec<u8>,
    name: FileName,
    bytes: Box<Bytes>,
}

/// The files that share a base with others, by base.
pub(super) fn twins(listing: &Listing) -> BTreeMap<&[u8], Vec<&File>> {
    let mut first: HashMap<&[u8], &File> = HashMap::with_capacity(listing.files.len());
    let mut twins: BTreeMap<&[u8], Vec<&File>> = BTreeMap::new();
    for file in &listing.files {
        let (base, _) = split(&file.name, listing.separator);
        if let Some(first) = first.insert(base, file) {
            twins.entry(base).or_default().push(first);
        }
    }
    for (base, files) in &mut twins {
        files.extend(first.get(base));
    }
    twins
}

impl Room<'_> {
    /// How long to wait until the newest name of these files is too old to be one half of a move that some program is making.
    pub(super) fn youth(&self, maildir: &Maildir, twins: &BTreeMap<&[u8], Vec<&File>>) -> Result<Option<Duration>> {
        let now = self.device.now();
        let mut longest = None;
        for file in twins.values().flatten() {
            let stat = beneath::stat(maildir.place(file.place), &file.name).map_err(|e| refused(e, "reading"))?;
            longest = longest.max(stat.and_then(|stat| Stamp::of(&stat).youth(now)));
        }
        Ok(longest)
    }

    /// Settles the files of one base; `known`: how the message of that base is known to be called. What cannot be read, what is damaged, and
    /// what has its name since just now stays as it is.
    pub(super) fn settle(
        &self,
        maildir: &Maildir,
        (files, separator): (&[&File], u8),
        known: Option<&Etag>,
    ) -> Result<()> {
        let mut all = Vec::new();
        for file in files {
            let folder = maildir.place(file.place);
            let stat = beneath::stat(folder, &file.name).map_err(|e| refused(e, "reading"))?;
            let is_old = |stat| beneath::oddity(&stat).is_none() && Stamp::of(&stat).youth(self.device.now()).is_none();
            let name = FileName::parse(&file.name, separator);
            if !stat.is_some_and(is_old) {
                return Ok(());
            }
            let Reading::Whole(bytes) = self.read(folder, &file.name, &name)? else { return Ok(()) };
            all.push(Twin { place: file.place, file: file.name.clone(), name, bytes });
        }
        let was = known.and_then(ids::state_of);
        let is_as_known = |twin: &Twin| was.as_ref() == Some(&(twin.place, twin.name.flags.clone()));
        all.sort_by_key(|twin| !is_as_known(twin));
        let mut messages: Vec<(BlobId, Vec<Twin>)> = Vec::new();
        for twin in all {
            match messages.iter_mut().find(|(blob, _)| *blob == twin.bytes.blob) {
                Some((_, same)) => same.push(twin),
                None => messages.push((twin.bytes.blob.clone(), vec![twin])),
            }
        }
        // Where none is called as known, only the bytes tell which of them it is, and those the hub compares.
        let is_told = messages.len() == 1 || known.is_none() || is_as_known(&messages[0].1[0]);
        for (at, (blob, same)) in messages.iter().enumerate() {
            let first = &same[0];
            let base = if at == 0 && is_told {
                first.name.base.clone()
            } else {
                own_base(first.bytes.received_ms.div_euclid(1000), &blob.as_str()[..HASH_DIGITS], first.bytes.size)
            };
            unite(maildir, same, base, separator)?;
        }
        Ok(())
    }
}

/// Makes one file of files with the same bytes: the first, under this base and with the flags of all. In a folder that may only be read they
/// stay as they are.
fn unite(maildir: &Maildir, same: &[Twin], base: Vec<u8>, separator: u8) -> Result<()> {
    let first = &same[0];
    let mut flags = first.name.flags.clone();
    // Whether it is compressed is said of each file by itself.
    flags.extend(same.iter().flat_map(|twin| &twin.name.flags).filter(|flag| **flag != COMPRESSED));
    let name = FileName { base, flags };
    let place = same.iter().map(|twin| twin.place).max().filter(|_| name.flags.is_empty()).unwrap_or(Place::Cur);
    let file = match place {
        Place::New if name.base == first.name.base => first.file.clone(),
        Place::New => name.base.clone(),
        Place::Cur => name.in_cur(separator),
    };
    let is_it = |twin: &Twin| (twin.place, &twin.file) == (place, &file);
    let mut surplus: Vec<&Twin> = same.iter().filter(|twin| !is_it(twin)).collect();
    if surplus.len() == same.len() {
        match atomic::move_new(maildir.place(first.place), &first.file, maildir.place(place), &file) {
            Ok(()) => drop(surplus.remove(0)),
            // Its bytes gave it that name, and stand there.
            Err(Errno::EXIST) if name.base != first.name.base => {}
            Err(Errno::EXIST | Errno::NOENT) => return Ok(()),
            Err(errno) if is_denied(errno) => return Ok(()),
            Err(errno) => return Err(refused(errno, "renaming a second file of one name")),
        }
    }
    for twin in surplus {
        match rustix::fs::unlinkat(maildir.place(twin.place), twin.file.as_slice(), AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(errno) if is_denied(errno) => return Ok(()),
            Err(errno) => return Err(refused(errno, "removing a second file of a message")),
        }
    }
    Ok(())
}
