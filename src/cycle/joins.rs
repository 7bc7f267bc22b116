//! Joins: collections of several providers that the configuration makes one, also on a hub in use (ENGINE 19).
//!
//! When a `[[join]]` is written, or taken out, what the hub holds is rearranged once, after an ordinary round has taken in
//! all that anybody changed: a new collection takes the providers' places with all their bases, the items stand there from
//! then on, and the collections that were there *leave*. The next round does the rest with the ordinary decision: in a
//! collection that leaves nothing stands any more, so devices get the new folder and their old files are removed, guarded as
//! ever. A folder that is empty then is taken away. No provider is written to where the two say the same.

use crate::Cycle;
use crate::arrange::{Listed, is_named};
use crate::report::exit;
use crate::weigh::record_clashes;
use std::collections::{BTreeSet, HashMap};
use twofold_engine::decide::{Case, Copy, Current, Now, decide};
use twofold_engine::pair::{Candidates, Fit, agreed_at_first, clashes};
use twofold_hub::items::Origin;
use twofold_hub::{Collection, Hold, Hub, Item, Place, random_id};
use twofold_model::{Error, ErrorKind, Kind, Result};

/// More pairs of a join than so many of a hundred say different things of one member: the join waits for a person.
const CLASH_PERCENT: usize = 20;
/// So few are no reason to ask.
const CLASH_AT_LEAST: usize = 5;

/// A provider's place, and the provider's name.
type MemberPlace = (String, Place);

impl Cycle<'_> {
    /// Where collections of a kind stand at the replica of that name, whether it takes part in this run or not.
    fn places_at(&self, name: &str, kind: Kind) -> Result<Vec<Place>> {
        match self.hub.replicas()?.into_iter().find(|replica| replica.name == name) {
            Some(replica) => self.hub.places(replica.id, kind),
            None => Ok(Vec::new()),
        }
    }

    /// The providers' places of a collection.
    fn member_places(&self, collection: i64) -> Result<Vec<MemberPlace>> {
        let replicas = self.hub.replicas()?;
        let mut members = Vec::new();
        for place in self.hub.places_of(collection)? {
            let provider = replicas.iter().find(|replica| replica.id == place.replica && !replica.is_device);
            members.extend(provider.map(|provider| (provider.name.clone(), place)));
        }
        Ok(members)
    }
}

/// Whether each `[[join]]` names what is there; else nothing of this kind may be touched.
pub fn are_there(cycle: &mut Cycle<'_>, kind: Kind, found: &Listed) -> Result<bool> {
    let mut wrong = Vec::new();
    for join in cycle.settings.joins.iter().filter(|join| join.kind == kind) {
        let mut stands = Vec::new();
        let mut missing = Vec::new();
        for entry in &join.collections {
            let places = cycle.places_at(&entry.0, kind)?;
            match places.iter().find(|place| is_named(entry, &entry.0, &place.name, place.is_default)) {
                Some(place) => stands.push(place.collection),
                None => missing.push((entry, places)),
            }
        }
        for (entry, places) in missing {
            // Somebody gave it another name since: what was joined once stays joined.
            let is_renamed = places.iter().any(|place| stands.contains(&place.collection));
            // A place that could not be asked may have it.
            let was_asked = found.iter().any(|(index, _)| cycle.members[*index].replica.name == entry.0);
            if !is_renamed && was_asked {
                let names: Vec<&str> = places.iter().map(|place| place.name.as_str()).collect();
                wrong.push(format!(
                    "[[join]] names \"{}:{}\", which is not there; {} has: {}. No {kind} were read, written or deleted. \
                     Look at it with: twofold doctor",
                    entry.0,
                    entry.1,
                    entry.0,
                    names.join(", ")
                ));
            }
        }
    }
    for words in &wrong {
        cycle.report.trouble("configuration", &Error::new(ErrorKind::Misconfigured, words));
    }
    Ok(wrong.is_empty())
}

/// Makes the hub's collections what the configuration says of joins. `true`: something was rearranged, and another round
/// carries it to every replica.
pub fn rearrange(cycle: &mut Cycle<'_>, kind: Kind) -> Result<bool> {
    end_needless_holds(cycle, kind)?;
    for collection in cycle.hub.collections(kind)?.into_iter().filter(|c| c.joined && c.successor.is_none()) {
        let members = cycle.member_places(collection.id)?;
        if members.len() > 1 && !is_joined_still(cycle, kind, &members) {
            return part(cycle, kind, &collection, &members);
        }
    }
    let joins: Vec<_> = cycle.settings.joins.iter().filter(|join| join.kind == kind).cloned().collect();
    for join in joins {
        let mut members: Vec<MemberPlace> = Vec::new();
        for entry in &join.collections {
            let places = cycle.places_at(&entry.0, kind)?;
            let place = places.into_iter().find(|place| is_named(entry, &entry.0, &place.name, place.is_default));
            members.extend(place.map(|place| (entry.0.clone(), place)));
        }
        if members.windows(2).any(|pair| pair[0].1.collection != pair[1].1.collection) {
            return unite(cycle, kind, &members);
        }
    }
    Ok(false)
}

/// Whether the configuration still joins these. A member that got another name since is one all the same.
fn is_joined_still(cycle: &Cycle<'_>, kind: Kind, members: &[MemberPlace]) -> bool {
    cycle.settings.joins.iter().filter(|join| join.kind == kind).any(|join| {
        let is_named_here = |(provider, place): &MemberPlace| {
            join.collections.iter().any(|entry| is_named(entry, provider, &place.name, place.is_default))
        };
        let is_of = |(provider, _): &MemberPlace| join.collections.iter().any(|entry| entry.0 == *provider);
        members.iter().any(is_named_here) && members.iter().all(is_of)
    })
}

fn names_of(members: &[MemberPlace]) -> String {
    let names: Vec<String> = members.iter().map(|(name, place)| format!("{name}:{}", place.name)).collect();
    names.join(" and ")
}

/// Whether a rearrangement has to wait: a write whose fate is unknown is found by the item's mark, which must not change.
fn must_wait(cycle: &mut Cycle<'_>, members: &[MemberPlace], what: &str) -> Result<bool> {
    if cycle.settings.dry_run {
        return Ok(false);
    }
    for (_, place) in members {
        if cycle.hub.is_being_written(place.collection)? {
            let names = names_of(members);
            cycle.report.codes.push(exit::TEMPORARY);
            cycle.report.say(format!(
                "{names} are {what} once all that is being written there is known; nothing was changed for it. Run again: twofold sync"
            ));
            return Ok(true);
        }
    }
    Ok(false)
}

/// Two items that a join makes one.
struct Pair {
    older: Item,
    newer: Item,
}

/// A join was added: the collections become one.
///
/// Keeps promises 4 and 13: both histories stay, what says the same is one item and is not written anew; all of it is one
/// transaction.
fn unite(cycle: &mut Cycle<'_>, kind: Kind, members: &[MemberPlace]) -> Result<bool> {
    if must_wait(cycle, members, "joined")? {
        return Ok(false);
    }
    let (first, others) = match members {
        [first, others @ ..] => (first, others),
        [] => return Ok(false),
    };
    let Some(like) = cycle.hub.collection(first.1.collection)? else { return Ok(false) };
    let mut pairs = Vec::new();
    for (_, place) in others.iter().filter(|(_, place)| place.collection != like.id) {
        pairs.extend(pairs_of(cycle.hub, like.id, place.collection)?);
    }
    let names = names_of(members);
    if let Some(reason) = too_different(cycle.hub, &pairs, &names)?
        && !is_approved(cycle, kind, &others[0].1, reason)?
    {
        return Ok(false);
    }
    let same = pairs.len();
    let mut alone = cycle.hub.size(like.id)? - same;
    for (_, place) in others.iter().filter(|(_, place)| place.collection != like.id) {
        alone += cycle.hub.size(place.collection)? - same;
    }
    let would = if cycle.settings.dry_run { "would become" } else { "become" };
    cycle.report.say(format!(
        "{names} {would} one, as [[join]] says: {same} items stand in both and are one each, {alone} stand in one and are made in the other"
    ));
    if cycle.settings.dry_run {
        return Ok(false);
    }
    let now = cycle.now();
    cycle.hub.atomically("join", |hub| {
        let joined = hub.add_collection(kind, &first.1.name, like.color.as_deref(), first.1.replica)?;
        hub.set_joined(joined, true)?;
        let leaving: BTreeSet<i64> = members.iter().map(|(_, place)| place.collection).collect();
        for (_, place) in members {
            hub.reassign_place(place, joined)?;
        }
        for collection in leaving {
            for item in hub.standing(collection)? {
                let mut stands = hub.stands(item.id)?;
                stands.remove(&collection);
                stands.insert(joined);
                hub.set_stands(item.id, &stands, now)?;
            }
            hub.succeed(collection, joined)?;
        }
        // It came along with the place.
        if let Some(hold) = hub.hold_on_any(joined, "join")? {
            hub.remove_hold(&hold.id)?;
        }
        // A version that somebody decided by hand comes from no replica; it counts as the other member's.
        pairs.iter().try_for_each(|pair| fuse(hub, pair, joined, others[0].1.replica, now))
    })?;
    Ok(true)
}

/// Which items of two collections are the same: by UID, else by content (ENGINE 4).
fn pairs_of(hub: &Hub, one: i64, other: i64) -> Result<Vec<Pair>> {
    let mut by_uid: HashMap<String, Vec<Item>> = HashMap::new();
    let others = hub.standing(other)?;
    for item in &others {
        by_uid.entry(item.uid.as_str().to_owned()).or_default().push(item.clone());
    }
    let mut pairs = Vec::new();
    let mut taken: BTreeSet<i64> = BTreeSet::new();
    let mut left = Vec::new();
    for item in hub.standing(one)? {
        match by_uid.get(item.uid.as_str()).map(Vec::as_slice) {
            Some([twin]) if twin.id != item.id && taken.insert(twin.id) => pairs.push(ordered(item, twin.clone())),
            _ => left.push(item),
        }
    }
    let mut waiting = Candidates::default();
    for item in others.iter().filter(|item| !taken.contains(&item.id)) {
        waiting.add(item.id, hub.version(item.version)?.content);
    }
    for item in left {
        let content = hub.version(item.version)?.content;
        if let Some((twin, _)) = waiting.take(&content).filter(|(twin, fit)| *fit > Fit::None && *twin != item.id) {
            pairs.push(ordered(item, hub.item(twin)?));
        }
    }
    Ok(pairs)
}

fn ordered(a: Item, b: Item) -> Pair {
    if a.id < b.id { Pair { older: a, newer: b } } else { Pair { older: b, newer: a } }
}

/// Why a join has to wait for a person: too many pairs say different things.
fn too_different(hub: &Hub, pairs: &[Pair], names: &str) -> Result<Option<String>> {
    let mut clashing = 0;
    for pair in pairs {
        let (a, b) = (hub.version(pair.older.version)?.content, hub.version(pair.newer.version)?.content);
        clashing += usize::from(clashes(&a, &b));
    }
    let is_many = clashing > CLASH_AT_LEAST && clashing * 100 > pairs.len() * CLASH_PERCENT;
    Ok(is_many.then(|| {
        format!("{clashing} of {} items that {names} both have say different things; they were not joined", pairs.len())
    }))
}

/// Whether somebody said yes to a join that was held; else it is held now.
///
/// Keeps promise 8: the hold is one row, and nothing was changed.
fn is_approved(cycle: &mut Cycle<'_>, kind: Kind, place: &Place, reason: String) -> Result<bool> {
    if let Some(hold) = cycle.hub.hold_on(place.replica, place.collection, "join")? {
        return Ok(hold.is_approved);
    }
    let since_ms = cycle.now();
    cycle.hub.atomically("hold join", |hub| {
        hub.set_hold(&Hold {
            id: format!("join-{}", &random_id()[..6]),
            replica: place.replica,
            collection: Some(place.collection),
            kind,
            cause: "join".into(),
            reason,
            since_ms,
            is_approved: false,
        })
    })?;
    Ok(false)
}

/// Holds on joins that nobody asks for any more.
fn end_needless_holds(cycle: &mut Cycle<'_>, kind: Kind) -> Result<()> {
    for hold in cycle.hub.holds_of_any_state()?.into_iter().filter(|hold| hold.cause == "join" && hold.kind == kind) {
        let Some(collection) = hold.collection else { continue };
        let members = cycle.member_places(collection)?;
        if !is_joined_still(cycle, kind, &members) {
            cycle.hub.remove_hold(&hold.id)?;
        }
    }
    Ok(())
}

/// Two items become the older one. What each place agreed to until now stays its base, so that it is told only what it
/// lacks. `otherwise` is the replica of a version that none brought.
fn fuse(hub: &mut Hub, pair: &Pair, joined: i64, otherwise: i64, now_ms: i64) -> Result<()> {
    let Pair { older, newer } = pair;
    let (ours, theirs) = (hub.version(older.version)?, hub.version(newer.version)?);
    let replica = theirs.source.unwrap_or(otherwise);
    let case = Case {
        current: Current {
            content: ours.content.clone(),
            at_ms: ours.at_ms,
            rank: ours.rank,
            collections: BTreeSet::from([joined]),
        },
        copies: vec![Copy {
            replica,
            rank: theirs.rank,
            collection: joined,
            base: None,
            now: Now::Edited { content: theirs.content.clone(), at_ms: theirs.at_ms },
            hub_edited: false,
        }],
        is_in_one_place: false,
        trash: BTreeSet::new(),
    };
    let verdict = decide(&case);
    hub.absorb(newer, older)?;
    let mut item = hub.item(older.id)?;
    if verdict.content != ours.content {
        let origin = Origin { at_ms: verdict.at_ms, rank: verdict.rank, source: theirs.source };
        let version = hub.add_version(item.id, &verdict.content, origin, Some(older.version), Some(newer.version))?;
        hub.set_version(item.id, version)?;
        item.version = version;
    }
    record_clashes(hub, &item, &verdict, now_ms)?;
    for placement in hub.placements(item.id)? {
        let agreed = hub.version(placement.agreed)?;
        let says = agreed_at_first(&agreed.content, &verdict.content);
        let version = if says == verdict.content {
            item.version
        } else if says == agreed.content {
            placement.agreed
        } else {
            let origin = Origin { at_ms: now_ms, rank: agreed.rank, source: agreed.source };
            hub.add_version(item.id, &says, origin, Some(placement.agreed), None)?
        };
        if version != placement.agreed {
            hub.set_agreed(placement.id, version)?;
        }
    }
    hub.add_todo(item.id)
}

/// A join was taken out: each provider's collection is one of its own again, and an item that stands at several is several.
/// Nothing is written to a provider for it.
///
/// Keeps promise 4: every copy keeps its base and its history; all of it is one transaction.
fn part(cycle: &mut Cycle<'_>, kind: Kind, collection: &Collection, members: &[MemberPlace]) -> Result<bool> {
    if must_wait(cycle, members, "parted")? {
        return Ok(false);
    }
    let would = if cycle.settings.dry_run { "would be" } else { "are" };
    let names = names_of(members);
    cycle.report.say(format!("{names} {would} kept apart again: their [[join]] was taken out of the configuration"));
    if cycle.settings.dry_run {
        return Ok(false);
    }
    let now = cycle.now();
    cycle.hub.atomically("part", |hub| {
        let mut homes: Vec<(i64, i64)> = Vec::new();
        for (_, place) in members {
            let home = hub.add_collection(kind, &place.name, place.color.as_deref(), place.replica)?;
            hub.reassign_place(place, home)?;
            homes.push((place.replica, home));
        }
        let first = homes.iter().find(|(replica, _)| *replica == collection.origin).unwrap_or(&homes[0]).1;
        for item in hub.standing(collection.id)? {
            let copies = hub.placements(item.id)?;
            let seen = hub.sightings(item.id)?;
            let is_home = |home: i64| {
                copies.iter().any(|copy| copy.collection == home) || seen.iter().any(|copy| copy.collection == home)
            };
            let mut here: Vec<i64> = homes.iter().map(|(_, home)| *home).filter(|home| is_home(*home)).collect();
            if here.is_empty() {
                here.push(first);
            }
            let mut stands = hub.stands(item.id)?;
            stands.remove(&collection.id);
            stands.extend(&here);
            hub.set_stands(item.id, &stands, now)?;
            let keeps = if here.contains(&first) { first } else { here[0] };
            for home in here.into_iter().filter(|home| *home != keeps) {
                hub.split_off(&item, home, now)?;
            }
        }
        hub.succeed(collection.id, first)
    })?;
    Ok(true)
}
