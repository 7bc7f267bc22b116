//! When an event is, as lines: DTSTART, DTEND, DURATION, RECURRENCE-ID, RRULE, RDATE, EXDATE, from nothing and onto lines that are there.

use super::doc::{Doc, Part, Prop, Zones};
use super::edit::Changes;
use super::read::{TimeLines, date_keys};
use super::say::{Fresh, edited};
use super::times::{Frame, Stamp, date_value, time_value};
use super::zones::World;
use super::{read, rules};
use crate::event::{UTC, duration_seconds, duration_text, end_of, local};
use crate::{Content, Error, ErrorKind, Result};
use chrono::NaiveDateTime;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// How zones are spelt in a file, and which it lacks.
pub(super) struct Speller<'a> {
    pub(super) zones: &'a Zones,
    pub(super) world: &'a World<'a>,
    /// Zones that were spelt and have no VTIMEZONE in the file, by TZID.
    spelt: BTreeMap<String, String>,
    /// Those of them that were written.
    pub(super) missing: BTreeSet<String>,
}

impl<'a> Speller<'a> {
    /// A speller for a file with these zones.
    pub(super) fn new(zones: &'a Zones, world: &'a World<'a>) -> Self {
        Self { zones, world, spelt: BTreeMap::new(), missing: BTreeSet::new() }
    }

    /// A line as it is written: its zone is needed in the file.
    pub(super) fn written(&mut self, line: &Fresh) -> String {
        let tzid = line.parameters.iter().find(|row| row.0 == "TZID").and_then(|row| row.1.first());
        self.missing.extend(tzid.and_then(|tzid| self.spelt.get(tzid)).cloned());
        line.line()
    }

    fn tzid(&mut self, zone: &str) -> String {
        if let Some(tzid) = self.zones.tzid_of(zone) {
            return tzid.to_owned();
        }
        let tzid = zone.strip_prefix('/').unwrap_or(zone);
        // What the file got along without so far, it gets along without.
        if !self.zones.names(tzid) {
            self.spelt.insert(tzid.to_owned(), zone.to_owned());
        }
        tzid.to_owned()
    }

    /// A line with a time in a zone, or a day.
    fn line(&mut self, name: &str, time: NaiveDateTime, zone: Option<&str>, is_day: bool) -> Fresh {
        match zone {
            _ if is_day => Fresh::uri(name, &date_value(time.date())).with("VALUE", Some("DATE")),
            Some(UTC) => Fresh::uri(name, &(time_value(time) + "Z")),
            Some(zone) => {
                let tzid = self.tzid(zone);
                Fresh::uri(name, &time_value(time)).with("TZID", Some(&tzid))
            }
            None => Fresh::uri(name, &time_value(time)),
        }
    }

    /// A line with the start of an occurrence, in the form of the series' start; `None` for a key that has none.
    fn dated(&mut self, name: &str, values: &[String], is_utc: bool, frame: &Frame<'_>) -> Fresh {
        let line = Fresh::uri(name, &values.join(","));
        match &frame.zone {
            _ if frame.is_day => line.with("VALUE", Some("DATE")),
            Some(zone) if !is_utc => {
                let tzid = self.tzid(zone);
                line.with("TZID", Some(&tzid))
            }
            _ => line,
        }
    }
}

/// The frame of an event by its members.
///
/// # Errors
/// [`ErrorKind::Refused`] for an event without a start.
pub(super) fn frame_of<'n>(members: &Map<String, Value>, world: &'n World<'n>) -> Result<Frame<'n>> {
    let text = |member: &str| members.get(member).and_then(Value::as_str);
    let start = text("start").and_then(local);
    let start = start.ok_or_else(|| Error::new(ErrorKind::Refused, "an event without a start that can be read"))?;
    Ok(Frame::of(
        &match members.get("showWithoutTime") == Some(&Value::Bool(true)) {
            true => Stamp::Date(start.date()),
            false => Stamp::Time(start, text("timeZone").map(str::to_owned)),
        },
        world,
    ))
}

/// The frame in which the RECURRENCE-ID of an occurrence without master stands.
pub(super) fn original_frame<'n>(key: &str, members: &Map<String, Value>, world: &'n World<'n>) -> Result<Frame<'n>> {
    let start =
        local(key).ok_or_else(|| Error::new(ErrorKind::Refused, "an occurrence whose original start is no time"))?;
    let is_day = members.get("recurrenceIdWithoutTime").is_some();
    let zone = members.get("recurrenceIdTimeZone").and_then(Value::as_str).map(str::to_owned);
    Ok(Frame::of(&if is_day { Stamp::Date(start.date()) } else { Stamp::Time(start, zone) }, world))
}

/// The line of the start.
fn start_line(frame: &Frame<'_>, speller: &mut Speller<'_>) -> Fresh {
    speller.line("DTSTART", frame.start, frame.zone.as_deref(), frame.is_day)
}

/// The line of the end, in the form of DTEND; `None` for an event that has no length.
fn end_line(members: &Map<String, Value>, frame: &Frame<'_>, speller: &mut Speller<'_>) -> Option<Fresh> {
    let (end, zone) = end_of(members)?;
    let has_end = members.contains_key("end") || members.contains_key("duration");
    has_end.then(|| speller.line("DTEND", end, zone, frame.is_day && !members.contains_key("end")))
}

/// The lines of start and end of a new event.
pub(super) fn fresh_times(members: &Map<String, Value>, frame: &Frame<'_>, speller: &mut Speller<'_>) -> Vec<String> {
    let start = start_line(frame, speller);
    let end = end_line(members, frame, speller);
    std::iter::once(start).chain(end).map(|line| speller.written(&line)).collect()
}

/// RECURRENCE-ID of an occurrence.
///
/// # Errors
/// [`ErrorKind::Refused`] for a key that is no start in the series.
pub(super) fn original_line(key: &str, frame: &Frame<'_>, speller: &mut Speller<'_>) -> Result<Fresh> {
    let (value, is_utc) = frame.value_of(key).ok_or_else(|| {
        Error::new(ErrorKind::Refused, "an occurrence whose original start is no start of the series")
    })?;
    Ok(speller.dated("RECURRENCE-ID", &[value], is_utc, frame))
}

/// Puts the lines of start and end right.
pub(super) fn edit_times(
    part: &Part,
    times: &TimeLines,
    (old, new): (&Map<String, Value>, &Map<String, Value>),
    (old_frame, frame): (&Frame<'_>, &Frame<'_>),
    speller: &mut Speller<'_>,
    changes: &mut Changes<'_>,
) {
    let prop = |at: Option<usize>| at.and_then(|at| part.props.get(at));
    let differs = |members: &[&str]| members.iter().any(|member| old.get(*member) != new.get(*member));
    let is_new_start = differs(&["start", "timeZone", "showWithoutTime"]);
    if is_new_start && let Some(prop) = prop(times.start) {
        let lines = (start_line(old_frame, speller), start_line(frame, speller));
        changes.replace(prop.line, &restated(prop, &lines.0, &lines.1, speller));
    }
    if differs(&["showWithoutTime"])
        && let Some(prop) = prop(times.all_day)
    {
        changes.remove(prop.line);
    }
    if !is_new_start && !differs(&["duration", "end", "endTimeZone"]) {
        return;
    }
    let after = prop(times.start).map_or(part.end, |prop| prop.line + 1);
    let (old_end, end) = (end_line(old, old_frame, speller), end_line(new, frame, speller));
    // DURATION stays DURATION where it can say the new length.
    let seconds = new.get("duration").and_then(Value::as_str).and_then(duration_seconds);
    match (prop(times.end), prop(times.duration), end) {
        (Some(prop), _, Some(end)) => {
            let old = old_end.unwrap_or_else(|| Fresh::uri("DTEND", ""));
            changes.replace(prop.line, &restated(prop, &old, &end, speller));
        }
        (None, Some(prop), Some(_)) if !new.contains_key("end") && seconds.is_some() => {
            if differs(&["duration"]) {
                let line = Fresh::uri("DURATION", &duration_text(seconds.unwrap_or(0)));
                changes.replace(prop.line, &edited(prop, None, &line));
            }
        }
        (None, Some(prop), Some(end)) => changes.replace(prop.line, &speller.written(&end)),
        (None, None, Some(end)) => changes.insert(after, &speller.written(&end)),
        (end, duration, None) => end.into_iter().chain(duration).for_each(|prop| changes.remove(prop.line)),
    }
}

/// A line with a time, edited: its TZID stays as it is spelt while the zone is the same.
fn restated(prop: &Prop, old: &Fresh, new: &Fresh, speller: &mut Speller<'_>) -> String {
    let form = |line: &Fresh| (line.parameters.clone(), line.value.len());
    // A line of a form that its reading does not have is written anew.
    let is_day = prop.token("VALUE").is_some_and(|value| value == "date");
    let is_usual = prop.content.value().trim().len() == new.value.len() && (!is_day || new.value.len() == 8);
    if form(old) == form(new) && is_usual {
        let raw = prop.content.text();
        let head = raw.get(..raw.len() - prop.content.value().len()).unwrap_or_default();
        return format!("{head}{}", new.value);
    }
    let kept = prop.content.raw_parameters().zip(&prop.parameters);
    let kept =
        kept.filter(|(_, parsed)| !matches!(parsed.name.as_str(), "VALUE" | "TZID")).map(|(raw, _)| format!(";{raw}"));
    let parameters = speller.written(new);
    let parameters = parameters.get(new.name.len()..).unwrap_or_default();
    format!("{}{}{parameters}", prop.content.raw_name(), kept.collect::<String>())
}

/// Puts RECURRENCE-ID right, when the series' start has another form now. `original` is its key and the line that says it.
pub(super) fn edit_original(
    doc: &Doc<'_>,
    prop: &Prop,
    original: (&str, &Fresh),
    frame: &Frame<'_>,
    speller: &mut Speller<'_>,
    changes: &mut Changes<'_>,
) {
    let means = date_keys(doc, prop, frame).ok().and_then(|keys| keys.into_iter().next());
    if means.is_none_or(|(now, _)| now != original.0) {
        let nothing = Fresh::uri("RECURRENCE-ID", "");
        changes.replace(prop.line, &restated(prop, &nothing, original.1, speller));
    }
}

/// The rules and dates that a series shall have.
struct Series {
    rules: Vec<(&'static str, Value)>,
    /// Occurrences that RDATE and EXDATE name, and whether they are excluded.
    dates: BTreeMap<String, bool>,
}

impl Series {
    fn of(event: &Content) -> Series {
        let mut rules = Vec::new();
        for (name, member) in [("RRULE", "recurrenceRules"), ("EXRULE", "excludedRecurrenceRules")] {
            let list = event.get(member).and_then(Value::as_array).into_iter().flatten();
            rules.extend(list.map(|rule| (name, rule.clone())));
        }
        let overrides = event.get("recurrenceOverrides").and_then(Value::as_object).into_iter().flatten();
        let dates =
            overrides.filter_map(|(key, patch)| Some((key.clone(), patch.get("excluded")?.as_bool()?))).collect();
        Series { rules, dates }
    }
}

/// The lines of rules and dates of a new series.
pub(super) fn fresh_series(event: &Content, frame: &Frame<'_>, speller: &mut Speller<'_>) -> Vec<String> {
    let series = Series::of(event);
    let rules = series.rules.iter().filter_map(|(name, rule)| Some(Fresh::uri(name, &rules::write(rule, frame)?)));
    let mut lines: Vec<String> = rules.map(|line| line.line()).collect();
    lines.extend(date_lines(series.dates, frame, speller));
    lines
}

fn date_lines(dates: BTreeMap<String, bool>, frame: &Frame<'_>, speller: &mut Speller<'_>) -> Vec<String> {
    let mut by_form: BTreeMap<(bool, bool), Vec<String>> = BTreeMap::new();
    for (key, is_excluded) in dates {
        if let Some((value, is_utc)) = frame.value_of(&key) {
            by_form.entry((is_excluded, is_utc)).or_default().push(value);
        }
    }
    let mut lines = Vec::new();
    for ((is_excluded, is_utc), values) in by_form {
        let name = if is_excluded { "EXDATE" } else { "RDATE" };
        // One line holds what a screen holds.
        for values in values.chunks(50) {
            let line = speller.dated(name, values, is_utc, frame);
            lines.push(speller.written(&line));
        }
    }
    lines
}

/// Puts rules and dates right: lines and items that still say what is wanted stay.
pub(super) fn edit_series(
    doc: &Doc<'_>,
    part: &Part,
    times: &TimeLines,
    (old, new): (&Content, &Content),
    frame: &Frame<'_>,
    speller: &mut Speller<'_>,
    changes: &mut Changes<'_>,
) -> Result<()> {
    let mut wanted = Series::of(new);
    let named = named_dates(doc, part, times, &frame_of(&old.0, speller.world)?);
    let after_start = times.start.and_then(|at| part.props.get(at)).map_or(part.end, |prop| prop.line + 1);
    let mut stale = Vec::new();
    for prop in times.rules.iter().filter_map(|at| part.props.get(*at)) {
        let means = rules::read(prop.content.value(), frame).ok();
        match wanted.rules.iter().position(|(name, rule)| *name == prop.name && means.as_ref() == Some(rule)) {
            Some(at) => drop(wanted.rules.remove(at)),
            None => stale.push(prop),
        }
    }
    for (name, rule) in wanted.rules {
        let Some(value) = rules::write(&rule, frame) else { continue };
        let line = Fresh::uri(name, &value);
        match stale.iter().position(|prop| prop.name == name) {
            Some(at) => {
                let prop = stale.remove(at);
                changes.replace(prop.line, &edited(prop, None, &line));
            }
            None => changes.insert(after_start, &line.line()),
        }
    }
    // A line said twice what is wanted once, or says what is not wanted.
    let doubled =
        |prop: &&Prop| rules::read(prop.content.value(), frame).is_ok_and(|rule| has_rule(new, &prop.name, &rule));
    stale.iter().filter(|prop| !doubled(prop)).for_each(|prop| changes.remove(prop.line));

    let before = Series::of(old).dates;
    let mut rest = wanted.dates;
    let mut last_line: BTreeMap<bool, usize> = BTreeMap::new();
    for prop in times.dates.iter().filter_map(|at| part.props.get(*at)) {
        let is_excluded = prop.name == "EXDATE";
        let keys = date_keys(doc, prop, frame).unwrap_or_default();
        let old_items = prop.content.value().split(',').map(str::trim).filter(|item| !item.is_empty()).count();
        let kept: Vec<&str> = keys
            .iter()
            .filter(|(key, item)| {
                let is_wanted = stated(new, key) == Some(is_excluded);
                // A further date that an EXDATE hides is no business of ours while nobody touches it.
                let is_hidden = !is_excluded && before.get(key) == Some(&true) && stated(new, key) == Some(true);
                let is_period = item.contains('/') && !has_same_length(old, new, key);
                (is_wanted || is_hidden) && !is_period
            })
            .map(|(_, item)| item.as_str())
            .collect();
        for (key, _) in keys.iter().filter(|(_, item)| kept.contains(&item.as_str())) {
            if rest.get(key) == Some(&is_excluded) {
                rest.remove(key);
            }
        }
        if kept.is_empty() && old_items > 0 {
            changes.remove(prop.line);
        } else {
            last_line.insert(is_excluded, prop.line + 1);
            if kept.len() < old_items {
                let raw = prop.content.text();
                let head = raw.get(..raw.len() - prop.content.value().len()).unwrap_or_default();
                changes.replace(prop.line, &format!("{head}{}", kept.join(",")));
            }
        }
    }
    // An override that changes nothing says already that its occurrence is.
    rest.retain(|key, is_excluded| before.get(key) != Some(is_excluded) || named.contains(key));
    for is_excluded in [false, true] {
        let dates: BTreeMap<String, bool> =
            rest.iter().filter(|(_, is)| **is == is_excluded).map(|(key, is)| (key.clone(), *is)).collect();
        let after = last_line.get(&is_excluded).copied().unwrap_or(after_start);
        date_lines(dates, frame, speller).iter().for_each(|line| changes.insert(after, line));
    }
    Ok(())
}

/// The occurrences that RDATE and EXDATE name.
fn named_dates(doc: &Doc<'_>, part: &Part, times: &TimeLines, frame: &Frame<'_>) -> BTreeSet<String> {
    let props = times.dates.iter().filter_map(|at| part.props.get(*at));
    props.flat_map(|prop| date_keys(doc, prop, frame).unwrap_or_default()).map(|(key, _)| key).collect()
}

fn has_rule(event: &Content, name: &str, rule: &Value) -> bool {
    let member = if name == "RRULE" { "recurrenceRules" } else { "excludedRecurrenceRules" };
    event.get(member).and_then(Value::as_array).is_some_and(|rules| rules.contains(rule))
}

/// Whether an occurrence is stated to be, or not to be.
fn stated(event: &Content, key: &str) -> Option<bool> {
    event.at(&["recurrenceOverrides", key, "excluded"])?.as_bool()
}

/// Whether the override of a key, which a period says, is as it was.
fn has_same_length(old: &Content, new: &Content, key: &str) -> bool {
    let at = |event: &Content| event.at(&["recurrenceOverrides", key]).cloned();
    at(old) == at(new)
}

/// The start of an event as it stands, against which its old lines were read.
pub(super) fn old_frame<'n>(reading: &read::Reading, world: &'n World<'n>) -> Result<Frame<'n>> {
    frame_of(&reading.own.members, world)
}
