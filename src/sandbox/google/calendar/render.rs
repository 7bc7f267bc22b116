//! Events as answers show them: times in the calendar's zone, marks for the user's own entries, details hidden from those
//! who may not see them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono_tz::Tz;
use rand::seq::SliceRandom;
use serde_json::{Map, Value, json};

use super::errors::{bad_parameter, invalid};
use super::store::{Calendar, Event, Role};
use super::times;
use crate::google::errors::Refusal;
use crate::{Request, State};

/// How an answer is to look.
#[derive(Clone, Debug)]
pub(super) struct View {
    /// Instead of the calendar's own zone.
    zone: Option<Tz>,
    most_attendees: Option<usize>,
    /// Deleted events show their id alone.
    pub hides_deleted: bool,
}

impl View {
    /// All details, in the calendar's zone.
    pub fn whole() -> Self {
        Self { zone: None, most_attendees: None, hides_deleted: false }
    }

    /// As the query asks for it.
    pub fn of(request: &Request) -> Result<Self, Refusal> {
        let zone = match request.param("timeZone") {
            None => None,
            Some(name) => Some(times::zone(name).ok_or_else(|| bad_parameter("timeZone", "Invalid time zone."))?),
        };
        let most_attendees = match request.param("maxAttendees").map(str::parse::<usize>) {
            None => None,
            Some(Ok(most)) if most >= 1 => Some(most),
            Some(_) => return Err(bad_parameter("maxAttendees", "Invalid value for maxAttendees.")),
        };
        Ok(Self { zone, most_attendees, hides_deleted: false })
    }
}

/// An event with its id and etag.
pub(super) fn event(state: &State, calendar: &Calendar, id: &str, etag: &str, event: &Event, view: &View) -> Value {
    let zone = view.zone.or_else(|| times::zone(calendar.zone())).unwrap_or(Tz::UTC);
    let moment = |name: &str| times::stored(&event.body, name).map(|moment| moment.shown(zone));
    let mut shown = Map::new();
    shown.insert("kind".into(), json!("calendar#event"));
    shown.insert("etag".into(), json!(etag));
    shown.insert("id".into(), json!(id));
    shown.insert("status".into(), json!(event.text("status")));
    if event.is_stub && event.series().is_none()
        || (event.is_cancelled() && event.series().is_none() && view.hides_deleted)
    {
        return Value::Object(shown);
    }
    if event.is_cancelled() && event.series().is_some() {
        shown.insert("recurringEventId".into(), json!(event.series()));
        shown.extend(moment("originalStartTime").map(|moment| ("originalStartTime".to_owned(), moment)));
        return Value::Object(shown);
    }
    let link = URL_SAFE_NO_PAD.encode(format!("{id} {}", calendar.id));
    shown.insert("htmlLink".into(), json!(format!("https://www.google.com/calendar/event?eid={link}")));
    shown.insert("created".into(), json!(times::created(event.created_ms)));
    shown.insert("updated".into(), json!(times::updated(event.updated_ms)));
    let is_private = matches!(event.text("visibility"), "private" | "confidential");
    let is_hidden = calendar.role == Role::FreeBusyReader || (is_private && calendar.role.hides_private());
    const BARE: [&str; 6] = ["iCalUID", "recurrence", "recurringEventId", "visibility", "sequence", "eventType"];
    for (name, value) in event.body.iter().filter(|(name, _)| !is_hidden || BARE.contains(&name.as_str())) {
        let value = match name.as_str() {
            "status" => continue,
            "start" | "end" | "originalStartTime" => moment(name).unwrap_or_else(|| value.clone()),
            "creator" | "organizer" => person(state, calendar, value),
            "attendees" => {
                let list = value.as_array().map(Vec::as_slice).unwrap_or_default();
                let (list, is_cut) = guests(state, calendar, event, list, view.most_attendees);
                if is_cut {
                    shown.insert("attendeesOmitted".into(), json!(true));
                }
                Value::Array(list)
            }
            _ => value.clone(),
        };
        shown.insert(name.clone(), value);
    }
    if is_hidden {
        for name in ["start", "end", "originalStartTime"] {
            shown.extend(moment(name).map(|moment| (name.to_owned(), moment)));
        }
    }
    Value::Object(shown)
}

fn person(state: &State, calendar: &Calendar, value: &Value) -> Value {
    let mut person = value.clone();
    if value["email"].as_str().is_some_and(|email| state.google.calendar.is_self(&calendar.id, email)) {
        person["self"] = json!(true);
    }
    person
}

/// The guests with their marks, and whether some were left out.
fn guests(
    state: &State,
    calendar: &Calendar,
    event: &Event,
    list: &[Value],
    most: Option<usize>,
) -> (Vec<Value>, bool) {
    let organizer = event.body.get("organizer").and_then(|organizer| organizer["email"].as_str());
    let is_cut = most.is_some_and(|most| list.len() > most);
    let marked = list.iter().map(|guest| {
        let mut guest = person(state, calendar, guest);
        if organizer.is_some() && guest["email"].as_str() == organizer {
            guest["organizer"] = json!(true);
        }
        guest
    });
    (marked.filter(|guest| !is_cut || guest["self"] == true).collect(), is_cut)
}

/// An answer's body as the switches want it: with its keys in another order, perhaps.
pub(super) fn jumbled(state: &mut State, value: Value) -> Value {
    if !state.switches.reorder_fields {
        return value;
    }
    match value {
        Value::Object(object) => {
            let mut pairs: Vec<(String, Value)> = object.into_iter().collect();
            pairs.shuffle(&mut state.rng);
            Value::Object(pairs.into_iter().map(|(name, value)| (name, jumbled(state, value))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(|item| jumbled(state, item)).collect()),
        other => other,
    }
}

/// A whole number of a query within bounds; above them, the upper one.
pub(super) fn count(request: &Request, name: &str, default: usize, most: usize) -> Result<usize, Refusal> {
    match request.param(name).map(str::parse::<usize>) {
        None => Ok(default),
        Some(Ok(0)) | Some(Err(_)) => Err(bad_parameter(name, &format!("Invalid value for {name}."))),
        Some(Ok(count)) => Ok(count.min(most)),
    }
}

/// A flag of a query.
pub(super) fn flag(request: &Request, name: &str) -> bool {
    request.param(name) == Some("true")
}

/// A body that must be there and be JSON.
pub(super) fn json_body(request: &Request) -> Result<Value, Refusal> {
    if !request.says_json() {
        return Err(invalid("Invalid content type: the request body must be application/json."));
    }
    request
        .body_json()
        .map_err(|why| super::errors::error(400, "global", "parseError", &format!("Parse Error: {why}"), None))
}
