//! `events.list`: pages, sync tokens, windows, expansion into single events, lag.

use std::sync::Arc;

use serde_json::{Value, json};

use super::errors::{bad_combination, bad_parameter, full_sync_required, invalid, updated_min_too_long_ago};
use super::history::Version;
use super::instances::{self, is_forgotten, is_within, occurrence};
use super::recurrence::Series;
use super::render::{self, View, flag};
use super::store::{Calendar, Event, calendar};
use super::tokens::{self, Token};
use super::{fields, times};
use crate::google::errors::Refusal;
use crate::{Request, Response, State};

const DAY_MS: i64 = 86_400_000;
/// What goes with no sync token.
const NEVER_WITH_SYNC: [&str; 8] = [
    "iCalUID",
    "orderBy",
    "privateExtendedProperty",
    "q",
    "sharedExtendedProperty",
    "timeMin",
    "timeMax",
    "updatedMin",
];
/// After a first call with one of these there is no sync token.
const NO_TOKEN_AFTER: [&str; 6] =
    ["iCalUID", "orderBy", "privateExtendedProperty", "q", "sharedExtendedProperty", "updatedMin"];

/// A row that goes into a page.
struct Row {
    id: String,
    etag: String,
    event: Event,
}

/// What is asked for.
struct Ask {
    is_delta: bool,
    single: bool,
    shows_deleted: bool,
    window: (Option<i64>, Option<i64>),
    updated_min: Option<i64>,
    as_of: i64,
}

/// GET calendars/{id}/events.
pub(super) fn events(state: &mut State, request: &Request, calendar_id: &str) -> Result<Response, Refusal> {
    let mut view = View::of(request)?;
    let asked = render::count(request, "maxResults", 250, 2500)?;
    let order = request.param("orderBy");
    let single = flag(request, "singleEvents");
    if order == Some("startTime") && !single {
        let message = "The requested ordering is not available for the particular query.";
        return Err(bad_combination("orderBy", message));
    }
    let now_ms = state.now_ms();
    let sync = request.param("syncToken").filter(|text| !text.is_empty());
    let (mut token, is_delta) = begin(state, request, calendar_id, sync)?;
    let ask = Ask {
        is_delta,
        single,
        shows_deleted: flag(request, "showDeleted"),
        window: token.window,
        updated_min: bound(request, "updatedMin")?,
        as_of: now_ms - state.switches.list_lag_s * 1000,
    };
    let oldest_ms = now_ms - state.switches.calendar_updated_min_days * DAY_MS;
    if state.switches.calendar_updated_min_days > 0 && ask.updated_min.is_some_and(|ms| ms < oldest_ms) {
        return Err(updated_min_too_long_ago());
    }
    view.hides_deleted = !ask.shows_deleted;

    let here = calendar(state, calendar_id)?;
    let page = request.param("pageToken").filter(|text| !text.is_empty());
    match page {
        Some(text) => {
            let all = tokens::fingerprint(calendar_id, request, &["pageToken"]);
            let at = Token::read("events", text).filter(|at| at.fingerprint == all && at.epochs == token.epochs);
            token = at.ok_or_else(|| invalid("Invalid page token value."))?;
        }
        None => {
            token.sent = token.since;
            let seen = here.events.values().filter_map(|history| history.as_of(ask.as_of));
            token.round = seen.map(|version| version.stamp).max().unwrap_or(0).max(token.since);
        }
    }

    let mut sources: Vec<(&String, &Arc<Version<Event>>)> = here
        .events
        .iter()
        .filter_map(|(id, history)| Some((id, history.as_of(ask.as_of)?)))
        .filter(|(id, version)| is_asked_for(state, here, id, version, &ask))
        .filter(|(_, version)| matches(request, &version.value))
        .collect();
    sources.sort_by_key(|(_, version)| version.stamp);

    let size = tokens::page_size(&state.switches, asked, token.pages);
    let mut rows = Vec::new();
    let mut next = token;
    let mut more = false;
    if order.is_some() {
        // An order of its own: the page token counts rows.
        let mut all: Vec<Row> = sources.iter().flat_map(|source| expand(state, here, *source, &ask)).collect();
        match order {
            Some("startTime") => all.sort_by_key(|row| instances::starts(&row.event)),
            _ => all.sort_by_key(|row| row.event.updated_ms),
        }
        more = all.len() > token.part.1 + size;
        next.part = (0, token.part.1 + size);
        rows.extend(all.into_iter().skip(token.part.1).take(size));
    } else {
        for source in sources.into_iter().filter(|(_, version)| version.stamp > token.sent) {
            let stamp = source.1.stamp;
            let already = if token.part.0 == stamp { token.part.1 } else { 0 };
            let mut made = expand(state, here, source, &ask).into_iter().skip(already).peekable();
            let before = rows.len();
            while rows.len() < size && made.peek().is_some() {
                rows.extend(made.next());
            }
            if made.peek().is_some() {
                next.part = (stamp, already + rows.len() - before);
                more = true;
                break;
            }
            next.sent = stamp;
            next.part = (0, 0);
        }
    }

    let items: Vec<Value> =
        rows.iter().map(|row| render::event(state, here, &row.id, &row.etag, &row.event, &view)).collect();
    let mut body = frame(state, here, items);
    if more {
        next.pages += 1;
        next.fingerprint = tokens::fingerprint(calendar_id, request, &["pageToken"]);
        body["nextPageToken"] = json!(next.write("events"));
    } else if gives_token(state, request) {
        let fingerprint = tokens::fingerprint(calendar_id, request, &["pageToken", "syncToken", "timeMin", "timeMax"]);
        let round = token.round;
        let fresh =
            Token { since: round, sent: 0, part: (0, 0), round: 0, at_ms: now_ms, pages: 0, fingerprint, ..token };
        body["nextSyncToken"] = json!(fresh.write("sync"));
    }
    Ok(Response::json(200, &render::jumbled(state, body)))
}

/// The token of a round that begins: of a delta the one it brings, else an empty one.
fn begin(state: &State, request: &Request, calendar_id: &str, sync: Option<&str>) -> Result<(Token, bool), Refusal> {
    let here = calendar(state, calendar_id)?;
    let epochs = (state.google.epoch, here.epoch);
    let now_ms = state.now_ms();
    let Some(text) = sync else {
        let window = (bound(request, "timeMin")?, bound(request, "timeMax")?);
        if let (Some(min), Some(max)) = window
            && min >= max
        {
            let message = "The specified time range is empty.";
            return Err(super::errors::error(
                400,
                "calendar",
                "timeRangeEmpty",
                message,
                Some(("parameter", "timeMax")),
            ));
        }
        let (since, sent, part, round, at_ms, pages) = (0, 0, (0, 0), 0, now_ms, 0);
        return Ok((Token { epochs, since, sent, part, round, at_ms, pages, fingerprint: 0, window }, false));
    };
    if let Some(name) = NEVER_WITH_SYNC.iter().find(|name| request.param(name).is_some()) {
        return Err(bad_combination(name, &format!("Sync token cannot be used with {name}.")));
    }
    if request.param("showDeleted") == Some("false") {
        return Err(bad_combination("showDeleted", "Sync token cannot be used with showDeleted=false."));
    }
    let token = Token::read("sync", text);
    let token = token.ok_or_else(|| bad_parameter("syncToken", "Invalid sync token value."))?;
    let days = state.switches.calendar_sync_token_days;
    if token.epochs != epochs || (days > 0 && now_ms - token.at_ms > days * DAY_MS) {
        return Err(full_sync_required());
    }
    let tombstone_days = state.switches.calendar_tombstone_days;
    if tombstone_days > 0 && now_ms - token.at_ms > tombstone_days * DAY_MS {
        return Err(full_sync_required());
    }
    let without = ["pageToken", "syncToken", "timeMin", "timeMax"];
    let is_same = tokens::fingerprint(calendar_id, request, &without) == token.fingerprint;
    if !is_same && !state.switches.calendar_sync_takes_other_parameters {
        let message = "The parameters differ from those of the request that the sync token came from.";
        return Err(bad_combination("syncToken", message));
    }
    Ok((token, true))
}

fn bound(request: &Request, name: &str) -> Result<Option<i64>, Refusal> {
    let text = request.param(name);
    text.map(|text| times::bound(text).ok_or_else(|| bad_parameter(name, "Bad Request"))).transpose()
}

fn gives_token(state: &State, request: &Request) -> bool {
    NO_TOKEN_AFTER.iter().all(|name| request.param(name).is_none())
        && (state.switches.calendar_single_events_token || !flag(request, "singleEvents"))
}

/// Whether a stored event is in this list at all.
fn is_asked_for(state: &State, here: &Calendar, id: &str, version: &Version<Event>, ask: &Ask) -> bool {
    let event = &version.value;
    let is_part = event.series().is_some();
    if !is_part && is_forgotten(state, event, version.at_ms) {
        return false;
    }
    if ask.updated_min.is_some_and(|ms| event.updated_ms < ms) {
        return false;
    }
    if event.is_cancelled() && !ask.is_delta {
        let parent = event.series().and_then(|series| here.events.get(series));
        let is_parent_gone =
            parent.is_some_and(|parent| parent.as_of(ask.as_of).is_some_and(|parent| parent.value.is_cancelled()));
        let is_shown = match is_part {
            // An occurrence that was taken out of a living series is told in full lists too.
            true => ask.shows_deleted || (!ask.single && !is_parent_gone) || ask.updated_min.is_some(),
            false => {
                ask.shows_deleted
                    || ask.updated_min.is_some()
                    || (event.is_series() && !ask.single && state.switches.calendar_plain_lists_show_deleted_series)
            }
        };
        // Deleted series come past any window.
        let is_loose = !is_part && event.is_series();
        return is_shown && (is_loose || event.is_stub || is_within(event, ask.window) || ask.single);
    }
    if ask.window == (None, None) || event.is_stub || (event.is_cancelled() && !ask.single) {
        return true;
    }
    if !event.is_series() {
        return is_within(event, ask.window);
    }
    // A series is in the window when one of its occurrences is, or (expanded) decides for each.
    let series = Series::of(&event.body, fields::reading(&state.switches));
    ask.single
        || series.is_some_and(|series| {
            let until = ask.window.1.unwrap_or(i64::MAX);
            series.between(ask.window.0, until).next().is_some()
        })
        || here.exceptions(id).any(|(_, exception)| is_within(&exception.newest().value, ask.window))
}

/// What the query searches for.
fn matches(request: &Request, event: &Event) -> bool {
    let has_pair = |which: &str, wanted: &str| {
        let Some((key, value)) = wanted.split_once('=') else { return false };
        let both = event.body.get("extendedProperties");
        both.and_then(|both| both.get(which)).and_then(|pairs| pairs.get(key)).is_some_and(|have| have == value)
    };
    let mut kinds = request.params("eventTypes").peekable();
    let fits_kind = kinds.peek().is_none() || kinds.any(|kind| kind == event.text("eventType"));
    let has_text = |wanted: &str| {
        let wanted = wanted.to_lowercase();
        let people = event.body.get("attendees").map(Value::to_string).unwrap_or_default();
        let texts = [event.text("summary"), event.text("description"), event.text("location"), people.as_str()];
        texts.iter().any(|text| text.to_lowercase().contains(&wanted))
    };
    fits_kind
        && request.param("iCalUID").is_none_or(|uid| event.text("iCalUID") == uid)
        && request.params("privateExtendedProperty").all(|pair| has_pair("private", pair))
        && request.params("sharedExtendedProperty").all(|pair| has_pair("shared", pair))
        && request.param("q").is_none_or(has_text)
}

/// The rows that a stored event makes: itself, or with `singleEvents` the occurrences that nobody has touched.
fn expand(state: &State, here: &Calendar, (id, version): (&String, &Arc<Version<Event>>), ask: &Ask) -> Vec<Row> {
    let row = |id: String, event: Event| Row { id, etag: version.etag.clone(), event };
    let series = Series::of(&version.value.body, fields::reading(&state.switches)).filter(|_| ask.single);
    let Some(series) = series.filter(|_| !version.value.is_stub) else {
        return vec![row(id.clone(), version.value.clone())];
    };
    let mut window = (ask.window.0, ask.window.1.unwrap_or_else(|| instances::horizon(state, &series)));
    if version.value.is_cancelled() {
        // Of a deleted series some months of cancelled occurrences are told, and no more.
        let span_ms = state.switches.calendar_deleted_series_months * 31 * DAY_MS;
        window.1 = window.1.min(state.now_ms() + span_ms);
    }
    let each = series.between(window.0, window.1).map(|at| (format!("{id}_{}", at.suffix()), at));
    let untouched = each.filter(|(id, _)| !here.events.contains_key(id));
    untouched.map(|(each, at)| row(each, occurrence(id, &version.value, &series, at))).collect()
}

/// A list's answer around its items.
pub(super) fn frame(state: &State, here: &Calendar, items: Vec<Value>) -> Value {
    let entry = &here.entry.newest().value;
    json!({
        "kind": "calendar#events",
        "etag": format!("\"p{}\"", state.google.stamp),
        "summary": here.summary(),
        "description": here.fields.get("description").and_then(Value::as_str).unwrap_or_default(),
        "updated": times::updated(here.updated_ms),
        "timeZone": here.zone(),
        "accessRole": here.role.name(),
        "defaultReminders": entry.fields.get("defaultReminders").cloned().unwrap_or_else(|| json!([])),
        "items": items,
    })
}
