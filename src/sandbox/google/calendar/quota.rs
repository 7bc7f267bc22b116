//! What a client may do in a while: requests a minute, writes to one calendar, and the limit against abuse.

use super::errors::{rate_limited, usage_limits};
use crate::google::errors::Refusal;
use crate::state::RequestInfo;
use crate::{Response, State};

const MINUTE_MS: i64 = 60_000;

/// One write to a calendar at a time, writes to it a minute, and requests of a user a minute.
pub(crate) fn budget(state: &mut State, info: &RequestInfo) -> Option<Response> {
    if info.path.starts_with("/google/batch/") {
        // Its parts are counted, each for itself.
        return None;
    }
    if info.is_write && state.switches.calendar_sequential_writes && info.overlaps > 0 {
        return Some(*rate_limited(state));
    }
    let now_ms = state.now_ms();
    let units = if info.method == "PATCH" { u64::from(state.switches.calendar_patch_units) } else { 1 };
    let limit = u64::from(state.switches.calendar_requests_per_min);
    if state.google.calendar.requests.spend(now_ms, units, limit, MINUTE_MS).is_err() {
        return Some(*rate_limited(state));
    }
    let limit = u64::from(state.switches.calendar_writes_per_min);
    let calendar = super::named_in(&info.path).to_owned();
    if info.is_write {
        let writes = state.google.calendar.writes.entry(calendar).or_default();
        if writes.spend(now_ms, 1, limit, MINUTE_MS).is_err() {
            return Some(*rate_limited(state));
        }
    }
    None
}

/// Refuses writes while the limit against abuse is in force.
pub(super) fn check_pause(state: &State) -> Result<(), Refusal> {
    if state.now_ms() < state.google.calendar.paused_until_ms { Err(usage_limits()) } else { Ok(()) }
}

/// Counts an event with guests. Too many of them, and every write is refused for hours.
pub(super) fn count_guests(state: &mut State) -> Result<(), Refusal> {
    let most = state.switches.calendar_guest_inserts;
    if most == 0 {
        return Ok(());
    }
    if state.google.calendar.guest_inserts >= most {
        state.google.calendar.guest_inserts = 0;
        state.google.calendar.paused_until_ms = state.now_ms() + state.switches.calendar_usage_pause_s * 1000;
        return Err(usage_limits());
    }
    state.google.calendar.guest_inserts += 1;
    Ok(())
}
