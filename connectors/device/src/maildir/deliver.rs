//! A message on its way in: written in `tmp` to its end, then named.

use super::{Maildir, Room};
use crate::atomic::{self, NEW};
use crate::beneath::{self, refused};
use crate::scan::Stamp;
use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags, Timespec, Timestamps, UTIME_OMIT};
use std::io::Read;
use twofold_model::blob::open_to_send;
use twofold_model::{BlobId, Error, ErrorKind, Result};

/// So many bytes are in memory at once.
const CHUNK: u64 = 64 * 1024;

impl Room<'_> {
    /// Writes a blob under a temporary name in `tmp`, with the time at which the message was received. Answers name and size. On failure
    /// nothing is left.
    pub(super) fn write_blob(
        &self,
        maildir: &Maildir,
        blob: &BlobId,
        received_ms: Option<i64>,
    ) -> Result<(String, u64)> {
        let mut source = open_to_send(self.blobs, blob)?;
        self.write_temp(maildir, source.as_mut(), received_ms.map(|ms| ms.saturating_mul(1_000_000)))
    }

    /// [`write_blob`](Self::write_blob) for bytes from elsewhere, received at that time in nanoseconds since 1970.
    pub(super) fn write_temp(
        &self,
        maildir: &Maildir,
        source: &mut dyn Read,
        received_ns: Option<i64>,
    ) -> Result<(String, u64)> {
        let name = self.device.temps.fresh();
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&maildir.tmp, &name, flags, Mode::RUSR | Mode::WUSR)
            .map_err(|e| refused(e, "writing a message"))?;
        let filled = self.fill(&file, source, received_ns);
        if filled.is_err() {
            atomic::discard(&maildir.tmp, &name);
        }
        Ok((name, filled?))
    }

    fn fill(&self, file: &OwnedFd, source: &mut dyn Read, received_ns: Option<i64>) -> Result<u64> {
        let failed = |errno| refused(errno, "writing a message");
        let mut chunk = Vec::new();
        let mut size = 0;
        loop {
            chunk.clear();
            (&mut *source).take(CHUNK).read_to_end(&mut chunk).map_err(|error| {
                Error::new(ErrorKind::Refused, "the bytes of the message cannot be read").with_source(error)
            })?;
            if chunk.is_empty() {
                break;
            }
            atomic::fill(file, &chunk).map_err(failed)?;
            size += chunk.len() as u64;
        }
        atomic::give(file, self.device.access.mode, self.device.access.group).map_err(failed)?;
        if let Some(at) = received_ns {
            let (seconds, rest) = (at.div_euclid(1_000_000_000), at.rem_euclid(1_000_000_000));
            let times = Timestamps {
                last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
                last_modification: Timespec { tv_sec: seconds, tv_nsec: rest },
            };
            rustix::fs::futimens(file, &times).map_err(failed)?;
        }
        Ok(size)
    }
}

/// Removes what a stopped run of ours left in a folder under a temporary name, where that is older than `before_ns`. What other programs write
/// there is theirs.
pub fn tidy(folder: &OwnedFd, before_ns: i64) -> rustix::io::Result<()> {
    let mut ours = Vec::new();
    super::listing::entries(folder, |name, _| {
        if let Ok(name) = std::str::from_utf8(name)
            && name.starts_with(NEW)
        {
            ours.push(name.to_owned());
        }
    })?;
    for name in ours {
        let Some(stat) = beneath::stat(folder, name.as_bytes())? else { continue };
        if Stamp::of(&stat).age_ns(before_ns) > 0 {
            atomic::discard(folder, &name);
        }
    }
    Ok(())
}
