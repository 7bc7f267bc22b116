//! Dovecot's way to lock a file: a file `NAME.lock` beside it, made by whoever makes it first, which says process and host.
//!
//! Ours is a second name of a file `NAME.twofold`, which is locked (`flock`) as long as its process lives. So one that a killed process left
//! behind is known as ours and is taken at once, whatever process has that number by now. Dovecot makes its own by a second name too, and
//! reads in it what it expects.

use crate::beneath::{self, Look};
use crate::{atomic, scan::Stamp};
use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use rustix::process::Pid;
use std::time::{Duration, Instant};

/// Dovecot holds its locks for one change; longer than this is somebody else's trouble.
const PATIENCE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(20);

/// The lock of a process of this host that ended is no lock once it is so old: where hosts of one name share a folder, the process may be
/// another one's.
const STALE_NS: i64 = 600 * 1_000_000_000;

/// Held until dropped.
pub struct Dotlock<'a> {
    folder: &'a OwnedFd,
    name: String,
    inode: u64,
    /// The file that it is a second name of, where the file system has such.
    _own: Option<Own<'a>>,
}

/// The file that a lock of ours is a second name of, locked.
struct Own<'a> {
    folder: &'a OwnedFd,
    name: String,
    file: OwnedFd,
}

/// Takes the lock on `of`; nothing where somebody else holds it for longer than we wait.
pub fn take<'a>(folder: &'a OwnedFd, of: &str, now_ns: i64) -> rustix::io::Result<Option<Dotlock<'a>>> {
    take_within(folder, of, now_ns, PATIENCE)
}

fn take_within<'a>(
    folder: &'a OwnedFd,
    of: &str,
    now_ns: i64,
    patience: Duration,
) -> rustix::io::Result<Option<Dotlock<'a>>> {
    let name = format!("{of}.lock");
    let start = Instant::now();
    let mut own = None;
    loop {
        if own.is_none() {
            own = Own::take(folder, &format!("{of}.twofold"))?;
        }
        if let Some(it) = &own {
            match it.link(&name) {
                Ok(inode) => return Ok(Some(Dotlock { folder, name, inode, _own: own })),
                Err(Errno::EXIST) if it.is_left_behind(&name)? => {
                    atomic::discard(folder, &name);
                    continue;
                }
                Err(Errno::EXIST) => {}
                Err(Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS | Errno::MLINK) => {
                    if let Some(inode) = make(folder, &name)? {
                        return Ok(Some(Dotlock { folder, name, inode, _own: own }));
                    }
                }
                Err(errno) => return Err(errno),
            }
            if is_stale(folder, &name, now_ns)? {
                rustix::fs::unlinkat(folder, &name, AtFlags::empty())?;
                continue;
            }
        }
        if start.elapsed() >= patience {
            return Ok(None);
        }
        std::thread::sleep(PAUSE);
    }
}

/// Makes the lock as a file of its own; nothing where it is there.
fn make(folder: &OwnedFd, name: &str) -> rustix::io::Result<Option<u64>> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match rustix::fs::openat(folder, name, flags, Mode::RUSR | Mode::WUSR) {
        Ok(file) => {
            let filled = atomic::fill(&file, holder().as_bytes()).and_then(|()| rustix::fs::fstat(&file));
            filled.map(|stat| Some(Stamp::of(&stat).inode)).inspect_err(|_| atomic::discard(folder, name))
        }
        Err(Errno::EXIST) => Ok(None),
        Err(errno) => Err(errno),
    }
}

impl<'a> Own<'a> {
    /// Nothing where another process of ours has it.
    fn take(folder: &'a OwnedFd, name: &str) -> rustix::io::Result<Option<Own<'a>>> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(folder, name, flags, Mode::RUSR | Mode::WUSR)?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Ok(None),
            Err(errno) => return Err(errno),
        }
        // Only who has it locked takes its name away: where it has none by now, that was done before it was locked here.
        let is_it = inode_of(folder, name)? == Some(Stamp::of(&rustix::fs::fstat(&file)?).inode);
        Ok(is_it.then(|| Own { folder, name: name.to_owned(), file }))
    }

    /// Gives it its second name, and answers its inode.
    fn link(&self, name: &str) -> rustix::io::Result<u64> {
        if self.is_left_behind(name)? {
            return Err(Errno::EXIST);
        }
        rustix::fs::ftruncate(&self.file, 0)?;
        rustix::fs::seek(&self.file, rustix::fs::SeekFrom::Start(0))?;
        atomic::fill(&self.file, holder().as_bytes())?;
        rustix::fs::linkat(self.folder, &self.name, self.folder, name, AtFlags::empty())?;
        rustix::fs::fstat(&self.file).map(|stat| Stamp::of(&stat).inode)
    }

    /// Whether that lock is one of ours whose process was killed: it is this file, and nobody had it locked.
    fn is_left_behind(&self, name: &str) -> rustix::io::Result<bool> {
        Ok(inode_of(self.folder, name)? == Some(Stamp::of(&rustix::fs::fstat(&self.file)?).inode))
    }
}

impl Drop for Own<'_> {
    fn drop(&mut self) {
        atomic::discard(self.folder, &self.name);
    }
}

fn inode_of(folder: &OwnedFd, name: &str) -> rustix::io::Result<Option<u64>> {
    Ok(beneath::stat(folder, name.as_bytes())?.map(|stat| Stamp::of(&stat).inode))
}

/// What a lock says: this process, and this host.
fn holder() -> String {
    format!("{}:{}", std::process::id(), host())
}

fn is_stale(folder: &OwnedFd, name: &str, now_ns: i64) -> rustix::io::Result<bool> {
    let Look::File(text, stat) = beneath::look(folder, name.as_bytes())? else { return Ok(false) };
    let text = String::from_utf8_lossy(&text).into_owned();
    let Some((process, at)) = text.trim_end().split_once(':') else { return Ok(false) };
    let is_ended = || {
        let pid = process.parse().ok().and_then(Pid::from_raw);
        pid.is_some_and(|pid| rustix::process::test_kill_process(pid) == Err(Errno::SRCH))
    };
    Ok(at == host() && Stamp::of(&stat).age_ns(now_ns) > STALE_NS && is_ended())
}

fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "localhost".to_owned() } else { name.to_owned() }
}

impl Drop for Dotlock<'_> {
    fn drop(&mut self) {
        // Somebody may have taken it from us.
        if inode_of(self.folder, &self.name) == Ok(Some(self.inode)) {
            atomic::discard(self.folder, &self.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::beneath::open_root;

    fn try_take<'a>(folder: &'a OwnedFd, of: &str, now_ns: i64) -> rustix::io::Result<Option<Dotlock<'a>>> {
        take_within(folder, of, now_ns, Duration::ZERO)
    }

    #[test]
    fn one_at_a_time_and_a_lock_of_somebody_alive_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let folder = open_root(dir.path()).unwrap();
        let far = crate::now_ns() + 10 * STALE_NS;
        let first = try_take(&folder, "x", far).unwrap().unwrap();
        let path = dir.path().join("x.lock");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{}:{}", std::process::id(), host()));
        assert!(try_take(&folder, "x", far).unwrap().is_none(), "this process is alive");
        drop(first);
        assert!(!path.exists());
        assert!(try_take(&folder, "x", far).unwrap().is_some());
    }

    #[test]
    fn the_lock_of_a_process_that_ended_is_taken_once_it_is_old() {
        let dir = tempfile::tempdir().unwrap();
        let folder = open_root(dir.path()).unwrap();
        let mut ended = std::process::Command::new("true").spawn().unwrap();
        ended.wait().unwrap();
        let path = dir.path().join("x.lock");
        std::fs::write(&path, format!("{}:{}", ended.id(), host())).unwrap();
        assert!(try_take(&folder, "x", crate::now_ns()).unwrap().is_none(), "young");
        assert!(try_take(&folder, "x", crate::now_ns() + 2 * STALE_NS).unwrap().is_some());
        std::fs::write(&path, format!("{}:elsewhere.example", ended.id())).unwrap();
        assert!(try_take(&folder, "x", crate::now_ns() + 2 * STALE_NS).unwrap().is_none(), "of another host");
        assert!(path.exists());
    }

    #[test]
    fn a_lock_that_a_killed_process_of_ours_left_is_taken_at_once_whoever_has_its_number_now() {
        let dir = tempfile::tempdir().unwrap();
        let folder = open_root(dir.path()).unwrap();
        let names = || std::fs::read_dir(dir.path()).unwrap().count();
        // A kill closes what was open and takes no name away.
        let killed = try_take(&folder, "x", crate::now_ns()).unwrap().unwrap();
        let copy = rustix::io::dup(&killed._own.as_ref().unwrap().file).unwrap();
        std::mem::forget(killed);
        assert!(try_take(&folder, "x", crate::now_ns()).unwrap().is_none(), "its process is alive");
        rustix::fs::flock(&copy, FlockOperation::Unlock).unwrap();
        assert_eq!(names(), 2);
        // It says the number of this process, which is alive.
        let lock = try_take(&folder, "x", crate::now_ns()).unwrap().unwrap();
        let text = std::fs::read_to_string(dir.path().join("x.lock")).unwrap();
        assert_eq!(text, format!("{}:{}", std::process::id(), host()), "what Dovecot reads");
        drop(lock);
        assert_eq!(names(), 0);
        // Killed before it locked anything, or after it let go.
        std::fs::write(dir.path().join("x.twofold"), "a longer text than that of a lock, of a process that was killed")
            .unwrap();
        let lock = try_take(&folder, "x", crate::now_ns()).unwrap().unwrap();
        assert_eq!(std::fs::read_to_string(dir.path().join("x.lock")).unwrap(), text);
        drop(lock);
        assert_eq!(names(), 0);
    }

    #[test]
    fn a_lock_of_dovecots_is_not_taken_for_one_that_we_left() {
        let dir = tempfile::tempdir().unwrap();
        let folder = open_root(dir.path()).unwrap();
        std::fs::write(dir.path().join("x.twofold"), "1:x").unwrap();
        std::fs::write(dir.path().join("x.lock"), format!("{}:{}", std::process::id(), host())).unwrap();
        assert!(try_take(&folder, "x", crate::now_ns()).unwrap().is_none());
        assert!(dir.path().join("x.lock").exists() && !dir.path().join("x.twofold").exists());
    }

    #[test]
    fn a_lock_that_somebody_took_from_us_is_theirs() {
        let dir = tempfile::tempdir().unwrap();
        let folder = open_root(dir.path()).unwrap();
        let lock = try_take(&folder, "x", crate::now_ns()).unwrap().unwrap();
        let path = dir.path().join("x.lock");
        // The old file stays until the new one is there, so that the inode is another one.
        std::fs::write(dir.path().join("theirs"), "theirs").unwrap();
        std::fs::rename(dir.path().join("theirs"), &path).unwrap();
        drop(lock);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "theirs");
    }
}
