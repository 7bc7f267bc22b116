//! The bytes of messages: one request for each, a few at a time, each once.
//!
//! They are not asked for in batches: a batch saves no request of the mailbox's budget, and holds the bytes of twenty messages in memory
//! at once, a third larger.
//!
//! Provider: the bytes are written anew at each download, and need not be the same twice. So the first ones are kept, and not
//! compared. A draft may have been written on: what counts is what its bytes say to somebody who writes on it (`compose.rs`), not its changeKey,
//! which moves also with a flag or by itself.

use super::write::with_bytes_of;
use super::{Mail, api, no_answer};
use crate::again;
use futures_util::{StreamExt, stream};
use std::collections::HashMap;
use twofold_http::is_too_large;
use twofold_model::email::{Headers, Sheet, headers};
use twofold_model::error::AtPlace;
use twofold_model::{BlobId, Error, ErrorKind, Place, RemoteId, Rendering, Result, Seen, Taker, Unread};

/// Messages read at a time: as many as Graph allows for one mailbox.
const AT_A_TIME: usize = 4;
/// Larger ones, in bytes, are read one at a time: some megabytes of each are in memory.
const LARGE: u64 = 4 << 20;

/// The bytes of a message, as they were kept.
struct Bytes {
    blob: BlobId,
    size: u64,
    header: Headers,
}

impl Mail {
    /// Each copy with its bytes, handed over as soon as they are here. What a round showed of it is not asked for once more.
    pub(crate) async fn read_bodies(&self, unread: &[Unread], taker: &dyn Taker) {
        let mut copies: Vec<Option<Result<Option<Seen>>>> =
            unread.iter().map(|copy| copy.shown.clone().map(|seen| Ok(Some(seen)))).collect();
        let unknown: Vec<Place> =
            unread.iter().filter(|copy| copy.shown.is_none()).map(|copy| copy.place.clone()).collect();
        if !unknown.is_empty() && taker.goes_on() {
            let mut fetched = self.fetch(&unknown).await.into_iter();
            for copy in copies.iter_mut().filter(|copy| copy.is_none()) {
                *copy = fetched.next();
            }
        }
        // Each message once, with the copies of it that were asked for.
        let mut order: Vec<RemoteId> = Vec::new();
        let mut wanted: HashMap<RemoteId, Vec<(usize, Seen)>> = HashMap::new();
        for (at, copy) in copies.into_iter().enumerate() {
            let Some(mut copy) = copy else { continue };
            self.refuse_large(&mut copy);
            match copy {
                Ok(Some(seen)) => {
                    let copies = wanted.entry(seen.remote_id.clone()).or_default();
                    if copies.is_empty() {
                        order.push(seen.remote_id.clone());
                    }
                    copies.push((at, seen));
                }
                other => taker.take(at, other.at(format!("message {}", unread[at].place.remote_id))),
            }
        }
        let is_large = |id: &RemoteId| {
            let mut known = wanted.get(id).into_iter().flatten();
            let size = known.find_map(|(_, seen)| Sheet::read(&seen.rendering).ok()?.size);
            size.is_some_and(|size| size > LARGE)
        };
        let (large, small): (Vec<RemoteId>, Vec<RemoteId>) = order.into_iter().partition(is_large);
        let wanted = &wanted;
        for (ids, at_a_time) in [(small, AT_A_TIME), (large, 1)] {
            let leaving = ids.into_iter().take_while(|_| taker.goes_on());
            let reads = stream::iter(leaving).map(|id| async move {
                let bytes = self.bytes(&id, taker).await;
                for (at, seen) in wanted.get(&id).into_iter().flatten() {
                    let place = &unread[*at].place;
                    let copy = match &bytes {
                        Ok(bytes) => self.with_bytes(seen.clone(), bytes, unread[*at].known.as_ref()).map(Some),
                        // It was there a moment ago.
                        Err(error) if error.kind == ErrorKind::NotFound => match taker.goes_on() {
                            true => self.lost(place).await,
                            // What became of it is not asked any more.
                            false => continue,
                        },
                        Err(error) => Err(again(error)),
                    };
                    taker.take(*at, copy.at(format!("message {}", place.remote_id)));
                }
            });
            reads.buffer_unordered(at_a_time).collect::<()>().await;
        }
    }

    async fn bytes(&self, id: &RemoteId, taker: &dyn Taker) -> Result<Bytes> {
        let answer = self.graph.send_while(api::value(id.as_str()), &|| taker.goes_on()).await;
        let answer =
            answer.map_err(|error| if is_too_large(&error) { self.too_large() } else { super::of_nothing(error) })?;
        let answer = api::read_value(&answer)?;
        let lost =
            |error| Error::new(ErrorKind::Broken, "a large answer cannot be read from the disk").with_source(error);
        let header = headers::read(&answer.beginning(headers::LARGEST_HEADER + 3).map_err(lost)?);
        let (blob, size) = self.blobs.put(&mut answer.reader())?;
        Ok(Bytes { blob, size, header })
    }

    /// Of a message that has more bytes than can be taken, none are asked for.
    fn refuse_large(&self, copy: &mut Result<Option<Seen>>) {
        let Ok(Some(seen)) = copy else { return };
        // What Graph says of the size is that of its parts: as text they are larger.
        if Sheet::read(&seen.rendering).is_ok_and(|sheet| sheet.size.is_some_and(|size| size > self.most_bytes())) {
            *copy = Err(self.too_large());
        }
    }

    fn most_bytes(&self) -> u64 {
        self.graph.max_body() as u64
    }

    fn too_large(&self) -> Error {
        let why =
            format!("the message has more than the {} MB that are read from there", self.most_bytes() / 1_000_000);
        Error::new(ErrorKind::Refused, why)
    }

    async fn lost(&self, place: &Place) -> Result<Option<Seen>> {
        match self.fetch(std::slice::from_ref(place)).await.pop().unwrap_or_else(|| Err(no_answer()))? {
            None => Ok(None),
            Some(_) => Err(Error::new(ErrorKind::Unknown, "the message is there, and its bytes cannot be read yet")),
        }
    }

    /// A copy with its bytes: those that are known of a draft, where those that came are only Exchange's writing of them.
    fn with_bytes(&self, mut seen: Seen, bytes: &Bytes, known: Option<&Rendering>) -> Result<Seen> {
        let mut sheet = Sheet::read(&seen.rendering)?;
        let known = known.filter(|_| sheet.draft.is_some()).and_then(|known| Sheet::read(known).ok());
        match known.filter(|known| self.is_rewriting(&bytes.blob, known)) {
            Some(known) => sheet = with_bytes_of(sheet, &known),
            None => sheet.set_bytes(&bytes.blob, bytes.size, &bytes.header),
        }
        seen.rendering = sheet.write()?;
        Ok(seen)
    }

    /// Not where one of them cannot be read: then what came is what somebody wrote.
    fn is_rewriting(&self, now: &BlobId, known: &Sheet) -> bool {
        let now = self.composed_of(now);
        now.and_then(|now| Ok(now.is_rewriting_of(&self.composed(known)?))).unwrap_or(false)
    }
}
