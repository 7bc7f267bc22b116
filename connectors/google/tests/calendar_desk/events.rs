//! Events as both sides of the tests make them.

use serde_json::{Value, json};
use twofold_model::Content;

/// A time in Berlin, as Calendar has it.
pub fn at(day: &str, clock: &str) -> Value {
    json!({"dateTime": format!("{day}T{clock}:00"), "timeZone": "Europe/Berlin"})
}

/// A weekly series of the user's other client, ten times from 2026-03-03 09:00 in Berlin.
pub fn standup() -> Value {
    json!({"summary": "Standup", "start": at("2026-03-03", "09:00"), "end": at("2026-03-03", "09:15"),
           "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=10"]})
}

/// An event of ours that happens once.
pub fn lunch() -> Content {
    Content::from_value(
        json!({"title": "Lunch", "start": "2026-03-03T12:00:00", "timeZone": "Europe/Berlin", "duration": "PT1H"}),
    )
}

/// A series of ours with exceptions.
pub fn weekly() -> Content {
    let mut content = lunch();
    content.set("recurrenceRules", json!([{"frequency": "weekly"}]));
    content.set(
        "recurrenceOverrides",
        json!({"2026-03-10T12:00:00": {"title": "Late"}, "2026-03-17T12:00:00": {"excluded": true}, "2026-03-24T12:00:00": {"color": "plum"}}),
    );
    content
}
