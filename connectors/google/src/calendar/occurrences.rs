//! Exceptions: occurrences of a series that differ from their master, or are cancelled.
//!
//! Provider: an exception is an event of its own, with all its fields, and keeps the start that it was to have
//! (`originalStartTime`). One outside of its series' dates (the rest of a series that was cut) is not shown; it is neither read nor
//! touched.

use chrono::NaiveDateTime;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use twofold_model::event::{self, local, local_text, occurrence, override_of, unchanged};
use twofold_model::recurrence;
use twofold_model::{Content, Result};

use super::fields::{self, Around};
use super::recurrence::{Repeats, falls};
use super::rendering::Series;
use super::times::When;
use super::wire::{Object, is_cancelled, text};

/// Members of an event that its occurrences do not have from it.
const NOT_INHERITED: [&str; 8] =
    ["recurrence", "etag", "iCalUID", "updated", "created", "sequence", "htmlLink", "extendedProperties"];

/// A series as it stands.
pub(super) struct Standing<'a> {
    pub(super) start: &'a When,
    pub(super) repeats: &'a Repeats,
    pub(super) around: Around<'a>,
}

/// The overrides that the exceptions of a series say, beside those of its lines.
///
/// # Errors
/// [`twofold_model::ErrorKind::Malformed`] for an exception that cannot be understood.
pub(super) fn read(series: &Series, master: &Content, at: &Standing<'_>, overrides: &mut Object) -> Result<()> {
    if at.repeats.is_nothing() {
        return Ok(());
    }
    let dates = at.repeats.series(at.start);
    for (_, row) in series.rows() {
        let date = original(row, at)?;
        let key = local_text(date);
        if !falls(&dates, date) || at.repeats.removed.contains(&date) {
            continue;
        }
        if is_cancelled(row) {
            overrides.insert(key, event::excluded());
            continue;
        }
        let (says, _) = fields::read(row, at.around)?;
        let is_added = at.repeats.added.contains(&date);
        let patch = override_of(master, &key, &says, is_added);
        // An exception that says what its master says is none.
        if is_added || patch != event::added() {
            overrides.insert(key, patch);
        }
    }
    Ok(())
}

/// Where in its series an exception belongs.
fn original(row: &Object, at: &Standing<'_>) -> Result<NaiveDateTime> {
    let when = When::read(row.get("originalStartTime"), at.around.zone, at.around.zones)?;
    Ok(at.start.key_of(&when))
}

/// The occurrence of a master at a date, as Google would show it while it is no exception.
///
/// # Errors
/// As [`fields::edit`].
pub(super) fn instance_of(master: &Object, says: &Content, date: NaiveDateTime, at: &Standing<'_>) -> Result<Object> {
    let when = at.start.at(date);
    let mut row = master.clone();
    NOT_INHERITED.iter().for_each(|name| drop(row.shift_remove(*name)));
    let id = text(master, "id").unwrap_or_default();
    row.insert("id".into(), format!("{id}{}", when.id_suffix()).into());
    row.insert("recurringEventId".into(), id.into());
    row.insert("originalStartTime".into(), when.write());
    fields::edit(&mut row, says, &unchanged(says, &local_text(date)), at.around)?;
    Ok(row)
}

/// Dates of the content that are not to be, among the dates of the series.
pub(super) fn removed(content: &Content, dates: &recurrence::Series) -> BTreeSet<NaiveDateTime> {
    let overrides = content.get("recurrenceOverrides").and_then(Value::as_object).into_iter().flatten();
    let excluded = overrides.filter(|(_, patch)| patch.get("excluded") == Some(&Value::Bool(true)));
    excluded.filter_map(|(key, _)| local(key)).filter(|date| falls(dates, *date)).collect()
}

/// Makes the exceptions of a series say what `content` says. The master says it already; `by_line` are the dates that its lines
/// leave out. Rows without an etag are new.
///
/// # Errors
/// As [`fields::edit`] and [`read`].
pub(super) fn edit(
    series: &mut Series,
    content: &Content,
    at: &Standing<'_>,
    by_line: &BTreeSet<NaiveDateTime>,
) -> Result<()> {
    let Some(master) = series.event.clone() else { return Ok(()) };
    let (says, _) = fields::read(&master, at.around)?;
    let dates = at.repeats.series(at.start);
    let mut rows: BTreeMap<NaiveDateTime, String> = BTreeMap::new();
    for (id, row) in series.rows() {
        rows.insert(original(row, at)?, id.to_owned());
    }
    let overrides = content.get("recurrenceOverrides").and_then(Value::as_object).cloned().unwrap_or_default();
    let mut wanted: BTreeMap<NaiveDateTime, Option<Content>> = BTreeMap::new();
    for (key, patch) in &overrides {
        let Some(date) = local(key) else { continue };
        let is_changed = patch.as_object().is_some_and(|patch| patch.keys().any(|pointer| pointer != "excluded"));
        if patch.get("excluded") == Some(&Value::Bool(true)) {
            if !by_line.contains(&date) {
                wanted.insert(date, None);
            }
        } else if is_changed {
            wanted.insert(date, occurrence(content, key));
        }
    }
    // What is an exception and is none any more says what the master says.
    for date in rows.keys().filter(|date| !by_line.contains(*date)) {
        wanted.entry(*date).or_insert_with(|| Some(unchanged(content, &local_text(*date))));
    }
    for (date, wanted) in wanted.into_iter().filter(|(date, _)| falls(&dates, *date)) {
        let old = rows.get(&date).and_then(|id| series.exceptions.get(id)?.as_object()).cloned();
        let plain = instance_of(&master, &says, date, at)?;
        let row = match (wanted, old) {
            (None, Some(mut row)) => {
                row.insert("status".into(), "cancelled".into());
                Some(row)
            }
            (None, None) => {
                let mut row = Object::new();
                for name in ["id", "recurringEventId", "originalStartTime"] {
                    row.insert(name.into(), plain.get(name).cloned().unwrap_or_default());
                }
                row.insert("status".into(), "cancelled".into());
                Some(row)
            }
            (Some(wanted), Some(old)) if is_cancelled(&old) => Some(revived(&old, plain, &says, date, &wanted, at)?),
            (Some(wanted), Some(mut row)) => {
                let (before, _) = fields::read(&row, at.around)?;
                fields::edit(&mut row, &before, &wanted, at.around)?;
                Some(row)
            }
            (Some(wanted), None) => {
                let mut row = plain.clone();
                fields::edit(&mut row, &unchanged(&says, &local_text(date)), &wanted, at.around)?;
                (row != plain).then_some(row)
            }
        };
        if let Some(row) = row {
            let id = rows.get(&date).cloned().or_else(|| text(&row, "id").map(str::to_owned)).unwrap_or_default();
            series.exceptions.insert(id, Value::Object(row));
        }
    }
    Ok(())
}

/// A cancelled occurrence that shall be again.
fn revived(
    old: &Object,
    plain: Object,
    says: &Content,
    date: NaiveDateTime,
    wanted: &Content,
    at: &Standing<'_>,
) -> Result<Object> {
    let mut row = plain;
    fields::edit(&mut row, &unchanged(says, &local_text(date)), wanted, at.around)?;
    for name in ["id", "recurringEventId", "originalStartTime", "etag", "updated", "iCalUID"] {
        if let Some(value) = old.get(name) {
            row.insert(name.into(), value.clone());
        }
    }
    if row.get("status").is_none_or(|status| status == "cancelled") {
        row.insert("status".into(), "confirmed".into());
    }
    Ok(row)
}

// ---- occurrences without their master -----------------------------------------------------------------------------------

/// The overrides of an item without master: each has all its members.
///
/// # Errors
/// As [`read`].
pub(super) fn read_lone(series: &Series, around: Around<'_>) -> Result<Content> {
    let mut overrides = Object::new();
    for (_, row) in series.rows().filter(|(_, row)| !is_cancelled(row)) {
        let when = When::read(row.get("originalStartTime"), around.zone, around.zones)?;
        let (mut says, _) = fields::read(row, around)?;
        match &when.zone {
            Some(zone) => says.set("recurrenceIdTimeZone", zone.name.as_str().into()),
            None => says.set("recurrenceIdWithoutTime", true.into()),
        }
        let key = local_text(when.time);
        overrides.insert(key.clone(), override_of(&Content::new(), &key, &says, false));
    }
    let mut content = Content::new();
    content.set("recurrenceOverrides", Value::Object(overrides));
    Ok(content)
}

/// Makes occurrences without their master say what `content` says. None can be added or taken away there.
///
/// # Errors
/// [`twofold_model::ErrorKind::Refused`] for what a guest cannot change.
pub(super) fn edit_lone(series: &mut Series, content: &Content, around: Around<'_>) -> Result<()> {
    use twofold_model::{Error, ErrorKind};
    let refused = || {
        Error::new(ErrorKind::Refused, "a guest of single occurrences can neither add any at Google nor take any away")
    };
    let keys = |content: &Content| -> BTreeSet<String> {
        let overrides = content.get("recurrenceOverrides").and_then(Value::as_object).into_iter().flatten();
        overrides.map(|(key, _)| key.clone()).collect()
    };
    if keys(&read_lone(series, around)?) != keys(content) {
        return Err(refused());
    }
    for row in series.exceptions.values_mut().filter_map(Value::as_object_mut).filter(|row| !is_cancelled(row)) {
        let when = When::read(row.get("originalStartTime"), around.zone, around.zones)?;
        let mut wanted = occurrence(content, &local_text(when.time)).ok_or_else(refused)?;
        ["recurrenceIdTimeZone", "recurrenceIdWithoutTime"].iter().for_each(|name| wanted.set(name, Value::Null));
        let (before, _) = fields::read(row, around)?;
        fields::check_standing(row, &before, &wanted)?;
        fields::edit(row, &before, &wanted, around)?;
    }
    Ok(())
}

/// Several occurrences without their master from nothing, as they would be read. Nothing is created from them: Google makes such
/// things of invitations alone.
///
/// # Errors
/// As [`fields::edit`].
pub(super) fn lone_from_nothing(content: &Content, around: Around<'_>) -> Result<Series> {
    let mut series = Series::default();
    let overrides = content.get("recurrenceOverrides").and_then(Value::as_object).cloned().unwrap_or_default();
    for (key, patch) in overrides {
        let (Some(date), Some(mut says)) = (local(&key), occurrence(content, &key)) else { continue };
        let zone = patch.get("recurrenceIdTimeZone").and_then(Value::as_str);
        let zone = zone.and_then(|name| super::times::Zone::of(name, around.zones));
        ["recurrenceIdTimeZone", "recurrenceIdWithoutTime"].iter().for_each(|name| says.set(name, Value::Null));
        let when = When { time: date, zone };
        let mut row = Object::new();
        row.insert("id".into(), when.id_suffix().into());
        row.insert("originalStartTime".into(), when.write());
        fields::edit(&mut row, &Content::new(), &says, around)?;
        series.exceptions.insert(when.id_suffix(), Value::Object(row));
    }
    Ok(series)
}
