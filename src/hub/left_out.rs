//! What the configuration leaves out: collections that are frozen as they are, and messages that are too old or too large (ENGINE 19).
//!
//! Nothing here is deleted but questions that nobody may answer any more. Copies, bases, items and their bytes stay.

use crate::Hub;
use rusqlite::params;
use std::collections::HashSet;
use twofold_model::email::scope::Limits;
use twofold_model::{Etag, Kind, Known, RemoteId, Result};

/// The messages that their account's limits leave out: a condition on the rows `i` of `items`.
const BEYOND: &str =
    "EXISTS (SELECT 1 FROM placements p JOIN collections c ON c.id = p.collection JOIN replicas r ON r.id = c.origin
    WHERE p.item = i.id AND (i.dated < r.since OR i.size > r.max_size))";

/// The same, of one account `?1`: the items.
const BEYOND_OF: &str =
    "SELECT i.id FROM collections c JOIN replicas r ON r.id = c.origin JOIN placements p ON p.collection = c.id
    JOIN items i ON i.id = p.item WHERE c.origin = ?1 AND (i.dated < r.since OR i.size > r.max_size)";

/// A sighting of a copy on a device that stands in another collection than its base says. It goes by its name there already, so nobody would
/// tell it once more when it is taken up again; an account lists everything then.
const MOVED_ON_A_DEVICE: &str = "EXISTS (SELECT 1 FROM placements m JOIN replicas d ON d.id = m.replica AND d.is_device
    WHERE m.replica = sightings.replica AND m.remote_id = sightings.remote_id AND m.collection <> sightings.collection)";

impl Hub {
    /// The collections of a kind that are left out.
    pub fn left_out(&self, kind: Kind) -> Result<HashSet<i64>> {
        let all =
            self.all("SELECT id FROM collections WHERE kind = ?1 AND left_out", [kind.as_str()], |row| row.get(0))?;
        Ok(all.into_iter().collect())
    }

    /// From now on a collection is frozen. What was seen there and not decided is not decided any more; a copy that left it, or came
    /// there from elsewhere, is.
    pub fn leave_out(&mut self, collection: i64) -> Result<()> {
        self.run("UPDATE collections SET left_out = 1 WHERE id = ?1", [collection])?;
        self.run(
            &format!(
                "DELETE FROM sightings WHERE collection = ?1 AND NOT {MOVED_ON_A_DEVICE} AND NOT EXISTS (
                    SELECT 1 FROM placements p JOIN collections c ON c.id = p.collection
                    WHERE p.replica = sightings.replica AND p.remote_id = sightings.remote_id AND NOT c.left_out)"
            ),
            [collection],
        )?;
        // It is told anew, if it still is so, when the collection is taken up again. That an item was refused there nobody tells anew.
        self.run("DELETE FROM quarantine WHERE collection = ?1 AND remote_id NOT LIKE 'item:%'", [collection])?;
        for hold in self.holds_of_any_state()?.into_iter().filter(|hold| hold.collection == Some(collection)) {
            self.remove_hold(&hold.id)?;
        }
        Ok(())
    }

    /// From now on a collection is kept in step again: all that stands or stood in it is to be looked at.
    pub fn take_up(&mut self, collection: i64) -> Result<()> {
        self.run("UPDATE collections SET left_out = 0 WHERE id = ?1", [collection])?;
        self.run(
            "INSERT OR IGNORE INTO todo SELECT item FROM stands WHERE collection = ?1
             UNION SELECT item FROM placements WHERE collection = ?1",
            [collection],
        )
    }

    /// Which messages of an account are left out.
    pub fn limits(&self, replica: i64) -> Result<Limits> {
        let found = self.one("SELECT since, max_size FROM replicas WHERE id = ?1", [replica], |row| {
            let max_size: Option<i64> = row.get(1)?;
            Ok(Limits { since_ms: row.get(0)?, max_size: max_size.map(i64::unsigned_abs) })
        })?;
        Ok(found.unwrap_or_default())
    }

    /// Sets which messages of an account are left out, and lets go of what was seen of them and not decided. What was left out until
    /// now is to be looked at.
    pub fn set_limits(&mut self, replica: i64, limits: Limits) -> Result<()> {
        self.run(&format!("INSERT OR IGNORE INTO todo {BEYOND_OF}"), [replica])?;
        let max_size = limits.max_size.map(|most| i64::try_from(most).unwrap_or(i64::MAX));
        self.run(
            "UPDATE replicas SET since = ?2, max_size = ?3 WHERE id = ?1",
            params![replica, limits.since_ms, max_size],
        )?;
        self.run(
            "INSERT OR IGNORE INTO left_out
             SELECT s.replica, s.remote_id, s.collection, coalesce(s.etag, '')
             FROM sightings s JOIN collections c ON c.id = s.collection JOIN replicas r ON r.id = c.origin
             WHERE c.origin = ?1 AND c.kind = 'mail' AND s.item IS NULL AND s.gone = 0 AND (s.dated < r.since
                OR json_extract(CASE WHEN json_valid(CAST(s.rendering AS TEXT)) THEN CAST(s.rendering AS TEXT) END, '$.size') > r.max_size)",
            [replica],
        )?;
        self.run(
            "DELETE FROM sightings WHERE item IS NULL AND EXISTS (
                SELECT 1 FROM left_out l WHERE l.replica = sightings.replica AND l.remote_id = sightings.remote_id)",
            [],
        )?;
        self.drop_questions_beyond(replica)
    }

    /// Nothing is to be decided of what an account's limits leave out, whatever was seen of it. That a device has it no more is kept for
    /// later: of a file that was moved before, no folder would tell it once more. Where it comes back, that is told.
    fn drop_questions_beyond(&mut self, replica: i64) -> Result<()> {
        self.run(&format!("UPDATE sightings SET hold = NULL WHERE item IN ({BEYOND_OF})"), [replica])?;
        self.run(
            &format!(
                "DELETE FROM sightings WHERE item IN ({BEYOND_OF}) AND NOT {MOVED_ON_A_DEVICE}
                   AND NOT (gone = 2 AND replica IN (SELECT id FROM replicas WHERE is_device))"
            ),
            [replica],
        )
    }

    /// That a listing of an account lacks what its limits leave out raises no question. What it shows of such a message is one of its own: it
    /// may have become smaller.
    pub fn drop_absences_beyond(&mut self, replica: i64) -> Result<()> {
        self.run(&format!("DELETE FROM sightings WHERE replica = ?1 AND gone > 0 AND item IN ({BEYOND_OF})"), [replica])
    }

    /// Whether an item is a message that its account's limits leave out.
    pub fn is_beyond(&self, item: i64) -> Result<bool> {
        let sql = format!("SELECT count(*) FROM items i WHERE i.id = ?1 AND {BEYOND}");
        Ok(self.count(&sql, [item])? > 0)
    }

    /// How many messages are held that their account's limits leave out.
    pub fn count_beyond(&self, replica: i64) -> Result<usize> {
        self.count(&format!("SELECT count(DISTINCT id) FROM ({BEYOND_OF})"), [replica])
    }

    /// Notes a copy of which no item may be made.
    pub fn note_left_out(&mut self, replica: i64, collection: i64, remote_id: &RemoteId, etag: &Etag) -> Result<()> {
        self.run(
            "INSERT INTO left_out VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE SET collection = ?3, etag = ?4",
            params![replica, remote_id.as_str(), collection, etag.as_str()],
        )
    }

    /// Whether a copy in this state was left out before: nobody has to look at it again.
    pub fn is_noted(&self, replica: i64, remote_id: &RemoteId, etag: &Etag) -> Result<bool> {
        let sql = "SELECT count(*) FROM left_out WHERE replica = ?1 AND remote_id = ?2 AND etag = ?3";
        Ok(self.count(sql, params![replica, remote_id.as_str(), etag.as_str()])? > 0)
    }

    /// The copy is there no more, or is taken.
    pub fn unnote(&mut self, replica: i64, remote_id: &RemoteId) -> Result<()> {
        self.run("DELETE FROM left_out WHERE replica = ?1 AND remote_id = ?2", params![replica, remote_id.as_str()])
    }

    /// Follows a copy that was left out to its new name.
    pub fn rename_noted(&mut self, replica: i64, from: &RemoteId, to: &RemoteId) -> Result<()> {
        self.run(
            "UPDATE OR REPLACE left_out SET remote_id = ?3 WHERE replica = ?1 AND remote_id = ?2",
            params![replica, from.as_str(), to.as_str()],
        )
    }

    /// What was left out of an account's messages, anywhere, is to be looked at again.
    pub fn unnote_all(&mut self, account: i64) -> Result<()> {
        self.run("DELETE FROM left_out WHERE collection IN (SELECT id FROM collections WHERE origin = ?1)", [account])
    }

    /// A listing of these collections is complete: what it did not name is there no more.
    pub fn retain_noted(&mut self, replica: i64, feed: &str, collections: &[i64]) -> Result<()> {
        let own = serde_json::Value::from(collections).to_string();
        self.run(
            "DELETE FROM left_out WHERE replica = ?1 AND collection IN (SELECT value FROM json_each(?3))
               AND NOT EXISTS (SELECT 1 FROM listed l WHERE l.replica = ?1 AND l.feed = ?2 AND l.remote_id = left_out.remote_id)",
            params![replica, feed, own],
        )
    }

    /// The copies of a collection at a replica that were left out, for a place that compares by itself.
    pub fn noted(&self, replica: i64, collection: i64) -> Result<Known> {
        let rows = self.all(
            "SELECT remote_id, etag FROM left_out WHERE replica = ?1 AND collection = ?2",
            params![replica, collection],
            |row| Ok((RemoteId(row.get(0)?), Etag(row.get(1)?))),
        )?;
        Ok(rows.into_iter().collect())
    }

    /// How many copies at a replica were seen and not taken.
    pub fn count_noted(&self, replica: i64) -> Result<usize> {
        self.count("SELECT count(*) FROM left_out WHERE replica = ?1", [replica])
    }
}
