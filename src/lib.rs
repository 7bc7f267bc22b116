//! twofold: keeps Microsoft 365, Google Workspace and device folders the same, both ways, without loss.
//!
//! Modules in reading order: [`config`] (what can be set), [`connect`] (the configuration's places become replicas of a
//! cycle), [`cli`] (what a person can type), [`daemon`] (the service), [`endpoint`] (what it tells of itself). The story of the program is the crate `twofold-cycle`; the house's other rooms
//! are told in ARCHITECTURE.md.

pub mod cli;
pub mod config;
pub mod connect;
pub mod daemon;
pub mod endpoint;
