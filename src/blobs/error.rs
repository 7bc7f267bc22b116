//! What can go wrong. No byte of a blob is ever in an error.

use crate::Hash;
use std::fmt;
use std::path::PathBuf;

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
    /// What is kept under this name is no longer what the name promises.
    Rotten {
        /// Which blob.
        hash: Hash,
        /// What is wrong with it.
        why: String,
    },
    /// The blob is longer than the caller had room for.
    TooLarge {
        /// Which blob.
        hash: Hash,
        /// How many bytes there was room for.
        most: u64,
    },
    /// The file of the small blobs cannot be read as a whole. It was left as it is.
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The file of the small blobs was written by a program that knows more than this one.
    Later {
        /// Which file.
        path: PathBuf,
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
            Error::Damaged { path, why } => write!(
                f,
                "{} is damaged ({why}), and the bytes of messages in it cannot be read; it was left as it is. Restore it from a backup, \
                 then type: twofold doctor --full",
                path.display()
            ),
            Error::Later { path } => write!(
                f,
                "{} was written by a later twofold; nothing was read or changed. Install that version again",
                path.display()
            ),
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
