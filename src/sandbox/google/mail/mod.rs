//! Gmail v1: messages, labels, drafts, and the history of a mailbox. Requests come in with the path after `/google/`.
//!
//! `mod.rs` routes and checks tokens, scopes and parameters; `schema.rs` checks bodies; `labels.rs`, `messages.rs`,
//! `drafts.rs` and `history.rs` answer; `uploads.rs` takes in bytes in all four ways, `inserts.rs` makes messages of them;
//! `crate::mime` reads them, `render.rs` shows them, `search.rs` finds them; `pages.rs` has page tokens; `store.rs` remembers;
//! `quota.rs` counts; `batch.rs` takes many requests in one; `hands.rs` is what another client of the user may do;
//! `seeds.rs` has the mail of the start.

mod batch;
mod drafts;
mod errors;
mod hands;
mod history;
mod inserts;
mod labels;
mod messages;
mod pages;
mod quota;
mod render;
mod schema;
mod search;
mod seeds;
mod store;
mod uploads;

use serde_json::{Map, Value, json};

use errors::{forbidden, invalid_value, not_found, not_implemented, scope_missing, unknown_parameter};

pub(crate) use errors::fault_body;
pub(crate) use hands::control;
pub(crate) use quota::{budget, units};
pub(crate) use seeds::seed;
pub use store::Room;

use uploads::Goal;

use super::errors::Refusal;
use super::partial;
use crate::oauth::{self, Access, Denied};
use crate::wire::segments;
use crate::{Provider, Request, Response, State};

/// Whether a path (as sent) is one of this room's.
pub(crate) fn is_path(path: &str) -> bool {
    let rest = path.strip_prefix("/google/").unwrap_or_default();
    rest.starts_with("gmail/v1/") || rest.starts_with("upload/gmail/v1/") || is_batch(rest)
}

/// Whether a path after `/google/` is that of the batches: the discovery document's, or the general one.
fn is_batch(path: &str) -> bool {
    matches!(path.trim_end_matches('/'), "batch" | "batch/gmail/v1")
}

/// Parameters that every method takes.
const COMMON: [&str; 10] = [
    "$.xgafv",
    "access_token",
    "alt",
    "fields",
    "key",
    "oauth_token",
    "prettyPrint",
    "quotaUser",
    "uploadType",
    "upload_id",
];
const LIST: &[&str] = &["includeSpamTrash", "labelIds", "maxResults", "pageToken", "q"];
const LIST_DRAFTS: &[&str] = &["includeSpamTrash", "maxResults", "pageToken", "q"];
const GET: &[&str] = &["format", "metadataHeaders"];
const GET_DRAFT: &[&str] = &["format"];
const HISTORY: &[&str] = &["historyTypes", "labelId", "maxResults", "pageToken", "startHistoryId"];
const INSERT: &[&str] = &["deleted", "internalDateSource"];
const IMPORT: &[&str] = &["deleted", "internalDateSource", "neverMarkSpam", "processForCalendar"];

/// Scopes that a method takes, of which one is enough; `mail` is the whole of `https://mail.google.com/`.
type Scopes = &'static [&'static str];
const PROFILE: Scopes = &["mail", "gmail.compose", "gmail.metadata", "gmail.modify", "gmail.readonly"];
const READ: Scopes = &["mail", "gmail.metadata", "gmail.modify", "gmail.readonly"];
const READ_ALL: Scopes = &["mail", "gmail.modify", "gmail.readonly"];
const READ_LABELS: Scopes = &["mail", "gmail.labels", "gmail.metadata", "gmail.modify", "gmail.readonly"];
const WRITE_LABELS: Scopes = &["mail", "gmail.labels", "gmail.modify"];
const MODIFY: Scopes = &["mail", "gmail.modify"];
const DESTROY: Scopes = &["mail"];
const BRING_IN: Scopes = &["mail", "gmail.insert", "gmail.modify"];
const READ_DRAFTS: Scopes = &["mail", "gmail.compose", "gmail.modify", "gmail.readonly"];
const WRITE_DRAFTS: Scopes = &["mail", "gmail.compose", "gmail.modify"];

fn reaches(access: &Access, scopes: Scopes) -> bool {
    scopes.iter().any(|scope| match *scope {
        "mail" => access.has("https://mail.google.com/"),
        scope => access.has(&format!("https://www.googleapis.com/auth/{scope}")),
    })
}

/// Answers a request; `path` is what follows `/google/`.
pub(super) fn handle(state: &mut State, request: &Request, path: &str) -> Response {
    if is_batch(path) {
        let reply = batch::answer(state, request).unwrap_or_else(|refusal| *refusal);
        return errors::dressed(state, reply);
    }
    let reply = match oauth::authorise(state, Provider::Google, request) {
        Err(denied) => Err(errors::unauthenticated(denied == Denied::Missing)),
        Ok(access) => super::in_account(state, &access, |state| {
            store::settle_in(state, &access.account);
            answer(state, request, path, &access)
        }),
    };
    let mut reply = reply.unwrap_or_else(|refusal| *refusal);
    if let Some(fields) = request.param("fields").filter(|_| reply.status == 200 && !reply.body.is_empty()) {
        reply = match partial::cut(&reply.body_json(), fields) {
            Ok(body) => Response { body: body.to_string().into(), ..reply },
            Err(refusal) => *errors::listed(*refusal, "invalidParameter"),
        };
    }
    errors::dressed(state, reply)
}

fn answer(state: &mut State, request: &Request, path: &str, access: &Access) -> Result<Response, Refusal> {
    let (is_upload, path) = match path.strip_prefix("upload/") {
        Some(rest) => (true, rest),
        None => (false, path),
    };
    let parts = segments(path.strip_prefix("gmail/v1/users/").ok_or_else(not_found)?);
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let Some((user, parts)) = parts.split_first() else { return Err(not_found()) };
    if *user != "me" && !user.eq_ignore_ascii_case(&access.account.email) {
        return Err(forbidden(&format!("Delegation denied for {}", access.account.email)));
    }
    let check = |scopes: Scopes, known: &[&str]| check(request, access, scopes, known);
    let may_read = reaches(access, READ_ALL);
    let taken_in = match (request.method.as_str(), parts) {
        ("POST" | "PUT", ["messages"]) => Some((Goal::Insert, BRING_IN, INSERT)),
        ("POST" | "PUT", ["messages", "import"]) => Some((Goal::Import, BRING_IN, IMPORT)),
        ("POST", ["drafts"]) => Some((Goal::CreateDraft, WRITE_DRAFTS, &[][..])),
        ("PUT", ["drafts"]) if is_upload => Some((Goal::CreateDraft, WRITE_DRAFTS, &[][..])),
        ("PUT", ["drafts", id]) => Some((Goal::UpdateDraft((*id).to_owned()), WRITE_DRAFTS, &[][..])),
        _ => None,
    };
    if let Some((goal, scopes, known)) = taken_in {
        check(scopes, known)?;
        return match (is_upload, request.param("upload_id"), request.method.as_str()) {
            (true, Some(id), "PUT") => uploads::piece(state, request, id),
            (_, _, "PUT") if !matches!(goal, Goal::UpdateDraft(_)) => Err(not_found()),
            _ => uploads::receive(state, request, goal, is_upload),
        };
    }
    if is_upload {
        return Err(not_found());
    }
    match (request.method.as_str(), parts) {
        ("GET", ["profile"]) => {
            check(PROFILE, &[])?;
            Ok(profile(state))
        }
        ("GET", ["history"]) => {
            check(READ, HISTORY)?;
            history::list(state, request)
        }
        ("GET", ["labels"]) => {
            check(READ_LABELS, &[])?;
            Ok(labels::list(state))
        }
        ("POST", ["labels"]) => {
            check(WRITE_LABELS, &[])?;
            labels::create(state, request)
        }
        ("GET", ["labels", id]) => {
            check(READ_LABELS, &[])?;
            labels::get(state, id)
        }
        ("PATCH" | "PUT", ["labels", id]) => {
            check(WRITE_LABELS, &[])?;
            labels::change(state, request, id)
        }
        ("DELETE", ["labels", id]) => {
            check(WRITE_LABELS, &[])?;
            labels::delete(state, id)
        }
        ("GET", ["messages"]) => {
            check(READ, LIST)?;
            messages::list(state, request, may_read)
        }
        ("POST", ["messages", "batchModify"]) => {
            check(MODIFY, &[])?;
            messages::batch_modify(state, request)
        }
        ("POST", ["messages", "batchDelete"]) => {
            check(DESTROY, &[])?;
            messages::batch_delete(state, request)
        }
        ("GET", ["messages", id]) => {
            check(READ, GET)?;
            messages::get(state, request, id, may_read)
        }
        ("DELETE", ["messages", id]) => {
            check(DESTROY, &[])?;
            messages::delete(state, id)
        }
        ("POST", ["messages", id, "modify"]) => {
            check(MODIFY, &[])?;
            messages::modify(state, request, id)
        }
        ("POST", ["messages", id, "trash"]) => {
            check(MODIFY, &[])?;
            messages::trash(state, id)
        }
        ("POST", ["messages", id, "untrash"]) => {
            check(MODIFY, &[])?;
            messages::untrash(state, id)
        }
        ("GET", ["messages", id, "attachments", attachment]) => {
            check(READ_ALL, &[])?;
            render::attachment(state, id, attachment)
        }
        ("GET", ["drafts"]) => {
            check(READ_DRAFTS, LIST_DRAFTS)?;
            drafts::list(state, request)
        }
        ("GET", ["drafts", id]) => {
            check(READ_DRAFTS, GET_DRAFT)?;
            drafts::get(state, request, id, may_read)
        }
        ("DELETE", ["drafts", id]) => {
            check(WRITE_DRAFTS, &[])?;
            drafts::delete(state, id)
        }
        (_, ["threads" | "settings" | "watch" | "stop", ..] | ["messages" | "drafts", "send"]) => {
            Err(not_implemented("threads, settings, watches and sending"))
        }
        _ => Err(not_found()),
    }
}

/// Scope and query parameters.
fn check(request: &Request, access: &Access, scopes: Scopes, known: &[&str]) -> Result<(), Refusal> {
    if !reaches(access, scopes) {
        return Err(scope_missing());
    }
    if request.method == "GET" && !request.body.is_empty() {
        // The front end turns these away before any service sees them.
        let page = "<!DOCTYPE html><title>Error 400 (Bad Request)!!1</title>";
        return Err(Box::new(Response::bytes(400, "text/html; charset=UTF-8", page)));
    }
    for (name, value) in &request.query {
        let name = name.as_str();
        if !known.contains(&name) && !COMMON.contains(&name) {
            return Err(unknown_parameter(name));
        }
        let is_flag =
            matches!(name, "deleted" | "includeSpamTrash" | "neverMarkSpam" | "prettyPrint" | "processForCalendar");
        if is_flag && !matches!(value.as_str(), "true" | "false") {
            return Err(invalid_value(name, "TYPE_BOOL", value));
        }
        if name == "internalDateSource" && !matches!(value.as_str(), "receivedTime" | "dateHeader") {
            return Err(invalid_value(name, "TYPE_ENUM", value));
        }
        if name == "alt" && value != "json" {
            return Err(invalid_value(name, "TYPE_ENUM", value));
        }
    }
    Ok(())
}

/// `GET profile`. Its history id is the one to begin from.
fn profile(state: &State) -> Response {
    let room = &state.google.mail;
    let body = json!({
        "emailAddress": room.owner,
        "messagesTotal": room.count(),
        "threadsTotal": room.thread_count(),
        "historyId": room.history_id.to_string(),
    });
    Response::json(200, &body)
}

/// Labels, messages (without their text) and drafts as JSON, for a test to compare. Nothing here changes when it is read.
pub(super) fn dump(state: &State) -> Value {
    let room = &state.google.mail;
    let labels: Map<String, Value> = room.labels.iter().map(|(id, fields)| (id.clone(), json!(fields))).collect();
    let messages = room.newest_first().map(|message| {
        let shown = json!({
            "labels": message.labels, "thread": message.thread, "internal_ms": message.internal_ms,
            "message_id": message.message_id, "bytes": message.raw.len(),
        });
        (message.id.clone(), shown)
    });
    json!({ "labels": labels, "messages": messages.collect::<Map<String, Value>>(), "drafts": room.drafts })
}
