//! PHOTO, LOGO, SOUND and KEY: bytes in the card or a URI (RFC 2426 3.1.4, RFC 6350 6.2.4), media types and TYPE words.

use super::doc::{Dialect, Prop};
use crate::card;
use serde_json::Value;

/// What a TYPE word of vCard 2.1 and 3.0 means beside the name of the property; read in this order, written by the first hit.
const WORDS: [(&str, &str, &str); 13] = [
    ("image", "JPEG", "image/jpeg"),
    ("image", "JPG", "image/jpeg"),
    ("image", "PNG", "image/png"),
    ("image", "GIF", "image/gif"),
    ("image", "BMP", "image/bmp"),
    ("image", "TIFF", "image/tiff"),
    ("audio", "WAVE", "audio/wav"),
    ("audio", "WAV", "audio/wav"),
    ("audio", "BASIC", "audio/basic"),
    ("audio", "OGG", "audio/ogg"),
    ("application", "PGP", "application/pgp-keys"),
    ("application", "X509", "application/pkix-cert"),
    ("application", "X-X509", "application/pkix-cert"),
];

/// Family of media types of a property.
pub(super) fn family(property: &str) -> &'static str {
    match property {
        "PHOTO" | "LOGO" => "image",
        "SOUND" => "audio",
        _ => "application",
    }
}

/// The URI and the stated media type; `None` when the value is neither bytes nor a URI.
pub(super) fn read(prop: &Prop) -> Option<(String, Option<String>)> {
    let stated = prop.parameter("MEDIATYPE").filter(|t| !t.trim().is_empty()).map(str::to_owned);
    let by_word = prop.types().find_map(|word| media_type_of(word, family(&prop.name)));
    // Some writers put a whole data: URI into what they call base64.
    let is_data = prop.content.value().trim_start().get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("data:"));
    if prop.is_base64() && !is_data {
        let body: String = prop.content.value().chars().filter(|c| !c.is_whitespace()).collect();
        let (_, bytes) = card::from_data_uri(&format!("data:;base64,{body}"))?;
        let media_type = stated.or(by_word).or_else(|| Some(guess(&bytes)?.to_owned()));
        return Some((card::data_uri(&media_type.unwrap_or_else(|| UNKNOWN.to_owned()), &bytes), None));
    }
    let uri = prop.word()?;
    if let Some((media_type, bytes)) = card::from_data_uri(&uri) {
        let media_type = if media_type.is_empty() { guess(&bytes).unwrap_or(UNKNOWN).to_owned() } else { media_type };
        return Some((card::data_uri(&media_type, &bytes), stated));
    }
    is_uri(&uri).then(|| (uri, stated.or(by_word)))
}

const UNKNOWN: &str = "application/octet-stream";

/// How an entry with a URI is said.
#[derive(Debug, PartialEq)]
pub(super) enum Form {
    /// Base64 and the TYPE word.
    Inline(String, Option<String>),
    /// The URI, parameter name and word that tell its media type.
    Uri(String, Option<(&'static str, String)>),
}

/// The form of an entry in a version.
pub(super) fn form(entry: &Value, property: &str, dialect: Dialect) -> Option<Form> {
    let uri = entry.get("uri")?.as_str()?;
    if !is_uri(uri) || uri.trim() != uri {
        return None;
    }
    let media_type = entry.get("mediaType").and_then(Value::as_str).filter(|t| !t.trim().is_empty());
    if dialect == Dialect::V4 {
        return Some(Form::Uri(uri.to_owned(), media_type.map(|t| ("MEDIATYPE", t.to_owned()))));
    }
    if let Some((own, bytes)) = card::from_data_uri(uri) {
        let whole = card::data_uri("", &bytes);
        let body = whole.strip_prefix("data:;base64,").unwrap_or_default().to_owned();
        let word = word_of(&own, family(property));
        return Some(Form::Inline(body, word));
    }
    let word = media_type.and_then(|t| word_of(t, family(property)));
    Some(Form::Uri(uri.to_owned(), word.map(|word| ("TYPE", word))))
}

fn media_type_of(word: &str, family: &str) -> Option<String> {
    if word.contains('/') {
        return Some(word.to_ascii_lowercase());
    }
    let known = WORDS.iter().find(|(of, known, _)| *of == family && word.eq_ignore_ascii_case(known));
    if let Some((_, _, media_type)) = known {
        return Some((*media_type).to_owned());
    }
    let is_other =
        ["home", "work", "pref", "internet", "uri", "text", "other"].iter().any(|w| word.eq_ignore_ascii_case(w));
    let is_plain = word.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'+' | b'.'));
    (!is_other && is_plain && family != "application").then(|| format!("{family}/{}", word.to_ascii_lowercase()))
}

/// The TYPE word that is read as this media type.
fn word_of(media_type: &str, family: &str) -> Option<String> {
    let short = WORDS.iter().find(|(of, _, known)| *of == family && *known == media_type).map(|(_, word, _)| *word);
    let short = short.map(str::to_owned).or_else(|| {
        let rest = media_type.strip_prefix(family)?.strip_prefix('/')?;
        Some(rest.to_ascii_uppercase())
    });
    let is_word =
        |word: &String| word.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'+' | b'.' | b'/'));
    let reads_back = |word: &String| is_word(word) && media_type_of(word, family).as_deref() == Some(media_type);
    short.filter(reads_back).or_else(|| Some(media_type.to_owned()).filter(reads_back))
}

/// The media type that the first bytes show.
fn guess(bytes: &[u8]) -> Option<&'static str> {
    Some(match bytes {
        [0xFF, 0xD8, 0xFF, ..] => "image/jpeg",
        [0x89, b'P', b'N', b'G', ..] => "image/png",
        [b'G', b'I', b'F', b'8', ..] => "image/gif",
        [b'B', b'M', ..] => "image/bmp",
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => "image/webp",
        _ => return None,
    })
}

/// Whether a text begins with a scheme (RFC 3986 3.1) and goes on.
pub(super) fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let is_scheme = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(is_scheme)
        && !rest.is_empty()
        && !rest.starts_with(char::is_whitespace)
}
