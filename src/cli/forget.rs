//! `twofold forget`: a leaver's data is erased from this machine, or a lost device from the hub. Nothing is deleted at any provider.
//!
//! What is to go is noted first, and from then on the place takes part in nothing. Then its sign-in goes, with `--data` the files that are
//! mirrored in device folders, then all of it in the hub in one transaction, and last what lies beside the hub: older copies of it and the
//! bytes of messages that nothing names any more. Whoever kills this types it again, and it finishes.

use super::{Context, credential, hints, words};
use crate::config::Config;
use crate::connect;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, IsTerminal, Write};
use twofold_auth::{ProviderName, Revocation, Vault};
use twofold_cycle::report::exit;
use twofold_hub::{Hub, Lock, Mirrored, Toll};
use twofold_model::{CollectionId, Connector, Error, ErrorKind, Kind, Operation, Place, Result};

/// So many files are removed at once.
const AT_ONCE: usize = 200;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// microsoft365, google, or the name of a device
    #[arg(value_name = "PROVIDER|DEVICE")]
    name: String,
    /// Remove its files from device folders too: those that twofold mirrors there, and no others. Without it they stay; one in the folder
    /// of a join is new to the next run, which makes it at the other account
    #[arg(long)]
    data: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

/// Shows what would go, asks, and erases it.
pub async fn run(context: &Context, args: Args) -> Result<i32> {
    let config = context.config()?;
    let name = args.name.as_str();
    check_key(&config, &args).await?;
    let busy = |words: &str| Error::new(ErrorKind::Throttled { retry_after_s: None }, words);
    // A name that nothing is kept of is none, whoever is at work.
    if let Ok(hub) = context.hub_to_read(&config) {
        check_name(&config, &hub, name)?;
    }
    if !is_anything_kept(&config, name)? {
        println!("nothing is kept of {name} in {}; nothing was erased", config.state_dir.display());
        return Ok(exit::ALIGNED);
    }
    let _service = Lock::take_service(&config.state_dir)?.ok_or_else(|| {
        busy(&format!(
            "the service of this hub is running; nothing was erased. First {}",
            hints::keeper(&config).stop()
        ))
    })?;
    let (mut hub, _lock) = context.hub(&config)?;
    check_name(&config, &hub, name)?;
    let toll = hub.toll(name)?;
    show(&config, name, &toll, args.data);
    if !args.yes {
        ask(name, args.data)?;
    }
    hub.begin_forgetting(name)?;
    if let Some(provider) = ProviderName::from_name(name) {
        sign_out(context, &config, provider).await?;
    }
    let left = match args.data {
        true => remove_files(&config, &mut hub, name).await?,
        false => {
            let_folders_go(context, &config, &mut hub, name).await?;
            0
        }
    };
    if left > 0 {
        return Err(Error::new(
            ErrorKind::Held,
            format!(
                "{} changed since the last run and stay, with all that is kept of {name}: nobody has that change yet. Look at them, \
                 remove them yourself, then type: twofold forget {name} --data",
                words::many(left, "file")
            ),
        ));
    }
    hub.forget(name)?;
    let copies = twofold_hub::remove_copies(&config.state_dir)?;
    let blobs = remove_blobs(&config, &hub)?;
    hub.wipe_free_space()?;
    println!(
        "forgotten: {name}; {} and {} erased, the bytes of {} removed{}",
        words::many(toll.items, "item"),
        words::many(toll.versions, "version"),
        words::many(blobs, "message"),
        if copies > 0 { ", and older copies of the hub" } else { "" }
    );
    say_next(context, &config, name);
    Ok(exit::ALIGNED)
}

/// Refuses to forget a sign-in that is to be revoked where the key to it is not at hand.
async fn check_key(config: &Config, args: &Args) -> Result<()> {
    let Some(name) = ProviderName::from_name(&args.name) else { return Ok(()) };
    let is_revoked = connect::provider(config, name).is_ok_and(|provider| provider.revoke.is_some());
    if !is_revoked || Vault::open(&config.state_dir)?.status(name)?.account.is_none() {
        return Ok(());
    }
    let flag = |is_set, flag: &'static str| if is_set { flag } else { "" };
    let typed = format!("forget {name}{}{}", flag(args.data, " --data"), flag(args.yes, " --yes"));
    credential::check(config, &typed).await.map_err(|error| {
        let words = format!(
            "{error}\nWhere that key is lost, nothing can be revoked any more: take [{name}] out of {}, then: twofold forget {name}",
            config.path.display()
        );
        Error::new(error.kind, words)
    })
}

/// Whether there is a hub, or a sign-in. Makes neither.
fn is_anything_kept(config: &Config, name: &str) -> Result<bool> {
    let state = &config.state_dir;
    if !connect::is_state_folder(state)? {
        return Ok(false);
    }
    let is_signed_in = match ProviderName::from_name(name) {
        Some(provider) => Vault::open(state)?.status(provider)?.account.is_some(),
        None => false,
    };
    Ok(is_signed_in || Hub::is_in(state) || Lock::is_taken(state)?)
}

fn check_name(config: &Config, hub: &Hub, name: &str) -> Result<()> {
    let mut names: BTreeSet<String> = hub.replicas()?.into_iter().map(|replica| replica.name).collect();
    names.extend(config.devices.iter().map(|device| device.name.clone()));
    names.extend(config.google.as_ref().map(|_| "google".to_owned()));
    names.extend(config.microsoft365.as_ref().map(|_| "microsoft365".to_owned()));
    if names.contains(name) || ProviderName::from_name(name).is_some() {
        return Ok(());
    }
    let known = names.into_iter().collect::<Vec<_>>().join(", ");
    let words = format!("nothing is kept of \"{name}\"; nothing was erased. What can be forgotten: {known}");
    Err(Error::new(ErrorKind::Misconfigured, words))
}

/// What would go, and what stays.
fn show(config: &Config, name: &str, toll: &Toll, with_files: bool) {
    println!("{name}: what is kept of it on this machine goes for good:");
    println!(
        "  {} in {}, with all history",
        words::many(toll.items, "item"),
        words::many(toll.collections, "collection")
    );
    println!("  {}", words::many(toll.versions, "version"));
    if toll.of_nobody > 0 {
        println!(
            "  among them {} that were deleted and of which it is not known whose they were",
            words::many(toll.of_nobody, "item")
        );
    }
    if toll.shared > 0 {
        println!("  {} stay, because they are elsewhere too", words::many(toll.shared, "item"));
    }
    if toll.conflicts > 0 {
        println!("  {} end: what is shown stays", words::many(toll.conflicts, "open conflict"));
    }
    match (ProviderName::from_name(name), with_files) {
        (Some(_), _) => println!("  its sign-in; the account itself is not touched: nothing is deleted there"),
        (None, _) => println!("  nothing is deleted at any provider"),
    }
    let files = words::many(toll.files, "file");
    match with_files {
        true => println!("  {files} in device folders"),
        false if toll.files > 0 => println!("  {files} in device folders stay as they are (with --data they go too)"),
        false => {}
    }
    if !with_files && toll.joined_files > 0 {
        println!(
            "  among them {} in the folder of a join: the next run takes what stands there for new, and makes it at the other account too",
            words::many(toll.joined_files, "file")
        );
    }
    let is_configured = |device: &str| config.devices.iter().any(|known| known.name == device);
    if ProviderName::from_name(name).is_none() && with_files && !is_configured(name) {
        println!("  its folder is not in the configuration any more, so no file of it can be removed");
    }
    let kept = "  what a backup file elsewhere holds of it stays in that, and comes back with it: delete such files, and make a new one (twofold \
                backup FILE)";
    println!("{}", hints::put(kept));
}

/// Wants the name once more.
fn ask(name: &str, with_files: bool) -> Result<()> {
    let refuse = |words: String| Err(Error::new(ErrorKind::Misconfigured, words));
    if !std::io::stdin().is_terminal() {
        let data = if with_files { " --data" } else { "" };
        return refuse(format!(
            "nothing was erased: nobody is there to be asked. Type: twofold forget {name}{data} --yes"
        ));
    }
    eprint!("This cannot be undone. Type the name once more to go on: ");
    let _ = std::io::stderr().flush();
    let mut line = String::new();
    let _ = std::io::stdin().lock().read_line(&mut line);
    if line.trim() == name {
        return Ok(());
    }
    refuse("another name was typed; nothing was erased".into())
}

/// Ends the sign-in at the provider, where that can be told, and forgets it here.
async fn sign_out(context: &Context, config: &Config, name: ProviderName) -> Result<()> {
    let vault = Vault::open(&config.state_dir)?;
    let title = name.title();
    match connect::provider(config, name) {
        Ok(provider) => {
            let transport = connect::sign_in_transport(config)?;
            match twofold_auth::logout(&vault, &provider, &transport, context.clock.as_ref()).await? {
                Revocation::Done => context.say(format!("The sign-in at {title} was revoked.")),
                Revocation::NotOffered => context.say(format!(
                    "{title} has no way to revoke from here; remove twofold on the account's page of applications."
                )),
                Revocation::Failed(why) => context.say(format!("{title} could not be told: {why}")),
                Revocation::Nothing => {}
            }
        }
        Err(_) if vault.status(name)?.account.is_some() => context.say(format!(
            "[{name}] is not in the configuration, so {title} was not told; remove twofold on the account's page of applications."
        )),
        Err(_) => {}
    }
    vault.forget(name).await
}

/// Removes what is mirrored in device folders, guarded by the state that was agreed on; answers how many files stay because they changed.
async fn remove_files(config: &Config, hub: &mut Hub, name: &str) -> Result<usize> {
    let mut by_device: BTreeMap<String, Vec<Mirrored>> = BTreeMap::new();
    for one in hub.mirrored(name)? {
        by_device.entry(one.device.clone()).or_default().push(one);
    }
    let folders = hub.mirrored_collections(name)?;
    for (device, _, _) in &folders {
        by_device.entry(device.clone()).or_default();
    }
    let mut left = 0;
    for (device_name, files) in by_device {
        // A folder that is configured no more stays as it is: where it is, nobody knows.
        let Some(device) = config.devices.iter().find(|device| device.name == device_name) else { continue };
        let opened = connect::open_to_forget(config, device, hub).await?;
        if !hub.are_files_gone(name, &device_name)? {
            let changed = remove_each(opened.as_ref(), &files).await?;
            if changed > 0 {
                left += changed;
                continue;
            }
            hub.note_files_gone(name, &device_name)?;
        }
        let mut own: Vec<&(String, Kind, CollectionId)> =
            folders.iter().filter(|(of, _, _)| *of == device_name).collect();
        // Some stand inside of another one. What holds anything else stays.
        for _ in 0..2 {
            for row in std::mem::take(&mut own) {
                if !opened.remove_collection(row.1, &row.2).await? {
                    own.push(row);
                }
            }
        }
        let providers = folders.iter().filter_map(|(_, _, collection)| collection.as_str().split('/').next());
        for provider in providers.collect::<BTreeSet<_>>() {
            connect::remove_empty(device, provider);
        }
        if device_name == name {
            connect::unmark(device, &hub.replica(name, true)?.mark)?;
        }
    }
    Ok(left)
}

/// Lets the folders that stay go: whoever signs in there again has them paired, and not made once more beside them.
async fn let_folders_go(context: &Context, config: &Config, hub: &mut Hub, name: &str) -> Result<()> {
    let mut by_device: BTreeMap<String, Vec<CollectionId>> = BTreeMap::new();
    for (device, _, folder) in hub.mirrored_collections(name)?.into_iter().filter(|(device, ..)| device != name) {
        by_device.entry(device).or_default().push(folder);
    }
    for (device_name, folders) in by_device {
        let Some(device) = config.devices.iter().find(|device| device.name == device_name) else { continue };
        if let Err(error) = connect::let_go(config, device, hub, &folders).await {
            context.say(format!(
                "{device_name} was not told, and its folders of {name} still belong to what is forgotten: {error}. Before {name} is kept there \
                 again, type: twofold device fill {device_name}"
            ));
        }
    }
    Ok(())
}

/// Removes files of one device; answers how many stay because they changed.
async fn remove_each(opened: &dyn Connector, files: &[Mirrored]) -> Result<usize> {
    let mut left = 0;
    for kind in [Kind::Mail, Kind::Calendar, Kind::Contacts] {
        let operations: Vec<Operation> = files.iter().filter(|file| file.kind == kind).map(removal).collect();
        for part in operations.chunks(AT_ONCE) {
            for answer in opened.write(kind, part).await {
                match answer {
                    Ok(_) => {}
                    Err(error) if error.kind == ErrorKind::NotFound => {}
                    // It has another name, or other bytes in its place.
                    Err(error) if matches!(error.kind, ErrorKind::StaleEtag | ErrorKind::Refused) => left += 1,
                    Err(error) => return Err(error),
                }
            }
        }
    }
    Ok(left)
}

fn removal(file: &Mirrored) -> Operation {
    let place = Place { collection: file.collection.clone(), remote_id: file.remote_id.clone() };
    Operation::Delete { place, etag: file.etag.clone() }
}

/// The bytes of messages that nothing names any more; answers how many there were.
fn remove_blobs(config: &Config, hub: &Hub) -> Result<usize> {
    if !connect::has_blobs(config) {
        return Ok(0);
    }
    let blobs = connect::blobs_of_all(config)?;
    let mut removed = 0;
    for first in 0..=u8::MAX {
        for blob in hub.unnamed(blobs.list(first)?)? {
            blobs.remove(&blob)?;
            removed += 1;
        }
    }
    blobs.flush()?;
    Ok(removed)
}

/// What the next run would do with what the configuration still says.
fn say_next(context: &Context, config: &Config, name: &str) {
    let is_provider =
        (name == "google" && config.google.is_some()) || (name == "microsoft365" && config.microsoft365.is_some());
    if is_provider {
        context.say(format!(
            "[{name}] still stands in {}: until it is removed, each run says that nobody is signed in. To keep another account \
             instead, type: twofold login {name}",
            config.path.display()
        ));
    }
    if config.devices.iter().any(|device| device.name == name) {
        context.say(format!(
            "The [[device]] \"{name}\" still stands in {}: remove it before the next run, or that fills the folder again",
            config.path.display()
        ));
    }
}
