//! Another client of the user: edits from the web page or a phone, invitations that come in. As methods of [`Sandbox`],
//! and as control actions `google/calendar/...` for a test in another process.

use serde_json::{Map, Value, json};

use super::errors::not_found;
use super::events::{self, Hand, Site};
use super::instances::{self, current};
use super::mails::{Mail, Tell};
use super::render::{self, View};
use super::store::{self, Event, Role};
use super::{calendars, recurrence, times, transfers};
use crate::google::errors::Refusal;
use crate::{Response, Sandbox, State};

fn done<T>(result: Result<T, Refusal>) -> Result<T, String> {
    let text = |refusal: &Response| {
        let body = refusal.body_json();
        body["error"]["message"].as_str().unwrap_or("refused").to_owned()
    };
    result.map_err(|refusal| text(&refusal))
}

impl Sandbox {
    /// The user's calendars, as the list shows them.
    pub fn google_calendars(&self) -> Vec<Value> {
        self.with(|state| {
            settle(state);
            all_calendars(state)
        })
    }

    /// Makes a secondary calendar and gives its id.
    pub fn google_add_calendar(&self, summary: &str) -> Result<String, String> {
        self.with(|state| add_calendar(state, summary))
    }

    /// Changes a calendar's own fields (`summary`, `description`, `timeZone`…); null clears.
    pub fn google_edit_calendar(&self, calendar: &str, fields: &Value) -> Result<(), String> {
        self.with(|state| edit_calendar(state, calendar, fields))
    }

    /// Changes how the user sees a calendar (`colorId`, `summaryOverride`, `hidden`, `defaultReminders`…); null clears.
    pub fn google_edit_calendar_entry(&self, calendar: &str, fields: &Value) -> Result<(), String> {
        self.with(|state| edit_entry(state, calendar, fields))
    }

    /// Destroys a calendar with all that is on it.
    pub fn google_delete_calendar(&self, calendar: &str) -> Result<(), String> {
        self.with(|state| done(calendars::destroy(state, calendar)))
    }

    /// The owner gives the user another role (`owner`, `writer`, `reader`…). Sync tokens of the calendar expire.
    pub fn google_set_calendar_role(&self, calendar: &str, role: &str) -> Result<(), String> {
        self.with(|state| set_role(state, calendar, role))
    }

    /// Adds an event and gives its id.
    pub fn google_add_event(&self, calendar: &str, event: &Value) -> Result<String, String> {
        self.with(|state| add_event(state, calendar, event))
    }

    /// An invitation comes in: an event that somebody else organizes, with the user among its guests. `organizer` is an
    /// address. With `recurringEventId` and `originalStartTime` it is one occurrence of a series that the user does not
    /// have. Gives its id.
    pub fn google_invite(&self, calendar: &str, organizer: &str, event: &Value) -> Result<String, String> {
        self.with(|state| invite(state, calendar, organizer, event))
    }

    /// Changes an event, or one occurrence by its own id: the closure gets its JSON, and what it leaves is stored.
    pub fn google_edit_event(&self, calendar: &str, id: &str, edit: impl FnOnce(&mut Value)) -> Result<(), String> {
        self.with(|state| edit_event(state, calendar, id, edit))
    }

    /// Deletes an event, or takes one occurrence out of its series.
    pub fn google_delete_event(&self, calendar: &str, id: &str) -> Result<(), String> {
        self.with(|state| delete_event(state, calendar, id))
    }

    /// The service makes a calendar of its own anew (holidays, birthdays): the same events under other ids.
    pub fn google_regenerate_calendar(&self, calendar: &str) -> Result<(), String> {
        self.with(|state| regenerate(state, calendar))
    }

    /// Moves an event to another calendar.
    pub fn google_move_event(&self, calendar: &str, id: &str, to: &str) -> Result<(), String> {
        self.with(|state| move_event(state, calendar, id, to))
    }

    /// "This and following": ends a series before an occurrence, and makes a new series of the rest. Gives the new id.
    pub fn google_split_series(&self, calendar: &str, occurrence: &str) -> Result<String, String> {
        self.with(|state| split(state, calendar, occurrence))
    }

    /// An event or occurrence as it is now, all details; none if there never was one.
    pub fn google_event(&self, calendar: &str, id: &str) -> Option<Value> {
        self.with(|state| event(state, calendar, id))
    }

    /// Everything stored on a calendar that is not deleted: single events, series, exceptions (cancelled ones too).
    pub fn google_events(&self, calendar: &str) -> Vec<Value> {
        self.with(|state| all_events(state, calendar))
    }

    /// Every mail that the real service would have sent so far.
    pub fn google_mails(&self) -> Vec<Mail> {
        self.with(|state| state.google.calendar.mails.clone())
    }

    /// Forgets the mails noted so far.
    pub fn google_forget_mails(&self) {
        self.with(|state| state.google.calendar.mails.clear());
    }
}

fn settle(state: &mut State) {
    let account = state.google_account.clone();
    store::settle_in(state, &account);
}

/// A calendar as the user's own hand reaches it.
fn site(state: &mut State, calendar: &str) -> Result<Site, Refusal> {
    settle(state);
    let here = store::calendar(state, calendar)?;
    Ok(Site { calendar: here.id.clone(), is_primary: here.is_primary, tell: Tell::Never, hand: Hand::User })
}

fn object(value: &Value) -> Result<Map<String, Value>, String> {
    value.as_object().cloned().ok_or_else(|| "an object is needed".to_owned())
}

fn all_calendars(state: &State) -> Vec<Value> {
    let listed = state.google.calendar.calendars.iter();
    let listed = listed.filter(|here| !here.is_gone && !here.entry.newest().value.is_deleted);
    let shown = listed.map(|here| {
        let mut shown = Map::new();
        shown.insert("id".into(), json!(here.id));
        shown.extend(here.fields.clone());
        shown.extend(here.entry.newest().value.fields.clone());
        shown.insert("accessRole".into(), json!(here.role.name()));
        shown.insert("primary".into(), json!(here.is_primary));
        Value::Object(shown)
    });
    shown.collect()
}

fn add_calendar(state: &mut State, summary: &str) -> Result<String, String> {
    settle(state);
    done(calendars::add(state, Map::from_iter([("summary".into(), json!(summary))])))
}

fn edit_calendar(state: &mut State, calendar: &str, fields: &Value) -> Result<(), String> {
    let site = done(site(state, calendar))?;
    done(calendars::rewrite(state, &site.calendar, object(fields)?, false))
}

fn edit_entry(state: &mut State, calendar: &str, fields: &Value) -> Result<(), String> {
    let site = done(site(state, calendar))?;
    let mut entry = done(store::calendar(state, &site.calendar))?.entry.newest().value.clone();
    let mut fields = object(fields)?;
    if let Some(background) = fields.get("colorId").and_then(Value::as_str).and_then(super::colors::of_calendar) {
        fields.insert("backgroundColor".into(), json!(background));
    }
    events::merge(&mut entry.fields, fields);
    store::put_entry(state, &site.calendar, entry);
    Ok(())
}

fn set_role(state: &mut State, calendar: &str, role: &str) -> Result<(), String> {
    let role = Role::of(role).ok_or_else(|| format!("unknown role {role}"))?;
    let site = done(site(state, calendar))?;
    let here = state.google.calendar.calendar_mut(&site.calendar).ok_or("no such calendar")?;
    here.role = role;
    here.epoch += 1;
    Ok(())
}

fn add_event(state: &mut State, calendar: &str, event: &Value) -> Result<String, String> {
    let site = done(site(state, calendar))?;
    let body = object(event)?;
    done(events::add(state, &site, body))
}

fn invite(state: &mut State, calendar: &str, organizer: &str, event: &Value) -> Result<String, String> {
    let site = done(site(state, calendar))?;
    let mut body = object(event)?;
    let owner = state.google.calendar.owner.clone();
    let guests = body.entry("attendees").or_insert_with(|| json!([])).as_array_mut().ok_or("attendees is a list")?;
    if !guests.iter().any(|guest| guest["email"] == owner.as_str()) {
        guests.push(json!({ "email": owner, "responseStatus": "needsAction" }));
    }
    body.insert("organizer".into(), json!({ "email": organizer }));
    body.insert("creator".into(), json!({ "email": organizer }));
    let series = body.remove("recurringEventId");
    let original = body.remove("originalStartTime");
    let uid = body.remove("iCalUID");
    let mut body = done(super::fields::settle(state, (&site.calendar, site.is_primary), body))?;
    let mut id = state.google.calendar.fresh_id("invitation");
    if let (Some(series), Some(original)) = (series, original) {
        // One occurrence: its series is on the organizer's calendar only.
        let at = done(times::read(&original, "originalStartTime"))?;
        id = format!("{}_{}", series.as_str().unwrap_or_default(), at.suffix());
        body.insert("originalStartTime".into(), at.stored());
        body.insert("recurringEventId".into(), series);
    }
    let uid = uid.and_then(|uid| uid.as_str().map(str::to_owned)).unwrap_or_else(|| format!("{id}@google.com"));
    body.insert("iCalUID".into(), json!(uid));
    let now_ms = state.now_ms();
    let event = Event { body, created_ms: now_ms, updated_ms: now_ms, ..Event::default() };
    store::put_event(state, &site.calendar, &id, event);
    Ok(id)
}

fn edit_event(state: &mut State, calendar: &str, id: &str, edit: impl FnOnce(&mut Value)) -> Result<(), String> {
    let site = done(site(state, calendar))?;
    let found = current(state, &site.calendar, id).ok_or("no such event")?;
    let mut body = Value::Object(found.event.body.clone());
    edit(&mut body);
    if state.switches.calendar_edit_drops_private
        && let Some(both) = body.get_mut("extendedProperties").and_then(Value::as_object_mut)
    {
        both.remove("private");
    }
    let body = object(&body)?;
    done(events::replace(state, &site, id, found, body))
}

fn delete_event(state: &mut State, calendar: &str, id: &str) -> Result<(), String> {
    let site = done(site(state, calendar))?;
    let found = current(state, &site.calendar, id).filter(|found| !found.event.is_cancelled());
    let found = found.ok_or("no such event")?;
    done(events::cancel(state, &site, id, &found.event))
}

fn regenerate(state: &mut State, calendar: &str) -> Result<(), String> {
    let site = done(site(state, calendar))?;
    let here = done(store::calendar(state, &site.calendar))?;
    let stored = here.events.iter().map(|(id, history)| (id.clone(), history.newest().value.clone()));
    let living: Vec<(String, Event)> =
        stored.filter(|(_, event)| !event.is_cancelled() && event.series().is_none()).collect();
    for (id, event) in living {
        done(events::cancel(state, &site, &id, &event))?;
        let fresh = state.google.calendar.fresh_id("regenerated");
        let now_ms = state.now_ms();
        let mut event = Event { created_ms: now_ms, updated_ms: now_ms, ..event };
        event.body.insert("iCalUID".into(), json!(format!("{fresh}@google.com")));
        store::put_event(state, &site.calendar, &fresh, event);
    }
    Ok(())
}

fn move_event(state: &mut State, calendar: &str, id: &str, to: &str) -> Result<(), String> {
    let (from, to) = (done(site(state, calendar))?, done(site(state, to))?);
    done(transfers::move_to(state, &from, id, &to))
}

fn split(state: &mut State, calendar: &str, id: &str) -> Result<String, String> {
    let site = done(site(state, calendar))?;
    let found = current(state, &site.calendar, id).ok_or("no such occurrence")?;
    let base = found.event.series().ok_or("that is no occurrence of a series")?.to_owned();
    let master = current(state, &site.calendar, &base).ok_or("its series is not on this calendar")?;
    let at = times::stored(&found.event.body, "originalStartTime").ok_or("it has no original start")?;
    let reading = super::fields::reading(&state.switches);
    let series = recurrence::Series::of(&master.event.body, reading).ok_or("its series cannot be expanded")?;
    let before = series.between(None, at.instant().timestamp_millis()).count();
    let end = at.plus(chrono::Duration::seconds(-1)).suffix();
    let lines = |line: &dyn Fn(&str) -> String| -> Value {
        let list = master.event.body.get("recurrence").and_then(Value::as_array).cloned().unwrap_or_default();
        let texts = list.iter().filter_map(Value::as_str);
        texts.map(|text| if text.starts_with("RRULE") { line(text) } else { text.to_owned() }).collect()
    };
    // The old rule ends before the occurrence, whatever ended it before; a count is what is left of it.
    let bare = |text: &str| -> String {
        let parts = text.split(';').filter(|part| !part.starts_with("COUNT=") && !part.starts_with("UNTIL="));
        parts.collect::<Vec<_>>().join(";")
    };
    let ended = lines(&|text| format!("{};UNTIL={end}", bare(text)));
    let rest = lines(&|text| match text.split_once("COUNT=") {
        Some((_, after)) => {
            let count: usize = after.split(';').next().and_then(|count| count.parse().ok()).unwrap_or(0);
            format!("{};COUNT={}", bare(text), count.saturating_sub(before))
        }
        None => text.to_owned(),
    });
    let mut body = master.event.body.clone();
    body.insert("recurrence".into(), rest);
    body.insert("start".into(), at.stored());
    body.insert("end".into(), at.plus(series.span).stored());
    let new_id = format!("{base}_R{}", at.suffix().trim_end_matches('Z'));
    body.insert("iCalUID".into(), json!(format!("{new_id}@google.com")));
    let body = done(super::fields::settle(state, (&site.calendar, site.is_primary), body))?;
    let now_ms = state.now_ms();
    edit_event(state, calendar, &base, |event| event["recurrence"] = ended)?;
    let event = Event { body, created_ms: now_ms, updated_ms: now_ms, ..Event::default() };
    store::put_event(state, &site.calendar, &new_id, event);
    Ok(new_id)
}

fn event(state: &mut State, calendar: &str, id: &str) -> Option<Value> {
    let site = site(state, calendar).ok()?;
    let found = current(state, &site.calendar, id)?;
    let here = state.google.calendar.calendar(&site.calendar)?;
    Some(render::event(state, here, id, &found.etag, &found.event, &View::whole()))
}

fn all_events(state: &mut State, calendar: &str) -> Vec<Value> {
    let Ok(site) = site(state, calendar) else { return Vec::new() };
    let Some(here) = state.google.calendar.calendar(&site.calendar) else { return Vec::new() };
    let stored = here.events.iter().map(|(id, history)| (id, history.newest()));
    let shown = stored.filter(|(_, version)| here.is_telling(&version.value));
    shown.map(|(id, version)| render::event(state, here, id, &version.etag, &version.value, &View::whole())).collect()
}

/// The occurrences of a series in a window of milliseconds, touched ones as they are.
fn occurrences(
    state: &mut State,
    calendar: &str,
    id: &str,
    window: (Option<i64>, Option<i64>),
) -> Result<Value, String> {
    let site = done(site(state, calendar))?;
    let rows = done(instances::all(state, &site.calendar, id, window))?;
    let here = done(state.google.calendar.calendar(&site.calendar).ok_or_else(not_found))?;
    let shown = rows.iter().map(|(id, etag, event)| render::event(state, here, id, etag, event, &View::whole()));
    Ok(shown.collect())
}

/// Answers a control action `google/calendar/<action>`; an error is a text for the author of a test.
pub(crate) fn control(state: &mut State, action: &str, body: &Value) -> Result<Value, String> {
    let word = |key: &str| body[key].as_str().ok_or_else(|| format!("\"{key}\" must be a text"));
    let calendar = || body["calendar"].as_str().unwrap_or("primary");
    let nothing = |()| json!({});
    settle(state);
    match action {
        "list" => Ok(Value::Array(all_calendars(state))),
        "add" => Ok(json!({ "calendar": add_calendar(state, word("summary")?)? })),
        "edit" => edit_calendar(state, word("calendar")?, &body["fields"]).map(nothing),
        "edit_entry" => edit_entry(state, word("calendar")?, &body["fields"]).map(nothing),
        "delete" => done(calendars::destroy(state, word("calendar")?)).map(nothing),
        "set_role" => set_role(state, word("calendar")?, word("role")?).map(nothing),
        "events" => Ok(Value::Array(all_events(state, calendar()))),
        "get_event" => Ok(event(state, calendar(), word("id")?).unwrap_or(Value::Null)),
        "occurrences" => {
            occurrences(state, calendar(), word("id")?, (body["after_ms"].as_i64(), body["before_ms"].as_i64()))
        }
        "add_event" => Ok(json!({ "id": add_event(state, calendar(), &body["event"])? })),
        "invite" => Ok(json!({ "id": invite(state, calendar(), word("organizer")?, &body["event"])? })),
        "edit_event" => {
            let fields = object(&body["event"])?;
            edit_event(state, calendar(), word("id")?, |event| {
                if let Some(event) = event.as_object_mut() {
                    events::merge(event, fields);
                }
            })
            .map(nothing)
        }
        "delete_event" => delete_event(state, calendar(), word("id")?).map(nothing),
        "move_event" => move_event(state, calendar(), word("id")?, word("to")?).map(nothing),
        "regenerate" => regenerate(state, word("calendar")?).map(nothing),
        "split_series" => Ok(json!({ "id": split(state, calendar(), word("occurrence")?)? })),
        "mails" => Ok(json!(state.google.calendar.mails)),
        "forget_mails" => {
            state.google.calendar.mails.clear();
            Ok(json!({}))
        }
        _ => Err(format!("unknown action google/calendar/{action}")),
    }
}
