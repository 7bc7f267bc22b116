//! Google: People v1 (contacts, groups, photos), userinfo, Calendar v3 (`calendar/`), and Gmail v1 (`mail/`). Requests come
//! in with the path after `/google/`.
//!
//! `mod.rs` routes and checks tokens, scopes and query parameters; `schema.rs` checks bodies; `people.rs`, `list.rs`,
//! `groups.rs`, `photos.rs` answer; `partial.rs` cuts answers down to `fields`; `batch.rs` reads and writes batches; `store.rs` remembers; `items.rs` and `render.rs` turn what was written into what is
//! shown; `others.rs` is what another client of the user may do; `seeds.rs` has the people of the start.

mod batch;
pub mod calendar;
mod errors;
mod groups;
mod items;
mod list;
pub mod mail;
mod others;
mod partial;
mod people;
mod photos;
mod render;
mod schema;
mod seeds;
mod store;

use serde_json::{Value, json};

use errors::{Refusal, error, invalid, scope_missing, unauthenticated, unknown_param};

pub use others::control;
pub use photos::tiny_png;
pub use seeds::seed;
pub use store::Google;

use crate::oauth::{self, Access, Denied};
use crate::wire::percent_decode;
use crate::{Provider, Request, Response, State};

/// Reading and writing contacts.
pub(crate) const SCOPE: &str = "https://www.googleapis.com/auth/contacts";
const SCOPE_READ: &str = "https://www.googleapis.com/auth/contacts.readonly";
/// Who the user is.
const SCOPES_PROFILE: [&str; 4] = [
    "https://www.googleapis.com/auth/userinfo.email",
    "https://www.googleapis.com/auth/userinfo.profile",
    "email",
    "profile",
];

/// Parameters that every method takes.
const COMMON: [&str; 11] = [
    "$.xgafv",
    "access_token",
    "alt",
    "callback",
    "fields",
    "key",
    "oauth_token",
    "prettyPrint",
    "quotaUser",
    "uploadType",
    "upload_protocol",
];
const LIST: &[&str] = &[
    "pageSize",
    "pageToken",
    "personFields",
    "requestMask.includeField",
    "requestSyncToken",
    "sortOrder",
    "sources",
    "syncToken",
];
const GET: &[&str] = &["personFields", "requestMask.includeField", "sources"];
const BATCH_GET: &[&str] = &["personFields", "requestMask.includeField", "resourceNames", "sources"];
const CREATE: &[&str] = &["personFields", "sources"];
const UPDATE: &[&str] = &["personFields", "sources", "updatePersonFields"];
const GROUPS: &[&str] = &["groupFields", "pageSize", "pageToken", "syncToken"];
const GROUP: &[&str] = &["groupFields", "maxMembers"];
const GROUP_BATCH: &[&str] = &["groupFields", "maxMembers", "resourceNames"];

/// Answers a request; `path` is what follows `/google/`.
pub fn handle(state: &mut State, request: &Request, path: &str) -> Response {
    if mail::is_path(&request.path) {
        return mail::handle(state, request, path);
    }
    if path.starts_with("calendar/") || path.starts_with("batch/") {
        return calendar::handle(state, request, path);
    }
    store::restamp_due(state);
    let mut reply = answer(state, request, path).unwrap_or_else(|refusal| *refusal);
    if let Some(fields) = request.param("fields").filter(|_| reply.is_ok()) {
        reply = match partial::cut(&reply.body_json(), fields) {
            Ok(body) => Response { body: body.to_string().into(), ..reply },
            Err(refusal) => *refusal,
        };
    }
    if state.switches.google_errors_list && reply.status >= 400 { errors::with_errors_list(reply) } else { reply }
}

fn answer(state: &mut State, request: &Request, path: &str) -> Result<Response, Refusal> {
    let access = oauth::authorise(state, Provider::Google, request)
        .map_err(|denied| unauthenticated(denied == Denied::Missing))?;
    in_account(state, &access, |state| answer_to(state, request, path, &access))
}

/// Answers out of the account that the token is for.
fn in_account<T>(state: &mut State, access: &Access, answer: impl FnOnce(&mut State) -> T) -> T {
    if access.account.id == state.google_account.id {
        return answer(state);
    }
    // Somebody else signed in: an address book, calendars and a mailbox of their own.
    let mut other = state.google.take_other(&access.account.id);
    std::mem::swap(&mut state.google, &mut other);
    if state.google.groups.is_empty() {
        groups::add_system_groups(state);
    }
    let reply = answer(state);
    std::mem::swap(&mut state.google, &mut other);
    state.google.keep_other(&access.account.id, other);
    reply
}

fn answer_to(state: &mut State, request: &Request, path: &str, access: &Access) -> Result<Response, Refusal> {
    if path == "oauth2/v2/userinfo" {
        return userinfo(request, access);
    }
    let path = percent_decode(path.strip_prefix("v1/").unwrap_or(path));
    let (path, verb) = path.rsplit_once(':').unwrap_or((&path, ""));
    let parts: Vec<&str> = path.split('/').collect();
    let method = request.method.as_str();
    match (method, parts.as_slice(), verb) {
        ("GET", ["people", "me", "connections"], "") => {
            check(request, access, LIST, false)?;
            list::connections(state, request)
        }
        ("GET", ["people", _, "connections"], "") => Err(invalid("Resource name must be \"people/me\".")),
        ("GET", ["people"], "batchGet") => {
            check(request, access, BATCH_GET, false)?;
            people::batch_get(state, request, access)
        }
        ("GET", ["people", id], "") => {
            let is_own = *id == "me" || *id == access.account.id;
            let may_read = is_own && SCOPES_PROFILE.iter().any(|scope| access.has(scope));
            check_params(request, GET)?;
            if !may_read {
                check_scope(access, false)?;
            }
            people::get(state, request, access, path)
        }
        ("POST", ["people"], "createContact") => {
            let body = check_body(request, access, CREATE, "Person")?;
            people::create(state, request, &body)
        }
        ("POST", ["people"], "batchCreateContacts") => {
            let body = check_body(request, access, &[], "BatchCreateContactsRequest")?;
            people::batch_create(state, &body)
        }
        ("POST", ["people"], "batchUpdateContacts") => {
            let body = check_body(request, access, &[], "BatchUpdateContactsRequest")?;
            people::batch_update(state, &body)
        }
        ("POST", ["people"], "batchDeleteContacts") => {
            let body = check_body(request, access, &[], "BatchDeleteContactsRequest")?;
            people::batch_delete(state, &body)
        }
        ("PATCH", ["people", _], "updateContact") => {
            let body = check_body(request, access, UPDATE, "Person")?;
            people::update(state, request, path, &body)
        }
        ("DELETE", ["people", _], "deleteContact") => {
            check(request, access, &[], true)?;
            people::delete(state, path)
        }
        ("PATCH", ["people", _], "updateContactPhoto") => {
            let body = check_body(request, access, &[], "UpdateContactPhotoRequest")?;
            photos::update(state, path, &body)
        }
        ("DELETE", ["people", _], "deleteContactPhoto") => {
            check(request, access, CREATE, true)?;
            photos::delete(state, request, path)
        }
        ("GET", ["contactGroups"], "") => {
            check(request, access, GROUPS, false)?;
            groups::list(state, request)
        }
        ("GET", ["contactGroups"], "batchGet") => {
            check(request, access, GROUP_BATCH, false)?;
            groups::batch_get(state, request)
        }
        ("POST", ["contactGroups"], "") => {
            let body = check_body(request, access, &[], "CreateContactGroupRequest")?;
            groups::create(state, &body)
        }
        ("GET", ["contactGroups", _], "") => {
            check(request, access, GROUP, false)?;
            groups::get(state, request, path)
        }
        ("PUT", ["contactGroups", _], "") => {
            let body = check_body(request, access, &[], "UpdateContactGroupRequest")?;
            groups::update(state, path, &body)
        }
        ("DELETE", ["contactGroups", _], "") => {
            check(request, access, &["deleteContacts"], true)?;
            groups::delete(state, path, request.param("deleteContacts") == Some("true"))
        }
        ("POST", ["contactGroups", id, "members"], "modify") => {
            let body = check_body(request, access, &[], "ModifyContactGroupMembersRequest")?;
            groups::modify_members(state, &format!("contactGroups/{id}"), &body)
        }
        ("GET", ["people"], "searchContacts" | "listDirectoryPeople" | "searchDirectoryPeople")
        | (_, ["otherContacts", ..], _) => {
            Err(error(501, "UNIMPLEMENTED", "The sandbox does not stand in for this method.", None))
        }
        _ => Err(Box::new(Response::bytes(
            404,
            "text/html; charset=UTF-8",
            "<!DOCTYPE html><html lang=en><title>Error 404 (Not Found)!!1</title><p>The requested URL was not found.",
        ))),
    }
}

/// Query parameters and scope of a request without a body.
fn check(request: &Request, access: &Access, known: &[&str], is_write: bool) -> Result<(), Refusal> {
    check_params(request, known)?;
    check_scope(access, is_write)
}

fn check_params(request: &Request, known: &[&str]) -> Result<(), Refusal> {
    if request.method == "GET" && !request.body.is_empty() {
        // The front end turns these away before any service sees them.
        let page = "<!DOCTYPE html><title>Error 400 (Bad Request)!!1</title>";
        return Err(Box::new(Response::bytes(400, "text/html; charset=UTF-8", page)));
    }
    for (name, value) in &request.query {
        let name = name.as_str();
        if !known.contains(&name) && !COMMON.contains(&name) {
            return Err(unknown_param(name));
        }
        let is_flag = matches!(name, "requestSyncToken" | "deleteContacts" | "prettyPrint");
        if is_flag && !matches!(value.as_str(), "true" | "false") {
            return Err(invalid(&format!("Invalid value at '{name}' (TYPE_BOOL), \"{value}\"")));
        }
        if name == "alt" && value != "json" {
            return Err(invalid(&format!("Invalid value at 'alt', \"{value}\"")));
        }
        const ORDERS: [&str; 4] =
            ["LAST_MODIFIED_ASCENDING", "LAST_MODIFIED_DESCENDING", "FIRST_NAME_ASCENDING", "LAST_NAME_ASCENDING"];
        if name == "sortOrder" && !ORDERS.contains(&value.as_str()) {
            let kind = "type.googleapis.com/google.people.v1.ListConnectionsRequest.SortOrder";
            return Err(invalid(&format!("Invalid value at 'sort_order' ({kind}), \"{value}\"")));
        }
    }
    Ok(())
}

fn check_scope(access: &Access, is_write: bool) -> Result<(), Refusal> {
    let may = access.has(SCOPE) || (!is_write && access.has(SCOPE_READ));
    may.then_some(()).ok_or_else(scope_missing)
}

/// Query parameters, scope and body of a mutation.
fn check_body(request: &Request, access: &Access, known: &[&str], message: &'static str) -> Result<Value, Refusal> {
    check(request, access, known, true)?;
    if !request.says_json() {
        return Err(invalid("Invalid content type: the request body must be application/json."));
    }
    let body = request.body_json().map_err(|why| invalid(&format!("Invalid JSON payload received. {why}")))?;
    schema::check_body(message, &body)?;
    Ok(body)
}

/// GET oauth2/v2/userinfo.
fn userinfo(request: &Request, access: &Access) -> Result<Response, Refusal> {
    if request.method != "GET" {
        return Err(errors::not_found());
    }
    if !access.has("openid") && !SCOPES_PROFILE.iter().any(|scope| access.has(scope)) {
        return Err(scope_missing());
    }
    let account = &access.account;
    let mut body = json!({ "id": account.id });
    if access.has(SCOPES_PROFILE[0]) || access.has("email") {
        body["email"] = json!(account.email);
        body["verified_email"] = json!(true);
    }
    if access.has(SCOPES_PROFILE[1]) || access.has("profile") {
        body["name"] = json!(account.display_name);
        body["given_name"] = json!(account.given_name);
        body["family_name"] = json!(account.family_name);
    }
    body["hd"] = json!(account.tenant);
    Ok(Response::json(200, &body))
}

/// Answers for the photo host; `path` is what follows `/google-photos/`.
pub fn photo_host(state: &mut State, request: &Request, path: &str) -> Response {
    photos::host(state, request, path)
}

/// All contacts, groups, photos, calendars and mail as JSON, for a test to compare. Nothing here changes when it is read.
pub fn dump(state: &State) -> Value {
    let contacts: serde_json::Map<String, Value> = state
        .google
        .all_living()
        .map(|(name, person)| {
            let version = person.newest();
            let photo = version.photo.as_ref().and_then(|key| state.google.photos.get(key));
            let contact = json!({
                "etag": version.source_etag,
                "fields": version.fields,
                "photo_bytes": photo.map(|photo| photo.bytes.len()),
            });
            (name.clone(), contact)
        })
        .collect();
    let groups: serde_json::Map<String, Value> = state
        .google
        .groups
        .iter()
        .filter(|(_, group)| !group.is_system && !group.is_deleted)
        .map(|(name, group)| (name.clone(), json!(group.name)))
        .collect();
    json!({ "contacts": contacts, "groups": groups, "calendars": calendar::dump(state), "mail": mail::dump(state) })
}
