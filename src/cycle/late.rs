//! A place that says nothing while all others have said what they had to: they are not held by it.
//!
//! It is asked for its collections ([`crate::arrange`]), then for what its feeds say ([`crate::pull`]), the replicas side by side. Where one
//! lets wait for the first of that, and two others are there between which something can be kept the same, the kind is gone through without
//! it, and once more with it when all else of the run is done. Then it is waited for as long as its connector does, unless somebody waits
//! for the run: so a place that hangs holds the others for no more than [`SILENT`] and [`WAITED_FOR`], and one that is slow has its turn.
//!
//! What it was asked is given up and asked again: nothing is kept over the others' turn, in which anything may change.

use crate::{Cycle, Member};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;
use twofold_model::{Error, ErrorKind, Kind, Result};

/// So long the others wait for a place that lets nothing be heard, not even the answer to one of several requests …
const SILENT: Duration = Duration::from_secs(2);
/// … and so long where it let them wait in this run before.
const STILL_SILENT: Duration = Duration::from_millis(500);
/// So long it is waited for when all else is done, though somebody waits for the run; twice as long each time after it was given up, as it is
/// left alone twice as long then: one that always takes its time has its turn.
const WAITED_FOR: Duration = Duration::from_secs(3);
/// So often it is waited for longer: its connector gives up by itself after half a minute.
const LONGER_AT_MOST: u32 = 4;
/// How often is looked.
const STEP: Duration = Duration::from_millis(50);

/// Those who were asked side by side; and of those who have not said what they were asked for, when they were last heard.
pub(crate) struct Silent {
    asked: Vec<usize>,
    members: BTreeMap<usize, Heard>,
}

/// What of a member has come over the network, since when nothing has, and how long it is waited for at the end of a run.
struct Heard {
    heard: u64,
    at: Instant,
    waited_for: Duration,
}

impl Silent {
    /// All of these are asked now.
    pub(crate) fn new(cycle: &Cycle<'_>, kind: Kind, members: impl Iterator<Item = usize>) -> Result<Silent> {
        let asked: Vec<usize> = members.collect();
        let heard = |index: &usize| -> Result<(usize, Heard)> {
            let member = &cycle.members[*index];
            let waited_for = match is_given_up(member) {
                true => STILL_SILENT,
                false => WAITED_FOR * 2_u32.pow(given_up(cycle, member.replica.id, kind)?.min(LONGER_AT_MOST)),
            };
            let (heard, at) = (member.usage().heard, Instant::now());
            Ok((*index, Heard { heard, at, waited_for }))
        };
        let members = asked.iter().map(heard).collect::<Result<_>>()?;
        Ok(Silent { asked, members })
    }

    /// One of them said something of what it was asked for.
    pub(crate) fn heard(&mut self, member: usize) {
        self.members.remove(&member);
    }

    /// Comes back when whoever is silent by then is not waited for any more. `is_done`: whether another one has said all it had to.
    pub(crate) async fn is_enough(&mut self, cycle: &Cycle<'_>, is_done: impl Fn(usize) -> bool) {
        while self.members.is_empty() || !self.has_enough(cycle, &is_done) {
            tokio::time::sleep(STEP).await;
        }
    }

    fn has_enough(&mut self, cycle: &Cycle<'_>, is_done: &impl Fn(usize) -> bool) -> bool {
        for (index, heard) in &mut self.members {
            let usage = cycle.members[*index].usage();
            // What waits for our own budget, or for a pause that was asked for, is late, but not silent.
            let waits_for_us = cycle.waits_for_late && usage.awaited == 0;
            if heard.heard != usage.heard || waits_for_us {
                (heard.heard, heard.at) = (usage.heard, Instant::now());
            }
        }
        if cycle.waits_for_late {
            let has_had_its_time = |heard: &Heard| heard.at.elapsed() >= heard.waited_for;
            return cycle.is_stopped() || cycle.is_waited_for() && self.members.values().all(has_had_its_time);
        }
        let is_any_late = self.members.keys().any(|index| !cycle.members[*index].late.is_empty());
        let mut others = self.asked.iter().filter(|index| !self.members.contains_key(index));
        // Nothing can be kept the same at one place alone.
        let is_of_use = self.asked.len() - self.members.len() > 1;
        let patience = if is_any_late { STILL_SILENT } else { SILENT };
        let are_silent = self.members.values().all(|heard| heard.at.elapsed() >= patience);
        is_of_use && are_silent && others.all(|index| is_done(*index))
    }

    /// Goes on without those who are silent. Where this was their last chance in this run they are absent from now on.
    pub(crate) fn leave(&mut self, cycle: &mut Cycle<'_>, kind: Kind) -> Result<Vec<usize>> {
        let left: Vec<usize> = std::mem::take(&mut self.members).into_keys().collect();
        let is_last = cycle.waits_for_late && !cycle.is_stopped();
        for index in &left {
            if is_last {
                let replica = cycle.members[*index].replica.id;
                let times = given_up(cycle, replica, kind)? + 1;
                cycle.hub.set_meta(&given_up_key(replica, kind), &times.to_string())?;
                let words = "it gave no answer, and others waited; nothing was done there";
                cycle.members[*index].lose_kind(kind, Error::new(ErrorKind::Unknown, words));
            } else {
                cycle.members[*index].late.insert(kind);
            }
        }
        Ok(left)
    }
}

fn given_up_key(replica: i64, kind: Kind) -> String {
    format!("given up {replica} {kind}")
}

/// How often a place was given up for a kind, one time after the other.
fn given_up(cycle: &Cycle<'_>, replica: i64, kind: Kind) -> Result<u32> {
    Ok(cycle.hub.meta(&given_up_key(replica, kind))?.and_then(|text| text.parse().ok()).unwrap_or(0))
}

/// A place was read: it is no slow one so far.
pub(crate) fn was_read(cycle: &mut Cycle<'_>, replica: i64, kind: Kind) -> Result<()> {
    match given_up(cycle, replica, kind)? {
        0 => Ok(()),
        _ => cycle.hub.set_meta(&given_up_key(replica, kind), "0"),
    }
}

/// Whether it was given up in this run, for another kind: it need not be waited for as long once more.
fn is_given_up(member: &Member) -> bool {
    member.absent.values().flatten().any(|error| error.kind.is_temporary())
}
