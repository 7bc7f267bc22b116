//! Calendars.

use crate::connected;
use crate::deck::{self, NOW_MS, Stage, ask, play};
use crate::events::at;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use twofold_google::Google;
use twofold_google::calendar::rendering::MARK_KEY;
use twofold_model::event::key;
use twofold_model::{
    Access, Collection, CollectionId, Connector, Content, DeltaToken, Entry, ErrorKind, Feed, FeedId, Found, Identity,
    Kind, Known, Lookup, Mark, Next, Operation, Page, Place, Poll, RemoteId, Result, Seen, Since, Uid, Written,
};
use twofold_sandbox::{Provider, Sandbox};

const PLACE: &str = "google/calendar";
const KIND: Kind = Kind::Calendar;

/// Every function of `api.rs` that builds a request, and how its request is told.
const OPERATIONS: [(&str, &str, &str); 16] = [
    ("list_calendars", "GET", "/calendar/v3/users/me/calendarList?maxResults"),
    ("create_calendar", "POST", "/calendar/v3/calendars"),
    ("rename_calendar", "PATCH", "/calendar/v3/calendars/*"),
    ("change_entry", "PATCH", "/calendar/v3/users/me/calendarList/*?colorRgbFormat=true"),
    ("any_event", "GET", "/calendar/v3/calendars/*/events?maxResults=10&showDeleted=false"),
    ("delete_calendar", "DELETE", "/calendar/v3/calendars/*"),
    ("leave_calendar", "DELETE", "/calendar/v3/users/me/calendarList/*"),
    ("list", "GET", "/calendar/v3/calendars/*/events?maxResults=1000&singleEvents=false&showDeleted=true"),
    ("list_series", "GET", "/calendar/v3/calendars/*/events?*&iCalUID="),
    ("list_marked", "GET", "/calendar/v3/calendars/*/events?*&privateExtendedProperty="),
    ("instance_at", "GET", "/calendar/v3/calendars/*/events/*/instances?originalStart"),
    ("get", "GET", "/calendar/v3/calendars/*/events/*"),
    ("insert", "POST", "/calendar/v3/calendars/*/events?sendUpdates=none"),
    ("import", "POST", "/calendar/v3/calendars/*/events/import"),
    ("patch", "PATCH", "/calendar/v3/calendars/*/events/*?sendUpdates=none"),
    ("delete", "DELETE", "/calendar/v3/calendars/*/events/*?sendUpdates=none"),
];

#[test]
fn every_operation_has_a_cassette_and_every_cassette_is_played() {
    let api = include_str!("../../src/calendar/api.rs");
    deck::assert_every_operation_is_recorded(PLACE, api, &OPERATIONS);
    deck::assert_all_are_played(PLACE, include_str!("calendar.rs"));
    let production = api.split("#[cfg(test)]").next().unwrap();
    let calls = ["::get(\"", "::delete(\"", "post_json(\"", "patch_json(\""];
    let names = calls.iter().flat_map(|call| production.split(call).skip(1).filter_map(|rest| rest.split('"').next()));
    let names: BTreeSet<&str> = names.collect();
    assert_eq!(names.len(), OPERATIONS.len(), "{names:?}");
    deck::assert_every_name_is_recorded(PLACE, &names.into_iter().collect::<Vec<_>>());
}

// The sides

fn google(stage: &Stage) -> Google {
    connected::google(stage.transport.clone(), stage.clock())
}

fn says(google: &Google, seen: &Seen) -> Content {
    google.lens(KIND).read(&seen.rendering).unwrap()
}

fn title(google: &Google, seen: &Seen) -> Value {
    says(google, seen).get("title").cloned().unwrap_or_default()
}

fn overrides(google: &Google, seen: &Seen) -> Value {
    says(google, seen).get("recurrenceOverrides").cloned().unwrap_or_default()
}

/// The primary calendar.
fn home(sandbox: &Sandbox) -> String {
    let calendars = sandbox.google_calendars();
    calendars.iter().find(|calendar| calendar["primary"] == true).unwrap()["id"].as_str().unwrap().to_owned()
}

fn single(number: u8) -> Value {
    json!({"summary": format!("Word {number}"), "start": at("2026-03-03", "12:00"), "end": at("2026-03-03", "13:00")})
}

fn add(sandbox: &Sandbox, event: &Value) -> String {
    sandbox.google_add_event(&home(sandbox), event).unwrap()
}

/// A series, the second occurrence of which has another title.
fn add_series(sandbox: &Sandbox) -> String {
    let mut series = single(1);
    series["recurrence"] = json!(["RRULE:FREQ=WEEKLY;COUNT=10"]);
    let id = add(sandbox, &series);
    edit(sandbox, &format!("{id}_20260310T110000Z"), 2);
    id
}

/// What [`add_series`] says of its occurrences.
fn one_override() -> Value {
    json!({"2026-03-10T12:00:00": {"title": "Word 2"}})
}

fn edit(sandbox: &Sandbox, id: &str, number: u8) {
    let renames = |event: &mut Value| event["summary"] = json!(format!("Word {number}"));
    sandbox.google_edit_event(&home(sandbox), id, renames).unwrap();
}

/// Where the next round of a calendar begins.
fn sync_token(sandbox: &Sandbox, calendar: &str) -> Value {
    let calendar = calendar.replace('@', "%40");
    let query = "maxResults=1000&singleEvents=false&showDeleted=true";
    let target = format!("/google/calendar/v3/calendars/{calendar}/events?{query}");
    ask(sandbox, Provider::Google, &target)["nextSyncToken"].clone()
}

fn since(stage: &Stage) -> Since {
    Since::Token(DeltaToken(json!({"v": 1, "sync": stage.text("syncToken")}).to_string()))
}

async fn page(google: &Google, stage: &Stage, since: Since) -> Result<Page> {
    let calendar = stage.text("calendar");
    let feed = Feed { id: FeedId::from(calendar), kind: KIND, collections: vec![CollectionId::from(calendar)] };
    google.changes(&[Poll { feed: &feed, since, known: &Known::new() }]).await.remove(0)
}

fn remote(stage: &Stage, id: &str) -> RemoteId {
    RemoteId(format!("{}/{id}", stage.text("calendar")))
}

async fn fetch(google: &Google, stage: &Stage) -> Option<Seen> {
    let collection = CollectionId::from(stage.text("calendar"));
    let place = Place { remote_id: remote(stage, stage.text("id")), collection };
    google.fetch(KIND, &[place]).await.remove(0).unwrap()
}

async fn write(google: &Google, operation: Operation) -> Result<Written> {
    google.write(KIND, &[operation]).await.remove(0)
}

fn mark() -> Mark {
    Mark { hub: "hub-00000001".into(), item: "item-00000001".into(), generation: 1 }
}

fn identity() -> Identity {
    Identity { uid: Uid("urn:uuid:0000-1".into()), mark: Some(mark()) }
}

fn once() -> Content {
    Content::from_value(
        json!({"title": "Word 1", "start": "2026-03-03T12:00:00", "timeZone": "Europe/Berlin", "duration": "PT1H"}),
    )
}

fn create(google: &Google, stage: &Stage, content: &Content) -> Operation {
    let rendering = google.lens(KIND).write(None, content, &identity()).unwrap();
    Operation::Create {
        collection: CollectionId::from(stage.text("calendar")),
        rendering,
        uid: identity().uid,
        mark: mark(),
    }
}

fn place(seen: &Seen) -> Place {
    Place { remote_id: seen.remote_id.clone(), collection: seen.collection.clone() }
}

fn update(google: &Google, seen: &Seen, change: impl FnOnce(&mut Content)) -> Operation {
    let mut content = says(google, seen);
    change(&mut content);
    let to = google.lens(KIND).write(Some(&seen.rendering), &content, &identity()).unwrap();
    Operation::Update { place: place(seen), etag: seen.etag.clone(), from: seen.rendering.clone(), to }
}

fn renamed(content: &mut Content) {
    content.set("title", json!("Word 3"));
}

// Calendars

#[tokio::test]
async fn calendars_are_listed_made_once_and_renamed() {
    let like = Collection {
        id: CollectionId::from(""),
        kind: KIND,
        name: "Word 1".into(),
        color: Some("#16a765".into()),
        is_default: false,
        role: None,
        access: Access::ReadWrite,
    };
    play(
        PLACE,
        "list_calendars",
        "All calendars come in one list, with what the user may do there; the account's own is told by a flag.",
        |sandbox| {
            let other = sandbox.google_add_calendar("Word 1").unwrap();
            sandbox.google_set_calendar_role(&other, "reader").unwrap();
            json!({"home": {"id": home(sandbox)}, "other": {"id": other}})
        },
        async |stage| {
            let calendars = google(stage).collections(KIND).await.unwrap();
            let of = |name: &str| {
                let id = stage.arguments[name]["id"].as_str().unwrap();
                calendars.iter().find(|calendar| calendar.id.as_str() == id).unwrap()
            };
            assert!(of("home").is_default && of("home").access == Access::ReadWrite);
            assert_eq!((of("other").name.as_str(), of("other").access), ("Word 1", Access::ReadOnly));
        },
    )
    .await;
    play(
        PLACE,
        "create_calendar",
        "The list is looked at first, for nothing refuses a second calendar of one name; its colour is told afterwards.",
        |_| json!({}),
        async |stage| {
            let made = google(stage).create_collection(KIND, &like).await.unwrap();
            assert!(made.id.as_str().ends_with("@group.calendar.google.com"), "{}", made.id);
            assert_eq!(made.name, like.name);
        },
    )
    .await;
    play(
        PLACE,
        "rename_calendar",
        "A calendar of the user's own gets its name itself; the colour is the user's alone.",
        |sandbox| json!({"id": sandbox.google_add_calendar("Word 1").unwrap()}),
        async |stage| {
            let id = CollectionId::from(stage.text("id"));
            google(stage).rename_collection(KIND, &id, Some("Word 2"), Some("#16a765")).await.unwrap();
        },
    )
    .await;
    play(
        PLACE,
        "delete_calendar",
        "A calendar of the user's own is looked into, and deleted when it is empty.",
        |sandbox| json!({"id": sandbox.google_add_calendar("Word 1").unwrap()}),
        async |stage| {
            let id = CollectionId::from(stage.text("id"));
            assert!(google(stage).remove_collection(KIND, &id).await.unwrap());
        },
    )
    .await;
    play(
        PLACE,
        "leave_calendar",
        "One of somebody else's leaves the user's list, whatever is in it.",
        |sandbox| {
            let id = sandbox.google_add_calendar("Word 1").unwrap();
            sandbox.google_set_calendar_role(&id, "reader").unwrap();
            json!({"id": id})
        },
        async |stage| {
            let id = CollectionId::from(stage.text("id"));
            assert!(google(stage).remove_collection(KIND, &id).await.unwrap());
        },
    )
    .await;
}

// Rounds

#[tokio::test]
async fn a_full_listing_is_read_to_its_end_and_a_delta_tells_what_changed() {
    play(
        PLACE,
        "list",
        "A full listing in pages, exceptions as rows of their own; the last page brings the sync token.",
        |sandbox| {
            sandbox.switch(|switches| switches.page_size_cap = 2);
            json!({"calendar": home(sandbox), "series": {"id": add_series(sandbox)}, "single": {"id": add(sandbox, &single(3))}})
        },
        async |stage| {
            let google = google(stage);
            let (mut since, mut pages, mut entries) = (Since::Start, 0, Vec::new());
            let token = loop {
                let Page { entries: more, next } = page(&google, stage, since).await.unwrap();
                pages += 1;
                entries.extend(more);
                match next {
                    Next::Page(link) => since = Since::Page(link),
                    Next::Done(token) => break token,
                }
            };
            assert_eq!((pages, entries.len(), token.as_str().is_empty()), (2, 2, false));
            for entry in entries {
                let Entry::Seen(seen) = entry else { panic!("{entry:?}") };
                if seen.remote_id == remote(stage, stage.arguments["series"]["id"].as_str().unwrap()) {
                    assert_eq!(overrides(&google, &seen), one_override());
                } else {
                    assert_eq!(seen.remote_id, remote(stage, stage.arguments["single"]["id"].as_str().unwrap()));
                    assert_eq!(title(&google, &seen), json!("Word 3"));
                }
            }
        },
    )
    .await;
    play(
        PLACE,
        "list_since",
        "Since a sync token a deleted event is a tombstone; of a series that changed in part, the rest is asked for.",
        |sandbox| {
            let (series, gone) = (add_series(sandbox), add(sandbox, &single(3)));
            let token = sync_token(sandbox, &home(sandbox));
            edit(sandbox, &format!("{series}_20260317T110000Z"), 4);
            sandbox.google_delete_event(&home(sandbox), &gone).unwrap();
            json!({"calendar": home(sandbox), "syncToken": token, "series": {"id": series}, "gone": {"id": gone}})
        },
        async |stage| {
            let google = google(stage);
            let page = page(&google, stage, since(stage)).await.unwrap();
            assert_eq!(page.entries.len(), 2);
            for entry in page.entries {
                let name = |name: &str| remote(stage, stage.arguments[name]["id"].as_str().unwrap());
                match entry {
                    Entry::Seen(seen) => {
                        assert_eq!(seen.remote_id, name("series"));
                        let mut both = one_override();
                        both["2026-03-17T12:00:00"] = json!({"title": "Word 4"});
                        assert_eq!(overrides(&google, &seen), both);
                    }
                    Entry::Gone(id) => assert_eq!(id, name("gone")),
                    other => panic!("{other:?}"),
                }
            }
        },
    )
    .await;
    play(
        PLACE,
        "list_410_token_expired",
        "A dead sync token is a 410; it asks for a full listing and says nothing of any event.",
        |sandbox| {
            let calendar = sandbox.google_add_calendar("Word 1").unwrap();
            let token = sync_token(sandbox, &calendar);
            sandbox.google_set_calendar_role(&calendar, "writer").unwrap();
            json!({"calendar": calendar, "syncToken": token})
        },
        async |stage| {
            let answer = page(&google(stage), stage, since(stage)).await;
            assert_eq!(answer.unwrap_err().kind, ErrorKind::TokenExpired);
        },
    )
    .await;
}

// Single events

#[tokio::test]
async fn an_event_is_read_whole_or_known_to_be_gone() {
    play(
        PLACE,
        "get",
        "A series is read with its exceptions, which are found by the iCalUID that they have in common.",
        |sandbox| json!({"calendar": home(sandbox), "id": add_series(sandbox)}),
        async |stage| {
            let google = google(stage);
            let seen = fetch(&google, stage).await.unwrap();
            assert_eq!((title(&google, &seen), overrides(&google, &seen)), (json!("Word 1"), one_override()));
        },
    )
    .await;
    play(
        PLACE,
        "get_cancelled",
        "A deleted event still answers, as cancelled: that says that it is gone.",
        |sandbox| {
            let id = add(sandbox, &single(1));
            sandbox.google_delete_event(&home(sandbox), &id).unwrap();
            json!({"calendar": home(sandbox), "id": id})
        },
        async |stage| assert_eq!(fetch(&google(stage), stage).await, None),
    )
    .await;
    play(
        PLACE,
        "list_marked",
        "A copy whose import lost its reply is found by the mark, a private property, for it has no id of ours.",
        |sandbox| {
            let mut ours = single(1);
            ours["extendedProperties"] = json!({"private": {MARK_KEY: mark().to_string()}});
            add(sandbox, &single(2));
            json!({"calendar": home(sandbox), "id": add(sandbox, &ours)})
        },
        async |stage| {
            let collection = CollectionId::from(stage.text("calendar"));
            let lookup = Lookup { mark: mark(), uid: identity().uid, collection, sent_ms: 0 };
            let now_ms = i64::try_from(NOW_MS).unwrap();
            let found = google(stage).find(KIND, &[lookup], now_ms).await.remove(0).unwrap();
            let Found::Here(seen) = found else { panic!("{found:?}") };
            assert_eq!((seen.remote_id, seen.mark), (remote(stage, stage.text("id")), Some(mark())));
        },
    )
    .await;
}

// Writes

#[tokio::test]
async fn what_is_created_comes_back_with_its_mark() {
    play(
        PLACE,
        "insert",
        "An event is made under an id that comes from its mark; the answer is the copy.",
        |sandbox| json!({"calendar": home(sandbox)}),
        async |stage| {
            let google = google(stage);
            let seen = write(&google, create(&google, stage, &once())).await.unwrap().unwrap();
            assert_eq!((says(&google, &seen), seen.mark), (once(), Some(mark())));
        },
    )
    .await;
    play(
        PLACE,
        "insert_409_taken",
        "The id of a create is taken by an event that was deleted since: the next id of the same create is.",
        |sandbox| json!({"calendar": home(sandbox)}),
        async |stage| {
            let google = google(stage);
            let first = write(&google, create(&google, stage, &once())).await.unwrap().unwrap();
            if let Some(sandbox) = &stage.sandbox {
                let id = first.remote_id.as_str().rsplit_once('/').unwrap().1;
                sandbox.google_delete_event(stage.text("calendar"), id).unwrap();
            }
            let second = write(&google, create(&google, stage, &once())).await.unwrap().unwrap();
            assert_ne!(second.remote_id, first.remote_id);
            assert_eq!((says(&google, &second), second.mark), (once(), Some(mark())));
        },
    )
    .await;
    play(
        PLACE,
        "import",
        "A copy of a meeting is imported without its people, under the UID of the meeting, and mails nobody.",
        |sandbox| json!({"calendar": home(sandbox)}),
        async |stage| {
            let google = google(stage);
            let mut meeting = once();
            let boss = json!({"email": "person2@example.org", "roles": {"owner": true}});
            meeting.set("participants", json!({key("person2@example.org"): boss}));
            let seen = write(&google, create(&google, stage, &meeting)).await.unwrap().unwrap();
            assert_eq!((seen.mark, seen.uid), (Some(mark()), Some(identity().uid)));
            if let Some(sandbox) = &stage.sandbox {
                assert!(sandbox.google_mails().is_empty());
            }
        },
    )
    .await;
}

#[tokio::test]
async fn a_change_sends_what_differs_and_is_guarded() {
    let arrange = |sandbox: &Sandbox| json!({"calendar": home(sandbox), "id": add(sandbox, &single(1))});
    play(
        PLACE,
        "patch",
        "A change sends the fields that differ, guarded by the etag, and is answered with the next one.",
        arrange,
        async |stage| {
            let google = google(stage);
            let seen = fetch(&google, stage).await.unwrap();
            let now = write(&google, update(&google, &seen, renamed)).await.unwrap().unwrap();
            assert_eq!((title(&google, &now), now.remote_id), (json!("Word 3"), seen.remote_id));
            assert_ne!(now.etag, seen.etag);
        },
    )
    .await;
    play(
        PLACE,
        "patch_412_stale_etag",
        "Somebody else changed it meanwhile: refused, and nothing is overwritten.",
        arrange,
        async |stage| {
            let google = google(stage);
            let seen = fetch(&google, stage).await.unwrap();
            if let Some(sandbox) = &stage.sandbox {
                edit(sandbox, stage.text("id"), 2);
            }
            let answer = write(&google, update(&google, &seen, renamed)).await;
            assert_eq!(answer.unwrap_err().kind, ErrorKind::StaleEtag);
        },
    )
    .await;
    play(
        PLACE,
        "instance_at",
        "An occurrence that is no exception yet is found by its original start, and changed by its own id.",
        |sandbox| json!({"calendar": home(sandbox), "id": add_series(sandbox)}),
        async |stage| {
            let google = google(stage);
            let seen = fetch(&google, stage).await.unwrap();
            let mut both = one_override();
            both["2026-03-17T12:00:00"] = json!({"excluded": true});
            let operation = update(&google, &seen, |event| event.set("recurrenceOverrides", both.clone()));
            let now = write(&google, operation).await.unwrap().unwrap();
            assert_eq!(overrides(&google, &now), both);
        },
    )
    .await;
    play(PLACE, "delete", "A delete is guarded too and answered with nothing.", arrange, async |stage| {
        let google = google(stage);
        let seen = fetch(&google, stage).await.unwrap();
        let removal = Operation::Delete { place: place(&seen), etag: seen.etag.clone() };
        assert_eq!(write(&google, removal).await.unwrap(), None);
    })
    .await;
}
