//! The scan of one collection folder: which files are new, changed, gone, renamed or not to be understood.
//!
//! No directory time is trusted. Every file is statted; only a file whose stamp differs from the one in the hub's etag is
//! read. The state of a round that needs several pages stands in its cursor and in the folder itself.

use crate::beneath::{self, Look};
use crate::names;
use crate::vdir::{Format, Shape};
use rustix::fd::OwnedFd;
use rustix::fs::{FileType, Mode, OFlags, RawDir, Stat};
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::time::Duration;
use twofold_model::{
    CollectionId, DeltaToken, Entry, Error, ErrorKind, Etag, Known, Next, Page, RemoteId, Rendering, Result,
};
use twofold_model::{Seen, Uid};

/// A file that changed less than this ago is taken, but looked at again: a second change in the same tick of the file
/// system's clock (up to 2 s on some) shows in no stamp.
const YOUNG_NS: i64 = 2_000_000_000;

/// A file without its END that nobody has touched for so long is not being written any more: it is named.
const HALF_PATIENCE_NS: i64 = 5 * 60 * 1_000_000_000;

/// A page ends when it holds so much.
const PAGE_BYTES: usize = 8 * 1024 * 1024;
const PAGE_ENTRIES: usize = 5_000;

/// Names under which twofold writes before it renames.
pub(crate) const TEMP_PREFIX: &[u8] = b".twofold-";

/// What the file system says of a file's state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub size: u64,
    pub mtime_ns: i64,
    ctime_ns: i64,
    pub inode: u64,
}

impl Stamp {
    pub fn of(stat: &Stat) -> Self {
        let ns = |seconds: i64, ns: i64| seconds.saturating_mul(1_000_000_000).saturating_add(ns);
        // The fields' types differ between platforms; all of them fit.
        #[allow(clippy::unnecessary_cast, clippy::cast_lossless)]
        Self {
            size: stat.st_size as u64,
            mtime_ns: ns(stat.st_mtime as i64, stat.st_mtime_nsec as i64),
            ctime_ns: ns(stat.st_ctime as i64, stat.st_ctime_nsec as i64),
            inode: stat.st_ino as u64,
        }
    }

    /// Whether a further change could still hide behind the same stamp. Only the ctime tells: a program can set the mtime.
    pub fn is_young(&self, now_ns: i64) -> bool {
        self.youth(now_ns).is_some()
    }

    /// For how long it will still be young.
    pub fn youth(&self, now_ns: i64) -> Option<Duration> {
        let left = YOUNG_NS.saturating_sub(now_ns.saturating_sub(self.ctime_ns)).min(YOUNG_NS);
        u64::try_from(left).ok().filter(|left| *left > 0).map(Duration::from_nanos)
    }

    /// Whether both times are whole seconds, as on a file system that counts no finer.
    pub fn is_coarse(&self) -> bool {
        self.mtime_ns % 1_000_000_000 == 0 && self.ctime_ns % 1_000_000_000 == 0
    }

    /// Adds a file to the outline of its folder.
    fn sketch(&self, name: &[u8], outline: &mut Outline) {
        outline.add(name, &[self.size, self.mtime_ns.cast_unsigned(), self.ctime_ns.cast_unsigned(), self.inode]);
    }

    pub fn age_ns(&self, now_ns: i64) -> i64 {
        now_ns.saturating_sub(self.ctime_ns)
    }

    /// Whether the file system keeps time finer than a millisecond (FAT and its kin do not).
    pub fn is_fine(&self) -> bool {
        self.ctime_ns % 1_000_000 != 0
    }
}

/// The first half of a BLAKE3 hash: tells contents apart.
pub(crate) type Digest = [u8; 16];

pub(crate) fn digest(bytes: &[u8]) -> Digest {
    let mut digest = Digest::default();
    digest.copy_from_slice(&blake3::hash(bytes).as_bytes()[..16]);
    digest
}

pub(crate) fn hex(digest: &Digest) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Tells UIDs apart without holding them.
pub(crate) fn uid_key(uid: &Uid) -> u64 {
    digest(uid.as_str().as_bytes())[..8].iter().fold(0, |key, byte| key << 8 | u64::from(*byte))
}

/// An etag, taken apart: `size-mtime-ctime-inode.content.uid`, all hexadecimal, with `!` behind it when the file was young.
///
/// Comparing stamps needs no file read; the content's hash tells a touched file from a changed one; the UID's hash finds a
/// second file with the same UID, or a file under a new name, without reading the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub stamp: Stamp,
    pub content: Digest,
    pub uid: Option<u64>,
    pub is_dirty: bool,
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Stamp { size, mtime_ns, ctime_ns, inode } = self.stamp;
        write!(f, "{size:x}-{mtime_ns:x}-{ctime_ns:x}-{inode:x}.{}.", hex(&self.content))?;
        match self.uid {
            Some(key) => write!(f, "{key:x}")?,
            None => f.write_str("-")?,
        }
        f.write_str(if self.is_dirty { "!" } else { "" })
    }
}

impl Mark {
    pub fn etag(&self) -> Etag {
        Etag(self.to_string())
    }

    /// Reads an etag; anything that is not one of ours counts as another state.
    pub fn parse(etag: &Etag) -> Option<Mark> {
        let text = etag.as_str();
        let (text, is_dirty) = text.strip_suffix('!').map_or((text, false), |text| (text, true));
        let mut parts = text.split('.');
        let (stamp, content, uid) = (parts.next()?, parts.next()?, parts.next()?);
        let mut numbers = stamp.split('-').map(|number| u64::from_str_radix(number, 16));
        let mut next = || numbers.next()?.ok();
        // Negative times are written as their two's complement.
        #[allow(clippy::cast_possible_wrap)]
        let stamp = Stamp { size: next()?, mtime_ns: next()? as i64, ctime_ns: next()? as i64, inode: next()? };
        let mut digest = Digest::default();
        if content.len() != 32 {
            return None;
        }
        for (byte, pair) in digest.iter_mut().zip(content.as_bytes().chunks_exact(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        let uid = if uid == "-" { None } else { Some(u64::from_str_radix(uid, 16).ok()?) };
        (parts.next().is_none() && numbers.next().is_none()).then_some(Mark { stamp, content: digest, uid, is_dirty })
    }

    /// Whether a clean etag has this stamp: all that the scan of an unchanged file asks, and it asks it of every file.
    fn is_clean_at(etag: &Etag, stamp: &Stamp) -> bool {
        let text = etag.as_str().as_bytes();
        let mut numbers = [0_u64; 4];
        let mut at = 0;
        for byte in text {
            let digit = match byte {
                b'0'..=b'9' => byte - b'0',
                b'a'..=b'f' => byte - b'a' + 10,
                b'-' if at < 3 => {
                    at += 1;
                    continue;
                }
                b'.' => break,
                _ => return false,
            };
            numbers[at] = numbers[at] << 4 | u64::from(digit);
        }
        let [size, mtime_ns, ctime_ns, inode] = numbers;
        #[allow(clippy::cast_possible_wrap)]
        let known = Stamp { size, mtime_ns: mtime_ns as i64, ctime_ns: ctime_ns as i64, inode };
        at == 3 && known == *stamp && !text.ends_with(b"!")
    }
}

/// How a folder looks, as one number: all that a scan compares. Where a scan found everything as the hub knows it, its token says this;
/// as long as the folder looks the same and the hub knows the same, a scan would find it so again. Names come in the order in which
/// the folder lists them, which an untouched folder keeps.
pub(crate) struct Outline(blake3::Hasher);

impl Outline {
    /// An outline of nothing yet. The number changes with what scans compare, and with how.
    pub fn new() -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"twofold outline 1");
        Self(hasher)
    }

    /// One more name, and what is known of it without reading it.
    pub fn add(&mut self, name: &[u8], facts: &[u64]) {
        self.0.update(&(name.len() as u64).to_le_bytes());
        self.0.update(name);
        facts.iter().for_each(|fact| _ = self.0.update(&fact.to_le_bytes()));
    }

    pub fn token(&self) -> DeltaToken {
        DeltaToken(format!("as {}", self.0.finalize().to_hex()))
    }
}

/// After a scan that did not find everything as the hub knows it, there is something to compare.
pub(crate) fn no_token() -> DeltaToken {
    DeltaToken::from("")
}

/// What a place answers that looks as it did when it gave that token, or does not.
pub(crate) fn answer(token: &DeltaToken, outline: Option<&Outline>) -> Result<Page> {
    match outline.is_some_and(|outline| outline.token() == *token) {
        true => Ok(Page { entries: Vec::new(), next: Next::Done(token.clone()) }),
        false => Err(Error::new(ErrorKind::TokenExpired, "the folder looks otherwise than it did")),
    }
}

/// What a collection folder holds by name.
pub(crate) struct Listing {
    /// Names of items, in no order.
    pub names: Vec<(Vec<u8>, FileType)>,
    /// Names under which a run of ours was writing.
    pub temps: Vec<Vec<u8>>,
}

/// Reads a folder to its end, or fails: a part of a listing is no listing.
pub(crate) fn list(folder: &OwnedFd, extension: &str) -> rustix::io::Result<Listing> {
    // A handle of its own: reading moves a handle's position.
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let handle = rustix::fs::openat(folder, c".", flags, Mode::empty())?;
    let mut buffer: Vec<u8> = Vec::with_capacity(64 * 1024);
    let mut listing = Listing { names: Vec::new(), temps: Vec::new() };
    let mut entries = RawDir::new(handle, buffer.spare_capacity_mut());
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if is_item_name(name, extension) {
            listing.names.push((name.to_vec(), entry.file_type()));
        } else if name.starts_with(TEMP_PREFIX) && name != crate::marker::COLLECTION_MARKER.as_bytes() {
            listing.temps.push(name.to_vec());
        }
    }
    Ok(listing)
}

/// How a folder looks. `None` where it cannot be told: it is compared.
pub(crate) fn outline(folder: &OwnedFd, listing: &Listing) -> Option<Outline> {
    let mut outline = Outline::new();
    for (name, file_type) in &listing.names {
        if *file_type != FileType::Directory {
            Stamp::of(&beneath::stat(folder, name).ok()??).sketch(name, &mut outline);
        }
    }
    Some(outline)
}

/// Whether a file of this name is an item: the right extension, and none of the names under which programs keep their own
/// (hidden, backup, temporary, partial files).
pub(crate) fn is_item_name(name: &[u8], extension: &str) -> bool {
    let Some(split) = name.len().checked_sub(extension.len()) else { return false };
    split > 0 && !name.starts_with(b".") && name[split..].eq_ignore_ascii_case(extension.as_bytes())
}

/// How far a round came.
#[derive(Default, Serialize, Deserialize)]
struct Cursor {
    /// Every name up to this one was answered (as an id of one name).
    after: String,
    /// Names that were answered as renamed, hence not gone.
    renamed: Vec<RemoteId>,
    /// Names that another item took; their own item has not turned up anywhere yet.
    displaced: Vec<RemoteId>,
}

/// UIDs that this round met in the files it read; they matter to the round's later pages.
pub(crate) type Met = HashMap<RemoteId, u64>;

/// One folder's question.
pub(crate) struct Scan<'a> {
    pub folder: &'a OwnedFd,
    pub collection: &'a CollectionId,
    pub format: &'a Format,
    pub known: &'a Known,
    pub now_ns: i64,
    /// Whether the folder is still the one that was opened, its marker in place; asked before anything counts as gone.
    pub still_there: &'a dyn Fn() -> Result<()>,
}

/// A file whose stamp is not the known one.
struct Changed<'k> {
    name: Vec<u8>,
    id: RemoteId,
    known: Option<(&'k RemoteId, Option<Mark>)>,
}

/// A file that was read and is one whole item.
struct Taken<'k> {
    changed: Changed<'k>,
    bytes: Vec<u8>,
    mark: Mark,
    uid: Option<Uid>,
}

impl<'a> Scan<'a> {
    /// One page of the round. `cursor` is empty at its start.
    pub fn page(&self, listing: Listing, cursor: &str, met: &mut Met) -> Result<Page> {
        let mut cursor: Cursor = serde_json::from_str(cursor).unwrap_or_default();

        let mut entries = Vec::new();
        let mut present: HashSet<&RemoteId> = HashSet::with_capacity(self.known.len());
        let mut outline = Outline::new();
        let mut changed = self.compare(listing, &mut outline, &mut present, &mut entries);
        // A later page of a round is one because there is something to say.
        let is_settled = changed.is_empty() && entries.is_empty() && present.len() == self.known.len();
        // The end of a round is told by the names, so that it does not depend on the order of the listing.
        changed.sort_by(|a, b| a.name.cmp(&b.name));
        let after = names::split(&cursor.after).and_then(|mut names| names.pop()).unwrap_or_default().into_owned();
        let unchanged_ids: HashSet<&RemoteId> = if changed.is_empty() {
            HashSet::new()
        } else {
            let read: HashSet<&RemoteId> = changed.iter().filter_map(|c| c.known.as_ref().map(|(id, _)| *id)).collect();
            present.iter().copied().filter(|id| !read.contains(id)).collect()
        };
        changed.retain(|c| c.name > after);

        let (mut taken, mut page_bytes, mut is_whole) = (Vec::new(), 0, true);
        for file in changed {
            if page_bytes >= PAGE_BYTES || taken.len() >= PAGE_ENTRIES {
                is_whole = false;
                break;
            }
            cursor.after = names::join(&[&file.name]);
            let known = file.known.as_ref().map(|(id, _)| *id);
            match self.read(file, &mut entries) {
                Reading::Taken(file) => {
                    page_bytes += file.bytes.len();
                    taken.push(*file);
                }
                Reading::Vanished => {
                    known.map(|id| present.remove(id));
                }
                Reading::Left => {}
            }
        }

        self.name_second_files(&mut taken, &unchanged_ids, met, &mut entries);
        let missing = self.missing(&present, &taken, is_whole)?;
        let mut renamed: HashSet<RemoteId> = cursor.renamed.into_iter().collect();
        let mut displaced: HashSet<RemoteId> = cursor.displaced.into_iter().collect();
        self.follow_names(&taken, &missing, met, &mut renamed, &mut displaced, &mut entries);
        entries.extend(taken.into_iter().map(|file| Entry::Seen(Box::new(self.seen(file)))));
        if !is_whole {
            cursor.renamed = renamed.into_iter().collect();
            cursor.displaced = displaced.into_iter().collect();
            let cursor = serde_json::to_string(&cursor)
                .map_err(|e| Error::new(ErrorKind::Broken, "a cursor cannot be written as JSON").with_source(e))?;
            return Ok(Page { entries, next: Next::Page(cursor) });
        }
        met.clear();
        let gone = missing.into_iter().map(|(id, _)| id).filter(|id| !renamed.contains(*id));
        entries.extend(gone.map(|id| Entry::Gone(id.clone())));
        entries.extend(displaced.iter().map(|id| Entry::Gone(self.out_of_the_way(id))));
        Ok(Page { entries, next: Next::Done(if is_settled { outline.token() } else { no_token() }) })
    }

    /// Which items stand under another name now. A UID whose known file is gone moved with its file; where the known file is
    /// still there and holds another item, only the very same bytes say so (two files exchanged, not two UIDs). The item
    /// whose name was taken goes out of the way, until it turns up or the round ends without it.
    fn follow_names(
        &self,
        taken: &[Taken<'a>],
        missing: &[(&'a RemoteId, Option<Mark>)],
        met: &mut Met,
        renamed: &mut HashSet<RemoteId>,
        displaced: &mut HashSet<RemoteId>,
        entries: &mut Vec<Entry>,
    ) {
        let mut lost: HashMap<u64, &RemoteId> = missing
            .iter()
            .filter(|(id, _)| !renamed.contains(*id))
            .filter_map(|(id, mark)| Some((mark.as_ref()?.uid?, *id)))
            .collect();
        let is_changed_hands = |file: &Taken<'_>| match &file.changed.known {
            Some((_, Some(known))) => known.uid != file.mark.uid,
            Some((_, None)) => false,
            None => true,
        };
        let is_exchanged = taken
            .iter()
            .any(|file| is_changed_hands(file) && file.mark.uid.is_some_and(|key| !lost.contains_key(&key)));
        // Asked of all known names only where a file changed hands.
        let known: HashMap<(u64, Digest), &RemoteId> = match is_exchanged {
            true => {
                let marks = self.known.iter().filter_map(|(id, etag)| Some((Mark::parse(etag)?, id)));
                marks.filter_map(|(mark, id)| Some(((mark.uid?, mark.content), id))).collect()
            }
            false => HashMap::new(),
        };
        let mut out_of_the_way = Vec::new();
        for file in taken {
            let Some(key) = file.mark.uid else { continue };
            met.insert(file.changed.id.clone(), key);
            if !is_changed_hands(file) {
                continue;
            }
            let exchanged = || {
                let from = known.get(&(key, file.mark.content)).copied()?;
                let is_elsewhere = *from != file.changed.id && !self.holds(from, file.uid.as_ref());
                (is_elsewhere && (displaced.contains(from) || !renamed.contains(from))).then_some(from)
            };
            let Some(from) = lost.remove(&key).or_else(exchanged) else { continue };
            let was = if displaced.remove(from) { self.out_of_the_way(from) } else { from.clone() };
            renamed.insert(from.clone());
            entries.push(Entry::Renamed { from: was, to: file.changed.id.clone() });
            out_of_the_way.extend(file.changed.known.as_ref().map(|(id, _)| *id));
        }
        for id in out_of_the_way {
            if renamed.insert(id.clone()) {
                entries.push(Entry::Renamed { from: id.clone(), to: self.out_of_the_way(id) });
                displaced.insert(id.clone());
            }
        }
    }

    /// A name that no file has, for an item whose own name another one took.
    fn out_of_the_way(&self, id: &RemoteId) -> RemoteId {
        let key = hex(&digest(id.as_str().as_bytes()));
        let mut away = self.collection.as_str().to_owned();
        names::push(&mut away, format!("displaced-{key}{}", self.format.extension).as_bytes());
        RemoteId(away)
    }

    /// Stats every file; answers those whose stamp is not the known one.
    fn compare(
        &self,
        listing: Listing,
        outline: &mut Outline,
        present: &mut HashSet<&'a RemoteId>,
        entries: &mut Vec<Entry>,
    ) -> Vec<Changed<'a>> {
        let mut changed = Vec::new();
        let mut id = RemoteId(self.collection.as_str().to_owned());
        for (name, file_type) in listing.names {
            id.0.truncate(self.collection.as_str().len());
            names::push(&mut id.0, &name);
            let known = self.known.get_key_value(&id);
            if known.is_none() && file_type == FileType::Directory {
                continue;
            }
            if let Some((id, _)) = known {
                present.insert(id);
            }
            let stat = beneath::stat(self.folder, &name);
            if let Ok(Some(stat)) = &stat {
                Stamp::of(stat).sketch(&name, outline);
            }
            match stat {
                Ok(Some(stat)) => match beneath::oddity(&stat) {
                    Some(_) if known.is_none() && FileType::from_raw_mode(stat.st_mode) == FileType::Directory => {}
                    Some(oddity) => entries.push(self.bad(&id, oddity, Vec::new())),
                    None => {
                        let is_same = known.is_some_and(|(_, etag)| Mark::is_clean_at(etag, &Stamp::of(&stat)));
                        if !is_same {
                            let known = known.map(|(id, etag)| (id, Mark::parse(etag)));
                            changed.push(Changed { name, id: id.clone(), known });
                        }
                    }
                },
                // Gone since the listing: a second look by name decides.
                Ok(None) => {
                    known.map(|(id, _)| present.remove(id));
                }
                Err(errno) => entries.push(self.bad(&id, unreadable(errno), Vec::new())),
            }
        }
        changed
    }

    /// Reads one file.
    fn read(&self, file: Changed<'a>, entries: &mut Vec<Entry>) -> Reading<'a> {
        let (bytes, stat) = match beneath::look(self.folder, &file.name) {
            Ok(Look::File(bytes, stat)) => (bytes, stat),
            Ok(Look::Absent) => return Reading::Vanished,
            // It is being written at this very moment: next time.
            Ok(Look::Unsteady) => return Reading::Left,
            Ok(Look::Odd(oddity)) => {
                entries.push(self.bad(&file.id, oddity, Vec::new()));
                return Reading::Left;
            }
            Err(errno) => {
                entries.push(self.bad(&file.id, unreadable(errno), Vec::new()));
                return Reading::Left;
            }
        };
        let stamp = Stamp::of(&stat);
        let content = digest(&bytes);
        let is_dirty = stamp.is_young(self.now_ns);
        if let Some((_, Some(known))) = &file.known
            && *known == (Mark { stamp, content, is_dirty, ..*known })
        {
            // Still young, looked at again, still the same.
            return Reading::Left;
        }
        match (self.format.shape)(&bytes) {
            Shape::Whole(uid) => {
                let mark = Mark { stamp, content, uid: uid.as_ref().map(uid_key), is_dirty };
                return Reading::Taken(Box::new(Taken { changed: file, bytes, mark, uid }));
            }
            Shape::Foreign => {}
            Shape::Half if stamp.age_ns(self.now_ns) < HALF_PATIENCE_NS => {}
            Shape::Half => {
                entries.push(self.bad(&file.id, "is half a file: it has no end, and nobody goes on writing it", bytes));
            }
            Shape::Several(count) => {
                let reason =
                    format!("holds {count} items in one file; only one per file is taken. Split it into single files");
                entries.push(self.bad(&file.id, reason, bytes));
            }
            Shape::Unreadable(reason) => entries.push(self.bad(&file.id, reason, bytes)),
        }
        Reading::Left
    }

    /// Of several files with one UID, one is the item; the others are named and left alone. Whoever the hub holds already is
    /// the item; else the file that is called like its UID, else the first by name.
    fn name_second_files(
        &self,
        taken: &mut Vec<Taken<'a>>,
        unchanged: &HashSet<&RemoteId>,
        met: &Met,
        entries: &mut Vec<Entry>,
    ) {
        let mut readers: HashMap<u64, Vec<usize>> = HashMap::with_capacity(taken.len());
        for (index, file) in taken.iter().enumerate() {
            if let Some(key) = file.mark.uid {
                readers.entry(key).or_default().push(index);
            }
        }
        if readers.is_empty() {
            return;
        }
        // What holds such a UID without having been read now: unchanged since the hub took it, or met on an earlier page.
        let mut holders: HashMap<u64, &RemoteId> = HashMap::new();
        let known = unchanged.iter().filter_map(|id| Some((*id, Mark::parse(self.known.get(*id)?)?.uid?)));
        for (id, key) in known.chain(met.iter().map(|(id, key)| (id, *key))) {
            let is_read_now = || readers[&key].iter().any(|index| taken[*index].changed.id == *id);
            if readers.contains_key(&key) && !is_read_now() {
                let holder = holders.entry(key).or_insert(id);
                *holder = id.min(*holder);
            }
        }
        let mut losers: HashMap<usize, RemoteId> = HashMap::new();
        for (key, mut indices) in readers {
            let holder = holders.get(&key).filter(|id| self.holds(id, taken[indices[0]].uid.as_ref()));
            if let Some(id) = holder {
                losers.extend(indices.into_iter().map(|index| (index, (*id).clone())));
                continue;
            }
            indices.sort_by_key(|index| {
                let file = &taken[*index];
                let is_called_so =
                    file.uid.as_ref().is_some_and(|uid| self.format.file_name(uid, 1).as_bytes() == file.changed.name);
                (file.changed.known.is_none(), !is_called_so, *index)
            });
            if let [first, others @ ..] = indices.as_slice() {
                losers.extend(others.iter().map(|index| (*index, taken[*first].changed.id.clone())));
            }
        }
        let mut index = 0;
        taken.retain_mut(|file| {
            let first = losers.get(&index);
            index += 1;
            let Some(first) = first else { return true };
            let reason = format!("has the same UID as {first}; remove one of the two, or give it a UID of its own");
            entries.push(self.bad(&file.changed.id, reason, std::mem::take(&mut file.bytes)));
            false
        });
    }

    /// Whether that file really holds this UID now.
    fn holds(&self, id: &RemoteId, uid: Option<&Uid>) -> bool {
        let Some(name) = names::split(id.as_str()).and_then(|mut names| names.pop()) else { return false };
        match beneath::look(self.folder, &name) {
            Ok(Look::File(bytes, _)) => {
                matches!((self.format.shape)(&bytes), Shape::Whole(found) if found.as_ref() == uid)
            }
            _ => false,
        }
    }

    /// The known items whose names are gone, after a second look at each.
    fn missing(
        &self,
        present: &HashSet<&RemoteId>,
        taken: &[Taken<'_>],
        is_whole: bool,
    ) -> Result<Vec<(&'a RemoteId, Option<Mark>)>> {
        let is_of_use = is_whole || taken.iter().any(|file| file.changed.known.is_none());
        if !is_of_use || present.len() == self.known.len() {
            return Ok(Vec::new());
        }
        let new_inodes: HashSet<u64> =
            taken.iter().filter(|file| file.changed.known.is_none()).map(|file| file.mark.stamp.inode).collect();
        let mut missing = Vec::new();
        for (id, etag) in self.known {
            let is_of_this_folder =
                id.as_str().strip_prefix(self.collection.as_str()).is_some_and(|r| r.starts_with('/'));
            if present.contains(id) || !is_of_this_folder {
                continue;
            }
            let Some(name) = names::split(id.as_str()).and_then(|mut names| names.pop()) else { continue };
            match beneath::stat(self.folder, &name) {
                Ok(None) => missing.push((id, Mark::parse(etag))),
                // Where case counts for nothing, the old spelling of a renamed file still finds it.
                Ok(Some(stat)) if new_inodes.contains(&Stamp::of(&stat).inode) => missing.push((id, Mark::parse(etag))),
                // There after all (the listing passed it by), or not to be told: present.
                Ok(Some(_)) | Err(_) => {}
            }
        }
        if !missing.is_empty() {
            (self.still_there)()?;
        }
        Ok(missing)
    }

    fn seen(&self, file: Taken<'_>) -> Seen {
        seen(file.changed.id, self.collection.clone(), file.mark, file.bytes, file.uid)
    }

    fn bad(&self, id: &RemoteId, reason: impl Into<String>, raw: Vec<u8>) -> Entry {
        Entry::Bad { remote_id: id.clone(), collection: self.collection.clone(), reason: reason.into(), raw }
    }
}

/// What reading one file came to.
enum Reading<'k> {
    Taken(Box<Taken<'k>>),
    /// No longer there.
    Vanished,
    /// There, and for now nothing more to say of it (or said already).
    Left,
}

fn unreadable(errno: rustix::io::Errno) -> String {
    format!("cannot be read: {}", std::io::Error::from(errno))
}

/// One copy as the contract wants it. A device says no time: what counts is when a change was first seen (ENGINE 18).
pub(crate) fn seen(
    remote_id: RemoteId,
    collection: CollectionId,
    mark: Mark,
    bytes: Vec<u8>,
    uid: Option<Uid>,
) -> Seen {
    Seen { remote_id, collection, etag: mark.etag(), rendering: Rendering(bytes), uid, mark: None, modified_ms: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_etag_is_read_back(
            size: u64, mtime_ns: i64, ctime_ns: i64, inode: u64, content: [u8; 16], uid: Option<u64>, is_dirty: bool,
        ) {
            let stamp = Stamp { size, mtime_ns, ctime_ns, inode };
            let mark = Mark { stamp, content, uid, is_dirty };
            prop_assert_eq!(Mark::parse(&mark.etag()), Some(mark));
            prop_assert_eq!(Mark::is_clean_at(&mark.etag(), &stamp), !is_dirty);
            let other = Stamp { inode: !inode, ..stamp };
            prop_assert!(!Mark::is_clean_at(&mark.etag(), &other));
        }

        #[test]
        fn anything_else_is_another_state(text in ".{0,80}|[0-9a-f.!-]{0,80}") {
            if let Some(mark) = Mark::parse(&text.as_str().into()) {
                prop_assert_eq!(Mark::parse(&mark.etag()), Some(mark));
            }
            Mark::is_clean_at(&text.as_str().into(), &Stamp::default());
        }
    }

    #[test]
    fn names_of_other_programs_are_no_items() {
        for name in ["a.vcf", "A.VCF", "x.tmp.vcf", "a b.vcf", "\u{fc}.vcf"] {
            assert!(is_item_name(name.as_bytes(), ".vcf"), "{name}");
        }
        for name in ["", "vcf", ".vcf", ".a.vcf", "a.vcf~", "a.vcf.tmp", "a.vcf.part", "a.ics", "displayname"] {
            assert!(!is_item_name(name.as_bytes(), ".vcf"), "{name}");
        }
    }
}
