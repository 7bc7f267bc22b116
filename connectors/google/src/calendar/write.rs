//! Writing: one request after another, each guarded by the state that it rests on.
//!
//! A series is its master and its exceptions, each with a request of its own. Once the first of them was executed, a failure can no
//! longer say "not executed": where the state had moved it stays that, and everything else is unknown. Either way what is there is looked
//! at again and merged; what was executed says there what the hub says too.

use twofold_model::error::AtPlace;
use twofold_model::{Error, ErrorKind, Etag, Mark, Operation, Place, Rendering, Result, Written};

use super::api::Tell;
use super::changes::{Changes, RowChange, difference, etag};
use super::ids::{self, ATTEMPTS};
use super::rendering::{Series, event_id, master_etag, private_mark};
use super::wire::{Object, WRITABLE, is_cancelled, series_of, text};
use super::{Calendar, again, api};

impl Calendar {
    /// Carries out the operations and answers for each. Where asking again would fail the same way, what was still to come fails too.
    pub(crate) async fn write(&self, operations: &[Operation], tell: Tell) -> Vec<Result<Written>> {
        let mut answers: Vec<Result<Written>> = Vec::with_capacity(operations.len());
        let mut end: Option<Error> = None;
        for operation in operations {
            if let Some(error) = &end {
                answers.push(Err(again(error)));
                continue;
            }
            let mut progress = Progress { tell, is_begun: false };
            let answer = match operation {
                Operation::Create { collection, rendering, mark, .. } => {
                    self.create(collection.as_str(), rendering, mark, &mut progress).await.at(mark)
                }
                Operation::Update { place, etag, from, to } => {
                    self.update(place, etag, from, to, &mut progress).await.at(&place.remote_id)
                }
                Operation::Delete { place, etag } => self.delete(place, etag, &mut progress).await.at(&place.remote_id),
                Operation::Copy { .. } | Operation::Move { .. } => Err(operation.has_no_way()),
            };
            if let Err(error) = &answer {
                end = error.kind.is_of_the_place().then(|| again(error));
            }
            answers.push(answer.map_err(|error| progress.after(error)));
        }
        answers
    }

    // ---- create -------------------------------------------------------------------------------------------------------

    async fn create(
        &self,
        calendar: &str,
        rendering: &Rendering,
        mark: &Mark,
        progress: &mut Progress,
    ) -> Result<Written> {
        let to = Series::parse(rendering)?;
        let Some(event) = &to.event else {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "not representable at Google: several occurrences without their series",
            ));
        };
        let made = match text(event, "id") {
            Some(_) => match self.insert(calendar, event, mark, progress.tell).await? {
                Inserted::Made(event) => event,
                Inserted::There(id) => return self.is_there(calendar, &id, &to).await,
            },
            None => read_made(&self.client.send(api::import(calendar, event)).await?)?,
        };
        progress.is_begun = true;
        let mut series = Series { event: Some(made), ..Series::default() };
        for (_, row) in to.rows() {
            let change = RowChange { id: String::new(), row: row.clone(), from: None };
            // The copy is there: what it lacks is found by looking at it.
            self.change_row(calendar, (&mut series, &to), change, progress.tell)
                .await
                .map_err(|error| unknown(&error))?;
        }
        series.take_usual(&self.usual(calendar));
        series.seen(calendar).map(Some).map_err(|error| unknown(&error))
    }

    /// Inserts an event under an id of our own. An id that is taken by an event that was deleted since gives way to the next.
    async fn insert(&self, calendar: &str, event: &Object, mark: &Mark, tell: Tell) -> Result<Inserted> {
        let mut event = event.clone();
        // Who organizes it follows from the calendar that it stands in.
        event.shift_remove("organizer");
        for attempt in 0..ATTEMPTS {
            let id = ids::chosen(mark, attempt);
            event.insert("id".into(), id.as_str().into());
            let refusal = match self.client.send(api::insert(calendar, &event, tell)).await {
                Ok(response) => return Ok(Inserted::Made(read_made(&response)?)),
                Err(error) if error.kind == ErrorKind::Refused => error,
                Err(error) => return Err(error),
            };
            // Provider: 409 for an id that is taken. Whether it was that is told by looking.
            match self.get(calendar, &id).await {
                Ok(there) if is_cancelled(&there) => {}
                Ok(there) if private_mark(&there).as_ref() == Some(mark) => return Ok(Inserted::There(id)),
                Ok(_) => {}
                Err(error) if error.kind == ErrorKind::NotFound => return Err(refusal),
                Err(error) => return Err(unknown(&error)),
            }
        }
        Err(Error::new(ErrorKind::Refused, "every id for this event is taken there by one that was deleted"))
    }

    /// An earlier create was executed. It is done if it says what is meant; else what it says is looked at before anything is sent.
    async fn is_there(&self, calendar: &str, id: &str, to: &Series) -> Result<Written> {
        let there = self.look_at(calendar, id).await.map_err(|error| unknown(&error))?;
        let says = |series: &Series| self.lens.says(series).ok();
        match there {
            Some(there) if says(&there).is_some() && says(&there) == says(to) => Ok(Some(there.seen(calendar)?)),
            _ => Err(Error::new(ErrorKind::Unknown, "an earlier create of it is there and says something else")),
        }
    }

    // ---- update -------------------------------------------------------------------------------------------------------

    async fn update(
        &self,
        place: &Place,
        state: &Etag,
        from: &Rendering,
        to: &Rendering,
        progress: &mut Progress,
    ) -> Result<Written> {
        let calendar = place.collection.as_str();
        let (from, to) = (Series::parse(from)?, Series::parse(to)?);
        let changes = Changes::between(&from, &to);
        if changes.master.is_empty() && changes.rows.is_empty() {
            return self.unchanged(place, state).await;
        }
        let mut series = from.clone();
        series.is_partial = false;
        let mut rows = changes.rows;
        if !changes.master.is_empty() {
            let guard = from.event.as_ref().and_then(etag).ok_or_else(|| stale("the base has no etag"))?;
            let request = api::patch(calendar, event_id(&place.remote_id), guard, changes.master, progress.tell);
            series.event = Some(read_made(&self.client.send(request).await?)?);
            progress.is_begun = true;
            if to.exceptions.is_empty() {
                series.exceptions.clear();
            } else if !from.exceptions.is_empty() {
                // Provider: exceptions follow a change of their master, and some are dropped by a new rule or start.
                series.exceptions = self.exceptions(calendar, &series).await.map_err(|error| unknown(&error))?;
                rows = after_master(&from, &to, &series)?;
            }
        }
        for change in rows {
            let was_there = from.exceptions.contains_key(&change.id);
            let is_lost = was_there && change.from.is_none();
            match self.change_row(calendar, (&mut series, &to), change, progress.tell).await {
                Ok(()) => progress.is_begun = true,
                // It does not fit into the series any more.
                Err(error) if is_lost && error.kind == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        series.take_usual(&self.usual(calendar));
        series.seen(calendar).map(Some).map_err(|error| unknown(&error))
    }

    /// Nothing that is sent differs: the copy as it is, if it is in the state that was agreed.
    async fn unchanged(&self, place: &Place, state: &Etag) -> Result<Written> {
        let there = self.look_at(place.collection.as_str(), event_id(&place.remote_id)).await.map_err(not_executed)?;
        let there = there.ok_or_else(|| Error::new(ErrorKind::NotFound, "the event is not there"))?;
        let seen = there.seen(place.collection.as_str())?;
        if seen.etag == *state { Ok(Some(seen)) } else { Err(stale("it changed there meanwhile")) }
    }

    /// Carries out the change of one exception; `series` has it afterwards. An occurrence that is no exception yet is looked for by its
    /// original start: exactly one must have it.
    async fn change_row(
        &self,
        calendar: &str,
        (series, to): (&mut Series, &Series),
        change: RowChange,
        tell: Tell,
    ) -> Result<()> {
        let (id, guard, body) = match &change.from {
            Some(from) => {
                let id = text(from, "id").unwrap_or(&change.id).to_owned();
                let guard = etag(from).ok_or_else(|| stale("the base of an exception has no etag"))?.to_owned();
                (id, guard, difference(from, &change.row))
            }
            None => {
                let instance = self.find_row(calendar, series, &change.row).await.map_err(not_executed)?;
                let (Some(id), Some(guard)) = (text(&instance, "id"), etag(&instance)) else {
                    return Err(not_executed(Error::new(ErrorKind::Malformed, "an occurrence without id or etag")));
                };
                let (id, guard) = (id.to_owned(), guard.to_owned());
                if self.is_exception(calendar, series, &id, instance) {
                    return Err(stale("an occurrence changed there meanwhile"));
                }
                (id, guard, self.new_row(to, &change.row)?)
            }
        };
        let row = read_made(&self.client.send(api::patch(calendar, &id, &guard, body, tell)).await?)?;
        series.exceptions.insert(id, row.into());
        Ok(())
    }

    /// What is sent for an occurrence that is to become an exception: what differs from its master.
    fn new_row(&self, to: &Series, row: &Object) -> Result<Object> {
        if is_cancelled(row) {
            let mut body = Object::new();
            body.insert("status".into(), "cancelled".into());
            return Ok(body);
        }
        Ok(difference(&self.lens.instance(to, row)?, row))
    }

    /// Whether an occurrence says something else than its series does, or nothing that can be understood: somebody made an exception of it
    /// since the series was looked at.
    fn is_exception(&self, calendar: &str, series: &Series, id: &str, instance: Object) -> bool {
        let mut with = series.clone();
        with.exceptions.insert(id.to_owned(), instance.into());
        let says = |mut series: Series| {
            series.take_usual(&self.usual(calendar));
            self.lens.says(&series).ok()
        };
        says(series.clone()) != says(with)
    }

    /// The occurrence with the original start of a row, as it is now.
    async fn find_row(&self, calendar: &str, series: &Series, row: &Object) -> Result<Object> {
        let master = series.event.as_ref().and_then(|event| text(event, "id"));
        let master =
            master.ok_or_else(|| Error::new(ErrorKind::Refused, "an occurrence of a series that is not seen"))?;
        let at = self.lens.original_start(series, row)?;
        let mut instances = self.all(calendar, |page| api::instance_at(calendar, master, &at, page)).await?;
        instances
            .retain(|instance| series_of(instance) == Some(master) && self.lens.is_same_start(series, instance, row));
        match (instances.pop(), instances.pop()) {
            (Some(one), None) => Ok(one),
            (None, _) => Err(Error::new(ErrorKind::NotFound, "the series has no occurrence at that start")),
            _ => Err(Error::new(ErrorKind::Refused, "the series has more than one occurrence at that start")),
        }
    }

    // ---- delete -------------------------------------------------------------------------------------------------------

    async fn delete(&self, place: &Place, state: &Etag, progress: &mut Progress) -> Result<Written> {
        let (calendar, id) = (place.collection.as_str(), event_id(&place.remote_id));
        let (guard, has_exceptions) = master_etag(state);
        if has_exceptions || guard.is_empty() {
            // The master's etag alone says nothing about its exceptions.
            let seen = self.fetch(std::slice::from_ref(place)).await.remove(0).map_err(not_executed)?;
            let Some(seen) = seen else { return Ok(None) };
            if seen.etag != *state {
                return Err(stale("it changed there meanwhile"));
            }
            if guard.is_empty() {
                return self.delete_lone(calendar, &Series::parse(&seen.rendering)?, progress).await;
            }
        }
        self.remove(calendar, id, &Etag(guard.to_owned()), progress.tell).await?;
        Ok(None)
    }

    /// Occurrences without their master go one by one.
    async fn delete_lone(&self, calendar: &str, series: &Series, progress: &mut Progress) -> Result<Written> {
        for (id, row) in series.rows().filter(|(_, row)| !is_cancelled(row)) {
            let guard = etag(row).ok_or_else(|| stale("an occurrence has no etag"))?;
            self.remove(calendar, id, &Etag(guard.to_owned()), progress.tell).await?;
            progress.is_begun = true;
        }
        Ok(None)
    }

    async fn remove(&self, calendar: &str, id: &str, guard: &Etag, tell: Tell) -> Result<()> {
        match self.client.send(api::delete(calendar, id, guard, tell)).await {
            Ok(_) => Ok(()),
            // It is gone already.
            Err(error) if error.kind == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// What an insert came to.
enum Inserted {
    Made(Object),
    /// An earlier one was executed.
    There(String),
}

/// How far an operation came.
#[derive(Default)]
struct Progress {
    /// Who hears of it.
    tell: Tell,
    /// Something of it was executed.
    is_begun: bool,
}

impl Progress {
    /// What a failure says about the whole operation.
    fn after(&self, error: Error) -> Error {
        let stays = matches!(
            error.kind,
            ErrorKind::StaleEtag
                | ErrorKind::Refused
                | ErrorKind::Unsupported
                | ErrorKind::NotFound
                | ErrorKind::Unknown
        );
        if self.is_begun && !stays { unknown(&error) } else { error }
    }
}

/// The exceptions that have to be written after their master was, against what is there now. Those that Google dropped are new
/// ones.
///
/// # Errors
/// [`ErrorKind::StaleEtag`] where an exception says something that neither we nor its master said.
fn after_master(from: &Series, to: &Series, now: &Series) -> Result<Vec<RowChange>> {
    let mut rows = Vec::new();
    for (id, row) in to.rows() {
        let (before, there) = (from.exceptions.get(id), now.exceptions.get(id));
        let (before, there) = (before.and_then(|row| row.as_object()), there.and_then(|row| row.as_object()));
        let Some(there) = there else {
            rows.push(RowChange { id: id.to_owned(), row: row.clone(), from: None });
            continue;
        };
        if before == Some(row) || difference(there, row).is_empty() {
            continue;
        }
        let is_ours = |name: &&str| {
            let says = there.get(*name);
            let masters = now.event.as_ref().and_then(|event| event.get(*name));
            says == before.and_then(|before| before.get(*name)) || says == row.get(*name) || says == masters
        };
        if !WRITABLE.iter().all(is_ours) {
            return Err(stale("an exception changed there meanwhile"));
        }
        rows.push(RowChange { id: id.to_owned(), row: row.clone(), from: Some(there.clone()) });
    }
    Ok(rows)
}

/// The event that a write answered. An answer that cannot be read leaves it unknown what was executed.
fn read_made(response: &twofold_http::Response) -> Result<Object> {
    api::read_event(response).map_err(|error| unknown(&error))
}

/// The same failure, when it no longer proves that nothing was executed.
fn unknown(error: &Error) -> Error {
    let mut copy = again(error);
    copy.kind = ErrorKind::Unknown;
    copy
}

/// A read before the write failed: the write was not sent.
fn not_executed(mut error: Error) -> Error {
    if !error.kind.proves_not_executed() {
        error.kind = ErrorKind::Offline;
    }
    error
}

fn stale(words: &str) -> Error {
    Error::new(ErrorKind::StaleEtag, words)
}
