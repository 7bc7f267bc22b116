//! The mail room against the sandbox's Graph: folders, rounds, bytes, writes, and the weather between.

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::sync::Arc;
use twofold_http::{Client, ClientOptions, ManualClock, Response, TokenSource, Transport, TransportError, Wire};
use twofold_microsoft365::{GraphDialect, Microsoft365, Options};
use twofold_model::blob::{Blobs, MemoryBlobs};
use twofold_model::email::{self, Role, Sheet, headers};
use twofold_model::{
    Collection, CollectionId, Connector, Content, DeltaToken, Entry, ErrorKind, Feed, Found, Identity, Kind, Known,
    Lookup, Mark, Next, Operation, Page, Place, Poll, RemoteId, Removal, Result, Seen, Since, Uid, Written,
};
use twofold_sandbox::{Fault, Provider, Request, Rule, Sandbox, Switches};
use twofold_zones::SystemZones;
use url::Url;

/// The line to the sandbox: everything asks for immutable ids, and nothing is ever deleted for good.
struct Line(Sandbox);

#[async_trait]
impl Transport for Line {
    async fn exchange(&self, wire: &Wire) -> Result<Response, TransportError> {
        assert!(wire.header("prefer").unwrap_or_default().contains("IdType=\"ImmutableId\""), "{}", wire.what);
        assert!(!wire.url.path().contains("permanentDelete"), "{}", wire.what);
        let deletes = |method: &str, url: &str| method == "DELETE" && url.contains("/messages");
        assert!(!deletes(wire.method.as_str(), wire.url.path()), "{}", wire.what);
        if wire.url.path().ends_with("/$batch") {
            let body: Value = serde_json::from_slice(&wire.body).unwrap();
            for part in body["requests"].as_array().unwrap() {
                let prefer = part["headers"]["Prefer"].as_str().unwrap_or_default();
                assert!(prefer.contains("IdType=\"ImmutableId\""), "part {} of {}", part["url"], wire.what);
                let url = part["url"].as_str().unwrap();
                assert!(!url.contains("permanentDelete") && !deletes(part["method"].as_str().unwrap(), url), "{url}");
            }
        }
        let mut request = Request::new(wire.method.as_str(), wire.url.as_str());
        request.headers = wire.headers.iter().map(|(name, value)| (name.to_lowercase(), value.clone())).collect();
        request.body = wire.body.clone();
        let answer = self.0.exchange(&request).ok_or_else(|| TransportError::Cut("the sandbox said nothing".into()))?;
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
struct World {
    sandbox: Sandbox,
    graph: Microsoft365,
    blobs: Arc<MemoryBlobs>,
    tokens: BTreeMap<String, DeltaToken>,
}

impl World {
    fn with(switches: Switches) -> World {
        let sandbox = Sandbox::new(twofold_sandbox::Options::empty().with(switches).virtual_time());
        let base = Url::parse(&sandbox.urls().microsoft_graph).unwrap();
        let clock = Arc::new(ManualClock::hurried(u64::try_from(sandbox.clock().now_ms()).unwrap()));
        let options = ClientOptions::new(base, Arc::new(GraphDialect))
            .token(Arc::new(Token(sandbox.clone())))
            .transport(Arc::new(Line(sandbox.clone())))
            .clock(clock);
        let blobs = Arc::new(MemoryBlobs::default());
        let graph = Microsoft365::new(Options {
            graph: Client::new(options).unwrap(),
            hub_id: "hub".into(),
            zones: Arc::new(SystemZones::in_folder(None)),
            home_zone: None,
            blobs: Some(blobs.clone()),
        });
        World { sandbox, graph, blobs, tokens: BTreeMap::new() }
    }

    fn empty() -> World {
        World::with(Switches::default())
    }

    fn requests(&self) -> u64 {
        self.graph.usage().requests
    }

    async fn collections(&self) -> Vec<Collection> {
        self.graph.collections(Kind::Mail).await.unwrap()
    }

    async fn names(&self) -> Vec<String> {
        self.collections().await.into_iter().map(|collection| collection.name).collect()
    }

    async fn of_role(&self, role: Role) -> CollectionId {
        let all = self.collections().await;
        all.into_iter().find(|collection| collection.role == Some(role)).unwrap().id
    }

    fn folder(&self, name: &str) -> CollectionId {
        self.sandbox.graph_mail_folder_create("", name).unwrap().into()
    }

    /// Polls every feed to its end and keeps the tokens; the entries, or the first failure.
    async fn pull(&mut self) -> Result<Vec<Entry>> {
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
    async fn told(&mut self) -> (BTreeMap<RemoteId, Seen>, BTreeSet<RemoteId>) {
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
    async fn only(&mut self) -> Seen {
        let (there, gone) = self.told().await;
        assert_eq!((there.len(), gone.len()), (1, 0), "{there:?}");
        there.into_values().next().unwrap()
    }

    fn deliver(&self, folder: &str, text: &str) -> RemoteId {
        self.sandbox.graph_mail_deliver(folder, text.as_bytes()).unwrap().into()
    }

    fn edit(&self, id: &RemoteId, set: Value) {
        self.sandbox.graph_mail_edit(id.as_str(), &set).unwrap();
    }

    async fn fetch(&self, seen: &Seen) -> Result<Option<Seen>> {
        self.graph.fetch(Kind::Mail, &[place(seen)]).await.pop().unwrap()
    }

    /// The copy with its bytes.
    async fn body(&self, seen: &Seen) -> Seen {
        self.graph.bodies(Kind::Mail, &[place(seen)]).await.pop().unwrap().unwrap().unwrap()
    }

    async fn write(&self, operation: Operation) -> Result<Written> {
        self.graph.write(Kind::Mail, &[operation]).await.pop().unwrap()
    }

    fn bytes(&self, seen: &Seen) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.blobs.open(&sheet(seen).blob().unwrap()).unwrap().read_to_end(&mut bytes).unwrap();
        bytes
    }

    /// A create of a message from nothing.
    fn creation(&self, item: &str, collection: &CollectionId, text: &str, words: &[&str]) -> Operation {
        let content = self.content(text, words);
        let identity = Identity { uid: uid(item), mark: Some(mark(item)) };
        let lens = self.graph.lens(Kind::Mail);
        let rendering = lens.dated(lens.write(None, &content, &identity).unwrap(), 1_772_438_400_000);
        Operation::Create { collection: collection.clone(), rendering, uid: uid(item), mark: mark(item) }
    }

    fn content(&self, text: &str, words: &[&str]) -> Content {
        let (blob, _) = self.blobs.put(&mut text.as_bytes()).unwrap();
        email::content(&headers::read(text.as_bytes()), blob.as_str(), words.iter().copied())
    }

    /// An update of the keywords of a copy.
    fn marking(&self, seen: &Seen, add: &[&str], remove: &[&str]) -> Operation {
        self.change(seen, |content| {
            let mut words = content.get("keywords").cloned().unwrap_or_else(|| json!({}));
            for word in add {
                words[*word] = json!(true);
            }
            words.as_object_mut().unwrap().retain(|word, _| !remove.contains(&word.as_str()));
            content.set("keywords", words);
        })
    }

    fn change(&self, seen: &Seen, change: impl FnOnce(&mut Content)) -> Operation {
        let lens = self.graph.lens(Kind::Mail);
        let mut content = lens.read(&seen.rendering).unwrap();
        change(&mut content);
        let identity = Identity { uid: uid("x"), mark: None };
        let to = lens.write(Some(&seen.rendering), &content, &identity).unwrap();
        Operation::Update { place: place(seen), etag: seen.etag.clone(), from: seen.rendering.clone(), to }
    }

    /// What the sandbox holds of a message.
    fn held(&self, id: &RemoteId) -> Value {
        let all = self.sandbox.graph_mail_messages();
        all.into_iter().find(|message| message["id"] == id.as_str()).unwrap()
    }

    fn fault_writes(&self, fault: Fault) {
        self.sandbox.fault(Rule::any(fault).on(Provider::Microsoft).writes().times(1));
    }
}

fn sheet(seen: &Seen) -> Sheet {
    Sheet::read(&seen.rendering).unwrap()
}

fn words(seen: &Seen) -> Vec<String> {
    sheet(seen).keywords.into_iter().collect()
}

fn mark(item: &str) -> Mark {
    Mark { hub: "hub".into(), item: item.into(), generation: 1 }
}

fn uid(item: &str) -> Uid {
    Uid(format!("uid-{item}"))
}

fn place(seen: &Seen) -> Place {
    Place { remote_id: seen.remote_id.clone(), collection: seen.collection.clone() }
}

fn letter(subject: &str) -> String {
    format!(
        "Message-ID: <{subject}@example.org>\r\nFrom: Bob <bob@example.org>\r\nTo: Ada <ada@example.org>\r\n\
         Subject: {subject}\r\nDate: Mon, 2 Mar 2026 09:00:00 +0100\r\n\r\nHello, {subject}.\r\n"
    )
}

/// A letter whose sender wants to know when it is read.
fn asking(subject: &str) -> String {
    format!("Disposition-Notification-To: bob@example.org\r\n{}", letter(subject))
}

mod folders {
    use super::*;

    #[tokio::test]
    async fn all_folders_come_in_one_request_by_their_paths_and_system_ones_by_what_they_are_for() {
        let world = World::empty();
        let deep = world.sandbox.graph_mail_folder_create("inbox", "Sub").unwrap();
        world.sandbox.graph_mail_folder_create(&deep, "R/D").unwrap();
        world.sandbox.graph_mail_folder_hide("", "Hidden").unwrap();
        world.sandbox.graph_mail_search_folder_create("", "Unread", "isRead eq false").unwrap();
        let before = world.requests();
        let all = world.collections().await;
        assert_eq!(world.requests() - before, 1);
        let names: Vec<&str> = all.iter().map(|collection| collection.name.as_str()).collect();
        assert!(names.contains(&"INBOX/Sub/R\\/D"), "{names:?}");
        assert!(names.iter().all(|name| !["Hidden", "Unread", "Postausgang", "Kalender"].contains(name)), "{names:?}");
        let roles: BTreeMap<Role, &str> =
            all.iter().filter_map(|collection| Some((collection.role?, collection.name.as_str()))).collect();
        let expected = BTreeMap::from([
            (Role::Inbox, "INBOX"),
            (Role::Sent, "Gesendete Elemente"),
            (Role::Drafts, "Entwürfe"),
            (Role::Trash, "Gelöschte Elemente"),
            (Role::Junk, "Junk-E-Mail"),
        ]);
        assert_eq!(roles, expected);
        world.sandbox.graph_mail_archive_create().unwrap();
        world.of_role(Role::Archive).await;
    }

    #[tokio::test]
    async fn folders_that_hold_no_mail_are_left_out_where_the_delta_tells_them_and_pages_are_short() {
        let switches = Switches {
            graph_folder_delta_tells_other_folders: true,
            page_size_cap: 3,
            empty_pages: true,
            ..Switches::default()
        };
        let world = World::with(switches);
        world.sandbox.graph_mail_folder_create("inbox", "Sub").unwrap();
        let names = world.names().await;
        assert!(names.contains(&"INBOX/Sub".to_owned()) && !names.contains(&"Kalender".to_owned()), "{names:?}");
        assert!(!names.contains(&"Kontakte".to_owned()), "{names:?}");
    }

    #[tokio::test]
    async fn a_folder_is_made_with_those_above_it_renamed_moved_and_removed_when_empty() {
        let world = World::empty();
        let like = |name: &str| Collection {
            name: name.into(),
            id: "".into(),
            kind: Kind::Mail,
            color: None,
            is_default: false,
            role: None,
            access: twofold_model::Access::ReadWrite,
        };
        let make = async |name: &str| world.graph.create_collection(Kind::Mail, &like(name)).await.unwrap();
        let made = make("Work/A\\/B").await;
        assert_eq!(made.name, "Work/A\\/B");
        assert_eq!(make("work/a\\/b").await.id, made.id, "names differ in more than case");
        assert_eq!(make("INBOX").await.role, Some(Role::Inbox));
        assert!(world.names().await.contains(&"Work".to_owned()));
        let rename = async |name: &str| world.graph.rename_collection(Kind::Mail, &made.id, Some(name), None).await;
        let renamed = rename("INBOX/C").await.unwrap();
        assert_eq!((renamed.id.clone(), renamed.name.as_str()), (made.id.clone(), "INBOX/C"));
        assert_eq!(rename("Work/C").await.unwrap().name, "Work/C");
        assert_eq!(rename("C").await.unwrap().name, "C");
        let inbox = world.of_role(Role::Inbox).await;
        let refused = world.graph.rename_collection(Kind::Mail, &inbox, Some("Mail"), None).await.unwrap_err();
        assert_eq!(refused.kind, ErrorKind::Unsupported);
        assert_eq!(world.graph.removal(Kind::Mail, &inbox).await.unwrap(), Removal::Never);
        assert!(!world.graph.remove_collection(Kind::Mail, &inbox).await.unwrap());
        let kept = world.deliver(made.id.as_str(), &letter("kept"));
        assert_eq!(world.graph.removal(Kind::Mail, &made.id).await.unwrap(), Removal::Whole);
        assert!(!world.graph.remove_collection(Kind::Mail, &made.id).await.unwrap());
        world.sandbox.graph_mail_move(kept.as_str(), "inbox").unwrap();
        assert!(world.graph.remove_collection(Kind::Mail, &made.id).await.unwrap());
        assert!(world.graph.remove_collection(Kind::Mail, &made.id).await.unwrap(), "it is gone already");
        assert!(world.collections().await.iter().all(|collection| collection.id != made.id));
        assert_eq!(world.held(&kept)["folder"], json!(["Posteingang"]));
    }
}

mod rounds {
    use super::*;

    #[tokio::test]
    async fn a_run_with_nothing_to_do_costs_one_request_for_the_folders_and_one_for_each_twenty_of_them() {
        let mut world = World::empty();
        for at in 0..30 {
            world.folder(&format!("F{at}"));
        }
        world.deliver("inbox", &letter("one"));
        world.only().await;
        let before = world.requests();
        assert!(world.pull().await.unwrap().is_empty());
        assert_eq!(world.requests() - before, 1 + 2);
    }

    #[tokio::test]
    async fn a_listing_shows_all_that_is_known_of_a_message_but_its_bytes() {
        let mut world = World::empty();
        let id = world.deliver("inbox", &letter("one"));
        let categories = json!(["Blaue Kategorie"]);
        world.edit(
            &id,
            json!({"isRead": true, "flag": {"flagStatus": "flagged"}, "importance": "high", "categories": categories,
            "singleValueExtendedProperties": [{"id": "Integer 0x1081", "value": "104"}]}),
        );
        let seen = world.only().await;
        assert_eq!(seen.remote_id, id);
        assert_eq!(seen.collection, world.of_role(Role::Inbox).await);
        assert_eq!(words(&seen), ["$flagged", "$forwarded", "$important", "$seen", "blaue_kategorie"]);
        assert_eq!(sheet(&seen).own["categories"], categories);
        assert!(sheet(&seen).received_ms.is_some() && sheet(&seen).draft.is_none());
        assert!(world.graph.lens(Kind::Mail).facts(&seen.rendering).lacks_body);
        assert_eq!(world.fetch(&seen).await.unwrap().unwrap(), seen, "a look shows what a list shows");
    }

    #[tokio::test]
    async fn a_row_that_tells_only_the_read_mark_takes_nothing_else_away() {
        let mut world = World::empty();
        let id = world.deliver("inbox", &letter("one"));
        world.edit(&id, json!({"categories": ["Work"]}));
        world.pull().await.unwrap();
        world.edit(&id, json!({"isRead": true}));
        assert_eq!(words(&world.only().await), ["$seen", "work"]);
    }

    #[tokio::test]
    async fn a_message_that_left_is_a_question_and_stands_where_it_went() {
        let mut world = World::empty();
        let work = world.folder("Work");
        let (moved, deleted, purged) = (
            world.deliver("inbox", &letter("1")),
            world.deliver("inbox", &letter("2")),
            world.deliver("inbox", &letter("3")),
        );
        let (before, _) = world.told().await;
        world.sandbox.graph_mail_move(moved.as_str(), work.as_str()).unwrap();
        world.sandbox.graph_mail_delete(deleted.as_str()).unwrap();
        world.sandbox.graph_mail_purge(purged.as_str()).unwrap();
        let (there, gone) = world.told().await;
        assert_eq!(gone, BTreeSet::from([moved.clone(), deleted.clone(), purged.clone()]));
        assert_eq!(there[&moved].collection, work);
        let trash = world.of_role(Role::Trash).await;
        assert_eq!(there[&deleted].collection, trash);
        for (id, stands) in [(&moved, Some(work)), (&deleted, Some(trash)), (&purged, None)] {
            let now = world.fetch(&before[id]).await.unwrap();
            assert_eq!(now.map(|seen| seen.collection), stands, "{id}");
        }
    }

    #[tokio::test]
    async fn a_message_that_left_and_came_back_is_told_as_gone_and_is_there() {
        let mut world = World::empty();
        let id = world.deliver("inbox", &letter("one"));
        let before = world.only().await;
        let work = world.folder("Work");
        world.sandbox.graph_mail_move(id.as_str(), work.as_str()).unwrap();
        world.sandbox.graph_mail_move(id.as_str(), "inbox").unwrap();
        let (there, gone) = world.told().await;
        assert_eq!((there.len(), gone), (0, BTreeSet::from([id])));
        assert_eq!(world.fetch(&before).await.unwrap().unwrap().collection, before.collection);
    }

    #[tokio::test]
    async fn in_rough_weather_a_round_still_says_where_everything_stands() {
        let mut world = World::with(Switches {
            list_lag_s: 0,
            graph_moved_reason: "changed".into(),
            page_size_cap: 2,
            ..Switches::hostile()
        });
        let ids: Vec<RemoteId> = (0..7).map(|at| world.deliver("inbox", &letter(&at.to_string()))).collect();
        let (there, _) = world.told().await;
        assert_eq!(there.keys().collect::<BTreeSet<_>>(), ids.iter().collect());
        world.edit(&ids[0], json!({"isRead": true}));
        world.edit(&ids[0], json!({"categories": ["Work"]}));
        world.sandbox.graph_mail_delete(ids[1].as_str()).unwrap();
        let (there, gone) = world.told().await;
        assert_eq!(words(&there[&ids[0]]), ["$seen", "work"]);
        assert!(gone.contains(&ids[1]));
        assert_eq!(there[&ids[1]].collection, world.of_role(Role::Trash).await);
    }

    #[tokio::test]
    async fn a_dead_token_asks_for_a_listing_in_every_shape_of_the_error() {
        for (status, code) in [(410, "resyncRequired"), (410, "syncStateNotFound"), (400, "ErrorInvalidSyncStateData")]
        {
            for lower in [true, false] {
                let mut world = World::with(Switches {
                    graph_expired_status: status,
                    graph_expired_code: code.into(),
                    graph_lower_inner_error: lower,
                    ..Switches::default()
                });
                world.deliver("inbox", &letter("one"));
                world.only().await;
                world.sandbox.graph_expire_delta_tokens();
                assert_eq!(world.pull().await.unwrap_err().kind, ErrorKind::TokenExpired, "{status} {code}");
                world.tokens.clear();
                world.only().await;
            }
        }
    }

    #[tokio::test]
    async fn a_throttled_page_is_throttled_and_the_other_folders_are_none_the_worse() {
        let mut world = World::empty();
        world.deliver("inbox", &letter("one"));
        world.pull().await.unwrap();
        let collections = world.collections().await;
        let rule = Rule::any(Fault::throttled("90000")).on(Provider::Microsoft).parts();
        world.sandbox.fault(rule.times(1));
        let feeds = world.graph.feeds(Kind::Mail, &collections);
        let known = Known::new();
        let polls: Vec<Poll<'_>> = feeds.iter().map(|feed| Poll { feed, since: Since::Start, known: &known }).collect();
        let pages = world.graph.changes(&polls).await;
        let failed: Vec<ErrorKind> = pages.iter().filter_map(|page| Some(page.as_ref().err()?.kind)).collect();
        assert!(failed.iter().all(|kind| matches!(kind, ErrorKind::Throttled { .. })), "{failed:?}");
        assert_eq!(failed.len(), 1, "of {} folders", pages.len());
    }
}

mod bodies {
    use super::*;

    #[tokio::test]
    async fn bytes_are_read_once_each_and_kept_as_they_came() {
        let mut world = World::with(Switches { graph_mime_rewritten: "never".into(), ..Switches::default() });
        for at in 0..6 {
            world.deliver("inbox", &letter(&at.to_string()));
        }
        let (there, _) = world.told().await;
        let places: Vec<Place> = there.values().map(place).collect();
        let before = world.requests();
        let whole = world.graph.bodies(Kind::Mail, &places).await;
        assert_eq!(world.requests() - before, 6, "what the round showed is not asked for once more");
        for (copy, listed) in whole.into_iter().zip(there.values()) {
            let copy = copy.unwrap().unwrap();
            let text = String::from_utf8(world.bytes(&copy)).unwrap();
            let sheet = sheet(&copy);
            assert_eq!(
                sheet.says["subject"],
                json!(text.split("Subject: ").nth(1).unwrap().split("\r\n").next().unwrap())
            );
            assert_eq!(text, letter(sheet.says["subject"].as_str().unwrap()));
            assert_eq!(sheet.size, Some(text.len() as u64));
            assert_eq!(Sheet { blob_id: None, size: None, says: Default::default(), ..sheet }, self::sheet(listed));
            // What a later list shows is filled in from this.
            let lens = world.graph.lens(Kind::Mail);
            let settled = lens.settle_unknown(&copy.rendering, listed.rendering.clone());
            assert_eq!(settled, copy.rendering);
        }
    }

    #[tokio::test]
    async fn what_no_round_showed_is_asked_for_and_what_is_gone_is_none() {
        let mut world = World::empty();
        let (kept, purged) = (world.deliver("inbox", &letter("1")), world.deliver("inbox", &letter("2")));
        let (there, _) = world.told().await;
        let first = world.body(&there[&kept]).await;
        let again = world.body(&there[&kept]).await;
        assert_eq!(sheet(&first).says, sheet(&again).says);
        assert_eq!(first.etag, again.etag);
        world.sandbox.graph_mail_purge(purged.as_str()).unwrap();
        let gone = world.graph.bodies(Kind::Mail, &[place(&there[&purged])]).await.pop().unwrap();
        assert_eq!(gone.unwrap(), None);
    }

    #[tokio::test]
    async fn bytes_that_do_not_come_are_an_error_of_that_message_alone() {
        let mut world = World::empty();
        let (one, two) = (world.deliver("inbox", &letter("1")), world.deliver("inbox", &letter("2")));
        let (there, _) = world.told().await;
        let corrupt = Fault::Status {
            status: 500,
            retry_after: None,
            executed: false,
            body: Some(json!({"error": {"code": "ErrorCorruptData", "message": "no"}})),
        };
        world.sandbox.fault(Rule::any(corrupt).on(Provider::Microsoft).path(&format!("/{}/$value", one.as_str())));
        let whole = world.graph.bodies(Kind::Mail, &[place(&there[&one]), place(&there[&two])]).await;
        assert_eq!(whole[0].as_ref().unwrap_err().kind, ErrorKind::Refused);
        assert_eq!(whole[1].as_ref().unwrap().as_ref().unwrap().remote_id, two);
    }

    #[tokio::test]
    async fn a_draft_that_somebody_writes_on_lacks_its_bytes_again() {
        let mut world = World::empty();
        let id = world.sandbox.graph_mail_draft(letter("draft").as_bytes());
        let listed = world.only().await;
        assert!(words(&listed).contains(&"$draft".to_owned()));
        let whole = world.body(&listed).await;
        world.sandbox.graph_mail_edit_draft(&id, letter("draft 2").as_bytes()).unwrap();
        let now = world.only().await.rendering;
        let lens = world.graph.lens(Kind::Mail);
        let settled = lens.settle_unknown(&whole.rendering, now);
        assert!(lens.facts(&settled).lacks_body);
    }
}

mod marks {
    use super::*;

    async fn delivered(world: &mut World, text: &str) -> Seen {
        world.deliver("inbox", text);
        let seen = world.only().await;
        world.body(&seen).await
    }

    #[tokio::test]
    async fn what_is_marked_is_answered_whole_and_comes_back_as_it_was_answered() {
        for answer in ["whole", "none"] {
            let mut world = World::with(Switches { graph_patch_answer: answer.into(), ..Switches::default() });
            let seen = delivered(&mut world, &letter("one")).await;
            let all = ["$seen", "$flagged", "$important", "$answered", "$forwarded", "work", "blaue_kategorie"];
            let marked = world.write(world.marking(&seen, &all, &[])).await.unwrap().unwrap();
            assert_eq!(sheet(&marked).keywords, all.map(str::to_owned).into());
            assert_eq!(sheet(&marked).blob_id, sheet(&seen).blob_id, "the bytes are kept");
            let echo = world.only().await;
            let lens = world.graph.lens(Kind::Mail);
            assert_eq!(lens.settle_unknown(&marked.rendering, echo.rendering.clone()), marked.rendering, "{answer}");
            assert_eq!(echo.etag, marked.etag);
            let unmarked = world.write(world.marking(&marked, &[], &all)).await.unwrap().unwrap();
            assert!(words(&unmarked).is_empty());
            let held = world.fetch(&unmarked).await.unwrap().unwrap();
            assert!(words(&held).is_empty());
        }
    }

    #[tokio::test]
    async fn somebody_s_change_meanwhile_is_not_overwritten_and_a_new_change_key_alone_stops_nothing() {
        let mut world = World::empty();
        let seen = delivered(&mut world, &letter("one")).await;
        world.sandbox.graph_mail_restamp(seen.remote_id.as_str()).unwrap();
        let marked = world.write(world.marking(&seen, &["$seen"], &[])).await.unwrap().unwrap();
        assert_eq!(words(&marked), ["$seen"]);
        world.edit(&marked.remote_id, json!({"categories": ["Theirs"]}));
        let stale = world.write(world.marking(&marked, &["ours"], &[])).await.unwrap_err();
        assert_eq!(stale.kind, ErrorKind::StaleEtag);
        assert_eq!(words(&world.fetch(&marked).await.unwrap().unwrap()), ["$seen", "theirs"]);
    }

    #[tokio::test]
    async fn where_the_guard_is_ignored_somebody_s_change_is_still_nobody_s_base() {
        let mut world = World::with(Switches { graph_ignores_if_match: true, ..Switches::default() });
        let seen = delivered(&mut world, &letter("one")).await;
        world.edit(&seen.remote_id, json!({"flag": {"flagStatus": "flagged"}}));
        let stale = world.write(world.marking(&seen, &["$seen"], &[])).await.unwrap_err();
        assert_eq!(stale.kind, ErrorKind::StaleEtag);
        assert_eq!(words(&world.fetch(&seen).await.unwrap().unwrap()), ["$flagged", "$seen"]);
    }

    #[tokio::test]
    async fn a_follow_up_that_was_completed_is_not_undone_by_a_read_mark() {
        let mut world = World::empty();
        let id = world.deliver("inbox", &letter("one"));
        world.edit(&id, json!({"flag": {"flagStatus": "complete"}}));
        let seen = world.only().await;
        let marked = world.write(world.marking(&seen, &["$seen"], &[])).await.unwrap().unwrap();
        assert_eq!(words(&marked), ["$seen"]);
        assert_eq!(sheet(&marked).own["flagStatus"], "complete");
    }

    #[tokio::test]
    async fn no_way_of_marking_or_deleting_sends_a_receipt() {
        for answer in ["whole", "none"] {
            let mut world = World::with(Switches { graph_patch_answer: answer.into(), ..Switches::default() });
            let (read, deleted) = (world.deliver("inbox", &asking("1")), world.deliver("inbox", &asking("2")));
            let (there, _) = world.told().await;
            assert!(sheet(&there[&read]).own.contains_key("asksReceipt"));
            let marked = world.write(world.marking(&there[&read], &["$seen", "$flagged"], &[])).await.unwrap().unwrap();
            assert_eq!(words(&marked), ["$flagged", "$seen"]);
            let gone = &there[&deleted];
            let delete = Operation::Delete { place: place(gone), etag: gone.etag.clone() };
            assert_eq!(world.write(delete).await.unwrap(), None);
            let binned = world.fetch(gone).await.unwrap().unwrap();
            assert_eq!(binned.collection, world.of_role(Role::Trash).await);
            assert!(!sheet(&binned).own.contains_key("asksReceipt"), "deleting it sends none, either");
            world.write(world.marking(&binned, &["$seen"], &[])).await.unwrap();
            assert_eq!(world.sandbox.graph_read_receipts(), Vec::<String>::new());
        }
    }

    #[tokio::test]
    async fn what_is_gone_is_not_found_and_what_is_throttled_is_neither_absent_nor_done() {
        let mut world = World::empty();
        let (one, two) = (world.deliver("inbox", &letter("1")), world.deliver("inbox", &letter("2")));
        let (there, _) = world.told().await;
        world.sandbox.graph_mail_purge(one.as_str()).unwrap();
        let failed = world.write(world.marking(&there[&one], &["$seen"], &[])).await.unwrap_err();
        assert_eq!(failed.kind, ErrorKind::NotFound);
        let rule = Rule::any(Fault::throttled("90000")).on(Provider::Microsoft).writes().parts();
        world.sandbox.fault(rule.times(1));
        let operations =
            [world.marking(&there[&two], &["$seen"], &[]), world.marking(&there[&two], &["$flagged"], &[])];
        let failed = world.graph.write(Kind::Mail, &operations[..1]).await.pop().unwrap().unwrap_err();
        assert!(matches!(failed.kind, ErrorKind::Throttled { .. }), "{failed}");
        assert_eq!(world.held(&two)["isRead"], false);
    }

    #[tokio::test]
    async fn a_lost_reply_is_unknown_and_the_mark_is_there() {
        let mut world = World::empty();
        let seen = delivered(&mut world, &letter("one")).await;
        let marking = world.marking(&seen, &["$seen"], &[]);
        world.sandbox.fault(Rule::any(Fault::DropAfter).on(Provider::Microsoft).writes().parts().times(1));
        assert_eq!(world.write(marking).await.unwrap_err().kind, ErrorKind::Unknown);
        assert_eq!(words(&world.fetch(&seen).await.unwrap().unwrap()), ["$seen"]);
    }
}

#[tokio::test]
async fn in_rough_weather_everything_is_written_once() {
    let mut world = World::with(Switches { list_lag_s: 0, graph_reads_lag_s: 0, ..Switches::hostile() });
    let work = world.folder("Work");
    for at in 0..12 {
        world.deliver("inbox", &if at % 3 == 0 { asking(&at.to_string()) } else { letter(&at.to_string()) });
    }
    let (there, _) = world.told().await;
    let seen: Vec<&Seen> = there.values().collect();
    let mut operations: Vec<Operation> = Vec::new();
    for (at, seen) in seen.iter().enumerate() {
        operations.push(match at % 4 {
            0 => Operation::Delete { place: place(seen), etag: seen.etag.clone() },
            1 => Operation::Move { place: place(seen), etag: seen.etag.clone(), to: work.clone() },
            _ => world.marking(seen, &["$seen", "$answered", "mine"], &[]),
        });
    }
    operations.push(world.creation("made", &work, &letter("made"), &["$flagged"]));
    let written = world.graph.write(Kind::Mail, &operations).await;
    let trash = world.of_role(Role::Trash).await;
    for (at, (written, seen)) in written.iter().zip(&seen).enumerate() {
        let written = written.as_ref().unwrap_or_else(|error| panic!("{at}: {error}"));
        let now = world.fetch(seen).await.unwrap().unwrap();
        match at % 4 {
            0 => assert_eq!(now.collection, trash),
            1 => assert_eq!(now.collection, work),
            _ => assert_eq!(words(&now), ["$answered", "$seen", "mine"]),
        }
        if let Some(written) = written {
            assert_eq!(words(written), words(&now), "{at}");
        }
    }
    let made = written[12].as_ref().unwrap().as_ref().unwrap();
    assert_eq!(words(&world.fetch(made).await.unwrap().unwrap()), ["$flagged"]);
    assert_eq!(world.sandbox.graph_mail_messages().len(), 13);
    assert_eq!(world.sandbox.graph_read_receipts(), Vec::<String>::new());
}

mod carrying {
    use super::*;

    fn moved(seen: &Seen, to: &CollectionId) -> Operation {
        Operation::Move { place: place(seen), etag: seen.etag.clone(), to: to.clone() }
    }

    fn deleted(seen: &Seen) -> Operation {
        Operation::Delete { place: place(seen), etag: seen.etag.clone() }
    }

    #[tokio::test]
    async fn a_move_keeps_the_id_and_what_was_said_and_echoes_as_it_was_answered() {
        let mut world = World::empty();
        let id = world.deliver("inbox", &letter("one"));
        world.edit(&id, json!({"singleValueExtendedProperties": [{"id": "Integer 0x1081", "value": "102"}]}));
        let seen = world.only().await;
        let work = world.folder("Work");
        let there = world.write(moved(&seen, &work)).await.unwrap().unwrap();
        assert_eq!((&there.remote_id, &there.collection), (&id, &work));
        assert_eq!(words(&there), ["$answered"]);
        let (echo, gone) = world.told().await;
        assert_eq!(gone, BTreeSet::from([id.clone()]));
        assert_eq!((&echo[&id].rendering, &echo[&id].etag), (&there.rendering, &there.etag));
        // Once more, as after a lost reply: it stands there already.
        assert_eq!(world.write(moved(&seen, &work)).await.unwrap().unwrap().collection, work);
        assert_eq!(world.sandbox.graph_mail_messages().len(), 1);
    }

    #[tokio::test]
    async fn what_changed_or_stands_elsewhere_is_not_moved() {
        let mut world = World::empty();
        let (edited, elsewhere, purged) = (
            world.deliver("inbox", &letter("1")),
            world.deliver("inbox", &letter("2")),
            world.deliver("inbox", &letter("3")),
        );
        let (there, _) = world.told().await;
        let (work, other) = (world.folder("Work"), world.folder("Other"));
        world.edit(&edited, json!({"isRead": true}));
        world.sandbox.graph_mail_move(elsewhere.as_str(), other.as_str()).unwrap();
        world.sandbox.graph_mail_purge(purged.as_str()).unwrap();
        let ids = [(&edited, ErrorKind::StaleEtag), (&elsewhere, ErrorKind::NotFound), (&purged, ErrorKind::NotFound)];
        for (id, kind) in ids {
            assert_eq!(world.write(moved(&there[id], &work)).await.unwrap_err().kind, kind, "{id}");
        }
        // A delete speaks of the folder: what stands elsewhere, or nowhere, is gone from it as asked.
        assert_eq!(world.write(deleted(&there[&edited])).await.unwrap_err().kind, ErrorKind::StaleEtag);
        for id in [&elsewhere, &purged] {
            assert_eq!(world.write(deleted(&there[id])).await.unwrap(), None, "{id}");
        }
        assert_eq!(world.held(&elsewhere)["folder"], json!(["Other"]));
    }

    #[tokio::test]
    async fn a_copy_is_a_message_of_its_own() {
        let mut world = World::empty();
        let id = world.deliver("inbox", &letter("one"));
        let seen = world.only().await;
        let work = world.folder("Work");
        let copy = Operation::Copy { of: place(&seen), collection: work.clone() };
        let copied = world.write(copy).await.unwrap().unwrap();
        assert_eq!(copied.collection, work);
        assert_ne!((&copied.remote_id, &copied.uid), (&id, &seen.uid));
        assert_eq!(world.only().await.remote_id, copied.remote_id);
    }

    #[tokio::test]
    async fn a_delete_goes_to_deleted_items_and_no_further() {
        let mut world = World::empty();
        let id = world.deliver("inbox", &letter("one"));
        let seen = world.only().await;
        assert_eq!(world.write(deleted(&seen)).await.unwrap(), None);
        let (there, gone) = world.told().await;
        assert_eq!(gone, BTreeSet::from([id.clone()]));
        let refused = world.write(deleted(&there[&id])).await.unwrap_err();
        assert_eq!(refused.kind, ErrorKind::Refused);
        assert!(refused.message.contains("Deleted Items"), "{refused}");
        assert_eq!(world.held(&id)["folder"], json!(["Gelöschte Elemente"]));
        assert_eq!(world.write(deleted(&seen)).await.unwrap(), None, "it is gone from the inbox already");
    }

    #[tokio::test]
    async fn many_are_moved_in_one_batch_and_each_is_answered_in_its_turn() {
        let mut world = World::empty();
        for at in 0..5 {
            world.deliver("inbox", &letter(&at.to_string()));
        }
        let (there, _) = world.told().await;
        let work = world.folder("Work");
        world.collections().await;
        let operations: Vec<Operation> = there.values().map(|seen| moved(seen, &work)).collect();
        let before = world.requests();
        let written = world.graph.write(Kind::Mail, &operations).await;
        assert_eq!(world.requests() - before, 2, "one to look, one to move");
        for (written, seen) in written.into_iter().zip(there.values()) {
            assert_eq!(written.unwrap().unwrap().remote_id, seen.remote_id);
        }
    }
}

mod making {
    use super::*;

    async fn find(world: &World, item: &str, collection: &CollectionId, later_ms: i64) -> Found {
        let lookup = Lookup { mark: mark(item), uid: uid(item), collection: collection.clone(), sent_ms: 0 };
        world.graph.find(Kind::Mail, &[lookup], later_ms).await.pop().unwrap().unwrap()
    }

    #[tokio::test]
    async fn a_message_is_made_as_received_in_one_request_with_its_date_and_keeps_its_bytes_here() {
        let mut world = World::empty();
        let work = world.folder("Work");
        world.pull().await.unwrap();
        let operation = world.creation("one", &work, &letter("one"), &["$seen", "$flagged", "blaue_kategorie"]);
        let before = world.requests();
        let made = world.write(operation).await.unwrap().unwrap();
        assert_eq!(world.requests() - before, 1);
        assert_eq!((&made.collection, &made.mark), (&work, &Some(mark("one"))));
        let sheet = sheet(&made);
        assert_eq!(words(&made), ["$flagged", "$seen", "blaue_kategorie"]);
        assert_eq!(sheet.received_ms, Some(1_772_438_400_000));
        assert_eq!(String::from_utf8(world.bytes(&made)).unwrap(), letter("one"));
        let held = world.held(&made.remote_id);
        assert_eq!((&held["isDraft"], &held["subject"]), (&json!(false), &json!("one")), "{held}");
        let echo = world.only().await;
        assert_eq!(echo.mark, Some(mark("one")));
        let lens = world.graph.lens(Kind::Mail);
        assert_eq!(lens.settle_unknown(&made.rendering, echo.rendering.clone()), made.rendering);
        assert!(world.sandbox.graph_mails().is_empty(), "nobody hears of it");
    }

    #[tokio::test]
    async fn where_only_drafts_can_be_made_what_became_one_is_taken_back_and_says_so() {
        let world = World::with(Switches { graph_obeys_message_flags: false, ..Switches::default() });
        let work = world.folder("Work");
        let failed = world.write(world.creation("one", &work, &letter("one"), &["$seen"])).await.unwrap_err();
        assert_eq!(failed.kind, ErrorKind::Unsupported, "{failed}");
        let all = world.sandbox.graph_mail_messages();
        assert_eq!((all.len(), &all[0]["folder"]), (1, &json!(["Gelöschte Elemente"])));
        assert!(matches!(find(&world, "one", &work, 100_000).await, Found::Nowhere));
    }

    #[tokio::test]
    async fn a_create_whose_reply_is_lost_is_found_by_its_mark_wherever_it_is() {
        let world = World::empty();
        let (work, other) = (world.folder("Work"), world.folder("Other"));
        let operation = world.creation("one", &work, &letter("one"), &[]);
        world.fault_writes(Fault::DropAfter);
        assert_eq!(world.write(operation).await.unwrap_err().kind, ErrorKind::Unknown);
        let Found::Here(found) = find(&world, "one", &work, 0).await else { panic!("it is there") };
        assert_eq!((&found.collection, &found.mark), (&work, &Some(mark("one"))));
        world.sandbox.graph_mail_move(found.remote_id.as_str(), other.as_str()).unwrap();
        let Found::Here(moved) = find(&world, "one", &work, 100_000).await else { panic!("it is there") };
        assert_eq!(moved.collection, other);
        assert!(matches!(find(&world, "two", &work, 0).await, Found::NotBefore(_)));
        assert!(matches!(find(&world, "two", &work, 100_000).await, Found::Nowhere));
        world.sandbox.graph_mail_folder_delete(work.as_str()).unwrap();
        world.sandbox.graph_mail_folder_delete(work.as_str()).unwrap();
        assert!(matches!(find(&world, "one", &work, 100_000).await, Found::Here(_)), "the folder is gone");
    }

    #[tokio::test]
    async fn a_message_that_asks_for_a_receipt_is_made_read_and_nobody_gets_one() {
        let world = World::empty();
        let inbox = world.of_role(Role::Inbox).await;
        let operation = world.creation("one", &inbox, &asking("one"), &["$seen"]);
        assert_eq!(words(&world.write(operation).await.unwrap().unwrap()), ["$seen"]);
        assert_eq!(world.sandbox.graph_read_receipts(), Vec::<String>::new());
    }

    #[tokio::test]
    async fn a_draft_is_made_as_a_draft_and_written_on_in_place_while_only_its_text_changes() {
        let mut world = World::empty();
        let drafts = world.of_role(Role::Drafts).await;
        world.pull().await.unwrap();
        let made =
            world.write(world.creation("one", &drafts, &letter("one"), &["$draft", "$seen"])).await.unwrap().unwrap();
        assert_eq!(words(&made), ["$draft", "$seen"]);
        let text = letter("one").replace("Hello", "Good morning");
        let content = world.content(&text, &["$draft", "$seen", "$flagged"]);
        let operation = world.change(&made, |now| *now = content);
        let written = world.write(operation).await.unwrap().unwrap();
        assert_eq!(written.remote_id, made.remote_id);
        assert_eq!(words(&written), ["$draft", "$flagged", "$seen"]);
        assert_eq!(String::from_utf8(world.bytes(&written)).unwrap(), text);
        let raw = String::from_utf8(world.sandbox.graph_mail_raw(made.remote_id.as_str()).unwrap().to_vec()).unwrap();
        assert!(raw.contains(&STANDARD.encode("Good morning, one.\r\n")), "{raw}");
        let echo = world.only().await;
        let lens = world.graph.lens(Kind::Mail);
        assert_eq!(
            lens.settle_unknown(&written.rendering, echo.rendering.clone()),
            written.rendering,
            "no other state of it"
        );
    }

    fn with_file(subject: &str) -> String {
        let letter = letter(subject);
        let (head, text) = letter.split_once("\r\n\r\n").unwrap();
        format!(
            "{head}\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n{text}\r\n--b\r\n\
             Content-Type: application/pdf; name=a.pdf\r\nContent-Disposition: attachment\r\n\r\n%PDF\r\n--b--\r\n"
        )
    }

    #[tokio::test]
    async fn a_draft_with_another_file_takes_the_place_of_the_old_one_once() {
        let mut world = World::empty();
        let drafts = world.of_role(Role::Drafts).await;
        let made = world.write(world.creation("one", &drafts, &letter("one"), &["$draft"])).await.unwrap().unwrap();
        world.pull().await.unwrap();
        let content = world.content(&with_file("one"), &["$draft"]);
        let operation = world.change(&made, |now| *now = content);
        // The reply to the new draft is lost: it is there, and found by the repeat.
        world.fault_writes(Fault::DropAfter);
        assert_eq!(world.write(operation.clone()).await.unwrap_err().kind, ErrorKind::Unknown);
        let written = world.write(operation).await.unwrap().unwrap();
        assert_ne!(written.remote_id, made.remote_id);
        assert_eq!(String::from_utf8(world.bytes(&written)).unwrap(), with_file("one"));
        let stands: Vec<(Value, bool)> = world
            .sandbox
            .graph_mail_messages()
            .into_iter()
            .map(|message| (message["folder"].clone(), message["id"] == written.remote_id.as_str()))
            .collect();
        assert_eq!(stands.len(), 2, "{stands:?}");
        assert!(
            stands.contains(&(json!(["Entwürfe"]), true)) && stands.contains(&(json!(["Gelöschte Elemente"]), false))
        );
    }

    #[tokio::test]
    async fn a_draft_that_somebody_wrote_on_is_not_overwritten() {
        let mut world = World::empty();
        let drafts = world.of_role(Role::Drafts).await;
        let made = world.write(world.creation("one", &drafts, &letter("one"), &["$draft"])).await.unwrap().unwrap();
        world.pull().await.unwrap();
        world.edit(&made.remote_id, json!({"subject": "theirs"}));
        for text in [letter("ours"), with_file("ours")] {
            let content = world.content(&text, &["$draft"]);
            let failed = world.write(world.change(&made, |now| *now = content)).await.unwrap_err();
            assert_eq!(failed.kind, ErrorKind::StaleEtag);
        }
        assert_eq!(world.held(&made.remote_id)["subject"], "theirs");
        assert_eq!(world.sandbox.graph_mail_messages().len(), 1);
    }

    #[tokio::test]
    async fn received_mail_has_the_bytes_that_it_has_and_what_is_too_large_is_not_made() {
        let mut world = World::empty();
        world.deliver("inbox", &letter("one"));
        let listed = world.only().await;
        let seen = world.body(&listed).await;
        let content = world.content(&letter("two"), &[]);
        let failed = world.write(world.change(&seen, |now| *now = content)).await.unwrap_err();
        assert_eq!(failed.kind, ErrorKind::Unsupported);
        let large = format!("{}{}", letter("large"), "x".repeat(4_000_000));
        let operation = world.creation("large", &seen.collection, &large, &[]);
        assert_eq!(world.write(operation).await.unwrap_err().kind, ErrorKind::Unsupported);
    }
}

#[tokio::test]
async fn without_a_place_for_bytes_there_is_no_mail() {
    let world = World::empty();
    let base = Url::parse(&world.sandbox.urls().microsoft_graph).unwrap();
    let graph = Microsoft365::new(Options {
        graph: Client::new(ClientOptions::new(base, Arc::new(GraphDialect))).unwrap(),
        hub_id: "hub".into(),
        zones: Arc::new(SystemZones::in_folder(None)),
        home_zone: None,
        blobs: None,
    });
    assert_eq!(graph.collections(Kind::Mail).await.unwrap_err().kind, ErrorKind::Unsupported);
    assert!(graph.abilities().moves.is_empty() && !graph.abilities().makes_collections.contains(&Kind::Mail));
}
