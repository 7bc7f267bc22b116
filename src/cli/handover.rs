//! A run handed over to the running service, and watched from here.

use super::{Context, asked_to_end, hints};
use crate::config::Config;
use crate::connect;
use crate::daemon::live::{Run, Snapshot};
use crate::daemon::socket::{Answer, Conversation, NO_REQUEST, Over, Request};
use crate::daemon::{Decision, Wish};
use std::time::Duration;
use twofold_cycle::{Progress, Reading};
use twofold_model::{Error, ErrorKind, Result};

/// A service says within this time what it is at.
pub const PATIENCE: Duration = Duration::from_secs(3);
/// It says what it is at within this time, when something is asked of it.
const ANSWERS_WITHIN: Duration = Duration::from_secs(15);

/// Lets the service do a run and shows how it goes on; `None`: no service is running.
///
/// Keeps promise 12: with a service running there is one run at a time, and it is the service's. A signal ends the watching, not the run.
pub async fn run(context: &Context, config: &Config, wish: Wish, progress: &dyn Progress) -> Result<Option<Over>> {
    if !connect::is_state_folder(&config.state_dir)? {
        return Ok(None);
    }
    let mut leave = std::pin::pin!(asked_to_end());
    let Some(mut talk) = begin(config, Request::Sync(wish)).await? else { return Ok(None) };
    let mut shown = Shown::default();
    let mut silence = std::pin::pin!(tokio::time::sleep(ANSWERS_WITHIN));
    let mut is_answered = false;
    loop {
        let answer = tokio::select! {
            answer = talk.next() => answer.map_err(|error| lost(&error.to_string()))?,
            () = &mut silence, if !is_answered => return Err(mute(config)),
            () = &mut leave => {
                let words = "no longer watching; the service goes on with this run and nothing of it is lost. \
                             See how it went with: twofold status";
                return Err(Error::new(ErrorKind::Throttled { retry_after_s: None }, words));
            }
        };
        is_answered = true;
        match answer {
            Some(Answer::Progress { mine, run }) => shown.take(context, mine, run, progress),
            Some(Answer::Over(over)) => return Ok(Some(over)),
            Some(Answer::Refused { words, exit }) => return Err(refused(words, exit)),
            Some(Answer::Status { .. } | Answer::Done(_)) => {}
            None => return Err(lost("it ended, or was killed")),
        }
    }
}

/// Lets the service carry out what somebody decided, and answers what it did; `None`: no service is running, or it is one that does not
/// know this word. A signal ends the waiting, and takes nothing back.
pub async fn decide(context: &Context, config: &Config, decision: &Decision) -> Result<Option<String>> {
    let unknown = |why: &str| {
        let words = format!("the service does not answer ({why}); whether it was done is not known. See: twofold held");
        Error::new(ErrorKind::Offline, words)
    };
    if !connect::is_state_folder(&config.state_dir)? {
        return Ok(None);
    }
    let mut leave = std::pin::pin!(asked_to_end());
    let Some(mut talk) = begin(config, Request::Decide(decision.clone())).await? else { return Ok(None) };
    let mut silence = std::pin::pin!(tokio::time::sleep(ANSWERS_WITHIN));
    let (mut is_answered, mut has_said_later) = (false, false);
    loop {
        let answer = tokio::select! {
            answer = talk.next() => answer.map_err(|error| unknown(&error.to_string()))?,
            () = &mut silence, if !is_answered => return Err(unknown("it said nothing within 15 s")),
            () = &mut leave => {
                let words = "no longer waiting; the service does it when the run that is under way ends or gives way, and not at all when \
                             it is killed before. What is still held lists: twofold held";
                return Err(Error::new(ErrorKind::Throttled { retry_after_s: None }, words));
            }
        };
        is_answered = true;
        match answer {
            Some(Answer::Done(words)) => return Ok(Some(words)),
            Some(Answer::Refused { words, .. }) if words.starts_with(NO_REQUEST) => return Ok(None),
            Some(Answer::Refused { words, exit }) => return Err(refused(words, exit)),
            Some(Answer::Progress { run: Some(run), .. }) if !has_said_later => {
                let kinds: Vec<&str> = run.kinds.iter().map(|kind| kind.as_str()).collect();
                context.say(format_args!(
                    "twofold: the service heard it, is in the middle of a run ({}), and does it when that ends or gives way",
                    kinds.join(", ")
                ));
                has_said_later = true;
            }
            Some(_) => {}
            None => return Err(unknown("it ended, or was killed")),
        }
    }
}

/// Asks the service; `None`: none is running.
pub async fn begin(config: &Config, request: Request) -> Result<Option<Conversation>> {
    Conversation::begin(&config.state_dir, request).await.map_err(|error| lost(&error.to_string()))
}

/// What the service is at, and whether systemd handed it the key of the sign-ins; `None`: none is running, or it does not say.
pub async fn status(config: &Config) -> Option<(Snapshot, bool)> {
    status_within(config, PATIENCE).await
}

/// The same, asked with another patience.
pub async fn status_within(config: &Config, patience: Duration) -> Option<(Snapshot, bool)> {
    let ask = async {
        let mut talk = begin(config, Request::Status).await.ok()??;
        match talk.next().await {
            Ok(Some(Answer::Status { now, has_credential_key })) => Some((*now, has_credential_key)),
            _ => None,
        }
    };
    tokio::time::timeout(patience, ask).await.ok()?
}

/// The service is there, and never said anything.
fn mute(config: &Config) -> Error {
    let look = hints::keeper(config).look();
    let words = format!("the service runs and does not answer; no run was seen to begin; {look}");
    Error::new(ErrorKind::Offline, words)
}

/// The service fell silent.
fn lost(why: &str) -> Error {
    let words = format!(
        "the service does not answer any more ({why}); what was done is kept, and the next run goes on. Type: twofold sync"
    );
    Error::new(ErrorKind::Offline, words)
}

/// What the service refused, as an error of the same exit code.
pub(super) fn refused(words: String, exit: i32) -> Error {
    use twofold_cycle::report::exit::{FAILED, HELD, SIGN_IN, USAGE};
    let kind = match exit {
        USAGE => ErrorKind::Misconfigured,
        FAILED => ErrorKind::Broken,
        SIGN_IN => ErrorKind::SignInNeeded,
        HELD => ErrorKind::Held,
        _ => ErrorKind::Throttled { retry_after_s: None },
    };
    Error::new(kind, words)
}

/// What was shown last, so that only what is new is shown.
#[derive(Default)]
struct Shown {
    run: Option<Run>,
    has_said_next: bool,
}

impl Shown {
    fn take(&mut self, context: &Context, mine: bool, run: Option<Run>, progress: &dyn Progress) {
        let Some(run) = run else { return };
        if !mine {
            if !self.has_said_next {
                context.say("twofold: the service is in the middle of a run; yours comes after it");
                self.has_said_next = true;
            }
            progress.at(&format!("the run before yours: {}", run.phase), run.done, run.of);
            return;
        }
        let before = self.run.as_ref();
        for (replica, now) in &run.readings {
            if before.and_then(|before| before.readings.get(replica)) != Some(now) {
                let (done, of, bytes, took_ms) = (now.done, now.of, now.bytes, now.took_ms);
                progress.reading(replica, Reading { done, of, bytes, took_ms });
            }
        }
        let at = |run: &Run| (run.phase.clone(), run.done, run.of);
        if before.map(at) != Some(at(&run)) && !run.phase.is_empty() {
            progress.at(&run.phase, run.done, run.of);
        }
        self.run = Some(run);
    }
}
