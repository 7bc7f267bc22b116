//! Calendars at Graph: collections and single copies. What changed stands in `rounds.rs`, how an event is read in `look.rs`, what is
//! written in `write.rs` and `occurrences.rs`, and what it all means in `map.rs`.
//!
//! One item is one series with its exceptions; its name is the series' immutable id. Occurrences never are items, but for one whose series
//! the user cannot see.
//!
//! A feed is one calendar. What a round names are hints only: every series that it names, or an occurrence of it, is read in full
//! before it is reported.

pub mod api;
mod blob;
mod fields;
mod look;
pub mod mails;
pub mod map;
mod occurrences;
mod people;
mod rounds;
mod rule;
mod series;
pub mod sheet;
pub mod times;
mod tzreg;
pub mod wire;
mod write;

use crate::{Graph, again};
use look::Look;
use map::EventLens;
use rounds::Memo;
use sheet::Sheet;
use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use times::Times;
use twofold_http::{Effect, Pages, Part, Response};
use twofold_model::error::AtPlace;
use twofold_model::{
    Access, Collection, CollectionId, Entry, Error, ErrorKind, Etag, Feed, FeedId, Found, Kind, Lens, Lookup, Place,
    RemoteId, Removal, Result, Seen, card, plain_color,
};
use wire::Calendar;

/// What a calendar is called where the server does not say.
const DEFAULT_NAME: &str = "Calendar";
/// How long a filter may lag behind a create, so that not finding it means nothing yet (K: replicas of a mailbox).
const LAG_MS: i64 = 60_000;
/// More pages than any calendar has; a round that goes on longer goes in circles.
const MAX_PAGES: usize = 10_000;

/// The calendars of one mailbox.
#[derive(Debug)]
pub(crate) struct Calendars {
    graph: Graph,
    lens: EventLens,
    memory: Mutex<Memory>,
}

/// What is remembered while the program runs; nothing of it is needed to be right, only to be quick or sure.
#[derive(Debug, Default)]
struct Memory {
    /// The calendars, as last listed.
    calendars: Option<HashSet<String>>,
    /// The rounds under way.
    rounds: HashMap<FeedId, Memo>,
    /// The server does not know the members of a series that tell of its exceptions.
    has_no_exceptions: bool,
}

impl Calendars {
    pub(crate) fn new(graph: Graph, times: Times) -> Calendars {
        Calendars { graph, lens: EventLens::new(times), memory: Mutex::default() }
    }

    pub(crate) fn lens(&self) -> &dyn Lens {
        &self.lens
    }

    fn times(&self) -> &Times {
        self.lens.times()
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        // What a panic left behind is still only a memory.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // Calendars

    /// All calendars, of all groups. There is no delta for them: they are listed and compared.
    pub(crate) async fn collections(&self) -> Result<Vec<Collection>> {
        Ok(self.calendars().await?.into_iter().map(collection).collect())
    }

    async fn calendars(&self) -> Result<Vec<Calendar>> {
        let what = "list calendars";
        let mut found: Vec<Calendar> = Vec::new();
        let mut ids = HashSet::new();
        let (mut ask, mut pages) = (api::calendars("1"), Pages::default());
        loop {
            let (calendars, next) = api::read_calendars(&one(self.graph.all(what, Effect::Read, &[ask]).await)?)?;
            pages.take(calendars.iter().map(|calendar| calendar.id.as_str())).at(what)?;
            found.extend(calendars.into_iter().filter(|calendar| ids.insert(calendar.id.clone())));
            let Some(next) = next else {
                self.memory().calendars = Some(ids);
                return Ok(found);
            };
            ask = api::page("1", &self.graph.link(&next)?);
        }
    }

    /// Whether each of these is a calendar now. Lists them anew when one is not among those known.
    async fn are_calendars(&self, ids: &HashSet<String>) -> Result<HashSet<String>> {
        let known = |memory: &Memory| memory.calendars.as_ref().map(|known| ids.intersection(known).cloned().collect());
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

    /// Makes a calendar, or finds the one of that name: the server refuses a second one.
    pub(crate) async fn create_collection(&self, like: &Collection) -> Result<Collection> {
        match self.graph.send(api::create_calendar(&like.name)).await {
            Ok(answer) => {
                let calendar = api::read_calendar(&answer).at("create calendar")?;
                if let Some(calendars) = &mut self.memory().calendars {
                    calendars.insert(calendar.id.clone());
                }
                Ok(collection(calendar))
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

    /// Gives a calendar another name. Its colour is one of eleven words, which none that is `#rrggbb` can be put into.
    pub(crate) async fn rename_collection(&self, id: &CollectionId, name: Option<&str>) -> Result<Collection> {
        let Some(name) = name else {
            return Err(Error::new(ErrorKind::Unsupported, "Outlook has colours of its own for calendars").at(id));
        };
        let answer = self.graph.send(api::rename_calendar(id.as_str(), name)).await.at(id)?;
        api::read_calendar(&answer).map(collection).at(id)
    }

    /// What it means to delete a calendar: it goes if it is the user's own and is not the default one. What somebody else shares
    /// stays: nobody says what deleting it would do to theirs.
    pub(crate) async fn removal(&self, id: &CollectionId) -> Result<Removal> {
        let all = self.calendars().await?;
        let calendar = all.iter().find(|calendar| calendar.id == id.as_str());
        let calendar = calendar.ok_or_else(|| Error::new(ErrorKind::NotFound, "the calendar is not listed").at(id))?;
        let owner_of = |calendar: &Calendar| calendar.owner.as_deref().map(str::to_lowercase);
        let user = all.iter().find(|calendar| calendar.is_default == Some(true)).and_then(owner_of);
        let is_own = user.is_some() && owner_of(calendar) == user && calendar.can_edit != Some(false);
        let can_go = calendar.is_removable == Some(true) && calendar.is_default != Some(true);
        Ok(if is_own && can_go { Removal::Whole } else { Removal::Never })
    }

    /// Deletes a calendar in which nothing is.
    pub(crate) async fn remove_collection(&self, id: &CollectionId) -> Result<bool> {
        match self.removal(id).await {
            Ok(Removal::Whole) => {}
            Ok(Removal::Never | Removal::OffList) => return Ok(false),
            Err(error) if error.kind == ErrorKind::NotFound => return Ok(true),
            Err(error) => return Err(error),
        }
        let first =
            one(self.graph.all("look into a calendar", Effect::Read, &[api::any_event("1", id.as_str())]).await);
        if !self.all_rows(first.at(id)?).await.at(id)?.is_empty() {
            return Ok(false);
        }
        match self.graph.send(api::delete_calendar(id.as_str())).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind == ErrorKind::NotFound => Ok(true),
            Err(error) => Err(error.at(id)),
        }
    }

    pub(crate) fn feeds(&self, collections: &[Collection]) -> Vec<Feed> {
        let feed = |collection: &Collection| Feed {
            id: FeedId::from(collection.id.as_str()),
            kind: Kind::Calendar,
            collections: vec![collection.id.clone()],
        };
        collections.iter().map(feed).collect()
    }

    // Single copies

    /// Each copy as it is now; `None` where it is not there, or in no calendar (Deleted Items). A write of several requests that broke
    /// off is brought to its end first, so that what it left half done is not taken for somebody's edit.
    pub(crate) async fn fetch(&self, places: &[Place]) -> Vec<Result<Option<Seen>>> {
        let ids: Vec<String> = places.iter().map(|place| place.remote_id.0.clone()).collect();
        let looks = self.look(&ids).await;
        let mut asks: Vec<Part> = Vec::new();
        for look in looks.iter().flatten() {
            if let Look::There(sheet) = look {
                asks.push(api::calendar_of("c", sheet.event.id().unwrap_or_default()));
            }
        }
        number(&mut asks);
        let mut answers = self.graph.all("find the calendars of events", Effect::Read, &asks).await.into_iter();
        let mut stands: Vec<Result<Option<(Sheet, String)>>> = Vec::with_capacity(places.len());
        for look in looks {
            stands.push(match look {
                Ok(Look::Nowhere) => Ok(None),
                Err(error) => Err(error),
                Ok(Look::There(sheet)) => match answers.next().unwrap_or_else(|| Err(no_answer())) {
                    Ok(answer) => api::read_calendar(&answer).map(|calendar| Some((*sheet, calendar.id))),
                    Err(error) if error.kind == ErrorKind::NotFound => Ok(None),
                    Err(error) => Err(error),
                },
            });
        }
        let named = stands.iter().flatten().flatten().map(|(_, calendar)| calendar.clone()).collect();
        let calendars = self.are_calendars(&named).await;
        let mut fetched = Vec::with_capacity(places.len());
        for (stand, place) in stands.into_iter().zip(places) {
            let copy = match (stand, &calendars) {
                (Err(error), _) => Err(error),
                (Ok(None), _) => Ok(None),
                (Ok(Some(_)), Err(error)) => Err(again(error)),
                (Ok(Some((sheet, calendar))), Ok(calendars)) if calendars.contains(&calendar) => {
                    self.finished(sheet).await.and_then(|sheet| seen(&sheet, &calendar)).map(Some)
                }
                (Ok(Some(_)), Ok(_)) => Ok(None),
            };
            fetched.push(copy.at(format!("event {}", place.remote_id)));
        }
        fetched
    }

    /// Looks for creates by their marks: in the calendar they were made in, then in all others, for somebody may have moved it.
    pub(crate) async fn find(&self, lookups: &[Lookup], now_ms: i64) -> Vec<Result<Found>> {
        let mut asks: Vec<Part> =
            lookups.iter().map(|lookup| api::marked("m", lookup.collection.as_str(), &lookup.mark)).collect();
        number(&mut asks);
        let answers = self.graph.all("find events by mark", Effect::Read, &asks).await;
        let mut founds = Vec::with_capacity(lookups.len());
        for (lookup, answer) in lookups.iter().zip(answers) {
            founds.push(self.found(lookup, answer, now_ms).await.at(format!("mark {}", lookup.mark)));
        }
        founds
    }

    async fn found(&self, lookup: &Lookup, answer: Result<Response>, now_ms: i64) -> Result<Found> {
        let mut rows: Vec<(String, wire::Event)> = Vec::new();
        let own = lookup.collection.as_str();
        match answer {
            Ok(answer) => rows.extend(self.all_rows(answer).await?.into_iter().map(|row| (own.to_owned(), row))),
            // The calendar itself is gone; the copy may have been moved before.
            Err(error) if error.kind == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        if rows.is_empty() && now_ms < lookup.sent_ms.saturating_add(LAG_MS) {
            return Ok(Found::NotBefore(lookup.sent_ms.saturating_add(LAG_MS)));
        }
        if rows.is_empty() {
            let calendars = self.collections().await?;
            let others: Vec<&Collection> = calendars.iter().filter(|other| other.id != lookup.collection).collect();
            let mut asks: Vec<Part> =
                others.iter().map(|other| api::marked("m", other.id.as_str(), &lookup.mark)).collect();
            number(&mut asks);
            let answers = self.graph.all("find events by mark", Effect::Read, &asks).await;
            for (other, answer) in others.into_iter().zip(answers) {
                // A calendar that cannot be asked (an old share) is no place where we could have made anything.
                let answer = match answer {
                    Err(_) if other.access == Access::ReadOnly => continue,
                    answer => answer?,
                };
                rows.extend(self.all_rows(answer).await?.into_iter().map(|row| (other.id.0.clone(), row)));
            }
        }
        // People duplicate events, marks included: the older one is the one that we made.
        let age = |row: &(String, wire::Event)| row.1.text("createdDateTime").unwrap_or("9").to_owned();
        let Some((calendar, oldest)) = rows.into_iter().min_by_key(age) else { return Ok(Found::Nowhere) };
        let id = [oldest.id().unwrap_or_default().to_owned()];
        match self.look(&id).await.pop().unwrap_or_else(|| Err(no_answer()))? {
            Look::There(sheet) => {
                let sheet = self.finished(*sheet).await?;
                Ok(Found::Here(Box::new(seen(&sheet, &calendar)?)))
            }
            // It was there a moment ago.
            Look::Nowhere => Ok(Found::NotBefore(now_ms.saturating_add(LAG_MS))),
        }
    }

    /// The rows of a page and of those that follow: a page may be empty and not the last.
    async fn all_rows(&self, answer: Response) -> Result<Vec<wire::Event>> {
        let (mut rows, mut pages, mut answer) = (Vec::new(), Pages::default(), answer);
        loop {
            let (more, next, _) = api::read_page(&answer)?;
            pages.take(more.iter().filter_map(wire::Event::id))?;
            rows.extend(more);
            let Some(link) = next else { return Ok(rows) };
            let page = api::page("m", &self.graph.link(&link)?);
            answer = one(self.graph.all("read events", Effect::Read, &[page]).await)?;
        }
    }
}

fn collection(calendar: Calendar) -> Collection {
    Collection {
        id: CollectionId(calendar.id),
        kind: Kind::Calendar,
        name: calendar.name.filter(|name| !name.trim().is_empty()).unwrap_or_else(|| DEFAULT_NAME.to_owned()),
        color: calendar.hex_color.as_deref().and_then(plain_color),
        is_default: calendar.is_default == Some(true),
        role: None,
        access: if calendar.can_edit == Some(false) { Access::ReadOnly } else { Access::ReadWrite },
    }
}

/// A copy as seen. The etag is the series' own, and a mark of its exceptions' behind it, which may change apart from it.
fn seen(sheet: &Sheet, calendar: &str) -> Result<Seen> {
    let broken = |what| Error::new(ErrorKind::Malformed, format!("an event came without {what}"));
    let id = sheet.event.id().ok_or_else(|| broken("an id"))?;
    let mut etag = sheet.event.etag().ok_or_else(|| broken("an etag"))?;
    if !sheet.exceptions.is_empty() || !sheet.cancelled.is_empty() {
        let of_exceptions: Vec<String> = sheet.exceptions.iter().filter_map(wire::Event::etag).collect();
        etag = format!("{etag} {}", card::key(&format!("{of_exceptions:?}{:?}", sheet.cancelled)));
    }
    let stamps = sheet.exceptions.iter().chain([&sheet.event]).filter_map(wire::Event::modified_ms);
    Ok(Seen {
        remote_id: RemoteId::from(id),
        collection: CollectionId::from(calendar),
        etag: Etag(etag),
        uid: sheet.uid(),
        mark: sheet.mark(),
        modified_ms: stamps.max(),
        rendering: sheet.close(),
    })
}

/// The series' own etag, as `If-Match` takes it.
fn guard(etag: &Etag) -> &str {
    etag.as_str().rsplit_once("\" ").map_or(etag.as_str(), |(own, _)| &etag.as_str()[..=own.len()])
}

/// What a page says of an event in a calendar.
fn entry(sheet: &Sheet, calendar: &str) -> Entry {
    match seen(sheet, calendar) {
        Ok(seen) => Entry::Seen(Box::new(seen)),
        Err(error) => Entry::Bad {
            remote_id: RemoteId::from(sheet.event.id().unwrap_or_default()),
            collection: CollectionId::from(calendar),
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
    fn the_guard_is_the_series_own_etag() {
        assert_eq!(guard(&Etag::from("W/\"abc\"")), "W/\"abc\"");
        assert_eq!(guard(&Etag::from("W/\"abc\" 0123456789")), "W/\"abc\"");
    }

    #[test]
    fn rights_and_colours_come_with_a_calendar() {
        let of = |value| collection(Calendar::from_value(&value).unwrap());
        let own = of(
            serde_json::json!({"id": "1", "name": "Work", "hexColor": "#FF0000", "canEdit": true, "isDefaultCalendar": true}),
        );
        assert_eq!((own.color.as_deref(), own.access, own.is_default), (Some("#ff0000"), Access::ReadWrite, true));
        let holidays = of(serde_json::json!({"id": "2", "name": "Holidays", "hexColor": "", "canEdit": false}));
        assert_eq!((holidays.color, holidays.access, holidays.is_default), (None, Access::ReadOnly, false));
    }
}
