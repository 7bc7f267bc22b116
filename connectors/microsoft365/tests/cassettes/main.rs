//! What Graph answers, as recorded: each operation is sent and understood by the connector's own code, without a network.

#[path = "../calendar_events/mod.rs"]
mod calendar_events;
#[path = "../connected/mod.rs"]
mod connected;
#[path = "../../../../tests/cassettes/deck.rs"]
mod deck;

mod calendar;
mod contacts;
mod mail;
