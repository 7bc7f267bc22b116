//! Radicale's lock: whoever else works below its storage folder must hold a `flock` on `.Radicale.lock`, shared to read,
//! exclusive to write. Taken where that file exists beside or above the root; never made by us.

use crate::beneath;
use rustix::fd::OwnedFd;
use rustix::fs::{CWD, FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use std::path::Path;
use std::time::{Duration, Instant};
use twofold_model::{Error, ErrorKind, Result};

const LOCK_FILE: &str = ".Radicale.lock";

/// Radicale holds its lock for one request; longer than this is somebody else's trouble.
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(20);

/// What the lock is for.
#[derive(Clone, Copy)]
pub enum Purpose {
    /// Shared.
    Read,
    /// Alone.
    Write,
}

/// Held until dropped; empty where there is no Radicale.
#[derive(Default)]
pub struct Held {
    _locks: Vec<OwnedFd>,
}

/// Takes the lock, waiting a few seconds for it.
pub fn take(root: &Path, purpose: Purpose) -> Result<Held> {
    // The real path: the storage folder lies above where the files are, not above where a link to them is.
    let Ok(real) = root.canonicalize() else { return Ok(Held::default()) };
    let mut held = Held::default();
    for folder in real.ancestors() {
        let path = folder.join(LOCK_FILE);
        let open = |flags: OFlags| {
            rustix::fs::openat(CWD, &path, flags | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())
        };
        // Some network file systems want a lock file open for writing before they lock it alone.
        let file = match open(OFlags::RDWR) {
            Err(Errno::ACCESS | Errno::ROFS | Errno::PERM) => open(OFlags::RDONLY),
            other => other,
        };
        match file {
            Ok(file) => {
                wait_for(&file, purpose, &path)?;
                held._locks.push(file);
            }
            Err(Errno::NOENT | Errno::NOTDIR | Errno::ACCESS) => {}
            Err(errno) => return Err(beneath::refused(errno, format!("opening {}", path.display()))),
        }
    }
    Ok(held)
}

fn wait_for(file: &OwnedFd, purpose: Purpose, path: &Path) -> Result<()> {
    let operation = match purpose {
        Purpose::Read => FlockOperation::NonBlockingLockShared,
        Purpose::Write => FlockOperation::NonBlockingLockExclusive,
    };
    let start = Instant::now();
    loop {
        match rustix::fs::flock(file, operation) {
            Ok(()) => return Ok(()),
            Err(Errno::WOULDBLOCK | Errno::INTR) if start.elapsed() < PATIENCE => std::thread::sleep(PAUSE),
            Err(Errno::WOULDBLOCK | Errno::INTR) => {
                let message =
                    format!("{} is held by another program; nothing was changed, tried again later", path.display());
                return Err(Error::new(ErrorKind::Offline, message));
            }
            Err(errno) => return Err(beneath::refused(errno, format!("locking {}", path.display()))),
        }
    }
}
