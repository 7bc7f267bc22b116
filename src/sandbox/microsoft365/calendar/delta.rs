//! Deltas of events: of a window, series taken apart; and of a whole calendar, without one.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use serde_json::{Map, Value, json};

use super::super::feed::{MOST_ROWS, USUAL_ROWS, touched};
use super::super::links;
use super::super::query as graph;
use super::super::reply::{Answer, Refusal, ordered};
use super::super::rounds::{self, Round};
use super::super::store::{IdForm, Touched};
use super::query::{self, View};
use super::show::{Item, show};
use super::span::{Window, instances, read_instant};
use super::store::{DEFAULT, Event, Moment, event_id, occurrence_id};
use crate::{Request, Response, State, Switches};

/// What every row of a delta of events holds, documented as all that `events/delta` tells.
const LEAST: [&str; 4] = ["id", "type", "start", "end"];
/// What a row of an occurrence holds.
const BARE: [&str; 5] = ["id", "seriesMasterId", "type", "start", "end"];

/// One row of a round.
#[derive(Clone)]
enum Row<'a> {
    /// An id that is gone, or out of the window.
    Gone(String),
    /// A whole event.
    Whole(Item<'a>),
    /// An occurrence with little more than its times.
    Bare(Item<'a>),
}

/// Answers `calendarView/delta`; `path` is the resource as links name it.
pub(super) fn view(state: &mut State, request: &Request, calendar: Option<u64>, path: &str) -> Answer {
    if calendar.is_some() && !state.switches.graph_view_delta_per_calendar {
        return Err(malformed_id());
    }
    let options = options(request, &["startdatetime", "enddatetime"])?;
    let option = |name| graph::option(&options, name);
    let subject = format!("view-{}", calendar.unwrap_or(0));
    let round = match tokens(&options) {
        Tokens::None => {
            let (from, to) = (option("startdatetime"), option("enddatetime"));
            Window::read(from, to, &state.switches)?;
            let asked = from.map(|from| ("startdatetime", from)).into_iter();
            rounds::begin(state, subject, asked.chain(to.map(|to| ("enddatetime", to))))
        }
        Tokens::Delta(token) => rounds::next(state, token, &subject, path)?,
        Tokens::Page(token) => rounds::page(state, token, &subject, path)?,
        Tokens::Wrong => return Err(rounds::too_many_options()),
    };
    let (from, to) = (round.asked("startdatetime"), round.asked("enddatetime"));
    let window = Window::read(Some(from), Some(to), &state.switches)?;
    let view = View::preferred(request, &state.switches)?;
    let inside = |key: u64, event, moment: &Moment, known: &BTreeSet<NaiveDate>| {
        in_window(state, Place { key, event, view: &view, window: &window }, moment, known)
    };
    let groups = groups(state, &round, calendar.unwrap_or(DEFAULT), &view, Some(&window), inside);
    answer(state, request, &round, groups, &view, path)
}

/// Answers `events/delta`, where it is offered.
pub(super) fn events(state: &mut State, request: &Request, calendar: Option<u64>, path: &str) -> Answer {
    let kind = state.switches.graph_events_delta.clone();
    if kind == "off" {
        return Err(malformed_id());
    }
    let options = options(request, &["$select", "startdatetime"])?;
    let option = |name| graph::option(&options, name);
    let subject = format!("events-{}", calendar.unwrap_or(0));
    let round = match tokens(&options) {
        Tokens::None => {
            let (select, from) = (option("$select"), option("startdatetime"));
            View::preferred(request, &state.switches)?.selecting(select.unwrap_or_default(), &state.switches)?;
            from.map(|from| read_instant("startDateTime", from)).transpose()?;
            let asked = select.map(|select| ("$select", select)).into_iter();
            rounds::begin(state, subject, asked.chain(from.map(|from| ("startdatetime", from))))
        }
        Tokens::Delta(token) => rounds::next(state, token, &subject, path)?,
        Tokens::Page(token) => rounds::page(state, token, &subject, path)?,
        Tokens::Wrong => return Err(rounds::too_many_options()),
    };
    let preferred = View::preferred(request, &state.switches)?;
    let view = if kind == "select" {
        preferred.selecting(round.asked("$select"), &state.switches)?
    } else {
        preferred.of(&LEAST)
    };
    let since = match round.asked("startdatetime") {
        "" => None,
        text => Some(read_instant("startDateTime", text)?),
    };
    let tells_exceptions = state.switches.graph_events_delta_tells_exceptions;
    let inside = |key: u64, event, moment: &_, _: &BTreeSet<NaiveDate>| {
        let moment: &Moment = moment;
        let is_past = moment.body.series.is_none() && since.is_some_and(|since| moment.body.end.instant() < since);
        if is_past {
            return None;
        }
        let date = None;
        let mut rows = vec![Row::Whole(Item { key, event, moment: at(event, moment), date })];
        let series = moment.body.series.as_ref().filter(|_| tells_exceptions);
        for date in series.into_iter().flat_map(|series| series.exceptions.keys()) {
            rows.push(Row::Whole(Item { key, event, moment: at(event, moment), date: Some(*date) }));
        }
        Some(rows)
    };
    let groups = groups(state, &round, calendar.unwrap_or(DEFAULT), &view, None, inside);
    answer(state, request, &round, groups, &view, path)
}

/// The moment of this place in the event's own history, which lives as long as the event.
fn at<'a>(event: &'a Event, moment: &Moment) -> &'a Moment {
    event.at(moment.seq).unwrap_or_else(|| event.now())
}

/// `delta` is read as the id of an event where there is no such function.
fn malformed_id() -> Refusal {
    Refusal::new(400, "ErrorInvalidIdMalformed", "Id is malformed.")
}

enum Tokens<'a> {
    None,
    Delta(&'a str),
    Page(&'a str),
    Wrong,
}

fn options(request: &Request, asked: &[&str]) -> Result<Vec<(String, String)>, Refusal> {
    if request.method != "GET" {
        return Err(Refusal::no_method());
    }
    graph::options(request, &asked.iter().copied().chain(["$deltatoken", "$skiptoken"]).collect::<Vec<_>>())
}

fn tokens(options: &[(String, String)]) -> Tokens<'_> {
    let option = |name| graph::option(options, name);
    match (option("$skiptoken"), option("$deltatoken").filter(|token| !token.is_empty())) {
        (None, None) => Tokens::None,
        (None, Some(token)) if options.len() == 1 => Tokens::Delta(token),
        (Some(token), None) if options.len() == 1 => Tokens::Page(token),
        _ => Tokens::Wrong,
    }
}

/// One event and how a view of a window looks at it.
struct Place<'a, 'b> {
    key: u64,
    event: &'a Event,
    view: &'b View,
    window: &'b Window,
}

/// The rows of what an event has in a window: a series whole, its master first. `known` are the days that an earlier
/// round showed.
fn in_window<'a>(
    state: &State,
    place: Place<'a, '_>,
    moment: &Moment,
    known: &BTreeSet<NaiveDate>,
) -> Option<Vec<Row<'a>>> {
    let Place { key, event, view, window } = place;
    let there = instances(&moment.body, window);
    if there.is_empty() {
        return None;
    }
    let moment = at(event, moment);
    let mut rows = Vec::new();
    if moment.body.series.is_some() && state.switches.graph_view_delta_shows_masters {
        rows.push(Row::Whole(Item { key, event, moment, date: None }));
    }
    for instance in &there {
        let item = Item { key, event, moment, date: instance.date };
        let is_bare = instance.date.is_some() && !instance.is_exception && state.switches.graph_bare_occurrences;
        rows.push(if is_bare { Row::Bare(item) } else { Row::Whole(item) });
    }
    // Seen in the field: nothing tells that an occurrence was deleted but its absence from the series.
    if state.switches.graph_view_delta_tells_deleted_occurrences {
        let now: BTreeSet<NaiveDate> = there.iter().filter_map(|instance| instance.date).collect();
        let master = event_id(key, moment.moves, view.form);
        rows.extend(known.difference(&now).map(|date| Row::Gone(occurrence_id(&master, *date))));
    }
    Some(rows)
}

/// The rows of a round by event, none of which is told on two pages.
fn groups<'a>(
    state: &'a State,
    round: &Round,
    calendar: u64,
    view: &View,
    window: Option<&Window>,
    inside: impl Fn(u64, &'a Event, &'a Moment, &BTreeSet<NaiveDate>) -> Option<Vec<Row<'a>>>,
) -> Vec<Vec<Row<'a>>> {
    let graph = &state.microsoft;
    let mut groups = Vec::new();
    match round.since {
        None => {
            for (key, event) in &graph.calendar.events {
                let moment = event.at(round.horizon).filter(|moment| moment.calendar == Some(calendar));
                groups.extend(moment.and_then(|moment| inside(*key, event, moment, &BTreeSet::new())));
            }
        }
        Some(since) => {
            for what in touched(graph, since, round.horizon) {
                let Touched::Event(key) = what else { continue };
                let event = &graph.calendar.events[&key];
                let fate = fate(event, since, round.horizon, calendar, view.form, &state.switches);
                let gone = |moves| Row::Gone(event_id(key, moves, view.form));
                let mut rows: Vec<Row<'a>> = fate.gone.iter().copied().map(gone).collect();
                if let Some(moment) = fate.stays {
                    let before = fate.before.zip(window);
                    let known = before.map(|(before, window)| instances(&before.body, window)).unwrap_or_default();
                    let known = known.iter().filter_map(|instance| instance.date).collect();
                    // Documented: what changed outside of the window is told as removed, known or not.
                    let found = inside(key, event, moment, &known);
                    rows.extend(found.unwrap_or_else(|| vec![gone(moment.moves)]));
                }
                groups.push(rows);
            }
        }
    }
    if state.switches.reorder_fields {
        groups.reverse();
    }
    if round.since.is_some() && state.switches.graph_delta_repeats {
        groups.extend(groups.clone());
    }
    groups
}

/// What became of an event in a calendar.
struct Fate<'a> {
    /// By how often the id had changed: ids that name nothing here any more.
    gone: Vec<u32>,
    /// What it is, if it is here.
    stays: Option<&'a Moment>,
    /// What it was, if it was here.
    before: Option<&'a Moment>,
}

fn fate<'a>(event: &'a Event, since: u64, horizon: u64, calendar: u64, form: IdForm, switches: &Switches) -> Fate<'a> {
    let is_here = |moment: &&Moment| moment.calendar == Some(calendar);
    let before = event.at(since).filter(is_here);
    let path: Vec<&Moment> = event.history.iter().filter(|at| at.seq > since && at.seq <= horizon).collect();
    let Some(last) = path.last().copied() else { return Fate { gone: Vec::new(), stays: None, before } };
    let was_away = !path.iter().all(is_here);
    let here: Vec<&Moment> = before.into_iter().chain(path.iter().copied().filter(is_here)).collect();
    let mut stays = Some(last).filter(is_here);
    let mut gone: Vec<u32> = Vec::new();
    match form {
        IdForm::Immutable => {
            let came_back = before.is_some() && was_away && switches.graph_immutable_move_hole;
            let came_new = before.is_none() && event.at(since).is_some() && switches.graph_move_missing_at_goal;
            if came_back || (stays.is_none() && !here.is_empty()) {
                gone.push(last.moves);
            }
            if came_back || came_new {
                stays = None;
            }
        }
        IdForm::Regular => {
            for at in here {
                if stays.is_none_or(|stays| stays.moves != at.moves) && !gone.contains(&at.moves) {
                    gone.push(at.moves);
                }
            }
        }
    }
    Fate { gone, stays, before }
}

fn answer(
    state: &State,
    request: &Request,
    round: &Round,
    groups: Vec<Vec<Row<'_>>>,
    view: &View,
    path: &str,
) -> Answer {
    let mut ends = Vec::new();
    let mut rows = Vec::new();
    for group in groups {
        rows.extend(group);
        ends.push(rows.len());
    }
    let size = graph::preferred_rows(request).unwrap_or(USUAL_ROWS).min(MOST_ROWS);
    let (mut end, mut next) = graph::cut(round.from, rows.len(), size, &state.switches);
    // A page that holds anything ends with a series, not in the midst of one.
    if end > round.from.offset {
        end = ends.iter().copied().find(|at| *at >= end).unwrap_or(end);
        next = next.map(|next| graph::Cursor { offset: end, ..next }).filter(|_| end < rows.len());
    }
    let shown = rows.get(round.from.offset..end).unwrap_or_default().iter().map(|row| {
        let mut shown = Map::from_iter([("@odata.type".to_owned(), json!("#microsoft.graph.event"))]);
        shown.extend(match row {
            Row::Gone(id) => {
                Map::from_iter([("id".into(), id.as_str().into()), ("@removed".into(), json!({ "reason": "deleted" }))])
            }
            Row::Whole(item) => show(state, item, view),
            Row::Bare(item) => show(state, item, &view.clone().of(&BARE)),
        });
        ordered(shown, &state.switches)
    });
    let mut page = Map::new();
    page.insert("@odata.context".into(), links::api(state, "$metadata#Collection(event)").into());
    page.insert("value".into(), shown.collect::<Vec<Value>>().into());
    let (name, link) = round.link(state, path, next);
    page.insert(name.into(), link.into());
    Ok(query::confirm(Response::json(200, &page.into()), request))
}
