//! Dovecot's file `dovecot-keywords`, read, and extended under Dovecot's own lock.
//!
//! Dovecot writes the file while it holds `dovecot-uidlist.lock`, and replaces it by a rename; what it calls `dovecot-keywords.lock` is the new
//! file on its way, and no lock. It reads the file again only where its time in seconds moved on, so that is seen to.

use super::keywords::Table;
use super::{Room, dotlock};
use crate::atomic::{self, FileAccess};
use crate::beneath::{self, refused};
use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, Timespec, Timestamps};
use std::collections::BTreeSet;
use std::path::Path;
use twofold_model::email::keyword;
use twofold_model::{Error, ErrorKind, Result};

const FILE: &str = "dovecot-keywords";
/// What Dovecot locks while it writes the file.
const LOCKED: &str = "dovecot-uidlist";

/// The words behind a folder's letters.
pub fn read(folder: &OwnedFd) -> Result<Table> {
    let text = beneath::read_small(folder, FILE, Path::new("."))?;
    Ok(text.map(|text| Table::parse(&text)).unwrap_or_default())
}

impl Room<'_> {
    /// Gives words their letters, none that is `borne` by a file of the folder. Those that have one, and those for which there is none left,
    /// cost nothing. Fails with [`ErrorKind::Unknown`] where the file cannot be locked now; nothing was changed then.
    pub(super) fn add_words(
        &self,
        folder: &OwnedFd,
        words: &BTreeSet<String>,
        table: &mut Table,
        borne: impl Fn() -> Result<BTreeSet<u8>>,
    ) -> Result<()> {
        let lacks = |table: &Table, borne: &BTreeSet<u8>| {
            words.iter().any(|word| {
                keyword(word).is_some() && table.letter(word).is_none() && table.clone().add(word, borne).is_some()
            })
        };
        if !lacks(table, &BTreeSet::new()) {
            return Ok(());
        }
        let borne = borne()?;
        if !lacks(table, &borne) {
            return Ok(());
        }
        let unknown = |what: String| {
            let message = format!("keywords without a letter in {FILE} were not written: {what}; tried again later");
            Error::new(ErrorKind::Unknown, message)
        };
        let failed = |errno: rustix::io::Errno| unknown(std::io::Error::from(errno).to_string());
        let lock = dotlock::take(folder, LOCKED, self.device.now()).map_err(failed)?;
        let _lock = lock.ok_or_else(|| unknown("another program holds the lock".into()))?;
        *table = read(folder)?;
        if !lacks(table, &borne) {
            return Ok(());
        }
        for word in words {
            table.add(word, &borne);
        }
        let old = beneath::stat(folder, FILE.as_bytes()).map_err(failed)?;
        let access =
            old.as_ref().map_or(self.device.access, |old| FileAccess { mode: old.st_mode & 0o777, group: None });
        let temp = atomic::write_temp(folder, &self.device.temps, table.text(), access).map_err(failed)?;
        let put = || -> rustix::io::Result<()> {
            if let Some(old) = &old {
                let new = rustix::fs::statat(folder, &temp, AtFlags::SYMLINK_NOFOLLOW)?;
                if new.st_mtime <= old.st_mtime {
                    let at = Timespec { tv_sec: old.st_mtime + 1, tv_nsec: 0 };
                    let times = Timestamps { last_access: at, last_modification: at };
                    rustix::fs::utimensat(folder, &temp, &times, AtFlags::SYMLINK_NOFOLLOW)?;
                }
            }
            if self.device.options.is_durable {
                atomic::sync_file(folder, &temp)?;
            }
            rustix::fs::renameat(folder, &temp, folder, FILE)
        };
        put().map_err(|errno| {
            atomic::discard(folder, &temp);
            refused(errno, format!("writing {FILE}"))
        })
    }
}
