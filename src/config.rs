//! Every setting and its default, in one place.
//!
//! The configuration is one TOML file (config.example.toml describes each key). It is read as a whole before anything else is
//! done: a key that is not known, a value that does not fit and a setting of a kind that this version does not keep yet are
//! errors with file and line, never silently ignored. Nothing here opens a connection or a device folder; a secret is read
//! ([`Secret::read`]) only by the one who needs it.

mod devices;
mod endpoint;
mod log;
mod mail;
mod notify;
mod places;
mod schedule;
mod secret;
mod table;
pub mod unit;

pub use endpoint::{Endpoint, TOKEN_CHARS};
pub use log::{Format, Level, Log};
pub use notify::Notify;
pub(crate) use places::STATE_OF_UNITS;
pub use schedule::Cadence;
pub use secret::Secret;

use devices::{check_joins, check_state_dir, devices, joins};
use places::{Environment, Places, find};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use table::{Source, Table, Value};
use twofold_engine::brake::Brake;
use twofold_model::Kind;
use twofold_model::email::scope::Scope;
use url::{Host, Url};

/// The longest time that can be set: a hundred years.
const MAX_MS: i64 = 100 * 365 * 24 * 3600 * 1000;
/// The kinds that are kept in step where nobody names any.
const USUAL: &[Kind] = &[Kind::Mail, Kind::Calendar, Kind::Contacts];
/// The whole configuration, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// The file it was read from.
    pub path: PathBuf,
    /// Where hub, vault and key are.
    pub state_dir: PathBuf,
    /// Whether the file says so; else it is where systemd, the file's own place (/etc/twofold) or the user's environment has such things.
    pub names_state_dir: bool,
    /// The Microsoft 365 account, if there is one.
    pub microsoft365: Option<Microsoft365>,
    /// The Google account, if there is one.
    pub google: Option<Google>,
    /// The device folders.
    pub devices: Vec<Device>,
    /// Collections of both providers that are one and the same.
    pub joins: Vec<Join>,
    /// How old a full listing may grow, or when all is listed anew.
    pub full_check: Cadence,
    /// How often the service looks after each kind.
    pub cadences: BTreeMap<Kind, Cadence>,
    /// What counts as a mass change, for each kind.
    pub brakes: BTreeMap<Kind, Brake>,
    /// How long an overwritten or deleted version stays at least.
    pub retention_ms: i64,
    /// How the network is reached.
    pub network: Network,
    /// Whether a write may send mail to the guests of a meeting.
    pub may_mail_attendees: bool,
    /// How many bytes stay free on each disk; `None`: as many as fit it.
    pub keep_free: Option<u64>,
    /// Where the service tells of itself, if anywhere.
    pub endpoint: Option<Endpoint>,
    /// The service's log.
    pub log: Log,
    /// Who is told of troubles.
    pub notify: Notify,
}

/// `[microsoft365]`.
#[derive(Clone, Debug)]
pub struct Microsoft365 {
    /// The app registration's "Application (client) ID".
    pub client_id: String,
    /// `organizations`, `common`, `consumers`, the tenant's GUID or its domain.
    pub tenant: String,
    /// The kinds that are kept in step.
    pub kinds: Vec<Kind>,
    /// Where people sign in.
    pub login_url: Url,
    /// Microsoft Graph.
    pub graph_url: Url,
    /// A folder in which all instances on this machine keep the app's limit of requests at a time together.
    pub shared_limit: Option<PathBuf>,
    /// What of its mail is kept in step (`[microsoft365.mail]`).
    pub mail: Scope,
}

/// `[google]`.
#[derive(Clone, Debug)]
pub struct Google {
    /// The OAuth client's id.
    pub client_id: String,
    /// The OAuth client's secret. Google asks for one of desktop apps too.
    pub client_secret: Option<Secret>,
    /// The kinds that are kept in step.
    pub kinds: Vec<Kind>,
    /// Where people sign in.
    pub auth_url: Url,
    /// Where tokens are given out.
    pub token_url: Url,
    /// The Gmail API.
    pub gmail_url: Url,
    /// How many of Gmail's quota units this user may spend a minute.
    pub gmail_units: u32,
    /// The Calendar API.
    pub calendar_url: Url,
    /// The People API.
    pub people_url: Url,
    /// What of its mail is kept in step (`[google.mail]`).
    pub mail: Scope,
}

/// One `[[device]]`: a folder that other programs read and write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Its name, in commands and reports.
    pub name: String,
    /// The folder, absolute.
    pub path: PathBuf,
    /// The kinds that are kept there.
    pub kinds: Vec<Kind>,
    /// The group that may read and write too.
    pub group: Option<String>,
    /// Permission bits of the files. Without them: 0600, or 0660 when a group is named.
    pub mode: Option<u32>,
    /// What new cards are written as.
    pub vcard: VcardVersion,
}

/// The vCard version in which new cards are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VcardVersion {
    /// RFC 2426, which every program reads.
    #[default]
    V3,
    /// RFC 6350.
    V4,
}

/// One `[[join]]`: these collections are one and the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Join {
    /// Their kind.
    pub kind: Kind,
    /// Replica, and name or role (`default`, `primary`) of the collection there; one for each provider.
    pub collections: Vec<(String, String)>,
}

/// `[network]`. Its `Debug` hides the name and password of a proxy.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Network {
    /// The proxy; without it the environment's.
    pub proxy: Option<String>,
    /// Certificates that are trusted besides the system's (PEM).
    pub ca_file: Option<PathBuf>,
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.proxy.as_deref().map(|proxy| proxy.rsplit_once('@').map_or(proxy, |(_, host)| host));
        f.debug_struct("Network").field("proxy", &host).field("ca_file", &self.ca_file).finish()
    }
}

/// What is wrong with the configuration: what happened and where, what was not done, and what to type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    place: Option<String>,
    what: String,
    todo: String,
}

impl ConfigError {
    fn new(what: impl Into<String>, todo: impl Into<String>) -> Self {
        Self { place: None, what: what.into(), todo: todo.into() }
    }

    fn at(mut self, place: impl fmt::Display) -> Self {
        self.place = Some(place.to_string());
        self
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        write!(f, "{}; nothing was done. {}", self.what, self.todo)
    }
}

impl std::error::Error for ConfigError {}

type Result<T> = std::result::Result<T, ConfigError>;

impl Config {
    /// The names of all replicas.
    pub fn names(&self) -> BTreeSet<&str> {
        let mut names: BTreeSet<&str> = self.devices.iter().map(|device| device.name.as_str()).collect();
        names.extend(self.google.as_ref().map(|_| "google"));
        names.extend(self.microsoft365.as_ref().map(|_| "microsoft365"));
        names
    }

    /// Whether messages are kept anywhere.
    pub fn has_mail(&self) -> bool {
        let of_google = self.google.iter().flat_map(|google| &google.kinds);
        let of_microsoft = self.microsoft365.iter().flat_map(|microsoft| &microsoft.kinds);
        let of_devices = self.devices.iter().flat_map(|device| &device.kinds);
        of_google.chain(of_microsoft).chain(of_devices).any(|kind| *kind == Kind::Mail)
    }

    /// Finds and reads the configuration: `explicit` (`--config`), else `$TWOFOLD_CONFIG`, else the first there is of
    /// `./config.toml`, `$XDG_CONFIG_HOME/twofold/config.toml` (by default below `~/.config`) and `/etc/twofold/config.toml`.
    pub fn load(explicit: Option<&Path>) -> Result<Config> {
        let environment = Environment::of_process();
        let (path, text) = find(explicit, &environment)?;
        read(&text, &path, &environment)
    }

    /// Where the state would be if the file lay elsewhere: below this user's own folders.
    pub fn own_state_dir(&self) -> Option<PathBuf> {
        places::own_state_dir(&Environment::of_process())
    }

    /// Reads a configuration from text. Relative paths in it are relative to the folder of `path`.
    pub fn parse(text: &str, path: &Path) -> Result<Config> {
        read(text, path, &Environment::of_process())
    }
}

fn read(text: &str, path: &Path, environment: &Environment<'_>) -> Result<Config> {
    let source = Source { path, text };
    let root = source.parse()?;
    let top = Table::root(&source, &root);
    top.allow(
        &[
            "state_dir",
            "microsoft365",
            "google",
            "device",
            "join",
            "calendar",
            "schedule",
            "brakes",
            "history",
            "network",
            "disk",
            "endpoint",
            "log",
            "notify",
        ],
        &[],
    )?;
    let places = Places::beside(path, environment);
    let state_dir = match top.get("state_dir") {
        Some(value) => places.path(&value)?,
        None => places.default_state_dir()?,
    };
    let (cadences, full_check) = schedule::schedule(&top)?;
    let config = Config {
        path: path.to_owned(),
        state_dir,
        names_state_dir: top.get("state_dir").is_some(),
        microsoft365: top.table("microsoft365")?.map(|table| microsoft365(&table, &places)).transpose()?,
        google: top.table("google")?.map(|table| google(&table, &places)).transpose()?,
        devices: devices(&top, &places)?,
        joins: joins(&top)?,
        full_check,
        cadences,
        brakes: brakes(&top)?,
        retention_ms: retention(&top)?,
        network: network(&top, &places)?,
        may_mail_attendees: calendar(&top)?,
        keep_free: keep_free(&top)?,
        endpoint: endpoint::endpoint(&top, &places)?,
        log: log::log(&top)?,
        notify: notify::notify(&top, &places)?,
    };
    check_state_dir(&config, &top)?;
    check_joins(&config, &top)?;
    Ok(config)
}

fn microsoft365(table: &Table<'_>, places: &Places<'_>) -> Result<Microsoft365> {
    table.allow(&["client_id", "tenant", "kinds", "login_url", "graph_url", "shared_limit", "mail"], &[])?;
    let mail = mail::scope(table)?;
    let tenant = match table.get("tenant") {
        None => "organizations".to_owned(),
        Some(value) => {
            let word = value.word()?;
            if !word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_')) {
                return Err(
                    value.wrong("is no tenant", "Write organizations, common, the tenant's GUID or its domain.")
                );
            }
            word.to_owned()
        }
    };
    Ok(Microsoft365 {
        client_id: client_id(table)?,
        tenant,
        kinds: kinds(table)?,
        login_url: address(table, "login_url", "https://login.microsoftonline.com")?,
        graph_url: address(table, "graph_url", "https://graph.microsoft.com")?,
        shared_limit: table.get("shared_limit").map(|value| places.path(&value)).transpose()?,
        mail,
    })
}

fn google(table: &Table<'_>, places: &Places<'_>) -> Result<Google> {
    let keys = [
        "client_id",
        "client_secret",
        "kinds",
        "auth_url",
        "token_url",
        "gmail_url",
        "gmail_units",
        "calendar_url",
        "people_url",
        "mail",
    ];
    table.allow(&keys, &[])?;
    let mail = mail::scope(table)?;
    Ok(Google {
        client_id: client_id(table)?,
        client_secret: table.get("client_secret").map(|value| secret(&value, places)).transpose()?,
        kinds: kinds(table)?,
        auth_url: address(table, "auth_url", "https://accounts.google.com")?,
        token_url: address(table, "token_url", "https://oauth2.googleapis.com")?,
        gmail_url: address(table, "gmail_url", "https://gmail.googleapis.com")?,
        gmail_units: units(table)?,
        calendar_url: address(table, "calendar_url", "https://www.googleapis.com")?,
        people_url: address(table, "people_url", "https://people.googleapis.com")?,
        mail,
    })
}

/// Provider: Gmail gives a project that is new since May 2026 so many units a minute and user, and older ones more (quota page).
const GMAIL_UNITS: u32 = 6_000;

fn units(table: &Table<'_>) -> Result<u32> {
    let Some(value) = table.get("gmail_units") else { return Ok(GMAIL_UNITS) };
    let todo = "Write what the Cloud console shows as Gmail's quota units per minute and user, 6000 or more.";
    let number = value.number()?;
    u32::try_from(number).ok().filter(|units| *units >= GMAIL_UNITS).ok_or_else(|| value.wrong("is too little", todo))
}

fn client_id(table: &Table<'_>) -> Result<String> {
    Ok(table
        .required("client_id", "Write the id of your app registration there; README.md shows how to make one.")?
        .word()?
        .to_owned())
}

fn secret(value: &Value<'_>, places: &Places<'_>) -> Result<Secret> {
    if value.is_text() {
        return Ok(Secret::Plain(value.word()?.to_owned()));
    }
    let todo = "Write a string, { file = \"…\" } or { command = [\"…\", \"…\"] }.";
    let table = value.as_table(todo)?;
    table.allow(&["file", "command"], &[])?;
    match (table.get("file"), table.get("command")) {
        (Some(file), None) => Ok(Secret::File(places.path(&file)?)),
        (None, Some(command)) => {
            let words =
                command.list()?.iter().map(|word| word.text().map(str::to_owned)).collect::<Result<Vec<_>>>()?;
            if words.first().is_none_or(|program| program.trim().is_empty()) {
                return Err(
                    command.wrong("names no program", "Write the program and its arguments as a list of strings.")
                );
            }
            Ok(Secret::Command(words))
        }
        _ => Err(value.wrong("needs one of file and command", todo)),
    }
}

fn kinds(table: &Table<'_>) -> Result<Vec<Kind>> {
    let Some(value) = table.get("kinds") else { return Ok(USUAL.to_vec()) };
    let mut kinds = Vec::new();
    for entry in value.list()? {
        let kind = kind(&entry)?;
        if kinds.contains(&kind) {
            return Err(entry.wrong("stands there twice", "Remove one of the two."));
        }
        kinds.push(kind);
    }
    if kinds.is_empty() {
        return Err(
            value.wrong("is empty", "Write kinds = [\"mail\", \"calendar\", \"contacts\"], or remove the table.")
        );
    }
    Ok(kinds)
}

/// A kind by its name.
fn kind(value: &Value<'_>) -> Result<Kind> {
    let word = value.word()?;
    match Kind::from_name(word) {
        Some(kind) => Ok(kind),
        None => Err(value.wrong(
            &format!("names \"{word}\", which is no kind"),
            "Write kinds = [\"mail\", \"calendar\", \"contacts\"].",
        )),
    }
}

/// An address that bearers and secrets may be sent to.
fn address(table: &Table<'_>, key: &str, default: &str) -> Result<Url> {
    let Some(value) = table.get(key) else {
        let wrong = |_| ConfigError::new(format!("the default of {key} is no address"), "Report this as a bug.");
        return Url::parse(default).map_err(wrong);
    };
    let example = format!("Write an address such as {default}.");
    let Ok(url) = Url::parse(value.word()?) else { return Err(value.wrong("is no address", &example)) };
    if url.host().is_none() || url.query().is_some() || url.fragment().is_some() {
        return Err(value.wrong("is no plain address of a server", &example));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(value.wrong("has a name or a password in it", &example));
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback(&url) => Ok(url),
        _ => Err(value.wrong("is not https; http is accepted on this machine only", &example)),
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

fn calendar(top: &Table<'_>) -> Result<bool> {
    let Some(table) = top.table("calendar")? else { return Ok(false) };
    table.allow(&["may_mail_attendees"], &[])?;
    table.get("may_mail_attendees").map_or(Ok(false), |value| value.flag())
}

fn keep_free(top: &Table<'_>) -> Result<Option<u64>> {
    let Some(table) = top.table("disk")? else { return Ok(None) };
    table.allow(&["keep_free"], &[])?;
    let of_none = "Without a floor the disk would be filled to its last byte. Write the least that is to stay free, such as \"1MB\", or \
                   remove the line for the usual floor.";
    table.get("keep_free").map(|value| mail::size(&value, of_none)).transpose()
}

fn brakes(top: &Table<'_>) -> Result<BTreeMap<Kind, Brake>> {
    let mut brakes = BTreeMap::from([
        (Kind::Contacts, Brake { percent: 20, count: 100 }),
        (Kind::Calendar, Brake { percent: 20, count: 200 }),
        (Kind::Mail, Brake { percent: 30, count: 2000 }),
    ]);
    if let Some(table) = top.table("brakes")? {
        table.allow(&["contacts", "calendar", "mail"], &[])?;
        for (kind, brake) in &mut brakes {
            if let Some(value) = table.get(kind.as_str()) {
                let todo = "Write a share, a number or both: \"20% or 100\".";
                *brake = Brake::parse(value.text()?.trim()).ok_or_else(|| value.wrong("is no brake", todo))?;
            }
        }
    }
    Ok(brakes)
}

fn retention(top: &Table<'_>) -> Result<i64> {
    let default_ms = 180 * 24 * 3600 * 1000;
    let Some(table) = top.table("history")? else { return Ok(default_ms) };
    table.allow(&["retention"], &[])?;
    duration(&table, "retention", default_ms)
}

fn network(top: &Table<'_>, places: &Places<'_>) -> Result<Network> {
    let Some(table) = top.table("network")? else { return Ok(Network::default()) };
    table.allow(&["proxy", "ca_file"], &[])?;
    let proxy = match table.get("proxy") {
        None => None,
        Some(value) => {
            let text = value.word()?;
            let is_proxy =
                Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.host().is_some());
            if !is_proxy {
                return Err(value.wrong("is no address of a proxy", "Write one such as \"http://proxy.corp:3128\"."));
            }
            Some(text.to_owned())
        }
    };
    Ok(Network { proxy, ca_file: table.get("ca_file").map(|value| places.path(&value)).transpose()? })
}

fn duration(table: &Table<'_>, key: &str, default_ms: i64) -> Result<i64> {
    let Some(value) = table.get(key) else { return Ok(default_ms) };
    let todo = "Write a number with s, m, h or d behind it, such as \"90s\", \"5m\", \"24h\" or \"180d\".";
    duration_ms(value.text()?.trim()).ok_or_else(|| value.wrong("is no length of time", todo))
}

/// `"90s"`, `"5m"`, `"24h"`, `"180d"` in milliseconds: more than nothing, a hundred years at most.
fn duration_ms(text: &str) -> Option<i64> {
    let unit_ms = match text.chars().next_back()? {
        's' => 1000,
        'm' => 60 * 1000,
        'h' => 3600 * 1000,
        'd' => 24 * 3600 * 1000,
        _ => return None,
    };
    let digits = text[..text.len() - 1].trim_end();
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse::<i64>().ok()?.checked_mul(unit_ms).filter(|ms| (1..=MAX_MS).contains(ms))
}

#[cfg(test)]
mod tests;
