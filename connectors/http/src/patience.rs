//! Silence is a fact about a place, and not about one request. Whoever did not answer in time is given little time with the next request,
//! and is not asked again in this run where that brings nothing either. So a place that hangs holds the others once, and not with every
//! request; and one request that hangs alone does not take its place away.

use crate::clock::lock;
use crate::request::Response;
use crate::transport::{Transport, TransportError, Wire, host_of};
use async_trait::async_trait;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;

/// How long a place that was silent may be so within its next exchange, in milliseconds.
pub const PROBE_MS: u64 = 10_000;
/// How long pauses are waited for while others wait, in milliseconds.
const PAUSE_MS: u64 = 5_000;
/// How long each write has, also where the place held others long enough before.
const SHORT_MS: u64 = 2_000;
/// How often is looked whether others wait.
pub(crate) const LOOK_MS: u64 = 50;

/// Whether others wait for what is asked, and how long a place may hold them then in one run. A read has its time all the same: whoever reads
/// gives it up where that is of no harm.
#[derive(Clone, Debug)]
pub struct Hurry {
    /// Others wait.
    pub is_waited_for: Arc<AtomicBool>,
    /// How long writes that have left may be without an answer then, in milliseconds; each has two seconds in any case.
    pub silence_ms: u64,
    /// How long pauses that the place asks for are waited for then, in milliseconds.
    pub pause_ms: u64,
    held: Arc<Mutex<Held>>,
}

/// How long others were held by a place.
#[derive(Debug, Default)]
struct Held {
    ms: u64,
    looked: Option<Instant>,
}

impl Default for Hurry {
    /// Nobody waits.
    fn default() -> Self {
        Self::new(Arc::default())
    }
}

impl Hurry {
    /// Of one place in one run; who says whether others wait.
    pub fn new(is_waited_for: Arc<AtomicBool>) -> Self {
        Self { is_waited_for, silence_ms: PROBE_MS, pause_ms: PAUSE_MS, held: Arc::default() }
    }

    /// Whether others wait now.
    pub fn is_waited_for(&self) -> bool {
        self.is_waited_for.load(Ordering::SeqCst)
    }

    /// How long a write may be without an answer, where others wait.
    pub(crate) fn silence_left_ms(&self) -> u64 {
        let left_ms = self.silence_ms.saturating_sub(lock(&self.held).ms);
        left_ms.max(SHORT_MS.min(self.silence_ms))
    }

    /// A write held others for so long.
    pub(crate) fn held_for(&self, time: Duration) {
        lock(&self.held).ms += time.as_millis() as u64;
    }

    /// Another look, after [`LOOK_MS`], at a pause of which so much is left: whether others who wait are held for too long by it. Of requests
    /// that wait for it side by side each asks.
    pub(crate) fn is_too_long(&self, left_ms: u64) -> bool {
        if left_ms == 0 || !self.is_waited_for() {
            return false;
        }
        let (now, mut held) = (Instant::now(), lock(&self.held));
        let since_ms = held.looked.map_or(LOOK_MS, |looked| now.duration_since(looked).as_millis() as u64);
        held.ms += since_ms.min(LOOK_MS);
        held.looked = Some(now);
        held.ms + left_ms > self.pause_ms
    }
}

/// A transport to the hosts of one place, in one run.
pub struct Patience {
    inner: Arc<dyn Transport>,
    hosts: Mutex<HashMap<(String, bool), Standing>>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    Answers,
    /// It was silent: the next exchange has little time.
    Doubtful,
    /// It was so once more: it is not asked again.
    Away,
}

impl Patience {
    /// Over that transport.
    pub fn new(inner: Arc<dyn Transport>) -> Self {
        Self { inner, hosts: Mutex::default() }
    }

    /// How a host stands for a read, or for a write: one that hangs over writes may answer reads, and says nothing of those.
    fn standing(&self, key: &(String, bool)) -> Standing {
        let hosts = lock(&self.hosts);
        let of = |is_write: bool| match hosts.get(&(key.0.clone(), is_write)) {
            Some(own) => *own,
            // So may the others be at a place of which one host is.
            None if hosts.iter().any(|((_, other), standing)| *other == is_write && *standing != Standing::Answers) => {
                Standing::Doubtful
            }
            None => Standing::Answers,
        };
        // Nor does one that hangs over a list hang over what is written, and that is not asked as often.
        if key.1 { of(true).max(of(false).min(Standing::Doubtful)) } else { of(false) }
    }

    async fn carry(&self, wire: &Wire, spills: bool) -> Result<Response, TransportError> {
        let key = (host_of(&wire.url), wire.hurry.is_some());
        let before = self.standing(&key);
        let outcome = match before {
            Standing::Away => return Err(TransportError::Away),
            Standing::Doubtful => {
                let wire = Wire { silence_ms: wire.silence_ms.min(PROBE_MS), ..wire.clone() };
                self.send(&wire, spills).await
            }
            Standing::Answers => self.send(wire, spills).await,
        };
        let after = match (&outcome, before) {
            (Ok(_), _) => Standing::Answers,
            (Err(TransportError::Silent | TransportError::Unopened), Standing::Answers) => Standing::Doubtful,
            (Err(TransportError::Silent | TransportError::Unopened), _) => Standing::Away,
            (Err(_), _) => return outcome,
        };
        let mut hosts = lock(&self.hosts);
        let now = hosts.entry(key).or_insert(Standing::Answers);
        // Others that were sent with it may have found out more.
        if *now != Standing::Away {
            *now = after;
        }
        outcome
    }

    async fn send(&self, wire: &Wire, spills: bool) -> Result<Response, TransportError> {
        match spills {
            true => self.inner.exchange_spilling(wire).await,
            false => self.inner.exchange(wire).await,
        }
    }
}

#[async_trait]
impl Transport for Patience {
    async fn exchange(&self, wire: &Wire) -> Result<Response, TransportError> {
        self.carry(wire, false).await
    }

    async fn exchange_spilling(&self, wire: &Wire) -> Result<Response, TransportError> {
        self.carry(wire, true).await
    }
}
