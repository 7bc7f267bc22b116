//! `[log]`: what the service's log looks like, and how much it says.

use super::Result;
use super::table::Table;

/// `[log]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Log {
    /// What it looks like.
    pub format: Format,
    /// How much it says.
    pub level: Level,
}

/// What the log looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// The journal's own form where stderr is the journal, else plain text.
    #[default]
    Auto,
    /// Entries of the journal, with fields.
    Journald,
    /// One JSON object a line.
    Json,
    /// Plain text.
    Text,
}

/// How much the log says; each level says all that those before it do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// What failed.
    Error,
    /// What stands in the way.
    Warn,
    /// A line for each change.
    #[default]
    Info,
    /// A line for each request.
    Debug,
    /// All there is.
    Trace,
}

impl Level {
    /// From the one that says least to the one that says most.
    pub const ALL: [Level; 5] = [Level::Error, Level::Warn, Level::Info, Level::Debug, Level::Trace];

    /// Its name in the configuration and in filters.
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Error => "error",
            Level::Warn => "warn",
            Level::Info => "info",
            Level::Debug => "debug",
            Level::Trace => "trace",
        }
    }
}

pub(super) fn log(top: &Table<'_>) -> Result<Log> {
    let Some(table) = top.table("log")? else { return Ok(Log::default()) };
    table.allow(&["format", "level"], &[])?;
    let format = match table.get("format") {
        None => Format::Auto,
        Some(value) => match value.word()? {
            "auto" => Format::Auto,
            "journald" => Format::Journald,
            "json" => Format::Json,
            "text" => Format::Text,
            _ => return Err(value.wrong("is no form of a log", "Write auto, journald, json or text.")),
        },
    };
    let level = match table.get("level") {
        None => Level::Info,
        Some(value) => {
            let word = value.word()?;
            let level = Level::ALL.into_iter().find(|level| level.as_str() == word);
            level.ok_or_else(|| value.wrong("is no level of a log", "Write error, warn, info, debug or trace."))?
        }
    };
    Ok(Log { format, level })
}
