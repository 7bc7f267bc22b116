//! Calendars at Graph.

mod fields;
pub mod mails;
pub mod map;
mod people;
mod rule;
mod series;
pub mod sheet;
pub mod times;
pub mod wire;
