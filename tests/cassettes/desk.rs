//! One kind at one connector on the sandbox, in virtual time, with the hub's part played by a test: rounds that are read to their end,
//! writes, looks. A part of the tests of both connectors beside `deck`; each says with its own `connected` what the connector is.

use crate::deck::{self, Time};
use std::collections::BTreeMap;
use std::sync::Arc;
use twofold_http::{Clock, Transport};
use twofold_model::{
    Collection, Connector, Content, DeltaToken, Entry, Feed, Found, Identity, Kind, Known, Lookup, Mark, Next,
    Operation, Place, Poll, RemoteId, Rendering, Result, Seen, Since, Uid, Written,
};
use twofold_sandbox::{Options, Sandbox, Switches};

/// An account without a single item, the connector at it, and the time.
pub struct Desk<C> {
    pub sandbox: Sandbox,
    pub connector: C,
    pub time: Arc<Time>,
    pub kind: Kind,
}

/// What a round told, the last word on each copy.
#[derive(Debug)]
pub struct Round {
    pub seen: BTreeMap<RemoteId, Seen>,
    pub gone: Vec<RemoteId>,
    pub renamed: Vec<(RemoteId, RemoteId)>,
    pub token: DeltaToken,
}

impl Round {
    /// From here on.
    pub fn since(&self) -> Since {
        Since::Token(self.token.clone())
    }
}

impl<C: Connector> Desk<C> {
    /// An account at a service that behaves as set.
    pub fn new(
        kind: Kind,
        set: impl FnOnce(&mut Switches),
        connected: impl FnOnce(Arc<dyn Transport>, Arc<dyn Clock>) -> C,
    ) -> Desk<C> {
        let sandbox = Sandbox::new(Options::empty().virtual_time());
        sandbox.switch(set);
        let time = Time::with(Some(&sandbox));
        let connector = connected(deck::line(&sandbox), time.clone());
        Desk { sandbox, connector, time, kind }
    }

    /// Now, in milliseconds since 1970.
    pub fn now_ms(&self) -> i64 {
        i64::try_from(self.time.now_ms()).unwrap()
    }

    /// Where new things go.
    pub async fn home(&self) -> Collection {
        self.connector.collections(self.kind).await.unwrap().into_iter().find(|one| one.is_default).unwrap()
    }

    // Reading

    /// A round of the feed of where new things go, to its end.
    pub async fn round(&self, since: Since) -> Result<Round> {
        self.round_in(&self.home().await, since).await
    }

    /// A round of a collection's feed.
    pub async fn round_in(&self, collection: &Collection, mut since: Since) -> Result<Round> {
        let feed: Feed = self.connector.feeds(self.kind, std::slice::from_ref(collection)).remove(0);
        let (mut seen, mut gone, mut renamed) = (BTreeMap::new(), Vec::new(), Vec::new());
        loop {
            let poll = Poll { feed: &feed, since, known: &Known::new() };
            let page = self.connector.changes(&[poll]).await.remove(0)?;
            for entry in page.entries {
                match entry {
                    Entry::Seen(copy) => drop(seen.insert(copy.remote_id.clone(), *copy)),
                    Entry::Gone(id) => gone.push(id),
                    Entry::Renamed { from, to } => renamed.push((from, to)),
                    Entry::Bad { reason, .. } => panic!("{reason}"),
                }
            }
            match page.next {
                Next::Page(link) => since = Since::Page(link),
                Next::Done(token) => return Ok(Round { seen, gone, renamed, token }),
            }
        }
    }

    /// Where a full listing leads.
    pub async fn token(&self) -> Since {
        self.round(Since::Start).await.unwrap().since()
    }

    /// The copy as it is now.
    pub async fn fetch(&self, seen: &Seen) -> Option<Seen> {
        self.connector.fetch(self.kind, &[place(seen)]).await.remove(0).unwrap()
    }

    /// Looks for a create.
    pub async fn find(&self, item: &str, sent_ms: i64) -> Found {
        let collection = self.home().await.id;
        let lookup = Lookup { mark: mark(item), uid: uid(item), collection, sent_ms };
        self.connector.find(self.kind, &[lookup], self.now_ms()).await.remove(0).unwrap()
    }

    /// What a rendering says.
    pub fn says(&self, rendering: &Rendering) -> Content {
        self.connector.lens(self.kind).read(rendering).unwrap()
    }

    /// What a copy says.
    pub fn read(&self, seen: &Seen) -> Content {
        self.says(&seen.rendering)
    }

    /// The copy as the hub would take it beside what it holds.
    pub fn settle(&self, last: &Seen, now: Seen) -> Seen {
        Seen { rendering: self.connector.lens(self.kind).settle_unknown(&last.rendering, now.rendering), ..now }
    }

    /// The copies that a round since then tells, so taken.
    pub async fn seen_since(&self, since: Since, last: &Seen) -> Vec<Seen> {
        self.round(since).await.unwrap().seen.into_values().map(|now| self.settle(last, now)).collect()
    }

    // Writing

    /// The operation that makes an item there.
    pub async fn creation(&self, item: &str, content: &Content) -> Operation {
        let identity = Identity { uid: uid(item), mark: Some(mark(item)) };
        let rendering = self.connector.lens(self.kind).write(None, content, &identity).unwrap();
        Operation::Create { collection: self.home().await.id, rendering, uid: uid(item), mark: mark(item) }
    }

    /// The operation that changes a copy.
    pub fn update(&self, seen: &Seen, change: impl FnOnce(&mut Content)) -> Operation {
        let mut content = self.read(seen);
        change(&mut content);
        let nobody = Identity { uid: uid("nobody"), mark: None };
        let to = self.connector.lens(self.kind).write(Some(&seen.rendering), &content, &nobody).unwrap();
        Operation::Update { place: place(seen), etag: seen.etag.clone(), from: seen.rendering.clone(), to }
    }

    /// Carries out one operation.
    pub async fn write(&self, operation: Operation) -> Result<Written> {
        self.connector.write(self.kind, &[operation]).await.remove(0)
    }

    /// Carries out one that has to succeed and to leave a copy.
    pub async fn done(&self, operation: Operation) -> Seen {
        self.write(operation).await.unwrap().unwrap()
    }

    /// Makes an item there, or fails.
    pub async fn create(&self, item: &str, content: &Content) -> Result<Written> {
        self.write(self.creation(item, content).await).await
    }

    /// Makes an item there.
    pub async fn made(&self, item: &str, content: &Content) -> Seen {
        self.create(item, content).await.unwrap().unwrap()
    }
}

/// Where a copy is.
pub fn place(seen: &Seen) -> Place {
    Place { remote_id: seen.remote_id.clone(), collection: seen.collection.clone() }
}

/// The mark of an item of ours.
pub fn mark(item: &str) -> Mark {
    Mark { hub: "hub-00000001".into(), item: item.into(), generation: 1 }
}

/// Its UID.
pub fn uid(item: &str) -> Uid {
    Uid(format!("urn:uuid:{item}"))
}
