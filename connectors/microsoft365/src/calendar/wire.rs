//! Graph's JSON for calendars and events, as it comes and goes. An event is kept as the object that the server sent, so that
//! nothing is dropped that this program does not know.

pub use crate::properties::{CARRY, ListPage, MARK, UID};

use crate::properties::{self, PROPERTIES};
use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

/// PidLidAppointmentRecur: a series in Exchange's own bytes (`blob.rs`).
pub const RECUR: &str = "Binary {00062002-0000-0000-C000-000000000046} Id 0x8216";

/// Extended property with the overrides that are still to be written on a series: not empty while a write of several requests is under
/// way, or broke off.
pub const PENDING: &str = "String {5b1c9a52-7d0e-4c0f-9f5e-2f6d1c3a8e47} Name twofold-pending";

/// PidLidTimeZoneStruct: the rules of the zone of a series in Exchange's own bytes (`tzreg.rs`).
pub const ZONE: &str = "Binary {00062002-0000-0000-C000-000000000046} Id 0x8233";

/// What this program sends of an event; everything else is the server's, or somebody else's business. Attendees are sent only of a
/// meeting of the user's own that has some, or is to ask some (`people.rs`): nobody is ever invited by what was made elsewhere (DESIGN,
/// promise 7).
pub const WRITABLE: [&str; 15] = [
    "subject",
    "body",
    "start",
    "end",
    "isAllDay",
    "location",
    "locations",
    "importance",
    "sensitivity",
    "showAs",
    "isReminderOn",
    "reminderMinutesBeforeStart",
    "categories",
    "recurrence",
    "attendees",
];

/// What is the user's own on a meeting that somebody else organizes, and what mails nobody: reminder, categories, free or busy.
pub const PRIVATE: [&str; 4] = ["isReminderOn", "reminderMinutesBeforeStart", "categories", "showAs"];

/// An event as the server sent it: a single one, a series, one occurrence.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Event(pub Map<String, Value>);

impl Event {
    /// Takes a row of a list or the answer of a GET. Annotations, which speak of the way it came, are left out, but for the etag and
    /// the word that it was removed; so an event looks the same whichever way it came.
    pub fn from_value(value: Value) -> Option<Event> {
        let Value::Object(mut fields) = value else { return None };
        let is_kept = |name: &str| !name.contains("@odata.") || name == "@odata.etag";
        if fields.keys().any(|name| !is_kept(name)) {
            fields.retain(|name, _| is_kept(name));
        }
        Some(Event(fields))
    }

    /// One field that holds text, as it stands.
    pub fn text(&self, field: &str) -> Option<&str> {
        self.0.get(field)?.as_str()
    }

    /// Whether a field is `true`.
    pub fn is(&self, field: &str) -> bool {
        self.0.get(field) == Some(&Value::Bool(true))
    }

    /// The id.
    pub fn id(&self) -> Option<&str> {
        self.text("id").filter(|id| !id.is_empty())
    }

    /// The id of the series that it is an occurrence of.
    pub fn master_id(&self) -> Option<&str> {
        self.text("seriesMasterId").filter(|id| !id.is_empty())
    }

    /// Whether it is one occurrence of a series: as the rule says (`occurrence`), or changed (`exception`).
    pub fn is_occurrence(&self) -> bool {
        match self.text("type") {
            Some(kind) => kind.eq_ignore_ascii_case("occurrence") || kind.eq_ignore_ascii_case("exception"),
            None => self.master_id().is_some(),
        }
    }

    /// Whether it is a whole series.
    pub fn is_series(&self) -> bool {
        self.0.get("recurrence").is_some_and(Value::is_object)
            || self.text("type").is_some_and(|kind| kind.eq_ignore_ascii_case("seriesMaster"))
    }

    /// Whether it is a meeting that somebody else organizes: the user's copy of it.
    pub fn is_foreign(&self) -> bool {
        self.0.get("isOrganizer") == Some(&Value::Bool(false))
    }

    /// Whether other people take part.
    pub fn has_guests(&self) -> bool {
        self.0.get("attendees").and_then(Value::as_array).is_some_and(|list| !list.is_empty())
    }

    /// Its original start, of an occurrence: an instant that names it.
    pub fn original_start(&self) -> Option<DateTime<Utc>> {
        Some(DateTime::parse_from_rfc3339(self.text("originalStart")?).ok()?.with_timezone(&Utc))
    }

    /// The mark of its state, as `If-Match` takes it.
    pub fn etag(&self) -> Option<String> {
        let etag = self.text("@odata.etag").map(str::to_owned);
        etag.or_else(|| Some(format!("W/\"{}\"", self.text("changeKey")?)))
    }

    /// When it last changed by the server's clock, in milliseconds since 1970.
    pub fn modified_ms(&self) -> Option<i64> {
        Some(DateTime::parse_from_rfc3339(self.text("lastModifiedDateTime")?).ok()?.timestamp_millis())
    }

    /// Whether a delta row says that it is not there (any more, or within the window).
    pub fn is_removed(&self) -> bool {
        self.0.contains_key("@removed")
    }

    /// The value of an extended property.
    pub fn property(&self, id: &str) -> Option<&str> {
        properties::value(&self.0, id)
    }

    /// Sets the value of an extended property.
    pub fn set_property(&mut self, id: &str, value: &str) {
        properties::set_value(&mut self.0, id, value);
    }

    /// Whether a field says nothing: it is absent, or empty. Of a place, either field may tell.
    fn has_nothing(&self, field: &str) -> bool {
        let has_nothing = |field: &str| self.0.get(field).is_none_or(says_nothing);
        match field {
            "location" | "locations" => has_nothing("location") && has_nothing("locations"),
            _ => has_nothing(field),
        }
    }

    /// The body of the POST that makes this event. `transaction` makes a repeat of the same POST harmless.
    pub fn create_body(&self, transaction: &str) -> Value {
        let is_sent = |name: &str| WRITABLE.contains(&name) || name == PROPERTIES;
        let fields = self.0.iter().filter(|(name, value)| is_sent(name) && !value.is_null());
        let mut body: Map<String, Value> = fields.map(|(name, value)| (name.clone(), value.clone())).collect();
        body.insert("transactionId".to_owned(), transaction.into());
        Value::Object(body)
    }

    /// The body of the PATCH that makes this event out of `from`: only the fields that differ. A field that is absent is not
    /// spoken of, and neither is one that says nothing where nothing was said. `None` when nothing differs. An online meeting's body is never part of it: without its join block the meeting is off.
    pub fn patch_body(&self, from: &Event) -> Option<Value> {
        let mut body = Map::new();
        for name in WRITABLE {
            let Some(value) = self.0.get(name) else { continue };
            let was = from.0.get(name);
            let is_join_block = name == "body" && from.is("isOnlineMeeting");
            // Graph refuses a null where there was nothing, and a body that is null in every case.
            let is_idle = says_nothing(value) && (value.is_null() && name == "body" || from.has_nothing(name));
            if was != Some(value) && !is_join_block && !is_idle {
                body.insert(name.to_owned(), value.clone());
            }
        }
        if let Some(now) = self.0.get(PROPERTIES) {
            let changed = properties::changed(from.0.get(PROPERTIES), now);
            if !changed.is_empty() {
                body.insert(PROPERTIES.to_owned(), json!(changed));
            }
        }
        (!body.is_empty()).then_some(Value::Object(body))
    }
}

/// Whether the value of a field is empty. A place or a body is when none of its parts but words of what kind it is tells anything.
fn says_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(parts) => {
            let is_kind = |name: &str| ["contentType", "locationType", "uniqueIdType"].contains(&name);
            parts.iter().all(|(name, part)| is_kind(name) || says_nothing(part))
        }
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// A calendar.
#[derive(Clone, Debug, PartialEq)]
pub struct Calendar {
    /// Its id; does not change.
    pub id: String,
    /// The name that the user reads.
    pub name: Option<String>,
    /// Its colour as `#rrggbb`; empty for `auto`.
    pub hex_color: Option<String>,
    /// Whether the user may write there. Shared-in calendars, holidays and birthdays are mostly read-only.
    pub can_edit: Option<bool>,
    /// Whether this is where new events go.
    pub is_default: Option<bool>,
    /// Whether it can be deleted.
    pub is_removable: Option<bool>,
    /// Whose it is: an address.
    pub owner: Option<String>,
}

impl Calendar {
    /// Takes a row of a list or the answer of a GET; `None` for one without an id. What is of another type than it should be says
    /// nothing.
    pub fn from_value(value: &Value) -> Option<Calendar> {
        let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
        let flag = |name: &str| value.get(name).and_then(Value::as_bool);
        Some(Calendar {
            id: text("id").filter(|id| !id.is_empty())?,
            name: text("name"),
            is_removable: flag("isRemovable"),
            owner: value.get("owner").and_then(|owner| owner.get("address")).and_then(Value::as_str).map(str::to_owned),
            hex_color: text("hexColor"),
            can_edit: flag("canEdit"),
            is_default: flag("isDefaultCalendar"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(value: Value) -> Event {
        Event::from_value(value).unwrap()
    }

    #[test]
    fn a_patch_holds_only_what_differs_and_what_may_be_written() {
        let from =
            event(json!({"id": "1", "subject": "a", "showAs": "busy", "attendees": [], "body": null, "webLink": "x"}));
        let to =
            event(json!({"id": "2", "subject": "b", "showAs": "busy", "attendees": [1], "body": null, "webLink": "y"}));
        assert_eq!(to.patch_body(&from), Some(json!({"subject": "b", "attendees": [1]})));
        assert_eq!(to.patch_body(&to), None);
        assert_eq!(event(json!({})).patch_body(&from), None, "what is absent is not spoken of");
    }

    #[test]
    fn what_is_empty_is_not_sent_where_nothing_was_and_the_last_of_something_is_unset() {
        let nowhere = json!({"displayName": "", "locationType": "default", "uniqueIdType": "unknown", "address": {}, "coordinates": {}});
        let blank = json!({"contentType": "html", "content": "\r\n"});
        let empty = [
            ("subject", json!("")),
            ("categories", json!([])),
            ("attendees", json!([])),
            ("locations", json!([])),
            ("location", json!({"displayName": ""})),
            ("location", nowhere),
            ("body", json!({"contentType": "text", "content": ""})),
            ("body", blank),
            ("recurrence", Value::Null),
        ];
        for (name, nothing) in &empty {
            let to = event(json!({*name: nothing}));
            assert_eq!(to.patch_body(&event(json!({}))), None, "{name}");
            assert_eq!(event(json!({})).patch_body(&to), None, "{name}");
            for (_, other) in empty.iter().filter(|(other, _)| other == name) {
                assert_eq!(to.patch_body(&event(json!({*name: other}))), None, "{name}");
            }
        }
        for (name, something) in [
            ("subject", json!("a")),
            ("categories", json!(["a"])),
            ("location", json!({"displayName": "a"})),
            ("location", json!({"displayName": "", "coordinates": {"latitude": 0.0, "longitude": 0.0}})),
            ("locations", json!([{"displayName": "a"}])),
            ("body", json!({"contentType": "text", "content": "a"})),
        ] {
            let nothing = empty.iter().find(|(of, _)| *of == name).unwrap().1.clone();
            let (to, from) = (event(json!({name: nothing})), event(json!({name: something})));
            assert_eq!(to.patch_body(&from), Some(json!({name: nothing})), "{name}");
            assert_eq!(from.patch_body(&to), Some(json!({name: something})), "{name}");
        }
        // Of several places, the one that says none takes all away.
        let places = event(json!({"locations": [{"displayName": "a"}]}));
        assert!(event(json!({"location": {"displayName": ""}})).patch_body(&places).is_some());
        assert!(event(json!({"isReminderOn": false})).patch_body(&event(json!({}))).is_some());
    }

    #[test]
    fn the_body_of_an_online_meeting_is_never_sent() {
        let from = event(json!({"isOnlineMeeting": true, "body": {"content": "join here"}}));
        let to = event(json!({"isOnlineMeeting": true, "body": {"content": "hello"}, "subject": "s"}));
        assert_eq!(to.patch_body(&from), Some(json!({"subject": "s"})));
    }

    #[test]
    fn a_create_sends_no_stamps_and_no_organizer() {
        let new = event(
            json!({"id": "1", "subject": "s", "organizer": {}, "isReminderOn": false, "changeKey": "k", "body": null}),
        );
        assert_eq!(new.create_body("t"), json!({"subject": "s", "isReminderOn": false, "transactionId": "t"}));
    }

    #[test]
    fn an_event_looks_the_same_whichever_way_it_came() {
        let row = json!({"@odata.type": "#microsoft.graph.event", "@odata.etag": "W/\"1\"", "id": "1",
            "calendar@odata.navigationLink": "…"});
        assert_eq!(event(row), event(json!({"@odata.context": "…", "@odata.etag": "W/\"1\"", "id": "1"})));
        assert!(event(json!({"id": "1", "@removed": {"reason": "deleted"}})).is_removed());
    }
}
