//! The one way out: pins the address, adds the token, keeps the budget, repeats what may be repeated, checks what came back.

use crate::batch::{self, Part, is_json};
use crate::budget::{Budget, Cost, MOST_UNNAMED_MS};
use crate::cassette::Recorder;
use crate::options::{ClientOptions, judge_by_status};
use crate::patience::LOOK_MS;
use crate::request::{Effect, Expect, Request, Response};
use crate::retry::{self, retry_after_s, whole_s};
use crate::transport::{self, NetworkTransport, SILENCE_MS, Transport, TransportError, Wire};
use bytes::Bytes;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use twofold_model::error::AtPlace;
use twofold_model::{Error, ErrorKind, Result};
use url::Url;

/// What is said of a place that asks for pauses.
const HOLDS: &str = "asked us to wait, and others wait";

/// What a client has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Requests that went out, repeats included; a batch is one.
    pub requests: u64,
    /// Bytes of bodies that came in, unpacked.
    pub bytes_in: u64,
    /// Requests that are out just now, and those for which a token is asked for: what waits for our own budget, or for a pause to be over,
    /// is none.
    pub awaited: u64,
    /// How often something came: a part of an answer, or the end of one.
    pub heard: u64,
    /// Writes that were given up because nothing came for too long.
    pub silent_writes: u64,
}

/// One of those whose answer is waited for, until it is dropped.
struct Awaited<'a>(&'a AtomicU64);

impl<'a> Awaited<'a> {
    fn begin(number: &'a AtomicU64) -> Self {
        number.fetch_add(1, Ordering::Relaxed);
        Self(number)
    }
}

impl Drop for Awaited<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Sends requests to one origin. Cheap to clone; clones are the same client.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    options: ClientOptions,
    transport: Arc<dyn Transport>,
    user_agent: String,
    /// Held by an exclusive write from its first try to its last.
    exclusive: tokio::sync::Mutex<()>,
    requests: AtomicU64,
    bytes_in: AtomicU64,
    awaited: AtomicU64,
    heard: Arc<AtomicU64>,
    silent_writes: AtomicU64,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Client({})", transport::host_of(&self.inner.options.base))
    }
}

/// Whose address a request goes to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whose {
    /// The provider's: bearer, dialect and budget apply.
    Provider,
    /// Another's: none of them does.
    Anyone,
}

/// What one request has gone through so far.
#[derive(Default)]
struct Tries {
    deadline_ms: Option<u64>,
    unopened: u32,
    stumbled: u32,
    throttled: u32,
    /// How long pauses that named no time are together, at an address that is not the provider's.
    unnamed_ms: u64,
    renewed: bool,
}

/// What follows from one exchange.
enum Verdict {
    Done(Result<Response>),
    /// Again after that time.
    Again(u64),
    /// Again after a pause that was asked for.
    Pause(u64),
    /// Again with this token.
    Renewed(String),
}

impl Client {
    /// A client; opens no connection. Refuses an address that is neither https nor this machine.
    pub fn new(options: ClientOptions) -> Result<Client> {
        for url in [&options.base].into_iter().chain(&options.extra_origins) {
            transport::check_scheme(url)?;
        }
        let mut carrier = match &options.transport {
            Some(transport) => Arc::clone(transport),
            None => Arc::new(NetworkTransport::new(options.network.clone())),
        };
        if let Some(dir) = &options.record {
            carrier = Arc::new(Recorder::new(carrier, dir)?);
        }
        // Provider: Google packs its answers only for a user agent that says "gzip".
        let own = concat!("twofold/", env!("CARGO_PKG_VERSION"), " (gzip)");
        let user_agent = format!("{own} {}", options.dialect.user_agent_suffix()).trim_end().to_owned();
        let inner = Inner {
            options,
            transport: carrier,
            user_agent,
            exclusive: tokio::sync::Mutex::new(()),
            requests: AtomicU64::new(0),
            bytes_in: AtomicU64::new(0),
            awaited: AtomicU64::new(0),
            heard: Arc::default(),
            silent_writes: AtomicU64::new(0),
        };
        Ok(Client { inner: Arc::new(inner) })
    }

    /// Sends it and returns the answer if it is 2xx and of the expected type.
    pub async fn send(&self, request: Request) -> Result<Response> {
        let what = request.what;
        let url = self.inner.pinned(&request.url, request.effect).at(what)?;
        let _alone = match request.effect {
            Effect::ExclusiveWrite => Some(self.inner.exclusive.lock().await),
            Effect::Read | Effect::Write => None,
        };
        self.inner.run(&request, url, Whose::Provider, self.inner.options.max_body, None).await.at(what)
    }

    /// [`Client::send`] of a read that leaves only as long as `may_leave` says so: what waits for its turn then, or for a repeat, is not sent.
    pub async fn send_while(&self, request: Request, may_leave: &(dyn Fn() -> bool + Sync)) -> Result<Response> {
        let what = request.what;
        let url = self.inner.pinned(&request.url, request.effect).at(what)?;
        self.inner.run(&request, url, Whose::Provider, self.inner.options.max_body, Some(may_leave)).await.at(what)
    }

    /// Reads from an address that somebody else may have chosen (a photo's): no bearer, no header of the provider, no
    /// redirect, at most `max_body` bytes; https only (this machine only where the client itself speaks to it).
    pub async fn send_anonymous(&self, request: Request, max_body: usize) -> Result<Response> {
        let what = request.what;
        if request.effect.is_write() {
            return Err(Error::new(ErrorKind::Refused, "only a plain read goes to a foreign address").at(what));
        }
        let url = self.inner.foreign(&request.url).at(what)?;
        self.inner.run(&request, url, Whose::Anyone, max_body, None).await.at(what)
    }

    /// Sends to an address that an answer of the provider gave for this alone (an upload's), on whatever host, and that is its
    /// own leave: no bearer, no header of the provider, no redirect; https only (this machine only where the client itself
    /// speaks to it). A write is repeated by the same rules as everywhere.
    pub async fn send_unsigned(&self, request: Request) -> Result<Response> {
        let what = request.what;
        let url = self.inner.foreign(&request.url).at(what)?;
        self.inner.run(&request, url, Whose::Anyone, self.inner.options.max_body, None).await.at(what)
    }

    /// What one part of a batch came to, by the same rules as a whole request: 2xx, or an error judged by the dialect.
    /// `None` (no answer to that part) and a write's 5xx are unknown; a pause that the part asks for holds for all.
    pub fn judge_part(&self, what: &'static str, effect: Effect, part: Option<Response>) -> Result<Response> {
        let judged = self.inner.judge_part(effect, part).at(what);
        // Of many that are asked for side by side some are throttled: as long as others come that goes on.
        if judged.is_ok() {
            self.inner.options.budget.got_through();
        }
        judged
    }

    /// Sends a batch of at most [`batch::MAX_PARTS`] parts to `url` and returns what each came to, in order. Exactly those
    /// parts are sent again that may be: throttled ones, and of reads those that stumbled or have no answer.
    pub async fn send_batch(
        &self,
        what: &'static str,
        url: &str,
        effect: Effect,
        parts: &[Part],
    ) -> Vec<Result<Response>> {
        let mut results: Vec<Option<Result<Response>>> = parts.iter().map(|_| None).collect();
        let clock = &self.inner.options.clock;
        let deadline_ms = clock.now_ms() + self.inner.options.deadline_s * 1000;
        let mut open: Vec<usize> = (0..parts.len()).collect();
        let (mut has_renewed, mut was_throttled) = (false, false);
        let mut renewed_in_vain = None;
        for tried in 1..=retry::BATCH_TRIES {
            let now: Vec<Part> = open.iter().map(|i| parts[*i].clone()).collect();
            let sent = match self.inner.token().await {
                Ok(token) => self.batch_once(what, url, effect, &now).await.map(|answers| (token, answers)),
                Err(error) => Err(error.at(what)),
            };
            let (token, answers) = match sent {
                Ok(sent) => sent,
                Err(mut error) => {
                    // That the address of all is not there says nothing of what a part asks for.
                    if matches!(error.kind, ErrorKind::NotFound | ErrorKind::StaleEtag | ErrorKind::TokenExpired) {
                        error.kind = ErrorKind::Unknown;
                    }
                    open.iter().for_each(|i| results[*i] = Some(Err(copy(&error))));
                    break;
                }
            };
            let mut again = Vec::new();
            let mut stumbled = false;
            // A part may find the token dead that the batch came in with. It was not executed.
            let is_refused = |answer: &Option<Response>| answer.as_ref().is_some_and(|answer| answer.status == 401);
            let mut renews = !has_renewed && answers.iter().any(is_refused);
            if renews {
                has_renewed = true;
                renewed_in_vain = self.inner.renew(token).await.err();
                renews = renewed_in_vain.is_none();
            }
            for (i, answer) in open.into_iter().zip(answers) {
                if renews && is_refused(&answer) {
                    again.push(i);
                }
                let result = match (&renewed_in_vain, is_refused(&answer)) {
                    (Some(error), true) => Err(copy(error)).at(what),
                    _ => self.inner.judge_part(effect, answer).at(what),
                };
                if let Err(error) = &result {
                    let throttled = matches!(error.kind, ErrorKind::Throttled { .. });
                    let stumbles = error.kind == ErrorKind::Unknown && !effect.is_write() && tried < retry::READ_TRIES;
                    stumbled |= stumbles;
                    if throttled || stumbles {
                        again.push(i);
                    }
                    was_throttled |= throttled;
                } else if was_throttled && tried > 1 {
                    self.inner.options.budget.got_through();
                }
                results[i] = Some(result);
            }
            open = again;
            let now_ms = clock.now_ms();
            let pause_ms = self.inner.options.budget.pause_left_ms(now_ms);
            let wait_ms = if stumbled { retry::backoff_ms(tried).max(pause_ms) } else { pause_ms };
            let is_vain = pause_ms > 0 && self.inner.options.budget.is_vain();
            let too_long =
                is_vain || pause_ms > self.inner.options.max_pause_s * 1000 || now_ms + wait_ms > deadline_ms;
            if open.is_empty() || too_long {
                break;
            }
            if wait_ms > pause_ms {
                clock.sleep_ms(wait_ms).await;
            }
        }
        let missing = || Err(Error::new(ErrorKind::Unknown, "the batch has no answer to this part").at(what));
        results.into_iter().map(|result| result.unwrap_or_else(missing)).collect()
    }

    async fn batch_once(
        &self,
        what: &'static str,
        url: &str,
        effect: Effect,
        parts: &[Part],
    ) -> Result<Vec<Option<Response>>> {
        let body = batch::build(parts).at(what)?;
        let request = Request::post_json(what, url, body).effect(effect).cost(parts.len() as u32);
        let answer = self.send(request).await?;
        // Of a reply that cannot be read it is unknown what was executed.
        batch::read(&answer, parts).at(what)
    }

    /// An address below the base as path and query, as a batch's part wants it; refuses addresses elsewhere.
    pub fn relative(&self, url: &str) -> Result<String> {
        let url = self.inner.pinned(url, Effect::Read)?;
        let base = self.inner.options.base.path().trim_end_matches('/');
        let below = url.path().strip_prefix(base).filter(|rest| rest.starts_with('/') || rest.is_empty());
        if url.origin() != self.inner.options.base.origin() || below.is_none() {
            return Err(elsewhere(&url, Effect::Read));
        }
        let query = url.query().map(|q| format!("?{q}")).unwrap_or_default();
        Ok(format!("/{}{query}", below.unwrap_or_default().trim_start_matches('/')))
    }

    /// What this client has done so far.
    pub fn counters(&self) -> Counters {
        Counters {
            requests: self.inner.requests.load(Ordering::Relaxed),
            bytes_in: self.inner.bytes_in.load(Ordering::Relaxed),
            awaited: self.inner.awaited.load(Ordering::Relaxed),
            heard: self.inner.heard.load(Ordering::Relaxed),
            silent_writes: self.inner.silent_writes.load(Ordering::Relaxed),
        }
    }

    /// The budget it keeps.
    pub fn budget(&self) -> &Arc<Budget> {
        &self.inner.options.budget
    }

    /// The time by its clock, in milliseconds since 1970.
    pub fn now_ms(&self) -> u64 {
        self.inner.options.clock.now_ms()
    }

    /// The largest answer that it takes, in bytes.
    pub fn max_body(&self) -> usize {
        self.inner.options.max_body
    }

    /// The address it was made for.
    pub fn base(&self) -> &Url {
        &self.inner.options.base
    }
}

impl Inner {
    /// The whole address, if it is one that may get the bearer.
    fn pinned(&self, url: &str, effect: Effect) -> Result<Url> {
        let base = &self.options.base;
        let head = url.split(['/', '?', '#']).next().unwrap_or_default();
        let whole = if head.ends_with(':') && url[head.len()..].starts_with("//") {
            url.to_owned()
        } else {
            let separator = if url.starts_with('?') || url.is_empty() { "" } else { "/" };
            format!("{}{separator}{}", base.as_str().trim_end_matches('/'), url.trim_start_matches('/'))
        };
        let Ok(mut url) = Url::parse(&whole) else {
            return Err(Error::new(ErrorKind::Refused, "no address; nothing was sent"));
        };
        url.set_fragment(None);
        let allowed = [base].into_iter().chain(&self.options.extra_origins).any(|o| o.origin() == url.origin());
        if !allowed || has_user(&url) {
            return Err(elsewhere(&url, effect));
        }
        Ok(url)
    }

    /// An address of somebody else's, if anything may be sent there at all.
    fn foreign(&self, url: &str) -> Result<Url> {
        let refused = |why: &str| Err(Error::new(ErrorKind::Refused, why));
        let Ok(url) = Url::parse(url) else { return refused("no address") };
        let here = transport::is_loopback(&url);
        if has_user(&url) || !(url.scheme() == "https" || here) {
            return refused("only https leads to a foreign address");
        }
        if here && !transport::is_loopback(&self.options.base) {
            return refused("a foreign address leads to this machine");
        }
        Ok(url)
    }

    async fn run(
        &self,
        request: &Request,
        url: Url,
        whose: Whose,
        max_body: usize,
        may_leave: Option<&(dyn Fn() -> bool + Sync)>,
    ) -> Result<Response> {
        let (content_type, body) = request.body.encoded();
        let body = Bytes::from(body);
        let mut tries = Tries::default();
        let mut fresh: Option<String> = None;
        loop {
            let slot = match whose {
                // What is sent to an address of a session counts like any other body; what is only read elsewhere does not.
                Whose::Anyone if body.is_empty() => None,
                Whose::Provider | Whose::Anyone => self.turn_while(request, &tries, may_leave).await?,
            };
            if may_leave.is_some_and(|may_leave| !may_leave()) {
                return Err(Error::new(ErrorKind::NotSent, "it was asked to stop; nothing was sent"));
            }
            let now_ms = self.options.clock.now_ms();
            let deadline_ms = *tries.deadline_ms.get_or_insert(now_ms + self.options.deadline_s * 1000);
            let awaited = Awaited::begin(&self.awaited);
            let token = match (whose, &self.options.token, fresh.take()) {
                (Whose::Provider, Some(_), Some(fresh)) => Some(fresh),
                (Whose::Provider, Some(_), None) => self.token().await?,
                _ => None,
            };
            let wire = Wire {
                what: request.what,
                method: request.method,
                url: url.clone(),
                headers: self.headers(request, whose, content_type.as_deref(), token.as_deref()),
                body: body.clone(),
                timeout_ms: deadline_ms.saturating_sub(now_ms).max(1),
                silence_ms: SILENCE_MS,
                hurry: (request.effect.is_write() || request.is_for_write).then(|| self.options.hurry.clone()),
                max_body,
                heard: self.heard.clone(),
            };
            self.requests.fetch_add(1, Ordering::Relaxed);
            tracing::debug!(what = request.what, method = %request.method, host = transport::host_of(&url), "request");
            let outcome = match request.spills {
                true => self.transport.exchange_spilling(&wire).await,
                false => self.transport.exchange(&wire).await,
            };
            drop(awaited);
            // A worker that waits for its next try keeps nobody else waiting.
            drop(slot);
            let verdict = match outcome {
                Ok(response) => {
                    self.bytes_in.fetch_add(response.length(), Ordering::Relaxed);
                    self.heard.fetch_add(1, Ordering::Relaxed);
                    self.answered(request, response, whose, token.as_deref(), &mut tries).await
                }
                Err(failure) => self.unanswered(request, failure, &wire, &mut tries),
            };
            match verdict {
                Verdict::Done(result) => return result,
                Verdict::Renewed(token) => fresh = Some(token),
                Verdict::Again(0) => {}
                Verdict::Again(ms) => self.options.clock.sleep_ms(ms).await,
                Verdict::Pause(ms) => self.pause(ms).await?,
            }
        }
    }

    /// The token that is in use, if requests have one.
    async fn token(&self) -> Result<Option<String>> {
        match &self.options.token {
            Some(source) => source.token().await.map(Some),
            None => Ok(None),
        }
    }

    /// Asks for another token than that one.
    async fn renew(&self, refused: Option<String>) -> Result<()> {
        match (&self.options.token, refused) {
            (Some(source), Some(refused)) => source.renewed(&refused).await.map(drop),
            _ => Ok(()),
        }
    }

    /// Its turn; `None` once it may not leave any more. Where nobody says whether it may, others who wait are not held by a pause.
    async fn turn_while(
        &self,
        request: &Request,
        tries: &Tries,
        may_leave: Option<&(dyn Fn() -> bool + Sync)>,
    ) -> Result<Option<crate::budget::Slot>> {
        let mut turn = std::pin::pin!(self.turn(request, tries));
        loop {
            // Not by the clock, which is told to wait for the turn itself.
            tokio::select! {
                biased;
                slot = &mut turn => return slot.map(Some),
                () = tokio::time::sleep(std::time::Duration::from_millis(LOOK_MS)) => {}
            }
            match may_leave {
                Some(may_leave) if !may_leave() => return Ok(None),
                Some(_) => {}
                None => self.goes_on(request.effect)?,
            }
        }
    }

    /// Another look at what waits for its turn: an error where a pause holds others for too long.
    fn goes_on(&self, effect: Effect) -> Result<()> {
        let (budget, now_ms) = (&self.options.budget, self.options.clock.now_ms());
        let write_ms = if effect.is_write() { budget.write_pause_left_ms(now_ms) } else { 0 };
        let left_ms = budget.pause_left_ms(now_ms).max(write_ms);
        match self.options.hurry.is_too_long(left_ms) {
            true => Err(crate::budget::throttled(left_ms, HOLDS)),
            false => Ok(()),
        }
    }

    /// Waits for a pause of somebody else's, that is kept by no budget.
    async fn pause(&self, ms: u64) -> Result<()> {
        let until_ms = self.options.clock.now_ms() + ms;
        let mut over = std::pin::pin!(self.options.clock.sleep_ms(ms));
        loop {
            tokio::select! {
                biased;
                () = &mut over => return Ok(()),
                () = tokio::time::sleep(std::time::Duration::from_millis(LOOK_MS)) => {}
            }
            let left_ms = until_ms.saturating_sub(self.options.clock.now_ms());
            if self.options.hurry.is_too_long(left_ms) {
                return Err(crate::budget::throttled(left_ms, HOLDS));
            }
        }
    }

    async fn turn(&self, request: &Request, tries: &Tries) -> Result<crate::budget::Slot> {
        let clock = &*self.options.clock;
        let left_ms = tries.deadline_ms.map_or(u64::MAX, |deadline| deadline.saturating_sub(clock.now_ms()));
        let patience_ms = (self.options.max_pause_s * 1000).min(left_ms);
        let held_ms =
            if request.effect.is_write() { self.options.budget.write_pause_left_ms(clock.now_ms()) } else { 0 };
        if held_ms > patience_ms {
            return Err(crate::budget::throttled(held_ms, "asked us not to write"));
        } else if held_ms > 0 {
            clock.sleep_ms(held_ms).await;
        }
        // What a batch of reads carries is next to nothing, and reads never wait for what was sent.
        let is_counted = request.effect.is_write() && self.options.budget.limits().bytes_per_window.is_some();
        let bytes = if is_counted { request.body.size() } else { 0 };
        let cost = Cost { requests: request.cost, units: request.units, bytes };
        self.options.budget.acquire(cost, clock, patience_ms).await
    }

    fn headers(
        &self,
        request: &Request,
        whose: Whose,
        content_type: Option<&str>,
        token: Option<&str>,
    ) -> Vec<(String, String)> {
        let accept = if request.expect == Expect::Json { "application/json" } else { "*/*" };
        let mut headers =
            vec![("accept".to_owned(), accept.to_owned()), ("user-agent".to_owned(), self.user_agent.clone())];
        headers.extend(content_type.map(|t| ("content-type".to_owned(), t.to_owned())));
        headers.extend(request.headers.iter().cloned());
        if whose == Whose::Provider {
            self.options.dialect.decorate(&mut headers);
        }
        // Invariant: with a token source, and towards foreign addresses, no other authorization is ever sent.
        if whose == Whose::Anyone || self.options.token.is_some() {
            headers.retain(|(name, _)| {
                !name.eq_ignore_ascii_case("authorization") && !name.eq_ignore_ascii_case("cookie")
            });
        }
        headers.extend(token.map(|t| ("authorization".to_owned(), format!("Bearer {t}"))));
        headers
    }

    /// There is no answer.
    fn unanswered(&self, request: &Request, failure: TransportError, wire: &Wire, tries: &mut Tries) -> Verdict {
        let write = request.effect.is_write();
        let (kind, wait_ms) = match &failure {
            TransportError::NotConnected(_) => {
                tries.unopened += 1;
                let again = tries.unopened < retry::CONNECT_TRIES;
                (ErrorKind::Offline, again.then(|| retry::connect_ms(tries.unopened)))
            }
            TransportError::Cut(_) | TransportError::TimedOut => {
                tries.stumbled += 1;
                let again = !write && tries.stumbled < retry::READ_TRIES;
                (ErrorKind::Unknown, again.then(|| retry::backoff_ms(tries.stumbled)))
            }
            // Who is silent now will be so in a moment: asking again would hold the others only.
            TransportError::Silent => {
                self.silent_writes.fetch_add(u64::from(wire.hurry.is_some()), Ordering::Relaxed);
                (ErrorKind::Unknown, None)
            }
            // It may answer reads.
            TransportError::Away if wire.hurry.is_some() => (ErrorKind::NotSent, None),
            TransportError::Unopened | TransportError::Away => (ErrorKind::Offline, None),
            TransportError::TooLarge(_) => (ErrorKind::Malformed, None),
            TransportError::Unsendable(_) => (ErrorKind::Refused, None),
            TransportError::Misconfigured(_) => (ErrorKind::Misconfigured, None),
            TransportError::NotRecorded(_) | TransportError::NotKept(_) => (ErrorKind::Broken, None),
        };
        match wait_ms {
            Some(ms) if self.fits(ms, tries) => Verdict::Again(ms),
            _ => {
                let mut message = format!("{}: {failure}", transport::host_of(&wire.url));
                if let Some(id) = wire.header("client-request-id") {
                    message.push_str(&format!(" (client request {id})"));
                }
                // What is sent for is as it is: whoever asks for one thing alone has to tell this from an answer that is none.
                Verdict::Done(Err(match failure {
                    TransportError::TooLarge(_)
                    | TransportError::NotKept(_)
                    | TransportError::Cut(_)
                    | TransportError::TimedOut => Error::new(kind, message).with_source(failure),
                    _ => Error::new(kind, message),
                }))
            }
        }
    }

    /// There is an answer, of whatever status.
    async fn answered(
        &self,
        request: &Request,
        response: Response,
        whose: Whose,
        token: Option<&str>,
        tries: &mut Tries,
    ) -> Verdict {
        if response.is_success() {
            if tries.throttled > 0 {
                self.options.budget.got_through();
            }
            return Verdict::Done(check_type(request.expect, response));
        }
        if request.takes == Some(response.status) {
            return Verdict::Done(Ok(response));
        }
        if let (401, Some(source), Some(refused), false) = (response.status, &self.options.token, token, tries.renewed)
        {
            tries.renewed = true;
            return match source.renewed(refused).await {
                Ok(fresh) => Verdict::Renewed(fresh),
                Err(error) => Verdict::Done(Err(with_request_id(error, &response))),
            };
        }
        let (error, asked_ms) = self.judged(request.effect, &response, whose);
        // The provider's pause holds for all workers, and is waited for in their turn.
        let for_all = whose == Whose::Provider;
        let is_for_writes = for_all && self.options.dialect.pauses_writes_only(&response);
        let wait_ms = match error.kind {
            ErrorKind::Throttled { .. } => {
                tries.throttled += 1;
                match asked_ms {
                    Some(ms) => Some(ms),
                    None => {
                        let (ms, is_waited_for) = self.unnamed(for_all, is_for_writes, tries);
                        if !is_waited_for {
                            return Verdict::Done(Err(too_long(error, ms, true)));
                        }
                        Some(ms)
                    }
                }
            }
            ErrorKind::Unknown if !request.effect.is_write() && !is_page(&response) => {
                tries.stumbled += 1;
                let again = tries.stumbled < retry::READ_TRIES;
                again.then(|| retry::backoff_ms(tries.stumbled).max(asked_ms.unwrap_or(0)))
            }
            _ => None,
        };
        let Some(wait_ms) = wait_ms else { return Verdict::Done(Err(error)) };
        let all_wait = for_all && (asked_ms.is_some() || matches!(error.kind, ErrorKind::Throttled { .. }));
        let until_ms = self.options.clock.now_ms() + wait_ms;
        if all_wait && is_for_writes {
            self.options.budget.pause_writes_until(until_ms);
        } else if all_wait {
            self.options.budget.pause_until(until_ms);
        } else if request.effect.is_write() && asked_ms.is_some() {
            // An address that the provider named for this write: what is to be written waits, in the next runs, too.
            self.options.budget.pause_writes_until(until_ms);
        }
        if !self.fits(wait_ms, tries) {
            return Verdict::Done(Err(too_long(error, wait_ms, all_wait)));
        }
        match (all_wait, error.kind) {
            (true, ErrorKind::Throttled { .. }) if request.is_divisible => Verdict::Done(Ok(response)),
            (true, _) => Verdict::Again(0),
            (false, ErrorKind::Throttled { .. }) => Verdict::Pause(wait_ms),
            (false, _) => Verdict::Again(wait_ms),
        }
    }

    /// A pause that names no time: how long it is taken to be, and whether it is waited for.
    fn unnamed(&self, for_all: bool, is_for_writes: bool, tries: &mut Tries) -> (u64, bool) {
        if for_all {
            return self.options.budget.pause_unnamed(is_for_writes, self.options.clock.now_ms());
        }
        let ms = retry::throttled_ms(tries.throttled);
        tries.unnamed_ms = tries.unnamed_ms.saturating_add(ms);
        (ms, tries.unnamed_ms <= MOST_UNNAMED_MS)
    }

    /// The dialect's judgement under the house's rules, and the pause that the answer asks for.
    fn judged(&self, effect: Effect, response: &Response, whose: Whose) -> (Error, Option<u64>) {
        let status = response.status;
        let mut error = match (status, whose) {
            _ if is_page(response) => {
                Error::new(ErrorKind::Unknown, format!("status {status} with a page or a redirect of somebody else's"))
            }
            (_, Whose::Provider) => self.options.dialect.judge(response),
            (_, Whose::Anyone) => judge_by_status(response),
        };
        let mut asked_s = retry_after_s(response).map(whole_s);
        if let ErrorKind::Throttled { retry_after_s } = error.kind {
            asked_s = asked_s.max(retry_after_s);
        }
        // A pause of no time names none: who goes on at once is told the same again.
        asked_s = asked_s.filter(|s| *s > 0);
        let asked_ms = asked_s.map(|s| s.min(86_400) * 1000);
        error.kind = match (status, error.kind) {
            // Promise 3: after a 5xx it is not known whether a write was executed, whatever the answer says.
            (408 | 500.., _) if effect.is_write() => {
                if let (Some(ms), Whose::Provider) = (asked_ms, whose) {
                    self.options.budget.pause_until(self.options.clock.now_ms() + ms);
                }
                ErrorKind::Unknown
            }
            (429, _) | (_, ErrorKind::Throttled { .. }) => ErrorKind::Throttled { retry_after_s: asked_s },
            (500.., ErrorKind::Malformed | ErrorKind::Offline) => ErrorKind::Unknown,
            (_, kind) if is_page(response) => kind,
            (401, _) if whose == Whose::Provider && self.options.token.is_some() => ErrorKind::SignInNeeded,
            (_, kind) => kind,
        };
        if let (401, ErrorKind::SignInNeeded, Whose::Provider, Some(source)) =
            (status, error.kind, whose, &self.options.token)
        {
            error = source.refused().unwrap_or(error);
        }
        (with_request_id(error, response), asked_ms)
    }

    fn judge_part(&self, effect: Effect, part: Option<Response>) -> Result<Response> {
        let Some(response) = part else {
            return Err(Error::new(ErrorKind::Unknown, "the batch has no answer to this part"));
        };
        if response.is_success() {
            // A portal's page in the place of a part says nothing of the item that was asked for.
            return check_type(Expect::Anything, response)
                .map_err(|error| Error::new(ErrorKind::Unknown, error.message));
        }
        let (error, asked_ms) = self.judged(effect, &response, Whose::Provider);
        let throttled = matches!(error.kind, ErrorKind::Throttled { .. });
        let now_ms = self.options.clock.now_ms();
        let ms = match asked_ms {
            Some(ms) => {
                self.options.budget.pause_until(now_ms + ms);
                ms
            }
            None if throttled => self.options.budget.pause_unnamed(false, now_ms).0,
            None => return Err(error),
        };
        if throttled {
            return Err(too_long(error, ms, true));
        }
        Err(error)
    }

    fn fits(&self, wait_ms: u64, tries: &Tries) -> bool {
        let deadline_ms = tries.deadline_ms.unwrap_or(u64::MAX);
        wait_ms <= self.options.max_pause_s * 1000 && self.options.clock.now_ms() + wait_ms < deadline_ms
    }
}

/// Checks the type of a 2xx answer: a portal's page is a failure, not an empty list.
fn check_type(expect: Expect, response: Response) -> Result<Response> {
    let media_type = response.media_type().unwrap_or_default();
    let html = matches!(media_type.as_str(), "text/html" | "application/xhtml+xml");
    let is_empty = response.length() == 0;
    let fine = match (expect, is_empty) {
        (Expect::Json, true) => matches!(response.status, 202 | 204 | 205),
        (Expect::Json, false) => is_json(&media_type),
        (_, true) => true,
        (Expect::Bytes | Expect::Anything, false) => !html,
    };
    if fine {
        return Ok(response);
    }
    let came = match (is_empty, media_type.is_empty()) {
        (true, _) => "nothing".to_owned(),
        (false, true) => "something without a type".to_owned(),
        // Invariant: only what looks like a type is quoted.
        (false, false) => {
            media_type.chars().filter(|c| c.is_ascii_alphanumeric() || "/+-.".contains(*c)).take(60).collect()
        }
    };
    let message = format!("status {} came with {came} where JSON or data should be", response.status);
    Err(with_request_id(Error::new(ErrorKind::Malformed, message), &response))
}

/// Whether an answer was made by somebody between us and the place, and says nothing: a redirect (no interface of theirs sends one that we
/// ask), or a page for people where a refusal would mean something.
fn is_page(response: &Response) -> bool {
    let is_html = || matches!(response.media_type().as_deref(), Some("text/html" | "application/xhtml+xml"));
    match response.status {
        304 => false,
        300..=399 => true,
        401 | 403 | 404 | 407 | 410 => is_html(),
        _ => false,
    }
}

fn with_request_id(mut error: Error, response: &Response) -> Error {
    if let Some(id) = &response.request_id
        && !error.message.contains(id.as_str())
    {
        error.message.push_str(&format!(" (request {id})"));
    }
    error
}

/// The wait is longer than this run waits: the next one will obey it.
fn too_long(mut error: Error, wait_ms: u64, is_pause: bool) -> Error {
    if is_pause {
        let wait_s = wait_ms.div_ceil(1000);
        error.kind = ErrorKind::Throttled { retry_after_s: Some(wait_s) };
        error.message.push_str(&format!("; the next try is in {wait_s} s at the earliest"));
    }
    error
}

fn elsewhere(url: &Url, effect: Effect) -> Error {
    // For a read it is what came back that is wrong (a link to the next page); a write's address is our own doing.
    let kind = if effect.is_write() { ErrorKind::Refused } else { ErrorKind::Malformed };
    Error::new(
        kind,
        format!("the address leads to {}, which never gets our token; nothing was sent", transport::host_of(url)),
    )
}

fn has_user(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

/// The same error once more, for each part of a batch that failed as a whole.
fn copy(error: &Error) -> Error {
    let mut copy = Error::new(error.kind, error.message.clone());
    copy.places.clone_from(&error.places);
    copy
}
