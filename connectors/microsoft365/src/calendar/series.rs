//! A series with its exceptions against an Event with its overrides; and an occurrence whose series the user cannot see.
//!
//! Graph names an occurrence by its original start, an instant; an Event by the same, local in the zone of the series. Only dates of the
//! rule can be changed or taken out there. Nothing can be added, and what was taken out cannot be put back: it stays out there, and the
//! carry-all says that it is meant to be.

use super::fields::{self, Rights};
use super::people;
use super::rule;
use super::sheet::Sheet;
use super::times::{Times, unsayable};
use super::wire::{Event, ZONE};
use crate::properties::PROPERTIES;
use chrono::NaiveDateTime;
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use twofold_model::event::{self, excluded};
use twofold_model::recurrence::Series;
use twofold_model::{Content, Error, ErrorKind, Result};

/// What an occurrence is not told by itself.
const OF_MASTER: [&str; 12] = [
    "id",
    "@odata.etag",
    "changeKey",
    "recurrence",
    "singleValueExtendedProperties",
    "iCalUId",
    "uid",
    "transactionId",
    "createdDateTime",
    "lastModifiedDateTime",
    "webLink",
    "type",
];

/// What the fields of a single event, a series with its exceptions, or a lone occurrence say.
///
/// # Errors
/// Malformed where a part cannot be understood: an exception that does not say which occurrence it is, a pattern or a zone that is not
/// known.
pub fn read(times: &Times, sheet: &Sheet) -> Result<Content> {
    let mut content = fields::read(times, &sheet.event)?;
    if sheet.event.is_occurrence() {
        return read_lone(times, &sheet.event, content);
    }
    let Some(start) = start_of(&content) else { return Ok(content) };
    let Some(rule) = rule::read(&sheet.event, start)? else { return Ok(content) };
    content.set("recurrenceRules", json!([rule]));
    let mut overrides = Map::new();
    for exception in &sheet.exceptions {
        let key = key_of(times, &sheet.event, exception)?;
        let mut says = fields::read(times, &in_zone_of(times, &sheet.event, exception))?;
        says.set("timeZones", Value::Null);
        let patch = event::override_of(&content, &key, &says, false);
        // An exception that says nothing else than the series (somebody answered for that day) is none.
        if patch != event::added() {
            overrides.insert(key, patch);
        }
    }
    for day in &sheet.cancelled {
        let key = times.key_of_day(&sheet.event, day).ok_or_else(|| no_date(day))?;
        overrides.insert(key, excluded());
    }
    content.set("recurrenceOverrides", Value::Object(overrides));
    Ok(content)
}

/// An exception whose zone is not known by itself is in that of its series.
fn in_zone_of<'a>(times: &Times, series: &Event, exception: &'a Event) -> Cow<'a, Event> {
    let Some(rules) = series.property(ZONE).filter(|_| times.place_of(exception).is_none()) else {
        return Cow::Borrowed(exception);
    };
    let mut exception = exception.clone();
    exception.set_property(ZONE, rules);
    Cow::Owned(exception)
}

fn no_date(day: &str) -> Error {
    Error::new(ErrorKind::Malformed, format!("{day:?} is no day of an occurrence"))
}

/// The key of an exception.
pub(super) fn key_of(times: &Times, series: &Event, exception: &Event) -> Result<String> {
    let missing = || Error::new(ErrorKind::Malformed, "an exception does not say which occurrence it is");
    times.key(series, exception).ok_or_else(missing)
}

/// An occurrence whose series nobody can see: all that it says stands in its override.
fn read_lone(times: &Times, occurrence: &Event, says: Content) -> Result<Content> {
    let key = key_of(times, occurrence, occurrence)?;
    let mut patch = says.0;
    if patch.get("showWithoutTime").is_some() {
        patch.insert("recurrenceIdWithoutTime".into(), true.into());
    } else if let Some(zone) = patch.get("timeZone").cloned() {
        patch.insert("recurrenceIdTimeZone".into(), zone);
    }
    Ok(Content::from_value(json!({"recurrenceOverrides": {key: patch}})))
}

fn start_of(content: &Content) -> Option<NaiveDateTime> {
    content.get("start").and_then(Value::as_str).and_then(event::local)
}

/// Edits a rendering until it says as much of the content as it can.
///
/// # Errors
/// Unsupported where Graph cannot say what has to be said: nothing is approximated.
pub fn edit(times: &Times, sheet: &mut Sheet, content: &Content) -> Result<()> {
    if content.get("iCalOverrides").is_some() {
        return Err(unsayable("it has a change for \"this and following\" occurrences"));
    }
    if sheet.event.is_occurrence() {
        return edit_lone(times, sheet, content);
    }
    let rights = Rights::of(&sheet.event);
    if start_of(content).is_none() {
        return edit_from_lone(times, sheet, content, rights);
    }
    let has_moved = fields::edit(times, &mut sheet.event, content, rights)?;
    if rights == Rights::Private {
        return Ok(());
    }
    let has_new_rule = rule::edit(&mut sheet.event, content, has_moved)?;
    let dates = Dates::of(content)?;
    let guests = sheet.event.0.get("attendees").cloned();
    if people::edit(&mut sheet.event, content) {
        // Exceptions are never sent people; those that have the guests of the series will show its new ones.
        let now = sheet.event.0["attendees"].clone();
        let same = sheet.exceptions.iter_mut().filter(|exception| exception.0.get("attendees") == guests.as_ref());
        same.for_each(|exception| drop(exception.0.insert("attendees".into(), now.clone())));
    }
    if has_moved || has_new_rule {
        drop_unfit(times, sheet, &dates);
    }
    edit_overrides(times, sheet, content, &dates)
}

/// The dates of a series by its rule alone.
pub(super) struct Dates(Option<Series>);

impl Dates {
    fn of(content: &Content) -> Result<Dates> {
        let series = Series::of(content).map_err(unsayable)?;
        Ok(Dates(series.map(|series| Series { added: BTreeSet::new(), removed: BTreeSet::new(), ..series })))
    }

    /// Whether the series falls on the date of a key.
    pub(super) fn has(&self, key: &str) -> bool {
        let (Some(series), Some(date)) = (&self.0, event::local(key)) else { return false };
        series.dates(date, date, 1).is_ok_and(|dates| dates == [date])
    }
}

/// The server drops exceptions when the rule or the start changes; those that still fit are written again, the others are gone.
fn drop_unfit(times: &Times, sheet: &mut Sheet, dates: &Dates) {
    let Sheet { event, exceptions, cancelled, .. } = sheet;
    exceptions.retain(|exception| times.key(event, exception).is_some_and(|key| dates.has(&key)));
    cancelled.retain(|day| times.key_of_day(event, day).is_some_and(|key| dates.has(&key)));
}

/// The overrides of a content, by their keys.
fn overrides(content: &Content) -> impl Iterator<Item = (&String, &Value)> {
    content.get("recurrenceOverrides").and_then(Value::as_object).into_iter().flatten()
}

/// The days of the occurrences that one content leaves out and the other does not.
pub(super) fn cancelled_alone<'a>(one: &'a Content, other: &'a Content) -> impl Iterator<Item = &'a str> {
    let is_out = |patch: Option<&Value>| patch.and_then(|patch| patch.get("excluded")) == Some(&Value::Bool(true));
    overrides(one)
        .filter(move |(key, patch)| is_out(Some(patch)) && !is_out(other.at(&["recurrenceOverrides", key])))
        .map(|(key, _)| key.split('T').next().unwrap_or_default())
}

fn edit_overrides(times: &Times, sheet: &mut Sheet, content: &Content, dates: &Dates) -> Result<()> {
    let mut known: BTreeMap<String, usize> = BTreeMap::new();
    for (at, exception) in sheet.exceptions.iter().enumerate() {
        known.insert(key_of(times, &sheet.event, exception)?, at);
    }
    let mut gone: BTreeSet<usize> = BTreeSet::new();
    let mut wanted: BTreeSet<&str> = BTreeSet::new();
    let out: BTreeSet<String> = sheet.cancelled.iter().filter_map(|day| times.key_of_day(&sheet.event, day)).collect();
    for (key, patch) in overrides(content) {
        wanted.insert(key);
        let is_out = patch.get("excluded") == Some(&Value::Bool(true));
        if is_out {
            // A date that is none of the series is out anyway.
            if dates.has(key) && !out.contains(key) {
                sheet.cancelled.push(key.split('T').next().unwrap_or_default().to_owned());
            }
            gone.extend(known.get(key));
            continue;
        }
        if !dates.has(key) {
            return Err(unsayable("it has a date beside its recurrence rule (RDATE)"));
        }
        if out.contains(key) {
            continue;
        }
        let Some(says) = event::occurrence(content, key) else { continue };
        match known.get(key) {
            Some(at) => {
                edit_exception(times, &sheet.event, &mut sheet.exceptions[*at], &says)?;
            }
            None => {
                let plain = unchanged(times, &sheet.event, key)?;
                let mut exception = plain.clone();
                fields::edit(times, &mut exception, &says, Rights::Own)?;
                if exception != plain {
                    sheet.exceptions.push(exception);
                }
            }
        }
    }
    for (key, at) in &known {
        if !wanted.contains(key.as_str()) {
            // It says what the series says again.
            edit_exception(times, &sheet.event, &mut sheet.exceptions[*at], &event::unchanged(content, key))?;
        }
    }
    let mut at = 0;
    sheet.exceptions.retain(|_| {
        at += 1;
        !gone.contains(&(at - 1))
    });
    Ok(())
}

/// Edits an exception until it says what an occurrence shall say.
fn edit_exception(times: &Times, series: &Event, exception: &mut Event, says: &Content) -> Result<()> {
    let mut edited = in_zone_of(times, series, exception).into_owned();
    fields::edit(times, &mut edited, says, Rights::Own)?;
    // The rules of the series' zone were lent.
    match exception.0.get(PROPERTIES) {
        Some(own) => drop(edited.0.insert(PROPERTIES.into(), own.clone())),
        None => drop(edited.0.shift_remove(PROPERTIES)),
    }
    *exception = edited;
    Ok(())
}

/// The occurrence of a key as the series has it: what an exception is told apart from.
///
/// # Errors
/// Where the series' times cannot be read.
pub fn unchanged(times: &Times, series: &Event, key: &str) -> Result<Event> {
    let mut occurrence = series.clone();
    OF_MASTER.iter().for_each(|name| drop(occurrence.0.shift_remove(*name)));
    let at = times.original_start(series, key).ok_or_else(|| no_date(key))?;
    occurrence.0.insert("type".into(), "exception".into());
    occurrence.0.insert("originalStart".into(), at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true).into());
    if let Some(id) = series.id() {
        occurrence.0.insert("seriesMasterId".into(), id.into());
    }
    let mut when = Map::new();
    times.read(series, &mut when)?;
    when.insert("start".into(), key.into());
    times.edit(&mut occurrence, &Content(when))?;
    Ok(occurrence)
}

// An occurrence without its series

fn edit_lone(times: &Times, sheet: &mut Sheet, content: &Content) -> Result<()> {
    let key = key_of(times, &sheet.event, &sheet.event)?;
    let says = event::occurrence(content, &key);
    let says = says.filter(|_| overrides(content).count() == 1);
    let says = says.ok_or_else(|| unsayable("it is one occurrence of a series that cannot be seen here"))?;
    let rights = Rights::of(&sheet.event);
    fields::edit(times, &mut sheet.event, &says, rights).map(drop)
}

/// An item that has one occurrence and no series is a single event here; the carry-all knows which occurrence it is.
fn edit_from_lone(times: &Times, sheet: &mut Sheet, content: &Content, rights: Rights) -> Result<()> {
    let mut keys = overrides(content).map(|(key, _)| key);
    let (Some(key), None) = (keys.next(), keys.next()) else {
        return Err(unsayable("it has no start, or several occurrences without their series"));
    };
    let says = event::occurrence(content, key).ok_or_else(|| unsayable("it has no start"))?;
    fields::edit(times, &mut sheet.event, &says, rights).map(drop)
}

/// Overrides that only the carry-all knows, of dates on which the series does not fall any more, are dropped: they would be dates of
/// their own.
pub(super) fn without_stale(native: &Content, mut full: Content) -> Content {
    let is_known = |key: &str| native.at(&["recurrenceOverrides", key]).is_some();
    let stale: Vec<String> = match Dates::of(&full) {
        Ok(dates) if dates.0.is_some() => {
            overrides(&full).map(|(key, _)| key).filter(|key| !is_known(key) && !dates.has(key)).cloned().collect()
        }
        _ => return full,
    };
    if let Some(Value::Object(map)) = full.0.get_mut("recurrenceOverrides") {
        stale.iter().for_each(|key| drop(map.shift_remove(key)));
    }
    full.tidied()
}
