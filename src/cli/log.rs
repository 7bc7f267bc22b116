//! The program's log: where it goes, what it looks like, and how much it says, which a service is told while it runs.

use super::{Cli, Color, hints};
use crate::config;
use crate::config::{Format, Level};
use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use tracing_journald::{Priority, PriorityMappings};
use tracing_subscriber::layer::{Layered, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt, reload};
use twofold_model::Error;

/// How often `--verbose` was typed, and whether `--quiet` was.
#[derive(Clone, Copy, Debug, Default)]
struct Typed {
    verbose: u8,
    quiet: bool,
}

type Output = Box<dyn Layer<Registry> + Send + Sync>;
type Inner = Layered<reload::Layer<Output, Registry>, Registry>;

/// The log.
pub(crate) struct Log {
    output: reload::Handle<Output, Registry>,
    filter: reload::Handle<EnvFilter, Inner>,
    typed: Typed,
    is_colored: bool,
    /// `$TWOFOLD_LOG`, which goes before everything else.
    words: Option<String>,
    said: Mutex<Said>,
}

/// What a service's log says just now.
struct Said {
    config: Option<config::Log>,
    /// How far above its usual level it is.
    steps: usize,
}

impl Log {
    /// Begins, as every command does: it says what stands in the way, and more with `-v`.
    pub(super) fn start(cli: &Cli) -> Log {
        let typed = Typed { verbose: cli.verbose, quiet: cli.quiet };
        let level = match (typed.quiet, typed.verbose) {
            (true, _) => "error",
            (_, 0) => "warn",
            (_, 1) => "twofold=info,info",
            _ => "debug",
        };
        let is_colored = match cli.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => std::io::stderr().is_terminal(),
        };
        let words = std::env::var("TWOFOLD_LOG").ok().filter(|words| EnvFilter::try_new(words).is_ok());
        let (output, missing) = output(Format::Auto, is_colored);
        let (output, output_handle) = reload::Layer::new(output);
        let (filter, filter_handle) = reload::Layer::new(EnvFilter::new(words.as_deref().unwrap_or(level)));
        tracing_subscriber::registry().with(output).with(filter).init();
        tell_missing(missing);
        let said = Mutex::new(Said { config: None, steps: 0 });
        Log { output: output_handle, filter: filter_handle, typed, is_colored, words, said }
    }

    /// Is that of a service from now on. What it looks like is settled once, because a run that is under way has begun to speak in one form.
    pub(super) fn serve(&self, mut config: config::Log) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        match said.config {
            Some(before) if before.format != config.format => {
                tracing::warn!("the form of the log stays as it is until the next start of the service ([log] format)");
                config.format = before.format;
            }
            Some(_) => {}
            None if config.format == Format::Auto => {}
            None => {
                let (output, missing) = output(config.format, self.is_colored);
                // Invariant: the subscriber lives as long as the process.
                let _ = self.output.reload(output);
                tell_missing(missing);
            }
        }
        *said = Said { config: Some(config), steps: 0 };
        self.set(&said);
    }

    /// Whether each line on stderr is to be JSON.
    fn is_json(&self) -> bool {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.config.is_some_and(|config| config.format == Format::Json)
    }

    /// Talk of a command, which is a line of the log where nothing else may stand between those.
    pub(super) fn say(&self, words: &str) {
        match self.is_json() {
            true => tracing::info!("{}", hints::put(words.strip_prefix("twofold: ").unwrap_or(words))),
            false => eprintln!("{words}"),
        }
    }

    /// Says why the process ends, at whatever level the log is. Nothing else is said after it.
    pub(super) fn fail(&self, error: &Error) {
        if !self.is_json() {
            return eprintln!("twofold: {error}");
        }
        // Invariant: the subscriber lives as long as the process.
        let _ = self.filter.reload(EnvFilter::new("error"));
        tracing::error!("{}", hints::put(&error.to_string()));
    }

    /// Says more (SIGUSR1): one level each time, and after the last what it says usually.
    pub(super) fn more(&self) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.steps = (said.steps + 1) % (above(self.usual(&said)).len() + 1);
        self.step(&said);
    }

    /// Says what it says usually (SIGUSR2).
    pub(super) fn less(&self) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.steps = 0;
        self.step(&said);
    }

    fn step(&self, said: &Said) {
        let usual = self.usual(said);
        match said.steps.checked_sub(1).and_then(|step| above(usual).get(step)) {
            Some(level) => {
                self.set(said);
                tracing::info!(says = level.as_str(), "the log says more: {} (kill -USR2 ends that)", level.as_str());
            }
            // Told before, for the usual level may not show it.
            None => {
                tracing::info!(says = usual.as_str(), "the log says what it says usually: {}", usual.as_str());
                self.set(said);
            }
        }
    }

    /// What is configured, or more where more was typed.
    fn usual(&self, said: &Said) -> Level {
        let configured = said.config.unwrap_or_default().level;
        match (self.typed.quiet, self.typed.verbose) {
            (true, _) => Level::Error,
            (_, 0) => configured,
            (_, 1) => configured.max(Level::Info),
            (_, 2) => configured.max(Level::Debug),
            _ => Level::Trace,
        }
    }

    fn set(&self, said: &Said) {
        let usual = self.usual(said);
        let filter = match (said.steps.checked_sub(1), &self.words) {
            (None, Some(words)) => EnvFilter::new(words),
            (None, None) => filter(usual),
            (Some(step), _) => filter(above(usual).get(step).copied().unwrap_or(usual)),
        };
        // Invariant: the subscriber lives as long as the process.
        let _ = self.filter.reload(filter);
    }
}

/// The levels that say more than one, from the next to the last.
fn above(level: Level) -> &'static [Level] {
    let at = Level::ALL.iter().position(|one| *one == level).unwrap_or(0);
    &Level::ALL[at + 1..]
}

/// What other people's crates say below `info` is of no use here, and nobody answers for what it holds.
fn filter(level: Level) -> EnvFilter {
    EnvFilter::new(format!("{},twofold={}", level.min(Level::Info).as_str(), level.as_str()))
}

/// What a form of log is written with; and why it is plain text instead, where it is.
fn output(format: Format, is_colored: bool) -> (Output, Option<std::io::Error>) {
    // Who cannot write to stderr cannot say so there either.
    let text = || fmt::layer().with_writer(std::io::stderr).log_internal_errors(false).with_ansi(is_colored).boxed();
    match format {
        Format::Auto if !is_journal() => (text(), None),
        Format::Text => (text(), None),
        Format::Json => {
            let json = fmt::layer().json().flatten_event(true).with_span_list(false);
            (json.with_writer(std::io::stderr).log_internal_errors(false).boxed(), None)
        }
        Format::Auto | Format::Journald => match tracing_journald::layer() {
            Ok(journal) => {
                (journal.with_field_prefix(Some("TWOFOLD".into())).with_priority_mappings(PRIORITIES).boxed(), None)
            }
            Err(error) => (text(), Some(error)),
        },
    }
}

/// Those of `journalctl -p`.
const PRIORITIES: PriorityMappings = PriorityMappings {
    error: Priority::Error,
    warn: Priority::Warning,
    info: Priority::Informational,
    debug: Priority::Debug,
    trace: Priority::Debug,
};

fn tell_missing(missing: Option<std::io::Error>) {
    if let Some(error) = missing {
        tracing::warn!("the journal cannot be written to ({error}); the log is plain text on stderr");
    }
}

/// Whether stderr is the journal: systemd says which file that is (`systemd.exec(5)`, `$JOURNAL_STREAM`).
fn is_journal() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else { return false };
    let Ok(stat) = rustix::fs::fstat(std::io::stderr()) else { return false };
    stream == format!("{}:{}", stat.st_dev, stat.st_ino)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_level_is_followed_by_those_that_say_more() {
        assert_eq!(above(Level::Info), [Level::Debug, Level::Trace]);
        assert_eq!(above(Level::Error).len(), 4);
        assert!(above(Level::Trace).is_empty());
        assert_eq!(filter(Level::Trace).to_string(), "twofold=trace,info");
        assert_eq!(filter(Level::Warn).to_string(), "twofold=warn,warn");
    }
}
