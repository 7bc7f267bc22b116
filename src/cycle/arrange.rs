//! Which collections there are, and where each of them stands (ENGINE 9, 10).
//!
//! A collection comes from a provider, or from a folder that somebody made on a device below a provider's name. It is made
//! at every device, under `PROVIDER/KIND`, or under `joined/KIND` when the configuration joins two providers' collections.

use crate::{Cycle, Member};
use twofold_hub::Place;
use twofold_model::connector::{Access, Collection};
use twofold_model::error::AtPlace;
use twofold_model::{CollectionId, Kind, Result};

/// Brings the hub's collections of a kind up to date with what the replicas have, and makes those that a device lacks.
pub async fn arrange(cycle: &mut Cycle<'_>, kind: Kind) -> Result<()> {
    let mut found: Vec<(usize, Vec<Collection>)> = Vec::new();
    for index in 0..cycle.members.len() {
        let Some(connector) = cycle.members[index].reached(kind).cloned() else { continue };
        match connector.collections(kind).await.at(kind) {
            Ok(collections) => found.push((index, collections)),
            Err(error) => cycle.members[index].lose(error),
        }
    }
    let (devices, providers): (Vec<_>, Vec<_>) =
        found.iter().partition(|(index, _)| cycle.members[*index].replica.is_device);
    for (index, collections) in providers {
        let member = &cycle.members[*index];
        let (replica, name) = (member.replica.id, member.replica.name.clone());
        for collection in collections {
            follow(cycle, kind, replica, &name, collection)?;
        }
    }
    for (index, collections) in devices {
        make_missing(cycle, kind, *index, collections).await?;
        take_new_folders(cycle, kind, *index, collections).await?;
    }
    put_back_collections(cycle, kind).await?;
    missing_collections(cycle, kind, &found).await
}

/// Somebody said that a collection's removal was wrong: it is made again there, and everything in it.
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
        let like = Collection {
            id: CollectionId(String::new()),
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
fn follow(cycle: &mut Cycle<'_>, kind: Kind, replica: i64, provider: &str, seen: &Collection) -> Result<()> {
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
    let joined = joined_with(cycle, kind, provider, seen)?;
    cycle.hub.atomically("new collection", |hub| {
        let collection = match joined {
            Some((Some(collection), _)) => collection,
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

fn is_named(entry: &(String, String), provider: &str, name: &str, is_default: bool) -> bool {
    entry.0 == provider && (entry.1 == name || (is_default && matches!(entry.1.as_str(), "default" | "primary")))
}

/// Whether a `[[join]]` names this collection; then the hub's collection of another member, if it is there already, and the
/// name that the joined collection has on devices.
fn joined_with(
    cycle: &Cycle<'_>,
    kind: Kind,
    provider: &str,
    seen: &Collection,
) -> Result<Option<(Option<i64>, String)>> {
    let named = |entry: &&(String, String)| is_named(entry, provider, &seen.name, seen.is_default);
    let Some(join) =
        cycle.settings.joins.iter().find(|join| join.kind == kind && join.collections.iter().any(|e| named(&e)))
    else {
        return Ok(None);
    };
    for member in cycle.members.iter().filter(|member| !member.replica.is_device && member.replica.name != provider) {
        for place in cycle.hub.places(member.replica.id, kind)? {
            let is_member =
                |entry: &&(String, String)| is_named(entry, &member.replica.name, &place.name, place.is_default);
            if join.collections.iter().any(|entry| is_member(&entry)) {
                return Ok(Some((Some(place.collection), seen.name.clone())));
            }
        }
    }
    Ok(Some((None, seen.name.clone())))
}

/// Makes at a device what it lacks, and passes on new names.
async fn make_missing(cycle: &mut Cycle<'_>, kind: Kind, index: usize, _found: &[Collection]) -> Result<()> {
    let device = cycle.members[index].replica.clone();
    let Some(connector) = cycle.members[index].reached(kind).cloned() else { return Ok(()) };
    let places = cycle.hub.places(device.id, kind)?;
    for collection in cycle.hub.collections(kind)? {
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
        if cycle.settings.dry_run {
            continue;
        }
        match connector.create_collection(kind, &like).await {
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
async fn take_new_folders(cycle: &mut Cycle<'_>, kind: Kind, index: usize, found: &[Collection]) -> Result<()> {
    let device = cycle.members[index].replica.clone();
    let places = cycle.hub.places(device.id, kind)?;
    for folder in found.iter().filter(|folder| !places.iter().any(|place| place.remote_id == folder.id.as_str())) {
        let provider = folder.id.as_str().split('/').next().unwrap_or_default().to_owned();
        let member: Option<&Member> = cycle.members.iter().find(|m| !m.replica.is_device && m.replica.name == provider);
        let Some(connector) = member.and_then(|member| member.reached(kind)).cloned() else {
            cycle.report.say(format!(
                "{}: folder {} belongs to no reachable provider; it is left alone",
                device.name, folder.id
            ));
            continue;
        };
        if !connector.abilities().makes_collections {
            cycle.report.say(format!(
                "{}: {provider} has one address book only; folder {} is left alone",
                device.name, folder.id
            ));
            continue;
        }
        if cycle.settings.dry_run {
            continue;
        }
        match connector.create_collection(kind, folder).await {
            Ok(made) => {
                let replica = member.map(|member| member.replica.id).unwrap_or_default();
                follow(cycle, kind, replica, &provider, &made)?;
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

/// A provider's collection that its complete list no longer names is one hold, not a thousand removals (ENGINE 9).
async fn missing_collections(cycle: &mut Cycle<'_>, kind: Kind, found: &[(usize, Vec<Collection>)]) -> Result<()> {
    for (index, collections) in found {
        let replica = cycle.members[*index].replica.clone();
        if replica.is_device {
            continue;
        }
        for place in cycle.hub.places(replica.id, kind)? {
            let open = cycle.hub.open_hold(replica.id, Some(place.collection), "collection")?;
            if collections.iter().any(|collection| collection.id.as_str() == place.remote_id) {
                if let Some(hold) = open {
                    cycle.hub.remove_hold(&hold.id)?;
                }
                continue;
            }
            // A second look: one list may be short.
            let Some(connector) = cycle.members[*index].reached(kind).cloned() else { continue };
            match connector.collections(kind).await {
                Ok(again) if !again.iter().any(|collection| collection.id.as_str() == place.remote_id) => {}
                _ => continue,
            }
            if cycle
                .hub
                .holds()?
                .iter()
                .any(|hold| hold.collection == Some(place.collection) && hold.replica == replica.id)
            {
                continue;
            }
            let now = cycle.now();
            let items = cycle.hub.copies(replica.id, place.collection)?;
            let id = format!("folder-{}", &twofold_hub::random_id()[..6]);
            cycle.hub.atomically("collection gone", |hub| {
                hub.set_hold(&twofold_hub::Hold {
                    id,
                    replica: replica.id,
                    collection: Some(place.collection),
                    kind,
                    cause: "collection".into(),
                    reason: format!(
                        "\"{}\" with {items} items is gone at {}; nothing was removed elsewhere",
                        place.name, replica.name
                    ),
                    since_ms: now,
                    is_approved: false,
                })
            })?;
        }
    }
    Ok(())
}
