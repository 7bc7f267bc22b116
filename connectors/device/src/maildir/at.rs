//! A folder that is written to, and what it holds: read once for a batch, and again where a file is not called any more as it was.

use super::ids;
use super::keywords::{self, Table};
use super::listing::{self, File};
use super::message::{self, Reading};
use super::name::{FileName, SEPARATOR, base_apart, identity, split, uid_of};
use super::{Maildir, Place, Room, typed, words};
use crate::beneath::{self, refused};
use crate::lock;
use crate::write::{gone, stale};
use rustix::fd::OwnedFd;
use std::collections::BTreeSet;
use std::sync::Mutex;
use twofold_model::{CollectionId, Error, ErrorKind, Etag, Result, Seen};

/// A folder that is written to.
pub struct At<'a> {
    pub room: Room<'a>,
    pub id: CollectionId,
    pub folder: OwnedFd,
    pub maildir: Maildir,
    names: Mutex<Option<Names>>,
    /// Why words could not be noted in this batch. Each of its writes would wait as long for the same lock.
    unnoted: Mutex<Option<String>>,
}

/// A file as it is called now.
#[derive(Clone)]
pub struct Here {
    pub place: Place,
    pub file: Vec<u8>,
    pub name: FileName,
    pub separator: u8,
}

impl Here {
    /// Whether the file is called by that base, and stands as the etag says. One that a program numbered anew is seen by the next scan first.
    pub fn is_as(&self, base: &[u8], etag: &Etag) -> bool {
        let is_agreed = |(place, flags)| place == self.place && flags == self.name.flags;
        self.name.base == base && ids::state_of(etag).is_some_and(is_agreed)
    }
}

/// A file that is none, or not what we wrote.
pub struct Unfit {
    reason: String,
    way_out: String,
}

impl Unfit {
    /// The error that says why, what was `not_done`, and what to do about it.
    pub fn error(&self, not_done: &str) -> Error {
        Error::new(ErrorKind::Refused, format!("the file {}; {not_done}; {}", self.reason, self.way_out))
    }
}

/// A reading of the folder: its files in the order of the UIDs that their bases give.
struct Names {
    separator: u8,
    files: Vec<(String, File)>,
}

impl<'a> At<'a> {
    pub fn new(room: Room<'a>, id: CollectionId, folder: OwnedFd, maildir: Maildir) -> At<'a> {
        At { room, id, folder, maildir, names: Mutex::new(None), unnoted: Mutex::new(None) }
    }

    /// The folder of a place.
    pub fn place(&self, place: Place) -> &OwnedFd {
        self.maildir.place(place)
    }

    /// The file of a base, provided that it is called what the etag says.
    pub fn guarded(&self, base: &[u8], etag: &Etag) -> Result<Here> {
        let here = self.current(base, Some(etag))?.ok_or_else(gone)?;
        if !here.is_as(base, etag) {
            return Err(stale());
        }
        self.fit(&here)?;
        Ok(here)
    }

    /// Fails where what stands there is no file, or not what we wrote.
    pub fn fit(&self, here: &Here) -> Result<()> {
        match self.unfit(here)? {
            Some(unfit) => Err(unfit.error("it is neither marked nor moved nor copied")),
            None => Ok(()),
        }
    }

    /// Why what stands there is no file, or not what we wrote, and what to do about it.
    pub fn unfit(&self, here: &Here) -> Result<Option<Unfit>> {
        let stat = beneath::stat(self.place(here.place), &here.file).map_err(|e| refused(e, "reading"))?;
        let stat = stat.ok_or_else(stale)?;
        if let Some(oddity) = beneath::oddity(&stat) {
            return Ok(Some(Unfit {
                reason: oddity.to_owned(),
                way_out: "give it another name, or delete it".to_owned(),
            }));
        }
        let damage = self.room.damage(self.place(here.place), &here.file, &here.name)?;
        Ok(damage.map(|reason| {
            let named = |name| typed(&self.room.path_of(&self.id, &File::named(here.place, name)));
            let apart = [&base_apart(&here.name.base), &here.file[here.name.base.len()..]].concat();
            let (from, to) = (named(here.file.clone()), named(apart));
            Unfit {
                reason,
                way_out: format!("to keep it as a message of its own: mv -n {from} {to}; or delete it: rm {from}"),
            }
        }))
    }

    /// The file of a base as it is called now: as the etag says, which costs next to nothing, or as the folder was read. Before the answer
    /// that there is none, the folder is read again.
    pub fn current(&self, base: &[u8], etag: Option<&Etag>) -> Result<Option<Here>> {
        if let Some((place, flags)) = etag.and_then(ids::state_of) {
            let name = FileName { base: base.to_owned(), flags };
            let file = match place {
                Place::New if name.flags.is_empty() => name.base.clone(),
                _ => name.in_cur(SEPARATOR),
            };
            if self.is_there(place, &file)? {
                return Ok(Some(Here { place, file, name, separator: SEPARATOR }));
            }
        }
        if let Some(here) = self.read_before(base)? {
            return Ok(Some(here));
        }
        *lock(&self.names) = None;
        self.read_before(base)
    }

    /// The file of a base, or of one with its identity, in the folder as it was read for this batch.
    pub fn read_before(&self, base: &[u8]) -> Result<Option<Here>> {
        let of_uid = self.of_uid(uid_of(base).as_str())?;
        let exact = of_uid.iter().find(|here| here.name.base == base);
        let same = || of_uid.iter().find(|here| identity(&here.name.base) == identity(base));
        Ok(exact.or_else(same).cloned())
    }

    /// The file of that very base, in the folder as it is now.
    pub fn exact(&self, base: &[u8]) -> Result<Option<Here>> {
        *lock(&self.names) = None;
        Ok(self.of_uid(uid_of(base).as_str())?.into_iter().find(|here| here.name.base == base))
    }

    /// The files whose bases give that UID.
    pub fn of_uid(&self, uid: &str) -> Result<Vec<Here>> {
        for _ in 0..2 {
            let found = self.with_names(|names| {
                let start = names.files.partition_point(|(of, _)| of.as_str() < uid);
                let same = names.files[start..].iter().take_while(|(of, _)| of == uid);
                let here = |file: &File| Here {
                    place: file.place,
                    file: file.name.clone(),
                    name: FileName::parse(&file.name, names.separator),
                    separator: names.separator,
                };
                same.map(|(_, file)| here(file)).collect::<Vec<Here>>()
            })?;
            let mut is_fresh = true;
            for here in &found {
                is_fresh &= self.is_there(here.place, &here.file)?;
            }
            if is_fresh {
                return Ok(found);
            }
            *lock(&self.names) = None;
        }
        // Renamed again in this moment.
        Err(stale())
    }

    /// What stands between base and flags in this folder.
    pub fn separator(&self) -> Result<u8> {
        self.with_names(|names| names.separator)
    }

    fn with_names<T>(&self, look: impl FnOnce(&Names) -> T) -> Result<T> {
        let mut names = lock(&self.names);
        let names = match names.take() {
            Some(read) => names.insert(read),
            None => names.insert(self.read_names()?),
        };
        Ok(look(names))
    }

    fn read_names(&self) -> Result<Names> {
        let listing = listing::list(&self.maildir).map_err(|e| refused(e, "listing the folder"))?;
        let separator = listing.separator;
        let uid = |file: &File| uid_of(&FileName::parse(&file.name, separator).base).0;
        let mut files: Vec<(String, File)> = listing.files.into_iter().map(|file| (uid(&file), file)).collect();
        // What stands in `cur` was met later, and goes first.
        files.sort_by(|a, b| (&a.0, b.1.place).cmp(&(&b.0, a.1.place)));
        Ok(Names { separator, files })
    }

    fn is_there(&self, place: Place, file: &[u8]) -> Result<bool> {
        Ok(beneath::stat(self.place(place), file).map_err(|e| refused(e, "reading"))?.is_some())
    }

    /// The folder's words, those that have no letter yet noted first; and whether that could be done.
    pub fn words(&self, words: &BTreeSet<String>) -> Result<(Table, Result<()>)> {
        let mut table = words::read(&self.folder)?;
        let own: BTreeSet<String> = words.iter().filter(|word| !keywords::needs_no_word(word)).cloned().collect();
        let mut unnoted = lock(&self.unnoted);
        let noted = match unnoted.as_ref().filter(|_| own.iter().any(|word| table.letter(word).is_none())) {
            Some(why) => Err(Error::new(ErrorKind::Unknown, why.clone())),
            None => self.room.add_words(&self.folder, &own, &mut table, || self.letters()),
        };
        if let Err(error) = noted.as_ref()
            && error.kind == ErrorKind::Unknown
        {
            unnoted.get_or_insert_with(|| error.message.clone());
        }
        Ok((table, noted))
    }

    /// The small letters that files of the folder have in their names.
    fn letters(&self) -> Result<BTreeSet<u8>> {
        self.with_names(|names| {
            let of = |(_, file): &(String, File)| split(&file.name, names.separator).1.to_vec();
            keywords::letters(&names.files.iter().flat_map(of).collect())
        })
    }

    /// A file that was linked or moved, read: what is answered names its bytes.
    pub fn seen_whole(&self, here: &Here) -> Result<Seen> {
        let table = words::read(&self.folder)?;
        match self.room.read(self.place(here.place), &here.file, &here.name)? {
            Reading::Whole(bytes) => {
                let sheet = message::whole_sheet(here.place, &here.name, &table, &bytes);
                let etag = ids::etag(here.place, &here.name.flags, &table, false);
                message::seen(&self.id, &here.name.base, etag, &sheet)
            }
            Reading::Vanished | Reading::Unsteady => {
                Err(Error::new(ErrorKind::Unknown, "the file changed right after it was written"))
            }
            Reading::Odd(reason) | Reading::Damaged(reason) => {
                Err(Error::new(ErrorKind::Refused, format!("the file {reason}")))
            }
        }
    }
}
