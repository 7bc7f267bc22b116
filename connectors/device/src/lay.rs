//! Cards and events of another tool's folder, laid into a collection of this device. Always as copies, because programs may write such
//! files in place. The folder itself is only read.

use crate::atomic;
use crate::beneath::{self, Look, refused};
use crate::vdir::{Format, Shape};
use crate::{Device, scan};
use rustix::io::Errno;
use std::collections::{HashMap, HashSet};
use std::path::Path;
use twofold_model::{Access, Collection, CollectionId, Kind, Rendering, Result, Uid};

/// So many files are made durable at once.
const BATCH: usize = 500;

/// What a folder of another tool came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Laid {
    /// So many files were looked at.
    pub seen: usize,
    /// So many were added here.
    pub added: usize,
    /// So many of those are another name of the same file, and take no room.
    pub linked: usize,
    /// So many were there already.
    pub there: usize,
    /// The files that stay where they are, and were not taken over.
    pub left: Vec<Left>,
}

/// A file that was not taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// Its name.
    pub name: String,
    /// Why.
    pub why: Why,
}

/// Why a file was not taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// It is empty, no ordinary file, or of another kind: nothing is missing without it.
    NoItem,
    /// It is half an item, several ones, or cannot be understood.
    Broken,
    /// It cannot be read.
    Unreadable,
    /// An item of its UID stands here already and says something else. What stands here is not replaced.
    Differs,
}

impl Laid {
    /// How many files were left for this reason.
    pub fn left_as(&self, why: Why) -> usize {
        self.left.iter().filter(|left| left.why == why).count()
    }

    pub(crate) fn leave(&mut self, name: &[u8], why: Why) {
        self.left.push(Left { name: String::from_utf8_lossy(name).into_owned(), why });
    }
}

/// What the lines that only this program writes are called. No other tool's file says what they do.
const OWN_LINES: &[u8] = b"X-TWOFOLD-";

/// Whether two files say the same, however they are written.
fn means_same(format: &Format, one: &[u8], other: &[u8]) -> bool {
    let read = |bytes: &[u8]| format.lens.read(&Rendering(without_own_lines(bytes))).ok();
    one == other || read(one).is_some_and(|one| read(other).is_some_and(|other| one == other))
}

fn without_own_lines(bytes: &[u8]) -> Vec<u8> {
    let mut is_own = false;
    let kept = bytes.split_inclusive(|byte| *byte == b'\n').filter(|line| {
        is_own = if matches!(line[0], b' ' | b'\t') { is_own } else { line.starts_with(OWN_LINES) };
        !is_own
    });
    kept.collect::<Vec<_>>().concat()
}

/// Where an item of a UID was seen.
enum At {
    Here(Vec<u8>),
    Tree(Vec<u8>),
}

impl Device {
    /// Lays the cards or events of a folder into a collection of a provider, made where it is not there. `is_dry`: only says what would be
    /// done. `begins` hears of the collection before anything is laid there.
    ///
    /// # Errors
    /// Where the folder cannot be listed, or the device not written (disk full); what was laid stays.
    pub fn lay_items(
        &self,
        provider: &str,
        kind: Kind,
        (name, color): (&str, Option<&str>),
        from: &Path,
        is_dry: bool,
        begins: &mut dyn FnMut(&CollectionId) -> Result<()>,
    ) -> Result<Laid> {
        let format = self.format(kind)?;
        let unreadable = |errno: Errno| refused(errno, format!("reading {}", from.display()));
        let tree = beneath::open_root(from).map_err(unreadable)?;
        let mut names = scan::list(&tree, format.extension).map_err(unreadable)?.names;
        names.sort_by(|a, b| a.0.cmp(&b.0));
        let mut laid = Laid::default();
        let like = Collection {
            id: CollectionId(format!("{provider}/{kind}")),
            kind,
            name: name.to_owned(),
            color: color.map(str::to_owned),
            is_default: false,
            role: None,
            access: Access::ReadWrite,
        };
        let folder = match is_dry {
            true => match self.root_to_read()? {
                Some(root) => {
                    let parent = format!("{provider}/{kind}/");
                    let all = self.list_collections(&root, format)?.into_iter();
                    let mut found = all.filter(|one| one.name == name && one.id.as_str().starts_with(&parent));
                    found.next().map(|one| self.open_collection(&root, &one.id)).transpose()?.flatten()
                }
                None => None,
            },
            false => {
                let root = self.root_to_own()?;
                let _lock = self.lock_to_write()?;
                let id = self.make_collection(&root, format, &like)?.id;
                begins(&id)?;
                Some(self.marked_collection(&root, &id)?)
            }
        };
        // What is there, by its UID, or by its bytes where it has none.
        let mut uids: HashMap<Uid, At> = HashMap::new();
        let mut nameless: HashSet<blake3::Hash> = HashSet::new();
        if let Some(folder) = &folder {
            for (file, _) in self.listing(folder, format)?.names {
                if let Look::File(bytes, _) = beneath::look(folder, &file).map_err(unreadable)? {
                    match (format.shape)(&bytes) {
                        Shape::Whole(Some(uid)) => drop(uids.entry(uid).or_insert(At::Here(file))),
                        _ => drop(nameless.insert(blake3::hash(&bytes))),
                    }
                }
            }
        }
        let _lock = if is_dry { None } else { Some(self.lock_to_write()?) };
        let mut ready: Vec<(String, Uid)> = Vec::new();
        let mut lay = |file: Vec<u8>| -> Result<()> {
            laid.seen += 1;
            // One file that cannot be read is no reason to leave the others.
            let bytes = match beneath::look(&tree, &file) {
                Ok(Look::File(bytes, _)) => Ok(bytes),
                Ok(Look::Absent) => return Ok(()),
                Ok(Look::Odd(_)) => Err(Why::NoItem),
                Ok(Look::Unsteady) | Err(_) => Err(Why::Unreadable),
            };
            let read = bytes.and_then(|bytes| match (format.shape)(&bytes) {
                Shape::Whole(uid) => Ok((bytes, uid)),
                Shape::Foreign => Err(Why::NoItem),
                Shape::Half | Shape::Several(_) | Shape::Unreadable(_) => Err(Why::Broken),
            });
            let (bytes, uid) = match read {
                Ok(read) => read,
                Err(why) => {
                    laid.leave(&file, why);
                    return Ok(());
                }
            };
            let first = match &uid {
                Some(uid) => uids.get(uid),
                None if nameless.insert(blake3::hash(&bytes)) => None,
                None => {
                    laid.there += 1;
                    return Ok(());
                }
            };
            if let Some(first) = first {
                let other = match (first, &folder) {
                    (At::Here(file), Some(folder)) => beneath::look(folder, file),
                    (At::Here(_), None) => Ok(Look::Absent),
                    (At::Tree(file), _) => beneath::look(&tree, file),
                };
                match other {
                    Ok(Look::File(other, _)) if means_same(format, &other, &bytes) => laid.there += 1,
                    _ => laid.leave(&file, Why::Differs),
                }
                return Ok(());
            }
            if let Some(uid) = &uid {
                uids.insert(uid.clone(), At::Tree(file.clone()));
            }
            laid.added += 1;
            let Some(folder) = folder.as_ref().filter(|_| !is_dry) else { return Ok(()) };
            let failed = |errno| refused(errno, format!("writing into {name:?}"));
            let temp = atomic::write_temp(folder, &self.temps, &bytes, self.access).map_err(failed)?;
            // One without a UID is called as it was.
            let shown = String::from_utf8_lossy(&file);
            let stem = shown.strip_suffix(format.extension).unwrap_or(&shown);
            ready.push((temp, uid.unwrap_or_else(|| Uid::from(stem))));
            if ready.len() >= BATCH {
                self.place_ready(folder, format, &mut ready)?;
            }
            Ok(())
        };
        let outcome = names.into_iter().try_for_each(|(file, _)| lay(file));
        // Where the disk became full, what is whole by then stands there all the same.
        if let Some(folder) = &folder {
            self.place_ready(folder, format, &mut ready)?;
        }
        outcome?;
        Ok(laid)
    }

    /// Makes files durable, then gives them their names. Those that get none are taken away.
    fn place_ready(&self, folder: &rustix::fd::OwnedFd, format: &Format, ready: &mut Vec<(String, Uid)>) -> Result<()> {
        if ready.is_empty() {
            return Ok(());
        }
        let mut outcome = if self.options.is_durable { rustix::fs::syncfs(folder) } else { Ok(()) };
        for (temp, uid) in ready.drain(..) {
            outcome = outcome
                .and_then(|()| atomic::place_new(folder, &temp, &uid, format).map(drop))
                .inspect_err(|_| atomic::discard(folder, &temp));
        }
        self.touched(folder);
        outcome.map_err(|errno| refused(errno, "writing items"))
    }
}
