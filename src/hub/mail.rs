//! Writes that would mail people: held until somebody allows them (promise 7).

use crate::{Hold, Hub, IntentKind, random_id};
use rusqlite::{Row, params};
use std::collections::HashMap;
use twofold_model::{Etag, Kind, Result};

/// The cause of a hold whose rows are writes that would mail people.
pub const MAIL: &str = "mail";

/// A write that waits for a person.
#[derive(Clone, Debug, PartialEq)]
pub struct HeldWrite {
    /// The hold that it stands in.
    pub hold: String,
    /// The item.
    pub item: i64,
    /// Where it would be written.
    pub replica: i64,
    /// The collection there.
    pub collection: i64,
    /// An update or a delete.
    pub operation: IntentKind,
    /// The version that would be sent.
    pub version: i64,
    /// The state at the replica on which it rests.
    pub etag: Etag,
    /// How many people it would mail.
    pub people: usize,
}

fn held_write(row: &Row<'_>) -> rusqlite::Result<HeldWrite> {
    let operation: String = row.get("operation")?;
    Ok(HeldWrite {
        hold: row.get("hold")?,
        item: row.get("item")?,
        replica: row.get("replica")?,
        collection: row.get("collection")?,
        operation: IntentKind::from_name(&operation),
        version: row.get("version")?,
        etag: Etag(row.get("etag")?),
        people: row.get("people")?,
    })
}

/// What somebody said of a held write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// Nothing yet.
    Nothing,
    /// Make it.
    Yes,
    /// It was wrong.
    No,
}

/// Held writes by item, replica and collection, each with what somebody said of its hold.
pub type HeldWrites = HashMap<(i64, i64, i64), (HeldWrite, Said)>;

impl Hub {
    /// Every held write.
    pub fn held_writes(&self) -> Result<HeldWrites> {
        let rows = self.all("SELECT w.*, h.approved FROM held_writes w JOIN holds h ON h.id = w.hold", [], |row| {
            let said = match row.get::<_, i64>("approved")? {
                0 => Said::Nothing,
                1 => Said::Yes,
                _ => Said::No,
            };
            Ok((held_write(row)?, said))
        })?;
        Ok(rows.into_iter().map(|row| ((row.0.item, row.0.replica, row.0.collection), row)).collect())
    }

    /// The writes that a hold covers.
    pub fn writes_of_hold(&self, hold: &str) -> Result<Vec<HeldWrite>> {
        self.all("SELECT * FROM held_writes WHERE hold = ?1 ORDER BY item", [hold], held_write)
    }

    /// Holds a write in the open hold of its collection at its replica, which is made when there is none. `write.hold` is of no
    /// account.
    pub fn hold_write(&mut self, write: &HeldWrite, kind: Kind, now_ms: i64) -> Result<()> {
        let open = self.open_hold(write.replica, Some(write.collection), MAIL)?;
        let hold = match open {
            Some(open) => open.id,
            None => {
                let id = format!("{MAIL}-{}", &random_id()[..6]);
                self.set_hold(&Hold {
                    id: id.clone(),
                    replica: write.replica,
                    collection: Some(write.collection),
                    kind,
                    cause: MAIL.into(),
                    reason: String::new(),
                    since_ms: now_ms,
                    is_approved: false,
                })?;
                id
            }
        };
        self.run(
            "INSERT OR REPLACE INTO held_writes (hold, item, replica, collection, operation, version, etag, people)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            params![
                hold,
                write.item,
                write.replica,
                write.collection,
                write.operation.as_str(),
                write.version,
                write.etag.as_str(),
                write.people
            ],
        )
    }

    /// A write was made, or is not needed any more.
    pub fn release_write(&mut self, item: i64, replica: i64, collection: i64) -> Result<()> {
        self.run(
            "DELETE FROM held_writes WHERE item = ?1 AND replica = ?2 AND collection = ?3",
            params![item, replica, collection],
        )
    }

    /// Says in each hold how many writes it covers and how many people they would mail.
    pub fn describe_held_writes(&mut self) -> Result<()> {
        self.run(
            "UPDATE holds SET reason = counted.words FROM
               (SELECT w.hold, count(*) || iif(count(*) = 1, ' change', ' changes') || ' in \"' || c.name || '\" would mail '
                  || sum(w.people) || iif(sum(w.people) = 1, ' person', ' people') || '; nothing was changed there' AS words
                FROM held_writes w JOIN collections c ON c.id = w.collection GROUP BY w.hold) AS counted
             WHERE holds.id = counted.hold AND holds.approved = 0",
            [],
        )
    }
}
