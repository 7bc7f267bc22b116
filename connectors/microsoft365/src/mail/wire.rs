//! Graph's JSON for mail folders and messages, as it comes and goes.

pub use crate::properties::{ListPage, MARK, PROPERTIES};

use crate::properties;
use chrono::DateTime;
use serde_json::{Map, Value};

/// PidTagLastVerbExecuted: what was done with a message last.
pub const VERB: &str = "Integer 0x1081";
/// PidTagIconIndex: the picture that Outlook shows beside a message; it tells the same in other numbers.
pub const ICON: &str = "Integer 0x1080";
/// PidTagMessageSize, in bytes as Exchange counts them. Every message has one, so a row without was not asked for such properties.
pub const SIZE: &str = "Integer 0x0E08";
/// PidTagReadReceiptRequested.
pub const ASKS_RECEIPT: &str = "Boolean 0x0029";
/// PidTagMessageFlags; at creation it says whether the message is a draft.
pub const FLAGS: &str = "Integer 0x0E07";
/// PidTagMessageDeliveryTime: when the message was received.
pub const RECEIVED: &str = "SystemTime 0x0E06";
/// PidTagClientSubmitTime: when it was sent.
pub const SENT: &str = "SystemTime 0x0039";
/// PidTagTransportMessageHeaders: the header as it came.
pub const HEADERS: &str = "String 0x007D";
/// PidTagInReplyToId.
pub const IN_REPLY_TO: &str = "String 0x1042";
/// PidTagInternetReferences.
pub const REFERENCES: &str = "String 0x1039";
/// Extended property of a draft that takes the place of another one: which one, and what was written.
pub const INSTEAD: &str = "String {5b1c9a52-7d0e-4c0f-9f5e-2f6d1c3a8e47} Name twofold-instead";

/// Extended property of a message that is larger than one request ([`super::attach::Large`]).
pub const LARGE: &str = "String {5b1c9a52-7d0e-4c0f-9f5e-2f6d1c3a8e47} Name twofold-large";

/// What is asked of a message, beside the extended properties.
pub const MEMBERS: [&str; 14] = [
    "id",
    "changeKey",
    "parentFolderId",
    "receivedDateTime",
    "createdDateTime",
    "lastModifiedDateTime",
    "conversationId",
    "internetMessageId",
    "isRead",
    "isDraft",
    "isReadReceiptRequested",
    "importance",
    "flag",
    "categories",
];

/// What a row must say to be believed: the rest is not said of every message.
const NEEDED: [&str; 8] =
    ["changeKey", "parentFolderId", "receivedDateTime", "isRead", "isDraft", "importance", "flag", "categories"];

/// A message as the server sent it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Message(pub Map<String, Value>);

impl Message {
    /// Takes a row of a list or of a delta, or an answer; `None` for one without an id. What nobody asked for (an answer to a write
    /// has the whole text) is dropped.
    pub fn from_value(value: Value) -> Option<Message> {
        let Value::Object(mut fields) = value else { return None };
        let is_kept = |name: &str| MEMBERS.contains(&name) || [PROPERTIES, "@odata.etag", "@removed"].contains(&name);
        fields.retain(|name, _| is_kept(name));
        let message = Message(fields);
        message.text("id").is_some_and(|id| !id.is_empty()).then_some(message)
    }

    /// What was said of it, as JSON.
    pub fn raw(&self) -> Vec<u8> {
        Value::from(self.0.clone()).to_string().into_bytes()
    }

    /// One field that holds text, as it stands.
    pub fn text(&self, field: &str) -> Option<&str> {
        self.0.get(field)?.as_str()
    }

    /// The immutable id.
    pub fn id(&self) -> &str {
        self.text("id").unwrap_or_default()
    }

    /// Whether a field is `true`.
    pub fn is(&self, field: &str) -> bool {
        self.0.get(field) == Some(&Value::Bool(true))
    }

    /// The folder that it stands in.
    pub fn folder(&self) -> Option<&str> {
        self.text("parentFolderId")
    }

    /// What names its state.
    pub fn change_key(&self) -> Option<&str> {
        let of_etag = || self.text("@odata.etag")?.strip_prefix("W/\"")?.strip_suffix('"');
        self.text("changeKey").or_else(of_etag)
    }

    /// Whether a row of a delta says that it is not there any more.
    pub fn is_removed(&self) -> bool {
        self.0.contains_key("@removed")
    }

    /// Whether a row says all that matters. Provider: an update in a delta may name only what changed (read state), and what is missing
    /// is unchanged, never empty.
    pub fn is_whole(&self) -> bool {
        self.tells_state() && self.property(SIZE).is_some()
    }

    /// Whether the answer to a write says all that may have changed. Provider: it may be as short as the examples of the documentation.
    pub fn tells_state(&self) -> bool {
        NEEDED.iter().all(|field| self.0.contains_key(*field))
    }

    /// Whether what `row` says is what this message says too. Provider: a message that is read right after a delta named it may still be
    /// the old one.
    pub fn agrees_with(&self, row: &Message) -> bool {
        let says = |message: &Message, field: &str| message.0.get(field).filter(|value| !value.is_null()).cloned();
        NEEDED.iter().all(|field| match says(row, field) {
            Some(value) => says(self, field).is_none_or(|now| now == value),
            None => true,
        })
    }

    /// The categories, in their order.
    pub fn categories(&self) -> Vec<String> {
        let list = self.0.get("categories").and_then(Value::as_array).into_iter().flatten();
        list.filter_map(Value::as_str).map(str::to_owned).collect()
    }

    /// `notFlagged`, `flagged` or `complete`.
    pub fn flag_status(&self) -> Option<&str> {
        self.0.get("flag")?.get("flagStatus")?.as_str()
    }

    /// The value of an extended property.
    pub fn property(&self, id: &str) -> Option<&str> {
        properties::value(&self.0, id)
    }

    /// Sets the value of an extended property.
    pub fn set_property(&mut self, id: &str, value: &str) {
        properties::set_value(&mut self.0, id, value);
    }

    /// A time, in milliseconds since 1970.
    pub fn time_ms(&self, field: &str) -> Option<i64> {
        Some(DateTime::parse_from_rfc3339(self.text(field)?).ok()?.timestamp_millis())
    }
}

/// A mail folder.
#[derive(Clone, Debug, PartialEq)]
pub struct Folder {
    /// Its id; does not change.
    pub id: String,
    /// The name that the user reads, in the mailbox's language.
    pub name: String,
    /// The folder above.
    pub parent: String,
    /// Whether Outlook shows it.
    pub is_hidden: bool,
    /// Whether it shows what stands elsewhere.
    pub is_search: bool,
    /// Whether a row of a delta says that it is gone.
    pub is_removed: bool,
}

impl Folder {
    /// Takes a row of a list or of a delta, or an answer; `None` for one without an id. What is of another type than it should be says
    /// nothing.
    pub fn from_value(value: &Value) -> Option<Folder> {
        let text = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        Some(Folder {
            id: Some(text("id")).filter(|id| !id.is_empty())?,
            name: text("displayName"),
            parent: text("parentFolderId"),
            is_hidden: value.get("isHidden") == Some(&Value::Bool(true)),
            is_search: text("@odata.type").ends_with("mailSearchFolder"),
            is_removed: value.get("@removed").is_some(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn message(value: Value) -> Message {
        Message::from_value(value).unwrap()
    }

    fn row() -> Value {
        json!({"id": "1", "changeKey": "k", "parentFolderId": "f", "receivedDateTime": "2026-03-02T08:00:00Z", "isRead": true,
            "isDraft": false, "importance": "normal", "flag": {"flagStatus": "notFlagged"}, "categories": [],
            PROPERTIES: [{"id": "Integer 0xe08", "value": "9"}, {"id": SIZE, "value": "9"}]})
    }

    #[test]
    fn a_row_that_lacks_something_is_not_whole() {
        assert!(message(row()).is_whole());
        for lost in NEEDED.into_iter().chain([PROPERTIES]) {
            let mut row = row();
            row.as_object_mut().unwrap().remove(lost);
            assert!(!message(row).is_whole(), "{lost}");
        }
        assert_eq!(Message::from_value(json!({"isRead": true})), None);
        assert_eq!(Message::from_value(json!({"id": ""})), None);
    }

    #[test]
    fn the_text_of_an_answer_is_not_kept() {
        let answer = message(json!({"id": "1", "body": {"content": "secret"}, "subject": "s", "@odata.context": "…"}));
        assert_eq!(answer.0.keys().collect::<Vec<_>>(), ["id"]);
    }

    #[test]
    fn a_message_agrees_with_a_row_that_says_less_but_not_with_one_that_says_other() {
        let there = message(row());
        assert!(there.agrees_with(&message(json!({"id": "1", "isRead": true}))));
        assert!(!there.agrees_with(&message(json!({"id": "1", "isRead": false}))));
        assert!(!there.agrees_with(&message(json!({"id": "1", "changeKey": "l"}))));
    }

    #[test]
    fn the_state_is_named_by_the_change_key_or_the_etag() {
        assert_eq!(message(json!({"id": "1", "changeKey": "k"})).change_key(), Some("k"));
        assert_eq!(message(json!({"id": "1", "@odata.etag": "W/\"k\""})).change_key(), Some("k"));
        assert_eq!(message(json!({"id": "1"})).change_key(), None);
    }
}
