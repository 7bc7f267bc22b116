//! Second looks and brakes: what is said to be gone is asked for by name, and a mass change is held (promises 1 and 8).

use crate::Cycle;
use crate::arrange::remove;
use crate::intake::Intake;
use crate::likeness::is_alike;
use std::collections::{BTreeSet, HashMap, HashSet};
use twofold_engine::brake::Brake;
use twofold_hub::backup::Restored;
use twofold_hub::{Hold, Hub, Presence, random_id};
use twofold_model::{ErrorKind, Kind, Known, Place, RemoteId, Rendering, Result, Seen};

/// How many claims are asked about at once.
const ASK: usize = 200;
/// How many copies that are known to be put away are asked about in one run: they are asked for ever.
const PUT_AWAY_IN_A_RUN: usize = 4000;
const DAY_MS: i64 = 24 * 3_600_000;
/// Why a copy on a device is neither there nor gone: how it is listed for people.
pub(crate) const PUT_AWAY: &str =
    "it was moved there to a folder that is not kept in step; at its account it stays where it is";

/// Asks every reachable replica about each copy that is said to be gone there.
///
/// Keeps promise 1: only the answer that it is not there makes a copy gone; the answers to one question are one transaction.
/// Where reads lag behind lists, the answer that it is still there settles nothing while the question is young: it stays open,
/// the copy counts as unknown, and the next run asks again; one that reads as it was can be moved and copied all the same. What is really there (it left a folder and came back) is believed
/// once the question is older than any lag, so that nothing is asked for ever.
///
/// Answers at which replicas that compare something was found to be gone.
pub async fn confirm(cycle: &mut Cycle<'_>, kind: Kind) -> Result<BTreeSet<usize>> {
    remove::bury(cycle, kind)?;
    retry_quarantined(cycle, kind).await?;
    dropped_changes(cycle, kind)?;
    ask(cycle, kind, 0..cycle.members.len()).await
}

/// Asks these replicas for what is said to be gone there; the answer is [`confirm`]'s.
pub async fn ask(
    cycle: &mut Cycle<'_>,
    kind: Kind,
    members: impl IntoIterator<Item = usize>,
) -> Result<BTreeSet<usize>> {
    let mut missed_at = BTreeSet::new();
    let left_out = cycle.left_out.clone();
    for index in members {
        let Some(connector) = cycle.members[index].reached(kind).cloned() else { continue };
        let replica = cycle.members[index].replica.clone();
        let places = cycle.hub.places(replica.id, kind)?;
        let claims = questions(cycle, kind, replica.id, &places)?;
        let lag_ms = i64::try_from(connector.abilities().reads_lag_s).unwrap_or(0).saturating_mul(1000);
        let mut open = 0;
        for chunk in claims.chunks(ASK) {
            if cycle.must_stop() {
                break;
            }
            let asked: Vec<Place> = chunk.iter().map(|(_, place, _)| place.clone()).collect();
            let answers = connector.fetch(kind, &asked).await;
            let missed: Vec<&Place> = asked
                .iter()
                .zip(&answers)
                .filter(|(_, answer)| matches!(answer, Ok(None)))
                .map(|(place, _)| place)
                .collect();
            let (aside, unclear) = match aside(cycle, kind, index, &missed).await {
                Ok(aside) => (aside, None),
                Err(error) if error.kind == ErrorKind::Broken => return Err(error),
                Err(error) => (HashSet::new(), Some(error)),
            };
            let now = cycle.now();
            let (lens, rank) = (connector.lens(kind), connector.abilities().rank);
            let intake = Intake { replica: replica.id, kind, places: &places, lens, rank, now, left_out: &left_out };
            let (mut troubles, mut still_read, mut is_missed) = (Vec::new(), Vec::new(), false);
            let mut codes = Vec::new();
            cycle.hub.atomically("confirm", |hub| {
                for ((id, place, since), answer) in chunk.iter().zip(answers) {
                    let was_unread = replica.is_device
                        && kind == Kind::Mail
                        && answer.is_ok()
                        && hub.is_quarantined(replica.id, &place.remote_id)?;
                    if was_unread {
                        hub.leave_quarantine(replica.id, place.remote_id.as_str())?;
                    }
                    let is_known = hub.placement(replica.id, &place.remote_id)?.is_some();
                    match answer {
                        // What nobody could read there was not the message: whoever took that away deleted none, and it is written anew.
                        Ok(None) if was_unread => {
                            hub.remove_sighting(*id)?;
                            if let Some(known) = hub.placement(replica.id, &place.remote_id)? {
                                hub.remove_placement(known.id)?;
                                hub.add_todo(known.item)?;
                            }
                        }
                        // Whether it stands where nothing is read could not be told: it is asked again in the next run.
                        Ok(None) if unclear.is_some() => {}
                        Ok(None) if aside.contains(&place.remote_id) => put_away(hub, (replica.id, &places), place)?,
                        Ok(None) => {
                            is_missed = true;
                            hub.confirm_gone(*id)?;
                        }
                        // Somebody put it where nothing may be written at its account: it is not gone, and the question stays.
                        Ok(Some(seen)) if is_known && is_put_away(&left_out, replica.id, &places, (place, &seen)) => {
                            put_away(hub, (replica.id, &places), place)?;
                        }
                        // A folder of the account's that came after its folders were listed: the next run knows it.
                        Ok(Some(seen))
                            if !replica.is_device
                                && !places.iter().any(|p| p.remote_id == seen.collection.as_str()) =>
                        {
                            codes.push(crate::report::exit::TEMPORARY);
                        }
                        // It stands where nothing is mirrored: gone from all that is.
                        Ok(Some(seen)) if !places.iter().any(|p| p.remote_id == seen.collection.as_str()) => {
                            hub.confirm_gone(*id)?;
                        }
                        // It goes by another name now. Where that has a row of its own, two became one there; where it was taken for
                        // another item of the same bytes, this one has another file.
                        Ok(Some(seen)) if seen.remote_id != place.remote_id => {
                            let taken = hub.sighting(replica.id, &seen.remote_id)?.and_then(|seen| seen.item);
                            match (
                                hub.placement(replica.id, &seen.remote_id)?,
                                hub.placement(replica.id, &place.remote_id)?,
                            ) {
                                (None, Some(old)) if taken.is_none_or(|item| item == old.item) => {
                                    hub.remove_sighting(*id)?;
                                    hub.rename_placement(old.id, &seen.remote_id)?;
                                    intake.take(hub, seen)?;
                                }
                                _ => hub.confirm_gone(*id)?,
                            }
                        }
                        // Under a clock that ran ahead the question is of the future: nobody knows how old it is.
                        Ok(Some(seen))
                            if seen.collection == place.collection && (0..lag_ms).contains(&(now - since)) =>
                        {
                            open += 1;
                            still_read.extend(intake.is_as_agreed(hub, seen)?.then(|| place.remote_id.clone()));
                        }
                        // A copy that nobody has met yet waits as it did before.
                        Ok(Some(seen)) => {
                            match is_known || seen.collection != place.collection {
                                true => hub.remove_sighting(*id)?,
                                false => hub.confirm_here(*id)?,
                            }
                            intake.take(hub, seen)?;
                        }
                        // Not known: neither same nor gone. It is asked again in the next run.
                        Err(error) => troubles.push(error),
                    }
                }
                Ok(())
            })?;
            cycle.members[index].still_read.extend(still_read);
            cycle.report.codes.extend(codes);
            if is_missed && connector.abilities().compares_known {
                missed_at.insert(index);
            }
            for error in troubles.into_iter().chain(unclear) {
                cycle.report.trouble(&replica.name, &error);
            }
        }
        if cycle.hub.withheld_for(PUT_AWAY)?.iter().any(|(_, at, _)| *at == replica.id) {
            cycle.hub.atomically("put away", |hub| hub.release_settled(replica.id, PUT_AWAY))?;
        }
        if open > 0 {
            cycle.report.codes.push(crate::report::exit::TEMPORARY);
            let words = format!(
                "{open} items are said to be gone there and can still be read; they are asked for again. Run again later: twofold sync"
            );
            cycle.report.say_at(&replica.name, words);
        }
    }
    Ok(missed_at)
}

/// A copy that is said to be gone: the key of its sighting, where it stood, and since when that is said.
type Question = (i64, Place, i64);

/// What a replica is to be asked about. One change may take thousands of copies away, and is to be done in one run: all are asked about, but for
/// what was put away, which is asked about for ever: of that so much, in turn.
fn questions(cycle: &mut Cycle<'_>, kind: Kind, replica: i64, places: &[twofold_hub::Place]) -> Result<Vec<Question>> {
    let turn = format!("claims {replica} {kind}");
    let after: i64 = cycle.hub.meta(&turn)?.and_then(|text| text.parse().ok()).unwrap_or(0);
    let aside: HashSet<_> = cycle.hub.withheld_for(PUT_AWAY)?.into_iter().collect();
    let (mut asked, mut put_away) = (Vec::new(), Vec::new());
    for claim in cycle.hub.claims(replica, kind)? {
        let Some(place) = places.iter().find(|place| place.collection == claim.collection) else { continue };
        let collection = place.remote_id.as_str().into();
        let is_aside = claim.item.is_some_and(|item| aside.contains(&(item, replica, claim.collection)));
        let question = (claim.id, Place { remote_id: claim.remote_id, collection }, claim.observed_ms);
        if is_aside { put_away.push(question) } else { asked.push(question) }
    }
    if put_away.len() > PUT_AWAY_IN_A_RUN {
        let first = put_away.partition_point(|(id, ..)| *id <= after);
        put_away.rotate_left(first);
        put_away.truncate(PUT_AWAY_IN_A_RUN);
        let end = put_away.last().map_or(0, |(id, ..)| *id);
        cycle.hub.set_meta(&turn, &end.to_string())?;
    }
    asked.extend(put_away);
    Ok(asked)
}

/// Whether a copy that is asked for is on its way to what is left out, by a hand that has no say in that; or on a device where
/// nothing is mirrored. It is still there, so that its account is told nothing.
fn is_put_away(
    left_out: &crate::scope::LeftOut,
    replica: i64,
    places: &[twofold_hub::Place],
    (was, is): (&Place, &Seen),
) -> bool {
    let at = |id: &str| places.iter().find(|place| place.remote_id == id).map(|place| place.collection);
    match at(is.collection.as_str()) {
        None => left_out.is_device(replica),
        Some(to) => at(was.collection.as_str()).is_some_and(|from| left_out.is_frozen(replica, from, to)),
    }
}

/// Which messages that are missed on a device were moved under another name to where nothing is read: their bytes, or those that some
/// program made of them, stand there as nobody's.
async fn aside(cycle: &Cycle<'_>, kind: Kind, index: usize, missed: &[&Place]) -> Result<HashSet<RemoteId>> {
    let member = &cycle.members[index];
    let replica = &member.replica;
    let mut aside = HashSet::new();
    let (Some(connector), Some(blobs)) = (member.reached(kind), cycle.settings.blobs.as_deref()) else {
        return Ok(aside);
    };
    if !replica.is_device || missed.is_empty() {
        return Ok(aside);
    }
    let lens = connector.lens(kind);
    let mut lost = Vec::new();
    for place in missed {
        let Some(known) = cycle.hub.placement(replica.id, &place.remote_id)? else { continue };
        lost.extend(lens.facts(&known.seen).blob.map(|blob| (&place.remote_id, blob, known.seen)));
    }
    if lost.is_empty() {
        return Ok(aside);
    }
    let (mut read, mut known) = (HashSet::new(), Known::new());
    for place in cycle.hub.places(replica.id, kind)? {
        if cycle.left_out.has(place.collection) || member.unread.contains(&place.collection) {
            known.extend(cycle.hub.known(replica.id, place.collection)?);
        } else {
            read.insert(place.remote_id.as_str().into());
        }
    }
    let like: Vec<Rendering> = lost.iter().map(|(.., rendering)| rendering.clone()).collect();
    let mut found = connector.aside(kind, &read, &known, &like).await?;
    for (name, blob, _) in lost {
        let is_it = |seen: &Seen| lens.facts(&seen.rendering).blob.is_some_and(|other| is_alike(blobs, &blob, &other));
        // Each file is one message.
        if let Some(at) = found.iter().position(is_it) {
            found.swap_remove(at);
            aside.insert(name.clone());
        }
    }
    Ok(aside)
}

/// Lists a copy that was put away, for people.
fn put_away(hub: &mut Hub, (replica, places): (i64, &[twofold_hub::Place]), place: &Place) -> Result<()> {
    let collection = places.iter().find(|one| one.remote_id == place.collection.as_str()).map(|one| one.collection);
    match collection.zip(hub.placement(replica, &place.remote_id)?) {
        Some((collection, known)) => hub.withhold(known.item, replica, collection, PUT_AWAY),
        None => Ok(()),
    }
}

/// Asks again for what could not be understood when it was read, once its time has come: no delta names it until it changes.
///
/// Keeps promise 9: a copy leaves the quarantine in the transaction that takes it.
async fn retry_quarantined(cycle: &mut Cycle<'_>, kind: Kind) -> Result<()> {
    let now = cycle.now();
    let left_out = cycle.left_out.clone();
    let mut due = cycle.hub.quarantined_due(now)?;
    due.retain(|(_, _, collection)| collection.is_none_or(|collection| !left_out.has(collection)));
    if due.is_empty() {
        return Ok(());
    }
    for index in 0..cycle.members.len() {
        let Some(connector) = cycle.members[index].reached(kind).cloned() else { continue };
        // A device compares every file in each run anyway.
        if connector.abilities().compares_known {
            continue;
        }
        let replica = cycle.members[index].replica.clone();
        let places = cycle.hub.places(replica.id, kind)?;
        let asked: Vec<Place> = due
            .iter()
            .filter(|(of, ..)| *of == replica.id)
            .filter_map(|(_, remote_id, collection)| {
                let place = places.iter().find(|place| Some(place.collection) == *collection)?;
                Some(Place { remote_id: remote_id.clone(), collection: place.remote_id.as_str().into() })
            })
            .take(ASK)
            .collect();
        if asked.is_empty() {
            continue;
        }
        let answers = connector.fetch(kind, &asked).await;
        let (lens, rank) = (connector.lens(kind), connector.abilities().rank);
        let intake = Intake { replica: replica.id, kind, places: &places, lens, rank, now, left_out: &left_out };
        cycle.hub.atomically("retry", |hub| {
            for (place, answer) in asked.iter().zip(answers) {
                match answer {
                    Ok(Some(seen)) => drop(intake.take_once_more(hub, seen, &HashSet::new())?),
                    Ok(None) => {
                        hub.leave_quarantine(replica.id, place.remote_id.as_str())?;
                        hub.store_gone(replica.id, &place.remote_id, now)?;
                    }
                    Err(error) => hub.postpone(replica.id, place.remote_id.as_str(), &error.to_string(), now)?,
                }
            }
            Ok(())
        })?;
    }
    crate::meet::meet(cycle, kind).await
}

/// Somebody said that changes held at a replica were wrong: it agrees, so far, to what it shows, and is told what the hub says.
///
/// Keeps promise 4: what was held stays as a version, in the transaction that ends the hold.
fn dropped_changes(cycle: &mut Cycle<'_>, kind: Kind) -> Result<()> {
    let now = cycle.now();
    for hold in cycle.hub.dropped_holds()?.into_iter().filter(|hold| hold.cause == "changes" && hold.kind == kind) {
        let Some(connector) = cycle.member(hold.replica).and_then(|member| member.reached(kind)).cloned() else {
            continue;
        };
        let lens = connector.lens(kind);
        cycle.hub.atomically("put back", |hub| {
            for row in hub.hold_rows(&hold.id)? {
                let sighting = hub.sighting(hold.replica, &row.remote_id)?;
                // What is said to be gone meanwhile is another question.
                let Some(sighting) = sighting.filter(|it| it.presence == Presence::Here) else { continue };
                let (Some(item), Ok(says)) = (sighting.item, lens.read(&sighting.rendering)) else { continue };
                let rank = connector.abilities().rank;
                let origin = twofold_hub::items::Origin { at_ms: now, rank, source: Some(hold.replica) };
                let agreed = hub.add_version(item, &says, origin, None, None)?;
                hub.set_placement(item, hold.replica, sighting.collection, agreed, &crate::meet::as_seen(&sighting))?;
                hub.remove_sighting(sighting.id)?;
                hub.add_todo(item)?;
            }
            hub.remove_hold(&hold.id)
        })?;
    }
    Ok(())
}

/// Holds what is too much: removals of a collection within 24 hours, or every item of it changed at once; and every removal that is only
/// found because the hub is an old copy (ENGINE 22).
///
/// Keeps promise 8: a held row counts as "unknown" in every decision until somebody approves it.
pub fn brake(cycle: &mut Cycle<'_>, kind: Kind) -> Result<()> {
    let brake = cycle.settings.brakes.get(&kind).copied().unwrap_or_default();
    let left_out = cycle.left_out.clone();
    let now = cycle.now();
    let read = cycle.members.iter().filter(|member| member.reached(kind).is_some() && member.complete.contains(&kind));
    let read: Vec<i64> = read.map(|member| member.replica.id).collect();
    cycle.hub.find_let_go(kind, &read)?;
    for index in 0..cycle.members.len() {
        if cycle.members[index].reached(kind).is_none() {
            continue;
        }
        let replica = cycle.members[index].replica.clone();
        let mut places = cycle.hub.places(replica.id, kind)?;
        places.retain(|place| !left_out.has(place.collection));
        let free = cycle.hub.removals_to_free(replica.id)?;
        if !free.is_empty() {
            cycle.hub.atomically("free", |hub| hub.free_removals(&free))?;
        }
        let gone: HashMap<i64, usize> = cycle.hub.gone_by_collection(replica.id)?.into_iter().collect();
        let changed: HashMap<i64, usize> = cycle.hub.changed_by_collection(replica.id)?.into_iter().collect();
        let restored = cycle.hub.restored(replica.id, kind)?;
        let mut found_gone = HashSet::new();
        if let Some(Restored::Asked(names)) = &restored {
            for name in names {
                let sighting = cycle.hub.sighting(replica.id, name)?;
                found_gone.extend(sighting.filter(|it| it.presence == Presence::Gone).map(|it| it.collection));
            }
        }
        let is_emptied = is_emptied(cycle, &places, &gone)?;
        for place in &places {
            if let Some(going) = gone.get(&place.collection) {
                let is_restored = restored == Some(Restored::Uncompared) || found_gone.contains(&place.collection);
                let why = if is_restored {
                    Why::Restored
                } else if is_emptied {
                    Why::Emptied
                } else {
                    Why::Many
                };
                removals(cycle, kind, &replica, place, (*going, why), brake, now)?;
            }
            let differing = changed.get(&place.collection).copied().unwrap_or_default();
            changes(cycle, kind, (&replica, place), differing, now)?;
        }
        // What went since the copy was made is held by now, or still asked for; what goes later is as any other.
        let asked = match restored {
            Some(Restored::Uncompared) if cycle.members[index].complete.contains(&kind) => {
                open(cycle, replica.id, kind)?
            }
            Some(Restored::Asked(mut names)) => {
                let open: HashSet<RemoteId> = open(cycle, replica.id, kind)?.into_iter().collect();
                names.retain(|name| open.contains(name));
                names
            }
            _ => continue,
        };
        cycle.hub.set_restored(replica.id, kind, &asked)?;
    }
    Ok(())
}

/// The copies of which it is not known whether they are gone. What was put away is known to be there, and is asked for ever.
fn open(cycle: &Cycle<'_>, replica: i64, kind: Kind) -> Result<Vec<RemoteId>> {
    let put_away = cycle.hub.withheld_for(PUT_AWAY)?;
    let mut claims = cycle.hub.claims(replica, kind)?;
    claims.retain(|claim| !claim.item.is_some_and(|item| put_away.contains(&(item, replica, claim.collection))));
    Ok(claims.into_iter().map(|claim| claim.remote_id).collect())
}

/// Why removals are held.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Why {
    /// There are too many, or they come to those that are held already.
    Many,
    /// Nothing is left at the replica.
    Emptied,
    /// The hub is an old copy of itself, and only finds now what went since.
    Restored,
}

/// How a hold says that the hub is an old copy.
const RESTORED: &str =
    ". The hub was put back from an older copy: what went since that was made is held, however little it is";

/// Whether a replica is suddenly empty: then each collection is held, however little was in it.
fn is_emptied(cycle: &Cycle<'_>, places: &[twofold_hub::Place], gone: &HashMap<i64, usize>) -> Result<bool> {
    if gone.is_empty() {
        return Ok(false);
    }
    let (mut size, mut going) = (0, 0);
    for place in places {
        size += cycle.hub.copies_had(place.replica, place.collection)?;
        going += gone.get(&place.collection).copied().unwrap_or_default();
    }
    Ok(Brake::empties(size, going))
}

fn removals(
    cycle: &mut Cycle<'_>,
    kind: Kind,
    replica: &twofold_hub::Replica,
    place: &twofold_hub::Place,
    (going, why): (usize, Why),
    brake: Brake,
    now: i64,
) -> Result<()> {
    let collection = place.collection;
    let open = cycle.hub.open_hold(replica.id, Some(collection), "deletes")?;
    let size = cycle.hub.copies_had(replica.id, collection)?;
    let recent = cycle.hub.recent_removals(replica.id, collection, now - DAY_MS)?;
    if open.is_none() && why == Why::Many && !brake.holds(size, recent, going) {
        return Ok(());
    }
    let mut reason = format!(
        "{going} of {size} items of \"{}\" are gone at {}; nothing was removed elsewhere",
        place.name, replica.name
    );
    if why == Why::Restored || open.as_ref().is_some_and(|hold| hold.reason.ends_with(RESTORED)) {
        reason.push_str(RESTORED);
    }
    let id = open.map_or_else(|| format!("del-{}", &random_id()[..6]), |hold| hold.id);
    cycle.hub.atomically("hold", |hub| {
        hub.set_hold(&Hold {
            id: id.clone(),
            replica: replica.id,
            collection: Some(collection),
            kind,
            cause: "deletes".into(),
            reason,
            since_ms: now,
            is_approved: false,
        })?;
        hub.hold_removals(replica.id, collection, &id)
    })
}

/// Every item of a collection of twenty or more changed at once: held.
///
/// Keeps promise 8: the hold and all of its rows are one transaction.
fn changes(
    cycle: &mut Cycle<'_>,
    kind: Kind,
    (replica, place): (&twofold_hub::Replica, &twofold_hub::Place),
    differing: usize,
    now: i64,
) -> Result<()> {
    const FROM: usize = 20;
    let Some(connector) = cycle.member(replica.id).and_then(|member| member.reached(kind)).cloned() else {
        return Ok(());
    };
    // Copies are counted only where there is something to compare their number with.
    if differing < FROM {
        return Ok(());
    }
    let size = cycle.hub.copies(replica.id, place.collection)?;
    if size < FROM || differing < size {
        return Ok(());
    }
    // Only what differs in meaning counts: a provider may re-stamp everything. And what the place says for the whole collection is
    // one change, not one of every item.
    let lens = connector.lens(kind);
    let mut changed = Vec::new();
    for sighting in cycle.hub.changed(replica.id, place.collection)? {
        let known = cycle.hub.placement(replica.id, &sighting.remote_id)?;
        // What came from another collection is none of this one's items yet.
        let known = known.filter(|known| known.collection == sighting.collection);
        let known = known.filter(|known| !lens.differ_by_collection(&known.seen, &sighting.rendering));
        let is_edit = known.is_some_and(|known| match (lens.read(&known.seen), lens.read(&sighting.rendering)) {
            (Ok(before), Ok(after)) => before != after,
            _ => false,
        });
        if is_edit {
            changed.push(sighting.id);
        }
    }
    if changed.len() < size {
        return Ok(());
    }
    let id = cycle
        .hub
        .open_hold(replica.id, Some(place.collection), "changes")?
        .map_or_else(|| format!("chg-{}", &random_id()[..6]), |hold| hold.id);
    let reason =
        format!("all {size} items of \"{}\" changed at once at {}; no change was taken", place.name, replica.name);
    cycle.hub.atomically("hold", |hub| {
        hub.set_hold(&Hold {
            id: id.clone(),
            replica: replica.id,
            collection: Some(place.collection),
            kind,
            cause: "changes".into(),
            reason,
            since_ms: now,
            is_approved: false,
        })?;
        changed.iter().try_for_each(|sighting| hub.hold_sighting(*sighting, &id))
    })
}
