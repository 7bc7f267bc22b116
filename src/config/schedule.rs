//! `[schedule]`: how often the service looks, for all kinds and for each.

use super::table::{Table, Value};
use super::{Result, duration, duration_ms};
use chrono_tz::Tz;
use std::collections::BTreeMap;
use twofold_model::Kind;
use twofold_schedule::Trigger;

/// How often a kind is looked after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cadence {
    /// Again after so many milliseconds.
    Every(i64),
    /// At the moments of a cron pattern, on this machine's clocks.
    Cron(String),
}

impl Cadence {
    /// What the timetable works with; `zone` is that of this machine.
    pub fn trigger(&self, zone: Tz) -> Trigger {
        match self {
            Cadence::Every(every_ms) => Trigger::Every(*every_ms),
            // Invariant: a pattern was tried when the configuration was read.
            Cadence::Cron(text) => Trigger::cron(text, zone).unwrap_or(Trigger::Every(DEFAULT_MS)),
        }
    }
}

/// What is looked after where nobody says how often.
const DEFAULT_MS: i64 = 5 * 60 * 1000;
const DAY_MS: i64 = 24 * 3600 * 1000;

/// How often each kind is looked after, and how often all is listed in full.
pub(super) fn schedule(top: &Table<'_>) -> Result<(BTreeMap<Kind, Cadence>, Cadence)> {
    let kinds = [Kind::Mail, Kind::Calendar, Kind::Contacts];
    let usual = |cadence: Cadence| kinds.map(|kind| (kind, cadence.clone())).into_iter().collect();
    let Some(table) = top.table("schedule")? else {
        return Ok((usual(Cadence::Every(DEFAULT_MS)), Cadence::Every(DAY_MS)));
    };
    table.allow(&["every", "cron", "full_check", "mail", "calendar", "contacts"], &[])?;
    let of_all = match (table.get("every"), table.get("cron")) {
        (Some(_), Some(cron)) => {
            return Err(cron.wrong("stands beside \"every\"", "Remove one of the two."));
        }
        (_, Some(cron)) => pattern(&cron)?,
        (_, None) => Cadence::Every(duration(&table, "every", DEFAULT_MS)?),
    };
    let mut cadences: BTreeMap<Kind, Cadence> = usual(of_all);
    for (kind, cadence) in &mut cadences {
        if let Some(value) = table.get(kind.as_str()) {
            *cadence = either(&value)?;
        }
    }
    let full_check = match table.get("full_check") {
        Some(value) if value.text()?.trim().contains(char::is_whitespace) => pattern(&value)?,
        _ => Cadence::Every(duration(&table, "full_check", DAY_MS)?),
    };
    Ok((cadences, full_check))
}

fn either(value: &Value<'_>) -> Result<Cadence> {
    let text = value.text()?.trim();
    if text.contains(char::is_whitespace) {
        return pattern(value);
    }
    let todo = "Write a length of time (\"1m\") or a cron pattern (\"0 */5 * * * *\").";
    duration_ms(text).map(Cadence::Every).ok_or_else(|| value.wrong("says no time", todo))
}

fn pattern(value: &Value<'_>) -> Result<Cadence> {
    let text = value.text()?.trim();
    match Trigger::cron(text, Tz::UTC) {
        Ok(_) => Ok(Cadence::Cron(text.to_owned())),
        Err(error) => {
            let todo = "Write six fields: second, minute, hour, day, month, weekday, such as \"0 */5 * * * *\".";
            Err(value.wrong(&format!("is no cron pattern ({error})"), todo))
        }
    }
}
