//! `recurrence`: its RRULE, EXRULE, RDATE and EXDATE lines, and what they are in the model.

use chrono::{NaiveDate, NaiveDateTime, NaiveTime};
use serde_json::Value;
use std::collections::BTreeSet;
use twofold_model::event::{UTC, local, local_text};
use twofold_model::recurrence::{self, Rule};
use twofold_model::zone::Zones;
use twofold_model::{Content, Error, ErrorKind, Result};

use super::times::{When, Zone};
use super::wire::Object;

/// What a series repeats.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Repeats {
    pub(super) rules: Vec<Rule>,
    pub(super) excluded_rules: Vec<Rule>,
    /// Further dates (RDATE), local in the series.
    pub(super) added: BTreeSet<NaiveDateTime>,
    /// Dates left out (EXDATE).
    pub(super) removed: BTreeSet<NaiveDateTime>,
}

/// One line: its name and what it says.
enum Line {
    Rule(Rule),
    ExcludedRule(Rule),
    Added(Vec<NaiveDateTime>),
    Removed(Vec<NaiveDateTime>),
}

impl Repeats {
    /// Reads the lines of an event that starts at `start`.
    ///
    /// # Errors
    /// [`ErrorKind::Malformed`] for a line that is not understood: nothing is guessed.
    pub(super) fn read(event: &Object, start: &When, zones: &dyn Zones) -> Result<Repeats> {
        let mut repeats = Repeats::default();
        for line in lines(event) {
            match read_line(line, start, zones)? {
                Line::Rule(rule) => repeats.rules.push(rule),
                Line::ExcludedRule(rule) => repeats.excluded_rules.push(rule),
                Line::Added(dates) => repeats.added.extend(dates),
                Line::Removed(dates) => repeats.removed.extend(dates),
            }
        }
        Ok(repeats)
    }

    /// What an event's members say, as lines could. `start` is its start.
    ///
    /// # Errors
    /// [`ErrorKind::Refused`] for a rule that is none of RFC 5545.
    pub(super) fn of(event: &Content, start: &When) -> Result<Repeats> {
        let rules = |member: &str| -> Result<Vec<Rule>> {
            let list = event.get(member).and_then(Value::as_array).into_iter().flatten();
            list.map(|rule| Rule::from_json(rule).map(|rule| rule.canonical(start.time)))
                .collect::<Result<_, _>>()
                .map_err(|error| Error::new(ErrorKind::Refused, format!("not representable at Google: {error}")))
        };
        let mut repeats = Repeats {
            rules: rules("recurrenceRules")?,
            excluded_rules: rules("excludedRecurrenceRules")?,
            ..Repeats::default()
        };
        let by_rules = repeats.series(start);
        let overrides = event.get("recurrenceOverrides").and_then(Value::as_object);
        for (key, patch) in overrides.into_iter().flatten() {
            let Some(date) = local(key) else { continue };
            match patch.get("excluded") {
                Some(Value::Bool(true)) => drop(repeats.removed.insert(date)),
                Some(Value::Bool(false)) if !falls(&by_rules, date) => drop(repeats.added.insert(date)),
                _ => {}
            }
        }
        Ok(repeats)
    }

    /// Whether nothing repeats.
    pub(super) fn is_nothing(&self) -> bool {
        self.rules.is_empty() && self.added.is_empty()
    }

    /// The same rules and further dates; what is left out can be said in another way.
    pub(super) fn is_same_shape(&self, other: &Repeats) -> bool {
        (&self.rules, &self.excluded_rules, &self.added) == (&other.rules, &other.excluded_rules, &other.added)
    }

    pub(super) fn series(&self, start: &When) -> recurrence::Series {
        recurrence::Series {
            start: start.time,
            rules: self.rules.clone(),
            excluded: self.excluded_rules.clone(),
            added: self.added.clone(),
            removed: BTreeSet::new(),
        }
    }

    /// All of it as new lines.
    fn write(&self, start: &When) -> Vec<String> {
        let rule = |name: &str, rule: &Rule| format!("{name}:{}", rule.write(start.time, start.clock()));
        let mut lines: Vec<String> = self.rules.iter().map(|r| rule("RRULE", r)).collect();
        lines.extend(self.excluded_rules.iter().map(|r| rule("EXRULE", r)));
        lines.extend(date_line("RDATE", self.added.iter(), start));
        lines.extend(date_line("EXDATE", self.removed.iter(), start));
        lines
    }
}

/// Whether a series falls on a date. What cannot be told counts as falling: an exception there is real until it is known not to be.
pub(super) fn falls(series: &recurrence::Series, date: NaiveDateTime) -> bool {
    series.dates(date, date, 1).map_or(true, |dates| !dates.is_empty())
}

fn lines(event: &Object) -> impl Iterator<Item = &str> {
    event.get("recurrence").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

fn read_line(line: &str, start: &When, zones: &dyn Zones) -> Result<Line> {
    let wrong =
        |why: String| Error::new(ErrorKind::Malformed, format!("a recurrence line that is not understood: {why}"));
    let (head, value) = line.split_once(':').ok_or_else(|| wrong("no value".into()))?;
    let mut parts = head.split(';');
    let name = parts.next().unwrap_or_default().trim().to_ascii_uppercase();
    let rule = || {
        let rule = Rule::read(value, start.clock()).map_err(|error| wrong(error.to_string()))?;
        Ok(rule.canonical(start.time))
    };
    let zone = parts.filter_map(|part| part.split_once('=')).find(|(name, _)| name.eq_ignore_ascii_case("TZID"));
    let dates = || {
        let zone = match zone {
            Some((_, name)) => {
                Some(Zone::of(name.trim_matches('"'), zones).ok_or_else(|| wrong("its time zone".into()))?)
            }
            None => None,
        };
        let items = value.split(',').map(str::trim).filter(|item| !item.is_empty());
        let dates: Option<Vec<NaiveDateTime>> = items.map(|item| date_of(item, start, zone.as_ref(), zones)).collect();
        dates.ok_or_else(|| wrong("a date".into()))
    };
    match name.as_str() {
        "RRULE" => Ok(Line::Rule(rule()?)),
        "EXRULE" => Ok(Line::ExcludedRule(rule()?)),
        "RDATE" => Ok(Line::Added(dates()?)),
        "EXDATE" => Ok(Line::Removed(dates()?)),
        other => Err(wrong(format!("{other:.20}"))),
    }
}

/// A date of a line as local time of the series.
fn date_of(text: &str, start: &When, zone: Option<&Zone>, zones: &dyn Zones) -> Option<NaiveDateTime> {
    if text.len() == 8 {
        let date = NaiveDate::parse_from_str(text, "%Y%m%d").ok()?;
        return Some(start.key_of(&When { time: date.and_time(NaiveTime::MIN), zone: None }));
    }
    let (digits, zone) = match text.strip_suffix(['Z', 'z']) {
        Some(digits) => (digits, Zone::of(UTC, zones)),
        None => (text, zone.cloned().or_else(|| start.zone.clone())),
    };
    let time = NaiveDateTime::parse_from_str(digits, "%Y%m%dT%H%M%S").ok()?;
    Some(start.key_of(&When { time, zone }))
}

fn date_line<'a>(name: &str, dates: impl Iterator<Item = &'a NaiveDateTime>, start: &When) -> Option<String> {
    let (parameter, form) = match &start.zone {
        None => (";VALUE=DATE".to_owned(), "%Y%m%d"),
        Some(zone) if zone.name == UTC => (String::new(), "%Y%m%dT%H%M%SZ"),
        Some(zone) => (format!(";TZID={}", zone.name), "%Y%m%dT%H%M%S"),
    };
    let dates: Vec<String> = dates.map(|date| date.format(form).to_string()).collect();
    (!dates.is_empty()).then(|| format!("{name}{parameter}:{}", dates.join(",")))
}

/// Makes the lines of an event say `wanted`; lines that say what is wanted stay as they are.
///
/// # Errors
/// As [`Repeats::read`].
pub(super) fn edit(event: &mut Object, before: &When, start: &When, wanted: &Repeats, zones: &dyn Zones) -> Result<()> {
    let mut rest = wanted.clone();
    let mut kept: Vec<Value> = Vec::new();
    // A line says what it will mean from the new start on.
    let is_reshaped = !super::times::is_same(before, start);
    for line in lines(event) {
        let means = read_line(line, start, zones)?;
        let take = |list: &mut Vec<Rule>, rule: &Rule| {
            let at = list.iter().position(|wanted| wanted == rule);
            at.map(|at| list.remove(at)).is_some()
        };
        let stays = match &means {
            Line::Rule(rule) => take(&mut rest.rules, rule),
            Line::ExcludedRule(rule) => take(&mut rest.excluded_rules, rule),
            Line::Added(dates) => !is_reshaped && dates.iter().all(|date| wanted.added.contains(date)),
            Line::Removed(dates) => !is_reshaped && dates.iter().all(|date| wanted.removed.contains(date)),
        };
        if stays {
            kept.push(line.into());
            match means {
                Line::Added(dates) => rest.added.retain(|date| !dates.contains(date)),
                Line::Removed(dates) => rest.removed.retain(|date| !dates.contains(date)),
                Line::Rule(_) | Line::ExcludedRule(_) => {}
            }
        }
    }
    let had = event.get("recurrence").and_then(Value::as_array).cloned().unwrap_or_default();
    kept.extend(rest.write(start).into_iter().map(Value::from));
    if wanted.is_nothing() {
        event.shift_remove("recurrence");
    } else if kept != had {
        event.insert("recurrence".into(), kept.into());
    }
    Ok(())
}

/// Members of an event that say what repeats, apart from exceptions: rules, and the overrides that lines say.
pub(super) fn members(repeats: &Repeats, into: &mut Content) {
    let list = |rules: &[Rule]| rules.iter().map(Rule::to_json).collect::<Value>();
    into.set("recurrenceRules", list(&repeats.rules));
    into.set("excludedRecurrenceRules", list(&repeats.excluded_rules));
    let mut overrides = Object::new();
    for date in &repeats.added {
        overrides.insert(local_text(*date), twofold_model::event::added());
    }
    for date in &repeats.removed {
        overrides.insert(local_text(*date), twofold_model::event::excluded());
    }
    into.set("recurrenceOverrides", Value::Object(overrides));
}
