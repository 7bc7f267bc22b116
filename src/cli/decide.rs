//! What somebody decides about what the hub holds: done by the service where one runs, else here.

use super::{Context, conflicts, handover, held, hub_between_runs};
use crate::daemon::socket::Decision;
use twofold_cycle::report::exit;
use twofold_hub::Hub;
use twofold_model::{Kind, Result};

/// A decision that was carried out.
pub(super) struct Done {
    /// What was done.
    pub(super) words: String,
    /// The kinds whose next run acts on it; none: all.
    pub(super) kinds: Vec<Kind>,
}

/// Decides, and says so.
///
/// Keeps promise 12: with a service running the word is the service's to take, between two of its runs.
pub(super) async fn run(context: &Context, decision: Decision) -> Result<i32> {
    let config = context.config()?;
    let words = match handover::decide(&config, &decision).await? {
        Some(words) => words,
        None => {
            let (mut hub, _lock) = hub_between_runs(&config)?;
            let done = carry_out(&mut hub, &decision, context.now_ms())?;
            format!("{}. The next run does it: twofold sync", done.words)
        }
    };
    context.say(words);
    Ok(exit::ALIGNED)
}

/// Carries a decision out.
pub(super) fn carry_out(hub: &mut Hub, decision: &Decision, now_ms: i64) -> Result<Done> {
    match decision {
        Decision::Approve { id, mail_attendees } => held::approve_in(hub, id, |_| *mail_attendees),
        Decision::Drop { id } => held::drop_in(hub, id),
        Decision::Resolve { id, other } => conflicts::resolve(hub, id, *other, now_ms),
    }
}
