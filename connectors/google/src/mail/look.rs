//! Single messages, many in a batch: what stands where (`fetch`), and their bytes (`bodies`).
//!
//! Provider: the parts of a batch run side by side and get in each other's way; some are then answered 429. Exactly those are asked
//! for again, in smaller batches; a part without an answer is unknown, never gone.

use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::read::DecoderReader;
use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::io::{BufReader, Read};
use twofold_http::{Effect, is_lost_on_the_way, is_not_kept, is_too_large};
use twofold_model::email::{Sheet, headers};
use twofold_model::error::AtPlace;
use twofold_model::{Error, ErrorKind, Gathered, Place, Result, Seen, Taker};

use super::api::{Format, GET_UNITS};
use super::batch::{self, MOST_PARTS};
use super::map::{self, Labels, parts_of};
use super::wire::Message;
use super::{Mail, again, api};

/// Parts of the first batch.
const FIRST_PARTS: usize = 15;
/// A batch is planned to bring no more bytes than this.
const MOST_BYTES: usize = 16 << 20;
/// So many batches of which nothing came are enough.
const VAIN_BATCHES: u32 = 12;
/// So many batches whose answers are lost on the way, one after the other, before it is taken to be the line.
const LOST_BATCHES: u32 = 7;
/// How often a part is sent in all when Gmail stumbles over it.
const TRIES: u32 = 4;

/// Provider: base64 comes with or without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// How many gets go into one batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pace {
    parts: usize,
    /// Bytes of a message with its bytes, on average of late.
    bytes_each: usize,
}

impl Default for Pace {
    fn default() -> Self {
        Pace { parts: FIRST_PARTS, bytes_each: 64 << 10 }
    }
}

impl Pace {
    fn size(self, format: Format) -> usize {
        match format {
            Format::Minimal | Format::Headers => self.parts,
            Format::Raw => self.parts.min(MOST_BYTES / self.bytes_each.max(1)).max(1),
        }
    }

    /// What a batch of `sent` parts came to.
    fn note(&mut self, sent: usize, throttled: usize, brought: Option<usize>) {
        if throttled > 0 {
            self.parts = (sent.min(self.parts) / 2).max(1);
        } else if sent >= self.parts {
            self.parts = (self.parts + 2).min(MOST_PARTS);
        }
        if let Some(each) = brought.and_then(|bytes| bytes.checked_div(sent - throttled)) {
            self.bytes_each = (self.bytes_each + each) / 2;
        }
    }
}

/// What is known of a message.
struct Whole {
    labels: BTreeSet<String>,
    sheet: Sheet,
}

impl Mail {
    /// Each copy as it is now. Of what the history said in this round that it is not there any more, nothing is asked.
    pub(crate) async fn fetch(&self, places: &[Place]) -> Vec<Result<Option<Seen>>> {
        let table = match self.labels().await {
            Ok(table) => table,
            Err(error) => return places.iter().map(|_| Err(again(&error))).collect(),
        };
        let open = {
            let memory = self.memory();
            let left = |place: &Place| {
                let Ok((message, label)) = parts_of(&place.remote_id) else { return false };
                memory.fates.get(message).is_some_and(|now| match now {
                    Some(labels) => !table.stands(labels).contains(&label),
                    None => true,
                })
            };
            places.iter().map(|place| !left(place)).collect::<Vec<bool>>()
        };
        let asked: Vec<&Place> = places.iter().zip(&open).filter(|(_, open)| **open).map(|(place, _)| place).collect();
        let mut found: HashMap<String, Result<Option<Message>>> = HashMap::new();
        self.read(&messages_of(&asked), Format::Minimal, &mut |id, answer| {
            found.insert(id.to_owned(), answer);
        })
        .await;
        let answer = |(place, open): (&Place, &bool)| {
            if !open {
                return Ok(None);
            }
            let (message, label) = parts_of(&place.remote_id)?;
            match found.get(message) {
                Some(Ok(Some(there))) => {
                    let sheet = Sheet { size: there.size_estimate, ..bare(there) };
                    copy(&table, (message, label), &labels_of(there), &sheet)
                }
                Some(Ok(None)) => Ok(None),
                Some(Err(error)) => Err(again(error)),
                None => Err(unanswered()),
            }
        };
        places.iter().zip(&open).map(|asked| answer(asked).at(&asked.0.remote_id)).collect()
    }

    /// Each copy whole, handed over as soon as it is: its bytes are with the blobs then.
    pub(crate) async fn read_bodies(&self, places: &[Place], taker: &dyn Taker) {
        self.look(places, Format::Raw, taker, |message| self.keep(message)).await;
    }

    /// Each copy with what its header says.
    pub(crate) async fn headers(&self, places: &[Place]) -> Vec<Result<Option<Seen>>> {
        let all = Gathered::of(places.len());
        self.look(places, Format::Headers, &all, |message| Ok(announced(message))).await;
        all.answers()
    }

    /// Each copy with what `keep` makes of its message, which is read once, whatever labels it is asked for under.
    async fn look(
        &self,
        places: &[Place],
        format: Format,
        taker: &dyn Taker,
        keep: impl Fn(&Message) -> Result<Whole> + Send + Sync,
    ) {
        let table = match self.labels().await {
            Ok(table) => table,
            Err(error) => return (0..places.len()).for_each(|at| taker.take(at, Err(again(&error)))),
        };
        let mut asked: HashMap<&str, Vec<(usize, &str)>> = HashMap::new();
        for (at, place) in places.iter().enumerate() {
            match parts_of(&place.remote_id) {
                Ok((message, label)) => asked.entry(message).or_default().push((at, label)),
                Err(error) => taker.take(at, Err(error).at(&place.remote_id)),
            }
        }
        let all: Vec<&Place> = places.iter().collect();
        self.read_while(&messages_of(&all), format, &|| taker.goes_on(), &mut |id, answer| {
            let whole = answer.and_then(|message| message.map(|message| keep(&message)).transpose());
            for (at, label) in asked.get(id).into_iter().flatten() {
                let copy = match &whole {
                    Ok(Some(whole)) => copy(&table, (id, label), &whole.labels, &whole.sheet),
                    Ok(None) => Ok(None),
                    Err(error) => Err(again(error)),
                };
                taker.take(*at, copy.at(&places[*at].remote_id));
            }
        })
        .await;
    }

    /// Puts the bytes of a message with the blobs.
    fn keep(&self, message: &Message) -> Result<Whole> {
        // Decoded on its way: a large message is in memory once at most.
        let put = self.blobs.put(&mut bytes_of(message)?);
        let (blob, size) = put.map_err(|error| if error.kind == ErrorKind::Refused { no_base64() } else { error })?;
        let mut sheet = bare(message);
        sheet.set_bytes(&blob, size, &headers::read(&beginning(message)?));
        Ok(Whole { labels: labels_of(message), sheet })
    }

    /// Gets messages, and hands each on as it comes; `None`: there is no such message.
    pub(super) async fn read(
        &self,
        ids: &[String],
        format: Format,
        on: &mut (dyn FnMut(&str, Result<Option<Message>>) + Send),
    ) {
        self.read_while(ids, format, &|| true, on).await;
    }

    /// The same; no request leaves any more once `goes_on` says no.
    async fn read_while(
        &self,
        ids: &[String],
        format: Format,
        goes_on: &(dyn Fn() -> bool + Sync),
        on: &mut (dyn FnMut(&str, Result<Option<Message>>) + Send),
    ) {
        const WHAT: &str = "get messages";
        let (refused, open): (Vec<&str>, Vec<&str>) = {
            let memory = self.memory();
            let is_refused = |id: &&str| format == Format::Raw && memory.too_large.contains(*id);
            ids.iter().map(String::as_str).partition(is_refused)
        };
        refused.into_iter().for_each(|id| on(id, Err(self.too_large())));
        let mut open = VecDeque::from(open);
        let mut stumbled: HashMap<&str, u32> = HashMap::new();
        let (mut in_vain, mut in_lost, mut has_renewed, mut is_told_to_wait) = (0, 0, false, false);
        let mut most = usize::MAX;
        while !open.is_empty() && goes_on() {
            let size = self.memory().pace.size(format).min(most).min(open.len());
            let now: Vec<&str> = open.drain(..size).collect();
            let paths: Vec<String> = now.iter().map(|id| api::get_path(id, format)).collect();
            let reply = self.client.send_while(batch::gets(WHAT, &paths, GET_UNITS), goes_on).await;
            if reply.as_ref().is_ok_and(|reply| !reply.is_success()) {
                // The batch as a whole came too soon, or was too much: after the pause, a smaller one, and no larger one in this read. One
                // alone is repeated by itself.
                is_told_to_wait = true;
                most = (now.len() / 2).max(1);
                self.memory().pace.note(now.len(), now.len(), None);
                now.iter().rev().for_each(|id| open.push_front(id));
                continue;
            }
            let answers = reply.and_then(|reply| {
                let length = usize::try_from(reply.length()).unwrap_or(usize::MAX);
                Ok((length, batch::read(reply, now.len()).at(WHAT)?))
            });
            let (bytes, answers) = match answers {
                Ok(answers) => answers,
                // Too large as a whole, also for the disk, or no batch at all: one alone tells which it is.
                Err(error) if (is_no_batch(&error) || is_not_kept(&error)) && now.len() > 1 => {
                    // What has no room is not sent for again and again.
                    let parts = if is_not_kept(&error) { 1 } else { now.len() };
                    self.memory().pace.note(parts, parts, None);
                    now.iter().rev().for_each(|id| open.push_front(id));
                    continue;
                }
                Err(error) if is_too_large(&error) => {
                    self.memory().too_large.insert(now[0].to_owned());
                    on(now[0], Err(self.too_large()));
                    continue;
                }
                // A page of a proxy says nothing of a message, so that it is not the message that is set aside.
                Err(error) if is_no_batch(&error) => {
                    let error = Error::new(ErrorKind::Unknown, error.message);
                    on(now[0], Err(again(&error)));
                    in_vain += 1;
                    if in_vain >= VAIN_BATCHES {
                        open.iter().for_each(|id| on(id, Err(again(&error))));
                        return;
                    }
                    continue;
                }
                // A line, or somebody on the way, on which no answer of that size arrives whole: a smaller one may. One that comes alone and
                // does not arrive holds up no other.
                Err(error) if is_lost_on_the_way(&error) && in_lost + 1 < LOST_BATCHES => {
                    in_lost += 1;
                    self.memory().pace.note(now.len(), now.len(), None);
                    match now.as_slice() {
                        [one] => on(one, Err(error)),
                        all => all.iter().rev().for_each(|id| open.push_front(id)),
                    }
                    continue;
                }
                Err(error) => {
                    now.iter().chain(&open).for_each(|id| on(id, Err(again(&error))));
                    return;
                }
            };
            in_lost = 0;
            let (mut throttled, mut settled, mut last) = (0, 0, None);
            let mut must_renew = false;
            for (id, answer) in now.iter().copied().zip(answers) {
                let part = self.client.judge_part(WHAT, Effect::Read, answer);
                match part.and_then(api::read_got) {
                    Ok(message) => {
                        settled += 1;
                        self.note_size(&message);
                        on(id, Ok(Some(message)));
                    }
                    Err(error) if error.kind == ErrorKind::NotFound => {
                        settled += 1;
                        on(id, Ok(None));
                    }
                    Err(error) if matches!(error.kind, ErrorKind::Throttled { .. }) => {
                        throttled += 1;
                        last = Some(error);
                        open.push_back(id);
                    }
                    Err(error) if error.kind == ErrorKind::SignInNeeded && !has_renewed => {
                        must_renew = true;
                        last = Some(error);
                        open.push_back(id);
                    }
                    Err(error) if error.kind == ErrorKind::Unknown && is_worth_it(&mut stumbled, id) => {
                        last = Some(error);
                        open.push_back(id);
                    }
                    Err(error) => {
                        settled += 1;
                        on(id, Err(error));
                    }
                }
            }
            if is_told_to_wait && settled > 0 {
                is_told_to_wait = false;
                self.client.budget().got_through();
            }
            let brought = (format == Format::Raw).then_some(bytes);
            self.memory().pace.note(now.len(), throttled, brought);
            if must_renew {
                has_renewed = true;
                // The token died on the way: a request of its own gets another one.
                if let Err(error) = self.client.send(api::profile()).await {
                    open.iter().for_each(|id| on(id, Err(again(&error))));
                    return;
                }
            } else if let Some(error) = &last
                && throttled == 0
            {
                // Gmail stumbles: it gets a moment.
                let wait_ms = 500 << in_vain.min(6);
                tracing::debug!(wait_ms, "parts of a batch are unanswered: {}", error.message);
                self.client.budget().pause_until(self.client.now_ms() + wait_ms);
            }
            in_vain = if settled > 0 { 0 } else { in_vain + 1 };
            if let Some(error) = last.filter(|_| in_vain >= VAIN_BATCHES) {
                open.iter().for_each(|id| on(id, Err(again(&error))));
                return;
            }
        }
    }
}

impl Mail {
    /// Remembers a message whose bytes could not be had, by what is said of its size: they come a third larger, in one answer.
    fn note_size(&self, message: &Message) {
        let sent = message.size_estimate.map(|size| size.saturating_mul(4) / 3);
        if sent.is_some_and(|sent| sent > self.client.max_body() as u64) {
            self.memory().too_large.insert(message.id.clone());
        }
    }

    fn too_large(&self) -> Error {
        let most = self.client.max_body() / 4 * 3 / 1_000_000;
        let why = format!("the message has more than the {most} MB that are read from Gmail at once");
        Error::new(ErrorKind::Refused, why)
    }
}

/// Whether a batch was not answered as one, as a whole, which says nothing of what it asked for.
fn is_no_batch(error: &Error) -> bool {
    use ErrorKind::{Malformed, NotFound, Refused, StaleEtag, Unsupported};
    matches!(error.kind, Malformed | NotFound | Refused | StaleEtag | Unsupported)
}

/// The copy in one label, if the message stands there.
fn copy(
    table: &Labels,
    (message, label): (&str, &str),
    labels: &BTreeSet<String>,
    sheet: &Sheet,
) -> Result<Option<Seen>> {
    if !table.stands(labels).contains(&label) {
        return Ok(None);
    }
    map::seen(message, label, map::keywords_of(labels), sheet.clone()).map(Some)
}

/// Whether a part over which Gmail stumbled is sent once more.
fn is_worth_it<'a>(stumbled: &mut HashMap<&'a str, u32>, id: &'a str) -> bool {
    let tries = stumbled.entry(id).or_insert(1);
    *tries += 1;
    *tries <= TRIES
}

/// The messages of these copies, each once.
fn messages_of(places: &[&Place]) -> Vec<String> {
    let mut known = HashSet::new();
    let ids = places.iter().filter_map(|place| parts_of(&place.remote_id).ok()).map(|(message, _)| message);
    ids.filter(|id| known.insert(*id)).map(str::to_owned).collect()
}

/// The labels of a message as a get shows it: there, absent means none.
pub(super) fn labels_of(message: &Message) -> BTreeSet<String> {
    message.label_ids.iter().flatten().cloned().collect()
}

/// What an answer tells of a message whose bytes did not come with it.
fn announced(message: &Message) -> Whole {
    // Values come decoded or as they are, on one line; either way they are fields again with their names before them.
    let fields = message.payload.headers.iter();
    let text: String =
        fields.map(|field| format!("{}: {}\r\n", field.name, field.value.replace(['\r', '\n'], " "))).collect();
    let mut sheet = bare(message);
    sheet.set_header(&headers::read(text.as_bytes()));
    Whole { labels: labels_of(message), sheet }
}

/// What an answer says of a message besides its labels and its bytes.
fn bare(message: &Message) -> Sheet {
    let thread = message.thread_id.clone().filter(|id| !id.is_empty());
    let own = thread.map(|id| ("threadId".to_owned(), id.into())).into_iter().collect();
    Sheet { received_ms: date_of(message), own, ..Sheet::default() }
}

fn date_of(message: &Message) -> Option<i64> {
    message.internal_date.as_deref()?.parse().ok()
}

/// The bytes of a message, in base64, to be read.
///
/// # Errors
/// [`ErrorKind::Malformed`] where the answer has none.
fn raw_of(message: &Message) -> Result<Box<dyn Read + '_>> {
    let none = || Error::new(ErrorKind::Malformed, "the bytes of the message did not come");
    match (&message.spilled_raw, &message.raw) {
        (Some(spilled), _) => Ok(Box::new(BufReader::with_capacity(128 * 1024, spilled.reader()))),
        (None, Some(raw)) if !raw.is_empty() => Ok(Box::new(raw.as_bytes())),
        _ => Err(none()),
    }
}

/// The bytes of a message, to be read; a read fails where they are no base64.
///
/// # Errors
/// [`ErrorKind::Malformed`] where the answer has none.
pub(super) fn bytes_of(message: &Message) -> Result<impl Read + '_> {
    Ok(DecoderReader::new(raw_of(message)?, &BASE64))
}

/// As many bytes of a message as its header may have.
pub(super) fn beginning(message: &Message) -> Result<Vec<u8>> {
    // Four letters are three bytes; a byte order mark is no part of the header.
    const LETTERS: usize = (headers::LARGEST_HEADER / 3 + 2) * 4;
    let mut raw = Vec::new();
    raw_of(message)?.take(LETTERS as u64).read_to_end(&mut raw).map_err(batch::unreadable)?;
    BASE64.decode(raw).map_err(|_| no_base64())
}

fn no_base64() -> Error {
    Error::new(ErrorKind::Malformed, "the bytes of the message are no base64")
}

fn unanswered() -> Error {
    Error::new(ErrorKind::Unknown, "there is no answer for this message")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_shrink_fast_and_grow_slowly_within_bounds() {
        let mut pace = Pace::default();
        assert_eq!(pace.size(Format::Minimal), FIRST_PARTS);
        pace.note(15, 3, None);
        assert_eq!(pace.parts, 7);
        pace.note(3, 0, None);
        assert_eq!(pace.parts, 7, "a batch that was not full shows nothing");
        pace.note(7, 0, None);
        assert_eq!(pace.parts, 9);
        (0..100).for_each(|_| pace.note(50, 0, None));
        assert_eq!(pace.parts, MOST_PARTS);
        (0..9).for_each(|_| pace.note(50, 50, None));
        assert_eq!(pace.parts, 1);
    }

    #[test]
    fn large_messages_make_small_batches() {
        let mut pace = Pace { parts: 50, ..Pace::default() };
        (0..10).for_each(|_| pace.note(2, 0, Some(16 << 20)));
        assert_eq!((pace.size(Format::Raw), pace.size(Format::Minimal)), (2, 50));
        (0..10).for_each(|_| pace.note(1, 0, Some(64 << 20)));
        assert_eq!(pace.size(Format::Raw), 1);
    }

    #[test]
    fn a_header_that_came_alone_says_what_the_whole_message_would() {
        let bytes = b"Message-ID: <1@example.org>\r\nFrom: =?utf-8?q?J=C3=BCrgen?= <j@example.org>\r\nSubject: Gr\xc3\xbc\xc3\x9fe\r\nDate: Mon, 2 Mar 2026 09:00:00 +0100\r\n\r\nx";
        let message: Message = serde_json::from_value(serde_json::json!({"id": "1", "internalDate": "7", "payload": {"headers": [
            {"name": "Subject", "value": "Gr\u{fc}\u{df}e"}, {"name": "Message-Id", "value": "<1@example.org>"},
            {"name": "From", "value": "J\u{fc}rgen <j@example.org>"}, {"name": "Date", "value": "Mon, 2 Mar 2026\r\n 09:00:00 +0100"},
        ]}}))
        .unwrap();
        let alone = announced(&message).sheet;
        let mut whole = Sheet::default();
        whole.set_message(&twofold_model::BlobId::of(bytes), bytes);
        assert_eq!((alone.says, alone.blob_id, alone.received_ms), (whole.says, None, Some(7)));
    }

    #[test]
    fn base64_is_read_with_and_without_padding() {
        let message = |raw: &str| Message { raw: Some(raw.to_owned()), ..Message::default() };
        let read = |raw: &str| {
            let mut bytes = Vec::new();
            bytes_of(&message(raw)).unwrap().read_to_end(&mut bytes).ok()?;
            Some(bytes)
        };
        let beginning = |raw: &str| beginning(&message(raw));
        for raw in ["_-8=", "_-8"] {
            assert_eq!((read(raw).unwrap(), beginning(raw).unwrap()), (vec![0xff, 0xef], vec![0xff, 0xef]));
        }
        for raw in ["a", "/+8=", "a b", "_-8=_-8="] {
            assert_eq!((read(raw), beginning(raw).is_err()), (None, true), "{raw:?}");
        }
        // Also where the end of one piece that is decoded is no end of four letters.
        for length in [1_023, 1_024, 1_025, 3_071, 500_000, 500_001] {
            let bytes: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
            for raw in [BASE64.encode(&bytes), BASE64.encode(&bytes).trim_end_matches('=').to_owned()] {
                assert!(read(&raw).unwrap() == bytes, "{length}");
                assert!(bytes.starts_with(&beginning(&raw).unwrap()), "{length}");
            }
        }
        for message in [Message::default(), Message { raw: Some(String::new()), ..Message::default() }] {
            assert_eq!(raw_of(&message).err().unwrap().kind, ErrorKind::Malformed);
        }
    }
}
