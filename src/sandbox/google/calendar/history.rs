//! Things with their recent versions, so that a list may lag behind and show an older one.

use std::collections::VecDeque;
use std::sync::Arc;

/// At most so many versions of one thing are kept.
const KEEP_VERSIONS: usize = 64;

/// The state of something after one change.
#[derive(Clone, Debug)]
pub(crate) struct Version<T> {
    pub at_ms: i64,
    pub stamp: u64,
    pub etag: String,
    pub value: T,
}

/// Something with its recent versions.
#[derive(Clone, Debug)]
pub(crate) struct History<T> {
    /// Oldest first; never empty.
    versions: VecDeque<Arc<Version<T>>>,
    /// Whether versions before the first one kept were forgotten.
    is_cut: bool,
}

impl<T> History<T> {
    /// A thing that was just made.
    pub fn new(version: Version<T>) -> Self {
        Self { versions: VecDeque::from([Arc::new(version)]), is_cut: false }
    }

    /// As it is now.
    pub fn newest(&self) -> &Arc<Version<T>> {
        // Invariant: a history is made with one version, and `push` keeps the last.
        self.versions.back().expect("a history has a version")
    }

    /// As a list shows it that knows nothing later than this.
    pub fn as_of(&self, ms: i64) -> Option<&Arc<Version<T>>> {
        let shown = self.versions.iter().rev().find(|version| version.at_ms <= ms);
        shown.or_else(|| self.versions.front().filter(|_| self.is_cut))
    }

    /// A further version; those that no list can show any more are forgotten.
    pub fn push(&mut self, version: Version<T>, keep_ms: i64) {
        let now_ms = version.at_ms;
        self.versions.push_back(Arc::new(version));
        while self.versions.len() > 1
            && (self.versions[1].at_ms <= now_ms - keep_ms || self.versions.len() > KEEP_VERSIONS)
        {
            self.versions.pop_front();
            self.is_cut = true;
        }
    }
}
