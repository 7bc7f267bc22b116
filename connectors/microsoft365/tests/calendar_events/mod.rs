//! Events as both sides of the tests make them.

use serde_json::{Value, json};
use twofold_model::Content;

/// A time in Berlin, as Graph has it.
pub fn at(time: &str) -> Value {
    json!({"dateTime": time, "timeZone": "W. Europe Standard Time"})
}

/// A single event of Outlook's, in Berlin.
pub fn lunch(title: &str) -> Value {
    json!({"subject": title, "start": at("2026-03-02T12:00:00"), "end": at("2026-03-02T13:00:00")})
}

/// A weekly series of Outlook's, from Monday 2026-03-02, 09:00 in Berlin.
pub fn standup() -> Value {
    json!({"subject": "Standup", "start": at("2026-03-02T09:00:00"), "end": at("2026-03-02T09:30:00"),
        "recurrence": {"pattern": {"type": "weekly", "interval": 1, "daysOfWeek": ["monday"], "firstDayOfWeek": "monday"},
            "range": {"type": "noEnd", "startDate": "2026-03-02"}}})
}

/// A weekly series of ours.
pub fn weekly(with: Value) -> Value {
    let mut event = json!({"title": "Standup", "start": "2026-03-02T09:00:00", "timeZone": "Europe/Berlin", "duration": "PT30M",
        "recurrenceRules": [{"frequency": "weekly"}]});
    event.as_object_mut().unwrap().extend(with.as_object().unwrap().clone());
    event
}

/// What is said of single occurrences.
pub fn overrides(content: &Content) -> Value {
    content.get("recurrenceOverrides").cloned().unwrap_or_else(|| json!({}))
}
