//! Whether a run may let go of what is past its time (ENGINE 13). What that is, the hub knows.
//!
//! The bytes of a message go with the last version, copy or sighting that names them. That no run is about to name what goes is so
//! because whoever puts a blob has the hub's lock (`Lock`), as this run has, and here, at its end, nothing is read or written any more:
//! all that it put is named by now, or belongs to nothing.

use crate::Cycle;
use twofold_hub::Hub;
use twofold_hub::prune::SWEEP;
use twofold_model::{BlobId, Blobs, Error, Result};

/// Blobs that nothing names, and that no version took along when it went (a run was stopped in between, a message vanished while it was
/// read), are looked for this often.
const SWEEP_EVERY_MS: i64 = 30 * 24 * 3_600_000;
/// So much of the store is gone through in one run, of 256 parts.
const SWEEP_AT_ONCE: u16 = 16;

/// What was replaced in this run ages from now on; what has aged for the retention time goes, if everybody is here and the
/// clock can be trusted.
pub fn prune(cycle: &mut Cycle<'_>, now: i64) -> Result<()> {
    cycle.hub.begin_aging(now)?;
    let Some(retention_ms) = cycle.settings.retention_ms.filter(|_| !cycle.settings.dry_run) else { return Ok(()) };
    let before = now - retention_ms;
    let has_aged = cycle.hub.has_aged(before)?;
    let sweep_from = due_sweep(cycle, now)?;
    if !(has_aged || sweep_from.is_some()) || cycle.must_stop() || !is_everybody_here(cycle)? {
        return Ok(());
    }
    if cycle.hub.clock_moved(now)? {
        if has_aged {
            cycle.report.say(
                "the clock moved by more than a week since the last run; no earlier version was deleted, whatever its age. If the clock is right there is nothing to do: a later run deletes them"
                    .into(),
            );
        }
        return Ok(());
    }
    let Some(blobs) = cycle.settings.blobs.as_deref() else {
        cycle.report.pruned = cycle.hub.prune(before, now, |_, _| Ok(()))?;
        return Ok(());
    };
    let mut failures = Vec::new();
    if has_aged {
        cycle.report.pruned =
            cycle.hub.prune(before, now, |hub, unnamed| let_go(hub, blobs, unnamed, &mut failures))?;
    }
    if let Some(from) = sweep_from {
        sweep(cycle.hub, blobs, (from, now), &mut failures)?;
    }
    if let Some(first) = failures.first() {
        let words = format!(
            "not all files could be removed that nothing needs any more ({} failures); they stay until a later run: {first}",
            failures.len()
        );
        cycle.report.trouble("the bytes of messages", &Error::new(first.kind, words));
    }
    Ok(())
}

/// Removes blobs that nothing names, as the hub on the disk has it. Nothing is lost where a file stays: a sweep finds it again.
fn let_go(hub: &mut Hub, blobs: &dyn Blobs, unnamed: &[BlobId], failures: &mut Vec<Error>) -> Result<()> {
    for blob in unnamed {
        hub.step("let go of a blob")?;
        failures.extend(blobs.remove(blob).err());
    }
    Ok(())
}

/// The part of the store at which a sweep begins or goes on now, if one is due. The first is due a month after the hub was made: until
/// then the bytes of a hub that was lost are here for one that is restored from a backup.
fn due_sweep(cycle: &mut Cycle<'_>, now: i64) -> Result<Option<u16>> {
    if cycle.settings.blobs.is_none() {
        return Ok(None);
    }
    let noted = cycle.hub.meta(SWEEP)?;
    let noted = noted.as_deref().and_then(|text| text.split_once(' '));
    let Some((due, from)) = noted.and_then(|(due, from)| Some((due.parse::<i64>().ok()?, from.parse().ok()?))) else {
        note_sweep(cycle.hub, now + SWEEP_EVERY_MS, 0)?;
        return Ok(None);
    };
    // A moment further away than it is ever put was put there under a clock that ran ahead.
    Ok(Some(from).filter(|_| due <= now || due > now + SWEEP_EVERY_MS))
}

fn note_sweep(hub: &mut Hub, due: i64, from: u16) -> Result<()> {
    hub.set_meta(SWEEP, &format!("{due} {from}"))
}

/// Goes through a part of the store and removes what nothing names. A part that cannot be listed is passed over until the next sweep.
fn sweep(hub: &mut Hub, blobs: &dyn Blobs, (from, now): (u16, i64), failures: &mut Vec<Error>) -> Result<()> {
    let parts = from..from.saturating_add(SWEEP_AT_ONCE);
    let mut found = Vec::new();
    for part in parts.clone().filter_map(|part| u8::try_from(part).ok()) {
        match blobs.list(part) {
            Ok(listed) => found.extend(listed),
            Err(error) => failures.push(error),
        }
    }
    let unnamed = hub.unnamed(found)?;
    let_go(hub, blobs, &unnamed, failures)?;
    match parts.end {
        end if end > u16::from(u8::MAX) => note_sweep(hub, now + SWEEP_EVERY_MS, 0),
        end => note_sweep(hub, now, end),
    }
}

/// Whether every replica was read to its end in this run, and was reached in the run before: one that comes back may still ask
/// for what nobody else needs. A run that was stopped reached nobody.
fn is_everybody_here(cycle: &Cycle<'_>) -> Result<bool> {
    let Some(last) = cycle.hub.run_before(cycle.run)?.and_then(|run| run.finished_ms) else { return Ok(false) };
    Ok(cycle.members.iter().all(|member| {
        // A run dates all that it reached with the moment of its end.
        let was_here = member.replica.last_ok_ms == Some(last) && member.replica.trouble.is_none();
        was_here && member.kinds.iter().all(|kind| member.complete.contains(kind))
    }))
}
