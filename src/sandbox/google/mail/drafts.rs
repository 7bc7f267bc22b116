//! Drafts. A draft keeps its id for life; its message is another one after each edit.

use std::collections::BTreeSet;

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::errors::{forbidden, invalid, not_found};
use super::render::{self, Format};
use super::schema::text;
use super::search::Search;
use super::store::New;
use super::{inserts, messages};
use crate::google::errors::Refusal;
use crate::mime::Part;
use crate::{Request, Response, State};

/// `GET drafts`: ids only, newest first.
pub(super) fn list(state: &State, request: &Request) -> Result<Response, Refusal> {
    let search = Search::read(request.param("q").unwrap_or_default())?;
    let shows_all = request.param("includeSpamTrash") == Some("true") || search.is_anywhere();
    let mut rows = Vec::new();
    for message in state.google.mail.newest_first().filter(|message| message.has("DRAFT")) {
        let is_listed = (shows_all || !message.has("TRASH")) && search.finds(state, message);
        if let Some(draft) = state.google.mail.draft_of(&message.id).filter(|_| is_listed) {
            rows.push(json!({ "id": draft, "message": { "id": message.id, "threadId": message.thread } }));
        }
    }
    messages::page(state, request, "drafts", rows)
}

/// `GET drafts/{id}`.
pub(super) fn get(state: &mut State, request: &Request, id: &str, may_read: bool) -> Result<Response, Refusal> {
    if !may_read {
        return Err(forbidden("Metadata scope does not allow reading drafts"));
    }
    let format = Format::of(request, may_read)?;
    let message = state.google.mail.drafts.get(id).ok_or_else(not_found)?.clone();
    let message = render::message(state, &message, format, request)?;
    Ok(Response::json(200, &json!({ "id": id, "message": message })))
}

/// `POST drafts`.
pub(super) fn create(state: &mut State, metadata: &Map<String, Value>, raw: Bytes) -> Result<Response, Refusal> {
    let id = state.google.mail.fresh_name("r");
    put(state, &id, metadata, raw)?;
    shown(state, &id)
}

/// `PUT drafts/{id}`: another message in the place of the old one, which is destroyed.
pub(super) fn update(
    state: &mut State,
    id: &str,
    metadata: &Map<String, Value>,
    raw: Bytes,
) -> Result<Response, Refusal> {
    if !state.google.mail.drafts.contains_key(id) {
        return Err(not_found());
    }
    if metadata.get("id").is_some_and(|given| given != id) {
        return Err(invalid("Draft id in the body does not match the one in the path"));
    }
    put(state, id, metadata, raw)?;
    shown(state, id)
}

/// `DELETE drafts/{id}`: for ever, its message too.
pub(super) fn delete(state: &mut State, id: &str) -> Result<Response, Refusal> {
    let now_ms = state.now_ms();
    let message = state.google.mail.drafts.get(id).ok_or_else(not_found)?.clone();
    state.google.mail.remove(&message, now_ms);
    Ok(Response::empty(204))
}

/// Stores the content of a draft, and gives the message's id.
pub(super) fn put(state: &mut State, id: &str, metadata: &Map<String, Value>, raw: Bytes) -> Result<String, Refusal> {
    let named = metadata.get("message").and_then(Value::as_object).map(|message| text(message, "threadId"));
    let named = named.unwrap_or_default();
    let thread = match named.is_empty() && !state.switches.mail_drafts_thread_by_header {
        true => None,
        false => inserts::thread(state, &Part::read(&raw), named)?,
    };
    let now_ms = state.now_ms();
    let raw = if state.switches.mail_draft_names_anew { named_anew(state, &raw) } else { raw };
    if let Some(old) = state.google.mail.drafts.remove(id) {
        state.google.mail.remove(&old, now_ms);
    }
    let labels = BTreeSet::from(["DRAFT".to_owned()]);
    let new = New { raw, labels, internal_ms: now_ms, thread, is_old: false };
    let message = state.google.mail.add(new, now_ms);
    state.google.mail.drafts.insert(id.to_owned(), message.clone());
    Ok(message)
}

/// The same under a Message-ID of the service.
fn named_anew(state: &mut State, raw: &[u8]) -> Bytes {
    let mut named = format!("Message-ID: <{}@mail.gmail.com>\r\n", state.google.mail.fresh_name("CA")).into_bytes();
    let (mut is_head, mut is_name) = (true, false);
    for line in raw.split_inclusive(|byte| *byte == b'\n') {
        is_head &= !matches!(line, b"\n" | b"\r\n");
        is_name = is_head
            && match line[0] {
                b' ' | b'\t' => is_name,
                _ => line.get(..11).is_some_and(|name| name.eq_ignore_ascii_case(b"message-id:")),
            };
        if !is_name {
            named.extend_from_slice(line);
        }
    }
    named.into()
}

fn shown(state: &State, id: &str) -> Result<Response, Refusal> {
    let message =
        state.google.mail.drafts.get(id).and_then(|id| state.google.mail.message(id)).ok_or_else(not_found)?;
    Ok(Response::json(200, &json!({ "id": id, "message": render::stub(message) })))
}
