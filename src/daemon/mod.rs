//! The service: one run after another, on a schedule and whenever a device folder changes, until it is asked to stop.
//!
//! It does nothing of its own: each run is that of `twofold sync`, which opens the hub, does one cycle and lets go of everything. So a
//! command that is typed meanwhile works between two runs, a sign-in that was made elsewhere counts with the next one, and nothing grows.
//!
//! [`serve`] is the loop; what it works with is handed in, so that tests let days pass in a moment. [`watch`] tells of changes in device
//! folders and of new sign-ins, [`troubles`] remembers what stands in the way, [`notices`] who was told of it, [`systemd`] talks to the
//! manager, [`live`] is what others may know of it, [`socket`] is where they ask, [`whereabouts`] says where that
//! is, and [`desk`] keeps who waits for which run.

pub mod desk;
pub mod live;
pub mod notices;
pub mod socket;
pub mod systemd;
pub mod troubles;
pub mod watch;
pub mod whereabouts;

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use tokio::sync::mpsc::UnboundedReceiver;
use twofold_model::Kind;
use twofold_schedule::{Backoff, Timetable, Trigger, stop};

/// A folder that changes is left to come to rest for so long, so that many files that arrive together make one run …
const REST_MS: i64 = 400;
/// … but never for longer than this after its first change.
const REST_AT_MOST_MS: i64 = 1_500;
/// The clock is looked at this often at least: it does not run while the machine sleeps, and may be set.
const LOOK_MS: i64 = 30_000;
/// Another process works on the hub: it is looked again then.
const BUSY_MS: i64 = 2_000;
/// All kinds have a run together this often at least, whenever they are due: what is past its time goes in such a run only.
const WHOLE_MS: i64 = 24 * 3_600_000;

/// The kind whose runs may take hours, and give way to whatever else is due. They write in its folders all the while, so that a change there
/// says nothing before they end.
const LONG: Kind = Kind::Mail;

/// What a run is to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Duty {
    /// The kinds.
    pub kinds: Vec<Kind>,
    /// Kinds that are left alone at providers, by the provider's name: also those that are not of this run.
    pub without: BTreeMap<String, BTreeSet<Kind>>,
    /// What somebody asked for, where this is it.
    pub wish: Option<Wish>,
    /// Who asked for it.
    pub asked: Vec<u64>,
    /// What hung lately is tried, too: somebody asked for it, or did something about what stood in the way.
    pub tries_all: bool,
}

/// A run that somebody asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Wish {
    /// Only these kinds; all where there are none.
    pub kinds: Vec<Kind>,
    /// Only this replica.
    pub replica: Option<String>,
    /// List everything in full and compare.
    pub full_check: bool,
    /// Try what waits in quarantine.
    pub retry_quarantined: bool,
}

/// What somebody decides about what the hub holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "decision", rename_all = "lowercase", deny_unknown_fields)]
pub enum Decision {
    /// Held plans are to be made, all of these or none.
    Approve {
        /// The holds.
        ids: Vec<String>,
        /// Also where people are mailed …
        mail_attendees: bool,
        /// … if they are so many for each; `None`: however many.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        people: Option<usize>,
    },
    /// Held plans were wrong, all of these or none: things are put back.
    Drop {
        /// The holds.
        ids: Vec<String>,
    },
    /// One side of a conflict is to be shown everywhere.
    Resolve {
        /// The conflict.
        id: String,
        /// The side that is not shown now.
        other: bool,
    },
}

/// A place by its name: one kind of it, or all.
pub type Part = (String, Option<Kind>);
/// Some of them.
pub type Parts = BTreeSet<Part>;

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It came to its end.
    Ran {
        /// Providers that could not be reached, or stumbled.
        down: Parts,
        /// Those of them that only asked us to wait, and for how many seconds.
        throttled: BTreeMap<Part, u64>,
        /// It gave way, and has more to do.
        gave_way: bool,
        /// When what it left alone, or was hung over, may be asked for again, by kind: milliseconds since 1970.
        again: BTreeMap<Kind, i64>,
    },
    /// Another process was at work; nothing was done.
    Busy,
    /// It failed as a whole (a full disk); nothing is known of the providers.
    Failed,
}

/// What happens to the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Something changed in a device folder.
    Changed(BTreeSet<Kind>),
    /// Somebody signed in at these providers.
    SignedIn(BTreeSet<String>),
    /// Somebody asks for a run.
    Asked {
        /// Names whoever asks.
        id: u64,
        /// What for.
        wish: Wish,
    },
    /// Somebody decided.
    Decided {
        /// Names whoever did.
        id: u64,
        /// What.
        decision: Decision,
    },
    /// The configuration is to be read again.
    Reload,
    /// It is to end.
    Stop,
}

/// What the service does, and what it is set to.
#[async_trait::async_trait(?Send)]
pub trait Work {
    /// One run. It ends at its next clean point once the service is [`State::Stopping`].
    async fn run(&self, duty: Duty) -> Outcome;
    /// Carries out what somebody decided; no run is under way. The kinds whose runs act on it; `None`: nothing was done.
    async fn decide(&self, id: u64, decision: &Decision) -> Option<Vec<Kind>>;
    /// Whether the run under way changes something at a place just now.
    fn is_changing(&self) -> bool;
    /// Others wait for the run under way: it ends as soon as it has moved on by a part.
    fn give_way(&self) {}
    /// Anything waits for the run under way, be it what the run itself wrote: it does not wait any more for a place that says nothing.
    fn is_waited_for(&self) {}
    /// Somebody signed in at these places.
    fn signed_in(&self, _places: &BTreeSet<String>) {}
    /// Reads the configuration again and answers when each kind is due from now on; `None`: the new one is refused, and the old one stays.
    /// A run that is under way goes on under the one with which it began.
    fn reload(&self) -> Option<BTreeMap<Kind, Trigger>>;
    /// When each kind is due from now on, where the clocks of this machine go by another zone since this was asked last.
    fn retimed(&self) -> Option<BTreeMap<Kind, Trigger>> {
        None
    }
    /// Is told whenever the state of the service changes, and twice a minute while it waits.
    fn state(&self, state: State);
    /// Is told when each kind is due by the schedule, whenever that may have changed.
    fn due(&self, _due_ms: BTreeMap<Kind, i64>) {}
}

/// What the service is at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// The schedule stands.
    Ready,
    /// The configuration is read.
    Reloading,
    /// Nothing is due before that moment, in milliseconds since 1970.
    Waiting(Option<i64>),
    /// A run is under way.
    Running(Duty),
    /// It ends.
    Stopping,
}

/// The time, and waiting for it.
#[async_trait::async_trait(?Send)]
pub trait Clock {
    /// Milliseconds since 1970.
    fn now_ms(&self) -> i64;
    /// Comes back after so many milliseconds, or earlier.
    async fn sleep_ms(&self, ms: i64);
}

/// How the service ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// At a clean point.
    Clean,
    /// A run did not come to a clean point in time; what it was at is an open intent, and the next run looks for it.
    Cut,
}

struct Service<'a> {
    work: &'a dyn Work,
    clock: &'a dyn Clock,
    table: Timetable,
    backoff: Backoff,
    /// Somebody did something about what stood in the way: the next run tries all.
    tries_all: bool,
    chance: u64,
    /// When the last run over all kinds began.
    whole_ms: Option<i64>,
    /// Providers at which somebody signed in while the run under way was at it.
    signed_in: BTreeSet<String>,
    /// Kinds that changed on a device, when the first of them did and when the last.
    changed: BTreeSet<Kind>,
    changed_ms: Option<(i64, i64)>,
    /// What was asked for and has not begun, with everybody who asked for the same.
    wishes: VecDeque<(Wish, Vec<u64>)>,
    /// Not before then, because another process is at work.
    wishes_ms: i64,
    /// What was decided and is not carried out, with who decided it.
    decisions: VecDeque<(u64, Decision)>,
    /// The last run was one that somebody asked for: before the next wish comes what is due.
    was_asked: bool,
    is_stopping: bool,
}

/// Runs until it is told to stop. `triggers`: when each kind is due; `chance`: a number of this machine's own, that spreads many of them.
pub async fn serve(
    work: &dyn Work,
    clock: &dyn Clock,
    triggers: BTreeMap<Kind, Trigger>,
    chance: u64,
    mut events: UnboundedReceiver<Event>,
) -> End {
    let table = Timetable::new(triggers, chance, clock.now_ms());
    let backoff = Backoff::default();
    let mut service = Service {
        work,
        clock,
        table,
        backoff,
        chance,
        tries_all: false,
        whole_ms: None,
        signed_in: BTreeSet::new(),
        changed: BTreeSet::new(),
        changed_ms: None,
        wishes: VecDeque::new(),
        wishes_ms: 0,
        decisions: VecDeque::new(),
        was_asked: false,
        is_stopping: false,
    };
    work.state(State::Ready);
    loop {
        while let Ok(event) = events.try_recv() {
            service.take(event);
        }
        service.decide().await;
        if service.is_stopping {
            return End::Clean;
        }
        let now = clock.now_ms();
        if let Some(triggers) = work.retimed() {
            service.table.retime(triggers, now);
        }
        if let Some(duty) = service.duty(now) {
            if service.run(duty, &mut events).await == End::Cut {
                return End::Cut;
            }
            continue;
        }
        let next = service.next();
        work.due(service.table.moments());
        work.state(State::Waiting(next));
        let wait_ms = next.map_or(LOOK_MS, |next| (next - now).clamp(1, LOOK_MS));
        tokio::select! {
            event = events.recv() => match event {
                Some(event) => service.take(event),
                // Nobody is left who could say anything.
                None => service.take(Event::Stop),
            },
            () = clock.sleep_ms(wait_ms) => {}
        }
    }
}

impl Service<'_> {
    fn take(&mut self, event: Event) {
        let now = self.clock.now_ms();
        match event {
            Event::Changed(kinds) => {
                self.changed.extend(kinds);
                let first = self.changed_ms.map_or(now, |(first, _)| first);
                self.changed_ms = Some((first, now));
            }
            // Somebody did something about what stood in the way: everything is due, and nobody who signed in is left alone.
            Event::SignedIn(places) => {
                self.work.signed_in(&places);
                places.iter().for_each(|place| self.backoff.forget(place));
                self.tries_all = true;
                self.signed_in.extend(places);
                self.table.again(&self.table.kinds(), now);
            }
            Event::Asked { id, wish } => self.wish(wish, &[id]),
            Event::Decided { id, decision } => self.decisions.push_back((id, decision)),
            Event::Reload => {
                self.work.state(State::Reloading);
                if let Some(triggers) = self.work.reload() {
                    self.table = Timetable::new(triggers, self.chance, now);
                    self.backoff.clear();
                    self.tries_all = true;
                }
                self.work.state(State::Ready);
            }
            Event::Stop => {
                self.is_stopping = true;
                self.work.state(State::Stopping);
            }
        }
    }

    fn wish(&mut self, wish: Wish, ids: &[u64]) {
        match self.wishes.iter_mut().find(|(other, _)| *other == wish) {
            Some((_, all)) => all.extend(ids),
            None => self.wishes.push_back((wish, ids.to_vec())),
        }
    }

    /// Carries out what was decided. A run that acts on it is as if somebody had asked for it: nobody is left alone in it.
    async fn decide(&mut self) {
        while let Some((id, decision)) = self.decisions.pop_front() {
            if let Some(kinds) = self.work.decide(id, &decision).await {
                self.wish(Wish { kinds, ..Wish::default() }, &[]);
            }
        }
    }

    /// What is to be done now. What somebody asks for comes first, and of two wishes the second after what is due.
    fn duty(&mut self, now: i64) -> Option<Duty> {
        let duty = match self.was_asked {
            true => self.by_schedule(now).or_else(|| self.asked(now)),
            false => self.asked(now).or_else(|| self.by_schedule(now)),
        };
        self.was_asked = duty.as_ref().is_some_and(|duty| duty.wish.is_some());
        duty
    }

    /// What somebody asked for. Nobody is left alone in it: a person asks, and may have mended what stood in the way.
    fn asked(&mut self, now: i64) -> Option<Duty> {
        // A clock that was set back puts nothing off.
        if now < self.wishes_ms && self.wishes_ms - now <= BUSY_MS {
            return None;
        }
        let (wish, asked) = self.wishes.pop_front()?;
        let kinds = if wish.kinds.is_empty() { self.table.kinds() } else { wish.kinds.clone() };
        Some(Duty { kinds, without: BTreeMap::new(), wish: Some(wish), asked, tries_all: true })
    }

    /// What is due now.
    fn by_schedule(&mut self, now: i64) -> Option<Duty> {
        let kinds = self.due(now);
        let left_alone = |place: &str| -> BTreeSet<Kind> {
            self.table.kinds().into_iter().filter(|kind| self.backoff.is_left_alone(place, *kind, now)).collect()
        };
        let without = PROVIDERS.map(|place| (place.to_owned(), left_alone(place)));
        let without = without.into_iter().filter(|(_, left)| !left.is_empty()).collect();
        (!kinds.is_empty()).then(|| Duty {
            kinds,
            without,
            tries_all: std::mem::take(&mut self.tries_all),
            ..Duty::default()
        })
    }

    fn due(&mut self, now: i64) -> Vec<Kind> {
        let mut kinds: BTreeSet<Kind> = self.table.due(now).into_iter().collect();
        // A clock that was set back since leaves no change waiting.
        let is_set_back = self.changed_ms.is_some_and(|(_, last)| now < last);
        if is_set_back || self.rested_ms().is_some_and(|rested| rested <= now) {
            let known = self.table.kinds();
            kinds.extend(std::mem::take(&mut self.changed).into_iter().filter(|kind| known.contains(kind)));
            self.changed_ms = None;
        }
        // A clock that was set counts as a day that is over.
        let is_whole_due = self.whole_ms.is_none_or(|whole_ms| (now - whole_ms).abs() >= WHOLE_MS);
        if !kinds.is_empty() && is_whole_due {
            kinds.extend(self.table.kinds());
        }
        kinds.into_iter().collect()
    }

    /// When what changed has come to rest.
    fn rested_ms(&self) -> Option<i64> {
        self.changed_ms.map(|(first, last)| (last + REST_MS).min(first + REST_AT_MOST_MS))
    }

    fn next(&self) -> Option<i64> {
        self.next_with(self.rested_ms())
    }

    fn next_with(&self, rested_ms: Option<i64>) -> Option<i64> {
        let asked = (!self.wishes.is_empty()).then_some(self.wishes_ms);
        let decided = (!self.decisions.is_empty()).then_some(0);
        [self.table.next(), rested_ms, asked, decided].into_iter().flatten().min()
    }

    /// When somebody waits for a long run.
    fn waited_for_ms(&self) -> Option<i64> {
        self.next_with(self.rested_ms().filter(|_| self.changed.iter().any(|kind| *kind != LONG)))
    }

    /// One run. Events that come meanwhile are kept; a stop is passed on, and a run that may take long is told when others wait.
    async fn run(&mut self, duty: Duty, events: &mut UnboundedReceiver<Event>) -> End {
        let began = self.clock.now_ms();
        let Duty { kinds, without, wish, asked, tries_all } = duty.clone();
        let tries_all = tries_all && wish.is_none();
        let only = wish.as_ref().and_then(|wish| wish.replica.clone());
        let is_whole = only.is_none() && self.table.kinds().iter().all(|kind| kinds.contains(kind));
        // A run with one replica alone is none of the schedule's.
        if only.is_none() {
            self.table.began(&kinds, began);
        }
        self.signed_in.clear();
        self.work.due(self.table.moments());
        self.work.state(State::Running(duty.clone()));
        let mut stopped_ms: Option<i64> = None;
        let (mut gives_way, mut is_told) = (!kinds.contains(&LONG), false);
        let mut run = self.work.run(duty);
        let outcome = loop {
            let now = self.clock.now_ms();
            let waited_for_ms = self.waited_for_ms().filter(|_| !gives_way);
            if waited_for_ms.is_some_and(|waited_for| waited_for <= now) {
                gives_way = true;
                self.work.give_way();
                continue;
            }
            let any_ms = self.next().filter(|_| !is_told);
            if any_ms.is_some_and(|any| any <= now) {
                is_told = true;
                self.work.is_waited_for();
                continue;
            }
            let within_ms = stop::left_after_ms(self.work.is_changing()).cast_signed();
            let deadline_ms = stopped_ms.map(|stopped_ms| stopped_ms + within_ms);
            if deadline_ms.is_some_and(|deadline_ms| deadline_ms <= now) {
                return End::Cut;
            }
            let next_ms = [deadline_ms, waited_for_ms, any_ms].into_iter().flatten().min();
            let wait_ms = next_ms.map_or(LOOK_MS, |next| (next - now).clamp(0, LOOK_MS));
            tokio::select! {
                biased;
                outcome = &mut run => break outcome,
                Some(event) = events.recv() => {
                    self.take(event);
                    if self.is_stopping {
                        stopped_ms.get_or_insert(self.clock.now_ms());
                    }
                }
                () = self.clock.sleep_ms(wait_ms) => {}
            }
        };
        drop(run);
        let now = self.clock.now_ms();
        match outcome {
            Outcome::Busy => {
                self.tries_all |= tries_all;
                if only.is_none() {
                    self.table.again(&kinds, now + BUSY_MS);
                }
                if let Some(wish) = wish {
                    self.wishes.push_front((wish, asked));
                    self.wishes_ms = now + BUSY_MS;
                }
            }
            Outcome::Failed => self.tries_all |= tries_all,
            Outcome::Ran { down, throttled, gave_way, again } => {
                if gave_way {
                    self.table.again(&[LONG], now);
                } else if is_whole {
                    self.whole_ms = Some(began);
                }
                for place in PROVIDERS.into_iter().filter(|place| only.as_deref().is_none_or(|only| only == *place)) {
                    let is_left_alone = |kind: &Kind| without.get(place).is_some_and(|left| left.contains(kind));
                    let took_part: Vec<Kind> = kinds.iter().copied().filter(|kind| !is_left_alone(kind)).collect();
                    if !took_part.is_empty() {
                        self.fared(place, &took_part, &down, &throttled, now);
                    }
                }
                for (kind, again_ms) in again {
                    self.table.again(&[kind], again_ms.max(now + 1));
                }
                // What could not be done for want of a place is done when that is asked again.
                for kind in kinds {
                    if let Some(again_ms) = self.backoff.next(kind) {
                        self.table.again(&[kind], again_ms.max(now + 1));
                    }
                }
            }
        }
        End::Clean
    }

    /// How a run fared at a place with the kinds that took part there.
    fn fared(&mut self, place: &str, kinds: &[Kind], down: &Parts, throttled: &BTreeMap<Part, u64>, now: i64) {
        let part = |kind: Option<Kind>| (place.to_owned(), kind);
        let is_down = |kind: Option<Kind>| down.contains(&part(kind));
        // Whether a sign-in that came meanwhile is enough says the next run.
        let is_anew = self.signed_in.contains(place);
        let mut note = |kind: Option<Kind>| match (is_down(kind), throttled.get(&part(kind))) {
            (true, _) if is_anew => {}
            (true, Some(pause_s)) => self.backoff.throttled(place, kind, *pause_s, now),
            (true, None) => self.backoff.failed(place, kind, now),
            (false, _) => self.backoff.reached(place, kind),
        };
        note(None);
        // Where all of a place is away, nothing is known of its kinds.
        if !is_down(None) {
            kinds.iter().for_each(|kind| note(Some(*kind)));
        }
    }
}

/// The places that may be out of reach for a while.
const PROVIDERS: [&str; 2] = ["google", "microsoft365"];

#[cfg(test)]
mod tests;
