//! Contacts at Graph: folders and single copies. What changed stands in `rounds.rs`, what is written in `write.rs`.
//!
//! A feed is one folder's delta, and its rows are hints only: every contact that a round names is read in full, photo included,
//! before it is reported.

pub mod api;
mod fields;
pub mod map;
mod outcome;
mod rounds;
pub mod wire;
mod write;

use crate::{Graph, again};
use map::{ContactLens, Photo, Sheet, photo_mark};
use rounds::Memo;
use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use twofold_http::{Effect, Pages, Part, Response};
use twofold_model::error::AtPlace;
use twofold_model::{
    Access, Collection, CollectionId, Entry, Error, ErrorKind, Etag, Feed, FeedId, Found, Kind, Lens, Lookup, Place,
    RemoteId, Removal, Result, Seen,
};
use wire::{Contact, ContactFolder};

/// What the default folder is called where the server does not say.
const DEFAULT_NAME: &str = "Contacts";
/// How long a filter may lag behind a create, so that not finding it means nothing yet (K: replicas of a mailbox).
const LAG_MS: i64 = 60_000;
/// More pages than any folder has; a round that goes on longer goes in circles.
const MAX_PAGES: usize = 10_000;

/// The contacts of one mailbox.
#[derive(Debug)]
pub(crate) struct Contacts {
    graph: Graph,
    lens: ContactLens,
    memory: Mutex<Memory>,
}

/// What is remembered while the program runs; nothing of it is needed to be right, only to be quick or sure.
#[derive(Debug, Default)]
struct Memory {
    /// The contact folders, as last listed.
    folders: Option<HashSet<String>>,
    /// The rounds under way.
    rounds: HashMap<FeedId, Memo>,
}

/// What a look at one contact found.
enum Look {
    /// It is there.
    There(Box<Sheet>),
    /// The server says that there is no such contact.
    Nowhere,
}

impl Contacts {
    pub(crate) fn new(graph: Graph) -> Contacts {
        Contacts { graph, lens: ContactLens, memory: Mutex::default() }
    }

    pub(crate) fn lens(&self) -> &dyn Lens {
        &self.lens
    }

    pub(crate) fn graph(&self) -> &Graph {
        &self.graph
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        // What a panic left behind is still only a memory.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // Folders

    /// All contact folders, the default one first: one request for the first level, one for each further depth.
    pub(crate) async fn collections(&self) -> Result<Vec<Collection>> {
        let what = "list contact folders";
        let first = [api::default_folder("default"), api::folders("folders")];
        let mut answers = self.graph.all(what, Effect::Read, &first).await.into_iter();
        let (known, listed) = (answers.next(), answers.next());
        let default = match known.unwrap_or_else(|| Err(no_answer())).and_then(|answer| api::read_folder(&answer)) {
            Ok(folder) => folder,
            // Where the well-known name is not understood, any contact knows the way.
            Err(error) if matches!(error.kind, ErrorKind::NotFound | ErrorKind::Refused) => {
                self.default_folder().await?
            }
            Err(error) => return Err(error),
        };
        let mut found = vec![default];
        let mut ids: HashSet<String> = found.iter().map(|folder| folder.id.clone()).collect();
        let mut asks = vec![api::child_folders("c", &found[0].id)];
        let mut answers = vec![listed.unwrap_or_else(|| Err(no_answer()))];
        let mut pages = 0;
        loop {
            for answer in answers {
                let (folders, next) = api::read_folders(&answer?)?;
                for folder in folders {
                    if ids.insert(folder.id.clone()) {
                        asks.push(api::child_folders("c", &folder.id));
                        found.push(folder);
                    }
                }
                if let Some(next) = next {
                    asks.push(api::page("c", &self.graph.link(&next)?));
                }
            }
            if asks.is_empty() {
                break;
            }
            pages += asks.len();
            if pages > MAX_PAGES {
                return Err(circles());
            }
            number(&mut asks);
            answers = self.graph.all(what, Effect::Read, &std::mem::take(&mut asks)).await;
        }
        self.memory().folders = Some(ids);
        Ok(found.into_iter().enumerate().map(|(at, folder)| collection(folder, at == 0)).collect())
    }

    async fn default_folder(&self) -> Result<ContactFolder> {
        let what = "find the default contact folder";
        let id = api::read_folder_of_any(&one(self.graph.all(what, Effect::Read, &[api::any_contact("1")]).await)?)?;
        let id =
            id.ok_or_else(|| Error::new(ErrorKind::NotFound, "the default contact folder cannot be found").at(what))?;
        let answer = one(self.graph.all(what, Effect::Read, &[api::folder("1", &id)]).await);
        let folder = answer.and_then(|answer| api::read_folder(&answer));
        Ok(folder.unwrap_or(ContactFolder { id, display_name: None }))
    }

    /// Whether each of these is a contact folder now. Lists them anew when one is not among those known.
    async fn are_folders(&self, ids: &HashSet<String>) -> Result<HashSet<String>> {
        let known = |memory: &Memory| memory.folders.as_ref().map(|known| ids.intersection(known).cloned().collect());
        let among: Option<HashSet<String>> = known(&self.memory());
        match among {
            Some(among) if among.len() == ids.len() => Ok(among),
            _ if ids.is_empty() => Ok(HashSet::new()),
            _ => {
                self.collections().await?;
                Ok(known(&self.memory()).unwrap_or_default())
            }
        }
    }

    /// Makes a folder, or finds the one of that name: the server refuses a second one.
    pub(crate) async fn create_collection(&self, like: &Collection) -> Result<Collection> {
        match self.graph.send(api::create_folder(&like.name)).await {
            Ok(answer) => {
                let folder = api::read_folder(&answer).at("create contact folder")?;
                if let Some(folders) = &mut self.memory().folders {
                    folders.insert(folder.id.clone());
                }
                Ok(collection(folder, false))
            }
            Err(error) if error.kind == ErrorKind::Refused => {
                let all = self.collections().await?;
                let lower = like.name.to_lowercase();
                let exact = all.iter().find(|one| one.name == like.name);
                exact.or_else(|| all.iter().find(|one| one.name.to_lowercase() == lower)).cloned().ok_or(error)
            }
            Err(error) => Err(error),
        }
    }

    /// Gives a folder another name. It has no colour.
    pub(crate) async fn rename_collection(&self, id: &CollectionId, name: Option<&str>) -> Result<Collection> {
        let Some(name) = name else {
            return Err(Error::new(ErrorKind::Unsupported, "contact folders have no colour").at(id));
        };
        let answer = self.graph.send(api::rename_folder(id.as_str(), name)).await.at(id)?;
        // Whether it is the default one the answer does not say, and a new name does not change.
        api::read_folder(&answer).map(|folder| collection(folder, false)).at(id)
    }

    /// What it means to delete a folder: each but the default one can go.
    pub(crate) async fn removal(&self, id: &CollectionId) -> Result<Removal> {
        let all = self.collections().await?;
        let folder = all.iter().find(|folder| folder.id == *id);
        let folder = folder.ok_or_else(|| Error::new(ErrorKind::NotFound, "the folder is not listed").at(id))?;
        Ok(if folder.is_default { Removal::Never } else { Removal::Whole })
    }

    /// Deletes a folder in which nothing is, no folder either.
    pub(crate) async fn remove_collection(&self, id: &CollectionId) -> Result<bool> {
        match self.removal(id).await {
            Ok(Removal::Whole) => {}
            Ok(Removal::Never | Removal::OffList) => return Ok(false),
            Err(error) if error.kind == ErrorKind::NotFound => return Ok(true),
            Err(error) => return Err(error),
        }
        let what = "look into a contact folder";
        for mut ask in [api::any_in_folder("1", id.as_str()), api::child_folders("1", id.as_str())] {
            let mut pages = Pages::default();
            loop {
                let answer = one(self.graph.all(what, Effect::Read, &[ask]).await).at(id)?;
                let (rows, next) = api::read_ids(&answer).at(id)?;
                if rows > 0 {
                    return Ok(false);
                }
                let Some(next) = next else { break };
                pages.take([]).at(id)?;
                ask = api::page("1", &self.graph.link(&next)?);
            }
        }
        match self.graph.send(api::delete_folder(id.as_str())).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind == ErrorKind::NotFound => Ok(true),
            Err(error) => Err(error.at(id)),
        }
    }

    pub(crate) fn feeds(&self, collections: &[Collection]) -> Vec<Feed> {
        let feed = |collection: &Collection| Feed {
            id: FeedId::from(collection.id.as_str()),
            kind: Kind::Contacts,
            collections: vec![collection.id.clone()],
        };
        collections.iter().map(feed).collect()
    }

    // Single copies

    /// Looks at contacts with their photos, ten to a batch.
    async fn look(&self, ids: &[String]) -> Vec<Result<Look>> {
        let mut asks: Vec<Part> = ids.iter().flat_map(|id| [api::contact("c", id), api::photo("p", id)]).collect();
        number(&mut asks);
        let mut answers = self.graph.all("read contacts", Effect::Read, &asks).await.into_iter();
        let mut next = || answers.next().unwrap_or_else(|| Err(no_answer()));
        let mut looks = Vec::with_capacity(ids.len());
        for _ in ids {
            let (contact, photo) = (next(), next());
            // A page for people, or half an answer, says nothing of this contact: that is the way here, and passes.
            let passing = |mut error: Error| {
                if error.kind == ErrorKind::Malformed {
                    error.kind = ErrorKind::Unknown;
                }
                error
            };
            let read = |answer: Response| match api::read_contact(&answer) {
                Err(error) if answer.json::<serde_json::Value>().is_err() => Err(passing(error)),
                read => read,
            };
            looks.push(match contact.map_err(passing).and_then(read) {
                Ok(contact) => Ok(Look::There(Box::new(Sheet { photo: api::read_photo(photo), contact }))),
                Err(error) if error.kind == ErrorKind::NotFound => Ok(Look::Nowhere),
                Err(error) => Err(error),
            });
        }
        looks
    }

    /// Each copy as it is now; `None` where it is not there, or in no contact folder (Deleted Items).
    pub(crate) async fn fetch(&self, places: &[Place]) -> Vec<Result<Option<Seen>>> {
        let ids: Vec<String> = places.iter().map(|place| place.remote_id.0.clone()).collect();
        let looks = self.look(&ids).await;
        let folder = |look: &Result<Look>| match look {
            Ok(Look::There(sheet)) => sheet.contact.folder().map(str::to_owned),
            _ => None,
        };
        let folders = self.are_folders(&looks.iter().filter_map(folder).collect()).await;
        let place = |look: Result<Look>| match (look?, &folders) {
            (Look::Nowhere, _) => Ok(None),
            (Look::There(_), Err(error)) => Err(again(error)),
            (Look::There(sheet), Ok(folders)) => match sheet.contact.folder() {
                None => Err(Error::new(ErrorKind::Malformed, "the answer does not say in which folder the contact is")),
                Some(folder) if folders.contains(folder) => seen(&sheet).map(Some),
                Some(_) => Ok(None),
            },
        };
        let answers = looks.into_iter().map(place).zip(places);
        answers.map(|(answer, place)| answer.at(format!("contact {}", place.remote_id))).collect()
    }

    /// Looks at photos, which no delta tells of. What cannot be looked at now is left for the next sweep.
    pub(crate) async fn sweep(&self, places: &[Place], budget: usize) -> Result<Vec<Seen>> {
        let places = &places[..places.len().min(budget)];
        let mut swept = Vec::new();
        let mut failure = None;
        for answer in self.fetch(places).await {
            match answer {
                Ok(Some(seen)) if map::is_looked(&seen.rendering) => swept.push(seen),
                Ok(_) => {}
                Err(error) => failure = Some(error),
            }
        }
        match failure {
            Some(error) if swept.is_empty() => Err(error),
            _ => Ok(swept),
        }
    }

    /// Looks for creates by their marks: in the folder they were made in, then in all others, for somebody may have moved it.
    pub(crate) async fn find(&self, lookups: &[Lookup], now_ms: i64) -> Vec<Result<Found>> {
        let mut asks: Vec<Part> =
            lookups.iter().map(|lookup| api::marked("m", lookup.collection.as_str(), &lookup.mark)).collect();
        number(&mut asks);
        let answers = self.graph.all("find contacts by mark", Effect::Read, &asks).await;
        let mut founds = Vec::with_capacity(lookups.len());
        for (lookup, answer) in lookups.iter().zip(answers) {
            founds.push(self.found(lookup, answer, now_ms).await.at(format!("mark {}", lookup.mark)));
        }
        founds
    }

    /// The rows of a page and of those that follow: a page may be empty and not the last.
    async fn all_rows(&self, answer: Response) -> Result<Vec<Contact>> {
        let (mut rows, mut pages, mut answer) = (Vec::new(), Pages::default(), answer);
        loop {
            let (more, next, _) = api::read_page(&answer)?;
            pages.take(more.iter().filter_map(Contact::id))?;
            rows.extend(more);
            let Some(link) = next else { return Ok(rows) };
            let page = api::page("m", &self.graph.link(&link)?);
            answer = one(self.graph.all("find contacts by mark", Effect::Read, &[page]).await)?;
        }
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
            let folders = self.collections().await?;
            let others = folders.iter().filter(|folder| folder.id != lookup.collection);
            let mut asks: Vec<Part> = others.map(|folder| api::marked("m", folder.id.as_str(), &lookup.mark)).collect();
            number(&mut asks);
            for answer in self.graph.all("find contacts by mark", Effect::Read, &asks).await {
                rows.extend(self.all_rows(answer?).await?);
            }
        }
        // People duplicate contacts, marks included: the older one is the one that we made.
        let age = |contact: &Contact| contact.text("createdDateTime").unwrap_or("9").to_owned();
        let Some(oldest) = rows.into_iter().filter(|row| row.id().is_some()).min_by_key(age) else {
            return Ok(Found::Nowhere);
        };
        let id = [oldest.id().unwrap_or_default().to_owned()];
        match self.look(&id).await.pop() {
            Some(Ok(Look::There(sheet))) => Ok(Found::Here(Box::new(seen(&sheet)?))),
            _ => Ok(Found::Here(Box::new(seen(&Sheet { photo: Photo::Unlooked, contact: oldest })?))),
        }
    }
}

fn collection(folder: ContactFolder, is_default: bool) -> Collection {
    Collection {
        id: CollectionId(folder.id),
        kind: Kind::Contacts,
        name: folder.display_name.filter(|name| !name.trim().is_empty()).unwrap_or_else(|| DEFAULT_NAME.to_owned()),
        color: None,
        is_default,
        role: None,
        access: Access::ReadWrite,
    }
}

/// A copy as seen. The etag is the contact's own, and the photo's mark behind it where the photo was looked at: the two change
/// apart from each other.
fn seen(sheet: &Sheet) -> Result<Seen> {
    let broken = |what| Error::new(ErrorKind::Malformed, format!("a contact came without {what}"));
    let id = sheet.contact.id().ok_or_else(|| broken("an id"))?;
    let etag = sheet.contact.etag().ok_or_else(|| broken("an etag"))?;
    let etag = match &sheet.photo {
        Photo::Present(picture) => format!("{etag} {}", photo_mark(picture)),
        Photo::Absent | Photo::Unlooked => etag,
    };
    Ok(Seen {
        remote_id: RemoteId::from(id),
        collection: CollectionId::from(sheet.contact.folder().ok_or_else(|| broken("its folder"))?),
        etag: Etag(etag),
        uid: sheet.uid(),
        mark: sheet.mark(),
        modified_ms: sheet.contact.modified_ms(),
        rendering: sheet.close(),
    })
}

/// The contact's own etag, as `If-Match` takes it.
fn guard(etag: &Etag) -> &str {
    etag.as_str().rsplit_once("\" ").map_or(etag.as_str(), |(own, _)| &etag.as_str()[..=own.len()])
}

/// What a page says of a contact in a folder.
fn entry(mut sheet: Sheet, folder: &str) -> Entry {
    let id = sheet.contact.id().unwrap_or_default().to_owned();
    if sheet.contact.folder().is_none() {
        sheet.contact.0.insert("parentFolderId".to_owned(), folder.into());
    }
    match seen(&sheet) {
        Ok(seen) => Entry::Seen(Box::new(seen)),
        Err(error) => Entry::Bad {
            remote_id: RemoteId(id),
            collection: CollectionId::from(folder),
            reason: error.message,
            raw: sheet.close().0,
        },
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

    #[test]
    fn the_guard_is_the_contacts_own_etag() {
        assert_eq!(guard(&Etag::from("W/\"abc\"")), "W/\"abc\"");
        assert_eq!(guard(&Etag::from("W/\"abc\" 0123456789")), "W/\"abc\"");
    }
}
