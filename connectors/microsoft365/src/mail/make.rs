//! Messages that are made, and drafts that are written on.

use super::attach::{Files, Large};
use super::carry::{Goal, Step, Trip, step};
use super::compose::{self, Composed};
use super::lean::{self, Lean};
use super::marks::{Patch, Update};
use super::wire::{MARK, Message};
use super::write::{edited, gone, read_told, with_bytes_of};
use super::{Mail, api, etag, map, no_answer, one, seen_as};
use crate::taken_as;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::Read as _;
use twofold_http::Effect;
use twofold_model::blob::open_to_send;
use twofold_model::email::{Sheet, keywords};
use twofold_model::{BlobId, CollectionId, Error, ErrorKind, Mark, Result, Written};

/// A message of which no file can stay in the store is in memory as a whole; a larger one is not made.
const MOST_WHOLE: usize = 48 * 1024 * 1024;

impl Mail {
    /// Makes a message. What it is there is written by Exchange; what it is here stays the blob.
    pub(super) async fn create(
        &self,
        folder: &CollectionId,
        sheet: Sheet,
        mark: Option<&Mark>,
        instead: Option<&str>,
    ) -> Result<Written> {
        let none = || Error::new(ErrorKind::Unsupported, "the bytes of the message are not here yet");
        let blob = sheet.blob().ok_or_else(none)?;
        let composed = self.composed_of(&blob)?;
        let body = composed.create(&sheet, mark, instead, &self.names())?;
        let answer = self.graph.send(api::create(folder.as_str(), body.clone())).await;
        let message = read_told(answer)?;
        let mut message =
            message.ok_or_else(|| Error::new(ErrorKind::Unknown, "what was made is not told, and has no id yet"))?;
        message = self.whole_told(message).await?;
        map::complete(&mut message, &serde_json::Map::new(), &body);
        if let Some(mark) = mark {
            message.set_property(MARK, &mark.to_string());
        }
        let folder = message.folder().unwrap_or(folder.as_str()).to_owned();
        if composed.is_large() {
            let own = map::sheet(&message).own;
            message = self.finish(&message, &composed, &blob, &[], HashMap::new()).await?;
            map::complete(&mut message, &own, &body);
            if map::is_edited(&sheet, &sheet, &map::sheet(&message)) {
                // It took its time, and somebody used it. Whoever looks for it merges that.
                return Err(taken_as(ErrorKind::Unknown, edited()));
            }
        }
        if map::sheet(&message).has(keywords::DRAFT) != sheet.has(keywords::DRAFT) {
            // What became a draft where a received message was asked for stays one for ever.
            let why = "a received message cannot be made there: it became a draft";
            return Err(self.take_back(&message, &etag(&message)?.0, why).await);
        }
        seen_as(&with_bytes_of(map::sheet(&message), &sheet), &message, &folder).map(Some)
    }

    /// A message that a look found, with what it lacks; `None` where it could not be had whole, and was taken back.
    pub(super) async fn made_whole(&self, found: &Message) -> Result<Option<Message>> {
        let blob = match Large::of(found).map(|large| large.files) {
            None | Some(Files::Whole) => return Ok(Some(found.clone())),
            Some(Files::GivenUp) => return self.give_up(found, "*").await.map(|()| None),
            Some(Files::Missing(blob)) => blob,
        };
        let composed = match self.composed_of(&blob) {
            Err(error) if error.kind == ErrorKind::Unsupported => {
                return self.give_up(found, "*").await.map(|()| None);
            }
            composed => composed?,
        };
        let there = self.attached(found.id()).await?;
        let known = self.renamed(found.id(), composed.files(), &there, &blob).await?;
        match self.finish(found, &composed, &blob, &there, known).await {
            Ok(whole) => Ok(Some(whole)),
            Err(error) if error.kind == ErrorKind::Unsupported => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The bytes that a sheet names, taken apart.
    pub(super) fn composed(&self, sheet: &Sheet) -> Result<Composed> {
        let none = || Error::new(ErrorKind::Unsupported, "the bytes of the message are not here yet");
        self.composed_of(&sheet.blob().ok_or_else(none)?)
    }

    /// The same of a blob. Its large files stay in the store, where they can.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] where it says more beside them than Graph takes; that is seen before it is in memory.
    pub(super) fn composed_of(&self, blob: &BlobId) -> Result<Composed> {
        let unread = |error| Error::new(ErrorKind::Refused, "the bytes of a message cannot be read").with_source(error);
        for long in [lean::LONG, lean::LONGER] {
            let lean = Lean::read(open_to_send(&*self.blobs, blob)?, long).map_err(unread)?;
            let lean = lean.ok_or_else(compose::says_too_much)?;
            if let Some(composed) = Composed::without(&lean.bytes, &lean.runs)? {
                return composed.loaded(&*self.blobs, blob);
            }
        }
        // What is long in it is no file, or more than that.
        let mut bytes = Vec::new();
        let most = MOST_WHOLE as u64 + 1;
        open_to_send(&*self.blobs, blob)?.take(most).read_to_end(&mut bytes).map_err(unread)?;
        if bytes.len() > MOST_WHOLE {
            return Err(compose::says_too_much());
        }
        Composed::without(&bytes, &[])?.unwrap_or_default().loaded(&*self.blobs, blob)
    }

    /// Gives a draft another text. While only its fields differ they are changed in place; else another draft takes its place, and the
    /// old one goes to Deleted Items. That one is found again by what it stands instead of, so a repeat makes no second one.
    pub(super) async fn rewrite(&self, update: Update) -> Result<Written> {
        if !update.from.has(keywords::DRAFT) {
            return Err(Error::new(ErrorKind::Unsupported, "only drafts have other bytes than they had"));
        }
        let now = self.composed(&update.to)?;
        // The bytes that the draft had may be gone from here; then another one takes its place.
        let was = self.composed(&update.from).ok();
        if let Some(fields) = was.and_then(|was| now.rewrite(&was)) {
            let mut body = map::changes(&update.from, &update.to, &self.names()).unwrap_or_else(|| json!({}));
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
        let mut found = self.all_rows(one(self.graph.all("find drafts", Effect::Read, &ask).await)?).await?;
        // A round may have shown it before a search does.
        let shown = self.memory().instead.get(&what).cloned();
        if let Some(shown) = shown.filter(|_| found.is_empty()) {
            found.extend(self.look(&[shown]).await.pop().unwrap_or_else(|| Err(no_answer()))?);
        }
        let made = match found.into_iter().next() {
            Some(message) => {
                let whole = self.made_whole(&message).await?;
                let message =
                    whole.ok_or_else(|| Error::new(ErrorKind::Unsupported, "the draft is not taken there"))?;
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
            // It stays where it is for good (it is in Deleted Items already): a message of its own from now on.
            Err(error) if error.kind == ErrorKind::Refused => Ok(made),
            // It was made; only the old one is there still. Whoever repeats this finds it.
            Err(error) => Err(taken_as(ErrorKind::Unknown, error)),
        }
    }
}
