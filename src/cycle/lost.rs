//! A hub that was lost (ENGINE 22): every replica is met anew, and where more than a few items would have to be created, somebody
//! is asked first. Replicas that were in step hold the same; much that is missing at one of them means that something else
//! is wrong: another account, an old folder, copies that no pairing recognised.

use crate::Cycle;
use twofold_hub::{Hold, Hub, random_id};
use twofold_model::{Kind, Result};

/// The hub's note that some place bears the traces of a hub that was lost.
const NOTE: &str = "lost";
/// More than so many of a hundred items missing at a place are held…
const MISSING_PERCENT: usize = 5;
/// …but never so few.
const MISSING_AT_LEAST: usize = 5;

/// Some place was in step with another hub before.
pub fn note(hub: &mut Hub) -> Result<()> {
    hub.set_meta(NOTE, "yes")
}

/// Whether a hub was lost, and some place was not met since.
fn is_on(hub: &Hub) -> Result<bool> {
    Ok(hub.meta(NOTE)?.as_deref() == Some("yes"))
}

/// The places that were not met yet after a loss, by replica and collection: what they lack is not known before all of their account was read.
pub fn unmet(hub: &Hub, kind: Kind) -> Result<Vec<(i64, i64)>> {
    let mut unmet = Vec::new();
    if is_on(hub)? {
        for replica in hub.replicas()? {
            let places = hub.places(replica.id, kind)?.into_iter().filter(|place| !place.met);
            unmet.extend(places.map(|place| (replica.id, place.collection)));
        }
    }
    Ok(unmet)
}

/// Notes which places have been met for the first time, and holds what would be created there after a hub was lost; ends such holds when
/// their cause has healed or somebody said yes.
///
/// Keeps promise 8: the hold is one row, stored together with the note that the place was met; until it is approved nothing is written to
/// that place.
pub fn note_met(cycle: &mut Cycle<'_>, kind: Kind) -> Result<()> {
    let was_lost = is_on(cycle.hub)?;
    for hold in cycle.hub.holds_of_any_state()?.into_iter().filter(|hold| hold.cause == "lost" && hold.kind == kind) {
        let Some(collection) = hold.collection else { continue };
        if hold.is_approved || !is_too_much(cycle.hub, hold.replica, collection)? {
            cycle.hub.remove_hold(&hold.id)?;
        }
    }
    for place in crate::meet::met_first(cycle, kind)? {
        let replica = cycle.member(place.replica).map(|member| member.replica.name.clone()).unwrap_or_default();
        let since_ms = cycle.now();
        cycle.hub.atomically("met", |hub| {
            if was_lost && is_too_much(hub, place.replica, place.collection)? {
                let (missing, size) = (hub.lacking(place.replica, place.collection)?, hub.size(place.collection)?);
                hub.set_hold(&Hold {
                    id: format!("lost-{}", &random_id()[..6]),
                    replica: place.replica,
                    collection: Some(place.collection),
                    kind,
                    cause: "lost".into(),
                    reason: format!(
                        "the hub was lost, and {missing} of {size} items are not in \"{}\" at {replica}; nothing was written there",
                        place.name
                    ),
                    since_ms,
                    is_approved: false,
                })?;
            }
            hub.set_place_met(place.id)
        })?;
    }
    // Once every place has been met, the loss is over: what comes later is new.
    if was_lost && cycle.hub.all_met()? {
        cycle.hub.set_meta(NOTE, "no")?;
    }
    Ok(())
}

fn is_too_much(hub: &Hub, replica: i64, collection: i64) -> Result<bool> {
    let missing = hub.lacking(replica, collection)?;
    Ok(missing > MISSING_AT_LEAST && missing * 100 > hub.size(collection)? * MISSING_PERCENT)
}
