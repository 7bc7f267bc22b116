//! When what is due. Pure: the time is handed in, in milliseconds since 1970, and nobody sleeps here.
//!
//! [`trigger`] says when something is due again, [`timetable`] what is due now (each kind by its own trigger; what was missed while the
//! machine slept is made up once), [`backoff`] how long a place that cannot be reached is left alone, [`stop`] how
//! long a run that is to stop is waited for.

pub mod backoff;
pub mod stop;
pub mod timetable;
pub mod trigger;

pub use backoff::Backoff;
pub use timetable::Timetable;
pub use trigger::{NoTrigger, Trigger};
