//! Dovecot's way to lock a file: a file `NAME.lock` beside it, made by whoever makes it first, which says process and host.

use crate::beneath::{self, Look};
use crate::{atomic, scan::Stamp};
use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;
use rustix::process::Pid;
use std::time::{Duration, Instant};

/// Dovecot holds its locks for one change; longer than this is somebody else's trouble.
const PATIENCE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(20);

/// The lock of a process of this host that ended is no lock once it is so old: Dovecot does not wait for it either.
const STALE_NS: i64 = 600 * 1_000_000_000;

/// Held until dropped.
pub struct Dotlock<'a> {
    folder: &'a OwnedFd,
    name: String,
    inode: u64,
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
    loop {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match rustix::fs::openat(folder, &name, flags, Mode::RUSR | Mode::WUSR) {
            Ok(file) => {
                let inode = Stamp::of(&rustix::fs::fstat(&file)?).inode;
                let lock = Dotlock { folder, name, inode };
                atomic::fill(&file, format!("{}:{}", std::process::id(), host()).as_bytes())?;
                return Ok(Some(lock));
            }
            Err(Errno::EXIST) => {}
            Err(errno) => return Err(errno),
        }
        if is_stale(folder, &name, now_ns)? {
            rustix::fs::unlinkat(folder, &name, AtFlags::empty())?;
        } else if start.elapsed() >= patience {
            return Ok(None);
        } else {
            std::thread::sleep(PAUSE);
        }
    }
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
        let is_ours = beneath::stat(self.folder, self.name.as_bytes())
            .is_ok_and(|stat| stat.is_some_and(|stat| Stamp::of(&stat).inode == self.inode));
        if is_ours {
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
