//! Graph v1.0: contacts, contact folders, photos, calendars, mail, delta, `$batch`, `/me`. Requests come in with the path after
//! `/microsoft/v1.0`.
//!
//! | file | holds |
//! |---|---|
//! | `store.rs` | [`Microsoft`]: contacts and folders with their whole history, ids in both forms, change keys |
//! | `fields.rs` | a contact's properties: names, shapes, limits; what a written body becomes |
//! | `query.rs` | `$select`, `$expand`, `$filter`, `$orderby`, pages, `Prefer` |
//! | `contacts.rs`, `folders.rs`, `photo.rs` | one resource each |
//! | `feed.rs`, `rounds.rs` | deltas of contacts and folders; rounds and their tokens |
//! | `calendar/` | calendars, events, and what is mailed because of them |
//! | `mail/` | mail folders and messages |
//! | `batch.rs` | `$batch` |
//! | `reply.rs`, `links.rs` | refusals and headers; addresses in answers |
//! | `html.rs` | bodies as HTML and as text |
//! | `hands.rs` | what another client of the user does: [`crate::Sandbox`]`::graph_...` and `/_sandbox/microsoft/...` |
//! | `seeds.rs` | the contacts at the start |

mod batch;
pub mod calendar;
mod contacts;
mod feed;
mod fields;
mod folders;
mod hands;
mod html;
mod links;
pub mod mail;
mod photo;
mod query;
mod reply;
mod rounds;
mod seeds;
mod store;

use serde_json::{Map, Value, json};

use feed::Scope;
use reply::{Answer, Refusal, ordered};
use store::{CONTACTS, DELETED, ROOT};

pub use hands::control;
pub use photo::tiny_jpeg;
pub use seeds::seed;
pub use store::Microsoft;

use crate::oauth::{self, Access, Denied};
use crate::wire::segments;
use crate::{Provider, Request, Response, State};

/// The largest body of a request.
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// Answers a request; `path` is what follows `/microsoft/v1.0`, with its leading slash.
pub fn handle(state: &mut State, request: &Request, path: &str) -> Response {
    let now = state.now_ms();
    state.microsoft.settle(now);
    let request_id = reply::guid(&mut state.rng);
    let mut answer = match answer(state, request, path) {
        Ok(reply) => reply,
        Err(refusal) => refusal.response(&state.switches, now, &request_id, request),
    };
    reply::stamp(&mut answer, request, &request_id);
    answer
}

/// Answers a request to the address of uploads, which takes no token but its own; `path` is what follows `/microsoft-upload`.
pub fn upload(state: &mut State, request: &Request, path: &str) -> Response {
    let now = state.now_ms();
    let request_id = reply::guid(&mut state.rng);
    let words = words(path);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = mail::upload(state, request, &words);
    done.unwrap_or_else(|refusal| refusal.response(&state.switches, now, &request_id, request))
}

/// All contacts, folders, photos, calendars, events and mail as JSON, for a test to compare.
pub fn dump(state: &State) -> Value {
    let graph = &state.microsoft;
    let folder = |key: &u64| {
        let folder = &graph.folders[key];
        let above = folder.now().parent.and_then(|parent| graph.folders.get(&parent));
        let inside: Vec<Value> = graph.inside(*key).into_iter().map(|key| contacts::dump(graph, key)).collect();
        json!({
            "id": folder.id,
            "displayName": folder.now().name,
            "parentFolderId": above.map(|above| above.id.as_str()),
            "contacts": inside,
        })
    };
    let folders: Vec<Value> = graph.folders.keys().filter(|key| graph.is_contact_folder(**key)).map(folder).collect();
    let mut whole = json!({ "folders": folders, "deletedItems": folder(&DELETED)["contacts"] });
    whole["calendar"] = calendar::dump(state);
    whole["mail"] = mail::dump(state);
    whole
}

fn answer(state: &mut State, request: &Request, path: &str) -> Answer {
    let access = oauth::authorise(state, Provider::Microsoft, request).map_err(unauthenticated)?;
    if request.body.len() > MOST_BYTES {
        return Err(Refusal::new(413, "ErrorMessageSizeExceeded", "The request is larger than 4 MB."));
    }
    let words = words(path);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let rest = match words[..] {
        ["$batch"] => return batch::answer(state, request),
        [me, ref rest @ ..] if is(me, "me") => rest,
        [users, user, ref rest @ ..] if is(users, "users") => {
            if !is(user, &access.account.id) && !is(user, &access.account.email) {
                return Err(Refusal::new(404, "ErrorInvalidUser", format!("The requested user '{user}' is invalid.")));
            }
            rest
        }
        [first, ..] => return Err(Refusal::no_resource(first)),
        [] => return Err(Refusal::no_resource("")),
    };
    if rest.is_empty() {
        return user(state, request, &access);
    }
    if calendar::is_here(rest[0]) {
        check_scope(state, request, &access, "Calendars")?;
        return calendar::answer(state, request, rest);
    }
    if let Some(answer) = calendar::settings(state, request, rest, &access) {
        return answer;
    }
    if mail::is_here(rest[0]) {
        check_scope(state, request, &access, "Mail")?;
        return mail::answer(state, request, rest);
    }
    let resource = resource(state, rest)?;
    check_scope(state, request, &access, "Contacts")?;
    respond(state, request, resource)
}

/// What a path names below the user.
enum Resource<'a> {
    Folders(u64),
    FoldersDelta,
    Folder(u64),
    Contacts(u64),
    /// With the address that links of the round carry.
    ContactsDelta(u64, String),
    Contact(Option<u64>, &'a str),
    Photo(Option<u64>, &'a str, bool),
}

fn resource<'a>(state: &State, words: &[&'a str]) -> Result<Resource<'a>, Refusal> {
    match words {
        [folders] if is(folders, "contactFolders") => Ok(Resource::Folders(ROOT)),
        [folders, delta] if is(folders, "contactFolders") && is_delta(delta) => Ok(Resource::FoldersDelta),
        [folders, id, rest @ ..] if is(folders, "contactFolders") => {
            if is(id, "contacts") && !state.switches.graph_knows_default_folder {
                return Err(Refusal::new(400, "ErrorInvalidIdMalformed", "Id is malformed."));
            }
            let is_feed = matches!(rest, [list, delta] if is(list, "contacts") && is_delta(delta));
            let folder = state.microsoft.find_folder(id).map_err(|refusal| match refusal.status {
                404 if is_feed => Refusal::new(404, "ErrorSyncFolderNotFound", "The folder to sync was not found."),
                _ => refusal,
            })?;
            below(state, folder, rest)
        }
        [contacts, rest @ ..] if is(contacts, "contacts") => in_contacts(None, "me/contacts", rest),
        [first, ..] => Err(Refusal::no_resource(first)),
        [] => Err(Refusal::no_resource("")),
    }
}

fn below<'a>(state: &State, folder: u64, words: &[&'a str]) -> Result<Resource<'a>, Refusal> {
    match words {
        [] => Ok(Resource::Folder(folder)),
        [children] if is(children, "childFolders") => Ok(Resource::Folders(folder)),
        [children, id, rest @ ..] if is(children, "childFolders") => {
            let child = state.microsoft.find_folder(id)?;
            if state.microsoft.folders[&child].now().parent != Some(folder) {
                return Err(Refusal::not_found());
            }
            below(state, child, rest)
        }
        [contacts, rest @ ..] if is(contacts, "contacts") => {
            let id = links::escape(&state.microsoft.folders[&folder].id);
            in_contacts(Some(folder), &format!("me/contactFolders('{id}')/contacts"), rest)
        }
        [first, ..] => Err(Refusal::no_resource(first)),
    }
}

fn in_contacts<'a>(folder: Option<u64>, path: &str, words: &[&'a str]) -> Result<Resource<'a>, Refusal> {
    match words {
        [] => Ok(Resource::Contacts(folder.unwrap_or(CONTACTS))),
        [delta] if is_delta(delta) => Ok(Resource::ContactsDelta(folder.unwrap_or(CONTACTS), format!("{path}/delta"))),
        [id] => Ok(Resource::Contact(folder, id)),
        [id, photo] if is(photo, "photo") => Ok(Resource::Photo(folder, id, false)),
        [id, photo, value] if is(photo, "photo") && is(value, "$value") => Ok(Resource::Photo(folder, id, true)),
        [_, first, ..] => Err(Refusal::no_resource(first)),
    }
}

fn respond(state: &mut State, request: &Request, resource: Resource<'_>) -> Answer {
    match resource {
        Resource::Folders(ROOT) => folders::many(state, request, ROOT),
        Resource::Folders(parent) => {
            allow(state, Some(parent))?;
            folders::many(state, request, parent)
        }
        Resource::FoldersDelta => feed::delta(state, request, Scope::Folders, "me/contactFolders/delta"),
        Resource::Folder(key) => folders::one(state, request, key),
        Resource::Contacts(folder) => {
            allow(state, Some(folder))?;
            contacts::many(state, request, folder)
        }
        Resource::ContactsDelta(folder, path) => {
            allow(state, Some(folder))?;
            feed::delta(state, request, Scope::Contacts(folder), &path)
        }
        Resource::Contact(folder, id) => contacts::one(state, request, folder, id),
        Resource::Photo(folder, id, is_bytes) => photo::answer(state, request, folder, id, is_bytes),
    }
}

/// Names of resources are read without case, as links write them in another one.
fn is(word: &str, name: &str) -> bool {
    word.eq_ignore_ascii_case(name)
}

fn is_delta(word: &str) -> bool {
    is(word, "delta") || is(word, "delta()") || is(word, "microsoft.graph.delta()")
}

/// The parts of a path; `contacts('ID')` is two.
fn words(path: &str) -> Vec<String> {
    let mut words = Vec::new();
    for word in segments(path) {
        match word.split_once("('").and_then(|(name, rest)| Some((name, rest.strip_suffix("')")?))) {
            Some((name, id)) => words.extend([name.to_owned(), id.replace("''", "'")]),
            None => words.push(word),
        }
    }
    words
}

/// A request's body, which must be JSON and say so.
fn json_body(request: &Request) -> Result<Value, Refusal> {
    let text = "Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of valid \
                JSON format.";
    if !request.says_json() {
        return Err(Refusal::bad(text));
    }
    request.body_json().map_err(|_| Refusal::bad(text))
}

/// Refuses folders that the switch closes.
fn allow(state: &State, folder: Option<u64>) -> Result<(), Refusal> {
    let Some(key) = folder else { return Ok(()) };
    let found = &state.microsoft.folders[&key];
    let is_named =
        |name: &String| *name == found.id || *name == found.now().name || (key == CONTACTS && is(name, "contacts"));
    if state.switches.graph_denied_folders.iter().any(is_named) { Err(Refusal::denied()) } else { Ok(()) }
}

fn unauthenticated(why: Denied) -> Refusal {
    let text = match why {
        Denied::Missing => "Access token is empty.",
        Denied::Unknown => "CompactToken parsing failed with error code: 80049217",
        Denied::Expired => "Access token has expired or is not yet valid.",
        Denied::Revoked => "Access token validation failure.",
    };
    let challenge = "Bearer realm=\"\", authorization_uri=\"https://login.microsoftonline.com/common/oauth2/authorize\", \
                     client_id=\"00000003-0000-0000-c000-000000000000\"";
    Refusal::new(401, "InvalidAuthenticationToken", text).with_header("www-authenticate", challenge.into())
}

/// Contacts and calendars need their scope, and a mailbox that is the owner's.
fn check_scope(state: &State, request: &Request, access: &Access, of: &str) -> Result<(), Refusal> {
    if access.account.id != state.microsoft_account.id {
        let text = "The mailbox is either inactive, soft-deleted, or is hosted on-premise.";
        return Err(Refusal::new(404, "MailboxNotEnabledForRESTAPI", text));
    }
    let has = |right: &str| access.has(&format!("{of}.{right}"));
    let may = has("ReadWrite") || (!request.is_write() && has("Read"));
    if may { Ok(()) } else { Err(Refusal::denied()) }
}

/// Answers `/me`.
fn user(state: &State, request: &Request, access: &Access) -> Answer {
    if request.method != "GET" {
        return Err(Refusal::no_method());
    }
    if !access.has("User.Read") {
        let text = "Insufficient privileges to complete the operation.";
        return Err(Refusal::new(403, "Authorization_RequestDenied", text));
    }
    let options = query::options(request, &["$select"])?;
    let select = query::select(query::option(&options, "$select"), "user", &state.switches)?;
    let account = &access.account;
    let mut shown = Map::new();
    shown.insert("@odata.context".into(), links::api(state, "$metadata#users/$entity").into());
    for (name, value) in [
        ("id", &account.id),
        ("displayName", &account.display_name),
        ("givenName", &account.given_name),
        ("surname", &account.family_name),
        ("mail", &account.email),
        ("userPrincipalName", &account.email),
    ] {
        if select.as_ref().is_none_or(|select| select.iter().any(|have| have == name)) {
            shown.insert(name.into(), value.as_str().into());
        }
    }
    Ok(Response::json(200, &ordered(shown, &state.switches)))
}
