//! Gmail's batches: each part runs like any other request. The parts of one batch run at the same time, and too many of
//! them get in each other's way: some are then answered 429, not always the last ones.

use super::errors::{error, invalid};
use crate::google::batch;
use crate::google::errors::Refusal;
use crate::{Request, Response, State, server};

/// Answers a batch. Its own status is 200 whatever becomes of its parts.
pub(super) fn answer(state: &mut State, request: &Request) -> Result<Response, Refusal> {
    if request.method != "POST" {
        return Err(super::errors::not_found());
    }
    let parts = batch::read(request, |target| target.starts_with("/gmail/v1/")).map_err(invalid)?;
    let most = state.switches.mail_most_batch_parts;
    if parts.is_empty() || parts.len() > most {
        let message = format!("The batch request must hold between 1 and {most} calls.");
        return Err(error(400, "INVALID_ARGUMENT", ("global", "badRequest"), &message));
    }
    let mark = state.google.mail.fresh_name("batch_");
    let turn = usize::try_from(state.numbered).unwrap_or_default();
    let mut replies = Vec::with_capacity(parts.len());
    for (i, part) in parts.iter().enumerate() {
        // How many parts were under way before this one: each batch begins elsewhere.
        let overlaps = u32::try_from((i + turn) % parts.len()).unwrap_or(u32::MAX);
        // None: the answer to this part is lost.
        if let Some(reply) = server::dispatch_part_among(state, &part.request, overlaps) {
            replies.push((part.id.as_str(), reply));
        }
    }
    Ok(batch::write(&mark, &replies))
}
