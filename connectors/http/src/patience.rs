//! Silence is a fact about a place, and not about one request. Whoever did not answer in time is given little time with the next request,
//! and is not asked again in this run where that brings nothing either. So a place that hangs holds the others once, and not with every
//! request; and one request that hangs alone does not take its place away.

use crate::client::Client;
use crate::clock::lock;
use crate::request::Response;
use crate::transport::{Transport, TransportError, Wire, host_of};
use async_trait::async_trait;
use futures_util::{StreamExt, stream};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;

/// How long a place that was silent may be so within its next exchange, in milliseconds.
pub const PROBE_MS: u64 = 10_000;
/// How long pauses are waited for while others wait, in milliseconds.
const PAUSE_MS: u64 = 5_000;
/// How long one of several things that are asked side by side may hang then: less than a place may as a whole.
const ALONE: Duration = Duration::from_millis(1_500);
/// How often is looked.
const LOOK: Duration = Duration::from_millis(100);

/// Whether others wait for what is asked, and how long a place may hold them then. A read has its time all the same: whoever reads gives it up
/// where that is of no harm.
#[derive(Clone, Debug)]
pub struct Hurry {
    /// Others wait.
    pub is_waited_for: Arc<AtomicBool>,
    /// How long a write that has left may be without an answer then, in milliseconds.
    pub silence_ms: u64,
    /// How long one request waits then for pauses that the place asks for, in milliseconds.
    pub pause_ms: u64,
}

impl Default for Hurry {
    /// Nobody waits.
    fn default() -> Self {
        Self { is_waited_for: Arc::default(), silence_ms: PROBE_MS, pause_ms: PAUSE_MS }
    }
}

impl Hurry {
    /// Whether others wait now.
    pub fn is_waited_for(&self) -> bool {
        self.is_waited_for.load(Ordering::SeqCst)
    }
}

/// Asks for several things side by side, `most` at a time, all by this client, and answers in their order. Where others wait, what hangs while
/// all else of it has answered is given up: `None`.
pub async fn side_by_side<T>(
    client: &Client,
    most: usize,
    asked: impl IntoIterator<Item = impl Future<Output = T>>,
) -> Vec<Option<T>> {
    let asked: Vec<_> = asked.into_iter().enumerate().map(|(at, one)| async move { (at, one.await) }).collect();
    let mut answers: Vec<Option<T>> = asked.iter().map(|_| None).collect();
    let (mut is_any_here, mut heard, mut heard_at) = (false, client.counters().bytes_in, Instant::now());
    let mut coming = std::pin::pin!(stream::iter(asked).buffer_unordered(most));
    loop {
        let answer = tokio::select! {
            biased;
            answer = coming.next() => answer,
            () = tokio::time::sleep(LOOK) => {
                let counters = client.counters();
                // What waits for its turn does not hang.
                if counters.bytes_in != heard || counters.awaited == 0 {
                    (heard, heard_at) = (counters.bytes_in, Instant::now());
                }
                if is_any_here && client.is_waited_for() && heard_at.elapsed() >= ALONE {
                    return answers;
                }
                continue;
            }
        };
        let Some((at, answer)) = answer else { return answers };
        (answers[at], is_any_here, heard_at) = (Some(answer), true, Instant::now());
    }
}

/// A transport to the hosts of one place, in one run.
pub struct Patience {
    inner: Arc<dyn Transport>,
    hosts: Mutex<HashMap<String, Standing>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
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

    fn standing(&self, host: &str) -> Standing {
        let hosts = lock(&self.hosts);
        match hosts.get(host) {
            Some(own) => *own,
            // So may the others be at a place of which one host is.
            None if hosts.values().any(|other| *other != Standing::Answers) => Standing::Doubtful,
            None => Standing::Answers,
        }
    }

    async fn carry(&self, wire: &Wire, spills: bool) -> Result<Response, TransportError> {
        let host = host_of(&wire.url);
        let before = self.standing(&host);
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
        let now = hosts.entry(host).or_insert(Standing::Answers);
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
