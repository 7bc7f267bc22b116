//! What somebody decides about what the hub holds: done by the service where one runs, else here.

use super::{Context, conflicts, endpoint, handover, held, hub_between_runs, no_hub};
use crate::config::Config;
use crate::daemon::Decision;
use crate::daemon::live::Snapshot;
use crate::endpoint::health;
use std::collections::BTreeSet;
use twofold_cycle::report::exit;
use twofold_hub::{Hub, Lock};
use twofold_model::error::AtPlace;
use twofold_model::{Kind, Result};

/// A decision that was carried out.
pub(super) struct Done {
    /// What was done.
    pub(super) words: String,
    /// The kinds whose next run acts on it.
    pub(super) kinds: Vec<Kind>,
}

/// Decides, and says so.
///
/// Keeps promise 12: with a service running the word is the service's to take, between two of its runs.
pub(super) async fn run(context: &Context, decision: Decision) -> Result<i32> {
    let config = context.config()?;
    let words = match handover::decide(context, &config, &decision).await? {
        Some(words) => words,
        None => {
            let (done, waits) = carry_out(&config, &decision, None, context.now_ms()).await?;
            let but = match waits.as_slice() {
                [] => String::new(),
                waits => format!(", but for what waits until this is over: {}", waits.join("; ")),
            };
            format!("{}. The next run does it{but}. Type: twofold sync", done.words)
        }
    };
    context.say(words);
    Ok(exit::ALIGNED)
}

/// Carries a decision out, between two runs; `live`: what the service that does so knows of itself. What was done, and what stands in the way
/// of its being made at some place.
pub(super) async fn carry_out(
    config: &Config,
    decision: &Decision,
    live: Option<&Snapshot>,
    now_ms: i64,
) -> Result<(Done, Vec<String>)> {
    if !Hub::is_in(&config.state_dir) && !Lock::is_taken(&config.state_dir)? {
        // Nothing is held, and an empty one says so.
        let done = in_hub(&mut Hub::in_memory()?, decision, now_ms).at(no_hub(config))?;
        return Ok((done, Vec::new()));
    }
    let waits = "what is held stays held. Try again when the run is over. See: twofold status";
    let (mut hub, _lock) = hub_between_runs(config, waits).await?;
    let mut done = in_hub(&mut hub, decision, now_ms)?;
    if done.kinds.is_empty() {
        done.kinds = super::daemon::triggers_of(config).into_keys().collect();
    }
    // It is done, whether or not more can be told.
    let facts = endpoint::facts(config, &hub, live, now_ms);
    let waits = facts.map(|facts| health::in_the_way(&facts, &done.kinds)).unwrap_or_default();
    Ok((done, waits))
}

fn in_hub(hub: &mut Hub, decision: &Decision, now_ms: i64) -> Result<Done> {
    match decision {
        Decision::Approve { ids, mail_attendees, people } => {
            let may_mail = |would_mail| *mail_attendees && people.is_none_or(|people| people == would_mail);
            all_or_none(hub, ids, "approved", |hub, id| held::approve_in(hub, id, may_mail, now_ms))
        }
        Decision::Drop { ids } => all_or_none(hub, ids, "dropped", |hub, id| held::drop_in(hub, id, now_ms)),
        Decision::Resolve { id, other } => conflicts::resolve(hub, id, *other, now_ms),
    }
}

/// Decides about each hold, in one transaction: what cannot be done about one is done about none. A hold that is named twice is one.
fn all_or_none(
    hub: &mut Hub,
    ids: &[String],
    word: &str,
    decide: impl Fn(&mut Hub, &str) -> Result<Done>,
) -> Result<Done> {
    let mut seen = BTreeSet::new();
    let ids: Vec<&String> = ids.iter().filter(|id| seen.insert(*id)).collect();
    if let [id] = ids.as_slice() {
        return decide(hub, id);
    }
    let done = hub.atomically("decide", |hub| ids.iter().map(|id| decide(hub, id)).collect::<Result<Vec<Done>>>());
    let done = done.at(format_args!("none of the {} is {word}, because of one", ids.len()))?;
    let is_about_all = done.iter().any(|done| done.kinds.is_empty());
    let kinds: BTreeSet<Kind> = done.iter().flat_map(|done| done.kinds.iter().copied()).collect();
    Ok(Done {
        words: done.into_iter().map(|done| done.words).collect::<Vec<_>>().join(".\n"),
        kinds: if is_about_all { Vec::new() } else { kinds.into_iter().collect() },
    })
}
