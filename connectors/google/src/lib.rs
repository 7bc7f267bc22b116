//! Google Workspace as a replica. One room for each kind; so far contacts ([`contacts`], People v1).
//!
//! [`Google`] is the connector: it hands each question to the room of its kind. [`dialect`] tells what Google's error answers
//! mean, for all rooms. A room has `wire` (Google's JSON), `map` (the lens between it and the neutral model, pure) and `api`
//! (requests and answers, pure); the rest of it does the asking.
//!
//! Nothing here decides, retries, waits or reads a clock: waiting and repeating are [`twofold_http`]'s, deciding the engine's.

pub mod contacts;
pub mod dialect;

pub use dialect::GoogleDialect;

use async_trait::async_trait;
use contacts::{Contacts, ContactsLens};
use twofold_http::Client;
use twofold_model::{
    Abilities, Collection, Connector, Content, Error, ErrorKind, Feed, Found, Identity, Kind, Lens, Lookup, Operation,
    Page, Place, Poll, Rendering, Result, Seen, Usage, Written,
};

/// Seconds in a day.
const DAY_S: u64 = 86_400;

/// How the connector is made.
#[derive(Clone, Debug)]
pub struct GoogleOptions {
    /// Speaks to `people_url`, with [`GoogleDialect`] as its dialect.
    pub people: Client,
}

/// The connector.
pub struct Google {
    contacts: Contacts,
}

impl Google {
    /// A connector; asks nothing yet.
    pub fn new(options: GoogleOptions) -> Self {
        Self { contacts: Contacts::new(options.people) }
    }
}

#[async_trait]
impl Connector for Google {
    fn abilities(&self) -> Abilities {
        Abilities {
            compares_known: false,
            rank: 1,
            // Provider: sync tokens of People die seven days after the full listing, however often they are used.
            relist_after_s: 6 * DAY_S,
            makes_collections: false,
            write_batch: contacts::api::WRITE_LIMIT,
            // A changed photo changes the contact, so the delta tells it.
            sweeps: false,
            reads_lag_s: 0,
        }
    }

    fn lens(&self, kind: Kind) -> &dyn Lens {
        match kind {
            Kind::Contacts => &ContactsLens,
            Kind::Mail | Kind::Calendar => &NoLens,
        }
    }

    async fn collections(&self, kind: Kind) -> Result<Vec<Collection>> {
        contacts_only(kind)?;
        Ok(vec![contacts::collection()])
    }

    fn feeds(&self, kind: Kind, collections: &[Collection]) -> Vec<Feed> {
        match kind {
            Kind::Contacts => contacts::feeds(collections),
            Kind::Mail | Kind::Calendar => Vec::new(),
        }
    }

    async fn changes(&self, polls: &[Poll<'_>]) -> Vec<Result<Page>> {
        let mut pages = Vec::with_capacity(polls.len());
        for poll in polls {
            pages.push(match contacts_only(poll.feed.kind) {
                Ok(()) => self.contacts.changes(&poll.since).await,
                Err(error) => Err(error),
            });
        }
        pages
    }

    async fn fetch(&self, kind: Kind, places: &[Place]) -> Vec<Result<Option<Seen>>> {
        match kind {
            Kind::Contacts => self.contacts.fetch(places).await,
            Kind::Mail | Kind::Calendar => places.iter().map(|_| Err(unsupported(kind))).collect(),
        }
    }

    async fn write(&self, kind: Kind, operations: &[Operation]) -> Vec<Result<Written>> {
        match kind {
            Kind::Contacts => self.contacts.write(operations).await,
            Kind::Mail | Kind::Calendar => operations.iter().map(|_| Err(unsupported(kind))).collect(),
        }
    }

    async fn find(&self, kind: Kind, lookups: &[Lookup], now_ms: i64) -> Vec<Result<Found>> {
        match kind {
            Kind::Contacts => self.contacts.find(lookups, now_ms).await,
            Kind::Mail | Kind::Calendar => lookups.iter().map(|_| Err(unsupported(kind))).collect(),
        }
    }

    async fn create_collection(&self, kind: Kind, _like: &Collection) -> Result<Collection> {
        contacts_only(kind)?;
        Err(Error::new(ErrorKind::Unsupported, "a Google account has one address book and cannot have another"))
    }

    fn usage(&self) -> Usage {
        let counters = self.contacts.counters();
        Usage { requests: counters.requests, bytes_in: counters.bytes_in }
    }
}

/// The lens of a kind that has no room yet.
struct NoLens;

impl Lens for NoLens {
    fn read(&self, _: &Rendering) -> Result<Content> {
        Err(Error::new(ErrorKind::Unsupported, "this kind is not kept in step with Google yet"))
    }

    fn write(&self, _: Option<&Rendering>, _: &Content, _: &Identity) -> Result<Rendering> {
        Err(Error::new(ErrorKind::Unsupported, "this kind is not kept in step with Google yet"))
    }
}

fn contacts_only(kind: Kind) -> Result<()> {
    match kind {
        Kind::Contacts => Ok(()),
        Kind::Mail | Kind::Calendar => Err(unsupported(kind)),
    }
}

fn unsupported(kind: Kind) -> Error {
    Error::new(ErrorKind::Unsupported, format!("{kind} is not kept in step with Google yet"))
}
