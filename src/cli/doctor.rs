//! `twofold doctor`: what is well, what is not, and what to type.

mod folder;
mod live;
mod outward;
mod sign_ins;
mod units;

pub(super) use sign_ins::configured;
pub(super) use units::Unit;

use super::credential::{User, quoted};
use super::{Context, disk, endpoint, handover, hints, moment, words};
use crate::config::{Config, Secret};
use crate::connect;
use crate::daemon::live::Snapshot;
use crate::endpoint::health;
use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use twofold_cycle::report::exit;
use twofold_hub::Hub;
use twofold_model::{Arrival, Error, ErrorKind, Result, Visit};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Read the bytes of every message, too: are they what was received? And look for damaged message files on the devices
    #[arg(long)]
    full: bool,
    /// Ask each provider for the collections of each kind, too: is its interface switched on, may it be used?
    #[arg(long)]
    live: bool,
    /// Ask nobody anything
    #[arg(long, conflicts_with = "live")]
    offline: bool,
}

/// Of so many messages the bytes are read in any case.
const FEW: usize = 20;

#[derive(Default)]
struct Findings {
    codes: Vec<i32>,
    /// What is wrong.
    failed: Vec<String>,
}

impl Findings {
    fn ok(&self, words: impl std::fmt::Display) {
        println!("ok    {}", hints::put(&words.to_string()));
    }

    fn warn(&self, words: impl std::fmt::Display) {
        println!("warn  {}", hints::put(&words.to_string()));
    }

    fn fail(&mut self, code: i32, words: impl std::fmt::Display) {
        println!("fail  {}", hints::put(&words.to_string()));
        self.codes.push(code);
        self.failed.push(words.to_string());
    }
}

/// Looks at everything that can be looked at without changing anything.
pub async fn run(context: &Context, args: Args) -> Result<i32> {
    let mut findings = Findings::default();
    let config = match context.config() {
        Ok(config) => config,
        Err(error) => {
            findings.fail(exit::USAGE, format!("configuration: {error}"));
            return Ok(exit::USAGE);
        }
    };
    findings.ok(format!("configuration: {}", config.path.display()));
    match connect::is_state_folder(&config.state_dir) {
        Ok(true) => findings.ok(format!("state folder: {}", config.state_dir.display())),
        Ok(false) => findings.warn(format!("state folder: {} is not there yet", config.state_dir.display())),
        Err(error) => {
            findings.fail(exit::USAGE, format!("state folder: {error}"));
            return Ok(exit::USAGE);
        }
    }
    another_state(&findings, &config);
    room(&mut findings, &config);
    zones(&findings);
    private(&findings, &config);
    units::look(&findings, &config);
    let (service, has_key) = handover::status(&config).await.unzip();
    sign_ins::look(&mut findings, &config, has_key == Some(true), context.now_ms());
    outward::look(&mut findings, &config, args.offline).await;
    if !args.offline {
        live::look(&mut findings, &config, &context.clock, args.live).await;
    }
    if !Hub::is_in(&config.state_dir) {
        findings.warn(format!("hub: {}", super::no_hub(&config)));
        devices(&mut findings, &config, &mut Hub::in_memory()?, false).await?;
        return Ok(twofold_cycle::report::worst(&findings.codes));
    }
    let hub = match context.hub(&config) {
        // It is read beside whoever is at work on it.
        Err(error) if is_busy(&error) => context.hub_to_read(&config).map(|hub| (hub, None)),
        hub => hub.map(|(hub, lock)| (hub, Some(lock))),
    };
    match hub {
        Ok((mut hub, lock)) => {
            store(&mut findings, &config, &hub, context.now_ms())?;
            sign_ins::accounts(&mut findings, &config, &hub)?;
            messages(&mut findings, &config, &hub, args.full, context.now_ms())?;
            match lock {
                Some(_lock) => devices(&mut findings, &config, &mut hub, args.full).await?,
                // Their markers and files are changed meanwhile.
                None => {
                    unmakeable(&mut findings, &config);
                    findings.ok("devices: a run is at work on them; what it finds there says: twofold status");
                }
            }
            troubles(&mut findings, context, &config, &hub, service.as_ref())?;
        }
        Err(error) if is_busy(&error) => {
            findings.warn(format!("hub: {error}"));
            unmakeable(&mut findings, &config);
        }
        Err(error) if error.kind == ErrorKind::Broken && !error.message.contains("disk full") => {
            findings.fail(exit::FAILED, format!("hub: {}", damaged(&config, &error.to_string())));
        }
        Err(error) => findings.fail(exit::FAILED, format!("hub: {error}")),
    }
    Ok(twofold_cycle::report::worst(&findings.codes))
}

/// Whether another process is at work on the hub.
fn is_busy(error: &Error) -> bool {
    error.kind == ErrorKind::Throttled { retry_after_s: None }
}

/// Tells of a state elsewhere that was made with this configuration, by an earlier version or in another way.
fn another_state(findings: &Findings, config: &Config) {
    let is_other = |folder: &PathBuf| *folder != config.state_dir && folder.join("vault.json").exists();
    if let Some(other) = config.own_state_dir().filter(is_other) {
        findings.warn(format!(
            "state folder: another one, with sign-ins, is {}; with this configuration neither the service nor a shell uses it. To use it \
             all the same, name it as state_dir in {}",
            other.display(),
            config.path.display()
        ));
    }
    let of_service = Unit::of(config).and_then(|unit| unit.state_dir());
    if let Some(other) = of_service.filter(|other| !config.names_state_dir && *other != config.state_dir) {
        findings.warn(format!(
            "state folder: the service of this configuration uses {} instead. Name it as state_dir in {}, so that both use one",
            other.display(),
            config.path.display()
        ));
    }
}

fn room(findings: &mut Findings, config: &Config) {
    for disk::Place { path, .. } in disk::places(config) {
        let Some(room) = disk::room(&path, config.keep_free) else { continue };
        let (free, floor) = (words::bytes(room.free), words::bytes(room.floor));
        let what = format!("disk: {free} free where {} lies", path.display());
        if room.free < room.floor {
            findings.fail(
                exit::TEMPORARY,
                format!("{what}, and {floor} are to stay free: nothing is read or written. Free some space, or set keep_free under [disk]"),
            );
        } else if room.free < room.floor.saturating_mul(2) {
            findings.warn(format!("{what}; below {floor} nothing is read or written any more. Free some space"));
        } else {
            findings.ok(what);
        }
    }
}

/// The system's zone files decide when an event of a zone begins.
fn zones(findings: &Findings) {
    let age = connect::zones().age();
    match age.is_old() {
        true => findings.warn(format!("time zones: {age}; update the package tzdata, or clock changes may be missed")),
        false => findings.ok(format!("time zones: {age}")),
    }
    match connect::nameless_zone() {
        Some(words) => findings.warn(format!("time zone: {words}")),
        None => findings.ok(format!("time zone: {}", super::daemon::zone())),
    }
}

/// A secret in the configuration is for those who read it to work. The state folder, the sign-ins and their key are looked at where they
/// are opened.
fn private(findings: &Findings, config: &Config) {
    let has_secret =
        config.google.as_ref().is_some_and(|google| matches!(google.client_secret, Some(Secret::Plain(_))));
    let Ok(meta) = std::fs::metadata(&config.path) else { return };
    let needs_it = [User::of_process().id, Unit::of(config).map_or(0, |unit| User::named(&unit.user).id), 0];
    let members = group_members(meta.gid());
    let is_stranger = |user: &&User| !needs_it.contains(&user.id) && user.id != meta.uid();
    let strangers: Vec<&str> = members.iter().filter(is_stranger).map(|user| &*user.name).collect();
    let is_mine = meta.uid() == User::of_process().id && meta.uid() != 0;
    if let Some((who, todo)) = too_open(meta.permissions().mode(), &strangers, is_mine).filter(|_| has_secret) {
        findings.warn(format!(
            "configuration: {who} can read the client secret in it; type: {todo} {}, or name a file (client_secret = {{ file = … }})",
            quoted(&config.path.display().to_string())
        ));
    }
}

/// Who may read a file besides those who need it, and the command that ends that and takes nothing from these. `strangers`: who is in its
/// group without need.
fn too_open(mode: u32, strangers: &[&str], is_mine: bool) -> Option<(String, &'static str)> {
    match mode {
        mode if mode & 0o007 != 0 => Some(("others".to_owned(), "chmod o-rwx")),
        // By its group the service reads what is root's.
        mode if mode & 0o070 != 0 && !strangers.is_empty() => {
            let todo =
                if is_mine { "chmod g-rwx" } else { "sudo chgrp GROUP (one in which the service's user is alone)" };
            Some((strangers.join(", "), todo))
        }
        _ => None,
    }
}

/// Whose group it is.
fn group_members(id: u32) -> Vec<User> {
    let groups = std::fs::read_to_string("/etc/group").unwrap_or_default();
    let row =
        groups.lines().map(|row| row.split(':').collect::<Vec<_>>()).find(|row| row.get(2) == Some(&&*id.to_string()));
    let named: Vec<String> =
        row.and_then(|row| row.get(3).map(|names| names.split(',').map(str::to_owned).collect())).unwrap_or_default();
    User::all().into_iter().filter(|user| user.group == id || named.contains(&user.name)).collect()
}

/// What is wrong with a hub that is damaged, and both ways out.
fn damaged(config: &Config, words: &str) -> String {
    let hub = config.state_dir.join("hub.sqlite").display().to_string();
    let aside = |end: &str| quoted(&format!("{hub}{end}"));
    format!(
        "{}. With the service stopped, put a backup back: twofold backup --restore --force FILE. Without one, put the hub aside: mv {} {} && \
         rm -f {} {}; then everything is met anew (\"The state was lost\" in the README): twofold sync",
        words.replace(". Look at it with: twofold doctor", ""),
        quoted(&hub),
        aside(".damaged"),
        aside("-wal"),
        aside("-shm"),
    )
}

fn store(findings: &mut Findings, config: &Config, hub: &Hub, now_ms: i64) -> Result<()> {
    match hub.check()? {
        None => findings.ok("hub: whole"),
        Some(words) => findings.fail(exit::FAILED, format!("hub: {}", damaged(config, &format!("damaged ({words})")))),
    }
    match hub.last_run()? {
        None => findings.warn("last run: none yet; type: twofold sync"),
        Some(run) if run.started_ms > now_ms + 60_000 => {
            findings.fail(
                exit::FAILED,
                format!("clock: the last run was at {}, which is to come; set the clock", moment(run.started_ms)),
            );
        }
        Some(run) => {
            let exit = run.exit.map_or("none (stopped)".into(), |code| code.to_string());
            let words = format!("last run: {}, exit {exit}", moment(run.started_ms));
            match run.exit {
                Some(exit::ALIGNED | exit::HELD | exit::LEFT) | None => findings.ok(words),
                Some(_) => findings.warn(words),
            }
        }
    }
    let holds = hub.holds()?.into_iter().filter(|hold| !hold.is_approved).count();
    if holds > 0 {
        findings.warn(format!("held: {holds}; see: twofold held"));
    }
    Ok(())
}

/// The bytes of all messages that the hub names: are they there, and (`full`) are they what was received?
fn messages(findings: &mut Findings, config: &Config, hub: &Hub, is_full: bool, now_ms: i64) -> Result<()> {
    let blobs = match connect::blobs_to_try(config) {
        Ok(Some(blobs)) => blobs,
        Ok(None) => return Ok(()),
        Err(error) => {
            findings.fail(exit::FAILED, format!("messages: {error}"));
            return Ok(());
        }
    };
    let (mut count, mut read, mut bad) = (0_usize, 0_usize, Vec::new());
    // Another part each time, so that all are read in the end.
    let part = format!("{:02x}", now_ms / 1000 % 256);
    hub.each_named_blob(|blob| {
        count += 1;
        let is_read = is_full || count <= FEW || blob.as_str().starts_with(&part);
        read += usize::from(is_read);
        let is_well = match is_read {
            false => blobs.has(blob)?,
            true => blobs.open(blob).is_ok_and(|mut bytes| std::io::copy(&mut bytes, &mut std::io::sink()).is_ok()),
        };
        if !is_well {
            bad.push(blob.clone());
        }
        Ok(())
    })?;
    // What a run let go meanwhile is not missing.
    if let (false, Some(now)) = (bad.is_empty(), Hub::look(&config.state_dir)?) {
        let let_go = now.unnamed(bad.clone())?;
        bad.retain(|blob| !let_go.contains(blob));
    }
    let Some(first) = bad.first() else {
        let how = if is_full { "whole".to_owned() } else { format!("there, and the {read} that were read are whole") };
        findings.ok(format!("messages: the bytes of all {count} are {how}"));
        return Ok(());
    };
    let folder = config.state_dir.join("blobs");
    let what = if read > 0 { "missing or damaged" } else { "missing" };
    findings.fail(
        exit::FAILED,
        format!(
            "messages: the bytes of {} of {count} are {what} below {} (the first: {first}); no copy at a provider or in a folder is \
             harmed. Restore that folder from a backup",
            bad.len(),
            folder.display()
        ),
    );
    Ok(())
}

/// What the service and the last run say stands in the way, where nothing of that was said yet.
fn troubles(
    findings: &mut Findings,
    context: &Context,
    config: &Config,
    hub: &Hub,
    service: Option<&Snapshot>,
) -> Result<()> {
    let mut facts = endpoint::facts(config, hub, service, context.now_ms())?;
    // That no run was ever made and that the disk is full was said.
    facts.last_run.get_or_insert_default();
    facts.disk.rooms.clear();
    let usual = Some(twofold_cycle::report::worst(&facts.exits)).filter(|code| *code != exit::ALIGNED);
    for trouble in health::troubles(&facts) {
        let is_said = findings.failed.iter().any(|words| words.contains(&trouble.words));
        // Each sign-in was looked at.
        if is_said || trouble.exit == exit::SIGN_IN {
            continue;
        }
        let code = Some(trouble.exit).filter(|code| *code != exit::ALIGNED).or(usual).unwrap_or(exit::TEMPORARY);
        findings.fail(code, without_this(&trouble.words));
    }
    Ok(())
}

/// Words without their last part, where that sends people here.
fn without_this(words: &str) -> &str {
    let rest = words.strip_suffix(": twofold doctor").and_then(|words| words.rsplit_once([';', '.', ',']));
    rest.map_or(words, |(rest, _)| rest)
}

/// Tells of each device folder that is not there and cannot be made; whose these are.
fn unmakeable(findings: &mut Findings, config: &Config) -> Vec<String> {
    let unit = Unit::of(config);
    let lets_through =
        |path: &Path| unit.as_ref().is_none_or(|unit| path == config.state_dir || unit.lets_through(path));
    let mut names = Vec::new();
    for device in &config.devices {
        if let Some(words) = folder::unmakeable(device, unit.as_ref(), lets_through) {
            findings.fail(exit::FAILED, format!("device {}: {words}", device.name));
            names.push(device.name.clone());
        }
    }
    names
}

/// The devices: are they the folders that the hub knows, and (`full`) are their messages as long as they were written?
async fn devices(findings: &mut Findings, config: &Config, hub: &mut Hub, is_full: bool) -> Result<()> {
    use twofold_model::Connector as _;
    let unmakeable = unmakeable(findings, config);
    for device in &config.devices {
        let known = hub.replicas()?.into_iter().find(|replica| replica.name == device.name);
        // A place for messages is not made before there is a hub.
        let blobs = if Hub::is_in(&config.state_dir) { connect::blobs(config) } else { Ok(None) };
        let opened = blobs.and_then(|blobs| connect::open_device(config, device, hub, blobs.as_ref()));
        let answer = match opened {
            Ok(opened) => {
                let is_known = known.as_ref().is_some_and(|replica| replica.met);
                let run = hub.last_run()?.map_or(0, |run| run.id);
                let marked = known.as_ref().map(|replica| hub.marked_run(replica.id)).transpose()?.flatten();
                let wrote_run = known.map(|replica| hub.wrote_run(replica.id)).transpose()?.unwrap_or_default();
                let last_run = marked.unwrap_or(run);
                let visit =
                    Visit { is_known, hub_is_empty: hub.is_empty()?, is_dry_run: true, run, last_run, wrote_run };
                match opened.arrive(visit).await.and_then(Arrival::or_held) {
                    Ok(_) if is_full => opened.damaged_messages(),
                    arrived => arrived.map(|_| Vec::new()),
                }
            }
            Err(error) => Err(error),
        };
        match answer {
            Ok(damaged) if !damaged.is_empty() => findings.fail(exit::LEFT, damaged_at(&device.name, &damaged)),
            Ok(_) if unmakeable.contains(&device.name) => {}
            Ok(_) => findings.ok(format!("device {}: {}", device.name, device.path.display())),
            Err(error) => findings.fail(exit::HELD, format!("device {}: {error}", device.name)),
        }
    }
    Ok(())
}

/// Which message files are damaged, by their folders, and what to type.
fn damaged_at(device: &str, damaged: &[(PathBuf, String)]) -> String {
    let mut folders: BTreeMap<&Path, usize> = BTreeMap::new();
    for (path, _) in damaged {
        *folders.entry(path.parent().unwrap_or(path)).or_default() += 1;
    }
    let each: Vec<String> = folders.iter().map(|(folder, count)| format!("{count} in {}", folder.display())).collect();
    let first = damaged.first().map(|(path, why)| format!("{} {why}", path.display())).unwrap_or_default();
    format!(
        "device {device}: {} damaged: {} (the first: {first}). Nothing of what is in them is sent, and no account is harmed. Put their bytes \
         back; or, to have them written anew, type: twofold sync --full-check, and then for each what this says: twofold status",
        words::many(damaged.len(), "message file"),
        each.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_the_service_reads_by_its_group_is_well_and_what_is_advised_takes_that_from_nobody() {
        assert_eq!(too_open(0o600, &["bea"], true), None);
        assert_eq!(too_open(0o640, &[], false), None, "root:twofold, as the README has it");
        for (mode, strangers) in [(0o644, &[][..]), (0o604, &[]), (0o666, &["bea"])] {
            let (who, todo) = too_open(mode, strangers, false).unwrap();
            assert_eq!((who.as_str(), todo), ("others", "chmod o-rwx"));
        }
        assert_eq!(too_open(0o640, &["bea", "cem"], true).unwrap(), ("bea, cem".to_owned(), "chmod g-rwx"));
        assert!(
            too_open(0o640, &["bea"], false).unwrap().1.starts_with("sudo chgrp"),
            "the service keeps its own way in"
        );
    }

    #[test]
    fn nobody_is_sent_from_here_to_here() {
        assert_eq!(
            without_this("google: mail were not read for too long; see: twofold doctor"),
            "google: mail were not read for too long"
        );
        assert_eq!(
            without_this("the last run failed; see the log of the service, or type: twofold doctor"),
            "the last run failed; see the log of the service"
        );
        assert_eq!(without_this("google: nobody answers"), "google: nobody answers");
    }
}
