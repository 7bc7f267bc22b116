//! How long a run that was asked to stop has until it is left where it is: that of the service, and one that somebody typed.

/// While it changes something at a place (promise 12) …
const WITHIN_MS: u64 = 8_000;
/// … and while it only reads: what came of the bytes of messages is kept before (three seconds, `bodies.rs`).
const READING_WITHIN_MS: u64 = 4_500;

/// How long after the stop a run is left, in milliseconds. `is_changing`: one of its calls changes something at a place just now.
pub fn left_after_ms(is_changing: bool) -> u64 {
    if is_changing { WITHIN_MS } else { READING_WITHIN_MS }
}
