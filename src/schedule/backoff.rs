//! How long a place that cannot be reached is left alone.

use std::collections::BTreeMap;

/// After a first failure.
const FIRST_MS: i64 = 60_000;
/// However often it failed.
const MOST_MS: i64 = 3_600_000;

/// Which places are left alone for a while, and until when. What is left alone takes no part in a run, so it does not hold the others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Backoff {
    places: BTreeMap<String, Failing>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Failing {
    times: u32,
    since_ms: i64,
    until_ms: i64,
}

impl Backoff {
    /// A place could not be reached. It is left alone for a minute, then for two, four, … an hour at most.
    pub fn failed(&mut self, place: &str, now_ms: i64) {
        let times = self.places.get(place).map_or(0, |failing| failing.times) + 1;
        let wait_ms = FIRST_MS.saturating_mul(1_i64 << (times - 1).min(10)).min(MOST_MS);
        let failing = Failing { times, since_ms: now_ms, until_ms: now_ms.saturating_add(wait_ms) };
        self.places.insert(place.to_owned(), failing);
    }

    /// A place was reached.
    pub fn reached(&mut self, place: &str) {
        self.places.remove(place);
    }

    /// Somebody did something about it (signed in, changed the configuration): everything is tried at once.
    pub fn clear(&mut self) {
        self.places.clear();
    }

    /// Whether a place is left alone now. A clock that was set back to before it failed leaves nothing alone.
    pub fn is_left_alone(&self, place: &str, now_ms: i64) -> bool {
        self.places.get(place).is_some_and(|failing| failing.since_ms <= now_ms && now_ms < failing.until_ms)
    }

    /// When the first of the places that are left alone is due; `None`: there is none.
    pub fn next(&self) -> Option<i64> {
        self.places.values().map(|failing| failing.until_ms).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;

    #[test]
    fn a_place_that_fails_is_left_alone_for_longer_each_time_and_never_for_more_than_an_hour() {
        let mut backoff = Backoff::default();
        let mut now = 1_000_000_000;
        for minutes in [1, 2, 4, 8, 16, 32, 60, 60] {
            backoff.failed("google", now);
            assert!(backoff.is_left_alone("google", now + minutes * MINUTE - 1), "{minutes}");
            now += minutes * MINUTE;
            assert!(!backoff.is_left_alone("google", now), "{minutes}");
        }
        assert!(!backoff.is_left_alone("microsoft365", now));
    }

    #[test]
    fn a_place_that_was_reached_starts_anew() {
        let mut backoff = Backoff::default();
        backoff.failed("google", 0);
        backoff.failed("google", MINUTE);
        backoff.reached("google");
        assert_eq!((backoff.is_left_alone("google", MINUTE), backoff.next()), (false, None));
        backoff.failed("google", 10 * MINUTE);
        assert_eq!(backoff.next(), Some(11 * MINUTE));
    }

    #[test]
    fn a_clock_that_was_set_back_leaves_nothing_alone() {
        let mut backoff = Backoff::default();
        backoff.failed("google", 100 * MINUTE);
        assert!(!backoff.is_left_alone("google", 50 * MINUTE));
    }
}
