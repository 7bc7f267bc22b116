//! A place that says nothing while all others have said what they had to: they are not held by it.
//!
//! It is asked for its collections ([`crate::arrange`]), then for what its feeds say ([`crate::pull`]), the replicas side by side. Where one
//! lets wait for its first word, and two others are there between which something can be kept the same, the kind is gone through without
//! it, and once more with it when all else of the run is done. Then it is waited for as long as its connector does, unless somebody waits
//! for the run: so a place that hangs holds the others for no more than [`SILENT`] and [`WAITED_FOR`], and one that is slow has its turn.
//!
//! What it was asked is given up and asked again: nothing is kept over the others' turn, in which anything may change.

use crate::Cycle;
use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::Instant;
use twofold_model::{Error, ErrorKind, Kind};

/// So long the others wait for the first word of a place …
const SILENT: Duration = Duration::from_secs(2);
/// … and so long where it let them wait in this run before.
const STILL_SILENT: Duration = Duration::from_millis(500);
/// So long it is waited for when all else is done, though somebody waits for the run.
const WAITED_FOR: Duration = Duration::from_secs(3);
/// How often is looked.
const STEP: Duration = Duration::from_millis(50);

/// Those who were asked side by side and have not said a word yet.
pub(crate) struct Silent {
    members: BTreeSet<usize>,
    /// How many others were asked.
    others: usize,
    since: Instant,
}

impl Silent {
    /// All of these are asked now.
    pub(crate) fn new(members: impl Iterator<Item = usize>) -> Silent {
        Silent { members: members.collect(), others: 0, since: Instant::now() }
    }

    /// One of them said something.
    pub(crate) fn heard(&mut self, member: usize) {
        self.others += usize::from(self.members.remove(&member));
    }

    /// Whether it has not said a word.
    pub(crate) fn has(&self, member: usize) -> bool {
        self.members.contains(&member)
    }

    /// Comes back when whoever is silent by then is not waited for any more. `others_are_done`: whether all others have said all they had to.
    pub(crate) async fn is_enough(&self, cycle: &Cycle<'_>, others_are_done: impl Fn() -> bool) {
        let is_any_late = self.members.iter().any(|index| !cycle.members[*index].late.is_empty());
        let patience = if is_any_late { STILL_SILENT } else { SILENT };
        let is_stopped = || cycle.settings.calls.stop.load(Ordering::SeqCst);
        let is_enough = || match cycle.waits_for_late {
            _ if is_stopped() => true,
            false => self.others > 1 && self.since.elapsed() >= patience && others_are_done(),
            true => self.since.elapsed() >= WAITED_FOR && cycle.is_waited_for(),
        };
        while self.members.is_empty() || !is_enough() {
            tokio::time::sleep(STEP).await;
        }
    }

    /// Goes on without those who are silent: each of them with what is to be said of it, where this was its last chance in this run.
    pub(crate) fn leave(&mut self, cycle: &mut Cycle<'_>, kind: Kind) -> Vec<(usize, Option<Error>)> {
        let is_stopped = cycle.settings.calls.stop.load(Ordering::SeqCst);
        let leave = |index: usize| {
            if cycle.waits_for_late && !is_stopped {
                let words = "it gave no answer, and others waited; nothing was done there";
                return (index, Some(Error::new(ErrorKind::Unknown, words)));
            }
            cycle.members[index].late.insert(kind);
            (index, None)
        };
        std::mem::take(&mut self.members).into_iter().map(leave).collect()
    }
}
