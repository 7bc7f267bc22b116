//! What hung is left alone for a while, so that it holds the others once and not in every run: a feed, be it that it took its time to fail or
//! that it fails beside others that are read, and what is written of a kind at a place. All else that the place answers goes on. A run that
//! somebody asks for tries it all the same.
//!
//! It is kept in the hub, because it is no place's as a whole: those are left alone by the service.

use crate::Cycle;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use twofold_hub::Hub;
use twofold_model::{Error, ErrorKind, Feed, Kind, Result};

/// What took longer than this before it failed held the others.
pub(crate) const LONG: Duration = Duration::from_secs(10);
/// So long it is left alone first, twice as long each time that it hangs again …
const FIRST_MS: i64 = 60_000;
/// … and so long at most.
const MOST_MS: i64 = 3_600_000;
/// So long a write that was given up may still be executed, in milliseconds.
pub(crate) const OPEN_MS: i64 = 60_000;
/// What is told of a place that hung over a write.
const UNWRITTEN: &str =
    "it gave no answer to a write, so nothing is written there for a while; what is new there is read";

/// What hung.
#[derive(Clone, Copy)]
pub(crate) enum What<'a> {
    Feed(i64, &'a Feed),
    Writes(i64, Kind),
}

impl What<'_> {
    fn key(self) -> String {
        match self {
            What::Feed(replica, feed) => format!("hung {replica} {}", feed.id),
            What::Writes(replica, kind) => format!("hung writes {replica} {kind}"),
        }
    }

    fn kind(self) -> Kind {
        match self {
            What::Feed(_, feed) => feed.kind,
            What::Writes(_, kind) => kind,
        }
    }
}

/// It hung the last time that it was asked.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Hung {
    /// How often, one time after the other; 0: it answered since.
    times: u32,
    since_ms: i64,
    until_ms: i64,
    /// What was told of it.
    words: String,
    /// A feed that took its time before it failed.
    #[serde(default)]
    pub(crate) took_long: bool,
}

impl Hung {
    /// A clock that was set back to before it hung leaves nothing alone.
    fn lasts(&self, now_ms: i64) -> bool {
        (self.since_ms..self.until_ms).contains(&now_ms)
    }
}

/// Whether it hung the last time.
pub(crate) fn of(hub: &Hub, what: What<'_>) -> Result<Option<Hung>> {
    // What cannot be read says nothing; the next time it hangs it is written anew.
    Ok(hub.meta(&what.key())?.and_then(|text| serde_json::from_str(&text).ok()).filter(|hung: &Hung| hung.times > 0))
}

fn write(hub: &mut Hub, what: What<'_>, hung: &Hung) -> Result<()> {
    let text = serde_json::to_string(hung)
        .map_err(|error| Error::new(ErrorKind::Broken, "what hung cannot be written").with_source(error))?;
    hub.set_meta(&what.key(), &text)
}

/// What there is to say of what hung, where this run leaves it alone; `None`: it does not.
pub(crate) fn is_left_alone(cycle: &Cycle<'_>, hung: &Hung) -> Option<Error> {
    let is_left_alone = cycle.settings.leaves_alone && hung.lasts(cycle.now());
    is_left_alone.then(|| Error::new(ErrorKind::Unknown, hung.words.clone()))
}

/// It hung. What a person's run comes to while it is left alone makes nobody wait longer.
pub(crate) fn note(cycle: &mut Cycle<'_>, what: What<'_>, words: &str) -> Result<()> {
    let (before, now) = (of(cycle.hub, what)?.unwrap_or_default(), cycle.now());
    let hung = match before.lasts(now) {
        true => before,
        false => {
            let times = before.times + 1;
            let wait_ms = FIRST_MS.saturating_mul(1 << (times - 1).min(10)).min(MOST_MS);
            let (since_ms, until_ms) = (now, now + wait_ms);
            Hung { times, since_ms, until_ms, words: words.to_owned(), ..before }
        }
    };
    write(cycle.hub, what, &hung)
}

/// A feed failed, which took its time or did not.
pub(crate) fn note_feed(
    cycle: &mut Cycle<'_>,
    (replica, feed): (i64, &Feed),
    words: &str,
    took_long: bool,
) -> Result<()> {
    let what = What::Feed(replica, feed);
    note(cycle, what, words)?;
    match of(cycle.hub, what)? {
        Some(hung) if hung.took_long != took_long => write(cycle.hub, what, &Hung { took_long, ..hung }),
        _ => Ok(()),
    }
}

/// It answered.
pub(crate) fn is_over(cycle: &mut Cycle<'_>, what: What<'_>) -> Result<()> {
    write(cycle.hub, what, &Hung::default())
}

/// The run says when the service is to come back for what hung.
fn come_back(cycle: &mut Cycle<'_>, what: What<'_>) -> Result<()> {
    if let Some(hung) = of(cycle.hub, what)?.filter(|hung| hung.lasts(cycle.now())) {
        come_back_at(cycle, what.kind(), hung.until_ms);
    }
    Ok(())
}

/// The service is to come back then for a kind.
pub(crate) fn come_back_at(cycle: &mut Cycle<'_>, kind: Kind, at_ms: i64) {
    let again_ms = cycle.report.again.entry(kind).or_insert(at_ms);
    *again_ms = at_ms.min(*again_ms);
}

/// The feeds of a kind were asked for, or left alone.
pub(crate) fn look_at_feeds(cycle: &mut Cycle<'_>, feeds: &[(i64, Feed)]) -> Result<()> {
    feeds.iter().try_for_each(|(replica, feed)| come_back(cycle, What::Feed(*replica, feed)))
}

/// Whoever hung over a write lately, and is left alone for that, is read only.
pub(crate) fn leave_unwritten(cycle: &mut Cycle<'_>, kind: Kind) -> Result<()> {
    for index in 0..cycle.members.len() {
        let member = &cycle.members[index];
        let (name, is_reached) = (member.replica.name.clone(), member.reached(kind).is_some());
        let what = What::Writes(member.replica.id, kind);
        let error = of(cycle.hub, what)?.and_then(|hung| is_left_alone(cycle, &hung));
        if let Some(error) = error.filter(|_| is_reached) {
            cycle.members[index].unwritten.insert(kind);
            cycle.report.trouble(&name, &error.at(kind));
            come_back(cycle, what)?;
        }
    }
    Ok(())
}

/// Whoever hung over a write since this was asked is only read in this run from now on: each further write would hold the others again. Answers
/// which replicas did.
pub(crate) fn silent(cycle: &mut Cycle<'_>, kind: Kind) -> BTreeSet<i64> {
    let mut silent = BTreeSet::new();
    for member in &mut cycle.members {
        let silent_writes = member.usage().silent_writes;
        if silent_writes > member.silent_writes {
            member.silent_writes = silent_writes;
            member.unwritten.insert(kind);
            silent.insert(member.replica.id);
        }
    }
    silent
}

/// Whoever hung over a write since this was asked is left alone with writes for a while.
pub(crate) fn look_at_writes(cycle: &mut Cycle<'_>, kind: Kind) -> Result<()> {
    silent(cycle, kind).iter().try_for_each(|replica| note_writes(cycle, *replica, kind))
}

/// It hung over a write: for a while it is only read.
pub(crate) fn note_writes(cycle: &mut Cycle<'_>, replica: i64, kind: Kind) -> Result<()> {
    let Some(member) = cycle.members.iter_mut().find(|member| member.replica.id == replica) else { return Ok(()) };
    member.unwritten.insert(kind);
    let what = What::Writes(replica, kind);
    cycle.report.trouble(&member.replica.name, &Error::new(ErrorKind::Unknown, UNWRITTEN).at(kind));
    note(cycle, what, UNWRITTEN)?;
    come_back(cycle, what)
}

/// The items over whose writes a place hung, and how often, the one first over which it did so longest ago: they are written last, because it
/// may hang over one of them each time.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Items(Vec<(i64, u32)>);

impl Items {
    /// How often it hung over an item, and when among the others; (0, 0): it did not.
    pub(crate) fn rank(&self, item: i64) -> (u32, usize) {
        let at = self.0.iter().position(|(other, _)| *other == item);
        at.map_or((0, 0), |at| (self.0[at].1, at))
    }
}

fn items_key(replica: i64, kind: Kind) -> String {
    format!("hung items {replica} {kind}")
}

/// Those of each replica.
pub(crate) fn items(cycle: &Cycle<'_>, kind: Kind) -> Result<BTreeMap<i64, Items>> {
    let mut all = BTreeMap::new();
    for member in cycle.members.iter().filter(|member| !member.replica.is_device) {
        let replica = member.replica.id;
        // What cannot be read says nothing.
        let items = cycle.hub.meta(&items_key(replica, kind))?.and_then(|text| serde_json::from_str(&text).ok());
        all.extend(items.map(|items| (replica, items)));
    }
    Ok(all)
}

/// It hung over these, and answered to those.
pub(crate) fn note_items(
    cycle: &mut Cycle<'_>,
    (replica, kind): (i64, Kind),
    hung: &BTreeSet<i64>,
    answered: &BTreeSet<i64>,
) -> Result<()> {
    let mut items = items(cycle, kind)?.remove(&replica).unwrap_or_default();
    if hung.is_empty() && !items.0.iter().any(|(item, _)| answered.contains(item)) {
        return Ok(());
    }
    let again: Vec<(i64, u32)> = hung.iter().map(|item| (*item, items.rank(*item).0 + 1)).collect();
    items.0.retain(|(item, _)| !hung.contains(item) && !answered.contains(item));
    items.0.extend(again);
    let text = serde_json::to_string(&items)
        .map_err(|error| Error::new(ErrorKind::Broken, "what hung cannot be written").with_source(error))?;
    cycle.hub.set_meta(&items_key(replica, kind), &text)
}

/// A run comes to the end of a kind: where something was written and nothing hung, that is over; and where nothing waits any more, because
/// what it hung over was done all the same.
pub(crate) fn were_written(cycle: &mut Cycle<'_>, kind: Kind) -> Result<()> {
    for index in 0..cycle.members.len() {
        let (id, name) = (cycle.members[index].replica.id, cycle.members[index].replica.name.clone());
        let what = What::Writes(id, kind);
        if of(cycle.hub, what)?.is_none() {
            continue;
        }
        let is_answering = !cycle.members[index].unwritten.contains(&kind) && cycle.report.row(&name, kind).sent() > 0;
        let is_any_open = cycle.hub.intents()?.iter().any(|intent| intent.replica == id);
        if is_answering || !is_any_open && cycle.hub.todo(kind, 0, 1)?.is_empty() {
            is_over(cycle, what)?;
        }
    }
    Ok(())
}
