//! What a provider allows one mailbox: so many requests at a time, in a window, so many quota units a minute; and the pause
//! it asked for. One budget is shared by all workers and all clients of that mailbox, and kept in the hub between runs.
//!
//! The windows slide in sixty steps. A step counts until its youngest request is certainly out of the window, so the limit
//! is never passed and at most a sixtieth of it stays unused.

use crate::clock::{Clock, lock};
use crate::retry;
use crate::shared::{Shared, Taken};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use twofold_model::{Error, ErrorKind, Result};

/// No pause is believed beyond a day: a longer one is a wrong clock.
const LONGEST_PAUSE_MS: u64 = 86_400_000;
/// How long after a pause a window that is hearsay is kept.
const CAREFUL_MS: u64 = 3_600_000;
/// So long pauses that name no time are waited for in all, in a run, until one of them was of use.
pub(crate) const MOST_UNNAMED_MS: u64 = 60_000;
const UNITS_WINDOW_S: u32 = 60;
const STEPS: u64 = 60;

/// What is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Requests at a time.
    pub concurrency: u32,
    /// Requests in a sliding window: how many, in how many seconds.
    pub requests_per_window: Option<(u32, u32)>,
    /// Quota units in a sliding minute.
    pub units_per_minute: Option<u32>,
    /// Bytes sent as the bodies of requests, in a sliding window: how many, in how many seconds.
    pub bytes_per_window: Option<(u64, u32)>,
    /// The window of requests is hearsay: it is kept only for an hour after the provider asked for a pause.
    pub window_once_asked: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            concurrency: 4,
            requests_per_window: None,
            units_per_minute: None,
            bytes_per_window: None,
            window_once_asked: false,
        }
    }
}

/// What a request takes of a budget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// How many requests it counts as (a batch: its parts), which is also how many slots it takes (all at most).
    pub requests: u32,
    /// Quota units.
    pub units: u32,
    /// The bytes of its body.
    pub bytes: u64,
}

/// The budget of one mailbox at one provider.
#[derive(Debug)]
pub struct Budget {
    limits: Limits,
    slots: Arc<Semaphore>,
    /// What is allowed at a time is allowed to several processes together.
    shared: Option<Shared>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// When it was looked at last.
    seen_ms: u64,
    pause_until_ms: u64,
    /// Until when nothing is written.
    write_pause_until_ms: u64,
    /// Until when a window that is hearsay is kept.
    careful_until_ms: u64,
    /// Pauses that named no time, since one of them was of use: how many, and how long they are together.
    unnamed: u32,
    unnamed_ms: u64,
    requests: Window,
    units: Window,
    bytes: Window,
}

impl State {
    fn is_vain(&self) -> bool {
        self.unnamed_ms > MOST_UNNAMED_MS
    }
}

/// What is left of a budget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allowance {
    /// Requests in the window: how many are left, of how many, in how many seconds.
    pub requests: Option<(u64, u32, u32)>,
    /// Quota units in a minute: how many are left, of how many.
    pub units: Option<(u64, u32)>,
    /// The provider asked to be left alone until then, in milliseconds since 1970.
    pub pause_until_ms: Option<u64>,
}

/// A share of the budget; gives its slots back when dropped.
#[derive(Debug)]
pub struct Slot {
    _slots: OwnedSemaphorePermit,
    _shared: Option<Taken>,
}

/// What stands in the way of a request.
enum Wait {
    Nothing,
    /// The provider asked for it.
    Pause(u64),
    /// The provider asked for it once more after pauses that were long enough.
    Vain(u64),
    /// Our own count of requests, or of what they carry.
    Window(u64, &'static str),
    /// Our own count of units; a minute at most.
    Units(u64),
}

impl Budget {
    /// A budget of which nothing is used yet.
    pub fn new(limits: Limits) -> Self {
        let slots = Arc::new(Semaphore::new(limits.concurrency.max(1) as usize));
        Self { limits, slots, shared: None, state: Mutex::default() }
    }

    /// The same, whose requests at a time are those of several processes together.
    pub fn sharing(mut self, shared: Option<Shared>) -> Self {
        self.shared = shared;
        self
    }

    /// What is allowed.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Waits for its turn and counts it as used. A request of several parts takes as many slots (all at most).
    ///
    /// A pause or a full window that would take longer than `patience_ms` is not waited for: throttled, with the time left.
    pub async fn acquire(&self, cost: Cost, clock: &dyn Clock, patience_ms: u64) -> Result<Slot> {
        let many = cost.requests.clamp(1, self.limits.concurrency.max(1));
        // The semaphore is never closed; the error is only there for the types.
        let slots = Arc::clone(&self.slots).acquire_many_owned(many).await.map_err(|_| throttled(0, "is busy"))?;
        loop {
            let ms = match self.take(cost, clock.now_ms()) {
                Wait::Nothing => {
                    // Last, so that nobody else waits while this one waits for its window.
                    let shared = match &self.shared {
                        Some(shared) => Some(shared.take(many).await?),
                        None => None,
                    };
                    return Ok(Slot { _slots: slots, _shared: shared });
                }
                Wait::Vain(ms) => return Err(throttled(ms, "asked us to wait again and again")),
                Wait::Pause(ms) if ms > patience_ms => return Err(throttled(ms, "asked us to wait")),
                Wait::Window(ms, why) if ms > patience_ms => return Err(throttled(ms, why)),
                Wait::Pause(ms) | Wait::Window(ms, _) | Wait::Units(ms) => ms,
            };
            clock.sleep_ms(ms).await;
        }
    }

    /// The state at that moment. Where the clock was set back since, what is to last lasts for as long as it would have.
    fn at(&self, now_ms: u64) -> MutexGuard<'_, State> {
        let mut state = lock(&self.state);
        let back_ms = state.seen_ms.saturating_sub(now_ms);
        state.pause_until_ms = state.pause_until_ms.saturating_sub(back_ms);
        state.write_pause_until_ms = state.write_pause_until_ms.saturating_sub(back_ms);
        state.careful_until_ms = state.careful_until_ms.saturating_sub(back_ms);
        state.seen_ms = now_ms;
        state
    }

    fn take(&self, cost: Cost, now_ms: u64) -> Wait {
        let mut state = self.at(now_ms);
        if state.pause_until_ms > now_ms + LONGEST_PAUSE_MS {
            state.pause_until_ms = 0;
        }
        if state.pause_until_ms > now_ms {
            let left_ms = state.pause_until_ms - now_ms;
            return if state.is_vain() { Wait::Vain(left_ms) } else { Wait::Pause(left_ms) };
        }
        if state.careful_until_ms > now_ms + LONGEST_PAUSE_MS + CAREFUL_MS {
            state.careful_until_ms = 0;
        }
        let is_kept = !self.limits.window_once_asked || state.careful_until_ms > now_ms;
        if let Some((most, window_s)) = self.limits.requests_per_window.filter(|_| is_kept) {
            let ms = state.requests.wait_ms(cost.requests.into(), most.into(), window_s, now_ms);
            if ms > 0 {
                return Wait::Window(ms, "allows no more requests for now");
            }
        }
        if let Some(most) = self.limits.units_per_minute {
            let ms = state.units.wait_ms(cost.units.into(), most.into(), UNITS_WINDOW_S, now_ms);
            if ms > 0 {
                return Wait::Units(ms);
            }
        }
        if let Some((most, window_s)) = self.limits.bytes_per_window.filter(|_| cost.bytes > 0) {
            let ms = state.bytes.wait_ms(cost.bytes, most, window_s, now_ms);
            if ms > 0 {
                return Wait::Window(ms, "takes no more bytes for now");
            }
            state.bytes.count(cost.bytes, window_s, now_ms);
        }
        if let Some((_, window_s)) = self.limits.requests_per_window {
            state.requests.count(cost.requests.into(), window_s, now_ms);
        }
        if self.limits.units_per_minute.is_some() && cost.units > 0 {
            state.units.count(cost.units.into(), UNITS_WINDOW_S, now_ms);
        }
        Wait::Nothing
    }

    /// The provider asked to wait until then: all workers do. A shorter pause never ends a longer one.
    pub fn pause_until(&self, until_ms: u64) {
        let mut state = lock(&self.state);
        state.pause_until_ms = state.pause_until_ms.max(until_ms);
        state.careful_until_ms = state.careful_until_ms.max(until_ms.saturating_add(CAREFUL_MS));
    }

    /// The provider asked not to write until then; reading goes on. A shorter pause never ends a longer one.
    pub fn pause_writes_until(&self, until_ms: u64) {
        let mut state = lock(&self.state);
        state.write_pause_until_ms = state.write_pause_until_ms.max(until_ms);
    }

    /// The provider asked for a pause and names no time: how long it is taken to be, longer each time, and whether it is waited for. What
    /// was sent before a pause that is under way adds none.
    pub(crate) fn pause_unnamed(&self, is_for_writes: bool, now_ms: u64) -> (u64, bool) {
        let mut state = self.at(now_ms);
        let until_ms = if is_for_writes { state.write_pause_until_ms } else { state.pause_until_ms };
        let left_ms = until_ms.saturating_sub(now_ms);
        if (1..=LONGEST_PAUSE_MS).contains(&left_ms) {
            return (left_ms, !state.is_vain());
        }
        state.unnamed = state.unnamed.saturating_add(1);
        let ms = retry::throttled_ms(state.unnamed);
        state.unnamed_ms = state.unnamed_ms.saturating_add(ms);
        let is_waited_for = !state.is_vain();
        drop(state);
        if is_for_writes {
            self.pause_writes_until(now_ms + ms)
        } else {
            self.pause_until(now_ms + ms)
        }
        (ms, is_waited_for)
    }

    /// Something got through that had been told to wait.
    pub fn got_through(&self) {
        let mut state = lock(&self.state);
        (state.unnamed, state.unnamed_ms) = (0, 0);
    }

    /// Whether pauses that name no time were of no use for too long.
    pub(crate) fn is_vain(&self) -> bool {
        lock(&self.state).is_vain()
    }

    /// Milliseconds in which nothing may be written. A pause beyond a day is a wrong clock, and none.
    pub fn write_pause_left_ms(&self, now_ms: u64) -> u64 {
        let left_ms = self.at(now_ms).write_pause_until_ms.saturating_sub(now_ms);
        if left_ms > LONGEST_PAUSE_MS { 0 } else { left_ms }
    }

    /// Milliseconds of the pause that are left.
    pub fn pause_left_ms(&self, now_ms: u64) -> u64 {
        self.at(now_ms).pause_until_ms.saturating_sub(now_ms)
    }

    /// How many requests and units are counted in the windows now.
    pub fn used(&self, now_ms: u64) -> (u64, u64) {
        let mut state = lock(&self.state);
        let window_s = self.limits.requests_per_window.map_or(UNITS_WINDOW_S, |(_, s)| s);
        (state.requests.used(window_s, now_ms), state.units.used(UNITS_WINDOW_S, now_ms))
    }

    /// What the next run has to know, to be kept in the hub.
    pub fn snapshot(&self) -> Value {
        let state = lock(&self.state);
        json!({
            "seen_ms": state.seen_ms,
            "pause_until_ms": state.pause_until_ms,
            "write_pause_until_ms": state.write_pause_until_ms,
            "careful_until_ms": state.careful_until_ms,
            "requests": state.requests.to_json(),
            "units": state.units.to_json(),
            "bytes": state.bytes.to_json(),
        })
    }

    /// What is left of it at that moment. A window that is hearsay counts only while it is kept.
    pub fn left(&self, now_ms: u64) -> Allowance {
        let mut state = self.at(now_ms);
        let is_kept = !self.limits.window_once_asked || state.careful_until_ms > now_ms;
        let requests = self.limits.requests_per_window.filter(|_| is_kept).map(|(most, window_s)| {
            let left = u64::from(most).saturating_sub(state.requests.used(window_s, now_ms));
            (left, most, window_s)
        });
        let units = self.limits.units_per_minute.map(|most| {
            let left = u64::from(most).saturating_sub(state.units.used(UNITS_WINDOW_S, now_ms));
            (left, most)
        });
        Allowance { requests, units, pause_until_ms: Some(state.pause_until_ms).filter(|until| *until > now_ms) }
    }

    /// Takes up what an earlier run kept. What cannot be read is left out: a budget is never a reason not to run.
    pub fn restore(&self, kept: Value) {
        let mut state = lock(&self.state);
        let moment = |name: &str| kept.get(name).and_then(Value::as_u64).unwrap_or(0);
        state.seen_ms = state.seen_ms.max(moment("seen_ms"));
        state.pause_until_ms = state.pause_until_ms.max(moment("pause_until_ms"));
        state.write_pause_until_ms = state.write_pause_until_ms.max(moment("write_pause_until_ms"));
        state.careful_until_ms = state.careful_until_ms.max(moment("careful_until_ms"));
        state.requests.add_json(kept.get("requests"));
        state.units.add_json(kept.get("units"));
        state.bytes.add_json(kept.get("bytes"));
    }
}

pub(crate) fn throttled(ms: u64, why: &str) -> Error {
    let s = ms.div_ceil(1000);
    Error::new(ErrorKind::Throttled { retry_after_s: Some(s) }, format!("the provider {why}; {s} s are left"))
}

/// Counts in a sliding window: (start of a step, count), oldest first.
#[derive(Debug, Default)]
struct Window {
    steps: VecDeque<(u64, u64)>,
}

impl Window {
    fn step_ms(window_s: u32) -> u64 {
        (u64::from(window_s) * 1000 / STEPS).max(1)
    }

    /// When a step no longer counts.
    fn end_ms(start_ms: u64, window_s: u32) -> u64 {
        start_ms + Self::step_ms(window_s) + u64::from(window_s) * 1000
    }

    fn used(&mut self, window_s: u32, now_ms: u64) -> u64 {
        // A step from the future was counted by a clock that has since been set back.
        self.steps.retain(|(start, _)| *start <= now_ms && Self::end_ms(*start, window_s) > now_ms);
        self.steps.iter().map(|(_, count)| count).sum()
    }

    /// How long until `cost` fits; a cost beyond the limit counts as the limit, or it would never fit.
    fn wait_ms(&mut self, cost: u64, most: u64, window_s: u32, now_ms: u64) -> u64 {
        let most = most.max(1);
        let mut over = (self.used(window_s, now_ms) + cost.min(most)).saturating_sub(most);
        let mut wait = 0;
        for (start, count) in &self.steps {
            if over == 0 {
                break;
            }
            over = over.saturating_sub(*count);
            wait = Self::end_ms(*start, window_s) - now_ms;
        }
        wait
    }

    fn count(&mut self, cost: u64, window_s: u32, now_ms: u64) {
        // Also where nobody asks whether there is room.
        self.used(window_s, now_ms);
        let step = Self::step_ms(window_s);
        let start = now_ms / step * step;
        match self.steps.back_mut() {
            Some((last, count)) if *last == start => *count += cost,
            _ => self.steps.push_back((start, cost)),
        }
    }

    fn to_json(&self) -> Value {
        self.steps.iter().map(|(start, count)| json!([start, count])).collect()
    }

    fn add_json(&mut self, kept: Option<&Value>) {
        for step in kept.and_then(Value::as_array).into_iter().flatten() {
            if let (Some(start), Some(count)) = (step[0].as_u64(), step[1].as_u64()) {
                self.steps.push_back((start, count.min(u64::from(u32::MAX))));
            }
        }
        self.steps.make_contiguous().sort_unstable();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;

    const T0: u64 = 1_700_000_000_000;

    fn requests(requests: u32) -> Cost {
        Cost { requests, ..Cost::default() }
    }

    fn graph() -> Budget {
        Budget::new(Limits { requests_per_window: Some((10_000, 600)), ..Limits::default() })
    }

    #[tokio::test]
    async fn a_window_that_is_hearsay_is_kept_for_an_hour_once_the_provider_asked_for_a_pause() {
        let clock = ManualClock::standing(T0);
        let budget =
            Budget::new(Limits { requests_per_window: Some((3, 60)), window_once_asked: true, ..Limits::default() });
        for _ in 0..10 {
            budget.acquire(requests(1), &clock, 0).await.unwrap();
        }
        budget.pause_until(clock.now_ms() + 1_000);
        clock.advance_ms(70_000);
        let next = Budget::new(budget.limits());
        next.restore(budget.snapshot());
        for _ in 0..3 {
            next.acquire(requests(1), &clock, 0).await.unwrap();
        }
        assert!(next.acquire(requests(1), &clock, 0).await.is_err(), "the next run keeps it too");
        clock.advance_ms(3_700_000);
        for _ in 0..10 {
            next.acquire(requests(1), &clock, 0).await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_window_that_nobody_keeps_does_not_grow_for_ever() {
        let clock = ManualClock::standing(T0);
        let budget =
            Budget::new(Limits { requests_per_window: Some((3, 60)), window_once_asked: true, ..Limits::default() });
        for _ in 0..1_000 {
            budget.acquire(requests(1), &clock, 0).await.unwrap();
            clock.advance_ms(5_000);
        }
        assert!(budget.snapshot().to_string().len() < 1_000, "{}", budget.snapshot());
    }

    #[tokio::test]
    async fn what_is_left_is_told_of_what_an_earlier_run_used_too() {
        let clock = ManualClock::standing(T0);
        let used = graph();
        for _ in 0..30 {
            drop(used.acquire(requests(1), &clock, 0).await.unwrap());
        }
        let next = graph();
        next.restore(used.snapshot());
        assert_eq!(next.left(T0).requests, Some((9_970, 10_000, 600)));
        next.pause_until(T0 + 5_000);
        assert_eq!(next.left(T0).pause_until_ms, Some(T0 + 5_000));
        let later = next.left(T0 + 700_000);
        assert_eq!((later.requests, later.units, later.pause_until_ms), (Some((10_000, 10_000, 600)), None, None));
        let hearsay =
            Budget::new(Limits { requests_per_window: Some((3, 60)), window_once_asked: true, ..Limits::default() });
        assert_eq!(hearsay.left(T0), Allowance::default());
    }

    #[tokio::test]
    async fn no_sliding_window_ever_sees_more_than_allowed_and_little_is_left_unused() {
        let clock = ManualClock::hurried(T0);
        let limits = Limits { concurrency: 2, requests_per_window: Some((100, 60)), ..Limits::default() };
        let budget = Budget::new(limits);
        let mut sent = Vec::new();
        for n in 0..1_000u64 {
            drop(budget.acquire(requests(1), &clock, u64::MAX).await.unwrap());
            sent.push(clock.now_ms());
            clock.sleep_ms(n * 7 % 13).await;
        }
        for at in &sent {
            let inside = sent.iter().filter(|t| **t >= *at && **t < at + 60_000).count();
            assert!(inside <= 100, "{inside} in one window");
        }
        let took_s = (sent[999] - sent[0]) as f64 / 1000.0;
        assert!(took_s < 9.0 * 60.0 / 0.95, "{took_s} s: less than 95 % of the budget was used");
    }

    #[tokio::test]
    async fn the_next_run_goes_on_with_the_counts_and_the_pause_of_the_last() {
        let clock = ManualClock::standing(T0);
        let first = graph();
        drop(first.acquire(requests(9_990), &clock, 0).await.unwrap());
        first.pause_until(T0 + 5_000);
        let second = graph();
        second.restore(serde_json::from_str(&first.snapshot().to_string()).unwrap());
        let error = second.acquire(requests(1), &clock, 1_000).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Throttled { retry_after_s: Some(5) });
        clock.advance_ms(5_000);
        drop(second.acquire(requests(10), &clock, 0).await.unwrap());
        assert!(second.acquire(requests(1), &clock, 1_000).await.is_err(), "the window is full");
        assert_eq!(second.used(clock.now_ms()).0, 10_000);
        clock.advance_ms(610_000);
        drop(second.acquire(requests(1), &clock, 0).await.unwrap());
    }

    #[tokio::test]
    async fn a_batch_counts_as_its_parts_and_takes_their_slots() {
        let clock = ManualClock::standing(T0);
        let budget = graph();
        let batch = budget.acquire(requests(20), &clock, 0).await.unwrap();
        assert_eq!(budget.used(T0).0, 20);
        assert_eq!(budget.slots.available_permits(), 0);
        drop(batch);
        let _one = budget.acquire(requests(1), &clock, 0).await.unwrap();
        assert_eq!(budget.slots.available_permits(), 3);
    }

    #[tokio::test]
    async fn units_are_waited_for_however_short_the_patience() {
        let clock = ManualClock::hurried(T0);
        let limits = Limits { concurrency: 4, units_per_minute: Some(6_000), ..Limits::default() };
        let budget = Budget::new(limits);
        for _ in 0..600 {
            drop(budget.acquire(Cost { units: 20, ..requests(1) }, &clock, 0).await.unwrap());
        }
        let took_s = (clock.now_ms() - T0) as f64 / 1000.0;
        assert!((60.0..62.0).contains(&took_s), "12,000 units take a minute and a step: {took_s}");
    }

    #[tokio::test]
    async fn a_pause_is_no_longer_where_the_clock_is_set_back_meanwhile() {
        let (hour_ms, budget) = (3_600_000, graph());
        let at = |now_ms| ManualClock::standing(now_ms);
        budget.pause_until(T0 + 1_000);
        budget.pause_writes_until(T0 + 1_000);
        drop(budget.acquire(requests(1), &at(T0 + hour_ms), 0).await.unwrap());
        let over = graph();
        over.restore(budget.snapshot());
        drop(over.acquire(requests(1), &at(T0 - 60_000), 0).await.unwrap());
        assert_eq!((over.left(T0 - 60_000).pause_until_ms, over.write_pause_left_ms(T0 - 60_000)), (None, 0));
        budget.pause_until(T0 + hour_ms + 60_000);
        let lasts = graph();
        lasts.restore(budget.snapshot());
        assert_eq!(lasts.pause_left_ms(T0), 60_000, "it is as long as it was");
        assert_eq!(lasts.pause_left_ms(T0 + 10_000), 50_000);
    }

    #[tokio::test]
    async fn a_clock_set_back_and_nonsense_in_the_hub_stop_nothing() {
        let clock = ManualClock::standing(T0);
        let budget = graph();
        budget.restore(json!({"pause_until_ms": T0 + 400 * LONGEST_PAUSE_MS, "requests": [[T0 + 1_000_000, 10_000]]}));
        budget.restore(json!("what is this"));
        budget.restore(json!({"requests": [1, ["a", "b"], null], "units": {}}));
        drop(budget.acquire(requests(1), &clock, 0).await.unwrap());
    }

    #[tokio::test]
    async fn what_is_sent_counts_by_its_bytes_and_what_sends_none_does_not_wait_for_them() {
        let clock = ManualClock::standing(T0);
        let limits = Limits { bytes_per_window: Some((150_000_000, 300)), ..Limits::default() };
        let budget = Budget::new(limits);
        for _ in 0..37 {
            drop(budget.acquire(Cost { bytes: 4_000_000, ..requests(1) }, &clock, 0).await.unwrap());
        }
        let next = Budget::new(limits);
        next.restore(budget.snapshot());
        let error = next.acquire(Cost { bytes: 4_000_000, ..requests(1) }, &clock, 60_000).await.unwrap_err();
        assert!(matches!(error.kind, ErrorKind::Throttled { retry_after_s: Some(300..=310) }), "{error:?}");
        assert!(error.to_string().contains("no more bytes"), "{error}");
        drop(next.acquire(requests(20), &clock, 0).await.unwrap());
        drop(next.acquire(Cost { bytes: 1_000, ..requests(1) }, &clock, 0).await.unwrap());
        let hurried = ManualClock::hurried(T0);
        drop(next.acquire(Cost { bytes: 4_000_000, ..requests(1) }, &hurried, u64::MAX).await.unwrap());
        assert!((T0 + 300_000..T0 + 310_000).contains(&hurried.now_ms()));
    }

    #[tokio::test]
    async fn a_cost_beyond_the_limit_waits_for_an_empty_window_but_not_for_ever() {
        let clock = ManualClock::hurried(T0);
        let limits = Limits { concurrency: 1, requests_per_window: Some((10, 60)), ..Limits::default() };
        let budget = Budget::new(limits);
        drop(budget.acquire(requests(50), &clock, u64::MAX).await.unwrap());
        drop(budget.acquire(requests(50), &clock, u64::MAX).await.unwrap());
        assert!(clock.now_ms() >= T0 + 60_000);
    }
}
