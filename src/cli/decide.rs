//! What somebody decides about what the hub holds: done by the service where one runs, else here.

use super::{Context, conflicts, endpoint, handover, held, hub_between_runs};
use crate::config::Config;
use crate::daemon::Decision;
use crate::daemon::live::Snapshot;
use crate::endpoint::health;
use twofold_cycle::report::exit;
use twofold_hub::Hub;
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
    let (mut hub, _lock) = hub_between_runs(config).await?;
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
        Decision::Approve { id, mail_attendees, people } => {
            let may_mail = |would_mail| *mail_attendees && people.is_none_or(|people| people == would_mail);
            held::approve_in(hub, id, may_mail, now_ms)
        }
        Decision::Drop { id } => held::drop_in(hub, id, now_ms),
        Decision::Resolve { id, other } => conflicts::resolve(hub, id, *other, now_ms),
    }
}
