//! `status --wait-aligned`: asks the service for runs until one of them ends with everything aligned.

use crate::cli::{Context, handover};
use crate::config::Config;
use crate::daemon::Wish;
use crate::daemon::socket::{Answer, Request};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use twofold_cycle::report::exit;
use twofold_model::Result;

/// Between two runs that are asked for.
const PAUSE: Duration = Duration::from_secs(3);

/// How the waiting ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Waited {
    /// A run that began after the moment of asking ended with nothing left.
    Aligned,
    /// The time is over; what the last run that was asked for left, if one ended.
    NotInTime(Option<i32>),
    /// Nobody works: no service is running.
    NoService,
}

/// Asks until it is so, or until the time is over.
pub async fn wait(config: &Config, within: Duration) -> Result<Waited> {
    let end = Instant::now() + within;
    let mut last = None;
    loop {
        let outcome = match timeout_at(end, one_run(config)).await {
            Ok(outcome) => outcome?,
            Err(_) => return Ok(Waited::NotInTime(last)),
        };
        match outcome {
            None => return Ok(Waited::NoService),
            Some(exit::ALIGNED) => return Ok(Waited::Aligned),
            Some(code) => last = Some(code),
        }
        tokio::time::sleep_until(end.min(Instant::now() + PAUSE)).await;
    }
}

/// One run of everything, begun after this moment; its exit code. `None`: no service is running.
async fn one_run(config: &Config) -> Result<Option<i32>> {
    let Some(mut talk) = handover::begin(config, Request::Sync(Wish::default())).await? else { return Ok(None) };
    loop {
        match talk.next().await {
            Ok(Some(Answer::Over(over))) => return Ok(Some(over.exit)),
            Ok(Some(Answer::Refused { exit, .. })) => return Ok(Some(exit)),
            Ok(Some(Answer::Progress { .. } | Answer::Status { .. } | Answer::Done(_))) => {}
            // It ended meanwhile; whether another one began is asked anew.
            Ok(None) | Err(_) => return Ok(Some(exit::TEMPORARY)),
        }
    }
}

/// Says how the waiting ended, and answers with the exit code; `state` is that of what is left by now.
pub fn tell(context: &Context, waited: &Waited, within: Duration, state: i32) -> i32 {
    let or_temporary = |code: i32| if code == exit::ALIGNED { exit::TEMPORARY } else { code };
    match waited {
        Waited::Aligned => {
            // What is open counts also where no run found it.
            if state == exit::ALIGNED {
                context.say("twofold: aligned");
            }
            state
        }
        Waited::NotInTime(last) => {
            eprintln!("twofold: not aligned within {} s; what is left is listed by: twofold status", within.as_secs());
            or_temporary(if state == exit::ALIGNED { last.unwrap_or(state) } else { state })
        }
        Waited::NoService => {
            eprintln!(
                "twofold: no service is running, so nothing comes into line by itself; nothing was done. Type: twofold sync"
            );
            or_temporary(state)
        }
    }
}

/// Reads a span of time: `90s`, `5m`, `1h`, or seconds.
pub fn span(text: &str) -> std::result::Result<Duration, String> {
    let (number, of) = match text.char_indices().last() {
        Some((at, 's')) => (&text[..at], 1),
        Some((at, 'm')) => (&text[..at], 60),
        Some((at, 'h')) => (&text[..at], 3_600),
        _ => (text, 1),
    };
    let seconds = number.parse::<u32>().map_err(|_| "this is no time; write for example 60s, 5m or 1h".to_owned())?;
    Ok(Duration::from_secs(u64::from(seconds) * of))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_with_its_unit() {
        let read = |text| span(text).ok().map(|span| span.as_secs());
        assert_eq!(["60s", "60", "2m", "1h"].map(read), [Some(60), Some(60), Some(120), Some(3_600)]);
        assert_eq!(["", "s", "-1s", "1d", "ü"].map(read), [None; 5]);
    }
}
