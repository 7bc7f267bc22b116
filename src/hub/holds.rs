//! What waits for a person: held plans, quarantined items, conflicts.

use crate::mail::MAIL;
use crate::sightings::GOING;
use crate::{Hub, Presence, Sighting, Store};
use rusqlite::{Row, params};
use std::collections::{BTreeSet, HashMap, HashSet};
use twofold_model::{Kind, RemoteId, Result};

/// A plan that a brake stopped.
#[derive(Clone, Debug, PartialEq)]
pub struct Hold {
    /// Its stable id.
    pub id: String,
    /// The replica where the change was seen.
    pub replica: i64,
    /// The collection; `None` for a whole replica.
    pub collection: Option<i64>,
    /// The kind.
    pub kind: Kind,
    /// `deletes`, `adoption`, `changes`, `collection`, `folder`, `foreign`, `join`, `lost`, `device` or `mail`.
    pub cause: String,
    /// Why, in words.
    pub reason: String,
    /// Since when.
    pub since_ms: i64,
    /// Somebody approved it; the next run makes it.
    pub is_approved: bool,
}

impl Hold {
    /// Whether there is nothing to say yes or no to: a device, or a folder of one, is not what it should be, and has to be put right.
    pub fn is_to_be_mended(&self) -> bool {
        ["device", "folder"].contains(&self.cause.as_str())
    }
}

fn hold(row: &Row<'_>) -> rusqlite::Result<Hold> {
    let kind: String = row.get("kind")?;
    Ok(Hold {
        id: row.get("id")?,
        replica: row.get("replica")?,
        collection: row.get("collection")?,
        kind: Kind::from_name(&kind).unwrap_or(Kind::Contacts),
        cause: row.get("cause")?,
        reason: row.get("reason")?,
        since_ms: row.get("since")?,
        is_approved: row.get::<_, i64>("approved")? == 1,
    })
}

/// An item that cannot be taken or sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Quarantined {
    /// The hub's key.
    pub id: i64,
    /// The replica.
    pub replica: i64,
    /// The collection.
    pub collection: Option<i64>,
    /// The item, where it is known.
    pub item: Option<i64>,
    /// Its name at the replica; of a folder as a whole [`folder_name`].
    pub remote_id: RemoteId,
    /// Why.
    pub reason: String,
    /// When it is tried again, in milliseconds since 1970; 0: now, or when somebody says so.
    pub next_try_ms: i64,
    /// How often it was tried.
    pub tries: u32,
}

impl Quarantined {
    /// Whether it is a collection as a whole ([`folder_name`]).
    pub fn is_folder(&self) -> bool {
        self.remote_id.as_str().starts_with("folder:")
    }
}

/// All of an entry but its bytes, which may be many and which nobody asks for.
const QUARANTINED: &str = "id, replica, collection, item, remote_id, reason, next_try, tries";

fn quarantined(row: &Row<'_>) -> rusqlite::Result<Quarantined> {
    Ok(Quarantined {
        id: row.get("id")?,
        replica: row.get("replica")?,
        collection: row.get("collection")?,
        item: row.get("item")?,
        remote_id: RemoteId(row.get("remote_id")?),
        reason: row.get("reason")?,
        next_try_ms: row.get("next_try")?,
        tries: row.get("tries")?,
    })
}

/// What a folder of a device that its account does not take is called in quarantine, and a collection of a provider that does not take a new
/// name. They are tried with the collections.
pub fn folder_name(path: &str) -> String {
    format!("folder:{path}")
}

/// What is put into quarantine.
#[derive(Clone, Copy, Debug)]
pub struct Bad<'a> {
    /// The replica.
    pub replica: i64,
    /// The collection.
    pub collection: Option<i64>,
    /// The item, where it is known.
    pub item: Option<i64>,
    /// Its name at the replica.
    pub remote_id: &'a str,
    /// Why.
    pub reason: &'a str,
    /// The bytes as they came.
    pub raw: &'a [u8],
}

/// One row of a hold.
#[derive(Clone, Debug, PartialEq)]
pub struct HeldRow {
    /// The sighting that is held.
    pub sighting: i64,
    /// The item, where it is known.
    pub item: Option<i64>,
    /// Its name at the replica.
    pub remote_id: RemoteId,
}

/// Two values of one field, of which one is shown.
#[derive(Clone, Debug, PartialEq)]
pub struct Conflict {
    /// Its id.
    pub id: String,
    /// The item.
    pub item: i64,
    /// The members that differ.
    pub fields: Vec<String>,
    /// The version that is shown.
    pub shown: i64,
    /// The version that is not.
    pub other: i64,
    /// The replica whose edit met another one.
    pub replica: i64,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
}

fn conflict(row: &Row<'_>) -> rusqlite::Result<Conflict> {
    let fields: String = row.get("fields")?;
    Ok(Conflict {
        id: row.get("id")?,
        item: row.get("item")?,
        fields: serde_json::from_str(&fields).unwrap_or_default(),
        shown: row.get("shown")?,
        other: row.get("other")?,
        replica: row.get("replica")?,
        at_ms: row.get("at")?,
    })
}

/// How long a quarantined item waits for its next try: an hour, doubled with each try, a week at most.
fn wait_ms(tries: u32) -> i64 {
    let hours = 1_i64 << tries.min(8);
    hours.min(7 * 24) * 3_600_000
}

impl Hub {
    /// All holds, oldest first.
    pub fn holds(&self) -> Result<Vec<Hold>> {
        self.all("SELECT * FROM holds WHERE approved IN (0, 1) ORDER BY since, id", [], hold)
    }

    /// All holds, also those that somebody has decided and that are still being carried out.
    pub fn holds_of_any_state(&self) -> Result<Vec<Hold>> {
        self.all("SELECT * FROM holds ORDER BY since, id", [], hold)
    }

    /// One hold.
    pub fn hold(&self, id: &str) -> Result<Option<Hold>> {
        self.one("SELECT * FROM holds WHERE id = ?1", [id], hold)
    }

    /// The open (not approved) hold of this cause, if there is one.
    pub fn open_hold(&self, replica: i64, collection: Option<i64>, cause: &str) -> Result<Option<Hold>> {
        self.one(
            "SELECT * FROM holds WHERE replica = ?1 AND collection IS ?2 AND cause = ?3 AND approved = 0",
            params![replica, collection, cause],
            hold,
        )
    }

    /// The hold of this cause on a collection at a replica, whatever was decided about it.
    pub fn hold_on(&self, replica: i64, collection: i64, cause: &str) -> Result<Option<Hold>> {
        self.one(
            "SELECT * FROM holds WHERE replica = ?1 AND collection = ?2 AND cause = ?3",
            params![replica, collection, cause],
            hold,
        )
    }

    /// The hold of this cause on a collection, at whichever replica.
    pub fn hold_on_any(&self, collection: i64, cause: &str) -> Result<Option<Hold>> {
        self.one("SELECT * FROM holds WHERE collection = ?1 AND cause = ?2", params![collection, cause], hold)
    }

    /// Collections that are said to be gone as a whole, at which replica: nothing is read there until somebody decides, and
    /// what was decided is done.
    pub fn held_places(&self) -> Result<HashSet<(i64, i64)>> {
        let held: Vec<(i64, i64)> = self.all(
            "SELECT replica, collection FROM holds WHERE cause = 'collection' AND collection IS NOT NULL",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        Ok(held.into_iter().collect())
    }

    /// A device that is in the configuration no more cannot come back by itself: nobody waits for it.
    pub fn detach(&mut self, replica: i64) -> Result<()> {
        self.run("DELETE FROM holds WHERE replica = ?1 AND cause IN ('device', 'folder')", [replica])
    }

    /// Stores a hold, or renews the reason of the one that is there.
    pub fn set_hold(&mut self, new: &Hold) -> Result<()> {
        self.run(
            "INSERT INTO holds (id, replica, collection, kind, cause, reason, since) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT DO UPDATE SET reason = ?6",
            params![new.id, new.replica, new.collection, new.kind.as_str(), new.cause, new.reason, new.since_ms],
        )
    }

    /// Another sign of a second twofold at a replica was seen. What was approved of it stays so.
    pub fn note_foreign(&mut self, replica: i64, now_ms: i64) -> Result<()> {
        self.run(
            "UPDATE holds SET since = max(since, ?2) WHERE replica = ?1 AND cause = 'foreign' AND approved = 0",
            [replica, now_ms],
        )
    }

    /// Puts what leaves a collection at a replica for good, or for the trash, under a hold.
    pub fn hold_removals(&mut self, replica: i64, collection: i64, hold: &str) -> Result<()> {
        self.run(
            &format!("UPDATE sightings SET hold = ?3 WHERE id IN (SELECT id FROM ({GOING}) WHERE collection = ?2)"),
            params![replica, collection, hold],
        )
    }

    /// Puts one sighting under a hold.
    pub fn hold_sighting(&mut self, sighting: i64, hold: &str) -> Result<()> {
        self.run("UPDATE sightings SET hold = ?2 WHERE id = ?1", params![sighting, hold])
    }

    /// How many rows a hold covers: new or changed ones, and removals.
    pub fn hold_size(&self, id: &str) -> Result<(usize, usize)> {
        let of =
            |gone: &str| self.count(&format!("SELECT count(*) FROM sightings WHERE hold = ?1 AND gone {gone} 0"), [id]);
        Ok((of("=")?, of(">")?))
    }

    /// The rows that a hold covers.
    pub fn hold_rows(&self, id: &str) -> Result<Vec<HeldRow>> {
        self.all("SELECT id, item, remote_id FROM sightings WHERE hold = ?1 ORDER BY id", [id], |row| {
            Ok(HeldRow { sighting: row.get(0)?, item: row.get(1)?, remote_id: RemoteId(row.get(2)?) })
        })
    }

    /// Somebody said yes: the next decision makes it.
    pub fn approve(&mut self, id: &str) -> Result<()> {
        self.run("UPDATE holds SET approved = 1 WHERE id = ?1", [id])?;
        self.run(
            "INSERT OR IGNORE INTO todo SELECT item FROM sightings WHERE hold = ?1 AND item IS NOT NULL
             UNION SELECT item FROM held_writes WHERE hold = ?1",
            [id],
        )
    }

    /// Takes a hold away; its rows are free again.
    pub fn remove_hold(&mut self, id: &str) -> Result<()> {
        self.run("UPDATE sightings SET hold = NULL WHERE hold = ?1", [id])?;
        self.run("DELETE FROM holds WHERE id = ?1", [id])
    }

    /// Ends holds whose cause has healed: no row is left. Holds on a device, a folder of it, a collection, a join or after a loss are ended by
    /// whoever made them, and one on a second twofold a day after its last sign was seen.
    pub fn end_empty_holds(&mut self, now_ms: i64) -> Result<()> {
        const DAY_MS: i64 = 24 * 3_600_000;
        self.run("DELETE FROM holds WHERE cause = 'foreign' AND since < ?1", [now_ms - DAY_MS])?;
        self.run(
            "DELETE FROM holds WHERE cause = 'folder' AND NOT EXISTS (SELECT 1 FROM places p WHERE p.replica = holds.replica
               AND p.collection = holds.collection)",
            [],
        )?;
        // A copy that is no more, or stands elsewhere, is not written to.
        self.run(
            "DELETE FROM held_writes WHERE NOT EXISTS (SELECT 1 FROM placements p WHERE p.item = held_writes.item
               AND p.replica = held_writes.replica AND p.collection = held_writes.collection)",
            [],
        )?;
        self.run(
            "DELETE FROM holds WHERE cause NOT IN ('device', 'folder', 'collection', 'foreign', 'join', 'lost')
               AND NOT EXISTS (SELECT 1 FROM sightings s WHERE s.hold = holds.id)
               AND NOT EXISTS (SELECT 1 FROM held_writes w WHERE w.hold = holds.id)",
            [],
        )
    }

    /// Notes removals that were made, for the brake's 24 hours; forgets older ones.
    pub fn note_removal(&mut self, replica: i64, collection: i64, now_ms: i64) -> Result<()> {
        self.run("INSERT INTO removals VALUES (?1, ?2, ?3)", params![replica, collection, now_ms])
    }

    /// How many removals were made for a collection since `since_ms`; older ones are forgotten.
    pub fn recent_removals(&mut self, replica: i64, collection: i64, since_ms: i64) -> Result<usize> {
        self.run("DELETE FROM removals WHERE at < ?1", [since_ms])?;
        self.count("SELECT count(*) FROM removals WHERE replica = ?1 AND collection = ?2", params![replica, collection])
    }

    /// Puts an item into quarantine, or notes one more try.
    pub fn quarantine(&mut self, bad: &Bad<'_>, now_ms: i64) -> Result<()> {
        let Bad { replica, collection, item, remote_id, reason, raw } = *bad;
        let tries = self
            .one(
                "SELECT tries FROM quarantine WHERE replica = ?1 AND remote_id = ?2",
                params![replica, remote_id],
                |row| row.get::<_, u32>(0),
            )?
            .unwrap_or(0);
        self.run(
            "INSERT INTO quarantine (replica, collection, item, remote_id, reason, raw, since, next_try)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
             ON CONFLICT (replica, remote_id) DO UPDATE SET reason = ?5, raw = iif(length(?6) > 0, ?6, raw), item = coalesce(?3, item),
               tries = tries + 1, next_try = ?8",
            params![replica, collection, item, remote_id, reason, raw, now_ms, now_ms + wait_ms(tries)],
        )
    }

    /// The item was taken or sent after all.
    pub fn leave_quarantine(&mut self, replica: i64, remote_id: &str) -> Result<()> {
        self.run("DELETE FROM quarantine WHERE replica = ?1 AND remote_id = ?2", params![replica, remote_id])
    }

    /// Keeps in quarantine only those copies of a collection that are named, and those of which it is asked whether they are gone; items that
    /// were refused there stay, and folders.
    pub fn retain_quarantine(&mut self, replica: i64, collection: i64, named: &HashSet<String>) -> Result<()> {
        let held: Vec<String> = self.all(
            "SELECT remote_id FROM quarantine WHERE replica = ?1 AND collection = ?2 AND remote_id NOT LIKE 'item:%' AND remote_id NOT LIKE 'folder:%'
             AND NOT EXISTS (SELECT 1 FROM sightings s WHERE s.replica = quarantine.replica AND s.remote_id = quarantine.remote_id AND s.gone <> 0)",
            params![replica, collection],
            |row| row.get(0),
        )?;
        held.iter().filter(|name| !named.contains(*name)).try_for_each(|name| self.leave_quarantine(replica, name))
    }

    /// A write of this item was made, or is of no more use: what was refused of it before, in one collection or in any, counts no more.
    pub fn leave_refused(&mut self, replica: i64, item: i64, collection: Option<i64>) -> Result<()> {
        self.run(
            "DELETE FROM quarantine WHERE replica = ?1 AND item = ?2 AND remote_id >= 'item:' AND remote_id < 'item;'
               AND (?3 IS NULL OR collection IS ?3)",
            params![replica, item, collection],
        )
    }

    /// Of what was refused of an item in a collection only what bears that name still counts: the item says something else by now.
    pub fn leave_refused_before(&mut self, replica: i64, item: i64, collection: i64, name: &str) -> Result<()> {
        self.run(
            "DELETE FROM quarantine WHERE replica = ?1 AND item = ?2 AND collection IS ?3 AND remote_id <> ?4
               AND remote_id >= 'item:' AND remote_id < 'item;'",
            params![replica, item, collection, name],
        )
    }

    /// The collections to which a replica does not let an item go: it refused that, has no way to do it, or takes no collection of that name.
    pub fn closed_to(&self, item: i64, replica: i64) -> Result<BTreeSet<i64>> {
        let closed: Vec<i64> = self.all(
            "SELECT collection FROM withheld WHERE item = ?1 AND replica = ?2
             UNION SELECT collection FROM quarantine WHERE item = ?1 AND replica = ?2 AND collection IS NOT NULL
               AND remote_id >= 'item:' AND remote_id < 'item;'
             UNION SELECT c.id FROM quarantine q JOIN collections c ON c.id = q.collection
               WHERE c.origin = ?2 AND q.replica <> ?2 AND q.remote_id >= 'folder:' AND q.remote_id < 'folder;'",
            params![item, replica],
            |row| row.get(0),
        )?;
        Ok(closed.into_iter().collect())
    }

    /// What waits in quarantine at all replicas: the replica, the name there, and whether its next try is still to come. A
    /// moment further away than any wait was set by a clock that ran ahead: it has come.
    pub fn waiting(&self, now_ms: i64) -> Result<HashMap<(i64, String), bool>> {
        let rows: Vec<(i64, String, i64)> =
            self.all("SELECT replica, remote_id, next_try FROM quarantine", [], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })?;
        let is_to_come = |at: i64| at > now_ms && at <= now_ms + wait_ms(u32::MAX);
        Ok(rows.into_iter().map(|(replica, name, at)| ((replica, name), is_to_come(at))).collect())
    }

    /// Whether a copy is in quarantine.
    pub fn is_quarantined(&self, replica: i64, remote_id: &RemoteId) -> Result<bool> {
        let sql = "SELECT count(*) FROM quarantine WHERE replica = ?1 AND remote_id = ?2";
        Ok(self.count(sql, params![replica, remote_id.as_str()])? > 0)
    }

    /// The names of everything in quarantine at a replica.
    pub fn quarantined_names(&self, replica: i64) -> Result<HashSet<String>> {
        let names: Vec<String> =
            self.all("SELECT remote_id FROM quarantine WHERE replica = ?1", [replica], |row| row.get(0))?;
        Ok(names.into_iter().collect())
    }

    /// Everything in quarantine, and in one entry for each folder of a device the old files there that somebody did not want to be taken up.
    pub fn quarantined(&self) -> Result<Vec<Quarantined>> {
        let mut all = self.all(&format!("SELECT {QUARANTINED} FROM quarantine ORDER BY since, id"), [], quarantined)?;
        let sql = "SELECT h.replica, h.collection, p.remote_id, count(*) FROM holds h
                   JOIN sightings s ON s.hold = h.id AND s.item IS NULL AND s.gone = 0
                   JOIN places p ON p.replica = h.replica AND p.collection = h.collection
                   WHERE h.approved = ?1 GROUP BY h.id ORDER BY h.since, h.id";
        all.extend(self.all(sql, [decided::SET_ASIDE], |row| {
            let (path, files): (String, i64) = (row.get(2)?, row.get(3)?);
            let files = if files == 1 { "1 file".to_owned() } else { format!("{files} files") };
            Ok(Quarantined {
                id: 0,
                replica: row.get(0)?,
                collection: row.get(1)?,
                item: None,
                remote_id: RemoteId(format!("dropped:{path}")),
                reason: format!(
                    "{files} there, old when the folder was first used, were dropped, and are at no account. Take them out of the folder, or \
                     be asked about them again: twofold sync --retry-quarantined"
                ),
                next_try_ms: 0,
                tries: 0,
            })
        })?);
        Ok(all)
    }

    /// Copies in quarantine whose next try has come: replica, name there, collection. (Writes that were refused are tried when
    /// their item is decided.)
    pub fn quarantined_due(&self, now_ms: i64) -> Result<Vec<(i64, RemoteId, Option<i64>)>> {
        self.all(
            "SELECT replica, remote_id, collection FROM quarantine
             WHERE (next_try <= ?1 OR next_try > ?2) AND remote_id NOT LIKE 'item:%' AND remote_id NOT LIKE 'folder:%' ORDER BY next_try, id",
            params![now_ms, now_ms + wait_ms(u32::MAX)],
            |row| Ok((row.get(0)?, RemoteId(row.get(1)?), row.get(2)?)),
        )
    }

    /// A copy in quarantine could not be had: it waits for its next try. Its bytes stay.
    pub fn postpone(&mut self, replica: i64, remote_id: &str, reason: &str, now_ms: i64) -> Result<()> {
        let entry = self.one(
            &format!("SELECT {QUARANTINED} FROM quarantine WHERE replica = ?1 AND remote_id = ?2"),
            params![replica, remote_id],
            quarantined,
        )?;
        let Some(entry) = entry else { return Ok(()) };
        self.run(
            "UPDATE quarantine SET reason = ?2, tries = tries + 1, next_try = ?3 WHERE id = ?1",
            params![entry.id, reason, now_ms + wait_ms(entry.tries)],
        )
    }

    /// Makes everything in quarantine due now (`--retry-quarantined`); what was dropped as too old is a question again.
    pub fn retry_quarantined(&mut self) -> Result<()> {
        self.run(
            "UPDATE holds SET approved = 0 WHERE approved = ?1
               AND EXISTS (SELECT 1 FROM sightings s WHERE s.hold = holds.id AND s.item IS NULL AND s.gone = 0)",
            [decided::SET_ASIDE],
        )?;
        self.run("UPDATE quarantine SET next_try = 0", [])?;
        self.run("INSERT OR IGNORE INTO todo SELECT item FROM quarantine WHERE item IS NOT NULL", [])
    }

    /// Notes that two sides changed the same members.
    pub fn add_conflict(&mut self, new: &Conflict) -> Result<()> {
        let fields = serde_json::Value::from(new.fields.clone()).to_string();
        self.connection
            .prepare_cached(
                "INSERT INTO conflicts (id, item, fields, shown, other, replica, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )
            .store()?
            .execute(params![new.id, new.item, fields, new.shown, new.other, new.replica, new.at_ms])
            .store()?;
        Ok(())
    }

    /// The conflicts that nobody has decided yet; those of a buried item rest with it.
    pub fn conflicts(&self) -> Result<Vec<Conflict>> {
        self.all(
            "SELECT c.* FROM conflicts c JOIN items i ON i.id = c.item
             WHERE c.resolved IS NULL AND i.buried IS NULL ORDER BY c.at, c.id",
            [],
            conflict,
        )
    }

    /// One undecided conflict.
    pub fn conflict(&self, id: &str) -> Result<Option<Conflict>> {
        self.one("SELECT * FROM conflicts WHERE id = ?1 AND resolved IS NULL", [id], conflict)
    }

    /// When somebody decided a conflict, in milliseconds since 1970.
    pub fn resolved(&self, id: &str) -> Result<Option<i64>> {
        self.one("SELECT resolved FROM conflicts WHERE id = ?1 AND resolved IS NOT NULL", [id], |row| row.get(0))
    }

    /// Somebody decided.
    pub fn resolve_conflict(&mut self, id: &str, now_ms: i64) -> Result<()> {
        self.run("UPDATE conflicts SET resolved = ?2 WHERE id = ?1", params![id, now_ms])
    }
}

/// So many decisions are remembered.
const DECIDED: usize = 100;

/// What somebody decided about a hold.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Decided {
    /// The hold.
    pub id: String,
    /// Yes, not no.
    pub is_approved: bool,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
}

/// What a hold's row says of what somebody decided.
mod decided {
    /// It was wrong: the next run puts things back.
    pub const DROPPED: i64 = 2;
    /// It was wrong, and there is nothing to put back: its rows are passed over.
    pub const SET_ASIDE: i64 = 3;
}

impl Hub {
    /// Somebody said no. Removed items are made again there, and those that went to the trash are known to stand there, so that they are
    /// moved back; files that were not adopted are passed over; the rest is for the next run, which sees it in [`Hub::dropped_holds`].
    pub fn drop_hold(&mut self, hold: &Hold) -> Result<()> {
        match hold.cause.as_str() {
            "deletes" => {
                for HeldRow { sighting, item, remote_id } in self.hold_rows(&hold.id)? {
                    item.map_or(Ok(()), |item| self.add_todo(item))?;
                    let seen = self.sighting(hold.replica, &remote_id)?;
                    let placement = self.placement(hold.replica, &remote_id)?;
                    if let Some(seen) = seen.filter(|seen| seen.presence == Presence::Here) {
                        placement.map_or(Ok(()), |known| self.replace_placement(known.id, seen.collection))?;
                        continue;
                    }
                    // Where a copy has a name of its own in each place, that is a new one.
                    let other = item.map_or(Ok(None), |item| self.new_copy(item, hold.replica))?;
                    if let (Some(known), Some(other)) = (&placement, other) {
                        self.remove_sighting(sighting)?;
                        self.rename_placement(known.id, &other.remote_id)?;
                        self.replace_placement(known.id, other.collection)?;
                        continue;
                    }
                    placement.map_or(Ok(()), |known| self.remove_placement(known.id))?;
                    self.remove_sighting(sighting)?;
                    item.map_or(Ok(()), |item| self.next_generation(item))?;
                }
                self.remove_hold(&hold.id)
            }
            "foreign" | "join" => self.remove_hold(&hold.id),
            "adoption" => self.set_decided(&hold.id, decided::SET_ASIDE),
            MAIL => {
                self.run("INSERT OR IGNORE INTO todo SELECT item FROM held_writes WHERE hold = ?1", [&hold.id])?;
                self.set_decided(&hold.id, decided::DROPPED)
            }
            _ => self.set_decided(&hold.id, decided::DROPPED),
        }
    }

    /// A copy of an item that is seen at a replica and was not known before.
    fn new_copy(&self, item: i64, replica: i64) -> Result<Option<Sighting>> {
        for seen in self.sightings(item)? {
            let is_here = seen.replica == replica && seen.presence == Presence::Here;
            if is_here && self.placement(replica, &seen.remote_id)?.is_none() {
                return Ok(Some(seen));
            }
        }
        Ok(None)
    }

    /// Whether a hold is there about which nobody has decided yet.
    pub fn is_undecided(&self, id: &str) -> Result<bool> {
        Ok(self.count("SELECT count(*) FROM holds WHERE id = ?1 AND approved = 0", [id])? > 0)
    }

    /// Notes what somebody decided, so that who decides again hears of it; the last hundred are kept, also when the hold is over.
    pub fn note_decided(&mut self, new: Decided) -> Result<()> {
        let mut all = self.all_decided()?;
        all.retain(|decided| decided.id != new.id);
        all.push(new);
        all.drain(..all.len().saturating_sub(DECIDED));
        self.set_meta("decided", &serde_json::json!(all).to_string())
    }

    /// What was last decided under an id.
    pub fn decided(&self, id: &str) -> Result<Option<Decided>> {
        Ok(self.all_decided()?.into_iter().find(|decided| decided.id == id))
    }

    fn all_decided(&self) -> Result<Vec<Decided>> {
        Ok(self.meta("decided")?.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
    }

    fn set_decided(&mut self, id: &str, decided: i64) -> Result<()> {
        self.run("UPDATE holds SET approved = ?2 WHERE id = ?1", params![id, decided])
    }

    /// Holds that somebody said no to and that are still to be put back.
    pub fn dropped_holds(&self) -> Result<Vec<Hold>> {
        self.all("SELECT * FROM holds WHERE approved = ?1", [decided::DROPPED], hold)
    }

    /// A device's folder is new or was replaced: everything there is a first meeting. Returns the new replica id.
    pub fn meet_anew(&mut self, replica: i64) -> Result<String> {
        self.remove_all_placements(replica)?;
        self.drop_feeds(replica)?;
        self.run("DELETE FROM places WHERE replica = ?1", [replica])?;
        self.run("DELETE FROM holds WHERE replica = ?1", [replica])?;
        self.set_met(replica, false)?;
        self.set_wrote_run(replica, 0)?;
        self.renew_mark(replica)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_decided_is_known_for_the_last_hundred_also_when_the_hold_is_over() {
        let mut hub = Hub::in_memory().unwrap();
        assert!(hub.decided("hold 0").unwrap().is_none() && !hub.is_undecided("hold 0").unwrap());
        let decided = |n: i64, is_approved| Decided { id: format!("hold {n}"), is_approved, at_ms: n };
        (0..=100).for_each(|n| hub.note_decided(decided(n, n % 2 == 0)).unwrap());
        assert_eq!((hub.decided("hold 0").unwrap(), hub.decided("hold 1").unwrap()), (None, Some(decided(1, false))));
        // An id that was held again, and decided otherwise.
        hub.note_decided(decided(1, true)).unwrap();
        assert_eq!(hub.decided("hold 1").unwrap(), Some(decided(1, true)));
        assert!(hub.decided("hold 2").unwrap().is_some(), "one that is renewed pushes none out");
    }
}
