//! Signing in at both providers, keeping the sign-in, and handing out access tokens.
//!
//! A person types `twofold login PROVIDER`: [`login()`] leads through one of the flows and finds out who it was, [`accept`]
//! stores it in the [`Vault`]. From then on a [`Session`] is the connectors' [`TokenSource`](twofold_http::TokenSource): it
//! refreshes in time, one at a time over all workers and processes, and turns a dead sign-in into a state with a [`Cause`] and
//! a sentence. [`logout`] ends it.
//!
//! Reading order: [`provider`] (addresses, scopes), [`cause`] (what a refusal means; pure), [`mod@login`] (the
//! flows), `oauth`, `exchange` and `loopback` (how they are spoken), [`account`] (who it is), [`vault`] and `key` (what is on
//! the disk), [`session`] (tokens for the connectors).
//!
//! Invariants:
//! - a secret stands in plain only in memory and on the way to its provider: in no file, no log line, no error, no `Debug`;
//! - a refresh token that was received is on the disk before the access token that came with it is used;
//! - no two workers or processes refresh at once;
//! - nothing here tells a dead sign-in by a text (but for one answer of Google's), and nothing here deletes an item.

pub mod account;
pub mod cause;
mod exchange;
mod key;
pub mod login;
mod loopback;
mod oauth;
pub mod provider;
mod refusal;
pub mod session;
pub mod vault;

pub use account::Account;
pub use cause::Cause;
pub use login::{Accepted, Flow, Revocation, SignIn, SignedIn, Ui, accept, login, logout};
pub use provider::{GoogleUrls, MicrosoftUrls, MissingScope, Provider, ProviderName, compare_scopes};
pub use session::Session;
pub use vault::{Hint, State, Status, Vault};
