//! Messages that are larger than one request: made without what is attached, which follows file by file.
//!
//! Provider: the attachments of a message that is no draft cannot be changed, and a draft stays one. So such a message is a draft at
//! Graph for ever. [`LARGE`] says that it was received, and it counts as that here; it says, too, while something is still missing, of
//! which bytes. Until then the message is none: no round shows it. Whoever looks for it by its mark adds what it lacks.
//!
//! The files are sent one after the other, so how many are there tells which are missing. The address of a session holds its own leave:
//! it is never noted down, and gets no token of ours.

use super::api;
use super::carry::{Goal, Trip};
use super::compose::Composed;
use super::files::{File, RANGE, SESSION_FROM};
use super::marks::Patch;
use super::wire::{INSTEAD, LARGE, MARK, Message, PROPERTIES};
use super::{Mail, map, no_answer, one};
use crate::taken_as;
use serde_json::json;
use twofold_http::Effect;
use twofold_model::{BlobId, Error, ErrorKind, Place, Result};

/// So often a range is taken up again without having come further.
const MOST_CUTS: u32 = 3;

/// What [`LARGE`] says of a message.
#[derive(Clone, Debug, PartialEq)]
pub struct Large {
    /// It is a draft there only because it is large.
    pub is_received: bool,
    /// Files are missing; these are the bytes that it is made of.
    pub missing: Option<BlobId>,
}

impl Large {
    /// Reads what a message says; `None` for one that was made in one request, or by others.
    pub fn of(message: &Message) -> Option<Large> {
        let mut words = message.property(LARGE)?.split(' ');
        let is_received = match words.next()? {
            "received" => true,
            "draft" => false,
            _ => return None,
        };
        Some(Large { is_received, missing: words.next().and_then(BlobId::parse) })
    }

    /// The text of the property.
    pub fn text(&self) -> String {
        let what = if self.is_received { "received" } else { "draft" };
        self.missing.as_ref().map_or_else(|| what.to_owned(), |blob| format!("{what} {blob}"))
    }
}

/// The bytes of a message of which something is still missing; `None`: it is whole.
pub fn missing(message: &Message) -> Option<BlobId> {
    Large::of(message)?.missing
}

impl Mail {
    /// Adds the files that a message lacks, and says that it is whole: the message as it is then. `there` of its files are attached.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] where it cannot be made whole; then it was taken back. Unknown for all that may be otherwise later.
    pub(super) async fn finish(&self, made: &Message, composed: &Composed, mut there: usize) -> Result<Message> {
        let files = composed.files();
        let mut is_second_try = false;
        while let Some(file) = files.get(there) {
            match self.attach(made.id(), file).await {
                Ok(true) => {
                    there += 1;
                    is_second_try = false;
                }
                // The session is over, or somewhere else than thought. Its file may be there all the same.
                Ok(false) if !is_second_try => {
                    is_second_try = true;
                    there = self.attached(made.id()).await.map_err(|error| taken_as(ErrorKind::Unknown, error))?;
                }
                Ok(false) => return Err(Error::new(ErrorKind::Unknown, "an upload was broken off there")),
                Err(error) if matches!(error.kind, ErrorKind::Refused | ErrorKind::Unsupported) => {
                    let why = format!("an attachment is not taken there ({})", error.message);
                    return Err(self.take_back(made, "*", &why).await);
                }
                Err(error) => return Err(taken_as(ErrorKind::Unknown, error)),
            }
        }
        let Some(large) = Large::of(made) else { return Ok(made.clone()) };
        let whole = Large { missing: None, ..large }.text();
        let body = json!({PROPERTIES: [{"id": LARGE, "value": whole}]});
        let patch = Patch { id: made.id().to_owned(), etag: "*".to_owned(), from: map::sheet(made), body };
        let told = self.patch_all(&[&patch]).await.pop().unwrap_or_else(|| Err(no_answer()));
        let mut told = told.map_err(|error| taken_as(ErrorKind::Unknown, error))?;
        map::complete(&mut told, &patch.from.own, &patch.body);
        Ok(told)
    }

    /// How many files are attached to a message.
    pub(super) async fn attached(&self, id: &str) -> Result<usize> {
        let ask = [api::attachments("a", id)];
        let answer = one(self.graph.all("list attachments", Effect::Read, &ask).await)?;
        Ok(self.all_rows(answer).await?.len())
    }

    /// Attaches a file; `false` where a session ended before it was whole.
    async fn attach(&self, id: &str, file: &File) -> Result<bool> {
        if file.bytes.len() < SESSION_FROM {
            return self.graph.send(api::attach(id, file.whole())).await.map(|_| true);
        }
        let session = api::read_session(&self.graph.send(api::begin_upload(id, file.announced())).await?)?;
        let total = file.bytes.len();
        let (mut at, mut cuts) = (0, 0);
        while at < total {
            let range = &file.bytes[at..total.min(at + RANGE)];
            match self.graph.send_unsigned(api::range(&session, range, at, total)).await {
                Ok(answer) => match api::next_range(&answer).unwrap_or(at + range.len()) {
                    next if next > at => (at, cuts) = (next, 0),
                    _ => return Err(Error::new(ErrorKind::Malformed, "an upload does not come further")),
                },
                Err(error) if error.kind == ErrorKind::Unknown && cuts < MOST_CUTS => {
                    cuts += 1;
                    match self.graph.send_unsigned(api::session_state(&session)).await {
                        Ok(answer) => at = api::next_range(&answer).filter(|next| *next >= at).ok_or(error)?,
                        Err(state) if is_over(&state) => return Ok(false),
                        // Provider: that a session says how far it is, is documented for files, and not for mail.
                        Err(_) => return Err(error),
                    }
                }
                Err(error) if is_over(&error) => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// What was made and is not what it should be goes to Deleted Items, without our mark, so that nobody takes it for a copy of the
    /// message: the error that says why.
    pub(super) async fn take_back(&self, made: &Message, etag: &str, why: &str) -> Error {
        let unmarked = [MARK, INSTEAD, LARGE].map(|id| json!({"id": id, "value": ""}));
        let folder = made.folder().unwrap_or_default();
        let place = Place { remote_id: made.id().into(), collection: folder.into() };
        let body = json!({PROPERTIES: unmarked});
        let patch = Patch { id: place.remote_id.0.clone(), etag: etag.to_owned(), from: map::sheet(made), body };
        let away = Trip { place: &place, goal: Goal::Trash, etag: None };
        for answer in self.patch_all(&[&patch]).await {
            if let Err(error) = answer {
                return taken_as(ErrorKind::Unknown, error);
            }
        }
        match self.carry_all(&[away]).await.pop() {
            Some(Ok(_)) => Error::new(ErrorKind::Unsupported, why.to_owned()),
            Some(Err(error)) => taken_as(ErrorKind::Unknown, error),
            None => no_answer(),
        }
    }
}

/// Whether a session is over, or not where it was thought to be.
fn is_over(error: &Error) -> bool {
    matches!(error.kind, ErrorKind::NotFound | ErrorKind::SignInNeeded) || error.message.starts_with("status 416")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_large_message_says_is_read_as_it_was_written() {
        let blob = BlobId::parse(&"ab".repeat(32)).unwrap();
        for (text, large) in [
            ("received".to_owned(), Some(Large { is_received: true, missing: None })),
            ("draft".to_owned(), Some(Large { is_received: false, missing: None })),
            (format!("received {blob}"), Some(Large { is_received: true, missing: Some(blob.clone()) })),
            (String::new(), None),
            ("else".to_owned(), None),
        ] {
            let mut message = Message::from_value(json!({"id": "1"})).unwrap();
            message.set_property(LARGE, &text);
            assert_eq!(Large::of(&message), large, "{text}");
            assert!(large.is_none_or(|large| large.text() == text));
        }
    }
}
