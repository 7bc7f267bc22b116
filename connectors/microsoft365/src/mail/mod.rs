//! Mail at Graph: single copies, and what the other parts have in common. Folders are in `collections.rs`, what changed in `rounds.rs`,
//! bytes in `bodies.rs`, what is written in `write.rs` (and `marks.rs`, `carry.rs`, `make.rs`, for large messages `attach.rs`), how a
//! message is made of its bytes in `compose.rs` and `files.rs`, and what it all means in `map.rs`.
//!
//! A copy is a message; its name is the immutable id, which stays when it is moved. A message stands in one folder, so a further copy is
//! a message of its own. A feed is one folder. Lists and deltas show no bytes: those are asked for one by one, once.
//!
//! Invariants:
//! - nothing is deleted for good: a delete is a move to Deleted Items, and what is there stays;
//! - before a message is read, or an unread one is deleted, whoever asked for a receipt is asked for none on this copy.

pub mod api;
pub mod attach;
mod bodies;
mod carry;
pub mod categories;
mod charset;
mod collections;
pub mod compose;
pub mod files;
pub mod lean;
mod make;
pub mod map;
mod marks;
mod rounds;
pub mod wire;
mod write;

use crate::{Graph, again};
use categories::Names;
use collections::Tree;
use rounds::Memo;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use twofold_http::{Effect, Pages, Part, Response};
use twofold_model::email::Sheet;
use twofold_model::error::AtPlace;
use twofold_model::{
    Blobs, CollectionId, Entry, Error, ErrorKind, Etag, FeedId, Found, Lens, Lookup, Mark, Place, RemoteId, Result,
    Seen, Uid,
};
use wire::{INSTEAD, Message};

/// How long a filter may lag behind a create, so that not finding it means nothing yet (K: replicas of a mailbox).
const LAG_MS: i64 = 60_000;
/// More pages than any folder has; a round that goes on longer goes in circles.
const MAX_PAGES: usize = 100_000;

/// The mail of one mailbox.
pub(crate) struct Mail {
    graph: Graph,
    blobs: Arc<dyn Blobs>,
    memory: Mutex<Memory>,
}

impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mail").field("graph", &self.graph).finish_non_exhaustive()
    }
}

/// What is remembered while the program runs; nothing of it is needed to be right, only to be quick or sure.
#[derive(Debug, Default)]
struct Memory {
    /// The folders, as last listed.
    tree: Option<Arc<Tree>>,
    /// The rounds under way.
    rounds: HashMap<FeedId, Memo>,
    /// What categories are called.
    names: Names,
    /// Drafts that rounds showed, by what they take the place of ([`INSTEAD`]): a search may find them later only.
    instead: HashMap<String, String>,
}

impl Mail {
    pub(crate) fn new(graph: Graph, blobs: Arc<dyn Blobs>) -> Mail {
        Mail { graph, blobs, memory: Mutex::default() }
    }

    pub(crate) fn lens(&self) -> &dyn Lens {
        &map::LENS
    }

    /// What categories are called, as far as that was seen.
    pub(crate) fn names(&self) -> Names {
        self.memory().names.clone()
    }

    /// Takes in what categories were called in earlier runs.
    pub(crate) fn learn_names(&self, names: BTreeMap<String, String>) {
        self.memory().names.learn(names);
    }

    /// Takes in what the categories of messages are called.
    fn see_names<'a>(&self, messages: impl Iterator<Item = &'a Message>) {
        for name in messages.flat_map(Message::categories) {
            self.memory().names.see(&name);
        }
    }

    /// Takes in which drafts take the place of others.
    fn see_instead<'a>(&self, messages: impl Iterator<Item = &'a Message>) {
        for message in messages {
            if let Some(what) = message.property(INSTEAD).filter(|what| !what.is_empty()) {
                self.memory().instead.insert(what.to_owned(), message.id().to_owned());
            }
        }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        // What a panic left behind is still only a memory.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Each message as it is now, wherever it stands; `None` where it is not there.
    async fn look(&self, ids: &[String]) -> Vec<Result<Option<Message>>> {
        let mut asks: Vec<Part> = ids.iter().map(|id| api::message("m", id)).collect();
        number(&mut asks);
        let answers = self.graph.all("read messages", Effect::Read, &asks).await;
        let look = |answer: Result<Response>| match answer {
            Ok(answer) => api::read_message(&answer).map(Some),
            Err(error) if error.kind == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(of_nothing(error)),
        };
        let looks: Vec<Result<Option<Message>>> = answers.into_iter().map(look).collect();
        self.see_names(looks.iter().flatten().flatten());
        looks
    }

    /// Each copy as it is now, in whatever folder; `None` where it is not there, or in none that is mirrored.
    pub(crate) async fn fetch(&self, places: &[Place]) -> Vec<Result<Option<Seen>>> {
        let ids: Vec<String> = places.iter().map(|place| place.remote_id.0.clone()).collect();
        let looks = self.look(&ids).await;
        let folders: HashSet<&str> = looks.iter().flatten().flatten().filter_map(Message::folder).collect();
        let tree = if folders.is_empty() { Ok(Arc::default()) } else { self.tree_with(&folders).await };
        let missing = match &tree {
            Ok(tree) => self.missing(tree, &folders).await,
            Err(_) => HashMap::new(),
        };
        let mut fetched = Vec::with_capacity(places.len());
        for (look, place) in looks.iter().zip(places) {
            let copy = match (look, &tree) {
                (Err(error), _) => Err(again(error)),
                (Ok(None), _) => Ok(None),
                (Ok(Some(_)), Err(error)) => Err(again(error)),
                (Ok(Some(message)), Ok(_)) => match message.folder() {
                    None => Err(Error::new(ErrorKind::Malformed, "a message came without its folder")),
                    Some(folder) => match missing.get(folder) {
                        None => seen(message, folder).map(Some),
                        Some(Ok(false)) => Ok(None),
                        Some(Ok(true)) => Err(untold()),
                        Some(Err(error)) => Err(again(error)),
                    },
                },
            };
            fetched.push(copy.at(format!("message {}", place.remote_id)));
        }
        fetched
    }

    /// Looks for creates by their marks: in the folder they were made in, then everywhere, for somebody may have moved it.
    pub(crate) async fn find(&self, lookups: &[Lookup], now_ms: i64) -> Vec<Result<Found>> {
        let mut asks: Vec<Part> =
            lookups.iter().map(|lookup| api::marked("m", Some(lookup.collection.as_str()), &lookup.mark)).collect();
        number(&mut asks);
        let answers = self.graph.all("find messages by mark", Effect::Read, &asks).await;
        let mut founds = Vec::with_capacity(lookups.len());
        for (lookup, answer) in lookups.iter().zip(answers) {
            founds.push(self.found(lookup, answer, now_ms).await.at(format!("mark {}", lookup.mark)));
        }
        founds
    }

    async fn found(&self, lookup: &Lookup, answer: Result<Response>, now_ms: i64) -> Result<Found> {
        let mut rows = match answer {
            Ok(answer) => self.all_rows(answer).await?,
            // The folder itself is gone; the copy may have been moved before.
            Err(error) if error.kind == ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        if rows.is_empty() && now_ms < lookup.sent_ms.saturating_add(LAG_MS) {
            return Ok(Found::NotBefore(lookup.sent_ms.saturating_add(LAG_MS)));
        }
        if rows.is_empty() {
            let ask = [api::marked("m", None, &lookup.mark)];
            rows = self.all_rows(one(self.graph.all("find messages by mark", Effect::Read, &ask).await)?).await?;
        }
        let folders: HashSet<&str> = rows.iter().filter_map(Message::folder).collect();
        let tree = if folders.is_empty() { Arc::default() } else { self.tree_with(&folders).await? };
        let missing = self.missing(&tree, &folders).await;
        // People copy messages, marks included: the older one is the one that we made.
        rows.sort_by_key(|row| (row.time_ms("createdDateTime").unwrap_or(i64::MAX), row.id().to_owned()));
        for row in &rows {
            let Some(folder) = row.folder() else { continue };
            match missing.get(folder) {
                None => {}
                Some(Ok(false)) => continue,
                Some(Ok(true)) => return Err(untold()),
                Some(Err(error)) => return Err(again(error)),
            }
            // One that was given up is none; another may have been made since.
            if let Some(whole) = self.made_whole(row).await? {
                return Ok(Found::Here(Box::new(seen(&whole, folder)?)));
            }
        }
        Ok(Found::Nowhere)
    }

    /// The rows of a page and of those that follow: a page may be empty and not the last.
    async fn all_rows(&self, answer: Response) -> Result<Vec<Message>> {
        let (mut rows, mut pages, mut answer) = (Vec::new(), Pages::default(), answer);
        loop {
            let (more, next, _) = api::read_page(&answer)?;
            pages.take(more.iter().map(Message::id))?;
            rows.extend(more);
            let Some(link) = next else { return Ok(rows) };
            let page = api::page("m", &self.graph.link(&link)?);
            answer = one(self.graph.all("read messages", Effect::Read, &[page]).await)?;
        }
    }
}

/// A message is there, and where it stands is not known yet.
fn untold() -> Error {
    Error::new(
        ErrorKind::Unknown,
        "the message stands in a folder that no list tells yet; it is looked at again in the next run",
    )
}

/// What came in the place of an answer (a page of a proxy) says nothing of the message, so that it is not the message that is set aside.
fn of_nothing(mut error: Error) -> Error {
    if error.kind == ErrorKind::Malformed {
        error.kind = ErrorKind::Unknown;
    }
    error
}

/// A copy as seen, without its bytes.
fn seen(message: &Message, folder: &str) -> Result<Seen> {
    seen_as(&map::sheet(message), message, folder)
}

/// A copy as seen, with what is known of it.
fn seen_as(sheet: &Sheet, message: &Message, folder: &str) -> Result<Seen> {
    Ok(Seen {
        remote_id: RemoteId::from(message.id()),
        collection: CollectionId::from(folder),
        etag: etag(message)?,
        rendering: sheet.write()?,
        uid: Some(uid(message.id())),
        mark: message.property(wire::MARK).and_then(Mark::parse),
        modified_ms: message.time_ms("lastModifiedDateTime"),
    })
}

/// What names a state, as `If-Match` takes it.
fn etag(message: &Message) -> Result<Etag> {
    let key = message.change_key();
    let key = key.ok_or_else(|| Error::new(ErrorKind::Malformed, "a message came without a change key"))?;
    Ok(Etag(format!("W/\"{key}\"")))
}

/// What names a message on every device: immutable ids are long, and not made for file names.
fn uid(id: &str) -> Uid {
    Uid(format!("m{}", &blake3::hash(id.as_bytes()).to_hex()[..32]))
}

/// What a page says of a message in a folder.
fn entry(message: &Message, folder: &str) -> Entry {
    match seen(message, folder) {
        Ok(seen) => Entry::Seen(Box::new(seen)),
        Err(error) => bad(message.id(), folder, Some(message), error),
    }
}

/// A message that is there and cannot be taken, and what was said of it.
fn bad(id: &str, folder: &str, said: Option<&Message>, error: Error) -> Entry {
    Entry::Bad {
        remote_id: RemoteId::from(id),
        collection: CollectionId::from(folder),
        reason: error.to_string(),
        raw: said.map(Message::raw).unwrap_or_default(),
    }
}

/// Gives the parts of one request ids that differ.
fn number(parts: &mut [Part]) {
    for (at, part) in parts.iter_mut().enumerate() {
        part.id = at.to_string();
    }
}

fn one(mut answers: Vec<Result<Response>>) -> Result<Response> {
    answers.pop().unwrap_or_else(|| Err(no_answer()))
}

fn no_answer() -> Error {
    Error::new(ErrorKind::Unknown, "there is no answer")
}

fn circles() -> Error {
    Error::new(ErrorKind::Malformed, "the round goes in circles")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_copy_is_named_by_its_immutable_id_and_shown_without_bytes() {
        let value =
            json!({"id": "AAk=", "changeKey": "k", "isRead": true, "lastModifiedDateTime": "2026-03-02T08:00:00Z"});
        let seen = seen(&Message::from_value(value).unwrap(), "f").unwrap();
        assert_eq!((seen.remote_id.as_str(), seen.etag.as_str()), ("AAk=", "W/\"k\""));
        let uid = seen.uid.unwrap().0;
        assert!(
            uid.len() == 33 && uid.starts_with('m') && uid[1..].bytes().all(|byte| byte.is_ascii_hexdigit()),
            "{uid}"
        );
        assert!(map::LENS.facts(&seen.rendering).lacks_body);
        assert_eq!(seen.modified_ms, Some(1_772_438_400_000));
    }

    #[test]
    fn a_row_without_a_change_key_is_quarantined() {
        let row = Message::from_value(json!({"id": "1"})).unwrap();
        let Entry::Bad { raw, .. } = entry(&row, "f") else { panic!("it is taken") };
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&raw).unwrap(), json!({"id": "1"}), "as it came");
    }
}
