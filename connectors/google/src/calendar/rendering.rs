//! The rendering of one series, or of one event that happens once, and what is told of it as a copy.
//!
//! | member | holds |
//! |---|---|
//! | `event` | the master, or the single event, as Google gave it; absent where the user sees some occurrences only |
//! | `exceptions` | occurrences that differ or are cancelled, by their ids, as Google gave them |
//! | `defaults` | the calendar's reminders, where a part says that they count |
//! | `zone` | the calendar's zone, where a time does not name its own |
//! | `partial` | `true` where only those exceptions were looked at that are named; [`settle`] fills in the others |
//!
//! A copy is named `CALENDAR/EVENT`: ids of events are unique within their calendar only. Of a series, it is the master's.

use serde_json::{Map, Value};
use std::fmt;
use twofold_model::{CollectionId, Error, ErrorKind, Etag, Mark, RemoteId, Rendering, Result, Seen, Uid};

use super::wire::{Object, is_cancelled, is_recurring, private, series_of, text};

/// The private property of the mark.
pub const MARK_KEY: &str = "twofold-mark";
/// The private property of the UID.
pub const UID_KEY: &str = "twofold-uid";
/// The private properties of the carry-all, with a number from 0 after it.
pub const CARRY_KEY: &str = "twofold-carry-";

/// A rendering taken apart.
#[derive(Clone, Default, PartialEq)]
pub struct Series {
    /// The master, or the single event.
    pub event: Option<Object>,
    /// The exceptions, by their ids.
    pub exceptions: Map<String, Value>,
    /// The calendar's reminders.
    pub defaults: Option<Value>,
    /// The calendar's zone.
    pub zone: Option<String>,
    /// Exceptions that are not named were not looked at.
    pub is_partial: bool,
}

impl fmt::Debug for Series {
    /// Shows what there is, not what it says: a rendering is somebody's data and must not reach a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Series(master: {}, {} exceptions)", self.event.is_some(), self.exceptions.len())
    }
}

/// What a calendar says for events that do not say it themselves.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Usual {
    /// Its reminders.
    pub reminders: Option<Vec<Value>>,
    /// Its zone.
    pub zone: Option<String>,
}

impl Series {
    /// Reads a rendering.
    ///
    /// # Errors
    /// [`ErrorKind::Malformed`] for what is none.
    pub fn parse(rendering: &Rendering) -> Result<Series> {
        let wrong = |_| Error::new(ErrorKind::Malformed, "the rendering is not a JSON object");
        let mut object: Object = serde_json::from_slice(rendering.as_bytes()).map_err(wrong)?;
        let mut take = |name: &str| object.shift_remove(name);
        let as_object = |value: Option<Value>| match value {
            Some(Value::Object(object)) => Some(object),
            _ => None,
        };
        Ok(Series {
            event: as_object(take("event")),
            exceptions: as_object(take("exceptions")).unwrap_or_default(),
            defaults: take("defaults"),
            zone: take("zone").and_then(|zone| zone.as_str().map(str::to_owned)),
            is_partial: take("partial") == Some(Value::Bool(true)),
        })
    }

    /// The rendering's bytes.
    pub fn serialise(&self) -> Rendering {
        let mut object = Object::new();
        if let Some(event) = &self.event {
            object.insert("event".into(), Value::Object(event.clone()));
        }
        if !self.exceptions.is_empty() {
            object.insert("exceptions".into(), Value::Object(self.exceptions.clone()));
        }
        if let Some(defaults) = &self.defaults {
            object.insert("defaults".into(), defaults.clone());
        }
        if let Some(zone) = &self.zone {
            object.insert("zone".into(), zone.as_str().into());
        }
        if self.is_partial {
            object.insert("partial".into(), true.into());
        }
        // Invariant: a JSON object always serialises.
        Rendering(serde_json::to_vec(&object).expect("a JSON object serialises"))
    }

    /// The exceptions, with their ids.
    pub fn rows(&self) -> impl Iterator<Item = (&str, &Object)> {
        self.exceptions.iter().filter_map(|(id, row)| Some((id.as_str(), row.as_object()?)))
    }

    /// The master and the exceptions.
    pub fn parts(&self) -> impl Iterator<Item = &Object> {
        self.event.iter().chain(self.rows().map(|(_, row)| row))
    }

    /// The part that carries our properties: the master, else the first occurrence that is there.
    pub fn carrier(&self) -> Option<&Object> {
        self.event.as_ref().or_else(|| self.rows().map(|(_, row)| row).find(|row| !is_cancelled(row)))
    }

    /// [`Series::carrier`], to be changed.
    pub fn carrier_mut(&mut self) -> Option<&mut Object> {
        match &mut self.event {
            Some(event) => Some(event),
            None => self.exceptions.values_mut().filter_map(Value::as_object_mut).find(|row| !is_cancelled(row)),
        }
    }

    /// Puts beside the parts what the calendar says for those that need it.
    pub fn take_usual(&mut self, usual: &Usual) {
        let uses_defaults = |part: &Object| {
            part.get("reminders").and_then(|reminders| reminders.get("useDefault")) == Some(&Value::Bool(true))
        };
        if self.parts().any(uses_defaults) {
            self.defaults = usual.reminders.clone().map(Value::Array).or(self.defaults.take());
        }
        let is_zoneless = |part: &Object| {
            ["start", "end", "originalStartTime"]
                .iter()
                .filter_map(|name| part.get(*name)?.as_object())
                .any(|time| text(time, "dateTime").is_some() && text(time, "timeZone").is_none())
        };
        if self.parts().any(is_zoneless) {
            self.zone = usual.zone.clone().or(self.zone.take());
        }
    }

    /// The mark of this state: the master's etag, and what stands for the exceptions'.
    pub fn etag(&self) -> Etag {
        let of = |part: &Object| text(part, "etag").unwrap_or_default().to_owned();
        let master = self.event.as_ref().map(of).unwrap_or_default();
        if self.exceptions.is_empty() {
            return Etag(master);
        }
        let mut rows: Vec<String> = self.rows().map(|(id, row)| format!("{id} {}", of(row))).collect();
        rows.sort();
        Etag(format!("{master}{EXCEPTIONS}{}", twofold_model::event::key(&rows.join("\n"))))
    }

    /// The series as a copy that was seen in a calendar.
    ///
    /// # Errors
    /// [`ErrorKind::Malformed`] where a part lacks its name.
    pub fn seen(&self, calendar: &str) -> Result<Seen> {
        let nameless = || Error::new(ErrorKind::Malformed, "an event without an id");
        let carrier = self.carrier().ok_or_else(nameless)?;
        let id = match &self.event {
            Some(event) => text(event, "id"),
            None => series_of(carrier),
        };
        let id = id.ok_or_else(nameless)?;
        let uid = private(carrier, UID_KEY).or(text(carrier, "iCalUID")).filter(|uid| !uid.is_empty());
        Ok(Seen {
            remote_id: remote_id(calendar, id),
            collection: CollectionId(calendar.to_owned()),
            etag: self.etag(),
            uid: uid.map(Uid::from),
            mark: private_mark(carrier),
            modified_ms: self.modified_ms(),
            rendering: self.serialise(),
        })
    }

    /// When it last changed: `None` where a part does not say, as a cancelled occurrence does not. The others' stamps would then make
    /// the cancelling look older than the edit before it, and old news is not taken. Whole seconds, because Google need not write
    /// fractions everywhere.
    fn modified_ms(&self) -> Option<i64> {
        let stamp = |part: &Object| chrono::DateTime::parse_from_rfc3339(text(part, "updated")?).ok();
        let stamps: Option<Vec<_>> = self.parts().map(stamp).collect();
        Some(stamps?.into_iter().max()?.timestamp() * 1000)
    }

    /// Whether exceptions belong to it.
    pub fn is_series(&self) -> bool {
        self.event.as_ref().is_none_or(is_recurring)
    }
}

/// The mark that a part carries.
pub fn private_mark(part: &Object) -> Option<Mark> {
    private(part, MARK_KEY).and_then(Mark::parse)
}

/// Stands before what an etag says of exceptions.
const EXCEPTIONS: char = '+';

/// The master's etag of an item's, and whether exceptions count as well.
pub fn master_etag(etag: &Etag) -> (&str, bool) {
    match etag.as_str().rsplit_once(EXCEPTIONS) {
        Some((master, _)) => (master, true),
        None => (etag.as_str(), false),
    }
}

/// The name of a copy.
pub fn remote_id(calendar: &str, event: &str) -> RemoteId {
    RemoteId(format!("{calendar}/{event}"))
}

/// The event's id of a copy's name.
pub fn event_id(name: &RemoteId) -> &str {
    name.as_str().rsplit_once('/').map_or(name.as_str(), |(_, event)| event)
}

/// Fills what `now` did not look at from `last`: exceptions that it does not name, and what the calendar says.
pub fn settle(last: &Rendering, now: Rendering) -> Rendering {
    let Ok(mut series) = Series::parse(&now) else { return now };
    let before = series.clone();
    let lacks_carried = series.carrier().is_some_and(|carrier| carried(carrier).is_none());
    let lacks = series.is_partial || lacks_carried || series.defaults.is_none() || series.zone.is_none();
    let Some(last) = lacks.then(|| Series::parse(last).ok()).flatten() else { return now };
    let last_carrier = last.carrier().cloned();
    if series.is_partial {
        series.is_partial = last.is_partial;
        if series.event.is_none() {
            series.event = last.event;
        }
        let mut exceptions = last.exceptions;
        exceptions.extend(std::mem::take(&mut series.exceptions));
        series.exceptions = exceptions;
    }
    if lacks_carried {
        restore_properties(&mut series, last_carrier.as_ref());
    }
    let reminders = last.defaults.as_ref().and_then(Value::as_array).cloned();
    let (defaults, zone) = (series.defaults.take(), series.zone.take());
    series.take_usual(&Usual { reminders, zone: last.zone });
    series.defaults = defaults.or(series.defaults.take());
    series.zone = zone.or(series.zone.take());
    if series == before { now } else { series.serialise() }
}

/// Puts our properties back into a series that lost them. We never take the carry-all away (an emptied one keeps its header), and a
/// person cannot: it was dropped by a program that does not know it, and what it held was not removed by anybody.
fn restore_properties(series: &mut Series, last: Option<&Object>) {
    let Some(last) = last.filter(|last| carried(last).is_some()) else { return };
    let properties = last.get("extendedProperties").and_then(|extended| extended.get("private")?.as_object()).cloned();
    let Some(carrier) = series.carrier_mut() else { return };
    for (key, value) in properties.into_iter().flatten().filter(|(key, _)| is_ours(key)) {
        if let (None, Some(value)) = (private(carrier, &key), value.as_str()) {
            set_private(carrier, &key, Some(value));
        }
    }
}

/// Whether a private property is one of ours.
pub fn is_ours(key: &str) -> bool {
    key == MARK_KEY || key == UID_KEY || key.starts_with(CARRY_KEY)
}

/// The carry-all of a part, put together.
pub fn carried(part: &Object) -> Option<String> {
    let pieces = (0..).map_while(|at| private(part, &format!("{CARRY_KEY}{at}")));
    Some(pieces.collect::<String>()).filter(|text| !text.is_empty())
}

/// Sets or drops a private property; an emptied group of properties goes too.
pub fn set_private(part: &mut Object, key: &str, value: Option<&str>) {
    let is_there = private(part, key).is_some();
    match value {
        None if !is_there => {}
        None => {
            let Some(Value::Object(extended)) = part.get_mut("extendedProperties") else { return };
            if let Some(Value::Object(properties)) = extended.get_mut("private") {
                properties.shift_remove(key);
                if properties.is_empty() {
                    extended.shift_remove("private");
                }
            }
            if extended.is_empty() {
                part.shift_remove("extendedProperties");
            }
        }
        Some(value) => {
            let mut inner = part;
            for name in ["extendedProperties", "private"] {
                let member = inner.entry(name).or_insert_with(|| Value::Object(Object::new()));
                if !member.is_object() {
                    *member = Value::Object(Object::new());
                }
                let Value::Object(object) = member else { return };
                inner = object;
            }
            inner.insert(key.to_owned(), value.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn series(value: Value) -> Series {
        Series::parse(&Rendering::from(value.to_string())).unwrap()
    }

    #[test]
    fn a_rendering_is_taken_apart_and_put_together() {
        let whole = json!({"event": {"id": "m", "x": [1]}, "exceptions": {"m_1": {"id": "m_1"}}, "defaults": [], "zone": "Europe/Berlin",
                           "partial": true});
        assert_eq!(series(whole.clone()).serialise(), Rendering::from(whole.to_string()));
        assert!(Series::parse(&Rendering::from("[]".to_owned())).is_err());
    }

    #[test]
    fn exceptions_that_were_not_looked_at_stay() {
        let last = series(json!({"event": {"id": "m", "summary": "old", "recurrence": ["R"]},
                                 "exceptions": {"m_1": {"id": "m_1"}, "m_2": {"id": "m_2", "status": "cancelled"}}}));
        let told = json!({"event": {"id": "m", "summary": "new", "recurrence": ["R"]}, "exceptions": {"m_1": {"id": "m_1", "summary": "x"}}});
        let whole = Rendering::from(told.to_string());
        assert_eq!(settle(&last.serialise(), whole.clone()), whole, "a whole listing counts as it is");
        let mut partial = series(told);
        partial.is_partial = true;
        let settled = Series::parse(&settle(&last.serialise(), partial.serialise())).unwrap();
        assert_eq!(settled.event.unwrap()["summary"], "new");
        assert_eq!(settled.exceptions["m_1"], json!({"id": "m_1", "summary": "x"}));
        assert!(settled.exceptions.contains_key("m_2") && !settled.is_partial);
    }

    #[test]
    fn properties_that_a_program_dropped_are_not_taken_for_taken_away() {
        let with = |properties: Value| {
            series(json!({"event": {"id": "m", "summary": "x", "extendedProperties": {"private": properties}}}))
                .serialise()
        };
        let last = with(json!({"twofold-uid": "u", "twofold-mark": "h:i:1", "twofold-carry-0": "{}", "theirs": "1"}));
        let now = Series::parse(&settle(&last, with(json!({"other": "2"})))).unwrap();
        let event = now.event.unwrap();
        assert_eq!(
            event["extendedProperties"]["private"],
            json!({"other": "2", "twofold-uid": "u", "twofold-mark": "h:i:1", "twofold-carry-0": "{}"})
        );
        // One that is there is as it is.
        let changed = with(json!({"twofold-carry-0": "{\"v\":1}"}));
        assert_eq!(settle(&last, changed.clone()), changed);
    }

    #[test]
    fn what_the_calendar_says_is_kept_where_it_counts() {
        let usual = Usual {
            reminders: Some(vec![json!({"method": "popup", "minutes": 10})]),
            zone: Some("Europe/Berlin".into()),
        };
        let mut plain =
            series(json!({"event": {"id": "a", "reminders": {"useDefault": false}, "start": {"date": "2026-01-01"}}}));
        plain.take_usual(&usual);
        assert_eq!((&plain.defaults, &plain.zone), (&None, &None));
        let bare = json!({"event": {"id": "a", "reminders": {"useDefault": true}, "start": {"dateTime": "2026-01-01T09:00:00Z"}}});
        let mut leaning = series(bare.clone());
        leaning.take_usual(&usual);
        assert_eq!(leaning.zone.as_deref(), Some("Europe/Berlin"));
        assert_eq!(leaning.defaults, Some(json!([{"method": "popup", "minutes": 10}])));
        // A look that did not tell it.
        assert_eq!(settle(&leaning.serialise(), Rendering::from(bare.to_string())), leaning.serialise());
    }

    #[test]
    fn the_etag_of_a_series_tells_its_exceptions() {
        let single = series(json!({"event": {"id": "m", "etag": "\"1\""}}));
        assert_eq!(master_etag(&single.etag()), ("\"1\"", false));
        let two = |etag: &str| {
            series(json!({"event": {"id": "m", "etag": "\"1\""}, "exceptions": {"m_1": {"etag": etag}}})).etag()
        };
        assert_eq!(master_etag(&two("\"2\"")), ("\"1\"", true));
        assert_ne!(two("\"2\""), two("\"3\""));
    }

    #[test]
    fn a_cancelled_occurrence_makes_a_series_no_older() {
        let modified = |exceptions: Value| {
            let event = json!({"id": "m", "recurrence": ["R"], "updated": "2026-01-01T00:00:00.500Z"});
            series(json!({"event": event, "exceptions": exceptions})).seen("c").unwrap().modified_ms
        };
        let edited = json!({"m_1": {"id": "m_1", "recurringEventId": "m", "updated": "2026-01-02T00:00:00.123Z"}});
        assert_eq!(modified(edited), Some(1_767_312_000_000), "the newest, in whole seconds");
        let cancelled = json!({"m_1": {"id": "m_1", "recurringEventId": "m", "status": "cancelled"}});
        assert_eq!(modified(cancelled), None, "it does not say when it was cancelled");
    }

    #[test]
    fn properties_of_others_stay() {
        let mut part = json!({"extendedProperties": {"private": {"theirs": "1"}, "shared": {"s": "2"}}})
            .as_object()
            .unwrap()
            .clone();
        let before = part.clone();
        set_private(&mut part, MARK_KEY, Some("h:i:1"));
        assert_eq!(private(&part, MARK_KEY), Some("h:i:1"));
        set_private(&mut part, MARK_KEY, None);
        assert_eq!(part, before);
        let mut bare = Object::new();
        set_private(&mut bare, MARK_KEY, Some("h:i:1"));
        set_private(&mut bare, MARK_KEY, None);
        assert_eq!(bare, Object::new());
    }

    #[test]
    fn a_copy_is_named_after_its_calendar_and_its_series() {
        let lone = series(json!({"exceptions": {"m_1": {"id": "m_1", "recurringEventId": "m", "iCalUID": "u"}}}));
        let seen = lone.seen("c@x").unwrap();
        assert_eq!((seen.remote_id.as_str(), event_id(&seen.remote_id)), ("c@x/m", "m"));
        assert_eq!(seen.uid, Some("u".into()));
        assert!(series(json!({"event": {}})).seen("c").is_err());
    }
}
