//! What is written: which way each operation goes. Marks of messages are changed (`marks.rs`), and messages moved and copied
//! (`carry.rs`), twenty to a batch; messages are made one by one (`make.rs`).
//!
//! Nothing is deleted for good, and nobody gets a receipt: a message that asks for one is told to ask no more, in a request of its own,
//! before it is marked as read or goes unread to Deleted Items.

use super::carry::{Goal, Trip};
use super::marks::{Update, update};
use super::wire::Message;
use super::{Mail, api, no_answer};
use crate::taken_as;
use twofold_http::Response;
use twofold_model::email::{Sheet, keywords};
use twofold_model::error::AtPlace;
use twofold_model::{Error, ErrorKind, Operation, Result, Written};

impl Mail {
    /// Carries out the operations: first what makes something, then changes, then what moves or takes away.
    pub(crate) async fn write(&self, operations: &[Operation]) -> Vec<Result<Written>> {
        let mut answers: Vec<Option<Result<Written>>> = operations.iter().map(|_| None).collect();
        let (mut updates, mut trips) = (Vec::new(), Vec::new());
        let names = self.names();
        for (at, operation) in operations.iter().enumerate() {
            match operation {
                Operation::Create { collection, rendering, mark, .. } => {
                    answers[at] = Some(match Sheet::read(rendering) {
                        Ok(sheet) => self.create(collection, sheet, Some(mark), None).await,
                        Err(error) => Err(error),
                    });
                }
                Operation::Update { place, etag, from, to } => match update(place, etag, from, to, &names) {
                    Ok(update) if is_rewritten(&update) => {
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
}

/// Whether an update is about the bytes. Those of a received message that nobody has asked for yet are not: they never change.
fn is_rewritten(update: &Update) -> bool {
    let (was, now) = (update.from.blob(), update.to.blob());
    was != now && (was.is_some() || update.from.has(keywords::DRAFT))
}

/// What the answer to a write tells of the message; `None` where it tells nothing.
///
/// # Errors
/// Unknown where there is a body that cannot be understood: it may be of somebody on the way, and nothing was executed.
pub(super) fn read_told(answer: Result<Response>) -> Result<Option<Message>> {
    let answer = answer?;
    match answer.body.trim_ascii() {
        [] => Ok(None),
        _ => api::read_message(&answer).map(Some).map_err(|error| taken_as(ErrorKind::Unknown, error)),
    }
}

/// A sheet with the bytes of another one: a write of marks changes none, and what Exchange made of those that it was given is its own.
pub(super) fn with_bytes_of(now: Sheet, of: &Sheet) -> Sheet {
    Sheet { blob_id: of.blob_id.clone(), size: of.size, says: of.says.clone(), ..now }
}

pub(super) fn gone() -> Error {
    Error::new(ErrorKind::NotFound, "the message is not there any more")
}

pub(super) fn edited() -> Error {
    Error::new(ErrorKind::StaleEtag, "the message was changed there meanwhile")
}

fn name(operation: &Operation) -> String {
    match operation {
        Operation::Create { mark, .. } => format!("create message {mark}"),
        Operation::Update { place, .. } => format!("update message {}", place.remote_id),
        Operation::Delete { place, .. } => format!("delete message {}", place.remote_id),
        Operation::Copy { of, .. } => format!("copy message {}", of.remote_id),
        Operation::Move { place, .. } => format!("move message {}", place.remote_id),
    }
}
