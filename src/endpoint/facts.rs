//! What there is to tell of the service, as data. Whoever shows it reads nothing else and decides nothing.

use crate::config::unit::Keeper;
use std::collections::{BTreeMap, BTreeSet};
use twofold_model::Kind;

/// The state of the service and of what it keeps in step. Times are milliseconds since 1970. Nothing here names an item, a collection or a
/// person.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// The version of the program.
    pub version: String,
    /// When this was looked up.
    pub now_ms: i64,
    /// What the process is at.
    pub service: Service,
    /// The last run, also one that somebody typed.
    pub last_run: Option<Run>,
    /// When a later run began that did not come to its end, where nobody is at work.
    pub cut_off_ms: Option<i64>,
    /// The exit codes of the last runs over the kinds that there are: one of each where a service tells, else that of the last run.
    pub exits: Vec<i32>,
    /// Every place of the configuration.
    pub replicas: Vec<Replica>,
    /// What is left of what the providers allow.
    pub budgets: Vec<Budget>,
    /// What is used and free on disks.
    pub disk: Disk,
    /// Fields that two sides changed differently.
    pub conflicts: usize,
    /// Writes whose fate is not known yet.
    pub unknown_writes: usize,
}

/// The process.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Service {
    /// Who keeps it running.
    pub keeper: Keeper,
    /// When it began.
    pub started_ms: i64,
    /// The run under way: since when, and over which kinds.
    pub at_work: Option<(i64, Vec<Kind>)>,
    /// How far it has come with reading messages: at which place, how many, of how many.
    pub readings: Vec<(String, usize, usize)>,
    /// When the next run is due.
    pub next_run_ms: Option<i64>,
    /// It made no step for so long that the watchdog is fed no more.
    pub is_stuck: bool,
    /// The last one was killed, or crashed, and none runs: what it left behind.
    pub left_behind: Option<String>,
    /// It is there, and does not answer.
    pub is_mute: bool,
    /// Why the configuration that was to be read is not the one in use.
    pub refused: Option<String>,
    /// What stands in the way, in words for people.
    pub troubles: Vec<String>,
    /// What its runs did since it began.
    pub totals: Totals,
    /// Memory in use.
    pub resident_bytes: Option<u64>,
    /// Processor time used.
    pub cpu_s: Option<f64>,
}

/// One run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Run {
    /// Its number.
    pub id: i64,
    /// When it began.
    pub started_ms: i64,
    /// When it ended; `None`: it is under way, or was cut off.
    pub ended_ms: Option<i64>,
    /// Its exit code.
    pub exit: Option<i32>,
    /// Changes that it took and sent, over all places.
    pub changes: u64,
    /// Requests that it made.
    pub requests: u64,
}

/// One place.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Replica {
    /// Its name in the configuration.
    pub name: String,
    /// A device folder, not a provider.
    pub is_device: bool,
    /// What stood in the way there last time, in words for people.
    pub trouble: Option<String>,
    /// Kinds of which it could not be reached, or stumbled, in the last run in which it took part with them.
    pub down: BTreeSet<Kind>,
    /// What kept kinds from coming through in the last run in which it took part with them, where that may pass by itself: in words for people,
    /// which may name what is kept there.
    pub why: BTreeMap<Kind, String>,
    /// The sign-in, where there is one to be had.
    pub sign_in: Option<SignIn>,
    /// What is kept there, by kind.
    pub kinds: BTreeMap<Kind, Kept>,
    /// Items in quarantine there.
    pub quarantined: usize,
    /// Items that it cannot hold.
    pub withheld: usize,
}

/// What is kept of a kind at a place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Collections.
    pub collections: usize,
    /// Copies of items in them.
    pub items: usize,
    /// When all of it was read to its end: the oldest such moment of its collections.
    pub read_ms: Option<i64>,
    /// When a read last saw a known item in each collection that holds any: the oldest such moment.
    pub proof_ms: Option<i64>,
    /// Without another look it is late after that; `None`: it is never due, or no service is there that would look.
    pub late_from_ms: Option<i64>,
    /// Plans that wait for a person.
    pub held: usize,
    /// Since when the oldest of them waits.
    pub held_since_ms: Option<i64>,
}

/// A sign-in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SignIn {
    /// Why somebody has to sign in, and what to type; `None`: it works.
    pub needed: Option<String>,
    /// What whoever signed in did not grant, and what to type: the others go on.
    pub not_granted: BTreeMap<Kind, String>,
    /// When somebody last signed in.
    pub since_ms: Option<i64>,
    /// When it ends, where the provider said so.
    pub ends_ms: Option<i64>,
}

/// What is left of what a provider's service allows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Budget {
    /// The service: `google mail`.
    pub service: String,
    /// The share of it that may still be used in its window: 1 is all.
    pub left: f64,
    /// How long the provider asked for a pause from now on, in milliseconds.
    pub pause_ms: u64,
}

/// What the state folder takes, and what is free, in bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Disk {
    /// The hub's files.
    pub hub: u64,
    /// The bytes of messages.
    pub messages: u64,
    /// What is free where the state folder lies and where that of each device does, as far as it can be told.
    pub rooms: Vec<Room>,
}

/// What is free where a folder lies, in bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Room {
    /// The device whose folder it is; `None`: the state folder.
    pub device: Option<String>,
    /// What this user may still write.
    pub free: u64,
    /// Below this nothing more is read or written (`keep_free`).
    pub floor: u64,
}

impl Room {
    /// Which folder it is, for people.
    pub fn folder(&self) -> String {
        self.device.as_ref().map_or_else(|| "the state folder".to_owned(), |name| format!("the folder of {name}"))
    }

    /// Whether nothing more is read or written for want of room.
    pub fn is_full(&self) -> bool {
        self.free < self.floor
    }
}

/// What the runs of a service did since it began.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Runs by exit code.
    pub runs: BTreeMap<i32, u64>,
    /// By replica and kind.
    pub rows: BTreeMap<(String, Kind), Total>,
}

/// The same of one kind at one place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Total {
    /// Requests.
    pub requests: u64,
    /// Bytes received.
    pub bytes: u64,
    /// New items, edits, moves and removals that were taken from there …
    pub taken: [u64; 4],
    /// … and sent to it.
    pub sent: [u64; 4],
}

/// What the page shows besides: names of collections, and the titles that `twofold held` and `twofold conflicts` show.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Board {
    /// The state.
    pub facts: Facts,
    /// Collections, by the place that they belong to.
    pub collections: BTreeMap<String, Vec<Collection>>,
    /// The runs of the last days, the youngest first.
    pub runs: Vec<Run>,
    /// What is held.
    pub held: Vec<Held>,
    /// What is in conflict.
    pub conflicts: Vec<Conflict>,
}

/// A folder, calendar or address book.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Collection {
    /// What it is called there.
    pub name: String,
    /// On a device, the account that it mirrors.
    pub account: Option<String>,
    /// What it holds.
    pub kind: String,
    /// How many copies stand in it.
    pub items: usize,
    /// Something in it, or all of it, may not be written by this user, or is left out: in words.
    pub note: Option<&'static str>,
    /// When it was last read to its end.
    pub read_ms: Option<i64>,
    /// When a read last saw a known item of it.
    pub proof_ms: Option<i64>,
}

/// A plan that waits for a person.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Its id.
    pub id: String,
    /// Where.
    pub replica: String,
    /// Of what kind.
    pub kind: String,
    /// In which collection, if in one.
    pub collection: String,
    /// Why.
    pub reason: String,
    /// What the first few changes are about.
    pub titles: Vec<String>,
    /// How many people it would mail.
    pub people: usize,
    /// Since when.
    pub since_ms: i64,
    /// Somebody may say yes to it.
    pub can_be_approved: bool,
    /// Somebody may say no to it.
    pub can_be_dropped: bool,
}

/// Fields that two sides changed differently.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conflict {
    /// Its id.
    pub id: String,
    /// Of what kind the item is.
    pub kind: String,
    /// Where it stands.
    pub collection: String,
    /// What it is called.
    pub title: String,
    /// The fields.
    pub fields: Vec<String>,
}
