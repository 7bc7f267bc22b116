//! What is done in one step where a place has a way: an item that leaves one collection for another is moved, one that is to stand in one
//! more gets a further copy, and one whose bytes stand at a place is made of the copy that is there.

use super::plan::as_seen_placement;
use super::{Left, Weighed, Weighing};
use crate::meet::as_seen;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use twofold_engine::{Now, Verdict};
use twofold_hub::{IntentKind, Item, Place, Presence};
use twofold_model::email::{has_keyword, keywords};
use twofold_model::{Content, Lens, Operation, Rendering, Result};

/// One step at a replica that brings an item to a collection.
pub(super) struct Step {
    /// The copy that is moved, or beside which another one is made: (replica, collection).
    pub(super) from: (i64, i64),
    pub(super) is_move: bool,
}

impl Weighing<'_> {
    /// What is done in one step where a place has a way: an item that is to stand in one collection less and in one more is moved, and
    /// one that is to stand in one more gets a further copy. By (replica, collection) to which it leads.
    pub(super) fn one_step(
        &self,
        item: &Item,
        places: &[Place],
        verdict: &Verdict,
        weighed: &[Weighed],
        open: &HashSet<(i64, i64)>,
    ) -> BTreeMap<(i64, i64), Step> {
        let mut steps = BTreeMap::new();
        let moved_by_hand: BTreeSet<i64> = weighed.iter().filter_map(Weighed::left_from).collect();
        let replicas: BTreeSet<i64> = places.iter().map(|place| place.replica).collect();
        for replica in replicas {
            let Some(connector) = self.reached(replica) else { continue };
            let abilities = connector.abilities();
            let (moves, shares) = (abilities.moves.contains(&self.kind), abilities.shares.contains(&self.kind));
            if !(moves || shares)
                || open.iter().any(|(at, _)| *at == replica)
                || self.tables.unwritten.contains(&replica)
            {
                continue;
            }
            let is_free = |collection: i64| {
                !self.tables.held.contains(&(replica, collection))
                    && !self.tables.going.contains(&(replica, collection))
            };
            let stands = |collection: i64| {
                weighed.iter().any(|copy| {
                    (copy.replica, copy.collection) == (replica, collection) && !matches!(copy.now, Now::Gone)
                })
            };
            let copies: Vec<&Weighed> = weighed
                .iter()
                .filter(|copy| copy.replica == replica && is_free(copy.collection))
                .filter(|copy| match (&copy.now, &copy.placement) {
                    (Now::Same | Now::Edited { .. }, _) => true,
                    (Now::Unknown, Some(known)) => self.is_still_read(replica, &known.remote_id),
                    _ => false,
                })
                .collect();
            // A copy that is left out is not moved, and what it says counts for nothing; but it is one and the same message, as long as its
            // account does not say that it is gone.
            let frozen = weighed.iter().find(|copy| {
                let is_there = copy.sighting.as_ref().is_none_or(|seen| seen.presence == Presence::Here);
                copy.replica == replica
                    && copy.placement.is_some()
                    && is_there
                    && self.tables.left_out.has(copy.collection)
            });
            // Out of where a message stands alone it comes by a move only, also where that is left out: somebody wants it back from the trash.
            let stands_alone = |copy: &&Weighed| {
                let role = self.tables.bins.role(copy.collection);
                role.is_some_and(|role| abilities.alone.contains(&role))
            };
            let put_back = frozen.filter(stands_alone).into_iter();
            let mut leaving: Vec<&Weighed> = put_back
                .chain(copies.iter().copied())
                .filter(|copy| moves && !verdict.collections.contains(&copy.collection))
                .collect();
            // The copy that somebody moved elsewhere is the one that moves here too.
            leaving.sort_by_key(|copy| moved_by_hand.contains(&copy.collection));
            let missing = places.iter().filter(|place| {
                place.replica == replica
                    && verdict.collections.contains(&place.collection)
                    && is_free(place.collection)
                    && !stands(place.collection)
                    && !self.tables.bins.is_emptied(item.id, place)
            });
            for place in missing {
                let (from, is_move) = match leaving.pop() {
                    Some(copy) => (copy, true),
                    // What is deleted on a device goes to its account's trash also where that is left out; nothing else is written there.
                    None if self.tables.left_out.has(place.collection) => continue,
                    None => match copies.first().copied().or(frozen).filter(|_| shares) {
                        Some(copy) => (copy, false),
                        None => continue,
                    },
                };
                steps.insert((replica, place.collection), Step { from: (replica, from.collection), is_move });
            }
        }
        steps
    }

    /// Plans a move, or a further copy.
    pub(super) fn step(
        &mut self,
        item: &Item,
        place: &Place,
        step: &Step,
        weighed: &[Weighed],
        left: &mut Left,
    ) -> Result<()> {
        left.pending = true;
        let copy = weighed.iter().find(|copy| (copy.replica, copy.collection) == step.from);
        let Some(copy) = copy else { return Ok(()) };
        let placement = self.base_of(item, step.from, copy)?;
        let Some(placement) = placement else { return Ok(()) };
        // The base moves to what is seen now; what the hub says more is told where the copy stands then.
        let (mut agreed, mut seen) = (placement.agreed, as_seen_placement(&placement));
        if let Some(sighting) =
            copy.sighting.as_ref().filter(|it| copy.placement.is_some() && it.presence == Presence::Here)
        {
            if self.tables.left_out.has(step.from.1) {
                // What it says counts once it was moved out of there.
                seen.etag = sighting.etag.clone();
                self.hub.touch_placement(placement.id, &seen.etag, sighting.modified_ms, None)?;
            } else {
                seen = as_seen(sighting);
                let Some(connector) = self.reached(place.replica) else { return Ok(()) };
                let (content, version) = self.agreed_by_now(connector.lens(self.kind), &placement, &seen.rendering)?;
                agreed = match version {
                    Some(version) => version,
                    None => self.agree(connector.as_ref(), item.id, place.replica, &content)?,
                };
                self.hub.set_placement(item.id, place.replica, step.from.1, agreed, &seen)?;
            }
            self.hub.remove_sighting(sighting.id)?;
        }
        // A copy that was known here and is gone leaves no base behind.
        for gone in weighed.iter().filter(|copy| (copy.replica, copy.collection) == (place.replica, place.collection)) {
            self.forget_copy(gone)?;
        }
        let from = self.places_of(step.from.1)?.into_iter().find(|place| place.replica == step.from.0);
        let Some(from) = from else { return Ok(()) };
        let of = twofold_model::Place { remote_id: seen.remote_id.clone(), collection: from.remote_id.as_str().into() };
        let (kind, to) = match step.is_move {
            true => (IntentKind::Move, twofold_model::CollectionId(place.remote_id.clone())),
            false => (IntentKind::Copy, twofold_model::CollectionId(place.remote_id.clone())),
        };
        let told = Item { version: agreed, ..item.clone() };
        let left_over = self.reached(place.replica).and_then(|connector| connector.abilities().left_over);
        let goes_last = step.is_move && left_over.is_some() && left_over == self.tables.bins.role(place.collection);
        self.intend((&told, place), kind, Some(&seen), None, false, |_| match kind {
            IntentKind::Move => Operation::Move { place: of, etag: seen.etag.clone(), to },
            _ => Operation::Copy { of, collection: to },
        })?;
        self.planned.last_mut().into_iter().for_each(|plan| plan.goes_last = goes_last);
        Ok(())
    }

    /// A copy of any item that stands at the same replica and has the same bytes, and where it stands. What is left out is no such copy:
    /// nobody looked whether it is still there.
    pub(super) fn twin(
        &mut self,
        lens: &dyn Lens,
        place: &Place,
        rendering: &Rendering,
        content: &Content,
    ) -> Result<Option<(twofold_model::Seen, twofold_model::Place)>> {
        let Some(blob) = lens.facts(rendering).blob else { return Ok(None) };
        for item in self.hub.items_by_blob(&blob)? {
            if self.tables.left_out.has_limits() && self.hub.is_beyond(item.id)? {
                continue;
            }
            for placement in self.hub.placements(item.id)? {
                if placement.replica != place.replica || self.is_bad(place.replica, placement.remote_id.as_str()) {
                    continue;
                }
                let collection = match self.hub.sighting(place.replica, &placement.remote_id)? {
                    None => placement.collection,
                    Some(sighting) if sighting.presence == Presence::Here => sighting.collection,
                    Some(_) if self.is_still_read(place.replica, &placement.remote_id) => placement.collection,
                    Some(_) => continue,
                };
                // What is still being written cannot become what was received, nor the other way round.
                let is_alike = lens.read(&placement.seen).is_ok_and(|says| {
                    says.get("blobId") == content.get("blobId")
                        && has_keyword(&says, keywords::DRAFT) == has_keyword(content, keywords::DRAFT)
                });
                let at = (place.replica, collection);
                let is_left_out = self.tables.left_out.has(collection);
                if !is_alike || is_left_out || self.tables.held.contains(&at) || self.is_unread(at.0, at.1) {
                    continue;
                }
                let Some(from) = self.places_of(collection)?.into_iter().find(|it| it.replica == place.replica) else {
                    continue;
                };
                let of = twofold_model::Place {
                    remote_id: placement.remote_id.clone(),
                    collection: from.remote_id.as_str().into(),
                };
                return Ok(Some((as_seen_placement(&placement), of)));
            }
        }
        Ok(None)
    }
}
