//! Ids: `PROVIDER/mail/INBOX` and `PROVIDER/mail/.Sub.Folder` for folders, the folder's id and a base for messages, and the etag of a
//! message.

use super::{Place, folder, keywords::Table};
use crate::names;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use twofold_model::{CollectionId, Error, ErrorKind, Etag, Kind, RemoteId, Result};

/// The name that the Maildir at the root of a tree has in ids.
pub const INBOX: &[u8] = b"INBOX";

/// Behind the etag of a file that was too young to be trusted: it is read again.
const YOUNG: char = '~';
/// Behind the etag of a file with a letter of which nobody knew the word.
const UNKNOWN_LETTER: char = '!';

/// The id of a folder.
pub fn folder_id(provider: &[u8], name: &[u8]) -> CollectionId {
    CollectionId(names::join(&[provider, Kind::Mail.as_str().as_bytes(), name]))
}

/// Provider and folder name of an id.
///
/// # Errors
/// [`ErrorKind::NotFound`] for what is none: no path that climbs, no folder that is not of a Maildir++.
pub fn folder_of(id: &CollectionId) -> Result<(Vec<u8>, Vec<u8>)> {
    let none = || Error::new(ErrorKind::NotFound, format!("{:?} names no mail folder of this device", id.as_str()));
    let path = names::split_where(id.as_str(), |_| true).ok_or_else(none)?;
    let [provider, kind, name] = path.as_slice() else { return Err(none()) };
    if provider.starts_with(b".") || kind.as_ref() != Kind::Mail.as_str().as_bytes() || !is_folder_name(name) {
        return Err(none());
    }
    Ok((provider.to_vec(), name.to_vec()))
}

/// Whether this is the id of a mail folder.
pub fn is_folder(id: &CollectionId) -> bool {
    folder_of(id).is_ok()
}

/// Whether a folder of a tree may have this name. One that is no UTF-8 (Latin-1, as old tools write it) says no name that an account could give it.
pub fn is_folder_name(name: &[u8]) -> bool {
    name == INBOX || std::str::from_utf8(name).is_ok_and(|name| folder::read(name).is_some())
}

/// The id of a message.
pub fn remote_id(folder: &CollectionId, base: &[u8]) -> RemoteId {
    let mut id = folder.as_str().to_owned();
    names::push(&mut id, base);
    RemoteId(id)
}

/// Folder and base of a message's id.
///
/// # Errors
/// [`ErrorKind::NotFound`] for what is none.
pub fn message_of(id: &RemoteId) -> Result<(CollectionId, Vec<u8>)> {
    let none = || Error::new(ErrorKind::NotFound, format!("{:?} names no message of this device", id.as_str()));
    let path = names::split_where(id.as_str(), |_| true).ok_or_else(none)?;
    let [provider, kind, name, base] = path.as_slice() else { return Err(none()) };
    let folder = CollectionId(names::join(&[provider, kind, name]));
    if base.starts_with(b".") || !is_folder(&folder) {
        return Err(none());
    }
    Ok((folder, base.to_vec()))
}

/// Tells states of a message apart: where its file stands and its flags, `cur:FS`. A letter whose word nobody knows yet is noted, for its
/// word may come; so is a file that was written to just now.
pub fn etag(place: Place, flags: &BTreeSet<u8>, table: &Table, is_young: bool) -> Etag {
    let mut text = format!("{}:", place.as_str());
    for flag in flags {
        if flag.is_ascii_alphanumeric() {
            text.push(char::from(*flag));
        } else {
            // Writing to a String never fails.
            let _ = write!(text, "%{flag:02X}");
        }
    }
    if flags.iter().any(|flag| flag.is_ascii_lowercase() && table.word(*flag).is_none()) {
        text.push(UNKNOWN_LETTER);
    }
    if is_young {
        text.push(YOUNG);
    }
    Etag(text)
}

/// Whether the file is to be read again, whatever its name says by now.
pub fn is_young(etag: &Etag) -> bool {
    etag.as_str().ends_with(YOUNG)
}

/// Place and flags of an etag; nothing for what is none of ours.
pub fn state_of(etag: &Etag) -> Option<(Place, BTreeSet<u8>)> {
    let (place, flags) = etag.as_str().trim_end_matches(YOUNG).trim_end_matches(UNKNOWN_LETTER).split_once(':')?;
    let place = [Place::New, Place::Cur].into_iter().find(|one| one.as_str() == place)?;
    let (mut letters, mut rest) = (BTreeSet::new(), flags.as_bytes());
    while let [first, after @ ..] = rest {
        rest = after;
        match first {
            b'%' => {
                let (code, after) = rest.split_at_checked(2)?;
                letters.insert(u8::from_str_radix(std::str::from_utf8(code).ok()?, 16).ok()?);
                rest = after;
            }
            letter if letter.is_ascii_alphanumeric() => drop(letters.insert(*letter)),
            _ => return None,
        }
    }
    Some((place, letters))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ids_lead_back_and_never_climb() {
        let inbox = folder_id(b"google", INBOX);
        assert_eq!(inbox.as_str(), "google/mail/INBOX");
        assert_eq!(folder_of(&inbox).unwrap(), (b"google".to_vec(), INBOX.to_vec()));
        let sub = folder_id(b"google", b".Work.2026");
        let message = remote_id(&sub, b"1.x\xff,S=1");
        assert_eq!(message_of(&message).unwrap(), (sub, b"1.x\xff,S=1".to_vec()));
        for wrong in [
            "",
            "google/mail",
            "google/mail/..",
            "google/mail/.",
            "google/mail/Work",
            "google/mail/.a..b",
            ".x/mail/INBOX",
            "google/contacts/INBOX",
            "google/mail/INBOX/x",
        ] {
            assert!(folder_of(&CollectionId(wrong.into())).is_err(), "{wrong}");
        }
        for wrong in ["google/mail/INBOX", "google/mail/INBOX/..", "google/mail/INBOX/.x", "google/mail/INBOX/a/b"] {
            assert!(message_of(&RemoteId(wrong.into())).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_etag_says_where_a_file_stands_and_its_flags() {
        let table = Table::parse(b"0 work\n");
        let flags: BTreeSet<u8> = b"Sa".iter().copied().collect();
        assert_eq!(etag(Place::Cur, &flags, &table, false).as_str(), "cur:Sa");
        assert_eq!(etag(Place::Cur, &flags, &Table::default(), true).as_str(), "cur:Sa!~");
        assert_eq!(etag(Place::New, &BTreeSet::new(), &table, false).as_str(), "new:");
        for none in ["", "cur", "tmp:", "cur:%", "cur:%0", "cur: ", "cur:%zz"] {
            assert_eq!(state_of(&none.into()), None, "{none}");
        }
    }

    proptest! {
        #[test]
        fn any_flags_are_read_back(flags: BTreeSet<u8>, is_in_new: bool, is_young: bool) {
            let place = if is_in_new { Place::New } else { Place::Cur };
            let etag = etag(place, &flags, &Table::default(), is_young);
            prop_assert_eq!(super::is_young(&etag), is_young);
            prop_assert_eq!(state_of(&etag), Some((place, flags)));
        }
    }
}
