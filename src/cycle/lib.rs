//! One sync cycle from first to last: the story of the program.
//!
//! Four barriers (the design's rules of the engine): settle what an earlier run left open, pull every feed to its end,
//! decide once per item over all replicas together, write and settle each outcome. What a pull saw is stored as *sightings*
//! in the transaction that moves the feed's token, so a stop between any two steps loses nothing: the next run goes on with
//! the sightings and intents it finds.
//!
//! The rooms, in the order in which they are walked: [`arrange`] (collections), [`scope`] (what is left out), [`settle`] (intents with an
//! unknown fate), [`pull`] (feeds into sightings, through [`intake`]: one copy against what is known of it; a place that
//! says nothing holds nobody: `late`; what hung is left alone: `hung`), [`behind`] (what moved while
//! it was listed), [`mod@bodies`] (the bytes of messages), [`known`] (those that are here already), [`confirm`] (second looks, brakes),
//! [`meet`] (which copy is which item), [`likeness`] (files that a program wrote anew), [`lost`] (too much is missing somewhere),
//! [`mod@sweep`] (slow looks), [`weigh`] (decide and plan one item), [`mod@write`] (carry out, settle), [`joins`] (collections that a
//! changed configuration makes one, or several), [`prune`] (let go of what is past its time), [`report`]. `tell` is the log of changes.

pub mod arrange;
pub mod behind;
pub mod bodies;
pub mod confirm;
mod hung;
pub mod intake;
pub mod joins;
pub mod known;
mod late;
pub mod likeness;
pub mod lost;
pub mod meet;
pub mod prune;
pub mod pull;
pub mod report;
pub mod scope;
pub mod settle;
pub mod sweep;
mod tell;
pub mod weigh;
pub mod write;

pub use bodies::Reading;
pub use report::{ReplicaReport, Report};

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;
use tracing::Instrument;
use twofold_engine::brake::Brake;
use twofold_hub::{Hub, Replica};
use twofold_model::email::scope::Scope;
use twofold_model::zone::Zones;
use twofold_model::{Arrival, Blobs, Connector, Error, ErrorKind, Kind, RemoteId, Result, Usage, Visit};

/// Items decided in one transaction and written together: keeps memory flat however large the first sync.
pub const SLICE: usize = 500;

/// How long a place's lists may go on showing what is gone there: a day is far more than any is known to lag.
const DEPARTED_MS: i64 = 24 * 3_600_000;

/// How often items whose state moved under a write are taken up again within one run.
const PASSES: usize = 4;

/// How often a kind is gone through in one run: once, and once more after each rearrangement that a changed `[[join]]` asks
/// for (apart, then together), or when a collection that was to go stays after all.
const ROUNDS: usize = 3;

/// One replica taking part in the cycle.
pub struct Party {
    /// Its name in the configuration.
    pub name: String,
    /// A device folder, not a provider.
    pub is_device: bool,
    /// The kinds that are kept in step there.
    pub kinds: Vec<Kind>,
    /// Those of its kinds that take no part in this run, and why where that is to be told: a right that was not granted. What is left alone
    /// for a while has no reason here: the run before told it.
    pub absent: BTreeMap<Kind, Option<Error>>,
    /// The address of the account behind it, where it has one that is known.
    pub account: Option<String>,
    /// The place itself, or why it cannot be opened.
    pub connector: Result<Arc<dyn Connector>>,
}

/// Collections that are one and the same (`[[join]]`): names or roles, as `replica:collection`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Join {
    /// The kind.
    pub kind: Kind,
    /// `microsoft365:Contacts`, `google:default`.
    pub collections: Vec<(String, String)>,
}

/// What a run is asked to do.
pub struct Settings {
    /// The time, in milliseconds since 1970.
    pub now_ms: Box<dyn Fn() -> i64 + Send + Sync>,
    /// Which kinds; all that are configured when empty.
    pub only_kinds: Vec<Kind>,
    /// List everything in full and compare, whatever the tokens say.
    pub full_check: bool,
    /// The moment, by the time that it is: what was listed in full then or earlier is listed in full again. Milliseconds since 1970.
    pub outdated_ms: Box<dyn Fn(i64) -> i64 + Send + Sync>,
    /// Change nothing anywhere; say what would be done.
    pub dry_run: bool,
    /// How long what is overwritten or deleted is kept, in milliseconds; `None`: nothing is pruned in this run, because not
    /// all configured replicas take part in it.
    pub retention_ms: Option<i64>,
    /// Whether a write may mail people; if not, one that would is held (promise 7), and a new meeting asks nobody to come.
    pub may_mail: bool,
    /// The rules of time zones: whether a meeting is over.
    pub zones: Arc<dyn Zones>,
    /// Try what waits in quarantine now.
    pub retry_quarantined: bool,
    /// Where the bytes of messages are kept; `None`: no kind that takes part has any.
    pub blobs: Option<Arc<dyn Blobs>>,
    /// Exit codes of what stands in the way at places that are left alone in this run: it is not aligned without them.
    pub left_alone: Vec<i32>,
    /// Nobody asked for this run: what hung lately is left alone.
    pub leaves_alone: bool,
    /// The brake of each kind.
    pub brakes: BTreeMap<Kind, Brake>,
    /// Collections that are one and the same.
    pub joins: Vec<Join>,
    /// What of each provider's mail is kept in step, by its name; all of it where there is none.
    pub scopes: BTreeMap<String, Scope>,
    /// Told how the run goes on (progress bars).
    pub progress: Arc<dyn Progress>,
    /// Says where there is too little room on a disk, if there is: the run ends at the next clean point, before a disk is full.
    pub room: Box<dyn Fn() -> Option<NoRoom> + Send + Sync>,
    /// What the run is told while it is under way.
    pub calls: Calls,
}

/// There is too little room on a disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoRoom {
    /// The device whose folder is there; empty: the state folder.
    pub replica: String,
    /// For people; the same as long as it lasts.
    pub words: String,
}

/// What a run is told while it is under way.
#[derive(Clone, Debug, Default)]
pub struct Calls {
    /// The process was asked to stop: the run ends at the next clean point.
    pub stop: Arc<AtomicBool>,
    /// Others wait: a run that reads the bytes of many messages reads a part of them, and leaves the rest to the next.
    pub give_way: Arc<AtomicBool>,
    /// Anything waits for this run to end, be it what the run itself wrote: a place that says nothing is not waited for any more.
    pub is_waited_for: Arc<AtomicBool>,
    /// How many calls are under way that change something at a place: these are waited for where the process is to end.
    pub changing: Arc<AtomicUsize>,
}

impl Calls {
    /// A call that changes something at a place is under way until the answer is dropped.
    #[must_use]
    pub fn changing(&self) -> Changing {
        self.changing.fetch_add(1, Ordering::SeqCst);
        Changing(self.changing.clone())
    }
}

/// A call that changes something at a place; it is over when this is dropped.
#[derive(Debug)]
pub struct Changing(Arc<AtomicUsize>);

impl Drop for Changing {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Is told how a run goes on.
pub trait Progress: Send + Sync {
    /// `done` of about `of` (0: unknown) steps of a phase are over.
    fn at(&self, phase: &str, done: usize, of: usize);

    /// The bytes of messages are read at a replica: told before the first and after each part, a part being some seconds of work or more.
    fn reading(&self, _replica: &str, _reading: Reading) {}

    /// An exchange with a place is over, however it ended, or a transaction begins: the run is not stuck. Told often.
    fn step(&self) {}
}

/// Tells nobody.
pub struct Silent;

impl Progress for Silent {
    fn at(&self, _phase: &str, _done: usize, _of: usize) {}
}

/// A replica as the cycle works with it: its row in the hub, and what of it can be reached in this run.
pub struct Member {
    /// The hub's row.
    pub replica: Replica,
    /// The kinds.
    pub kinds: Vec<Kind>,
    /// The address of the account behind it, where it has one that is known.
    pub account: Option<String>,
    /// The place, when it can be reached.
    pub connector: Option<Arc<dyn Connector>>,
    /// Why not, when it cannot.
    pub trouble: Option<Error>,
    /// Kinds of which it is absent in this run, and why where that is to be told: it may be there for the others.
    pub absent: BTreeMap<Kind, Option<Error>>,
    /// Collections of the kind that is gone through that are not made there before what is in them may go there.
    pub waiting: Vec<i64>,
    /// Kinds of which it said nothing in time: they are gone through without it, and once more with it when all else is done.
    pub late: BTreeSet<Kind>,
    /// Kinds of which nothing is written there in this run, because it hung over what was: it is read all the same.
    pub unwritten: BTreeSet<Kind>,
    /// Kinds of which every feed was read to its end in this run.
    pub complete: BTreeSet<Kind>,
    /// Kinds of which no feed at all could be read to its end, for a reason that may pass.
    pub stumbles: BTreeSet<Kind>,
    /// Kinds of which it asked us to wait for longer than others could be held, and for how many seconds.
    pub throttled: BTreeMap<Kind, u64>,
    /// Collections (the hub's) whose feed could not be read to its end in this run: what was not seen of them is not known to be as it was.
    pub unread: BTreeSet<i64>,
    /// What it had used of the network when it went away.
    pub used: Usage,
    /// What of that is in the report.
    pub counted: Usage,
    /// How many of its writes were given up because it hung, as far as that was taken in.
    pub silent_writes: u64,
    /// How far reading the bytes of its messages has come in this run.
    pub reading: Reading,
    /// How many of them are asked for at once; none any more in this run where our own disk did not take one.
    pub ask: usize,
    /// The bytes that it was asked for and that are still to come.
    pub under_way: Option<bodies::Request>,
    /// Copies whose bytes could not be had in this run: they are asked for in the next one.
    pub unreadable: BTreeSet<RemoteId>,
    /// Copies that are said to be gone, and were read in this run as they were: whether they stay is not known, and they can be moved and
    /// copied.
    pub still_read: BTreeSet<RemoteId>,
}

impl Member {
    /// The place, when it takes part in this kind and can be reached.
    pub fn reached(&self, kind: Kind) -> Option<&Arc<dyn Connector>> {
        let takes_part = self.kinds.contains(&kind) && !self.absent.contains_key(&kind) && !self.late.contains(&kind);
        self.connector.as_ref().filter(|_| takes_part)
    }

    /// The place, when something of this kind may be written there, too.
    pub fn written(&self, kind: Kind) -> Option<&Arc<dyn Connector>> {
        self.reached(kind).filter(|_| !self.unwritten.contains(&kind))
    }

    /// What it has used of the network in this run.
    pub fn usage(&self) -> Usage {
        self.connector.as_ref().map_or(self.used, |connector| connector.usage())
    }

    /// Whether all of it is better left alone for a while: it could not be reached, and that may pass by itself or with a sign-in.
    pub fn is_away(&self) -> bool {
        let may_pass = |error: &Error| error.kind.is_temporary() || error.kind == ErrorKind::SignInNeeded;
        self.trouble.as_ref().is_some_and(may_pass)
    }

    /// Whether a kind is better left alone for a while: all of the replica is, or the kind failed or stumbled, which may pass by itself. A
    /// right that was not granted is nothing that is asked for, and needs no pause.
    pub fn is_down(&self, kind: Kind) -> bool {
        let why = self.absent.get(&kind).and_then(Option::as_ref);
        self.is_away() || self.stumbles.contains(&kind) || why.is_some_and(|error| error.kind.is_temporary())
    }

    /// From now on the replica is absent of a kind, or of all where the error speaks of all of it: a device, a sign-in, the way there.
    pub fn lose_kind(&mut self, kind: Kind, error: Error) {
        if self.replica.is_device || matches!(error.kind, ErrorKind::SignInNeeded | ErrorKind::Offline) {
            return self.lose(error);
        }
        self.note_throttled(kind, &error);
        self.complete.remove(&kind);
        self.absent.entry(kind).or_insert(Some(error));
    }

    /// Notes that it asked us to wait, if it did. Whether it did.
    pub fn note_throttled(&mut self, kind: Kind, error: &Error) -> bool {
        let ErrorKind::Throttled { retry_after_s } = error.kind else { return false };
        let known_s = self.throttled.entry(kind).or_default();
        *known_s = retry_after_s.unwrap_or(0).max(*known_s);
        true
    }

    /// From now on the replica is absent: its column is "unknown".
    pub fn lose(&mut self, error: Error) {
        self.used = self.usage();
        self.connector = None;
        self.complete.clear();
        self.trouble.get_or_insert(error);
    }
}

/// Everything one run works with.
pub struct Cycle<'a> {
    /// The store.
    pub hub: &'a mut Hub,
    /// The replicas.
    pub members: Vec<Member>,
    /// What was asked.
    pub settings: &'a Settings,
    /// What happened so far.
    pub report: Report,
    /// The number of this run.
    pub run: i64,
    /// What is left out of the kind that is gone through.
    pub left_out: Arc<scope::LeftOut>,
    /// All else of this run is done: those who were late are waited for.
    pub waits_for_late: bool,
    /// Where there was too little room, once that was seen.
    pub full: OnceLock<NoRoom>,
}

impl Cycle<'_> {
    /// The time, in milliseconds since 1970.
    pub fn now(&self) -> i64 {
        (self.settings.now_ms)()
    }

    /// How old a full listing may be by that moment, in milliseconds.
    pub fn full_check_ms(&self, now_ms: i64) -> i64 {
        now_ms.saturating_sub((self.settings.outdated_ms)(now_ms))
    }

    /// The member with that key.
    pub fn member(&self, replica: i64) -> Option<&Member> {
        self.members.iter().find(|member| member.replica.id == replica)
    }

    /// Whether that key is a device's that takes part.
    pub fn is_device(&self, replica: i64) -> bool {
        self.member(replica).is_some_and(|member| member.replica.is_device)
    }

    /// The kinds that take part in this run, in the order in which they are gone through: messages, which may take hours, hold nobody.
    pub fn kinds(&self) -> Vec<Kind> {
        let is_asked = |kind: &Kind| self.settings.only_kinds.is_empty() || self.settings.only_kinds.contains(kind);
        let takes_part = |kind: &Kind| self.members.iter().any(|member| member.kinds.contains(kind));
        [Kind::Calendar, Kind::Contacts, Kind::Mail].into_iter().filter(is_asked).filter(takes_part).collect()
    }

    /// Whether the run is to end at this clean point: the process was asked to stop, or a disk has too little room.
    pub fn must_stop(&self) -> bool {
        self.is_stopped() || self.has_no_room()
    }

    /// Whether the process was asked to stop.
    pub fn is_stopped(&self) -> bool {
        self.settings.calls.stop.load(Ordering::SeqCst)
    }

    /// Whether others wait for what takes long in this run.
    pub fn gives_way(&self) -> bool {
        self.settings.calls.give_way.load(Ordering::SeqCst)
    }

    /// Whether anything waits for this run to end.
    pub fn is_waited_for(&self) -> bool {
        self.settings.calls.is_waited_for.load(Ordering::SeqCst)
    }

    /// Whether there is too little room on a disk; once there was, the run does not go on.
    fn has_no_room(&self) -> bool {
        if self.full.get().is_none()
            && !self.settings.dry_run
            && let Some(no_room) = (self.settings.room)()
        {
            self.full.get_or_init(|| no_room);
        }
        self.full.get().is_some()
    }
}

/// Runs one cycle and says what moved. Only the hub's own failure ends it with an error; everything else is in the report.
pub async fn cycle(hub: &mut Hub, parties: Vec<Party>, settings: &Settings) -> Result<Report> {
    let started = (settings.now_ms)();
    hub.set_blobs(settings.blobs.clone());
    if settings.dry_run {
        hub.begin_dry_run()?;
    }
    let result = run(hub, parties, settings, started).await;
    hub.set_blobs(None);
    if settings.dry_run {
        hub.forget_all_since()?;
    }
    result
}

async fn run(hub: &mut Hub, parties: Vec<Party>, settings: &Settings, started: i64) -> Result<Report> {
    let run = hub.begin_run(started)?;
    walk(hub, parties, settings, started, run).instrument(tell::span(run, settings.dry_run)).await
}

async fn walk(hub: &mut Hub, parties: Vec<Party>, settings: &Settings, started: i64, run: i64) -> Result<Report> {
    let mut members = Vec::with_capacity(parties.len());
    for party in parties {
        members.push(join_in(hub, party, settings, run, started).await?);
    }
    // Providers first: what a device brings is paired with what they hold.
    members.sort_by(|a, b| (a.replica.is_device, &a.replica.name).cmp(&(b.replica.is_device, &b.replica.name)));
    let mut cycle = Cycle {
        hub,
        members,
        settings,
        report: Report::new(run),
        run,
        left_out: Arc::default(),
        waits_for_late: false,
        full: OnceLock::new(),
    };
    if settings.retry_quarantined {
        cycle.hub.retry_quarantined()?;
    }
    for kind in cycle.kinds() {
        if cycle.has_no_room() {
            break;
        }
        go_through(&mut cycle, kind).await?;
    }
    cycle.waits_for_late = true;
    for kind in cycle.kinds() {
        if cycle.members.iter().any(|member| member.late.contains(&kind)) && !cycle.must_stop() {
            cycle.members.iter_mut().for_each(|member| member.late.retain(|late| *late != kind));
            go_through(&mut cycle, kind).await?;
        }
    }
    // Wherever it ended: nobody can say that all was read.
    cycle.report.stopped |= cycle.is_stopped();
    finish(cycle, started).await
}

/// One kind, as often as what is rearranged asks for.
async fn go_through(cycle: &mut Cycle<'_>, kind: Kind) -> Result<()> {
    hung::leave_unwritten(cycle, kind)?;
    for _ in 0..ROUNDS {
        if !round(cycle, kind).await? || cycle.must_stop() {
            break;
        }
        let is_rearranged = joins::rearrange(cycle, kind)?;
        let is_back = arrange::remove::finish(cycle, kind).await?;
        if !is_rearranged && !is_back && !arrange::waits_no_more(cycle, kind)? {
            break;
        }
    }
    arrange::remove::clear_away(cycle, kind).await?;
    hung::look_at_writes(cycle, kind)?;
    hung::were_written(cycle, kind)?;
    report::count_usage(cycle, kind);
    Ok(())
}

/// One kind, from its collections to the last write. `false`: the configuration does not fit what is there, and nothing was
/// touched.
async fn round(cycle: &mut Cycle<'_>, kind: Kind) -> Result<bool> {
    if !arrange::arrange(cycle, kind).await? {
        return Ok(false);
    }
    hung::look_at_writes(cycle, kind)?;
    settle::settle(cycle, kind, true).await?;
    pull::pull(cycle, kind).await?;
    catch_up(cycle, kind)?;
    meet_all(cycle, kind).await?;
    sweep::sweep(cycle, kind).await?;
    confirm_all(cycle, kind).await?;
    if cycle.must_stop() {
        // What is held is weighed over all answers, and some may be missing.
        cycle.report.stopped = true;
        return Ok(true);
    }
    confirm::brake(cycle, kind)?;
    decide_and_write(cycle, kind).await?;
    // What messages say beyond a list comes in parts, so that the newest are at the devices while the oldest are still read.
    let mut span = bodies::SPAN;
    while !cycle.must_stop() && bodies::bodies(cycle, kind, span).await? == bodies::Part::More {
        let began = Instant::now();
        meet::meet(cycle, kind).await?;
        decide_and_write(cycle, kind).await?;
        // What takes long each time (thousands of files that wait for their messages) comes less often.
        span = bodies::SPAN.max(began.elapsed() * 10);
        if cycle.gives_way() && bodies::are_left(cycle, kind)? {
            cycle.report.gave_way = true;
            break;
        }
    }
    cycle.members.iter_mut().for_each(|member| member.under_way = None);
    arrange::missing::count(cycle, kind)?;
    arrange::remove::bury(cycle, kind)?;
    Ok(true)
}

/// Asks for what is said to be gone; what a device then says is nowhere may have gone to a folder that was listed before, under another name.
async fn confirm_all(cycle: &mut Cycle<'_>, kind: Kind) -> Result<()> {
    let mut missed_at = confirm::confirm(cycle, kind).await?;
    for _ in 1..ROUNDS {
        if missed_at.is_empty() || cycle.must_stop() {
            break;
        }
        pull::pull_from(cycle, kind, missed_at.clone()).await?;
        meet_all(cycle, kind).await?;
        missed_at = confirm::ask(cycle, kind, missed_at).await?;
    }
    Ok(())
}

/// Binds all that was seen, after a look behind.
async fn meet_all(cycle: &mut Cycle<'_>, kind: Kind) -> Result<()> {
    behind::look(cycle, kind).await?;
    meet::meet(cycle, kind).await
}

/// Opens one replica: is it the place that the hub knows?
async fn join_in(hub: &mut Hub, party: Party, settings: &Settings, run: i64, now_ms: i64) -> Result<Member> {
    let replica = hub.replica(&party.name, party.is_device)?;
    let mut member = Member {
        replica,
        kinds: party.kinds,
        account: party.account,
        connector: None,
        trouble: None,
        absent: party.absent,
        waiting: Vec::new(),
        late: BTreeSet::new(),
        unwritten: BTreeSet::new(),
        complete: BTreeSet::new(),
        stumbles: BTreeSet::new(),
        throttled: BTreeMap::new(),
        unread: BTreeSet::new(),
        used: Usage::default(),
        counted: Usage::default(),
        silent_writes: 0,
        reading: Reading::default(),
        ask: bodies::ASK,
        under_way: None,
        unreadable: BTreeSet::new(),
        still_read: BTreeSet::new(),
    };
    match party.connector {
        Err(error) => member.lose(error),
        Ok(connector) => {
            let last_run = hub.marked_run(member.replica.id)?.unwrap_or(run - 1);
            let visit = Visit {
                is_known: member.replica.met,
                hub_is_empty: hub.is_empty()?,
                is_dry_run: settings.dry_run,
                run,
                last_run,
                wrote_run: hub.wrote_run(member.replica.id)?,
            };
            match connector.arrive(visit).await {
                Ok(Arrival::OfLaterRun(words)) => {
                    // Noted once, however often the folder goes and comes back.
                    let noted = format!("later {}", member.replica.id);
                    if hub.meta(&noted)?.as_ref() != Some(&words) {
                        hub.atomically("folder of a later run", |hub| {
                            hub.note_restored()?;
                            hub.set_meta(&noted, &words)
                        })?;
                    }
                    let error = Error::new(ErrorKind::Held, words);
                    member.lose(error);
                }
                Ok(arrival) => {
                    if arrival == Arrival::OfLostHub {
                        lost::note(hub)?;
                    }
                    // Noted before the place's marker can take the number: a marker is never ahead of its own hub.
                    if member.replica.is_device {
                        hub.set_marked_run(member.replica.id, run)?;
                    }
                    connector.learn_names(hub.names(member.replica.id)?);
                    member.silent_writes = connector.usage().silent_writes;
                    member.connector = Some(connector);
                }
                Err(error) => member.lose(error),
            }
        }
    }
    device_hold(hub, &member, now_ms)?;
    Ok(member)
}

/// A known device whose marker or path is missing is held as a whole, until it is back or filled anew.
fn device_hold(hub: &mut Hub, member: &Member, now_ms: i64) -> Result<()> {
    if !member.replica.is_device {
        return Ok(());
    }
    let open = hub.open_hold(member.replica.id, None, "device")?;
    let is_held = member.trouble.as_ref().is_some_and(|error| error.kind == ErrorKind::Held);
    // What is held as a whole is not held folder by folder besides, and of a kind that it keeps no more nobody reads a folder.
    for hold in hub.holds()?.into_iter().filter(|hold| hold.replica == member.replica.id && hold.cause == "folder") {
        if is_held || !member.kinds.contains(&hold.kind) {
            hub.remove_hold(&hold.id)?;
        }
    }
    match (&member.trouble, open) {
        (Some(error), open) if error.kind == ErrorKind::Held => hub.set_hold(&twofold_hub::Hold {
            id: open.map_or_else(|| format!("device-{}", &twofold_hub::random_id()[..6]), |hold| hold.id),
            replica: member.replica.id,
            collection: None,
            kind: Kind::Contacts,
            cause: "device".into(),
            reason: error.to_string(),
            since_ms: now_ms,
            is_approved: false,
        }),
        (None, Some(hold)) => hub.remove_hold(&hold.id),
        _ => Ok(()),
    }
}

/// What a replica that was away may need is computed from its bases, now that it is back (ENGINE 23).
///
/// Keeps promise 12: the list and the end of the note are one transaction, so that a stop forgets neither.
fn catch_up(cycle: &mut Cycle<'_>, kind: Kind) -> Result<()> {
    // Also one that was away for a part of this very run.
    let behind: BTreeSet<i64> =
        cycle.hub.replicas()?.into_iter().filter(|replica| replica.behind).map(|replica| replica.id).collect();
    let is_behind = |member: &&mut Member| member.reached(kind).is_some() && behind.contains(&member.replica.id);
    for member in cycle.members.iter_mut().filter(is_behind) {
        let replica = member.replica.id;
        cycle.hub.atomically("catch up", |hub| {
            hub.todo_for_returned(replica)?;
            hub.set_behind(replica, false)
        })?;
        // It may go away again in this very run, and must be noted anew then.
        member.replica.behind = false;
    }
    Ok(())
}

async fn decide_and_write(cycle: &mut Cycle<'_>, kind: Kind) -> Result<()> {
    let total = cycle.hub.todo_count()?;
    let mut again: Option<BTreeSet<i64>> = None;
    for pass in 1..=PASSES {
        let (mut after, mut done) = (0, 0);
        let mut moved = BTreeSet::new();
        loop {
            let slice = match &again {
                None => cycle.hub.todo(kind, after, SLICE)?,
                Some(items) => items.range(after + 1..).take(SLICE).copied().collect(),
            };
            let Some(last) = slice.last() else { break };
            after = *last;
            done += slice.len();
            cycle.settings.progress.at("writing", done, total);
            let plans = weigh::weigh(cycle, kind, &slice)?;
            if !cycle.settings.dry_run {
                moved.extend(write::write(cycle, kind, plans, pass > 1).await?);
            }
            if cycle.must_stop() {
                cycle.report.stopped = true;
                return Ok(());
            }
        }
        if moved.is_empty() {
            break;
        }
        if pass == PASSES {
            cycle.report.codes.push(report::exit::TEMPORARY);
            cycle.report.say(format!(
                "{} items changed each time they were written; what they say is kept and was not sent. Run again: twofold sync",
                moved.len()
            ));
        }
        // A write whose fate is unknown is looked for at once where that is possible.
        settle::settle(cycle, kind, false).await?;
        confirm_all(cycle, kind).await?;
        if cycle.must_stop() {
            cycle.report.stopped = true;
            return Ok(());
        }
        // What the writes found to be gone counts for the brakes like all else.
        confirm::brake(cycle, kind)?;
        again = Some(moved);
    }
    Ok(())
}

fn down_key(replica: i64) -> String {
    format!("down {replica}")
}

/// The kinds of which a replica could not be reached, or stumbled, in the last run of each.
pub fn was_down(hub: &Hub, replica: i64) -> Result<BTreeSet<Kind>> {
    let noted = hub.meta(&down_key(replica))?.unwrap_or_default();
    // Before there were kinds, all of them were noted as "1".
    let was = |kind: &Kind| noted == "1" || noted.split(',').any(|word| word == kind.as_str());
    Ok([Kind::Mail, Kind::Calendar, Kind::Contacts].into_iter().filter(was).collect())
}

/// Remembers of which kinds a replica could not be reached. A run of some kinds says nothing of the others.
fn note_down(cycle: &mut Cycle<'_>, index: usize) -> Result<()> {
    let (looked_at, member) = (cycle.kinds(), &cycle.members[index]);
    let key = down_key(member.replica.id);
    let before = cycle.hub.meta(&key)?.unwrap_or_default();
    let were = was_down(cycle.hub, member.replica.id)?;
    let is_left_alone = |kind: &Kind| matches!(member.absent.get(kind), Some(None));
    let is_down = |kind: &&Kind| match looked_at.contains(kind) && (member.is_away() || !is_left_alone(kind)) {
        true => member.is_down(**kind),
        false => were.contains(kind),
    };
    let now: Vec<&str> = member.kinds.iter().filter(is_down).map(|kind| kind.as_str()).collect();
    let now = now.join(",");
    if now != before {
        cycle.hub.set_meta(&key, &now)?;
    }
    Ok(())
}

async fn finish(mut cycle: Cycle<'_>, started: i64) -> Result<Report> {
    let run = cycle.run;
    let now = cycle.now();
    for index in 0..cycle.members.len() {
        let (id, met) = (cycle.members[index].replica.id, cycle.members[index].replica.met);
        if let (Some(connector), false) = (cycle.members[index].connector.clone(), cycle.settings.dry_run) {
            let departed = {
                let _changing = cycle.settings.calls.changing();
                connector.depart(run).await
            };
            match departed {
                Ok(true) => cycle.hub.set_wrote_run(id, run)?,
                Ok(false) => {}
                Err(error) => cycle.members[index].lose(error),
            }
        }
        note_down(&mut cycle, index)?;
        let member = &cycle.members[index];
        let first = member.trouble.as_ref().or_else(|| member.absent.values().flatten().next());
        // Nothing is known anew of what is left alone.
        let before = member.replica.trouble.clone().filter(|_| member.absent.values().any(Option::is_none));
        let trouble = first.map(Error::to_string).or(before);
        let own: Vec<Kind> = cycle.kinds().into_iter().filter(|kind| member.kinds.contains(kind)).collect();
        if member.trouble.is_none() && (own.is_empty() || own.iter().any(|kind| member.reached(*kind).is_some())) {
            cycle.hub.set_reached(id, now)?;
            if !met {
                cycle.hub.set_met(id, true)?;
            }
        }
        if let Some(words) = trouble {
            cycle.hub.set_trouble(id, &words)?;
        }
    }
    cycle.hub.end_empty_holds(now)?;
    cycle.hub.forget_departed(now - DEPARTED_MS, now)?;
    prune::prune(&mut cycle, now)?;
    report::complete(&mut cycle, started)?;
    tell::held(&cycle, started)?;
    let report = cycle.report;
    let text = serde_json::to_string(&report)
        .map_err(|error| Error::new(ErrorKind::Broken, "the run's report cannot be written").with_source(error))?;
    cycle.hub.end_run(run, now, report.exit, &text)?;
    Ok(report)
}
