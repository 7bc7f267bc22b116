//! Another client of the user: mail that comes in, labels, drafts and the trash from the web page or a phone. As methods of
//! [`Sandbox`], and as control actions `google/mail/...` for a test in another process.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::store::New;
use super::{drafts, history, inserts, labels, messages, render, store};
use crate::google::errors::Refusal;
use crate::mime::Part;
use crate::{Response, Sandbox, State};

fn done<T>(result: Result<T, Refusal>) -> Result<T, String> {
    let text = |refusal: &Response| {
        let body = refusal.body_json();
        body["error"]["message"].as_str().unwrap_or("refused").to_owned()
    };
    result.map_err(|refusal| text(&refusal))
}

impl Sandbox {
    /// A mail comes in and gets these labels (ids); no check, and no look for a copy. Gives its id.
    pub fn google_add_mail(&self, raw: &[u8], labels: &[&str]) -> String {
        self.with(|state| add(state, raw, labels))
    }

    /// Changes a message's labels as the service itself may: any label, also INBOX and TRASH at once.
    pub fn google_label_mail(&self, id: &str, add: &[&str], remove: &[&str]) -> Result<(), String> {
        self.with(|state| label(state, id, add, remove))
    }

    /// Puts a message into the trash.
    pub fn google_trash_mail(&self, id: &str) -> Result<(), String> {
        self.with(|state| done(messages::trash(settled(state), id)).map(drop))
    }

    /// Takes a message out of the trash.
    pub fn google_untrash_mail(&self, id: &str) -> Result<(), String> {
        self.with(|state| done(messages::untrash(settled(state), id)).map(drop))
    }

    /// Deletes a message for ever.
    pub fn google_delete_mail(&self, id: &str) -> Result<(), String> {
        self.with(|state| done(messages::delete(settled(state), id)).map(drop))
    }

    /// Writes a draft and gives its id.
    pub fn google_add_draft(&self, raw: &[u8]) -> Result<String, String> {
        self.with(|state| add_draft(state, raw))
    }

    /// Changes a draft; its message is a new one, whose id this gives.
    pub fn google_edit_draft(&self, draft: &str, raw: &[u8]) -> Result<String, String> {
        self.with(|state| edit_draft(state, draft, raw))
    }

    /// Sends a draft: it goes with its message, and a sent message comes with the same bytes. Gives that one's id.
    pub fn google_send_draft(&self, draft: &str) -> Result<String, String> {
        self.with(|state| send_draft(state, draft))
    }

    /// Throws a draft away.
    pub fn google_delete_draft(&self, draft: &str) -> Result<(), String> {
        self.with(|state| done(drafts::delete(settled(state), draft)).map(drop))
    }

    /// Makes a label and gives its id.
    pub fn google_add_label(&self, name: &str) -> Result<String, String> {
        self.with(|state| done(labels::make(settled(state), &named(name))))
    }

    /// Renames a label. Labels below it keep their names.
    pub fn google_rename_label(&self, id: &str, name: &str) -> Result<(), String> {
        self.with(|state| done(labels::edit(settled(state), id, &named(name), false)))
    }

    /// Deletes a label; its messages stay.
    pub fn google_delete_label(&self, id: &str) -> Result<(), String> {
        self.with(|state| done(labels::delete(settled(state), id)).map(drop))
    }

    /// The user's own labels.
    pub fn google_labels(&self) -> Vec<Value> {
        self.with(|state| all_labels(state))
    }

    /// All messages, newest first: id, thread, labels, `internalDate`, and the draft that one is of.
    pub fn google_messages(&self) -> Vec<Value> {
        self.with(|state| all_messages(state))
    }

    /// The bytes of a message; none: there is no such message.
    pub fn google_message_raw(&self, id: &str) -> Option<Bytes> {
        self.with(|state| state.google.mail.message(id).map(|message| message.raw.clone()))
    }

    /// Forgets the history: every id before the present one is too old.
    pub fn google_forget_mail_history(&self) {
        self.with(|state| history::forget_all(settled(state)));
    }

    /// How many imports asked for their invitations to be put into the calendar.
    pub fn google_mail_calendar_imports(&self) -> u32 {
        self.with(|state| state.google.mail.calendar_imports)
    }
}

fn settled(state: &mut State) -> &mut State {
    let account = state.google_account.clone();
    store::settle_in(state, &account);
    state
}

fn named(name: &str) -> Map<String, Value> {
    Map::from_iter([("name".to_owned(), json!(name))])
}

fn add(state: &mut State, raw: &[u8], labels: &[&str]) -> String {
    let state = settled(state);
    let now_ms = state.now_ms();
    // No thread is named, so that none can be missing.
    let thread = inserts::thread(state, &Part::read(raw), "").unwrap_or_default();
    let labels: BTreeSet<String> = labels.iter().map(|label| (*label).to_owned()).collect();
    let new = New { raw: Bytes::copy_from_slice(raw), labels, internal_ms: now_ms, thread, is_old: false };
    state.google.mail.add(new, now_ms)
}

fn label(state: &mut State, id: &str, add: &[&str], remove: &[&str]) -> Result<(), String> {
    let state = settled(state);
    for label in add.iter().chain(remove) {
        labels::known(state, label).map_err(|_| format!("no label {label}"))?;
    }
    let now_ms = state.now_ms();
    if state.google.mail.relabel(id, add, remove, now_ms) { Ok(()) } else { Err(format!("no message {id}")) }
}

fn add_draft(state: &mut State, raw: &[u8]) -> Result<String, String> {
    let id = settled(state).google.mail.fresh_name("r");
    done(drafts::put(state, &id, &Map::new(), Bytes::copy_from_slice(raw)))?;
    Ok(id)
}

fn edit_draft(state: &mut State, draft: &str, raw: &[u8]) -> Result<String, String> {
    if !settled(state).google.mail.drafts.contains_key(draft) {
        return Err(format!("no draft {draft}"));
    }
    done(drafts::put(state, draft, &Map::new(), Bytes::copy_from_slice(raw)))
}

fn send_draft(state: &mut State, draft: &str) -> Result<String, String> {
    let state = settled(state);
    let room = &state.google.mail;
    let message = room.drafts.get(draft).and_then(|id| room.message(id)).cloned();
    let message = message.ok_or_else(|| format!("no draft {draft}"))?;
    let now_ms = state.now_ms();
    state.google.mail.remove(&message.id, now_ms);
    // The thread goes with its last message, and begins anew with the same name only if others are in it.
    let is_left = state.google.mail.thread(&message.thread).is_some();
    let thread = is_left.then_some(message.thread);
    let labels = BTreeSet::from(["SENT".to_owned()]);
    Ok(state.google.mail.add(New { raw: message.raw, labels, internal_ms: now_ms, thread, is_old: false }, now_ms))
}

fn all_labels(state: &State) -> Vec<Value> {
    state.google.mail.labels.keys().map(|id| labels::show_own(state, id)).collect()
}

fn all_messages(state: &State) -> Vec<Value> {
    let room = &state.google.mail;
    let shown = room.newest_first().map(|message| {
        let mut shown = render::stub(message);
        shown["internalDate"] = json!(message.internal_ms.to_string());
        if let Some(draft) = room.draft_of(&message.id).filter(|_| message.has("DRAFT")) {
            shown["draft"] = json!(draft);
        }
        shown
    });
    shown.collect()
}

/// Answers a control action `google/mail/<action>`; an error is a text for the author of a test.
pub(crate) fn control(state: &mut State, action: &str, body: &Value) -> Result<Value, String> {
    let word = |key: &str| body[key].as_str().ok_or_else(|| format!("\"{key}\" must be a text"));
    let list = |key: &str| body[key].as_array().into_iter().flatten().filter_map(Value::as_str).collect::<Vec<_>>();
    let raw = || STANDARD.decode(word("raw")?).map_err(|_| "\"raw\" must be base64".to_owned());
    let nothing = |_| json!({});
    settled(state);
    match action {
        "list" => Ok(Value::Array(all_messages(state))),
        "labels" => Ok(Value::Array(all_labels(state))),
        "raw" => {
            let found = state.google.mail.message(word("id")?);
            Ok(json!({ "raw": found.map(|message| STANDARD.encode(&message.raw)) }))
        }
        "add" => Ok(json!({ "id": add(state, &raw()?, &list("labels")) })),
        "label" => label(state, word("id")?, &list("add"), &list("remove")).map(nothing),
        "trash" => done(messages::trash(state, word("id")?).map(drop)).map(nothing),
        "untrash" => done(messages::untrash(state, word("id")?).map(drop)).map(nothing),
        "delete" => done(messages::delete(state, word("id")?).map(drop)).map(nothing),
        "add_draft" => Ok(json!({ "draft": add_draft(state, &raw()?)? })),
        "edit_draft" => Ok(json!({ "id": edit_draft(state, word("draft")?, &raw()?)? })),
        "send_draft" => Ok(json!({ "id": send_draft(state, word("draft")?)? })),
        "delete_draft" => done(drafts::delete(state, word("draft")?).map(drop)).map(nothing),
        "add_label" => Ok(json!({ "label": done(labels::make(state, &named(word("name")?)))? })),
        "rename_label" => done(labels::edit(state, word("label")?, &named(word("name")?), false)).map(nothing),
        "delete_label" => done(labels::delete(state, word("label")?).map(drop)).map(nothing),
        "forget_history" => {
            history::forget_all(state);
            Ok(json!({}))
        }
        _ => Err(format!("unknown action google/mail/{action}")),
    }
}
