//! What the providers list, and the names that folders of a device have by now.

use super::{Listed, label};
use crate::Cycle;
use twofold_hub::{Label, Place};
use twofold_model::connector::{Access, Collection};
use twofold_model::{CollectionId, Kind, Result};

/// One collection of a provider: known (follow its name, colour and rights), awaited, joined to another, or new.
///
/// Keeps promise 13: a collection and its place are made together, so that a stop in between makes no second one.
pub(super) fn follow(cycle: &mut Cycle<'_>, kind: Kind, index: usize, seen: &Collection, found: &Listed) -> Result<()> {
    let (replica, provider) = (cycle.members[index].replica.id, cycle.members[index].replica.name.clone());
    let can_write = seen.access == Access::ReadWrite;
    if let Some(place) = cycle.hub.place_at(replica, seen.id.as_str())? {
        let role = cycle.hub.collection(place.collection)?.and_then(|collection| collection.role);
        if role != seen.role {
            cycle.hub.atomically("role", |hub| hub.set_role(place.collection, seen.role))?;
        }
        if (place.is_default, place.can_write) != (seen.is_default, can_write) {
            cycle.hub.atomically("place rights", |hub| hub.set_place_rights(place.id, seen.is_default, can_write))?;
        }
        return label::take_one(cycle, index, kind, &place, seen);
    }
    let shows = Label { name: seen.name.clone(), color: seen.color.clone() };
    let rights = |place| Place { is_default: seen.is_default, can_write, ..place };
    if let Some(awaited) = awaited(cycle, kind, replica, seen)? {
        let place = rights(Place::new(awaited, replica, seen.id.as_str(), shows));
        return cycle.hub.atomically("new place", |hub| hub.add_place(&place));
    }
    let joined = joined_with(cycle, kind, &provider, seen, found)?;
    cycle.hub.atomically("new collection", |hub| {
        let collection = match joined {
            Some((Some(collection), _)) => {
                hub.set_joined(collection, true)?;
                collection
            }
            Some((None, name)) => {
                let id = hub.add_collection(kind, &name, seen.color.as_deref(), replica)?;
                hub.set_joined(id, true)?;
                id
            }
            None => hub.add_collection(kind, &seen.name, seen.color.as_deref(), replica)?,
        };
        hub.set_role(collection, seen.role)?;
        let agreed = hub.collection(collection)?.map(|collection| collection.label());
        let place = rights(Place::new(collection, replica, seen.id.as_str(), shows));
        hub.add_place(&Place { agreed: agreed.unwrap_or_else(|| place.agreed.clone()), ..place })
    })
}

/// A mailbox was made at a provider, which makes those above it that it lacks: they are mirrored like all that it lists.
pub(super) async fn follow_made(cycle: &mut Cycle<'_>, kind: Kind, at: usize, found: &mut Listed) -> Result<()> {
    let index = found[at].0;
    let replica = cycle.members[index].replica.clone();
    let Some(connector) = cycle.members[index].reached(kind).cloned() else { return Ok(()) };
    match connector.collections(kind).await {
        Ok(listed) => found[at].1 = listed,
        Err(error) => {
            cycle.report.trouble(&replica.name, &error);
            return Ok(());
        }
    }
    let known = cycle.hub.places(replica.id, kind)?;
    let is_new = |seen: &&Collection| !known.iter().any(|place| place.remote_id == seen.id.as_str());
    for seen in found[at].1.iter().filter(is_new) {
        follow(cycle, kind, index, seen, found)?;
        let words = format!("\"{}\" was made there, for a folder below it was made elsewhere", seen.name);
        cycle.report.say_at(&replica.name, words);
    }
    crate::scope::arrange(cycle, kind, found)
}

/// The hub's collection that was to be made at this provider, by its name: it was made, and the reply got lost.
fn awaited(cycle: &Cycle<'_>, kind: Kind, replica: i64, seen: &Collection) -> Result<Option<i64>> {
    let lower = seen.name.to_lowercase();
    for collection in cycle.hub.collections(kind)? {
        let is_it = collection.origin == replica
            && collection.stays()
            && !collection.joined
            && collection.name.to_lowercase() == lower;
        if is_it && !cycle.hub.places_of(collection.id)?.iter().any(|place| place.replica == replica) {
            return Ok(Some(collection.id));
        }
    }
    Ok(None)
}

/// Follows collections that somebody gave another name behind our back (folders of a device).
///
/// Keeps promise 1: a folder under another name is no folder that is gone. Place, copies and feed move together.
pub(super) async fn follow_moved(cycle: &mut Cycle<'_>, kind: Kind, index: usize) -> Result<()> {
    let Some(connector) = cycle.members[index].reached(kind).cloned() else { return Ok(()) };
    let replica = cycle.members[index].replica.clone();
    let moved = match connector.moved_collections(kind).await {
        Ok(moved) => moved,
        Err(error) => {
            cycle.members[index].lose_kind(kind, error);
            return Ok(());
        }
    };
    let places = cycle.hub.places(replica.id, kind)?;
    let place_of = |id: &str| places.iter().find(|place| place.remote_id == id);
    // What was moved and could not be marked so yet is told by its old name once more, by which another one goes now.
    let key = format!("moved {} {kind}", replica.id);
    let before = cycle.hub.meta(&key)?.unwrap_or_default();
    let followed: Moved = serde_json::from_str(&before).unwrap_or_default();
    let place_now = |from: &CollectionId| {
        let followed = followed.iter().find(|(was, _)| was == from.as_str());
        place_of(followed.map_or(from.as_str(), |(_, to)| to))
    };
    let is_known =
        |(from, to): &(CollectionId, CollectionId)| place_now(from).or_else(|| place_of(to.as_str())).is_some();
    let moved: Vec<(CollectionId, CollectionId)> = moved.into_iter().filter(is_known).collect();
    let due = moved.iter().filter_map(|(from, to)| Some((place_now(from)?.clone(), to.as_str().to_owned())));
    let moves: Vec<(Place, String)> = due.filter(|(place, to)| place.remote_id != *to).collect();
    if !moves.is_empty() {
        cycle.hub.atomically("follow folders", |hub| {
            hub.move_places(&moves)?;
            hub.set_meta(&key, &written(&moved))
        })?;
    }
    let mut unmarked = Vec::new();
    for (from, to) in moved {
        if cycle.settings.dry_run {
            unmarked.push((from, to));
        } else if let Err(error) = connector.follow_collection(kind, &to).await {
            cycle.report.trouble(&replica.name, &error);
            unmarked.push((from, to));
        }
    }
    if !moves.is_empty() || unmarked.len() != followed.len() {
        cycle.hub.set_meta(&key, &written(&unmarked))?;
    }
    Ok(())
}

/// Collections by their names until now and from now on.
type Moved = Vec<(String, String)>;

fn written(moved: &[(CollectionId, CollectionId)]) -> String {
    let pairs = moved.iter().map(|(from, to)| serde_json::json!([from.as_str(), to.as_str()]));
    serde_json::Value::from_iter(pairs).to_string()
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
