//! One mailbox at the sandbox, the connector that keeps it, and what a hub would remember: for the tests of mail.

use async_trait::async_trait;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Barrier;
use twofold_http::{Client, ClientOptions, ManualClock, Response, TokenSource, Transport, TransportError, Wire};
use twofold_microsoft365::{GraphDialect, Microsoft365, Options};
use twofold_model::blob::{Blobs, MemoryBlobs};
use twofold_model::email::{self, Role, Sheet, headers};
use twofold_model::{
    Collection, CollectionId, Connector, Content, DeltaToken, Entry, Feed, Identity, Kind, Known, Lookup, Mark, Next,
    Operation, Page, Place, Poll, RemoteId, Result, Seen, Since, Uid, Unread, Written,
};
use twofold_sandbox::{Fault, Provider, Request, Rule, Sandbox, Switches};
use twofold_zones::SystemZones;
use url::Url;

/// The line to the sandbox: everything asks for immutable ids, every page of a round names its size, and nothing is ever deleted for
/// good.
struct Line {
    sandbox: Sandbox,
    together: Arc<Mutex<Option<Together>>>,
}

/// Bytes of messages that are answered only once so many of them are asked for at a time.
struct Together {
    gate: Arc<Barrier>,
    under_way: usize,
    most: usize,
}

impl Line {
    /// Waits until so many are here.
    async fn wait(&self) {
        let gate = self.together.lock().unwrap().as_mut().map(|together| {
            together.under_way += 1;
            together.most = together.most.max(together.under_way);
            together.gate.clone()
        });
        if let Some(gate) = gate {
            let all_are_here = tokio::time::timeout(Duration::from_secs(10), gate.wait()).await;
            assert!(all_are_here.is_ok(), "fewer are asked for at a time");
            self.together.lock().unwrap().as_mut().unwrap().under_way -= 1;
        }
    }
}

#[async_trait]
impl Transport for Line {
    async fn exchange(&self, wire: &Wire) -> Result<Response, TransportError> {
        let prefer = wire.header("prefer");
        match wire.url.path().starts_with("/microsoft-upload/") {
            // The address is its own leave.
            true => assert_eq!((prefer, wire.header("authorization")), (None, None), "{}", wire.what),
            false => assert!(prefer.unwrap_or_default().contains("IdType=\"ImmutableId\""), "{}", wire.what),
        }
        let names_a_size = |url: &str, prefer: &str| !url.contains("/delta") || prefer.contains("odata.maxpagesize=");
        assert!(names_a_size(wire.url.path(), prefer.unwrap_or_default()), "{}", wire.what);
        assert!(!wire.url.path().contains("permanentDelete"), "{}", wire.what);
        // What is attached twice to a message that is half made is no message.
        let is_attachment = |url: &str| wire.what == "take away attachment" && url.contains("/attachments/");
        let deletes = |method: &str, url: &str| method == "DELETE" && url.contains("/messages") && !is_attachment(url);
        assert!(!deletes(wire.method.as_str(), wire.url.path()), "{}", wire.what);
        if wire.url.path().ends_with("/$batch") {
            let body: Value = serde_json::from_slice(&wire.body).unwrap();
            for part in body["requests"].as_array().unwrap() {
                let prefer = part["headers"]["Prefer"].as_str().unwrap_or_default();
                assert!(prefer.contains("IdType=\"ImmutableId\""), "part {} of {}", part["url"], wire.what);
                let url = part["url"].as_str().unwrap();
                assert!(names_a_size(url, prefer), "{url}");
                assert!(!url.contains("permanentDelete") && !deletes(part["method"].as_str().unwrap(), url), "{url}");
            }
        }
        if wire.url.path().ends_with("/$value") {
            self.wait().await;
        }
        let mut request = Request::new(wire.method.as_str(), wire.url.as_str());
        request.headers = wire.headers.iter().map(|(name, value)| (name.to_lowercase(), value.clone())).collect();
        request.body = wire.body.clone();
        let answer =
            self.sandbox.exchange(&request).ok_or_else(|| TransportError::Cut("the sandbox said nothing".into()))?;
        if answer.body.len() > wire.max_body {
            return Err(TransportError::TooLarge(wire.max_body));
        }
        Ok(Response::new(answer.status, answer.headers, answer.body.to_vec()))
    }
}

struct Token(Sandbox);

#[async_trait]
impl TokenSource for Token {
    async fn token(&self) -> Result<String> {
        Ok(self.0.access_token(Provider::Microsoft))
    }

    async fn renewed(&self, _refused: &str) -> Result<String> {
        self.token().await
    }
}

/// One mailbox, its connector, and what the hub would remember.
pub struct World {
    pub sandbox: Sandbox,
    pub graph: Microsoft365,
    pub blobs: Arc<MemoryBlobs>,
    pub tokens: BTreeMap<String, DeltaToken>,
    together: Arc<Mutex<Option<Together>>>,
}

impl World {
    pub fn with(switches: Switches) -> World {
        World::taking(128 << 20, switches)
    }

    /// A connector that takes no larger answer.
    pub fn taking(max_body: usize, switches: Switches) -> World {
        let sandbox = Sandbox::new(twofold_sandbox::Options::empty().with(switches).virtual_time());
        let base = Url::parse(&sandbox.urls().microsoft_graph).unwrap();
        let clock = Arc::new(ManualClock::hurried(u64::try_from(sandbox.clock().now_ms()).unwrap()));
        let together = Arc::new(Mutex::new(None));
        let mut options = ClientOptions::new(base, Arc::new(GraphDialect))
            .token(Arc::new(Token(sandbox.clone())))
            .transport(Arc::new(Line { sandbox: sandbox.clone(), together: together.clone() }))
            .clock(clock);
        options.max_body = max_body;
        let blobs = Arc::new(MemoryBlobs::default());
        let graph = Microsoft365::new(Options {
            graph: Client::new(options).unwrap(),
            hub_id: "hub".into(),
            zones: Arc::new(SystemZones::in_folder(None)),
            home_zone: None,
            blobs: Some(blobs.clone()),
        });
        World { sandbox, graph, blobs, tokens: BTreeMap::new(), together }
    }

    pub fn empty() -> World {
        World::with(Switches::default())
    }

    pub fn requests(&self) -> u64 {
        self.graph.usage().requests
    }

    /// From now on bytes of messages are answered only where so many are asked for at a time.
    pub fn answer_together(&self, count: usize) {
        let gate = Arc::new(Barrier::new(count));
        *self.together.lock().unwrap() = Some(Together { gate, under_way: 0, most: 0 });
    }

    /// How many messages' bytes were asked for at a time since then, at most.
    pub fn most_together(&self) -> usize {
        self.together.lock().unwrap().as_ref().unwrap().most
    }

    pub async fn collections(&self) -> Vec<Collection> {
        self.graph.collections(Kind::Mail).await.unwrap()
    }

    pub async fn names(&self) -> Vec<String> {
        self.collections().await.into_iter().map(|collection| collection.name).collect()
    }

    pub async fn of_role(&self, role: Role) -> CollectionId {
        let all = self.collections().await;
        all.into_iter().find(|collection| collection.role == Some(role)).unwrap().id
    }

    pub fn folder(&self, name: &str) -> CollectionId {
        self.sandbox.graph_mail_folder_create("", name).unwrap().into()
    }

    /// Polls every feed to its end and keeps the tokens; the entries, or the first failure.
    pub async fn pull(&mut self) -> Result<Vec<Entry>> {
        let collections = self.collections().await;
        let known = Known::new();
        let mut entries = Vec::new();
        let feeds = self.graph.feeds(Kind::Mail, &collections);
        let since = |feed: Feed| {
            let token = self.tokens.get(feed.id.as_str()).cloned();
            (feed, token.map_or(Since::Start, Since::Token))
        };
        let mut open: Vec<(Feed, Since)> = feeds.into_iter().map(since).collect();
        while !open.is_empty() {
            let polls: Vec<Poll<'_>> =
                open.iter().map(|(feed, since)| Poll { feed, since: since.clone(), known: &known }).collect();
            let pages = self.graph.changes(&polls).await;
            drop(polls);
            let mut still = Vec::new();
            for ((feed, _), page) in open.into_iter().zip(pages) {
                let Page { entries: more, next } = page?;
                entries.extend(more);
                match next {
                    Next::Page(link) => still.push((feed, Since::Page(link))),
                    Next::Done(token) => drop(self.tokens.insert(feed.id.0, token)),
                }
            }
            open = still;
        }
        Ok(entries)
    }

    /// What a round says: what is there, and what is said to be gone.
    pub async fn told(&mut self) -> (BTreeMap<RemoteId, Seen>, BTreeSet<RemoteId>) {
        let (mut there, mut gone) = (BTreeMap::new(), BTreeSet::new());
        for entry in self.pull().await.unwrap() {
            match entry {
                Entry::Seen(seen) => drop(there.insert(seen.remote_id.clone(), *seen)),
                Entry::Gone(id) => drop(gone.insert(id)),
                other => panic!("{other:?}"),
            }
        }
        (there, gone)
    }

    /// The only message that a round shows.
    pub async fn only(&mut self) -> Seen {
        let (there, gone) = self.told().await;
        assert_eq!((there.len(), gone.len()), (1, 0), "{there:?}");
        there.into_values().next().unwrap()
    }

    pub fn deliver(&self, folder: &str, text: &str) -> RemoteId {
        self.sandbox.graph_mail_deliver(folder, text.as_bytes()).unwrap().into()
    }

    pub fn edit(&self, id: &RemoteId, set: Value) {
        self.sandbox.graph_mail_edit(id.as_str(), &set).unwrap();
    }

    pub async fn fetch(&self, seen: &Seen) -> Result<Option<Seen>> {
        self.graph.fetch(Kind::Mail, &[place(seen)]).await.pop().unwrap()
    }

    /// The copy with its bytes.
    pub async fn body(&self, seen: &Seen) -> Seen {
        self.graph.bodies(Kind::Mail, &[place(seen).into()]).await.pop().unwrap().unwrap().unwrap()
    }

    pub async fn write(&self, operation: Operation) -> Result<Written> {
        self.graph.write(Kind::Mail, &[operation]).await.pop().unwrap()
    }

    pub fn bytes(&self, seen: &Seen) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.blobs.open(&sheet(seen).blob().unwrap()).unwrap().read_to_end(&mut bytes).unwrap();
        bytes
    }

    /// A create of a message from nothing.
    pub fn creation(&self, item: &str, collection: &CollectionId, text: &str, words: &[&str]) -> Operation {
        let content = self.content(text, words);
        let identity = Identity { uid: uid(item), mark: Some(mark(item)) };
        let lens = self.graph.lens(Kind::Mail);
        let rendering = lens.dated(lens.write(None, &content, &identity).unwrap(), 1_772_438_400_000);
        Operation::Create { collection: collection.clone(), rendering, uid: uid(item), mark: mark(item) }
    }

    pub fn content(&self, text: &str, words: &[&str]) -> Content {
        let (blob, _) = self.blobs.put(&mut text.as_bytes()).unwrap();
        email::content(&headers::read(text.as_bytes()), blob.as_str(), words.iter().copied())
    }

    /// An update of the keywords of a copy.
    pub fn marking(&self, seen: &Seen, add: &[&str], remove: &[&str]) -> Operation {
        self.change(seen, |content| {
            let mut words = content.get("keywords").cloned().unwrap_or_else(|| json!({}));
            for word in add {
                words[*word] = json!(true);
            }
            words.as_object_mut().unwrap().retain(|word, _| !remove.contains(&word.as_str()));
            content.set("keywords", words);
        })
    }

    pub fn change(&self, seen: &Seen, change: impl FnOnce(&mut Content)) -> Operation {
        let lens = self.graph.lens(Kind::Mail);
        let mut content = lens.read(&seen.rendering).unwrap();
        change(&mut content);
        let identity = Identity { uid: uid("x"), mark: None };
        let to = lens.write(Some(&seen.rendering), &content, &identity).unwrap();
        Operation::Update { place: place(seen), etag: seen.etag.clone(), from: seen.rendering.clone(), to }
    }

    /// What the sandbox holds of a message.
    pub fn held(&self, id: &RemoteId) -> Value {
        let all = self.sandbox.graph_mail_messages();
        all.into_iter().find(|message| message["id"] == id.as_str()).unwrap()
    }

    pub fn fault_writes(&self, fault: Fault) {
        self.sandbox.fault(Rule::any(fault).on(Provider::Microsoft).writes().times(1));
    }
}

pub fn sheet(seen: &Seen) -> Sheet {
    Sheet::read(&seen.rendering).unwrap()
}

pub fn words(seen: &Seen) -> Vec<String> {
    sheet(seen).keywords.into_iter().collect()
}

pub fn mark(item: &str) -> Mark {
    Mark { hub: "hub".into(), item: item.into(), generation: 1 }
}

pub fn uid(item: &str) -> Uid {
    Uid(format!("uid-{item}"))
}

pub fn place(seen: &Seen) -> Place {
    Place { remote_id: seen.remote_id.clone(), collection: seen.collection.clone() }
}

/// A copy as a round showed it, to be read.
pub fn unread(seen: &Seen) -> Unread {
    Unread { place: place(seen), shown: Some(seen.clone()), known: None }
}

pub fn letter(subject: &str) -> String {
    format!(
        "Message-ID: <{subject}@example.org>\r\nFrom: Bob <bob@example.org>\r\nTo: Ada <ada@example.org>\r\n\
         Subject: {subject}\r\nDate: Mon, 2 Mar 2026 09:00:00 +0100\r\n\r\nHello, {subject}.\r\n"
    )
}

/// A letter whose sender wants to know when it is read.
pub fn asking(subject: &str) -> String {
    format!("Disposition-Notification-To: bob@example.org\r\n{}", letter(subject))
}

/// How a create is looked for.
pub fn lookup(item: &str, collection: &CollectionId, sent_ms: i64) -> Lookup {
    Lookup { mark: mark(item), uid: uid(item), collection: collection.clone(), sent_ms }
}

pub fn moved(seen: &Seen, to: &CollectionId) -> Operation {
    Operation::Move { place: place(seen), etag: seen.etag.clone(), to: to.clone() }
}
