//! The user's list of calendars: list with pages and sync tokens, get, insert, patch, update, delete.

use serde_json::{Map, Value, json};

use super::calendars::conferences;
use super::errors::{
    bad_combination, bad_parameter, condition_not_met, forbidden, full_sync_required, invalid, not_found, required,
};
use super::history::Version;
use super::render::{self, flag};
use super::store::{self, Calendar, Entry, Role};
use super::tokens::{self, Token};
use super::{colors, events, fields, schema};
use crate::google::errors::Refusal;
use crate::{Request, Response, State};

const DAY_MS: i64 = 86_400_000;

/// An entry as it is shown.
fn shown(here: &Calendar, version: &Version<Entry>) -> Value {
    let mut shown = Map::new();
    shown.insert("kind".into(), json!("calendar#calendarListEntry"));
    shown.insert("etag".into(), json!(version.etag));
    shown.insert("id".into(), json!(here.id));
    if version.value.is_deleted {
        shown.insert("deleted".into(), json!(true));
        return Value::Object(shown);
    }
    let labels = |name: &String| name != "labelProperties" && name != "workingHours";
    shown
        .extend(here.fields.iter().filter(|(name, _)| labels(name)).map(|(name, value)| (name.clone(), value.clone())));
    let entry = &version.value.fields;
    let id = entry.get("colorId").and_then(Value::as_str).unwrap_or("2");
    shown.insert("backgroundColor".into(), json!(colors::of_calendar(id)));
    shown.insert("foregroundColor".into(), json!("#000000"));
    shown.insert("accessRole".into(), json!(here.role.name()));
    shown.extend(entry.clone());
    if here.is_primary {
        shown.insert("primary".into(), json!(true));
    }
    shown.insert("conferenceProperties".into(), conferences());
    Value::Object(shown)
}

/// GET users/me/calendarList.
pub(super) fn list(state: &mut State, request: &Request) -> Result<Response, Refusal> {
    let asked = render::count(request, "maxResults", 100, 250)?;
    let least = match request.param("minAccessRole") {
        None => None,
        Some(name) => Some(Role::of(name).ok_or_else(|| bad_parameter("minAccessRole", "Bad Request"))?),
    };
    let now_ms = state.now_ms();
    let epochs = (state.google.epoch, 0);
    let without = ["pageToken", "syncToken"];
    let fingerprint = tokens::fingerprint("calendarList", request, &without);
    let sync = request.param("syncToken").filter(|text| !text.is_empty());
    let mut token = match sync {
        None => {
            let (since, sent, part, round, at_ms, pages) = (0, 0, (0, 0), 0, now_ms, 0);
            Token { epochs, since, sent, part, round, at_ms, pages, fingerprint, window: (None, None) }
        }
        Some(text) => {
            for name in ["minAccessRole", "showOwnOrganizationOnly"] {
                if request.param(name).is_some() {
                    return Err(bad_combination(name, &format!("Sync token cannot be used with {name}.")));
                }
            }
            for name in ["showDeleted", "showHidden"] {
                if request.param(name) == Some("false") {
                    return Err(bad_combination(name, &format!("Sync token cannot be used with {name}=false.")));
                }
            }
            let token = Token::read("calendars", text);
            let token = token.ok_or_else(|| bad_parameter("syncToken", "Invalid sync token value."))?;
            let days = state.switches.calendar_sync_token_days;
            if token.epochs != epochs || (days > 0 && now_ms - token.at_ms > days * DAY_MS) {
                return Err(full_sync_required());
            }
            token
        }
    };
    let as_of = now_ms - state.switches.list_lag_s * 1000;
    let calendars = &state.google.calendar.calendars;
    match request.param("pageToken").filter(|text| !text.is_empty()) {
        Some(text) => {
            let at = Token::read("entries", text);
            let at = at.filter(|at| at.fingerprint == fingerprint && at.epochs == epochs && at.since == token.since);
            token = at.ok_or_else(|| invalid("Invalid page token value."))?;
        }
        None => {
            token.sent = token.since;
            let seen = calendars.iter().filter_map(|here| here.entry.as_of(as_of)).map(|version| version.stamp);
            token.round = seen.max().unwrap_or(0).max(token.since);
        }
    }
    let is_delta = sync.is_some();
    let mut rows: Vec<(&Calendar, &Version<Entry>)> = calendars
        .iter()
        .filter_map(|here| Some((here, here.entry.as_of(as_of)?.as_ref())))
        .filter(|(_, version)| version.stamp > token.sent)
        .filter(|(_, version)| is_delta || flag(request, "showDeleted") || !version.value.is_deleted)
        .filter(|(_, version)| {
            is_delta || flag(request, "showHidden") || version.value.fields.get("hidden") != Some(&json!(true))
        })
        .filter(|(here, _)| least.is_none_or(|least| here.role >= least))
        .collect();
    rows.sort_by_key(|(_, version)| version.stamp);
    let size = tokens::page_size(&state.switches, asked, token.pages);
    let more = rows.len() > size;
    rows.truncate(size);
    let last = rows.last().map_or(token.sent, |(_, version)| version.stamp);
    let items: Vec<Value> = rows.into_iter().map(|(here, version)| shown(here, version)).collect();
    let mut body = json!({ "kind": "calendar#calendarList", "etag": format!("\"p{}\"", state.google.stamp) });
    if more {
        let next = Token { sent: last, pages: token.pages + 1, fingerprint, ..token };
        body["nextPageToken"] = json!(next.write("entries"));
    } else if least.is_none() && request.param("showOwnOrganizationOnly").is_none() {
        let next = Token { since: token.round, sent: 0, round: 0, pages: 0, at_ms: now_ms, ..token };
        body["nextSyncToken"] = json!(next.write("calendars"));
    }
    body["items"] = Value::Array(items);
    Ok(Response::json(200, &render::jumbled(state, body)))
}

/// GET users/me/calendarList/{id}.
pub(super) fn get(state: &mut State, id: &str) -> Result<Response, Refusal> {
    let here = listed(state, id)?;
    let version = here.entry.newest().clone();
    let entry = shown(here, &version);
    Ok(Response::json(200, &render::jumbled(state, entry)).with_header("etag", &version.etag))
}

fn listed<'a>(state: &'a State, id: &str) -> Result<&'a Calendar, Refusal> {
    let here = store::calendar(state, id)?;
    if here.entry.newest().value.is_deleted { Err(not_found()) } else { Ok(here) }
}

fn read_body(state: &State, request: &Request) -> Result<Map<String, Value>, Refusal> {
    let mut body = schema::check("Entry", &render::json_body(request)?, state.switches.calendar_ignores_unknown)?;
    let list = body.get("defaultReminders").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    fields::check_reminders(list)?;
    let notes = body.get("notificationSettings").and_then(|settings| settings["notifications"].as_array());
    const TYPES: [&str; 5] = ["eventCreation", "eventChange", "eventCancellation", "eventResponse", "agenda"];
    let fits =
        |note: &Value| note["method"] == "email" && note["type"].as_str().is_some_and(|kind| TYPES.contains(&kind));
    if notes.is_some_and(|notes| !notes.iter().all(fits)) {
        return Err(invalid("Invalid notification."));
    }
    tint(request, &mut body)?;
    Ok(body)
}

/// Colours: an id of the palette, or with `colorRgbFormat` free ones, to which the nearest id is found.
fn tint(request: &Request, body: &mut Map<String, Value>) -> Result<(), Refusal> {
    let text = |body: &Map<String, Value>, name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
    if !flag(request, "colorRgbFormat") {
        body.remove("backgroundColor");
        body.remove("foregroundColor");
        if let Some(id) = text(body, "colorId") {
            let background = colors::of_calendar(&id).ok_or_else(|| invalid("Invalid color id value."))?;
            body.insert("backgroundColor".into(), json!(background));
            body.insert("foregroundColor".into(), json!("#000000"));
        }
        return Ok(());
    }
    body.remove("colorId");
    for name in ["backgroundColor", "foregroundColor"] {
        if let Some(color) = text(body, name) {
            let rgb = colors::rgb(&color).ok_or_else(|| invalid("Invalid color value."))?;
            body.insert(name.into(), json!(color.to_lowercase()));
            if name == "backgroundColor" {
                body.insert("colorId".into(), json!(colors::nearest(rgb)));
            }
        }
    }
    Ok(())
}

/// POST users/me/calendarList: a calendar that exists comes into the list.
pub(super) fn insert(state: &mut State, request: &Request) -> Result<Response, Refusal> {
    let mut body = read_body(state, request)?;
    let id = body.remove("id").ok_or_else(|| required("Missing calendar id."))?;
    let id = id.as_str().unwrap_or_default();
    let here = store::calendar(state, id)?;
    let (id, mut entry) = (here.id.clone(), here.entry.newest().value.clone());
    entry.is_deleted = false;
    events::merge(&mut entry.fields, body);
    entry.fields.entry("selected").or_insert_with(|| json!(true));
    store::put_entry(state, &id, entry);
    get(state, &id)
}

/// PATCH (and with `is_whole` PUT) users/me/calendarList/{id}.
pub(super) fn change(state: &mut State, request: &Request, id: &str, is_whole: bool) -> Result<Response, Refusal> {
    let mut body = read_body(state, request)?;
    body.remove("id");
    let here = listed(state, id)?;
    let (id, version) = (here.id.clone(), here.entry.newest().clone());
    if request.header("if-match").is_some_and(|wanted| wanted != "*" && wanted != version.etag) {
        return Err(condition_not_met());
    }
    let mut entry = version.value.clone();
    if is_whole {
        entry.fields.retain(|name, _| matches!(name.as_str(), "colorId" | "backgroundColor" | "foregroundColor"));
        entry.fields.insert("defaultReminders".into(), json!([]));
    }
    events::merge(&mut entry.fields, body);
    if entry.fields.get("hidden") == Some(&json!(false)) {
        entry.fields.remove("hidden");
    }
    store::put_entry(state, &id, entry);
    get(state, &id)
}

/// DELETE users/me/calendarList/{id}: out of the list. The calendar itself stays.
pub(super) fn delete(state: &mut State, id: &str) -> Result<Response, Refusal> {
    let here = listed(state, id)?;
    if here.is_primary {
        return Err(forbidden());
    }
    let (id, fields) = (here.id.clone(), here.entry.newest().value.fields.clone());
    store::put_entry(state, &id, Entry { fields, is_deleted: true });
    Ok(Response::empty(204))
}
