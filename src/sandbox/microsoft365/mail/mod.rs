//! Graph's mail: folders, messages, their MIME, and the deltas of both.
//!
//! | file | holds |
//! |---|---|
//! | `store.rs`, `writes.rs` | folders and messages with their whole history, ids, well-known names; every change |
//! | `body.rs`, `fields.rs`, `mapi.rs` | what a message says; what may be written, and when; Exchange's own properties |
//! | `mime.rs` | properties read from MIME, MIME written from properties or anew |
//! | `folders.rs`, `messages.rs`, `attachments.rs`, `uploads.rs` | one resource each |
//! | `query.rs` | filters and orders of messages |
//! | `delta.rs` | `mailFolders/delta` and `messages/delta` |
//! | `hands.rs` | what another client of the user does: [`crate::Sandbox`]`::graph_mail_...` and control requests |
//! | `seeds.rs` | the mail at the start |

mod attachments;
mod body;
mod delta;
mod fields;
mod folders;
mod hands;
mod mapi;
mod messages;
mod mime;
mod query;
mod seeds;
mod store;
mod uploads;
mod writes;

use serde_json::{Map, Value};

use super::reply::{Answer, Refusal, ordered};
use super::{is, is_delta, links, query as graph};
use crate::{Request, Response, State};
use store::{ROOT, folder_id};

pub(super) use hands::{control, dump};
pub(crate) use seeds::seed;
pub(super) use store::{LAST_KNOWN, Store};

/// The most messages that `$top` may ask for.
const MOST_ROWS: usize = 1000;

/// Whether a path below the user names something of mail.
pub(super) fn is_here(word: &str) -> bool {
    is(word, "mailFolders") || is(word, "messages")
}

/// Answers a request to the address of uploads; `words` is the path below it.
pub(super) fn upload(state: &mut State, request: &Request, words: &[&str]) -> Answer {
    uploads::answer(state, request, words)
}

/// Refuses folders that the switch closes.
fn allow(state: &State, key: u64) -> Result<(), Refusal> {
    let folder = &state.microsoft.mail.folders[&key];
    let is_named = |name: &String| {
        *name == folder_id(key) || *name == folder.now().name || (!name.is_empty() && is(name, folder.known))
    };
    if state.switches.graph_denied_folders.iter().any(is_named) { Err(Refusal::denied()) } else { Ok(()) }
}

/// Answers a request; `words` is the path below the user.
pub(super) fn answer(state: &mut State, request: &Request, words: &[&str]) -> Answer {
    match words {
        [folders] if is(folders, "mailFolders") => folders::many(state, request, ROOT),
        [folders, word] if is(folders, "mailFolders") && is_delta(word) => delta::folders(state, request),
        [folders, id, rest @ ..] if is(folders, "mailFolders") => {
            let key = state.microsoft.mail.find_folder(id).map_err(|refusal| match (refusal.status, rest) {
                (404, [_, word]) if is_delta(word) => {
                    Refusal::new(404, "ErrorSyncFolderNotFound", "The folder to sync was not found.")
                }
                _ => refusal,
            })?;
            in_folder(state, request, key, rest)
        }
        [messages, rest @ ..] if is(messages, "messages") => in_messages(state, request, None, rest),
        [first, ..] => Err(Refusal::no_resource(first)),
        [] => Err(Refusal::no_resource("")),
    }
}

fn in_folder(state: &mut State, request: &Request, folder: u64, words: &[&str]) -> Answer {
    match words {
        [] => folders::one(state, request, folder),
        [children] if is(children, "childFolders") => folders::many(state, request, folder),
        [children, id, rest @ ..] if is(children, "childFolders") => {
            let child = state.microsoft.mail.find_folder(id)?;
            if state.microsoft.mail.folders[&child].now().parent != Some(folder) {
                return Err(Refusal::not_found());
            }
            in_folder(state, request, child, rest)
        }
        [messages, word] if is(messages, "messages") && is_delta(word) => {
            allow(state, folder)?;
            let path = format!("me/mailFolders('{}')/messages/delta", links::escape(&folder_id(folder)));
            delta::messages(state, request, folder, &path)
        }
        [messages, rest @ ..] if is(messages, "messages") => {
            allow(state, folder)?;
            in_messages(state, request, Some(folder), rest)
        }
        [word] if is(word, "move") => folders::carry(state, request, folder, false),
        [word] if is(word, "copy") => folders::carry(state, request, folder, true),
        [word] if is(word, "permanentDelete") => folders::purge(state, request, folder),
        [first, ..] => Err(Refusal::no_resource(first)),
    }
}

fn in_messages(state: &mut State, request: &Request, folder: Option<u64>, words: &[&str]) -> Answer {
    match words {
        [] => messages::many(state, request, folder),
        [id] => messages::one(state, request, folder, id),
        // Provider: the long path to the MIME is documented and refused.
        [_, value] if is(value, "$value") && folder.is_some() => Err(Refusal::no_method()),
        [id, value] if is(value, "$value") => messages::value(state, request, id),
        [id, files, rest @ ..] if is(files, "attachments") => {
            let key = messages::find(state, request, folder, id)?;
            attachments::answer(state, request, key, rest)
        }
        [id, word] if is(word, "move") => messages::carry(state, request, folder, id, false),
        [id, word] if is(word, "copy") => messages::carry(state, request, folder, id, true),
        [id, word] if is(word, "permanentDelete") => messages::purge(state, request, folder, id),
        [_, word, ..] if NOT_HERE.iter().any(|name| is(word, name)) => {
            Err(Refusal::new(501, "NotImplemented", format!("The stand-in has no '{word}'.")))
        }
        [_, first, ..] => Err(Refusal::no_resource(first)),
    }
}

/// Nothing here is ever sent.
const NOT_HERE: [&str; 8] =
    ["send", "reply", "replyAll", "forward", "createReply", "createReplyAll", "createForward", "extensions"];

/// A page of a list, cut out of all its rows.
fn page<T: Clone>(
    state: &State,
    request: &Request,
    options: &[(String, String)],
    context: &str,
    rows: &[T],
    show: impl Fn(T) -> Map<String, Value>,
) -> Answer {
    page_of(state, request, options, context, rows, MOST_ROWS, |row| show(row.clone()))
}

/// The same where `$top` has another bound.
fn page_of<T>(
    state: &State,
    request: &Request,
    options: &[(String, String)],
    context: &str,
    rows: &[T],
    most: usize,
    show: impl Fn(&T) -> Map<String, Value>,
) -> Answer {
    let option = |name| graph::option(options, name);
    let from = super::contacts::start(option("$skip"), option("$skiptoken"))?;
    let (end, next) = graph::cut(from, rows.len(), graph::rows(option("$top"), request, most)?, &state.switches);
    let mut page = Map::new();
    page.insert("@odata.context".into(), links::context(state, context).into());
    match option("$count") {
        Some("true") => _ = page.insert("@odata.count".into(), rows.len().into()),
        None | Some("false") => {}
        Some(count) => return Err(Refusal::bad(format!("Invalid value '{count}' for $count query option found."))),
    }
    let shown = rows.get(from.offset..end).unwrap_or_default().iter();
    page.insert("value".into(), shown.map(|row| ordered(show(row), &state.switches)).collect());
    if let Some(next) = next {
        page.insert("@odata.nextLink".into(), links::next(state, request, next).into());
    }
    Ok(links::confirm(Response::json(200, &page.into()), request))
}

/// Where a move or a copy goes.
fn destination(state: &State, request: &Request) -> Result<u64, Refusal> {
    if request.method != "POST" {
        return Err(Refusal::no_method());
    }
    let sent = super::json_body(request)?;
    let object = sent.as_object().ok_or_else(|| Refusal::body("A destination is an object."))?;
    if let Some(name) = object.keys().find(|name| !is(name, "destinationId")) {
        return Err(Refusal::bad(format!("The parameter '{name}' is not in the request payload.")));
    }
    let id = object.values().next().and_then(Value::as_str);
    state.microsoft.mail.find_folder(id.ok_or_else(|| Refusal::bad("The destinationId is missing."))?)
}
