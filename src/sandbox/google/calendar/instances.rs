//! Occurrences of series: found by their ids (`BASEID_20261027T080000Z`), made out of their series, listed.

use chrono::{NaiveDate, NaiveDateTime};
use serde_json::{Value, json};

use super::errors::{bad_parameter, calendar_rule, invalid, not_found};
use super::fields;
use super::recurrence::Series;
use super::render::{self, View};
use super::store::{Event, calendar};
use super::times::{self, Moment};
use super::tokens::{self, Token};
use crate::google::errors::Refusal;
use crate::{Request, Response, State};

/// A series without an end is expanded so far from now (or from its start, if that is later).
const HORIZON_MS: i64 = 2 * 366 * 86_400_000;

/// An event as it is now, stored or made out of its series.
#[derive(Clone, Debug)]
pub(super) struct Current {
    pub event: Event,
    /// An occurrence that nobody has touched has its series' etag.
    pub etag: String,
    pub is_stored: bool,
}

/// Finds an event by its id; none when there never was one, or when its tombstone is gone.
pub(super) fn current(state: &State, calendar: &str, id: &str) -> Option<Current> {
    let events = &state.google.calendar.calendar(calendar)?.events;
    if let Some(history) = events.get(id) {
        let version = history.newest();
        let is_forgotten = version.value.series().is_none() && is_forgotten(state, &version.value, version.at_ms);
        return (!is_forgotten).then(|| Current {
            event: version.value.clone(),
            etag: version.etag.clone(),
            is_stored: true,
        });
    }
    let (base, suffix) = id.rsplit_once('_')?;
    let master = events.get(base)?.newest();
    let series = Series::of(&master.value.body, fields::reading(&state.switches))?;
    let at = original(suffix, series.start)?;
    if master.value.is_stub || !series.has(at.instant()) {
        return None;
    }
    let event = occurrence(base, &master.value, &series, at);
    Some(Current { event, etag: master.etag.clone(), is_stored: false })
}

/// Whether the tombstone of a deleted event is so old that the service has forgotten it.
pub(super) fn is_forgotten(state: &State, event: &Event, at_ms: i64) -> bool {
    let days = state.switches.calendar_tombstone_days;
    days > 0 && event.is_cancelled() && state.now_ms() - at_ms > days * 86_400_000
}

/// The original start that an id's suffix names, of the kind that the series has.
fn original(suffix: &str, start: Moment) -> Option<Moment> {
    if start.is_day() {
        let day = NaiveDate::parse_from_str(suffix, "%Y%m%d").ok().filter(|_| suffix.len() == 8)?;
        return Some(Moment::Day(day));
    }
    let at = NaiveDateTime::parse_from_str(suffix.strip_suffix('Z')?, "%Y%m%dT%H%M%S").ok()?;
    Some(start.moved_to(at.and_utc()))
}

/// One occurrence of a series, as nobody has touched it.
pub(super) fn occurrence(base: &str, master: &Event, series: &Series, at: Moment) -> Event {
    let mut event = master.clone();
    event.body.remove("recurrence");
    event.body.insert("recurringEventId".into(), json!(base));
    event.body.insert("start".into(), at.stored());
    event.body.insert("end".into(), at.plus(series.span).stored());
    event.body.insert("originalStartTime".into(), at.stored());
    event
}

/// Until when a series is expanded that nothing bounds.
pub(super) fn horizon(state: &State, series: &Series) -> i64 {
    state.now_ms().max(series.start.instant().timestamp_millis()) + HORIZON_MS
}

/// Every occurrence of a series in a window, in order: touched ones as they are, the others as the series makes them.
/// `(id, etag, event)`. Cancelled ones are there too.
pub(super) fn all(
    state: &State,
    calendar_id: &str,
    base: &str,
    (after_ms, before_ms): (Option<i64>, Option<i64>),
) -> Result<Vec<(String, String, Event)>, Refusal> {
    let calendar = calendar(state, calendar_id)?;
    let master = calendar.events.get(base).ok_or_else(not_found)?.newest();
    let series = Series::of(&master.value.body, fields::reading(&state.switches));
    let series = series.ok_or_else(not_found)?;
    let until_ms = before_ms.unwrap_or_else(|| horizon(state, &series));
    let mut rows: Vec<(String, String, Event)> = series
        .between(after_ms, until_ms)
        .map(|at| (format!("{base}_{}", at.suffix()), at))
        .filter(|(id, _)| !calendar.events.contains_key(id))
        .map(|(id, at)| (id, master.etag.clone(), occurrence(base, &master.value, &series, at)))
        .collect();
    let touched = calendar.exceptions(base).map(|(id, history)| (id, history.newest()));
    let in_window = touched.filter(|(_, version)| is_within(&version.value, (after_ms, before_ms)));
    rows.extend(in_window.map(|(id, version)| (id.clone(), version.etag.clone(), version.value.clone())));
    rows.sort_by_key(|(_, _, event)| starts(event));
    Ok(rows)
}

/// When an event starts, in milliseconds.
pub(super) fn starts(event: &Event) -> i64 {
    times::stored(&event.body, "start").map_or(0, |start| start.instant().timestamp_millis())
}

/// Whether a single event or an occurrence overlaps a window. One without times does.
pub(super) fn is_within(event: &Event, (after_ms, before_ms): (Option<i64>, Option<i64>)) -> bool {
    let at = |name: &str| times::stored(&event.body, name).map(|moment| moment.instant().timestamp_millis());
    let (Some(start), Some(end)) = (at("start"), at("end")) else { return true };
    after_ms.is_none_or(|after| end > after) && before_ms.is_none_or(|before| start < before)
}

/// GET calendars/{id}/events/{eventId}/instances.
pub(super) fn list(state: &mut State, request: &Request, calendar_id: &str, base: &str) -> Result<Response, Refusal> {
    let view = View::of(request)?;
    let asked = render::count(request, "maxResults", 250, 2500)?;
    let bound = |name: &str| {
        let text = request.param(name);
        text.map(|text| times::bound(text).ok_or_else(|| bad_parameter(name, "Bad Request"))).transpose()
    };
    let window = (bound("timeMin")?, bound("timeMax")?);
    let wanted = request.param("originalStart").map(|text| {
        let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().map(|day| Moment::Day(day).instant());
        let at = times::bound(text).and_then(chrono::DateTime::from_timestamp_millis);
        day.or(at).ok_or_else(|| bad_parameter("originalStart", "Bad Request"))
    });
    let wanted = wanted.transpose()?;
    // A series that is gone has no instances; one that is stored alone (a guest's occurrence) has no series.
    let found = current(state, calendar_id, base).filter(|found| !found.event.is_cancelled()).ok_or_else(not_found)?;
    if !found.event.is_series() {
        return Err(calendar_rule("eventNotRecurring", "The event is not a recurring event."));
    }
    let fingerprint = tokens::fingerprint(&format!("{calendar_id} {base}"), request, &["pageToken"]);
    let token = match request.param("pageToken") {
        None => None,
        Some(text) => {
            let token = Token::read("instances", text).filter(|token| token.fingerprint == fingerprint);
            Some(token.ok_or_else(|| invalid("Invalid page token value."))?)
        }
    };
    // An answer that names one original start is not bounded by the horizon.
    let window = wanted.map_or(window, |at| (window.0, Some(window.1.unwrap_or(at.timestamp_millis() + 1))));
    let mut rows = all(state, calendar_id, base, window)?;
    if let Some(at) = wanted {
        // A moved one is found by where it was.
        if let Some(id) = id_at(state, calendar_id, base, at)
            && !rows.iter().any(|(have, _, _)| *have == id)
            && let Some(found) = current(state, calendar_id, &id)
        {
            rows.push((id, found.etag, found.event));
        }
        rows.retain(|(_, _, event)| {
            times::stored(&event.body, "originalStartTime").is_some_and(|start| start.instant() == at)
        });
    }
    let shows_deleted = render::flag(request, "showDeleted");
    rows.retain(|(_, _, event)| shows_deleted || !event.is_cancelled());
    let (from, pages) = token.map_or((0, 0), |token| (token.part.1, token.pages));
    let size = tokens::page_size(&state.switches, asked, pages);
    let more = rows.len() > from + size;
    let calendar = calendar(state, calendar_id)?;
    let page = rows.iter().skip(from).take(size);
    let items = page.map(|(id, etag, event)| render::event(state, calendar, id, etag, event, &view)).collect();
    let mut body = super::list::frame(state, calendar, items);
    if more {
        let next = Token {
            epochs: (0, 0),
            since: 0,
            sent: 0,
            part: (0, from + size),
            round: 0,
            at_ms: state.now_ms(),
            pages: pages + 1,
            fingerprint,
            window,
        };
        body["nextPageToken"] = json!(next.write("instances"));
    }
    Ok(Response::json(200, &render::jumbled(state, body)))
}

/// The id of the occurrence that was to start then.
fn id_at(state: &State, calendar_id: &str, base: &str, at: chrono::DateTime<chrono::Utc>) -> Option<String> {
    let events = &state.google.calendar.calendar(calendar_id)?.events;
    let start = times::stored(&events.get(base)?.newest().value.body, "start")?;
    Some(format!("{base}_{}", start.moved_to(at).suffix()))
}

/// Whether a value is a non-empty list.
pub(super) fn is_list(value: Option<&Value>) -> bool {
    value.and_then(Value::as_array).is_some_and(|list| !list.is_empty())
}
