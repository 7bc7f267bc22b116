//! Character sets by the names that mail gives them. Pure.
//!
//! The reader of messages knows those of the WHATWG's list (<https://encoding.spec.whatwg.org/#names-and-labels>). Mail uses more: numbers of
//! code pages, and names that were drafts. They are made those that are known; what nobody knows is told, so that no text is garbled.

use mail_parser::decoders::base64::base64_decode;
use mail_parser::decoders::charsets::map::charset_decoder;
use mail_parser::decoders::quoted_printable::quoted_printable_decode;
use mail_parser::{Encoding, Message, MessagePart, MimeHeaders, PartType};
use std::borrow::Cow;
use std::ops::Range;

/// Further names, and under which the reader knows them. With `_` for `-`.
const ALIASES: &[(&str, &str)] = &[
    ("cp932", "shift_jis"),
    ("windows_932", "shift_jis"),
    ("ms_932", "shift_jis"),
    ("x_ms_cp932", "shift_jis"),
    ("x_windows_31j", "shift_jis"),
    ("shiftjis", "shift_jis"),
    ("eucjp", "euc-jp"),
    ("eucjp_ms", "euc-jp"),
    ("eucjp_win", "euc-jp"),
    ("cp51932", "euc-jp"),
    ("cp50220", "iso-2022-jp"),
    ("cp50221", "iso-2022-jp"),
    ("iso_2022_jp_ms", "iso-2022-jp"),
    ("cp949", "euc-kr"),
    ("ms949", "euc-kr"),
    ("uhc", "euc-kr"),
    ("x_windows_949", "euc-kr"),
    ("euckr", "euc-kr"),
    ("cp950", "big5"),
    ("ms950", "big5"),
    ("windows_950", "big5"),
    ("x_windows_950", "big5"),
    ("cp54936", "gb18030"),
    ("gb_18030", "gb18030"),
    ("euc_cn", "gbk"),
    ("x_euc_cn", "gbk"),
    ("cp874", "windows-874"),
    ("x_windows_874", "windows-874"),
    ("tis620", "tis-620"),
    ("latin7", "iso-8859-13"),
    ("latin9", "iso-8859-15"),
    ("koi8r", "koi8-r"),
    ("koi8u", "koi8-u"),
    ("cp20866", "koi8-r"),
    ("cp21866", "koi8-u"),
    ("utf7", "utf-7"),
    ("unicode_1_1_utf_7", "utf-7"),
    ("unicode_2_0_utf_7", "utf-7"),
    ("x_unicode_2_0_utf_7", "utf-7"),
];

/// Names that the reader knows and puts in the place of what they name nothing but a sign for what cannot be read.
const UNREADABLE: &[&str] =
    &["iso_2022_kr", "csiso2022kr", "iso_2022_cn", "iso_2022_cn_ext", "hz_gb_2312", "replacement"];

/// What stands for what could not be read.
const REPLACEMENT: char = '\u{FFFD}';

fn plain(label: &str) -> String {
    label.trim().to_ascii_lowercase().replace('-', "_")
}

/// The name under which the reader knows a character set; none where that is the name itself, or nobody knows it.
fn alias(label: &str) -> Option<&'static str> {
    let label = plain(label);
    ALIASES.iter().find(|(name, _)| *name == label).map(|(_, known)| *known)
}

/// Whether the reader can read what is in this character set.
fn is_known(label: &str) -> bool {
    let plain = plain(label);
    let is_utf_8 = ["utf8", "utf_8", "unicode_1_1_utf_8", "unicode11utf8", "unicode20utf8", "x_unicode20utf8"];
    is_utf_8.contains(&plain.as_str())
        || charset_decoder(label.trim().as_bytes()).is_some() && !UNREADABLE.contains(&plain.as_str())
}

/// The bytes of a message with names of character sets that its reader knows, where there are others. The texts themselves stay. Answers too by
/// how much what stands behind each of the old names has moved.
pub fn with_known_names<'b>(bytes: &'b [u8], message: &Message<'_>) -> (Cow<'b, [u8]>, Vec<(usize, isize)>) {
    let mut edits: Vec<(Range<usize>, &'static str)> = Vec::new();
    for header in headers_of(message) {
        let Some(text) = bytes.get(header.clone()) else { continue };
        let found = labels(text).into_iter().filter_map(|label| {
            let name = alias(std::str::from_utf8(&text[label.clone()]).ok()?)?;
            Some((header.start + label.start..header.start + label.end, name))
        });
        edits.extend(found);
    }
    if edits.is_empty() {
        return (Cow::Borrowed(bytes), Vec::new());
    }
    edits.sort_by_key(|(range, _)| range.start);
    let mut known = Vec::with_capacity(bytes.len() + edits.len() * 8);
    let mut moved = Vec::new();
    let mut at = 0;
    for (range, name) in edits.into_iter().filter(|(range, _)| range.start < range.end) {
        if range.start >= at {
            known.extend_from_slice(&bytes[at..range.start]);
            known.extend_from_slice(name.as_bytes());
            moved.push((range.end, name.len().cast_signed() - range.len().cast_signed()));
            at = range.end;
        }
    }
    known.extend_from_slice(&bytes[at..]);
    (Cow::Owned(known), moved)
}

/// Reads the texts of which nobody says what their 8-bit letters are, and that are no UTF-8, as what most programs take them for:
/// Windows-1252, of which Latin-1 is a part.
pub fn read_unlabelled(message: &mut Message<'_>) {
    let texts: Vec<usize> = message.text_body.iter().chain(&message.html_body).map(|at| *at as usize).collect();
    for at in texts {
        let Some(part) = message.parts.get(at) else { continue };
        let is_unlabelled = label_of(part).is_none_or(|label| plain(label) == "us_ascii");
        if !is_unlabelled || !is_damaged(part) {
            continue;
        }
        let read = raw(message, part).filter(|raw| std::str::from_utf8(raw).is_err());
        let Some(text) = read.and_then(|raw| Some(charset_decoder(b"windows-1252")?(&raw))) else { continue };
        match &mut message.parts[at].body {
            PartType::Text(body) | PartType::Html(body) => *body = text.into(),
            _ => {}
        }
    }
}

/// A character set of the texts or of the header that nobody knows, where something in it is to be said.
pub fn unknown_of(bytes: &[u8], message: &Message<'_>) -> Option<String> {
    let texts = message.text_bodies().chain(message.html_bodies());
    let of_texts = texts.filter(|part| is_unknown(part)).find_map(label_of).map(str::to_owned);
    of_texts.or_else(|| {
        let people = [message.from(), message.sender(), message.to(), message.cc(), message.bcc(), message.reply_to()];
        let names = people.into_iter().flatten().flat_map(|people| people.iter()).filter_map(|person| person.name());
        if !message.subject().into_iter().chain(names).any(|text| text.contains(REPLACEMENT)) {
            return None;
        }
        let header = bytes.get(headers_of(message).next()?)?;
        let words = labels(header).into_iter().filter(|label| header[..label.start].ends_with(b"=?"));
        let mut words = words.filter_map(|label| std::str::from_utf8(&header[label]).ok());
        words.find(|label| !is_known(label)).map(str::to_owned)
    })
}

/// Whether a text is in a character set that nobody knows, and something in it could not be read.
fn is_unknown(part: &MessagePart<'_>) -> bool {
    is_damaged(part) && label_of(part).is_some_and(|label| !is_known(label))
}

fn is_damaged(part: &MessagePart<'_>) -> bool {
    matches!(&part.body, PartType::Text(text) | PartType::Html(text) if text.contains(REPLACEMENT))
}

fn label_of<'p>(part: &'p MessagePart<'_>) -> Option<&'p str> {
    part.content_type()?.attribute("charset")
}

/// The bytes of a part as they were before they were encoded for the way.
pub fn raw(message: &Message<'_>, part: &MessagePart<'_>) -> Option<Vec<u8>> {
    let sent = message.raw_message().get(part.offset_body as usize..part.offset_end as usize)?;
    match part.encoding {
        Encoding::None => Some(sent.to_vec()),
        Encoding::QuotedPrintable => quoted_printable_decode(sent),
        Encoding::Base64 => base64_decode(sent),
    }
}

/// Where the headers of a message and of its parts stand, the message's own first.
fn headers_of(message: &Message<'_>) -> impl Iterator<Item = Range<usize>> {
    message.parts.iter().map(|part| part.offset_header as usize..part.offset_body as usize)
}

/// Where a header names character sets: in encoded words (RFC 2047), in the parameter `charset`, and in extended parameters (RFC 2231).
fn labels(header: &[u8]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let until = |from: usize, ends: &[u8]| {
        let length = header[from..]
            .iter()
            .take(64)
            .position(|byte| ends.contains(byte) || *byte == b'=' || byte.is_ascii_whitespace());
        length.filter(|length| *length > 0).map(|length| from..from + length)
    };
    for at in 0..header.len() {
        let rest = &header[at..];
        if rest.starts_with(b"=?") {
            found.extend(until(at + 2, b"?*"));
        } else if rest.starts_with(b"*=") {
            found.extend(until(at + 2, b"'").filter(|label| header.get(label.end) == Some(&b'\'')));
        } else if rest.len() > 8 && rest[..8].eq_ignore_ascii_case(b"charset=") {
            let from = at + 8 + usize::from(rest[8] == b'"');
            found.extend((from < header.len()).then(|| until(from, b"\";")).flatten());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use mail_parser::MessageParser;

    #[test]
    fn what_no_label_says_is_read_as_windows_1252_where_it_is_no_utf_8() {
        let texts = |head: &str, body: &[u8]| {
            let bytes = [format!("Subject: a\r\n{head}\r\n").as_bytes(), body].concat();
            let mut message = MessageParser::default().parse(&bytes).unwrap();
            read_unlabelled(&mut message);
            let text = message.text_bodies().next().and_then(|part| part.text_contents()).unwrap_or_default();
            text.trim_end().to_owned()
        };
        let eight_bit = "Content-Transfer-Encoding: 8bit\r\n";
        assert_eq!(texts(eight_bit, b"Gr\xfc\xdfe \x80"), "Gr\u{fc}\u{df}e \u{20ac}");
        assert_eq!(texts("Content-Type: text/html\r\n", b"<p>Gr\xfc\xdfe"), "<p>Gr\u{fc}\u{df}e");
        assert_eq!(texts("Content-Type: text/plain; charset=US-ASCII\r\n", b"caf\xe9"), "caf\u{e9}");
        let encoded = "Content-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n";
        assert_eq!(texts(encoded, b"caf=E9"), "caf\u{e9}");
        assert_eq!(texts(eight_bit, "Gr\u{fc}\u{df}e".as_bytes()), "Gr\u{fc}\u{df}e", "UTF-8 stays that");
        assert!(
            texts("Content-Type: text/plain; charset=utf-8\r\n", b"caf\xe9").contains(REPLACEMENT),
            "it is said what it is"
        );
    }

    #[test]
    fn labels_are_found_wherever_a_header_names_them() {
        let header = b"Subject: =?cp932?B?g24=?= =?CP949*ko?Q?a?=\r\nContent-Type: text/plain; name*=cp950''x; Charset=\"cp932\"\r\n\
            X: charset=utf-8;\r\nY: =?=?=\r\n";
        let found: Vec<String> =
            labels(header).into_iter().map(|at| String::from_utf8(header[at].to_vec()).unwrap()).collect();
        assert_eq!(found, ["cp932", "CP949", "cp950", "cp932", "utf-8"]);
    }

    #[test]
    fn every_further_name_is_one_that_the_reader_knows_and_did_not() {
        for (label, name) in ALIASES {
            assert!(charset_decoder(label.as_bytes()).is_none() && is_known(name), "{label} {name}");
        }
        for label in UNREADABLE {
            assert!(!is_known(label), "{label}");
        }
        assert!(is_known("UTF-8") && is_known("iso-8859-1") && !is_known("cp437") && !is_known(""));
    }

    #[test]
    fn a_message_that_names_what_is_known_stays_as_it_is() {
        for bytes in [&b"Subject: x\r\nContent-Type: text/plain; charset=utf-8\r\n\r\ncharset=cp932\r\n"[..], b"\r\n"] {
            let message = MessageParser::default().parse(bytes);
            let known = message.as_ref().map(|message| with_known_names(bytes, message));
            assert!(known.is_none_or(|(known, moved)| matches!(known, Cow::Borrowed(_)) && moved.is_empty()));
        }
    }
}
