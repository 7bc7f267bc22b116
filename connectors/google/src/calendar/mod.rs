//! The calendar room: Calendar v3.
//!
//! | file | holds |
//! |---|---|
//! | [`wire`] | Calendar's JSON: events, calendars, envelopes. Nothing unknown is dropped |
//! | [`api`] | one pair of pure functions for each operation: build the request, read the answer |
//! | [`rendering`] | a series as the hub keeps it, and as a copy that was seen |
//! | [`map`] | the lens: rendering to event and event onto rendering (pure) |
//! | `fields`, `people`, `alerts`, `times`, `recurrence`, `occurrences` | its parts |
//! | `ids` | the ids of what we create |
//! | `changes` | what has to be sent so that one rendering becomes another (pure) |
//! | `round` | what a delta token and a page link of ours hold |
//! | `collections` | the user's calendars |
//! | `pull` | listing, delta, fetch, find (I/O) |
//! | `write` | create, update, delete (I/O) |
//!
//! One item is one series with its exceptions, or one event that happens once. Its name is `CALENDAR/EVENT`
//! ([`rendering`]).

mod alerts;
pub mod api;
mod changes;
mod collections;
mod fields;
mod ids;
mod mails;
pub mod map;
mod occurrences;
mod people;
mod pull;
mod recurrence;
pub mod rendering;
mod round;
mod times;
pub mod wire;
mod write;

pub use map::CalendarLens;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use twofold_http::Client;
use twofold_model::zone::Zones;
use twofold_model::{Collection, Error, Feed, FeedId, Kind};

use rendering::Usual;

/// How many events are written at once: each is a request of its own, and one follows the other.
pub(crate) const WRITE_BATCH: usize = 20;

/// The room: the client, the lens, and what it remembers between two calls (never needed for correctness, only to save requests).
pub(crate) struct Calendar {
    client: Client,
    lens: CalendarLens,
    memory: Mutex<HashMap<String, Usual>>,
}

impl Calendar {
    /// The room, with nothing remembered.
    pub(crate) fn new(client: Client, zones: Arc<dyn Zones>, home: Option<String>) -> Self {
        Self { client, lens: CalendarLens::new(zones).at_home(home), memory: Mutex::default() }
    }

    /// How its renderings are read and edited.
    pub(crate) fn lens(&self) -> &CalendarLens {
        &self.lens
    }

    /// What the room asks Google by.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// What is remembered of each calendar. Held for a moment only, never across a request.
    fn memory(&self) -> MutexGuard<'_, HashMap<String, Usual>> {
        // Every state of the memory is a good one, so one that a panic left behind is too.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One feed for each calendar.
pub(crate) fn feeds(collections: &[Collection]) -> Vec<Feed> {
    let feed = |collection: &Collection| Feed {
        id: FeedId(collection.id.0.clone()),
        kind: Kind::Calendar,
        collections: vec![collection.id.clone()],
    };
    collections.iter().map(feed).collect()
}

/// The same error once more, for the next item that it concerns.
fn again(error: &Error) -> Error {
    let mut copy = Error::new(error.kind, error.message.clone());
    copy.places.clone_from(&error.places);
    copy
}
