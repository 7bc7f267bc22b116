//! What is attached to messages. Only a draft's attachments can be changed. They are a resource of their own, which a delta
//! does not follow.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::super::query as graph;
use super::super::reply::{Answer, Refusal, ordered};
use super::super::store::{Rules, id};
use super::super::{is, json_body, links};
use super::body::File;
use super::fields::{check_size, wrong_type};
use super::{messages, uploads};
use crate::{Request, Response, State, clock};

const PROPERTIES: [&str; 9] = [
    "id",
    "lastModifiedDateTime",
    "name",
    "contentType",
    "size",
    "isInline",
    "contentId",
    "contentLocation",
    "contentBytes",
];

/// Answers for the attachments of a message.
pub(super) fn answer(state: &mut State, request: &Request, key: u64, words: &[&str]) -> Answer {
    let own = messages::own_id(state, request, key);
    let context = format!("messages('{}')/attachments", links::escape(&own));
    let files = state.microsoft.mail.messages[&key].now().body.files();
    match (request.method.as_str(), words) {
        ("GET", []) => {
            let options = graph::options(request, &["$select", "$top", "$skip", "$skiptoken", "$count"])?;
            let select = select(graph::option(&options, "$select"))?;
            super::page(state, request, &options, &context, &files, |file| show(key, &file, select.as_deref()))
        }
        ("POST", []) => {
            graph::options(request, &[])?;
            check_may_change(state, key)?;
            let file = read(&json_body(request)?, state.now_ms(), state.switches.graph_session_from_bytes)?;
            let file = add(state, key, file)?;
            Ok(whole(state, 201, key, &file, &context, None))
        }
        ("POST", [word]) if is(word, "createUploadSession") => uploads::begin(state, request, key),
        ("GET" | "DELETE", [id, rest @ ..]) => {
            let file = files.iter().find(|file| file_id(key, file) == *id).cloned();
            let file = file.ok_or_else(Refusal::not_found)?;
            match (request.method.as_str(), rest) {
                ("GET", []) => {
                    let options = graph::options(request, &["$select"])?;
                    let select = select(graph::option(&options, "$select"))?;
                    Ok(whole(state, 200, key, &file, &context, select.as_deref()))
                }
                ("GET", [value]) if is(value, "$value") => {
                    let kind = if file.is_item { "text/plain" } else { &file.content_type };
                    Ok(Response::bytes(200, kind, file.bytes.clone()))
                }
                ("DELETE", []) => {
                    check_may_change(state, key)?;
                    change(state, key, |files| files.retain(|have| have.number != file.number))?;
                    Ok(Response::empty(204))
                }
                (_, [first, ..]) => Err(Refusal::no_resource(first)),
                _ => Err(Refusal::no_method()),
            }
        }
        _ => Err(Refusal::no_method()),
    }
}

/// Refuses changes of what was sent or received.
pub(super) fn check_may_change(state: &State, key: u64) -> Result<(), Refusal> {
    let is_draft = state.microsoft.mail.messages[&key].now().body.is_draft;
    if is_draft || state.switches.graph_received_take_attachments {
        return Ok(());
    }
    Err(Refusal::new(400, "ErrorInvalidRequest", "The attachments of a message that is no draft cannot be changed."))
}

/// Attaches a file and gives it as it is kept.
pub(super) fn add(state: &mut State, key: u64, mut file: File) -> Result<File, Refusal> {
    if state.switches.graph_renames_files {
        file.name = format!("~{}", file.name.replace('.', "_."));
    }
    change(state, key, |files| {
        file.number = files.iter().map(|file| file.number).max().unwrap_or(0) + 1;
        files.push(Arc::new(file.clone()));
    })?;
    Ok(file)
}

fn change(state: &mut State, key: u64, change: impl FnOnce(&mut Vec<Arc<File>>)) -> Result<(), Refusal> {
    let mut body = (*state.microsoft.mail.messages[&key].now().body).clone();
    body.loosen();
    change(&mut body.files);
    check_size(&body, &state.switches)?;
    let rules = Rules::of(state);
    state.microsoft.edit_message(&rules, key, body);
    Ok(())
}

fn select(text: Option<&str>) -> Result<Option<Vec<String>>, Refusal> {
    let Some(text) = text else { return Ok(None) };
    let names: Vec<String> = text.split(',').map(|name| name.trim().to_owned()).collect();
    match names.iter().find(|name| !PROPERTIES.contains(&name.as_str())) {
        Some(name) => Err(Refusal::bad(format!(
            "Parsing OData Select and Expand failed: Could not find a property named '{name}' on type \
             'microsoft.graph.attachment'."
        ))),
        None => Ok(Some(names)),
    }
}

pub(super) fn file_id(key: u64, file: &File) -> String {
    let prefix = "AAMkAGI2NGVhZTVlLTI1OGMtNDI4My1iZmE5LTA5OGJiZGEyMTc0YQBGAAMM";
    id(prefix, &format!("attachment {key} {}", file.number))
}

fn show(key: u64, file: &File, select: Option<&[String]>) -> Map<String, Value> {
    let kind = if file.is_item { "item" } else { "file" };
    let Value::Object(mut shown) = json!({
        "@odata.type": format!("#microsoft.graph.{kind}Attachment"),
        "id": file_id(key, file),
        "lastModifiedDateTime": clock::rfc3339_seconds(file.modified_ms),
        "name": file.name,
        "contentType": if file.is_item { Value::Null } else { file.content_type.as_str().into() },
        "size": file.bytes.len() + 158,
        "isInline": file.is_inline,
    }) else {
        unreachable!("the text above is an object")
    };
    if !file.is_item {
        shown.insert("contentId".into(), file.content_id.clone().into());
        shown.insert("contentLocation".into(), Value::Null);
        shown.insert("contentBytes".into(), STANDARD.encode(&file.bytes).into());
    }
    let is_asked = |name: &str| {
        name.starts_with('@') || name == "id" || select.is_none_or(|select| select.iter().any(|have| have == name))
    };
    shown.retain(|name, _| is_asked(name));
    shown
}

fn whole(state: &State, status: u16, key: u64, file: &File, context: &str, select: Option<&[String]>) -> Response {
    let mut whole = Map::new();
    whole.insert("@odata.context".into(), links::context(state, &format!("{context}/$entity")).into());
    whole.extend(show(key, file, select));
    Response::json(status, &ordered(whole, &state.switches))
}

/// Reads the attachments of a new message.
pub(super) fn read_many(sent: &Value, now_ms: i64, below: usize) -> Result<Vec<Arc<File>>, Refusal> {
    let list = sent.as_array().ok_or_else(|| wrong_type("attachments", "Collection"))?;
    let number = |(at, sent): (usize, &Value)| {
        let file = read(sent, now_ms, below)?;
        Ok(Arc::new(File { number: at as u64 + 1, ..file }))
    };
    list.iter().enumerate().map(number).collect()
}

/// What is sent at once is smaller than `below`; from there on it goes by an upload session.
fn read(sent: &Value, now_ms: i64, below: usize) -> Result<File, Refusal> {
    let object = sent.as_object().ok_or_else(|| Refusal::body("An attachment is an object."))?;
    match object.get("@odata.type").and_then(Value::as_str) {
        Some("#microsoft.graph.fileAttachment") => {}
        Some("#microsoft.graph.itemAttachment" | "#microsoft.graph.referenceAttachment") => {
            return Err(Refusal::new(501, "NotImplemented", "The stand-in takes files only."));
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
    let letters = text("contentBytes").ok_or_else(|| wrong_type("contentBytes", "Edm.Binary"))?;
    let bytes = STANDARD.decode(&letters).or_else(|_| URL_SAFE.decode(&letters));
    let bytes = bytes.map_err(|_| wrong_type("contentBytes", "Edm.Binary"))?;
    if bytes.len() >= below {
        return Err(Refusal::new(413, "ErrorMessageSizeExceeded", "The attachment is 3 MB or larger."));
    }
    let content_type = text("contentType").unwrap_or_else(|| guessed_kind(&name).to_owned());
    Ok(File {
        number: 0,
        modified_ms: now_ms,
        name,
        content_type,
        is_inline: object.get("isInline").is_some_and(|value| *value == true),
        content_id: text("contentId"),
        is_item: false,
        bytes: Bytes::from(bytes),
    })
}

/// The media type that the service makes of a name's ending.
pub(super) fn guessed_kind(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, ending)| ending).to_ascii_lowercase().as_str() {
        "txt" => "text/plain",
        "jpg" | "jpeg" => "image/jpeg",
        "png" => "image/png",
        "pdf" => "application/pdf",
        _ => "application/octet-stream",
    }
}
