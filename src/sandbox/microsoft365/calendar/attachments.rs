//! Files attached to events. They are a resource of their own, which a delta does not follow.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use serde_json::{Map, Value, json};

use super::super::links;
use super::super::query as graph;
use super::super::reply::{Answer, Refusal, ordered};
use super::super::store::id;
use super::events::check_rights;
use super::rule::wrong_type;
use super::show::Item;
use super::store::Found;
use crate::{Request, Response, State, clock};

/// What may be sent at once; more goes by an upload session, which is not here.
const MOST_BYTES: usize = 3 * 1024 * 1024;

/// A file.
#[derive(Clone, Debug)]
pub(super) struct Attachment {
    id: String,
    modified_ms: i64,
    name: String,
    content_type: String,
    is_inline: bool,
    content_id: Option<String>,
    bytes: Vec<u8>,
}

/// Answers for the attachments of an event.
pub(super) fn answer(state: &mut State, request: &Request, found: Found, words: &[&str]) -> Answer {
    let own_id = Item::now(state, found.key, found.date).id(graph::id_form(request));
    let context = format!("events('{}')/attachments", links::escape(&own_id));
    match (request.method.as_str(), words) {
        ("GET", []) => {
            let options = graph::options(request, &["$top", "$skip", "$skiptoken"])?;
            let files = state.microsoft.calendar.events[&found.key].attachments.clone();
            super::page(state, request, &options, &context, files, |file| show(&file))
        }
        ("POST", []) => {
            graph::options(request, &[])?;
            check_rights(state, found.key)?;
            let sent = super::super::json_body(request)?;
            let at = state.microsoft.calendar.events[&found.key].attachments.len();
            let file = read(&sent, format!("{} {at}", found.key), state.now_ms())?;
            let mut whole = Map::new();
            let context = links::context(state, &format!("{context}/$entity"));
            whole.insert("@odata.context".into(), context.into());
            whole.extend(show(&file));
            change(state, found.key, |files| files.push(file));
            Ok(Response::json(201, &ordered(whole, &state.switches)))
        }
        ("GET" | "DELETE", [id]) => {
            graph::options(request, &[])?;
            let files = &state.microsoft.calendar.events[&found.key].attachments;
            let file = files.iter().find(|file| file.id == *id).cloned().ok_or_else(Refusal::not_found)?;
            if request.method == "GET" {
                return Ok(Response::json(200, &ordered(show(&file), &state.switches)));
            }
            check_rights(state, found.key)?;
            change(state, found.key, |files| files.retain(|have| have.id != file.id));
            Ok(Response::empty(204))
        }
        (_, [] | [_]) => Err(Refusal::no_method()),
        (_, [_, first, ..]) => Err(Refusal::no_resource(first)),
    }
}

/// Changes the files of an event, which gives it a new change key.
fn change(state: &mut State, key: u64, change: impl FnOnce(&mut Vec<Attachment>)) {
    if let Some(event) = state.microsoft.calendar.events.get_mut(&key) {
        change(&mut event.attachments);
    }
    let now = state.now_ms();
    state.microsoft.restamp_event(now, key);
}

fn show(file: &Attachment) -> Map<String, Value> {
    let Value::Object(shown) = json!({
        "@odata.type": "#microsoft.graph.fileAttachment",
        "id": file.id,
        "lastModifiedDateTime": clock::rfc3339_seconds(file.modified_ms),
        "name": file.name,
        "contentType": file.content_type,
        "size": file.bytes.len() + 158,
        "isInline": file.is_inline,
        "contentId": file.content_id,
        "contentLocation": null,
        "contentBytes": STANDARD.encode(&file.bytes),
    }) else {
        unreachable!("the text above is an object")
    };
    shown
}

fn read(sent: &Value, of: String, now_ms: i64) -> Result<Attachment, Refusal> {
    let object = sent.as_object().ok_or_else(|| Refusal::body("An attachment is an object."))?;
    match object.get("@odata.type").and_then(Value::as_str) {
        Some("#microsoft.graph.fileAttachment") => {}
        Some("#microsoft.graph.itemAttachment" | "#microsoft.graph.referenceAttachment") => {
            return Err(Refusal::new(501, "NotImplemented", "The stand-in has files only."));
        }
        _ => return Err(Refusal::bad("An attachment needs an @odata.type.")),
    }
    let known =
        ["@odata.type", "name", "contentType", "contentBytes", "isInline", "contentId", "contentLocation", "size"];
    if let Some(name) = object.keys().find(|name| !known.contains(&name.as_str())) {
        return Err(Refusal::no_property(name, "fileAttachment"));
    }
    let text = |name: &str| object.get(name).and_then(Value::as_str).map(str::to_owned);
    let name = text("name").ok_or_else(|| wrong_type("name", "Edm.String"))?;
    let bytes = text("contentBytes").ok_or_else(|| wrong_type("contentBytes", "Edm.Binary"))?;
    let bytes = STANDARD.decode(&bytes).or_else(|_| URL_SAFE.decode(&bytes));
    let bytes = bytes.map_err(|_| wrong_type("contentBytes", "Edm.Binary"))?;
    if bytes.len() > MOST_BYTES {
        return Err(Refusal::new(413, "ErrorMessageSizeExceeded", "The attachment is larger than 3 MB."));
    }
    let guessed = if name.ends_with(".txt") { "text/plain" } else { "application/octet-stream" };
    Ok(Attachment {
        id: id("AAMkAGI2NGVhZTVlLTI1OGMtNDI4My1iZmE5LTA5OGJiZGEyMTc0YQBGAAAT", &format!("{of} {now_ms}")),
        modified_ms: now_ms,
        name,
        content_type: text("contentType").unwrap_or_else(|| guessed.into()),
        is_inline: object.get("isInline").is_some_and(|value| *value == true),
        content_id: text("contentId"),
        bytes,
    })
}
