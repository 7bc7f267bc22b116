//! What a place does not list any more.

use super::Listed;
use crate::Cycle;
use twofold_hub::{Place, Replica};
use twofold_model::{Access, Collection, Kind, Result};

/// A collection that its replica lists again was not gone, whatever was decided about it.
pub(super) fn heal(cycle: &mut Cycle<'_>, kind: Kind, found: &Listed) -> Result<()> {
    for (index, collections) in found {
        let replica = cycle.members[*index].replica.id;
        for place in cycle.hub.places(replica, kind)? {
            let is_listed = collections.iter().any(|collection| collection.id.as_str() == place.remote_id);
            if let Some(hold) = cycle.hub.hold_on(replica, place.collection, "collection")?.filter(|_| is_listed) {
                cycle.hub.remove_hold(&hold.id)?;
            }
        }
    }
    Ok(())
}

/// A collection that its replica's complete list no longer names is one hold, not a thousand removals (ENGINE 9). A device's
/// folder of which nothing is known yet is made anew.
///
/// Keeps promises 1 and 8: nothing is removed for it, and the hold is one row.
pub(super) async fn hold(cycle: &mut Cycle<'_>, kind: Kind, found: &Listed) -> Result<()> {
    for (index, collections) in found {
        let replica = cycle.members[*index].replica.clone();
        for place in cycle.hub.places(replica.id, kind)? {
            let is_listed = |list: &[Collection]| list.iter().any(|one| one.id.as_str() == place.remote_id);
            // What is left out raises no question, wherever it went.
            if cycle.left_out.has(place.collection) {
                continue;
            }
            // Nor does what is in a tree that is shut as a whole.
            let above = |id: &str| id.rsplit_once('/').map_or("", |(above, _)| above).to_owned();
            let beside = |one: &&Collection| above(one.id.as_str()) == above(&place.remote_id);
            let mut of_tree = collections.iter().filter(beside);
            let is_shut = |one: &Collection| one.access == Access::Closed && one.is_default;
            if replica.is_device && of_tree.next().is_some_and(is_shut) && of_tree.next().is_none() {
                continue;
            }
            if is_listed(collections) || cycle.hub.hold_on(replica.id, place.collection, "collection")?.is_some() {
                continue;
            }
            // A second look: one list may be short.
            let Some(connector) = cycle.members[*index].reached(kind).cloned() else { continue };
            match connector.collections(kind).await {
                Ok(again) if !is_listed(&again) => {}
                _ => continue,
            }
            // It was to go, and did: by a removal whose reply got lost, or by somebody else's hand.
            if cycle.hub.collection(place.collection)?.is_some_and(|collection| !collection.stays()) {
                cycle.hub.atomically("collection left", |hub| hub.remove_place(place.id))?;
                continue;
            }
            let items = cycle.hub.copies(replica.id, place.collection)?;
            if replica.is_device && items == 0 && !place.met {
                cycle.hub.atomically("folder not begun", |hub| hub.remove_place(place.id))?;
                continue;
            }
            let reason = words(&replica, &place, items);
            let since_ms = cycle.now();
            cycle.hub.atomically("collection gone", |hub| {
                if let Some(unfit) = hub.open_hold(replica.id, Some(place.collection), "folder")? {
                    hub.remove_hold(&unfit.id)?;
                }
                hub.set_hold(&twofold_hub::Hold {
                    id: format!("folder-{}", &twofold_hub::random_id()[..6]),
                    replica: replica.id,
                    collection: Some(place.collection),
                    kind,
                    cause: "collection".into(),
                    reason,
                    since_ms,
                    is_approved: false,
                })
            })?;
        }
    }
    Ok(())
}

/// Holds what a device says of a folder in which nothing may be touched (it has no marker, or is not whole), for as long as it says so: by
/// replica and collection what it said, or nothing where the folder was read.
pub fn note_unfit(cycle: &mut Cycle<'_>, kind: Kind, said: Vec<(i64, i64, Option<String>)>) -> Result<()> {
    let mut open = cycle.hub.holds()?;
    open.retain(|hold| hold.cause == "folder");
    let since_ms = cycle.now();
    for (replica, collection, said) in said {
        let open = open.iter().find(|hold| (hold.replica, hold.collection) == (replica, Some(collection)));
        match (said, open) {
            (Some(reason), Some(open)) if open.reason == reason => {}
            (Some(reason), open) => cycle.hub.set_hold(&twofold_hub::Hold {
                id: open.map_or_else(|| format!("folder-{}", &twofold_hub::random_id()[..6]), |hold| hold.id.clone()),
                replica,
                collection: Some(collection),
                kind,
                cause: "folder".into(),
                reason,
                since_ms,
                is_approved: false,
            })?,
            (None, Some(open)) => cycle.hub.remove_hold(&open.id)?,
            (None, None) => {}
        }
    }
    Ok(())
}

/// Says of collections that are gone what is in question by now: what was moved out of them before is not.
pub fn count(cycle: &mut Cycle<'_>, kind: Kind) -> Result<()> {
    for mut hold in cycle.hub.holds()?.into_iter().filter(|hold| hold.cause == "collection" && hold.kind == kind) {
        let Some(replica) = cycle.member(hold.replica).map(|member| member.replica.clone()) else { continue };
        let mut places = cycle.hub.places(replica.id, kind)?;
        places.retain(|place| Some(place.collection) == hold.collection);
        let Some(place) = places.first().filter(|_| !hold.is_approved) else { continue };
        let reason = words(&replica, place, cycle.hub.copies(replica.id, place.collection)?);
        if reason != hold.reason {
            hold.reason = reason;
            cycle.hub.atomically("collection counted", |hub| hub.set_hold(&hold))?;
        }
    }
    Ok(())
}

fn words(replica: &Replica, place: &Place, items: usize) -> String {
    // A device has folders of several accounts, which may have the same name.
    let of = match place.remote_id.split_once('/') {
        Some((account, _)) if replica.is_device => format!(" of {account}"),
        _ => String::new(),
    };
    let mut words =
        format!("\"{}\"{of} with {items} items is gone at {}; nothing was removed elsewhere", place.name, replica.name);
    if replica.is_device {
        words.push_str(&format!(
            ". Is a disk not mounted? If the device was replaced, type: twofold device fill {}",
            replica.name
        ));
    }
    words
}
