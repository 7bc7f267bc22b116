//! Events: list, get, create, update, delete; views and instances.

use chrono::NaiveDate;
use serde_json::{Map, Value, json};

use super::super::contacts::check_luck;
use super::super::fields::Change;
use super::super::html;
use super::super::links;
use super::super::query as graph;
use super::super::reply::{self, Answer, Refusal, ordered};
use super::super::store::Rules;
use super::body::Body;
use super::fields::{self, ONLINE_MEETING};
use super::query::{self, View};
use super::show::{Item, show};
use super::span::{Window, instances};
use super::store::{BIN, DEFAULT, Found, calendar_id};
use super::{calendars, mails, people};
use crate::{Request, Response, State};

const LIST: [&str; 8] = ["$top", "$skip", "$select", "$expand", "$filter", "$orderby", "$count", "$skiptoken"];
const WINDOW: [&str; 2] = ["startdatetime", "enddatetime"];

/// One event as an answer; `context` is the resource as contexts name it.
fn entity(state: &State, status: u16, found: Found, view: &View, context: &str) -> Response {
    let item = Item::now(state, found.key, found.date);
    let mut whole = Map::new();
    let context = links::context(state, &format!("{context}{}/$entity", view.context()));
    whole.insert("@odata.context".into(), context.into());
    whole.extend(show(state, &item, view));
    Response::json(status, &ordered(whole, &state.switches)).with_header("etag", &item.etag())
}

/// What contexts call the events of a calendar.
fn context(calendar: Option<u64>) -> String {
    match calendar {
        Some(calendar) => format!("calendars('{}')/events", links::escape(&calendar_id(calendar))),
        None => "events".into(),
    }
}

/// Finds what a path names; `calendar` is the one in the path, if any.
pub(super) fn find(state: &State, request: &Request, calendar: Option<u64>, id: &str) -> Result<Found, Refusal> {
    let found = state.microsoft.calendar.find(id, graph::id_form(request))?;
    let stands_in = state.microsoft.calendar.events[&found.key].now().calendar;
    if stands_in == Some(BIN) && state.switches.graph_deleted_answers_404 {
        return Err(Refusal::not_found());
    }
    if calendar.is_some() && stands_in != calendar {
        return Err(Refusal::not_found());
    }
    super::allow(state, stands_in)?;
    Ok(found)
}

/// Refuses to write into a calendar that the user may only read.
pub(super) fn check_rights(state: &State, key: u64) -> Result<(), Refusal> {
    let stands_in = state.microsoft.calendar.events[&key].now().calendar;
    let calendar = stands_in.and_then(|calendar| state.microsoft.calendar.calendars.get(&calendar));
    if calendar.is_some_and(|calendar| !calendar.can_edit) { Err(Refusal::denied()) } else { Ok(()) }
}

/// `If-Match`: one of the etags named must be the present one.
fn check_match(state: &State, request: &Request, found: Found) -> Result<(), Refusal> {
    if state.switches.graph_events_ignore_if_match {
        return Ok(());
    }
    let now = Item::now(state, found.key, found.date).etag();
    let mut named = request.headers_named("if-match").flat_map(|header| header.split(',')).map(str::trim).peekable();
    if named.peek().is_none() || named.any(|tag| tag == "*" || tag == now) { Ok(()) } else { Err(Refusal::stale()) }
}

/// Answers for one event or occurrence.
pub(super) fn one(state: &mut State, request: &Request, calendar: Option<u64>, id: &str) -> Answer {
    let reply = match request.method.as_str() {
        "GET" => {
            let options = graph::options(request, &["$select", "$expand"])?;
            let view = View::read(request, &options, true, &state.switches)?;
            let found = find(state, request, calendar, id)?;
            entity(state, 200, found, &view, &context(calendar))
        }
        "PATCH" => {
            graph::options(request, &[])?;
            let view = View::preferred(request, &state.switches)?;
            let found = find(state, request, calendar, id)?;
            check_rights(state, found.key)?;
            let sent = super::super::json_body(request)?;
            check_match(state, request, found)?;
            patch(state, found, &sent)?;
            entity(state, 200, found, &view, &context(calendar))
        }
        "DELETE" => {
            graph::options(request, &[])?;
            let found = find(state, request, calendar, id)?;
            check_rights(state, found.key)?;
            check_match(state, request, found)?;
            let body = Item::now(state, found.key, found.date).body().into_owned();
            let is_in_bin = state.microsoft.calendar.events[&found.key].now().calendar == Some(BIN);
            delete(state, found);
            if !is_in_bin {
                mails::deleted(state, found.key, found.date, &body);
            }
            return Ok(Response::empty(204));
        }
        _ => return Err(Refusal::no_method()),
    };
    Ok(query::confirm(reply, request))
}

fn patch(state: &mut State, found: Found, sent: &Value) -> Result<(), Refusal> {
    let whole = state.microsoft.calendar.events[&found.key].now().body.clone();
    let old = found.date.map_or_else(|| (*whole).clone(), |date| whole.on(date));
    let mut new = fields::read(sent, Change::Patch, &old, found.date.is_some(), &state.switches)?;
    set_up_meeting(state, &mut new);
    check_luck(state)?;
    let written = match found.date {
        Some(date) => with_exception(&whole, date, &new)?,
        None => new.clone(),
    };
    if *whole != written || state.switches.graph_patch_always_restamps {
        let rules = Rules::of(state);
        state.microsoft.edit_event(&rules, found.key, written);
    }
    mails::changed(state, found.key, found.date, &old, &new);
    Ok(())
}

/// A series in which the occurrence of this day says what `own` says.
pub(super) fn with_exception(whole: &Body, date: NaiveDate, own: &Body) -> Result<Body, Refusal> {
    let mut written = whole.clone();
    if let Some(series) = &mut written.series {
        series.exceptions.remove(&date);
    }
    let planned = written.on(date);
    if own.start != planned.start {
        fields::check_neighbours(whole, date, own)?;
    }
    if let Some(series) = &mut written.series {
        series.exceptions.insert(date, own.beyond(&planned));
    }
    Ok(written)
}

/// Deletes an event to Deleted Items, or takes one occurrence out of its series.
pub(super) fn delete(state: &mut State, found: Found) {
    let rules = Rules::of(state);
    let Some(date) = found.date else {
        return state.microsoft.delete_event(&rules, found.key);
    };
    let mut body = (*state.microsoft.calendar.events[&found.key].now().body).clone();
    if let Some(series) = &mut body.series {
        series.exceptions.remove(&date);
        series.cancelled.insert(date);
    }
    state.microsoft.edit_event(&rules, found.key, body);
}

/// Gives an event that is to be held online its meeting, once, and the way into it to its body.
fn set_up_meeting(state: &mut State, body: &mut Body) {
    if !body.is("isOnlineMeeting") || body.fields.contains_key(ONLINE_MEETING) {
        return;
    }
    let thread = reply::guid(&mut state.rng).replace('-', "");
    let url = format!(
        "https://teams.microsoft.com/l/meetup-join/19%3ameeting_{thread}%40thread.v2/0?context=%7b%22Tid%22%3a%22{}%22%2c%22Oid%22%3a%22{}%22%7d",
        state.microsoft_account.tenant, state.microsoft_account.id
    );
    let number = thread.bytes().fold(0_u64, |sum, byte| (sum * 31 + u64::from(byte)) % 900_000_000) + 100_000_000;
    let meeting = json!({ "joinUrl": url, "conferenceId": number.to_string(), "tollNumber": "+49 30 555 0123" });
    body.fields.insert(ONLINE_MEETING.into(), meeting);
    if body.fields["onlineMeetingProvider"] == "unknown" {
        body.fields.insert("onlineMeetingProvider".into(), "teamsForBusiness".into());
    }
    let way_in = format!(
        "<br>\r\n<div>{}</div>\r\n<div>Microsoft Teams-Besprechung</div>\r\n<div><a href=\"{url}\">Teilnehmen</a></div>",
        "_".repeat(80)
    );
    let written = html::with_more(&body.fields["body"], &way_in);
    body.fields.insert("body".into(), written);
}

/// Answers for the events of one calendar.
pub(super) fn many(state: &mut State, request: &Request, calendar: Option<u64>) -> Answer {
    let reply = match request.method.as_str() {
        "GET" => {
            let options = graph::options(request, &LIST)?;
            let keys = state.microsoft.calendar.inside(calendar.unwrap_or(DEFAULT));
            let items = keys.into_iter().map(|key| Item::now(state, key, None)).collect();
            list(state, request, &options, items, &context(calendar))?
        }
        "POST" => create(state, request, calendar)?,
        _ => return Err(Refusal::no_method()),
    };
    Ok(query::confirm(reply, request))
}

fn create(state: &mut State, request: &Request, calendar: Option<u64>) -> Answer {
    graph::options(request, &[])?;
    let view = View::preferred(request, &state.switches)?;
    let into = calendar.unwrap_or(DEFAULT);
    if !state.microsoft.calendar.calendars[&into].can_edit {
        return Err(Refusal::denied());
    }
    let sent = super::super::json_body(request)?;
    let empty = Body::empty(&people::owner(&state.microsoft_account));
    let mut body = fields::read(&sent, Change::Create, &empty, false, &state.switches)?;
    let transaction = body.fields.get("transactionId").and_then(Value::as_str).map(str::to_owned);
    let first = transaction.as_ref().and_then(|id| state.microsoft.calendar.transactions.get(id)).copied();
    let key = match first {
        Some(_) if state.switches.graph_repeated_transaction_conflicts => {
            let text = "An event with the given transactionId was created before.";
            return Err(Refusal::new(409, "ErrorDuplicateTransactionId", text));
        }
        Some(first) => first,
        None => {
            set_up_meeting(state, &mut body);
            let rules = Rules::of(state);
            let key = state.microsoft.create_event(&rules, into, body.clone(), None);
            mails::created(state, key, &body);
            if let Some(id) = transaction {
                state.microsoft.calendar.transactions.insert(id, key);
            }
            key
        }
    };
    let found = Found { key, date: None };
    let id = Item::now(state, key, None).id(view.form);
    let reply = entity(state, 201, found, &view, &context(calendar));
    Ok(reply.with_header("location", &links::api(state, &format!("me/events('{}')", links::escape(&id)))))
}

/// A page of items: filtered, ordered, cut.
fn list<'a>(
    state: &'a State,
    request: &Request,
    options: &[(String, String)],
    mut items: Vec<Item<'a>>,
    context: &str,
) -> Answer {
    let option = |name| graph::option(options, name);
    let view = View::read(request, options, false, &state.switches)?;
    let conditions = query::filter(option("$filter"))?;
    let order = query::orderby(option("$orderby"))?;
    if let Some((name, _)) = &order
        && !conditions.is_empty()
        && conditions[0].property() != name
    {
        let text = "The restriction or sort order is too complex for this operation.";
        return Err(Refusal::new(400, "InefficientFilter", text));
    }
    if !conditions.is_empty() {
        let seen_until = state.now_ms() - state.switches.graph_filter_lag_s * 1000;
        items.retain(|item| item.event.created_ms <= seen_until);
        items.retain(|item| conditions.iter().all(|condition| condition.holds(item)));
    }
    match &order {
        Some(order) => query::sort(&mut items, order),
        None if state.switches.reorder_fields => items.reverse(),
        None => {}
    }
    let context = format!("{context}{}", view.context());
    super::page(state, request, options, &context, items, |item| show(state, &item, &view))
}

/// Answers for the view of a calendar: what lies in a window, series taken apart.
pub(super) fn view(state: &State, request: &Request, calendar: Option<u64>) -> Answer {
    let options = read_window_options(request)?;
    let window = read_window(state, &options)?;
    let mut found = Vec::new();
    for key in state.microsoft.calendar.inside(calendar.unwrap_or(DEFAULT)) {
        let item = Item::now(state, key, None);
        let there = instances(&item.moment.body, &window);
        found.extend(there.into_iter().map(|instance| (instance.start, Item { date: instance.date, ..item })));
    }
    found.sort_by_key(|(start, _)| *start);
    let items = found.into_iter().map(|(_, item)| item).collect();
    let context = match calendar {
        Some(calendar) => format!("calendars('{}')/calendarView", links::escape(&calendar_id(calendar))),
        None => "calendarView".into(),
    };
    Ok(query::confirm(list(state, request, &options, items, &context)?, request))
}

/// Answers for the instances of a series in a window, exceptions before the others.
pub(super) fn series(state: &State, request: &Request, calendar: Option<u64>, id: &str) -> Answer {
    let options = read_window_options(request)?;
    let window = read_window(state, &options)?;
    let found = find(state, request, calendar, id)?;
    let item = Item::now(state, found.key, None);
    if item.moment.body.series.is_none() || found.date.is_some() {
        let text = "The event is not the master of a series.";
        return Err(Refusal::new(400, "ErrorInvalidRequest", text));
    }
    let mut there = instances(&item.moment.body, &window);
    there.sort_by_key(|instance| !instance.is_exception);
    let items = there.into_iter().map(|instance| Item { date: instance.date, ..item }).collect();
    let context = format!("events('{}')/instances", links::escape(id));
    Ok(query::confirm(list(state, request, &options, items, &context)?, request))
}

fn read_window_options(request: &Request) -> Result<Vec<(String, String)>, Refusal> {
    if request.method != "GET" {
        return Err(Refusal::no_method());
    }
    graph::options(request, &LIST.into_iter().chain(WINDOW).collect::<Vec<_>>())
}

fn read_window(state: &State, options: &[(String, String)]) -> Result<Window, Refusal> {
    let option = |name| graph::option(options, name);
    Window::read(option(WINDOW[0]), option(WINDOW[1]), &state.switches)
}

/// Answers for the calendar that an event stands in.
pub(super) fn calendar_of(state: &mut State, request: &Request, found: Found) -> Answer {
    if request.method != "GET" {
        return Err(Refusal::no_method());
    }
    match state.microsoft.calendar.events[&found.key].now().calendar {
        Some(calendar) if calendar != BIN => calendars::one(state, request, calendar),
        _ => Err(Refusal::not_found()),
    }
}
