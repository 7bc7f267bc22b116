//! Messages of another tool's tree, laid into folders of this device.
//!
//! A file becomes another name of the same file where the file system allows it and it is as readable as ours are; else a copy with the same
//! date. The tree itself is only read. A file that stands there already is left alone, so that a stopped take-over is begun once more.

use super::ids::INBOX;
use super::name::{FileName, base_elsewhere, numbered};
use super::packed::LONGEST;
use super::{Maildir, Place, Room, listing};
use crate::atomic;
use crate::beneath::{self, refused};
use crate::scan::Stamp;
use crate::{Device, Laid, Why};
use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use rustix::io::Errno;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use twofold_model::email::{Role, headers, path};
use twofold_model::{Access, Collection, CollectionId, Error, ErrorKind, Kind, Result};

/// So many copies are made durable at once.
const BATCH: usize = 500;

/// A header line that mbsync adds to each copy of a message, another one each time.
const ADDED: &[u8] = b"x-tuid:";

/// What a message is, whatever line ends a tool gave it and what it added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key([u8; 32]);

impl Key {
    /// The key of these bytes.
    pub fn of(bytes: &[u8]) -> Key {
        let mut hasher = blake3::Hasher::new();
        let mut is_header = true;
        for line in bytes.split_inclusive(|b| *b == b'\n') {
            let plain = line.strip_suffix(b"\r\n").or_else(|| line.strip_suffix(b"\n"));
            is_header &= plain.is_none_or(|plain| !plain.is_empty());
            let is_added = is_header && line.len() >= ADDED.len() && line[..ADDED.len()].eq_ignore_ascii_case(ADDED);
            match plain {
                _ if is_added => {}
                Some(plain) => drop(hasher.update(plain).update(b"\n")),
                None => drop(hasher.update(line)),
            }
        }
        Key(*hasher.finalize().as_bytes())
    }

    /// As text.
    pub fn to_text(self) -> String {
        blake3::Hash::from_bytes(self.0).to_hex().to_string()
    }
}

/// The messages that were laid, and where the first file of each is.
#[derive(Default)]
pub struct Keys {
    first: HashMap<Key, (Arc<PathBuf>, Vec<u8>)>,
    /// A message may stand in several folders: its files there are one file.
    shares: bool,
}

impl Keys {
    /// None yet. `shares`: the account's messages may stand in several folders.
    pub fn new(shares: bool) -> Keys {
        Keys { first: HashMap::new(), shares }
    }

    /// Whether that message was laid.
    pub fn has(&self, key: &Key) -> bool {
        self.first.contains_key(key)
    }
}

/// When a message arrived: what the topmost Received field says (RFC 5321 4.4), in milliseconds since 1970.
pub(crate) fn received_at(message: &[u8]) -> Option<i64> {
    let mut field: Vec<u8> = Vec::new();
    for line in message.split_inclusive(|b| *b == b'\n') {
        let is_folded = line.starts_with(b" ") || line.starts_with(b"\t");
        let begins = line.len() > 9 && line[..9].eq_ignore_ascii_case(b"received:");
        match (field.is_empty(), is_folded, begins) {
            (true, _, true) | (false, true, _) => field.extend_from_slice(line),
            (true, ..) if !line.trim_ascii().is_empty() => {}
            _ => break,
        }
    }
    Some(headers::read(&field).sent_at?.timestamp_millis())
}

/// A file of the tree.
struct Source {
    place: Place,
    name: FileName,
    bytes: Vec<u8>,
    key: Key,
    stat: rustix::fs::Stat,
    /// Its name in the tree.
    file: Vec<u8>,
}

/// Where messages are laid.
struct Target {
    maildir: Maildir,
    /// The path of the Maildir.
    path: PathBuf,
    /// What is there: base, without a number of mbsync's, to place and name.
    bases: HashMap<Vec<u8>, (Place, Vec<u8>)>,
    /// What is on its way there, by its base.
    coming: HashMap<Vec<u8>, Key>,
    separator: u8,
}

impl Device {
    /// Lays the messages of a Maildir into a mailbox of a provider, made where it is not there. `names` is its path, `["INBOX"]` the
    /// inbox. `is_dry`: only says what would be done. `begins` hears of the mailbox before anything is laid there. Answers whether there was
    /// anything to lay.
    ///
    /// # Errors
    /// Where the tree cannot be listed, or the device not written (disk full); what was laid stays.
    pub fn lay_mail(
        &self,
        provider: &str,
        names: &[String],
        from: &Path,
        keys: &mut Keys,
        is_dry: bool,
        begins: &mut dyn FnMut(&CollectionId) -> Result<()>,
    ) -> Result<Laid> {
        let room = self.mail().ok_or_else(|| self.not_kept(Kind::Mail))?;
        let unreadable = |errno: Errno| refused(errno, format!("reading {}", from.display()));
        let tree = beneath::open_root(from).map_err(unreadable)?;
        let source = Maildir {
            tmp: tree.try_clone().map_err(|e| broken(&e))?,
            new: open(&tree, b"new")?,
            cur: open(&tree, b"cur")?,
        };
        let mut listed = listing::list(&source).map_err(unreadable)?;
        listed.files.sort_by(|a, b| (a.place, &a.name).cmp(&(b.place, &b.name)));
        let mut laid = Laid::default();
        if listed.files.is_empty() {
            return Ok(laid);
        }
        let like = like(provider, names);
        let mut target = match is_dry {
            true => room.found(provider, &like)?,
            false => {
                let root = self.root_to_own()?;
                let id = room.make_collection(&root, &like)?.id;
                let (_, maildir) = room.marked(&root, &id)?;
                begins(&id)?;
                Some(room.target(maildir, &id)?)
            }
        };
        let mut copies: Vec<(String, Place, Vec<u8>)> = Vec::new();
        let mut lay = |file: &listing::File| -> Result<()> {
            laid.seen += 1;
            let folder = source.place(file.place);
            let (bytes, stat) = match read(folder, &file.name) {
                Ok(Some(read)) => read,
                Ok(None) => return Ok(()),
                Err(why) => {
                    laid.leave(&file.name, why);
                    return Ok(());
                }
            };
            let key = Key::of(&bytes);
            // mbsync's number of a file means another message in this folder.
            let mut name = FileName::parse(&file.name, listed.separator);
            name.base = base_elsewhere(&name.base);
            let one = Source { place: file.place, name, bytes, key, stat, file: file.name.clone() };
            let Some(target) = &mut target else {
                laid.added += 1;
                return Ok(());
            };
            let Some(base) = target.free_base(&one)? else {
                laid.there += 1;
                return Ok(());
            };
            laid.added += 1;
            if is_dry {
                return Ok(());
            }
            let name = match one.place {
                Place::New if one.name.flags.is_empty() => base.clone(),
                _ => {
                    // A small letter is a keyword by the other tree's own table, and would be another word here.
                    let flags = one.name.flags.iter().copied().filter(|flag| !flag.is_ascii_lowercase()).collect();
                    FileName { base: base.clone(), flags }.in_cur(target.separator)
                }
            };
            target.bases.insert(base.clone(), (one.place, name.clone()));
            if room.link(folder, &one, target, &name, keys)? {
                laid.linked += 1;
            } else {
                let date = Stamp::of(&one.stat).mtime_ns;
                let (temp, _) = room.write_temp(&target.maildir, &mut one.bytes.as_slice(), Some(date))?;
                copies.push((temp, one.place, name.clone()));
                target.coming.insert(base, one.key);
            }
            let home = Arc::new(target.path.join(one.place.as_str()));
            keys.first.entry(one.key).or_insert((home, name));
            if copies.len() >= BATCH {
                room.name_copies(target, &mut copies)?;
            }
            Ok(())
        };
        let outcome = listed.files.iter().try_for_each(&mut lay);
        // Where the disk became full, what is whole by then stands there all the same.
        if let Some(target) = &mut target {
            let named = room.name_copies(target, &mut copies);
            self.touched(&target.maildir.cur);
            named?;
        }
        outcome?;
        Ok(laid)
    }
}

fn broken(error: &std::io::Error) -> Error {
    Error::new(ErrorKind::Offline, format!("opening a folder: {error}"))
}

fn open(tree: &OwnedFd, part: &[u8]) -> Result<OwnedFd> {
    beneath::open_folder(tree, part).map_err(|errno| refused(errno, "opening cur and new"))
}

/// The mailbox as it is asked for.
fn like(provider: &str, names: &[String]) -> Collection {
    let is_inbox = matches!(names, [only] if only.as_bytes() == INBOX);
    Collection {
        id: CollectionId(format!("{provider}/{}", Kind::Mail)),
        kind: Kind::Mail,
        name: path::join(names.iter().map(String::as_str)),
        color: None,
        is_default: is_inbox,
        role: is_inbox.then_some(Role::Inbox),
        access: Access::ReadWrite,
    }
}

/// A file, whole, or why there is none to be had; nothing for one that went away.
fn read(folder: &OwnedFd, name: &[u8]) -> std::result::Result<Option<(Vec<u8>, rustix::fs::Stat)>, Why> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match rustix::fs::openat(folder, name, flags, Mode::empty()) {
        Ok(file) => file,
        Err(Errno::NOENT) => return Ok(None),
        Err(Errno::LOOP | Errno::NXIO) => return Err(Why::NoItem),
        Err(_) => return Err(Why::Unreadable),
    };
    let stat = rustix::fs::fstat(&file).map_err(|_| Why::Unreadable)?;
    if beneath::oddity(&stat).is_some() {
        return Err(Why::NoItem);
    }
    if Stamp::of(&stat).size > LONGEST {
        return Err(Why::Unreadable);
    }
    let mut bytes = Vec::new();
    std::fs::File::from(file).take(LONGEST).read_to_end(&mut bytes).map_err(|_| Why::Unreadable)?;
    if bytes.is_empty() { Err(Why::NoItem) } else { Ok(Some((bytes, stat))) }
}

impl Room<'_> {
    /// The folder of a mailbox that is there already.
    fn found(&self, provider: &str, like: &Collection) -> Result<Option<Target>> {
        let Some(root) = self.device.root_to_read()? else { return Ok(None) };
        let Some(tree) = self.tree(&root, provider.as_bytes())? else { return Ok(None) };
        let is_it = |name: &[u8], called: &str| match name == INBOX {
            true => like.is_default,
            false => called == like.name,
        };
        let mut all = self.folders(&tree, provider.as_bytes())?.into_iter();
        let Some(found) = all.find(|found| is_it(&found.name, &found.collection.name)) else { return Ok(None) };
        match Maildir::open(&self.enter_found(&tree, &found)?) {
            Ok(maildir) => self.target(maildir, &found.collection.id).map(Some),
            Err(_) => Ok(None),
        }
    }

    fn target(&self, maildir: Maildir, id: &CollectionId) -> Result<Target> {
        let listing = listing::list(&maildir).map_err(|errno| refused(errno, format!("listing {id}")))?;
        let bases = bases(&listing);
        let (provider, name) = super::ids::folder_of(id)?;
        let mut path = self.device.options.root.join(OsStr::from_bytes(&provider)).join(Kind::Mail.as_str());
        if name != INBOX {
            path.push(OsStr::from_bytes(&name));
        }
        Ok(Target { maildir, path, bases, coming: HashMap::new(), separator: listing.separator })
    }

    /// Gives a message of the tree a name here: that of the same message in another folder, or that of its own file. `false`: it must be
    /// copied.
    fn link(&self, folder: &OwnedFd, one: &Source, target: &Target, name: &[u8], keys: &Keys) -> Result<bool> {
        let to = target.maildir.place(one.place);
        let first = keys.first.get(&one.key).filter(|_| keys.shares);
        if let Some((home, first)) = first
            && linked(rustix::fs::linkat(CWD, home.join(OsStr::from_bytes(first)), to, name, AtFlags::empty()))?
        {
            return Ok(true);
        }
        let access = self.device.access;
        let is_as_ours = one.stat.st_mode & 0o777 == access.mode
            && one.stat.st_uid == rustix::process::geteuid().as_raw()
            && access.group.is_none_or(|group| one.stat.st_gid == group);
        Ok(is_as_ours && linked(rustix::fs::linkat(folder, one.file.as_slice(), to, name, AtFlags::empty()))?)
    }

    /// Makes copies durable, then gives them their names. Those that get none are taken away.
    fn name_copies(&self, target: &mut Target, copies: &mut Vec<(String, Place, Vec<u8>)>) -> Result<()> {
        if copies.is_empty() {
            return Ok(());
        }
        target.coming.clear();
        let tmp = &target.maildir.tmp;
        let mut outcome = if self.device.options.is_durable { rustix::fs::syncfs(tmp) } else { Ok(()) };
        for (temp, place, name) in copies.drain(..) {
            outcome = outcome
                .and_then(|()| atomic::move_new(tmp, temp.as_bytes(), target.maildir.place(place), &name).map(drop))
                .inspect_err(|_| atomic::discard(tmp, &temp));
        }
        outcome.map_err(|errno| refused(errno, "writing messages"))
    }
}

/// Whether a link was made; `false` where the file system makes none here.
fn linked(made: rustix::io::Result<()>) -> Result<bool> {
    match made {
        Ok(()) => Ok(true),
        Err(
            Errno::XDEV | Errno::PERM | Errno::ACCESS | Errno::MLINK | Errno::OPNOTSUPP | Errno::NOSYS | Errno::NOENT,
        ) => Ok(false),
        Err(errno) => Err(refused(errno, "linking a message")),
    }
}

impl Target {
    /// The base under which a message is laid; `None` where it is there already. Where another message has its base, it gets a number.
    fn free_base(&mut self, one: &Source) -> Result<Option<Vec<u8>>> {
        for ordinal in 1_u32.. {
            let base = numbered(&one.name.base, ordinal);
            if let Some(key) = self.coming.get(&base) {
                if *key == one.key {
                    return Ok(None);
                }
                continue;
            }
            let mut is_same = self.is_same(one, &base)?;
            if is_same.is_none() && self.bases.contains_key(&base) {
                // Another program gave it another name since: its flags changed, or it went.
                let listing = listing::list(&self.maildir).map_err(|errno| refused(errno, "listing the folder"))?;
                self.bases = bases(&listing);
                is_same = self.is_same(one, &base)?;
            }
            match is_same {
                None => return Ok(Some(base)),
                Some(true) => return Ok(None),
                Some(false) => {}
            }
        }
        Ok(None)
    }

    /// Whether the message of that base is the same one; `None`: none stands there.
    fn is_same(&self, one: &Source, base: &[u8]) -> Result<Option<bool>> {
        let Some((place, name)) = self.bases.get(base) else { return Ok(None) };
        let folder = self.maildir.place(*place);
        let stat = beneath::stat(folder, name).map_err(|errno| refused(errno, "looking at a message"))?;
        let Some(stat) = stat else { return Ok(None) };
        if (stat.st_dev, stat.st_ino) == (one.stat.st_dev, one.stat.st_ino) {
            return Ok(Some(true));
        }
        Ok(Some(matches!(read(folder, name), Ok(Some((bytes, _))) if Key::of(&bytes) == one.key)))
    }
}

/// The bases of a Maildir, without a number of mbsync's, with place and name.
fn bases(listing: &listing::Listing) -> HashMap<Vec<u8>, (Place, Vec<u8>)> {
    let entry = |file: &listing::File| (base_elsewhere(&listing.parse(file).base), (file.place, file.name.clone()));
    listing.files.iter().map(entry).collect()
}
