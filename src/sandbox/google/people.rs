//! Single contacts and batches of them: get, create, update, delete.

use serde_json::{Map, Value, json};

use super::errors::{Refusal, bad_field, etag_differs, invalid, not_found};
use super::items::{self, Hand, adopt, is_writable, keep_client_data};
use super::render::{self, Absent, View};
use super::store::{self, Version, membership_group};
use crate::oauth::Access;
use crate::{Request, Response, State};

/// The group a new contact is put into when it names none.
pub(crate) const MY_CONTACTS: &str = "contactGroups/myContacts";

/// GET people/{id}, `people/me` included.
pub(crate) fn get(state: &mut State, request: &Request, access: &Access, resource: &str) -> Result<Response, Refusal> {
    let view = View::of_query(request, Absent::Refused)?;
    let person = read(state, access, resource, &view).ok_or_else(not_found)?;
    Ok(Response::json(200, &person))
}

/// A person as a single get shows it: never lagging. A former name finds the present person.
fn read(state: &mut State, access: &Access, resource: &str, view: &View) -> Option<Value> {
    if resource == "people/me" || resource.strip_prefix("people/") == Some(access.account.id.as_str()) {
        return Some(owner(access, view));
    }
    let (name, person) = state.google.living(resource)?;
    let person = person.clone();
    let version = person.newest().clone();
    Some(render::person(state, &name, &person, &version, view, false))
}

/// The signed-in user's own profile.
fn owner(access: &Access, view: &View) -> Value {
    let account = &access.account;
    let source = json!({ "type": "PROFILE", "id": account.id });
    let mark = json!({ "primary": true, "source": source, "sourcePrimary": true });
    let mut sent = Map::new();
    sent.insert("resourceName".into(), json!(format!("people/{}", account.id)));
    sent.insert("etag".into(), json!("%EgUBAgkuNxoEAQIFByIMb3duZXI="));
    for field in &view.fields {
        let value = match *field {
            "metadata" => json!({
                "sources": [{
                    "type": "PROFILE", "id": account.id, "etag": "#owner=",
                    "profileMetadata": { "objectType": "PERSON", "userTypes": ["GOOGLE_USER", "GOOGLE_APPS_USER"] },
                    "updateTime": "2026-01-01T00:00:00.000001Z",
                }],
                "objectType": "PERSON",
            }),
            "names" => json!([{
                "metadata": mark,
                "displayName": account.display_name,
                "familyName": account.family_name,
                "givenName": account.given_name,
                "displayNameLastFirst": format!("{}, {}", account.family_name, account.given_name),
                "unstructuredName": account.display_name,
            }]),
            "emailAddresses" => json!([{ "metadata": mark, "value": account.email }]),
            _ => continue,
        };
        sent.insert((*field).to_owned(), value);
    }
    Value::Object(sent)
}

/// GET people:batchGet.
pub(crate) fn batch_get(state: &mut State, request: &Request, access: &Access) -> Result<Response, Refusal> {
    let view = View::of_query(request, Absent::Refused)?;
    let names: Vec<&str> = request.params("resourceNames").collect();
    if names.is_empty() {
        return Err(invalid("At least one resource name is required."));
    }
    if names.len() > 200 {
        return Err(invalid("The maximum number of resource names is 200."));
    }
    let responses: Vec<Value> = names
        .into_iter()
        .map(|name| match read(state, access, name, &view) {
            Some(person) => {
                json!({ "httpStatusCode": 200, "person": person, "requestedResourceName": name, "status": {} })
            }
            None => json!({
                "httpStatusCode": 404,
                "requestedResourceName": name,
                "status": { "code": 5, "message": "Requested entity was not found." },
            }),
        })
        .collect();
    Ok(Response::json(200, &json!({ "responses": responses })))
}

/// POST people:createContact.
pub(crate) fn create(state: &mut State, request: &Request, body: &Value) -> Result<Response, Refusal> {
    let view = View::of_query(request, Absent::All)?;
    let draft = draft(state, body, Hand::Api)?;
    let name = keep(state, draft);
    reply(state, &name, &view)
}

/// POST people:batchCreateContacts: all or none.
pub(crate) fn batch_create(state: &mut State, body: &Value) -> Result<Response, Refusal> {
    let view = read_mask(body)?;
    let contacts = body["contacts"].as_array().map(Vec::as_slice).unwrap_or_default();
    check_count(contacts.len(), 200, "contacts")?;
    let mut drafts = Vec::with_capacity(contacts.len());
    for (i, contact) in contacts.iter().enumerate() {
        let person = contact.get("contactPerson").ok_or_else(|| {
            bad_field(&format!("contacts[{i}].contact_person"), "Request must set contacts.contactPerson.")
        })?;
        let made = draft(state, person, Hand::Api);
        drafts.push(
            made.map_err(|refusal| in_batch(*refusal, "BatchCreateContactsErrorDetails", json!({ "index": i })))?,
        );
    }
    let mut created = Vec::with_capacity(drafts.len());
    for draft in drafts {
        let name = keep(state, draft);
        created.push(person_response(state, &name, &view)?);
    }
    let body = if view.is_empty() { json!({}) } else { json!({ "createdPeople": created }) };
    Ok(Response::json(200, &body))
}

/// A checked contact that is not stored yet.
struct Draft {
    contact_id: String,
    resource: String,
    fields: Map<String, Value>,
}

fn draft(state: &mut State, body: &Value, hand: Hand) -> Result<Draft, Refusal> {
    let (contact_id, resource) = store::fresh_names(&mut state.rng);
    let mut fields = Map::new();
    for field in items::WRITABLE {
        let items = adopt(state, &contact_id, field, body.get(field), hand)?;
        if !items.is_empty() {
            fields.insert(field.into(), Value::Array(items));
        }
    }
    let groups = fields.get("memberships").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    check_added_groups(state, &[], groups)?;
    if groups.is_empty() {
        fields.insert("memberships".into(), json!([items::membership(&contact_id, MY_CONTACTS)]));
    }
    Ok(Draft { contact_id, resource, fields })
}

fn keep(state: &mut State, draft: Draft) -> String {
    let at_ms = state.now_ms();
    keep_at(state, draft, at_ms)
}

fn keep_at(state: &mut State, draft: Draft, at_ms: i64) -> String {
    let version = Version { fields: draft.fields, ..Version::default() };
    store::insert_as(state, draft.resource, draft.contact_id, version, at_ms)
}

/// Any group membership may go; only user groups, myContacts and starred may come.
fn check_added_groups(state: &State, old: &[Value], new: &[Value]) -> Result<(), Refusal> {
    for name in new.iter().filter_map(membership_group) {
        let is_old = old.iter().any(|item| membership_group(item) == Some(name));
        let may_come = state.google.groups.get(name).is_some_and(|group| group.takes_members());
        if !is_old && !may_come {
            return Err(invalid(&format!("Contact group \"{name}\" can not have members added.")));
        }
    }
    Ok(())
}

/// PATCH people/{id}:updateContact.
pub(crate) fn update(state: &mut State, request: &Request, resource: &str, body: &Value) -> Result<Response, Refusal> {
    let view = View::of_query(request, Absent::All)?;
    let mask = update_mask("updatePersonFields", request.param("updatePersonFields"))?;
    let update = check_update(state, resource, body, &mask)?;
    let name = apply(state, update)?;
    reply(state, &name, &view)
}

/// POST people:batchUpdateContacts: one mask for all, all or none.
pub(crate) fn batch_update(state: &mut State, body: &Value) -> Result<Response, Refusal> {
    let view = read_mask(body)?;
    let mask = update_mask("updateMask", body["updateMask"].as_str())?;
    let empty = Map::new();
    let contacts = body["contacts"].as_object().unwrap_or(&empty);
    check_count(contacts.len(), 200, "contacts")?;
    let mut updates = Vec::with_capacity(contacts.len());
    for (resource, person) in contacts {
        let update = check_update(state, resource, person, &mask);
        let update = update.map_err(|refusal| {
            in_batch(*refusal, "BatchUpdateContactsErrorDetails", json!({ "resourceName": resource }))
        })?;
        updates.push((resource.clone(), update));
    }
    let mut results = Map::new();
    for (resource, update) in updates {
        let name = apply(state, update)?;
        results.insert(resource, person_response(state, &name, &view)?);
    }
    let body = if view.is_empty() { json!({}) } else { json!({ "updateResult": results }) };
    Ok(Response::json(200, &body))
}

/// A checked update that is not applied yet.
struct Update {
    name: String,
    fields: Vec<(&'static str, Vec<Value>)>,
}

fn check_update(state: &mut State, resource: &str, body: &Value, mask: &[&'static str]) -> Result<Update, Refusal> {
    let (name, person) = state.google.living(resource).ok_or_else(not_found)?;
    let (contact_id, version) = (person.contact_id.clone(), person.newest().clone());
    let sources = body["metadata"]["sources"].as_array().map(Vec::as_slice).unwrap_or_default();
    let source = sources.iter().find(|source| source["type"] == "CONTACT");
    let etag = source.and_then(|source| source["etag"].as_str()).ok_or_else(|| {
        invalid("Request must set person.metadata.sources.etag for the source that is being updated.")
    })?;
    state.google.guarded_updates += 1;
    let nth = state.switches.people_false_etag_mismatch;
    let is_false_alarm = nth > 0 && state.google.guarded_updates.is_multiple_of(nth);
    if etag != version.source_etag || is_false_alarm {
        return Err(etag_differs());
    }
    let mut fields = Vec::with_capacity(mask.len());
    for field in mask {
        let mut items = adopt(state, &contact_id, field, body.get(field), Hand::Api)?;
        let old = version.fields.get(*field);
        if *field == "memberships" {
            if !items::is_in_a_group(&items) {
                return Err(invalid("Contact person must have at least one contact group membership."));
            }
            check_added_groups(state, old.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default(), &items)?;
        }
        if *field == "clientData" && state.switches.client_data_sticky {
            keep_client_data(old, &mut items);
        }
        fields.push((*field, items));
    }
    Ok(Update { name, fields })
}

fn apply(state: &mut State, update: Update) -> Result<String, Refusal> {
    if !state.switches.people_same_update_restamps && changes_nothing(state, &update) {
        return Ok(update.name);
    }
    store::change(state, &update.name, |version| {
        for (field, items) in update.fields {
            if items.is_empty() {
                version.fields.shift_remove(field);
            } else {
                version.fields.insert(field.to_owned(), Value::Array(items));
            }
        }
    })?;
    Ok(update.name)
}

/// Whether all fields hold already what is written.
fn changes_nothing(state: &State, update: &Update) -> bool {
    let Some(person) = state.google.people.get(&update.name) else { return false };
    let version = person.newest();
    let holds =
        |field: &str| version.fields.get(field).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    update.fields.iter().all(|(field, items)| holds(field) == items.as_slice())
}

/// DELETE people/{id}:deleteContact.
pub(crate) fn delete(state: &mut State, resource: &str) -> Result<Response, Refusal> {
    let name = state.google.resolve(resource).ok_or_else(not_found)?;
    store::remove(state, &name)?;
    Ok(Response::json(200, &json!({})))
}

/// POST people:batchDeleteContacts: all or none.
pub(crate) fn batch_delete(state: &mut State, body: &Value) -> Result<Response, Refusal> {
    let names = body["resourceNames"].as_array().map(Vec::as_slice).unwrap_or_default();
    check_count(names.len(), 500, "resource names")?;
    let mut found = Vec::with_capacity(names.len());
    for name in names.iter().filter_map(Value::as_str) {
        found.push(state.google.resolve(name).ok_or_else(|| {
            in_batch(*not_found(), "BatchDeleteContactsErrorDetails", json!({ "resourceName": name }))
        })?);
    }
    found.sort();
    found.dedup();
    for name in found {
        store::remove(state, &name)?;
    }
    Ok(Response::json(200, &json!({})))
}

/// The person after a mutation.
pub(crate) fn reply(state: &mut State, name: &str, view: &View) -> Result<Response, Refusal> {
    let person = after(state, name, view)?;
    Ok(Response::json(200, &person))
}

/// The person after a mutation, as JSON.
pub(crate) fn after(state: &mut State, name: &str, view: &View) -> Result<Value, Refusal> {
    let person = state.google.people.get(name).ok_or_else(not_found)?.clone();
    let version = person.newest().clone();
    Ok(render::person(state, name, &person, &version, view, false))
}

fn person_response(state: &mut State, name: &str, view: &View) -> Result<Value, Refusal> {
    if view.is_empty() {
        return Ok(Value::Null);
    }
    let person = after(state, name, view)?;
    Ok(json!({ "httpStatusCode": 200, "person": person, "requestedResourceName": name, "status": {} }))
}

fn read_mask(body: &Value) -> Result<View, Refusal> {
    let sources: Vec<&str> = body["sources"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    View::read("readMask", body["readMask"].as_str(), sources.into_iter(), Absent::Nothing)
}

fn check_count(count: usize, most: usize, what: &str) -> Result<(), Refusal> {
    match count {
        0 => Err(invalid(&format!("Request must have at least one of the {what}."))),
        count if count > most => Err(invalid(&format!("The maximum number of {what} in a request is {most}."))),
        _ => Ok(()),
    }
}

/// Reads `updatePersonFields` or `updateMask`.
fn update_mask(name: &str, mask: Option<&str>) -> Result<Vec<&'static str>, Refusal> {
    let mut fields = Vec::new();
    for path in mask.unwrap_or_default().split(',').map(str::trim).filter(|path| !path.is_empty()) {
        let first = path.split('.').next().unwrap_or_default();
        if !is_writable(first) {
            return Err(invalid(&format!(
                "Invalid {name} mask path: \"{path}\". Valid paths are documented at \
                 https://developers.google.com/people/api/rest/v1/people/updateContact."
            )));
        }
        let known = items::WRITABLE.into_iter().filter(|field| *field == first);
        fields.extend(known.filter(|field| !fields.contains(field)).collect::<Vec<_>>());
    }
    if fields.is_empty() {
        return Err(invalid(&format!("{name} mask is required. Please specify one or more valid paths.")));
    }
    Ok(fields)
}

/// A part's error as the error of the whole call, with the part named in the details.
fn in_batch(refusal: Response, kind: &str, place: Value) -> Refusal {
    let mut body = refusal.body_json();
    let status = json!({ "code": body["error"]["code"], "message": body["error"]["message"] });
    let mut entry = place;
    entry["status"] = status;
    let kind = format!("type.googleapis.com/google.people.v1.{kind}");
    body["error"]["details"] = json!([{ "@type": kind, "errors": [entry] }]);
    Box::new(Response { body: body.to_string().into(), ..refusal })
}

/// Adds a contact that was not sent by the client under test.
pub(crate) fn insert(state: &mut State, body: &Value, at_ms: i64) -> Result<String, Refusal> {
    let draft = draft(state, body, Hand::Other)?;
    Ok(keep_at(state, draft, at_ms))
}

/// Replaces what a contact holds, unguarded, as the user's own hand does. All writable fields are taken from `body`.
pub(crate) fn overwrite(state: &mut State, name: &str, body: &Value) -> Result<(), Refusal> {
    let contact_id = state.google.people.get(name).ok_or_else(not_found)?.contact_id.clone();
    let mut fields = Map::new();
    for field in items::WRITABLE {
        let items = adopt(state, &contact_id, field, body.get(field), Hand::Other)?;
        if !items.is_empty() {
            fields.insert(field.into(), Value::Array(items));
        }
    }
    store::change(state, name, |version| version.fields = fields)?;
    Ok(())
}
