//! When something is due again: each time that a length of time is over, or at the moments of a cron pattern.

use chrono::{DateTime, TimeZone};
use chrono_tz::Tz;
use croner::Cron;
use croner::parser::{CronParser, Seconds};

/// When something is due again.
#[derive(Clone, Debug, PartialEq)]
pub enum Trigger {
    /// Each time that so many milliseconds are over, counted from 1970: the moments of two of these meet.
    Every(i64),
    /// At the moments of a pattern, on the clocks of a zone.
    Cron(Box<Pattern>),
}

/// A cron pattern and the zone on whose clocks it is read.
#[derive(Clone, Debug, PartialEq)]
pub struct Pattern {
    cron: Cron,
    zone: Tz,
}

/// Why a text is no cron pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoTrigger(String);

impl std::fmt::Display for NoTrigger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NoTrigger {}

impl Trigger {
    /// A cron pattern of six fields, the first of which is the second (`0 */5 * * * *`), or of five.
    ///
    /// # Errors
    /// A text that is no pattern, or one that no moment fits (the 30th of February).
    pub fn cron(text: &str, zone: Tz) -> Result<Trigger, NoTrigger> {
        let cron = CronParser::builder()
            .seconds(Seconds::Optional)
            .build()
            .parse(text)
            .map_err(|error| NoTrigger(error.to_string()))?;
        let trigger = Trigger::Cron(Box::new(Pattern { cron, zone }));
        match trigger.next(0) {
            Some(_) => Ok(trigger),
            None => Err(NoTrigger("no moment fits it".into())),
        }
    }

    /// What was last done at this moment or earlier is due again at `now_ms`; `None`: nothing was ever due.
    pub fn due_since(&self, now_ms: i64) -> Option<i64> {
        match self {
            Trigger::Every(every_ms) => now_ms.checked_sub((*every_ms).max(1)),
            Trigger::Cron(pattern) => {
                let now: DateTime<Tz> = pattern.zone.timestamp_millis_opt(now_ms).single()?;
                let moment: DateTime<Tz> = pattern.cron.find_previous_occurrence(&now, true).ok()?;
                // What was done at that very moment was done because of it.
                Some(moment.timestamp_millis() - 1)
            }
        }
    }

    /// The first moment after `after_ms`; `None` where there is none any more.
    ///
    /// A pattern is read on the clocks of its zone: what falls into an hour that is left out in spring is due when the clocks have gone
    /// forward, and what falls into the hour that comes twice in autumn is due once, but for patterns that are due in every hour.
    pub fn next(&self, after_ms: i64) -> Option<i64> {
        match self {
            Trigger::Every(every_ms) => {
                let every_ms = (*every_ms).max(1);
                after_ms.checked_add(every_ms - after_ms.rem_euclid(every_ms))
            }
            Trigger::Cron(pattern) => {
                let after: DateTime<Tz> = pattern.zone.timestamp_millis_opt(after_ms).single()?;
                Some(pattern.cron.find_next_occurrence(&after, false).ok()?.timestamp_millis())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono_tz::Europe::Berlin;

    fn at(text: &str) -> i64 {
        DateTime::parse_from_rfc3339(text).unwrap().timestamp_millis()
    }

    #[test]
    fn what_was_done_before_the_last_moment_is_due_again() {
        let nightly = Trigger::cron("0 30 3 * * *", Berlin).unwrap();
        let since = |text: &str| nightly.due_since(at(text));
        assert_eq!(since("2026-01-10T03:29:59+01:00"), Some(at("2026-01-09T03:29:59.999+01:00")));
        assert_eq!(
            since("2026-01-10T03:30:00+01:00"),
            Some(at("2026-01-10T03:29:59.999+01:00")),
            "not what it did itself"
        );
        assert_eq!(since("2026-01-10T22:00:00+01:00"), Some(at("2026-01-10T03:29:59.999+01:00")));
        // The clocks went forward between the two.
        assert_eq!(since("2026-03-29T03:00:00+02:00"), Some(at("2026-03-28T03:29:59.999+01:00")));
        assert_eq!(Trigger::Every(1_000).due_since(5_300), Some(4_300));
    }

    /// So many moments of a pattern in Berlin after a moment, as UTC.
    fn moments(text: &str, after: &str, count: usize) -> Vec<String> {
        let trigger = Trigger::cron(text, Berlin).unwrap();
        let mut now = at(after);
        let mut all = Vec::new();
        for _ in 0..count {
            now = trigger.next(now).unwrap();
            all.push(DateTime::from_timestamp_millis(now).unwrap().format("%m-%dT%H:%M:%S").to_string());
        }
        all
    }

    #[test]
    fn a_pattern_stays_on_its_zones_clocks_when_these_change() {
        // 2026-03-29 at 01:00 UTC the clocks of Berlin go from two to three, 2026-10-25 at 01:00 UTC from three to two.
        assert_eq!(moments("0 0 18 * * *", "2026-03-28T12:00:00Z", 2), ["03-28T17:00:00", "03-29T16:00:00"]);
        assert_eq!(moments("0 30 2 * * *", "2026-03-28T12:00:00Z", 2), ["03-29T01:00:00", "03-30T00:30:00"]);
        assert_eq!(moments("0 30 2 * * *", "2026-10-24T12:00:00Z", 2), ["10-25T00:30:00", "10-26T01:30:00"]);
        assert_eq!(
            moments("0 */30 * * * *", "2026-10-25T00:00:00Z", 4),
            ["10-25T00:30:00", "10-25T01:00:00", "10-25T01:30:00", "10-25T02:00:00"]
        );
    }

    #[test]
    fn a_pattern_may_leave_out_its_seconds_and_is_refused_if_it_is_none() {
        assert_eq!(moments("*/5 * * * *", "2026-01-01T00:00:30Z", 1), ["01-01T00:05:00"]);
        assert!(Trigger::cron("every five minutes", Berlin).is_err());
        assert!(Trigger::cron("* * * * * * * *", Berlin).is_err());
        assert!(Trigger::cron("0 0 0 30 2 *", Berlin).is_err());
    }

    #[test]
    fn a_length_of_time_has_moments_that_do_not_depend_on_the_last_one() {
        let five = Trigger::Every(300_000);
        assert_eq!(
            [0, 1_000, 299_999, 300_000].map(|now| five.next(now)),
            [300_000, 300_000, 300_000, 600_000].map(Some)
        );
        assert_eq!(five.next(-1), Some(0), "also where a clock stands before 1970");
        assert_eq!(Trigger::Every(0).next(1_000), Some(1_001), "nothing is due for ever");
        assert_eq!(Trigger::Every(1).next(i64::MAX), None);
    }
}
