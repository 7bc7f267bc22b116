//! Reading: the feed of a calendar page by page, single series, look-ups.

use futures_util::{StreamExt, stream};
use serde_json::Value;
use std::collections::HashMap;
use twofold_http::Pages;
use twofold_model::error::AtPlace;
use twofold_model::{
    CollectionId, Entry, Error, ErrorKind, Found, Lookup, Next, Page, Place, RemoteId, Result, Seen, Since,
};

use super::ids::{self, ATTEMPTS};
use super::rendering::{MARK_KEY, Series, Usual, event_id, private_mark, remote_id};
use super::round::{Held, Round, Token};
use super::wire::{Events, Object, is_cancelled, is_recurring, series_of, text};
use super::{Calendar, again, api};

/// Single gets at a time.
const PARALLEL: usize = 4;

/// What a look at one event came to.
enum Look {
    /// Deleted.
    Gone,
    /// There is no such event; there may be occurrences of it all the same.
    Missing,
    Here(Box<Series>),
}

impl Calendar {
    /// One page of a calendar's feed.
    pub(crate) async fn changes(&self, calendar: &str, since: &Since) -> Result<Page> {
        let round = match since {
            Since::Start => Round::new(None),
            Since::Token(token) => Round::new(Some(Token::read(token)?)),
            Since::Page(link) => Round::read(link)?,
        };
        self.page(calendar, round).await
    }

    async fn page(&self, calendar: &str, mut round: Round) -> Result<Page> {
        let answer = match self.list(calendar, &round).await {
            // Whatever a refusal of the token says, a full listing tells whether it was the token: the cycle tries that once.
            Err(error) if error.kind == ErrorKind::Refused && round.since.is_some() => {
                return Err(Error::new(ErrorKind::TokenExpired, error.message));
            }
            answer => answer?,
        };
        let usual = self.learn(calendar, &answer);
        let mut entries = Vec::with_capacity(answer.items.len());
        for row in answer.items {
            take_row(calendar, row, &usual, &mut round, &mut entries);
        }
        if answer.next_page_token.is_some() {
            round.page = answer.next_page_token;
            return Ok(Page { entries, next: Next::Page(round.write()) });
        }
        let held = std::mem::take(&mut round.held);
        let is_delta = round.since.is_some();
        let united: Vec<_> =
            held.into_iter().map(|(id, held)| self.unite(calendar, id, held, &usual, is_delta)).collect();
        let united: Vec<Result<Option<Entry>>> = stream::iter(united).buffered(PARALLEL).collect().await;
        for entry in united {
            entries.extend(entry?);
        }
        // A delta without a new token: the old one goes on to be good.
        let next = Next::Done(Token::write(answer.next_sync_token.or(round.since)));
        Ok(Page { entries, next })
    }

    async fn list(&self, calendar: &str, round: &Round) -> Result<Events> {
        let request = api::list(calendar, round.since.as_deref(), round.page.as_deref());
        api::read_events(&self.client.send(request).await?)
    }

    /// Remembers what a list says for events that do not say it themselves.
    fn learn(&self, calendar: &str, answer: &Events) -> Usual {
        let usual = Usual { reminders: answer.default_reminders.clone(), zone: answer.time_zone.clone() };
        self.memory().insert(calendar.to_owned(), usual.clone());
        usual
    }

    /// What is known of a calendar from lists.
    pub(super) fn usual(&self, calendar: &str) -> Usual {
        self.memory().get(calendar).cloned().unwrap_or_default()
    }

    /// What a round told of one series, in one piece. A series that Google refuses to tell keeps nobody else back; an answer that cannot be
    /// understood (a front end's page, half a text) says nothing of the series, and the round is asked for again.
    async fn unite(
        &self,
        calendar: &str,
        id: String,
        held: Held,
        usual: &Usual,
        is_delta: bool,
    ) -> Result<Option<Entry>> {
        let name = remote_id(calendar, &id);
        let raw = serde_json::to_vec(&held).unwrap_or_default();
        match self.whole(calendar, &id, held, is_delta).await {
            Ok(Some(mut series)) => {
                series.take_usual(usual);
                Ok(Some(entry(calendar, &name, &series)))
            }
            Ok(None) => Ok(is_delta.then_some(Entry::Gone(name))),
            Err(error) if matches!(error.kind, ErrorKind::Refused | ErrorKind::Forbidden) => {
                Ok(Some(bad(calendar, name, &error.message, raw)))
            }
            Err(error) => Err(error),
        }
    }

    /// A series of which a round told; `None` where nothing of it is left. A delta tells some exceptions only, so the others are asked
    /// for.
    async fn whole(&self, calendar: &str, id: &str, held: Held, is_delta: bool) -> Result<Option<Series>> {
        let is_left = held.rows.values().filter_map(Value::as_object).any(|row| !is_cancelled(row));
        let mut series = Series { event: held.event, exceptions: held.rows, ..Series::default() };
        if held.is_gone || (series.event.is_none() && !is_delta && !is_left) {
            return Ok(None);
        }
        if series.event.is_none() {
            // Occurrences whose series was not told of: it did not change, or the user does not see it.
            series.event = match self.get(calendar, id).await {
                Ok(event) if is_cancelled(&event) => return Ok(None),
                Ok(event) => Some(event),
                Err(error) if matches!(error.kind, ErrorKind::NotFound | ErrorKind::Forbidden) && is_left => None,
                Err(error) if error.kind == ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(error),
            };
        }
        if !series.is_series() {
            // It repeats no more.
            series.exceptions.clear();
        } else if is_delta {
            let uid = series.parts().find_map(|part| text(part, "iCalUID")).map(str::to_owned);
            if let Some(uid) = uid {
                let mut rows = self.rows_of(calendar, &uid, id).await?;
                rows.extend(std::mem::take(&mut series.exceptions));
                series.exceptions = rows;
            }
            // What a filtered list does not name was not looked at.
            series.is_partial = true;
        }
        Ok(Some(series))
    }

    /// One event by its id.
    pub(super) async fn get(&self, calendar: &str, id: &str) -> Result<Object> {
        api::read_event(&self.client.send(api::get(calendar, id)).await?)
    }

    /// Each copy as it is now.
    pub(crate) async fn fetch(&self, places: &[Place]) -> Vec<Result<Option<Seen>>> {
        let asked: Vec<_> = places
            .iter()
            .map(|place| async move { self.look(place.collection.as_str(), event_id(&place.remote_id)).await })
            .collect();
        let looks: Vec<Result<Look>> = stream::iter(asked).buffered(PARALLEL).collect().await;
        let mut strays: HashMap<&CollectionId, Result<HashMap<String, Series>>> = HashMap::new();
        let mut answers = Vec::with_capacity(places.len());
        for (place, look) in places.iter().zip(looks) {
            let calendar = place.collection.as_str();
            let series = match look {
                Ok(Look::Here(series)) => Ok(Some(*series)),
                Ok(Look::Gone) => Ok(None),
                Ok(Look::Missing) => {
                    if !strays.contains_key(&place.collection) {
                        strays.insert(&place.collection, self.strays(calendar).await);
                    }
                    match &strays[&place.collection] {
                        Ok(strays) => Ok(strays.get(event_id(&place.remote_id)).cloned()),
                        Err(error) => Err(again(error)),
                    }
                }
                Err(error) => Err(error),
            };
            let seen = series.and_then(|series| series.map(|series| series.seen(calendar)).transpose());
            answers.push(seen.at(&place.remote_id));
        }
        answers
    }

    /// One event, with its exceptions where it is a series.
    async fn look(&self, calendar: &str, id: &str) -> Result<Look> {
        let event = match self.get(calendar, id).await {
            Ok(event) if is_cancelled(&event) => return Ok(Look::Gone),
            Ok(event) => event,
            Err(error) if error.kind == ErrorKind::NotFound => return Ok(Look::Missing),
            Err(error) => return Err(error),
        };
        let mut series = Series { event: Some(event), ..Series::default() };
        if series.is_series() {
            series.exceptions = self.exceptions(calendar, &series).await?;
            // What a filtered list does not name was not looked at.
            series.is_partial = true;
        }
        series.take_usual(&self.usual(calendar));
        Ok(Look::Here(Box::new(series)))
    }

    /// A copy that is there for certain.
    pub(super) async fn look_at(&self, calendar: &str, id: &str) -> Result<Option<Series>> {
        match self.look(calendar, id).await? {
            Look::Here(series) => Ok(Some(*series)),
            Look::Gone | Look::Missing => Ok(None),
        }
    }

    /// The exceptions of a series, by their ids.
    pub(super) async fn exceptions(&self, calendar: &str, series: &Series) -> Result<Object> {
        let of = |name: &str| series.event.as_ref().and_then(|event| text(event, name));
        let (Some(uid), Some(id)) = (of("iCalUID"), of("id")) else {
            return Err(Error::new(ErrorKind::Malformed, "a series without its iCalUID"));
        };
        self.rows_of(calendar, uid, id).await
    }

    /// The exceptions of the series with that UID and id, by their ids.
    async fn rows_of(&self, calendar: &str, uid: &str, id: &str) -> Result<Object> {
        let rows = self.all(calendar, |page| api::list_series(calendar, uid, page)).await?;
        let rows = rows.into_iter().filter(|row| series_of(row) == Some(id));
        let named = rows.filter_map(|row| Some((text(&row, "id")?.to_owned(), Value::Object(row))));
        Ok(named.collect())
    }

    /// The events of all pages of a list, or an error; never a part of them.
    pub(super) async fn all(
        &self,
        calendar: &str,
        request: impl Fn(Option<&str>) -> twofold_http::Request,
    ) -> Result<Vec<Object>> {
        let (mut rows, mut pages) = (Vec::new(), Pages::default());
        let mut page: Option<String> = None;
        loop {
            let answer = api::read_events(&self.client.send(request(page.as_deref())).await?)?;
            self.learn(calendar, &answer);
            pages.take(answer.items.iter().filter_map(|row| text(row, "id")))?;
            rows.extend(answer.items);
            page = answer.next_page_token;
            if page.is_none() {
                return Ok(rows);
            }
        }
    }

    /// Occurrences of series that the user does not see, by the ids of these: what a full listing shows of them. It also proves that the
    /// calendar is there, so that what is missing in it is missing.
    async fn strays(&self, calendar: &str) -> Result<HashMap<String, Series>> {
        let unreadable = |error: Error| match error.kind {
            // Of a calendar that is not there nothing can be said about an event.
            ErrorKind::NotFound => {
                Error::new(ErrorKind::Forbidden, format!("the calendar cannot be read: {}", error.message))
            }
            _ => error,
        };
        let (mut round, mut pages) = (Round::new(None), Pages::default());
        loop {
            let answer = self.list(calendar, &round).await.map_err(unreadable)?;
            pages.take(answer.items.iter().filter_map(|row| text(row, "id")))?;
            let usual = self.learn(calendar, &answer);
            answer.items.into_iter().for_each(|row| take_row(calendar, row, &usual, &mut round, &mut Vec::new()));
            round.page = answer.next_page_token;
            if round.page.is_none() {
                let strays = round.held.into_iter().filter(|(_, held)| held.event.is_none() && !held.is_gone);
                let strays = strays.map(|(id, held)| {
                    let mut series = Series { exceptions: held.rows, ..Series::default() };
                    series.take_usual(&usual);
                    (id, series)
                });
                let is_left = |series: &Series| series.rows().any(|(_, row)| !is_cancelled(row));
                return Ok(strays.filter(|(_, series)| is_left(series)).collect());
            }
        }
    }

    /// Looks for creates: by their own ids, then by their marks (imports have no id of ours).
    pub(crate) async fn find(&self, lookups: &[Lookup]) -> Vec<Result<Found>> {
        let asked: Vec<_> =
            lookups.iter().map(|lookup| async move { self.find_one(lookup).await.at(&lookup.uid) }).collect();
        stream::iter(asked).buffered(PARALLEL).collect().await
    }

    async fn find_one(&self, lookup: &Lookup) -> Result<Found> {
        let calendar = lookup.collection.as_str();
        for attempt in 0..ATTEMPTS {
            match self.look(calendar, &ids::chosen(&lookup.mark, attempt)).await? {
                Look::Here(series) => return Ok(Found::Here(Box::new(series.seen(calendar)?))),
                // Created, and removed since; the next attempt has another id.
                Look::Gone => {}
                Look::Missing => break,
            }
        }
        let mark = lookup.mark.to_string();
        let mut found = self.all(calendar, |page| api::list_marked(calendar, MARK_KEY, &mark, page)).await?;
        found.retain(|event| {
            !is_cancelled(event) && series_of(event).is_none() && private_mark(event).as_ref() == Some(&lookup.mark)
        });
        // Of two with one mark (people duplicate events) the one that was made first is taken.
        found.sort_by_key(|event| text(event, "created").unwrap_or_default().to_owned());
        let Some(id) = found.first().and_then(|event| text(event, "id")) else { return Ok(Found::Nowhere) };
        match self.look(calendar, id).await? {
            Look::Here(series) => Ok(Found::Here(Box::new(series.seen(calendar)?))),
            Look::Gone | Look::Missing => Ok(Found::Nowhere),
        }
    }
}

/// Takes in one row of a list: an event that happens once is told at once, parts of series are held.
fn take_row(calendar: &str, row: Object, usual: &Usual, round: &mut Round, entries: &mut Vec<Entry>) {
    let Some(id) = text(&row, "id").map(str::to_owned) else {
        let raw = serde_json::to_vec(&row).unwrap_or_default();
        let name = format!("unnamed-{}", twofold_model::event::key(&String::from_utf8_lossy(&raw)));
        entries.push(bad(calendar, remote_id(calendar, &name), "the row has no id", raw));
        return;
    };
    if let Some(series) = series_of(&row).map(str::to_owned) {
        round.hold_row(&series, &id, row);
    } else if is_cancelled(&row) {
        round.bury(&id);
    } else if is_recurring(&row) {
        round.hold_master(&id, row);
    } else {
        round.held.remove(&id);
        let mut series = Series { event: Some(row), ..Series::default() };
        series.take_usual(usual);
        entries.push(entry(calendar, &remote_id(calendar, &id), &series));
    }
}

fn entry(calendar: &str, name: &RemoteId, series: &Series) -> Entry {
    match series.seen(calendar) {
        Ok(copy) => Entry::Seen(Box::new(copy)),
        Err(error) => bad(calendar, name.clone(), &error.message, series.serialise().0),
    }
}

fn bad(calendar: &str, remote_id: RemoteId, reason: &str, raw: Vec<u8>) -> Entry {
    Entry::Bad { remote_id, collection: CollectionId(calendar.to_owned()), reason: reason.to_owned(), raw }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_last_word_on_an_event_counts() {
        let row = |value: Value| value.as_object().unwrap().clone();
        let living = || row(json!({"id": "a", "etag": "1", "start": {"date": "2026-01-01"}}));
        let (mut round, mut entries) = (Round::new(Some("s".into())), Vec::new());
        for event in [row(json!({"id": "a", "status": "cancelled"})), living()] {
            take_row("c", event, &Usual::default(), &mut round, &mut entries);
        }
        assert!(round.held.is_empty() && matches!(&entries[..], [Entry::Seen(_)]), "deleted, and there again");
        take_row("c", row(json!({"id": "a", "status": "cancelled"})), &Usual::default(), &mut round, &mut entries);
        assert!(round.held["a"].is_gone);
        take_row("c", row(json!({"summary": "nameless"})), &Usual::default(), &mut round, &mut entries);
        assert!(matches!(&entries[1], Entry::Bad { reason, .. } if reason.contains("no id")));
    }
}
