//! Graph's calendars: calendars and groups, events and series, views, deltas, answers to invitations, and the mails that
//! all of this sends.
//!
//! | file | holds |
//! |---|---|
//! | `store.rs` | calendars as they are, events with their whole history, ids of events and occurrences |
//! | `body.rs` | what an event says, and an occurrence of its own |
//! | `fields.rs`, `places.rs`, `people.rs` | properties: what may be written, what it becomes |
//! | `rule.rs`, `span.rs`, `zones.rs` | recurrence, instances in a window, time zones |
//! | `blob.rs` | a series in Exchange's own bytes |
//! | `query.rs`, `show.rs` | what may be asked, what is shown |
//! | `calendars.rs`, `events.rs`, `answers.rs`, `attachments.rs`, `settings.rs` | one resource each |
//! | `delta.rs` | `calendarView/delta` and `events/delta` |
//! | `mails.rs` | what the service mails to people |
//! | `hands.rs` | what another client of the user does: [`crate::Sandbox`]`::graph_event_...` and control requests |
//! | `seeds.rs` | the events at the start |

mod answers;
mod attachments;
mod blob;
mod body;
mod calendars;
mod delta;
mod events;
mod fields;
mod hands;
mod mails;
mod people;
mod places;
mod query;
mod rule;
mod seeds;
mod settings;
mod show;
mod span;
mod store;
mod zones;

use serde_json::{Map, Value, json};

use super::links;
use super::query as graph;
use super::reply::{Answer, Refusal, ordered};
use super::{is, is_delta};
use store::{BIN, DEFAULT, calendar_id};

pub(super) use hands::control;
pub use mails::{Mail, Why};
pub(super) use mails::{mailed, read_receipt};
pub use seeds::seed;
pub(super) use settings::answer as settings;
pub(super) use store::Store;

use crate::{Request, Response, State};

/// Whether a path below the user names something of the calendar.
pub(super) fn is_here(word: &str) -> bool {
    ["calendar", "calendars", "calendarGroups", "calendarView", "events"].iter().any(|name| is(word, name))
}

/// Answers a request; `words` is the path below the user.
pub(super) fn answer(state: &mut State, request: &Request, words: &[&str]) -> Answer {
    match words {
        [calendars] if is(calendars, "calendars") => calendars::many(state, request, None),
        [calendars, id, rest @ ..] if is(calendars, "calendars") => {
            let key = state.microsoft.calendar.find_calendar(id)?;
            in_calendar(state, request, key, rest)
        }
        [calendar, rest @ ..] if is(calendar, "calendar") => in_calendar(state, request, DEFAULT, rest),
        [groups] if is(groups, "calendarGroups") => calendars::groups(state, request),
        [groups, id, rest @ ..] if is(groups, "calendarGroups") => {
            let group = state.microsoft.calendar.find_group(id)?;
            in_group(state, request, group, rest)
        }
        [resource, rest @ ..] => in_events(state, request, None, resource, rest),
        [] => Err(Refusal::no_resource("")),
    }
}

fn in_group(state: &mut State, request: &Request, group: u64, words: &[&str]) -> Answer {
    match words {
        [] => calendars::group(state, request, group),
        [calendars] if is(calendars, "calendars") => calendars::many(state, request, Some(group)),
        [calendars, id, rest @ ..] if is(calendars, "calendars") => {
            let key = state.microsoft.calendar.find_calendar(id)?;
            if state.microsoft.calendar.calendars[&key].group != group {
                return Err(Refusal::not_found());
            }
            in_calendar(state, request, key, rest)
        }
        [first, ..] => Err(Refusal::no_resource(first)),
    }
}

fn in_calendar(state: &mut State, request: &Request, calendar: u64, words: &[&str]) -> Answer {
    match words {
        [] => calendars::one(state, request, calendar),
        [word, ..] if ["getSchedule", "calendarPermissions"].iter().any(|name| is(word, name)) => {
            Err(Refusal::new(501, "NotImplemented", format!("The stand-in has no '{word}'.")))
        }
        [resource, rest @ ..] => {
            allow(state, Some(calendar))?;
            in_events(state, request, Some(calendar), resource, rest)
        }
    }
}

/// `events` and `calendarView` of the user, or of one calendar.
fn in_events(state: &mut State, request: &Request, calendar: Option<u64>, resource: &str, words: &[&str]) -> Answer {
    let home = match calendar {
        Some(calendar) => format!("me/calendars('{}')", links::escape(&calendar_id(calendar))),
        None => "me".into(),
    };
    match words {
        [] if is(resource, "calendarView") => events::view(state, request, calendar),
        [word] if is(resource, "calendarView") && is_delta(word) => {
            delta::view(state, request, calendar, &format!("{home}/calendarView/delta"))
        }
        [first, ..] if is(resource, "calendarView") => Err(Refusal::no_resource(first)),
        _ if !is(resource, "events") => Err(Refusal::no_resource(resource)),
        [] => events::many(state, request, calendar),
        [word] if is_delta(word) => delta::events(state, request, calendar, &format!("{home}/events/delta")),
        [id] => events::one(state, request, calendar, id),
        [id, instances] if is(instances, "instances") => events::series(state, request, calendar, id),
        [id, word, rest @ ..] => {
            let found = events::find(state, request, calendar, id)?;
            match rest {
                [] if is(word, "calendar") => events::calendar_of(state, request, found),
                rest if is(word, "attachments") => attachments::answer(state, request, found, rest),
                [] => answers::answer(state, request, found, word),
                [first, ..] => Err(Refusal::no_resource(first)),
            }
        }
    }
}

/// Refuses calendars that a switch closes.
fn allow(state: &State, calendar: Option<u64>) -> Result<(), Refusal> {
    let Some(calendar) = calendar.filter(|calendar| *calendar != BIN) else { return Ok(()) };
    let id = calendar_id(calendar);
    let name = state.microsoft.calendar.calendars.get(&calendar).map(|calendar| calendar.name.as_str());
    let is_named = |listed: &[String]| listed.iter().any(|have| *have == id || Some(have.as_str()) == name);
    if is_named(&state.switches.graph_denied_calendars) {
        return Err(Refusal::denied());
    }
    if is_named(&state.switches.graph_broken_calendars) {
        let text = "An internal server error occurred. Try again later.";
        return Err(Refusal::new(500, "ErrorInternalServerTransientError", text));
    }
    Ok(())
}

/// A page of a list, cut out of all its rows.
fn page<T: Clone>(
    state: &State,
    request: &Request,
    options: &[(String, String)],
    context: &str,
    rows: Vec<T>,
    show: impl Fn(T) -> Map<String, Value>,
) -> Answer {
    let option = |name| graph::option(options, name);
    let from = super::contacts::start(option("$skip"), option("$skiptoken"))?;
    let (end, next) =
        graph::cut(from, rows.len(), graph::rows(option("$top"), request, graph::MOST_ROWS)?, &state.switches);
    let shown = rows.get(from.offset..end).unwrap_or_default().iter().cloned();
    let mut page = Map::new();
    page.insert("@odata.context".into(), links::context(state, context).into());
    match option("$count") {
        Some("true") => _ = page.insert("@odata.count".into(), rows.len().into()),
        None | Some("false") => {}
        Some(count) => return Err(Refusal::bad(format!("Invalid value '{count}' for $count query option found."))),
    }
    page.insert("value".into(), shown.map(|row| ordered(show(row), &state.switches)).collect());
    if let Some(next) = next {
        page.insert("@odata.nextLink".into(), links::next(state, request, next).into());
    }
    Ok(Response::json(200, &page.into()))
}

/// All calendars with their events, what is in Deleted Items, and what was mailed, for a test to compare.
pub(super) fn dump(state: &State) -> Value {
    let store = &state.microsoft.calendar;
    let inside = |calendar: u64| -> Vec<Value> {
        store.inside(calendar).into_iter().map(|key| show::dump(state, key, None)).collect()
    };
    let calendars = store.calendars.keys().map(|key| {
        let mut shown = calendars::show(state, *key, None);
        shown.insert("events".into(), inside(*key).into());
        Value::from(shown)
    });
    json!({ "calendars": calendars.collect::<Vec<_>>(), "deletedEvents": inside(BIN), "mails": store.mails })
}
