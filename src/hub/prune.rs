//! What may go at last: earlier versions, tombstones and decided conflicts whose time is over (promise 4, ENGINE 12 and 13).
//!
//! A version begins to *age* when it is replaced, or its item is buried ([`crate::items`]). What is still needed does not age.
//! This is the only file that deletes a version, and an item with what it said (a join hands all of one over to another). Whether a run may do it at all is for the cycle to say.
//! Bytes go with the last version that names them, after it: once the transaction is on the disk.

use crate::Hub;
use rusqlite::params;
use twofold_model::{BlobId, Result};

/// Versions looked at in one transaction.
const SLICE: i64 = 500;
/// When the store of blobs is next looked through for what nothing names, and from which part on.
pub const SWEEP: &str = "blob sweep";
const HOUR_MS: i64 = 3_600_000;
const WEEK_MS: i64 = 7 * 24 * HOUR_MS;

/// Versions that have aged for long enough, oldest first: key, item, the blob that it names, whether it is the last word of its
/// item, and whether it is still needed. That is, in the order of the lines: a living item shows it; a replica agreed to it; a conflict rests on it; its
/// item is not settled everywhere, about to be written, seen otherwise (held, perhaps) or in quarantine; a replica has not let
/// go of the buried item.
const AGED: &str = "
    SELECT v.id, v.item, iif(i.kind = 'mail', v.content ->> 'blobId', NULL), i.version = v.id,
           i.version = v.id AND i.buried IS NULL
           OR EXISTS (SELECT 1 FROM placements WHERE agreed = v.id)
           OR v.id IN (SELECT shown FROM conflicts UNION SELECT other FROM conflicts)
           OR v.item IN (SELECT item FROM todo UNION SELECT item FROM intents
                         UNION SELECT item FROM sightings WHERE item IS NOT NULL
                         UNION SELECT item FROM quarantine WHERE item IS NOT NULL)
           OR i.version = v.id AND EXISTS (SELECT 1 FROM placements WHERE item = v.item)
    FROM aging a JOIN versions v ON v.id = a.version JOIN items i ON i.id = v.item
    WHERE a.since > 0 AND a.since < ?1 ORDER BY a.since, a.version LIMIT ?2";

/// One row of [`AGED`].
struct Aged {
    version: i64,
    item: i64,
    blob: Option<BlobId>,
    is_last_word: bool,
    is_needed: bool,
}

impl Hub {
    /// What was replaced since the last run ages from now on. The latest moment that any run knows counts: a clock that was set
    /// back makes nothing older than it is. What a clock that ran ahead has dated later than that is dated anew.
    pub fn begin_aging(&mut self, now_ms: i64) -> Result<()> {
        let latest: Option<i64> = self.one("SELECT max(started) FROM runs", [], |row| row.get(0))?.flatten();
        let now_ms = latest.map_or(now_ms, |latest| latest.max(now_ms));
        self.run("UPDATE aging SET since = ?1 WHERE since = 0 OR since > ?1", [now_ms])
    }

    /// Whether there is anything that has aged since before `before_ms`.
    pub fn has_aged(&self, before_ms: i64) -> Result<bool> {
        let found = self.one(
            "SELECT EXISTS (SELECT 1 FROM aging WHERE since > 0 AND since < ?1)
                 OR EXISTS (SELECT 1 FROM conflicts WHERE resolved < ?1)",
            [before_ms],
            |row| row.get(0),
        )?;
        Ok(found.unwrap_or(false))
    }

    /// Whether our own clock moved by more than a week within the run, or from one run to the next within the last hour
    /// (ENGINE 13). A clock that is wrong at the start of a machine is put right in less time.
    pub fn clock_moved(&self, now_ms: i64) -> Result<bool> {
        let mut moments: Vec<i64> = self.all("SELECT started FROM runs ORDER BY id", [], |row| row.get(0))?;
        moments.push(now_ms);
        Ok(moments.windows(2).any(|pair| (pair[1] - pair[0]).abs() > WEEK_MS && (now_ms - pair[1]).abs() < HOUR_MS))
    }

    /// Lets go of what has aged since before `before_ms` and is not needed; what is needed begins to age anew at `now_ms`, so
    /// that no run looks at it again before its time. Returns how many versions went. `let_go` is handed the blobs that nothing
    /// names any more.
    pub fn prune(
        &mut self,
        before_ms: i64,
        now_ms: i64,
        mut let_go: impl FnMut(&mut Hub, &[BlobId]) -> Result<()>,
    ) -> Result<usize> {
        // What a conflict keeps was kept until now, so the decided ones go first.
        self.run("DELETE FROM conflicts WHERE resolved < ?1", [before_ms])?;
        let mut pruned = 0;
        while let Some((gone, blobs)) = self.prune_slice(before_ms, now_ms)? {
            pruned += gone;
            let unnamed = self.unnamed(blobs)?;
            let_go(self, &unnamed)?;
        }
        Ok(pruned)
    }

    /// One slice: how many versions went, and what blobs they named. `None` when nothing is left that has aged.
    ///
    /// Keeps promise 4: that a version is needed by nobody is read in the transaction that deletes it. A stop in between leaves
    /// the rest for the next run.
    fn prune_slice(&mut self, before_ms: i64, now_ms: i64) -> Result<Option<(usize, Vec<BlobId>)>> {
        self.atomically("prune", |hub| {
            let aged = hub.all(AGED, params![before_ms, SLICE], |row| {
                Ok(Aged {
                    version: row.get(0)?,
                    item: row.get(1)?,
                    blob: row.get_ref(2)?.as_str_or_null()?.and_then(BlobId::parse),
                    is_last_word: row.get(3)?,
                    is_needed: row.get(4)?,
                })
            })?;
            if aged.is_empty() {
                return Ok(None);
            }
            let (mut gone, mut blobs) = (0, Vec::new());
            for one in aged {
                // A tombstone goes last: with what it said last, when nothing else of its item is left.
                if one.is_needed || (one.is_last_word && hub.versions_of(one.item)?.len() > 1) {
                    hub.run("UPDATE aging SET since = ?2 WHERE version = ?1", params![one.version, now_ms])?;
                } else {
                    hub.delete_version(&one)?;
                    gone += 1;
                    blobs.extend(one.blob);
                }
            }
            Ok(Some((gone, blobs)))
        })
    }

    fn delete_version(&mut self, aged: &Aged) -> Result<()> {
        // A parent that is gone is none: its number may be given to another version one day.
        for parent in ["parent", "parent2"] {
            self.run(
                &format!("UPDATE versions SET {parent} = NULL WHERE item = ?1 AND {parent} = ?2"),
                params![aged.item, aged.version],
            )?;
        }
        self.run("DELETE FROM versions WHERE id = ?1", [aged.version])?;
        if aged.is_last_word {
            self.run("DELETE FROM withheld WHERE item = ?1", [aged.item])?;
            self.run("DELETE FROM former_marks WHERE item = ?1", [aged.item])?;
            self.run("DELETE FROM items WHERE id = ?1", [aged.item])?;
        }
        Ok(())
    }

    /// Who has not let go yet of what is buried: the replica's name, how many items. Their tombstones stay until it has.
    pub fn tombstone_holders(&self) -> Result<Vec<(String, usize)>> {
        self.all(
            "SELECT r.name, count(DISTINCT i.id) FROM items i JOIN placements p ON p.item = i.id JOIN replicas r ON r.id = p.replica
             WHERE i.buried IS NOT NULL GROUP BY r.id ORDER BY r.name",
            [],
            |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs() as usize)),
        )
    }
}
