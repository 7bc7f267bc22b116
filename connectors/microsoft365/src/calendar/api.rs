//! Each operation on calendars and events as two pure functions: one builds the request (a part of a batch, mostly), one reads the
//! answer.
//!
//! Every event is asked for in UTC and with its body as text (`event_part`); what its clock shows is the business of `times.rs`.

use super::wire::{CARRY, Calendar, Event, ListPage, MARK, PENDING, RECUR, UID, ZONE};
use crate::{VERSION, encoded, part, prefer, quoted};
use chrono::{DateTime, Duration, SecondsFormat, Utc};
use serde_json::{Value, json};
use twofold_http::{Method, Part, Request, Response};
use twofold_model::{Error, ErrorKind, Mark, Result};

/// How many rows a page of a listing or a round shall have. A page may still be smaller, or empty.
const PAGE_SIZE: usize = 200;

/// What is asked of an event. Named, because some members come only to those who name them.
const MEMBERS: &str = "subject,body,start,end,isAllDay,originalStartTimeZone,originalEndTimeZone,location,locations,attendees,\
    organizer,isOrganizer,isCancelled,isDraft,responseStatus,responseRequested,importance,sensitivity,showAs,isReminderOn,\
    reminderMinutesBeforeStart,categories,recurrence,seriesMasterId,type,originalStart,iCalUId,transactionId,isOnlineMeeting,\
    onlineMeetingProvider,onlineMeeting,onlineMeetingUrl,hasAttachments,hideAttendees,allowNewTimeProposals,webLink,changeKey,\
    createdDateTime,lastModifiedDateTime";

/// A part that an event comes back from.
fn event_part(id: impl Into<String>, method: Method, url: impl Into<String>) -> Part {
    let mut part = part(id, method, url);
    prefer(&mut part.headers, "outlook.timezone=\"UTC\"");
    prefer(&mut part.headers, "outlook.body-content-type=\"text\"");
    part
}

// Calendars

/// GET /me/calendars: all of them, of all groups.
pub fn calendars(id: impl Into<String>) -> Part {
    part(id, Method::Get, "/me/calendars?$top=100")
}

/// Reads a page of calendars and where it goes on.
pub fn read_calendars(answer: &Response) -> Result<(Vec<Calendar>, Option<String>)> {
    let page: ListPage = answer.json()?;
    let calendars: Result<Vec<Calendar>> = page.value.iter().map(named).collect();
    Ok((calendars?, page.next_link))
}

/// Reads one calendar.
pub fn read_calendar(answer: &Response) -> Result<Calendar> {
    named(&answer.json::<Value>()?)
}

fn named(value: &Value) -> Result<Calendar> {
    Calendar::from_value(value).ok_or_else(|| Error::new(ErrorKind::Malformed, "a calendar has no id"))
}

/// GET /me/events/{id}/calendar: where an event stands.
pub fn calendar_of(id: impl Into<String>, event: &str) -> Part {
    part(id, Method::Get, format!("{}/calendar", path(event)))
}

/// POST /me/calendars.
pub fn create_calendar(name: &str) -> Request {
    Request::post_json("create calendar", format!("{VERSION}/me/calendars"), json!({"name": name}))
}

/// PATCH /me/calendars/{id}. A colour is one of eleven words; what `#rrggbb` means in them nobody says, so it is not sent.
pub fn rename_calendar(calendar: &str, name: &str) -> Request {
    let url = format!("{VERSION}/me/calendars/{}", encoded(calendar));
    Request::patch_json("rename calendar", url, json!({"name": name}))
}

/// GET /me/calendars/{id}/events, one row: whether anything is in it. Series whose occurrences are all past are rows too.
pub fn any_event(id: impl Into<String>, calendar: &str) -> Part {
    event_part(id, Method::Get, format!("/me/calendars/{}/events?$top=1&$select=id", encoded(calendar)))
}

/// DELETE /me/calendars/{id}: with all that is in it, to Deleted Items.
pub fn delete_calendar(calendar: &str) -> Request {
    Request::delete("delete calendar", format!("{VERSION}/me/calendars/{}", encoded(calendar)))
}

// Rounds and listings

/// GET /me/calendars/{id}/events/delta from its beginning (M: documented for the beta only). Its rows are hints only.
pub fn events_delta(calendar: &str) -> String {
    format!("/me/calendars/{}/events/delta?$select=id,changeKey,type,seriesMasterId", encoded(calendar))
}

/// GET /me/calendars/{id}/calendarView/delta from its beginning, over a window. It takes no other options.
pub fn view_delta(calendar: &str, from: DateTime<Utc>, until: DateTime<Utc>) -> String {
    let (from, until) = (stamp(from), stamp(until));
    format!("/me/calendars/{}/calendarView/delta?startDateTime={from}&endDateTime={until}", encoded(calendar))
}

/// GET /me/calendars/{id}/events: single events and series, with our extended properties.
pub fn listing(calendar: &str) -> String {
    format!("/me/calendars/{}/events?$top={PAGE_SIZE}&$select={MEMBERS}&{}", encoded(calendar), expand(""))
}

/// The same, of those that changed about a stamp of the server's or after it; all of them where there is no stamp.
pub fn changed_since(calendar: &str, stamp: Option<&str>) -> String {
    let from = stamp.map_or_else(|| "1970-01-01T00:00:00Z".to_owned(), with_margin);
    let filter = encoded(&format!("lastModifiedDateTime ge {from}"));
    listing(calendar).replacen('?', &format!("?$filter={filter}&"), 1)
}

/// How far before a stamp a listing begins.
pub const MARGIN_MS: i64 = 60_000;

/// A stamp of the server's a minute earlier, so that what was written out of order is not passed over.
fn with_margin(stamp: &str) -> String {
    match DateTime::parse_from_rfc3339(stamp) {
        Ok(at) => {
            (at.with_timezone(&Utc) - Duration::milliseconds(MARGIN_MS)).to_rfc3339_opts(SecondsFormat::Secs, true)
        }
        Err(_) => stamp.to_owned(),
    }
}

/// One page of any of these. Size and zone travel with each page: the server forgets them.
pub fn page(id: impl Into<String>, url: &str) -> Part {
    let mut part = event_part(id, Method::Get, url);
    prefer(&mut part.headers, &format!("odata.maxpagesize={PAGE_SIZE}"));
    part
}

/// Reads a page. A row without an id could not be named, so the page is none.
pub fn read_page(answer: &Response) -> Result<(Vec<Event>, Option<String>, Option<String>)> {
    let page: ListPage = answer.json()?;
    let rows = page.value.into_iter().map(|row| {
        let event = Event::from_value(row).filter(|event| event.id().is_some());
        event.ok_or_else(|| Error::new(ErrorKind::Malformed, "a row of the list has no id"))
    });
    Ok((rows.collect::<Result<_>>()?, page.next_link, page.delta_link))
}

fn expand(besides: &str) -> String {
    let filter = [MARK, UID, CARRY, PENDING, RECUR, ZONE].map(|id| format!("id eq '{id}'")).join(" or ");
    format!("$expand={}", encoded(&format!("singleValueExtendedProperties($filter={filter}){besides}")))
}

fn stamp(at: DateTime<Utc>) -> String {
    encoded(&at.to_rfc3339_opts(SecondsFormat::Secs, true))
}

// One event

/// GET /me/events/{id}, whole: exceptions, days taken out and our extended properties come only on this way.
pub fn event(id: impl Into<String>, event: &str) -> Part {
    let select = format!("{MEMBERS},cancelledOccurrences,exceptionOccurrences");
    let url = format!("{}?$select={select}&{}", path(event), expand(",exceptionOccurrences"));
    event_part(id, Method::Get, url)
}

/// GET /me/events/{id} with our extended properties only, where the server does not know the other members.
pub fn bare_event(id: impl Into<String>, event: &str) -> Part {
    event_part(id, Method::Get, format!("{}?$select={MEMBERS}&{}", path(event), expand("")))
}

/// GET /me/events/{id} of one exception.
pub fn exception(id: impl Into<String>, event: &str) -> Part {
    event_part(id, Method::Get, format!("{}?$select={MEMBERS}", path(event)))
}

/// Reads an event that was asked for by id, or the answer to a write.
pub fn read_event(answer: &Response) -> Result<Event> {
    let event = Event::from_value(answer.json::<Value>()?).filter(|event| event.id().is_some());
    event.ok_or_else(|| Error::new(ErrorKind::Malformed, "the answer is no event with an id"))
}

/// GET /me/events/{id}/instances: the occurrences of a series within a window, those taken out left out. `originalStart` comes only to
/// those who name it.
pub fn instances(id: impl Into<String>, series: &str, from: DateTime<Utc>, until: DateTime<Utc>) -> Part {
    let window = format!("startDateTime={}&endDateTime={}", stamp(from), stamp(until));
    let url = format!("{}/instances?{window}&$top={PAGE_SIZE}&$select={MEMBERS}", path(series));
    event_part(id, Method::Get, url)
}

/// GET the events of a calendar that carry this mark.
pub fn marked(id: impl Into<String>, calendar: &str, mark: &Mark) -> Part {
    let property = format!("ep/id eq '{MARK}' and ep/value eq '{}'", quoted(&mark.to_string()));
    let filter = encoded(&format!("singleValueExtendedProperties/any(ep: {property})"));
    let url = format!("/me/calendars/{}/events?$filter={filter}&$select=id,createdDateTime", encoded(calendar));
    event_part(id, Method::Get, url)
}

// Writes

/// POST /me/calendars/{id}/events. The transaction is made of the mark, the calendar and what is sent: a repeat of this very request
/// makes no second event, while another one (the item moved to this calendar, or came back) is not taken for a repeat.
pub fn create(id: impl Into<String>, calendar: &str, event: &Event, mark: &Mark) -> Part {
    let sent = event.create_body(&mark.to_string());
    let body = event.create_body(&format!("{mark}-{}", twofold_model::card::key(&format!("{calendar} {sent}"))));
    event_part(id, Method::Post, format!("/me/calendars/{}/events", encoded(calendar))).json(body)
}

/// PATCH /me/events/{id}: a single event, a series, one occurrence.
pub fn update(id: impl Into<String>, event: &str, etag: Option<&str>, body: Value) -> Part {
    guarded(event_part(id, Method::Patch, path(event)).json(body), etag)
}

/// DELETE /me/events/{id}: to Deleted Items; an occurrence is taken out of its series.
pub fn delete(id: impl Into<String>, event: &str, etag: Option<&str>) -> Part {
    guarded(part(id, Method::Delete, path(event)), etag)
}

fn guarded(part: Part, etag: Option<&str>) -> Part {
    match etag {
        Some(etag) => part.header("If-Match", etag),
        None => part,
    }
}

fn path(event: &str) -> String {
    format!("/me/events/{}", encoded(event))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(text).unwrap().with_timezone(&Utc)
    }

    #[test]
    fn every_part_asks_for_immutable_ids_and_every_event_in_utc() {
        let mark = Mark { hub: "h".into(), item: "i".into(), generation: 1 };
        let (from, until) = (at("2026-03-01T00:00:00Z"), at("2026-03-03T00:00:00Z"));
        let parts = [
            (false, calendars("1")),
            (false, calendar_of("1", "e")),
            (false, delete("1", "e", Some("x"))),
            (true, page("1", "/x")),
            (true, event("1", "e")),
            (true, bare_event("1", "e")),
            (true, exception("1", "e")),
            (true, instances("1", "e", from, until)),
            (true, marked("1", "c", &mark)),
            (true, create("1", "c", &Event::default(), &mark)),
            (true, update("1", "e", None, json!({}))),
        ];
        for (is_event, part) in parts {
            let preferences: Vec<&str> =
                part.headers.iter().filter(|(name, _)| name == "Prefer").map(|(_, value)| value.as_str()).collect();
            assert_eq!(preferences.len(), 1, "{}", part.url);
            assert!(preferences[0].contains("IdType=\"ImmutableId\""), "{}", part.url);
            assert_eq!(preferences[0].contains("outlook.timezone=\"UTC\""), is_event, "{}", part.url);
        }
    }

    #[test]
    fn a_series_is_asked_for_with_its_exceptions_and_a_list_without() {
        let url = event("1", "a/b=").url;
        assert!(url.starts_with("/me/events/a%2Fb%3D?"), "{url}");
        assert!(url.contains(",cancelledOccurrences") && url.contains("%2CexceptionOccurrences"), "{url}");
        assert!(!listing("c").contains("cancelledOccurrences") && listing("c").contains("0x8216"));
        assert_eq!(with_margin("2026-03-02T08:00:00.1234567Z"), "2026-03-02T07:59:00Z");
        let since = |stamp| changed_since("c", stamp).split_once("lastModifiedDateTime%20ge%20").unwrap().1.to_owned();
        assert!(since(Some("2026-03-02T07:55:00Z")).starts_with("2026-03-02T07%3A54%3A00Z&$top="));
        assert!(since(None).starts_with("1970-"));
    }

    #[test]
    fn a_row_without_an_id_spoils_its_page() {
        let answer = |body: Value| Response::new(200, Vec::new(), body.to_string().into_bytes());
        assert!(read_page(&answer(json!({"value": [{"id": "1"}]}))).is_ok());
        assert!(read_page(&answer(json!({"value": [{"subject": "Ada"}]}))).is_err());
        assert!(read_page(&answer(json!({"value": [], "@odata.nextLink": "x"}))).is_ok());
        assert!(read_page(&answer(json!({}))).is_err());
    }
}
