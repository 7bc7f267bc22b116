//! Another client of the user: Outlook, a phone, a colleague's invitation. What it does moves change keys and shows in
//! the deltas like any write, but no request is made, none is counted, and nobody is mailed.
//!
//! The same over HTTP: `POST /_sandbox/microsoft/<action>` with a JSON object:
//!
//! | action | body | answer |
//! |---|---|---|
//! | `create_event` | `calendar`?, `event` | `id` |
//! | `edit_event` | `id`, `event`: the properties to set, null for what an empty event says | |
//! | `delete_event` (to Deleted Items), `restamp_event`, `get_event` | `id` | `get_event`: the event |
//! | `move_event` | `id`, `calendar` | |
//! | `edit_occurrence` | `id` of the series, `date` as the rule has it, `event` | |
//! | `delete_occurrence` | `id` of the series, `date` | |
//! | `events`, `calendars` | | all events; all calendars with theirs, and what was mailed |
//! | `add_calendar` | `name`, `color`?, `read_only`?, `owner`? (`name`, `address`) | `id` |
//! | `edit_calendar` | `calendar`, `name`?, `color`? | |
//! | `delete_calendar` | `calendar` | |
//! | `mailbox_zone` | `zone` | |
//! | `mails` | `reset`? | what was mailed so far; then it may be forgotten |
//!
//! A calendar is named by its id or its name, the default one by an empty text; an event by its id of either form.
//! Answers have immutable ids. An event may have an `organizer`, an `iCalUId`, `isOrganizer`, `isCancelled` and a
//! `responseStatus`, and its zone may be `tzone://Microsoft/Custom`, `tzone://Microsoft/Utc` or `Customized Time Zone`.

use chrono::NaiveDate;
use serde_json::{Value, json};

use super::super::fields::Change;
use super::super::reply::Refusal;
use super::super::store::{IdForm, Rules};
use super::body::Body;
use super::calendars::{self, Sent};
use super::events::{delete, with_exception};
use super::fields;
use super::mails::Mail;
use super::store::{BIN, Calendar, DEFAULT, Found, MINE, OTHERS, calendar_id, event_id};
use super::zones::{CUSTOM, Zone};
use super::{dump, people, show};
use crate::{Sandbox, State};

/// How the service calls UTC in some answers.
const OTHER_UTC: &str = "tzone://Microsoft/Utc";

impl Sandbox {
    /// Adds an event (Graph's JSON) to a calendar and gives its immutable id.
    pub fn graph_event_create(&self, calendar: &str, event: &Value) -> Result<String, String> {
        self.with(|state| create(state, calendar, event))
    }

    /// Changes an event or the occurrence that an id names: the closure gets its JSON, extended properties included, and
    /// what it changes is stored.
    pub fn graph_event_edit(&self, id: &str, edit: impl FnOnce(&mut Value)) -> Result<(), String> {
        self.with(|state| event(state, id).and_then(|found| self::edit(state, found, edit)))
    }

    /// Deletes an event to Deleted Items, or from there for good.
    pub fn graph_event_delete(&self, id: &str) -> Result<(), String> {
        self.with(|state| event(state, id).map(|found| delete(state, found)))
    }

    /// Moves an event to another calendar, also out of Deleted Items. Its immutable id stays.
    pub fn graph_event_move(&self, id: &str, calendar: &str) -> Result<(), String> {
        self.with(|state| move_to(state, id, calendar))
    }

    /// A new change key with equal content, as the service itself makes now and then.
    pub fn graph_event_restamp(&self, id: &str) -> Result<(), String> {
        self.with(|state| restamp(state, id))
    }

    /// Changes the occurrence of a series that the rule has on this day (`2026-03-09`).
    pub fn graph_occurrence_edit(&self, id: &str, date: &str, edit: impl FnOnce(&mut Value)) -> Result<(), String> {
        self.with(|state| occurrence(state, id, date).and_then(|found| self::edit(state, found, edit)))
    }

    /// Deletes the occurrence of a series that the rule has on this day.
    pub fn graph_occurrence_delete(&self, id: &str, date: &str) -> Result<(), String> {
        self.with(|state| occurrence(state, id, date).map(|found| delete(state, found)))
    }

    /// An event as it is now in its own zones, with extended properties; for a series its `exceptions` by their days and
    /// its `cancelled` days. None if it is gone for good.
    pub fn graph_event(&self, id: &str) -> Option<Value> {
        self.with(|state| get(state, id))
    }

    /// All events of all calendars, Deleted Items left out.
    pub fn graph_events(&self) -> Vec<Value> {
        self.with(|state| all(state))
    }

    /// Makes a calendar of the user's and gives its id.
    pub fn graph_calendar_create(&self, name: &str) -> Result<String, String> {
        self.with(|state| add_calendar(state, &json!({ "name": name })))
    }

    /// Adds a calendar that the user may only read, and gives its id.
    pub fn graph_calendar_share(&self, name: &str, owner: &str) -> Result<String, String> {
        let shared = json!({ "name": name, "read_only": true, "owner": { "name": owner, "address": owner } });
        self.with(|state| add_calendar(state, &shared))
    }

    /// Renames a calendar.
    pub fn graph_calendar_rename(&self, calendar: &str, name: &str) -> Result<(), String> {
        self.with(|state| edit_calendar(state, calendar, Some(name), None))
    }

    /// Gives a calendar another colour, by Graph's name for it (`lightTeal`).
    pub fn graph_calendar_recolor(&self, calendar: &str, color: &str) -> Result<(), String> {
        self.with(|state| edit_calendar(state, calendar, None, Some(color)))
    }

    /// Deletes a calendar with all that is in it, also one that the user may only read.
    pub fn graph_calendar_delete(&self, calendar: &str) -> Result<(), String> {
        self.with(|state| delete_calendar(state, calendar))
    }

    /// What the real service would have mailed because of requests so far.
    pub fn graph_mails(&self) -> Vec<Mail> {
        self.with(|state| state.microsoft.calendar.mails.clone())
    }

    /// Forgets what was mailed.
    pub fn graph_forget_mails(&self) {
        self.with(|state| state.microsoft.calendar.mails.clear());
    }

    /// Sets the zone of the mailbox by its Windows or IANA name.
    pub fn graph_set_mailbox_zone(&self, zone: &str) -> Result<(), String> {
        self.with(|state| set_zone(state, zone))
    }
}

fn told<T>(done: Result<T, Refusal>) -> Result<T, String> {
    done.map_err(|refusal| refusal.text())
}

fn event(state: &State, id: &str) -> Result<Found, String> {
    state.microsoft.calendar.find_any(id).ok_or_else(|| format!("no event {id}"))
}

fn occurrence(state: &State, id: &str, date: &str) -> Result<Found, String> {
    let key = event(state, id)?.key;
    let date: NaiveDate = date.parse().map_err(|_| format!("no date {date}"))?;
    let series = state.microsoft.calendar.events[&key].now().body.series.clone();
    let series = series.ok_or_else(|| format!("{id} is no series"))?;
    if series.cancelled.contains(&date) || !series.rule.falls_on(date) {
        return Err(format!("no occurrence on {date}"));
    }
    Ok(Found { key, date: Some(date) })
}

/// A calendar by its id or name; an empty text is the default one.
fn calendar(state: &State, name: &str) -> Result<u64, String> {
    if name.is_empty() {
        return Ok(DEFAULT);
    }
    let store = &state.microsoft.calendar;
    let by_name = store.calendars.iter().find(|(_, calendar)| calendar.name == name).map(|(key, _)| *key);
    store.find_calendar(name).ok().or(by_name).ok_or_else(|| format!("no calendar {name}"))
}

/// Reads a new event as another client may put it: its body and its `iCalUId`.
pub(super) fn read_new(state: &State, sent: &Value) -> Result<(Body, Option<String>), Refusal> {
    let empty = Body::empty(&people::owner(&state.microsoft_account));
    let uid = sent["iCalUId"].as_str().map(str::to_owned);
    let mut body = read(state, sent.clone(), Change::Create, &empty, false)?;
    // What only the service says is taken over too.
    let own = ["organizer", "isOrganizer", "isCancelled", "responseStatus", "attendees"];
    let mut said = json!({});
    for name in own.into_iter().filter(|name| sent.get(*name).is_some()) {
        said[name] = sent[name].clone();
    }
    body = read(state, said, Change::Replace, &body, false)?;
    Ok((body, uid))
}

/// Reads what another client sent, zones without a name of their own included.
fn read(state: &State, mut sent: Value, change: Change, old: &Body, is_occurrence: bool) -> Result<Body, Refusal> {
    if change == Change::Create
        && let Some(object) = sent.as_object_mut()
    {
        for name in ["organizer", "isOrganizer", "isCancelled", "responseStatus"] {
            object.shift_remove(name);
        }
    }
    let mailbox = &state.microsoft.calendar.zone;
    let mut renamed = [None, None];
    for (at, name) in ["start", "end"].into_iter().enumerate() {
        let zone = sent[name]["timeZone"].as_str().unwrap_or_default().to_owned();
        let rules = match zone.as_str() {
            OTHER_UTC => Zone::utc(),
            zone if CUSTOM.contains(&zone) => mailbox.clone(),
            _ => continue,
        };
        sent[name]["timeZone"] = rules.name.clone().into();
        renamed[at] = Some(Zone::nameless(&zone, &rules));
    }
    let recurrence = sent["recurrence"]["range"]["recurrenceTimeZone"].as_str().unwrap_or_default();
    if CUSTOM.contains(&recurrence) || recurrence == OTHER_UTC {
        sent["recurrence"]["range"]["recurrenceTimeZone"] = Value::Null;
    }
    if let Some(object) = sent.as_object_mut() {
        // Indexing made what it looked for.
        let is_void = |name: &str, value: &Value| ["start", "end", "recurrence"].contains(&name) && value.is_null();
        let had_recurrence = old.series.is_some();
        object.retain(|name, value| !is_void(name, value) || (name == "recurrence" && had_recurrence));
    }
    let mut body = fields::read(&sent, change, old, is_occurrence, &state.switches)?;
    let [start, end] = renamed;
    if let Some(zone) = start {
        if let Some(series) = &mut body.series {
            series.rule.zone = zone.clone();
        }
        body.start.zone = zone;
    }
    if let Some(zone) = end {
        body.end.zone = zone;
    }
    Ok(body)
}

fn create(state: &mut State, into: &str, event: &Value) -> Result<String, String> {
    let into = calendar(state, into)?;
    let (body, uid) = told(read_new(state, event))?;
    let rules = Rules::of(state);
    let key = state.microsoft.create_event(&rules, into, body, uid);
    Ok(event_id(key, 0, IdForm::Immutable))
}

fn edit(state: &mut State, found: Found, edit: impl FnOnce(&mut Value)) -> Result<(), String> {
    let before = show::dump(state, found.key, found.date);
    let mut after = before.clone();
    edit(&mut after);
    let whole = state.microsoft.calendar.events[&found.key].now().body.clone();
    let mut old = found.date.map_or_else(|| (*whole).clone(), |date| whole.on(date));
    let empty = Body::empty(&people::owner(&state.microsoft_account));
    let (before, after) = match (before, after) {
        (Value::Object(before), Value::Object(after)) => (before, after),
        _ => return Err("an event is an object".into()),
    };
    for name in before.keys().filter(|name| after.get(*name).is_none_or(Value::is_null)) {
        if let Some(value) = empty.fields.get(name) {
            old.fields.insert(name.clone(), value.clone());
        }
    }
    let mut sent = json!({});
    for (name, value) in after.iter().filter(|(name, value)| before.get(*name) != Some(value)) {
        if !(value.is_null() && empty.fields.contains_key(name)) {
            sent[name.as_str()] = value.clone();
        }
    }
    if sent.get("singleValueExtendedProperties").is_some() || state.switches.graph_edit_drops_properties {
        old.extended.clear();
    }
    if before.get("recurrence") == after.get("recurrence") && old.series.is_some() && sent.get("start").is_some() {
        let mut recurrence = before["recurrence"].clone();
        let date = sent["start"]["dateTime"].as_str().and_then(|text| text.get(..10)).unwrap_or_default();
        recurrence["range"]["startDate"] = date.into();
        recurrence["range"]["recurrenceTimeZone"] = Value::Null;
        sent["recurrence"] = recurrence;
    }
    let new = told(read(state, sent, Change::Replace, &old, found.date.is_some()))?;
    let written = match found.date {
        Some(date) => told(with_exception(&whole, date, &new))?,
        None => new,
    };
    let rules = Rules::of(state);
    state.microsoft.edit_event(&rules, found.key, written);
    Ok(())
}

fn move_to(state: &mut State, id: &str, to: &str) -> Result<(), String> {
    let (found, to) = (event(state, id)?, calendar(state, to)?);
    let rules = Rules::of(state);
    state.microsoft.move_event(&rules, found.key, to);
    Ok(())
}

fn restamp(state: &mut State, id: &str) -> Result<(), String> {
    let (found, now) = (event(state, id)?, state.now_ms());
    state.microsoft.restamp_event(now, found.key);
    Ok(())
}

fn get(state: &State, id: &str) -> Option<Value> {
    let found = state.microsoft.calendar.find_any(id)?;
    Some(show::dump(state, found.key, found.date))
}

fn all(state: &State) -> Vec<Value> {
    let events = state.microsoft.calendar.events.iter();
    let there = events.filter(|(_, event)| event.now().calendar.is_some_and(|calendar| calendar != BIN));
    there.map(|(key, _)| show::dump(state, *key, None)).collect()
}

fn add_calendar(state: &mut State, sent: &Value) -> Result<String, String> {
    let is_read_only = sent["read_only"] == true;
    let owner = &sent["owner"];
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let owner = text(&owner["name"]).zip(text(&owner["address"]));
    let added = Calendar {
        name: text(&sent["name"]).ok_or("\"name\" must be a text")?,
        color: calendars::color(sent["color"].as_str().unwrap_or("auto")).ok_or("no such colour")?.into(),
        group: if is_read_only { OTHERS } else { MINE },
        can_edit: !is_read_only,
        is_removable: true,
        owner,
        changes: 1,
    };
    told(state.microsoft.calendar.add_calendar(added)).map(calendar_id)
}

fn edit_calendar(state: &mut State, named: &str, name: Option<&str>, color: Option<&str>) -> Result<(), String> {
    let key = calendar(state, named)?;
    let color = match color {
        Some(color) => Some(calendars::color(color).ok_or_else(|| format!("no colour {color}"))?.to_owned()),
        None => None,
    };
    told(calendars::change(state, key, Sent { name: name.map(str::to_owned), color }))
}

fn delete_calendar(state: &mut State, named: &str) -> Result<(), String> {
    let key = calendar(state, named)?;
    if key == DEFAULT {
        return Err("the default calendar cannot be deleted".into());
    }
    let rules = Rules::of(state);
    state.microsoft.delete_calendar(&rules, key);
    Ok(())
}

fn set_zone(state: &mut State, zone: &str) -> Result<(), String> {
    state.microsoft.calendar.zone = Zone::named(zone).ok_or_else(|| format!("no zone {zone}"))?;
    Ok(())
}

/// Answers a control action `microsoft/<action>` on calendars; an error is a text for the author of a test.
pub(in super::super) fn control(state: &mut State, action: &str, body: &Value) -> Result<Value, String> {
    let word = |key: &str| body[key].as_str().ok_or_else(|| format!("\"{key}\" must be a text"));
    let id_of = |id: String| json!({ "id": id });
    let nothing = |()| json!({});
    let set = || {
        let sent = body["event"].as_object().ok_or("\"event\" must be an object")?;
        Ok::<_, String>(move |event: &mut Value| {
            for (name, value) in sent {
                event[name.as_str()] = value.clone();
            }
        })
    };
    match action {
        "create_event" => create(state, body["calendar"].as_str().unwrap_or_default(), &body["event"]).map(id_of),
        "edit_event" => {
            let found = event(state, word("id")?)?;
            edit(state, found, set()?).map(nothing)
        }
        "delete_event" => event(state, word("id")?).map(|found| delete(state, found)).map(nothing),
        "move_event" => move_to(state, word("id")?, word("calendar")?).map(nothing),
        "restamp_event" => restamp(state, word("id")?).map(nothing),
        "get_event" => Ok(get(state, word("id")?).unwrap_or_default()),
        "edit_occurrence" => {
            let found = occurrence(state, word("id")?, word("date")?)?;
            edit(state, found, set()?).map(nothing)
        }
        "delete_occurrence" => {
            let found = occurrence(state, word("id")?, word("date")?)?;
            delete(state, found);
            Ok(json!({}))
        }
        "events" => Ok(all(state).into()),
        "calendars" => Ok(dump(state)),
        "add_calendar" => add_calendar(state, body).map(id_of),
        "edit_calendar" => {
            edit_calendar(state, word("calendar")?, body["name"].as_str(), body["color"].as_str()).map(nothing)
        }
        "delete_calendar" => delete_calendar(state, word("calendar")?).map(nothing),
        "mailbox_zone" => set_zone(state, word("zone")?).map(nothing),
        "mails" => {
            let mails = json!(state.microsoft.calendar.mails);
            if body["reset"] == true {
                state.microsoft.calendar.mails.clear();
            }
            Ok(mails)
        }
        _ => Err(format!("unknown action microsoft/{action}")),
    }
}
