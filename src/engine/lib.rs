//! The engine: what follows from what was seen. Pure: no clock, no I/O, no provider's word; times come in as data.
//!
//! Reading order: [`mod@decide`] (one item, the hub and all replicas at once), [`plan`] (what a replica must be told), [`pair`]
//! (which copies are the same item at a first meeting), [`brake`] (when a mass change is held).

pub mod brake;
pub mod decide;
pub mod pair;
pub mod plan;

pub use decide::{Base, Case, Clashing, Copy, Current, Now, Verdict, decide};
