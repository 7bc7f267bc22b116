//! An answer that is too large for memory: kept in a file without a name, which is gone when nobody reads it any more.

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write as _};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;

/// An answer is held in memory up to so many bytes, where its request allows otherwise ([`Request::spills`](crate::Request::spills)).
pub const HELD: usize = 8 << 20;

/// The bytes of an answer, or a part of them, on the disk.
#[derive(Clone)]
pub struct Spilled {
    file: Arc<File>,
    range: Range<u64>,
}

impl Spilled {
    /// Nothing yet, in a file without a name below that folder, for its owner only.
    ///
    /// # Errors
    /// Where the disk takes none.
    pub fn within(folder: &Path) -> io::Result<Self> {
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        let file = match rustix::fs::open(folder, flags, Mode::RUSR | Mode::WUSR) {
            Ok(file) => File::from(file),
            // A file system that knows no such files (open(2)): it has a name for a moment.
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::NOENT) => tempfile::NamedTempFile::new_in(folder)?.into_file(),
            Err(errno) => return Err(errno.into()),
        };
        Ok(Self { file: Arc::new(file), range: 0..0 })
    }

    /// Adds bytes at the end.
    ///
    /// # Errors
    /// Where the disk takes no more.
    pub fn add(&mut self, bytes: &[u8]) -> io::Result<()> {
        (&*self.file).write_all(bytes)?;
        self.range.end += bytes.len() as u64;
        Ok(())
    }

    /// How many bytes there are.
    pub fn length(&self) -> u64 {
        self.range.end - self.range.start
    }

    /// A part of it; what would lie beyond its end is left out.
    pub fn part(&self, part: Range<u64>) -> Self {
        let end = self.range.end.min(self.range.start.saturating_add(part.end));
        let start = end.min(self.range.start.saturating_add(part.start));
        Self { file: Arc::clone(&self.file), range: start..end }
    }

    /// All of it, to be read from its beginning.
    pub fn reader(&self) -> SpilledReader {
        SpilledReader { left: self.clone() }
    }

    /// The bytes of a part, in memory.
    ///
    /// # Errors
    /// Where the disk fails.
    pub fn bytes(&self, part: Range<u64>) -> io::Result<Vec<u8>> {
        let part = self.part(part);
        let mut bytes = Vec::with_capacity(usize::try_from(part.length()).unwrap_or_default());
        part.reader().read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Where these bytes stand next, from a place on.
    ///
    /// # Errors
    /// Where the disk fails.
    pub fn find(&self, what: &[u8], from: u64) -> io::Result<Option<u64>> {
        const WINDOW: u64 = 256 * 1024;
        let mut at = from;
        while at < self.length() {
            let window = self.bytes(at..at + WINDOW + what.len() as u64)?;
            if let Some(found) = window.windows(what.len().max(1)).position(|bytes| bytes == what) {
                return Ok(Some(at + found as u64));
            }
            at += WINDOW;
        }
        Ok(None)
    }
}

impl PartialEq for Spilled {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.file, &other.file) && self.range == other.range
    }
}

impl fmt::Debug for Spilled {
    // Invariant: none of the bytes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Spilled({} bytes)", self.length())
    }
}

/// Reads what was spilled.
pub struct SpilledReader {
    left: Spilled,
}

impl Read for SpilledReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(usize::try_from(self.left.length()).unwrap_or(usize::MAX));
        let count = self.left.file.read_at(&mut buffer[..most], self.left.range.start)?;
        if count == 0 && most > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left.range.start += count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_spilled_is_read_whole_and_in_parts_and_leaves_no_file() {
        let dir = tempfile::tempdir().unwrap();
        let mut spilled = Spilled::within(dir.path()).unwrap();
        let bytes: Vec<u8> = (0..700_000_u32).map(|at| (at % 251) as u8).collect();
        bytes.chunks(1_000).for_each(|chunk| spilled.add(chunk).unwrap());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        assert_eq!(spilled.length(), 700_000);
        for part in [0..700_000, 5..10, 699_990..900_000, 800_000..900_000] {
            let (start, end) = (part.start.min(700_000) as usize, part.end.min(700_000) as usize);
            assert!(spilled.bytes(part.clone()).unwrap() == bytes[start..end], "{part:?}");
        }
        let inner = spilled.part(100..400_000).part(100..200);
        assert!(inner.bytes(0..900).unwrap() == bytes[200..300]);
    }

    #[test]
    fn bytes_are_found_also_where_two_windows_meet() {
        let dir = tempfile::tempdir().unwrap();
        let mut spilled = Spilled::within(dir.path()).unwrap();
        spilled.add(&vec![b'.'; 256 * 1024 - 3]).unwrap();
        spilled.add(b"--mark").unwrap();
        spilled.add(&vec![b'.'; 300_000]).unwrap();
        let at = 256 * 1024 - 3;
        assert_eq!(spilled.find(b"--mark", 0).unwrap(), Some(at));
        assert_eq!(spilled.find(b"--mark", at).unwrap(), Some(at));
        assert_eq!(spilled.find(b"--mark", at + 1).unwrap(), None);
        assert_eq!(spilled.find(b"--mark", 9_999_999).unwrap(), None);
    }
}
