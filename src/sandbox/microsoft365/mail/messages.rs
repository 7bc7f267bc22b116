//! Messages as a resource.

use std::cell::OnceCell;
use std::cmp::Reverse;

use serde_json::{Map, Value, json};

use super::super::calendar::read_receipt;
use super::super::contacts::check_luck;
use super::super::reply::{Answer, Refusal, ordered};
use super::super::store::{IdForm, Rules, change_key};
use super::super::{html, json_body, links, query as graph};
use super::body::Body;
use super::fields::{self, PROPERTIES};
use super::query::{self, Condition};
use super::store::{DRAFTS, Kind, Message, Moment, RECOVERABLE, conversation_id, folder_id, message_id};
use super::{mapi, mime};
use crate::{Request, Response, State, clock};

/// How messages are to be shown.
pub(super) struct View {
    pub form: IdForm,
    /// The properties asked for; none = what comes unasked.
    select: Option<Vec<String>>,
    /// Canonical ids of the extended properties asked for.
    expand: Vec<String>,
    /// Bodies are asked for as text.
    is_text: bool,
}

impl View {
    /// Reads `$select` and `$expand`.
    pub fn read(request: &Request, select: Option<&str>, expand: Option<&str>) -> Result<Self, Refusal> {
        let select = select.map(|text| text.split(',').map(|name| name.trim().to_owned()).collect::<Vec<_>>());
        let unknown = select.iter().flatten().find(|name| !PROPERTIES.contains(&name.as_str()));
        if let Some(name) = unknown {
            return Err(Refusal::bad(format!(
                "Parsing OData Select and Expand failed: Could not find a property named '{name}' on type \
                 'microsoft.graph.message'."
            )));
        }
        let is_text = |(name, value): (&str, &str)| {
            name.eq_ignore_ascii_case("outlook.body-content-type") && value.eq_ignore_ascii_case("text")
        };
        Ok(Self {
            form: graph::id_form(request),
            select,
            expand: graph::expand(expand)?,
            is_text: graph::preferences(request).any(is_text),
        })
    }

    fn wants(&self, name: &str) -> bool {
        match &self.select {
            Some(select) => name == "id" || select.iter().any(|have| have == name),
            None => !["internetMessageHeaders", "uniqueBody"].contains(&name),
        }
    }
}

/// A message as it was.
pub(super) fn show(key: u64, message: &Message, at: &Moment, view: &View) -> Map<String, Value> {
    let body = &at.body;
    // Reading the bytes is the dear part, and often not needed.
    let whole = OnceCell::new();
    let whole = || whole.get_or_init(|| body.whole());
    let mut shown = Map::new();
    // An invitation says what it is.
    if view.select.is_none()
        && let Some(of_type) = whole().get("@odata.type")
    {
        shown.insert("@odata.type".into(), of_type.clone());
    }
    let key_now = change_key(key, at.seq);
    shown.insert("@odata.etag".into(), format!("W/\"{key_now}\"").into());
    for name in PROPERTIES.into_iter().filter(|name| view.wants(name)) {
        let value: Value = match name {
            "id" => message_id(key, at.moves, view.form).into(),
            "createdDateTime" => clock::rfc3339_seconds(message.created_ms).into(),
            "lastModifiedDateTime" => clock::rfc3339_seconds(at.modified_ms).into(),
            "changeKey" => key_now.as_str().into(),
            "parentFolderId" => at.folder.map(folder_id).into(),
            "conversationId" => conversation_id(message.conversation).into(),
            "conversationIndex" => change_key(message.conversation, 0).into(),
            "webLink" => format!("https://outlook.example.com/mail/{key}").into(),
            "body" | "uniqueBody" if view.is_text && whole()["body"]["contentType"] == "html" => {
                json!({ "contentType": "text", "content": html::as_text(&whole()["body"]) })
            }
            "uniqueBody" => whole()["body"].clone(),
            name => match body.own().into_iter().find(|(have, _)| *have == name) {
                Some((_, value)) => value,
                None => whole().get(name).cloned().unwrap_or_default(),
            },
        };
        shown.insert(name.into(), value);
    }
    let found = view.expand.iter().filter_map(|id| Some((id, mapi::value(body, id)?)));
    let found: Vec<Value> = found.map(|(id, value)| json!({ "id": id, "value": value })).collect();
    if !found.is_empty() {
        shown.insert("singleValueExtendedProperties".into(), found.into());
    }
    shown
}

fn whole(state: &State, request: &Request, status: u16, key: u64, at: &Moment) -> Answer {
    let options = if request.method == "GET" { graph::options(request, &["$select", "$expand"])? } else { Vec::new() };
    let view = View::read(request, graph::option(&options, "$select"), graph::option(&options, "$expand"))?;
    let mut shown = Map::new();
    shown.insert("@odata.context".into(), links::context(state, "messages/$entity").into());
    shown.extend(show(key, &state.microsoft.mail.messages[&key], at, &view));
    Ok(Response::json(status, &ordered(shown, &state.switches)))
}

fn whole_now(state: &State, request: &Request, status: u16, key: u64) -> Answer {
    whole(state, request, status, key, state.microsoft.mail.messages[&key].now())
}

/// The answer to a write, as whole as the switch says.
fn told(state: &State, request: &Request, status: u16, key: u64) -> Answer {
    let id = own_id(state, request, key);
    let etag = format!("W/\"{}\"", change_key(key, state.microsoft.mail.messages[&key].now().seq));
    match state.switches.graph_patch_answer.as_str() {
        "none" if request.method == "PATCH" => Ok(Response::empty(204)),
        "stub" => Ok(Response::json(status, &json!({ "@odata.etag": etag, "id": id }))),
        "nameless" => Ok(Response::json(status, &json!({ "id": id }))),
        _ => whole_now(state, request, status, key),
    }
}

/// Lists the messages of a folder, or of the whole mailbox, or makes one.
pub(super) fn many(state: &mut State, request: &Request, folder: Option<u64>) -> Answer {
    match request.method.as_str() {
        "GET" => list(state, request, folder),
        "POST" => create(state, request, folder),
        _ => Err(Refusal::no_method()),
    }
}

/// The messages that a folder shows now.
pub(super) fn inside(state: &State, folder: u64) -> Vec<u64> {
    let store = &state.microsoft.mail;
    match &store.folders[&folder].kind {
        Kind::Search(text) => {
            // What cannot be read was not let in.
            let filter = query::filter(Some(text)).unwrap_or_default();
            let holds = |message: &Message| {
                let at = message.now();
                at.folder.is_some_and(|folder| folder != RECOVERABLE)
                    && filter.iter().all(|condition| condition.holds(message, at))
            };
            store.messages.iter().filter(|(_, message)| holds(message)).map(|(key, _)| *key).collect()
        }
        _ => store.inside(folder),
    }
}

fn list(state: &State, request: &Request, folder: Option<u64>) -> Answer {
    let allowed = ["$select", "$expand", "$filter", "$top", "$skip", "$skiptoken", "$count", "$orderby"];
    let options = graph::options(request, &allowed)?;
    let option = |name| graph::option(&options, name);
    let view = View::read(request, option("$select"), option("$expand"))?;
    let filter = query::filter(option("$filter"))?;
    let (by, is_newest_first) = query::order(option("$orderby"), &filter)?;
    let store = &state.microsoft.mail;
    let mut keys: Vec<u64> = match folder {
        Some(folder) if store.folders[&folder].kind != Kind::Mail => inside(state, folder),
        _ => {
            let is_shown = |key: &u64| match (store.messages[key].now().folder, folder) {
                (Some(have), None) => have != RECOVERABLE,
                (have, folder) => have == folder,
            };
            query::candidates(store, &filter).filter(is_shown).collect()
        }
    };
    if !filter.is_empty() {
        let limit_ms = state.now_ms() - state.switches.graph_filter_lag_s * 1000;
        let holds =
            |message: &Message| filter.iter().all(|condition: &Condition| condition.holds(message, message.now()));
        keys.retain(|key| store.messages[key].created_ms <= limit_ms && holds(&store.messages[key]));
    }
    let time = |key: &u64| {
        let at = store.messages[key].now();
        if by == "receivedDateTime" { at.body.received_ms } else { at.modified_ms }
    };
    // Of one time, the one that was made last counts as the newest.
    if is_newest_first {
        keys.sort_by_key(|key| Reverse((time(key), *key)));
    } else {
        keys.sort_by_key(|key| (time(key), *key));
    }
    super::page(state, request, &options, "messages", &keys, |key| {
        let message = &store.messages[&key];
        show(key, message, message.now(), &view)
    })
}

fn create(state: &mut State, request: &Request, folder: Option<u64>) -> Answer {
    graph::options(request, &[])?;
    let rules = Rules::of(state);
    let mut body = Body::draft(rules.now_ms);
    if request.says_json() {
        body = fields::read(state, &json_body(request)?, &body, true)?;
    } else {
        // Provider: MIME makes a draft in Drafts; into a named folder it is refused, although that is documented.
        if folder.is_some() && !state.switches.graph_takes_mime_in_folder {
            let text = "The request body could not be deserialized.";
            return Err(Refusal::new(400, "UnableToDeserializePostBody", text));
        }
        let bytes = mime::unpacked(&request.body).ok_or_else(|| {
            Refusal::new(400, "ErrorMimeContentInvalidBase64String", "Invalid base64 string for MIME content.")
        })?;
        body.mime = Some(bytes);
        fields::check_size(&body, &state.switches)?;
    }
    let folder = folder.unwrap_or(DRAFTS);
    if state.microsoft.mail.folders[&folder].kind != Kind::Mail {
        return Err(Refusal::new(400, "ErrorInvalidRequest", "Messages cannot be made in a search folder."));
    }
    let key = state.microsoft.create_message(&rules, folder, body);
    told(state, request, 201, key)
}

/// The message that a path names, if it can be had from there.
pub(super) fn find(state: &State, request: &Request, folder: Option<u64>, id: &str) -> Result<u64, Refusal> {
    let key = state.microsoft.mail.find(id, graph::id_form(request))?;
    let stands_in = state.microsoft.mail.messages[&key].now().folder;
    let is_hidden = stands_in == Some(RECOVERABLE) && state.switches.graph_recoverable_answers_404;
    if is_hidden || (folder.is_some() && stands_in != folder) {
        return Err(Refusal::not_found());
    }
    stands_in.map_or(Ok(()), |folder| super::allow(state, folder))?;
    Ok(key)
}

/// The id of a message in the form that the request speaks.
pub(super) fn own_id(state: &State, request: &Request, key: u64) -> String {
    message_id(key, state.microsoft.mail.messages[&key].now().moves, graph::id_form(request))
}

/// A message as who reads it is shown it: as it was a while ago, if the switch says so.
fn read(state: &State, key: u64) -> Result<&Moment, Refusal> {
    let horizon = state.microsoft.horizon(state.now_ms(), state.switches.graph_reads_lag_s);
    state.microsoft.mail.messages[&key].at(horizon).ok_or_else(Refusal::not_found)
}

/// Refuses a write that is guarded by another change key.
pub(super) fn check_match(state: &State, request: &Request, key: u64) -> Result<(), Refusal> {
    if state.switches.graph_ignores_if_match {
        return Ok(());
    }
    let now = format!("W/\"{}\"", change_key(key, state.microsoft.mail.messages[&key].now().seq));
    let mut named = request.headers_named("if-match").flat_map(|header| header.split(',')).map(str::trim).peekable();
    if named.peek().is_none() || named.any(|tag| tag == "*" || tag == now) { Ok(()) } else { Err(Refusal::stale()) }
}

/// Shows, changes or deletes a message.
pub(super) fn one(state: &mut State, request: &Request, folder: Option<u64>, id: &str) -> Answer {
    let key = find(state, request, folder, id)?;
    let rules = Rules::of(state);
    match request.method.as_str() {
        "GET" => whole(state, request, 200, key, read(state, key)?),
        "PATCH" => {
            graph::options(request, &[])?;
            check_match(state, request, key)?;
            check_luck(state)?;
            let old = state.microsoft.mail.messages[&key].now().body.clone();
            let new = fields::read(state, &json_body(request)?, &old, false)?;
            if !old.is_read && new.is_read {
                send_receipt(state, key, &new);
            }
            if state.switches.graph_patch_always_restamps || new != *old {
                state.microsoft.edit_message(&rules, key, new);
            }
            told(state, request, 200, key)
        }
        "DELETE" => {
            check_match(state, request, key)?;
            state.microsoft.delete_message(&rules, key);
            Ok(Response::empty(204))
        }
        _ => Err(Refusal::no_method()),
    }
}

/// Tells who asked for it that a mail was read. A wish that the same write takes back is not granted.
fn send_receipt(state: &mut State, key: u64, body: &Body) {
    let whole = body.whole();
    let is_asked = whole["isReadReceiptRequested"] == true && !body.is_draft;
    if !is_asked || !state.switches.graph_reading_sends_receipts {
        return;
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (to, subject) = (text(&whole["from"]["emailAddress"]["address"]), text(&whole["subject"]));
    read_receipt(state, to, message_id(key, 0, IdForm::Immutable), subject);
}

/// The bytes of a message as they are given out this time.
pub(super) fn written(state: &mut State, key: u64) -> Vec<u8> {
    state.microsoft.mail.written += 1;
    let salt = if state.switches.graph_mime_rewritten == "each" { state.microsoft.mail.written } else { key };
    let body = &state.microsoft.mail.messages[&key].now().body;
    match &body.mime {
        Some(bytes) if state.switches.graph_mime_rewritten == "never" => bytes.to_vec(),
        Some(bytes) => mime::rewrite(bytes, salt),
        None => mime::write(body, salt),
    }
}

/// Answers a message's MIME.
pub(super) fn value(state: &mut State, request: &Request, id: &str) -> Answer {
    if request.method != "GET" {
        return Err(Refusal::no_method());
    }
    let key = find(state, request, None, id)?;
    read(state, key)?;
    Ok(Response::bytes(200, "text/plain", written(state, key)))
}

/// Moves or copies a message.
pub(super) fn carry(state: &mut State, request: &Request, from: Option<u64>, id: &str, is_copy: bool) -> Answer {
    let key = find(state, request, from, id)?;
    let to = super::destination(state, request)?;
    if state.microsoft.mail.folders[&to].kind != Kind::Mail {
        return Err(Refusal::new(400, "ErrorInvalidRequest", "Messages cannot be moved to a search folder."));
    }
    let rules = Rules::of(state);
    let at = state.microsoft.mail.messages[&key].now().clone();
    if is_copy {
        let mut body = (*at.body).clone();
        if !state.switches.graph_copy_keeps_properties {
            body.extended.clear();
        }
        let copy = state.microsoft.create_message(&rules, to, body);
        return told(state, request, 201, copy);
    }
    let was_moved = state.microsoft.mail.messages[&key].was_moved_elsewhere;
    let is_immutable = graph::id_form(request) == IdForm::Immutable;
    if let Some(folder) = at.folder
        && was_moved
        && is_immutable
        && state.switches.graph_move_after_move_duplicates
    {
        state.microsoft.create_message(&rules, folder, (*at.body).clone());
    }
    state.microsoft.move_message(&rules, key, to);
    if let Some(message) = state.microsoft.mail.messages.get_mut(&key) {
        message.was_moved_elsewhere = false;
    }
    told(state, request, 201, key)
}

/// Deletes a message for good.
pub(super) fn purge(state: &mut State, request: &Request, folder: Option<u64>, id: &str) -> Answer {
    if request.method != "POST" {
        return Err(Refusal::no_method());
    }
    let key = find(state, request, folder, id)?;
    let rules = Rules::of(state);
    state.microsoft.purge_message(&rules, key);
    Ok(Response::empty(204))
}
