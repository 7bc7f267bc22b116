//! The units of the service: does what they name exist, and do they see the device folders?

use super::Findings;
use crate::config::Config;
use std::path::{Path, PathBuf};

/// Where systemd looks for units, the first wins.
const FOLDERS: [&str; 4] =
    ["/etc/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"];
/// What `StateDirectory=` makes for them.
pub(in crate::cli) const STATE: &str = "/var/lib/twofold";
const UNITS: [&str; 4] = ["twofold.service", "twofold@.service", "twofold-sync.service", "twofold-sync@.service"];

/// Looks at the units that are installed.
pub(super) fn look(findings: &Findings, config: &Config) {
    let folders: Vec<PathBuf> = FOLDERS.iter().map(PathBuf::from).collect();
    let (installed, troubles) = examine(&folders, config);
    for words in &troubles {
        findings.warn(words);
    }
    if troubles.is_empty() && !installed.is_empty() {
        findings.ok(format!("units: {}", installed.join(", ")));
    }
}

/// The units that are installed, and what is wrong with them.
fn examine(folders: &[PathBuf], config: &Config) -> (Vec<&'static str>, Vec<String>) {
    let (mut installed, mut troubles) = (Vec::new(), Vec::new());
    for name in UNITS {
        let Some(text) = folders.iter().find_map(|folder| std::fs::read_to_string(folder.join(name)).ok()) else {
            continue;
        };
        installed.push(name);
        let start = text.lines().find_map(|line| line.trim().strip_prefix("ExecStart=")).unwrap_or_default();
        let words: Vec<&str> = start.split_whitespace().collect();
        // What stands for the instance is not known here.
        let is_there = |path: &str| path.contains('%') || Path::new(path).exists();
        match words.first() {
            Some(program) if !is_there(program) => {
                troubles.push(format!("units: {name} starts {program}, which is not there; put the program there"));
            }
            _ => {}
        }
        if let Some(path) = words.iter().skip_while(|word| **word != "--config").nth(1).filter(|path| !is_there(path)) {
            troubles.push(format!("units: {name} reads {path}, which is not there; put the configuration there"));
        }
    }
    if let Some(unit) = installed.first() {
        let drop_ins = drop_ins(folders);
        let is_named = |path: &Path| drop_ins.contains(&path.display().to_string());
        // What a unit makes for the state is there.
        let named = config.names_state_dir && !config.state_dir.starts_with(STATE);
        if named && !is_named(&config.state_dir) {
            troubles.push(format!(
                "units: the sandbox of {unit} lets nobody write into the state folder {}. Type: twofold systemd-dropin",
                config.state_dir.display()
            ));
        }
        let hidden = config.devices.iter().filter(|device| !device.path.starts_with(&config.state_dir));
        for device in hidden.filter(|device| !is_named(&device.path)) {
            troubles.push(format!(
                "units: the sandbox of {unit} hides the folder of the device \"{}\" from the service. Type: twofold systemd-dropin",
                device.name
            ));
        }
    }
    (installed, troubles)
}

/// The text of all drop-ins of all instances.
fn drop_ins(folders: &[PathBuf]) -> String {
    let mut text = String::new();
    for folder in folders.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().flatten() {
        let name = folder.file_name().to_string_lossy().into_owned();
        if name.starts_with("twofold") && name.ends_with(".service.d") {
            for file in std::fs::read_dir(folder.path()).into_iter().flatten().flatten() {
                text += &std::fs::read_to_string(file.path()).unwrap_or_default();
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_unit_that_starts_nothing_or_sees_no_device_and_no_state_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let (units, program) = (dir.path().join("units"), dir.path().join("twofold"));
        fs::create_dir(&units).unwrap();
        let text = format!(
            "state_dir = {:?}\n[[device]]\nname = \"laptop\"\npath = \"/srv/laptop\"\nkinds = [\"mail\"]\n",
            dir.path().join("state")
        );
        let config = Config::parse(&text, &dir.path().join("c.toml")).unwrap();
        let folders = [units.clone()];
        assert_eq!(examine(&folders, &config), (vec![], vec![]));
        let unit =
            format!("[Service]\nExecStart={} --config {}/c.toml daemon\n", program.display(), dir.path().display());
        fs::write(units.join("twofold.service"), unit).unwrap();
        let (installed, troubles) = examine(&folders, &config);
        assert_eq!((installed, troubles.len()), (vec!["twofold.service"], 4), "{troubles:?}");
        fs::write(&program, "").unwrap();
        fs::write(dir.path().join("c.toml"), text).unwrap();
        fs::create_dir(units.join("twofold.service.d")).unwrap();
        let named = format!(
            "[Service]\nReadWritePaths=\"-{}\"\nReadWritePaths=\"-/srv/laptop\"\n",
            dir.path().join("state").display()
        );
        fs::write(units.join("twofold.service.d/devices.conf"), named).unwrap();
        assert_eq!(examine(&folders, &config), (vec!["twofold.service"], vec![]));
    }
}
