//! Calendars themselves: get, insert, patch, update, delete, clear.

use serde_json::{Map, Value, json};

use super::errors::{condition_not_met, error, forbidden, invalid, required};
use super::events::{self, Hand, Site};
use super::mails::Tell;
use super::render;
use super::store::{self, Entry, Role, calendar};
use super::{schema, times};
use crate::google::errors::Refusal;
use crate::{Request, Response, State};

/// What kinds of conferences a calendar allows.
pub(super) fn conferences() -> Value {
    json!({ "allowedConferenceSolutionTypes": ["hangoutsMeet"] })
}

/// GET calendars/{id}.
pub(super) fn get(state: &mut State, id: &str) -> Result<Response, Refusal> {
    let here = calendar(state, id)?;
    let mut shown = Map::new();
    shown.insert("kind".into(), json!("calendar#calendar"));
    shown.insert("etag".into(), json!(here.etag));
    shown.insert("id".into(), json!(here.id));
    shown.extend(here.fields.clone());
    shown.insert("conferenceProperties".into(), conferences());
    let etag = here.etag.clone();
    Ok(Response::json(200, &render::jumbled(state, Value::Object(shown))).with_header("etag", &etag))
}

fn read_body(state: &State, request: &Request) -> Result<Map<String, Value>, Refusal> {
    let body = render::json_body(request)?;
    let body = schema::check("Calendar", &body, state.switches.calendar_ignores_unknown)?;
    if let Some(name) = body.get("timeZone").and_then(Value::as_str)
        && times::zone(name).is_none()
    {
        return Err(invalid("Invalid time zone."));
    }
    let labels = body.get("labelProperties").and_then(|labels| labels["eventLabels"].as_array());
    if labels.is_some_and(|labels| labels.len() > 200) {
        return Err(invalid("Too many labels. The maximum number is 200."));
    }
    Ok(body)
}

/// POST calendars: a new one, owned by the user.
pub(super) fn insert(state: &mut State, request: &Request) -> Result<Response, Refusal> {
    let body = read_body(state, request)?;
    let id = add(state, body)?;
    get(state, &id)
}

/// Makes a secondary calendar and gives its id.
pub(super) fn add(state: &mut State, mut fields: Map<String, Value>) -> Result<String, Refusal> {
    fields.retain(|_, value| !value.is_null());
    if fields.get("summary").and_then(Value::as_str).unwrap_or_default().is_empty() {
        return Err(required("Missing summary."));
    }
    let room = &mut state.google.calendar;
    let id = room.fresh_calendar_id();
    let zone = room.calendar("primary").map_or_else(|| "UTC".to_owned(), |primary| primary.zone().to_owned());
    fields.entry("timeZone").or_insert_with(|| json!(zone));
    fields.insert("dataOwner".into(), json!(room.owner));
    let mut entry = Map::new();
    entry.insert("colorId".into(), json!("2"));
    entry.insert("selected".into(), json!(true));
    entry.insert("defaultReminders".into(), json!([]));
    let now_ms = state.now_ms();
    store::add_calendar(state, &id, Role::Owner, fields, entry, now_ms);
    Ok(id)
}

/// PATCH (and with `is_whole` PUT) calendars/{id}.
pub(super) fn change(state: &mut State, request: &Request, id: &str, is_whole: bool) -> Result<Response, Refusal> {
    let body = read_body(state, request)?;
    let here = calendar(state, id)?;
    let (id, etag) = (here.id.clone(), here.etag.clone());
    if here.role < Role::Owner {
        return Err(forbidden());
    }
    if request.header("if-match").is_some_and(|wanted| wanted != "*" && wanted != etag) {
        return Err(condition_not_met());
    }
    rewrite(state, &id, body, is_whole)?;
    get(state, &id)
}

/// Changes a calendar's own fields. The user's list does not tell of it, unless the switches say so.
pub(super) fn rewrite(state: &mut State, id: &str, body: Map<String, Value>, is_whole: bool) -> Result<(), Refusal> {
    let mut fields = calendar(state, id)?.fields.clone();
    if is_whole {
        // What is not given is emptied; the zone and the labels stay.
        fields.retain(|name, _| matches!(name.as_str(), "timeZone" | "dataOwner" | "labelProperties"));
    }
    events::merge(&mut fields, body);
    if fields.get("summary").and_then(Value::as_str).unwrap_or_default().is_empty() {
        return Err(required("Missing summary."));
    }
    fields.entry("timeZone").or_insert_with(|| json!("UTC"));
    if let Some(here) = state.google.calendar.calendar_mut(id) {
        here.fields = fields;
    }
    store::touch_calendar(state, id);
    if state.switches.calendar_rename_shows_in_list {
        let entry = calendar(state, id)?.entry.newest().value.clone();
        store::put_entry(state, id, entry);
    }
    Ok(())
}

/// DELETE calendars/{id}: destroys a secondary calendar with all its events.
pub(super) fn delete(state: &mut State, id: &str) -> Result<Response, Refusal> {
    let here = calendar(state, id)?;
    if here.is_primary {
        let message = "The primary calendar cannot be deleted.";
        return Err(error(403, "calendar", "cannotDeletePrimaryCalendar", message, None));
    }
    if here.role < Role::Owner {
        return Err(forbidden());
    }
    destroy(state, id)?;
    Ok(Response::empty(204))
}

/// Makes a calendar go away, whoever does it.
pub(super) fn destroy(state: &mut State, id: &str) -> Result<(), Refusal> {
    let here = calendar(state, id)?;
    let (id, fields) = (here.id.clone(), here.entry.newest().value.fields.clone());
    store::put_entry(state, &id, Entry { fields, is_deleted: true });
    if let Some(here) = state.google.calendar.calendar_mut(&id) {
        here.is_gone = true;
        here.events.clear();
        here.uids.clear();
    }
    Ok(())
}

/// POST calendars/{id}/clear: every event of the primary calendar is deleted.
pub(super) fn clear(state: &mut State, id: &str) -> Result<Response, Refusal> {
    let here = calendar(state, id)?;
    if !here.is_primary {
        return Err(invalid("Only a primary calendar can be cleared."));
    }
    let site = Site { calendar: here.id.clone(), is_primary: true, tell: Tell::Never, hand: Hand::Api };
    let living = here.events.iter().map(|(id, history)| (id.clone(), history.newest().value.clone()));
    let living: Vec<_> = living.filter(|(_, event)| !event.is_cancelled() && event.series().is_none()).collect();
    for (id, event) in living {
        events::cancel(state, &site, &id, &event)?;
    }
    Ok(Response::empty(204))
}
