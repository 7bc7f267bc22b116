//! What the header of a message says of it: id, subject, sender, date. Reading only; `mail-parser` decodes, after our limits.
//!
//! The header is cut into fields here, so that what is broken costs one field and not the rest, and a field that nobody asked for costs nothing.

use crate::contentline::charset;
use chrono::{DateTime, FixedOffset, NaiveDate};
use mail_parser::parsers::MessageStream;
use mail_parser::{Addr, HeaderValue};
use serde_json::{Value, json};

/// No more bytes of a message are looked at, in search of its fields.
pub const LARGEST_HEADER: usize = 256 * 1024;

/// No more bytes of one field are decoded.
pub const LARGEST_FIELD: usize = 16 * 1024;

/// No text that comes out is longer, in characters: it is there to be shown in a list.
pub const LONGEST_TEXT: usize = 1_000;

/// No more senders are read.
pub const MOST_SENDERS: usize = 20;

/// A sender.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Address {
    /// The name shown, where there is one.
    pub name: Option<String>,
    /// The address, as written.
    pub email: String,
}

impl Address {
    /// As RFC 8621 4.1.2.3 has it: `{email, name?}`.
    pub fn to_value(&self) -> Value {
        match &self.name {
            Some(name) => json!({"email": self.email, "name": name}),
            None => json!({"email": self.email}),
        }
    }
}

/// What the header says. What it does not say, or not in a way that can be read, is absent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Headers {
    /// The Message-ID, without its angle brackets. Two different messages may have the same.
    pub message_id: Option<String>,
    /// The subject, decoded, unfolded, each run of blanks one blank.
    pub subject: Option<String>,
    /// From; where that names nobody, Sender, and then Return-Path.
    pub from: Vec<Address>,
    /// Date; where that cannot be read, the time at which the first server had it (the last Received).
    pub sent_at: Option<DateTime<FixedOffset>>,
}

/// Reads the header of a message; its body need not be there. Never fails, whatever the bytes are.
pub fn read(message: &[u8]) -> Headers {
    let mut found = Headers::default();
    let (mut sender, mut return_path, mut received) = (Vec::new(), Vec::new(), None);
    for (name, value) in fields(message) {
        // Where a field stands twice, the first that says something counts, as mail programs show it.
        match name.to_ascii_lowercase().as_slice() {
            b"message-id" if found.message_id.is_none() => found.message_id = message_id(value),
            b"subject" if found.subject.is_none() => found.subject = subject(value),
            b"from" if found.from.is_empty() => found.from = addresses(value),
            b"sender" if sender.is_empty() => sender = addresses(value),
            b"return-path" if return_path.is_empty() => return_path = addresses(value),
            b"date" if found.sent_at.is_none() => found.sent_at = date(value),
            b"received" => received = received_at(value).or(received),
            _ => {}
        }
    }
    if found.from.is_empty() {
        found.from = if sender.is_empty() { return_path } else { sender };
    }
    found.sent_at = found.sent_at.or(received);
    found
}

/// The line that ends a message of several parts (RFC 2046 5.1.1), without its line end; `None` for one of one part.
pub fn last_line(message: &[u8]) -> Option<Vec<u8>> {
    let (_, value) = fields(message).into_iter().find(|(name, _)| name.eq_ignore_ascii_case(b"content-type"))?;
    let text = [&value[..value.len().min(LARGEST_FIELD)], b"\n"].concat();
    let parsed = MessageStream::new(&text).parse_content_type();
    let HeaderValue::ContentType(kind) = parsed else { return None };
    let boundary = kind.attribute("boundary").filter(|_| kind.c_type.eq_ignore_ascii_case("multipart"))?;
    Some([b"--", boundary.as_bytes(), b"--"].concat())
}

/// A time as content writes it: RFC 3339 with its offset, `Z` for none.
pub fn date_text(time: &DateTime<FixedOffset>) -> String {
    time.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

// ---- fields ---------------------------------------------------------------------------------------------------------------

/// The fields of the header, in order: name, and value with its folds. Lines that are no field are passed over.
fn fields(message: &[u8]) -> Vec<(&[u8], &[u8])> {
    let message = message.strip_prefix(b"\xef\xbb\xbf").unwrap_or(message);
    let message = &message[..message.len().min(LARGEST_HEADER)];
    let mut fields: Vec<(&[u8], &[u8])> = Vec::new();
    // Where the value of the last field begins, unless the last line was none.
    let mut value_at = None;
    let mut at = 0;
    while at < message.len() {
        let end = message[at..].iter().position(|b| *b == b'\n').map_or(message.len(), |end| at + end + 1);
        let line = &message[at..end];
        if matches!(line, b"\n" | b"\r\n") {
            break;
        }
        if line.starts_with(b" ") || line.starts_with(b"\t") {
            if let (Some(start), Some(last)) = (value_at, fields.last_mut()) {
                last.1 = &message[start..end];
            }
        } else {
            let colon = line.iter().position(|b| *b == b':').filter(|colon| is_name(line[..*colon].trim_ascii_end()));
            value_at = colon.map(|colon| at + colon + 1);
            if let Some(colon) = colon {
                fields.push((line[..colon].trim_ascii_end(), &line[colon + 1..]));
            }
        }
        at = end;
    }
    fields
}

/// RFC 5322 2.2: printable, no blank. The first line of an mbox (`From ada …`) is none.
fn is_name(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(u8::is_ascii_graphic)
}

/// A value as text with a line end behind it, which the decoder needs; what is not UTF-8 is taken for Windows-1252, as most raw
/// 8-bit fields are.
fn text_of(value: &[u8]) -> String {
    let mut end = value.len().min(LARGEST_FIELD);
    // A character that the cut would split goes as a whole: bytes of UTF-8 that go on have the two upper bits 10.
    while end < value.len() && end > 0 && value[end] & 0xc0 == 0x80 {
        end -= 1;
    }
    let mut text = charset::decode(value[..end].trim_ascii().to_owned(), None);
    text.push('\n');
    text
}

// ---- values ---------------------------------------------------------------------------------------------------------------

/// Text to be shown: no control character, each run of blanks one blank, not too long; `None` where nothing is left.
fn shown(text: &str) -> Option<String> {
    let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST_TEXT * 4).collect();
    let words = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    let cut: String = words.chars().take(LONGEST_TEXT).collect();
    let cut = cut.trim_end();
    (!cut.is_empty()).then(|| cut.to_owned())
}

fn subject(value: &[u8]) -> Option<String> {
    let text = text_of(value);
    shown(MessageStream::new(text.as_bytes()).parse_unstructured().as_text()?)
}

/// An id without its brackets; one that has none is taken as it is.
fn message_id(value: &[u8]) -> Option<String> {
    let text = text_of(value);
    let parsed = MessageStream::new(text.as_bytes()).parse_id();
    let first = match &parsed {
        HeaderValue::Text(id) => id.as_ref(),
        HeaderValue::TextList(ids) => ids.first()?.as_ref(),
        _ => text.trim().trim_matches(['<', '>']),
    };
    // An id has no blanks; a broken one must not lose what tells it from another.
    let id: String = first.chars().filter(|c| !c.is_whitespace() && !c.is_control()).take(LONGEST_TEXT).collect();
    (!id.is_empty()).then_some(id)
}

fn addresses(value: &[u8]) -> Vec<Address> {
    let text = text_of(value);
    let parsed = MessageStream::new(text.as_bytes()).parse_address();
    let HeaderValue::Address(list) = &parsed else { return Vec::new() };
    list.iter().filter_map(address).take(MOST_SENDERS).collect()
}

fn address(addr: &Addr<'_>) -> Option<Address> {
    let (name, email) = (addr.name().and_then(shown), addr.address().and_then(shown));
    match (name, email) {
        (name, Some(email)) => Some(Address { name, email }),
        // A name alone, as some machines write it: better than nobody.
        (Some(name), None) => Some(Address { email: String::new(), name: Some(name) }),
        (None, None) => None,
    }
}

fn date(value: &[u8]) -> Option<DateTime<FixedOffset>> {
    let text = text_of(value);
    // A time on no clock is taken for UTC; a day without any time says too little.
    let without_zone = || text.contains(':').then(|| format!("{} +0000\n", text.trim_end()));
    time(&text).or_else(|| time(&without_zone()?))
}

/// The time of a Received field stands behind its last semicolon (RFC 5321 4.4).
fn received_at(value: &[u8]) -> Option<DateTime<FixedOffset>> {
    let at = value.iter().rposition(|b| *b == b';')?;
    date(&value[at + 1..])
}

/// A time that exists on the calendar, in a year that RFC 5322 3.3 knows. Leap seconds are the second before.
fn time(text: &str) -> Option<DateTime<FixedOffset>> {
    let parsed = MessageStream::new(text.as_bytes()).parse_date();
    let HeaderValue::DateTime(read) = parsed else { return None };
    if read.year < 1900 {
        return None;
    }
    let offset_s = i32::from(read.tz_hour) * 3_600 + i32::from(read.tz_minute) * 60;
    let offset = FixedOffset::east_opt(if read.tz_before_gmt { -offset_s } else { offset_s })?;
    let day = NaiveDate::from_ymd_opt(i32::from(read.year), u32::from(read.month), u32::from(read.day))?;
    let local = day.and_hms_opt(u32::from(read.hour), u32::from(read.minute), u32::from(read.second.min(59)))?;
    local.and_local_timezone(offset).single()
}
