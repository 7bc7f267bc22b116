//! Looks slowly at what the deltas do not tell (photos): a part in each run, until all were looked at.

use crate::Cycle;
use crate::intake::Intake;
use twofold_model::{Kind, Result};

/// A slow look is taken at no more copies than this in one run.
const SWEEP_BUDGET: usize = 2000;
/// When a slow look is not through, it goes on after this time.
const SWEEP_PAUSE_MS: i64 = 15 * 60 * 1000;

/// Looks slowly at what the deltas do not tell (photos), within a budget, when it is due.
///
/// Keeps promise 2: that a copy was looked at is noted in the transaction that takes what was seen.
pub async fn sweep(cycle: &mut Cycle<'_>, kind: Kind) -> Result<()> {
    let now = cycle.now();
    let full_check_ms = cycle.full_check_ms(now);
    for index in 0..cycle.members.len() {
        let Some(connector) = cycle.members[index].reached(kind).cloned() else { continue };
        if !connector.abilities().sweeps {
            continue;
        }
        let replica = cycle.members[index].replica.clone();
        let key = format!("sweep {} {kind}", replica.id);
        let due: i64 = cycle.hub.meta(&key)?.and_then(|text| text.parse().ok()).unwrap_or(0);
        // A moment further away than it is ever put was put there under a clock that ran ahead.
        let is_to_come = now < due && due <= now + full_check_ms.max(SWEEP_PAUSE_MS);
        if is_to_come && !cycle.settings.full_check {
            continue;
        }
        let places = cycle.hub.places(replica.id, kind)?;
        let before = if cycle.settings.full_check { now } else { now - full_check_ms };
        let candidates = cycle.hub.unswept(replica.id, before.max(1), now, SWEEP_BUDGET + 1)?;
        let is_through = candidates.len() <= SWEEP_BUDGET;
        let remote = |collection: i64| places.iter().find(|place| place.collection == collection);
        let asked: Vec<twofold_model::Place> = candidates
            .iter()
            .take(SWEEP_BUDGET)
            .filter_map(|(_, remote_id, collection)| {
                let collection = remote(*collection)?.remote_id.as_str().into();
                Some(twofold_model::Place { remote_id: remote_id.clone(), collection })
            })
            .collect();
        let mut looked = Vec::new();
        if !asked.is_empty() {
            match connector.sweep(kind, &asked, SWEEP_BUDGET).await {
                Ok(seen) => looked = seen,
                Err(error) => {
                    cycle.report.trouble(&replica.name, &error);
                    continue;
                }
            }
        }
        let (lens, rank, left_out) = (connector.lens(kind), connector.abilities().rank, cycle.left_out.clone());
        let intake = Intake { replica: replica.id, kind, places: &places, lens, rank, now, left_out: &left_out };
        cycle.hub.atomically("sweep", |hub| {
            for seen in looked {
                if let Some(known) = hub.placement(replica.id, &seen.remote_id)? {
                    hub.set_swept(known.id, now)?;
                    intake.take(hub, seen)?;
                }
            }
            let next = if is_through { now + full_check_ms } else { now + SWEEP_PAUSE_MS };
            hub.set_meta(&key, &next.to_string())
        })?;
    }
    Ok(())
}
