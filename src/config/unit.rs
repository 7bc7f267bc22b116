//! Who keeps a service running, a unit of systemd or a person in a shell, for words that name what to type.

use std::path::Path;

/// Where the units look for configurations.
const CONFIGURATIONS: &str = "/etc/twofold";

/// Who keeps a service running, or is to start it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Keeper {
    /// systemd, as a unit of that name (`twofold@ada`).
    Unit(String),
    /// Who typed `twofold daemon`.
    #[default]
    Person,
}

impl Keeper {
    /// That of this process.
    pub fn own() -> Keeper {
        own().map_or(Keeper::Person, Keeper::Unit)
    }

    /// That of another process; `None`: it cannot be told.
    pub fn of_process(id: i32) -> Option<Keeper> {
        let text = std::fs::read_to_string(format!("/proc/{id}/cgroup")).ok()?;
        Some(in_cgroup(&text).map_or(Keeper::Person, Keeper::Unit))
    }

    /// That of the service that is to read that configuration.
    pub fn of(config: &Path) -> Keeper {
        of(config).map_or(Keeper::Person, Keeper::Unit)
    }

    /// Where it says more.
    pub fn look(&self) -> String {
        match self {
            Keeper::Unit(unit) => format!("see: systemctl status {unit}"),
            Keeper::Person => "see what it says where `twofold daemon` runs".to_owned(),
        }
    }

    /// How one that was killed is started again.
    pub fn start(&self) -> String {
        match self {
            Keeper::Unit(unit) => format!("see: systemctl status {unit}; start it"),
            Keeper::Person => "start it again with: twofold daemon".to_owned(),
        }
    }

    /// How it is stopped.
    pub fn stop(&self) -> String {
        match self {
            Keeper::Unit(unit) => format!("type: sudo systemctl stop {unit}"),
            Keeper::Person => "stop `twofold daemon` where it runs (Ctrl-C)".to_owned(),
        }
    }

    /// How it is started anew.
    pub fn restart(&self) -> String {
        match self {
            Keeper::Unit(unit) => format!("type: sudo systemctl restart {unit}"),
            Keeper::Person => format!("{}, then type: twofold daemon", self.stop()),
        }
    }

    /// How it takes its configuration anew.
    pub fn reload(&self) -> String {
        match self {
            Keeper::Unit(unit) => format!("type: sudo systemctl reload {unit}"),
            Keeper::Person => {
                "send SIGHUP to `twofold daemon`, or stop it where it runs (Ctrl-C) and type: twofold daemon".to_owned()
            }
        }
    }
}

/// The unit that this process runs in, as `systemctl` takes its name (`twofold@ada`); `None`: it runs in none of twofold's.
pub fn own() -> Option<String> {
    in_cgroup(&std::fs::read_to_string("/proc/self/cgroup").ok()?)
}

/// The unit whose service reads that configuration: the one that this process runs in, else what the file is called; `None`: no unit of ours
/// reads it.
pub fn of(config: &Path) -> Option<String> {
    own().or_else(|| named_by(&std::path::absolute(config).ok()?))
}

/// What `/proc/PID/cgroup` says (`cgroups(7)`): the last name of the path is the unit's (`systemd.slice(5)`).
fn in_cgroup(text: &str) -> Option<String> {
    let path = text.lines().find_map(|line| line.strip_prefix("0::"))?;
    // A unit of a user's own manager is not one that `sudo systemctl` knows.
    let name = path.rsplit('/').next().filter(|_| !path.contains("/user.slice/"))?;
    name.strip_suffix(".service").filter(|name| name.starts_with("twofold")).map(str::to_owned)
}

fn named_by(config: &Path) -> Option<String> {
    let stem = config.file_name()?.to_str()?.strip_suffix(".toml")?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    match stem {
        _ if config.parent() != Some(Path::new(CONFIGURATIONS)) => None,
        "config" => Some("twofold".to_owned()),
        // What else a name may have in it systemd writes in a way of its own (`systemd-escape(1)`).
        stem => stem.chars().all(is_plain).then(|| format!("twofold@{stem}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_knows_its_unit_and_nothing_else_is_taken_for_one() {
        let of = |path: &str| in_cgroup(&format!("0::{path}\n"));
        assert_eq!(of("/system.slice/twofold.service").as_deref(), Some("twofold"));
        assert_eq!(of("/system.slice/system-twofold.slice/twofold@ada.service").as_deref(), Some("twofold@ada"));
        assert_eq!(of("/system.slice/runner.service"), None);
        assert_eq!(of("/user.slice/user-1000.slice/session-3.scope"), None);
        assert_eq!(of("/user.slice/user-1000.slice/user@1000.service/app.slice/twofold.service"), None);
    }

    #[test]
    fn what_to_type_fits_who_keeps_the_service() {
        let (unit, person) = (Keeper::Unit("twofold@ada".into()), Keeper::Person);
        assert_eq!(unit.restart(), "type: sudo systemctl restart twofold@ada");
        assert_eq!(unit.reload(), "type: sudo systemctl reload twofold@ada");
        let again = "stop `twofold daemon` where it runs (Ctrl-C), then type: twofold daemon";
        assert_eq!(person.restart(), again);
        let reload = "send SIGHUP to `twofold daemon`, or stop it where it runs (Ctrl-C) and type: twofold daemon";
        assert_eq!(person.reload(), reload);
        let all = [person.look(), person.start(), person.stop(), person.restart(), person.reload()];
        assert!(all.iter().all(|words| !words.contains("systemctl") && words.contains("twofold daemon")), "{all:?}");
    }

    #[test]
    fn a_configuration_names_the_unit_that_reads_it() {
        let of = |path: &str| named_by(Path::new(path));
        assert_eq!(of("/etc/twofold/config.toml").as_deref(), Some("twofold"));
        assert_eq!(of("/etc/twofold/bea.toml").as_deref(), Some("twofold@bea"));
        for other in ["/etc/twofold/bea's.toml", "/home/bea/config.toml", "/etc/twofold/bea"] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
