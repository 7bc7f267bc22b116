//! Cards and events of another tool's folder, laid into a collection of this device. Always as copies, because programs may write such
//! files in place. The folder itself is only read.

use crate::atomic::{self, Placed};
use crate::beneath::{self, Look, refused};
use crate::vdir::Shape;
use crate::{Device, scan};
use rustix::io::Errno;
use std::collections::HashSet;
use std::path::Path;
use twofold_model::{Access, Collection, CollectionId, Kind, Result, Uid};

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
    /// The names of files that are no item, or cannot be read: they stay where they are.
    pub left: Vec<String>,
}

impl Device {
    /// Lays the cards or events of a folder into a collection of a provider, made where it is not there. `is_dry`: only says what would be
    /// done. Answers the collection, unless there was nothing to lay.
    ///
    /// # Errors
    /// Where the folder cannot be read, or the device not written (disk full); what was laid stays.
    pub fn lay_items(
        &self,
        provider: &str,
        kind: Kind,
        (name, color): (&str, Option<&str>),
        from: &Path,
        is_dry: bool,
    ) -> Result<(Option<CollectionId>, Laid)> {
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
        let (id, folder) = match is_dry {
            true => match self.root_to_read()? {
                Some(root) => {
                    let parent = format!("{provider}/{kind}/");
                    let all = self.list_collections(&root, format)?.into_iter();
                    let mut found = all.filter(|one| one.name == name && one.id.as_str().starts_with(&parent));
                    let found = found.next().map(|one| self.open_collection(&root, &one.id)).transpose()?.flatten();
                    (None, found)
                }
                None => (None, None),
            },
            false => {
                let root = self.root_to_own()?;
                let _lock = self.lock_to_write()?;
                let id = self.make_collection(&root, format, &like)?.id;
                (Some(id.clone()), Some(self.marked_collection(&root, &id)?))
            }
        };
        // What is there, by its UID, or by its bytes where it has none.
        let mut uids: HashSet<Uid> = HashSet::new();
        let mut nameless: HashSet<blake3::Hash> = HashSet::new();
        if let Some(folder) = &folder {
            for (file, _) in self.listing(folder, format)?.names {
                if let Look::File(bytes, _) = beneath::look(folder, &file).map_err(unreadable)? {
                    match (format.shape)(&bytes) {
                        Shape::Whole(Some(uid)) => drop(uids.insert(uid)),
                        _ => drop(nameless.insert(blake3::hash(&bytes))),
                    }
                }
            }
        }
        let _lock = if is_dry { None } else { Some(self.lock_to_write()?) };
        let mut ready: Vec<(String, Uid)> = Vec::new();
        for (file, _) in names {
            laid.seen += 1;
            let shown = String::from_utf8_lossy(&file).into_owned();
            let bytes = match beneath::look(&tree, &file).map_err(unreadable)? {
                Look::File(bytes, _) => bytes,
                Look::Absent => continue,
                Look::Odd(_) | Look::Unsteady => {
                    laid.left.push(shown);
                    continue;
                }
            };
            let uid = match (format.shape)(&bytes) {
                Shape::Whole(uid) => uid,
                Shape::Half | Shape::Several(_) | Shape::Foreign | Shape::Unreadable(_) => {
                    laid.left.push(shown);
                    continue;
                }
            };
            let is_new = match &uid {
                Some(uid) => uids.insert(uid.clone()),
                None => nameless.insert(blake3::hash(&bytes)),
            };
            if !is_new {
                laid.there += 1;
                continue;
            }
            laid.added += 1;
            let Some(folder) = folder.as_ref().filter(|_| !is_dry) else { continue };
            let failed = |errno| refused(errno, format!("writing into {name:?}"));
            let temp = atomic::write_temp(folder, &self.temps, &bytes, self.access).map_err(failed)?;
            // One without a UID is called as it was.
            let stem = shown.strip_suffix(format.extension).unwrap_or(&shown);
            ready.push((temp, uid.unwrap_or_else(|| Uid::from(stem))));
            if ready.len() >= BATCH {
                self.place_ready(folder, format, &mut ready)?;
            }
        }
        if let Some(folder) = &folder {
            self.place_ready(folder, format, &mut ready)?;
        }
        Ok((id, laid))
    }

    /// Makes files durable, then gives them their names.
    fn place_ready(
        &self,
        folder: &rustix::fd::OwnedFd,
        format: &crate::vdir::Format,
        ready: &mut Vec<(String, Uid)>,
    ) -> Result<()> {
        if ready.is_empty() {
            return Ok(());
        }
        let failed = |errno| refused(errno, "writing items");
        if self.options.is_durable {
            rustix::fs::syncfs(folder).map_err(failed)?;
        }
        for (temp, uid) in ready.drain(..) {
            match atomic::place_new(folder, &temp, &uid, format).map_err(failed)? {
                Placed::As(_) | Placed::Taken(..) => {}
            }
        }
        self.touched(folder);
        Ok(())
    }
}
