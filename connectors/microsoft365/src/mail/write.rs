//! What is written. Marks of messages are changed, and messages moved and copied, twenty to a batch; messages are made one by one.
//!
//! Nothing is deleted for good, and nobody gets a receipt: a message that asks for one is told to ask no more, in a request of its own,
//! before it is marked as read or goes unread to Deleted Items.
//!
//! A change rests on the state that was agreed (`If-Match`). Graph finds a conflict also where nobody wrote; where the message still says
//! what it said, nothing was executed, and the change is sent once more. A move takes no guard, so the message is looked at right before.

use super::api::Carry;
use super::compose::Composed;
use super::wire::{MARK, Message, PROPERTIES};
use super::{Mail, api, etag, map, no_answer, number, one, seen_as};
use crate::{again, taken_as};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::io::Read as _;
use twofold_http::{Effect, Part, Response};
use twofold_model::email::{Role, Sheet, keywords};
use twofold_model::error::AtPlace;
use twofold_model::{
    BlobId, CollectionId, Error, ErrorKind, Etag, Mark, Operation, Place, Rendering, Result, Seen, Written,
};

/// The well-known name of the folder that deleted messages go to.
const TRASH: &str = "deleteditems";

/// A change of the marks of one message.
struct Patch {
    id: String,
    etag: String,
    /// What the message said when the change was agreed.
    from: Sheet,
    body: Value,
}

/// An update: a patch, and what is to come of it.
struct Update {
    patch: Option<Patch>,
    place: Place,
    etag: Etag,
    from: Sheet,
    to: Sheet,
}

/// A message on its way to another folder.
struct Trip<'a> {
    place: &'a Place,
    goal: Goal<'a>,
    /// The state on which it rests.
    etag: Option<&'a Etag>,
}

#[derive(Clone, Copy, PartialEq)]
enum Goal<'a> {
    Move(&'a CollectionId),
    Copy(&'a CollectionId),
    Trash,
}

/// What follows from the look at a message right before its trip.
enum Step {
    /// Nothing is to be sent.
    Done(Written),
    Go(Box<Message>),
}

impl Mail {
    /// Carries out the operations: first what makes something, then changes, then what moves or takes away.
    pub(crate) async fn write(&self, operations: &[Operation]) -> Vec<Result<Written>> {
        self.forget_shown(operations.iter().filter_map(|operation| Some(&place_of(operation)?.remote_id)));
        let mut answers: Vec<Option<Result<Written>>> = operations.iter().map(|_| None).collect();
        let (mut updates, mut trips) = (Vec::new(), Vec::new());
        for (at, operation) in operations.iter().enumerate() {
            match operation {
                Operation::Create { collection, rendering, mark, .. } => {
                    answers[at] = Some(match Sheet::read(rendering) {
                        Ok(sheet) => self.create(collection, sheet, Some(mark), None).await,
                        Err(error) => Err(error),
                    });
                }
                Operation::Update { place, etag, from, to } => match update(place, etag, from, to) {
                    Ok(update) if update.from.blob() != update.to.blob() => {
                        answers[at] = Some(self.rewrite(update).await);
                    }
                    Ok(update) => updates.push((at, update)),
                    Err(error) => answers[at] = Some(Err(error)),
                },
                Operation::Copy { of, collection } => {
                    trips.push((at, Trip { place: of, goal: Goal::Copy(collection), etag: None }));
                }
                Operation::Move { place, etag, to } => {
                    trips.push((at, Trip { place, goal: Goal::Move(to), etag: Some(etag) }));
                }
                Operation::Delete { place, etag } => {
                    trips.push((at, Trip { place, goal: Goal::Trash, etag: Some(etag) }));
                }
            }
        }
        let (at, updates): (Vec<usize>, Vec<Update>) = updates.into_iter().unzip();
        for (at, answer) in at.into_iter().zip(self.update_all(updates).await) {
            answers[at] = Some(answer);
        }
        let (at, trips): (Vec<usize>, Vec<Trip<'_>>) = trips.into_iter().unzip();
        for (at, answer) in at.into_iter().zip(self.carry_all(&trips).await) {
            answers[at] = Some(answer);
        }
        let answers = answers.into_iter().map(|answer| answer.unwrap_or_else(|| Err(no_answer())));
        answers.zip(operations).map(|(answer, operation)| answer.at(name(operation))).collect()
    }

    // Marks

    async fn update_all(&self, mut updates: Vec<Update>) -> Vec<Result<Written>> {
        let mut stops: Vec<Option<Error>> = updates.iter().map(|_| None).collect();
        let is_read_now = |update: &Update| update.to.has(keywords::SEEN) && map::asks_receipt(&update.from);
        let (at, whom): (Vec<usize>, Vec<(&Place, &Etag, &Sheet)>) = updates
            .iter()
            .enumerate()
            .filter(|(_, update)| is_read_now(update))
            .map(|(at, update)| (at, (&update.place, &update.etag, &update.from)))
            .unzip();
        for (at, cleared) in at.into_iter().zip(self.ask_no_receipts(&whom).await) {
            match (cleared.and_then(|message| etag(&message)), &mut updates[at].patch) {
                (Ok(etag), Some(patch)) => patch.etag = etag.0,
                (Ok(_), None) => {}
                (Err(error), _) => stops[at] = Some(error),
            }
        }
        let is_sent = |update: &Update, stop: &Option<Error>| update.patch.is_some() && stop.is_none();
        let sent: Vec<bool> = updates.iter().zip(&stops).map(|(update, stop)| is_sent(update, stop)).collect();
        let patches: Vec<&Patch> = updates
            .iter()
            .zip(&sent)
            .filter(|(_, sent)| **sent)
            .filter_map(|(update, _)| update.patch.as_ref())
            .collect();
        let mut patched = self.patch_all(&patches).await.into_iter();
        let mut written = Vec::with_capacity(updates.len());
        for ((update, stop), sent) in updates.iter().zip(stops).zip(sent) {
            written.push(match (stop, sent) {
                (Some(error), _) => Err(error),
                (None, true) => match patched.next().unwrap_or_else(|| Err(no_answer())) {
                    Ok(message) => settle(update, message).map(Some),
                    Err(error) => Err(error),
                },
                // Nothing differs: what is there is what was asked for, if it is there still.
                (None, false) => match self.look(std::slice::from_ref(&update.place.remote_id.0)).await.pop() {
                    Some(Ok(Some(message))) => settle(update, message).map(Some),
                    Some(Ok(None)) => Err(gone()),
                    Some(Err(error)) => Err(error),
                    None => Err(no_answer()),
                },
            });
        }
        written
    }

    /// Whoever asked for a receipt is asked for none: each message as it is then.
    async fn ask_no_receipts(&self, whom: &[(&Place, &Etag, &Sheet)]) -> Vec<Result<Message>> {
        let patches: Vec<Patch> = whom
            .iter()
            .map(|(place, etag, from)| Patch {
                id: place.remote_id.0.clone(),
                etag: etag.0.clone(),
                from: (*from).clone(),
                body: api::no_receipt(),
            })
            .collect();
        let answers = self.patch_all(&patches.iter().collect::<Vec<_>>()).await;
        let checked = answers.into_iter().zip(whom).map(|(answer, (_, _, from))| {
            let message = answer?;
            let now = map::sheet(&message);
            if map::asks_receipt(&now) {
                let why = "reading the message would send a receipt, and it cannot be told not to";
                return Err(Error::new(ErrorKind::Refused, why));
            }
            if map::is_edited(from, from, &now) {
                return Err(edited());
            }
            Ok(message)
        });
        checked.collect()
    }

    /// Sends the patches: each message as it is then.
    async fn patch_all(&self, patches: &[&Patch]) -> Vec<Result<Message>> {
        let send = |patch: &Patch, etag: &str| api::update("w", &patch.id, etag, patch.body.clone());
        let mut asks: Vec<Part> = patches.iter().map(|patch| send(patch, &patch.etag)).collect();
        number(&mut asks);
        let answers = self.graph.all("change messages", Effect::Write, &asks).await;
        let mut told: Vec<Result<Option<Message>>> = answers.into_iter().map(read_told).collect();
        let is_stale = |told: &Result<_>| told.as_ref().is_err_and(|error: &Error| error.kind == ErrorKind::StaleEtag);
        let stale: Vec<usize> = told.iter().enumerate().filter(|(_, told)| is_stale(told)).map(|(at, _)| at).collect();
        let looks = self.look_at(stale.iter().map(|at| patches[*at])).await;
        let (mut at, mut asks) = (Vec::new(), Vec::new());
        for (stale, look) in stale.into_iter().zip(looks) {
            let patch = patches[stale];
            match look {
                Ok(Some(message)) if is_as_agreed(patch, &message) => {
                    if let Ok(etag) = etag(&message) {
                        at.push(stale);
                        asks.push(send(patch, etag.as_str()));
                    }
                }
                Ok(None) => told[stale] = Err(gone()),
                _ => {}
            }
        }
        number(&mut asks);
        for (at, answer) in at.into_iter().zip(self.graph.all("change messages", Effect::Write, &asks).await) {
            told[at] = read_told(answer);
        }
        // What an answer does not tell is looked at.
        let silent: Vec<usize> =
            told.iter().enumerate().filter(|(_, told)| matches!(told, Ok(None))).map(|(at, _)| at).collect();
        let looks = self.look_at(silent.iter().map(|at| patches[*at])).await;
        for (at, look) in silent.into_iter().zip(looks) {
            told[at] = look.map_err(|error| taken_as(ErrorKind::Unknown, error));
        }
        told.into_iter().map(|told| told.and_then(|told| told.ok_or_else(gone))).collect()
    }

    async fn look_at(&self, patches: impl Iterator<Item = &Patch>) -> Vec<Result<Option<Message>>> {
        self.look(&patches.map(|patch| patch.id.clone()).collect::<Vec<_>>()).await
    }

    // Folders

    async fn carry_all(&self, trips: &[Trip<'_>]) -> Vec<Result<Written>> {
        if trips.is_empty() {
            return Vec::new();
        }
        let ids: Vec<String> = trips.iter().map(|trip| trip.place.remote_id.0.clone()).collect();
        let looks = self.look(&ids).await;
        let trash = match self.tree_with(&HashSet::new()).await {
            Ok(tree) => tree.of_role(Role::Trash).map(|trash| trash.id.clone()),
            Err(error) => return trips.iter().map(|_| Err(again(&error))).collect(),
        };
        let trash = trash.as_deref();
        let steps = trips.iter().zip(looks).map(|(trip, look)| step(trip, look?, trash));
        let mut steps: Vec<Result<Step>> = steps.collect();
        self.quieten(trips, &mut steps, trash).await;
        let going = |step: &Result<Step>| matches!(step, Ok(Step::Go(_)));
        let mut asks: Vec<Part> = trips
            .iter()
            .zip(&steps)
            .filter(|(_, step)| going(step))
            .map(|(trip, _)| {
                let id = trip.place.remote_id.as_str();
                match trip.goal {
                    Goal::Move(to) => api::carry("w", Carry::Move, id, to.as_str()),
                    Goal::Copy(to) => api::carry("w", Carry::Copy, id, to.as_str()),
                    Goal::Trash => api::carry("w", Carry::Move, id, TRASH),
                }
            })
            .collect();
        number(&mut asks);
        let mut answers = self.graph.all("move messages", Effect::Write, &asks).await.into_iter();
        let mut written = Vec::with_capacity(trips.len());
        for (trip, step) in trips.iter().zip(steps) {
            written.push(match step {
                Err(error) => Err(error),
                Ok(Step::Done(written)) => Ok(written),
                Ok(Step::Go(before)) => {
                    self.arrived(trip, &before, answers.next().unwrap_or_else(|| Err(no_answer()))).await
                }
            });
        }
        written
    }

    /// An unread message that asks for a receipt is told not to before it is deleted: else one may say that nobody read it.
    async fn quieten(&self, trips: &[Trip<'_>], steps: &mut [Result<Step>], trash: Option<&str>) {
        let is_for_trash = |trip: &Trip<'_>| match trip.goal {
            Goal::Trash => true,
            Goal::Move(to) | Goal::Copy(to) => Some(to.as_str()) == trash,
        };
        let (mut at, mut sheets) = (Vec::new(), Vec::new());
        for (index, (trip, step)) in trips.iter().zip(steps.iter()).enumerate() {
            if let Ok(Step::Go(before)) = step {
                let sheet = map::sheet(before);
                if is_for_trash(trip) && map::asks_receipt(&sheet) {
                    at.push(index);
                    sheets.push((etag(before).unwrap_or_else(|_| Etag("*".to_owned())), sheet));
                }
            }
        }
        let whom: Vec<(&Place, &Etag, &Sheet)> =
            at.iter().zip(&sheets).map(|(at, (etag, sheet))| (trips[*at].place, etag, sheet)).collect();
        let cleared = self.ask_no_receipts(&whom).await;
        for ((at, (_, sheet)), cleared) in at.into_iter().zip(&sheets).zip(cleared) {
            steps[at] = cleared.map(|mut message| {
                map::complete(&mut message, &sheet.own, &Value::Null);
                Step::Go(Box::new(message))
            });
        }
    }

    /// What became of a message that was sent on its way.
    async fn arrived(&self, trip: &Trip<'_>, before: &Message, answer: Result<Response>) -> Result<Written> {
        let told = match (read_told(answer), trip.goal) {
            (Err(error), Goal::Trash) if error.kind == ErrorKind::NotFound => return Ok(None),
            (Err(error), _) => return Err(error),
            (Ok(_), Goal::Trash) => return Ok(None),
            (Ok(Some(message)), _) => message,
            (Ok(None), Goal::Copy(_)) => {
                return Err(Error::new(ErrorKind::Unknown, "a copy was made, and its id is not told"));
            }
            (Ok(None), Goal::Move(_)) => {
                let look = self.look(std::slice::from_ref(&trip.place.remote_id.0)).await.pop();
                let look = look.unwrap_or_else(|| Err(no_answer()));
                look.map_err(|error| taken_as(ErrorKind::Unknown, error))?.ok_or_else(|| {
                    Error::new(ErrorKind::Unknown, "the message was moved, and is not found under its id any more")
                })?
            }
        };
        let (Goal::Move(to) | Goal::Copy(to)) = trip.goal else { return Ok(None) };
        if told.folder().is_some_and(|folder| folder != to.as_str()) {
            return Err(Error::new(ErrorKind::Unknown, "the message stands elsewhere than where it was moved"));
        }
        let was = map::sheet(before);
        let mut told = told;
        map::complete(&mut told, &was.own, &Value::Null);
        let now = map::sheet(&told);
        if map::is_edited(&was, &was, &now) {
            // Whoever looks again merges it; as the base it would be nobody's edit.
            return Err(edited());
        }
        seen_as(&now, &told, to.as_str()).map(Some)
    }

    // Making

    /// Makes a message. What it is there is written by Exchange; what it is here stays the blob.
    async fn create(
        &self,
        folder: &CollectionId,
        sheet: Sheet,
        mark: Option<&Mark>,
        instead: Option<&str>,
    ) -> Result<Written> {
        let body = self.composed(&sheet)?.create(&sheet, mark, instead)?;
        let answer = self.graph.send(api::create(folder.as_str(), body.clone())).await;
        let message = read_told(answer)?;
        let mut message =
            message.ok_or_else(|| Error::new(ErrorKind::Unknown, "what was made is not told, and has no id yet"))?;
        map::complete(&mut message, &serde_json::Map::new(), &body);
        if let Some(mark) = mark {
            message.set_property(MARK, &mark.to_string());
        }
        let folder = message.folder().unwrap_or(folder.as_str()).to_owned();
        if message.is("isDraft") != sheet.has(keywords::DRAFT) {
            return Err(self.take_back(&message, &folder).await);
        }
        seen_as(&with_bytes_of(map::sheet(&message), &sheet), &message, &folder).map(Some)
    }

    /// A draft that was made where a received message was asked for stays a draft for ever: it goes to Deleted Items, without our mark,
    /// so that nobody takes it for a copy of the message.
    async fn take_back(&self, made: &Message, folder: &str) -> Error {
        let unmarked = json!({PROPERTIES: [{"id": MARK, "value": ""}]});
        let place = Place { remote_id: made.id().into(), collection: folder.into() };
        let etag = etag(made).map(|etag| etag.0).unwrap_or_default();
        let patch = Patch { id: place.remote_id.0.clone(), etag, from: map::sheet(made), body: unmarked };
        let away = Trip { place: &place, goal: Goal::Trash, etag: None };
        for answer in self.patch_all(&[&patch]).await {
            if let Err(error) = answer {
                return taken_as(ErrorKind::Unknown, error);
            }
        }
        match self.carry_all(&[away]).await.pop() {
            Some(Ok(_)) => {
                Error::new(ErrorKind::Unsupported, "a received message cannot be made there: it became a draft")
            }
            Some(Err(error)) => taken_as(ErrorKind::Unknown, error),
            None => no_answer(),
        }
    }

    /// The bytes that a sheet names, taken apart.
    fn composed(&self, sheet: &Sheet) -> Result<Composed> {
        let missing = || Error::new(ErrorKind::Unsupported, "the bytes of the message are not here yet");
        Composed::of(&self.open(&sheet.blob().ok_or_else(missing)?)?)
    }

    fn open(&self, blob: &BlobId) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let read = self.blobs.open(blob)?.read_to_end(&mut bytes);
        read.map_err(|error| {
            Error::new(ErrorKind::Refused, "the bytes of a message cannot be read").with_source(error)
        })?;
        Ok(bytes)
    }

    /// Gives a draft another text. While only its fields differ they are changed in place; else another draft takes its place, and the
    /// old one goes to Deleted Items. That one is found again by what it stands instead of, so a repeat makes no second one.
    async fn rewrite(&self, update: Update) -> Result<Written> {
        if !update.from.has(keywords::DRAFT) {
            return Err(Error::new(ErrorKind::Unsupported, "only drafts have other bytes than they had"));
        }
        let now = self.composed(&update.to)?;
        // The bytes that the draft had may be gone from here; then another one takes its place.
        let was = self.composed(&update.from).ok();
        if let Some(fields) = was.and_then(|was| now.rewrite(&was)) {
            let mut body = map::changes(&update.from, &update.to).unwrap_or_else(|| json!({}));
            if let Value::Object(body) = &mut body {
                body.extend(fields);
            }
            let patch = Patch {
                id: update.place.remote_id.0.clone(),
                etag: update.etag.0.clone(),
                from: update.from.clone(),
                body,
            };
            let update = Update { patch: Some(patch), ..update };
            return self.update_all(vec![update]).await.pop().unwrap_or_else(|| Err(no_answer()));
        }
        let old = &update.place.remote_id;
        let what = format!("{old} {}", update.to.blob_id.as_deref().unwrap_or_default());
        let ask = [api::instead("i", &what)];
        let found = self.all_rows(one(self.graph.all("find drafts", Effect::Read, &ask).await)?).await?;
        let made = match found.into_iter().next() {
            Some(message) => {
                let folder = message.folder().unwrap_or(update.place.collection.as_str()).to_owned();
                seen_as(&with_bytes_of(map::sheet(&message), &update.to), &message, &folder).map(Some)?
            }
            None => {
                // Nothing is made instead of a draft that changed, or is gone.
                let trip = Trip { place: &update.place, goal: Goal::Trash, etag: Some(&update.etag) };
                let look = self.look(std::slice::from_ref(&old.0)).await.pop().unwrap_or_else(|| Err(no_answer()))?;
                match step(&trip, look, None)? {
                    Step::Go(_) => {}
                    Step::Done(_) => return Err(gone()),
                }
                self.create(&update.place.collection, update.to.clone(), None, Some(&what)).await?
            }
        };
        let away = Trip { place: &update.place, goal: Goal::Trash, etag: None };
        match self.carry_all(&[away]).await.pop().unwrap_or_else(|| Err(no_answer())) {
            Ok(_) => Ok(made),
            // It was made; only the old one is there still. Whoever repeats this finds it.
            Err(error) => Err(taken_as(ErrorKind::Unknown, error)),
        }
    }
}

fn update(place: &Place, etag: &Etag, from: &Rendering, to: &Rendering) -> Result<Update> {
    let (from, to) = (Sheet::read(from)?, Sheet::read(to)?);
    let patch = map::changes(&from, &to).map(|body| Patch {
        id: place.remote_id.0.clone(),
        etag: etag.0.clone(),
        from: from.clone(),
        body,
    });
    Ok(Update { patch, place: place.clone(), etag: etag.clone(), from, to })
}

/// Whether a message that a guard refused still is what the change rests on. Of a draft the state must be the very same: the text may
/// have changed.
fn is_as_agreed(patch: &Patch, now: &Message) -> bool {
    let sheet = map::sheet(now);
    let is_same_state = etag(now).is_ok_and(|etag| etag.0 == patch.etag);
    is_same_state || sheet.draft.is_none() && sheet.keywords == patch.from.keywords
}

/// The copy that an update left behind.
fn settle(update: &Update, mut message: Message) -> Result<Seen> {
    if message.folder().is_some_and(|folder| folder != update.place.collection.as_str()) {
        return Err(Error::new(ErrorKind::StaleEtag, "the message was moved meanwhile"));
    }
    let sent = update.patch.as_ref().map_or(&Value::Null, |patch| &patch.body);
    map::complete(&mut message, &update.from.own, sent);
    let now = map::sheet(&message);
    if map::is_edited(&update.from, &update.to, &now) {
        // Whoever looks again merges it; as the base it would be nobody's edit.
        return Err(edited());
    }
    seen_as(&with_bytes_of(now, &update.to), &message, update.place.collection.as_str())
}

/// What is decided about a trip by the look right before it.
fn step(trip: &Trip<'_>, look: Option<Message>, trash: Option<&str>) -> Result<Step> {
    let here = trip.place.collection.as_str();
    let is_delete = trip.goal == Goal::Trash;
    let Some(message) = look else { return if is_delete { Ok(Step::Done(None)) } else { Err(gone()) } };
    let Some(folder) = message.folder() else {
        return Err(Error::new(ErrorKind::Malformed, "a message came without its folder"));
    };
    if folder != here {
        return match trip.goal {
            Goal::Trash => Ok(Step::Done(None)),
            // Somebody moved it there already, or we did and did not hear of it.
            Goal::Move(to) if folder == to.as_str() => super::seen(&message, folder).map(|seen| Step::Done(Some(seen))),
            Goal::Move(_) | Goal::Copy(_) => Err(gone()),
        };
    }
    if is_delete && trash == Some(here) {
        let why = "what is in Deleted Items stays there: nothing is deleted for good";
        return Err(Error::new(ErrorKind::Refused, why));
    }
    if trip.etag.is_some_and(|agreed| etag(&message).is_ok_and(|now| now != *agreed)) {
        return Err(Error::new(ErrorKind::StaleEtag, "the message changed meanwhile"));
    }
    Ok(Step::Go(Box::new(message)))
}

/// What the answer to a write tells of the message; `None` where it tells nothing.
///
/// # Errors
/// Unknown where there is a body that cannot be understood: it may be of somebody on the way, and nothing was executed.
fn read_told(answer: Result<Response>) -> Result<Option<Message>> {
    let answer = answer?;
    match answer.body.trim_ascii() {
        [] => Ok(None),
        _ => api::read_message(&answer).map(Some).map_err(|error| taken_as(ErrorKind::Unknown, error)),
    }
}

/// A sheet with the bytes of another one: a write of marks changes none, and what Exchange made of those that it was given is its own.
fn with_bytes_of(now: Sheet, of: &Sheet) -> Sheet {
    Sheet { blob_id: of.blob_id.clone(), size: of.size, says: of.says.clone(), ..now }
}

fn gone() -> Error {
    Error::new(ErrorKind::NotFound, "the message is not there any more")
}

fn edited() -> Error {
    Error::new(ErrorKind::StaleEtag, "the message was changed there meanwhile")
}

fn place_of(operation: &Operation) -> Option<&Place> {
    match operation {
        Operation::Create { .. } => None,
        Operation::Update { place, .. } | Operation::Delete { place, .. } | Operation::Move { place, .. } => {
            Some(place)
        }
        Operation::Copy { of, .. } => Some(of),
    }
}

fn name(operation: &Operation) -> String {
    match operation {
        Operation::Create { uid, .. } => format!("create message {uid}"),
        Operation::Update { place, .. } => format!("update message {}", place.remote_id),
        Operation::Delete { place, .. } => format!("delete message {}", place.remote_id),
        Operation::Copy { of, .. } => format!("copy message {}", of.remote_id),
        Operation::Move { place, .. } => format!("move message {}", place.remote_id),
    }
}
