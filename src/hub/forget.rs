//! A place that is forgotten, with all that was known of it alone: items, versions, copies, questions, reports, budgets.
//!
//! What another provider also holds stays: an item of joined collections, without those of its earlier versions that came from the place
//! that goes. Of a device only what nobody else has goes. Nothing is told to anybody: no place is written to here.

use crate::{Hub, Store, broken};
use rusqlite::params;
use std::path::{Path, PathBuf};
use twofold_model::{CollectionId, Error, ErrorKind, Etag, Kind, RemoteId, Result};

/// What goes with a place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Toll {
    /// Collections that nobody else has.
    pub collections: usize,
    /// Items that nobody else has.
    pub items: usize,
    /// Of these, deleted ones that no provider holds any more: whose they were is not known.
    pub of_nobody: usize,
    /// Items that stay, because another provider holds them too.
    pub shared: usize,
    /// Versions, of all that goes and of what was said there of items that stay.
    pub versions: usize,
    /// Copies of what goes in device folders.
    pub files: usize,
    /// Of these, files in folders of joined collections, which stay in step with another provider.
    pub joined_files: usize,
    /// Open conflicts in which it has a part: what is shown stays.
    pub conflicts: usize,
}

/// A copy in a device folder of what goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirrored {
    /// Whose folder.
    pub device: String,
    /// The kind.
    pub kind: Kind,
    /// The device's name for the collection.
    pub collection: CollectionId,
    /// The device's name for the copy.
    pub remote_id: RemoteId,
    /// The state that was agreed on.
    pub etag: Etag,
}

/// The collections and items that nobody else has, as tables of this connection. `?1` is the place.
///
/// Of a provider: collections that no other provider has; items that stand in these only, those of a joined collection that no other provider
/// holds, and deleted ones that no other provider has, or ever had, a part in. Of a device: what stands nowhere else.
const OF_PROVIDER: &str = "
    INSERT INTO temp.leaving_collections SELECT c.id FROM collections c
      WHERE (c.origin = :r OR EXISTS (SELECT 1 FROM places p WHERE p.collection = c.id AND p.replica = :r))
        AND NOT EXISTS (SELECT 1 FROM others o WHERE o.id = c.origin)
        AND NOT EXISTS (SELECT 1 FROM places p JOIN others o ON o.id = p.replica WHERE p.collection = c.id);
    INSERT INTO temp.leaving SELECT DISTINCT s.item FROM stands s JOIN temp.leaving_collections l ON l.id = s.collection
      WHERE NOT EXISTS (SELECT 1 FROM stands t WHERE t.item = s.item AND t.collection NOT IN (SELECT id FROM temp.leaving_collections));
    INSERT OR IGNORE INTO temp.leaving SELECT p.item FROM placements p
      WHERE p.replica = :r AND NOT EXISTS (SELECT 1 FROM placements q JOIN others o ON o.id = q.replica WHERE q.item = p.item)
        AND NOT EXISTS (SELECT 1 FROM stands t JOIN places b ON b.collection = t.collection JOIN others o ON o.id = b.replica
              WHERE t.item = p.item AND NOT EXISTS (SELECT 1 FROM places c WHERE c.collection = t.collection AND c.replica = :r));
    INSERT OR IGNORE INTO temp.leaving SELECT i.id FROM items i
      WHERE NOT EXISTS (SELECT 1 FROM stands t WHERE t.item = i.id)
        AND NOT EXISTS (SELECT 1 FROM placements q JOIN others o ON o.id = q.replica WHERE q.item = i.id)
        AND NOT EXISTS (SELECT 1 FROM versions v JOIN others o ON o.id = v.source WHERE v.item = i.id);";
const OF_DEVICE: &str = "
    INSERT INTO temp.leaving_collections SELECT c.id FROM collections c
      WHERE c.origin = :r AND NOT EXISTS (SELECT 1 FROM places p WHERE p.collection = c.id AND p.replica <> :r);
    INSERT INTO temp.leaving SELECT DISTINCT s.item FROM stands s JOIN temp.leaving_collections l ON l.id = s.collection
      WHERE NOT EXISTS (SELECT 1 FROM stands t WHERE t.item = s.item AND t.collection NOT IN (SELECT id FROM temp.leaving_collections));";

/// Versions that came from the place, of items that stay, and that nothing needs.
const SAID_THERE: &str = "
    SELECT v.id FROM versions v JOIN items i ON i.id = v.item
    WHERE v.source = ?1 AND v.item NOT IN (SELECT item FROM temp.leaving) AND i.version <> v.id
      AND NOT EXISTS (SELECT 1 FROM placements p WHERE p.agreed = v.id AND p.replica <> ?1)
      AND NOT EXISTS (SELECT 1 FROM intents n WHERE n.version = v.id AND n.replica <> ?1)
      AND NOT EXISTS (SELECT 1 FROM held_writes h WHERE h.version = v.id AND h.replica <> ?1)
      AND v.id NOT IN (SELECT shown FROM conflicts WHERE replica <> ?1 UNION SELECT other FROM conflicts WHERE replica <> ?1)";

impl Hub {
    /// Notes that a place is being forgotten: until that is through nothing is read or written there, also after a stop.
    pub fn begin_forgetting(&mut self, name: &str) -> Result<()> {
        self.set_meta(&forgetting(name), "yes")
    }

    /// Whether a place is being forgotten.
    pub fn is_being_forgotten(&self, name: &str) -> Result<bool> {
        Ok(self.meta(&forgetting(name))?.is_some())
    }

    /// Notes that the files of a place that is being forgotten are gone from the folder of a device: what is missing there is no disk that
    /// is absent.
    pub fn note_files_gone(&mut self, name: &str, device: &str) -> Result<()> {
        self.set_meta(&format!("{}: {device}", forgetting(name)), "gone")
    }

    /// Whether that was noted.
    pub fn are_files_gone(&self, name: &str, device: &str) -> Result<bool> {
        Ok(self.meta(&format!("{}: {device}", forgetting(name)))?.is_some())
    }

    /// What would go with a place; nothing where the hub does not know it.
    pub fn toll(&mut self, name: &str) -> Result<Toll> {
        let Some(replica) = self.known_replica(name)? else { return Ok(Toll::default()) };
        self.gather(replica)?;
        let (id, is_provider) = replica;
        let said_there =
            if is_provider { self.count(&format!("SELECT count(*) FROM ({SAID_THERE})"), [id])? } else { 0 };
        let of_leaving =
            self.count("SELECT count(*) FROM versions WHERE item IN (SELECT item FROM temp.leaving)", [])?;
        Ok(Toll {
            collections: self.count("SELECT count(*) FROM temp.leaving_collections", [])?,
            items: self.count("SELECT count(*) FROM temp.leaving", [])?,
            of_nobody: self.count(
                "SELECT count(*) FROM temp.leaving l WHERE NOT EXISTS (SELECT 1 FROM stands s WHERE s.item = l.item)
                   AND NOT EXISTS (SELECT 1 FROM placements p WHERE p.item = l.item AND p.replica = ?1)
                   AND NOT EXISTS (SELECT 1 FROM versions v WHERE v.item = l.item AND v.source = ?1)",
                [id],
            )?,
            shared: self.count(
                "SELECT count(DISTINCT item) FROM placements WHERE replica = ?1 AND item NOT IN (SELECT item FROM temp.leaving)",
                [id],
            )?,
            versions: of_leaving + said_there,
            files: self.mirrored(name)?.len(),
            joined_files: self.count(
                "SELECT count(*) FROM placements p JOIN replicas r ON r.id = p.replica
                 WHERE ?1 AND r.is_device AND p.item IN (SELECT item FROM temp.leaving)
                   AND p.collection NOT IN (SELECT id FROM temp.leaving_collections)",
                [is_provider],
            )?,
            conflicts: self.count(
                "SELECT count(*) FROM conflicts WHERE replica = ?1 AND resolved IS NULL AND item NOT IN (SELECT item FROM temp.leaving)",
                [id],
            )?,
        })
    }

    /// The copies in device folders that go: of a provider, those of what nobody else has; of a device, all in its own folder.
    pub fn mirrored(&mut self, name: &str) -> Result<Vec<Mirrored>> {
        let Some((id, is_provider)) = self.known_replica(name)? else { return Ok(Vec::new()) };
        self.gather((id, is_provider))?;
        let sql = "
             SELECT r.name, c.kind, b.remote_id, p.remote_id, p.etag FROM placements p JOIN replicas r ON r.id = p.replica
             JOIN collections c ON c.id = p.collection JOIN places b ON b.collection = p.collection AND b.replica = p.replica
             WHERE iif(?2, r.is_device AND p.item IN (SELECT item FROM temp.leaving), p.replica = ?1)
             ORDER BY r.name, c.kind, p.id";
        self.all(sql, params![id, is_provider], |row| {
            Ok(Mirrored {
                device: row.get(0)?,
                kind: Kind::from_name(row.get_ref(1)?.as_str()?).unwrap_or(Kind::Contacts),
                collection: CollectionId(row.get(2)?),
                remote_id: RemoteId(row.get(3)?),
                etag: Etag(row.get(4)?),
            })
        })
    }

    /// The folders on devices of collections that go: device, kind, and the device's name for it.
    pub fn mirrored_collections(&mut self, name: &str) -> Result<Vec<(String, Kind, CollectionId)>> {
        let Some((id, is_provider)) = self.known_replica(name)? else { return Ok(Vec::new()) };
        self.gather((id, is_provider))?;
        let sql = "
             SELECT r.name, c.kind, b.remote_id FROM places b JOIN replicas r ON r.id = b.replica
             JOIN collections c ON c.id = b.collection
             WHERE iif(?2, r.is_device AND b.collection IN (SELECT id FROM temp.leaving_collections), b.replica = ?1)
             ORDER BY r.name, b.id DESC";
        self.all(sql, params![id, is_provider], |row| {
            let kind = Kind::from_name(row.get_ref(1)?.as_str()?).unwrap_or(Kind::Contacts);
            Ok((row.get(0)?, kind, CollectionId(row.get(2)?)))
        })
    }

    /// Forgets a place and all that nobody else has. What is deleted is overwritten ([`Hub::wipe_free_space`] does the rest).
    ///
    /// Keeps promise 12: it is one transaction; after a stop before its end everything is there, and it is typed again.
    pub fn forget(&mut self, name: &str) -> Result<()> {
        // Cannot be changed inside a transaction.
        self.connection.execute_batch("PRAGMA secure_delete = ON").store()?;
        let known = self.known_replica(name)?;
        if let Some(replica) = known {
            self.gather(replica)?;
        }
        self.atomically("forget", |hub| {
            hub.connection.execute_batch("PRAGMA defer_foreign_keys = ON").store()?;
            if let Some((id, is_provider)) = known {
                hub.forget_items()?;
                if is_provider {
                    hub.forget_what_was_said(id)?;
                }
                hub.forget_replica(id)?;
                hub.forget_collections(id)?;
                hub.run("DELETE FROM replicas WHERE id = ?1", [id])?;
                let own = format!("* {id}");
                hub.run("DELETE FROM meta WHERE key GLOB ?1 OR key GLOB ?1 || ' *'", [own])?;
            }
            hub.run("DELETE FROM budgets WHERE name = ?1 OR name GLOB ?1 || ' *'", [name])?;
            // A report may say what an item is called.
            hub.run("UPDATE runs SET report = NULL", [])?;
            hub.run("DELETE FROM meta WHERE key = ?1 OR key GLOB ?1 || ': *'", [forgetting(name)])
        })
    }

    /// Writes the hub anew, so that nothing of what was deleted is left in its file or its log.
    pub fn wipe_free_space(&mut self) -> Result<()> {
        self.connection.execute_batch("PRAGMA secure_delete = ON; VACUUM").store()?;
        let (busy, _, _): (i64, i64, i64) = self
            .connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .map_err(broken)?;
        if busy != 0 {
            let words = "another process reads the hub, so its log could not be emptied; close it, then type the same once more";
            return Err(Error::new(ErrorKind::Throttled { retry_after_s: None }, words));
        }
        Ok(())
    }

    /// The key of a place that the hub knows, and whether it is a provider.
    fn known_replica(&self, name: &str) -> Result<Option<(i64, bool)>> {
        self.one("SELECT id, NOT is_device FROM replicas WHERE name = ?1", [name], |row| Ok((row.get(0)?, row.get(1)?)))
    }

    /// Fills the tables of what goes.
    fn gather(&self, (id, is_provider): (i64, bool)) -> Result<()> {
        self.connection
            .execute_batch(
                "CREATE TABLE IF NOT EXISTS temp.leaving_collections (id INTEGER PRIMARY KEY);
                 CREATE TABLE IF NOT EXISTS temp.leaving (item INTEGER PRIMARY KEY);
                 DELETE FROM temp.leaving_collections; DELETE FROM temp.leaving;",
            )
            .store()?;
        let sql = if is_provider { OF_PROVIDER } else { OF_DEVICE };
        let others = format!("(SELECT id FROM replicas WHERE NOT is_device AND id <> {id})");
        // The key is a number of ours; statements in a row take no parameters.
        let sql = sql.replace("others o", &format!("{others} o")).replace(":r", &id.to_string());
        self.connection.execute_batch(&sql).store()
    }

    fn forget_items(&mut self) -> Result<()> {
        for table in [
            "placements",
            "sightings",
            "intents",
            "quarantine",
            "withheld",
            "conflicts",
            "held_writes",
            "former_marks",
            "todo",
            "stands",
            "versions",
        ] {
            self.run(&format!("DELETE FROM {table} WHERE item IN (SELECT item FROM temp.leaving)"), [])?;
        }
        self.run("DELETE FROM items WHERE id IN (SELECT item FROM temp.leaving)", [])
    }

    /// What was said there of items that stay: what nothing needs goes, of the rest it is not known any more where it came from.
    fn forget_what_was_said(&mut self, replica: i64) -> Result<()> {
        for parent in ["parent", "parent2"] {
            let sql = format!("UPDATE versions SET {parent} = NULL WHERE {parent} IN ({SAID_THERE})");
            self.run(&sql, [replica])?;
        }
        self.run("DELETE FROM conflicts WHERE replica = ?1", [replica])?;
        self.run(&format!("DELETE FROM versions WHERE id IN ({SAID_THERE})"), [replica])
    }

    fn forget_replica(&mut self, replica: i64) -> Result<()> {
        for table in [
            "placements",
            "sightings",
            "intents",
            "quarantine",
            "withheld",
            "departed",
            "left_out",
            "feeds",
            "listed",
            "held_writes",
            "holds",
            "removals",
            "conflicts",
            "places",
        ] {
            self.run(&format!("DELETE FROM {table} WHERE replica = ?1"), [replica])?;
        }
        self.run("DELETE FROM offers WHERE origin = ?1", [replica])?;
        self.run("UPDATE versions SET source = NULL WHERE source = ?1", [replica])
    }

    fn forget_collections(&mut self, replica: i64) -> Result<()> {
        for table in ["feeds", "listed"] {
            self.run(
                &format!(
                    "DELETE FROM {table} WHERE (replica, feed) IN (SELECT replica, remote_id FROM places
                     WHERE collection IN (SELECT id FROM temp.leaving_collections))"
                ),
                [],
            )?;
        }
        for table in [
            "placements",
            "sightings",
            "intents",
            "quarantine",
            "withheld",
            "left_out",
            "held_writes",
            "holds",
            "removals",
            "stands",
            "places",
        ] {
            let sql = format!("DELETE FROM {table} WHERE collection IN (SELECT id FROM temp.leaving_collections)");
            self.run(&sql, [])?;
        }
        self.run(
            "UPDATE collections SET successor = NULL WHERE successor IN (SELECT id FROM temp.leaving_collections)",
            [],
        )?;
        self.note_last_collection()?;
        self.run("DELETE FROM collections WHERE id IN (SELECT id FROM temp.leaving_collections)", [])?;
        // One that stays is from now on that of whoever has it, a provider before a device.
        self.run(
            "UPDATE collections SET origin = (SELECT p.replica FROM places p JOIN replicas r ON r.id = p.replica
               WHERE p.collection = collections.id ORDER BY r.is_device, p.replica LIMIT 1)
             WHERE origin = ?1 AND EXISTS (SELECT 1 FROM places p WHERE p.collection = collections.id)",
            params![replica],
        )?;
        // A former one of which nothing stands anywhere.
        self.run("DELETE FROM collections WHERE origin = ?1", [replica])
    }
}

fn forgetting(name: &str) -> String {
    format!("forgetting {name}")
}

/// Removes the copies of the hub beside it: of earlier schemas, and those that a backup replaced. Answers how many.
///
/// # Errors
/// Where one cannot be removed.
pub fn remove_copies(dir: &Path) -> Result<usize> {
    let failed = |path: &Path, error: std::io::Error| {
        Error::new(ErrorKind::Broken, format!("cannot remove {}: {error}", path.display())).with_source(error)
    };
    let entries = std::fs::read_dir(dir).map_err(|error| failed(dir, error))?;
    let is_copy = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        name.starts_with("hub.sqlite.v") || name.starts_with("hub.sqlite.replaced") || name == "restoring"
    };
    let mut removed = 0;
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())).filter(is_copy) {
        let done = if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
        done.map_err(|error| failed(&path, error))?;
        removed += 1;
    }
    Ok(removed)
}
