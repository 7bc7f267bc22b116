//! Gmail's mail over a socket, with the user's other client beside it; a part of several tests.
#![allow(dead_code, unused_imports)]

pub use async_trait::async_trait;
pub use serde_json::json;
pub use std::collections::{BTreeMap, BTreeSet};
pub use std::io::Read;
pub use std::sync::Arc;
pub use twofold_google::{GmailDialect, Google, GoogleDialect, GoogleOptions, MailOptions};
pub use twofold_http::{Budget, Client, ClientOptions, Dialect, Limits, ManualClock, TokenSource};
pub use twofold_model::blob::MemoryBlobs;
pub use twofold_model::email::{Sheet, headers};
pub use twofold_model::{
    Access, Blobs, Collection, Connector, DeltaToken, Entry, ErrorKind, Feed, Found, Kind, Known, Lookup, Mark, Next,
    Operation, Page, Place, Poll, RemoteId, Result, Seen, Since, Uid, Unread, Written,
};
pub use twofold_sandbox::{Fault, Options, Provider, Rule, Running, Sandbox, Switches};

pub const KIND: Kind = Kind::Mail;

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

/// An account, and the user's other client.
pub struct Desk {
    pub sandbox: Sandbox,
    pub google: Google,
    pub blobs: Arc<MemoryBlobs>,
    /// What the connector counts of Gmail's units.
    pub budget: Arc<Budget>,
    /// The largest answer that the connector takes.
    pub max_body: usize,
    _running: Running,
}

/// All that a round said.
#[derive(Debug, Default)]
pub struct Round {
    pub seen: BTreeMap<RemoteId, Seen>,
    pub gone: BTreeSet<RemoteId>,
    pub renamed: Vec<(RemoteId, RemoteId)>,
    pub pages: usize,
    pub token: Option<DeltaToken>,
}

impl Round {
    pub fn take(&mut self, page: Page) -> Option<Since> {
        self.pages += 1;
        for entry in page.entries {
            match entry {
                Entry::Seen(seen) => {
                    self.gone.remove(&seen.remote_id);
                    self.seen.insert(seen.remote_id.clone(), *seen);
                }
                Entry::Gone(id) => {
                    self.seen.remove(&id);
                    self.gone.insert(id);
                }
                Entry::Renamed { from, to } => self.renamed.push((from, to)),
                Entry::Bad { reason, .. } => panic!("{reason}"),
            }
        }
        match page.next {
            Next::Page(link) => Some(Since::Page(link)),
            Next::Done(token) => {
                self.token = Some(token);
                None
            }
        }
    }

    pub fn since(&self) -> Since {
        Since::Token(self.token.clone().unwrap())
    }

    pub fn names(&self) -> Vec<&str> {
        self.seen.keys().map(RemoteId::as_str).collect()
    }
}

impl Desk {
    pub async fn new() -> Desk {
        Desk::with(|_| {}).await
    }

    pub async fn with(set: impl FnOnce(&mut Switches)) -> Desk {
        let mut switches = Switches { mail_units_per_min: 0, ..Switches::default() };
        set(&mut switches);
        Desk::of(Options::empty().virtual_time().with(switches)).await
    }

    pub async fn of(options: Options) -> Desk {
        let sandbox = Sandbox::new(options);
        let running = sandbox.start(0).await.unwrap();
        let blobs = Arc::new(MemoryBlobs::default());
        let limits = Limits { units_per_minute: Some(1_000_000), ..Limits::default() };
        let budget = Arc::new(Budget::new(limits));
        let max_body = 128 << 20;
        let google = connector(&sandbox, &blobs, &budget, max_body);
        Desk { sandbox, google, blobs, budget, max_body, _running: running }
    }

    /// The program starts anew, with nothing in its memory.
    pub fn restart(&mut self) {
        self.google = connector(&self.sandbox, &self.blobs, &self.budget, self.max_body);
    }

    pub async fn feed(&self) -> Feed {
        let collections = self.google.collections(KIND).await.unwrap();
        self.google.feeds(KIND, &collections).remove(0)
    }

    pub async fn page(&self, feed: &Feed, since: Since) -> Result<Page> {
        let known = Known::new();
        self.google.changes(&[Poll { feed, since, known: &known }]).await.remove(0)
    }

    pub async fn round(&self, since: Since) -> Round {
        let feed = self.feed().await;
        let (mut round, mut since) = (Round::default(), Some(since));
        while let Some(next) = since.take() {
            since = round.take(self.page(&feed, next).await.unwrap());
        }
        round
    }

    pub async fn fetch(&self, id: &RemoteId) -> Option<Seen> {
        self.google.fetch(KIND, &[place(id)]).await.remove(0).unwrap()
    }

    pub async fn bodies(&self, ids: &[&RemoteId]) -> Vec<Result<Option<Seen>>> {
        let copies: Vec<Unread> = ids.iter().map(|id| place(id).into()).collect();
        self.google.bodies(KIND, &copies).await
    }

    /// A copy with its bytes.
    pub async fn whole(&self, id: &RemoteId) -> Seen {
        self.bodies(&[id]).await.remove(0).unwrap().unwrap()
    }

    pub async fn write(&self, operation: Operation) -> Result<Written> {
        self.google.write(KIND, &[operation]).await.remove(0)
    }

    /// The copy that an operation leaves behind.
    pub async fn done(&self, operation: Operation) -> Seen {
        self.write(operation).await.unwrap().unwrap()
    }

    pub fn bytes_of(&self, seen: &Seen) -> Vec<u8> {
        let blob = sheet(seen).blob().unwrap();
        let mut bytes = Vec::new();
        self.blobs.open(&blob).unwrap().read_to_end(&mut bytes).unwrap();
        bytes
    }

    /// A create of a message with these bytes.
    pub fn create(&self, item: &str, bytes: &[u8], label: &str, words: &[&str]) -> Operation {
        let (blob, _) = self.blobs.put(&mut &bytes[..]).unwrap();
        let keywords = words.iter().map(|word| (*word).to_owned()).collect();
        let mut sheet = Sheet { keywords, received_ms: Some(1_000), ..Sheet::default() };
        sheet.set_bytes(&blob, bytes.len() as u64, &headers::read(bytes));
        let rendering = sheet.write().unwrap();
        Operation::Create { collection: label.into(), rendering, uid: uid(item), mark: mark(item) }
    }

    pub async fn find(&self, item: &str, label: &str, sent_ms: i64, now_ms: i64) -> Found {
        let lookup = Lookup { mark: mark(item), uid: uid(item), collection: label.into(), sent_ms };
        self.google.find(KIND, &[lookup], now_ms).await.remove(0).unwrap()
    }

    pub fn add(&self, subject: &str, labels: &[&str]) -> String {
        self.sandbox.google_add_mail(&mail(subject), labels)
    }

    /// The labels of a message, as Gmail has them.
    pub fn labels_of(&self, message: &str) -> BTreeSet<String> {
        let all = self.sandbox.google_messages();
        let found = all.iter().find(|shown| shown["id"] == message).unwrap_or_else(|| panic!("no {message}"));
        found["labelIds"].as_array().into_iter().flatten().map(|label| label.as_str().unwrap().to_owned()).collect()
    }

    /// How often a path was asked for, parts of batches too.
    pub fn asked(&self, path: &str) -> usize {
        self.sandbox.log().iter().filter(|line| line.info.path.contains(path)).count()
    }

    pub fn fault(&self, rule: Rule) {
        self.sandbox.fault(rule.on(Provider::Google));
    }
}

pub fn connector(sandbox: &Sandbox, blobs: &Arc<MemoryBlobs>, budget: &Arc<Budget>, max_body: usize) -> Google {
    let now_ms = u64::try_from(sandbox.clock().now_ms()).unwrap();
    let client = |url: &str, dialect: Arc<dyn Dialect>| {
        let mut options = ClientOptions::new(url.parse().unwrap(), dialect)
            .token(Arc::new(Token(sandbox.access_token(Provider::Google))))
            .budget(Arc::clone(budget))
            .clock(Arc::new(ManualClock::hurried(now_ms)));
        options.max_body = max_body;
        Client::new(options).unwrap()
    };
    let urls = sandbox.urls();
    let blobs = Arc::clone(blobs) as Arc<dyn Blobs>;
    Google::new(GoogleOptions {
        people: client(&urls.google_people, Arc::new(GoogleDialect)),
        calendar: None,
        mail: Some(MailOptions { client: client(&urls.google_gmail, Arc::new(GmailDialect)), blobs }),
    })
}

/// A mail with this subject; its Message-ID follows from that.
pub fn mail(subject: &str) -> Vec<u8> {
    let id = subject.replace(' ', "-");
    format!(
        "From: Anna <anna@example.org>\r\nTo: ada@example.com\r\nSubject: {subject}\r\n\
         Date: Thu, 4 Dec 2025 10:15:00 +0100\r\nMessage-ID: <{id}@example.org>\r\n\r\nAbout {subject}.\r\n"
    )
    .into_bytes()
}

pub fn sheet(seen: &Seen) -> Sheet {
    Sheet::read(&seen.rendering).unwrap()
}

pub fn words(seen: &Seen) -> Vec<String> {
    sheet(seen).keywords.into_iter().collect()
}

pub fn id(message: &str, label: &str) -> RemoteId {
    RemoteId(format!("{message}/{label}"))
}

pub fn place(id: &RemoteId) -> Place {
    let label = id.as_str().split_once('/').unwrap().1;
    Place { remote_id: id.clone(), collection: label.into() }
}

pub fn of(seen: &Seen) -> Place {
    Place { remote_id: seen.remote_id.clone(), collection: seen.collection.clone() }
}

pub fn message_of(seen: &Seen) -> &str {
    seen.remote_id.as_str().split_once('/').unwrap().0
}

pub fn set(labels: &[&str]) -> BTreeSet<String> {
    labels.iter().map(|label| (*label).to_owned()).collect()
}

pub fn uid(item: &str) -> Uid {
    Uid(format!("{item}@example.org"))
}

pub fn mark(item: &str) -> Mark {
    Mark { hub: "hub".into(), item: item.into(), generation: 1 }
}

/// A change of the keywords of a copy.
pub fn update(seen: &Seen, words: &[&str]) -> Operation {
    let mut to = sheet(seen);
    to.keywords = set(words);
    Operation::Update {
        place: of(seen),
        etag: seen.etag.clone(),
        from: seen.rendering.clone(),
        to: to.write().unwrap(),
    }
}

pub fn delete(seen: &Seen) -> Operation {
    Operation::Delete { place: of(seen), etag: seen.etag.clone() }
}

/// A mailbox of that name, as one that is to be made.
pub fn collection(name: &str) -> Collection {
    let access = Access::ReadWrite;
    Collection { id: name.into(), kind: KIND, name: name.into(), color: None, is_default: false, role: None, access }
}
