//! Single events: get, insert, update, patch, delete. An occurrence is written by its own id, which makes it an exception.

use serde_json::{Map, Value, json};

use super::errors::{condition_not_met, deleted, duplicate, event_type_restriction, forbidden, invalid, not_found};
use super::instances::{self, Current, current};
use super::mails::{self, Tell};
use super::render::{self, View};
use super::store::{self, Event};
use super::{fields, quota, rights, schema, series};
use crate::google::errors::Refusal;
use crate::{Request, Response, State};

/// Who writes: a client of the API, or the user in the web page, to whom fewer rules apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hand {
    Api,
    User,
}

/// What a write is about.
#[derive(Clone, Debug)]
pub(super) struct Site {
    /// The calendar's id, never the word `primary`.
    pub calendar: String,
    pub is_primary: bool,
    pub tell: Tell,
    pub hand: Hand,
}

/// GET calendars/{id}/events/{eventId}.
pub(super) fn get(state: &mut State, request: &Request, calendar_id: &str, id: &str) -> Result<Response, Refusal> {
    let view = View::of(request)?;
    let found = current(state, calendar_id, id).ok_or_else(not_found)?;
    if request.header("if-none-match").is_some_and(|etag| etag == found.etag || etag == "*") {
        return Ok(Response::empty(304).with_header("etag", &found.etag));
    }
    answer(state, calendar_id, id, &found.etag, &found.event, &view)
}

/// An event as the answer to a request about it alone.
pub(super) fn answer(
    state: &mut State,
    calendar_id: &str,
    id: &str,
    etag: &str,
    event: &Event,
    view: &View,
) -> Result<Response, Refusal> {
    let shown = render::event(state, store::calendar(state, calendar_id)?, id, etag, event, view);
    Ok(Response::json(200, &render::jumbled(state, shown)).with_header("etag", etag))
}

/// The body of a write, checked, without what this request may not set.
pub(super) fn read_body(state: &State, request: &Request) -> Result<Map<String, Value>, Refusal> {
    let body = render::json_body(request)?;
    let mut body = schema::check("Event", &body, state.switches.calendar_ignores_unknown)?;
    if request.param("conferenceDataVersion") != Some("1") {
        body.remove("conferenceData");
    }
    if !render::flag(request, "supportsAttachments") {
        body.remove("attachments");
    }
    if request.param("eventLabelVersion") == Some("1") {
        body.remove("colorId");
    } else {
        body.remove("eventLabelId");
    }
    Ok(body)
}

/// POST calendars/{id}/events.
pub(super) fn insert(state: &mut State, request: &Request, site: &Site) -> Result<Response, Refusal> {
    let view = View::of(request)?;
    let mut body = read_body(state, request)?;
    body.remove("organizer");
    let id = add(state, site, body)?;
    reply(state, site, &id, &view)
}

pub(super) fn reply(state: &mut State, site: &Site, id: &str, view: &View) -> Result<Response, Refusal> {
    let found = current(state, &site.calendar, id).ok_or_else(not_found)?;
    answer(state, &site.calendar, id, &found.etag, &found.event, view)
}

/// Adds a new event and gives its id. An `organizer` in the body is kept.
pub(super) fn add(state: &mut State, site: &Site, mut body: Map<String, Value>) -> Result<String, Refusal> {
    let text = |body: &mut Map<String, Value>, name: &str| match body.remove(name) {
        Some(Value::String(text)) if !text.is_empty() => Some(text),
        _ => None,
    };
    let (chosen, uid) = (text(&mut body, "id"), text(&mut body, "iCalUID"));
    if chosen.is_some() && uid.is_some() && state.switches.calendar_id_or_uid_only && site.hand == Hand::Api {
        return Err(invalid("Only one of id and iCalUID may be supplied."));
    }
    for name in ["recurringEventId", "originalStartTime"] {
        body.remove(name);
    }
    if body.get("eventType").and_then(Value::as_str) == Some("fromGmail") && site.hand == Hand::Api {
        return Err(event_type_restriction("Events of type fromGmail cannot be created."));
    }
    let calendar = store::calendar(state, &site.calendar)?;
    if let Some(id) = &chosen {
        fields::check_id(id)?;
        // Also one that was deleted keeps its id.
        if calendar.events.contains_key(id) {
            return Err(duplicate());
        }
    }
    if let Some(uid) = &uid {
        let have = calendar.uids.get(uid).and_then(|id| calendar.events.get(id));
        if have.is_some_and(|event| !event.newest().value.is_cancelled()) {
            return Err(duplicate());
        }
    }
    let body = fields::settle(state, (&site.calendar, site.is_primary), body)?;
    if site.hand == Hand::Api && instances::is_list(body.get("attendees")) {
        quota::count_guests(state)?;
    }
    let id = chosen.unwrap_or_else(|| state.google.calendar.fresh_id("event"));
    let body = signed(state, &site.calendar, &id, uid, body);
    let now_ms = state.now_ms();
    let event = Event { body, created_ms: now_ms, updated_ms: now_ms, ..Event::default() };
    mails::note(state, site.tell, (&site.calendar, &id), None, &event.body, true);
    store::put_event(state, &site.calendar, &id, event);
    Ok(id)
}

/// A new event with its UID, its creator and, if it has none, its organizer.
pub(super) fn signed(
    state: &State,
    calendar_id: &str,
    id: &str,
    uid: Option<String>,
    mut body: Map<String, Value>,
) -> Map<String, Value> {
    let owner = &state.google.calendar.owner;
    body.insert("iCalUID".into(), json!(uid.unwrap_or_else(|| format!("{id}@google.com"))));
    body.entry("creator").or_insert_with(|| json!({ "email": owner }));
    body.entry("organizer").or_insert_with(|| organizer(state, calendar_id));
    body
}

/// The calendar itself as an organizer.
pub(super) fn organizer(state: &State, calendar_id: &str) -> Value {
    let mut organizer = json!({ "email": calendar_id });
    if let Some(calendar) = state.google.calendar.calendar(calendar_id).filter(|calendar| !calendar.is_primary) {
        organizer["displayName"] = json!(calendar.summary());
    }
    organizer
}

/// Refuses a write whose `If-Match` names another state.
fn check_match(request: &Request, etag: &str) -> Result<(), Refusal> {
    match request.header("if-match") {
        Some(wanted) if wanted != "*" && wanted != etag => Err(condition_not_met()),
        _ => Ok(()),
    }
}

/// PUT calendars/{id}/events/{eventId}.
pub(super) fn update(state: &mut State, request: &Request, site: &Site, id: &str) -> Result<Response, Refusal> {
    let view = View::of(request)?;
    let body = read_body(state, request)?;
    let found = current(state, &site.calendar, id).ok_or_else(not_found)?;
    check_match(request, &found.etag)?;
    let mut target = body;
    let drops = state.switches.calendar_put_drops_unversioned;
    let mut kept = vec!["sequence", "eventType", "status"];
    if request.param("conferenceDataVersion") != Some("1") && !drops {
        kept.extend(["conferenceData", "hangoutLink"]);
    }
    if !render::flag(request, "supportsAttachments") && !drops {
        kept.push("attachments");
    }
    if request.param("eventLabelVersion") != Some("1") {
        kept.push("eventLabelId");
    }
    for name in kept {
        if let Some(value) = found.event.body.get(name).filter(|_| !target.contains_key(name)) {
            target.insert(name.into(), value.clone());
        }
    }
    replace(state, site, id, found, target)?;
    reply(state, site, id, &view)
}

/// PATCH calendars/{id}/events/{eventId}.
pub(super) fn patch(state: &mut State, request: &Request, site: &Site, id: &str) -> Result<Response, Refusal> {
    let view = View::of(request)?;
    let body = read_body(state, request)?;
    let found = current(state, &site.calendar, id).ok_or_else(not_found)?;
    check_match(request, &found.etag)?;
    let mut target = found.event.body.clone();
    merge(&mut target, body);
    replace(state, site, id, found, target)?;
    reply(state, site, id, &view)
}

/// Patch semantics: objects merge, arrays and values replace, null clears.
pub(super) fn merge(target: &mut Map<String, Value>, patch: Map<String, Value>) {
    for (name, value) in patch {
        match (target.get_mut(&name), value) {
            (_, Value::Null) => {
                target.remove(&name);
            }
            (Some(Value::Object(have)), Value::Object(value)) => merge(have, value),
            (_, Value::Object(value)) => {
                let mut fresh = Map::new();
                merge(&mut fresh, value);
                target.insert(name, Value::Object(fresh));
            }
            (_, value) => {
                target.insert(name, value);
            }
        }
    }
}

/// Puts an event in the place of what is there under this id.
pub(super) fn replace(
    state: &mut State,
    site: &Site,
    id: &str,
    found: Current,
    mut target: Map<String, Value>,
) -> Result<(), Refusal> {
    let old = found.event;
    if old.is_cancelled() {
        check_restoring(state, site, &old)?;
    }
    if target.get("eventType").is_some_and(|kind| Some(kind) != old.body.get("eventType") && !kind.is_null()) {
        return Err(event_type_restriction("The type of an event cannot be changed."));
    }
    if target.get("attendeesOmitted") == Some(&json!(true)) {
        rights::own_answer_only(state, &site.calendar, &old.body, &mut target);
    }
    // What a client cannot set stays as it is.
    for name in ["id", "iCalUID", "creator", "organizer", "eventType", "recurringEventId", "originalStartTime"] {
        target.remove(name);
        if let Some(value) = old.body.get(name) {
            target.insert(name.into(), value.clone());
        }
    }
    let has_conference = target.contains_key("conferenceData");
    for name in ["locked", "hangoutLink"] {
        if site.hand == Hand::User && target.contains_key(name) {
            continue;
        }
        if let Some(value) = old.body.get(name).filter(|_| name == "locked" || has_conference) {
            target.insert(name.into(), value.clone());
        } else {
            target.remove(name);
        }
    }
    if target.get("status") == Some(&json!("cancelled")) && !old.is_cancelled() {
        return cancel(state, site, id, &old);
    }
    let mut body = fields::settle(state, (&site.calendar, site.is_primary), target)?;
    rights::check_rights(state, site, &old.body, &body)?;
    series::share_visibility(state, site, &old, &mut body)?;
    rights::check_sequence(&old.body, &body)?;
    let is_same = without_sequence(&old.body) == without_sequence(&body);
    if is_same && found.is_stored && !state.switches.calendar_patch_always_restamps {
        return Ok(());
    }
    if rights::moves_in_time(&old.body, &body) && body.get("sequence") == old.body.get("sequence") {
        let next = body.get("sequence").and_then(Value::as_i64).unwrap_or(0) + 1;
        body.insert("sequence".into(), json!(next));
    }
    let is_only_reminders = without(&old.body, "reminders") == without(&body, "reminders") && !is_same;
    let updated_ms = if is_only_reminders { old.updated_ms } else { state.now_ms() };
    let is_telling = rights::is_telling(&old.body, &body);
    mails::note(state, site.tell, (&site.calendar, id), Some(&old.body), &body, is_telling);
    let event = Event { body, updated_ms, fell_with_series: false, ..old.clone() };
    if old.is_series() {
        series::carry(state, site, id, &old, &event);
    }
    let is_restored = old.is_cancelled() && event.is_series();
    store::put_event(state, &site.calendar, id, event);
    if is_restored {
        series::raise(state, site, id);
    }
    Ok(())
}

fn without(body: &Map<String, Value>, name: &str) -> Map<String, Value> {
    body.iter().filter(|(have, _)| *have != name).map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn without_sequence(body: &Map<String, Value>) -> Map<String, Value> {
    without(body, "sequence")
}

/// Whether what was deleted can be written again.
fn check_restoring(state: &State, site: &Site, old: &Event) -> Result<(), Refusal> {
    if old.is_stub {
        return Err(not_found());
    }
    let series = old.series().and_then(|series| current(state, &site.calendar, series));
    match old.series() {
        Some(_) if series.is_some_and(|series| series.event.is_cancelled()) => Err(deleted()),
        Some(_) => Ok(()),
        None if state.switches.calendar_restore_refused && site.hand == Hand::Api => Err(forbidden()),
        None => Ok(()),
    }
}

/// DELETE calendars/{id}/events/{eventId}.
pub(super) fn delete(state: &mut State, request: &Request, site: &Site, id: &str) -> Result<Response, Refusal> {
    let found = current(state, &site.calendar, id).ok_or_else(not_found)?;
    if found.event.is_cancelled() {
        return Err(deleted());
    }
    check_match(request, &found.etag)?;
    cancel(state, site, id, &found.event)?;
    Ok(Response::empty(204))
}

/// Deletes an event, or takes an occurrence out of its series.
pub(super) fn cancel(state: &mut State, site: &Site, id: &str, old: &Event) -> Result<(), Refusal> {
    let mut event = old.clone();
    event.body.insert("status".into(), json!("cancelled"));
    event.updated_ms = state.now_ms();
    mails::note(state, site.tell, (&site.calendar, id), Some(&old.body), &event.body, true);
    if old.is_series() {
        series::fell(state, &site.calendar, id)?;
    }
    store::put_event(state, &site.calendar, id, event);
    Ok(())
}
