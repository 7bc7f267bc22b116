//! # The sandbox: Microsoft 365 and Google on loopback
//!
//! Stateful stand-ins for the two providers, sign-in included, as strict as their documentation says the real services
//! are. This crate is a second, independent reading of that documentation: it imports nothing of ours, so a mistake in a
//! connector is not repeated here. What lives where:
//!
//! | file | holds |
//! |---|---|
//! | `wire.rs` | [`Request`] and [`Response`]: plain values, no I/O |
//! | `state.rs` | [`State`]: everything the two services remember, behind one lock; the request [`Log`]; who is signed in |
//! | `server.rs` | [`Sandbox`], [`Running`]; routing; [`server::dispatch_part`]; faults and budgets are applied here |
//! | `http1.rs` | HTTP/1.1 on a socket |
//! | `faults.rs` | [`Faults`]: rules and seeded chance that cut, delay, throttle and garble |
//! | `switches.rs` | [`Switches`]: how the services behave where the documentation leaves a choice |
//! | `clock.rs` | [`Clock`]: real time, or time that moves only when a test says so |
//! | `oauth/` | both sign-ins: authorize, token, device code, revoke; [`oauth::authorise`] checks a bearer token |
//! | `google/` | People v1 (contacts, groups, photos) and userinfo; `google/calendar/`: Calendar v3; `google/mail/`: Gmail v1 |
//! | `microsoft365/` | Graph v1.0 (contacts; `microsoft365/calendar/`: calendars, events; `microsoft365/mail/`: mail) and `$batch` |
//! | `mime.rs` | mail as bytes: headers, parts, contents, as both services read them |
//! | `seeds.rs` | the people of the start in plain fields, the same for both providers |
//! | `control.rs` | `/_sandbox/...`: the same powers for a test in another process |
//!
//! # How a request runs
//!
//! The socket reads a whole [`Request`]. `server::run` takes the lock, numbers and logs it, asks the [`Faults`]
//! and the budgets, and calls the pure router `server::route(&mut State, &Request) -> Response`, which hands on by path:
//!
//! | path | goes to | configured as |
//! |---|---|---|
//! | `/google/o/oauth2/v2/auth`, `/google/token`, `/google/revoke` | `oauth` | `auth_url`, `token_url` = `{base}/google` |
//! | `/google/v1/...`, `/google/oauth2/v2/userinfo` | `google` | `people_url` = `{base}/google` |
//! | `/google/calendar/v3/...`, `/google/batch/calendar/v3` | `google::calendar` | `calendar_url` = `{base}/google` |
//! | `/google/gmail/v1/...`, `/google/upload/gmail/v1/...`, `/google/batch`, `/google/batch/gmail/v1` | `google::mail` | `gmail_url` = `{base}/google` |
//! | `/google-photos/...` | `google::photos`, no token needed | from `photos[].url` |
//! | `/microsoft-login/{tenant}/oauth2/v2.0/...` | `oauth` | `login_url` = `{base}/microsoft-login` |
//! | `/microsoft-upload/...` | `microsoft365::upload`, no token needed | from `uploadUrl` |
//! | `/microsoft/v1.0/...` | `microsoft365::handle`, which gets the path after `/microsoft/v1.0` | `graph_url` = `{base}/microsoft` |
//! | `/_sandbox/...` | `control` | |
//!
//! Nothing in `route` sleeps, blocks or touches a socket, so a test may call [`Sandbox::handle`] and never open one.
//! A Graph `$batch` runs each inner request through `server::dispatch_part`, which logs, throttles and faults it like any
//! other; `None` from it means that this part's answer is lost and must be left out of the reply.
//!
//! # For a test in the same process
//!
//! ```
//! use twofold_sandbox::{Fault, Options, Provider, Request, Rule, Sandbox, Switches};
//! # fn main() {
//! let sandbox = Sandbox::new(Options::demo());                  // or empty(), virtual_time(), with(Switches { .. })
//! let token = sandbox.access_token(Provider::Google);
//! let people = "/google/v1/people/me/connections?personFields=names";
//! let reply = sandbox.handle(&Request::get(people).bearer(&token));
//! assert_eq!(reply.status, 200);
//! sandbox.fault(Rule::any(Fault::status(503)).on(Provider::Google).times(1));
//! sandbox.clock().advance_ms(3_600_000);                        // tokens expire, lists catch up
//! assert_eq!(sandbox.requests(Provider::Google), 1);
//! # }
//! ```
//! `sandbox.start(0).await` opens the socket; [`Sandbox::urls`] gives the addresses to configure.
//! "Another client of the user" is [`Sandbox::google_create`], [`Sandbox::google_add_mail`] and their neighbours. What Graph would have mailed to people
//! is counted: [`Sandbox::graph_mails`], [`Sandbox::graph_read_receipts`].
//!
//! # For a test in another process
//!
//! `POST /_sandbox/<action>` with a JSON object; the actions are listed in the module [`control`].

pub mod clock;
pub mod control;
pub mod faults;
pub mod google;
mod http1;
pub mod microsoft365;
mod mime;
pub mod oauth;
pub mod seeds;
pub mod server;
pub mod state;
pub mod switches;
pub mod wire;

pub use clock::Clock;
pub use faults::{Chances, Fault, Faults, Rule};
pub use server::{Options, Running, Sandbox, Seed, Urls};
pub use state::{Kind, Log, Phase, Provider, RequestInfo, State};
pub use switches::Switches;
pub use wire::{Request, Response};
