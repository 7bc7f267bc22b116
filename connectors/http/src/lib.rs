//! HTTP, once, for all connectors: shared plumbing without any provider's words.
//!
//! A connector builds a [`Request`] and reads a [`Response`]; everything between stands here. [`Client::send`] pins the
//! address to the configured origin, takes a token from a [`TokenSource`], waits for its share of the [`Budget`], lets a
//! [`Transport`] carry the exchange, repeats what may be repeated ([`retry`]) and has the provider's [`Dialect`] judge what
//! went wrong. [`batch`] builds and reads JSON batches, [`cassette`] records exchanges and replays them strictly, [`clock`]
//! hands in the time so that tests never wait, [`shared`] is a limit that several processes keep together, [`pages`] tells a list that never ends, [`patience`] sees to it that a place
//! that hangs holds nobody for long.
//!
//! Invariants:
//! - a bearer leaves only for the configured origin (and origins named as extra), over https or to this very machine;
//! - no layer repeats a write, except after an answer that proves it was not executed (401, throttled) or when the
//!   connection was never opened; a write that ended otherwise is [`Unknown`](twofold_model::ErrorKind::Unknown);
//! - no token, body or query stands in an error, a log line or a `Debug` text.

pub mod batch;
pub mod budget;
pub mod cassette;
pub mod client;
pub mod clock;
mod leaving;
mod multipart;
pub mod options;
pub mod pages;
pub mod patience;
pub mod request;
pub mod retry;
mod scrub;
pub mod shared;
pub mod spill;
pub mod transport;

pub use batch::Part;
pub use budget::{Allowance, Budget, Cost, Limits};
pub use cassette::{Cassette, Origin, Recorder, unscrubbed};
pub use client::{Client, Counters};
pub use clock::{Clock, ManualClock, SystemClock};
pub use options::{ClientOptions, Dialect, TokenSource, judge_by_status};
pub use pages::Pages;
pub use patience::{Hurry, Patience};
pub use request::{Body, Effect, Expect, Method, Request, Response};
pub use retry::retry_after_s;
pub use shared::Shared;
pub use spill::Spilled;
pub use transport::{
    Network, NetworkTransport, Transport, TransportError, Wire, is_lost_on_the_way, is_not_kept, is_too_large,
};
