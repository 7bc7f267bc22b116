//! One blob on its way in: hashed and packed as it is read; a large one under a name in `tmp/` until it is whole.

use crate::{Error, Hash, Result};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{AtFlags, Mode, OFlags};
use std::fs::File;
use std::io::{self, Read, Write};
use zstd::zstd_safe::{self, CCtx, CParameter};

/// How hard zstd tries (its own default): mails shrink to a third, and packing costs less than the file around it.
const LEVEL: i32 = 3;

/// A blob is read in pieces of this many bytes. One that is shorter than that is small, and is packed at once.
pub(crate) const PIECE: usize = 128 * 1024;

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
    context: CCtx<'static>,
    piece: Vec<u8>,
    packed: Vec<u8>,
}

impl Packer {
    pub fn new() -> Self {
        let packed = Vec::with_capacity(zstd_safe::compress_bound(PIECE));
        Self { context: CCtx::create(), piece: vec![0; PIECE], packed }
    }

    /// Reads the first piece; how many bytes it has. Where that is less than [`PIECE`], the source has no more.
    pub fn begin(&mut self, source: &mut impl Read) -> Result<usize> {
        let level = CParameter::CompressionLevel(LEVEL);
        self.context.set_parameter(level).map_err(|code| full(named(code)))?;
        fill(source, &mut self.piece).map_err(Error::Source)
    }

    /// Packs a source that is no longer than its first piece, which was read; gives the name and the packed bytes.
    pub fn pack_small(&mut self, count: usize) -> Result<(Hash, &[u8])> {
        let bytes = &self.piece[..count];
        self.packed.clear();
        self.context.compress2(&mut self.packed, bytes).map_err(|code| full(named(code)))?;
        Ok((Hash::of(bytes), &self.packed))
    }

    /// Packs all that `source` has into `file`, after the first piece, which was read; gives the name and the number of bytes.
    pub fn pack_large(&mut self, mut source: impl Read, file: impl Write) -> Result<(Hash, u64)> {
        let piece = &mut self.piece;
        let mut hasher = blake3::Hasher::new();
        let mut frame = zstd::Encoder::with_context(file, &mut self.context);
        let (mut count, mut size) = (PIECE, 0);
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

/// Counts what is written.
pub(crate) struct Counted(pub u64);

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn full(source: io::Error) -> Error {
    Error::Disk { doing: "writing a blob".into(), source }
}

/// What zstd calls an error.
fn named(code: usize) -> io::Error {
    io::Error::other(zstd_safe::get_error_name(code))
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
