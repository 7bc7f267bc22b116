//! Categories and contact groups while both sides change: a group that dies under a write.

#[path = "../../../tests/cassettes/deck.rs"]
#[allow(dead_code)]
mod deck;

use async_trait::async_trait;
use deck::{TOKEN, Time};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use twofold_google::contacts::ContactsLens;
use twofold_google::{Google, GoogleDialect, GoogleOptions};
use twofold_http::{Client, ClientOptions, TokenSource};
use twofold_model::{
    Connector, Content, Entry, Identity, Kind, Lens, Mark, Next, Operation, Place, Poll, RemoteId, Result, Seen, Since,
    Uid,
};
use twofold_sandbox::{Options, Provider, Sandbox};

struct Token;

#[async_trait]
impl TokenSource for Token {
    async fn token(&self) -> Result<String> {
        Ok(TOKEN.into())
    }

    async fn renewed(&self, _: &str) -> Result<String> {
        Ok(TOKEN.into())
    }
}

struct World {
    sandbox: Sandbox,
    google: Google,
}

impl World {
    fn new() -> World {
        let sandbox = Sandbox::new(Options::empty().virtual_time());
        let time = Time::with(Some(&sandbox));
        let options = ClientOptions::new("http://127.0.0.1/google".parse().unwrap(), Arc::new(GoogleDialect));
        let options = options.token(Arc::new(Token)).transport(deck::line(&sandbox)).clock(time);
        World { google: Google::new(GoogleOptions { people: Client::new(options).unwrap() }), sandbox }
    }

    /// All that a round tells, and where the next begins.
    async fn round(&self, since: Since) -> (BTreeMap<RemoteId, Seen>, Since) {
        let collections = self.google.collections(Kind::Contacts).await.unwrap();
        let feed = self.google.feeds(Kind::Contacts, &collections).remove(0);
        let (known, mut since, mut told) = (HashMap::new(), since, BTreeMap::new());
        loop {
            let page = self.google.changes(&[Poll { feed: &feed, since, known: &known }]).await.remove(0).unwrap();
            for entry in page.entries {
                if let Entry::Seen(seen) = entry {
                    told.insert(seen.remote_id.clone(), *seen);
                }
            }
            match page.next {
                Next::Page(link) => since = Since::Page(link),
                Next::Done(token) => return (told, Since::Token(token)),
            }
        }
    }

    /// Writes operations that all have to succeed.
    async fn done(&self, operations: &[Operation]) -> Vec<Seen> {
        let answers = self.google.write(Kind::Contacts, operations).await;
        answers.into_iter().map(|answer| answer.unwrap().unwrap()).collect()
    }

    /// The user's groups there by name.
    fn groups(&self) -> BTreeMap<String, String> {
        let dump = self.sandbox.with(|state| state.dump());
        let groups = dump["google"]["groups"].as_object().unwrap().clone();
        groups.into_iter().map(|(resource, name)| (name.as_str().unwrap().to_owned(), resource)).collect()
    }

    /// The names of the user's groups that the contact is in there.
    fn labels(&self, seen: &Seen) -> Vec<String> {
        let person = self.sandbox.google_person(seen.remote_id.as_str()).unwrap()["memberships"].to_string();
        self.groups().into_iter().filter(|(_, resource)| person.contains(resource)).map(|(name, _)| name).collect()
    }
}

fn read(seen: &Seen) -> Content {
    ContactsLens.read(&seen.rendering).unwrap()
}

fn keywords(seen: &Seen) -> Vec<String> {
    let content = read(seen);
    let keywords = content.get("keywords").and_then(Value::as_object);
    keywords.into_iter().flatten().map(|(keyword, _)| keyword.clone()).collect()
}

fn create(name: &str, keywords: &[&str]) -> Operation {
    let mut content = json!({"name": {"components": [{"kind": "given", "value": name}]}});
    keywords.iter().for_each(|keyword| content["keywords"][keyword] = json!(true));
    let (uid, mark) = (Uid(format!("urn:uuid:{name}")), Mark { hub: "hub".into(), item: name.into(), generation: 1 });
    let identity = Identity { uid: uid.clone(), mark: Some(mark.clone()) };
    let rendering = ContactsLens.write(None, &Content::from_value(content), &identity).unwrap();
    Operation::Create { collection: "connections".into(), rendering, uid, mark }
}

fn update(seen: &Seen, change: impl FnOnce(&mut Value)) -> Operation {
    let mut content = read(seen).to_value();
    change(&mut content);
    let nobody = Identity { uid: Uid("u".into()), mark: None };
    let to = ContactsLens.write(Some(&seen.rendering), &Content::from_value(content), &nobody).unwrap();
    let place = Place { remote_id: seen.remote_id.clone(), collection: seen.collection.clone() };
    Operation::Update { place, etag: seen.etag.clone(), from: seen.rendering.clone(), to }
}

fn label(seen: &Seen, keywords: &[&str]) -> Operation {
    update(seen, |content| {
        content["keywords"] = keywords.iter().map(|keyword| ((*keyword).to_owned(), json!(true))).collect();
    })
}

// ---- a group that dies under a write --------------------------------------------------------------------------------

#[tokio::test]
async fn a_group_that_died_after_it_was_listed_is_made_again_and_keeps_nobody_back() {
    for people_dead_group_status in [400, 404, 200] {
        let world = World::new();
        world.sandbox.switch(|switches| switches.people_dead_group_status = people_dead_group_status);
        let climbers = world.sandbox.google_add_group("Climbers").unwrap();
        let divers = world.sandbox.google_add_group("Divers").unwrap();
        let people: Vec<Operation> = ["Ada", "Bob", "Cyd"].map(|name| create(name, &["Divers"])).into();
        let there = world.done(&people).await;
        let (_, since) = world.round(Since::Start).await;
        world.sandbox.google_delete_group(&climbers).unwrap();
        world.sandbox.reset_counts();
        // Two creates and two updates, one of each with the dead group; and a single one of each.
        let batches = [
            vec![create("Eve", &["Climbers"]), create("Fay", &["Divers"]), create("Gus", &[])],
            vec![label(&there[0], &["Divers", "Climbers"]), label(&there[1], &[])],
            vec![create("Hal", &["Climbers"])],
            vec![label(&there[2], &["Climbers"])],
        ];
        let mut written = Vec::new();
        for batch in &batches {
            written.extend(world.done(batch).await);
        }
        let wanted: [&[&str]; 7] =
            [&["Climbers"], &["Divers"], &[], &["Climbers", "Divers"], &[], &["Climbers"], &["Climbers"]];
        assert_eq!(world.groups().len(), 2, "the group is made once");
        assert_eq!(world.groups()["Divers"], divers);
        assert_ne!(world.groups()["Climbers"], climbers);
        for (seen, wanted) in written.iter().zip(wanted) {
            assert_eq!(world.labels(seen), wanted, "{people_dead_group_status}");
            let mut says = keywords(seen);
            says.sort();
            assert_eq!(says, wanted, "and the answer says so");
        }
        assert_eq!(world.sandbox.google_people().len(), 7, "nobody is doubled");
        // Four batches, one group, and one of the four or so repeated: the group is known from then on.
        let writes = world.sandbox.writes(Provider::Google);
        assert!(writes <= 6, "{people_dead_group_status}: {writes} writes");
        let (told, _) = world.round(since).await;
        for seen in &written {
            assert_eq!(read(&told[&seen.remote_id]), read(seen), "the list has nothing to add");
        }
    }
}

#[tokio::test]
async fn a_contact_that_is_refused_for_another_reason_is_refused_once_and_its_group_stays() {
    let world = World::new();
    let climbers = world.sandbox.google_add_group("Climbers").unwrap();
    let mut bad = create("Bad", &["Climbers"]);
    if let Operation::Create { rendering, .. } = &mut bad {
        *rendering =
            json!({"names": [{"givenName": "a"}, {"givenName": "b"}], "groups": ["Climbers"]}).to_string().into();
    }
    let answers = world.google.write(Kind::Contacts, &[create("Ada", &["Climbers"]), bad]).await;
    assert!(answers[0].is_ok() && answers[1].is_err());
    assert_eq!(world.sandbox.google_people().len(), 1);
    assert_eq!(world.groups(), BTreeMap::from([("Climbers".to_owned(), climbers)]));
}
