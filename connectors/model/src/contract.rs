//! The contract suite: what every connector has to keep, one function per rule. For tests only; nothing in production calls it.
//!
//! A test file of a connector says how its place is set up ([`Bench`]), which hands another client of the user has there, and
//! calls [`contract_rules!`](crate::contract_rules), which makes one test per rule, so that a failure names the rule. Each rule gets a
//! place of its own, with nothing in it but one collection to write to.
//!
//! The rules know no provider and no runtime: a test brings its own way to run a future. They judge what a connector answers
//! only by what it answers elsewhere and by what the other client did. [`memory`](crate::memory) passes them first.
//!
//! Where a place cannot do what a rule is about (its hook answers `false` or `None`), the rule passes without a word.

pub use crate::contract_rules;
use crate::patch::canonical_text;
use crate::{
    Access, Collection, CollectionId, Connector, Content, DeltaToken, Entry, ErrorKind, Etag, Feed, FeedId, Found,
    Identity, Kind, Known, Lens, Lookup, Mark, Next, Operation, Page, Place, Poll, RemoteId, Rendering, Result, Seen,
    Since, Uid, Written, card,
};
use async_trait::async_trait;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// A round with more pages goes in circles.
const MAX_PAGES: usize = 1_000;
/// What the other client notes on an item.
const THEIRS: &str = "noted by another client";
/// What a rule has written on an item.
const OURS: &str = "noted by a rule";

/// A place on the bench: the connector under test, and the hands of another client of the same user.
///
/// Everything that another client does is done in the place's own words, never through the connector.
#[async_trait]
pub trait Bench: Send + Sync {
    /// The connector under test.
    fn connector(&self) -> &dyn Connector;

    /// What the rules write and read.
    fn kind(&self) -> Kind {
        Kind::Contacts
    }

    /// Another client makes an item of that name in the default (else the first) collection. Answers its name there.
    async fn create(&mut self, name: &str) -> RemoteId;

    /// Another client gives an item this note.
    async fn edit(&mut self, id: &RemoteId, note: &str);

    /// Another client removes an item.
    async fn delete(&mut self, id: &RemoteId);

    /// A name that could be an item's, and is nobody's.
    fn nobody(&self) -> RemoteId;

    /// The place's time, in milliseconds since 1970.
    fn time_ms(&self) -> i64;

    /// Lets the place's time pass until then.
    fn wait_until(&mut self, time_ms: i64) {
        let _ = time_ms;
    }

    /// Lets so much time pass that a listing shows what was written.
    fn settle(&mut self) {}

    /// The next write is executed and its reply lost. `false` where that cannot happen.
    fn lose_next_reply(&mut self) -> bool {
        false
    }

    /// The next write is lost before it is executed, and nobody can tell. `false` where that cannot happen.
    fn lose_next_request(&mut self) -> bool {
        false
    }

    /// From now on the place cannot be reached. `false` where that cannot happen.
    fn cut_off(&mut self) -> bool {
        false
    }

    /// All tokens given so far are dead from now on. `false` where the place has none.
    fn expire_tokens(&mut self) -> bool {
        false
    }

    /// Whether copies carry the mark of whoever made them.
    fn carries_mark(&self) -> bool {
        true
    }

    /// A text that every item of another client has in a field that no lens knows; it must outlive every edit.
    fn foreign_text(&self) -> Option<&str> {
        None
    }

    /// An item that says something which the place has no field for, and which its carry-all takes along.
    fn beyond(&self) -> Option<Content> {
        None
    }

    /// What [`Connector::create_collection`] is handed to make one of that name.
    fn like(&self, name: &str) -> Collection {
        Collection {
            id: name.into(),
            kind: self.kind(),
            name: name.into(),
            color: None,
            is_default: false,
            role: None,
            access: Access::ReadWrite,
        }
    }

    /// An item of that name, with little else.
    fn plain(&self, name: &str) -> Content {
        plain_card(name)
    }

    /// Items that try the place's limits.
    fn rich(&self) -> Vec<Content> {
        rich_cards()
    }

    /// Sets the note of an item.
    fn note(&self, content: &mut Content, note: &str) {
        content.set("notes", json!({card::keys::NOTE: {"note": note}}));
    }
}

/// Makes one test per rule of [`contract`](crate::contract). `$bench` is an expression of a future of a fresh [`Bench`]; `$run` runs a
/// future to its end.
///
/// ```text
/// twofold_model::contract_rules!(run, Desk::new());
/// ```
#[macro_export]
macro_rules! contract_rules {
    ($run:expr, $bench:expr) => {
        $crate::contract_rules! { @each $run, $bench;
            a_listing_names_everything
            a_delta_after_a_listing_is_empty
            a_create_elsewhere_comes_with_the_next_delta
            an_edit_elsewhere_comes_with_the_next_delta
            a_delete_elsewhere_comes_as_gone
            a_delta_may_be_asked_for_again
            a_listing_and_a_delta_agree
            a_fetch_answers_what_a_listing_answered
            a_fetch_of_nobody_is_none
            answers_come_in_the_order_asked
            nothing_asked_is_nothing_answered
            a_create_answers_what_a_fetch_then_says
            a_create_is_found
            a_create_whose_reply_is_lost_is_found_once
            a_create_that_never_arrived_is_found_nowhere
            an_update_changes_only_what_was_asked
            an_update_to_what_is_there_changes_nothing
            an_update_whose_reply_is_lost_is_there
            an_update_of_a_stale_state_changes_nothing
            an_update_of_nobody_makes_nobody
            a_delete_is_done_once_and_a_second_one_succeeds
            a_delete_of_a_stale_state_is_refused
            a_write_echoes_in_the_delta_as_it_was_answered
            one_bad_operation_does_not_stop_the_others
            a_place_that_is_cut_off_says_nothing
            a_dead_token_asks_for_a_listing
            a_collection_made_twice_is_one
            collections_and_feeds_are_the_same_when_asked_again
            a_lens_changes_nothing_when_nothing_is_changed
            a_lens_reads_what_it_wrote
            a_place_answers_what_its_lens_projected
            what_a_place_has_no_field_for_is_carried
        }
    };
    (@each $run:expr, $bench:expr; $($rule:ident)*) => {
        $(
            #[test]
            fn $rule() {
                $run(async {
                    let mut bench = $bench.await;
                    $crate::contract::$rule(&mut bench).await;
                });
            }
        )*
    };
}

// ---- contents -----------------------------------------------------------------------------------------------------------

fn plain_card(name: &str) -> Content {
    let address = format!("{}@example.com", name.to_ascii_lowercase());
    let mut emails = Map::new();
    card::insert(&mut emails, &card::email_identity(&address), json!({"address": address}));
    let components = json!([{"kind": "given", "value": name}, {"kind": "surname", "value": "Example"}]);
    Content::from_value(json!({"name": {"components": components}, "emails": emails}))
}

fn rich_cards() -> Vec<Content> {
    let mut emails = Map::new();
    for address in ["a@example.com", "b@example.com", "c@example.com", "d@example.com", "e@example.com"] {
        card::insert(&mut emails, &card::email_identity(address), json!({"address": address}));
    }
    let with = |name: &str, members: Value| {
        let mut content = plain_card(name);
        for (member, value) in Content::from_value(members).0 {
            content.set(&member, value);
        }
        content
    };
    let phone = "+49 30 1234";
    vec![
        plain_card("Plain"),
        with("Many", json!({"emails": emails})),
        with(
            "Office",
            json!({
                "organizations": {card::keys::ORGANIZATION: {"name": "Analytical Engines", "units": [{"name": "Cards"}]}},
                "titles": {card::keys::TITLE: {"kind": "title", "name": "Countess"}},
                "phones": {card::key(&card::phone_identity(phone)): {"number": phone, "contexts": {"work": true}}},
                "notes": {card::keys::NOTE: {"note": "two\nlines, and; marks: \\ ä 漢 🂡"}},
                "keywords": {"Chess club": true},
            }),
        ),
        with(
            "Home",
            json!({
                "nicknames": {card::key("Addie"): {"name": "Addie"}},
                "anniversaries": {card::keys::BIRTH: {"kind": "birth", "date": {"year": 1815, "month": 12, "day": 10}}},
                "addresses": {"home": {"contexts": {"private": true}, "components": [
                    {"kind": "name", "value": "St James's Square 12"}, {"kind": "locality", "value": "London"},
                    {"kind": "postcode", "value": "SW1Y"}, {"kind": "country", "value": "England"},
                ]}},
                "speakToAs": {"grammaticalGender": "feminine"},
            }),
        ),
    ]
}

// ---- what a hub would remember ------------------------------------------------------------------------------------------

/// What is remembered of a place's feeds between two rounds.
#[derive(Clone, Default)]
struct Ledger {
    tokens: BTreeMap<FeedId, DeltaToken>,
    known: BTreeMap<FeedId, Known>,
}

/// What a round said, the last word on each item.
#[derive(Debug, Default)]
struct Round {
    seen: BTreeMap<RemoteId, Seen>,
    gone: BTreeSet<RemoteId>,
}

impl Round {
    fn is_silent(&self) -> bool {
        self.seen.is_empty() && self.gone.is_empty()
    }

    fn ids(&self) -> BTreeSet<&RemoteId> {
        self.seen.keys().collect()
    }

    fn get(&self, id: &RemoteId) -> &Seen {
        self.seen
            .get(id)
            .unwrap_or_else(|| panic!("the round does not name {id}, only {:?} and gone {:?}", self.ids(), self.gone))
    }

    fn take(&mut self, entry: Entry, feed: &Feed) {
        match entry {
            Entry::Seen(seen) => {
                assert!(
                    feed.collections.contains(&seen.collection),
                    "{} is no item of the feed {}",
                    seen.remote_id,
                    feed.id
                );
                assert!(!seen.etag.as_str().is_empty(), "{} has no etag", seen.remote_id);
                self.gone.remove(&seen.remote_id);
                self.seen.insert(seen.remote_id.clone(), *seen);
            }
            Entry::Gone(id) => {
                self.seen.remove(&id);
                self.gone.insert(id);
            }
            Entry::Renamed { from, to } => panic!("{from} was not renamed to {to}: nobody did that"),
            Entry::Bad { remote_id, reason, .. } => panic!("{remote_id} is a good item, not one that {reason}"),
        }
    }
}

impl Ledger {
    /// From where a feed is read on. Places that compare tell the difference to what is known.
    fn since(&self, bench: &dyn Bench, feed: &Feed) -> Since {
        if bench.connector().abilities().compares_known {
            return Since::Start;
        }
        self.tokens.get(&feed.id).map_or(Since::Start, |token| Since::Token(token.clone()))
    }

    fn learn(&mut self, feed: &FeedId, round: &Round) {
        let known = self.known.entry(feed.clone()).or_default();
        known.extend(round.seen.values().map(|seen| (seen.remote_id.clone(), seen.etag.clone())));
        known.retain(|id, _| !round.gone.contains(id));
    }
}

async fn collections(bench: &dyn Bench) -> Vec<Collection> {
    let collections = bench.connector().collections(bench.kind()).await.expect("the collections are told");
    let ids: BTreeSet<&CollectionId> = collections.iter().map(|collection| &collection.id).collect();
    assert_eq!(ids.len(), collections.len(), "each collection is named once");
    assert!(collections.iter().all(|collection| collection.kind == bench.kind()), "all are of the kind asked for");
    collections
}

async fn feeds(bench: &dyn Bench) -> Vec<Feed> {
    let feeds = bench.connector().feeds(bench.kind(), &collections(bench).await);
    assert!(!feeds.is_empty(), "the place has a feed");
    feeds
}

/// The collection that the rules write to.
async fn home(bench: &dyn Bench) -> CollectionId {
    let collections = collections(bench).await;
    let home = collections.iter().find(|collection| collection.is_default).or(collections.first());
    home.expect("the place has a collection to write to").id.clone()
}

/// Reads every feed to its end, all feeds' pages together, and remembers where it came to.
async fn try_pull(bench: &mut dyn Bench, ledger: &mut Ledger) -> Result<Round> {
    bench.settle();
    let bench = &*bench;
    let mut whole = Round::default();
    let mut open: Vec<(Feed, Since, Round)> = Vec::new();
    for feed in feeds(bench).await {
        let since = ledger.since(bench, &feed);
        open.push((feed, since, Round::default()));
    }
    for _ in 0..MAX_PAGES {
        if open.is_empty() {
            return Ok(whole);
        }
        let nothing = Known::new();
        let known = |feed: &Feed| match bench.connector().abilities().compares_known {
            true => ledger.known.get(&feed.id).unwrap_or(&nothing),
            false => &nothing,
        };
        let polls: Vec<Poll<'_>> =
            open.iter().map(|(feed, since, _)| Poll { feed, since: since.clone(), known: known(feed) }).collect();
        let pages = bench.connector().changes(&polls).await;
        assert_eq!(pages.len(), polls.len(), "one answer for each feed asked for");
        drop(polls);
        let mut still = Vec::new();
        for ((feed, _, mut round), page) in open.into_iter().zip(pages) {
            let Page { entries, next } = page?;
            entries.into_iter().for_each(|entry| round.take(entry, &feed));
            match next {
                Next::Page(link) => still.push((feed, Since::Page(link), round)),
                Next::Done(token) => {
                    ledger.learn(&feed.id, &round);
                    ledger.tokens.insert(feed.id, token);
                    for (id, seen) in round.seen {
                        let twice = whole.seen.insert(id, seen);
                        assert!(twice.is_none(), "an item stands in one feed: {twice:?}");
                    }
                    whole.gone.extend(round.gone);
                }
            }
        }
        open = still;
    }
    panic!("the round goes in circles");
}

async fn pull(bench: &mut dyn Bench, ledger: &mut Ledger) -> Round {
    try_pull(bench, ledger).await.expect("the feeds can be read")
}

/// A full listing.
async fn list(bench: &mut dyn Bench) -> Round {
    let round = pull(bench, &mut Ledger::default()).await;
    assert!(round.gone.is_empty(), "a full listing knows of no removals");
    round
}

// ---- asking and writing -------------------------------------------------------------------------------------------------

fn lens(bench: &dyn Bench) -> &dyn Lens {
    bench.connector().lens(bench.kind())
}

fn read(bench: &dyn Bench, rendering: &Rendering) -> Content {
    lens(bench).read(rendering).expect("what the place answers can be read")
}

fn place(seen: &Seen) -> Place {
    Place { remote_id: seen.remote_id.clone(), collection: seen.collection.clone() }
}

fn mark(item: &str) -> Mark {
    Mark { hub: "contract".into(), item: item.into(), generation: 1 }
}

fn uid(item: &str) -> Uid {
    Uid(format!("contract-{item}"))
}

fn identity(item: &str) -> Identity {
    Identity { uid: uid(item), mark: Some(mark(item)) }
}

/// For edits: what is there already keeps its own name.
fn nobodys() -> Identity {
    Identity { uid: uid("nobody"), mark: None }
}

async fn create(bench: &dyn Bench, item: &str, content: &Content) -> Operation {
    let rendering = lens(bench).write(None, content, &identity(item)).expect("the lens writes from nothing");
    Operation::Create { collection: home(bench).await, rendering, uid: uid(item), mark: mark(item) }
}

fn update(bench: &dyn Bench, seen: &Seen, content: &Content) -> Operation {
    let to = lens(bench).write(Some(&seen.rendering), content, &nobodys()).expect("the lens edits");
    Operation::Update { place: place(seen), etag: seen.etag.clone(), from: seen.rendering.clone(), to }
}

/// The same item with a note of ours.
fn noted(bench: &dyn Bench, seen: &Seen) -> Content {
    let mut content = read(bench, &seen.rendering);
    bench.note(&mut content, OURS);
    content
}

fn delete(seen: &Seen) -> Operation {
    Operation::Delete { place: place(seen), etag: seen.etag.clone() }
}

fn lookup(item: &str, collection: &CollectionId, sent_ms: i64) -> Lookup {
    Lookup { mark: mark(item), uid: uid(item), collection: collection.clone(), sent_ms }
}

/// Hands the operations over, as many at once as the place takes.
async fn write(bench: &dyn Bench, operations: &[Operation]) -> Vec<Result<Written>> {
    let connector = bench.connector();
    let mut answers = Vec::new();
    for batch in operations.chunks(connector.write_batch(bench.kind()).max(1)) {
        let some = connector.write(bench.kind(), batch).await;
        assert_eq!(some.len(), batch.len(), "one answer for each operation");
        answers.extend(some);
    }
    answers
}

async fn write_one(bench: &dyn Bench, operation: Operation) -> Result<Written> {
    write(bench, &[operation]).await.remove(0)
}

/// A write that succeeds and leaves a copy behind.
async fn done(bench: &dyn Bench, operation: Operation) -> Seen {
    write_one(bench, operation).await.expect("the write succeeds").expect("the write answers the copy")
}

fn failure(answer: Result<Written>) -> ErrorKind {
    match answer {
        Ok(written) => panic!("the write was to fail, and answered {written:?}"),
        Err(error) => error.kind,
    }
}

async fn fetch_all(bench: &dyn Bench, places: &[Place]) -> Vec<Result<Option<Seen>>> {
    let answers = bench.connector().fetch(bench.kind(), places).await;
    assert_eq!(answers.len(), places.len(), "one answer for each place");
    answers
}

async fn fetch(bench: &dyn Bench, id: &RemoteId) -> Option<Seen> {
    let place = Place { remote_id: id.clone(), collection: home(bench).await };
    fetch_all(bench, &[place]).await.remove(0).expect("the item can be asked for")
}

async fn fetch_there(bench: &dyn Bench, id: &RemoteId) -> Seen {
    fetch(bench, id).await.unwrap_or_else(|| panic!("{id} is there"))
}

/// Looks for a create until the place can tell.
async fn find(bench: &mut dyn Bench, lookup: &Lookup) -> Option<Box<Seen>> {
    let mut now_ms = bench.time_ms();
    for _ in 0..3 {
        let answers = bench.connector().find(bench.kind(), std::slice::from_ref(lookup), now_ms).await;
        assert_eq!(answers.len(), 1, "one answer for each look-up");
        match answers.into_iter().next().expect("counted").expect("the place can be looked through") {
            Found::Here(seen) => return Some(seen),
            Found::Nowhere => return None,
            Found::NotBefore(until_ms) => {
                assert!(until_ms > now_ms, "a look-up is put off to a time that is still to come");
                bench.wait_until(until_ms);
                now_ms = until_ms;
            }
        }
    }
    panic!("the look-up is put off for ever");
}

// ---- comparing ----------------------------------------------------------------------------------------------------------

/// Two looks at one state: the same name, place, state and meaning. `earlier` may have been looked at more closely (photos).
fn assert_same(bench: &dyn Bench, earlier: &Seen, later: &Seen, when: &str) {
    assert_eq!(earlier.remote_id, later.remote_id, "{when}: the name");
    assert_eq!(earlier.collection, later.collection, "{when}: the collection of {}", later.remote_id);
    assert_eq!(earlier.etag, later.etag, "{when}: the etag of {}", later.remote_id);
    assert_eq!(earlier.uid, later.uid, "{when}: the UID of {}", later.remote_id);
    assert_eq!(earlier.mark, later.mark, "{when}: the mark of {}", later.remote_id);
    assert_means_the_same(bench, earlier, later, when);
}

fn assert_means_the_same(bench: &dyn Bench, earlier: &Seen, later: &Seen, when: &str) {
    let settled = lens(bench).settle_unknown(&earlier.rendering, later.rendering.clone());
    assert_eq!(read(bench, &settled), read(bench, &earlier.rendering), "{when}: the meaning of {}", later.remote_id);
}

fn says(content: &Content, word: &str) -> bool {
    canonical_text(&content.to_value()).contains(word)
}

fn assert_foreign_text(bench: &dyn Bench, seen: &Seen) {
    let Some(text) = bench.foreign_text() else { return };
    let bytes = seen.rendering.as_bytes();
    let is_there = bytes.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(
        is_there,
        "what another program wrote into a field unknown to us stands in the rendering of {}",
        seen.remote_id
    );
}

/// Three items that another client made.
async fn three(bench: &mut dyn Bench) -> [RemoteId; 3] {
    [bench.create("Ada").await, bench.create("Bob").await, bench.create("Cleo").await]
}

// ---- rules: reading -----------------------------------------------------------------------------------------------------

/// A full listing names everything that is there, as it is, and ends with a token.
pub async fn a_listing_names_everything(bench: &mut dyn Bench) {
    let mut ledger = Ledger::default();
    assert!(pull(bench, &mut ledger).await.is_silent(), "an empty place has nothing to say");
    let ids = three(bench).await;
    let round = list(bench).await;
    assert_eq!(round.ids(), ids.iter().collect(), "exactly what is there");
    for (id, name) in ids.iter().zip(["Ada", "Bob", "Cleo"]) {
        let seen = round.get(id);
        let content = read(bench, &seen.rendering);
        assert!(says(&content, name), "{name}'s item says so: {content:?}");
        assert_eq!(seen.mark, None, "what another client made carries no mark of ours");
        assert_foreign_text(bench, seen);
    }
}

/// A delta after a full listing is empty, and so is the one after that.
pub async fn a_delta_after_a_listing_is_empty(bench: &mut dyn Bench) {
    let mut ledger = Ledger::default();
    three(bench).await;
    assert_eq!(pull(bench, &mut ledger).await.seen.len(), 3);
    for _ in 0..2 {
        let round = pull(bench, &mut ledger).await;
        assert!(round.is_silent(), "nothing happened: {round:?}");
    }
}

/// What another client made comes with the next delta, alone, and once.
pub async fn a_create_elsewhere_comes_with_the_next_delta(bench: &mut dyn Bench) {
    let mut ledger = Ledger::default();
    three(bench).await;
    pull(bench, &mut ledger).await;
    let id = bench.create("Dora").await;
    let round = pull(bench, &mut ledger).await;
    assert_eq!(round.ids(), BTreeSet::from([&id]), "only what is new");
    assert!(says(&read(bench, &round.get(&id).rendering), "Dora"));
    assert!(round.gone.is_empty(), "nobody went");
    assert!(pull(bench, &mut ledger).await.is_silent(), "it is told once");
}

/// What another client changed comes with the next delta, alone, under a new etag, with the content changed.
pub async fn an_edit_elsewhere_comes_with_the_next_delta(bench: &mut dyn Bench) {
    let mut ledger = Ledger::default();
    let [id, _, _] = three(bench).await;
    let first = pull(bench, &mut ledger).await;
    bench.edit(&id, THEIRS).await;
    let round = pull(bench, &mut ledger).await;
    assert_eq!(round.ids(), BTreeSet::from([&id]), "only what changed");
    assert!(round.gone.is_empty(), "nobody went");
    let (before, after) = (first.get(&id), round.get(&id));
    assert_ne!(before.etag, after.etag, "another state has another etag");
    let mut expected = read(bench, &before.rendering);
    bench.note(&mut expected, THEIRS);
    let settled = lens(bench).settle_unknown(&before.rendering, after.rendering.clone());
    assert_eq!(read(bench, &settled), expected, "the note came, and nothing else changed");
    assert!(pull(bench, &mut ledger).await.is_silent(), "it is told once");
}

/// What another client deleted comes as gone with the next delta; asked for, it is certain that it is not there; and a
/// listing does not name it.
pub async fn a_delete_elsewhere_comes_as_gone(bench: &mut dyn Bench) {
    let mut ledger = Ledger::default();
    let [id, other, third] = three(bench).await;
    pull(bench, &mut ledger).await;
    bench.delete(&id).await;
    let round = pull(bench, &mut ledger).await;
    assert_eq!(round.gone, BTreeSet::from([id.clone()]));
    assert!(round.seen.is_empty(), "the others stay as they were: {round:?}");
    assert_eq!(fetch(bench, &id).await, None, "gone for certain");
    assert!(fetch(bench, &other).await.is_some());
    assert_eq!(list(bench).await.ids(), BTreeSet::from([&other, &third]));
    assert!(pull(bench, &mut ledger).await.is_silent(), "it is told once");
}

/// A delta that was read and then lost (a run that was stopped) says the same when it is asked for again.
pub async fn a_delta_may_be_asked_for_again(bench: &mut dyn Bench) {
    let mut ledger = Ledger::default();
    let [edited, deleted, _] = three(bench).await;
    pull(bench, &mut ledger).await;
    bench.edit(&edited, THEIRS).await;
    bench.delete(&deleted).await;
    let once = pull(bench, &mut ledger.clone()).await;
    let again = pull(bench, &mut ledger).await;
    assert_eq!(once.ids(), again.ids());
    assert_eq!(once.gone, again.gone);
    assert_same(bench, once.get(&edited), again.get(&edited), "the same delta, asked for again");
}

/// What a first listing and the deltas after it say is what a new listing says.
pub async fn a_listing_and_a_delta_agree(bench: &mut dyn Bench) {
    let mut ledger = Ledger::default();
    let [edited, deleted, updated] = three(bench).await;
    let mut state = pull(bench, &mut ledger).await.seen;
    bench.edit(&edited, THEIRS).await;
    bench.delete(&deleted).await;
    bench.create("Dora").await;
    let made = create(bench, "ours", &bench.plain("Ours")).await;
    done(bench, made).await;
    let change = update(bench, &state[&updated], &noted(bench, &state[&updated]));
    done(bench, change).await;
    let passing = bench.create("Passing").await;
    bench.delete(&passing).await;
    let delta = pull(bench, &mut ledger).await;
    state.retain(|id, _| !delta.gone.contains(id));
    state.extend(delta.seen);
    let listing = list(bench).await;
    assert_eq!(state.keys().collect::<BTreeSet<_>>(), listing.ids(), "the same items");
    for (id, seen) in &state {
        assert_same(bench, seen, listing.get(id), "delta and listing");
    }
}

/// A fetch answers what a listing answered, and what a listing did not look at is not taken for taken away.
pub async fn a_fetch_answers_what_a_listing_answered(bench: &mut dyn Bench) {
    three(bench).await;
    let made = create(bench, "ours", &bench.plain("Ours")).await;
    done(bench, made).await;
    let listing = list(bench).await;
    assert_eq!(listing.seen.len(), 4);
    for (id, listed) in &listing.seen {
        assert_same(bench, &fetch_there(bench, id).await, listed, "fetch and listing");
    }
}

/// An item that never was is `None`: neither an error nor somebody else.
pub async fn a_fetch_of_nobody_is_none(bench: &mut dyn Bench) {
    bench.create("Ada").await;
    let nobody = bench.nobody();
    assert_eq!(fetch(bench, &nobody).await, None);
}

/// Answers come in the order asked, as many as were asked for, whatever there is in between.
pub async fn answers_come_in_the_order_asked(bench: &mut dyn Bench) {
    let [ada, bob, cleo] = three(bench).await;
    bench.delete(&bob).await;
    let collection = home(bench).await;
    let order = [cleo, bench.nobody(), ada, bob];
    let places = order.clone().map(|remote_id| Place { remote_id, collection: collection.clone() });
    let answers = fetch_all(bench, &places).await;
    let named: Vec<Option<RemoteId>> =
        answers.into_iter().map(|answer| answer.expect("each can be asked for").map(|seen| seen.remote_id)).collect();
    assert_eq!(named, [Some(order[0].clone()), None, Some(order[2].clone()), None]);

    let mut operations = Vec::new();
    for item in ["one", "two", "three"] {
        operations.push(create(bench, item, &bench.plain(item)).await);
    }
    let mut made = Vec::new();
    for (answer, item) in write(bench, &operations).await.into_iter().zip(["one", "two", "three"]) {
        let seen = answer.expect("each is made").expect("each is answered");
        assert!(says(&read(bench, &seen.rendering), item), "the answer for {item} is {item}'s");
        assert_eq!(seen.uid, Some(uid(item)));
        made.push(seen);
    }
    bench.settle();
    let lookups = ["three", "never", "one"].map(|item| lookup(item, &collection, 0));
    let found = bench.connector().find(bench.kind(), &lookups, bench.time_ms()).await;
    let found: Vec<Option<RemoteId>> = found
        .into_iter()
        .map(|found| match found.expect("each can be looked for") {
            Found::Here(seen) => Some(seen.remote_id),
            Found::Nowhere => None,
            Found::NotBefore(ms) => panic!("all was sent long ago, and it can still not be told before {ms}"),
        })
        .collect();
    assert_eq!(found, [Some(made[2].remote_id.clone()), None, Some(made[0].remote_id.clone())]);
}

/// Who asks for nothing gets nothing, and no error.
pub async fn nothing_asked_is_nothing_answered(bench: &mut dyn Bench) {
    let (connector, kind) = (bench.connector(), bench.kind());
    assert!(connector.changes(&[]).await.is_empty());
    assert!(connector.fetch(kind, &[]).await.is_empty());
    assert!(connector.write(kind, &[]).await.is_empty());
    assert!(connector.find(kind, &[], bench.time_ms()).await.is_empty());
    assert!(connector.sweep(kind, &[], 10).await.expect("a sweep of nothing").is_empty());
    assert!(connector.feeds(kind, &[]).is_empty());
}

// ---- rules: creating ----------------------------------------------------------------------------------------------------

/// A create answers what a fetch and a listing then say; the copy stands where it was asked for and carries UID and mark.
pub async fn a_create_answers_what_a_fetch_then_says(bench: &mut dyn Bench) {
    let content = bench.plain("Ada");
    let operation = create(bench, "ada", &content).await;
    let made = done(bench, operation).await;
    assert_eq!(made.collection, home(bench).await);
    assert_eq!(made.uid, Some(uid("ada")));
    assert_eq!(made.mark, bench.carries_mark().then(|| mark("ada")));
    let projected = lens(bench).project(&content).expect("the lens projects");
    assert_eq!(read(bench, &made.rendering), projected, "it says what the lens said it would");
    assert_same(bench, &made, &fetch_there(bench, &made.remote_id).await, "create and fetch");
    let listing = list(bench).await;
    assert_eq!(listing.ids(), BTreeSet::from([&made.remote_id]));
    assert_same(bench, &made, listing.get(&made.remote_id), "create and listing");
}

/// A create is found by its mark or UID.
pub async fn a_create_is_found(bench: &mut dyn Bench) {
    three(bench).await;
    let sent_ms = bench.time_ms();
    let operation = create(bench, "ours", &bench.plain("Ours")).await;
    let made = done(bench, operation).await;
    let collection = home(bench).await;
    let found = find(bench, &lookup("ours", &collection, sent_ms)).await.expect("it is there");
    assert_same(bench, &made, &found, "create and find");
    assert!(find(bench, &lookup("never", &collection, sent_ms)).await.is_none(), "what was never sent is nowhere");
}

/// A create whose reply was lost answers *unknown*, is found, and stands there once.
pub async fn a_create_whose_reply_is_lost_is_found_once(bench: &mut dyn Bench) {
    if !bench.lose_next_reply() {
        return;
    }
    let sent_ms = bench.time_ms();
    let operation = create(bench, "ours", &bench.plain("Ours")).await;
    assert_eq!(failure(write_one(bench, operation).await), ErrorKind::Unknown);
    let collection = home(bench).await;
    let found = find(bench, &lookup("ours", &collection, sent_ms)).await.expect("it was executed");
    assert_eq!(found.uid, Some(uid("ours")));
    let listing = list(bench).await;
    assert_eq!(listing.ids(), BTreeSet::from([&found.remote_id]), "once, and not sent again by anybody");
    assert_same(bench, &found, listing.get(&found.remote_id), "find and listing");
    // What was found is a state like any other.
    let change = update(bench, &found, &noted(bench, &found));
    assert!(says(&read(bench, &done(bench, change).await.rendering), OURS));
}

/// A create that was lost on its way answers *unknown*, and after a while it is certain that it is nowhere.
pub async fn a_create_that_never_arrived_is_found_nowhere(bench: &mut dyn Bench) {
    if !bench.lose_next_request() {
        return;
    }
    let sent_ms = bench.time_ms();
    let operation = create(bench, "ours", &bench.plain("Ours")).await;
    let failed = failure(write_one(bench, operation).await);
    assert!(!failed.proves_not_executed() || failed == ErrorKind::Offline, "{failed:?}");
    let collection = home(bench).await;
    assert!(find(bench, &lookup("ours", &collection, sent_ms)).await.is_none());
    assert!(list(bench).await.is_silent(), "nothing is there");
}

// ---- rules: changing ----------------------------------------------------------------------------------------------------

/// An update changes what was asked and nothing else, on items that others made and on our own, and answers the new state.
pub async fn an_update_changes_only_what_was_asked(bench: &mut dyn Bench) {
    three(bench).await;
    let operation = create(bench, "ours", &bench.plain("Ours")).await;
    done(bench, operation).await;
    let before = list(bench).await;
    for (id, seen) in &before.seen {
        let wanted = noted(bench, seen);
        let written = done(bench, update(bench, seen, &wanted)).await;
        assert_eq!(read(bench, &written.rendering), wanted, "the note is there, and all else as before");
        assert_ne!(written.etag, seen.etag, "another state has another etag");
        assert_eq!((&written.remote_id, &written.collection), (id, &seen.collection), "it stays where it is");
        assert_eq!((&written.uid, &written.mark), (&seen.uid, &seen.mark), "it keeps UID and mark");
        if seen.uid.as_ref() != Some(&uid("ours")) {
            assert_foreign_text(bench, &written);
        }
        assert_same(bench, &written, &fetch_there(bench, id).await, "update and fetch");
        let others = list(bench).await;
        assert_same(bench, &written, others.get(id), "update and listing");
    }
    assert_eq!(list(bench).await.ids(), before.ids(), "no item came or went");
}

/// An update that asks for what is there already succeeds, and the item means what it meant.
pub async fn an_update_to_what_is_there_changes_nothing(bench: &mut dyn Bench) {
    let id = bench.create("Ada").await;
    let seen = fetch_there(bench, &id).await;
    let content = read(bench, &seen.rendering);
    let operation = update(bench, &seen, &content);
    if let Operation::Update { from, to, .. } = &operation {
        assert!(from == to, "the lens has nothing to change");
    }
    let written = done(bench, operation).await;
    assert_eq!(read(bench, &written.rendering), content);
    assert_same(bench, &written, &fetch_there(bench, &id).await, "update and fetch");
}

/// An update whose reply was lost answers *unknown*, and is there.
pub async fn an_update_whose_reply_is_lost_is_there(bench: &mut dyn Bench) {
    let id = bench.create("Ada").await;
    let seen = fetch_there(bench, &id).await;
    let operation = update(bench, &seen, &noted(bench, &seen));
    if !bench.lose_next_reply() {
        return;
    }
    assert_eq!(failure(write_one(bench, operation.clone()).await), ErrorKind::Unknown);
    let there = fetch_there(bench, &id).await;
    assert_eq!(read(bench, &there.rendering), noted(bench, &seen));
    assert_eq!(
        failure(write_one(bench, operation).await),
        ErrorKind::StaleEtag,
        "the same once more rests on an old state"
    );
}

/// An update that rests on an older state is refused as such, and changes nothing.
pub async fn an_update_of_a_stale_state_changes_nothing(bench: &mut dyn Bench) {
    let id = bench.create("Ada").await;
    let seen = fetch_there(bench, &id).await;
    bench.edit(&id, THEIRS).await;
    let theirs = fetch_there(bench, &id).await;
    assert_eq!(failure(write_one(bench, update(bench, &seen, &noted(bench, &seen))).await), ErrorKind::StaleEtag);
    let after = fetch_there(bench, &id).await;
    assert_same(bench, &theirs, &after, "before and after the refused update");
    assert!(says(&read(bench, &after.rendering), THEIRS));
    // On the state of today it goes through.
    let written = done(bench, update(bench, &after, &noted(bench, &after))).await;
    assert_eq!(read(bench, &written.rendering), noted(bench, &after));
}

/// An update of an item that is gone fails for certain, and does not bring it back.
pub async fn an_update_of_nobody_makes_nobody(bench: &mut dyn Bench) {
    let id = bench.create("Ada").await;
    let seen = fetch_there(bench, &id).await;
    bench.delete(&id).await;
    let failed = failure(write_one(bench, update(bench, &seen, &noted(bench, &seen))).await);
    assert!(matches!(failed, ErrorKind::NotFound | ErrorKind::StaleEtag), "{failed:?}");
    assert_eq!(fetch(bench, &id).await, None);
    assert!(list(bench).await.is_silent());
}

// ---- rules: deleting ----------------------------------------------------------------------------------------------------

/// A delete removes the item, this one only; a delete of what is gone already is a success.
pub async fn a_delete_is_done_once_and_a_second_one_succeeds(bench: &mut dyn Bench) {
    let [id, elsewhere, _] = three(bench).await;
    let mut ledger = Ledger::default();
    let before = pull(bench, &mut ledger).await;
    for _ in 0..2 {
        assert_eq!(write_one(bench, delete(before.get(&id))).await.expect("a delete succeeds"), None);
        assert_eq!(fetch(bench, &id).await, None);
    }
    bench.delete(&elsewhere).await;
    let second = write_one(bench, delete(before.get(&elsewhere))).await.expect("somebody else's delete is as good");
    assert_eq!(second, None);
    let delta = pull(bench, &mut ledger).await;
    assert!(delta.seen.is_empty(), "no item changed: {delta:?}");
    assert_eq!(delta.gone, BTreeSet::from([id, elsewhere]));
    assert_eq!(list(bench).await.seen.len(), 1);
}

/// A delete of an item that changed since is refused as stale, and the item stays.
pub async fn a_delete_of_a_stale_state_is_refused(bench: &mut dyn Bench) {
    let id = bench.create("Ada").await;
    let seen = fetch_there(bench, &id).await;
    bench.edit(&id, THEIRS).await;
    assert_eq!(failure(write_one(bench, delete(&seen)).await), ErrorKind::StaleEtag);
    let there = fetch_there(bench, &id).await;
    assert!(says(&read(bench, &there.rendering), THEIRS), "somebody's edit is not lost");
    assert_eq!(write_one(bench, delete(&there)).await.expect("on the state of today it is done"), None);
    assert_eq!(fetch(bench, &id).await, None);
}

// ---- rules: the whole ---------------------------------------------------------------------------------------------------

/// What we wrote comes back in the delta as it was answered, or not at all: never as a change.
pub async fn a_write_echoes_in_the_delta_as_it_was_answered(bench: &mut dyn Bench) {
    let [updated, deleted, _] = three(bench).await;
    let mut ledger = Ledger::default();
    let before = pull(bench, &mut ledger).await;
    let operations = [
        create(bench, "ours", &bench.plain("Ours")).await,
        update(bench, before.get(&updated), &noted(bench, before.get(&updated))),
        delete(before.get(&deleted)),
    ];
    let mut answers = write(bench, &operations).await.into_iter().map(|answer| answer.expect("the write succeeds"));
    let written: Vec<Seen> = answers.by_ref().flatten().collect();
    assert_eq!(written.len(), 2);
    for seen in &written {
        // As a hub does: places that compare are handed what the writes answered.
        let feeds = feeds(bench).await;
        let feed = feeds.iter().find(|feed| feed.collections.contains(&seen.collection)).expect("a feed covers it");
        ledger.known.entry(feed.id.clone()).or_default().insert(seen.remote_id.clone(), seen.etag.clone());
    }
    let delta = pull(bench, &mut ledger).await;
    for (id, seen) in &delta.seen {
        let ours = written.iter().find(|ours| ours.remote_id == *id).expect("only what was written");
        assert_same(bench, ours, seen, "write and delta");
    }
    assert!(delta.gone.iter().all(|id| *id == deleted), "{:?}", delta.gone);
    assert!(pull(bench, &mut ledger).await.is_silent());
}

/// One bad operation among others fails alone.
pub async fn one_bad_operation_does_not_stop_the_others(bench: &mut dyn Bench) {
    let [stale, gone, good] = three(bench).await;
    let before = list(bench).await;
    bench.edit(&stale, THEIRS).await;
    bench.delete(&gone).await;
    let change = |id: &RemoteId| update(bench, before.get(id), &noted(bench, before.get(id)));
    let operations = [
        create(bench, "first", &bench.plain("First")).await,
        change(&stale),
        change(&gone),
        change(&good),
        delete(before.get(&stale)),
        delete(before.get(&gone)),
        create(bench, "last", &bench.plain("Last")).await,
    ];
    let mut answers = write(bench, &operations).await.into_iter();
    let mut next = || answers.next().expect("counted");
    let first = next().expect("the first is made").expect("and answered");
    assert_eq!(failure(next()), ErrorKind::StaleEtag, "the update of a stale state");
    assert!(matches!(failure(next()), ErrorKind::NotFound | ErrorKind::StaleEtag), "the update of what is gone");
    let updated = next().expect("the good one is changed").expect("and answered");
    assert_eq!(failure(next()), ErrorKind::StaleEtag, "the delete of a stale state");
    assert_eq!(next().expect("what is gone is gone"), None);
    let last = next().expect("the last is made").expect("and answered");
    let listing = list(bench).await;
    assert_eq!(listing.ids(), BTreeSet::from([&first.remote_id, &last.remote_id, &stale, &good]));
    assert_same(bench, &first, listing.get(&first.remote_id), "write and listing");
    assert_same(bench, &last, listing.get(&last.remote_id), "write and listing");
    assert_same(bench, &updated, listing.get(&good), "write and listing");
    assert!(says(&read(bench, &listing.get(&stale).rendering), THEIRS));
}

/// A place that cannot be reached answers errors, one for each question: no empty list, no "gone", no "nowhere".
pub async fn a_place_that_is_cut_off_says_nothing(bench: &mut dyn Bench) {
    let id = bench.create("Ada").await;
    let mut ledger = Ledger::default();
    let before = pull(bench, &mut ledger).await;
    let seen = before.get(&id).clone();
    let (feeds, home, before_collections) = (feeds(bench).await, home(bench).await, collections(bench).await);
    let operations =
        [create(bench, "ours", &bench.plain("Ours")).await, update(bench, &seen, &noted(bench, &seen)), delete(&seen)];
    if !bench.cut_off() {
        return;
    }
    let (connector, kind) = (bench.connector(), bench.kind());
    // A place that has but one collection may know that without asking.
    let told = connector.collections(kind).await;
    assert!(told.as_ref().map_or(true, |told| *told == before_collections), "an error, not another list: {told:?}");
    let known = ledger.known.values().flatten().map(|(id, etag)| (id.clone(), etag.clone())).collect::<Known>();
    for start in [Since::Start, ledger.since(bench, &feeds[0])] {
        let polls: Vec<Poll<'_>> =
            feeds.iter().map(|feed| Poll { feed, since: start.clone(), known: &known }).collect();
        let pages = connector.changes(&polls).await;
        assert_eq!(pages.len(), polls.len());
        assert!(pages.iter().all(Result::is_err), "an error, not an empty page: {pages:?}");
    }
    let fetched = fetch_all(bench, &[place(&seen), place(&seen)]).await;
    assert!(fetched.iter().all(Result::is_err), "an error, not gone: {fetched:?}");
    let written = connector.write(kind, &operations).await;
    assert_eq!(written.len(), operations.len());
    assert!(written.iter().all(Result::is_err), "an error for each operation: {written:?}");
    let late_ms = bench.time_ms() + 86_400_000;
    let found = connector.find(kind, &[lookup("ours", &home, 0), lookup("never", &home, 0)], late_ms).await;
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(Result::is_err), "an error, not nowhere: {found:?}");
}

/// A token that is dead is said to be dead, and a full listing goes on from there.
pub async fn a_dead_token_asks_for_a_listing(bench: &mut dyn Bench) {
    three(bench).await;
    let mut ledger = Ledger::default();
    let first = pull(bench, &mut ledger).await;
    if !bench.expire_tokens() {
        return;
    }
    let error = try_pull(bench, &mut ledger.clone()).await.expect_err("the token is dead");
    assert_eq!(error.kind, ErrorKind::TokenExpired);
    let mut anew = Ledger::default();
    assert_eq!(pull(bench, &mut anew).await.ids(), first.ids());
    assert!(pull(bench, &mut anew).await.is_silent());
}

/// A collection that is made twice under one name is one; it begins empty and can be written to.
pub async fn a_collection_made_twice_is_one(bench: &mut dyn Bench) {
    let like = bench.like("Club");
    let (connector, kind) = (bench.connector(), bench.kind());
    if !connector.abilities().makes_collections.contains(&kind) {
        let error = connector.create_collection(kind, &like).await.expect_err("it makes none");
        assert_eq!(error.kind, ErrorKind::Unsupported);
        return;
    }
    let before = collections(bench).await;
    let made = connector.create_collection(kind, &like).await.expect("it is made");
    let again = connector.create_collection(kind, &like).await.expect("it is there");
    assert_eq!(made.id, again.id);
    assert_eq!(made.name, "Club");
    let after = collections(bench).await;
    assert_eq!(after.len(), before.len() + 1, "one more, and only one: {after:?}");
    assert!(after.iter().any(|collection| collection.id == made.id && collection.name == "Club"), "{after:?}");
    assert!(list(bench).await.is_silent(), "it begins empty");

    let content = bench.plain("Member");
    let rendering = lens(bench).write(None, &content, &identity("member")).expect("the lens writes");
    let operation =
        Operation::Create { collection: made.id.clone(), rendering, uid: uid("member"), mark: mark("member") };
    let sent_ms = bench.time_ms();
    let member = done(bench, operation).await;
    assert_eq!(member.collection, made.id);
    let listing = list(bench).await;
    assert_eq!(listing.ids(), BTreeSet::from([&member.remote_id]), "in one feed only");
    assert_eq!(listing.get(&member.remote_id).collection, made.id);
    let found = find(bench, &lookup("member", &made.id, sent_ms)).await.expect("it is found where it was made");
    assert_eq!(found.remote_id, member.remote_id);
}

/// Names of collections and feeds stay; every collection stands in exactly one feed.
pub async fn collections_and_feeds_are_the_same_when_asked_again(bench: &mut dyn Bench) {
    let once = collections(bench).await;
    assert_eq!(once, collections(bench).await);
    let feeds = feeds(bench).await;
    assert_eq!(feeds, bench.connector().feeds(bench.kind(), &once));
    let ids: BTreeSet<&FeedId> = feeds.iter().map(|feed| &feed.id).collect();
    assert_eq!(ids.len(), feeds.len(), "each feed is named once");
    for collection in &once {
        let covering = feeds.iter().filter(|feed| feed.collections.contains(&collection.id)).count();
        assert_eq!(covering, 1, "{} stands in one feed", collection.id);
    }
}

// ---- rules: the lens ----------------------------------------------------------------------------------------------------

/// Everything that the place itself answers, by all ways there are.
async fn answers(bench: &mut dyn Bench) -> Vec<Rendering> {
    let mut renderings = Vec::new();
    three(bench).await;
    for (at, content) in bench.rich().iter().enumerate() {
        let operation = create(bench, &format!("rich{at}"), content).await;
        let made = done(bench, operation).await;
        renderings.push(made.rendering.clone());
        let written = done(bench, update(bench, &made, &noted(bench, &made))).await;
        renderings.push(written.rendering);
    }
    let listing = list(bench).await;
    for (id, seen) in listing.seen {
        renderings.push(seen.rendering);
        renderings.push(fetch_there(bench, &id).await.rendering);
    }
    renderings
}

/// *Nothing changes when nothing is changed*: what a rendering says, written onto it, is that rendering, byte for byte.
pub async fn a_lens_changes_nothing_when_nothing_is_changed(bench: &mut dyn Bench) {
    for rendering in answers(bench).await {
        let content = read(bench, &rendering);
        let again = lens(bench).write(Some(&rendering), &content, &nobodys()).expect("the lens writes");
        assert!(again == rendering, "written again it differs: {content:?}");
    }
}

/// *What is written is read back*, onto any rendering as from nothing; and writing it once more changes nothing.
pub async fn a_lens_reads_what_it_wrote(bench: &mut dyn Bench) {
    let contents = bench.rich();
    for rendering in answers(bench).await {
        let from_it = noted(bench, &Seen { rendering: rendering.clone(), ..nobody_seen() });
        for content in contents.iter().chain([&from_it]) {
            let lens = lens(bench);
            let held = lens.project(content).expect("the lens projects");
            assert_eq!(lens.project(&held).expect("and again"), held, "what the place can hold, it holds");
            let onto = lens.write(Some(&rendering), content, &nobodys()).expect("the lens edits");
            let said = read(bench, &onto);
            assert_eq!(said, held, "written onto another rendering it says the same as from nothing");
            let twice = lens.write(Some(&onto), content, &nobodys()).expect("the lens edits");
            assert_eq!(read(bench, &twice), said, "the same once more changes nothing");
            assert!(lens.write(Some(&onto), &said, &nobodys()).expect("the lens edits") == onto, "not a byte");
        }
    }
}

fn nobody_seen() -> Seen {
    Seen {
        remote_id: "".into(),
        collection: "".into(),
        etag: Etag(String::new()),
        rendering: Rendering(Vec::new()),
        uid: None,
        mark: None,
        modified_ms: None,
    }
}

/// What the lens says that the place will hold, the place then holds: created so, and changed so.
pub async fn a_place_answers_what_its_lens_projected(bench: &mut dyn Bench) {
    for (at, content) in bench.rich().iter().enumerate() {
        let held = lens(bench).project(content).expect("the lens projects");
        let operation = create(bench, &format!("rich{at}"), content).await;
        let made = done(bench, operation).await;
        assert_eq!(read(bench, &made.rendering), held, "created");
        assert_same(bench, &made, &fetch_there(bench, &made.remote_id).await, "create and fetch");
        let id = bench.create("Ada").await;
        let theirs = fetch_there(bench, &id).await;
        let written = done(bench, update(bench, &theirs, content)).await;
        assert_eq!(read(bench, &written.rendering), held, "changed");
        assert_same(bench, &written, &fetch_there(bench, &id).await, "update and fetch");
    }
}

/// What the place has no field for it keeps all the same, beside what its own fields say; and an edit there leaves it.
pub async fn what_a_place_has_no_field_for_is_carried(bench: &mut dyn Bench) {
    let Some(content) = bench.beyond() else { return };
    let operation = create(bench, "beyond", &content).await;
    let made = done(bench, operation).await;
    let held = lens(bench).project(&content).expect("the lens projects");
    assert_eq!(read(bench, &made.rendering), held);
    let native = lens(bench).native(&made.rendering).expect("the place's own fields can be read");
    assert_ne!(native, held, "the place's own fields do not say it");
    bench.edit(&made.remote_id, THEIRS).await;
    let mut expected = held;
    bench.note(&mut expected, THEIRS);
    assert_eq!(read(bench, &fetch_there(bench, &made.remote_id).await.rendering), expected, "an edit there leaves it");
}
