//! What Gmail's IMAP server calls its mailboxes, for trees that a tool filled through it (pure).
//!
//! Provider: the user's labels stand at the top, the service's own below `[Gmail]` (in some countries `[Google Mail]`), in the user's language.
//! A message stands in each of its labels and in "All Mail" besides, so that says nothing of where it stands; nor do the stars.

use super::map::is_message_id;
use twofold_model::Uid;

/// The folders above the service's own.
const ROOTS: [&str; 2] = ["[Gmail]", "[Google Mail]"];
/// Those that are mailboxes here, and their names.
const MAILBOXES: [(&str, &str); 5] =
    [("Sent Mail", "Sent"), ("Drafts", "Drafts"), ("Spam", "Spam"), ("Trash", "Trash"), ("Bin", "Trash")];

/// The path of the mailbox that IMAP calls so; `None` where standing there says nothing of where a message stands, or where the name is
/// in a language that is not known here.
pub fn mailbox(path: &[String]) -> Option<Vec<String>> {
    match path {
        [root, rest @ ..] if ROOTS.contains(&root.as_str()) => {
            let [name] = rest else { return None };
            let found = MAILBOXES.iter().find(|(imap, _)| imap == name);
            found.map(|(_, name)| vec![(*name).to_owned()])
        }
        other => Some(other.to_vec()),
    }
}

/// The UID of copies of the message with this id (sixteen hexadecimal digits, as lieer calls its files); nothing for what is none.
pub fn uid(id: &str) -> Option<Uid> {
    let is_id = is_message_id(id) && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    is_id.then(|| Uid(format!("g{id}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_services_own_mailboxes_have_their_names_and_all_mail_says_nothing() {
        let path = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        for (imap, expected) in [
            (&["INBOX"][..], Some(&["INBOX"][..])),
            (&["Work", "2026"], Some(&["Work", "2026"])),
            (&["[Gmail]", "Sent Mail"], Some(&["Sent"])),
            (&["[Google Mail]", "Bin"], Some(&["Trash"])),
            (&["[Gmail]", "All Mail"], None),
            (&["[Gmail]", "Starred"], None),
            (&["[Gmail]", "Gesendet"], None),
            (&["[Gmail]"], None),
        ] {
            assert_eq!(mailbox(&path(imap)), expected.map(path), "{imap:?}");
        }
    }

    #[test]
    fn a_file_of_lieers_names_a_message() {
        assert_eq!(uid("18c0ffee00000001"), Some(Uid::from("g18c0ffee00000001")));
        for none in ["", "1700000000.M1P1.host", "18C0FFEE", "xyz"] {
            assert_eq!(uid(none), None, "{none}");
        }
    }
}
