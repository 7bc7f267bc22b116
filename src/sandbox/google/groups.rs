//! Contact groups: the user's own (Google calls them labels) and the fixed ones of the system.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rand::Rng;
use serde_json::{Map, Value, json};

use super::errors::{Refusal, error, invalid, not_found, sync_token_expired};
use super::items;
use super::list::page_size;
use super::store::{self, membership_group};
use crate::clock::rfc3339_millis;
use crate::{Request, Response, State};

/// The system's groups and their names for people.
const SYSTEM: [(&str, &str); 8] = [
    ("chatBuddies", "Chat contacts"),
    ("all", "All Contacts"),
    ("myContacts", "My Contacts"),
    ("friends", "Friends"),
    ("family", "Family"),
    ("coworkers", "Coworkers"),
    ("blocked", "Blocked"),
    ("starred", "Starred"),
];

/// One group.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub name: String,
    pub formatted_name: String,
    pub is_system: bool,
    pub is_deleted: bool,
    pub etag: String,
    pub updated_ms: i64,
    pub stamp: u64,
    pub client_data: Value,
}

impl Group {
    /// Whether contacts may be added to it.
    pub fn takes_members(&self) -> bool {
        !self.is_deleted && (!self.is_system || matches!(self.name.as_str(), "myContacts" | "starred"))
    }
}

/// Makes the system's groups.
pub(crate) fn add_system_groups(state: &mut State) {
    for (name, formatted_name) in SYSTEM {
        let group = Group {
            name: name.into(),
            formatted_name: formatted_name.into(),
            is_system: true,
            is_deleted: false,
            etag: String::new(),
            updated_ms: 0,
            stamp: 0,
            client_data: Value::Null,
        };
        state.google.groups.insert(format!("contactGroups/{name}"), group);
    }
}

/// Makes a user's group and gives its resource name.
pub(crate) fn add(state: &mut State, name: &str, client_data: Value, at_ms: i64) -> String {
    let id: u64 = state.rng.random_range(0x0100_0000_0000_0000..0x8000_0000_0000_0000);
    let resource = format!("contactGroups/{id:x}");
    let mut group = Group {
        name: name.into(),
        formatted_name: name.into(),
        is_system: false,
        is_deleted: false,
        etag: String::new(),
        updated_ms: at_ms,
        stamp: 0,
        client_data,
    };
    touch(state, &mut group, at_ms);
    state.google.groups.insert(resource.clone(), group);
    resource
}

fn touch(state: &mut State, group: &mut Group, at_ms: i64) {
    state.google.stamp += 1;
    group.stamp = state.google.stamp;
    group.updated_ms = at_ms;
    group.etag = STANDARD.encode(state.rng.random::<[u8; 8]>());
}

/// Which parts of a group are sent.
fn group_mask(name: &str, mask: Option<&str>, default: &[&'static str]) -> Result<Vec<&'static str>, Refusal> {
    const KNOWN: [&str; 5] = ["metadata", "groupType", "name", "memberCount", "clientData"];
    let paths: Vec<&str> = mask.unwrap_or_default().split(',').filter(|path| !path.is_empty()).collect();
    if paths.is_empty() {
        return Ok(default.to_vec());
    }
    let known = |path: &&str| KNOWN.into_iter().find(|known| known == path);
    paths
        .iter()
        .map(|path| known(path).ok_or_else(|| invalid(&format!("Invalid {name} mask path: \"{path}\"."))))
        .collect()
}

const READ_DEFAULT: [&str; 4] = ["metadata", "groupType", "memberCount", "name"];
const WRITE_DEFAULT: [&str; 3] = ["metadata", "groupType", "name"];

fn render(resource: &str, group: &Group, mask: &[&str], members: usize) -> Value {
    let mut sent = Map::new();
    sent.insert("resourceName".into(), json!(resource));
    if !group.etag.is_empty() {
        sent.insert("etag".into(), json!(group.etag));
    }
    let has = |part: &str| mask.contains(&part);
    if has("metadata") && !group.is_system {
        let mut metadata = json!({ "updateTime": rfc3339_millis(group.updated_ms) });
        if group.is_deleted {
            metadata["deleted"] = json!(true);
        }
        sent.insert("metadata".into(), metadata);
    }
    if has("groupType") {
        let kind = if group.is_system { "SYSTEM_CONTACT_GROUP" } else { "USER_CONTACT_GROUP" };
        sent.insert("groupType".into(), json!(kind));
    }
    if has("name") && !group.is_deleted {
        sent.insert("name".into(), json!(group.name));
        sent.insert("formattedName".into(), json!(group.formatted_name));
    }
    if has("memberCount") && members > 0 {
        sent.insert("memberCount".into(), json!(members));
    }
    if has("clientData") && group.client_data.as_array().is_some_and(|entries| !entries.is_empty()) {
        sent.insert("clientData".into(), group.client_data.clone());
    }
    Value::Object(sent)
}

/// Members by group; `all` counts everybody.
fn member_counts(state: &State) -> HashMap<String, usize> {
    let mut counts: HashMap<String, usize> = HashMap::new();
    for (_, person) in state.google.all_living() {
        for name in person.newest().group_names() {
            match counts.get_mut(name) {
                Some(count) => *count += 1,
                None => {
                    counts.insert(name.to_owned(), 1);
                }
            }
        }
    }
    counts.insert("contactGroups/all".into(), state.google.all_living().count());
    counts
}

fn members_of(state: &State, group: &str) -> Vec<String> {
    let is_in = |name: &str| name == group;
    let people = state.google.all_living();
    people.filter(|(_, person)| person.newest().group_names().any(is_in)).map(|(name, _)| name.clone()).collect()
}

/// GET contactGroups. The user's groups first, the newest change first, then the system's.
pub(crate) fn list(state: &mut State, request: &Request) -> Result<Response, Refusal> {
    let mask = group_mask("groupFields", request.param("groupFields"), &READ_DEFAULT)?;
    let size = page_size(request, 30)?;
    let size = if state.switches.page_size_cap > 0 { size.min(state.switches.page_size_cap) } else { size };
    let now_ms = state.now_ms();
    let sync = request.param("syncToken").filter(|text| !text.is_empty());
    let since = match sync {
        Some(text) => {
            let [epoch, since, at_ms] = read_token(text).ok_or_else(|| invalid("Sync token is invalid."))?;
            let life_ms = state.switches.sync_token_days * 86_400_000;
            if epoch != i64::from(state.google.epoch) || now_ms - at_ms > life_ms {
                return Err(sync_token_expired(state.switches.expired_sync_token_status));
            }
            since.unsigned_abs()
        }
        None => 0,
    };
    let (skip, round) = match request.param("pageToken").filter(|text| !text.is_empty()) {
        Some(text) => {
            let [skip, round, of] = read_token(text).ok_or_else(|| invalid("Page token is invalid."))?;
            if of.unsigned_abs() != since {
                return Err(invalid("Request parameters must match the call that provided the page token."));
            }
            (usize::try_from(skip).unwrap_or(0), round)
        }
        None => (0, i64::try_from(state.google.stamp).unwrap_or(i64::MAX)),
    };
    let groups = &state.google.groups;
    let mut rows: Vec<_> = groups
        .iter()
        .filter(|(_, group)| if sync.is_some() { group.stamp > since } else { !group.is_deleted })
        .collect();
    rows.sort_by_key(|(name, group)| (group.is_system, std::cmp::Reverse(group.stamp), name.as_str()));
    let counts = member_counts(state);
    let total = rows.len();
    let page = rows.iter().skip(skip).take(size);
    let sent: Vec<Value> =
        page.map(|(name, group)| render(name, group, &mask, counts.get(*name).copied().unwrap_or(0))).collect();
    let end = skip + sent.len();
    let mut body = json!({});
    if !sent.is_empty() {
        body["contactGroups"] = Value::Array(sent);
    }
    if total > 0 {
        body["totalItems"] = json!(total);
    }
    if end < total {
        let since = i64::try_from(since).unwrap_or(i64::MAX);
        body["nextPageToken"] = json!(write_token([i64::try_from(end).unwrap_or(i64::MAX), round, since]));
    } else {
        body["nextSyncToken"] = json!(write_token([i64::from(state.google.epoch), round, now_ms]));
    }
    Ok(Response::json(200, &body))
}

fn write_token(numbers: [i64; 3]) -> String {
    URL_SAFE_NO_PAD.encode(numbers.map(|number| format!("{number:x}")).join("~"))
}

fn read_token(text: &str) -> Option<[i64; 3]> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
    let numbers: Option<Vec<i64>> = text.split('~').map(|part| i64::from_str_radix(part, 16).ok()).collect();
    numbers?.try_into().ok()
}

fn living<'a>(state: &'a State, resource: &str) -> Result<&'a Group, Refusal> {
    state.google.groups.get(resource).filter(|group| !group.is_deleted).ok_or_else(not_found)
}

fn most_members(request: &Request) -> Result<usize, Refusal> {
    let text = request.param("maxMembers").unwrap_or("0");
    text.parse().map_err(|_| invalid(&format!("Invalid value at 'max_members' (TYPE_INT32), \"{text}\"")))
}

fn one(state: &State, resource: &str, mask: &[&str], most: usize) -> Result<Value, Refusal> {
    let group = living(state, resource)?;
    let members = members_of(state, resource);
    let mut sent = render(resource, group, mask, members.len());
    if most > 0 && !members.is_empty() {
        sent["memberResourceNames"] = json!(members.into_iter().take(most).collect::<Vec<_>>());
    }
    Ok(sent)
}

/// GET contactGroups/{id}.
pub(crate) fn get(state: &mut State, request: &Request, resource: &str) -> Result<Response, Refusal> {
    let mask = group_mask("groupFields", request.param("groupFields"), &READ_DEFAULT)?;
    Ok(Response::json(200, &one(state, resource, &mask, most_members(request)?)?))
}

/// GET contactGroups:batchGet.
pub(crate) fn batch_get(state: &mut State, request: &Request) -> Result<Response, Refusal> {
    let mask = group_mask("groupFields", request.param("groupFields"), &READ_DEFAULT)?;
    let most = most_members(request)?;
    let names: Vec<&str> = request.params("resourceNames").collect();
    if names.is_empty() || names.len() > 200 {
        return Err(invalid("The number of resource names must be within a range of [1, 200]."));
    }
    let responses: Vec<Value> = names
        .into_iter()
        .map(|name| match one(state, name, &mask, most) {
            Ok(group) => json!({ "requestedResourceName": name, "contactGroup": group, "status": {} }),
            Err(_) => json!({
                "requestedResourceName": name,
                "status": { "code": 5, "message": "Requested entity was not found." },
            }),
        })
        .collect();
    Ok(Response::json(200, &json!({ "responses": responses })))
}

/// A name that no other group has; upper and lower case are one.
fn check_name(state: &State, name: Option<&Value>, except: &str) -> Result<String, Refusal> {
    let name = name.and_then(Value::as_str).map(str::trim).unwrap_or_default();
    if name.is_empty() {
        return Err(invalid("Contact group name must not be empty."));
    }
    let is_taken = |(resource, group): (&String, &Group)| {
        let same = |other: &str| other.to_lowercase() == name.to_lowercase();
        resource != except && !group.is_deleted && (same(&group.name) || same(&group.formatted_name))
    };
    if state.google.groups.iter().any(is_taken) {
        return Err(error(409, "ALREADY_EXISTS", "Contact group name already exists.", None));
    }
    Ok(name.to_owned())
}

/// POST contactGroups.
pub(crate) fn create(state: &mut State, body: &Value) -> Result<Response, Refusal> {
    let mask = group_mask("readGroupFields", body["readGroupFields"].as_str(), &WRITE_DEFAULT)?;
    let name = check_name(state, body["contactGroup"].get("name"), "")?;
    let at_ms = state.now_ms();
    let resource = add(state, &name, body["contactGroup"]["clientData"].clone(), at_ms);
    Ok(Response::json(200, &one(state, &resource, &mask, 0)?))
}

/// PUT contactGroups/{id}, guarded by the group's etag.
pub(crate) fn update(state: &mut State, resource: &str, body: &Value) -> Result<Response, Refusal> {
    let mut group = living(state, resource)?.clone();
    if group.is_system {
        return Err(invalid("System contact groups can not be updated."));
    }
    let read = group_mask("readGroupFields", body["readGroupFields"].as_str(), &WRITE_DEFAULT)?;
    let mask = group_mask("updateGroupFields", body["updateGroupFields"].as_str(), &["name"])?;
    if mask.iter().any(|part| !matches!(*part, "name" | "clientData")) {
        return Err(invalid("Invalid updateGroupFields mask path."));
    }
    let written = &body["contactGroup"];
    match written["etag"].as_str() {
        None => return Err(invalid("Request must set contactGroup.etag.")),
        Some(etag) if etag != group.etag => {
            let message = "Request contactGroup.etag is different than the current contactGroup.etag. Clear local \
                           cache and get the latest contact group.";
            return Err(error(400, "FAILED_PRECONDITION", message, None));
        }
        Some(_) => {}
    }
    if mask.contains(&"name") {
        group.name = check_name(state, written.get("name"), resource)?;
        group.formatted_name.clone_from(&group.name);
    }
    if mask.contains(&"clientData") {
        group.client_data = written["clientData"].clone();
    }
    let at_ms = state.now_ms();
    touch(state, &mut group, at_ms);
    state.google.groups.insert(resource.to_owned(), group);
    Ok(Response::json(200, &one(state, resource, &read, 0)?))
}

/// Renames a group whatever its etag, as another client would after reading it.
pub(crate) fn rename(state: &mut State, resource: &str, name: &str) -> Result<(), Refusal> {
    let mut group = living(state, resource)?.clone();
    group.name = check_name(state, Some(&json!(name)), resource)?;
    group.formatted_name.clone_from(&group.name);
    let at_ms = state.now_ms();
    touch(state, &mut group, at_ms);
    state.google.groups.insert(resource.to_owned(), group);
    Ok(())
}

/// DELETE contactGroups/{id}; with `deleteContacts=true` its members too.
pub(crate) fn delete(state: &mut State, resource: &str, deletes_contacts: bool) -> Result<Response, Refusal> {
    let mut group = living(state, resource)?.clone();
    if group.is_system {
        return Err(invalid("System contact groups can not be deleted."));
    }
    for name in members_of(state, resource) {
        if deletes_contacts {
            store::remove(state, &name)?;
        } else {
            leave(state, &name, resource)?;
        }
    }
    group.is_deleted = true;
    let at_ms = state.now_ms();
    touch(state, &mut group, at_ms);
    state.google.groups.insert(resource.to_owned(), group);
    Ok(Response::json(200, &json!({})))
}

fn leave(state: &mut State, person: &str, group: &str) -> Result<(), Refusal> {
    store::change(state, person, |version| {
        if let Some(Value::Array(memberships)) = version.fields.get_mut("memberships") {
            memberships.retain(|item| membership_group(item) != Some(group));
        }
    })?;
    Ok(())
}

/// POST contactGroups/{id}/members:modify.
pub(crate) fn modify_members(state: &mut State, resource: &str, body: &Value) -> Result<Response, Refusal> {
    let names = |key: &str| -> Vec<String> {
        body[key].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let (adds, removes) = (names("resourceNamesToAdd"), names("resourceNamesToRemove"));
    if adds.len() + removes.len() > 1000 {
        return Err(invalid("The total number of resource names must be less than or equal to 1000."));
    }
    let group = living(state, resource)?;
    if !adds.is_empty() && !group.takes_members() {
        return Err(invalid("Contacts can not be added to this system contact group."));
    }
    let (mut unknown, mut last_group) = (Vec::new(), Vec::new());
    for asked in adds {
        let Some((name, person)) = state.google.living(&asked) else {
            unknown.push(asked);
            continue;
        };
        if person.newest().group_names().any(|group| group == resource) {
            continue;
        }
        let item = items::membership(&person.contact_id, resource);
        store::change(state, &name, |version| {
            let memberships = version.fields.entry("memberships").or_insert_with(|| json!([]));
            memberships.as_array_mut().into_iter().for_each(|items| items.push(item.clone()));
        })?;
    }
    for asked in removes {
        let Some((name, person)) = state.google.living(&asked) else {
            unknown.push(asked);
            continue;
        };
        let version = person.newest();
        if !version.group_names().any(|group| group == resource) {
            continue;
        }
        if version.group_names().count() == 1 {
            last_group.push(asked);
            continue;
        }
        leave(state, &name, resource)?;
    }
    let mut body = json!({});
    if !unknown.is_empty() {
        body["notFoundResourceNames"] = json!(unknown);
    }
    if !last_group.is_empty() {
        body["canNotRemoveLastContactGroupResourceNames"] = json!(last_group);
    }
    Ok(Response::json(200, &body))
}
