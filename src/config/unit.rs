//! The systemd unit of a service, for words that name the command to type.

use std::path::Path;

/// Where the units look for configurations.
const CONFIGURATIONS: &str = "/etc/twofold";
/// All services of this machine, where it is not known which is meant.
const ALL: &str = "'twofold*'";

/// The unit that this process runs in, as `systemctl` takes its name (`twofold@ada`); `None`: it runs in none of twofold's.
pub fn own() -> Option<String> {
    in_cgroup(&std::fs::read_to_string("/proc/self/cgroup").ok()?)
}

/// The unit whose service reads that configuration: the one that this process runs in, else what the file is called; `None`: no unit of ours
/// reads it.
pub fn of(config: &Path) -> Option<String> {
    own().or_else(|| named_by(&std::path::absolute(config).ok()?))
}

/// [`own`], or a pattern that means the service of everybody.
pub fn own_or_all() -> String {
    own().unwrap_or_else(|| ALL.to_owned())
}

/// [`of`], or a pattern that means the service of everybody.
pub fn of_or_all(config: &Path) -> String {
    of(config).unwrap_or_else(|| ALL.to_owned())
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
    fn a_configuration_names_the_unit_that_reads_it() {
        let of = |path: &str| named_by(Path::new(path));
        assert_eq!(of("/etc/twofold/config.toml").as_deref(), Some("twofold"));
        assert_eq!(of("/etc/twofold/bea.toml").as_deref(), Some("twofold@bea"));
        for other in ["/etc/twofold/bea's.toml", "/home/bea/config.toml", "/etc/twofold/bea"] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
