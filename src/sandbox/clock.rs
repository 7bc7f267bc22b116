//! The sandbox's clock. Token lives, list lag and budgets read it and nothing else.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use chrono::{DateTime, SecondsFormat, Utc};

/// Real time with an offset, or virtual time that moves only by [`Clock::advance_ms`]. Clones show the same time.
#[derive(Clone, Debug)]
pub struct Clock(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// The time itself when virtual, what is added to the system's time when real.
    ms: AtomicI64,
    is_virtual: AtomicBool,
}

impl Clock {
    /// A clock that runs with the system's.
    pub fn real() -> Self {
        Self(Arc::new(Inner { ms: AtomicI64::new(0), is_virtual: AtomicBool::new(false) }))
    }

    /// A clock that stands at this time (milliseconds since 1970) until it is moved.
    pub fn stopped_at(ms: i64) -> Self {
        Self(Arc::new(Inner { ms: AtomicI64::new(ms), is_virtual: AtomicBool::new(true) }))
    }

    /// Now, in milliseconds since 1970.
    pub fn now_ms(&self) -> i64 {
        let ms = self.0.ms.load(Ordering::SeqCst);
        if self.0.is_virtual.load(Ordering::SeqCst) { ms } else { system_ms() + ms }
    }

    /// Moves the clock on. Works in both modes.
    pub fn advance_ms(&self, ms: i64) {
        self.0.ms.fetch_add(ms, Ordering::SeqCst);
    }

    /// Stops the clock at this time.
    pub fn set_ms(&self, ms: i64) {
        self.0.ms.store(ms, Ordering::SeqCst);
        self.0.is_virtual.store(true, Ordering::SeqCst);
    }

    /// Whether time stands still by itself.
    pub fn is_virtual(&self) -> bool {
        self.0.is_virtual.load(Ordering::SeqCst)
    }
}

fn system_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// `2026-03-09T08:15:27.341Z`, the form both providers write (Google with six decimals: [`rfc3339_micros`]).
pub fn rfc3339_millis(ms: i64) -> String {
    at(ms).to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// `2026-03-09T08:15:27Z`, as Graph writes times.
pub fn rfc3339_seconds(ms: i64) -> String {
    at(ms).to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// `2026-03-09T08:15:27.341000Z`, as People writes update times.
pub fn rfc3339_micros(ms: i64) -> String {
    at(ms).to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// `Tue, 03 Mar 2026 08:15:27 GMT`, for the `Date` header.
pub fn http_date(ms: i64) -> String {
    at(ms).format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

fn at(ms: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(ms).unwrap_or_default()
}
