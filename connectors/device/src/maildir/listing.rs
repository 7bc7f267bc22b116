//! The names in a Maildir, read so that a message which moves meanwhile is not missed.
//!
//! `readdir` may pass by an entry that is renamed while it reads. So the stamps of the folders are compared before and after, and a folder
//! that changed is read again. Stamps move in ticks, so this alone proves nothing: what a listing lacks is looked for once
//! more (`look`).

use super::name::{FileName, SEPARATOR};
use super::{Maildir, Place};
use crate::scan::Stamp;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{FileType, Mode, OFlags, RawDir};

/// So often a folder that changes under the reader is read.
const TRIES: usize = 5;

/// Separators in use; all but the first on file systems that know no `:` in names.
const SEPARATORS: [u8; 3] = [SEPARATOR, b';', b'!'];

/// One name.
pub struct File {
    pub place: Place,
    pub name: Vec<u8>,
    /// What the listing said it is, which may be nothing.
    pub file_type: FileType,
}

impl File {
    /// A file of that name, of which nobody asked what it is.
    pub fn named(place: Place, name: Vec<u8>) -> File {
        File { place, name, file_type: FileType::Unknown }
    }
}

/// All names of a Maildir.
pub struct Listing {
    pub files: Vec<File>,
    /// What stands between base and flags here.
    pub separator: u8,
}

impl Listing {
    /// A file's name, taken apart. In `new` nobody needs flags, but offlineimap writes the separator there too.
    pub fn parse(&self, file: &File) -> FileName {
        FileName::parse(&file.name, self.separator)
    }
}

/// Reads the names of a Maildir, hidden ones left out.
pub fn list(maildir: &Maildir) -> rustix::io::Result<Listing> {
    let mut files = Vec::new();
    for _ in 0..TRIES {
        let before = stamps(maildir)?;
        files.clear();
        // `new` first: what moves on to `cur` meanwhile is met there.
        for place in [Place::New, Place::Cur] {
            let add = |name: &[u8], file_type| {
                if !name.starts_with(b".") {
                    files.push(File { place, name: name.to_vec(), file_type });
                }
            };
            entries(maildir.place(place), add)?;
        }
        if stamps(maildir)? == before {
            break;
        }
    }
    let separator = separator_of(&files);
    Ok(Listing { files, separator })
}

fn separator_of(files: &[File]) -> u8 {
    let has = |separator: u8| {
        let is_used = |name: &[u8]| name.windows(3).any(|three| three == [separator, b'2', b',']);
        files.iter().any(|file| is_used(&file.name))
    };
    SEPARATORS.into_iter().find(|separator| has(*separator)).unwrap_or(SEPARATOR)
}

/// Tells whether the folders of a Maildir changed: for each its device, and what the file system says of its state.
pub(crate) type Stamps = [(rustix::fs::Dev, Stamp); 2];

/// The stamps of `new` and `cur`.
pub(crate) fn stamps(maildir: &Maildir) -> rustix::io::Result<Stamps> {
    let of = |folder: &OwnedFd| rustix::fs::fstat(folder).map(|stat| (stat.st_dev, Stamp::of(&stat)));
    Ok([of(&maildir.new)?, of(&maildir.cur)?])
}

/// Reads a folder to its end, `.` and `..` left out, or fails: a part of a listing is no listing.
pub fn entries(folder: impl AsFd, mut each: impl FnMut(&[u8], FileType)) -> rustix::io::Result<()> {
    // A handle of its own: reading moves a handle's position.
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let handle = rustix::fs::openat(folder, c".", flags, Mode::empty())?;
    let mut buffer: Vec<u8> = Vec::with_capacity(64 * 1024);
    let mut entries = RawDir::new(handle, buffer.spare_capacity_mut());
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            each(name, entry.file_type());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::beneath::open_root;

    fn maildir(files: &[&str]) -> (tempfile::TempDir, Maildir) {
        let dir = tempfile::tempdir().unwrap();
        for part in ["tmp", "new", "cur"] {
            std::fs::create_dir(dir.path().join(part)).unwrap();
        }
        for file in files {
            std::fs::write(dir.path().join(file), "x").unwrap();
        }
        let maildir = Maildir::open(&open_root(dir.path()).unwrap()).unwrap();
        (dir, maildir)
    }

    #[test]
    fn messages_stand_in_new_and_cur_and_nowhere_else() {
        let (_dir, maildir) = maildir(&["new/a", "new/o:2,", "cur/b:2,S", "cur/.hidden", "tmp/c", "d"]);
        let listing = list(&maildir).unwrap();
        let found: Vec<_> = listing.files.iter().map(|file| (file.place, listing.parse(file))).collect();
        let name = |base: &str, flags: &str| FileName { base: base.into(), flags: flags.bytes().collect() };
        let mut expected = vec![(Place::New, name("a", "")), (Place::New, name("o", "")), (Place::Cur, name("b", "S"))];
        expected.sort_by_key(|(_, name)| name.base.clone());
        let mut found = found;
        found.sort_by_key(|(_, name)| name.base.clone());
        assert_eq!(found, expected);
    }

    #[test]
    fn a_folder_keeps_the_separator_that_it_has() {
        for (file, separator) in [("cur/a:2,S", b':'), ("cur/a;2,S", b';'), ("cur/a!2,", b'!'), ("cur/a", b':')] {
            assert_eq!(list(&maildir(&[file]).1).unwrap().separator, separator, "{file}");
        }
        assert_eq!(list(&maildir(&["cur/a;2,S", "cur/b:2,S"]).1).unwrap().separator, b':');
    }
}
