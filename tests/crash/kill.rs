//! How a run is killed: at a named point of its talk with the providers, or at a moment of the clock. SIGKILL, so that nothing
//! in the program can tidy up.

use super::world::{Ended, World};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use std::fmt;
use std::process::Child;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use twofold_sandbox::{Fault, Phase, RequestInfo, Rule, Sandbox};

/// Where in a request the child dies. Its reply is never delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// It has left, but is not executed.
    Before,
    /// Of a batch the first part is executed, the others are not.
    Midway,
    /// It is executed.
    After,
}

/// A named point: the n-th request of a run, counted from 0, and the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    pub request: usize,
    pub moment: Moment,
    /// Only requests are counted whose path has this text.
    pub path: &'static str,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Point { request, moment, path } = self;
        write!(f, "{moment:?} request {request} {path}")
    }
}

/// What the hook and the test tell each other.
struct Trap {
    point: Point,
    stage: Mutex<Stage>,
    moved: Condvar,
}

#[derive(Default)]
struct Stage {
    child: Option<Pid>,
    /// The child is dead, or ended by itself.
    is_over: bool,
    seen: usize,
    /// The request at which the child dies.
    fatal: Option<u64>,
    killed_at: Option<String>,
    /// Requests between their two hooks.
    under_way: usize,
}

impl Trap {
    fn stage(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait(&self, is_enough: impl Fn(&Stage) -> bool) -> MutexGuard<'_, Stage> {
        let limit = Duration::from_secs(60);
        let stage = self.stage();
        let (stage, waited) = self
            .moved
            .wait_timeout_while(stage, limit, |stage| !is_enough(stage))
            .unwrap_or_else(PoisonError::into_inner);
        assert!(!waited.timed_out(), "the trap at {} hangs", self.point);
        stage
    }

    fn hook(&self, sandbox: &Sandbox, info: &RequestInfo, phase: Phase) {
        match phase {
            Phase::Before => {
                let mut stage = self.stage();
                stage.under_way += 1;
                let counts = info.path.contains(self.point.path);
                let is_fatal = counts && stage.seen == self.point.request;
                stage.seen += usize::from(counts);
                if !is_fatal {
                    return;
                }
                stage.fatal = Some(info.number);
                drop(stage);
                match self.point.moment {
                    Moment::Before => self.kill(sandbox, info),
                    Moment::Midway => sandbox.fault(Rule::any(Fault::DropBefore).parts().skip(1)),
                    Moment::After => {}
                }
            }
            Phase::After => {
                let is_fatal = self.stage().fatal == Some(info.number);
                if is_fatal && self.point.moment != Moment::Before {
                    self.kill(sandbox, info);
                }
                self.stage().under_way -= 1;
                self.moved.notify_all();
            }
        }
    }

    /// Kills the child and holds the request until it is dead. From the kill on, nothing is executed any more.
    fn kill(&self, sandbox: &Sandbox, info: &RequestInfo) {
        let mut stage = self.wait(|stage| stage.child.is_some());
        if stage.is_over {
            return;
        }
        sandbox.fault(Rule { kind: None, ..Rule::any(Fault::DropBefore) });
        // The child is not reaped before `is_over` is set, so the number is still its own.
        if kill_process(stage.child.unwrap(), Signal::KILL).is_ok() {
            stage.killed_at = Some(format!("{} {}", info.method, info.path));
        }
        drop(stage);
        drop(self.wait(|stage| stage.is_over));
    }
}

/// Runs once and kills at the point. Gives the request that it died at, none if the run ended before.
pub fn at(world: &mut World, point: Point) -> (Option<String>, Ended) {
    let trap = Arc::new(Trap { point, stage: Mutex::default(), moved: Condvar::new() });
    let (set, sandbox) = (trap.clone(), world.sandbox.clone());
    world.sandbox.set_hook(Some(Arc::new(move |info, phase| set.hook(&sandbox, info, phase))));
    let child = world.start();
    trap.stage().child = Some(pid(&child));
    trap.moved.notify_all();
    wait_for_death(&child);
    trap.stage().is_over = true;
    trap.moved.notify_all();
    let ended = world.end(child);
    let killed_at = trap.wait(|stage| stage.under_way == 0).killed_at.clone();
    // The hook holds the sandbox that holds the hook.
    world.sandbox.set_hook(None);
    world.cut();
    assert_eq!(killed_at.is_some(), ended.exit.is_none(), "{point}: killed, and by nobody else: {}", ended.words);
    (killed_at, ended)
}

/// Runs once and kills after so long. Gives whether the run was still going.
pub fn after(world: &mut World, delay: Duration) -> bool {
    let started = Instant::now();
    let child = world.start();
    std::thread::sleep(delay.saturating_sub(started.elapsed()));
    // It is not reaped yet, so the number is still its own; a run that has ended cannot be killed any more.
    let _ = kill_process(pid(&child), Signal::KILL);
    wait_for_death(&child);
    let ended = world.end(child);
    world.cut();
    ended.exit.is_none()
}

fn pid(child: &Child) -> Pid {
    Pid::from_child(child)
}

/// Waits for the end and leaves the body where it is.
fn wait_for_death(child: &Child) {
    waitid(WaitId::Pid(pid(child)), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT).unwrap();
}
