//! The calendar room against the sandbox's Graph: rounds on both ways, series, writes, and the weather between.

#[allow(dead_code)]
mod calendar_events;

use async_trait::async_trait;
use calendar_events::{at, lunch, overrides, standup, weekly};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use twofold_http::{Client, ClientOptions, ManualClock, Response, TokenSource, Transport, TransportError, Wire};
use twofold_microsoft365::calendar::sheet::Sheet;
use twofold_microsoft365::{GraphDialect, Microsoft365, Options};
use twofold_model::{
    Access, Collection, CollectionId, Connector, Content, DeltaToken, Entry, ErrorKind, Feed, Found, Identity, Kind,
    Known, Lookup, Mark, Next, Operation, Page, Place, Poll, RemoteId, Removal, Rendering, Result, Seen, Since, Uid,
    Written,
};
use twofold_sandbox::{Fault, Phase, Provider, Request, Rule, Sandbox, Switches};
use twofold_zones::SystemZones;
use url::Url;

/// The line to the sandbox: each part asks for immutable ids, and nothing sends people or an online meeting's body.
struct Line(Sandbox);

#[async_trait]
impl Transport for Line {
    async fn exchange(&self, wire: &Wire) -> Result<Response, TransportError> {
        assert!(wire.header("prefer").unwrap_or_default().contains("IdType=\"ImmutableId\""), "{}", wire.what);
        if wire.url.path().ends_with("/$batch") {
            let body: Value = serde_json::from_slice(&wire.body).unwrap();
            for part in body["requests"].as_array().unwrap() {
                let prefer = part["headers"]["Prefer"].as_str().unwrap_or_default();
                assert!(prefer.contains("IdType=\"ImmutableId\""), "part {} of {}", part["url"], wire.what);
                let is_asked = part["body"].get("attendees").is_some();
                assert!(!is_asked || part["method"] == "PATCH", "people are sent: {}", wire.what);
                assert_ne!(part["body"].get("body"), Some(&Value::Null), "a body of null");
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
    tokens: BTreeMap<String, DeltaToken>,
    clock: Arc<ManualClock>,
}

impl World {
    fn new(options: twofold_sandbox::Options) -> World {
        let sandbox = Sandbox::new(options.virtual_time());
        let base = Url::parse(&sandbox.urls().microsoft_graph).unwrap();
        let clock = Arc::new(ManualClock::hurried(u64::try_from(sandbox.clock().now_ms()).unwrap()));
        let options = ClientOptions::new(base, Arc::new(GraphDialect))
            .token(Arc::new(Token(sandbox.clone())))
            .transport(Arc::new(Line(sandbox.clone())))
            .clock(clock.clone());
        let graph = Microsoft365::new(Options {
            graph: Client::new(options).unwrap(),
            hub_id: "hub".into(),
            zones: Arc::new(SystemZones::in_folder(None)),
            home_zone: Some("Europe/Berlin".into()),
            blobs: None,
        });
        World { sandbox, graph, tokens: BTreeMap::new(), clock }
    }

    fn with(switches: Switches) -> World {
        World::new(twofold_sandbox::Options::empty().with(switches))
    }

    fn empty() -> World {
        World::with(Switches::default())
    }

    async fn collections(&self) -> Vec<Collection> {
        self.graph.collections(Kind::Calendar).await.unwrap()
    }

    async fn home(&self) -> CollectionId {
        self.collections().await.into_iter().find(|collection| collection.is_default).unwrap().id
    }

    /// Polls every feed that may be polled to its end and keeps the tokens; the entries, or the first failure.
    async fn pull(&mut self) -> Result<Vec<Entry>> {
        let collections = self.collections().await;
        let known = Known::new();
        let mut entries = Vec::new();
        let feeds = self.graph.feeds(Kind::Calendar, &collections);
        let mut open: Vec<(Feed, Since)> = feeds
            .into_iter()
            .map(|feed| {
                let token = self.tokens.get(feed.id.as_str()).cloned();
                (feed, token.map_or(Since::Start, Since::Token))
            })
            .collect();
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

    /// What a round shows, by the titles of the items.
    async fn pull_seen(&mut self) -> BTreeMap<String, Seen> {
        let entries = self.pull().await.unwrap();
        let seen = entries.into_iter().map(|entry| match entry {
            Entry::Seen(seen) => (self.title(&seen), *seen),
            other => panic!("{other:?}"),
        });
        seen.collect()
    }

    fn title(&self, seen: &Seen) -> String {
        let says = self.says(&seen.rendering);
        twofold_model::event::display_title(&says).unwrap_or_default()
    }

    fn says(&self, rendering: &Rendering) -> Content {
        self.graph.lens(Kind::Calendar).read(rendering).unwrap()
    }

    async fn fetch(&self, id: &str) -> Result<Option<Seen>> {
        let place = Place { remote_id: RemoteId::from(id), collection: self.home().await };
        self.graph.fetch(Kind::Calendar, &[place]).await.pop().unwrap()
    }

    async fn write(&self, operation: Operation) -> Result<Written> {
        self.graph.write(Kind::Calendar, &[operation]).await.pop().unwrap()
    }

    async fn creation(&self, item: &str, event: Value) -> Operation {
        let identity = Identity { uid: uid(item), mark: Some(mark(item)) };
        let content = Content::from_value(event);
        let rendering = self.graph.lens(Kind::Calendar).write(None, &content, &identity).unwrap();
        Operation::Create { collection: self.home().await, rendering, uid: uid(item), mark: mark(item) }
    }

    async fn create(&self, item: &str, event: Value) -> Seen {
        let operation = self.creation(item, event).await;
        self.write(operation).await.unwrap().unwrap()
    }

    fn change(&self, seen: &Seen, change: impl FnOnce(&mut Content)) -> Operation {
        let mut content = self.says(&seen.rendering);
        change(&mut content);
        let identity = Identity { uid: uid("x"), mark: None };
        let to = self.graph.lens(Kind::Calendar).write(Some(&seen.rendering), &content, &identity).unwrap();
        Operation::Update { place: place(seen), etag: seen.etag.clone(), from: seen.rendering.clone(), to }
    }

    fn held(&self, seen: &Seen) -> Value {
        self.sandbox.graph_event(seen.remote_id.as_str()).unwrap()
    }

    fn mails(&self) -> usize {
        self.sandbox.graph_mails().len()
    }
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

fn gone(entries: &[Entry]) -> Vec<&str> {
    entries.iter().filter_map(|entry| if let Entry::Gone(id) = entry { Some(id.as_str()) } else { None }).collect()
}

// Calendars

#[tokio::test]
async fn calendars_come_with_their_rights_and_can_be_made_and_renamed() {
    let world = World::empty();
    world.sandbox.graph_calendar_share("Holidays", "holidays@example.com").unwrap();
    let like = Collection {
        id: "x".into(),
        kind: Kind::Calendar,
        name: "Work".into(),
        color: None,
        is_default: false,
        role: None,
        access: Access::ReadWrite,
    };
    let made = world.graph.create_collection(Kind::Calendar, &like).await.unwrap();
    assert_eq!(
        world.graph.create_collection(Kind::Calendar, &like).await.unwrap().id,
        made.id,
        "a second one is the first"
    );
    world.graph.rename_collection(Kind::Calendar, &made.id, Some("Job"), None).await.unwrap();
    let all = world.collections().await;
    let of = |name: &str| all.iter().find(|one| one.name == name).unwrap();
    assert_eq!((of("Job").id.clone(), of("Job").access), (made.id, Access::ReadWrite));
    assert_eq!(of("Holidays").access, Access::ReadOnly);
    assert_eq!(all.iter().filter(|one| one.is_default).count(), 1);
}

fn calendar(name: &str) -> Collection {
    let (id, name, access) = (CollectionId::from(""), name.to_owned(), Access::ReadWrite);
    Collection { id, kind: Kind::Calendar, name, color: None, is_default: false, role: None, access }
}

#[tokio::test]
async fn a_calendar_takes_a_name_and_keeps_the_colour_that_outlook_gave_it() {
    let world = World::empty();
    let made = world.graph.create_collection(Kind::Calendar, &calendar("Work")).await.unwrap();
    world.sandbox.graph_calendar_recolor(made.id.as_str(), "lightTeal").unwrap();
    let fault = Rule::any(Fault::DropAfter).on(Provider::Microsoft).method("PATCH").times(1);
    world.sandbox.fault(fault);
    let rename = async || world.graph.rename_collection(Kind::Calendar, &made.id, Some("Job"), Some("#ff0000")).await;
    assert_eq!(rename().await.unwrap_err().kind, ErrorKind::Unknown);
    let renamed = rename().await.unwrap();
    assert_eq!((renamed.name.as_str(), renamed.color.as_deref()), ("Job", Some("#038387")));
    assert_eq!(world.collections().await.into_iter().find(|one| one.id == made.id), Some(renamed));
    let colour = world.graph.rename_collection(Kind::Calendar, &made.id, None, Some("#ff0000")).await;
    assert_eq!(colour.unwrap_err().kind, ErrorKind::Unsupported);
    world.graph.create_collection(Kind::Calendar, &calendar("Club")).await.unwrap();
    let taken = world.graph.rename_collection(Kind::Calendar, &made.id, Some("Club"), None).await;
    assert_eq!(taken.unwrap_err().kind, ErrorKind::Refused, "there is one of that name");
}

#[tokio::test]
async fn a_calendar_of_the_users_own_goes_only_when_it_is_empty() {
    let world = World::empty();
    let made = world.graph.create_collection(Kind::Calendar, &calendar("Work")).await.unwrap();
    assert_eq!(world.graph.removal(Kind::Calendar, &made.id).await.unwrap(), Removal::Whole);
    let event = world.sandbox.graph_event_create(made.id.as_str(), &standup()).unwrap();
    assert!(!world.graph.remove_collection(Kind::Calendar, &made.id).await.unwrap(), "an event is in it");
    world.sandbox.graph_event_delete(&event).unwrap();
    let fault = Rule::any(Fault::DropAfter).on(Provider::Microsoft).method("DELETE").times(1);
    world.sandbox.fault(fault);
    let lost = world.graph.remove_collection(Kind::Calendar, &made.id).await.unwrap_err();
    assert_eq!(lost.kind, ErrorKind::Unknown);
    assert!(world.graph.remove_collection(Kind::Calendar, &made.id).await.unwrap(), "it is gone already");
    assert!(world.collections().await.iter().all(|one| one.id != made.id));
    let gone = world.graph.removal(Kind::Calendar, &made.id).await.unwrap_err();
    assert_eq!(gone.kind, ErrorKind::NotFound);
}

#[tokio::test]
async fn the_default_calendar_and_what_others_share_are_never_deleted() {
    let world = World::empty();
    let shared = world.sandbox.graph_calendar_share("Holidays", "holidays@example.com").unwrap();
    for id in [world.home().await, CollectionId(shared)] {
        assert_eq!(world.graph.removal(Kind::Calendar, &id).await.unwrap(), Removal::Never, "{id}");
        assert!(!world.graph.remove_collection(Kind::Calendar, &id).await.unwrap(), "{id}");
    }
    assert_eq!(world.collections().await.len(), 2);
}

// Rounds

/// The ways of a server: which deltas it has, and what they tell.
fn ways() -> Vec<(&'static str, Switches)> {
    let of = |events: &str| Switches { graph_events_delta: events.into(), list_lag_s: 0, ..Switches::default() };
    vec![
        ("events/delta, the documented members only", of("limited")),
        ("events/delta, with what is selected", of("select")),
        ("events/delta, exceptions too", Switches { graph_events_delta_tells_exceptions: true, ..of("select") }),
        ("calendarView/delta", of("off")),
        ("calendarView/delta without masters", Switches { graph_view_delta_shows_masters: false, ..of("off") }),
        ("a hostile day", Switches { list_lag_s: 0, ..Switches::hostile() }),
    ]
}

#[tokio::test]
async fn a_calendar_is_listed_and_then_followed_on_every_way() {
    for (way, switches) in ways() {
        let mut world = World::with(switches);
        let single = world.sandbox.graph_event_create("", &lunch("Lunch")).unwrap();
        let series = world.sandbox.graph_event_create("", &standup()).unwrap();
        world.sandbox.graph_occurrence_edit(&series, "2026-03-09", |event| event["subject"] = json!("Other")).unwrap();
        world.sandbox.graph_occurrence_delete(&series, "2026-03-16").unwrap();
        let old = json!({"subject": "Long ago", "start": at("1999-03-02T12:00:00"), "end": at("1999-03-02T13:00:00")});
        let old = world.sandbox.graph_event_create("", &old).unwrap();
        let listed = world.pull_seen().await;
        assert_eq!(listed.keys().collect::<Vec<_>>(), ["Long ago", "Lunch", "Standup"], "{way}");
        let says = world.says(&listed["Standup"].rendering);
        assert_eq!(
            overrides(&says),
            json!({"2026-03-09T09:00:00": {"title": "Other"}, "2026-03-16T09:00:00": {"excluded": true}}),
            "{way}"
        );
        assert_eq!(listed["Standup"].remote_id.as_str(), series, "{way}");
        let quiet = world.pull().await.unwrap();
        let known = |entry: &Entry| match entry {
            Entry::Seen(seen) => listed
                .get(&world.title(seen))
                .is_some_and(|old| world.says(&old.rendering) == world.says(&seen.rendering)),
            _ => false,
        };
        assert!(quiet.iter().all(known), "{way}: nothing changed: {quiet:?}");

        world.sandbox.clock().advance_ms(3_600_000);
        world.sandbox.graph_event_edit(&single, |event| event["subject"] = json!("Dinner")).unwrap();
        world.sandbox.graph_event_edit(&old, |event| event["subject"] = json!("Longer ago")).unwrap();
        world.sandbox.graph_occurrence_edit(&series, "2026-03-23", |event| event["showAs"] = json!("free")).unwrap();
        let entries = world.pull().await.unwrap();
        let titles: BTreeSet<String> = entries
            .iter()
            .filter_map(|entry| if let Entry::Seen(seen) = entry { Some(world.title(seen)) } else { None })
            .collect();
        for title in ["Dinner", "Longer ago", "Standup"] {
            assert!(titles.contains(title), "{way}: {title} of {titles:?}");
        }
        // Whatever is said to be gone is asked for: out of the window is not gone.
        for id in gone(&entries) {
            assert!(id != old || world.fetch(id).await.unwrap().is_some(), "{way}");
        }
        world.sandbox.graph_event_delete(&single).unwrap();
        world.sandbox.clock().advance_ms(3_600_000);
        let entries = world.pull().await.unwrap();
        assert!(gone(&entries).contains(&single.as_str()), "{way}");
        assert_eq!(world.fetch(&single).await.unwrap(), None, "{way}: in Deleted Items is gone");
        assert!(world.fetch(&series).await.unwrap().is_some(), "{way}");
    }
}

#[tokio::test]
async fn an_event_that_moved_is_found_in_its_new_calendar() {
    let mut world = World::empty();
    let other = world.sandbox.graph_calendar_create("Other").unwrap();
    let id = world.sandbox.graph_event_create("", &lunch("Lunch")).unwrap();
    world.pull_seen().await;
    world.sandbox.graph_event_move(&id, &other).unwrap();
    let seen = world.fetch(&id).await.unwrap().unwrap();
    assert_eq!((seen.remote_id.as_str(), seen.collection.as_str()), (id.as_str(), other.as_str()));
}

#[tokio::test]
async fn a_dead_token_lists_anew_and_an_old_window_too() {
    let mut world = World::empty();
    world.sandbox.graph_event_create("", &lunch("Lunch")).unwrap();
    world.pull_seen().await;
    world.sandbox.graph_expire_delta_tokens();
    assert_eq!(world.pull().await.unwrap_err().kind, ErrorKind::TokenExpired);
    world.tokens.clear();
    assert_eq!(world.pull_seen().await.len(), 1);
    let mut world = World::with(Switches { graph_events_delta: "off".into(), ..Switches::default() });
    world.sandbox.graph_event_create("", &lunch("Lunch")).unwrap();
    world.pull_seen().await;
    world.clock.advance_ms(61 * 86_400_000);
    assert_eq!(world.pull().await.unwrap_err().kind, ErrorKind::TokenExpired);
}

#[tokio::test]
async fn exceptions_are_found_where_the_series_does_not_tell_them() {
    for has_bytes in [true, false] {
        let mut world = World::with(Switches {
            graph_master_tells_exceptions: false,
            graph_shows_recurrence_bytes: has_bytes,
            ..Switches::default()
        });
        let series = world.sandbox.graph_event_create("", &standup()).unwrap();
        world.sandbox.graph_occurrence_edit(&series, "2026-03-09", |event| event["subject"] = json!("Other")).unwrap();
        world.sandbox.graph_occurrence_delete(&series, "2026-03-16").unwrap();
        let late = if has_bytes { "2035-03-05" } else { "2028-03-06" };
        world.sandbox.graph_occurrence_edit(&series, late, |event| event["subject"] = json!("Late")).unwrap();
        let listed = world.pull_seen().await;
        let says = overrides(&world.says(&listed["Standup"].rendering));
        assert_eq!(says["2026-03-09T09:00:00"], json!({"title": "Other"}));
        assert_eq!(says[format!("{late}T09:00:00")], json!({"title": "Late"}));
        let sheet = Sheet::open(&listed["Standup"].rendering).unwrap();
        assert_eq!(sheet.is_partial, !has_bytes, "what is not told is not taken for absent");
        assert_eq!(says.get("2026-03-16T09:00:00").is_some(), has_bytes);
        let again = world.fetch(&series).await.unwrap().unwrap();
        assert_eq!(world.says(&again.rendering), world.says(&listed["Standup"].rendering));
    }
}

#[tokio::test]
async fn exception_in_year_9() {
    let mut world = World::empty();
    let series = world.sandbox.graph_event_create("", &standup()).unwrap();
    world.sandbox.graph_occurrence_edit(&series, "2035-03-05", |event| event["subject"] = json!("Late")).unwrap();
    world.sandbox.graph_occurrence_delete(&series, "2036-03-03").unwrap();
    let listed = world.pull_seen().await;
    let says = overrides(&world.says(&listed["Standup"].rendering));
    assert_eq!(says, json!({"2035-03-05T09:00:00": {"title": "Late"}, "2036-03-03T09:00:00": {"excluded": true}}));
}

#[tokio::test]
async fn one_calendar_that_cannot_be_read_does_not_stop_the_others() {
    let world = World::with(Switches { graph_broken_calendars: vec!["Old share".into()], ..Switches::default() });
    world.sandbox.graph_calendar_create("Old share").unwrap();
    world.sandbox.graph_event_create("", &lunch("Lunch")).unwrap();
    let collections = world.collections().await;
    let feeds = world.graph.feeds(Kind::Calendar, &collections);
    let known = Known::new();
    let polls: Vec<Poll<'_>> = feeds.iter().map(|feed| Poll { feed, since: Since::Start, known: &known }).collect();
    let pages = world.graph.changes(&polls).await;
    assert_eq!(pages.iter().filter(|page| page.is_ok()).count(), 1);
}

// Writes

#[tokio::test]
async fn a_single_event_is_made_changed_and_removed() {
    let mut world = World::empty();
    let event = json!({"title": "Lunch", "start": "2026-03-02T12:00:00", "timeZone": "Europe/Vienna", "duration": "PT1H",
        "description": "Bring\nfork", "keywords": {"Food": true}, "color": "red", "locations": {"location": {"name": "Bar"}}});
    let seen = world.create("1", event.clone()).await;
    assert_eq!(world.says(&seen.rendering), Content::from_value(event));
    assert_eq!((seen.uid.clone(), seen.mark.clone()), (Some(uid("1")), Some(mark("1"))));
    let held = world.held(&seen);
    assert_eq!((&held["isReminderOn"], &held["showAs"]), (&json!(false), &json!("busy")));
    let listed = world.pull_seen().await;
    assert_eq!(world.says(&listed["Lunch"].rendering), world.says(&seen.rendering));
    let to = world.change(&seen, |event| event.set("start", json!("2026-03-03T12:00:00")));
    let moved = world.write(to.clone()).await.unwrap().unwrap();
    assert_eq!(world.says(&moved.rendering).get("start"), Some(&json!("2026-03-03T12:00:00")));
    assert_eq!(world.write(to).await.unwrap_err().kind, ErrorKind::StaleEtag, "the state that it rested on is gone");
    let removal = |seen: &Seen| Operation::Delete { place: place(seen), etag: seen.etag.clone() };
    assert_eq!(world.write(removal(&moved)).await.unwrap(), None);
    assert_eq!(world.write(removal(&moved)).await.unwrap(), None, "gone is gone");
    assert_eq!(world.mails(), 0);
}

#[tokio::test]
async fn all_day_auckland() {
    let world = World::empty();
    let event = json!({"title": "Fair", "start": "2026-03-02T00:00:00", "showWithoutTime": true, "duration": "P2D"});
    let seen = world.create("1", event.clone()).await;
    assert_eq!(world.says(&seen.rendering), Content::from_value(event));
    world.sandbox.graph_set_mailbox_zone("New Zealand Standard Time").unwrap();
    let again = world.fetch(seen.remote_id.as_str()).await.unwrap().unwrap();
    assert_eq!(world.says(&again.rendering), world.says(&seen.rendering));
}

#[tokio::test]
async fn a_series_is_made_with_its_exceptions_and_the_days_taken_out() {
    for switches in [Switches::default(), Switches { list_lag_s: 0, ..Switches::hostile() }] {
        let mut world = World::with(switches);
        let event = weekly(json!({"recurrenceOverrides": {
            "2026-03-09T09:00:00": {"title": "Other", "color": "red", "start": "2026-03-09T11:00:00"},
            "2026-07-06T09:00:00": {"description": "Summer"}, "2026-03-16T09:00:00": {"excluded": true}}}));
        let seen = world.create("1", event.clone()).await;
        assert_eq!(world.says(&seen.rendering), Content::from_value(event));
        let held = world.held(&seen);
        assert_eq!(held["exceptions"].as_object().map(serde_json::Map::len), Some(2), "{held}");
        assert_eq!(held["cancelled"], json!(["2026-03-16"]));
        assert!(!Sheet::open(&seen.rendering).unwrap().is_partial);
        let listed = world.pull_seen().await;
        assert_eq!(world.says(&listed["Standup"].rendering), world.says(&seen.rendering));
        assert_eq!(world.mails(), 0);
    }
}

#[tokio::test]
async fn exdate_hits_one() {
    // A daily series late in the evening, west of UTC: each day's occurrence lies in the next day of UTC.
    let world = World::empty();
    let event = json!({"title": "Late", "start": "2026-03-02T22:00:00", "timeZone": "Pacific/Honolulu", "duration": "PT1H",
        "recurrenceRules": [{"frequency": "daily"}]});
    let seen = world.create("1", event).await;
    let to = world
        .change(&seen, |event| event.set("recurrenceOverrides", json!({"2026-03-09T22:00:00": {"excluded": true}})));
    let written = world.write(to).await.unwrap().unwrap();
    assert_eq!(world.held(&written)["cancelled"], json!(["2026-03-09"]));
    assert_eq!(overrides(&world.says(&written.rendering)), json!({"2026-03-09T22:00:00": {"excluded": true}}));
}

#[tokio::test]
async fn title_edit_keeps_overrides() {
    let world = World::empty();
    let seen = world
        .create(
            "1",
            weekly(json!({"recurrenceOverrides": {
        "2026-03-09T09:00:00": {"start": "2026-03-09T11:00:00"}, "2026-03-16T09:00:00": {"excluded": true}}})),
        )
        .await;
    let to = world.change(&seen, |event| event.set("title", json!("Daily")));
    let written = world.write(to).await.unwrap().unwrap();
    let says = world.says(&written.rendering);
    assert_eq!(says.get("title"), Some(&json!("Daily")));
    assert_eq!(overrides(&says), overrides(&world.says(&seen.rendering)));
}

#[tokio::test]
async fn only_a_series_that_has_exceptions_is_asked_for_them_after_a_write() {
    let world = World::empty();
    let changed = json!({"recurrenceOverrides": {"2026-03-09T09:00:00": {"start": "2026-03-09T11:00:00"}}});
    let out = json!({"recurrenceOverrides": {"2026-03-16T09:00:00": {"excluded": true}}});
    let mut requests = Vec::new();
    for (item, with) in [("none", json!({})), ("out", out), ("changed", changed)] {
        let seen = world.create(item, weekly(with)).await;
        let to = world.change(&seen, |event| event.set("title", json!("Daily")));
        world.sandbox.reset_counts();
        world.write(to).await.unwrap();
        requests.push(world.sandbox.requests(Provider::Microsoft));
    }
    assert_eq!((requests[0], requests[1]), (2, 2), "the write, and the look afterwards");
    assert!(requests[2] > 2);
}

#[tokio::test]
async fn a_changed_rule_writes_the_fitting_exceptions_again() {
    let world = World::empty();
    let seen = world.create("1", weekly(json!({"recurrenceOverrides": {
        "2026-03-09T09:00:00": {"title": "Does not fit"}, "2026-03-16T09:00:00": {"title": "Fits"}, "2026-03-30T09:00:00": {"excluded": true}}}))).await;
    let to = world.change(&seen, |event| {
        event.set("recurrenceRules", json!([{"frequency": "weekly", "interval": 2}]));
        event.set(
            "recurrenceOverrides",
            json!({"2026-03-16T09:00:00": {"title": "Fits"}, "2026-03-30T09:00:00": {"excluded": true}}),
        );
    });
    let written = world.write(to).await.unwrap().unwrap();
    let wanted = json!({"2026-03-16T09:00:00": {"title": "Fits"}, "2026-03-30T09:00:00": {"excluded": true}});
    assert_eq!(overrides(&world.says(&written.rendering)), wanted);
    assert_eq!(world.held(&written)["cancelled"], json!(["2026-03-30"]));
}

#[tokio::test]
async fn an_exception_that_is_written_again_keeps_its_zone() {
    let world = World::empty();
    let series = world.sandbox.graph_event_create("", &standup()).unwrap();
    let later = |event: &mut Value| {
        event["start"] = at("2026-03-17T11:00:00");
        event["end"] = at("2026-03-17T11:15:00");
    };
    world.sandbox.graph_occurrence_edit(&series, "2026-03-16", later).unwrap();
    let before = world.sandbox.graph_event(&series).unwrap()["exceptions"]["2026-03-16"].clone();
    let seen = world.fetch(&series).await.unwrap().unwrap();
    let to = world.change(&seen, |event| event.set("recurrenceRules", json!([{"frequency": "weekly", "interval": 2}])));
    world.write(to).await.unwrap().unwrap();
    let after = world.sandbox.graph_event(&series).unwrap()["exceptions"]["2026-03-16"].clone();
    assert_eq!((&after["start"], &after["end"]), (&before["start"], &before["end"]));
}

#[tokio::test]
async fn what_somebody_made_of_an_occurrence_meanwhile_is_never_taken_for_our_own_doing() {
    let title = |text: &'static str| move |event: &mut Value| event["subject"] = json!(text);
    // A new exception, a change of one that was there, and one that is gone.
    for what in ["new", "changed", "cancelled"] {
        let world = World::empty();
        let series = world.sandbox.graph_event_create("", &standup()).unwrap();
        world.sandbox.graph_occurrence_edit(&series, "2026-03-09", title("Other")).unwrap();
        let seen = world.fetch(&series).await.unwrap().unwrap();
        // After the look at the series, just before its occurrence is written.
        let (sandbox, of, is_done) = (world.sandbox.clone(), series.clone(), AtomicBool::new(false));
        world.sandbox.set_hook(Some(Arc::new(move |info, phase| {
            if phase != Phase::Before || !info.path.ends_with("$batch") || is_done.swap(true, Ordering::SeqCst) {
                return;
            }
            match what {
                "new" => sandbox.graph_occurrence_edit(&of, "2026-03-23", title("Theirs")).unwrap(),
                "changed" => sandbox.graph_occurrence_edit(&of, "2026-03-09", title("Theirs")).unwrap(),
                _ => sandbox.graph_occurrence_delete(&of, "2026-03-23").unwrap(),
            }
        })));
        let to = world.change(&seen, |event| {
            let mut overrides = event.get("recurrenceOverrides").unwrap().clone();
            overrides["2026-03-16T09:00:00"] = json!({"title": "Ours"});
            event.set("recurrenceOverrides", overrides);
        });
        let error = world.write(to).await.expect_err(what);
        assert_eq!(error.kind, ErrorKind::StaleEtag, "{what}");
        let now = overrides(&world.says(&world.fetch(&series).await.unwrap().unwrap().rendering));
        assert_eq!(now["2026-03-16T09:00:00"]["title"], "Ours", "{what}: what was sent stands");
        let theirs = match what {
            "new" => now["2026-03-23T09:00:00"]["title"] == "Theirs",
            "changed" => now["2026-03-09T09:00:00"]["title"] == "Theirs",
            _ => now["2026-03-23T09:00:00"]["excluded"] == true,
        };
        assert!(theirs, "{what}: {now}");
    }
}

#[tokio::test]
async fn an_occurrence_is_not_written_where_somebody_changed_it_or_deleted_its_series_meanwhile() {
    let title = |text: &'static str| move |event: &mut Value| event["subject"] = json!(text);
    for is_deleted in [false, true] {
        for patch in [json!({"title": "Ours"}), json!({"excluded": true})] {
            let world = World::empty();
            let series = world.sandbox.graph_event_create("", &standup()).unwrap();
            let seen = world.fetch(&series).await.unwrap().unwrap();
            match is_deleted {
                true => world.sandbox.graph_event_delete(&series).unwrap(),
                false => world.sandbox.graph_occurrence_edit(&series, "2026-03-16", title("Theirs")).unwrap(),
            }
            let ours = |event: &mut Content| event.set("recurrenceOverrides", json!({"2026-03-16T09:00:00": patch}));
            let to = world.change(&seen, ours);
            world.sandbox.reset_counts();
            let what = format!("{patch}, its series deleted: {is_deleted}");
            let error = world.write(to).await.expect_err(&what);
            assert_eq!(error.kind, ErrorKind::StaleEtag, "{what}");
            assert_eq!(world.sandbox.writes(Provider::Microsoft), 0, "{what}");
            let there = world.fetch(&series).await.unwrap();
            assert_eq!(there.is_none(), is_deleted, "{what}");
            // Where it was looked at again, it is changed.
            if let Some(seen) = there {
                assert_eq!(overrides(&world.says(&seen.rendering))["2026-03-16T09:00:00"]["title"], "Theirs");
                let written = world.write(world.change(&seen, ours)).await.unwrap().unwrap();
                assert_eq!(overrides(&world.says(&written.rendering)), json!({"2026-03-16T09:00:00": patch}));
            }
        }
    }
}

#[tokio::test]
async fn an_occurrence_is_changed_and_set_right_again() {
    let world = World::empty();
    let seen = world.create("1", weekly(json!({}))).await;
    let to = world.change(&seen, |event| {
        event.set("recurrenceOverrides", json!({"2026-03-09T09:00:00": {"title": "Other", "duration": "PT1H"}}));
    });
    let changed = world.write(to).await.unwrap().unwrap();
    assert_eq!(
        overrides(&world.says(&changed.rendering)),
        json!({"2026-03-09T09:00:00": {"title": "Other", "duration": "PT1H"}})
    );
    let to = world.change(&changed, |event| event.set("recurrenceOverrides", Value::Null));
    let back = world.write(to).await.unwrap().unwrap();
    assert_eq!(overrides(&world.says(&back.rendering)), json!({}));
}

#[tokio::test]
async fn teams_block_survives() {
    let world = World::empty();
    let call = json!({"subject": "Call", "start": at("2026-03-02T12:00:00"), "end": at("2026-03-02T13:00:00"),
        "isOnlineMeeting": true, "onlineMeetingProvider": "teamsForBusiness", "body": {"contentType": "html", "content": "<p>Agenda</p>"}});
    let id = world.sandbox.graph_event_create("", &call).unwrap();
    let seen = world.fetch(&id).await.unwrap().unwrap();
    // The service adds its block when the meeting is first touched.
    let to = world.change(&seen, |event| event.set("title", json!("Some call")));
    let seen = world.write(to).await.unwrap().unwrap();
    let before = world.held(&seen)["body"].clone();
    assert!(before["content"].as_str().unwrap().contains("meetup-join"));
    let to = world.change(&seen, |event| {
        event.set("title", json!("New call"));
        event.set("description", json!("New agenda"));
    });
    let written = world.write(to).await.unwrap().unwrap();
    assert_eq!(world.held(&written)["body"], before);
    assert_eq!(world.held(&written)["subject"], "New call");
    assert_eq!(world.says(&written.rendering).get("description"), Some(&json!("New agenda")));
}

#[tokio::test]
async fn a_guest_more_is_asked_to_the_series_alone_and_that_is_said_to_mail() {
    let world = World::empty();
    let guest = |name: &str| json!({"type": "required", "emailAddress": {"name": name, "address": format!("{name}@example.com")}});
    let mut event = standup();
    event["attendees"] = json!([guest("bob")]);
    let id = world.sandbox.graph_event_create("", &event).unwrap();
    let later = |event: &mut Value| event["subject"] = json!("Other");
    world.sandbox.graph_occurrence_edit(&id, "2026-03-09", later).unwrap();
    let seen = world.fetch(&id).await.unwrap().unwrap();
    let to = world.change(&seen, |event| {
        let people = event.0["participants"].as_object_mut().unwrap();
        people.insert("eve".into(), json!({"email": "eve@example.com", "name": "eve", "roles": {"attendee": true}}));
    });
    let Operation::Update { from, to: rendering, .. } = &to else { panic!("it is a change") };
    assert_eq!(world.graph.lens(Kind::Calendar).mails(from, Some(rendering)), 2);
    let wanted = world.says(rendering);
    world.sandbox.reset_counts();
    let written = world.write(to).await.unwrap().unwrap();
    assert_eq!(world.sandbox.writes(Provider::Microsoft), 1);
    let invited: Vec<String> = world.sandbox.graph_mails().into_iter().take(1).flat_map(|mail| mail.to).collect();
    assert_eq!(invited, ["eve@example.com"]);
    assert_eq!(world.held(&written)["attendees"].as_array().unwrap().len(), 2);
    let people = |content: &Content| {
        let people = content.get("participants").and_then(Value::as_object).into_iter().flatten();
        people.map(|(_, person)| person["email"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(people(&world.says(&written.rendering)), people(&wanted));
    assert_eq!(overrides(&world.says(&written.rendering)), overrides(&wanted));
}

#[tokio::test]
async fn a_write_whose_answer_cannot_be_understood_may_not_have_been_executed() {
    let title = |event: &mut Content| event.set("title", json!("New"));
    let day =
        |event: &mut Content| event.set("recurrenceOverrides", json!({"2026-03-09T09:00:00": {"title": "Other"}}));
    let out =
        |event: &mut Content| event.set("recurrenceOverrides", json!({"2026-03-09T09:00:00": {"excluded": true}}));
    for page in [json!("<html>Wait</html>"), json!({"error": "none"})] {
        let world = World::empty();
        let seen = world.create("1", weekly(json!({}))).await;
        let removal = Operation::Delete { place: place(&seen), etag: seen.etag.clone() };
        let writes = [world.change(&seen, title), world.change(&seen, day), world.change(&seen, out), removal];
        for (at, write) in writes.into_iter().enumerate() {
            if at >= 2 && page.is_object() {
                // An object may be what is told of a removal.
                continue;
            }
            let fault = Fault::Status { status: 200, retry_after: None, executed: false, body: Some(page.clone()) };
            world.sandbox.fault(Rule::any(fault).on(Provider::Microsoft).writes().parts().times(1));
            let error = world.write(write).await.map(drop).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Unknown, "{at}: {page} {error}");
            assert_eq!(world.held(&seen)["subject"], "Standup", "{at}");
        }
    }
}

#[tokio::test]
async fn no_write_mails_anyone() {
    let world = World::empty();
    let invitation = json!({"subject": "Theirs", "start": at("2026-03-02T12:00:00"), "end": at("2026-03-02T13:00:00"),
        "isOrganizer": false, "organizer": {"emailAddress": {"name": "Boss", "address": "boss@example.com"}},
        "attendees": [{"type": "required", "emailAddress": {"name": "Me", "address": "me@example.com"}}]});
    let id = world.sandbox.graph_event_create("", &invitation).unwrap();
    let seen = world.fetch(&id).await.unwrap().unwrap();
    let to = world.change(&seen, |event| {
        event.set("title", json!("Mine"));
        event.set("start", json!("2026-03-02T15:00:00"));
        event.set("keywords", json!({"Work": true}));
    });
    let written = world.write(to).await.unwrap().unwrap();
    assert_eq!(world.held(&written)["subject"], "Theirs");
    assert_eq!(world.says(&written.rendering).get("title"), Some(&json!("Mine")));
    // A copy of it invites nobody.
    let says = world.says(&written.rendering);
    world.create("copy", says.to_value()).await;
    assert_eq!(world.mails(), 0);
}

// Weather. What a real service may do, one by one, stands in `unproven`.

fn weather() -> [(&'static str, Switches); 3] {
    [
        ("calm", Switches::default()),
        ("undocumented properties", Switches { graph_shows_beta_properties: true, ..Switches::default() }),
        ("a hostile day", Switches { list_lag_s: 0, ..Switches::hostile() }),
    ]
}

#[tokio::test]
async fn a_series_keeps_its_meaning_in_every_weather() {
    for (what, switches) in weather() {
        let mut world = World::with(switches);
        let day = json!({"title": "Fair", "start": "2026-03-03T00:00:00", "showWithoutTime": true, "duration": "P1D",
            "recurrenceRules": [{"frequency": "weekly"}],
            "recurrenceOverrides": {"2026-03-10T00:00:00": {"title": "Big fair"}, "2026-03-17T00:00:00": {"excluded": true}}});
        let week = weekly(json!({"timeZone": "Europe/Vienna", "recurrenceOverrides": {
            "2026-03-16T09:00:00": {"title": "Other"}, "2026-03-30T09:00:00": {"excluded": true}}}));
        for (item, event) in [("day", day), ("week", week)] {
            let seen = world.create(item, event.clone()).await;
            assert_eq!(world.says(&seen.rendering), Content::from_value(event), "{what}: {item}");
        }
        let listed = world.pull_seen().await;
        assert_eq!(listed.len(), 2, "{what}");
        let seen = world.fetch(listed["Standup"].remote_id.as_str()).await.unwrap().unwrap();
        let to =
            world.change(&seen, |event| event.set("recurrenceRules", json!([{"frequency": "weekly", "interval": 2}])));
        let written = world.write(to).await.unwrap().unwrap();
        let wanted = json!({"2026-03-16T09:00:00": {"title": "Other"}, "2026-03-30T09:00:00": {"excluded": true}});
        assert_eq!(overrides(&world.says(&written.rendering)), wanted, "{what}");
        assert_eq!(world.says(&written.rendering).get("timeZone"), Some(&json!("Europe/Vienna")), "{what}");
        world.sandbox.clock().advance_ms(3_600_000);
        world
            .sandbox
            .graph_event_edit(listed["Fair"].remote_id.as_str(), |event| event["subject"] = json!("Market"))
            .unwrap();
        let entries = world.pull().await.unwrap();
        let titles: BTreeSet<String> = entries
            .iter()
            .filter_map(|entry| if let Entry::Seen(seen) = entry { Some(world.title(seen)) } else { None })
            .collect();
        assert!(titles.contains("Market"), "{what}: {titles:?}");
        assert_eq!(world.mails(), 0, "{what}");
    }
}

// Lost replies

#[tokio::test]
async fn a_create_whose_reply_was_lost_is_found_by_its_mark() {
    let world = World::empty();
    world.sandbox.fault(Rule::any(Fault::DropAfter).on(Provider::Microsoft).writes().parts().times(1));
    let creation = world
        .creation("1", json!({"title": "Lunch", "start": "2026-03-02T12:00:00", "timeZone": "Europe/Berlin"}))
        .await;
    assert_eq!(world.write(creation.clone()).await.unwrap_err().kind, ErrorKind::Unknown);
    let lookup =
        |item: &str| Lookup { mark: mark(item), uid: uid(item), collection: world_home(&creation), sent_ms: 0 };
    let now = world.sandbox.clock().now_ms();
    let founds = world.graph.find(Kind::Calendar, &[lookup("1"), lookup("2")], now).await;
    assert!(matches!(&founds[0], Ok(Found::Here(seen)) if world.title(seen) == "Lunch"), "{founds:?}");
    assert!(matches!(&founds[1], Ok(Found::Nowhere)), "{founds:?}");
    // Sent once more all the same: the transaction is the same, and there is one event.
    let again = world.write(creation).await.unwrap().unwrap();
    assert_eq!(world.title(&again), "Lunch");
    assert_eq!(world.sandbox.graph_events().len(), 1);
}

#[tokio::test]
async fn an_item_that_is_made_in_another_calendar_or_once_more_is_no_repeat_of_the_first_time() {
    let event = |title: &str| json!({"title": title, "start": "2026-03-02T12:00:00", "timeZone": "Europe/Berlin"});
    for conflicts in [false, true] {
        let mut world =
            World::with(Switches { graph_repeated_transaction_conflicts: conflicts, ..Switches::default() });
        let like = Collection { name: "Other".into(), ..world.collections().await.remove(0) };
        let other = world.graph.create_collection(Kind::Calendar, &like).await.unwrap().id;
        let creation = world.creation("1", event("Lunch")).await;
        let first = world.write(creation.clone()).await.unwrap().unwrap();
        let mut moved = creation.clone();
        if let Operation::Create { collection, .. } = &mut moved {
            *collection = other.clone();
        }
        let second = world.write(moved).await.unwrap().unwrap();
        assert_eq!(second.collection, other);
        assert_ne!(second.remote_id, first.remote_id);
        // Deleted there, and edited on a device meanwhile: it is made again.
        world.write(Operation::Delete { place: place(&first), etag: first.etag.clone() }).await.unwrap();
        let third = world.write(world.creation("1", event("Late lunch")).await).await.unwrap().unwrap();
        assert_eq!((world.title(&third), world.pull_seen().await.len()), ("Late lunch".to_owned(), 2));
    }
}

fn world_home(creation: &Operation) -> CollectionId {
    match creation {
        Operation::Create { collection, .. } => collection.clone(),
        _ => unreachable!(),
    }
}

#[tokio::test]
async fn a_series_that_was_made_in_part_is_brought_to_its_end_by_whoever_looks_for_it() {
    // The second write, and the third, … never arrives.
    for lost in 1..4 {
        let mut world = World::empty();
        let event = weekly(json!({"recurrenceOverrides": {
            "2026-03-09T09:00:00": {"title": "Other"}, "2026-03-16T09:00:00": {"excluded": true}}}));
        let creation = world.creation("1", event.clone()).await;
        let writes = |fault| Rule::any(fault).on(Provider::Microsoft).writes().parts();
        world.sandbox.fault(writes(Fault::DropBefore).skip(lost).times(1));
        assert_eq!(world.write(creation.clone()).await.unwrap_err().kind, ErrorKind::Unknown, "write {lost}");
        // A round that comes first sees that it is not whole.
        let listed = world.pull_seen().await;
        assert!(Sheet::open(&listed["Standup"].rendering).unwrap().is_partial, "write {lost}");
        let now = world.sandbox.clock().now_ms();
        let lookup = Lookup { mark: mark("1"), uid: uid("1"), collection: world_home(&creation), sent_ms: 0 };
        let found = world.graph.find(Kind::Calendar, &[lookup], now).await.pop().unwrap().unwrap();
        let Found::Here(seen) = found else { panic!("{found:?}") };
        assert_eq!(world.says(&seen.rendering), Content::from_value(event), "write {lost}");
        assert!(!Sheet::open(&seen.rendering).unwrap().is_partial);
    }
}

#[tokio::test]
async fn a_changed_rule_whose_exceptions_were_not_written_loses_none() {
    for lost in 1..3 {
        let world = World::empty();
        let event = weekly(json!({"recurrenceOverrides": {"2026-03-16T09:00:00": {"title": "Fits"}}}));
        let seen = world.create("1", event).await;
        let to =
            world.change(&seen, |event| event.set("recurrenceRules", json!([{"frequency": "weekly", "interval": 2}])));
        world.sandbox.fault(Rule::any(Fault::DropBefore).on(Provider::Microsoft).writes().parts().skip(lost).times(1));
        assert_eq!(world.write(to).await.unwrap_err().kind, ErrorKind::Unknown, "write {lost}");
        let now = world.fetch(seen.remote_id.as_str()).await.unwrap().unwrap();
        let says = world.says(&now.rendering);
        assert_eq!(overrides(&says), json!({"2026-03-16T09:00:00": {"title": "Fits"}}), "write {lost}");
        assert_eq!(says.get("recurrenceRules").unwrap()[0]["interval"], json!(2));
    }
}
