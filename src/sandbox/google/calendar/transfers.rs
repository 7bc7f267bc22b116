//! Events that come from elsewhere or go elsewhere: `events.import` and `events.move`.

use serde_json::{Map, Value, json};

use super::errors::{calendar_rule, event_type_restriction, invalid, not_found, not_the_organizer, required};
use super::events::{self, Site, signed};
use super::instances::current;
use super::mails::{self, Tell};
use super::render::View;
use super::store::{self, Event};
use super::{fields, series};
use crate::google::errors::Refusal;
use crate::{Request, Response, State};

/// POST calendars/{id}/events/import: a private copy. Nobody is mailed. The UID decides whether it is there already; the
/// sequence number does not.
pub(super) fn import(state: &mut State, request: &Request, site: &Site) -> Result<Response, Refusal> {
    let mut body = events::read_body(state, request)?;
    for name in ["recurringEventId", "originalStartTime"] {
        body.remove(name);
    }
    let uid = match body.remove("iCalUID") {
        Some(Value::String(uid)) if !uid.is_empty() => uid,
        _ => return Err(required("Missing iCalUID.")),
    };
    if body.get("eventType").and_then(Value::as_str).is_some_and(|kind| kind != "default") {
        return Err(event_type_restriction("Only events of type default may be imported."));
    }
    let chosen = match body.remove("id") {
        Some(Value::String(_)) if state.switches.calendar_id_or_uid_only => {
            return Err(invalid("Only one of id and iCalUID may be supplied."));
        }
        Some(Value::String(id)) => {
            fields::check_id(&id)?;
            Some(id)
        }
        _ => None,
    };
    check_part(state, &site.calendar, &body)?;
    let is_foreign = body.contains_key("organizer") && !mails::is_own(state, &site.calendar, &body);
    let mut body = fields::settle(state, (&site.calendar, site.is_primary), body)?;
    if is_foreign {
        body.insert("privateCopy".into(), json!(true));
    }
    let calendar = store::calendar(state, &site.calendar)?;
    let id = calendar.uids.get(&uid).cloned().or(chosen);
    let id = id.unwrap_or_else(|| state.google.calendar.fresh_id("import"));
    let old = current(state, &site.calendar, &id).map(|found| found.event);
    let now_ms = state.now_ms();
    let created_ms = old.as_ref().map_or(now_ms, |old| old.created_ms);
    let body = signed(state, &site.calendar, &id, Some(uid), body);
    mails::note(state, Tell::Never, (&site.calendar, &id), old.as_ref().map(|old| &old.body), &body, false);
    let event = Event { body, created_ms, updated_ms: now_ms, ..Event::default() };
    store::put_event(state, &site.calendar, &id, event);
    events::reply(state, site, &id, &View::whole())
}

/// The owner of the calendar must be the organizer or a guest of what is imported.
fn check_part(state: &State, calendar: &str, body: &Map<String, Value>) -> Result<(), Refusal> {
    if !state.switches.calendar_import_needs_part || !body.contains_key("organizer") {
        return Ok(());
    }
    let guests = body.get("attendees").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let is_guest = guests
        .iter()
        .any(|guest| guest["email"].as_str().is_some_and(|email| state.google.calendar.is_self(calendar, email)));
    if is_guest || mails::is_own(state, calendar, body) {
        return Ok(());
    }
    let message = "The owner of the calendar must either be the organizer or an attendee of an event that is imported.";
    Err(calendar_rule("participantIsNeitherOrganizerNorAttendee", message))
}

/// POST calendars/{id}/events/{eventId}/move.
pub(super) fn relocate(state: &mut State, request: &Request, site: &Site, id: &str) -> Result<Response, Refusal> {
    let wanted = request.param("destination").ok_or_else(|| required("Required parameter: destination"))?;
    let target = super::writable_site(state, request, wanted)?;
    move_to(state, site, id, &target)?;
    events::reply(state, &target, id, &View::whole())
}

/// Moves an event and what is stored of its occurrences. In the old calendar its id alone stays.
pub(super) fn move_to(state: &mut State, site: &Site, id: &str, target: &Site) -> Result<(), Refusal> {
    let found = current(state, &site.calendar, id).ok_or_else(not_found)?;
    if found.event.is_cancelled() {
        return Err(not_found());
    }
    if found.event.series().is_some() {
        let message = "Cannot change the organizer of an instance.";
        return Err(calendar_rule("cannotChangeOrganizerOfInstance", message));
    }
    if found.event.text("eventType") != "default" {
        return Err(event_type_restriction("Only events of type default can be moved."));
    }
    if !mails::is_own(state, &site.calendar, &found.event.body) {
        return Err(not_the_organizer());
    }
    if site.calendar == target.calendar {
        return Err(invalid("The event is on that calendar already."));
    }
    let exceptions: Vec<(String, Event)> = store::calendar(state, &site.calendar)?
        .exceptions(id)
        .map(|(id, history)| (id.clone(), history.newest().value.clone()))
        .collect();
    series::fell(state, &site.calendar, id)?;
    let now_ms = state.now_ms();
    let mut stub = found.event.clone();
    stub.body.insert("status".into(), json!("cancelled"));
    stub.is_stub = true;
    stub.updated_ms = now_ms;
    store::put_event(state, &site.calendar, id, stub);
    if let Some(calendar) = state.google.calendar.calendar_mut(&site.calendar) {
        calendar.uids.remove(found.event.text("iCalUID"));
    }
    let organizer = events::organizer(state, &target.calendar);
    let mut event = found.event.clone();
    event.body.insert("organizer".into(), organizer.clone());
    event.updated_ms = now_ms;
    mails::note(state, site.tell, (&target.calendar, id), Some(&found.event.body), &event.body, true);
    store::put_event(state, &target.calendar, id, event);
    for (id, mut exception) in exceptions {
        exception.body.insert("organizer".into(), organizer.clone());
        store::put_event(state, &target.calendar, &id, exception);
    }
    Ok(())
}
