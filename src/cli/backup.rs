//! `twofold backup`: one file with everything that the hub holds, made beside the service or a run; and the way back.
//!
//! The hub is copied by SQLite's own means, then the bytes of every message that this copy names. Bytes are removed only after the
//! transaction that took their last name away, so what a fresh copy names is there, but for a moment: then another copy is made.

mod archive;
mod put_back;

use super::disk::Spare;
use super::status::signs::hub_size;
use super::{Context, words};
use crate::config::Config;
use crate::connect;
use archive::{Contents, Writer};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use twofold_cycle::report::exit;
use twofold_hub::Hub;
use twofold_model::{BlobId, Blobs, Error, ErrorKind, Result};

/// So many copies are made of a hub whose messages vanish meanwhile.
const TRIES: u32 = 3;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The file to write (or, with --restore, to read)
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Put a backup back into the state folder
    #[arg(long)]
    restore: bool,
    /// Replace an older backup; with --restore, the hub that is there (it stays beside it)
    #[arg(long)]
    force: bool,
}

/// Makes a backup, or puts one back.
pub fn run(context: &Context, args: Args) -> Result<i32> {
    let config = context.config()?;
    let file = std::path::absolute(&args.file).unwrap_or_else(|_| args.file.clone());
    match args.restore {
        true => put_back::run(context, &config, &file, args.force),
        false => make(context, &config, &file, args.force),
    }
}

fn make(context: &Context, config: &Config, file: &Path, may_replace: bool) -> Result<i32> {
    check_place(config, file, may_replace)?;
    // Also brings an older schema up to date, which nothing below does.
    drop(context.hub_to_read(config)?);
    if !Hub::is_in(&config.state_dir) {
        return Err(Error::new(ErrorKind::Misconfigured, "there is nothing to back up; no backup was made"));
    }
    let unfinished = Unfinished::begin(file)?;
    let mut lacking = Vec::new();
    for left in (0..TRIES).rev() {
        lacking = unfinished.write(config, left == 0, context.now_ms())?;
        if lacking.is_empty() || left == 0 {
            break;
        }
    }
    let contents = archive::verify(&unfinished.tar())?;
    unfinished.finish(file)?;
    let size = std::fs::metadata(file).map_or(0, |meta| meta.len());
    println!(
        "{}: {}, the hub and {} in it, read back and whole",
        file.display(),
        words::bytes(size),
        words::many(usize::try_from(contents.messages).unwrap_or(usize::MAX), "message"),
    );
    context.say(
        "Not in it: the configuration, the sign-ins and their key, the device folders. It is not encrypted: whoever reads it reads \
         all items. To put it back: twofold backup --restore FILE",
    );
    let Some(first) = lacking.first() else { return Ok(exit::ALIGNED) };
    eprintln!(
        "twofold: the bytes of {} are missing or damaged in the state folder and not in the backup (the first: {first}); all else is. \
         Look at it with: twofold doctor --full",
        words::many(lacking.len(), "message")
    );
    Ok(exit::FAILED)
}

/// Refuses a file that is in the way of something, or that is something else.
fn check_place(config: &Config, file: &Path, may_replace: bool) -> Result<()> {
    let refuse = |words: String| Err(Error::new(ErrorKind::Misconfigured, words));
    let folder = file.parent().unwrap_or(Path::new("/"));
    let real = folder.canonicalize().map_err(|error| {
        let words = format!("{0}: {error}; no backup was made. Type: mkdir -p '{0}'", folder.display());
        Error::new(ErrorKind::Misconfigured, words).with_source(error)
    })?;
    let is_below = |root: &Path| real.starts_with(root.canonicalize().unwrap_or_else(|_| root.to_owned()));
    if is_below(&config.state_dir) {
        return refuse(
            "a backup in the state folder is lost with it; no backup was made. Name a file elsewhere".into(),
        );
    }
    if let Some(device) = config.devices.iter().find(|device| is_below(&device.path)) {
        let words = "is in the folder of the device";
        return refuse(format!(
            "{} {words} \"{}\"; no backup was made. Name a file elsewhere",
            file.display(),
            device.name
        ));
    }
    if file.symlink_metadata().is_err() {
        return Ok(());
    }
    if !archive::is_backup(file) {
        return refuse(format!("{} is there and is no backup; it was not touched. Name another file", file.display()));
    }
    if !may_replace {
        return refuse(format!(
            "{} is there; it was not touched. To replace it by a new backup, type: twofold backup --force {0}",
            file.display()
        ));
    }
    Ok(())
}

/// A folder beside the file, in which the backup is made. What a stopped one left there is made anew.
struct Unfinished {
    folder: PathBuf,
    /// Held, so that two never make the same file.
    _lock: File,
}

impl Unfinished {
    fn begin(file: &Path) -> Result<Unfinished> {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let folder = file.with_file_name(format!(".{name}.unfinished"));
        let failed = |error: io::Error| {
            let words = format!(
                "{} cannot be written: {error}; no backup was made. Name a file in a folder that this user may write to",
                folder.display()
            );
            Error::new(ErrorKind::Misconfigured, words).with_source(error)
        };
        match DirBuilder::new().mode(0o700).create(&folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(failed(error)),
            _ => {}
        }
        let lock = File::open(&folder).map_err(failed)?;
        rustix::fs::flock(&lock, rustix::fs::FlockOperation::NonBlockingLockExclusive).map_err(|_| {
            let words = format!("another backup is being written to {}; this one was not made", file.display());
            Error::new(ErrorKind::Throttled { retry_after_s: None }, words)
        })?;
        Ok(Unfinished { folder, _lock: lock })
    }

    fn tar(&self) -> PathBuf {
        self.folder.join("backup.tar")
    }

    /// Writes all of it; answers the messages whose bytes could not be had. Where that is so, the rest is written only the `last` time.
    fn write(&self, config: &Config, is_last: bool, now_ms: i64) -> Result<Vec<BlobId>> {
        let failed = |error: io::Error| {
            let (kind, words) = match error.kind() {
                io::ErrorKind::StorageFull => (
                    ErrorKind::Throttled { retry_after_s: None },
                    format!(
                        "{error}; no backup was made. Free some space, or name a file on another disk: twofold backup FILE"
                    ),
                ),
                _ => (ErrorKind::Broken, format!("the backup cannot be written: {error}; none was made")),
            };
            Error::new(kind, words).with_source(error)
        };
        let copy = self.folder.join("hub.sqlite");
        let spare = Spare::of(config, self.folder.parent().unwrap_or(&self.folder));
        // SQLite writes its copy in one go.
        spare.check(hub_size(config)).map_err(failed)?;
        Hub::copy(&config.state_dir, &copy)?;
        let hub = Hub::look(&self.folder)?.ok_or_else(|| {
            Error::new(ErrorKind::Broken, "the copy of the hub cannot be read; no backup was made. See: twofold doctor")
        })?;
        let contents = Contents::begun(now_ms, hub.id(), hub.last_run()?.map_or(0, |run| run.id));
        let file = OpenOptions::new().create(true).truncate(true).read(true).write(true).mode(0o600).open(self.tar());
        let mut hub_file = File::open(&copy).map_err(failed)?;
        let mut writer = Writer::begin(file.map_err(failed)?, spare, &mut hub_file, contents).map_err(failed)?;
        let blobs = connect::blobs_to_read(config)?;
        let mut lacking = Vec::new();
        hub.each_blob(|blob| {
            // One that is not there takes no part of the file; one that turns out to be damaged on the way does, so it is read twice.
            match &blobs {
                _ if !is_last && !lacking.is_empty() => {}
                Some(blobs) if is_whole(blobs.as_ref(), blob)? => {
                    writer.add(blob, &mut blobs.open(blob)?).map_err(failed)?;
                }
                _ => lacking.push(blob.clone()),
            }
            Ok(())
        })?;
        writer.end().map_err(failed)?;
        Ok(lacking)
    }

    /// Gives the backup its name, durably.
    fn finish(self, file: &Path) -> Result<()> {
        let failed = |error: io::Error| {
            let words = format!("the backup cannot be given its name {}: {error}", file.display());
            Error::new(ErrorKind::Broken, words).with_source(error)
        };
        std::fs::rename(self.tar(), file).map_err(failed)?;
        let parent = file.parent().unwrap_or(Path::new("/"));
        File::open(parent).and_then(|folder| folder.sync_all()).map_err(failed)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // What stays is made anew or removed by the next backup of that name.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Whether the bytes of a message are there and what their name says.
fn is_whole(blobs: &dyn Blobs, blob: &BlobId) -> Result<bool> {
    match blobs.open(blob) {
        Ok(mut bytes) => Ok(io::copy(&mut bytes, &mut io::sink()).is_ok()),
        Err(error) if error.kind == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}
