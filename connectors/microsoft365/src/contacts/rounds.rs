//! Rounds: what changed in a folder since a token, or all that is in it.
//!
//! From nothing, the delta is first read to its end (that gives the token) and then the folder is listed, because a delta is
//! not documented to bring extended properties; what the delta named and the listing did not is asked for by id. Since a
//! token, the rows of the delta only name what is then read in full. Where a round stands travels in [`Next::Page`].
//!
//! Provider: a contact that is read right after a delta named it may still be the old one (replicas of a mailbox lag behind
//! each other), and the delta does not name it again. Where row and contact do not fit, the token says that the next round is
//! to look once more.

use super::map::{Photo, Sheet};
use super::{Contacts, Look, MAX_PAGES, api, circles, entry, no_answer, number};
use crate::taken_as;
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};
use twofold_http::{Effect, Part, Response};
use twofold_model::{
    CollectionId, DeltaToken, Entry, Error, ErrorKind, Feed, FeedId, Next, Page, Poll, RemoteId, Result, Since,
};

/// Where a round stands: what [`Next::Page`] holds.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Round {
    /// From nothing, first half: the delta, for its token.
    Delta {
        /// The page to read.
        link: String,
    },
    /// From nothing, second half: the contacts themselves.
    List {
        /// The page to read.
        link: String,
        /// The token that the first half ended with.
        token: String,
    },
    /// Since a token.
    Since {
        /// The page to read.
        link: String,
        /// Contacts to look at besides, because they did not fit what the last round said of them.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        look: Vec<String>,
        /// Contacts that did not fit in this round.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        doubts: Vec<String>,
    },
}

impl Round {
    fn link(&self) -> &str {
        match self {
            Round::Delta { link } | Round::List { link, .. } | Round::Since { link, .. } => link,
        }
    }

    fn page(&self) -> Result<Next> {
        let text = serde_json::to_string(self);
        text.map(Next::Page).map_err(|_| Error::new(ErrorKind::Broken, "a round could not be noted down"))
    }
}

/// What a token of ours holds: the server's link, and what is to be looked at once more. With nothing to look at it is the
/// link alone.
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
        if self.look.is_empty() {
            return Ok(DeltaToken(self.link));
        }
        let text = serde_json::to_string(&self);
        text.map(DeltaToken).map_err(|_| Error::new(ErrorKind::Broken, "a token could not be noted down"))
    }
}

/// A page of a round, read, before what it names is looked at.
struct Read {
    entries: Vec<Entry>,
    /// Contacts to be read in full.
    named: Vec<String>,
    /// What the rows said of those that they named as there: the change key, where they told it.
    keys: HashMap<String, Option<String>>,
    /// Contacts that did not fit so far.
    doubts: Vec<String>,
    /// How the round goes on.
    then: Then,
}

/// How a round goes on after a page, once what the page named was looked at.
enum Then {
    /// With this.
    Next(Next),
    /// Since a token, with that page.
    Since(String),
    /// Since a token: that was the last page, and this is the server's link for the next time.
    Done(String),
}

/// What a round has met so far: only in memory, for circles and for the first listing.
#[derive(Debug, Default)]
pub(super) struct Memo {
    /// Ids that the delta named and the listing did not yet.
    unlisted: HashSet<String>,
    /// Links followed.
    links: HashSet<String>,
}

impl Contacts {
    /// One page of each feed. The pages come in batches, then what they name, ten contacts (and their photos) to a batch.
    pub(crate) async fn changes(&self, polls: &[Poll<'_>]) -> Vec<Result<Page>> {
        let mut rounds: Vec<Result<Round>> = polls.iter().map(|poll| self.begin(poll)).collect();
        let mut asks: Vec<Part> = rounds.iter().flatten().map(|round| api::page("p", round.link())).collect();
        number(&mut asks);
        let mut answers = self.graph.all("read contact changes", Effect::Read, &asks).await.into_iter();
        let mut reads: Vec<Result<Read>> = Vec::with_capacity(polls.len());
        for (poll, round) in polls.iter().zip(&mut rounds) {
            reads.push(match std::mem::replace(round, Err(no_answer())) {
                Ok(round) => {
                    let answer = answers.next().unwrap_or_else(|| Err(no_answer()));
                    self.read(poll, round, answer)
                }
                Err(error) => Err(error),
            });
        }
        let named: Vec<String> = reads.iter().flatten().flat_map(|read| read.named.iter().cloned()).collect();
        let mut looks = self.look(&named).await.into_iter();
        let mut pages = Vec::with_capacity(polls.len());
        for (poll, read) in polls.iter().zip(reads) {
            pages.push(match read {
                Ok(read) => {
                    let own: Vec<Result<Look>> = looks.by_ref().take(read.named.len()).collect();
                    self.complete(poll.feed, read, own).await
                }
                Err(error) => Err(error),
            });
        }
        pages
    }

    /// Which page a poll asks for.
    fn begin(&self, poll: &Poll<'_>) -> Result<Round> {
        let round = match &poll.since {
            Since::Start => Round::Delta { link: api::first_round(poll.feed.id.as_str()) },
            Since::Page(text) => {
                serde_json::from_str(text).map_err(|_| Error::new(ErrorKind::Malformed, "this is no page of ours"))?
            }
            // A token of another address (the configuration changed) is as good as none.
            Since::Token(token) => {
                let Token { link, look } = Token::read(token);
                let link = self.graph.link(&link).map_err(|error| taken_as(ErrorKind::TokenExpired, error))?;
                Round::Since { link, look, doubts: Vec::new() }
            }
        };
        let mut memory = self.memory();
        if !matches!(poll.since, Since::Page(_)) {
            memory.rounds.insert(poll.feed.id.clone(), Memo::default());
        }
        let memo = memory.rounds.entry(poll.feed.id.clone()).or_default();
        // A page asked for again after a failure is no circle; a link that the server repeats is, see `follow`.
        memo.links.insert(round.link().to_owned());
        Ok(round)
    }

    /// Reads the page that a round asked for.
    fn read(&self, poll: &Poll<'_>, round: Round, answer: Result<Response>) -> Result<Read> {
        let feed = &poll.feed.id;
        let answer = answer.map_err(|error| match (&poll.since, error.kind) {
            // In the middle of a round a link may die of age: the round is begun again from the last token that was kept.
            (Since::Page(_), ErrorKind::TokenExpired) => taken_as(ErrorKind::Unknown, error).at("the round broke off"),
            _ => error,
        })?;
        let (rows, next, delta) = api::read_page(&answer)?;
        let next = next.map(|link| self.follow(feed, &link)).transpose()?;
        let mut read = Read {
            entries: Vec::new(),
            named: Vec::new(),
            keys: HashMap::new(),
            doubts: Vec::new(),
            then: Then::Next(Next::Page(String::new())),
        };
        match round {
            Round::Delta { .. } => {
                let mut memory = self.memory();
                let memo = memory.rounds.entry(feed.clone()).or_default();
                for row in rows {
                    let Some(id) = row.id() else { continue };
                    if row.is_removed() {
                        memo.unlisted.remove(id)
                    } else {
                        memo.unlisted.insert(id.to_owned())
                    };
                }
                let round = match (next, delta) {
                    (Some(link), _) => Round::Delta { link },
                    (None, Some(token)) => {
                        // Checked here, where it comes in: a link elsewhere is never kept.
                        self.graph.link(&token)?;
                        Round::List { link: api::listing(feed.as_str()), token }
                    }
                    (None, None) => return Err(endless()),
                };
                read.then = Then::Next(round.page()?);
            }
            Round::List { token, .. } => {
                let mut memory = self.memory();
                let memo = memory.rounds.entry(feed.clone()).or_default();
                for row in rows {
                    memo.unlisted.remove(row.id().unwrap_or_default());
                    read.entries.push(entry(Sheet { photo: Photo::Unlooked, contact: row }, feed.as_str()));
                }
                read.then = Then::Next(match next {
                    Some(link) => Round::List { link, token }.page()?,
                    None => {
                        read.named.extend(memo.unlisted.iter().cloned());
                        read.named.sort();
                        Next::Done(DeltaToken(token))
                    }
                });
            }
            Round::Since { look, doubts, .. } => {
                let mut last: HashMap<&str, (bool, Option<&str>)> = HashMap::new();
                for row in &rows {
                    // The same contact may come more than once; that it is there beats that it is gone, for both are questions.
                    let (is_there, key) = last.entry(row.id().unwrap_or_default()).or_default();
                    *is_there |= !row.is_removed();
                    *key = row.text("changeKey").or(*key);
                }
                read.doubts = doubts;
                let mut removed = HashSet::new();
                for row in &rows {
                    match row.id().and_then(|id| last.remove_entry(id)) {
                        Some((id, (true, key))) => {
                            read.keys.insert(id.to_owned(), key.map(str::to_owned));
                            read.named.push(id.to_owned());
                        }
                        Some((id, (false, _))) => {
                            removed.insert(id.to_owned());
                            read.entries.push(Entry::Gone(RemoteId::from(id)));
                        }
                        None => {}
                    }
                }
                let is_new = |id: &String| !read.keys.contains_key(id) && !removed.contains(id);
                read.named.extend(look.into_iter().filter(is_new).collect::<Vec<_>>());
                read.then = match (next, delta) {
                    (Some(link), _) => Then::Since(link),
                    (None, Some(token)) => {
                        self.graph.link(&token)?;
                        Then::Done(token)
                    }
                    (None, None) => return Err(endless()),
                };
            }
        }
        Ok(read)
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
    async fn complete(&self, feed: &Feed, mut read: Read, looks: Vec<Result<Look>>) -> Result<Page> {
        let own = feed.id.as_str();
        let elsewhere = |look: &Result<Look>| match look {
            Ok(Look::There(sheet)) => sheet.contact.folder().filter(|folder| *folder != own).map(str::to_owned),
            _ => None,
        };
        let folders = self.are_folders(&looks.iter().filter_map(elsewhere).collect()).await?;
        for (id, look) in read.named.iter().zip(looks) {
            let fits = match (&look, read.keys.get(id)) {
                (Ok(Look::There(sheet)), Some(Some(key))) => {
                    sheet.contact.text("changeKey").is_none_or(|now| now == key)
                }
                (Ok(Look::Nowhere), Some(_)) => false,
                _ => true,
            };
            if !fits {
                read.doubts.push(id.clone());
            }
            match look {
                Ok(Look::There(sheet)) => {
                    let folder = sheet.contact.folder().unwrap_or(own).to_owned();
                    if folder == own || folders.contains(&folder) {
                        read.entries.push(entry(*sheet, &folder));
                    } else {
                        // In Deleted Items.
                        read.entries.push(Entry::Gone(RemoteId::from(id.as_str())));
                    }
                }
                Ok(Look::Nowhere) => read.entries.push(Entry::Gone(RemoteId::from(id.as_str()))),
                // The server cannot show this one, and says so: the others are none the worse for it.
                Err(error) if matches!(error.kind, ErrorKind::Refused | ErrorKind::Malformed) => {
                    read.entries.push(Entry::Bad {
                        remote_id: RemoteId::from(id.as_str()),
                        collection: feed.collections.first().cloned().unwrap_or_else(|| CollectionId::from(own)),
                        reason: error.to_string(),
                        raw: Vec::new(),
                    });
                }
                Err(error) => return Err(error),
            }
        }
        let next = match read.then {
            Then::Next(next) => next,
            Then::Since(link) => Round::Since { link, look: Vec::new(), doubts: read.doubts }.page()?,
            Then::Done(link) => Next::Done(Token { link, look: read.doubts }.write()?),
        };
        if matches!(next, Next::Done(_)) {
            self.memory().rounds.remove(&feed.id);
        }
        Ok(Page { entries: read.entries, next })
    }
}

fn endless() -> Error {
    Error::new(ErrorKind::Malformed, "the last page of the round has no token")
}

#[cfg(test)]
mod tests {
    use super::*;

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
