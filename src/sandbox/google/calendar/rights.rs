//! Who may change what of an event: the organizer's part, a guest's own, and what asks for a new sequence number.

use serde_json::{Map, Value, json};

use super::errors::{error, event_type_restriction, not_the_organizer};
use super::events::{Hand, Site};
use super::mails;
use crate::State;
use crate::google::errors::Refusal;

/// With `attendeesOmitted` a client changes its own answer and nothing else of the list.
pub(super) fn own_answer_only(
    state: &State,
    calendar: &str,
    old: &Map<String, Value>,
    target: &mut Map<String, Value>,
) {
    let list = |body: &Map<String, Value>| body.get("attendees").and_then(Value::as_array).cloned().unwrap_or_default();
    let is_mine =
        |guest: &Value| guest["email"].as_str().is_some_and(|email| state.google.calendar.is_self(calendar, email));
    let mine = list(target).into_iter().find(|guest| is_mine(guest));
    let merged = list(old).into_iter().map(|guest| match &mine {
        Some(mine) if is_mine(&guest) => mine.clone(),
        _ => guest,
    });
    let merged: Vec<Value> = merged.collect();
    target.insert("attendees".into(), Value::Array(merged));
}

/// Refuses changes that are the organizer's alone, or that the event's type does not allow.
pub(super) fn check_rights(
    state: &State,
    site: &Site,
    old: &Map<String, Value>,
    new: &Map<String, Value>,
) -> Result<(), Refusal> {
    if site.hand == Hand::User {
        return Ok(());
    }
    let is_mine = |email: &str| state.google.calendar.is_self(&site.calendar, email);
    let differs = shared_differs(old, new, is_mine);
    if old.get("eventType") == Some(&json!("fromGmail")) && differs {
        return Err(event_type_restriction("The main fields of an event from Gmail cannot be changed."));
    }
    let is_imported = old.contains_key("privateCopy") && !state.switches.calendar_imported_copies_locked;
    let is_free =
        mails::is_own(state, &site.calendar, old) || is_imported || old.get("guestsCanModify") == Some(&json!(true));
    let is_locked = old.get("locked") == Some(&json!(true));
    if differs && (is_locked || !is_free) { Err(not_the_organizer()) } else { Ok(()) }
}

/// The members that an organizer shares with the guests: a guest may not change them.
const SHARED: [&str; 22] = [
    "summary",
    "description",
    "location",
    "start",
    "end",
    "recurrence",
    "guestsCanInviteOthers",
    "guestsCanModify",
    "guestsCanSeeOtherGuests",
    "anyoneCanAddSelf",
    "conferenceData",
    "attachments",
    "source",
    "sequence",
    "eventType",
    "birthdayProperties",
    "focusTimeProperties",
    "outOfOfficeProperties",
    "workingLocationProperties",
    "iCalUID",
    "privateCopy",
    "eventLabelId",
];

/// Whether two states of an event differ in what the organizer shares with the guests.
fn shared_differs(old: &Map<String, Value>, new: &Map<String, Value>, is_mine: impl Fn(&str) -> bool) -> bool {
    let shared =
        |body: &Map<String, Value>| body.get("extendedProperties").and_then(|both| both.get("shared")).cloned();
    let others = |body: &Map<String, Value>| -> Vec<Value> {
        let list = body.get("attendees").and_then(Value::as_array).cloned().unwrap_or_default();
        let mut list: Vec<Value> = list
            .into_iter()
            .map(|mut guest| {
                if guest["email"].as_str().is_some_and(&is_mine)
                    && let Some(guest) = guest.as_object_mut()
                {
                    // One's own answer is one's own.
                    guest.retain(|name, _| name == "email");
                }
                guest
            })
            .collect();
        list.sort_by_key(Value::to_string);
        list
    };
    SHARED.iter().any(|name| old.get(*name) != new.get(*name))
        || shared(old) != shared(new)
        || others(old) != others(new)
        || (old.get("status") != new.get("status") && new.get("status") != Some(&json!("cancelled")))
}

/// Whether the guests are concerned: when, where or what.
pub(super) fn is_telling(old: &Map<String, Value>, new: &Map<String, Value>) -> bool {
    SHARED.iter().any(|name| *name != "sequence" && old.get(*name) != new.get(*name))
}

/// Whether an edit asks for a new sequence number: when it happens has changed.
pub(super) fn moves_in_time(old: &Map<String, Value>, new: &Map<String, Value>) -> bool {
    ["start", "end", "recurrence"].iter().any(|name| old.get(*name) != new.get(*name))
}

/// Refuses a sequence number that is lower than the one there.
pub(super) fn check_sequence(old: &Map<String, Value>, new: &Map<String, Value>) -> Result<(), Refusal> {
    let number = |body: &Map<String, Value>| body.get("sequence").and_then(Value::as_i64).unwrap_or(0);
    if number(new) < number(old) {
        let message = "Invalid sequence value. The specified sequence number is below the current sequence number of the \
                       resource. Re-fetch the resource and use its sequence number on the following request.";
        return Err(error(400, "global", "invalid", message, None));
    }
    Ok(())
}
