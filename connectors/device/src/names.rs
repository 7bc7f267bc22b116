//! Names: what a file or folder may be called on every file system, and how a path below the root is written as an id.
//!
//! Names go one way only. A folder is named once, when it is made, and the id that is answered is stored; nothing here is
//! ever asked to find the name again from the display name.
//!
//! An id is the path below the root with `/` between the names. A name that is not UTF-8 stands behind an empty segment with
//! its bytes escaped (`google/contacts/Friends//%FFx.vcf`): no path holds an empty segment, so the two can never be mistaken.

use std::borrow::Cow;
use twofold_model::Uid;

/// No name is longer than this on the file systems in use.
pub const LONGEST_NAME: usize = 255;

/// Room kept for a suffix like ` (12345)`.
const SUFFIX_ROOM: usize = 12;

/// A UID longer than this is hashed, so that suffix and extension always fit.
const LONGEST_PLAIN_UID: usize = 200;

/// A folder name for a collection of that display name, safe on every file system: no reserved characters, no leading dot,
/// no dot or blank at the end, no Windows device name, short enough to take a suffix.
pub fn folder_name(display_name: &str) -> String {
    let replaced: String = display_name.chars().map(|c| if is_reserved(c) { '_' } else { c }).collect();
    let mut name = trimmed(&replaced).to_owned();
    if name.starts_with('.') {
        name.replace_range(..1, "_");
    }
    if name.is_empty() {
        "unnamed".clone_into(&mut name);
    }
    if is_windows_device(&name) {
        name.insert(0, '_');
    }
    let mut end = name.len().min(LONGEST_NAME - SUFFIX_ROOM);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    // The cut may have left a blank or a dot at the end; what starts the name is never one of them.
    trimmed(&name[..end]).to_owned()
}

/// The same name with an ordinal: `Friends`, `Friends (2)`, `Friends (3)`.
pub fn with_ordinal(name: &str, ordinal: usize) -> String {
    if ordinal < 2 { name.to_owned() } else { format!("{name} ({ordinal})") }
}

/// The stem of the file that holds the item of this UID: the UID itself where that is safe everywhere, else its hash.
pub fn file_stem(uid: &Uid) -> String {
    let text = uid.as_str();
    let is_plain = !text.is_empty()
        && text.len() <= LONGEST_PLAIN_UID
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.@+=".contains(&b))
        && !text.starts_with(['.', '-'])
        && !text.ends_with('.')
        && !is_windows_device(text);
    if is_plain { text.to_owned() } else { blake3::hash(text.as_bytes()).to_hex()[..32].to_owned() }
}

/// Whether two names are the same to a file system that ignores case.
pub fn same_ignoring_case(a: &str, b: &str) -> bool {
    a.chars().flat_map(char::to_lowercase).eq(b.chars().flat_map(char::to_lowercase))
}

/// Reserved on some file system, or able to mislead the eye (controls of writing direction).
fn is_reserved(c: char) -> bool {
    c.is_control()
        || matches!(c, '<' | '>' | ':' | '"' | '/' | '\\' | '|' | '?' | '*')
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

fn trimmed(name: &str) -> &str {
    name.trim_start().trim_end_matches(|c: char| c == '.' || c.is_whitespace())
}

/// `CON`, `com1.txt` and their kin, which Windows takes for devices whatever follows the first dot.
fn is_windows_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_ascii_uppercase();
    match stem.as_str() {
        "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$" => true,
        port => ["COM", "LPT"].iter().any(|device| {
            port.strip_prefix(device).is_some_and(|number| {
                let mut digits = number.chars();
                matches!((digits.next(), digits.next()), (Some('0'..='9' | '¹' | '²' | '³'), None))
            })
        }),
    }
}

/// Adds a name to an id.
pub fn push(id: &mut String, name: &[u8]) {
    if !id.is_empty() {
        id.push('/');
    }
    match std::str::from_utf8(name) {
        Ok(text) => id.push_str(text),
        Err(_) => {
            id.push('/');
            for &byte in name {
                if byte.is_ascii_graphic() && byte != b'%' {
                    id.push(char::from(byte));
                } else {
                    id.push_str(&format!("%{byte:02X}"));
                }
            }
        }
    }
}

/// The id of the path made of these names.
pub fn join(names: &[&[u8]]) -> String {
    let mut id = String::new();
    for name in names {
        push(&mut id, name);
    }
    id
}

/// The names of which an id is made, or nothing: an id that climbs (`..`), hides (leading dot), is spelt in a second way or
/// holds an empty name leads nowhere.
pub fn split(id: &str) -> Option<Vec<Cow<'_, [u8]>>> {
    split_where(id, |name| !name.starts_with(b"."))
}

/// [`split`] where other names are allowed: those of a Maildir's folders start with a dot. An id never climbs.
pub fn split_where(id: &str, is_allowed: impl Fn(&[u8]) -> bool) -> Option<Vec<Cow<'_, [u8]>>> {
    let mut names = Vec::new();
    let mut pieces = id.split('/');
    while let Some(piece) = pieces.next() {
        let name =
            if piece.is_empty() { Cow::Owned(unescape(pieces.next()?)?) } else { Cow::Borrowed(piece.as_bytes()) };
        if name.is_empty()
            || name.as_ref() == b"."
            || name.as_ref() == b".."
            || !is_allowed(&name)
            || name.len() > LONGEST_NAME
            || name.iter().any(|b| b"/\0".contains(b))
        {
            return None;
        }
        names.push(name);
    }
    let spelt: Vec<&[u8]> = names.iter().map(AsRef::as_ref).collect();
    (join(&spelt) == id).then_some(names)
}

fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut bytes = text.bytes();
    let mut name = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let (high, low) = (char::from(bytes.next()?).to_digit(16)?, char::from(bytes.next()?).to_digit(16)?);
            name.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            name.push(byte);
        }
    }
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn folder_names_are_safe_on_every_file_system() {
        for (display, expected) in [
            ("My Contacts", "My Contacts"),
            ("Müller & Söhne", "Müller & Söhne"),
            ("a/b\\c:d*e?f\"g<h>i|j", "a_b_c_d_e_f_g_h_i_j"),
            ("ends with dots...", "ends with dots"),
            ("ends with blanks  ", "ends with blanks"),
            (" . ", "unnamed"),
            ("", "unnamed"),
            ("..", "unnamed"),
            (".hidden", "_hidden"),
            ("../../etc/passwd", "_._.._etc_passwd"),
            ("CON", "_CON"),
            ("com1.txt", "_com1.txt"),
            ("LPT¹", "_LPT¹"),
            ("Console", "Console"),
            ("line\nbreak\u{7}", "line_break_"),
            ("\u{202e}gnp.exe", "_gnp.exe"),
        ] {
            assert_eq!(folder_name(display), expected, "{display:?}");
        }
    }

    #[test]
    fn long_folder_names_leave_room_for_a_suffix() {
        for letter in ["x", "ü", "名", "🦀"] {
            let name = folder_name(&letter.repeat(300));
            assert!(with_ordinal(&name, 99_999).len() <= LONGEST_NAME, "{letter}");
            assert!(name.len() > 230, "{letter}");
        }
    }

    #[test]
    fn a_uid_that_is_not_safe_is_hashed() {
        for plain in ["4f2a-11", "a.b@example.com", "ABC_1+2=3"] {
            assert_eq!(file_stem(&plain.into()), plain);
        }
        let long = "x".repeat(201);
        for unsafe_uid in [
            "",
            "..",
            "../x",
            "a/b",
            "urn:uuid:1",
            ".x",
            "x.",
            "-rf",
            "nul",
            "aux.1",
            "grün",
            "a b",
            "a\0b",
            "a~",
            &long,
        ] {
            let stem = file_stem(&unsafe_uid.into());
            assert_eq!(stem.len(), 32, "{unsafe_uid:?}");
            assert!(stem.bytes().all(|b| b.is_ascii_hexdigit()));
        }
        assert_ne!(file_stem(&"a/b".into()), file_stem(&"a/c".into()));
    }

    #[test]
    fn an_id_never_climbs_or_hides() {
        for id in [
            "",
            "/",
            "..",
            "a/..",
            "a/../b",
            "./a",
            "a/.b",
            "a/",
            "/a/b",
            "a//",
            "a//%2E%2E",
            "a//b",
            "a//%2Fx%FF",
            "a//%00%FF",
            "a//%ff",
            "a//%F",
        ] {
            assert_eq!(split(id), None, "{id:?}");
        }
        assert_eq!(split("a//%FFb").unwrap()[1].as_ref(), b"\xffb");
    }

    proptest! {
        #[test]
        fn any_path_is_written_and_read_back(
            names in prop::collection::vec(
                prop::collection::vec(any::<u8>().prop_filter("in no name", |b| !b"/\0".contains(b)), 1..20),
                1..5,
            )
        ) {
            let names: Vec<&[u8]> = names.iter().map(Vec::as_slice).collect();
            let is_allowed = names.iter().all(|n| !n.starts_with(b"."));
            let id = join(&names);
            match split(&id) {
                Some(read) => {
                    prop_assert!(is_allowed);
                    prop_assert_eq!(read.iter().map(AsRef::as_ref).collect::<Vec<&[u8]>>(), names);
                }
                None => prop_assert!(!is_allowed),
            }
        }

        #[test]
        fn any_folder_name_is_safe(display in "\\PC{0,80}|[ .a-c/:]{0,20}") {
            let name = folder_name(&display);
            prop_assert!(!name.is_empty() && name.len() <= LONGEST_NAME);
            prop_assert!(!name.starts_with(['.', ' ']) && !name.ends_with(['.', ' ']));
            prop_assert!(!name.chars().any(is_reserved) && !is_windows_device(&name));
            prop_assert!(split(&name).is_some());
        }
    }
}
