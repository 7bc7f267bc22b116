//! One blob on its way out: unpacked and hashed as it is read.

use crate::put::PIECE;
use crate::{Error, Hash, Result};
use std::fs::File;
use std::io::{self, Read, Seek};
use std::sync::{Mutex, PoisonError};
use zstd::zstd_safe::{self, DCtx};

/// The bytes of one blob, as they were put. They are known to be right once the end was reached: a reader that stops before it has
/// not been told of damage further on, nor of damage in what it read.
pub struct Blob {
    hash: Hash,
    frame: Frame,
    hasher: blake3::Hasher,
    length: u64,
}

/// Where the bytes come from.
enum Frame {
    /// Unpacked already: most messages are small, and what unpacking a piece at a time takes costs more than they do.
    Whole(io::Cursor<Vec<u8>>),
    Pieces(Box<dyn Read + Send>),
}

/// A blob of so many bytes, packed or not, is unpacked at once. Bytes that do not shrink become a little longer when they are packed.
const SMALL: u64 = 2 * PIECE as u64;

impl Blob {
    /// A blob in its file; `contexts` are what unpacking takes, kept from one blob to the next.
    pub(crate) fn of_file(hash: Hash, mut file: File, contexts: &Mutex<Vec<DCtx<'static>>>) -> Result<Self> {
        let reading = || Error::disk(format!("reading the blob {hash}"));
        let mut packed = Vec::new();
        (&file).take(SMALL + 1).read_to_end(&mut packed).map_err(reading())?;
        if packed.len() as u64 <= SMALL {
            return Self::of_bytes(hash, packed, contexts);
        }
        file.rewind().map_err(reading())?;
        Self::in_pieces(hash, file)
    }

    /// A blob whose packed bytes are here.
    pub(crate) fn of_bytes(hash: Hash, packed: Vec<u8>, contexts: &Mutex<Vec<DCtx<'static>>>) -> Result<Self> {
        match whole(&packed, contexts) {
            Some(bytes) => Ok(Self::new(hash, Frame::Whole(io::Cursor::new(bytes)))),
            None => Self::in_pieces(hash, io::Cursor::new(packed)),
        }
    }

    fn in_pieces(hash: Hash, packed: impl Read + Send + 'static) -> Result<Self> {
        let frame = zstd::Decoder::new(packed).map_err(Error::disk(format!("unpacking the blob {hash}")))?;
        Ok(Self::new(hash, Frame::Pieces(Box::new(frame))))
    }

    fn new(hash: Hash, frame: Frame) -> Self {
        Self { hash, frame, hasher: blake3::Hasher::new(), length: 0 }
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
            let read = match &mut self.frame {
                Frame::Whole(bytes) => bytes.read(buffer),
                Frame::Pieces(frame) => frame.read(buffer),
            };
            match read {
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

/// All bytes of a small frame. `None`: it is none, or is damaged, which reading it piece by piece will tell.
fn whole(packed: &[u8], contexts: &Mutex<Vec<DCtx<'static>>>) -> Option<Vec<u8>> {
    let size = zstd_safe::get_frame_content_size(packed).ok().flatten().filter(|size| *size <= SMALL)?;
    // Invariant: not more than SMALL, which is far less than any `usize` holds.
    let mut bytes = Vec::with_capacity(size as usize);
    // Whoever panicked with the lock held had only pushed or popped.
    let free = || contexts.lock().unwrap_or_else(PoisonError::into_inner);
    let mut context = free().pop().unwrap_or_else(DCtx::create);
    let unpacked = context.decompress(&mut bytes, packed);
    free().push(context);
    unpacked.is_ok().then_some(bytes)
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
