//! Messages as they are shown: `minimal`, `metadata`, `full`, `raw`.

use base64::Engine;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::errors::{forbidden, invalid_value, not_found};
use super::history::Record;
use super::store::Message;
use crate::google::errors::Refusal;
use crate::mime::{self, Part};
use crate::{Request, Response, State};

/// A part's body of more bytes is asked for on its own.
const MOST_INLINE: usize = 64 * 1024;

/// How much of a message is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Minimal,
    Metadata,
    Full,
    Raw,
}

impl Format {
    /// The format that a request asks for. `may_read`: the token reaches beyond headers.
    pub fn of(request: &Request, may_read: bool) -> Result<Self, Refusal> {
        let format = match request.param("format").unwrap_or("full") {
            "minimal" => Self::Minimal,
            "metadata" => Self::Metadata,
            "full" => Self::Full,
            "raw" => Self::Raw,
            other => return Err(invalid_value("format", "TYPE_ENUM", other)),
        };
        match format {
            Self::Full if !may_read => Err(forbidden("Metadata scope doesn't allow format FULL")),
            Self::Raw if !may_read => Err(forbidden("Metadata scope doesn't allow format RAW")),
            _ => Ok(format),
        }
    }
}

/// A message in this format.
pub(super) fn message(state: &mut State, id: &str, format: Format, request: &Request) -> Result<Value, Refusal> {
    let found = state.google.mail.message(id).ok_or_else(not_found)?.clone();
    let mut shown = stub(&found);
    shown["snippet"] = json!(found.snippet);
    shown["sizeEstimate"] = json!(found.raw.len());
    shown["historyId"] = json!(found.history_id.to_string());
    shown["internalDate"] = json!(found.internal_ms.to_string());
    match format {
        Format::Minimal => {}
        Format::Raw => shown["raw"] = json!(encoded(state, &found.raw)),
        Format::Metadata => {
            let part = Part::read(&found.raw);
            let wanted: Vec<&str> = request.params("metadataHeaders").collect();
            let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|have| have.eq_ignore_ascii_case(name));
            let headers: Vec<Value> = headers(&part, is_wanted);
            shown["payload"] = json!({ "mimeType": part.kind, "headers": headers });
        }
        Format::Full => {
            // An attachment's id is another one with each answer.
            let turn = state.google.mail.fresh_name("");
            shown["payload"] =
                payload(state, &Part::read(&found.raw), "", &mut Attachments { id: &found.id, turn, count: 0 });
        }
    }
    Ok(shown)
}

/// Id, thread and labels: what writes are answered with.
pub(super) fn stub(message: &Message) -> Value {
    let mut shown = json!({ "id": message.id, "threadId": message.thread });
    if !message.labels.is_empty() {
        shown["labelIds"] = json!(message.labels);
    }
    shown
}

/// The message of a record: with its labels of now, as they are read, those of then, or none, as the switches say.
pub(super) fn reference(state: &State, record: &Record) -> Value {
    let now = state.google.mail.message(&record.message).filter(|_| state.switches.mail_history_shows_present_labels);
    let labels = now.map_or(&record.labels, |message| &message.labels);
    let mut shown = json!({ "id": record.message, "threadId": record.thread });
    if !labels.is_empty() && state.switches.mail_history_label_ids {
        shown["labelIds"] = json!(labels);
    }
    shown
}

/// What numbers the attachments of one answer.
struct Attachments<'a> {
    id: &'a str,
    turn: String,
    count: usize,
}

fn payload(state: &State, part: &Part, path: &str, attachments: &mut Attachments<'_>) -> Value {
    let number = attachments.count;
    attachments.count += 1;
    let mut body = json!({ "size": part.body.len() });
    if !part.filename.is_empty() || part.body.len() > MOST_INLINE {
        let name = format!("{}.{number}.{}", attachments.turn, attachments.id);
        body["attachmentId"] = json!(format!("ANG{}", URL_SAFE_NO_PAD.encode(name)));
    } else if !part.body.is_empty() {
        let text = if part.kind.starts_with("text/") { part.text().into_bytes() } else { part.body.clone() };
        body["size"] = json!(text.len());
        body["data"] = json!(encoded(state, &text));
    }
    let mut shown = json!({
        "partId": path,
        "mimeType": part.kind,
        "filename": part.filename,
        "headers": headers(part, |_| true),
        "body": body,
    });
    if !part.parts.is_empty() {
        let below = part.parts.iter().enumerate().map(|(i, part)| {
            let path = if path.is_empty() { i.to_string() } else { format!("{path}.{i}") };
            payload(state, part, &path, attachments)
        });
        shown["parts"] = Value::Array(below.collect());
    }
    shown
}

fn headers(part: &Part, is_wanted: impl Fn(&str) -> bool) -> Vec<Value> {
    let wanted = part.headers.iter().filter(|(name, _)| is_wanted(name));
    wanted.map(|(name, value)| json!({ "name": name, "value": value })).collect()
}

/// `GET messages/{id}/attachments/{attachment}`.
pub(super) fn attachment(state: &State, message: &str, attachment: &str) -> Result<Response, Refusal> {
    let found = state.google.mail.message(message).ok_or_else(not_found)?;
    let number = numbered(message, attachment).ok_or_else(not_found)?;
    let part = Part::read(&found.raw);
    let all = part.all();
    let part = all.get(number).ok_or_else(not_found)?;
    let body = json!({ "size": part.body.len(), "data": encoded(state, &part.body) });
    Ok(Response::json(200, &body))
}

fn numbered(message: &str, attachment: &str) -> Option<usize> {
    let bytes = mime::URL_SAFE.decode(attachment.strip_prefix("ANG")?).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let mut parts = text.split('.').skip(1);
    let number = parts.next()?.parse().ok()?;
    (parts.next() == Some(message)).then_some(number)
}

fn encoded(state: &State, bytes: &[u8]) -> String {
    if state.switches.mail_unpadded_base64 { URL_SAFE_NO_PAD.encode(bytes) } else { URL_SAFE.encode(bytes) }
}
