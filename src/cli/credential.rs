//! Where the key of the sign-ins is systemd's, a shell has none: what to type instead.
//!
//! systemd hands the key to the service alone (`LoadCredentialEncrypted=`, `systemd.exec(5)`). With the service running, `sync` is a run of
//! the service and needs no key here. A sign-in has to talk to a person, so it is started by systemd with the same key, on the terminal.

use super::doctor::{Unit, configured};
use super::handover;
use crate::config::Config;
use std::path::Path;
use twofold_auth::Vault;
use twofold_model::{Error, ErrorKind, Result};

/// Refuses what would seal or open a sign-in where the key for it is not at hand. `arguments`: what to type behind `twofold`.
pub async fn check(config: &Config, arguments: &str) -> Result<()> {
    let words = match missing(config, arguments)? {
        Some(words) => words,
        None if is_with_the_service_alone(config).await? => format!(
            "the key of the sign-ins is with the service alone, where systemd puts it; nothing was done. {}",
            to_type(config, arguments)
        ),
        None => return Ok(()),
    };
    Err(Error::new(ErrorKind::Misconfigured, words))
}

/// What to say where the sign-ins were sealed with a key that is not at hand.
pub fn missing(config: &Config, arguments: &str) -> Result<Option<String>> {
    if !is_missing(config)? {
        return Ok(None);
    }
    if Vault::open(&config.state_dir)?.has_credential_key() {
        return Ok(Some(with_another_key(config, arguments)));
    }
    let holder = unit_with_key(config).map(|unit| unit.name);
    Ok(Some(without_key(config, arguments, holder.as_deref())))
}

/// Whether the sign-ins were sealed with a key that is not at hand.
pub fn is_missing(config: &Config) -> Result<bool> {
    Ok(Vault::open(&config.state_dir)?.opens()? == Some(false))
}

/// What to say without the key. `holder`: who is known to be handed it by systemd.
pub fn without_key(config: &Config, arguments: &str, holder: Option<&str>) -> String {
    let line = to_type(config, arguments);
    match holder {
        Some(holder) => format!(
            "the key of the sign-ins is a credential, which systemd hands to {holder} alone; no sign-in was touched, and that they do not \
             open without it is as it should be. {line}"
        ),
        None => format!(
            "the key that opens the sign-ins is not at hand; no sign-in was touched. If it was the file {}, put it back from a backup; only \
             where the key is lost, move {} away and sign in again (no item is lost by that). {line}",
            config.state_dir.join("twofold.key").display(),
            config.state_dir.join("vault.json").display()
        ),
    }
}

/// What to say where systemd handed over a key to this very process, and the sign-ins were sealed with another one.
fn with_another_key(config: &Config, arguments: &str) -> String {
    let vault = config.state_dir.join("vault.json");
    let logins: Vec<String> = match arguments.starts_with("login ") {
        true => vec![arguments.to_owned()],
        false => configured(config).iter().map(|name| format!("login {name} --no-browser")).collect(),
    };
    let lines: Vec<String> = logins.iter().map(|login| format!("\n  {}", with_key(config, login))).collect();
    format!(
        "the sign-ins in {} were sealed with another key than the one that systemd hands over (with that of another machine, or with the \
         file twofold.key); no sign-in was touched. Where that key is still to be had, hand it over instead. Where it is not, put the \
         sign-ins away and sign in again at each provider (no item is lost by that):\n  sudo mv {} {}{}",
        vault.display(),
        quoted(&vault.display().to_string()),
        quoted(&vault.with_extension("json.other-key").display().to_string()),
        lines.concat()
    )
}

/// The unit of this configuration, where it says that systemd hands it the key.
pub fn unit_with_key(config: &Config) -> Option<Unit> {
    Unit::of(config).filter(|unit| unit.key().is_some())
}

/// A key of its own would be made here for a vault that is empty yet, and the service could not open it with its.
async fn is_with_the_service_alone(config: &Config) -> Result<bool> {
    let vault = Vault::open(&config.state_dir)?;
    if vault.has_credential_key() || vault.opens()?.is_some() {
        return Ok(false);
    }
    // A service that does not answer keeps nobody from signing in.
    Ok(handover::status(config).await.is_some_and(|(_, has_credential_key)| has_credential_key))
}

/// The line with which systemd starts a command with the service's key, on this terminal.
fn to_type(config: &Config, arguments: &str) -> String {
    format!(
        "If it is systemd that hands it to the service, type the following (the file of the key is the one that the unit names):\n  {}",
        with_key(config, arguments)
    )
}

/// That line alone, with the user and the key that the unit of this configuration has.
pub(super) fn with_key(config: &Config, arguments: &str) -> String {
    let program = std::env::current_exe().unwrap_or_else(|_| "/usr/local/bin/twofold".into());
    let unit = unit_with_key(config);
    let user = unit.as_ref().map_or_else(|| User::of_process().name, |unit| unit.user.clone());
    line(config, &user, unit.as_ref().and_then(Unit::key), &program, arguments)
}

pub(super) fn path_of(config: &Config) -> String {
    let path = std::path::absolute(&config.path).unwrap_or_else(|_| config.path.clone());
    quoted(&path.display().to_string())
}

/// `key`: the line of the unit that hands it over.
fn line(config: &Config, user: &str, key: Option<&str>, program: &Path, arguments: &str) -> String {
    // As the units have it: /etc/twofold/ada.toml and ada.key.cred; of one alone config.toml and twofold.key.cred.
    let path = std::path::absolute(&config.path).unwrap_or_else(|_| config.path.clone());
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).filter(|stem| stem != "config");
    let usual = path.with_file_name(format!("{}.key.cred", stem.as_deref().unwrap_or("twofold")));
    let usual = format!("LoadCredentialEncrypted=twofold.key:{}", usual.display());
    let state = config.state_dir.strip_prefix("/var/lib").ok();
    // With its mode: without, systemd opens the folder to everybody (`systemd.exec(5)`: 0755).
    let state = state.map(|state| {
        format!(
            " --property={} --property=StateDirectoryMode=0700",
            quoted(&format!("StateDirectory={}", state.display()))
        )
    });
    format!(
        "sudo systemd-run --pty --wait --collect --uid={user}{} --property=UMask=0077 --property={} {} --config {} {arguments}",
        state.unwrap_or_default(),
        quoted(key.unwrap_or(&usual)),
        quoted(&program.display().to_string()),
        path_of(config),
    )
}

/// A user of this machine, as /etc/passwd has it.
pub struct User {
    pub id: u32,
    pub group: u32,
    /// The number where it has no name.
    pub name: String,
}

impl User {
    /// Whose process this is.
    pub fn of_process() -> User {
        User::of(rustix::process::geteuid().as_raw())
    }

    /// With this number.
    pub fn of(id: u32) -> User {
        let unnamed = User { id, group: u32::MAX, name: id.to_string() };
        User::find(|user| user.id == id).unwrap_or(unnamed)
    }

    /// With this name; where nobody has it, one who owns nothing.
    pub fn named(name: &str) -> User {
        let nobody = User { id: u32::MAX, group: u32::MAX, name: name.to_owned() };
        User::find(|user| user.name == name).unwrap_or(nobody)
    }

    /// All that there are.
    pub fn all() -> Vec<User> {
        let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        let user = |row: &str| {
            let mut fields = row.split(':');
            let (name, id, group) = (fields.next()?.to_owned(), fields.nth(1)?, fields.next()?);
            Some(User { id: id.parse().ok()?, group: group.parse().ok()?, name })
        };
        users.lines().filter_map(user).collect()
    }

    fn find(is_meant: impl Fn(&User) -> bool) -> Option<User> {
        User::all().into_iter().find(is_meant)
    }
}

/// A word as a shell takes it.
pub fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '-' | '_' | '@' | '+' | '=' | ':');
    if text.chars().all(is_plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(path: &str, state_dir: &str) -> String {
        let config = Config::parse(&format!("state_dir = '{state_dir}'\n"), Path::new(path)).unwrap();
        line(&config, "ada", None, Path::new("/usr/local/bin/twofold"), "login google --no-browser")
    }

    #[test]
    fn the_line_has_the_key_that_the_unit_names() {
        let config = Config::parse("state_dir = '/srv/x'\n", Path::new("/etc/twofold/config.toml")).unwrap();
        let key = "LoadCredentialEncrypted=twofold.key:/srv/keys/of twofold";
        let line = line(&config, "twofold", Some(key), Path::new("/usr/bin/twofold"), "sync");
        assert!(line.contains(" --uid=twofold ") && line.contains(&format!(" --property='{key}' /usr/bin")), "{line}");
    }

    #[test]
    fn the_line_has_the_key_the_user_and_the_state_of_the_unit() {
        assert_eq!(
            of("/etc/twofold/ada.toml", "/var/lib/twofold/ada"),
            "sudo systemd-run --pty --wait --collect --uid=ada --property=StateDirectory=twofold/ada \
             --property=StateDirectoryMode=0700 --property=UMask=0077 \
             --property=LoadCredentialEncrypted=twofold.key:/etc/twofold/ada.key.cred /usr/local/bin/twofold \
             --config /etc/twofold/ada.toml login google --no-browser"
        );
        let alone = of("/etc/twofold/config.toml", "/srv/two fold");
        assert!(
            alone.contains("twofold.key:/etc/twofold/twofold.key.cred ") && !alone.contains("StateDirectory"),
            "{alone}"
        );
        assert!(of("/srv/ada's/c.toml", "/srv/x").contains(r"--config '/srv/ada'\''s/c.toml' login"));
    }
}
