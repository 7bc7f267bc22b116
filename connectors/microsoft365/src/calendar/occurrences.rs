//! The occurrences of a series that was written: what is sent of each.
//!
//! Where a series changes, an exception without a value of its own may follow it: nothing says which servers have it so. What followed
//! without being meant to is written back.

use super::look::Look;
use super::sheet::Sheet;
use super::wire::{Event, PENDING};
use super::write::{NOTHING_PENDING, Task, drops_exceptions, merged, told};
use super::{Calendars, api, no_answer, series};
use crate::taken_as;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use twofold_http::{Effect, Method, Part};

use twofold_model::{Content, Error, ErrorKind, Result};

/// How often a write is sent that is refused as conflicting with nothing.
const TRIES: usize = 3;

/// The fields that say when an occurrence is.
const TIMES: [&str; 3] = ["start", "end", "isAllDay"];

impl Calendars {
    /// Writes the occurrences of a series that was written, and answered so: those that were changed, and those that followed it without
    /// being meant to.
    pub(super) async fn write_occurrences(&self, task: &mut Task, answer: Option<&Event>) -> Result<()> {
        let has_ask = task.ask.is_some();
        let half = |error: Error| match error.kind {
            // Nothing was sent before, so nothing is half done.
            _ if !has_ask && error.kind.proves_not_executed() => error,
            _ => taken_as(ErrorKind::Unknown, error).at("the series was written, its occurrences perhaps not"),
        };
        let Some(change) = &mut task.change else { return Ok(()) };
        let may_follow = !change.sent.is_empty() && !change.to.exceptions.is_empty();
        if !change.has_occurrences && !may_follow {
            return Ok(());
        }
        let now = match self.look(std::slice::from_ref(&task.id)).await.pop().unwrap_or_else(|| Err(no_answer())) {
            Ok(Look::There(now)) => *now,
            Ok(Look::Nowhere) => return Err(half(Error::new(ErrorKind::Unknown, "the series cannot be read"))),
            Err(error) => return Err(half(error)),
        };
        if change.from.as_ref().is_some_and(|from| !has_ask && self.is_overtaken(from, &change.to, &now)) {
            // Whoever looks again merges it; nothing was sent.
            return Err(Error::new(ErrorKind::StaleEtag, "it changed there meanwhile"));
        }
        change.before = Some(match answer {
            Some(answer) if !self.is_same(answer, &now.event) => merged(answer.clone(), &change.to.event),
            _ => now.event.clone(),
        });
        let outcome = self.follow_up(change.from.as_ref(), &change.to, &now, &change.sent).await;
        match outcome {
            Ok(is_sent) => change.has_occurrences |= is_sent,
            // One occurrence is refused for good: what there is now is the truth, and the rest of it is written.
            Err((error, is_sent)) if error.kind == ErrorKind::Refused && (is_sent || has_ask) => {
                tracing::warn!(%error, "an occurrence was refused");
                change.has_occurrences = true;
            }
            Err((error, false)) => return Err(half(error)),
            Err((error, true)) => {
                return Err(taken_as(ErrorKind::Unknown, error).at("its occurrences were written in part"));
            }
        }
        if change.is_noted { self.note_nothing(&task.id).await.map_err(half) } else { Ok(()) }
    }

    /// Brings the occurrences of a series, as it is `now`, to what `to` says, after these fields of the series were `sent`; whether
    /// anything had to be written. An error says whether anything was sent before.
    async fn follow_up(
        &self,
        from: Option<&Sheet>,
        to: &Sheet,
        now: &Sheet,
        sent: &[&str],
    ) -> Result<bool, (Error, bool)> {
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
                let mut wanted = wanted.clone();
                let base = match (are.get(key), were.get(key)) {
                    // It is there: only what we changed of it, and what it took over from its series.
                    (Some(is), Some(was)) => self.followed(was, is, &plain, sent, &mut wanted),
                    (Some(is), None) => is.clone(),
                    // It stays as it was, and cannot be seen now.
                    (None, Some(was)) if now.is_partial && !drops_exceptions(sent) && wanted == *was => {
                        return Ok(false);
                    }
                    // The server dropped it, or it never was.
                    (None, _) => plain,
                };
                let Some(body) = self.occurrence_body(&wanted, &base) else { return Ok(false) };
                let id = self.occurrence_id(now, are.get(key), key).await?;
                self.send_occurrence(api::update("o", &id, None, body)).await.map(|()| true)
            };
            match outcome.await {
                Ok(has_written) => is_sent |= has_written,
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
        refusal.map_or(Ok(is_sent), |error| Err((error, is_sent)))
    }

    /// An exception as it is to be told apart from what it shall be: as it was, but for those fields of its series that were `sent` and
    /// that it shows now as `plain` occurrences do. Those it followed, without being meant to.
    fn followed(&self, was: &Event, is: &Event, plain: &Event, sent: &[&str], wanted: &mut Event) -> Event {
        let mut base = was.clone();
        let mut take = |name: &str| match is.0.get(name) {
            Some(value) => drop(base.0.insert(name.to_owned(), value.clone())),
            None => drop(base.0.shift_remove(name)),
        };
        for name in followable(sent, wanted).into_iter().filter(|name| is.0.get(*name) == plain.0.get(*name)) {
            take(name);
            let is_said = is.0.get(name).is_some_and(|value| !value.is_null());
            if let (true, false, Some(nothing)) = (is_said, wanted.0.contains_key(name), nothing(name)) {
                wanted.0.insert(name.to_owned(), nothing);
            }
        }
        let is_timed = TIMES.iter().any(|name| sent.contains(name));
        if is_timed && self.when(is).is_some_and(|when| Some(when) == self.when(plain)) {
            TIMES.into_iter().chain(["originalStartTimeZone", "originalEndTimeZone"]).for_each(take);
        }
        base
    }

    fn when(&self, event: &Event) -> Option<Map<String, Value>> {
        let mut when = Map::new();
        self.times().read(event, &mut when).ok().map(|()| when)
    }

    /// What is sent of an occurrence; times that are the same in other words are not, and others in the words of the series: Graph
    /// shows those of exceptions in UTC.
    fn occurrence_body(&self, wanted: &Event, base: &Event) -> Option<Value> {
        let mut body = wanted.patch_body(base)?;
        // Nobody is asked to a single occurrence, or away from it.
        body.as_object_mut().into_iter().for_each(|body| drop(body.shift_remove("attendees")));
        if let (Value::Object(body), Some(shall)) = (&mut body, self.when(wanted)) {
            let mut told = base.clone();
            if self.when(base).as_ref() == Some(&shall) {
                TIMES.iter().for_each(|name| drop(body.shift_remove(*name)));
            } else if (body.contains_key("start") || body.contains_key("end"))
                && self.times().edit(&mut told, &Content(shall)).is_ok()
            {
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
                answer => return told(&answer?, ask.method == Method::Delete).map(drop),
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
            match self.follow_up(Some(&now), &to, &now, &[]).await {
                Ok(_) => {}
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
}

/// Of the fields that were sent of a series, those that its exceptions may have taken over, times aside. Place and places set each other,
/// so that one of them is enough.
fn followable<'a>(sent: &[&'a str], wanted: &Event) -> Vec<&'a str> {
    let is_place = |name: &&str| ["location", "locations"].contains(name);
    let is_one =
        |name: &&&str| !TIMES.contains(name) && !is_place(name) && !["recurrence", "attendees"].contains(*name);
    let mut names: Vec<&str> = sent.iter().filter(is_one).copied().collect();
    if sent.iter().any(is_place) {
        let has_many = wanted.0.get("locations").and_then(Value::as_array).is_some_and(|list| list.len() > 1);
        names.push(if has_many { "locations" } else { "location" });
    }
    names
}

/// What a field says that says nothing, of those that a server may leave out then.
fn nothing(name: &str) -> Option<Value> {
    match name {
        "subject" => Some("".into()),
        "body" => Some(json!({"contentType": "text", "content": ""})),
        "categories" | "locations" => Some(json!([])),
        "location" => Some(json!({"displayName": ""})),
        _ => None,
    }
}
