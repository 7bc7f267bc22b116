//! One property line of a card: what it says, as text, and how a new one is written.

use crate::contentline::File;

/// A property, decoded: charset and transfer encoding are undone, escapes are not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Prop {
    pub group: Option<String>,
    /// In capitals.
    pub name: String,
    /// Names in capitals; a bare parameter of vCard 2.1 has an empty name.
    pub params: Vec<(String, String)>,
    pub value: String,
    /// The value is base64 (`ENCODING=b`, `BASE64`).
    pub is_base64: bool,
}

impl Prop {
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// All types in small letters: `TYPE=` values and the bare words of 2.1.
    pub fn types(&self) -> Vec<String> {
        let is_type = |(name, _): &&(String, String)| name == "TYPE" || name.is_empty();
        let words = self.params.iter().filter(is_type).flat_map(|(_, value)| value.split(','));
        words.map(|word| word.trim().to_ascii_lowercase()).filter(|word| !word.is_empty() && !is_encoding(word)).collect()
    }
}

fn is_encoding(word: &str) -> bool {
    matches!(word, "quoted-printable" | "base64" | "b" | "8bit" | "7bit" | "q")
}

/// The property of a line; `None` for a blank line and for what is no content line.
pub(super) fn prop(file: &File, line: usize) -> Option<Prop> {
    parse(&file.unfolded(line))
}

/// Parses an unfolded line.
pub(super) fn parse(text: &[u8]) -> Option<Prop> {
    let colon = find_colon(text)?;
    let (head, value) = (&text[..colon], &text[colon + 1..]);
    let mut parts = split_unquoted(head, b';').into_iter();
    let name = String::from_utf8(parts.next()?.trim_ascii().to_vec()).ok()?;
    let (group, name) = match name.rsplit_once('.') {
        Some((group, name)) => (Some(group.to_owned()), name.to_owned()),
        None => (None, name),
    };
    if !is_token(&name) || group.as_deref().is_some_and(|group| !is_token(group)) {
        return None;
    }
    let mut params = Vec::new();
    for part in parts {
        let (key, values) = match part.iter().position(|byte| *byte == b'=') {
            Some(at) => (String::from_utf8_lossy(&part[..at]).trim().to_ascii_uppercase(), &part[at + 1..]),
            None => (String::new(), part),
        };
        for value in split_unquoted(values, b',') {
            let text = String::from_utf8_lossy(value);
            let text = text.trim();
            let text = text.strip_prefix('"').map_or(text, |inner| inner.strip_suffix('"').unwrap_or(inner));
            params.push((key.clone(), uncaret(text)));
        }
    }
    let encoding = params
        .iter()
        .filter(|(name, _)| name == "ENCODING" || name.is_empty())
        .map(|(_, value)| value.to_ascii_lowercase())
        .find(|value| is_encoding(value))
        .unwrap_or_default();
    let charset = params.iter().find(|(name, _)| name == "CHARSET").map(|(_, value)| value.clone());
    let bytes = if matches!(encoding.as_str(), "quoted-printable" | "q") { unquote(value) } else { value.to_vec() };
    let value = decode(&bytes, charset.as_deref());
    let is_base64 = matches!(encoding.as_str(), "base64" | "b");
    Some(Prop { group, name: name.to_ascii_uppercase(), params, value, is_base64 })
}

pub(super) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

fn find_colon(text: &[u8]) -> Option<usize> {
    let mut quoted = false;
    let found = text.iter().position(|byte| {
        quoted ^= *byte == b'"';
        *byte == b':' && !quoted
    });
    // A quote that is never closed quotes nothing.
    found.or_else(|| text.iter().position(|byte| *byte == b':'))
}

fn split_unquoted(text: &[u8], at: u8) -> Vec<&[u8]> {
    let mut quoted = false;
    let mut parts = Vec::new();
    let mut start = 0;
    for (i, byte) in text.iter().enumerate() {
        quoted ^= *byte == b'"';
        if *byte == at && !quoted {
            parts.push(&text[start..i]);
            start = i + 1;
        }
    }
    parts.push(&text[start..]);
    parts
}

/// RFC 6868.
fn uncaret(text: &str) -> String {
    if !text.contains('^') {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let escaped = match (c, chars.peek()) {
            ('^', Some('n' | 'N')) => Some('\n'),
            ('^', Some('\'')) => Some('"'),
            ('^', Some('^')) => Some('^'),
            _ => None,
        };
        out.push(escaped.unwrap_or(c));
        if escaped.is_some() {
            chars.next();
        }
    }
    out
}

/// Quoted-printable (RFC 2045 6.7); soft breaks are gone already, or stand as `=` before a line end.
fn unquote(text: &[u8]) -> Vec<u8> {
    let hex = |byte: Option<&u8>| byte.and_then(|b| char::from(*b).to_digit(16));
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        match (text[at], hex(text.get(at + 1)), hex(text.get(at + 2))) {
            (b'=', Some(high), Some(low)) => {
                out.push(u8::try_from(high * 16 + low).unwrap_or(b'?'));
                at += 3;
            }
            (b'=', _, _) if matches!(text.get(at + 1), Some(b'\r' | b'\n') | None) => {
                at += 1;
                while matches!(text.get(at), Some(b'\r' | b'\n')) {
                    at += 1;
                }
            }
            (byte, _, _) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    out
}

/// UTF-8 where it is; else Latin-1 as Windows writes it, whatever the label says.
fn decode(bytes: &[u8], charset: Option<&str>) -> String {
    let is_latin = charset.is_some_and(|name| {
        let name = name.to_ascii_lowercase();
        name.contains("8859-1") || name.contains("1252") || name.contains("latin")
    });
    match std::str::from_utf8(bytes) {
        Ok(text) if !is_latin || bytes.is_ascii() => text.to_owned(),
        _ => bytes.iter().map(|byte| windows_1252(*byte)).collect(),
    }
}

fn windows_1252(byte: u8) -> char {
    const HIGH: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}', '‘', '’',
        '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
    ];
    match byte {
        0x80..=0x9f => HIGH[usize::from(byte - 0x80)],
        _ => char::from(byte),
    }
}

/// Undoes the escapes of a text value (RFC 6350 3.4): `\n`, `\,`, `\;`, `\\`, and `\:` that some write.
pub(super) fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('n' | 'N') => out.push('\n'),
            Some(c @ (',' | ';' | ':' | '\\')) => out.push(c),
            Some(c) => {
                out.push('\\');
                out.push(c);
            }
            None => out.push('\\'),
        }
    }
    out.replace("\r\n", "\n").replace('\r', "\n")
}

/// Escapes a text value.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            ',' => out.push_str("\\,"),
            ';' => out.push_str("\\;"),
            '\n' => out.push_str("\\n"),
            c if c.is_control() && c != '\t' => {}
            c => out.push(c),
        }
    }
    out
}

/// Splits a structured value at unescaped separators; the parts are still escaped.
pub(super) fn split(text: &str, at: char) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut escaped) = (0, false);
    for (i, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == at => {
                parts.push(&text[start..i]);
                start = i + c.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

/// One parameter value as it stands in a line (RFC 6868 where it must).
pub(super) fn param_text(value: &str) -> String {
    let text: String = value.replace('^', "^^").replace('\n', "^n").replace('"', "^'");
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    if text.contains([':', ';', ',', ' ']) { format!("\"{text}\"") } else { text }
}

/// A new line from its unfolded text, folded at 75 octets on character borders (RFC 6350 3.2). Line breaks and other control
/// characters cannot stand in a line and are left out.
pub(super) fn folded(text: &str, end: &str) -> String {
    let mut raw = String::with_capacity(text.len() + text.len() / 70 * 3 + 2);
    let mut room = 75;
    for c in text.chars().filter(|c| !c.is_control() || *c == '\t') {
        if c.len_utf8() > room {
            raw.push_str(end);
            raw.push(' ');
            room = 74;
        }
        room -= c.len_utf8();
        raw.push(c);
    }
    raw.push_str(end);
    raw
}
