//! Mail. Its messages are made of stand-ins, so that a recording keeps their bytes as they are.

use crate::connected;
use crate::deck::{self, NOW_MS, Stage, ask, play, post};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use twofold_http::{Client, Effect, Part, Response};
use twofold_microsoft365::mail::api;
use twofold_microsoft365::mail::files::{Content, File, RANGE, SESSION_FROM};
use twofold_microsoft365::mail::wire::{MARK, PROPERTIES};
use twofold_microsoft365::{Microsoft365, Options};
use twofold_model::blob::MemoryBlobs;
use twofold_model::email::{Role, Sheet, headers};
use twofold_model::{
    Blobs, CollectionId, Connector, DeltaToken, Entry, ErrorKind, Feed, FeedId, Found, Kind, Known, Lookup, Mark, Next,
    Operation, Page, Place, Poll, RemoteId, Rendering, Result, Seen, Since, Uid, Written,
};
use twofold_sandbox::{Provider, Sandbox};

const PLACE: &str = "microsoft365/mail";
const KIND: Kind = Kind::Mail;

/// Every function of `api.rs` that builds a request (or a part of one), and how its request is told.
const OPERATIONS: [(&str, &str, &str); 32] = [
    ("folders_below", "GET", "/me/mailFolders/deleteditems/childFolders?%24top"),
    ("folder_tree", "GET", "/me/mailFolders/delta?%24select"),
    ("top_folders", "GET", "/me/mailFolders?%24top"),
    ("folder_page", "GET", "/me/mailFolders/delta?%24skiptoken"),
    ("known_folder", "GET", "/me/mailFolders/inbox?%24select"),
    ("folder_by_id", "GET", "/me/mailFolders/*?%24select=id"),
    ("create_folder", "POST", "/me/mailFolders"),
    ("create_folder", "POST", "/me/mailFolders/*/childFolders"),
    ("rename_folder", "PATCH", "/me/mailFolders/*"),
    ("move_folder", "POST", "/me/mailFolders/*/move"),
    ("delete_folder", "DELETE", "/me/mailFolders/*"),
    ("any_message", "GET", "/me/mailFolders/*/messages?%24top=1"),
    ("any_folder", "GET", "/me/mailFolders/*/childFolders?includeHiddenFolders=true"),
    ("first_round", "GET", "/me/mailFolders/*/messages/delta?%24select"),
    ("page", "GET", "/me/*/messages/delta?%24skiptoken"),
    ("page", "GET", "/me/*/messages/delta?%24deltatoken"),
    ("message", "GET", "/me/messages/*?%24select"),
    ("value", "GET", "/me/messages/*/$value"),
    ("marked", "GET", "/me/mailFolders/*/messages?%24filter=singleValueExtendedProperties"),
    ("marked", "GET", "/me/messages?%24filter=singleValueExtendedProperties*twofold-mark"),
    ("instead", "GET", "/me/messages?%24filter=singleValueExtendedProperties*twofold-instead"),
    ("update", "PATCH", "/me/messages/*"),
    ("carry", "POST", "/me/messages/*/move"),
    ("carry", "POST", "/me/messages/*/copy"),
    ("create", "POST", "/me/mailFolders/*/messages"),
    ("attachments", "GET", "/me/messages/*/attachments?%24select"),
    ("attached_bytes", "GET", "/me/messages/*/attachments/*/$value"),
    ("detach", "DELETE", "/me/messages/*/attachments/*"),
    ("attach", "POST", "/me/messages/*/attachments"),
    ("begin_upload", "POST", "/me/messages/*/attachments/createUploadSession"),
    ("range", "PUT", "/microsoft-upload/*?authtoken"),
    ("session_state", "GET", "/microsoft-upload/*?authtoken"),
];

#[test]
fn every_operation_has_a_cassette_and_every_cassette_is_played() {
    let api = include_str!("../../src/mail/api.rs");
    deck::assert_every_operation_is_recorded(PLACE, api, &OPERATIONS);
    deck::assert_all_are_played(PLACE, include_str!("mail.rs"));
    let sources = [
        api.split("#[cfg(test)]").next().unwrap(),
        include_str!("../../src/mail/attach.rs"),
        include_str!("../../src/mail/carry.rs"),
        include_str!("../../src/mail/collections.rs"),
        include_str!("../../src/mail/make.rs"),
        include_str!("../../src/mail/marks.rs"),
        include_str!("../../src/mail/mod.rs"),
        include_str!("../../src/mail/rounds.rs"),
    ];
    let calls = [
        ".all(\"",
        "let what = \"",
        "Request::get(\"",
        "get_bytes(\"",
        "Request::delete(\"",
        "post_json(\"",
        "patch_json(\"",
        "put_bytes(\"",
    ];
    let told = |source: &'static str| {
        let of = move |call: &'static str| source.split(call).skip(1).filter_map(|rest| rest.split('"').next());
        calls.into_iter().flat_map(of)
    };
    let names: BTreeSet<&str> = sources.into_iter().flat_map(told).collect();
    assert!(names.len() >= 18, "{names:?}");
    deck::assert_every_name_is_recorded(PLACE, &names.into_iter().collect::<Vec<_>>());
}

// The sides

fn client(stage: &Stage) -> Client {
    connected::client(stage.transport.clone(), stage.clock())
}

/// The connector and where it keeps bytes.
fn graph(stage: &Stage) -> (Microsoft365, Arc<MemoryBlobs>) {
    let blobs = Arc::new(MemoryBlobs::default());
    let graph = Microsoft365::new(Options {
        graph: client(stage),
        hub_id: "hub-00000001".into(),
        zones: connected::zones(),
        home_zone: None,
        blobs: Some(blobs.clone()),
    });
    (graph, blobs)
}

/// The answers to parts of one batch.
async fn batch(stage: &Stage, what: &'static str, parts: &[Part]) -> Vec<Result<Response>> {
    client(stage).send_batch(what, "/v1.0/$batch", Effect::Read, parts).await
}

/// A message. Its text ends without a line's end, as Graph takes it in a field.
fn message(number: u8) -> String {
    format!(
        "From: person1@example.org\r\nTo: person2@example.org\r\nSubject: Word 10{number}\r\n\
         Date: Thu, 4 Dec 2025 10:15:00 +0100\r\nMessage-ID: <person10{number}@example.org>\r\n\r\nWord 10{number}"
    )
}

fn deliver(sandbox: &Sandbox, number: u8) -> String {
    sandbox.graph_mail_deliver(inbox(sandbox).as_str().unwrap(), message(number).as_bytes()).unwrap()
}

fn inbox(sandbox: &Sandbox) -> Value {
    ask(sandbox, Provider::Microsoft, "/microsoft/v1.0/me/mailFolders/inbox")["id"].clone()
}

fn folder(sandbox: &Sandbox, number: u8) -> String {
    sandbox.graph_mail_folder_create("", &format!("Word 10{number}")).unwrap()
}

fn id<'a>(stage: &'a Stage, name: &str) -> &'a str {
    stage.arguments[name]["id"].as_str().unwrap()
}

/// A place in the inbox.
fn place(stage: &Stage, name: &str) -> Place {
    Place { remote_id: RemoteId::from(id(stage, name)), collection: id(stage, "inbox").into() }
}

fn of(seen: &Seen) -> Place {
    Place { remote_id: seen.remote_id.clone(), collection: seen.collection.clone() }
}

fn sheet(seen: &Seen) -> Sheet {
    Sheet::read(&seen.rendering).unwrap()
}

fn set(words: &[&str]) -> BTreeSet<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn mark() -> Mark {
    Mark { hub: "hub-00000001".into(), item: "item-00000001".into(), generation: 1 }
}

async fn fetch(graph: &Microsoft365, place: Place) -> Seen {
    graph.fetch(KIND, &[place]).await.remove(0).unwrap().unwrap()
}

async fn write(graph: &Microsoft365, operation: Operation) -> Result<Written> {
    graph.write(KIND, &[operation]).await.remove(0)
}

fn rendering(blobs: &MemoryBlobs, bytes: &[u8], words: &[&str]) -> Rendering {
    let (blob, _) = blobs.put(&mut &bytes[..]).unwrap();
    let mut sheet = Sheet { keywords: set(words), received_ms: Some(1_764_839_700_000), ..Sheet::default() };
    sheet.set_bytes(&blob, bytes.len() as u64, &headers::read(bytes));
    sheet.write().unwrap()
}

fn create(stage: &Stage, blobs: &MemoryBlobs, bytes: &[u8], words: &[&str]) -> Operation {
    let (collection, rendering) = (id(stage, "inbox").into(), rendering(blobs, bytes, words));
    Operation::Create { collection, rendering, uid: Uid("item-00000001".into()), mark: mark() }
}

/// Another set of keywords for a copy.
fn marking(seen: &Seen, words: &[&str]) -> Operation {
    let mut to = sheet(seen);
    to.keywords = set(words);
    let (etag, from) = (seen.etag.clone(), seen.rendering.clone());
    Operation::Update { place: of(seen), etag, from, to: to.write().unwrap() }
}

// Folders

#[tokio::test]
async fn all_folders_come_in_one_batch() {
    play(
        PLACE,
        "folders",
        "The tree, its top and the folders that everybody has are asked for in one batch; the top says what is shown.",
        |sandbox| json!({"inbox": {"id": inbox(sandbox)}, "own": {"id": folder(sandbox, 1)}}),
        async |stage| {
            let all = graph(stage).0.collections(KIND).await.unwrap();
            let of = |name: &str| all.iter().find(|one| one.id.as_str() == id(stage, name)).unwrap();
            assert!(of("inbox").is_default && of("inbox").role == Some(Role::Inbox) && of("inbox").name == "INBOX");
            assert_eq!((of("own").name.as_str(), of("own").role), ("Word 101", None));
        },
    )
    .await;
    play(
        PLACE,
        "folder_page",
        "The tree comes in pages, each with the link to the next one.",
        |sandbox| {
            sandbox.switch(|switches| switches.page_size_cap = 6);
            json!({"own": {"id": folder(sandbox, 1)}})
        },
        async |stage| {
            let what = "list mail folders";
            let client = client(stage);
            let (mut part, mut pages, mut all) = (api::folder_tree("1"), 0, Vec::new());
            loop {
                let answer = batch(stage, what, &[part]).await.remove(0).unwrap();
                let (folders, next) = api::read_folders(&answer).unwrap();
                pages += 1;
                all.extend(folders.into_iter().map(|folder| folder.id));
                let Some(next) = next else { break };
                let path = client.relative(&next).unwrap();
                part = api::folder_page("1", path.strip_prefix("/v1.0").unwrap());
            }
            assert!(pages > 1 && all.iter().any(|one| one == id(stage, "own")), "{pages} pages");
        },
    )
    .await;
}

#[tokio::test]
async fn folders_are_made_renamed_moved_and_deleted() {
    play(
        PLACE,
        "create_folder",
        "A folder is made at the top or below another one.",
        |_| json!({}),
        async |stage| {
            let client = client(stage);
            let top = api::read_folder(&client.send(api::create_folder(None, "Word 101")).await.unwrap()).unwrap();
            let below = client.send(api::create_folder(Some(&top.id), "Word 102")).await.unwrap();
            let below = api::read_folder(&below).unwrap();
            assert_eq!((top.name.as_str(), below.name.as_str(), &below.parent), ("Word 101", "Word 102", &top.id));
        },
    )
    .await;
    play(
        PLACE,
        "create_folder_409_exists",
        "A second folder of one name beside the first is refused.",
        |sandbox| json!({"own": {"id": folder(sandbox, 1)}}),
        async |stage| {
            let answer = client(stage).send(api::create_folder(None, "Word 101")).await;
            assert_eq!(answer.unwrap_err().kind, ErrorKind::Refused);
        },
    )
    .await;
    play(
        PLACE,
        "rename_and_move_folder",
        "A folder keeps its id when it is renamed, and when it is moved below another one.",
        |sandbox| json!({"own": {"id": folder(sandbox, 1)}, "above": {"id": folder(sandbox, 2)}}),
        async |stage| {
            let client = client(stage);
            let (own, above) = (id(stage, "own"), id(stage, "above"));
            let renamed = client.send(api::rename_folder(own, "Word 103")).await.unwrap();
            let moved = client.send(api::move_folder(own, above)).await.unwrap();
            let (renamed, moved) = (api::read_folder(&renamed).unwrap(), api::read_folder(&moved).unwrap());
            assert_eq!((renamed.id.as_str(), renamed.name.as_str()), (own, "Word 103"));
            assert_eq!((moved.id.as_str(), moved.parent.as_str()), (own, above));
        },
    )
    .await;
    play(
        PLACE,
        "delete_folder",
        "A folder is looked into, for messages and folders, and goes to Deleted Items.",
        |sandbox| json!({"own": {"id": folder(sandbox, 1)}}),
        async |stage| {
            let own = id(stage, "own");
            let asks = [api::any_message("0", own), api::any_folder("1", own)];
            for answer in batch(stage, "look into a mail folder", &asks).await {
                assert_eq!(api::read_any(&answer.unwrap()).unwrap(), (false, None));
            }
            client(stage).send(api::delete_folder(own)).await.unwrap();
        },
    )
    .await;
}

// Rounds

async fn page(graph: &Microsoft365, stage: &Stage, since: Since) -> Result<Page> {
    let inbox = id(stage, "inbox");
    let feed = Feed { id: FeedId::from(inbox), kind: KIND, collections: vec![CollectionId::from(inbox)] };
    graph.changes(&[Poll { feed: &feed, since, known: &Known::new() }]).await.remove(0)
}

/// Where the next round of the inbox begins.
fn delta_link(sandbox: &Sandbox) -> Value {
    let select = "id,changeKey,parentFolderId,receivedDateTime,isRead,isDraft,importance,flag,categories";
    let inbox = inbox(sandbox).as_str().unwrap().replace('=', "%3D");
    let target = format!("/microsoft/v1.0/me/mailFolders/{inbox}/messages/delta?$select={select}");
    ask(sandbox, Provider::Microsoft, &target)["@odata.deltaLink"].clone()
}

#[tokio::test]
async fn a_folder_is_listed_in_pages_and_its_delta_tells_what_changed() {
    play(
        PLACE,
        "first_round",
        "A round from its beginning shows all that is in a folder, in pages; the last one has the link for the next round.",
        |sandbox| {
            sandbox.switch(|switches| switches.page_size_cap = 1);
            json!({"inbox": {"id": inbox(sandbox)}, "first": {"id": deliver(sandbox, 1)}, "last": {"id": deliver(sandbox, 2)}})
        },
        async |stage| {
            let (graph, _) = graph(stage);
            let (mut since, mut pages, mut seen) = (Since::Start, 0, BTreeSet::new());
            loop {
                let Page { entries, next } = page(&graph, stage, since).await.unwrap();
                pages += 1;
                for entry in entries {
                    let Entry::Seen(copy) = entry else { panic!("{entry:?}") };
                    assert_eq!(sheet(&copy).keywords, set(&[]));
                    seen.insert(copy.remote_id.0);
                }
                match next {
                    Next::Page(link) => since = Since::Page(link),
                    Next::Done(_) => break,
                }
            }
            assert!(pages > 1);
            assert_eq!(seen, set(&[id(stage, "first"), id(stage, "last")]));
        },
    )
    .await;
    play(
        PLACE,
        "next_round",
        "A delta says that a message is removed, and of one that changed it says what changed: that one is asked for.",
        |sandbox| {
            let (read, gone) = (deliver(sandbox, 1), deliver(sandbox, 2));
            let link = delta_link(sandbox);
            sandbox.graph_mail_edit(&read, &json!({"isRead": true})).unwrap();
            sandbox.graph_mail_purge(&gone).unwrap();
            let inbox = inbox(sandbox);
            json!({"inbox": {"id": inbox}, "@odata.deltaLink": link, "read": {"id": read}, "gone": {"id": gone}})
        },
        async |stage| {
            let (graph, _) = graph(stage);
            let since = Since::Token(DeltaToken(stage.text("@odata.deltaLink").into()));
            let Page { entries, .. } = page(&graph, stage, since).await.unwrap();
            assert_eq!(entries.len(), 2, "{entries:?}");
            for entry in entries {
                match entry {
                    Entry::Seen(copy) => {
                        assert_eq!((of(&copy), sheet(&copy).keywords), (place(stage, "read"), set(&["$seen"])));
                    }
                    Entry::Gone(gone) => assert_eq!(gone.as_str(), id(stage, "gone")),
                    other => panic!("{other:?}"),
                }
            }
        },
    )
    .await;
    play(
        PLACE,
        "next_round_410_token_expired",
        "A dead link is a 410; it asks for a full listing and says nothing of any message.",
        |sandbox| {
            deliver(sandbox, 1);
            let link = delta_link(sandbox);
            sandbox.graph_expire_delta_tokens();
            json!({"inbox": {"id": inbox(sandbox)}, "@odata.deltaLink": link})
        },
        async |stage| {
            let since = Since::Token(DeltaToken(stage.text("@odata.deltaLink").into()));
            let answer = page(&graph(stage).0, stage, since).await;
            assert_eq!(answer.unwrap_err().kind, ErrorKind::TokenExpired);
        },
    )
    .await;
}

// Single messages

#[tokio::test]
async fn a_message_is_read_wherever_it_stands_or_known_to_be_gone() {
    play(
        PLACE,
        "message",
        "Messages are asked for by id, with the folder they stand in; a 404 says that one is not there.",
        |sandbox| {
            let (here, gone) = (deliver(sandbox, 1), deliver(sandbox, 2));
            sandbox.graph_mail_purge(&gone).unwrap();
            json!({"inbox": {"id": inbox(sandbox)}, "here": {"id": here}, "gone": {"id": gone}})
        },
        async |stage| {
            let answers = graph(stage).0.fetch(KIND, &["here", "gone"].map(|name| place(stage, name))).await;
            let [Ok(Some(here)), Ok(None)] = answers.as_slice() else { panic!("{answers:?}") };
            assert_eq!((of(here), sheet(here).blob()), (place(stage, "here"), None));
        },
    )
    .await;
    play(
        PLACE,
        "value",
        "The bytes of a message are an answer of their own.",
        |sandbox| {
            sandbox.switch(|switches| switches.graph_mime_rewritten = "never".into());
            json!({"inbox": {"id": inbox(sandbox)}, "here": {"id": deliver(sandbox, 1)}})
        },
        async |stage| {
            let (graph, blobs) = graph(stage);
            let seen = graph.bodies(KIND, &[place(stage, "here").into()]).await.remove(0).unwrap().unwrap();
            let mut bytes = String::new();
            std::io::Read::read_to_string(&mut blobs.open(&sheet(&seen).blob().unwrap()).unwrap(), &mut bytes).unwrap();
            assert_eq!(bytes, message(1));
        },
    )
    .await;
    play(
        PLACE,
        "marked",
        "A copy whose create lost its reply is found by the mark, where it was made or wherever it was moved.",
        |sandbox| {
            let ours = json!({"subject": "Word 101", PROPERTIES: [{"id": MARK, "value": mark().to_string()}]});
            let target = "/microsoft/v1.0/me/mailFolders/inbox/messages";
            let made = post(sandbox, Provider::Microsoft, target, &ours)["id"].clone();
            json!({"inbox": {"id": inbox(sandbox)}, "other": {"id": folder(sandbox, 2)}, "here": {"id": made}})
        },
        async |stage| {
            let (graph, _) = graph(stage);
            for folder in ["inbox", "other"] {
                let collection = id(stage, folder).into();
                let lookup = Lookup { mark: mark(), uid: Uid("item-00000001".into()), collection, sent_ms: 0 };
                let found = graph.find(KIND, &[lookup], i64::try_from(NOW_MS).unwrap()).await.remove(0).unwrap();
                let Found::Here(seen) = found else { panic!("{found:?}") };
                assert_eq!((of(&seen), seen.mark), (place(stage, "here"), Some(mark())));
            }
        },
    )
    .await;
    play(
        PLACE,
        "instead",
        "A draft that takes the place of another one is found by what it stands instead of.",
        |_| json!({"instead": "Word 101"}),
        async |stage| {
            let answer = batch(stage, "find drafts", &[api::instead("0", stage.text("instead"))]).await.remove(0);
            assert_eq!(api::read_page(&answer.unwrap()).unwrap().0, []);
        },
    )
    .await;
}

// Writes

#[tokio::test]
async fn keywords_are_changed_under_a_guard() {
    let arrange = |sandbox: &Sandbox| json!({"inbox": {"id": inbox(sandbox)}, "here": {"id": deliver(sandbox, 1)}});
    play(
        PLACE,
        "update",
        "A change names what differs, guarded by the change key, and is answered with the next one.",
        arrange,
        async |stage| {
            let (graph, _) = graph(stage);
            let seen = fetch(&graph, place(stage, "here")).await;
            let now = write(&graph, marking(&seen, &["$seen", "$flagged"])).await.unwrap().unwrap();
            assert_eq!((of(&now), sheet(&now).keywords), (of(&seen), set(&["$flagged", "$seen"])));
            assert_ne!(now.etag, seen.etag);
        },
    )
    .await;
    play(
        PLACE,
        "update_412_stale",
        "Somebody else flagged it meanwhile: refused, and nothing is overwritten.",
        arrange,
        async |stage| {
            let (graph, _) = graph(stage);
            let seen = fetch(&graph, place(stage, "here")).await;
            if let Some(sandbox) = &stage.sandbox {
                sandbox.graph_mail_edit(id(stage, "here"), &json!({"flag": {"flagStatus": "flagged"}})).unwrap();
            }
            let answer = write(&graph, marking(&seen, &["$seen"])).await;
            assert_eq!(answer.unwrap_err().kind, ErrorKind::StaleEtag);
        },
    )
    .await;
}

#[tokio::test]
async fn what_stands_where_nothing_is_mirrored_is_none() {
    let arrange = |sandbox: &Sandbox| {
        let here = deliver(sandbox, 1);
        sandbox.graph_mail_move(&here, "outbox").unwrap();
        json!({"inbox": {"id": inbox(sandbox)}, "here": {"id": here}})
    };
    let what = "A message in the outbox: its folder is in no tree, and it is asked for by its id where it stands.";
    play(PLACE, "fetch_outbox", what, arrange, async |stage| {
        let (graph, _) = graph(stage);
        assert_eq!(graph.fetch(KIND, &[place(stage, "here")]).await.remove(0).unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn messages_are_moved_and_copied() {
    let arrange = |sandbox: &Sandbox| json!({"inbox": {"id": inbox(sandbox)}, "other": {"id": folder(sandbox, 2)}, "here": {"id": deliver(sandbox, 1)}});
    play(PLACE, "move", "A message is looked at and then moved; its id stays.", arrange, async |stage| {
        let (graph, _) = graph(stage);
        let seen = fetch(&graph, place(stage, "here")).await;
        let operation = Operation::Move { place: of(&seen), etag: seen.etag.clone(), to: id(stage, "other").into() };
        let there = write(&graph, operation).await.unwrap().unwrap();
        assert_eq!((&there.remote_id, there.collection.as_str()), (&seen.remote_id, id(stage, "other")));
    })
    .await;
    play(PLACE, "copy", "A copy is a message of its own.", arrange, async |stage| {
        let (graph, _) = graph(stage);
        let operation = Operation::Copy { of: place(stage, "here"), collection: id(stage, "other").into() };
        let there = write(&graph, operation).await.unwrap().unwrap();
        assert_eq!(there.collection.as_str(), id(stage, "other"));
        assert_ne!(there.remote_id, place(stage, "here").remote_id);
    })
    .await;
    play(PLACE, "delete", "A delete is a move to Deleted Items.", arrange, async |stage| {
        let (graph, _) = graph(stage);
        let seen = fetch(&graph, place(stage, "here")).await;
        let removal = Operation::Delete { place: of(&seen), etag: seen.etag.clone() };
        assert_eq!(write(&graph, removal).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn messages_are_made_with_what_is_attached() {
    play(
        PLACE,
        "create",
        "A message is made from its fields, as one that was received, with our mark.",
        |sandbox| json!({"inbox": {"id": inbox(sandbox)}}),
        async |stage| {
            let (graph, blobs) = graph(stage);
            let operation = create(stage, &blobs, message(1).as_bytes(), &["$seen", "$flagged"]);
            let made = write(&graph, operation).await.unwrap().unwrap();
            assert_eq!((made.collection.as_str(), &made.mark), (id(stage, "inbox"), &Some(mark())));
            assert_eq!(sheet(&made).keywords, set(&["$flagged", "$seen"]));
        },
    )
    .await;
    play(
        PLACE,
        "create_large",
        "A large file follows its message in ranges, to an address of its own; then the message says that it is whole.",
        |sandbox| json!({"inbox": {"id": inbox(sandbox)}}),
        async |stage| {
            let (graph, blobs) = graph(stage);
            let (head, text) = (message(1), "Word 101");
            let head = head.strip_suffix(&format!("\r\n\r\n{text}")).unwrap();
            let file = "Word 2\r\n".repeat(RANGE / 8 + 1);
            let large = format!(
                "{head}\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\n\
                 Content-Type: text/plain\r\n\r\n{text}\r\n--m\r\nContent-Type: application/octet-stream; name=\"Word 3\"\r\n\
                 Content-Disposition: attachment; filename=\"Word 3\"\r\n\r\n{file}\r\n--m--\r\n"
            );
            let made = write(&graph, create(stage, &blobs, large.as_bytes(), &["$seen"])).await.unwrap().unwrap();
            assert_eq!((made.collection.as_str(), &made.mark), (id(stage, "inbox"), &Some(mark())));
            if let Some(sandbox) = &stage.sandbox {
                let raw = sandbox.graph_mail_raw(made.remote_id.as_str()).unwrap();
                assert!(raw.len() > file.len(), "{}", raw.len());
            }
        },
    )
    .await;
    let draft = |sandbox: &Sandbox| json!({"draft": {"id": sandbox.graph_mail_draft(message(1).as_bytes())}});
    play(
        PLACE,
        "attach",
        "A small file goes in one request, is listed and read then, and taken away.",
        draft,
        async |stage| {
            let file = small(b"bytes0000001");
            client(stage).send(api::attach(id(stage, "draft"), file.whole())).await.unwrap();
            let asks = [api::attachments("0", id(stage, "draft"))];
            let answer = batch(stage, "list attachments", &asks).await.remove(0).unwrap();
            let (there, _) = api::read_attachments(&answer).unwrap();
            assert_eq!(there.len(), 1);
            let bytes = client(stage).send(api::attached_bytes(id(stage, "draft"), &there[0].id)).await.unwrap();
            assert!(bytes.length() > 0);
            client(stage).send(api::detach(id(stage, "draft"), &there[0].id)).await.unwrap();
            let answer = batch(stage, "list attachments", &asks).await.remove(0).unwrap();
            assert_eq!(api::read_attachments(&answer).unwrap().0.len(), 0, "it is there no more");
        },
    )
    .await;
    play(
        PLACE,
        "session_state",
        "A session that tells how far it is, is asked without our token, and gone on with from there.",
        |sandbox| {
            sandbox.switch(|switches| switches.graph_upload_tells_state = true);
            draft(sandbox)
        },
        async |stage| {
            let client = client(stage);
            let bytes = vec![0; SESSION_FROM + 1];
            let (file, (first, rest)) = (small(&bytes), bytes.split_at(RANGE / 2));
            let begun = client.send(api::begin_upload(id(stage, "draft"), file.announced())).await.unwrap();
            let session = api::read_session(&begun).unwrap();
            let total = bytes.len();
            let answer = client.send_unsigned(api::range(&session, first, 0, total)).await.unwrap();
            assert_eq!(api::next_range(&answer), Some(first.len()));
            let state = client.send_unsigned(api::session_state(&session)).await.unwrap();
            assert_eq!(api::next_range(&state), Some(first.len()));
            let last = client.send_unsigned(api::range(&session, rest, first.len(), total)).await.unwrap();
            assert_eq!(api::next_range(&last), None);
        },
    )
    .await;
}

/// A file whose name is a stand-in.
fn small(bytes: &[u8]) -> File {
    File {
        name: "Word 3".into(),
        content_type: "application/octet-stream".into(),
        is_inline: false,
        content_id: None,
        content: Content::Here(bytes.to_vec()),
    }
}
