//! Decides each item of a slice over the hub and all replicas, and plans what each replica must be told.
//!
//! One transaction a slice: new versions, places, bases and intents together (promise 3: the intent is on disk before the
//! request leaves). This file tells the story and records the verdict; `copies` reads what every replica shows, `plan`
//! makes the intents, `moves` those that are one step (a move, a further copy), `mail` holds those that would mail people, `invite` says who asks the guests of a new meeting, `bin` where a message
//! goes that somebody deleted, `alone` which mailboxes do not go together, `stays` what becomes of what an account does not let go, `undo` what follows where this user may not write.

mod alone;
mod bin;
mod copies;
mod invite;
mod mail;
mod moves;
mod plan;
mod stays;
mod undo;

pub use plan::quarantine_name;

use crate::scope::LeftOut;
use crate::{Cycle, Member, Settings};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use twofold_engine::{Case, Current, Now, Verdict, decide};
use twofold_hub::items::Origin;
use twofold_hub::mail::HeldWrites;
use twofold_hub::{Conflict, Hub, Intent, Item, Place, Placement, Presence, Sighting, random_id};
use twofold_model::merge::put_at;
use twofold_model::{Connector, Kind, Operation, RemoteId, Result};

/// One write that is planned: the intent on disk, and what the connector is to be told.
pub struct Planned {
    /// The intent.
    pub intent: Intent,
    /// The operation.
    pub operation: Operation,
    /// Whether people may hear of it.
    pub tells: bool,
    /// Whether it comes after what is removed there: a move to where a message stands only while it stands nowhere else.
    pub goes_last: bool,
}

/// Decides a slice of items. Returns what is to be written.
///
/// Keeps promise 3: versions, places, bases and the intents that follow from them are one transaction, before any request leaves.
pub fn weigh(cycle: &mut Cycle<'_>, kind: Kind, slice: &[i64]) -> Result<Vec<Planned>> {
    let now = cycle.now();
    let mut planned = Vec::new();
    let (hub, members, report) = (&mut *cycle.hub, &cycle.members, &mut cycle.report);
    let (settings, left_out) = (cycle.settings, cycle.left_out.clone());
    hub.atomically("decide", |hub| {
        let mut tables = Tables::read(hub, kind, now, left_out)?;
        let unwritten = members.iter().filter(|member| member.unwritten.contains(&kind));
        tables.unwritten.extend(unwritten.map(|member| member.replica.id));
        let mut one = Weighing { hub, members, report, kind, now, planned: &mut planned, settings, tables };
        slice.iter().try_for_each(|item| one.item(*item))?;
        one.describe_held_writes()
    })?;
    Ok(planned)
}

impl Planned {
    /// Whether it is for that replica and collection.
    fn is_at(&self, at: (i64, i64)) -> bool {
        (self.intent.replica, self.intent.collection) == at
    }
}

struct Weighing<'a> {
    hub: &'a mut Hub,
    members: &'a [Member],
    report: &'a mut crate::Report,
    kind: Kind,
    now: i64,
    planned: &'a mut Vec<Planned>,
    settings: &'a Settings,
    tables: Tables,
}

/// What is asked for every item and changes with none: read once a slice.
struct Tables {
    /// Where each collection stands.
    places: HashMap<i64, Vec<Place>>,
    /// The intents that were open before the slice, by item.
    intents: HashMap<i64, Vec<Intent>>,
    /// What is in quarantine, and whether its next try is still to come.
    waiting: HashMap<(i64, String), bool>,
    /// Collections that are said to be gone at a replica, or that lack too much after a loss: nothing is told there until somebody decides.
    /// After a loss also those that were not met yet, because nobody knows what they lack.
    held: HashSet<(i64, i64)>,
    /// Those of them that their replica does not list.
    absent: HashSet<(i64, i64)>,
    /// Collections whose removal at a replica was approved: nothing is made there any more.
    going: HashSet<(i64, i64)>,
    /// Collections that are still to be made at the provider that they belong to.
    unmade: HashSet<i64>,
    /// Replicas at which nothing is written: another twofold seems to work there, or it hung over what was written.
    unwritten: HashSet<i64>,
    /// Collections that leave, and what took their place (ENGINE 19).
    successors: HashMap<i64, i64>,
    /// Collections that no provider lets this user write to, each with one that shows it.
    read_only: HashMap<i64, i64>,
    /// What the mailboxes are for.
    bins: bin::Bins,
    /// The replicas that are device folders.
    devices: HashSet<i64>,
    /// Writes that would mail people, by item, replica and collection.
    held_writes: HeldWrites,
    /// What is left out: it has no vote, and nothing of it is written.
    left_out: Arc<LeftOut>,
    /// Copies on devices that somebody put where nothing is mirrored, by item, replica and collection.
    put_away: HashSet<(i64, i64, i64)>,
}

impl Tables {
    fn read(hub: &Hub, kind: Kind, now: i64, left_out: Arc<LeftOut>) -> Result<Tables> {
        let mut tables = Tables {
            places: HashMap::new(),
            intents: HashMap::new(),
            waiting: hub.waiting(now)?,
            held: HashSet::new(),
            absent: HashSet::new(),
            going: HashSet::new(),
            unmade: hub.unmade(kind)?.into_iter().collect(),
            unwritten: HashSet::new(),
            successors: hub.successors()?,
            read_only: undo::read_only(hub, kind)?,
            bins: bin::Bins::read(hub, kind)?,
            devices: hub
                .replicas()?
                .into_iter()
                .filter(|replica| replica.is_device)
                .map(|replica| replica.id)
                .collect(),
            held_writes: hub.held_writes()?,
            left_out,
            put_away: hub.withheld_for(crate::confirm::PUT_AWAY)?.into_iter().collect(),
        };
        tables.held.extend(crate::lost::unmet(hub, kind)?);
        for intent in hub.intents()? {
            tables.intents.entry(intent.item).or_default().push(intent);
        }
        for hold in hub.holds_of_any_state()? {
            match (hold.cause.as_str(), hold.collection) {
                ("collection", Some(collection)) if hold.is_approved => {
                    tables.going.insert((hold.replica, collection));
                }
                ("collection" | "lost", Some(collection)) => {
                    tables.held.insert((hold.replica, collection));
                    if hold.cause == "collection" {
                        tables.absent.insert((hold.replica, collection));
                    }
                }
                ("foreign", _) if !hold.is_approved => {
                    tables.unwritten.insert(hold.replica);
                }
                _ => {}
            }
        }
        Ok(tables)
    }

    /// Where an item stands that somebody still sees in a collection that leaves: where it stands else, or in what took its
    /// place.
    fn at_home(&self, collections: BTreeSet<i64>) -> BTreeSet<i64> {
        let (leaving, staying): (BTreeSet<i64>, BTreeSet<i64>) =
            collections.into_iter().partition(|id| self.successors.contains_key(id));
        match staying.is_empty() {
            true => leaving.iter().filter_map(|id| self.successors.get(id).copied()).collect(),
            false => staying,
        }
    }
}

/// One copy as it was weighed: what was agreed, what is seen now.
struct Weighed {
    replica: i64,
    collection: i64,
    placement: Option<Placement>,
    sighting: Option<Sighting>,
    now: Now,
}

impl Weighed {
    /// The collection in which the copy stands no more: it is gone, or stands in another one under the name that it had.
    fn left_from(&self) -> Option<i64> {
        match (&self.now, &self.placement) {
            (Now::Gone, _) => Some(self.collection),
            (Now::Unknown, _) | (_, None) => None,
            (_, Some(placement)) => Some(placement.collection).filter(|was| *was != self.collection),
        }
    }
}

/// Whether anything about the item is left for a later run.
#[derive(Default)]
struct Left {
    pending: bool,
    /// Files that stand beside the copy of their message in the same folder.
    beside: Vec<Sighting>,
}

impl Weighing<'_> {
    fn member(&self, replica: i64) -> Option<&Member> {
        self.members.iter().find(|member| member.replica.id == replica)
    }

    fn reached(&self, replica: i64) -> Option<Arc<dyn Connector>> {
        self.member(replica)?.reached(self.kind).cloned()
    }

    /// Whether a copy that is said to be gone was read in this run as it was.
    fn is_still_read(&self, replica: i64, remote_id: &RemoteId) -> bool {
        self.member(replica).is_some_and(|member| member.still_read.contains(remote_id))
    }

    /// Where a collection stands.
    fn places_of(&mut self, collection: i64) -> Result<Vec<Place>> {
        if let Some(known) = self.tables.places.get(&collection) {
            return Ok(known.clone());
        }
        let places = self.hub.places_of(collection)?;
        self.tables.places.insert(collection, places.clone());
        Ok(places)
    }

    fn item(&mut self, id: i64) -> Result<()> {
        if self.tables.left_out.has_limits() && self.hub.is_beyond(id)? {
            return self.hub.done(id);
        }
        let (mut item, mut version) = self.hub.item_and_version(id)?;
        if self.undo_forbidden(&item)? | self.undo_dropped(&item)? {
            (item, version) = self.hub.item_and_version(id)?;
        }
        let collections = self.hub.stands(id)?;
        let mut left = Left::default();
        let (weighed, mut copies) = self.copies(&item, &version.content, &mut left)?;
        copies.extend(self.gone_with_what_stayed(&item, &collections, &weighed, &copies)?);
        let current = Current { content: version.content, at_ms: version.at_ms, rank: version.rank, collections };
        let trash = copies.iter().map(|copy| copy.collection).filter(|id| self.tables.bins.is_trash(*id)).collect();
        let is_in_one_place = self.is_in_one_place(&current.collections, &copies);
        let case = Case { current, copies, is_in_one_place, trash };
        let mut verdict = decide(&case);
        verdict.collections = self.tables.at_home(verdict.collections);
        self.not_made_here(&item, &mut verdict, &case.current.collections)?;
        self.keep_deleted(&item, &mut verdict, &weighed, &case.current.collections)?;
        self.part_what_stands_alone(&mut verdict, &weighed, &case.current.collections);
        let item = self.record(item, &case, &verdict, &weighed)?;
        self.plan_all(&item, &verdict, &weighed, &mut left)?;
        if !left.pending {
            self.refused_no_more(&item)?;
            self.hub.done(id)?;
        }
        Ok(())
    }

    /// Nothing is to be written of the item: what was refused of it before, its place says by itself now, or nobody wants it any more.
    fn refused_no_more(&mut self, item: &Item) -> Result<()> {
        if self.tables.waiting.is_empty() {
            return Ok(());
        }
        let reached = self.members.iter().filter(|member| member.reached(self.kind).is_some());
        reached.map(|member| member.replica.id).try_for_each(|replica| self.hub.leave_refused(replica, item.id, None))
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
                self.tell_taken(copy, &item, "edited");
            }
        }
        for replica in record_clashes(self.hub, &item, verdict, self.now)? {
            self.count(replica, |row| row.conflicts += 1);
        }
        if verdict.collections != case.current.collections {
            self.hub.set_stands(item.id, &verdict.collections, self.now)?;
            self.closed_no_more(&item, &case.current.collections, verdict, weighed)?;
            let is_moved = verdict.collections.iter().any(|id| !self.tables.bins.is_trash(*id));
            // What only lost one of its places is changed, and what got another instead is moved.
            let is_elsewhere = verdict.collections.iter().any(|id| !case.current.collections.contains(id));
            let is_let_go = self.hub.is_let_go(item.id)?;
            for copy in weighed {
                let Some(from) = copy.left_from().filter(|from| !verdict.collections.contains(from)) else { continue };
                // What moved is not removed, nor what nobody has any more. And what somebody approved does not count for the brake: they said that it is not too much.
                let is_approved = copy.sighting.as_ref().is_some_and(|sighting| sighting.hold.is_some());
                if !is_let_go && !is_approved && !self.stands_beside((copy.replica, from), weighed, verdict) {
                    self.hub.note_removal(copy.replica, from, self.now)?;
                }
                self.count(copy.replica, |row| match (is_moved, is_elsewhere) {
                    (true, true) => row.moved += 1,
                    (true, false) => row.updated += 1,
                    (false, _) => row.deleted += 1,
                });
                let what = match (is_moved, is_elsewhere) {
                    (true, true) => "moved",
                    (true, false) => "edited",
                    (false, _) => "removed",
                };
                self.tell_taken(copy, &item, what);
            }
            if case.current.collections.is_empty() {
                self.hub.next_generation(item.id)?;
                item.generation += 1;
            }
        }
        Ok(item)
    }

    /// Whether the item still stands at a replica, and stays there, but in another collection and not only in the trash.
    fn stands_beside(&self, (replica, from): (i64, i64), weighed: &[Weighed], verdict: &Verdict) -> bool {
        let is_here = |copy: &Weighed| copy.sighting.as_ref().is_none_or(|seen| seen.presence == Presence::Here);
        let is_other = |copy: &&Weighed| copy.replica == replica && copy.collection != from;
        let stays = |copy: &&Weighed| verdict.collections.contains(&copy.collection);
        let mut others = weighed.iter().filter(is_other).filter(stays);
        others
            .any(|copy| !matches!(copy.now, Now::Gone) && is_here(copy) && !self.tables.bins.is_trash(copy.collection))
    }

    fn tell_taken(&self, copy: &Weighed, item: &Item, what: &str) {
        if let Some(member) = self.member(copy.replica) {
            crate::tell::taken(&member.replica.name, self.kind, copy.collection, &item.mark, what);
        }
    }

    fn count(&mut self, replica: i64, add: impl FnOnce(&mut crate::ReplicaReport)) {
        let name = self.member(replica).map(|member| member.replica.name.clone());
        if let Some(name) = name {
            add(self.report.row(&name, self.kind));
        }
    }
}

/// The value that is not shown stays as a version beside the one that is (promise 14). Answers the replicas that clashed.
pub(crate) fn record_clashes(hub: &mut Hub, item: &Item, verdict: &Verdict, now_ms: i64) -> Result<Vec<i64>> {
    let mut replicas: Vec<i64> = verdict.clashes.iter().map(|clash| clash.replica).collect();
    replicas.dedup();
    for replica in &replicas {
        let mut other = verdict.content.clone();
        let mut fields = Vec::new();
        for clashing in verdict.clashes.iter().filter(|clash| clash.replica == *replica) {
            let lost = if clashing.theirs_shown { &clashing.clash.ours } else { &clashing.clash.theirs };
            put_at(&mut other, &clashing.clash.path, lost.clone());
            fields.push(clashing.clash.path.clone());
        }
        let origin = Origin { at_ms: now_ms, rank: verdict.rank, source: Some(*replica) };
        let other = hub.add_version(item.id, &other, origin, Some(item.version), None)?;
        hub.add_conflict(&Conflict {
            id: random_id()[..8].to_owned(),
            item: item.id,
            fields,
            shown: item.version,
            other,
            replica: *replica,
            at_ms: now_ms,
        })?;
    }
    Ok(replicas)
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
