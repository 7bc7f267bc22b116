//! Where the configuration is found, and where the paths in it lead.

use super::table::Value;
use super::{ConfigError, Result};
use std::ffi::OsString;
use std::io::{ErrorKind, Read};
use std::path::{Component, Path, PathBuf};

/// Longer files are no configuration.
const MAX_BYTES: u64 = 1024 * 1024;

/// Where the units' configurations are: config.toml, and NAME.toml of each instance.
const OF_UNITS: &str = "/etc/twofold";
/// What `StateDirectory=` makes for them; below it, for each instance, a folder of its name.
pub(crate) const STATE_OF_UNITS: &str = "/var/lib/twofold";

/// Looks up a variable.
type Get<'a> = dyn Fn(&str) -> Option<OsString> + 'a;

/// The environment's variables; handed in, so that tests need not change the process's own.
pub(super) struct Environment<'a>(Box<Get<'a>>);

impl<'a> Environment<'a> {
    /// The process's own.
    pub(super) fn of_process() -> Self {
        Environment(Box::new(|name| std::env::var_os(name)))
    }

    /// Whatever `get` says.
    #[cfg(test)]
    pub(super) fn of(get: impl Fn(&str) -> Option<OsString> + 'a) -> Self {
        Environment(Box::new(get))
    }

    /// The path in a variable, if it is set and not empty.
    fn path(&self, name: &str) -> Option<PathBuf> {
        (self.0)(name).filter(|value| !value.is_empty()).map(PathBuf::from)
    }

    /// A base folder of the XDG specification, which ignores those that are not absolute.
    fn base(&self, variable: &str, below_home: &str) -> Option<PathBuf> {
        let named = self.path(variable).filter(|path| path.is_absolute());
        named.or_else(|| self.path("HOME").map(|home| home.join(below_home)))
    }
}

/// Where a configuration is looked for, and whether it must be there.
pub(super) fn candidates(explicit: Option<&Path>, environment: &Environment<'_>) -> (Vec<PathBuf>, bool) {
    if let Some(path) = explicit.map(Path::to_owned).or_else(|| environment.path("TWOFOLD_CONFIG")) {
        return (vec![path], true);
    }
    let own = environment.base("XDG_CONFIG_HOME", ".config").map(|base| base.join("twofold/config.toml"));
    let places = [Some("./config.toml".into()), own, Some("/etc/twofold/config.toml".into())];
    (places.into_iter().flatten().collect(), false)
}

/// The first configuration there is, and its text.
pub(super) fn find(explicit: Option<&Path>, environment: &Environment<'_>) -> Result<(PathBuf, String)> {
    let (places, is_named) = candidates(explicit, environment);
    for path in &places {
        match read_text(path) {
            Ok(text) => return Ok((path.clone(), text)),
            Err(error) if !is_named && matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {}
            Err(error) => {
                let todo =
                    "Name another file with --config FILE, or make this one readable for the user who runs twofold.";
                let what = format!("the configuration cannot be read ({error})");
                return Err(ConfigError::new(what, todo).at(path.display()));
            }
        }
    }
    let looked: Vec<String> = places.iter().map(|path| path.display().to_string()).collect();
    Err(ConfigError::new(
        format!("there is no configuration (looked for {})", looked.join(", ")),
        "Copy config.example.toml to one of these places and fill in your own; `twofold demo` needs none.",
    ))
}

fn read_text(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    std::fs::File::open(path)?.take(MAX_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_BYTES {
        return Err(std::io::Error::new(ErrorKind::FileTooLarge, "it is larger than 1 MiB"));
    }
    Ok(text)
}

/// How paths in the file are meant.
pub(super) struct Places<'a> {
    folder: PathBuf,
    /// The name of the file, without its ending.
    stem: Option<OsString>,
    environment: &'a Environment<'a>,
}

impl<'a> Places<'a> {
    /// For a configuration at `path`.
    pub(super) fn beside(path: &Path, environment: &'a Environment<'a>) -> Self {
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let folder = absolute.parent().unwrap_or(Path::new("/")).to_owned();
        Places { folder, stem: absolute.file_stem().map(ToOwned::to_owned), environment }
    }

    /// A path as it is meant: relative to the file's folder, `~/` at home.
    pub(super) fn path(&self, value: &Value<'_>) -> Result<PathBuf> {
        let text = value.word()?;
        if text == "~" || text.starts_with("~/") {
            let Some(home) = self.environment.path("HOME") else {
                return Err(value.wrong("begins with ~, but $HOME is not set", "Write the whole path."));
            };
            return Ok(plain(&home.join(text[1..].trim_start_matches('/'))));
        }
        if text.starts_with('~') {
            return Err(value.wrong("begins with another user's home", "Write the whole path."));
        }
        Ok(plain(&self.folder.join(text)))
    }

    /// Where the state is when the file does not say.
    pub(super) fn default_state_dir(&self) -> Result<PathBuf> {
        // systemd names several folders with colons between them; twofold's unit names one.
        let of_systemd = (self.environment.0)("STATE_DIRECTORY").and_then(|value| value.into_string().ok());
        let first =
            of_systemd.as_deref().and_then(|value| value.split(':').next()).filter(|path| path.starts_with('/'));
        if let Some(path) = first {
            return Ok(PathBuf::from(path));
        }
        // A shell has to meet the state that the service of this file keeps.
        if self.folder == Path::new(OF_UNITS) {
            let instance = self.stem.as_deref().filter(|stem| *stem != "config");
            return Ok(instance.map_or_else(|| STATE_OF_UNITS.into(), |name| Path::new(STATE_OF_UNITS).join(name)));
        }
        own_state_dir(self.environment).ok_or_else(|| {
            ConfigError::new(
                "there is no place for the state ($HOME is not set)",
                "Set state_dir in the configuration.",
            )
        })
    }
}

/// Where the state of a user's own configuration is.
pub(super) fn own_state_dir(environment: &Environment<'_>) -> Option<PathBuf> {
    environment.base("XDG_STATE_HOME", ".local/state").map(|base| base.join("twofold"))
}

/// Without `.` and `..`, by the words alone.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain
}

/// Where a path leads, symbolic links followed as far as it is there.
pub(super) fn real(path: &Path) -> PathBuf {
    for ancestor in path.ancestors() {
        if let (Ok(found), Ok(rest)) = (ancestor.canonicalize(), path.strip_prefix(ancestor)) {
            return if rest.as_os_str().is_empty() { found } else { found.join(rest) };
        }
    }
    path.to_owned()
}
