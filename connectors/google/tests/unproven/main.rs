//! What we rely on at Google and have not seen on a live service (`tests/UNPROVEN.md`): the outcome is right, whichever way the
//! service turns out to behave. Each test turns the sandbox's switch both ways.

#[path = "../connected/mod.rs"]
mod connected;
#[path = "../../../../tests/cassettes/deck.rs"]
#[allow(dead_code)]
mod deck;
#[path = "../../../../tests/cassettes/desk.rs"]
#[allow(dead_code)]
mod desk;
#[path = "../calendar_desk/events.rs"]
mod events;
#[path = "../mail_desk/mod.rs"]
mod mail_desk;

mod calendar;
mod contacts;
mod mail;
