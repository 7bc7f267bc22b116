//! How long a place that cannot be reached, or a kind of it, is left alone.

use std::collections::BTreeMap;
use twofold_model::Kind;

/// After a first failure.
const FIRST_MS: i64 = 60_000;
/// After the first pause that a place asks for, if that is shorter …
const PAUSE_MS: i64 = 15_000;
/// … and however long and often it asks for one: what it asks for is kept all the same, and it may answer what is only read.
const LONGEST_PAUSE_MS: i64 = 120_000;
/// However often it failed.
const MOST_MS: i64 = 3_600_000;

/// Which places are left alone for a while, and until when: all of a place (no kind), or one kind of it whose interface fails while the others
/// answer. What is left alone takes no part in a run, so it does not hold the others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Backoff {
    places: BTreeMap<(String, Option<Kind>), Failing>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Failing {
    times: u32,
    /// How often it asked us to wait.
    pauses: u32,
    since_ms: i64,
    until_ms: i64,
}

impl Backoff {
    /// A place, or a kind of it, could not be reached. It is left alone for a minute, then for two, four, … an hour at most. While it is left
    /// alone only a person asks, and what that comes to makes nobody wait longer.
    pub fn failed(&mut self, place: &str, kind: Option<Kind>, now_ms: i64) {
        let before = self.places.get(&(place.to_owned(), kind)).copied();
        let (times, pauses) = before.map_or((1, 0), |failing| (failing.times + 1, failing.pauses));
        let wait_ms = FIRST_MS.saturating_mul(1_i64 << (times - 1).min(10)).min(MOST_MS);
        self.leave_alone(place, kind, (times, pauses), wait_ms, now_ms);
    }

    /// A place asked us to wait for so long. It is left alone for as long, or longer where it asked so before: up to two minutes.
    pub fn throttled(&mut self, place: &str, kind: Option<Kind>, pause_s: u64, now_ms: i64) {
        let before = self.places.get(&(place.to_owned(), kind)).copied();
        let (times, pauses) = before.map_or((0, 0), |failing| (failing.times, failing.pauses));
        let pause_ms = i64::try_from(pause_s).unwrap_or(i64::MAX).saturating_mul(1000);
        let wait_ms = pause_ms.max(PAUSE_MS << pauses.min(10)).min(LONGEST_PAUSE_MS);
        self.leave_alone(place, kind, (times, pauses + 1), wait_ms, now_ms);
    }

    fn leave_alone(&mut self, place: &str, kind: Option<Kind>, (times, pauses): (u32, u32), wait_ms: i64, now_ms: i64) {
        let key = (place.to_owned(), kind);
        if self.places.get(&key).is_some_and(|failing| failing.lasts(now_ms)) {
            return;
        }
        let failing = Failing { times, pauses, since_ms: now_ms, until_ms: now_ms.saturating_add(wait_ms) };
        self.places.insert(key, failing);
    }

    /// A place was reached, or a kind of it.
    pub fn reached(&mut self, place: &str, kind: Option<Kind>) {
        self.places.remove(&(place.to_owned(), kind));
    }

    /// Somebody did something about a place (signed in): all of it is tried at once.
    pub fn forget(&mut self, place: &str) {
        self.places.retain(|(other, _), _| other != place);
    }

    /// Somebody did something about all of them (changed the configuration): everything is tried at once.
    pub fn clear(&mut self) {
        self.places.clear();
    }

    /// Whether a kind is left alone at a place now. A clock that was set back to before it failed leaves nothing alone.
    pub fn is_left_alone(&self, place: &str, kind: Kind, now_ms: i64) -> bool {
        self.of(kind).any(|(name, failing)| name == place && failing.lasts(now_ms))
    }

    /// When the first of the places that leave a kind alone is due: a place is when neither all of it nor its kind is left alone any more.
    /// `None`: there is none.
    pub fn next(&self, kind: Kind) -> Option<i64> {
        let mut places: BTreeMap<&str, i64> = BTreeMap::new();
        for (place, failing) in self.of(kind) {
            let until_ms = places.entry(place).or_insert(failing.until_ms);
            *until_ms = failing.until_ms.max(*until_ms);
        }
        places.into_values().min()
    }

    fn of(&self, kind: Kind) -> impl Iterator<Item = (&str, &Failing)> {
        let is_of = move |one: &Option<Kind>| one.is_none_or(|one| one == kind);
        self.places.iter().filter(move |((_, one), _)| is_of(one)).map(|((name, _), failing)| (name.as_str(), failing))
    }
}

impl Failing {
    fn lasts(&self, now_ms: i64) -> bool {
        self.since_ms <= now_ms && now_ms < self.until_ms
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
            backoff.failed("google", None, now);
            assert!(backoff.is_left_alone("google", Kind::Mail, now + minutes * MINUTE - 1), "{minutes}");
            now += minutes * MINUTE;
            assert!(!backoff.is_left_alone("google", Kind::Mail, now), "{minutes}");
        }
        assert!(!backoff.is_left_alone("microsoft365", Kind::Mail, now));
    }

    #[test]
    fn a_place_that_asks_us_to_wait_is_left_alone_for_as_long_each_time_and_for_a_while_in_any_case() {
        let mut backoff = Backoff::default();
        let mut now = 1_000_000_000;
        for (pause_s, alone_s) in [(20, 20), (0, 30), (90, 90), (1, 120), (1, 120), (86_400, 120)] {
            let alone_ms = alone_s * 1000;
            backoff.throttled("google", Some(Kind::Mail), pause_s, now);
            assert!(backoff.is_left_alone("google", Kind::Mail, now + alone_ms - 1));
            assert!(!backoff.is_left_alone("google", Kind::Calendar, now));
            now += alone_ms;
            assert!(!backoff.is_left_alone("google", Kind::Mail, now));
        }
        for minutes in [1, 2] {
            backoff.failed("google", Some(Kind::Mail), now);
            assert_eq!(backoff.next(Kind::Mail), Some(now + minutes * MINUTE), "it did not answer at all since");
            now += minutes * MINUTE;
        }
        backoff.throttled("google", Some(Kind::Mail), 1, now);
        now += 2 * MINUTE;
        backoff.failed("google", Some(Kind::Mail), now);
        assert_eq!(backoff.next(Kind::Mail), Some(now + 4 * MINUTE), "nothing of that is forgotten");
    }

    #[test]
    fn a_place_that_was_reached_starts_anew() {
        let mut backoff = Backoff::default();
        backoff.failed("google", None, 0);
        backoff.failed("google", None, MINUTE);
        backoff.reached("google", None);
        assert_eq!((backoff.is_left_alone("google", Kind::Mail, MINUTE), backoff.next(Kind::Mail)), (false, None));
        backoff.failed("google", None, 10 * MINUTE);
        assert_eq!(backoff.next(Kind::Mail), Some(11 * MINUTE));
    }

    #[test]
    fn a_kind_is_due_at_a_place_when_neither_it_nor_all_of_the_place_is_left_alone() {
        let mut backoff = Backoff::default();
        backoff.failed("google", Some(Kind::Mail), 0);
        backoff.failed("google", None, MINUTE / 2);
        assert_eq!(
            (backoff.next(Kind::Mail), backoff.next(Kind::Contacts)),
            (Some(MINUTE * 3 / 2), Some(MINUTE * 3 / 2))
        );
        backoff.failed("microsoft365", None, 0);
        assert_eq!(backoff.next(Kind::Mail), Some(MINUTE), "one of the places is due earlier");
    }

    #[test]
    fn what_fails_while_it_is_left_alone_is_left_alone_for_no_longer() {
        let mut backoff = Backoff::default();
        backoff.failed("google", None, 0);
        for second in 1..60 {
            backoff.failed("google", None, second * 1000);
        }
        assert_eq!(backoff.next(Kind::Mail), Some(MINUTE), "somebody asked by hand, and it still failed");
        backoff.failed("google", None, MINUTE);
        assert_eq!(backoff.next(Kind::Mail), Some(3 * MINUTE), "it was asked when it was due");
    }

    #[test]
    fn a_clock_that_was_set_back_leaves_nothing_alone() {
        let mut backoff = Backoff::default();
        backoff.failed("google", None, 100 * MINUTE);
        assert!(!backoff.is_left_alone("google", Kind::Mail, 50 * MINUTE));
    }

    #[test]
    fn a_kind_that_fails_alone_is_left_alone_alone_and_not_before_all_of_its_place() {
        let mut backoff = Backoff::default();
        backoff.failed("google", Some(Kind::Mail), 0);
        assert!(backoff.is_left_alone("google", Kind::Mail, 1) && !backoff.is_left_alone("google", Kind::Contacts, 1));
        assert_eq!((backoff.next(Kind::Mail), backoff.next(Kind::Contacts)), (Some(MINUTE), None));
        backoff.failed("google", None, 0);
        backoff.failed("google", None, MINUTE);
        assert!(backoff.is_left_alone("google", Kind::Mail, 2 * MINUTE), "all of the place is away");
        backoff.reached("google", None);
        assert!(!backoff.is_left_alone("google", Kind::Mail, 2 * MINUTE));
        backoff.failed("google", Some(Kind::Mail), 2 * MINUTE);
        assert_eq!(backoff.next(Kind::Mail), Some(4 * MINUTE), "it goes on where it was");
        backoff.forget("google");
        assert_eq!(backoff, Backoff::default());
    }
}
