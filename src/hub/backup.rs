//! A copy of the hub as it is now, and what of it lies elsewhere: the names of all blobs that it needs.

use crate::blobs::named_in;
use crate::prune::SWEEP;
use crate::{Hub, Store, broken, check_private};
use rusqlite::{Connection, OpenFlags};
use std::collections::HashSet;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use twofold_model::{BlobId, Error, ErrorKind, Kind, RemoteId, Result};

impl Hub {
    /// Copies the hub of a state folder into a new file (0600) as it is at one moment, beside whoever works on it: no lock is needed, nobody
    /// waits, and what is written meanwhile is not in the copy.
    ///
    /// # Errors
    /// Where there is no hub, or the copy cannot be written; what there is of it then is no hub.
    pub fn copy(dir: &Path, to: &Path) -> Result<()> {
        let path = dir.join("hub.sqlite");
        check_private(&path)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&path, flags).store()?;
        connection.execute_batch("PRAGMA busy_timeout = 5000").store()?;
        let failed = |error: std::io::Error| {
            Error::new(ErrorKind::Broken, format!("cannot write {}: {error}", to.display())).with_source(error)
        };
        // VACUUM INTO takes an empty file, which can be made private first.
        OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(to).map_err(failed)?;
        let copied = connection.execute("VACUUM INTO ?1", [to.display().to_string()]);
        copied.map(drop).map_err(|error| match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull | rusqlite::ErrorCode::SystemIoFailure) => {
                let words = format!("a copy of the hub cannot be written to {} ({error})", to.display());
                Error::new(ErrorKind::Broken, words).with_source(error)
            }
            _ => broken(error),
        })
    }

    /// Hands over each blob that the hub needs, once: what versions and copies name, and what is seen and not settled, about to be written,
    /// in quarantine, or brought by somebody.
    pub fn each_blob(&self, mut each: impl FnMut(&BlobId) -> Result<()>) -> Result<()> {
        let mut unsettled = HashSet::new();
        let mut statement = self.connection.prepare_cached(crate::blobs::UNSETTLED).store()?;
        let mut rows = statement.query([]).store()?;
        while let Some(row) = rows.next().store()? {
            unsettled.extend(row.get_ref(0).store()?.as_bytes().ok().and_then(named_in));
        }
        drop(rows);
        self.each_named_blob(|blob| {
            unsettled.remove(blob);
            each(blob)
        })?;
        unsettled.iter().try_for_each(each)
    }

    /// What the hub knows is an old copy (ENGINE 22): every feed of every replica is listed in full and compared by the next run, and until
    /// what is gone there is answered, it is held ([`Hub::restored`]). The bytes of messages that came since that copy are named by nothing
    /// until then: no sweep is due that was when the copy was made.
    pub fn note_restored(&mut self) -> Result<()> {
        self.atomically("note a restored hub", |hub| {
            hub.run("DELETE FROM feeds", [])?;
            hub.run("DELETE FROM listed", [])?;
            hub.run("DELETE FROM meta WHERE key = ?1", [SWEEP])?;
            hub.run(
                "INSERT INTO meta SELECT DISTINCT 'restored ' || p.replica || ' ' || c.kind, 'yes'
                 FROM places p JOIN collections c ON c.id = p.collection
                 WHERE true ON CONFLICT DO UPDATE SET value = excluded.value",
                [],
            )
        })
    }

    /// What of a kind at a replica may be gone only because the hub is an old copy. `None` once all of that was answered.
    pub fn restored(&self, replica: i64, kind: Kind) -> Result<Option<Restored>> {
        let Some(text) = self.meta(&restored(replica, kind))? else { return Ok(None) };
        Ok(Some(serde_json::from_str(&text).map_or(Restored::Uncompared, Restored::Asked)))
    }

    /// It was compared in full, and these copies are still asked for.
    pub fn set_restored(&mut self, replica: i64, kind: Kind, asked: &[RemoteId]) -> Result<()> {
        let key = restored(replica, kind);
        match asked {
            [] => self.run("DELETE FROM meta WHERE key = ?1", [key]),
            _ => {
                let names = serde_json::Value::from_iter(asked.iter().map(RemoteId::as_str));
                self.set_meta(&key, &names.to_string())
            }
        }
    }
}

/// How far a kind at a replica was compared since the hub was found to be an old copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Restored {
    /// Not in full: whatever is gone there may be gone since the copy was made.
    Uncompared,
    /// In full, and of these it is not known yet whether they are gone.
    Asked(Vec<RemoteId>),
}

fn restored(replica: i64, kind: Kind) -> String {
    format!("restored {replica} {kind}")
}
