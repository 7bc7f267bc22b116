//! Changing files so that no reader ever sees half of one and nobody's edit is overwritten unseen.
//!
//! Everything is written under a name with a leading dot first. A new file is renamed without overwriting; a changed one is
//! *exchanged* with the old one, and what came out is compared with what was expected; a removed one is renamed away,
//! compared, and only then unlinked. What came out and was not expected goes back to where it was.
//!
//! Names in use: `.twofold-new-…` holds bytes of ours, whole or not; `.twofold-swap-HASH-HASH-…` holds the one or the other
//! of two contents that the hub has (what was expected to come out, what went in), or, after a crash in the very moment of
//! a race, somebody's edit. [`tidy`] therefore removes the first kind, and of the second kind only what has one of
//! the two hashes; everything else it gives a visible name again.

use crate::beneath::{self, Look};
use crate::names;
use crate::scan::{self, Digest, Stamp};
use crate::vdir::{Format, Shape};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{AtFlags, Gid, Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};
use twofold_model::{Error, ErrorKind, Result, Uid};

pub(crate) const NEW: &str = ".twofold-new-";
const SWAP: &str = ".twofold-swap-";

/// Where others may be at work a leftover is only touched when it is older than this, besides being older than this process: another process of
/// the same hub (`--dry-run`, `status`) may be looking while the daemon writes.
pub(crate) const LEFTOVER_AGE_NS: i64 = 600 * 1_000_000_000;

/// So many names are tried before a create gives up.
const NAMES_TRIED: usize = 100;

type Io<T> = rustix::io::Result<T>;

/// Who may read and write what we make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileAccess {
    /// Permission bits of files.
    pub mode: u32,
    /// The group that owns them; `None`: the process's own.
    pub group: Option<u32>,
}

impl FileAccess {
    /// What the configuration says; nobody but the owner where it says nothing.
    pub fn of(mode: Option<u32>, group: Option<&str>) -> Result<Self> {
        let mode = mode.unwrap_or(if group.is_some() { 0o660 } else { 0o600 });
        if mode & !0o666 != 0 || mode & 0o600 != 0o600 {
            let message = format!("the file mode {mode:04o} must let the owner read and write, and nobody execute");
            return Err(Error::new(ErrorKind::Misconfigured, message));
        }
        Ok(Self { mode, group: group.map(group_number).transpose()? })
    }

    /// The permission bits of a folder: who may read may search; with a group, new files inherit it.
    pub fn folder_mode(self) -> u32 {
        let inherit = if self.group.is_some() { 0o2000 } else { 0 };
        self.mode | (self.mode & 0o444) >> 2 | inherit
    }
}

/// The number of a group, looked up among the machine's own.
fn group_number(group: &str) -> Result<u32> {
    if let Ok(number) = group.parse() {
        return Ok(number);
    }
    let known = std::fs::read_to_string("/etc/group").unwrap_or_default();
    let number = known.lines().find_map(|line| {
        let mut fields = line.split(':');
        let is_it = fields.next() == Some(group);
        is_it.then(|| fields.nth(1)?.parse().ok()).flatten()
    });
    number.ok_or_else(|| {
        let message = format!("there is no group {group:?} in /etc/group; name one that is there, or give its number");
        Error::new(ErrorKind::Misconfigured, message)
    })
}

/// Names for temporary files that no other process uses.
pub(crate) struct TempNames {
    nonce: String,
    next: AtomicU64,
}

impl TempNames {
    pub fn new() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let here = Box::new(0_u8);
        let seed = format!("{}:{since:?}:{:p}", std::process::id(), &raw const *here);
        Self { nonce: blake3::hash(seed.as_bytes()).to_hex()[..12].to_owned(), next: AtomicU64::new(0) }
    }

    pub(crate) fn fresh(&self) -> String {
        format!("{NEW}{}-{}", self.nonce, self.next.fetch_add(1, Ordering::Relaxed))
    }

    fn swap(&self, expected: &Digest, other: &Digest) -> String {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        format!("{SWAP}{}-{}-{}-{number}", scan::hex(expected), scan::hex(other), self.nonce)
    }
}

/// Writes a new temporary file; on failure nothing is left.
pub(crate) fn write_temp(folder: &OwnedFd, names: &TempNames, bytes: &[u8], access: FileAccess) -> Io<String> {
    let name = names.fresh();
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = rustix::fs::openat(folder, &name, flags, Mode::RUSR | Mode::WUSR)?;
    let filled = fill(&file, bytes).and_then(|()| give(&file, access.mode, access.group));
    if let Err(errno) = filled {
        discard(folder, &name);
        return Err(errno);
    }
    Ok(name)
}

pub(crate) fn fill(file: impl AsFd, mut bytes: &[u8]) -> Io<()> {
    while !bytes.is_empty() {
        match rustix::io::write(&file, bytes) {
            Ok(0) => return Err(Errno::IO),
            Ok(count) => bytes = &bytes[count..],
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// Sets group and permissions whatever the umask; the group first, for changing it clears bits. Where the group is right already, as in a
/// folder that hands its group on, nothing is asked for that a sandbox may refuse.
pub(crate) fn give(file: impl AsFd, mode: u32, group: Option<u32>) -> Io<()> {
    if let Some(group) = group
        && rustix::fs::fstat(&file)?.st_gid != group
    {
        rustix::fs::fchown(&file, None, Some(Gid::from_raw(group)))?;
    }
    match rustix::fs::fchmod(&file, Mode::from_raw_mode(mode)) {
        // File systems without permissions (FAT) refuse; there is nothing to protect there.
        Err(Errno::PERM | Errno::OPNOTSUPP) if group.is_none() => Ok(()),
        other => other,
    }
}

/// Makes a temporary file durable before it gets its name, so that no crash leaves an empty file under it.
pub(crate) fn sync_file(folder: &OwnedFd, name: &str) -> Io<()> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::fdatasync(rustix::fs::openat(folder, name, flags, Mode::empty())?)
}

/// Removes a file of ours; that it stays behind is no failure, [`tidy`] finds it.
pub(crate) fn discard(folder: &OwnedFd, name: &str) {
    if let Err(errno) = rustix::fs::unlinkat(folder, name, AtFlags::empty())
        && errno != Errno::NOENT
    {
        tracing::warn!(name, "a temporary file stays behind: {errno}");
    }
}

/// Gives a file of ours (marker, `displayname`) its name, replacing what was there.
pub(crate) fn replace_ours(folder: &OwnedFd, temp: &str, name: &str) -> Io<()> {
    rustix::fs::renameat(folder, temp, folder, name).inspect_err(|_| discard(folder, temp))
}

/// Gives a file a name that nothing has; `EXIST` when it is taken.
pub(crate) fn rename_new(folder: &OwnedFd, from: &str, to: &[u8]) -> Io<()> {
    move_new(folder, from.as_bytes(), folder, to)
}

/// [`rename_new`] from one folder into another.
pub(crate) fn move_new(from_folder: &OwnedFd, from: &[u8], to_folder: &OwnedFd, to: &[u8]) -> Io<()> {
    match rustix::fs::renameat_with(from_folder, from, to_folder, to, RenameFlags::NOREPLACE) {
        Err(errno) if is_unsupported(errno) => {}
        other => return other,
    }
    match rustix::fs::linkat(from_folder, from, to_folder, to, AtFlags::empty()) {
        Ok(()) => return rustix::fs::unlinkat(from_folder, from, AtFlags::empty()),
        Err(Errno::PERM | Errno::OPNOTSUPP | Errno::MLINK | Errno::NOSYS | Errno::INVAL) => {}
        Err(errno) => return Err(errno),
    }
    // Neither (FAT below an old kernel): an empty file reserves the name; readers take it for half a file.
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    drop(rustix::fs::openat(to_folder, to, flags, Mode::RUSR | Mode::WUSR)?);
    rustix::fs::renameat(from_folder, from, to_folder, to)
}

fn is_unsupported(errno: Errno) -> bool {
    matches!(errno, Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP)
}

/// How giving a new item its name ended.
pub(crate) enum Placed {
    /// It stands under this name.
    As(Vec<u8>),
    /// A file with that UID stands there already, with these bytes.
    Taken(Vec<u8>, Vec<u8>),
}

/// Gives a new item its name: that of its UID, or the next free one where another item has it. The temporary file is used up
/// either way.
pub(crate) fn place_new(folder: &OwnedFd, temp: &str, uid: &Uid, format: &Format) -> Io<Placed> {
    let placed = try_names(folder, temp, uid, format);
    if !matches!(placed, Ok(Placed::As(_))) {
        discard(folder, temp);
    }
    placed
}

fn try_names(folder: &OwnedFd, temp: &str, uid: &Uid, format: &Format) -> Io<Placed> {
    for ordinal in 1..=NAMES_TRIED {
        let name = format.file_name(uid, ordinal);
        match rename_new(folder, temp, name.as_bytes()) {
            Ok(()) => return Ok(Placed::As(name.into_bytes())),
            Err(Errno::EXIST) => {}
            Err(errno) => return Err(errno),
        }
        if let Look::File(bytes, _) = beneath::look(folder, name.as_bytes())?
            && matches!((format.shape)(&bytes), Shape::Whole(Some(found)) if found == *uid)
        {
            return Ok(Placed::Taken(name.into_bytes(), bytes));
        }
    }
    Err(Errno::EXIST)
}

/// How a guarded change ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It was made.
    Done,
    /// Somebody else was faster; their state stands, ours was not written.
    Changed,
    /// The file is gone.
    Gone,
}

/// Which ways the file system offers; tests take some away.
#[derive(Clone, Copy)]
pub(crate) struct Ways {
    pub exchange: bool,
    pub link: bool,
}

impl Ways {
    pub const ALL: Ways = Ways { exchange: true, link: true };
}

/// One guarded change of one file.
pub(crate) struct Change<'a> {
    pub folder: &'a OwnedFd,
    pub names: &'a TempNames,
    pub name: &'a [u8],
    /// What must come out.
    pub expected: &'a Digest,
    pub ways: Ways,
}

impl Change<'_> {
    /// Puts the temporary file, whose bytes have the hash `new`, in the place of `name`. The temporary file is used up.
    pub fn replace_by(&self, temp: &str, new: &Digest) -> Io<Outcome> {
        let swap = self.names.swap(self.expected, new);
        if let Err(errno) = rustix::fs::renameat(self.folder, temp, self.folder, &swap) {
            discard(self.folder, temp);
            return Err(errno);
        }
        let tried = if self.ways.exchange { self.exchange(swap.as_str()) } else { Err(Errno::INVAL) };
        match tried {
            Ok(()) => self.settle(&swap, new),
            Err(Errno::NOENT) => {
                discard(self.folder, &swap);
                Ok(Outcome::Gone)
            }
            Err(errno) if is_unsupported(errno) => self.replace_without_exchange(&swap),
            Err(errno) => {
                discard(self.folder, &swap);
                Err(errno)
            }
        }
    }

    fn exchange(&self, swap: &str) -> Io<()> {
        rustix::fs::renameat_with(self.folder, swap, self.folder, self.name, RenameFlags::EXCHANGE)
    }

    /// After the exchange: `swap` is what was there.
    fn settle(&self, swap: &str, new: &Digest) -> Io<Outcome> {
        if self.is(swap.as_bytes(), self.expected) {
            discard(self.folder, swap);
            return Ok(Outcome::Done);
        }
        // Not what was agreed on: it goes back to its place, and ours comes out again.
        match self.exchange(swap) {
            Ok(()) if self.is(swap.as_bytes(), new) => discard(self.folder, swap),
            // A third hand was there in between. Theirs, the newest, is what came out now: it takes the place again.
            Ok(()) => {
                if self.exchange(swap).is_ok() {
                    self.keep(swap);
                }
            }
            // The name was removed meanwhile: theirs takes the free place.
            Err(_) => {
                if rename_new(self.folder, swap, self.name).is_err() {
                    self.keep(swap);
                }
            }
        }
        Ok(Outcome::Changed)
    }

    /// Where names cannot be exchanged: the old file gets a second name first, so that it can still be compared after it was
    /// replaced. Between the two steps lies a moment in which a change would go unseen; nothing better is offered there.
    fn replace_without_exchange(&self, ready: &str) -> Io<Outcome> {
        let aside = self.names.swap(self.expected, &Digest::default());
        let linked = if self.ways.link {
            rustix::fs::linkat(self.folder, self.name, self.folder, &aside, AtFlags::empty())
        } else {
            Err(Errno::PERM)
        };
        if linked == Err(Errno::NOENT) {
            discard(self.folder, ready);
            return Ok(Outcome::Gone);
        }
        let is_expected = self.is(self.name, self.expected);
        if is_expected && let Err(errno) = rustix::fs::renameat(self.folder, ready, self.folder, self.name) {
            discard(self.folder, ready);
            if linked.is_ok() {
                discard(self.folder, &aside);
            }
            return Err(errno);
        }
        if !is_expected {
            discard(self.folder, ready);
        }
        if linked.is_ok() {
            // A change in place between the look and the rename shows in the file that was set aside.
            if is_expected && !self.is(aside.as_bytes(), self.expected) {
                self.keep(&aside);
                return Ok(Outcome::Changed);
            }
            discard(self.folder, &aside);
        }
        Ok(if is_expected { Outcome::Done } else { Outcome::Changed })
    }

    /// Removes the file.
    pub fn remove(&self) -> Io<Outcome> {
        let swap = self.names.swap(self.expected, &Digest::default());
        match rustix::fs::renameat(self.folder, self.name, self.folder, &swap) {
            Ok(()) => {}
            Err(Errno::NOENT) => return Ok(Outcome::Gone),
            Err(errno) => return Err(errno),
        }
        if self.is(swap.as_bytes(), self.expected) {
            discard(self.folder, &swap);
            return Ok(Outcome::Done);
        }
        if rename_new(self.folder, &swap, self.name).is_err() {
            self.keep(&swap);
        }
        Ok(Outcome::Changed)
    }

    /// Whether the file's content is the one with this hash.
    fn is(&self, name: &[u8], digest: &Digest) -> bool {
        matches!(beneath::look(self.folder, name), Ok(Look::File(bytes, _)) if scan::digest(&bytes) == *digest)
    }

    /// Gives somebody's edit a visible name beside the one it lost.
    fn keep(&self, hidden: &str) {
        keep(self.folder, hidden, self.name);
    }
}

/// Gives a file a visible name like `like`; where that cannot be it stays hidden, but is never removed.
fn keep(folder: &OwnedFd, hidden: &str, like: &[u8]) {
    let split = like.iter().rposition(|b| *b == b'.').unwrap_or(like.len());
    let (stem, extension) = like.split_at(split);
    for ordinal in 1..=NAMES_TRIED {
        let suffix = format!(".kept-{ordinal}");
        let room = names::LONGEST_NAME.saturating_sub(suffix.len() + extension.len());
        let name = [&stem[..stem.len().min(room)], suffix.as_bytes(), extension].concat();
        match rename_new(folder, hidden, &name) {
            Ok(()) => {
                let name = String::from_utf8_lossy(&name);
                tracing::warn!(%name, "two programs changed a file at once; the other version is kept beside it");
                return;
            }
            Err(Errno::EXIST) => {}
            Err(errno) => {
                tracing::warn!(hidden, "the other version of a file stays under a hidden name: {errno}");
                return;
            }
        }
    }
}

/// Deals with what a crashed run left in a folder: removes what the hub has, gives everything else a visible name. Touches
/// only names of ours that are older than `before_ns`.
pub(crate) fn tidy(folder: &OwnedFd, temps: &[Vec<u8>], format: &Format, before_ns: i64) -> Io<()> {
    for name in temps {
        let Ok(name) = std::str::from_utf8(name) else { continue };
        let Some(stat) = beneath::stat(folder, name.as_bytes())? else { continue };
        let is_old = Stamp::of(&stat).age_ns(before_ns) > 0;
        if !is_old || beneath::oddity(&stat).is_some() {
            continue;
        }
        if name.starts_with(NEW) {
            discard(folder, name);
            continue;
        }
        let Some(hashes) = name.strip_prefix(SWAP) else { continue };
        let Look::File(bytes, _) = beneath::look(folder, name.as_bytes())? else { continue };
        let hash = scan::hex(&scan::digest(&bytes));
        if hashes.split('-').take(2).any(|known| known == hash) {
            discard(folder, name);
            continue;
        }
        match (format.shape)(&bytes) {
            Shape::Whole(uid) => {
                let uid = uid.unwrap_or(Uid(hash));
                keep(folder, name, format.file_name(&uid, 1).as_bytes());
            }
            // Written in the moment of a power cut, before it was durable: no item, and the hub has what it should be.
            Shape::Half if bytes.iter().all(|b| *b == 0) => discard(folder, name),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::beneath::open_root;
    use std::collections::BTreeMap;
    use std::path::Path;

    fn card(uid: &str, name: &str) -> String {
        format!("BEGIN:VCARD\r\nVERSION:3.0\r\nUID:{uid}\r\nFN:{name}\r\nN:{name};;;;\r\nEND:VCARD\r\n")
    }

    fn files(path: &Path) -> BTreeMap<String, String> {
        std::fs::read_dir(path)
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                (entry.file_name().into_string().unwrap(), std::fs::read_to_string(entry.path()).unwrap())
            })
            .collect()
    }

    fn named(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    const OWN: FileAccess = FileAccess { mode: 0o600, group: None };

    const WAYS: [(&str, Ways); 3] = [
        ("exchange", Ways::ALL),
        ("no exchange", Ways { exchange: false, link: true }),
        ("no exchange, no links", Ways { exchange: false, link: false }),
    ];

    #[test]
    fn what_was_expected_is_replaced_on_every_file_system() {
        for (words, ways) in WAYS {
            let dir = tempfile::tempdir().unwrap();
            let (folder, names) = (open_root(dir.path()).unwrap(), TempNames::new());
            std::fs::write(dir.path().join("a.vcf"), "old").unwrap();
            let temp = write_temp(&folder, &names, b"new", OWN).unwrap();
            let change =
                Change { folder: &folder, names: &names, name: b"a.vcf", expected: &scan::digest(b"old"), ways };
            assert_eq!(change.replace_by(&temp, &scan::digest(b"new")), Ok(Outcome::Done), "{words}");
            assert_eq!(files(dir.path()), named(&[("a.vcf", "new")]), "{words}");
        }
    }

    #[test]
    fn an_edit_between_look_and_exchange_goes_back_to_its_place() {
        // The guard was checked, then somebody wrote: what comes out of the exchange is not what was expected.
        for (words, ways) in WAYS {
            let dir = tempfile::tempdir().unwrap();
            let (folder, names) = (open_root(dir.path()).unwrap(), TempNames::new());
            let temp = write_temp(&folder, &names, b"ours", OWN).unwrap();
            std::fs::write(dir.path().join("a.vcf"), "their edit").unwrap();
            let change =
                Change { folder: &folder, names: &names, name: b"a.vcf", expected: &scan::digest(b"old"), ways };
            assert_eq!(change.replace_by(&temp, &scan::digest(b"ours")), Ok(Outcome::Changed), "{words}");
            assert_eq!(files(dir.path()), named(&[("a.vcf", "their edit")]), "{words}");
        }
    }

    #[test]
    fn under_a_storm_of_edits_every_version_survives_or_was_seen() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().to_owned();
        let (folder, names) = (open_root(&path).unwrap(), TempNames::new());
        std::fs::write(path.join("a.vcf"), "start").unwrap();
        let theirs = std::thread::spawn({
            let path = path.clone();
            move || {
                for n in 0..300 {
                    std::fs::write(path.join("theirs.tmp"), format!("their edit {n}")).unwrap();
                    std::fs::rename(path.join("theirs.tmp"), path.join("a.vcf")).unwrap();
                }
            }
        });
        let mut done = 0;
        for n in 0.. {
            let last_round = theirs.is_finished();
            let Ok(Look::File(seen, _)) = beneath::look(&folder, b"a.vcf") else { continue };
            let ours = format!("ours {n}");
            let temp = write_temp(&folder, &names, ours.as_bytes(), OWN).unwrap();
            let expected = scan::digest(&seen);
            let change =
                Change { folder: &folder, names: &names, name: b"a.vcf", expected: &expected, ways: Ways::ALL };
            match change.replace_by(&temp, &scan::digest(ours.as_bytes())).unwrap() {
                Outcome::Done => done += 1,
                Outcome::Changed => {}
                Outcome::Gone => panic!("the name was never free"),
            }
            if last_round {
                break;
            }
        }
        theirs.join().unwrap();
        assert!(done > 0);
        // Their last edit was either seen by a replace that then succeeded, or it stands there, or beside.
        let left = files(&path);
        assert!(left.keys().all(|name| !name.starts_with('.')), "{left:?}");
        assert!(left.contains_key("a.vcf"));
    }

    #[test]
    fn a_file_that_changed_is_not_removed() {
        let dir = tempfile::tempdir().unwrap();
        let (folder, names) = (open_root(dir.path()).unwrap(), TempNames::new());
        std::fs::write(dir.path().join("a.vcf"), "their edit").unwrap();
        let change =
            Change { folder: &folder, names: &names, name: b"a.vcf", expected: &scan::digest(b"old"), ways: Ways::ALL };
        assert_eq!(change.remove(), Ok(Outcome::Changed));
        assert_eq!(files(dir.path()), named(&[("a.vcf", "their edit")]));
        let change = Change { expected: &scan::digest(b"their edit"), ..change };
        assert_eq!(change.remove(), Ok(Outcome::Done));
        assert_eq!(files(dir.path()), named(&[]));
        assert_eq!(change.remove(), Ok(Outcome::Gone));
    }

    #[test]
    fn a_full_disk_is_said_in_words_and_leaves_nothing() {
        let full = rustix::fs::openat(rustix::fs::CWD, "/dev/full", OFlags::WRONLY, Mode::empty()).unwrap();
        let errno = fill(&full, b"x").unwrap_err();
        let error = beneath::refused(errno, "writing a card");
        assert_eq!(error.kind, ErrorKind::Offline);
        assert!(error.message.contains("disk full") && error.message.contains("nothing was changed"), "{error}");
    }

    #[test]
    fn leftovers_are_removed_only_if_the_hub_has_them_and_they_are_old() {
        let dir = tempfile::tempdir().unwrap();
        let (folder, names) = (open_root(dir.path()).unwrap(), TempNames::new());
        let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
        let (old, new, edit) = (card("u", "Old"), card("u", "New"), card("u", "Edit"));
        let (old_hash, new_hash) = (scan::digest(old.as_bytes()), scan::digest(new.as_bytes()));
        let before = files(dir.path());
        write(".twofold-new-abc-1", "BEGIN:VCA");
        write(&names.swap(&old_hash, &new_hash), &old);
        write(&names.swap(&old_hash, &new_hash), &new);
        write(&names.swap(&old_hash, &new_hash), &edit);
        write(".twofold-collection", "{}");
        write(".someone-elses.tmp", "x");
        let all = files(dir.path());
        let format = Format::contacts(twofold_model::vcard::Version::V3);
        let temps = scan::list(&folder, ".vcf").unwrap().temps;
        let now = crate::now_ns();
        let minute = 60 * 1_000_000_000;

        tidy(&folder, &temps, &format, now - minute).unwrap();
        assert_eq!(files(dir.path()), all, "younger than this process: left alone");
        tidy(&folder, &temps, &format, now + minute).unwrap();
        assert!(before.is_empty());
        assert_eq!(
            files(dir.path()),
            named(&[(".twofold-collection", "{}"), (".someone-elses.tmp", "x"), ("u.kept-1.vcf", &edit)])
        );
    }
}
