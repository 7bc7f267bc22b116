//! Mailboxes that do not go together (`Abilities::alone`, `Abilities::left_over`): what was merged as a set is made one of the sets that
//! the account can show, in the same run. Where nobody's wish follows from it, the set stays as it is, and what cannot be is listed.
//!
//! | the message stood in | somebody | it stands in |
//! |---|---|---|
//! | others | moved one of its copies to the trash or among the spam | that alone; where each copy is a message of its own, that and the others |
//! | the trash | put it into another mailbox too, or moved it there at another place | the others |
//! | the archive | put it into another mailbox too | the others |
//! | others | moved one of its copies to the archive | the rest of them |

use super::{Weighed, Weighing};
use std::collections::BTreeSet;
use twofold_engine::{Now, Verdict};
use twofold_hub::Presence;
use twofold_model::Kind;
use twofold_model::email::Role;

impl Weighing<'_> {
    /// Takes mailboxes out of the verdict that the account does not show beside the others. `stood`: where the message stood before.
    pub(super) fn part_what_stands_alone(&self, verdict: &mut Verdict, weighed: &[Weighed], stood: &BTreeSet<i64>) {
        if self.kind != Kind::Mail || verdict.collections.len() < 2 {
            return;
        }
        // What became of a copy that is said to be gone, or is held, is not known: nor is what somebody wished.
        let is_open = |copy: &Weighed| {
            let is_here = |seen: &twofold_hub::Sighting| seen.presence == Presence::Here;
            matches!(copy.now, Now::Unknown) && copy.sighting.as_ref().is_some_and(|seen| !is_here(seen))
        };
        if weighed.iter().any(is_open) {
            return;
        }
        let bins = &self.tables.bins;
        let accounts: BTreeSet<i64> = verdict.collections.iter().filter_map(|id| bins.account(*id)).collect();
        for account in accounts {
            let Some(connector) = self.reached(account) else { continue };
            let abilities = connector.abilities();
            // Where each copy is a message of its own, one of two that somebody deletes takes the other nowhere.
            let there = |copy: &&Weighed| copy.replica == account && !matches!(copy.now, Now::Gone);
            let is_one = abilities.shares.contains(&self.kind) || weighed.iter().filter(there).count() < 2;
            let is_of_it = |id: &i64| bins.account(*id) == Some(account) && !self.tables.left_out.has(*id);
            let has = |id: i64, role: &Role| bins.role(id) == Some(*role);
            let here: BTreeSet<i64> = verdict.collections.iter().copied().filter(is_of_it).collect();
            let left_one = stood.iter().any(|id| is_of_it(id) && !here.contains(id));
            let is_alone = |id: &i64| abilities.alone.iter().any(|role| has(*id, role));
            let is_left_over = |id: &i64| abilities.left_over.is_some_and(|role| has(*id, &role));
            // What was wished before and could not be yet (it was held, or refused) is as new as what is wished now.
            let shows = |id: &i64| {
                let is_it = |copy: &&Weighed| (copy.replica, copy.collection) == (account, *id);
                weighed.iter().filter(is_it).any(|copy| !matches!(copy.now, Now::Gone))
            };
            let is_new = |id: &i64| !stood.contains(id) || !shows(id);
            let (alone, mut others): (BTreeSet<i64>, BTreeSet<i64>) = here.iter().copied().partition(is_alone);
            // The trash first, as the account names them.
            let wished = abilities.alone.iter().find_map(|role| alone.iter().find(|id| is_new(id) && has(**id, role)));
            let mut stays = here.clone();
            if !alone.is_empty() && others.iter().any(is_new) {
                // Whoever puts it elsewhere wants it back; another copy that was thrown away before stays where it is.
                stays.retain(|id| !is_alone(id) || !is_one && !is_new(id));
            } else if let Some(alone) = wished.filter(|_| left_one && is_one) {
                stays = BTreeSet::from([*alone]);
                others.clear();
            }
            let (left_over, others): (BTreeSet<i64>, BTreeSet<i64>) = others.into_iter().partition(is_left_over);
            if !left_over.is_empty() && !others.is_empty() && (left_one || others.iter().any(is_new)) {
                stays.retain(|id| !is_left_over(id));
            }
            verdict.collections.retain(|id| !here.contains(id) || stays.contains(id));
        }
    }
}
