//! What is written: creates, changes and removals twenty to a batch, then the occurrences of each series, then a look at what became of
//! it all.
//!
//! A series is several writes: itself, then each occurrence by its own id. What is still to be written stands in an extended property of
//! the series while it is not ([`super::wire::PENDING`]), set by the write that makes the series or changes its rule (which drops all
//! exceptions there); whoever looks for what became of such a write brings it to its end first ([`Calendars::finished`]). So nothing
//! that was left half done is ever taken for somebody's edit.

use super::look::Look;
use super::sheet::Sheet;
use super::wire::{CARRY, Event, MARK, PENDING, UID};
use super::{Calendars, api, guard, no_answer, number, seen, series};
use crate::{again, taken_as};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use twofold_http::{Effect, Part, Response};
use twofold_model::error::AtPlace;
use twofold_model::{Content, Error, ErrorKind, Operation, Place, Result, Seen, Written};

/// What stands in the property of a series when nothing is pending: it is not known to go away.
pub(super) const NOTHING_PENDING: &str = "{}";

/// How often a write is sent that is refused as conflicting with nothing.
const TRIES: usize = 3;

/// What one operation asks of the server.
struct Task {
    /// The event's id; empty until it is made.
    id: String,
    /// The calendar that it stands in.
    calendar: String,
    /// What is sent; `None` when the event itself stays as it is.
    ask: Option<Part>,
    /// The event as it shall be, and as it was; `None` for a removal.
    change: Option<Change>,
}

struct Change {
    from: Option<Sheet>,
    to: Sheet,
    /// Occurrences are to be written too.
    has_occurrences: bool,
    /// What was noted as pending with the first write.
    is_noted: bool,
}

impl Calendars {
    /// Carries out the operations.
    pub(crate) async fn write(&self, operations: &[Operation]) -> Vec<Result<Written>> {
        let mut tasks: Vec<Result<Task>> = operations.iter().map(|operation| self.task(operation)).collect();
        let mut answers = self.send(&mut tasks).await;
        self.send_again(operations, &mut tasks, &mut answers).await;
        self.look_for_removed(operations, &mut answers).await;
        self.adopt_repeated(operations, &mut tasks, &mut answers).await;
        for (task, answer) in tasks.iter().zip(&mut answers) {
            if let (Ok(task), Ok(_)) = (task, &*answer)
                && let Err(error) = self.write_occurrences(task).await
            {
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
                let change = Change { from: None, to, has_occurrences, is_noted: has_occurrences };
                let calendar = collection.0.clone();
                Ok(Task { id: String::new(), calendar, ask: Some(ask), change: Some(change) })
            }
            Operation::Update { place, etag, from, to } => {
                let (from, to) = (Sheet::open(from)?, Sheet::open(to)?);
                let id = place.remote_id.0.clone();
                let body = to.event.patch_body(&from.event);
                let drops = body.as_ref().is_some_and(drops_exceptions) && from.event.is_series();
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
                let change = Change { from: Some(from), to, has_occurrences, is_noted };
                Ok(Task { id, calendar: place.collection.0.clone(), ask, change: Some(change) })
            }
            Operation::Delete { place, etag } => {
                let id = place.remote_id.0.clone();
                let ask = api::delete("w", &id, Some(guard(etag)));
                Ok(Task { id, calendar: place.collection.0.clone(), ask: Some(ask), change: None })
            }
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
            Operation::Create { .. } => None,
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

    // Occurrences

    /// Writes the occurrences of a series that was written.
    async fn write_occurrences(&self, task: &Task) -> Result<()> {
        let Some(change) = task.change.as_ref().filter(|change| change.has_occurrences) else { return Ok(()) };
        let half = |error: Error| match error.kind {
            // Nothing was sent before, so nothing is half done.
            _ if task.ask.is_none() && error.kind.proves_not_executed() => error,
            _ => taken_as(ErrorKind::Unknown, error).at("the series was written, its occurrences perhaps not"),
        };
        let now = match self.look(std::slice::from_ref(&task.id)).await.pop().unwrap_or_else(|| Err(no_answer())) {
            Ok(Look::There(now)) => *now,
            Ok(Look::Nowhere) => return Err(half(Error::new(ErrorKind::Unknown, "the series cannot be read"))),
            Err(error) => return Err(half(error)),
        };
        let is_sent = self.follow_up(change.from.as_ref(), &change.to, &now).await;
        match is_sent {
            Ok(()) if change.is_noted => self.note_nothing(&task.id).await.map_err(half),
            Ok(()) => Ok(()),
            // One occurrence is refused for good: what there is now is the truth, and the rest of it is written.
            Err((error, is_sent)) if error.kind == ErrorKind::Refused && (is_sent || task.ask.is_some()) => {
                tracing::warn!(%error, "an occurrence was refused");
                if change.is_noted { self.note_nothing(&task.id).await.map_err(half) } else { Ok(()) }
            }
            Err((error, false)) => Err(half(error)),
            Err((error, true)) => Err(taken_as(ErrorKind::Unknown, error).at("its occurrences were written in part")),
        }
    }

    /// Brings the occurrences of a series, as it is `now`, to what `to` says. An error says whether anything was sent before.
    async fn follow_up(&self, from: Option<&Sheet>, to: &Sheet, now: &Sheet) -> Result<(), (Error, bool)> {
        let keyed = |sheet: &Sheet| -> Result<BTreeMap<String, Event>> {
            let keys = sheet
                .exceptions
                .iter()
                .map(|exception| Ok((series::key_of(self.times(), &sheet.event, exception)?, exception.clone())));
            keys.collect()
        };
        let read = |sheet: &Sheet| keyed(sheet).map_err(|error| (error, false));
        let (were, shall, are) = (from.map(read).transpose()?.unwrap_or_default(), read(to)?, read(now)?);
        let mut is_sent = false;
        let mut refusal = None;
        for (key, wanted) in &shall {
            let outcome = async {
                let plain = series::unchanged(self.times(), &now.event, key)?;
                let base = match (are.get(key), were.get(key)) {
                    // It is there: only what we changed of it.
                    (Some(_), Some(was)) => was,
                    (Some(is), None) => is,
                    // The server dropped it, or it never was.
                    (None, _) => &plain,
                };
                let Some(body) = self.occurrence_body(wanted, base) else { return Ok(()) };
                let id = self.occurrence_id(now, are.get(key), key).await?;
                self.send_occurrence(api::update("o", &id, None, body)).await
            };
            match outcome.await {
                Ok(()) => is_sent = true,
                Err(error) if error.kind == ErrorKind::Refused => refusal = Some(error),
                Err(error) => return Err((error, is_sent)),
            }
        }
        for day in to.cancelled.iter().filter(|day| !now.cancelled.contains(day)) {
            let outcome = async {
                let missing = || Error::new(ErrorKind::Malformed, "a day that was taken out is none");
                let key = self.times().key_of_day(&now.event, day).ok_or_else(missing)?;
                let id = self.occurrence_id(now, are.get(&key), &key).await?;
                self.send_occurrence(api::delete("o", &id, None)).await
            };
            match outcome.await {
                Ok(()) => is_sent = true,
                // It is out already.
                Err(error) if error.kind == ErrorKind::NotFound => {}
                Err(error) if error.kind == ErrorKind::Refused => refusal = Some(error),
                Err(error) => return Err((error, is_sent)),
            }
        }
        // A refusal after something was sent is told apart, for what was sent stands.
        refusal.map_or(Ok(()), |error| Err((error, is_sent)))
    }

    /// What is sent of an occurrence; times that are the same in other words are not, and others in the words of the series: Graph
    /// shows those of exceptions in UTC.
    fn occurrence_body(&self, wanted: &Event, base: &Event) -> Option<Value> {
        let mut body = wanted.patch_body(base)?;
        let when = |event: &Event| {
            let mut when = serde_json::Map::new();
            self.times().read(event, &mut when).ok().map(|()| when)
        };
        if let (Value::Object(body), Some(shall)) = (&mut body, when(wanted)) {
            let mut told = base.clone();
            if when(base).as_ref() == Some(&shall) {
                ["start", "end", "isAllDay"].iter().for_each(|name| drop(body.shift_remove(*name)));
            } else if body.contains_key("start") && self.times().edit(&mut told, &Content(shall)).is_ok() {
                for name in ["start", "end"] {
                    body.insert(name.into(), told.0[name].clone());
                }
            }
        }
        Some(body).filter(|body| !twofold_model::content::is_nothing(body))
    }

    /// The id of an occurrence: its exception's, or that of the instance with exactly this original start.
    async fn occurrence_id(&self, now: &Sheet, exception: Option<&Event>, key: &str) -> Result<String> {
        if let Some(id) = exception.and_then(Event::id) {
            return Ok(id.to_owned());
        }
        let instance = self.instance(&now.event, key).await?;
        instance.id().map(str::to_owned).ok_or_else(|| Error::new(ErrorKind::Malformed, "an occurrence has no id"))
    }

    /// Sends a write that has no guard. A conflict, which the server finds where it has not finished with the write before, proves that
    /// nothing was executed.
    async fn send_occurrence(&self, ask: Part) -> Result<()> {
        let mut tries = 0;
        loop {
            tries += 1;
            match super::one(self.graph.all("write an occurrence", Effect::Write, std::slice::from_ref(&ask)).await) {
                Err(error) if error.kind == ErrorKind::StaleEtag && tries < TRIES => {}
                answer => return answer.map(drop),
            }
        }
    }

    /// Nothing is pending any more.
    async fn note_nothing(&self, id: &str) -> Result<()> {
        let body = json!({crate::properties::PROPERTIES: [{"id": PENDING, "value": NOTHING_PENDING}]});
        self.send_occurrence(api::update("o", id, None, body)).await
    }

    /// A series, after a write of several requests that broke off was brought to its end.
    pub(super) async fn finished(&self, now: Sheet) -> Result<Sheet> {
        if !now.is_partial || !now.event.is_series() {
            return Ok(now);
        }
        let id = now.event.id().unwrap_or_default().to_owned();
        let Some(pending) = self.pending_of(&id).await? else { return Ok(now) };
        let mut says = series::read(self.times(), &now)?;
        says.set("recurrenceOverrides", pending);
        let mut to = now.clone();
        // What does not fit the series any more has no place to be written to.
        if series::edit(self.times(), &mut to, &Content(says.0)).is_ok() {
            match self.follow_up(Some(&now), &to, &now).await {
                Ok(()) => {}
                Err((error, _)) if error.kind == ErrorKind::Refused => {
                    tracing::warn!(%error, "an occurrence was refused")
                }
                Err((error, _)) => return Err(taken_as(ErrorKind::Unknown, error)),
            }
        }
        self.note_nothing(&id).await.map_err(|error| taken_as(ErrorKind::Unknown, error))?;
        match self.look(&[id]).await.pop().unwrap_or_else(|| Err(no_answer()))? {
            Look::There(sheet) => Ok(*sheet),
            Look::Nowhere => Err(Error::new(ErrorKind::Unknown, "the series went away meanwhile")),
        }
    }

    /// What is still to be written on a series.
    async fn pending_of(&self, id: &str) -> Result<Option<Value>> {
        let event = self.read_events(&[id.to_owned()]).await.pop().unwrap_or_else(|| Err(no_answer()))?;
        let pending = event.and_then(|mut event| super::look::take_pending(&mut event));
        Ok(pending.and_then(|text| serde_json::from_str(&text).ok()))
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

    /// The copy that a write left behind: from its answer, what was sent, and the look afterwards.
    fn settle(&self, task: &Task, change: &Change, answer: Option<Event>, look: Option<Sheet>) -> Result<Seen> {
        let says = |event: &Event| super::fields::read(self.times(), event).ok();
        let sheet = match (answer, look) {
            // Several writes: what is there now is all there is.
            (_, Some(look)) if change.has_occurrences => look,
            (None, Some(look)) => look,
            (Some(answer), Some(look)) if answer.etag() == look.event.etag() || says(&answer) == says(&look.event) => {
                look
            }
            // Somebody changed it between the answer and the look; to take that for our own doing would lose it.
            (Some(answer), _) if !change.has_occurrences => {
                Sheet { event: merged(answer, &change.to.event), ..change.to.clone() }
            }
            _ => {
                let message = format!("event {} was written, but what it looks like now cannot be read", task.id);
                return Err(Error::new(ErrorKind::Unknown, message));
            }
        };
        seen(&sheet, &task.calendar)
    }
}

/// Whether a change of a series makes the server drop its exceptions (F).
fn drops_exceptions(body: &Value) -> bool {
    ["recurrence", "start", "isAllDay"].iter().any(|name| body.get(*name).is_some())
}

/// What the answer to a write says.
fn read_written(task: &Task, answer: Result<Response>) -> Result<Option<Event>> {
    match (answer, &task.change) {
        (Ok(_), None) => Ok(None),
        // It is gone already: as asked.
        (Err(error), None) if error.kind == ErrorKind::NotFound => Ok(None),
        (Err(error), _) => Err(error),
        (Ok(answer), Some(change)) => match api::read_event(&answer) {
            Ok(event) => Ok(Some(event)),
            // 2xx without a body (`return=minimal`): a change is known to be made, a create lacks its id.
            Err(_) if change.from.is_some() => Ok(None),
            Err(error) => Err(taken_as(ErrorKind::Unknown, error)),
        },
    }
}

/// The answer to a write, with the extended properties that were sent: they are kept there, but not shown in the answer.
fn merged(mut answer: Event, sent: &Event) -> Event {
    for property in [UID, MARK, CARRY] {
        if let (None, Some(value)) = (answer.property(property), sent.property(property)) {
            answer.set_property(property, value);
        }
    }
    answer
}

fn name(operation: &Operation) -> String {
    match operation {
        Operation::Create { uid, .. } => format!("create event {uid}"),
        Operation::Update { place, .. } => format!("update event {}", place.remote_id),
        Operation::Delete { place, .. } => format!("delete event {}", place.remote_id),
    }
}
