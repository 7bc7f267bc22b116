//! What the service tells of itself: the facts as they stand in the hub, at the sign-ins and in the process; and what somebody decides on
//! the page, done as the commands do it.

use super::daemon::triggers_of;
use super::{conflicts, held, now_ms};
use crate::config::Config;
use crate::connect;
use crate::daemon::live::{self, Live};
use crate::daemon::{Event, systemd};
use crate::endpoint::answer::Teller;
use crate::endpoint::facts::{
    Board, Budget, Collection, Conflict, Disk, Facts, Held, Kept, Replica, Run, Service, SignIn, Totals,
};
use crate::endpoint::page::SPAN_MS;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::UnboundedSender;
use twofold_auth::{ProviderName, Vault};
use twofold_cycle::Report;
use twofold_hub::{Hub, Lock};
use twofold_model::{Error, ErrorKind, Kind, Result};
use twofold_schedule::Trigger;

/// A place is late when it was due so often without a proof of it …
const DUE_BEFORE_LATE: usize = 3;
/// … and so long besides: a run takes its time.
const GRACE_MS: i64 = 15 * 60 * 1000;
/// Somebody who decides waits so long for the end of a run.
const WAIT: Duration = Duration::from_secs(5);
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// The bytes of messages are counted file by file: no more often than this.
const COUNT_AGAIN_MS: i64 = 15 * 60 * 1000;

/// What the runs of this service did, and what they proved: told by the runs, read by whoever asks.
#[derive(Debug, Default)]
pub(super) struct Tally(Mutex<Counted>);

#[derive(Clone, Debug, Default)]
struct Counted {
    totals: Totals,
    /// When a kind was last read at a place.
    proofs: BTreeMap<(String, Kind), i64>,
}

impl Tally {
    fn locked(&self) -> MutexGuard<'_, Counted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A run failed as a whole.
    pub(super) fn failed(&self, exit: i32) {
        *self.locked().totals.runs.entry(exit).or_default() += 1;
    }

    /// A run that began then came to its end.
    pub(super) fn ran(&self, report: &Report, began_ms: i64, config: &Config) {
        let reached: HashMap<String, i64> = match Hub::look(&config.state_dir) {
            Ok(Some(hub)) => hub
                .replicas()
                .unwrap_or_default()
                .into_iter()
                .filter_map(|replica| Some((replica.name, replica.last_ok_ms.filter(|at| *at >= began_ms)?)))
                .collect(),
            // What cannot be read now proves nothing.
            _ => HashMap::new(),
        };
        let mut counted = self.locked();
        *counted.totals.runs.entry(report.exit).or_default() += 1;
        for row in &report.replicas {
            let Some(kind) = Kind::from_name(&row.kind) else { continue };
            let total = counted.totals.rows.entry((row.name.clone(), kind)).or_default();
            total.requests += row.requests;
            total.bytes += row.bytes_in;
            let taken = [row.created, row.updated, row.moved, row.deleted];
            let sent = [row.sent_created, row.sent_updated, row.sent_moved, row.sent_deleted];
            total.taken.iter_mut().zip(taken).for_each(|(sum, number)| *sum += number as u64);
            total.sent.iter_mut().zip(sent).for_each(|(sum, number)| *sum += number as u64);
            if let Some(at_ms) = reached.get(&row.name) {
                counted.proofs.insert((row.name.clone(), kind), *at_ms);
            }
        }
    }
}

/// Answers whoever asks over the endpoint.
pub(super) struct Clerk {
    /// The configuration by now.
    pub(super) config: Arc<Mutex<Arc<Config>>>,
    pub(super) live: Arc<Live>,
    pub(super) progress: Arc<systemd::Progress>,
    pub(super) tally: Arc<Tally>,
    /// Told of what was decided, so that a run follows at once.
    pub(super) events: UnboundedSender<Event>,
    /// One looks at a time. What the bytes of messages took, and when that was counted.
    pub(super) messages: Mutex<Option<(i64, u64)>>,
}

impl Teller for Clerk {
    fn facts(&self) -> Result<Facts> {
        let mut messages = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        let (config, hub) = self.look()?;
        self.facts_of(&config, &hub, &mut messages)
    }

    fn board(&self) -> Result<Board> {
        let mut messages = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        let (config, hub) = self.look()?;
        let facts = self.facts_of(&config, &hub, &mut messages)?;
        Ok(Board {
            collections: collections(&hub)?,
            runs: hub.runs_since(facts.now_ms - SPAN_MS)?.into_iter().map(run).collect(),
            held: held::shown(&hub)?.into_iter().map(shown_held).collect(),
            conflicts: conflicts::shown(&hub)?.into_iter().map(shown_conflict).collect(),
            facts,
        })
    }

    fn approve(&self, id: &str, people: Option<usize>) -> Result<String> {
        self.decide(|hub| held::approve_in(hub, id, |would_mail| people == Some(would_mail)))
    }

    fn drop(&self, id: &str) -> Result<String> {
        self.decide(|hub| held::drop_in(hub, id))
    }
}

impl Clerk {
    fn config(&self) -> Arc<Config> {
        self.config.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn look(&self) -> Result<(Arc<Config>, Hub)> {
        let config = self.config();
        let hub = Hub::look(&config.state_dir)?.ok_or_else(|| {
            Error::new(
                ErrorKind::Throttled { retry_after_s: None },
                "the hub is being made ready; ask again in a moment",
            )
        })?;
        Ok((config, hub))
    }

    /// Does between two runs what somebody decided.
    fn decide(&self, what: impl FnOnce(&mut Hub) -> Result<String>) -> Result<String> {
        let config = self.config();
        let until = Instant::now() + WAIT;
        let _lock = loop {
            match Lock::take(&config.state_dir)? {
                Some(lock) => break lock,
                None if Instant::now() >= until => {
                    let words = "a run is under way, and nothing else may change the hub meanwhile; nothing was done, and what is \
                                 held stays held. Try again when the run is over";
                    return Err(Error::new(ErrorKind::Throttled { retry_after_s: None }, words));
                }
                None => std::thread::sleep(LOOK_AGAIN),
            }
        };
        let mut hub = Hub::open(&config.state_dir)?;
        let words = what(&mut hub)?;
        // Nobody listens any more: the service ends, and its next start finds it.
        let _ = self.events.send(Event::Changed(triggers_of(&config).into_keys().collect()));
        Ok(words)
    }

    fn facts_of(&self, config: &Config, hub: &Hub, messages: &mut Option<(i64, u64)>) -> Result<Facts> {
        let (now_ms, live, counted) = (now_ms(), self.live.now(), self.tally.locked().clone());
        let of_service = live.last.as_ref().map(|last| Run {
            id: last.run.unwrap_or_default(),
            started_ms: last.began_ms,
            ended_ms: Some(last.ended_ms),
            exit: Some(last.exit),
            ..Run::default()
        });
        let in_hub = hub.last_ended_run()?.map(|last| run((last, None)));
        Ok(Facts {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            now_ms,
            last_run: in_hub.into_iter().chain(of_service).max_by_key(|run| run.ended_ms),
            replicas: replicas(config, hub, &counted, live.since_ms)?,
            budgets: connect::budgets_left(config, hub, now_ms)?.into_iter().map(budget).collect(),
            disk: disk(config, now_ms, messages),
            conflicts: hub.conflicts()?.len(),
            unknown_writes: hub.intents()?.iter().filter(|intent| intent.sent_ms.is_some()).count(),
            service: service(live, counted.totals, self.progress.is_stuck()),
        })
    }
}

fn service(live: live::Snapshot, totals: Totals, is_stuck: bool) -> Service {
    let (resident_bytes, cpu_s) = process();
    Service {
        started_ms: live.since_ms,
        at_work: live.run.map(|run| (run.began_ms, run.kinds)),
        next_run_ms: live.next_ms,
        is_stuck,
        troubles: live.troubles,
        totals,
        resident_bytes,
        cpu_s,
    }
}

/// The memory and the processor time of this process, where the system tells.
fn process() -> (Option<u64>, Option<f64>) {
    let memory = std::fs::read_to_string("/proc/self/status").ok().and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
    });
    let processor = std::fs::read_to_string("/proc/self/stat").ok().and_then(|text| {
        // proc(5): what follows the name in brackets begins with the third field; the 14th and 15th are in hundredths of a second.
        let mut fields = text.rsplit_once(')')?.1.split_whitespace().skip(11);
        let (user, system): (f64, f64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        Some((user + system) / 100.0)
    });
    (memory, processor)
}

fn budget(left: connect::BudgetLeft) -> Budget {
    Budget { service: left.service.to_owned(), left: left.share, pause_ms: left.pause_ms }
}

fn disk(config: &Config, now_ms: i64, messages: &mut Option<(i64, u64)>) -> Disk {
    let size = |name: &str| std::fs::metadata(config.state_dir.join(name)).map_or(0, |meta| meta.len());
    if messages.is_none_or(|(at_ms, _)| (now_ms - at_ms).abs() >= COUNT_AGAIN_MS) {
        let bytes = connect::blobs_kept(config).ok().flatten().map_or(0, |(_, bytes)| bytes);
        *messages = Some((now_ms, bytes));
    }
    let (free, whole) = space(&config.state_dir);
    Disk {
        hub: ["hub.sqlite", "hub.sqlite-wal", "hub.sqlite-shm"].into_iter().map(size).sum(),
        messages: messages.map_or(0, |(_, bytes)| bytes),
        free,
        size: whole,
    }
}

/// What is free for this user on the disk of a folder, and its size.
fn space(folder: &Path) -> (u64, u64) {
    rustix::fs::statvfs(folder).map_or((0, 0), |disk| (disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize))
}

/// Every place of the configuration, by its name there, and the kinds that it keeps.
fn configured(config: &Config) -> Vec<(String, bool, Vec<Kind>)> {
    let google =
        config.google.iter().map(|table| (ProviderName::Google.as_str().to_owned(), false, table.kinds.clone()));
    let microsoft = config
        .microsoft365
        .iter()
        .map(|table| (ProviderName::Microsoft365.as_str().to_owned(), false, table.kinds.clone()));
    let devices = config.devices.iter().map(|device| (device.name.clone(), true, device.kinds.clone()));
    google.chain(microsoft).chain(devices).collect()
}

fn replicas(config: &Config, hub: &Hub, counted: &Counted, started_ms: i64) -> Result<Vec<Replica>> {
    let (known, holds, vault) = (hub.replicas()?, hub.holds()?, Vault::open(&config.state_dir)?);
    let triggers = triggers_of(config);
    let mut all = Vec::new();
    for (name, is_device, kinds) in configured(config) {
        let found = known.iter().find(|replica| replica.name == name);
        let copies = found.map(|replica| hub.copies_by_collection(replica.id)).transpose()?.unwrap_or_default();
        let mut rows = BTreeMap::new();
        for kind in kinds {
            let places = found.map(|replica| hub.places(replica.id, kind)).transpose()?.unwrap_or_default();
            let waiting = || {
                holds.iter().filter(|hold| {
                    !hold.is_approved && hold.kind == kind && found.is_some_and(|replica| replica.id == hold.replica)
                })
            };
            let proof_ms =
                counted.proofs.get(&(name.clone(), kind)).copied().or(found.and_then(|replica| replica.last_ok_ms));
            // What was proved before the service began was nobody's duty until then.
            let from_ms = proof_ms.unwrap_or(started_ms).max(started_ms);
            rows.insert(
                kind,
                Kept {
                    collections: places.len(),
                    items: places.iter().filter_map(|place| copies.get(&place.collection)).sum(),
                    proof_ms,
                    late_from_ms: triggers.get(&kind).and_then(|trigger| late_from(trigger, from_ms)),
                    held: waiting().count(),
                    held_since_ms: waiting().map(|hold| hold.since_ms).min(),
                },
            );
        }
        let sign_in = ProviderName::from_name(&name).map(|provider| vault.status(provider)).transpose()?;
        all.push(Replica {
            is_device,
            trouble: found.and_then(|replica| replica.trouble.clone()),
            sign_in: sign_in.map(|status| SignIn {
                needed: status.advice(),
                ends_ms: status.refresh_expires_ms.and_then(|ms| i64::try_from(ms).ok()),
            }),
            kinds: rows,
            quarantined: found.map(|replica| hub.count_quarantined(replica.id)).transpose()?.unwrap_or(0),
            withheld: found.map(|replica| hub.count_withheld(replica.id)).transpose()?.unwrap_or(0),
            name,
        });
    }
    Ok(all)
}

/// When a kind that was last read then is late.
fn late_from(trigger: &Trigger, proof_ms: i64) -> Option<i64> {
    let mut at_ms = proof_ms;
    for _ in 0..DUE_BEFORE_LATE {
        at_ms = trigger.next(at_ms)?;
    }
    Some(at_ms + GRACE_MS)
}

fn collections(hub: &Hub) -> Result<BTreeMap<String, Vec<Collection>>> {
    let mut all = BTreeMap::new();
    for replica in hub.replicas()? {
        let copies = hub.copies_by_collection(replica.id)?;
        let mut of_replica = Vec::new();
        for kind in [Kind::Mail, Kind::Calendar, Kind::Contacts] {
            for place in hub.places(replica.id, kind)? {
                let is_left_out = hub.collection(place.collection)?.is_some_and(|one| one.is_left_out);
                let note = match (is_left_out, place.can_write) {
                    (true, _) => Some("left out"),
                    (false, false) => Some("read only"),
                    (false, true) => None,
                };
                let items = copies.get(&place.collection).copied().unwrap_or(0);
                of_replica.push(Collection { name: place.name, kind: kind.as_str().to_owned(), items, note });
            }
        }
        // Where the most is comes first.
        of_replica.sort_by_key(|one| std::cmp::Reverse(one.items));
        all.insert(replica.name, of_replica);
    }
    Ok(all)
}

/// A run, and what it said of itself.
fn run((run, report): (twofold_hub::Run, Option<String>)) -> Run {
    let report: Value = report.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    let rows = report["replicas"].as_array().map_or(&[][..], Vec::as_slice);
    let sum = |keys: &[&str]| rows.iter().flat_map(|row| keys.iter().filter_map(|key| row[*key].as_u64())).sum::<u64>();
    let taken = sum(&["created", "updated", "moved", "deleted"]);
    let sent = sum(&["sent_created", "sent_updated", "sent_moved", "sent_deleted"]);
    Run {
        id: run.id,
        started_ms: run.started_ms,
        ended_ms: run.finished_ms,
        exit: run.exit,
        // What was taken from one place and sent to another is one change.
        changes: taken.max(sent),
        requests: sum(&["requests"]),
    }
}

fn shown_held(shown: held::Shown) -> Held {
    Held {
        can_be_approved: shown.can_be_approved(),
        can_be_dropped: shown.can_be_dropped(),
        id: shown.hold.id,
        replica: shown.replica,
        kind: shown.hold.kind.as_str().to_owned(),
        collection: shown.collection,
        reason: shown.hold.reason,
        titles: shown.titles,
        people: shown.mails,
        since_ms: shown.hold.since_ms,
    }
}

fn shown_conflict(shown: conflicts::Shown) -> Conflict {
    Conflict {
        id: shown.conflict.id,
        kind: shown.kind.as_str().to_owned(),
        collection: shown.collection,
        title: shown.title,
        fields: shown.conflict.fields,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const MINUTE: i64 = 60_000;

    #[test]
    fn a_kind_is_late_when_it_was_due_three_times_and_a_while_besides() {
        let every = Trigger::Every(10 * MINUTE);
        assert_eq!(late_from(&every, 3 * MINUTE), Some(30 * MINUTE + GRACE_MS));
        // Friday the 27th of November 2026, 18:50: nothing is due before Monday at 8.
        let friday = 1_795_805_400_000;
        let cron = Trigger::cron("0 0 8-18 * * MON-FRI", chrono_tz::Tz::UTC).unwrap();
        let monday = friday + (2 * 24 + 13) * 60 * MINUTE + 10 * MINUTE;
        assert_eq!(late_from(&cron, friday), Some(monday + 2 * 60 * MINUTE + GRACE_MS));
    }

    #[test]
    fn what_was_taken_and_sent_on_is_one_change() {
        let rows = json!({"replicas": [
            {"name": "google", "kind": "mail", "created": 2, "moved": 1, "requests": 7},
            {"name": "laptop", "kind": "mail", "sent_created": 2, "sent_moved": 1, "sent_deleted": 1, "requests": 0},
        ]});
        let ended = twofold_hub::Run { id: 1, started_ms: 2, finished_ms: Some(3), exit: Some(0) };
        let told = run((ended.clone(), Some(rows.to_string())));
        assert_eq!((told.changes, told.requests, told.ended_ms), (4, 7, Some(3)));
        // A run that was cut off said nothing of itself.
        assert_eq!((run((ended, None)).changes, told.id), (0, 1));
    }
}
