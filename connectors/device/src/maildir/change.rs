//! Changes of names: flags, links, moves, removals. Each is one step of the kernel that names the file as it was agreed to be called.

use super::Place;
use super::at::{At, Here};
use super::keywords;
use super::message;
use super::name::{FileName, base_elsewhere, numbered};
use super::words;
use super::write::answer;
use crate::atomic;
use crate::beneath::{self, refused};
use crate::scan::Stamp;
use crate::write::{gone, stale};
use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;
use twofold_model::email::Sheet;
use twofold_model::{Error, ErrorKind, Etag, Result, Seen, Written};

/// Gives a message the flags that a sheet says: those of its keywords, and `T`.
pub fn flag(at: &At<'_>, base: &[u8], etag: &Etag, from: &Sheet, to: Sheet) -> Result<Seen> {
    let here = at.guarded(base, etag)?;
    let (table, noted) = at.words(&to.keywords)?;
    let strange = message::came_along(from, &here.name);
    let mut flags = keywords::with_keywords(&(&here.name.flags - &strange), &to.keywords, &table);
    match (from.deleted, to.deleted) {
        (false, true) => drop(flags.insert(keywords::TRASHED)),
        (true, false) => drop(flags.remove(&keywords::TRASHED)),
        _ => {}
    }
    let name = FileName { base: here.name.base.clone(), flags };
    let place = if name.flags.is_empty() { here.place } else { Place::Cur };
    // A file that has no flags so far does not say what stands before them in its folder.
    let separator = if here.name.flags.is_empty() { at.separator()? } else { here.separator };
    let file = if name == here.name { here.file.clone() } else { name.in_cur(separator) };
    if file != here.file {
        let renamed = atomic::move_new(at.place(here.place), &here.file, at.place(place), &file);
        renamed.map_err(|errno| match errno {
            Errno::NOENT | Errno::EXIST => stale(),
            errno => refused(errno, "changing flags"),
        })?;
    }
    noted?;
    if to.blob().is_none() {
        return at.seen_whole(&Here { place, file, name, ..here });
    }
    answer(at, place, &name, &table, to)
}

/// A further name for a message, in another folder.
pub fn copy(from: &At<'_>, base: &[u8], to: &At<'_>) -> Result<Seen> {
    if from.id == to.id {
        return Err(Error::new(ErrorKind::Refused, "a message stands in a folder once"));
    }
    let here = from.current(base, None)?.ok_or_else(gone)?;
    if here.name.base != base {
        return Err(stale());
    }
    from.fit(&here)?;
    if let Some(there) = to.read_before(&here.name.base)? {
        return same_message(from, &here, to, there);
    }
    let there = name_in(from, &here, &here.name.base, to)?;
    let linked = rustix::fs::linkat(
        from.place(here.place),
        here.file.as_slice(),
        to.place(there.place),
        there.file.as_slice(),
        AtFlags::empty(),
    );
    match linked {
        Ok(()) => {}
        Err(Errno::NOENT) => return Err(stale()),
        Err(Errno::EXIST) => {}
        Err(Errno::PERM | Errno::XDEV | Errno::MLINK | Errno::OPNOTSUPP | Errno::NOSYS | Errno::ACCESS) => {
            copy_bytes(from, &here, to, &there)?;
        }
        Err(errno) => return Err(refused(errno, "linking")),
    }
    to.seen_whole(&there)
}

/// Moves a message to another folder under the same base. Where another file has that there, it gets a base of its own: two files are two
/// messages, whatever is in them (one of them may be a copy that somebody made under its name).
pub fn move_to(from: &At<'_>, base: &[u8], etag: &Etag, to: &At<'_>) -> Result<Seen> {
    let here = from.guarded(base, etag)?;
    if from.id == to.id {
        return from.seen_whole(&here);
    }
    let unlink = || {
        let folder = from.place(here.place);
        rustix::fs::unlinkat(folder, here.file.as_slice(), AtFlags::empty()).map_err(|errno| match errno {
            Errno::NOENT => stale(),
            errno => refused(errno, "moving"),
        })
    };
    let mut base = here.name.base.clone();
    if let Some(there) = to.read_before(&base)? {
        if is_moved_already(from, &here, to, &there)? {
            let seen = to.seen_whole(&there)?;
            unlink()?;
            return Ok(seen);
        }
        for ordinal in 2.. {
            base = numbered(&here.name.base, ordinal);
            if to.read_before(&base)?.is_none() {
                break;
            }
        }
    }
    let there = name_in(from, &here, &base, to)?;
    let (source, target) = (from.place(here.place), to.place(there.place));
    match atomic::move_new(source, &here.file, target, &there.file) {
        Ok(()) => {}
        Err(Errno::NOENT | Errno::EXIST) => return Err(stale()),
        Err(Errno::XDEV) => {
            copy_bytes(from, &here, to, &there)?;
            unlink()?;
        }
        Err(errno) => return Err(refused(errno, "moving")),
    }
    to.seen_whole(&there)
}

/// Removes a message from a folder, provided that the file is what we wrote: what somebody wrote in its place is nowhere else.
pub fn delete(at: &At<'_>, base: &[u8], etag: &Etag) -> Result<Written> {
    // What is gone, or moved elsewhere by somebody, is no copy of this folder any more.
    let Some(here) = at.current(base, Some(etag))? else { return Ok(None) };
    if !here.is_as(base, etag) {
        return Err(stale());
    }
    if let Some(unfit) = at.unfit(&here)? {
        return Err(unfit.error("it is not removed"));
    }
    match rustix::fs::unlinkat(at.place(here.place), here.file.as_slice(), AtFlags::empty()) {
        Ok(()) => Ok(None),
        Err(Errno::NOENT) => match at.current(base, None)? {
            Some(_) => Err(stale()),
            None => Ok(None),
        },
        Err(errno) => Err(refused(errno, "removing")),
    }
}

/// The copy that stands there already, provided that it is the same message.
fn same_message(from: &At<'_>, here: &Here, to: &At<'_>, there: Here) -> Result<Seen> {
    let seen = to.seen_whole(&there)?;
    if file_of(from, here)? == file_of(to, &there)? || blob_of(&from.seen_whole(here)?)? == blob_of(&seen)? {
        return Ok(seen);
    }
    Err(Error::new(ErrorKind::Refused, "another message of that name stands in the folder"))
}

/// Whether a file of that base is what a move left there that was cut off before it took the first name away: the same file; or, on
/// another file system, its bytes.
fn is_moved_already(from: &At<'_>, here: &Here, to: &At<'_>, there: &Here) -> Result<bool> {
    let (one, other) = (file_of(from, here)?, file_of(to, there)?);
    Ok(one == other || one.0 != other.0 && blob_of(&from.seen_whole(here)?)? == blob_of(&to.seen_whole(there)?)?)
}

/// Which file it is to the kernel: its file system, and its number there.
fn file_of(at: &At<'_>, file: &Here) -> Result<(u64, u64)> {
    let stat = beneath::stat(at.place(file.place), &file.file).map_err(|e| refused(e, "reading"))?;
    stat.map(|stat| (stat.st_dev, stat.st_ino)).ok_or_else(stale)
}

fn blob_of(seen: &Seen) -> Result<Option<String>> {
    Ok(Sheet::read(&seen.rendering)?.blob_id)
}

/// What a message of one folder is called in another: the same base but for what counts in the one folder only, the same flags, the letters
/// of the other's own words.
fn name_in(from: &At<'_>, here: &Here, base: &[u8], to: &At<'_>) -> Result<Here> {
    let table = words::read(&from.folder)?;
    let says = keywords::keywords(&here.name.flags, &table);
    let (other, noted) = to.words(&says)?;
    noted?;
    let plain = &here.name.flags - &keywords::letters(&here.name.flags);
    let is_bare = here.file == here.name.base;
    let base = base_elsewhere(base);
    let name = FileName { base, flags: keywords::with_keywords(&plain, &says, &other) };
    let separator = to.separator()?;
    let place = if name.flags.is_empty() { here.place } else { Place::Cur };
    let file = match place {
        Place::New if is_bare => name.base.clone(),
        Place::New => name.in_cur(here.separator),
        Place::Cur => name.in_cur(separator),
    };
    Ok(Here { place, file, name, separator })
}

fn copy_bytes(from: &At<'_>, here: &Here, to: &At<'_>, there: &Here) -> Result<()> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = rustix::fs::openat(from.place(here.place), here.file.as_slice(), flags, Mode::empty());
    let file = file.map_err(|errno| if errno == Errno::NOENT { stale() } else { refused(errno, "reading") })?;
    let stat = rustix::fs::fstat(&file).map_err(|e| refused(e, "reading"))?;
    if let Some(oddity) = beneath::oddity(&stat) {
        return Err(Error::new(ErrorKind::Refused, format!("the file {oddity}; it is not copied")));
    }
    let received_ns = Stamp::of(&stat).mtime_ns;
    let (temp, _) = to.room.write_temp(&to.maildir, &mut std::fs::File::from(file), Some(received_ns))?;
    let put = || {
        if to.room.device.options.is_durable {
            atomic::sync_file(&to.maildir.tmp, &temp)?;
        }
        atomic::move_new(&to.maildir.tmp, temp.as_bytes(), to.place(there.place), &there.file)
    };
    put().map_err(|errno| {
        atomic::discard(&to.maildir.tmp, &temp);
        if errno == Errno::EXIST { stale() } else { refused(errno, "copying") }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Device, DeviceOptions};
    use std::os::unix::fs::MetadataExt as _;
    use std::sync::Arc;
    use twofold_model::blob::MemoryBlobs;
    use twofold_model::{Access, Collection, Connector as _, Kind};

    #[tokio::test]
    async fn where_a_file_cannot_be_linked_its_bytes_and_its_time_are_copied() {
        let dir = tempfile::tempdir().unwrap();
        let mut options = DeviceOptions::new("laptop", dir.path(), "hub-1", "replica-1");
        options.is_known = false;
        options.kinds = vec![Kind::Mail];
        options.blobs = Some(Arc::new(MemoryBlobs::default()));
        let device = Device::open(options).unwrap();
        for name in ["INBOX", "Work"] {
            let like = Collection {
                id: "google/mail".into(),
                kind: Kind::Mail,
                name: name.into(),
                color: None,
                is_default: false,
                role: None,
                access: Access::ReadWrite,
            };
            device.create_collection(Kind::Mail, &like).await.unwrap();
        }
        let (old, new) = ("google/mail/cur/1.host:2,S", "google/mail/.Work/cur/1.host:2,S");
        std::fs::write(dir.path().join(old), "Subject: one\r\n\r\n").unwrap();
        let received = std::time::UNIX_EPOCH + std::time::Duration::from_millis(1_700_000_000_500);
        std::fs::File::options().write(true).open(dir.path().join(old)).unwrap().set_modified(received).unwrap();

        let room = device.mail().unwrap();
        let root = device.root_to_write().unwrap();
        let at = |id: &str| {
            let (folder, maildir) = room.marked(&root, &id.into()).unwrap();
            At::new(room, id.into(), folder, maildir)
        };
        let (from, to) = (at("google/mail/INBOX"), at("google/mail/.Work"));
        let here = from.current(b"1.host", None).unwrap().unwrap();
        let there = name_in(&from, &here, &here.name.base, &to).unwrap();
        copy_bytes(&from, &here, &to, &there).unwrap();
        assert_eq!(std::fs::read(dir.path().join(new)).unwrap(), std::fs::read(dir.path().join(old)).unwrap());
        let (before, after) = (std::fs::metadata(dir.path().join(old)), std::fs::metadata(dir.path().join(new)));
        let (before, after) = (before.unwrap(), after.unwrap());
        assert_eq!((before.mtime(), before.mtime_nsec()), (after.mtime(), after.mtime_nsec()));
        assert_ne!(before.ino(), after.ino());
        // Never onto a file that is there.
        let again = copy_bytes(&from, &here, &to, &there).unwrap_err();
        assert_eq!(again.kind, ErrorKind::StaleEtag);
        assert_eq!(std::fs::read_dir(dir.path().join("google/mail/.Work/tmp")).unwrap().count(), 0);
    }
}
