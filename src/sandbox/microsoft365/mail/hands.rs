//! Another client of the user. What it does shows in the deltas like any write, but no request is made and no receipt is
//! sent.

use serde_json::Value;

use super::super::reply::Refusal;
use super::super::store::{IdForm, Rules};
use super::store::{ROOT, folder_id, message_id};
use super::{fields, mime};
use crate::{Sandbox, State};

impl Sandbox {
    /// Delivers a mail (RFC 5322 bytes) to a folder, unread, and gives its immutable id. A folder is named by its id, its
    /// well-known name, or what the user sees.
    pub fn graph_mail_deliver(&self, folder: &str, bytes: &[u8]) -> Result<String, String> {
        self.with(|state| {
            let folder = find(state, folder)?;
            let rules = Rules::of(state);
            let mut body = fields::empty(rules.now_ms, state.microsoft.last_key + 1);
            mime::read(bytes, &mut body.fields);
            fields::preview(&mut body.fields);
            body.fields.insert("isDraft".into(), false.into());
            body.fields.insert("isRead".into(), false.into());
            body.mime = Some(bytes.into());
            let key = state.microsoft.create_message(&rules, folder, body);
            Ok(message_id(key, 0, IdForm::Immutable))
        })
    }

    /// Changes a message as a PATCH would (`isRead`, `flag`, `categories`).
    pub fn graph_mail_edit(&self, id: &str, set: &Value) -> Result<(), String> {
        self.with(|state| {
            let key = message(state, id)?;
            let old = state.microsoft.mail.messages[&key].now().body.clone();
            let new = fields::read(state, set, &old, false).map_err(told)?;
            let rules = Rules::of(state);
            state.microsoft.edit_message(&rules, key, new);
            Ok(())
        })
    }

    /// Moves a message. Its immutable id stays.
    pub fn graph_mail_move(&self, id: &str, folder: &str) -> Result<(), String> {
        self.with(|state| {
            let (key, to) = (message(state, id)?, find(state, folder)?);
            let rules = Rules::of(state);
            state.microsoft.move_message(&rules, key, to);
            Ok(())
        })
    }

    /// Deletes a message: to Deleted Items, from there to Recoverable Items, from there for good.
    pub fn graph_mail_delete(&self, id: &str) -> Result<(), String> {
        self.with(|state| {
            let key = message(state, id)?;
            let rules = Rules::of(state);
            state.microsoft.delete_message(&rules, key);
            Ok(())
        })
    }

    /// Makes a mail folder under another (`""`: at the top) and gives its id.
    pub fn graph_mail_folder_create(&self, parent: &str, name: &str) -> Result<String, String> {
        self.with(|state| {
            let parent = if parent.is_empty() { ROOT } else { find(state, parent)? };
            let rules = Rules::of(state);
            state.microsoft.create_mail_folder(&rules, parent, name, false).map(folder_id).map_err(told)
        })
    }

    /// Renames a mail folder.
    pub fn graph_mail_folder_rename(&self, folder: &str, name: &str) -> Result<(), String> {
        self.with(|state| {
            let key = find(state, folder)?;
            let parent = state.microsoft.mail.folders[&key].now().parent.unwrap_or(ROOT);
            let rules = Rules::of(state);
            state.microsoft.edit_mail_folder(&rules, key, parent, name).map_err(told)
        })
    }

    /// Moves a mail folder under another one (`""`: to the top).
    pub fn graph_mail_folder_move(&self, folder: &str, parent: &str) -> Result<(), String> {
        self.with(|state| {
            let key = find(state, folder)?;
            let parent = if parent.is_empty() { ROOT } else { find(state, parent)? };
            let name = state.microsoft.mail.folders[&key].now().name.clone();
            let rules = Rules::of(state);
            state.microsoft.edit_mail_folder(&rules, key, parent, &name).map_err(told)
        })
    }

    /// Deletes a mail folder: to Deleted Items, and from there for good.
    pub fn graph_mail_folder_delete(&self, folder: &str) -> Result<(), String> {
        self.with(|state| {
            let key = find(state, folder)?;
            let rules = Rules::of(state);
            state.microsoft.delete_mail_folder(&rules, key).map_err(told)
        })
    }

    /// The immutable ids of the messages for which the real service would have sent a read receipt, in order.
    pub fn graph_read_receipts(&self) -> Vec<String> {
        self.with(|state| state.microsoft.mail.receipts.clone())
    }
}

fn told(refusal: Refusal) -> String {
    refusal.text()
}

fn message(state: &State, id: &str) -> Result<u64, String> {
    state.microsoft.mail.find_any(id).ok_or_else(|| format!("no message {id}"))
}

fn find(state: &State, name: &str) -> Result<u64, String> {
    let store = &state.microsoft.mail;
    let is_named = |key: &u64| store.is_there(*key) && store.folders[key].now().name == name;
    let by_name = || store.folders.keys().copied().find(is_named);
    store.find_folder(name).ok().or_else(by_name).ok_or_else(|| format!("no folder {name}"))
}
