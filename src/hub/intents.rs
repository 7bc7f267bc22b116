//! Intents: what is about to be, or may have been, done at a replica. On disk before the request leaves (promise 3).

use crate::{Hub, list};
use rusqlite::{Row, params};
use twofold_model::{Etag, RemoteId, Rendering, Result};

/// What an intent does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntentKind {
    /// Makes a copy.
    Create,
    /// Makes a further copy beside one that is there.
    Copy,
    /// Moves a copy to another collection.
    Move,
    /// Changes a copy.
    Update,
    /// Removes a copy.
    Delete,
}

impl IntentKind {
    pub(crate) fn from_name(name: &str) -> Self {
        match name {
            "create" => IntentKind::Create,
            "copy" => IntentKind::Copy,
            "move" => IntentKind::Move,
            "update" => IntentKind::Update,
            _ => IntentKind::Delete,
        }
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            IntentKind::Create => "create",
            IntentKind::Copy => "copy",
            IntentKind::Move => "move",
            IntentKind::Update => "update",
            IntentKind::Delete => "delete",
        }
    }
}

/// One write that is about to be made or whose fate is unknown.
#[derive(Clone, Debug, PartialEq)]
pub struct Intent {
    /// The hub's key; 0 before it is stored.
    pub id: i64,
    /// The replica.
    pub replica: i64,
    /// The item.
    pub item: i64,
    /// The hub's collection.
    pub collection: i64,
    /// What it does.
    pub kind: IntentKind,
    /// The copy that is changed, moved or removed, or beside which another one is made; of a create, the copy of another item that
    /// the replica copies for it.
    pub remote_id: Option<RemoteId>,
    /// The state on which it rests.
    pub etag: Option<Etag>,
    /// The rendering that an update shall leave behind.
    pub target: Option<Rendering>,
    /// The version that the replica agrees to by it.
    pub version: i64,
    /// The generation in the mark of a create.
    pub generation: u32,
    /// When it left; `None`: certainly not yet.
    pub sent_ms: Option<i64>,
    /// When its fate can be known at the earliest.
    pub not_before_ms: Option<i64>,
}

impl Intent {
    /// Whether it makes a copy by copying what stands there.
    pub fn is_copy(&self) -> bool {
        self.kind == IntentKind::Create && self.remote_id.is_some()
    }
}

fn intent(row: &Row<'_>) -> rusqlite::Result<Intent> {
    let operation: String = row.get("operation")?;
    Ok(Intent {
        id: row.get("id")?,
        replica: row.get("replica")?,
        item: row.get("item")?,
        collection: row.get("collection")?,
        kind: IntentKind::from_name(&operation),
        remote_id: row.get::<_, Option<String>>("remote_id")?.map(RemoteId),
        etag: row.get::<_, Option<String>>("etag")?.map(Etag),
        target: row.get::<_, Option<Vec<u8>>>("target")?.map(Rendering),
        version: row.get("version")?,
        generation: row.get("generation")?,
        sent_ms: row.get("sent")?,
        not_before_ms: row.get("not_before")?,
    })
}

impl Hub {
    /// Stores an intent. Returns its key.
    pub fn add_intent(&mut self, new: &Intent) -> Result<i64> {
        self.insert(
            "INSERT INTO intents (replica, item, collection, operation, remote_id, etag, target, version, generation)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            params![
                new.replica,
                new.item,
                new.collection,
                new.kind.as_str(),
                new.remote_id.as_ref().map(RemoteId::as_str),
                new.etag.as_ref().map(Etag::as_str),
                new.target.as_ref().map(Rendering::as_bytes),
                new.version,
                new.generation
            ],
        )
    }

    /// From now on the writes may have been executed.
    pub fn set_sent(&mut self, ids: &[i64], now_ms: i64) -> Result<()> {
        self.run(
            "UPDATE intents SET sent = ?2 WHERE id IN (SELECT value FROM json_each(?1))",
            params![list(ids), now_ms],
        )
    }

    /// Settles intents of one replica that were carried out: what was refused of them before is no more, and nobody's word is waited for.
    pub fn end_intents(&mut self, replica: i64, ids: &[i64]) -> Result<()> {
        let ids = list(ids);
        self.run(
            "DELETE FROM quarantine WHERE replica = ?1 AND remote_id >= 'item:' AND remote_id < 'item;'
               AND EXISTS (SELECT 1 FROM intents n WHERE n.item = quarantine.item AND n.replica = ?1
                     AND n.collection = quarantine.collection AND n.id IN (SELECT value FROM json_each(?2)))",
            params![replica, ids],
        )?;
        self.run(
            "DELETE FROM held_writes WHERE (item, replica, collection) IN
               (SELECT item, replica, collection FROM intents WHERE id IN (SELECT value FROM json_each(?1)))",
            [&ids],
        )?;
        self.run("DELETE FROM intents WHERE id IN (SELECT value FROM json_each(?1))", [&ids])
    }

    /// Its fate cannot be known before that moment.
    pub fn set_not_before(&mut self, id: i64, at_ms: i64) -> Result<()> {
        self.run("UPDATE intents SET not_before = ?2 WHERE id = ?1", params![id, at_ms])
    }

    /// Settles an intent.
    pub fn remove_intent(&mut self, id: i64) -> Result<()> {
        self.run("DELETE FROM intents WHERE id = ?1", [id])
    }

    /// All intents that are left, oldest first.
    pub fn intents(&self) -> Result<Vec<Intent>> {
        self.all("SELECT * FROM intents ORDER BY id", [], intent)
    }
}
