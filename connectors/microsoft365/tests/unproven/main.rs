//! What we rely on at Graph and have not seen on a live service (`tests/UNPROVEN.md`): the outcome is right, whichever way the
//! service turns out to behave. Each test turns the sandbox's switch both ways.

#[path = "../calendar_events/mod.rs"]
mod calendar_events;
#[path = "../connected/mod.rs"]
mod connected;
#[path = "../../../../tests/cassettes/deck.rs"]
#[allow(dead_code)]
mod deck;
#[path = "../../../../tests/cassettes/desk.rs"]
#[allow(dead_code)]
mod desk;
#[path = "../mail_world/mod.rs"]
#[allow(dead_code)]
mod mail_world;

mod calendar;
mod contacts;
mod mail;
