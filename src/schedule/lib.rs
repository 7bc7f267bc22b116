//! When what is due. Pure: the time is handed in, in milliseconds since 1970, and nobody sleeps here.
//!
//! [`trigger`] says when something is due again, [`timetable`] what is due now (each kind by its own trigger; what was missed while the
//! machine slept is made up once), [`backoff`] how long a place that cannot be reached is left alone.

pub mod backoff;
pub mod timetable;
pub mod trigger;

pub use backoff::Backoff;
pub use timetable::Timetable;
pub use trigger::{NoTrigger, Trigger};
