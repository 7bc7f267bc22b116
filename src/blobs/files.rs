//! The large blobs: a file for each, `ab/<64 hex digits>`. Stores of earlier versions have the small ones here, too.

use crate::put::Temp;
use crate::{Error, Hash, Result};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{AtFlags, CWD, Dir, Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// The folder in which all stands.
pub(crate) struct Files {
    pub path: PathBuf,
    pub root: OwnedFd,
    /// Whether files came or went since they were last made durable.
    changed: AtomicBool,
}

impl Files {
    /// The folder at a path, which is there.
    pub fn at(path: &Path) -> rustix::io::Result<Files> {
        // The one path that may be a link: whoever configured it chose where it leads.
        let root = open_folder(CWD, path, OFlags::empty())?;
        Ok(Files { path: path.to_owned(), root, changed: AtomicBool::new(false) })
    }

    /// Gives a whole file its name, whatever stands there.
    pub fn replace(&self, temp: Temp<'_>, hash: &Hash) -> Result<()> {
        rustix::fs::renameat(temp.folder(), temp.name(), &self.root, hash.path()).map_err(|e| naming(hash, e))?;
        self.came(temp);
        Ok(())
    }

    /// Gives a whole file its name, if that is free; if not, gives it back.
    pub fn name<'t>(&self, temp: Temp<'t>, hash: &Hash) -> Result<Option<Temp<'t>>> {
        let named = match self.rename_new(&temp, hash) {
            Err(Errno::NOENT) => {
                make_folder(&self.root, Path::new(&hash.folder())).and_then(|()| self.rename_new(&temp, hash))
            }
            other => other,
        };
        match named {
            Ok(()) => {
                self.came(temp);
                Ok(None)
            }
            Err(Errno::EXIST) => Ok(Some(temp)),
            Err(errno) => Err(naming(hash, errno)),
        }
    }

    /// A file has its name now: a flush that is asked for from here on has to make it durable.
    fn came(&self, temp: Temp<'_>) {
        temp.done();
        self.changed.store(true, Ordering::Relaxed);
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

    /// The file of a blob, open; `None` where there is none.
    pub fn open(&self, hash: &Hash) -> Result<Option<File>> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        match rustix::fs::openat(&self.root, hash.path(), flags, Mode::empty()) {
            Ok(file) => Ok(Some(File::from(file))),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(Error::disk(format!("opening the blob {hash}"))(errno.into())),
        }
    }

    /// How many bytes the file of that name below the folder has; `None` where there is none.
    pub fn size(&self, name: &str) -> Result<Option<u64>> {
        match rustix::fs::statat(&self.root, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(u64::try_from(stat.st_size).unwrap_or_default())),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(Error::disk(format!("looking at {}", self.path.join(name).display()))(errno.into())),
        }
    }

    /// Removes the file of a blob; whether it was there.
    pub fn remove(&self, hash: &Hash) -> Result<bool> {
        match rustix::fs::unlinkat(&self.root, hash.path(), AtFlags::empty()) {
            Ok(()) => {
                self.changed.store(true, Ordering::Relaxed);
                Ok(true)
            }
            Err(Errno::NOENT) => Ok(false),
            Err(errno) => Err(Error::disk(format!("removing the blob {hash}"))(errno.into())),
        }
    }

    /// Makes durable what came and went.
    pub fn flush(&self) -> Result<()> {
        if !self.changed.swap(false, Ordering::Relaxed) {
            return Ok(());
        }
        rustix::fs::syncfs(&self.root).map_err(|errno| {
            self.changed.store(true, Ordering::Relaxed);
            Error::disk(format!("making the blobs below {} durable", self.path.display()))(errno.into())
        })
    }

    /// The names of the blobs of one folder.
    pub fn hashes(&self, first: u8) -> Result<Vec<Hash>> {
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
        Ok(found)
    }
}

fn naming(hash: &Hash, errno: Errno) -> Error {
    Error::disk(format!("naming the blob {hash}"))(errno.into())
}

/// Makes a folder for its owner only; one that is there is fine.
pub(crate) fn make_folder(parent: impl AsFd, name: &Path) -> rustix::io::Result<()> {
    match rustix::fs::mkdirat(parent, name, Mode::RWXU) {
        Err(Errno::EXIST) => Ok(()),
        other => other,
    }
}

pub(crate) fn open_folder(parent: impl AsFd, name: &Path, links: OFlags) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::openat(parent, name, flags | links, Mode::empty())
}

/// The names in a folder, without `.` and `..`.
pub(crate) fn names(folder: &OwnedFd) -> rustix::io::Result<Vec<Vec<u8>>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(folder.as_fd())? {
        let name = entry?.file_name().to_bytes().to_owned();
        if name != b"." && name != b".." {
            names.push(name);
        }
    }
    Ok(names)
}
