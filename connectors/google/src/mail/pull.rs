//! Reading the feed: a full listing label by label, and what the history says since a token.

use futures_util::{StreamExt, stream};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use twofold_model::email::Sheet;
use twofold_model::{CollectionId, DeltaToken, Entry, Error, ErrorKind, Feed, Next, Page, RemoteId, Result, Since};

use super::api::Format;
use super::history::{Touched, fold};
use super::look::labels_of;
use super::map::{self, DRAFT, Labels, SPAM, TRASH, is_message_id, remote_id};
use super::round::{Drafts, FORM, Round, Token, expired};
use super::walk::{self, Ask, Walk};
use super::wire::{DraftList, History, MessageList, Profile, Record};
use super::{Mail, api};

/// Lists read side by side.
const PARALLEL: usize = 4;
/// So often side by side before the cycle hears of it.
const WAVES: usize = 8;
/// Messages told on a page.
const TOLD: usize = 500;
/// No account has so many pages of drafts: an answer that goes round in circles ends here.
const DRAFT_PAGES: usize = 1_000;
/// No history is read further in one go.
const HISTORY_PAGES: usize = 100;
/// No round of the history has so many pages: an answer that goes round in circles ends here.
const ROUND_PAGES: u32 = 10_000;

impl Mail {
    /// One page of the feed.
    pub(crate) async fn changes(&self, feed: &Feed, since: &Since) -> Result<Page> {
        if !matches!(since, Since::Page(_)) {
            let mut memory = self.memory();
            memory.fates.clear();
            memory.set_aside = 0;
        }
        let mut edited = Vec::new();
        let round = match since {
            Since::Start => {
                // Provider: the id of the newest message can be too old; that of the profile never is. It is asked for before
                // anything is listed, so that what changes meanwhile is told again, and nothing is missed.
                let profile: Profile = self.client.send(api::profile()).await?.json()?;
                let from = profile.history_id;
                let from = from.ok_or_else(|| Error::new(ErrorKind::Malformed, "the profile has no history id"))?;
                // What came into a label that is newer than the list of them, and older than that id, is told by nothing later.
                let now = self.read_labels().await?;
                let is_new = |label: &str| self.memory().told.as_ref().is_some_and(|told| !told.contains(label));
                if now.own().any(is_new) {
                    let words = "a label was made in this moment; all is listed in the next run, with it";
                    return Err(Error::new(ErrorKind::Unknown, words));
                }
                let drafts = self.drafts().await?;
                let before = {
                    let mut memory = self.memory();
                    memory.walk = None;
                    memory.drafts_before.clone()
                };
                edited = moved(&before, &drafts);
                Round::listing(from, drafts)
            }
            Since::Token(token) => {
                let token = Token::read(token)?;
                let labels = self.labels().await?;
                if token.labels.iter().any(|label| !labels.is_own(label)) {
                    return Err(expired("a label was deleted: its messages are archived, and no history tells that"));
                }
                Round::history(token)
            }
            Since::Page(link) => Round::read(link)?,
        };
        let page = match round {
            Round::Listing { from, step, told, drafts, .. } => self.listing(feed, from, step, told, drafts).await,
            Round::History { pages, .. } if pages > ROUND_PAGES => Err(expired("the history does not come to an end")),
            Round::History { since, page, pages, drafts, repeats, .. } => {
                self.happened(feed, since, (page.as_deref(), pages), drafts, repeats).await
            }
        };
        // A list shows an edited draft as another message, and is told after this.
        page.map(|mut page| {
            page.entries.splice(0..0, edited.into_iter().map(|(from, to)| Entry::Renamed { from, to }));
            page
        })
    }

    /// Which message each draft was at the end of the last round.
    pub(crate) fn remember(&self, token: &DeltaToken) {
        if let Ok(token) = Token::read(token) {
            self.memory().drafts_before = token.drafts;
        }
    }

    // ---- listing ------------------------------------------------------------------------------------------------------

    /// Reads on in the lists, or tells the next messages once all are read.
    async fn listing(
        &self,
        feed: &Feed,
        from: String,
        step: u64,
        told: Option<String>,
        drafts: Drafts,
    ) -> Result<Page> {
        let labels = self.labels().await?;
        for _ in 0..WAVES {
            let asks = {
                let mut memory = self.memory();
                // After a stop, or where another listing came between, the lists are read anew; the change from which they are
                // told on stays the first one.
                let walk = memory.walk.take().filter(|walk| walk.from == from);
                let walk = walk.unwrap_or_else(|| Walk::new(from.clone(), Labels::clone(&labels)));
                memory.walk.insert(walk).asks(PARALLEL)
            };
            if asks.is_empty() {
                match self.walk(&from, |walk| walk.unchecked_since().map(str::to_owned)).flatten() {
                    Some(since) => self.check_lists(&from, &since).await?,
                    None => return self.tell(feed, from, step, told, drafts),
                }
                continue;
            }
            let asked: Vec<_> = asks.into_iter().map(|ask| self.list(ask)).collect();
            let answers: Vec<(Ask, Result<MessageList>)> = stream::iter(asked).buffered(PARALLEL).collect().await;
            for (ask, answer) in answers {
                match answer {
                    Ok(list) => self.walk(&from, |walk| walk.take(&ask, list)).unwrap_or(Ok(()))?,
                    Err(error) if error.kind == ErrorKind::Refused && self.is_deleted(&ask).await? => {
                        self.walk(&from, |walk| walk.drop_label(&ask));
                    }
                    // The page token grew too old: that list is read from its beginning.
                    Err(error) if error.kind == ErrorKind::Refused && ask.page.is_some() => {
                        self.walk(&from, |walk| walk.read_anew(&ask)).unwrap_or(Ok(()))?;
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        let next = Round::Listing { v: FORM, from, step: step + 1, told, drafts };
        Ok(Page { entries: Vec::new(), next: Next::Page(next.write()) })
    }

    /// Asks what left the lists while they were read.
    async fn check_lists(&self, from: &str, since: &str) -> Result<()> {
        let (records, latest) = match self.records_since(since).await {
            Ok(told) => told,
            // A history that is not kept so long tells nothing: a full check mends what was missed.
            Err(error) if matches!(error.kind, ErrorKind::NotFound | ErrorKind::Refused) => (Vec::new(), None),
            Err(error) => return Err(error),
        };
        self.walk(from, |walk| walk.check(&records, latest));
        Ok(())
    }

    async fn list(&self, ask: Ask) -> (Ask, Result<MessageList>) {
        let answer = self.client.send(api::list(&ask)).await;
        let list = answer.and_then(|answer| answer.json());
        (ask, list)
    }

    /// Whether the label of a list that was refused is no more.
    async fn is_deleted(&self, ask: &Ask) -> Result<bool> {
        match ask.label.as_deref() {
            // Without these every message would be read, or in no need of attention.
            None | Some(map::UNREAD | map::STARRED | map::IMPORTANT) => Ok(false),
            Some(map::CHAT) => Ok(ask.page.is_none()),
            Some(label) => Ok(!self.read_labels().await?.is_place(label)),
        }
    }

    /// Does something with the listing that began at this change, if it is still the one under way.
    fn walk<T>(&self, from: &str, deed: impl FnOnce(&mut Walk) -> T) -> Option<T> {
        self.memory().walk.as_mut().filter(|walk| walk.from == from).map(deed)
    }

    fn tell(&self, feed: &Feed, from: String, step: u64, told: Option<String>, drafts: Drafts) -> Result<Page> {
        let below = told.as_deref().map(walk::number).transpose()?;
        let read = self.walk(&from, |walk| {
            let (messages, next) = walk.next(below, TOLD);
            let named: Vec<_> = messages.into_iter().map(|(id, has)| (walk.name(id), has)).collect();
            (named, next.map(|id| walk.name(id)), walk.labels.clone())
        });
        let Some((messages, told, labels)) = read else {
            return Err(expired("the listing was given up for another one"));
        };
        let mut entries = Vec::with_capacity(messages.len());
        let covered = covered(feed);
        for (id, has) in &messages {
            tell_of(&covered, &labels, id, has, &mut entries)?;
        }
        if told.is_some() {
            let next = Round::Listing { v: FORM, from, step: step + 1, told, drafts };
            return Ok(Page { entries, next: Next::Page(next.write()) });
        }
        let mut memory = self.memory();
        memory.walk = None;
        memory.note_history(&from);
        memory.drafts.clone_from(&drafts);
        let token = Token::new(from, labels.own().map(str::to_owned).collect(), drafts);
        Ok(Page { entries, next: Next::Done(token.write()) })
    }

    // ---- history ------------------------------------------------------------------------------------------------------

    /// A page of what happened since a token.
    async fn happened(
        &self,
        feed: &Feed,
        since: Token,
        (page, pages): (Option<&str>, u32),
        mut drafts: Option<Drafts>,
        mut repeats: bool,
    ) -> Result<Page> {
        let labels = self.labels().await?;
        let answer = self.client.send(api::history(&since.history, page)).await.map_err(|error| match error.kind {
            // Provider: 404 for an id that is too old, or another account's. Whatever another refusal says, a full listing
            // tells whether it was the id: the cycle tries that once.
            ErrorKind::NotFound | ErrorKind::Refused => expired(&error.message),
            _ => error,
        })?;
        let answer: History = answer.json()?;
        let mut touched = fold(answer.history);
        if touched.iter().any(|one| !is_message_id(&one.id)) {
            return Err(Error::new(ErrorKind::Malformed, "a record of the history does not say of which message"));
        }
        self.ask_for_labels(&mut touched).await?;
        let covered = covered(feed);
        repeats |= self.set_aside_new(&covered, &since, &mut touched).await?;
        let mut entries = Vec::new();
        let mut renamed: BTreeSet<RemoteId> = BTreeSet::new();
        if touched.iter().any(Touched::is_draft) {
            let now = self.drafts().await?;
            for (from, to) in moved(drafts.as_ref().unwrap_or(&since.drafts), &now) {
                renamed.insert(from.clone());
                entries.push(Entry::Renamed { from, to });
            }
            drafts = Some(now);
        }
        for one in &touched {
            self.tell_touched(&covered, &labels, one, &renamed, &mut entries)?;
        }
        if answer.next_page_token.is_some() {
            let page = answer.next_page_token;
            let next = Round::History { v: FORM, since, page, pages: pages + 1, drafts, repeats };
            return Ok(Page { entries, next: Next::Page(next.write()) });
        }
        if repeats {
            return Ok(Page { entries, next: Next::Done(since.write()) });
        }
        // The id is kept also when nothing happened, or it grows too old on a quiet mailbox.
        let history = answer.history_id.unwrap_or_else(|| since.history.clone());
        let drafts = drafts.unwrap_or(since.drafts);
        {
            let mut memory = self.memory();
            memory.note_history(&history);
            memory.drafts.clone_from(&drafts);
        }
        let token = Token::new(history, labels.own().map(str::to_owned).collect(), drafts);
        Ok(Page { entries, next: Next::Done(token.write()) })
    }

    /// All that happened since a change, and the latest change.
    pub(super) async fn records_since(&self, history: &str) -> Result<(Vec<Record>, Option<String>)> {
        let mut records = Vec::new();
        let mut page: Option<String> = None;
        for _ in 0..HISTORY_PAGES {
            let answer: History = self.client.send(api::history(history, page.as_deref())).await?.json()?;
            records.extend(answer.history);
            page = answer.next_page_token;
            if page.is_none() {
                return Ok((records, answer.history_id));
            }
        }
        Err(Error::new(ErrorKind::Malformed, "the history does not come to an end"))
    }

    /// Leaves out messages in labels that the cycle does not know of yet; whether there are any. (Labels that the feed does not report, and that
    /// the account did not have when the round before it ended.)
    async fn set_aside_new(&self, covered: &HashSet<&str>, since: &Token, touched: &mut Vec<Touched>) -> Result<bool> {
        let is_known = |label: &String| covered.contains(label.as_str()) || since.labels.contains(label);
        let is_strange = |label: &String| !is_known(label) && label.bytes().any(|b| b.is_ascii_lowercase());
        if !touched.iter().any(|one| one.had.iter().any(is_strange)) {
            return Ok(false);
        }
        let now = self.read_labels().await?;
        let before = touched.len();
        touched.retain(|one| !one.had.iter().any(|label| is_strange(label) && now.is_own(label)));
        Ok(touched.len() < before)
    }

    /// Asks for the labels of messages of which no record says them.
    async fn ask_for_labels(&self, touched: &mut [Touched]) -> Result<()> {
        let unsaid = |one: &Touched| !one.is_gone && one.labels.is_none();
        let ids: Vec<String> = touched.iter().filter(|one| unsaid(one)).map(|one| one.id.clone()).collect();
        let mut found = HashMap::new();
        self.read(&ids, Format::Minimal, &mut |id, answer| {
            found.insert(id.to_owned(), answer.map(|message| message.as_ref().map(labels_of)));
        })
        .await;
        for one in touched {
            match found.remove(&one.id) {
                // It was deleted since.
                Some(Ok(None)) => one.is_gone = true,
                Some(Ok(Some(labels))) => {
                    // What it has it may have had before: what is in the trash stands in none of its labels any more.
                    one.had.extend(labels.iter().cloned());
                    one.labels = Some(labels);
                }
                Some(Err(error)) => return Err(error),
                None => {}
            }
        }
        Ok(())
    }

    fn tell_touched(
        &self,
        covered: &HashSet<&str>,
        labels: &Labels,
        one: &Touched,
        renamed: &BTreeSet<RemoteId>,
        entries: &mut Vec<Entry>,
    ) -> Result<()> {
        let now = one.labels.as_ref().filter(|_| !one.is_gone);
        self.memory().note(&one.id, now.cloned());
        let stands = now.map(|now| labels.stands(now)).unwrap_or_default();
        let is_nowhere_else = one.is_gone || stands.iter().any(|place| [TRASH, SPAM].contains(place));
        // Provider: whether a record of the trash or of spam names the labels that went with it is not documented.
        let is_lost = |label: &String| labels.is_place(label) && now.is_none_or(|now| !now.contains(label));
        let is_put_away =
            one.got.iter().any(|label| [TRASH, SPAM].contains(&label.as_str())) && !one.had.iter().any(is_lost);
        let left = match (one.is_unsaid || is_put_away) && is_nowhere_else {
            // Nothing tells everywhere that it stood.
            true => {
                covered.iter().filter(|place| !stands.contains(place)).map(|place| remote_id(&one.id, place)).collect()
            }
            false => one.left(labels, &stands),
        };
        let covers = |id: &RemoteId| id.as_str().split_once('/').is_some_and(|(_, label)| covered.contains(label));
        entries.extend(left.into_iter().filter(|id| covers(id) && !renamed.contains(id)).map(Entry::Gone));
        now.map_or(Ok(()), |now| tell_of(covered, labels, &one.id, now, entries))
    }

    /// Which message each draft is.
    pub(super) async fn drafts(&self) -> Result<Drafts> {
        let mut drafts = Drafts::new();
        let mut page: Option<String> = None;
        for _ in 0..DRAFT_PAGES {
            let answer: DraftList = self.client.send(api::drafts(page.as_deref())).await?.json()?;
            drafts.extend(answer.drafts.into_iter().map(|draft| (draft.id, draft.message.id)));
            page = answer.next_page_token;
            if page.is_none() {
                return Ok(drafts);
            }
        }
        Err(Error::new(ErrorKind::Malformed, "the list of drafts does not come to an end"))
    }

    /// The labels as the cycle last saw them.
    pub(super) async fn labels(&self) -> Result<Arc<Labels>> {
        let known = self.memory().labels.clone();
        match known {
            Some(labels) => Ok(labels),
            None => {
                let labels = Arc::new(self.read_labels().await?);
                self.memory().labels = Some(Arc::clone(&labels));
                Ok(labels)
            }
        }
    }
}

/// The mailboxes that a feed reports.
fn covered(feed: &Feed) -> HashSet<&str> {
    feed.collections.iter().map(CollectionId::as_str).collect()
}

/// The copies of a message with these labels, without its bytes.
fn tell_of(
    covered: &HashSet<&str>,
    labels: &Labels,
    id: &str,
    has: &BTreeSet<String>,
    entries: &mut Vec<Entry>,
) -> Result<()> {
    let keywords = map::keywords_of(has);
    for place in labels.stands(has) {
        if covered.contains(place) {
            let seen = map::seen(id, place, keywords.clone(), Sheet::default())?;
            entries.push(Entry::Seen(Box::new(seen)));
        }
    }
    Ok(())
}

/// Drafts that are another message now: the copy's name until now, and from now on.
fn moved(before: &Drafts, now: &Drafts) -> Vec<(RemoteId, RemoteId)> {
    let pairs = before.iter().filter_map(|(draft, from)| Some((from, now.get(draft)?)));
    pairs.filter(|(from, to)| from != to).map(|(from, to)| (remote_id(from, DRAFT), remote_id(to, DRAFT))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draft_that_was_edited_is_the_same_under_another_name() {
        let drafts = |rows: &[(&str, &str)]| -> Drafts {
            rows.iter().map(|(draft, message)| ((*draft).to_owned(), (*message).to_owned())).collect()
        };
        let moved = moved(&drafts(&[("r1", "a"), ("r2", "b"), ("r3", "c")]), &drafts(&[("r1", "a"), ("r2", "d")]));
        assert_eq!(moved, [(RemoteId("b/DRAFT".into()), RemoteId("d/DRAFT".into()))]);
    }
}
