//! What Google answers, as recorded: each operation is sent and understood by the connector's own code, without a network.

#[path = "../connected/mod.rs"]
mod connected;
#[path = "../../../../tests/cassettes/deck.rs"]
mod deck;
#[path = "../calendar_desk/events.rs"]
#[allow(dead_code)]
mod events;

mod calendar;
mod contacts;
mod mail;
