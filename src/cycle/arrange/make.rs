//! What a place lacks is made there: folders at devices, collections at the provider that they belong to. And the other way
//! round: a folder that somebody made on a device becomes a collection.

use super::{label, word};
use crate::{Cycle, Member};
use twofold_hub::holds::folder_name;
use twofold_hub::{Bad, Hold, Label, Place, Quarantined, Replica};
use twofold_model::connector::{Access, Collection, Connector};
use twofold_model::email::path;
use twofold_model::{CollectionId, Error, ErrorKind, Kind, Result};

/// Makes at a place what it lacks: at a device everything, at a provider what came from it, or was made for it on a device.
///
/// Keeps promise 12: what is to be made is in the hub before, and is found there by its key or its name, so that one made
/// before a stop is not made twice. What a device brought is made at its provider once something of it may go there ([`waits`]).
/// Answers whether anything was made.
pub(super) async fn make_missing(cycle: &mut Cycle<'_>, kind: Kind, index: usize) -> Result<bool> {
    let mut is_made = false;
    let mut waiting = Vec::new();
    if cycle.members[index].written(kind).is_none() {
        return Ok(false);
    }
    let replica = cycle.members[index].replica.clone();
    let places = cycle.hub.places(replica.id, kind)?;
    for collection in cycle.hub.collections(kind)?.into_iter().filter(|collection| collection.stays()) {
        let is_wanted = match replica.is_device {
            true => cycle.members.iter().any(|member| member.replica.id == collection.origin),
            false => collection.origin == replica.id && !collection.joined,
        };
        if !is_wanted || collection.is_left_out || places.iter().any(|place| place.collection == collection.id) {
            continue;
        }
        if !replica.is_device && waits(cycle, kind, collection.id)? {
            waiting.push(collection.id);
            continue;
        }
        if let Some(above) = held_above(cycle, kind, &replica, &collection.name)? {
            cycle.report.say(format!(
                "\"{}\" is not made at {}: \"{above}\" is gone there, and held; what is in it stays where it is. See: twofold held",
                collection.name, replica.name
            ));
            continue;
        }
        if !replica.is_device && waits_for_its_next_try(cycle, &replica.name, &collection)? {
            continue;
        }
        if let Some((above, called)) = unnamed_above(cycle, kind, &replica, &collection)? {
            cycle.report.say(format!(
                "\"{}\" is not made at {} yet: \"{above}\" is still called \"{called}\" there; what is in it stays where it is",
                collection.name, replica.name
            ));
            continue;
        }
        make(cycle, kind, index, &collection, None).await?;
        is_made = true;
    }
    cycle.members[index].waiting = waiting;
    Ok(is_made)
}

/// Whether a collection that its provider lacks is made there later: nothing of what devices have in it may go there so far (it was held,
/// or refused), or not all that can be reached were read yet. An empty one is somebody's wish.
fn waits(cycle: &Cycle<'_>, kind: Kind, collection: i64) -> Result<bool> {
    if cycle.hub.has_items(collection)? {
        return Ok(false);
    }
    let mut was_read = false;
    for place in cycle.hub.places_of(collection)? {
        if cycle.hub.has_strangers(place.replica, collection)? {
            return Ok(true);
        }
        let is_reached = cycle.member(place.replica).is_some_and(|member| member.reached(kind).is_some());
        match place.read_ms {
            Some(_) => was_read = true,
            None if is_reached => return Ok(true),
            None => {}
        }
    }
    Ok(!was_read)
}

/// Whether a collection that waited when a provider's were arranged last may be made by now: another round makes it.
pub(crate) fn waits_no_more(cycle: &Cycle<'_>, kind: Kind) -> Result<bool> {
    if cycle.settings.dry_run {
        return Ok(false);
    }
    let unmade = cycle.hub.unmade(kind)?;
    for member in cycle.members.iter().filter(|member| member.reached(kind).is_some()) {
        for collection in member.waiting.iter().filter(|collection| unmade.contains(*collection)) {
            if !waits(cycle, kind, *collection)? {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// The mailbox above that is said to be gone at a provider. Made there, one below it would bring it back before anybody decided.
fn held_above(cycle: &Cycle<'_>, kind: Kind, replica: &Replica, name: &str) -> Result<Option<String>> {
    if kind != Kind::Mail || replica.is_device {
        return Ok(None);
    }
    let names = path::split(name);
    for collection in cycle.hub.collections(kind)?.into_iter().filter(|it| it.origin == replica.id) {
        let above = path::split(&collection.name);
        let is_above = above.len() < names.len() && names.starts_with(&above);
        if is_above && cycle.hub.hold_on(replica.id, collection.id, "collection")?.is_some() {
            return Ok(Some(collection.name));
        }
    }
    Ok(None)
}

/// The mailbox above that a provider has under another name still, and that name. By the new one another mailbox may go there.
fn unnamed_above(
    cycle: &Cycle<'_>,
    kind: Kind,
    replica: &Replica,
    below: &twofold_hub::Collection,
) -> Result<Option<(String, String)>> {
    if replica.is_device {
        return Ok(None);
    }
    for place in cycle.hub.places(replica.id, kind)? {
        let Some(above) = cycle.hub.collection(place.collection)?.filter(|it| it.stays() && !it.joined) else {
            continue;
        };
        if label::is_below(kind, &below.name, &above.name) && place.agreed.name != above.name {
            return Ok(Some((above.name, place.name)));
        }
    }
    Ok(None)
}

/// Somebody said that a collection's removal was wrong: it is made again there, and everything in it.
///
/// Keeps promise 8: old place and bases go, new place and the hold's end come, all or nothing.
pub(super) async fn put_back(cycle: &mut Cycle<'_>, kind: Kind) -> Result<()> {
    for hold in cycle.hub.dropped_holds()?.into_iter().filter(|hold| hold.cause == "collection" && hold.kind == kind) {
        let index = cycle.members.iter().position(|member| member.replica.id == hold.replica);
        let collection = hold.collection.map(|id| cycle.hub.collection(id)).transpose()?.flatten();
        if let (Some(index), Some(collection), false) = (index, collection, cycle.settings.dry_run) {
            make(cycle, kind, index, &collection, Some(&hold)).await?;
        }
    }
    Ok(())
}

/// Makes one collection at one place, or finds the one that is there; with `hold`, in place of the one that is gone.
async fn make(
    cycle: &mut Cycle<'_>,
    kind: Kind,
    index: usize,
    collection: &twofold_hub::Collection,
    hold: Option<&Hold>,
) -> Result<()> {
    let replica = cycle.members[index].replica.clone();
    let Some(connector) = cycle.members[index].written(kind).cloned() else { return Ok(()) };
    let parent = match cycle.hub.replicas()?.into_iter().find(|one| one.id == collection.origin) {
        Some(origin) if !collection.joined => origin.name,
        _ => "joined".to_owned(),
    };
    let like = Collection {
        id: CollectionId(if replica.is_device { format!("{parent}/{kind}#c{}", collection.id) } else { String::new() }),
        kind,
        name: collection.name.clone(),
        color: collection.color.clone(),
        is_default: false,
        role: collection.role,
        access: Access::ReadWrite,
    };
    let changing = cycle.settings.calls.changing();
    let made = match (cycle.settings.dry_run, replica.is_device) {
        (true, true) => would_make(connector.as_ref(), &parent, collection.id, like).await,
        (true, false) => return Ok(()),
        (false, _) => connector.create_collection(kind, &like).await,
    };
    drop(changing);
    let made = match made {
        Ok(made) => made,
        Err(error) => {
            match (replica.is_device, hold) {
                // A name that its file system does not take stops no other folder.
                (true, None) if is_for_good(error.kind) => cycle.report.trouble(&collection.name, &error),
                (true, None) => cycle.members[index].lose(error),
                (false, None) if is_for_good(error.kind) => refuse(cycle, &replica.name, collection, &error)?,
                _ => cycle.report.trouble(&collection.name, &error),
            }
            return Ok(());
        }
    };
    let is_others = cycle
        .hub
        .places(replica.id, kind)?
        .iter()
        .any(|place| place.remote_id == made.id.as_str() && place.collection != collection.id);
    if is_others {
        let words = format!(
            "\"{}\" cannot be made at {}: another one of that name is there; nothing was changed. Rename that one, then: twofold sync",
            collection.name, replica.name
        );
        cycle.report.trouble(&collection.name, &Error::new(ErrorKind::Held, words));
        return Ok(());
    }
    let shows = Label { name: made.name.clone(), color: made.color.clone() };
    let earlier = label::earlier_above(cycle, index, kind, &shows)?;
    let now = cycle.now();
    cycle.hub.atomically("new place", |hub| {
        if let Some(hold) = hold {
            for place in hub.places_of(collection.id)?.into_iter().filter(|place| place.replica == replica.id) {
                hub.remove_place(place.id)?;
            }
            hub.remove_hold(&hold.id)?;
        }
        let place = Place::new(collection.id, replica.id, made.id.as_str(), shows);
        hub.add_place(&Place { is_default: made.is_default, told_ms: Some(now), earlier, ..place })
    })
}

/// The folder that a device would take for a collection: one that waits there under its name (somebody filled it before), else one of a
/// name that no folder has; the transaction of a dry run is thrown away.
async fn would_make(device: &dyn Connector, parent: &str, collection: i64, like: Collection) -> Result<Collection> {
    let below = format!("{parent}/{}/", like.kind);
    let is_it = |folder: &Collection| folder.id.as_str().starts_with(&below) && folder.name == like.name;
    let waiting = device.collections(like.kind).await?.into_iter().find(is_it);
    let id = waiting.map_or_else(|| CollectionId(format!("{below}dry-run-{collection}")), |folder| folder.id);
    Ok(Collection { id, ..like })
}

/// Whether a place that says so of a name will always say so.
fn is_for_good(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Refused | ErrorKind::Unsupported)
}

/// A provider takes no collection of that name: the folders of it on devices stand in quarantine until they have another one.
///
/// Keeps promise 5: it is listed in the run in which it was refused.
fn refuse(cycle: &mut Cycle<'_>, provider: &str, collection: &twofold_hub::Collection, error: &Error) -> Result<()> {
    let why = format!(
        "{}{error}); nothing in it is there. Give it another name; this one is tried again later, or now by: twofold sync --retry-quarantined",
        takes_none(provider, &collection.name)
    );
    // Also of devices that do not take part in this run.
    for device in cycle.hub.replicas()?.into_iter().filter(|replica| replica.is_device) {
        for place in cycle.hub.places_of(collection.id)?.into_iter().filter(|place| place.replica == device.id) {
            leave_alone(cycle, &device, Some(collection.id), &place.remote_id, &why, true)?;
        }
    }
    Ok(())
}

/// How it begins what is told of a name that was refused, by which that is known from another name.
fn takes_none(provider: &str, name: &str) -> String {
    format!("{provider} takes no folder called \"{name}\" (")
}

/// Whether the provider refused a collection of that very name, and its next try is still to come.
///
/// Keeps promise 6: a run with nothing to do asks for nothing that was refused a moment ago.
fn waits_for_its_next_try(cycle: &mut Cycle<'_>, provider: &str, collection: &twofold_hub::Collection) -> Result<bool> {
    let (waiting, entries) = (cycle.hub.waiting(cycle.now())?, cycle.hub.quarantined()?);
    let is_refused = |entry: &&Quarantined| {
        let key = (entry.replica, entry.remote_id.as_str().to_owned());
        let is_it = entry.collection == Some(collection.id) && entry.is_folder();
        is_it && entry.reason.starts_with(&takes_none(provider, &collection.name)) && waiting.get(&key) == Some(&true)
    };
    let mut waits = false;
    for entry in entries.iter().filter(is_refused) {
        let device = cycle.hub.replicas()?.into_iter().find(|one| one.id == entry.replica).map(|one| one.name);
        let path = entry.remote_id.as_str().trim_start_matches("folder:");
        cycle.report.say_at(&device.unwrap_or_default(), format_args!("folder {path}: {}", entry.reason));
        waits = true;
    }
    Ok(waits)
}

/// Says once more why a folder of a device has nothing at its account, and lists it as long as that is so; `is_try`: it was tried just now.
fn leave_alone(
    cycle: &mut Cycle<'_>,
    device: &Replica,
    collection: Option<i64>,
    path: &str,
    why: &str,
    is_try: bool,
) -> Result<()> {
    cycle.report.say_at(&device.name, format_args!("folder {path}: {why}"));
    let device = device.id;
    let (remote_id, now) = (folder_name(path), cycle.now());
    let entries = cycle.hub.quarantined()?;
    let entry = entries.iter().find(|one| one.replica == device && one.remote_id.as_str() == remote_id);
    let is_listed = entry.is_some_and(|one| one.collection == collection && (is_try || one.reason == why));
    if cycle.settings.dry_run || is_listed && !is_try {
        return Ok(());
    }
    cycle.hub.atomically("folder left alone", |hub| {
        if !is_listed {
            hub.leave_quarantine(device, &remote_id)?;
        }
        hub.quarantine(
            &Bad { replica: device, collection, item: None, remote_id: &remote_id, reason: why, raw: &[] },
            now,
        )
    })
}

/// A new folder of a device that cannot be read, or is called as no mailbox can be, is listed as long as that is so. A known one says so
/// itself when it is read.
pub(super) fn leave_closed(cycle: &mut Cycle<'_>, kind: Kind, index: usize, closed: &[Collection]) -> Result<()> {
    let device = cycle.members[index].replica.clone();
    let places = cycle.hub.places(device.id, kind)?;
    for folder in closed.iter().filter(|folder| !places.iter().any(|place| place.remote_id == folder.id.as_str())) {
        let why = match folder.name.is_empty() {
            false => {
                "it cannot be read, so that nothing in it is at its account. Let the user that twofold runs as read it, \
                 and cur, new and tmp in it (chmod, chown), make those of the three that are not there (mkdir); where its \
                 .twofold-collection is damaged, delete that"
            }
            true => {
                "it is called as no mailbox can be (no dot stands before it, nothing between two dots or behind the last one, or it is no \
                 UTF-8), so that nothing in it is at its account. Give it another name"
            }
        };
        leave_alone(cycle, &device, None, folder.id.as_str(), why, false)?;
    }
    Ok(())
}

/// What was left alone and has another name by now, or was taken after all, is listed no more. `listed`: the folders of the device.
pub(super) fn let_go(cycle: &mut Cycle<'_>, kind: Kind, index: usize, listed: &[Collection]) -> Result<()> {
    let device = cycle.members[index].replica.id;
    let (places, unmade) = (cycle.hub.places(device, kind)?, cycle.hub.unmade(kind)?);
    let is_of_kind = |path: &str| path.split('/').nth(1) == Some(kind.as_str());
    for entry in cycle.hub.quarantined()?.into_iter().filter(|entry| entry.replica == device) {
        let Some(path) = entry.remote_id.as_str().strip_prefix("folder:").filter(|path| is_of_kind(path)) else {
            continue;
        };
        let place = places.iter().find(|place| place.remote_id == path);
        let is_left = match (place, entry.collection) {
            (Some(place), Some(collection)) => place.collection == collection && unmade.contains(&collection),
            (None, None) => listed.iter().any(|folder| folder.id.as_str() == path),
            _ => false,
        };
        if !is_left {
            cycle.hub.atomically("folder taken", |hub| hub.leave_quarantine(device, entry.remote_id.as_str()))?;
        }
    }
    Ok(())
}

/// A folder that somebody made below a provider's name on a device becomes a collection of that provider, where it can. It is
/// made there with whatever else the provider lacks ([`make_missing`]).
///
/// Keeps promise 13: collection and place are one transaction, before anything is asked of the provider.
pub(super) async fn take_new_folders(
    cycle: &mut Cycle<'_>,
    kind: Kind,
    index: usize,
    folders: &[Collection],
) -> Result<()> {
    let device = cycle.members[index].replica.clone();
    for folder in folders {
        // Of two of one name that are new the second finds the first.
        let places = cycle.hub.places(device.id, kind)?;
        if places.iter().any(|place| place.remote_id == folder.id.as_str()) {
            continue;
        }
        let provider = folder.id.as_str().split('/').next().unwrap_or_default().to_owned();
        let member: Option<&Member> = cycle.members.iter().find(|m| !m.replica.is_device && m.replica.name == provider);
        let Some((origin, connector)) = member.and_then(|m| Some((m.replica.id, m.reached(kind)?.clone()))) else {
            let words = format!("folder {} belongs to no reachable provider; it is left alone", folder.id);
            cycle.report.say_at(&device.name, words);
            continue;
        };
        if !connector.abilities().makes_collections.contains(&kind) {
            let words = format!("{provider} has one {} only; folder {} is left alone", word(kind), folder.id);
            cycle.report.say_at(&device.name, words);
            continue;
        }
        // One whose file of that name was lost is called as it is.
        let own = folder.id.as_str().rsplit('/').next().unwrap_or_default();
        let name = if folder.name.trim().is_empty() { own } else { folder.name.as_str() };
        let folder = &Collection { name: name.to_owned(), ..folder.clone() };
        if crate::scope::would_be_left_out(cycle, origin, &folder.name)? {
            let words = format!(
                "folder {} is called \"{}\", which the configuration leaves out; it is left alone",
                folder.id, folder.name
            );
            cycle.report.say_at(&device.name, words);
            continue;
        }
        // The provider refuses a second one of that name; the first may have its folder here already (a copy of it, say).
        let twin = places.iter().find(|place| {
            place.name.to_lowercase() == folder.name.to_lowercase()
                && place.remote_id.split('/').next() == Some(provider.as_str())
        });
        if let Some(twin) = twin {
            let how = if kind == Kind::Mail { "" } else { " in its file displayname" };
            let why = format!(
                "it is called \"{}\", as {} is; it is left alone, and nothing in it is at {provider}. Give it another name{how}",
                folder.name, twin.remote_id
            );
            leave_alone(cycle, &device, None, folder.id.as_str(), &why, false)?;
            continue;
        }
        if cycle.settings.dry_run {
            let words = format!("{provider} would get a new {} \"{}\"", word(kind), folder.name);
            cycle.report.say_at(&device.name, words);
            continue;
        }
        // The folder takes its marker first: marked and not known it is found again, known and not marked it would be held.
        let parent = folder.id.as_str().rsplit_once('/').map_or("", |(parent, _)| parent);
        let marked = Collection { id: CollectionId(parent.to_owned()), ..folder.clone() };
        let _changing = cycle.settings.calls.changing();
        if let Some(connector) = cycle.members[index].reached(kind).cloned()
            && let Err(error) = connector.create_collection(kind, &marked).await
        {
            cycle.report.trouble(&provider, &error);
            continue;
        }
        cycle.hub.atomically("new collection", |hub| {
            let collection = hub.add_collection(kind, &folder.name, folder.color.as_deref(), origin)?;
            let shows = Label { name: folder.name.clone(), color: folder.color.clone() };
            hub.add_place(&Place::new(collection, device.id, folder.id.as_str(), shows))
        })?;
    }
    Ok(())
}
