//! `twofold sync`: one cycle.

use super::{Context, kinds, now_ms};
use crate::config::Config;
use crate::connect;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use twofold_cycle::report::exit;
use twofold_cycle::{Join, Progress, Report, Settings, Silent, cycle};
use twofold_model::{Error, ErrorKind, Result};

/// How long a stop may take (promise 12).
const STOP_WITHIN: Duration = Duration::from_secs(8);

#[derive(Debug, Default, clap::Args)]
pub struct Args {
    /// Only these kinds (mail, calendar, contacts; separated by commas)
    #[arg(long, value_name = "KINDS", value_delimiter = ',')]
    pub only: Vec<String>,
    /// Only this replica and the hub; the others get it with their next run
    #[arg(long, value_name = "NAME")]
    pub replica: Option<String>,
    /// List everything in full and compare, whatever the delta tokens say
    #[arg(long)]
    pub full_check: bool,
    /// Try what waits in quarantine now
    #[arg(long)]
    pub retry_quarantined: bool,
    /// Change nothing anywhere; show what would be done
    #[arg(long)]
    pub dry_run: bool,
    /// One JSON object on stdout
    #[arg(long)]
    pub json: bool,
}

/// Runs one cycle and shows what moved.
pub async fn run(context: &Context, args: Args) -> Result<i32> {
    let config = context.config()?;
    let stop = stop_on_signal();
    let progress: Arc<dyn Progress> =
        if context.progress && !args.json { Arc::new(Bar::new()) } else { Arc::new(Silent) };
    let report = sync(context, &config, &args, stop, progress).await?;
    if args.json {
        let text = serde_json::to_value(&report).map_err(|error| {
            Error::new(ErrorKind::Broken, "the report cannot be written as JSON").with_source(error)
        })?;
        super::print_json(&text);
    } else {
        print!("{}", table(&report, args.dry_run));
    }
    tell(&report);
    Ok(report.exit)
}

/// What stood in the way, on stderr; at the end what to type, where no line says so.
pub fn tell(report: &Report) {
    for trouble in &report.troubles {
        eprintln!("twofold: {trouble}");
    }
    let names_command = report.troubles.iter().any(|words| words.contains(": twofold ") || words.contains("`twofold "));
    match report.exit {
        exit::TEMPORARY if !names_command => {
            eprintln!(
                "twofold: what could not be reached was left as it is; the rest was done. Go on later with: twofold sync"
            );
        }
        exit::FAILED if !names_command => {
            eprintln!("twofold: what failed was left as it is; the rest was done. Look at it with: twofold doctor");
        }
        _ => {}
    }
}

/// One cycle over the configured places.
pub async fn sync(
    context: &Context,
    config: &Config,
    args: &Args,
    stop: Arc<AtomicBool>,
    progress: Arc<dyn Progress>,
) -> Result<Report> {
    let (mut hub, _lock) = context.hub(config)?;
    check_name(config, args.replica.as_deref())?;
    let blobs = connect::blobs(config)?;
    let settings = Settings {
        now_ms: Box::new(now_ms),
        only_kinds: kinds(&args.only)?,
        full_check: args.full_check,
        full_check_ms: config.full_check_ms,
        dry_run: args.dry_run,
        retention_ms: args.replica.is_none().then_some(config.retention_ms),
        may_mail: config.may_mail_attendees,
        blobs: blobs.clone(),
        zones: Arc::new(connect::zones()),
        retry_quarantined: args.retry_quarantined,
        brakes: config.brakes.clone(),
        joins: config
            .joins
            .iter()
            .map(|join| Join { kind: join.kind, collections: join.collections.clone() })
            .collect(),
        scopes: connect::scopes(config),
        progress,
        stop,
    };
    if args.dry_run {
        // Also what opening the places writes down is thrown away.
        hub.begin_dry_run()?;
    }
    let opened = connect::open(config, &mut hub, blobs.as_ref(), args.replica.as_deref())?;
    let report = cycle(&mut hub, opened.parties, &settings).await;
    // What was used of the budgets counts for the next run, also when this one failed.
    for (name, budget) in &opened.budgets {
        hub.set_budget(name, &budget.snapshot().to_string())?;
    }
    report
}

fn check_name(config: &Config, replica: Option<&str>) -> Result<()> {
    let Some(name) = replica else { return Ok(()) };
    let mut names: BTreeSet<&str> = config.devices.iter().map(|device| device.name.as_str()).collect();
    names.extend(config.google.as_ref().map(|_| "google"));
    names.extend(config.microsoft365.as_ref().map(|_| "microsoft365"));
    if names.contains(name) {
        return Ok(());
    }
    let known = names.into_iter().collect::<Vec<_>>().join(", ");
    Err(Error::new(
        ErrorKind::Misconfigured,
        format!("there is no replica \"{name}\"; nothing was done. Replicas are: {known}"),
    ))
}

/// Asks the run to end at its next clean point when SIGTERM or SIGINT comes; ends the process when that takes too long (a
/// write under way stays an intent, and is looked for by the next run).
fn stop_on_signal() -> Arc<AtomicBool> {
    use tokio::signal::unix::{SignalKind, signal};
    let stop = Arc::new(AtomicBool::new(false));
    let told = stop.clone();
    tokio::spawn(async move {
        let (Ok(mut term), Ok(mut int)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) else {
            return;
        };
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
        told.store(true, Ordering::SeqCst);
        tokio::select! {
            () = tokio::time::sleep(STOP_WITHIN) => {}
            _ = int.recv() => {}
        }
        eprintln!("twofold: stopped while a request was under way; the next run looks for it. Type: twofold sync");
        std::process::exit(exit::TEMPORARY);
    });
    stop
}

/// What moved, as a table for people; nothing when nothing moved.
pub fn table(report: &Report, is_dry_run: bool) -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    let moved = report.replicas.iter().any(twofold_cycle::ReplicaReport::moved);
    if !moved {
        let words = match (is_dry_run, report.exit) {
            (true, _) => "nothing would be done",
            (false, 0) => "nothing to do",
            _ => "nothing moved",
        };
        return format!("{words} ({:.1} s)\n", report.elapsed_s.0 as f64 / 1000.0);
    }
    let verb = if is_dry_run { "would be sent" } else { "sent" };
    let _ = writeln!(
        text,
        "{:<14} {:<9} {:>22}   {:>22}",
        "replica",
        "kind",
        "taken  new/edit/del",
        format!("{verb}  new/edit/del")
    );
    for row in &report.replicas {
        let taken = format!("{}/{}/{}", row.created, row.updated, row.deleted);
        let sent = format!("{}/{}/{}", row.sent_created, row.sent_updated, row.sent_deleted);
        let _ = writeln!(text, "{:<14} {:<9} {taken:>22}   {sent:>22}", row.name, row.kind);
    }
    text
}

/// A progress bar on the terminal.
struct Bar {
    bar: Mutex<indicatif::ProgressBar>,
}

impl Bar {
    fn new() -> Self {
        let bar = indicatif::ProgressBar::new_spinner();
        bar.enable_steady_tick(Duration::from_millis(200));
        Self { bar: Mutex::new(bar) }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.lock().unwrap_or_else(PoisonError::into_inner).finish_and_clear();
    }
}

impl Progress for Bar {
    fn at(&self, phase: &str, done: usize, of: usize) {
        let bar = self.bar.lock().unwrap_or_else(PoisonError::into_inner);
        bar.set_message(if of > 0 { format!("{phase} {done} of {of}") } else { format!("{phase} {done}") });
    }
}
