//! What a person can type, and what comes back: results on stdout, talk on stderr, one exit code.

// First, for its macros hold in what follows.
#[macro_use]
mod output;

mod adopt;
mod backup;
mod conflicts;
mod credential;
mod daemon;
mod decide;
mod demo;
mod device;
mod disk;
mod doctor;
mod dropin;
mod endpoint;
mod forget;
mod handover;
mod held;
mod hints;
mod log;
mod login;
mod notify;
mod progress;
mod sandbox;
mod status;
pub(crate) mod sync;
mod words;

use crate::config::Config;
use crate::connect;
use clap::{CommandFactory, Parser, Subcommand, ValueEnum};
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};
use twofold_cycle::report::{code_of, exit};
use twofold_http::{Clock, SystemClock};
use twofold_hub::{Hub, Lock};
use twofold_model::{Error, ErrorKind, Kind, Result};

/// Keeps Microsoft 365, Google Workspace and device folders the same, both ways, without loss.
#[derive(Debug, Parser)]
#[command(name = "twofold", version, about, max_term_width = 100)]
pub struct Cli {
    /// The configuration file [default: $TWOFOLD_CONFIG, ./config.toml, $XDG_CONFIG_HOME/twofold/config.toml, /etc/twofold/config.toml]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Say more about what is done
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    /// Say nothing on stderr but errors
    #[arg(long, global = true)]
    quiet: bool,
    /// Colours in the output
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    color: Color,
    #[command(subcommand)]
    command: Command,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Color {
    /// On a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The whole thing on this machine with no account: sandbox providers, sign-in, sync both ways, each row read back
    Demo(demo::Args),
    /// Sign in at a provider
    Login(login::LoginArgs),
    /// Sign out: revoke where the provider can, forget the tokens, keep the data
    Logout(login::LogoutArgs),
    /// Bring all replicas into line, once
    Sync(sync::Args),
    /// The service: keeps all replicas in line, on a schedule and whenever a device folder changes
    Daemon(daemon::Args),
    /// Replicas, collections, last proof of life, what is held, in conflict or in quarantine
    Status(status::Args),
    /// Plans that a brake stopped
    Held(held::HeldArgs),
    /// Let a held plan be made by the next run
    Approve(held::ApproveArgs),
    /// A held plan was wrong: put things back at that replica
    Drop(held::DropArgs),
    /// Fields that two sides changed differently
    Conflicts(conflicts::Args),
    /// Device folders
    Device(device::Args),
    /// Take over a tree that another tool filled, without downloading it again
    Adopt(adopt::Args),
    /// One file with everything that the hub holds, made while the service runs; and the way back
    Backup(backup::Args),
    /// Erase what is kept of a provider's account or a device, with all its history; nothing is deleted at any provider
    Forget(forget::Args),
    /// Configuration, permissions, sign-ins, clock, disk, hub: ok, warn or fail, and what to do
    Doctor(doctor::Args),
    /// The stand-in providers alone
    Sandbox(sandbox::Args),
    /// Completions for a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// The manual page
    Man,
    /// What systemd's sandbox must let through for the device folders, as a drop-in of the unit
    SystemdDropin,
}

/// A run is waited for this long, where something is to be said between two.
const BETWEEN_RUNS: std::time::Duration = std::time::Duration::from_secs(5);
const LOCK_PAUSE: std::time::Duration = std::time::Duration::from_millis(20);

/// What every command is handed.
pub(crate) struct Context {
    config: Option<PathBuf>,
    quiet: bool,
    /// Whether more is to be said.
    verbose: bool,
    /// Whether stderr is a terminal that wants progress bars.
    progress: bool,
    /// What is told beyond results and talk.
    log: std::sync::Arc<log::Log>,
    /// The time.
    clock: std::sync::Arc<dyn Clock>,
}

impl Context {
    /// Reads the configuration as its file is.
    pub(crate) fn config_of_file(&self) -> Result<Config> {
        let config = Config::load(self.config.as_deref())
            .map_err(|error| Error::new(ErrorKind::Misconfigured, error.to_string()))?;
        hints::set(&config, self.config.is_some());
        Ok(config)
    }

    /// Reads the configuration. Its running service keeps the state folder that it began with, and a command goes by that one, too.
    pub(crate) fn config(&self) -> Result<Config> {
        let mut config = self.config_of_file()?;
        if let Some(place) = daemon::elsewhere(&config) {
            self.say(format_args!(
                "twofold: the service of this configuration still uses {}, and so does this command; {} is taken when it is started again; {}",
                place.display(),
                config.state_dir.display(),
                hints::keeper(&config).restart()
            ));
            config.state_dir = place;
        }
        Ok(config)
    }

    /// The time, in milliseconds since 1970.
    pub(crate) fn now_ms(&self) -> i64 {
        now_ms(self.clock.as_ref())
    }

    /// The hub, with the lock that keeps a second process away; an error of exit 75 when another run holds it.
    pub(crate) fn hub(&self, config: &Config) -> Result<(Hub, Lock)> {
        hub(config)
    }

    /// The hub as it is now, to be read, also while another process works on it. Where there is none, none is made: it is an empty one then,
    /// of which nothing is kept.
    pub(crate) fn hub_to_read(&self, config: &Config) -> Result<Hub> {
        if connect::is_state_folder(&config.state_dir)? {
            if let Some(hub) = Hub::look(&config.state_dir)? {
                return Ok(hub);
            }
            if Hub::is_in(&config.state_dir) || Lock::is_taken(&config.state_dir)? {
                return match self.hub(config) {
                    Err(error) if matches!(error.kind, ErrorKind::Throttled { .. }) => Err(Error::new(
                        error.kind,
                        "the service, or another twofold, is starting and makes or converts the hub: there is nothing to show yet. Ask \
                         again in a moment: twofold status",
                    )),
                    made => Ok(made?.0),
                };
            }
        }
        eprintln!("twofold: {}", no_hub(config));
        Hub::in_memory()
    }

    /// The hub for a dry run, with its lock. Where there is none, none is made: it is an empty one in memory then, without a lock.
    pub(crate) fn hub_to_try(&self, config: &Config) -> Result<(Hub, Option<Lock>)> {
        let state = &config.state_dir;
        if !connect::is_state_folder(state)? || !Hub::is_in(state) && !Lock::is_taken(state)? {
            eprintln!("twofold: {}", no_hub(config));
            return Ok((Hub::in_memory()?, None));
        }
        self.hub(config).map(|(hub, lock)| (hub, Some(lock)))
    }

    /// Talk: on stderr, unless asked to be quiet.
    pub(crate) fn say(&self, words: impl std::fmt::Display) {
        if !self.quiet {
            self.log.say(&words.to_string());
        }
    }
}

/// What is said where there is no hub, and what only looks makes none.
fn no_hub(config: &Config) -> String {
    format!(
        "there is no hub in {} yet, and none was made; that does: twofold sync. Where state_dir was another one before, move what is \
         there to this folder first, with no service running",
        config.state_dir.display()
    )
}

/// The hub, with the lock that keeps a second process away; an error of exit 75 when another run holds it.
fn hub(config: &Config) -> Result<(Hub, Lock)> {
    connect::state_folder(&config.state_dir)?;
    let lock = Lock::take(&config.state_dir)?.ok_or_else(|| {
        let words =
            "another twofold is at work on this hub; nothing was done. Try again when it is through: twofold sync";
        Error::new(ErrorKind::Throttled { retry_after_s: None }, words)
    })?;
    Ok((Hub::open(&config.state_dir)?, lock))
}

/// The hub, for a word that is said to it and done with at once: another process that is at work on it is waited for, though not for long.
/// `otherwise`: what stays undone then, and what to type.
async fn hub_between_runs(config: &Config, otherwise: &str) -> Result<(Hub, Lock)> {
    let end = std::time::Instant::now() + BETWEEN_RUNS;
    loop {
        match hub(config) {
            Err(error) if matches!(error.kind, ErrorKind::Throttled { .. }) => {
                if std::time::Instant::now() >= end {
                    let words = format!(
                        "another twofold is at work, and nothing else may change the hub meanwhile; nothing was done, and {otherwise}"
                    );
                    return Err(Error::new(error.kind, words));
                }
                tokio::time::sleep(LOCK_PAUSE).await;
            }
            other => return other,
        }
    }
}

/// Comes back when this process is asked to end, by SIGTERM or SIGINT, from the call on; never, where that cannot be heard.
fn asked_to_end() -> impl Future<Output = ()> {
    let heard = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    async move {
        let (Ok(mut term), Ok(mut int)) = heard else { return std::future::pending().await };
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
    }
}

/// Reads the arguments, does what they ask, answers with the exit code.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no errors; everything else is exit 2.
            let code = if error.use_stderr() { exit::USAGE } else { exit::ALIGNED };
            let _ = error.print();
            return exit_code(code);
        }
    };
    // Invariant: nobody has installed another provider before the first line of `main`; a second install changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let log = std::sync::Arc::new(log::Log::start(&cli));
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("twofold: the runtime cannot be started: {error}");
            return exit_code(exit::FAILED);
        }
    };
    let result = runtime.block_on(dispatch(cli, log.clone()));
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    match result {
        Ok(code) => exit_code(code),
        Err(error) => {
            log.fail(&error);
            exit_code(code_of(error.kind))
        }
    }
}

async fn dispatch(cli: Cli, log: std::sync::Arc<log::Log>) -> Result<i32> {
    let progress = !cli.quiet && cli.color != Color::Never && std::io::stderr().is_terminal();
    let clock = std::sync::Arc::new(SystemClock);
    let context = Context { config: cli.config, quiet: cli.quiet, verbose: cli.verbose > 0, progress, log, clock };
    match cli.command {
        Command::Demo(args) => demo::run(&context, args).await,
        Command::Login(args) => login::login(&context, args).await,
        Command::Logout(args) => login::logout(&context, args).await,
        Command::Sync(args) => sync::run(&context, args).await,
        Command::Daemon(args) => daemon::run(&context, &args).await,
        Command::Status(args) => status::run(&context, args).await,
        Command::Held(args) => held::held(&context, args),
        Command::Approve(args) => held::approve(&context, args).await,
        Command::Drop(args) => held::drop(&context, args).await,
        Command::Conflicts(args) => conflicts::run(&context, args).await,
        Command::Device(args) => device::run(&context, args).await,
        Command::Adopt(args) => adopt::run(&context, args).await,
        Command::Backup(args) => backup::run(&context, args),
        Command::Forget(args) => forget::run(&context, args).await,
        Command::Doctor(args) => doctor::run(&context, args).await,
        Command::Sandbox(args) => sandbox::run(&context, args).await,
        Command::SystemdDropin => dropin::run(&context),
        Command::Completions { shell } => {
            let mut words = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "twofold", &mut words);
            print!("{}", String::from_utf8_lossy(&words));
            Ok(exit::ALIGNED)
        }
        Command::Man => {
            let mut page = Vec::new();
            clap_mangen::Man::new(Cli::command()).render(&mut page).map_err(|error| {
                Error::new(ErrorKind::Broken, format!("the manual page cannot be written: {error}"))
            })?;
            print!("{}", String::from_utf8_lossy(&page));
            Ok(exit::ALIGNED)
        }
    }
}

fn exit_code(code: i32) -> ExitCode {
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}

/// The kinds of a `--only` list.
fn kinds(names: &[String]) -> Result<Vec<Kind>> {
    let kind = |name: &String| {
        Kind::from_name(name).ok_or_else(|| {
            let words = format!("\"{name}\" is no kind; nothing was done. Kinds are: mail, calendar, contacts");
            Error::new(ErrorKind::Misconfigured, words)
        })
    };
    names.iter().map(kind).collect()
}

/// What people call an item: a card's name, an event's title, a message's subject; empty where it has none.
fn title(content: &twofold_model::Content) -> String {
    twofold_model::card::display_name(content)
        .or_else(|| twofold_model::event::display_title(content))
        .or_else(|| twofold_model::email::display_title(content))
        .unwrap_or_default()
}

/// Writes one JSON object to stdout.
fn print_json(value: &serde_json::Value) {
    println!("{value}");
}

/// What a clock shows, in milliseconds since 1970.
fn now_ms(clock: &dyn Clock) -> i64 {
    i64::try_from(clock.now_ms()).unwrap_or(i64::MAX)
}

/// A moment for people: `2026-11-24 09:30 UTC`.
fn moment(at_ms: i64) -> String {
    shown(at_ms, "%Y-%m-%d %H:%M UTC")
}

/// The same to the second: `2026-11-24 09:30:05 UTC`.
fn second(at_ms: i64) -> String {
    shown(at_ms, "%Y-%m-%d %H:%M:%S UTC")
}

fn shown(at_ms: i64, form: &str) -> String {
    chrono::DateTime::from_timestamp_millis(at_ms).map_or_else(|| "?".into(), |at| at.format(form).to_string())
}
