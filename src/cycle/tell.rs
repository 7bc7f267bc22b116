//! The log of changes: one line for each, which says where, of what kind and what was done, and never what an item says.
//!
//! An item is named by its mark and a collection by its number in the hub, for their names are people's own words. Each line stands in
//! the span of its run. Where nobody listens, nothing is looked up.

use crate::Cycle;
use tracing::{Level, Span, enabled, info, info_span};
use twofold_hub::{Hub, IntentKind};
use twofold_model::{Kind, Result};

/// The span of a run.
pub fn span(run: i64, is_dry: bool) -> Span {
    match is_dry {
        true => info_span!("dry_run", run),
        false => info_span!("run", run),
    }
}

/// An item that came from a replica.
pub fn taken_new(hub: &Hub, replica: i64, kind: Kind, collection: i64, item: &str) -> Result<()> {
    if enabled!(Level::INFO) {
        let replicas = hub.replicas()?;
        let name = replicas.iter().find(|one| one.id == replica).map_or("?", |one| &one.name);
        taken(name, kind, collection, item, "new");
    }
    Ok(())
}

/// A change that was taken from a replica: `new`, `edited`, `moved`, `removed`.
pub fn taken(replica: &str, kind: Kind, collection: i64, item: &str, what: &str) {
    info!(replica, %kind, collection, item, "taken from {replica}: {kind} {item} {what}");
}

/// A write that was carried out at a replica.
pub fn sent(hub: &Hub, replica: &str, kind: Kind, collection: i64, item: i64, deed: IntentKind) -> Result<()> {
    if enabled!(Level::INFO) {
        let item = hub.item(item)?.mark;
        let what = match deed {
            IntentKind::Create => "new",
            IntentKind::Copy => "copied",
            IntentKind::Update => "edited",
            IntentKind::Move => "moved",
            IntentKind::Delete => "removed",
        };
        info!(replica, %kind, collection, item, "sent to {replica}: {kind} {item} {what}");
    }
    Ok(())
}

/// What a brake stopped in this run, and what two sides changed differently in it.
pub fn held(cycle: &Cycle<'_>, started_ms: i64) -> Result<()> {
    if !enabled!(Level::INFO) {
        return Ok(());
    }
    for hold in cycle.hub.holds()?.into_iter().filter(|hold| hold.since_ms >= started_ms && !hold.is_approved) {
        let replica = cycle.member(hold.replica).map_or("?", |member| &member.replica.name);
        let (kind, cause, id) = (hold.kind, &hold.cause, &hold.id);
        info!(replica, %kind, collection = hold.collection, %cause, %id, "held: {kind} of {replica}, {id}");
    }
    for conflict in cycle.hub.conflicts()?.into_iter().filter(|conflict| conflict.at_ms >= started_ms) {
        let replica = cycle.member(conflict.replica).map_or("?", |member| &member.replica.name);
        let item = cycle.hub.item(conflict.item)?;
        let (kind, item, id) = (item.kind, item.mark, &conflict.id);
        info!(replica, %kind, item, %id, "in conflict: {kind} {item} at {replica}");
    }
    Ok(())
}
