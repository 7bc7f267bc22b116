//! Properties read from MIME, MIME written from properties. Only the headers and a body of one part are understood; the
//! bytes are kept beside.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

/// Reads what the headers say into the properties of a message.
pub(super) fn read(bytes: &[u8], fields: &mut Map<String, Value>) {
    let text = String::from_utf8_lossy(bytes).replace("\r\n", "\n");
    let (head, content) = text.split_once("\n\n").unwrap_or((&text, ""));
    let head = head.replace("\n ", " ").replace("\n\t", " ");
    let mut headers = Vec::new();
    for (name, value) in head.lines().filter_map(|line| line.split_once(':')) {
        let value = value.trim();
        headers.push(json!({ "name": name, "value": value }));
        let property = match name.to_ascii_lowercase().as_str() {
            "subject" => ("subject", decode_words(value).into()),
            "message-id" => ("internetMessageId", value.into()),
            "from" => ("from", people(value).into_iter().next().unwrap_or_default()),
            "to" => ("toRecipients", people(value).into()),
            "cc" => ("ccRecipients", people(value).into()),
            "bcc" => ("bccRecipients", people(value).into()),
            "reply-to" => ("replyTo", people(value).into()),
            "disposition-notification-to" => ("isReadReceiptRequested", true.into()),
            _ => continue,
        };
        fields.insert(property.0.into(), property.1);
    }
    fields.insert("sender".into(), fields["from"].clone());
    fields.insert("internetMessageHeaders".into(), headers.into());
    fields.insert("body".into(), json!({ "contentType": "text", "content": content }));
}

/// Writes the MIME of a message that was made from JSON.
pub(super) fn write(fields: &Map<String, Value>) -> Vec<u8> {
    let mut head = String::new();
    let mut line = |name: &str, value: &str| head.push_str(&format!("{name}: {value}\r\n"));
    for (name, property) in [("From", "from"), ("To", "toRecipients"), ("Cc", "ccRecipients")] {
        let value = &fields[property];
        let list = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
        let written: Vec<String> = list.iter().filter(|person| !person.is_null()).map(write_person).collect();
        if !written.is_empty() {
            line(name, &written.join(", "));
        }
    }
    line("Subject", &encode_word(fields["subject"].as_str().unwrap_or_default()));
    line("Message-ID", fields["internetMessageId"].as_str().unwrap_or_default());
    let sent = chrono::DateTime::parse_from_rfc3339(fields["sentDateTime"].as_str().unwrap_or_default());
    if let Ok(sent) = sent {
        line("Date", &sent.to_rfc2822());
    }
    let kind = if fields["body"]["contentType"] == "html" { "html" } else { "plain" };
    line("MIME-Version", "1.0");
    line("Content-Type", &format!("text/{kind}; charset=\"utf-8\""));
    line("Content-Transfer-Encoding", "base64");
    let content = STANDARD.encode(fields["body"]["content"].as_str().unwrap_or_default());
    let rows: Vec<&str> = content.as_bytes().chunks(76).filter_map(|row| std::str::from_utf8(row).ok()).collect();
    format!("{head}\r\n{}\r\n", rows.join("\r\n")).into_bytes()
}

fn write_person(person: &Value) -> String {
    let part = |name: &str| person["emailAddress"][name].as_str().unwrap_or_default();
    format!("{} <{}>", encode_word(part("name")), part("address"))
}

fn encode_word(text: &str) -> String {
    if text.is_ascii() { text.to_owned() } else { format!("=?utf-8?B?{}?=", STANDARD.encode(text)) }
}

fn people(text: &str) -> Vec<Value> {
    let mut people = Vec::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (name, address) = part.split_once('<').unwrap_or(("", part));
        let (name, address) = (decode_words(name.trim().trim_matches('"')), address.trim_end_matches('>').trim());
        let shown = if name.is_empty() { address.to_owned() } else { name };
        people.push(json!({ "emailAddress": { "name": shown, "address": address } }));
    }
    people
}

/// Decodes the encoded words of RFC 2047 that are UTF-8 in base64; others stay as they are.
fn decode_words(text: &str) -> String {
    let words = text.split(' ').map(|word| {
        let inner = word.strip_prefix("=?").and_then(|rest| rest.strip_suffix("?=")).unwrap_or_default();
        let parts: Vec<&str> = inner.split('?').collect();
        match parts[..] {
            [charset, "B" | "b", coded] if charset.eq_ignore_ascii_case("utf-8") => {
                let bytes = STANDARD.decode(coded).ok();
                bytes.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_else(|| word.to_owned())
            }
            _ => word.to_owned(),
        }
    });
    words.collect::<Vec<_>>().join(" ")
}
