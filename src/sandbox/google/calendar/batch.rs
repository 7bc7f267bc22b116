//! `batch/calendar/v3`: many requests in one, each run like any other.

use super::errors::{error, invalid};
use crate::google::batch;
use crate::google::errors::Refusal;
use crate::{Request, Response, State, server};

/// Answers a batch. Its own status is 200 whatever becomes of its parts.
pub(super) fn answer(state: &mut State, request: &Request) -> Result<Response, Refusal> {
    if request.method != "POST" {
        return Err(error(404, "global", "notFound", "Not Found", None));
    }
    let parts = batch::read(request, |target| target.starts_with("/calendar/v3/")).map_err(invalid)?;
    let most = state.switches.calendar_most_batch_parts;
    if parts.is_empty() || parts.len() > most {
        let message = format!("The batch request must hold between 1 and {most} calls.");
        return Err(error(400, "global", "badRequest", &message, None));
    }
    let mark = format!("batch_{:016x}", state.google.stamp.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let mut replies = Vec::with_capacity(parts.len());
    for part in &parts {
        // None: the answer to this part is lost.
        if let Some(reply) = server::dispatch_part(state, &part.request) {
            replies.push((part.id.as_str(), reply));
        }
    }
    Ok(batch::write(&mark, &replies))
}
