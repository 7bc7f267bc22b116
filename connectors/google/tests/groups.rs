//! Categories and contact groups while both sides change: a group that dies under a write, a category in another case.

mod connected;
#[path = "../../../tests/cassettes/deck.rs"]
#[allow(dead_code)]
mod deck;

use connected::google;
use deck::Time;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use twofold_google::Google;
use twofold_google::contacts::ContactsLens;
use twofold_model::{
    Connector, Content, Entry, ErrorKind, Identity, Kind, Lens, Mark, Next, Operation, Place, Poll, RemoteId, Seen,
    Since, Uid,
};
use twofold_sandbox::{Fault, Options, Provider, Rule, Sandbox};

struct World {
    sandbox: Sandbox,
    google: Google,
    time: Arc<Time>,
}

impl World {
    fn new() -> World {
        let sandbox = Sandbox::new(Options::empty().virtual_time());
        let time = Time::with(Some(&sandbox));
        World { google: google(deck::line(&sandbox), time.clone()), sandbox, time }
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

// ---- a list that never ends ------------------------------------------------------------------------------------------

/// Each page has another token, and the rows of the one before.
#[tokio::test]
async fn a_list_of_groups_without_end_is_left_after_a_hundred_pages() {
    let world = World::new();
    let row = json!({"resourceName": "contactGroups/a", "name": "Again", "groupType": "USER_CONTACT_GROUP"});
    for page in 0..500 {
        let body = Some(json!({"contactGroups": [row], "nextPageToken": format!("t{page}")}));
        let fault = Fault::Status { status: 200, retry_after: None, executed: false, body };
        world.sandbox.fault(Rule::any(fault).on(Provider::Google).path("contactGroups").times(1));
    }
    let feed = world.google.feeds(Kind::Contacts, &world.google.collections(Kind::Contacts).await.unwrap()).remove(0);
    let poll = Poll { feed: &feed, since: Since::Start, known: &HashMap::new() };
    let error = world.google.changes(&[poll]).await.remove(0).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Malformed);
    let words = error.to_string();
    assert!(words.contains("list groups") && words.contains("100 pages in a row"), "{words}");
    assert_eq!(world.sandbox.with(|state| state.faults.struck()), 101);
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

#[tokio::test]
async fn a_group_that_was_renamed_beside_one_that_died_is_followed_and_not_made_again() {
    let world = World::new();
    let climbers = world.sandbox.google_add_group("Climbers").unwrap();
    let divers = world.sandbox.google_add_group("Divers").unwrap();
    let (_, since) = world.round(Since::Start).await;
    world.sandbox.google_delete_group(&climbers).unwrap();
    world.sandbox.google_rename_group(&divers, "Swimmers").unwrap();
    let written = world.done(&[create("Ada", &["Climbers", "Divers"])]).await.remove(0);
    assert_eq!(world.labels(&written), ["Climbers", "Swimmers"]);
    assert_eq!(world.groups().len(), 2);
    // What was asked for is what was agreed on, and the new name is an edit of Google's.
    assert_eq!(keywords(&written), ["Climbers", "Divers"]);
    let (told, _) = world.round(since).await;
    assert_eq!(world.labels(&told[&written.remote_id]), ["Climbers", "Swimmers"]);
    let mut says = keywords(&told[&written.remote_id]);
    says.sort();
    assert_eq!(says, ["Climbers", "Swimmers"]);
}

// ---- a category in another case --------------------------------------------------------------------------------------

#[tokio::test]
async fn a_category_in_another_case_joins_the_group_and_the_list_tells_its_spelling() {
    for (asked, first) in
        [(&["climbers"][..], &[][..]), (&["Climbers", "climbers"], &["Climbers"]), (&["CLIMBERS"], &["Climbers"])]
    {
        let world = World::new();
        let climbers = world.sandbox.google_add_group("Climbers").unwrap();
        let ada = world.done(&[create("Ada", first)]).await.remove(0);
        let (_, since) = world.round(Since::Start).await;
        let written = world.done(&[label(&ada, asked)]).await.remove(0);
        assert_eq!(keywords(&written), asked, "what was asked for is what was agreed on");
        assert_eq!(world.groups(), BTreeMap::from([("Climbers".to_owned(), climbers)]));
        // What differs from that is an edit of Google's: the other places take its spelling, and nothing is sent back.
        let (told, since) = world.round(since).await;
        assert_eq!(keywords(&told[&ada.remote_id]), ["Climbers"]);
        assert!(world.round(since).await.0.is_empty());
    }
}

#[tokio::test]
async fn a_new_category_in_two_cases_is_one_group_and_both_take_its_spelling() {
    let world = World::new();
    let (_, since) = world.round(Since::Start).await;
    let written = world.done(&[create("Ada", &["Divers"]), create("Bob", &["divers"])]).await;
    assert_eq!(world.groups().len(), 1);
    assert_eq!(keywords(&written[1]), ["divers"]);
    let (told, _) = world.round(since).await;
    assert!(written.iter().all(|seen| keywords(&told[&seen.remote_id]) == ["Divers"]));
}

#[tokio::test]
async fn a_spelling_that_the_list_has_still_to_tell_is_not_settled_by_another_write() {
    let world = World::new();
    world.sandbox.google_add_group("Climbers").unwrap();
    let ada = world.done(&[create("Ada", &[])]).await.remove(0);
    let (_, since) = world.round(Since::Start).await;
    world.sandbox.switch(|switches| switches.list_lag_s = 180);
    world.time.passes(200_000);
    let labelled = world.done(&[label(&ada, &["climbers"])]).await.remove(0);
    let (lagging, since) = world.round(since).await;
    assert!(lagging.values().all(|seen| keywords(seen).is_empty()));
    let note = update(&labelled, |content| content["notes"] = json!({"note": {"note": "n"}}));
    let noted = world.done(&[note]).await.remove(0);
    assert_eq!(keywords(&noted), ["climbers"]);
    world.time.passes(200_000);
    assert_eq!(keywords(&world.round(since).await.0[&ada.remote_id]), ["Climbers"]);
}

#[tokio::test]
async fn a_category_spelt_like_a_group_that_was_just_renamed_joins_it() {
    let world = World::new();
    let group = world.sandbox.google_add_group("Climbers").unwrap();
    let ada = world.done(&[create("Ada", &["Climbers"])]).await.remove(0);
    let (_, since) = world.round(Since::Start).await;
    world.sandbox.google_rename_group(&group, "Pals").unwrap();
    let bob = world.done(&[create("Bob", &["pals"])]).await.remove(0);
    assert_eq!(keywords(&bob), ["pals"]);
    let (told, since) = world.round(since).await;
    assert!([&ada, &bob].iter().all(|seen| keywords(&told[&seen.remote_id]) == ["Pals"]));
    assert_eq!(world.groups(), BTreeMap::from([("Pals".to_owned(), group)]));
    assert!(world.round(since).await.0.is_empty());
}
