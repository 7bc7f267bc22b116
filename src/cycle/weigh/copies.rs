//! Reading what every replica shows of an item now, against what was last agreed.

use super::{Left, Weighed, Weighing};
use crate::meet::as_seen;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use twofold_engine::plan::differs;
use twofold_engine::{Base, Copy, Now};
use twofold_hub::{Bad, Intent, IntentKind, Item, Placement, Presence, Sighting};
use twofold_model::email::Role;
use twofold_model::{Connector, Content, Identity, Lens, Rendering, Result};

impl Weighing<'_> {
    /// What every replica shows of the item now.
    pub(super) fn copies(
        &mut self,
        item: &Item,
        current: &Content,
        left: &mut Left,
    ) -> Result<(Vec<Weighed>, Vec<Copy>)> {
        let placements = self.hub.placements(item.id)?;
        let mut sightings = self.hub.sightings(item.id)?;
        let lacks = |seen: &&Sighting| seen.presence == Presence::Here && seen.lacks_body;
        let mut lacking: Vec<i64> = sightings.iter().filter(lacks).map(|seen| seen.replica).collect();
        // Nor is what stands where nobody could look in this run.
        let is_unread = |known: &&Placement| {
            let is_seen = |seen: &Sighting| (seen.replica, &seen.remote_id) == (known.replica, &known.remote_id);
            self.is_unread(known.replica, known.collection) && !sightings.iter().any(is_seen)
        };
        lacking.extend(placements.iter().filter(is_unread).map(|known| known.replica));
        let moved = self.moved_out(&placements, &sightings)?;
        let (mut weighed, mut copies) = (Vec::new(), Vec::new());
        // Replicas at which a copy is said to be gone, and nothing can follow from it yet.
        let mut leaving: BTreeSet<i64> = BTreeSet::new();
        // Where copies went whose move is held: nobody else puts the item there either, until somebody decides.
        let mut held_back: BTreeSet<i64> = BTreeSet::new();
        // The first copy that vanished at each replica: its base, and what it last showed. One that appears there is that one, moved.
        let mut vanished: BTreeMap<i64, (Base, Rendering)> = BTreeMap::new();
        // Replicas at which a copy is held that is gone from where it stood.
        let mut held_gone: BTreeSet<i64> = BTreeSet::new();
        for placement in placements {
            let at = sightings
                .iter()
                .position(|seen| seen.replica == placement.replica && seen.remote_id == placement.remote_id);
            let mut sighting = at.map(|at| sightings.remove(at));
            let here = sighting.as_ref().filter(|seen| seen.presence == Presence::Here);
            let to = here.map_or(placement.collection, |seen| seen.collection);
            if self.tables.left_out.is_frozen(placement.replica, placement.collection, to) {
                weighed.push(unknown(placement.replica, placement.collection, Some(placement), sighting));
                continue;
            }
            let Some(connector) = self.reached(placement.replica) else {
                left.pending |= sighting.is_some();
                weighed.push(unknown(placement.replica, placement.collection, Some(placement), None));
                continue;
            };
            let lens = connector.lens(self.kind);
            let is_held = self.is_held(sighting.as_ref())?;
            let is_in_held = self.tables.held.contains(&(placement.replica, placement.collection));
            let has_moved = moved.contains(&placement.id);
            let held = is_held || is_in_held && !has_moved;
            left.pending |= held;
            held_back
                .extend(here.filter(|_| is_held).map(|seen| seen.collection).filter(|to| *to != placement.collection));
            held_gone.extend(sighting.as_ref().filter(|_| is_held && here.is_none()).map(|seen| seen.replica));
            // What is there and cannot be understood is neither as agreed nor gone.
            let is_bad = self.is_bad(placement.replica, placement.remote_id.as_str());
            // Nor is what nobody could look at.
            let is_unread = self.is_unread(placement.replica, placement.collection);
            if sighting.is_none() && (held || is_bad || is_unread) {
                left.pending = true;
                // What was thrown away with its collection waits for the same word.
                let went_along = |seen: &Sighting| {
                    seen.replica == placement.replica
                        && seen.presence == Presence::Here
                        && self.goes_with_its_collection(seen)
                };
                if self.tables.absent.contains(&(placement.replica, placement.collection))
                    && sightings.iter().any(went_along)
                {
                    leaving.insert(placement.replica);
                }
                weighed.push(unknown(placement.replica, placement.collection, Some(placement), None));
                continue;
            }
            if sighting.is_none() && !has_moved {
                // As last agreed: nothing of the base is needed to decide, so nothing of it is read.
                let (replica, collection) = (placement.replica, placement.collection);
                let rank = connector.abilities().rank;
                copies.push(Copy { replica, rank, collection, base: None, now: Now::Same, hub_edited: false });
                weighed.push(Weighed {
                    replica,
                    collection,
                    placement: Some(placement),
                    sighting: None,
                    now: Now::Same,
                });
                continue;
            }
            let agreed = self.hub.version(placement.agreed)?.content;
            let base = match lens.read(&placement.seen) {
                Ok(seen) => Base { agreed: agreed.clone(), seen },
                Err(error) => {
                    // Kept by an earlier program, and not to be understood by this one: this copy waits, the rest goes on.
                    let error = error.at("the rendering kept from the last run");
                    let bad = Bad {
                        replica: placement.replica,
                        collection: Some(placement.collection),
                        item: Some(item.id),
                        remote_id: placement.remote_id.as_str(),
                        reason: &error.to_string(),
                        raw: placement.seen.as_bytes(),
                    };
                    self.hub.quarantine(&bad, self.now)?;
                    left.pending = true;
                    weighed.push(unknown(placement.replica, placement.collection, Some(placement), sighting));
                    continue;
                }
            };
            let complete = self.member(placement.replica).is_some_and(|member| member.complete.contains(&self.kind));
            let approved = sighting.as_ref().is_some_and(|seen| seen.hold.is_some()) && !held;
            let was = (to != placement.collection).then_some(&placement.seen);
            let state = match &mut sighting {
                _ if held => Now::Unknown,
                None if !has_moved => Now::Same,
                None if complete && !self.waits_for_account(&placement, &lacking) => Now::Gone,
                None => {
                    left.pending = true;
                    Now::Unknown
                }
                // Where a deleted message goes, only its account knows.
                Some(seen) if seen.presence == Presence::Gone && self.waits_for_account(&placement, &lacking) => {
                    left.pending = true;
                    Now::Unknown
                }
                Some(seen) if seen.presence == Presence::Gone && (complete || approved) => Now::Gone,
                Some(seen) if seen.presence != Presence::Here || seen.lacks_body => {
                    left.pending = true;
                    Now::Unknown
                }
                Some(seen) => match self.read(&connector, item, seen, was, left)? {
                    // Another writing of what was agreed is no edit: it neither beats a delete nor dates a change.
                    Now::Edited { content, .. } if content == base.seen => Now::Same,
                    now => now,
                },
            };
            let rank = connector.abilities().rank;
            let is_said_gone = sighting.as_ref().map_or(has_moved, |seen| seen.presence != Presence::Here);
            let is_put_away = self.tables.put_away.contains(&(item.id, placement.replica, placement.collection));
            if is_said_gone && !held && !is_put_away && matches!(state, Now::Unknown) {
                leaving.insert(placement.replica);
            }
            // A copy that moved without changing its name is gone here and new there.
            let moved_to =
                sighting.as_ref().filter(|seen| seen.presence == Presence::Here && !held).map(|seen| seen.collection);
            let hub_edited = matches!(state, Now::Gone) && differs(lens, &agreed, current)?;
            let copy = |collection, now, base, hub_edited| Copy {
                replica: placement.replica,
                rank,
                collection,
                base,
                now,
                hub_edited,
            };
            let has_moved_on = moved_to.is_some_and(|to| to != placement.collection);
            if matches!(state, Now::Gone) || has_moved_on && !matches!(state, Now::Unknown) {
                vanished.entry(placement.replica).or_insert_with(|| (base.clone(), placement.seen.clone()));
            }
            match moved_to {
                Some(to) if has_moved_on && !matches!(state, Now::Unknown) => {
                    copies.push(copy(placement.collection, Now::Gone, Some(base.clone()), false));
                    let there = match state {
                        Now::Same => Now::Edited { content: base.seen.clone(), at_ms: self.now },
                        other => other,
                    };
                    copies.push(copy(to, there.clone(), Some(base), false));
                    let replica = placement.replica;
                    weighed.push(Weighed { replica, collection: to, placement: Some(placement), sighting, now: there });
                }
                _ => {
                    copies.push(copy(placement.collection, state.clone(), Some(base), hub_edited));
                    let (replica, collection) = (placement.replica, placement.collection);
                    weighed.push(Weighed { replica, collection, placement: Some(placement), sighting, now: state });
                }
            }
        }
        // Where a copy has another name in each place, the one that went to the trash is a new one there.
        let went = |seen: &&Sighting| {
            seen.presence == Presence::Here
                && held_gone.contains(&seen.replica)
                && self.tables.bins.is_trash(seen.collection)
        };
        held_back.extend(sightings.iter().filter(went).map(|seen| seen.collection));
        // Copies met for the first time. One that appears where another of the same replica vanished inherits its base.
        for mut sighting in sightings {
            let (base, was) = vanished.get(&sighting.replica).cloned().unzip();
            let like = weighed.iter().find(|copy| {
                (copy.replica, copy.collection) == (sighting.replica, sighting.collection) && copy.placement.is_some()
            });
            if let Some(like) = like.filter(|_| sighting.presence == Presence::Here) {
                copies.extend(self.beside(like, sighting, was.as_ref(), left)?);
                continue;
            }
            let Some(connector) = self.reached(sighting.replica) else {
                left.pending = true;
                continue;
            };
            if self.tables.left_out.is_frozen(sighting.replica, sighting.collection, sighting.collection)
                && self.tables.left_out.is_device(sighting.replica)
            {
                weighed.push(unknown(sighting.replica, sighting.collection, None, Some(sighting)));
                continue;
            }
            // A removal here and an appearance there are one move (ENGINE 7): where the one waits, the other does.
            let waits = sighting.presence == Presence::Here
                && (leaving.contains(&sighting.replica) || held_back.contains(&sighting.collection));
            if waits || self.is_held(Some(&sighting))? || sighting.lacks_body || self.is_being_made(item, &sighting) {
                left.pending = true;
                weighed.push(unknown(sighting.replica, sighting.collection, None, Some(sighting)));
                continue;
            }
            if sighting.presence != Presence::Here {
                self.hub.remove_sighting(sighting.id)?;
                continue;
            }
            let state = self.read(&connector, item, &mut sighting, was.as_ref(), left)?;
            let state = match (state, &base) {
                (Now::Same, Some(base)) => Now::Edited { content: base.seen.clone(), at_ms: self.now },
                (state, _) => state,
            };
            copies.push(Copy {
                replica: sighting.replica,
                rank: connector.abilities().rank,
                collection: sighting.collection,
                base,
                now: state.clone(),
                hub_edited: false,
            });
            // One of several new files in a folder in which the message stands once.
            let is_there = |copy: &Weighed| {
                (copy.replica, copy.collection) == (sighting.replica, sighting.collection)
                    && !matches!(copy.now, Now::Gone)
            };
            if self.stands_once(sighting.replica, sighting.collection) && weighed.iter().any(is_there) {
                left.pending = true;
                left.beside.push(sighting);
                continue;
            }
            weighed.push(Weighed {
                replica: sighting.replica,
                collection: sighting.collection,
                placement: None,
                sighting: Some(sighting),
                now: state,
            });
        }
        Ok((weighed, copies))
    }

    /// The known copies in collections that are said to be gone as a whole that stand elsewhere at their replica by now: they were moved
    /// out before, so that nobody has to be asked about them, unless they went along with it. Keys of the hub.
    fn moved_out(&self, placements: &[Placement], sightings: &[Sighting]) -> Result<BTreeSet<i64>> {
        let mut moved = BTreeSet::new();
        let is_absent = |replica, collection| self.tables.absent.contains(&(replica, collection));
        let now = |known: &Placement| {
            sightings.iter().find(|seen| (seen.replica, &seen.remote_id) == (known.replica, &known.remote_id))
        };
        let is_missed = |known: &Placement| match now(known) {
            Some(seen) => seen.presence != Presence::Here,
            None => is_absent(known.replica, known.collection),
        };
        for known in placements.iter().filter(|known| is_absent(known.replica, known.collection)) {
            let is_here = |seen: &&Sighting| seen.presence == Presence::Here;
            if let Some(seen) = now(known).filter(is_here) {
                let has_left = seen.collection != known.collection && !is_absent(seen.replica, seen.collection);
                moved.extend(has_left.then_some(known.id));
                continue;
            }
            let others = placements.iter().filter(|other| other.replica == known.replica && other.id != known.id);
            let mut new = 0;
            for seen in sightings.iter().filter(|seen| seen.replica == known.replica).filter(is_here) {
                let is_new = placements.iter().all(|known| known.remote_id != seen.remote_id);
                let is_open = !is_absent(seen.replica, seen.collection)
                    && !self.goes_with_its_collection(seen)
                    && !self.tables.left_out.is_frozen(seen.replica, seen.collection, seen.collection)
                    && !self.is_held(Some(seen))?;
                new += usize::from(is_new && is_open);
            }
            moved.extend((new > others.filter(|other| is_missed(other)).count()).then_some(known.id));
        }
        Ok(moved)
    }

    /// Whether a message comes to stand there when its collection goes as a whole: in the trash, and where a collection is a label that
    /// it loses, in the archive.
    fn goes_with_its_collection(&self, seen: &Sighting) -> bool {
        let has_labels = || self.reached(seen.replica).is_some_and(|it| it.abilities().shares.contains(&self.kind));
        self.tables.bins.is_trash(seen.collection)
            || self.tables.bins.role(seen.collection) == Some(Role::Archive)
                && !self.is_device(seen.replica)
                && has_labels()
    }

    /// A further file beside the copy of its message, which stands there once. What was marked on it counts, and it is taken away.
    /// While nobody knows whether that copy stays, it is no file of the message: it may be the one that does.
    fn beside(
        &mut self,
        like: &Weighed,
        mut sighting: Sighting,
        was: Option<&Rendering>,
        left: &mut Left,
    ) -> Result<Option<Copy>> {
        left.pending = true;
        let is_there = matches!(like.now, Now::Same | Now::Edited { .. });
        let (Some(known), Some(connector), true) = (&like.placement, self.reached(like.replica), is_there) else {
            self.hub.unbind_sighting(sighting.id)?;
            return Ok(None);
        };
        let lens = connector.lens(self.kind);
        let (Ok(seen), Ok(says)) = (lens.read(&known.seen), meaning(lens, &mut sighting, was)) else { return Ok(None) };
        if was.is_some() {
            // The copy that vanished is forgotten before the file is taken away: from now on it says what it means.
            let nobody = Identity { uid: String::new().into(), mark: None };
            sighting.rendering = lens.write(Some(&sighting.rendering), &says, &nobody)?;
            let seen = (&as_seen(&sighting), &lens.facts(&sighting.rendering));
            self.hub.store_sighting(like.replica, like.collection, Some(known.item), seen, sighting.observed_ms)?;
        }
        let mut content = seen.clone();
        content.set("keywords", says.get("keywords").cloned().unwrap_or_default());
        let copy = Copy {
            replica: like.replica,
            rank: connector.abilities().rank,
            collection: like.collection,
            base: Some(Base { agreed: self.hub.version(known.agreed)?.content, seen }),
            now: Now::Edited { content, at_ms: sighting.observed_ms },
            hub_edited: false,
        };
        left.beside.push(sighting);
        Ok(Some(copy))
    }

    /// Whether a message has one file in a device's folder, however many are put there: its account shows it there once.
    fn stands_once(&self, replica: i64, collection: i64) -> bool {
        let account = self.tables.bins.account(collection).filter(|_| self.is_device(replica));
        let account = account.and_then(|account| self.reached(account));
        account.is_some_and(|account| account.abilities().shares.contains(&self.kind))
    }

    /// Whether all of a message is of one account, which has a message in one folder only.
    pub(super) fn is_in_one_place(&self, stood: &BTreeSet<i64>, copies: &[Copy]) -> bool {
        let all = stood.iter().copied().chain(copies.iter().map(|copy| copy.collection));
        let accounts: BTreeSet<Option<i64>> = all.map(|id| self.tables.bins.account(id)).collect();
        let (Some(Some(account)), 1) = (accounts.first(), accounts.len()) else { return false };
        let connector = self.member(*account).and_then(|member| member.connector.as_ref());
        connector.is_some_and(|connector| !connector.abilities().shares.contains(&self.kind))
    }

    /// Whether a copy on a device is a message whose account cannot be reached, or holds it in a state that is not read.
    fn waits_for_account(&self, placement: &Placement, lacking: &[i64]) -> bool {
        let is_on_device = self.member(placement.replica).is_some_and(|member| member.replica.is_device);
        let account = self.tables.bins.account(placement.collection);
        is_on_device && account.is_some_and(|account| self.reached(account).is_none() || lacking.contains(&account))
    }

    /// Whether a collection could not be read to its end in this run.
    pub(super) fn is_unread(&self, replica: i64, collection: i64) -> bool {
        self.member(replica).is_some_and(|member| member.unread.contains(&collection))
    }

    /// Whether a copy that was not met yet may be the one that is being made there: what became of that is looked for by itself, and has its
    /// base then.
    fn is_being_made(&self, item: &Item, seen: &Sighting) -> bool {
        let intents = self.tables.intents.get(&item.id).into_iter().flatten();
        let at = (seen.replica, seen.collection);
        let is_it = |intent: &Intent| intent.kind == IntentKind::Create && !intent.is_copy();
        intents.filter(|intent| is_it(intent)).any(|intent| (intent.replica, intent.collection) == at)
    }

    fn is_held(&self, sighting: Option<&Sighting>) -> Result<bool> {
        match sighting.and_then(|seen| seen.hold.as_deref()) {
            Some(hold) => Ok(self.hub.hold(hold)?.is_some_and(|hold| !hold.is_approved)),
            None => Ok(false),
        }
    }

    pub(super) fn is_bad(&self, replica: i64, remote_id: &str) -> bool {
        !self.tables.waiting.is_empty() && self.tables.waiting.contains_key(&(replica, remote_id.to_owned()))
    }

    /// What a sighting says; one that moved, from what it last showed where it stood (`was`). What cannot be understood goes to quarantine
    /// and counts as present and unknown (promise 9).
    fn read(
        &mut self,
        connector: &Arc<dyn Connector>,
        item: &Item,
        sighting: &mut Sighting,
        was: Option<&Rendering>,
        left: &mut Left,
    ) -> Result<Now> {
        let at_ms = sighting.modified_ms.unwrap_or(sighting.observed_ms).min(sighting.observed_ms);
        match meaning(connector.lens(self.kind), sighting, was) {
            Ok(content) => Ok(Now::Edited { content, at_ms }),
            Err(error) => {
                left.pending = true;
                let bad = Bad {
                    replica: sighting.replica,
                    collection: Some(sighting.collection),
                    item: Some(item.id),
                    remote_id: sighting.remote_id.as_str(),
                    reason: &error.to_string(),
                    raw: sighting.rendering.as_bytes(),
                };
                self.hub.quarantine(&bad, self.now)?;
                Ok(Now::Unknown)
            }
        }
    }
}

/// What a sighting means; one that moved is settled to what it says where it stands now.
fn meaning(lens: &dyn Lens, sighting: &mut Sighting, was: Option<&Rendering>) -> Result<Content> {
    let Some(was) = was else { return lens.read(&sighting.rendering) };
    let (says, content) = lens.moved(was, sighting.rendering.clone())?;
    sighting.rendering = says;
    Ok(content)
}

/// A copy of which nothing can be said now.
fn unknown(replica: i64, collection: i64, placement: Option<Placement>, sighting: Option<Sighting>) -> Weighed {
    Weighed { replica, collection, placement, sighting, now: Now::Unknown }
}
