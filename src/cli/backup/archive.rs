//! The file of a backup: a tar with the hub (`hub.sqlite`), the bytes of each message (`blobs/ab/<64 hex digits>`, as they were received),
//! and at its end `twofold-backup.json`, which says what must be in it. Who has lost everything can open it with `tar`.

use super::super::disk::Spare;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;
use twofold_model::{BlobId, Error, ErrorKind, Result};

/// The form of the file that this program writes and reads.
const FORMAT: u32 = 1;
const HUB: &str = "hub.sqlite";
const CONTENTS: &str = "twofold-backup.json";
/// Larger tables of contents are none.
const MOST_CONTENTS: u64 = 64 * 1024;

/// What is in a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contents {
    /// The form of the file.
    pub format: u32,
    /// The program that wrote it.
    pub program: String,
    /// When it was begun, in milliseconds since 1970.
    pub made_ms: i64,
    /// Whose copy it is.
    pub hub: String,
    /// The last run that is in it.
    pub run: i64,
    /// The digest of the hub's file (BLAKE3).
    pub hub_digest: String,
    /// How many messages' bytes are in it.
    pub messages: u64,
    /// How many bytes these have.
    pub message_bytes: u64,
}

impl Contents {
    /// The contents of a backup that is begun; what it holds is counted while it is written.
    pub fn begun(made_ms: i64, hub: &str, run: i64) -> Contents {
        Contents {
            format: FORMAT,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            made_ms,
            hub: hub.to_owned(),
            run,
            hub_digest: String::new(),
            messages: 0,
            message_bytes: 0,
        }
    }
}

/// So much is written at once, and looked for room for.
const AT_ONCE: usize = 256 * 1024;

/// A file that grows as long as there is room for it.
struct Growing {
    file: File,
    spare: Spare,
}

impl Write for Growing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.spare.check(bytes.len() as u64)?;
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for Growing {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

/// A backup that is being written.
pub struct Writer {
    tar: tar::Builder<BufWriter<Growing>>,
    contents: Contents,
}

impl Writer {
    /// Begins with the hub's copy; `spare` is where the file lies.
    pub fn begin(file: File, spare: Spare, hub: &mut File, contents: Contents) -> io::Result<Writer> {
        let file = BufWriter::with_capacity(AT_ONCE, Growing { file, spare });
        let mut writer = Writer { tar: tar::Builder::new(file), contents };
        writer.contents.hub_digest = digest(&mut *hub)?.0;
        hub.seek(SeekFrom::Start(0))?;
        writer.entry(HUB, hub)?;
        Ok(writer)
    }

    /// Adds the bytes of a message; they are read piece by piece.
    pub fn add(&mut self, blob: &BlobId, bytes: &mut dyn Read) -> io::Result<()> {
        let length = self.entry(&path_of(blob), bytes)?;
        self.contents.messages += 1;
        self.contents.message_bytes += length;
        Ok(())
    }

    /// Ends with the table of contents; all of it is on the disk afterwards.
    pub fn end(mut self) -> io::Result<Contents> {
        let text = serde_json::to_vec_pretty(&self.contents)?;
        self.entry(CONTENTS, &mut &text[..])?;
        let file = self.tar.into_inner()?.into_inner().map_err(io::IntoInnerError::into_error)?.file;
        file.sync_all()?;
        Ok(self.contents)
    }

    fn entry(&mut self, name: &str, bytes: &mut dyn Read) -> io::Result<u64> {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o600);
        header.set_mtime(u64::try_from(self.contents.made_ms / 1000).unwrap_or(0));
        let mut entry = self.tar.append_writer(&mut header, name)?;
        let length = io::copy(bytes, &mut entry)?;
        entry.finish()?;
        Ok(length)
    }
}

/// Where the bytes of a message stand in the file.
fn path_of(blob: &BlobId) -> String {
    format!("blobs/{}/{blob}", &blob.as_str()[..2])
}

/// One thing in a backup.
pub enum Entry<'a> {
    /// The hub.
    Hub(&'a mut dyn Read),
    /// The bytes of a message.
    Message(BlobId, &'a mut dyn Read),
}

/// Walks through a backup. Answers its table of contents; a file without one is no whole backup.
///
/// # Errors
/// Where the file is no backup or not whole, or `each` fails.
pub fn walk(path: &Path, mut each: impl FnMut(Entry<'_>) -> Result<()>) -> Result<Contents> {
    let unreadable = |error: io::Error| {
        // The words of a reader that stumbled repeat what it read.
        let why = if error.kind() == io::ErrorKind::Other { "it is no tar file".to_owned() } else { error.to_string() };
        Error::new(ErrorKind::Misconfigured, format!("{} cannot be read as a backup: {why}", path.display()))
    };
    let broken = |why: &str| Error::new(ErrorKind::Misconfigured, format!("{} {why}", path.display()));
    let mut tar = tar::Archive::new(BufReader::new(File::open(path).map_err(unreadable)?));
    let mut contents = None;
    for entry in tar.entries().map_err(unreadable)? {
        let mut entry = entry.map_err(unreadable)?;
        let name = entry.path().map_err(unreadable)?.to_string_lossy().into_owned();
        let blob = name.rsplit('/').next().and_then(BlobId::parse).filter(|blob| path_of(blob) == name);
        match (name.as_str(), blob) {
            (HUB, _) => each(Entry::Hub(&mut entry))?,
            (CONTENTS, _) => {
                let mut text = String::new();
                entry.by_ref().take(MOST_CONTENTS).read_to_string(&mut text).map_err(unreadable)?;
                let read: Contents =
                    serde_json::from_str(&text).map_err(|_| broken("has a table of contents that cannot be read"))?;
                if read.format > FORMAT {
                    return Err(broken("was written by a later twofold; install that version"));
                }
                contents = Some(read);
            }
            (_, Some(blob)) => each(Entry::Message(blob, &mut entry))?,
            _ => return Err(broken(&format!("is no backup of twofold: there is {name:?} in it"))),
        }
    }
    contents.ok_or_else(|| broken("is no whole backup: its end is missing"))
}

/// Reads a backup to its end and compares everything with what must be there.
///
/// # Errors
/// Where anything is missing, or is not what was put in.
pub fn verify(path: &Path) -> Result<Contents> {
    let (mut hub, mut messages, mut length) = (None, 0, 0);
    let damaged = |what: &str| {
        let words = format!("{} is damaged: {what} is not what was put in", path.display());
        Error::new(ErrorKind::Misconfigured, words)
    };
    let contents = walk(path, |entry| {
        let (name, bytes) = match entry {
            Entry::Hub(bytes) => (None, bytes),
            Entry::Message(blob, bytes) => (Some(blob), bytes),
        };
        let (found, size) = digest(bytes).map_err(|_| damaged(name.as_ref().map_or(HUB, BlobId::as_str)))?;
        match name {
            None => hub = Some(found),
            Some(blob) if blob.as_str() == found => {
                messages += 1;
                length += size;
            }
            Some(blob) => return Err(damaged(blob.as_str())),
        }
        Ok(())
    })?;
    if hub.as_ref() != Some(&contents.hub_digest) {
        return Err(damaged(HUB));
    }
    if (messages, length) != (contents.messages, contents.message_bytes) {
        return Err(damaged("the number of messages"));
    }
    Ok(contents)
}

/// Whether a file begins as a backup does: only such a one may be replaced.
pub fn is_backup(path: &Path) -> bool {
    let Ok(file) = File::open(path) else { return false };
    let mut tar = tar::Archive::new(BufReader::new(file));
    let first = tar.entries().ok().and_then(|mut entries| entries.next());
    first.is_some_and(|entry| entry.is_ok_and(|entry| entry.path().is_ok_and(|path| path.as_os_str() == HUB)))
}

/// The BLAKE3 of bytes, and how many there are.
fn digest(bytes: &mut dyn Read) -> io::Result<(String, u64)> {
    let mut hasher = blake3::Hasher::new();
    let length = io::copy(bytes, &mut HashWriter(&mut hasher))?;
    Ok((hasher.finalize().to_hex().to_string(), length))
}

/// Hands what is written to a hasher.
struct HashWriter<'a>(&'a mut blake3::Hasher);

impl Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
