//! A time that passes only when somebody waits for it.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::Notify;
use twofold_http::Clock;

/// The time. While a run is under way, whoever waits makes it pass; else it passes when all wait ([`Time::pass`]).
pub struct Time {
    /// How long timers have run.
    ran_ms: AtomicI64,
    /// By how much its clock is wrong.
    wrong_ms: AtomicI64,
    /// The providers' clock, which is right.
    theirs: twofold_sandbox::Clock,
    pub is_running: AtomicBool,
    moved: Notify,
    /// Until when somebody waits.
    waits: Mutex<Vec<i64>>,
}

/// Somebody waits, for as long as this lives.
struct Waits<'a>(&'a Time, i64);

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        let mut waits = self.0.waits.lock().unwrap();
        let at = waits.iter().position(|until| *until == self.1).unwrap();
        waits.swap_remove(at);
    }
}

impl Time {
    pub fn new(theirs: twofold_sandbox::Clock) -> Arc<Time> {
        let zero = || AtomicI64::new(0);
        let (is_running, moved, waits) = (AtomicBool::new(false), Notify::new(), Mutex::default());
        Arc::new(Time { ran_ms: zero(), wrong_ms: zero(), theirs, is_running, moved, waits })
    }

    /// How long timers have run, in milliseconds.
    pub fn ran_ms(&self) -> i64 {
        self.ran_ms.load(Ordering::SeqCst)
    }

    /// What this machine's clock shows.
    pub fn shown_ms(&self) -> i64 {
        self.theirs.now_ms() + self.wrong_ms.load(Ordering::SeqCst)
    }

    pub fn advance_ms(&self, ms: i64) {
        self.ran_ms.fetch_add(ms, Ordering::SeqCst);
        self.theirs.advance_ms(ms);
        self.moved.notify_waiters();
    }

    /// The machine sleeps: its timers stand still meanwhile.
    pub fn sleep_through_ms(&self, ms: i64) {
        self.theirs.advance_ms(ms);
    }

    /// Somebody sets this machine's clock.
    pub fn set_ms(&self, by_ms: i64) {
        self.wrong_ms.fetch_add(by_ms, Ordering::SeqCst);
    }

    /// Everybody waits: the next of them has waited for long enough.
    pub fn pass(&self) {
        let next_ms = self.waits.lock().unwrap().iter().min().copied().expect("somebody waits for something");
        self.advance_ms((next_ms - self.ran_ms()).max(0));
    }

    /// Comes back when timers have run for so long.
    pub async fn until(&self, until_ms: i64) {
        self.waits.lock().unwrap().push(until_ms);
        let _waits = Waits(self, until_ms);
        loop {
            // Registered before the look at the time, so that a move in between is not missed.
            let moved = self.moved.notified();
            tokio::pin!(moved);
            moved.as_mut().enable();
            if self.ran_ms() >= until_ms {
                return;
            }
            moved.await;
        }
    }
}

/// What requests and messages wait by.
#[async_trait::async_trait]
impl Clock for Time {
    fn now_ms(&self) -> u64 {
        self.shown_ms().unsigned_abs()
    }

    async fn sleep_ms(&self, ms: u64) {
        let ms = i64::try_from(ms).unwrap();
        if self.is_running.load(Ordering::SeqCst) {
            self.advance_ms(ms);
            return tokio::task::yield_now().await;
        }
        self.until(self.ran_ms() + ms).await;
    }
}

/// What the service waits by between its runs, and beside them.
#[async_trait::async_trait(?Send)]
impl crate::daemon::Clock for Time {
    fn now_ms(&self) -> i64 {
        self.shown_ms()
    }

    async fn sleep_ms(&self, ms: i64) {
        self.until(self.ran_ms() + ms).await;
    }
}
