//! What the service tells of itself: the facts as they stand in the hub, at the sign-ins and in the process; and what somebody decides on
//! the page, done as the commands do it.

mod standing;

use super::daemon::triggers_of;
use super::disk::{Place, places, room, shortage};
use super::status::signs::hub_size;
use super::{conflicts, handover, held, hints, now_ms};
use crate::config::Config;
use crate::connect;
use crate::daemon::desk::{Desk, Told};
use crate::daemon::live::{self, Live};
use crate::daemon::socket::{UNDECIDED, left_behind};
use crate::daemon::{Decision, Event, systemd};
use crate::endpoint::answer::Teller;
use crate::endpoint::facts::{Board, Budget, Conflict, Disk, Facts, Held, Room, Run, Service, Totals};
use crate::endpoint::page::SPAN_MS;
use standing::{collections, replicas, run};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc::UnboundedSender;
use twofold_cycle::Report;
use twofold_cycle::report::exit;
use twofold_http::{Allowance, Clock};
use twofold_hub::{Hub, Lock};
use twofold_model::{Error, ErrorKind, Kind, Result};

/// The bytes of messages are counted file by file: no more often than this.
const COUNT_AGAIN_MS: i64 = 15 * 60 * 1000;
/// The page waits so long for what was decided on it: longer than the service does for another process.
const WAITS: Duration = Duration::from_secs(7);

/// What the runs of this service did: told by the runs, read by whoever asks.
#[derive(Debug, Default)]
pub(super) struct Tally(Mutex<Totals>);

impl Tally {
    fn locked(&self) -> MutexGuard<'_, Totals> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A run failed as a whole.
    pub(super) fn failed(&self, exit: i32) {
        *self.locked().runs.entry(exit).or_default() += 1;
    }

    /// A run came to its end.
    pub(super) fn ran(&self, report: &Report) {
        let mut totals = self.locked();
        *totals.runs.entry(report.exit).or_default() += 1;
        for row in &report.replicas {
            let Some(kind) = Kind::from_name(&row.kind) else { continue };
            let total = totals.rows.entry((row.name.clone(), kind)).or_default();
            total.requests += row.requests;
            total.bytes += row.bytes_in;
            let taken = [row.created, row.updated, row.moved, row.deleted];
            let sent = [row.sent_created, row.sent_updated, row.sent_moved, row.sent_deleted];
            total.taken.iter_mut().zip(taken).for_each(|(sum, number)| *sum += number as u64);
            total.sent.iter_mut().zip(sent).for_each(|(sum, number)| *sum += number as u64);
        }
    }
}

/// Answers whoever asks over the endpoint.
pub(super) struct Clerk {
    /// The configuration by now.
    pub(super) config: Arc<Mutex<Arc<Config>>>,
    pub(super) live: Arc<Live>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) progress: Arc<systemd::Progress>,
    pub(super) tally: Arc<Tally>,
    /// The service hears here of what was decided …
    pub(super) events: UnboundedSender<Event>,
    /// … and tells here what became of it.
    pub(super) desk: Arc<Desk>,
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

    fn approve(&self, id: String, people: Option<usize>) -> Result<Option<String>> {
        self.decide(Decision::Approve { ids: vec![id], mail_attendees: people.is_some(), people })
    }

    fn drop(&self, id: String) -> Result<Option<String>> {
        self.decide(Decision::Drop { ids: vec![id] })
    }

    fn typed(&self, words: &str) -> String {
        hints::put(words).into_owned()
    }
}

impl Clerk {
    /// Hands on what somebody decided, and waits a while for what becomes of it. Blocks.
    fn decide(&self, decision: Decision) -> Result<Option<String>> {
        let (id, mut told) = self.desk.sign_up();
        // Nobody listens any more: the service ends.
        let _ = self.events.send(Event::Decided { id, decision });
        let outcome = async {
            loop {
                match told.recv().await {
                    Some(Told::Decided(words)) => return Ok(words),
                    Some(Told::Failed { words, exit }) => return Err(handover::refused(words, exit)),
                    Some(_) => {}
                    None => return Err(handover::refused(UNDECIDED.to_owned(), exit::TEMPORARY)),
                }
            }
        };
        let waited = tokio::runtime::Handle::current().block_on(async { tokio::time::timeout(WAITS, outcome).await });
        self.desk.leave(id);
        waited.ok().transpose()
    }

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

    fn facts_of(&self, config: &Config, hub: &Hub, messages: &mut Option<(i64, u64)>) -> Result<Facts> {
        let (now_ms, live) = (now_ms(self.clock.as_ref()), self.live.now());
        let mut facts = facts(config, hub, Some(&live), now_ms)?;
        (facts.service.resident_bytes, facts.service.cpu_s) = process();
        facts.service.totals = self.tally.locked().clone();
        facts.service.is_stuck = self.progress.is_stuck();
        facts.disk.messages = bytes_of_messages(config, now_ms, messages);
        Ok(facts)
    }
}

/// The state of an instance as anybody of its user can look it up, in whatever process; `live`: what its service says of itself, where one
/// runs. What only that process knows (its memory, its totals) is left out, and so are the bytes of messages.
pub(super) fn facts(config: &Config, hub: &Hub, live: Option<&live::Snapshot>, now_ms: i64) -> Result<Facts> {
    let of_service = live.and_then(|live| live.last.as_ref()).map(|last| Run {
        id: last.run.unwrap_or_default(),
        started_ms: last.began_ms,
        ended_ms: Some(last.ended_ms),
        exit: Some(last.exit),
        ..Run::default()
    });
    let in_hub = hub.last_ended_run()?.map(|last| run((last, None)));
    let last_run = in_hub.into_iter().chain(of_service).max_by_key(|run| run.ended_ms);
    let known = triggers_of(config);
    let of_kinds = live.map(|live| &live.exits).filter(|exits| !exits.is_empty());
    let exits = match of_kinds {
        Some(exits) => exits.iter().filter(|(kind, _)| known.contains_key(kind)).map(|(_, exit)| *exit).collect(),
        None => last_run.and_then(|run| run.exit).into_iter().collect(),
    };
    let cut_off_ms = match live.and_then(|live| live.run.as_ref()) {
        Some(_) => None,
        None => cut_off(config, hub, last_run)?,
    };
    let shortage = shortage(config).map(|no_room| no_room.words);
    let service = match live {
        Some(live) => service(live, shortage.as_deref()),
        None => silent(&config.state_dir),
    };
    Ok(Facts {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        now_ms,
        last_run,
        cut_off_ms,
        exits,
        replicas: replicas(config, hub, live.map(|live| live.since_ms))?,
        budgets: connect::budgets_left(config, hub, now_ms)?
            .into_iter()
            .map(|(service, left)| budget(service, left, now_ms))
            .collect(),
        disk: Disk { hub: hub_size(config), messages: 0, rooms: rooms(config) },
        conflicts: hub.conflicts()?.len(),
        unknown_writes: hub.intents()?.iter().filter(|intent| intent.sent_ms.is_some()).count(),
        service: Service { keeper: hints::keeper(config), ..service },
    })
}

/// What is free where the state folder lies, and where that of each device does.
pub(super) fn rooms(config: &Config) -> Vec<Room> {
    let of = |place: Place| {
        let room = room(&place.path, config.keep_free)?;
        Some(Room { device: place.device, free: room.free, floor: room.floor })
    };
    places(config).into_iter().filter_map(of).collect()
}

/// When a run after `last` began that has no end, though nobody is at work on the hub any more. One that failed as a whole says so itself.
fn cut_off(config: &Config, hub: &Hub, last: Option<Run>) -> Result<Option<i64>> {
    let open = |hub: &Hub| -> Result<Option<i64>> {
        let run = hub.last_run()?.filter(|run| run.finished_ms.is_none());
        let known_ms = last.and_then(|run| run.ended_ms);
        Ok(run.map(|run| run.started_ms).filter(|began_ms| known_ms.is_none_or(|known_ms| known_ms <= *began_ms)))
    };
    if open(hub)?.is_none() {
        return Ok(None);
    }
    // It may be at work, or have come to its end since the hub was looked at.
    let Some(_lock) = Lock::take(&config.state_dir)? else { return Ok(None) };
    Hub::look(&config.state_dir)?.map_or(Ok(None), |hub| open(&hub))
}

/// A service that does not answer: one that is there all the same holds its place.
fn silent(state_dir: &Path) -> Service {
    let Some(path) = left_behind(state_dir) else { return Service::default() };
    match Lock::take_service(state_dir) {
        Ok(None) => Service { is_mute: true, ..Service::default() },
        _ => Service { left_behind: Some(path), ..Service::default() },
    }
}

/// `shortage`: what its runs say of a full disk, which is told as such.
fn service(live: &live::Snapshot, shortage: Option<&str>) -> Service {
    let readings = live.run.iter().flat_map(|run| &run.readings);
    Service {
        started_ms: live.since_ms,
        readings: readings.map(|(replica, reading)| (replica.clone(), reading.done, reading.of)).collect(),
        at_work: live.run.as_ref().map(|run| (run.began_ms, run.kinds.clone())),
        next_run_ms: live.next_ms,
        refused: live.refused.clone(),
        troubles: live.troubles.iter().filter(|words| Some(words.as_str()) != shortage).cloned().collect(),
        ..Service::default()
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

/// The share of a service's budget that is left: of requests or of units, whatever is less.
fn budget(service: String, left: Allowance, now_ms: i64) -> Budget {
    let share = |left: u64, of: u32| left as f64 / f64::from(of.max(1));
    let shares = [left.requests.map(|(left, of, _)| share(left, of)), left.units.map(|(left, of)| share(left, of))];
    let pause_ms = left.pause_until_ms.map_or(0, |until| until.saturating_sub(now_ms.unsigned_abs()));
    Budget { service, left: shares.into_iter().flatten().fold(1.0, f64::min), pause_ms }
}

/// The bytes of messages, counted now and then.
fn bytes_of_messages(config: &Config, now_ms: i64, counted: &mut Option<(i64, u64)>) -> u64 {
    if counted.is_none_or(|(at_ms, _)| (now_ms - at_ms).abs() >= COUNT_AGAIN_MS) {
        let bytes = connect::blobs_kept(config).ok().flatten().map_or(0, |(_, bytes)| bytes);
        *counted = Some((now_ms, bytes));
    }
    counted.map_or(0, |(_, bytes)| bytes)
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
