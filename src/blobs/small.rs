//! The small blobs, which stand together in one SQLite file: a file for each costs its making, and that is more than all else.
//!
//! *What it costs.* Blobs are appended, and of pages that are new the rollback journal keeps nothing: what is put is written once. A
//! transaction is open all the time, so that a look takes no lock of its own; puts and removals are a part of it, and a flush commits
//! it. Where much is put between two flushes it is committed before, so that memory stays flat.
//!
//! *What a stop leaves.* All that was flushed, and nothing of the rest: the next open takes back what a commit had begun.
//!
//! *What is removed is overwritten* (`secure_delete`), and its pages are used again by what is put later; the file does not become smaller.

use crate::{Error, Hash, Result};
use rusqlite::{CachedStatement, Connection, ErrorCode, OpenFlags, OptionalExtension as _, params};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The name of the file in the store's folder.
pub(crate) const NAME: &str = "small.db";
/// The name of what takes back a commit that was stopped.
pub(crate) const JOURNAL: &str = "small.db-journal";

/// Says that the file is ours: "tfbl".
const APPLICATION: i32 = 0x7466_626c;
/// The layout that this program writes.
const LAYOUT: i32 = 1;
/// The bytes of a page. Few messages need more than one, and a name that is looked up or noted does not move much.
const PAGE: i32 = 8192;
/// After so many bytes, or so many changes, what was put is committed without being asked: until then it is in memory.
const BYTES_AT_MOST: usize = 4 * 1024 * 1024;
const CHANGES_AT_MOST: usize = 1000;

/// What is kept of a blob.
const COLUMNS: &str = "(id INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, packed BLOB NOT NULL)";

/// The file, open.
pub(crate) struct Small {
    path: PathBuf,
    open: Mutex<Open>,
}

struct Open {
    connection: Connection,
    /// How many bytes, and how many changes, no commit has made durable yet.
    bytes: usize,
    changes: usize,
    /// Why a commit failed. What was put before it is lost, so nothing may be called durable any more.
    failed: Option<String>,
}

impl Small {
    /// Makes the file under another name, whole, for whoever renames it: a file of no bytes would pass for a store of no blobs. `path` is
    /// an empty file.
    pub fn make(path: &Path) -> Result<()> {
        let made = connect(path).and_then(|connection| {
            connection.execute_batch(&format!(
                "PRAGMA page_size = {PAGE}; PRAGMA journal_mode = OFF; PRAGMA synchronous = FULL; BEGIN;
                 PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {LAYOUT};
                 CREATE TABLE blobs {COLUMNS}; COMMIT"
            ))
        });
        made.map_err(|error| failed(path, "making", error))
    }

    /// Opens the file, to change it: nobody else does meanwhile.
    pub fn open(path: &Path) -> Result<Small> {
        let small = Small::look(path)?;
        let opening = |error| failed(path, "opening", error);
        // A journal that is cut keeps no byte of what was removed. No page is written before the commit, which keeps the file open to
        // whoever reads beside us; the bounds above keep that in few megabytes.
        small
            .lock()
            .connection
            .execute_batch(
                "PRAGMA journal_mode = TRUNCATE; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;
                 PRAGMA cache_size = -4000; PRAGMA cache_spill = OFF; PRAGMA temp_store = MEMORY; BEGIN",
            )
            .map_err(opening)?;
        Ok(small)
    }

    /// Opens the file, to read it beside whoever changes it: between two reads no lock is held.
    pub fn look(path: &Path) -> Result<Small> {
        let opening = |error| failed(path, "opening", error);
        let connection = connect(path).map_err(opening)?;
        let number = |name: &str| connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i32>(0));
        let (application, layout) =
            number("application_id").and_then(|id| Ok((id, number("user_version")?))).map_err(opening)?;
        if application != APPLICATION {
            let why = "it does not say that it holds blobs".to_owned();
            return Err(Error::Damaged { path: path.to_owned(), why });
        }
        if layout != LAYOUT {
            return Err(Error::Later { path: path.to_owned() });
        }
        let open = Mutex::new(Open { connection, bytes: 0, changes: 0, failed: None });
        Ok(Small { path: path.to_owned(), open })
    }

    /// In place of a file that is not there, to be read: no blobs.
    pub fn none(path: &Path) -> Result<Small> {
        let made = Connection::open_in_memory().and_then(|connection| {
            connection.execute_batch(&format!("CREATE TEMP TABLE blobs {COLUMNS}"))?;
            Ok(connection)
        });
        let connection = made.map_err(|error| failed(path, "standing in for", error))?;
        let open = Mutex::new(Open { connection, bytes: 0, changes: 0, failed: None });
        Ok(Small { path: path.to_owned(), open })
    }

    /// Whoever panicked with the lock held left a transaction that is whole up to a statement, and told nobody that it is durable.
    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a packed blob; `false` where there is one of that name, which is left as it is.
    pub fn put(&self, hash: &Hash, packed: &[u8]) -> Result<bool> {
        self.change(packed.len(), "writing a blob to", |connection| {
            let sql = "INSERT INTO blobs (hash, packed) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
            connection.prepare_cached(sql)?.execute(params![hash.as_bytes(), packed])
        })
    }

    /// Gives a blob that is there the right bytes.
    pub fn heal(&self, hash: &Hash, packed: &[u8]) -> Result<()> {
        let healed = self.change(packed.len(), "writing a blob to", |connection| {
            let sql = "UPDATE blobs SET packed = ?2 WHERE hash = ?1";
            connection.prepare_cached(sql)?.execute(params![hash.as_bytes(), packed])
        });
        healed.map(drop)
    }

    /// Removes a blob; whether it was there.
    pub fn remove(&self, hash: &Hash) -> Result<bool> {
        self.change(0, "removing a blob from", |connection| {
            connection.prepare_cached("DELETE FROM blobs WHERE hash = ?1")?.execute([hash.as_bytes()])
        })
    }

    /// One change of so many bytes; whether it changed anything.
    fn change(
        &self,
        bytes: usize,
        doing: &str,
        work: impl FnOnce(&Connection) -> rusqlite::Result<usize>,
    ) -> Result<bool> {
        let mut open = self.lock();
        self.is_sound(&open)?;
        let changed = work(&open.connection).map_err(|error| self.gave_up(&mut open, doing, error))?;
        open.bytes += bytes * changed;
        open.changes += changed;
        if open.bytes > BYTES_AT_MOST || open.changes > CHANGES_AT_MOST {
            self.commit(&mut open)?;
        }
        Ok(changed > 0)
    }

    /// Makes durable what was put and removed so far. Costs nothing where nothing was.
    pub fn flush(&self) -> Result<()> {
        let mut open = self.lock();
        self.is_sound(&open)?;
        if open.changes > 0 { self.commit(&mut open) } else { Ok(()) }
    }

    fn commit(&self, open: &mut Open) -> Result<()> {
        let run = |sql| open.connection.prepare_cached(sql)?.execute([]).map(drop);
        let committed = run("COMMIT").and_then(|()| run("BEGIN"));
        committed.map_err(|error| self.gave_up(open, "writing to", error))?;
        (open.bytes, open.changes) = (0, 0);
        Ok(())
    }

    /// A change failed: what the transaction held is given up, whether SQLite did so already or not.
    fn gave_up(&self, open: &mut Open, doing: &str, error: rusqlite::Error) -> Error {
        let _ = open.connection.execute_batch("ROLLBACK");
        let error = failed(&self.path, doing, error);
        open.failed = Some(error.to_string());
        error
    }

    /// Refuses to go on after a failure: what others put before it is lost as well, and they do not know.
    fn is_sound(&self, open: &Open) -> Result<()> {
        let Some(words) = &open.failed else { return Ok(()) };
        Err(Error::Disk {
            doing: format!("{} is used no more in this run", self.path.display()),
            source: io::Error::other(words.clone()),
        })
    }

    /// The packed bytes of a blob.
    pub fn packed(&self, hash: &Hash) -> Result<Option<Vec<u8>>> {
        self.one("SELECT packed FROM blobs WHERE hash = ?1", hash, |row| row.get(0))
    }

    /// How many packed bytes a blob has.
    pub fn packed_size(&self, hash: &Hash) -> Result<Option<u64>> {
        self.one("SELECT length(packed) FROM blobs WHERE hash = ?1", hash, |row| row.get(0))
    }

    /// Whether there is a blob of that name.
    pub fn has(&self, hash: &Hash) -> Result<bool> {
        Ok(self.one("SELECT 1 FROM blobs WHERE hash = ?1", hash, |_| Ok(()))?.is_some())
    }

    /// The names that begin with this byte.
    pub fn hashes(&self, first: u8) -> Result<Vec<Hash>> {
        let (from, to) = ([first; 1], [[first; 1].as_slice(), &[u8::MAX; 32]].concat());
        self.read(|connection| {
            let mut statement = connection.prepare_cached("SELECT hash FROM blobs WHERE hash BETWEEN ?1 AND ?2")?;
            let rows = statement.query_map(params![from, to], |row| Ok(Hash::from(row.get::<_, [u8; 32]>(0)?)))?;
            rows.collect()
        })
    }

    /// How many blobs there are, and how many bytes of the file they take with what finds them. The blobs are not read.
    pub fn usage(&self) -> Result<(u64, u64)> {
        self.read(|connection| {
            let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, u64>(0));
            let pages = number("PRAGMA page_count")?.saturating_sub(number("PRAGMA freelist_count")?);
            Ok((number("SELECT count(hash) FROM blobs")?, pages * number("PRAGMA page_size")?))
        })
    }

    fn one<T>(
        &self,
        sql: &str,
        hash: &Hash,
        read: impl FnOnce(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>> {
        let ask = |mut statement: CachedStatement<'_>| statement.query_row([hash.as_bytes()], read).optional();
        self.read(|connection| ask(connection.prepare_cached(sql)?))
    }

    fn read<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        work(&self.lock().connection).map_err(|error| failed(&self.path, "reading", error))
    }
}

/// A connection that makes no file, and waits for a commit of somebody else that is under way.
fn connect(path: &Path) -> rusqlite::Result<Connection> {
    // To read and write, also where only reading is meant: whoever comes first after a stop takes back what a commit had begun.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(std::time::Duration::from_secs(10))?;
    Ok(connection)
}

/// What SQLite says, in this crate's words.
fn failed(path: &Path, doing: &str, error: rusqlite::Error) -> Error {
    let source = match error.sqlite_error_code() {
        // What has no code is a row that is not as it was written.
        None | Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            return Error::Damaged { path: path.to_owned(), why: error.to_string() };
        }
        Some(ErrorCode::DiskFull) => io::Error::from(io::ErrorKind::StorageFull),
        Some(_) => io::Error::other(error),
    };
    Error::Disk { doing: format!("{doing} {}", path.display()), source }
}
