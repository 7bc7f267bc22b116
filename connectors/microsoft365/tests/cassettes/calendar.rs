//! Calendars.

use crate::calendar_events::{lunch, overrides, standup, weekly};
use crate::connected;
use crate::deck::{self, NOW_MS, Stage, ask, play};
use serde_json::{Value, json};
use twofold_http::Body;
use twofold_microsoft365::Microsoft365;
use twofold_microsoft365::calendar::api;
use twofold_microsoft365::calendar::map::EventLens;
use twofold_microsoft365::calendar::sheet::Sheet;
use twofold_microsoft365::calendar::times::Times;
use twofold_microsoft365::calendar::wire::MARK;
use twofold_model::{
    Access, Collection, CollectionId, Connector, Content, DeltaToken, Entry, ErrorKind, Feed, FeedId, Found, Identity,
    Kind, Known, Lens, Lookup, Mark, Next, Operation, Page, Place, Poll, RemoteId, Rendering, Result, Seen, Since, Uid,
    Written,
};
use twofold_sandbox::{Provider, Sandbox};

const PLACE: &str = "microsoft365/calendar";
const KIND: Kind = Kind::Calendar;

/// Every function of `api.rs` that builds a request (or a part of one), and how its request is told.
const OPERATIONS: [(&str, &str, &str); 19] = [
    ("calendars", "GET", "/me/calendars?%24top"),
    ("calendar_of", "GET", "/me/events/*/calendar"),
    ("create_calendar", "POST", "/me/calendars"),
    ("rename_calendar", "PATCH", "/me/calendars/*"),
    ("any_event", "GET", "/me/calendars/*/events?%24top=1"),
    ("delete_calendar", "DELETE", "/me/calendars/*"),
    ("events_delta", "GET", "/me/calendars/*/events/delta?%24select"),
    ("view_delta", "GET", "/me/calendars/*/calendarView/delta?startDateTime"),
    ("listing", "GET", "/me/calendars/*/events?%24top"),
    ("changed_since", "GET", "/me/calendars/*/events?%24filter=lastModifiedDateTime"),
    ("page", "GET", "/me/*/events/delta?%24deltatoken"),
    ("event", "GET", "/me/events/*?%24select=*%2CcancelledOccurrences"),
    ("bare_event", "GET", "/me/events/*?%24select=*%2ClastModifiedDateTime&%24expand"),
    ("exception", "GET", "/me/events/*?%24select=*%2ClastModifiedDateTime"),
    ("instances", "GET", "/me/events/*/instances?startDateTime"),
    ("marked", "GET", "/me/calendars/*/events?%24filter=singleValueExtendedProperties"),
    ("create", "POST", "/me/calendars/*/events"),
    ("update", "PATCH", "/me/events/*"),
    ("delete", "DELETE", "/me/events/*"),
];

#[test]
fn every_operation_has_a_cassette_and_every_cassette_is_played() {
    let api = include_str!("../../src/calendar/api.rs");
    deck::assert_every_operation_is_recorded(PLACE, api, &OPERATIONS);
    deck::assert_all_are_played(PLACE, include_str!("calendar.rs"));
    let sources = [
        api,
        include_str!("../../src/calendar/mod.rs"),
        include_str!("../../src/calendar/look.rs"),
        include_str!("../../src/calendar/occurrences.rs"),
        include_str!("../../src/calendar/rounds.rs"),
        include_str!("../../src/calendar/write.rs"),
    ];
    let calls = [".all(\"", "let what = \"", "post_json(\"", "patch_json(\""];
    let mut names: Vec<&str> = Vec::new();
    for (source, call) in sources.iter().flat_map(|source| calls.map(|call| (source, call))) {
        names.extend(source.split(call).skip(1).filter_map(|rest| rest.split('"').next()));
    }
    names.sort_unstable();
    names.dedup();
    assert!(names.len() >= 12, "{names:?}");
    deck::assert_every_name_is_recorded(PLACE, &names);
}

// The sides

fn graph(stage: &Stage) -> Microsoft365 {
    connected::graph(stage.transport.clone(), stage.clock())
}

fn says(graph: &Microsoft365, seen: &Seen) -> Content {
    graph.lens(KIND).read(&seen.rendering).unwrap()
}

fn title(graph: &Microsoft365, seen: &Seen) -> Value {
    says(graph, seen).get("title").cloned().unwrap_or_default()
}

fn home(sandbox: &Sandbox) -> Value {
    ask(sandbox, Provider::Microsoft, "/microsoft/v1.0/me/calendar")["id"].clone()
}

fn add(sandbox: &Sandbox, event: &Value) -> String {
    sandbox.graph_event_create("", event).unwrap()
}

/// A series, the second occurrence of which has another title, and the third of which was taken out.
fn add_series(sandbox: &Sandbox) -> String {
    let mut event = standup();
    event["subject"] = json!("Word 1");
    let id = add(sandbox, &event);
    sandbox.graph_occurrence_edit(&id, "2026-03-09", |event| event["subject"] = json!("Word 2")).unwrap();
    sandbox.graph_occurrence_delete(&id, "2026-03-16").unwrap();
    id
}

/// What [`add_series`] says of its occurrences.
fn two_overrides() -> Value {
    json!({"2026-03-09T09:00:00": {"title": "Word 2"}, "2026-03-16T09:00:00": {"excluded": true}})
}

/// Where the next round of a delta begins.
fn delta_link(sandbox: &Sandbox, path: &str) -> Value {
    let calendar = home(sandbox).as_str().unwrap().replace('=', "%3D");
    let target = format!("/microsoft/v1.0/me/calendars/{calendar}/{path}");
    ask(sandbox, Provider::Microsoft, &target)["@odata.deltaLink"].clone()
}

/// A token of a round, by which way, that ended with the link among the arguments.
fn since(stage: &Stage, way: &str) -> Since {
    let token = json!({"way": way, "link": stage.text("@odata.deltaLink"), "born_ms": NOW_MS});
    Since::Token(DeltaToken(token.to_string()))
}

async fn page(graph: &Microsoft365, stage: &Stage, since: Since) -> Result<Page> {
    let calendar = stage.text("calendar");
    let feed = Feed { id: FeedId::from(calendar), kind: KIND, collections: vec![CollectionId::from(calendar)] };
    graph.changes(&[Poll { feed: &feed, since, known: &Known::new() }]).await.remove(0)
}

/// A round to its end: its pages, and what they say.
async fn round(stage: &Stage, mut since: Since) -> (usize, Vec<Entry>) {
    let graph = graph(stage);
    let (mut pages, mut entries) = (0, Vec::new());
    loop {
        let Page { entries: more, next } = page(&graph, stage, since).await.unwrap();
        pages += 1;
        entries.extend(more);
        match next {
            Next::Page(link) => since = Since::Page(link),
            Next::Done(_) => return (pages, entries),
        }
    }
}

async fn fetch(graph: &Microsoft365, stage: &Stage) -> Option<Seen> {
    let collection = CollectionId::from(stage.text("calendar"));
    let place = Place { remote_id: RemoteId::from(stage.text("id")), collection };
    graph.fetch(KIND, &[place]).await.remove(0).unwrap()
}

async fn write(graph: &Microsoft365, operation: Operation) -> Result<Written> {
    graph.write(KIND, &[operation]).await.remove(0)
}

fn mark(item: u8) -> Mark {
    Mark { hub: "hub-00000001".into(), item: format!("item-0000000{item}"), generation: 1 }
}

fn identity(item: u8) -> Identity {
    Identity { uid: Uid(format!("urn:uuid:0000-{item}")), mark: Some(mark(item)) }
}

fn once() -> Content {
    Content::from_value(
        json!({"title": "Word 1", "start": "2026-03-02T12:00:00", "timeZone": "Europe/Berlin", "duration": "PT1H"}),
    )
}

fn create(graph: &Microsoft365, stage: &Stage, content: &Content) -> Operation {
    let rendering = graph.lens(KIND).write(None, content, &identity(1)).unwrap();
    let collection = CollectionId::from(stage.text("calendar"));
    Operation::Create { collection, rendering, uid: identity(1).uid, mark: mark(1) }
}

fn place(seen: &Seen) -> Place {
    Place { remote_id: seen.remote_id.clone(), collection: seen.collection.clone() }
}

fn update(graph: &Microsoft365, seen: &Seen, change: impl FnOnce(&mut Content)) -> Operation {
    let mut content = says(graph, seen);
    change(&mut content);
    let to: Rendering = graph.lens(KIND).write(Some(&seen.rendering), &content, &identity(1)).unwrap();
    Operation::Update { place: place(seen), etag: seen.etag.clone(), from: seen.rendering.clone(), to }
}

fn renamed(content: &mut Content) {
    content.set("title", json!("Word 3"));
}

/// The user's other client gives the event a category meanwhile. The cassette has seen it.
fn meanwhile(stage: &Stage) {
    if let Some(sandbox) = &stage.sandbox {
        sandbox.graph_event_edit(stage.text("id"), |event| event["categories"] = json!(["Red"])).unwrap();
    }
}

// Calendars

#[tokio::test]
async fn calendars_are_listed_made_once_and_renamed() {
    let like = Collection {
        id: CollectionId::from(""),
        kind: KIND,
        name: "Word 1".into(),
        color: None,
        is_default: false,
        role: None,
        access: Access::ReadWrite,
    };
    play(
        PLACE,
        "calendars",
        "All calendars of all groups come in one list, with what the user may do there.",
        |sandbox| {
            let shared = sandbox.graph_calendar_share("Word 2", "person2@example.org").unwrap();
            json!({"home": {"id": home(sandbox)}, "other": {"id": shared}})
        },
        async |stage| {
            let calendars = graph(stage).collections(KIND).await.unwrap();
            let of = |name: &str| {
                let id = stage.arguments[name]["id"].as_str().unwrap();
                calendars.iter().find(|calendar| calendar.id.as_str() == id).unwrap()
            };
            assert!(of("home").is_default && of("home").access == Access::ReadWrite);
            assert_eq!((of("other").name.as_str(), of("other").access), ("Word 2", Access::ReadOnly));
        },
    )
    .await;
    play(
        PLACE,
        "create_calendar",
        "A new calendar is answered with its id.",
        |_| json!({}),
        async |stage| {
            let made = graph(stage).create_collection(KIND, &like).await.unwrap();
            assert!(made.name == "Word 1" && !made.is_default && !made.id.as_str().is_empty());
        },
    )
    .await;
    play(
        PLACE,
        "create_calendar_409_exists",
        "The server refuses a second calendar of one name; the one that is there is used.",
        |sandbox| json!({"id": sandbox.graph_calendar_create("Word 1").unwrap()}),
        async |stage| {
            let found = graph(stage).create_collection(KIND, &like).await.unwrap();
            assert_eq!(found.id.as_str(), stage.text("id"));
        },
    )
    .await;
    play(
        PLACE,
        "rename_calendar",
        "A calendar keeps its id under another name.",
        |sandbox| json!({"id": sandbox.graph_calendar_create("Word 1").unwrap()}),
        async |stage| {
            let id = CollectionId::from(stage.text("id"));
            graph(stage).rename_collection(KIND, &id, Some("Word 2"), None).await.unwrap();
        },
    )
    .await;
    play(
        PLACE,
        "delete_calendar",
        "A calendar is looked into, and deleted when it is empty.",
        |sandbox| json!({"id": sandbox.graph_calendar_create("Word 1").unwrap()}),
        async |stage| {
            let id = CollectionId::from(stage.text("id"));
            assert!(graph(stage).remove_collection(KIND, &id).await.unwrap());
        },
    )
    .await;
}

// Rounds

#[tokio::test]
async fn a_first_round_has_a_token_and_every_event() {
    play(
        PLACE,
        "first_round",
        "From nothing: the delta for its token, then the listing; a series is then read in full.",
        |sandbox| {
            let mut ours = lunch("Word 3");
            ours["singleValueExtendedProperties"] = json!([{"id": MARK, "value": mark(1).to_string()}]);
            json!({"calendar": home(sandbox), "single": {"id": add(sandbox, &ours)}, "id": add_series(sandbox)})
        },
        async |stage| {
            let (pages, entries) = round(stage, Since::Start).await;
            assert_eq!((pages, entries.len()), (2, 2));
            let graph = graph(stage);
            for entry in entries {
                let Entry::Seen(seen) = entry else { panic!("{entry:?}") };
                if stage.arguments["single"]["id"] == seen.remote_id.as_str() {
                    assert_eq!((title(&graph, &seen), seen.mark), (json!("Word 3"), Some(mark(1))));
                } else {
                    assert_eq!(seen.remote_id.as_str(), stage.text("id"));
                    assert_eq!(overrides(&says(&graph, &seen)), two_overrides());
                }
            }
        },
    )
    .await;
    play(
        PLACE,
        "first_round_by_view",
        "Where there is no delta of events, that of the calendar's view gives the token.",
        |sandbox| {
            sandbox.switch(|switches| switches.graph_events_delta = "off".into());
            add(sandbox, &lunch("Word 1"));
            json!({"calendar": home(sandbox)})
        },
        async |stage| {
            let (pages, entries) = round(stage, Since::Start).await;
            assert_eq!((pages, entries.len()), (3, 1));
        },
    )
    .await;
}

#[tokio::test]
async fn a_round_since_a_token_names_what_is_then_read() {
    play(
        PLACE,
        "page",
        "Since a token the rows are hints: what they name is read whole; what is removed is a question.",
        |sandbox| {
            let (edited, removed) = (add(sandbox, &lunch("Word 1")), add(sandbox, &lunch("Word 2")));
            let link = delta_link(sandbox, "events/delta?$select=id,changeKey,type,seriesMasterId");
            sandbox.graph_event_edit(&edited, |event| event["subject"] = json!("Word 3")).unwrap();
            sandbox.graph_event_delete(&removed).unwrap();
            json!({"calendar": home(sandbox), "@odata.deltaLink": link, "edited": {"id": edited}, "removed": {"id": removed}})
        },
        async |stage| {
            let (_, entries) = round(stage, since(stage, "events")).await;
            assert_eq!(entries.len(), 2);
            for entry in entries {
                match entry {
                    Entry::Seen(seen) => {
                        assert_eq!(seen.remote_id.as_str(), stage.arguments["edited"]["id"]);
                        assert_eq!(title(&graph(stage), &seen), json!("Word 3"));
                    }
                    Entry::Gone(id) => assert_eq!(id.as_str(), stage.arguments["removed"]["id"]),
                    other => panic!("{other:?}"),
                }
            }
        },
    )
    .await;
    play(
        PLACE,
        "changed_since",
        "On the way of the view, what lies outside of its window is listed by the stamp of its change.",
        |sandbox| {
            let mut old = lunch("Word 1");
            (old["start"]["dateTime"], old["end"]["dateTime"]) =
                (json!("1999-03-02T12:00:00"), json!("1999-03-02T13:00:00"));
            let id = add(sandbox, &old);
            let window = "startDateTime=2025-01-01T00:00:00Z&endDateTime=2027-01-01T00:00:00Z";
            let link = delta_link(sandbox, &format!("calendarView/delta?{window}"));
            sandbox.graph_event_edit(&id, |event| event["subject"] = json!("Word 3")).unwrap();
            json!({"calendar": home(sandbox), "@odata.deltaLink": link, "id": id})
        },
        async |stage| {
            let (pages, entries) = round(stage, since(stage, "view")).await;
            let told = entries.iter().filter_map(|entry| match entry {
                Entry::Seen(seen) => Some((seen.remote_id.as_str(), title(&graph(stage), seen))),
                _ => None,
            });
            assert_eq!((pages, told.collect()), (2, vec![(stage.text("id"), json!("Word 3"))]));
        },
    )
    .await;
    play(
        PLACE,
        "page_410_token_expired",
        "A dead delta token asks for a full listing and says nothing of any event.",
        |sandbox| {
            let link = delta_link(sandbox, "events/delta?$select=id");
            sandbox.graph_expire_delta_tokens();
            json!({"calendar": home(sandbox), "@odata.deltaLink": link})
        },
        async |stage| {
            let answer = page(&graph(stage), stage, since(stage, "events")).await;
            assert_eq!(answer.unwrap_err().kind, ErrorKind::TokenExpired);
        },
    )
    .await;
}

// Single events

#[tokio::test]
async fn an_event_is_read_whole_and_stands_in_a_calendar() {
    play(
        PLACE,
        "event",
        "A series tells its exceptions and the days taken out; each exception is asked for its original start.",
        |sandbox| json!({"calendar": home(sandbox), "id": add_series(sandbox)}),
        async |stage| {
            let graph = graph(stage);
            let seen = fetch(&graph, stage).await.unwrap();
            assert_eq!(overrides(&says(&graph, &seen)), two_overrides());
            assert_eq!(seen.collection.as_str(), stage.text("calendar"));
        },
    )
    .await;
    play(
        PLACE,
        "event_deleted",
        "A deleted event still answers, but stands in no calendar: that alone says that it is gone.",
        |sandbox| {
            let id = add(sandbox, &lunch("Word 1"));
            sandbox.graph_event_delete(&id).unwrap();
            json!({"calendar": home(sandbox), "id": id})
        },
        async |stage| assert_eq!(fetch(&graph(stage), stage).await, None),
    )
    .await;
    play(
        PLACE,
        "bare_event",
        "Where a series cannot be asked for its exceptions, its instances are; what nobody tells leaves it not whole.",
        |sandbox| {
            sandbox.switch(|switches| {
                switches.graph_master_tells_exceptions = false;
                switches.graph_shows_recurrence_bytes = false;
            });
            let mut event = standup();
            event["recurrence"]["range"] =
                json!({"type": "numbered", "startDate": "2026-03-02", "numberOfOccurrences": 3});
            let id = add(sandbox, &event);
            sandbox.graph_occurrence_edit(&id, "2026-03-09", |event| event["subject"] = json!("Word 2")).unwrap();
            json!({"calendar": home(sandbox), "id": id})
        },
        async |stage| {
            let graph = graph(stage);
            let seen = fetch(&graph, stage).await.unwrap();
            assert_eq!(overrides(&says(&graph, &seen)), json!({"2026-03-09T09:00:00": {"title": "Word 2"}}));
            assert!(Sheet::open(&seen.rendering).unwrap().is_partial);
        },
    )
    .await;
    play(
        PLACE,
        "marked",
        "A create whose reply was lost is found in its calendar by the mark, an extended property.",
        |sandbox| {
            let mut ours = lunch("Word 1");
            ours["singleValueExtendedProperties"] = json!([{"id": MARK, "value": mark(1).to_string()}]);
            add(sandbox, &lunch("Word 2"));
            json!({"calendar": home(sandbox), "id": add(sandbox, &ours)})
        },
        async |stage| {
            let collection = CollectionId::from(stage.text("calendar"));
            let lookup = Lookup { mark: mark(1), uid: identity(1).uid, collection, sent_ms: 0 };
            let now_ms = i64::try_from(NOW_MS).unwrap();
            let found = graph(stage).find(KIND, &[lookup], now_ms).await.remove(0).unwrap();
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
        "The transaction is made of the mark; a look after the create shows the extended properties, which its answer lacks.",
        |sandbox| json!({"calendar": home(sandbox)}),
        async |stage| {
            let graph = graph(stage);
            let seen = write(&graph, create(&graph, stage, &once())).await.unwrap().unwrap();
            assert_eq!(says(&graph, &seen), once());
            assert_eq!((seen.mark, seen.uid), (Some(mark(1)), Some(identity(1).uid)));
            assert_eq!(seen.collection.as_str(), stage.text("calendar"));
        },
    )
    .await;
    play(
        PLACE,
        "create_409_repeated",
        "A transaction that was there before is refused: the event of the first one is it.",
        |sandbox| {
            let calendar = home(sandbox);
            let lens = EventLens::new(Times::new(connected::zones(), Some("Europe/Berlin".into())));
            let ours = Sheet::open(&lens.write(None, &once(), &identity(1)).unwrap()).unwrap().event;
            let create = api::create("1", calendar.as_str().unwrap(), &ours, &mark(1));
            let Body::Json(body) = create.body else { panic!("a create has a body") };
            let path = format!("/microsoft/v1.0{}", create.url);
            json!({"id": deck::post(sandbox, Provider::Microsoft, &path, &body)["id"], "calendar": calendar})
        },
        async |stage| {
            let graph = graph(stage);
            let seen = write(&graph, create(&graph, stage, &once())).await.unwrap().unwrap();
            assert_eq!((seen.remote_id.as_str(), seen.mark), (stage.text("id"), Some(mark(1))));
        },
    )
    .await;
    play(
        PLACE,
        "create_series",
        "A series is made first, with a note of what is to come; then an occurrence, found by its original start.",
        |sandbox| json!({"calendar": home(sandbox)}),
        async |stage| {
            let graph = graph(stage);
            let overrides = json!({"2026-03-09T09:00:00": {"title": "Word 2"}});
            let series = weekly(json!({"title": "Word 1", "recurrenceOverrides": overrides}));
            let series = Content::from_value(series);
            let seen = write(&graph, create(&graph, stage, &series)).await.unwrap().unwrap();
            assert_eq!((says(&graph, &seen), seen.mark), (series, Some(mark(1))));
            assert!(!Sheet::open(&seen.rendering).unwrap().is_partial);
        },
    )
    .await;
}

#[tokio::test]
async fn a_change_sends_what_differs_and_is_guarded() {
    let arrange = |sandbox: &Sandbox| json!({"calendar": home(sandbox), "id": add(sandbox, &lunch("Word 1"))});
    play(
        PLACE,
        "update",
        "A change sends the fields that differ, guarded by the etag, and is answered with the next one.",
        arrange,
        async |stage| {
            let graph = graph(stage);
            let seen = fetch(&graph, stage).await.unwrap();
            let now = write(&graph, update(&graph, &seen, renamed)).await.unwrap().unwrap();
            assert_eq!((title(&graph, &now), now.remote_id), (json!("Word 3"), seen.remote_id));
            assert_ne!(now.etag, seen.etag);
        },
    )
    .await;
    play(
        PLACE,
        "update_412_stale_etag",
        "Somebody else changed it meanwhile: refused, looked at, and nothing is overwritten.",
        arrange,
        async |stage| {
            let graph = graph(stage);
            let seen = fetch(&graph, stage).await.unwrap();
            meanwhile(stage);
            let answer = write(&graph, update(&graph, &seen, renamed)).await;
            assert_eq!(answer.unwrap_err().kind, ErrorKind::StaleEtag);
        },
    )
    .await;
    play(
        PLACE,
        "delete",
        "A delete is guarded too and answered with nothing; the event lies in Deleted Items then.",
        arrange,
        async |stage| {
            let graph = graph(stage);
            let seen = fetch(&graph, stage).await.unwrap();
            let removal = Operation::Delete { place: place(&seen), etag: seen.etag.clone() };
            assert_eq!(write(&graph, removal).await.unwrap(), None);
        },
    )
    .await;
}
