//! Reading: the feed page by page, single contacts, look-ups, photos.

use futures_util::{StreamExt, stream};
use std::collections::{BTreeSet, HashMap};
use std::ops::ControlFlow;
use std::sync::Arc;
use twofold_http::Pages;
use twofold_model::error::AtPlace;
use twofold_model::{
    CollectionId, Entry, Error, ErrorKind, Found, Lookup, Next, Page, Place, RemoteId, Result, Seen, Since,
};
use url::Url;

use super::groups::GroupTable;
use super::rendering::{self, MARK_KEY, client_data, encode, photo_data, photo_url, reduce, seen, set_photo_data};
use super::round::{Round, Stage, Token};
use super::wire::{ContactGroup, Object, Person, text};
use super::{COLLECTION, Contacts, LIST_LAG_MS, again, api};

/// Downloads and single gets at a time.
const PARALLEL: usize = 4;
/// So many photos are asked for before it is looked whether any came.
const PHOTO_RUN: usize = 8;
/// The largest photo that is taken.
const PHOTO_LIMIT: usize = 16 << 20;

/// What a row of a list came to.
enum Row {
    Told(Entry),
    Person(Object),
}

impl Contacts {
    /// One page of the feed.
    pub(crate) async fn changes(&self, since: &Since) -> Result<Page> {
        let round = match since {
            Since::Start => {
                let (table, token) = self.refresh_groups(None).await?;
                Round::full(Token::new(table, token))
            }
            Since::Token(token) => {
                let old = Token::read(token)?;
                let (table, groups) = self.refresh_groups(Some((&old.table, old.groups.as_deref()))).await?;
                let relists = table.changes_meaning(&old.table, &old.unresolved);
                let mut token = Token::new(table, groups);
                token.unresolved = old.unresolved;
                token.photos = old.photos;
                token.unresolved.retain(|group| !token.table.knows(group));
                Round::delta(old.connections, relists, token)
            }
            Since::Page(link) => Round::read(link)?,
        };
        self.page(round).await
    }

    async fn page(&self, mut round: Round) -> Result<Page> {
        let request = api::connections(round.since.as_deref(), round.page.as_deref(), round.stage != Stage::Relist);
        let answer = match self.client.send(request).await {
            // Whatever a refusal of the token says, a full listing tells whether it was the token: the cycle tries that once.
            Err(error) if error.kind == ErrorKind::Refused && round.since.is_some() => {
                return Err(Error::new(ErrorKind::TokenExpired, error.message));
            }
            answer => api::read_connections(&answer?)?,
        };
        let persons = self.whole(answer.connections).await?;
        self.learn_groups(&mut round.token.table, &persons).await?;
        let mut rows = Vec::with_capacity(persons.len());
        for person in persons {
            match person {
                Ok(person) => self.read_row(person, &mut round, &mut rows),
                Err(name) => rows.push(Row::Told(Entry::Gone(RemoteId(name)))),
            }
        }
        // A relist leaves the photos as they are (`settle_unknown`): what changed in them, the delta told.
        if round.stage != Stage::Relist {
            if round.stage == Stage::Delta && round.page.is_none() {
                rows.extend(self.late_photos(&mut round.token).await);
            }
            let persons = rows.iter_mut().filter_map(|row| match row {
                Row::Person(person) if photo_data(person).is_none() => Some(person),
                _ => None,
            });
            let missing = self.add_photos(persons.collect()).await;
            for row in &rows {
                if let Row::Person(person) = row {
                    round.token.photos.remove(text(person, "resourceName").unwrap_or_default());
                }
            }
            missing.into_iter().for_each(|name| round.token.photos.add(name));
        }
        let entries = rows.into_iter().map(entry).collect();
        let next = match round.advance(answer.next_page_token, answer.next_sync_token) {
            ControlFlow::Continue(round) => Next::Page(round.write()),
            ControlFlow::Break(token) => Next::Done(token.write()),
        };
        Ok(Page { entries, next })
    }

    /// The rows with the persons that the list cut short fetched whole; `Err` names one that is gone meanwhile.
    async fn whole(&self, persons: Vec<Person>) -> Result<Vec<Result<Person, String>>> {
        let is_cut = |person: &Person| {
            ["emailAddresses", "phoneNumbers"].iter().any(|field| person.items(field).len() >= api::LIST_CUT)
        };
        let cut = persons.iter().enumerate().filter(|(_, person)| is_cut(person));
        let cut: Vec<(usize, String)> =
            cut.filter_map(|(i, person)| Some((i, person.resource_name()?.to_owned()))).collect();
        let mut rows: Vec<Result<Person, String>> = persons.into_iter().map(Ok).collect();
        let asked: Vec<_> = cut.iter().map(|(_, name)| self.get(name)).collect();
        let fetched: Vec<Result<Person>> = stream::iter(asked).buffered(PARALLEL).collect().await;
        for ((i, name), person) in cut.iter().zip(fetched) {
            rows[*i] = match person {
                Ok(mut person) => {
                    // Only the list tells the former names.
                    let row = rows[*i].as_ref().ok();
                    let former = row.and_then(|row| row.0.get("metadata")?.get("previousResourceNames")).cloned();
                    if let (Some(former), Some(metadata)) = (former, person.0.get_mut("metadata")) {
                        metadata["previousResourceNames"] = former;
                    }
                    Ok(person)
                }
                Err(error) if error.kind == ErrorKind::NotFound => Err(name.clone()),
                Err(error) => return Err(error),
            };
        }
        Ok(rows)
    }

    /// One person by name, whole.
    pub(super) async fn get(&self, name: &str) -> Result<Person> {
        api::read_person(&self.client.send(api::get(name)).await?)
    }

    /// Reads one row: tombstone, rename, contact, or not ours.
    fn read_row(&self, person: Person, round: &mut Round, rows: &mut Vec<Row>) {
        let Some(name) = person.resource_name().map(str::to_owned) else {
            let raw = serde_json::to_vec(&person).unwrap_or_default();
            let remote_id =
                RemoteId(format!("people/unnamed-{}", twofold_model::card::key(&String::from_utf8_lossy(&raw))));
            rows.push(bad(remote_id, "the row has no resource name", raw));
            return;
        };
        if round.stage == Stage::Relist && round.told.contains(&name) {
            return;
        }
        if round.stage == Stage::Delta && round.relists {
            round.told.insert(name.clone());
        }
        for former in person.previous_names().filter(|former| *former != name) {
            rows.push(Row::Told(Entry::Renamed { from: RemoteId(former.to_owned()), to: RemoteId(name.clone()) }));
        }
        if person.is_deleted() {
            rows.push(Row::Told(Entry::Gone(RemoteId(name))));
        } else if person.sources().is_none() || (person.is_contact() && person.contact_source().is_none()) {
            let raw = serde_json::to_vec(&person).unwrap_or_default();
            rows.push(bad(RemoteId(name), "the row has no contact source with an etag", raw));
        } else if person.is_contact() && !is_outside(&person) {
            rows.push(Row::Person(reduce(person, &round.token.table, &mut round.token.unresolved)));
        }
    }

    /// Each copy as it is now.
    pub(crate) async fn fetch(&self, places: &[Place]) -> Vec<Result<Option<Seen>>> {
        let table = match self.groups().await {
            Ok(table) => table,
            Err(error) => return places.iter().map(|_| Err(again(&error))).collect(),
        };
        let mut answers = Vec::with_capacity(places.len());
        for chunk in places.chunks(api::GET_LIMIT) {
            let names: Vec<&str> = chunk.iter().map(|place| place.remote_id.as_str()).collect();
            let persons = self.persons(&names).await;
            answers.extend(self.seen_all(persons, GroupTable::clone(&table)).await);
        }
        answers
    }

    /// Persons by name, in their order.
    async fn persons(&self, names: &[&str]) -> Vec<Result<Person>> {
        let whole = match self.client.send(api::batch_get(names)).await {
            Ok(response) => api::read_batch_get(&response, names),
            Err(error) => Err(error),
        };
        match whole {
            Ok(persons) => persons,
            // One name that People cannot read must not keep the others from being read.
            Err(error) if names.len() > 1 && matches!(error.kind, ErrorKind::Refused | ErrorKind::NotFound) => {
                let asked: Vec<_> = names.iter().map(|name| self.get(name)).collect();
                stream::iter(asked).buffered(PARALLEL).collect().await
            }
            Err(error) => names.iter().map(|name| Err(again(&error)).at(name)).collect(),
        }
    }

    /// Persons as they came in a get, as copies. Gone are those that People does not find, calls deleted, or shows in no
    /// group at all (a contact without a group is not in the address book any more, and no list shows it).
    async fn seen_all(&self, persons: Vec<Result<Person>>, mut table: GroupTable) -> Vec<Result<Option<Seen>>> {
        let mut rows: Vec<Result<Option<Object>>> = Vec::with_capacity(persons.len());
        let persons: Vec<Result<Person, Error>> = persons;
        if let Err(error) = self.learn_groups(&mut table, &persons).await {
            return persons.iter().map(|_| Err(again(&error))).collect();
        }
        for person in persons {
            rows.push(match person {
                Err(error) if error.kind == ErrorKind::NotFound => Ok(None),
                Err(error) => Err(error),
                Ok(person) if person.is_deleted() => Ok(None),
                Ok(person) if person.sources().is_none() => {
                    Err(Error::new(ErrorKind::Malformed, "the contact came without its sources"))
                }
                Ok(person) if !person.is_contact() || person.group_names().next().is_none() => Ok(None),
                Ok(person) => Ok(Some(reduce(person, &table, &mut BTreeSet::new()))),
            });
        }
        let persons = rows.iter_mut().filter_map(|row| row.as_mut().ok()?.as_mut());
        self.add_photos(persons.collect()).await;
        rows.into_iter().map(|row| row?.map(|person| seen(&person)).transpose()).collect()
    }

    /// Looks for creates by their marks, over one listing.
    pub(crate) async fn find(&self, lookups: &[Lookup], now_ms: i64) -> Vec<Result<Found>> {
        let marks: BTreeSet<String> = lookups.iter().map(|lookup| lookup.mark.to_string()).collect();
        let found = match self.find_marks(&marks).await {
            Ok(found) => found,
            Err(error) => return lookups.iter().map(|_| Err(again(&error))).collect(),
        };
        let places: Vec<Place> = found
            .values()
            .map(|name| Place { remote_id: RemoteId(name.clone()), collection: CollectionId(COLLECTION.into()) })
            .collect();
        let copies = if places.is_empty() { Vec::new() } else { self.fetch(&places).await };
        let mut copies: HashMap<&String, Result<Option<Seen>>> = found.keys().zip(copies).collect();
        let mut answer = |lookup: &Lookup| match copies.remove(&lookup.mark.to_string()) {
            Some(Ok(Some(copy))) => Ok(Found::Here(Box::new(copy))),
            Some(Err(error)) => Err(error),
            // Created, and removed since: nothing of it is left.
            Some(Ok(None)) => Ok(Found::Nowhere),
            None => match lookup.sent_ms.saturating_add(LIST_LAG_MS) {
                until if now_ms < until => Ok(Found::NotBefore(until)),
                _ => Ok(Found::Nowhere),
            },
        };
        lookups.iter().map(&mut answer).collect()
    }

    /// Which persons carry which of these marks. Of two with one mark (people duplicate contacts) the one that was changed
    /// first is taken.
    async fn find_marks(&self, marks: &BTreeSet<String>) -> Result<HashMap<String, String>> {
        let mut found: HashMap<String, (Option<i64>, String)> = HashMap::new();
        let (mut page, mut pages): (Option<String>, _) = (None, Pages::default());
        loop {
            let answer = api::read_connections(&self.client.send(api::marks(page.as_deref())).await?)?;
            pages.take(answer.connections.iter().filter_map(Person::resource_name))?;
            for person in answer.connections.iter().filter(|person| !person.is_deleted()) {
                let mark = client_data(&person.0, MARK_KEY).filter(|mark| marks.contains(*mark));
                let (Some(mark), Some(name)) = (mark, person.resource_name()) else { continue };
                let changed = person.contact_source().and_then(|source| source.update_time);
                let changed = changed.and_then(|time| chrono::DateTime::parse_from_rfc3339(time).ok());
                let candidate = (changed.map(|time| time.timestamp_millis()), name.to_owned());
                match found.get(mark) {
                    Some(other) if *other <= candidate => {}
                    _ => drop(found.insert(mark.to_owned(), candidate)),
                }
            }
            page = answer.next_page_token;
            if page.is_none() {
                return Ok(found.into_iter().map(|(mark, (_, name))| (mark, name)).collect());
            }
        }
    }

    // ---- groups -------------------------------------------------------------------------------------------------------

    /// The groups as last listed, listed now if they never were.
    pub(super) async fn groups(&self) -> Result<Arc<GroupTable>> {
        let known = self.memory().groups.clone();
        match known {
            Some(table) => Ok(table),
            None => Ok(Arc::new(self.refresh_groups(None).await?.0)),
        }
    }

    /// The table of groups and the token for the next time: from what changed since `before`, else from a full listing.
    pub(super) async fn refresh_groups(
        &self,
        before: Option<(&GroupTable, Option<&str>)>,
    ) -> Result<(GroupTable, Option<String>)> {
        let delta = match before {
            Some((table, Some(token))) => match self.list_groups(Some(token)).await {
                Ok((rows, next)) => Some((table.clone(), rows, next.or_else(|| Some(token.to_owned())))),
                Err(error) if matches!(error.kind, ErrorKind::TokenExpired | ErrorKind::Refused) => None,
                Err(error) => return Err(error),
            },
            _ => None,
        };
        let (mut table, rows, token) = match delta {
            Some(delta) => delta,
            None => {
                let (rows, token) = self.list_groups(None).await?;
                (GroupTable::default(), rows, token)
            }
        };
        rows.iter().for_each(|group| table.take(group));
        self.memory().groups = Some(Arc::new(table.clone()));
        Ok((table, token))
    }

    /// All pages of the groups, or an error; never a part of them.
    async fn list_groups(&self, since: Option<&str>) -> Result<(Vec<ContactGroup>, Option<String>)> {
        let mut rows = Vec::new();
        let (mut page, mut pages): (Option<String>, _) = (None, Pages::default());
        loop {
            let request = api::list_groups(since, page.as_deref());
            let answer = api::read_groups(&self.client.send(request).await?)?;
            pages.take(answer.contact_groups.iter().map(|group| group.resource_name.as_str())).at("list groups")?;
            rows.extend(answer.contact_groups);
            page = answer.next_page_token;
            if page.is_none() {
                return Ok((rows, answer.next_sync_token));
            }
        }
    }

    /// Where persons are in groups that the table does not know (made between two requests), lists the groups once more and
    /// adds those that are new. Known ones stay as they are: the next delta of the groups tells what became of them.
    pub(super) async fn learn_groups<E>(&self, table: &mut GroupTable, persons: &[Result<Person, E>]) -> Result<()> {
        let mut named = persons.iter().filter_map(|person| person.as_ref().ok()).flat_map(Person::group_names);
        if named.all(|group| table.knows(group)) {
            return Ok(());
        }
        let (now, _) = self.refresh_groups(None).await?;
        for (group, name) in now.0 {
            table.0.entry(group).or_insert(name);
        }
        Ok(())
    }

    // ---- photos -------------------------------------------------------------------------------------------------------

    /// Fetches the photo of each person that has one; tells whose could not be had. A photo that cannot be had is left unknown
    /// ([`super::rendering`]): it keeps neither the person nor the page back. When none of a run of photos can be had because
    /// of their host, it is down, and the rest is not asked for.
    pub(super) async fn add_photos(&self, persons: Vec<&mut Object>) -> Vec<String> {
        let mut missing = Vec::new();
        let mut is_down = false;
        let mut with_photo: Vec<&mut Object> =
            persons.into_iter().filter(|person| photo_url(person).is_some()).collect();
        for run in with_photo.chunks_mut(PHOTO_RUN) {
            let asked: Vec<_> = match is_down {
                true => Vec::new(),
                false => run.iter().filter_map(|person| Some(self.photo(photo_url(person)?.to_owned()))).collect(),
            };
            let photos: Vec<Result<(String, Vec<u8>)>> = stream::iter(asked).buffered(PARALLEL).collect().await;
            let mut photos = photos.into_iter();
            let mut without_host = 0;
            for person in run.iter_mut() {
                let name = text(person, "resourceName").unwrap_or_default().to_owned();
                match photos.next() {
                    Some(Ok((media_type, bytes))) => set_photo_data(person, &media_type, encode(&bytes)),
                    Some(Err(error)) => {
                        tracing::warn!(%error, "a contact's photo could not be downloaded; it stays as it was");
                        without_host += usize::from(error.kind.is_temporary() && error.kind != ErrorKind::Malformed);
                        missing.push(name);
                    }
                    None => missing.push(name),
                }
            }
            is_down |= without_host == PHOTO_RUN;
        }
        missing
    }

    /// Persons whose photo could not be had in an earlier round and can be now.
    async fn late_photos(&self, token: &mut Token) -> Vec<Row> {
        let names = token.photos.due(PHOTO_RUN);
        if names.is_empty() {
            return Vec::new();
        }
        let asked: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut persons: Vec<Object> = Vec::new();
        for (name, person) in names.iter().zip(self.persons(&asked).await) {
            match person {
                Ok(person) if person.contact_source().is_some() && person.group_names().next().is_some() => {
                    persons.push(reduce(person, &token.table, &mut token.unresolved));
                }
                // The delta or the next full listing tells what became of it.
                Ok(_) => token.photos.remove(name),
                Err(error) if error.kind == ErrorKind::NotFound => token.photos.remove(name),
                Err(_) => {}
            }
        }
        self.add_photos(persons.iter_mut().collect()).await;
        persons.retain(|person| photo_data(person).is_some() || photo_url(person).is_none());
        persons.into_iter().map(Row::Person).collect()
    }

    /// A photo's bytes. The token goes along only to the configured origin.
    async fn photo(&self, url: String) -> Result<(String, Vec<u8>)> {
        let request = api::photo(&url);
        let is_own = Url::parse(&url).is_ok_and(|url| url.origin() == self.client.base().origin());
        let response = match is_own {
            true => self.client.send(request).await?,
            false => self.client.send_anonymous(request, PHOTO_LIMIT).await?,
        };
        api::read_photo(response)
    }
}

/// A person whose memberships are told and hold no contact group. (A row that tells no memberships is taken as listed: the
/// list shows only what is in a group.)
fn is_outside(person: &Person) -> bool {
    !person.items("memberships").is_empty() && person.group_names().next().is_none()
}

fn entry(row: Row) -> Entry {
    let person = match row {
        Row::Told(entry) => return entry,
        Row::Person(person) => person,
    };
    match seen(&person) {
        Ok(copy) => Entry::Seen(Box::new(copy)),
        Err(error) => Entry::Bad {
            remote_id: RemoteId(text(&person, "resourceName").unwrap_or_default().to_owned()),
            collection: CollectionId(COLLECTION.into()),
            reason: error.message,
            raw: rendering::serialise(&person).0,
        },
    }
}

fn bad(remote_id: RemoteId, reason: &str, raw: Vec<u8>) -> Row {
    Row::Told(Entry::Bad { remote_id, collection: CollectionId(COLLECTION.into()), reason: reason.to_owned(), raw })
}
