//! Who asked for a run, or decided something, and waits for it.
//!
//! Whoever asks gets a number, which goes with the wish through the queue of the service, and is told under it. One who went away meanwhile
//! is told nothing; the run is done all the same.

use super::socket::Over;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// What somebody who waits is told.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    /// The run that was asked for begins.
    Began,
    /// Another process is at work on the hub; the run comes after it.
    PutOff,
    /// It is over.
    Over(Over),
    /// What was decided is carried out, in words.
    Decided(String),
    /// It came to nothing.
    Failed {
        /// Why.
        words: String,
        /// The exit code that says so.
        exit: i32,
    },
}

/// Everybody who waits.
#[derive(Debug, Default)]
pub struct Desk(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    last: u64,
    is_closed: bool,
    all: HashMap<u64, UnboundedSender<Told>>,
}

impl Desk {
    /// Somebody begins to wait: the number, and what is told under it. It ends without an outcome when the service ends.
    pub fn sign_up(&self) -> (u64, UnboundedReceiver<Told>) {
        let (tell, told) = unbounded_channel();
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.last += 1;
        let id = waiting.last;
        if !waiting.is_closed {
            waiting.all.insert(id, tell);
        }
        (id, told)
    }

    /// Tells these.
    pub fn tell(&self, ids: &[u64], told: &Told) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for id in ids {
            let is_last = matches!(told, Told::Over(_) | Told::Decided(_) | Told::Failed { .. });
            let tell = if is_last { waiting.all.remove(id) } else { waiting.all.get(id).cloned() };
            if let Some(tell) = tell {
                // Whoever went away hears nothing.
                let _ = tell.send(told.clone());
            }
        }
    }

    /// Somebody waits no more.
    pub fn leave(&self, id: u64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).all.remove(&id);
    }

    /// The service ends: nobody is told anything any more.
    pub fn close(&self) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.is_closed = true;
        waiting.all.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed() -> Told {
        Told::Failed { words: "the disk is full".to_owned(), exit: 1 }
    }

    #[test]
    fn each_hears_of_what_it_asked_for_and_of_nothing_after_the_outcome() {
        let desk = Desk::default();
        let (first, mut told_first) = desk.sign_up();
        let (second, mut told_second) = desk.sign_up();
        desk.tell(&[first], &Told::Began);
        desk.tell(&[first, second], &failed());
        desk.tell(&[first, second], &Told::Began);
        assert_eq!([told_first.try_recv(), told_first.try_recv()], [Ok(Told::Began), Ok(failed())]);
        assert!(told_first.try_recv().is_err());
        assert_eq!(told_second.try_recv(), Ok(failed()));
    }

    #[test]
    fn when_the_service_ends_everybody_hears_that_nothing_comes() {
        let desk = Desk::default();
        let (_, mut before) = desk.sign_up();
        desk.close();
        let (_, mut after) = desk.sign_up();
        for told in [&mut before, &mut after] {
            assert_eq!(told.blocking_recv(), None);
        }
    }
}
