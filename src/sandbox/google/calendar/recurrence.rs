//! `recurrence`: what its lines may say, and which occurrences they make. The lines are kept as they were written.

use std::str::FromStr;

use chrono::{DateTime, Duration, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use chrono_tz::Tz;
use rrule::{RRule, RRuleSet, Unvalidated};
use serde_json::{Map, Value};

use super::errors::{invalid, required};
use super::times::{self, Moment};
use crate::google::errors::Refusal;

/// How strictly lines are read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    /// `UNTIL` may be of another kind than RFC 5545 asks for.
    pub lenient_until: bool,
    /// The series' own start is an occurrence also when no rule makes it.
    pub start_counts: bool,
}

/// A series that can be expanded.
#[derive(Debug)]
pub(super) struct Series {
    pub start: Moment,
    /// From an occurrence's start to its end.
    pub span: Duration,
    set: RRuleSet,
}

impl Series {
    /// The series that a body describes; none when it is a single event.
    pub fn of(body: &Map<String, Value>, reading: Reading) -> Option<Self> {
        let lines = body.get("recurrence")?.as_array()?;
        let (start, end) = (times::stored(body, "start")?, times::stored(body, "end")?);
        let set = read(lines, start, reading).ok()?;
        Some(Self { start, span: end.instant() - start.instant(), set })
    }

    /// Occurrences from the first on whose end is after `after_ms`, until their start reaches `before_ms`.
    pub fn between(&self, after_ms: Option<i64>, before_ms: i64) -> impl Iterator<Item = Moment> + '_ {
        let span = self.span;
        let mut last = None;
        self.set
            .into_iter()
            .map(|at| at.with_timezone(&Utc))
            .take_while(move |at| at.timestamp_millis() < before_ms)
            .filter(move |at| after_ms.is_none_or(|after| (*at + span).timestamp_millis() > after))
            // A date that a rule makes and an RDATE names comes twice from the set.
            .filter(move |at| last.replace(*at) != Some(*at))
            .map(|at| self.start.moved_to(at))
    }

    /// Whether an occurrence begins at this instant.
    pub fn has(&self, at: DateTime<Utc>) -> bool {
        self.set.into_iter().map(|each| each.with_timezone(&Utc)).take_while(|each| *each <= at).any(|each| each == at)
    }
}

/// Checks the lines of a series that starts then.
pub(super) fn check(lines: &[Value], start: Moment, reading: Reading) -> Result<(), Refusal> {
    if !start.is_day() && matches!(start, Moment::At(_, None)) {
        return Err(required("Missing time zone definition for start time."));
    }
    read(lines, start, reading).map(drop)
}

fn read(lines: &[Value], start: Moment, reading: Reading) -> Result<RRuleSet, Refusal> {
    let refused = |line: &str| invalid(&format!("Invalid recurrence rule: {line}"));
    let zone = match start {
        Moment::Day(_) => Tz::UTC,
        Moment::At(_, zone) => zone.unwrap_or(Tz::UTC),
    };
    let begin = start.instant().with_timezone(&rrule::Tz::from(zone));
    let mut set = RRuleSet::new(begin).limit();
    if reading.start_counts {
        set = set.rdate(begin);
    }
    let mut makes_any = false;
    for line in lines {
        let line = line.as_str().ok_or_else(|| invalid("Invalid recurrence rule."))?;
        let (head, value) = line.split_once(':').ok_or_else(|| refused(line))?;
        let mut parameters = head.split(';');
        let name = parameters.next().unwrap_or_default().to_ascii_uppercase();
        let parameters: Vec<&str> = parameters.collect();
        match name.as_str() {
            "RRULE" | "EXRULE" if parameters.is_empty() => {
                let rule = rule(value, start, zone, reading.lenient_until).ok_or_else(|| refused(line))?;
                let rule = rule.validate(begin).map_err(|_| refused(line))?;
                makes_any |= name == "RRULE";
                set = if name == "RRULE" { set.rrule(rule) } else { set.exrule(rule) };
            }
            "RDATE" | "EXDATE" => {
                let dates = dates(&parameters, value, start, zone).ok_or_else(|| refused(line))?;
                makes_any |= name == "RDATE";
                for at in dates {
                    let at = at.with_timezone(&rrule::Tz::from(zone));
                    set = if name == "RDATE" { set.rdate(at) } else { set.exdate(at) };
                }
            }
            _ => return Err(refused(line)),
        }
    }
    if !lines.is_empty() && !makes_any {
        return Err(invalid("Invalid recurrence: neither RRULE nor RDATE."));
    }
    Ok(set)
}

/// A rule with its `UNTIL` in the form that the expansion takes.
fn rule(value: &str, start: Moment, zone: Tz, lenient: bool) -> Option<RRule<Unvalidated>> {
    let mut parts = Vec::new();
    let (mut has_count, mut has_until) = (false, false);
    for part in value.split(';') {
        let (name, text) = part.split_once('=')?;
        match name.to_ascii_uppercase().as_str() {
            "UNTIL" => {
                has_until = true;
                parts.push(format!("UNTIL={}", until(text, start, zone, lenient)?));
            }
            name => {
                has_count |= name == "COUNT";
                // A name that the grammar does not have is refused below; the extension of some libraries is not.
                if name == "BYEASTER" || text.is_empty() {
                    return None;
                }
                parts.push(format!("{name}={}", text.to_ascii_uppercase()));
            }
        }
    }
    if has_count && has_until {
        return None;
    }
    RRule::from_str(&format!("RRULE:{}", parts.join(";"))).ok()
}

/// `UNTIL` in UTC. RFC 5545 3.3.10: a date for whole days, else UTC.
fn until(text: &str, start: Moment, zone: Tz, lenient: bool) -> Option<String> {
    let written = stamp(text)?;
    let at = match (start.is_day(), written) {
        (true, Stamp::Day(day)) => day.and_time(NaiveTime::MIN).and_utc(),
        (false, Stamp::Utc(at)) => at,
        _ if !lenient => return None,
        (true, Stamp::Utc(at)) => at,
        (true, Stamp::Local(at)) => at.and_utc(),
        (false, Stamp::Local(at)) => times::from_local(at, zone),
        // The whole of that day, by the clock of the series.
        (false, Stamp::Day(day)) => times::from_local(day.and_hms_opt(23, 59, 59)?, zone),
    };
    Some(at.format("%Y%m%dT%H%M%SZ").to_string())
}

/// What a date in a line can be.
enum Stamp {
    Day(NaiveDate),
    Local(NaiveDateTime),
    Utc(DateTime<Utc>),
}

fn stamp(text: &str) -> Option<Stamp> {
    if text.len() == 8 {
        return NaiveDate::parse_from_str(text, "%Y%m%d").ok().map(Stamp::Day);
    }
    let local = |text: &str| NaiveDateTime::parse_from_str(text, "%Y%m%dT%H%M%S").ok();
    match text.strip_suffix('Z') {
        Some(text) => local(text).map(|at| Stamp::Utc(at.and_utc())),
        None => local(text).map(Stamp::Local),
    }
}

/// The dates of an `RDATE` or `EXDATE`, of the same kind as the series' start.
fn dates(parameters: &[&str], value: &str, start: Moment, zone: Tz) -> Option<Vec<DateTime<Utc>>> {
    let mut own = zone;
    for parameter in parameters {
        match parameter.split_once('=')? {
            (name, text) if name.eq_ignore_ascii_case("TZID") => own = times::zone(text)?,
            (name, text) if name.eq_ignore_ascii_case("VALUE") && matches!(text, "DATE" | "DATE-TIME") => {}
            _ => return None,
        }
    }
    let each = value.split(',').map(|text| match (start.is_day(), stamp(text)?) {
        (true, Stamp::Day(day)) => Some(day.and_time(NaiveTime::MIN).and_utc()),
        (false, Stamp::Utc(at)) => Some(at),
        (false, Stamp::Local(at)) => Some(times::from_local(at, own)),
        _ => None,
    });
    each.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const STRICT: Reading = Reading { lenient_until: false, start_counts: true };

    fn series(start: &str, end: &str, lines: Value) -> Option<Series> {
        let moment = |text: &str| match text.len() {
            10 => json!({ "date": text }),
            _ => json!({ "dateTime": text, "timeZone": "Europe/Berlin" }),
        };
        let body = json!({ "start": moment(start), "end": moment(end), "recurrence": lines });
        Series::of(body.as_object().unwrap(), STRICT)
    }

    fn starts(series: &Series) -> Vec<String> {
        series.between(None, 2_000_000_000_000).take(6).map(Moment::suffix).collect()
    }

    #[test]
    fn a_series_keeps_its_clock_time_over_the_change_of_the_clocks() {
        let weekly = series("2026-10-20T09:00:00", "2026-10-20T09:15:00", json!(["RRULE:FREQ=WEEKLY;COUNT=3"]));
        assert_eq!(starts(&weekly.unwrap()), ["20261020T070000Z", "20261027T080000Z", "20261103T080000Z"]);
    }

    #[test]
    fn exceptions_and_extra_dates_of_the_lines_count() {
        let lines = json!([
            "RRULE:FREQ=DAILY;UNTIL=20260105T080000Z",
            "EXDATE;TZID=Europe/Berlin:20260102T090000",
            "EXDATE:20260103T080000Z",
            "RDATE:20260110T080000Z,20260104T080000Z",
        ]);
        let daily = series("2026-01-01T09:00:00", "2026-01-01T10:00:00", lines).unwrap();
        assert_eq!(starts(&daily), ["20260101T080000Z", "20260104T080000Z", "20260105T080000Z", "20260110T080000Z"]);
        assert!(daily.has("2026-01-10T08:00:00Z".parse().unwrap()));
        assert!(!daily.has("2026-01-02T08:00:00Z".parse().unwrap()));
    }

    #[test]
    fn whole_days_repeat_as_days() {
        let days = series("2026-02-28", "2026-03-01", json!(["RRULE:FREQ=MONTHLY;BYMONTHDAY=-1;UNTIL=20260430"]));
        assert_eq!(starts(&days.unwrap()), ["20260228", "20260331", "20260430"]);
    }

    #[test]
    fn lines_that_are_none_are_refused() {
        let start = times::read(&json!({ "dateTime": "2026-01-01T09:00:00Z", "timeZone": "Europe/Berlin" }), "start");
        let start = start.unwrap();
        for line in [
            "RRULE:FREQ=WEEKLY;UNTIL=20260401",
            "RRULE:FREQ=WEEKLY;UNTIL=20260401T090000",
            "RRULE:FREQ=WEEKLY;COUNT=2;UNTIL=20260401T090000Z",
            "RRULE:FREQ=FORTNIGHTLY",
            "RRULE:INTERVAL=2",
            "RRULE:FREQ=WEEKLY;BYDAY=XX",
            "FREQ=WEEKLY",
            "DTSTART:20260101T090000Z",
            "EXDATE:20260101T090000Z",
            "RDATE;VALUE=PERIOD:20260101T090000Z/PT1H",
            "RDATE:20260401",
        ] {
            assert!(check(&[json!(line)], start, STRICT).is_err(), "{line}");
        }
        let lenient = Reading { lenient_until: true, ..STRICT };
        assert!(check(&[json!("RRULE:FREQ=WEEKLY;UNTIL=20260401")], start, lenient).is_ok());
        let bare = times::read(&json!({ "dateTime": "2026-01-01T09:00:00Z" }), "start").unwrap();
        assert!(check(&[json!("RRULE:FREQ=DAILY")], bare, STRICT).is_err());
    }
}
