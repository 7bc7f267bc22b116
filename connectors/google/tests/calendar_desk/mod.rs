//! A calendar at the stand-in of Google, and the user's other client.
#![allow(dead_code, unused_imports)]

mod events;

pub use events::{at, lunch, standup, weekly};

use async_trait::async_trait;
use serde_json::{Value, json};
use std::sync::Arc;
use twofold_google::{CalendarDialect, CalendarOptions, Google, GoogleDialect, GoogleOptions};
use twofold_http::{Client, ClientOptions, Dialect, ManualClock, TokenSource};
use twofold_model::{
    CollectionId, Connector, Content, Entry, Feed, FeedId, Found, Identity, Kind, Known, Lookup, Mark, Next, Operation,
    Page, Place, Poll, RemoteId, Rendering, Result, Seen, Since, Uid, Written,
};
use twofold_sandbox::{Fault, Options, Provider, Rule, Running, Sandbox, Switches};
use twofold_zones::SystemZones;

/// The kind of all this.
pub const KIND: Kind = Kind::Calendar;

/// A token that is good for the whole test.
struct Token(String);

#[async_trait]
impl TokenSource for Token {
    async fn token(&self) -> Result<String> {
        Ok(self.0.clone())
    }

    async fn renewed(&self, _: &str) -> Result<String> {
        Ok(self.0.clone())
    }
}

/// An account with empty calendars.
pub struct Desk {
    pub sandbox: Sandbox,
    pub google: Google,
    /// The primary calendar.
    pub calendar: String,
    /// Whether the other client makes series.
    pub repeats: bool,
    _running: Running,
}

impl Desk {
    pub async fn new(switches: Switches, repeats: bool) -> Desk {
        let sandbox = Sandbox::new(Options::empty().virtual_time().with(switches));
        let running = sandbox.start(0).await.unwrap();
        let urls = sandbox.urls();
        let now_ms = u64::try_from(sandbox.clock().now_ms()).unwrap();
        let client = |url: &str, dialect: Arc<dyn Dialect>| {
            let options = ClientOptions::new(url.parse().unwrap(), dialect)
                .token(Arc::new(Token(sandbox.access_token(Provider::Google))))
                .clock(Arc::new(ManualClock::hurried(now_ms)));
            Client::new(options).unwrap()
        };
        let zones = Arc::new(SystemZones::in_folder(None));
        let calendar = CalendarOptions {
            client: client(&urls.google_calendar, Arc::new(CalendarDialect)),
            zones,
            home_zone: Some("Europe/Berlin".into()),
        };
        let google = Google::new(GoogleOptions {
            people: client(&urls.google_people, Arc::new(GoogleDialect)),
            calendar: Some(calendar),
            mail: None,
        });
        let primary = sandbox.google_calendars().into_iter().find(|calendar| calendar["primary"] == true).unwrap();
        let calendar = primary["id"].as_str().unwrap().to_owned();
        Desk { sandbox, google, calendar, repeats, _running: running }
    }

    pub fn fault_next_write(&self, fault: Fault) -> bool {
        self.sandbox.fault(Rule::any(fault).on(Provider::Google).writes().times(1));
        true
    }

    pub fn event<'a>(&self, id: &'a RemoteId) -> &'a str {
        id.as_str().rsplit_once('/').unwrap().1
    }
}

impl Desk {
    pub fn feed(&self, calendar: &str) -> Feed {
        Feed { id: FeedId(calendar.into()), kind: KIND, collections: vec![CollectionId(calendar.into())] }
    }

    pub async fn page(&self, calendar: &str, since: Since) -> Result<Page> {
        let (feed, known) = (self.feed(calendar), Known::new());
        self.google.changes(&[Poll { feed: &feed, since, known: &known }]).await.remove(0)
    }

    /// A round to its end: what it said, and where it came to.
    pub async fn round(&self, mut since: Since) -> (Vec<Seen>, Vec<RemoteId>, Since) {
        let (mut seen, mut gone) = (Vec::new(), Vec::new());
        loop {
            let page = self.page(&self.calendar.clone(), since).await.unwrap();
            for entry in page.entries {
                match entry {
                    Entry::Seen(copy) => seen.push(*copy),
                    Entry::Gone(id) => gone.push(id),
                    other => panic!("{other:?}"),
                }
            }
            match page.next {
                Next::Page(link) => since = Since::Page(link),
                Next::Done(token) => return (seen, gone, Since::Token(token)),
            }
        }
    }

    pub fn id(&self, event: &str) -> RemoteId {
        RemoteId(format!("{}/{event}", self.calendar))
    }

    pub fn place(&self, event: &str) -> Place {
        Place { remote_id: self.id(event), collection: CollectionId(self.calendar.clone()) }
    }

    pub async fn fetch(&self, event: &str) -> Option<Seen> {
        self.google.fetch(KIND, &[self.place(event)]).await.remove(0).unwrap()
    }

    pub fn read(&self, rendering: &Rendering) -> Content {
        self.google.lens(KIND).read(rendering).unwrap()
    }

    pub async fn write(&self, operation: Operation) -> Result<Written> {
        self.google.write(KIND, &[operation]).await.remove(0)
    }

    pub fn create(&self, item: &str, content: &Content) -> Operation {
        let identity = Identity { uid: uid(item), mark: Some(mark(item)) };
        let rendering = self.google.lens(KIND).write(None, content, &identity).unwrap();
        let collection = CollectionId(self.calendar.clone());
        Operation::Create { collection, rendering, uid: uid(item), mark: mark(item) }
    }

    pub fn update(&self, seen: &Seen, content: &Content) -> Operation {
        let nobody = Identity { uid: uid("nobody"), mark: None };
        let to = self.google.lens(KIND).write(Some(&seen.rendering), content, &nobody).unwrap();
        let place = Place { remote_id: seen.remote_id.clone(), collection: seen.collection.clone() };
        Operation::Update { place, etag: seen.etag.clone(), from: seen.rendering.clone(), to }
    }

    pub async fn find(&self, item: &str) -> Found {
        let lookup =
            Lookup { mark: mark(item), uid: uid(item), collection: CollectionId(self.calendar.clone()), sent_ms: 0 };
        self.google.find(KIND, &[lookup], self.sandbox.clock().now_ms()).await.remove(0).unwrap()
    }

    /// [`standup`] in the primary calendar.
    pub fn series(&self) -> String {
        self.sandbox.google_add_event(&self.calendar, &standup()).unwrap()
    }

    pub fn edit(&self, event: &str, edit: impl FnOnce(&mut Value)) {
        self.sandbox.google_edit_event(&self.calendar, event, edit).unwrap();
    }
}

pub fn uid(item: &str) -> Uid {
    Uid(format!("{item}@example.org"))
}

pub fn mark(item: &str) -> Mark {
    Mark { hub: "hub".into(), item: item.into(), generation: 1 }
}
