//! Which blobs the hub names: in what versions say, in how copies look, and in what is not settled yet.
//!
//! A blob is put before the row that names it, and goes after the last row that does: a stop in between leaves a blob that nothing
//! names, never a name without its blob. What is named where so many rows are that they cannot be read is told by indexes.

use crate::{Hub, Store};
use std::collections::HashSet;
use twofold_model::{BlobId, Result};

/// The names in versions (of messages; no other content has a member of that name) and in the sheets of copies, which begin with
/// it. A part of the name is enough to find the few rows that are then read: an index of whole names would be as large as the rest of the
/// hub's.
pub(crate) const INDEXES: &str = "
    CREATE INDEX versions_by_blob ON versions (substr(content ->> 'blobId', 1, 12))
        WHERE instr(content, '\"blobId\":\"') > 0;
    CREATE INDEX placements_by_blob ON placements (substr(seen, 12, 12))
        WHERE substr(seen, 1, 11) = X'7b22626c6f624964223a22';";

/// Whether blob `?1` is named by an item, any of its versions, or a copy.
const IS_NAMED: &str = "
    SELECT EXISTS (SELECT 1 FROM items WHERE blob = ?1)
        OR EXISTS (SELECT 1 FROM versions WHERE instr(content, '\"blobId\":\"') > 0
                   AND substr(content ->> 'blobId', 1, 12) = substr(?1, 1, 12) AND content ->> 'blobId' = ?1)
        OR EXISTS (SELECT 1 FROM placements WHERE substr(seen, 1, 11) = X'7b22626c6f624964223a22'
                   AND substr(seen, 12, 12) = CAST(substr(?1, 1, 12) AS BLOB) AND substr(seen, 12, 64) = CAST(?1 AS BLOB))";

/// All blobs that versions and copies name.
const NAMED: &str = "
    SELECT content ->> 'blobId' FROM versions WHERE instr(content, '\"blobId\":\"') > 0
    UNION SELECT CAST(substr(seen, 12, 64) AS TEXT) FROM placements WHERE substr(seen, 1, 11) = X'7b22626c6f624964223a22'";

/// What is seen and not settled, about to be written, in quarantine, or brought by somebody: few rows, once a run is through.
pub(crate) const UNSETTLED: &str = "
    SELECT rendering FROM sightings WHERE rendering IS NOT NULL
    UNION ALL SELECT target FROM intents WHERE target IS NOT NULL
    UNION ALL SELECT raw FROM quarantine
    UNION ALL SELECT rendering FROM offers";

/// What stands before the name of a blob, in a sheet as in content.
const MEMBER: &[u8] = b"\"blobId\":\"";

/// The blob that a rendering names.
pub(crate) fn named_in(rendering: &[u8]) -> Option<BlobId> {
    let at = rendering.windows(MEMBER.len()).position(|bytes| bytes == MEMBER)? + MEMBER.len();
    BlobId::parse(std::str::from_utf8(rendering.get(at..at + 64)?).ok()?)
}

impl Hub {
    /// Those of the blobs that nothing names.
    pub fn unnamed(&self, mut blobs: Vec<BlobId>) -> Result<Vec<BlobId>> {
        let mut statement = self.connection.prepare_cached(IS_NAMED).store()?;
        let mut unnamed = HashSet::new();
        for blob in &blobs {
            if !statement.query_row([blob.as_str()], |row| row.get(0)).store()? {
                unnamed.insert(blob.clone());
            }
        }
        if unnamed.is_empty() {
            return Ok(Vec::new());
        }
        let mut statement = self.connection.prepare_cached(UNSETTLED).store()?;
        let mut rows = statement.query([]).store()?;
        while let Some(row) = rows.next().store()? {
            if let Ok(bytes) = row.get_ref(0).store()?.as_bytes()
                && let Some(named) = named_in(bytes)
            {
                unnamed.remove(&named);
            }
        }
        blobs.retain(|blob| unnamed.remove(blob));
        Ok(blobs)
    }

    /// Hands over each blob that versions and copies name, once.
    pub fn each_named_blob(&self, mut each: impl FnMut(&BlobId) -> Result<()>) -> Result<()> {
        let mut statement = self.connection.prepare_cached(NAMED).store()?;
        let mut rows = statement.query([]).store()?;
        while let Some(row) = rows.next().store()? {
            if let Some(blob) = row.get_ref(0).store()?.as_str().ok().and_then(BlobId::parse) {
                each(&blob)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whether_a_blob_is_named_is_told_by_indexes() {
        let hub = Hub::in_memory().unwrap();
        let plan = hub.all(&format!("EXPLAIN QUERY PLAN {IS_NAMED}"), ["0"], |row| row.get::<_, String>(3)).unwrap();
        assert!(!plan.iter().any(|step| step.contains("SCAN") && !step.contains("CONSTANT ROW")), "{plan:?}");
        for index in ["items_by_blob", "versions_by_blob", "placements_by_blob"] {
            assert!(plan.iter().any(|step| step.contains(index)), "{index}: {plan:?}");
        }
    }

    #[test]
    fn a_rendering_names_its_blob_wherever_it_says_so() {
        let id = BlobId::of(b"bytes");
        let named = |text: String| named_in(text.as_bytes());
        assert_eq!(named(format!("{{\"blobId\":\"{id}\"}}")), Some(id.clone()));
        assert_eq!(named(format!("{{\"size\":1,\"blobId\":\"{id}\",\"own\":{{}}}}")), Some(id.clone()));
        for none in
            [String::new(), "{\"blobId\":\"ab\"}".into(), format!("\"blobId\":\"{}", &id.as_str()[1..]), id.to_string()]
        {
            assert_eq!(named(none.clone()), None, "{none}");
        }
    }
}
