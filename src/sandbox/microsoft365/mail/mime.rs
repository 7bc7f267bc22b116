//! Between MIME and a message's properties: what Graph reads from bytes, and the bytes that it gives out. These are never
//! quite the ones that came.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::super::html;
use super::body::{Body, File};
use crate::mime::{self, Part};

/// Reads what a message says into properties.
pub(super) fn read(bytes: &[u8]) -> Map<String, Value> {
    let whole = Part::read(bytes);
    let mut fields = Map::new();
    for (name, value) in &whole.headers {
        let property: (&str, Value) = match name.to_ascii_lowercase().as_str() {
            "subject" => ("subject", value.as_str().into()),
            "message-id" => ("internetMessageId", value.as_str().into()),
            "from" => ("from", people(value).into_iter().next().unwrap_or_default()),
            "sender" => ("sender", people(value).into_iter().next().unwrap_or_default()),
            "to" => ("toRecipients", people(value).into()),
            "cc" => ("ccRecipients", people(value).into()),
            "bcc" => ("bccRecipients", people(value).into()),
            "reply-to" => ("replyTo", people(value).into()),
            "disposition-notification-to" => ("isReadReceiptRequested", true.into()),
            "return-receipt-to" => ("isDeliveryReceiptRequested", true.into()),
            "importance" if ["low", "high"].contains(&value.to_ascii_lowercase().as_str()) => {
                ("importance", value.to_ascii_lowercase().into())
            }
            _ => continue,
        };
        fields.entry(property.0).or_insert(property.1);
    }
    if !fields.contains_key("sender") {
        fields.insert("sender".into(), fields.get("from").cloned().unwrap_or_default());
    }
    let headers = whole.headers.iter().map(|(name, value)| json!({ "name": name, "value": value }));
    fields.insert("internetMessageHeaders".into(), headers.collect());
    let texts = texts(&whole);
    let (kind, part) = match texts.iter().rev().find(|part| part.kind == "text/html") {
        Some(part) => ("html", Some(*part)),
        None => ("text", texts.first().copied()),
    };
    let content = part.map(Part::text).unwrap_or_default();
    fields.insert("body".into(), json!({ "contentType": kind, "content": content }));
    if let Some(method) = whole.all().into_iter().find(|part| part.kind == "text/calendar").map(method) {
        let (kind, meeting) = match method.as_str() {
            "reply" => ("eventMessageResponse", "meetingAccepted"),
            "cancel" => ("eventMessage", "meetingCancelled"),
            _ => ("eventMessageRequest", "meetingRequest"),
        };
        fields.insert("@odata.type".into(), format!("#microsoft.graph.{kind}").into());
        fields.insert("meetingMessageType".into(), meeting.into());
    }
    fields
}

fn method(part: &Part) -> String {
    let kind = part.header("content-type").unwrap_or_default();
    mime::parameter(kind, "method").unwrap_or_default().to_ascii_lowercase()
}

/// The parts that are the message's own text.
fn texts(whole: &Part) -> Vec<&Part> {
    let is_text = |part: &&Part| {
        let is_attached = part.header("content-disposition").is_some_and(|value| value.starts_with("attachment"));
        part.parts.is_empty() && part.kind.starts_with("text/") && part.filename.is_empty() && !is_attached
    };
    whole.all().into_iter().filter(is_text).collect()
}

/// What is attached: all parts that are no text of the message.
pub(super) fn files(bytes: &[u8], modified_ms: i64) -> Vec<File> {
    let whole = Part::read(bytes);
    let texts = texts(&whole);
    let is_file = |part: &&Part| part.parts.is_empty() && !texts.iter().any(|text| std::ptr::eq(*text, *part));
    let file = |(at, part): (usize, &Part)| {
        let is_item = part.kind == "message/rfc822";
        let inner = || Part::read(&part.body).header("subject").unwrap_or_default().to_owned();
        let content_id = part.header("content-id").map(|id| id.trim_matches(['<', '>']).to_owned());
        let is_inline = part.header("content-disposition").is_some_and(|value| value.starts_with("inline"));
        File {
            number: at as u64 + 1,
            modified_ms,
            name: match (part.filename.as_str(), is_item) {
                ("", true) => inner(),
                ("", false) => format!("ATT{:05}", at + 1),
                (name, _) => name.to_owned(),
            },
            content_type: part.kind.clone(),
            is_inline: is_inline && content_id.is_some(),
            content_id,
            is_item,
            bytes: part.body.clone().into(),
        }
    };
    whole.all().into_iter().filter(is_file).enumerate().map(file).collect()
}

/// The Message-ID, and the ones that it answers, from the head alone.
pub(super) fn names(bytes: &[u8]) -> (Option<String>, Vec<String>) {
    let headers = mime::headers(mime::split(bytes).0);
    let (mut own, mut answers) = (None, Vec::new());
    for (name, value) in headers {
        match name.to_ascii_lowercase().as_str() {
            "message-id" => own = own.or(Some(value)),
            "in-reply-to" | "references" => answers.extend(value.split_whitespace().map(str::to_owned)),
            _ => {}
        }
    }
    (own.filter(|id| !id.is_empty()), answers)
}

/// The head as it stands in the bytes.
pub(super) fn head(bytes: &[u8]) -> String {
    String::from_utf8_lossy(mime::split(bytes).0).into_owned()
}

/// When it says that it was sent.
pub(super) fn sent_ms(bytes: &[u8]) -> Option<i64> {
    let headers = mime::headers(mime::split(bytes).0);
    let date = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("date"))?;
    chrono::DateTime::parse_from_rfc2822(&date.1).ok().map(|time| time.timestamp_millis())
}

/// The beginning of a body.
pub(super) fn preview(body: &Value) -> String {
    if body["contentType"] == "html" {
        return html::preview(body);
    }
    let content = body["content"].as_str().unwrap_or_default();
    content.chars().take(255).collect::<String>().trim_end().to_owned()
}

/// The same message in other bytes, as the service writes it anew: parts, texts and files stay, boundaries and transfer
/// encodings do not.
pub(super) fn rewrite(raw: &[u8], salt: u64) -> Vec<u8> {
    let part = Part::read(raw);
    let (head, content) = mime::split(raw);
    let content_type = part.header("content-type").unwrap_or("text/plain").to_owned();
    let old = mime::parameter(&content_type, "boundary").unwrap_or_default();
    let pieces = if part.parts.is_empty() { Vec::new() } else { mime::between(content, &old) };
    let new = boundary(salt);
    let mut out = Vec::new();
    let mut is_dropped = false;
    for line in head.split_inclusive(|byte| *byte == b'\n') {
        if !line.starts_with(b" ") && !line.starts_with(b"\t") {
            let name = line.split(|byte| *byte == b':').next().unwrap_or_default().to_ascii_lowercase();
            is_dropped = name == b"content-transfer-encoding" || (name == b"content-type" && !pieces.is_empty());
        }
        if !is_dropped {
            out.extend_from_slice(line.trim_ascii_end());
            out.extend_from_slice(b"\r\n");
        }
    }
    if !pieces.is_empty() {
        out.extend(format!("Content-Type: {};\r\n\tboundary=\"{new}\"\r\n\r\n", part.kind).into_bytes());
        for (at, piece) in pieces.into_iter().enumerate() {
            out.extend(format!("--{new}\r\n").into_bytes());
            out.extend(rewrite(piece, salt.wrapping_mul(31).wrapping_add(at as u64 + 1)));
            out.extend_from_slice(b"\r\n");
        }
        out.extend(format!("--{new}--\r\n").into_bytes());
    } else if part.kind == "message/rfc822" {
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(content);
    } else {
        out.extend_from_slice(b"Content-Transfer-Encoding: base64\r\n\r\n");
        // Every writing folds its lines elsewhere.
        out.extend(folded(&part.body, 60 + 4 * (salt % 5) as usize).into_bytes());
    }
    out
}

fn boundary(salt: u64) -> String {
    format!("_{salt:03}_{:016x}exchange_", salt.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15))
}

fn folded(bytes: &[u8], width: usize) -> String {
    let letters = STANDARD.encode(bytes);
    let rows = letters.as_bytes().chunks(width).filter_map(|row| std::str::from_utf8(row).ok());
    rows.fold(String::new(), |text, row| text + row + "\r\n")
}

/// Writes the MIME of a message that was made from JSON, in the service's own manner.
pub(super) fn write(body: &Body, salt: u64) -> Vec<u8> {
    let fields = body.whole();
    let mut head = String::new();
    let mut line = |name: &str, value: &str| head.push_str(&format!("{name}: {value}\r\n"));
    for (name, property) in [("From", "from"), ("To", "toRecipients"), ("CC", "ccRecipients"), ("BCC", "bccRecipients")]
    {
        let value = &fields[property];
        let list = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
        let written: Vec<String> = list.iter().filter(|person| !person.is_null()).map(write_person).collect();
        if !written.is_empty() {
            line(name, &written.join(", "));
        }
    }
    line("Subject", &encode_word(fields["subject"].as_str().unwrap_or_default()));
    line("Date", &chrono::DateTime::from_timestamp_millis(body.sent_ms).unwrap_or_default().to_rfc2822());
    line("Message-ID", fields["internetMessageId"].as_str().unwrap_or_default());
    for (id, name) in [("String 0x1042", "In-Reply-To"), ("String 0x1039", "References")] {
        if let Some((_, value)) = body.extended.iter().find(|(have, _)| have == id) {
            line(name, value);
        }
    }
    if fields["isReadReceiptRequested"] == true && !fields["from"].is_null() {
        line("Disposition-Notification-To", &write_person(&fields["from"]));
    }
    for header in body.fields.get("internetMessageHeaders").and_then(Value::as_array).into_iter().flatten() {
        let name = header["name"].as_str().unwrap_or_default();
        if name.to_lowercase().starts_with("x-") {
            line(name, header["value"].as_str().unwrap_or_default());
        }
    }
    line("X-MS-Has-Attach", if fields["hasAttachments"] == true { "yes" } else { "" });
    line("MIME-Version", "1.0");
    let kind = if fields["body"]["contentType"] == "html" { "html" } else { "plain" };
    let text = format!(
        "Content-Type: text/{kind}; charset=\"utf-8\"\r\nContent-Transfer-Encoding: base64\r\n\r\n{}",
        folded(fields["body"]["content"].as_str().unwrap_or_default().as_bytes(), 76),
    );
    let files = body.files();
    if files.is_empty() {
        return format!("{head}{text}").into_bytes();
    }
    let mark = boundary(salt);
    let mut out = format!("{head}Content-Type: multipart/mixed;\r\n\tboundary=\"{mark}\"\r\n\r\n--{mark}\r\n{text}");
    for file in files {
        out.push_str(&format!("\r\n--{mark}\r\nContent-Type: {}; name=\"{}\"\r\n", file.content_type, file.name));
        let place = if file.is_inline { "inline" } else { "attachment" };
        out.push_str(&format!("Content-Disposition: {place}; filename=\"{}\"\r\n", file.name));
        if let Some(id) = &file.content_id {
            out.push_str(&format!("Content-ID: <{id}>\r\n"));
        }
        match file.is_item {
            // RFC 2046 5.2.1: a message inside takes no encoding but 7bit, 8bit or binary.
            true => out.push_str(&format!("\r\n{}", String::from_utf8_lossy(&file.bytes))),
            false => {
                out.push_str(&format!("Content-Transfer-Encoding: base64\r\n\r\n{}", folded(&file.bytes, 76)));
            }
        }
    }
    format!("{out}\r\n--{mark}--\r\n").into_bytes()
}

fn write_person(person: &Value) -> String {
    let part = |name: &str| person["emailAddress"][name].as_str().unwrap_or_default();
    format!("{} <{}>", encode_word(part("name")), part("address"))
}

fn encode_word(text: &str) -> String {
    if text.is_ascii() { text.to_owned() } else { format!("=?utf-8?B?{}?=", STANDARD.encode(text)) }
}

/// Addresses separated by commas that stand outside of quotes.
fn people(text: &str) -> Vec<Value> {
    let (mut people, mut one, mut is_quoted) = (Vec::new(), String::new(), false);
    for letter in text.chars().chain([',']) {
        match letter {
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => {
                let part = std::mem::take(&mut one);
                let part = part.trim();
                let (name, address) = part.split_once('<').unwrap_or(("", part));
                let address = address.trim_end_matches('>').trim();
                let name = if name.trim().is_empty() { address } else { name.trim() };
                if !part.is_empty() {
                    people.push(json!({ "emailAddress": { "name": name, "address": address } }));
                }
            }
            letter => one.push(letter),
        }
    }
    people
}

/// Bytes of a body that is base64 with line breaks.
pub(super) fn unpacked(text: &[u8]) -> Option<Bytes> {
    let letters: Vec<u8> = text.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    STANDARD.decode(letters).ok().map(Bytes::from)
}
