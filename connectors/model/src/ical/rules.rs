//! Recurrence rules: the value of RRULE ([`crate::recurrence`]) against the zone and the start of a series.

use super::times::{Frame, date_value, stamp, time_value};
use crate::event::local;
use crate::recurrence::{Clock, Rule};
use serde_json::Value;

/// Reads the value of RRULE or EXRULE into the one form that contents have.
///
/// # Errors
/// What is not understood, in words.
pub(super) fn read(text: &str, frame: &Frame<'_>) -> Result<Value, String> {
    let mut is_instant = false;
    let parts = text.split(';').map(|part| match part.split_once('=') {
        // The end in local time of the series; writers have many forms for it.
        Some((name, value)) if name.trim().eq_ignore_ascii_case("UNTIL") => {
            let stamp = stamp(value, false, frame.zone.as_deref());
            let until = stamp.and_then(|stamp| frame.until_of(&stamp));
            let until = until.ok_or_else(|| format!("a rule with {part:?}"))?;
            is_instant = until.ends_with('Z');
            let time = local(until.trim_end_matches('Z')).ok_or_else(|| format!("a rule with {part:?}"))?;
            Ok(match frame.is_day {
                true => format!("UNTIL={}", date_value(time.date())),
                false => format!("UNTIL={}{}", time_value(time), if is_instant { "Z" } else { "" }),
            })
        }
        _ => Ok(part.to_owned()),
    });
    let text = parts.collect::<Result<Vec<_>, String>>()?.join(";");
    let clock = match (frame.is_day, is_instant) {
        (true, _) => Clock::AllDay,
        (false, true) => Clock::Unknown,
        (false, false) => Clock::Floating,
    };
    let rule = Rule::read(&text, clock).map_err(|error| error.to_string())?;
    Ok(rule.canonical(frame.start).to_json())
}

/// The value of RRULE that says a rule; `None` where it is none, or would be read as another.
pub(super) fn write(rule: &Value, frame: &Frame<'_>) -> Option<String> {
    let known = Rule::from_json(rule).ok()?;
    let rules = frame.zone.as_deref().and_then(|zone| frame.world.rules(zone));
    let clock = match (frame.is_day, &frame.zone, &rules) {
        (true, _, _) => Clock::AllDay,
        (false, None, _) => Clock::Floating,
        (false, Some(_), Some(rules)) => Clock::Zoned(rules),
        (false, Some(_), None) => Clock::Unknown,
    };
    let text = known.write(frame.start, clock);
    read(&text, frame).is_ok_and(|again| again == *rule).then_some(text)
}
