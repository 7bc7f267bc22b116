//! `twofold sync`: one cycle.

use super::daemon::{triggers_of, zone};
use super::progress::{Bars, Lines};
use super::{Context, asked_to_end, credential, disk, handover, kinds, notify, now_ms, words};
use crate::config::Config;
use crate::connect;
use crate::daemon::{Duty, Wish};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use twofold_auth::{ProviderName, Vault};
use twofold_cycle::report::{Sign, exit};
use twofold_cycle::{Calls, Join, Progress, ReplicaReport, Report, Settings, Silent, cycle};
use twofold_hub::{Hub, Lock};
use twofold_model::{Error, ErrorKind, Kind, Result};
use twofold_schedule::stop;

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
    /// Kinds that are left alone at a provider in this run, because they could not be reached a moment ago; a service says so, nobody types
    /// it.
    #[arg(skip)]
    pub without: BTreeMap<String, BTreeSet<Kind>>,
    /// What hung lately is left alone, because nobody asked for this run; a service says so, too.
    #[arg(skip)]
    pub leaves_alone: bool,
}

/// Runs one cycle and shows what moved.
pub async fn run(context: &Context, args: Args) -> Result<i32> {
    let config = context.config()?;
    let progress: Arc<dyn Progress> = match (context.quiet || args.json, context.progress) {
        (true, _) => Arc::new(Silent),
        (false, true) => Arc::new(Bars::new(&config)),
        (false, false) => Arc::new(Lines::new(&config)),
    };
    // A dry run changes nothing that the service could know of: it waits for no one and works alone.
    if !args.dry_run {
        check_name(&config, args.replica.as_deref())?;
        let wish = Wish {
            kinds: kinds(&args.only)?,
            replica: args.replica.clone(),
            full_check: args.full_check,
            retry_quarantined: args.retry_quarantined,
        };
        if let Some(over) = handover::run(context, &config, wish, progress.as_ref()).await? {
            // Bars are gone before anything is printed.
            drop(progress);
            match args.json {
                true => super::print_json(&over.report),
                false => print!("{}", over.table),
            }
            tell(&over.troubles, over.exit);
            return Ok(over.exit);
        }
    }
    alone(context, &config, &args, progress, None).await
}

/// Runs one cycle in this process, shows what moved, and tells of what stands in the way. Who has the hub already hands it on, so that nobody
/// else comes in between.
pub async fn alone(
    context: &Context,
    config: &Config,
    args: &Args,
    progress: Arc<dyn Progress>,
    hub: Option<(Hub, Lock)>,
) -> Result<i32> {
    let calls = Calls::default();
    stop_on_signal(calls.clone());
    let ran = sync(context, config, args, calls, progress, hub).await;
    if let Ok(report) = &ran {
        if args.json {
            let text = serde_json::to_value(report).map_err(|error| {
                Error::new(ErrorKind::Broken, "the report cannot be written as JSON").with_source(error)
            })?;
            super::print_json(&text);
        } else {
            print!("{}", table(report, args.dry_run));
        }
        tell(&report.troubles, report.exit);
        if let Some(words) = credential::missing(config, "sync")? {
            eprintln!("twofold: {words}");
        }
    }
    if !args.dry_run {
        let all: Vec<Kind> = triggers_of(config).into_keys().collect();
        let only = kinds(&args.only)?;
        let wish = Wish { replica: args.replica.clone(), ..Wish::default() };
        let duty =
            Duty { kinds: if only.is_empty() { all.clone() } else { only }, wish: Some(wish), ..Duty::default() };
        notify::tell(config, context.clock.clone(), &ran, &duty, &all).await?;
    }
    ran.map(|report| report.exit)
}

/// What stood in the way, on stderr; at the end what to type, where no line says so.
pub fn tell(troubles: &[String], exit: i32) {
    for trouble in troubles {
        eprintln!("twofold: {trouble}");
    }
    let names_command = troubles.iter().any(|words| words.contains(": twofold ") || words.contains("`twofold "));
    match exit {
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

/// One cycle over the configured places, in the hub where the caller has it already.
pub async fn sync(
    context: &Context,
    config: &Config,
    args: &Args,
    calls: Calls,
    progress: Arc<dyn Progress>,
    hub: Option<(Hub, Lock)>,
) -> Result<Report> {
    match one_cycle(context, config, args, calls, progress, hub).await {
        // What it throws away at its end needs room all the same.
        Err(error) if args.dry_run && Sign::of(&error) == Some(Sign::Disk) => {
            let words = format!(
                "the disk of {} is full: what would be done could not be worked out, and nothing was done. Free some space, then: twofold sync \
                 --dry-run",
                config.state_dir.display()
            );
            Err(Error::new(ErrorKind::Throttled { retry_after_s: None }, words).with_source(error))
        }
        ran => ran,
    }
}

async fn one_cycle(
    context: &Context,
    config: &Config,
    args: &Args,
    calls: Calls,
    progress: Arc<dyn Progress>,
    hub: Option<(Hub, Lock)>,
) -> Result<Report> {
    if !args.dry_run
        && let Some(no_room) = disk::shortage(config)
    {
        return Ok(Report::not_begun(no_room));
    }
    let (mut hub, lock) = match hub {
        Some((hub, lock)) => (hub, Some(lock)),
        None if args.dry_run => context.hub_to_try(config)?,
        None => context.hub(config).map(|(hub, lock)| (hub, Some(lock)))?,
    };
    check_name(config, args.replica.as_deref())?;
    let blobs = match lock {
        Some(_) => connect::blobs(config)?,
        None => connect::blobs_to_try(config)?,
    };
    let settings = Settings {
        now_ms: Box::new({
            let clock = context.clock.clone();
            move || now_ms(clock.as_ref())
        }),
        only_kinds: kinds(&args.only)?,
        full_check: args.full_check,
        outdated_ms: Box::new({
            let trigger = config.full_check.trigger(zone());
            move |now_ms| trigger.due_since(now_ms).unwrap_or(0)
        }),
        dry_run: args.dry_run,
        retention_ms: (args.replica.is_none() && args.without.is_empty()).then_some(config.retention_ms),
        may_mail: config.may_mail_attendees,
        blobs: blobs.clone(),
        zones: Arc::new(connect::zones()),
        retry_quarantined: args.retry_quarantined,
        left_alone: left_alone(config, &args.without, &kinds(&args.only)?)?,
        leaves_alone: args.leaves_alone,
        brakes: config.brakes.clone(),
        joins: config
            .joins
            .iter()
            .map(|join| Join { kind: join.kind, collections: join.collections.clone() })
            .collect(),
        scopes: connect::scopes(config),
        progress,
        room: disk::watch(config),
        calls,
    };
    if args.dry_run {
        // Also what opening the places writes down is thrown away.
        hub.begin_dry_run()?;
    }
    let wanted = |name: &str, kind: Kind| {
        args.replica.as_deref().is_none_or(|only| only == name)
            && !args.without.get(name).is_some_and(|left| left.contains(&kind))
    };
    hub.set_steps(Some(Box::new({
        let progress = settings.progress.clone();
        move |_| {
            progress.step();
            Ok(())
        }
    })));
    let (progress, is_waited_for) = (&settings.progress, &settings.calls.is_waited_for);
    let opened = connect::open(config, &mut hub, blobs.as_ref(), &context.clock, progress, is_waited_for, &wanted)?;
    let report = cycle(&mut hub, opened.parties, &settings).await;
    // What was used of the budgets counts for the next run, also when this one failed.
    for (name, budget) in &opened.budgets {
        hub.set_budget(name, &budget.snapshot().to_string())?;
    }
    report
}

/// What stands in the way at providers of which something is left alone that a run over these kinds (all where there are none) would look at,
/// as exit codes.
fn left_alone(config: &Config, without: &BTreeMap<String, BTreeSet<Kind>>, only: &[Kind]) -> Result<Vec<i32>> {
    let counts = |left: &BTreeSet<Kind>| only.is_empty() || only.iter().any(|kind| left.contains(kind));
    let vault = Vault::open(&config.state_dir)?;
    let code = |name: &String| {
        let sign_in = ProviderName::from_name(name).map(|name| vault.status(name)).transpose()?;
        let is_needed = sign_in.is_some_and(|status| status.cause().is_some());
        Ok(if is_needed { exit::SIGN_IN } else { exit::TEMPORARY })
    };
    without.iter().filter(|(_, left)| counts(left)).map(|(name, _)| code(name)).collect()
}

fn check_name(config: &Config, replica: Option<&str>) -> Result<()> {
    let Some(name) = replica else { return Ok(()) };
    let names = config.names();
    if names.contains(name) {
        return Ok(());
    }
    let known = names.into_iter().collect::<Vec<_>>().join(", ");
    Err(Error::new(
        ErrorKind::Misconfigured,
        format!("there is no replica \"{name}\"; nothing was done. Replicas are: {known}"),
    ))
}

/// Asks the run with these calls to end at its next clean point when SIGTERM or SIGINT comes; ends the process when that takes too long (a
/// write under way stays an intent, and is looked for by the next run).
fn stop_on_signal(calls: Calls) {
    let asked = asked_to_end();
    tokio::spawn(async move {
        asked.await;
        let (again, began) = (asked_to_end(), Instant::now());
        calls.stop.store(true, Ordering::SeqCst);
        let left = || {
            let within_ms = stop::left_after_ms(calls.changing.load(Ordering::SeqCst) > 0);
            Some(Duration::from_millis(within_ms).saturating_sub(began.elapsed())).filter(|left| !left.is_zero())
        };
        let over = async {
            // A call that changes something may begin, or end, meanwhile.
            while let Some(left) = left() {
                tokio::time::sleep(left).await;
            }
        };
        tokio::select! {
            () = over => {}
            () = again => {}
        }
        eprintln!("twofold: stopped while a request was under way; the next run looks for it. Type: twofold sync");
        std::process::exit(exit::TEMPORARY);
    });
}

/// What moved, as a table for people; nothing when nothing moved.
pub fn table(report: &Report, is_dry_run: bool) -> String {
    use std::fmt::Write as _;
    let took = format!("{:.1} s", report.elapsed_s.0 as f64 / 1000.0);
    let rows: Vec<&ReplicaReport> = report.replicas.iter().filter(|row| row.moved()).collect();
    let mut unread = String::new();
    for row in report.replicas.iter().filter(|row| row.would_read > 0 || is_dry_run && row.taken_over > 0) {
        let (name, messages) = (&row.name, |count| words::many(count, "message"));
        if is_dry_run && row.taken_over > 0 {
            let _ = writeln!(unread, "{name}: {} would be taken over from what is here", messages(row.taken_over));
        }
        if row.would_read > 0 {
            let _ = writeln!(
                unread,
                "{name}: {} would be read, and made at the devices that lack them; files that wait for them are compared then",
                messages(row.would_read)
            );
        }
        if row.may_be_here > 0 {
            let _ = writeln!(
                unread,
                "{name}: up to {} of these would be taken over from what is here (only their headers tell which, and a dry run asks for none)",
                words::count(row.may_be_here as u64)
            );
        }
    }
    if rows.is_empty() && !unread.is_empty() {
        return format!("{unread}nothing else would be done ({took})\n");
    }
    if rows.is_empty() {
        let words = match (is_dry_run, report.exit) {
            (true, _) => "nothing would be done",
            (false, 0) => "nothing to do",
            _ => "nothing moved",
        };
        return format!("{words} ({took})\n");
    }
    let mut text = unread;
    let sent = if is_dry_run { "would be sent" } else { "sent" };
    let columns = ["new", "edit", "move", "del"].map(|word| format!("{word:>6}")).concat();
    let _ = writeln!(text, "{:<24} {:>24}   {:>24}", "", "taken:", format!("{sent}:"));
    let _ = writeln!(text, "{:<24} {columns}   {columns}", "");
    for row in rows {
        let numbers = |all: [usize; 4]| {
            let word = |number| if number == 0 { "-".into() } else { words::count(number as u64) };
            all.map(|number| format!("{:>6}", word(number))).concat()
        };
        let taken = numbers([row.created, row.updated, row.moved, row.deleted]);
        let sent = numbers([row.sent_created, row.sent_updated, row.sent_moved, row.sent_deleted]);
        let _ = writeln!(text, "{:<14} {:<9} {taken}   {sent}", row.name, row.kind);
    }
    let received = report.replicas.iter().map(|row| row.bytes_in).sum();
    let _ = writeln!(text, "{took}, {} received", words::bytes(received));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_fits_a_terminal_and_leaves_out_where_nothing_moved() {
        let mut report = Report::new(1);
        let mail = report.row("microsoft365", Kind::Mail);
        (mail.created, mail.updated, mail.moved, mail.deleted) = (50_000, 3, 2, 1);
        mail.bytes_in = 85_000_000;
        report.row("laptop", Kind::Mail).sent_created = 50_001;
        report.row("google", Kind::Contacts);
        let text = table(&report, false);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[2], "microsoft365   mail      50,000     3     2     1        -     -     -     -");
        assert_eq!(lines[3], "laptop         mail           -     -     -     -   50,001     -     -     -");
        assert_eq!(lines[4..], ["0.0 s, 85 MB received"]);
        assert!(lines.iter().all(|line| line.chars().count() <= 80), "{text}");
        assert_eq!(table(&Report::new(1), true), "nothing would be done (0.0 s)\n");
        let mut report = Report::new(1);
        report.row("google", Kind::Mail).would_read = 71;
        let text = table(&report, true);
        assert!(text.starts_with("google: 71 messages would be read, and made at the devices"), "{text}");
        let row = report.row("google", Kind::Mail);
        (row.taken_over, row.may_be_here) = (1, 60);
        let text = table(&report, true);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "google: 1 message would be taken over from what is here");
        assert!(lines[2].starts_with("google: up to 60 of these would be taken over from what is here"), "{text}");
        assert!(!table(&report, false).contains("1 message would be taken over"), "what a run took over is no plan");
    }
}
