//! What has to be sent so that one rendering becomes another. Pure.

use serde_json::{Value, json};

use super::rendering::{Series, is_ours};
use super::wire::{Object, WRITABLE, is_cancelled, text};

/// The change of one exception.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct RowChange {
    /// Its id in the rendering that is wanted.
    pub(super) id: String,
    /// What it shall be.
    pub(super) row: Object,
    /// The row that the change rests on; `None` for an occurrence that is no exception yet.
    pub(super) from: Option<Object>,
}

/// What differs between two renderings of one item.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Changes {
    /// What is sent for the master; empty when nothing is.
    pub(super) master: Object,
    /// The exceptions that differ.
    pub(super) rows: Vec<RowChange>,
}

impl Changes {
    pub(super) fn between(from: &Series, to: &Series) -> Changes {
        let master = match (&from.event, &to.event) {
            (Some(from), Some(to)) => difference(from, to),
            _ => Object::new(),
        };
        let changed = to.rows().filter_map(|(id, row)| {
            let old = from.exceptions.get(id).and_then(Value::as_object);
            let is_changed = old.is_none_or(|old| !difference(old, row).is_empty());
            is_changed.then(|| RowChange { id: id.to_owned(), row: row.clone(), from: old.cloned() })
        });
        Changes { rows: changed.collect(), master }
    }
}

/// The body of a PATCH that makes `to` out of `from`: only what is written by clients, and of that only what differs. `null` clears
/// a field; lists are replaced whole. Start and end go together, and whole: an offset may be left out only beside its zone.
pub(super) fn difference(from: &Object, to: &Object) -> Object {
    let mut body = Object::new();
    let moves = ["start", "end"].iter().any(|name| from.get(*name) != to.get(*name));
    let is_revived = is_cancelled(from) && !is_cancelled(to);
    for name in WRITABLE {
        let (old, new) = (from.get(name), to.get(name));
        let is_time = matches!(name, "start" | "end");
        // What stands behind a cancelled occurrence was not told: when it shall be again, everything is said.
        let is_said = is_revived && !matches!(name, "recurrence" | "attendees" | "extendedProperties");
        if old == new && !(is_time && moves) && !is_said {
            continue;
        }
        let value = match (old, new) {
            (_, None) if name == "attendees" => json!([]),
            (_, None) => Value::Null,
            (Some(Value::Object(old)), Some(Value::Object(new))) if name == "extendedProperties" => {
                properties(old, new)
            }
            (Some(Value::Object(old)), Some(Value::Object(new))) => whole(old.keys().map(String::as_str), new),
            (None, Some(Value::Object(new))) if is_time => whole(["date", "dateTime", "timeZone"].into_iter(), new),
            (_, Some(new)) => new.clone(),
        };
        body.insert(name.to_owned(), value);
    }
    body
}

/// An object with `null` for the members that it had and has no more.
fn whole<'a>(old: impl Iterator<Item = &'a str>, new: &Object) -> Value {
    let mut object = new.clone();
    for name in old.filter(|name| !new.contains_key(*name)) {
        object.insert(name.to_owned(), Value::Null);
    }
    Value::Object(object)
}

/// The members that differ, at every depth.
fn nested(old: &Object, new: &Object) -> Value {
    let mut object = Object::new();
    for name in old.keys().filter(|name| !new.contains_key(*name)) {
        object.insert(name.clone(), Value::Null);
    }
    for (name, new) in new.iter().filter(|(name, new)| old.get(*name) != Some(*new)) {
        let value = match (old.get(name), new) {
            (Some(Value::Object(old)), Value::Object(new)) => nested(old, new),
            _ => new.clone(),
        };
        object.insert(name.clone(), value);
    }
    Value::Object(object)
}

/// The properties that differ. Of ours all are sent when one is: those that were dropped there (and stand in the base, because nobody
/// took them away) come back with it.
fn properties(old: &Object, new: &Object) -> Value {
    let mut body = nested(old, new);
    let ours = new.get("private").and_then(Value::as_object).into_iter().flatten().filter(|(key, _)| is_ours(key));
    if let Some(private) = body.get_mut("private").and_then(Value::as_object_mut)
        && private.keys().any(|key| is_ours(key))
    {
        for (key, value) in ours {
            private.insert(key.clone(), value.clone());
        }
    }
    body
}

/// The etag of a part that has one.
pub(super) fn etag(part: &Object) -> Option<&str> {
    text(part, "etag")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(value: Value) -> Object {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn only_what_differs_and_is_written_by_clients_is_sent() {
        let from = object(json!({"etag": "1", "summary": "a", "location": "x", "sequence": 1, "attendees": [1],
                                 "start": {"date": "2026-01-01"}, "end": {"date": "2026-01-02"},
                                 "extendedProperties": {"private": {"a": "1", "b": "2"}, "shared": {"s": "1"}}}));
        let to = object(
            json!({"etag": "2", "summary": "b", "sequence": 2, "start": {"dateTime": "2026-01-01T09:00:00", "timeZone": "Europe/Berlin"},
                               "end": {"date": "2026-01-02"}, "extendedProperties": {"private": {"a": "3"}, "shared": {"s": "1"}}}),
        );
        assert_eq!(
            Value::Object(difference(&from, &to)),
            json!({"summary": "b", "location": null, "attendees": [],
                   "start": {"dateTime": "2026-01-01T09:00:00", "timeZone": "Europe/Berlin", "date": null}, "end": {"date": "2026-01-02"},
                   "extendedProperties": {"private": {"a": "3", "b": null}}})
        );
        assert!(difference(&from, &from).is_empty());
    }

    #[test]
    fn a_cancelled_occurrence_comes_back_with_all_that_it_says() {
        let from = object(json!({"status": "cancelled", "etag": "1"}));
        let to = object(
            json!({"status": "confirmed", "summary": "a", "start": {"date": "2026-01-01"}, "end": {"date": "2026-01-02"}}),
        );
        let body = difference(&from, &to);
        assert_eq!(body["start"], json!({"date": "2026-01-01", "dateTime": null, "timeZone": null}));
        assert_eq!(
            (&body["summary"], &body["location"], &body["status"]),
            (&json!("a"), &Value::Null, &json!("confirmed"))
        );
        assert!(!body.contains_key("attendees") && !body.contains_key("extendedProperties"));
        assert_eq!(Value::Object(difference(&to, &from)).get("status"), Some(&json!("cancelled")));
    }

    #[test]
    fn exceptions_are_changed_one_by_one() {
        let series = |rows: Value| Series { event: Some(Object::new()), exceptions: object(rows), ..Series::default() };
        let from = series(json!({"a": {"etag": "1", "summary": "a"}, "b": {"etag": "2", "summary": "b"}}));
        let to = series(
            json!({"a": {"etag": "1", "summary": "a"}, "b": {"etag": "2", "summary": "c"}, "c": {"status": "cancelled"}}),
        );
        let changes = Changes::between(&from, &to);
        assert!(changes.master.is_empty());
        let ids: Vec<(&str, bool)> = changes.rows.iter().map(|row| (row.id.as_str(), row.from.is_some())).collect();
        assert_eq!(ids, [("b", true), ("c", false)]);
    }
}
