//! As much of MIME as the services show of a message: headers, the tree of parts, decoded contents, a snippet. It never
//! fails: what is broken is read as far as it goes, as RFC 5322 and 2045 to 2047 are read by services that take all mail.

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Parts nest no deeper than this; what is below is shown as one body.
const MOST_DEPTH: usize = 20;
/// Letters of a snippet.
const SNIPPET: usize = 100;

/// Base64 with or without padding, as clients send it.
const TOLERANT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, TOLERANT);
/// The URL-safe alphabet, which everything in Gmail's JSON is written in.
pub(crate) const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, TOLERANT);

/// A message or one part of it.
#[derive(Debug, Default)]
pub(crate) struct Part {
    /// In their order, unfolded, encoded words decoded.
    pub headers: Vec<(String, String)>,
    /// In lower case, such as `text/plain`.
    pub kind: String,
    pub filename: String,
    /// The contents without their transfer encoding; empty for a multipart.
    pub body: Vec<u8>,
    pub parts: Vec<Part>,
}

impl Part {
    /// Reads a whole message.
    pub fn read(raw: &[u8]) -> Self {
        read(raw, 0)
    }

    /// The first header of this name; case does not matter.
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    /// This part and all below it, in the order in which they are numbered.
    pub fn all(&self) -> Vec<&Part> {
        let below = self.parts.iter().flat_map(Part::all);
        std::iter::once(self).chain(below).collect()
    }

    /// The beginning of the text, on one line.
    pub fn snippet(&self) -> String {
        let all = self.all();
        let of = |kind: &str| all.iter().find(|part| part.kind == kind && part.filename.is_empty());
        let text = match (of("text/plain"), of("text/html")) {
            (Some(plain), _) => plain.text(),
            (None, Some(html)) => without_tags(&html.text()),
            (None, None) => return String::new(),
        };
        let line: Vec<&str> = text.split_whitespace().take(SNIPPET).collect();
        line.join(" ").chars().take(SNIPPET).collect()
    }

    /// The contents as text, by the charset that the part names.
    pub fn text(&self) -> String {
        let kind = self.header("content-type").unwrap_or_default();
        decoded(&self.body, &parameter(kind, "charset").unwrap_or_default())
    }
}

fn read(raw: &[u8], depth: usize) -> Part {
    let (head, body) = split(raw);
    let headers = headers(head);
    let content_type = find(&headers, "content-type").unwrap_or("text/plain").to_owned();
    let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let kind = if kind.contains('/') { kind } else { "text/plain".to_owned() };
    let disposition = find(&headers, "content-disposition").unwrap_or_default();
    let filename = parameter(disposition, "filename").or_else(|| parameter(&content_type, "name")).unwrap_or_default();
    let encoding = find(&headers, "content-transfer-encoding").unwrap_or_default().trim().to_ascii_lowercase();
    let mut part = Part { headers, kind, filename, ..Part::default() };
    if depth < MOST_DEPTH && part.kind.starts_with("multipart/") {
        let boundary = parameter(&content_type, "boundary").unwrap_or_default();
        part.parts = between(body, &boundary).into_iter().map(|piece| read(piece, depth + 1)).collect();
        if !part.parts.is_empty() {
            return part;
        }
    }
    part.body = match encoding.as_str() {
        "base64" => {
            let letters: Vec<u8> = body.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
            STANDARD.decode(letters).unwrap_or_else(|_| body.to_vec())
        }
        "quoted-printable" => unquoted(body),
        _ => body.to_vec(),
    };
    part
}

/// Head and body, parted by the first empty line.
pub(crate) fn split(raw: &[u8]) -> (&[u8], &[u8]) {
    let mut at = 0;
    while at < raw.len() {
        let end = raw[at..].iter().position(|byte| *byte == b'\n').map_or(raw.len(), |n| at + n + 1);
        if matches!(&raw[at..end], b"\n" | b"\r\n") {
            return (&raw[..at], &raw[end..]);
        }
        at = end;
    }
    (raw, &[])
}

/// The headers of a head; a line that is none is passed over.
pub(crate) fn headers(head: &[u8]) -> Vec<(String, String)> {
    let text = decoded(head, "");
    let mut all: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        match (line.starts_with([' ', '\t']), line.split_once(':'), all.last_mut()) {
            (true, _, Some((_, value))) => {
                value.push(' ');
                value.push_str(line.trim());
            }
            (false, Some((name, value)), _) if !name.is_empty() && !name.contains(' ') => {
                all.push((name.to_owned(), value.trim().to_owned()));
            }
            _ => {}
        }
    }
    for (_, value) in &mut all {
        if value.contains("=?") {
            *value = words(value);
        }
    }
    all
}

fn find<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(have, _)| have.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

/// A parameter of a header such as `Content-Type`.
pub(crate) fn parameter(header: &str, name: &str) -> Option<String> {
    let pairs = header.split(';').skip(1).filter_map(|pair| pair.split_once('='));
    let mut found = pairs.filter(|(have, _)| have.trim().eq_ignore_ascii_case(name));
    found.next().map(|(_, value)| value.trim().trim_matches('"').to_owned())
}

/// What stands between the lines of a boundary (RFC 2046 5.1.1); the line break before such a line belongs to it.
pub(crate) fn between<'a>(body: &'a [u8], boundary: &str) -> Vec<&'a [u8]> {
    if boundary.is_empty() {
        return Vec::new();
    }
    let mark = format!("--{boundary}");
    let mut pieces = Vec::new();
    let (mut begin, mut at) = (None, 0);
    while at < body.len() {
        let end = body[at..].iter().position(|byte| *byte == b'\n').map_or(body.len(), |n| at + n + 1);
        let line = body[at..end].trim_ascii_end();
        let rest = line.strip_prefix(mark.as_bytes()).filter(|rest| rest.is_empty() || *rest == b"--");
        if let Some(rest) = rest {
            if let Some(begin) = begin {
                let piece = &body[begin..at.max(begin)];
                let piece = piece.strip_suffix(b"\n").unwrap_or(piece);
                pieces.push(piece.strip_suffix(b"\r").unwrap_or(piece));
            }
            begin = Some(end);
            if rest == b"--" {
                return pieces;
            }
        }
        at = end;
    }
    // A message that was cut off has no last boundary.
    pieces.extend(begin.map(|begin| &body[begin..]));
    pieces
}

/// RFC 2045 6.7.
fn unquoted(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len());
    let mut at = 0;
    while at < body.len() {
        let hex = body.get(at + 1..at + 3).and_then(|pair| std::str::from_utf8(pair).ok());
        match (body[at], hex.and_then(|pair| u8::from_str_radix(pair, 16).ok())) {
            (b'=', _) if body[at + 1..].starts_with(b"\r\n") => at += 3,
            (b'=', _) if body[at + 1..].starts_with(b"\n") => at += 2,
            (b'=', Some(byte)) => {
                out.push(byte);
                at += 3;
            }
            (byte, _) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    out
}

/// Bytes in this charset as text. Without a name, what is not UTF-8 is taken for Latin-1.
fn decoded(bytes: &[u8], charset: &str) -> String {
    let is_latin = charset.to_ascii_lowercase().starts_with("iso-8859-1");
    match std::str::from_utf8(bytes) {
        Ok(text) if !is_latin => text.to_owned(),
        _ => bytes.iter().map(|byte| char::from(*byte)).collect(),
    }
}

/// A header's value with its encoded words (RFC 2047) decoded; the space between two of them goes.
fn words(value: &str) -> String {
    let mut out = String::new();
    let mut rest = value;
    let mut after_word = false;
    while let Some(start) = rest.find("=?") {
        let (before, word) = rest.split_at(start);
        let Some((text, after)) = word_at(word) else {
            out.push_str(before);
            out.push_str("=?");
            rest = &word[2..];
            after_word = false;
            continue;
        };
        if !(after_word && before.trim().is_empty()) {
            out.push_str(before);
        }
        out.push_str(&text);
        rest = after;
        after_word = true;
    }
    out + rest
}

/// The encoded word that the text begins with, and what follows it.
fn word_at(text: &str) -> Option<(String, &str)> {
    let (charset, rest) = text.strip_prefix("=?")?.split_once('?')?;
    let (encoding, rest) = rest.split_once('?')?;
    let (letters, after) = rest.split_once("?=")?;
    let bytes = match encoding {
        "B" | "b" => STANDARD.decode(letters).ok()?,
        "Q" | "q" => unquoted(letters.replace('_', " ").as_bytes()),
        _ => return None,
    };
    Some((decoded(&bytes, charset), after))
}

fn without_tags(html: &str) -> String {
    let mut text = String::new();
    let mut is_tag = false;
    for letter in html.chars() {
        match letter {
            '<' => is_tag = true,
            '>' => {
                is_tag = false;
                text.push(' ');
            }
            _ if !is_tag => text.push(letter),
            _ => {}
        }
    }
    text
}
