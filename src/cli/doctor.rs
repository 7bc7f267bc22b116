//! `twofold doctor`: what is well, what is not, and what to type.

mod live;
mod outward;
mod sign_ins;
mod units;

pub(super) use units::STATE;

use super::{Context, disk, moment, words};
use crate::config::{Config, Secret};
use crate::connect;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use twofold_cycle::report::exit;
use twofold_hub::Hub;
use twofold_model::{Arrival, ErrorKind, Result, Visit};

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
}

impl Findings {
    fn ok(&self, words: impl std::fmt::Display) {
        println!("ok    {words}");
    }

    fn warn(&self, words: impl std::fmt::Display) {
        println!("warn  {words}");
    }

    fn fail(&mut self, code: i32, words: impl std::fmt::Display) {
        println!("fail  {words}");
        self.codes.push(code);
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
    if let Err(error) = twofold_hub::prepare_folder(&config.state_dir) {
        findings.fail(exit::USAGE, format!("state folder: {error}"));
        return Ok(exit::USAGE);
    }
    findings.ok(format!("state folder: {}", config.state_dir.display()));
    room(&mut findings, &config);
    zones(&findings);
    private(&findings, &config);
    units::look(&findings, &config);
    sign_ins::look(&mut findings, &config, context.now_ms());
    outward::look(&mut findings, &config, args.offline).await;
    if !args.offline {
        live::look(&mut findings, &config, &context.clock, args.live).await;
    }
    match context.hub(&config) {
        Ok((mut hub, _lock)) => {
            store(&mut findings, &hub, context.now_ms())?;
            sign_ins::accounts(&mut findings, &config, &hub)?;
            messages(&mut findings, &config, &hub, args.full, context.now_ms())?;
            devices(&mut findings, &config, &mut hub, args.full).await?;
        }
        Err(error) if error.kind == (ErrorKind::Throttled { retry_after_s: None }) => {
            findings.warn(format!("hub: {error}"))
        }
        Err(error) => findings.fail(exit::FAILED, format!("hub: {error}")),
    }
    Ok(twofold_cycle::report::worst(&findings.codes))
}

fn room(findings: &mut Findings, config: &Config) {
    for path in disk::places(config) {
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
}

/// What holds a secret is for its owner only. The state folder, the sign-ins and their key are looked at where they are opened.
fn private(findings: &Findings, config: &Config) {
    use std::os::unix::fs::PermissionsExt as _;
    let has_secret =
        config.google.as_ref().is_some_and(|google| matches!(google.client_secret, Some(Secret::Plain(_))));
    let mode = std::fs::metadata(&config.path).map_or(0, |meta| meta.permissions().mode());
    if has_secret && mode & 0o077 != 0 {
        findings.warn(format!(
            "configuration: others can read the client secret in it; type: chmod 600 '{}', or name a file (client_secret = {{ file = … }})",
            config.path.display()
        ));
    }
}

fn store(findings: &mut Findings, hub: &Hub, now_ms: i64) -> Result<()> {
    match hub.check()? {
        None => findings.ok("hub: whole"),
        Some(words) => {
            findings.fail(exit::FAILED, format!("hub: damaged ({words}); restore the state folder from a backup"))
        }
    }
    match hub.last_run()? {
        None => findings.warn("last run: none yet; type: twofold sync"),
        Some(run) if run.started_ms > now_ms + 60_000 => {
            findings.fail(
                exit::FAILED,
                format!("clock: the last run was at {}, which is to come; set the clock", moment(run.started_ms)),
            );
        }
        Some(run) => findings.ok(format!(
            "last run: {}, exit {}",
            moment(run.started_ms),
            run.exit.map_or("none (stopped)".into(), |code| code.to_string())
        )),
    }
    let holds = hub.holds()?.into_iter().filter(|hold| !hold.is_approved).count();
    if holds > 0 {
        findings.warn(format!("held: {holds}; see: twofold held"));
    }
    Ok(())
}

/// The bytes of all messages that the hub names: are they there, and (`full`) are they what was received?
fn messages(findings: &mut Findings, config: &Config, hub: &Hub, is_full: bool, now_ms: i64) -> Result<()> {
    let blobs = match connect::blobs(config) {
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

/// The devices: are they the folders that the hub knows, and (`full`) are their messages as long as they were written?
async fn devices(findings: &mut Findings, config: &Config, hub: &mut Hub, is_full: bool) -> Result<()> {
    use twofold_model::Connector as _;
    for device in &config.devices {
        let known = hub.replicas()?.into_iter().find(|replica| replica.name == device.name);
        let opened = connect::blobs(config).and_then(|blobs| connect::open_device(config, device, hub, blobs.as_ref()));
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
