//! How long to wait before the next try: Retry-After as the provider writes it, and a jittered curve where it is silent.

use crate::request::Response;
use rand::Rng;
use std::time::SystemTime;

/// How often a read is sent in all when the provider stumbles (5xx, timeout, cut).
pub(crate) const READ_TRIES: u32 = 4;
/// How often the open parts of a batch are sent in all; more often than a read, for throttled parts are a few at a time.
pub(crate) const BATCH_TRIES: u32 = 10;
/// How often a connection is tried in all when it does not open.
pub(crate) const CONNECT_TRIES: u32 = 3;

/// The seconds that the answer asks to wait: a number, with decimals too, or an HTTP date (RFC 9110 10.2.3).
///
/// A date is measured against the answer's own `Date`, so that a wrong clock here does not matter.
pub fn retry_after_s(response: &Response) -> Option<f64> {
    let value = response.header("retry-after")?.trim();
    // Provider: Graph's documentation itself shows `Retry-After: 2.128`.
    if let Ok(seconds) = value.parse::<f64>() {
        return seconds.is_finite().then_some(seconds.max(0.0));
    }
    let until = httpdate::parse_http_date(value).ok()?;
    let now = response.header("date").and_then(|d| httpdate::parse_http_date(d).ok()).unwrap_or_else(SystemTime::now);
    Some(until.duration_since(now).map_or(0.0, |d| d.as_secs_f64()))
}

/// Whole seconds, rounded up; at most a day, for no pause is believed beyond that.
pub(crate) fn whole_s(seconds: f64) -> u64 {
    // `as` saturates, also for what is not a number.
    (seconds.ceil() as u64).min(86_400)
}

/// The wait before try number `tried + 1` of a read: 0.5, 1, 2, 4 ... seconds, half of it by chance, a minute at most.
pub(crate) fn backoff_ms(tried: u32) -> u64 {
    jittered(500, tried, 60_000)
}

/// The wait after a "too many requests" that names no time.
pub(crate) fn throttled_ms(tried: u32) -> u64 {
    jittered(2_000, tried, 64_000)
}

/// The wait before the next try to connect: short, for a refused connection answers at once.
pub(crate) fn connect_ms(tried: u32) -> u64 {
    jittered(200, tried, 1_000)
}

fn jittered(first_ms: u64, tried: u32, most_ms: u64) -> u64 {
    let full = first_ms.saturating_mul(1 << tried.saturating_sub(1).min(20)).min(most_ms);
    rand::rng().random_range(full / 2..=full)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asks(headers: &[(&str, &str)]) -> Option<f64> {
        let headers = headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        retry_after_s(&Response::new(429, headers, Vec::new()))
    }

    #[test]
    fn retry_after_is_read_as_seconds_with_decimals_and_as_a_date() {
        assert_eq!(asks(&[("Retry-After", "7")]), Some(7.0));
        assert_eq!(asks(&[("retry-after", " 2.128 ")]), Some(2.128));
        assert_eq!(whole_s(2.128), 3);
        let date = ("date", "Wed, 21 Oct 2026 07:28:00 GMT");
        assert_eq!(asks(&[date, ("retry-after", "Wed, 21 Oct 2026 07:28:30 GMT")]), Some(30.0));
        assert_eq!(asks(&[date, ("retry-after", "Wed, 21 Oct 2026 07:27:00 GMT")]), Some(0.0), "a date gone by");
        for nonsense in ["soon", "", "NaN", "inf"] {
            assert_eq!(asks(&[("retry-after", nonsense)]), None, "{nonsense}");
        }
        assert_eq!(asks(&[("retry-after", "-3")]), Some(0.0));
        assert_eq!(whole_s(1e300), 86_400, "no pause is believed beyond a day");
        assert_eq!(asks(&[]), None);
    }

    #[test]
    fn waits_grow_vary_and_are_bounded() {
        for tried in 1..40 {
            let full = (500u64 << (tried - 1).min(20)).min(60_000);
            assert!((full / 2..=full).contains(&backoff_ms(tried)), "{tried}");
        }
        let some: std::collections::HashSet<u64> = (0..50).map(|_| throttled_ms(5)).collect();
        assert!(some.len() > 1, "waits differ, or all workers come back at once");
    }
}
