//! What a client may do in a while: units a minute, and requests at a time.

use super::errors::{rate_limited, too_many_at_a_time};
use crate::state::RequestInfo;
use crate::{Request, Response, State};

const MINUTE_MS: i64 = 60_000;

/// The units of a request: those of projects since May 2026, or of older ones. A batch has none, its parts have theirs.
pub(crate) fn units(request: &Request, is_old: bool) -> u64 {
    let path = request.path.split_once("gmail/v1/users/").map_or("", |(_, rest)| rest);
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    let dear = if is_old { 5 } else { 20 };
    match (request.method.as_str(), parts.as_slice()) {
        // The pieces of an upload belong to the call that began it.
        _ if request.param("upload_id").is_some() => 0,
        (_, []) => 0,
        ("GET", ["profile"] | ["labels", ..]) => 1,
        (_, ["labels", ..]) => 5,
        ("GET", ["history"]) => 2,
        ("GET", ["messages"] | ["drafts"]) => 5,
        ("GET", ["messages", ..] | ["drafts", _]) | ("POST", ["messages", _, "trash"]) => dear,
        ("POST", ["messages", _, "modify" | "untrash"]) => 5,
        ("POST", ["messages", "batchModify" | "batchDelete"]) => 50,
        ("POST", ["messages"] | ["messages", "import"]) => 25,
        ("POST", ["messages" | "drafts", "send"]) => 100,
        ("PUT", ["drafts", _]) => 15,
        (_, ["messages", _] | ["drafts", ..]) => 10,
        _ => 1,
    }
}

/// Requests at a time first, then units.
pub(crate) fn budget(state: &mut State, info: &RequestInfo, request: &Request) -> Option<Response> {
    let switches = &state.switches;
    let most = if info.is_part { switches.mail_parts_at_a_time } else { switches.mail_requests_at_a_time };
    if most > 0 && info.overlaps >= most {
        return Some(*too_many_at_a_time());
    }
    let units = units(request, switches.mail_old_units);
    let (limit, now_ms) = (u64::from(switches.mail_units_per_min), state.now_ms());
    match state.google.mail.units.spend(now_ms, units, limit, MINUTE_MS) {
        Ok(()) => None,
        Err(wait_ms) => Some(*rate_limited(state, wait_ms)),
    }
}
