//! The crash harness on the built program: every scenario of the table, cut short by SIGKILL and by faults of the network,
//! must end like the run that nothing disturbed: nothing lost, nothing doubled, and quiet.
//!
//! | environment | meaning |
//! |---|---|
//! | `TWOFOLD_KILLS=200` | at least so many kills at named points; all of the table's points first (ordinarily 25) |
//! | `TWOFOLD_MOMENTS=200` | so many kills at random moments (ordinarily 20) |
//! | `TWOFOLD_FAULTS=all` | so many faults without kills (ordinarily 40) |
//! | `TWOFOLD_SEED=7` | which points, moments and faults are drawn |
//! | `TWOFOLD_ONLY=text` | only what has this text in its label; a failure prints its label |

#[path = "crash/kill.rs"]
mod kill;
#[path = "crash/rows.rs"]
mod rows;
#[path = "crash/scenarios.rs"]
mod scenarios;
#[path = "crash/world.rs"]
mod world;

use kill::{Moment, Point};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rows::Row;
use scenarios::{SCENARIOS, Scenario};
use std::collections::BTreeMap;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};
use twofold_sandbox::{Fault, Options, Rule};
use world::World;

/// What a scenario comes to when nothing disturbs it.
#[derive(Clone, Debug)]
struct Rehearsal {
    scenario: &'static Scenario,
    /// The requests of the run, in order: whether it is a `$batch`, whether it may change something.
    requests: Vec<(bool, bool)>,
    /// How many requests and parts of batches may change something.
    writes: u64,
    takes: Duration,
    rows: [Vec<Row>; 2],
}

/// The whole table, rehearsed once for all tests. A scenario that fails is left out here and fails its own test.
static REHEARSALS: LazyLock<Vec<Result<Rehearsal, String>>> = LazyLock::new(|| {
    let done = Mutex::new(BTreeMap::new());
    let next = Mutex::new(0..SCENARIOS.len());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let at = next.lock().unwrap_or_else(PoisonError::into_inner).next();
                    let Some(at) = at else { break };
                    let result = std::panic::catch_unwind(|| rehearse(&SCENARIOS[at]));
                    let result = result.map_err(|_| SCENARIOS[at].name.to_owned());
                    done.lock().unwrap_or_else(PoisonError::into_inner).insert(at, result);
                }
            });
        }
    });
    done.into_inner().unwrap_or_else(PoisonError::into_inner).into_values().collect()
});

fn rehearsals() -> impl Iterator<Item = &'static Rehearsal> {
    REHEARSALS.iter().flatten()
}

fn begin(scenario: &Scenario, options: Options) -> World {
    let world = World::new(scenario, options);
    scenario.acts.iter().for_each(|act| world.act(act));
    world.sandbox.reset_counts();
    world
}

fn rehearse(scenario: &'static Scenario) -> Rehearsal {
    let world = begin(scenario, Options::empty());
    let started = Instant::now();
    let ended = world.sync();
    let takes = started.elapsed();
    assert_eq!(ended.exit, Some(0), "{}: {}", scenario.name, ended.words);
    let log = world.sandbox.log();
    let mut requests = Vec::new();
    for line in &log {
        match line.info.is_part {
            // The parts of a batch stand before it.
            true => continue,
            false => {
                let is_batch = line.info.path.ends_with("/$batch");
                requests.push((is_batch, line.info.is_write || is_batch && batch_writes(&log)));
            }
        }
    }
    let writes = log.iter().filter(|line| line.info.is_write).count() as u64;
    world.is_as_it_should_be(scenario, scenario.name);
    let settled = world.until_quiet(scenario.name);
    assert_eq!(settled.runs, 0, "{}: one run is enough", scenario.name);
    Rehearsal { scenario, requests, writes, takes, rows: world.rows() }
}

fn batch_writes(log: &[twofold_sandbox::state::LogLine]) -> bool {
    log.iter().any(|line| line.info.is_part && line.info.is_write)
}

fn number(name: &str, ordinarily: usize) -> usize {
    match std::env::var(name).ok().as_deref() {
        None => ordinarily,
        Some("all") => usize::MAX,
        Some(text) => text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")),
    }
}

fn seed() -> u64 {
    number("TWOFOLD_SEED", 1) as u64
}

fn is_wanted(label: &str) -> bool {
    std::env::var("TWOFOLD_ONLY").map_or(true, |text| label.contains(&text))
}

/// After a mishap: quiet again, and all is as in the rehearsal.
fn recovers(world: &World, rehearsal: &Rehearsal, what: &str) -> world::Settled {
    let settled = world.until_quiet(what);
    world.is_as_it_should_be(rehearsal.scenario, what);
    assert_eq!(world.rows(), rehearsal.rows, "{what}: everything is as if nothing had happened");
    settled
}

/// Counts what a test did, and prints it in the end.
#[derive(Debug, Default)]
struct Tally {
    cases: usize,
    struck: usize,
    waited: usize,
    most_runs: usize,
}

impl Tally {
    fn count(&mut self, is_struck: bool, settled: world::Settled) {
        self.cases += 1;
        self.struck += usize::from(is_struck);
        self.waited += usize::from(settled.waited);
        self.most_runs = self.most_runs.max(settled.runs);
    }
}

#[test]
fn every_scenario_ends_well_when_nothing_disturbs_it() {
    let failed: Vec<&String> = REHEARSALS.iter().filter_map(|result| result.as_ref().err()).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    assert_eq!(REHEARSALS.len(), SCENARIOS.len());
}

/// Every point of every scenario, those in and round writes first, drawn by the seed.
fn points() -> Vec<(&'static Rehearsal, Point)> {
    let (mut writes, mut reads) = (Vec::new(), Vec::new());
    for rehearsal in rehearsals() {
        for (request, (is_batch, is_write)) in rehearsal.requests.iter().enumerate() {
            for moment in [Moment::Before, Moment::Midway, Moment::After] {
                if moment != Moment::Midway || *is_batch {
                    let list = if *is_write { &mut writes } else { &mut reads };
                    list.push((rehearsal, Point { request, moment }));
                }
            }
        }
    }
    let mut random = StdRng::seed_from_u64(seed());
    writes.shuffle(&mut random);
    reads.shuffle(&mut random);
    // Of three points two are at writes, as long as there are any.
    let mut all = Vec::new();
    let (mut writes, mut reads) = (writes.into_iter(), reads.into_iter());
    loop {
        let next: Vec<_> = writes.by_ref().take(2).chain(reads.by_ref().take(1)).collect();
        if next.is_empty() {
            return all;
        }
        all.extend(next);
    }
}

#[test]
fn promise_3_a_run_killed_at_a_named_point_loses_and_doubles_nothing() {
    let wanted = number("TWOFOLD_KILLS", 25);
    let points = points();
    let mut tally = Tally::default();
    for (rehearsal, point) in points.iter().cycle().take(wanted.max(points.len()).min(10 * points.len())) {
        if tally.struck >= wanted && (wanted < 200 || tally.cases >= points.len()) {
            break;
        }
        let mut what = format!("{}, {point}", rehearsal.scenario.name);
        if is_wanted(&what) {
            let mut world = begin(rehearsal.scenario, Options::empty());
            let (killed_at, _) = kill::at(&mut world, *point);
            what += &format!(" ({})", killed_at.as_deref().unwrap_or("the run had ended"));
            tally.count(killed_at.is_some(), recovers(&world, rehearsal, &what));
        }
    }
    println!("{} of {} points; {tally:?}", tally.cases, points.len());
    assert!(std::env::var("TWOFOLD_ONLY").is_ok() || tally.struck >= wanted.min(points.len()), "{tally:?}");
}

#[test]
fn promise_3_a_run_killed_at_any_moment_loses_and_doubles_nothing() {
    let mut random = StdRng::seed_from_u64(seed());
    let all: Vec<&Rehearsal> = rehearsals().collect();
    let mut tally = Tally::default();
    for case in 0..number("TWOFOLD_MOMENTS", 20) {
        let rehearsal = all[random.random_range(0..all.len())];
        let delay = rehearsal.takes.mul_f64(random.random_range(0.0..1.0));
        let what =
            format!("{}, moment {case}, killed after {delay:?} of {:?}", rehearsal.scenario.name, rehearsal.takes);
        if is_wanted(&what) {
            let mut world = begin(rehearsal.scenario, Options::empty());
            let is_killed = kill::after(&mut world, delay);
            tally.count(is_killed, recovers(&world, rehearsal, &what));
        }
    }
    println!("{tally:?}");
}

/// What goes wrong with one write, and what it is called.
fn faults() -> Vec<(&'static str, Fault)> {
    vec![
        ("reply lost", Fault::DropAfter),
        ("request lost", Fault::DropBefore),
        ("500 executed", Fault::status_but_executed(500)),
        ("500", Fault::status(500)),
        ("503", Fault::status(503)),
        ("503 executed", Fault::status_but_executed(503)),
        ("429", Fault::throttled("1")),
        ("429 silent", Fault::status(429)),
        ("HTML", Fault::Html { executed: false }),
        ("HTML executed", Fault::Html { executed: true }),
        ("truncated", Fault::Truncate),
        ("text/plain", Fault::ContentType { value: "text/plain".into() }),
    ]
}

#[test]
fn promise_3_a_write_that_goes_wrong_is_neither_lost_nor_doubled() {
    let mut cases = Vec::new();
    for rehearsal in rehearsals() {
        for write in 0..rehearsal.writes {
            cases.extend(faults().into_iter().map(|(name, fault)| (rehearsal, write, name, fault)));
        }
    }
    cases.shuffle(&mut StdRng::seed_from_u64(seed()));
    let mut tally = Tally::default();
    for (rehearsal, write, name, fault) in cases.iter().take(number("TWOFOLD_FAULTS", 40)) {
        let what = format!("{}, write {write}: {name}", rehearsal.scenario.name);
        if is_wanted(&what) {
            let world = begin(rehearsal.scenario, Options::empty());
            world.sandbox.fault(Rule::any(fault.clone()).writes().skip(*write).times(1));
            world.sync();
            let is_struck = world.sandbox.with(|state| state.faults.struck()) > 0;
            world.sandbox.with(|state| state.faults.clear());
            tally.count(is_struck, recovers(&world, rehearsal, &what));
        }
    }
    println!("{} of {} faults; {tally:?}", tally.cases, cases.len());
}
