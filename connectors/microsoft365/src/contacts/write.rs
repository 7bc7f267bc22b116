//! What is written: creates, changes and removals twenty to a batch, then photos, then a look at what became of them.
//!
//! What it left behind is for `outcome.rs` to say.

use super::map::{Photo, Picture, Sheet};
use super::outcome::{Change, Insist, insisted, settle};
use super::wire::Contact;
use super::{Contacts, api, guard, no_answer, number};
use crate::{again, taken_as};
use twofold_http::{Effect, Part, Response};
use twofold_model::error::AtPlace;
use twofold_model::{Error, ErrorKind, Operation, Place, Result, Written};

/// What one operation asks of the server.
struct Task {
    /// The contact's id; empty until it is made.
    id: String,
    /// What is sent; `None` when the contact itself stays as it is.
    ask: Option<Part>,
    /// The contact as it shall be, and as it was; `None` for a removal.
    change: Option<Change>,
}

impl Task {
    fn of(operation: &Operation) -> Result<Task> {
        match operation {
            Operation::Create { collection, rendering, .. } => {
                let mut to = Sheet::open(rendering)?;
                let ask = api::create("w", collection.as_str(), &to.contact);
                to.contact.0.insert("parentFolderId".to_owned(), collection.as_str().into());
                let photo = picture(&to).cloned();
                Ok(Task { id: String::new(), ask: Some(ask), change: Some(Change { from: None, to, photo }) })
            }
            Operation::Update { place, etag, from, to } => {
                let (from, to) = (Sheet::open(from)?, Sheet::open(to)?);
                let id = place.remote_id.0.clone();
                let body = to.contact.patch_body(&from.contact);
                let ask = body.map(|body| api::update("w", &id, guard(etag), body));
                let photo = picture(&to).filter(|_| to.photo != from.photo).cloned();
                Ok(Task { id, ask, change: Some(Change { from: Some(from), to, photo }) })
            }
            Operation::Delete { place, etag } => {
                let id = place.remote_id.0.clone();
                let ask = api::delete("w", &id, guard(etag));
                Ok(Task { id, ask: Some(ask), change: None })
            }
            Operation::Copy { .. } | Operation::Move { .. } => Err(operation.has_no_way()),
        }
    }
}

fn picture(sheet: &Sheet) -> Option<&Picture> {
    match &sheet.photo {
        Photo::Present(picture) => Some(picture),
        Photo::Absent | Photo::Unlooked => None,
    }
}

impl Contacts {
    /// Carries out the operations. What a change left standing that was to go is asked for once more in the other form, and
    /// then set aside.
    pub(crate) async fn write(&self, operations: &[Operation]) -> Vec<Result<Written>> {
        let mut written = self.carry_out(operations).await;
        for insist in [Insist::OtherForm, Insist::Aside] {
            let insisted = operations.iter().zip(&written).map(|(operation, written)| match written {
                Ok(Some(seen)) => insisted(operation, seen, insist),
                _ => None,
            });
            let (at, more): (Vec<usize>, Vec<Operation>) =
                insisted.enumerate().filter_map(|(at, more)| Some((at, more?))).unzip();
            for (at, outcome) in at.into_iter().zip(self.carry_out(&more).await) {
                match (outcome, insist) {
                    // This form is not one of the server's; what was written before stands.
                    (Err(error), Insist::OtherForm) if error.kind == ErrorKind::Refused => {}
                    (outcome, _) => written[at] = outcome.map_err(half_done),
                }
            }
        }
        written.into_iter().zip(operations).map(|(written, operation)| written.at(name(operation))).collect()
    }

    async fn carry_out(&self, operations: &[Operation]) -> Vec<Result<Written>> {
        if operations.is_empty() {
            return Vec::new();
        }
        let mut tasks: Vec<Result<Task>> = operations.iter().map(Task::of).collect();
        self.guard_photos(&mut tasks).await;
        let mut answers = self.send(&tasks).await;
        self.look_for_removed(operations, &mut answers).await;
        for (at, answer) in answers.iter_mut().enumerate() {
            self.set_photo(&mut tasks[at], answer).await;
        }
        self.confirm(&tasks, answers).await
    }

    /// A photo has no guard of its own: before one is replaced, it is looked at whether it still is the one that we know.
    async fn guard_photos(&self, tasks: &mut [Result<Task>]) {
        let is_replaced = |task: &Result<Task>| {
            matches!(task, Ok(Task { change: Some(Change { from: Some(_), photo: Some(_), .. }), .. }))
        };
        let (at, mut asks): (Vec<usize>, Vec<Part>) = tasks
            .iter()
            .enumerate()
            .filter(|(_, task)| is_replaced(task))
            .filter_map(|(at, task)| Some((at, api::photo("p", &task.as_ref().ok()?.id))))
            .unzip();
        number(&mut asks);
        let answers = self.graph.all("read photos", Effect::Read, &asks).await;
        for (at, answer) in at.into_iter().zip(answers) {
            let Ok(Task { change: Some(Change { from: Some(from), .. }), .. }) = &tasks[at] else { continue };
            let failure = answer.as_ref().err().filter(|error| error.kind != ErrorKind::NotFound).map(again);
            let photo = api::read_photo(answer);
            let is_as_known = match &from.photo {
                // Nobody looked until now: only an empty place may be filled.
                Photo::Unlooked => photo == Photo::Absent,
                known => photo == *known,
            };
            if let Some(error) = failure {
                tasks[at] = Err(error);
            } else if !is_as_known {
                tasks[at] = Err(Error::new(ErrorKind::StaleEtag, "the photo changed there meanwhile"));
            }
        }
    }

    /// Sends the contacts themselves. `Ok(None)`: nothing was to be sent, or it is gone as asked.
    async fn send(&self, tasks: &[Result<Task>]) -> Vec<Result<Option<Contact>>> {
        let mut asks: Vec<Part> = tasks.iter().flatten().filter_map(|task| task.ask.clone()).collect();
        number(&mut asks);
        let mut answers = self.graph.all("write contacts", Effect::Write, &asks).await.into_iter();
        tasks
            .iter()
            .map(|task| match task {
                Err(error) => Err(again(error)),
                Ok(task) => match &task.ask {
                    None => Ok(None),
                    Some(_) => read_written(task, answers.next().unwrap_or_else(|| Err(no_answer()))),
                },
            })
            .collect()
    }

    /// A contact that somebody else removed lies in Deleted Items under another change key, so that its removal is refused as
    /// stale: where it stands in no contact folder any more, it is gone as asked.
    async fn look_for_removed(&self, operations: &[Operation], answers: &mut [Result<Option<Contact>>]) {
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

    /// Sets the photo of a contact that was written.
    async fn set_photo(&self, task: &mut Result<Task>, answer: &mut Result<Option<Contact>>) {
        let (Ok(task), Ok(contact)) = (task, &*answer) else { return };
        if let Some(id) = contact.as_ref().and_then(Contact::id) {
            task.id = id.to_owned();
        }
        let Some(change) = &mut task.change else { return };
        let Some(bytes) = change.photo.as_ref().and_then(Picture::bytes) else { return };
        match self.graph.send(api::put_photo(&task.id, bytes)).await {
            Ok(_) => {}
            // The contact is written and its photo is refused for good: the contact stands without.
            Err(error) if matches!(error.kind, ErrorKind::Refused | ErrorKind::Unsupported) => {
                tracing::warn!(%error, "a photo was refused");
                change.photo = None;
                change.to.photo = change.from.as_ref().map_or(Photo::Absent, |from| from.photo.clone());
            }
            // Half of it is done. Not to say so would leave the photo unsent for ever.
            Err(error) => {
                let half = taken_as(ErrorKind::Unknown, error).at("the contact was written, its photo perhaps not");
                *answer = Err(half);
            }
        }
    }

    /// Looks at what was written, photos where one was set.
    async fn confirm(&self, tasks: &[Result<Task>], answers: Vec<Result<Option<Contact>>>) -> Vec<Result<Written>> {
        let mut asks = Vec::new();
        for (task, answer) in tasks.iter().zip(&answers) {
            let (Ok(Task { id, change: Some(change), .. }), Ok(_)) = (task, answer) else { continue };
            asks.push(api::contact("c", id));
            asks.extend(change.photo.is_some().then(|| api::photo("p", id)));
        }
        number(&mut asks);
        let mut looks = self.graph.all("read back contacts", Effect::Read, &asks).await.into_iter();
        let mut next = || looks.next().unwrap_or_else(|| Err(no_answer()));
        let mut written = Vec::with_capacity(tasks.len());
        for (task, answer) in tasks.iter().zip(answers) {
            written.push(match (task, answer) {
                (_, Err(error)) => Err(error),
                (Err(error), _) => Err(again(error)),
                (Ok(Task { change: None, .. }), Ok(_)) => Ok(None),
                (Ok(Task { ask, change: Some(change), .. }), Ok(answer)) => {
                    let look = next().and_then(|answer| api::read_contact(&answer)).ok();
                    let photo = change.photo.is_some().then(|| api::read_photo(next()));
                    // Where only a photo was sent, the contact is what it was.
                    let was = || change.from.as_ref().filter(|_| ask.is_none()).map(|from| from.contact.clone());
                    settle(change, &answer.or_else(was).unwrap_or_default(), look, photo).map(Some)
                }
            });
        }
        written
    }
}

/// What the answer to a write says.
fn read_written(task: &Task, answer: Result<Response>) -> Result<Option<Contact>> {
    match (answer, &task.change) {
        (Ok(_), None) => Ok(None),
        // It is gone already: as asked.
        (Err(error), None) if error.kind == ErrorKind::NotFound => Ok(None),
        (Err(error), _) => Err(error),
        (Ok(answer), Some(change)) => match api::read_contact(&answer) {
            Ok(contact) => Ok(Some(contact)),
            // 2xx without a body (`return=minimal`): a change is known to be made, a create lacks its id.
            Err(_) if change.from.is_some() => Ok(None),
            Err(error) => Err(taken_as(ErrorKind::Unknown, error)),
        },
    }
}

/// A first part of a change is done, the rest failed. A copy that somebody changed meanwhile, or that cannot be said to be set
/// aside, is an outcome of its own; anything else leaves it open what is done.
fn half_done(error: Error) -> Error {
    match error.kind {
        ErrorKind::StaleEtag | ErrorKind::Refused => error,
        _ => taken_as(ErrorKind::Unknown, error).at("the contact was written, what was to go perhaps stands"),
    }
}

fn name(operation: &Operation) -> String {
    match operation {
        Operation::Create { mark, .. } => format!("create contact {mark}"),
        Operation::Update { place, .. } => format!("update contact {}", place.remote_id),
        Operation::Delete { place, .. } => format!("delete contact {}", place.remote_id),
        Operation::Copy { of, .. } => format!("copy contact {}", of.remote_id),
        Operation::Move { place, .. } => format!("move contact {}", place.remote_id),
    }
}
