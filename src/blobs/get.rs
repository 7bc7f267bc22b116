//! One blob on its way out: unpacked and hashed as it is read.

use crate::{Error, Hash, Result};
use std::fs::File;
use std::io::{self, BufReader, Read};

/// The bytes of one blob, as they were put. They are known to be right once the end was reached: a reader that stops before it has
/// not been told of damage further on, nor of damage in what it read.
pub struct Blob {
    hash: Hash,
    frame: zstd::Decoder<'static, BufReader<File>>,
    hasher: blake3::Hasher,
    length: u64,
}

impl Blob {
    pub(crate) fn new(hash: Hash, file: File) -> Result<Self> {
        let frame = zstd::Decoder::new(file).map_err(Error::disk(format!("unpacking the blob {hash}")))?;
        Ok(Self { hash, frame, hasher: blake3::Hasher::new(), length: 0 })
    }

    /// Reads to the end and gives the number of bytes.
    pub(crate) fn drain(&mut self) -> Result<u64> {
        // Longer than the pieces in which bytes come out of the frame.
        let mut buffer = vec![0; 128 * 1024];
        while self.next(&mut buffer)? > 0 {}
        Ok(self.length)
    }

    /// Reads all of it, as long as it fits.
    pub(crate) fn collect(&mut self, most: u64) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut buffer = vec![0; 128 * 1024];
        loop {
            match self.next(&mut buffer)? {
                0 => return Ok(bytes),
                _ if self.length > most => return Err(Error::TooLarge { hash: self.hash, most }),
                count => bytes.extend_from_slice(&buffer[..count]),
            }
        }
    }

    /// The next bytes; none at the end, if the whole is what its name says.
    fn next(&mut self, buffer: &mut [u8]) -> Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let count = loop {
            match self.frame.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        match count {
            Ok(0) if Hash::of_hasher(&self.hasher) == self.hash => Ok(0),
            Ok(0) => Err(Error::rotten(self.hash, "other bytes than were stored")),
            Ok(count) => {
                self.hasher.update(&buffer[..count]);
                self.length += count as u64;
                Ok(count)
            }
            // What the system says has a number of the system; the rest is what the frame says of itself.
            Err(error) if error.raw_os_error().is_some() => {
                Err(Error::Disk { doing: format!("reading the blob {}", self.hash), source: error })
            }
            Err(error) => Err(Error::rotten(self.hash, error.to_string())),
        }
    }
}

impl Read for Blob {
    /// Damage is an error of the kind [`io::ErrorKind::InvalidData`] with [`Error::Rotten`] inside.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.next(buffer).map_err(|error| match error {
            Error::Disk { source, .. } => source,
            other => io::Error::new(io::ErrorKind::InvalidData, other),
        })
    }
}
