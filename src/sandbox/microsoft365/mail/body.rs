//! What a message says. Of a message that came as MIME only the bytes are kept; what Graph shows of it is read from them
//! each time, so that many messages need little room. What was written later stands beside and counts more.

use bytes::Bytes;
use serde_json::{Map, Value, json};
use std::sync::Arc;

use super::mime;
use crate::clock;

/// What a message says.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Body {
    pub received_ms: i64,
    pub sent_ms: i64,
    pub is_read: bool,
    pub is_draft: bool,
    /// Properties that were written, as they are shown.
    pub fields: Map<String, Value>,
    /// Single-value extended properties: canonical id and value.
    pub extended: Vec<(String, String)>,
    /// The bytes that it came as; none = it was made, or its content changed, here.
    pub mime: Option<Bytes>,
    /// Attached files besides those in the bytes.
    pub files: Vec<Arc<File>>,
}

/// Something attached.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct File {
    /// Its place among the files that this message ever had.
    pub number: u64,
    pub modified_ms: i64,
    pub name: String,
    pub content_type: String,
    pub is_inline: bool,
    pub content_id: Option<String>,
    /// A message of its own.
    pub is_item: bool,
    pub bytes: Bytes,
}

impl Body {
    /// A draft about which nothing was said.
    pub fn draft(now_ms: i64) -> Self {
        Self { received_ms: now_ms, sent_ms: now_ms, is_read: true, is_draft: true, ..Self::default() }
    }

    /// Mail that came as these bytes.
    pub fn received(now_ms: i64, bytes: Bytes) -> Self {
        let sent_ms = mime::sent_ms(&bytes).unwrap_or(now_ms);
        Self { received_ms: now_ms, sent_ms, mime: Some(bytes), ..Self::default() }
    }

    /// All properties, those left out that the store knows itself.
    pub fn whole(&self) -> Map<String, Value> {
        let mut whole = empty();
        if let Some(bytes) = &self.mime {
            whole.extend(mime::read(bytes));
        }
        whole.extend(self.fields.clone());
        if self.is_draft {
            whole.shift_remove("internetMessageHeaders");
        }
        let has_files = self.files().iter().any(|file| !file.is_inline);
        whole.insert("hasAttachments".into(), has_files.into());
        whole.insert("bodyPreview".into(), mime::preview(&whole["body"]).into());
        for (name, value) in self.own() {
            whole.insert(name.into(), value);
        }
        whole
    }

    /// What is known without reading any bytes.
    pub fn own(&self) -> [(&'static str, Value); 4] {
        [
            ("receivedDateTime", clock::rfc3339_seconds(self.received_ms).into()),
            ("sentDateTime", clock::rfc3339_seconds(self.sent_ms).into()),
            ("isRead", self.is_read.into()),
            ("isDraft", self.is_draft.into()),
        ]
    }

    /// Its Message-ID, and the ones that it answers.
    pub fn names(&self) -> (Option<String>, Vec<String>) {
        let (mut own, mut answers) = self.mime.as_ref().map(|bytes| mime::names(bytes)).unwrap_or_default();
        if let Some(Value::String(id)) = self.fields.get("internetMessageId") {
            own = Some(id.clone());
        }
        for (id, value) in &self.extended {
            // PidTagInReplyToId and PidTagInternetReferences.
            if ["String 0x1042", "String 0x1039"].contains(&id.as_str()) {
                answers.extend(value.split_whitespace().map(str::to_owned));
            }
        }
        (own, answers)
    }

    /// All that is attached.
    pub fn files(&self) -> Vec<Arc<File>> {
        let mut files: Vec<Arc<File>> = match &self.mime {
            Some(bytes) => mime::files(bytes, self.received_ms).into_iter().map(Arc::new).collect(),
            None => Vec::new(),
        };
        files.extend(self.files.iter().cloned());
        files
    }

    /// Turns the bytes into properties and files, before the content changes.
    pub fn loosen(&mut self) {
        self.files = self.files();
        if let Some(bytes) = self.mime.take() {
            let written = std::mem::replace(&mut self.fields, mime::read(&bytes));
            self.fields.extend(written);
        }
    }

    /// Bytes, as PidTagMessageSize counts them, more or less.
    pub fn size(&self) -> usize {
        let text = self.fields.get("body").and_then(|body| body["content"].as_str()).map_or(0, str::len);
        let files: usize = self.files.iter().map(|file| file.bytes.len() + 158).sum();
        self.mime.as_ref().map_or(0, Bytes::len) + text + files + 2048
    }
}

/// A message that says nothing.
fn empty() -> Map<String, Value> {
    let Value::Object(fields) = json!({
        "categories": [], "internetMessageId": null, "subject": "", "importance": "normal",
        "isDeliveryReceiptRequested": false, "isReadReceiptRequested": false, "inferenceClassification": "focused",
        "body": { "contentType": "text", "content": "" }, "sender": null, "from": null, "toRecipients": [],
        "ccRecipients": [], "bccRecipients": [], "replyTo": [], "flag": { "flagStatus": "notFlagged" },
    }) else {
        unreachable!("the text above is an object")
    };
    fields
}
