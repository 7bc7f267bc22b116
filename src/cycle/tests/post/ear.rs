//! Somebody who listens to how a run goes on.

use std::sync::{Mutex, PoisonError};
use twofold_cycle::{Progress, Reading};

/// Keeps what was told of readings: replica, messages done, of how many, their bytes.
#[derive(Default)]
pub struct Ear {
    heard: Mutex<Vec<(String, usize, usize, u64)>>,
}

impl Ear {
    /// What was told of a replica since the last call.
    pub fn take(&self, replica: &str) -> Vec<(usize, usize, u64)> {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let (of_it, others) = heard.drain(..).partition(|(name, ..)| name == replica);
        *heard = others;
        of_it.into_iter().map(|(_, done, of, bytes)| (done, of, bytes)).collect()
    }
}

impl Progress for Ear {
    fn at(&self, _phase: &str, _done: usize, _of: usize) {}

    fn reading(&self, replica: &str, reading: Reading) {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.push((replica.to_owned(), reading.done, reading.of, reading.bytes));
    }
}
