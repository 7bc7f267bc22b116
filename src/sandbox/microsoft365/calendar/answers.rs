//! What can be done with an event besides writing it: answering an invitation, calling a meeting off, passing it on,
//! and its reminder.

use serde_json::{Map, Value, json};

use super::super::query as graph;
use super::super::reply::{Answer, Refusal};
use super::super::store::Rules;
use super::body::Body;
use super::events::{check_rights, delete, with_exception};
use super::mails::{self, Why};
use super::people;
use super::rule::wrong_type;
use super::show::{Item, stamp};
use super::store::Found;
use super::zones::When;
use crate::wire::Response;
use crate::{Request, State};

/// Answers an action on an event.
pub(super) fn answer(state: &mut State, request: &Request, found: Found, action: &str) -> Answer {
    if request.method != "POST" {
        let is_known =
            ["accept", "tentativelyaccept", "decline", "cancel", "forward", "dismissreminder", "snoozereminder"]
                .contains(&action.to_ascii_lowercase().as_str());
        return Err(if is_known { Refusal::no_method() } else { Refusal::no_resource(action) });
    }
    graph::options(request, &[])?;
    let body = Item::now(state, found.key, found.date).body().into_owned();
    match action.to_ascii_lowercase().as_str() {
        "accept" => respond(state, request, found, &body, "accepted"),
        "tentativelyaccept" => respond(state, request, found, &body, "tentativelyAccepted"),
        "decline" => respond(state, request, found, &body, "declined"),
        "cancel" => {
            read(request, &["comment"])?;
            check_rights(state, found.key)?;
            if !body.is("isOrganizer") {
                let text = "Your request can't be completed. You need to be an organizer to cancel a meeting.";
                return Err(Refusal::new(400, "ErrorInvalidRequest", text));
            }
            delete(state, found);
            mails::send(state, Why::Cancellation, body.guests(), found.key, found.date, &body);
            Ok(Response::empty(202))
        }
        "forward" => {
            let sent = read(request, &["comment", "torecipients"])?;
            let to = sent.get("torecipients").cloned().unwrap_or_default();
            let to = people::addresses(&to);
            if to.is_empty() || !to.iter().all(|address| address.contains('@')) {
                let text = "At least one recipient isn't valid.";
                return Err(Refusal::new(400, "ErrorInvalidRecipients", text));
            }
            mails::send(state, Why::Forward, to, found.key, found.date, &body);
            Ok(Response::empty(202))
        }
        "dismissreminder" => {
            // Nothing that can be read changes, but the change key does.
            let now = state.now_ms();
            state.microsoft.restamp_event(now, found.key);
            Ok(Response::empty(200))
        }
        "snoozereminder" => {
            let sent = read(request, &["newremindertime"])?;
            let time = sent.get("newremindertime").cloned().unwrap_or_default();
            When::read("newReminderTime", &time, &state.switches)?;
            let now = state.now_ms();
            state.microsoft.restamp_event(now, found.key);
            Ok(Response::empty(200))
        }
        _ => Err(Refusal::no_resource(action)),
    }
}

/// The parameters of an action, by their names in lower case, as their case does not matter.
fn read(request: &Request, known: &[&str]) -> Result<Map<String, Value>, Refusal> {
    if request.body.is_empty() {
        return Ok(Map::new());
    }
    let sent = super::super::json_body(request)?;
    let object = sent.as_object().ok_or_else(|| Refusal::body("Parameters are an object."))?;
    let mut read = Map::new();
    for (name, value) in object {
        let lower = name.to_ascii_lowercase();
        if !known.contains(&lower.as_str()) {
            return Err(Refusal::body(format!(
                "The parameter '{name}' in the request payload is not a valid parameter."
            )));
        }
        read.insert(lower, value.clone());
    }
    Ok(read)
}

fn respond(state: &mut State, request: &Request, found: Found, body: &Body, response: &str) -> Answer {
    let mut known = vec!["comment", "sendresponse"];
    if response != "accepted" {
        known.push("proposednewtime");
    }
    let sent = read(request, &known)?;
    check_rights(state, found.key)?;
    if body.is("isOrganizer") {
        let text =
            "Your request can't be completed. You can't respond to this meeting because you're the meeting organizer.";
        return Err(Refusal::new(400, "ErrorInvalidRequest", text));
    }
    let sends = match sent.get("sendresponse") {
        None | Some(Value::Null) => state.switches.graph_answer_sends_by_default,
        Some(Value::Bool(sends)) => *sends,
        // The documentation's own example writes it as a text.
        Some(Value::String(text)) if ["true", "false"].contains(&text.as_str()) => text == "true",
        Some(_) => return Err(wrong_type("sendResponse", "Edm.Boolean")),
    };
    if let Some(proposed) = sent.get("proposednewtime").filter(|proposed| !proposed.is_null()) {
        if !body.is("allowNewTimeProposals") || !body.is("responseRequested") || !sends {
            let text = "A new time cannot be proposed for this meeting.";
            return Err(Refusal::new(400, "ErrorInvalidRequest", text));
        }
        check_proposal(proposed, state)?;
    }
    if sends {
        let organizer = body.fields["organizer"]["emailAddress"]["address"].as_str().map(str::to_owned);
        mails::send(state, Why::Response, organizer.into_iter().collect(), found.key, found.date, body);
    }
    if response == "declined" {
        delete(state, found);
        return Ok(Response::empty(202));
    }
    let mut new = body.clone();
    let time = stamp(state.now_ms());
    new.fields.insert("responseStatus".into(), json!({ "response": response, "time": time }));
    new.fields.insert("showAs".into(), if response == "accepted" { "busy" } else { "tentative" }.into());
    let written = match found.date {
        Some(date) => with_exception(&state.microsoft.calendar.events[&found.key].now().body, date, &new)?,
        None => new,
    };
    let rules = Rules::of(state);
    state.microsoft.edit_event(&rules, found.key, written);
    Ok(Response::empty(202))
}

/// A proposal is a start and an end; the case of their names does not matter.
fn check_proposal(proposed: &Value, state: &State) -> Result<(), Refusal> {
    let wrong = || wrong_type("proposedNewTime", "microsoft.graph.timeSlot");
    let part = |value: &Value, name: &str| -> Option<Value> {
        let object = value.as_object()?;
        object.iter().find(|(have, _)| have.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone())
    };
    for name in ["start", "end"] {
        let time = part(proposed, name).ok_or_else(wrong)?;
        let time = json!({ "dateTime": part(&time, "dateTime"), "timeZone": part(&time, "timeZone") });
        When::read(name, &time, &state.switches)?;
    }
    Ok(())
}
