//! Blobs: the bytes of a message, kept once as they were first received, and named by what they are.
//!
//! A message's rendering and content name its blob. Whoever brings bytes in puts them; whoever writes a message out opens them. The
//! store itself is not here: connectors are handed one.

use crate::{Error, ErrorKind, Result};
use std::collections::HashMap;
use std::fmt;
use std::io::{Cursor, Read};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The name of a blob: 64 hexadecimal digits, the hash of its bytes (BLAKE3).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BlobId(String);

impl BlobId {
    /// The name of these bytes.
    pub fn of(bytes: &[u8]) -> BlobId {
        BlobId(blake3::hash(bytes).to_hex().to_string())
    }

    /// The id that stands there; nothing for what is none.
    pub fn parse(text: &str) -> Option<BlobId> {
        let is_hex = text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        is_hex.then(|| BlobId(text.to_owned()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where the bytes of messages are kept. Every call blocks for as long as the disk takes.
pub trait Blobs: Send + Sync {
    /// Keeps all bytes of `source`; the same bytes put again are one blob. Answers its name and how many bytes it has. Durable only
    /// after [`Blobs::flush`], so what names the blob is stored after that.
    ///
    /// # Errors
    /// Where the source or the disk fails; nothing is kept then.
    fn put(&self, source: &mut dyn Read) -> Result<(BlobId, u64)>;

    /// The bytes, to be read piece by piece; a read fails where they are no longer what the name says.
    ///
    /// # Errors
    /// [`crate::ErrorKind::NotFound`] where there is no such blob.
    fn open(&self, id: &BlobId) -> Result<Box<dyn Read + Send>>;

    /// Makes everything that was put and let go of so far durable. Where nothing was, nothing is done.
    ///
    /// # Errors
    /// Where the disk fails; nothing that was put since the last time may be named then.
    fn flush(&self) -> Result<()>;

    /// Whether there is a blob of that name. It is not read.
    ///
    /// # Errors
    /// Where the disk fails.
    fn has(&self, id: &BlobId) -> Result<bool>;

    /// The blobs whose names begin with this byte (two digits), in order.
    ///
    /// # Errors
    /// Where the disk fails.
    fn list(&self, first: u8) -> Result<Vec<BlobId>>;

    /// Lets go of a blob; one that is not there is gone already. Whoever asks for it knows that nothing names it any more, on the disk
    /// too, and that nobody is about to name it.
    ///
    /// # Errors
    /// Where the disk fails; the blob is there then.
    fn remove(&self, id: &BlobId) -> Result<()>;
}

/// The bytes of a message that is to be written somewhere. Where they are missing, that message alone cannot be sent; nothing is said of the
/// place.
///
/// # Errors
/// [`crate::ErrorKind::Refused`] where there is no such blob.
pub fn open_to_send(blobs: &dyn Blobs, id: &BlobId) -> Result<Box<dyn Read + Send>> {
    blobs.open(id).map_err(|error| match error.kind {
        ErrorKind::NotFound => Error::new(ErrorKind::Refused, format!("the bytes of the message are missing: {error}")),
        _ => error,
    })
}

/// The smallest store: bytes in memory, for tests, and for whoever only looks where there is none.
#[derive(Default)]
pub struct MemoryBlobs {
    bytes: Mutex<HashMap<BlobId, Arc<[u8]>>>,
}

impl MemoryBlobs {
    fn held(&self) -> MutexGuard<'_, HashMap<BlobId, Arc<[u8]>>> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Blobs for MemoryBlobs {
    fn put(&self, source: &mut dyn Read) -> Result<(BlobId, u64)> {
        let mut bytes = Vec::new();
        source.read_to_end(&mut bytes).map_err(|error| {
            Error::new(ErrorKind::Refused, "the bytes of a message cannot be read").with_source(error)
        })?;
        let id = BlobId::of(&bytes);
        let size = bytes.len() as u64;
        self.held().insert(id.clone(), bytes.into());
        Ok((id, size))
    }

    fn open(&self, id: &BlobId) -> Result<Box<dyn Read + Send>> {
        let found = self.held().get(id).cloned();
        let bytes = found.ok_or_else(|| Error::new(ErrorKind::NotFound, format!("there is no blob {id}")))?;
        Ok(Box::new(Cursor::new(bytes)))
    }

    fn flush(&self) -> Result<()> {
        Ok(())
    }

    fn has(&self, id: &BlobId) -> Result<bool> {
        Ok(self.held().contains_key(id))
    }

    fn list(&self, first: u8) -> Result<Vec<BlobId>> {
        let begin = format!("{first:02x}");
        let mut found: Vec<BlobId> = self.held().keys().filter(|id| id.as_str().starts_with(&begin)).cloned().collect();
        found.sort_unstable();
        Ok(found)
    }

    fn remove(&self, id: &BlobId) -> Result<()> {
        self.held().remove(id);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_comes_back_under_its_name() {
        let store = MemoryBlobs::default();
        let (id, size) = store.put(&mut &b"bytes"[..]).unwrap();
        assert_eq!((id.clone(), size), (BlobId::of(b"bytes"), 5));
        let mut back = Vec::new();
        store.open(&id).unwrap().read_to_end(&mut back).unwrap();
        assert_eq!(back, b"bytes");
        assert!(store.open(&BlobId::of(b"other")).is_err_and(|error| error.kind == ErrorKind::NotFound));
        let first = u8::from_str_radix(&id.as_str()[..2], 16).unwrap();
        assert_eq!(store.list(first).unwrap(), std::slice::from_ref(&id));
        assert_eq!(store.list(first.wrapping_add(1)).unwrap(), []);
        for _ in 0..2 {
            store.remove(&id).unwrap();
            assert!(!store.has(&id).unwrap());
        }
    }

    #[test]
    fn a_name_is_64_small_hexadecimal_digits() {
        let id = BlobId::of(b"bytes");
        assert_eq!(BlobId::parse(id.as_str()), Some(id.clone()));
        assert_ne!(id, BlobId::of(b"other bytes"));
        for wrong in ["", "ab", &id.as_str().to_uppercase(), &id.as_str()[1..], &format!("{}g", &id.as_str()[1..])] {
            assert_eq!(BlobId::parse(wrong), None, "{wrong}");
        }
    }
}
