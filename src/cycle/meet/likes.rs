//! The message of which a new copy has the very bytes. Several may have them.

use super::{Account, is_of_other_account, is_said_gone, stands_or_is_seen};
use crate::SLICE;
use crate::intake::Intake;
use std::collections::BTreeSet;
use std::collections::hash_map::{Entry, HashMap};
use twofold_hub::{Hub, Item, Placement, Presence, Sighting};
use twofold_model::{BlobId, Lens, Rendering, Result, Uid};

/// How a message may be the one of which a new copy has the very bytes; the closest comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Tie {
    /// Its copy vanished from the same collection: a program gave that another name.
    Renamed,
    /// A copy of it vanished from another collection: it was moved, and the program that did it gave it another name.
    Moved,
    /// It waits for its copy here.
    Awaited,
    /// It may stand in several places.
    Further,
}

/// The messages that have the bytes of new copies of one collection, and how each of them may be one of those: worked out once for all of these
/// copies, and anew for what one of them changed.
#[derive(Default)]
pub(super) struct Likes {
    of: HashMap<BlobId, Vec<Like>>,
    /// Counts what was settled.
    turn: usize,
    /// When something last came to be a copy of an item, and when something of a name was last settled.
    items: HashMap<i64, usize>,
    names: HashMap<Uid, usize>,
}

/// A message of the same bytes.
struct Like {
    item: Item,
    /// When it was worked out; `None`: not yet.
    since: Option<usize>,
    tied: Option<Tied>,
}

/// How a message may be that of a new copy.
struct Tied {
    tie: Tie,
    /// Its copy that vanished.
    left: Option<Placement>,
    /// What that one was marked with.
    marks: Option<serde_json::Value>,
}

impl Likes {
    /// Those of the bytes of a copy.
    fn tied(
        &mut self,
        hub: &Hub,
        lens: &dyn Lens,
        (sighting, account): (&Sighting, Account),
        blob: &BlobId,
    ) -> Result<&mut [Like]> {
        let all = match self.of.entry(blob.clone()) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(none) => {
                let items = hub.items_by_blob(blob)?.into_iter();
                none.insert(items.map(|item| Like { item, since: None, tied: None }).collect())
            }
        };
        let (items, names) = (&self.items, &self.names);
        for like in all.iter_mut() {
            let changed = items.get(&like.item.id).max(names.get(&like.item.uid));
            // Of all new copies that bear its name, this one is not among the others.
            let is_named = sighting.uid.as_ref() == Some(&like.item.uid);
            if is_named || like.since.is_none_or(|since| changed.is_some_and(|changed| *changed > since)) {
                like.tied = tie(hub, sighting, account, &like.item)?.map(|(tie, left)| {
                    let marks = left.as_ref().and_then(|left| marks(lens, &left.seen));
                    Tied { tie, left, marks }
                });
                if like.tied.is_some() && is_of_other_account(hub, sighting, like.item.id)? {
                    like.tied = None;
                }
                like.since = (!is_named).then_some(self.turn);
            }
        }
        Ok(all)
    }

    /// A copy was settled: it belongs to an item, or bears a name that it waits under no more.
    pub(super) fn changed(&mut self, item: Option<i64>, name: Option<Uid>) {
        self.turn += 1;
        self.items.extend(item.map(|item| (item, self.turn)));
        self.names.extend(name.map(|name| (name, self.turn)));
    }

    /// A copy became an item.
    pub(super) fn made(&mut self, hub: &Hub, lens: &dyn Lens, sighting: &Sighting, item: i64) -> Result<()> {
        let blob = lens.facts(&sighting.rendering).blob;
        if let Some(all) = blob.and_then(|blob| self.of.get_mut(&blob)) {
            all.push(Like { item: hub.item(item)?, since: None, tied: None });
        }
        Ok(())
    }
}

/// The message of which a new copy has the very bytes. Where several have them, which of them it is nobody can tell: one that says the same
/// is, and each has one copy in a collection, and goes to as many as it left.
pub(super) fn by_bytes(
    hub: &mut Hub,
    intake: &Intake<'_>,
    sighting: &Sighting,
    account: Account,
    likes: &mut Likes,
) -> Result<Option<i64>> {
    let Some(blob) = intake.lens.facts(&sighting.rendering).blob else { return Ok(None) };
    let all = likes.tied(hub, intake.lens, (sighting, account), &blob)?;
    let Some(closest) = all.iter().filter_map(|like| like.tied.as_ref()).map(|tied| tied.tie).min() else {
        return Ok(None);
    };
    let found = all.iter().filter_map(|like| Some((&like.item, like.tied.as_ref()?)));
    let found: Vec<(&Item, &Tied)> = found.filter(|(_, tied)| tied.tie == closest).collect();
    let at = most_alike(hub, intake.lens, (sighting, &blob), &found)?;
    let Some((item, tied)) = found.into_iter().nth(at) else { return Ok(None) };
    if let (Tie::Renamed, Some(old)) = (closest, &tied.left) {
        hub.remove_sighting_of(old.replica, &old.remote_id)?;
        hub.rename_placement(old.id, &sighting.remote_id)?;
    }
    Ok(Some(item.id))
}

/// How a message of the same bytes may be that of a new copy, and the copy of it that vanished.
fn tie(hub: &Hub, sighting: &Sighting, account: Account, item: &Item) -> Result<Option<(Tie, Option<Placement>)>> {
    let mut others = Others::of(hub, sighting, item)?;
    // It has its copy here; this is another one.
    if others.stand.contains(&sighting.collection) {
        return Ok(None);
    }
    if others.is_one_missed() {
        let here = others.gone.iter().position(|copy| copy.collection == sighting.collection);
        let tie = if here.is_some() { Tie::Renamed } else { Tie::Moved };
        return Ok(Some((tie, Some(others.gone.swap_remove(here.unwrap_or(0))))));
    }
    let stands = stands_or_is_seen(hub, item.id)?;
    if others.are_none && stands.contains(&sighting.collection) {
        return Ok(Some((Tie::Awaited, None)));
    }
    Ok((account == Account::Shared && !stands.is_empty()).then_some((Tie::Further, None)))
}

/// The copies of an item at the replica of a new one.
pub(crate) struct Others {
    /// Those that are said to be gone, or whose whole collection is.
    gone: Vec<Placement>,
    /// How many are new themselves: bound to the item already, or by its name.
    new: usize,
    /// Where all of them stand that are there.
    stand: BTreeSet<i64>,
    /// None was known before.
    are_none: bool,
}

impl Others {
    pub(crate) fn of(hub: &Hub, sighting: &Sighting, item: &Item) -> Result<Others> {
        let replica = sighting.replica;
        let mut seen = hub.sightings(item.id)?;
        seen.retain(|seen| seen.replica == replica && seen.id != sighting.id);
        let mut known = hub.placements(item.id)?;
        known.retain(|copy| copy.replica == replica);
        let mut others = Others { gone: Vec::new(), new: 0, stand: BTreeSet::new(), are_none: known.is_empty() };
        for copy in known {
            let at = seen.iter().position(|seen| seen.remote_id == copy.remote_id);
            let now = at.map(|at| seen.swap_remove(at).collection);
            if is_said_gone(hub, &copy)? {
                others.gone.push(copy);
            } else {
                others.stand.insert(now.unwrap_or(copy.collection));
            }
        }
        let by_name = hub.sightings_by_uid(replica, &item.uid)?.into_iter();
        let mut new: Vec<Sighting> = by_name.filter(|seen| seen.item.is_none() && seen.id != sighting.id).collect();
        new.extend(seen.into_iter().filter(|seen| seen.presence == Presence::Here));
        others.new = new.len();
        others.stand.extend(new.iter().map(|seen| seen.collection));
        Ok(others)
    }

    /// Whether fewer copies are new than are gone: a new one may be one of those.
    fn is_one_missed(&self) -> bool {
        self.gone.len() > self.new
    }

    /// Whether a new one may be this one.
    pub(crate) fn is_missed(&self, copy: &Placement) -> bool {
        self.is_one_missed() && self.gone.iter().any(|gone| gone.id == copy.id)
    }
}

/// Which of several messages that are as close to a new copy it is: the first one that had its marks; else one whose marks no other new copy
/// of these bytes there has.
fn most_alike(
    hub: &Hub,
    lens: &dyn Lens,
    (sighting, blob): (&Sighting, &BlobId),
    found: &[(&Item, &Tied)],
) -> Result<usize> {
    let had: Vec<_> = found.iter().map(|(_, tied)| tied.marks.as_ref()).collect();
    let has = marks(lens, &sighting.rendering);
    if let Some(at) = had.iter().position(|had| *had == has.as_ref()) {
        return Ok(at);
    }
    if had.iter().all(|one| *one == had[0]) {
        return Ok(0);
    }
    let mut free: Vec<usize> = (0..had.len()).collect();
    for other in hub.unbound(sighting.replica, sighting.collection, sighting.id, SLICE)? {
        if lens.facts(&other.rendering).blob.as_ref() == Some(blob) {
            let has = marks(lens, &other.rendering);
            free.iter().position(|at| had[*at] == has.as_ref()).map(|at| free.remove(at));
        }
    }
    Ok(free.first().copied().unwrap_or(0))
}

/// What a copy is marked with.
fn marks(lens: &dyn Lens, rendering: &Rendering) -> Option<serde_json::Value> {
    lens.read(rendering).ok().and_then(|content| content.get("keywords").cloned())
}
