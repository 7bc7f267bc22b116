//! `start`, `end` and `originalStartTime`: a day, or an instant with the zone it was written in.

use chrono::{DateTime, Duration, LocalResult, NaiveDate, NaiveDateTime, SecondsFormat, TimeZone, Utc};
use chrono_tz::Tz;
use serde_json::{Map, Value, json};

use super::errors::{calendar_rule, invalid, required};
use crate::google::errors::Refusal;

/// When something begins or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// A whole day.
    Day(NaiveDate),
    /// An instant, and the zone that was named with it.
    At(DateTime<Utc>, Option<Tz>),
}

impl Moment {
    /// The instant; of a day its midnight in UTC.
    pub fn instant(self) -> DateTime<Utc> {
        match self {
            Self::Day(day) => day.and_time(chrono::NaiveTime::MIN).and_utc(),
            Self::At(instant, _) => instant,
        }
    }

    pub fn is_day(self) -> bool {
        matches!(self, Self::Day(_))
    }

    /// The same kind of moment, at another instant.
    pub fn moved_to(self, instant: DateTime<Utc>) -> Self {
        match self {
            Self::Day(_) => Self::Day(instant.date_naive()),
            Self::At(_, zone) => Self::At(instant, zone),
        }
    }

    /// The same moment so much later.
    pub fn plus(self, span: Duration) -> Self {
        self.moved_to(self.instant() + span)
    }

    /// What follows `BASEID_` in the id of an occurrence that begins here.
    pub fn suffix(self) -> String {
        match self {
            Self::Day(day) => day.format("%Y%m%d").to_string(),
            Self::At(instant, _) => instant.format("%Y%m%dT%H%M%SZ").to_string(),
        }
    }

    /// As it is stored: the instant in its own zone.
    pub fn stored(self) -> Value {
        match self {
            Self::Day(day) => json!({ "date": day.to_string() }),
            Self::At(instant, None) => json!({ "dateTime": instant.to_rfc3339_opts(SecondsFormat::Secs, true) }),
            Self::At(instant, Some(zone)) => {
                json!({ "dateTime": in_zone(instant, zone), "timeZone": zone.name() })
            }
        }
    }

    /// As an answer shows it: the instant in this zone, with the name of its own.
    pub fn shown(self, zone: Tz) -> Value {
        match self {
            Self::Day(day) => json!({ "date": day.to_string() }),
            Self::At(instant, own) => {
                json!({ "dateTime": in_zone(instant, zone), "timeZone": own.unwrap_or(zone).name() })
            }
        }
    }
}

fn in_zone(instant: DateTime<Utc>, zone: Tz) -> String {
    instant.with_timezone(&zone).to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// A zone by its IANA name.
pub(super) fn zone(name: &str) -> Option<Tz> {
    name.parse().ok()
}

/// The instant of a local time: the first of two, or the one that the clock shows after a gap.
pub(super) fn from_local(local: NaiveDateTime, zone: Tz) -> DateTime<Utc> {
    match zone.from_local_datetime(&local) {
        LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => at.with_timezone(&Utc),
        LocalResult::None => {
            // RFC 5545 3.3.5: a time in a gap is read with the offset before it.
            let before = zone.from_local_datetime(&(local - Duration::hours(3))).earliest();
            before.map_or_else(|| local.and_utc(), |at| (at + Duration::hours(3)).with_timezone(&Utc))
        }
    }
}

/// Reads a `start` or an `end` as a client writes it (`name` is for the error).
pub(super) fn read(value: &Value, name: &str) -> Result<Moment, Refusal> {
    let text = |member: &str| value.get(member).and_then(Value::as_str).filter(|text| !text.is_empty());
    let named = match text("timeZone") {
        None => None,
        Some(text) => {
            Some(zone(text).ok_or_else(|| invalid(&format!("Invalid time zone definition for {name} time.")))?)
        }
    };
    match (text("date"), text("dateTime")) {
        (Some(_), Some(_)) => Err(invalid(&format!("Invalid {name} time: either date or dateTime."))),
        (None, None) => Err(required(&format!("Missing {name} time."))),
        (Some(date), None) => {
            let day = NaiveDate::parse_from_str(date, "%Y-%m-%d").ok().filter(|_| date.len() == 10);
            day.map(Moment::Day).ok_or_else(|| invalid(&format!("Invalid {name} time.")))
        }
        (None, Some(date_time)) => {
            if let Ok(at) = DateTime::parse_from_rfc3339(date_time) {
                return Ok(Moment::At(whole_second(at.with_timezone(&Utc)), named));
            }
            let local = NaiveDateTime::parse_from_str(date_time, "%Y-%m-%dT%H:%M:%S%.f");
            let local = local.map_err(|_| invalid(&format!("Invalid {name} time.")))?;
            let zone = named.ok_or_else(|| required(&format!("Missing time zone definition for {name} time.")))?;
            Ok(Moment::At(whole_second(from_local(local, zone)), Some(zone)))
        }
    }
}

fn whole_second(at: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp(at.timestamp(), 0).unwrap_or(at)
}

/// A moment that was stored.
pub(super) fn stored(body: &Map<String, Value>, name: &str) -> Option<Moment> {
    read(body.get(name)?, name).ok()
}

/// Start and end that belong together: of one kind, and in order.
pub(super) fn check_order(start: Moment, end: Moment) -> Result<(), Refusal> {
    if start.is_day() != end.is_day() {
        return Err(invalid("Start and end times must either both be date or both be dateTime."));
    }
    let is_empty = if start.is_day() { end.instant() <= start.instant() } else { end.instant() < start.instant() };
    if is_empty {
        return Err(calendar_rule("timeRangeEmpty", "The specified time range is empty."));
    }
    Ok(())
}

/// An instant of a query, RFC 3339 with an offset.
pub(super) fn bound(text: &str) -> Option<i64> {
    // A `+` of the offset that was not encoded arrives as a blank.
    let at = DateTime::parse_from_rfc3339(text).or_else(|_| DateTime::parse_from_rfc3339(&text.replace(' ', "+")));
    at.ok().map(|at| at.timestamp_millis())
}

/// `2026-03-09T08:15:27.341Z`, as `updated` is written.
pub(super) fn updated(ms: i64) -> String {
    crate::clock::rfc3339_millis(ms)
}

/// `2026-03-09T08:15:27.000Z`, as `created` is written.
pub(super) fn created(ms: i64) -> String {
    crate::clock::rfc3339_millis(ms.div_euclid(1000) * 1000)
}
