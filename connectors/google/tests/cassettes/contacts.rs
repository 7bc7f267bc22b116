//! Contacts.

use crate::connected::{google, people};
use crate::deck::{self, Stage, ask, play};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashMap};
use twofold_google::contacts::groups::{GroupTable, MY_CONTACTS};
use twofold_google::contacts::rendering::{
    MARK_KEY, changed_fields, changed_person, client_data, new_person, parse, reduce, serialise,
};
use twofold_google::contacts::wire::{Object, PERSON_FIELDS, Person};
use twofold_google::contacts::{ContactsLens, api};
use twofold_http::Client;
use twofold_model::{
    Connector, Content, Entry, ErrorKind, Etag, Identity, Kind, Lens, Mark, Next, Poll, Since, Uid, card,
};
use twofold_sandbox::google::tiny_png;
use twofold_sandbox::{Fault, Provider, Rule, Sandbox};

const PLACE: &str = "google/contacts";

/// Every function of `api.rs` that builds a request, and how its request is told.
const OPERATIONS: [(&str, &str, &str); 16] = [
    ("list_groups", "GET", "/v1/contactGroups?pageSize=1000"),
    ("create_group", "POST", "/v1/contactGroups"),
    ("connections", "GET", "/v1/people/me/connections?personFields=addresses"),
    ("marks", "GET", "/v1/people/me/connections?personFields=clientData%2Cmetadata"),
    ("get", "GET", "/v1/people/*?personFields=addresses"),
    ("batch_get", "GET", "/v1/people:batchGet?personFields=addresses"),
    ("batch_get_etags", "GET", "/v1/people:batchGet?personFields=metadata"),
    ("create", "POST", "/v1/people:createContact?personFields"),
    ("batch_create", "POST", "/v1/people:batchCreateContacts"),
    ("update", "PATCH", "/v1/people/*:updateContact?updatePersonFields"),
    ("batch_update", "POST", "/v1/people:batchUpdateContacts"),
    ("delete", "DELETE", "/v1/people/*:deleteContact"),
    ("batch_delete", "POST", "/v1/people:batchDeleteContacts"),
    ("set_photo", "PATCH", "/v1/people/*:updateContactPhoto"),
    ("delete_photo", "DELETE", "/v1/people/*:deleteContactPhoto?personFields"),
    ("photo", "GET", "-photos/*?sz=2048"),
];

#[test]
fn every_operation_has_a_cassette_and_every_cassette_is_played() {
    deck::assert_every_operation_is_recorded(PLACE, include_str!("../../src/contacts/api.rs"), &OPERATIONS);
    deck::assert_all_are_played(PLACE, include_str!("contacts.rs"));
    // What the operations are called; the other texts with spaces are errors and begin with an article.
    let production = include_str!("../../src/contacts/api.rs").split("#[cfg(test)]").next().unwrap();
    let is_name = |text: &&str| {
        let is_plain = text.bytes().all(|b| b == b' ' || b.is_ascii_lowercase());
        is_plain && text.contains(' ') && text.contains("contact") && !text.starts_with("the ")
    };
    let names: BTreeSet<&str> = production.split('"').skip(1).step_by(2).filter(is_name).collect();
    assert!(names.len() >= 15, "{names:?}");
    deck::assert_every_name_is_recorded(PLACE, &names.into_iter().collect::<Vec<_>>());
}

// The sides

fn client(stage: &Stage) -> Client {
    people(stage.transport.clone(), stage.clock())
}

/// The failure of a request that has to fail.
async fn failure(stage: &Stage, request: twofold_http::Request) -> ErrorKind {
    client(stage).send(request).await.unwrap_err().kind
}

fn named(number: u8) -> Value {
    json!({"names": [{"givenName": format!("Word {number}")}]})
}

fn add(sandbox: &Sandbox, person: &Value) -> String {
    sandbox.google_create(person).unwrap()
}

fn there(sandbox: &Sandbox, name: &str) -> Value {
    let query = format!("personFields={PERSON_FIELDS}&sources=READ_SOURCE_TYPE_CONTACT");
    ask(sandbox, Provider::Google, &format!("/google/v1/{name}?{query}"))
}

fn sync_token(sandbox: &Sandbox, list: &str) -> Value {
    ask(sandbox, Provider::Google, &format!("/google/v1/{list}"))["nextSyncToken"].clone()
}

fn people_token(sandbox: &Sandbox) -> Value {
    let query = format!("personFields={PERSON_FIELDS}&pageSize=1000&sources=READ_SOURCE_TYPE_CONTACT");
    sync_token(sandbox, &format!("people/me/connections?{query}&requestSyncToken=true"))
}

fn object(value: &Value) -> Object {
    value.as_object().unwrap().clone()
}

/// What the connector makes of a person.
fn reduced(person: &Value) -> Object {
    reduce(Person(object(person)), &GroupTable::default(), &mut BTreeSet::new())
}

fn meaning(person: &Person) -> Content {
    ContactsLens.read(&serialise(&reduced(&Value::Object(person.0.clone())))).unwrap()
}

fn name_of(person: &Person) -> String {
    card::display_name(&meaning(person)).unwrap()
}

fn resource(person: &Person) -> &str {
    person.resource_name().unwrap()
}

fn mark(item: u8) -> Mark {
    Mark { hub: "hub-00000001".into(), item: format!("item-0000000{item}"), generation: 1 }
}

fn contact(number: u8) -> Content {
    let address = format!("person{number}@example.org");
    Content::from_value(json!({
        "name": {"components": [{"kind": "given", "value": format!("Word {number}")}]},
        "emails": {card::key(&address): {"address": address}},
    }))
}

/// The person that the connector sends for a new contact.
fn new(number: u8) -> Object {
    let identity = Identity { uid: Uid(format!("urn:uuid:0000-{number}")), mark: Some(mark(number)) };
    let rendering = ContactsLens.write(None, &contact(number), &identity).unwrap();
    new_person(&parse(&rendering).unwrap(), |_| None)
}

/// Resource name, person and mask of an update that gives a nickname.
fn renamed(person: &Value, nickname: &str) -> (String, Object, String) {
    let from = reduced(person);
    let rendering = serialise(&from);
    let mut content = ContactsLens.read(&rendering).unwrap();
    content.set("nicknames", json!({card::key(nickname): {"name": nickname}}));
    let nobody = Identity { uid: Uid("u".into()), mark: None };
    let to = parse(&ContactsLens.write(Some(&rendering), &content, &nobody).unwrap()).unwrap();
    let mask = changed_fields(&from, &to);
    let name = person["resourceName"].as_str().unwrap().to_owned();
    let etag = Person(from.clone()).contact_source().unwrap().etag.to_owned();
    let sent = changed_person(&name, &Etag(etag), &to, &mask, |_| None).unwrap();
    (name, sent, mask.join(","))
}

// Groups

#[tokio::test]
async fn groups_are_told_apart_by_their_type() {
    play(
        PLACE,
        "list_groups",
        "The groups of the system and of the user come in one list; the type tells them apart.",
        |sandbox| json!({"resourceName": sandbox.google_add_group("Word 1").unwrap()}),
        async |stage| {
            let answer = client(stage).send(api::list_groups(None, None)).await.unwrap();
            let page = api::read_groups(&answer).unwrap();
            let mut table = GroupTable::default();
            page.contact_groups.iter().for_each(|group| table.take(group));
            assert_eq!(table.resource("Word 1"), Some(stage.text("resourceName")));
            assert!(table.knows(MY_CONTACTS) && table.name(MY_CONTACTS).is_none());
            assert!(page.next_page_token.is_none() && page.next_sync_token.is_some());
        },
    )
    .await;
    play(
        PLACE,
        "list_groups_since",
        "Since a sync token only what changed comes, a removed group as a tombstone.",
        |sandbox| {
            let gone = sandbox.google_add_group("Word 1").unwrap();
            sandbox.google_add_group("Word 2").unwrap();
            let token = sync_token(sandbox, "contactGroups?pageSize=1000&groupFields=groupType,metadata,name");
            sandbox.google_delete_group(&gone).unwrap();
            json!({"syncToken": token, "gone": {"resourceName": gone}})
        },
        async |stage| {
            let request = api::list_groups(Some(stage.text("syncToken")), None);
            let page = api::read_groups(&client(stage).send(request).await.unwrap()).unwrap();
            let [group] = page.contact_groups.as_slice() else { panic!("{:?}", page.contact_groups) };
            assert!(group.is_deleted());
            assert_eq!(group.resource_name, stage.arguments["gone"]["resourceName"]);
        },
    )
    .await;
}

#[tokio::test]
async fn a_group_is_made_once() {
    play(
        PLACE,
        "create_group",
        "A new group is answered with its resource name.",
        |_| json!({}),
        async |stage| {
            let answer = client(stage).send(api::create_group("Word 1")).await.unwrap();
            let mut table = GroupTable::default();
            let group = api::read_group(&answer).unwrap();
            table.take(&group);
            assert_eq!(table.resource("Word 1"), Some(group.resource_name.as_str()));
        },
    )
    .await;
    play(
        PLACE,
        "create_group_409_exists",
        "A name that is taken is refused; the connector then looks for the group.",
        |sandbox| json!({"resourceName": sandbox.google_add_group("Word 1").unwrap()}),
        async |stage| {
            let kind = failure(stage, api::create_group("Word 1")).await;
            assert!([ErrorKind::Refused, ErrorKind::StaleEtag].contains(&kind), "{kind:?}");
        },
    )
    .await;
}

// Lists

#[tokio::test]
async fn a_full_listing_is_read_to_its_end() {
    play(
        PLACE,
        "connections",
        "A full listing in pages; the last one brings the sync token. Groups first, they name the memberships.",
        |sandbox| {
            sandbox.switch(|switches| switches.page_size_cap = 2);
            let group = sandbox.google_add_group("Word 9").unwrap();
            let names: Vec<String> = (1..=3).map(|number| add(sandbox, &named(number))).collect();
            sandbox.google_members(&group, &[&names[0]], &[]).unwrap();
            json!({"resourceNames": names})
        },
        async |stage| {
            let google = google(stage.transport.clone(), stage.clock());
            let feed = google.feeds(Kind::Contacts, &google.collections(Kind::Contacts).await.unwrap()).remove(0);
            let known = HashMap::new();
            let (mut since, mut pages, mut people) = (Since::Start, 0, HashMap::new());
            let token = loop {
                let page = google.changes(&[Poll { feed: &feed, since, known: &known }]).await.remove(0).unwrap();
                pages += 1;
                for entry in page.entries {
                    let Entry::Seen(seen) = entry else { panic!("{entry:?}") };
                    people.insert(seen.remote_id.0.clone(), ContactsLens.read(&seen.rendering).unwrap());
                }
                match page.next {
                    Next::Page(link) => since = Since::Page(link),
                    Next::Done(token) => break token,
                }
            };
            assert_eq!((pages, people.len()), (2, 3));
            for (number, name) in stage.arguments["resourceNames"].as_array().unwrap().iter().enumerate() {
                let person = &people[name.as_str().unwrap()];
                assert_eq!(card::display_name(person), Some(format!("Word {}", number + 1)));
                let keywords = (number == 0).then(|| json!({"Word 9": true}));
                assert_eq!(person.get("keywords"), keywords.as_ref(), "{name}");
            }
            assert!(!token.as_str().is_empty());
        },
    )
    .await;
}

#[tokio::test]
async fn a_delta_tells_edits_removals_and_merges() {
    play(
        PLACE,
        "connections_since",
        "Since a sync token: the edited whole, the removed as a tombstone with nothing but its name.",
        |sandbox| {
            let [edited, gone, _] = [1, 2, 3].map(|number| add(sandbox, &named(number)));
            let token = people_token(sandbox);
            sandbox.google_edit(&edited, |person| person["names"][0]["givenName"] = json!("Word 4")).unwrap();
            sandbox.google_delete(&gone).unwrap();
            json!({"syncToken": token, "edited": {"resourceName": edited}, "gone": {"resourceName": gone}})
        },
        async |stage| {
            let request = api::connections(Some(stage.text("syncToken")), None, true);
            let page = api::read_connections(&client(stage).send(request).await.unwrap()).unwrap();
            let (gone, edited): (Vec<&Person>, Vec<&Person>) = page.connections.iter().partition(|p| p.is_deleted());
            assert_eq!((gone.len(), edited.len()), (1, 1));
            assert_eq!(stage.arguments["gone"]["resourceName"], resource(gone[0]));
            assert_eq!(stage.arguments["edited"]["resourceName"], resource(edited[0]));
            assert_eq!(name_of(edited[0]), "Word 4");
            assert!(page.next_page_token.is_none() && page.next_sync_token.is_some());
        },
    )
    .await;
    play(
        PLACE,
        "connections_since_merged",
        "Two persons were merged: the one that stays names the former one, so a copy is followed and not doubled.",
        |sandbox| {
            let [keep, gone] = [1, 2].map(|number| add(sandbox, &named(number)));
            let token = people_token(sandbox);
            let merged = sandbox.google_merge(&keep, &gone).unwrap();
            json!({"syncToken": token, "merged": {"resourceName": merged}, "gone": {"resourceName": gone}})
        },
        async |stage| {
            let request = api::connections(Some(stage.text("syncToken")), None, true);
            let page = api::read_connections(&client(stage).send(request).await.unwrap()).unwrap();
            let merged =
                page.connections.iter().find(|person| stage.arguments["merged"]["resourceName"] == resource(person));
            let former: Vec<&str> = merged.unwrap().previous_names().collect();
            assert!(former.contains(&stage.arguments["gone"]["resourceName"].as_str().unwrap()), "{former:?}");
        },
    )
    .await;
}

#[tokio::test]
async fn a_dead_sync_token_asks_for_a_full_listing() {
    play(
        PLACE,
        "connections_400_token_expired",
        "EXPIRED_SYNC_TOKEN is a 400 with a reason; it asks for a full listing and says nothing of any contact.",
        |sandbox| {
            add(sandbox, &named(1));
            let token = people_token(sandbox);
            sandbox.google_expire_sync_tokens();
            json!({"syncToken": token})
        },
        async |stage| {
            let request = api::connections(Some(stage.text("syncToken")), None, true);
            assert_eq!(failure(stage, request).await, ErrorKind::TokenExpired);
        },
    )
    .await;
}

#[tokio::test]
async fn a_mark_is_found_in_the_list_of_marks() {
    play(
        PLACE,
        "marks",
        "A create whose reply was lost is found by its mark in clientData.",
        |sandbox| {
            let mut ours = named(1);
            ours["clientData"] = json!([{"key": MARK_KEY, "value": mark(1).to_string()}]);
            add(sandbox, &named(2));
            json!({"resourceName": add(sandbox, &ours)})
        },
        async |stage| {
            let page = api::read_connections(&client(stage).send(api::marks(None)).await.unwrap()).unwrap();
            let is_ours = |person: &&Person| client_data(&person.0, MARK_KEY).and_then(Mark::parse) == Some(mark(1));
            let found: Vec<&str> = page.connections.iter().filter(is_ours).map(resource).collect();
            assert_eq!((page.connections.len(), found), (2, vec![stage.text("resourceName")]));
        },
    )
    .await;
}

// Single persons

#[tokio::test]
async fn a_person_is_read_and_only_a_404_says_that_it_is_gone() {
    play(
        PLACE,
        "get",
        "One contact with all fields that are read.",
        |sandbox| {
            let mut person = named(1);
            person["emailAddresses"] = json!([{"value": "person1@example.org", "type": "work"}]);
            person["phoneNumbers"] = json!([{"value": "+15550000001"}]);
            person["birthdays"] = json!([{"date": {"year": 1815, "month": 12, "day": 10}}]);
            json!({"resourceName": add(sandbox, &person)})
        },
        async |stage| {
            let answer = client(stage).send(api::get(stage.text("resourceName"))).await.unwrap();
            let content = meaning(&api::read_person(&answer).unwrap());
            assert_eq!(
                content.at(&["emails", &card::key("person1@example.org"), "contexts", "work"]),
                Some(&json!(true))
            );
            assert_eq!(content.at(&["anniversaries", "birth", "date", "year"]), Some(&json!(1815)));
            assert_eq!(content.get("phones").unwrap().as_object().unwrap().len(), 1);
        },
    )
    .await;
    play(
        PLACE,
        "get_404",
        "A contact that was removed is not there; that alone says that it is gone.",
        |sandbox| {
            let name = add(sandbox, &named(1));
            sandbox.google_delete(&name).unwrap();
            json!({"resourceName": name})
        },
        async |stage| assert_eq!(failure(stage, api::get(stage.text("resourceName"))).await, ErrorKind::NotFound),
    )
    .await;
    play(
        PLACE,
        "get_429_then_200",
        "A read that is throttled is sent again after the pause that the answer asks for.",
        |sandbox| {
            sandbox.fault(Rule::any(Fault::throttled("3")).on(Provider::Google).times(1));
            json!({"resourceName": add(sandbox, &named(1))})
        },
        async |stage| {
            let client = client(stage);
            let answer = client.send(api::get(stage.text("resourceName"))).await.unwrap();
            assert_eq!(name_of(&api::read_person(&answer).unwrap()), "Word 1");
            assert_eq!(client.counters().requests, 2);
        },
    )
    .await;
}

#[tokio::test]
async fn each_name_of_a_batch_has_its_own_answer() {
    play(
        PLACE,
        "batch_get",
        "Each name has its own status; one that is gone does not keep the others from being read.",
        |sandbox| {
            let names = [1, 2, 3].map(|number| add(sandbox, &named(number)));
            sandbox.google_delete(&names[1]).unwrap();
            json!({"resourceNames": names})
        },
        async |stage| {
            let names = stage.arguments["resourceNames"].as_array().unwrap();
            let names: Vec<&str> = names.iter().filter_map(Value::as_str).collect();
            let answer = client(stage).send(api::batch_get(&names)).await.unwrap();
            let persons = api::read_batch_get(&answer, &names).unwrap();
            assert_eq!(persons[1].as_ref().unwrap_err().kind, ErrorKind::NotFound);
            for (at, word) in [(0, "Word 1"), (2, "Word 3")] {
                let person = persons[at].as_ref().unwrap();
                assert_eq!((resource(person), name_of(person).as_str()), (names[at], word));
            }
        },
    )
    .await;
    play(
        PLACE,
        "batch_get_etags",
        "Before a delete, which takes no guard, the etags alone are looked at.",
        |sandbox| {
            let name = add(sandbox, &named(1));
            json!({"person": there(sandbox, &name)})
        },
        async |stage| {
            let was = Person(object(&stage.arguments["person"]));
            let names = [resource(&was)];
            let answer = client(stage).send(api::batch_get_etags(&names)).await.unwrap();
            let person = api::read_batch_get(&answer, &names).unwrap().remove(0).unwrap();
            assert_eq!(person.contact_source().unwrap().etag, was.contact_source().unwrap().etag);
        },
    )
    .await;
}

// Writes

#[tokio::test]
async fn what_is_created_comes_back_with_name_mark_and_guard() {
    play(
        PLACE,
        "create",
        "The answer to a create shows the contact as it now is, with its mark and the etag for the next change.",
        |_| json!({}),
        async |stage| {
            let answer = client(stage).send(api::create(&new(1))).await.unwrap();
            let person = api::read_person(&answer).unwrap();
            assert_eq!(client_data(&person.0, MARK_KEY).and_then(Mark::parse), Some(mark(1)));
            assert_eq!(meaning(&person), contact(1));
            assert!(!person.contact_source().unwrap().etag.is_empty());
        },
    )
    .await;
    play(
        PLACE,
        "batch_create",
        "Many creates in one request; each answer is found by the mark it carries.",
        |_| json!({}),
        async |stage| {
            let (one, two) = (new(1), new(2));
            let sent = [&one, &two];
            let answer = client(stage).send(api::batch_create(&sent)).await.unwrap();
            let persons = api::read_batch_create(&answer, &sent).unwrap();
            for (number, person) in (1..).zip(&persons) {
                assert_eq!(meaning(person.as_ref().unwrap()), contact(number));
            }
            assert_ne!(resource(persons[0].as_ref().unwrap()), resource(persons[1].as_ref().unwrap()));
        },
    )
    .await;
}

#[tokio::test]
async fn an_update_is_guarded_by_the_etag_of_the_contact_source() {
    play(
        PLACE,
        "update",
        "An update sends the changed field and the guard, and is answered with a new etag.",
        |sandbox| {
            let name = add(sandbox, &named(1));
            json!({"person": there(sandbox, &name)})
        },
        async |stage| {
            let (name, person, mask) = renamed(&stage.arguments["person"], "Word 2");
            assert_eq!(mask, "nicknames");
            let answer = client(stage).send(api::update(&name, &person, &mask)).await.unwrap();
            let after = api::read_person(&answer).unwrap();
            assert!(meaning(&after).get("nicknames").unwrap().to_string().contains("Word 2"));
            assert_eq!(name_of(&after), "Word 1");
            let before = Person(object(&stage.arguments["person"]));
            assert_ne!(after.contact_source().unwrap().etag, before.contact_source().unwrap().etag);
        },
    )
    .await;
    play(
        PLACE,
        "update_400_stale_etag",
        "Somebody else changed it meanwhile: 400 FAILED_PRECONDITION, and nothing is overwritten.",
        |sandbox| {
            let name = add(sandbox, &named(1));
            let person = there(sandbox, &name);
            sandbox.google_edit(&name, |person| person["names"][0]["givenName"] = json!("Word 3")).unwrap();
            json!({"person": person})
        },
        async |stage| {
            let (name, person, mask) = renamed(&stage.arguments["person"], "Word 2");
            assert_eq!(failure(stage, api::update(&name, &person, &mask)).await, ErrorKind::StaleEtag);
        },
    )
    .await;
    play(
        PLACE,
        "batch_update",
        "Updates with one mask go together; the answers are named by resource.",
        |sandbox| {
            let people = [1, 2].map(|number| add(sandbox, &named(number)));
            let people = people.map(|name| there(sandbox, &name));
            json!({"people": people})
        },
        async |stage| {
            let people = stage.arguments["people"].as_array().unwrap();
            let sent: Vec<(String, Object, String)> = people.iter().map(|person| renamed(person, "Word 3")).collect();
            let persons: Vec<(&str, &Object)> = sent.iter().map(|(name, person, _)| (name.as_str(), person)).collect();
            let names: Vec<&str> = persons.iter().map(|(name, _)| *name).collect();
            let answer = client(stage).send(api::batch_update(&persons, "nicknames")).await.unwrap();
            for (name, person) in names.iter().zip(api::read_batch_update(&answer, &names).unwrap()) {
                let person = person.unwrap();
                assert_eq!(resource(&person), *name);
                assert!(meaning(&person).get("nicknames").unwrap().to_string().contains("Word 3"));
            }
        },
    )
    .await;
}

#[tokio::test]
async fn contacts_are_deleted_alone_and_together() {
    play(
        PLACE,
        "delete",
        "A delete is answered with an empty object.",
        |sandbox| json!({"resourceName": add(sandbox, &named(1))}),
        async |stage| {
            let answer = client(stage).send(api::delete(stage.text("resourceName"))).await.unwrap();
            assert_eq!(answer.json::<Value>().unwrap(), json!({}));
        },
    )
    .await;
    play(
        PLACE,
        "delete_404",
        "It was deleted before: as asked.",
        |sandbox| {
            let name = add(sandbox, &named(1));
            sandbox.google_delete(&name).unwrap();
            json!({"resourceName": name})
        },
        async |stage| assert_eq!(failure(stage, api::delete(stage.text("resourceName"))).await, ErrorKind::NotFound),
    )
    .await;
    play(
        PLACE,
        "batch_delete",
        "Many deletes in one request, whole or not at all.",
        |sandbox| {
            let names = [1, 2].map(|number| add(sandbox, &named(number)));
            json!({"resourceNames": names})
        },
        async |stage| {
            let names = stage.arguments["resourceNames"].as_array().unwrap();
            let names: Vec<&str> = names.iter().filter_map(Value::as_str).collect();
            assert!(client(stage).send(api::batch_delete(&names)).await.unwrap().is_success());
        },
    )
    .await;
}

// Photos

#[tokio::test]
async fn a_photo_is_set_taken_away_and_downloaded() {
    play(
        PLACE,
        "set_photo",
        "A photo is sent as base64; the answer shows the contact with the photo's address and a new etag.",
        |sandbox| {
            let name = add(sandbox, &named(1));
            json!({"person": there(sandbox, &name), "photoBytes": STANDARD.encode(tiny_png([1, 0, 0]))})
        },
        async |stage| {
            let before = Person(object(&stage.arguments["person"]));
            let request = api::set_photo(resource(&before), stage.text("photoBytes"));
            let after = api::read_photo_change(&client(stage).send(request).await.unwrap()).unwrap();
            assert_eq!(resource(&after), resource(&before));
            assert_ne!(after.contact_source().unwrap().etag, before.contact_source().unwrap().etag);
            let photo = |person: &Person| person.items("photos")[0]["default"] == json!(true);
            assert!(photo(&before) && !photo(&after), "the letter tile is no photo");
        },
    )
    .await;
    play(
        PLACE,
        "delete_photo",
        "After its photo was taken away a contact shows the generated tile again.",
        |sandbox| {
            let name = add(sandbox, &named(1));
            sandbox.google_set_photo(&name, Some(tiny_png([1, 0, 0]))).unwrap();
            json!({"resourceName": name})
        },
        async |stage| {
            let answer = client(stage).send(api::delete_photo(stage.text("resourceName"))).await.unwrap();
            let person = api::read_photo_change(&answer).unwrap();
            assert_eq!(person.items("photos")[0]["default"], true);
        },
    )
    .await;
    play(
        PLACE,
        "photo",
        "A photo's address is asked for a large size, and leads to a picture.",
        |sandbox| {
            let name = add(sandbox, &named(1));
            sandbox.google_set_photo(&name, Some(tiny_png([1, 0, 0]))).unwrap();
            json!({"url": there(sandbox, &name)["photos"][0]["url"]})
        },
        async |stage| {
            let answer = client(stage).send(api::photo(stage.text("url"))).await.unwrap();
            let (media_type, bytes) = api::read_photo(answer).unwrap();
            assert_eq!((media_type.as_str(), &bytes[1..4]), ("image/png", b"PNG".as_slice()));
        },
    )
    .await;
}
