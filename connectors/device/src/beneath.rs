//! The door to the disk: opening and reading what lies beneath the root, one name at a time and never through a symbolic
//! link, and what a refusal of the kernel means to the caller.

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use std::path::Path;
use twofold_model::{Error, ErrorKind, Result};

/// What is larger is no card: it is named and left alone.
pub const LARGEST_FILE: u64 = 16 * 1024 * 1024;

/// How often a file that changes while it is read is tried at once.
const READS: usize = 3;

/// What the kernel's refusal means. `doing` names what was tried and where.
pub fn refused(errno: Errno, doing: impl std::fmt::Display) -> Error {
    let kind = match errno {
        Errno::NOSPC | Errno::DQUOT | Errno::FBIG => {
            let message =
                format!("disk full: {doing} did not succeed, nothing was changed. Free some space, then: twofold sync");
            return Error::new(ErrorKind::Offline, message).with_source(errno);
        }
        errno if is_denied(errno) => ErrorKind::Forbidden,
        // A name of the path is a symbolic link, or no folder where a folder should be.
        Errno::LOOP | Errno::NOTDIR => ErrorKind::Forbidden,
        Errno::NOENT => ErrorKind::NotFound,
        Errno::NAMETOOLONG | Errno::INVAL | Errno::ILSEQ => ErrorKind::Refused,
        _ => ErrorKind::Offline,
    };
    let word = std::io::Error::from(errno);
    Error::new(kind, format!("{doing}: {word}")).with_source(errno)
}

/// Whether the kernel denies a right, or the file system may only be read.
pub fn is_denied(errno: Errno) -> bool {
    matches!(errno, Errno::ACCESS | Errno::PERM | Errno::ROFS)
}

/// Opens the root itself. The one path that may hold symbolic links: the person who configured it chose it.
pub fn open_root(path: &Path) -> rustix::io::Result<OwnedFd> {
    rustix::fs::openat(CWD, path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

/// Where homes are: `systemd.exec(5)`, `ProtectHome=`.
const HOMES: [&str; 3] = ["/home", "/root", "/run/user"];

/// Whether a path lies where homes are, which a unit's `ProtectHome=yes` hides.
pub fn is_of_home(path: &Path) -> bool {
    HOMES.iter().any(|home| path.starts_with(home))
}

/// The folder in which a path of a home would be made, if that is in memory: nobody wants a home's folder to be, and a sandbox puts such in the
/// place of homes.
pub fn memory_above(path: &Path) -> Option<&Path> {
    is_of_home(path).then(|| nearest(path)).flatten().filter(|there| is_memory(there))
}

/// What is there of the way to a path.
fn nearest(path: &Path) -> Option<&Path> {
    path.ancestors().skip(1).find(|above| above.exists())
}

/// tmpfs and ramfs, by their numbers in `statfs(2)`.
fn is_memory(path: &Path) -> bool {
    rustix::fs::statfs(path).is_ok_and(|stat| [0x0102_1994, 0x8584_58f6].contains(&(stat.f_type & 0xffff_ffff)))
}

/// Opens a folder that lies right beneath another.
pub fn open_folder(parent: impl AsFd, name: &[u8]) -> rustix::io::Result<OwnedFd> {
    rustix::fs::openat(
        parent,
        name,
        OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC,
        Mode::empty(),
    )
}

/// The stamps of a name, links not followed; nothing where there is no such name.
pub fn stat(folder: impl AsFd, name: &[u8]) -> rustix::io::Result<Option<Stat>> {
    match rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(stat)),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// What a file says that is not a file.
pub fn oddity(stat: &Stat) -> Option<&'static str> {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => None,
        FileType::Symlink => Some("is a symbolic link, which is not followed"),
        FileType::Directory => Some("is a folder, not a file"),
        _ => Some("is not an ordinary file"),
    }
}

/// What stands under a name.
pub enum Look {
    /// Nothing.
    Absent,
    /// Something that is not read, and why.
    Odd(String),
    /// A file that changed each time while it was read.
    Unsteady,
    /// A file, whole, with the stamps it had before and after reading.
    File(Vec<u8>, Stat),
}

/// Reads a file, provided that it does not change meanwhile.
pub fn look(folder: impl AsFd, name: &[u8]) -> rustix::io::Result<Look> {
    let folder = folder.as_fd();
    for _ in 0..READS {
        // NONBLOCK: a pipe of that name must not stop the program.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match rustix::fs::openat(folder, name, flags, Mode::empty()) {
            Ok(file) => file,
            Err(Errno::NOENT) => return Ok(Look::Absent),
            Err(Errno::LOOP) => return Ok(Look::Odd("is a symbolic link, which is not followed".into())),
            Err(Errno::NXIO) => return Ok(Look::Odd("is not an ordinary file".into())),
            Err(errno) => return Err(errno),
        };
        let before = rustix::fs::fstat(&file)?;
        if let Some(oddity) = oddity(&before) {
            return Ok(Look::Odd(oddity.into()));
        }
        let size = u64::try_from(before.st_size).unwrap_or_default();
        if size > LARGEST_FILE {
            return Ok(Look::Odd(format!("is {size} bytes long; more than {LARGEST_FILE} are not read")));
        }
        // One byte more than promised, to notice a file that grows.
        let mut bytes = vec![0; usize::try_from(size).unwrap_or_default() + 1];
        let mut filled = 0;
        while filled < bytes.len() {
            match rustix::io::read(&file, &mut bytes[filled..]) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno),
            }
        }
        bytes.truncate(filled);
        let after = rustix::fs::fstat(&file)?;
        if is_same_state(&before, &after) && bytes.len() as u64 == size {
            return Ok(Look::File(bytes, after));
        }
    }
    Ok(Look::Unsteady)
}

/// Whether two stamps of one file show the same state. Reading moves none of these.
fn is_same_state(a: &Stat, b: &Stat) -> bool {
    (a.st_size, a.st_mtime, a.st_mtime_nsec, a.st_ctime, a.st_ctime_nsec, a.st_ino)
        == (b.st_size, b.st_mtime, b.st_mtime_nsec, b.st_ctime, b.st_ctime_nsec, b.st_ino)
}

/// Reads a small file of ours or of vdir's (marker, `displayname`, `color`); nothing where there is none.
pub fn read_small(folder: impl AsFd, name: &str, path: &Path) -> Result<Option<Vec<u8>>> {
    match look(folder, name.as_bytes()) {
        Ok(Look::File(bytes, _)) => Ok(Some(bytes)),
        Ok(Look::Absent) => Ok(None),
        Ok(Look::Odd(why)) => Err(Error::new(ErrorKind::Held, format!("{}/{name} {why}", path.display()))),
        Ok(Look::Unsteady) => {
            Err(Error::new(ErrorKind::Offline, format!("{}/{name} changes while it is read", path.display())))
        }
        Err(errno) => Err(refused(errno, format!("reading {}/{name}", path.display()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_would_be_in_memory_is_told_from_one_on_a_disk() {
        let of = |path: &'static str| nearest(Path::new(path)).map(|there| (there.to_str().unwrap(), is_memory(there)));
        assert_eq!(of("/proc/twofold/contacts"), Some(("/proc", false)));
        if Path::new("/dev/shm").exists() {
            assert_eq!(of("/dev/shm/twofold/contacts"), Some(("/dev/shm", true)));
        }
        assert_eq!(memory_above(Path::new("/dev/shm/twofold")), None, "no home, and somebody chose it");
    }
}
