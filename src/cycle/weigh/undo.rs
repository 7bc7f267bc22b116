//! What this user may not change: collections that every provider shows, and lets nobody write to (holidays, a calendar shared
//! without rights). They are mirrored one way: what somebody changes in a device's copy is kept as a version, told, and undone.

use super::Weighing;
use crate::meet::as_seen;
use std::collections::{BTreeSet, HashMap};
use twofold_engine::Verdict;
use twofold_hub::items::Origin;
use twofold_hub::{Hub, Item, Presence};
use twofold_model::{Kind, RemoteId, Result};

/// The collections that may not be written to, each with a provider that shows it.
pub(super) fn read_only(hub: &Hub, kind: Kind) -> Result<HashMap<i64, i64>> {
    let mut writable: BTreeSet<i64> = BTreeSet::new();
    let mut read_only = HashMap::new();
    for replica in hub.replicas()?.into_iter().filter(|replica| !replica.is_device) {
        for place in hub.places(replica.id, kind)? {
            if place.can_write {
                writable.insert(place.collection);
            } else {
                read_only.insert(place.collection, replica.id);
            }
        }
    }
    read_only.retain(|collection, _| !writable.contains(collection));
    Ok(read_only)
}

impl Weighing<'_> {
    /// Takes what a device shows of an item in such a collection as its base, so that it is told the provider's version again;
    /// what it said is a version of its own. `true`: something was undone.
    pub(super) fn undo_forbidden(&mut self, item: &Item) -> Result<bool> {
        let mut is_undone = false;
        if self.tables.read_only.is_empty() {
            return Ok(is_undone);
        }
        for sighting in self.hub.sightings(item.id)? {
            let master = self.tables.read_only.get(&sighting.collection).copied();
            let Some(connector) = self.reached(sighting.replica).filter(|_| master.is_some()) else { continue };
            if master == Some(sighting.replica) || sighting.hold.is_some() {
                continue;
            }
            let Some(placement) = self.hub.placement(sighting.replica, &sighting.remote_id)? else { continue };
            match sighting.presence {
                Presence::SaidGone => continue,
                Presence::Gone => {
                    self.hub.remove_placement(placement.id)?;
                    self.hub.next_generation(item.id)?;
                }
                Presence::Here => {
                    let lens = connector.lens(self.kind);
                    let (Ok(says), Ok(said)) = (lens.read(&sighting.rendering), lens.read(&placement.seen)) else {
                        continue;
                    };
                    if says == said {
                        continue;
                    }
                    let at_ms = sighting.modified_ms.unwrap_or(sighting.observed_ms).min(sighting.observed_ms);
                    let origin = Origin { at_ms, rank: connector.abilities().rank, source: Some(sighting.replica) };
                    let version = self.hub.add_version(item.id, &says, origin, Some(placement.agreed), None)?;
                    let (replica, collection) = (placement.replica, placement.collection);
                    self.hub.set_placement(item.id, replica, collection, version, &as_seen(&sighting))?;
                }
            }
            self.hub.remove_sighting(sighting.id)?;
            self.tell(sighting.replica, &sighting.remote_id);
            is_undone = true;
        }
        Ok(is_undone)
    }

    /// An item that somebody made in such a collection on a device alone does not stand there; one that was moved there goes back to
    /// where it `stood`.
    pub(super) fn not_made_here(&mut self, item: &Item, verdict: &mut Verdict, stood: &BTreeSet<i64>) -> Result<()> {
        for (collection, master) in self.tables.read_only.clone() {
            if !verdict.collections.contains(&collection) {
                continue;
            }
            let is_read = self.member(master).is_some_and(|member| member.complete.contains(&self.kind));
            let known = self.hub.placements(item.id)?.into_iter().map(|it| (it.replica, it.collection, it.remote_id));
            let seen = self.hub.sightings(item.id)?.into_iter().map(|it| (it.replica, it.collection, it.remote_id));
            let here: BTreeSet<_> = known.chain(seen).filter(|(_, at, _)| *at == collection).collect();
            let is_shown = here.iter().any(|(replica, ..)| *replica == master);
            if is_read && !is_shown {
                verdict.collections.remove(&collection);
                if verdict.collections.is_empty() {
                    verdict.collections =
                        stood.iter().copied().filter(|id| !self.tables.read_only.contains_key(id)).collect();
                }
                for (replica, _, remote_id) in here {
                    self.tell(replica, &remote_id);
                }
            }
        }
        Ok(())
    }

    fn tell(&mut self, replica: i64, remote_id: &RemoteId) {
        let name = self.member(replica).map(|member| member.replica.name.clone()).unwrap_or_default();
        let words = format!(
            "{remote_id} was changed, but this user may not write to its collection; the change was undone, and is kept as a version"
        );
        self.report.say_at(&name, words);
    }
}
