//! A new meeting of the user's own, made on a device: which provider asks its guests to come (promise 7). One does, and only where
//! mail is allowed; for the others it is a copy like that of any other meeting.

use super::plan::quarantine_name;
use super::{Weighed, Weighing};
use crate::arrange::is_named;
use twofold_engine::Verdict;
use twofold_hub::{IntentKind, Item, Place};
use twofold_model::event::address_identity;
use twofold_model::meeting::{asks_anew, is_over, organizer};
use twofold_model::{Identity, Result};

impl Weighing<'_> {
    /// The replica and collection that asks the guests of an item to come, when it is made there. Until then it is made at no other
    /// provider: with a copy at one it is no new meeting any more, and nobody would ask.
    ///
    /// A meeting is new that only devices know of and that never stood at a provider. What a device's first use brought, and what was
    /// gone and came back, is of a later generation. The provider is that whose account organizes it; where nobody is named, or
    /// several are that account's, the first of the join.
    pub(super) fn inviter(
        &self,
        item: &Item,
        verdict: &Verdict,
        weighed: &[Weighed],
        places: &[Place],
    ) -> Result<Option<(i64, i64)>> {
        let meeting = &verdict.content;
        let is_new = item.generation == 1 && weighed.iter().all(|copy| self.is_device(copy.replica));
        if !self.settings.may_mail || !is_new || meeting.get("participants").is_none() {
            return Ok(None);
        }
        if is_over(meeting, self.settings.zones.as_ref(), self.now) || !self.hub.comes_from_devices(item.id)? {
            return Ok(None);
        }
        let organizer = organizer(meeting);
        let candidates = places.iter().filter_map(|place| {
            let belongs = verdict.collections.contains(&place.collection);
            let is_open = place.can_write && !self.is_device(place.replica) && !self.is_closed(item, place);
            let member = self.member(place.replica);
            let account = member.and_then(|member| member.account.as_deref());
            // A provider that takes no part in this run may be the organizer's; it comes after one that is known to be.
            let is_own = member.is_none()
                || organizer.as_ref().is_none_or(|organizer| account.map(address_identity).as_ref() == Some(organizer));
            let can_ask = || match self.reached(place.replica) {
                Some(connector) => {
                    let nobody = Identity { uid: item.uid.clone(), mark: None };
                    matches!(connector.lens(self.kind).inviting(meeting, &nobody), Ok(Some(_)))
                }
                None => true,
            };
            let asks = belongs && is_open && is_own && asks_anew(meeting, account) && can_ask();
            asks.then(|| ((member.is_none(), self.order_in_join(place)), (place.replica, place.collection)))
        });
        Ok(candidates.min().map(|(_, at)| at))
    }

    /// Whether nothing is to be made there now: its removal was approved, or the item was refused and waits for its next try.
    fn is_closed(&self, item: &Item, place: &Place) -> bool {
        self.tables.going.contains(&(place.replica, place.collection))
            || self.tables.waiting.get(&(place.replica, quarantine_name(item, place.collection, IntentKind::Create)))
                == Some(&true)
    }

    pub(super) fn is_device(&self, replica: i64) -> bool {
        self.tables.devices.contains(&replica)
    }

    /// Where a place stands in the `[[join]]` that names it.
    fn order_in_join(&self, place: &Place) -> usize {
        let name = self.member(place.replica).map(|member| member.replica.name.as_str()).unwrap_or_default();
        let joins = self.settings.joins.iter().filter(|join| join.kind == self.kind);
        let orders = joins.filter_map(|join| {
            join.collections.iter().position(|entry| is_named(entry, name, &place.name, place.is_default))
        });
        orders.min().unwrap_or(usize::MAX)
    }
}
