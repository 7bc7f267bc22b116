//! A limit on requests at a time that several processes on a machine keep together: a file for each slot, locked while a request is under
//! way. The kernel lets go of the locks of a process that dies.
//!
//! Whoever wants slots waits for its turn first, in the order in which they came (a lock on which the kernel wakes them); whose turn it is
//! takes the slots that become free, until it has as many as it needs. So nobody holds some and waits for others that wait for it, and
//! nobody but the one whose turn it is looks more than once.

use rustix::fs::{FlockOperation, Mode, OFlags, flock};
use rustix::io::Errno;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;
use twofold_model::{Error, ErrorKind, Result};

/// How long whose turn it is waits before it looks again; longer each time…
const FIRST_WAIT: Duration = Duration::from_millis(2);
/// …but never longer than this.
const LONGEST_WAIT: Duration = Duration::from_millis(50);

/// The slots that all processes have together which name the same folder and the same name.
#[derive(Debug)]
pub struct Shared {
    turn: PathBuf,
    slots: Vec<PathBuf>,
}

/// Slots that were taken; given back when dropped.
#[derive(Debug)]
pub(crate) struct Taken {
    _locks: Vec<File>,
}

impl Shared {
    /// So many slots in a folder that is there; the files are made where they are not. `name` says whose limit it is.
    ///
    /// # Errors
    /// Where the folder is not there, or may not be used by this user.
    pub fn in_folder(folder: &Path, name: &str, slots: u32) -> Result<Shared> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let name: String = name.chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
        let at = |end: &str| folder.join(format!("{name}.{end}"));
        let shared = Shared { turn: at("turn"), slots: (0..slots.max(1)).map(|slot| at(&slot.to_string())).collect() };
        for path in shared.slots.iter().chain([&shared.turn]) {
            open(path).map_err(|errno| unusable(path, errno))?;
        }
        Ok(shared)
    }

    /// Waits until so many slots (all at most) are this request's.
    pub(crate) async fn take(&self, many: u32) -> Result<Taken> {
        let turn = open(&self.turn).map_err(|errno| unusable(&self.turn, errno))?;
        // The kernel wakes whoever waits, which blocks a thread. A request that is given up meanwhile lets go of its turn with the file.
        let waited =
            tokio::task::spawn_blocking(move || lock(&turn, FlockOperation::LockExclusive).map(|()| turn)).await;
        let _turn = match waited {
            Ok(Ok(turn)) => turn,
            Ok(Err(errno)) => return Err(unusable(&self.turn, errno)),
            Err(_) => return Err(Error::new(ErrorKind::Offline, "the program ends; nothing was sent")),
        };
        let wanted = usize::try_from(many).unwrap_or(usize::MAX).clamp(1, self.slots.len());
        let mut locks: Vec<(usize, File)> = Vec::with_capacity(wanted);
        let mut wait = FIRST_WAIT;
        loop {
            for (at, path) in self.slots.iter().enumerate() {
                if locks.len() == wanted {
                    break;
                }
                if locks.iter().any(|(taken, _)| *taken == at) {
                    continue;
                }
                let file = open(path).map_err(|errno| unusable(path, errno))?;
                match lock(&file, FlockOperation::NonBlockingLockExclusive) {
                    Ok(()) => locks.push((at, file)),
                    Err(Errno::WOULDBLOCK) => {}
                    Err(errno) => return Err(unusable(path, errno)),
                }
            }
            if locks.len() == wanted {
                return Ok(Taken { _locks: locks.into_iter().map(|(_, file)| file).collect() });
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 3 / 2).min(LONGEST_WAIT);
        }
    }
}

fn lock(file: &File, operation: FlockOperation) -> rustix::io::Result<()> {
    rustix::io::retry_on_intr(|| flock(file, operation))
}

/// Opens a file to be locked, which takes no right to write; the first who needs it makes it, readable for all who may enter the folder.
fn open(path: &Path) -> rustix::io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let readable = Mode::RUSR | Mode::WUSR | Mode::RGRP | Mode::ROTH;
    loop {
        match rustix::fs::open(path, flags, Mode::empty()) {
            Err(Errno::NOENT) => {}
            other => return other.map(File::from),
        }
        match rustix::fs::open(path, flags | OFlags::CREATE | OFlags::EXCL, readable) {
            Ok(file) => {
                // Whatever the umask of this user says.
                rustix::fs::fchmod(&file, readable)?;
                return Ok(File::from(file));
            }
            // Somebody else made it in this moment.
            Err(Errno::EXIST) => {}
            Err(errno) => return Err(errno),
        }
    }
}

fn unusable(path: &Path, errno: Errno) -> Error {
    let folder = path.parent().unwrap_or(path);
    let words = format!(
        "the shared limit cannot be kept: {}: {}; nothing was sent. All users who run twofold must be able to write to that folder: \
         echo 'd {} 1777 root root -' | sudo tee /etc/tmpfiles.d/twofold-limit.conf && sudo systemd-tmpfiles --create twofold-limit.conf && \
         sudo systemctl try-restart 'twofold*.service'",
        path.display(),
        std::io::Error::from(errno),
        folder.display()
    );
    Error::new(ErrorKind::Misconfigured, words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn never_more_are_under_way_than_there_are_slots_and_all_get_their_turn() {
        let dir = tempfile::tempdir().unwrap();
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let mut tasks = Vec::new();
        // Each has its own files open, as a process of its own has.
        for many in [1, 4, 2, 1, 3, 9, 1, 2] {
            let shared = Shared::in_folder(dir.path(), "an/app", 4).unwrap();
            let (now, most) = (now.clone(), most.clone());
            tasks.push(tokio::spawn(async move {
                for _ in 0..5 {
                    let taken = shared.take(many).await.unwrap();
                    let many = usize::try_from(many.min(4)).unwrap();
                    most.fetch_max(now.fetch_add(many, Ordering::SeqCst) + many, Ordering::SeqCst);
                    tokio::time::sleep(Duration::from_millis(3)).await;
                    now.fetch_sub(many, Ordering::SeqCst);
                    drop(taken);
                }
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(most.load(Ordering::SeqCst), 4);
        let mut names: Vec<_> = std::fs::read_dir(dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, ["an_app.0", "an_app.1", "an_app.2", "an_app.3", "an_app.turn"]);
    }

    #[tokio::test]
    async fn a_request_that_is_given_up_keeps_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let shared = Shared::in_folder(dir.path(), "app", 2).unwrap();
        let taken = shared.take(1).await.unwrap();
        let given_up = tokio::time::timeout(Duration::from_millis(50), shared.take(2)).await;
        assert!(given_up.is_err());
        drop(shared.take(1).await.unwrap());
        drop(taken);
        shared.take(2).await.unwrap();
    }

    #[test]
    fn a_folder_that_cannot_be_used_is_said_with_the_command_to_type() {
        let error = Shared::in_folder(Path::new("/nowhere/limit"), "app", 4).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Misconfigured);
        assert!(error.to_string().contains("d /nowhere/limit 1777 root root -"), "{error}");
    }
}
