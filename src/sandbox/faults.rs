//! Faults: what goes wrong between a client and a provider, by rule or by seeded chance.
//!
//! A rule says which requests it is for, how many to let pass first, how often to strike, and what then happens. Rules
//! are asked in the order they were added; the first that strikes decides. Chance is asked after the rules and depends
//! only on its seed and the request's number, so a run can be repeated exactly.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{Kind, Provider, RequestInfo, Response, google};

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// The connection ends before the request is executed. In a batch: not executed, no answer.
    DropBefore,
    /// The request is executed and its reply lost. In a batch: the part's answer is missing.
    DropAfter,
    /// An error status with the provider's own body.
    Status {
        /// The status.
        status: u16,
        /// A `Retry-After` value, as it is to be sent.
        #[serde(default)]
        retry_after: Option<String>,
        /// Whether the request was executed all the same.
        #[serde(default)]
        executed: bool,
        /// A JSON body in place of the provider's usual one.
        #[serde(default)]
        body: Option<Value>,
    },
    /// Status 200 and a page for people, as a proxy or a front end sends.
    Html {
        /// Whether the request was executed all the same.
        #[serde(default)]
        executed: bool,
    },
    /// What a captive portal answers in the service's name, whatever was asked: a page with that status, or a way to one. Not executed.
    Portal {
        /// The status.
        status: u16,
    },
    /// Status 200 and nothing in it. Not executed.
    Nothing,
    /// Executed; the reply announces its whole length and ends in the middle. In a batch: like a lost answer.
    Truncate,
    /// Executed; a reply above so many bytes ends in the middle, as at somebody on the way who lets no more through.
    CutAbove {
        /// The most that gets through.
        bytes: usize,
    },
    /// Executed; the reply waits.
    Delay {
        /// Real milliseconds.
        ms: u64,
    },
    /// Not executed; nothing comes, and the connection stays open until the client gives up. In a batch: like a lost answer.
    Hang,
    /// Executed; the reply is labelled wrongly.
    ContentType {
        /// The label.
        value: String,
    },
}

impl Fault {
    /// An error status, not executed, without `Retry-After`.
    pub fn status(status: u16) -> Self {
        Self::Status { status, retry_after: None, executed: false, body: None }
    }

    /// A 429 with `Retry-After`.
    pub fn throttled(retry_after: &str) -> Self {
        Self::Status { status: 429, retry_after: Some(retry_after.into()), executed: false, body: None }
    }

    /// An error status although the request was executed.
    pub fn status_but_executed(status: u16) -> Self {
        Self::Status { status, retry_after: None, executed: true, body: None }
    }

    /// Whether the request runs under this fault.
    pub fn executes(&self) -> bool {
        match self {
            Self::DropBefore | Self::Nothing | Self::Hang | Self::Portal { .. } => false,
            Self::Status { executed, .. } | Self::Html { executed } => *executed,
            Self::DropAfter
            | Self::Truncate
            | Self::CutAbove { .. }
            | Self::Delay { .. }
            | Self::ContentType { .. } => true,
        }
    }

    /// The reply that takes the place of the true one, if this fault has one of its own.
    pub(crate) fn reply(&self, info: &RequestInfo) -> Option<Response> {
        match self {
            Self::Status { status, retry_after, body, .. } => {
                let body = body.clone().unwrap_or_else(|| match info.kind {
                    Kind::SignIn => sign_in_error_body(*status),
                    _ if google::mail::is_path(&info.path) => google::mail::fault_body(*status),
                    _ if google::calendar::is_path(&info.path) => google::calendar::fault_body(*status),
                    _ => error_body(info.provider, *status),
                });
                let mut reply = Response::json(*status, &body);
                if let Some(value) = retry_after {
                    reply.set_header("retry-after", value);
                }
                Some(reply)
            }
            Self::Html { .. } => Some(Response::bytes(
                200,
                "text/html; charset=utf-8",
                "<!DOCTYPE html><html><head><title>Sorry...</title></head><body><h1>We're sorry...</h1></body></html>",
            )),
            Self::Portal { status } => {
                let page =
                    "<!DOCTYPE html><html><head><title>Welcome</title></head><body>Accept our terms.</body></html>";
                let reply = Response::bytes(*status, "text/html", page);
                Some(match status {
                    300..=399 => reply.with_header("location", "https://portal.example/welcome"),
                    _ => reply,
                })
            }
            Self::Nothing => Some(Response::bytes(200, "text/plain", "")),
            _ => None,
        }
    }
}

/// The body of an error that has no better cause, in the provider's shape.
pub fn error_body(provider: Option<Provider>, status: u16) -> Value {
    match provider {
        Some(Provider::Microsoft) => {
            let (code, message) = match status {
                429 => ("ApplicationThrottled", "Application is over its MailboxConcurrency limit."),
                500 => ("ErrorInternalServerError", "An internal server error occurred. The operation failed."),
                502 => ("UnknownError", "Bad gateway."),
                503 => ("serviceNotAvailable", "The service is temporarily unavailable."),
                504 => ("ErrorTimeoutExpired", "The request timed out."),
                _ => ("generalException", "General exception while processing."),
            };
            let inner = json!({
                "date": "2026-01-01T00:00:00",
                "request-id": "00000000-0000-0000-0000-000000000000",
                "client-request-id": "00000000-0000-0000-0000-000000000000",
            });
            json!({ "error": { "code": code, "message": message, "innerError": inner } })
        }
        _ => {
            let (name, message) = match status {
                429 => (
                    "RESOURCE_EXHAUSTED",
                    "Quota exceeded for quota metric 'Critical read requests (Contact and Profile Reads)' and limit \
                     'Critical read requests (Contact and Profile Reads) per minute per user'.",
                ),
                500 => ("INTERNAL", "Internal error encountered."),
                503 => ("UNAVAILABLE", "The service is currently unavailable."),
                504 => ("DEADLINE_EXCEEDED", "Deadline expired before operation could complete."),
                _ => ("UNKNOWN", "Unknown error."),
            };
            let mut error = json!({ "code": status, "message": message, "status": name });
            if status == 429 {
                error["details"] = json!([{
                    "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                    "reason": "RATE_LIMIT_EXCEEDED",
                    "domain": "googleapis.com",
                }]);
            }
            json!({ "error": error })
        }
    }
}

/// The body of a token endpoint's error that has no better cause.
fn sign_in_error_body(status: u16) -> Value {
    let error = if status == 500 { "server_error" } else { "temporarily_unavailable" };
    json!({ "error": error, "error_description": "The service is temporarily unable to handle the request." })
}

/// Which requests, when, and what then happens.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Only this provider's.
    #[serde(default)]
    pub provider: Option<Provider>,
    /// Only API, sign-in or photo requests.
    #[serde(default)]
    pub kind: Option<Kind>,
    /// Only this method.
    #[serde(default)]
    pub method: Option<String>,
    /// Only paths that contain this text.
    #[serde(default)]
    pub path: Option<String>,
    /// Only writes, or only reads.
    #[serde(default)]
    pub write: Option<bool>,
    /// Only parts of batches, or only whole requests.
    #[serde(default)]
    pub part: Option<bool>,
    /// Matching requests to let pass first.
    #[serde(default)]
    pub skip: u64,
    /// How often to strike after that; `None` = always.
    #[serde(default)]
    pub times: Option<u64>,
    /// What happens.
    pub fault: Fault,
}

impl Rule {
    /// A rule for every API request, striking always.
    pub fn any(fault: Fault) -> Self {
        Self {
            provider: None,
            kind: Some(Kind::Api),
            method: None,
            path: None,
            write: None,
            part: None,
            skip: 0,
            times: None,
            fault,
        }
    }

    /// Only this provider's requests.
    pub fn on(mut self, provider: Provider) -> Self {
        self.provider = Some(provider);
        self
    }

    /// Only requests for this purpose.
    pub fn of_kind(mut self, kind: Kind) -> Self {
        self.kind = Some(kind);
        self
    }

    /// Only this method.
    pub fn method(mut self, method: &str) -> Self {
        self.method = Some(method.into());
        self
    }

    /// Only paths that contain this text.
    pub fn path(mut self, path: &str) -> Self {
        self.path = Some(path.into());
        self
    }

    /// Only requests that may change something.
    pub fn writes(mut self) -> Self {
        self.write = Some(true);
        self
    }

    /// Only parts of batches.
    pub fn parts(mut self) -> Self {
        self.part = Some(true);
        self
    }

    /// Let so many matching requests pass first.
    pub fn skip(mut self, skip: u64) -> Self {
        self.skip = skip;
        self
    }

    /// Strike so often.
    pub fn times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }

    fn matches(&self, info: &RequestInfo) -> bool {
        self.provider.is_none_or(|provider| info.provider == Some(provider))
            && self.kind.is_none_or(|kind| info.kind == kind)
            && self.method.as_deref().is_none_or(|method| info.method.eq_ignore_ascii_case(method))
            && self.path.as_deref().is_none_or(|path| info.path.contains(path))
            && self.write.is_none_or(|write| info.is_write == write)
            && self.part.is_none_or(|part| info.is_part == part)
    }
}

/// Seeded chance: the probability of each fault for each API request and part of a batch.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Chances {
    /// Same seed, same request number: same fault.
    pub seed: u64,
    /// [`Fault::DropBefore`].
    pub drop_before: f64,
    /// [`Fault::DropAfter`].
    pub drop_after: f64,
    /// 429 with `Retry-After: 1`.
    pub throttled: f64,
    /// 429 without `Retry-After`.
    pub throttled_silent: f64,
    /// 503, not executed.
    pub unavailable: f64,
    /// 500, not executed.
    pub internal: f64,
    /// 500, executed.
    pub internal_executed: f64,
    /// 200 with HTML, not executed.
    pub html: f64,
    /// [`Fault::Truncate`].
    pub truncate: f64,
    /// [`Fault::ContentType`] `text/plain`.
    pub content_type: f64,
    /// A delay of a few milliseconds.
    pub delay: f64,
    /// Sign-in requests are struck as well.
    pub sign_in_too: bool,
}

impl Chances {
    fn draw(&self, info: &RequestInfo) -> Option<Fault> {
        if info.kind == Kind::Control || (info.kind == Kind::SignIn && !self.sign_in_too) {
            return None;
        }
        let mut rng = StdRng::seed_from_u64(self.seed ^ info.number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let mut left: f64 = rng.random();
        let table = [
            (self.drop_before, Fault::DropBefore),
            (self.drop_after, Fault::DropAfter),
            (self.throttled, Fault::throttled("1")),
            (self.throttled_silent, Fault::status(429)),
            (self.unavailable, Fault::status(503)),
            (self.internal, Fault::status(500)),
            (self.internal_executed, Fault::status_but_executed(500)),
            (self.html, Fault::Html { executed: false }),
            (self.truncate, Fault::Truncate),
            (self.content_type, Fault::ContentType { value: "text/plain".into() }),
            (self.delay, Fault::Delay { ms: rng.random_range(1..10) }),
        ];
        for (chance, fault) in table {
            if left < chance {
                return Some(fault);
            }
            left -= chance;
        }
        None
    }
}

/// All rules, with how often each matched and struck, and the chance after them.
#[derive(Debug, Default)]
pub struct Faults {
    rules: Vec<(Rule, u64)>,
    chances: Option<Chances>,
    struck: u64,
}

impl Faults {
    /// Adds a rule behind the others.
    pub fn add(&mut self, rule: Rule) {
        self.rules.push((rule, 0));
    }

    /// Sets or ends seeded chance.
    pub fn set_chances(&mut self, chances: Option<Chances>) {
        self.chances = chances;
    }

    /// Ends all faults.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// How many faults struck since the last clear.
    pub fn struck(&self) -> u64 {
        self.struck
    }

    /// Whether a request meets a fault, and which. Counts it.
    pub(crate) fn decide(&mut self, info: &RequestInfo) -> Option<Fault> {
        if info.kind == Kind::Control {
            return None;
        }
        let mut found = None;
        for (rule, seen) in self.rules.iter_mut().filter(|(rule, _)| rule.matches(info)) {
            *seen += 1;
            let is_due = *seen > rule.skip && rule.times.is_none_or(|times| *seen - rule.skip <= times);
            if is_due {
                found = Some(rule.fault.clone());
                break;
            }
        }
        let found = found.or_else(|| self.chances.as_ref().and_then(|chances| chances.draw(info)));
        self.struck += u64::from(found.is_some());
        found
    }
}
