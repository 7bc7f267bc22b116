//! How far a run has come, on stderr: bars on a terminal, a line each minute elsewhere.

use super::words;
use crate::config::Config;
use crate::connect::{self, Pace};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use twofold_cycle::{Progress, Reading};

/// How often the wheel turns while an answer is waited for.
const TICK: Duration = Duration::from_millis(200);
/// Where nobody watches a bar, so much time lies between two lines.
const QUIET: Duration = Duration::from_secs(60);

/// How fast each replica may be asked for messages.
type Paces = HashMap<String, Pace>;

fn paces(config: &Config) -> Paces {
    ["google", "microsoft365"]
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), connect::pace(config, name)?)))
        .collect()
}

/// What is said of a reading: how much is done, how fast it goes, how long it will still take.
fn words_of(reading: Reading, pace: Option<&Pace>) -> String {
    let mut said = format!("{} of {}", words::count(reading.done as u64), words::count(reading.of as u64));
    if reading.bytes > 0 {
        said += &format!(", {}", words::bytes(reading.bytes));
    }
    let Some(per_minute) = per_minute(reading.done, reading.took_ms) else { return said };
    said += &format!(", {:.1}/s", per_minute / 60.0);
    // A place that is quick at first keeps to its budget in the long run.
    let per_minute = pace.map_or(per_minute, |pace| per_minute.min(f64::from(pace.per_minute)));
    if reading.left() > 0 {
        said += &format!(", {} left", words::span(left_s(reading.left(), per_minute)));
    }
    said
}

/// The rate at which messages were read; `None` where it cannot be told.
pub fn per_minute(done: usize, took_ms: u64) -> Option<f64> {
    (done > 0 && took_ms > 0).then(|| done as f64 * 60_000.0 / took_ms as f64)
}

/// How many seconds so many messages take at a rate.
pub fn left_s(messages: usize, per_minute: f64) -> u64 {
    // Neither is negative, and what is too large for the type is for ever.
    (messages as f64 * 60.0 / per_minute).ceil() as u64
}

/// Bars on the terminal: what is done now, and one for each place whose messages are read.
pub struct Bars {
    all: MultiProgress,
    now: ProgressBar,
    readings: Mutex<HashMap<String, ProgressBar>>,
    paces: Paces,
}

impl Bars {
    /// Bars on stderr.
    pub fn new(config: &Config) -> Self {
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
        let now = all.add(ProgressBar::new_spinner());
        now.enable_steady_tick(TICK);
        Self { all, now, readings: Mutex::default(), paces: paces(config) }
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        for bar in self.readings.lock().unwrap_or_else(PoisonError::into_inner).values() {
            bar.finish_and_clear();
        }
        self.now.finish_and_clear();
    }
}

impl Progress for Bars {
    fn at(&self, phase: &str, done: usize, of: usize) {
        let done = words::count(done as u64);
        self.now.set_message(if of > 0 {
            format!("{phase} {done} of {}", words::count(of as u64))
        } else {
            format!("{phase} {done}")
        });
    }

    fn reading(&self, replica: &str, reading: Reading) {
        let mut readings = self.readings.lock().unwrap_or_else(PoisonError::into_inner);
        let bar = readings.entry(replica.to_owned()).or_insert_with(|| {
            let bar = self.all.insert_before(&self.now, ProgressBar::new(0));
            // The template has no part that it could lack.
            if let Ok(style) = ProgressStyle::with_template("{prefix:13} {bar:14} {msg}") {
                bar.set_style(style.progress_chars("━━╌"));
            }
            bar.with_prefix(replica.to_owned())
        });
        bar.set_length(reading.of as u64);
        bar.set_position(reading.done as u64);
        bar.set_message(words_of(reading, self.paces.get(replica)));
        self.now.set_message(format!("reading messages of {replica}"));
    }
}

/// Lines on stderr, one a minute at most: the first once a run has taken that long.
pub struct Lines {
    said: Mutex<Instant>,
    paces: Paces,
}

impl Lines {
    /// For a run that begins now.
    pub fn new(config: &Config) -> Self {
        Self { said: Mutex::new(Instant::now()), paces: paces(config) }
    }

    /// The line that is due at that moment, if one is.
    fn line(&self, replica: &str, reading: Reading, now: Instant) -> Option<String> {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if now.saturating_duration_since(*said) < QUIET || reading.left() == 0 {
            return None;
        }
        *said = now;
        Some(format!("{replica}: messages read: {}", words_of(reading, self.paces.get(replica))))
    }
}

impl Progress for Lines {
    fn at(&self, _phase: &str, _done: usize, _of: usize) {}

    fn reading(&self, replica: &str, reading: Reading) {
        if let Some(line) = self.line(replica, reading, Instant::now()) {
            eprintln!("twofold: {line}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(done: usize, took_ms: u64) -> Reading {
        Reading { done, of: 20_000, bytes: 85_000_000, took_ms }
    }

    #[test]
    fn what_is_left_is_told_at_the_slower_of_the_rate_and_the_budget() {
        let gmail = Pace { per_minute: 300, whose: "Gmail's budget" };
        let told = |took_ms, pace| words_of(reading(8_000, took_ms), pace);
        // 12,000 are left: 40 minutes at 300 a minute, however quick the first were.
        assert_eq!(told(8_000, Some(&gmail)), "8,000 of 20,000, 85 MB, 1000.0/s, 40 min left");
        assert_eq!(told(8_000_000, Some(&gmail)), "8,000 of 20,000, 85 MB, 1.0/s, 3 h 20 min left");
        assert_eq!(told(800_000, None), "8,000 of 20,000, 85 MB, 10.0/s, 20 min left");
        assert_eq!(words_of(reading(0, 0), None), "0 of 20,000, 85 MB");
    }

    #[test]
    fn where_nobody_watches_a_line_comes_each_minute() {
        let began = Instant::now();
        let lines = Lines { said: Mutex::new(began), paces: Paces::new() };
        let after = |seconds| lines.line("google", reading(8_000, 800_000), began + Duration::from_secs(seconds));
        let told = [59, 60, 61, 119, 120].map(|seconds| after(seconds).is_some());
        assert_eq!(told, [false, true, false, false, true]);
        let line = after(180).unwrap_or_default();
        assert_eq!(line, "google: messages read: 8,000 of 20,000, 85 MB, 10.0/s, 20 min left");
        assert_eq!(lines.line("google", reading(20_000, 9), began + Duration::from_secs(999)), None, "it is over");
    }
}
