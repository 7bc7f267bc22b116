//! What is attached to a message that is made, and how it is sent. Pure.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mail_parser::{Message, MessagePart, MimeHeaders, PartType};
use serde_json::{Value, json};
use std::fmt;

/// From this size on a file goes by a session of its own; a smaller one is refused there (large attachments: 3 to 150 MB, counted
/// the way that Graph does).
pub const SESSION_FROM: usize = 3 * 1024 * 1024;
/// No session takes more.
pub const LARGEST_FILE: usize = 150 * 1024 * 1024;
/// The bytes of one range: a multiple of 320 KiB, as is advised, and below 4 MB in both ways of counting.
pub const RANGE: usize = 12 * 320 * 1024;

/// Something attached.
#[derive(Clone, PartialEq)]
pub struct File {
    /// What it is called.
    pub name: String,
    /// What it is.
    pub content_type: String,
    /// Whether the text shows it.
    pub is_inline: bool,
    /// By which name the text shows it.
    pub content_id: Option<String>,
    /// What is in it.
    pub bytes: Vec<u8>,
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "File({} bytes)", self.bytes.len())
    }
}

impl File {
    /// Takes what is attached out of a message, whose parts are without it then: a large file is in memory once. A message that is
    /// attached is a file, too.
    pub fn take_all(message: &mut Message<'_>) -> Vec<File> {
        let mut files = Vec::with_capacity(message.attachments.len());
        for at in std::mem::take(&mut message.attachments) {
            if let Some(part) = message.parts.get_mut(at as usize) {
                files.push(File::take(part));
            }
        }
        files
    }

    fn take(part: &mut MessagePart<'_>) -> File {
        let content_type = match part.content_type() {
            _ if matches!(part.body, PartType::Message(_)) => "message/rfc822".to_owned(),
            Some(kind) => format!("{}/{}", kind.ctype(), kind.subtype().unwrap_or("octet-stream")).to_ascii_lowercase(),
            None => "application/octet-stream".to_owned(),
        };
        let inner = || Some(format!("{}.eml", part.message()?.subject().unwrap_or("message")));
        let name = part.attachment_name().map(str::to_owned).or_else(inner).unwrap_or_else(|| "attachment".to_owned());
        let content_id = part.content_id().map(str::to_owned);
        let is_inline = content_id.is_some() && part.content_disposition().is_none_or(|how| how.is_inline());
        let bytes = match std::mem::take(&mut part.body) {
            PartType::Binary(bytes) | PartType::InlineBinary(bytes) => bytes.into_owned(),
            PartType::Text(text) | PartType::Html(text) => text.into_owned().into_bytes(),
            PartType::Message(message) => message.raw_message().to_vec(),
            PartType::Multipart(_) => Vec::new(),
        };
        File { name, content_type, is_inline, content_id, bytes }
    }

    /// The file as it is sent at once, with a message or for itself.
    pub fn whole(&self) -> Value {
        let mut file = json!({
            "@odata.type": "#microsoft.graph.fileAttachment",
            "name": self.name,
            "contentType": self.content_type,
            "isInline": self.is_inline,
            "contentBytes": STANDARD.encode(&self.bytes),
        });
        if let Some(id) = &self.content_id {
            file["contentId"] = id.as_str().into();
        }
        file
    }

    /// What is said of the file before its ranges come.
    pub fn announced(&self) -> Value {
        let mut item = json!({
            "attachmentType": "file",
            "name": self.name,
            "size": self.bytes.len(),
            "contentType": self.content_type,
            "isInline": self.is_inline,
        });
        if let Some(id) = &self.content_id {
            item["contentId"] = id.as_str().into();
        }
        json!({"AttachmentItem": item})
    }

    /// How many characters it is at most in a request, its bytes as base64.
    pub fn length(&self) -> usize {
        self.bytes.len().div_ceil(3) * 4 + self.name.len() + self.content_type.len() + 256
    }
}
