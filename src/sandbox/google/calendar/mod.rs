//! Google Calendar v3: the user's calendars and their events. Requests come in with the path after `/google/`.
//!
//! `mod.rs` routes and checks tokens, scopes, parameters and rights; `schema.rs` checks bodies, `fields.rs` whole events;
//! `rights.rs` who may change what, `series.rs` what a series and its exceptions do to each other; `entries.rs` (the user's list of calendars), `calendars.rs`, `events.rs`, `transfers.rs` (import and move),
//! `instances.rs` and `list.rs` answer; `tokens.rs` has their page and sync tokens; `times.rs` and `recurrence.rs` know
//! when things are; `render.rs` shows events; `store.rs` remembers, `history.rs` older versions too; `mails.rs` notes whom the real service would have
//! written to; `quota.rs` counts; `batch.rs` takes many requests in one; `hands.rs` is what another client of the user may
//! do; `seeds.rs` has the events of the start.

mod batch;
mod calendars;
mod colors;
mod entries;
mod errors;
mod events;
mod fields;
mod hands;
mod history;
mod instances;
mod list;
mod mails;
mod quota;
mod recurrence;
mod render;
mod rights;
mod schema;
mod seeds;
mod series;
mod store;
mod times;
mod tokens;
mod transfers;

use serde_json::{Map, Value, json};

use errors::{bad_parameter, forbidden, needs_writer, required, scope_missing};
use events::{Hand, Site};
use mails::Tell;
use store::Role;

pub(crate) use errors::fault_body;
pub(crate) use hands::control;
pub use mails::{Mail, Notice};
pub(crate) use quota::budget;
pub(crate) use seeds::seed;
pub use store::Room;

use super::errors::Refusal;
use super::partial;
use crate::oauth::{self, Access, Denied};
use crate::wire::segments;
use crate::{Provider, Request, Response, State};

/// Whether a path (as sent) is one of this room's.
pub(crate) fn is_path(path: &str) -> bool {
    path.starts_with("/google/calendar/v3/") || path.starts_with("/google/batch/calendar/v3")
}

/// The calendar that a path names, as it stands there; empty when it names none.
pub(crate) fn named_in(path: &str) -> &str {
    path.strip_prefix("/google/calendar/v3/calendars/").and_then(|rest| rest.split('/').next()).unwrap_or_default()
}

/// Parameters that every method takes.
const COMMON: [&str; 8] = ["access_token", "alt", "fields", "key", "oauth_token", "prettyPrint", "quotaUser", "userIp"];
const LIST_ENTRIES: &[&str] =
    &["maxResults", "minAccessRole", "pageToken", "showDeleted", "showHidden", "showOwnOrganizationOnly", "syncToken"];
const COLORS: &[&str] = &["colorRgbFormat"];
const LIST_EVENTS: &[&str] = &[
    "alwaysIncludeEmail",
    "eventTypes",
    "iCalUID",
    "maxAttendees",
    "maxResults",
    "orderBy",
    "pageToken",
    "privateExtendedProperty",
    "q",
    "sharedExtendedProperty",
    "showDeleted",
    "showHiddenInvitations",
    "singleEvents",
    "syncToken",
    "timeMax",
    "timeMin",
    "timeZone",
    "updatedMin",
];
const GET_EVENT: &[&str] = &["alwaysIncludeEmail", "maxAttendees", "timeZone"];
const INSTANCES: &[&str] = &[
    "alwaysIncludeEmail",
    "maxAttendees",
    "maxResults",
    "originalStart",
    "pageToken",
    "showDeleted",
    "timeMax",
    "timeMin",
    "timeZone",
];
const WRITE_EVENT: &[&str] = &[
    "alwaysIncludeEmail",
    "conferenceDataVersion",
    "eventLabelVersion",
    "maxAttendees",
    "sendNotifications",
    "sendUpdates",
    "supportsAttachments",
];
const IMPORT: &[&str] = &["conferenceDataVersion", "eventLabelVersion", "supportsAttachments"];
const DELETE_EVENT: &[&str] = &["sendNotifications", "sendUpdates"];
const MOVE: &[&str] = &["destination", "sendNotifications", "sendUpdates"];

/// The scopes of which one is needed; each is the last part of its name.
type Scopes = &'static [&'static str];
const READ_LIST: Scopes = &["calendar", "calendar.calendarlist", "calendar.calendarlist.readonly", "calendar.readonly"];
const WRITE_LIST: Scopes = &["calendar", "calendar.calendarlist"];
const READ_CALENDARS: Scopes = &["calendar", "calendar.calendars", "calendar.calendars.readonly", "calendar.readonly"];
const WRITE_CALENDARS: Scopes = &["calendar", "calendar.calendars"];
const READ_EVENTS: Scopes = &[
    "calendar",
    "calendar.events",
    "calendar.events.owned",
    "calendar.events.owned.readonly",
    "calendar.events.readonly",
    "calendar.readonly",
];
const WRITE_EVENTS: Scopes = &["calendar", "calendar.events", "calendar.events.owned"];
const READ_COLORS: Scopes = &[
    "calendar",
    "calendar.calendarlist",
    "calendar.calendarlist.readonly",
    "calendar.events.owned",
    "calendar.readonly",
];

/// Answers a request; `path` is what follows `/google/`.
pub(super) fn handle(state: &mut State, request: &Request, path: &str) -> Response {
    if let Some("" | "/") = path.strip_prefix("batch/calendar/v3") {
        let reply = batch::answer(state, request).unwrap_or_else(|refusal| *refusal);
        return errors::dressed(state, reply);
    }
    let reply = match oauth::authorise(state, Provider::Google, request) {
        Err(denied) => Err(errors::unauthenticated(denied == Denied::Missing)),
        Ok(access) => super::in_account(state, &access, |state| {
            store::settle_in(state, &access.account);
            store::restamp_due(state);
            answer(state, request, path.strip_prefix("calendar/v3/").unwrap_or(path), &access)
        }),
    };
    let mut reply = reply.unwrap_or_else(|refusal| *refusal);
    if let Some(fields) = request.param("fields").filter(|_| reply.status == 200) {
        reply = match partial::cut(&reply.body_json(), fields) {
            Ok(body) => Response { body: body.to_string().into(), ..reply },
            Err(refusal) => *errors::translated(&refusal),
        };
    }
    errors::dressed(state, reply)
}

fn answer(state: &mut State, request: &Request, path: &str, access: &Access) -> Result<Response, Refusal> {
    let parts = segments(path);
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let is_event_path = matches!(parts.as_slice(), ["calendars", _, "events", ..]);
    let check = |state: &State, scopes: Scopes, known: &[&str]| check(state, request, access, scopes, known);
    if is_event_path {
        return answer_events(state, request, &parts[1..], access);
    }
    match (request.method.as_str(), parts.as_slice()) {
        ("GET", ["users", "me", "calendarList"]) => {
            check(state, READ_LIST, LIST_ENTRIES)?;
            entries::list(state, request)
        }
        ("POST", ["users", "me", "calendarList"]) => {
            check(state, WRITE_LIST, COLORS)?;
            entries::insert(state, request)
        }
        ("GET", ["users", "me", "calendarList", id]) => {
            check(state, READ_LIST, &[])?;
            entries::get(state, id)
        }
        (method @ ("PATCH" | "PUT"), ["users", "me", "calendarList", id]) => {
            check(state, WRITE_LIST, COLORS)?;
            entries::change(state, request, id, method == "PUT")
        }
        ("DELETE", ["users", "me", "calendarList", id]) => {
            check(state, WRITE_LIST, &[])?;
            entries::delete(state, id)
        }
        ("POST", ["calendars"]) => {
            check(state, WRITE_CALENDARS, &[])?;
            calendars::insert(state, request)
        }
        ("GET", ["calendars", id]) => {
            check(state, READ_CALENDARS, &[])?;
            calendars::get(state, id)
        }
        (method @ ("PATCH" | "PUT"), ["calendars", id]) => {
            check(state, WRITE_CALENDARS, &[])?;
            calendars::change(state, request, id, method == "PUT")
        }
        ("DELETE", ["calendars", id]) => {
            check(state, WRITE_CALENDARS, &[])?;
            calendars::delete(state, id)
        }
        ("POST", ["calendars", id, "clear"]) => {
            check(state, WRITE_CALENDARS, &[])?;
            calendars::clear(state, id)
        }
        ("GET", ["colors"]) => {
            check(state, READ_COLORS, &[])?;
            Ok(Response::json(200, &colors::all()))
        }
        (_, ["freeBusy"] | ["users", "me", "settings", ..] | ["channels", "stop"] | ["calendars", _, "acl", ..])
        | (_, ["users", "me", "calendarList", "watch"] | ["calendars", _, "transferOwnership"]) => {
            Err(errors::not_implemented())
        }
        _ => Err(errors::not_found()),
    }
}

/// Everything below `calendars/{id}/events`; `parts` begins with the calendar's id.
fn answer_events(state: &mut State, request: &Request, parts: &[&str], access: &Access) -> Result<Response, Refusal> {
    let known = match (request.method.as_str(), &parts[2..]) {
        ("GET", []) => LIST_EVENTS,
        ("POST", [] | ["quickAdd"]) | ("PUT" | "PATCH", [_]) => WRITE_EVENT,
        ("POST", ["import"]) => IMPORT,
        ("GET", [_]) => GET_EVENT,
        ("DELETE", [_]) => DELETE_EVENT,
        ("GET", [_, "instances"]) => INSTANCES,
        ("POST", [_, "move"]) => MOVE,
        ("POST", ["watch"]) => return Err(errors::not_implemented()),
        _ => return Err(errors::not_found()),
    };
    let scopes = if request.is_write() { WRITE_EVENTS } else { READ_EVENTS };
    check(state, request, access, scopes, known)?;
    if !request.is_write() {
        let calendar = readable(state, parts[0])?;
        return match &parts[2..] {
            [] => list::events(state, request, &calendar),
            [id] => events::get(state, request, &calendar, id),
            [id, ..] => instances::list(state, request, &calendar, id),
        };
    }
    quota::check_pause(state)?;
    let site = writable_site(state, request, parts[0])?;
    match (request.method.as_str(), &parts[2..]) {
        ("POST", []) => events::insert(state, request, &site),
        ("POST", ["import"]) => transfers::import(state, request, &site),
        ("POST", [id, "move"]) => transfers::relocate(state, request, &site, id),
        ("PUT", [id]) => events::update(state, request, &site, id),
        ("PATCH", [id]) => events::patch(state, request, &site, id),
        ("DELETE", [id]) => events::delete(state, request, &site, id),
        _ => Err(errors::not_implemented()),
    }
}

/// The id of a calendar whose events may be read.
fn readable(state: &State, id: &str) -> Result<String, Refusal> {
    let here = store::calendar(state, id)?;
    let is_denied = |name: &String| *name == here.id || *name == here.summary();
    if state.switches.calendar_denied_calendars.iter().any(is_denied) {
        return Err(forbidden());
    }
    if here.role == Role::FreeBusyReader && !state.switches.calendar_free_busy_lists {
        return Err(forbidden());
    }
    Ok(here.id.clone())
}

/// A calendar whose events may be written, and who is to be told.
fn writable_site(state: &State, request: &Request, id: &str) -> Result<Site, Refusal> {
    let calendar = readable(state, id)?;
    let here = store::calendar(state, &calendar)?;
    if !here.role.may_write() {
        return Err(needs_writer());
    }
    let is_primary = here.is_primary;
    Ok(Site { calendar, is_primary, tell: Tell::of(state, request), hand: Hand::Api })
}

/// Scope and query parameters.
fn check(state: &State, request: &Request, access: &Access, scopes: Scopes, known: &[&str]) -> Result<(), Refusal> {
    let full: Vec<String> = scopes.iter().map(|scope| format!("https://www.googleapis.com/auth/{scope}")).collect();
    if !full.iter().any(|scope| access.has(scope)) {
        return Err(scope_missing(&full.iter().map(String::as_str).collect::<Vec<_>>()));
    }
    if request.method == "GET" && !request.body.is_empty() {
        // The front end turns these away before any service sees them.
        let page = "<!DOCTYPE html><title>Error 400 (Bad Request)!!1</title>";
        return Err(Box::new(Response::bytes(400, "text/html; charset=UTF-8", page)));
    }
    for (name, value) in &request.query {
        let name = name.as_str();
        if !known.contains(&name) && !COMMON.contains(&name) {
            if state.switches.calendar_ignores_unknown {
                continue;
            }
            return Err(bad_parameter(name, &format!("Unknown parameter: {name}")));
        }
        let fits = match name {
            "alwaysIncludeEmail"
            | "colorRgbFormat"
            | "prettyPrint"
            | "sendNotifications"
            | "showDeleted"
            | "showHidden"
            | "showHiddenInvitations"
            | "showOwnOrganizationOnly"
            | "singleEvents"
            | "supportsAttachments" => matches!(value.as_str(), "true" | "false"),
            "conferenceDataVersion" | "eventLabelVersion" => matches!(value.as_str(), "0" | "1"),
            "sendUpdates" => matches!(value.as_str(), "all" | "externalOnly" | "none"),
            "orderBy" => matches!(value.as_str(), "startTime" | "updated"),
            "eventTypes" => matches!(
                value.as_str(),
                "birthday" | "default" | "focusTime" | "fromGmail" | "outOfOffice" | "workingLocation"
            ),
            "alt" => value == "json",
            _ => true,
        };
        if !fits {
            return Err(bad_parameter(name, &format!("Invalid value '{value}' for {name}.")));
        }
    }
    if known == MOVE && request.param("destination").is_none_or(str::is_empty) {
        return Err(required("Required parameter: destination"));
    }
    Ok(())
}

/// All calendars with their living events, as JSON, for a test to compare. Nothing here changes when it is read.
pub(super) fn dump(state: &State) -> Value {
    let calendars = state.google.calendar.calendars.iter().filter(|here| !here.is_gone);
    let all: Map<String, Value> = calendars
        .map(|here| {
            let events = here.events.iter().map(|(id, history)| (id, history.newest()));
            let living =
                events.filter(|(_, version)| !version.value.is_cancelled() || version.value.series().is_some());
            let events: Map<String, Value> = living
                .map(|(id, version)| (id.clone(), json!({ "etag": version.etag, "body": version.value.body })))
                .collect();
            (
                here.id.clone(),
                json!({ "fields": here.fields, "entry": here.entry.newest().value.fields, "events": events }),
            )
        })
        .collect();
    Value::Object(all)
}
