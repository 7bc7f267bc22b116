//! What one replica shows of its copies, taken in against what the hub holds of them: unchanged, another writing of the same, an edit, new,
//! left out, or not to be understood. A pull, a second look and the answer to a write all come in here.

use crate::scope::LeftOut;
use std::collections::{HashMap, HashSet};
use twofold_hub::{Bad, Hub, Place, Placement, Presence, Sighting};
use twofold_model::{Entry, Facts, Kind, Lens, RemoteId, Result, Seen, Uid};

/// Takes what one replica shows, against what the hub holds of it.
pub struct Intake<'a> {
    /// The replica.
    pub replica: i64,
    /// The kind.
    pub kind: Kind,
    /// Where its collections stand.
    pub places: &'a [Place],
    /// How its renderings are read.
    pub lens: &'a dyn Lens,
    /// Its rank (ENGINE 18).
    pub rank: u8,
    /// The time, in milliseconds since 1970.
    pub now: i64,
    /// What is left out: nothing of it comes in.
    pub left_out: &'a LeftOut,
}

/// Those of a batch of copies of which nothing is known but what was seen of them: asked for once, and not for each of them.
#[derive(Default)]
pub struct Alone {
    names: HashSet<String>,
    waiting: HashMap<String, Sighting>,
    /// What was taken in of the batch so far.
    uids: HashSet<Uid>,
}

impl Alone {
    /// Before any of what a place shows is taken in.
    pub fn of<'s>(hub: &Hub, replica: i64, kind: Kind, shown: impl Iterator<Item = &'s Seen>) -> Result<Alone> {
        let shown: Vec<(&str, Option<&str>)> =
            shown.map(|seen| (seen.remote_id.as_str(), seen.uid.as_ref().map(Uid::as_str))).collect();
        if shown.is_empty() {
            return Ok(Alone::default());
        }
        let names = hub.alone(replica, kind, &shown)?;
        let asked: Vec<&str> = shown.iter().map(|(name, _)| *name).filter(|name| names.contains(*name)).collect();
        let waiting = hub.sightings_of(replica, &asked)?;
        let waiting = waiting.into_iter().map(|waiting| (waiting.remote_id.as_str().to_owned(), waiting)).collect();
        Ok(Alone { names, waiting, uids: HashSet::new() })
    }

    /// What waits to be settled of a copy of which nothing else is known; `None` where more is, by now: each has to be told once, as it is
    /// taken in.
    pub fn take(&mut self, seen: &Seen) -> Option<Option<Sighting>> {
        let is_new_uid = seen.uid.as_ref().is_none_or(|uid| self.uids.insert(uid.clone()));
        let is_alone = self.names.remove(seen.remote_id.as_str()) && is_new_uid;
        is_alone.then(|| self.waiting.remove(seen.remote_id.as_str()))
    }
}

/// A round may tell a copy several times, in any order: what is older than what it told before is no news. Both stamps are the server's.
fn is_old_news(waiting: Option<&Sighting>, seen: &Seen) -> bool {
    let told = waiting.and_then(|waiting| waiting.modified_ms);
    seen.modified_ms.zip(told).is_some_and(|(stamp, told)| stamp < told)
}

impl Intake<'_> {
    /// Stores what a copy looks like now, unless that is what was agreed, or older than that.
    pub fn take(&self, hub: &mut Hub, seen: Seen) -> Result<()> {
        self.take_or_make(hub, seen, &HashSet::new()).map(drop)
    }

    /// [`Intake::take`]; a new copy in one of the `untouched` collections becomes an item at once (`true`): there is nothing
    /// that it could be paired with.
    pub fn take_or_make(&self, hub: &mut Hub, mut seen: Seen, untouched: &HashSet<i64>) -> Result<bool> {
        let Some(place) = self.places.iter().find(|place| place.remote_id == seen.collection.as_str()) else {
            return Ok(false);
        };
        // What was read and not settled yet is the newest that is known: a look at a part is a part of that.
        let waiting = hub.sighting(self.replica, &seen.remote_id)?.filter(|waiting| waiting.presence == Presence::Here);
        if is_old_news(waiting.as_ref(), &seen) {
            return Ok(false);
        }
        if let Some(waiting) = &waiting {
            seen.rendering = self.lens.settle_unknown(&waiting.rendering, seen.rendering);
        }
        let Some(known) = hub.placement(self.replica, &seen.remote_id)? else {
            self.fill_from_sibling(hub, &mut seen)?;
            let facts = self.lens.facts(&seen.rendering);
            if self.left_out.has(place.collection) {
                return self.stand_beside(hub, place.collection, &seen, &facts).map(|()| false);
            }
            if waiting.is_none() && self.is_kept_out(hub, place.collection, &seen, &facts)? {
                return Ok(false);
            }
            // The list lags: it still shows what is gone, in its last state.
            if let Some(at) = seen.modified_ms
                && hub.was_departed(self.replica, &seen.remote_id)?.is_some_and(|last| at <= last)
            {
                return Ok(false);
            }
            if !facts.lacks_body
                && untouched.contains(&place.collection)
                && crate::meet::is_nameless(hub, self.kind, &seen)?
            {
                let made =
                    crate::meet::take_new(hub, self, place.collection, (&seen, &facts), seen.uid.as_ref(), self.now)?;
                return Ok(made.is_some());
            }
            hub.store_sighting(self.replica, place.collection, None, (&seen, &facts), self.now)?;
            return Ok(false);
        };
        hub.prove(self.replica, &[place.collection], self.now)?;
        // A list row older than what the replica itself answered is old news (People's lists lag behind its writes). Both
        // stamps are the server's, as they came: our own clock has no part in it.
        if let (Some(stamp), Some(agreed)) = (seen.modified_ms, known.modified_ms)
            && stamp < agreed
        {
            return Ok(false);
        }
        if waiting.is_none() {
            seen.rendering = self.lens.settle_unknown(&known.seen, seen.rendering);
        }
        let facts = self.lens.facts(&seen.rendering);
        if self.left_out.is_frozen(self.replica, known.collection, place.collection) {
            return Ok(false);
        }
        if self.is_frozen_by_now(hub, &known, &facts)? {
            // A file that was moved before, and goes by its name there, is told once.
            if !(self.left_out.is_device(self.replica) && place.collection != known.collection) {
                hub.remove_sighting_of(self.replica, &seen.remote_id)?;
            }
            return Ok(false);
        }
        if seen.rendering == known.seen && place.collection == known.collection {
            hub.remove_sighting_of(self.replica, &seen.remote_id)?;
            if seen.etag != known.etag || seen.modified_ms > known.modified_ms {
                hub.touch_placement(known.id, &seen.etag, seen.modified_ms, None)?;
            }
            return Ok(false);
        }
        // Another writing of the same (a photo looked at for the first time, fields in another order): the base moves silently.
        if place.collection == known.collection && !facts.lacks_body && self.means_the_same(&known, &seen) {
            hub.remove_sighting_of(self.replica, &seen.remote_id)?;
            hub.touch_placement(known.id, &seen.etag, seen.modified_ms, Some(&seen.rendering))?;
            // Somebody did by hand what the place has no way for.
            if self.lens.shortfall(&known.seen) != self.lens.shortfall(&seen.rendering) {
                let copy = (known.item, self.replica, place.collection);
                crate::write::list_shortfall(hub, self.lens, copy, &seen.rendering)?;
            }
            return Ok(false);
        }
        hub.store_sighting(self.replica, place.collection, Some(known.item), (&seen, &facts), self.now)?;
        Ok(false)
    }

    /// [`Intake::take_or_make`] of a copy of which nothing is known but what waits to be settled ([`Alone`]).
    pub fn take_alone(
        &self,
        hub: &mut Hub,
        waiting: Option<&Sighting>,
        mut seen: Seen,
        untouched: &HashSet<i64>,
    ) -> Result<bool> {
        let Some(place) = self.places.iter().find(|place| place.remote_id == seen.collection.as_str()) else {
            return Ok(false);
        };
        if is_old_news(waiting, &seen) {
            return Ok(false);
        }
        if let Some(waiting) = waiting {
            seen.rendering = self.lens.settle_unknown(&waiting.rendering, seen.rendering);
        }
        let facts = self.lens.facts(&seen.rendering);
        // Nor does it stand beside another copy of its message.
        if self.left_out.has(place.collection)
            || waiting.is_none() && self.is_kept_out(hub, place.collection, &seen, &facts)?
        {
            return Ok(false);
        }
        if !facts.lacks_body && untouched.contains(&place.collection) && seen.mark.is_none() {
            let uid = seen.uid.as_ref();
            let made = crate::meet::take_new(hub, self, place.collection, (&seen, &facts), uid, self.now)?;
            return Ok(made.is_some());
        }
        match waiting {
            Some(_) => hub.store_sighting(self.replica, place.collection, None, (&seen, &facts), self.now)?,
            None => hub.first_sighting(self.replica, place.collection, (&seen, &facts), self.now)?,
        }
        Ok(false)
    }

    fn means_the_same(&self, known: &Placement, seen: &Seen) -> bool {
        match (self.lens.read(&known.seen), self.lens.read(&seen.rendering)) {
            (Ok(before), Ok(now)) => before == now,
            _ => false,
        }
    }

    /// Whether a copy that was read while it is said to be gone says what was agreed. Then its base is the state that was read, on which a
    /// move can rest.
    pub fn is_as_agreed(&self, hub: &mut Hub, mut seen: Seen) -> Result<bool> {
        let Some(known) = hub.placement(self.replica, &seen.remote_id)? else { return Ok(false) };
        // A read that lags may show a state from before the base.
        if known.modified_ms.is_some_and(|agreed| seen.modified_ms.is_some_and(|stamp| stamp < agreed)) {
            return Ok(false);
        }
        seen.rendering = self.lens.settle_unknown(&known.seen, seen.rendering);
        let is_same = !self.lens.facts(&seen.rendering).lacks_body && self.means_the_same(&known, &seen);
        if is_same {
            hub.touch_placement(known.id, &seen.etag, seen.modified_ms, Some(&seen.rendering))?;
        }
        Ok(is_same)
    }

    /// [`Intake::take_or_make`] of a copy that waits in quarantine, and leaves that as soon as it is whole: that it is shown without its
    /// bytes does not say that these can be read.
    pub fn take_once_more(&self, hub: &mut Hub, seen: Seen, untouched: &HashSet<i64>) -> Result<bool> {
        let remote_id = seen.remote_id.clone();
        if !self.lens.facts(&seen.rendering).lacks_body {
            hub.leave_quarantine(self.replica, remote_id.as_str())?;
            return self.take_or_make(hub, seen, untouched);
        }
        let is_made = self.take_or_make(hub, seen, untouched)?;
        let is_whole = match hub.sighting(self.replica, &remote_id)? {
            Some(waiting) => !waiting.lacks_body,
            None => hub.placement(self.replica, &remote_id)?.is_some(),
        };
        if is_whole {
            hub.leave_quarantine(self.replica, remote_id.as_str())?;
        }
        Ok(is_made)
    }

    /// Whether a known copy, as it is seen now, is too old or too large: nothing follows from it. What somebody goes on writing grows and
    /// shrinks; where it is not said how large it is by now, it has to be looked at.
    fn is_frozen_by_now(&self, hub: &mut Hub, known: &Placement, facts: &Facts) -> Result<bool> {
        if self.left_out.limits(known.collection).is_none() {
            return Ok(false);
        }
        let is_rewritten = facts.blob != self.lens.facts(&known.seen).blob;
        if let (true, Some(size)) = (is_rewritten, facts.size) {
            hub.resize_item(known.item, size)?;
        }
        let is_unclear = is_rewritten && self.left_out.is_unclear(known.collection, facts);
        Ok(!is_unclear && (self.left_out.is_beyond(known.collection, facts) || hub.is_beyond(known.item)?))
    }

    /// Whether an entry shows a copy in a collection that is left out.
    pub fn is_seen_frozen(&self, entry: &Entry) -> bool {
        let Entry::Seen(seen) = entry else { return false };
        let place = self.places.iter().find(|place| place.remote_id == seen.collection.as_str());
        place.is_some_and(|place| self.left_out.has(place.collection))
    }

    /// Whether nothing may follow from it that a copy is said to be gone. One that was left out is there no more.
    pub fn is_gone_frozen(&self, hub: &mut Hub, remote_id: &RemoteId) -> Result<bool> {
        let Some(known) = hub.placement(self.replica, remote_id)? else {
            if self.left_out.has_limits() {
                hub.unnote(self.replica, remote_id)?;
            }
            return Ok(false);
        };
        let moved = hub.sighting(self.replica, remote_id)?.filter(|seen| seen.presence == Presence::Here);
        let to = moved.map_or(known.collection, |seen| seen.collection);
        let has_limits = self.left_out.limits(known.collection).is_some();
        Ok(self.left_out.is_frozen(self.replica, known.collection, to) || has_limits && hub.is_beyond(known.item)?)
    }

    /// A new copy in a collection that is left out counts only where the message has another one at this account: when it leaves that,
    /// it has moved there, and is not gone.
    fn stand_beside(&self, hub: &mut Hub, collection: i64, seen: &Seen, facts: &Facts) -> Result<()> {
        let Some(uid) = seen.uid.as_ref().filter(|_| !facts.lacks_body && !self.left_out.is_device(self.replica))
        else {
            return Ok(());
        };
        for item in hub.items_by_uid(self.kind, uid)? {
            let is_here = |copy: &Placement| copy.replica == self.replica;
            if hub.placements(item.id)?.iter().any(is_here) && !hub.is_beyond(item.id)? {
                return hub.store_sighting(self.replica, collection, Some(item.id), (seen, facts), self.now);
            }
        }
        Ok(())
    }

    /// Whether a new copy is too old or too large; then it is noted that it is there, and no more.
    fn is_kept_out(&self, hub: &mut Hub, collection: i64, seen: &Seen, facts: &Facts) -> Result<bool> {
        if self.left_out.limits(collection).is_none() {
            return Ok(false);
        }
        let is_out = self.left_out.is_beyond(collection, facts)
            || facts.lacks_body && hub.is_noted(self.replica, &seen.remote_id, &seen.etag)?;
        match is_out {
            true => hub.note_left_out(self.replica, collection, &seen.remote_id, &seen.etag)?,
            false => hub.unnote(self.replica, &seen.remote_id)?,
        }
        Ok(is_out)
    }

    /// A copy whose bytes were not looked at has those of another copy of the same message at the same place.
    fn fill_from_sibling(&self, hub: &Hub, seen: &mut Seen) -> Result<()> {
        let Some(uid) = seen.uid.clone().filter(|_| self.lens.facts(&seen.rendering).lacks_body) else { return Ok(()) };
        for sibling in hub.sightings_by_uid(self.replica, &uid)?.into_iter().filter(|other| !other.lacks_body) {
            seen.rendering = self.lens.settle_unknown(&sibling.rendering, seen.rendering.clone());
        }
        for item in hub.items_by_uid(self.kind, &uid)? {
            for sibling in hub.placements(item.id)?.into_iter().filter(|copy| copy.replica == self.replica) {
                seen.rendering = self.lens.settle_unknown(&sibling.seen, seen.rendering.clone());
            }
        }
        Ok(())
    }

    /// The bytes of a copy were looked at: so are those of all other copies of the same message at the same place.
    fn fill_siblings(&self, hub: &mut Hub, whole: &Seen) -> Result<()> {
        let Some(uid) = &whole.uid else { return Ok(()) };
        let is_sibling = |other: &Sighting| other.lacks_body && other.remote_id != whole.remote_id;
        for sibling in hub.sightings_by_uid(self.replica, uid)?.into_iter().filter(is_sibling) {
            let Some(place) = self.places.iter().find(|place| place.collection == sibling.collection) else { continue };
            let rendering = self.lens.settle_unknown(&whole.rendering, sibling.rendering.clone());
            let collection = place.remote_id.as_str().into();
            hub.leave_quarantine(self.replica, sibling.remote_id.as_str())?;
            self.take(hub, Seen { rendering, collection, ..crate::meet::as_seen(&sibling) })?;
        }
        Ok(())
    }

    /// Takes a copy whose bytes were lacking and are here now. Whether it became an item at once, as [`Intake::take_or_make`] says.
    pub fn take_whole(&self, hub: &mut Hub, seen: Seen, untouched: &HashSet<i64>) -> Result<bool> {
        self.fill_siblings(hub, &seen)?;
        let remote_id = seen.remote_id.clone();
        hub.leave_quarantine(self.replica, remote_id.as_str())?;
        let is_made = self.take_or_make(hub, seen, untouched)?;
        if is_made {
            hub.remove_sighting_of(self.replica, &remote_id)?;
        }
        Ok(is_made)
    }

    /// Quarantine: it cannot be understood, and counts as present.
    pub fn take_bad(
        &self,
        hub: &mut Hub,
        remote_id: &RemoteId,
        collection: &str,
        reason: &str,
        raw: &[u8],
    ) -> Result<()> {
        let place = self.places.iter().find(|place| place.remote_id == collection);
        let item = hub.placement(self.replica, remote_id)?.map(|placement| placement.item);
        hub.remove_sighting_of(self.replica, remote_id)?;
        let collection = place.map(|place| place.collection);
        let bad = Bad { replica: self.replica, collection, item, remote_id: remote_id.as_str(), reason, raw };
        hub.quarantine(&bad, self.now)
    }

    /// Follows the copies of a page to their new names, all at once: two may have exchanged theirs. Where a copy would take the
    /// name of one that stays, two became one there, and it is gone.
    pub fn rename(&self, hub: &mut Hub, renames: Vec<Entry>, listing: Option<&str>) -> Result<()> {
        let mut moving: Vec<(Placement, RemoteId)> = Vec::new();
        let mut stays: Vec<RemoteId> = Vec::new();
        for entry in renames {
            let Entry::Renamed { from, to } = entry else { continue };
            let Some(old) = hub.placement(self.replica, &from)? else {
                hub.rename_noted(self.replica, &from, &to)?;
                continue;
            };
            match moving.iter().any(|(_, taken)| *taken == to) {
                true => stays.push(from),
                false => moving.push((old, to)),
            }
        }
        loop {
            let mut blocked = None;
            for (at, (_, to)) in moving.iter().enumerate() {
                let holder = hub.placement(self.replica, to)?;
                if holder.is_some_and(|holder| !moving.iter().any(|(old, _)| old.id == holder.id)) {
                    blocked = Some(at);
                    break;
                }
            }
            let Some(at) = blocked else { break };
            stays.push(moving.remove(at).0.remote_id);
        }
        for from in stays {
            hub.store_gone(self.replica, &from, self.now)?;
        }
        for (old, _) in &moving {
            hub.remove_sighting_of(self.replica, &old.remote_id)?;
            hub.rename_placement(old.id, &RemoteId(format!("moving {}", old.id)))?;
        }
        for (old, to) in &moving {
            hub.rename_placement(old.id, to)?;
            if let Some(feed) = listing {
                hub.note_listed(self.replica, feed, to.as_str())?;
            }
        }
        Ok(())
    }
}
