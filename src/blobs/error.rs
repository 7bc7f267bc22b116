//! What can go wrong. No byte of a blob is ever in an error.

use crate::Hash;
use std::fmt;

/// The result of what the store does.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, and so what to do about it.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The disk refused (full, no right, gone). Nothing that stood there was changed.
    Disk {
        /// What was tried, and where.
        doing: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// Whoever handed in the bytes could not go on; nothing was kept.
    Source(std::io::Error),
    /// There is no such blob.
    Absent(Hash),
    /// The file of this blob no longer holds the bytes that its name promises.
    Rotten {
        /// Which blob.
        hash: Hash,
        /// What is wrong with the file.
        why: String,
    },
    /// The blob is longer than the caller had room for.
    TooLarge {
        /// Which blob.
        hash: Hash,
        /// How many bytes there was room for.
        most: u64,
    },
    /// Another process, or another [`Store`](crate::Store) in this one, works on the folder.
    Busy,
}

impl Error {
    pub(crate) fn disk(doing: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let doing = doing.into();
        move |source| Error::Disk { doing, source }
    }

    pub(crate) fn rotten(hash: Hash, why: impl Into<String>) -> Self {
        Error::Rotten { hash, why: why.into() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Disk { doing, source } => write!(f, "{doing}: {source}"),
            Error::Source(source) => write!(f, "the bytes to keep could not be read: {source}"),
            Error::Absent(hash) => write!(f, "there is no blob {hash}"),
            Error::Rotten { hash, why } => {
                write!(f, "the blob {hash} is damaged on the disk ({why}); its bytes are not what was stored")
            }
            Error::TooLarge { hash, most } => write!(f, "the blob {hash} is longer than {most} bytes"),
            Error::Busy => f.write_str("another process works on the blobs"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Disk { source, .. } | Error::Source(source) => Some(source),
            _ => None,
        }
    }
}
