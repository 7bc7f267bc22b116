//! Collections that become one, or several, on a hub in use (ENGINE 19): what is known moves along, and no version is lost.

use crate::{Hub, Item, Place};
use rusqlite::params;
use std::collections::{BTreeSet, HashMap};
use twofold_model::{Facts, Result};

impl Hub {
    /// A place stands for another collection from now on, with everything that is known of it: bases, sightings, quarantine,
    /// holds. Its feed goes on.
    pub fn reassign_place(&mut self, place: &Place, to: i64) -> Result<()> {
        for table in ["placements", "sightings", "quarantine", "holds", "held_writes", "removals", "withheld"] {
            self.run(
                &format!("UPDATE {table} SET collection = ?3 WHERE replica = ?1 AND collection = ?2"),
                params![place.replica, place.collection, to],
            )?;
        }
        // Names stay as they are at each place: none is told for this.
        self.run(
            "UPDATE places SET collection = ?2, agreed_name = c.name, agreed_color = c.color
             FROM collections c WHERE places.id = ?1 AND c.id = ?2",
            params![place.id, to],
        )
    }

    /// A collection leaves: nothing stands in it any more, and what still comes from it belongs to its successor.
    pub fn succeed(&mut self, collection: i64, by: i64) -> Result<()> {
        self.run("UPDATE collections SET successor = ?2 WHERE id = ?1", params![collection, by])
    }

    /// The collections that leave, each with the one that took its place for good.
    pub fn successors(&self) -> Result<HashMap<i64, i64>> {
        let direct: HashMap<i64, i64> = self
            .all("SELECT id, successor FROM collections WHERE successor IS NOT NULL", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?
            .into_iter()
            .collect();
        let last = |mut id: i64| {
            while let Some(next) = direct.get(&id) {
                id = *next;
            }
            id
        };
        Ok(direct.keys().map(|id| (*id, last(*id))).collect())
    }

    /// The items that stand in a collection, oldest first.
    pub fn standing(&self, collection: i64) -> Result<Vec<Item>> {
        let ids: Vec<i64> =
            self.all("SELECT item FROM stands WHERE collection = ?1 ORDER BY item", [collection], |row| row.get(0))?;
        ids.into_iter().map(|id| self.item(id)).collect()
    }

    /// Whether a write to a collection is under way, or its fate unknown.
    pub fn is_being_written(&self, collection: i64) -> Result<bool> {
        Ok(self.count("SELECT count(*) FROM intents WHERE collection = ?1", [collection])? > 0)
    }

    /// Whether anything of a collection is kept at a replica: a base, a sighting, a write, something in quarantine.
    pub fn is_kept_at(&self, replica: i64, collection: i64) -> Result<bool> {
        for table in ["placements", "sightings", "intents", "quarantine"] {
            let sql = format!("SELECT count(*) FROM {table} WHERE replica = ?1 AND collection = ?2");
            if self.count(&sql, params![replica, collection])? > 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Two items are one from now on: copies, versions and conflicts of `item` belong to `into`, and marks that name it name
    /// that one.
    pub fn absorb(&mut self, item: &Item, into: &Item) -> Result<()> {
        for table in ["versions", "placements", "sightings", "intents", "conflicts", "quarantine"] {
            self.run(&format!("UPDATE {table} SET item = ?2 WHERE item = ?1"), params![item.id, into.id])?;
        }
        for table in ["withheld", "held_writes"] {
            self.run(&format!("UPDATE OR REPLACE {table} SET item = ?2 WHERE item = ?1"), params![item.id, into.id])?;
        }
        self.run("UPDATE former_marks SET item = ?2 WHERE item = ?1", params![item.id, into.id])?;
        self.run("INSERT INTO former_marks VALUES (?1, ?2)", params![item.mark, into.id])?;
        for table in ["stands", "todo"] {
            self.run(&format!("DELETE FROM {table} WHERE item = ?1"), [item.id])?;
        }
        self.run("DELETE FROM items WHERE id = ?1", [item.id])?;
        let generation = item.generation.max(into.generation);
        self.run("UPDATE items SET generation = ?2 WHERE id = ?1", params![into.id, generation])?;
        self.note_aging(into.id)
    }

    /// An item's copies in one collection become an item of their own, which stands there alone. What it said before stays with
    /// the item that it comes from.
    pub fn split_off(&mut self, item: &Item, collection: i64, now_ms: i64) -> Result<()> {
        let current = self.version(item.version)?;
        let origin = |v: &crate::Version| crate::items::Origin { at_ms: v.at_ms, rank: v.rank, source: v.source };
        let new =
            self.add_item(item.kind, None, (&current.content, &Facts::default()), origin(&current), collection)?;
        for placement in self.placements(item.id)?.into_iter().filter(|p| p.collection == collection) {
            let agreed = match placement.agreed == item.version {
                true => new.version,
                false => {
                    let agreed = self.version(placement.agreed)?;
                    self.add_version(new.id, &agreed.content, origin(&agreed), None, None)?
                }
            };
            self.run(
                "UPDATE placements SET item = ?2, agreed = ?3 WHERE id = ?1",
                params![placement.id, new.id, agreed],
            )?;
        }
        self.run(
            "UPDATE held_writes SET item = ?2, version = iif(version = ?4, ?5, version) WHERE item = ?1 AND collection = ?3",
            params![item.id, new.id, collection, item.version, new.version],
        )?;
        for table in ["sightings", "withheld", "quarantine"] {
            self.run(
                &format!("UPDATE {table} SET item = ?2 WHERE item = ?1 AND collection = ?3"),
                params![item.id, new.id, collection],
            )?;
        }
        let stands: BTreeSet<i64> = self.stands(item.id)?.into_iter().filter(|id| *id != collection).collect();
        self.set_stands(item.id, &stands, now_ms)
    }
}
