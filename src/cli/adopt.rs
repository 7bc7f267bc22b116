//! `twofold adopt`: takes over a tree that another tool filled, so that nothing of it is downloaded again.
//!
//! What stands in a folder of the tree is laid into that folder of the device, by the layout that the device keeps; the next run pairs it with
//! what the provider lists. Of messages of which the tree does not say where they stand (lieer's, Gmail's "All Mail"), the bytes are kept
//! for the copies that turn out to be theirs. The tree stays as it is.

use super::Context;
use crate::config::{Config, Device as DeviceConfig};
use crate::connect::{self, DeviceFolder, Habits, Keys, Laid, Left, Why, foreign};
use serde_json::{Value, json};
use std::path::{Component, Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use twofold_auth::ProviderName;
use twofold_cycle::report::exit;
use twofold_hub::{Hub, Offer};
use twofold_model::email::path;
use twofold_model::{Arrival, Blobs, CollectionId, Connector as _, Error, ErrorKind, Kind, Result, Visit};

/// So many messages are noted in one transaction.
const BATCH: usize = 500;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The tree: Maildirs of mbsync or OfflineIMAP, the folder of lieer, folders of .vcf or .ics files
    path: PathBuf,
    /// What it becomes: DEVICE/PROVIDER/KIND, and /NAME where it is one folder that is to have another name
    #[arg(long = "as", value_name = "DEVICE/PROVIDER/KIND[/NAME]")]
    to: Goal,
    /// Change nothing; show what would be taken over
    #[arg(long)]
    dry_run: bool,
    /// One JSON object on stdout
    #[arg(long)]
    json: bool,
}

/// What a tree becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Goal {
    device: String,
    provider: ProviderName,
    kind: Kind,
    name: Option<String>,
}

impl FromStr for Goal {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Goal, String> {
        let mut parts = text.splitn(4, '/');
        let mut next = || parts.next().filter(|part| !part.is_empty());
        let (device, provider, kind) = (next(), next(), next());
        let (Some(device), Some(provider), Some(kind)) = (device, provider, kind) else {
            return Err("write DEVICE/PROVIDER/KIND, such as laptop/google/mail".into());
        };
        let provider = ProviderName::from_name(provider)
            .ok_or_else(|| format!("\"{provider}\" is no provider; providers are: google, microsoft365"))?;
        let kind = Kind::from_name(kind)
            .ok_or_else(|| format!("\"{kind}\" is no kind; kinds are: mail, calendar, contacts"))?;
        Ok(Goal { device: device.to_owned(), provider, kind, name: next().map(str::to_owned) })
    }
}

/// What became of one folder.
struct Row {
    from: String,
    /// The folder here; `None` where only the bytes are kept.
    to: Option<String>,
    laid: Laid,
}

/// Takes the tree over.
pub async fn run(context: &Context, args: Args) -> Result<i32> {
    let config = context.config()?;
    let device = check(&config, &args.to)?;
    let tree = args.path.canonicalize().map_err(|error| {
        let words = format!("{} cannot be opened: {error}; nothing was done", args.path.display());
        Error::new(ErrorKind::Misconfigured, words).with_source(error)
    })?;
    let home = real(&device.path);
    if tree.starts_with(&home) || home.starts_with(&tree) {
        let words = format!(
            "of {} and the folder of the device {} one stands inside the other; nothing was done. Move the tree elsewhere first",
            tree.display(),
            device.name
        );
        return Err(Error::new(ErrorKind::Misconfigured, words));
    }
    let found = foreign::recognise(&tree, args.to.kind).map_err(|error| match error.kind {
        ErrorKind::NotFound => Error::new(ErrorKind::Misconfigured, format!("{}; nothing was done", error.message)),
        _ => error,
    })?;
    let (mut hub, _lock) = match args.dry_run {
        true => context.hub_to_try(&config)?,
        false => context.hub(&config).map(|(hub, lock)| (hub, Some(lock)))?,
    };
    if args.dry_run {
        hub.begin_dry_run()?;
    }
    let rows = take_over(&config, device, &mut hub, &args, &found).await;
    if args.dry_run {
        hub.forget_all_since()?;
    }
    let rows = rows.map_err(|error| unfinished(error, &args))?;
    if args.json {
        super::print_json(&as_json(&args, found.tool, &rows));
    } else {
        print!("{}", table(&args, found.tool, &rows));
    }
    for row in &rows {
        for why in [Why::NoItem, Why::Broken, Why::Unreadable, Why::Differs] {
            if let Some(first) = row.laid.left.iter().find(|left| left.why == why) {
                let (count, words) = (row.laid.left_as(why), words(why));
                context.say(format!("{}: {count} files {words}, such as {}", row.from, first.name));
            }
        }
    }
    match args.dry_run {
        true => context.say("Nothing was changed."),
        false => context.say(format!("{} was left as it is. Bring it into line with: twofold sync", tree.display())),
    }
    let is_missing = |left: &Left| left.why != Why::NoItem;
    match rows.iter().flat_map(|row| &row.laid.left).any(is_missing) {
        true => Ok(exit::LEFT),
        false => Ok(exit::ALIGNED),
    }
}

/// What ended a take-over half way, with what was not done, and the same command once more.
fn unfinished(mut error: Error, args: &Args) -> Error {
    if !matches!(error.kind, ErrorKind::Broken | ErrorKind::Offline) {
        return error;
    }
    let goal = &args.to;
    let name = goal.name.as_ref().map(|name| format!("/{name}")).unwrap_or_default();
    let to = format!("{}/{}/{}{name}", goal.device, goal.provider.as_str(), goal.kind);
    let [tree, to] = [args.path.display().to_string(), to].map(|text| match text.contains(char::is_whitespace) {
        true => format!("\"{text}\""),
        false => text,
    });
    let is_full = ["disk full", "No space left", "Free some space"].iter().any(|words| error.message.contains(words));
    let first = if is_full { "Free some space, then once more" } else { "When that is mended, once more" };
    let what = error.message.split(". Free some space").next().unwrap_or_default().to_owned();
    error.message = format!(
        "{what}. What was taken over by then stays, the rest was not, and {} was left as it is. {first}: \
         twofold adopt {tree} --as {to}",
        args.path.display()
    );
    error
}

/// Why files were left.
fn words(why: Why) -> &'static str {
    match why {
        Why::NoItem => "are no items and were left where they are",
        Why::Broken => "cannot be understood and were left where they are",
        Why::Unreadable => "cannot be read and were left where they are",
        Why::Differs => "say something else than what stands here with the same UID, and were left where they are",
    }
}

/// The device, provided that device, provider and kind are configured.
fn check<'c>(config: &'c Config, goal: &Goal) -> Result<&'c DeviceConfig> {
    let wrong = |words: String| Error::new(ErrorKind::Misconfigured, format!("{words}; nothing was done"));
    let device = config.devices.iter().find(|device| device.name == goal.device).ok_or_else(|| {
        let names: Vec<&str> = config.devices.iter().map(|device| device.name.as_str()).collect();
        wrong(format!("there is no [[device]] \"{}\" (devices are: {})", goal.device, names.join(", ")))
    })?;
    let kinds = match goal.provider {
        ProviderName::Google => config.google.as_ref().map(|table| &table.kinds),
        ProviderName::Microsoft365 => config.microsoft365.as_ref().map(|table| &table.kinds),
    };
    let (provider, kind) = (goal.provider.as_str(), goal.kind);
    let kinds = kinds.ok_or_else(|| wrong(format!("{} has no [{provider}] table", config.path.display())))?;
    if !kinds.contains(&kind) {
        return Err(wrong(format!("{kind} is not among the kinds of [{provider}]")));
    }
    if !device.kinds.contains(&kind) {
        return Err(wrong(format!("{kind} is not among the kinds of the device {}", device.name)));
    }
    Ok(device)
}

/// The path without links, as far as it is there.
fn real(path: &Path) -> PathBuf {
    let mut rest = Vec::new();
    for ancestor in path.ancestors() {
        if let Ok(mut there) = ancestor.canonicalize() {
            there.extend(rest.iter().rev());
            return there;
        }
        rest.extend(ancestor.components().next_back().filter(|part| matches!(part, Component::Normal(_))));
    }
    path.to_owned()
}

/// Lays what stands somewhere, keeps the bytes of the rest.
///
/// Keeps promise 12: each file is laid in one step, and a run that was stopped is begun once more and adds nothing twice; promise 8: what is new
/// at a place is met as on its first use, so that much of it is held and shown.
async fn take_over(
    config: &Config,
    device: &DeviceConfig,
    hub: &mut Hub,
    args: &Args,
    tree: &foreign::Tree,
) -> Result<Vec<Row>> {
    let goal = &args.to;
    let habits = connect::habits(goal.provider);
    let wrong = |words: String| Error::new(ErrorKind::Misconfigured, format!("{words}; nothing was done"));
    if goal.name.is_some() && tree.folders.len() != 1 {
        return Err(wrong(format!("a name is for one folder, and this tree has {}", tree.folders.len())));
    }
    if tree.tool == foreign::Tool::Lieer && (habits.uid.is_none() || goal.name.is_some()) {
        return Err(wrong("a tree of lieer's holds all messages of a Gmail account; write DEVICE/google/mail".into()));
    }
    if let (Some(theirs), Some(ours)) = (&tree.account, connect::address(config, hub, goal.provider)?)
        && !theirs.eq_ignore_ascii_case(&ours)
    {
        return Err(wrong(format!("this tree is of {theirs}, and {ours} is signed in")));
    }
    let blobs = match args.dry_run {
        true => connect::blobs_to_try(config)?,
        false => connect::blobs(config)?,
    };
    let folder = connect::open_device(config, device, hub, blobs.as_ref())?;
    arrive(&folder, device, hub, args.dry_run).await?;
    let mut keys = Keys::new(habits.shares);
    let mut rows = Vec::new();
    let mut placeless = Vec::new();
    for from in &tree.folders {
        let shown =
            if from.path.is_empty() { ".".to_owned() } else { path::join(from.path.iter().map(String::as_str)) };
        let to = target(goal, &habits, tree.tool, from);
        let Some(to) = to else {
            placeless.push((shown, from));
            continue;
        };
        let provider = goal.provider.as_str();
        // Before anything is laid: whatever stops this, what was laid by then is met as on a first use.
        let mut begins = |id: &CollectionId| meet_again(hub, &device.name, goal.kind, id);
        let laid = match goal.kind {
            Kind::Mail => folder.lay_mail(provider, &to, &from.at, &mut keys, args.dry_run, &mut begins)?,
            kind => {
                let name = to.first().map(String::as_str).unwrap_or_default();
                folder.lay_items(provider, kind, (name, from.color.as_deref()), &from.at, args.dry_run, &mut begins)?
            }
        };
        if laid.seen > 0 {
            let to = if goal.kind == Kind::Mail { path::join(to.iter().map(String::as_str)) } else { to.join("/") };
            rows.push(Row { from: shown, to: Some(to), laid });
        }
    }
    if !args.dry_run {
        folder.flush().await?;
    }
    for (shown, from) in placeless {
        let laid = match &blobs {
            Some(blobs) => keep(hub, args, tree.tool, blobs, from, &keys)?,
            None => Laid::default(),
        };
        rows.push(Row { from: shown, to: None, laid });
    }
    Ok(rows)
}

/// Where a folder of the tree goes; `None` where it does not say where its messages stand.
fn target(goal: &Goal, habits: &Habits, tool: foreign::Tool, from: &foreign::Folder) -> Option<Vec<String>> {
    match (&goal.name, goal.kind, tool) {
        (_, _, foreign::Tool::Lieer) => None,
        (Some(name), Kind::Mail, _) => Some(path::split(name)),
        (Some(name), _, _) => Some(vec![name.clone()]),
        (None, Kind::Mail, _) => (habits.mailbox)(&from.path),
        (None, ..) => Some(from.path.clone()),
    }
}

/// Is this the folder that the hub knows? As when a run begins.
async fn arrive(folder: &DeviceFolder, device: &DeviceConfig, hub: &mut Hub, is_dry_run: bool) -> Result<()> {
    let replica = hub.replica(&device.name, true)?;
    let visit = Visit {
        is_known: replica.met,
        hub_is_empty: hub.is_empty()?,
        is_dry_run: true,
        run: 0,
        last_run: hub.marked_run(replica.id)?.unwrap_or(i64::MAX),
        wrote_run: hub.wrote_run(replica.id)?,
    };
    if folder.arrive(visit).await?.or_held()? == Arrival::OfLostHub {
        let words = format!(
            "{} was kept in step by a hub that is lost; nothing was done. Pair it first, with: twofold sync",
            device.path.display()
        );
        return Err(Error::new(ErrorKind::Held, words));
    }
    folder.arrive(Visit { is_dry_run, ..visit }).await?.or_held().map(drop)
}

/// What is new in a collection that the device has been met with is met as on a first use.
///
/// Keeps promise 8: an old tree brings nothing back unasked that was deleted since.
fn meet_again(hub: &mut Hub, device: &str, kind: Kind, id: &CollectionId) -> Result<()> {
    let replica = hub.replica(device, true)?;
    let places = hub.places(replica.id, kind)?;
    match places.into_iter().find(|place| place.remote_id == id.as_str() && place.met) {
        Some(place) => hub.atomically("adopt", |hub| hub.set_place_unmet(&place)),
        None => Ok(()),
    }
}

/// Keeps the bytes of messages of which nobody says where they stand, for the copies that turn out to be theirs.
///
/// Keeps promise 2: bytes are durable before the transaction that names them.
fn keep(
    hub: &mut Hub,
    args: &Args,
    tool: foreign::Tool,
    blobs: &Arc<dyn Blobs>,
    from: &foreign::Folder,
    laid: &Keys,
) -> Result<Laid> {
    let habits = connect::habits(args.to.provider);
    let messages = foreign::messages(&from.at)?;
    let origin = hub.replica(args.to.provider.as_str(), false)?.id;
    let mut kept = Laid { seen: messages.len(), ..Laid::default() };
    if args.dry_run {
        kept.added = kept.seen;
        return Ok(kept);
    }
    for chunk in messages.chunks(BATCH) {
        let mut offers = Vec::new();
        for message in chunk {
            let uid = habits.uid.filter(|_| tool == foreign::Tool::Lieer).map(|uid| uid(&message.name));
            // Among lieer's there are none of another name.
            if uid == Some(None) {
                kept.left.push(Left { name: message.name.clone(), why: Why::NoItem });
                continue;
            }
            match foreign::keep(blobs.as_ref(), message)? {
                Err(why) => kept.left.push(Left { name: message.name.clone(), why }),
                Ok((key, _)) if laid.has(&key) => kept.there += 1,
                Ok((key, sheet)) => {
                    let uid = uid.flatten();
                    let name = uid.as_ref().map_or_else(|| key.to_text(), |uid| uid.0.clone());
                    offers.push(Offer { name, uid, rendering: sheet.write()? });
                }
            }
        }
        blobs.flush()?;
        hub.atomically("offers", |hub| {
            for offer in &offers {
                match hub.offer(origin, offer)? {
                    true => kept.added += 1,
                    false => kept.there += 1,
                }
            }
            Ok(())
        })?;
    }
    Ok(kept)
}

fn as_json(args: &Args, tool: foreign::Tool, rows: &[Row]) -> Value {
    let folders: Vec<Value> = rows
        .iter()
        .map(|row| {
            let laid = &row.laid;
            json!({"from": row.from, "to": row.to, "items": laid.seen, "added": laid.added, "linked": laid.linked,
                "there": laid.there, "left": laid.left.len(), "broken": laid.left_as(Why::Broken),
                "unreadable": laid.left_as(Why::Unreadable), "differing": laid.left_as(Why::Differs)})
        })
        .collect();
    json!({"schema": 1, "dry_run": args.dry_run, "tool": tool.as_str(), "device": args.to.device,
        "provider": args.to.provider.as_str(), "kind": args.to.kind.as_str(), "folders": folders})
}

/// What was taken over, for people.
fn table(args: &Args, tool: foreign::Tool, rows: &[Row]) -> String {
    let verb = if args.dry_run { "would be taken over" } else { "taken over" };
    let mut text = format!("{}: {} folders with items\n", tool.as_str(), rows.len());
    for row in rows {
        let to = row.to.as_deref().unwrap_or("(bytes only: the provider says where)");
        let laid = &row.laid;
        text +=
            &format!("{} -> {to}: {} {verb}, {} there already, of {}\n", row.from, laid.added, laid.there, laid.seen);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_names_device_provider_kind_and_perhaps_a_folder() {
        let goal: Goal = "laptop/google/mail/Work/2026".parse().unwrap();
        assert_eq!((goal.device.as_str(), goal.provider, goal.kind), ("laptop", ProviderName::Google, Kind::Mail));
        assert_eq!(goal.name.as_deref(), Some("Work/2026"));
        assert_eq!("laptop/microsoft365/contacts".parse::<Goal>().unwrap().name, None);
        for (wrong, says) in [
            ("", "DEVICE/PROVIDER/KIND"),
            ("laptop/google", "DEVICE/PROVIDER/KIND"),
            ("laptop//mail", "DEVICE/PROVIDER/KIND"),
            ("laptop/yahoo/mail", "no provider"),
            ("laptop/google/tasks", "no kind"),
        ] {
            let error = wrong.parse::<Goal>().unwrap_err();
            assert!(error.contains(says), "{wrong}: {error}");
        }
    }

    #[test]
    fn a_path_is_real_as_far_as_it_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let there = dir.path().canonicalize().unwrap();
        std::os::unix::fs::symlink(&there, dir.path().join("link")).unwrap();
        assert_eq!(real(&dir.path().join("link/a/b")), there.join("a/b"));
    }
}
