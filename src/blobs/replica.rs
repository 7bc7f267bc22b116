//! The store as connectors are handed it ([`twofold_model::Blobs`]).

use crate::{Error, Hash, Store};
use std::io::Read;
use twofold_model::{BlobId, Blobs, ErrorKind};

/// What an error of the store means for a run: a disk that fails ends it, bytes that could not be read cost their message alone.
impl From<Error> for twofold_model::Error {
    fn from(error: Error) -> Self {
        let (kind, todo) = match &error {
            Error::Disk { .. } => (ErrorKind::Broken, ". Free some space, then: twofold sync"),
            Error::Busy | Error::Damaged { .. } | Error::Later { .. } => (ErrorKind::Broken, ""),
            Error::Source(_) => (ErrorKind::Refused, ""),
            Error::Absent(_) => (ErrorKind::NotFound, ""),
            Error::Rotten { .. } | Error::TooLarge { .. } => (ErrorKind::Refused, ""),
        };
        twofold_model::Error::new(kind, format!("{error}{todo}")).with_source(error)
    }
}

impl Blobs for Store {
    fn put(&self, source: &mut dyn Read) -> twofold_model::Result<(BlobId, u64)> {
        let put = Store::put(self, source)?;
        Ok((id(&put.hash)?, put.size))
    }

    fn open(&self, id: &BlobId) -> twofold_model::Result<Box<dyn Read + Send>> {
        Ok(Box::new(self.get(&hash(id)?)?))
    }

    fn flush(&self) -> twofold_model::Result<()> {
        Ok(Store::flush(self)?)
    }

    fn has(&self, id: &BlobId) -> twofold_model::Result<bool> {
        Ok(Store::has(self, &hash(id)?)?)
    }

    fn list(&self, first: u8) -> twofold_model::Result<Vec<BlobId>> {
        self.hashes_in(first)?.iter().map(id).collect()
    }

    fn remove(&self, id: &BlobId) -> twofold_model::Result<()> {
        Store::remove(self, &hash(id)?)?;
        Ok(())
    }
}

/// The same name in the store's words.
fn hash(id: &BlobId) -> twofold_model::Result<Hash> {
    let wrong = |_| twofold_model::Error::new(ErrorKind::Broken, format!("{id} is no name of a blob"));
    id.as_str().parse().map_err(wrong)
}

/// The same name in the model's words.
fn id(hash: &Hash) -> twofold_model::Result<BlobId> {
    BlobId::parse(&hash.to_string())
        .ok_or_else(|| twofold_model::Error::new(ErrorKind::Broken, format!("{hash} is no name of a blob")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connector_puts_bytes_and_reads_them_back_under_the_model_s_name() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("blobs")).unwrap();
        let blobs: &dyn Blobs = &store;
        let (name, size) = blobs.put(&mut &b"Subject: x\r\n\r\nbody"[..]).unwrap();
        assert_eq!((name.clone(), size), (BlobId::of(b"Subject: x\r\n\r\nbody"), 18));
        blobs.flush().unwrap();
        let mut back = Vec::new();
        blobs.open(&name).unwrap().read_to_end(&mut back).unwrap();
        assert_eq!(back, b"Subject: x\r\n\r\nbody");
        let absent = blobs.open(&BlobId::of(b"other")).err().unwrap();
        assert_eq!(absent.kind, ErrorKind::NotFound);
    }

    #[test]
    fn a_blob_is_listed_under_the_first_digits_of_its_name_until_it_is_let_go() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("blobs")).unwrap();
        let blobs: &dyn Blobs = &store;
        let (name, _) = blobs.put(&mut &b"bytes"[..]).unwrap();
        let first = u8::from_str_radix(&name.as_str()[..2], 16).unwrap();
        assert_eq!(blobs.list(first).unwrap(), std::slice::from_ref(&name));
        assert_eq!(blobs.list(!first).unwrap(), []);
        assert!(blobs.has(&name).unwrap());
        for _ in 0..2 {
            blobs.remove(&name).unwrap();
            assert!(!blobs.has(&name).unwrap());
            assert_eq!(blobs.list(first).unwrap(), []);
        }
    }
}
