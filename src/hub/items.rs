//! Items, their versions and where they stand; what is still to be settled.

use crate::{Hub, list, random_id};
use rusqlite::{Row, params};
use std::collections::BTreeSet;
use twofold_model::{BlobId, Content, Error, ErrorKind, Facts, Kind, Mark, Result, Uid};

/// One item, held once.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// The hub's key.
    pub id: i64,
    /// The id that marks carry.
    pub mark: String,
    /// What it is.
    pub kind: Kind,
    /// The name it keeps everywhere.
    pub uid: Uid,
    /// Its current version.
    pub version: i64,
    /// Rises with each new create after a delete.
    pub generation: u32,
    /// Since when it is buried.
    pub buried_ms: Option<i64>,
    /// When a message was received, in milliseconds since 1970, as the first place that had it said.
    pub dated_ms: Option<i64>,
}

/// The columns of an [`Item`], in the order in which it is read: by number, because it is read for every item.
const ITEM: &str = "id, mark, kind, uid, version, generation, buried, dated";

fn item(row: &Row<'_>) -> rusqlite::Result<Item> {
    let kind = row.get_ref(2)?.as_str()?;
    Ok(Item {
        id: row.get(0)?,
        mark: row.get(1)?,
        kind: Kind::from_name(kind).unwrap_or(Kind::Contacts),
        uid: Uid(row.get(3)?),
        version: row.get(4)?,
        generation: row.get(5)?,
        buried_ms: row.get(6)?,
        dated_ms: row.get(7)?,
    })
}

/// One unchanging content of an item.
#[derive(Clone, Debug, PartialEq)]
pub struct Version {
    /// The hub's key.
    pub id: i64,
    /// The item.
    pub item: i64,
    /// What it says.
    pub content: Content,
    /// When it was made, in milliseconds since 1970.
    pub at_ms: i64,
    /// The rank of the place it came from.
    pub rank: u8,
    /// The replica that it came from.
    pub source: Option<i64>,
}

/// Where a new version comes from.
#[derive(Clone, Copy, Debug)]
pub struct Origin {
    /// When it was made, in milliseconds since 1970.
    pub at_ms: i64,
    /// The rank of the place.
    pub rank: u8,
    /// The replica.
    pub source: Option<i64>,
}

impl Hub {
    /// Takes a new item into a collection, with what its first place says of it (`facts`: its date and its size are kept). Without a UID of
    /// its own it gets one.
    pub fn add_item(
        &mut self,
        kind: Kind,
        uid: Option<&Uid>,
        (content, facts): (&Content, &Facts),
        origin: Origin,
        collection: i64,
    ) -> Result<Item> {
        let mark = random_id();
        let uid = uid.cloned().unwrap_or_else(|| {
            let (a, b, c, d, e) = (&mark[..8], &mark[8..12], &mark[12..16], &mark[16..20], &mark[20..]);
            Uid(format!("{a}-{b}-{c}-{d}-{e}"))
        });
        let blob = content.get("blobId").and_then(serde_json::Value::as_str);
        let size = facts.size.map(|size| i64::try_from(size).unwrap_or(i64::MAX));
        // The row of a version names its item, which has to be there; SQLite gives it the number after the highest. (INSERT … SELECT, of which
        // there may be many rows, would make SQLite keep each page twice.)
        let id = self.insert(
            "INSERT INTO items (mark, kind, uid, version, blob, dated, size)
             VALUES (?1, ?2, ?3, (SELECT coalesce(max(id), 0) + 1 FROM versions), ?4, ?5, ?6)",
            params![mark, kind.as_str(), uid.as_str(), blob, facts.dated_ms, size],
        )?;
        let version = self.insert_version(id, content, origin, None, None)?;
        self.run("INSERT INTO stands VALUES (?1, ?2)", params![id, collection])?;
        self.add_todo(id)?;
        Ok(Item { id, mark, kind, uid, version, generation: 1, buried_ms: None, dated_ms: facts.dated_ms })
    }

    /// Gives an item another name.
    pub fn set_uid(&mut self, item: i64, uid: &Uid) -> Result<()> {
        self.run("UPDATE items SET uid = ?2 WHERE id = ?1", params![item, uid.as_str()])
    }

    /// Notes how large a message is by now, whose bytes changed (a draft that somebody goes on writing).
    pub fn resize_item(&mut self, item: i64, size: u64) -> Result<()> {
        let size = i64::try_from(size).unwrap_or(i64::MAX);
        self.run("UPDATE items SET size = ?2 WHERE id = ?1 AND size IS NOT ?2", params![item, size])
    }

    /// The items whose current version has these bytes, oldest first.
    pub fn items_by_blob(&self, blob: &BlobId) -> Result<Vec<Item>> {
        self.all(&format!("SELECT {ITEM} FROM items WHERE blob = ?1 ORDER BY id"), [blob.as_str()], item)
    }

    /// One item.
    pub fn item(&self, id: i64) -> Result<Item> {
        self.one(&format!("SELECT {ITEM} FROM items WHERE id = ?1"), [id], item)?
            .ok_or_else(|| Error::new(ErrorKind::Broken, format!("the hub names item {id}, which it does not hold")))
    }

    /// One item with its current version.
    pub fn item_and_version(&self, id: i64) -> Result<(Item, Version)> {
        let sql = "SELECT i.id, mark, kind, uid, i.version, generation, buried, dated, content, at, rank, source
                   FROM items i JOIN versions v ON v.id = i.version WHERE i.id = ?1";
        let found = self.one(sql, [id], |row| {
            let item = item(row)?;
            let content = serde_json::from_str::<Content>(row.get_ref(8)?.as_str()?);
            Ok((content, row.get(9)?, row.get(10)?, row.get(11)?, item))
        })?;
        let Some((content, at_ms, rank, source, item)) = found else {
            return Err(Error::new(ErrorKind::Broken, format!("the hub names item {id}, which it does not hold")));
        };
        let content = content.map_err(|error| {
            Error::new(ErrorKind::Broken, format!("version {} cannot be read", item.version)).with_source(error)
        })?;
        let version = Version { id: item.version, item: id, content, at_ms, rank, source };
        Ok((item, version))
    }

    /// The item that a mark of ours names.
    pub fn item_by_mark(&self, mark: &Mark) -> Result<Option<Item>> {
        if mark.hub != self.id() {
            return Ok(None);
        }
        if let Some(named) = self.one(&format!("SELECT {ITEM} FROM items WHERE mark = ?1"), [&mark.item], item)? {
            return Ok(Some(named));
        }
        let sql = format!("SELECT {ITEM} FROM items WHERE id = (SELECT item FROM former_marks WHERE mark = ?1)");
        self.one(&sql, [&mark.item], item)
    }

    /// The items of a kind with that UID, oldest first.
    pub fn items_by_uid(&self, kind: Kind, uid: &Uid) -> Result<Vec<Item>> {
        self.all(
            &format!("SELECT {ITEM} FROM items WHERE uid = ?1 AND kind = ?2 ORDER BY id"),
            params![uid.as_str(), kind.as_str()],
            item,
        )
    }

    /// Whether no item is held at all: the hub is new, or was lost.
    pub fn is_empty(&self) -> Result<bool> {
        Ok(self.count("SELECT count(*) FROM (SELECT 1 FROM items LIMIT 1)", [])? == 0)
    }

    /// Where an item stands.
    pub fn stands(&self, item: i64) -> Result<BTreeSet<i64>> {
        Ok(self.all("SELECT collection FROM stands WHERE item = ?1", [item], |row| row.get(0))?.into_iter().collect())
    }

    /// Those of the items that stand in more than one collection.
    pub fn stand_in_several(&self, items: &[i64]) -> Result<BTreeSet<i64>> {
        let several = self.all(
            "SELECT item FROM stands WHERE item IN (SELECT value FROM json_each(?1)) GROUP BY item HAVING count(*) > 1",
            [list(items)],
            |row| row.get(0),
        )?;
        Ok(several.into_iter().collect())
    }

    /// Sets where an item stands; nowhere: it is buried from `now_ms` on (a tombstone), somewhere: it lives.
    pub fn set_stands(&mut self, item: i64, collections: &BTreeSet<i64>, now_ms: i64) -> Result<()> {
        self.run("DELETE FROM stands WHERE item = ?1", [item])?;
        for collection in collections {
            self.run("INSERT INTO stands VALUES (?1, ?2)", params![item, collection])?;
        }
        let buried = collections.is_empty().then_some(now_ms);
        self.run(
            "UPDATE items SET buried = CASE WHEN ?2 IS NULL THEN NULL ELSE coalesce(buried, ?2) END WHERE id = ?1",
            params![item, buried],
        )?;
        self.note_aging(item)?;
        self.add_todo(item)
    }

    /// How many items stand in a collection.
    pub fn size(&self, collection: i64) -> Result<usize> {
        self.count("SELECT count(*) FROM stands WHERE collection = ?1", [collection])
    }

    /// Keeps a version without making it the current one.
    pub fn add_version(
        &mut self,
        item: i64,
        content: &Content,
        origin: Origin,
        parent: Option<i64>,
        parent2: Option<i64>,
    ) -> Result<i64> {
        let version = self.insert_version(item, content, origin, parent, parent2)?;
        self.run("INSERT INTO aging VALUES (?1, 0)", [version])?;
        Ok(version)
    }

    fn insert_version(
        &mut self,
        item: i64,
        content: &Content,
        origin: Origin,
        parent: Option<i64>,
        parent2: Option<i64>,
    ) -> Result<i64> {
        let text = serde_json::to_string(content).map_err(|error| {
            Error::new(ErrorKind::Broken, "an item's content cannot be written as JSON").with_source(error)
        })?;
        self.insert(
            "INSERT INTO versions (item, content, at, rank, source, parent, parent2) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![item, text, origin.at_ms, origin.rank, origin.source, parent, parent2],
        )
    }

    /// Makes a version the current one.
    pub fn set_version(&mut self, item: i64, version: i64) -> Result<()> {
        self.run(
            "UPDATE items SET version = ?2, blob = iif(kind = 'mail', (SELECT content ->> 'blobId' FROM versions WHERE id = ?2), NULL)
             WHERE id = ?1",
            params![item, version],
        )?;
        self.note_aging(item)?;
        self.add_todo(item)
    }

    /// The current version of a living item does not age (promise 4). Every other one does, from the end of this run on if it
    /// did not before.
    pub(crate) fn note_aging(&mut self, item: i64) -> Result<()> {
        self.run(
            "DELETE FROM aging WHERE version = (SELECT version FROM items WHERE id = ?1 AND buried IS NULL)",
            [item],
        )?;
        self.run(
            "INSERT OR IGNORE INTO aging SELECT v.id, 0 FROM versions v JOIN items i ON i.id = v.item
             WHERE v.item = ?1 AND (v.id <> i.version OR i.buried IS NOT NULL)",
            [item],
        )
    }

    /// One version.
    pub fn version(&self, id: i64) -> Result<Version> {
        let found = self.one("SELECT item, content, at, rank, source FROM versions WHERE id = ?1", [id], |row| {
            let content = serde_json::from_str::<Content>(row.get_ref(1)?.as_str()?);
            Ok((row.get(0)?, content, row.get(2)?, row.get(3)?, row.get(4)?))
        })?;
        let missing = || Error::new(ErrorKind::Broken, format!("the hub names version {id}, which it does not hold"));
        let (item, content, at_ms, rank, source) = found.ok_or_else(missing)?;
        let content = content.map_err(|error| {
            Error::new(ErrorKind::Broken, format!("version {id} cannot be read")).with_source(error)
        })?;
        Ok(Version { id, item, content, at_ms, rank, source })
    }

    /// The keys of all versions of an item, oldest first.
    pub fn versions_of(&self, item: i64) -> Result<Vec<i64>> {
        self.all("SELECT id FROM versions WHERE item = ?1 ORDER BY id", [item], |row| row.get(0))
    }

    /// Whether nobody but devices ever said anything of an item, and no provider shows it.
    pub fn comes_from_devices(&self, item: i64) -> Result<bool> {
        let of_others = self.count(
            "SELECT count(*) FROM (
                 SELECT source FROM versions WHERE item = ?1
                 UNION ALL SELECT replica FROM placements WHERE item = ?1
                 UNION ALL SELECT replica FROM sightings WHERE item = ?1)
             WHERE source IS NULL OR source NOT IN (SELECT id FROM replicas WHERE is_device = 1)",
            [item],
        )?;
        Ok(of_others == 0)
    }

    /// The next create of this item is a new one: its mark must differ from the one that was deleted.
    pub fn next_generation(&mut self, item: i64) -> Result<()> {
        self.run("UPDATE items SET generation = generation + 1 WHERE id = ?1", [item])
    }

    /// The item is to be looked at by the next decision.
    pub fn add_todo(&mut self, item: i64) -> Result<()> {
        self.run("INSERT OR IGNORE INTO todo VALUES (?1)", [item])
    }

    /// The item is settled everywhere.
    pub fn done(&mut self, item: i64) -> Result<()> {
        self.run("DELETE FROM todo WHERE item = ?1", [item])
    }

    /// The next items of a kind to look at after `after`, at most `most`.
    pub fn todo(&self, kind: Kind, after: i64, most: usize) -> Result<Vec<i64>> {
        self.all(
            "SELECT t.item FROM todo t JOIN items i ON i.id = t.item WHERE t.item > ?1 AND i.kind = ?2 ORDER BY t.item LIMIT ?3",
            params![after, kind.as_str(), i64::try_from(most).unwrap_or(i64::MAX)],
            |row| row.get(0),
        )
    }

    /// How many items wait to be settled.
    pub fn todo_count(&self) -> Result<usize> {
        self.count("SELECT count(*) FROM todo", [])
    }

    /// Everything that a replica that comes back may need is to be looked at again, computed from its bases (ENGINE 23).
    pub fn todo_for_returned(&mut self, replica: i64) -> Result<()> {
        self.run(
            "INSERT OR IGNORE INTO todo
             SELECT p.item FROM placements p JOIN items i ON i.id = p.item
             WHERE p.replica = ?1 AND (p.agreed <> i.version OR NOT EXISTS
                   (SELECT 1 FROM stands s WHERE s.item = p.item AND s.collection = p.collection))",
            [replica],
        )?;
        self.run(
            "INSERT OR IGNORE INTO todo
             SELECT s.item FROM stands s JOIN places l ON l.collection = s.collection AND l.replica = ?1
             WHERE NOT EXISTS (SELECT 1 FROM placements p
                   WHERE p.item = s.item AND p.replica = ?1 AND p.collection = s.collection)",
            [replica],
        )
    }

    /// Items standing in a collection that have no copy at a replica yet, with their content.
    pub fn waiting_for_copy(&self, replica: i64, collection: i64) -> Result<Vec<(i64, i64)>> {
        self.all(
            "SELECT s.item, i.version FROM stands s JOIN items i ON i.id = s.item
             WHERE s.collection = ?2 AND NOT EXISTS (SELECT 1 FROM placements p
                   WHERE p.item = s.item AND p.replica = ?1 AND p.collection = ?2)",
            params![replica, collection],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
    }

    /// Those of [`Hub::waiting_for_copy`] of which no copy was seen there either.
    pub fn unseen_in(&self, replica: i64, collection: i64) -> Result<Vec<(i64, i64)>> {
        self.all(
            "SELECT s.item, i.version FROM stands s JOIN items i ON i.id = s.item
             WHERE s.collection = ?2 AND NOT EXISTS (SELECT 1 FROM placements p
                   WHERE p.item = s.item AND p.replica = ?1 AND p.collection = ?2)
               AND NOT EXISTS (SELECT 1 FROM sightings g
                   WHERE g.item = s.item AND g.replica = ?1 AND g.collection = ?2 AND g.gone = 0)",
            params![replica, collection],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
    }

    /// How many items of a collection are not at a replica, as far as anybody saw.
    pub fn lacking(&self, replica: i64, collection: i64) -> Result<usize> {
        self.count(
            "SELECT count(*) FROM stands s WHERE s.collection = ?2
               AND NOT EXISTS (SELECT 1 FROM placements p
                     WHERE p.item = s.item AND p.replica = ?1 AND p.collection = ?2)
               AND NOT EXISTS (SELECT 1 FROM sightings g
                     WHERE g.item = s.item AND g.replica = ?1 AND g.collection = ?2 AND g.gone = 0)",
            params![replica, collection],
        )
    }

    /// Notes that an item cannot stand at a replica, and why.
    pub fn withhold(&mut self, item: i64, replica: i64, collection: i64, reason: &str) -> Result<()> {
        self.run(
            "INSERT INTO withheld VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE SET reason = ?4",
            params![item, replica, collection, reason],
        )
    }

    /// Nothing keeps the item from that replica any more.
    pub fn release(&mut self, item: i64, replica: i64, collection: i64) -> Result<()> {
        self.run(
            "DELETE FROM withheld WHERE item = ?1 AND replica = ?2 AND collection = ?3",
            params![item, replica, collection],
        )
    }

    /// Nothing keeps these items from their collections at that replica any more.
    pub fn release_all(&mut self, replica: i64, copies: &[(i64, i64)]) -> Result<()> {
        self.run(
            "DELETE FROM withheld WHERE (item, replica, collection) IN (SELECT value ->> 0, ?1, value ->> 1 FROM json_each(?2))",
            params![replica, list(copies)],
        )
    }

    /// Whether something keeps the item from that collection at that replica.
    pub fn is_withheld(&self, item: i64, replica: i64, collection: i64) -> Result<bool> {
        let sql = "SELECT EXISTS (SELECT 1 FROM withheld WHERE item = ?1 AND replica = ?2 AND collection = ?3)";
        Ok(self.one(sql, params![item, replica, collection], |row| row.get(0))?.unwrap_or(false))
    }

    /// What was withheld at a replica for that reason, because of a question that is open no more, is not any longer.
    pub fn release_settled(&mut self, replica: i64, reason: &str) -> Result<()> {
        self.run(
            "DELETE FROM withheld WHERE replica = ?1 AND reason = ?2 AND NOT EXISTS (SELECT 1 FROM sightings s
             WHERE s.item = withheld.item AND s.replica = ?1 AND s.collection = withheld.collection AND s.gone = 1)",
            params![replica, reason],
        )
    }

    /// What is withheld for that reason: item, replica, collection.
    pub fn withheld_for(&self, reason: &str) -> Result<Vec<(i64, i64, i64)>> {
        self.all("SELECT item, replica, collection FROM withheld WHERE reason = ?1", [reason], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
    }

    /// What is withheld: item, replica, collection, reason.
    pub fn withheld(&self) -> Result<Vec<(i64, i64, i64, String)>> {
        self.all("SELECT item, replica, collection, reason FROM withheld ORDER BY item", [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })
    }
}

impl Hub {
    /// Takes an item off the list of what is to be decided when nothing about it is open: no intent, no sighting, every copy
    /// agreed to the current version and standing where the item stands, none missing but where it is withheld. Nothing of a
    /// collection that is left out is open. Else it goes onto the list. A copy that is withheld `but_for` a replica and collection need not agree: the place has said that it cannot.
    pub fn settle_item(&mut self, item: i64, but_for: Option<(i64, i64)>) -> Result<()> {
        self.settle(&[item], but_for)
    }

    /// [`Hub::settle_item`] for several.
    pub fn settle_items(&mut self, items: &[i64]) -> Result<()> {
        self.settle(items, None)
    }

    fn settle(&mut self, items: &[i64], but_for: Option<(i64, i64)>) -> Result<()> {
        let items = list(items);
        self.run("INSERT OR IGNORE INTO todo SELECT value FROM json_each(?1)", [&items])?;
        let (replica, collection) = but_for.unzip();
        self.run(
            "DELETE FROM todo WHERE item IN (SELECT value FROM json_each(?1))
               AND NOT EXISTS (SELECT 1 FROM intents n WHERE n.item = todo.item)
               AND NOT EXISTS (SELECT 1 FROM sightings g WHERE g.item = todo.item)
               AND NOT EXISTS (SELECT 1 FROM placements p JOIN items i ON i.id = p.item
                     WHERE p.item = todo.item AND EXISTS (SELECT 1 FROM collections c WHERE c.id = p.collection AND NOT c.left_out)
                       AND NOT (p.replica IS ?2 AND p.collection IS ?3) AND (p.agreed <> i.version OR NOT EXISTS
                           (SELECT 1 FROM stands s WHERE s.item = p.item AND s.collection = p.collection)))
               AND NOT EXISTS (SELECT 1 FROM stands s JOIN places l ON l.collection = s.collection
                     WHERE s.item = todo.item AND EXISTS (SELECT 1 FROM collections c WHERE c.id = s.collection AND NOT c.left_out)
                       AND NOT EXISTS (SELECT 1 FROM placements p
                           WHERE p.item = s.item AND p.replica = l.replica AND p.collection = s.collection)
                       AND NOT EXISTS (SELECT 1 FROM withheld w
                           WHERE w.item = s.item AND w.replica = l.replica AND w.collection = s.collection))",
            params![items, replica, collection],
        )
    }
}
