//! What somebody approved to be gone.
//!
//! A collection goes as its items do: first they are decided, one by one, with every guard that there is, then what is empty
//! is taken away, the provider's before the devices'. Whatever turns out to be in it is an edit, and an edit beats a delete:
//! then the collection stays, and comes back where it was deleted.

use super::word;
use crate::{Cycle, Settings};
use twofold_hub::{Hold, Place};
use twofold_model::connector::Removal;
use twofold_model::{CollectionId, Connector, ErrorKind, Kind, Result};

/// Holds on a kind's collections that somebody approved, where the place can be reached.
fn approved(cycle: &Cycle<'_>, kind: Kind) -> Result<Vec<(Hold, i64)>> {
    let mut all = Vec::new();
    for hold in cycle.hub.holds()?.into_iter().filter(|h| h.is_approved && h.cause == "collection" && h.kind == kind) {
        let is_reached = cycle.member(hold.replica).and_then(|member| member.reached(kind)).is_some();
        all.extend(hold.collection.filter(|_| is_reached).map(|collection| (hold, collection)));
    }
    Ok(all)
}

/// The providers' places of a collection.
fn at_providers(cycle: &Cycle<'_>, collection: i64) -> Result<Vec<Place>> {
    let providers: Vec<i64> =
        cycle.hub.replicas()?.into_iter().filter(|replica| !replica.is_device).map(|replica| replica.id).collect();
    let places = cycle.hub.places_of(collection)?.into_iter();
    Ok(places.filter(|place| providers.contains(&place.replica)).collect())
}

/// What an approved removal of a device's folder means at the provider, before anything is removed for it: where the
/// collection is never deleted, the folder comes back; where it is somebody else's, it leaves the user's list, and what is in
/// it stays.
///
/// Keeps promise 1: no item is removed at a provider unless the collection is the user's own, and can go.
pub(super) async fn judge(cycle: &mut Cycle<'_>, kind: Kind) -> Result<()> {
    for (hold, collection) in approved(cycle, kind)? {
        let places = at_providers(cycle, collection)?;
        // Gone at the provider itself: nobody has to be asked.
        if places.iter().any(|place| place.replica == hold.replica) {
            continue;
        }
        let is_joined = cycle.hub.collection(collection)?.is_some_and(|collection| collection.joined);
        for place in places {
            let Some(member) = cycle.members.iter_mut().find(|member| member.replica.id == place.replica) else {
                continue;
            };
            let Some(connector) = member.written(kind).cloned() else { continue };
            let id = CollectionId(place.remote_id.clone());
            let removal = match connector.removal(kind, &id).await {
                Ok(_) if is_joined => Removal::Never,
                Ok(removal) => removal,
                Err(error) if error.kind == ErrorKind::NotFound => Removal::OffList,
                Err(error) => {
                    member.lose_kind(kind, error);
                    continue;
                }
            };
            match removal {
                Removal::Whole => {}
                Removal::Never => {
                    let name = member.replica.name.clone();
                    let why = if is_joined { "is part of a [[join]]" } else { "is one that stays" };
                    let words = format!(
                        "the {} \"{}\" {why}; neither it nor what is in it was deleted, and its folder comes back",
                        word(kind),
                        place.name
                    );
                    cycle.report.say_at(&name, words);
                    cycle.hub.atomically("collection stays", |hub| hub.drop_hold(&hold))?;
                    break;
                }
                // A dry run asks, and what follows in the hub is thrown away with all else.
                Removal::OffList => match off_the_list(cycle.settings, connector.as_ref(), (kind, &id)).await {
                    Ok(()) => cycle.hub.atomically("off the list", |hub| {
                        hub.remove_place(place.id)?;
                        hub.set_ending(collection, true)
                    })?,
                    // Until it is known to be off, nothing of it may be touched.
                    Err(error) => member.lose_kind(kind, error),
                },
            }
        }
    }
    Ok(())
}

/// Takes somebody else's collection off the user's list; a dry run only would.
async fn off_the_list(settings: &Settings, connector: &dyn Connector, (kind, id): (Kind, &CollectionId)) -> Result<()> {
    let _changing = settings.calls.changing();
    if settings.dry_run { Ok(()) } else { connector.remove_collection(kind, id).await.map(drop) }
}

/// Somebody approved that a whole collection is gone: all its copies there are. Once no copy is left, so is the place, and the
/// collection ends everywhere, unless something still stands in it ([`finish`]). (A hold on a collection that its replica lists
/// again was ended before.)
///
/// Keeps promise 8: what was approved becomes gone all at once, and only by this.
pub fn bury(cycle: &mut Cycle<'_>, kind: Kind) -> Result<()> {
    let now = cycle.now();
    for (hold, collection) in approved(cycle, kind)? {
        let providers = at_providers(cycle, collection)?;
        let is_judged = providers.iter().all(|place| {
            place.replica == hold.replica || cycle.member(place.replica).and_then(|m| m.written(kind)).is_some()
        });
        if !is_judged {
            continue;
        }
        let left = cycle
            .hub
            .atomically("collection approved", |hub| hub.bury_collection(hold.replica, collection, &hold.id, now))?;
        if left > 0 {
            continue;
        }
        let is_joined = cycle.hub.collection(collection)?.is_some_and(|collection| collection.joined);
        // Of a joined one the others go on; the last one takes it along.
        let goes_on = is_joined && providers.iter().any(|place| place.replica != hold.replica);
        cycle.hub.atomically("collection gone", |hub| {
            for place in hub.places_of(collection)?.into_iter().filter(|place| place.replica == hold.replica) {
                hub.remove_place(place.id)?;
            }
            hub.remove_hold(&hold.id)?;
            if goes_on {
                return Ok(());
            }
            // What comes to stand in it all the same is made at the provider that named it.
            hub.set_joined(collection, false)?;
            hub.set_ending(collection, true)
        })?;
    }
    Ok(())
}

fn say_kept(cycle: &mut Cycle<'_>, kind: Kind, collection: i64, items: usize) -> Result<()> {
    let name = cycle.hub.collection(collection)?.map(|collection| collection.name).unwrap_or_default();
    cycle.report.say(format!(
        "the {} \"{name}\" was not deleted: {items} items in it are new or were changed since; it comes back where it was deleted",
        word(kind)
    ));
    Ok(())
}

/// Takes collections that end away from their providers. `true`: one of them stays after all, and another round brings it
/// back everywhere.
///
/// Keeps promise 4: what stands in it is looked for right before, and is never removed with it.
pub async fn finish(cycle: &mut Cycle<'_>, kind: Kind) -> Result<bool> {
    let mut is_back = false;
    if cycle.settings.dry_run {
        return Ok(is_back);
    }
    for collection in cycle.hub.collections(kind)?.into_iter().filter(|it| it.is_ending && !it.is_left_out) {
        // Its items are still being decided.
        if cycle.hub.hold_on_any(collection.id, "collection")?.is_some() {
            continue;
        }
        let survivors = cycle.hub.size(collection.id)?;
        if survivors > 0 {
            say_kept(cycle, kind, collection.id, survivors)?;
            cycle.hub.atomically("collection stays", |hub| hub.set_ending(collection.id, false))?;
            is_back = true;
            continue;
        }
        for place in at_providers(cycle, collection.id)? {
            let Some(member) = cycle.member(place.replica) else { continue };
            let (name, Some(connector)) = (member.replica.name.clone(), member.written(kind).cloned()) else {
                continue;
            };
            if cycle.hub.is_kept_at(place.replica, collection.id)? {
                continue;
            }
            let _changing = cycle.settings.calls.changing();
            let why = match connector.remove_collection(kind, &CollectionId(place.remote_id.clone())).await {
                Ok(true) => {
                    cycle.hub.atomically("collection left", |hub| hub.remove_place(place.id))?;
                    continue;
                }
                Ok(false) => {
                    "something is in it that was not there before; it comes back where it was deleted".to_owned()
                }
                Err(error) if error.kind == ErrorKind::Unsupported => {
                    format!(
                        "its account keeps it ({error}); it comes back where it was deleted, without what was in it"
                    )
                }
                Err(error) => {
                    cycle.report.trouble(&name, &error);
                    continue;
                }
            };
            cycle.report.say_at(&name, format!("the {} \"{}\" was not deleted: {why}", word(kind), place.name));
            cycle.hub.atomically("collection stays", |hub| hub.set_ending(collection.id, false))?;
            is_back = true;
        }
    }
    Ok(is_back)
}

/// Takes away the folders of collections that left, or that ended at their provider, where nothing is in them any more.
///
/// Keeps promise 1: a folder that holds anything stays, and so does its place.
pub async fn clear_away(cycle: &mut Cycle<'_>, kind: Kind) -> Result<()> {
    if cycle.settings.dry_run {
        return Ok(());
    }
    for collection in cycle.hub.collections(kind)?.into_iter().filter(|it| !it.stays() && !it.is_left_out) {
        if collection.is_ending && !at_providers(cycle, collection.id)?.is_empty() {
            continue;
        }
        for place in cycle.hub.places_of(collection.id)? {
            let Some(member) = cycle.member(place.replica) else { continue };
            let (name, Some(connector)) = (member.replica.name.clone(), member.written(kind).cloned()) else {
                continue;
            };
            if cycle.hub.is_kept_at(place.replica, place.collection)? {
                continue;
            }
            let _changing = cycle.settings.calls.changing();
            match connector.remove_collection(kind, &CollectionId(place.remote_id.clone())).await {
                Ok(true) => cycle.hub.atomically("folder left", |hub| hub.remove_place(place.id))?,
                Ok(false) => {
                    let words =
                        format!("{} is not used any more; what is left in it is not ours and stays", place.remote_id);
                    cycle.report.say_at(&name, words);
                }
                Err(error) => cycle.report.trouble(&name, &error),
            }
        }
    }
    Ok(())
}
