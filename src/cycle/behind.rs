//! A look behind: what moved while the folders of a device were listed, one after the other.
//!
//! A file that another program moves after its folder was listed, and before the one it goes to is, is seen in both. Taken so it would be a
//! copy, made anew at an account whose messages stand in one folder each, and the other one would go to the trash in the next run. So where
//! a new copy may be a known one of another folder, that folder is asked for it once more, before anything is made of the new one.

use crate::{Cycle, SLICE};
use std::collections::{BTreeMap, HashSet};
use twofold_model::{Kind, Place, RemoteId, Result};

/// How many copies are asked for at once, and in one run.
const ASK: usize = 200;
const ASK_IN_A_RUN: usize = 4000;

/// Asks for the known copies that new ones may be, where the list showed them as they were. What is not there any more is a question then,
/// as if the list had lacked it.
///
/// Keeps promise 1: nothing is gone by this; the question is asked like all others.
pub async fn look(cycle: &mut Cycle<'_>, kind: Kind) -> Result<()> {
    for index in 0..cycle.members.len() {
        let Some(connector) = cycle.members[index].reached(kind).cloned() else { continue };
        if !connector.abilities().compares_known {
            continue;
        }
        let replica = cycle.members[index].replica.id;
        let asked: Vec<Place> = known_elsewhere(cycle, kind, replica, connector.lens(kind))?.into_values().collect();
        for chunk in asked.chunks(ASK) {
            let answers = connector.fetch(kind, chunk).await;
            let now = cycle.now();
            cycle.hub.atomically("look behind", |hub| {
                for (place, answer) in chunk.iter().zip(answers) {
                    // What cannot be told now is as the list said; another run may see more.
                    let has_left = answer.is_ok_and(|seen| seen.is_none_or(|seen| seen.collection != place.collection));
                    if has_left {
                        hub.store_gone(replica, &place.remote_id, now)?;
                    }
                }
                Ok(())
            })?;
        }
    }
    Ok(())
}

/// The known copies in other collections of a replica that a new copy names, or has the bytes of, and of which nothing new was seen.
fn known_elsewhere(
    cycle: &Cycle<'_>,
    kind: Kind,
    replica: i64,
    lens: &dyn twofold_model::Lens,
) -> Result<BTreeMap<RemoteId, Place>> {
    let mut found = BTreeMap::new();
    let new_in = cycle.hub.unbound_collections(replica)?;
    let mut places = cycle.hub.places(replica, kind)?;
    places.retain(|place| !cycle.left_out.has(place.collection));
    for place in places.iter().filter(|place| new_in.contains(&place.collection)) {
        let mut after = 0;
        loop {
            let slice = cycle.hub.unbound(replica, place.collection, after, SLICE)?;
            let Some(last) = slice.last() else { break };
            after = last.id;
            // Of what several new copies may be it is known once.
            let (mut blobs, mut looked_at) = (HashSet::new(), HashSet::new());
            for sighting in &slice {
                let mut items = match &sighting.uid {
                    Some(uid) => cycle.hub.items_by_uid(kind, uid)?,
                    None => Vec::new(),
                };
                if let Some(blob) = lens.facts(&sighting.rendering).blob.filter(|blob| blobs.insert(blob.clone())) {
                    items.extend(cycle.hub.items_by_blob(&blob)?);
                }
                for item in items.into_iter().filter(|item| looked_at.insert(item.id)) {
                    for known in cycle.hub.placements(item.id)? {
                        let home = places.iter().find(|place| place.collection == known.collection);
                        let Some(home) = home.filter(|home| home.collection != sighting.collection) else { continue };
                        if known.replica != replica || cycle.hub.sighting(replica, &known.remote_id)?.is_some() {
                            continue;
                        }
                        let collection = home.remote_id.as_str().into();
                        found.insert(known.remote_id.clone(), Place { remote_id: known.remote_id, collection });
                        if found.len() >= ASK_IN_A_RUN {
                            return Ok(found);
                        }
                    }
                }
            }
        }
    }
    Ok(found)
}
