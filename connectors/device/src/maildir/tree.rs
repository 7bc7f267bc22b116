//! The trees of a device, one for each provider, and the Maildirs in them.

use super::ids::{self, INBOX};
use super::{Maildir, Room, folder, listing};
use crate::beneath::{self, refused};
use crate::marker::{self, CollectionMarker, CollectionState};
use crate::names;
use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, FileType};
use rustix::io::Errno;
use std::path::{Path, PathBuf};
use twofold_model::email::{Role, path};
use twofold_model::{Access, Collection, CollectionId, Error, ErrorKind, Kind, Result};

/// A folder that is called as the Maildir at the root is in ids. No folder has this name.
const NAMED_INBOX: &[u8] = b"INBOX/";

/// A provider's own name on the device, and its tree.
pub type Tree = (Vec<u8>, OwnedFd);

/// A Maildir of a tree.
pub struct Found {
    pub collection: Collection,
    /// What the hub knows the folder as: what its marker says, until the hub is told that it was renamed. A copy of a folder is one of its
    /// own.
    pub known: CollectionId,
    /// [`INBOX`], or the folder's own name.
    pub name: Vec<u8>,
    /// Which folder this is to the kernel. None is held open: a tree may have more of them than a process may open.
    identity: (u64, u64),
    pub state: CollectionState,
    /// The marker, where it is this replica's.
    pub marker: Option<CollectionMarker>,
}

/// Whether a folder has one of the two in which messages stand, and so is what is left of a Maildir, or becomes one.
fn is_half(folder: &OwnedFd) -> bool {
    ["cur", "new"].into_iter().any(|part| {
        let stat = rustix::fs::statat(folder, part, AtFlags::SYMLINK_NOFOLLOW);
        stat.is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Directory)
    })
}

impl Found {
    /// The marker's key.
    pub fn key(&self) -> Option<&str> {
        self.marker.as_ref()?.key.as_deref()
    }
}

/// What a folder without a marker is called.
pub fn own_name(name: &[u8]) -> String {
    let called = String::from_utf8_lossy(name).into_owned();
    if name == INBOX { called } else { path::join(folder::read(&called).iter().flatten().map(String::as_str)) }
}

fn identity(folder: &OwnedFd, id: &CollectionId) -> Result<(u64, u64)> {
    let stat = rustix::fs::fstat(folder).map_err(|errno| refused(errno, format!("looking at {id}")))?;
    Ok((stat.st_dev, stat.st_ino))
}

impl Room<'_> {
    /// Every provider's folder.
    pub(super) fn providers(&self, root: &OwnedFd) -> Result<Vec<Vec<u8>>> {
        self.device.subfolders(root, "")
    }

    /// The folder of a provider's tree; nothing where it is not there.
    pub(super) fn tree(&self, root: &OwnedFd, provider: &[u8]) -> Result<Option<OwnedFd>> {
        let kind = Kind::Mail.as_str().as_bytes();
        let id = names::join(&[provider, kind]);
        let Some(folder) = self.device.enter(root, provider, &id)? else { return Ok(None) };
        self.device.enter(&folder, kind, &id)
    }

    /// The trees of all providers, and the providers whose tree is there and cannot be read (of another user, or a link): each is as if it
    /// were closed folder by folder, and no other one's business.
    pub(super) fn trees(&self, root: &OwnedFd) -> Result<(Vec<Tree>, Vec<Vec<u8>>)> {
        let (mut open, mut closed) = (Vec::new(), Vec::new());
        for provider in self.providers(root)? {
            match self.tree(root, &provider) {
                Ok(Some(tree)) => open.push((provider, tree)),
                Ok(None) => {}
                Err(error) if error.kind == ErrorKind::Forbidden => closed.push(provider),
                Err(error) => return Err(error),
            }
        }
        Ok((open, closed))
    }

    /// The Maildirs of a tree, those included that nothing marks.
    pub(super) fn folders(&self, tree: &OwnedFd, provider: &[u8]) -> Result<Vec<Found>> {
        Ok(self.folders_and_closed(tree, provider)?.0)
    }

    /// The Maildirs of a tree, and the folders that may be some and cannot be read, or are called as no mailbox can be.
    pub(super) fn folders_and_closed(
        &self,
        tree: &OwnedFd,
        provider: &[u8],
    ) -> Result<(Vec<Found>, Vec<CollectionId>)> {
        let called = self.folder_names(tree, provider)?;
        let (mut all, mut closed) = (Vec::new(), Vec::new());
        for name in called {
            if name == NAMED_INBOX {
                closed.push(CollectionId(names::join(&[provider, Kind::Mail.as_str().as_bytes(), INBOX, b"cur"])));
                continue;
            }
            let id = ids::folder_id(provider, &name);
            let opened = self.open_beneath(tree, &name, &id).and_then(|folder| {
                folder.map(|folder| self.device.marker_in(&folder, &id).map(|marker| (folder, marker))).transpose()
            });
            let (folder, (state, marker)) = match opened {
                Ok(Some(opened)) => opened,
                Ok(None) => continue,
                // A right that is missing, or a marker that cannot be understood.
                Err(error) if matches!(error.kind, ErrorKind::Forbidden | ErrorKind::Held) => {
                    closed.push(id);
                    continue;
                }
                Err(error) => return Err(error),
            };
            // A folder that lost one of its three is still the one that its marker says. One without a marker may be one of ours as well.
            if state == CollectionState::Unmarked
                && let Err(errno) = Maildir::open(&folder)
            {
                let may_be_ours = name == INBOX || name.starts_with(b".");
                if errno != Errno::NOENT || may_be_ours && is_half(&folder) {
                    closed.push(id);
                }
                continue;
            }
            if !ids::is_folder_name(&name) {
                closed.push(id);
                continue;
            }
            let called = String::from_utf8_lossy(&name).into_owned();
            let named = marker.as_ref().and_then(|marker| marker.named.clone()).filter(|named| named.folder == called);
            let is_inbox = name == INBOX;
            let rights = rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK;
            let access = match rustix::fs::accessat(&folder, c".", rights, AtFlags::empty()) {
                Ok(()) => Access::ReadWrite,
                Err(_) => Access::ReadOnly,
            };
            let collection = Collection {
                kind: Kind::Mail,
                name: named.map_or_else(|| own_name(&name), |named| named.name),
                color: None,
                is_default: is_inbox,
                role: is_inbox.then_some(Role::Inbox),
                access,
                id,
            };
            let identity = identity(&folder, &collection.id)?;
            all.push(Found { known: collection.id.clone(), collection, name, identity, state, marker });
        }
        for at in 0..all.len() {
            let CollectionState::OtherFolder { was } = &all[at].state else { continue };
            // A copy of a folder that is still there is no rename. Of two copies nobody can tell which one it is.
            let is_same = |other: &Found| match &other.state {
                CollectionState::OtherFolder { was: others } => others == was,
                // A folder that somebody made under the old name is another one.
                CollectionState::Unmarked => false,
                _ => other.collection.id == *was,
            };
            let is_of_this_tree = ids::folder_of(was).is_ok_and(|(of, _)| of == provider);
            if is_of_this_tree && all[at].name != INBOX && all.iter().filter(|other| is_same(other)).count() == 1 {
                all[at].known = was.clone();
            }
        }
        Ok((all, closed))
    }

    /// Why nothing is known of a folder that is closed, and what to do.
    pub(super) fn closed(&self, id: &CollectionId) -> (String, &'static str) {
        let path = self.path(id);
        let is_there = |part: &str| path.join(part).is_dir();
        match ids::is_folder(id) {
            true if !path.join(marker::COLLECTION_MARKER).exists()
                && ["cur", "new"].into_iter().any(is_there)
                && !["cur", "new", "tmp"].into_iter().all(is_there) =>
            {
                (
                    format!("{} has no marker, and lacks one of its folders tmp, new and cur", path.display()),
                    "bring it back; or make what it lacks (mkdir), or, where it is no mailbox, give it a name without a dot before it",
                )
            }
            true => (
                format!("{} cannot be read", path.display()),
                "let this user read it; where its .twofold-collection is damaged, delete that",
            ),
            false => (format!("{} is called as no mailbox can be", path.display()), "give it another name"),
        }
    }

    /// Opens a Maildir that was found, and no other that came to its name since.
    pub(super) fn enter_found(&self, tree: &OwnedFd, found: &Found) -> Result<OwnedFd> {
        let id = &found.collection.id;
        match self.open_beneath(tree, &found.name, id)? {
            Some(folder) if identity(&folder, id)? == found.identity => Ok(folder),
            _ => Err(Error::new(
                ErrorKind::Unknown,
                "the folder was moved in this moment; it is looked at the next time",
            )
            .at(id)),
        }
    }

    /// Names of folders that may be Maildirs, in order; links are none. One without a dot before it is a mailbox to no program that reads
    /// Maildir++, and some make it all the same.
    fn folder_names(&self, tree: &OwnedFd, provider: &[u8]) -> Result<Vec<Vec<u8>>> {
        let mut names = vec![INBOX.to_vec()];
        let mut unsure = Vec::new();
        let read = listing::entries(tree, |name, file_type| match (name, file_type) {
            (b"cur" | b"new" | b"tmp", _) => {}
            (_, FileType::Directory) if name.starts_with(b".") => names.push(name.to_vec()),
            (_, FileType::Directory | FileType::Unknown) => unsure.push(name.to_vec()),
            _ => {}
        });
        let failed = |errno| refused(errno, format!("listing {}/{}", String::from_utf8_lossy(provider), Kind::Mail));
        read.map_err(failed)?;
        let is_folder = |name: &[u8]| -> Result<bool> {
            let stat = match beneath::stat(tree, name) {
                Err(errno) if beneath::is_denied(errno) => None,
                stat => stat.map_err(failed)?,
            };
            Ok(stat.is_some_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Directory))
        };
        for name in unsure {
            if is_folder(&name)? && (name.starts_with(b".") || is_folder(&[name.as_slice(), b"/cur"].concat())?) {
                names.push(if name == INBOX { NAMED_INBOX.to_vec() } else { name });
            }
        }
        names.sort();
        Ok(names)
    }

    /// Opens a folder of a tree by its name.
    pub(super) fn open_beneath(&self, tree: &OwnedFd, name: &[u8], id: &CollectionId) -> Result<Option<OwnedFd>> {
        if name != INBOX {
            return self.device.enter(tree, name, id.as_str());
        }
        tree.try_clone()
            .map(Some)
            .map_err(|e| Error::new(ErrorKind::Offline, format!("opening {id}: {e}")).with_source(e))
    }

    /// Opens the folder of that very name.
    pub(super) fn open(&self, root: &OwnedFd, id: &CollectionId) -> Result<Option<OwnedFd>> {
        let (provider, name) = ids::folder_of(id)?;
        match self.tree(root, &provider)? {
            Some(tree) => self.open_beneath(&tree, &name, id),
            None => Ok(None),
        }
    }

    /// Opens a collection's folder: the one of its name, else the one that carries its marker, for until the hub is told it goes by
    /// its old name.
    pub(crate) fn locate(&self, root: &OwnedFd, id: &CollectionId) -> Result<Option<OwnedFd>> {
        if let Some(folder) = self.open(root, id)? {
            return Ok(Some(folder));
        }
        let (provider, _) = ids::folder_of(id)?;
        let Some(tree) = self.tree(root, &provider)? else { return Ok(None) };
        let all = self.folders(&tree, &provider)?;
        all.iter().find(|found| found.known == *id).map(|found| self.enter_found(&tree, found)).transpose()
    }

    /// The Maildir of a collection, provided that its marker stands.
    pub(super) fn marked(&self, root: &OwnedFd, id: &CollectionId) -> Result<(OwnedFd, Maildir)> {
        let folder = self.device.marked_collection(root, id)?;
        let maildir = self.maildir(&folder, id)?;
        Ok((folder, maildir))
    }

    /// Opens the three folders of a Maildir. One that lacks any is not whole: nothing is read or written there.
    pub(super) fn maildir(&self, folder: &OwnedFd, id: &CollectionId) -> Result<Maildir> {
        Maildir::open(folder).map_err(|errno| match errno {
            Errno::NOENT => {
                let message = format!(
                    "one of its folders tmp, new and cur is not there; is a disk not mounted? Nothing in it was written or deleted. Bring \
                     it back; or, if it is to be empty, make it in {} (mkdir)",
                    self.path(id).display()
                );
                Error::new(ErrorKind::Held, message)
            }
            errno => refused(errno, "opening tmp, new and cur"),
        })
    }

    /// Where the folder is on the disk: the inbox is the root of its tree.
    fn path(&self, id: &CollectionId) -> PathBuf {
        let path = self.device.path_of(id.as_str());
        match ids::folder_of(id) {
            Ok((_, name)) if name == INBOX => path.parent().map(Path::to_owned).unwrap_or(path),
            _ => path,
        }
    }

    /// Gives every folder that is marked, or every one of some, the marker of this replica, without a key.
    pub(crate) fn mark_anew(&self, root: &OwnedFd, of: Option<&[CollectionId]>) -> Result<()> {
        let is_one = |id: &CollectionId| of.is_none_or(|of| of.contains(id));
        let is_in = |provider: &&Vec<u8>| {
            let below = names::join(&[provider, Kind::Mail.as_str().as_bytes(), b""]);
            of.is_none_or(|of| of.iter().any(|id| id.as_str().starts_with(&below)))
        };
        let (trees, shut) = self.trees(root)?;
        if let Some(provider) = shut.iter().find(is_in) {
            let path = self.device.path_of(&names::join(&[provider, Kind::Mail.as_str().as_bytes()]));
            let message = format!("{} cannot be read, and is not marked; let this user read it", path.display());
            return Err(Error::new(ErrorKind::Forbidden, message));
        }
        for (provider, tree) in trees {
            let (folders, closed) = self.folders_and_closed(&tree, &provider)?;
            // What no mailbox can be called has no marker.
            if let Some(closed) = closed.iter().find(|closed| ids::is_folder(closed) && is_one(closed)) {
                let (why, mend) = self.closed(closed);
                let message = format!("{why}, and is not marked; {mend}");
                return Err(Error::new(ErrorKind::Forbidden, message));
            }
            for found in folders.into_iter().filter(|found| is_one(&found.known)) {
                let path = self.device.path_of(found.collection.id.as_str());
                let folder = self.enter_found(&tree, &found)?;
                let Some(Ok(old)) = marker::read_collection(&folder, &path)? else { continue };
                let new = CollectionMarker::new(&self.device.replica_id(), &found.collection.id, None);
                let marker = CollectionMarker { named: old.named, ..new };
                self.device.write_this_marker(&folder, &found.collection.id, &marker)?;
            }
        }
        Ok(())
    }
}
