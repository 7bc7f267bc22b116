//! Times at Graph: a `dateTimeTimeZone` and the zone that an event keeps, against local time and IANA zones.
//!
//! Everything is asked for in UTC. What an event's clock shows follows from the zone that it was made in
//! (`originalStartTimeZone`, mostly a Windows name) and the rules of that zone; an event of a day is dates, whatever zone they are
//! told in. What is written is told in the event's own zone, by its Windows name, so that a series keeps its hour when the clocks
//! change. An IANA zone that goes by a Windows name of many comes back through the carry-all.

use super::tzreg;
use super::wire::{Event, ZONE};
use chrono::{NaiveDateTime, NaiveTime};
use serde_json::{Map, Value, json};
use std::fmt;
use std::sync::Arc;
use twofold_model::event::{self, UTC};
use twofold_model::recurrence::Series;
use twofold_model::zone::{self, Resolved, Rules, Span, Zones, vtimezone, windows};
use twofold_model::{Content, Error, ErrorKind, Result};

/// Members of a content that say when it is.
pub const WHEN: [&str; 6] = ["start", "timeZone", "showWithoutTime", "duration", "end", "endTimeZone"];

/// What has to be known of zones.
#[derive(Clone)]
pub struct Times {
    /// The rules of all zones.
    zones: Arc<dyn Zones>,
    /// The zone of the mailbox, by its IANA name: what times without a zone are shown in.
    home: Option<String>,
}

impl fmt::Debug for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Times").field("home", &self.home).finish_non_exhaustive()
    }
}

/// The zone in which an event keeps its times.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// Its IANA name.
    pub name: String,
    /// Its rules.
    pub rules: Arc<Rules>,
}

/// How times are told to Graph.
struct Told {
    /// The name that Graph takes.
    name: String,
    /// Times are converted from these rules to UTC first.
    to_utc: Option<Arc<Rules>>,
}

/// Something that the calendar of this place cannot say in its right meaning. It is never approximated.
pub(super) fn unsayable(why: impl fmt::Display) -> Error {
    Error::new(ErrorKind::Unsupported, format!("an Outlook calendar cannot hold this event: {why}"))
}

impl Times {
    /// With these rules. `home` is the mailbox's own zone (IANA), where it is known.
    pub fn new(zones: Arc<dyn Zones>, home: Option<String>) -> Times {
        Times { zones, home }
    }

    /// The zone that a name means: Windows', IANA's, an offset.
    pub fn place(&self, name: &str) -> Option<Place> {
        // A span matters only where a definition came along.
        let now = Span { from: NaiveDateTime::MIN, until: Some(NaiveDateTime::MIN) };
        let named = |name: &str| Some(Place { name: zone::canonical(name), rules: self.zones.rules(name)? });
        match zone::iana(name).and_then(named) {
            Some(place) => Some(place),
            None => match zone::resolve(self.zones.as_ref(), name, None, &now) {
                Resolved::Iana(name) => named(&name),
                Resolved::Custom { .. } | Resolved::Unknown => None,
            },
        }
    }

    /// The zone in which a single event or a series keeps its times: by its name, else by the rules that came with it. `None`: nobody
    /// knows.
    pub fn place_of(&self, event: &Event) -> Option<Place> {
        let names = [event.text("originalStartTimeZone"), recurrence_zone(event)];
        let mut said = names.into_iter().flatten().filter(|name| !name.is_empty()).peekable();
        if said.peek().is_none() {
            // Nothing says that the event was made in another zone than it is told in.
            return self.place(event.0.get("start")?.get("timeZone")?.as_str()?);
        }
        said.find_map(|name| self.place(name)).or_else(|| self.place_by_rules(event))
    }

    /// The zone of a series whose name says nothing, by its rules: an IANA zone that has the same from its start on, or one of its own.
    fn place_by_rules(&self, event: &Event) -> Option<Place> {
        let rules = tzreg::rules(event.property(ZONE)?)?;
        let start = naive(event.0.get("start")?)?;
        match zone::find(self.zones.as_ref(), &rules, &Span { from: start, until: None }) {
            Some(name) => Some(Place { rules: self.zones.rules(&name)?, name }),
            None => Some(Place { name: format!("/{}", event.text("originalStartTimeZone")?), rules: Arc::new(rules) }),
        }
    }

    /// The definition of a zone of an event's own, under its name, as contents have it.
    pub fn definition(&self, event: &Event) -> Option<Value> {
        let place = self.place_of(event).filter(|place| place.name.starts_with('/'))?;
        let start = naive(event.0.get("start")?)?;
        let lines = vtimezone::write(&place.name[1..], &place.rules, &Span { from: start, until: None });
        Some(json!({place.name: {"component": lines.join("\n")}}))
    }

    /// What a clock in the zone shows at a `dateTimeTimeZone`.
    fn local(&self, stamp: &Value, place: &Place) -> Option<NaiveDateTime> {
        let time = naive(stamp)?;
        let told_in = stamp.get("timeZone").and_then(Value::as_str).unwrap_or(UTC);
        let told_in = self.place(told_in)?;
        match told_in.name == place.name {
            true => Some(time),
            false => Some(place.rules.to_local(told_in.rules.to_utc(time))),
        }
    }

    /// Puts `start`, `timeZone`, the end and `showWithoutTime` of an event into a content. An event that says no start says no
    /// time.
    ///
    /// # Errors
    /// Malformed where the zone of a series is not known, so that nobody can say on which hour it falls, or a time is none.
    pub fn read(&self, event: &Event, content: &mut Map<String, Value>) -> Result<()> {
        let Some(start) = event.0.get("start").filter(|stamp| stamp.is_object()) else { return Ok(()) };
        let broken = || Error::new(ErrorKind::Malformed, "a time of the event cannot be read");
        let end = event.0.get("end").filter(|stamp| stamp.is_object());
        if event.is("isAllDay") {
            let day = |stamp: &Value| Some(naive(stamp)?.date().and_time(NaiveTime::MIN));
            content.insert("start".into(), event::local_text(day(start).ok_or_else(broken)?).into());
            content.insert("showWithoutTime".into(), true.into());
            let end = end.and_then(day).or_else(|| day(start)).ok_or_else(broken)?;
            event::set_end(content, end, None);
            return Ok(());
        }
        let place = match self.place_of(event) {
            Some(place) => place,
            None if event.is_series() || event.is_occurrence() => {
                let name = event.text("originalStartTimeZone").unwrap_or_default();
                let message = format!("the time zone {name:?} of the series is not known");
                return Err(Error::new(ErrorKind::Malformed, message));
            }
            // An instant is an instant, in whatever zone it was meant.
            None => self.utc(),
        };
        content.insert("start".into(), event::local_text(self.local(start, &place).ok_or_else(broken)?).into());
        content.insert("timeZone".into(), place.name.clone().into());
        let is_same = event.text("originalEndTimeZone") == event.text("originalStartTimeZone");
        let end_place = event.text("originalEndTimeZone").filter(|_| !is_same).and_then(|name| self.place(name));
        let end_place = end_place.unwrap_or_else(|| place.clone());
        let end = self.local(end.unwrap_or(start), &end_place).ok_or_else(broken)?;
        event::set_end(content, end, Some(&end_place.name));
        Ok(())
    }

    fn utc(&self) -> Place {
        Place { name: UTC.to_owned(), rules: Arc::new(Rules::utc()) }
    }

    /// Edits the times of an event until they say what the content says; whether anything changed.
    ///
    /// # Errors
    /// Unsupported where Graph cannot say it.
    pub fn edit(&self, event: &mut Event, content: &Content) -> Result<bool> {
        let says = |event: &Event| {
            let mut when = Map::new();
            self.read(event, &mut when).map(|()| when)
        };
        // Times that say what they shall say are left alone, also those that could not be told.
        let is_said = |now: Map<String, Value>| WHEN.iter().all(|member| now.get(*member) == content.get(member));
        if says(event).is_ok_and(is_said) {
            return Ok(false);
        }
        let mut told = event.clone();
        self.tell(&mut told, content)?;
        if says(event).is_ok_and(|now| Some(now) == says(&told).ok()) {
            return Ok(false);
        }
        *event = told;
        Ok(true)
    }

    fn tell(&self, event: &mut Event, content: &Content) -> Result<()> {
        let text = |member: &str| content.get(member).and_then(Value::as_str);
        let start = text("start").and_then(event::local).ok_or_else(|| unsayable("it has no start"))?;
        let (end, _) = event::end_of(&content.0).ok_or_else(|| unsayable("its end cannot be told"))?;
        if content.get("showWithoutTime").is_some() {
            let name = self.home_name();
            set(event, start.date().and_time(NaiveTime::MIN), &name, end.date().and_time(NaiveTime::MIN), &name);
            event.0.insert("isAllDay".into(), true.into());
            return Ok(());
        }
        let is_series = content.get("recurrenceRules").is_some();
        let span = match is_series {
            true => Series::of(content).map_err(unsayable)?.map_or(Span { from: start, until: None }, |s| s.span()),
            false => Span { from: start.min(end), until: Some(start.max(end)) },
        };
        let from = self.told(text("timeZone"), content, is_series, &span)?;
        let to = match text("endTimeZone") {
            Some(zone) => self.told(Some(zone), content, is_series, &span)?,
            None => self.told(text("timeZone"), content, is_series, &span)?,
        };
        set(event, from.time(start), &from.name, to.time(end), &to.name);
        event.0.insert("isAllDay".into(), false.into());
        Ok(())
    }

    /// How times in a zone are told. A zone that Windows has no name for, or a name with other rules, is told in UTC where the event
    /// happens once: then the instants are right. A series would drift.
    fn told(&self, zone: Option<&str>, content: &Content, is_series: bool, span: &Span) -> Result<Told> {
        let Some(zone) = zone else {
            let home = self.home.as_deref().and_then(windows::from_iana);
            let name =
                home.ok_or_else(|| unsayable("its times have no zone, and the zone of the mailbox is not known"))?;
            return Ok(Told { name: name.to_owned(), to_utc: None });
        };
        if zone == UTC {
            return Ok(Told { name: "UTC".to_owned(), to_utc: None });
        }
        let unknown = || unsayable(format!("the rules of its time zone {zone:?} are not known"));
        let (name, rules) = match zone.starts_with('/') {
            false => (Some(zone.to_owned()), self.zones.rules(zone).ok_or_else(unknown)?),
            true => {
                let text = content.at(&["timeZones", zone, "component"]).and_then(Value::as_str).ok_or_else(unknown)?;
                let rules = Arc::new(vtimezone::parse(text).map_err(|_| unknown())?.rules);
                (zone::find(self.zones.as_ref(), &rules, span), rules)
            }
        };
        let windows = name.as_deref().and_then(windows::from_iana).filter(|name| {
            let place = self.place(name);
            place.is_some_and(|place| place.rules.same_over(&rules, span))
        });
        match windows {
            Some(name) => Ok(Told { name: name.to_owned(), to_utc: None }),
            None if is_series => Err(unsayable(format!("Windows has no time zone with the rules of {zone:?}"))),
            None => Ok(Told { name: "UTC".to_owned(), to_utc: Some(rules) }),
        }
    }

    /// The zone in which days are told.
    fn home_name(&self) -> String {
        self.home.as_deref().and_then(windows::from_iana).unwrap_or("UTC").to_owned()
    }

    /// The key of an occurrence: its original start, local in the zone of the series.
    pub fn key(&self, series: &Event, occurrence: &Event) -> Option<String> {
        if let Some(at) = occurrence.original_start() {
            let place = self.place_of(series);
            if series.is("isAllDay") {
                // Provider: midnight in the zone of the series, told in UTC; some say midnight in UTC.
                let local = place.map(|place| place.rules.to_local(at)).filter(|local| local.time() == NaiveTime::MIN);
                let is_midnight = at.time() == NaiveTime::MIN;
                let day = local.or_else(|| is_midnight.then(|| at.naive_utc()));
                // Of a zone that is not known it is the nearest midnight.
                let day = day.unwrap_or_else(|| at.naive_utc() + chrono::Duration::hours(12));
                return Some(event::local_text(day.date().and_time(NaiveTime::MIN)));
            }
            let place = place?;
            let local = place.rules.to_local(at);
            // An hour that the clocks skip is shown as another, and is still the hour of the series.
            let own = naive_start(self, series).map(|start| local.date().and_time(start.time()));
            let local = own.filter(|own| place.rules.to_utc(*own) == at).unwrap_or(local);
            return Some(event::local_text(local));
        }
        // `OID.<id of the series>.<day>`.
        let day = occurrence.text("occurrenceId")?.rsplit('.').next()?;
        self.key_of_day(series, day)
    }

    /// The key of the occurrence of a day in the zone of the series: that day at the hour of the series.
    pub fn key_of_day(&self, series: &Event, day: &str) -> Option<String> {
        let start = naive_start(self, series)?;
        let day = chrono::NaiveDate::parse_from_str(day, "%Y-%m-%d").ok()?;
        Some(event::local_text(day.and_time(start.time())))
    }

    /// The instant by which Graph names the occurrence of a key.
    pub fn original_start(&self, series: &Event, key: &str) -> Option<chrono::DateTime<chrono::Utc>> {
        let local = event::local(key)?;
        match self.place_of(series) {
            Some(place) => Some(place.rules.to_utc(local)),
            None => series.is("isAllDay").then(|| local.and_utc()),
        }
    }
}

impl Told {
    fn time(&self, local: NaiveDateTime) -> NaiveDateTime {
        self.to_utc.as_ref().map_or(local, |rules| rules.to_utc(local).naive_utc())
    }
}

fn set(event: &mut Event, start: NaiveDateTime, start_zone: &str, end: NaiveDateTime, end_zone: &str) {
    let stamp = |time: NaiveDateTime, zone: &str| json!({"dateTime": event::local_text(time), "timeZone": zone});
    event.0.insert("start".into(), stamp(start, start_zone));
    event.0.insert("end".into(), stamp(end, end_zone));
    event.0.insert("originalStartTimeZone".into(), start_zone.into());
    event.0.insert("originalEndTimeZone".into(), end_zone.into());
}

/// The start of a series, local in its zone.
fn naive_start(times: &Times, series: &Event) -> Option<NaiveDateTime> {
    let mut when = Map::new();
    times.read(series, &mut when).ok()?;
    event::local(when.get("start")?.as_str()?)
}

/// The time that a stamp shows, in its own zone. Fractions of a second say nothing.
fn naive(stamp: &Value) -> Option<NaiveDateTime> {
    event::local(stamp.get("dateTime")?.as_str()?.get(..19)?)
}

fn recurrence_zone(event: &Event) -> Option<&str> {
    event.0.get("recurrence")?.get("range")?.get("recurrenceTimeZone")?.as_str()
}
