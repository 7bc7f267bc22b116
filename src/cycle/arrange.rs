//! Which collections there are, and where each of them stands (ENGINE 9, 10).
//!
//! A collection comes from a provider, or from a folder that somebody made on a device below a provider's name. It is made
//! at every device, under `PROVIDER/KIND`, or under `joined/KIND` when the configuration joins two providers' collections.

use crate::{Cycle, Member, joins};
use twofold_hub::Place;
use twofold_model::connector::{Access, Collection};
use twofold_model::error::AtPlace;
use twofold_model::{CollectionId, Error, ErrorKind, Kind, Result};

/// What each reachable replica listed: its place among the members, and its collections.
pub(crate) type Listed = Vec<(usize, Vec<Collection>)>;

/// Brings the hub's collections of a kind up to date with what the replicas have, and makes those that a device lacks.
/// `false`: the configuration joins what is not there; nothing of this kind may be touched.
pub async fn arrange(cycle: &mut Cycle<'_>, kind: Kind) -> Result<bool> {
    let mut found: Listed = Vec::new();
    for index in 0..cycle.members.len() {
        let Some(connector) = cycle.members[index].reached(kind).cloned() else { continue };
        match connector.collections(kind).await.at(kind) {
            Ok(collections) => found.push((index, collections)),
            Err(error) => cycle.members[index].lose(error),
        }
    }
    // Providers stand before devices.
    let providers = found.iter().take_while(|(index, _)| !cycle.members[*index].replica.is_device).count();
    for (index, collections) in &found[..providers] {
        let (replica, name) = (cycle.members[*index].replica.id, cycle.members[*index].replica.name.clone());
        for collection in collections {
            follow(cycle, kind, replica, &name, collection, &found)?;
        }
    }
    if !joins::are_there(cycle, kind, &found)? {
        return Ok(false);
    }
    for index in 0..cycle.members.len() {
        follow_moved(cycle, kind, index).await?;
    }
    heal(cycle, kind, &found)?;
    put_back_collections(cycle, kind).await?;
    missing_collections(cycle, kind, &found).await?;
    for (index, collections) in &found[providers..] {
        make_missing(cycle, kind, *index).await?;
        take_new_folders(cycle, kind, *index, collections, &found).await?;
    }
    Ok(true)
}

/// Follows collections that somebody gave another name behind our back (folders of a device).
///
/// Keeps promise 1: a folder under another name is no folder that is gone. Place, copies and feed move together.
async fn follow_moved(cycle: &mut Cycle<'_>, kind: Kind, index: usize) -> Result<()> {
    let Some(connector) = cycle.members[index].reached(kind).cloned() else { return Ok(()) };
    let replica = cycle.members[index].replica.clone();
    let moved = match connector.moved_collections(kind).await {
        Ok(moved) => moved,
        Err(error) => {
            cycle.members[index].lose(error);
            return Ok(());
        }
    };
    for (from, to) in moved {
        let places = cycle.hub.places(replica.id, kind)?;
        if let Some(place) = places.iter().find(|place| place.remote_id == from.as_str()) {
            cycle.hub.atomically("follow folder", |hub| hub.move_place(place, to.as_str()))?;
        } else if !places.iter().any(|place| place.remote_id == to.as_str()) {
            continue;
        }
        if !cycle.settings.dry_run
            && let Err(error) = connector.follow_collection(kind, &to).await
        {
            cycle.report.trouble(&replica.name, &error);
        }
    }
    Ok(())
}

/// A collection that its replica lists again was not gone, whatever was decided about it.
fn heal(cycle: &mut Cycle<'_>, kind: Kind, found: &Listed) -> Result<()> {
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

/// Somebody said that a collection's removal was wrong: it is made again there, and everything in it.
///
/// Keeps promise 8: old place and bases go, new place and the hold's end come, all or nothing.
async fn put_back_collections(cycle: &mut Cycle<'_>, kind: Kind) -> Result<()> {
    for hold in cycle.hub.dropped_holds()?.into_iter().filter(|hold| hold.cause == "collection" && hold.kind == kind) {
        let Some(connector) = cycle.member(hold.replica).and_then(|member| member.reached(kind)).cloned() else {
            continue;
        };
        let Some(collection) = hold.collection.map(|id| cycle.hub.collection(id)).transpose()?.flatten() else {
            continue;
        };
        if cycle.settings.dry_run {
            continue;
        }
        let parent = match (collection.joined, cycle.hub.replicas()?.iter().find(|r| r.id == collection.origin)) {
            (false, Some(origin)) => origin.name.clone(),
            _ => "joined".to_owned(),
        };
        let is_device = cycle.member(hold.replica).is_some_and(|member| member.replica.is_device);
        let like = Collection {
            id: CollectionId(if is_device { format!("{parent}/{kind}#c{}", collection.id) } else { String::new() }),
            kind,
            name: collection.name.clone(),
            color: collection.color.clone(),
            is_default: false,
            access: Access::ReadWrite,
        };
        let made = match connector.create_collection(kind, &like).await {
            Ok(made) => made,
            Err(error) => {
                cycle.report.trouble(&collection.name, &error);
                continue;
            }
        };
        let is_others = cycle
            .hub
            .places(hold.replica, kind)?
            .iter()
            .any(|place| place.remote_id == made.id.as_str() && place.collection != collection.id);
        if is_others {
            let words = format!(
                "\"{}\" cannot be made again: another one of that name is there; nothing was put back. Rename that one, then: twofold sync",
                collection.name
            );
            cycle.report.trouble(&collection.name, &Error::new(ErrorKind::Held, words));
            continue;
        }
        cycle.hub.atomically("put back collection", |hub| {
            for place in hub.places_of(collection.id)?.into_iter().filter(|place| place.replica == hold.replica) {
                hub.remove_place(place.id)?;
            }
            hub.add_place(&Place {
                id: 0,
                collection: collection.id,
                replica: hold.replica,
                remote_id: made.id.as_str().to_owned(),
                name: made.name.clone(),
                is_default: false,
                can_write: true,
                met: true,
            })?;
            hub.remove_hold(&hold.id)
        })?;
    }
    Ok(())
}

/// One collection of a provider: known (follow its name), joined to another, or new.
///
/// Keeps promise 13: a collection and its place are made together, so that a stop in between makes no second one.
fn follow(
    cycle: &mut Cycle<'_>,
    kind: Kind,
    replica: i64,
    provider: &str,
    seen: &Collection,
    found: &Listed,
) -> Result<()> {
    let can_write = seen.access == Access::ReadWrite;
    let known = cycle.hub.places(replica, kind)?.into_iter().find(|place| place.remote_id == seen.id.as_str());
    if let Some(place) = known {
        if (place.name.as_str(), place.is_default, place.can_write) != (seen.name.as_str(), seen.is_default, can_write)
        {
            cycle.hub.atomically("follow collection", |hub| {
                hub.update_place(place.id, &seen.name, seen.is_default, can_write)?;
                let first = hub.collection(place.collection)?.is_some_and(|collection| collection.origin == replica);
                if first { hub.rename_collection(place.collection, &seen.name, seen.color.as_deref()) } else { Ok(()) }
            })?;
        }
        return Ok(());
    }
    let joined = joined_with(cycle, kind, provider, seen, found)?;
    cycle.hub.atomically("new collection", |hub| {
        let collection = match joined {
            Some((Some(collection), _)) => {
                hub.set_joined(collection)?;
                collection
            }
            Some((None, name)) => {
                let id = hub.add_collection(kind, &name, seen.color.as_deref(), replica)?;
                hub.set_joined(id)?;
                id
            }
            None => hub.add_collection(kind, &seen.name, seen.color.as_deref(), replica)?,
        };
        hub.add_place(&Place {
            id: 0,
            collection,
            replica,
            remote_id: seen.id.as_str().to_owned(),
            name: seen.name.clone(),
            is_default: seen.is_default,
            can_write,
            met: false,
        })
    })
}

/// Whether an entry of a `[[join]]` means this collection: by name, or by role.
pub(crate) fn is_named(entry: &(String, String), provider: &str, name: &str, is_default: bool) -> bool {
    entry.0 == provider && (entry.1 == name || (is_default && matches!(entry.1.as_str(), "default" | "primary")))
}

/// Whether a `[[join]]` names this collection; then the hub's collection of another member, if it is there already, and the
/// name that the joined collection has on devices: that of the first one that the join lists (DESIGN 6).
fn joined_with(
    cycle: &Cycle<'_>,
    kind: Kind,
    provider: &str,
    seen: &Collection,
    found: &Listed,
) -> Result<Option<(Option<i64>, String)>> {
    let named = |entry: &&(String, String)| is_named(entry, provider, &seen.name, seen.is_default);
    let Some(join) =
        cycle.settings.joins.iter().find(|join| join.kind == kind && join.collections.iter().any(|e| named(&e)))
    else {
        return Ok(None);
    };
    let first = join.collections.first().and_then(|entry| {
        let (_, listed) = found.iter().find(|(index, _)| cycle.members[*index].replica.name == entry.0)?;
        listed.iter().find(|one| is_named(entry, &entry.0, &one.name, one.is_default))
    });
    let name = first.unwrap_or(seen).name.clone();
    // Also those that are not in this run, and one that stood alone until now: what is new joins what is there.
    for replica in cycle.hub.replicas()?.into_iter().filter(|replica| !replica.is_device && replica.name != provider) {
        for place in cycle.hub.places(replica.id, kind)? {
            let is_member = |entry: &&(String, String)| is_named(entry, &replica.name, &place.name, place.is_default);
            if join.collections.iter().any(|entry| is_member(&entry)) {
                return Ok(Some((Some(place.collection), name)));
            }
        }
    }
    Ok(Some((None, name)))
}

/// Makes at a device what it lacks, and passes on new names.
///
/// Keeps promise 12: the folder carries the collection's key, so that one made before a stop is found, and its place is one
/// row.
async fn make_missing(cycle: &mut Cycle<'_>, kind: Kind, index: usize) -> Result<()> {
    let device = cycle.members[index].replica.clone();
    let Some(connector) = cycle.members[index].reached(kind).cloned() else { return Ok(()) };
    let places = cycle.hub.places(device.id, kind)?;
    for collection in cycle.hub.collections(kind)?.into_iter().filter(|collection| collection.successor.is_none()) {
        let Some(origin) = cycle.members.iter().find(|member| member.replica.id == collection.origin) else { continue };
        if let Some(place) = places.iter().find(|place| place.collection == collection.id) {
            if place.name != collection.name && !cycle.settings.dry_run {
                let id = CollectionId(place.remote_id.clone());
                match connector.rename_collection(kind, &id, &collection.name, collection.color.as_deref()).await {
                    Ok(()) => cycle.hub.update_place(place.id, &collection.name, place.is_default, place.can_write)?,
                    Err(error) => cycle.report.trouble(&device.name, &error),
                }
            }
            continue;
        }
        let parent = if collection.joined { "joined" } else { origin.replica.name.as_str() };
        let like = Collection {
            id: CollectionId(format!("{parent}/{kind}#c{}", collection.id)),
            kind,
            name: collection.name.clone(),
            color: collection.color.clone(),
            is_default: false,
            access: Access::ReadWrite,
        };
        let made = match cycle.settings.dry_run {
            // A name that no folder has; the transaction of a dry run is thrown away.
            true => Ok(Collection { id: CollectionId(format!("{parent}/{kind}/dry-run-{}", collection.id)), ..like }),
            false => connector.create_collection(kind, &like).await,
        };
        match made {
            Ok(made) => cycle.hub.atomically("new place", |hub| {
                hub.add_place(&Place {
                    id: 0,
                    collection: collection.id,
                    replica: device.id,
                    remote_id: made.id.as_str().to_owned(),
                    name: collection.name.clone(),
                    is_default: false,
                    can_write: true,
                    met: false,
                })
            })?,
            Err(error) => cycle.members[index].lose(error),
        }
    }
    Ok(())
}

/// A folder that somebody made below a provider's name on a device becomes a collection at that provider, where it can.
///
/// Keeps promise 13: what is there of that name is taken, not doubled; the place is one row.
async fn take_new_folders(
    cycle: &mut Cycle<'_>,
    kind: Kind,
    index: usize,
    folders: &[Collection],
    found: &Listed,
) -> Result<()> {
    let device = cycle.members[index].replica.clone();
    let places = cycle.hub.places(device.id, kind)?;
    for folder in folders.iter().filter(|folder| !places.iter().any(|place| place.remote_id == folder.id.as_str())) {
        let provider = folder.id.as_str().split('/').next().unwrap_or_default().to_owned();
        let member: Option<&Member> = cycle.members.iter().find(|m| !m.replica.is_device && m.replica.name == provider);
        let Some(connector) = member.and_then(|member| member.reached(kind)).cloned() else {
            cycle.report.say(format!(
                "{}: folder {} belongs to no reachable provider; it is left alone",
                device.name, folder.id
            ));
            continue;
        };
        if !connector.abilities().makes_collections.contains(&kind) {
            cycle.report.say(format!(
                "{}: {provider} has one address book only; folder {} is left alone",
                device.name, folder.id
            ));
            continue;
        }
        // The provider refuses a second one of that name; the first may have its folder here already (a copy of it, say).
        let twin = places.iter().find(|place| {
            place.name.to_lowercase() == folder.name.to_lowercase()
                && place.remote_id.split('/').next() == Some(provider.as_str())
        });
        if let Some(twin) = twin {
            cycle.report.say(format!(
                "{}: folder {} is called \"{}\", as {} is; it is left alone. Give it another name in its file displayname",
                device.name, folder.id, folder.name, twin.remote_id
            ));
            continue;
        }
        if cycle.settings.dry_run {
            cycle.report.say(format!("{}: {provider} would get a new address book \"{}\"", device.name, folder.name));
            continue;
        }
        match connector.create_collection(kind, folder).await {
            Ok(made) => {
                let replica = member.map(|member| member.replica.id).unwrap_or_default();
                follow(cycle, kind, replica, &provider, &made, found)?;
                let collection =
                    cycle.hub.places(replica, kind)?.into_iter().find(|place| place.remote_id == made.id.as_str());
                // The folder takes its marker.
                let parent = folder.id.as_str().rsplit_once('/').map_or("", |(parent, _)| parent);
                let marked = Collection { id: CollectionId(parent.to_owned()), ..folder.clone() };
                if let Some(device) = cycle.members[index].reached(kind).cloned()
                    && let Err(error) = device.create_collection(kind, &marked).await
                {
                    cycle.report.trouble(&provider, &error);
                    continue;
                }
                if let Some(collection) = collection
                    && !cycle.hub.places_of(collection.collection)?.iter().any(|place| place.replica == device.id)
                {
                    cycle.hub.atomically("new place", |hub| {
                        hub.add_place(&Place {
                            id: 0,
                            collection: collection.collection,
                            replica: device.id,
                            remote_id: folder.id.as_str().to_owned(),
                            name: folder.name.clone(),
                            is_default: false,
                            can_write: true,
                            met: false,
                        })
                    })?;
                }
            }
            Err(error) => cycle.report.trouble(&provider, &error),
        }
    }
    Ok(())
}

/// A collection that its replica's complete list no longer names is one hold, not a thousand removals (ENGINE 9). A device's
/// folder of which nothing is known yet is made anew.
///
/// Keeps promises 1 and 8: nothing is removed for it, and the hold is one row.
async fn missing_collections(cycle: &mut Cycle<'_>, kind: Kind, found: &Listed) -> Result<()> {
    for (index, collections) in found {
        let replica = cycle.members[*index].replica.clone();
        for place in cycle.hub.places(replica.id, kind)? {
            let is_listed = |list: &[Collection]| list.iter().any(|one| one.id.as_str() == place.remote_id);
            if is_listed(collections) || cycle.hub.hold_on(replica.id, place.collection, "collection")?.is_some() {
                continue;
            }
            // A second look: one list may be short.
            let Some(connector) = cycle.members[*index].reached(kind).cloned() else { continue };
            match connector.collections(kind).await {
                Ok(again) if !is_listed(&again) => {}
                _ => continue,
            }
            let items = cycle.hub.copies(replica.id, place.collection)?;
            if replica.is_device && items == 0 {
                cycle.hub.atomically("folder not begun", |hub| hub.remove_place(place.id))?;
                continue;
            }
            let mut reason = format!(
                "\"{}\" with {items} items is gone at {}; nothing was removed elsewhere",
                place.name, replica.name
            );
            if replica.is_device {
                reason.push_str(&format!(
                    ". Is a disk not mounted? If the device was replaced, type: twofold device fill {}",
                    replica.name
                ));
            }
            let since_ms = cycle.now();
            cycle.hub.atomically("collection gone", |hub| {
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
