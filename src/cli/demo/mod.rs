//! `twofold demo`: the whole thing on this machine with no account.
//!
//! Starts the sandbox providers, signs in at both, syncs to a device folder, changes things on both sides, syncs again, and
//! reads every change back where it must have arrived. A failed check is exit 1.

mod calendars;
mod contacts;
mod mail;

use super::{Context, login, sandbox, sync};
use crate::config::Config;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use twofold_auth::{Flow, ProviderName, Ui};
use twofold_cycle::report::exit;
use twofold_cycle::{Calls, Report, Silent};
use twofold_model::{Error, ErrorKind, Result};
use twofold_sandbox::{Options, Provider, Sandbox};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where the demo's files go [default: a folder below the system's temporary one]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Keep the files afterwards
    #[arg(long)]
    keep: bool,
    /// Break one side, to see that the checks can fail
    #[arg(long, hide = true, value_parser = ["google", "microsoft365"])]
    break_side: Option<String>,
}

/// Runs the demo.
pub async fn run(context: &Context, args: Args) -> Result<i32> {
    let keep = args.keep || args.dir.is_some();
    let dir = match &args.dir {
        Some(dir) => std::path::absolute(dir).map_err(failed(format!("{} is no folder", dir.display())))?,
        None => std::env::temp_dir().join(format!("twofold-demo-{}", &twofold_hub::random_id()[..8])),
    };
    if dir.join("state").exists() {
        let words = format!(
            "{} holds an earlier demo; nothing was done. Name another folder: twofold demo --dir DIR",
            dir.display()
        );
        return Err(Error::new(ErrorKind::Misconfigured, words));
    }
    let result = play(context, &dir, args.break_side.as_deref()).await;
    if keep {
        context.say(format!("The files are in {}.", dir.display()));
    } else if let Err(error) = std::fs::remove_dir_all(&dir) {
        context.say(format!("{} could not be removed: {error}", dir.display()));
    }
    result
}

fn failed(what: impl std::fmt::Display) -> impl FnOnce(std::io::Error) -> Error {
    let words = format!("{what}; the demo stops here, nothing outside its folder was touched");
    move |error| Error::new(ErrorKind::Broken, format!("{words}: {error}"))
}

fn refused(words: String) -> Error {
    Error::new(ErrorKind::Broken, format!("the sandbox refused the demo's own change: {words}"))
}

async fn play(context: &Context, dir: &Path, broken: Option<&str>) -> Result<i32> {
    let sandbox = Sandbox::new(Options::demo());
    let running = sandbox.start(0).await.map_err(failed("the sandbox cannot be started"))?;
    let config = configure(&sandbox, dir)?;
    println!("1  two sandbox providers on {}, signing in at both", running.addr);
    for name in [ProviderName::Microsoft365, ProviderName::Google] {
        login::sign_in(context, &config, name, Flow::Loopback { open_browser: false }, &Visitor).await?;
    }
    println!("2  first sync: everything to the folder {}", dir.join("laptop").display());
    let mut checks = Checks::default();
    let report = one_sync(context, &config).await?;
    checks.check("the first run ends aligned", report.exit == exit::ALIGNED);
    contacts::first_sync(&sandbox, dir, &mut checks)?;
    calendars::first_sync(&sandbox, dir, &mut checks)?;
    mail::first_sync(&sandbox, dir, &mut checks)?;
    let writes = sandbox.writes(Provider::Google) + sandbox.writes(Provider::Microsoft);
    checks.check("the first sync wrote to no provider", writes == 0);
    if let Some(side) = broken {
        let provider = if side == "google" { Provider::Google } else { Provider::Microsoft };
        sandbox.fault(twofold_sandbox::Rule::any(twofold_sandbox::Fault::status(503)).on(provider).writes());
    }
    println!("3  changes on both sides, second sync");
    let changes = contacts::change(&sandbox, dir)?;
    calendars::change(&sandbox, dir)?;
    mail::change(&sandbox, dir)?;
    let report = one_sync(context, &config).await?;
    checks.check("the second run ends aligned", report.exit == exit::ALIGNED);
    changes.read_back(&sandbox, dir, &mut checks)?;
    calendars::read_back(&sandbox, dir, &mut checks)?;
    mail::read_back(&sandbox, dir, &mut checks)?;
    println!("4  a third sync writes nothing");
    sandbox.reset_counts();
    let report = one_sync(context, &config).await?;
    let writes = sandbox.writes(Provider::Google) + sandbox.writes(Provider::Microsoft);
    checks.check("no write reached a provider", writes == 0);
    checks.check("nothing was written to the device", report.writes() == 0);
    let mails = sandbox.google_mails().len() + sandbox.graph_mails().len();
    checks.check("nobody was mailed", mails == 0);
    running.stop().await;
    checks.print();
    Ok(if checks.failed() { exit::FAILED } else { exit::ALIGNED })
}

fn configure(sandbox: &Sandbox, dir: &Path) -> Result<Config> {
    std::fs::create_dir_all(dir).map_err(failed(format!("{} cannot be made", dir.display())))?;
    let text = format!(
        "state_dir = {:?}\n\n{}\n[[device]]\nname = \"laptop\"\npath = {:?}\nkinds = [\"mail\", \"calendar\", \"contacts\"]\n",
        dir.join("state"),
        sandbox::configuration(sandbox),
        dir.join("laptop")
    );
    let path = dir.join("config.toml");
    std::fs::write(&path, &text).map_err(failed(format!("{} cannot be written", path.display())))?;
    Config::parse(&text, &path).map_err(|error| Error::new(ErrorKind::Misconfigured, error.to_string()))
}

async fn one_sync(context: &Context, config: &Config) -> Result<Report> {
    let quiet = Context {
        config: None,
        quiet: true,
        verbose: false,
        progress: false,
        log: context.log.clone(),
        clock: context.clock.clone(),
    };
    let report = sync::sync(&quiet, config, &sync::Args::default(), Calls::default(), Arc::new(Silent), None).await?;
    print!("{}", sync::table(&report, false));
    for trouble in &report.troubles {
        context.say(format!("   {trouble}"));
    }
    Ok(report)
}

/// The demo's person: opens the address and follows where it leads.
pub(super) struct Visitor;

impl Ui for Visitor {
    fn address(&self, url: &str) {
        let url = url.to_owned();
        // Invariant of the flow: it listens before it shows the address, so the visit may run beside it.
        std::thread::spawn(move || visit(url));
    }

    fn device_code(&self, _: &str, _: &str, _: Option<&str>) {}

    fn read_pasted(&self) -> std::io::Result<String> {
        Err(std::io::ErrorKind::Unsupported.into())
    }
}

/// Fetches an address on this machine and follows its redirects, as a browser would.
fn visit(mut address: String) {
    for _ in 0..5 {
        let Some(next) = get(&address) else { return };
        address = next;
    }
}

fn get(address: &str) -> Option<String> {
    let url = url::Url::parse(address).ok()?;
    let host = url.host_str()?;
    let mut stream = std::net::TcpStream::connect((host, url.port_or_known_default()?)).ok()?;
    let path = &url[url::Position::BeforePath..url::Position::AfterQuery];
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.take(100_000).read_to_string(&mut answer).ok()?;
    let mut lines = answer.lines().take_while(|line| !line.is_empty());
    lines.find_map(|line| {
        line.split_once(": ").filter(|(name, _)| name.eq_ignore_ascii_case("location")).map(|(_, to)| to.to_owned())
    })
}

#[derive(Default)]
struct Checks {
    rows: Vec<(String, bool)>,
}

impl Checks {
    fn check(&mut self, what: impl Into<String>, holds: bool) {
        self.rows.push((what.into(), holds));
    }

    fn failed(&self) -> bool {
        self.rows.iter().any(|(_, holds)| !holds)
    }

    fn print(&self) {
        println!("\nread back:");
        for (what, holds) in &self.rows {
            println!("  {}  {what}", if *holds { "ok    " } else { "FAILED" });
        }
        let words = if self.failed() { "some checks failed" } else { "everything moved as it should" };
        println!("{words}");
    }
}
