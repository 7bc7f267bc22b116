//! Google Workspace as a replica. One room for each kind: contacts ([`contacts`], People v1), calendars ([`calendar`], Calendar v3)
//! and mail ([`mail`], Gmail v1).
//!
//! [`Google`] is the connector: it hands each question to the room of its kind. [`dialect`] tells what Google's error answers
//! mean, for all rooms. A room has `wire` (Google's JSON), `map` (the lens between it and the neutral model, pure) and `api`
//! (requests and answers, pure); the rest of it does the asking.
//!
//! Nothing here decides, retries, waits or reads a clock: waiting and repeating are [`twofold_http`]'s, deciding the engine's.

pub mod calendar;
pub mod contacts;
pub mod dialect;
pub mod mail;

pub use dialect::{CalendarDialect, GmailDialect, GoogleDialect};
pub use mail::api::GET_UNITS as MESSAGE_UNITS;

use async_trait::async_trait;
use calendar::Calendar;
use calendar::api::Tell;
use contacts::{Contacts, ContactsLens};
use mail::Mail;
use std::sync::Arc;
use twofold_http::Client;
use twofold_model::email::Role;
use twofold_model::zone::Zones;
use twofold_model::{
    Abilities, Blobs, Collection, CollectionId, Connector, Content, DeltaToken, Error, ErrorKind, Feed, Found,
    Gathered, Identity, Kind, Lens, Lookup, Operation, Page, Place, Poll, Removal, Rendering, Result, Seen, Taker,
    Unread, Usage, Written,
};

/// Seconds in a day.
const DAY_S: u64 = 86_400;

/// How the connector is made.
#[derive(Clone)]
pub struct GoogleOptions {
    /// Speaks to `people_url`, with [`GoogleDialect`] as its dialect.
    pub people: Client,
    /// What calendars need; `None`: they are not served.
    pub calendar: Option<CalendarOptions>,
    /// What mail needs; `None`: it is not served.
    pub mail: Option<MailOptions>,
}

/// What mail needs.
#[derive(Clone)]
pub struct MailOptions {
    /// Speaks to `gmail_url`, with [`GmailDialect`] as its dialect.
    pub client: Client,
    /// Where the bytes of messages are kept.
    pub blobs: Arc<dyn Blobs>,
}

/// What calendars need.
#[derive(Clone)]
pub struct CalendarOptions {
    /// Speaks to `calendar_url`, with [`CalendarDialect`] as its dialect.
    pub client: Client,
    /// The rules of all time zones.
    pub zones: Arc<dyn Zones>,
    /// The zone (IANA) in which times are told that have none; `None`: they are not held there.
    pub home_zone: Option<String>,
}

/// The connector.
pub struct Google {
    contacts: Contacts,
    calendar: Option<Calendar>,
    mail: Option<Mail>,
}

impl Google {
    /// A connector; asks nothing yet.
    pub fn new(options: GoogleOptions) -> Self {
        let calendar =
            options.calendar.map(|calendar| Calendar::new(calendar.client, calendar.zones, calendar.home_zone));
        let mail = options.mail.map(|mail| Mail::new(mail.client, mail.blobs));
        Self { contacts: Contacts::new(options.people), calendar, mail }
    }

    fn calendar(&self) -> Result<&Calendar> {
        self.calendar.as_ref().ok_or_else(|| unsupported(Kind::Calendar))
    }

    fn mail(&self) -> Result<&Mail> {
        self.mail.as_ref().ok_or_else(|| unsupported(Kind::Mail))
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
            makes_collections: &[Kind::Calendar, Kind::Mail],
            write_batch: contacts::api::WRITE_LIMIT,
            // A changed photo changes the contact, so the delta tells it.
            sweeps: false,
            // Provider: each calendar has a list of its own.
            feeds_by_themselves: true,
            reads_lag_s: 0,
            // A message has any number of labels.
            shares: &[Kind::Mail],
            copies: &[],
            moves: &[Kind::Mail],
            // Provider: what is in the trash or among the spam is shown nowhere else, whatever labels it has; what has none is archived.
            alone: &[Role::Trash, Role::Junk],
            left_over: Some(Role::Archive),
            reads_headers: &[Kind::Mail],
        }
    }

    fn write_batch(&self, kind: Kind) -> usize {
        match kind {
            Kind::Calendar => calendar::WRITE_BATCH,
            Kind::Mail => mail::WRITE_BATCH,
            Kind::Contacts => self.abilities().write_batch,
        }
    }

    fn lens(&self, kind: Kind) -> &dyn Lens {
        match (kind, &self.calendar, &self.mail) {
            (Kind::Contacts, _, _) => &ContactsLens,
            (Kind::Calendar, Some(calendar), _) => calendar.lens(),
            (Kind::Mail, _, Some(mail)) => mail.lens(),
            (Kind::Mail | Kind::Calendar, _, _) => &NoLens,
        }
    }

    async fn collections(&self, kind: Kind) -> Result<Vec<Collection>> {
        match kind {
            Kind::Contacts => Ok(vec![contacts::collection()]),
            Kind::Calendar => self.calendar()?.collections().await,
            Kind::Mail => self.mail()?.collections().await,
        }
    }

    fn feeds(&self, kind: Kind, collections: &[Collection]) -> Vec<Feed> {
        match kind {
            Kind::Contacts => contacts::feeds(collections),
            Kind::Calendar => calendar::feeds(collections),
            Kind::Mail => mail::feeds(collections),
        }
    }

    fn remember(&self, feed: &Feed, token: &DeltaToken) {
        if let (Kind::Mail, Some(mail)) = (feed.kind, &self.mail) {
            mail.remember(token);
        }
    }

    async fn changes(&self, polls: &[Poll<'_>]) -> Vec<Result<Page>> {
        let mut pages = Vec::with_capacity(polls.len());
        for poll in polls {
            pages.push(self.change(poll).await);
        }
        pages
    }

    async fn fetch(&self, kind: Kind, places: &[Place]) -> Vec<Result<Option<Seen>>> {
        match (kind, &self.calendar, &self.mail) {
            (Kind::Contacts, _, _) => self.contacts.fetch(places).await,
            (Kind::Calendar, Some(calendar), _) => calendar.fetch(places).await,
            (Kind::Mail, _, Some(mail)) => mail.fetch(places).await,
            (Kind::Mail | Kind::Calendar, _, _) => places.iter().map(|_| Err(unsupported(kind))).collect(),
        }
    }

    async fn bodies(&self, kind: Kind, copies: &[Unread]) -> Vec<Result<Option<Seen>>> {
        // The bytes come with what else there is to say.
        let places = Unread::places(copies);
        match (kind, &self.mail) {
            (Kind::Mail, Some(mail)) => {
                let all = Gathered::of(places.len());
                mail.read_bodies(&places, &all).await;
                all.answers()
            }
            _ => self.fetch(kind, &places).await,
        }
    }

    async fn read_bodies(&self, kind: Kind, copies: &[Unread], taker: &dyn Taker) {
        let places = Unread::places(copies);
        match (kind, &self.mail) {
            (Kind::Mail, Some(mail)) => mail.read_bodies(&places, taker).await,
            _ => {
                self.fetch(kind, &places).await.into_iter().enumerate().for_each(|(at, answer)| taker.take(at, answer))
            }
        }
    }

    async fn headers(&self, kind: Kind, places: &[Place]) -> Vec<Result<Option<Seen>>> {
        match (kind, &self.mail) {
            (Kind::Mail, Some(mail)) => mail.headers(places).await,
            _ => self.fetch(kind, places).await,
        }
    }

    async fn write(&self, kind: Kind, operations: &[Operation]) -> Vec<Result<Written>> {
        match (kind, &self.calendar, &self.mail) {
            (Kind::Contacts, _, _) => self.contacts.write(operations).await,
            (Kind::Calendar, Some(calendar), _) => calendar.write(operations, Tell::Nobody).await,
            (Kind::Mail, _, Some(mail)) => mail.write(operations).await,
            (Kind::Mail | Kind::Calendar, _, _) => operations.iter().map(|_| Err(unsupported(kind))).collect(),
        }
    }

    async fn write_telling(&self, kind: Kind, operations: &[Operation]) -> Vec<Result<Written>> {
        match (kind, &self.calendar) {
            (Kind::Calendar, Some(calendar)) => calendar.write(operations, Tell::Guests).await,
            _ => self.write(kind, operations).await,
        }
    }

    async fn find(&self, kind: Kind, lookups: &[Lookup], now_ms: i64) -> Vec<Result<Found>> {
        match (kind, &self.calendar, &self.mail) {
            (Kind::Contacts, _, _) => self.contacts.find(lookups, now_ms).await,
            (Kind::Calendar, Some(calendar), _) => calendar.find(lookups).await,
            (Kind::Mail, _, Some(mail)) => mail.find(lookups, now_ms).await,
            (Kind::Mail | Kind::Calendar, _, _) => lookups.iter().map(|_| Err(unsupported(kind))).collect(),
        }
    }

    async fn create_collection(&self, kind: Kind, like: &Collection) -> Result<Collection> {
        match kind {
            Kind::Calendar => self.calendar()?.create_collection(like).await,
            Kind::Contacts => {
                Err(Error::new(ErrorKind::Unsupported, "a Google account has one address book and cannot have another"))
            }
            Kind::Mail => self.mail()?.create_collection(like).await,
        }
    }

    async fn rename_collection(
        &self,
        kind: Kind,
        id: &CollectionId,
        name: Option<&str>,
        color: Option<&str>,
    ) -> Result<Collection> {
        match kind {
            Kind::Calendar => self.calendar()?.rename_collection(id, name, color).await,
            Kind::Contacts => Err(Error::new(ErrorKind::Unsupported, "Google's address book has no name of its own")),
            Kind::Mail => self.mail()?.rename_collection(id, name).await,
        }
    }

    async fn removal(&self, kind: Kind, id: &CollectionId) -> Result<Removal> {
        match kind {
            Kind::Calendar => self.calendar()?.removal(id).await,
            Kind::Contacts => Ok(Removal::Never),
            Kind::Mail => self.mail()?.removal(id).await,
        }
    }

    async fn remove_collection(&self, kind: Kind, id: &CollectionId) -> Result<bool> {
        match kind {
            Kind::Calendar => self.calendar()?.remove_collection(id).await,
            Kind::Contacts => Ok(false),
            Kind::Mail => self.mail()?.remove_collection(id).await,
        }
    }

    fn usage(&self) -> Usage {
        let of = |kind| self.client(kind).map(Client::counters).unwrap_or_default();
        let (people, calendar, mail) = (of(Kind::Contacts), of(Kind::Calendar), of(Kind::Mail));
        Usage {
            requests: people.requests + calendar.requests + mail.requests,
            bytes_in: people.bytes_in + calendar.bytes_in + mail.bytes_in,
            awaited: people.awaited + calendar.awaited + mail.awaited,
            heard: people.heard + calendar.heard + mail.heard,
            silent_writes: people.silent_writes + calendar.silent_writes + mail.silent_writes,
        }
    }
}

impl Google {
    /// What a kind is asked by, where it is served.
    fn client(&self, kind: Kind) -> Option<&Client> {
        match kind {
            Kind::Contacts => Some(self.contacts.client()),
            Kind::Calendar => self.calendar.as_ref().map(Calendar::client),
            Kind::Mail => self.mail.as_ref().map(Mail::client),
        }
    }

    /// One page of one feed.
    async fn change(&self, poll: &Poll<'_>) -> Result<Page> {
        match poll.feed.kind {
            Kind::Contacts => self.contacts.changes(&poll.since).await,
            Kind::Calendar => self.calendar()?.changes(poll.feed.id.as_str(), &poll.since).await,
            Kind::Mail => self.mail()?.changes(poll.feed, &poll.since).await,
        }
    }
}

/// The lens of a kind that is not served.
struct NoLens;

impl Lens for NoLens {
    fn read(&self, _: &Rendering) -> Result<Content> {
        Err(Error::new(ErrorKind::Unsupported, "this kind is not kept in step with Google yet"))
    }

    fn write(&self, _: Option<&Rendering>, _: &Content, _: &Identity) -> Result<Rendering> {
        Err(Error::new(ErrorKind::Unsupported, "this kind is not kept in step with Google yet"))
    }
}

fn unsupported(kind: Kind) -> Error {
    Error::new(ErrorKind::Unsupported, format!("{kind} is not kept in step with Google yet"))
}
