//! Where the key of the sign-ins is systemd's, a shell has none: what to type instead.
//!
//! systemd hands the key to the service alone (`LoadCredentialEncrypted=`, `systemd.exec(5)`). With the service running, `sync` is a run of
//! the service and needs no key here. A sign-in has to talk to a person, so it is started by systemd with the same key, on the terminal.

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
    let vault = Vault::open(&config.state_dir)?;
    Ok((vault.opens()? == Some(false)).then(|| {
        format!(
            "the key that opens the sign-ins is not at hand; no sign-in was touched. {}",
            to_type(config, arguments)
        )
    }))
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
    let program = std::env::current_exe().unwrap_or_else(|_| "/usr/local/bin/twofold".into());
    format!(
        "If it is systemd that hands it to the service, type the following (the file of the key is the one that the unit names):\n  {}",
        line(config, &user(), &program, arguments)
    )
}

fn line(config: &Config, user: &str, program: &Path, arguments: &str) -> String {
    let path = std::path::absolute(&config.path).unwrap_or_else(|_| config.path.clone());
    // As the units have it: /etc/twofold/ada.toml and ada.key.cred; of one alone config.toml and twofold.key.cred.
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).filter(|stem| stem != "config");
    let key = path.with_file_name(format!("{}.key.cred", stem.as_deref().unwrap_or("twofold")));
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
        quoted(&format!("LoadCredentialEncrypted=twofold.key:{}", key.display())),
        quoted(&program.display().to_string()),
        quoted(&path.display().to_string()),
    )
}

/// The name of the user of this process; the number where it has none.
fn user() -> String {
    let id = rustix::process::geteuid().as_raw().to_string();
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let mut rows = users.lines().map(|row| row.split(':').collect::<Vec<_>>());
    let name = rows.find(|row| row.get(2) == Some(&&*id)).and_then(|row| row.first().map(|name| (*name).to_owned()));
    name.unwrap_or(id)
}

/// A word as a shell takes it.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '-' | '_' | '@' | '+' | '=' | ':');
    if text.chars().all(is_plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(path: &str, state_dir: &str) -> String {
        let config = Config::parse(&format!("state_dir = '{state_dir}'\n"), Path::new(path)).unwrap();
        line(&config, "ada", Path::new("/usr/local/bin/twofold"), "login google --no-browser")
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
