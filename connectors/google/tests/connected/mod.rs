//! The connector over any transport; a part of several tests.
#![allow(dead_code)]

use crate::deck;
use std::sync::Arc;
use twofold_google::{CalendarDialect, CalendarOptions, Google, GoogleDialect, GoogleOptions};
use twofold_http::{Client, Clock, Transport};
use twofold_zones::SystemZones;

/// A client for People.
pub fn people(transport: Arc<dyn Transport>, clock: Arc<dyn Clock>) -> Client {
    deck::client("google", Arc::new(GoogleDialect), transport, clock)
}

/// A client for Calendar.
pub fn calendar(transport: Arc<dyn Transport>, clock: Arc<dyn Clock>) -> Client {
    deck::client("google", Arc::new(CalendarDialect), transport, clock)
}

/// An account.
pub fn google(transport: Arc<dyn Transport>, clock: Arc<dyn Clock>) -> Google {
    let calendar =
        CalendarOptions { client: calendar(transport.clone(), clock.clone()), zones: zones(), home_zone: None };
    Google::new(GoogleOptions { people: people(transport, clock), calendar: Some(calendar), mail: None })
}

/// The rules of all time zones.
pub fn zones() -> Arc<SystemZones> {
    Arc::new(SystemZones::in_folder(None))
}
