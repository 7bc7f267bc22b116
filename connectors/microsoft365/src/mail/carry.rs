//! Messages on their way to another folder: moves, copies, and removals, which are moves to Deleted Items.
//!
//! A move takes no guard, so each message is looked at right before; and its answer is compared with that look, so that an edit which
//! came between is nobody's base.

use super::api::Carry;
use super::wire::Message;
use super::write::{edited, gone, read_told};
use super::{Mail, api, etag, map, no_answer, number, seen_as};
use crate::{again, taken_as};
use serde_json::Value;
use std::collections::HashSet;
use twofold_http::{Effect, Part, Response};
use twofold_model::email::{Role, Sheet};
use twofold_model::{CollectionId, Error, ErrorKind, Etag, Place, Result, Written};

/// The well-known name of the folder that deleted messages go to.
const TRASH: &str = "deleteditems";

/// A message on its way to another folder.
pub(super) struct Trip<'a> {
    pub(super) place: &'a Place,
    pub(super) goal: Goal<'a>,
    /// The state on which it rests.
    pub(super) etag: Option<&'a Etag>,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Goal<'a> {
    Move(&'a CollectionId),
    Copy(&'a CollectionId),
    Trash,
}

/// What follows from the look at a message right before its trip.
pub(super) enum Step {
    /// Nothing is to be sent.
    Done(Written),
    Go(Box<Message>),
}

impl Mail {
    pub(super) async fn carry_all(&self, trips: &[Trip<'_>]) -> Vec<Result<Written>> {
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

    /// A message as the answer to a write tells it, or, where that says less than all, as it is read.
    pub(super) async fn whole_told(&self, told: Message) -> Result<Message> {
        if told.tells_state() { Ok(told) } else { self.looked_up(told.id()).await }
    }

    /// A message that was just written, as it is read.
    async fn looked_up(&self, id: &str) -> Result<Message> {
        let look = self.look(&[id.to_owned()]).await.pop().unwrap_or_else(|| Err(no_answer()));
        let look = look.map_err(|error| taken_as(ErrorKind::Unknown, error))?;
        look.ok_or_else(|| Error::new(ErrorKind::Unknown, "the message was written, and is not found under its id"))
    }

    /// What became of a message that was sent on its way.
    async fn arrived(&self, trip: &Trip<'_>, before: &Message, answer: Result<Response>) -> Result<Written> {
        let told = match (read_told(answer), trip.goal) {
            (Err(error), Goal::Trash) if error.kind == ErrorKind::NotFound => return Ok(None),
            (Err(error), _) => return Err(error),
            (Ok(_), Goal::Trash) => return Ok(None),
            (Ok(Some(message)), _) => self.whole_told(message).await?,
            (Ok(None), Goal::Copy(_)) => {
                return Err(Error::new(ErrorKind::Unknown, "a copy was made, and its id is not told"));
            }
            (Ok(None), Goal::Move(_)) => self.looked_up(trip.place.remote_id.as_str()).await?,
        };
        let (Goal::Move(to) | Goal::Copy(to)) = trip.goal else { return Ok(None) };
        if told.folder().is_some_and(|folder| folder != to.as_str()) {
            return Err(Error::new(ErrorKind::Unknown, "the message stands elsewhere than where it was moved"));
        }
        let was = map::sheet(before);
        let mut told = told;
        map::complete(&mut told, &was.own, &Value::Null);
        // An answer does not say how large the message is, and what is carried does not change.
        let mut now = map::sheet(&told);
        now.size = now.size.or(was.size);
        // A copy that was made is taken as it is: it is nobody's base yet.
        if matches!(trip.goal, Goal::Move(_)) && map::is_edited(&was, &was, &now) {
            // Whoever looks again merges it; as the base it would be nobody's edit.
            return Err(edited());
        }
        seen_as(&now, &told, to.as_str()).map(Some)
    }
}

/// What is decided about a trip by the look right before it.
pub(super) fn step(trip: &Trip<'_>, look: Option<Message>, trash: Option<&str>) -> Result<Step> {
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
