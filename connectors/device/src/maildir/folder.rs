//! Folder names: the path of a mailbox as the name of a folder beside the INBOX, and back.
//!
//! `["Work", "v1.0"]` is `.Work.v1\2e0`: `.` between names, and `\` with two hexadecimal digits for what a name may not hold, as Dovecot's listescape
//! plugin writes it. What is not ASCII stands there as UTF-8 (a Dovecot with `mailbox_list_utf8`) or in modified UTF-7 (RFC 3501 5.1.3, Dovecot's default).
//!
//! The name is made once; where it does not lead back to the path ([`read`]), the path is stored beside it.

use crate::names::{self, LONGEST_NAME};
use std::fmt::Write as _;

/// How names that are not ASCII are written in a tree. One tree has one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writing {
    /// As they are.
    Utf8,
    /// Modified UTF-7.
    Utf7,
}

/// Why a path has no folder name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unnameable {
    /// There is no name in the path, or an empty one.
    Empty,
    /// INBOX is the Maildir itself, in whatever case it is written.
    Inbox,
    /// The name would have more than 255 bytes.
    TooLong,
}

/// The folder of a mailbox; [`read`] leads back from it.
///
/// # Errors
/// Where there is no such name: see [`Unnameable`].
pub fn name(path: &[&str], writing: Writing) -> Result<String, Unnameable> {
    if path.is_empty() || path.iter().any(|part| part.is_empty()) {
        return Err(Unnameable::Empty);
    }
    if path[0].eq_ignore_ascii_case("inbox") {
        return Err(Unnameable::Inbox);
    }
    let mut name = String::new();
    for (depth, part) in path.iter().enumerate() {
        let escaped = escape(part, depth == 0);
        name.push('.');
        match writing {
            Writing::Utf8 => name.push_str(&escaped),
            Writing::Utf7 => to_utf7(&escaped, &mut name),
        }
    }
    if name.len() > LONGEST_NAME { Err(Unnameable::TooLong) } else { Ok(name) }
}

/// The path of a folder; nothing for what is no folder of a Maildir++. What is not written as [`name`] would do it is read as it stands, so
/// a folder keeps its name: it is not made anew from its path.
fn path(name: &str, writing: Writing) -> Option<Vec<String>> {
    let parts = name.strip_prefix('.')?.split('.');
    let read = |part: &str| match writing {
        Writing::Utf8 => unescape(part),
        Writing::Utf7 => unescape(&from_utf7(part).unwrap_or_else(|| part.to_owned())),
    };
    let path: Vec<String> = parts.map(read).collect();
    path.iter().all(|part| !part.is_empty()).then_some(path)
}

/// A folder name for any path, the `ordinal`th of them where others have the first. Where it does not lead back to the path, that is to be
/// stored beside it.
pub fn safe_name(path: &[String], ordinal: usize, writing: Writing) -> String {
    let mut parts: Vec<String> =
        path.iter().map(|part| if part.is_empty() { "_".to_owned() } else { part.clone() }).collect();
    if parts.is_empty() {
        parts.push("_".to_owned());
    }
    if parts[0].eq_ignore_ascii_case("inbox") {
        parts[0].insert(0, '_');
    }
    // There is a last one.
    let last = parts.len() - 1;
    parts[last] = names::with_ordinal(&parts[last], ordinal);
    let plain: Vec<&str> = parts.iter().map(String::as_str).collect();
    if let Ok(name) = name(&plain, writing) {
        return name;
    }
    // Too long: as much of it as fits, and a hash of all of it.
    let whole = parts.join(" ");
    let hash = &blake3::hash(whole.as_bytes()).to_hex()[..8];
    let mut start: String = whole.chars().take(LONGEST_NAME).collect();
    loop {
        match name(&[&format!("{start}-{hash}")], writing) {
            Ok(name) => return name,
            Err(_) => drop(start.pop()),
        }
    }
}

/// How a tree writes names: as the folders that are there do, and as Dovecot does where they do not tell.
pub fn writing_of<'a>(folders: impl IntoIterator<Item = &'a [u8]>) -> Writing {
    let is_utf8 = folders.into_iter().any(|name| !name.is_ascii() && std::str::from_utf8(name).is_ok());
    if is_utf8 { Writing::Utf8 } else { Writing::Utf7 }
}

/// The path of a folder, whoever made it, in whatever tree: as modified UTF-7, and what is none (as nothing is that is not ASCII) as it
/// stands. So a folder is never called otherwise because another one came.
pub fn read(name: &str) -> Option<Vec<String>> {
    path(name, Writing::Utf7)
}

/// One name of a folder that another tool made: what is modified UTF-7 is read as such, all else stands as it is.
pub fn plain(name: &str) -> String {
    from_utf7(name).unwrap_or_else(|| name.to_owned())
}

fn escape(part: &str, is_first: bool) -> String {
    let mut escaped = String::new();
    for (at, c) in part.char_indices() {
        // A `~` at the start would be somebody's home.
        if matches!(c, '.' | '/' | '\\') || c.is_ascii_control() || (c == '~' && at == 0 && is_first) {
            // Writing to a String never fails.
            let _ = write!(escaped, "\\{:02x}", u32::from(c));
        } else {
            escaped.push(c);
        }
    }
    escaped
}

/// Undoes [`escape`]; a `\` without two digits is one.
fn unescape(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        plain.push_str(&rest[..at]);
        let code = rest.get(at + 1..at + 3).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        match code.and_then(|digits| u8::from_str_radix(digits, 16).ok()).filter(u8::is_ascii) {
            Some(code) => {
                plain.push(char::from(code));
                rest = &rest[at + 3..];
            }
            None => {
                plain.push('\\');
                rest = &rest[at + 1..];
            }
        }
    }
    plain + rest
}

// ---- modified UTF-7 -------------------------------------------------------------------------------------------------------

/// Base64 of RFC 3501: `,` in the place of `/`, which no folder name may hold.
const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

fn to_utf7(text: &str, out: &mut String) {
    let mut units: Vec<u16> = Vec::new();
    for c in text.chars() {
        if matches!(c, ' '..='~') {
            shift(&mut units, out);
            out.push(c);
            if c == '&' {
                out.push('-');
            }
        } else {
            units.extend_from_slice(c.encode_utf16(&mut [0; 2]));
        }
    }
    shift(&mut units, out);
}

/// Writes what was gathered as one run of base64.
fn shift(units: &mut Vec<u16>, out: &mut String) {
    if units.is_empty() {
        return;
    }
    out.push('&');
    let (mut bits, mut count) = (0_u32, 0);
    for unit in units.drain(..) {
        bits = bits << 16 | u32::from(unit);
        count += 16;
        while count >= 6 {
            count -= 6;
            out.push(digit(bits >> count));
        }
        bits &= (1 << count) - 1;
    }
    if count > 0 {
        out.push(digit(bits << (6 - count)));
    }
    out.push('-');
}

fn digit(bits: u32) -> char {
    char::from(DIGITS[(bits & 63) as usize])
}

/// Reads modified UTF-7; nothing for what is none, or is not written in its one way.
fn from_utf7(text: &str) -> Option<String> {
    let mut plain = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        plain.push_str(&rest[..at]);
        let (run, after) = rest[at + 1..].split_once('-')?;
        rest = after;
        if run.is_empty() {
            plain.push('&');
            continue;
        }
        let (mut bits, mut count, mut units) = (0_u32, 0, Vec::new());
        for byte in run.bytes() {
            let value = DIGITS.iter().position(|digit| *digit == byte).and_then(|value| u32::try_from(value).ok())?;
            bits = bits << 6 | value;
            count += 6;
            if count >= 16 {
                count -= 16;
                units.push(u16::try_from(bits >> count).ok()?);
                bits &= (1 << count) - 1;
            }
        }
        plain.push_str(&String::from_utf16(&units).ok()?);
    }
    plain.push_str(rest);
    let mut again = String::new();
    to_utf7(&plain, &mut again);
    (again == text).then_some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_those_that_dovecot_writes() {
        for (of, utf8, utf7) in [
            (&["Sent"][..], ".Sent", ".Sent"),
            (&["Work", "2026"], ".Work.2026", ".Work.2026"),
            (&["v1.0/a"], ".v1\\2e0\\2fa", ".v1\\2e0\\2fa"),
            (&[".", ".."], ".\\2e.\\2e\\2e", ".\\2e.\\2e\\2e"),
            (&["~ada", "~b"], ".\\7eada.~b", ".\\7eada.~b"),
            (&["a\\b"], ".a\\5cb", ".a\\5cb"),
            (&["Entwürfe"], ".Entwürfe", ".Entw&APw-rfe"),
            (&["台北", "日本語"], ".台北.日本語", ".&U,BTFw-.&ZeVnLIqe-"),
            (&["R&D"], ".R&D", ".R&-D"),
            (&["😀"], ".😀", ".&2D3eAA-"),
            (&["a\tb"], ".a\\09b", ".a\\09b"),
            (&["Work", "inbox"], ".Work.inbox", ".Work.inbox"),
        ] {
            assert_eq!(name(of, Writing::Utf8).as_deref(), Ok(utf8));
            assert_eq!(name(of, Writing::Utf7).as_deref(), Ok(utf7));
            assert_eq!(
                path(utf8, Writing::Utf8).as_deref(),
                Some(&of.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>()[..])
            );
            assert_eq!(
                path(utf7, Writing::Utf7).as_deref(),
                Some(&of.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>()[..])
            );
        }
    }

    #[test]
    fn what_has_no_name_is_said() {
        assert_eq!(name(&[], Writing::Utf8), Err(Unnameable::Empty));
        assert_eq!(name(&["a", ""], Writing::Utf8), Err(Unnameable::Empty));
        assert_eq!(name(&["InBox"], Writing::Utf8), Err(Unnameable::Inbox));
        assert_eq!(name(&["INBOX", "x"], Writing::Utf8), Err(Unnameable::Inbox));
        assert_eq!(name(&[&"x".repeat(254)], Writing::Utf8).map(|name| name.len()), Ok(255));
        assert_eq!(name(&[&"x".repeat(255)], Writing::Utf8), Err(Unnameable::TooLong));
        assert_eq!(name(&[&"ü".repeat(127)], Writing::Utf8).map(|name| name.len()), Ok(255));
        assert_eq!(name(&[&"ü".repeat(127)], Writing::Utf7), Err(Unnameable::TooLong));
    }

    #[test]
    fn folders_of_others_are_read_as_they_stand() {
        let one = |text: &str| Some(vec![text.to_owned()]);
        // No UTF-7, cut short, an ASCII letter in base64, half of a pair; escapes that are none.
        for odd in ["a & b", "a&APw", "&AEE-", "&2D0-", "&!-", "&APz-", "a\\", "a\\2", "a\\zz", "a\\ff"] {
            assert_eq!(path(&format!(".{odd}"), Writing::Utf7), one(odd));
        }
        assert_eq!(path(".a\\2E", Writing::Utf8), one("a."));
        for none in ["", "Sent", ".", "..", ".a.", ".a..b"] {
            assert_eq!(path(none, Writing::Utf8), None, "{none}");
        }
    }

    #[test]
    fn any_path_gets_a_name_and_an_ordinal_stands_at_its_end() {
        let safe = |parts: &[&str], ordinal| {
            let parts: Vec<String> = parts.iter().map(|part| (*part).to_owned()).collect();
            safe_name(&parts, ordinal, Writing::Utf7)
        };
        assert_eq!(safe(&["Work", "2026"], 1), ".Work.2026");
        assert_eq!(safe(&["Work", "2026"], 2), ".Work.2026 (2)");
        assert_eq!(safe(&["inbox"], 1), "._inbox");
        assert_eq!(safe(&["INBOX", "x"], 1), "._INBOX.x");
        assert_eq!(safe(&["a", ""], 1), ".a._");
        assert_eq!(safe(&[], 1), "._");
        let long = "ü".repeat(300);
        assert_ne!(safe(&[&long], 1), safe(&[&long], 2));
        for name in [safe(&[&long], 1), safe(&[&long, "b"], 12), safe(&["a", &"x".repeat(254)], 1)] {
            assert!(name.len() <= LONGEST_NAME && path(&name, Writing::Utf7).is_some(), "{name}");
        }
    }

    #[test]
    fn a_folder_is_called_the_same_whatever_stands_beside_it() {
        let one = |text: &str| Some(vec![text.to_owned()]);
        assert_eq!(read(".Entw&APw-rfe"), one("Entwürfe"));
        assert_eq!(read(".Entwürfe"), one("Entwürfe"));
        assert_eq!(read(".Entwürfe &- mehr"), one("Entwürfe &- mehr"));
        assert_eq!([read(".R&D"), read(".R&-D")], [one("R&D"), one("R&D")]);
    }

    #[test]
    fn a_tree_says_how_its_names_are_written() {
        let of = |names: &[&str]| writing_of(names.iter().map(|name| name.as_bytes()));
        assert_eq!(of(&["INBOX", ".Sent"]), Writing::Utf7);
        assert_eq!(of(&[".Entw&APw-rfe"]), Writing::Utf7);
        assert_eq!(of(&[".Sent", ".Entwürfe"]), Writing::Utf8);
        assert_eq!(writing_of([&b".\xff"[..]]), Writing::Utf7);
    }

    proptest! {
        #[test]
        fn every_name_leads_back_to_its_path(parts in proptest::collection::vec("([ -~]|\\PC|[\\x00-\\x1f./\\\\&~,-]){1,12}", 1..5)) {
            let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
            for writing in [Writing::Utf8, Writing::Utf7] {
                let Ok(name) = name(&parts, writing) else { continue };
                prop_assert!(name.len() <= 255 && !name.contains(['/', '\0']) && name.starts_with('.') && name != "." && name != "..");
                prop_assert!(writing == Writing::Utf8 || name.is_ascii());
                prop_assert_eq!(path(&name, writing), Some(parts.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>()));
            }
        }

        #[test]
        fn any_folder_name_is_read_without_panic(name in "\\.?([ -~]|\\PC|[&\\\\.,-]){0,30}") {
            for writing in [Writing::Utf8, Writing::Utf7] {
                let _ = path(&name, writing);
            }
        }
    }
}
