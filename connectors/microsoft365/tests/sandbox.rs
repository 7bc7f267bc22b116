//! The connector against the sandbox's Graph: listing, rounds, writes, and the weather between.
//!
//! Every request goes through [`Line`], which refuses one that lacks what must go with every request.

use async_trait::async_trait;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use twofold_http::{Client, ClientOptions, ManualClock, Response, TokenSource, Transport, TransportError, Wire};
use twofold_microsoft365::contacts::map::{ContactLens, Photo, Sheet};
use twofold_microsoft365::contacts::wire::{MARK, UID};
use twofold_microsoft365::{GraphDialect, Microsoft365, Options};
use twofold_model::{
    Collection, CollectionId, Connector, Content, DeltaToken, Entry, ErrorKind, Feed, Found, Identity, Kind, Known,
    Lens, Lookup, Mark, Next, Operation, Page, Place, Poll, RemoteId, Removal, Rendering, Result, Seen, Since, Uid,
    Written,
};
use twofold_sandbox::microsoft365::tiny_jpeg;
use twofold_sandbox::{Fault, Provider, Request, Rule, Sandbox, Switches};
use twofold_zones::SystemZones;
use url::Url;

// The line to the sandbox

struct Line {
    sandbox: Sandbox,
    is_down: AtomicBool,
    batches: AtomicUsize,
}

#[async_trait]
impl Transport for Line {
    async fn exchange(&self, wire: &Wire) -> Result<Response, TransportError> {
        if self.is_down.load(Ordering::SeqCst) {
            return Err(TransportError::NotConnected("refused".into()));
        }
        let prefer = wire.header("prefer").unwrap_or_default();
        assert!(prefer.contains("IdType=\"ImmutableId\""), "{} lacks the preference", wire.what);
        assert!(wire.header("client-request-id").is_some_and(|id| id.len() == 36), "{} lacks an id", wire.what);
        assert_eq!(wire.header("return-client-request-id"), Some("true"));
        let is_batch = wire.url.path().ends_with("/$batch");
        if is_batch {
            assert_eq!(self.batches.fetch_add(1, Ordering::SeqCst), 0, "one batch at a time");
            let body: Value = serde_json::from_slice(&wire.body).unwrap();
            for part in body["requests"].as_array().unwrap() {
                let prefer = part["headers"]["Prefer"].as_str().unwrap_or_default();
                assert!(prefer.contains("IdType=\"ImmutableId\""), "part {} of {}", part["url"], wire.what);
                let is_guarded = !["PATCH", "DELETE"].contains(&part["method"].as_str().unwrap());
                assert!(is_guarded || part["headers"]["If-Match"].is_string(), "{} is not guarded", part["url"]);
            }
        }
        let mut request = Request::new(wire.method.as_str(), wire.url.as_str());
        request.headers = wire.headers.iter().map(|(name, value)| (name.to_lowercase(), value.clone())).collect();
        request.body = wire.body.clone();
        let answer = self.sandbox.exchange(&request);
        if is_batch {
            self.batches.fetch_sub(1, Ordering::SeqCst);
        }
        let answer = answer.ok_or_else(|| TransportError::Cut("the sandbox said nothing".into()))?;
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

/// The rules of all time zones.
fn zones() -> Arc<SystemZones> {
    Arc::new(SystemZones::in_folder(None))
}

/// One mailbox, its connector, and what the hub would remember.
struct World {
    sandbox: Sandbox,
    line: Arc<Line>,
    graph: Microsoft365,
    tokens: BTreeMap<String, DeltaToken>,
}

impl World {
    fn new(options: twofold_sandbox::Options) -> World {
        let sandbox = Sandbox::new(options.virtual_time());
        let line =
            Arc::new(Line { sandbox: sandbox.clone(), is_down: AtomicBool::new(false), batches: AtomicUsize::new(0) });
        let graph = Microsoft365::new(Options {
            graph: client(&sandbox, line.clone()),
            hub_id: "hub".into(),
            zones: zones(),
            home_zone: None,
            blobs: None,
        });
        World { sandbox, line, graph, tokens: BTreeMap::new() }
    }

    fn empty() -> World {
        World::new(twofold_sandbox::Options::empty())
    }

    fn demo() -> World {
        World::new(twofold_sandbox::Options::demo())
    }

    fn hostile(options: twofold_sandbox::Options) -> World {
        World::new(options.with(Switches { list_lag_s: 0, ..Switches::hostile() }))
    }

    async fn collections(&self) -> Vec<Collection> {
        self.graph.collections(Kind::Contacts).await.unwrap()
    }

    async fn home(&self) -> CollectionId {
        self.collections().await.into_iter().find(|collection| collection.is_default).unwrap().id
    }

    /// Polls every feed to its end and keeps the tokens; the entries, or the first failure.
    async fn pull(&mut self) -> Result<Vec<Entry>> {
        let collections = self.graph.collections(Kind::Contacts).await?;
        let feeds = self.graph.feeds(Kind::Contacts, &collections);
        let known = Known::new();
        let mut entries = Vec::new();
        let mut open: Vec<(Feed, Since)> = Vec::new();
        for feed in feeds {
            let token = self.tokens.get(feed.id.as_str()).cloned();
            open.push((feed, token.map_or(Since::Start, Since::Token)));
        }
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

    async fn pull_seen(&mut self) -> Vec<Seen> {
        let entries = self.pull().await.unwrap();
        entries
            .into_iter()
            .map(|entry| if let Entry::Seen(seen) = entry { *seen } else { panic!("{entry:?}") })
            .collect()
    }

    async fn fetch(&self, id: &str) -> Result<Option<Seen>> {
        let place = Place { remote_id: RemoteId::from(id), collection: self.home().await };
        self.graph.fetch(Kind::Contacts, &[place]).await.pop().unwrap()
    }

    async fn write(&self, operation: Operation) -> Result<Written> {
        self.graph.write(Kind::Contacts, &[operation]).await.pop().unwrap()
    }

    async fn create(&self, card: Value) -> Seen {
        self.write(create(&self.home().await, "1", card)).await.unwrap().unwrap()
    }

    fn requests(&self) -> u64 {
        let requests = self.sandbox.requests(Provider::Microsoft);
        self.sandbox.reset_counts();
        requests
    }

    fn held(&self, id: &RemoteId) -> Value {
        self.sandbox.graph_contact(id.as_str()).unwrap()
    }
}

fn client(sandbox: &Sandbox, line: Arc<Line>) -> Client {
    let base = Url::parse(&sandbox.urls().microsoft_graph).unwrap();
    let now_ms = u64::try_from(sandbox.clock().now_ms()).unwrap();
    let options = ClientOptions::new(base, Arc::new(GraphDialect))
        .token(Arc::new(Token(sandbox.clone())))
        .transport(line)
        .clock(Arc::new(ManualClock::hurried(now_ms)));
    Client::new(options).unwrap()
}

fn mark(item: &str) -> Mark {
    Mark { hub: "hub".into(), item: item.into(), generation: 1 }
}

fn identity(item: &str) -> Identity {
    Identity { uid: Uid(format!("uid-{item}")), mark: Some(mark(item)) }
}

fn create(collection: &CollectionId, item: &str, card: Value) -> Operation {
    let rendering = ContactLens.write(None, &Content::from_value(card), &identity(item)).unwrap();
    Operation::Create { collection: collection.clone(), rendering, uid: Uid(format!("uid-{item}")), mark: mark(item) }
}

fn update(seen: &Seen, change: impl FnOnce(&mut Content)) -> Operation {
    let mut card = meaning(&seen.rendering);
    change(&mut card);
    let to = ContactLens.write(Some(&seen.rendering), &card, &identity("x")).unwrap();
    Operation::Update { place: place(seen), etag: seen.etag.clone(), from: seen.rendering.clone(), to }
}

fn delete(seen: &Seen) -> Operation {
    Operation::Delete { place: place(seen), etag: seen.etag.clone() }
}

fn place(seen: &Seen) -> Place {
    Place { remote_id: seen.remote_id.clone(), collection: seen.collection.clone() }
}

fn meaning(rendering: &Rendering) -> Content {
    ContactLens.read(rendering).unwrap()
}

fn photo_card(colour: u8) -> Value {
    let uri = twofold_model::card::data_uri("image/jpeg", &tiny_jpeg([colour, 0, 0]));
    json!({"name": {"full": "Ada"}, "media": {"photo": {"kind": "photo", "uri": uri}}})
}

fn photo(seen: &Seen) -> Photo {
    Sheet::open(&seen.rendering).unwrap().photo
}

fn gone(entries: &[Entry]) -> Vec<&str> {
    entries.iter().filter_map(|entry| if let Entry::Gone(id) = entry { Some(id.as_str()) } else { None }).collect()
}

// Folders and rounds

#[tokio::test]
async fn folders_are_found_at_all_depths_with_the_default_one() {
    let world = World::empty();
    let mut parent = world.sandbox.graph_folder_create("", "one").unwrap();
    for name in ["two", "three", "four", "five"] {
        parent = world.sandbox.graph_folder_create(&parent, name).unwrap();
    }
    world.sandbox.graph_folder_create("contacts", "below the default one").unwrap();
    let collections = world.collections().await;
    let names: BTreeSet<&str> = collections.iter().map(|collection| collection.name.as_str()).collect();
    assert_eq!(names, BTreeSet::from(["Kontakte", "one", "two", "three", "four", "five", "below the default one"]));
    assert_eq!(collections.iter().filter(|collection| collection.is_default).count(), 1);
    assert!(collections[0].is_default);
    let hostile = World::hostile(twofold_sandbox::Options::demo());
    assert_eq!(hostile.collections().await.len(), 2, "a default folder that is listed is not counted twice");
}

#[tokio::test]
async fn a_first_round_lists_every_contact_once_and_a_second_one_nothing() {
    for mut world in [World::demo(), World::hostile(twofold_sandbox::Options::demo())] {
        let seen = world.pull_seen().await;
        let ids: BTreeSet<&str> = seen.iter().map(|seen| seen.remote_id.as_str()).collect();
        assert_eq!(ids.len(), seen.len());
        let there = world.sandbox.graph_contacts();
        assert_eq!(ids, there.iter().map(|contact| contact["id"].as_str().unwrap()).collect());
        let folders: BTreeSet<&str> = seen.iter().map(|seen| seen.collection.as_str()).collect();
        assert_eq!(folders.len(), 2);
        for seen in &seen {
            meaning(&seen.rendering);
            assert_eq!(photo(seen), Photo::Unlooked);
            assert!(seen.modified_ms.is_some());
        }
        assert_eq!(world.pull().await.unwrap().len(), 0);
    }
}

#[tokio::test]
async fn nothing_to_do_over_eighteen_folders_costs_three_requests() {
    let mut world = World::demo();
    for at in 0..16 {
        world.sandbox.graph_folder_create("", &format!("folder {at}")).unwrap();
    }
    world.pull().await.unwrap();
    world.requests();
    assert_eq!(world.pull().await.unwrap().len(), 0);
    assert_eq!(world.requests(), 3);
}

#[tokio::test]
async fn a_change_comes_whole_with_its_photo() {
    for mut world in [World::demo(), World::hostile(twofold_sandbox::Options::demo())] {
        let first = world.pull_seen().await;
        let id = first[0].remote_id.clone();
        world.sandbox.graph_set_photo(id.as_str(), Some(tiny_jpeg([9, 9, 9]).to_vec())).unwrap();
        world.sandbox.graph_edit(id.as_str(), |contact| contact["jobTitle"] = json!("Analyst")).unwrap();
        let seen = world.pull_seen().await;
        assert_eq!(seen.len(), 1, "only what changed");
        assert_eq!(seen[0].remote_id, id);
        let (before, after) = (meaning(&first[0].rendering), meaning(&seen[0].rendering));
        assert_eq!(after.at(&["titles", "title", "name"]), Some(&json!("Analyst")));
        assert_eq!(after.get("name"), before.get("name"), "a row that is only a hint takes nothing away");
        assert!(matches!(photo(&seen[0]), Photo::Present(_)));
        assert_ne!(seen[0].etag, first[0].etag);
    }
}

#[tokio::test]
async fn a_removal_is_a_question_and_deleted_items_is_gone() {
    let mut world = World::demo();
    let seen = world.pull_seen().await;
    let id = seen[0].remote_id.as_str();
    world.sandbox.graph_delete(id).unwrap();
    let entries = world.pull().await.unwrap();
    assert_eq!(gone(&entries), [id]);
    assert_eq!(world.fetch(id).await.unwrap(), None, "it answers 200, but stands in Deleted Items");
    world.sandbox.switch(|switches| switches.graph_deleted_answers_404 = true);
    assert_eq!(world.fetch(id).await.unwrap(), None);
}

#[tokio::test]
async fn what_left_and_came_back_between_two_polls_is_still_there() {
    let mut world = World::demo();
    let seen = world.pull_seen().await;
    let second = world.collections().await[1].id.clone();
    let one = seen.iter().find(|seen| seen.collection != second).unwrap();
    world.sandbox.graph_move(one.remote_id.as_str(), second.as_str()).unwrap();
    world.sandbox.graph_move(one.remote_id.as_str(), "contacts").unwrap();
    let entries = world.pull().await.unwrap();
    assert!(gone(&entries).contains(&one.remote_id.as_str()), "each folder asks");
    assert_eq!(entries.len(), gone(&entries).len());
    assert_eq!(world.fetch(one.remote_id.as_str()).await.unwrap().unwrap().collection, one.collection);
}

#[tokio::test]
async fn a_moved_contact_is_found_in_its_new_folder() {
    let mut world = World::demo();
    let seen = world.pull_seen().await;
    let second = world.collections().await[1].id.clone();
    let one = seen.iter().find(|seen| seen.collection != second).unwrap();
    world.sandbox.graph_move(one.remote_id.as_str(), second.as_str()).unwrap();
    let fetched = world.fetch(one.remote_id.as_str()).await.unwrap().unwrap();
    assert_eq!((fetched.remote_id, fetched.collection), (one.remote_id.clone(), second));
}

#[tokio::test]
async fn a_dead_token_is_said_so_and_a_round_from_nothing_works() {
    for status in [410, 400] {
        for recased in [false, true] {
            let mut world = World::demo();
            world.sandbox.switch(|switches| {
                switches.graph_expired_status = status;
                switches.graph_recased_codes = recased;
                switches.graph_lower_inner_error = recased;
            });
            let first = world.pull_seen().await.len();
            world.sandbox.graph_expire_delta_tokens();
            assert_eq!(world.pull().await.unwrap_err().kind, ErrorKind::TokenExpired, "{status}");
            world.tokens.clear();
            assert_eq!(world.pull_seen().await.len(), first);
        }
    }
}

#[tokio::test]
async fn a_round_that_breaks_off_keeps_its_token_good() {
    let mut world = World::demo();
    world.pull().await.unwrap();
    world.sandbox.switch(|switches| switches.page_size_cap = 1);
    for contact in world.sandbox.graph_contacts() {
        world.sandbox.graph_restamp(contact["id"].as_str().unwrap()).unwrap();
    }
    let collections = world.collections().await;
    let feeds = world.graph.feeds(Kind::Contacts, &collections);
    let known = Known::new();
    let ask = |since| Poll { feed: &feeds[0], since, known: &known };
    let token = world.tokens[feeds[0].id.as_str()].clone();
    let page = world.graph.changes(&[ask(Since::Token(token.clone()))]).await.pop().unwrap().unwrap();
    let Next::Page(link) = page.next else { panic!("one page only") };
    // A newer round of the same chain kills the older one's links.
    world.graph.changes(&[ask(Since::Token(token))]).await.pop().unwrap().unwrap();
    let error = world.graph.changes(&[ask(Since::Page(link))]).await.pop().unwrap().unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unknown, "not expired: the stored token is still good");
    assert!(!world.pull_seen().await.is_empty());
}

#[tokio::test]
async fn one_folder_that_is_denied_fails_alone() {
    let mut world = World::demo();
    world.pull().await.unwrap();
    let collections = world.collections().await;
    world.sandbox.switch(|switches| switches.graph_denied_folders = vec![collections[1].id.0.clone()]);
    let feeds = world.graph.feeds(Kind::Contacts, &collections);
    let known = Known::new();
    let poll = |at: usize| Poll {
        feed: &feeds[at],
        since: Since::Token(world.tokens[feeds[at].id.as_str()].clone()),
        known: &known,
    };
    let pages = world.graph.changes(&[poll(0), poll(1)]).await;
    assert!(pages[0].is_ok());
    assert_eq!(pages[1].as_ref().unwrap_err().kind, ErrorKind::Forbidden);
}

#[tokio::test]
async fn a_token_for_another_address_is_no_token() {
    let world = World::demo();
    let collections = world.collections().await;
    let feeds = world.graph.feeds(Kind::Contacts, &collections);
    let known = Known::new();
    let token =
        DeltaToken::from("https://evil.example/microsoft/v1.0/me/contactFolders/x/contacts/delta?$deltatoken=1");
    world.requests();
    let poll = Poll { feed: &feeds[0], since: Since::Token(token), known: &known };
    assert_eq!(world.graph.changes(&[poll]).await.pop().unwrap().unwrap_err().kind, ErrorKind::TokenExpired);
    assert_eq!(world.requests(), 0);
}

fn answers(status: u16, body: Value) -> Rule {
    Rule::any(Fault::Status { status, retry_after: None, executed: false, body: Some(body) }).on(Provider::Microsoft)
}

#[tokio::test]
async fn the_default_folder_is_found_by_any_contact_where_its_name_is_unknown() {
    let world = World::demo();
    let known = world.home().await;
    let not_found = json!({"error": {"code": "ErrorItemNotFound", "message": "…"}});
    world.sandbox.fault(answers(404, not_found.clone()).path("contactFolders/contacts"));
    assert_eq!(world.home().await, known);
    let empty = World::empty();
    empty.sandbox.fault(answers(404, not_found).path("contactFolders/contacts"));
    let error = empty.graph.collections(Kind::Contacts).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound, "never a part of the folders");
}

#[tokio::test]
async fn links_that_lead_elsewhere_or_nowhere_are_not_followed() {
    let world = World::empty();
    let feeds = world.graph.feeds(Kind::Contacts, &world.collections().await);
    let own = world.sandbox.urls().microsoft_graph;
    let round = format!("{own}/v1.0/me/contactFolders/x/contacts/delta");
    let kind = async |body: Value| {
        world.sandbox.fault(answers(200, body).path("delta").times(1));
        let poll = Poll { feed: &feeds[0], since: Since::Start, known: &Known::new() };
        match world.graph.changes(&[poll]).await.pop().unwrap() {
            Ok(page) => Ok(page.next),
            Err(error) => Err(error.kind),
        }
    };
    let elsewhere = "https://evil.example/v1.0/me/contactFolders/x/contacts/delta?$skiptoken=1";
    assert_eq!(kind(json!({"value": [], "@odata.nextLink": elsewhere})).await, Err(ErrorKind::Malformed));
    assert_eq!(kind(json!({"value": [], "@odata.deltaLink": elsewhere})).await, Err(ErrorKind::Malformed));
    assert_eq!(kind(json!({"value": []})).await, Err(ErrorKind::Malformed));
    assert_eq!(
        kind(json!({"value": [{"displayName": "Ada"}], "@odata.nextLink": round})).await,
        Err(ErrorKind::Malformed)
    );
    // A link that repeats itself: the second page names the second page.
    let link = format!("{round}?$skiptoken=2");
    let next = kind(json!({"value": [], "@odata.nextLink": link})).await;
    let Ok(Next::Page(page)) = next else { panic!("{next:?}") };
    world.sandbox.fault(answers(200, json!({"value": [], "@odata.nextLink": link})).path("delta").times(1));
    let poll = Poll { feed: &feeds[0], since: Since::Page(page), known: &Known::new() };
    assert_eq!(world.graph.changes(&[poll]).await.pop().unwrap().unwrap_err().kind, ErrorKind::Malformed);
}

// Writes

#[tokio::test]
async fn a_create_carries_uid_mark_and_what_has_no_field() {
    let mut world = World::empty();
    let card = json!({
        "name": {"full": "Countess Ada", "components": [{"kind": "given", "value": "Ada"}, {"kind": "surname", "value": "King"}]},
        "speakToAs": {"grammaticalGender": "feminine"},
        "keywords": {"friends": true, "Friends": true},
        "anniversaries": {"birth": {"kind": "birth", "date": {"year": 1815, "month": 12, "day": 10}}},
    });
    let seen = world.create(card.clone()).await;
    assert_eq!((seen.uid.clone(), seen.mark.clone()), (Some(Uid::from("uid-1")), Some(mark("1"))));
    assert_eq!(meaning(&seen.rendering), Content::from_value(card));
    assert_eq!(photo(&seen), Photo::Absent);
    let held = world.held(&seen.remote_id);
    assert_eq!(held["birthday"], "1815-12-10T11:59:00Z");
    assert_eq!(held["categories"], json!(["friends", "Friends"]));
    let pulled = world.pull_seen().await;
    assert_eq!(pulled.len(), 1);
    assert_eq!(pulled[0].etag, seen.etag, "the answer to the write is what the list says");
    assert_eq!(meaning(&pulled[0].rendering), meaning(&seen.rendering));
}

#[tokio::test]
async fn an_update_sends_only_what_differs() {
    let world = World::empty();
    let seen = world.create(json!({"name": {"full": "Ada"}, "keywords": {"friends": true}})).await;
    let written = world.write(update(&seen, |card| card.set("keywords", Value::Null))).await.unwrap().unwrap();
    assert_eq!(world.held(&seen.remote_id)["categories"], json!([]), "the last category is gone");
    assert_eq!(meaning(&written.rendering), Content::from_value(json!({"name": {"full": "Ada"}})));
    assert_ne!(written.etag, seen.etag);
    assert_eq!(written.uid, seen.uid);
    world.requests();
    let same = Operation::Update {
        place: place(&written),
        etag: written.etag.clone(),
        from: written.rendering.clone(),
        to: written.rendering.clone(),
    };
    assert_eq!(world.write(same).await.unwrap().unwrap().etag, written.etag);
    assert_eq!(world.sandbox.writes(Provider::Microsoft), 0, "nothing differs, nothing is sent");
}

#[tokio::test]
async fn an_update_of_an_older_state_is_stale_and_changes_nothing() {
    let world = World::empty();
    let seen = world.create(json!({"name": {"full": "Ada"}})).await;
    world.sandbox.graph_edit(seen.remote_id.as_str(), |contact| contact["jobTitle"] = json!("Analyst")).unwrap();
    let before = world.held(&seen.remote_id);
    let operation = update(&seen, |card| card.set("notes", json!({"note": {"note": "n"}})));
    assert_eq!(world.write(operation).await.unwrap_err().kind, ErrorKind::StaleEtag);
    assert_eq!(world.write(delete(&seen)).await.unwrap_err().kind, ErrorKind::StaleEtag);
    assert_eq!(world.held(&seen.remote_id), before);
}

#[tokio::test]
async fn a_delete_goes_to_deleted_items_and_a_second_one_is_a_success() {
    let world = World::empty();
    world.sandbox.switch(|switches| switches.graph_deleted_answers_404 = true);
    let seen = world.create(json!({"name": {"full": "Ada"}})).await;
    assert_eq!(world.write(delete(&seen)).await.unwrap(), None);
    assert_eq!(world.sandbox.graph_dump()["deletedItems"].as_array().unwrap().len(), 1);
    assert_eq!(world.write(delete(&seen)).await.unwrap(), None);
}

#[tokio::test]
async fn a_photo_is_set_replaced_and_guarded() {
    for reencoded in [false, true] {
        let world = World::empty();
        world.sandbox.switch(|switches| switches.graph_photo_reencoded = reencoded);
        let seen = world.create(photo_card(1)).await;
        assert!(matches!(photo(&seen), Photo::Present(_)));
        assert!(world.held(&seen.remote_id)["photo"]["base64"].is_string());
        assert_eq!(world.fetch(seen.remote_id.as_str()).await.unwrap().unwrap(), seen);
        let new = Content::from_value(photo_card(2));
        let operation = update(&seen, |card| *card = new.clone());
        let second = world.write(operation.clone()).await.unwrap().unwrap();
        assert_ne!(photo(&second), photo(&seen));
        // The same once more, on the photo that is there no longer.
        assert_eq!(world.write(operation).await.unwrap_err().kind, ErrorKind::StaleEtag);
    }
}

#[tokio::test]
async fn a_photo_nobody_looked_at_is_not_overwritten() {
    let mut world = World::empty();
    let made = world.create(json!({"name": {"full": "Ada"}})).await;
    world.sandbox.graph_set_photo(made.remote_id.as_str(), Some(tiny_jpeg([7, 7, 7]).to_vec())).unwrap();
    let row = world.pull_seen().await.pop().unwrap();
    let held = world.held(&made.remote_id);
    let operation = update(&row, |card| *card = Content::from_value(photo_card(1)));
    assert_eq!(world.write(operation).await.unwrap_err().kind, ErrorKind::StaleEtag);
    assert_eq!(world.held(&made.remote_id)["photo"], held["photo"]);
}

#[tokio::test]
async fn a_photo_taken_away_here_stays_there_and_does_not_come_back() {
    let world = World::empty();
    let seen = world.create(photo_card(1)).await;
    let operation = update(&seen, |card| card.set("media", Value::Null));
    let written = world.write(operation).await.unwrap().unwrap();
    assert_eq!(meaning(&written.rendering).get("media"), None);
    let fetched = world.fetch(seen.remote_id.as_str()).await.unwrap().unwrap();
    assert_eq!(meaning(&fetched.rendering), meaning(&written.rendering));
    assert!(world.held(&seen.remote_id)["photo"]["base64"].is_string());
}

#[tokio::test]
async fn a_sweep_finds_the_photo_that_no_delta_tells_of() {
    let mut world = World::demo();
    let seen = world.pull_seen().await;
    let id = seen[0].remote_id.as_str();
    world.sandbox.graph_set_photo(id, Some(tiny_jpeg([7, 7, 7]).to_vec())).unwrap();
    assert_eq!(world.pull().await.unwrap().len(), 0);
    let places: Vec<Place> = seen.iter().map(place).collect();
    let swept = world.graph.sweep(Kind::Contacts, &places, 3).await.unwrap();
    assert_eq!(swept.len(), 3);
    assert!(matches!(photo(&swept[0]), Photo::Present(_)));
    let all = world.graph.sweep(Kind::Contacts, &places, 1000).await.unwrap();
    assert_eq!(all.len(), seen.len());
    assert!(all.iter().any(|seen| photo(seen) == Photo::Absent));
    // A full check does not look at photos, and takes none away.
    world.tokens.clear();
    let row = world.pull_seen().await.into_iter().find(|row| row.remote_id.as_str() == id).unwrap();
    let settled = ContactLens.settle_unknown(&swept[0].rendering, row.rendering);
    assert_eq!(meaning(&settled), meaning(&swept[0].rendering));
}

#[tokio::test]
async fn four_addresses_survive_a_place_for_three() {
    let mut world = World::empty();
    let mut emails = serde_json::Map::new();
    for address in ["a@x.example", "b@x.example", "c@x.example", "d@x.example"] {
        twofold_model::card::insert(&mut emails, address, json!({"address": address}));
    }
    let card = json!({"name": {"full": "Ada"}, "emails": emails});
    let seen = world.create(card.clone()).await;
    assert_eq!(world.held(&seen.remote_id)["emailAddresses"].as_array().unwrap().len(), 3);
    assert_eq!(meaning(&world.pull_seen().await[0].rendering), Content::from_value(card));
}

// Weather

#[tokio::test]
async fn a_create_whose_reply_is_lost_is_found_by_its_mark_and_not_doubled() {
    let world = World::empty();
    let home = world.home().await;
    world.sandbox.fault(Rule::any(Fault::DropAfter).on(Provider::Microsoft).method("POST").parts().times(1));
    let error = world.write(create(&home, "1", json!({"name": {"full": "Ada"}}))).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unknown);
    let now_ms = world.sandbox.clock().now_ms();
    let lookup = |item: &str| Lookup {
        mark: mark(item),
        uid: Uid(format!("uid-{item}")),
        collection: home.clone(),
        sent_ms: now_ms,
    };
    let found = world.graph.find(Kind::Contacts, &[lookup("1"), lookup("2")], now_ms).await;
    assert!(matches!(&found[0], Ok(Found::Here(seen)) if seen.mark == Some(mark("1"))));
    assert!(matches!(&found[1], Ok(Found::NotBefore(until)) if *until == now_ms + 60_000));
    let later = world.graph.find(Kind::Contacts, &[lookup("2")], now_ms + 60_000).await;
    assert!(matches!(&later[0], Ok(Found::Nowhere)));
}

#[tokio::test]
async fn a_lost_create_that_was_moved_meanwhile_is_found_too() {
    let world = World::demo();
    let seen = world.create(json!({"name": {"full": "Ada"}})).await;
    let second = world.collections().await[1].id.clone();
    world.sandbox.graph_move(seen.remote_id.as_str(), second.as_str()).unwrap();
    let lookup = Lookup { mark: mark("1"), uid: Uid::from("uid-1"), collection: seen.collection.clone(), sent_ms: 0 };
    let found =
        world.graph.find(Kind::Contacts, &[lookup], world.sandbox.clock().now_ms()).await.pop().unwrap().unwrap();
    let Found::Here(found) = found else { panic!("{found:?}") };
    assert_eq!((found.remote_id, found.collection), (seen.remote_id, second));
}

#[tokio::test]
async fn a_whole_batch_that_is_cut_is_unknown_part_by_part() {
    let world = World::empty();
    let home = world.home().await;
    world.sandbox.fault(Rule::any(Fault::DropAfter).on(Provider::Microsoft).path("$batch").times(1));
    let operations: Vec<Operation> =
        (0..3).map(|at| create(&home, &at.to_string(), json!({"name": {"full": format!("Person {at}")}}))).collect();
    let written = world.graph.write(Kind::Contacts, &operations).await;
    assert!(written.iter().all(|written| written.as_ref().is_err_and(|error| error.kind == ErrorKind::Unknown)));
    assert_eq!(world.sandbox.graph_contacts().len(), 3, "executed, and not repeated");
}

#[tokio::test]
async fn one_throttled_part_is_sent_again_and_the_others_are_not() {
    let world = World::empty();
    let home = world.home().await;
    world
        .sandbox
        .fault(Rule::any(Fault::throttled("2.128")).on(Provider::Microsoft).method("POST").parts().skip(1).times(1));
    let operations: Vec<Operation> =
        (0..3).map(|at| create(&home, &at.to_string(), json!({"name": {"full": format!("Person {at}")}}))).collect();
    let written = world.graph.write(Kind::Contacts, &operations).await;
    assert!(written.iter().all(Result::is_ok), "{written:?}");
    assert_eq!(world.sandbox.graph_contacts().len(), 3);
}

#[tokio::test]
async fn a_5xx_after_a_write_is_unknown_and_not_repeated() {
    for executed in [true, false] {
        let world = World::empty();
        let home = world.home().await;
        let fault = if executed { Fault::status_but_executed(503) } else { Fault::status(503) };
        world.sandbox.fault(Rule::any(fault).on(Provider::Microsoft).method("POST").parts().times(1));
        let error = world.write(create(&home, "1", json!({"name": {"full": "Ada"}}))).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unknown);
        assert_eq!(world.sandbox.graph_contacts().len(), usize::from(executed));
    }
}

#[tokio::test]
async fn a_missing_answer_to_a_read_is_asked_for_again_and_never_gone() {
    let mut world = World::demo();
    let seen = world.pull_seen().await;
    let id = seen[0].remote_id.as_str();
    world.sandbox.fault(Rule::any(Fault::DropBefore).on(Provider::Microsoft).method("GET").parts().times(3));
    assert!(world.fetch(id).await.unwrap().is_some());
    world.sandbox.fault(Rule::any(Fault::status(403)).on(Provider::Microsoft).method("GET").parts());
    let place = place(&seen[0]);
    assert_eq!(
        world.graph.fetch(Kind::Contacts, &[place]).await.pop().unwrap().unwrap_err().kind,
        ErrorKind::Forbidden
    );
}

#[tokio::test]
async fn no_connection_means_nothing_was_written() {
    let world = World::empty();
    let home = world.home().await;
    world.line.is_down.store(true, Ordering::SeqCst);
    let operations: Vec<Operation> =
        (0..25).map(|at| create(&home, &at.to_string(), json!({"name": {"full": format!("Person {at}")}}))).collect();
    let written = world.graph.write(Kind::Contacts, &operations).await;
    assert_eq!(written.len(), 25);
    assert!(written.iter().all(|written| written.as_ref().is_err_and(|error| error.kind == ErrorKind::Offline)));
    assert_eq!(world.graph.collections(Kind::Contacts).await.unwrap_err().kind, ErrorKind::Offline);
}

#[tokio::test]
async fn a_read_back_that_fails_leaves_the_write_a_success() {
    let world = World::empty();
    let home = world.home().await;
    world.sandbox.fault(Rule::any(Fault::status(503)).on(Provider::Microsoft).method("GET"));
    let card = json!({"name": {"full": "Ada"}, "speakToAs": {"grammaticalGender": "feminine"}});
    let seen = world.write(create(&home, "1", card.clone())).await.unwrap().unwrap();
    assert_eq!(meaning(&seen.rendering), Content::from_value(card));
    assert_eq!(seen.mark, Some(mark("1")));
    let sheet = Sheet::open(&seen.rendering).unwrap();
    assert!(sheet.contact.property(MARK).is_some() && sheet.contact.property(UID).is_some());
}

#[tokio::test]
async fn somebody_elses_edit_right_after_a_write_is_not_taken_for_ours() {
    let world = World::empty();
    let seen = world.create(json!({"name": {"full": "Ada"}})).await;
    let (sandbox, id) = (world.sandbox.clone(), seen.remote_id.0.clone());
    let has_struck = AtomicBool::new(false);
    world.sandbox.set_hook(Some(Arc::new(move |_info, phase| {
        // After the batch with the PATCH, before the one that reads back.
        if phase == twofold_sandbox::Phase::After && !has_struck.swap(true, Ordering::SeqCst) {
            sandbox.graph_edit(&id, |contact| contact["jobTitle"] = json!("Analyst")).unwrap();
        }
    })));
    let operation = update(&seen, |card| card.set("notes", json!({"note": {"note": "n"}})));
    let written = world.write(operation).await.unwrap().unwrap();
    assert_eq!(meaning(&written.rendering).get("titles"), None, "the next round shall find it as an edit");
    assert_eq!(world.held(&seen.remote_id)["jobTitle"], "Analyst");
    assert_eq!(written.uid, seen.uid);
}

#[tokio::test]
async fn another_mailbox_behind_the_sign_in_deletes_nothing() {
    let mut world = World::demo();
    let seen = world.pull_seen().await;
    world.sandbox.fault(
        Rule::any(Fault::Status {
            status: 404,
            retry_after: None,
            executed: false,
            body: Some(json!({"error": {"code": "MailboxNotEnabledForRESTAPI", "message": "…"}})),
        })
        .on(Provider::Microsoft),
    );
    let place = place(&seen[0]);
    assert_eq!(
        world.graph.fetch(Kind::Contacts, std::slice::from_ref(&place)).await.pop().unwrap().unwrap_err().kind,
        ErrorKind::Forbidden
    );
    let deleted = world.write(delete(&seen[0])).await;
    assert_eq!(deleted.unwrap_err().kind, ErrorKind::Forbidden, "not a success either");
    assert_eq!(world.pull().await.unwrap_err().kind, ErrorKind::Forbidden);
}

#[tokio::test]
async fn a_folder_is_made_once() {
    let world = World::empty();
    let like = Collection { name: "Choir".into(), ..world.collections().await.remove(0) };
    let one = world.graph.create_collection(Kind::Contacts, &like).await.unwrap();
    let two = world.graph.create_collection(Kind::Contacts, &like).await.unwrap();
    assert_eq!(one, two);
    assert!(!one.is_default);
    world.graph.rename_collection(Kind::Contacts, &one.id, Some("Singers"), None).await.unwrap();
    assert!(world.collections().await.iter().any(|collection| collection.name == "Singers"));
    let seen = world.write(create(&one.id, "1", json!({"name": {"full": "Ada"}}))).await.unwrap().unwrap();
    assert_eq!(seen.collection, one.id);
    world.sandbox.graph_folder_delete(one.id.as_str()).unwrap();
    assert_eq!(world.fetch(seen.remote_id.as_str()).await.unwrap(), None);
}

#[tokio::test]
async fn a_folder_is_deleted_when_nothing_is_in_it_and_the_default_one_never() {
    let world = World::empty();
    let default = world.collections().await.remove(0);
    assert_eq!(world.graph.removal(Kind::Contacts, &default.id).await.unwrap(), Removal::Never);
    assert!(!world.graph.remove_collection(Kind::Contacts, &default.id).await.unwrap());
    let made = world.graph.create_collection(Kind::Contacts, &Collection { name: "Choir".into(), ..default }).await;
    let choir = made.unwrap().id;
    assert_eq!(world.graph.removal(Kind::Contacts, &choir).await.unwrap(), Removal::Whole);
    let inner = world.sandbox.graph_folder_create(choir.as_str(), "Altos").unwrap();
    assert!(!world.graph.remove_collection(Kind::Contacts, &choir).await.unwrap(), "a folder is in it");
    world.sandbox.graph_folder_delete(&inner).unwrap();
    let ada = world.sandbox.graph_create(choir.as_str(), &json!({"givenName": "Ada"})).unwrap();
    assert!(!world.graph.remove_collection(Kind::Contacts, &choir).await.unwrap(), "a contact is in it");
    world.sandbox.graph_delete(&ada).unwrap();
    world.sandbox.fault(Rule::any(Fault::DropAfter).on(Provider::Microsoft).method("DELETE").times(1));
    let lost = world.graph.remove_collection(Kind::Contacts, &choir).await.unwrap_err();
    assert_eq!(lost.kind, ErrorKind::Unknown);
    assert!(world.graph.remove_collection(Kind::Contacts, &choir).await.unwrap(), "it is gone already");
    assert_eq!(world.collections().await.len(), 1);
}

#[tokio::test]
async fn in_all_weathers_a_write_is_read_back_and_a_second_round_is_empty() {
    let mut world = World::hostile(twofold_sandbox::Options::demo());
    let first = world.pull_seen().await;
    for seen in &first {
        let operation = update(seen, |card| card.set("notes", json!({"note": {"note": "one\ntwo"}})));
        match world.write(operation).await {
            Ok(written) => {
                let written = written.unwrap();
                assert_eq!(meaning(&written.rendering).at(&["notes", "note", "note"]), Some(&json!("one\ntwo")));
            }
            Err(error) => assert_eq!(error.kind, ErrorKind::StaleEtag, "{error}"),
        }
    }
    world.pull_seen().await;
    world.sandbox.clock().advance_ms(10_000);
    // Etags moved once more with equal content; their meaning did not.
    world.pull_seen().await;
    assert_eq!(world.pull().await.unwrap().len(), 0);
}
