//! The mail room: Gmail v1.
//!
//! | file | holds |
//! |---|---|
//! | [`wire`] | Gmail's JSON |
//! | [`api`], [`batch`] | requests and what is read from answers (pure); many gets in one request |
//! | [`map`] | what labels mean: places and keywords; a copy as it is seen (pure) |
//! | [`walk`] | a full listing: the ids of each label, side by side (pure) |
//! | [`history`] | what a page of the history says (pure) |
//! | `round` | what a delta token and a page link of ours hold |
//! | `pull` | listing and delta (I/O) |
//! | `look` | single messages in batches: labels, and bytes (I/O) |
//! | `change` | which labels a set of operations adds and takes off (pure) |
//! | `write` | carrying that out (I/O) |
//! | `create` | messages and drafts that are sent in, and how they are found again (I/O) |
//! | `collections` | labels as mailboxes (I/O) |
//! | [`imap`] | what Gmail's IMAP server calls them (pure) |
//!
//! A message in two labels is two copies, `MESSAGE/LABEL`, of one item. There is one feed, because there is one history.

pub mod api;
pub mod batch;
mod change;
mod collections;
mod create;
pub mod history;
pub mod imap;
mod look;
pub mod map;
mod pull;
mod round;
pub mod walk;
pub mod wire;
mod write;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use twofold_http::Client;
use twofold_model::email::EmailLens;
use twofold_model::{Blobs, Collection, CollectionId, Error, Feed, Kind, Mark};

use create::Pending;
use look::Pace;
use map::Labels;
use round::Drafts;
use walk::Walk;

/// How many operations are handed over at once. Provider: a message that is sent in costs 25 units of 6000 a minute, and a run
/// that is asked to stop waits for so many.
pub(crate) const WRITE_BATCH: usize = 100;

/// Of so many messages it is remembered what the history said of them.
const MOST_FATES: usize = 10_000;

/// The room: the client, where bytes go, and what it remembers between two calls (never needed for correctness, only to save
/// requests).
pub(crate) struct Mail {
    client: Client,
    blobs: Arc<dyn Blobs>,
    memory: Mutex<Memory>,
}

#[derive(Default)]
struct Memory {
    /// The labels as they were last listed.
    labels: Option<Arc<Labels>>,
    /// The user's own labels that the cycle was told of in this run, if it listed them.
    told: Option<BTreeSet<String>>,
    /// The full listing under way.
    walk: Option<Walk>,
    /// What the history of this round said of a message: its labels now; `None`: it is no more.
    fates: HashMap<String, Option<BTreeSet<String>>>,
    /// Which message each draft was when a round last told of drafts.
    drafts: Drafts,
    /// Which message each draft is to the cycle before this round.
    drafts_before: Drafts,
    /// The change of the mailbox up to which the last round came.
    history: Option<String>,
    /// The change up to which it is known since then which messages were sent in.
    confirmed: Option<String>,
    /// Creates whose fate is unknown.
    pending: HashMap<Mark, Pending>,
    /// How many gets go into one batch.
    pace: Pace,
    /// Messages whose bytes are more than the client takes.
    too_large: HashSet<String>,
    /// How many messages were found to fail alone since the last round began.
    set_aside: usize,
}

impl Mail {
    /// The room, with nothing remembered.
    pub(crate) fn new(client: Client, blobs: Arc<dyn Blobs>) -> Self {
        Self { client, blobs, memory: Mutex::default() }
    }

    /// How its renderings are read and edited.
    pub(crate) fn lens(&self) -> &EmailLens {
        &map::LENS
    }

    /// What the room asks Google by.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// What is remembered. Held for a moment only, never across a request.
    fn memory(&self) -> MutexGuard<'_, Memory> {
        // Every state of the memory is a good one, so one that a panic left behind is too.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory {
    /// Remembers how far a round came.
    fn note_history(&mut self, history: &str) {
        self.history = Some(history.to_owned());
        self.confirmed = None;
    }

    /// Remembers that the cycle is told of a label.
    fn note_told(&mut self, label: &CollectionId) {
        if let Some(told) = &mut self.told {
            told.insert(label.as_str().to_owned());
        }
    }

    /// Remembers what the history said of a message.
    fn note(&mut self, message: &str, labels: Option<BTreeSet<String>>) {
        if self.fates.len() < MOST_FATES || self.fates.contains_key(message) {
            self.fates.insert(message.to_owned(), labels);
        }
    }
}

/// One feed for all mailboxes.
pub(crate) fn feeds(collections: &[Collection]) -> Vec<Feed> {
    if collections.is_empty() {
        return Vec::new();
    }
    let collections = collections.iter().map(|collection| collection.id.clone()).collect();
    vec![Feed { id: "mail".into(), kind: Kind::Mail, collections }]
}

/// The same error once more, for the next item that it concerns.
fn again(error: &Error) -> Error {
    let mut copy = Error::new(error.kind, error.message.clone());
    copy.places.clone_from(&error.places);
    copy
}
