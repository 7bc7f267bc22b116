//! `/metrics`: the facts in Prometheus' text format 0.0.4.
//!
//! Names, units and labels follow <https://prometheus.io/docs/practices/naming/>: base units, `_total` for what only grows. Labels are names
//! of replicas, kinds and services, and no data of people.

use super::facts::{Disk, Facts, Kept, Replica, Room};
use super::health;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use twofold_model::Kind;

/// The content type of the format.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What was taken or sent, in the order of the totals.
const CHANGES: [&str; 4] = ["created", "updated", "moved", "deleted"];

/// The exit codes of a run.
const EXITS: [i32; 7] = [0, 1, 2, 3, 4, 5, 75];

/// The whole text.
pub fn text(facts: &Facts) -> String {
    let mut out = Families(String::new());
    process(&mut out, facts);
    runs(&mut out, facts);
    totals(&mut out, facts);
    places(&mut out, facts);
    waiting(&mut out, facts);
    limits(&mut out, facts);
    out.0
}

type Labels<'a> = Vec<(&'static str, &'a str)>;

/// The families written so far.
struct Families(String);

impl Families {
    fn gauge<'a>(&mut self, name: &str, help: &str, samples: impl IntoIterator<Item = (Labels<'a>, f64)>) {
        self.family("gauge", name, help, samples);
    }

    fn counter<'a>(&mut self, name: &str, help: &str, samples: impl IntoIterator<Item = (Labels<'a>, f64)>) {
        self.family("counter", name, help, samples);
    }

    /// One without labels; where nothing is known, there is none.
    fn one(&mut self, name: &str, help: &str, value: Option<f64>) {
        self.gauge(name, help, value.map(|value| (Vec::new(), value)));
    }

    fn family<'a>(&mut self, kind: &str, name: &str, help: &str, samples: impl IntoIterator<Item = (Labels<'a>, f64)>) {
        let mut samples = samples.into_iter().peekable();
        if samples.peek().is_none() {
            return;
        }
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (labels, value) in samples {
            let pairs: Vec<String> = labels.iter().map(|(key, text)| format!("{key}=\"{}\"", escaped(text))).collect();
            let labels = if pairs.is_empty() { String::new() } else { format!("{{{}}}", pairs.join(",")) };
            let _ = writeln!(self.0, "{name}{labels} {value}");
        }
    }
}

/// The value of a label as the format wants it.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn seconds(ms: i64) -> f64 {
    // Milliseconds since 1970 fit into an f64 without loss.
    ms as f64 / 1000.0
}

fn flag(is_so: bool) -> f64 {
    f64::from(u8::from(is_so))
}

fn process(out: &mut Families, facts: &Facts) {
    let service = &facts.service;
    out.gauge("twofold_build_info", "The version of the program.", [(vec![("version", facts.version.as_str())], 1.0)]);
    out.one(
        "twofold_healthy",
        "Whether /healthz answers that all is well.",
        Some(flag(health::ills(facts).is_empty())),
    );
    out.one("process_start_time_seconds", "When the service began, since 1970.", Some(seconds(service.started_ms)));
    out.one("process_resident_memory_bytes", "Memory in use.", service.resident_bytes.map(|bytes| bytes as f64));
    let cpu = service.cpu_s.map(|seconds| (Vec::new(), seconds));
    out.counter("process_cpu_seconds_total", "Processor time used, of user and system.", cpu);
}

fn runs(out: &mut Families, facts: &Facts) {
    let (service, last) = (&facts.service, facts.last_run);
    out.one("twofold_run_in_progress", "Whether a run is under way.", Some(flag(service.at_work.is_some())));
    let next = service.next_run_ms.map(seconds);
    out.one("twofold_next_run_timestamp_seconds", "When the next run is due, since 1970.", next);
    let start = last.map(|run| seconds(run.started_ms));
    out.one("twofold_last_run_start_timestamp_seconds", "When the last run began, since 1970.", start);
    let end = last.and_then(|run| run.ended_ms).map(seconds);
    out.one("twofold_last_run_end_timestamp_seconds", "When the last run ended, since 1970.", end);
    let took = last.and_then(|run| Some(seconds(run.ended_ms? - run.started_ms)));
    out.one("twofold_last_run_duration_seconds", "How long the last run took.", took);
    let exit = last.and_then(|run| run.exit).map(f64::from);
    out.one("twofold_last_run_exit_code", "The exit code of the last run, as of twofold sync: 0 is aligned.", exit);
    // What did not happen yet is there too, so that Prometheus sees the first time as an increase.
    let mut counts: BTreeMap<i32, u64> = EXITS.map(|exit| (exit, 0)).into();
    counts.extend(&service.totals.runs);
    let texts: Vec<(String, f64)> = counts.iter().map(|(exit, count)| (exit.to_string(), *count as f64)).collect();
    let rows = texts.iter().map(|(exit, count)| (vec![("exit", exit.as_str())], *count));
    out.counter("twofold_runs_total", "Runs since the service began, by exit code.", rows);
}

fn totals(out: &mut Families, facts: &Facts) {
    let rows = &facts.service.totals.rows;
    let labels = |(replica, kind): &'_ (String, Kind)| (replica.clone(), kind.as_str());
    let known: Vec<_> = rows.iter().map(|(key, total)| (labels(key), total)).collect();
    let of = |value: fn(&super::facts::Total) -> u64| {
        known.iter().map(move |((replica, kind), total)| {
            (vec![("replica", replica.as_str()), ("kind", *kind)], value(total) as f64)
        })
    };
    out.counter("twofold_requests_total", "Requests since the service began.", of(|total| total.requests));
    out.counter("twofold_received_bytes_total", "Bytes received since the service began.", of(|total| total.bytes));
    let changes = known.iter().flat_map(|((replica, kind), total)| {
        [("taken", &total.taken), ("sent", &total.sent)].into_iter().flat_map(move |(direction, numbers)| {
            CHANGES.iter().zip(numbers).map(move |(change, number)| {
                let labels =
                    vec![("replica", replica.as_str()), ("kind", *kind), ("direction", direction), ("change", change)];
                (labels, *number as f64)
            })
        })
    });
    out.counter(
        "twofold_changes_total",
        "Changes taken from a replica or sent to it since the service began.",
        changes,
    );
}

/// A value of each kind at each replica; where there is none, no sample.
fn kept<'a>(
    facts: &'a Facts,
    value: impl Fn(&Kept) -> Option<f64> + 'a,
) -> impl Iterator<Item = (Labels<'a>, f64)> + 'a {
    let all =
        facts.replicas.iter().flat_map(|replica| replica.kinds.iter().map(move |(kind, kept)| (replica, kind, kept)));
    all.filter_map(move |(replica, kind, kept)| {
        Some((vec![("replica", replica.name.as_str()), ("kind", kind.as_str())], value(kept)?))
    })
}

/// A value of each replica; where there is none, no sample.
fn each<'a>(
    facts: &'a Facts,
    value: impl Fn(&Replica) -> Option<f64> + 'a,
) -> impl Iterator<Item = (Labels<'a>, f64)> + 'a {
    facts.replicas.iter().filter_map(move |replica| Some((vec![("replica", replica.name.as_str())], value(replica)?)))
}

fn places(out: &mut Families, facts: &Facts) {
    let collections = kept(facts, |kept| Some(kept.collections as f64));
    out.gauge("twofold_collections", "Folders, calendars or address books at a replica.", collections);
    let items = kept(facts, |kept| Some(kept.items as f64));
    out.gauge("twofold_items", "Copies of items at a replica.", items);
    let reads = kept(facts, |kept| kept.read_ms.map(seconds));
    let help = "When all collections of a kind at a replica were last read to their end, since 1970.";
    out.gauge("twofold_last_read_timestamp_seconds", help, reads);
    let proofs = kept(facts, |kept| kept.proof_ms.map(seconds));
    let help = "When a read last saw a known item in each collection of a kind that holds any, since 1970.";
    out.gauge("twofold_last_proof_timestamp_seconds", help, proofs);
    let late = |replica: &Replica| Some(flag(health::late_kinds(facts, replica).next().is_some()));
    out.gauge("twofold_stale", "Whether a kind was not read at a replica when it should have been.", each(facts, late));
    let down = facts.replicas.iter().flat_map(|replica| {
        replica.kinds.keys().map(move |kind| {
            let labels: Labels<'_> = vec![("replica", replica.name.as_str()), ("kind", kind.as_str())];
            (labels, flag(replica.down.contains(kind)))
        })
    });
    out.gauge("twofold_down", "Whether a kind could not be read at a replica in its last run, and waits.", down);
    let needed = each(facts, |replica| {
        replica.sign_in.as_ref().map(|sign_in| flag(sign_in.needed.is_some() || !sign_in.not_granted.is_empty()))
    });
    out.gauge(
        "twofold_sign_in_needed",
        "Whether somebody has to sign in at a replica, for all of it or for a kind.",
        needed,
    );
    let ends = each(facts, |replica| replica.sign_in.as_ref()?.ends_ms.map(seconds));
    let help = "When the sign-in ends, where the provider said so, since 1970.";
    out.gauge("twofold_sign_in_expiry_timestamp_seconds", help, ends);
    let quarantined = each(facts, |replica| Some(replica.quarantined as f64));
    out.gauge("twofold_quarantined_items", "Items that cannot be read or sent, and wait for another try.", quarantined);
    let withheld = each(facts, |replica| Some(replica.withheld as f64));
    out.gauge("twofold_withheld_items", "Items that a replica cannot hold.", withheld);
}

fn waiting(out: &mut Families, facts: &Facts) {
    let held = kept(facts, |kept| Some(kept.held as f64));
    out.gauge("twofold_held_plans", "What is held: plans that wait for twofold approve or twofold drop, devices and folders that have to be put right.", held);
    let since = kept(facts, |kept| kept.held_since_ms.map(seconds));
    out.gauge("twofold_held_since_timestamp_seconds", "Since when the oldest of them waits, since 1970.", since);
    out.one("twofold_conflicts", "Fields that two sides changed differently.", Some(facts.conflicts as f64));
    let help = "Writes whose fate is not known yet; they are looked for.";
    out.one("twofold_unknown_writes", help, Some(facts.unknown_writes as f64));
}

fn limits(out: &mut Families, facts: &Facts) {
    let of = |value: fn(&super::facts::Budget) -> f64| {
        facts.budgets.iter().map(move |budget| (vec![("service", budget.service.as_str())], value(budget)))
    };
    let help = "The share of what a provider's service allows that may still be used: 1 is all.";
    out.gauge("twofold_budget_left_ratio", help, of(|budget| budget.left));
    let help = "How long a provider's service asked for a pause, from now on.";
    out.gauge("twofold_budget_pause_seconds", help, of(|budget| budget.pause_ms as f64 / 1000.0));
    let Disk { hub, messages, rooms } = &facts.disk;
    let used = [("hub", *hub), ("messages", *messages)].map(|(what, bytes)| (vec![("what", what)], bytes as f64));
    out.gauge("twofold_disk_used_bytes", "What the state folder takes on the disk.", used);
    let of = |value: fn(&Room) -> u64| {
        rooms.iter().map(move |room| {
            let labels = match &room.device {
                None => vec![("what", "state")],
                Some(name) => vec![("what", "device"), ("replica", name.as_str())],
            };
            (labels, value(room) as f64)
        })
    };
    let help = "What is free on the disk of the state folder or of a device's folder.";
    out.gauge("twofold_disk_free_bytes", help, of(|room| room.free));
    let help = "With less free there than this nothing more is read or written.";
    out.gauge("twofold_disk_floor_bytes", help, of(|room| room.floor));
}
