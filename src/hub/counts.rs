//! How many items a replica holds and lacks, and how many bytes they have: what people are shown of it.

use crate::Hub;
use rusqlite::params;
use std::collections::{HashMap, HashSet};
use twofold_model::{Kind, Result};

/// How much there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// Copies in one collection, or items of a whole replica.
    pub items: usize,
    /// Their bytes, as their renderings say, else as the first place that had them said; 0 for kinds whose bytes are in the rendering.
    pub bytes: u64,
}

/// What a replica holds of a kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holdings {
    /// By collection: a message with two labels is there twice.
    pub collections: HashMap<i64, Amount>,
    /// In all: each item once, however many copies of it stand there.
    pub whole: Amount,
}

/// What was seen at a replica, and whose bytes are still to be asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lacking {
    /// Copies by collection.
    pub collections: HashMap<i64, usize>,
    /// Messages in all: each once, because each is read once.
    pub messages: usize,
    /// Those of them that the hub holds nothing of.
    pub new: usize,
}

impl Hub {
    /// What a replica holds of a kind. Reads each of its copies.
    pub fn holdings(&self, replica: i64, kind: Kind) -> Result<Holdings> {
        // The rendering of a message is a sheet, JSON; that of others may be anything.
        let size = match kind {
            Kind::Mail => "iif(json_valid(CAST(p.seen AS TEXT)), json_extract(CAST(p.seen AS TEXT), '$.size'), 0)",
            _ => "0",
        };
        let rows: Vec<(i64, i64, i64)> = self.all(
            &format!(
                "SELECT p.item, p.collection, coalesce({size}, i.size, 0) FROM placements p JOIN items i ON i.id = p.item
                 WHERE p.replica = ?1 AND i.kind = ?2"
            ),
            params![replica, kind.as_str()],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )?;
        let mut held = Holdings::default();
        let mut met = HashSet::new();
        for (item, collection, bytes) in rows {
            held.collections.entry(collection).or_default().add(bytes);
            if met.insert(item) {
                held.whole.add(bytes);
            }
        }
        Ok(held)
    }

    /// What a replica lacks the bytes of.
    pub fn lacking_of(&self, replica: i64) -> Result<Lacking> {
        let rows: Vec<(i64, bool, String)> = self.all(
            "SELECT collection, item IS NULL, coalesce(uid, remote_id) FROM sightings
             WHERE replica = ?1 AND lacks > 0 AND gone = 0",
            [replica],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )?;
        let mut lacking = Lacking::default();
        let mut met = HashSet::new();
        for (collection, is_new, message) in rows {
            *lacking.collections.entry(collection).or_default() += 1;
            if met.insert(message) {
                lacking.messages += 1;
                lacking.new += usize::from(is_new);
            }
        }
        Ok(lacking)
    }

    /// How many copies stand at a replica, by collection.
    pub fn copies_by_collection(&self, replica: i64) -> Result<HashMap<i64, usize>> {
        let rows: Vec<(i64, i64)> = self.all(
            "SELECT collection, count(*) FROM placements WHERE replica = ?1 GROUP BY collection",
            [replica],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        Ok(rows.into_iter().map(|(collection, copies)| (collection, usize::try_from(copies).unwrap_or(0))).collect())
    }

    /// How many items wait in quarantine at a replica.
    pub fn count_quarantined(&self, replica: i64) -> Result<usize> {
        self.count("SELECT count(*) FROM quarantine WHERE replica = ?1", [replica])
    }

    /// How many items a replica cannot hold.
    pub fn count_withheld(&self, replica: i64) -> Result<usize> {
        self.count("SELECT count(DISTINCT item) FROM withheld WHERE replica = ?1", [replica])
    }

    /// How many messages a replica lacks the bytes of, each once.
    pub fn lacking_messages(&self, replica: i64) -> Result<usize> {
        self.count(
            "SELECT count(DISTINCT coalesce(uid, remote_id)) FROM sightings WHERE replica = ?1 AND lacks > 0 AND gone = 0",
            [replica],
        )
    }
}

impl Amount {
    fn add(&mut self, bytes: i64) {
        self.items += 1;
        self.bytes += bytes.unsigned_abs();
    }
}
