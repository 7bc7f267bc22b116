//! The connector against the stand-in of People, over a socket.

use async_trait::async_trait;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use twofold_google::{Google, GoogleDialect, GoogleOptions};
use twofold_http::{Client, ClientOptions, ManualClock, TokenSource};
use twofold_model::patch::canonical_text;
use twofold_model::{
    Connector, Content, DeltaToken, Entry, ErrorKind, Etag, Feed, Found, Identity, Kind, Lens, Lookup, Mark, Next,
    Operation, Place, Poll, RemoteId, Result, Seen, Since, Uid, Written, card,
};
use twofold_sandbox::google::tiny_png;
use twofold_sandbox::{Fault, Options, Provider, Rule, Running, Sandbox, Switches};

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

/// A connector and the place it speaks to.
struct World {
    sandbox: Sandbox,
    google: Google,
    feed: Feed,
    _running: Running,
}

/// All that a round said.
#[derive(Default)]
struct Round {
    seen: BTreeMap<RemoteId, Seen>,
    gone: Vec<RemoteId>,
    renamed: Vec<(RemoteId, RemoteId)>,
    bad: Vec<RemoteId>,
    pages: usize,
    token: Option<DeltaToken>,
}

impl Round {
    fn since(&self) -> Since {
        Since::Token(self.token.clone().unwrap())
    }

    fn named(&self, name: &str) -> &Seen {
        let is_it = |seen: &&Seen| card::display_name(&read(seen)).as_deref() == Some(name);
        self.seen.values().find(is_it).unwrap_or_else(|| panic!("nobody is called {name}"))
    }
}

impl World {
    async fn with(options: Options) -> Self {
        let sandbox = Sandbox::new(options);
        let running = sandbox.start(0).await.unwrap();
        let token = sandbox.access_token(Provider::Google);
        let url = sandbox.urls().google_people.parse().unwrap();
        let options = ClientOptions::new(url, Arc::new(GoogleDialect))
            .token(Arc::new(Token(token)))
            .clock(Arc::new(ManualClock::hurried(1_767_254_400_000)));
        let google = Google::new(GoogleOptions { people: Client::new(options).unwrap(), calendar: None, mail: None });
        let collections = google.collections(Kind::Contacts).await.unwrap();
        let feed = google.feeds(Kind::Contacts, &collections).remove(0);
        Self { sandbox, google, feed, _running: running }
    }

    async fn empty() -> Self {
        Self::with(Options::empty().virtual_time()).await
    }

    async fn page(&self, since: Since) -> Result<twofold_model::Page> {
        let known = HashMap::new();
        self.google.changes(&[Poll { feed: &self.feed, since, known: &known }]).await.remove(0)
    }

    async fn round(&self, since: Since) -> Result<Round> {
        let mut round = Round::default();
        let mut since = since;
        loop {
            let page = self.page(since).await?;
            round.pages += 1;
            for entry in page.entries {
                match entry {
                    Entry::Seen(seen) => drop(round.seen.insert(seen.remote_id.clone(), *seen)),
                    Entry::Gone(id) => round.gone.push(id),
                    Entry::Renamed { from, to } => round.renamed.push((from, to)),
                    Entry::Bad { remote_id, .. } => round.bad.push(remote_id),
                }
            }
            match page.next {
                Next::Page(link) => since = Since::Page(link),
                Next::Done(token) => {
                    round.token = Some(token);
                    return Ok(round);
                }
            }
        }
    }

    async fn write(&self, operations: &[Operation]) -> Vec<Result<Written>> {
        self.google.write(Kind::Contacts, operations).await
    }

    /// Writes one operation that has to succeed.
    async fn done(&self, operation: Operation) -> Seen {
        self.write(&[operation]).await.remove(0).unwrap().unwrap()
    }

    async fn fetch(&self, seen: &Seen) -> Option<Seen> {
        let place = place(seen);
        self.google.fetch(Kind::Contacts, &[place]).await.remove(0).unwrap()
    }

    /// The contact as it stands there now.
    fn there(&self, seen: &Seen) -> Value {
        self.sandbox.google_person(seen.remote_id.as_str()).unwrap()
    }

    fn requests(&self) -> u64 {
        self.sandbox.requests(Provider::Google)
    }
}

fn lens() -> &'static dyn Lens {
    &twofold_google::contacts::ContactsLens
}

fn read(seen: &Seen) -> Content {
    lens().read(&seen.rendering).unwrap()
}

fn place(seen: &Seen) -> Place {
    Place { remote_id: seen.remote_id.clone(), collection: seen.collection.clone() }
}

fn card_of(value: Value) -> Content {
    Content::from_value(value)
}

fn ada() -> Content {
    card_of(json!({
        "name": {"components": [{"kind": "given", "value": "Ada"}, {"kind": "surname", "value": "Lovelace"}]},
        "emails": {card::key("ada@example.com"): {"address": "ada@example.com", "contexts": {"work": true}, "pref": 1}},
        "anniversaries": {"birth": {"kind": "birth", "date": {"year": 1815, "month": 12, "day": 10}}},
    }))
}

fn plain(name: &str) -> Content {
    card_of(json!({"name": {"components": [{"kind": "given", "value": name}]}}))
}

fn create(item: &str, content: &Content) -> Operation {
    let (uid, mark) = (Uid(format!("urn:uuid:{item}")), Mark { hub: "hub".into(), item: item.into(), generation: 1 });
    let rendering = lens().write(None, content, &Identity { uid: uid.clone(), mark: Some(mark.clone()) }).unwrap();
    Operation::Create { collection: "connections".into(), rendering, uid, mark }
}

fn update(seen: &Seen, content: &Content) -> Operation {
    let nobody = Identity { uid: Uid("u".into()), mark: None };
    let to = lens().write(Some(&seen.rendering), content, &nobody).unwrap();
    Operation::Update { place: place(seen), etag: seen.etag.clone(), from: seen.rendering.clone(), to }
}

fn delete(seen: &Seen) -> Operation {
    Operation::Delete { place: place(seen), etag: seen.etag.clone() }
}

fn lookup(item: &str, sent_ms: i64) -> Lookup {
    let mark = Mark { hub: "hub".into(), item: item.into(), generation: 1 };
    Lookup { mark, uid: Uid(format!("urn:uuid:{item}")), collection: "connections".into(), sent_ms }
}

fn kind(answer: &Result<Written>) -> Option<ErrorKind> {
    answer.as_ref().err().map(|error| error.kind)
}

fn with(content: &Content, member: &str, value: Value) -> Content {
    let mut content = content.clone();
    content.set(member, value);
    content
}

fn picture(colour: u8) -> Value {
    json!({"photo": {"kind": "photo", "uri": card::data_uri("image/png", &tiny_png([colour, 0, 0]))}})
}

// ---- reading ----------------------------------------------------------------------------------------------------------

#[tokio::test]
async fn a_run_with_nothing_to_do_costs_two_requests() {
    let world = World::with(Options::demo().virtual_time()).await;
    let first = world.round(Since::Start).await.unwrap();
    assert!(first.seen.len() > 5 && first.bad.is_empty());
    world.sandbox.reset_counts();
    let second = world.round(first.since()).await.unwrap();
    assert_eq!(world.requests(), 2);
    assert!(second.seen.is_empty() && second.gone.is_empty());
    assert!(world.google.usage().requests >= 4 && world.google.usage().bytes_in > 0);
}

#[tokio::test]
async fn a_delta_tells_what_changed_and_what_went() {
    let world = World::empty().await;
    let name = |given: &str| json!({"names": [{"givenName": given}]});
    let keep = world.sandbox.google_create(&name("Keep")).unwrap();
    let edit = world.sandbox.google_create(&name("Edit")).unwrap();
    let gone = world.sandbox.google_create(&name("Gone")).unwrap();
    let first = world.round(Since::Start).await.unwrap();
    assert_eq!(first.seen.len(), 3);
    world.sandbox.google_edit(&edit, |person| person["names"][0]["givenName"] = json!("Edited")).unwrap();
    world.sandbox.google_delete(&gone).unwrap();
    let new = world.sandbox.google_create(&name("New")).unwrap();
    let second = world.round(first.since()).await.unwrap();
    let seen: Vec<&str> = second.seen.keys().map(RemoteId::as_str).collect();
    let mut expected = [edit.as_str(), new.as_str()];
    expected.sort_unstable();
    assert_eq!(seen, expected);
    assert_eq!(second.gone, [RemoteId(gone.clone())]);
    assert_eq!(second.named("Edited").modified_ms, Some(world.sandbox.clock().now_ms()));
    let places = [keep, gone].map(|id| Place { remote_id: RemoteId(id), collection: "connections".into() });
    let fetched = world.google.fetch(Kind::Contacts, &places).await;
    assert!(matches!(&fetched[0], Ok(Some(_))) && matches!(&fetched[1], Ok(None)));
}

#[tokio::test]
async fn bad_weather_shows_the_same_people() {
    let calm = World::with(Options::bulk(40).virtual_time()).await;
    let rough = World::with(Options::bulk(40).virtual_time().with(Switches {
        list_lag_s: 0,
        page_size_cap: 9,
        ..Switches::hostile()
    }))
    .await;
    let (calm, rough) = (calm.round(Since::Start).await.unwrap(), rough.round(Since::Start).await.unwrap());
    assert!(rough.pages > 5);
    let cards = |round: &Round| -> Vec<String> {
        let mut cards: Vec<String> = round.seen.values().map(|seen| canonical_text(&read(seen).to_value())).collect();
        cards.sort();
        cards
    };
    assert_eq!(cards(&calm), cards(&rough));
}

#[tokio::test]
async fn what_google_changes_in_its_answer_is_what_it_goes_on_to_show() {
    let world =
        World::with(Options::empty().virtual_time().with(Switches { list_lag_s: 0, ..Switches::hostile() })).await;
    let card = card_of(json!({
        "name": {"full": "Countess", "components": [{"kind": "given", "value": " Ada "}]},
        "emails": {card::key("ada@example.com"): {"address": "Ada@Example.com", "label": " Mine "}},
        "keywords": {"ICE": true}, "kind": "org", "media": picture(3),
        "addresses": {"home": {"full": "Mill 1", "contexts": {"private": true}}},
    }));
    let made = world.done(create("ada", &card)).await;
    assert_eq!(made.mark.as_ref().map(|mark| mark.item.as_str()), Some("ada"));
    let meaning = read(&made);
    assert_eq!(meaning.get("kind"), Some(&json!("org")));
    world.sandbox.clock().advance_ms(60_000);
    assert_eq!(read(&world.fetch(&made).await.unwrap()), meaning);
    assert_eq!(read(&world.round(Since::Start).await.unwrap().seen[&made.remote_id]), meaning);
    let again = lens().write(Some(&made.rendering), &meaning, &Identity { uid: Uid("u".into()), mark: None }).unwrap();
    assert_eq!(again, made.rendering);
}

#[tokio::test]
async fn people_400_expired_relists() {
    for status in [400, 410] {
        let world = World::with(
            Options::demo().virtual_time().with(Switches { expired_sync_token_status: status, ..Switches::default() }),
        )
        .await;
        let first = world.round(Since::Start).await.unwrap();
        world.sandbox.google_expire_sync_tokens();
        let error = world.round(first.since()).await.err().unwrap();
        assert_eq!(error.kind, ErrorKind::TokenExpired, "{status}: {error}");
        assert_eq!(world.round(Since::Start).await.unwrap().seen.len(), first.seen.len());
    }
}

#[tokio::test]
async fn an_empty_account_is_listed_anew_until_it_has_a_token() {
    let world = World::empty().await;
    let first = world.round(Since::Start).await.unwrap();
    assert!(first.seen.is_empty());
    world.sandbox.google_create(&json!({"names": [{"givenName": "First"}]})).unwrap();
    let second = match world.round(first.since()).await {
        Ok(round) => round,
        Err(error) => {
            assert_eq!(error.kind, ErrorKind::TokenExpired);
            world.round(Since::Start).await.unwrap()
        }
    };
    assert_eq!(second.seen.len(), 1);
}

#[tokio::test]
async fn google_merges_two_people() {
    let world = World::empty().await;
    let ada = world.done(create("ada", &ada())).await;
    let twin = world.done(create("twin", &plain("Twin"))).await;
    let first = world.round(Since::Start).await.unwrap();
    let merged = RemoteId(world.sandbox.google_merge(ada.remote_id.as_str(), twin.remote_id.as_str()).unwrap());
    let second = world.round(first.since()).await.unwrap();
    assert!(second.renamed.contains(&(ada.remote_id.clone(), merged.clone())), "{:?}", second.renamed);
    assert!(second.seen.contains_key(&merged));
    assert_eq!(world.fetch(&ada).await.unwrap().remote_id, merged);
}

#[tokio::test]
async fn a_linked_profile_is_not_read_as_the_users_own() {
    let world = World::empty().await;
    let ada = world.done(create("ada", &ada())).await;
    let profile = json!({"names": [{"givenName": "Profile"}], "urls": [{"value": "https://p.example"}]});
    world.sandbox.google_link_profile(ada.remote_id.as_str(), &profile).unwrap();
    let round = world.round(Since::Start).await.unwrap();
    assert_eq!(read(&round.seen[&ada.remote_id]), read(&ada));
}

#[tokio::test]
async fn a_person_with_more_addresses_than_a_list_shows_is_read_whole() {
    let world = World::empty().await;
    let emails: Vec<Value> = (0..130).map(|i| json!({"value": format!("a{i}@example.com")})).collect();
    let id = world.sandbox.google_create(&json!({"names": [{"givenName": "Many"}], "emailAddresses": emails})).unwrap();
    let round = world.round(Since::Start).await.unwrap();
    assert_eq!(read(&round.seen[&RemoteId(id)]).get("emails").unwrap().as_object().unwrap().len(), 130);
}

#[tokio::test]
async fn a_contact_that_left_all_groups_is_gone() {
    let world = World::empty().await;
    let ada = world.done(create("ada", &ada())).await;
    let first = world.round(Since::Start).await.unwrap();
    world.sandbox.google_edit(ada.remote_id.as_str(), |person| person["memberships"] = json!([])).unwrap();
    let second = world.round(first.since()).await.unwrap();
    assert_eq!(second.gone, std::slice::from_ref(&ada.remote_id));
    assert!(world.fetch(&ada).await.is_none());
}

#[tokio::test]
async fn people_delayed_echo() {
    let world =
        World::with(Options::empty().virtual_time().with(Switches { list_lag_s: 180, ..Switches::default() })).await;
    let made = world.done(create("ada", &ada())).await;
    world.sandbox.clock().advance_ms(200_000);
    let written = world.done(update(&made, &with(&ada(), "notes", json!({"note": {"note": "n"}})))).await;
    let late = world.round(Since::Start).await.unwrap().seen.remove(&made.remote_id).unwrap();
    assert_eq!(late, made, "the list shows what was before the write");
    assert!(late.modified_ms < written.modified_ms, "and its stamp tells");
}

// ---- groups -----------------------------------------------------------------------------------------------------------

#[tokio::test]
async fn a_renamed_group_is_a_renamed_keyword_of_all_members_in_one_round() {
    let world = World::empty().await;
    let made = world.done(create("ada", &with(&ada(), "keywords", json!({"ICE": true})))).await;
    let other = world.done(create("bob", &plain("Bob"))).await;
    let gone = world.done(create("gone", &plain("Gone"))).await;
    let first = world.round(Since::Start).await.unwrap();
    let group = world.there(&made)["memberships"][1]["contactGroupMembership"]["contactGroupResourceName"]
        .as_str()
        .unwrap()
        .to_owned();
    world.sandbox.google_rename_group(&group, "Emergency").unwrap();
    world.sandbox.google_delete(gone.remote_id.as_str()).unwrap();
    let second = world.round(first.since()).await.unwrap();
    assert_eq!(read(&second.seen[&made.remote_id]).get("keywords"), Some(&json!({"Emergency": true})));
    assert!(second.seen.contains_key(&other.remote_id), "everybody is listed");
    assert_eq!(second.gone, [gone.remote_id], "and removals are told all the same");
    let third = world.round(second.since()).await.unwrap();
    assert!(third.seen.is_empty() && third.pages == 1);
    world.sandbox.google_delete_group(&group).unwrap();
    let fourth = world.round(third.since()).await.unwrap();
    assert_eq!(read(&fourth.seen[&made.remote_id]).get("keywords"), None);
}

#[tokio::test]
async fn keywords_make_the_groups_they_need_and_use_those_that_are_there() {
    let world = World::empty().await;
    let ice = world.sandbox.google_add_group("ICE").unwrap();
    let made = world.done(create("ada", &with(&ada(), "keywords", json!({"ICE": true, "Küche, Büro": true})))).await;
    assert_eq!(read(&made).get("keywords"), Some(&json!({"ICE": true, "Küche, Büro": true})));
    let there = world.there(&made);
    assert!(there["memberships"].to_string().contains(&ice));
    assert!(there["memberships"].to_string().contains("contactGroups/myContacts"));
    let fewer = world.done(update(&made, &with(&read(&made), "keywords", json!({"ICE": true})))).await;
    assert_eq!(read(&fewer).get("keywords"), Some(&json!({"ICE": true})));
    let none = world.done(update(&fewer, &with(&read(&fewer), "keywords", Value::Null))).await;
    assert_eq!(world.there(&none)["memberships"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_group_that_somebody_else_made_meanwhile_is_used() {
    let world = World::empty().await;
    let first = world.done(create("one", &with(&plain("One"), "keywords", json!({"A": true})))).await;
    let meanwhile = world.sandbox.google_add_group("B").unwrap();
    let second = world.done(create("two", &with(&plain("Two"), "keywords", json!({"B": true})))).await;
    assert!(world.there(&second)["memberships"].to_string().contains(&meanwhile));
    assert_eq!(read(&second).get("keywords"), Some(&json!({"B": true})));
    // A group that no listing has shown yet is learnt when a member is read.
    let late = world.sandbox.google_add_group("Late").unwrap();
    world.sandbox.google_members(&late, &[first.remote_id.as_str()], &[]).unwrap();
    assert_eq!(read(&world.fetch(&first).await.unwrap()).get("keywords"), Some(&json!({"A": true, "Late": true})));
}

#[tokio::test]
async fn a_keyword_that_cannot_be_a_group_does_not_keep_the_contact_back() {
    let world = World::empty().await;
    let made = world.done(create("ada", &with(&ada(), "keywords", json!({"starred": true, "ICE": true})))).await;
    assert!(read(&made).at(&["keywords", "ICE"]).is_some());
    assert_eq!(card::display_name(&read(&made)).as_deref(), Some("Ada Lovelace"));
}

// ---- writing ----------------------------------------------------------------------------------------------------------

#[tokio::test]
async fn what_is_created_is_read_back_as_it_was_meant() {
    let world = World::empty().await;
    let full = with(&ada(), "vCardProps", json!({card::key("X-A:1"): {"line": "X-A:1"}}));
    let made = world.done(create("ada", &full)).await;
    assert_eq!(read(&made), full);
    assert_eq!(made.uid, Some(Uid("urn:uuid:ada".into())));
    assert_eq!(made.mark.as_ref().map(Mark::to_string).as_deref(), Some("hub:ada:1"));
    assert!(made.modified_ms.is_some());
    // The answer of the write, a get and the next listing say the same.
    assert_eq!(world.fetch(&made).await.unwrap(), made);
    let listed = world.round(Since::Start).await.unwrap();
    assert_eq!(listed.seen[&made.remote_id], made);
}

#[tokio::test]
async fn batches_of_creates_updates_and_deletes() {
    let world = World::empty().await;
    let operations: Vec<Operation> = (0..30).map(|i| create(&format!("i{i}"), &plain(&format!("P{i}")))).collect();
    world.sandbox.reset_counts();
    let made: Vec<Seen> = world.write(&operations).await.into_iter().map(|answer| answer.unwrap().unwrap()).collect();
    assert_eq!(world.sandbox.writes(Provider::Google), 1);
    for (i, seen) in made.iter().enumerate() {
        assert_eq!(seen.uid, Some(Uid(format!("urn:uuid:i{i}"))));
        assert_eq!(read(seen), plain(&format!("P{i}")));
    }
    let mut mixed: Vec<Operation> = made[..10]
        .iter()
        .map(|seen| update(seen, &with(&read(seen), "notes", json!({"note": {"note": "n"}}))))
        .collect();
    mixed.extend(
        made[10..20]
            .iter()
            .map(|seen| update(seen, &with(&read(seen), "nicknames", json!({card::key("N"): {"name": "N"}})))),
    );
    mixed.extend(made[20..].iter().map(delete));
    world.sandbox.reset_counts();
    let answers = world.write(&mixed).await;
    assert_eq!(world.sandbox.writes(Provider::Google), 3, "one for each mask and one for the deletes");
    for (i, answer) in answers.into_iter().enumerate() {
        match answer.unwrap() {
            Some(seen) => assert!(read(&seen).get(if i < 10 { "notes" } else { "nicknames" }).is_some()),
            None => assert!(i >= 20),
        }
    }
    assert_eq!(world.sandbox.google_people().len(), 20);
}

#[tokio::test]
async fn an_update_sends_only_what_changed_and_keeps_what_is_unknown() {
    let world = World::empty().await;
    let id = world
        .sandbox
        .google_create(&json!({
            "names": [{"givenName": "Ada"}], "userDefined": [{"key": "No.", "value": "1"}],
            "emailAddresses": [{"value": "a@x.example", "displayName": "A.", "type": "Mine"}],
            "clientData": [{"key": "theirs", "value": "x"}],
        }))
        .unwrap();
    let seen = world.round(Since::Start).await.unwrap().seen.remove(&RemoteId(id.clone())).unwrap();
    let mut card = read(&seen);
    card.0["emails"][&card::key("a@x.example")]["label"] = json!("Yours");
    let updated = world.done(update(&seen, &card)).await;
    assert_eq!(read(&updated), card);
    let there = world.there(&updated);
    assert_eq!(
        (&there["emailAddresses"][0]["displayName"], &there["emailAddresses"][0]["type"]),
        (&json!("A."), &json!("Yours"))
    );
    assert_eq!(there["userDefined"][0]["value"], "1");
    let asked = world.sandbox.log().into_iter().find(|line| line.info.path.ends_with(":updateContact")).unwrap();
    assert!(asked.query.contains(&("updatePersonFields".to_owned(), "emailAddresses".to_owned())), "{:?}", asked.query);
}

#[tokio::test]
async fn people_carry_all_emptied_there_too() {
    let world = World::empty().await;
    let made = world.done(create("ada", &with(&ada(), "kind", json!("org")))).await;
    assert_eq!(read(&made).get("kind"), Some(&json!("org")));
    let less = with(&plain("Ada"), "kind", Value::Null);
    let updated = world.done(update(&made, &less)).await;
    assert_eq!(read(&updated), less, "nothing comes back from the dead");
}

#[tokio::test]
async fn an_etag_race_is_stale_for_that_contact_alone() {
    let world = World::empty().await;
    let operations: Vec<Operation> = (0..8).map(|i| create(&format!("i{i}"), &plain(&format!("P{i}")))).collect();
    let made: Vec<Seen> = world.write(&operations).await.into_iter().map(|answer| answer.unwrap().unwrap()).collect();
    world
        .sandbox
        .google_edit(made[3].remote_id.as_str(), |person| person["names"][0]["givenName"] = json!("Theirs"))
        .unwrap();
    let note = json!({"note": {"note": "mine"}});
    let updates: Vec<Operation> =
        made.iter().map(|seen| update(seen, &with(&read(seen), "notes", note.clone()))).collect();
    let answers = world.write(&updates).await;
    for (i, answer) in answers.iter().enumerate() {
        assert_eq!(kind(answer), (i == 3).then_some(ErrorKind::StaleEtag), "{i}");
    }
    let answers = world.write(&[delete(&made[3]), delete(&made[4])]).await;
    assert_eq!(
        answers.iter().map(kind).collect::<Vec<_>>(),
        [Some(ErrorKind::StaleEtag); 2],
        "both were changed since"
    );
    assert_eq!(world.there(&made[3])["names"][0]["givenName"], "Theirs");
}

#[tokio::test]
async fn a_delete_of_what_is_gone_is_a_success() {
    let world = World::empty().await;
    let made = world.done(create("ada", &ada())).await;
    let other = world.done(create("bob", &plain("Bob"))).await;
    world.sandbox.google_delete(made.remote_id.as_str()).unwrap();
    let answers = world.write(&[delete(&made), delete(&other)]).await;
    assert!(answers.iter().all(|answer| matches!(answer, Ok(None))));
    assert!(world.sandbox.google_people().is_empty());
}

#[tokio::test]
async fn a_contact_that_google_refuses_does_not_keep_the_others_back() {
    let world = World::empty().await;
    let mut operations: Vec<Operation> = (0..5).map(|i| create(&format!("i{i}"), &plain(&format!("P{i}")))).collect();
    if let Operation::Create { rendering, .. } = &mut operations[2] {
        *rendering = json!({"names": [{"givenName": "a"}, {"givenName": "b"}]}).to_string().into();
    }
    let answers = world.write(&operations).await;
    for (i, answer) in answers.iter().enumerate() {
        assert_eq!(kind(answer), (i == 2).then_some(ErrorKind::Refused), "{i}");
    }
    assert_eq!(world.sandbox.google_people().len(), 4);
}

#[tokio::test]
async fn false_alarms_about_etags_are_stale_and_nothing_worse() {
    let world = World::with(
        Options::empty().virtual_time().with(Switches { people_false_etag_mismatch: 2, ..Switches::default() }),
    )
    .await;
    let made = world.done(create("ada", &ada())).await;
    let wanted = with(&ada(), "notes", json!({"note": {"note": "n"}}));
    let first = world.done(update(&made, &wanted)).await;
    let wanted = with(&ada(), "notes", json!({"note": {"note": "m"}}));
    assert_eq!(kind(&world.write(&[update(&first, &wanted)]).await[0]), Some(ErrorKind::StaleEtag));
    assert_eq!(read(&world.done(update(&first, &wanted)).await), wanted);
}

// ---- photos -----------------------------------------------------------------------------------------------------------

#[tokio::test]
async fn photos_are_set_replaced_read_and_removed() {
    let world = World::empty().await;
    let card = with(&ada(), "media", picture(1));
    let made = world.done(create("ada", &card)).await;
    assert_eq!(read(&made), card);
    let next = with(&ada(), "media", picture(2));
    let updated = world.done(update(&made, &next)).await;
    assert_eq!(read(&updated), next);
    assert_ne!(updated.etag, made.etag);
    // An edit beside the photo neither sends nor loads it.
    world.sandbox.reset_counts();
    let noted = with(&next, "notes", json!({"note": {"note": "n"}}));
    let noted_copy = world.done(update(&updated, &noted)).await;
    assert_eq!(read(&noted_copy), noted);
    assert_eq!(world.requests(), 1);
    let listed = world.round(Since::Start).await.unwrap();
    assert_eq!(listed.seen[&made.remote_id], noted_copy);
    let bare = with(&noted, "media", Value::Null);
    let removed = world.done(update(&noted_copy, &bare)).await;
    assert_eq!(read(&removed), bare);
    assert_eq!(world.fetch(&removed).await.unwrap(), removed);
}

#[tokio::test]
async fn a_photo_alone_is_guarded_by_the_etag_too() {
    let world = World::empty().await;
    let made = world.done(create("ada", &ada())).await;
    world
        .sandbox
        .google_edit(made.remote_id.as_str(), |person| person["names"][0]["givenName"] = json!("Theirs"))
        .unwrap();
    let answer = world.write(&[update(&made, &with(&ada(), "media", picture(1)))]).await.remove(0);
    assert_eq!(kind(&answer), Some(ErrorKind::StaleEtag));
    assert_eq!(world.there(&made)["photos"][0]["default"], true);
}

#[tokio::test]
async fn a_picture_that_google_refuses_leaves_the_contact_written() {
    let world = World::empty().await;
    let no_picture = json!({"photo": {"kind": "photo", "uri": card::data_uri("image/bmp", b"BM nothing")}});
    let made = world.done(create("ada", &with(&ada(), "media", no_picture))).await;
    assert_eq!(read(&made), ada());
}

#[tokio::test]
async fn a_photo_that_cannot_be_had_is_unknown_and_asked_for_in_the_next_round() {
    let world = World::empty().await;
    let made = world.done(create("ada", &with(&ada(), "media", picture(1)))).await;
    world.sandbox.fault(Rule::any(Fault::status(503)).of_kind(twofold_sandbox::Kind::Photo).times(20));
    let first = world.round(Since::Start).await.unwrap();
    let listed = &first.seen[&made.remote_id];
    assert_eq!(read(listed), ada());
    assert_eq!(lens().settle_unknown(&made.rendering, listed.rendering.clone()), made.rendering);
    world.sandbox.with(|state| state.faults.clear());
    let second = world.round(first.since()).await.unwrap();
    assert_eq!(second.seen[&made.remote_id], made);
    world.sandbox.reset_counts();
    assert!(world.round(second.since()).await.unwrap().seen.is_empty());
    assert_eq!(world.requests(), 2);
}

#[tokio::test]
async fn a_photo_whose_address_leads_nowhere_once_is_there_in_the_next_round() {
    for fault in [Fault::status(404), Fault::Html { executed: false }] {
        let world = World::empty().await;
        let made = world.done(create("ada", &with(&ada(), "media", picture(1)))).await;
        world.sandbox.fault(Rule::any(fault.clone()).of_kind(twofold_sandbox::Kind::Photo).times(1));
        let first = world.round(Since::Start).await.unwrap();
        assert_eq!(read(&first.seen[&made.remote_id]), ada(), "{fault:?}");
        let second = world.round(first.since()).await.unwrap();
        assert_eq!(second.seen[&made.remote_id], made, "{fault:?}");
    }
}

#[tokio::test]
async fn a_photo_that_is_gone_for_good_is_asked_for_a_few_times_and_no_more() {
    let world = World::empty().await;
    world.done(create("ada", &with(&ada(), "media", picture(1)))).await;
    world.sandbox.fault(Rule::any(Fault::status(404)).of_kind(twofold_sandbox::Kind::Photo));
    let mut since = world.round(Since::Start).await.unwrap().since();
    let mut asked = Vec::new();
    for number in 1..=100 {
        world.sandbox.reset_counts();
        let round = world.round(since).await.unwrap();
        assert!(round.seen.is_empty(), "nothing is said of a photo that is not known");
        if world.requests() > 2 {
            asked.push(number);
        }
        since = round.since();
    }
    assert_eq!(asked, [1, 3, 7, 15, 31]);
}

#[tokio::test]
async fn photos_that_are_gone_do_not_keep_the_others_from_being_asked_for() {
    let world = World::empty().await;
    let operations: Vec<Operation> =
        (0..12).map(|i| create(&format!("i{i}"), &with(&plain(&format!("P{i}")), "media", picture(i)))).collect();
    assert!(world.write(&operations).await.iter().all(Result::is_ok));
    world.sandbox.fault(Rule::any(Fault::status(404)).of_kind(twofold_sandbox::Kind::Photo).times(8));
    let first = world.round(Since::Start).await.unwrap();
    assert_eq!(first.seen.values().filter(|seen| read(seen).get("media").is_some()).count(), 4);
    let second = world.round(first.since()).await.unwrap();
    assert_eq!(second.seen.len(), 8);
}

#[tokio::test]
async fn a_photo_host_that_is_down_is_not_asked_for_every_photo() {
    let world = World::empty().await;
    let operations: Vec<Operation> =
        (0..20).map(|i| create(&format!("i{i}"), &with(&plain(&format!("P{i}")), "media", picture(i)))).collect();
    assert!(world.write(&operations).await.iter().all(Result::is_ok));
    world.sandbox.fault(Rule::any(Fault::status(503)).of_kind(twofold_sandbox::Kind::Photo));
    world.sandbox.reset_counts();
    let first = world.round(Since::Start).await.unwrap();
    assert_eq!(first.seen.len(), 20);
    assert!(world.requests() < 60, "{}", world.requests());
    world.sandbox.with(|state| state.faults.clear());
    let mut round = first;
    for _ in 0..3 {
        round = world.round(round.since()).await.unwrap();
        assert!(round.seen.values().all(|seen| read(seen).get("media").is_some()) && !round.seen.is_empty());
    }
    assert!(world.round(round.since()).await.unwrap().seen.is_empty());
}

#[tokio::test]
async fn a_lost_reply_to_the_photo_is_unknown() {
    let world = World::empty().await;
    world.sandbox.fault(Rule::any(Fault::DropAfter).path("updateContactPhoto").times(1));
    let answer = world.write(&[create("ada", &with(&ada(), "media", picture(1)))]).await.remove(0);
    assert_eq!(kind(&answer), Some(ErrorKind::Unknown));
    let found = world.google.find(Kind::Contacts, &[lookup("ada", 0)], 0).await.remove(0).unwrap();
    let Found::Here(seen) = found else { panic!("it is there") };
    assert_eq!(read(&seen), with(&ada(), "media", picture(1)));
}

// ---- lost replies -----------------------------------------------------------------------------------------------------

#[tokio::test]
async fn a_create_with_a_lost_reply_is_found_by_its_mark() {
    let world = World::empty().await;
    world.sandbox.fault(Rule::any(Fault::DropAfter).path("createContact").times(1));
    world.sandbox.fault(Rule::any(Fault::DropBefore).path("createContact").times(1));
    let sent_ms = world.sandbox.clock().now_ms();
    for item in ["arrived", "lost"] {
        let answer = world.write(&[create(item, &plain(item))]).await.remove(0);
        assert_eq!(kind(&answer), Some(ErrorKind::Unknown));
    }
    world.sandbox.reset_counts();
    let lookups = [lookup("arrived", sent_ms), lookup("lost", sent_ms)];
    let found = world.google.find(Kind::Contacts, &lookups, sent_ms + 1000).await;
    assert!(matches!(&found[0], Ok(Found::Here(seen)) if read(seen) == plain("arrived")));
    assert!(matches!(&found[1], Ok(Found::NotBefore(until)) if *until == sent_ms + 360_000));
    assert_eq!(world.requests(), 3, "one listing for all, the groups, one get for what was found");
    let later = world.google.find(Kind::Contacts, &lookups[1..], sent_ms + 360_000).await;
    assert!(matches!(&later[0], Ok(Found::Nowhere)));
}

#[tokio::test]
async fn a_create_that_the_list_does_not_show_yet_is_waited_for() {
    let world =
        World::with(Options::empty().virtual_time().with(Switches { list_lag_s: 180, ..Switches::default() })).await;
    world.sandbox.clock().advance_ms(600_000);
    let sent_ms = world.sandbox.clock().now_ms();
    world.sandbox.fault(Rule::any(Fault::DropAfter).path("batchCreate").times(1));
    let answers = world.write(&[create("a", &plain("A")), create("b", &plain("B"))]).await;
    assert_eq!(answers.iter().map(kind).collect::<Vec<_>>(), [Some(ErrorKind::Unknown); 2]);
    let lookups = [lookup("a", sent_ms), lookup("b", sent_ms)];
    let now = world.google.find(Kind::Contacts, &lookups, sent_ms).await;
    assert!(now.iter().all(|found| matches!(found, Ok(Found::NotBefore(_)))));
    world.sandbox.clock().advance_ms(360_000);
    let later = world.google.find(Kind::Contacts, &lookups, sent_ms + 360_000).await;
    assert!(later.iter().all(|found| matches!(found, Ok(Found::Here(_)))));
    assert_eq!(world.sandbox.google_people().len(), 2);
}

#[tokio::test]
async fn a_server_error_leaves_every_write_of_the_batch_unknown_and_unrepeated() {
    let world = World::empty().await;
    world.sandbox.fault(Rule::any(Fault::status_but_executed(503)).path("batchCreate").times(1));
    let answers = world.write(&[create("a", &plain("A")), create("b", &plain("B"))]).await;
    assert_eq!(answers.iter().map(kind).collect::<Vec<_>>(), [Some(ErrorKind::Unknown); 2]);
    assert_eq!(world.sandbox.google_people().len(), 2);
}

#[tokio::test]
async fn a_group_whose_reply_is_lost_is_looked_for_and_no_contact_is_in_doubt() {
    let world = World::empty().await;
    world.sandbox.fault(Rule::any(Fault::DropAfter).path("contactGroups").method("POST").times(1));
    let made = world.done(create("ada", &with(&ada(), "keywords", json!({"ICE": true})))).await;
    assert!(read(&made).at(&["keywords", "ICE"]).is_some());
    world.sandbox.fault(Rule::any(Fault::DropBefore).path("contactGroups").method("POST").times(1));
    let answer = world.write(&[create("bob", &with(&plain("Bob"), "keywords", json!({"New": true})))]).await.remove(0);
    assert!(kind(&answer).unwrap().proves_not_executed());
    assert_eq!(world.sandbox.google_people().len(), 1);
}

#[tokio::test]
async fn a_missing_scope_is_forbidden_and_nothing_is_gone() {
    let world = World::empty().await;
    let made = world.done(create("ada", &ada())).await;
    world
        .sandbox
        .fault(Rule::any(Fault::Status { status: 403, retry_after: None, executed: false, body: None }).times(2));
    assert_eq!(world.round(Since::Start).await.err().unwrap().kind, ErrorKind::Forbidden);
    let fetched = world.google.fetch(Kind::Contacts, &[place(&made)]).await.remove(0);
    assert_eq!(fetched.unwrap_err().kind, ErrorKind::Forbidden);
}

#[tokio::test]
async fn a_guard_of_another_state_is_refused_before_anything_is_sent() {
    let world = World::empty().await;
    let made = world.done(create("ada", &ada())).await;
    let answer = world.write(&[Operation::Delete { place: place(&made), etag: Etag("#other".into()) }]).await.remove(0);
    assert_eq!(kind(&answer), Some(ErrorKind::StaleEtag));
    assert_eq!(world.sandbox.google_people().len(), 1);
}
