//! The store as a whole: its blobs by name, and what makes them durable.

use crate::files::{Files, make_folder, names, open_folder};
use crate::put::{Counted, PIECE, Packer, Temp};
use crate::small::{self, Small};
use crate::{Blob, Error, Hash, Put, Result};
use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, CWD, FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use std::io::Read;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use zstd::zstd_safe::DCtx;

/// Where files stand until they are whole.
const TMP: &str = "tmp";

/// What finds a blob takes so many bytes.
const NAME: u64 = 64;
/// What is shorter shares a page with others …
const SHORT: u64 = 1024;
/// … of this many bytes.
const PAGE: u64 = 4096;

/// What a store holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// How many blobs.
    pub blobs: u64,
    /// How many bytes they take, packed: those of the files of large ones, and of small ones with what finds them.
    pub packed_bytes: u64,
}

/// A folder of blobs, for one process at a time; any number of threads.
pub struct Store {
    files: Files,
    small: Small,
    /// Also holds the lock, for as long as it is open.
    tmp: OwnedFd,
    next: AtomicU64,
    /// One for each thread that packed at the same time.
    packers: Mutex<Vec<Packer>>,
    /// One for each thread that unpacked at the same time.
    contexts: Mutex<Vec<DCtx<'static>>>,
}

impl Drop for Store {
    fn drop(&mut self) {
        // As with the lock of the hub: a child that another thread is just starting has it open until it is another program (flock(2)).
        let _ = rustix::fs::flock(&self.tmp, FlockOperation::Unlock);
    }
}

impl Store {
    /// Opens the folder, makes it where it is not there (its parent must be), and removes what a stopped run left half written.
    ///
    /// # Errors
    /// [`Error::Busy`] where another process has it open; [`Error::Damaged`] and [`Error::Later`] where the file of the small blobs cannot be
    /// read; [`Error::Disk`] where the folder cannot be made or read.
    pub fn open(path: &Path) -> Result<Store> {
        let doing = || Error::disk(format!("opening the folder of blobs {}", path.display()));
        make_folder(CWD, path).map_err(|e| doing()(e.into()))?;
        let files = Files::at(path).map_err(|e| doing()(e.into()))?;
        rustix::fs::fchmod(&files.root, Mode::RWXU).map_err(|e| doing()(e.into()))?;
        make_folder(&files.root, Path::new(TMP)).map_err(|e| doing()(e.into()))?;
        let tmp = open_folder(&files.root, Path::new(TMP), OFlags::NOFOLLOW).map_err(|e| doing()(e.into()))?;
        match rustix::fs::flock(&tmp, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Err(Error::Busy),
            Err(errno) => return Err(doing()(errno.into())),
        }
        for name in names(&tmp).map_err(|e| doing()(e.into()))? {
            rustix::fs::unlinkat(&tmp, &name[..], AtFlags::empty()).map_err(|e| doing()(e.into()))?;
        }
        if files.size(small::NAME)?.is_none() {
            make_small(&files, &tmp)?;
        }
        let small = Small::open(&path.join(small::NAME))?;
        let (packers, contexts) = Default::default();
        Ok(Store { files, small, tmp, next: AtomicU64::new(0), packers, contexts })
    }

    /// A folder to be read beside whoever works on it: nothing is made or removed, and no lock is held between two reads. Nothing is put
    /// there.
    ///
    /// # Errors
    /// [`Error::Disk`] where it is not there or cannot be read; [`Error::Damaged`] and [`Error::Later`] as in [`open`](Store::open).
    pub fn look(path: &Path) -> Result<Store> {
        let doing = || Error::disk(format!("reading the folder of blobs {}", path.display()));
        let files = Files::at(path).map_err(|errno| doing()(errno.into()))?;
        // A store of an earlier version has none.
        let small = match files.size(small::NAME)? {
            Some(_) => Small::look(&path.join(small::NAME))?,
            None => Small::none(&path.join(small::NAME))?,
        };
        // Without a lock it stands in for the folder whose lock another process may hold.
        let tmp = files.root.try_clone().map_err(doing())?;
        let (packers, contexts) = Default::default();
        Ok(Store { files, small, tmp, next: AtomicU64::new(0), packers, contexts })
    }

    /// How much there is in a folder, beside whoever works on it.
    ///
    /// # Errors
    /// As in [`look`](Store::look).
    pub fn usage_at(path: &Path) -> Result<Usage> {
        Store::look(path)?.usage()
    }

    /// Keeps all bytes that `source` has. It is read piece by piece and never held as a whole; whoever wants a limit hands in a
    /// source that has one. The blob is durable after the next [`flush`](Store::flush).
    ///
    /// # Errors
    /// [`Error::Source`] where `source` fails, [`Error::Disk`] where the disk does. Nothing is kept then.
    pub fn put(&self, mut source: impl Read) -> Result<Put> {
        // Whoever panicked with the lock held had only pushed or popped.
        let free = || self.packers.lock().unwrap_or_else(PoisonError::into_inner);
        let mut packer = free().pop().unwrap_or_else(Packer::new);
        let put = match packer.begin(&mut source) {
            Ok(PIECE) => self.put_large(&mut packer, source),
            Ok(count) => self.put_small(&mut packer, count),
            Err(error) => Err(error),
        };
        free().push(packer);
        put
    }

    /// Tells of one source after the other how many bytes of a disk it takes when it is kept; nothing is.
    pub fn measure() -> impl FnMut(&mut dyn Read) -> Result<u64> {
        let mut packer = Packer::new();
        move |mut source: &mut dyn Read| {
            let packed = match packer.begin(&mut source)? {
                PIECE => {
                    let mut counted = Counted(0);
                    packer.pack_large(source, &mut counted)?;
                    counted.0
                }
                count => packer.pack_small(count)?.1.len() as u64,
            };
            // What is short shares a page of the small blobs' file; all else takes pages of its own.
            Ok(NAME + if packed < SHORT { packed } else { packed.next_multiple_of(PAGE) })
        }
    }

    fn put_small(&self, packer: &mut Packer, count: usize) -> Result<Put> {
        let (hash, packed) = packer.pack_small(count)?;
        let put = |is_new| Put { hash, size: count as u64, is_new };
        // As earlier versions kept it.
        if self.files.size(&hash.path())?.is_some() {
            if self.is_sound(&hash)? {
                return Ok(put(false));
            }
            self.files.remove(&hash)?;
        }
        if self.small.put(&hash, packed)? {
            return Ok(put(true));
        }
        if self.is_sound(&hash)? {
            return Ok(put(false));
        }
        self.small.heal(&hash, packed)?;
        Ok(put(true))
    }

    fn put_large(&self, packer: &mut Packer, source: impl Read) -> Result<Put> {
        let name = self.next.fetch_add(1, Ordering::Relaxed).to_string();
        let (temp, file) = Temp::create(&self.tmp, name)
            .map_err(Error::disk(format!("writing a blob below {}", self.files.path.display())))?;
        let (hash, size) = packer.pack_large(source, file)?;
        // What stands there already stays, unless it is not what the name says: a power cut before a flush leaves empty or half-written
        // files under their final names.
        let is_new = match self.files.name(temp, &hash)? {
            None => true,
            Some(_) if self.is_sound(&hash)? => false,
            Some(temp) => {
                self.files.replace(temp, &hash)?;
                true
            }
        };
        Ok(Put { hash, size, is_new })
    }

    /// Whether what stands under a name is what the name says.
    fn is_sound(&self, hash: &Hash) -> Result<bool> {
        match self.verify(hash) {
            Ok(_) => Ok(true),
            Err(Error::Rotten { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The bytes of a blob, to be read; see [`Blob`] on when they are known to be right.
    ///
    /// # Errors
    /// [`Error::Absent`] where there is none of that name, [`Error::Disk`] where it cannot be read, [`Error::Damaged`].
    pub fn get(&self, hash: &Hash) -> Result<Blob> {
        if let Some(packed) = self.small.packed(hash)? {
            return Blob::of_bytes(*hash, packed, &self.contexts);
        }
        match self.files.open(hash)? {
            Some(file) => Blob::of_file(*hash, file, &self.contexts),
            None => Err(Error::Absent(*hash)),
        }
    }

    /// All bytes of a blob of at most `most` bytes, known to be right.
    ///
    /// # Errors
    /// As [`verify`](Store::verify), and [`Error::TooLarge`].
    pub fn bytes(&self, hash: &Hash, most: u64) -> Result<Vec<u8>> {
        self.get(hash)?.collect(most)
    }

    /// Whether there is a blob of that name. It is not read: only [`verify`](Store::verify) and [`put`](Store::put) look inside.
    ///
    /// # Errors
    /// [`Error::Disk`], [`Error::Damaged`].
    pub fn has(&self, hash: &Hash) -> Result<bool> {
        Ok(self.small.has(hash)? || self.files.size(&hash.path())?.is_some())
    }

    /// How many bytes a blob has, packed; nothing where there is none.
    ///
    /// # Errors
    /// [`Error::Disk`], [`Error::Damaged`].
    pub fn packed_size(&self, hash: &Hash) -> Result<Option<u64>> {
        match self.small.packed_size(hash)? {
            None => self.files.size(&hash.path()),
            size => Ok(size),
        }
    }

    /// Reads a blob to its end; gives its number of bytes, unpacked.
    ///
    /// # Errors
    /// [`Error::Rotten`] where the bytes are not those that were put, [`Error::Absent`], [`Error::Disk`].
    pub fn verify(&self, hash: &Hash) -> Result<u64> {
        self.get(hash)?.drain()
    }

    /// Removes a blob; whether it was there. It is gone for good after the next [`flush`](Store::flush). Whoever asks for it knows that nothing
    /// names the blob any more.
    ///
    /// # Errors
    /// [`Error::Disk`], [`Error::Damaged`].
    pub fn remove(&self, hash: &Hash) -> Result<bool> {
        let was_small = self.small.remove(hash)?;
        Ok(self.files.remove(hash)? || was_small)
    }

    /// Makes everything durable that was put or removed so far. A row that names a blob may be committed after this, not before. Where
    /// nothing was, nothing is done.
    ///
    /// # Errors
    /// [`Error::Disk`]; then what was put or removed since the last flush may be lost, and so this store keeps nothing more: open it again.
    pub fn flush(&self) -> Result<()> {
        self.small.flush()?;
        self.files.flush()
    }

    /// The names of all blobs, in order. What is named otherwise is not ours and is passed over. A blob that is put or
    /// removed meanwhile may be met or not.
    pub fn hashes(&self) -> impl Iterator<Item = Result<Hash>> + '_ {
        (0..=u8::MAX).flat_map(|first| match self.hashes_in(first) {
            Ok(found) => found.into_iter().map(Ok).collect::<Vec<_>>(),
            Err(error) => vec![Err(error)],
        })
    }

    /// The names of the blobs that begin with this byte, in order.
    pub(crate) fn hashes_in(&self, first: u8) -> Result<Vec<Hash>> {
        let mut found = self.small.hashes(first)?;
        found.extend(self.files.hashes(first)?);
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    /// How much there is. Looks at every file, and reads no blob.
    ///
    /// # Errors
    /// [`Error::Disk`], [`Error::Damaged`].
    pub fn usage(&self) -> Result<Usage> {
        let (blobs, packed_bytes) = self.small.usage()?;
        let mut usage = Usage { blobs, packed_bytes };
        for first in 0..=u8::MAX {
            for hash in self.files.hashes(first)? {
                // One that was removed since it was listed is not counted.
                if let Some(size) = self.files.size(&hash.path())? {
                    usage.blobs += 1;
                    usage.packed_bytes += size;
                }
            }
        }
        Ok(usage)
    }
}

/// Makes the file of the small blobs, which is there under its name when it is whole.
fn make_small(files: &Files, tmp: &OwnedFd) -> Result<()> {
    let at = files.path.join(small::NAME);
    // What was half committed to a file that is gone would be written into the new one.
    if files.size(small::JOURNAL)?.is_some_and(|size| size > 0) {
        return Err(Error::Damaged { path: at, why: "it is gone, and its journal is not".into() });
    }
    let making = || Error::disk(format!("making {}", at.display()));
    let (temp, file) = Temp::create(tmp, small::NAME.into()).map_err(making())?;
    drop(file);
    Small::make(&files.path.join(TMP).join(small::NAME))?;
    rustix::fs::renameat(tmp, small::NAME, &files.root, small::NAME)
        .and_then(|()| rustix::fs::fsync(&files.root))
        .map_err(|errno| making()(errno.into()))?;
    temp.done();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_was_let_go_is_free_though_a_child_that_is_being_started_still_has_it_open() {
        let dir = tempfile::tempdir().unwrap();
        let first = Store::open(&dir.path().join("blobs")).unwrap();
        let of_child = first.tmp.try_clone().unwrap();
        drop(first);
        Store::open(&dir.path().join("blobs")).unwrap();
        drop(of_child);
    }
}
