//! One blob on its way in: hashed and packed as it is read, under a name in `tmp/` until it is whole.

use crate::{Error, Hash, Result};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{AtFlags, Mode, OFlags};
use std::fs::File;
use std::io::{self, Read, Write as _};
use zstd::zstd_safe::CParameter;

/// How hard zstd tries (its own default): mails shrink to a third, and packing costs less than the file around it.
const LEVEL: i32 = 3;

/// A blob is read in pieces of this many bytes. What fits in one is packed with its length known, which takes less memory.
const PIECE: usize = 128 * 1024;

/// What was put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Put {
    /// Its name.
    pub hash: Hash,
    /// How many bytes it has.
    pub size: u64,
    /// Whether it was not there before, whole.
    pub is_new: bool,
}

/// A file in `tmp/`. Dropped before it got its name, it is removed.
pub(crate) struct Temp<'a> {
    folder: &'a OwnedFd,
    name: String,
    is_done: bool,
}

impl<'a> Temp<'a> {
    /// A new file of that name, for its owner only.
    pub fn create(folder: &'a OwnedFd, name: String) -> io::Result<(Self, File)> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(folder, &name, flags, Mode::RUSR | Mode::WUSR)?;
        Ok((Self { folder, name, is_done: false }, File::from(file)))
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// The folder in which the file stands.
    pub fn folder(&self) -> impl AsFd + use<'a> {
        self.folder.as_fd()
    }

    /// Says that the file got its name, and is no longer here.
    pub fn done(mut self) {
        self.is_done = true;
    }
}

impl Drop for Temp<'_> {
    fn drop(&mut self) {
        if !self.is_done {
            // That it stays behind is no failure: the next open removes it.
            let _ = rustix::fs::unlinkat(self.folder, &self.name, AtFlags::empty());
        }
    }
}

/// What packing takes: making it anew costs more than packing a small message.
pub(crate) struct Packer {
    context: zstd::zstd_safe::CCtx<'static>,
    piece: Vec<u8>,
}

impl Packer {
    pub fn new() -> Self {
        Self { context: zstd::zstd_safe::CCtx::create(), piece: vec![0; PIECE] }
    }

    /// Packs all that `source` has into `file`; gives the name and the number of bytes.
    pub fn pack(&mut self, mut source: impl Read, file: File) -> Result<(Hash, u64)> {
        let full = |source| Error::Disk { doing: "writing a blob".into(), source };
        let (context, piece) = (&mut self.context, &mut self.piece);
        let mut hasher = blake3::Hasher::new();
        let mut size = 0;
        let mut count = fill(&mut source, piece).map_err(Error::Source)?;
        let level = CParameter::CompressionLevel(LEVEL);
        context.set_parameter(level).map_err(|code| full(io::Error::other(zstd::zstd_safe::get_error_name(code))))?;
        let mut frame = zstd::Encoder::with_context(file, context);
        if count < PIECE {
            frame.set_pledged_src_size(Some(count as u64)).map_err(full)?;
        }
        while count > 0 {
            hasher.update(&piece[..count]);
            frame.write_all(&piece[..count]).map_err(full)?;
            size += count as u64;
            // A piece that was not full was the last.
            count = if count < PIECE { 0 } else { fill(&mut source, piece).map_err(Error::Source)? };
        }
        frame.finish().map_err(full)?;
        Ok((Hash::of_hasher(&hasher), size))
    }
}

/// Reads until the buffer is full or the source has no more; gives the number of bytes.
fn fill(source: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match source.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
