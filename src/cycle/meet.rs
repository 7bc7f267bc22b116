//! Which copy is which item: mark, UID, content, in that order (ENGINE 4); what belongs to none becomes a new item.

use crate::{Cycle, SLICE};
use twofold_engine::pair::{Candidates, Fit};
use twofold_hub::items::Origin;
use twofold_hub::{Bad, Hold, Hub, Item, Placement, Presence, Sighting, random_id};
use twofold_model::{Kind, Lens, RemoteId, Result, Seen};

/// More new files than this on a device's first use are held and shown: an old folder must not bring back what was deleted.
const ADOPT_AT_MOST: usize = 5;

/// Binds every new copy of every reachable replica to an item.
pub async fn meet(cycle: &mut Cycle<'_>, kind: Kind) -> Result<()> {
    for index in 0..cycle.members.len() {
        let Some(connector) = cycle.members[index].reached(kind).cloned() else { continue };
        let replica = cycle.members[index].replica.clone();
        let new_in = cycle.hub.unbound_collections(replica.id)?;
        for place in cycle.hub.places(replica.id, kind)? {
            if new_in.contains(&place.collection) {
                meet_in(cycle, kind, &replica, &place, connector.lens(kind), connector.abilities().rank)?;
            }
            if !place.met && cycle.members[index].complete.contains(&kind) {
                cycle.hub.set_place_met(place.id)?;
            }
        }
    }
    Ok(())
}

fn meet_in(
    cycle: &mut Cycle<'_>,
    kind: Kind,
    replica: &twofold_hub::Replica,
    place: &twofold_hub::Place,
    lens: &dyn Lens,
    rank: u8,
) -> Result<()> {
    let now = cycle.now();
    let mut waiting = Candidates::default();
    for (item, version) in cycle.hub.waiting_for_copy(replica.id, place.collection)? {
        waiting.add(item, cycle.hub.version(version)?.content);
    }
    // Copies that vanished in the same place: a new one that says the same is one of them, renamed.
    let gone = cycle.hub.said_gone_in(replica.id, place.collection)?;
    // On a device's first use, new files are counted before they are believed.
    let is_adoption = replica.is_device && !place.met && cycle.hub.places_of(place.collection)?.len() > 1;
    let mut strangers: Vec<Sighting> = Vec::new();
    let mut after = 0;
    loop {
        let slice = cycle.hub.unbound(replica.id, place.collection, after, SLICE)?;
        let Some(last) = slice.last() else { break };
        after = last.id;
        let report = &mut cycle.report;
        cycle.hub.atomically("meet", |hub| {
            for sighting in slice {
                if bind(hub, kind, lens, &sighting, &gone, &mut waiting)? {
                    continue;
                }
                if is_adoption && sighting.hold.is_none() {
                    strangers.push(sighting);
                } else if take_new(hub, kind, lens, rank, &sighting, now)? {
                    report.row(&replica.name, kind).created += 1;
                }
            }
            Ok(())
        })?;
    }
    if strangers.is_empty() {
        return Ok(());
    }
    let report = &mut cycle.report;
    cycle.hub.atomically("adopt", |hub| {
        if strangers.len() <= ADOPT_AT_MOST {
            for sighting in &strangers {
                if take_new(hub, kind, lens, rank, sighting, now)? {
                    report.row(&replica.name, kind).created += 1;
                }
            }
            return Ok(());
        }
        let id = hub
            .open_hold(replica.id, Some(place.collection), "adoption")?
            .map_or_else(|| format!("new-{}", &random_id()[..6]), |hold| hold.id);
        hub.set_hold(&Hold {
            id: id.clone(),
            replica: replica.id,
            collection: Some(place.collection),
            kind,
            cause: "adoption".into(),
            reason: format!(
                "{} items of \"{}\" on {} are nowhere else; they were not created at the provider",
                strangers.len(),
                place.name,
                replica.name
            ),
            since_ms: now,
            is_approved: false,
        })?;
        strangers.iter().try_for_each(|sighting| hub.hold_sighting(sighting.id, &id))
    })
}

/// Finds the item that a new copy belongs to. `false`: it belongs to none.
///
/// Keeps promise 13: what is already there is adopted, not doubled.
fn bind(
    hub: &mut Hub,
    kind: Kind,
    lens: &dyn Lens,
    sighting: &Sighting,
    gone: &[(i64, RemoteId, i64)],
    waiting: &mut Candidates,
) -> Result<bool> {
    let mut named: Vec<Item> = Vec::new();
    if let Some(mark) = &sighting.mark {
        named.extend(hub.item_by_mark(mark)?);
    }
    if let Some(uid) = &sighting.uid {
        named.extend(hub.items_by_uid(kind, uid)?);
    }
    for item in named {
        let here: Vec<Placement> =
            hub.placements(item.id)?.into_iter().filter(|placement| placement.replica == sighting.replica).collect();
        match here.iter().find(|placement| placement.collection == sighting.collection) {
            None => {
                hub.bind_sighting(sighting.id, item.id)?;
                return Ok(true);
            }
            // The copy that was known under another name is gone: this is it (a file renamed, an id that changed).
            Some(old) if is_said_gone(hub, old)? => {
                hub.remove_sighting_of(old.replica, &old.remote_id)?;
                hub.rename_placement(old.id, &sighting.remote_id)?;
                hub.bind_sighting(sighting.id, item.id)?;
                return Ok(true);
            }
            // Somebody made a second copy there: the older one keeps the name, this is an item of its own.
            Some(_) => {}
        }
    }
    if gone.is_empty() && waiting.is_empty() {
        return Ok(false);
    }
    let Ok(content) = lens.read(&sighting.rendering) else { return Ok(false) };
    // A copy that vanished in the same collection and says the same: it was renamed.
    if let Some(old) = renamed_from(hub, lens, sighting, gone, &content)? {
        hub.remove_sighting_of(old.replica, &old.remote_id)?;
        hub.rename_placement(old.id, &sighting.remote_id)?;
        hub.bind_sighting(sighting.id, old.item)?;
        return Ok(true);
    }
    match waiting.take(&content) {
        Some((item, fit)) if fit > Fit::None => {
            hub.bind_sighting(sighting.id, item)?;
            Ok(true)
        }
        _ => Ok(false),
    }
}

fn is_said_gone(hub: &Hub, placement: &Placement) -> Result<bool> {
    Ok(hub.sighting(placement.replica, &placement.remote_id)?.is_some_and(|seen| seen.presence != Presence::Here))
}

fn renamed_from(
    hub: &Hub,
    lens: &dyn Lens,
    sighting: &Sighting,
    gone: &[(i64, RemoteId, i64)],
    content: &twofold_model::Content,
) -> Result<Option<Placement>> {
    for (_, remote_id, _) in gone {
        let Some(old) = hub.placement(sighting.replica, remote_id)? else { continue };
        if lens.read(&old.seen).is_ok_and(|was| was == *content) {
            return Ok(Some(old));
        }
    }
    Ok(None)
}

/// Makes an item of a copy that belongs to none. A copy that cannot be understood goes to quarantine; `false` then.
fn take_new(hub: &mut Hub, kind: Kind, lens: &dyn Lens, rank: u8, sighting: &Sighting, now: i64) -> Result<bool> {
    let content = match lens.read(&sighting.rendering) {
        Ok(content) => content,
        Err(error) => {
            let bad = Bad {
                replica: sighting.replica,
                collection: Some(sighting.collection),
                item: None,
                remote_id: sighting.remote_id.as_str(),
                reason: &error.to_string(),
                raw: sighting.rendering.as_bytes(),
            };
            hub.quarantine(&bad, now)?;
            hub.remove_sighting(sighting.id)?;
            return Ok(false);
        }
    };
    let free = match &sighting.uid {
        Some(uid) if hub.items_by_uid(kind, uid)?.is_empty() => Some(uid),
        _ => None,
    };
    let at_ms = sighting.modified_ms.unwrap_or(sighting.observed_ms).min(sighting.observed_ms);
    let origin = Origin { at_ms, rank, source: Some(sighting.replica) };
    let item = hub.add_item(kind, free, &content, origin, sighting.collection)?;
    hub.set_placement(item.id, sighting.replica, sighting.collection, item.version, &as_seen(sighting))?;
    hub.remove_sighting(sighting.id)?;
    Ok(true)
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
