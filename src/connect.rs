//! The one place that knows concrete connectors: the configuration's providers and devices become parties of a cycle.

use crate::config::{Config, Device as DeviceConfig, VcardVersion};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use twofold_auth::{GoogleUrls, MicrosoftUrls, Provider, ProviderName, Session, Vault};
use twofold_blobs::Store;
use twofold_cycle::{Party, Progress};
use twofold_device::{Device, DeviceOptions};
use twofold_google::mail::imap;
use twofold_google::{
    CalendarDialect, CalendarOptions, GmailDialect, Google, GoogleDialect, GoogleOptions, MailOptions,
};
use twofold_http::{
    Allowance, Budget, Client, ClientOptions, Clock, Dialect, Hurry, Limits, Network, NetworkTransport, Patience,
    Recorder, Response, Shared, TokenSource, Transport, TransportError, Wire,
};
use twofold_hub::Hub;
use twofold_microsoft365::{GraphDialect, Microsoft365};
use twofold_model::blob::MemoryBlobs;
use twofold_model::email::scope::Scope;
use twofold_model::{Blobs, CollectionId, Connector, Error, ErrorKind, Kind, Result, Uid, Visit};
use twofold_zones::SystemZones;

/// Provider: Graph allows 4 requests at a time and 10,000 in 10 minutes for an app and mailbox (throttling limits).
const GRAPH_LIMITS: Limits = Limits {
    concurrency: 4,
    requests_per_window: Some((10_000, 600)),
    units_per_minute: None,
    bytes_per_window: Some((150_000_000, 300)),
    window_once_asked: false,
};
/// Provider: People counts per minute and user, the numbers stand in the Cloud console only. 90 a minute is the usual one: once
/// Google asks for a pause, that is kept for an hour.
const PEOPLE_LIMITS: Limits = Limits {
    concurrency: 2,
    requests_per_window: Some((90, 60)),
    units_per_minute: None,
    bytes_per_window: None,
    window_once_asked: true,
};
/// Provider: Calendar allows 600 requests a minute and user, and asks for few at a time (the sheet's chapter on limits).
const CALENDAR_LIMITS: Limits = Limits {
    concurrency: 4,
    requests_per_window: Some((600, 60)),
    units_per_minute: None,
    bytes_per_window: None,
    window_once_asked: false,
};

/// Provider: Gmail counts units a minute and user (the sheet's chapter on limits); how many, the configuration says.
fn gmail_limits(config: &Config) -> Limits {
    let units_per_minute = config.google.as_ref().map(|google| google.gmail_units);
    Limits { units_per_minute, ..Limits::default() }
}

/// How fast the messages of a mailbox may be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Messages a minute, at most.
    pub per_minute: u32,
    /// What allows no more, for people.
    pub whose: &'static str,
}

/// How fast the messages of a replica may be read, by what its provider allows; `None` where nothing holds them up (a folder).
pub fn pace(config: &Config, replica: &str) -> Option<Pace> {
    let (per_minute, whose) = match replica {
        "google" => (gmail_limits(config).units_per_minute? / twofold_google::MESSAGE_UNITS, "Gmail's budget"),
        "microsoft365" => {
            let (most, window_s) = GRAPH_LIMITS.requests_per_window?;
            (most * 60 / window_s, "Graph's limits")
        }
        _ => return None,
    };
    Some(Pace { per_minute: per_minute.max(1), whose })
}

/// What is left of each configured provider's budgets at that moment.
pub fn budgets_left(config: &Config, hub: &Hub, now_ms: i64) -> Result<Vec<(String, Allowance)>> {
    let now_ms = u64::try_from(now_ms).unwrap_or(0);
    let providers = [
        config.google.as_ref().map(|_| ProviderName::Google),
        config.microsoft365.as_ref().map(|_| ProviderName::Microsoft365),
    ];
    let mut all = Vec::new();
    for name in providers.into_iter().flatten() {
        for (service, limits) in services(config, name) {
            let budget = Budget::new(limits);
            if let Some(kept) = hub.budget(service)?.and_then(|text| serde_json::from_str(&text).ok()) {
                budget.restore(kept);
            }
            all.push((service.to_owned(), budget.left(now_ms)));
        }
    }
    Ok(all)
}

/// The parties of a cycle, and the budgets that the hub keeps for the next run.
pub struct Opened {
    /// The replicas.
    pub parties: Vec<Party>,
    /// Each provider's budget.
    pub budgets: Vec<(String, Arc<Budget>)>,
}

pub use twofold_device::{Device as DeviceFolder, Keys, Laid, Left, Why, foreign};

/// What a provider's account does with messages, as far as trees of other tools are concerned that were filled from it.
pub struct Habits {
    /// The path of the mailbox that its IMAP server calls so; `None` where standing there says nothing of where a message stands.
    pub mailbox: fn(&[String]) -> Option<Vec<String>>,
    /// The UID of the copies of a message, by the name that it has for a tool that asks the provider's own interface (lieer).
    pub uid: Option<fn(&str) -> Option<Uid>>,
    /// Whether a message may stand in several of its mailboxes.
    pub shares: bool,
}

/// The habits of a provider.
pub fn habits(name: ProviderName) -> Habits {
    match name {
        ProviderName::Google => Habits { mailbox: imap::mailbox, uid: Some(imap::uid), shares: true },
        ProviderName::Microsoft365 => Habits { mailbox: |path| Some(path.to_vec()), uid: None, shares: false },
    }
}

/// Makes the state folder where it is missing ([`twofold_hub::prepare_folder`]), but never in the memory that a sandbox shows for a home.
///
/// # Errors
/// [`ErrorKind::Misconfigured`] where a person has to mend it; nothing was made then.
pub fn state_folder(dir: &Path) -> Result<()> {
    match is_state_folder(dir)? {
        true => Ok(()),
        false => twofold_hub::prepare_folder(dir),
    }
}

/// Whether the state folder is there, for whoever only looks: it is not made, and all else is refused that [`state_folder`] refuses.
///
/// # Errors
/// [`ErrorKind::Misconfigured`] where a person has to mend it.
pub fn is_state_folder(dir: &Path) -> Result<bool> {
    // What cannot be looked at may be there.
    if !matches!(dir.try_exists(), Ok(false)) {
        return twofold_hub::prepare_folder(dir).map(|()| true);
    }
    let memory = twofold_device::memory_above(dir);
    if let Some(memory) = memory {
        let words = format!(
            "the state folder {} would be in memory only, and lost with the next restart: {} is no disk here (`ProtectHome=tmpfs` of a unit is \
             so). It was not made, and nothing was read or changed. A drop-in of the unit makes it and lets it through; type: twofold \
             systemd-dropin",
            dir.display(),
            memory.display()
        );
        return Err(Error::new(ErrorKind::Misconfigured, words));
    }
    Ok(false)
}

/// Where the bytes of messages are kept, below the state folder; `None` where no messages are kept in step.
///
/// # Errors
/// Where the folder cannot be made or read, or another process works on it.
pub fn blobs(config: &Config) -> Result<Option<Arc<dyn Blobs>>> {
    if !config.has_mail() {
        return Ok(None);
    }
    Ok(Some(Arc::new(Store::open(&config.state_dir.join("blobs"))?)))
}

/// The same for a dry run, which makes nothing below the state folder.
///
/// # Errors
/// Where what is there cannot be read.
pub fn blobs_to_try(config: &Config) -> Result<Option<Arc<dyn Blobs>>> {
    let in_memory = || Arc::new(MemoryBlobs::default()) as Arc<dyn Blobs>;
    match config.has_mail() {
        true => Ok(Some(blobs_to_read(config)?.unwrap_or_else(in_memory))),
        false => Ok(None),
    }
}

/// The bytes of messages below the state folder, to be read beside whoever works on them; `None` where none ever were.
///
/// # Errors
/// Where the folder cannot be read.
pub fn blobs_to_read(config: &Config) -> Result<Option<Arc<dyn Blobs>>> {
    match has_blobs(config) {
        true => Ok(Some(Arc::new(Store::look(&config.state_dir.join("blobs"))?))),
        false => Ok(None),
    }
}

/// Whether the bytes of any message were ever kept below the state folder.
pub fn has_blobs(config: &Config) -> bool {
    config.state_dir.join("blobs").is_dir()
}

/// The bytes of messages below the state folder, whatever kinds are configured; the folder is made where it is not there.
///
/// # Errors
/// Where the folder cannot be made or read, or another process works on it.
pub fn blobs_of_all(config: &Config) -> Result<Arc<dyn Blobs>> {
    Ok(Arc::new(Store::open(&config.state_dir.join("blobs"))?))
}

/// Tells of the bytes of one message after the other how much of a disk they take when they are kept.
pub fn measure() -> impl FnMut(&mut dyn Read) -> Result<u64> {
    let mut measure = Store::measure();
    move |bytes| Ok(measure(bytes)?)
}

/// What of each provider's mail is kept in step.
pub fn scopes(config: &Config) -> BTreeMap<String, Scope> {
    let google = config.google.as_ref().map(|google| (ProviderName::Google, &google.mail));
    let microsoft = config.microsoft365.as_ref().map(|microsoft| (ProviderName::Microsoft365, &microsoft.mail));
    google.into_iter().chain(microsoft).map(|(name, scope)| (name.as_str().to_owned(), scope.clone())).collect()
}

/// How many messages are kept there, and how many bytes they take on the disk; `None` where none ever were.
///
/// # Errors
/// Where the folder cannot be read.
pub fn blobs_kept(config: &Config) -> Result<Option<(u64, u64)>> {
    let folder = config.state_dir.join("blobs");
    if !folder.is_dir() {
        return Ok(None);
    }
    let usage = Store::usage_at(&folder)?;
    Ok(Some((usage.blobs, usage.packed_bytes)))
}

/// The services of a provider, each with what it allows: what one of them cannot take for now does not hold the others.
fn services(config: &Config, name: ProviderName) -> Vec<(&'static str, Limits)> {
    match name {
        ProviderName::Google => {
            vec![("google", PEOPLE_LIMITS), ("google calendar", CALENDAR_LIMITS), ("google mail", gmail_limits(config))]
        }
        ProviderName::Microsoft365 => vec![("microsoft365", GRAPH_LIMITS)],
    }
}

/// The network as the configuration wants it.
pub fn transport(config: &Config) -> Arc<NetworkTransport> {
    let network = Network {
        proxy: config.network.proxy.clone(),
        ca_file: config.network.ca_file.clone(),
        spill: Some(config.state_dir.clone()),
        ..Network::default()
    };
    Arc::new(NetworkTransport::new(network))
}

/// The rules of time zones: those of this machine.
pub fn zones() -> SystemZones {
    SystemZones::new()
}

/// [`transport`] for sign-in. Like every client it records where `$TWOFOLD_RECORD` says so.
pub fn sign_in_transport(config: &Config) -> Result<Arc<dyn Transport>> {
    recorded(transport(config))
}

fn recorded(network: Arc<dyn Transport>) -> Result<Arc<dyn Transport>> {
    match std::env::var_os("TWOFOLD_RECORD").filter(|dir| !dir.is_empty()) {
        Some(dir) => Ok(Arc::new(Recorder::new(network, Path::new(&dir))?)),
        None => Ok(network),
    }
}

/// A configured provider as sign-in knows it.
pub fn provider(config: &Config, name: ProviderName) -> Result<Provider> {
    let missing = || {
        let words = format!(
            "{} has no [{name}] table; nothing was done. Add it (see config.example.toml)",
            config.path.display()
        );
        Error::new(ErrorKind::Misconfigured, words)
    };
    match name {
        ProviderName::Microsoft365 => {
            let table = config.microsoft365.as_ref().ok_or_else(missing)?;
            let urls = MicrosoftUrls {
                login: table.login_url.to_string(),
                graph: table.graph_url.to_string(),
                tenant: table.tenant.clone(),
            };
            Provider::microsoft365(&table.client_id, None, &urls, &table.kinds)
        }
        ProviderName::Google => {
            let table = config.google.as_ref().ok_or_else(missing)?;
            let urls = GoogleUrls {
                auth: table.auth_url.to_string(),
                token: table.token_url.to_string(),
                people: table.people_url.to_string(),
            };
            let secret = match &table.client_secret {
                Some(secret) => {
                    let text = secret
                        .read("client_secret")
                        .map_err(|error| Error::new(ErrorKind::Misconfigured, error.to_string()))?;
                    Some(text.into())
                }
                None => None,
            };
            Provider::google(&table.client_id, secret, &urls, &table.kinds)
        }
    }
}

/// Says of each exchange that it is over, whatever came of it: each ends in time, so a run that waits for many of them goes on.
struct Stepping {
    inner: Patience,
    progress: Arc<dyn Progress>,
}

#[async_trait::async_trait]
impl Transport for Stepping {
    async fn exchange(&self, wire: &Wire) -> Result<Response, TransportError> {
        let outcome = self.inner.exchange(wire).await;
        self.progress.step();
        outcome
    }

    async fn exchange_spilling(&self, wire: &Wire) -> Result<Response, TransportError> {
        let outcome = self.inner.exchange_spilling(wire).await;
        self.progress.step();
        outcome
    }
}

/// Opens every configured place of which a kind is `wanted`, by its name. A place that cannot be opened takes part as absent, and so does a
/// kind of it that is not wanted, or was not granted. Each exchange is a step of the `progress`; while others wait it has less time.
pub fn open(
    config: &Config,
    hub: &mut Hub,
    blobs: Option<&Arc<dyn Blobs>>,
    clock: &Arc<dyn Clock>,
    progress: &Arc<dyn Progress>,
    is_waited_for: &Arc<AtomicBool>,
    wanted: &dyn Fn(&str, Kind) -> bool,
) -> Result<Opened> {
    let vault = Vault::open(&config.state_dir)?;
    let transport = transport(config);
    let mut opened = Opened { parties: Vec::new(), budgets: Vec::new() };
    for name in [ProviderName::Google, ProviderName::Microsoft365] {
        let kinds = match name {
            ProviderName::Google => config.google.as_ref().map(|table| table.kinds.clone()),
            ProviderName::Microsoft365 => config.microsoft365.as_ref().map(|table| table.kinds.clone()),
        };
        let is_wanted = |kind: &Kind| wanted(name.as_str(), *kind);
        let Some(kinds) = kinds.filter(|kinds| kinds.iter().any(is_wanted)) else { continue };
        let mut absent: BTreeMap<Kind, Option<Error>> = BTreeMap::new();
        absent.extend(kinds.iter().filter(|kind| !is_wanted(kind)).map(|kind| (*kind, None)));
        absent.extend(not_granted(config, name, &vault)?.into_iter().map(|(kind, words)| {
            let error = Error::new(ErrorKind::SignInNeeded, words);
            (kind, Some(error))
        }));
        let mut budgets = Vec::new();
        let mut unusable = None;
        for (service, limits) in services(config, name) {
            let shared = shared_limit(config, name).unwrap_or_else(|error| {
                unusable = Some(error);
                None
            });
            let budget = Arc::new(Budget::new(limits).sharing(shared));
            if let Some(kept) = hub.budget(service)?.and_then(|text| serde_json::from_str(&text).ok()) {
                budget.restore(kept);
            }
            budgets.push(budget.clone());
            opened.budgets.push((service.into(), budget));
        }
        // What hangs at one provider says nothing of the other one.
        let inner = Patience::new(transport.clone());
        let transport: Arc<dyn Transport> = Arc::new(Stepping { inner, progress: progress.clone() });
        let hurry = Hurry::new(is_waited_for.clone());
        let connector = match unusable {
            None => open_provider(
                config,
                hub,
                name,
                &vault,
                &Way { transport: &transport, clock, budgets: &budgets, hurry },
                blobs,
            ),
            Some(error) => Err(error),
        };
        let account = account(hub, name, &vault)?.and_then(|account| account.address);
        opened.parties.push(Party { name: name.as_str().into(), is_device: false, kinds, absent, account, connector });
    }
    for gone in hub.replicas()?.into_iter().filter(|replica| replica.is_device) {
        if !config.devices.iter().any(|device| device.name == gone.name) {
            hub.detach(gone.id)?;
        }
    }
    for device in config.devices.iter().filter(|device| device.kinds.iter().any(|kind| wanted(&device.name, *kind))) {
        let connector = open_device(config, device, hub, blobs).map(|device| Arc::new(device) as Arc<dyn Connector>);
        let kinds = device.kinds.clone();
        let (name, absent) = (device.name.clone(), BTreeMap::new());
        opened.parties.push(Party { name, is_device: true, kinds, absent, account: None, connector });
    }
    Ok(opened)
}

/// The kinds of a provider that whoever is signed in did not grant, and what is told of each. Where a sign-in is needed for all of it, that is
/// told instead.
///
/// # Errors
/// Where the sign-ins cannot be read.
pub fn not_granted(config: &Config, name: ProviderName, vault: &Vault) -> Result<BTreeMap<Kind, String>> {
    // What is wrong with the provider's table is told where the place is opened.
    let Ok(provider) = provider(config, name) else { return Ok(BTreeMap::new()) };
    let status = vault.status(name)?.seen_with(&provider);
    if status.cause().is_some_and(|cause| !cause.may_heal()) {
        return Ok(BTreeMap::new());
    }
    let missing = status.missing_scopes(&provider).into_iter();
    Ok(missing.filter_map(|missing| Some((missing.kind?, missing.advice(name)))).collect())
}

/// The limit that several instances on this machine keep together, where the configuration names a folder for it.
fn shared_limit(config: &Config, name: ProviderName) -> Result<Option<Shared>> {
    let table = config.microsoft365.as_ref().filter(|_| name == ProviderName::Microsoft365);
    let Some((table, folder)) = table.and_then(|table| Some((table, table.shared_limit.as_ref()?))) else {
        return Ok(None);
    };
    Shared::in_folder(folder, &table.client_id, GRAPH_LIMITS.concurrency).map(Some)
}

/// How a provider is asked: over which network, by which clock, within what it allows.
struct Way<'a> {
    transport: &'a Arc<dyn Transport>,
    clock: &'a Arc<dyn Clock>,
    budgets: &'a [Arc<Budget>],
    hurry: Hurry,
}

fn open_provider(
    config: &Config,
    hub: &mut Hub,
    name: ProviderName,
    vault: &Vault,
    way: &Way<'_>,
    blobs: Option<&Arc<dyn Blobs>>,
) -> Result<Arc<dyn Connector>> {
    check_not_forgotten(hub, name.as_str())?;
    let provider = provider(config, name)?;
    let session = Session::new(provider.clone(), vault.clone(), recorded(way.transport.clone())?, way.clock.clone());
    // From here on it is the session of this account.
    let status = session.status()?;
    if let Some(cause) = status.cause().filter(|cause| !cause.may_heal()) {
        return Err(cause.error(name));
    }
    check_account(hub, name, &status)?;
    let token: Arc<dyn TokenSource> = Arc::new(session);
    let client = |base: &url::Url, dialect: Arc<dyn Dialect>, budget: &Arc<Budget>| {
        let options = ClientOptions::new(base.clone(), dialect).token(token.clone()).hurry(way.hurry.clone());
        Client::new(options.budget(budget.clone()).transport(way.transport.clone()).clock(way.clock.clone()))
    };
    let zones = Arc::new(zones());
    // The zone of this machine is the best guess at the one that its user lives in.
    let home_zone = home_zone();
    match (name, &config.google, &config.microsoft365, way.budgets) {
        (ProviderName::Google, Some(google), _, [people, calendar, mail]) => {
            let people = client(&google.people_url, Arc::new(GoogleDialect), people)?;
            let calendar = match google.kinds.contains(&Kind::Calendar) {
                true => Some(client(&google.calendar_url, Arc::new(CalendarDialect), calendar)?),
                false => None,
            };
            let mail = match blobs.filter(|_| google.kinds.contains(&Kind::Mail)) {
                Some(blobs) => Some(MailOptions {
                    client: client(&google.gmail_url, Arc::new(GmailDialect), mail)?,
                    blobs: blobs.clone(),
                }),
                None => None,
            };
            let calendar = calendar.map(|client| CalendarOptions { client, zones, home_zone });
            Ok(Arc::new(Google::new(GoogleOptions { people, calendar, mail })))
        }
        (ProviderName::Microsoft365, _, Some(microsoft), [graph]) => {
            let graph = client(&microsoft.graph_url, Arc::new(GraphDialect), graph)?;
            let options = twofold_microsoft365::Options {
                graph,
                hub_id: hub.id().to_owned(),
                zones,
                home_zone,
                blobs: blobs.cloned(),
            };
            Ok(Arc::new(Microsoft365::new(options)))
        }
        _ => Err(Error::new(ErrorKind::Misconfigured, format!("[{name}] is not configured"))),
    }
}

/// Whose data the hub holds of a provider.
fn kept_account(replica: &twofold_hub::Replica) -> Option<twofold_auth::Account> {
    replica.account.as_deref().and_then(|text| serde_json::from_str(text).ok())
}

/// The address of the account behind a provider, where it is known.
pub fn address(config: &Config, hub: &mut Hub, name: ProviderName) -> Result<Option<String>> {
    Ok(account(hub, name, &Vault::open(&config.state_dir)?)?.and_then(|account| account.address))
}

/// The account behind a provider: who is signed in, else who was.
fn account(hub: &mut Hub, name: ProviderName, vault: &Vault) -> Result<Option<twofold_auth::Account>> {
    let signed_in = vault.status(name)?.account;
    Ok(signed_in.or(kept_account(&hub.replica(name.as_str(), false)?)))
}

/// A provider's connector for a few questions, beside whoever works on the hub: nothing is noted anywhere but a fresh token.
///
/// # Errors
/// Where nobody is signed in, or it cannot be asked.
pub fn probe(config: &Config, name: ProviderName, clock: &Arc<dyn Clock>) -> Result<Arc<dyn Connector>> {
    let vault = Vault::open(&config.state_dir)?;
    let (mut hub, transport) = (Hub::in_memory()?, transport(config) as Arc<dyn Transport>);
    let services = if name == ProviderName::Google {
        vec![PEOPLE_LIMITS, CALENDAR_LIMITS, gmail_limits(config)]
    } else {
        vec![GRAPH_LIMITS]
    };
    let mut budgets = Vec::new();
    for limits in services {
        budgets.push(Arc::new(Budget::new(limits).sharing(shared_limit(config, name)?)));
    }
    // No bytes are read; a kind that has some is asked for its collections only.
    let blobs: Arc<dyn Blobs> = Arc::new(MemoryBlobs::default());
    open_provider(
        config,
        &mut hub,
        name,
        &vault,
        &Way { transport: &transport, clock, budgets: &budgets, hurry: Hurry::default() },
        Some(&blobs),
    )
}

/// Why the account that is signed in is not the one whose data the hub holds, if it is another.
pub fn other_account(hub: &Hub, name: ProviderName, status: &twofold_auth::Status) -> Result<Option<String>> {
    let known = hub.replicas()?.into_iter().find(|replica| replica.name == name.as_str());
    let kept = known.as_ref().and_then(kept_account);
    Ok(match (&kept, &status.account) {
        (Some(kept), Some(account)) if !kept.is_same_as(account) => Some(format!(
            "{} is signed in, but this hub holds the data of {}; nothing was read or changed. Sign in as before: twofold login {name}",
            account.label(),
            kept.label()
        )),
        _ => None,
    })
}

/// The account behind a replica is part of the replica (ENGINE 21).
fn check_account(hub: &mut Hub, name: ProviderName, status: &twofold_auth::Status) -> Result<()> {
    let Some(account) = &status.account else { return Ok(()) };
    let replica = hub.replica(name.as_str(), false)?;
    if let Some(words) = other_account(hub, name, status)? {
        return Err(Error::new(ErrorKind::Misconfigured, words));
    }
    match kept_account(&replica) {
        Some(_) => Ok(()),
        None => {
            let text = serde_json::to_string(account).map_err(|error| {
                Error::new(ErrorKind::Broken, "the account cannot be written as JSON").with_source(error)
            })?;
            hub.set_account(replica.id, &text)
        }
    }
}

/// What was begun to be forgotten takes part in nothing until that is through.
fn check_not_forgotten(hub: &Hub, name: &str) -> Result<()> {
    if !hub.is_being_forgotten(name)? {
        return Ok(());
    }
    let words = format!(
        "forgetting it was begun and not finished; nothing was read or changed there. Type: twofold forget {name}"
    );
    Err(Error::new(ErrorKind::Misconfigured, words))
}

/// The zone of this machine's clocks: the one that `$TZ` names (`Europe/Berlin`), else the system's.
pub fn home_zone() -> Option<String> {
    let named = std::env::var("TZ").ok().and_then(|text| zone_named(&text));
    named.or_else(system_zone)
}

fn system_zone() -> Option<String> {
    iana_time_zone::get_timezone().ok()
}

/// What stands in the way of finding the zone of this machine, and what to type; `None`: its name is known, or it has none and goes by UTC
/// (localtime(5)).
pub fn nameless_zone() -> Option<String> {
    let rule = std::env::var("TZ").ok().filter(|text| is_rule(text)).map(|text| {
        format!(
            "TZ is \"{text}\" in the environment, which is no name of a zone: cron patterns and times without a zone go by the system's, {}. Set it \
             to a name (TZ=Europe/Berlin), or take it away",
            system_zone().unwrap_or_else(|| "UTC".to_owned())
        )
    });
    let is_nameless = is_nameless(home_zone().as_deref(), Path::new("/etc/localtime").exists());
    rule.or_else(|| {
        is_nameless.then(|| {
            "the clocks of this machine go by /etc/localtime, which does not say by what name (it is no link, and /etc/timezone names no zone): \
             cron patterns and times without a zone go by UTC. Type: sudo timedatectl set-timezone Europe/Berlin (or your own zone)"
                .to_owned()
        })
    })
}

/// Whether that of `$TZ` is left aside: a rule (`CET-1CEST`), a file, or a name that nobody knows; not where it means the system's zone.
fn is_rule(text: &str) -> bool {
    zone_named(text).is_none() && text.strip_prefix(':').unwrap_or(text) != "/etc/localtime"
}

fn is_nameless(name: Option<&str>, has_local_time: bool) -> bool {
    has_local_time && name.is_none_or(|name| name.parse::<chrono_tz::Tz>().is_err())
}

/// tzset(3): a name may follow a colon, and nothing is UTC. What is a rule or a file says no name.
fn zone_named(text: &str) -> Option<String> {
    let name = Some(text.strip_prefix(':').unwrap_or(text)).filter(|name| !name.is_empty()).unwrap_or("UTC");
    name.parse::<chrono_tz::Tz>().ok().map(|zone| zone.name().to_owned())
}

/// Takes the marker of a folder away that is no device any more; one that somebody else wrote stays.
pub fn unmark(device: &DeviceConfig, mark: &str) -> Result<()> {
    if twofold_device::replica_marked_at(&device.path).as_deref() != Some(mark) {
        return Ok(());
    }
    std::fs::remove_file(device.path.join(twofold_device::ROOT_MARKER)).map_err(|error| {
        let words = format!("the marker of {} cannot be removed: {error}", device.path.display());
        Error::new(ErrorKind::Misconfigured, words).with_source(error)
    })
}

/// Removes the folders above the collections of a provider on a device, as far as nothing stands in them.
pub fn remove_empty(device: &DeviceConfig, provider: &str) {
    let own = device.path.join(provider);
    let kinds = [Kind::Mail, Kind::Calendar, Kind::Contacts].map(|kind| own.join(kind.as_str()));
    for folder in kinds.iter().chain([&own]) {
        // Never through a link, and the system removes none that is not empty.
        let is_real = |path: &Path| std::fs::symlink_metadata(path).is_ok_and(|meta| meta.is_dir());
        if is_real(&own) && is_real(folder) {
            let _ = std::fs::remove_dir(folder);
        }
    }
}

/// Opens a device folder to remove what is forgotten of it: the folder that the hub knows, and no other.
///
/// # Errors
/// Where it is not there, or is not that folder.
pub async fn open_to_forget(config: &Config, device: &DeviceConfig, hub: &mut Hub) -> Result<Arc<dyn Connector>> {
    Ok(Arc::new(opened_to_forget(config, device, hub).await?))
}

/// Lets folders of a device go: what is kept of them next is paired with what stands there.
///
/// # Errors
/// Where the folder is not there, or is another one, or cannot be written.
pub async fn let_go(config: &Config, device: &DeviceConfig, hub: &mut Hub, folders: &[CollectionId]) -> Result<()> {
    opened_to_forget(config, device, hub).await?.let_go_of(folders)
}

async fn opened_to_forget(config: &Config, device: &DeviceConfig, hub: &mut Hub) -> Result<Device> {
    let mark = hub.replica(&device.name, true)?.mark;
    let mut options = DeviceOptions::new(&device.name, &device.path, hub.id(), &mark);
    options.kinds = vec![Kind::Mail, Kind::Calendar, Kind::Contacts];
    options.is_leaving = true;
    options.zones = Some(Arc::new(zones()));
    options.blobs = match has_blobs(config) {
        true => Some(blobs_of_all(config)?),
        false => None,
    };
    let opened = Device::open(options)?;
    let visit = Visit {
        is_known: true,
        hub_is_empty: false,
        is_dry_run: true,
        run: i64::MAX,
        last_run: i64::MAX,
        wrote_run: 0,
    };
    opened.arrive(visit).await?.or_held()?;
    // From here on it is written to.
    opened.arrive(Visit { is_dry_run: false, ..visit }).await?;
    Ok(opened)
}

/// Opens a device folder as the replica that the hub knows by its name, or by its marker when it was renamed.
pub fn open_device(
    config: &Config,
    device: &DeviceConfig,
    hub: &mut Hub,
    blobs: Option<&Arc<dyn Blobs>>,
) -> Result<Device> {
    check_not_forgotten(hub, &device.name)?;
    let replica = follow_rename(config, device, hub)?;
    let mut options = DeviceOptions::new(&device.name, &device.path, hub.id(), &replica.mark);
    options.kinds.clone_from(&device.kinds);
    options.mode = device.mode;
    options.group.clone_from(&device.group);
    options.vcard = match device.vcard {
        VcardVersion::V3 => twofold_model::vcard::Version::V3,
        VcardVersion::V4 => twofold_model::vcard::Version::V4,
    };
    options.zones = Some(Arc::new(zones()));
    options.blobs = blobs.cloned();
    options.unit = crate::config::unit::own();
    Device::open(options)
}

/// A device renamed in the configuration whose folder has the same marker is the same replica (ENGINE 20). Where the device
/// of that marker is still configured, the folder is a copy of its: it stays that of another device, and is refused as such.
fn follow_rename(config: &Config, device: &DeviceConfig, hub: &mut Hub) -> Result<twofold_hub::Replica> {
    let is_known = hub.replicas()?.iter().any(|replica| replica.name == device.name);
    if !is_known
        && let Some(mark) = twofold_device::replica_marked_at(&device.path)
        && let Some(old) = hub.replica_by_mark(&mark)?
        && !config.devices.iter().any(|other| other.name == old.name)
    {
        hub.rename_replica(old.id, &device.name)?;
    }
    hub.replica(&device.name, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_that_go_by_a_zone_without_a_name_are_told_and_those_that_go_by_utc_are_not() {
        assert!(is_nameless(None, true), "a file, and nothing that says which");
        assert!(is_nameless(Some("Local/Office"), true), "a name that nobody knows");
        assert!(!is_nameless(Some("Europe/Berlin"), true));
        assert!(!is_nameless(None, false), "no file is UTC");
    }

    #[test]
    fn the_environment_names_a_zone_and_no_rule() {
        let zone = |text| zone_named(text);
        assert_eq!(zone("Europe/Berlin").as_deref(), Some("Europe/Berlin"));
        assert_eq!(zone(":America/New_York").as_deref(), Some("America/New_York"));
        assert_eq!((zone("").as_deref(), zone(":").as_deref()), (Some("UTC"), Some("UTC")));
        for text in ["CET-1CEST,M3.5.0,M10.5.0/3", "/etc/localtime", ":/etc/localtime", "Nowhere/Town"] {
            assert_eq!(zone(text), None, "{text}");
            assert_eq!(is_rule(text), !text.ends_with("localtime"), "{text}");
        }
        assert!(!is_rule("Europe/Berlin") && !is_rule(""));
    }
}
