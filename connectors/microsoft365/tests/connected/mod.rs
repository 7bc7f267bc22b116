//! The connector over any transport; a part of several tests.
#![allow(dead_code)]

use crate::deck;
use std::sync::Arc;
use twofold_http::{Client, Clock, Transport};
use twofold_microsoft365::{GraphDialect, Microsoft365, Options};
use twofold_zones::SystemZones;

/// A client for Graph.
pub fn client(transport: Arc<dyn Transport>, clock: Arc<dyn Clock>) -> Client {
    deck::client("microsoft", Arc::new(GraphDialect), transport, clock)
}

/// A mailbox in Berlin.
pub fn graph(transport: Arc<dyn Transport>, clock: Arc<dyn Clock>) -> Microsoft365 {
    Microsoft365::new(Options {
        graph: client(transport, clock),
        hub_id: "hub-00000001".into(),
        zones: zones(),
        home_zone: Some("Europe/Berlin".into()),
        blobs: None,
    })
}

/// The rules of all time zones.
pub fn zones() -> Arc<SystemZones> {
    Arc::new(SystemZones::in_folder(None))
}
