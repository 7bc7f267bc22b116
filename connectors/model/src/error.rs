//! One error type for all connectors: kind + what was being done + where, each layer adding the place it knows once.
//!
//! The kind decides what happens next, so there are few. No secret and no body of an item is ever put into an error.

use std::fmt;

/// What the caller does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The place cannot be reached and nothing was sent (connection never opened, name not found). A write was not executed.
    Offline,
    /// The place asked us to wait (429, quota reasons); nothing was executed. Seconds until the next try, if it said so.
    Throttled {
        /// Seconds to wait, rounded up; `None` when the place did not say.
        retry_after_s: Option<u64>,
    },
    /// The reply was lost, cut, timed out or a 5xx. A read may be tried later; a *write* may or may not have been executed.
    Unknown,
    /// Nobody is signed in, or the sign-in is dead. The message says which command to type.
    SignInNeeded,
    /// The delta token is no longer accepted: list in full and compare.
    TokenExpired,
    /// The item changed there meanwhile (412 and its kin): take it again, merge, send again.
    StaleEtag,
    /// The item (or collection) is not there.
    NotFound,
    /// The place refuses this very item or request, and would refuse it again. A write was not executed.
    Refused,
    /// Access to this resource is denied (missing scope, policy, no right). Never a deletion.
    Forbidden,
    /// What came back is not what the protocol promises (HTML instead of JSON, a missing id).
    Malformed,
    /// The place cannot do this at all.
    Unsupported,
    /// The place is not what it should be and nothing may be touched there (missing marker, another device's marker).
    Held,
    /// The configuration or the arrangement is wrong.
    Misconfigured,
    /// It was not sent, or given up as a read, because whoever wanted it wants no more by now, or as its place hung over what was written there
    /// before. That says nothing of whether the place answers.
    NotSent,
    /// Our own store failed (disk full, corrupt): the run ends.
    Broken,
}

impl ErrorKind {
    /// Whether a write that ended with this kind is known not to have been executed.
    pub fn proves_not_executed(self) -> bool {
        !matches!(self, ErrorKind::Unknown | ErrorKind::Malformed)
    }

    /// Whether it is the place, and not what it was asked for: whatever else it is asked for now fails in the same way.
    pub fn is_of_the_place(self) -> bool {
        matches!(self, ErrorKind::Offline | ErrorKind::Throttled { .. } | ErrorKind::SignInNeeded | ErrorKind::NotSent)
    }

    /// Whether trying later without any change may succeed.
    pub fn is_temporary(self) -> bool {
        matches!(
            self,
            ErrorKind::Offline
                | ErrorKind::Throttled { .. }
                | ErrorKind::Unknown
                | ErrorKind::Malformed
                | ErrorKind::StaleEtag
                | ErrorKind::NotSent
        )
    }
}

/// What went wrong, where, and what to do about it.
#[derive(Debug)]
pub struct Error {
    /// Decides what happens next.
    pub kind: ErrorKind,
    /// What happened, in words for the person who reads it; ends with the request id where there is one.
    pub message: String,
    /// Where, from the outermost layer inwards: replica, collection, item, operation.
    pub places: Vec<String>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The result of everything a connector does.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of this kind with these words.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), places: Vec::new(), source: None }
    }

    /// Keeps the cause. The cause's text must hold no secret.
    pub fn with_source(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }

    /// Adds the place that this layer knows, outside of those already named.
    pub fn at(mut self, place: impl fmt::Display) -> Self {
        self.places.insert(0, place.to_string());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for place in &self.places {
            write!(f, "{place}: ")?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|s| s as &(dyn std::error::Error + 'static))
    }
}

/// Adds a place to the error of a result.
pub trait AtPlace<T> {
    /// Adds `place` in front of the places already named.
    fn at(self, place: impl fmt::Display) -> Result<T>;
}

impl<T> AtPlace<T> for Result<T> {
    fn at(self, place: impl fmt::Display) -> Result<T> {
        self.map_err(|error| error.at(place))
    }
}
