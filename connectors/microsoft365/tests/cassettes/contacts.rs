//! Contacts.

use crate::connected;
use crate::deck::{self, NOW_MS, Stage, ask, play};
use serde_json::{Value, json};
use twofold_http::{Client, Effect, Part, Response};
use twofold_microsoft365::Microsoft365;
use twofold_microsoft365::contacts::api;
use twofold_microsoft365::contacts::map::{ContactLens, Photo, Sheet};
use twofold_microsoft365::contacts::wire::{Contact, MARK, UID};
use twofold_model::{
    Collection, CollectionId, Connector, Content, DeltaToken, Entry, ErrorKind, Etag, Feed, FeedId, Found, Identity,
    Kind, Known, Lens, Lookup, Mark, Next, Operation, Page, Place, Poll, RemoteId, Rendering, Result, Seen, Since, Uid,
    Written, card,
};
use twofold_sandbox::microsoft365::tiny_jpeg;
use twofold_sandbox::{Fault, Provider, Rule, Sandbox};

const PLACE: &str = "microsoft365/contacts";

/// Every function of `api.rs` that builds a request (or a part of one), and how its request is told.
const OPERATIONS: [(&str, &str, &str); 18] = [
    ("default_folder", "GET", "/me/contactFolders/contacts"),
    ("folder", "GET", "/me/contactFolders/*"),
    ("folders", "GET", "/me/contactFolders?%24top"),
    ("child_folders", "GET", "/me/contactFolders/*/childFolders?%24top"),
    ("any_contact", "GET", "/me/contacts?%24top=1"),
    ("create_folder", "POST", "/me/contactFolders"),
    ("rename_folder", "PATCH", "/me/contactFolders/*"),
    ("any_in_folder", "GET", "/me/contactFolders/*/contacts?%24top=1"),
    ("delete_folder", "DELETE", "/me/contactFolders/*"),
    ("first_round", "GET", "/me/contactFolders/*/contacts/delta?%24select"),
    ("listing", "GET", "/me/contactFolders/*/contacts?%24top"),
    ("page", "GET", "/me/*/contacts/delta?%24deltatoken"),
    ("contact", "GET", "/me/contacts/*?%24expand"),
    ("photo", "GET", "/me/contacts/*/photo/$value"),
    ("marked", "GET", "/me/contactFolders/*/contacts?%24filter"),
    ("create", "POST", "/me/contactFolders/*/contacts"),
    ("update", "PATCH", "/me/contacts/*"),
    ("delete", "DELETE", "/me/contacts/*"),
];

#[test]
fn every_operation_has_a_cassette_and_every_cassette_is_played() {
    let api = include_str!("../../src/contacts/api.rs");
    let photo = [("put_photo", "PUT", "/me/contacts/*/photo/$value")];
    deck::assert_every_operation_is_recorded(PLACE, api, &[&OPERATIONS[..], &photo].concat());
    deck::assert_all_are_played(PLACE, include_str!("contacts.rs"));
    let sources = [
        api,
        include_str!("../../src/contacts/mod.rs"),
        include_str!("../../src/contacts/rounds.rs"),
        include_str!("../../src/contacts/write.rs"),
    ];
    let calls = [".all(\"", "let what = \"", "post_json(\"", "patch_json(\"", "put_bytes(\""];
    let mut names: Vec<&str> = Vec::new();
    for (source, call) in sources.iter().flat_map(|source| calls.map(|call| (source, call))) {
        names.extend(source.split(call).skip(1).filter_map(|rest| rest.split('"').next()));
    }
    assert!(names.len() >= 10, "{names:?}");
    deck::assert_every_name_is_recorded(PLACE, &names);
}

// The sides

fn client(stage: &Stage) -> Client {
    connected::client(stage.transport.clone(), stage.clock())
}

fn graph(stage: &Stage) -> Microsoft365 {
    connected::graph(stage.transport.clone(), stage.clock())
}

async fn read(stage: &Stage, parts: &[Part]) -> Vec<Result<Response>> {
    client(stage).send_batch("read contacts", "/v1.0/$batch", Effect::Read, parts).await
}

async fn write(stage: &Stage, operations: &[Operation]) -> Vec<Result<Written>> {
    graph(stage).write(Kind::Contacts, operations).await
}

async fn written(stage: &Stage, operation: Operation) -> Seen {
    write(stage, &[operation]).await.remove(0).unwrap().unwrap()
}

async fn poll(stage: &Stage, since: Since) -> Result<Page> {
    let feed = feed(stage);
    graph(stage).changes(&[Poll { feed: &feed, since, known: &Known::new() }]).await.remove(0)
}

fn feed(stage: &Stage) -> Feed {
    let folder = stage.text("folder");
    Feed { id: FeedId::from(folder), kind: Kind::Contacts, collections: vec![CollectionId::from(folder)] }
}

fn named(number: u8) -> Value {
    json!({"givenName": format!("Word {number}")})
}

fn add(sandbox: &Sandbox, number: u8) -> String {
    sandbox.graph_create("contacts", &named(number)).unwrap()
}

fn home(sandbox: &Sandbox) -> Value {
    ask(sandbox, Provider::Microsoft, "/microsoft/v1.0/me/contactFolders/contacts")["id"].clone()
}

/// A contact as Graph shows it.
fn there(sandbox: &Sandbox, id: &str) -> Value {
    ask(sandbox, Provider::Microsoft, &format!("/microsoft/v1.0/me/contacts/{}", id.replace('=', "%3D")))
}

/// Where a folder's next round begins.
fn delta_link(sandbox: &Sandbox, folder: &Value) -> Value {
    let folder = folder.as_str().unwrap().replace('=', "%3D");
    let target = format!("/microsoft/v1.0/me/contactFolders/{folder}/contacts/delta?$select=id,changeKey");
    ask(sandbox, Provider::Microsoft, &target)["@odata.deltaLink"].clone()
}

fn since(stage: &Stage) -> Since {
    Since::Token(DeltaToken(stage.text("@odata.deltaLink").to_owned()))
}

fn contact_of(value: &Value) -> Contact {
    Contact::from_value(value.clone()).unwrap()
}

fn place(contact: &Contact) -> Place {
    Place {
        remote_id: RemoteId::from(contact.id().unwrap()),
        collection: CollectionId::from(contact.folder().unwrap()),
    }
}

fn mark(item: u8) -> Mark {
    Mark { hub: "hub-00000001".into(), item: format!("item-0000000{item}"), generation: 1 }
}

fn identity(item: u8) -> Identity {
    Identity { uid: Uid(format!("urn:uuid:0000-{item}")), mark: Some(mark(item)) }
}

fn card(number: u8) -> Content {
    let address = format!("person{number}@example.org");
    Content::from_value(json!({
        "name": {"components": [{"kind": "given", "value": format!("Word {number}")}]},
        "emails": {card::key(&address): {"address": address}},
    }))
}

fn create(folder: &str, item: u8) -> Operation {
    let rendering = ContactLens.write(None, &card(item), &identity(item)).unwrap();
    Operation::Create { collection: folder.into(), rendering, uid: identity(item).uid, mark: mark(item) }
}

/// An update of the contact among the arguments, whose photo is known to be none.
fn update(stage: &Stage, change: impl FnOnce(&mut Content)) -> Operation {
    let contact = contact_of(&stage.arguments["contact"]);
    let from = Sheet { photo: Photo::Absent, contact: contact.clone() }.close();
    let mut content = meaning(&from);
    change(&mut content);
    let to = ContactLens.write(Some(&from), &content, &identity(1)).unwrap();
    Operation::Update { place: place(&contact), etag: Etag(contact.etag().unwrap()), from, to }
}

fn job(content: &mut Content) {
    content.set("titles", json!({"title": {"name": "Word 2", "kind": "title"}}));
}

fn delete(value: &Value) -> Operation {
    let contact = contact_of(value);
    Operation::Delete { place: place(&contact), etag: Etag(contact.etag().unwrap()) }
}

fn meaning(rendering: &Rendering) -> Content {
    ContactLens.read(rendering).unwrap()
}

fn name_of(contact: &Contact) -> Option<&str> {
    contact.text("givenName")
}

fn error_kind(answer: &Result<Written>) -> Option<ErrorKind> {
    answer.as_ref().err().map(|error| error.kind)
}

fn not_found() -> Rule {
    let body = json!({"error": {"code": "ErrorItemNotFound", "message": "The specified object was not found."}});
    Rule::any(Fault::Status { status: 404, retry_after: None, executed: false, body: Some(body) })
        .on(Provider::Microsoft)
}

// Folders

#[tokio::test]
async fn folders_are_listed_down_to_the_last_with_the_default_one() {
    play(
        PLACE,
        "folders",
        "The default folder has a well-known name and is in no list; the others come level by level.",
        |sandbox| {
            let parent = sandbox.graph_folder_create("", "Word 1").unwrap();
            let child = sandbox.graph_folder_create(&parent, "Word 2").unwrap();
            json!({"home": {"id": home(sandbox)}, "parent": {"id": parent}, "child": {"id": child}})
        },
        async |stage| {
            let folders = graph(stage).collections(Kind::Contacts).await.unwrap();
            let id = |at: usize| folders[at].id.as_str();
            let known = |name: &str| stage.arguments[name]["id"].as_str().unwrap();
            assert_eq!([id(0), id(1), id(2)], [known("home"), known("parent"), known("child")]);
            assert_eq!([&folders[1].name, &folders[2].name], ["Word 1", "Word 2"]);
            assert!(folders[0].is_default && folders.len() == 3);
        },
    )
    .await;
    play(
        PLACE,
        "any_contact",
        "Where the well-known name is not understood, any contact tells which folder is the default one.",
        |sandbox| {
            add(sandbox, 1);
            let home = home(sandbox);
            sandbox.fault(not_found().path("contactFolders/contacts"));
            json!({"home": {"id": home}})
        },
        async |stage| {
            let folders = graph(stage).collections(Kind::Contacts).await.unwrap();
            assert_eq!(folders[0].id.as_str(), stage.arguments["home"]["id"]);
            assert!(folders[0].is_default);
        },
    )
    .await;
}

#[tokio::test]
async fn a_folder_is_made_once_and_renamed() {
    let like = |name: &str| Collection {
        id: CollectionId::from(""),
        kind: Kind::Contacts,
        name: name.into(),
        color: None,
        is_default: false,
        role: None,
        access: twofold_model::Access::ReadWrite,
    };
    play(
        PLACE,
        "create_folder",
        "A new folder is answered with its id.",
        |_| json!({}),
        async |stage| {
            let made = graph(stage).create_collection(Kind::Contacts, &like("Word 1")).await.unwrap();
            assert!(made.name == "Word 1" && !made.is_default && !made.id.as_str().is_empty());
        },
    )
    .await;
    play(
        PLACE,
        "create_folder_409_exists",
        "The server refuses a second folder of one name; the one that is there is used.",
        |sandbox| json!({"id": sandbox.graph_folder_create("", "Word 1").unwrap()}),
        async |stage| {
            let found = graph(stage).create_collection(Kind::Contacts, &like("Word 1")).await.unwrap();
            assert_eq!(found.id.as_str(), stage.text("id"));
        },
    )
    .await;
    play(
        PLACE,
        "rename_folder",
        "A folder keeps its id under another name.",
        |sandbox| json!({"id": sandbox.graph_folder_create("", "Word 1").unwrap()}),
        async |stage| {
            let id = CollectionId::from(stage.text("id"));
            graph(stage).rename_collection(Kind::Contacts, &id, Some("Word 2"), None).await.unwrap();
        },
    )
    .await;
    play(
        PLACE,
        "delete_folder",
        "A folder is looked into, and deleted when it is empty.",
        |sandbox| json!({"id": sandbox.graph_folder_create("", "Word 1").unwrap()}),
        async |stage| {
            let id = CollectionId::from(stage.text("id"));
            assert!(graph(stage).remove_collection(Kind::Contacts, &id).await.unwrap());
        },
    )
    .await;
}

// Rounds

#[tokio::test]
async fn a_first_round_has_a_token_and_every_contact() {
    play(
        PLACE,
        "first_round",
        "From nothing: the delta to its end for its token, then the listing, which shows the extended properties.",
        |sandbox| {
            let mut ours = named(1);
            ours["singleValueExtendedProperties"] = json!([{"id": MARK, "value": mark(1).to_string()}]);
            let id = sandbox.graph_create("contacts", &ours).unwrap();
            json!({"folder": home(sandbox), "id": id})
        },
        async |stage| {
            let graph = graph(stage);
            let (feed, known) = (feed(stage), Known::new());
            let first = graph.changes(&[Poll { feed: &feed, since: Since::Start, known: &known }]).await.remove(0);
            let Next::Page(link) = first.unwrap().next else { panic!("the listing follows") };
            let since = Since::Page(link);
            let page = graph.changes(&[Poll { feed: &feed, since, known: &known }]).await.remove(0).unwrap();
            let [Entry::Seen(seen)] = page.entries.as_slice() else { panic!("{:?}", page.entries) };
            assert_eq!((seen.remote_id.as_str(), seen.mark.clone()), (stage.text("id"), Some(mark(1))));
            assert_eq!(card::display_name(&meaning(&seen.rendering)).as_deref(), Some("Word 1"));
            let Next::Done(token) = page.next else { panic!("the listing is whole") };
            assert!(token.as_str().contains("deltatoken"));
        },
    )
    .await;
}

#[tokio::test]
async fn a_round_since_a_token_names_what_is_then_read() {
    play(
        PLACE,
        "page",
        "Since a token the rows are hints: what they name is read whole, with its photo; what answers 404 is gone.",
        |sandbox| {
            sandbox.switch(|switches| switches.graph_deleted_answers_404 = true);
            let (edited, removed) = (add(sandbox, 1), add(sandbox, 2));
            let folder = home(sandbox);
            let link = delta_link(sandbox, &folder);
            sandbox.graph_edit(&edited, |contact| contact["jobTitle"] = json!("Word 3")).unwrap();
            sandbox.graph_delete(&removed).unwrap();
            json!({"folder": folder, "@odata.deltaLink": link, "edited": {"id": edited}, "removed": {"id": removed}})
        },
        async |stage| {
            let page = poll(stage, since(stage)).await.unwrap();
            assert_eq!(page.entries.len(), 2);
            for entry in page.entries {
                match entry {
                    Entry::Seen(seen) => {
                        assert_eq!(seen.remote_id.as_str(), stage.arguments["edited"]["id"]);
                        assert_eq!(meaning(&seen.rendering).at(&["titles", "title", "name"]), Some(&json!("Word 3")));
                        assert_eq!(Sheet::open(&seen.rendering).unwrap().photo, Photo::Absent);
                    }
                    Entry::Gone(id) => assert_eq!(id.as_str(), stage.arguments["removed"]["id"]),
                    other => panic!("{other:?}"),
                }
            }
            assert!(matches!(page.next, Next::Done(_)));
        },
    )
    .await;
    play(
        PLACE,
        "page_410_token_expired",
        "A dead delta token asks for a full listing and says nothing of any contact.",
        |sandbox| {
            let folder = home(sandbox);
            let link = delta_link(sandbox, &folder);
            sandbox.graph_expire_delta_tokens();
            json!({"folder": folder, "@odata.deltaLink": link})
        },
        async |stage| assert_eq!(poll(stage, since(stage)).await.unwrap_err().kind, ErrorKind::TokenExpired),
    )
    .await;
}

// Single contacts

#[tokio::test]
async fn only_a_404_says_that_a_contact_or_a_photo_is_not_there() {
    play(
        PLACE,
        "contact",
        "Contacts and their photos in one batch, each part with its own status: there, without a photo, gone.",
        |sandbox| {
            sandbox.switch(|switches| switches.graph_deleted_answers_404 = true);
            let ids = [1, 2, 3].map(|number| add(sandbox, number));
            sandbox.graph_set_photo(&ids[0], Some(tiny_jpeg([1, 0, 0]).to_vec())).unwrap();
            sandbox.graph_delete(&ids[2]).unwrap();
            json!({"id": ids})
        },
        async |stage| {
            let ids: Vec<&str> = stage.arguments["id"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
            let parts =
                |(at, id): (usize, &&str)| [api::contact(format!("c{at}"), id), api::photo(format!("p{at}"), id)];
            let parts: Vec<Part> = ids.iter().enumerate().flat_map(parts).collect();
            let mut answers = read(stage, &parts).await.into_iter();
            let mut next = || answers.next().unwrap();
            for (at, word) in [(0, "Word 1"), (1, "Word 2")] {
                let contact = api::read_contact(&next().unwrap()).unwrap();
                assert_eq!((contact.id(), name_of(&contact)), (Some(ids[at]), Some(word)));
                assert!(contact.etag().is_some() && contact.folder().is_some());
                let photo = api::read_photo(next());
                assert!(if at == 0 { matches!(photo, Photo::Present(_)) } else { photo == Photo::Absent });
            }
            assert_eq!(next().unwrap_err().kind, ErrorKind::NotFound);
        },
    )
    .await;
    play(
        PLACE,
        "photo",
        "A photo on its own comes as bytes with their type.",
        |sandbox| {
            let id = add(sandbox, 1);
            sandbox.graph_set_photo(&id, Some(tiny_jpeg([1, 0, 0]).to_vec())).unwrap();
            json!({"id": id})
        },
        async |stage| {
            let part = api::photo("1", stage.text("id"));
            let request = twofold_http::Request::get_bytes("read photos", format!("/v1.0{}", part.url));
            let Photo::Present(picture) = api::read_photo(client(stage).send(request).await) else {
                panic!("no photo")
            };
            assert_eq!(picture.media_type, "image/jpeg");
            assert!(picture.bytes().unwrap().starts_with(&[0xff, 0xd8]));
        },
    )
    .await;
}

#[tokio::test]
async fn a_create_is_found_by_its_mark() {
    play(
        PLACE,
        "marked",
        "A create whose reply was lost is found in its folder by the mark, an extended property.",
        |sandbox| {
            let mut ours = named(1);
            ours["singleValueExtendedProperties"] = json!([{"id": MARK, "value": mark(1).to_string()}]);
            add(sandbox, 2);
            json!({"folder": home(sandbox), "id": sandbox.graph_create("contacts", &ours).unwrap()})
        },
        async |stage| {
            let collection = CollectionId::from(stage.text("folder"));
            let lookup = Lookup { mark: mark(1), uid: identity(1).uid, collection, sent_ms: 0 };
            let now_ms = i64::try_from(NOW_MS).unwrap();
            let found = graph(stage).find(Kind::Contacts, &[lookup], now_ms).await.remove(0).unwrap();
            let Found::Here(seen) = found else { panic!("{found:?}") };
            assert_eq!((seen.remote_id.as_str(), seen.mark), (stage.text("id"), Some(mark(1))));
        },
    )
    .await;
}

// Writes

#[tokio::test]
async fn what_is_created_is_read_back_with_mark_and_uid() {
    play(
        PLACE,
        "create",
        "The answer to a create lacks the extended properties; a look afterwards shows them.",
        |sandbox| json!({"folder": home(sandbox)}),
        async |stage| {
            let seen = written(stage, create(stage.text("folder"), 1)).await;
            assert_eq!(meaning(&seen.rendering), card(1));
            assert_eq!((seen.mark, seen.uid), (Some(mark(1)), Some(identity(1).uid)));
            assert_eq!(seen.collection.as_str(), stage.text("folder"));
            assert!(Sheet::open(&seen.rendering).unwrap().contact.property(UID).is_some());
        },
    )
    .await;
}

#[tokio::test]
async fn an_update_sends_what_differs_and_is_guarded() {
    let arrange = |sandbox: &Sandbox| {
        let id = add(sandbox, 1);
        (there(sandbox, &id), id)
    };
    play(
        PLACE,
        "update",
        "A change sends the fields that differ, guarded by the etag, and is answered with the next one.",
        |sandbox| json!({"contact": arrange(sandbox).0}),
        async |stage| {
            let before = contact_of(&stage.arguments["contact"]);
            let seen = written(stage, update(stage, job)).await;
            assert_eq!(seen.remote_id.as_str(), before.id().unwrap());
            assert_eq!(meaning(&seen.rendering).at(&["titles", "title", "name"]), Some(&json!("Word 2")));
            assert_eq!(card::display_name(&meaning(&seen.rendering)).as_deref(), Some("Word 1"));
            assert_ne!(Some(seen.etag.as_str()), before.etag().as_deref());
        },
    )
    .await;
    play(
        PLACE,
        "update_412_stale_etag",
        "Somebody else changed it meanwhile: refused, and nothing is overwritten.",
        |sandbox| {
            let (contact, id) = arrange(sandbox);
            sandbox.graph_edit(&id, |contact| contact["nickName"] = json!("Word 3")).unwrap();
            json!({"contact": contact})
        },
        async |stage| {
            let answers = write(stage, &[update(stage, job)]).await;
            assert_eq!(error_kind(&answers[0]), Some(ErrorKind::StaleEtag));
        },
    )
    .await;
    play(
        PLACE,
        "put_photo",
        "A photo is looked at before it is set, for it has no guard of its own; then it is read back.",
        |sandbox| json!({"contact": arrange(sandbox).0}),
        async |stage| {
            let uri = card::data_uri("image/jpeg", &tiny_jpeg([7, 0, 0]));
            let set = |content: &mut Content| content.set("media", json!({"photo": {"kind": "photo", "uri": uri}}));
            let seen = written(stage, update(stage, set)).await;
            assert!(matches!(Sheet::open(&seen.rendering).unwrap().photo, Photo::Present(_)));
            assert_eq!(card::display_name(&meaning(&seen.rendering)).as_deref(), Some("Word 1"));
        },
    )
    .await;
}

#[tokio::test]
async fn a_batch_answers_for_each_of_its_parts() {
    play(
        PLACE,
        "delete",
        "A delete is guarded too and answered with nothing; the contact lies in Deleted Items then.",
        |sandbox| {
            let id = add(sandbox, 1);
            json!({"contact": there(sandbox, &id)})
        },
        async |stage| {
            let answers = write(stage, &[delete(&stage.arguments["contact"])]).await;
            assert!(matches!(answers[0], Ok(None)), "{answers:?}");
        },
    )
    .await;
    play(
        PLACE,
        "batch",
        "Two creates, a delete and a stale delete in one batch: each part has its own outcome.",
        |sandbox| {
            let (gone, stale) = (add(sandbox, 3), add(sandbox, 4));
            let (deleted, kept) = (there(sandbox, &gone), there(sandbox, &stale));
            sandbox.graph_edit(&stale, |contact| contact["nickName"] = json!("Word 5")).unwrap();
            json!({"folder": home(sandbox), "deleted": deleted, "kept": kept})
        },
        async |stage| {
            let folder = stage.text("folder");
            let (deleted, kept) = (delete(&stage.arguments["deleted"]), delete(&stage.arguments["kept"]));
            let answers = write(stage, &[create(folder, 1), deleted, create(folder, 2), kept]).await;
            for (at, number) in [(0, 1), (2, 2)] {
                let seen = answers[at].as_ref().unwrap().as_ref().unwrap();
                assert_eq!((meaning(&seen.rendering), seen.mark.clone()), (card(number), Some(mark(number))));
            }
            assert!(matches!(answers[1], Ok(None)));
            assert_eq!(error_kind(&answers[3]), Some(ErrorKind::StaleEtag));
        },
    )
    .await;
}
