//! `[notify]`: who is told of troubles.

use super::places::Places;
use super::table::{Table, Value};
use super::{Result, is_loopback};
use std::fmt;
use std::path::PathBuf;
use url::Url;

/// `[notify]`: any of these, or several. Its `Debug` hides what an address holds: whoever knows it may write there.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Notify {
    /// An address that gets each message as JSON (POST).
    pub webhook: Option<Url>,
    /// A file that gets each message as a line of JSON.
    pub file: Option<PathBuf>,
    /// A program that gets each message on its standard input, and its arguments.
    pub command: Vec<String>,
}

impl fmt::Debug for Notify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.webhook.as_ref().and_then(Url::host_str);
        let program = self.command.first();
        f.debug_struct("Notify").field("webhook", &host).field("file", &self.file).field("command", &program).finish()
    }
}

pub(super) fn notify(top: &Table<'_>, places: &Places<'_>) -> Result<Notify> {
    let Some(table) = top.table("notify")? else { return Ok(Notify::default()) };
    table.allow(&["webhook", "file", "command"], &[])?;
    let notify = Notify {
        webhook: table.get("webhook").map(|value| webhook(&value)).transpose()?,
        file: table.get("file").map(|value| places.path(&value)).transpose()?,
        command: table.get("command").map(|value| command(&value)).transpose()?.unwrap_or_default(),
    };
    Ok(notify)
}

/// An address of somebody else's: a path and a query may be its secret, and are told nobody.
fn webhook(value: &Value<'_>) -> Result<Url> {
    let todo =
        "Write the address that your chat or monitoring gave you, such as \"https://hooks.example.com/T01/abc\".";
    let Ok(url) = Url::parse(value.word()?) else { return Err(value.wrong("is no address", todo)) };
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err(value.wrong("has a name, a password or a fragment in it", todo));
    }
    match (url.scheme(), url.host()) {
        ("https", Some(_)) => Ok(url),
        ("http", Some(_)) if is_loopback(&url) => Ok(url),
        _ => Err(value.wrong("is not https; http is accepted on this machine only", todo)),
    }
}

fn command(value: &Value<'_>) -> Result<Vec<String>> {
    let words = value.list()?.iter().map(|word| word.text().map(str::to_owned)).collect::<Result<Vec<_>>>()?;
    match words.first() {
        Some(program) if !program.trim().is_empty() => Ok(words),
        _ => Err(value.wrong("names no program", "Write the program and its arguments as a list of strings.")),
    }
}
