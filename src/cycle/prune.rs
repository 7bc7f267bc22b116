//! Whether a run may let go of what is past its time (ENGINE 13). What that is, the hub knows.

use crate::Cycle;
use twofold_model::Result;

/// What was replaced in this run ages from now on; what has aged for the retention time goes, if everybody is here and the
/// clock can be trusted.
pub fn prune(cycle: &mut Cycle<'_>, now: i64) -> Result<()> {
    cycle.hub.begin_aging(now)?;
    let Some(retention_ms) = cycle.settings.retention_ms.filter(|_| !cycle.settings.dry_run) else { return Ok(()) };
    let before = now - retention_ms;
    if !cycle.hub.has_aged(before)? || cycle.must_stop() || !is_everybody_here(cycle)? {
        return Ok(());
    }
    if cycle.hub.clock_moved(now)? {
        cycle.report.say(
            "the clock moved by more than a week since the last run; no earlier version was deleted, whatever its age. If the clock is right there is nothing to do: a later run deletes them"
                .into(),
        );
        return Ok(());
    }
    cycle.report.pruned = cycle.hub.prune(before, now)?;
    Ok(())
}

/// Whether every replica was read to its end in this run, and was reached in the run before: one that comes back may still ask
/// for what nobody else needs. A run that was stopped reached nobody.
fn is_everybody_here(cycle: &Cycle<'_>) -> Result<bool> {
    let Some(last) = cycle.hub.run_before(cycle.run)?.and_then(|run| run.finished_ms) else { return Ok(false) };
    Ok(cycle.members.iter().all(|member| {
        // A run dates all that it reached with the moment of its end.
        let was_here = member.replica.last_ok_ms == Some(last);
        was_here && member.kinds.iter().all(|kind| member.complete.contains(kind))
    }))
}
