//! Which copy is which item: mark, UID, content, in that order (ENGINE 4); what belongs to none becomes a new item.

mod first_use;
mod likes;

use crate::intake::Intake;
use crate::likeness::{Vanished, is_alike};
use crate::{Cycle, SLICE};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use twofold_engine::pair::{Candidates, Fit, shows_other_message};
use twofold_hub::items::Origin;
use twofold_hub::{Bad, Hold, Hub, Item, Placement, Presence, Sighting, random_id};
use twofold_model::email::{has_keyword, keywords};
use twofold_model::{BlobId, Blobs, Content, Facts, Kind, Lens, RemoteId, Result, Seen, Uid};

use first_use::{
    ADOPT_AT_MOST, Adoption, Strangers, clash, hold_strangers, known_by_now, says_otherwise, take_as_it_was,
    was_deleted, went_elsewhere,
};
pub(crate) use likes::Others;
use likes::{Likes, by_bytes};

/// A mark of another hub on something younger than this: a second twofold works on this account (ENGINE 5).
const YOUNG_MS: i64 = 24 * 3_600_000;

/// Binds every new copy of every reachable replica to an item, and notes what has been met with that.
pub async fn meet(cycle: &mut Cycle<'_>, kind: Kind) -> Result<()> {
    for index in 0..cycle.members.len() {
        let Some(connector) = cycle.members[index].reached(kind).cloned() else { continue };
        let replica = cycle.members[index].replica.clone();
        part(cycle, replica.id)?;
        let new_in = cycle.hub.unbound_collections(replica.id)?;
        let places = cycle.hub.places(replica.id, kind)?;
        let left_out = cycle.left_out.clone();
        let kept = || places.iter().filter(|place| !left_out.has(place.collection));
        let new: Vec<&twofold_hub::Place> = kept().filter(|place| new_in.contains(&place.collection)).collect();
        if !new.is_empty() {
            let (lens, rank, now) = (connector.lens(kind), connector.abilities().rank, cycle.now());
            let intake = Intake { replica: replica.id, kind, places: &places, lens, rank, now, left_out: &left_out };
            let vanished = Vanished::of(cycle, kind, index)?;
            meet_at(cycle, &replica, &new, &intake, vanished)?;
        }
    }
    crate::lost::note_met(cycle, kind)
}

/// The places all of whose copies have been met for the first time, of which that is not noted yet.
pub fn met_first(cycle: &Cycle<'_>, kind: Kind) -> Result<Vec<twofold_hub::Place>> {
    let mut first = Vec::new();
    for member in
        cycle.members.iter().filter(|member| member.reached(kind).is_some() && member.complete.contains(&kind))
    {
        for place in cycle.hub.places(member.replica.id, kind)? {
            // Messages whose bytes are still to come are met when these are here, and files on a device with all of their account.
            let is_met = !place.met
                && !cycle.left_out.has(place.collection)
                && !cycle.hub.lacks_bodies(place.collection)?
                && Account::of(cycle, &member.replica, &place, kind)? != Account::NotReadYet;
            if is_met {
                first.push(place);
            }
        }
    }
    Ok(first)
}

/// Binds the new copies of one replica. What a device's first use brings for an account is counted over all its places before any of it is
/// believed.
fn meet_at(
    cycle: &mut Cycle<'_>,
    replica: &twofold_hub::Replica,
    new: &[&twofold_hub::Place],
    intake: &Intake<'_>,
    mut vanished: Vanished,
) -> Result<()> {
    let mut of_account: BTreeMap<i64, Vec<(&twofold_hub::Place, Adoption)>> = BTreeMap::new();
    for place in new {
        let adoption = meet_in(cycle, replica, place, (intake, &mut vanished), Strangers::AreCounted)?;
        clash(cycle, replica, place, intake, &adoption)?;
        if let Some(collection) = cycle.hub.collection(place.collection)?.filter(|_| !adoption.strangers.is_empty()) {
            of_account.entry(collection.origin).or_default().push((place, adoption));
        }
    }
    for adoptions in of_account.into_values() {
        let all: usize = adoptions.iter().map(|(_, adoption)| adoption.strangers.len()).sum();
        let is_held = all > ADOPT_AT_MOST || adoptions.iter().any(|(_, adoption)| adoption.deleted > 0);
        for (place, adoption) in adoptions {
            if is_held {
                hold_strangers(cycle, replica, place, intake, &adoption, all)?;
            } else {
                meet_in(cycle, replica, place, (intake, &mut vanished), Strangers::AreTaken)?;
            }
        }
    }
    new.iter().try_for_each(|place| known_by_now(cycle, replica, place, intake))
}

/// Parts from its item what was moved to where another copy of that item stands: one item has one copy in a collection, so this is one of
/// its own from now on.
fn part(cycle: &mut Cycle<'_>, replica: i64) -> Result<()> {
    let moved = cycle.hub.moved_copies(replica)?;
    if moved.is_empty() {
        return Ok(());
    }
    let now = cycle.now();
    cycle.hub.atomically("part", |hub| {
        let mut taken: HashSet<(i64, i64)> = HashSet::new();
        for (seen, known) in &moved {
            let mut is_taken = !taken.insert((known.item, seen.collection));
            for other in hub.placements(known.item)? {
                let stays = (other.replica, other.collection) == (replica, seen.collection) && {
                    let waiting = hub.sighting(replica, &other.remote_id)?;
                    waiting.is_none_or(|it| it.presence == Presence::Here && it.collection == other.collection)
                };
                is_taken |= stays && other.id != known.id;
            }
            if is_taken {
                hub.part_copy(seen, known, now)?;
            }
        }
        Ok(())
    })
}

/// Binds the new copies of one place, a slice at a time. Answers what of them is counted first.
///
/// Keeps promise 13: a copy is bound, or made an item, in the transaction that settles its sighting.
fn meet_in(
    cycle: &mut Cycle<'_>,
    replica: &twofold_hub::Replica,
    place: &twofold_hub::Place,
    (intake, vanished): (&Intake<'_>, &mut Vanished),
    strangers: Strangers,
) -> Result<Adoption> {
    let account = Account::of(cycle, replica, place, intake.kind)?;
    let blobs = cycle.settings.blobs.clone().filter(|_| replica.is_device && intake.kind == Kind::Mail);
    let mut waiting = Candidates::default();
    let waits = match replica.is_device {
        true => cycle.hub.unseen_in(replica.id, place.collection)?,
        false => cycle.hub.waiting_for_copy(replica.id, place.collection)?,
    };
    for (item, version) in waits {
        waiting.add(item, cycle.hub.version(version)?.content);
    }
    if intake.kind == Kind::Mail && replica.is_device && !waiting.is_empty() {
        // One of which a new copy has the very bytes is not that of another copy of its name.
        let mut after = 0;
        loop {
            let slice = cycle.hub.unbound(replica.id, place.collection, after, SLICE)?;
            let Some(last) = slice.last() else { break };
            after = last.id;
            for blob in slice.iter().filter_map(|sighting| intake.lens.facts(&sighting.rendering).blob) {
                cycle.hub.items_by_blob(&blob)?.iter().for_each(|item| waiting.remove(item.id));
            }
        }
    }
    // Copies that vanished in the same place: a new one that says the same is one of them, renamed.
    let gone = cycle.hub.said_gone_in(replica.id, place.collection)?;
    let is_first_use = replica.is_device && !place.met;
    let mut adoption = Adoption::default();
    let mut after = 0;
    loop {
        let slice = cycle.hub.unbound(replica.id, place.collection, after, SLICE)?;
        let Some(last) = slice.last() else { break };
        after = last.id;
        let report = &mut cycle.report;
        let mut likes = Likes::default();
        cycle.hub.atomically("meet", |hub| {
            for sighting in slice {
                foreign_mark(hub, intake, replica, &sighting)?;
                let known = (&gone[..], &mut waiting, &mut likes);
                let mut bound = bind(hub, intake, (&sighting, account, blobs.as_deref()), known)?;
                if bound.is_none() && replica.is_device && !is_first_use && account == Account::Shared {
                    bound = beside_its_like(hub, intake, &sighting)?;
                }
                if bound.is_none() {
                    bound = vanished.take(hub, intake, &sighting)?;
                }
                // What this very place had elsewhere until now was moved, and is no stranger.
                let is_moved = match bound {
                    Some(item) => left_another(hub, &sighting, item)?,
                    None => false,
                };
                let is_counted =
                    is_first_use && strangers == Strangers::AreCounted && sighting.hold.is_none() && !is_moved;
                match bound {
                    Some(item) if is_first_use && stands_there(hub, item, place.collection)? => {
                        if says_otherwise(hub, intake.lens, &sighting, item)? {
                            adoption.clashing.push(sighting.id);
                        }
                        adoption.paired.push(sighting.id);
                        hub.date_back(sighting.id)?;
                        hub.bind_sighting(sighting.id, item)?;
                    }
                    // Whether it stands there as well is known when its account was read.
                    Some(_) if is_counted && account == Account::NotReadYet => {}
                    None if account == Account::NotReadYet => {}
                    Some(item)
                        if is_first_use && !is_moved && went_elsewhere(hub, intake, (&sighting, account), item)? =>
                    {
                        take_as_it_was(hub, intake, &sighting, item)?;
                    }
                    _ if is_counted => {
                        adoption.deleted += usize::from(was_deleted(hub, intake, &sighting, bound)?);
                        adoption.strangers.push(sighting.id);
                    }
                    Some(item) => {
                        if is_first_use {
                            hub.date_back(sighting.id)?;
                        }
                        hub.bind_sighting(sighting.id, item)?;
                    }
                    None => {
                        let is_old = is_first_use || sighting.hold.is_some();
                        if let Some(item) = take_stranger(hub, intake, &sighting, is_old)? {
                            report.row(&replica.name, intake.kind).created += 1;
                            likes.made(hub, intake.lens, &sighting, item)?;
                        }
                    }
                }
                if let Some(item) = bound.filter(|_| replica.is_device) {
                    waiting.remove(item);
                }
                likes.changed(bound, sighting.uid);
            }
            Ok(())
        })?;
    }
    Ok(adoption)
}

/// Whether an item that nobody buried stands in a collection, or is seen there.
fn stands_there(hub: &Hub, item: i64, collection: i64) -> Result<bool> {
    Ok(hub.item(item)?.buried_ms.is_none() && stands_or_is_seen(hub, item)?.contains(&collection))
}

/// The collections in which an item stands, or is seen by now. What a device's first use brought is old ([`Hub::date_back`]), and says where an
/// item stands only where nothing else does.
fn stands_or_is_seen(hub: &Hub, item: i64) -> Result<BTreeSet<i64>> {
    let mut all = hub.stands(item)?;
    let seen = hub.sightings(item)?;
    let here = || seen.iter().filter(|seen| seen.presence == Presence::Here);
    all.extend(here().filter(|seen| seen.observed_ms > 0).map(|seen| seen.collection));
    if all.is_empty() {
        all.extend(here().map(|seen| seen.collection));
    }
    Ok(all)
}

/// A mark of another hub on something that was made today: two twofolds write to one account, and would do so for ever. All
/// writes there are held, until somebody says that the other one is gone.
fn foreign_mark(hub: &mut Hub, intake: &Intake<'_>, replica: &twofold_hub::Replica, sighting: &Sighting) -> Result<()> {
    if sighting.mark.as_ref().is_none_or(|mark| mark.hub == hub.id()) {
        return Ok(());
    }
    let is_young = sighting.modified_ms.is_some_and(|at| at > intake.now - YOUNG_MS);
    if !is_young {
        crate::lost::note(hub)?;
    }
    if replica.is_device || !is_young {
        return Ok(());
    }
    if hub.holds_of_any_state()?.iter().any(|hold| hold.replica == replica.id && hold.cause == "foreign") {
        return hub.note_foreign(replica.id, intake.now);
    }
    let name = &replica.name;
    hub.set_hold(&Hold {
        id: format!("other-{}", &random_id()[..6]),
        replica: replica.id,
        collection: None,
        kind: intake.kind,
        cause: "foreign".into(),
        reason: format!("another twofold wrote to {name} within the last day; this one writes nothing there"),
        since_ms: intake.now,
        is_approved: false,
    })
}

/// The items that a copy's mark or UID names, in that order of trust.
fn named(hub: &Hub, kind: Kind, seen: &Seen) -> Result<Vec<Item>> {
    let mut named: Vec<Item> = Vec::new();
    if let Some(mark) = &seen.mark {
        named.extend(hub.item_by_mark(mark)?);
    }
    if let Some(uid) = &seen.uid {
        named.extend(
            hub.items_by_uid(kind, uid)?
                .into_iter()
                .filter(|item| named.iter().all(|n| n.id != item.id))
                .collect::<Vec<_>>(),
        );
    }
    Ok(named)
}

/// Whether neither mark nor UID names an item that the hub holds, and no other hub's mark stands there.
pub fn is_nameless(hub: &Hub, kind: Kind, seen: &Seen) -> Result<bool> {
    Ok(seen.mark.is_none() && named(hub, kind, seen)?.is_empty())
}

/// The item that a new copy belongs to; none: it is an item of its own. A copy that was known there under another name is
/// renamed on the way. `blobs`: the bytes of messages, where the copy is a file on a device.
///
/// Keeps promise 13: what is already there is adopted, not doubled.
fn bind(
    hub: &mut Hub,
    intake: &Intake<'_>,
    (sighting, account, blobs): (&Sighting, Account, Option<&dyn Blobs>),
    (gone, waiting, likes): (&[(i64, RemoteId, i64)], &mut Candidates, &mut Likes),
) -> Result<Option<i64>> {
    for item in named(hub, intake.kind, &as_seen(sighting))? {
        // Two programs gave two messages one file name, or one message was copied from the folders of another account.
        if intake.kind == Kind::Mail
            && (is_other_message(hub, intake.lens, sighting, &item)?
                || is_other_draft(hub, intake.lens, blobs, sighting, item.id)?
                || is_of_other_account(hub, sighting, item.id)?)
        {
            continue;
        }
        let here: Vec<Placement> =
            hub.placements(item.id)?.into_iter().filter(|placement| placement.replica == sighting.replica).collect();
        let is_marked_message = intake.kind == Kind::Mail && sighting.mark.is_some();
        match here.iter().find(|placement| placement.collection == sighting.collection) {
            // A copy that somebody made in another collection, and changed, is no word about the one that is still there.
            None if account == Account::Unshared && is_changed_copy(hub, intake.lens, sighting, &here)? => {}
            // A place that copies an item copies its mark: where another item waits for that copy, it is this.
            None if account == Account::Unshared && is_marked_message && are_there(hub, &here)? => {
                let content = intake.lens.read(&sighting.rendering).ok();
                let awaited = content.and_then(|content| waiting.take(&content));
                return Ok(Some(awaited.map_or(item.id, |(awaited, _)| awaited)));
            }
            None => return Ok(Some(item.id)),
            // The copy that was known under another name is gone: this is it (a file renamed, an id that changed).
            Some(old) if is_said_gone(hub, old)? => {
                hub.remove_sighting_of(old.replica, &old.remote_id)?;
                hub.rename_placement(old.id, &sighting.remote_id)?;
                return Ok(Some(item.id));
            }
            // Somebody made a second copy there: the older one keeps the name, this is an item of its own.
            Some(_) => {}
        }
    }
    if let Some(item) = by_bytes(hub, intake, sighting, account, likes)? {
        return Ok(Some(item));
    }
    if gone.is_empty() && waiting.is_empty() {
        return Ok(None);
    }
    let Ok(content) = intake.lens.read(&sighting.rendering) else { return Ok(None) };
    // A copy that vanished in the same collection and says the same: it was renamed.
    if let Some(old) = renamed_from(hub, intake.lens, sighting, gone, &content)? {
        hub.remove_sighting_of(old.replica, &old.remote_id)?;
        hub.rename_placement(old.id, &sighting.remote_id)?;
        return Ok(Some(old.item));
    }
    // Of messages of one name and other bytes, which is which is known once all of them were read.
    if intake.kind == Kind::Mail && account == Account::NotReadYet {
        return Ok(None);
    }
    let Some((item, _)) = waiting.take(&content).filter(|(_, fit)| *fit > Fit::None) else { return Ok(None) };
    if is_other_draft(hub, intake.lens, blobs, sighting, item)? {
        waiting.add(item, hub.version(hub.item(item)?.version)?.content);
        return Ok(None);
    }
    Ok(Some(item))
}

/// Whether a file is another state of a draft, or what became of it: somebody goes on writing a draft, and it keeps its Message-ID. So the
/// two are two until somebody throws one away.
fn is_other_draft(
    hub: &Hub,
    lens: &dyn Lens,
    blobs: Option<&dyn Blobs>,
    sighting: &Sighting,
    item: i64,
) -> Result<bool> {
    let (Some(blobs), Ok(says)) = (blobs, lens.read(&sighting.rendering)) else { return Ok(false) };
    let known = hub.version(hub.item(item)?.version)?.content;
    let blob = |content: &Content| content.get("blobId").and_then(|name| BlobId::parse(name.as_str()?));
    let is_draft = has_keyword(&known, keywords::DRAFT) || has_keyword(&says, keywords::DRAFT);
    Ok(match (blob(&known), blob(&says)) {
        (Some(one), Some(other)) if is_draft => !is_alike(blobs, &one, &other),
        _ => false,
    })
}

/// Whether an item stands, or stood last, in folders of other accounts only: the mail of two accounts is never one.
pub(crate) fn is_of_other_account(hub: &Hub, sighting: &Sighting, item: i64) -> Result<bool> {
    let home = hub.collection(sighting.collection)?.map(|collection| collection.origin);
    let mut origins = Vec::new();
    let copies = hub.placements(item)?;
    for collection in hub.stands(item)?.into_iter().chain(copies.iter().map(|copy| copy.collection)) {
        origins.push(hub.collection(collection)?.map(|collection| collection.origin));
    }
    Ok(!origins.is_empty() && !origins.contains(&home))
}

fn is_other_message(hub: &Hub, lens: &dyn Lens, sighting: &Sighting, item: &Item) -> Result<bool> {
    let content = hub.version(item.version)?.content;
    Ok(lens.read(&sighting.rendering).is_ok_and(|says| shows_other_message(&content, &says)))
}

/// What the account of a collection says of a copy that no mark and no UID names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Account {
    /// An item stands in one of its collections at a time; a further copy is an item of its own.
    Unshared,
    /// An item may stand in several of its collections.
    Shared,
    /// Not all of its messages were read yet, or it cannot be reached: whether a file on a device is one of them, nobody knows.
    NotReadYet,
}

impl Account {
    fn of(
        cycle: &Cycle<'_>,
        replica: &twofold_hub::Replica,
        place: &twofold_hub::Place,
        kind: Kind,
    ) -> Result<Account> {
        let Some(collection) = cycle.hub.collection(place.collection)? else { return Ok(Account::Unshared) };
        let provider = cycle.member(collection.origin).and_then(|member| member.reached(kind));
        let shares = provider.is_some_and(|provider| provider.abilities().shares.contains(&kind));
        let is_unread = kind == Kind::Mail
            && replica.is_device
            && (provider.is_none() || cycle.hub.awaits_bodies(collection.origin)?);
        Ok(match (is_unread, shares) {
            (true, _) => Account::NotReadYet,
            (false, true) => Account::Shared,
            (false, false) => Account::Unshared,
        })
    }
}

/// The message whose copy stands in the very folder in which a further file of its bytes came to stand. Where it may stand in several
/// folders it stands in each of them once, so that this is no other message: the file is taken away (`weigh/copies.rs`).
fn beside_its_like(hub: &Hub, intake: &Intake<'_>, sighting: &Sighting) -> Result<Option<i64>> {
    let Some(blob) = intake.lens.facts(&sighting.rendering).blob else { return Ok(None) };
    let at = (sighting.replica, sighting.collection);
    for item in hub.items_by_blob(&blob)? {
        let is_known = |copy: &Placement| (copy.replica, copy.collection) == at;
        let is_new = |seen: &Sighting| (seen.replica, seen.collection) == at && seen.presence == Presence::Here;
        let is_here = hub.placements(item.id)?.iter().any(is_known) || hub.sightings(item.id)?.iter().any(is_new);
        if is_here && !is_of_other_account(hub, sighting, item.id)? {
            return Ok(Some(item.id));
        }
    }
    Ok(None)
}

/// Whether all known copies at this replica are still there, in other collections, and say something else.
fn is_changed_copy(hub: &Hub, lens: &dyn Lens, sighting: &Sighting, here: &[Placement]) -> Result<bool> {
    let Ok(says) = lens.read(&sighting.rendering) else { return Ok(false) };
    let mut is_other = !here.is_empty();
    for known in here {
        is_other &= !is_said_gone(hub, known)? && lens.read(&known.seen).is_ok_and(|said| said != says);
    }
    Ok(is_other)
}

/// Whether there are known copies, and nobody says of any that it is gone.
fn are_there(hub: &Hub, known: &[Placement]) -> Result<bool> {
    let gone = known.iter().map(|copy| is_said_gone(hub, copy)).collect::<Result<Vec<bool>>>()?;
    Ok(!gone.is_empty() && !gone.contains(&true))
}

/// Whether a copy, or its whole collection, is said to be gone.
fn is_said_gone(hub: &Hub, placement: &Placement) -> Result<bool> {
    Ok(match hub.sighting(placement.replica, &placement.remote_id)? {
        Some(seen) => seen.presence != Presence::Here,
        None => hub.hold_on(placement.replica, placement.collection, "collection")?.is_some(),
    })
}

/// Whether a copy of an item that was known at the replica of a new one is said to be gone there, or goes by the new one's name by now.
fn left_another(hub: &Hub, sighting: &Sighting, item: i64) -> Result<bool> {
    for placement in hub.placements(item)?.iter().filter(|placement| placement.replica == sighting.replica) {
        if placement.remote_id == sighting.remote_id || is_said_gone(hub, placement)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn renamed_from(
    hub: &Hub,
    lens: &dyn Lens,
    sighting: &Sighting,
    gone: &[(i64, RemoteId, i64)],
    content: &Content,
) -> Result<Option<Placement>> {
    for (_, remote_id, _) in gone {
        let Some(old) = hub.placement(sighting.replica, remote_id)? else { continue };
        if lens.read(&old.seen).is_ok_and(|was| was == *content) {
            return Ok(Some(old));
        }
    }
    Ok(None)
}

/// [`take_new`] for a copy that was stored as a sighting. What `is_old`, as all is that a device's first use brings, counts as made
/// before: it is no new meeting (`weigh/invite.rs`).
fn take_stranger(hub: &mut Hub, intake: &Intake<'_>, sighting: &Sighting, is_old: bool) -> Result<Option<i64>> {
    let facts = intake.lens.facts(&sighting.rendering);
    let free = match &sighting.uid {
        Some(uid) if hub.items_by_uid(intake.kind, uid)?.is_empty() => Some(uid),
        _ => None,
    };
    let seen = as_seen(sighting);
    let made = take_new(hub, intake, sighting.collection, (&seen, &facts), free, sighting.observed_ms)?;
    if let (Some(item), true) = (made, is_old) {
        hub.next_generation(item)?;
    }
    hub.remove_sighting(sighting.id)?;
    Ok(made)
}

/// Makes an item of a copy that belongs to none, and answers it. The UID is one that no other item has; without one it gets its own. A copy
/// that cannot be understood goes to quarantine; `None` then.
pub fn take_new(
    hub: &mut Hub,
    intake: &Intake<'_>,
    collection: i64,
    (seen, facts): (&Seen, &Facts),
    uid: Option<&Uid>,
    observed_ms: i64,
) -> Result<Option<i64>> {
    let content = match intake.lens.read(&seen.rendering) {
        Ok(content) => content,
        Err(error) => {
            let bad = Bad {
                replica: intake.replica,
                collection: Some(collection),
                item: None,
                remote_id: seen.remote_id.as_str(),
                reason: &error.to_string(),
                raw: seen.rendering.as_bytes(),
            };
            hub.quarantine(&bad, intake.now)?;
            return Ok(None);
        }
    };
    let at_ms = seen.modified_ms.unwrap_or(observed_ms).min(observed_ms);
    let origin = Origin { at_ms, rank: intake.rank, source: Some(intake.replica) };
    let item = hub.add_item(intake.kind, uid, (&content, facts), origin, collection)?;
    hub.add_placement(item.id, intake.replica, collection, item.version, seen)?;
    crate::tell::taken_new(hub, intake.replica, intake.kind, collection, &item.mark)?;
    Ok(Some(item.id))
}

/// A sighting as the replica showed it.
pub fn as_seen(sighting: &Sighting) -> Seen {
    Seen {
        remote_id: sighting.remote_id.clone(),
        collection: twofold_model::CollectionId(String::new()),
        etag: sighting.etag.clone(),
        rendering: sighting.rendering.clone(),
        uid: sighting.uid.clone(),
        mark: sighting.mark.clone(),
        modified_ms: sighting.modified_ms,
    }
}
