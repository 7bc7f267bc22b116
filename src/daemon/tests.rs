//! Days of the service in a moment: whenever everybody waits, time goes on to the first moment that somebody waits for.

use super::*;
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use tokio::sync::mpsc::unbounded_channel;

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
/// A run that gives way reads for so long.
const PART_MS: i64 = 5 * SECOND;
const ALL: [Kind; 3] = [Kind::Mail, Kind::Calendar, Kind::Contacts];

/// What time it is, and the first moment that somebody waits for.
#[derive(Clone, Default)]
struct Time(Rc<(Cell<i64>, Cell<Option<i64>>)>);

impl Time {
    fn now(&self) -> i64 {
        self.0.0.get()
    }

    fn until(&self, until: i64) -> Until {
        Until(self.clone(), until)
    }
}

struct Until(Time, i64);

impl Future for Until {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if self.0.now() >= self.1 {
            return Poll::Ready(());
        }
        let first = &self.0.0.1;
        first.set(Some(first.get().map_or(self.1, |at| at.min(self.1))));
        Poll::Pending
    }
}

#[async_trait::async_trait(?Send)]
impl Clock for Time {
    fn now_ms(&self) -> i64 {
        self.now()
    }

    async fn sleep_ms(&self, ms: i64) {
        self.until(self.now() + ms).await;
    }
}

/// What the runs of the service meet.
struct World {
    time: Time,
    /// How long a run takes, and how long one goes on that was asked to stop.
    takes_ms: i64,
    stops_in_ms: i64,
    is_changing: bool,
    is_away: fn(&str, i64) -> bool,
    /// Whether one kind at a place fails, and the others do not.
    fails_alone: fn(&str, Kind, i64) -> bool,
    /// What fails alone only asks us to wait, for so many seconds.
    pause_s: Option<u64>,
    /// When what a run left alone because it hung may be asked for again.
    hung_until: fn(i64) -> BTreeMap<Kind, i64>,
    is_busy: fn(i64) -> bool,
    fails: fn(i64) -> bool,
    reload: fn() -> Option<BTreeMap<Kind, Trigger>>,
    /// What is asked of the schedule from a moment on, by other clocks.
    retimed: fn(i64) -> Option<BTreeMap<Kind, Trigger>>,
    is_stopping: Cell<bool>,
    /// How long it takes to read the messages that are left, and whether others wait for that.
    left_ms: Cell<i64>,
    gives_way: Cell<bool>,
    /// When a run was told that something waits for it.
    waited_for: RefCell<Vec<i64>>,
    /// The machine falls asleep at that moment, for so long.
    falls_asleep: Cell<Option<(i64, i64)>>,
    runs: RefCell<Vec<(i64, Duty)>>,
    /// When something was decided, and by whom.
    decided: RefCell<Vec<(i64, u64)>>,
    states: RefCell<Vec<State>>,
}

impl World {
    fn new() -> World {
        World {
            time: Time::default(),
            takes_ms: 2 * SECOND,
            stops_in_ms: SECOND,
            is_changing: false,
            is_away: |_, _| false,
            fails_alone: |_, _, _| false,
            pause_s: None,
            hung_until: |_| BTreeMap::new(),
            is_busy: |_| false,
            fails: |_| false,
            is_stopping: Cell::new(false),
            left_ms: Cell::new(0),
            gives_way: Cell::new(false),
            waited_for: RefCell::default(),
            falls_asleep: Cell::new(None),
            reload: || None,
            retimed: |_| None,
            runs: RefCell::default(),
            decided: RefCell::default(),
            states: RefCell::default(),
        }
    }

    /// Lets the service run; each event happens at its moment. Comes back with the moment at which it ended.
    fn serve(&self, mail_ms: i64, others_ms: i64, mut events: Vec<(i64, Event)>) -> (End, i64) {
        let triggers = ALL.map(|kind| (kind, Trigger::Every(if kind == Kind::Mail { mail_ms } else { others_ms })));
        let (tell, told) = unbounded_channel();
        let mut service = pin!(serve(self, &self.time, triggers.into(), 0, told));
        events.sort_by_key(|(at, _)| *at);
        events.reverse();
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..10_000_000 {
            while events.last().is_some_and(|(at, _)| *at <= self.time.now()) {
                tell.send(events.pop().unwrap().1).unwrap();
            }
            self.time.0.1.set(None);
            if let Poll::Ready(end) = service.as_mut().poll(&mut context) {
                return (end, self.time.now());
            }
            let next = [self.time.0.1.get(), events.last().map(|(at, _)| *at)].into_iter().flatten().min();
            let mut next = next.expect("somebody waits for something").max(self.time.now());
            if let Some((_, for_ms)) = self.falls_asleep.get().filter(|(at, _)| next >= *at) {
                self.falls_asleep.set(None);
                // The timers of a machine stand still while it sleeps.
                next += for_ms;
            }
            self.time.0.0.set(next);
        }
        panic!("the service turns in circles");
    }

    /// When each run began, and its kinds.
    fn began(&self) -> Vec<(i64, Vec<Kind>)> {
        self.runs.borrow().iter().map(|(at, duty)| (*at, duty.kinds.clone())).collect()
    }

    fn days(&self, hours: i64) -> Vec<(i64, Event)> {
        vec![(hours * HOUR, Event::Stop)]
    }
}

#[async_trait::async_trait(?Send)]
impl Work for World {
    async fn run(&self, duty: Duty) -> Outcome {
        let began = self.time.now();
        self.runs.borrow_mut().push((began, duty.clone()));
        if (self.is_busy)(began) {
            return Outcome::Busy;
        }
        let reads_until = |left_ms: i64| self.time.now() < began + PART_MS || (!self.gives_way.get() && left_ms > 0);
        while duty.kinds.contains(&Kind::Mail) && self.left_ms.get() > 0 && reads_until(self.left_ms.get()) {
            self.time.sleep_ms(100).await;
            self.left_ms.set(self.left_ms.get() - 100);
        }
        let gave_way = duty.kinds.contains(&Kind::Mail) && self.left_ms.get() > 0;
        self.gives_way.set(false);
        let mut end = self.time.now() + self.takes_ms;
        let mut is_told = false;
        while self.time.now() < end {
            if self.is_stopping.get() && !is_told {
                is_told = true;
                end = self.time.now() + self.stops_in_ms;
            }
            self.time.sleep_ms(100.min(end - self.time.now()).max(1)).await;
        }
        let took_part = |place: &str, kind: &Kind| !duty.without.get(place).is_some_and(|left| left.contains(kind));
        let (mut down, mut throttled) = (BTreeSet::new(), BTreeMap::new());
        for place in PROVIDERS {
            let asked = || duty.kinds.iter().filter(|kind| took_part(place, kind));
            let failed = asked().filter(|kind| (self.fails_alone)(place, **kind, began));
            let failed: Vec<_> = failed.map(|kind| (place.to_owned(), Some(*kind))).collect();
            throttled.extend(failed.iter().filter_map(|part| Some((part.clone(), self.pause_s?))));
            down.extend(failed);
            if asked().next().is_some() && (self.is_away)(place, began) {
                down.insert((place.to_owned(), None));
            }
        }
        match (self.fails)(began) {
            true => Outcome::Failed,
            false => Outcome::Ran { down, throttled, gave_way, again: (self.hung_until)(began) },
        }
    }

    async fn decide(&self, id: u64, decision: &Decision) -> Option<Vec<Kind>> {
        self.decided.borrow_mut().push((self.time.now(), id));
        // What has no id is held no more.
        matches!(decision, Decision::Drop { ids } if !ids.contains(&String::new())).then(|| vec![Kind::Contacts])
    }

    fn is_changing(&self) -> bool {
        self.is_changing
    }

    fn give_way(&self) {
        self.gives_way.set(true);
    }

    fn is_waited_for(&self) {
        self.waited_for.borrow_mut().push(self.time.now());
    }

    fn reload(&self) -> Option<BTreeMap<Kind, Trigger>> {
        (self.reload)()
    }

    fn retimed(&self) -> Option<BTreeMap<Kind, Trigger>> {
        (self.retimed)(self.time.now())
    }

    fn state(&self, state: State) {
        self.is_stopping.set(self.is_stopping.get() || state == State::Stopping);
        self.states.borrow_mut().push(state);
    }
}

#[test]
fn a_day_has_a_run_of_each_kind_as_often_as_it_is_due_and_no_more() {
    let world = World::new();
    world.serve(MINUTE, 5 * MINUTE, world.days(24));
    let count = |kind| world.began().iter().filter(|(_, kinds)| kinds.contains(&kind)).count();
    assert_eq!((count(Kind::Mail), count(Kind::Calendar), count(Kind::Contacts)), (1440, 288, 288));
    assert_eq!(world.began().len(), 1440, "what is due together is one run");
}

#[test]
fn a_machine_that_slept_for_a_night_makes_up_for_it_with_one_run() {
    let world = World::new();
    world.falls_asleep.set(Some((HOUR + 20 * SECOND, 8 * HOUR)));
    world.serve(MINUTE, 5 * MINUTE, world.days(10));
    let began = world.began();
    let after: Vec<_> = began.iter().filter(|(at, _)| *at > HOUR + 20 * SECOND).take(3).collect();
    assert!(after[0].0 <= 9 * HOUR + MINUTE, "{after:?}");
    assert_eq!(after[0].1, ALL, "all that was missed");
    let later: Vec<i64> = began.iter().map(|(at, _)| *at).filter(|at| *at > after[0].0).collect();
    assert!(later.windows(2).all(|pair| pair[1] - pair[0] == MINUTE), "{later:?}");
}

#[test]
fn a_moment_that_a_forward_jump_of_the_clock_passed_is_noticed_within_thirty_seconds() {
    let world = World::new();
    let (asleep, woken) = (HOUR + 7 * SECOND, 13 * HOUR + 7 * SECOND);
    world.falls_asleep.set(Some((asleep, woken - asleep)));
    world.serve(10 * HOUR, 10 * HOUR, world.days(16));
    let began = world.began();
    let (at, kinds) = began.iter().find(|(at, _)| *at > asleep).unwrap();
    assert!((woken..=woken + 30 * SECOND).contains(at) && *kinds == ALL, "{began:?}");
}

#[test]
fn a_run_that_takes_longer_than_its_interval_is_followed_by_one_and_never_overlapped() {
    let mut world = World::new();
    world.takes_ms = 3 * MINUTE + 1;
    world.serve(MINUTE, MINUTE, world.days(1));
    let began: Vec<i64> = world.began().into_iter().map(|(at, _)| at).collect();
    assert!(began.windows(2).all(|pair| pair[1] - pair[0] == world.takes_ms), "{began:?}");
}

#[test]
fn a_change_on_a_device_is_at_work_within_two_seconds_and_many_make_one_run() {
    let world = World::new();
    let changed = |at| (at, Event::Changed([Kind::Contacts].into()));
    let mut events = world.days(1);
    events.push(changed(7 * MINUTE));
    // A folder that is filled for ten seconds.
    events.extend((0..100).map(|n| changed(17 * MINUTE + n * 100)));
    world.serve(HOUR * 2, HOUR * 2, events);
    let began: Vec<(i64, Vec<Kind>)> = world.began().into_iter().skip(1).collect();
    assert!(began.iter().all(|(_, kinds)| *kinds == [Kind::Contacts]), "{began:?}");
    assert_eq!(began[0].0, 7 * MINUTE + REST_MS);
    assert_eq!(began[1].0, 17 * MINUTE + REST_AT_MOST_MS);
    assert!([REST_MS, REST_AT_MOST_MS].iter().all(|rest_ms| *rest_ms < 2 * SECOND));
    assert!(began.len() <= 8, "{began:?}");
    assert!(began.last().unwrap().0 >= 17 * MINUTE + 10 * SECOND, "what came last has its run, too");
}

#[test]
fn what_changes_while_a_run_is_under_way_has_a_run_of_its_own() {
    let world = World::new();
    let mut events = world.days(1);
    events.push((SECOND, Event::Changed([Kind::Mail].into())));
    world.serve(2 * HOUR, 2 * HOUR, events);
    assert_eq!(world.began().len(), 2);
    assert_eq!(world.began()[1], (world.takes_ms, vec![Kind::Mail]));
}

#[test]
fn a_provider_that_is_down_is_left_alone_for_longer_each_time_and_the_other_one_is_not() {
    let mut world = World::new();
    world.is_away = |place, at| place == "google" && (10 * MINUTE..130 * MINUTE).contains(&at);
    world.serve(MINUTE, 5 * MINUTE, world.days(4));
    let runs = world.runs.borrow();
    let asked = |from: i64, to: i64| {
        runs.iter().filter(|(at, duty)| (from..to).contains(at) && !duty.without.contains_key("google")).count()
    };
    assert!(runs.iter().all(|(_, duty)| !duty.without.contains_key("microsoft365")));
    assert!(
        (5..=9).contains(&asked(10 * MINUTE, 130 * MINUTE)),
        "asked {} times in two hours",
        asked(10 * MINUTE, 130 * MINUTE)
    );
    // Back at work within the hour that it is left alone at most, and then as often as ever.
    assert!(asked(130 * MINUTE, 200 * MINUTE) >= 10);
    assert!(asked(200 * MINUTE, 240 * MINUTE) >= 40);
}

#[test]
fn what_hung_is_tried_when_its_pause_is_over_however_seldom_it_is_looked_at() {
    let mut world = World::new();
    world.hung_until = |began| match began {
        0..MINUTE => [(Kind::Contacts, 2 * MINUTE)].into(),
        _ => BTreeMap::new(),
    };
    world.serve(8 * HOUR, HOUR, world.days(4));
    let began = world.began();
    assert_eq!(began[1], (2 * MINUTE, vec![Kind::Contacts]), "{began:?}");
    assert_eq!(began[2].0, HOUR, "{began:?}");
}

#[test]
fn whoever_does_something_about_what_stands_in_the_way_has_all_of_it_tried_once() {
    let mut world = World::new();
    world.reload = || Some([(Kind::Contacts, Trigger::Every(MINUTE))].into());
    let mut events = world.days(4);
    events.extend([signed_in(150 * SECOND, "google"), (270 * SECOND, Event::Reload)]);
    events.sort_by_key(|(at, _)| *at);
    world.serve(MINUTE, MINUTE, events);
    let runs = world.runs.borrow();
    let tried: Vec<i64> = runs.iter().filter(|(_, duty)| duty.tries_all).map(|(at, _)| *at / SECOND).collect();
    assert_eq!(tried, [150, 270], "{runs:?}");
}

#[test]
fn what_is_to_be_tried_because_somebody_signed_in_is_tried_once_nobody_else_is_at_work() {
    let mut world = World::new();
    world.is_busy = |at| (150 * SECOND..152 * SECOND).contains(&at);
    let mut events = world.days(1);
    events.push(signed_in(150 * SECOND, "google"));
    world.serve(HOUR, HOUR, events);
    let runs = world.runs.borrow();
    let tried: Vec<i64> = runs.iter().filter(|(_, duty)| duty.tries_all).map(|(at, _)| *at / SECOND).collect();
    assert!(tried.len() == 2 && tried[0] == 150 && tried[1] > 151, "{tried:?}");
}

#[test]
fn a_kind_for_which_its_provider_asks_us_to_wait_is_tried_again_when_that_is_over() {
    let mut world = World::new();
    world.pause_s = Some(60);
    world.fails_alone =
        |place, kind, at| (place, kind) == ("google", Kind::Mail) && (10 * MINUTE..130 * MINUTE).contains(&at);
    world.serve(5 * SECOND, MINUTE, world.days(4));
    let runs = world.runs.borrow();
    let is_left = |duty: &Duty| duty.without.get("google").is_some_and(|left| left.contains(&Kind::Mail));
    let asked: Vec<i64> = runs
        .iter()
        .filter(|(at, duty)| {
            (10 * MINUTE..130 * MINUTE).contains(at) && duty.kinds.contains(&Kind::Mail) && !is_left(duty)
        })
        .map(|(at, _)| *at)
        .collect();
    assert!((60..=70).contains(&asked.len()), "{} times in two hours", asked.len());
    assert!(asked.windows(2).all(|pair| pair[1] - pair[0] >= MINUTE), "{asked:?}");
}

/// All of a place is left alone.
fn all_of(place: &str) -> BTreeMap<String, BTreeSet<Kind>> {
    [(place.to_owned(), ALL.into())].into()
}

#[test]
fn a_kind_that_fails_alone_holds_no_other_kind_of_its_provider() {
    let mut world = World::new();
    let away = 10 * MINUTE..130 * MINUTE;
    world.fails_alone =
        |place, kind, at| (place, kind) == ("google", Kind::Mail) && (10 * MINUTE..130 * MINUTE).contains(&at);
    world.serve(MINUTE, MINUTE, world.days(4));
    let runs = world.runs.borrow();
    let asked = |kind: Kind, during: std::ops::Range<i64>| {
        let is_left = |duty: &Duty| duty.without.get("google").is_some_and(|left| left.contains(&kind));
        let with_it = |(at, duty): &&(i64, Duty)| during.contains(at) && duty.kinds.contains(&kind) && !is_left(duty);
        runs.iter().filter(with_it).count()
    };
    for kind in [Kind::Contacts, Kind::Calendar] {
        assert!((118..=135).contains(&asked(kind, away.clone())), "{kind}: {}", asked(kind, away.clone()));
    }
    assert!((5..=9).contains(&asked(Kind::Mail, away.clone())), "asked {} times", asked(Kind::Mail, away));
    assert!(asked(Kind::Mail, 200 * MINUTE..240 * MINUTE) >= 38, "then as often as ever");
    assert!(runs.iter().all(|(_, duty)| !duty.without.contains_key("microsoft365")));
    assert!(runs.len() <= 260, "{} runs in four hours", runs.len());
}

#[test]
fn a_kind_that_failed_alone_is_tried_at_once_when_somebody_signed_in() {
    let mut world = World::new();
    world.fails_alone = |place, kind, at| (place, kind) == ("google", Kind::Mail) && at < HOUR;
    let mut events = world.days(2);
    let at = HOUR + 7 * SECOND;
    events.push(signed_in(at, "google"));
    world.serve(10 * MINUTE, 10 * MINUTE, events);
    let runs = world.runs.borrow();
    let (began, duty) = runs.iter().find(|(began, _)| *began > HOUR + SECOND).unwrap();
    assert!(*began == at && duty.without.is_empty(), "{began}: {duty:?}");
}

fn signed_in(at: i64, place: &str) -> (i64, Event) {
    (at, Event::SignedIn([place.to_owned()].into()))
}

#[test]
fn a_new_sign_in_is_picked_up_at_once_and_only_its_provider_is_asked_earlier_for_it() {
    let mut world = World::new();
    world.is_away = |place, at| place == "microsoft365" || at < 3 * HOUR;
    let mut events = world.days(5);
    let at = 3 * HOUR + MINUTE + 7 * SECOND;
    events.push(signed_in(at, "google"));
    world.serve(10 * HOUR, 10 * HOUR, events);
    let runs = world.runs.borrow();
    let (began, duty) = runs.iter().find(|(began, _)| *began > 3 * HOUR).unwrap();
    assert_eq!((*began, &duty.without, duty.kinds.len()), (at, &all_of("microsoft365"), 3));
}

#[test]
fn a_sign_in_that_comes_while_a_run_fails_for_want_of_it_is_used_by_the_next_run_at_once() {
    let mut world = World::new();
    world.is_away = |_, at| at == 0;
    let mut events = world.days(1);
    events.push(signed_in(SECOND, "google"));
    world.serve(10 * HOUR, 10 * HOUR, events);
    let runs = world.runs.borrow();
    assert_eq!(
        runs[1],
        (
            world.takes_ms,
            Duty { kinds: ALL.to_vec(), without: all_of("microsoft365"), tries_all: true, ..Duty::default() }
        )
    );
}

#[test]
fn a_folder_that_changes_does_not_drive_the_kinds_apart() {
    let world = World::new();
    let mut events = world.days(2);
    events.push((7 * MINUTE, Event::Changed([Kind::Contacts].into())));
    world.serve(5 * MINUTE, 5 * MINUTE, events);
    let runs = world.began();
    assert_eq!(runs.iter().filter(|(_, kinds)| *kinds != ALL).count(), 1);
    assert_eq!(runs.len(), 24 + 1);
}

#[test]
fn kinds_whose_moments_never_meet_have_a_run_together_once_a_day() {
    let mut world = World::new();
    world.reload = || {
        let cron = |text| Trigger::cron(text, chrono_tz::UTC).unwrap();
        let triggers = [(Kind::Mail, cron("10 * * * * *")), (Kind::Calendar, cron("40 0 * * * *"))];
        Some(triggers.into())
    };
    let mut events = world.days(24 * 7);
    events.push((SECOND, Event::Reload));
    world.serve(HOUR, HOUR, events);
    let whole = world.began().iter().filter(|(_, kinds)| *kinds == [Kind::Mail, Kind::Calendar]).count();
    assert!((7..=8).contains(&whole), "{whole}");
}

#[test]
fn a_run_that_fails_as_a_whole_or_is_kept_out_says_nothing_of_a_provider_that_is_down_and_does_not_turn_in_circles() {
    for kept_out in [true, false] {
        let mut world = World::new();
        world.is_away = |place, _| place == "google";
        let trouble: fn(i64) -> bool = |at| (MINUTE..HOUR).contains(&at);
        match kept_out {
            true => world.is_busy = trouble,
            false => world.fails = trouble,
        }
        world.serve(MINUTE, MINUTE, world.days(1));
        let runs = world.began().len();
        assert!(runs <= if kept_out { 1800 } else { 61 }, "{kept_out}: {runs} runs in an hour");
    }
}

#[test]
fn while_another_process_is_at_work_it_waits_and_then_does_what_was_due() {
    let mut world = World::new();
    world.is_busy = |at| at < 10 * MINUTE;
    world.serve(2 * HOUR, 2 * HOUR, world.days(1));
    let began = world.began();
    assert_eq!(began.len(), 301, "every two seconds, and then once");
    assert_eq!(*began.last().unwrap(), (10 * MINUTE, ALL.to_vec()));
}

fn asked(at: i64, id: u64, wish: Wish) -> (i64, Event) {
    (at, Event::Asked { id, wish })
}

#[test]
fn what_is_asked_for_is_the_next_run_and_those_who_ask_for_the_same_share_it() {
    let world = World::new();
    let mail = Wish { kinds: vec![Kind::Mail], ..Wish::default() };
    let mut events = world.days(1);
    // The first is at once; the others come in the middle of it.
    events.push(asked(MINUTE, 1, mail.clone()));
    events.extend([(2, Wish::default()), (3, mail.clone()), (4, Wish::default())].map(|(id, wish)| {
        let at = MINUTE + SECOND;
        asked(at, id, wish)
    }));
    world.serve(2 * HOUR, 2 * HOUR, events);
    let runs = world.runs.borrow();
    let told: Vec<(i64, Option<Wish>, Vec<u64>)> =
        runs.iter().map(|(at, duty)| (*at, duty.wish.clone(), duty.asked.clone())).collect();
    let (first, second, third) = (MINUTE, MINUTE + world.takes_ms, MINUTE + 2 * world.takes_ms);
    assert_eq!(
        told,
        [
            (0, None, vec![]),
            (first, Some(mail.clone()), vec![1]),
            (second, Some(Wish::default()), vec![2, 4]),
            (third, Some(mail), vec![3])
        ]
    );
    assert_eq!((&runs[1].1.kinds, &runs[2].1.kinds), (&vec![Kind::Mail], &ALL.to_vec()));
}

#[test]
fn what_is_asked_for_waits_for_another_process_and_is_not_lost() {
    let mut world = World::new();
    world.is_busy = |at| (MINUTE..2 * MINUTE).contains(&at);
    let mut events = world.days(1);
    events.push(asked(MINUTE, 1, Wish { replica: Some("laptop".to_owned()), ..Wish::default() }));
    world.serve(2 * HOUR, 2 * HOUR, events);
    let runs = world.runs.borrow();
    assert_eq!(runs.len(), 1 + 30 + 1, "every two seconds for a minute, and then once");
    assert!(runs[1..].iter().all(|(_, duty)| duty.asked == [1]));
    assert_eq!(runs.last().unwrap().0, 2 * MINUTE);
}

#[test]
fn a_run_with_one_replica_says_nothing_of_the_others_and_moves_no_schedule() {
    let mut world = World::new();
    world.is_away = |place, _| place == "google";
    let mut events = world.days(3);
    events.push(asked(SECOND * 30, 1, Wish { replica: Some("laptop".to_owned()), ..Wish::default() }));
    events.push(asked(SECOND * 40, 2, Wish::default()));
    world.serve(HOUR, HOUR, events);
    let runs = world.runs.borrow();
    let without = |at: usize| runs[at].1.without.clone();
    assert!(without(1).is_empty() && without(2).is_empty(), "whoever asks has everybody asked");
    // Google failed twice, at the beginning and for the second who asked, who makes the service wait no longer.
    let next = world.takes_ms + MINUTE;
    assert_eq!(runs[3].0, next);
}

#[test]
fn a_stop_ends_it_at_once_or_with_the_run_and_leaves_a_run_that_reads_earlier_than_one_that_writes() {
    let idle = World::new();
    assert_eq!(idle.serve(HOUR, HOUR, vec![(MINUTE, Event::Stop)]), (End::Clean, MINUTE));
    let mut busy = World::new();
    busy.takes_ms = HOUR;
    let (end, at) = busy.serve(HOUR, HOUR, vec![(MINUTE, Event::Stop)]);
    assert!(end == End::Clean && (MINUTE + SECOND..=MINUTE + 2 * SECOND).contains(&at), "{at}");
    assert_eq!(*busy.states.borrow().last().unwrap(), State::Stopping);
    let mut stuck = World::new();
    (stuck.takes_ms, stuck.stops_in_ms) = (HOUR, HOUR);
    let (end, at) = stuck.serve(HOUR, HOUR, vec![(MINUTE, Event::Stop)]);
    assert!(end == End::Cut && (MINUTE + 3 * SECOND..MINUTE + 5 * SECOND).contains(&at), "{at}");
    let mut writes = World::new();
    (writes.takes_ms, writes.stops_in_ms, writes.is_changing) = (HOUR, HOUR, true);
    assert_eq!(writes.serve(HOUR, HOUR, vec![(MINUTE, Event::Stop)]), (End::Cut, MINUTE + 8 * SECOND));
}

#[test]
fn clocks_of_a_machine_that_went_to_another_zone_are_noticed_within_a_minute_without_a_reload() {
    let mut world = World::new();
    // Noon, on the clocks of London, and from three in the morning on those of Tokyo.
    world.retimed = |at| {
        let zone = if at < 3 * HOUR - 30 * MINUTE { chrono_tz::UTC } else { chrono_tz::Asia::Tokyo };
        let at_noon = || Trigger::cron("0 12 * * *", zone).unwrap();
        Some(ALL.map(|kind| (kind, at_noon())).into())
    };
    let events = world.days(24);
    world.serve(24 * HOUR, 24 * HOUR, events);
    let began: Vec<i64> = world.began().iter().map(|(at, _)| *at).collect();
    assert_eq!(began, [0, 3 * HOUR], "noon in Tokyo is three o'clock in London");
}

#[test]
fn a_configuration_that_is_read_again_counts_from_then_on_and_a_bad_one_does_not() {
    let mut world = World::new();
    world.reload = || Some([(Kind::Mail, Trigger::Every(MINUTE))].into());
    let mut events = world.days(2);
    // In the middle of a run: that one goes on.
    events.push((HOUR + SECOND, Event::Reload));
    world.serve(30 * MINUTE, 30 * MINUTE, events);
    let began = world.began();
    assert_eq!(began.iter().filter(|(at, _)| *at <= HOUR).count(), 3);
    let after: Vec<_> = began.iter().filter(|(at, _)| *at > HOUR).collect();
    assert_eq!(after[0].0, HOUR + world.takes_ms);
    assert!(after.len() >= 59 && after.iter().all(|(_, kinds)| *kinds == [Kind::Mail]));
    let told = world.states.borrow();
    assert!(told.windows(2).any(|pair| pair == [State::Reloading, State::Ready]));

    let refused = World::new();
    let mut events = refused.days(2);
    events.push((HOUR + MINUTE, Event::Reload));
    refused.serve(30 * MINUTE, 30 * MINUTE, events);
    assert_eq!(refused.began().len(), 4);
}

#[test]
fn hours_of_first_sync_give_way_to_what_is_due_and_go_on_right_after() {
    let world = World::new();
    world.left_ms.set(3 * HOUR);
    world.serve(10 * MINUTE, 5 * MINUTE, world.days(5));
    let began = world.began();
    let of_contacts: Vec<i64> =
        began.iter().filter(|(_, kinds)| kinds.contains(&Kind::Contacts)).map(|(at, _)| *at).collect();
    let longest = of_contacts.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
    assert!(longest <= 5 * MINUTE + PART_MS + 2 * world.takes_ms, "{longest}");
    assert!(world.left_ms.get() <= 0, "{} s are left", world.left_ms.get() / SECOND);
    let reading: Vec<_> = began.iter().take_while(|(at, _)| *at < 3 * HOUR).collect();
    assert!(reading.len() < 60, "it gives way to what is due, and to nothing else: {reading:?}");
    assert!(reading.iter().all(|(_, kinds)| kinds.contains(&Kind::Mail)), "and goes on with the next run: {reading:?}");
}

#[test]
fn with_something_due_every_few_seconds_a_first_sync_moves_on_all_the_same() {
    let world = World::new();
    world.left_ms.set(HOUR);
    world.serve(5 * MINUTE, 5 * SECOND, world.days(3));
    assert!(world.left_ms.get() <= 0, "{} s are left", world.left_ms.get() / SECOND);
    let began = world.began();
    let longest = began.windows(2).map(|pair| pair[1].0 - pair[0].0).max().unwrap();
    assert!(longest <= 5 * SECOND + PART_MS + world.takes_ms, "nobody waits longer: {longest}");
}

#[test]
fn who_asks_who_signs_in_and_a_folder_of_another_kind_wait_for_a_part_and_not_for_a_first_sync() {
    let wish = Wish { kinds: vec![Kind::Contacts], ..Wish::default() };
    let contacts = Event::Changed([Kind::Contacts].into());
    for event in [asked(MINUTE, 1, wish), signed_in(MINUTE, "google"), (MINUTE, contacts)] {
        let world = World::new();
        world.left_ms.set(HOUR);
        let mut events = world.days(2);
        events.push(event.clone());
        world.serve(10 * HOUR, 10 * HOUR, events);
        let began = world.began();
        let (at, kinds) = &began[1];
        let soon = MINUTE..MINUTE + PART_MS;
        assert!(soon.contains(at) && kinds.contains(&Kind::Contacts), "{event:?}: {began:?}");
        assert!(world.left_ms.get() <= 0, "{event:?}: it went on");
        assert!(began.len() <= 4, "{event:?}: {began:?}");
    }
}

#[test]
fn each_run_is_told_once_when_anything_waits_for_it_also_what_it_may_have_written_itself() {
    let mut world = World::new();
    world.takes_ms = 30 * SECOND;
    let changed = |at, kind| (at, Event::Changed([kind].into()));
    let mut events = vec![changed(10 * SECOND, Kind::Mail), changed(15 * SECOND, Kind::Contacts)];
    events.push(changed(50 * SECOND, Kind::Mail));
    events.extend(world.days(1));
    world.serve(HOUR, HOUR, events);
    let began: Vec<i64> = world.began().iter().map(|(at, _)| *at).collect();
    let (first, second) = (10 * SECOND + REST_MS, 50 * SECOND + REST_MS);
    assert_eq!(began, [0, 30 * SECOND, 60 * SECOND]);
    assert_eq!(*world.waited_for.borrow(), [first, second], "the last run holds nobody");
}

/// Somebody drops a hold.
fn dropped(at: i64, id: u64, hold: &str) -> (i64, Event) {
    (at, Event::Decided { id, decision: Decision::Drop { ids: vec![hold.to_owned()] } })
}

#[test]
fn what_is_decided_is_carried_out_between_two_runs_and_waits_for_no_first_sync() {
    let world = World::new();
    world.left_ms.set(HOUR);
    let mut events = world.days(2);
    events.extend([dropped(MINUTE, 7, "3f1c"), dropped(MINUTE, 8, "")]);
    world.serve(10 * HOUR, 10 * HOUR, events);
    let (decided, began) = (world.decided.borrow().clone(), world.began());
    let soon = MINUTE..MINUTE + PART_MS;
    assert!(
        decided.iter().map(|(_, id)| *id).eq([7, 8]) && decided.iter().all(|(at, _)| soon.contains(at)),
        "{decided:?}"
    );
    assert_eq!(began[1], (decided[1].0, vec![Kind::Contacts]), "a run that acts on it follows at once");
    assert!(world.left_ms.get() <= 0, "the first sync went on");
    assert!(began.len() <= 4, "what was not done has no run: {began:?}");
}

#[test]
fn a_run_that_acts_on_what_somebody_decided_leaves_nobody_alone() {
    let world = World { is_away: |place, _| place == "google", ..World::new() };
    let mut events = world.days(2);
    let at = HOUR + 30 * SECOND;
    events.push(dropped(at, 7, "3f1c"));
    world.serve(MINUTE, 5 * MINUTE, events);
    let runs = world.runs.borrow();
    let (_, by_schedule) = runs.iter().rev().find(|(began, _)| *began < at).unwrap();
    assert_eq!(by_schedule.without, all_of("google"));
    let (_, duty) = runs.iter().find(|(began, _)| *began == at).unwrap();
    assert!(duty.without.is_empty() && duty.kinds == [Kind::Contacts], "{duty:?}");
}

#[test]
fn what_is_decided_just_before_a_stop_is_carried_out() {
    let world = World::new();
    let stop = world.takes_ms / 2;
    let (end, _) = world.serve(HOUR, HOUR, vec![(stop, Event::Stop), dropped(stop, 7, "3f1c")]);
    assert_eq!((end, world.decided.borrow().len(), world.runs.borrow().len()), (End::Clean, 1, 1));
}

#[test]
fn what_a_first_sync_writes_into_its_own_folder_does_not_stop_it() {
    let world = World::new();
    world.left_ms.set(HOUR);
    let mut events = world.days(2);
    events.extend((1..HOUR / SECOND).map(|n| (n * SECOND, Event::Changed([Kind::Mail].into()))));
    world.serve(10 * HOUR, 10 * HOUR, events);
    assert_eq!(world.began().len(), 2, "the first sync, and one run for what changed meanwhile");
}

#[test]
fn a_run_that_gave_way_is_no_run_over_all_kinds() {
    let world = World::new();
    world.left_ms.set(20 * MINUTE);
    world.serve(2 * HOUR, 5 * MINUTE, world.days(1));
    let all: Vec<i64> = world.began().iter().filter(|(_, kinds)| *kinds == ALL).map(|(at, _)| *at).collect();
    assert!(all.last().is_some_and(|at| *at >= 15 * MINUTE), "one came to its end: {all:?}");
}

#[test]
fn whoever_asks_again_and_again_does_not_keep_what_is_due_waiting() {
    let world = World::new();
    let mut events = world.days(1);
    let mail = |n: u64| Wish { kinds: vec![Kind::Mail], replica: Some(format!("phone {n}")), ..Wish::default() };
    events.extend((1..3000).map(|n| asked(SECOND * i64::try_from(n).unwrap(), n, mail(n))));
    world.serve(MINUTE, 5 * MINUTE, events);
    let by_schedule = world.runs.borrow().iter().filter(|(_, duty)| duty.wish.is_none()).count();
    assert!(by_schedule >= 50, "{by_schedule} runs by the schedule in an hour");
}
