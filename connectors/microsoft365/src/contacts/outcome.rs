//! What a write left behind: from what was sent, what was answered, and a look afterwards. Pure.
//!
//! The answer to a write is the truth about it, as far as it goes: a server may answer with nothing, or with the id alone.
//! What it does not show is what was sent. The look afterwards only confirms: it shows extended properties, which no answer
//! does, and how the server spells what it was sent. Whatever else it shows, somebody did in between, and taking that for our
//! own doing would lose it. So the base is what we know, and the next round finds their edit.

use super::map::{Photo, Picture, Sheet};
use super::seen;
use super::wire::{Contact, PROPERTIES};
use serde_json::Value;
use std::collections::BTreeSet;
use twofold_model::{Operation, Result, Seen};

/// The members that name a state.
const STAMPS: [&str; 2] = ["@odata.etag", "changeKey"];

/// What was asked of a contact: as it was, and as it shall be.
pub(super) struct Change {
    /// As it was; `None` for one that is made.
    pub from: Option<Sheet>,
    /// As it shall be.
    pub to: Sheet,
    /// The photo to set.
    pub photo: Option<Picture>,
}

impl Change {
    /// The fields that are not to be as they were.
    fn fields(&self) -> BTreeSet<&str> {
        let was = |name: &str| self.from.as_ref().and_then(|from| from.contact.0.get(name));
        let before = self.from.iter().flat_map(|from| from.contact.0.keys());
        let names = self.to.contact.0.keys().chain(before).map(String::as_str);
        names.filter(|name| was(name) != self.to.contact.0.get(*name)).collect()
    }
}

/// The copy that a write left behind. `photo` is what was looked at after one was set.
pub(super) fn settle(change: &Change, answer: &Contact, look: Option<Contact>, photo: Option<Photo>) -> Result<Seen> {
    let photo = match (photo, &change.from) {
        (Some(Photo::Unlooked), _) => change.to.photo.clone(),
        (Some(looked), _) => looked,
        (None, Some(from)) => from.photo.clone(),
        (None, None) => Photo::Absent,
    };
    let known = known(&change.to.contact, answer);
    let contact = match look {
        Some(look) => confirmed(change, answer, known, look),
        None => known,
    };
    seen(&Sheet { photo, contact })
}

/// What was sent, and over it what was answered. Where the answer names no state, the name is that of the state before the
/// write, which fits nothing that is there now: a guard that rests on it is refused, and the copy is looked at again.
fn known(sent: &Contact, answer: &Contact) -> Contact {
    let mut known = sent.clone();
    if answer.etag().is_some() {
        known.0.retain(|name, _| !STAMPS.contains(&name.as_str()));
    }
    for (name, value) in &answer.0 {
        if name == PROPERTIES {
            answer.properties().for_each(|(id, value)| known.set_property(id, value));
        } else {
            known.0.insert(name.clone(), value.clone());
        }
    }
    known
}

/// The look, where it shows what we know; else what we know, in the spelling of the look.
fn confirmed(change: &Change, answer: &Contact, mut known: Contact, look: Contact) -> Contact {
    let is_named = answer.etag().is_some();
    let is_that_state = known.etag() == look.etag();
    if is_named && is_that_state {
        return look;
    }
    // Provider: a contact that is read right after it was written may still be the old one (replicas of a mailbox).
    let is_older = !is_named && is_that_state;
    let nothing = Value::Null;
    for name in change.fields().into_iter().filter(|name| !answer.0.contains_key(*name) && *name != PROPERTIES) {
        let [sent, now] = [&change.to.contact, &look].map(|contact| contact.0.get(name).unwrap_or(&nothing));
        let was = change.from.as_ref().and_then(|from| from.contact.0.get(name)).unwrap_or(&nothing);
        let is_same = says(name, sent) == says(name, now) || (is_blank(sent) && is_blank(now));
        // What was to go and stands there as it was is what the write left, not somebody's edit.
        if (is_same && !is_older) || stays(was, sent, now) {
            known.0.insert(name.to_owned(), now.clone());
        }
    }
    if !is_older && meaning(&known) == meaning(&look) { look } else { known }
}

fn meaning(contact: &Contact) -> twofold_model::Content {
    Sheet { photo: Photo::Unlooked, contact: contact.clone() }.meaning()
}

/// What a field says, but for spelling: servers trim texts, change their case, and name an address after itself.
fn says(name: &str, value: &Value) -> Value {
    match value {
        // RFC 3339: the day stands first, and nothing but the day is meant.
        Value::String(text) if name == "birthday" => text.get(..10).unwrap_or(text).into(),
        Value::String(text) => text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase().into(),
        Value::Array(list) => list.iter().map(|entry| says(name, entry)).filter(|entry| !is_blank(entry)).collect(),
        Value::Object(parts) => match parts.get("address") {
            Some(address) => says(name, address),
            None => {
                let parts = parts.iter().map(|(part, value)| (part.clone(), says(part, value)));
                parts.filter(|(_, value)| !is_blank(value)).collect()
            }
        },
        other => other.clone(),
    }
}

/// How a place is told once more to take something away that it left standing.
#[derive(Clone, Copy, Debug)]
pub(super) enum Insist {
    /// In the other form that the documentation has for an empty field.
    OtherForm,
    /// Not at all: it stays, and the carry-all says that it does not count.
    Aside,
}

/// What is to be asked of a copy besides, where a change left something standing that was to go.
pub(super) fn insisted(operation: &Operation, written: &Seen, insist: Insist) -> Option<Operation> {
    let Operation::Update { place, from, to, .. } = operation else { return None };
    let [from, to, now] = [from, to, &written.rendering].map(Sheet::open);
    let (from, to, now) = (from.ok()?, to.ok()?, now.ok()?);
    let mut shall = now.clone();
    for (name, was) in from.contact.0.iter().filter(|(name, _)| *name != PROPERTIES) {
        let [sent, is] = [&to, &now].map(|sheet| sheet.contact.0.get(name).unwrap_or(&Value::Null));
        let wanted = match insist {
            _ if !stays(was, sent, is) => None,
            Insist::OtherForm => other_form(was, sent),
            Insist::Aside => Some(sent.clone()),
        };
        if let Some(wanted) = wanted {
            shall.contact.0.insert(name.clone(), wanted);
        }
    }
    if let Insist::Aside = insist {
        let wanted = shall.meaning();
        shall = now.clone();
        shall.carry_beside(&wanted);
    }
    let is_more = shall != now;
    let (place, etag, from) = (place.clone(), written.etag.clone(), written.rendering.clone());
    is_more.then(|| Operation::Update { place, etag, from, to: shall.close() })
}

/// Whether something that was to go stands as it was.
fn stays(was: &Value, sent: &Value, is: &Value) -> bool {
    let has = |list: &Value, entry: &Value| {
        let entry = says("", entry);
        list.as_array().is_some_and(|list| list.iter().any(|other| says("", other) == entry))
    };
    match was {
        Value::Array(list) => list.iter().any(|entry| !is_blank(entry) && !has(sent, entry) && has(is, entry)),
        Value::Object(parts) => parts.iter().any(|(part, was)| stays(was, &sent[part], &is[part])),
        was => !is_blank(was) && is_blank(sent) && is == was,
    }
}

/// The form of an emptied field that was not sent; `None` where there is but one.
fn other_form(was: &Value, sent: &Value) -> Option<Value> {
    match (was, sent) {
        (Value::String(_), Value::Null) => Some("".into()),
        (Value::Object(parts), Value::Null) => Some(parts.keys().map(|part| (part.clone(), Value::Null)).collect()),
        (Value::Object(_), Value::Object(parts)) if !is_blank(sent) => {
            let said = parts.iter().filter(|(_, part)| !is_blank(part));
            Some(said.map(|(part, text)| (part.clone(), text.clone())).collect())
        }
        (Value::Array(_) | Value::Object(_), _) if is_blank(sent) => Some(Value::Null),
        _ => None,
    }
}

/// Whether a field says nothing, in whichever way.
fn is_blank(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(list) => list.iter().all(is_blank),
        Value::Object(parts) => parts.values().all(is_blank),
        Value::Bool(_) | Value::Number(_) => false,
    }
}
