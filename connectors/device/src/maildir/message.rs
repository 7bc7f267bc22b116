//! A file as a copy of a message: its sheet, from its name alone or with the bytes.

use super::keywords::{self, COMPRESSED, TRASHED, Table};
use super::name::{FileName, is_own, said_size, uid_of};
use super::packed::{self, Packing};
use super::{Place, Room, ids};
use crate::beneath::{self, refused};
use crate::scan::Stamp;
use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::io::{BufRead as _, Read};
use std::time::Duration;
use twofold_model::email::headers::{self, LARGEST_HEADER};
use twofold_model::email::{Moving, Sheet};
use twofold_model::{BlobId, CollectionId, Etag, Result, Seen};

/// A file that was written to less than this ago may still be written to: it is taken, and read again the next time.
const YOUNG_NS: u64 = 2_000_000_000;

/// The last line of a message of several parts is looked for in so many of its last bytes.
const END: usize = 8 * 1024;

/// A message's bytes, kept.
pub struct Bytes {
    pub blob: BlobId,
    pub size: u64,
    pub header: headers::Headers,
    pub received_ms: i64,
    pub is_young: bool,
    /// So long it is young.
    pub rests_in: Duration,
    /// It has several parts, and not their last line: whoever writes it may not be done.
    pub lacks_end: bool,
}

/// What reading a file came to.
pub enum Reading {
    Whole(Box<Bytes>),
    /// No longer there, under that name.
    Vanished,
    /// It changed while it was read.
    Unsteady,
    /// It is not read, and why.
    Odd(String),
    /// It is not what was written, and why; its name says which message it was.
    Damaged(String),
}

/// Says what was read, and keeps the beginning and the end.
struct Tap<'a> {
    source: Box<dyn Read + 'a>,
    head: Vec<u8>,
    end: Vec<u8>,
    failed: Option<std::io::Error>,
}

impl Read for Tap<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self.source.read(buffer) {
            Ok(count) => {
                let room = LARGEST_HEADER.saturating_sub(self.head.len());
                self.head.extend_from_slice(&buffer[..count.min(room)]);
                self.end.extend_from_slice(&buffer[count.saturating_sub(END)..count]);
                self.end.drain(..self.end.len().saturating_sub(END));
                Ok(count)
            }
            Err(error) => {
                self.failed = Some(std::io::Error::new(error.kind(), error.to_string()));
                Err(error)
            }
        }
    }
}

impl Room<'_> {
    /// Reads a file into the blobs: its bytes, or what these were before they were compressed. An error is the store's, or one that concerns
    /// more than this file.
    pub(super) fn read(&self, folder: &OwnedFd, file: &[u8], name: &FileName) -> Result<Reading> {
        let unreadable = |error: &dyn std::fmt::Display| Reading::Odd(format!("cannot be read: {error}"));
        let file = match open(folder, file) {
            Ok(file) => file,
            Err(Errno::NOENT) => return Ok(Reading::Vanished),
            Err(Errno::LOOP) => return Ok(Reading::Odd("is a symbolic link, which is not followed".into())),
            Err(Errno::NXIO) => return Ok(Reading::Odd("is not an ordinary file".into())),
            Err(errno) => return Ok(unreadable(&std::io::Error::from(errno))),
        };
        let before = rustix::fs::fstat(&file).map_err(|e| refused(e, "reading a message"))?;
        if let Some(oddity) = beneath::oddity(&before) {
            return Ok(Reading::Odd(oddity.into()));
        }
        if before.st_size == 0 {
            return Ok(damage(name, 0).map_or_else(|| Reading::Odd("is empty".into()), Reading::Damaged));
        }
        let mut file = std::fs::File::from(file);
        let (packing, source) = match unpacked(&mut file) {
            Ok(opened) => opened,
            Err(reason) => return Ok(Reading::Odd(reason)),
        };
        let (put, head, end, failed) = {
            let mut tap = Tap { source, head: Vec::new(), end: Vec::new(), failed: None };
            (self.blobs.put(&mut tap), tap.head, tap.end, tap.failed)
        };
        match failed {
            Some(error) if packing.is_some() => {
                return Ok(Reading::Damaged(format!("is compressed, and cannot be unpacked: {error}")));
            }
            Some(error) => return Ok(unreadable(&error)),
            None => {}
        }
        let (blob, size) = put?;
        let after = rustix::fs::fstat(&file).map_err(|e| refused(e, "reading a message"))?;
        let (was, stamp) = (Stamp::of(&before), Stamp::of(&after));
        let is_cut = packing.is_none() && size != stamp.size;
        if (was.size, was.mtime_ns) != (stamp.size, stamp.mtime_ns) || is_cut {
            return Ok(Reading::Unsteady);
        }
        if size > packed::LONGEST && packing.is_some() {
            return Ok(Reading::Odd(format!("is more than {} bytes long unpacked, and not read", packed::LONGEST)));
        }
        if let Some(reason) = damage(name, size) {
            return Ok(Reading::Damaged(reason));
        }
        let age_ns = self.device.now().abs_diff(stamp.mtime_ns);
        let (is_young, rests_in) = (age_ns < YOUNG_NS, Duration::from_nanos(YOUNG_NS.saturating_sub(age_ns)));
        let received_ms = stamp.mtime_ns.div_euclid(1_000_000);
        let is_end = |line: &Vec<u8>| end.windows(line.len()).any(|part| part == line.as_slice());
        let lacks_end = headers::last_line(&head).is_some_and(|line| !is_end(&line));
        Ok(Reading::Whole(Box::new(Bytes {
            blob,
            size,
            header: headers::read(&head),
            received_ms,
            is_young,
            rests_in,
            lacks_end,
        })))
    }

    /// What a file's header says; `None` where it cannot be read.
    pub(super) fn header(&self, folder: &OwnedFd, file: &[u8]) -> Option<headers::Headers> {
        let mut file = std::fs::File::from(open(folder, file).ok()?);
        let (_, source) = unpacked(&mut file).ok()?;
        let mut source = std::io::BufReader::new(source.take(LARGEST_HEADER as u64));
        let mut head = Vec::new();
        while source.read_until(b'\n', &mut head).ok()? > 0 && !head.ends_with(b"\n\n") && !head.ends_with(b"\n\r\n") {}
        Some(headers::read(&head))
    }

    /// Why a file is not what was written, where its size shows it: cut by a power cut, or written over. Nothing follows from its bytes, and
    /// those that were received are kept. A compressed one is opened only where it has not the letter for that.
    pub(super) fn damage(&self, folder: &OwnedFd, file: &[u8], name: &FileName) -> Result<Option<String>> {
        if said_size(&name.base).is_none() || name.flags.contains(&COMPRESSED) {
            return Ok(None);
        }
        let stat = beneath::stat(folder, file).map_err(|e| refused(e, "asking how long a message is"))?;
        let Some(reason) = stat.and_then(|stat| damage(name, Stamp::of(&stat).size)) else { return Ok(None) };
        let packing = open(folder, file).map(|file| packed::packing(&mut std::fs::File::from(file)));
        Ok(if matches!(packing, Ok(Ok(Some(_)))) { None } else { Some(reason) })
    }
}

fn open(folder: &OwnedFd, file: &[u8]) -> rustix::io::Result<OwnedFd> {
    // NONBLOCK: a pipe of that name must not stop the program.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    rustix::fs::openat(folder, file, flags, Mode::empty())
}

/// How a file is packed, and what it was before; or why it is not read.
fn unpacked(file: &mut std::fs::File) -> std::result::Result<(Option<Packing>, Box<dyn Read + '_>), String> {
    let unreadable = |error: std::io::Error| format!("cannot be read: {error}");
    let packing = packed::packing(file).map_err(unreadable)?;
    let source: Box<dyn Read + '_> = match packing {
        None => Box::new(file),
        Some(Packing::Other(how)) => return Err(format!("is {how}, and not read")),
        Some(packing) => packed::unpacked(file, packing).map_err(unreadable)?.ok_or("is compressed, and not read")?,
    };
    Ok((packing, source))
}

/// Why a message of so many bytes is not what its name says: other than we wrote, or shorter than another program did.
fn damage(name: &FileName, size: u64) -> Option<String> {
    let said = said_size(&name.base)?;
    let is_whole = if is_own(&name.base) { size == said } else { size >= said };
    (!is_whole).then(|| format!("is {size} bytes long, not {said} as it was written"))
}

/// A message as its name says it is. Bytes are filled in from the last look (`settle_unknown`).
pub fn sheet(place: Place, name: &FileName, table: &Table) -> Sheet {
    let mut sheet = Sheet::default();
    dress(&mut sheet, place, name, table);
    sheet
}

/// Writes into a sheet what the name says: keywords, whether it is to be deleted, the place's own words. What a folder's letters mean goes
/// along where the name has such letters.
pub fn dress(sheet: &mut Sheet, place: Place, name: &FileName, table: &Table) {
    sheet.deleted = name.flags.contains(&TRASHED);
    let mut own = vec![("place", place.as_str().to_owned())];
    if !keywords::letters(&name.flags).is_empty() {
        own.push((WORDS, table.known()));
    }
    sheet.own = own.into_iter().map(|(word, text)| (word.to_owned(), Value::from(text))).collect::<Map<_, _>>();
    say(sheet, &name.flags, table);
}

/// The members of a sheet's own words that hold a name's flags, those of them that came along from another folder and say nothing here, and
/// the words behind its folder's letters.
const FLAGS: &str = "flags";
const CAME_ALONG: &str = "cameAlong";
const WORDS: &str = "words";

fn say(sheet: &mut Sheet, flags: &BTreeSet<u8>, table: &Table) {
    sheet.keywords = keywords::keywords(flags, table);
    note(sheet, FLAGS, flags);
}

fn note(sheet: &mut Sheet, member: &str, flags: &BTreeSet<u8>) {
    let flags: Vec<u8> = flags.iter().copied().collect();
    sheet.own.insert(member.to_owned(), Value::from(String::from_utf8_lossy(&flags)));
}

fn noted(sheet: &Sheet, member: &str) -> BTreeSet<u8> {
    own(sheet, member).unwrap_or_default().iter().copied().collect()
}

fn own<'a>(sheet: &'a Sheet, member: &str) -> Option<&'a [u8]> {
    sheet.own.get(member).and_then(Value::as_str).map(str::as_bytes)
}

/// What files tell of their words when they are moved.
pub const MOVING: Moving = Moving { moved, seen_again };

/// All flags of the name that a sheet was made of.
fn flags(sheet: &Sheet) -> BTreeSet<u8> {
    &noted(sheet, FLAGS) | &noted(sheet, CAME_ALONG)
}

/// The sheet counts of its name's flags these alone.
fn count(sheet: &mut Sheet, flags: &BTreeSet<u8>, says: &BTreeSet<u8>, table: &Table) {
    say(sheet, says, table);
    let along = flags - says;
    match along.is_empty() {
        true => drop(sheet.own.remove(CAME_ALONG)),
        false => note(sheet, CAME_ALONG, &along),
    }
}

/// The keywords of a message that moved here from another folder. The sheet counts the letters that say something here; those that came
/// along with the file go when its flags are next written ([`came_along`]).
fn moved(last: &Sheet, now: &mut Sheet) -> BTreeSet<String> {
    let table = Table::parse(own(now, WORDS).unwrap_or_default());
    let has = flags(now);
    let (says, unsaid) = keywords::moved(&last.keywords, &flags(last), &has, &table);
    count(now, &has, &says, &table);
    // Of a word with two letters one may have stayed: it is said when both stand there.
    now.keywords = &now.keywords - &unsaid;
    &now.keywords | &unsaid
}

/// As long as nobody writes other letters, those that came along say nothing.
fn seen_again(last: &Sheet, now: &mut Sheet) {
    let (along, has) = (noted(last, CAME_ALONG), flags(now));
    if !along.is_empty() && keywords::letters(&has) == keywords::letters(&flags(last)) {
        let table = Table::parse(own(now, WORDS).unwrap_or_default());
        count(now, &has, &(&has - &along), &table);
    }
}

/// The letters of a name that its sheet does not count: they came along from another folder.
pub fn came_along(sheet: &Sheet, name: &FileName) -> BTreeSet<u8> {
    let counted = own(sheet, FLAGS);
    let is_counted = |letter: &u8| counted.is_none_or(|flags| flags.contains(letter));
    keywords::letters(&name.flags).into_iter().filter(|letter| !is_counted(letter)).collect()
}

/// The whole sheet.
pub fn whole_sheet(place: Place, name: &FileName, table: &Table, bytes: &Bytes) -> Sheet {
    let mut sheet = sheet(place, name, table);
    sheet.set_bytes(&bytes.blob, bytes.size, &bytes.header);
    sheet.received_ms = Some(bytes.received_ms);
    sheet
}

/// One copy as the contract wants it. A device says no time: what counts is when a change was first seen (ENGINE 18).
pub fn seen(collection: &CollectionId, base: &[u8], etag: Etag, sheet: &Sheet) -> Result<Seen> {
    Ok(Seen {
        remote_id: ids::remote_id(collection, base),
        collection: collection.clone(),
        etag,
        rendering: sheet.write()?,
        uid: Some(uid_of(base)),
        mark: None,
        modified_ms: None,
    })
}
