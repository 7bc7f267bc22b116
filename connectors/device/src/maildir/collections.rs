//! Folders as collections: listed, made, renamed, taken away, and followed where somebody else renamed them.

use super::ids::{self, INBOX};
use super::listing;
use super::tree::{Found, own_name};
use super::{Room, deliver, folder, subscriptions};
use crate::atomic::NEW;
use crate::beneath::{self, refused};
use crate::marker::{COLLECTION_MARKER, CollectionMarker, CollectionState, Named};
use crate::names;
use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, RenameFlags};
use rustix::io::Errno;
use twofold_model::email::{Role, path};
use twofold_model::{Access, Collection, CollectionId, Error, ErrorKind, Kind, Removal, Result};

/// The three folders of a Maildir. `cur` last: a Maildir without it is none yet.
const PARTS: [&str; 3] = ["tmp", "new", "cur"];
/// The file by which delivery agents know a folder beside the INBOX (Maildir++).
const FOLDER_FILE: &str = "maildirfolder";

/// The names of a folder that is to be made or renamed.
struct Wish {
    /// What the user reads.
    name: String,
    path: Vec<String>,
    writing: folder::Writing,
}

impl Wish {
    fn new(name: &str, siblings: &[Found]) -> Wish {
        let writing = folder::writing_of(siblings.iter().map(|found| found.name.as_slice()));
        Wish { name: name.to_owned(), path: path::split(name), writing }
    }

    fn folder(&self, ordinal: usize) -> String {
        folder::safe_name(&self.path, ordinal, self.writing)
    }

    /// What is to be stored beside a folder whose own name says something else.
    fn named(&self, folder: &str) -> Option<Named> {
        let says = folder::read(folder);
        let is_said = says.as_deref().is_some_and(|path| path == self.path);
        (!is_said).then(|| Named { folder: folder.to_owned(), name: self.name.clone() })
    }
}

impl Room<'_> {
    /// Every folder, those included that somebody made, and those that cannot be read or are called as no mailbox can be.
    pub(crate) fn collections(&self, root: &OwnedFd) -> Result<Vec<Collection>> {
        let mut all = Vec::new();
        let (trees, shut) = self.trees(root)?;
        let shut = (Vec::new(), shut.iter().map(|provider| ids::folder_id(provider, INBOX)).collect());
        let folders = trees.iter().map(|(provider, tree)| self.folders_and_closed(tree, provider));
        for found in folders.chain([Ok(shut)]) {
            let (folders, closed) = found?;
            all.extend(folders.into_iter().map(|found| found.collection));
            all.extend(closed.into_iter().map(|id| {
                // What is called as no mailbox can be has no name.
                let name = ids::folder_of(&id).map(|(_, name)| name).unwrap_or_default();
                let is_default = name == INBOX;
                let role = is_default.then_some(Role::Inbox);
                let name = own_name(&name);
                Collection { id, kind: Kind::Mail, name, color: None, is_default, role, access: Access::Closed }
            }));
        }
        all.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(all)
    }

    /// Makes or finds a folder; see [`Device`](crate::Device) for what `like` says. The inbox is the root of the tree.
    pub(crate) fn make_collection(&self, root: &OwnedFd, like: &Collection) -> Result<Collection> {
        let wrong = || {
            let message = format!("{:?} is no place for a mail folder; PROVIDER/mail is expected", like.id.as_str());
            Error::new(ErrorKind::Misconfigured, message)
        };
        let (parent, key) = match like.id.as_str().split_once('#') {
            Some((parent, key)) => (parent, Some(key)),
            None => (like.id.as_str(), None),
        };
        let parts = names::split(parent).ok_or_else(wrong)?;
        let [provider, kind] = parts.as_slice() else { return Err(wrong()) };
        if kind.as_ref() != Kind::Mail.as_str().as_bytes() {
            return Err(wrong());
        }
        let provider_folder = self.device.make_folder(root, provider, parent)?.0;
        let tree = self.device.make_folder(&provider_folder, kind, parent)?.0;
        self.device.touched(&provider_folder);

        let siblings = self.folders(&tree, provider)?;
        let wants_inbox = like.role == Some(Role::Inbox) || like.name.as_bytes() == INBOX;
        if let Some(found) = already_there(&siblings, key, &like.name, wants_inbox) {
            let folder = self.enter_found(&tree, found)?;
            self.complete(&folder, &found.collection.id)?;
            if found.state != CollectionState::Marked || (key.is_some() && found.key().is_none()) {
                let named = found.marker.as_ref().and_then(|marker| marker.named.clone());
                self.mark(&folder, &found.collection.id, key, named)?;
            }
            return Ok(found.collection.clone());
        }
        let is_inbox_free =
            !siblings.iter().any(|found| found.name == INBOX && found.state != CollectionState::Unmarked);
        let wish = Wish::new(&like.name, &siblings);
        let name = match wants_inbox && is_inbox_free {
            true => String::from_utf8_lossy(INBOX).into_owned(),
            false => free_name(&tree, &wish, &siblings, None)?,
        };
        let id = ids::folder_id(provider, name.as_bytes());
        let folder = match name.as_bytes() == INBOX {
            true => self.open_beneath(&tree, INBOX, &id)?.ok_or_else(wrong)?,
            false => self.device.make_folder(&tree, name.as_bytes(), id.as_str())?.0,
        };
        // Marked before it is a Maildir: a run that is stopped between would find a folder that somebody made, under another name.
        let named = if name.as_bytes() == INBOX { None } else { wish.named(&name) };
        self.mark(&folder, &id, key, named)?;
        if name.as_bytes() != INBOX {
            self.device.write_ours(&folder, id.as_str(), FOLDER_FILE, b"")?;
        }
        self.complete(&folder, &id)?;
        if name.as_bytes() != INBOX {
            subscriptions::follow(self.device, &tree, &[], &[name.as_bytes()]);
        }
        self.device.touched(&tree);
        let made = self.folders(&tree, provider)?.into_iter().find(|found| found.collection.id == id);
        made.map(|found| found.collection).ok_or_else(wrong)
    }

    /// Makes what a Maildir lacks of its three folders.
    fn complete(&self, folder: &OwnedFd, id: &CollectionId) -> Result<()> {
        for part in PARTS {
            self.device.make_folder(folder, part.as_bytes(), &format!("{id}/{part}"))?;
        }
        self.device.touched(folder);
        Ok(())
    }

    fn mark(&self, folder: &OwnedFd, id: &CollectionId, key: Option<&str>, named: Option<Named>) -> Result<()> {
        let marker = CollectionMarker { named, ..CollectionMarker::new(&self.device.replica_id(), id, key) };
        self.device.write_this_marker(folder, id, &marker)
    }

    /// Gives a folder another name. Its marker goes on saying the old one: the hub follows as it does where somebody else renamed a folder,
    /// and until then it answers to its old id. Those beneath it are folders of their own beside it, and keep their names: what they
    /// are called where they come from is told of each.
    pub(crate) fn rename(&self, root: &OwnedFd, id: &CollectionId, name: &str) -> Result<Collection> {
        self.device.marked_collection(root, id)?;
        let (provider, _) = ids::folder_of(id)?;
        let absent = || self.device.collection_held(&CollectionState::Absent);
        let tree = self.tree(root, &provider)?.ok_or_else(absent)?;
        let siblings = self.folders(&tree, &provider)?;
        let here = siblings.iter().find(|found| found.known == *id).ok_or_else(absent)?;
        if here.collection.name == name {
            return Ok(here.collection.clone());
        }
        if here.name == INBOX {
            return Err(Error::new(ErrorKind::Unsupported, "the inbox is the root of its tree and has no other name"));
        }
        let wish = Wish::new(name, &siblings);
        let new = free_name(&tree, &wish, &siblings, Some(here))?;
        let marker = here.marker.as_ref().ok_or_else(absent)?;
        let marker =
            CollectionMarker { named: wish.named(&new), ..CollectionMarker::new(&marker.replica, id, here.key()) };
        self.device.write_this_marker(&self.enter_found(&tree, here)?, id, &marker)?;
        rename_folder(&tree, &here.name, new.as_bytes()).map_err(|errno| refused(errno, format!("renaming {id}")))?;
        self.device.touched(&tree);
        subscriptions::follow(self.device, &tree, &[here.name.as_slice()], &[new.as_bytes()]);
        let renamed = self.folders(&tree, &provider)?.into_iter().find(|found| found.name == new.as_bytes());
        renamed.map(|found| found.collection).ok_or_else(absent)
    }

    /// The inbox is never taken away.
    pub(crate) fn removal(&self, id: &CollectionId) -> Removal {
        match ids::folder_of(id) {
            Ok((_, name)) if name == INBOX => Removal::Never,
            _ => Removal::Whole,
        }
    }

    /// Takes a folder away in which no message stands; `false`: something does, and all stays.
    pub(crate) fn take_away(&self, root: &OwnedFd, id: &CollectionId) -> Result<bool> {
        let (provider, _) = ids::folder_of(id)?;
        let Some(tree) = self.tree(root, &provider)? else { return Ok(true) };
        let all = self.folders(&tree, &provider)?;
        let Some(here) = all.iter().find(|found| found.known == *id) else { return Ok(true) };
        let is_inbox = here.name == INBOX;
        if here.marker.is_none() || (is_inbox && !self.device.options.is_leaving) {
            return Ok(false);
        }
        let folder = self.enter_found(&tree, here)?;
        let failed = |errno| refused(errno, format!("removing {id}"));
        // What one that was killed left in it would keep it, and be found by nobody any more. No other process of ours writes here now.
        let tidy = |folder: &OwnedFd| deliver::tidy(folder, self.device.opened_ns);
        tidy(&folder).map_err(failed)?;
        match beneath::open_folder(&folder, b"tmp").and_then(|tmp| tidy(&tmp)) {
            Ok(()) | Err(Errno::NOENT | Errno::NOTDIR) => {}
            Err(errno) => return Err(failed(errno)),
        }
        let mut others = Vec::new();
        let ours = [COLLECTION_MARKER, FOLDER_FILE, "tmp", "new", "cur"];
        let keep = |name: &[u8], _| {
            if !ours.iter().any(|one| one.as_bytes() == name) {
                others.push(name.to_vec());
            }
        };
        listing::entries(&folder, keep).map_err(failed)?;
        // What Dovecot notes of a folder is of no use without it.
        let is_dovecot_s =
            |name: &[u8]| name.starts_with(b"dovecot") || (is_inbox && name == subscriptions::FILE.as_bytes());
        if others.iter().any(|name| !is_dovecot_s(name)) {
            return Ok(false);
        }
        // The folders of messages first: the kernel refuses where one is not empty, and then nothing is delivered any more.
        for part in PARTS.iter().rev() {
            match rustix::fs::unlinkat(&folder, *part, AtFlags::REMOVEDIR) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(Errno::NOTEMPTY | Errno::EXIST | Errno::NOTDIR) => {
                    self.complete(&folder, id)?;
                    return Ok(false);
                }
                Err(errno) => return Err(failed(errno)),
            }
        }
        let last = [FOLDER_FILE, COLLECTION_MARKER].map(|name| name.as_bytes().to_vec());
        for name in others.iter().chain(&last) {
            match rustix::fs::unlinkat(&folder, name.as_slice(), AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(errno) => return Err(failed(errno)),
            }
        }
        self.device.touched(&tree);
        match rustix::fs::unlinkat(&tree, here.name.as_slice(), AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT) => {
                subscriptions::follow(self.device, &tree, &[&here.name], &[]);
                Ok(true)
            }
            // Somebody put something there in this moment.
            Err(Errno::NOTEMPTY | Errno::EXIST) => {
                self.complete(&folder, id)?;
                let named = here.marker.as_ref().and_then(|marker| marker.named.clone());
                self.mark(&folder, id, here.key(), named)?;
                Ok(false)
            }
            Err(errno) => Err(failed(errno)),
        }
    }

    /// Folders under another name than their markers say, as (name until now, name from now on).
    pub(crate) fn moved(&self, root: &OwnedFd) -> Result<Vec<(CollectionId, CollectionId)>> {
        let mut moved: Vec<(CollectionId, CollectionId)> = Vec::new();
        for (provider, tree) in self.trees(root)?.0 {
            let all = self.folders(&tree, &provider)?;
            let is_renamed = |found: &&Found| found.known != found.collection.id;
            moved.extend(all.iter().filter(is_renamed).map(|found| (found.known.clone(), found.collection.id.clone())));
        }
        Ok(moved)
    }

    /// The hub knows the folder by its new name.
    pub(crate) fn follow(&self, root: &OwnedFd, to: &CollectionId) -> Result<()> {
        let none = || Error::new(ErrorKind::NotFound, "the folder is not there").at(to);
        let folder = self.open(root, to)?.ok_or_else(none)?;
        let (_, marker) = self.device.marker_in(&folder, to)?;
        let marker = marker.ok_or_else(|| self.device.collection_held(&CollectionState::OtherReplica))?;
        self.mark(&folder, to, marker.key.as_deref(), marker.named)
    }
}

/// The folder that is there already: made under the same key; else one of that name which has no other key, ours or somebody's.
fn already_there<'f>(siblings: &'f [Found], key: Option<&str>, name: &str, wants_inbox: bool) -> Option<&'f Found> {
    let is_same_key = |found: &&Found| key.is_some() && found.key() == key && is_here(found);
    let is_called = |found: &&Found| match found.name == INBOX {
        true => wants_inbox,
        // A folder of that name below the inbox is none.
        false => !wants_inbox && found.collection.name == name,
    };
    let is_same_name = |found: &&Found| is_called(found) && is_here(found) && (key.is_none() || found.key().is_none());
    // A copy that somebody made of a folder is one of its own, whatever the marker says that came along.
    let is_copy = |found: &&Found| {
        matches!(found.state, CollectionState::OtherFolder { .. }) && found.known == found.collection.id
    };
    let is_adoptable =
        |found: &&Found| is_called(found) && (found.state == CollectionState::Unmarked || is_copy(found));
    let mut all = siblings.iter();
    all.clone().find(is_same_key).or_else(|| all.clone().find(is_same_name)).or_else(|| all.find(is_adoptable))
}

fn is_here(found: &Found) -> bool {
    found.state == CollectionState::Marked
}

/// The first name that no other folder has, whatever the case.
fn free_name(tree: &OwnedFd, wish: &Wish, siblings: &[Found], but: Option<&Found>) -> Result<String> {
    let is_of_other = |name: &str| {
        let mut others = siblings.iter().filter(|found| but.is_none_or(|but| but.name != found.name));
        others.any(|found| names::same_ignoring_case(&String::from_utf8_lossy(&found.name), name))
    };
    let is_but = |name: &str| but.is_some_and(|but| but.name == name.as_bytes());
    let mut ordinal = 1;
    loop {
        let name = wish.folder(ordinal);
        if !is_of_other(&name) && (is_but(&name) || !is_occupied(tree, &name, but.is_some())?) {
            return Ok(name);
        }
        ordinal += 1;
    }
}

/// Whether something stands there that is no Maildir and none in the making: another program's folder (`.notmuch`) or file. What a stopped
/// run wrote under a temporary name is nobody else's. `wholly`: a Maildir in the making counts too.
fn is_occupied(tree: &OwnedFd, name: &str, wholly: bool) -> Result<bool> {
    let failed = |errno| refused(errno, format!("looking at {name}"));
    let folder = match beneath::open_folder(tree, name.as_bytes()) {
        Ok(folder) => folder,
        Err(Errno::NOENT) => return Ok(false),
        Err(Errno::NOTDIR | Errno::LOOP) => return Ok(true),
        Err(errno) => return Err(failed(errno)),
    };
    let mut is_occupied = wholly;
    let is_in_the_making =
        |name: &[u8]| PARTS.iter().any(|part| part.as_bytes() == name) || name.starts_with(NEW.as_bytes());
    listing::entries(&folder, |name, _| is_occupied |= !is_in_the_making(name)).map_err(failed)?;
    Ok(is_occupied)
}

fn rename_folder(tree: &OwnedFd, from: &[u8], to: &[u8]) -> rustix::io::Result<()> {
    match rustix::fs::renameat_with(tree, from, tree, to, RenameFlags::NOREPLACE) {
        // A folder that is not empty is never replaced.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => rustix::fs::renameat(tree, from, tree, to),
        other => other,
    }
}
