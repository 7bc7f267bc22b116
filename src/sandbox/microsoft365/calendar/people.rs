//! The people of an event: who is asked to come, and what they said.

use serde_json::{Value, json};

use super::super::reply::Refusal;
use super::rule::{invalid, wrong_type};
use crate::Switches;
use crate::state::Account;

/// A time at which nothing happened.
pub(super) const NEVER: &str = "0001-01-01T00:00:00Z";
const MOST: usize = 500;
const TYPES: [&str; 3] = ["required", "optional", "resource"];

/// The owner of the mailbox as an organizer.
pub(super) fn owner(account: &Account) -> Value {
    json!({ "emailAddress": { "name": account.display_name, "address": account.email } })
}

/// The addresses in a list of attendees.
pub(super) fn addresses(attendees: &Value) -> Vec<String> {
    let list = attendees.as_array().into_iter().flatten();
    list.filter_map(|entry| entry["emailAddress"]["address"].as_str()).map(str::to_owned).collect()
}

/// Reads `attendees`. What they answered is not a client's to say: it stays as it was for those who are still there.
pub(super) fn read(sent: &Value, old: &Value, takes_status: bool, switches: &Switches) -> Result<Value, Refusal> {
    let list = sent.as_array().ok_or_else(|| wrong_type("attendees", "Collection(microsoft.graph.attendee)"))?;
    if list.len() > MOST {
        return Err(invalid(format!("An event has at most {MOST} attendees.")));
    }
    let entries = list.iter().map(|entry| read_one(entry, old, takes_status, switches));
    entries.collect::<Result<Vec<_>, _>>().map(Value::Array)
}

fn read_one(sent: &Value, old: &Value, takes_status: bool, switches: &Switches) -> Result<Value, Refusal> {
    let object = sent.as_object().ok_or_else(|| wrong_type("attendees", "microsoft.graph.attendee"))?;
    let known = ["emailAddress", "type", "status", "proposedNewTime", "@odata.type"];
    if let Some(name) = object.keys().find(|name| !known.contains(&name.as_str())) {
        return Err(Refusal::no_property(name, "attendee"));
    }
    let email = object.get("emailAddress").and_then(Value::as_object);
    let email = email.ok_or_else(|| invalid("An attendee needs an emailAddress."))?;
    if let Some(name) = email.keys().find(|name| !["name", "address"].contains(&name.as_str())) {
        return Err(Refusal::no_property(name, "emailAddress"));
    }
    let part = |name: &str| email.get(name).and_then(Value::as_str).unwrap_or_default();
    let address = if switches.recase_emails { part("address").to_lowercase() } else { part("address").to_owned() };
    if !address.contains('@') {
        return Err(Refusal::new(400, "ErrorInvalidRecipients", "At least one recipient isn't valid."));
    }
    let name = if part("name").is_empty() { address.as_str() } else { part("name") };
    let kind = object.get("type").and_then(Value::as_str).unwrap_or("required");
    let kind = TYPES.iter().find(|have| have.eq_ignore_ascii_case(kind));
    let kind = kind.ok_or_else(|| Refusal::body("Requested value of 'type' was not found."))?;
    let is_same = |entry: &&Value| {
        entry["emailAddress"]["address"].as_str().is_some_and(|have| have.eq_ignore_ascii_case(&address))
    };
    let before = old.as_array().into_iter().flatten().find(is_same);
    let source = if takes_status { Some(sent) } else { before };
    let status = source.map(|entry| entry["status"].clone()).filter(Value::is_object);
    let mut read = json!({
        "type": kind,
        "status": status.unwrap_or_else(|| json!({ "response": "none", "time": NEVER })),
        "emailAddress": { "name": name, "address": address },
    });
    if let Some(proposed) = source.map(|entry| &entry["proposedNewTime"]).filter(|time| time.is_object()) {
        read["proposedNewTime"] = proposed.clone();
    }
    Ok(read)
}
