//! Asks for the bytes of messages that a pull saw without them, newest first, a part at a time.
//!
//! Lists of messages show no bytes, so a pull is quick and its tokens move. What was seen waits in the hub until its bytes are here; only
//! then is it met and made anywhere else. Places are asked side by side, each at its own pace. What came is made durable every second, so that a first sync that was stopped goes on where it
//! was. Where the run is asked to stop, no further request leaves, and what is under way is waited for, so that no message is read twice
//! but one whose answer did not come. What is here already is not asked for (`known`).

use crate::Cycle;
use crate::intake::{Alone, Intake};
use crate::known::{self, Filled};
use crate::report::exit;
use futures_util::future::try_join_all;
use std::collections::{BTreeSet, HashSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::Instrument;
use twofold_hub::{Hub, Sighting};
use twofold_model::{
    Connector, Error, ErrorKind, Identity, Kind, Lens, Place, RemoteId, Rendering, Result, Seen, Taker, Uid, Unread,
};

/// So many copies are asked for at once, at most.
pub const ASK: usize = 200;
/// And so many at least, however long a place takes for them.
const ASK_AT_LEAST: usize = 20;
/// Asking for more takes too long: nobody sees it come.
const ASK_MS: u64 = 5_000;
/// What came is made durable so often, in milliseconds: no more than that is read again when the process is killed.
const KEEP_MS: u64 = 250;
/// So often it is seen whether the run is to stop.
const LOOK_MS: u64 = 250;
/// What is under way when the run is to stop is waited for so long: its answers are kept, and the rest of promise 12's ten seconds is for what
/// follows.
const GRACE_MS: u64 = 3_000;
/// A place that has said nothing for so long when a part is due to end holds it no longer: its answers are taken by the next one.
const SILENCE: Duration = Duration::from_secs(3);
/// A message whose bytes could not be had in so many runs, in which all else could, is set aside.
const TRIES: u32 = 3;
/// More copies than this of which a place says so at once: it is the place, not they…
const OWN_AT_MOST: usize = 20;
/// …unless it goes on saying so of them, and of nothing else, for so many runs.
const MANY_TRIES: u32 = 20;
/// After so many that were read, or after some time ([`SPAN`]), what is here is made at the devices before it goes on.
const PART: usize = 2000;
/// After so long, where what follows takes little time.
pub const SPAN: Duration = Duration::from_secs(5);

/// What became of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Nothing is left to be asked for.
    Through,
    /// Something came; there is more.
    More,
    /// What is left cannot be had now.
    Stuck,
}

/// Asks every reachable replica for the next bytes.
///
/// Keeps promise 2: bytes are durable before the transaction that names them; and promise 9: a message whose bytes cannot be read
/// is set aside alone.
pub async fn bodies(cycle: &mut Cycle<'_>, kind: Kind, span: Duration) -> Result<Part> {
    if cycle.settings.dry_run {
        return without_reading(cycle, kind).await;
    }
    let mut part = Part::Through;
    let mut asking: Vec<(usize, HashSet<i64>)> = Vec::new();
    for index in 0..cycle.members.len() {
        let replica = cycle.members[index].replica.clone();
        if cycle.members[index].reached(kind).is_none() {
            continue;
        }
        if cycle.hub.lacking_bodies(replica.id, 1)?.is_empty() {
            known::let_go(cycle, kind, index)?;
            continue;
        }
        let untouched = crate::pull::untouched(cycle, &replica, &cycle.hub.places(replica.id, kind)?)?;
        match known::fill(cycle, kind, index, &untouched).await? {
            Filled::Waits => {
                part = part.max_of(Part::Stuck);
                continue;
            }
            Filled::Some => part = part.max_of(Part::More),
            Filled::None => {}
        }
        asking.push((index, untouched));
    }
    let turn = Turn::of(cycle, kind, span, asking.len());
    let reads = asking.iter().map(|(index, untouched)| turn.read(*index, untouched));
    for read in try_join_all(reads).await? {
        part = part.max_of(read);
    }
    if part == Part::Stuck {
        cycle.report.codes.push(exit::TEMPORARY);
    }
    cycle.report.stopped |= part != Part::Through && cycle.must_stop();
    Ok(part)
}

/// What a dry run can say of messages without their bytes: what is here already is taken over, and the others are counted.
async fn without_reading(cycle: &mut Cycle<'_>, kind: Kind) -> Result<Part> {
    let mut part = Part::Through;
    for index in 0..cycle.members.len() {
        if cycle.members[index].reached(kind).is_none() {
            continue;
        }
        let replica = cycle.members[index].replica.clone();
        let untouched = crate::pull::untouched(cycle, &replica, &cycle.hub.places(replica.id, kind)?)?;
        if known::fill(cycle, kind, index, &untouched).await? == Filled::Some {
            part = Part::More;
        }
        cycle.report.row(&replica.name, kind).would_read = cycle.hub.lacking_messages(replica.id)?;
    }
    Ok(part)
}

/// Whether a replica that can be reached has more messages to be read, of which nobody knows that they cannot be.
pub fn are_left(cycle: &Cycle<'_>, kind: Kind) -> Result<bool> {
    for member in cycle.members.iter().filter(|member| member.reached(kind).is_some()) {
        if cycle.hub.lacking_bodies(member.replica.id, member.unreadable.len() + 1)?.len() > member.unreadable.len() {
            return Ok(true);
        }
    }
    Ok(false)
}

impl Part {
    /// Of two replicas, the one that goes on decides.
    fn max_of(self, other: Part) -> Part {
        match (self, other) {
            (Part::More, _) | (_, Part::More) => Part::More,
            (Part::Stuck, _) | (_, Part::Stuck) => Part::Stuck,
            _ => Part::Through,
        }
    }
}

/// A part, read at several replicas side by side. Whoever has an answer takes the cycle for as long as it takes to keep it.
struct Turn<'t, 'c> {
    cycle: Mutex<&'t mut Cycle<'c>>,
    kind: Kind,
    since: Instant,
    /// The part ends after so long, once something came.
    span: Duration,
    /// Messages that were read.
    read: AtomicUsize,
    /// Replicas that still ask for what they were asking for when the part was due to end.
    open: AtomicUsize,
}

impl<'t, 'c> Turn<'t, 'c> {
    fn of(cycle: &'t mut Cycle<'c>, kind: Kind, span: Duration, replicas: usize) -> Turn<'t, 'c> {
        let (read, open) = (AtomicUsize::new(0), AtomicUsize::new(replicas));
        Turn { cycle: Mutex::new(cycle), kind, since: Instant::now(), span, read, open }
    }

    /// Never held while something is waited for.
    fn cycle(&self) -> MutexGuard<'_, &'t mut Cycle<'c>> {
        // All is on one task: whoever panicked took the others along.
        self.cycle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enough was read, or something was, and it took long enough.
    fn is_due(&self) -> bool {
        let read = self.read.load(Ordering::SeqCst);
        read >= PART || read > 0 && self.since.elapsed() > self.span
    }

    /// Reads at one replica until the part is over. Nobody's pace is that of another: as long as one of the others waits for an answer, it
    /// goes on.
    async fn read(&self, index: usize, untouched: &HashSet<i64>) -> Result<Part> {
        let (mut part, mut is_open) = (Part::Through, true);
        while !self.cycle().must_stop() {
            let asked = self.ask(index, untouched, is_open).await?;
            part = part.max_of(match asked {
                Asked::Nothing => break,
                Asked::InVain => Part::Stuck,
                Asked::Something | Asked::UnderWay => Part::More,
            });
            if is_open && self.is_due() {
                is_open = false;
                self.open.fetch_sub(1, Ordering::SeqCst);
            }
            let is_over = !is_open && self.open.load(Ordering::SeqCst) == 0;
            if asked != Asked::Something || is_over || self.cycle().gives_way() {
                break;
            }
        }
        if is_open {
            self.open.fetch_sub(1, Ordering::SeqCst);
        }
        Ok(part)
    }

    /// Asks one replica once, or waits on for what the last part asked it for.
    async fn ask(&self, index: usize, untouched: &HashSet<i64>, is_open: bool) -> Result<Asked> {
        let kind = self.kind;
        let Some(connector) = self.cycle().members[index].reached(kind).cloned() else { return Ok(Asked::Nothing) };
        if self.cycle().members[index].ask == 0 {
            return Ok(Asked::InVain);
        }
        let replica = self.cycle().members[index].replica.clone();
        let places = self.cycle().hub.places(replica.id, kind)?;
        let under_way = self.cycle().members[index].under_way.take();
        let (mut request, count) = match under_way {
            Some(mut request) => {
                request.forget_what_is_here(self.cycle().hub, replica.id)?;
                let count = request.asked.len();
                (request, count)
            }
            None => {
                let (asked, count) = self.asked(index, &connector, &places).await?;
                if count == 0 {
                    return Ok(Asked::Nothing);
                }
                // None of these is asked for: the next ones may be.
                if asked.is_empty() {
                    let is_reached = self.cycle().members[index].reached(kind).is_some();
                    return Ok(if is_reached { Asked::Something } else { Asked::InVain });
                }
                let stop = self.cycle().settings.calls.stop.clone();
                (Request::send(connector.clone(), kind, asked, stop), count)
            }
        };
        let began = self.begin(index)?;
        let asked = request.asked.clone();
        let stock = Stock {
            asked: &asked,
            places: &places,
            index,
            kind,
            lens: connector.lens(kind),
            rank: connector.abilities().rank,
        };
        let mut got = Got::default();
        let mut failed: Vec<(usize, Error)> = Vec::new();
        let (asked_at, mut kept, mut stops, mut gave_way) = (Instant::now(), Instant::now(), None, false);
        let is_under_way = loop {
            let is_over = tokio::select! {
                () = request.answered() => true,
                () = tokio::time::sleep(Duration::from_millis(LOOK_MS)) => false,
            };
            let now = Instant::now();
            let mut cycle = self.cycle();
            gave_way |= cycle.gives_way() && now - asked_at > Duration::from_millis(ASK_MS);
            let is_due = self.is_due() && (is_open || self.open.load(Ordering::SeqCst) == 0);
            if gave_way || is_due {
                request.shelf.is_over.store(true, Ordering::SeqCst);
            }
            if gave_way || cycle.must_stop() {
                stops.get_or_insert(now);
            }
            let is_late = stops.is_some_and(|since: Instant| now - since > Duration::from_millis(GRACE_MS));
            if is_over || is_late {
                break false;
            }
            // Nobody waits for a place that hangs. (What is read from a device must not meet what is written there.)
            if is_due && stops.is_none() && !replica.is_device && request.shelf.is_silent(now) {
                break true;
            }
            if now - kept > Duration::from_millis(KEEP_MS) {
                let came = request.came(&mut failed);
                self.keep(&stock, &mut cycle, came, &mut got, untouched, Vec::new())?;
                kept = Instant::now();
            }
        };
        let mut cycle = self.cycle();
        let came = request.came(&mut failed);
        let failures = self.keep(&stock, &mut cycle, came, &mut got, untouched, failed)?;
        let Got { read, new, bytes } = got;
        let took_ms = u64::try_from(cycle.now() - began).unwrap_or(0);
        let reading = &mut cycle.members[index].reading;
        reading.add(read.len(), bytes, took_ms);
        let reading = *reading;
        cycle.settings.progress.reading(&replica.name, reading);
        cycle.members[index].ask = match request.shelf.is_broken.load(Ordering::SeqCst) {
            true => 0,
            false => next_ask(cycle.members[index].ask, took_ms),
        };
        let row = cycle.report.row(&replica.name, kind);
        row.created += new;
        row.read += read.len();
        row.read_ms += took_ms;
        failures.tell(&mut cycle, index);
        if is_under_way {
            cycle.members[index].under_way = Some(request);
            return Ok(Asked::UnderWay);
        }
        // What is under way still is let go. Where nothing came for want of time, something will.
        let is_moving = !read.is_empty() || asked.len() < count || request.shelf.is_over.load(Ordering::SeqCst);
        Ok(if is_moving { Asked::Something } else { Asked::InVain })
    }

    /// The next copies of which one replica is to be asked for the bytes, and how many were to be before those were left out that are too old
    /// or too large.
    async fn asked(
        &self,
        index: usize,
        connector: &Arc<dyn Connector>,
        places: &[twofold_hub::Place],
    ) -> Result<(Vec<Unread>, usize)> {
        let kind = self.kind;
        let mut asked: Vec<Unread> = Vec::new();
        {
            let cycle = self.cycle();
            let member = &cycle.members[index];
            let waiting = cycle
                .hub
                .lacking_bodies(member.replica.id, member.ask + member.unreadable.len())?
                .into_iter()
                .filter(|waiting| !member.unreadable.contains(&waiting.remote_id))
                .take(member.ask);
            for waiting in waiting {
                let known = known_as(cycle.hub, connector.lens(kind), &waiting)?;
                asked.extend(unread(waiting, known, places));
            }
        }
        let count = asked.len();
        let has_limits = self.cycle().left_out.has_limits();
        if has_limits && count > 0 {
            let copies = Unread::places(&asked);
            let unclear = unclear(&self.cycle(), kind, index, &copies)?;
            let looks = if unclear.is_empty() { Vec::new() } else { connector.fetch(kind, &unclear).await };
            let within = sift(&mut self.cycle(), kind, index, copies, unclear, looks)?;
            let within: HashSet<Place> = within.into_iter().collect();
            asked.retain(|copy| within.contains(&copy.place));
        }
        Ok((asked, count))
    }

    /// Tells how much is to be read where that begins. Answers the time.
    fn begin(&self, index: usize) -> Result<i64> {
        let mut cycle = self.cycle();
        if cycle.members[index].reading.left() == 0 {
            let replica = cycle.members[index].replica.clone();
            let left = cycle.hub.lacking_messages(replica.id)?;
            let reading = &mut cycle.members[index].reading;
            reading.of = reading.done + left;
            let reading = *reading;
            cycle.settings.progress.reading(&replica.name, reading);
        }
        Ok(cycle.now())
    }

    /// [`Stock::keep`], and counts.
    fn keep(
        &self,
        stock: &Stock<'_>,
        cycle: &mut Cycle<'_>,
        came: Vec<(usize, Option<Seen>)>,
        got: &mut Got,
        untouched: &HashSet<i64>,
        failed: Vec<(usize, Error)>,
    ) -> Result<Failures> {
        let before = got.read.len();
        let failures = stock.keep(cycle, came, got, untouched, failed)?;
        self.read.fetch_add(got.read.len() - before, Ordering::SeqCst);
        Ok(failures)
    }
}

/// A copy that waits for its bytes. What was seen of a new one is as its place's last delta said; a known one may have been written to since.
fn unread(waiting: Sighting, known: Option<Rendering>, places: &[twofold_hub::Place]) -> Option<Unread> {
    let at = places.iter().find(|place| place.collection == waiting.collection)?;
    let place = Place { remote_id: waiting.remote_id, collection: at.remote_id.as_str().into() };
    let shown = waiting.item.is_none().then(|| Seen {
        remote_id: place.remote_id.clone(),
        collection: place.collection.clone(),
        etag: waiting.etag,
        rendering: waiting.rendering,
        uid: waiting.uid,
        mark: waiting.mark,
        modified_ms: waiting.modified_ms,
    });
    Some(Unread { place, shown, known })
}

/// What was agreed of a copy that waits for its bytes; of one that carries our mark, and whose making was not answered, what is in the hub.
fn known_as(hub: &Hub, lens: &dyn Lens, waiting: &Sighting) -> Result<Option<Rendering>> {
    if waiting.item.is_some()
        && let Some(known) = hub.placement(waiting.replica, &waiting.remote_id)?
    {
        return Ok(Some(known.seen));
    }
    let Some(mark) = &waiting.mark else { return Ok(None) };
    let Some(item) = hub.item_by_mark(mark)? else { return Ok(None) };
    let content = hub.version(item.version)?.content;
    Ok(lens.write(None, &content, &Identity { uid: item.uid, mark: Some(mark.clone()) }).ok())
}

/// What became of asking a replica once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    /// Nothing is to be asked for.
    Nothing,
    /// Nothing came of it.
    InVain,
    /// Something came.
    Something,
    /// The next part waits for what is still to come.
    UnderWay,
}

/// What a replica was asked for. It goes on by itself, also while what came from others is written; who drops it lets it go.
pub struct Request {
    asked: Arc<Vec<Unread>>,
    shelf: Arc<Shelf>,
    work: JoinSet<()>,
    /// Copies whose bytes came another way meanwhile.
    here: HashSet<usize>,
}

impl Request {
    fn send(connector: Arc<dyn Connector>, kind: Kind, asked: Vec<Unread>, stop: Arc<AtomicBool>) -> Request {
        let asked = Arc::new(asked);
        let (is_over, is_broken) = (AtomicBool::new(false), AtomicBool::new(false));
        let shelf = Arc::new(Shelf { stop, is_over, is_broken, came: Mutex::new((Vec::new(), Instant::now())) });
        let mut work = JoinSet::new();
        let task = {
            let (asked, shelf) = (asked.clone(), shelf.clone());
            async move { connector.read_bodies(kind, &asked, shelf.as_ref()).await }
        };
        work.spawn(task.in_current_span());
        Request { asked, shelf, work, here: HashSet::new() }
    }

    /// Returns once all is answered.
    async fn answered(&mut self) {
        if let Some(Err(error)) = self.work.join_next().await
            && error.is_panic()
        {
            std::panic::resume_unwind(error.into_panic());
        }
    }

    /// What came since it was last asked; what failed is put with what failed before.
    fn came(&self, failed: &mut Vec<(usize, Error)>) -> Vec<(usize, Option<Seen>)> {
        let mut whole = Vec::new();
        for (at, answer) in self.shelf.taken().into_iter().filter(|(at, _)| !self.here.contains(at)) {
            match answer {
                Ok(seen) => whole.push((at, seen)),
                Err(error) => failed.push((at, error)),
            }
        }
        whole
    }

    /// What was written meanwhile may have been answered by that, and counts.
    fn forget_what_is_here(&mut self, hub: &Hub, replica: i64) -> Result<()> {
        for (at, copy) in self.asked.iter().enumerate() {
            if hub.sighting(replica, &copy.place.remote_id)?.is_none_or(|waiting| !waiting.lacks_body) {
                self.here.insert(at);
            }
        }
        Ok(())
    }
}

/// Answers, and when the last of them came.
type Answers = (Vec<(usize, Result<Option<Seen>>)>, Instant);

/// Where answers are put as they come.
struct Shelf {
    stop: Arc<AtomicBool>,
    /// Enough was asked for: others wait, or what came is to be made at the devices.
    is_over: AtomicBool,
    /// Our own disk does not take them: whatever else is asked for comes in vain.
    is_broken: AtomicBool,
    came: Mutex<Answers>,
}

impl Shelf {
    fn answers(&self) -> MutexGuard<'_, Answers> {
        // Whoever panicked with the lock held had only added to it.
        self.came.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn taken(&self) -> Vec<(usize, Result<Option<Seen>>)> {
        std::mem::take(&mut self.answers().0)
    }

    /// Whether nothing came for long.
    fn is_silent(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.answers().1) > SILENCE
    }
}

impl Taker for Shelf {
    fn take(&self, at: usize, answer: Result<Option<Seen>>) {
        if answer.as_ref().is_err_and(|error| error.kind == ErrorKind::Broken) {
            self.is_broken.store(true, Ordering::SeqCst);
        }
        if !matches!(&answer, Err(error) if error.kind == ErrorKind::NotSent) {
            let mut came = self.answers();
            came.0.push((at, answer));
            came.1 = Instant::now();
        }
    }

    fn goes_on(&self) -> bool {
        ![&self.stop, &self.is_over, &self.is_broken].iter().any(|it| it.load(Ordering::SeqCst))
    }
}

/// What was read so far.
#[derive(Default)]
struct Got {
    /// The messages, each by its name.
    read: HashSet<String>,
    new: usize,
    bytes: u64,
}

/// What is asked for at once.
struct Stock<'a> {
    asked: &'a [Unread],
    places: &'a [twofold_hub::Place],
    index: usize,
    kind: Kind,
    lens: &'a dyn Lens,
    rank: u8,
}

impl Stock<'_> {
    /// Makes durable what came. What failed is told, and set aside where it always will.
    ///
    /// Keeps promise 2: bytes are durable before the transaction that names them.
    fn keep(
        &self,
        cycle: &mut Cycle<'_>,
        came: Vec<(usize, Option<Seen>)>,
        got: &mut Got,
        untouched: &HashSet<i64>,
        failed: Vec<(usize, Error)>,
    ) -> Result<Failures> {
        let is_complete = cycle.members[self.index].complete.contains(&self.kind);
        let mut failures = Failures::of(failed.iter().map(|(_, error)| error), is_complete);
        if came.is_empty() && failed.is_empty() {
            return Ok(failures);
        }
        let (now, left_out) = (cycle.now(), cycle.left_out.clone());
        let (lens, rank) = (self.lens, self.rank);
        let replica = cycle.members[self.index].replica.id;
        let intake = Intake { replica, kind: self.kind, places: self.places, lens, rank, now, left_out: &left_out };
        let mut still = Vec::new();
        cycle.hub.atomically("bodies", |hub| {
            let mut alone = Alone::of(hub, replica, self.kind, came.iter().filter_map(|(_, seen)| seen.as_ref()))?;
            let mut made: Vec<RemoteId> = Vec::new();
            for (at, seen) in came {
                let place = &self.asked[at].place;
                let facts = seen.as_ref().map(|seen| lens.facts(&seen.rendering)).unwrap_or_default();
                if got.read.insert(message_of(place, seen.as_ref())) {
                    got.bytes += facts.size.unwrap_or(0);
                }
                match seen {
                    Some(seen) if facts.lacks_body => {
                        let why = "the place shows the message and not its bytes";
                        let raw = seen.rendering.as_bytes();
                        intake.take_bad(hub, &place.remote_id, place.collection.as_str(), why, raw)?;
                    }
                    Some(seen) => {
                        let is_made = match alone.take(&seen) {
                            Some(waiting) => {
                                let name = seen.remote_id.clone();
                                let is_made = intake.take_alone(hub, waiting.as_ref(), seen, untouched)?;
                                made.extend(is_made.then_some(name));
                                is_made
                            }
                            None => {
                                let name = seen.remote_id.clone();
                                let is_made = intake.take_whole(hub, seen, untouched)?;
                                // Nothing followed from it (it is left out by now, or older than what is known): not in this run again.
                                let waits = hub.sighting(replica, &name)?.is_some_and(|waiting| waiting.lacks_body);
                                still.extend(waits.then_some(name));
                                is_made
                            }
                        };
                        got.new += usize::from(is_made);
                    }
                    None => {
                        hub.leave_quarantine(replica, place.remote_id.as_str())?;
                        hub.store_gone(replica, &place.remote_id, now)?;
                    }
                }
            }
            hub.remove_sightings_of(replica, &made.iter().map(RemoteId::as_str).collect::<Vec<_>>())?;
            for (at, error) in failed {
                let place = &self.asked[at].place;
                match failures.is_set_aside(hub, &intake, place, &error)? {
                    true => drop(got.read.insert(message_of(place, None))),
                    false => failures.wait(place, error),
                }
            }
            Ok(())
        })?;
        cycle.members[self.index].unreadable.extend(still);
        Ok(failures)
    }
}

/// The name of the message of a copy, by which it counts as one that was read.
fn message_of(place: &Place, seen: Option<&Seen>) -> String {
    seen.and_then(|seen| seen.uid.as_ref()).map_or(place.remote_id.as_str(), Uid::as_str).to_owned()
}

/// Those of the copies whose bytes may be asked for: not too old, not too large. Where the list did not say, the place is asked for that
/// first; one that does not say it then is taken.
///
/// Keeps promise 2: a copy that is not taken is noted in the transaction that lets go of what was seen of it.
pub async fn within_limits(cycle: &mut Cycle<'_>, kind: Kind, index: usize, asked: Vec<Place>) -> Result<Vec<Place>> {
    let Some(connector) = cycle.members[index].reached(kind).cloned() else { return Ok(Vec::new()) };
    let unclear = unclear(cycle, kind, index, &asked)?;
    let looks = if unclear.is_empty() { Vec::new() } else { connector.fetch(kind, &unclear).await };
    sift(cycle, kind, index, asked, unclear, looks)
}

/// Those of the copies of which no list said how old and how large they are.
fn unclear(cycle: &Cycle<'_>, kind: Kind, index: usize, asked: &[Place]) -> Result<Vec<Place>> {
    let member = &cycle.members[index];
    let Some(connector) = member.reached(kind) else { return Ok(Vec::new()) };
    let mut unclear = Vec::new();
    for place in asked {
        let Some(waiting) = cycle.hub.sighting(member.replica.id, &place.remote_id)? else { continue };
        if cycle.left_out.is_unclear(waiting.collection, &connector.lens(kind).facts(&waiting.rendering)) {
            unclear.push(place.clone());
        }
    }
    Ok(unclear)
}

/// Those of the copies that are within the limits, by what their place said of the `unclear` ones.
fn sift(
    cycle: &mut Cycle<'_>,
    kind: Kind,
    index: usize,
    asked: Vec<Place>,
    unclear: Vec<Place>,
    looks: Vec<Result<Option<Seen>>>,
) -> Result<Vec<Place>> {
    let Some(connector) = cycle.members[index].reached(kind).cloned() else { return Ok(Vec::new()) };
    let replica = cycle.members[index].replica.clone();
    let (lens, rank, left_out, now) =
        (connector.lens(kind), connector.abilities().rank, cycle.left_out.clone(), cycle.now());
    let places = cycle.hub.places(replica.id, kind)?;
    let intake = Intake { replica: replica.id, kind, places: &places, lens, rank, now, left_out: &left_out };
    let errors = looks.iter().filter_map(|look| look.as_ref().err());
    let mut failures = Failures::of(errors, cycle.members[index].complete.contains(&kind));
    let (mut within, mut unsaid) = (Vec::new(), BTreeSet::new());
    cycle.hub.atomically("look before bytes", |hub| {
        for (place, look) in unclear.into_iter().zip(looks) {
            match look {
                Ok(Some(seen)) => intake.take(hub, seen)?,
                Ok(None) => {
                    hub.leave_quarantine(replica.id, place.remote_id.as_str())?;
                    hub.store_gone(replica.id, &place.remote_id, now)?;
                }
                Err(error) if failures.is_set_aside(hub, &intake, &place, &error)? => {}
                Err(error) => {
                    failures.wait(&place, error);
                    unsaid.insert(place.remote_id);
                }
            }
        }
        // Whatever kept its place from saying it, what is not known to be within the limits is not read.
        for place in asked.into_iter().filter(|place| !unsaid.contains(&place.remote_id)) {
            let waiting = hub.sighting(replica.id, &place.remote_id)?.filter(|waiting| waiting.lacks_body);
            let Some(waiting) = waiting else { continue };
            // A known message whose bytes changed has its date and its size by the last look.
            if left_out.is_beyond(waiting.collection, &lens.facts(&waiting.rendering)) {
                hub.note_left_out(replica.id, waiting.collection, &place.remote_id, &waiting.etag)?;
                hub.leave_quarantine(replica.id, place.remote_id.as_str())?;
                hub.remove_sighting(waiting.id)?;
            } else {
                within.push(place);
            }
        }
        Ok(())
    })?;
    failures.tell(cycle, index);
    Ok(within)
}

/// What became of messages that could not be read.
struct Failures {
    /// In so many runs a message has to fail before it counts as one that cannot be read; `None`: it is a matter of the place.
    tries: Option<u32>,
    troubles: Vec<Error>,
    /// Copies that are asked for again in the next run.
    waiting: BTreeSet<RemoteId>,
}

impl Failures {
    /// Of the answers of a place of which everything else was read in this run, or not.
    fn of<'a>(errors: impl Iterator<Item = &'a Error>, is_complete: bool) -> Failures {
        let (mut failed, mut is_away) = (0, false);
        for error in errors {
            failed += usize::from(is_of_one_message(error.kind));
            is_away |= is_of_absence(error.kind);
        }
        let tries = (is_complete && !is_away).then_some(if failed <= OWN_AT_MOST { TRIES } else { MANY_TRIES });
        Failures { tries, troubles: Vec::new(), waiting: BTreeSet::new() }
    }

    /// Sets a message aside alone that can never be read: its place says so, or has failed with it often enough.
    ///
    /// Keeps promise 9: it leaves what is to be read in the transaction that sets it aside.
    fn is_set_aside(&self, hub: &mut Hub, intake: &Intake<'_>, place: &Place, error: &Error) -> Result<bool> {
        let is_bad = match (error.kind, self.tries) {
            (ErrorKind::Malformed | ErrorKind::Refused, _) => true,
            (_, None) => false,
            (kind, _) if !is_of_one_message(kind) => false,
            (kind, Some(TRIES)) if !kind.is_temporary() => true,
            _ if hub.is_quarantined(intake.replica, &place.remote_id)? => true,
            (_, Some(tries)) => hub.note_unread(intake.replica, &place.remote_id)? >= tries,
        };
        if is_bad {
            let words = error.to_string();
            intake.take_bad(hub, &place.remote_id, place.collection.as_str(), &words, &[])?;
        }
        Ok(is_bad)
    }

    fn wait(&mut self, place: &Place, error: Error) {
        if is_of_one_message(error.kind) {
            self.waiting.insert(place.remote_id.clone());
        }
        self.troubles.push(error);
    }

    fn tell(self, cycle: &mut Cycle<'_>, index: usize) {
        cycle.members[index].unreadable.extend(self.waiting);
        let name = cycle.members[index].replica.name.clone();
        let mut said = HashSet::new();
        for mut error in self.troubles {
            // It is not that of the message, and told once.
            if !is_of_one_message(error.kind) {
                error.places.clear();
            }
            let is_away = is_of_absence(error.kind);
            if said.insert(error.to_string()) {
                cycle.report.trouble(&name, &error);
            }
            if is_away {
                cycle.members[index].lose(error);
                break;
            }
        }
    }
}

/// Whether an error says that its place is not there at all for now.
fn is_of_absence(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::SignInNeeded | ErrorKind::Offline)
}

/// Whether an error may be that of one message. The others are of its place, or of our own store.
pub fn is_of_one_message(kind: ErrorKind) -> bool {
    use ErrorKind::{Broken, Held, Misconfigured, Offline, SignInNeeded, Throttled};
    !matches!(kind, SignInNeeded | Offline | Throttled { .. } | Broken | Held | Misconfigured)
}

/// How many are asked for at once after so many took so long.
fn next_ask(ask: usize, took_ms: u64) -> usize {
    if took_ms > ASK_MS { ask / 2 } else { ask * 2 }.clamp(ASK_AT_LEAST, ASK)
}

/// How far reading the bytes of a replica's messages has come in this run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// Messages of which nothing more is to be asked for.
    pub done: usize,
    /// Of so many that lacked their bytes when it began.
    pub of: usize,
    /// The bytes of the messages.
    pub bytes: u64,
    /// How long it took so far, in milliseconds, without what was written meanwhile.
    pub took_ms: u64,
}

impl Reading {
    /// How many messages are left.
    pub fn left(&self) -> usize {
        self.of.saturating_sub(self.done)
    }

    fn add(&mut self, done: usize, bytes: u64, took_ms: u64) {
        self.done = (self.done + done).min(self.of);
        self.bytes += bytes;
        self.took_ms += took_ms;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_place_is_asked_for_less_at_once() {
        let mut ask = ASK;
        let mut asks = Vec::new();
        for took_ms in [20_000, 20_000, 20_000, 20_000, 20_000, 100, 100, 100, 100, 100] {
            ask = next_ask(ask, took_ms);
            asks.push(ask);
        }
        assert_eq!(asks, [100, 50, 25, 20, 20, 40, 80, 160, 200, 200]);
    }
}
