//! The operations of Calendar v3 that are used: for each a function that builds the request and one that reads the answer. None of
//! them does I/O. Paths are relative to the client's base (`calendar_url`).
//!
//! Every write of an event that can notify guests says `sendUpdates=none`, unless somebody allowed it ([`Tell`]). `events.import` has no such parameter and notifies
//! nobody. Writes run one after the other ([`Effect::ExclusiveWrite`]): Google slows down who writes to one calendar faster.

use serde_json::{Value, json};
use twofold_http::{Effect, Request, Response};
use twofold_model::{Error, ErrorKind, Etag, Result};
use url::form_urlencoded;

use super::wire::{CalendarEntry, CalendarList, Events, Object, text};

/// Events on a page. 2500 are allowed; so many are held in memory at a time, with their JSON.
const PAGE_SIZE: &str = "1000";
/// Calendars on a page: the most that is allowed.
const LIST_SIZE: &str = "250";
/// Who hears of a change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tell {
    /// Nobody is mailed.
    #[default]
    Nobody,
    /// The guests are, as from Google's own page.
    Guests,
}

impl Tell {
    fn parameter(self) -> (&'static str, &'static str) {
        ("sendUpdates", if self == Tell::Nobody { "none" } else { "all" })
    }
}

fn address(path: &str, query: &[(&str, &str)]) -> String {
    if query.is_empty() {
        return path.to_owned();
    }
    let start = path.len() + 1;
    form_urlencoded::Serializer::for_suffix(format!("{path}?"), start).extend_pairs(query).finish()
}

/// An id as one segment of a path: ids of calendars have `@` and `#` in them.
fn segment(id: &str) -> String {
    let mut path = String::with_capacity(id.len());
    for byte in id.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' => path.push(char::from(byte)),
            other => path.push_str(&format!("%{other:02X}")),
        }
    }
    path
}

fn events_path(calendar: &str) -> String {
    format!("/calendar/v3/calendars/{}/events", segment(calendar))
}

fn event_path(calendar: &str, event: &str) -> String {
    format!("{}/{}", events_path(calendar), segment(event))
}

// ---- calendars --------------------------------------------------------------------------------------------------------

/// GET `users/me/calendarList`: hidden calendars too, since hiding one on a screen does not take it away.
pub fn list_calendars(page_token: Option<&str>) -> Request {
    let mut query = vec![("maxResults", LIST_SIZE), ("showHidden", "true")];
    query.extend(page_token.map(|token| ("pageToken", token)));
    Request::get("list calendars", address("/calendar/v3/users/me/calendarList", &query))
}

/// Reads a page of calendars.
pub fn read_calendars(response: &Response) -> Result<CalendarList> {
    response.json()
}

/// POST `calendars`.
pub fn create_calendar(name: &str, zone: Option<&str>) -> Request {
    let mut body = json!({"summary": name});
    if let Some(zone) = zone {
        body["timeZone"] = zone.into();
    }
    Request::post_json("create calendar", "/calendar/v3/calendars", body).effect(Effect::ExclusiveWrite)
}

/// Reads the calendar that was made.
pub fn read_calendar(response: &Response) -> Result<CalendarEntry> {
    let calendar: CalendarEntry = response.json()?;
    match calendar.id.is_empty() {
        false => Ok(calendar),
        true => Err(Error::new(ErrorKind::Malformed, "the calendar came without its id")),
    }
}

/// PATCH `calendars/{id}`: a name for everybody who sees the calendar.
pub fn rename_calendar(id: &str, name: &str) -> Request {
    let url = format!("/calendar/v3/calendars/{}", segment(id));
    Request::patch_json("rename calendar", url, json!({"summary": name})).effect(Effect::ExclusiveWrite)
}

/// PATCH `users/me/calendarList/{id}`: what the user alone sees. A colour is `#rrggbb`.
pub fn change_entry(id: &str, name: Option<&str>, color: Option<&str>) -> Request {
    let mut body = json!({});
    if let Some(name) = name {
        body["summaryOverride"] = name.into();
    }
    if let Some(color) = color {
        body["backgroundColor"] = color.into();
        body["foregroundColor"] = contrast(color).into();
    }
    let query: &[(&str, &str)] = if color.is_some() { &[("colorRgbFormat", "true")] } else { &[] };
    let url = address(&format!("/calendar/v3/users/me/calendarList/{}", segment(id)), query);
    Request::patch_json("change calendar entry", url, body).effect(Effect::ExclusiveWrite)
}

/// Reads a row of the list.
pub fn read_entry(response: &Response) -> Result<CalendarEntry> {
    read_calendar(response)
}

/// GET `calendars/{id}/events`, a few: whether anything is in it.
pub fn any_event(id: &str, page_token: Option<&str>) -> Request {
    let mut query = vec![("maxResults", "10"), ("showDeleted", "false")];
    query.extend(page_token.map(|token| ("pageToken", token)));
    Request::get("look into a calendar", address(&events_path(id), &query))
}

/// DELETE `calendars/{id}`: for everybody who sees it, with all that is in it. It does not come back.
pub fn delete_calendar(id: &str) -> Request {
    Request::delete("delete calendar", format!("/calendar/v3/calendars/{}", segment(id))).effect(Effect::ExclusiveWrite)
}

/// DELETE `users/me/calendarList/{id}`: off the user's list; the calendar stays.
pub fn leave_calendar(id: &str) -> Request {
    let url = format!("/calendar/v3/users/me/calendarList/{}", segment(id));
    Request::delete("leave calendar", url).effect(Effect::ExclusiveWrite)
}

/// Black or white, whichever can be read on that colour: Google wants both colours together.
fn contrast(color: &str) -> &'static str {
    let part = |at: usize| color.get(at..at + 2).and_then(|hex| u32::from_str_radix(hex, 16).ok()).unwrap_or(0);
    let light = (part(1) * 299 + part(3) * 587 + part(5) * 114) / 1000;
    if light > 140 { "#000000" } else { "#ffffff" }
}

// ---- reading events ---------------------------------------------------------------------------------------------------

/// GET `calendars/{id}/events`: a page of a full listing, or of what changed since `sync_token`. Series come as they are, with their
/// exceptions as rows of their own. All pages of a round have the same parameters.
pub fn list(calendar: &str, sync_token: Option<&str>, page_token: Option<&str>) -> Request {
    let mut query = vec![("maxResults", PAGE_SIZE), ("singleEvents", "false"), ("showDeleted", "true")];
    query.extend(sync_token.map(|token| ("syncToken", token)));
    query.extend(page_token.map(|token| ("pageToken", token)));
    Request::get("list events", address(&events_path(calendar), &query))
}

/// GET `calendars/{id}/events` for one series: its master and its exceptions, which all have the same `iCalUID`.
pub fn list_series(calendar: &str, ical_uid: &str, page_token: Option<&str>) -> Request {
    let mut query =
        vec![("maxResults", PAGE_SIZE), ("singleEvents", "false"), ("showDeleted", "true"), ("iCalUID", ical_uid)];
    query.extend(page_token.map(|token| ("pageToken", token)));
    Request::get("list series", address(&events_path(calendar), &query))
}

/// GET `calendars/{id}/events` for copies with a private property.
pub fn list_marked(calendar: &str, key: &str, value: &str, page_token: Option<&str>) -> Request {
    let property = format!("{key}={value}");
    let mut query = vec![("maxResults", PAGE_SIZE), ("singleEvents", "false"), ("privateExtendedProperty", &property)];
    query.extend(page_token.map(|token| ("pageToken", token)));
    Request::get("look for event", address(&events_path(calendar), &query))
}

/// GET `calendars/{id}/events/{id}/instances` at one original start, cancelled ones too.
pub fn instance_at(calendar: &str, series: &str, original_start: &str, page_token: Option<&str>) -> Request {
    let mut query = vec![("originalStart", original_start), ("showDeleted", "true")];
    query.extend(page_token.map(|token| ("pageToken", token)));
    Request::get("look for occurrence", address(&format!("{}/instances", event_path(calendar, series)), &query))
}

/// Reads a page of events.
pub fn read_events(response: &Response) -> Result<Events> {
    response.json()
}

/// GET `calendars/{id}/events/{id}`.
pub fn get(calendar: &str, event: &str) -> Request {
    Request::get("get event", event_path(calendar, event))
}

/// Reads an event.
pub fn read_event(response: &Response) -> Result<Object> {
    let event: Object = response.json()?;
    match text(&event, "id") {
        Some(_) => Ok(event),
        None => Err(Error::new(ErrorKind::Malformed, "an event came without its id")),
    }
}

// ---- writing events ---------------------------------------------------------------------------------------------------

/// POST `calendars/{id}/events`, with an id of our own.
pub fn insert(calendar: &str, event: &Object, tell: Tell) -> Request {
    let url = address(&events_path(calendar), &[tell.parameter()]);
    Request::post_json("create event", url, Value::Object(event.clone())).effect(Effect::ExclusiveWrite)
}

/// POST `calendars/{id}/events/import`: a private copy of somebody's meeting, by its `iCalUID`.
pub fn import(calendar: &str, event: &Object) -> Request {
    let url = format!("{}/import", events_path(calendar));
    Request::post_json("import event", url, Value::Object(event.clone())).effect(Effect::ExclusiveWrite)
}

/// PATCH `calendars/{id}/events/{id}`: what differs, guarded by the state that it rests on.
pub fn patch(calendar: &str, event: &str, etag: &str, body: Object, tell: Tell) -> Request {
    let url = address(&event_path(calendar, event), &[tell.parameter()]);
    Request::patch_json("change event", url, Value::Object(body))
        .header("If-Match", etag)
        .effect(Effect::ExclusiveWrite)
}

/// DELETE `calendars/{id}/events/{id}`, guarded by the state that was agreed to be removed.
pub fn delete(calendar: &str, event: &str, etag: &Etag, tell: Tell) -> Request {
    let url = address(&event_path(calendar, event), &[tell.parameter()]);
    Request::delete("delete event", url).header("If-Match", etag.as_str()).effect(Effect::ExclusiveWrite)
}

#[cfg(test)]
mod tests {
    use super::*;
    use twofold_http::{Body, Method};

    fn body(request: &Request) -> Value {
        match &request.body {
            Body::Json(body) => body.clone(),
            _ => Value::Null,
        }
    }

    #[test]
    fn ids_of_calendars_are_escaped() {
        let request = list("de#holiday@group.v.calendar.google.com", None, None);
        assert_eq!(
            request.url,
            "/calendar/v3/calendars/de%23holiday%40group.v.calendar.google.com/events?maxResults=1000&singleEvents=false&showDeleted=true"
        );
    }

    #[test]
    fn all_pages_of_a_round_are_asked_for_alike() {
        let first = list("c", Some("s"), None);
        assert_eq!(list("c", Some("s"), Some("p/2")).url, format!("{}&pageToken=p%2F2", first.url));
        assert!(!first.effect.is_write());
        assert!(list_series("c", "u@x", None).url.ends_with("&showDeleted=true&iCalUID=u%40x"));
        assert!(list_marked("c", "k", "hub:item:1", None).url.ends_with("privateExtendedProperty=k%3Dhub%3Aitem%3A1"));
        assert!(
            instance_at("c", "m", "2026-10-27T08:00:00Z", None)
                .url
                .contains("/events/m/instances?originalStart=2026-10-27T08%3A00%3A00Z")
        );
    }

    #[test]
    fn no_write_tells_anybody_and_each_runs_alone() {
        let event = Object::new();
        for request in [
            insert("c", &event, Tell::Nobody),
            patch("c", "e", "\"1\"", Object::new(), Tell::Nobody),
            delete("c", "e", &"\"1\"".into(), Tell::Nobody),
        ] {
            assert!(request.url.contains("sendUpdates=none"), "{}", request.url);
            assert_eq!(request.effect, Effect::ExclusiveWrite);
        }
        for allowed in [insert("c", &event, Tell::Guests), patch("c", "e", "\"1\"", Object::new(), Tell::Guests)] {
            assert!(allowed.url.contains("sendUpdates=all"), "{}", allowed.url);
        }
        assert_eq!(import("c", &event).url, "/calendar/v3/calendars/c/events/import");
    }

    #[test]
    fn changes_and_removals_carry_their_guard() {
        for request in
            [patch("c", "e", "\"1\"", Object::new(), Tell::Nobody), delete("c", "e", &"\"1\"".into(), Tell::Nobody)]
        {
            assert!(request.headers.contains(&("If-Match".to_owned(), "\"1\"".to_owned())));
        }
        assert_eq!(patch("c", "e", "\"1\"", Object::new(), Tell::Nobody).method, Method::Patch);
    }

    #[test]
    fn a_colour_comes_with_one_that_can_be_read_on_it() {
        let request = change_entry("c@x", None, Some("#16a765"));
        assert_eq!(request.url, "/calendar/v3/users/me/calendarList/c%40x?colorRgbFormat=true");
        assert_eq!(body(&request), json!({"backgroundColor": "#16a765", "foregroundColor": "#ffffff"}));
        assert_eq!(contrast("#fbe983"), "#000000");
        assert_eq!(body(&change_entry("c", Some("Mine"), None)), json!({"summaryOverride": "Mine"}));
        assert_eq!(
            body(&create_calendar("Trips", Some("Europe/Lisbon"))),
            json!({"summary": "Trips", "timeZone": "Europe/Lisbon"})
        );
    }

    #[test]
    fn an_answer_without_an_id_is_no_event() {
        let response = Response::new(200, vec![("content-type".into(), "application/json".into())], b"{}".to_vec());
        assert_eq!(read_event(&response).unwrap_err().kind, ErrorKind::Malformed);
        assert_eq!(read_calendar(&response).unwrap_err().kind, ErrorKind::Malformed);
    }
}
