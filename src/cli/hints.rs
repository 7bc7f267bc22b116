//! The next command to type, as it has to be typed: for the configuration that was named, by the user whose state it is, with the key that
//! systemd hands over. Whoever writes words for people writes `twofold sync`; what stands before the command is put there where it is shown.

use super::Cli;
use super::credential::{User, path_of, with_key};
use crate::config::Config;
use crate::config::unit::{self, Keeper};
use crate::daemon::whereabouts;
use clap::CommandFactory;
use std::borrow::Cow;
use std::sync::OnceLock;
use twofold_auth::Vault;

const PROGRAM: &str = "twofold ";
/// What opens or seals a sign-in.
const WITH_KEY: [&str; 6] = ["login", "logout", "sync", "device", "forget", "doctor"];

/// That of this process, once its configuration was read.
static HERE: OnceLock<Typed> = OnceLock::new();

/// What is typed before a command.
#[derive(Debug)]
struct Typed {
    /// With a blank at its end.
    before: String,
    /// The same for what needs the key that systemd hands over.
    before_with_key: String,
    commands: Vec<String>,
}

/// From now on commands are shown as they are typed for this configuration. `is_named`: it is not the one that is found without its name.
pub(super) fn set(config: &Config, is_named: bool) {
    let has_key = Vault::open(&config.state_dir).is_ok_and(|vault| vault.has_credential_key());
    // sudo or systemd started this, for another account than that of whoever types.
    let is_of_another = std::env::var_os("SUDO_USER").is_some() || unit::own().is_some() || has_key;
    let user = is_of_another.then(|| User::of_process().name);
    HERE.get_or_init(|| Typed {
        before_with_key: match has_key {
            true => with_key(config, ""),
            false => before(config, user.as_deref(), is_named),
        },
        before: before(config, user.as_deref(), is_named),
        commands: Cli::command().get_subcommands().map(|command| command.get_name().to_owned()).collect(),
    });
}

fn before(config: &Config, user: Option<&str>, is_named: bool) -> String {
    let sudo = user.map(|user| format!("sudo -u {user} ")).unwrap_or_default();
    // sudo takes away what the environment says of it.
    let named = if is_named || user.is_some() { format!("--config {} ", path_of(config)) } else { String::new() };
    format!("{sudo}{PROGRAM}{named}")
}

/// Who keeps the service of this configuration running, or is to start it: where one runs, its process tells.
pub(super) fn keeper(config: &Config) -> Keeper {
    let own = unit::own().map(Keeper::Unit);
    let running = || Keeper::of_process(whereabouts::process_of_service(&config.path)?);
    own.or_else(running).unwrap_or_else(|| Keeper::of(&config.path))
}

/// Words for people, with each command as it is typed here.
pub(super) fn put(words: &str) -> Cow<'_, str> {
    match HERE.get() {
        Some(typed) if typed.before != PROGRAM => Cow::Owned(typed.put(words)),
        _ => Cow::Borrowed(words),
    }
}

impl Typed {
    fn put(&self, words: &str) -> String {
        let (mut all, mut taken) = (String::with_capacity(words.len()), 0);
        for (at, _) in words.match_indices(PROGRAM) {
            let (head, tail) = (&words[..at], &words[at + PROGRAM.len()..]);
            let word = tail.split(|c: char| !c.is_ascii_lowercase() && c != '-').next().unwrap_or_default();
            // What stands behind a path, or behind `sudo -u NAME`, is whole already.
            let is_whole = |c: char| !c.is_whitespace() && !"`'\"(".contains(c);
            let is_bare = !head.ends_with(is_whole) && head.split_whitespace().nth_back(1) != Some("-u");
            if is_bare && self.commands.iter().any(|command| command == word) {
                all.push_str(&words[taken..at]);
                all.push_str(if WITH_KEY.contains(&word) { &self.before_with_key } else { &self.before });
                taken = at + PROGRAM.len();
            }
        }
        all + &words[taken..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn typed(user: Option<&str>, key: Option<&str>) -> Typed {
        let config = Config::parse("state_dir = '/var/lib/twofold/ada'\n", Path::new("/etc/twofold/ada.toml")).unwrap();
        let before = before(&config, user, true);
        Typed {
            before_with_key: key.map_or_else(|| before.clone(), str::to_owned),
            before,
            commands: ["sync", "login", "status", "doctor"].map(str::to_owned).to_vec(),
        }
    }

    #[test]
    fn a_command_is_shown_as_it_is_typed_for_somebody_else() {
        let of_ada = typed(Some("ada"), None);
        let line = "sudo -u ada twofold --config /etc/twofold/ada.toml";
        for (words, shown) in [
            ("google: sign in. Type: twofold login google", format!("google: sign in. Type: {line} login google")),
            ("free some space, then: twofold sync", format!("free some space, then: {line} sync")),
            ("df -h; twofold status", format!("df -h; {line} status")),
            (
                "type `twofold login google`. See: twofold status",
                format!("type `{line} login google`. See: {line} status"),
            ),
        ] {
            assert_eq!(of_ada.put(words), shown);
        }
        assert_eq!(typed(None, None).put("twofold sync"), "twofold --config /etc/twofold/ada.toml sync");
    }

    #[test]
    fn what_needs_the_key_of_systemd_is_shown_with_it_and_nothing_else() {
        let keyed = typed(Some("ada"), Some("sudo systemd-run … twofold --config c "));
        assert_eq!(
            keyed.put("type: twofold login google; see: twofold status"),
            "type: sudo systemd-run … twofold --config c login google; see: sudo -u ada twofold --config /etc/twofold/ada.toml status"
        );
    }

    #[test]
    fn what_is_no_command_or_whole_already_stays() {
        for words in [
            "twofold: stopped at a clean point",
            "another twofold is at work on this hub",
            "sudo -u twofold twofold status",
            "sudo systemd-run --uid=ada /usr/bin/twofold sync",
            "sudo systemctl restart twofold",
            "the state folder belongs to user 7. Type: sudo -u '#7' twofold …",
            "",
        ] {
            assert_eq!(typed(Some("ada"), None).put(words), words);
        }
    }
}
