//! What an account does not let go to where a device moved it: the copy that stays there stands for the one that could not be made, so that
//! what the account does with it later reaches the item.
//!
//! | the copy that stays is by then | the item |
//! |---|---|
//! | as it was, or marked | stands where the device put it, marked |
//! | moved elsewhere by its account | stands there |
//! | deleted | is deleted, unless somebody edited it since |

use super::{Weighed, Weighing};
use std::collections::BTreeSet;
use twofold_engine::{Copy, Now, Verdict};
use twofold_hub::Item;
use twofold_model::Result;

impl Weighing<'_> {
    /// The copies that could not be made and that left with all that stayed in their place: where an account did not let the item go, it is gone
    /// from, once it is gone from where it stayed. `stands`: where the item stood before.
    pub(super) fn gone_with_what_stayed(
        &self,
        item: &Item,
        stands: &BTreeSet<i64>,
        weighed: &[Weighed],
        copies: &[Copy],
    ) -> Result<Vec<Copy>> {
        let mut gone = Vec::new();
        let replicas: BTreeSet<i64> =
            weighed.iter().map(|copy| copy.replica).filter(|id| !self.is_device(*id)).collect();
        for replica in replicas {
            let stayed = |copy: &&Weighed| {
                copy.replica == replica && copy.placement.as_ref().is_some_and(|it| !stands.contains(&it.collection))
            };
            let left: Option<Vec<i64>> = weighed.iter().filter(stayed).map(Weighed::left_from).collect();
            let Some(from) = left.as_ref().and_then(|left| left.first()) else { continue };
            let is_it = |copy: &&Copy| (copy.replica, copy.collection) == (replica, *from);
            let Some(like) = copies.iter().find(is_it) else { continue };
            let is_seen = |to: &i64| weighed.iter().any(|copy| (copy.replica, copy.collection) == (replica, *to));
            let closed = self.hub.closed_to(item.id, replica)?;
            let to = closed.into_iter().filter(|to| stands.contains(to) && !is_seen(to));
            gone.extend(to.map(|collection| Copy { collection, now: Now::Gone, ..like.clone() }));
        }
        Ok(gone)
    }

    /// Nothing is told any more of collections to which an account did not let the item go, and in which it does not stand any more.
    pub(super) fn closed_no_more(
        &mut self,
        item: &Item,
        stood: &BTreeSet<i64>,
        verdict: &Verdict,
        weighed: &[Weighed],
    ) -> Result<()> {
        for collection in stood.difference(&verdict.collections) {
            for place in self.places_of(*collection)? {
                let is_there = |it: &Weighed| (it.replica, it.collection) == (place.replica, *collection);
                if !self.is_device(place.replica) && !weighed.iter().any(is_there) {
                    self.hub.leave_refused(place.replica, item.id, Some(*collection))?;
                    self.hub.release(item.id, place.replica, *collection)?;
                }
            }
        }
        Ok(())
    }
}
