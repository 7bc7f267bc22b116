//! Messages and drafts that are sent in, and how they are found again.
//!
//! Provider: a message carries no mark of ours and has an id of Gmail's. So before one is sent in, it is looked for: what is there
//! already gets its labels instead of a second copy. That makes a create safe to repeat, also after a stop that left nothing in memory.
//!
//! Provider: Gmail itself takes a message that it is sent for one that it has, if their Message-IDs (perhaps also their contents) are
//! equal, also where that one lies in the trash. What it answers may therefore be an id that is known.

use chrono::TimeDelta;
use std::collections::BTreeSet;
use std::io::{self, BufRead as _, BufReader, Read};
use std::time::{Duration, Instant};
use twofold_http::{Request, Response};
use twofold_model::blob::open_to_send;
use twofold_model::email::{Headers, Sheet, headers};
use twofold_model::{BlobId, Error, ErrorKind, Found, Lookup, Mark, Place, Rendering, Result, Seen, Written};

use super::api::{Format, Goal, SENT_AT_ONCE};
use super::change::is_alone;
use super::look::{beginning, bytes_of, labels_of};
use super::map::{self, ARCHIVE, DRAFT, IMPORTANT, Labels, SENT, SPAM, TRASH, flags_of, parts_of, set};
use super::round::Drafts;
use super::wire::{Draft, Message, MessageList};
use super::{Mail, again, api};

/// So long after a create a search may still not find it. Not documented; searches are seen to lag by seconds.
const SEARCH_LAG_MS: i64 = 120_000;
/// So many messages are compared with one that is looked for.
const MOST_CANDIDATES: usize = 50;
/// A day of a search begins at midnight in some zone.
const DAY: TimeDelta = TimeDelta::days(1);
/// No search is read further.
const SEARCH_PAGES: usize = 100;
/// So many creates of unknown fate are remembered.
const MOST_PENDING: usize = 1_000;
/// More messages than this do not fail alone within a run: the place does.
const MOST_SET_ASIDE: usize = 20;
/// So often one is asked for before it is set aside. Each time is a read that is repeated by itself where its place stumbles.
const LOOKS: u32 = 4;
/// After so long one is not asked for again.
const PATIENCE: Duration = Duration::from_secs(20);
/// A message without Message-ID and date is looked for among so many newest ones: Gmail dates it by when it came.
const NEWEST: usize = 20;

/// So often a piece of an upload is sent again without having come further.
const MOST_CUTS: u32 = 3;

/// A create whose fate is unknown.
#[derive(Clone)]
pub(super) struct Pending {
    rendering: Rendering,
    /// The change of the mailbox that was known before it was sent.
    history: Option<String>,
}

/// A message that is to be sent in.
struct Parcel {
    sheet: Sheet,
    blob: BlobId,
    /// How many bytes it has.
    size: usize,
    header: Headers,
}

/// A message that is there.
struct There {
    id: String,
    labels: BTreeSet<String>,
    is_same: bool,
}

impl Mail {
    /// Makes a message in a mailbox, or a draft.
    pub(super) async fn create(
        &self,
        label: &str,
        rendering: &Rendering,
        mark: &Mark,
        table: &Labels,
    ) -> Result<Written> {
        self.memory().pending.remove(mark);
        let parcel = self.parcel(rendering)?;
        let wanted = wanted(label, &parcel.sheet);
        // A look fails before anything is sent.
        let there = self.asked_before("it cannot be looked for there", || self.alike(&parcel, label)).await?;
        let answer = match there.iter().find(|one| one.is_same && one.labels.contains(DRAFT) == (label == DRAFT)) {
            // As where it is to be copied there: it would leave where it stands.
            Some(one) if is_alone(label) && !one.labels.contains(label) => {
                let why = "the same message stands elsewhere there, and what is in the trash or among the spam stands nowhere else";
                return Err(Error::new(ErrorKind::Unsupported, why));
            }
            Some(one) if label == SENT && !one.labels.contains(label) => {
                let why = "Gmail: the same message stands elsewhere there, and Gmail itself decides what was sent";
                return Err(Error::new(ErrorKind::Unsupported, why));
            }
            Some(one) => self.unite(one, label, &wanted).await,
            None => self.send_new(label, &wanted, &parcel, &there).await,
        };
        if let Err(error) = &answer
            && !error.kind.proves_not_executed()
        {
            let mut memory = self.memory();
            let pending = Pending { rendering: rendering.clone(), history: memory.history.clone() };
            if memory.pending.len() < MOST_PENDING {
                memory.pending.insert(mark.clone(), pending);
            }
        }
        let (id, labels) = answer?;
        seen_in(table, &id, label, &labels, parcel.sheet).map(Some)
    }

    /// The message that is to be sent in. Its bytes are read once to the end, which tells whether they are right, and are not held.
    fn parcel(&self, rendering: &Rendering) -> Result<Parcel> {
        let mut sheet = map::sheet_of(rendering)?;
        let blob: BlobId = sheet.blob().ok_or_else(|| Error::new(ErrorKind::Refused, "the message has no bytes"))?;
        let mut bytes = open_to_send(&*self.blobs, &blob)?;
        let mut begin = Vec::new();
        bytes.by_ref().take(headers::LARGEST_HEADER as u64 + 3).read_to_end(&mut begin).map_err(unread)?;
        let rest = io::copy(&mut bytes, &mut io::sink()).map_err(unread)?;
        let size = begin.len() as u64 + rest;
        let header = headers::read(&begin);
        sheet.set_bytes(&blob, size, &header);
        let size = usize::try_from(size).map_err(|_| Error::new(ErrorKind::Refused, "the message is too large"))?;
        Ok(Parcel { sheet, blob, size, header })
    }

    /// The message is there already, with marks of its own: it keeps them, and gets what the new one has besides. They are told as what the
    /// history then tells of it, not as the answer to this.
    async fn unite(&self, there: &There, label: &str, wanted: &BTreeSet<String>) -> Result<(String, BTreeSet<String>)> {
        let own: BTreeSet<String> = [map::STARRED, IMPORTANT].into_iter().map(str::to_owned).collect();
        let mut united: BTreeSet<String> = there.labels.intersection(&own).chain(wanted).cloned().collect();
        if !there.labels.contains(map::UNREAD) {
            united.remove(map::UNREAD);
        }
        let (id, labels) = self.adopt(&there.id, &there.labels, label, &united).await?;
        let flags = set([map::UNREAD, map::STARRED, IMPORTANT]);
        let places = labels.difference(&flags);
        Ok((id, places.chain(wanted.intersection(&flags)).cloned().collect()))
    }

    /// The message is there: it gets the labels that it lacks, loses the marks that it shall not have, and comes back from where it would stand
    /// alone.
    async fn adopt(
        &self,
        id: &str,
        has: &BTreeSet<String>,
        label: &str,
        wanted: &BTreeSet<String>,
    ) -> Result<(String, BTreeSet<String>)> {
        let add: BTreeSet<String> = wanted.difference(has).filter(|label| *label != DRAFT).cloned().collect();
        let flags = set([map::UNREAD, map::STARRED, IMPORTANT]);
        let mut remove: BTreeSet<String> =
            has.intersection(&flags).filter(|flag| !wanted.contains(*flag)).cloned().collect();
        remove.extend(
            [TRASH, SPAM].into_iter().filter(|place| *place != label && has.contains(*place)).map(str::to_owned),
        );
        if add.is_empty() && remove.is_empty() {
            return Ok((id.to_owned(), has.clone()));
        }
        let labels = self.change(id, &add, &remove).await?;
        Ok((id.to_owned(), labels.unwrap_or_default()))
    }

    async fn send_new(
        &self,
        label: &str,
        wanted: &BTreeSet<String>,
        parcel: &Parcel,
        there: &[There],
    ) -> Result<(String, BTreeSet<String>)> {
        if label == DRAFT {
            let made = self.upload(Goal::Draft, parcel).await?;
            return self.flag_draft(draft_of(&made)?, wanted).await;
        }
        let made = match self.upload(Goal::Message(wanted.clone()), parcel).await {
            // Seen in the field: this label is refused at times. It can be set afterwards, or Gmail knows better.
            Err(error) if error.kind == ErrorKind::Refused && wanted.contains(IMPORTANT) => {
                let fewer = wanted.iter().filter(|label| *label != IMPORTANT).cloned().collect();
                self.upload(Goal::Message(fewer), parcel).await?
            }
            made => made?,
        };
        let message = api::read_message(&made).map_err(|error| unknown(&error))?;
        if let Some(other) = there.iter().find(|one| one.id == message.id) {
            let labels = message.label_ids.map_or_else(|| wanted.clone(), |labels| labels.into_iter().collect());
            self.undo(other, &labels).await.map_err(|error| unknown(&error))?;
            let words = "Gmail takes it for another message, which has the same Message-ID and says something else";
            return Err(Error::new(ErrorKind::Refused, words));
        }
        if self.is_told(&message.id).await {
            let labels = message.label_ids.map_or_else(|| wanted.clone(), |labels| labels.into_iter().collect());
            return Ok((message.id, labels));
        }
        self.found(&message.id, parcel, label).await.map_err(|error| unknown(&error))
    }

    /// Whether the history tells that this message came. Asked for after each that is sent in, which costs a tenth of looking at it.
    async fn is_told(&self, id: &str) -> bool {
        let since = {
            let memory = self.memory();
            memory.confirmed.clone().or_else(|| memory.history.clone())
        };
        let Some(since) = since else { return false };
        let Ok((ids, latest)) = self.came_since(&since).await else { return false };
        self.memory().confirmed = latest;
        ids.iter().any(|told| told == id)
    }

    /// What was sent in, where it stands. Provider: the id of the answer is at times one that is not there (seen after imports); the
    /// message has another one then.
    async fn found(&self, id: &str, parcel: &Parcel, label: &str) -> Result<(String, BTreeSet<String>)> {
        if let Some(there) = self.one(id, Format::Minimal).await? {
            return Ok((there.id.clone(), labels_of(&there)));
        }
        let history = self.memory().history.clone();
        let there = self.traces(parcel, label, history.as_deref()).await?;
        let lost = || Error::new(ErrorKind::Unknown, "the message is not there under the id that Gmail gave it");
        there.into_iter().find(|one| one.is_same).map(|one| (one.id, one.labels)).ok_or_else(lost)
    }

    /// Another message got labels that were not meant for it.
    async fn undo(&self, other: &There, now: &BTreeSet<String>) -> Result<()> {
        let add: BTreeSet<String> = other.labels.difference(now).cloned().collect();
        let remove: BTreeSet<String> = now.difference(&other.labels).cloned().collect();
        if !(add.is_empty() && remove.is_empty()) {
            self.change(&other.id, &add, &remove).await?;
        }
        Ok(())
    }

    /// A new draft's message gets what it has beside being a draft.
    async fn flag_draft(&self, draft: Draft, wanted: &BTreeSet<String>) -> Result<(String, BTreeSet<String>)> {
        let id = draft.message.id.clone();
        let has = draft.message.label_ids.as_ref().map_or_else(|| set([DRAFT]), |_| labels_of(&draft.message));
        match self.adopt(&id, &has, DRAFT, wanted).await {
            // Provider: "Draft messages cannot have any label other than the DRAFT system label." It is made, as it is.
            Err(error) if error.kind == ErrorKind::Refused => Ok((id, has)),
            outcome => outcome.map_err(|error| unknown(&error)),
        }
    }

    /// Sends a message in: in one request, or piece by piece where it is large. An upload whose answer is cut off is asked how far it is,
    /// and gone on with from there.
    async fn upload(&self, goal: Goal, parcel: &Parcel) -> Result<Response> {
        let total = parcel.size;
        if total <= SENT_AT_ONCE {
            return self.client.send(api::send_in(&goal, &self.piece(parcel, 0, total)?)).await;
        }
        // Nothing is made before the bytes came.
        let begin = || self.client.send(api::begin_upload(&goal, total));
        let begun = match begin().await {
            // No words of Google's: whoever stands before it takes no message like this one, or nothing at all.
            Err(error) if error.kind == ErrorKind::Malformed => {
                self.of_this_one(error, "the upload was not taken", begin).await
            }
            begun => begun.map_err(|error| super::change::not_executed(&error)),
        }?;
        let place = api::upload_address(&begun).map_err(|error| super::change::not_executed(&error))?;
        let (mut at, mut furthest, mut cuts, mut have_left) = (0, 0, 0, false);
        loop {
            let end = total.min(at + api::PIECE);
            let piece = self.piece(parcel, at, end).map_err(|error| super::change::not_executed(&error))?;
            let sent = self.client.send(api::upload(&goal, &place, &piece, at, total)).await;
            let is_cut = sent.as_ref().is_err_and(|error| error.kind == ErrorKind::Unknown);
            let sent = match sent {
                Err(error) if is_cut && cuts < MOST_CUTS => {
                    let told = self.client.send(api::upload_outcome(&place, total)).await;
                    told.map_err(|_| error)
                }
                sent => sent,
            };
            have_left |= end == total && is_cut;
            // As long as the last bytes did not leave, nothing was made; once they did they may still arrive. What is refused after a cut is no
            // fault of the message: what was cut may have come while it was asked how far the upload is.
            let sent = sent.map_err(|mut error| match end < total {
                _ if have_left => {
                    error.kind = ErrorKind::Unknown;
                    error
                }
                _ if cuts > 0 && error.kind == ErrorKind::Refused => {
                    error.kind = ErrorKind::NotSent;
                    error
                }
                true => super::change::not_executed(&error),
                false => error,
            })?;
            match api::goes_on_at(&sent) {
                None => return Ok(sent),
                Some(next) if next > furthest && next < total => {
                    (at, furthest, cuts) = (next, next, if is_cut { cuts + 1 } else { 0 });
                }
                // Nothing of it was kept, or less than was thought.
                Some(next) if next < total && cuts < MOST_CUTS => (at, cuts) = (next, cuts + 1),
                Some(_) => {
                    let kind = if end < total && !have_left { ErrorKind::NotSent } else { ErrorKind::Unknown };
                    return Err(Error::new(kind, "an upload does not come further"));
                }
            }
        }
    }

    /// Some bytes of a message. Each piece reads those before it again, which is quick; holding them would take memory.
    fn piece(&self, parcel: &Parcel, at: usize, end: usize) -> Result<Vec<u8>> {
        let mut bytes = open_to_send(&*self.blobs, &parcel.blob)?;
        io::copy(&mut bytes.by_ref().take(at as u64), &mut io::sink()).map_err(unread)?;
        let mut piece = Vec::with_capacity(end - at);
        bytes.take((end - at) as u64).read_to_end(&mut piece).map_err(unread)?;
        match piece.len() == end - at {
            true => Ok(piece),
            false => Err(unread(io::ErrorKind::UnexpectedEof.into())),
        }
    }

    // ---- drafts that are written on -----------------------------------------------------------------------------------

    /// Gives a draft another text. It is another message then, with the labels that the old one had.
    pub(super) async fn rewrite(&self, place: &Place, to: &Rendering, table: &Labels) -> Result<Written> {
        let (message, _) = parts_of(&place.remote_id)?;
        let parcel = self.parcel(to)?;
        let before = |error: Error| super::change::not_executed(&error);
        let drafts = self.drafts().await.map_err(before)?;
        let of = |drafts: &Drafts| drafts.iter().find(|(_, have)| *have == message).map(|(draft, _)| draft.clone());
        let gone = || Error::new(ErrorKind::NotFound, "the draft is not there any more");
        let draft = match (of(&drafts), of(&self.memory().drafts)) {
            (Some(draft), _) => draft,
            (None, Some(draft)) if drafts.contains_key(&draft) => {
                return Err(Error::new(ErrorKind::StaleEtag, "the draft was written on there meanwhile"));
            }
            (None, _) => return Err(gone()),
        };
        let there = self.one(message, Format::Minimal).await.map_err(before)?.ok_or_else(gone)?;
        let mut wanted = wanted(DRAFT, &parcel.sheet);
        wanted.extend(labels_of(&there).into_iter().filter(|label| table.is_own(label)));
        let thread = there.thread_id.clone();
        let in_thread = Goal::DraftAgain { draft: draft.clone(), thread: thread.clone() };
        let made = match self.upload(in_thread, &parcel).await {
            // It does not belong there any more, by what it says now.
            Err(error) if thread.is_some() && matches!(error.kind, ErrorKind::Refused | ErrorKind::NotFound) => {
                self.upload(Goal::DraftAgain { draft, thread: None }, &parcel).await?
            }
            made => made?,
        };
        let (id, labels) = self.flag_draft(draft_of(&made)?, &wanted).await?;
        {
            let mut memory = self.memory();
            memory.fates.remove(message);
            // It is another message now.
            if let Some(have) = memory.drafts.values_mut().find(|have| *have == message) {
                have.clone_from(&id);
            }
        }
        seen_in(table, &id, DRAFT, &labels, parcel.sheet).map(Some)
    }

    pub(super) async fn one(&self, id: &str, format: Format) -> Result<Option<Message>> {
        let mut found = Ok(None);
        self.read(&[id.to_owned()], format, &mut |_, answer| found = answer).await;
        found
    }

    // ---- looking ------------------------------------------------------------------------------------------------------

    /// Looks for creates whose fate is unknown.
    ///
    /// One that is not remembered (the program was stopped) cannot be told from others. It is sent in anew, once a search would find it:
    /// then it is found before it is sent.
    pub(crate) async fn find(&self, lookups: &[Lookup], now_ms: i64) -> Vec<Result<Found>> {
        let mut answers = Vec::with_capacity(lookups.len());
        for lookup in lookups {
            answers.push(self.find_one(lookup, now_ms).await);
        }
        answers
    }

    async fn find_one(&self, lookup: &Lookup, now_ms: i64) -> Result<Found> {
        let known_by = lookup.sent_ms + SEARCH_LAG_MS;
        let late = if now_ms < known_by { Found::NotBefore(known_by) } else { Found::Nowhere };
        let pending = self.memory().pending.get(&lookup.mark).cloned();
        let Some(pending) = pending else { return Ok(late) };
        let table = self.labels().await?;
        let parcel = self.parcel(&pending.rendering)?;
        let label = lookup.collection.as_str();
        let here = self.traces(&parcel, label, pending.history.as_deref()).await?;
        let stands = |one: &&There| one.is_same && table.stands(&one.labels).contains(&label);
        match here.iter().find(stands) {
            Some(one) => {
                self.memory().pending.remove(&lookup.mark);
                let seen = seen_in(&table, &one.id, label, &one.labels, parcel.sheet)?;
                Ok(Found::Here(Box::new(seen)))
            }
            // A message that is elsewhere is found again before another is sent in.
            None if here.iter().any(|one| one.is_same) => Ok(Found::Nowhere),
            // That the history does not tell it yet proves nothing: a request whose answer was cut off may still be carried out.
            None => Ok(late),
        }
    }

    /// The messages that may be the one that was sent in: those that came since a change, else those that are like it.
    async fn traces(&self, parcel: &Parcel, label: &str, history: Option<&str>) -> Result<Vec<There>> {
        let told = match history {
            Some(history) => match self.came_since(history).await {
                Ok((ids, _)) => self.compare(parcel, &ids, label == DRAFT).await?,
                Err(error) if matches!(error.kind, ErrorKind::NotFound | ErrorKind::Refused) => Vec::new(),
                Err(error) => return Err(error),
            },
            None => Vec::new(),
        };
        match told.iter().any(|one| one.is_same) {
            true => Ok(told),
            false => self.alike(parcel, label).await,
        }
    }

    /// The messages that came since a change, the last first, and the latest change.
    async fn came_since(&self, history: &str) -> Result<(Vec<String>, Option<String>)> {
        let (records, latest) = self.records_since(history).await?;
        let added = records.into_iter().flat_map(|record| record.messages_added).rev();
        let ids = added.map(|change| change.message.id).filter(|id| map::is_message_id(id));
        Ok((ids.collect(), latest))
    }

    /// The ids of a list, at most so many. Provider: a page may be short, or hold nothing, and another one follow.
    async fn listed(&self, request: impl Fn(Option<&str>) -> Request, most: usize) -> Result<Vec<String>> {
        let (mut ids, mut page): (Vec<String>, Option<String>) = (Vec::new(), None);
        for _ in 0..SEARCH_PAGES {
            let list: MessageList = self.client.send(request(page.as_deref())).await?.json()?;
            ids.extend(list.messages.into_iter().map(|message| message.id));
            page = list.next_page_token;
            if page.is_none() || ids.len() >= most {
                ids.truncate(most);
                return Ok(ids);
            }
        }
        Err(Error::new(ErrorKind::Malformed, "the list of what is found does not come to an end"))
    }

    /// The messages that may be this one: by its Message-ID, else by its date, else the newest ones of the mailbox.
    async fn alike(&self, parcel: &Parcel, label: &str) -> Result<Vec<There>> {
        let named = parcel.header.message_id.as_deref().filter(|id| is_searchable(id));
        let ids = match (named, parcel.header.sent_at) {
            (Some(id), _) => {
                self.listed(|page| api::search(&format!("rfc822msgid:{id}"), page), MOST_CANDIDATES).await?
            }
            (None, Some(date)) => {
                let at_s = date.timestamp();
                let second = format!("after:{} before:{}", at_s - 1, at_s + 2);
                match self.listed(|page| api::search(&second, page), MOST_CANDIDATES).await? {
                    // It is not written where seconds are taken in a search; days always are, which begin anywhere.
                    ids if ids.is_empty() => {
                        let [from, to] = [-DAY, DAY * 2].map(|days| (date + days).format("%Y/%m/%d"));
                        let days = format!("after:{from} before:{to}");
                        self.listed(|page| api::search(&days, page), MOST_CANDIDATES).await?
                    }
                    ids => ids,
                }
            }
            (None, None) => {
                let label = (label != ARCHIVE).then_some(label);
                self.listed(|page| api::newest(label, page), NEWEST).await?
            }
        };
        self.compare(parcel, &ids, false).await
    }

    /// Compares messages with one that is looked for. `is_new_draft`: they came since it was sent, and a draft among them may be it under a
    /// Message-ID that Gmail gave it.
    async fn compare(&self, parcel: &Parcel, ids: &[String], is_new_draft: bool) -> Result<Vec<There>> {
        let mut there = Vec::new();
        let mut failure: Option<Error> = None;
        self.read(&ids[..ids.len().min(MOST_CANDIDATES)], Format::Raw, &mut |id, answer| match answer {
            Ok(Some(message)) => {
                let labels = labels_of(&message);
                let may_be_renamed = is_new_draft && labels.contains(DRAFT);
                let says = beginning(&message).map(|begin| headers::read(&begin));
                let theirs = || bytes_of(&message).map_err(io::Error::other);
                let ours = || self.blobs.open(&parcel.blob).map_err(io::Error::other);
                let is_same =
                    says.is_ok_and(|says| is_same(theirs, ours, says, &parcel.header, may_be_renamed).unwrap_or(false));
                there.push(There { id: id.to_owned(), labels, is_same });
            }
            Ok(None) => {}
            Err(error) if failure.as_ref().is_none_or(|known| !is_of_all(known)) => failure = Some(error),
            Err(_) => {}
        })
        .await;
        match failure {
            None => Ok(there),
            Some(error) if is_of_all(&error) => Err(error),
            // What cannot be compared may be the one.
            Some(error) => Err(error.at("a message there that may be the same one")),
        }
    }

    /// What has to be known before something is sent.
    async fn asked_before<T, F: Future<Output = Result<T>>>(&self, what: &str, ask: impl Fn() -> F) -> Result<T> {
        match ask().await {
            Err(error) if !error.kind.proves_not_executed() => self.of_this_one(error, what, ask).await,
            answer => answer.map_err(|error| super::change::not_executed(&error)),
        }
    }

    /// What failed over one message before anything was sent of it: a matter of that message where everything else is answered, and it is
    /// not however often it is asked; else of the place, as where it fails with one after the other.
    pub(super) async fn of_this_one<T, F: Future<Output = Result<T>>>(
        &self,
        mut error: Error,
        what: &str,
        ask: impl Fn() -> F,
    ) -> Result<T> {
        let is_of_few = {
            let mut memory = self.memory();
            memory.set_aside += 1;
            memory.set_aside <= MOST_SET_ASIDE
        };
        if !is_of_few || self.client.send(api::profile()).await.is_err() {
            self.memory().set_aside = MOST_SET_ASIDE;
            return Err(super::change::not_executed(&error));
        }
        let began = Instant::now();
        for _ in 1..LOOKS {
            if began.elapsed() > PATIENCE {
                // What hangs is better left for another run.
                break;
            }
            match ask().await {
                Err(again) if !again.kind.proves_not_executed() => error = again,
                answer => {
                    {
                        let mut memory = self.memory();
                        memory.set_aside = memory.set_aside.saturating_sub(1);
                    }
                    return answer.map_err(|error| super::change::not_executed(&error));
                }
            }
        }
        Err(Error::new(ErrorKind::Refused, format!("{what}; this one was not sent ({})", error.message)))
    }
}

/// The labels that a message has in a mailbox.
fn wanted(label: &str, sheet: &Sheet) -> BTreeSet<String> {
    let mut wanted = flags_of(sheet);
    if label != ARCHIVE {
        wanted.insert(label.to_owned());
    }
    if label == DRAFT {
        // A draft is read: its user writes it.
        wanted.remove(map::UNREAD);
    }
    wanted
}

/// The copy in a mailbox, or, where Gmail put it elsewhere, that one.
fn seen_in(table: &Labels, id: &str, label: &str, labels: &BTreeSet<String>, sheet: Sheet) -> Result<Seen> {
    let stands = table.stands(labels);
    let place = stands.iter().copied().find(|place| *place == label).or(stands.first().copied());
    let place = place.ok_or_else(|| Error::new(ErrorKind::Unknown, "Gmail does not say where the message stands"))?;
    map::seen(id, place, map::keywords_of(labels), sheet)
}

/// The draft that was made or changed.
fn draft_of(response: &Response) -> Result<Draft> {
    let draft: Draft = response.json().map_err(|error| unknown(&error))?;
    match map::is_message_id(&draft.message.id) {
        true => Ok(draft),
        false => Err(Error::new(ErrorKind::Unknown, "the draft came without its message")),
    }
}

/// Whether it is the place that failed, or our own store, and not what was asked for.
fn is_of_all(error: &Error) -> bool {
    error.kind.is_of_the_place() || error.kind == ErrorKind::Broken
}

/// Something was executed, so that what it came to is unknown.
fn unknown(error: &Error) -> Error {
    let mut copy = again(error);
    copy.kind = ErrorKind::Unknown;
    copy
}

/// Whether a Message-ID can stand in a search. What has a meaning there cannot, nor can a blank, which ends it.
fn is_searchable(id: &str) -> bool {
    !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_graphic()) && !id.contains(['(', ')', '{', '}', '"', '\\'])
}

fn unread(error: io::Error) -> Error {
    Error::new(ErrorKind::Refused, "the bytes of the message cannot be read").with_source(error)
}

/// Whether two messages are one: the same in the fields that tell messages apart, and the same body. Gmail ends lines with CR LF, and may
/// add fields. `may_be_renamed`: their Message-ID is no matter. Neither is held in memory: each is read, and read again.
fn is_same<A: Read, B: Read>(
    theirs: impl Fn() -> io::Result<A>,
    ours: impl Fn() -> io::Result<B>,
    mut says: Headers,
    header: &Headers,
    may_be_renamed: bool,
) -> io::Result<bool> {
    if are_equal(Plain::of(theirs()?), Plain::of(ours()?))? {
        return Ok(true);
    }
    if may_be_renamed {
        says.message_id.clone_from(&header.message_id);
    }
    Ok(says == *header && are_equal(Plain::of_body(theirs()?)?, Plain::of_body(ours()?)?)?)
}

fn are_equal(mut one: Plain<impl Read>, mut other: Plain<impl Read>) -> io::Result<bool> {
    loop {
        match (one.next()?, other.next()?) {
            (None, None) => return Ok(true),
            (one, other) if one != other => return Ok(false),
            _ => {}
        }
    }
}

/// A message read with its lines ended by LF alone, and none at its end.
struct Plain<R> {
    bytes: BufReader<R>,
    /// So many LF were read, which count only where something follows.
    ends: usize,
    /// What follows them.
    held: Option<u8>,
}

impl<R: Read> Plain<R> {
    fn of(bytes: R) -> Self {
        Plain { bytes: BufReader::with_capacity(64 * 1024, bytes), ends: 0, held: None }
    }

    /// What stands behind the first empty line; nothing where there is none.
    fn of_body(bytes: R) -> io::Result<Self> {
        let mut plain = Plain::of(bytes);
        let mut last = None;
        while let Some(byte) = plain.next()? {
            if last == Some(b'\n') && byte == b'\n' {
                break;
            }
            last = Some(byte);
        }
        Ok(plain)
    }

    fn next(&mut self) -> io::Result<Option<u8>> {
        if self.ends == 0
            && let Some(byte) = self.held.take()
        {
            return Ok(Some(byte));
        }
        while self.held.is_none() {
            match self.letter()? {
                None => return Ok(None),
                Some(b'\n') => self.ends += 1,
                Some(byte) if self.ends == 0 => return Ok(Some(byte)),
                byte => self.held = byte,
            }
        }
        self.ends -= 1;
        Ok(Some(b'\n'))
    }

    /// One byte; CR LF is LF.
    fn letter(&mut self) -> io::Result<Option<u8>> {
        let Some(byte) = self.bytes.fill_buf()?.first().copied() else { return Ok(None) };
        self.bytes.consume(1);
        if byte == b'\r' && self.bytes.fill_buf()?.first() == Some(&b'\n') {
            self.bytes.consume(1);
            return Ok(Some(b'\n'));
        }
        Ok(Some(byte))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use twofold_model::email::keywords;

    #[test]
    fn one_message_is_known_whatever_gmail_did_to_its_lines() {
        let ours = b"Message-ID: <1@x>\nSubject: a\n\nGr\xfc\xdfe\n\nx\n";
        let is_it = |theirs: &[u8], ours: &[u8], may_be_renamed| {
            is_same(|| Ok(theirs), || Ok(ours), headers::read(theirs), &headers::read(ours), may_be_renamed).unwrap()
        };
        let same = |theirs: &[u8]| is_it(theirs, ours, false);
        assert!(same(b"Message-ID: <1@x>\r\nSubject: a\r\n\r\nGr\xfc\xdfe\r\n\r\nx\r\n"));
        assert!(same(b"Received: by gmailapi; x\r\nMessage-ID: <1@x>\r\nSubject: a\r\n\r\nGr\xfc\xdfe\r\n\r\nx"));
        assert!(!same(b"Message-ID: <1@x>\nSubject: a\n\nGr\xfc\xdfe\n\ny\n"));
        assert!(!same(b"Message-ID: <1@x>\nSubject: b\n\nGr\xfc\xdfe\n\nx\n"));
        assert!(!same(b""));
        assert!(is_it(b"no header\r", b"no header\r", false), "a CR alone stays");
        assert!(is_it(b"a: b\r\n\r\n\nc\r\n\n", b"a: b\n\n\nc", false));
        assert!(!is_it(b"a: b\n\nc\r", b"a: b\n\nc", false) && !is_it(b"a: b\n\nc", b"a: b\n\n\nc", false));
        let renamed = b"Message-ID: <2@y>\nSubject: a\n\nGr\xfc\xdfe\n\nx\n";
        assert!(!same(renamed) && is_it(renamed, ours, true));
    }

    #[test]
    fn a_message_gets_the_labels_of_its_mailbox_and_its_keywords() {
        let sheet = Sheet { keywords: set([keywords::FLAGGED]), ..Sheet::default() };
        assert_eq!(wanted("INBOX", &sheet), set(["INBOX", "STARRED", "UNREAD"]));
        assert_eq!(wanted("ARCHIVE", &sheet), set(["STARRED", "UNREAD"]));
        assert_eq!(wanted("DRAFT", &sheet), set(["DRAFT", "STARRED"]));
    }

    #[test]
    fn only_plain_message_ids_are_searched_for() {
        assert!(is_searchable("a+b=c$d@x.example"));
        for wrong in ["a(b", "{x}", "a\"b", "gr\u{fc}n@x", "a b@x", "a\tb", ""] {
            assert!(!is_searchable(wrong), "{wrong}");
        }
    }
}
