//! What each place must be told of an item, as intents.

use super::{Left, Planned, Weighed, Weighing};
use crate::meet::as_seen;
use crate::write::list_shortfall;
use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use twofold_engine::pair::agreed_at_first;
use twofold_engine::plan::toward;
use twofold_engine::{Now, Verdict};
use twofold_hub::items::Origin;
use twofold_hub::{Intent, IntentKind, Item, Place, Placement, Presence};
use twofold_model::patch::{apply, edits};
use twofold_model::{Connector, Content, Error, ErrorKind, Identity, Lens, Mark, Operation, Rendering, Result};

impl Weighing<'_> {
    /// What each place must be told of one item.
    pub(super) fn plan_all(
        &mut self,
        item: &Item,
        verdict: &Verdict,
        weighed: &[Weighed],
        left: &mut Left,
    ) -> Result<()> {
        let all: BTreeSet<i64> =
            verdict.collections.iter().copied().chain(weighed.iter().map(|copy| copy.collection)).collect();
        let intents = self.tables.intents.remove(&item.id).unwrap_or_default();
        let open: HashSet<(i64, i64)> = intents.iter().map(|intent| (intent.replica, intent.collection)).collect();
        // What moves is made, verified, and only then removed where it was (ENGINE 7).
        let is_made_at =
            |replica: i64| intents.iter().any(|intent| intent.replica == replica && intent.kind == IntentKind::Create);
        let mut places = Vec::new();
        for collection in all {
            // Nothing is written to a device in what is left out, nor is anything waited for there.
            let is_left_out = self.tables.left_out.has(collection);
            let of = self.places_of(collection)?;
            places.extend(of.into_iter().filter(|place| !is_left_out || !self.is_device(place.replica)));
        }
        let is_without_copy = |place: &Place| {
            !weighed.iter().any(|copy| {
                (copy.replica, copy.collection) == (place.replica, place.collection) && !matches!(copy.now, Now::Gone)
            })
        };
        // Where it is to be made comes first: what was not made there is known when it comes to what is removed. And what is met for the
        // first time has its base before another copy is made beside it.
        places.sort_by_key(|place| (!verdict.collections.contains(&place.collection), is_without_copy(place)));
        let inviter = self.inviter(item, verdict, weighed, &places)?;
        let belongs = |place: &Place| verdict.collections.contains(&place.collection);
        // Nor is it made beside a copy that leaves, as long as nobody knows what became of that: it may have to be moved.
        // Or whether it is gone, with which the item may be: that may be held.
        // Or whether it is to be read again: it is there.
        let is_in_question = |copy: &Weighed| {
            let is_asked = copy.sighting.as_ref().is_some_and(|seen| seen.presence != Presence::Here);
            let is_bad =
                copy.placement.as_ref().is_some_and(|known| self.is_bad(copy.replica, known.remote_id.as_str()));
            !self.is_device(copy.replica) && (is_asked || is_bad)
        };
        let leaves_unread: BTreeSet<i64> = weighed
            .iter()
            .filter(|copy| copy.placement.is_some() && !verdict.collections.contains(&copy.collection))
            .filter(|copy| matches!(copy.now, Now::Unknown))
            .filter(|copy| is_in_question(copy) || self.is_unread(copy.replica, copy.collection))
            .map(|copy| copy.replica)
            .collect();
        // Nor where it is to be moved, and what was sent of it before may still be done.
        let may_move_yet: BTreeSet<i64> = open
            .iter()
            .map(|(replica, _)| *replica)
            .filter(|replica| self.reached(*replica).is_some_and(|it| it.abilities().moves.contains(&self.kind)))
            .collect();
        // Replicas at which it belongs, and of which it is not known yet that it stands or will be made there.
        let mut unmade: BTreeSet<i64> =
            places.iter().filter(|place| belongs(place)).map(|place| place.replica).collect();
        let planned_before = self.planned.len();
        let steps = self.one_step(item, &places, verdict, weighed, &open);
        let shares: BTreeSet<i64> = places
            .iter()
            .map(|place| place.replica)
            .filter(|replica| self.reached(*replica).is_some_and(|it| it.abilities().shares.contains(&self.kind)))
            .collect();
        // What is gone from a place is not to be removed there, whatever the others wait for.
        let is_gone =
            |at: (i64, i64)| weighed.iter().any(|it| (it.replica, it.collection) == at && matches!(it.now, Now::Gone));
        let leaves = |at: (i64, i64)| steps.values().any(|step| step.is_move && step.from == at);
        for place in &places {
            let at = (place.replica, place.collection);
            let waits_for_inviter = inviter.is_some_and(|inviter| inviter != at)
                && !self.is_device(place.replica)
                && is_without_copy(place);
            // Where one item may stand in several collections it is made in one, and gets the others when it is there.
            let is_made_elsewhere = shares.contains(&place.replica)
                && is_without_copy(place)
                && self.planned[planned_before..]
                    .iter()
                    .any(|plan| plan.intent.replica == place.replica && plan.intent.kind == IntentKind::Create);
            let is_coming = || -> Result<bool> {
                let may_come = belongs(place) && is_without_copy(place) && shares.contains(&place.replica);
                Ok(may_come && self.is_coming(item, place.replica)?)
            };
            let waits_until_made =
                !belongs(place) && self.waits_until_made(item, verdict, &places, weighed, &intents, planned_before)?;
            if let Some(step) = steps.get(&at).filter(|_| place.can_write) {
                // What was refused before is tried when nothing else is to be told of it.
                let waits = self.must_wait(item, place, IntentKind::Move, left);
                let stays = step.is_move && self.hub.closed_to(item.id, place.replica)?.contains(&place.collection);
                let from = places.iter().find(|place| (place.replica, place.collection) == step.from);
                let is_told = match from.filter(|_| stays) {
                    Some(from) => self.tell_where_it_stands(item, verdict, from, weighed, left)?,
                    None => false,
                };
                if !is_told && !waits {
                    self.step(item, place, step, weighed, left)?;
                }
            } else if leaves(at)
                || is_made_elsewhere
                || open.contains(&at)
                || waits_for_inviter
                || is_coming()?
                || belongs(place) && is_without_copy(place) && leaves_unread.contains(&place.replica)
                || belongs(place) && is_without_copy(place) && may_move_yet.contains(&place.replica)
                || waits_until_made && !is_gone(at)
                || !belongs(place) && is_made_at(place.replica)
            {
                left.pending = true;
                if waits_until_made && !open.contains(&at) && !leaves(at) {
                    self.tell_where_it_stands(item, verdict, place, weighed, left)?;
                }
            } else if belongs(place) || !unmade.contains(&place.replica) {
                self.plan(item, verdict, place, weighed, inviter == Some(at), left)?;
            }
            let is_planned = |plan: &Planned| plan.is_at(at);
            if belongs(place) && (!is_without_copy(place) || self.planned[planned_before..].iter().any(is_planned)) {
                unmade.remove(&place.replica);
            }
        }
        for sighting in std::mem::take(&mut left.beside) {
            let at = (sighting.replica, sighting.collection);
            let is_at = |place: &&Place| (place.replica, place.collection) == at;
            let is_unwritten = |at: &(i64, i64)| self.tables.held.contains(at) || self.tables.unwritten.contains(&at.0);
            let is_busy = open.contains(&at) || self.planned[planned_before..].iter().any(|plan| plan.is_at(at));
            if let Some(place) = places.iter().find(is_at).filter(|_| !is_busy && !is_unwritten(&at)) {
                self.take_away(item, place, &as_seen(&sighting), false)?;
            }
        }
        Ok(())
    }

    /// Whether an item may not leave yet where it does not belong any more: what moves is made, verified, and only then removed where it was
    /// (ENGINE 7). It may where one of the accounts to which it goes has it, or is to make it now, or where none has a way to hold it. Those that
    /// cannot be reached are waited for, because nothing is planned for them. Where what was planned fails, the write keeps it.
    fn waits_until_made(
        &self,
        item: &Item,
        verdict: &Verdict,
        places: &[Place],
        weighed: &[Weighed],
        intents: &[Intent],
        planned_before: usize,
    ) -> Result<bool> {
        if verdict.collections.iter().any(|collection| self.tables.unmade.contains(collection)) {
            return Ok(true);
        }
        let is_at = |place: &Place, at: (i64, i64)| (place.replica, place.collection) == at;
        let planned = &self.planned[planned_before..];
        let (mut is_there, mut is_to_come) = (false, false);
        for place in places.iter().filter(|place| verdict.collections.contains(&place.collection)) {
            if self.is_device(place.replica) || self.member(place.replica).is_none() {
                continue;
            }
            let mut copies = weighed.iter().filter(|copy| is_at(place, (copy.replica, copy.collection)));
            let has_copy = copies.any(|copy| !matches!(copy.now, Now::Gone));
            if !has_copy && self.reached(place.replica).is_none() {
                return Ok(true);
            }
            // What may be removed there at this moment is none that the others can rely on.
            let is_removed = intents
                .iter()
                .any(|intent| intent.kind == IntentKind::Delete && is_at(place, (intent.replica, intent.collection)));
            let is_made = planned.iter().any(|plan| plan.is_at((place.replica, place.collection)));
            let is_never_made = self.tables.left_out.has(place.collection)
                || self.tables.bins.is_emptied(item.id, place)
                || self.hub.is_withheld(item.id, place.replica, place.collection)?;
            is_there |= has_copy && !is_removed || is_made;
            is_to_come |= !is_never_made;
        }
        Ok(is_to_come && !is_there)
    }

    /// Where an item cannot leave, what else was changed of it is told there all the same. Answers whether there was anything.
    fn tell_where_it_stands(
        &mut self,
        item: &Item,
        verdict: &Verdict,
        place: &Place,
        weighed: &[Weighed],
        left: &mut Left,
    ) -> Result<bool> {
        let at = (place.replica, place.collection);
        let tables = &self.tables;
        if self.is_device(place.replica) || tables.held.contains(&at) || tables.left_out.has(place.collection) {
            return Ok(false);
        }
        let is_there = |copy: &&Weighed| {
            (copy.replica, copy.collection) == at && matches!(copy.now, Now::Same | Now::Edited { .. })
        };
        let (Some(connector), Some(copy)) = (self.reached(place.replica), weighed.iter().find(is_there)) else {
            return Ok(false);
        };
        let before = self.planned.len();
        self.align(&connector, item, verdict, place, copy, left)?;
        left.pending = true;
        Ok(self.planned.len() > before)
    }

    fn take_away(&mut self, item: &Item, place: &Place, seen: &twofold_model::Seen, tells: bool) -> Result<()> {
        self.intend((item, place), IntentKind::Delete, Some(seen), None, tells, |_| Operation::Delete {
            place: twofold_model::Place {
                remote_id: seen.remote_id.clone(),
                collection: place.remote_id.as_str().into(),
            },
            etag: seen.etag.clone(),
        })
    }

    /// Whether a place shows a new copy of the item whose bytes are still to be asked for: it may be the very one that is to be made.
    fn is_coming(&self, item: &Item, replica: i64) -> Result<bool> {
        let shown = self.hub.sightings_by_uid(replica, &item.uid)?;
        Ok(shown.iter().any(|seen| seen.lacks_body && seen.item.is_none()))
    }

    /// What one place must be told of one item.
    fn plan(
        &mut self,
        item: &Item,
        verdict: &Verdict,
        place: &Place,
        weighed: &[Weighed],
        asks: bool,
        left: &mut Left,
    ) -> Result<()> {
        let at = (place.replica, place.collection);
        let belongs = verdict.collections.contains(&place.collection);
        let copy = weighed.iter().find(|copy| (copy.replica, copy.collection) == at);
        let Some(connector) = self.reached(place.replica) else {
            // Nothing waits for it: what it needs is computed from its bases when it is back.
            if !self.member(place.replica).is_some_and(|member| member.replica.behind) {
                self.hub.set_behind(place.replica, true)?;
            }
            return Ok(());
        };
        // What was moved out of a collection before that was gone as a whole is no part of the question.
        let has_left = !belongs && copy.is_some_and(|copy| matches!(copy.now, Now::Gone));
        if self.tables.held.contains(&at) && !has_left {
            left.pending = true;
            return Ok(());
        }
        if self.tables.left_out.has(place.collection) {
            // Where the account itself put a copy there its base follows; nothing is told.
            let is_new = |copy: &&Weighed| copy.sighting.is_some() && matches!(copy.now, Now::Edited { .. });
            return match copy.filter(is_new).filter(|_| belongs) {
                Some(copy) => self.align(&connector, item, verdict, place, copy, left),
                None => Ok(()),
            };
        }
        if self.tables.going.contains(&at) && belongs && copy.is_none_or(|copy| matches!(copy.now, Now::Gone)) {
            let name = self.member(place.replica).map(|member| member.replica.name.clone()).unwrap_or_default();
            let words = format!("\"{}\" is gone at {name}, as was approved", place.name);
            self.hub.withhold(item.id, place.replica, place.collection, &words)?;
            return copy.map_or(Ok(()), |copy| self.forget_copy(copy));
        }
        let is_absent = copy.is_none_or(|copy| matches!(copy.now, Now::Gone));
        if belongs && is_absent && self.tables.bins.is_emptied(item.id, place) {
            return copy.map_or(Ok(()), |copy| self.forget_copy(copy));
        }
        match (copy, belongs) {
            (Some(Weighed { now: Now::Unknown, .. }), _) => Ok(()),
            (Some(copy), true) if matches!(copy.now, Now::Gone) => {
                self.forget_copy(copy)?;
                self.hub.next_generation(item.id)?;
                let item = self.hub.item(item.id)?;
                self.create(&connector, (&item, place), verdict, false, left)
            }
            (Some(copy), true) => self.align(&connector, item, verdict, place, copy, left),
            (Some(copy), false) if matches!(copy.now, Now::Gone) => {
                self.hub.release(item.id, place.replica, place.collection)?;
                self.forget_copy(copy)
            }
            // It stays so far, and its base follows what is changed there.
            (Some(copy), false) if self.tables.unwritten.contains(&place.replica) && copy.sighting.is_some() => {
                left.pending = true;
                self.align(&connector, item, verdict, place, copy, left)
            }
            (Some(copy), false) => self.delete(&connector, (item, place), copy, left),
            (None, true) => self.create(&connector, (item, place), verdict, asks, left),
            (None, false) => Ok(()),
        }
    }

    pub(super) fn forget_copy(&mut self, copy: &Weighed) -> Result<()> {
        if let Some(placement) = &copy.placement {
            self.hub.remove_placement(placement.id)?;
        }
        match &copy.sighting {
            Some(sighting) => self.hub.remove_sighting(sighting.id),
            None => Ok(()),
        }
    }

    /// What a copy agrees to by now, and the version that says it, if there is one: what was agreed, and what the place changed itself since.
    /// So it is told what the others hold against its change, also where that is what was agreed before.
    pub(super) fn agreed_by_now(
        &self,
        lens: &dyn Lens,
        known: &Placement,
        now: &Rendering,
    ) -> Result<(Content, Option<i64>)> {
        let before = self.hub.version(known.agreed)?.content;
        if known.seen == *now {
            return Ok((before, Some(known.agreed)));
        }
        let own = edits(&lens.read(&known.seen)?, &lens.read(now)?);
        let agreed = apply(&before, &own);
        let version = (agreed == before).then_some(known.agreed);
        Ok((agreed, version))
    }

    /// Keeps what a place agreed to.
    pub(super) fn agree(
        &mut self,
        connector: &dyn Connector,
        item: i64,
        replica: i64,
        agreed: &Content,
    ) -> Result<i64> {
        let origin = Origin { at_ms: self.now, rank: connector.abilities().rank, source: Some(replica) };
        self.hub.add_version(item, agreed, origin, None, None)
    }

    /// The base of a copy. One that was met for the first time, or has moved, and does not stay gets it here: should the run end before
    /// the copy went, it is none that is new.
    pub(super) fn base_of(
        &mut self,
        item: &Item,
        (replica, collection): (i64, i64),
        copy: &Weighed,
    ) -> Result<Option<Placement>> {
        let is_based = copy.placement.as_ref().is_some_and(|known| known.collection == collection);
        let (Some(sighting), false) = (&copy.sighting, is_based) else { return Ok(copy.placement.clone()) };
        let Some(connector) = self.reached(replica) else { return Ok(None) };
        let (lens, seen) = (connector.lens(self.kind), as_seen(sighting));
        let known = match &copy.placement {
            Some(known) => Some(known.clone()),
            None => self.hub.placement(replica, &sighting.remote_id)?,
        };
        let (agreed, version) = match &known {
            Some(known) => self.agreed_by_now(lens, known, &seen.rendering)?,
            None => {
                let content = self.hub.version(item.version)?.content;
                (agreed_at_first(&lens.read(&seen.rendering)?, &content), None)
            }
        };
        let version = match version {
            Some(version) => version,
            None => self.agree(connector.as_ref(), item.id, replica, &agreed)?,
        };
        self.hub.set_placement(item.id, replica, collection, version, &seen)?;
        self.hub.remove_sighting(sighting.id)?;
        self.hub.placement(replica, &sighting.remote_id)
    }

    /// A copy that is there: its base moves to what is seen now, and it is told what the hub says more.
    fn align(
        &mut self,
        connector: &Arc<dyn Connector>,
        item: &Item,
        verdict: &Verdict,
        place: &Place,
        copy: &Weighed,
        left: &mut Left,
    ) -> Result<()> {
        if copy.sighting.is_none() && copy.placement.as_ref().is_some_and(|placement| placement.agreed == item.version)
        {
            return self.wait_no_more((item.id, place.replica, place.collection));
        }
        let lens = connector.lens(self.kind);
        let seen_now = match (&copy.sighting, &copy.placement) {
            (Some(sighting), _) => as_seen(sighting),
            (None, Some(placement)) => twofold_model::Seen {
                remote_id: placement.remote_id.clone(),
                collection: place.remote_id.as_str().into(),
                etag: placement.etag.clone(),
                rendering: placement.seen.clone(),
                uid: None,
                mark: None,
                modified_ms: placement.modified_ms,
            },
            (None, None) => return Ok(()),
        };
        // At a first meeting the replica agrees, so far, to what it says itself.
        let (agreed, before) = match &copy.placement {
            None => (agreed_at_first(&lens.read(&seen_now.rendering)?, &verdict.content), None),
            Some(placement) => self.agreed_by_now(lens, placement, &seen_now.rendering)?,
        };
        let identity = Identity { uid: item.uid.clone(), mark: None };
        let (to, refusal) = match toward(lens, &agreed, &seen_now.rendering, &verdict.content, &identity) {
            Ok(to) => (to, None),
            Err(error) => (None, Some(error)),
        };
        let agreed_version = match before {
            _ if to.is_none() && refusal.is_none() => item.version,
            Some(version) => version,
            None => self.agree(connector.as_ref(), item.id, place.replica, &agreed)?,
        };
        match (&copy.placement, &copy.sighting) {
            (Some(placement), None) if placement.agreed == agreed_version => {}
            (Some(placement), None) => self.hub.set_agreed(placement.id, agreed_version)?,
            (_, Some(sighting)) => {
                self.hub.set_placement(item.id, place.replica, place.collection, agreed_version, &seen_now)?;
                self.hub.remove_sighting(sighting.id)?;
            }
            (None, None) => {}
        }
        if let Some(error) = refusal {
            // What was seen is taken all the same; what the hub says more waits.
            return self.cannot_send(item, place, &error);
        }
        if self.tables.left_out.has(place.collection) {
            return Ok(());
        }
        list_shortfall(self.hub, lens, (item.id, place.replica, place.collection), &seen_now.rendering)?;
        let Some(to) = to else { return self.wait_no_more((item.id, place.replica, place.collection)) };
        if !place.can_write {
            return self.withhold(item, place, "this user may not write there");
        }
        if self.must_wait(item, place, IntentKind::Update, left) {
            return Ok(());
        }
        let Some(tells) = self.may_leave(connector.as_ref(), (item, place), &seen_now, Some(&to))? else {
            left.pending = true;
            return Ok(());
        };
        let from = seen_now.rendering.clone();
        self.intend((item, place), IntentKind::Update, Some(&seen_now), Some(to.clone()), tells, |_| {
            Operation::Update {
                place: twofold_model::Place {
                    remote_id: seen_now.remote_id.clone(),
                    collection: place.remote_id.as_str().into(),
                },
                etag: seen_now.etag.clone(),
                from,
                to,
            }
        })?;
        left.pending = true;
        Ok(())
    }

    /// A copy that is to be made; where it `asks`, with its guests, who hear of it.
    fn create(
        &mut self,
        connector: &Arc<dyn Connector>,
        (item, place): (&Item, &Place),
        verdict: &Verdict,
        asks: bool,
        left: &mut Left,
    ) -> Result<()> {
        if !place.can_write {
            return self.hub.withhold(item.id, place.replica, place.collection, "this user may not write there");
        }
        if self.must_wait(item, place, IntentKind::Create, left) {
            return Ok(());
        }
        // What became of an earlier copy, only the collection tells, once all of it was read.
        let copies = connector.abilities().copies.contains(&self.kind);
        if copies && (self.is_unread(place.replica, place.collection) || self.hub.lacks_bodies(place.collection)?) {
            left.pending = true;
            return Ok(());
        }
        let mark = Mark { hub: self.hub.id().to_owned(), item: item.mark.clone(), generation: item.generation };
        let identity = Identity { uid: item.uid.clone(), mark: Some(mark.clone()) };
        let (lens, content) = (connector.lens(self.kind), &verdict.content);
        let asking = if asks { lens.inviting(content, &identity) } else { Ok(None) };
        let rendering = asking.and_then(|asking| asking.map_or_else(|| lens.write(None, content, &identity), Ok));
        let rendering: Rendering = match rendering {
            Ok(rendering) => item.dated_ms.into_iter().fold(rendering, |rendering, at| lens.dated(rendering, at)),
            Err(error) => return self.cannot_send(item, place, &error),
        };
        self.hub.release(item.id, place.replica, place.collection)?;
        left.pending = true;
        if copies && let Some((twin, of)) = self.twin(lens, place, &rendering, content)? {
            let collection = place.remote_id.as_str().into();
            let copy = |_: &Intent| Operation::Copy { of, collection };
            return self.intend((item, place), IntentKind::Create, Some(&twin), None, asks, copy);
        }
        self.intend((item, place), IntentKind::Create, None, None, asks, |_| Operation::Create {
            collection: place.remote_id.as_str().into(),
            rendering,
            uid: item.uid.clone(),
            mark,
        })
    }

    fn delete(
        &mut self,
        connector: &Arc<dyn Connector>,
        (item, place): (&Item, &Place),
        copy: &Weighed,
        left: &mut Left,
    ) -> Result<()> {
        let seen = match (&copy.sighting, &copy.placement) {
            (Some(sighting), _) => as_seen(sighting),
            (None, Some(placement)) => as_seen_placement(placement),
            (None, None) => return Ok(()),
        };
        if !place.can_write {
            return self.withhold(item, place, "this user may not delete there");
        }
        if self.must_wait(item, place, IntentKind::Delete, left) {
            return Ok(());
        }
        let Some(tells) = self.may_leave(connector.as_ref(), (item, place), &seen, None)? else {
            left.pending = true;
            return Ok(());
        };
        self.base_of(item, (place.replica, place.collection), copy)?;
        self.take_away(item, place, &seen, tells)?;
        left.pending = true;
        Ok(())
    }

    /// What was refused waits for its next try (promise 9); an item that says something else by now does not.
    pub(super) fn must_wait(&self, item: &Item, place: &Place, kind: IntentKind, left: &mut Left) -> bool {
        if self.tables.unwritten.contains(&place.replica) {
            left.pending = true;
            return true;
        }
        let waiting = &self.tables.waiting;
        let name = || quarantine_name(item, place.collection, kind);
        let waits = !waiting.is_empty() && waiting.get(&(place.replica, name())) == Some(&true);
        left.pending |= waits;
        waits
    }

    /// The place cannot hold it: kept in the hub and elsewhere, and listed.
    fn cannot_send(&mut self, item: &Item, place: &Place, error: &Error) -> Result<()> {
        if error.kind == ErrorKind::Broken {
            return Err(Error::new(ErrorKind::Broken, error.to_string()));
        }
        self.withhold(item, place, &error.to_string())
    }

    /// It is not to be had there, so no word of anybody is waited for either.
    fn withhold(&mut self, item: &Item, place: &Place, words: &str) -> Result<()> {
        self.wait_no_more((item.id, place.replica, place.collection))?;
        self.hub.withhold(item.id, place.replica, place.collection, words)
    }

    pub(super) fn intend(
        &mut self,
        (item, place): (&Item, &Place),
        kind: IntentKind,
        seen: Option<&twofold_model::Seen>,
        target: Option<Rendering>,
        tells: bool,
        operation: impl FnOnce(&Intent) -> Operation,
    ) -> Result<()> {
        let mut intent = Intent {
            id: 0,
            replica: place.replica,
            item: item.id,
            collection: place.collection,
            kind,
            remote_id: seen.map(|seen| seen.remote_id.clone()),
            etag: seen.map(|seen| seen.etag.clone()),
            target,
            version: item.version,
            generation: item.generation,
            sent_ms: None,
            not_before_ms: None,
        };
        intent.id = self.hub.add_intent(&intent)?;
        if self.settings.dry_run {
            self.count(place.replica, |row| match kind {
                IntentKind::Create => row.sent_created += 1,
                IntentKind::Copy | IntentKind::Update => row.sent_updated += 1,
                IntentKind::Move => row.sent_moved += 1,
                IntentKind::Delete => row.sent_deleted += 1,
            });
        }
        let operation = operation(&intent);
        self.planned.push(Planned { intent, operation, tells, goes_last: false });
        Ok(())
    }
}

/// The name under which what a replica refused of an item in a collection waits in quarantine: a version of it, or its removal, which waits for
/// nothing that was refused of a version.
pub fn quarantine_name(item: &Item, collection: i64, kind: IntentKind) -> String {
    match kind {
        IntentKind::Delete => format!("item:{}:removed:{collection}", item.mark),
        _ => format!("item:{}:{}:{collection}", item.mark, item.version),
    }
}

pub(super) fn as_seen_placement(placement: &Placement) -> twofold_model::Seen {
    twofold_model::Seen {
        remote_id: placement.remote_id.clone(),
        collection: twofold_model::CollectionId(String::new()),
        etag: placement.etag.clone(),
        rendering: placement.seen.clone(),
        uid: None,
        mark: None,
        modified_ms: placement.modified_ms,
    }
}
