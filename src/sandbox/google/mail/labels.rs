//! Labels: the service's own and the user's. They are not in the history; `labels.list` is all that tells of them.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::errors::{invalid, label_exists, not_found};
use super::schema;
use crate::google::errors::Refusal;
use crate::{Request, Response, State};

/// The labels that every mailbox has; the id is the name.
const SYSTEM: [&str; 15] = [
    "CATEGORY_FORUMS",
    "CATEGORY_PERSONAL",
    "CATEGORY_PROMOTIONS",
    "CATEGORY_SOCIAL",
    "CATEGORY_UPDATES",
    "CHAT",
    "DRAFT",
    "IMPORTANT",
    "INBOX",
    "SENT",
    "SPAM",
    "STARRED",
    "TRASH",
    "UNREAD",
    "YELLOW_STAR",
];
/// Labels that only the service sets.
const FIXED: [&str; 3] = ["CHAT", "DRAFT", "SENT"];
/// Of these a message is given no two at a time.
const PLACES: [&str; 3] = ["INBOX", "SPAM", "TRASH"];
/// Names that the web page shows for something else.
const RESERVED: [&str; 9] =
    ["all mail", "bin", "chats", "drafts", "important", "muted", "sent mail", "scheduled", "snoozed"];
const LONGEST_NAME: usize = 225;

/// `GET labels`: all of them, in no order, without counts.
pub(super) fn list(state: &State) -> Response {
    let own = state.google.mail.labels.keys().map(|id| show_own(state, id));
    let mut all: Vec<Value> = SYSTEM.iter().map(|id| show_system(id)).chain(own).collect();
    let turn = all.len() / 3;
    all.rotate_left(turn);
    Response::json(200, &json!({ "labels": all }))
}

/// `GET labels/{id}`, with counts.
pub(super) fn get(state: &State, id: &str) -> Result<Response, Refusal> {
    known(state, id)?;
    let mut shown = if SYSTEM.contains(&id) { show_system(id) } else { show_own(state, id) };
    let mut count = |kind: &str, is_counted: &dyn Fn(&super::store::Message) -> bool| {
        let counted: Vec<_> = state.google.mail.newest_first().filter(|message| is_counted(message)).collect();
        let threads: HashSet<&str> = counted.iter().map(|message| message.thread.as_str()).collect();
        shown[format!("messages{kind}")] = json!(counted.len());
        shown[format!("threads{kind}")] = json!(threads.len());
    };
    count("Total", &|message| message.has(id));
    count("Unread", &|message| message.has(id) && message.has("UNREAD"));
    Ok(Response::json(200, &shown))
}

/// `POST labels`.
pub(super) fn create(state: &mut State, request: &Request) -> Result<Response, Refusal> {
    let body = schema::body(request, "Label")?;
    let id = make(state, &body)?;
    Ok(Response::json(200, &show_own(state, &id)))
}

/// Makes a label of the user and gives its id.
pub(super) fn make(state: &mut State, body: &Map<String, Value>) -> Result<String, Refusal> {
    if state.google.mail.labels.len() >= state.switches.mail_most_labels {
        return Err(invalid("Too many labels"));
    }
    let mut fields = Map::new();
    fields.insert("name".into(), json!(checked_name(state, body, None)?));
    fields.insert("messageListVisibility".into(), json!("show"));
    fields.insert("labelListVisibility".into(), json!("labelShow"));
    put(state, &mut fields, body)?;
    let id = state.google.mail.fresh_label_id();
    state.google.mail.labels.insert(id.clone(), fields);
    Ok(id)
}

/// `PATCH labels/{id}`, and `PUT`, which needs the name.
pub(super) fn change(state: &mut State, request: &Request, id: &str) -> Result<Response, Refusal> {
    own(state, id)?;
    let body = schema::body(request, "Label")?;
    let is_whole = request.method == "PUT";
    if body.get("id").is_some_and(|given| given != id) {
        return Err(invalid("Label id in the body does not match the one in the path"));
    }
    edit(state, id, &body, is_whole)?;
    Ok(Response::json(200, &show_own(state, id)))
}

/// Changes a label of the user.
pub(super) fn edit(state: &mut State, id: &str, body: &Map<String, Value>, is_whole: bool) -> Result<(), Refusal> {
    own(state, id)?;
    let mut fields = state.google.mail.labels.get(id).cloned().unwrap_or_default();
    if is_whole || body.contains_key("name") {
        fields.insert("name".into(), json!(checked_name(state, body, Some(id))?));
    }
    if is_whole {
        fields.remove("color");
    }
    put(state, &mut fields, body)?;
    state.google.mail.labels.insert(id.to_owned(), fields);
    Ok(())
}

/// `DELETE labels/{id}`: it goes from every message.
pub(super) fn delete(state: &mut State, id: &str) -> Result<Response, Refusal> {
    own(state, id)?;
    if state.switches.mail_label_delete_is_in_history {
        let now_ms = state.now_ms();
        let has: Vec<String> = state
            .google
            .mail
            .newest_first()
            .filter(|message| message.has(id))
            .map(|message| message.id.clone())
            .collect();
        for message in has {
            state.google.mail.relabel(&message, &[], &[id], now_ms);
        }
    }
    state.google.mail.strip(id);
    state.google.mail.labels.remove(id);
    Ok(Response::empty(204))
}

/// Whether there is such a label.
pub(super) fn known(state: &State, id: &str) -> Result<(), Refusal> {
    if SYSTEM.contains(&id) || state.google.mail.labels.contains_key(id) { Ok(()) } else { Err(not_found()) }
}

/// Checks labels that a client wants to set and take off. At most `most` of each.
pub(super) fn settable(state: &State, add: &[&str], remove: &[&str], most: usize) -> Result<(), Refusal> {
    for label in add.iter().chain(remove) {
        if FIXED.contains(label) || known(state, label).is_err() {
            return Err(invalid(&format!("Invalid label: {label}")));
        }
    }
    if add.len() > most || remove.len() > most {
        return Err(invalid(&format!("Too many labels: at most {most} can be added and removed.")));
    }
    if PLACES.iter().filter(|place| add.contains(place)).count() > 1 {
        return Err(invalid("Can only add one of: INBOX, SPAM, TRASH"));
    }
    Ok(())
}

/// A label that the user made.
fn own(state: &State, id: &str) -> Result<(), Refusal> {
    known(state, id)?;
    if SYSTEM.contains(&id) { Err(invalid("Invalid label: system labels cannot be changed")) } else { Ok(()) }
}

/// The name in a body, if no other label has it.
fn checked_name(state: &State, body: &Map<String, Value>, own: Option<&str>) -> Result<String, Refusal> {
    let name = body.get("name").and_then(Value::as_str).unwrap_or_default();
    let lower = name.to_lowercase();
    let is_system = SYSTEM.iter().any(|system| system.to_lowercase() == lower) || RESERVED.contains(&lower.as_str());
    if is_system || name.trim().is_empty() || name.chars().count() > LONGEST_NAME {
        return Err(invalid("Invalid label name"));
    }
    let is_taken = |(id, fields): (&String, &Map<String, Value>)| {
        Some(id.as_str()) != own && name_of(fields).to_lowercase() == lower
    };
    if state.google.mail.labels.iter().any(is_taken) { Err(label_exists()) } else { Ok(name.to_owned()) }
}

/// Everything but the name.
fn put(state: &State, fields: &mut Map<String, Value>, body: &Map<String, Value>) -> Result<(), Refusal> {
    for name in ["messageListVisibility", "labelListVisibility"] {
        if let Some(value) = body.get(name).filter(|value| !value.is_null()) {
            fields.insert(name.into(), value.clone());
        }
    }
    if let Some(color) = body.get("color").filter(|color| !color.is_null()) {
        let is_known = |name: &str| {
            let text = color[name].as_str().unwrap_or_default();
            state.switches.mail_label_colors.iter().any(|have| have.eq_ignore_ascii_case(text))
        };
        if !is_known("textColor") || !is_known("backgroundColor") {
            return Err(invalid("Label color is not on the allowed color palette"));
        }
        fields.insert("color".into(), color.clone());
    }
    Ok(())
}

fn name_of(fields: &Map<String, Value>) -> &str {
    fields.get("name").and_then(Value::as_str).unwrap_or_default()
}

fn show_system(id: &str) -> Value {
    let mut shown = json!({ "id": id, "name": id, "type": "system" });
    if id != "YELLOW_STAR" {
        shown["messageListVisibility"] = json!("hide");
        shown["labelListVisibility"] = json!("labelHide");
    }
    shown
}

/// A label of the user as it is shown.
pub(super) fn show_own(state: &State, id: &str) -> Value {
    let mut shown = json!({ "id": id });
    for (name, value) in state.google.mail.labels.get(id).into_iter().flatten() {
        shown[name.as_str()] = value.clone();
    }
    shown["type"] = json!("user");
    shown
}
