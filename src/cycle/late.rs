//! A place that says nothing while all others have said what they had to: they are not held by it.
//!
//! It is asked for its collections ([`crate::arrange`]), then for what its feeds say ([`crate::pull`]), the replicas side by side. Where one
//! lets wait for the first of that, and two others are there between which something can be kept the same, the kind is gone through without
//! it, and once more with it when all else of the run is done. Then it is waited for as long as its connector does, unless somebody waits
//! for the run: so a place that hangs holds the others for no more than [`SILENT`] and [`WAITED_FOR`], and one that is slow has its turn.
//!
//! What it was asked is given up and asked again: nothing is kept over the others' turn, in which anything may change.

use crate::Cycle;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;
use twofold_model::{Error, ErrorKind, Kind};

/// So long the others wait for a place that lets nothing be heard, not even the answer to one of several requests …
const SILENT: Duration = Duration::from_secs(2);
/// … and so long where it let them wait in this run before.
const STILL_SILENT: Duration = Duration::from_millis(500);
/// So long it is waited for when all else is done, though somebody waits for the run.
const WAITED_FOR: Duration = Duration::from_secs(3);
/// How often is looked.
const STEP: Duration = Duration::from_millis(50);

/// Those who were asked side by side; and of those who have not said what they were asked for, when they were last heard.
pub(crate) struct Silent {
    asked: Vec<usize>,
    members: BTreeMap<usize, Heard>,
}

/// What of a member has come over the network, and when the last of that did.
struct Heard {
    bytes_in: u64,
    at: Instant,
}

impl Silent {
    /// All of these are asked now.
    pub(crate) fn new(cycle: &Cycle<'_>, members: impl Iterator<Item = usize>) -> Silent {
        let asked: Vec<usize> = members.collect();
        let heard = |index: usize| Heard { bytes_in: cycle.members[index].usage().bytes_in, at: Instant::now() };
        let members = asked.iter().map(|index| (*index, heard(*index))).collect();
        Silent { asked, members }
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
            let bytes_in = cycle.members[*index].usage().bytes_in;
            if heard.bytes_in != bytes_in {
                *heard = Heard { bytes_in, at: Instant::now() };
            }
        }
        let are_silent = |patience| self.members.values().all(|heard| heard.at.elapsed() >= patience);
        if cycle.waits_for_late {
            return cycle.is_stopped() || are_silent(WAITED_FOR) && cycle.is_waited_for();
        }
        let is_any_late = self.members.keys().any(|index| !cycle.members[*index].late.is_empty());
        let mut others = self.asked.iter().filter(|index| !self.members.contains_key(index));
        // Nothing can be kept the same at one place alone.
        let is_of_use = self.asked.len() - self.members.len() > 1;
        is_of_use && are_silent(if is_any_late { STILL_SILENT } else { SILENT }) && others.all(|index| is_done(*index))
    }

    /// Goes on without those who are silent: each of them with what is to be said of it, where this was its last chance in this run.
    pub(crate) fn leave(&mut self, cycle: &mut Cycle<'_>, kind: Kind) -> Vec<(usize, Option<Error>)> {
        let is_last = cycle.waits_for_late && !cycle.is_stopped();
        let leave = |index: usize| {
            if is_last {
                let words = "it gave no answer, and others waited; nothing was done there";
                return (index, Some(Error::new(ErrorKind::Unknown, words)));
            }
            cycle.members[index].late.insert(kind);
            (index, None)
        };
        std::mem::take(&mut self.members).into_keys().map(leave).collect()
    }
}
