//! `twofold backup --restore`: everything in a backup goes back into the state folder.
//!
//! The bytes of messages first, then the hub by one rename: whoever kills this finds the old hub or the new one, and types it again. What
//! happened since the backup is found by comparing every place in full (ENGINE 22): edits are taken, what is new is taken once, and what
//! somebody deleted since is held. A device folder is held until somebody says that it may be paired.

use super::super::disk::Spare;
use super::super::{Context, hints, moment, words};
use super::archive::{self, Entry};
use crate::config::Config;
use crate::connect;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use twofold_auth::{ProviderName, Vault};
use twofold_cycle::report::exit;
use twofold_hub::{Hub, Lock};
use twofold_model::{Error, ErrorKind, Result};

/// Puts a backup back.
pub fn run(context: &Context, config: &Config, file: &Path, may_replace: bool) -> Result<i32> {
    let contents = archive::verify(file).map_err(|mut error| {
        error.message += "; nothing was put back. Name a file that `twofold backup FILE` wrote";
        error
    })?;
    let state = &config.state_dir;
    connect::state_folder(state)?;
    let busy = |words: &str| Error::new(ErrorKind::Throttled { retry_after_s: None }, words);
    let _service = Lock::take_service(state)?.ok_or_else(|| {
        busy(&format!(
            "the service of this hub is running; nothing was put back. First {}",
            hints::keeper(config).stop()
        ))
    })?;
    let _lock = Lock::take(state)?.ok_or_else(|| {
        busy("another twofold is at work on this hub; nothing was put back. Try again when it is through")
    })?;
    if state.join("hub.sqlite").exists() && !may_replace {
        return Err(Error::new(
            ErrorKind::Misconfigured,
            format!(
                "there is a hub in {}; nothing was put back. To put the backup in its place (it stays beside it as hub.sqlite.replaced), type: \
                 twofold backup --restore --force {}",
                state.display(),
                file.display()
            ),
        ));
    }
    check_room(config, file, may_replace)?;
    put_messages(config, file, contents.messages)?;
    put_hub(state, file)?;
    println!(
        "put back: the hub as it was at {} and {}",
        moment(contents.made_ms),
        words::many(usize::try_from(contents.messages).unwrap_or(usize::MAX), "message")
    );
    say_next(context, config)?;
    Ok(exit::ALIGNED)
}

/// Refuses what would take more of the disk than may be taken.
fn check_room(config: &Config, file: &Path, may_replace: bool) -> Result<()> {
    let blobs = connect::blobs_to_read(config)?;
    let (mut bytes_needed, mut measure) = (0, connect::measure());
    archive::walk(file, |entry| {
        bytes_needed += match entry {
            Entry::Hub(bytes) => io::copy(bytes, &mut io::sink()).map_err(|error| {
                Error::new(ErrorKind::Misconfigured, format!("{}: {error}; nothing was put back", file.display()))
            })?,
            Entry::Message(blob, bytes) => match &blobs {
                Some(blobs) if blobs.has(&blob)? => 0,
                _ => measure(bytes)?,
            },
        };
        Ok(())
    })?;
    Spare::of(config, &config.state_dir).check(bytes_needed).map_err(|error| {
        let force = if may_replace { " --force" } else { "" };
        let words = format!(
            "{error} ({}); nothing was put back. Free some space, then type: twofold backup --restore{force} {}",
            words::bytes(bytes_needed),
            file.display()
        );
        Error::new(ErrorKind::Throttled { retry_after_s: None }, words).with_source(error)
    })
}

/// The bytes of messages, durable before the hub that names them. What is there already stays.
fn put_messages(config: &Config, file: &Path, count: u64) -> Result<()> {
    if count == 0 {
        return Ok(());
    }
    let blobs = connect::blobs_of_all(config)?;
    archive::walk(file, |entry| match entry {
        Entry::Hub(_) => Ok(()),
        Entry::Message(_, bytes) => blobs.put(bytes).map(drop),
    })?;
    blobs.flush()
}

fn put_hub(state: &Path, file: &Path) -> Result<()> {
    let failed = |error: io::Error| {
        let words = format!(
            "the hub cannot be put back into {}: {error}; the one that was there stays. Type the same once more",
            state.display()
        );
        Error::new(ErrorKind::Broken, words).with_source(error)
    };
    // In a folder of its own it is opened as any hub is: an older schema is brought up to date, a later one refused.
    let aside = state.join("restoring");
    match std::fs::remove_dir_all(&aside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    twofold_hub::prepare_folder(&aside)?;
    let copy = aside.join("hub.sqlite");
    archive::walk(file, |entry| match entry {
        Entry::Message(..) => Ok(()),
        Entry::Hub(bytes) => {
            let mut target =
                OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&copy).map_err(failed)?;
            io::copy(bytes, &mut target).map(drop).map_err(failed)
        }
    })?;
    {
        let mut hub = Hub::open(&aside)?;
        if let Some(words) = hub.check()? {
            return Err(Error::new(
                ErrorKind::Broken,
                format!("the hub in the backup is damaged ({words}); nothing was put back. Take an earlier backup"),
            ));
        }
        hub.note_restored()?;
    }
    File::open(&copy).and_then(|file| file.sync_all()).map_err(failed)?;
    set_aside(state).map_err(failed)?;
    std::fs::rename(&copy, state.join("hub.sqlite")).map_err(failed)?;
    File::open(state).and_then(|folder| folder.sync_all()).map_err(failed)?;
    std::fs::remove_dir_all(&aside).map_err(failed)
}

/// Keeps the hub that is there beside itself, as `hub.sqlite.replaced`. It has its own name as long as nothing took its place, and its
/// log goes first: SQLite would read the log of one hub into another.
fn set_aside(state: &Path) -> io::Result<()> {
    let at = |name: &str| state.join(name);
    let or_none = |done: io::Result<()>| match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    };
    or_none(std::fs::remove_file(at("hub.sqlite.replaced-wal")))?;
    or_none(std::fs::remove_file(at("hub.sqlite.replaced")))?;
    or_none(std::fs::rename(at("hub.sqlite-wal"), at("hub.sqlite.replaced-wal")))?;
    or_none(std::fs::remove_file(at("hub.sqlite-shm")))?;
    or_none(std::fs::hard_link(at("hub.sqlite"), at("hub.sqlite.replaced")))
}

/// What to type now.
fn say_next(context: &Context, config: &Config) -> Result<()> {
    let vault = Vault::open(&config.state_dir)?;
    let configured =
        [(ProviderName::Google, config.google.is_some()), (ProviderName::Microsoft365, config.microsoft365.is_some())];
    context.say("Sign-ins are in no backup; those of this state folder stay as they are. What to type now:");
    for (name, _) in configured.into_iter().filter(|(_, is_configured)| *is_configured) {
        if vault.status(name)?.cause().is_some() {
            context.say(format!("  twofold login {name}"));
        }
    }
    context
        .say("  twofold sync      everything is compared in full; what changed since the backup is taken, not undone");
    for device in &config.devices {
        context.say(format!(
            "  twofold device fill {}      if sync says that its folder was written by a later run: it is paired, nothing is deleted",
            device.name
        ));
    }
    Ok(())
}
