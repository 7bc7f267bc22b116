//! Text of values: escapes (RFC 2426 5, RFC 6350 3.4), lists and parts, and quoted-printable (vCard 2.1, RFC 2045 6.7).

use std::borrow::Cow;

/// Undoes the escapes of a value: `\n`, `\,`, `\;`, `\:`, `\\`. Any other backslash stands for itself (a Windows path of a
/// careless writer). `words` tells whether `\n` is a line end: not inside quoted-printable, which has its own.
pub(crate) fn unescape(text: &str, words: bool) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let plain = match (c, chars.peek()) {
            ('\\', Some('n' | 'N')) if words => '\n',
            ('\\', Some(next @ (',' | ';' | ':' | '\\'))) => *next,
            _ => {
                out.push(c);
                continue;
            }
        };
        out.push(plain);
        chars.next();
    }
    Cow::Owned(out)
}

/// What an escaped value is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Within {
    /// A value of its own, or a part between semicolons.
    Text,
    /// An address as a URI: commas and semicolons belong to it.
    Uri,
    /// Text that is to become quoted-printable: line ends stay.
    Quoted,
    /// An item of a list that is to become quoted-printable.
    QuotedItem,
    /// Text of vCard 2.1, which escapes no comma.
    Old,
    /// An item of a list of vCard 2.1.
    OldItem,
}

/// Escapes a text. Line ends become `\n`; other control characters, which no version can hold, are left out.
pub(crate) fn escape(text: &str, within: Within) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\r' if chars.peek() == Some(&'\n') => {}
            '\r' | '\n' if matches!(within, Within::Quoted | Within::QuotedItem) => out.push('\n'),
            '\r' | '\n' => out.push_str("\\n"),
            '\\' => out.push_str("\\\\"),
            ',' if matches!(within, Within::Text | Within::OldItem | Within::QuotedItem) => out.push_str("\\,"),
            ';' if within != Within::Uri => out.push_str("\\;"),
            '\t' => out.push('\t'),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

/// Cuts a value at a separator that is not escaped; the escapes stay.
pub(crate) fn split(text: &str, separator: char) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut start = 0;
    let mut escaped = false;
    for (i, c) in text.char_indices() {
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if c == separator {
            parts.push(&text[start..i]);
            start = i + c.len_utf8();
        }
    }
    parts.push(&text[start..]);
    parts
}

/// Line ends as LF.
pub(crate) fn lf(text: &str) -> String {
    if text.contains('\r') { text.replace("\r\n", "\n").replace('\r', "\n") } else { text.to_owned() }
}

/// Undoes quoted-printable; what is not a coded octet stands for itself.
pub(crate) fn unquote(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let hex = |at: usize| bytes.get(at).and_then(|b| char::from(*b).to_digit(16)).and_then(|d| u8::try_from(d).ok());
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match (byte, hex(at + 1), hex(at + 2)) {
            (b'=', Some(high), Some(low)) => {
                out.push(high * 16 + low);
                at += 3;
            }
            _ => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    out
}

/// Quoted-printable of a UTF-8 text; line ends become `=0D=0A`. Nothing but printable ASCII is left.
pub(crate) fn quote(text: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(text.len() * 2);
    for byte in text.bytes() {
        match byte {
            b'\n' => out.push_str("=0D=0A"),
            b' '..=b'~' if byte != b'=' => out.push(char::from(byte)),
            // Writing to a String does not fail.
            _ => drop(write!(out, "={byte:02X}")),
        }
    }
    // A blank at the end of a line gets lost on the way.
    match out.strip_suffix(' ') {
        Some(head) => format!("{head}=20"),
        None => out,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_undone_by_reading() {
        let text = "a,b;c\\d\\n\r\ne\u{7}";
        assert_eq!(unescape(&escape(text, Within::Text), true), "a,b;c\\d\\n\ne");
        assert_eq!(unescape(&escape(text, Within::Old), true), "a,b;c\\d\\n\ne");
        assert_eq!(unescape(&escape(text, Within::Quoted), false), "a,b;c\\d\\n\ne");
        assert_eq!(unescape("C:\\Data\\x http\\://a", true), "C:\\Data\\x http://a");
        assert_eq!(split("a\\;b;;c\\\\;d", ';'), ["a\\;b", "", "c\\\\", "d"]);
    }

    #[test]
    fn quoted_printable_goes_both_ways() {
        let text = "=\u{e4} \n ";
        assert_eq!(quote(text), "=3D=C3=A4 =0D=0A=20");
        assert_eq!(lf(&String::from_utf8(unquote(&quote(text))).unwrap()), text);
        assert_eq!(unquote("=4g=4"), b"=4g=4");
    }
}
