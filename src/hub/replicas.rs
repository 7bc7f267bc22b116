//! Replicas, the collections and where they stand, and the feeds with their tokens.

use crate::{Hub, Store, random_id};
use rusqlite::{Row, params};
use serde::Deserialize;
use std::collections::BTreeMap;
use twofold_model::email::Role;
use twofold_model::{DeltaToken, Kind, Result};

/// One place that holds copies.
#[derive(Clone, Debug, PartialEq)]
pub struct Replica {
    /// The hub's key.
    pub id: i64,
    /// The name in the configuration.
    pub name: String,
    /// The replica id that a device's marker holds.
    pub mark: String,
    /// A device folder, not a provider.
    pub is_device: bool,
    /// Who is signed in there.
    pub account: Option<String>,
    /// Its first use is over.
    pub met: bool,
    /// Something was decided while it could not be reached.
    pub behind: bool,
    /// Last proof of life, in milliseconds since 1970.
    pub last_ok_ms: Option<i64>,
    /// What stood in the way last time.
    pub trouble: Option<String>,
}

fn replica(row: &Row<'_>) -> rusqlite::Result<Replica> {
    Ok(Replica {
        id: row.get("id")?,
        name: row.get("name")?,
        mark: row.get("mark")?,
        is_device: row.get("is_device")?,
        account: row.get("account")?,
        met: row.get("met")?,
        behind: row.get("behind")?,
        last_ok_ms: row.get("last_ok")?,
        trouble: row.get("trouble")?,
    })
}

/// A folder, calendar or address book, as the hub knows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Collection {
    /// The hub's key.
    pub id: i64,
    /// What it holds.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// Its colour as `#rrggbb`.
    pub color: Option<String>,
    /// The replica that brought it.
    pub origin: i64,
    /// Two providers' collections are one and the same here.
    pub joined: bool,
    /// It leaves: nothing stands in it any more, and this one took its place.
    pub successor: Option<i64>,
    /// It leaves: somebody deleted it, and it is taken away wherever it still stands.
    pub is_ending: bool,
    /// What a mailbox is for.
    pub role: Option<Role>,
    /// The configuration leaves it out: it is frozen as it is, everywhere.
    pub is_left_out: bool,
}

impl Collection {
    /// Whether it is one that stays: nothing took its place, and nobody deleted it.
    pub fn stays(&self) -> bool {
        self.successor.is_none() && !self.is_ending
    }

    /// Its name and colour.
    pub fn label(&self) -> Label {
        Label { name: self.name.clone(), color: self.color.clone() }
    }
}

/// What a collection is called, and its colour as `#rrggbb`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Label {
    /// Its name.
    pub name: String,
    /// Its colour, where one is known.
    pub color: Option<String>,
}

fn collection(row: &Row<'_>) -> rusqlite::Result<Collection> {
    let kind: String = row.get("kind")?;
    Ok(Collection {
        id: row.get("id")?,
        kind: Kind::from_name(&kind).unwrap_or(Kind::Contacts),
        name: row.get("name")?,
        color: row.get("color")?,
        origin: row.get("origin")?,
        joined: row.get("joined")?,
        successor: row.get("successor")?,
        is_ending: row.get("ending")?,
        role: row.get::<_, Option<String>>("role")?.and_then(|name| Role::from_name(&name)),
        is_left_out: row.get("left_out")?,
    })
}

/// A collection at one replica.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// The hub's key.
    pub id: i64,
    /// The hub's collection.
    pub collection: i64,
    /// The replica.
    pub replica: i64,
    /// The replica's own name for it.
    pub remote_id: String,
    /// The name it had there when last seen.
    pub name: String,
    /// The colour it had there when last seen.
    pub color: Option<String>,
    /// What the place was last told or took: with `name` and `color` the base of its label, a pair as that of an item.
    pub agreed: Label,
    /// When the place was last told a name or a colour, in milliseconds since 1970.
    pub told_ms: Option<i64>,
    /// What it showed before it was told: its lists may still show it. Empty once they showed something else.
    pub earlier: Vec<Label>,
    /// New things go here.
    pub is_default: bool,
    /// This user may write there.
    pub can_write: bool,
    /// Its first listing has been paired.
    pub met: bool,
    /// When it was last read to its end, in milliseconds since 1970: what is known of it was so then.
    pub read_ms: Option<i64>,
    /// When a read last saw an item of it that is known, in milliseconds since 1970.
    pub proof_ms: Option<i64>,
}

impl Place {
    /// A collection that was just met at a replica: what it shows there is what is agreed on.
    pub fn new(collection: i64, replica: i64, remote_id: &str, shows: Label) -> Place {
        Place {
            id: 0,
            collection,
            replica,
            remote_id: remote_id.to_owned(),
            name: shows.name.clone(),
            color: shows.color.clone(),
            agreed: shows,
            told_ms: None,
            earlier: Vec::new(),
            is_default: false,
            can_write: true,
            met: false,
            read_ms: None,
            proof_ms: None,
        }
    }
}

/// Labels as one text; none where there are none.
fn listed(labels: &[Label]) -> Option<String> {
    let one = |label: &Label| serde_json::json!({ "name": label.name, "color": label.color });
    (!labels.is_empty()).then(|| serde_json::Value::from_iter(labels.iter().map(one)).to_string())
}

/// The columns of a [`Place`], in the order in which it is read: by number, because all places are read often.
const PLACE: &str =
    "p.id, p.collection, p.replica, p.remote_id, p.name, p.color, p.agreed_name, p.agreed_color, p.told, p.earlier,
    p.is_default, p.can_write, p.met, p.read, p.proof";

fn place(row: &Row<'_>) -> rusqlite::Result<Place> {
    Ok(Place {
        id: row.get(0)?,
        collection: row.get(1)?,
        replica: row.get(2)?,
        remote_id: row.get(3)?,
        name: row.get(4)?,
        color: row.get(5)?,
        agreed: Label { name: row.get(6)?, color: row.get(7)? },
        told_ms: row.get(8)?,
        earlier: row.get::<_, Option<String>>(9)?.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default(),
        is_default: row.get(10)?,
        can_write: row.get(11)?,
        met: row.get(12)?,
        read_ms: row.get(13)?,
        proof_ms: row.get(14)?,
    })
}

/// What is known of one feed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FeedState {
    /// The token, when a round was read to its end.
    pub token: Option<DeltaToken>,
    /// When the last full listing was complete, in milliseconds since 1970.
    pub listed_ms: Option<i64>,
}

/// The names of a replica go with it when it is forgotten (`forget.rs`).
fn names_key(replica: i64) -> String {
    format!("names {replica}")
}

/// What was seen of a copy `s` of replica `?1` that is there and not known to stand there: nobody has met it yet, or it moved there and that
/// was not weighed yet.
const UNKNOWN: &str = "s.replica = ?1 AND s.gone = 0 AND NOT EXISTS (
    SELECT 1 FROM placements p WHERE p.replica = s.replica AND p.remote_id = s.remote_id AND p.collection = s.collection)";

impl Hub {
    /// The replica of that name, made on first mention.
    pub fn replica(&mut self, name: &str, is_device: bool) -> Result<Replica> {
        if let Some(found) = self.one("SELECT * FROM replicas WHERE name = ?1", [name], replica)? {
            return Ok(found);
        }
        self.run(
            "INSERT INTO replicas (name, mark, is_device) VALUES (?1, ?2, ?3)",
            params![name, random_id(), is_device],
        )?;
        Ok(self
            .one("SELECT * FROM replicas WHERE name = ?1", [name], replica)?
            .unwrap_or_else(|| unreachable!("just made")))
    }

    /// The replica whose marker holds that id.
    pub fn replica_by_mark(&self, mark: &str) -> Result<Option<Replica>> {
        self.one("SELECT * FROM replicas WHERE mark = ?1", [mark], replica)
    }

    /// All replicas, by name.
    pub fn replicas(&self) -> Result<Vec<Replica>> {
        self.all("SELECT * FROM replicas ORDER BY name", [], replica)
    }

    /// Follows a device that was renamed in the configuration.
    pub fn rename_replica(&mut self, id: i64, name: &str) -> Result<()> {
        self.run("UPDATE replicas SET name = ?2 WHERE id = ?1", params![id, name])
    }

    /// Gives a device a new replica id (`device fill`).
    pub fn renew_mark(&mut self, id: i64) -> Result<String> {
        let mark = random_id();
        self.run("UPDATE replicas SET mark = ?2 WHERE id = ?1", params![id, mark])?;
        Ok(mark)
    }

    /// Notes proof of life.
    pub fn set_reached(&mut self, id: i64, now_ms: i64) -> Result<()> {
        self.run("UPDATE replicas SET last_ok = ?2, trouble = NULL WHERE id = ?1", params![id, now_ms])
    }

    /// Notes what stands in the way.
    pub fn set_trouble(&mut self, id: i64, trouble: &str) -> Result<()> {
        self.run("UPDATE replicas SET trouble = ?2 WHERE id = ?1", params![id, trouble])
    }

    /// Notes that first use is over, or (device fill) begins anew.
    pub fn set_met(&mut self, id: i64, met: bool) -> Result<()> {
        self.run("UPDATE replicas SET met = ?2 WHERE id = ?1", params![id, met])
    }

    /// The last run in which this hub may have written a place's own marker. A marker of a later run was written by a hub of
    /// which this one is an older copy (ENGINE 22).
    pub fn marked_run(&self, id: i64) -> Result<Option<i64>> {
        Ok(self.meta(&format!("marked {id}"))?.and_then(|text| text.parse().ok()))
    }

    /// Notes that this run may write the place's own marker, before it does.
    pub fn set_marked_run(&mut self, id: i64, run: i64) -> Result<()> {
        self.set_meta(&format!("marked {id}"), &run.to_string())
    }

    /// The last run whose number a place's own marker took; 0 where none did. A marker of an earlier run is that of an older copy of the
    /// place.
    pub fn wrote_run(&self, id: i64) -> Result<i64> {
        Ok(self.meta(&format!("wrote {id}"))?.and_then(|text| text.parse().ok()).unwrap_or_default())
    }

    /// Notes that a place's own marker has taken the number of this run; 0: it begins anew.
    pub fn set_wrote_run(&mut self, id: i64, run: i64) -> Result<()> {
        self.set_meta(&format!("wrote {id}"), &run.to_string())
    }

    /// Notes whether something was decided while the replica could not be reached.
    pub fn set_behind(&mut self, id: i64, behind: bool) -> Result<()> {
        self.run("UPDATE replicas SET behind = ?2 WHERE id = ?1", params![id, behind])
    }

    /// Notes who is signed in there.
    pub fn set_account(&mut self, id: i64, account: &str) -> Result<()> {
        self.run("UPDATE replicas SET account = ?2 WHERE id = ?1", params![id, account])
    }

    /// Makes a collection.
    pub fn add_collection(&mut self, kind: Kind, name: &str, color: Option<&str>, origin: i64) -> Result<i64> {
        // No key is given twice: the markers of devices name them.
        self.insert(
            "INSERT INTO collections (id, kind, name, color, origin) VALUES (1 + max(
               coalesce((SELECT max(id) FROM collections), 0),
               coalesce((SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'last collection'), 0)), ?1, ?2, ?3, ?4)",
            params![kind.as_str(), name, color, origin],
        )
    }

    /// Notes the greatest key of a collection that was ever given, before collections go.
    pub(crate) fn note_last_collection(&mut self) -> Result<()> {
        self.run(
            "INSERT OR REPLACE INTO meta SELECT 'last collection', max(coalesce((SELECT max(id) FROM collections), 0),
               coalesce((SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'last collection'), 0))",
            [],
        )
    }

    /// All collections of a kind, in the order in which they were met.
    pub fn collections(&self, kind: Kind) -> Result<Vec<Collection>> {
        self.all("SELECT * FROM collections WHERE kind = ?1 ORDER BY id", [kind.as_str()], collection)
    }

    /// One collection.
    pub fn collection(&self, id: i64) -> Result<Option<Collection>> {
        self.one("SELECT * FROM collections WHERE id = ?1", [id], collection)
    }

    /// What the words that copies bear are called at a replica, by word.
    pub fn names(&self, replica: i64) -> Result<BTreeMap<String, String>> {
        let text = self.meta(&names_key(replica))?.unwrap_or_default();
        // What was kept can be learned again.
        Ok(serde_json::from_str(&text).unwrap_or_default())
    }

    /// Keeps what words are called at a replica.
    pub fn set_names(&mut self, replica: i64, names: &BTreeMap<String, String>) -> Result<()> {
        if names.is_empty() {
            return Ok(());
        }
        let (key, text) = (names_key(replica), serde_json::json!(names).to_string());
        match self.meta(&key)? == Some(text.clone()) {
            true => Ok(()),
            false => self.set_meta(&key, &text),
        }
    }

    /// The collections of a kind that are still to be made at the provider that they belong to; also one that leaves there while something
    /// may come to stand in it. A joined one is made at no provider.
    pub fn unmade(&self, kind: Kind) -> Result<Vec<i64>> {
        let sql = "SELECT c.id FROM collections c WHERE c.kind = ?1 AND c.successor IS NULL AND NOT c.joined AND NOT c.left_out
             AND NOT EXISTS (SELECT 1 FROM places p WHERE p.collection = c.id AND p.replica = c.origin)";
        self.all(sql, [kind.as_str()], |row| row.get(0))
    }

    /// Whether an item stands in a collection, or is seen there.
    pub fn has_items(&self, collection: i64) -> Result<bool> {
        let sql = "SELECT EXISTS (SELECT 1 FROM stands WHERE collection = ?1)
             OR EXISTS (SELECT 1 FROM sightings WHERE collection = ?1 AND gone = 0 AND item IS NOT NULL)";
        Ok(self.one(sql, [collection], |row| row.get(0))?.unwrap_or(false))
    }

    /// Whether a replica has copies in a collection that belong to no item: they wait, or were refused.
    pub fn has_strangers(&self, replica: i64, collection: i64) -> Result<bool> {
        let sql = "SELECT EXISTS (SELECT 1 FROM sightings WHERE replica = ?1 AND collection = ?2 AND item IS NULL AND gone = 0)";
        Ok(self.one(sql, params![replica, collection], |row| row.get(0))?.unwrap_or(false))
    }

    /// Follows a rename or a new colour.
    pub fn rename_collection(&mut self, id: i64, name: &str, color: Option<&str>) -> Result<()> {
        self.run("UPDATE collections SET name = ?2, color = ?3 WHERE id = ?1", params![id, name, color])
    }

    /// Follows what a mailbox is for.
    pub fn set_role(&mut self, id: i64, role: Option<Role>) -> Result<()> {
        self.run("UPDATE collections SET role = ?2 WHERE id = ?1", params![id, role.map(Role::as_str)])
    }

    /// Marks a collection as joined, or as that of the provider that named it.
    pub fn set_joined(&mut self, id: i64, joined: bool) -> Result<()> {
        self.run("UPDATE collections SET joined = ?2 WHERE id = ?1", params![id, joined])
    }

    /// Where the collections of a kind stand at a replica.
    pub fn places(&self, replica: i64, kind: Kind) -> Result<Vec<Place>> {
        let sql = format!(
            "SELECT {PLACE} FROM places p JOIN collections c ON c.id = p.collection
             WHERE p.replica = ?1 AND c.kind = ?2 ORDER BY p.id"
        );
        self.all(&sql, params![replica, kind.as_str()], place)
    }

    /// The place that a replica calls by that name.
    pub fn place_at(&self, replica: i64, remote_id: &str) -> Result<Option<Place>> {
        let sql = format!("SELECT {PLACE} FROM places p WHERE p.replica = ?1 AND p.remote_id = ?2");
        self.one(&sql, params![replica, remote_id], place)
    }

    /// Where a collection stands.
    pub fn places_of(&self, collection: i64) -> Result<Vec<Place>> {
        let sql = format!("SELECT {PLACE} FROM places p WHERE p.collection = ?1 ORDER BY p.replica");
        self.all(&sql, [collection], place)
    }

    /// A collection now stands at a replica too; all its items are to be looked at.
    pub fn add_place(&mut self, new: &Place) -> Result<()> {
        self.run(
            "INSERT INTO places (collection, replica, remote_id, name, color, agreed_name, agreed_color, told, earlier, is_default, can_write)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            params![
                new.collection,
                new.replica,
                new.remote_id,
                new.name,
                new.color,
                new.agreed.name,
                new.agreed.color,
                new.told_ms,
                listed(&new.earlier),
                new.is_default,
                new.can_write
            ],
        )?;
        self.run("INSERT OR IGNORE INTO todo SELECT item FROM stands WHERE collection = ?1", [new.collection])
    }

    /// Follows what the replica says of the use and the rights of a place. What is withheld there is looked at again.
    pub fn set_place_rights(&mut self, id: i64, is_default: bool, can_write: bool) -> Result<()> {
        self.run(
            "UPDATE places SET is_default = ?2, can_write = ?3 WHERE id = ?1",
            params![id, is_default, can_write],
        )?;
        self.run(
            "INSERT OR IGNORE INTO todo SELECT w.item FROM withheld w JOIN places p
               ON p.replica = w.replica AND p.collection = w.collection WHERE p.id = ?1",
            [id],
        )
    }

    /// Moves the base of a place's label: what it shows, and what is agreed on.
    pub fn set_label(&mut self, id: i64, shows: &Label, agreed: &Label) -> Result<()> {
        self.run(
            "UPDATE places SET name = ?2, color = ?3, agreed_name = ?4, agreed_color = ?5 WHERE id = ?1",
            params![id, shows.name, shows.color, agreed.name, agreed.color],
        )
    }

    /// Notes when a place was told a name or a colour, and what its lists may still show instead.
    pub fn set_told(&mut self, id: i64, now_ms: i64, earlier: &[Label]) -> Result<()> {
        self.run("UPDATE places SET told = ?2, earlier = ?3 WHERE id = ?1", params![id, now_ms, listed(earlier)])
    }

    /// The lists of a place show none of what was before it was told any more.
    pub fn forget_earlier(&mut self, id: i64) -> Result<()> {
        self.run("UPDATE places SET earlier = NULL WHERE id = ?1", [id])
    }

    /// Notes that collections at a replica were read to their end. A later moment stays.
    pub fn was_read(&mut self, replica: i64, collections: &[i64], now_ms: i64) -> Result<()> {
        for collection in collections {
            self.run(
                "UPDATE places SET read = ?3 WHERE replica = ?1 AND collection = ?2 AND (read IS NULL OR read < ?3)",
                params![replica, collection, now_ms],
            )?;
        }
        Ok(())
    }

    /// Notes proof of life of collections at a replica: a read saw an item of theirs that is known. A later proof stays.
    pub fn prove(&mut self, replica: i64, collections: &[i64], now_ms: i64) -> Result<()> {
        for collection in collections {
            self.run(
                "UPDATE places SET proof = ?3 WHERE replica = ?1 AND collection = ?2 AND (proof IS NULL OR proof < ?3)",
                params![replica, collection, now_ms],
            )?;
        }
        Ok(())
    }

    /// Notes that a collection was deleted and leaves, or that it stays after all.
    pub fn set_ending(&mut self, collection: i64, is_ending: bool) -> Result<()> {
        self.run("UPDATE collections SET ending = ?2 WHERE id = ?1", params![collection, is_ending])
    }

    /// Notes that the first listing of a place has been paired.
    pub fn set_place_met(&mut self, id: i64) -> Result<()> {
        self.run("UPDATE places SET met = 1 WHERE id = ?1", [id])
    }

    /// Whether the first listing of every place has been paired. What is left out is not waited for.
    pub fn all_met(&self) -> Result<bool> {
        let unmet = "SELECT count(*) FROM places WHERE met = 0 AND collection NOT IN (SELECT id FROM collections WHERE left_out)";
        Ok(self.count(unmet, [])? == 0)
    }

    /// Follows collections to their new names at a replica, all at once: two may have exchanged theirs. Their copies go with them where
    /// their names begin with those of their collections (a device's paths). What stood under such a name and has no new one is gone
    /// there, and steps aside.
    pub fn move_places(&mut self, moves: &[(Place, String)]) -> Result<()> {
        let is_moving = |place: &Place| moves.iter().any(|(moving, _)| moving.id == place.id);
        let mut steps: Vec<(Place, String)> = Vec::new();
        for (place, to) in moves {
            if let Some(gone) = self.place_at(place.replica, to)?.filter(|it| !is_moving(it)) {
                let aside = format!("{to} (gone {})", gone.id);
                steps.push((gone, aside));
            }
        }
        steps.extend(moves.iter().cloned());
        for (place, _) in &steps {
            self.move_place(place, &place.remote_id, &format!("moving {}", place.id))?;
            self.forget_feed(place.replica, &place.remote_id)?;
        }
        for (place, to) in &steps {
            self.move_place(place, &format!("moving {}", place.id), to)?;
        }
        Ok(())
    }

    fn move_place(&mut self, place: &Place, from: &str, to: &str) -> Result<()> {
        self.run("UPDATE places SET remote_id = ?2 WHERE id = ?1", params![place.id, to])?;
        let (within, length) = (format!("{from}/"), from.chars().count());
        for table in ["placements", "sightings", "quarantine", "left_out"] {
            self.run(
                &format!(
                    "UPDATE {table} SET remote_id = ?4 || substr(remote_id, ?5 + 1)
                     WHERE replica = ?1 AND collection = ?2 AND substr(remote_id, 1, ?5 + 1) = ?3"
                ),
                params![place.replica, place.collection, within, to, length],
            )?;
        }
        Ok(())
    }

    fn forget_feed(&mut self, replica: i64, feed: &str) -> Result<()> {
        self.run("DELETE FROM feeds WHERE replica = ?1 AND feed = ?2", params![replica, feed])?;
        self.run("DELETE FROM listed WHERE replica = ?1 AND feed = ?2", params![replica, feed])
    }

    /// Takes a place out of the hub together with its bases, its sightings, its feed and what of it is in quarantine: what stands there is
    /// unknown from now on. Items and versions stay.
    pub fn remove_place(&mut self, id: i64) -> Result<()> {
        if let Some(place) = self.one(&format!("SELECT {PLACE} FROM places p WHERE p.id = ?1"), [id], place)? {
            self.forget_feed(place.replica, &place.remote_id)?;
        }
        for table in ["placements", "sightings", "left_out", "quarantine"] {
            self.run(
                &format!(
                    "DELETE FROM {table} WHERE (replica, collection) IN (SELECT replica, collection FROM places WHERE id = ?1)"
                ),
                [id],
            )?;
        }
        self.run("DELETE FROM places WHERE id = ?1", [id])
    }

    /// What is known of a feed.
    pub fn feed(&self, replica: i64, feed: &str) -> Result<FeedState> {
        let found = self.one(
            "SELECT nullif(token, ''), listed_at FROM feeds WHERE replica = ?1 AND feed = ?2",
            params![replica, feed],
            |row| Ok(FeedState { token: row.get::<_, Option<String>>(0)?.map(DeltaToken), listed_ms: row.get(1)? }),
        )?;
        Ok(found.unwrap_or_default())
    }

    /// Moves a feed's token. Called in the transaction that stores what it covers (promise 2).
    pub fn end_round(
        &mut self,
        replica: i64,
        (feed, kind): (&str, Kind),
        token: &DeltaToken,
        listed_ms: Option<i64>,
    ) -> Result<()> {
        self.run(
            "INSERT INTO feeds (replica, feed, kind, token, listed_at) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT DO UPDATE SET token = ?4, listed_at = coalesce(?5, listed_at)",
            params![replica, feed, kind.as_str(), token.as_str(), listed_ms],
        )
    }

    /// What is known of a place that compares is read now. Its token is nothing but a note that this goes on (an empty text, which is
    /// no token), and falls as soon as the hub knows something else (the triggers `base_*`).
    pub fn begin_comparison(&mut self, replica: i64, (feed, kind): (&str, Kind)) -> Result<()> {
        self.run(
            "INSERT INTO feeds (replica, feed, kind, token) VALUES (?1, ?2, ?3, '') ON CONFLICT DO UPDATE SET token = ''",
            params![replica, feed, kind.as_str()],
        )
    }

    /// A place that compares has been read to its end. Its token holds for what was known when it was compared: it is kept where the hub
    /// knows nothing else by now (promise 2).
    pub fn end_comparison(
        &mut self,
        replica: i64,
        feed: &str,
        token: &DeltaToken,
        listed_ms: Option<i64>,
    ) -> Result<()> {
        self.run(
            "UPDATE feeds SET token = iif(token = '', ?3, token), listed_at = coalesce(?4, listed_at)
             WHERE replica = ?1 AND feed = ?2",
            params![replica, feed, token.as_str(), listed_ms],
        )
    }

    /// The token is dead: the next round lists in full and compares.
    pub fn drop_token(&mut self, replica: i64, feed: &str) -> Result<()> {
        self.run("UPDATE feeds SET token = NULL WHERE replica = ?1 AND feed = ?2", params![replica, feed])
    }

    /// All devices are compared anew with what is known of a kind: what was seen there and came to nothing may matter now.
    pub fn drop_device_tokens(&mut self, kind: Kind) -> Result<()> {
        self.run(
            "UPDATE feeds SET token = NULL WHERE kind = ?1 AND replica IN (SELECT id FROM replicas WHERE is_device = 1)",
            [kind.as_str()],
        )
    }

    /// Forgets every token and feed of a replica (device fill, forget).
    pub fn drop_feeds(&mut self, replica: i64) -> Result<()> {
        self.run("DELETE FROM feeds WHERE replica = ?1", [replica])?;
        self.run("DELETE FROM listed WHERE replica = ?1", [replica])
    }

    /// Empties the shadow set of a full listing: one begins, or is over.
    pub fn clear_listed(&mut self, replica: i64, feed: &str) -> Result<()> {
        self.run("DELETE FROM listed WHERE replica = ?1 AND feed = ?2", params![replica, feed])
    }

    /// Notes that a full listing named this copy.
    pub fn note_listed(&mut self, replica: i64, feed: &str, remote_id: &str) -> Result<()> {
        self.run("INSERT OR IGNORE INTO listed VALUES (?1, ?2, ?3)", params![replica, feed, remote_id])
    }

    /// Whether copies were seen in a collection at a replica that are not known to stand there.
    pub fn has_unknown(&self, replica: i64, collection: i64) -> Result<bool> {
        let sql = format!("SELECT EXISTS (SELECT 1 FROM sightings s WHERE s.collection = ?2 AND {UNKNOWN})");
        Ok(self.one(&sql, params![replica, collection], |row| row.get(0))?.unwrap_or(false))
    }

    /// The listing is complete: copies that were seen in these collections before, are not known to stand there and were not named by it are
    /// said to be gone (a question).
    pub fn unknown_absent_from_listing(
        &mut self,
        replica: i64,
        feed: &str,
        collections: &[i64],
        now_ms: i64,
    ) -> Result<()> {
        let sql = format!(
            "UPDATE sightings AS s SET gone = 1, observed = ?4
             WHERE s.collection IN (SELECT value FROM json_each(?3)) AND {UNKNOWN}
               AND NOT EXISTS (SELECT 1 FROM listed l WHERE l.replica = ?1 AND l.feed = ?2 AND l.remote_id = s.remote_id)"
        );
        self.run(&sql, params![replica, feed, serde_json::Value::from(collections).to_string(), now_ms])
    }

    /// The listing is complete: known copies of these collections that it did not name are said to be gone (a question).
    /// What was seen in another collection meanwhile has moved there. Returns how many.
    pub fn absent_from_listing(&mut self, replica: i64, feed: &str, collections: &[i64], now_ms: i64) -> Result<usize> {
        let mut absent = 0;
        let own = serde_json::Value::from(collections).to_string();
        for collection in collections {
            absent += self
                .connection
                .prepare_cached(
                    "INSERT INTO sightings (replica, collection, remote_id, item, gone, observed)
                     SELECT p.replica, p.collection, p.remote_id, p.item, 1, ?4 FROM placements p
                     WHERE p.replica = ?1 AND p.collection = ?3
                       AND NOT EXISTS (SELECT 1 FROM listed l WHERE l.replica = ?1 AND l.feed = ?2 AND l.remote_id = p.remote_id)
                       AND NOT EXISTS (SELECT 1 FROM quarantine q WHERE q.replica = ?1 AND q.remote_id = p.remote_id)
                     ON CONFLICT (replica, remote_id) DO UPDATE SET gone = max(gone, 1)
                       WHERE NOT EXISTS (SELECT 1 FROM listed l WHERE l.replica = ?1 AND l.feed = ?2 AND l.remote_id = excluded.remote_id)
                         AND (gone > 0 OR sightings.collection IN (SELECT value FROM json_each(?5)))",
                )
                .store()?
                .execute(params![replica, feed, collection, now_ms, own])
                .store()?;
        }
        Ok(absent)
    }
}
