//! What hung is left alone for a while, so that it holds the others once and not in every run: a feed, and what is written of a kind at a
//! place. All else that the place answers goes on. A run that somebody asks for tries it all the same.
//!
//! It is kept in the hub, because it is no place's as a whole: those are left alone by the service.

use crate::Cycle;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
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
}

/// It hung the last time that it was asked.
#[derive(Serialize, Deserialize)]
pub(crate) struct Hung {
    /// How often, one time after the other; 0: it answered since.
    times: u32,
    since_ms: i64,
    until_ms: i64,
    /// What was told of it.
    words: String,
}

impl Hung {
    /// What there is to say of it where this run leaves it alone; `None`: it does not.
    pub(crate) fn is_left_alone(&self, cycle: &Cycle<'_>) -> Option<Error> {
        let is_left_alone = cycle.settings.leaves_alone && self.lasts(cycle.now());
        is_left_alone.then(|| Error::new(ErrorKind::Unknown, self.words.clone()))
    }

    /// A clock that was set back to before it hung leaves nothing alone.
    fn lasts(&self, now_ms: i64) -> bool {
        self.times > 0 && (self.since_ms..self.until_ms).contains(&now_ms)
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

/// It hung. What a person's run comes to while it is left alone makes nobody wait longer.
pub(crate) fn note(cycle: &mut Cycle<'_>, what: What<'_>, words: &str) -> Result<()> {
    let (before, now) = (of(cycle.hub, what)?, cycle.now());
    if before.as_ref().is_some_and(|hung| hung.lasts(now)) {
        return Ok(());
    }
    let times = before.map_or(0, |hung| hung.times) + 1;
    let wait_ms = FIRST_MS.saturating_mul(1 << (times - 1).min(10)).min(MOST_MS);
    write(cycle.hub, what, &Hung { times, since_ms: now, until_ms: now + wait_ms, words: words.to_owned() })
}

/// It answered.
pub(crate) fn is_over(cycle: &mut Cycle<'_>, what: What<'_>) -> Result<()> {
    write(cycle.hub, what, &Hung { times: 0, since_ms: 0, until_ms: 0, words: String::new() })
}

/// Whoever hung over a write lately, and is left alone for that, is read only.
pub(crate) fn leave_unwritten(cycle: &mut Cycle<'_>, kind: Kind) -> Result<()> {
    for index in 0..cycle.members.len() {
        let member = &cycle.members[index];
        let (name, is_reached) = (member.replica.name.clone(), member.reached(kind).is_some());
        let hung = of(cycle.hub, What::Writes(member.replica.id, kind))?;
        if let Some(error) = hung.and_then(|hung| hung.is_left_alone(cycle)).filter(|_| is_reached) {
            cycle.members[index].unwritten.insert(kind);
            cycle.report.trouble(&name, &error.at(kind));
        }
    }
    Ok(())
}

/// Whoever hung over a write since this was asked is only read from now on: each further write would hold the others again. Answers which
/// replicas did.
pub(crate) fn look_at_writes(cycle: &mut Cycle<'_>, kind: Kind) -> Result<BTreeSet<i64>> {
    let mut silent = BTreeSet::new();
    for member in &mut cycle.members {
        let silent_writes = member.usage().silent_writes;
        if silent_writes > member.silent_writes {
            member.silent_writes = silent_writes;
            silent.insert(member.replica.id);
        }
    }
    silent.iter().try_for_each(|replica| note_writes(cycle, *replica, kind))?;
    Ok(silent)
}

/// It hung over a write: from now on it is only read.
pub(crate) fn note_writes(cycle: &mut Cycle<'_>, replica: i64, kind: Kind) -> Result<()> {
    let Some(member) = cycle.members.iter_mut().find(|member| member.replica.id == replica) else { return Ok(()) };
    if member.unwritten.insert(kind) {
        cycle.report.trouble(&member.replica.name, &Error::new(ErrorKind::Unknown, UNWRITTEN).at(kind));
        note(cycle, What::Writes(replica, kind), UNWRITTEN)?;
    }
    Ok(())
}

/// A run comes to the end of a kind: where something was written, and nothing hung, that is over.
pub(crate) fn were_written(cycle: &mut Cycle<'_>, kind: Kind) -> Result<()> {
    for index in 0..cycle.members.len() {
        let (id, name) = (cycle.members[index].replica.id, cycle.members[index].replica.name.clone());
        let is_hanging = cycle.members[index].unwritten.contains(&kind);
        let what = What::Writes(id, kind);
        if !is_hanging && cycle.report.row(&name, kind).sent() > 0 && of(cycle.hub, what)?.is_some() {
            is_over(cycle, what)?;
        }
    }
    Ok(())
}
