//! Settles intents that an earlier run (or a lost reply in this one) left open: looks before anything is repeated.

use crate::Cycle;
use crate::hung::{self, OPEN_MS};
use crate::intake::Intake;
use crate::write::{call_as_its_account_does, done};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use twofold_engine::plan::is_same_but_for_spelling;
use twofold_hub::{Hub, Intent, IntentKind};
use twofold_model::{Content, Etag, Found, Identity, Kind, Lookup, Mark, Place, Result, Seen};

/// Looks for every open intent of a kind at every reachable replica.
///
/// Keeps promise 3: an intent that certainly never left is dropped and decided anew; one that may have been executed is
/// settled only by what the replica shows. What became of a copy of another item (`Abilities::copies`) is told by the pull, so its
/// intent ends only where one follows.
pub async fn settle(cycle: &mut Cycle<'_>, kind: Kind, is_before_pull: bool) -> Result<()> {
    let mut by_replica: BTreeMap<i64, Vec<Intent>> = BTreeMap::new();
    for intent in cycle.hub.intents()? {
        if cycle.hub.item(intent.item)?.kind != kind {
            continue;
        }
        // To move a copy once more, or to give it the same further place, changes nothing: what was done, the pull tells.
        let may_be_repeated = matches!(intent.kind, IntentKind::Copy | IntentKind::Move);
        if intent.sent_ms.is_none() || may_be_repeated {
            cycle.hub.atomically("drop unsent", |hub| {
                hub.remove_intent(intent.id)?;
                hub.add_todo(intent.item)
            })?;
            continue;
        }
        if intent.is_copy() && !is_before_pull {
            continue;
        }
        by_replica.entry(intent.replica).or_default().push(intent);
    }
    // What a device was to make is looked for by the UID that its message had, which the account's answer changes.
    let mut by_replica: Vec<(i64, Vec<Intent>)> = by_replica.into_iter().collect();
    by_replica.sort_by_key(|(replica, _)| !cycle.is_device(*replica));
    for (replica, intents) in by_replica {
        let (creates, others): (Vec<Intent>, Vec<Intent>) =
            intents.into_iter().partition(|intent| intent.kind == IntentKind::Create);
        find_creates(cycle, kind, replica, creates).await?;
        look_at(cycle, kind, replica, others).await?;
    }
    Ok(())
}

/// Looks for creates by their marks.
///
/// Keeps promise 3: a create is settled by what is found, in one transaction with its base, or dropped when it is certain that
/// there is none.
async fn find_creates(cycle: &mut Cycle<'_>, kind: Kind, replica: i64, creates: Vec<Intent>) -> Result<()> {
    // What is found half made may be finished by its place, and a dry run changes nothing anywhere.
    if cycle.settings.dry_run {
        return Ok(());
    }
    let Some(member) = cycle.member(replica) else { return Ok(()) };
    // What is found half made may be finished, which is a write, too.
    let Some(connector) = member.written(kind).cloned() else { return Ok(()) };
    let name = member.replica.name.clone();
    let places = cycle.hub.places(replica, kind)?;
    let now = cycle.now();
    let mut lookups = Vec::new();
    let mut asked = Vec::new();
    for intent in creates {
        let Some(place) = places.iter().find(|place| place.collection == intent.collection) else { continue };
        // Asking earlier than its fate can be known is still worth while once a run: it may be there already.
        let item = cycle.hub.item(intent.item)?;
        let mark = Mark { hub: cycle.hub.id().to_owned(), item: item.mark, generation: intent.generation };
        let collection = place.remote_id.as_str().into();
        lookups.push(Lookup { mark, uid: item.uid, collection, sent_ms: intent.sent_ms.unwrap_or(now) });
        asked.push(intent);
    }
    if asked.is_empty() {
        return Ok(());
    }
    let answers = connector.find(kind, &lookups, now).await;
    let report = &mut cycle.report;
    let left_out = cycle.left_out.clone();
    let (lens, rank) = (connector.lens(kind), connector.abilities().rank);
    let intake = Intake { replica, kind, places: &places, lens, rank, now, left_out: &left_out };
    let mut answered = BTreeSet::new();
    cycle.hub.atomically("settle create", |hub| {
        for ((intent, lookup), answer) in asked.iter().zip(&lookups).zip(answers) {
            match answer {
                Ok(Found::Here(seen)) => {
                    made(hub, &intake, intent, &lookup.mark, *seen)?;
                    answered.insert(intent.item);
                    crate::tell::sent(hub, &name, kind, intent.collection, intent.item, intent.kind)?;
                }
                // It may still be executed.
                Ok(Found::Nowhere) if is_open(intent, now) => {}
                Ok(Found::Nowhere) => {
                    hub.remove_intent(intent.id)?;
                    hub.add_todo(intent.item)?;
                }
                Ok(Found::NotBefore(at)) => hub.set_not_before(intent.id, at)?,
                Err(error) => report.trouble(&name, &error),
            }
        }
        Ok(())
    })?;
    hung::note_items(cycle, (replica, kind), &BTreeSet::new(), &answered)
}

/// Whether what is not there may still be executed: its fate was not known, and it was sent a moment ago.
fn is_open(intent: &Intent, now_ms: i64) -> bool {
    let is_fresh = intent.sent_ms.is_some_and(|sent_ms| now_ms < sent_ms + OPEN_MS);
    intent.not_before_ms.is_some() && is_fresh
}

/// A create whose reply was lost was executed. What was sent is the base: whatever the copy says else by now, somebody said
/// since, and it is taken as their edit.
fn made(hub: &mut Hub, intake: &Intake<'_>, intent: &Intent, mark: &Mark, seen: Seen) -> Result<()> {
    // Nor is it put off any more.
    hub.end_intents(intake.replica, &[intent.id])?;
    hub.add_todo(intent.item)?;
    // A pull met it meanwhile, and bound it by its mark.
    if hub.placement(intake.replica, &seen.remote_id)?.is_some() {
        return Ok(());
    }
    let Ok(says) = intake.lens.read(&seen.rendering) else {
        // It cannot be understood: the next decision puts it into quarantine.
        let facts = intake.lens.facts(&seen.rendering);
        return hub.store_sighting(intake.replica, intent.collection, Some(intent.item), (&seen, &facts), intake.now);
    };
    call_as_its_account_does(hub, intent, &seen)?;
    let item = hub.item(intent.item)?;
    let sent = hub.version(intent.version)?;
    let base = executed(&sent.content, &says, intake.left_out.is_device(intake.replica));
    let identity = Identity { uid: item.uid, mark: Some(mark.clone()) };
    let rendering = intake.lens.write(None, &base, &identity)?;
    let agreed = if base == sent.content {
        intent.version
    } else {
        let origin = twofold_hub::items::Origin { at_ms: intake.now, rank: sent.rank, source: Some(intent.replica) };
        hub.add_version(intent.item, &base, origin, None, None)?
    };
    let is_as_sent = is_same_but_for_spelling(None, &intake.lens.read(&rendering)?, &says);
    let is_in_place = intake
        .places
        .iter()
        .any(|place| place.collection == intent.collection && place.remote_id == seen.collection.as_str());
    if is_as_sent && is_in_place {
        hub.set_placement(intent.item, intent.replica, intent.collection, agreed, &seen)?;
        return hub.remove_sighting_of(intent.replica, &seen.remote_id);
    }
    // The etag of the base is nobody's: what is there differs from it.
    let was = Seen { rendering, etag: Etag(String::new()), modified_ms: None, ..seen.clone() };
    hub.set_placement(intent.item, intent.replica, intent.collection, agreed, &was)?;
    intake.take(hub, seen)
}

/// What of a create was executed for certain, where its copy says `says`. A photo and a changed occurrence travel in requests of
/// their own, which may not have left: those that the copy lacks were not agreed. Nor were a user's own keywords on a device, which may have no
/// letter left for them, or not have been able to note one.
fn executed(sent: &Content, says: &Content, is_device: bool) -> Content {
    let mut base = sent.clone();
    if let Some(Value::Object(words)) = base.0.get_mut("keywords").filter(|_| is_device) {
        words.retain(|word, _| word.starts_with('$') || says.at(&["keywords", word]).is_some());
    }
    if says.get("media").is_none() {
        base.set("media", Value::Null);
    }
    if let Some(Value::Object(overrides)) = base.0.get_mut("recurrenceOverrides") {
        overrides.retain(|key, patch| {
            patch.get("excluded") == Some(&Value::Bool(true)) || says.at(&["recurrenceOverrides", key]).is_some()
        });
    }
    base.tidied()
}

/// Looks at copies whose change or removal may have been made.
///
/// Keeps promise 3: base and intent move in one transaction.
async fn look_at(cycle: &mut Cycle<'_>, kind: Kind, replica: i64, intents: Vec<Intent>) -> Result<()> {
    let Some(member) = cycle.member(replica) else { return Ok(()) };
    let Some(connector) = member.reached(kind).cloned() else { return Ok(()) };
    let name = member.replica.name.clone();
    let places = cycle.hub.places(replica, kind)?;
    let asked: Vec<(Intent, Place)> = intents
        .into_iter()
        .filter_map(|intent| {
            let place = places.iter().find(|place| place.collection == intent.collection)?;
            let place = Place { remote_id: intent.remote_id.clone()?, collection: place.remote_id.as_str().into() };
            Some((intent, place))
        })
        .collect();
    if asked.is_empty() {
        return Ok(());
    }
    let names: Vec<Place> = asked.iter().map(|(_, place)| place.clone()).collect();
    let answers = connector.fetch(kind, &names).await;
    let now = cycle.now();
    let report = &mut cycle.report;
    let left_out = cycle.left_out.clone();
    let (lens, rank) = (connector.lens(kind), connector.abilities().rank);
    let intake = Intake { replica, kind, places: &places, lens, rank, now, left_out: &left_out };
    let mut answered = BTreeSet::new();
    cycle.hub.atomically("settle write", |hub| {
        for ((intent, place), answer) in asked.iter().zip(answers) {
            match answer {
                Ok(None) if intent.kind == IntentKind::Delete => {
                    answered.insert(intent.item);
                    done(hub, lens, intent, None, now)?;
                    crate::tell::sent(hub, &name, kind, intent.collection, intent.item, intent.kind)?;
                }
                Ok(None) => {
                    hub.remove_intent(intent.id)?;
                    if let Some(remote_id) = &intent.remote_id {
                        hub.store_gone(replica, remote_id, now)?;
                    }
                    hub.add_todo(intent.item)?;
                }
                Ok(Some(seen)) => {
                    let meant = intent.target.as_ref().and_then(|target| lens.read(target).ok());
                    let base = hub.placement(replica, &place.remote_id)?;
                    let before = base.and_then(|base| lens.read(&base.seen).ok());
                    let is_done = meant.is_some_and(|meant| {
                        let says = lens.read(&seen.rendering);
                        says.is_ok_and(|says| is_same_but_for_spelling(before.as_ref(), &meant, &says))
                    });
                    if is_done {
                        answered.insert(intent.item);
                        done(hub, lens, intent, Some(seen), now)?;
                        crate::tell::sent(hub, &name, kind, intent.collection, intent.item, intent.kind)?;
                        hub.add_todo(intent.item)?;
                    } else if !is_open(intent, now) {
                        // Not executed, or changed again since: what is there goes through the merge.
                        hub.remove_intent(intent.id)?;
                        intake.take(hub, seen)?;
                        hub.add_todo(intent.item)?;
                    }
                }
                Err(error) => report.trouble(&name, &error),
            }
        }
        Ok(())
    })?;
    hung::note_items(cycle, (replica, kind), &BTreeSet::new(), &answered)
}
