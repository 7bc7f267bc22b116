//! `twofold systemd-dropin`: what the sandbox of the units must let through for this configuration's folders.

use super::Context;
use crate::config::{Config, STATE_OF_UNITS, unit};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use twofold_cycle::report::exit;
use twofold_model::Result;

/// What `ProtectHome=yes` hides, and what lies there.
const HOMES: [&str; 3] = ["/home", "/root", "/run/user"];
/// What `PrivateTmp=yes` replaces by folders of the service's own.
const TEMPORARY: [&str; 2] = ["/tmp", "/var/tmp"];
/// Makes each folder that is not there, as the unit's user: systemd says in `$USER` who that is. Where that user may make none (/srv), root
/// makes it beside what is there, but only if nobody else could exchange a folder of the way there for a link: it would be made wherever they like.
const MAKE: &str = r#"for folder; do
if test -e "$folder" || test -L "$folder"; then continue; fi
if setpriv --reuid="$USER" --regid="$(id -g "$USER")" --init-groups mkdir -p -m 700 -- "$folder" 2>/dev/null; then continue; fi
step=$(dirname -- "$folder")
while test -n "$(find "$step" -maxdepth 0 -type d -user root ! -perm /022)" && test "$step" != /; do step=$(dirname -- "$step"); done
if test "$step" = /; then install -d -m 700 -o "$USER" -g "$(id -g "$USER")" -- "$folder"
else echo "$folder is not there and was not made: $USER may not, and $step is no folder of root alone" >&2; fi
done"#;

/// Prints the drop-in.
pub fn run(context: &Context) -> Result<i32> {
    // What the next start has to find.
    let config = context.config_of_file()?;
    print!("{}", drop_in(&config));
    let unit = unit::of(&config.path).unwrap_or_else(|| "twofold".to_owned());
    let timer = unit.replacen("twofold", "twofold-sync", usize::from(!unit.starts_with("twofold-sync")));
    context.say(format!(
        "twofold: put it beside the unit, and again whenever a [[device]] or another folder of the configuration changes:\n  \
         twofold systemd-dropin | sudo install -D -m 644 /dev/stdin /etc/systemd/system/{unit}.service.d/devices.conf\n  \
         sudo systemctl daemon-reload && sudo systemctl restart {unit}.service\n\
         For one of several people: twofold@ada.service.d and twofold@ada.service; for the timer: {timer}.service.d"
    ));
    Ok(exit::ALIGNED)
}

fn drop_in(config: &Config) -> String {
    let is_below = |path: &Path, roots: &[&str]| roots.iter().any(|root| path.starts_with(root));
    let mut text = format!("# The folders of {}, by `twofold systemd-dropin`.\n[Service]\n", one_line(&config.path));
    let outside = |path: &&Path| !path.starts_with(&config.state_dir);
    let state = (config.names_state_dir && !config.state_dir.starts_with(STATE_OF_UNITS)).then_some(&*config.state_dir);
    let devices: Vec<&Path> = config.devices.iter().map(|device| &*device.path).filter(outside).collect();
    let limit = config.microsoft365.as_ref().and_then(|table| table.shared_limit.as_deref()).filter(outside);
    let file = config.notify.file.as_deref().filter(outside);
    let all = [
        ("", devices),
        ("# The hub.\n", state.into_iter().collect()),
        ("# Where all instances keep one limit together.\n", limit.into_iter().collect()),
        ("# What [notify] writes; the file has to be there when the service starts.\n", file.into_iter().collect()),
    ];
    if all.iter().flat_map(|(_, paths)| paths).any(|path| is_below(path, &HOMES)) {
        text += "# Of the homes, the service sees these and nothing else.\nProtectHome=tmpfs\n";
    }
    let folders: Vec<String> = all[..2].iter().flat_map(|(_, paths)| paths).map(|path| argument(path)).collect();
    if !folders.is_empty() {
        text += "# What is not there is made before the sandbox is, for the unit's user alone; what is there stays as it is.\n";
        // "make" is what the shell calls itself.
        let _ = writeln!(text, "ExecStartPre=+-/bin/sh -c {} make {}", script(), folders.join(" "));
    }
    for (comment, paths) in all {
        text += if paths.is_empty() { "" } else { comment };
        for path in paths {
            // A folder that is not there (a disk that is not plugged in) must not keep the service from starting.
            let key = if is_below(path, &HOMES) || is_below(path, &TEMPORARY) { "BindPaths" } else { "ReadWritePaths" };
            let _ = writeln!(text, "{key}={}", quoted(path));
        }
    }
    let groups: BTreeSet<&str> = config.devices.iter().filter_map(|device| device.group.as_deref()).collect();
    if !groups.is_empty() {
        text +=
            "# Each folder for a group has to belong to it and to hand it on, so that nothing is ever given away:\n";
        for device in &config.devices {
            if let Some(group) = &device.group {
                let folder = one_line(&device.path);
                let _ = writeln!(text, "#   sudo chgrp {group} \"{folder}\" && sudo chmod g+rwxs \"{folder}\"");
            }
        }
        let groups: Vec<&str> = groups.into_iter().collect();
        let _ = writeln!(text, "SupplementaryGroups={}", groups.join(" ").replace('%', "%%"));
        text += "RestrictSUIDSGID=no\n";
    }
    text
}

/// A path as systemd reads one in a list: in quotation marks, where only these, `\` and `%` mean something, and ignored where it is not there.
fn quoted(path: &Path) -> String {
    format!("\"-{}\"", escaped(&path.display().to_string()))
}

/// A path as systemd reads an argument of a command, where `$` means something, too.
fn argument(path: &Path) -> String {
    format!("\"{}\"", escaped(&path.display().to_string()).replace('$', "$$"))
}

/// [`MAKE`] as an argument of a command, a line for each of its lines.
fn script() -> String {
    format!("\"{}\"", escaped(MAKE).replace('$', "$$").replace('\n', "\\n\\\n  "))
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%")
}

/// A path in a comment.
fn one_line(path: &Path) -> String {
    path.display().to_string().replace(char::is_control, "?")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(devices: &str) -> String {
        at("/var/lib/twofold", devices)
    }

    fn at(state: &str, devices: &str) -> String {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        std::fs::write(&path, format!("state_dir = \"{state}\"\n{devices}")).unwrap();
        let text = drop_in(&Config::load(Some(&path)).unwrap());
        let shell = format!("ExecStartPre=+-/bin/sh -c {} make", script());
        let text = text.replace(&shell, "MAKE");
        text.lines().filter(|line| !line.starts_with('#')).fold(String::new(), |text, line| text + line + "\n")
    }

    fn device(name: &str, path: &str, more: &str) -> String {
        format!("[[device]]\nname = \"{name}\"\npath = '{path}'\nkinds = [\"contacts\"]\n{more}")
    }

    #[test]
    fn each_device_folder_can_be_written_and_nothing_else_is_let_through() {
        let both = device("a", "/srv/twofold/a", "") + &device("b", "/mnt/My disk 100%/b", "");
        assert_eq!(
            of(&both),
            "[Service]\nMAKE \"/srv/twofold/a\" \"/mnt/My disk 100%%/b\"\n\
             ReadWritePaths=\"-/srv/twofold/a\"\nReadWritePaths=\"-/mnt/My disk 100%%/b\"\n"
        );
        assert_eq!(of(&device("a", "/var/lib/twofold-a/laptop", "")).lines().count(), 3);
        assert_eq!(of(""), "[Service]\n");
    }

    #[test]
    fn a_folder_in_a_home_is_all_that_is_seen_of_the_homes() {
        assert_eq!(
            of(&device("a", "/home/ada/a:b", "")),
            "[Service]\nProtectHome=tmpfs\nMAKE \"/home/ada/a:b\"\nBindPaths=\"-/home/ada/a:b\"\n"
        );
    }

    #[test]
    fn a_folder_to_make_is_one_word_whatever_it_is_called() {
        let odd = of(&device("a", r#"/srv/a "$b" \100%"#, ""));
        assert!(odd.contains(r#"MAKE "/srv/a \"$$b\" \\100%%"#), "{odd}");
    }

    #[test]
    fn the_folder_of_a_shared_limit_can_be_written() {
        let table = "[microsoft365]\nclient_id = \"app\"\nshared_limit = \"/run/twofold/limit\"\n";
        assert_eq!(of(table), "[Service]\nReadWritePaths=\"-/run/twofold/limit\"\n");
    }

    #[test]
    fn a_hub_and_a_file_of_notify_outside_of_the_units_own_folder_can_be_written() {
        let table = "[notify]\nfile = \"/srv/mail hub/troubles.jsonl\"\n";
        assert_eq!(of(table), "[Service]\nReadWritePaths=\"-/srv/mail hub/troubles.jsonl\"\n");
        assert_eq!(
            at("/srv/mail hub", table),
            "[Service]\nMAKE \"/srv/mail hub\"\nReadWritePaths=\"-/srv/mail hub\"\n"
        );
        let inside = device("a", "/home/ada/hub/laptop", "");
        assert_eq!(
            at("/home/ada/hub", &inside),
            "[Service]\nProtectHome=tmpfs\nMAKE \"/home/ada/hub\"\nBindPaths=\"-/home/ada/hub\"\n"
        );
        assert_eq!(at("/var/lib/twofold/ada", ""), "[Service]\n");
    }

    #[test]
    fn a_device_for_a_group_may_hand_it_on_and_nothing_is_given_away() {
        let one = device("a", "/srv/a", "group = \"users\"\n");
        let words = "SupplementaryGroups=users\nRestrictSUIDSGID=no\n";
        assert_eq!(of(&one), format!("[Service]\nMAKE \"/srv/a\"\nReadWritePaths=\"-/srv/a\"\n{words}"));
        let two = one + &device("b", "/srv/b", "group = \"staff\"\n") + &device("c", "/srv/c", "");
        assert!(of(&two).ends_with("SupplementaryGroups=staff users\nRestrictSUIDSGID=no\n"));
    }
}
