//! Another client of the user: edits from a phone or the web page, which no test client asked for. As methods of
//! [`Sandbox`], and as control actions `google/...` for a test in another process.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::errors::{Refusal, not_found};
use super::render::{self, View};
use super::store::{self, Profile, Version, membership_group};
use super::{groups, people, photos};
use crate::{Response, Sandbox, State};

/// What went wrong, as text for the author of a test.
fn text(refusal: &Response) -> String {
    let body = refusal.body_json();
    body["error"]["message"].as_str().unwrap_or("refused").to_owned()
}

fn done<T>(result: Result<T, Refusal>) -> Result<T, String> {
    result.map_err(|refusal| text(&refusal))
}

fn resolve(state: &State, resource: &str) -> Result<String, Refusal> {
    state.google.resolve(resource).ok_or_else(not_found)
}

impl Sandbox {
    /// Adds a contact (People's JSON) and gives its resource name.
    pub fn google_create(&self, person: &Value) -> Result<String, String> {
        self.with(|state| create(state, person))
    }

    /// Changes a contact: the closure gets its JSON (contact source, all fields) and what it leaves is stored.
    pub fn google_edit(&self, resource: &str, edit: impl FnOnce(&mut Value)) -> Result<(), String> {
        self.with(|state| self::edit(state, resource, edit))
    }

    /// Deletes a contact.
    pub fn google_delete(&self, resource: &str) -> Result<(), String> {
        self.with(|state| delete(state, resource))
    }

    /// A contact as it is now, all fields; none if it is not there. A former name finds it too.
    pub fn google_person(&self, resource: &str) -> Option<Value> {
        self.with(|state| person(state, resource))
    }

    /// All contacts as they are now, in no promised order.
    pub fn google_people(&self) -> Vec<Value> {
        self.with(all)
    }

    /// Makes a group and gives its resource name.
    pub fn google_add_group(&self, name: &str) -> Result<String, String> {
        self.with(|state| add_group(state, name))
    }

    /// Renames a group.
    pub fn google_rename_group(&self, group: &str, name: &str) -> Result<(), String> {
        self.with(|state| done(groups::rename(state, group, name)))
    }

    /// Deletes a group, its members stay.
    pub fn google_delete_group(&self, group: &str) -> Result<(), String> {
        self.with(|state| done(groups::delete(state, group, false)).map(drop))
    }

    /// Puts contacts into a group and takes others out of it.
    pub fn google_members(&self, group: &str, add: &[&str], remove: &[&str]) -> Result<(), String> {
        let body = json!({ "resourceNamesToAdd": add, "resourceNamesToRemove": remove });
        self.with(|state| done(groups::modify_members(state, group, &body)).map(drop))
    }

    /// Sets or removes a contact's photo.
    pub fn google_set_photo(&self, resource: &str, bytes: Option<Vec<u8>>) -> Result<(), String> {
        self.with(|state| set_photo(state, resource, bytes))
    }

    /// Merges two contacts, as the web page offers: one of a new name stays, which had both names before.
    pub fn google_merge(&self, keep: &str, gone: &str) -> Result<String, String> {
        self.with(|state| merge(state, keep, gone))
    }

    /// Links a contact with the public profile of a Google user, whose fields then show beside the contact's own.
    pub fn google_link_profile(&self, resource: &str, fields: &Value) -> Result<(), String> {
        self.with(|state| link_profile(state, resource, fields))
    }

    /// A new etag with equal content, as the service itself makes now and then.
    pub fn google_restamp(&self, resource: &str) -> Result<(), String> {
        self.with(|state| restamp(state, resource))
    }

    /// Makes every sync and page token given out so far an expired one.
    pub fn google_expire_sync_tokens(&self) {
        self.with(|state| state.google.epoch += 1);
    }
}

fn create(state: &mut State, body: &Value) -> Result<String, String> {
    let at_ms = state.now_ms();
    done(people::insert(state, body, at_ms))
}

fn edit(state: &mut State, resource: &str, edit: impl FnOnce(&mut Value)) -> Result<(), String> {
    let mut person = person(state, resource).ok_or("no such contact")?;
    edit(&mut person);
    if state.switches.people_edit_drops_client_data {
        person["clientData"] = json!([]);
    }
    let name = done(resolve(state, resource))?;
    done(people::overwrite(state, &name, &person))
}

fn delete(state: &mut State, resource: &str) -> Result<(), String> {
    let name = done(resolve(state, resource))?;
    done(store::remove(state, &name))
}

fn person(state: &mut State, resource: &str) -> Option<Value> {
    let view = View { profile: false, ..View::all() };
    let (name, person) = state.google.living(resource)?;
    let person = person.clone();
    let version = person.newest().clone();
    Some(render::person(state, &name, &person, &version, &view, false))
}

fn all(state: &mut State) -> Vec<Value> {
    let names: Vec<String> = state.google.all_living().map(|(name, _)| name.clone()).collect();
    names.iter().filter_map(|name| person(state, name)).collect()
}

fn add_group(state: &mut State, name: &str) -> Result<String, String> {
    let made = done(groups::create(state, &json!({ "contactGroup": { "name": name } })))?;
    made.body_json()["resourceName"].as_str().map(str::to_owned).ok_or_else(|| "no name came back".into())
}

fn set_photo(state: &mut State, resource: &str, bytes: Option<Vec<u8>>) -> Result<(), String> {
    let name = done(resolve(state, resource))?;
    let photo = match bytes {
        Some(bytes) => Some(photos::picture(bytes).ok_or("not a picture")?),
        None => None,
    };
    done(photos::set(state, &name, photo))
}

fn merge(state: &mut State, keep: &str, gone: &str) -> Result<String, String> {
    let (keep, gone) = (done(resolve(state, keep))?, done(resolve(state, gone))?);
    if keep == gone {
        return Err("one contact cannot be merged with itself".into());
    }
    let newest = |state: &State, name: &str| state.google.people.get(name).map(|person| person.newest().clone());
    let (Some(first), Some(second)) = (newest(state, &keep), newest(state, &gone)) else {
        return Err("no such contact".into());
    };
    let mut union = first.fields.clone();
    for (field, items) in &second.fields {
        let is_single = matches!(field.as_str(), "names" | "biographies" | "birthdays" | "genders");
        let have = union.entry(field.clone()).or_insert_with(|| json!([]));
        let (Some(have), Some(items)) = (have.as_array_mut(), items.as_array()) else { continue };
        for item in items {
            let same = |other: &Value| plain(other) == plain(item);
            if !have.iter().any(same) && (have.is_empty() || !is_single) {
                have.push(item.clone());
            }
        }
    }
    let (contact_id, resource) = store::fresh_names(&mut state.rng);
    // The items are written anew so that they carry the new contact's id.
    let mut previous = vec![keep.clone(), gone.clone()];
    previous.extend(first.previous.iter().chain(&second.previous).cloned());
    if !state.switches.people_merge_keeps_former_names {
        previous.clear();
    }
    let photo = first.photo.clone().or_else(|| second.photo.clone());
    let version = Version { previous, photo, ..Version::default() };
    let at_ms = state.now_ms();
    store::insert_as(state, resource.clone(), contact_id, version, at_ms);
    done(people::overwrite(state, &resource, &Value::Object(union)))?;
    if !state.switches.people_merge_keeps_former_names {
        done(store::remove(state, &keep))?;
        done(store::remove(state, &gone))?;
        return Ok(resource);
    }
    for old in [keep, gone] {
        // A renamed resource leaves no tombstone: the new one's former names are all that a delta tells.
        state.google.people.remove(&old);
        state.google.renamed.insert(old, resource.clone());
    }
    Ok(resource)
}

/// An item without its `metadata`; a membership by its group alone.
fn plain(item: &Value) -> Value {
    if let Some(group) = membership_group(item) {
        return json!(group);
    }
    let fields = item.as_object().into_iter().flatten().filter(|(name, _)| *name != "metadata");
    Value::Object(fields.map(|(name, value)| (name.clone(), value.clone())).collect())
}

fn link_profile(state: &mut State, resource: &str, fields: &Value) -> Result<(), String> {
    let name = done(resolve(state, resource))?;
    let fields: Map<String, Value> = fields.as_object().cloned().ok_or("fields must be an object")?;
    let id = format!("1091781196288130{:05}", state.google.stamp % 100_000);
    done(store::change(state, &name, |_| {}))?;
    if let Some(person) = state.google.people.get_mut(&name) {
        person.profile = Some(Profile { id, fields });
    }
    Ok(())
}

fn restamp(state: &mut State, resource: &str) -> Result<(), String> {
    let name = done(resolve(state, resource))?;
    done(store::change(state, &name, |_| {})).map(drop)
}

/// Answers a control action `google/<action>`; an error is a text for the author of a test.
pub fn control(state: &mut State, action: &str, body: &Value) -> Result<Value, String> {
    let word = |key: &str| body[key].as_str().ok_or_else(|| format!("\"{key}\" must be a text"));
    match action {
        "create" => Ok(json!({ "resourceName": create(state, &body["person"])? })),
        "edit" => {
            let fields = body["person"].as_object().ok_or("\"person\" must be an object")?;
            edit(state, word("resource")?, |person| {
                for (name, value) in fields {
                    person[name.as_str()] = value.clone();
                }
            })?;
            Ok(json!({}))
        }
        "delete" => delete(state, word("resource")?).map(|()| json!({})),
        "get" => Ok(person(state, word("resource")?).unwrap_or(Value::Null)),
        "list" => Ok(Value::Array(all(state))),
        "add_group" => Ok(json!({ "resourceName": add_group(state, word("name")?)? })),
        "rename_group" => done(groups::rename(state, word("group")?, word("name")?)).map(|()| json!({})),
        "delete_group" => done(groups::delete(state, word("group")?, false)).map(|_| json!({})),
        "members" => {
            let request = json!({ "resourceNamesToAdd": body["add"], "resourceNamesToRemove": body["remove"] });
            done(groups::modify_members(state, word("group")?, &request)).map(|reply: Response| reply.body_json())
        }
        "photo" => {
            let bytes = body["bytes"].as_str().map(|text| STANDARD.decode(text)).transpose();
            let bytes = bytes.map_err(|e| format!("\"bytes\": {e}"))?;
            set_photo(state, word("resource")?, bytes).map(|()| json!({}))
        }
        "merge" => Ok(json!({ "resourceName": merge(state, word("keep")?, word("gone")?)? })),
        "link_profile" => link_profile(state, word("resource")?, &body["fields"]).map(|()| json!({})),
        "restamp" => restamp(state, word("resource")?).map(|()| json!({})),
        "expire_sync_tokens" => {
            state.google.epoch += 1;
            Ok(json!({}))
        }
        _ => match action.split_once('/') {
            Some(("calendar", action)) => super::calendar::control(state, action, body),
            Some(("mail", action)) => super::mail::control(state, action, body),
            _ => Err(format!("unknown action google/{action}")),
        },
    }
}
