//! The hub: the local store that holds every item once, with all its versions, and what each replica last agreed to.
//!
//! SQLite in WAL mode, one connection, one writer. Nothing here decides and nothing here meets the network. Every change of
//! state goes through [`Hub::atomically`], whose callers say in their doc comment which promise the transaction keeps.
//!
//! Rooms: [`replicas`] (replicas, collections, feeds), [`items`] (items, versions, where they stand), [`placements`] (bases and
//! sightings), [`offers`] (bytes that somebody brought), [`intents`] (writes about to be made), [`joins`] (collections that become one, or
//! several), [`left_out`] (what is frozen), [`holds`] (held plans, quarantine, conflicts), [`runs`] (budgets, runs), [`counts`] (what people
//! are shown of it), [`prune`] (what may go at last), [`blobs`] (which bytes are named), [`backup`] (a copy of all), [`forget`] (a place with all that is its own).

pub mod backup;
pub mod blobs;
pub mod counts;
pub mod forget;
pub mod holds;
pub mod intents;
pub mod items;
pub mod joins;
pub mod left_out;
pub mod mail;
pub mod offers;
pub mod placements;
pub mod prune;
pub mod replicas;
pub mod runs;
pub mod sightings;

pub use counts::{Amount, Holdings, Lacking};
pub use forget::{Mirrored, Toll, remove_copies};
pub use holds::{Bad, Conflict, Decided, HeldRow, Hold, Quarantined};
pub use intents::{Intent, IntentKind};
pub use items::{Item, Version};
pub use mail::{HeldWrite, Said};
pub use offers::Offer;
pub use placements::Placement;
pub use replicas::{Collection, FeedState, Label, Place, Replica};
pub use runs::Run;
pub use sightings::{Claim, Presence, Sighting};

use rand::Rng;
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use rustix::fs::Access;
use std::cell::Cell;
use std::fs::{DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use twofold_model::{Blobs, Error, ErrorKind, Result};

/// The version of the schema that this program writes.
pub const SCHEMA_VERSION: i64 = 11;

/// What brings a hub from one version of the schema to the next, the first from version 1 to 2.
const STEPS: [&str; 10] = [
    "CREATE TABLE departed (
        replica INTEGER NOT NULL REFERENCES replicas (id), remote_id TEXT NOT NULL, modified INTEGER NOT NULL, at INTEGER NOT NULL,
        PRIMARY KEY (replica, remote_id)) WITHOUT ROWID;",
    // Since when a version has been replaced is not known: it begins to age with the next run.
    "CREATE TABLE aging (version INTEGER PRIMARY KEY REFERENCES versions (id) ON DELETE CASCADE, since INTEGER NOT NULL);
     CREATE INDEX aging_since ON aging (since);
     CREATE INDEX placements_agreed ON placements (agreed);
     INSERT INTO aging SELECT v.id, 0 FROM versions v JOIN items i ON i.id = v.item
     WHERE i.version <> v.id OR i.buried IS NOT NULL;
     ALTER TABLE collections ADD COLUMN successor INTEGER REFERENCES collections (id);
     CREATE TABLE former_marks (mark TEXT PRIMARY KEY, item INTEGER NOT NULL REFERENCES items (id)) WITHOUT ROWID;",
    // A device was last told the name that its place has; a provider has agreed to the hub's. A collection that was deleted at its
    // provider before there was such a note is not made there again.
    "ALTER TABLE places ADD COLUMN color TEXT;
     ALTER TABLE places ADD COLUMN agreed_name TEXT NOT NULL DEFAULT '';
     ALTER TABLE places ADD COLUMN agreed_color TEXT;
     ALTER TABLE places ADD COLUMN told INTEGER;
     UPDATE places SET color = c.color, agreed_color = c.color, agreed_name = iif(r.is_device, places.name, c.name)
       FROM collections c, replicas r WHERE c.id = places.collection AND r.id = places.replica;
     ALTER TABLE collections ADD COLUMN ending INTEGER NOT NULL DEFAULT 0;
     UPDATE collections SET ending = 1 WHERE successor IS NULL AND joined = 0 AND NOT EXISTS
       (SELECT 1 FROM places p WHERE p.collection = collections.id AND p.replica = collections.origin);
     CREATE TABLE held_writes (
        hold TEXT NOT NULL REFERENCES holds (id) ON DELETE CASCADE, item INTEGER NOT NULL REFERENCES items (id) ON DELETE CASCADE,
        replica INTEGER NOT NULL, collection INTEGER NOT NULL, operation TEXT NOT NULL, version INTEGER NOT NULL,
        etag TEXT NOT NULL, people INTEGER NOT NULL, PRIMARY KEY (item, replica, collection)) WITHOUT ROWID;
     CREATE INDEX held_writes_by_hold ON held_writes (hold);",
    "ALTER TABLE collections ADD COLUMN role TEXT;
     ALTER TABLE items ADD COLUMN dated INTEGER;
     ALTER TABLE items ADD COLUMN blob TEXT;
     CREATE INDEX items_by_blob ON items (blob) WHERE blob IS NOT NULL;
     ALTER TABLE sightings ADD COLUMN lacks INTEGER NOT NULL DEFAULT 0;
     ALTER TABLE sightings ADD COLUMN dated INTEGER;
     CREATE INDEX sightings_by_uid ON sightings (replica, uid) WHERE uid IS NOT NULL;
     CREATE INDEX sightings_lacking ON sightings (replica, dated) WHERE lacks > 0;",
    // How large a message is was kept with each of its copies only.
    "CREATE TABLE offers (
        id INTEGER PRIMARY KEY, origin INTEGER NOT NULL REFERENCES replicas (id), name TEXT NOT NULL, uid TEXT, rendering BLOB NOT NULL,
        UNIQUE (origin, name));
     CREATE INDEX offers_by_uid ON offers (origin, uid) WHERE uid IS NOT NULL;
     ALTER TABLE replicas ADD COLUMN since INTEGER;
     ALTER TABLE replicas ADD COLUMN max_size INTEGER;
     ALTER TABLE collections ADD COLUMN left_out INTEGER NOT NULL DEFAULT 0;
     ALTER TABLE items ADD COLUMN size INTEGER;
     UPDATE items SET size = (SELECT max(json_extract(CAST(p.seen AS TEXT), '$.size')) FROM placements p
       WHERE p.item = items.id AND json_valid(CAST(p.seen AS TEXT))) WHERE kind = 'mail';
     CREATE TABLE left_out (
        replica INTEGER NOT NULL REFERENCES replicas (id), remote_id TEXT NOT NULL,
        collection INTEGER NOT NULL REFERENCES collections (id), etag TEXT NOT NULL,
        PRIMARY KEY (replica, remote_id)) WITHOUT ROWID;
     CREATE INDEX left_out_by_collection ON left_out (collection);",
    // Programs of version 6 made these whenever they opened a hub.
    "DROP TRIGGER IF EXISTS base_made; DROP TRIGGER IF EXISTS base_gone; DROP TRIGGER IF EXISTS base_moved;
     DROP INDEX IF EXISTS versions_by_blob; DROP INDEX IF EXISTS placements_by_blob; DROP INDEX sightings_by_item;
     CREATE INDEX sightings_by_item ON sightings (item) WHERE item IS NOT NULL;",
    // Nothing is proven of a collection before it is read anew.
    "ALTER TABLE places ADD COLUMN proof INTEGER;",
    // What places showed before they were told is not known: for a while that is somebody's rename.
    "ALTER TABLE places ADD COLUMN earlier TEXT;",
    // What was noted as proof was that it was read; whether anything of it was seen then is not known.
    "ALTER TABLE places RENAME COLUMN proof TO read; ALTER TABLE places ADD COLUMN proof INTEGER;",
    placements::LIKES_AND_NEWEST,
];

/// Called at every point where a stop would leave something half done; an error there ends the run (crash harness).
pub type Steps = Box<dyn FnMut(&str) -> Result<()> + Send>;

/// The store.
pub struct Hub {
    connection: Connection,
    depth: u32,
    id: String,
    steps: Option<Steps>,
    dead: Option<Arc<AtomicBool>>,
    blobs: Option<Arc<dyn Blobs>>,
    path: PathBuf,
    statements: Cell<u64>,
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hub").field("path", &self.path).finish_non_exhaustive()
    }
}

/// Turns a store failure into an error that ends the run.
pub(crate) fn broken(error: rusqlite::Error) -> Error {
    let full =
        matches!(error.sqlite_error_code(), Some(rusqlite::ErrorCode::DiskFull | rusqlite::ErrorCode::SystemIoFailure));
    let message = if full {
        "the hub could not be written (disk full or failing); nothing further was changed. Free some space, then: twofold sync"
    } else {
        "the hub could not be read or written; nothing further was changed. Look at it with: twofold doctor"
    };
    Error::new(ErrorKind::Broken, format!("{message} ({error})")).with_source(error)
}

/// Opens a database result in this crate's error.
pub(crate) trait Store<T> {
    /// The value, or an error that ends the run.
    fn store(self) -> Result<T>;
}

impl<T> Store<T> for rusqlite::Result<T> {
    fn store(self) -> Result<T> {
        self.map_err(broken)
    }
}

/// Values as the JSON text that a statement takes apart again (`json_each`): one statement for all of them.
pub(crate) fn list<T: serde::Serialize>(values: &[T]) -> String {
    // Keys, pairs of keys and names: there is no way to fail.
    serde_json::to_string(values).unwrap_or_default()
}

/// Sixteen random bytes as lower-case hexadecimal digits.
pub fn random_id() -> String {
    format!("{:032x}", rand::rng().random::<u128>())
}

/// Makes the state folder (0700) if it is not there, and refuses one that others can read or that belongs to somebody else.
pub fn prepare_folder(dir: &Path) -> Result<()> {
    let failed = |error: std::io::Error| {
        let words = format!(
            "cannot make the state folder {}: {error}; nothing was read or changed. Name another as state_dir in the configuration",
            dir.display()
        );
        Error::new(ErrorKind::Misconfigured, words).with_source(error)
    };
    if !dir.exists() {
        DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(failed)?;
    }
    let meta = std::fs::metadata(dir).map_err(failed)?;
    let me = rustix::process::geteuid().as_raw();
    if meta.uid() != me {
        return Err(Error::new(
            ErrorKind::Misconfigured,
            format!(
                "the state folder {} belongs to user {}, and this is user {me}; nothing was read or changed. Type: sudo -u '#{}' twofold …",
                dir.display(),
                meta.uid(),
                meta.uid()
            ),
        ));
    }
    if meta.permissions().mode() & 0o077 != 0 {
        return Err(Error::new(
            ErrorKind::Misconfigured,
            format!(
                "others can read the state folder {0}; nothing was read or changed. Type: chmod 700 '{0}'",
                dir.display()
            ),
        ));
    }
    rustix::fs::access(dir, Access::WRITE_OK | Access::EXEC_OK).map_err(|error| {
        let todo = match error {
            rustix::io::Errno::ROFS => {
                "For the service its sandbox may be why, which a drop-in lets through; type: twofold systemd-dropin. Else mount it so that it can \
                 be written, or name another state_dir"
                    .to_owned()
            }
            _ => format!("Type: chmod 700 '{}'", dir.display()),
        };
        let words = format!("the state folder {} cannot be written ({error}); nothing was read or changed. {todo}", dir.display());
        Error::new(ErrorKind::Misconfigured, words).with_source(error)
    })?;
    Ok(())
}

/// Refuses a file that others can read.
fn check_private(path: &Path) -> Result<()> {
    if std::fs::metadata(path).is_ok_and(|meta| meta.permissions().mode() & 0o077 != 0) {
        return Err(Error::new(
            ErrorKind::Misconfigured,
            format!("others can read {0}; nothing was read or changed. Type: chmod 600 '{0}'", path.display()),
        ));
    }
    Ok(())
}

/// Held while one process works on a hub (promise 12), is the one service of it, or tells of its troubles.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

impl Drop for Lock {
    fn drop(&mut self) {
        // A child that another thread is just starting has the same open file until it is another program (flock(2)): closing ours would
        // leave the lock with it for a moment. Nothing else could be done where this fails.
        let _ = rustix::fs::flock(&self.file, rustix::fs::FlockOperation::Unlock);
    }
}

impl Lock {
    /// Takes the lock of a state folder; `None` when another process holds it.
    pub fn take(dir: &Path) -> Result<Option<Lock>> {
        Self::take_file(&dir.join("lock"))
    }

    /// Takes the place of the one service of a state folder, which holds [`Lock::take`]'s only while a run is under way; `None` when another
    /// process has it.
    pub fn take_service(dir: &Path) -> Result<Option<Lock>> {
        Self::take_file(&dir.join("service.lock"))
    }

    /// Takes the right to tell people of troubles: the service's for as long as it is there, else that of a run that is over; `None` when
    /// another process has it.
    pub fn take_notices(dir: &Path) -> Result<Option<Lock>> {
        Self::take_file(&dir.join("notices.lock"))
    }

    /// Whether a process holds the lock of a state folder. Makes nothing where none ever did.
    pub fn is_taken(dir: &Path) -> Result<bool> {
        Ok(dir.join("lock").exists() && Self::take(dir)?.is_none())
    }

    fn take_file(path: &Path) -> Result<Option<Lock>> {
        let file =
            OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path).map_err(|error| {
                Error::new(ErrorKind::Misconfigured, format!("cannot open {}: {error}", path.display()))
                    .with_source(error)
            })?;
        match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Lock { file })),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => {
                Err(Error::new(ErrorKind::Broken, format!("cannot lock {}: {error}", path.display()))
                    .with_source(error))
            }
        }
    }
}

impl Hub {
    /// Opens the hub in a state folder, or makes it (0600). A hub of a later program is refused.
    pub fn open(dir: &Path) -> Result<Hub> {
        prepare_folder(dir)?;
        let path = dir.join("hub.sqlite");
        let is_new = !path.exists();
        if is_new {
            OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path).map_err(|error| {
                Error::new(ErrorKind::Broken, format!("cannot make {}: {error}", path.display())).with_source(error)
            })?;
        }
        check_private(&path)?;
        let connection = Connection::open(&path).store()?;
        Self::with(connection, path)
    }

    /// Whether there is one in a state folder.
    pub fn is_in(dir: &Path) -> bool {
        dir.join("hub.sqlite").exists()
    }

    /// The hub as it is now, to be read beside whoever works on it: no lock is needed, nothing can be written, and what is written meanwhile
    /// is not seen. `None` where there is none yet, or one that has to be opened first because its schema is another.
    pub fn look(dir: &Path) -> Result<Option<Hub>> {
        let path = dir.join("hub.sqlite");
        if !path.exists() {
            return Ok(None);
        }
        check_private(&path)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let looked =
            Connection::open_with_flags(&path, flags).store().and_then(|connection| Self::look_at(connection, &path));
        let log = std::fs::metadata(dir.join("hub.sqlite-wal")).map_or(0, |log| log.len());
        if looked.is_ok() || log > 0 {
            return looked;
        }
        // A reader makes files beside the hub, for which a full disk has no room. All of it is in this one, and nobody works on it.
        // SQLite's names that are addresses mean something by these three (sqlite.org, "URI Filenames").
        let name = path.display().to_string().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
        let flags = flags | OpenFlags::SQLITE_OPEN_URI;
        let alone = Connection::open_with_flags(format!("file:{name}?immutable=1"), flags).store();
        alone.and_then(|connection| Self::look_at(connection, &path)).or(looked)
    }

    fn look_at(connection: Connection, path: &Path) -> Result<Option<Hub>> {
        connection.set_prepared_statement_cache_capacity(128);
        connection.execute_batch("PRAGMA temp_store = MEMORY; PRAGMA busy_timeout = 5000; BEGIN").store()?;
        let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).store()?;
        if version != SCHEMA_VERSION {
            return Ok(None);
        }
        let path = path.to_owned();
        let mut hub = Hub::of(connection, path);
        hub.id = hub.meta("hub")?.unwrap_or_default();
        Ok(Some(hub))
    }

    fn of(connection: Connection, path: PathBuf) -> Hub {
        let (id, statements) = (String::new(), Cell::default());
        Hub { connection, depth: 0, id, steps: None, dead: None, blobs: None, path, statements }
    }

    /// A hub that lives in memory: for tests of the engine, and for whoever only looks where there is none.
    pub fn in_memory() -> Result<Hub> {
        Self::with(Connection::open_in_memory().store()?, PathBuf::new())
    }

    fn with(connection: Connection, path: PathBuf) -> Result<Hub> {
        connection.set_prepared_statement_cache_capacity(128);
        connection
            .execute_batch(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;
                 PRAGMA temp_store = MEMORY; PRAGMA cache_size = -2000; PRAGMA wal_autocheckpoint = 4000; PRAGMA busy_timeout = 5000;",
            )
            .store()?;
        connection.execute_batch(sightings::LET_GO).store()?;
        let mut hub = Hub::of(connection, path);
        hub.migrate()?;
        hub.id = hub.meta("hub")?.unwrap_or_default();
        Ok(hub)
    }

    /// Brings the schema up to date: a copy first (`hub.sqlite.v2`), then one transaction (ENGINE 24).
    fn migrate(&mut self) -> Result<()> {
        let version: i64 = self.connection.query_row("PRAGMA user_version", [], |row| row.get(0)).store()?;
        if version > SCHEMA_VERSION {
            return Err(Error::new(
                ErrorKind::Misconfigured,
                format!(
                    "{} was written by a later twofold (schema {version}, this program knows {SCHEMA_VERSION}); nothing was changed. Install that version again",
                    self.path.display()
                ),
            ));
        }
        if version == 0 {
            self.atomically("migrate", |hub| {
                hub.connection.execute_batch(include_str!("schema.sql")).store()?;
                hub.watch()?;
                hub.connection.execute_batch(placements::LIKES).store()?;
                hub.set_meta("hub", &random_id())?;
                hub.connection.execute_batch(&format!("PRAGMA user_version = {SCHEMA_VERSION}")).store()
            })?;
        } else if version < SCHEMA_VERSION {
            self.copy_before(version)?;
            self.atomically("migrate", |hub| {
                // Versions begin at 1, so this is the step that leads on from it.
                for step in STEPS.iter().skip(usize::try_from(version - 1).unwrap_or(0)) {
                    hub.connection.execute_batch(step).store()?;
                }
                if version < 7 {
                    hub.watch()?;
                }
                hub.connection.execute_batch(&format!("PRAGMA user_version = {SCHEMA_VERSION}")).store()
            })?;
        }
        Ok(())
    }

    /// What finds blobs, and what lets tokens fall: a part of the schema, kept where it is used.
    fn watch(&self) -> Result<()> {
        self.connection.execute_batch(blobs::INDEXES).store()?;
        self.connection.execute_batch(placements::TRIGGERS).store()
    }

    /// Keeps the hub as it is beside itself, readable by its owner only. A copy that is there already, of a migration that was
    /// stopped, is made anew.
    fn copy_before(&self, version: i64) -> Result<()> {
        let copy = self.path.with_extension(format!("sqlite.v{version}"));
        let failed = |error: std::io::Error| {
            let words = format!("cannot keep a copy of the hub at {}; it was not changed: {error}", copy.display());
            Error::new(ErrorKind::Broken, words).with_source(error)
        };
        // VACUUM INTO takes an empty file, which can be made private first.
        OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&copy).map_err(failed)?;
        self.connection.execute("VACUUM INTO ?1", [copy.display().to_string()]).store()?;
        Ok(())
    }

    /// The id that marks and device markers carry.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Where the hub is kept.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Sets what is called at each step (crash harness).
    pub fn set_steps(&mut self, steps: Option<Steps>) {
        self.steps = steps;
    }

    /// Once this is set nothing is written any more, as after a crash (crash harness).
    pub fn set_dead_switch(&mut self, dead: Arc<AtomicBool>) {
        self.dead = Some(dead);
    }

    /// Whose bytes the rows name: what was put there is made durable before a transaction is committed.
    pub fn set_blobs(&mut self, blobs: Option<Arc<dyn Blobs>>) {
        self.blobs = blobs;
    }

    /// Keeps promise 2: no row ever names bytes that a stop may take.
    fn commit(&self) -> Result<()> {
        self.alive()?;
        self.blobs.as_ref().map_or(Ok(()), |blobs| blobs.flush())?;
        self.connection.execute_batch("COMMIT").store()
    }

    fn alive(&self) -> Result<()> {
        match &self.dead {
            Some(dead) if dead.load(Ordering::SeqCst) => Err(Error::new(ErrorKind::Broken, "the process was stopped")),
            _ => Ok(()),
        }
    }

    /// A point where a stop would leave something half done.
    pub fn step(&mut self, name: &str) -> Result<()> {
        if let Some(steps) = &mut self.steps {
            steps(name)?;
        }
        self.alive()
    }

    /// Runs `work` in one transaction: all of it is on disk afterwards, or nothing. Inside another one it is a part of that.
    pub fn atomically<T>(&mut self, name: &str, work: impl FnOnce(&mut Hub) -> Result<T>) -> Result<T> {
        let outermost = self.depth == 0;
        if outermost {
            self.step(&format!("{name}: before"))?;
            self.connection.execute_batch("BEGIN IMMEDIATE").store()?;
        } else {
            self.connection.execute_batch(&format!("SAVEPOINT level{}", self.depth)).store()?;
        }
        self.depth += 1;
        let result = work(self);
        self.depth -= 1;
        let done = match (&result, outermost) {
            (Ok(_), true) => self.commit(),
            (Ok(_), false) => self.connection.execute_batch(&format!("RELEASE level{}", self.depth)).store(),
            (Err(_), true) => self.connection.execute_batch("ROLLBACK").store(),
            (Err(_), false) => {
                let name = format!("level{}", self.depth);
                self.connection.execute_batch(&format!("ROLLBACK TO {name}; RELEASE {name}")).store()
            }
        };
        let value = result?;
        if let Err(error) = done {
            if outermost {
                // The transaction may still be open after a failed commit (disk full); nothing of it may stay.
                let _ = self.connection.execute_batch("ROLLBACK");
            }
            return Err(error);
        }
        if outermost {
            self.step(&format!("{name}: after"))?;
        }
        Ok(value)
    }

    /// Begins a transaction that [`Hub::forget_all_since`] throws away: the dry run. No token, version or marker moves. Begun
    /// once more, it is the same one.
    pub fn begin_dry_run(&mut self) -> Result<()> {
        if self.depth == 0 {
            self.connection.execute_batch("BEGIN IMMEDIATE").store()?;
            self.depth += 1;
        }
        Ok(())
    }

    /// Throws away everything since [`Hub::begin_dry_run`].
    pub fn forget_all_since(&mut self) -> Result<()> {
        self.depth = 0;
        self.connection.execute_batch("ROLLBACK").store()
    }

    /// A value kept by name.
    pub fn meta(&self, key: &str) -> Result<Option<String>> {
        self.connection
            .prepare_cached("SELECT value FROM meta WHERE key = ?1")
            .store()?
            .query_row([key], |row| row.get(0))
            .optional()
            .store()
    }

    /// Keeps a value by name.
    pub fn set_meta(&mut self, key: &str, value: &str) -> Result<()> {
        self.run("INSERT INTO meta VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = ?2", params![key, value])
    }

    /// Whether the store is whole (SQLite's own check), in its words when it is not.
    pub fn check(&self) -> Result<Option<String>> {
        let answer: String = self.connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).store()?;
        Ok((answer != "ok").then_some(answer))
    }

    /// How many statements were carried out so far (what a test says of how costs grow).
    pub fn statements(&self) -> u64 {
        self.statements.get()
    }

    /// Prepares a statement that is carried out next.
    fn prepare(&self, sql: &str) -> Result<rusqlite::CachedStatement<'_>> {
        self.statements.set(self.statements.get() + 1);
        self.connection.prepare_cached(sql).store()
    }

    fn run(&self, sql: &str, params: impl rusqlite::Params) -> Result<()> {
        self.changes(sql, params).map(drop)
    }

    /// [`Hub::run`]; how many rows it changed.
    fn changes(&self, sql: &str, params: impl rusqlite::Params) -> Result<usize> {
        self.alive()?;
        self.prepare(sql)?.execute(params).store()
    }

    fn insert(&self, sql: &str, params: impl rusqlite::Params) -> Result<i64> {
        self.alive()?;
        self.prepare(sql)?.insert(params).store()
    }

    fn one<T>(
        &self,
        sql: &str,
        params: impl rusqlite::Params,
        read: impl FnOnce(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>> {
        self.prepare(sql)?.query_row(params, read).optional().store()
    }

    fn all<T>(
        &self,
        sql: &str,
        params: impl rusqlite::Params,
        read: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>> {
        let mut statement = self.prepare(sql)?;
        let rows = statement.query_map(params, read).store()?;
        rows.collect::<rusqlite::Result<Vec<T>>>().store()
    }

    fn count(&self, sql: &str, params: impl rusqlite::Params) -> Result<usize> {
        let count: i64 = self.one(sql, params, |row| row.get(0))?.unwrap_or(0);
        Ok(usize::try_from(count).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hub_is_made_private_and_opened_again() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state");
        let id = Hub::open(&state).unwrap().id().to_owned();
        assert_eq!(Hub::open(&state).unwrap().id(), id);
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&state), 0o700);
        assert_eq!(mode(&state.join("hub.sqlite")), 0o600);
        assert_eq!(Hub::open(&state).unwrap().check().unwrap(), None);
    }

    #[test]
    fn a_folder_that_others_can_read_is_refused_with_the_command_to_type() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state");
        std::fs::create_dir(&state).unwrap();
        std::fs::set_permissions(&state, std::fs::Permissions::from_mode(0o755)).unwrap();
        let error = Hub::open(&state).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Misconfigured);
        assert!(error.to_string().contains("chmod 700"), "{error}");
    }

    #[test]
    fn a_hub_of_a_later_program_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state");
        Hub::open(&state).unwrap().connection.execute_batch("PRAGMA user_version = 99").unwrap();
        assert_eq!(Hub::open(&state).unwrap_err().kind, ErrorKind::Misconfigured);
    }

    #[test]
    fn a_transaction_is_all_or_nothing() {
        let mut hub = Hub::in_memory().unwrap();
        let failed: Result<()> = hub.atomically("t", |hub| {
            hub.set_meta("a", "1")?;
            hub.atomically("inner", |hub| hub.set_meta("b", "1"))?;
            Err(Error::new(ErrorKind::Broken, "stop"))
        });
        assert!(failed.is_err());
        assert_eq!((hub.meta("a").unwrap(), hub.meta("b").unwrap()), (None, None));
        hub.begin_dry_run().unwrap();
        hub.atomically("t", |hub| hub.set_meta("a", "1")).unwrap();
        hub.forget_all_since().unwrap();
        assert_eq!(hub.meta("a").unwrap(), None);
    }

    #[test]
    fn two_processes_never_hold_the_lock() {
        let dir = tempfile::tempdir().unwrap();
        let first = Lock::take(dir.path()).unwrap();
        assert!(first.is_some());
        assert!(Lock::take(dir.path()).unwrap().is_none());
        drop(first);
        assert!(Lock::take(dir.path()).unwrap().is_some());
    }

    #[test]
    fn a_lock_that_was_let_go_is_free_though_a_child_that_is_being_started_still_has_its_file() {
        let dir = tempfile::tempdir().unwrap();
        let first = Lock::take(dir.path()).unwrap().unwrap();
        let of_child = first.file.try_clone().unwrap();
        drop(first);
        assert!(Lock::take(dir.path()).unwrap().is_some());
        drop(of_child);
    }
}
