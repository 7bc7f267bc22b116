//! What systemd is told (`sd_notify(3)`), where it asked to be: that the service is ready, what it is at, and that it makes progress.

use sd_notify::NotifyState;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What has made no progress for so long is stuck: the watchdog is fed no more. An exchange ends after three minutes at most, whatever hangs;
/// the rest is for what no step divides, a large folder on a slow disk.
const STUCK: Duration = Duration::from_secs(15 * 60);

/// Tells the manager; without one, nobody is told.
fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!("systemd cannot be told: {error}");
    }
}

/// The schedule stands.
pub fn ready() {
    tell(&[NotifyState::Ready]);
}

/// The configuration is read again.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => tracing::warn!("the monotonic clock cannot be read: {error}"),
    }
}

/// It ends.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// One line for `systemctl status`.
pub fn status(words: &str) {
    tell(&[NotifyState::Status(words)]);
}

/// Whether the service goes on: it makes a step whenever it looks at the clock while it waits, and with each exchange and each transaction of a run.
///
/// Counted on the monotonic clock, which does not run while the machine sleeps and is never set.
#[derive(Debug)]
pub struct Progress(Mutex<Instant>);

impl Default for Progress {
    fn default() -> Self {
        Progress(Mutex::new(Instant::now()))
    }
}

impl Progress {
    /// A step was made.
    pub fn step(&self) {
        self.step_at(Instant::now());
    }

    fn step_at(&self, now: Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }

    /// No step was made for so long that the watchdog is fed no more.
    pub fn is_stuck(&self) -> bool {
        !self.is_alive(Instant::now())
    }

    /// Whether the watchdog may be fed.
    fn is_alive(&self, now: Instant) -> bool {
        now.saturating_duration_since(*self.0.lock().unwrap_or_else(PoisonError::into_inner)) < STUCK
    }
}

/// Feeds the watchdog, if systemd set one, for as long as there is progress. Never comes back.
pub async fn feed_watchdog(progress: &Progress) {
    let Some(within) = sd_notify::watchdog_enabled() else { return std::future::pending().await };
    let pause = (within / 3).max(Duration::from_millis(100));
    loop {
        if progress.is_alive(Instant::now()) {
            tell(&[NotifyState::Watchdog]);
        }
        tokio::time::sleep(pause).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_no_step_starves_the_watchdog() {
        let progress = Progress::default();
        let began = Instant::now();
        progress.step_at(began);
        assert!(progress.is_alive(began) && progress.is_alive(began + STUCK - Duration::from_millis(1)));
        assert!(!progress.is_alive(began + STUCK));
        progress.step_at(began + STUCK);
        assert!(progress.is_alive(began + STUCK));
    }
}
