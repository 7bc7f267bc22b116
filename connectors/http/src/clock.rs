//! The time, handed in: the real one, or one that a test moves.

use async_trait::async_trait;
use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::Notify;

/// Where the time comes from and how one waits.
#[async_trait]
pub trait Clock: Send + Sync {
    /// Milliseconds since 1970.
    fn now_ms(&self) -> u64;
    /// Waits that long.
    async fn sleep_ms(&self, ms: u64);
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    fn now_ms(&self) -> u64 {
        // Before 1970 the clock is as wrong as it can be; zero then is as good as any.
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as u64)
    }

    async fn sleep_ms(&self, ms: u64) {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }
}

/// A clock for tests. It stands still until it is moved, or, when made with [`ManualClock::hurried`], jumps over each wait.
#[derive(Debug)]
pub struct ManualClock {
    now_ms: Mutex<u64>,
    slept: Mutex<Vec<u64>>,
    moved: Notify,
    jumps: bool,
}

impl ManualClock {
    /// A clock that moves only by [`ManualClock::advance_ms`].
    pub fn standing(now_ms: u64) -> Self {
        Self { now_ms: Mutex::new(now_ms), slept: Mutex::new(Vec::new()), moved: Notify::new(), jumps: false }
    }

    /// A clock that jumps forward over every wait, so that nothing really waits.
    pub fn hurried(now_ms: u64) -> Self {
        Self { jumps: true, ..Self::standing(now_ms) }
    }

    /// Moves the clock and wakes those whose time has come.
    pub fn advance_ms(&self, ms: u64) {
        *lock(&self.now_ms) += ms;
        self.moved.notify_waiters();
    }

    fn jump_to(&self, until_ms: u64) {
        let mut now = lock(&self.now_ms);
        *now = (*now).max(until_ms);
    }

    /// All waits that were asked for so far, in milliseconds.
    pub fn waits_ms(&self) -> Vec<u64> {
        lock(&self.slept).clone()
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now_ms(&self) -> u64 {
        *lock(&self.now_ms)
    }

    async fn sleep_ms(&self, ms: u64) {
        lock(&self.slept).push(ms);
        let until = self.now_ms().saturating_add(ms);
        if self.jumps {
            self.jump_to(until);
            return tokio::task::yield_now().await;
        }
        loop {
            // Registered before the look at the clock, so that a move in between is not missed.
            let moved = self.moved.notified();
            tokio::pin!(moved);
            moved.as_mut().enable();
            if self.now_ms() >= until {
                return;
            }
            moved.await;
        }
    }
}

/// Locks, also after a panic of another holder: what these locks guard is valid between any two statements.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[tokio::test]
    async fn a_standing_clock_holds_the_sleeper_until_it_is_moved_far_enough() {
        let clock = Arc::new(ManualClock::standing(1_000));
        let sleeper = tokio::spawn({
            let clock = clock.clone();
            async move { clock.sleep_ms(500).await }
        });
        tokio::task::yield_now().await;
        clock.advance_ms(499);
        tokio::task::yield_now().await;
        assert!(!sleeper.is_finished());
        clock.advance_ms(1);
        sleeper.await.unwrap();
        assert_eq!(clock.now_ms(), 1_500);
    }

    #[tokio::test]
    async fn a_hurried_clock_jumps_and_remembers() {
        let clock = ManualClock::hurried(0);
        clock.sleep_ms(90_000).await;
        assert_eq!((clock.now_ms(), clock.waits_ms()), (90_000, vec![90_000]));
    }
}
