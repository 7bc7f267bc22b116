//! What a client is told: whose words it speaks, where its tokens come from, what it keeps to.

use crate::budget::{Budget, Limits};
use crate::clock::{Clock, SystemClock};
use crate::patience::Hurry;
use crate::request::Response;
use crate::retry::{retry_after_s, whole_s};
use crate::transport::{self, Network, Transport};
use async_trait::async_trait;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use twofold_model::{Error, ErrorKind, Result};
use url::Url;

/// Where access tokens come from.
#[async_trait]
pub trait TokenSource: Send + Sync {
    /// An access token that should still be good.
    async fn token(&self) -> Result<String>;
    /// After a 401 with that token: a fresh one (or the one that another worker fetched meanwhile; or itself, where it is as fresh as one
    /// can be), or sign-in needed.
    async fn renewed(&self, refused: &str) -> Result<String>;
    /// What it means that a request is refused with such a token once more, in words for people. The default: as the provider says it.
    fn refused(&self) -> Option<Error> {
        None
    }
}

/// What is particular to one provider's way of speaking HTTP.
pub trait Dialect: Send + Sync {
    /// The provider's words for an answer that is not 2xx: a kind and a message that can be read; no bodies, no secrets.
    /// The client adds the request id and the operation, and sees to it that a write's 5xx is unknown and a 429 throttled.
    fn judge(&self, response: &Response) -> Error;

    /// Whether the pause that a throttled answer asks for holds for writes alone: reading goes on meanwhile.
    fn pauses_writes_only(&self, _response: &Response) -> bool {
        false
    }

    /// Adds the headers that go with every request (`Prefer`, a client's request id).
    fn decorate(&self, _headers: &mut Vec<(String, String)>) {}

    /// Appended to the user agent.
    fn user_agent_suffix(&self) -> &str {
        ""
    }
}

/// What a status means when the provider says no more; what a dialect falls back on.
pub fn judge_by_status(response: &Response) -> Error {
    let kind = match response.status {
        401 => ErrorKind::SignInNeeded,
        403 => ErrorKind::Forbidden,
        404 | 410 => ErrorKind::NotFound,
        412 => ErrorKind::StaleEtag,
        429 => ErrorKind::Throttled { retry_after_s: retry_after_s(response).map(whole_s) },
        501 => ErrorKind::Refused,
        408 | 425 | 500.. => ErrorKind::Unknown,
        _ => ErrorKind::Refused,
    };
    Error::new(kind, format!("status {}", response.status))
}

/// How a client is made.
#[derive(Clone)]
pub struct ClientOptions {
    /// What relative addresses are relative to; its origin is the one that the bearer goes to.
    pub base: Url,
    /// Further origins that may be asked with the bearer; none by default.
    pub extra_origins: Vec<Url>,
    /// Where tokens come from; none for requests without a sign-in.
    pub token: Option<Arc<dyn TokenSource>>,
    /// The provider's words.
    pub dialect: Arc<dyn Dialect>,
    /// What is allowed; shared by all clients of one mailbox.
    pub budget: Arc<Budget>,
    /// How the network is reached; not looked at when a transport is given.
    pub network: Network,
    /// What carries the exchanges: a [`NetworkTransport`](crate::NetworkTransport) shared with other clients, a cassette. Default: one of its own.
    pub transport: Option<Arc<dyn Transport>>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The most that one request may take from its first turn on, repeats and waits between them included.
    pub deadline_s: u64,
    /// The longest pause that is waited for; a longer one is an error (throttled) and obeyed by the next run.
    pub max_pause_s: u64,
    /// Whether others wait for what is asked.
    pub hurry: Hurry,
    /// The largest body that is taken, unpacked. The usual 128 MiB hold the largest answer that is of use: a message of the 50 MB that
    /// Gmail receives at most is 67 MB as base64url. Nothing is set aside for it beforehand.
    pub max_body: usize,
    /// Where every exchange is recorded; default: `$TWOFOLD_RECORD`.
    pub record: Option<PathBuf>,
}

impl ClientOptions {
    /// The usual settings for this address and this provider.
    pub fn new(base: Url, dialect: Arc<dyn Dialect>) -> Self {
        Self {
            base,
            extra_origins: Vec::new(),
            token: None,
            dialect,
            budget: Arc::new(Budget::new(Limits::default())),
            network: Network::default(),
            transport: None,
            clock: Arc::new(SystemClock),
            deadline_s: 180,
            max_pause_s: 60,
            hurry: Hurry::default(),
            max_body: 128 << 20,
            record: std::env::var_os("TWOFOLD_RECORD").filter(|dir| !dir.is_empty()).map(PathBuf::from),
        }
    }

    /// With tokens from there.
    pub fn token(mut self, token: Arc<dyn TokenSource>) -> Self {
        self.token = Some(token);
        self
    }

    /// Within that budget.
    pub fn budget(mut self, budget: Arc<Budget>) -> Self {
        self.budget = budget;
        self
    }

    /// Over that transport.
    pub fn transport(mut self, transport: Arc<dyn Transport>) -> Self {
        self.transport = Some(transport);
        self
    }

    /// In no more time than that where others wait.
    pub fn hurry(mut self, hurry: Hurry) -> Self {
        self.hurry = hurry;
        self
    }

    /// With that clock.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }
}

impl fmt::Debug for ClientOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientOptions({}, {:?})", transport::host_of(&self.base), self.network)
    }
}
