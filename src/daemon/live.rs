//! What the service knows of itself at this moment, for whoever asks: its socket, its metrics, its page.
//!
//! Whoever is at work tells it here ([`Live::running`], [`Live::at`] …); whoever asks takes a copy ([`Live::now`]) or waits for the next
//! change ([`Live::changes`]). Nobody who asks holds up the work.

use super::Duty;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use tokio::sync::watch;
use twofold_model::Kind;

/// Shared by the runs and by whoever asks.
#[derive(Debug)]
pub struct Live(watch::Sender<Snapshot>);

/// All of it at one moment. Times are milliseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// What the service is at.
    pub state: Doing,
    /// When it began.
    pub since_ms: i64,
    /// When something is due next; `None`: nothing is, or a run is under way.
    pub next_ms: Option<i64>,
    /// When each kind is due by the schedule.
    pub due_ms: BTreeMap<Kind, i64>,
    /// How many runs it began.
    pub runs: u64,
    /// The run under way.
    pub run: Option<Run>,
    /// The last run that came to its end.
    pub last: Option<Last>,
    /// The exit code of the last run over each kind.
    #[serde(default)]
    pub exits: BTreeMap<Kind, i32>,
    /// What stands in the way, in words for people.
    pub troubles: Vec<String>,
    /// Why the configuration that was to be read is not the one in use; `None`: it is.
    #[serde(default)]
    pub refused: Option<String>,
}

/// What the service is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Doing {
    /// It has not come to its first wait or run.
    Starting,
    /// Nothing is due.
    Waiting,
    /// A run is under way.
    Running,
    /// It ends.
    Stopping,
}

/// A run under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Its kinds.
    pub kinds: Vec<Kind>,
    /// Providers that are left alone in it, by name, or with the kinds of it that are: `google`, `google: mail`.
    pub without: Vec<String>,
    /// When it began.
    pub began_ms: i64,
    /// What is done; empty before the first step.
    pub phase: String,
    /// Steps of the phase that are over …
    pub done: usize,
    /// … of about so many; 0: not known.
    pub of: usize,
    /// How far reading messages has come, by replica.
    pub readings: BTreeMap<String, Reading>,
}

/// How far reading the bytes of a replica's messages has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// Messages that are read …
    pub done: usize,
    /// … of so many.
    pub of: usize,
    /// Their bytes.
    pub bytes: u64,
    /// How long it took so far, in milliseconds.
    pub took_ms: u64,
}

/// A run that is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Last {
    /// Its number in the hub; `None`: it failed before it had one.
    pub run: Option<i64>,
    /// Its kinds.
    pub kinds: Vec<Kind>,
    /// When it began.
    pub began_ms: i64,
    /// When it ended.
    pub ended_ms: i64,
    /// The exit code that `twofold sync` would have had.
    pub exit: i32,
}

impl Live {
    /// Of a service that begins now.
    pub fn new(now_ms: i64) -> Live {
        Live(watch::Sender::new(Snapshot {
            state: Doing::Starting,
            since_ms: now_ms,
            next_ms: None,
            due_ms: BTreeMap::new(),
            runs: 0,
            run: None,
            last: None,
            exits: BTreeMap::new(),
            troubles: Vec::new(),
            refused: None,
        }))
    }

    /// How it is now.
    pub fn now(&self) -> Snapshot {
        self.0.borrow().clone()
    }

    /// Is told of each change from now on; many that follow one another may be told as one.
    pub fn changes(&self) -> watch::Receiver<Snapshot> {
        self.0.subscribe()
    }

    /// When each kind is due.
    pub fn due(&self, due_ms: BTreeMap<Kind, i64>) {
        self.0.send_modify(|now| now.due_ms = due_ms);
    }

    /// Nothing is due before that moment.
    pub fn waiting(&self, next_ms: Option<i64>) {
        self.0.send_modify(|now| (now.state, now.next_ms) = (Doing::Waiting, next_ms));
    }

    /// A run begins.
    pub fn running(&self, duty: &Duty, now_ms: i64) {
        let left_alone = duty.without.iter().filter_map(|(place, left)| {
            let of_run: Vec<&str> =
                duty.kinds.iter().filter(|kind| left.contains(kind)).map(|kind| kind.as_str()).collect();
            match of_run.len() {
                0 => None,
                all if all == duty.kinds.len() => Some(place.clone()),
                _ => Some(format!("{place}: {}", of_run.join(", "))),
            }
        });
        self.0.send_modify(|now| {
            (now.state, now.next_ms) = (Doing::Running, None);
            now.runs += 1;
            now.run = Some(Run {
                kinds: duty.kinds.clone(),
                without: left_alone.collect(),
                began_ms: now_ms,
                phase: String::new(),
                done: 0,
                of: 0,
                readings: BTreeMap::new(),
            });
        });
    }

    /// `done` of about `of` (0: not known) steps of a phase of the run are over.
    pub fn at(&self, phase: &str, done: usize, of: usize) {
        self.0.send_modify(|now| {
            let Some(run) = &mut now.run else { return };
            if run.phase != phase {
                phase.clone_into(&mut run.phase);
            }
            (run.done, run.of) = (done, of);
        });
    }

    /// Messages of a replica are read.
    pub fn reading(&self, replica: &str, reading: Reading) {
        self.0.send_modify(|now| {
            let Some(run) = &mut now.run else { return };
            run.readings.insert(replica.to_owned(), reading);
        });
    }

    /// The run under way is over; `None`: it did nothing, because another process was at work on the hub. `is_of_all`: it says how its kinds
    /// stand, for it was not one with a single replica.
    pub fn ended(&self, last: Option<Last>, is_of_all: bool) {
        self.0.send_modify(|now| {
            now.run = None;
            if let Some(last) = last.as_ref().filter(|_| is_of_all) {
                now.exits.extend(last.kinds.iter().map(|kind| (*kind, last.exit)));
            }
            now.last = last.or(now.last.take());
            if now.state == Doing::Running {
                now.state = Doing::Waiting;
            }
        });
    }

    /// What stands in the way by now.
    pub fn troubles(&self, troubles: Vec<String>) {
        self.0.send_modify(|now| now.troubles = troubles);
    }

    /// A configuration was read (`None`), or refused.
    pub fn refused(&self, why: Option<String>) {
        self.0.send_modify(|now| now.refused = why);
    }

    /// It ends.
    pub fn stopping(&self) {
        self.0.send_modify(|now| (now.state, now.next_ms) = (Doing::Stopping, None));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(kind: Kind) -> Duty {
        Duty { kinds: vec![kind], ..Duty::default() }
    }

    #[test]
    fn what_is_left_alone_in_a_run_is_named_with_its_kinds_where_it_is_not_all() {
        let live = Live::new(0);
        let without = [("google", vec![Kind::Mail]), ("microsoft365", vec![Kind::Mail, Kind::Contacts])];
        let without = without.map(|(place, left)| (place.to_owned(), left.into_iter().collect()));
        let told = |kinds: &[Kind]| {
            live.running(&Duty { kinds: kinds.to_vec(), without: without.clone().into(), ..Duty::default() }, 1);
            live.now().run.unwrap().without
        };
        assert_eq!(told(&[Kind::Contacts, Kind::Mail]), ["google: mail", "microsoft365"]);
        assert_eq!(told(&[Kind::Contacts]), ["microsoft365"]);
        assert_eq!(told(&[Kind::Calendar]), [""; 0]);
    }

    #[test]
    fn a_run_is_seen_from_its_first_step_to_its_outcome() {
        let live = Live::new(1_000);
        live.at("reading", 1, 0);
        assert_eq!((live.now().state, live.now().run), (Doing::Starting, None), "nothing is under way");
        live.waiting(Some(5_000));
        assert_eq!((live.now().state, live.now().next_ms), (Doing::Waiting, Some(5_000)));
        let without = [("google".to_owned(), [Kind::Mail].into())].into();
        live.running(&Duty { without, ..of(Kind::Mail) }, 5_000);
        live.at("writing", 3, 7);
        live.reading("microsoft365", Reading { done: 1, of: 2, bytes: 30, took_ms: 4 });
        let now = live.now();
        let run = now.run.unwrap();
        assert_eq!((now.state, now.next_ms, now.runs), (Doing::Running, None, 1));
        assert_eq!((run.phase.as_str(), run.done, run.of, run.readings["microsoft365"].done), ("writing", 3, 7, 1));
        let last = Last { run: Some(9), kinds: vec![Kind::Mail], began_ms: 5_000, ended_ms: 6_000, exit: 4 };
        live.ended(Some(last.clone()), true);
        live.running(&of(Kind::Mail), 7_000);
        live.ended(None, true);
        let now = live.now();
        assert_eq!((now.state, now.run, now.last, now.runs), (Doing::Waiting, None, Some(last), 2));
    }

    #[test]
    fn how_a_kind_went_last_stays_when_a_run_over_another_goes_well() {
        let live = Live::new(0);
        let over = |kinds: &[Kind], exit| {
            live.ended(Some(Last { run: None, kinds: kinds.to_vec(), began_ms: 1, ended_ms: 2, exit }), true);
            live.now().exits
        };
        over(&[Kind::Mail, Kind::Contacts], 75);
        assert_eq!(over(&[Kind::Contacts], 0), [(Kind::Mail, 75), (Kind::Contacts, 0)].into());
        assert_eq!(over(&[Kind::Mail], 0), [(Kind::Mail, 0), (Kind::Contacts, 0)].into());
    }

    #[test]
    fn a_service_that_ends_stays_ending_when_its_run_is_over() {
        let live = Live::new(0);
        live.running(&of(Kind::Mail), 1);
        live.stopping();
        live.ended(None, true);
        assert_eq!(live.now().state, Doing::Stopping);
    }

    #[test]
    fn it_is_the_same_after_it_was_written_and_read() {
        let live = Live::new(1);
        live.due([(Kind::Calendar, 7)].into());
        live.troubles(vec!["google: sign in".to_owned()]);
        live.running(&of(Kind::Calendar), 2);
        let text = serde_json::to_string(&live.now()).unwrap();
        assert!(text.contains(r#""state":"running""#) && text.contains(r#""due_ms":{"calendar":7}"#), "{text}");
        assert_eq!(serde_json::from_str::<Snapshot>(&text).unwrap(), live.now());
    }
}
