//! The sandbox itself: options, routing, what happens around each request (log, faults, budgets, hooks), and life.
//! The socket's own work (reading and writing HTTP/1.1) is in `http1.rs`.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::state::{Counts, LogLine};
use crate::{
    Clock, Fault, Kind, Phase, Provider, Request, RequestInfo, Response, Rule, State, Switches, control, faults,
    google, http1, microsoft365, oauth,
};

/// What the sandbox starts with.
#[derive(Clone, Debug)]
pub struct Options {
    /// The contacts on both sides.
    pub seed: Seed,
    /// So many events on both sides; none: what belongs to the seed.
    pub events: Option<usize>,
    /// So many mails on both sides; none: what belongs to the seed.
    pub mails: Option<usize>,
    /// The time.
    pub clock: Clock,
    /// How to behave.
    pub switches: Switches,
    /// Where ids, etags and tokens come from; the same number gives the same ones.
    pub random_seed: u64,
}

/// The contacts that are there at the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seed {
    /// None.
    Empty,
    /// About a dozen on each side, of which some are the same people, and some events.
    Demo,
    /// So many on each side, made from a table of names.
    Bulk(usize),
}

impl Options {
    /// Nobody on either side, real time.
    pub fn empty() -> Self {
        Self {
            seed: Seed::Empty,
            events: None,
            mails: None,
            clock: Clock::real(),
            switches: Switches::default(),
            random_seed: 1,
        }
    }

    /// The demo's people, real time.
    pub fn demo() -> Self {
        Self { seed: Seed::Demo, ..Self::empty() }
    }

    /// So many contacts on each side, real time.
    pub fn bulk(count: usize) -> Self {
        Self { seed: Seed::Bulk(count), ..Self::empty() }
    }

    /// The same with so many events on each side.
    pub fn events(mut self, count: usize) -> Self {
        self.events = Some(count);
        self
    }

    /// The same with so many mails on each side.
    pub fn mails(mut self, count: usize) -> Self {
        self.mails = Some(count);
        self
    }

    /// The same with a clock that stands still until it is moved.
    pub fn virtual_time(mut self) -> Self {
        self.clock = Clock::stopped_at(1_767_254_400_000); // 2026-01-01T08:00:00Z
        self
    }

    /// The same with these switches.
    pub fn with(mut self, switches: Switches) -> Self {
        self.switches = switches;
        self
    }
}

/// Called around each request on the socket and in [`Sandbox::exchange`], outside the lock.
pub type Hook = Arc<dyn Fn(&RequestInfo, Phase) + Send + Sync>;

/// The two services and the clock. Clones are the same sandbox.
#[derive(Clone)]
pub struct Sandbox {
    shared: Arc<Shared>,
    clock: Clock,
}

struct Shared {
    state: Mutex<State>,
    hook: Mutex<Option<Hook>>,
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox").field("base", &self.lock().base).finish_non_exhaustive()
    }
}

/// The addresses to configure, all on the one listener.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Urls {
    /// `[microsoft365] login_url`.
    pub microsoft_login: String,
    /// `[microsoft365] graph_url`.
    pub microsoft_graph: String,
    /// `[google] auth_url`.
    pub google_auth: String,
    /// `[google] token_url`.
    pub google_token: String,
    /// `[google] people_url`.
    pub google_people: String,
    /// `[google] calendar_url`.
    pub google_calendar: String,
    /// `[google] gmail_url`.
    pub google_gmail: String,
    /// Where `/_sandbox/...` is.
    pub control: String,
}

impl Urls {
    /// The addresses under this origin.
    pub fn under(base: &str) -> Self {
        Self {
            microsoft_login: format!("{base}/microsoft-login"),
            microsoft_graph: format!("{base}/microsoft"),
            google_auth: format!("{base}/google"),
            google_token: format!("{base}/google"),
            google_people: format!("{base}/google"),
            google_calendar: format!("{base}/google"),
            google_gmail: format!("{base}/google"),
            control: format!("{base}/_sandbox"),
        }
    }
}

impl Sandbox {
    /// Two services with their seed data, no socket yet.
    pub fn new(options: Options) -> Self {
        let clock = options.clock.clone();
        let mut state = State::new(options.clock, options.switches, options.random_seed);
        seed(&mut state, options.seed, options.events, options.mails);
        Self { shared: Arc::new(Shared { state: Mutex::new(state), hook: Mutex::new(None) }), clock }
    }

    /// Opens the socket on 127.0.0.1 (port 0: any free one) and answers until stopped or dropped.
    pub async fn start(&self, port: u16) -> io::Result<Running> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let addr = listener.local_addr()?;
        self.lock().base = format!("http://{addr}");
        let task = tokio::spawn(http1::serve(listener, self.clone()));
        Ok(Running { addr, task })
    }

    /// The addresses to configure.
    pub fn urls(&self) -> Urls {
        Urls::under(&self.lock().base)
    }

    /// The clock.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Looks at or changes anything, under the lock.
    pub fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.lock())
    }

    /// Answers a request as the services would, logged, but with no fault in between and no socket.
    pub fn handle(&self, request: &Request) -> Response {
        let mut state = self.lock();
        let info = number(&mut state, request, false);
        let reply = answer(&mut state, &info, request);
        log(&mut state, info, request, reply.status, reply.body.len(), None);
        reply
    }

    /// Answers a request as a client on a socket would meet it, faults and hooks included; `None` = no answer came.
    pub fn exchange(&self, request: &Request) -> Option<Response> {
        let info = number(&mut self.lock(), request, false);
        let outcome = self.run(info, request);
        if outcome.is_truncated { None } else { outcome.reply }
    }

    /// Runs a numbered request between the hooks.
    pub(crate) fn run(&self, info: RequestInfo, request: &Request) -> Outcome {
        self.call_hook(&info, Phase::Before);
        let outcome = run(&mut self.lock(), info.clone(), request);
        self.call_hook(&info, Phase::After);
        outcome
    }

    /// Sets or removes what is called around each request.
    pub fn set_hook(&self, hook: Option<Hook>) {
        *self.shared.hook.lock().unwrap_or_else(PoisonError::into_inner) = hook;
    }

    fn call_hook(&self, info: &RequestInfo, phase: Phase) {
        if info.kind == Kind::Control {
            return;
        }
        let hook = self.shared.hook.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(hook) = hook {
            hook(info, phase);
        }
    }

    /// Changes the switches.
    pub fn switch(&self, change: impl FnOnce(&mut Switches)) {
        change(&mut self.lock().switches);
    }

    /// Adds a fault rule.
    pub fn fault(&self, rule: Rule) {
        self.lock().faults.add(rule);
    }

    /// Takes all faults back.
    pub fn clear_faults(&self) {
        self.lock().faults.clear();
    }

    /// The counts of one provider since the last reset.
    pub fn counts(&self, provider: Provider) -> Counts {
        self.lock().log.counts(provider)
    }

    /// API and photo requests on the wire since the last reset; a `$batch` is one.
    pub fn requests(&self, provider: Provider) -> u64 {
        self.counts(provider).requests
    }

    /// Requests and batch parts that may change something, since the last reset.
    pub fn writes(&self, provider: Provider) -> u64 {
        self.counts(provider).writes
    }

    /// The lines of the log, oldest first.
    pub fn log(&self) -> Vec<LogLine> {
        self.lock().log.lines().cloned().collect()
    }

    /// Forgets log and counts.
    pub fn reset_counts(&self) {
        self.lock().log.reset();
    }

    /// An access token with every scope, as if the owner had signed in.
    pub fn access_token(&self, provider: Provider) -> String {
        oauth::owner_signs_in(&mut self.lock(), provider).0
    }

    /// An access and a refresh token with every scope, as if the owner had signed in.
    pub fn sign_in(&self, provider: Provider) -> (String, String) {
        oauth::owner_signs_in(&mut self.lock(), provider)
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An open socket. Dropping it closes the socket and every connection.
#[derive(Debug)]
pub struct Running {
    /// Where it listens.
    pub addr: SocketAddr,
    task: JoinHandle<()>,
}

impl Running {
    /// Answers until the process ends, for a sandbox in a process of its own.
    pub async fn forever(mut self) {
        // The task ends only by being stopped, which nobody does any more.
        let _ = (&mut self.task).await;
    }

    /// Closes the socket and waits until it is closed.
    pub async fn stop(mut self) {
        self.task.abort();
        // The only possible outcome is that the task was cancelled.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Fills both services.
pub(crate) fn seed(state: &mut State, seed: Seed, events: Option<usize>, mails: Option<usize>) {
    google::seed(state, seed);
    microsoft365::seed(state, seed);
    google::calendar::seed(state, seed, events);
    microsoft365::calendar::seed(state, seed, events);
    google::mail::seed(state, seed, mails);
    microsoft365::mail::seed(state, seed, mails);
}

/// What a client meets.
pub(crate) struct Outcome {
    /// The answer; none = the connection ends.
    pub reply: Option<Response>,
    /// The connection ends in the middle of the answer.
    pub is_truncated: bool,
    /// Real milliseconds to wait before answering.
    pub delay_ms: u64,
    /// Nothing comes, and the connection stays open.
    pub hangs: bool,
}

/// Gives a request its number and says what it is.
pub(crate) fn number(state: &mut State, request: &Request, is_part: bool) -> RequestInfo {
    let mut info = RequestInfo::of(request, 0, is_part);
    if info.kind != Kind::Control {
        state.numbered += 1;
        info.number = state.numbered;
    }
    info
}

/// Runs one request under faults and budgets, and logs it.
pub(crate) fn run(state: &mut State, info: RequestInfo, request: &Request) -> Outcome {
    let fault = state.faults.decide(&info);
    let executed = fault.as_ref().is_none_or(Fault::executes).then(|| answer(state, &info, request));
    let own = fault.as_ref().and_then(|fault| fault.reply(&info));
    let status = executed.as_ref().or(own.as_ref()).map_or(0, |reply| reply.status);
    let size = own.as_ref().or(executed.as_ref()).map_or(0, |reply| reply.body.len());
    log(state, info, request, status, size, fault.as_ref());
    let mut outcome = Outcome { reply: own.or(executed), is_truncated: false, delay_ms: 0, hangs: false };
    match fault {
        Some(Fault::DropBefore | Fault::DropAfter) => outcome.reply = None,
        Some(Fault::Hang) => outcome.hangs = true,
        Some(Fault::Truncate) => outcome.is_truncated = true,
        Some(Fault::CutAbove { bytes }) => outcome.is_truncated = size > bytes,
        Some(Fault::Delay { ms }) => outcome.delay_ms = ms,
        Some(Fault::ContentType { value }) => {
            if let Some(reply) = &mut outcome.reply {
                reply.set_header("content-type", &value);
            }
        }
        Some(Fault::Status { .. } | Fault::Html { .. } | Fault::Portal { .. } | Fault::Nothing) | None => {}
    }
    outcome
}

/// Runs one inner request of a Graph `$batch` like any other request: numbered, logged, throttled, faulted.
/// `request` has the whole path (`/microsoft/v1.0/...`) and the batch's own `authorization` header.
/// `None`: this part's answer is lost and is to be left out of the batch's reply.
pub fn dispatch_part(state: &mut State, request: &Request) -> Option<Response> {
    dispatch_part_among(state, request, 0)
}

/// The same for a part that runs at the same time as so many others, which came in before it.
pub(crate) fn dispatch_part_among(state: &mut State, request: &Request, overlaps: u32) -> Option<Response> {
    let info = RequestInfo { overlaps, ..number(state, request, true) };
    let outcome = run(state, info, request);
    if outcome.is_truncated { None } else { outcome.reply }
}

fn log(state: &mut State, info: RequestInfo, request: &Request, status: u16, bytes_out: usize, fault: Option<&Fault>) {
    if info.kind == Kind::Control {
        return;
    }
    let line = LogLine {
        query: request.query.clone(),
        status,
        fault: fault.map(|fault| format!("{fault:?}")),
        at_ms: state.now_ms(),
        bytes_in: request.body.len(),
        bytes_out,
        info,
    };
    let is_mail = google::mail::is_path(&line.info.path);
    let units = if is_mail { google::mail::units(request, state.switches.mail_old_units) } else { 1 };
    state.log.push(line, units);
}

/// Budgets first, then the service.
fn answer(state: &mut State, info: &RequestInfo, request: &Request) -> Response {
    if info.kind == Kind::Api {
        let refused = match info.provider {
            Some(Provider::Microsoft) => graph_budget(state, info, request),
            Some(Provider::Google) if google::mail::is_path(&info.path) => google::mail::budget(state, info, request),
            Some(Provider::Google) if google::calendar::is_path(&info.path) => google::calendar::budget(state, info),
            Some(Provider::Google) => people_budget(state, info),
            None => None,
        };
        if let Some(reply) = refused {
            return reply;
        }
    }
    route(state, request)
}

/// 10,000 requests in 10 minutes, 150 MB of bodies in 5 minutes, 4 requests at a time.
fn graph_budget(state: &mut State, info: &RequestInfo, request: &Request) -> Option<Response> {
    let now = state.now_ms();
    let switches = &state.switches;
    let throttled = |wait_ms: i64| {
        let reply = Response::json(429, &faults::error_body(Some(Provider::Microsoft), 429));
        Some(reply.with_header("retry-after", &wait_ms.max(1).unsigned_abs().div_ceil(1000).to_string()))
    };
    if switches.graph_concurrency > 0 && info.overlaps >= switches.graph_concurrency {
        return throttled(1000);
    }
    let is_batch = info.path.ends_with("/$batch");
    let limit = u64::from(switches.graph_requests);
    let window = switches.graph_window_s * 1000;
    if !is_batch && let Err(wait) = state.budgets.graph_requests.spend(now, 1, limit, window) {
        return throttled(wait);
    }
    let upload = if info.is_part || !request.is_write() { 0 } else { request.body.len() as u64 };
    let limit = state.switches.graph_upload_bytes;
    if upload > 0
        && let Err(wait) = state.budgets.graph_upload.spend(now, upload, limit, 300_000)
    {
        return throttled(wait);
    }
    None
}

/// Reads and writes a minute where a test sets them, and one mutation at a time.
fn people_budget(state: &mut State, info: &RequestInfo) -> Option<Response> {
    let now = state.now_ms();
    let switches = &state.switches;
    let throttled = || Some(Response::json(429, &faults::error_body(Some(Provider::Google), 429)));
    if info.is_write && switches.people_sequential_writes && info.overlaps > 0 {
        return throttled();
    }
    let (budget, limit) = if info.is_write {
        (&mut state.budgets.people_writes, switches.people_writes_per_min)
    } else {
        (&mut state.budgets.people_reads, switches.people_reads_per_min)
    };
    match budget.spend(now, 1, u64::from(limit), 60_000) {
        Ok(()) => None,
        Err(_) => throttled(),
    }
}

/// Hands a request to the service that its path names. Pure but for the state.
pub fn route(state: &mut State, request: &Request) -> Response {
    let path = request.path.as_str();
    if let Some(rest) = path.strip_prefix("/microsoft/v1.0/") {
        return microsoft365::handle(state, request, &format!("/{rest}"));
    }
    if let Some(rest) = path.strip_prefix("/microsoft-upload/") {
        return microsoft365::upload(state, request, &format!("/{rest}"));
    }
    if let Some(rest) = path.strip_prefix("/microsoft-login/") {
        return oauth::microsoft(state, request, rest);
    }
    if let Some(rest) = path.strip_prefix("/google-photos/") {
        return google::photo_host(state, request, rest);
    }
    if let Some(action) = path.strip_prefix("/_sandbox/") {
        return control::handle(state, request, action);
    }
    match path.strip_prefix("/google/") {
        Some(rest) if rest.starts_with("v1/") || rest.starts_with("oauth2/") => google::handle(state, request, rest),
        Some(rest) if google::calendar::is_path(path) || google::mail::is_path(path) => {
            google::handle(state, request, rest)
        }
        Some(rest) => oauth::google(state, request, rest),
        None => Response::bytes(404, "text/html; charset=UTF-8", "<!DOCTYPE html><title>Error 404 (Not Found)</title>"),
    }
}
