//! Settles intents that an earlier run (or a lost reply in this one) left open: looks before anything is repeated.

use crate::Cycle;
use crate::pull::take_seen;
use crate::write::{done, settled};
use std::collections::BTreeMap;
use twofold_hub::{Hub, Intent, IntentKind};
use twofold_model::{Found, Kind, Lens, Lookup, Mark, Place, Result, Seen};

/// Looks for every open intent of a kind at every reachable replica.
///
/// Keeps promise 3: an intent that certainly never left is dropped and decided anew; one that may have been executed is
/// settled only by what the replica shows.
pub async fn settle(cycle: &mut Cycle<'_>, kind: Kind) -> Result<()> {
    let mut by_replica: BTreeMap<i64, Vec<Intent>> = BTreeMap::new();
    for intent in cycle.hub.intents()? {
        if cycle.hub.item(intent.item)?.kind != kind {
            continue;
        }
        if intent.sent_ms.is_none() {
            cycle.hub.atomically("drop unsent", |hub| {
                hub.remove_intent(intent.id)?;
                hub.add_todo(intent.item)
            })?;
            continue;
        }
        by_replica.entry(intent.replica).or_default().push(intent);
    }
    for (replica, intents) in by_replica {
        let (creates, others): (Vec<Intent>, Vec<Intent>) =
            intents.into_iter().partition(|intent| intent.kind == IntentKind::Create);
        find_creates(cycle, kind, replica, creates).await?;
        look_at(cycle, kind, replica, others).await?;
    }
    Ok(())
}

async fn find_creates(cycle: &mut Cycle<'_>, kind: Kind, replica: i64, creates: Vec<Intent>) -> Result<()> {
    let Some(member) = cycle.member(replica) else { return Ok(()) };
    let Some(connector) = member.reached(kind).cloned() else { return Ok(()) };
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
    cycle.hub.atomically("settle create", |hub| {
        for (intent, answer) in asked.iter().zip(answers) {
            match answer {
                Ok(Found::Here(seen)) => made(hub, connector.lens(kind), intent, *seen, now)?,
                Ok(Found::Nowhere) => {
                    hub.remove_intent(intent.id)?;
                    hub.add_todo(intent.item)?;
                }
                Ok(Found::NotBefore(at)) => hub.set_not_before(intent.id, at)?,
                Err(error) => report.trouble(&name, &error),
            }
        }
        Ok(())
    })
}

/// A create whose reply was lost was executed: the replica agrees to what it shows; what it lacks of the item is sent as an
/// ordinary difference.
fn made(hub: &mut Hub, lens: &dyn Lens, intent: &Intent, seen: Seen, now: i64) -> Result<()> {
    let says = lens.read(&seen.rendering)?;
    let sent = hub.version(intent.version)?;
    let agreed = if lens.project(&sent.content)? == says {
        intent.version
    } else {
        let origin = twofold_hub::items::Origin { at_ms: now, rank: sent.rank, source: Some(intent.replica) };
        hub.add_version(intent.item, &says, origin, None, None)?
    };
    hub.remove_intent(intent.id)?;
    hub.set_placement(intent.item, intent.replica, intent.collection, agreed, &seen)?;
    hub.remove_sighting_of(intent.replica, &seen.remote_id)?;
    hub.add_todo(intent.item)
}

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
    cycle.hub.atomically("settle write", |hub| {
        for ((intent, _), answer) in asked.iter().zip(answers) {
            match answer {
                Ok(None) if intent.kind == IntentKind::Delete => done(hub, intent, None)?,
                Ok(None) => {
                    hub.remove_intent(intent.id)?;
                    if let Some(remote_id) = &intent.remote_id {
                        hub.store_gone(replica, remote_id, now)?;
                    }
                    hub.add_todo(intent.item)?;
                }
                Ok(Some(seen)) => {
                    let lens = connector.lens(kind);
                    let meant = intent.target.as_ref().and_then(|target| lens.read(target).ok());
                    let is_done = meant.is_some_and(|meant| lens.read(&seen.rendering).is_ok_and(|says| says == meant));
                    if is_done {
                        done(hub, intent, Some(seen))?;
                        hub.add_todo(intent.item)?;
                    } else {
                        // Not executed, or changed again since: what is there goes through the merge.
                        hub.remove_intent(intent.id)?;
                        take_seen(hub, replica, &places, lens, seen, now)?;
                        settled(hub, intent.item)?;
                        hub.add_todo(intent.item)?;
                    }
                }
                Err(error) => report.trouble(&name, &error),
            }
        }
        Ok(())
    })
}
