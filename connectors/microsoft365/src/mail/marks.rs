//! Marks of messages: a PATCH of what differs, twenty to a batch.
//!
//! A change rests on the state that was agreed (`If-Match`). Graph finds a conflict also where nobody wrote; where the message still says
//! what it said, nothing was executed, and the change is sent once more.

use super::categories::Names;
use super::wire::Message;
use super::write::{edited, gone, read_told, with_bytes_of};
use super::{Mail, api, etag, map, no_answer, number, seen_as};
use crate::taken_as;
use serde_json::Value;
use twofold_http::{Effect, Part};
use twofold_model::email::{Sheet, keywords};
use twofold_model::{Error, ErrorKind, Etag, Place, Rendering, Result, Seen, Written};

/// A change of the marks of one message.
pub(super) struct Patch {
    pub(super) id: String,
    pub(super) etag: String,
    /// What the message said when the change was agreed.
    pub(super) from: Sheet,
    pub(super) body: Value,
}

/// An update: a patch, and what is to come of it.
pub(super) struct Update {
    pub(super) patch: Option<Patch>,
    pub(super) place: Place,
    pub(super) etag: Etag,
    pub(super) from: Sheet,
    pub(super) to: Sheet,
}

impl Mail {
    pub(super) async fn update_all(&self, mut updates: Vec<Update>) -> Vec<Result<Written>> {
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
    pub(super) async fn ask_no_receipts(&self, whom: &[(&Place, &Etag, &Sheet)]) -> Vec<Result<Message>> {
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
            let mut message = answer?;
            map::complete(&mut message, &from.own, &Value::Null);
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
    pub(super) async fn patch_all(&self, patches: &[&Patch]) -> Vec<Result<Message>> {
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
            told.iter().enumerate().filter(|(_, told)| told.as_ref().is_ok_and(is_silent)).map(|(at, _)| at).collect();
        let looks = self.look_at(silent.iter().map(|at| patches[*at])).await;
        for (at, look) in silent.into_iter().zip(looks) {
            told[at] = look.map_err(|error| taken_as(ErrorKind::Unknown, error));
        }
        told.into_iter().map(|told| told.and_then(|told| told.ok_or_else(gone))).collect()
    }

    async fn look_at(&self, patches: impl Iterator<Item = &Patch>) -> Vec<Result<Option<Message>>> {
        self.look(&patches.map(|patch| patch.id.clone()).collect::<Vec<_>>()).await
    }
}

pub(super) fn update(place: &Place, etag: &Etag, from: &Rendering, to: &Rendering, names: &Names) -> Result<Update> {
    let (from, to) = (Sheet::read(from)?, Sheet::read(to)?);
    let patch = map::changes(&from, &to, names).map(|body| Patch {
        id: place.remote_id.0.clone(),
        etag: etag.0.clone(),
        from: from.clone(),
        body,
    });
    Ok(Update { patch, place: place.clone(), etag: etag.clone(), from, to })
}

/// Whether an answer does not tell what the message is now.
fn is_silent(told: &Option<Message>) -> bool {
    told.as_ref().is_none_or(|message| !message.tells_state())
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
