//! Mail. Its messages are made of stand-ins, so that a recording keeps their bytes as they are.

use crate::deck::{self, Stage, ask, play};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use twofold_google::mail::api::{self, Goal};
use twofold_google::mail::walk::Walk;
use twofold_google::{GmailDialect, Google, GoogleDialect, GoogleOptions, MailOptions};
use twofold_http::{Client, Response};
use twofold_model::blob::MemoryBlobs;
use twofold_model::email::{Sheet, headers};
use twofold_model::{
    Access, Blobs, Collection, CollectionId, Connector, DeltaToken, Entry, ErrorKind, Feed, FeedId, Kind, Known, Mark,
    Next, Operation, Page, Place, Poll, RemoteId, Rendering, Result, Seen, Since, Uid, Unread,
};
use twofold_sandbox::{Provider, Sandbox};

const PLACE: &str = "google/mail";
const KIND: Kind = Kind::Mail;

/// Every function of `api.rs` that builds a request (or a part of one), and how its request is told.
const OPERATIONS: [(&str, &str, &str); 22] = [
    ("profile", "GET", "/gmail/v1/users/me/profile"),
    ("list", "GET", "/gmail/v1/users/me/messages?maxResults=500&includeSpamTrash=false"),
    ("any_in", "GET", "/gmail/v1/users/me/messages?maxResults=1&labelIds="),
    ("search", "GET", "/gmail/v1/users/me/messages?maxResults=100&includeSpamTrash=true&q="),
    ("newest", "GET", "/gmail/v1/users/me/messages?maxResults=100&includeSpamTrash=true&labelIds="),
    ("history", "GET", "/gmail/v1/users/me/history?startHistoryId="),
    ("get_path", "GET", "/gmail/v1/users/me/messages/*?format=minimal"),
    ("get_path", "GET", "/gmail/v1/users/me/messages/*?format=metadata"),
    ("get_path", "GET", "/gmail/v1/users/me/messages/*?format=raw"),
    ("drafts", "GET", "/gmail/v1/users/me/drafts?maxResults"),
    ("labels", "GET", "/gmail/v1/users/me/labels"),
    ("create_label", "POST", "/gmail/v1/users/me/labels"),
    ("rename_label", "PATCH", "/gmail/v1/users/me/labels/*"),
    ("delete_label", "DELETE", "/gmail/v1/users/me/labels/*"),
    ("modify", "POST", "/gmail/v1/users/me/messages/*/modify"),
    ("modify_all", "POST", "/gmail/v1/users/me/messages/batchModify"),
    ("send_in", "POST", "/upload/gmail/v1/users/me/messages?internalDateSource=dateHeader&uploadType=multipart"),
    ("send_in", "POST", "/upload/gmail/v1/users/me/drafts?uploadType=multipart"),
    ("send_in", "PUT", "/upload/gmail/v1/users/me/drafts/*?uploadType=multipart"),
    ("begin_upload", "POST", "/upload/gmail/v1/users/me/messages?internalDateSource=dateHeader&uploadType=resumable"),
    ("upload", "PUT", "/upload/gmail/v1/users/me/messages?uploadType=resumable&upload_id="),
    ("upload_outcome", "PUT", "/upload/gmail/v1/users/me/messages?uploadType=resumable&upload_id="),
];

#[test]
fn every_operation_has_a_cassette_and_every_cassette_is_played() {
    let api = include_str!("../../src/mail/api.rs");
    deck::assert_every_operation_is_recorded(PLACE, api, &OPERATIONS);
    deck::assert_all_are_played(PLACE, include_str!("mail.rs"));
    let production = api.split("#[cfg(test)]").next().unwrap();
    let calls = ["::get(\"", "::delete(\"", "post_json(\"", "patch_json(\"", "put_bytes(\"", "=> (\""];
    let told = |call: &'static str| production.split(call).skip(1).filter_map(|rest| rest.split('"').next());
    let mut names: BTreeSet<&str> = calls.into_iter().flat_map(told).collect();
    names.extend(["create message", "get messages"]);
    assert!(names.len() >= 17, "{names:?}");
    deck::assert_every_name_is_recorded(PLACE, &names.into_iter().collect::<Vec<_>>());
}

// The sides

fn gmail(stage: &Stage) -> Client {
    deck::client("google", Arc::new(GmailDialect), stage.transport.clone(), stage.clock())
}

/// The connector and where it keeps bytes.
fn google(stage: &Stage) -> (Google, Arc<MemoryBlobs>) {
    let blobs = Arc::new(MemoryBlobs::default());
    let mail = MailOptions { client: gmail(stage), blobs: blobs.clone() };
    let people = deck::client("google", Arc::new(GoogleDialect), stage.transport.clone(), stage.clock());
    (Google::new(GoogleOptions { people, calendar: None, mail: Some(mail) }), blobs)
}

/// A message.
fn message(number: u8) -> String {
    format!(
        "From: person1@example.org\r\nTo: person2@example.org\r\nSubject: Word {number}\r\n\
         Date: Thu, 4 Dec 2025 10:15:00 +0100\r\nMessage-ID: <person10{number}@example.org>\r\n\r\nWord {number}\r\n"
    )
}

fn add(sandbox: &Sandbox, number: u8, labels: &[&str]) -> String {
    sandbox.google_add_mail(message(number).as_bytes(), labels)
}

/// The latest change of the mailbox.
fn latest(sandbox: &Sandbox) -> Value {
    ask(sandbox, Provider::Google, "/google/gmail/v1/users/me/profile")["historyId"].clone()
}

fn place(message: &str, label: &str) -> Place {
    Place { remote_id: RemoteId(format!("{message}/{label}")), collection: label.into() }
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

/// What a create or a change shall come to.
fn rendering(blobs: &MemoryBlobs, bytes: &[u8], words: &[&str]) -> Rendering {
    let (blob, _) = blobs.put(&mut &bytes[..]).unwrap();
    let mut sheet = Sheet { keywords: set(words), received_ms: Some(1_000), ..Sheet::default() };
    sheet.set_bytes(&blob, bytes.len() as u64, &headers::read(bytes));
    sheet.write().unwrap()
}

fn create(blobs: &MemoryBlobs, bytes: &[u8], label: &str, words: &[&str]) -> Operation {
    let rendering = rendering(blobs, bytes, words);
    Operation::Create { collection: label.into(), rendering, uid: Uid("item-00000001".into()), mark: mark() }
}

/// The copy that an operation leaves behind.
async fn done(google: &Google, operation: Operation) -> Seen {
    google.write(KIND, &[operation]).await.remove(0).unwrap().unwrap()
}

fn json_of(answer: &Response) -> Value {
    answer.json().unwrap()
}

fn ids(answer: &Response) -> Vec<String> {
    let list = json_of(answer);
    let rows = list["messages"].as_array().into_iter().flatten();
    rows.map(|row| row["id"].as_str().unwrap().to_owned()).collect()
}

// Labels

#[tokio::test]
async fn labels_are_mailboxes_that_are_made_renamed_and_removed() {
    let like = |name: &str| Collection {
        id: CollectionId::from(""),
        kind: KIND,
        name: name.into(),
        color: None,
        is_default: false,
        role: None,
        access: Access::ReadWrite,
    };
    let arrange = |sandbox: &Sandbox| json!({"id": sandbox.google_add_label("Word 1").unwrap()});
    play(PLACE, "labels", "All labels come in one list, the service's own among them.", arrange, async |stage| {
        let all = google(stage).0.collections(KIND).await.unwrap();
        let own = all.iter().find(|one| one.id.as_str() == stage.text("id")).unwrap();
        assert!(own.name == "Word 1" && !own.is_default);
        assert_eq!(all.iter().filter(|one| one.is_default).map(|one| one.id.as_str()).collect::<Vec<_>>(), ["INBOX"]);
    })
    .await;
    play(
        PLACE,
        "create_label",
        "The list is looked at before a label is made, and again afterwards.",
        |_| json!({}),
        async |stage| {
            let made = google(stage).0.create_collection(KIND, &like("Word 1")).await.unwrap();
            assert_eq!((made.name.as_str(), made.is_default), ("Word 1", false));
        },
    )
    .await;
    play(PLACE, "create_label_409_exists", "A second label of one name is refused.", arrange, async |stage| {
        let answer = gmail(stage).send(api::create_label("Word 1")).await;
        assert_eq!(answer.unwrap_err().kind, ErrorKind::StaleEtag);
    })
    .await;
    play(PLACE, "rename_label", "A label keeps its id when it is renamed.", arrange, async |stage| {
        let id = CollectionId::from(stage.text("id"));
        let now = google(stage).0.rename_collection(KIND, &id, Some("Word 2"), None).await.unwrap();
        assert_eq!((now.id, now.name.as_str()), (id, "Word 2"));
    })
    .await;
    play(
        PLACE,
        "delete_label",
        "A label is looked into, and deleted when nothing stands in it.",
        arrange,
        async |stage| {
            let id = CollectionId::from(stage.text("id"));
            assert!(google(stage).0.remove_collection(KIND, &id).await.unwrap());
        },
    )
    .await;
}

// Rounds

#[tokio::test]
async fn a_mailbox_is_listed_and_its_history_tells_what_changed() {
    play(
        PLACE,
        "profile",
        "The profile names the latest change, from which a listing is told on.",
        |sandbox| json!({"historyId": latest(sandbox)}),
        async |stage| {
            let profile = json_of(&gmail(stage).send(api::profile()).await.unwrap());
            assert_eq!(profile["historyId"], stage.arguments["historyId"]);
        },
    )
    .await;
    play(
        PLACE,
        "list",
        "A list tells ids only, the newest first, and where it goes on.",
        |sandbox| {
            sandbox.switch(|switches| switches.page_size_cap = 1);
            json!({"first": {"id": add(sandbox, 1, &["INBOX"])}, "last": {"id": add(sandbox, 2, &["INBOX"])}})
        },
        async |stage| {
            let gmail = gmail(stage);
            let mut asks = Walk::new("1".into(), Default::default()).asks(1).remove(0);
            let mut all = Vec::new();
            loop {
                let answer = gmail.send(api::list(&asks)).await.unwrap();
                all.extend(ids(&answer));
                asks.page = json_of(&answer)["nextPageToken"].as_str().map(str::to_owned);
                if asks.page.is_none() {
                    break;
                }
            }
            all.sort_unstable();
            let mut both = ["first", "last"].map(|name| stage.arguments[name]["id"].as_str().unwrap().to_owned());
            both.sort_unstable();
            assert_eq!(all, both);
        },
    )
    .await;
    play(
        PLACE,
        "drafts",
        "The list of drafts tells which message each of them is.",
        |sandbox| json!({"id": sandbox.google_add_draft(message(1).as_bytes()).unwrap()}),
        async |stage| {
            let list = json_of(&gmail(stage).send(api::drafts(None)).await.unwrap());
            assert_eq!(list["drafts"][0]["id"], stage.arguments["id"]);
            assert!(list["drafts"][0]["message"]["id"].is_string());
        },
    )
    .await;
    play(
        PLACE,
        "history",
        "The history tells what came, what is no more and whose labels changed.",
        |sandbox| {
            let (read, gone) = (add(sandbox, 1, &["INBOX", "UNREAD"]), add(sandbox, 2, &["INBOX"]));
            let since = latest(sandbox);
            sandbox.google_label_mail(&read, &["STARRED"], &["UNREAD"]).unwrap();
            sandbox.google_delete_mail(&gone).unwrap();
            let new = add(sandbox, 3, &["INBOX"]);
            json!({"historyId": since, "read": {"id": read}, "gone": {"id": gone}, "new": {"id": new}})
        },
        async |stage| {
            let page = happened(stage).await.unwrap();
            let Next::Done(_) = page.next else { panic!("{:?}", page.next) };
            let name = |name: &str| place(stage.arguments[name]["id"].as_str().unwrap(), "INBOX").remote_id;
            let seen = |id: RemoteId| {
                let mut copies = page.entries.iter().filter_map(|entry| match entry {
                    Entry::Seen(seen) if seen.remote_id == id => Some(seen),
                    _ => None,
                });
                copies.next_back().unwrap_or_else(|| panic!("no {id}"))
            };
            assert_eq!(sheet(seen(name("read"))).keywords, set(&["$flagged", "$seen"]));
            assert_eq!(sheet(seen(name("new"))).keywords, set(&["$seen"]));
            let is_gone = |entry: &Entry| matches!(entry, Entry::Gone(id) if *id == name("gone"));
            assert!(page.entries.iter().any(is_gone), "{:?}", page.entries);
        },
    )
    .await;
    play(
        PLACE,
        "history_404_token_expired",
        "A change that is too long ago is a 404; it asks for a full listing and says nothing of any message.",
        |sandbox| {
            let since = latest(sandbox);
            add(sandbox, 1, &["INBOX"]);
            sandbox.google_forget_mail_history();
            json!({"historyId": since})
        },
        async |stage| assert_eq!(happened(stage).await.unwrap_err().kind, ErrorKind::TokenExpired),
    )
    .await;
}

/// A page of the history since the change among the arguments.
async fn happened(stage: &Stage) -> Result<Page> {
    let collections = ["INBOX", "ARCHIVE", "TRASH"].map(CollectionId::from).to_vec();
    let feed = Feed { id: FeedId::from("mail"), kind: KIND, collections };
    let token = json!({"v": 1, "history": stage.text("historyId"), "labels": [], "drafts": {}});
    let since = Since::Token(DeltaToken(token.to_string()));
    google(stage).0.changes(&[Poll { feed: &feed, since, known: &Known::new() }]).await.remove(0)
}

// Single messages

#[tokio::test]
async fn messages_are_read_in_one_request_each_with_an_answer_of_its_own() {
    let arrange = |sandbox: &Sandbox| {
        let gone = add(sandbox, 2, &["INBOX"]);
        sandbox.google_delete_mail(&gone).unwrap();
        json!({"here": {"id": add(sandbox, 1, &["INBOX", "STARRED"])}, "gone": {"id": gone}})
    };
    let places =
        |stage: &Stage| ["here", "gone"].map(|name| place(stage.arguments[name]["id"].as_str().unwrap(), "INBOX"));
    play(
        PLACE,
        "get_minimal",
        "Labels and dates are read in one request; a message that is no more is a 404 of its part alone.",
        arrange,
        async |stage| {
            let answers = google(stage).0.fetch(KIND, &places(stage)).await;
            let [Ok(Some(here)), Ok(None)] = answers.as_slice() else { panic!("{answers:?}") };
            assert_eq!((sheet(here).keywords, of(here)), (set(&["$flagged", "$seen"]), places(stage)[0].clone()));
        },
    )
    .await;
    play(
        PLACE,
        "get_headers",
        "What tells a message from others in its header is read without its bytes.",
        arrange,
        async |stage| {
            let answers = google(stage).0.headers(KIND, &places(stage)).await;
            let [Ok(Some(here)), Ok(None)] = answers.as_slice() else { panic!("{answers:?}") };
            assert_eq!(
                (sheet(here).says["messageId"].clone(), sheet(here).blob()),
                (json!(["person101@example.org"]), None)
            );
        },
    )
    .await;
    play(
        PLACE,
        "get_raw",
        "The bytes of a message come in base64 for addresses, with its labels.",
        arrange,
        async |stage| {
            let (google, blobs) = google(stage);
            let answers = google.bodies(KIND, &places(stage).map(Unread::from)).await;
            let [Ok(Some(here)), Ok(None)] = answers.as_slice() else { panic!("{answers:?}") };
            let mut bytes = String::new();
            std::io::Read::read_to_string(&mut blobs.open(&sheet(here).blob().unwrap()).unwrap(), &mut bytes).unwrap();
            assert_eq!(bytes, message(1));
        },
    )
    .await;
}

// Writes

#[tokio::test]
async fn keywords_and_places_are_labels_that_are_added_and_taken_off() {
    play(
        PLACE,
        "modify",
        "A change names the labels that come and go, and is answered with those that are there then.",
        |sandbox| json!({"id": add(sandbox, 1, &["INBOX", "UNREAD"])}),
        async |stage| {
            let google = google(stage).0;
            let seen = google.fetch(KIND, &[place(stage.text("id"), "INBOX")]).await.remove(0).unwrap().unwrap();
            let mut to = sheet(&seen);
            to.keywords = set(&["$flagged", "$seen"]);
            let to = to.write().unwrap();
            let change = Operation::Update { place: of(&seen), etag: seen.etag.clone(), from: seen.rendering, to };
            let now = done(&google, change).await;
            assert_eq!((sheet(&now).keywords, now.remote_id), (set(&["$flagged", "$seen"]), seen.remote_id));
        },
    )
    .await;
    play(
        PLACE,
        "modify_all",
        "The same change of many messages is one request, and its answer says nothing of any of them.",
        |sandbox| json!({"first": {"id": add(sandbox, 1, &["INBOX"])}, "last": {"id": add(sandbox, 2, &["INBOX"])}}),
        async |stage| {
            let both = ["first", "last"].map(|name| stage.arguments[name]["id"].as_str().unwrap());
            gmail(stage).send(api::modify_all(&both, &set(&["STARRED"]), &set(&["INBOX"]))).await.unwrap();
            if let Some(sandbox) = &stage.sandbox {
                assert!(sandbox.google_messages().iter().all(|message| message["labelIds"] == json!(["STARRED"])));
            }
        },
    )
    .await;
}

#[tokio::test]
async fn what_is_sent_in_is_looked_for_first() {
    play(
        PLACE,
        "create",
        "A message is looked for by its Message-ID and then sent in, JSON first and its bytes as they are.",
        |_| json!({}),
        async |stage| {
            let (google, blobs) = google(stage);
            let made = done(&google, create(&blobs, message(1).as_bytes(), "INBOX", &["$seen", "$flagged"])).await;
            assert_eq!((made.collection.as_str(), sheet(&made).keywords), ("INBOX", set(&["$flagged", "$seen"])));
        },
    )
    .await;
    play(
        PLACE,
        "create_again",
        "What is there already gets its labels in place of a second copy.",
        |sandbox| json!({"id": add(sandbox, 1, &["UNREAD"])}),
        async |stage| {
            let (google, blobs) = google(stage);
            let made = done(&google, create(&blobs, message(1).as_bytes(), "INBOX", &["$seen"])).await;
            assert_eq!(of(&made), place(stage.text("id"), "INBOX"));
        },
    )
    .await;
    play(
        PLACE,
        "create_nameless",
        "A message without Message-ID and date is looked for among the newest ones.",
        |_| json!({}),
        async |stage| {
            let (google, blobs) = google(stage);
            let bytes = b"From: person1@example.org\r\nSubject: Word 1\r\n\r\nWord 1\r\n";
            let made = done(&google, create(&blobs, bytes, "INBOX", &["$seen"])).await;
            assert_eq!((made.collection.as_str(), sheet(&made).keywords), ("INBOX", set(&["$seen"])));
        },
    )
    .await;
    play(
        PLACE,
        "create_large",
        "A large message is an upload: an address for it, its pieces, and the answer to the last one.",
        |_| json!({}),
        async |stage| {
            let (google, blobs) = google(stage);
            let large = message(1) + &"Word 2\r\n".repeat(api::SENT_AT_ONCE / 8);
            let made = done(&google, create(&blobs, large.as_bytes(), "INBOX", &["$seen"])).await;
            assert_eq!(made.collection.as_str(), "INBOX");
            if let Some(sandbox) = &stage.sandbox {
                let (id, _) = made.remote_id.as_str().split_once('/').unwrap();
                assert_eq!(sandbox.google_message_raw(id).unwrap(), large.as_bytes());
            }
        },
    )
    .await;
    play(
        PLACE,
        "upload_asked_after",
        "An upload says how far it is, and, once all bytes came, what it came to.",
        |_| json!({}),
        async |stage| {
            let gmail = gmail(stage);
            let goal = Goal::Message(set(&["INBOX"]));
            let piece = 256 * 1024;
            let large = message(1) + &"Word 2\r\n".repeat(piece / 8);
            let (bytes, total) = (large.as_bytes(), large.len());
            let begun = gmail.send(api::begin_upload(&goal, total)).await.unwrap();
            let place = api::upload_address(&begun).unwrap();
            let first = gmail.send(api::upload(&goal, &place, &bytes[..piece], 0, total)).await.unwrap();
            assert_eq!(api::goes_on_at(&first), Some(piece));
            let told = gmail.send(api::upload_outcome(&place, total)).await.unwrap();
            assert_eq!(api::goes_on_at(&told), Some(piece));
            let made = gmail.send(api::upload(&goal, &place, &bytes[piece..], piece, total)).await.unwrap();
            assert_eq!(api::goes_on_at(&made), None);
            let told = gmail.send(api::upload_outcome(&place, total)).await.unwrap();
            assert_eq!(json_of(&told)["id"], json_of(&made)["id"]);
        },
    )
    .await;
}

#[tokio::test]
async fn a_draft_that_is_written_on_is_another_message() {
    play(
        PLACE,
        "create_draft",
        "A draft is made as one.",
        |_| json!({}),
        async |stage| {
            let (google, blobs) = google(stage);
            let made = done(&google, create(&blobs, message(1).as_bytes(), "DRAFT", &["$seen"])).await;
            assert_eq!(made.collection.as_str(), "DRAFT");
        },
    )
    .await;
    play(
        PLACE,
        "change_draft",
        "The draft of a message is found in their list and gets its new text, as another message.",
        |sandbox| {
            sandbox.google_add_draft(message(1).as_bytes()).unwrap();
            let message = sandbox.google_messages()[0]["id"].clone();
            json!({"message": {"id": message}})
        },
        async |stage| {
            let (google, blobs) = google(stage);
            let old = place(stage.arguments["message"]["id"].as_str().unwrap(), "DRAFT");
            let seen = google.bodies(KIND, &[old.clone().into()]).await.remove(0).unwrap().unwrap();
            let to = rendering(&blobs, message(2).as_bytes(), &["$seen"]);
            let change = Operation::Update { place: old.clone(), etag: seen.etag, from: seen.rendering, to };
            let now = done(&google, change).await;
            assert!(now.remote_id != old.remote_id && now.collection == old.collection, "{}", now.remote_id);
        },
    )
    .await;
}
