//! The units of the service: does what they name exist, and do they see the device folders?

use super::Findings;
use crate::config::{Config, STATE_OF_UNITS};
use std::path::{Path, PathBuf};

/// Where systemd looks for units, the first wins.
const FOLDERS: [&str; 4] =
    ["/etc/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"];
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

/// The unit that does the runs of a configuration, as it is installed.
pub(in crate::cli) struct Unit {
    /// With its instance.
    pub name: String,
    /// Who it runs as.
    pub user: String,
    /// It and its drop-ins, also those of the timer's, with its instance in place of `%i`.
    pub text: String,
}

impl Unit {
    /// The one of this configuration, the service before the timer's.
    pub(in crate::cli) fn of(config: &Config) -> Option<Unit> {
        Unit::among(&FOLDERS.map(PathBuf::from), config)
    }

    fn among(folders: &[PathBuf], config: &Config) -> Option<Unit> {
        let path = std::path::absolute(&config.path).ok()?;
        let stem = path.file_stem()?.to_string_lossy().into_owned();
        UNITS.iter().find_map(|name| {
            let text = text_of(folders, name)?;
            let named = |text: &str| match name.contains('@') {
                true => text.replace("%i", &stem),
                false => text.to_owned(),
            };
            let start = start_of(&text);
            let its = named(start.split_whitespace().skip_while(|word| *word != "--config").nth(1)?);
            let user = text.lines().find_map(|line| line.trim().strip_prefix("User="));
            (Path::new(&its) == path).then(|| Unit {
                name: named(&name.replace('@', "@%i")),
                user: named(user.unwrap_or("root")),
                text: named(&(text.clone() + &drop_ins(folders, |of| of.is_empty() || of == stem))),
            })
        })
    }

    /// Whether its sandbox lets it write into a folder that is not its own: what a drop-in names, if that is there.
    pub(super) fn lets_through(&self, folder: &Path) -> bool {
        let named = self.text.lines().filter_map(|line| {
            let line = line.trim();
            line.strip_prefix("ReadWritePaths=").or_else(|| line.strip_prefix("BindPaths="))
        });
        let mut paths = named.map(|path| path.trim_matches('"').trim_start_matches('-'));
        folder.exists() && paths.any(|path| Path::new(path) == folder)
    }

    /// The state folder that systemd makes for it.
    pub(super) fn state_dir(&self) -> Option<PathBuf> {
        let value = self.text.lines().filter_map(|line| line.trim().strip_prefix("StateDirectory=")).next_back()?;
        Some(Path::new("/var/lib").join(value.trim()))
    }

    /// The line with which systemd hands it the key of the sign-ins, if it does.
    pub(in crate::cli) fn key(&self) -> Option<&str> {
        let keys =
            ["LoadCredential=twofold.key", "LoadCredentialEncrypted=twofold.key", "ImportCredential=twofold.key"];
        self.text.lines().map(str::trim).rfind(|line| keys.iter().any(|key| line.starts_with(key)))
    }
}

fn text_of(folders: &[PathBuf], name: &str) -> Option<String> {
    folders.iter().find_map(|folder| std::fs::read_to_string(folder.join(name)).ok())
}

fn start_of(text: &str) -> &str {
    text.lines().find_map(|line| line.trim().strip_prefix("ExecStart=")).unwrap_or_default()
}

/// The units that are installed, and what is wrong with them.
fn examine(folders: &[PathBuf], config: &Config) -> (Vec<&'static str>, Vec<String>) {
    let (mut installed, mut troubles) = (Vec::new(), Vec::new());
    for name in UNITS {
        let Some(text) = text_of(folders, name) else { continue };
        installed.push(name);
        let words: Vec<&str> = start_of(&text).split_whitespace().collect();
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
    let own = Unit::among(folders, config);
    if let Some(unit) = own.as_ref().map(|unit| &*unit.name).or(installed.first().copied()) {
        let of_all = || drop_ins(folders, |_| true);
        let drop_ins = own.as_ref().map_or_else(of_all, |unit| unit.text.clone());
        let is_named = |path: &Path| drop_ins.contains(&path.display().to_string());
        // What a unit makes for the state is there.
        let named = config.names_state_dir && !config.state_dir.starts_with(STATE_OF_UNITS);
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

/// The text of the drop-ins of the instances that are meant (`""`: of all, or of the unit that has none).
fn drop_ins(folders: &[PathBuf], is_meant: impl Fn(&str) -> bool) -> String {
    let mut text = String::new();
    for folder in folders.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().flatten() {
        let name = folder.file_name().to_string_lossy().into_owned();
        let unit = name.strip_suffix(".service.d").filter(|unit| unit.starts_with("twofold"));
        if unit.is_some_and(|unit| is_meant(unit.split_once('@').map_or("", |(_, instance)| instance))) {
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
    fn the_unit_of_a_configuration_is_found_with_its_user_its_key_and_its_folders() {
        let dir = tempfile::tempdir().unwrap();
        let folders = [dir.path().to_owned()];
        let of = |path: &str| {
            let config = Config::parse("state_dir = \"/var/lib/twofold\"", Path::new(path)).unwrap();
            Unit::among(&folders, &config)
        };
        assert!(of("/etc/twofold/ada.toml").is_none());
        let unit = "[Service]\nExecStart=/bin/twofold --config /etc/twofold/%i.toml daemon\nUser=%i\n#LoadCredentialEncrypted=twofold.key:/k\n";
        fs::write(dir.path().join("twofold@.service"), unit).unwrap();
        let ada = of("/etc/twofold/ada.toml").unwrap();
        assert_eq!((ada.name.as_str(), ada.user.as_str()), ("twofold@ada.service", "ada"));
        assert!(ada.key().is_none() && !ada.lets_through(dir.path()));
        assert!(of("/home/ada/c.toml").is_none(), "none is started with it");
        for instance in ["ada", "bob"] {
            fs::create_dir(dir.path().join(format!("twofold@{instance}.service.d"))).unwrap();
        }
        fs::write(dir.path().join("twofold@bob.service.d/a.conf"), "LoadCredentialEncrypted=twofold.key:/of/bob\n")
            .unwrap();
        assert!(of("/etc/twofold/ada.toml").unwrap().key().is_none(), "what is bob's is not ada's");
        let named = format!(
            "LoadCredentialEncrypted=twofold.key:/k/%i\nReadWritePaths=\"-{0}\"\nReadWritePaths=\"-{0}/no\"\n",
            dir.path().display()
        );
        fs::write(dir.path().join("twofold@ada.service.d/a.conf"), named).unwrap();
        let ada = of("/etc/twofold/ada.toml").unwrap();
        assert_eq!(ada.key(), Some("LoadCredentialEncrypted=twofold.key:/k/ada"));
        assert!(ada.lets_through(dir.path()));
        assert!(!ada.lets_through(&dir.path().join("no")), "what is not there is ignored");
    }

    #[test]
    fn of_several_people_a_folder_is_hidden_by_the_unit_of_the_one_whose_configuration_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let folders = [dir.path().to_owned()];
        for (name, file) in [("twofold.service", "config"), ("twofold@.service", "%i")] {
            let unit = format!("[Service]\nExecStart=/bin/true --config /etc/twofold/{file}.toml daemon\n");
            fs::write(dir.path().join(name), unit).unwrap();
        }
        let text = "[[device]]\nname = \"laptop\"\npath = \"/home/bob/twofold\"\nkinds = [\"mail\"]\n";
        let config = Config::parse(text, Path::new("/etc/twofold/bob.toml")).unwrap();
        let hidden = || {
            let (_, troubles) = examine(&folders, &config);
            troubles.into_iter().filter(|words| words.contains("the sandbox")).collect::<Vec<_>>()
        };
        assert!(hidden()[0].contains("the sandbox of twofold@bob.service hides the folder"), "{:?}", hidden());
        // What is let through for somebody else is not for him.
        for (instance, is_hidden) in [("ada", true), ("bob", false)] {
            let folder = dir.path().join(format!("twofold@{instance}.service.d"));
            fs::create_dir(&folder).unwrap();
            fs::write(folder.join("devices.conf"), "[Service]\nBindPaths=\"-/home/bob/twofold\"\n").unwrap();
            assert_eq!(hidden().len(), usize::from(is_hidden), "{instance}");
        }
    }

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
