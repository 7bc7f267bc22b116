//! What the discovery document of revision 20261005 says a request's body may hold, and the check against it. What only
//! the service says is taken out, as the service ignores it; an unknown name or a wrong type is refused.

use serde_json::{Map, Value};

use super::errors::{invalid, listed};
use crate::Request;
use crate::google::errors::{Refusal, bad_field};

/// The type of one field.
#[derive(Clone, Copy, Debug)]
enum Type {
    Str,
    Enum(&'static [&'static str]),
    Msg(&'static str),
    List(&'static Type),
    /// Sent by the service only: ignored in a request.
    Output,
}

use Type::{Enum, List, Msg, Output, Str};

type Fields = &'static [(&'static str, Type)];

#[rustfmt::skip] // One line for each message.
const TABLE: &[(&str, Fields)] = &[
    ("Message", &[
        ("historyId", Output), ("id", Str), ("internalDate", Output), ("labelIds", List(&Str)), ("payload", Output), ("raw", Str),
        ("sizeEstimate", Output), ("snippet", Output), ("threadId", Str),
    ]),
    ("Draft", &[("id", Str), ("message", Msg("Message"))]),
    ("Label", &[
        ("color", Msg("Color")), ("id", Str), ("labelListVisibility", Enum(&["labelShow", "labelShowIfUnread", "labelHide"])),
        ("messageListVisibility", Enum(&["show", "hide"])), ("messagesTotal", Output), ("messagesUnread", Output), ("name", Str),
        ("threadsTotal", Output), ("threadsUnread", Output), ("type", Output),
    ]),
    ("Color", &[("backgroundColor", Str), ("textColor", Str)]),
    ("Modify", &[("addLabelIds", List(&Str)), ("removeLabelIds", List(&Str))]),
    ("BatchModify", &[("addLabelIds", List(&Str)), ("ids", List(&Str)), ("removeLabelIds", List(&Str))]),
    ("BatchDelete", &[("ids", List(&Str))]),
];

/// A request's JSON body, checked.
pub(super) fn body(request: &Request, message: &str) -> Result<Map<String, Value>, Refusal> {
    if !request.says_json() {
        return Err(invalid("Invalid content type: the request body must be application/json."));
    }
    check(message, &request.body)
}

/// JSON text, checked.
pub(super) fn check(message: &str, text: &[u8]) -> Result<Map<String, Value>, Refusal> {
    let value: Value =
        serde_json::from_slice(text).map_err(|why| invalid(&format!("Invalid JSON payload received. {why}")))?;
    cleaned(message, &value, "")
}

fn cleaned(message: &str, value: &Value, path: &str) -> Result<Map<String, Value>, Refusal> {
    let Value::Object(object) = value else { return Err(wrong(path, "object")) };
    let fields = TABLE.iter().find(|(have, _)| *have == message).map_or(&[][..], |(_, fields)| fields);
    let mut kept = Map::new();
    for (name, value) in object {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        let Some((_, kind)) = fields.iter().find(|(have, _)| have == name) else {
            let text = format!("Invalid JSON payload received. Unknown name \"{path}\": Cannot find field.");
            return Err(listed(*bad_field(&path, &text), "badRequest"));
        };
        // A null is an absent field in the JSON form of these messages.
        match (kind, value) {
            (Output, _) | (_, Value::Null) => {}
            (Msg(message), _) => {
                kept.insert(name.clone(), Value::Object(cleaned(message, value, &path)?));
            }
            _ => {
                check_plain(*kind, value, &path)?;
                kept.insert(name.clone(), value.clone());
            }
        }
    }
    Ok(kept)
}

fn check_plain(kind: Type, value: &Value, path: &str) -> Result<(), Refusal> {
    match (kind, value) {
        (Str, Value::String(_)) => Ok(()),
        (Enum(names), Value::String(text)) if names.contains(&text.as_str()) => Ok(()),
        (List(inner), Value::Array(items)) => items.iter().try_for_each(|item| check_plain(*inner, item, path)),
        (Str, _) => Err(wrong(path, "TYPE_STRING")),
        (Enum(_), _) => Err(wrong(path, "TYPE_ENUM")),
        _ => Err(wrong(path, "list")),
    }
}

fn wrong(path: &str, kind: &str) -> Refusal {
    listed(*bad_field(path, &format!("Invalid value at '{path}' ({kind})")), "badRequest")
}

/// The texts of a list in a checked body.
pub(super) fn texts<'a>(body: &'a Map<String, Value>, name: &str) -> Vec<&'a str> {
    body.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
}

/// A text in a checked body; empty when it is not there.
pub(super) fn text<'a>(body: &'a Map<String, Value>, name: &str) -> &'a str {
    body.get(name).and_then(Value::as_str).unwrap_or_default()
}
