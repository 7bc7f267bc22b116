//! Birthday and wedding day. Google's dates have parts that may be unknown (0); an instant or an impossible day is no date
//! there and travels in the carry-all.

use serde_json::{Map, Value, json};
use twofold_model::{Content, card};

use super::fields::word;
use super::map::{edit_item, filled, items, list, tidy_list};
use super::wire::{Object, text};

/// Google's date as a card's: a part that is 0 is unknown.
fn read_date(item: &Object) -> Option<Value> {
    let date = item.get("date")?.as_object()?;
    let mut read = Map::new();
    for part in ["year", "month", "day"] {
        if let Some(number) = date.get(part).and_then(Value::as_u64).filter(|number| *number > 0) {
            read.insert(part.into(), Value::from(number));
        }
    }
    (!read.is_empty()).then_some(Value::Object(read))
}

/// A card's date as Google's, if Google can hold it: a whole date, month and day, year and month, or a year.
fn date_of(entry: Option<&Value>) -> Option<Value> {
    let date = entry?.get("date")?.as_object()?;
    if date.contains_key("utc") {
        return None;
    }
    let part = |name: &str| match date.get(name) {
        None => Some(0),
        Some(value) => value.as_u64().filter(|number| *number > 0),
    };
    let (year, month, day) = (part("year")?, part("month")?, part("day")?);
    let longest = match month {
        2 if year > 0 && !(year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))) => 28,
        2 => 29,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    let is_said =
        matches!((year > 0, month > 0, day > 0), (true, true, _) | (false, true, true) | (true, false, false));
    (is_said && year <= 9999 && month <= 12 && day <= longest).then(|| {
        let parts = [("year", year), ("month", month), ("day", day)];
        parts.into_iter().filter(|(_, number)| *number > 0).map(|(name, n)| (name.to_owned(), Value::from(n))).collect()
    })
}

/// The birthday: the first one with a date, else the first in words.
pub(super) fn birthday(person: &Object) -> Option<(usize, Value)> {
    let dated = items(person, "birthdays").find_map(|(i, item)| Some((i, json!({"date": read_date(item)?}))));
    dated
        .or_else(|| items(person, "birthdays").find_map(|(i, item)| Some((i, json!({"label": filled(item, "text")?})))))
}

/// The wedding day: the first dated event of the type `anniversary`.
pub(super) fn wedding(person: &Object) -> Option<(usize, Value)> {
    items(person, "events")
        .filter(|(_, item)| text(item, "type") == Some("anniversary"))
        .find_map(|(i, item)| Some((i, json!({"date": read_date(item)?}))))
}

/// Makes the birthday say what the card says: a date, or words.
pub(super) fn write_birthday(person: &mut Object, content: &Content) {
    let entry = content.at(&["anniversaries", card::keys::BIRTH]);
    let date = date_of(entry);
    let words = entry.map(|entry| word(entry, "label")).filter(|label| date.is_none() && !label.trim().is_empty());
    let words = words.filter(|_| entry.is_some_and(|entry| entry.get("date").is_none()));
    let old = birthday(person);
    if date.is_none() && words.is_none() {
        if old.is_some() {
            person.shift_remove("birthdays");
        }
        return;
    }
    if let Some((_, old)) = &old
        && old.get("date") == date.as_ref()
        && (date.is_some() || old.get("label").and_then(Value::as_str) == words)
    {
        return;
    }
    let index = edit_item(person, "birthdays", old.map(|(index, _)| index), |item| {
        item.shift_remove("date");
        item.shift_remove("text");
        match (date, words) {
            (Some(date), _) => item.insert("date".into(), date),
            (None, words) => item.insert("text".into(), Value::from(words)),
        };
    });
    tidy_list(person, "birthdays", Some(index));
}

/// Makes the anniversary say what the card says; it can hold a date only.
pub(super) fn write_wedding(person: &mut Object, content: &Content) {
    let date = date_of(content.at(&["anniversaries", card::keys::WEDDING]));
    match (wedding(person), date) {
        (None, None) => {}
        (Some((_, old)), Some(date)) if old["date"] == date => {}
        (Some((index, _)), None) => {
            list(person, "events").remove(index);
            tidy_list(person, "events", None);
        }
        (old, Some(date)) => {
            edit_item(person, "events", old.map(|(index, _)| index), |item| {
                item.insert("date".into(), date);
                item.insert("type".into(), Value::from("anniversary"));
            });
        }
    }
}
