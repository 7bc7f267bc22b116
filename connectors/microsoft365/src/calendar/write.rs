//! What is written: creates, changes and removals twenty to a batch, then the occurrences of each series, then a look at what became of
//! it all.
//!
//! A series is several writes: itself, then each occurrence by its own id (`occurrences.rs`). What is still to be written stands in an
//! extended property of the series while it is not ([`super::wire::PENDING`]), set by the write that makes the series or changes its
//! rule (which drops all exceptions there); whoever looks for what became of such a write brings it to its end first
//! ([`Calendars::finished`]). So nothing that was left half done is ever taken for somebody's edit.

use super::look::Look;
use super::sheet::Sheet;
use super::wire::{CARRY, Event, MARK, PENDING, UID, WRITABLE};
use super::{Calendars, api, guard, no_answer, number, seen, series};
use crate::{again, taken_as};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use twofold_http::{Effect, Part, Response};
use twofold_model::error::AtPlace;
use twofold_model::event::{occurrence, unchanged};
use twofold_model::{Content, Error, ErrorKind, Operation, Place, Result, Seen, Written};

/// What stands in the property of a series when nothing is pending: it is not known to go away.
pub(super) const NOTHING_PENDING: &str = "{}";

/// What one operation asks of the server.
pub(super) struct Task {
    /// The event's id; empty until it is made.
    pub(super) id: String,
    /// The calendar that it stands in.
    calendar: String,
    /// What is sent; `None` when the event itself stays as it is.
    pub(super) ask: Option<Part>,
    /// The event as it shall be, and as it was; `None` for a removal.
    pub(super) change: Option<Change>,
}

pub(super) struct Change {
    pub(super) from: Option<Sheet>,
    pub(super) to: Sheet,
    /// The fields that are sent of the event itself: the exceptions of a series may follow it there.
    pub(super) sent: Vec<&'static str>,
    /// Occurrences are to be written too, or were.
    pub(super) has_occurrences: bool,
    /// What was noted as pending with the first write.
    pub(super) is_noted: bool,
    /// The series as it was read before its occurrences were written.
    pub(super) before: Option<Event>,
}

impl Calendars {
    /// Carries out the operations.
    pub(crate) async fn write(&self, operations: &[Operation]) -> Vec<Result<Written>> {
        let mut tasks: Vec<Result<Task>> = operations.iter().map(|operation| self.task(operation)).collect();
        let mut answers = self.send(&mut tasks).await;
        self.send_again(operations, &mut tasks, &mut answers).await;
        self.look_for_removed(operations, &mut answers).await;
        self.adopt_repeated(operations, &mut tasks, &mut answers).await;
        for (task, answer) in tasks.iter_mut().zip(&mut answers) {
            let (Ok(task), Ok(event)) = (task, &*answer) else { continue };
            if let Err(error) = self.write_occurrences(task, event.as_ref()).await {
                *answer = Err(error);
            }
        }
        let written = self.confirm(&tasks, answers).await;
        written.into_iter().zip(operations).map(|(written, operation)| written.at(name(operation))).collect()
    }

    fn task(&self, operation: &Operation) -> Result<Task> {
        match operation {
            Operation::Create { collection, rendering, mark, .. } => {
                let to = Sheet::open(rendering)?;
                let has_occurrences = !to.exceptions.is_empty() || !to.cancelled.is_empty();
                let mut event = to.event.clone();
                if has_occurrences {
                    event.set_property(PENDING, &self.pending(&to)?);
                }
                let ask = api::create("w", collection.as_str(), &event, mark);
                let change = Change {
                    from: None,
                    to,
                    sent: Vec::new(),
                    has_occurrences,
                    is_noted: has_occurrences,
                    before: None,
                };
                let calendar = collection.0.clone();
                Ok(Task { id: String::new(), calendar, ask: Some(ask), change: Some(change) })
            }
            Operation::Update { place, etag, from, to } => {
                let (from, to) = (Sheet::open(from)?, Sheet::open(to)?);
                let id = place.remote_id.0.clone();
                let body = to.event.patch_body(&from.event);
                let is_sent = |name: &&str| body.as_ref().is_some_and(|body| body.get(*name).is_some());
                let sent: Vec<&str> = WRITABLE.into_iter().filter(is_sent).collect();
                let drops = drops_exceptions(&sent) && from.event.is_series();
                let has_any = !to.exceptions.is_empty() || !to.cancelled.is_empty();
                let differs = from.exceptions != to.exceptions || from.cancelled != to.cancelled;
                let has_occurrences = to.event.is_series() && (differs || (drops && has_any));
                let is_noted = has_occurrences && drops;
                let body = match (body, is_noted) {
                    (Some(mut body), true) => {
                        let mut noted = Event::default();
                        noted.set_property(PENDING, &self.pending(&to)?);
                        let Value::Array(property) = noted.0[crate::properties::PROPERTIES].take() else {
                            return Err(no_answer());
                        };
                        match &mut body[crate::properties::PROPERTIES] {
                            Value::Array(list) => list.extend(property),
                            list => *list = property.into(),
                        }
                        Some(body)
                    }
                    (body, _) => body,
                };
                let ask = body.map(|body| api::update("w", &id, Some(guard(etag)), body));
                let change = Change { from: Some(from), to, sent, has_occurrences, is_noted, before: None };
                Ok(Task { id, calendar: place.collection.0.clone(), ask, change: Some(change) })
            }
            Operation::Delete { place, etag } => {
                let id = place.remote_id.0.clone();
                let ask = api::delete("w", &id, Some(guard(etag)));
                Ok(Task { id, calendar: place.collection.0.clone(), ask: Some(ask), change: None })
            }
            Operation::Copy { .. } | Operation::Move { .. } => Err(operation.has_no_way()),
        }
    }

    /// The overrides that a rendering's occurrences say, as text.
    fn pending(&self, sheet: &Sheet) -> Result<String> {
        let says = series::read(self.times(), sheet)?;
        let overrides = says.get("recurrenceOverrides").cloned().unwrap_or_else(|| json!({}));
        Ok(overrides.to_string())
    }

    /// Sends the events themselves. `Ok(None)`: nothing was to be sent, or it is gone as asked.
    async fn send(&self, tasks: &mut [Result<Task>]) -> Vec<Result<Option<Event>>> {
        let mut asks: Vec<Part> = tasks.iter().flatten().filter_map(|task| task.ask.clone()).collect();
        number(&mut asks);
        let mut answers = self.graph.all("write events", Effect::Write, &asks).await.into_iter();
        let mut read = Vec::with_capacity(tasks.len());
        for task in tasks {
            read.push(match task {
                Err(error) => Err(again(error)),
                Ok(task) => {
                    let answer = match &task.ask {
                        None => Ok(None),
                        Some(_) => read_written(task, answers.next().unwrap_or_else(|| Err(no_answer()))),
                    };
                    if let Ok(Some(event)) = &answer
                        && let Some(id) = event.id()
                    {
                        task.id = id.to_owned();
                    }
                    answer
                }
            });
        }
        read
    }

    /// The server finds a conflict also where nobody else wrote (the service itself did, or had not finished with the write before). Where
    /// the event still is in the state that the write rested on, nothing was executed, and it is sent once more.
    async fn send_again(
        &self,
        operations: &[Operation],
        tasks: &mut [Result<Task>],
        answers: &mut [Result<Option<Event>>],
    ) {
        let etag_of = |operation: &Operation| match operation {
            Operation::Update { etag, .. } | Operation::Delete { etag, .. } => Some(etag.clone()),
            Operation::Create { .. } | Operation::Copy { .. } | Operation::Move { .. } => None,
        };
        for ((operation, task), answer) in operations.iter().zip(tasks).zip(answers) {
            let is_stale = answer.as_ref().is_err_and(|error| error.kind == ErrorKind::StaleEtag);
            let (Some(etag), Ok(task), true) = (etag_of(operation), task, is_stale) else { continue };
            let look = super::one(self.graph.all("read events", Effect::Read, &[api::exception("e", &task.id)]).await);
            let is_as_it_was = look
                .and_then(|answer| api::read_event(&answer))
                .is_ok_and(|event| event.etag().as_deref() == Some(guard(&etag)));
            if let (true, Some(ask)) = (is_as_it_was, &task.ask) {
                let again = self.graph.all("write events", Effect::Write, std::slice::from_ref(ask)).await;
                *answer = read_written(task, super::one(again));
            }
        }
    }

    /// An event that somebody else removed lies in Deleted Items under another change key, so that its removal is refused as stale:
    /// where it stands in no calendar any more, it is gone as asked.
    async fn look_for_removed(&self, operations: &[Operation], answers: &mut [Result<Option<Event>>]) {
        let is_stale = |answer: &Result<_>| answer.as_ref().is_err_and(|error| error.kind == ErrorKind::StaleEtag);
        let stale = operations.iter().zip(&*answers).enumerate();
        let (at, places): (Vec<usize>, Vec<Place>) = stale
            .filter_map(|(at, (operation, answer))| match operation {
                Operation::Delete { place, .. } if is_stale(answer) => Some((at, place.clone())),
                _ => None,
            })
            .unzip();
        if places.is_empty() {
            return;
        }
        for (at, look) in at.into_iter().zip(self.fetch(&places).await) {
            // What cannot be looked at stays refused.
            if matches!(look, Ok(None)) {
                answers[at] = Ok(None);
            }
        }
    }

    /// A create that is refused because there is one of the same transaction was executed before: that one is it.
    async fn adopt_repeated(
        &self,
        operations: &[Operation],
        tasks: &mut [Result<Task>],
        answers: &mut [Result<Option<Event>>],
    ) {
        for ((operation, task), answer) in operations.iter().zip(tasks).zip(answers) {
            let (Operation::Create { collection, mark, .. }, Ok(task)) = (operation, task) else { continue };
            let is_refused = answer.as_ref().is_err_and(|error| error.kind == ErrorKind::Refused);
            let is_repeat = answer.as_ref().is_err_and(|error| error.message.contains("DuplicateTransactionId"));
            if !is_refused || !is_repeat {
                continue;
            }
            let ask = api::marked("m", collection.as_str(), mark);
            let found = match super::one(self.graph.all("find events by mark", Effect::Read, &[ask]).await) {
                Ok(answer) => self.all_rows(answer).await,
                Err(error) => Err(error),
            };
            match found.map(|rows| rows.into_iter().find_map(|row| row.id().map(str::to_owned))) {
                Ok(Some(id)) => {
                    task.id = id;
                    *answer = Ok(None);
                }
                // There is one, and it cannot be found yet.
                _ => *answer = Err(Error::new(ErrorKind::Unknown, "it was made before, and cannot be found yet")),
            }
        }
    }

    // Afterwards

    /// Looks at what was written.
    async fn confirm(&self, tasks: &[Result<Task>], answers: Vec<Result<Option<Event>>>) -> Vec<Result<Written>> {
        let is_seen = |task: &Result<Task>, answer: &Result<Option<Event>>| match (task, answer) {
            (Ok(Task { id, change: Some(_), .. }), Ok(_)) => Some(id.clone()),
            _ => None,
        };
        let ids: Vec<String> = tasks.iter().zip(&answers).filter_map(|(task, answer)| is_seen(task, answer)).collect();
        let mut looks = self.look(&ids).await.into_iter();
        let mut written = Vec::with_capacity(tasks.len());
        for (task, answer) in tasks.iter().zip(answers) {
            written.push(match (task, answer) {
                (_, Err(error)) => Err(error),
                (Err(error), _) => Err(again(error)),
                (Ok(Task { change: None, .. }), Ok(_)) => Ok(None),
                (Ok(task @ Task { change: Some(change), .. }), Ok(event)) => {
                    let look = match looks.next() {
                        Some(Ok(Look::There(sheet))) => Some(*sheet),
                        _ => None,
                    };
                    self.settle(task, change, event, look).map(Some)
                }
            });
        }
        written
    }

    /// Whether nobody wrote between two looks at an event, or nothing that it says changed.
    pub(super) fn is_same(&self, before: &Event, after: &Event) -> bool {
        let says = |event: &Event| super::fields::read(self.times(), event).ok();
        before.etag() == after.etag() || says(before) == says(after)
    }

    /// The copy that a write left behind: from its answer, what was sent, and the look afterwards.
    fn settle(&self, task: &Task, change: &Change, answer: Option<Event>, look: Option<Sheet>) -> Result<Seen> {
        let sheet = match (answer, look) {
            // Several writes: what is there now of the occurrences is all there is.
            (_, Some(look)) if change.has_occurrences => match &change.before {
                Some(before) if !self.is_same(before, &look.event) => Sheet { event: before.clone(), ..look },
                _ => look,
            },
            (None, Some(look)) => look,
            (Some(answer), Some(look)) if self.is_same(&answer, &look.event) => look,
            // Somebody changed it between the answer and the look; to take that for our own doing would lose it.
            (Some(answer), _) if !change.has_occurrences => {
                Sheet { event: merged(answer, &change.to.event), ..change.to.clone() }
            }
            _ => {
                let message = format!("event {} was written, but what it looks like now cannot be read", task.id);
                return Err(Error::new(ErrorKind::Unknown, message));
            }
        };
        if change.from.as_ref().is_some_and(|from| self.is_edited(from, change, &sheet)) {
            // Whoever looks again merges it; as the base it would be nobody's edit.
            return Err(Error::new(ErrorKind::StaleEtag, "an occurrence of it was changed there meanwhile"));
        }
        seen(&sheet, &task.calendar)
    }

    /// Whether an occurrence that the write let be is another one now than it was: somebody changed it since it was last seen. Nothing
    /// guards against that, for the state of a series need not change with its occurrences.
    fn is_edited(&self, from: &Sheet, change: &Change, now: &Sheet) -> bool {
        !drops_exceptions(&change.sent)
            && self.compared(from, &change.to, now).iter().any(|[was, wanted, is]| was == wanted && is != was)
    }

    /// Whether a series of which only occurrences are to be written is in another state than the one that the write rests on (it may have
    /// been deleted), or one of these occurrences is another one by now: their writes have no guard of their own.
    pub(super) fn is_overtaken(&self, from: &Sheet, to: &Sheet, now: &Sheet) -> bool {
        let is_other = |[was, wanted, is]: &[Option<Content>; 3]| was != wanted && is != was && is != wanted;
        from.event.etag() != now.event.etag() || self.compared(from, to, now).iter().any(is_other)
    }

    /// What each occurrence that is told apart from its series was, shall be, and is; of none where a series cannot be seen whole.
    fn compared(&self, from: &Sheet, to: &Sheet, now: &Sheet) -> Vec<[Option<Content>; 3]> {
        if from.is_partial || now.is_partial || !now.event.is_series() {
            return Vec::new();
        }
        let says = |sheet: &Sheet| series::read(self.times(), sheet).ok();
        let (Some(was), Some(wanted), Some(is)) = (says(from), says(to), says(now)) else { return Vec::new() };
        let keys = |event: &Content| -> BTreeSet<String> {
            let overrides = event.get("recurrenceOverrides").and_then(Value::as_object).into_iter().flatten();
            overrides.map(|(key, _)| key.clone()).collect()
        };
        let of = |event: &Content, key: &str| match event.at(&["recurrenceOverrides", key]) {
            Some(patch) if patch.get("excluded") == Some(&Value::Bool(true)) => None,
            _ => Some(occurrence(event, key).unwrap_or_else(|| unchanged(event, key))),
        };
        let all: BTreeSet<String> = [&was, &wanted, &is].into_iter().flat_map(keys).collect();
        all.iter().map(|key| [&was, &wanted, &is].map(|event| of(event, key))).collect()
    }
}

/// Whether a change of a series makes the server drop its exceptions (F).
pub(super) fn drops_exceptions(sent: &[&str]) -> bool {
    ["recurrence", "start", "isAllDay"].iter().any(|name| sent.contains(name))
}

/// What the answer to a write says.
fn read_written(task: &Task, answer: Result<Response>) -> Result<Option<Event>> {
    match (answer, &task.change) {
        // It is gone already: as asked.
        (Err(error), None) if error.kind == ErrorKind::NotFound => Ok(None),
        (Err(error), _) => Err(error),
        (Ok(answer), change) => match (told(&answer, change.is_none())?, change) {
            (None, Some(Change { from: None, .. })) => {
                Err(Error::new(ErrorKind::Unknown, "what was made is not told, and has no id yet"))
            }
            (event, _) => Ok(event),
        },
    }
}

/// The event that a 2xx answer to a write tells; `None` where it tells nothing (`return=minimal`, a removal).
///
/// # Errors
/// Unknown where there is a body that cannot be understood: it may be of somebody on the way, and nothing was executed.
pub(super) fn told(answer: &Response, is_removal: bool) -> Result<Option<Event>> {
    let told = match answer.body.trim_ascii() {
        [] => Ok(None),
        _ if is_removal => answer.json::<Map<String, Value>>().map(|_| None),
        _ => api::read_event(answer).map(Some),
    };
    told.map_err(|error| taken_as(ErrorKind::Unknown, error))
}

/// The answer to a write, with the extended properties that were sent: they are kept there, but not shown in the answer.
pub(super) fn merged(mut answer: Event, sent: &Event) -> Event {
    for property in [UID, MARK, CARRY] {
        if let (None, Some(value)) = (answer.property(property), sent.property(property)) {
            answer.set_property(property, value);
        }
    }
    answer
}

fn name(operation: &Operation) -> String {
    match operation {
        Operation::Create { mark, .. } => format!("create event {mark}"),
        Operation::Update { place, .. } => format!("update event {}", place.remote_id),
        Operation::Delete { place, .. } => format!("delete event {}", place.remote_id),
        Operation::Copy { of, .. } => format!("copy event {}", of.remote_id),
        Operation::Move { place, .. } => format!("move event {}", place.remote_id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_body_says_that_it_was_done_and_one_that_says_nothing_does_not() {
        let answer = |body: &str| Response::new(200, Vec::new(), body.as_bytes().to_vec());
        for is_removal in [true, false] {
            assert_eq!(told(&answer(" \r\n"), is_removal).unwrap(), None);
            for page in ["<html></html>", "\"busy\"", "{\"id\""] {
                assert_eq!(told(&answer(page), is_removal).unwrap_err().kind, ErrorKind::Unknown, "{page}");
            }
        }
        assert_eq!(told(&answer("{}"), true).unwrap(), None);
        assert_eq!(told(&answer("{}"), false).unwrap_err().kind, ErrorKind::Unknown);
        assert_eq!(told(&answer("{\"id\": \"1\"}"), false).unwrap().unwrap().id(), Some("1"));
    }
}
