//! Gmail's JSON, as far as it is read. Every list may lack its key, and numbers of 64 bits are texts.

use serde::{Deserialize, Deserializer};
use serde_json::Value;
use twofold_http::Spilled;

/// A label or a mailbox of the service's own.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LabelRow {
    /// Its name for life.
    pub id: String,
    /// What the user calls it; levels are parted by `/`.
    pub name: String,
    /// `system` or `user`.
    #[serde(rename = "type")]
    pub kind: String,
}

/// The answer of `labels.list`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct LabelList {
    /// All labels, in no order.
    pub labels: Vec<LabelRow>,
}

/// The answer of `getProfile`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Profile {
    /// The latest change of the mailbox.
    #[serde(deserialize_with = "number")]
    pub history_id: Option<String>,
}

/// A message, of which an answer shows more or less.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Message {
    /// Its name for life, in hexadecimal digits.
    pub id: String,
    /// The conversation that it belongs to (RFC 8621 4.1.1, `threadId`).
    pub thread_id: Option<String>,
    /// Its labels. Absent where it has none, or where the answer does not show them.
    pub label_ids: Option<Vec<String>>,
    /// The date that it is sorted by, in milliseconds since 1970.
    #[serde(deserialize_with = "number")]
    pub internal_date: Option<String>,
    /// About how many bytes it has.
    pub size_estimate: Option<u64>,
    /// Its bytes in base64url.
    pub raw: Option<String>,
    /// The same of a large message, on the disk; `raw` is empty then.
    #[serde(skip)]
    pub spilled_raw: Option<Spilled>,
    /// Its header, as far as it was asked for.
    pub payload: Payload,
}

/// The outermost part of a message.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Payload {
    /// The fields of the header.
    pub headers: Vec<HeaderField>,
}

/// One field of a header.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct HeaderField {
    /// As the sender wrote it.
    pub name: String,
    /// Unfolded.
    pub value: String,
}

/// The answer of `messages.list`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MessageList {
    /// Ids, newest message first.
    pub messages: Vec<Message>,
    /// Where the next page begins.
    #[serde(deserialize_with = "token")]
    pub next_page_token: Option<String>,
}

/// The answer of `history.list`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct History {
    /// What happened, oldest first.
    pub history: Vec<Record>,
    /// Where the next page begins.
    #[serde(deserialize_with = "token")]
    pub next_page_token: Option<String>,
    /// The latest change of the mailbox.
    #[serde(deserialize_with = "number")]
    pub history_id: Option<String>,
}

/// One change. It may have several of these; `messages` repeats what stands in them and is not read.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Record {
    /// Messages that came.
    pub messages_added: Vec<Change>,
    /// Messages that are no more.
    pub messages_deleted: Vec<Change>,
    /// Labels that messages got.
    pub labels_added: Vec<Change>,
    /// Labels that messages lost.
    pub labels_removed: Vec<Change>,
}

/// What a record says of one message.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Change {
    /// Which, with its labels.
    pub message: Message,
    /// The labels that it got or lost.
    pub label_ids: Vec<String>,
}

/// A draft and its message, which is another one after each edit.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Draft {
    /// Its name for life.
    pub id: String,
    /// What it says now.
    pub message: Message,
}

/// The answer of `drafts.list`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DraftList {
    /// The drafts.
    pub drafts: Vec<Draft>,
    /// Where the next page begins.
    #[serde(deserialize_with = "token")]
    pub next_page_token: Option<String>,
}

/// A number that is written as a text, or as a number.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::String(text) if !text.is_empty() => Some(text),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    })
}

/// A page token; an empty one is none.
fn token<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.filter(|token| !token.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn lists_may_lack_their_key_and_numbers_may_be_texts() {
        let history: History = serde_json::from_value(json!({"historyId": 12, "nextPageToken": ""})).unwrap();
        assert_eq!((history.history.len(), history.history_id.as_deref()), (0, Some("12")));
        assert_eq!(history.next_page_token, None);
        let list: MessageList = serde_json::from_value(json!({"resultSizeEstimate": 0})).unwrap();
        assert!(list.messages.is_empty());
        let message: Message = serde_json::from_value(json!({"id": "1", "internalDate": "7", "payload": {}})).unwrap();
        assert_eq!((message.internal_date.as_deref(), message.label_ids), (Some("7"), None));
    }
}
