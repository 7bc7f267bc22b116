//! A small disk of its own, to be filled.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A small disk; it is gone when this is dropped.
pub struct Small(pub PathBuf);

impl Small {
    /// One of that size (`64m`) at a path; none where this machine does not let us, unless `TWOFOLD_REQUIRE_MOUNT=1` insists on it.
    pub fn at(path: PathBuf, size: &str) -> Option<Small> {
        fs::create_dir_all(&path).unwrap();
        let options = format!("size={size},mode=0700");
        let done = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(&path).status();
        match done {
            Ok(status) if status.success() => Some(Small(path)),
            _ => {
                let is_required = std::env::var("TWOFOLD_REQUIRE_MOUNT").is_ok_and(|value| value == "1");
                assert!(!is_required, "a small disk is required, and cannot be mounted");
                eprintln!("no disk can be mounted here; this test did nothing");
                None
            }
        }
    }

    /// How many bytes are free.
    pub fn free(&self) -> u64 {
        let stat = rustix::fs::statvfs(&self.0).unwrap();
        stat.f_bavail * stat.f_frsize
    }

    /// Gives the disk another size.
    pub fn resize(&self, size: &str) {
        let options = format!("remount,size={size}");
        let done = Command::new("mount").args(["-o", &options]).arg(&self.0).status();
        assert!(done.unwrap().success());
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Fills a disk but for so many bytes.
pub fn fill(disk: &Path, leave: u64) -> PathBuf {
    let stat = rustix::fs::statvfs(disk).unwrap();
    let ballast = disk.join("ballast");
    let bytes = (stat.f_bavail * stat.f_frsize).saturating_sub(leave);
    fs::write(&ballast, vec![1; usize::try_from(bytes).unwrap()]).unwrap();
    ballast
}
