//! Messages: the list, one of them, their labels, the trash, and the end.

use serde_json::{Map, Value, json};

use super::errors::{forbidden, invalid, not_found};
use super::labels;
use super::pages::{self, Place};
use super::render::{self, Format};
use super::schema::{self, texts};
use super::search::Search;
use super::store::Message;
use crate::google::errors::Refusal;
use crate::{Request, Response, State};

/// Labels that one call may add, and may take off.
const MOST_LABELS: usize = 100;
/// Messages that one call may change.
const MOST_IDS: usize = 1000;

/// `GET messages`: ids and threads, newest first.
pub(super) fn list(state: &State, request: &Request, may_read: bool) -> Result<Response, Refusal> {
    let wanted: Vec<&str> = request.params("labelIds").collect();
    for label in &wanted {
        labels::known(state, label).map_err(|_| invalid("labelId not found"))?;
    }
    let text = request.param("q").unwrap_or_default();
    if !text.is_empty() && !may_read {
        return Err(forbidden("Metadata scope does not support 'q' parameter"));
    }
    let search = Search::read(text)?;
    let shows_all = request.param("includeSpamTrash") == Some("true") || search.is_anywhere();
    let is_listed = |message: &&Message| {
        (shows_all || !(message.has("SPAM") || message.has("TRASH")))
            && wanted.iter().all(|label| message.has(label))
            && search.finds(state, message)
    };
    let found: Vec<&Message> = state.google.mail.newest_first().filter(is_listed).collect();
    let rows = found.iter().map(|message| json!({ "id": message.id, "threadId": message.thread }));
    page(state, request, "messages", rows.collect())
}

/// One page of rows. Tokens count rows: what comes or goes meanwhile shifts the rest, and some are missed or come twice.
pub(super) fn page(state: &State, request: &Request, name: &str, rows: Vec<Value>) -> Result<Response, Refusal> {
    let place = Place::read(name, request)?;
    let pages = place.map_or(0, |place| place.pages);
    let sent = place.map_or(0, |place| usize::try_from(place.sent).unwrap_or(usize::MAX)).min(rows.len());
    let size = pages::size(&state.switches, pages::asked(request, 500)?, pages);
    let end = (sent + size).min(rows.len());
    let mut body = json!({});
    if end > sent {
        body[name] = json!(rows[sent..end]);
    }
    if end < rows.len() {
        let next = Place { sent: u64::try_from(end).unwrap_or(u64::MAX), pages: pages + 1 };
        body["nextPageToken"] = json!(next.write(name, request));
    }
    // The real one is a guess, and a bad one for large mailboxes.
    body["resultSizeEstimate"] = json!(rows.len().min(201));
    Ok(Response::json(200, &body))
}

/// `GET messages/{id}`.
pub(super) fn get(state: &mut State, request: &Request, id: &str, may_read: bool) -> Result<Response, Refusal> {
    let format = Format::of(request, may_read)?;
    Ok(Response::json(200, &render::message(state, id, format, request)?))
}

/// `POST messages/{id}/modify`.
pub(super) fn modify(state: &mut State, request: &Request, id: &str) -> Result<Response, Refusal> {
    let body = schema::body(request, "Modify")?;
    let (add, remove) = change(state, &body)?;
    relabel(state, id, &add, &remove)?;
    answer(state, id)
}

/// `POST messages/batchModify`: no word about ids that are unknown.
pub(super) fn batch_modify(state: &mut State, request: &Request) -> Result<Response, Refusal> {
    let body = schema::body(request, "BatchModify")?;
    let ids = checked_ids(&body)?;
    let (add, remove) = change(state, &body)?;
    for id in ids {
        // The call answers nothing about single messages.
        let _ = relabel(state, id, &add, &remove);
    }
    Ok(Response::empty(204))
}

/// The labels that a body adds and removes, checked.
fn change<'a>(state: &State, body: &'a Map<String, Value>) -> Result<(Vec<&'a str>, Vec<&'a str>), Refusal> {
    let (add, remove) = (texts(body, "addLabelIds"), texts(body, "removeLabelIds"));
    labels::settable(state, &add, &remove, MOST_LABELS)?;
    if add.is_empty() && remove.is_empty() {
        return Err(invalid("No label add or removes specified"));
    }
    if let Some(label) = add.iter().find(|label| remove.contains(label)) {
        return Err(invalid(&format!("Cannot both add and remove the same label: {label}")));
    }
    Ok((add, remove))
}

fn relabel(state: &mut State, id: &str, add: &[&str], remove: &[&str]) -> Result<(), Refusal> {
    let now_ms = state.now_ms();
    let mut remove = remove.to_vec();
    if add.contains(&"TRASH") {
        trash_draft(state, id)?;
    }
    let leaves_inbox = add.contains(&"TRASH") || add.contains(&"SPAM");
    if leaves_inbox && !state.switches.mail_modify_keeps_inbox {
        remove.push("INBOX");
    }
    if state.google.mail.relabel(id, add, &remove, now_ms) { Ok(()) } else { Err(not_found()) }
}

/// What becomes of a draft that is to go to the trash.
fn trash_draft(state: &mut State, id: &str) -> Result<(), Refusal> {
    let now_ms = state.now_ms();
    if !state.google.mail.message(id).is_some_and(|message| message.has("DRAFT")) {
        return Ok(());
    }
    match state.switches.mail_trashed_draft.as_str() {
        "refused" => return Err(invalid("Invalid label: TRASH")),
        "ends" => {
            state.google.mail.drafts.retain(|_, message| message != id);
            state.google.mail.relabel(id, &[], &["DRAFT"], now_ms);
        }
        _ => {}
    }
    Ok(())
}

/// `POST messages/{id}/trash`.
pub(super) fn trash(state: &mut State, id: &str) -> Result<Response, Refusal> {
    let now_ms = state.now_ms();
    trash_draft(state, id)?;
    if !state.google.mail.relabel(id, &["TRASH"], &["INBOX", "SPAM"], now_ms) {
        return Err(not_found());
    }
    answer(state, id)
}

/// `POST messages/{id}/untrash`.
pub(super) fn untrash(state: &mut State, id: &str) -> Result<Response, Refusal> {
    let now_ms = state.now_ms();
    let is_there = state.google.mail.message(id).ok_or_else(not_found)?.has("TRASH");
    let back: &[&str] = if is_there && state.switches.mail_untrash_restores_inbox { &["INBOX"] } else { &[] };
    state.google.mail.relabel(id, back, &["TRASH"], now_ms);
    answer(state, id)
}

/// `DELETE messages/{id}`: for ever.
pub(super) fn delete(state: &mut State, id: &str) -> Result<Response, Refusal> {
    let now_ms = state.now_ms();
    if state.google.mail.remove(id, now_ms) { Ok(Response::empty(204)) } else { Err(not_found()) }
}

/// `POST messages/batchDelete`: no word about ids that are unknown.
pub(super) fn batch_delete(state: &mut State, request: &Request) -> Result<Response, Refusal> {
    let body = schema::body(request, "BatchDelete")?;
    let now_ms = state.now_ms();
    for id in checked_ids(&body)? {
        state.google.mail.remove(id, now_ms);
    }
    Ok(Response::empty(204))
}

fn checked_ids(body: &Map<String, Value>) -> Result<Vec<&str>, Refusal> {
    match texts(body, "ids") {
        ids if ids.is_empty() => Err(invalid("No message ids specified")),
        ids if ids.len() > MOST_IDS => Err(invalid(&format!("Number of ids cannot exceed {MOST_IDS}"))),
        ids => Ok(ids),
    }
}

/// What a write is answered with.
pub(super) fn answer(state: &State, id: &str) -> Result<Response, Refusal> {
    let message = state.google.mail.message(id).ok_or_else(not_found)?;
    Ok(Response::json(200, &render::stub(message)))
}
