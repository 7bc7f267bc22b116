//! Rounds: what changed in a calendar since a token, or all that is in it.
//!
//! There are three ways, and which one a calendar goes is found out when it is listed, and kept in its token:
//! - `events/delta`, where the server has it: series, single events and exceptions, without a window;
//! - `calendarView/delta` over a window of some years, and after it a listing of what was changed since the last stamp that the server
//!   showed: for what lies outside. The window cannot be moved: when it has become old, everything is listed anew with a new one.
//!
//! - where there is neither: what was changed since the last stamp. What was removed shows when everything is listed the next time.
//!
//! From nothing, the delta is first read to its end (that gives the token) and then the calendar is listed; what the delta named and the
//! listing did not is asked for by id. Rows of a delta are hints only: an occurrence names its series, and `@removed` (also said of what
//! lies outside of the window) is a question. Where a round stands travels in [`Next::Page`].
//!
//! Provider: an event that is read right after a delta named it may still be the old one (replicas of a mailbox lag behind each other),
//! and the delta does not name it again. Where row and event do not fit, the token says that the next round is to look once more.

use super::look::{Look, take_pending};
use super::sheet::Sheet;
use super::wire::Event;
use super::{Calendars, MAX_PAGES, api, circles, entry, no_answer, number};
use crate::taken_as;
use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashMap, HashSet};
use twofold_http::{Effect, Part, Response};
use twofold_model::{
    CollectionId, DeltaToken, Entry, Error, ErrorKind, Feed, FeedId, Next, Page, Poll, RemoteId, Result, Since,
};

/// The window of `calendarView/delta` begins so many days before now, and ends so many after: together less than Graph's most (K).
const WINDOW_DAYS: (i64, i64) = (365, 1_440);
/// So many states that were told are remembered; of more, some are told twice.
const MOST_TOLD: usize = 1_000;
/// A window is used for so many days.
const WINDOW_LIFE_DAYS: i64 = 60;

/// By which delta a calendar is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Way {
    /// `events/delta`.
    Events,
    /// `calendarView/delta`, and what was changed since a stamp.
    View,
    /// What was changed since a stamp.
    Stamp,
}

/// What a round reads at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Step {
    /// From nothing, first half: the delta, for its token.
    Delta,
    /// From nothing, second half: the events themselves.
    List,
    /// Since a token: the delta.
    Since,
    /// Since a token, on the way of the view: what was changed since a stamp.
    Changed,
}

/// Where a round stands: what [`Next::Page`] holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Round {
    step: Step,
    way: Way,
    /// The page to read.
    link: String,
    /// The link that the delta ended with, once it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    /// The latest change that the server showed, by its own clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stamp: Option<String>,
    /// States of events that were told already, of those changed about that time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    told: Vec<Told>,
    /// When the window was set, in milliseconds since 1970.
    #[serde(default)]
    born_ms: i64,
    /// Events to look at besides, because they did not fit what the last round said of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    look: Vec<String>,
    /// Events that did not fit in this round.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    doubts: Vec<String>,
}

/// What a token of ours holds.
#[derive(Debug, Serialize, Deserialize)]
struct Token {
    way: Way,
    /// The server's link.
    link: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stamp: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    told: Vec<Told>,
    #[serde(default)]
    born_ms: i64,
    /// What is to be looked at once more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    look: Vec<String>,
}

impl Round {
    fn page(&self) -> Result<Next> {
        let text = serde_json::to_string(self);
        text.map(Next::Page).map_err(|_| Error::new(ErrorKind::Broken, "a round could not be noted down"))
    }

    fn done(self) -> Result<Next> {
        let link = self.token.ok_or_else(endless)?;
        // What is listed since a stamp begins a little before it.
        let from_ms = self.stamp.as_deref().and_then(at).map_or(0, |stamp| stamp.timestamp_millis() - api::MARGIN_MS);
        let mut told: Vec<Told> = self.told.into_iter().filter(|told| told.0 >= from_ms).collect();
        told.sort();
        told.dedup();
        told.drain(..told.len().saturating_sub(MOST_TOLD));
        let token = Token { way: self.way, link, stamp: self.stamp, told, born_ms: self.born_ms, look: self.doubts };
        let text = serde_json::to_string(&token);
        let text = text.map_err(|_| Error::new(ErrorKind::Broken, "a token could not be noted down"))?;
        Ok(Next::Done(DeltaToken(text)))
    }

    /// Notes an event that is told.
    fn tell(&mut self, event: &Event) {
        if self.way != Way::Events {
            self.told.push(Told::of(event));
        }
    }

    /// Notes the latest stamp among these rows.
    fn note(&mut self, rows: &[Event]) {
        let stamps = rows.iter().filter_map(|row| row.text("lastModifiedDateTime"));
        let latest = stamps.max_by_key(|stamp| DateTime::parse_from_rfc3339(stamp).ok());
        let later = |old: &String| latest.is_some_and(|new| at(new) > at(old));
        if latest.is_some() && self.stamp.as_ref().is_none_or(later) {
            self.stamp = latest.map(str::to_owned);
        }
    }
}

/// A state of an event that was told: when it was made, and a digest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Told(i64, String);

impl Told {
    fn of(event: &Event) -> Told {
        let state = format!("{} {}", event.id().unwrap_or_default(), event.text("changeKey").unwrap_or_default());
        Told(event.modified_ms().unwrap_or_default(), twofold_model::card::key(&state))
    }
}

fn at(stamp: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(stamp).ok().map(|at| at.with_timezone(&Utc))
}

/// A page of a round, read, before what it names is looked at.
struct Read {
    entries: Vec<Entry>,
    /// Events to be read in full.
    named: Vec<String>,
    /// What the rows said of those that they named as there: the change key, where they told it.
    keys: HashMap<String, String>,
    /// How the round goes on, and where it stands then.
    then: Then,
}

enum Then {
    /// With another page.
    Next(Box<Round>),
    /// That was the last one.
    Done(Box<Round>),
}

impl Then {
    fn round(&mut self) -> &mut Round {
        match self {
            Then::Next(round) | Then::Done(round) => round,
        }
    }
}

/// What a round has met so far: only in memory, for circles and for the first listing.
#[derive(Debug, Default)]
pub(super) struct Memo {
    /// Ids that the delta named and the listing did not yet.
    unlisted: HashSet<String>,
    /// Links followed.
    links: HashSet<String>,
}

impl Calendars {
    /// One page of each feed. The pages come in batches, then what they name, twenty events to a batch.
    pub(crate) async fn changes(&self, polls: &[Poll<'_>]) -> Vec<Result<Page>> {
        let mut rounds: Vec<Result<Round>> = polls.iter().map(|poll| self.begin(poll)).collect();
        let mut asks: Vec<Part> = rounds.iter().flatten().map(|round| api::page("p", &round.link)).collect();
        number(&mut asks);
        let mut answers = self.graph.all("read event changes", Effect::Read, &asks).await.into_iter();
        let mut reads: Vec<Result<Read>> = Vec::with_capacity(polls.len());
        for (poll, round) in polls.iter().zip(&mut rounds) {
            reads.push(match std::mem::replace(round, Err(no_answer())) {
                Ok(round) => self.read(poll, round, answers.next().unwrap_or_else(|| Err(no_answer()))),
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
                    self.complete(poll.feed, read, own)
                }
                Err(error) => Err(error),
            });
        }
        pages
    }

    /// Which page a poll asks for.
    fn begin(&self, poll: &Poll<'_>) -> Result<Round> {
        let feed = poll.feed.id.as_str();
        let now_ms = i64::try_from(self.graph.client.now_ms()).unwrap_or(i64::MAX);
        let round = match &poll.since {
            Since::Start => Round {
                step: Step::Delta,
                way: Way::Events,
                link: api::events_delta(feed),
                token: None,
                stamp: None,
                told: Vec::new(),
                born_ms: now_ms,
                look: Vec::new(),
                doubts: Vec::new(),
            },
            Since::Page(text) => {
                serde_json::from_str(text).map_err(|_| Error::new(ErrorKind::Malformed, "this is no page of ours"))?
            }
            // A token of another address (the configuration changed), or of an old window, is as good as none.
            Since::Token(token) => {
                let expired = |why: &str| Error::new(ErrorKind::TokenExpired, why);
                let token: Token =
                    serde_json::from_str(token.as_str()).map_err(|_| expired("the token is of another form"))?;
                let age_ms = now_ms - token.born_ms;
                if token.way == Way::View && age_ms > Duration::days(WINDOW_LIFE_DAYS).num_milliseconds() {
                    return Err(expired("the window of the calendar has become old"));
                }
                let Token { way, link, stamp, told, born_ms, look } = token;
                let since = |link, token, step, look| Round {
                    step,
                    way,
                    link,
                    token,
                    stamp: stamp.clone(),
                    told,
                    born_ms,
                    look,
                    doubts: Vec::new(),
                };
                if way == Way::Stamp {
                    since(api::changed_since(feed, stamp.as_deref()), Some(link), Step::Changed, Vec::new())
                } else {
                    let link = self.graph.link(&link).map_err(|error| taken_as(ErrorKind::TokenExpired, error))?;
                    since(link, None, Step::Since, look)
                }
            }
        };
        let mut memory = self.memory();
        if !matches!(poll.since, Since::Page(_)) {
            memory.rounds.insert(poll.feed.id.clone(), Memo::default());
        }
        let memo = memory.rounds.entry(poll.feed.id.clone()).or_default();
        // A page asked for again after a failure is no circle; a link that the server repeats is, see `next_link`.
        memo.links.insert(round.link.clone());
        Ok(round)
    }

    /// Reads the page that a round asked for.
    fn read(&self, poll: &Poll<'_>, mut round: Round, answer: Result<Response>) -> Result<Read> {
        let feed = &poll.feed.id;
        let is_first = matches!(poll.since, Since::Start);
        let answer = match answer {
            // The server has no delta of events: the view is followed instead.
            Err(error) if is_first && is_no_way(error.kind) => return Ok(self.by_view(feed, round)),
            // Nor one of the calendar's view.
            Err(error) if (round.step, round.way) == (Step::Delta, Way::View) && is_no_way(error.kind) => {
                return Ok(by_stamp(feed, round));
            }
            // In the middle of a round a link may die of age: the round is begun again from the last token that was kept.
            Err(error) if matches!(poll.since, Since::Page(_)) && error.kind == ErrorKind::TokenExpired => {
                return Err(taken_as(ErrorKind::Unknown, error).at("the round broke off"));
            }
            answer => answer?,
        };
        let (rows, next, delta) = api::read_page(&answer)?;
        let next = next.map(|link| self.next_link(feed, &link)).transpose()?;
        let mut read = Read {
            entries: Vec::new(),
            named: Vec::new(),
            keys: HashMap::new(),
            then: Then::Next(Box::new(round.clone())),
        };
        let is_delta = matches!(round.step, Step::Delta | Step::Since);
        if is_delta && next.is_none() {
            let token = delta.ok_or_else(endless)?;
            // Checked here, where it comes in: a link elsewhere is never kept.
            self.graph.link(&token)?;
            round.token = Some(token);
        }
        match round.step {
            Step::Delta => self.note_unlisted(feed, &rows),
            Step::Since => name_rows(&rows, std::mem::take(&mut round.look), &mut read),
            Step::List | Step::Changed => {
                round.note(&rows);
                let is_new = |row: &Event| !round.told.contains(&Told::of(row));
                let rows = rows.into_iter().filter(|row| round.step == Step::List || is_new(row)).collect();
                self.take_rows(feed, rows, &mut round, &mut read);
            }
        }
        read.then = match (next, round.step) {
            (Some(link), _) => Then::Next(Box::new(Round { link, ..round })),
            (None, Step::Delta) => {
                let link = api::listing(feed.as_str());
                Then::Next(Box::new(Round { step: Step::List, link, ..round }))
            }
            (None, Step::Since) if round.way == Way::View => {
                let link = api::changed_since(feed.as_str(), round.stamp.as_deref());
                Then::Next(Box::new(Round { step: Step::Changed, link, ..round }))
            }
            (None, Step::List) => {
                let mut memory = self.memory();
                let memo = memory.rounds.entry(feed.clone()).or_default();
                read.named.extend(memo.unlisted.iter().cloned());
                read.named.sort();
                read.named.dedup();
                Then::Done(Box::new(round))
            }
            (None, _) => Then::Done(Box::new(round)),
        };
        Ok(read)
    }

    /// The round from nothing, once more on the way of the view.
    fn by_view(&self, feed: &FeedId, round: Round) -> Read {
        let now = DateTime::from_timestamp_millis(round.born_ms).unwrap_or_default();
        let (before, after) = (Duration::days(WINDOW_DAYS.0), Duration::days(WINDOW_DAYS.1));
        let link = api::view_delta(feed.as_str(), now - before, now + after);
        let then = Then::Next(Box::new(Round { way: Way::View, link, ..round }));
        Read { entries: Vec::new(), named: Vec::new(), keys: HashMap::new(), then }
    }

    /// What the delta from nothing names is looked at in the end, if the listing does not show it.
    fn note_unlisted(&self, feed: &FeedId, rows: &[Event]) {
        let mut memory = self.memory();
        let memo = memory.rounds.entry(feed.clone()).or_default();
        for row in rows {
            let Some(id) = name_of(row) else { continue };
            if row.is_removed() {
                memo.unlisted.remove(id)
            } else {
                memo.unlisted.insert(id.to_owned())
            };
        }
    }

    /// Rows of a listing: single events are whole, series are looked at.
    fn take_rows(&self, feed: &FeedId, rows: Vec<Event>, round: &mut Round, read: &mut Read) {
        let mut memory = self.memory();
        let memo = memory.rounds.entry(feed.clone()).or_default();
        for mut row in rows {
            let Some(id) = name_of(&row).map(str::to_owned) else { continue };
            memo.unlisted.remove(&id);
            if row.is_series() || row.is_occurrence() {
                if !read.named.contains(&id) {
                    read.named.push(id);
                }
                continue;
            }
            round.tell(&row);
            let is_partial = take_pending(&mut row).is_some();
            read.entries.push(entry(&Sheet { is_partial, ..Sheet::of(row) }, feed.as_str()));
        }
    }

    /// The link to the next page, if it leads on.
    fn next_link(&self, feed: &FeedId, link: &str) -> Result<String> {
        let link = self.graph.link(link)?;
        let mut memory = self.memory();
        let memo = memory.rounds.entry(feed.clone()).or_default();
        if memo.links.contains(&link) || memo.links.len() > MAX_PAGES {
            return Err(circles());
        }
        Ok(link)
    }

    /// Adds what was looked at to a page.
    fn complete(&self, feed: &Feed, mut read: Read, looks: Vec<Result<Look>>) -> Result<Page> {
        let own = feed.id.as_str();
        let mut told = BTreeSet::new();
        for (id, look) in read.named.iter().zip(looks) {
            let fits = match (&look, read.keys.get(id)) {
                (Ok(Look::There(sheet)), Some(key)) if sheet.event.id() == Some(id) => {
                    sheet.event.text("changeKey").is_none_or(|now| now == key)
                }
                (Ok(Look::Nowhere), Some(_)) => false,
                _ => true,
            };
            let doubts = &mut read.then.round().doubts;
            if !fits && !doubts.contains(id) {
                doubts.push(id.clone());
            }
            match look {
                Ok(Look::There(sheet)) => {
                    // Several occurrences may have named one series.
                    if told.insert(sheet.event.id().unwrap_or_default().to_owned()) {
                        read.then.round().tell(&sheet.event);
                        read.entries.push(entry(&sheet, own));
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
            Then::Next(round) => round.page()?,
            Then::Done(round) => round.done()?,
        };
        if matches!(next, Next::Done(_)) {
            self.memory().rounds.remove(&feed.id);
        }
        Ok(Page { entries: read.entries, next })
    }
}

/// The round from nothing, with no delta at all: it begins with the listing.
fn by_stamp(feed: &FeedId, round: Round) -> Read {
    let link = api::listing(feed.as_str());
    let round = Round { way: Way::Stamp, step: Step::List, link, token: Some(String::new()), ..round };
    Read { entries: Vec::new(), named: Vec::new(), keys: HashMap::new(), then: Then::Next(Box::new(round)) }
}

/// The item that a row is of: itself, or the series that it is an occurrence of.
fn name_of(row: &Event) -> Option<&str> {
    row.master_id().or_else(|| row.id())
}

/// What the rows of a delta name.
fn name_rows(rows: &[Event], look: Vec<String>, read: &mut Read) {
    let mut is_there: HashMap<&str, bool> = HashMap::new();
    for row in rows {
        // The same item may come more than once; that it is there beats that it is gone, for both are questions.
        *is_there.entry(name_of(row).unwrap_or_default()).or_default() |= !row.is_removed();
        if let (Some(id), Some(key), false) = (row.id(), row.text("changeKey"), row.is_removed()) {
            read.keys.insert(id.to_owned(), key.to_owned());
        }
    }
    let mut removed = HashSet::new();
    for row in rows {
        match name_of(row).and_then(|id| is_there.remove_entry(id)) {
            Some((id, true)) => read.named.push(id.to_owned()),
            Some((id, false)) => {
                removed.insert(id.to_owned());
                read.entries.push(Entry::Gone(RemoteId::from(id)));
            }
            None => {}
        }
    }
    let is_new = |id: &String| !read.named.contains(id) && !removed.contains(id);
    let new: Vec<String> = look.into_iter().filter(is_new).collect();
    read.named.extend(new);
}

/// Whether an answer says that there is no such delta.
fn is_no_way(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Refused | ErrorKind::NotFound | ErrorKind::Unsupported)
}

fn endless() -> Error {
    Error::new(ErrorKind::Malformed, "the last page of the round has no token")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn rows(rows: Value) -> Vec<Event> {
        rows.as_array().unwrap().iter().cloned().filter_map(Event::from_value).collect()
    }

    fn named(rows: &[Event], look: &[&str]) -> (Vec<String>, usize) {
        let round = Round {
            step: Step::Since,
            way: Way::View,
            link: String::new(),
            token: None,
            stamp: None,
            told: Vec::new(),
            born_ms: 0,
            look: Vec::new(),
            doubts: Vec::new(),
        };
        let mut read =
            Read { entries: Vec::new(), named: Vec::new(), keys: HashMap::new(), then: Then::Next(Box::new(round)) };
        name_rows(rows, look.iter().map(|id| (*id).to_owned()).collect(), &mut read);
        (read.named, read.entries.len())
    }

    #[test]
    fn an_occurrence_names_its_series_once_and_a_removal_is_a_question() {
        let rows = rows(json!([
            {"id": "o1", "seriesMasterId": "m", "type": "occurrence"}, {"id": "o2", "seriesMasterId": "m"}, {"id": "s", "changeKey": "k"},
            {"id": "gone", "@removed": {"reason": "deleted"}}, {"id": "back", "@removed": {"reason": "deleted"}}, {"id": "back"},
        ]));
        let (names, gone) = named(&rows, &["s", "once more", "gone"]);
        assert_eq!(names, ["m", "s", "back", "once more"]);
        assert_eq!(gone, 1);
    }

    #[test]
    fn the_latest_stamp_of_the_servers_is_kept() {
        let mut round: Round = serde_json::from_value(json!({"step": "list", "way": "view", "link": "x"})).unwrap();
        round.note(&rows(json!([{"id": "1", "lastModifiedDateTime": "2026-03-02T08:00:00.5Z"}, {"id": "2", "lastModifiedDateTime": "2026-03-02T08:00:00Z"}])));
        assert_eq!(round.stamp.as_deref(), Some("2026-03-02T08:00:00.5Z"));
        round.note(&rows(json!([{"id": "3", "lastModifiedDateTime": "2026-01-01T00:00:00Z"}, {"id": "4"}])));
        assert_eq!(round.stamp.as_deref(), Some("2026-03-02T08:00:00.5Z"));
        assert!(round.clone().done().is_err(), "there is no token without the delta's end");
        round.token = Some("https://graph/delta".into());
        let Next::Done(token) = round.done().unwrap() else { unreachable!() };
        let token: Token = serde_json::from_str(token.as_str()).unwrap();
        assert_eq!((token.way, token.link.as_str()), (Way::View, "https://graph/delta"));
    }
}
