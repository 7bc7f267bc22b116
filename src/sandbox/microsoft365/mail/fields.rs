//! A message's properties: what may be written, and when.

use serde_json::{Map, Value, json};

use super::super::fields::read_extended;
use super::super::reply::Refusal;
use super::body::Body;
use super::{attachments, mapi};
use crate::{State, Switches};

/// All properties that `$select` may name; the last two come only when they are named.
pub(super) const PROPERTIES: [&str; 31] = [
    "id",
    "createdDateTime",
    "lastModifiedDateTime",
    "changeKey",
    "categories",
    "receivedDateTime",
    "sentDateTime",
    "hasAttachments",
    "internetMessageId",
    "subject",
    "bodyPreview",
    "importance",
    "parentFolderId",
    "conversationId",
    "conversationIndex",
    "isDeliveryReceiptRequested",
    "isReadReceiptRequested",
    "isRead",
    "isDraft",
    "webLink",
    "inferenceClassification",
    "body",
    "sender",
    "from",
    "toRecipients",
    "ccRecipients",
    "bccRecipients",
    "replyTo",
    "flag",
    "internetMessageHeaders",
    "uniqueBody",
];

/// What may be written at any time.
const ALWAYS: [&str; 6] = [
    "categories",
    "importance",
    "inferenceClassification",
    "isDeliveryReceiptRequested",
    "isReadReceiptRequested",
    "flag",
];
/// What may be written while it is a draft.
const OF_DRAFTS: [&str; 9] = [
    "subject",
    "body",
    "toRecipients",
    "ccRecipients",
    "bccRecipients",
    "replyTo",
    "internetMessageId",
    "from",
    "sender",
];
/// Reads a written message over what it was.
pub(super) fn read(state: &State, sent: &Value, old: &Body, is_new: bool) -> Result<Body, Refusal> {
    let object = sent.as_object().ok_or_else(|| Refusal::body("A message is an object."))?;
    let mut body = old.clone();
    if old.is_draft && object.keys().any(|name| OF_DRAFTS.contains(&name.as_str())) {
        body.loosen();
    }
    for (name, value) in object {
        match name.as_str() {
            "@odata.type" if *value == "#microsoft.graph.message" => {}
            "singleValueExtendedProperties" => read_extended(value, &mut body.extended, &state.switches)?,
            "isRead" => body.is_read = value.as_bool().ok_or_else(|| wrong_type(name, "Edm.Boolean"))?,
            name if ALWAYS.contains(&name) || (old.is_draft && OF_DRAFTS.contains(&name)) => {
                body.fields.insert(name.to_owned(), read_value(name, value)?);
            }
            "internetMessageHeaders" if is_new => _ = body.fields.insert(name.clone(), read_headers(value)?),
            "attachments" if is_new => {
                let below = state.switches.graph_session_from_bytes;
                body.files = attachments::read_many(value, state.now_ms(), below)?;
            }
            name if PROPERTIES.contains(&name) => return Err(Refusal::read_only(name)),
            name => return Err(Refusal::no_property(name, "message")),
        }
    }
    mapi::obey(&mut body, is_new, &state.switches).map_err(|kind| wrong_type("value", kind))?;
    check_size(&body, &state.switches)?;
    Ok(body)
}

/// Refuses what is larger than a mailbox takes.
pub(super) fn check_size(body: &Body, switches: &Switches) -> Result<(), Refusal> {
    if switches.graph_most_message_bytes > 0 && body.size() > switches.graph_most_message_bytes {
        let text = "The message exceeds the maximum supported size.";
        return Err(Refusal::new(413, "ErrorMessageSizeExceeded", text));
    }
    Ok(())
}

pub(super) fn wrong_type(name: &str, kind: &str) -> Refusal {
    Refusal::body(format!("Cannot convert the value of '{name}' to the expected type '{kind}'."))
}

fn read_value(name: &str, sent: &Value) -> Result<Value, Refusal> {
    let wrong = |kind: &str| Err(wrong_type(name, kind));
    match (name, sent) {
        ("isDeliveryReceiptRequested" | "isReadReceiptRequested", value) => {
            if value.is_boolean() {
                Ok(value.clone())
            } else {
                wrong("Edm.Boolean")
            }
        }
        ("categories", Value::Array(list)) if list.iter().all(Value::is_string) => Ok(sent.clone()),
        ("importance", Value::String(text)) if ["low", "normal", "high"].contains(&text.as_str()) => Ok(sent.clone()),
        ("inferenceClassification", Value::String(text)) if ["focused", "other"].contains(&text.as_str()) => {
            Ok(sent.clone())
        }
        ("subject" | "internetMessageId", Value::String(_)) => Ok(sent.clone()),
        ("subject", Value::Null) => Ok("".into()),
        ("body", Value::Object(body)) => {
            let kind = body.get("contentType").and_then(Value::as_str).unwrap_or("text").to_ascii_lowercase();
            let content = body.get("content").and_then(Value::as_str);
            match (kind.as_str(), content) {
                ("text" | "html", Some(content)) => Ok(json!({ "contentType": kind, "content": content })),
                _ => wrong("microsoft.graph.itemBody"),
            }
        }
        ("from" | "sender", Value::Null) => Ok(Value::Null),
        ("from" | "sender", person) => read_person(name, person),
        ("toRecipients" | "ccRecipients" | "bccRecipients" | "replyTo", Value::Array(list)) => {
            list.iter().map(|person| read_person(name, person)).collect()
        }
        ("flag", Value::Object(flag)) => read_flag(flag),
        _ => wrong("the property's own"),
    }
}

fn read_person(name: &str, sent: &Value) -> Result<Value, Refusal> {
    let inner = sent.get("emailAddress").and_then(Value::as_object);
    let inner = inner.ok_or_else(|| wrong_type(name, "microsoft.graph.recipient"))?;
    let address = inner.get("address").and_then(Value::as_str).unwrap_or_default();
    let shown = inner.get("name").and_then(Value::as_str).filter(|name| !name.is_empty()).unwrap_or(address);
    Ok(json!({ "emailAddress": { "name": shown, "address": address } }))
}

fn read_flag(flag: &Map<String, Value>) -> Result<Value, Refusal> {
    let known = ["flagStatus", "startDateTime", "dueDateTime", "completedDateTime"];
    if let Some(name) = flag.keys().find(|name| !known.contains(&name.as_str())) {
        return Err(Refusal::no_property(name, "followupFlag"));
    }
    if flag.contains_key("dueDateTime") && !flag.contains_key("startDateTime") {
        return Err(Refusal::new(400, "ErrorInvalidRequest", "A flag's dueDateTime needs its startDateTime."));
    }
    match flag.get("flagStatus").and_then(Value::as_str) {
        Some("notFlagged") => Ok(json!({ "flagStatus": "notFlagged" })),
        Some("flagged" | "complete") => Ok(flag.clone().into()),
        _ => Err(wrong_type("flagStatus", "microsoft.graph.followupFlagStatus")),
    }
}

fn read_headers(sent: &Value) -> Result<Value, Refusal> {
    let list = sent.as_array().ok_or_else(|| wrong_type("internetMessageHeaders", "Collection"))?;
    let is_own = |entry: &Value| entry["name"].as_str().is_some_and(|name| name.to_lowercase().starts_with("x-"));
    if list.iter().all(is_own) {
        return Ok(sent.clone());
    }
    let text = "The names of internet message headers must begin with 'x-'.";
    Err(Refusal::new(400, "ErrorInvalidInternetHeader", text))
}
