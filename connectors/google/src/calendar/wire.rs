//! Calendar's JSON. An event is kept as the object it is, so that nothing unknown is dropped; envelopes keep what they do not know
//! in `rest`. Absent, `null` and empty lists are one and the same.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

/// A JSON object: an event, one of its parts.
pub type Object = Map<String, Value>;

/// Members of an event that are written. What Google makes by itself, what cannot be changed, and what needs a version parameter to be
/// taken (`conferenceData`, `attachments`, `eventLabelId`) is not among them.
pub const WRITABLE: [&str; 14] = [
    "summary",
    "description",
    "location",
    "start",
    "end",
    "recurrence",
    "status",
    "transparency",
    "visibility",
    "colorId",
    "reminders",
    "attendees",
    "source",
    "extendedProperties",
];

/// A text member, if it is there and not empty.
pub fn text<'a>(object: &'a Object, name: &str) -> Option<&'a str> {
    object.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// A member that is `true`.
pub fn is_set(object: &Object, name: &str) -> bool {
    object.get(name) == Some(&Value::Bool(true))
}

/// Whether an event is cancelled. Without [`series_of`] it is deleted; with it, it is an occurrence that is not (discovery,
/// `Event.status`).
pub fn is_cancelled(event: &Object) -> bool {
    text(event, "status") == Some("cancelled")
}

/// The series of which this event is an occurrence.
pub fn series_of(event: &Object) -> Option<&str> {
    text(event, "recurringEventId")
}

/// Whether an event repeats.
pub fn is_recurring(event: &Object) -> bool {
    event.get("recurrence").and_then(Value::as_array).is_some_and(|lines| !lines.is_empty())
}

/// A private extended property: one that belongs to the copy in this calendar.
pub fn private<'a>(event: &'a Object, key: &str) -> Option<&'a str> {
    event.get("extendedProperties")?.get("private")?.get(key)?.as_str()
}

/// The answer of `events.list` and `events.instances`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Events {
    /// The page's rows; a page may have none and yet not be the last.
    #[serde(default, deserialize_with = "or_default")]
    pub items: Vec<Object>,
    /// The calendar's zone.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// The user's reminders for events of this calendar that have none of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_reminders: Option<Vec<Value>>,
    /// There is more.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub next_page_token: Option<String>,
    /// Only on the last page.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub next_sync_token: Option<String>,
    /// What else came.
    #[serde(flatten)]
    pub rest: Object,
}

/// The answer of `calendarList.list`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CalendarList {
    /// The page's rows.
    #[serde(default, deserialize_with = "or_default")]
    pub items: Vec<CalendarEntry>,
    /// There is more.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub next_page_token: Option<String>,
    /// What else came.
    #[serde(flatten)]
    pub rest: Object,
}

/// One calendar: a row of the user's list, or the calendar itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CalendarEntry {
    /// Its id: an address, with characters that a path has to escape.
    #[serde(default, deserialize_with = "or_default")]
    pub id: String,
    /// Its name.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// The user's own name for it.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub summary_override: Option<String>,
    /// What the user may do there.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub access_role: Option<String>,
    /// `#rrggbb`.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub background_color: Option<String>,
    /// Its zone.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// The user's reminders for events that have none of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_reminders: Option<Vec<Value>>,
    /// What else came.
    #[serde(flatten)]
    pub rest: Object,
}

impl CalendarEntry {
    /// Whether this is the account's own calendar.
    pub fn is_primary(&self) -> bool {
        is_set(&self.rest, "primary")
    }

    /// Whether the user took it off the list.
    pub fn is_deleted(&self) -> bool {
        is_set(&self.rest, "deleted")
    }

    /// The name that the user reads.
    pub fn name(&self) -> &str {
        self.summary_override.as_deref().or(self.summary.as_deref()).unwrap_or(&self.id)
    }
}

fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(from: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

/// An empty token is no token.
fn filled<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<String>::deserialize(from)?.filter(|text| !text.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn absent_and_null_and_empty_lists_are_one() {
        for page in [json!({}), json!({"items": null, "nextPageToken": ""}), json!({"items": []})] {
            let read: Events = serde_json::from_value(page).unwrap();
            assert!(read.items.is_empty() && read.next_page_token.is_none());
        }
    }

    #[test]
    fn the_users_own_name_for_a_calendar_counts() {
        let entry: CalendarEntry = serde_json::from_value(
            json!({"id": "a@x", "summary": "Their name", "summaryOverride": "Mine", "primary": true}),
        )
        .unwrap();
        assert_eq!((entry.name(), entry.is_primary(), entry.is_deleted()), ("Mine", true, false));
        let bare: CalendarEntry = serde_json::from_value(json!({"id": "a@x"})).unwrap();
        assert_eq!(bare.name(), "a@x");
    }
}
