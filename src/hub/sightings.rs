//! Sightings: what a pull brought and nothing has settled yet; what is said to be gone, and what leaves.

use crate::placements::Placement;
use crate::{Hub, list};
use rusqlite::{Row, params};
use std::collections::HashSet;
use twofold_model::{BlobId, Etag, Facts, Kind, Mark, RemoteId, Rendering, Result, Seen, Uid};

/// Whether a copy at replica `?1` stands where its item stands; or where its account kept the item, which stands where it did not let it go
/// ([`Hub::closed_to`]): what leaves there takes the item along.
macro_rules! stood {
    ($copy:literal) => {
        concat!(
            "EXISTS (SELECT 1 FROM stands t WHERE t.item = ",
            $copy,
            ".item AND (t.collection = ",
            $copy,
            ".collection OR (EXISTS (SELECT 1 FROM replicas WHERE id = ?1 AND NOT is_device)
                AND NOT EXISTS (SELECT 1 FROM placements h WHERE h.item = t.item AND h.replica = ?1 AND h.collection = t.collection)
                AND (EXISTS (SELECT 1 FROM withheld w WHERE w.item = t.item AND w.replica = ?1 AND w.collection = t.collection)
                    OR EXISTS (SELECT 1 FROM quarantine q WHERE q.replica = ?1 AND q.item = t.item AND q.collection = t.collection
                        AND q.remote_id >= 'item:' AND q.remote_id < 'item;')
                    OR EXISTS (SELECT 1 FROM quarantine q JOIN collections f ON f.id = q.collection WHERE f.id = t.collection
                        AND f.origin = ?1 AND q.replica <> ?1 AND q.remote_id >= 'folder:' AND q.remote_id < 'folder;')))))"
        )
    };
}

/// The items that every place which had them has let go of, as it was last asked ([`Hub::find_let_go`]).
pub(crate) const LET_GO: &str = "CREATE TEMP TABLE IF NOT EXISTS let_go (item INTEGER PRIMARY KEY)";

/// Items of kind `?1` of which each copy, at two replicas or more, is gone or in the trash, by what the replicas `?2` (a list as JSON) say.
const FIND_LET_GO: &str = "
    INSERT INTO let_go
    SELECT DISTINCT s.item FROM sightings s JOIN items i ON i.id = s.item AND i.kind = ?1
    WHERE s.gone > 0 AND s.gone = 2
      AND (SELECT count(DISTINCT replica) FROM placements WHERE item = s.item) > 1
      AND NOT EXISTS (SELECT 1 FROM placements w WHERE w.item = s.item
        AND NOT EXISTS (SELECT 1 FROM sightings g WHERE g.replica = w.replica AND g.remote_id = w.remote_id
            AND g.replica IN (SELECT value FROM json_each(?2))
            AND (g.gone = 2 OR (g.gone = 0 AND g.collection IN (SELECT id FROM collections WHERE role = 'trash')))))
      AND NOT EXISTS (SELECT 1 FROM sightings h JOIN collections c ON c.id = h.collection
        WHERE h.item = s.item AND h.gone = 0 AND c.role IS NOT 'trash')";

/// What leaves a collection of replica `?1` for good, or for the trash, and is under no approved hold: `id` and `collection`. What does not
/// stand there any more anyway removes nothing: that was decided, and counted, before; nor does what nobody else has any more. What goes to
/// the trash leaves, also where another copy of it stands.
/// Asked of the sightings, which are few (hence `CROSS`: SQLite would go through all copies).
pub(crate) const GOING: &str = concat!(
    "SELECT s.id, s.collection FROM sightings s
    WHERE s.replica = ?1 AND s.gone = 2 AND (s.hold IS NULL OR s.hold NOT IN (SELECT id FROM holds WHERE approved = 1))
      AND ",
    stood!("s"),
    "
      AND s.item NOT IN (SELECT item FROM let_go)
      AND (EXISTS (SELECT 1 FROM sightings o JOIN collections c ON c.id = o.collection
            WHERE o.item = s.item AND o.replica = ?1 AND o.gone = 0 AND o.collection <> s.collection AND c.role = 'trash')
        OR NOT EXISTS (SELECT 1 FROM sightings o JOIN collections c ON c.id = o.collection
            WHERE o.item = s.item AND o.replica = ?1 AND o.gone = 0 AND o.collection <> s.collection AND c.role IS NOT 'trash')
      AND NOT EXISTS (SELECT 1 FROM placements o JOIN collections c ON c.id = o.collection
            WHERE o.item = s.item AND o.replica = ?1 AND o.collection <> s.collection AND c.role IS NOT 'trash'
              AND NOT EXISTS (SELECT 1 FROM sightings g WHERE g.replica = ?1 AND g.remote_id = o.remote_id AND g.gone > 0)))
      AND NOT EXISTS (SELECT 1 FROM placements q JOIN collections d ON d.id = q.collection JOIN replicas r ON r.id = d.origin
            JOIN items i ON i.id = q.item WHERE q.item = s.item AND (i.dated < r.since OR i.size > r.max_size))
    UNION ALL
    SELECT s.id, p.collection FROM sightings s
    CROSS JOIN placements p ON p.replica = s.replica AND p.remote_id = s.remote_id AND p.collection <> s.collection
    JOIN collections c ON c.id = s.collection AND c.role = 'trash'
    JOIN collections e ON e.id = p.collection AND NOT e.left_out
    WHERE s.replica = ?1 AND s.gone = 0 AND (s.hold IS NULL OR s.hold NOT IN (SELECT id FROM holds WHERE approved = 1))
      AND ",
    stood!("p"),
    "
      AND p.item NOT IN (SELECT item FROM let_go)
      AND NOT EXISTS (SELECT 1 FROM placements q JOIN collections d ON d.id = q.collection JOIN replicas r ON r.id = d.origin
            JOIN items i ON i.id = q.item WHERE q.item = s.item AND (i.dated < r.since OR i.size > r.max_size))"
);

/// A copy that is said to be gone, as long as nobody looked whether it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// The key of its sighting.
    pub id: i64,
    /// The item, where the copy is one's.
    pub item: Option<i64>,
    /// The hub's collection in which it stood.
    pub collection: i64,
    /// The replica's own name for the copy.
    pub remote_id: RemoteId,
    /// Since when that is said, in milliseconds since 1970.
    pub observed_ms: i64,
}

/// How a sighting says that a copy is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It is there.
    Here,
    /// Somebody says that it is gone; not confirmed yet.
    SaidGone,
    /// A second look confirmed that it is gone.
    Gone,
}

/// What a pull brought of one copy.
#[derive(Clone, Debug, PartialEq)]
pub struct Sighting {
    /// The hub's key.
    pub id: i64,
    /// The replica.
    pub replica: i64,
    /// The hub's collection.
    pub collection: i64,
    /// The replica's own name for the copy.
    pub remote_id: RemoteId,
    /// The item, once known.
    pub item: Option<i64>,
    /// Whether it is there.
    pub presence: Presence,
    /// Mark of its state.
    pub etag: Etag,
    /// What it looks like.
    pub rendering: Rendering,
    /// The UID that it carries.
    pub uid: Option<Uid>,
    /// The mark that it carries.
    pub mark: Option<Mark>,
    /// The server's stamp.
    pub modified_ms: Option<i64>,
    /// When we first saw it like this.
    pub observed_ms: i64,
    /// The hold that stops it.
    pub hold: Option<String>,
    /// Its bytes are still to be asked for: nobody can be told of it. (In the store: once more than they were asked for in vain.)
    pub lacks_body: bool,
    /// When a message was received, in milliseconds since 1970.
    pub dated_ms: Option<i64>,
}

/// Stores what was seen of a copy of which nothing was seen before.
const FIRST_SIGHTING: &str = "
    INSERT INTO sightings
        (replica, collection, remote_id, item, gone, etag, rendering, uid, mark, modified, observed, lacks, dated)
    VALUES (?1, ?2, ?3, ?4, 0, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";

/// The columns of a [`Sighting`], in the order in which it is read, of a table that is called `s`.
pub(crate) const SIGHTING: &str = "s.id, s.replica, s.collection, s.remote_id, s.item, s.gone, s.etag, s.rendering, s.uid, s.mark, \
     s.modified, s.observed, s.hold, s.lacks, s.dated";

pub(crate) fn sighting(row: &Row<'_>) -> rusqlite::Result<Sighting> {
    Ok(Sighting {
        id: row.get(0)?,
        replica: row.get(1)?,
        collection: row.get(2)?,
        remote_id: RemoteId(row.get(3)?),
        item: row.get(4)?,
        presence: match row.get::<_, i64>(5)? {
            0 => Presence::Here,
            1 => Presence::SaidGone,
            _ => Presence::Gone,
        },
        etag: Etag(row.get::<_, Option<String>>(6)?.unwrap_or_default()),
        rendering: Rendering(row.get::<_, Option<Vec<u8>>>(7)?.unwrap_or_default()),
        uid: row.get::<_, Option<String>>(8)?.map(Uid),
        mark: row.get::<_, Option<String>>(9)?.and_then(|text| Mark::parse(&text)),
        modified_ms: row.get(10)?,
        observed_ms: row.get(11)?,
        hold: row.get(12)?,
        lacks_body: row.get(13)?,
        dated_ms: row.get(14)?,
    })
}

impl Hub {
    /// Stores what a pull saw of a copy; a later word of the same pull replaces it. A held sighting stays held only while it
    /// says the same, but for an old message of a device's first use: who marks it does not ask for it to be made. And how often its bytes were asked for in vain stays noted ([`Hub::note_unread`]).
    pub fn store_sighting(
        &mut self,
        replica: i64,
        collection: i64,
        item: Option<i64>,
        (seen, facts): (&Seen, &Facts),
        observed_ms: i64,
    ) -> Result<()> {
        let mark = seen.mark.as_ref().map(Mark::to_string);
        let values = params![
            replica,
            collection,
            seen.remote_id.as_str(),
            item,
            seen.etag.as_str(),
            seen.rendering.as_bytes(),
            seen.uid.as_ref().map(Uid::as_str),
            mark,
            seen.modified_ms,
            observed_ms,
            facts.lacks_body,
            facts.dated_ms,
            facts.blob.as_ref().map(BlobId::as_str)
        ];
        let told = self.changes(
            "UPDATE sightings SET collection = ?2, item = coalesce(?4, item), gone = 0,
               etag = ?5, rendering = ?6, uid = ?7, mark = ?8, modified = ?9,
               lacks = CASE WHEN ?11 THEN max(lacks, 1) ELSE 0 END, dated = coalesce(?12, dated),
               observed = CASE WHEN rendering IS ?6 THEN observed ELSE ?10 END,
               hold = CASE WHEN gone = 0 AND (item IS NULL OR collection = ?2) AND (rendering IS ?6 OR item IS NULL AND instr(CAST(rendering AS TEXT), ?13) > 0
                   AND hold IN (SELECT id FROM holds WHERE cause = 'adoption' AND approved <> 1)) THEN hold ELSE NULL END
             WHERE replica = ?1 AND remote_id = ?3",
            values,
        )?;
        if told == 0 {
            self.first_sighting_of(item, (replica, collection), (seen, facts), observed_ms)?;
        }
        match item {
            Some(item) => self.add_todo(item),
            None => Ok(()),
        }
    }

    /// [`Hub::store_sighting`] of a copy of which nothing was seen before.
    pub fn first_sighting(
        &mut self,
        replica: i64,
        collection: i64,
        (seen, facts): (&Seen, &Facts),
        observed_ms: i64,
    ) -> Result<()> {
        self.first_sighting_of(None, (replica, collection), (seen, facts), observed_ms)
    }

    fn first_sighting_of(
        &mut self,
        item: Option<i64>,
        (replica, collection): (i64, i64),
        (seen, facts): (&Seen, &Facts),
        observed_ms: i64,
    ) -> Result<()> {
        self.run(
            FIRST_SIGHTING,
            params![
                replica,
                collection,
                seen.remote_id.as_str(),
                item,
                seen.etag.as_str(),
                seen.rendering.as_bytes(),
                seen.uid.as_ref().map(Uid::as_str),
                seen.mark.as_ref().map(Mark::to_string),
                seen.modified_ms,
                observed_ms,
                facts.lacks_body,
                facts.dated_ms
            ],
        )
    }

    /// Those of the copies at a replica, by name and UID, that are the only word of themselves: none of that name is known, is said to be
    /// gone, was removed by us or is in quarantine, and no item and no other copy that was seen there has that UID.
    pub fn alone(&self, replica: i64, kind: Kind, shown: &[(&str, Option<&str>)]) -> Result<HashSet<String>> {
        let alone = self.all(
            "WITH shown (name, uid) AS MATERIALIZED (SELECT value ->> 0, value ->> 1 FROM json_each(?3))
             SELECT name FROM shown WHERE
               NOT EXISTS (SELECT 1 FROM placements p WHERE p.replica = ?1 AND p.remote_id = name)
               AND NOT EXISTS (SELECT 1 FROM departed d WHERE d.replica = ?1 AND d.remote_id = name)
               AND NOT EXISTS (SELECT 1 FROM quarantine q WHERE q.replica = ?1 AND q.remote_id = name)
               AND NOT EXISTS (SELECT 1 FROM sightings g WHERE g.replica = ?1 AND g.remote_id = name AND g.gone > 0)
               AND NOT EXISTS (SELECT 1 FROM items i WHERE i.uid = shown.uid AND i.kind = ?2)
               AND NOT EXISTS (SELECT 1 FROM sightings s
                     WHERE s.replica = ?1 AND s.uid = shown.uid AND s.remote_id <> name AND s.gone = 0)",
            params![replica, kind.as_str(), list(shown)],
            |row| row.get(0),
        )?;
        Ok(alone.into_iter().collect())
    }

    /// What was seen of copies of these names, and is not gone.
    pub fn sightings_of(&self, replica: i64, names: &[&str]) -> Result<Vec<Sighting>> {
        let sql = format!(
            "SELECT {SIGHTING} FROM json_each(?2) CROSS JOIN sightings s ON s.replica = ?1 AND s.remote_id = value WHERE s.gone = 0"
        );
        self.all(&sql, params![replica, list(names)], sighting)
    }

    /// Stores that a known copy is said to be gone (a question). Of an unknown copy only its sighting goes.
    pub fn store_gone(&mut self, replica: i64, remote_id: &RemoteId, observed_ms: i64) -> Result<()> {
        let Some(known) = self.placement(replica, remote_id)? else {
            return self.run(
                "DELETE FROM sightings WHERE replica = ?1 AND remote_id = ?2 AND gone = 0",
                params![replica, remote_id.as_str()],
            );
        };
        self.run(
            "INSERT INTO sightings (replica, collection, remote_id, item, gone, observed) VALUES (?1, ?2, ?3, ?4, 1, ?5)
             ON CONFLICT (replica, remote_id) DO UPDATE SET gone = max(gone, 1), item = ?4,
               observed = CASE WHEN gone = 0 THEN ?5 ELSE observed END",
            params![replica, known.collection, remote_id.as_str(), known.item, observed_ms],
        )
    }

    /// A second look confirmed that the copy is gone. Of an unknown copy only its sighting goes.
    pub fn confirm_gone(&mut self, id: i64) -> Result<()> {
        self.run(
            "DELETE FROM sightings WHERE id = ?1
               AND NOT EXISTS (SELECT 1 FROM placements p WHERE p.replica = sightings.replica AND p.remote_id = sightings.remote_id)",
            [id],
        )?;
        // That it changed may have been held, or approved; that it is gone was not. And it is gone from where it was known: where it was seen
        // since, it was on its way out.
        self.run(
            "UPDATE sightings SET gone = 2,
               collection = coalesce((SELECT p.collection FROM placements p
                 WHERE p.replica = sightings.replica AND p.remote_id = sightings.remote_id), collection),
               hold = CASE WHEN hold NOT IN (SELECT id FROM holds WHERE cause = 'changes') THEN hold END WHERE id = ?1",
            [id],
        )?;
        self.run("INSERT OR IGNORE INTO todo SELECT item FROM sightings WHERE id = ?1 AND item IS NOT NULL", [id])
    }

    /// A second look found a copy that was said to be gone: it is there, as it was seen.
    pub fn confirm_here(&mut self, id: i64) -> Result<()> {
        self.run("UPDATE sightings SET gone = 0 WHERE id = ?1", [id])
    }

    /// Settles a sighting.
    pub fn remove_sighting(&mut self, id: i64) -> Result<()> {
        self.run("DELETE FROM sightings WHERE id = ?1", [id])
    }

    /// Settles a copy's sighting by its name.
    pub fn remove_sighting_of(&mut self, replica: i64, remote_id: &RemoteId) -> Result<()> {
        self.run("DELETE FROM sightings WHERE replica = ?1 AND remote_id = ?2", params![replica, remote_id.as_str()])
    }

    /// Settles the sightings of copies by their names.
    pub fn remove_sightings_of(&mut self, replica: i64, names: &[&str]) -> Result<()> {
        self.run(
            "DELETE FROM sightings WHERE replica = ?1 AND remote_id IN (SELECT value FROM json_each(?2))",
            params![replica, list(names)],
        )
    }

    /// Binds a sighting to an item.
    pub fn bind_sighting(&mut self, id: i64, item: i64) -> Result<()> {
        self.run("UPDATE sightings SET item = ?2 WHERE id = ?1", params![id, item])?;
        self.add_todo(item)
    }

    /// A new copy is one of no item again: it is met anew.
    pub fn unbind_sighting(&mut self, id: i64) -> Result<()> {
        self.run("UPDATE sightings SET item = NULL WHERE id = ?1", [id])
    }

    /// Known copies of a replica that are seen in another collection than the one in which they were known.
    pub fn moved_copies(&self, replica: i64) -> Result<Vec<(Sighting, Placement)>> {
        let moved: Vec<Sighting> = self.all(
            &format!("SELECT {SIGHTING} FROM sightings s JOIN placements p ON p.replica = s.replica AND p.remote_id = s.remote_id
             WHERE s.item IS NOT NULL AND s.replica = ?1 AND s.gone = 0 AND s.collection <> p.collection ORDER BY p.id"),
            [replica],
            sighting,
        )?;
        let with_placement = |seen: Sighting| {
            let known = self.placement(replica, &seen.remote_id)?;
            Ok(known.map(|known| (seen, known)))
        };
        moved.into_iter().filter_map(|seen| with_placement(seen).transpose()).collect()
    }

    /// A copy becomes one of no item yet: where it was known its item has lost it, for the place itself shows that it stands elsewhere now.
    pub fn part_copy(&mut self, seen: &Sighting, known: &Placement, now_ms: i64) -> Result<()> {
        self.unbind_sighting(seen.id)?;
        self.lose_copy(known, now_ms)
    }

    /// An item has lost a copy, which is another one's or none's by now: under a name that nothing has, it is gone there for certain.
    pub fn lose_copy(&mut self, known: &Placement, now_ms: i64) -> Result<()> {
        let left = RemoteId(format!("parted {}", known.id));
        self.rename_placement(known.id, &left)?;
        self.store_gone(known.replica, &left, now_ms)?;
        self.run(
            "UPDATE sightings SET gone = 2 WHERE replica = ?1 AND remote_id = ?2",
            params![known.replica, left.as_str()],
        )?;
        self.add_todo(known.item)
    }

    /// What is seen of an item.
    pub fn sightings(&self, item: i64) -> Result<Vec<Sighting>> {
        self.all(
            &format!("SELECT {SIGHTING} FROM sightings s WHERE item = ?1 ORDER BY replica, collection, id"),
            [item],
            sighting,
        )
    }

    /// One copy's sighting.
    pub fn sighting(&self, replica: i64, remote_id: &RemoteId) -> Result<Option<Sighting>> {
        self.one(
            &format!("SELECT {SIGHTING} FROM sightings s WHERE replica = ?1 AND remote_id = ?2"),
            params![replica, remote_id.as_str()],
            sighting,
        )
    }

    /// New copies of a collection at a replica that belong to no item yet and are not held, after a key.
    pub fn unbound(&self, replica: i64, collection: i64, after: i64, most: usize) -> Result<Vec<Sighting>> {
        self.all(
            &format!("SELECT {SIGHTING} FROM sightings s WHERE replica = ?1 AND collection = ?2 AND item IS NULL AND gone = 0 AND lacks = 0
               AND (hold IS NULL OR hold IN (SELECT id FROM holds WHERE approved = 1)) AND id > ?3 ORDER BY id LIMIT ?4"),
            params![replica, collection, after, i64::try_from(most).unwrap_or(i64::MAX)],
            sighting,
        )
    }

    /// New copies of a collection that wait under a hold on their adoption, or were set aside.
    pub fn strangers_held(&self, replica: i64, collection: i64) -> Result<Vec<Sighting>> {
        self.all(
            &format!("SELECT {SIGHTING} FROM sightings s WHERE replica = ?1 AND collection = ?2 AND item IS NULL AND gone = 0
               AND hold IN (SELECT id FROM holds WHERE approved <> 1) ORDER BY id"),
            params![replica, collection],
            sighting,
        )
    }

    /// A copy that somebody may have put there long ago: it says nothing of when it was changed, so in a clash the other
    /// side is shown. It is under no hold any more.
    pub fn date_back(&mut self, sighting: i64) -> Result<()> {
        self.run("UPDATE sightings SET observed = 0, hold = NULL WHERE id = ?1", [sighting])
    }

    /// Which collections of a replica have new copies that belong to no item yet.
    pub fn unbound_collections(&self, replica: i64) -> Result<Vec<i64>> {
        self.all(
            "SELECT DISTINCT collection FROM sightings WHERE replica = ?1 AND item IS NULL AND gone = 0 AND lacks = 0",
            [replica],
            |row| row.get(0),
        )
    }

    /// Copies whose bytes are still to be asked for, newest first. Of those whose lists say no date, those of the greatest names come first:
    /// whoever lists messages without dates counts them upwards.
    pub fn lacking_bodies(&self, replica: i64, most: usize) -> Result<Vec<Sighting>> {
        self.all(
            &format!(
                "SELECT {SIGHTING} FROM sightings s WHERE replica = ?1 AND lacks > 0 AND gone = 0
                 ORDER BY dated DESC, length(uid) DESC, uid DESC, id DESC LIMIT ?2"
            ),
            params![replica, i64::try_from(most).unwrap_or(i64::MAX)],
            sighting,
        )
    }

    /// Notes that the bytes of a copy were asked for in vain once more. Answers how often they were.
    pub fn note_unread(&mut self, replica: i64, remote_id: &RemoteId) -> Result<u32> {
        let values = params![replica, remote_id.as_str()];
        self.run("UPDATE sightings SET lacks = lacks + 1 WHERE replica = ?1 AND remote_id = ?2 AND lacks > 0", values)?;
        let asked = self.one(
            "SELECT lacks FROM sightings WHERE replica = ?1 AND remote_id = ?2",
            params![replica, remote_id.as_str()],
            |row| row.get::<_, u32>(0),
        )?;
        Ok(asked.unwrap_or(0).saturating_sub(1))
    }

    /// Whether there are copies at a replica whose bytes are still to be asked for. What is set aside is asked for too, and waited for by
    /// nobody.
    pub fn awaits_bodies(&self, replica: i64) -> Result<bool> {
        self.is_awaited("s.replica = ?1", replica)
    }

    /// The same of a collection, anywhere.
    pub fn lacks_bodies(&self, collection: i64) -> Result<bool> {
        self.is_awaited("s.collection = ?1", collection)
    }

    fn is_awaited(&self, whose: &str, key: i64) -> Result<bool> {
        let sql = format!(
            "SELECT count(*) FROM (SELECT 1 FROM sightings s WHERE {whose} AND s.lacks > 0 AND s.gone = 0
               AND NOT EXISTS (SELECT 1 FROM quarantine q WHERE q.replica = s.replica AND q.remote_id = s.remote_id) LIMIT 1)"
        );
        Ok(self.count(&sql, [key])? > 0)
    }

    /// What was seen of copies with that UID at a replica.
    pub fn sightings_by_uid(&self, replica: i64, uid: &Uid) -> Result<Vec<Sighting>> {
        self.all(
            &format!("SELECT {SIGHTING} FROM sightings s WHERE replica = ?1 AND uid = ?2 AND gone = 0 ORDER BY id"),
            params![replica, uid.as_str()],
            sighting,
        )
    }

    /// What is said to be gone and not confirmed, of a kind at one replica. It may be all that stands there.
    pub fn claims(&self, replica: i64, kind: Kind) -> Result<Vec<Claim>> {
        self.all(
            // What is greater than 0 is what the index has.
            "SELECT s.id, s.item, s.collection, s.remote_id, s.observed FROM sightings s
             JOIN collections c ON c.id = s.collection AND c.kind = ?2
             WHERE s.replica = ?1 AND s.gone > 0 AND s.gone = 1 ORDER BY s.id",
            params![replica, kind.as_str()],
            |row| {
                Ok(Claim {
                    id: row.get(0)?,
                    item: row.get(1)?,
                    collection: row.get(2)?,
                    remote_id: RemoteId(row.get(3)?),
                    observed_ms: row.get(4)?,
                })
            },
        )
    }

    /// Notes which items of a kind every place that had them has let go of. Only those `places` are believed that were read to their end just
    /// now: what was told before may be otherwise by now.
    pub fn find_let_go(&mut self, kind: Kind, places: &[i64]) -> Result<()> {
        self.run("DELETE FROM let_go", [])?;
        self.run(FIND_LET_GO, params![kind.as_str(), serde_json::Value::from(places).to_string()])
    }

    /// Whether every place that had an item has let go of it ([`Hub::find_let_go`]).
    pub fn is_let_go(&self, item: i64) -> Result<bool> {
        Ok(self.count("SELECT count(*) FROM let_go WHERE item = ?1", [item])? > 0)
    }

    /// How many copies a replica holds in a collection, but for items that every place has let go of.
    pub fn copies_had(&self, replica: i64, collection: i64) -> Result<usize> {
        self.count(
            "SELECT count(*) FROM placements WHERE replica = ?1 AND collection = ?2 AND item NOT IN (SELECT item FROM let_go)",
            params![replica, collection],
        )
    }

    /// What is held of removals at a replica, and would remove nothing any more: nobody has it now, or it stands elsewhere.
    pub fn removals_to_free(&self, replica: i64) -> Result<Vec<i64>> {
        let held = "SELECT s.id FROM holds h CROSS JOIN sightings s ON s.hold = h.id
                    WHERE s.replica = ?1 AND h.replica = ?1 AND h.cause = 'deletes' AND h.approved = 0";
        let mut held: Vec<i64> = self.all(held, [replica], |row| row.get(0))?;
        if !held.is_empty() {
            let going = self.all(&format!("SELECT id FROM ({GOING})"), [replica], |row| row.get(0))?;
            let going: HashSet<i64> = going.into_iter().collect();
            held.retain(|sighting| !going.contains(sighting));
        }
        Ok(held)
    }

    /// These wait for no word any more.
    pub fn free_removals(&mut self, sightings: &[i64]) -> Result<()> {
        for sighting in sightings {
            self.run(
                "INSERT OR IGNORE INTO todo SELECT item FROM sightings WHERE id = ?1 AND item IS NOT NULL",
                [sighting],
            )?;
            self.run("UPDATE sightings SET hold = NULL WHERE id = ?1", [sighting])?;
        }
        Ok(())
    }

    /// Confirmed removals by collection of one replica that no approved hold covers: collection, how many. What stands in another
    /// collection there has moved, unless that is the trash.
    pub fn gone_by_collection(&self, replica: i64) -> Result<Vec<(i64, usize)>> {
        self.all(&format!("SELECT collection, count(*) FROM ({GOING}) GROUP BY collection"), [replica], |row| {
            Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs() as usize))
        })
    }

    /// Known copies of a collection that are said to be gone: key, name, collection.
    pub fn said_gone_in(&self, replica: i64, collection: i64) -> Result<Vec<(i64, RemoteId, i64)>> {
        self.all(
            "SELECT id, remote_id, collection FROM sightings WHERE replica = ?1 AND collection = ?2 AND gone > 0 LIMIT 200",
            params![replica, collection],
            |row| Ok((row.get(0)?, RemoteId(row.get(1)?), row.get(2)?)),
        )
    }

    /// How many known copies of each collection of a replica look different now and are under no approved hold.
    pub fn changed_by_collection(&self, replica: i64) -> Result<Vec<(i64, usize)>> {
        self.all(
            "SELECT collection, count(*) FROM sightings WHERE replica = ?1 AND gone = 0 AND item IS NOT NULL
               AND (hold IS NULL OR hold NOT IN (SELECT id FROM holds WHERE approved = 1)) GROUP BY collection",
            [replica],
            |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs() as usize)),
        )
    }

    /// The known copies of a collection that look different now.
    pub fn changed(&self, replica: i64, collection: i64) -> Result<Vec<Sighting>> {
        self.all(
            &format!("SELECT {SIGHTING} FROM sightings s WHERE replica = ?1 AND collection = ?2 AND gone = 0 AND item IS NOT NULL"),
            params![replica, collection],
            sighting,
        )
    }

    /// Somebody approved that a collection is gone at a replica: all its copies there are, but for those that were moved out before. Returns how
    /// many copies are noted there.
    pub fn bury_collection(&mut self, replica: i64, collection: i64, hold: &str, now_ms: i64) -> Result<usize> {
        self.run(
            "INSERT INTO sightings (replica, collection, remote_id, item, gone, observed, hold)
             SELECT replica, collection, remote_id, item, 2, ?4, ?3 FROM placements WHERE replica = ?1 AND collection = ?2
             ON CONFLICT (replica, remote_id) DO UPDATE SET gone = 2, hold = ?3
             WHERE sightings.gone <> 0 OR sightings.collection = excluded.collection",
            params![replica, collection, hold, now_ms],
        )?;
        self.run(
            "INSERT OR IGNORE INTO todo SELECT item FROM placements WHERE replica = ?1 AND collection = ?2",
            params![replica, collection],
        )?;
        self.copies(replica, collection)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leaves_is_found_without_going_through_all_copies() {
        let hub = Hub::in_memory().unwrap();
        let plan = hub.all(&format!("EXPLAIN QUERY PLAN {GOING}"), [1], |row| row.get::<_, String>(3)).unwrap();
        let of_copies: Vec<&String> = plan.iter().filter(|step| step.contains(" p ") || step.contains(" o ")).collect();
        assert!(of_copies.len() >= 3, "{plan:?}");
        assert!(of_copies.iter().all(|step| step.contains("remote_id=?") || step.contains("item=?")), "{plan:?}");
    }
}
