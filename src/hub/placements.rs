//! Placements: the base pair of an item at a replica.

use crate::{Hub, Store, list};
use rusqlite::{Row, params};
use std::collections::HashSet;
use twofold_model::{Etag, Known, RemoteId, Rendering, Result, Seen};

/// One copy of an item at a replica, as last agreed.
#[derive(Clone, Debug, PartialEq)]
pub struct Placement {
    /// The hub's key.
    pub id: i64,
    /// The item.
    pub item: i64,
    /// The replica.
    pub replica: i64,
    /// The hub's collection.
    pub collection: i64,
    /// The replica's own name for the copy.
    pub remote_id: RemoteId,
    /// Mark of the state `seen`.
    pub etag: Etag,
    /// The version last sent or taken.
    pub agreed: i64,
    /// The server's stamp of `seen`.
    pub modified_ms: Option<i64>,
    /// The rendering that the replica answered.
    pub seen: Rendering,
}

/// Reads copies with the columns of a [`Placement`], in the order in which it is read: by number, because it is read for every item.
macro_rules! placements_where {
    ($condition:literal) => {
        concat!(
            "SELECT id, item, replica, collection, remote_id, etag, agreed, modified, seen FROM placements WHERE ",
            $condition
        )
    };
}

fn placement(row: &Row<'_>) -> rusqlite::Result<Placement> {
    Ok(Placement {
        id: row.get(0)?,
        item: row.get(1)?,
        replica: row.get(2)?,
        collection: row.get(3)?,
        remote_id: RemoteId(row.get(4)?),
        etag: Etag(row.get(5)?),
        agreed: row.get(6)?,
        modified_ms: row.get(7)?,
        seen: Rendering(row.get(8)?),
    })
}

/// A device's token says that a folder looks as the hub knows it. It falls with every change of what the hub knows: which copies, and
/// under which etags. (With a new copy it falls in [`Hub::add_placement`].)
pub(crate) const TRIGGERS: &str = "
    CREATE TRIGGER base_gone AFTER DELETE ON placements
        WHEN EXISTS (SELECT 1 FROM replicas WHERE id = OLD.replica AND is_device) BEGIN
        UPDATE feeds SET token = NULL WHERE replica = OLD.replica AND token IS NOT NULL
            AND feed = (SELECT remote_id FROM places WHERE collection = OLD.collection AND replica = OLD.replica);
    END;
    CREATE TRIGGER base_moved AFTER UPDATE OF replica, collection, remote_id, etag ON placements
        WHEN (OLD.etag <> NEW.etag OR OLD.remote_id <> NEW.remote_id OR OLD.collection <> NEW.collection OR OLD.replica <> NEW.replica)
            AND EXISTS (SELECT 1 FROM replicas WHERE id IN (OLD.replica, NEW.replica) AND is_device) BEGIN
        UPDATE feeds SET token = NULL WHERE replica = OLD.replica AND token IS NOT NULL
            AND feed = (SELECT remote_id FROM places WHERE collection = OLD.collection AND replica = OLD.replica);
        UPDATE feeds SET token = NULL WHERE replica = NEW.replica AND token IS NOT NULL
            AND feed = (SELECT remote_id FROM places WHERE collection = NEW.collection AND replica = NEW.replica);
    END;";

macro_rules! held_once {
    () => {
        "its account has the same message there already, and holds it once; what stands on devices stays"
    };
}

/// Why an item is kept from its account where that has its like: for the account the two are one message.
pub const HELD_ONCE: &str = held_once!();

macro_rules! like_leaves {
    ($what:literal) => {
        concat!(
            "CREATE TRIGGER ",
            $what,
            " BEGIN
                INSERT OR IGNORE INTO todo SELECT w.item FROM withheld w
                    CROSS JOIN items i ON i.id = w.item CROSS JOIN versions v ON v.id = i.version
                    CROSS JOIN items o ON o.id = OLD.item CROSS JOIN versions u ON u.id = o.version
                WHERE w.replica = OLD.replica AND w.collection = OLD.collection AND w.reason = '",
            held_once!(),
            "' AND v.content -> '$.messageId' = u.content -> '$.messageId';
            END;
            "
        )
    };
}

macro_rules! likes {
    () => {
        concat!(
            "CREATE INDEX withheld_once ON withheld (replica, collection) WHERE reason = '",
            held_once!(),
            "';
            ",
            like_leaves!("like_gone AFTER DELETE ON placements"),
            like_leaves!("like_moved AFTER UPDATE OF collection ON placements WHEN OLD.collection <> NEW.collection"),
        )
    };
}

/// Where a message leaves a collection of a replica, its like that was kept from there is weighed again ([`HELD_ONCE`]).
pub(crate) const LIKES: &str = likes!();

/// The step of the schema that brought [`LIKES`], and an index by which the newest messages are found where lists say no dates.
pub(crate) const LIKES_AND_NEWEST: &str = concat!(
    "DROP INDEX sightings_lacking;
     CREATE INDEX sightings_lacking ON sightings (replica, dated, length(uid), uid) WHERE lacks > 0;",
    likes!()
);

impl Hub {
    /// The copy of that name.
    pub fn placement(&self, replica: i64, remote_id: &RemoteId) -> Result<Option<Placement>> {
        self.one(placements_where!("replica = ?1 AND remote_id = ?2"), params![replica, remote_id.as_str()], placement)
    }

    /// All copies of an item.
    pub fn placements(&self, item: i64) -> Result<Vec<Placement>> {
        self.all(placements_where!("item = ?1 ORDER BY replica, collection"), [item], placement)
    }

    /// Sets the base of an item at a replica: what was agreed and what the replica showed for it.
    pub fn set_placement(&mut self, item: i64, replica: i64, collection: i64, agreed: i64, seen: &Seen) -> Result<()> {
        self.run(
            "DELETE FROM placements WHERE item = ?1 AND replica = ?2 AND collection = ?3 AND remote_id <> ?4",
            params![item, replica, collection, seen.remote_id.as_str()],
        )?;
        match self.update_placement(item, replica, collection, agreed, seen)? {
            0 => self.add_placement(item, replica, collection, agreed, seen),
            _ => Ok(()),
        }
    }

    /// [`Hub::set_placement`] for an item that has none there yet. The copy may have been that of another item.
    pub fn first_placement(
        &mut self,
        item: i64,
        replica: i64,
        collection: i64,
        agreed: i64,
        seen: &Seen,
    ) -> Result<()> {
        match self.placement(replica, &seen.remote_id)? {
            None => self.add_placement(item, replica, collection, agreed, seen),
            Some(_) => self.update_placement(item, replica, collection, agreed, seen).map(drop),
        }
    }

    fn update_placement(
        &mut self,
        item: i64,
        replica: i64,
        collection: i64,
        agreed: i64,
        seen: &Seen,
    ) -> Result<usize> {
        self.changes(
            "UPDATE placements SET item = ?1, collection = ?3, etag = ?5, agreed = ?6, modified = ?7, seen = ?8
             WHERE replica = ?2 AND remote_id = ?4",
            params![
                item,
                replica,
                collection,
                seen.remote_id.as_str(),
                seen.etag.as_str(),
                agreed,
                seen.modified_ms,
                seen.rendering.as_bytes()
            ],
        )
    }

    /// Those of the items that have a copy at a replica.
    pub fn placed(&self, replica: i64, items: &[i64]) -> Result<HashSet<i64>> {
        let placed = self.all(
            "SELECT item FROM placements INDEXED BY placements_by_item WHERE item IN (SELECT value FROM json_each(?1)) AND replica = ?2",
            params![list(items), replica],
            |row| row.get(0),
        )?;
        Ok(placed.into_iter().collect())
    }

    /// The first base of an item at a replica where it had none.
    pub fn add_placement(&mut self, item: i64, replica: i64, collection: i64, agreed: i64, seen: &Seen) -> Result<()> {
        self.run(
            "INSERT INTO placements (item, replica, collection, remote_id, etag, agreed, modified, seen)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            params![
                item,
                replica,
                collection,
                seen.remote_id.as_str(),
                seen.etag.as_str(),
                agreed,
                seen.modified_ms,
                seen.rendering.as_bytes()
            ],
        )?;
        // A trigger would make SQLite keep each page twice while it inserts.
        self.run(
            "UPDATE feeds SET token = NULL WHERE replica = ?1 AND token IS NOT NULL
               AND feed = (SELECT remote_id FROM places WHERE collection = ?2 AND replica = ?1)
               AND EXISTS (SELECT 1 FROM replicas WHERE id = ?1 AND is_device)",
            params![replica, collection],
        )
    }

    /// The same state under another etag: the base moves silently.
    pub fn touch_placement(
        &mut self,
        id: i64,
        etag: &Etag,
        modified_ms: Option<i64>,
        seen: Option<&Rendering>,
    ) -> Result<()> {
        self.run(
            "UPDATE placements SET etag = ?2, modified = coalesce(?3, modified), seen = coalesce(?4, seen) WHERE id = ?1",
            params![id, etag.as_str(), modified_ms, seen.map(Rendering::as_bytes)],
        )
    }

    /// Notes that a replica agrees to a version without having been told anything.
    pub fn set_agreed(&mut self, id: i64, version: i64) -> Result<()> {
        self.run("UPDATE placements SET agreed = ?2 WHERE id = ?1", params![id, version])
    }

    /// Follows a copy to its new name.
    pub fn rename_placement(&mut self, id: i64, remote_id: &RemoteId) -> Result<()> {
        self.run("UPDATE placements SET remote_id = ?2 WHERE id = ?1", params![id, remote_id.as_str()])
    }

    /// The copy stands in another collection there, and the hub knows it; all else is as agreed.
    pub fn replace_placement(&mut self, id: i64, collection: i64) -> Result<()> {
        self.run("UPDATE placements SET collection = ?2 WHERE id = ?1", [id, collection])
    }

    /// The copy is gone there and the hub knows it.
    pub fn remove_placement(&mut self, id: i64) -> Result<()> {
        self.run("DELETE FROM placements WHERE id = ?1", [id])
    }

    /// We removed the copy there. Where the place stamps its copies, the last stamp is kept for a while: a list that lags
    /// shows the copy once more, as it was.
    pub fn depart(&mut self, id: i64, now_ms: i64) -> Result<()> {
        self.run(
            "INSERT OR REPLACE INTO departed (replica, remote_id, modified, at)
             SELECT replica, remote_id, modified, ?2 FROM placements WHERE id = ?1 AND modified IS NOT NULL",
            params![id, now_ms],
        )?;
        self.remove_placement(id)
    }

    /// The last stamp of a copy that we removed there.
    pub fn was_departed(&self, replica: i64, remote_id: &RemoteId) -> Result<Option<i64>> {
        self.one(
            "SELECT modified FROM departed WHERE replica = ?1 AND remote_id = ?2",
            params![replica, remote_id.as_str()],
            |row| row.get(0),
        )
    }

    /// Forgets copies that were removed before `before_ms` (or, under a clock that ran ahead, after `now_ms`).
    pub fn forget_departed(&mut self, before_ms: i64, now_ms: i64) -> Result<()> {
        self.run("DELETE FROM departed WHERE at < ?1 OR at > ?2", params![before_ms, now_ms])
    }

    /// Forgets every base and sighting of a replica: what it holds next is a first meeting.
    pub fn remove_all_placements(&mut self, replica: i64) -> Result<()> {
        for table in ["placements", "sightings", "intents", "quarantine", "withheld", "departed", "left_out"] {
            self.run(&format!("DELETE FROM {table} WHERE replica = ?1"), [replica])?;
        }
        self.run("UPDATE places SET met = 0 WHERE replica = ?1", [replica])
    }

    /// What the hub holds of a collection at a replica: names and etags.
    pub fn known(&self, replica: i64, collection: i64) -> Result<Known> {
        let mut statement = self
            .connection
            .prepare_cached(
                "SELECT remote_id, etag FROM placements INDEXED BY placements_known WHERE replica = ?1 AND collection = ?2",
            )
            .store()?;
        let mut rows = statement.query(params![replica, collection]).store()?;
        let mut known = Known::new();
        while let Some(row) = rows.next().store()? {
            known.insert(RemoteId(row.get(0).store()?), Etag(row.get(1).store()?));
        }
        Ok(known)
    }

    /// The names of a replica's copies in a collection that are said to be gone.
    pub fn gone_from(&self, replica: i64, collection: i64) -> Result<Vec<RemoteId>> {
        self.all(
            "SELECT remote_id FROM sightings WHERE replica = ?1 AND collection = ?2 AND gone > 0",
            params![replica, collection],
            |row| row.get(0).map(RemoteId),
        )
    }

    /// How many copies a replica holds in a collection.
    pub fn copies(&self, replica: i64, collection: i64) -> Result<usize> {
        self.count(
            "SELECT count(*) FROM placements WHERE replica = ?1 AND collection = ?2",
            params![replica, collection],
        )
    }

    /// Whether a replica holds a copy in a collection that is not said to be gone.
    pub fn is_any_there(&self, replica: i64, collection: i64) -> Result<bool> {
        self.count(
            "SELECT EXISTS (SELECT 1 FROM placements p WHERE p.replica = ?1 AND p.collection = ?2 AND NOT EXISTS
               (SELECT 1 FROM sightings s WHERE s.replica = ?1 AND s.remote_id = p.remote_id AND s.gone > 0))",
            params![replica, collection],
        )
        .map(|there| there > 0)
    }

    /// Copies whose slow look (photo) is longest ago and older than `before_ms` (or, under a clock that ran ahead, later than
    /// `now_ms`): names and collections. What is said to be gone is asked for as such.
    pub fn unswept(&self, replica: i64, before_ms: i64, now_ms: i64, most: usize) -> Result<Vec<(i64, RemoteId, i64)>> {
        self.all(
            "SELECT id, remote_id, collection FROM placements
             WHERE replica = ?1 AND (swept < ?2 OR swept > ?3) AND NOT EXISTS (SELECT 1 FROM sightings s
                   WHERE s.replica = ?1 AND s.remote_id = placements.remote_id AND s.gone > 0)
             ORDER BY swept, id LIMIT ?4",
            params![replica, before_ms, now_ms, i64::try_from(most).unwrap_or(i64::MAX)],
            |row| Ok((row.get(0)?, RemoteId(row.get(1)?), row.get(2)?)),
        )
    }

    /// Notes that a copy was looked at slowly.
    pub fn set_swept(&mut self, id: i64, now_ms: i64) -> Result<()> {
        self.run("UPDATE placements SET swept = ?2 WHERE id = ?1", params![id, now_ms])
    }
}
