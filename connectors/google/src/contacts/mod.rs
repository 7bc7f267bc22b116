//! The contacts room: People v1 as an address book.
//!
//! | file | holds |
//! |---|---|
//! | [`wire`] | People's JSON: persons, groups, envelopes. Nothing unknown is dropped |
//! | [`api`] | one pair of pure functions for each operation: build the request, read the answer |
//! | [`rendering`] | from a person as it came to what the hub keeps, and back to what is sent |
//! | [`map`] | the lens: rendering to card and card onto rendering (pure) |
//! | [`fields`], `name`, `organizations`, `dates` | its parts: a table of plain fields, and those that need more |
//! | [`groups`] | the table of contact groups and what a change in it means |
//! | `labels` | which group a keyword is when it is written, and what the answer says of it (I/O) |
//! | [`round`] | what a delta token and a page link of ours hold |
//! | [`late`] | photos that could not be had, and when they are asked for again |
//! | `pull` | listing, delta, fetch, find, photos (I/O) |
//! | `change` | a create or an update on its way |
//! | `write` | create, update, delete (I/O) |
//!
//! Data comes in as [`wire::Person`], is reduced to a rendering at once, and everything else works on renderings.

pub mod api;
mod change;
mod dates;
pub mod fields;
pub mod groups;
mod labels;
pub mod late;
pub mod map;
mod name;
mod organizations;
mod pull;
pub mod rendering;
pub mod round;
pub mod wire;
mod write;

pub use map::ContactsLens;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use twofold_http::Client;
use twofold_model::{Access, Collection, CollectionId, Error, Feed, FeedId, Kind};

use groups::GroupTable;

/// The one collection: all contacts of the account.
pub const COLLECTION: &str = "connections";

/// How long People's list may lag behind its writes, in milliseconds: the documentation says "several minutes".
pub const LIST_LAG_MS: i64 = 360_000;

/// The room: the client, and what it remembers between two calls (never needed for correctness, only to save requests).
pub(crate) struct Contacts {
    client: Client,
    memory: Mutex<Memory>,
}

impl Contacts {
    /// The room, with nothing remembered.
    pub(crate) fn new(client: Client) -> Self {
        Self { client, memory: Mutex::default() }
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

/// The same error once more, for the next item that it concerns.
fn again(error: &Error) -> Error {
    let mut copy = Error::new(error.kind, error.message.clone());
    copy.places.clone_from(&error.places);
    copy
}

/// What is remembered between two calls.
#[derive(Default)]
struct Memory {
    /// The groups as last listed.
    groups: Option<Arc<GroupTable>>,
}

/// The address book as a collection.
pub(crate) fn collection() -> Collection {
    Collection {
        id: CollectionId(COLLECTION.into()),
        kind: Kind::Contacts,
        name: "My Contacts".into(),
        color: None,
        is_default: true,
        role: None,
        access: Access::ReadWrite,
    }
}

/// The feed of the address book, if the address book is among the collections.
pub(crate) fn feeds(collections: &[Collection]) -> Vec<Feed> {
    let ours = collections.iter().filter(|collection| collection.id.as_str() == COLLECTION);
    ours.take(1)
        .map(|collection| Feed {
            id: FeedId(COLLECTION.into()),
            kind: Kind::Contacts,
            collections: vec![collection.id.clone()],
        })
        .collect()
}
