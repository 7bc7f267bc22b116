//! What a change of a series does to the exceptions stored beside it, and an exception to its series.

use serde_json::{Value, json};

use super::events::Site;
use super::rights::moves_in_time;
use super::store::{self, Event};
use crate::State;
use crate::google::errors::Refusal;

/// What a change of a series does to the exceptions stored beside it.
pub(super) fn carry(state: &mut State, site: &Site, id: &str, old: &Event, new: &Event) {
    let Some(calendar) = state.google.calendar.calendar(&site.calendar) else { return };
    let exceptions: Vec<(String, Event)> =
        calendar.exceptions(id).map(|(id, history)| (id.clone(), history.newest().value.clone())).collect();
    let drops = state.switches.calendar_rule_change_drops_exceptions;
    if !new.is_series() || (drops && moves_in_time(&old.body, &new.body)) {
        if let Some(calendar) = state.google.calendar.calendar_mut(&site.calendar) {
            for (id, _) in &exceptions {
                calendar.events.remove(id);
            }
        }
        return;
    }
    if !state.switches.calendar_exceptions_follow_series {
        return;
    }
    const OWN: [&str; 7] =
        ["start", "end", "recurrence", "recurringEventId", "originalStartTime", "status", "sequence"];
    let names: Vec<String> = old.body.keys().chain(new.body.keys()).cloned().collect();
    let changed: Vec<&String> = names
        .iter()
        .filter(|name| !OWN.contains(&name.as_str()) && old.body.get(*name) != new.body.get(*name))
        .collect();
    for (id, mut exception) in exceptions.into_iter().filter(|(_, exception)| !exception.is_cancelled()) {
        let before = exception.body.clone();
        for name in &changed {
            // What the exception says otherwise than the series did is its own.
            if exception.body.get(*name) == old.body.get(*name) {
                match new.body.get(*name) {
                    Some(value) => exception.body.insert((*name).clone(), value.clone()),
                    None => exception.body.remove(*name),
                };
            }
        }
        if exception.body != before {
            exception.updated_ms = state.now_ms();
            store::put_event(state, &site.calendar, &id, exception);
        }
    }
}

/// The exceptions that fell with a series stand again.
pub(super) fn raise(state: &mut State, site: &Site, id: &str) {
    let Some(calendar) = state.google.calendar.calendar(&site.calendar) else { return };
    let fallen: Vec<(String, Event)> = calendar
        .exceptions(id)
        .map(|(id, history)| (id.clone(), history.newest().value.clone()))
        .filter(|(_, event)| event.fell_with_series)
        .collect();
    for (id, mut event) in fallen {
        event.fell_with_series = false;
        event.body.insert("status".into(), json!("confirmed"));
        store::put_event(state, &site.calendar, &id, event);
    }
}

/// The exceptions of a series that goes away are cancelled before it.
pub(super) fn fell(state: &mut State, calendar_id: &str, id: &str) -> Result<(), Refusal> {
    let living: Vec<(String, Event)> = store::calendar(state, calendar_id)?
        .exceptions(id)
        .map(|(id, history)| (id.clone(), history.newest().value.clone()))
        .filter(|(_, event)| !event.is_cancelled())
        .collect();
    for (id, mut event) in living {
        event.fell_with_series = true;
        event.body.insert("status".into(), json!("cancelled"));
        event.updated_ms = state.now_ms();
        store::put_event(state, calendar_id, &id, event);
    }
    Ok(())
}

/// How much a visibility hides.
fn secrecy(value: Option<&Value>) -> u8 {
    match value.and_then(Value::as_str) {
        Some("private" | "confidential") => 2,
        Some("public") => 0,
        _ => 1,
    }
}

/// The visibility of an occurrence is the series' own: a stricter one goes to all of it, a laxer one is ignored.
pub(super) fn share_visibility(
    state: &mut State,
    site: &Site,
    old: &Event,
    body: &mut serde_json::Map<String, Value>,
) -> Result<(), Refusal> {
    let Some(series) = old.series() else { return Ok(()) };
    let (before, after) = (old.body.get("visibility").cloned(), body.get("visibility").cloned());
    if secrecy(after.as_ref()) < secrecy(before.as_ref()) {
        body.remove("visibility");
        body.extend(before.map(|value| ("visibility".to_owned(), value)));
        return Ok(());
    }
    if before == after {
        return Ok(());
    }
    let here = store::calendar(state, &site.calendar)?;
    let master = here.events.get(series).map(|history| (series.to_owned(), history.newest().value.clone()));
    let others = here.exceptions(series).map(|(id, history)| (id.clone(), history.newest().value.clone()));
    let laxer: Vec<(String, Event)> = master
        .into_iter()
        .chain(others)
        .filter(|(_, event)| !event.is_cancelled() && secrecy(event.body.get("visibility")) < secrecy(after.as_ref()))
        .collect();
    for (id, mut event) in laxer {
        event.body.extend(after.clone().map(|value| ("visibility".to_owned(), value)));
        event.updated_ms = state.now_ms();
        store::put_event(state, &site.calendar, &id, event);
    }
    Ok(())
}
