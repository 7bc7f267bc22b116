//! The folder as a whole: its blobs by name, and what makes them durable.

use crate::put::{Packer, Temp};
use crate::{Blob, Error, Hash, Put, Result};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{AtFlags, CWD, Dir, FlockOperation, Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use zstd::zstd_safe::DCtx;

/// Where blobs stand until they are whole.
const TMP: &str = "tmp";

/// What a store holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// How many blobs.
    pub blobs: u64,
    /// How many bytes their files have, packed.
    pub packed_bytes: u64,
}

/// A folder of blobs, for one process at a time; any number of threads.
pub struct Store {
    path: PathBuf,
    root: OwnedFd,
    /// Also holds the lock, for as long as it is open.
    tmp: OwnedFd,
    next: AtomicU64,
    /// One for each thread that packed at the same time.
    packers: Mutex<Vec<Packer>>,
    /// One for each thread that unpacked at the same time.
    contexts: Mutex<Vec<DCtx<'static>>>,
}

impl Store {
    /// Opens the folder, makes it where it is not there (its parent must be), and removes what a stopped run left half written.
    ///
    /// # Errors
    /// [`Error::Busy`] where another process has it open; [`Error::Disk`] where it cannot be made or read.
    pub fn open(path: &Path) -> Result<Store> {
        let doing = || Error::disk(format!("opening the folder of blobs {}", path.display()));
        make_folder(CWD, path).map_err(|e| doing()(e.into()))?;
        // The one path that may be a link: whoever configured it chose where it leads.
        let root = open_folder(CWD, path, OFlags::empty()).map_err(|e| doing()(e.into()))?;
        rustix::fs::fchmod(&root, Mode::RWXU).map_err(|e| doing()(e.into()))?;
        make_folder(&root, Path::new(TMP)).map_err(|e| doing()(e.into()))?;
        let tmp = open_folder(&root, Path::new(TMP), OFlags::NOFOLLOW).map_err(|e| doing()(e.into()))?;
        match rustix::fs::flock(&tmp, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Err(Error::Busy),
            Err(errno) => return Err(doing()(errno.into())),
        }
        let store = Store::at(path, root, tmp);
        store.clear_tmp().map_err(|e| doing()(e.into()))?;
        Ok(store)
    }

    /// A folder to be read beside whoever works on it: nothing is locked, made or removed. Nothing is put there.
    ///
    /// # Errors
    /// [`Error::Disk`] where it is not there or cannot be read.
    pub fn look(path: &Path) -> Result<Store> {
        let doing = || Error::disk(format!("reading the folder of blobs {}", path.display()));
        let root = open_folder(CWD, path, OFlags::empty()).map_err(|e| doing()(e.into()))?;
        // Without a lock it stands in for the folder whose lock another process may hold.
        let tmp = root.try_clone().map_err(doing())?;
        Ok(Store::at(path, root, tmp))
    }

    /// How much there is in a folder, beside whoever works on it.
    ///
    /// # Errors
    /// [`Error::Disk`] where it is not there or cannot be read.
    pub fn usage_at(path: &Path) -> Result<Usage> {
        Store::look(path)?.usage()
    }

    fn at(path: &Path, root: OwnedFd, tmp: OwnedFd) -> Store {
        let (packers, contexts) = Default::default();
        Store { path: path.to_owned(), root, tmp, next: AtomicU64::new(0), packers, contexts }
    }

    fn clear_tmp(&self) -> rustix::io::Result<()> {
        for name in names(&self.tmp)? {
            rustix::fs::unlinkat(&self.tmp, &name[..], AtFlags::empty())?;
        }
        Ok(())
    }

    /// Keeps all bytes that `source` has. It is read piece by piece and never held as a whole; whoever wants a limit hands in a
    /// source that has one. The blob is durable after the next [`flush`](Store::flush).
    ///
    /// # Errors
    /// [`Error::Source`] where `source` fails, [`Error::Disk`] where the disk does. Nothing is kept then.
    pub fn put(&self, source: impl Read) -> Result<Put> {
        let writing = || Error::disk(format!("writing a blob below {}", self.path.display()));
        let name = self.next.fetch_add(1, Ordering::Relaxed).to_string();
        let (temp, file) = Temp::create(&self.tmp, name).map_err(writing())?;
        // Whoever panicked with the lock held had only pushed or popped.
        let free = || self.packers.lock().unwrap_or_else(PoisonError::into_inner);
        let mut packer = free().pop().unwrap_or_else(Packer::new);
        let packed = packer.pack(source, file);
        free().push(packer);
        let (hash, size) = packed?;
        let is_new = self.name(temp, &hash)?;
        Ok(Put { hash, size, is_new })
    }

    /// Gives a whole file its name; whether it was free. What stands there already stays, unless it is not what the name says.
    fn name(&self, temp: Temp<'_>, hash: &Hash) -> Result<bool> {
        let naming = || Error::disk(format!("naming the blob {hash}"));
        let named = match self.rename_new(&temp, hash) {
            Err(Errno::NOENT) => {
                make_folder(&self.root, Path::new(&hash.folder())).and_then(|()| self.rename_new(&temp, hash))
            }
            other => other,
        };
        match named {
            Ok(()) => {}
            // A power cut before a flush leaves empty or half-written files under their final names, so a name alone proves nothing.
            Err(Errno::EXIST) => match self.verify(hash) {
                Ok(_) => return Ok(false),
                Err(Error::Rotten { .. }) => {
                    rustix::fs::renameat(temp.folder(), temp.name(), &self.root, hash.path())
                        .map_err(|e| naming()(e.into()))?;
                }
                Err(error) => return Err(error),
            },
            Err(errno) => return Err(naming()(errno.into())),
        }
        temp.done();
        Ok(true)
    }

    fn rename_new(&self, temp: &Temp<'_>, hash: &Hash) -> rustix::io::Result<()> {
        let path = hash.path();
        match rustix::fs::renameat_with(temp.folder(), temp.name(), &self.root, &path, RenameFlags::NOREPLACE) {
            // Not every file system can refuse to replace; none of them has two writers here, so a look before is as good.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                match rustix::fs::statat(&self.root, &path, AtFlags::SYMLINK_NOFOLLOW) {
                    Ok(_) => Err(Errno::EXIST),
                    Err(Errno::NOENT) => rustix::fs::renameat(temp.folder(), temp.name(), &self.root, &path),
                    Err(errno) => Err(errno),
                }
            }
            other => other,
        }
    }

    /// The bytes of a blob, to be read; see [`Blob`] on when they are known to be right.
    ///
    /// # Errors
    /// [`Error::Absent`] where there is none of that name, [`Error::Disk`] where its file cannot be opened.
    pub fn get(&self, hash: &Hash) -> Result<Blob> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        match rustix::fs::openat(&self.root, hash.path(), flags, Mode::empty()) {
            Ok(file) => Blob::new(*hash, File::from(file), &self.contexts),
            Err(Errno::NOENT) => Err(Error::Absent(*hash)),
            Err(errno) => Err(Error::disk(format!("opening the blob {hash}"))(errno.into())),
        }
    }

    /// All bytes of a blob of at most `most` bytes, known to be right.
    ///
    /// # Errors
    /// As [`verify`](Store::verify), and [`Error::TooLarge`].
    pub fn bytes(&self, hash: &Hash, most: u64) -> Result<Vec<u8>> {
        self.get(hash)?.collect(most)
    }

    /// Whether there is a file of that name. After a power cut that came before a flush it may be broken: only
    /// [`verify`](Store::verify) and [`put`](Store::put) look inside.
    ///
    /// # Errors
    /// [`Error::Disk`].
    pub fn has(&self, hash: &Hash) -> Result<bool> {
        Ok(self.packed_size(hash)?.is_some())
    }

    /// How many bytes the file of a blob has, packed; nothing where there is none.
    ///
    /// # Errors
    /// [`Error::Disk`].
    pub fn packed_size(&self, hash: &Hash) -> Result<Option<u64>> {
        match rustix::fs::statat(&self.root, hash.path(), AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(u64::try_from(stat.st_size).unwrap_or_default())),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(Error::disk(format!("looking at the blob {hash}"))(errno.into())),
        }
    }

    /// Reads a blob to its end; gives its number of bytes, unpacked.
    ///
    /// # Errors
    /// [`Error::Rotten`] where the bytes are not those that were put, [`Error::Absent`], [`Error::Disk`].
    pub fn verify(&self, hash: &Hash) -> Result<u64> {
        self.get(hash)?.drain()
    }

    /// Removes a blob; whether it was there. Whoever asks for it knows that nothing names the blob any more.
    ///
    /// # Errors
    /// [`Error::Disk`].
    pub fn remove(&self, hash: &Hash) -> Result<bool> {
        match rustix::fs::unlinkat(&self.root, hash.path(), AtFlags::empty()) {
            Ok(()) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(errno) => Err(Error::disk(format!("removing the blob {hash}"))(errno.into())),
        }
    }

    /// Makes everything durable that was put or removed so far. A row that names a blob may be committed after this, not before.
    ///
    /// # Errors
    /// [`Error::Disk`]; then nothing since the last flush is known to be durable.
    pub fn flush(&self) -> Result<()> {
        let doing = Error::disk(format!("making the blobs below {} durable", self.path.display()));
        rustix::fs::syncfs(&self.root).map_err(|errno| doing(errno.into()))
    }

    /// The names of all blobs, folder by folder, in order. What is named otherwise is not ours and is passed over. A blob that is put or
    /// removed meanwhile may be met or not.
    pub fn hashes(&self) -> impl Iterator<Item = Result<Hash>> + '_ {
        (0..=u8::MAX).flat_map(|first| match self.hashes_in(first) {
            Ok(found) => found.into_iter().map(Ok).collect::<Vec<_>>(),
            Err(error) => vec![Err(error)],
        })
    }

    /// The names of the blobs of one folder, in order.
    pub(crate) fn hashes_in(&self, first: u8) -> Result<Vec<Hash>> {
        let folder = format!("{first:02x}");
        let listed = match open_folder(&self.root, Path::new(&folder), OFlags::NOFOLLOW) {
            Ok(opened) => names(&opened),
            Err(Errno::NOENT) => Ok(Vec::new()),
            Err(errno) => Err(errno),
        };
        let doing = Error::disk(format!("listing {}", self.path.join(&folder).display()));
        let listed = listed.map_err(|errno| doing(errno.into()))?;
        let texts = listed.iter().filter_map(|name| std::str::from_utf8(name).ok());
        let mut found: Vec<Hash> = texts.filter_map(|name| name.parse().ok()).collect();
        found.retain(|hash| hash.as_bytes()[0] == first);
        found.sort_unstable();
        Ok(found)
    }

    /// How much there is. Looks at every file.
    ///
    /// # Errors
    /// [`Error::Disk`].
    pub fn usage(&self) -> Result<Usage> {
        let mut usage = Usage::default();
        for hash in self.hashes() {
            // One that was removed since it was listed is not counted.
            if let Some(size) = self.packed_size(&hash?)? {
                usage.blobs += 1;
                usage.packed_bytes += size;
            }
        }
        Ok(usage)
    }
}

/// Makes a folder for its owner only; one that is there is fine.
fn make_folder(parent: impl AsFd, name: &Path) -> rustix::io::Result<()> {
    match rustix::fs::mkdirat(parent, name, Mode::RWXU) {
        Err(Errno::EXIST) => Ok(()),
        other => other,
    }
}

fn open_folder(parent: impl AsFd, name: &Path, links: OFlags) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::openat(parent, name, flags | links, Mode::empty())
}

/// The names in a folder, without `.` and `..`.
fn names(folder: &OwnedFd) -> rustix::io::Result<Vec<Vec<u8>>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(folder.as_fd())? {
        let name = entry?.file_name().to_bytes().to_owned();
        if name != b"." && name != b".." {
            names.push(name);
        }
    }
    Ok(names)
}
