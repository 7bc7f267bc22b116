//! A secret that the configuration names: written there, in a file of its own, or what a command prints.

use super::{ConfigError, Result};
use std::fmt;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Longer files and answers are no secret of a client.
const MAX_BYTES: u64 = 64 * 1024;

/// Where a secret is. Its `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// The secret itself.
    Plain(String),
    /// A file that holds it, which nobody else may read.
    File(PathBuf),
    /// A program with its arguments that prints it.
    Command(Vec<String>),
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Secret::Plain(_) => f.write_str("Plain(…)"),
            Secret::File(path) => write!(f, "File({})", path.display()),
            // Arguments may hold a secret of their own.
            Secret::Command(words) => write!(f, "Command({} …)", words.first().map_or("", String::as_str)),
        }
    }
}

impl Secret {
    /// The secret, without the final newline; `key` is where the configuration names it, for complaints. A file that others may read is
    /// refused.
    pub fn read(&self, key: &str) -> Result<String> {
        let (bytes, origin) = match self {
            Secret::Plain(text) => return Ok(text.clone()),
            Secret::File(path) => (read_file(path, key)?, path.display().to_string()),
            Secret::Command(words) => (run(words, key)?, format!("what {} prints", program(words))),
        };
        let todo = "Let it hold the secret on one line and nothing else.";
        if bytes.len() as u64 > MAX_BYTES {
            return Err(ConfigError::new(format!("{origin} is too long for {key}"), todo));
        }
        let text = String::from_utf8(bytes).map_err(|_| ConfigError::new(format!("{origin} is no text"), todo))?;
        let text = text.strip_suffix('\n').unwrap_or(&text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        if text.is_empty() || text.contains(char::is_control) {
            return Err(ConfigError::new(format!("{origin} is empty or has several lines"), todo));
        }
        Ok(text.to_owned())
    }
}

fn program(words: &[String]) -> &str {
    words.first().map_or("the command", String::as_str)
}

fn read_file(path: &Path, key: &str) -> Result<Vec<u8>> {
    let cannot = |error| {
        let what = format!("the file of {key}, {}, cannot be read ({error})", path.display());
        ConfigError::new(what, format!("Correct {key} in the configuration, or make the file readable for this user."))
    };
    let file = std::fs::File::open(path).map_err(cannot)?;
    let mode = file.metadata().map_err(cannot)?.mode();
    // systemd grants a service its credentials by an ACL, which shows as mode 0440; others cannot enter the folder.
    let is_credential = std::env::var_os("CREDENTIALS_DIRECTORY").is_some_and(|folder| path.starts_with(folder));
    if mode & 0o077 != 0 && !is_credential {
        let what = format!("the file of {key}, {}, can be used by others (mode {:04o})", path.display(), mode & 0o7777);
        return Err(ConfigError::new(what, format!("Type: chmod 600 {}", quoted(path))));
    }
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(cannot)?;
    Ok(bytes)
}

fn run(words: &[String], key: &str) -> Result<Vec<u8>> {
    let todo = format!("Try the command of {key} by hand, as the user who runs twofold.");
    let name = program(words);
    let failed = |why: &dyn fmt::Display| ConfigError::new(format!("{name}, which gives {key}, {why}"), &todo);
    let (first, rest) = words.split_first().ok_or_else(|| failed(&"has no name"))?;
    // Its complaints are for the person to see; what it asks, it asks by its own means (an agent, a window).
    let output = Command::new(first).args(rest).stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| failed(&format_args!("cannot be run ({error})")))?;
    if !output.status.success() {
        return Err(failed(&format_args!("failed ({})", output.status)));
    }
    Ok(output.stdout)
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | '+' | '@' | ',');
    if text.chars().all(is_plain) { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}
