//! Messages that are larger than one request: made without what is attached, which follows file by file.
//!
//! Provider: the attachments of a message that is no draft cannot be changed, and a draft stays one. So such a message is a draft at
//! Graph for ever. [`LARGE`] says that it was received, and it counts as that here; it says, too, while something is still missing, of
//! which bytes. Until then the message is none: no round shows it. Whoever looks for it by its mark adds what it lacks.
//!
//! A message counts only when the files that Graph names are those of its bytes, by name and size; where its answer gave the id of a file,
//! that says which one it is, because Exchange may call it otherwise; where a cut left nobody who knows that id, its bytes do. Where one cannot be had whole it is
//! given up, which [`LARGE`] says first: from then on no round shows it and nobody finishes it. Then it goes to Deleted Items, and only
//! there it loses our mark. Whoever finds it by that before goes on where a cut left it.
//!
//! The address of a session holds its own leave: it is never noted down, and gets no token of ours.

use super::api;
use super::carry::{Goal, Trip};
use super::compose::Composed;
use super::files::{Attached, File, RANGE, Way, compared};
use super::marks::Patch;
use super::wire::{INSTEAD, LARGE, MARK, Message, PROPERTIES};
use super::{Mail, map, no_answer, one};
use crate::taken_as;
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use std::io::Read as _;
use twofold_http::{Effect, Pages, Response};
use twofold_model::email::Role;
use twofold_model::{BlobId, Error, ErrorKind, Place, Result};

/// So often a range is taken up again without having come further.
const MOST_CUTS: u32 = 3;

/// What [`LARGE`] says of a message.
#[derive(Clone, Debug, PartialEq)]
pub struct Large {
    /// It is a draft there only because it is large.
    pub is_received: bool,
    /// Whether its files are there.
    pub files: Files,
}

/// Whether the files of a large message are there.
#[derive(Clone, Debug, PartialEq)]
pub enum Files {
    /// All of them.
    Whole,
    /// Not all of them yet; these are the bytes that the message is made of.
    Missing(BlobId),
    /// They never will be: it is on its way to Deleted Items.
    GivenUp,
}

/// What stands for [`Files::GivenUp`].
const GIVEN_UP: &str = "given-up";

impl Large {
    /// Reads what a message says; `None` for one that was made in one request, or by others.
    pub fn of(message: &Message) -> Option<Large> {
        let mut words = message.property(LARGE)?.split(' ');
        let is_received = match words.next()? {
            "received" => true,
            "draft" => false,
            _ => return None,
        };
        let files = match words.next() {
            Some(GIVEN_UP) => Files::GivenUp,
            word => word.and_then(BlobId::parse).map_or(Files::Whole, Files::Missing),
        };
        Some(Large { is_received, files })
    }

    /// The text of the property.
    pub fn text(&self) -> String {
        let what = if self.is_received { "received" } else { "draft" };
        match &self.files {
            Files::Whole => what.to_owned(),
            Files::Missing(blob) => format!("{what} {blob}"),
            Files::GivenUp => format!("{what} {GIVEN_UP}"),
        }
    }
}

/// Whether a message is none yet, or never will be.
pub fn is_half(message: &Message) -> bool {
    Large::of(message).is_some_and(|large| large.files != Files::Whole)
}

impl Mail {
    /// Adds the files that a message lacks, and says that it is whole: the message as it is then. `there` is what is attached to it, and
    /// `known` says of ids which file they are.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] where it cannot be made whole; then it was taken back. Unknown for all that may be otherwise later.
    pub(super) async fn finish(
        &self,
        made: &Message,
        composed: &Composed,
        blob: &BlobId,
        there: &[Attached],
        mut known: HashMap<String, usize>,
    ) -> Result<Message> {
        let files = composed.files();
        let mut open = self.open_of(made.id(), (files, blob), there, &known).await?;
        let mut is_second_try = false;
        while let Some((at, file)) = open.first().and_then(|at| Some((*at, files.get(*at)?))) {
            match self.attach(made.id(), file, blob).await {
                Ok(Some(answer)) => {
                    known.extend(api::attached_id(&answer).map(|id| (id, at)));
                    open.remove(0);
                    is_second_try = false;
                }
                // The session is over, or somewhere else than thought. Its file may be there all the same.
                Ok(None) if !is_second_try => {
                    is_second_try = true;
                    open = self.lacks(made.id(), (files, blob), &known).await?;
                }
                Ok(None) => return Err(Error::new(ErrorKind::Unknown, "an upload was broken off there")),
                Err(error) if matches!(error.kind, ErrorKind::Refused | ErrorKind::Unsupported) => {
                    let why = format!("an attachment is not taken there ({})", error.message);
                    return Err(self.take_back(made, "*", &why).await);
                }
                Err(error) => return Err(taken_as(ErrorKind::Unknown, error)),
            }
        }
        if !self.lacks(made.id(), (files, blob), &known).await?.is_empty() {
            return Err(others());
        }
        let Some(large) = Large::of(made) else { return Ok(made.clone()) };
        let whole = Large { files: Files::Whole, ..large };
        self.say(made, "*", LARGE, &whole.text()).await.map_err(|error| taken_as(ErrorKind::Unknown, error))
    }

    /// Which files a message lacks by what Graph says now.
    async fn lacks(&self, id: &str, files: (&[File], &BlobId), known: &HashMap<String, usize>) -> Result<Vec<usize>> {
        let there = self.attached(id).await.map_err(|error| taken_as(ErrorKind::Unknown, error))?;
        self.open_of(id, files, &there, known).await
    }

    /// Which files a message lacks that has these. What is there once more, byte for byte, is taken away: what was attached without an answer
    /// may come to be there late.
    async fn open_of(
        &self,
        id: &str,
        (files, blob): (&[File], &BlobId),
        there: &[Attached],
        known: &HashMap<String, usize>,
    ) -> Result<Vec<usize>> {
        let compared = compared(files, there, known).ok_or_else(others)?;
        for (twice, at) in compared.twice {
            let unknown = |error| taken_as(ErrorKind::Unknown, error);
            let bytes = self.graph.send(api::attached_bytes(id, &twice)).await.map_err(unknown)?;
            if !self.is_file(&bytes, &files[at], blob)? {
                return Err(others());
            }
            match self.graph.send(api::detach(id, &twice)).await {
                Err(error) if error.kind != ErrorKind::NotFound => return Err(unknown(error)),
                _ => {}
            }
        }
        Ok(compared.open)
    }

    /// Which files those are that are attached under other names than theirs: they have the very bytes. (A run that was killed knows no id.)
    ///
    /// # Errors
    /// Where their bytes cannot be read.
    pub(super) async fn renamed(
        &self,
        id: &str,
        files: &[File],
        there: &[Attached],
        blob: &BlobId,
    ) -> Result<HashMap<String, usize>> {
        let mut known = HashMap::new();
        let (named, others): (Vec<Attached>, Vec<Attached>) =
            there.iter().cloned().partition(|one| files.iter().any(|file| one.is_named_as(file)));
        let mut open = compared(files, &named, &known).unwrap_or_default().open;
        for other in others {
            let could_be: Vec<usize> = open.iter().copied().filter(|at| other.is_as_large_as(&files[*at])).collect();
            if could_be.is_empty() {
                continue;
            }
            let bytes = self.graph.send(api::attached_bytes(id, &other.id)).await?;
            for at in could_be {
                if self.is_file(&bytes, &files[at], blob)? {
                    open.retain(|one| *one != at);
                    known.insert(other.id, at);
                    break;
                }
            }
        }
        Ok(known)
    }

    /// Whether an answer is a file's bytes.
    fn is_file(&self, answer: &Response, file: &File, blob: &BlobId) -> Result<bool> {
        let total = file.size();
        if answer.length() != total as u64 {
            return Ok(false);
        }
        let (mut reader, mut at) = (answer.reader(), 0);
        while at < total {
            let ours = file.range(at..total.min(at + RANGE), &*self.blobs, blob)?;
            let mut theirs = vec![0; ours.len()];
            let unread = |e| Error::new(ErrorKind::Unknown, "an attachment cannot be read again").with_source(e);
            reader.read_exact(&mut theirs).map_err(unread)?;
            if theirs != ours {
                return Ok(false);
            }
            at += ours.len();
        }
        Ok(true)
    }

    /// What is attached to a message.
    pub(super) async fn attached(&self, id: &str) -> Result<Vec<Attached>> {
        let ask = [api::attachments("a", id)];
        let mut answer = one(self.graph.all("list attachments", Effect::Read, &ask).await)?;
        let (mut there, mut pages) = (Vec::new(), Pages::default());
        loop {
            let (rows, next) = api::read_attachments(&answer)?;
            let names: Vec<String> = rows.iter().map(|file| format!("{} {}", file.size, file.name)).collect();
            pages.take(names.iter().map(String::as_str))?;
            // Pages are no snapshot: one may stand on two of them.
            let is_new =
                |there: &[Attached], row: &Attached| row.id.is_empty() || there.iter().all(|have| have.id != row.id);
            for row in rows {
                if is_new(&there, &row) {
                    there.push(row);
                }
            }
            let Some(link) = next else { return Ok(there) };
            let page = [api::page("a", &self.graph.link(&link)?)];
            answer = one(self.graph.all("list attachments", Effect::Read, &page).await)?;
        }
    }

    /// Attaches a file: the last answer; `None` where a session ended before it was whole.
    async fn attach(&self, id: &str, file: &File, blob: &BlobId) -> Result<Option<Response>> {
        let (way, other) = file.ways();
        match (self.attach_by(way, id, file, blob).await, other) {
            (Err(error), Some(other)) if error.kind == ErrorKind::Refused => {
                self.attach_by(other, id, file, blob).await
            }
            (answer, _) => answer,
        }
    }

    async fn attach_by(&self, way: Way, id: &str, file: &File, blob: &BlobId) -> Result<Option<Response>> {
        if way == Way::AtOnce {
            let file = file.loaded(&*self.blobs, blob)?;
            return self.graph.send(api::attach(id, file.whole())).await.map(Some);
        }
        let session = api::read_session(&self.graph.send(api::begin_upload(id, file.announced())).await?)?;
        let total = file.size();
        let (mut at, mut cuts, mut last) = (0, 0, None);
        while at < total {
            let range = file.range(at..total.min(at + RANGE), &*self.blobs, blob)?;
            match self.graph.send_unsigned(api::range(&session, &range, at, total)).await {
                Ok(answer) => match api::next_range(&answer).unwrap_or(at + range.len()) {
                    next if next > total => return Err(too_far()),
                    next if next > at => (at, cuts, last) = (next, 0, Some(answer)),
                    _ => return Err(Error::new(ErrorKind::Malformed, "an upload does not come further")),
                },
                Err(error) if error.kind == ErrorKind::Unknown && cuts < MOST_CUTS => {
                    cuts += 1;
                    match self.graph.send_unsigned(api::session_state(&session)).await {
                        Ok(answer) => match api::next_range(&answer).filter(|next| *next >= at).ok_or(error)? {
                            next if next > total => return Err(too_far()),
                            next => (at, last) = (next, Some(answer)),
                        },
                        Err(state) if is_over(&state) => return Ok(None),
                        // Provider: that a session says how far it is, is documented for files, and not for mail.
                        Err(_) => return Err(error),
                    }
                }
                Err(error) if is_over(&error) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        Ok(last)
    }

    /// What was made and is not what it should be is given up: the error that says why.
    pub(super) async fn take_back(&self, made: &Message, etag: &str, why: &str) -> Error {
        match self.give_up(made, etag).await {
            Ok(()) => Error::new(ErrorKind::Unsupported, why.to_owned()),
            Err(error) => taken_as(ErrorKind::Unknown, error),
        }
    }

    /// Takes a message to Deleted Items, without our mark there, so that nobody takes it for a copy of what it was made of. Wherever it
    /// is cut off, nobody is shown it, and it has its mark until it is there.
    ///
    /// # Errors
    /// Whatever kept it from being ended; to be called again then.
    pub(super) async fn give_up(&self, made: &Message, etag: &str) -> Result<()> {
        let large = Large::of(made);
        let mut made = made.clone();
        if large.as_ref().is_none_or(|large| large.files != Files::GivenUp) {
            let is_received = large.is_some_and(|large| large.is_received);
            let given_up = Large { is_received, files: Files::GivenUp };
            made = match self.say(&made, etag, LARGE, &given_up.text()).await {
                Err(error) if error.kind == ErrorKind::NotFound => return Ok(()),
                said => said?,
            };
        }
        let folder = made.folder().unwrap_or_default().to_owned();
        let tree = self.tree_with(&HashSet::from([folder.as_str()])).await?;
        if tree.of_role(Role::Trash).is_none_or(|trash| trash.id != folder) {
            let place = Place { remote_id: made.id().into(), collection: folder.as_str().into() };
            let away = Trip { place: &place, goal: Goal::Trash, etag: None };
            self.carry_all(&[away]).await.pop().unwrap_or_else(|| Err(no_answer()))?;
        }
        let unmarked = [MARK, INSTEAD].map(|id| json!({"id": id, "value": ""}));
        match self.change(&made, "*", json!({PROPERTIES: unmarked})).await {
            Err(error) if error.kind != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Sets one of our properties of a message.
    async fn say(&self, made: &Message, etag: &str, id: &str, value: &str) -> Result<Message> {
        self.change(made, etag, json!({PROPERTIES: [{"id": id, "value": value}]})).await
    }

    /// Changes a message that we made: as it is then, with what an answer does not show.
    async fn change(&self, made: &Message, etag: &str, body: Value) -> Result<Message> {
        let patch = Patch { id: made.id().to_owned(), etag: etag.to_owned(), from: map::sheet(made), body };
        let mut told = self.patch_all(&[&patch]).await.pop().unwrap_or_else(|| Err(no_answer()))?;
        map::complete(&mut told, &patch.from.own, &patch.body);
        Ok(told)
    }
}

/// Something is attached that is none of the files, or not as large as they are.
fn others() -> Error {
    Error::new(ErrorKind::Unknown, "what is attached to the message there is not what its bytes say")
}

fn too_far() -> Error {
    Error::new(ErrorKind::Malformed, "an upload says that it is further than its file")
}

/// Whether a session is over, or not where it was thought to be.
fn is_over(error: &Error) -> bool {
    let is_over = ["status 404", "status 416"].iter().any(|status| error.message.starts_with(status));
    is_over || error.kind == ErrorKind::SignInNeeded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_large_message_says_is_read_as_it_was_written() {
        let blob = BlobId::parse(&"ab".repeat(32)).unwrap();
        let said = |is_received, files| Some(Large { is_received, files });
        for (text, large, half) in [
            ("received".to_owned(), said(true, Files::Whole), false),
            ("draft".to_owned(), said(false, Files::Whole), false),
            (format!("received {blob}"), said(true, Files::Missing(blob.clone())), true),
            ("draft given-up".to_owned(), said(false, Files::GivenUp), true),
            (String::new(), None, false),
            ("else".to_owned(), None, false),
        ] {
            let mut message = Message::from_value(json!({"id": "1"})).unwrap();
            message.set_property(LARGE, &text);
            assert_eq!((Large::of(&message), is_half(&message)), (large.clone(), half), "{text}");
            assert!(large.is_none_or(|large| large.text() == text));
        }
    }
}
