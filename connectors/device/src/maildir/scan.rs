//! The scan of one Maildir: which messages are new, changed, renamed, gone or not to be read. By names: no file that is known is opened, and
//! only those whose names say how long they were written are asked how long they are.

use super::keywords::{self, Table};
use super::listing::{self, File, Listing};
use super::message::{self, Bytes, Reading};
use super::name::{FileName, draft_state, identity};
use super::twins::twins;
use super::{Maildir, Place, Room, deliver, ids, typed, words};
use crate::atomic;
use crate::beneath::{self, is_denied, refused};
use crate::marker::CollectionState;
use crate::names;
use crate::scan::{Outline, answer, no_token};
use rustix::fs::FileType;
use rustix::io::Errno;
use std::collections::{HashMap, HashSet};
use twofold_model::{CollectionId, Entry, Error, Etag, Known, Next, Page, Poll, RemoteId, Result, Since};

/// A page ends when it says so much, or read so many bytes.
const PAGE_ENTRIES: usize = 2_000;
const PAGE_BYTES: u64 = 128 * 1024 * 1024;

/// A file that is not as known.
struct Changed<'k> {
    file: File,
    name: FileName,
    id: RemoteId,
    known: Option<&'k Etag>,
    /// Why it is not what was written.
    damage: Option<String>,
}

/// How a Maildir looks: its names, and what its small letters mean. `None` where the listing does not tell what is a file.
fn outline(listing: &Listing, table: &Table) -> Option<Outline> {
    let mut outline = Outline::new();
    outline.add(table.text(), &[]);
    for file in &listing.files {
        let file_type = match file.file_type {
            FileType::RegularFile => 0,
            FileType::Directory => 1,
            FileType::Symlink => 2,
            FileType::Unknown => return None,
            _ => 3,
        };
        outline.add(&file.name, &[u64::from(file.place == Place::Cur), file_type]);
    }
    Some(outline)
}

/// One folder's question.
struct Scan<'a> {
    room: Room<'a>,
    collection: &'a CollectionId,
    maildir: &'a Maildir,
    table: Table,
    known: &'a Known,
}

impl Room<'_> {
    /// One page of what changed in a folder.
    pub(crate) fn poll(&self, poll: &Poll<'_>) -> Result<Page> {
        let id = CollectionId(poll.feed.id.0.clone());
        let device = self.device;
        // A dry run plans for folders that a real one would have made.
        let is_unknown = poll.known.is_empty() && !matches!(poll.since, Since::Token(_));
        let is_planned = device.is_dry_run() && is_unknown;
        let nothing = || Page { entries: Vec::new(), next: Next::Done(no_token()) };
        let root = match device.root_to_read()? {
            Some(root) => root,
            None if is_planned => return Ok(nothing()),
            None => return Err(device.held("the folder is not there yet")),
        };
        if is_planned && !ids::is_folder(&id) {
            return Ok(nothing());
        }
        let Some(folder) = self.locate(&root, &id)? else {
            return if is_planned { Ok(nothing()) } else { Err(device.collection_held(&CollectionState::Absent)) };
        };
        let state = device.marker_of(&folder, &id)?.0;
        let maildir = self.maildir(&folder, &id)?;
        if state != CollectionState::Marked {
            // Where the hub knows no message, none can be missed: what stands there is adopted.
            let is_adoptable = matches!(state, CollectionState::Unmarked | CollectionState::OtherFolder { .. })
                && is_unknown
                && !listing::list(&maildir).map_err(|e| refused(e, "listing the folder"))?.files.is_empty();
            if !is_adoptable {
                return Err(device.collection_held(&state));
            }
            if !device.is_dry_run() {
                device.adopt_collection(&id, None)?;
            }
        }
        let cursor = match &poll.since {
            Since::Page(cursor) => cursor.as_str(),
            Since::Start | Since::Token(_) => "",
        };
        if cursor.is_empty() && !device.is_dry_run() {
            for beneath in [&maildir.tmp, &folder] {
                deliver::tidy(beneath, device.left_behind_ns())
                    .map_err(|e| refused(e, "looking at what a stopped run left"))?;
            }
        }
        let table = words::read(&folder)?;
        if let Since::Token(token) = &poll.since {
            let listing = listing::list(&maildir).map_err(|e| refused(e, "listing the folder"))?;
            return answer(token, outline(&listing, &table).as_ref());
        }
        let scan = Scan { room: *self, collection: &id, maildir: &maildir, table, known: poll.known };
        scan.page(cursor, || device.still_the_same(&folder, &id))
    }
}

impl<'a> Scan<'a> {
    /// One page of the round. `still_there` is asked before anything counts as gone.
    fn page(&self, cursor: &str, still_there: impl Fn() -> Result<()>) -> Result<Page> {
        let is_first = cursor.is_empty();
        let mut last =
            names::split_where(cursor, |_| true).and_then(|mut names| names.pop()).unwrap_or_default().into_owned();
        let mut entries = Vec::new();
        let mut present: HashSet<&RemoteId> = HashSet::with_capacity(self.known.len());
        let odd = if is_first { Some(&mut entries) } else { None };
        let (listing, has_twins) = if is_first { self.settled()? } else { (self.list()?, false) };
        let outline = outline(&listing, &self.table);
        let changed = self.compare(listing, &mut present, odd)?;
        // A later page of a round is one because there is something to say.
        let is_settled = !has_twins && changed.is_empty() && entries.is_empty() && present.len() == self.known.len();
        let mut lost =
            if changed.iter().any(|file| file.known.is_none()) { self.lost(&present) } else { HashMap::new() };
        let (mut count, mut bytes) = (0, 0);
        for file in changed {
            let from = if file.known.is_none() { lost.remove(identity(&file.name.base)) } else { None };
            present.extend(from.map(|(id, _)| id));
            if !is_first && file.name.base <= last {
                continue;
            }
            if count >= PAGE_ENTRIES || bytes >= PAGE_BYTES {
                return Ok(Page { entries, next: Next::Page(names::join(&[&last])) });
            }
            count += 1;
            last.clone_from(&file.name.base);
            if let Some((id, _)) = from {
                entries.push(Entry::Renamed { from: id.clone(), to: file.id.clone() });
            }
            // Another state of a draft has other bytes under the same identity.
            let is_same = |id| self.base_of(id).is_some_and(|was| draft_state(&was) == draft_state(&file.name.base));
            let known = file.known.or(from.filter(|(id, _)| is_same(id)).map(|(_, etag)| etag));
            if let Some(damage) = &file.damage {
                let reason = match known {
                    Some(_) => self.mendable(&file.file, damage),
                    None => format!("{damage}, and no message. Put its bytes back, or delete it"),
                };
                entries.push(self.bad(&file.id, reason));
                continue;
            }
            bytes += self.say(&file, known, &mut entries)?;
        }
        self.say_gone(&present, &mut entries, still_there)?;
        let token = outline.filter(|_| is_settled).map_or_else(no_token, |outline| outline.token());
        Ok(Page { entries, next: Next::Done(token) })
    }

    fn list(&self) -> Result<Listing> {
        listing::list(self.maildir).map_err(|e| refused(e, "listing the folder"))
    }

    /// The names of the folder once every base stands there once, and whether one still does not. Where some program may be at work on two
    /// files of one, after a moment.
    fn settled(&self) -> Result<(Listing, bool)> {
        let mut listing = self.list()?;
        let has_twins = !twins(&listing).is_empty();
        if !has_twins || self.room.device.is_dry_run() {
            return Ok((listing, has_twins));
        }
        if let Some(youth) = self.room.youth(self.maildir, &twins(&listing))? {
            std::thread::sleep(youth);
            listing = self.list()?;
        }
        for (base, files) in twins(&listing) {
            let known = self.known.get(&ids::remote_id(self.collection, base));
            self.room.settle(self.maildir, (&files, listing.separator), known)?;
        }
        let listing = self.list()?;
        let has_twins = !twins(&listing).is_empty();
        Ok((listing, has_twins))
    }

    /// Compares names with what is known. Answers those that differ, in the order of their bases; what is known and there is `present`.
    /// What is no file goes to `odd`, where that is asked for.
    fn compare(
        &self,
        listing: Listing,
        present: &mut HashSet<&'a RemoteId>,
        mut odd: Option<&mut Vec<Entry>>,
    ) -> Result<Vec<Changed<'a>>> {
        let separator = listing.separator;
        let mut changed = Vec::new();
        let mut id = RemoteId(self.collection.as_str().to_owned());
        for file in listing.files {
            let name = FileName::parse(&file.name, separator);
            id.0.truncate(self.collection.as_str().len());
            names::push(&mut id.0, &name.base);
            let known = self.known.get_key_value(&id);
            let oddity = self.oddity(&file)?;
            let damage = match oddity {
                Some(_) => None,
                None => self.room.damage(self.maildir.place(file.place), &file.name, &name)?,
            };
            // What has its name from somebody else since may be a known one, and is followed first.
            let reason = match (oddity, known, &damage) {
                (Some(oddity), ..) => Some(oddity.to_owned()),
                (None, Some(_), Some(damage)) => Some(self.mendable(&file, damage)),
                (None, ..) => None,
            };
            if let Some(reason) = reason {
                present.extend(known.map(|(id, _)| id));
                if let Some(entries) = &mut odd {
                    entries.push(self.bad(&id, reason));
                }
                continue;
            }
            match known {
                Some((id, etag)) if *etag == ids::etag(file.place, &name.flags, &self.table, false) => {
                    present.insert(id);
                }
                _ => {
                    let known_as = known.map(|(_, etag)| etag);
                    let mut file = Changed { file, name, id: id.clone(), known: known_as, damage };
                    if self.take_halves(&mut file, separator)? {
                        changed.push(file);
                    } else {
                        present.extend(known.map(|(id, _)| id));
                    }
                }
            }
        }
        // A file that moved while the folder was read may be met twice, and so are twins that could not be settled: as it is known, or else
        // where it stands by now.
        changed.retain(|file| !present.contains(&file.id));
        changed.sort_by(|a, b| (&a.name.base, b.file.place).cmp(&(&b.name.base, a.file.place)));
        changed.dedup_by(|later, first| later.name.base == first.name.base);
        present.extend(changed.iter().filter_map(|file| self.known.get_key_value(&file.id).map(|(id, _)| id)));
        Ok(changed)
    }

    /// Where somebody took away one of a keyword's two letters, the other goes as well, so that the name says it to whoever reads it.
    /// Answers whether the file is still called so; where it is not, the next look tells.
    fn take_halves(&self, changed: &mut Changed<'_>, separator: u8) -> Result<bool> {
        let Some((_, was)) = changed.known.and_then(ids::state_of) else { return Ok(true) };
        let flags = keywords::without_halves(&was, &changed.name.flags, &self.table);
        if flags == changed.name.flags {
            return Ok(true);
        }
        changed.name.flags = flags;
        if self.room.device.is_dry_run() {
            return Ok(true);
        }
        let folder = self.maildir.place(changed.file.place);
        let name = changed.name.in_cur(separator);
        match atomic::move_new(folder, &changed.file.name, folder, &name) {
            Ok(()) => {
                changed.file.name = name;
                Ok(true)
            }
            Err(Errno::NOENT | Errno::EXIST) => Ok(false),
            // In a folder that may only be read it keeps its name, and what was known of it.
            Err(errno) if is_denied(errno) => Ok(false),
            Err(errno) => Err(refused(errno, "taking a letter away")),
        }
    }

    /// Why a name is no message, where it is none. Asks the file only where the listing did not tell.
    fn oddity(&self, file: &File) -> Result<Option<&'static str>> {
        Ok(match file.file_type {
            FileType::RegularFile => None,
            FileType::Directory => Some("is a folder, not a file"),
            FileType::Symlink => Some("is a symbolic link, which is not followed"),
            FileType::Unknown => {
                let stat = beneath::stat(self.maildir.place(file.place), &file.name)
                    .map_err(|e| refused(e, "reading the folder"))?;
                stat.as_ref().and_then(beneath::oddity)
            }
            _ => Some("is not an ordinary file"),
        })
    }

    /// What is damaged of a known message, and what to type.
    fn mendable(&self, file: &File, damage: &str) -> String {
        let path = typed(&self.room.path_of(self.collection, file));
        format!(
            "{damage}. Put its bytes back, or give it another name to keep it as a message of its own; or delete it, and the next run \
             writes its message anew, whole, where that is still there: rm {path}"
        )
    }

    /// Known messages whose names are gone, by their identities: one that a program gave another base is found among the new ones.
    fn lost(&self, present: &HashSet<&RemoteId>) -> HashMap<Vec<u8>, (&'a RemoteId, &'a Etag)> {
        let missing = self.known.iter().filter(|(id, _)| !present.contains(id));
        let key = |id: &RemoteId| Some(identity(&self.base_of(id)?).to_vec());
        missing.filter_map(|(id, etag)| Some((key(id)?, (id, etag)))).collect()
    }

    /// The base of a message of this folder.
    fn base_of(&self, id: &RemoteId) -> Option<Vec<u8>> {
        let (folder, base) = ids::message_of(id).ok()?;
        (folder == *self.collection).then_some(base)
    }

    /// Says what a file is now, read where nobody knows its bytes. Answers how many bytes were read.
    fn say(&self, file: &Changed<'_>, known: Option<&Etag>, entries: &mut Vec<Entry>) -> Result<u64> {
        let etag = |is_young| ids::etag(file.file.place, &file.name.flags, &self.table, is_young);
        let seen = |etag, sheet| {
            Ok::<_, Error>(Entry::Seen(Box::new(message::seen(self.collection, &file.name.base, etag, &sheet)?)))
        };
        if let Some(known) = known.filter(|known| !ids::is_young(known)) {
            if *known != etag(false) {
                entries.push(seen(etag(false), message::sheet(file.file.place, &file.name, &self.table))?);
            }
            return Ok(0);
        }
        let read = || self.room.read(self.maildir.place(file.file.place), &file.file.name, &file.name);
        let is_half = |bytes: &Bytes| known.is_none() && bytes.is_young && bytes.lacks_end;
        let mut reading = read()?;
        // Somebody copies it here, slowly: half a message would be made elsewhere, and no account takes other bytes for it later. Where nothing
        // more comes for a moment, it came so from its sender.
        if let Reading::Whole(bytes) = &reading
            && is_half(bytes)
        {
            std::thread::sleep(bytes.rests_in);
            reading = read()?;
        }
        match reading {
            // Whoever goes on writing tells of it.
            Reading::Whole(bytes) if is_half(&bytes) => Ok(bytes.size),
            Reading::Whole(bytes) => {
                let sheet = message::whole_sheet(file.file.place, &file.name, &self.table, &bytes);
                entries.push(seen(etag(bytes.is_young), sheet)?);
                Ok(bytes.size)
            }
            // It moved on, or is being written at this very moment: next time.
            Reading::Vanished | Reading::Unsteady => Ok(0),
            Reading::Odd(reason) | Reading::Damaged(reason) => {
                entries.push(self.bad(&file.id, reason));
                Ok(0)
            }
        }
    }

    /// What is known and not there, after a second reading of the folder, is said to be gone: a question, which `look` answers.
    fn say_gone(
        &self,
        present: &HashSet<&RemoteId>,
        entries: &mut Vec<Entry>,
        still_there: impl Fn() -> Result<()>,
    ) -> Result<()> {
        let mut missing: Vec<(&RemoteId, Vec<u8>)> = self
            .known
            .keys()
            .filter(|id| !present.contains(id))
            .filter_map(|id| Some((id, self.base_of(id)?)))
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        // There under their very names, or as nobody's under another with their identity.
        let (mut bases, mut identities) = (HashSet::new(), HashSet::new());
        let wanted: HashSet<&[u8]> = missing.iter().map(|(_, base)| identity(base)).collect();
        let listing = self.list()?;
        for file in &listing.files {
            let base = listing.parse(file).base;
            if wanted.contains(identity(&base)) {
                if !self.known.contains_key(&ids::remote_id(self.collection, &base)) {
                    identities.insert(identity(&base).to_vec());
                }
                bases.insert(base);
            }
        }
        missing.retain(|(_, base)| !bases.contains(base) && !identities.contains(identity(base)));
        if !missing.is_empty() {
            still_there()?;
        }
        entries.extend(missing.into_iter().map(|(id, _)| Entry::Gone(id.clone())));
        Ok(())
    }

    fn bad(&self, id: &RemoteId, reason: impl Into<String>) -> Entry {
        Entry::Bad {
            remote_id: id.clone(),
            collection: self.collection.clone(),
            reason: reason.into(),
            raw: Vec::new(),
        }
    }
}
