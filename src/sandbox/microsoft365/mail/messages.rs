//! Messages as a resource.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::super::reply::{Answer, Refusal, ordered};
use super::super::store::{IdForm, Rules};
use super::super::{json_body, links, query as graph};
use super::fields::{self, PROPERTIES};
use super::mime;
use super::store::{Body, DRAFTS, Message, Moment, RECOVERABLE, folder_id, message_id};
use crate::{Request, Response, State, clock};

/// Reads `$select`.
pub(super) fn select(text: Option<&str>) -> Result<Option<Vec<String>>, Refusal> {
    let Some(text) = text else { return Ok(None) };
    let names: Vec<String> = text.split(',').map(|name| name.trim().to_owned()).collect();
    match names.iter().find(|name| !PROPERTIES.contains(&name.as_str())) {
        Some(name) => Err(Refusal::bad(format!(
            "Parsing OData Select and Expand failed: Could not find a property named '{name}' on type \
             'microsoft.graph.message'."
        ))),
        None => Ok(Some(names)),
    }
}

/// A message as it was, with the extended properties that are asked for.
pub(super) fn show(
    key: u64,
    message: &Message,
    at: &Moment,
    form: IdForm,
    select: Option<&[String]>,
    expand: &[String],
) -> Map<String, Value> {
    let mut shown = Map::new();
    shown.insert("@odata.etag".into(), format!("W/\"{}\"", at.change_key).into());
    for name in PROPERTIES {
        let is_asked = match select {
            Some(select) => name == "id" || select.iter().any(|have| have == name),
            None => name != "internetMessageHeaders",
        };
        if !is_asked {
            continue;
        }
        let value: Value = match name {
            "id" => message_id(key, at.moves, form).into(),
            "createdDateTime" => clock::rfc3339_seconds(message.created_ms).into(),
            "lastModifiedDateTime" => clock::rfc3339_seconds(at.modified_ms).into(),
            "changeKey" => at.change_key.as_str().into(),
            "parentFolderId" => at.folder.map(folder_id).into(),
            "webLink" => format!("https://outlook.example.com/mail/{key}").into(),
            name => at.body.fields.get(name).cloned().unwrap_or_default(),
        };
        shown.insert(name.into(), value);
    }
    let found = at.body.extended.iter().filter(|(id, _)| expand.contains(id));
    let found: Vec<Value> = found.map(|(id, value)| json!({ "id": id, "value": value })).collect();
    if !found.is_empty() {
        shown.insert("singleValueExtendedProperties".into(), found.into());
    }
    shown
}

fn whole(state: &State, request: &Request, status: u16, key: u64) -> Answer {
    let options = if request.method == "GET" { graph::options(request, &["$select", "$expand"])? } else { Vec::new() };
    let select = select(graph::option(&options, "$select"))?;
    let expand = graph::expand(graph::option(&options, "$expand"))?;
    let message = &state.microsoft.mail.messages[&key];
    let mut shown = Map::new();
    shown.insert("@odata.context".into(), links::context(state, "messages/$entity").into());
    shown.extend(show(key, message, message.now(), graph::id_form(request), select.as_deref(), &expand));
    Ok(Response::json(status, &ordered(shown, &state.switches)))
}

/// Lists the messages of a folder, or of the whole mailbox, or makes one.
pub(super) fn many(state: &mut State, request: &Request, folder: Option<u64>) -> Answer {
    match request.method.as_str() {
        "GET" => list(state, request, folder),
        "POST" => create(state, request, folder),
        _ => Err(Refusal::no_method()),
    }
}

fn list(state: &State, request: &Request, folder: Option<u64>) -> Answer {
    let allowed = ["$select", "$expand", "$filter", "$top", "$skip", "$skiptoken", "$count", "$orderby"];
    let options = graph::options(request, &allowed)?;
    let option = |name| graph::option(&options, name);
    let select = select(option("$select"))?;
    let expand = graph::expand(option("$expand"))?;
    let store = &state.microsoft.mail;
    let mut keys: Vec<u64> = match folder {
        Some(folder) => store.inside(folder),
        None => {
            let is_shown = |at: &Moment| at.folder.is_some_and(|folder| folder != RECOVERABLE);
            store.messages.iter().filter(|(_, message)| is_shown(message.now())).map(|(key, _)| *key).collect()
        }
    };
    if let Some(text) = option("$filter") {
        let limit_ms = state.now_ms() - state.switches.graph_filter_lag_s * 1000;
        let filter = filter(text)?;
        keys.retain(|key| store.messages[key].created_ms <= limit_ms && filter(&store.messages[key].now().body));
    }
    let received = |key: &u64| store.messages[key].now().body.fields["receivedDateTime"].to_string();
    match option("$orderby") {
        // Newest first, as it comes unasked.
        None | Some("receivedDateTime desc") => keys.sort_by_key(|key| std::cmp::Reverse(received(key))),
        Some("receivedDateTime" | "receivedDateTime asc") => keys.sort_by_key(received),
        Some(other) => return Err(Refusal::bad(format!("The $orderby '{other}' is not supported."))),
    }
    let form = graph::id_form(request);
    super::page(state, request, &options, "messages", &keys, |key| {
        let message = &store.messages[&key];
        show(key, message, message.now(), form, select.as_deref(), &expand)
    })
}

/// Whether a message meets a filter.
type Test = Box<dyn Fn(&Body) -> bool>;

/// The filters there are: a Message-ID, or an extended property.
fn filter(text: &str) -> Result<Test, Refusal> {
    let malformed = || Refusal::bad(format!("Invalid filter clause: '{text}'."));
    if let Some((list, variable, inner)) = graph::any(text) {
        return match graph::lambda(list, variable, inner).ok_or_else(malformed)?? {
            graph::Condition::Extended { id, value, .. } => Ok(Box::new(move |body: &Body| {
                body.extended.iter().any(|(have, text)| *have == id && value.as_ref().is_none_or(|v| v == text))
            })),
            _ => Err(malformed()),
        };
    }
    match graph::comparison(text) {
        Some(("internetMessageId", "eq", graph::Literal::Text(id))) => {
            Ok(Box::new(move |body: &Body| body.fields["internetMessageId"] == id.as_str()))
        }
        _ => Err(malformed()),
    }
}

fn create(state: &mut State, request: &Request, folder: Option<u64>) -> Answer {
    graph::options(request, &[])?;
    let rules = Rules::of(state);
    let mut body = fields::empty(rules.now_ms, state.microsoft.last_key + 1);
    if request.says_json() {
        body = fields::read(state, &json_body(request)?, &body, true)?;
    } else {
        // Provider: MIME makes a draft in Drafts and nowhere else.
        if folder.is_some() {
            let text = "The request body could not be deserialized.";
            return Err(Refusal::new(400, "UnableToDeserializePostBody", text));
        }
        let packed: Vec<u8> = request.body.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
        let bytes = STANDARD.decode(packed).map_err(|_| {
            Refusal::new(400, "ErrorMimeContentInvalidBase64String", "Invalid base64 string for MIME content.")
        })?;
        mime::read(&bytes, &mut body.fields);
        fields::preview(&mut body.fields);
        body.mime = Some(bytes.into());
    }
    let key = state.microsoft.create_message(&rules, folder.unwrap_or(DRAFTS), body);
    whole(state, request, 201, key)
}

fn find(state: &State, request: &Request, folder: Option<u64>, id: &str) -> Result<u64, Refusal> {
    let key = state.microsoft.mail.find(id, graph::id_form(request))?;
    let is_here = folder.is_none() || state.microsoft.mail.messages[&key].now().folder == folder;
    if is_here { Ok(key) } else { Err(Refusal::not_found()) }
}

fn check_match(state: &State, request: &Request, key: u64) -> Result<(), Refusal> {
    if state.switches.graph_ignores_if_match {
        return Ok(());
    }
    let now = format!("W/\"{}\"", state.microsoft.mail.messages[&key].now().change_key);
    let mut named = request.headers_named("if-match").flat_map(|header| header.split(',')).map(str::trim).peekable();
    if named.peek().is_none() || named.any(|tag| tag == "*" || tag == now) { Ok(()) } else { Err(Refusal::stale()) }
}

/// Shows, changes or deletes a message.
pub(super) fn one(state: &mut State, request: &Request, folder: Option<u64>, id: &str) -> Answer {
    let key = find(state, request, folder, id)?;
    let rules = Rules::of(state);
    match request.method.as_str() {
        "GET" => whole(state, request, 200, key),
        "PATCH" => {
            graph::options(request, &[])?;
            check_match(state, request, key)?;
            let old = state.microsoft.mail.messages[&key].now().body.clone();
            let new = fields::read(state, &json_body(request)?, &old, false)?;
            let is = |body: &Body, name: &str| body.fields[name] == true;
            if !is(&old, "isRead") && is(&new, "isRead") && is(&old, "isReadReceiptRequested") {
                state.microsoft.mail.receipts.push(message_id(key, 0, IdForm::Immutable));
            }
            state.microsoft.edit_message(&rules, key, new);
            whole(state, request, 200, key)
        }
        "DELETE" => {
            check_match(state, request, key)?;
            state.microsoft.delete_message(&rules, key);
            Ok(Response::empty(204))
        }
        _ => Err(Refusal::no_method()),
    }
}

/// Answers a message's MIME.
pub(super) fn value(state: &State, request: &Request, id: &str) -> Answer {
    if request.method != "GET" {
        return Err(Refusal::no_method());
    }
    let key = find(state, request, None, id)?;
    let body = &state.microsoft.mail.messages[&key].now().body;
    let bytes = body.mime.as_ref().map_or_else(|| mime::write(&body.fields), |mime| mime.to_vec());
    Ok(Response::bytes(200, "text/plain", bytes))
}

/// Moves or copies a message.
pub(super) fn carry(state: &mut State, request: &Request, from: Option<u64>, id: &str, is_copy: bool) -> Answer {
    let key = find(state, request, from, id)?;
    let to = super::destination(state, request)?;
    let rules = Rules::of(state);
    if !is_copy {
        state.microsoft.move_message(&rules, key, to);
        return whole(state, request, 201, key);
    }
    let body = (*state.microsoft.mail.messages[&key].now().body).clone();
    let copy = state.microsoft.create_message(&rules, to, body);
    whole(state, request, 201, copy)
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
