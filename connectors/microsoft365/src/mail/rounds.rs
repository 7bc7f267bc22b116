//! Rounds: what changed in a folder since a token, or all that is in it. One way for both: the folder's delta, whose rows say all that
//! matters of a message but its bytes.
//!
//! A row may say less (only that it was read), may be repeated, or may come beside one that says the contrary: what cannot be believed
//! as it stands is asked for by id. `@removed` is a question whatever its reason is, because a message that left and came back is told
//! as removed, too (F). Where a round stands travels in [`Next::Page`].
//!
//! Provider: a message that is read right after a delta named it may still be the old one (replicas of a mailbox lag behind each other),
//! and the delta does not name it again. Where row and message do not fit, the token says that the next round is to look once more.

use super::attach::is_half;
use super::wire::Message;
use super::{MAX_PAGES, Mail, api, bad, circles, entry, no_answer, number};
use crate::{again, taken_as};
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use twofold_http::{Effect, Part, Response};
use twofold_model::{DeltaToken, Entry, Error, ErrorKind, FeedId, Next, Page, Poll, RemoteId, Result, Since};

/// Where a round stands: what [`Next::Page`] holds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Round {
    /// The page to read.
    link: String,
    /// It began from nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_listing: bool,
    /// Messages to look at besides, because they did not fit what the last round said of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    look: Vec<String>,
    /// Messages that did not fit in this round.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    doubts: Vec<String>,
}

/// What a token of ours holds: the server's link, and what is to be looked at once more. With nothing to look at it is the link alone.
#[derive(Debug, Serialize, Deserialize)]
struct Token {
    link: String,
    look: Vec<String>,
}

impl Token {
    fn read(token: &DeltaToken) -> Token {
        let plain = || Token { link: token.as_str().to_owned(), look: Vec::new() };
        serde_json::from_str(token.as_str()).unwrap_or_else(|_| plain())
    }

    fn write(self) -> Result<DeltaToken> {
        if self.look.is_empty() { Ok(DeltaToken(self.link)) } else { text(&self).map(DeltaToken) }
    }
}

fn text(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|_| Error::new(ErrorKind::Broken, "a round could not be noted down"))
}

/// What a round has met so far: only in memory, for circles.
#[derive(Debug, Default)]
pub(super) struct Memo {
    /// Links followed.
    links: HashSet<String>,
    /// Of the messages that a listing showed so far, the hashes of their ids: an id is long, and a folder large.
    shown: HashSet<u64>,
}

impl Memo {
    fn key(id: &RemoteId) -> u64 {
        BuildHasherDefault::<DefaultHasher>::default().hash_one(id.as_str())
    }
}

/// More messages of a page than this that cannot be looked at are the place's fault, and not theirs.
const MOST_FAILED: usize = 2;

/// What the rows of a page say.
#[derive(Debug, Default)]
struct Told {
    /// Messages that are said whole.
    whole: Vec<Message>,
    /// Messages to be asked for, with what was said of them.
    named: Vec<(String, Option<Message>)>,
    /// Messages that are said to be gone.
    gone: Vec<String>,
}

/// Folds the rows of one page, and what else is to be looked at, into one word about each message.
fn fold(rows: Vec<Message>, look: Vec<String>, folder: &str) -> Told {
    let mut order: Vec<String> = Vec::new();
    let mut said: HashMap<String, Vec<Message>> = HashMap::new();
    for row in rows {
        let id = row.id().to_owned();
        let of_it = said.entry(id.clone()).or_default();
        if of_it.is_empty() {
            order.push(id);
        }
        if !of_it.contains(&row) {
            of_it.push(row);
        }
    }
    let mut told = Told::default();
    let is_new = |id: &String| !said.contains_key(id);
    told.named.extend(look.into_iter().filter(is_new).map(|id| (id, None)));
    for id in order {
        let mut rows = said.remove(&id).unwrap_or_default();
        match (rows.pop(), rows.is_empty()) {
            (Some(row), true) if row.is_removed() => told.gone.push(id),
            (Some(row), true) if row.is_whole() && row.folder() == Some(folder) => told.whole.push(row),
            // Of several words about one message nobody says which is the last.
            (Some(row), is_only) => told.named.push((id, is_only.then_some(row))),
            (None, _) => {}
        }
    }
    told
}

/// A page that was read, before what it names is looked at.
struct Read {
    told: Told,
    round: Round,
    next: Option<String>,
    delta: Option<String>,
}

impl Mail {
    /// One page of each feed. The pages come in batches, then what they name, twenty messages to a batch.
    pub(crate) async fn changes(&self, polls: &[Poll<'_>]) -> Vec<Result<Page>> {
        let rounds: Vec<Result<Round>> = polls.iter().map(|poll| self.begin(poll)).collect();
        let mut asks: Vec<Part> = rounds.iter().flatten().map(|round| api::page("p", &round.link)).collect();
        number(&mut asks);
        let mut answers = self.graph.all("read mail changes", Effect::Read, &asks).await.into_iter();
        let mut reads: Vec<Result<Read>> = Vec::with_capacity(polls.len());
        for (poll, round) in polls.iter().zip(rounds) {
            reads.push(match round {
                Ok(round) => self.read(poll, round, answers.next().unwrap_or_else(|| Err(no_answer()))),
                Err(error) => Err(error),
            });
        }
        let named = reads.iter().flatten().flat_map(|read| read.told.named.iter().map(|(id, _)| id.clone()));
        let named: Vec<String> = named.collect();
        let mut looks = self.look(&named).await.into_iter();
        let mut pages = Vec::with_capacity(polls.len());
        for (poll, read) in polls.iter().zip(reads) {
            pages.push(match read {
                Ok(read) => {
                    let own: Vec<Result<Option<Message>>> = looks.by_ref().take(read.told.named.len()).collect();
                    self.complete(&poll.feed.id, read, own).await
                }
                Err(error) => Err(error),
            });
        }
        pages
    }

    /// Which page a poll asks for.
    fn begin(&self, poll: &Poll<'_>) -> Result<Round> {
        let round = match &poll.since {
            Since::Start => {
                Round { link: api::first_round(poll.feed.id.as_str()), is_listing: true, ..Round::default() }
            }
            Since::Page(text) => {
                serde_json::from_str(text).map_err(|_| Error::new(ErrorKind::Malformed, "this is no page of ours"))?
            }
            // A token of another address (the configuration changed) is as good as none.
            Since::Token(token) => {
                let Token { link, look } = Token::read(token);
                let link = self.graph.link(&link).map_err(|error| taken_as(ErrorKind::TokenExpired, error))?;
                Round { link, look, ..Round::default() }
            }
        };
        let mut memory = self.memory();
        if !matches!(poll.since, Since::Page(_)) {
            memory.rounds.insert(poll.feed.id.clone(), Memo::default());
        }
        let memo = memory.rounds.entry(poll.feed.id.clone()).or_default();
        // A page asked for again after a failure is no circle; a link that the server repeats is, see `follow`.
        memo.links.insert(round.link.clone());
        Ok(round)
    }

    /// Reads the page that a round asked for.
    fn read(&self, poll: &Poll<'_>, mut round: Round, answer: Result<Response>) -> Result<Read> {
        let answer = answer.map_err(|error| match (&poll.since, error.kind) {
            // In the middle of a round a link may die of age: the round is begun again from the last token that was kept.
            (Since::Page(_), ErrorKind::TokenExpired) => taken_as(ErrorKind::Unknown, error).at("the round broke off"),
            _ => error,
        })?;
        let (rows, next, delta) = api::read_page(&answer)?;
        let next = next.map(|link| self.follow(&poll.feed.id, &link)).transpose()?;
        if let Some(token) = &delta {
            // Checked here, where it comes in: a link elsewhere is never kept.
            self.graph.link(token)?;
        }
        let told = fold(rows, std::mem::take(&mut round.look), poll.feed.id.as_str());
        Ok(Read { told, round, next, delta })
    }

    /// The link to the next page, if it leads on.
    fn follow(&self, feed: &FeedId, link: &str) -> Result<String> {
        let link = self.graph.link(link)?;
        let mut memory = self.memory();
        let memo = memory.rounds.entry(feed.clone()).or_default();
        if memo.links.contains(&link) || memo.links.len() > MAX_PAGES {
            return Err(circles());
        }
        Ok(link)
    }

    /// Adds what was looked at to a page.
    async fn complete(&self, feed: &FeedId, read: Read, looks: Vec<Result<Option<Message>>>) -> Result<Page> {
        let own = feed.as_str();
        let Read { told, mut round, next, delta } = read;
        self.see_names(told.whole.iter());
        self.see_instead(told.whole.iter().chain(looks.iter().flatten().flatten()));
        let elsewhere = looks.iter().flatten().flatten().filter_map(Message::folder).filter(|folder| *folder != own);
        let elsewhere: HashSet<&str> = elsewhere.collect();
        let tree = if elsewhere.is_empty() { None } else { Some(self.tree_with(&elsewhere).await?) };
        let mut entries: Vec<Entry> = told.gone.into_iter().map(|id| Entry::Gone(RemoteId::from(id))).collect();
        // A message that is still being made is none yet, and one that was given up never will be.
        entries.extend(told.whole.iter().filter(|row| !is_half(row)).map(|row| entry(row, own)));
        // Where a few cannot be looked at, it is these messages, and the others are none the worse for it; they are looked at again next time.
        let failed = looks.iter().filter(|look| look.is_err()).count();
        let is_of_few = failed <= MOST_FAILED && (failed < looks.len() || failed == 1);
        for ((id, row), look) in told.named.iter().zip(looks) {
            if matches!(&look, Ok(Some(message)) if is_half(message)) {
                continue;
            }
            let fits = match (&look, row) {
                (Ok(Some(message)), Some(row)) => message.agrees_with(row),
                (Ok(None), Some(_)) => false,
                _ => true,
            };
            if !fits {
                round.doubts.push(id.clone());
            }
            entries.push(match look {
                Ok(Some(message)) => match message.folder() {
                    Some(folder) if folder == own || tree.as_ref().is_some_and(|tree| tree.get(folder).is_some()) => {
                        entry(&message, folder)
                    }
                    // In a folder that is not mirrored.
                    Some(_) => Entry::Gone(RemoteId::from(id.as_str())),
                    None => {
                        let error = Error::new(ErrorKind::Malformed, "a message came without its folder");
                        bad(id, own, Some(&message), error)
                    }
                },
                Ok(None) => Entry::Gone(RemoteId::from(id.as_str())),
                // The server cannot show this one, and says so: the others are none the worse for it.
                Err(error) if matches!(error.kind, ErrorKind::Refused | ErrorKind::Malformed) => {
                    bad(id, own, row.as_ref(), error)
                }
                Err(error) if is_of_few && matches!(error.kind, ErrorKind::Unknown | ErrorKind::Forbidden) => {
                    round.doubts.push(id.clone());
                    bad(id, own, row.as_ref(), error)
                }
                Err(error) => return Err(again(&error)),
            });
        }
        let is_listing = round.is_listing;
        if is_listing {
            // What a listing did not show it does not take away; messages that left long ago are told in it, too (F).
            entries.retain(|entry| if let Entry::Gone(id) = entry { self.was_shown(feed, id) } else { true });
        }
        let next = match (next, delta) {
            (Some(link), _) => Next::Page(text(&Round { link, ..round })?),
            (None, Some(link)) => Next::Done(Token { link, look: round.doubts }.write()?),
            (None, None) => return Err(Error::new(ErrorKind::Malformed, "the last page of the round has no token")),
        };
        match next {
            Next::Page(_) if is_listing => self.remember(feed, &entries),
            Next::Page(_) => {}
            Next::Done(_) => drop(self.memory().rounds.remove(feed)),
        }
        Ok(Page { entries, next })
    }

    /// Whether an earlier page of the round showed a message.
    fn was_shown(&self, feed: &FeedId, id: &RemoteId) -> bool {
        self.memory().rounds.get(feed).is_some_and(|memo| memo.shown.contains(&Memo::key(id)))
    }

    /// Remembers which messages a page of a listing showed.
    fn remember(&self, feed: &FeedId, entries: &[Entry]) {
        let mut memory = self.memory();
        let memo = memory.rounds.entry(feed.clone()).or_default();
        for entry in entries {
            match entry {
                Entry::Seen(seen) => drop(memo.shown.insert(Memo::key(&seen.remote_id))),
                Entry::Gone(id) => drop(memo.shown.remove(&Memo::key(id))),
                // Graph renames nothing.
                Entry::Bad { .. } | Entry::Renamed { .. } => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::wire::{PROPERTIES, SIZE};
    use super::*;
    use serde_json::{Value, json};

    fn row(id: &str, extra: Value) -> Message {
        let mut value = json!({"id": id, "changeKey": "k", "parentFolderId": "f", "receivedDateTime": "2026-03-02T08:00:00Z",
            "isRead": true, "isDraft": false, "importance": "normal", "flag": {"flagStatus": "notFlagged"}, "categories": [],
            PROPERTIES: [{"id": SIZE, "value": "9"}]});
        for (name, member) in extra.as_object().unwrap() {
            value[name] = member.clone();
        }
        Message::from_value(value).unwrap()
    }

    fn bare(value: Value) -> Message {
        Message::from_value(value).unwrap()
    }

    #[test]
    fn what_cannot_be_believed_as_it_stands_is_asked_for() {
        let removed = |id: &str, reason: &str| bare(json!({"id": id, "@removed": {"reason": reason}}));
        let rows = vec![
            row("whole", json!({})),
            row("twice", json!({})),
            row("twice", json!({})),
            row("two words", json!({})),
            row("two words", json!({"isRead": false})),
            row("moved", json!({"parentFolderId": "g"})),
            bare(json!({"id": "read", "isRead": true})),
            removed("left", "deleted"),
            removed("may be back", "changed"),
            removed("left and back", "deleted"),
            row("left and back", json!({})),
        ];
        let told = fold(rows, vec!["once more".into(), "whole".into()], "f");
        let ids = |messages: &[Message]| messages.iter().map(|one| one.id().to_owned()).collect::<Vec<_>>();
        assert_eq!(ids(&told.whole), ["whole", "twice"]);
        assert_eq!(told.gone, ["left", "may be back"]);
        let named: Vec<&str> = told.named.iter().map(|(id, _)| id.as_str()).collect();
        assert_eq!(named, ["once more", "two words", "moved", "read", "left and back"]);
        let with_row = told.named.iter().filter(|(_, row)| row.is_some()).count();
        assert_eq!(with_row, 2, "what was said only once is compared with what is read");
    }

    #[test]
    fn a_token_is_the_link_alone_unless_something_is_to_be_looked_at_once_more() {
        let plain = Token { link: "https://graph/x?$deltatoken=1".into(), look: Vec::new() }.write().unwrap();
        assert_eq!(plain.as_str(), "https://graph/x?$deltatoken=1");
        assert!(Token::read(&plain).look.is_empty());
        let doubtful = Token { link: "https://graph/x".into(), look: vec!["a".into()] }.write().unwrap();
        let read = Token::read(&doubtful);
        assert_eq!((read.link.as_str(), read.look), ("https://graph/x", vec!["a".to_owned()]));
    }
}
