//! Another client of the user: Outlook, a phone, a rule, and the mail that comes in. What it does shows in the deltas like
//! any write, but no request is made, none is counted, and no receipt is sent.
//!
//! The same over HTTP: `POST /_sandbox/microsoft/mail/<action>` with a JSON object:
//!
//! | action | body | answer |
//! |---|---|---|
//! | `deliver` | `folder`?, `raw` (base64) | `id` |
//! | `add_draft` | `raw` | `id` |
//! | `edit` | `id`, `message`: the properties to set, as a PATCH takes them | |
//! | `edit_draft` | `id`, `raw`: its whole new content | |
//! | `send_draft` | `id`: to Sent Items; nobody gets anything | |
//! | `move` | `id`, `folder` | |
//! | `delete` (to Deleted Items, then to Recoverable Items, then for good), `purge`, `restamp` | `id` | |
//! | `list`, `folders` | | all messages; all folders |
//! | `raw` | `id` | `raw`: the bytes that it came as, or how they would be written |
//! | `add_folder` | `name`, `parent`?, `hidden`? | `id` |
//! | `add_search_folder` | `name`, `filter`, `parent`? | `id` |
//! | `make_archive` | | `id` |
//! | `rename_folder`, `move_folder`, `delete_folder` | `folder`; `name`; `parent`? | |
//! | `receipts` | | the read receipts that requests made the service send |
//!
//! A folder is named by its id, its well-known name, or what the user sees; the top by an empty text. A message is named by
//! its id of either form. Answers have immutable ids.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::super::calendar::{Why, mailed};
use super::super::reply::Refusal;
use super::super::store::{IdForm, Microsoft, Rules};
use super::body::Body;
use super::store::{DRAFTS, INBOX, Kind, ROOT, SEARCHES, SENT, folder_id, message_id};
use super::{fields, folders, mime, query};
use crate::{Sandbox, State};

impl Sandbox {
    /// Delivers a mail (RFC 5322 bytes) to a folder, unread, and gives its immutable id.
    pub fn graph_mail_deliver(&self, folder: &str, bytes: &[u8]) -> Result<String, String> {
        self.with(|state| deliver(state, folder, bytes))
    }

    /// Saves a draft and gives its immutable id.
    pub fn graph_mail_draft(&self, bytes: &[u8]) -> String {
        self.with(|state| add_draft(state, bytes))
    }

    /// Changes a message as a PATCH would (`isRead`, `flag`, `categories`; of a draft also its content).
    pub fn graph_mail_edit(&self, id: &str, set: &Value) -> Result<(), String> {
        self.with(|state| edit(state, id, set))
    }

    /// Gives a draft other content.
    pub fn graph_mail_edit_draft(&self, id: &str, bytes: &[u8]) -> Result<(), String> {
        self.with(|state| edit_draft(state, id, bytes))
    }

    /// Sends a draft: it is in Sent Items now. Nobody gets anything.
    pub fn graph_mail_send_draft(&self, id: &str) -> Result<(), String> {
        self.with(|state| send_draft(state, id))
    }

    /// Moves a message. Its immutable id stays.
    pub fn graph_mail_move(&self, id: &str, folder: &str) -> Result<(), String> {
        self.with(|state| move_to(state, id, folder))
    }

    /// Deletes a message: to Deleted Items, from there to Recoverable Items, from there for good.
    pub fn graph_mail_delete(&self, id: &str) -> Result<(), String> {
        self.with(|state| on_message(state, id, Microsoft::delete_message))
    }

    /// Deletes a message for good.
    pub fn graph_mail_purge(&self, id: &str) -> Result<(), String> {
        self.with(|state| on_message(state, id, Microsoft::purge_message))
    }

    /// A new change key with equal content, as the service itself makes now and then.
    pub fn graph_mail_restamp(&self, id: &str) -> Result<(), String> {
        self.with(|state| restamp(state, id))
    }

    /// Makes a mail folder under another (`""`: at the top) and gives its id.
    pub fn graph_mail_folder_create(&self, parent: &str, name: &str) -> Result<String, String> {
        self.with(|state| add_folder(state, parent, name, false, Kind::Mail))
    }

    /// Makes a mail folder that lists do not show unasked, and gives its id.
    pub fn graph_mail_folder_hide(&self, parent: &str, name: &str) -> Result<String, String> {
        self.with(|state| add_folder(state, parent, name, true, Kind::Mail))
    }

    /// Makes a search folder under another (`""`: at the top), which shows what a `$filter` finds, and gives its id.
    pub fn graph_mail_search_folder_create(&self, parent: &str, name: &str, filter: &str) -> Result<String, String> {
        self.with(|state| add_search_folder(state, parent, name, filter))
    }

    /// Makes the archive, which a mailbox has from its first use on, and gives its id.
    pub fn graph_mail_archive_create(&self) -> Result<String, String> {
        self.with(|state| make_known(state, "archive", "Archiv"))
    }

    /// Makes the folder of old chats, which a mailbox has from its first chat on, and gives its id.
    pub fn graph_mail_chats_create(&self) -> Result<String, String> {
        self.with(|state| make_known(state, "conversationhistory", "Aufgezeichnete Unterhaltungen"))
    }

    /// Renames a mail folder.
    pub fn graph_mail_folder_rename(&self, folder: &str, name: &str) -> Result<(), String> {
        self.with(|state| edit_folder(state, folder, None, Some(name)))
    }

    /// Moves a mail folder under another one (`""`: to the top).
    pub fn graph_mail_folder_move(&self, folder: &str, parent: &str) -> Result<(), String> {
        self.with(|state| edit_folder(state, folder, Some(parent), None))
    }

    /// Deletes a mail folder: to Deleted Items, and from there for good.
    pub fn graph_mail_folder_delete(&self, folder: &str) -> Result<(), String> {
        self.with(|state| delete_folder(state, folder))
    }

    /// All mail folders that are there: `id`, `path` (the names from the top), `wellKnown`, `hidden`, `search`.
    pub fn graph_mail_folders(&self) -> Vec<Value> {
        self.with(|state| all_folders(state))
    }

    /// All messages that are there, Recoverable Items included: `id`, `folder` (its path) and what they say in short.
    pub fn graph_mail_messages(&self) -> Vec<Value> {
        self.with(|state| all_messages(state))
    }

    /// The bytes that a message came as, or how they would be written now; none: there is no such message.
    pub fn graph_mail_raw(&self, id: &str) -> Option<Bytes> {
        self.with(|state| raw(state, id))
    }

    /// The immutable ids of the messages for which the real service would have sent a read receipt, in order. They are
    /// among [`Sandbox::graph_mails`] too.
    pub fn graph_read_receipts(&self) -> Vec<String> {
        self.with(|state| receipts(state).into_iter().map(str::to_owned).collect())
    }
}

fn told<T>(done: Result<T, Refusal>) -> Result<T, String> {
    done.map_err(|refusal| refusal.text())
}

fn message(state: &State, id: &str) -> Result<u64, String> {
    state.microsoft.mail.find_any(id).map(|(key, _)| key).ok_or_else(|| format!("no message {id}"))
}

fn folder(state: &State, name: &str) -> Result<u64, String> {
    if name.is_empty() {
        return Ok(ROOT);
    }
    let store = &state.microsoft.mail;
    let is_named = |key: &u64| store.is_there(*key) && store.folders[key].now().name == name;
    let by_name = || store.folders.keys().copied().find(is_named);
    store.find_folder(name).ok().or_else(by_name).ok_or_else(|| format!("no folder {name}"))
}

fn deliver(state: &mut State, into: &str, bytes: &[u8]) -> Result<String, String> {
    let into = if into.is_empty() { INBOX } else { folder(state, into)? };
    let rules = Rules::of(state);
    let body = Body::received(rules.now_ms, Bytes::copy_from_slice(bytes));
    Ok(message_id(state.microsoft.create_message(&rules, into, body), 0, IdForm::Immutable))
}

fn add_draft(state: &mut State, bytes: &[u8]) -> String {
    let rules = Rules::of(state);
    let body = Body { mime: Some(Bytes::copy_from_slice(bytes)), ..Body::draft(rules.now_ms) };
    message_id(state.microsoft.create_message(&rules, DRAFTS, body), 0, IdForm::Immutable)
}

fn edit(state: &mut State, id: &str, set: &Value) -> Result<(), String> {
    let key = message(state, id)?;
    let old = state.microsoft.mail.messages[&key].now().body.clone();
    let new = told(fields::read(state, set, &old, false))?;
    let rules = Rules::of(state);
    state.microsoft.edit_message(&rules, key, new);
    Ok(())
}

fn edit_draft(state: &mut State, id: &str, bytes: &[u8]) -> Result<(), String> {
    let key = message(state, id)?;
    let old = state.microsoft.mail.messages[&key].now().body.clone();
    if !old.is_draft {
        return Err(format!("{id} is no draft"));
    }
    let mut new = Body { mime: Some(Bytes::copy_from_slice(bytes)), files: Vec::new(), ..(*old).clone() };
    new.fields.retain(|name, _| ["categories", "flag", "inferenceClassification"].contains(&name.as_str()));
    if new.names().0.is_none()
        && let Some(name) = old.names().0
    {
        new.fields.insert("internetMessageId".into(), name.into());
    }
    let rules = Rules::of(state);
    state.microsoft.edit_message(&rules, key, new);
    Ok(())
}

fn send_draft(state: &mut State, id: &str) -> Result<(), String> {
    let key = message(state, id)?;
    let mut body = (*state.microsoft.mail.messages[&key].now().body).clone();
    if !body.is_draft {
        return Err(format!("{id} is no draft"));
    }
    let rules = Rules::of(state);
    body.is_draft = false;
    (body.sent_ms, body.received_ms) = (rules.now_ms, rules.now_ms);
    state.microsoft.edit_message(&rules, key, body);
    state.microsoft.move_message(&rules, key, SENT);
    Ok(())
}

fn move_to(state: &mut State, id: &str, to: &str) -> Result<(), String> {
    let (key, to) = (message(state, id)?, folder(state, to)?);
    let rules = Rules::of(state);
    state.microsoft.move_message(&rules, key, to);
    if let Some(message) = state.microsoft.mail.messages.get_mut(&key) {
        message.was_moved_elsewhere = true;
    }
    Ok(())
}

fn on_message(state: &mut State, id: &str, act: impl FnOnce(&mut Microsoft, &Rules, u64)) -> Result<(), String> {
    let key = message(state, id)?;
    let rules = Rules::of(state);
    act(&mut state.microsoft, &rules, key);
    Ok(())
}

fn restamp(state: &mut State, id: &str) -> Result<(), String> {
    let (key, now_ms) = (message(state, id)?, state.now_ms());
    state.microsoft.restamp_message(now_ms, key);
    Ok(())
}

fn add_folder(state: &mut State, parent: &str, name: &str, is_hidden: bool, kind: Kind) -> Result<String, String> {
    let parent = folder(state, parent)?;
    let rules = Rules::of(state);
    told(state.microsoft.create_mail_folder(&rules, parent, name, folders::new(is_hidden, kind))).map(folder_id)
}

fn add_search_folder(state: &mut State, parent: &str, name: &str, filter: &str) -> Result<String, String> {
    told(query::filter(Some(filter)))?;
    add_folder(state, parent, name, false, Kind::Search(filter.to_owned()))
}

fn make_known(state: &mut State, known: &'static str, name: &str) -> Result<String, String> {
    let rules = Rules::of(state);
    let folder = super::store::Folder { known, ..folders::new(false, Kind::Mail) };
    told(state.microsoft.create_mail_folder(&rules, ROOT, name, folder)).map(folder_id)
}

fn edit_folder(state: &mut State, named: &str, parent: Option<&str>, name: Option<&str>) -> Result<(), String> {
    let key = folder(state, named)?;
    let now = state.microsoft.mail.folders[&key].now().clone();
    let parent = parent.map_or(Ok(now.parent.unwrap_or(ROOT)), |parent| folder(state, parent))?;
    let rules = Rules::of(state);
    told(state.microsoft.edit_mail_folder(&rules, key, parent, name.unwrap_or(&now.name)))
}

fn delete_folder(state: &mut State, named: &str) -> Result<(), String> {
    let key = folder(state, named)?;
    let rules = Rules::of(state);
    told(state.microsoft.delete_mail_folder(&rules, key))
}

/// The names from the top down to a folder.
fn path(state: &State, key: u64) -> Vec<String> {
    let (mut names, mut at) = (Vec::new(), Some(key));
    while let Some(folder) = at.filter(|at| *at != ROOT).and_then(|at| state.microsoft.mail.folders.get(&at)) {
        names.push(folder.now().name.clone());
        at = folder.now().parent;
    }
    names.reverse();
    names
}

fn all_folders(state: &State) -> Vec<Value> {
    let store = &state.microsoft.mail;
    let is_told = |key: &&u64| **key != ROOT && **key != SEARCHES && store.is_there(**key);
    let shown = store.folders.keys().filter(is_told).map(|key| {
        let folder = &store.folders[key];
        json!({
            "id": folder_id(*key),
            "path": path(state, *key),
            "wellKnown": folder.known,
            "hidden": folder.is_hidden,
            "search": matches!(folder.kind, Kind::Search(_)),
        })
    });
    shown.collect()
}

fn all_messages(state: &State) -> Vec<Value> {
    let there = state.microsoft.mail.messages.iter().filter_map(|(key, message)| {
        let at = message.now();
        let mut shown = Map::new();
        shown.insert("id".into(), message_id(*key, at.moves, IdForm::Immutable).into());
        shown.insert("folder".into(), path(state, at.folder?).into());
        let whole = at.body.whole();
        let names = [
            "internetMessageId",
            "subject",
            "receivedDateTime",
            "isRead",
            "isDraft",
            "flag",
            "categories",
            "importance",
            "isReadReceiptRequested",
            "hasAttachments",
        ];
        shown.extend(names.map(|name| (name.to_owned(), whole[name].clone())));
        let extended: Map<String, Value> =
            at.body.extended.iter().map(|(id, value)| (id.clone(), value.as_str().into())).collect();
        shown.insert("extended".into(), extended.into());
        Some(shown.into())
    });
    there.collect()
}

fn receipts(state: &State) -> Vec<&str> {
    let mails = mailed(state).iter().filter(|mail| mail.why == Why::ReadReceipt);
    mails.map(|mail| mail.event.as_str()).collect()
}

fn raw(state: &State, id: &str) -> Option<Bytes> {
    let (key, _) = state.microsoft.mail.find_any(id)?;
    let body = &state.microsoft.mail.messages[&key].now().body;
    Some(body.mime.clone().unwrap_or_else(|| mime::write(body, key).into()))
}

/// Folders, messages and receipts as JSON, for a test to compare. Nothing here changes when it is read.
pub(in super::super) fn dump(state: &State) -> Value {
    json!({
        "folders": all_folders(state),
        "messages": all_messages(state),
        "receipts": receipts(state),
    })
}

/// Answers a control action `microsoft/mail/<action>`; an error is a text for the author of a test.
pub(in super::super) fn control(state: &mut State, action: &str, body: &Value) -> Result<Value, String> {
    let word = |key: &str| body[key].as_str().ok_or_else(|| format!("\"{key}\" must be a text"));
    let given = |key: &str| body[key].as_str().unwrap_or_default();
    let bytes = || STANDARD.decode(word("raw")?).map_err(|_| "\"raw\" must be base64".to_owned());
    let id_of = |id: String| json!({ "id": id });
    let nothing = |()| json!({});
    match action {
        "deliver" => deliver(state, given("folder"), &bytes()?).map(id_of),
        "add_draft" => Ok(id_of(add_draft(state, &bytes()?))),
        "edit" => edit(state, word("id")?, &body["message"]).map(nothing),
        "edit_draft" => edit_draft(state, word("id")?, &bytes()?).map(nothing),
        "send_draft" => send_draft(state, word("id")?).map(nothing),
        "move" => move_to(state, word("id")?, word("folder")?).map(nothing),
        "delete" => on_message(state, word("id")?, Microsoft::delete_message).map(nothing),
        "purge" => on_message(state, word("id")?, Microsoft::purge_message).map(nothing),
        "restamp" => restamp(state, word("id")?).map(nothing),
        "list" => Ok(all_messages(state).into()),
        "folders" => Ok(all_folders(state).into()),
        "raw" => Ok(json!({ "raw": raw(state, word("id")?).map(|bytes| STANDARD.encode(bytes)) })),
        "add_folder" => {
            add_folder(state, given("parent"), word("name")?, body["hidden"] == true, Kind::Mail).map(id_of)
        }
        "add_search_folder" => add_search_folder(state, given("parent"), word("name")?, word("filter")?).map(id_of),
        "make_archive" => make_known(state, "archive", "Archiv").map(id_of),
        "rename_folder" => edit_folder(state, word("folder")?, None, Some(word("name")?)).map(nothing),
        "move_folder" => edit_folder(state, word("folder")?, Some(given("parent")), None).map(nothing),
        "delete_folder" => delete_folder(state, word("folder")?).map(nothing),
        "receipts" => Ok(json!(receipts(state))),
        _ => Err(format!("unknown action microsoft/mail/{action}")),
    }
}
