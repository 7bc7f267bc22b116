//! Maildir++: mail as other programs read and write it.
//!
//! `ROOT/PROVIDER/mail/` is a Maildir whose own `new`, `cur` and `tmp` are the INBOX; `.Sub.Folder` beside them is the folder `Sub/Folder`,
//! a Maildir again. A message is a file: written in `tmp`, moved to `new` if nobody has seen it yet, else to `cur`, where its flags
//! stand behind its base name. Programs rename files whenever a flag changes, and never change one in place.
//!
//! Each Maildir is a collection and a feed of its own, with a marker beside its three folders. A remote id is the collection's id and the
//! base; the etag says the rest of the name (where the file stands, its flags), so that a scan asks for names only.
//!
//! What must hold:
//! * *A base name is for life.* Whoever gave it (mbsync's `,U=`, offlineimap's `,FMD5=`, Dovecot's `,S=`), only what stands behind the
//!   separator is ever written anew; mbsync's number alone stays behind in the folder whose it is.
//! * *Nobody's flag is overwritten unseen.* A rename names the old flags, so it fails where somebody changed them; no rename
//!   lands on a name that is taken.
//! * *Nothing reads half a message, and no power cut leaves one.* Bytes are on the disk before the file leaves `tmp`.
//! * *A message that moves while a folder is read is not gone.* See `look`.
//! * *A base stands in a folder once.* Where another program left two files of one, they are settled before anything is told (`twins`).
//! * `dovecot-uidlist`, and whatever other programs keep for themselves, is not ours to write.
//!
//! Rooms, pure: `ids`, `name` (file names and flags), `keywords` (flags and letters as keywords), `folder` (folder names). On the disk:
//! `listing` (the names in a Maildir), `tree` and `collections` (which folders there are; made, renamed, taken away), `message` (a file as a
//! copy), `packed` (files that Dovecot compressed), `scan` (what changed), `twins` (two files of one base), `look` (a second look, in every folder), `lay` (another tool's messages), `write`, `deliver`, `change` and `at` (a batch, new bytes, changes of names, what is there), `words` and `subscriptions`
//! (two files of Dovecot's, under its own locks: `dotlock`).

mod at;
mod change;
mod collections;
mod deliver;
mod dotlock;
pub(crate) mod folder;
mod ids;
mod keywords;
pub(crate) mod lay;
mod listing;
mod look;
mod message;
pub(crate) mod name;
pub(crate) mod packed;
mod scan;
mod subscriptions;
mod tree;
mod twins;
mod words;
mod write;

pub(crate) use ids::is_folder;
pub(crate) use message::MOVING;

use crate::{Device, beneath};
use rustix::fd::OwnedFd;
use twofold_model::Blobs;

/// The room of messages at a device.
#[derive(Clone, Copy)]
pub(crate) struct Room<'a> {
    pub device: &'a Device,
    pub blobs: &'a dyn Blobs,
}

/// A path as somebody types it.
fn typed(path: &std::path::Path) -> String {
    format!("'{}'", path.to_string_lossy().replace('\'', "'\\''"))
}

/// One Maildir, opened: its three folders, none of them through a link.
pub(crate) struct Maildir {
    /// Messages on their way in.
    pub tmp: OwnedFd,
    /// Messages that no program has looked at yet.
    pub new: OwnedFd,
    /// All others.
    pub cur: OwnedFd,
}

impl Maildir {
    /// Opens the Maildir in that folder; fails where one of the three is not there, or is a link or a file.
    pub fn open(folder: &OwnedFd) -> rustix::io::Result<Maildir> {
        let open = |name: &[u8]| beneath::open_folder(folder, name);
        Ok(Maildir { tmp: open(b"tmp")?, new: open(b"new")?, cur: open(b"cur")? })
    }

    /// The folder of a place.
    pub fn place(&self, place: Place) -> &OwnedFd {
        match place {
            Place::New => &self.new,
            Place::Cur => &self.cur,
        }
    }
}

/// Where in a Maildir a message stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Place {
    /// `new`: no program has looked at it; it has no flags.
    New,
    /// `cur`.
    Cur,
}

impl Place {
    /// The name of its folder.
    pub fn as_str(self) -> &'static str {
        match self {
            Place::New => "new",
            Place::Cur => "cur",
        }
    }
}
