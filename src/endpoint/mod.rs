//! What the service tells of itself over HTTP: a page for people (`/`), metrics (`/metrics`) and whether all is well (`/healthz`).
//!
//! [`listen`] opens the address of `[endpoint]` and keeps limits; [`gate`] says who may ask, and who may change something; [`answer`] finds
//! what was asked for. What there is to tell comes as data ([`facts`]) from a [`Teller`](answer::Teller), which is handed in, and [`metrics`],
//! [`health`] and [`page`] only write it down.

pub mod answer;
pub mod facts;
pub mod gate;
pub mod health;
pub mod listen;
pub mod metrics;
pub mod page;

#[cfg(test)]
mod tests;
