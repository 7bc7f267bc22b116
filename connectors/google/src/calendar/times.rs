//! When an event is: Google's `start`, `end` and `originalStartTime`, and what they are in the model.
//!
//! Provider: a time comes with the offset of whatever zone the answer is told in (the calendar's); the zone that the event was made
//! in stands beside it. So the instant is read, and told on the clocks of that zone. Every time there has a zone that Google knows: a
//! time without one is told on the clocks of a zone that is at hand, a single one in a zone of the sender's own in UTC.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use twofold_model::event::{UTC, end_of, local, local_text, set_end};
use twofold_model::recurrence::Clock;
use twofold_model::zone::{self, Rules, Zones, vtimezone};
use twofold_model::{Error, ErrorKind, Result};

use super::wire::{Object, text};

/// Members of an event that say when it is: one thing, of which nothing counts alone.
pub(super) const WHEN: [&str; 6] = ["start", "timeZone", "showWithoutTime", "duration", "end", "endTimeZone"];

/// A zone by its name in contents, with its rules.
#[derive(Clone, Debug)]
pub(super) struct Zone {
    pub(super) name: String,
    pub(super) rules: Arc<Rules>,
}

impl Zone {
    /// The zone that a name means; `None` for a name that nobody knows.
    pub(super) fn of(name: &str, zones: &dyn Zones) -> Option<Zone> {
        let canonical = zone::iana(name).map_or_else(|| name.to_owned(), str::to_owned);
        if canonical == UTC {
            return Some(Zone { name: canonical, rules: zones.rules("UTC").unwrap_or_else(|| Arc::new(Rules::utc())) });
        }
        let rules = zones.rules(&canonical).or_else(|| zones.rules(name))?;
        Some(Zone { name: canonical, rules })
    }
}

/// A day, or a time on the clocks of a zone.
#[derive(Clone, Debug)]
pub(super) struct When {
    pub(super) time: NaiveDateTime,
    /// None: a whole day.
    pub(super) zone: Option<Zone>,
}

impl When {
    /// Reads `start`, `end` or `originalStartTime`; `usual` is the calendar's zone.
    ///
    /// # Errors
    /// [`ErrorKind::Malformed`] for what is no time, or in a zone that nobody knows.
    pub(super) fn read(value: Option<&Value>, usual: Option<&str>, zones: &dyn Zones) -> Result<When> {
        let wrong = |what: &str| Error::new(ErrorKind::Malformed, format!("an event {what}"));
        let object = value.and_then(Value::as_object).ok_or_else(|| wrong("without a time"))?;
        if let Some(date) = text(object, "date") {
            let date = NaiveDate::parse_from_str(date, "%Y-%m-%d").map_err(|_| wrong("with a date that is none"))?;
            return Ok(When { time: date.and_time(NaiveTime::MIN), zone: None });
        }
        let time = text(object, "dateTime").ok_or_else(|| wrong("without a time"))?;
        let name = text(object, "timeZone").or(usual).unwrap_or(UTC);
        let zone = Zone::of(name, zones).ok_or_else(|| wrong("in a time zone that nobody knows"))?;
        let time = match DateTime::parse_from_rfc3339(time) {
            Ok(instant) => zone.rules.to_local(instant.with_timezone(&Utc)),
            Err(_) => NaiveDateTime::parse_from_str(time, "%Y-%m-%dT%H:%M:%S%.f")
                .map_err(|_| wrong("with a time that is none"))?,
        };
        Ok(When { time: time.date().and_time(whole_seconds(time.time())), zone: Some(zone) })
    }

    pub(super) fn is_day(&self) -> bool {
        self.zone.is_none()
    }

    /// As Google is told it. A time without its offset is one on the clocks of its zone.
    pub(super) fn write(&self) -> Value {
        match &self.zone {
            None => json!({"date": self.time.format("%Y-%m-%d").to_string()}),
            Some(zone) => json!({"dateTime": local_text(self.time), "timeZone": spelt(&zone.name)}),
        }
    }

    /// The instant, as an occurrence is asked for by; of a whole day its date.
    pub(super) fn instant_text(&self) -> String {
        match &self.zone {
            None => self.time.format("%Y-%m-%d").to_string(),
            Some(zone) => zone.rules.to_utc(self.time).format("%Y-%m-%dT%H:%M:%SZ").to_string(),
        }
    }

    /// What an id of an occurrence ends with (sheet: the original start in UTC, or its date).
    pub(super) fn id_suffix(&self) -> String {
        match &self.zone {
            None => self.time.format("_%Y%m%d").to_string(),
            Some(zone) => zone.rules.to_utc(self.time).format("_%Y%m%dT%H%M%SZ").to_string(),
        }
    }

    /// What recurrence rules are told in.
    pub(super) fn clock(&self) -> Clock<'_> {
        match &self.zone {
            None => Clock::AllDay,
            Some(zone) => Clock::Zoned(&zone.rules),
        }
    }

    /// The local time, in the series that starts here, of another time.
    pub(super) fn key_of(&self, other: &When) -> NaiveDateTime {
        match (&self.zone, &other.zone) {
            (None, _) => other.time.date().and_time(NaiveTime::MIN),
            (Some(_), None) => other.time.date().and_time(self.time.time()),
            (Some(own), Some(zone)) if own.name == zone.name => other.time,
            (Some(own), Some(zone)) => own.rules.to_local(zone.rules.to_utc(other.time)),
        }
    }

    /// Another time of the series that starts here.
    pub(super) fn at(&self, time: NaiveDateTime) -> When {
        When { time, zone: self.zone.clone() }
    }
}

fn whole_seconds(time: NaiveTime) -> NaiveTime {
    use chrono::Timelike;
    time.with_nanosecond(0).unwrap_or(time)
}

/// A zone as Google spells it.
fn spelt(zone: &str) -> &str {
    if zone == UTC { "UTC" } else { zone }
}

/// Reads start and end into the members of an event; answers the start.
///
/// # Errors
/// As [`When::read`].
pub(super) fn read_times(
    event: &Object,
    usual: Option<&str>,
    zones: &dyn Zones,
    into: &mut Map<String, Value>,
) -> Result<When> {
    let start = When::read(event.get("start"), usual, zones)?;
    into.insert("start".into(), local_text(start.time).into());
    match &start.zone {
        Some(zone) => into.insert("timeZone".into(), zone.name.as_str().into()),
        None => into.insert("showWithoutTime".into(), true.into()),
    };
    let end = match event.get("end") {
        Some(end) => When::read(Some(end), usual, zones)?,
        None => start.clone(),
    };
    // A day with an end that is a time, which Google does not make: the day counts.
    let end_zone = if start.is_day() { None } else { end.zone.as_ref().or(start.zone.as_ref()) };
    let end_zone = end_zone.map(|zone| zone.name.clone());
    set_end(into, end.time, end_zone.as_deref());
    Ok(start)
}

/// The start and the end of an event by its members, as Google can hold them. `home` is the zone in which times are told that
/// have none.
///
/// # Errors
/// [`ErrorKind::Refused`] for what Google has no way to say: no start, a zone that nobody knows, a series in one of the sender's own,
/// and a floating time where there is no home.
pub(super) fn times_of(event: &Map<String, Value>, zones: &dyn Zones, home: Option<Zone>) -> Result<(When, When)> {
    let refused = |what: &str| Error::new(ErrorKind::Refused, format!("not representable at Google: {what}"));
    let word = |name: &str| event.get(name).and_then(Value::as_str);
    let start = word("start").and_then(local).ok_or_else(|| refused("an event without a start"))?;
    let is_series = event.contains_key("recurrenceRules") || event.contains_key("recurrenceOverrides");
    let at = |time: NaiveDateTime, name: Option<&str>| -> Result<When> {
        let Some(name) = name else {
            let zone = home.clone().ok_or_else(|| refused("a time that is told without a time zone"))?;
            return Ok(When { time, zone: Some(zone) });
        };
        if !name.starts_with('/') {
            let zone = Zone::of(name, zones).ok_or_else(|| refused("a time zone that is none of the known ones"))?;
            return Ok(When { time, zone: Some(zone) });
        }
        if is_series {
            return Err(refused("a series in a time zone that is none of the known ones"));
        }
        let rules = own_rules(event, name).ok_or_else(|| refused("a time zone that is none of the known ones"))?;
        Ok(When { time: rules.to_utc(time).naive_utc(), zone: Zone::of(UTC, zones) })
    };
    let (end, end_zone) = end_of(event).unwrap_or((start, word("timeZone")));
    if event.get("showWithoutTime") == Some(&Value::Bool(true)) {
        let first = start.date().and_time(NaiveTime::MIN);
        // The end is exclusive, and a day has one at least.
        let last = end.date().max(start.date().succ_opt().unwrap_or(start.date())).and_time(NaiveTime::MIN);
        return Ok((When { time: first, zone: None }, When { time: last, zone: None }));
    }
    Ok((at(start, word("timeZone"))?, at(end, end_zone)?))
}

/// The rules of a zone of the sender's own, which came with the event.
fn own_rules(event: &Map<String, Value>, name: &str) -> Option<Rules> {
    let text = event.get("timeZones")?.get(name)?.get("component")?.as_str()?;
    Some(vtimezone::parse(text).ok()?.rules)
}

/// Whether two values are the same time in the same zone.
pub(super) fn is_same(a: &When, b: &When) -> bool {
    a.time == b.time && a.zone.as_ref().map(|zone| &zone.name) == b.zone.as_ref().map(|zone| &zone.name)
}
