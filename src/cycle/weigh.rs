//! Decides each item of a slice over the hub and all replicas, and plans what each replica must be told.
//!
//! One transaction a slice: new versions, places, bases and intents together (promise 3: the intent is on disk before the
//! request leaves).

use crate::meet::as_seen;
use crate::{Cycle, Member};
use std::collections::BTreeSet;
use std::sync::Arc;
use twofold_engine::plan::{differs, toward};
use twofold_engine::{Base, Case, Copy, Current, Now, Verdict, decide};
use twofold_hub::items::Origin;
use twofold_hub::{Bad, Conflict, Hub, Intent, IntentKind, Item, Place, Placement, Presence, Sighting, random_id};
use twofold_model::{Connector, Content, Error, ErrorKind, Identity, Kind, Mark, Operation, Rendering, Result};

/// One write that is planned: the intent on disk, and what the connector is to be told.
pub struct Planned {
    /// The intent.
    pub intent: Intent,
    /// The operation.
    pub operation: Operation,
}

/// Decides a slice of items. Returns what is to be written.
pub fn weigh(cycle: &mut Cycle<'_>, kind: Kind, slice: &[i64]) -> Result<Vec<Planned>> {
    let now = cycle.now();
    let mut planned = Vec::new();
    let (hub, members, report) = (&mut *cycle.hub, &cycle.members, &mut cycle.report);
    let quiet = cycle.settings.dry_run;
    hub.atomically("decide", |hub| {
        for item in slice {
            let mut one = Weighing { hub, members, report, kind, now, planned: &mut planned, quiet };
            one.item(*item)?;
        }
        Ok(())
    })?;
    Ok(planned)
}

struct Weighing<'a> {
    hub: &'a mut Hub,
    members: &'a [Member],
    report: &'a mut crate::Report,
    kind: Kind,
    now: i64,
    planned: &'a mut Vec<Planned>,
    quiet: bool,
}

/// One copy as it was weighed: what was agreed, what is seen now.
struct Weighed {
    replica: i64,
    collection: i64,
    placement: Option<Placement>,
    sighting: Option<Sighting>,
    now: Now,
}

/// Whether anything about the item is left for a later run.
#[derive(Default)]
struct Left {
    pending: bool,
}

impl Weighing<'_> {
    fn member(&self, replica: i64) -> Option<&Member> {
        self.members.iter().find(|member| member.replica.id == replica)
    }

    fn reached(&self, replica: i64) -> Option<Arc<dyn Connector>> {
        self.member(replica)?.reached(self.kind).cloned()
    }

    fn item(&mut self, id: i64) -> Result<()> {
        let item = self.hub.item(id)?;
        let version = self.hub.version(item.version)?;
        let collections = self.hub.stands(id)?;
        let mut left = Left::default();
        let (weighed, copies) = self.copies(&item, &version.content, &mut left)?;
        let current = Current { content: version.content, at_ms: version.at_ms, rank: version.rank, collections };
        let case = Case { current, copies };
        let verdict = decide(&case);
        let item = self.record(item, &case, &verdict, &weighed)?;
        let all: BTreeSet<i64> =
            verdict.collections.iter().copied().chain(weighed.iter().map(|copy| copy.collection)).collect();
        for collection in all {
            for place in self.hub.places_of(collection)? {
                self.plan(&item, &verdict, &place, &weighed, &mut left)?;
            }
        }
        if !left.pending {
            self.hub.done(id)?;
        }
        Ok(())
    }

    /// What every replica shows of the item now.
    fn copies(&mut self, item: &Item, current: &Content, left: &mut Left) -> Result<(Vec<Weighed>, Vec<Copy>)> {
        let placements = self.hub.placements(item.id)?;
        let mut sightings = self.hub.sightings(item.id)?;
        let (mut weighed, mut copies) = (Vec::new(), Vec::new());
        for placement in placements {
            let at = sightings
                .iter()
                .position(|seen| seen.replica == placement.replica && seen.remote_id == placement.remote_id);
            let sighting = at.map(|at| sightings.remove(at));
            let Some(connector) = self.reached(placement.replica) else {
                left.pending |= sighting.is_some();
                let (replica, collection) = (placement.replica, placement.collection);
                weighed.push(Weighed {
                    replica,
                    collection,
                    placement: Some(placement),
                    sighting: None,
                    now: Now::Unknown,
                });
                continue;
            };
            let lens = connector.lens(self.kind);
            let held = self.is_held(sighting.as_ref())?;
            left.pending |= held;
            if sighting.is_none() {
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
                Err(error) => return Err(error.at(format!("the rendering kept of item {}", item.uid))),
            };
            let complete = self.member(placement.replica).is_some_and(|member| member.complete.contains(&self.kind));
            let approved = sighting.as_ref().is_some_and(|seen| seen.hold.is_some()) && !held;
            let state = match &sighting {
                _ if held => Now::Unknown,
                None => Now::Same,
                Some(seen) if seen.presence == Presence::Gone && (complete || approved) => Now::Gone,
                Some(seen) if seen.presence != Presence::Here => {
                    left.pending = true;
                    Now::Unknown
                }
                Some(seen) => self.read(&connector, item, seen, left)?,
            };
            let rank = connector.abilities().rank;
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
            match moved_to {
                Some(to) if to != placement.collection && !matches!(state, Now::Unknown) => {
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
        // Copies met for the first time. One that appears where another of the same replica vanished inherits its base.
        for sighting in sightings {
            let Some(connector) = self.reached(sighting.replica) else {
                left.pending = true;
                continue;
            };
            if sighting.presence != Presence::Here || self.is_held(Some(&sighting))? {
                left.pending |= sighting.hold.is_some();
                if sighting.hold.is_none() {
                    self.hub.remove_sighting(sighting.id)?;
                }
                continue;
            }
            let state = self.read(&connector, item, &sighting, left)?;
            let base = copies
                .iter()
                .find(|copy| copy.replica == sighting.replica && matches!(copy.now, Now::Gone))
                .and_then(|copy| copy.base.clone());
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

    fn is_held(&self, sighting: Option<&Sighting>) -> Result<bool> {
        match sighting.and_then(|seen| seen.hold.as_deref()) {
            Some(hold) => Ok(self.hub.hold(hold)?.is_some_and(|hold| !hold.is_approved)),
            None => Ok(false),
        }
    }

    /// What a sighting says. What cannot be understood goes to quarantine and counts as present and unknown (promise 9).
    fn read(
        &mut self,
        connector: &Arc<dyn Connector>,
        item: &Item,
        sighting: &Sighting,
        left: &mut Left,
    ) -> Result<Now> {
        let at_ms = sighting.modified_ms.unwrap_or(sighting.observed_ms).min(sighting.observed_ms);
        match connector.lens(self.kind).read(&sighting.rendering) {
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

    /// Writes the verdict into the hub: a new version, where the item stands, what clashed.
    fn record(&mut self, mut item: Item, case: &Case, verdict: &Verdict, weighed: &[Weighed]) -> Result<Item> {
        if verdict.content != case.current.content {
            let source = newest(weighed);
            let origin = Origin { at_ms: verdict.at_ms, rank: verdict.rank, source };
            let version = self.hub.add_version(item.id, &verdict.content, origin, Some(item.version), None)?;
            self.hub.set_version(item.id, version)?;
            item.version = version;
            for copy in weighed.iter().filter(|copy| matches!(copy.now, Now::Edited { .. })) {
                self.count(copy.replica, |row| row.updated += 1);
            }
        }
        self.record_clashes(&item, verdict)?;
        if verdict.collections != case.current.collections {
            self.hub.set_stands(item.id, &verdict.collections, self.now)?;
            for copy in weighed
                .iter()
                .filter(|copy| matches!(copy.now, Now::Gone) && !verdict.collections.contains(&copy.collection))
            {
                self.hub.note_removal(copy.replica, copy.collection, self.now)?;
                self.count(copy.replica, |row| row.deleted += 1);
            }
            if case.current.collections.is_empty() {
                self.hub.next_generation(item.id)?;
                item.generation += 1;
            }
        }
        Ok(item)
    }

    /// The value that is not shown stays as a version beside the one that is (promise 14).
    fn record_clashes(&mut self, item: &Item, verdict: &Verdict) -> Result<()> {
        let mut replicas: Vec<i64> = verdict.clashes.iter().map(|clash| clash.replica).collect();
        replicas.dedup();
        for replica in replicas {
            let mut other = verdict.content.clone();
            let mut fields = Vec::new();
            for clashing in verdict.clashes.iter().filter(|clash| clash.replica == replica) {
                let lost = if clashing.theirs_shown { &clashing.clash.ours } else { &clashing.clash.theirs };
                put_back(&mut other, &clashing.clash.path, lost);
                fields.push(clashing.clash.path.clone());
            }
            let origin = Origin { at_ms: self.now, rank: verdict.rank, source: Some(replica) };
            let other = self.hub.add_version(item.id, &other, origin, Some(item.version), None)?;
            self.hub.add_conflict(&Conflict {
                id: random_id()[..8].to_owned(),
                item: item.id,
                fields,
                shown: item.version,
                other,
                replica,
                at_ms: self.now,
            })?;
            self.count(replica, |row| row.conflicts += 1);
        }
        Ok(())
    }

    fn count(&mut self, replica: i64, add: impl FnOnce(&mut crate::ReplicaReport)) {
        let name = self.member(replica).map(|member| member.replica.name.clone());
        if let Some(name) = name {
            add(self.report.row(&name, self.kind));
        }
    }

    /// What one place must be told of one item.
    fn plan(
        &mut self,
        item: &Item,
        verdict: &Verdict,
        place: &Place,
        weighed: &[Weighed],
        left: &mut Left,
    ) -> Result<()> {
        let belongs = verdict.collections.contains(&place.collection);
        let copy = weighed.iter().find(|copy| copy.replica == place.replica && copy.collection == place.collection);
        if belongs
            && copy.is_none()
            && self
                .hub
                .intents_of(item.id)?
                .iter()
                .any(|i| i.replica == place.replica && i.collection == place.collection)
        {
            left.pending = true;
            return Ok(());
        }
        let Some(connector) = self.reached(place.replica) else {
            // Nothing waits for it: what it needs is computed from its bases when it is back.
            if !self.member(place.replica).is_some_and(|member| member.replica.behind) {
                self.hub.set_behind(place.replica, true)?;
            }
            return Ok(());
        };
        let open = self.hub.intents_of(item.id)?;
        if open.iter().any(|intent| intent.replica == place.replica && intent.collection == place.collection) {
            left.pending = true;
            return Ok(());
        }
        match (copy, belongs) {
            (Some(Weighed { now: Now::Unknown, .. }), _) => Ok(()),
            (Some(copy), true) if matches!(copy.now, Now::Gone) => {
                self.forget_copy(copy)?;
                self.hub.next_generation(item.id)?;
                let item = self.hub.item(item.id)?;
                self.create(&connector, &item, verdict, place, left)
            }
            (Some(copy), true) => self.align(&connector, item, verdict, place, copy, left),
            (Some(copy), false) if matches!(copy.now, Now::Gone) => self.forget_copy(copy),
            (Some(copy), false) => self.delete(item, place, copy, left),
            (None, true) => self.create(&connector, item, verdict, place, left),
            (None, false) => Ok(()),
        }
    }

    fn forget_copy(&mut self, copy: &Weighed) -> Result<()> {
        if let Some(placement) = &copy.placement {
            self.hub.remove_placement(placement.id)?;
        }
        match &copy.sighting {
            Some(sighting) => self.hub.remove_sighting(sighting.id),
            None => Ok(()),
        }
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
            return Ok(());
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
        let agreed = match &copy.placement {
            Some(placement) => self.hub.version(placement.agreed)?.content,
            None => lens.read(&seen_now.rendering)?,
        };
        let identity = Identity { uid: item.uid.clone(), mark: None };
        let to = match toward(lens, &agreed, &seen_now.rendering, &verdict.content, &identity) {
            Ok(to) => to,
            Err(error) => return self.cannot_send(item, place, &error),
        };
        let agreed_version = match (&to, &copy.placement) {
            (None, _) => item.version,
            (Some(_), Some(placement)) => placement.agreed,
            (Some(_), None) => {
                let origin = Origin { at_ms: self.now, rank: connector.abilities().rank, source: Some(place.replica) };
                self.hub.add_version(item.id, &agreed, origin, None, None)?
            }
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
        self.hub.release(item.id, place.replica, place.collection)?;
        let Some(to) = to else { return Ok(()) };
        if !place.can_write {
            return self.hub.withhold(item.id, place.replica, place.collection, "this user may not write there");
        }
        if self.must_wait(item, place, left)? {
            return Ok(());
        }
        let from = seen_now.rendering.clone();
        self.intend(item, place, IntentKind::Update, Some(&seen_now), Some(to.clone()), |_| Operation::Update {
            place: twofold_model::Place {
                remote_id: seen_now.remote_id.clone(),
                collection: place.remote_id.as_str().into(),
            },
            etag: seen_now.etag.clone(),
            from,
            to,
        })?;
        left.pending = true;
        Ok(())
    }

    fn create(
        &mut self,
        connector: &Arc<dyn Connector>,
        item: &Item,
        verdict: &Verdict,
        place: &Place,
        left: &mut Left,
    ) -> Result<()> {
        if !place.can_write {
            return self.hub.withhold(item.id, place.replica, place.collection, "this user may not write there");
        }
        if self.must_wait(item, place, left)? {
            return Ok(());
        }
        let mark = Mark { hub: self.hub.id().to_owned(), item: item.mark.clone(), generation: item.generation };
        let identity = Identity { uid: item.uid.clone(), mark: Some(mark.clone()) };
        let rendering: Rendering = match connector.lens(self.kind).write(None, &verdict.content, &identity) {
            Ok(rendering) => rendering,
            Err(error) => return self.cannot_send(item, place, &error),
        };
        self.hub.release(item.id, place.replica, place.collection)?;
        self.intend(item, place, IntentKind::Create, None, None, |_| Operation::Create {
            collection: place.remote_id.as_str().into(),
            rendering,
            uid: item.uid.clone(),
            mark,
        })?;
        left.pending = true;
        Ok(())
    }

    fn delete(&mut self, item: &Item, place: &Place, copy: &Weighed, left: &mut Left) -> Result<()> {
        let Some(placement) = &copy.placement else { return Ok(()) };
        if !place.can_write {
            return self.hub.withhold(item.id, place.replica, place.collection, "this user may not delete there");
        }
        if self.must_wait(item, place, left)? {
            return Ok(());
        }
        let mut seen = as_seen_placement(placement);
        if let Some(sighting) = &copy.sighting {
            seen = as_seen(sighting);
        }
        self.intend(item, place, IntentKind::Delete, Some(&seen), None, |_| Operation::Delete {
            place: twofold_model::Place {
                remote_id: seen.remote_id.clone(),
                collection: place.remote_id.as_str().into(),
            },
            etag: seen.etag.clone(),
        })?;
        left.pending = true;
        Ok(())
    }

    /// What was refused waits for its next try (promise 9).
    fn must_wait(&mut self, item: &Item, place: &Place, left: &mut Left) -> Result<bool> {
        let waits = self.hub.is_quarantined(place.replica, &quarantine_name(item), self.now)?;
        left.pending |= waits;
        Ok(waits)
    }

    /// The place cannot hold it: kept in the hub and elsewhere, and listed.
    fn cannot_send(&mut self, item: &Item, place: &Place, error: &Error) -> Result<()> {
        if error.kind == ErrorKind::Broken {
            return Err(Error::new(ErrorKind::Broken, error.to_string()));
        }
        self.hub.withhold(item.id, place.replica, place.collection, &error.to_string())
    }

    fn intend(
        &mut self,
        item: &Item,
        place: &Place,
        kind: IntentKind,
        seen: Option<&twofold_model::Seen>,
        target: Option<Rendering>,
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
        if self.quiet {
            self.count(place.replica, |row| match kind {
                IntentKind::Create => row.sent_created += 1,
                IntentKind::Update => row.sent_updated += 1,
                IntentKind::Delete => row.sent_deleted += 1,
            });
        }
        let operation = operation(&intent);
        self.planned.push(Planned { intent, operation });
        Ok(())
    }
}

/// The name under which a write that a replica refused waits in quarantine.
pub fn quarantine_name(item: &Item) -> String {
    format!("item:{}", item.mark)
}

fn as_seen_placement(placement: &Placement) -> twofold_model::Seen {
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

/// The replica whose edit is the newest.
fn newest(weighed: &[Weighed]) -> Option<i64> {
    weighed
        .iter()
        .filter_map(|copy| match &copy.now {
            Now::Edited { at_ms, .. } => Some((*at_ms, copy.replica)),
            _ => None,
        })
        .max()
        .map(|(_, replica)| replica)
}

/// Sets the losing value where it stood; a clash inside a list of components names the component's kind last.
fn put_back(content: &mut Content, path: &str, value: &serde_json::Value) {
    let keys = twofold_model::patch::split(path);
    let (parent, last) = keys.split_at(keys.len().saturating_sub(1));
    let list = twofold_model::patch::get_path(&content.0, parent).and_then(serde_json::Value::as_array).cloned();
    match (list, last.first()) {
        (Some(mut list), Some(kind)) => {
            if let Some(part) = list.iter_mut().find(|part| part.get("kind").and_then(|k| k.as_str()) == Some(kind)) {
                *part = value.clone();
            }
            twofold_model::patch::set_path(&mut content.0, parent, serde_json::Value::Array(list));
        }
        _ => twofold_model::patch::set_path(&mut content.0, &keys, value.clone()),
    }
}
