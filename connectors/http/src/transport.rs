//! The lowest layer: one exchange, sent once. The network's stands here; a [`Cassette`](crate::Cassette) is another.
//!
//! Invariant: nothing below [`Transport`] repeats a request that may have reached the other side. reqwest's own retries are
//! switched off; what hyper-util does again is only a request of which nothing was ever written (it hands the message back
//! whole because the pooled connection had closed before it took it), which `tests/repeats.rs` shows from the other side.

use crate::clock::lock;
use crate::leaving::{Leaving, Left, unseen_ms};
use crate::patience::{Hurry, LOOK_MS};
use crate::request::{Method, Response};
use crate::spill::{self, Spilled};
use async_trait::async_trait;
use bytes::Bytes;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;
use twofold_model::{Error, ErrorKind, Result};
use url::{Host, Url};

/// One exchange as it goes onto the wire: everything decided.
#[derive(Clone)]
pub struct Wire {
    /// The operation in plain words.
    pub what: &'static str,
    /// The method.
    pub method: Method,
    /// The whole address.
    pub url: Url,
    /// All headers, the bearer among them.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
    /// How long the whole exchange may take; an answer that may be on the disk has more time for what comes of it ([`SLOWEST_LINE`]).
    pub timeout_ms: u64,
    /// How long the other side may be silent within it …
    pub silence_ms: u64,
    /// … and, of a write, how much less that is while others wait.
    pub hurry: Option<Hurry>,
    /// How large the answer's body may be, unpacked.
    pub max_body: usize,
    /// Counts what comes of the answer while it comes.
    pub heard: Arc<AtomicU64>,
}

impl Wire {
    /// How long the other side may be silent, as it is now.
    fn silence_now_ms(&self) -> u64 {
        let hurry = self.hurry.as_ref().filter(|hurry| hurry.is_waited_for());
        hurry.map_or(self.silence_ms, |hurry| hurry.silence_left_ms().min(self.silence_ms))
    }

    /// The first header of that name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

impl fmt::Debug for Wire {
    // Invariant: no header, query or body.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Wire({}, {} to {}, {} bytes)", self.what, self.method, host_of(&self.url), self.body.len())
    }
}

/// How long a place that was not silent before may be so within an exchange, in milliseconds, before it is taken to hang.
pub const SILENCE_MS: u64 = 30_000;

/// Bytes a second at which messages are still read, however large: on a line of 128 kbit/s. What is slower than that has the time of an exchange.
pub const SLOWEST_LINE: u64 = 16 * 1024;

/// Why there is no answer. The texts hold no address, header or body.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransportError {
    /// The connection was never opened: nothing was sent.
    NotConnected(String),
    /// It was sent, or partly, and the answer was lost or cut.
    Cut(String),
    /// It was sent, or partly, and took too long.
    TimedOut,
    /// It was sent, or partly, and nothing came for too long.
    Silent,
    /// No connection was opened in time: nothing was sent.
    Unopened,
    /// The place was silent again and again: nothing was sent.
    Away,
    /// The answer is larger than allowed.
    TooLarge(usize),
    /// The request cannot be put onto the wire at all (a line break in a header): nothing was sent.
    Unsendable(String),
    /// The configuration does not allow to open connections (a CA file that is none, a proxy address that is none).
    Misconfigured(String),
    /// A cassette has no such request.
    NotRecorded(String),
    /// The answer is too large for memory, and this machine's disk did not take it.
    NotKept(String),
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TransportError::NotConnected(why) => write!(f, "no connection: {why}"),
            TransportError::Cut(why) => write!(f, "the answer was lost: {why}"),
            TransportError::TimedOut => f.write_str("the answer took too long"),
            TransportError::Silent => f.write_str("it does not answer"),
            TransportError::Unopened => f.write_str("no connection: it does not answer"),
            TransportError::Away => f.write_str("it did not answer before, and is not asked again in this run"),
            TransportError::TooLarge(most) => write!(f, "the answer is larger than {most} bytes"),
            TransportError::Unsendable(why) => write!(f, "the request cannot be sent: {why}"),
            TransportError::Misconfigured(why) => f.write_str(why),
            TransportError::NotRecorded(what) => write!(f, "the cassette has no such request: {what}"),
            TransportError::NotKept(why) => {
                write!(
                    f,
                    "the disk does not take a large answer, which was let go: {why}. Free some space, then: twofold sync"
                )
            }
        }
    }
}

impl std::error::Error for TransportError {}

/// Whether there is no answer to a request because it is larger than the client takes: that is of what was asked for, and no fault on
/// the way.
pub fn is_too_large(error: &Error) -> bool {
    matches!(cause(error), Some(TransportError::TooLarge(_)))
}

/// Whether an answer began and was lost on its way, or took too long: a smaller one may come.
pub fn is_lost_on_the_way(error: &Error) -> bool {
    matches!(cause(error), Some(TransportError::Cut(_) | TransportError::TimedOut))
}

/// Whether there is no answer to a request because the disk has no room for it: a smaller one may have some.
pub fn is_not_kept(error: &Error) -> bool {
    matches!(cause(error), Some(TransportError::NotKept(_)))
}

fn cause(error: &Error) -> Option<&TransportError> {
    std::error::Error::source(error).and_then(|cause| cause.downcast_ref())
}

/// Carries one exchange, once.
#[async_trait]
pub trait Transport: Send + Sync {
    /// Sends and reads the whole answer, whatever its status.
    async fn exchange(&self, wire: &Wire) -> Result<Response, TransportError>;

    /// The same; a large answer may come on the disk. The default: in memory all the same.
    async fn exchange_spilling(&self, wire: &Wire) -> Result<Response, TransportError> {
        self.exchange(wire).await
    }
}

/// How the network is reached.
#[derive(Clone, PartialEq, Eq)]
pub struct Network {
    /// The proxy's address; else the environment's. Never used for this machine itself.
    pub proxy: Option<String>,
    /// Certificates (PEM) that are trusted besides the system's.
    pub ca_file: Option<PathBuf>,
    /// How long opening a connection may take.
    pub connect_timeout_s: u64,
    /// The folder for answers that are too large for memory; without one they are held in memory.
    pub spill: Option<PathBuf>,
}

impl Default for Network {
    fn default() -> Self {
        Self { proxy: None, ca_file: None, connect_timeout_s: 10, spill: None }
    }
}

impl fmt::Debug for Network {
    // Invariant: a proxy's address may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network")
            .field("proxy", &self.proxy.as_ref().map(|_| "…"))
            .field("ca_file", &self.ca_file)
            .field("connect_timeout_s", &self.connect_timeout_s)
            .field("spill", &self.spill)
            .finish()
    }
}

/// The real network. Share one between the clients of a run (`ClientOptions::transport`): it keeps the open connections,
/// and the trusted roots are loaded once, when the first https address is asked for.
pub struct NetworkTransport {
    network: Network,
    ways: Mutex<[Option<reqwest::Client>; 3]>,
}

/// The three ways out; each has its own pool, made when it is first used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// This machine, without TLS and without a proxy.
    Plain = 0,
    /// This machine, with TLS, without a proxy.
    TlsHere = 1,
    /// Elsewhere.
    Tls = 2,
}

impl NetworkTransport {
    /// Opens nothing and loads nothing yet.
    pub fn new(network: Network) -> Self {
        Self { network, ways: Mutex::new([None, None, None]) }
    }

    #[cfg(test)]
    fn has_loaded_roots(&self) -> bool {
        lock(&self.ways)[1..].iter().any(Option::is_some)
    }

    fn client(&self, url: &Url) -> Result<reqwest::Client, TransportError> {
        let way = match (url.scheme(), is_loopback(url)) {
            ("http", true) => Way::Plain,
            ("https", true) => Way::TlsHere,
            ("https", false) => Way::Tls,
            _ => return Err(TransportError::Misconfigured(REFUSED_SCHEME.into())),
        };
        let mut ways = lock(&self.ways);
        if let Some(client) = &ways[way as usize] {
            return Ok(client.clone());
        }
        let client = self.build(way)?;
        Ok(ways[way as usize].insert(client).clone())
    }

    fn build(&self, way: Way) -> Result<reqwest::Client, TransportError> {
        let mut builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .connect_timeout(Duration::from_secs(self.network.connect_timeout_s))
            // Shorter than what servers keep, so that a write seldom meets a connection about to close.
            .pool_idle_timeout(Duration::from_secs(20));
        if way != Way::Tls {
            builder = builder.no_proxy();
        } else if let Some(proxy) = &self.network.proxy {
            let proxy = reqwest::Proxy::all(proxy)
                .map_err(|_| TransportError::Misconfigured("the proxy's address is no address".into()))?;
            builder = builder.proxy(proxy);
        }
        builder =
            if way == Way::Plain { builder.tls_backend_preconfigured(no_tls()?) } else { self.with_roots(builder)? };
        builder.build().map_err(|e| TransportError::Misconfigured(format!("TLS cannot be set up: {}", causes(&e))))
    }

    /// The system's roots and those of the CA file, checked by ring.
    fn with_roots(&self, builder: reqwest::ClientBuilder) -> Result<reqwest::ClientBuilder, TransportError> {
        // Whoever was first in this process has chosen; both choices serve.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let Some(path) = &self.network.ca_file else { return Ok(builder) };
        let shown = path.display();
        let pem = std::fs::read(path)
            .map_err(|e| TransportError::Misconfigured(format!("the CA file {shown} cannot be read: {e}")))?;
        match reqwest::Certificate::from_pem_bundle(&pem) {
            Ok(certificates) if !certificates.is_empty() => Ok(builder.tls_certs_merge(certificates)),
            _ => Err(TransportError::Misconfigured(format!("the CA file {shown} holds no certificate in PEM"))),
        }
    }
}

/// A TLS configuration that trusts nobody, for the way that has no TLS: it spares loading the system's roots.
fn no_tls() -> Result<rustls::ClientConfig, TransportError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| TransportError::Misconfigured(format!("TLS cannot be set up: {e}")))?;
    Ok(builder.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth())
}

#[async_trait]
impl Transport for NetworkTransport {
    async fn exchange(&self, wire: &Wire) -> Result<Response, TransportError> {
        self.carry(wire, None).await
    }

    async fn exchange_spilling(&self, wire: &Wire) -> Result<Response, TransportError> {
        self.carry(wire, self.network.spill.as_deref()).await
    }
}

impl NetworkTransport {
    /// One exchange; a large answer that succeeds goes to a file below `spill`.
    async fn carry(&self, wire: &Wire, spill: Option<&Path>) -> Result<Response, TransportError> {
        let client = self.client(&wire.url)?;
        let (began, whole) = (Instant::now(), Duration::from_millis(wire.timeout_ms));
        let mut builder = client.request(method(wire.method), wire.url.clone());
        if spill.is_none() {
            builder = builder.timeout(whole);
        }
        let left = Left::now();
        // Some servers want a write without a body to say so, and a read to say nothing (RFC 9110 8.6).
        if !wire.body.is_empty() {
            builder = builder.body(reqwest::Body::wrap(Leaving::new(wire.body.clone(), left.clone())));
        } else if matches!(wire.method, Method::Post | Method::Put | Method::Patch) {
            builder = builder.header(reqwest::header::CONTENT_LENGTH, 0);
        }
        for (name, value) in &wire.headers {
            let unsendable =
                || TransportError::Unsendable(format!("the header {name:?} has a value that HTTP does not allow"));
            let header = reqwest::header::HeaderName::try_from(name.as_str()).map_err(|_| unsendable())?;
            let mut value = reqwest::header::HeaderValue::try_from(value.as_str()).map_err(|_| unsendable())?;
            value.set_sensitive(header == reqwest::header::AUTHORIZATION);
            builder = builder.header(header, value);
        }
        let request = builder.build().map_err(|e| TransportError::Unsendable(causes(&e.without_url())))?;
        let answer = heard(wire, &left, wire.body.len(), client.execute(request));
        let mut answer = tokio::time::timeout(whole, answer).await.map_err(|_| TransportError::TimedOut)??;
        let too_large = TransportError::TooLarge(wire.max_body);
        if answer.content_length().is_some_and(|n| n > wire.max_body as u64) {
            return Err(too_large);
        }
        let not_kept = |error: std::io::Error| TransportError::NotKept(error.to_string());
        let spill = spill.filter(|_| answer.status().is_success());
        let held = if spill.is_some() { spill::HELD } else { wire.max_body };
        let announced = usize::try_from(answer.content_length().unwrap_or(0)).unwrap_or_default();
        let mut body = Vec::with_capacity(announced.min(held));
        let mut spilled: Option<Spilled> = None;
        loop {
            let before = spilled.as_ref().map_or(body.len() as u64, Spilled::length);
            let earned = Duration::from_secs(if spill.is_some() { before / SLOWEST_LINE } else { 0 });
            let left = Left::now();
            let next = tokio::time::timeout_at(began + whole + earned, heard(wire, &left, 0, answer.chunk()));
            let next = next.await.map_err(|_| TransportError::TimedOut)??;
            let Some(chunk) = next else { break };
            wire.heard.fetch_add(1, Ordering::Relaxed);
            if before + chunk.len() as u64 > wire.max_body as u64 {
                return Err(too_large);
            }
            match (&mut spilled, spill) {
                (Some(spilled), _) => spilled.add(&chunk).map_err(not_kept)?,
                (None, Some(folder)) if body.len() + chunk.len() > held => {
                    let mut file = Spilled::within(folder).map_err(not_kept)?;
                    file.add(&std::mem::take(&mut body)).map_err(not_kept)?;
                    file.add(&chunk).map_err(not_kept)?;
                    spilled = Some(file);
                }
                (None, _) => body.extend_from_slice(&chunk),
            }
        }
        let headers = answer.headers().iter();
        let headers =
            headers.map(|(n, v)| (n.to_string(), String::from_utf8_lossy(v.as_bytes()).into_owned())).collect();
        Ok(Response { spilled, ..Response::new(answer.status().as_u16(), headers, body) })
    }
}

/// What comes before the other side was silent for too long, since the last of a body of that length is known to have left.
async fn heard<T>(
    wire: &Wire,
    left: &Left,
    length: usize,
    coming: impl Future<Output = reqwest::Result<T>>,
) -> Result<T, TransportError> {
    let (mut coming, mut waited_since) = (std::pin::pin!(coming), None);
    loop {
        let is_waited_for = wire.hurry.as_ref().is_some_and(Hurry::is_waited_for);
        waited_since = if is_waited_for { waited_since.or(Some(Instant::now())) } else { None };
        let within = Duration::from_millis(wire.silence_now_ms() + unseen_ms(length, is_waited_for));
        let silent = left.at().elapsed();
        let rest = within.saturating_sub(silent);
        // Others may begin to wait meanwhile.
        let step = if wire.hurry.is_some() { rest.min(Duration::from_millis(LOOK_MS)) } else { rest };
        match tokio::time::timeout(step, &mut coming).await {
            Ok(came) => return came.map_err(failure),
            Err(_) if left.at().elapsed() >= within => {
                if let (Some(hurry), Some(since)) = (&wire.hurry, waited_since) {
                    hurry.held_for(since.elapsed());
                }
                return Err(TransportError::Silent);
            }
            Err(_) => {}
        }
    }
}

fn method(method: Method) -> reqwest::Method {
    match method {
        Method::Get => reqwest::Method::GET,
        Method::Post => reqwest::Method::POST,
        Method::Put => reqwest::Method::PUT,
        Method::Patch => reqwest::Method::PATCH,
        Method::Delete => reqwest::Method::DELETE,
    }
}

fn failure(e: reqwest::Error) -> TransportError {
    let e = e.without_url();
    if e.is_connect() && e.is_timeout() {
        TransportError::Unopened
    } else if e.is_connect() {
        TransportError::NotConnected(causes(&e))
    } else if e.is_builder() {
        TransportError::Unsendable(causes(&e))
    } else if e.is_timeout() {
        TransportError::TimedOut
    } else {
        TransportError::Cut(causes(&e))
    }
}

/// The innermost two causes, for the outer ones only say that something went wrong.
fn causes(e: &dyn std::error::Error) -> String {
    let mut chain = vec![e.to_string()];
    let mut next = e.source();
    while let Some(cause) = next {
        chain.push(cause.to_string());
        next = cause.source();
    }
    chain.dedup();
    chain.split_off(chain.len().saturating_sub(2)).join(": ")
}

const REFUSED_SCHEME: &str = "an address must be https, or on this machine";

/// Whether an address may be spoken to at all: https, or this machine.
pub(crate) fn check_scheme(url: &Url) -> Result<()> {
    if url.scheme() == "https" || (url.scheme() == "http" && is_loopback(url)) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Misconfigured, format!("{}: {REFUSED_SCHEME}", host_of(url))))
}

/// Whether the address is this machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// Host and port, which is all of an address that may stand in an error.
pub(crate) fn host_of(url: &Url) -> String {
    match (url.host_str(), url.port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (Some(host), None) => host.to_owned(),
        (None, _) => "an address without a host".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn roots_are_loaded_when_an_https_address_is_asked_and_not_before() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let transport = NetworkTransport::new(Network::default());
        assert!(transport.client(&Url::parse(&format!("http://127.0.0.1:{port}")).unwrap()).is_ok());
        assert!(!transport.has_loaded_roots());
        let _ = transport.client(&Url::parse("http://graph.example").unwrap()).unwrap_err();
        assert!(!transport.has_loaded_roots());
        if transport.client(&Url::parse("https://graph.example").unwrap()).is_ok() {
            assert!(transport.has_loaded_roots());
        }
    }
}
