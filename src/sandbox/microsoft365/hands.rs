//! Another client of the user: Outlook in a browser, a phone, a colleague with rights. What it does moves change keys
//! and shows in the delta like any write, but no request is made and none is counted.
//!
//! The same over HTTP: `POST /_sandbox/microsoft/<action>` with a JSON object:
//!
//! | action | body | answer |
//! |---|---|---|
//! | `create` | `folder`?, `contact` | `id` |
//! | `edit` | `id`, `contact`: the properties to set, null to clear | |
//! | `delete` (to Deleted Items), `restamp`, `get` | `id` | `get`: the contact |
//! | `move` | `id`, `folder` | |
//! | `photo` | `id`, `bytes` (base64 or null) | |
//! | `list`, `folders` | | all contacts; all folders with theirs |
//! | `add_folder` | `name`, `parent`? | `id` |
//! | `rename_folder` | `folder`, `name` | |
//! | `delete_folder` | `folder` | |
//! | `expire_delta_tokens` | | |
//! | what is done to calendars and events | | see `calendar/hands.rs` |
//! | `mail/...` | | see `mail/hands.rs` |
//!
//! A folder is named by its id, by `contacts`, or by its display name; a contact by its id of either form. Answers have
//! immutable ids.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::fields::{self, Body, Change};
use super::reply::Refusal;
use super::store::{CONTACTS, IdForm, Photo, ROOT, Rules, contact_id};
use super::{calendar, contacts, dump, mail};
use crate::{Sandbox, State};

impl Sandbox {
    /// Adds a contact (Graph's JSON) to a folder and gives its immutable id.
    pub fn graph_create(&self, folder: &str, contact: &Value) -> Result<String, String> {
        self.with(|state| create(state, folder, contact))
    }

    /// Changes a contact: the closure gets its JSON, extended properties included, and what it leaves is stored.
    pub fn graph_edit(&self, id: &str, edit: impl FnOnce(&mut Value)) -> Result<(), String> {
        self.with(|state| self::edit(state, id, edit))
    }

    /// Deletes a contact to Deleted Items, or from there for good.
    pub fn graph_delete(&self, id: &str) -> Result<(), String> {
        self.with(|state| delete(state, id))
    }

    /// Moves a contact to another folder, also out of Deleted Items. Its immutable id stays.
    pub fn graph_move(&self, id: &str, folder: &str) -> Result<(), String> {
        self.with(|state| move_to(state, id, folder))
    }

    /// Sets or removes a contact's photo (a JPEG).
    pub fn graph_set_photo(&self, id: &str, bytes: Option<Vec<u8>>) -> Result<(), String> {
        self.with(|state| set_photo(state, id, bytes))
    }

    /// A new change key with equal content, as the service itself makes now and then.
    pub fn graph_restamp(&self, id: &str) -> Result<(), String> {
        self.with(|state| edit(state, id, |_| {}))
    }

    /// A contact as it is now, with extended properties and photo; none if it is gone for good.
    pub fn graph_contact(&self, id: &str) -> Option<Value> {
        self.with(|state| state.microsoft.find_any(id).map(|key| contacts::dump(&state.microsoft, key)))
    }

    /// All contacts of all folders, Deleted Items left out.
    pub fn graph_contacts(&self) -> Vec<Value> {
        self.with(|state| all(state))
    }

    /// All folders with their contacts under `folders`, and `deletedItems`.
    pub fn graph_dump(&self) -> Value {
        self.with(|state| dump(state))
    }

    /// Makes a contact folder under another (`""`: at the top) and gives its id.
    pub fn graph_folder_create(&self, parent: &str, name: &str) -> Result<String, String> {
        self.with(|state| add_folder(state, parent, name))
    }

    /// Renames a contact folder.
    pub fn graph_folder_rename(&self, folder: &str, name: &str) -> Result<(), String> {
        self.with(|state| rename_folder(state, folder, name))
    }

    /// Deletes a contact folder with all that is in it.
    pub fn graph_folder_delete(&self, folder: &str) -> Result<(), String> {
        self.with(|state| delete_folder(state, folder))
    }

    /// Makes every delta token and link given out so far an expired one.
    pub fn graph_expire_delta_tokens(&self) {
        self.with(|state| state.microsoft.epoch += 1);
    }
}

fn told<T>(done: Result<T, Refusal>) -> Result<T, String> {
    done.map_err(|refusal| refusal.text())
}

fn contact(state: &State, id: &str) -> Result<u64, String> {
    state.microsoft.find_any(id).ok_or_else(|| format!("no contact {id}"))
}

/// A folder by its id, its display name, or `contacts`; an empty text is the default folder too.
fn folder(state: &State, name: &str) -> Result<u64, String> {
    let graph = &state.microsoft;
    if name.is_empty() {
        return Ok(CONTACTS);
    }
    let is_named = |key: &u64| graph.is_contact_folder(*key) && graph.folders[key].now().name == name;
    let by_name = || graph.folders.keys().copied().find(is_named);
    graph.find_folder(name).ok().or_else(by_name).ok_or_else(|| format!("no folder {name}"))
}

fn create(state: &mut State, into: &str, contact: &Value) -> Result<String, String> {
    let into = folder(state, into)?;
    let mut body = told(fields::read(contact, Change::Replace, &Body::default(), &state.switches))?;
    fields::name_it(&mut body);
    let rules = Rules::of(state);
    let key = state.microsoft.create(&rules, into, body);
    Ok(contact_id(key, 0, IdForm::Immutable))
}

fn edit(state: &mut State, id: &str, edit: impl FnOnce(&mut Value)) -> Result<(), String> {
    let key = contact(state, id)?;
    let mut shown = contacts::dump(&state.microsoft, key);
    if let Some(object) = shown.as_object_mut() {
        object.shift_remove("@odata.etag");
        object.shift_remove("photo");
    }
    edit(&mut shown);
    if state.switches.graph_edit_drops_properties {
        shown["singleValueExtendedProperties"] = json!([]);
    }
    let body = told(fields::read(&shown, Change::Replace, &Body::default(), &state.switches))?;
    let rules = Rules::of(state);
    state.microsoft.edit(&rules, key, body);
    Ok(())
}

fn delete(state: &mut State, id: &str) -> Result<(), String> {
    let key = contact(state, id)?;
    let rules = Rules::of(state);
    state.microsoft.delete(&rules, key);
    Ok(())
}

fn move_to(state: &mut State, id: &str, to: &str) -> Result<(), String> {
    let (key, to) = (contact(state, id)?, folder(state, to)?);
    let rules = Rules::of(state);
    state.microsoft.move_to(&rules, key, to);
    Ok(())
}

fn set_photo(state: &mut State, id: &str, bytes: Option<Vec<u8>>) -> Result<(), String> {
    let key = contact(state, id)?;
    let photo = bytes.map(|bytes| Photo { bytes: bytes.into(), content_type: "image/jpeg".into() });
    let (rules, shows) = (Rules::of(state), state.switches.graph_delta_photo);
    state.microsoft.set_photo(&rules, key, photo, shows);
    Ok(())
}

fn all(state: &State) -> Vec<Value> {
    let graph = &state.microsoft;
    let is_there = |key: &&u64| graph.contacts[key].now().folder.is_some_and(|folder| graph.is_contact_folder(folder));
    graph.contacts.keys().filter(is_there).map(|key| contacts::dump(graph, *key)).collect()
}

fn add_folder(state: &mut State, parent: &str, name: &str) -> Result<String, String> {
    let parent = if parent.is_empty() { ROOT } else { folder(state, parent)? };
    let rules = Rules::of(state);
    let key = told(state.microsoft.create_folder(&rules, parent, name))?;
    Ok(state.microsoft.folders[&key].id.clone())
}

fn rename_folder(state: &mut State, named: &str, name: &str) -> Result<(), String> {
    let key = folder(state, named)?;
    let parent = state.microsoft.folders[&key].now().parent.unwrap_or(ROOT);
    let rules = Rules::of(state);
    told(state.microsoft.edit_folder(&rules, key, parent, name))
}

fn delete_folder(state: &mut State, named: &str) -> Result<(), String> {
    let key = folder(state, named)?;
    let rules = Rules::of(state);
    told(state.microsoft.delete_folder(&rules, key))
}

/// Answers a control action `microsoft/<action>`; an error is a text for the author of a test.
pub fn control(state: &mut State, action: &str, body: &Value) -> Result<Value, String> {
    let word = |key: &str| body[key].as_str().ok_or_else(|| format!("\"{key}\" must be a text"));
    let id_of = |id: String| json!({ "id": id });
    let nothing = |()| json!({});
    match action {
        "create" => create(state, body["folder"].as_str().unwrap_or_default(), &body["contact"]).map(id_of),
        "edit" => {
            let sent = body["contact"].as_object().ok_or("\"contact\" must be an object")?;
            let set = |contact: &mut Value| {
                for (name, value) in sent {
                    contact[name.as_str()] = value.clone();
                }
                // A list is cleared by an empty one; the wish is the same.
                if let Some(object) = contact.as_object_mut() {
                    object.retain(|_, value| !value.is_null());
                }
            };
            edit(state, word("id")?, set).map(nothing)
        }
        "delete" => delete(state, word("id")?).map(nothing),
        "move" => move_to(state, word("id")?, word("folder")?).map(nothing),
        "restamp" => edit(state, word("id")?, |_| {}).map(nothing),
        "get" => {
            let found = state.microsoft.find_any(word("id")?);
            Ok(found.map_or(Value::Null, |key| contacts::dump(&state.microsoft, key)))
        }
        "list" => Ok(all(state).into()),
        "folders" => Ok(dump(state)),
        "photo" => {
            let bytes = body["bytes"].as_str().map(|text| STANDARD.decode(text)).transpose();
            let bytes = bytes.map_err(|e| format!("\"bytes\": {e}"))?;
            set_photo(state, word("id")?, bytes).map(nothing)
        }
        "add_folder" => add_folder(state, body["parent"].as_str().unwrap_or_default(), word("name")?).map(id_of),
        "rename_folder" => rename_folder(state, word("folder")?, word("name")?).map(nothing),
        "delete_folder" => delete_folder(state, word("folder")?).map(nothing),
        "expire_delta_tokens" => {
            state.microsoft.epoch += 1;
            Ok(json!({}))
        }
        action => match action.strip_prefix("mail/") {
            Some(action) => mail::control(state, action, body),
            None => calendar::control(state, action, body),
        },
    }
}
