//! What a message's labels mean: where it stands, and its keywords (pure).
//!
//! | label | means |
//! |---|---|
//! | `INBOX`, `SENT`, `DRAFT`, the user's own | the message stands there |
//! | `TRASH`, else `SPAM` | it stands there and nowhere else, whatever other labels it has: Gmail shows it nowhere else |
//! | none of these | it is archived: it stands in [`ARCHIVE`], which is no label |
//! | `UNREAD` | no `$seen` |
//! | `STARRED`, `IMPORTANT`, `DRAFT` | `$flagged`, `$important`, `$draft` |
//! | `CHAT` | it is no mail, and not seen at all |
//! | `CATEGORY_…` and all others | nothing |
//!
//! A copy is named `MESSAGE/LABEL`.

use std::collections::{BTreeMap, BTreeSet};
use twofold_model::email::{EmailLens, Role, Sheet, keywords, path};
use twofold_model::{
    Access, Collection, CollectionId, Error, ErrorKind, Etag, Kind, RemoteId, Rendering, Result, Seen, Uid,
};

use super::wire::LabelRow;

/// Where messages arrive.
pub const INBOX: &str = "INBOX";
/// What the user sent.
pub const SENT: &str = "SENT";
/// What the user is writing.
pub const DRAFT: &str = "DRAFT";
/// Junk.
pub const SPAM: &str = "SPAM";
/// What is to be deleted.
pub const TRASH: &str = "TRASH";
/// Messages that stand nowhere else; no label has this id.
pub const ARCHIVE: &str = "ARCHIVE";
/// Nobody read it.
pub const UNREAD: &str = "UNREAD";
/// It wants attention.
pub const STARRED: &str = "STARRED";
/// It is likely to matter.
pub const IMPORTANT: &str = "IMPORTANT";
/// A talk, not a mail.
pub const CHAT: &str = "CHAT";

/// The mailboxes that every account has: label, name, role.
const MAILBOXES: [(&str, &str, Role); 6] = [
    (INBOX, "INBOX", Role::Inbox),
    (SENT, "Sent", Role::Sent),
    (DRAFT, "Drafts", Role::Drafts),
    (SPAM, "Spam", Role::Junk),
    (TRASH, "Trash", Role::Trash),
    (ARCHIVE, "Archive", Role::Archive),
];

/// How sheets of messages at Gmail are read and edited.
pub static LENS: EmailLens = EmailLens::new(holds);

/// The keywords that Gmail has a label for.
fn holds(word: &str) -> bool {
    matches!(word, keywords::SEEN | keywords::FLAGGED | keywords::IMPORTANT | keywords::DRAFT)
}

/// The labels of an account that messages can stand in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labels {
    /// The user's own: id to name.
    own: BTreeMap<String, String>,
}

impl Labels {
    /// Those of a list.
    pub fn of(rows: Vec<LabelRow>) -> Labels {
        let own = rows.into_iter().filter(|row| row.kind == "user" && !row.id.is_empty());
        Labels { own: own.map(|row| (row.id, row.name)).collect() }
    }

    /// The ids of the user's own, in order.
    pub fn own(&self) -> impl Iterator<Item = &str> {
        self.own.keys().map(String::as_str)
    }

    /// Whether it is one of the user's own.
    pub fn is_own(&self, id: &str) -> bool {
        self.own.contains_key(id)
    }

    /// The label of the user's own with that name, whatever the case of its letters: no two differ by that alone.
    pub fn named(&self, name: &str) -> Option<&str> {
        let lower = name.to_lowercase();
        self.own.iter().find(|(_, have)| have.to_lowercase() == lower).map(|(id, _)| id.as_str())
    }

    /// Every label that can be a place.
    pub fn places(&self) -> impl Iterator<Item = &str> {
        MAILBOXES.iter().map(|(id, _, _)| *id).chain(self.own())
    }

    /// Whether it can be a place.
    pub fn is_place(&self, id: &str) -> bool {
        MAILBOXES.iter().any(|(have, _, _)| *have == id) || self.is_own(id)
    }

    /// Where a message with these labels stands.
    pub fn stands<'a>(&self, labels: &'a BTreeSet<String>) -> Vec<&'a str> {
        let has = |label: &str| labels.contains(label);
        if has(CHAT) {
            return Vec::new();
        }
        if let Some(alone) = [TRASH, SPAM].into_iter().find(|label| has(label)) {
            return vec![alone];
        }
        let places: Vec<&str> = labels.iter().map(String::as_str).filter(|label| self.is_place(label)).collect();
        if places.is_empty() { vec![ARCHIVE] } else { places }
    }

    /// The mailboxes of the account.
    pub fn collections(&self) -> Vec<Collection> {
        let system = MAILBOXES.iter().map(|(id, name, role)| collection(id, (*name).to_owned(), Some(*role)));
        let own = self.own.iter().map(|(id, name)| collection(id, path::join(name.split('/')), None));
        system.chain(own).collect()
    }
}

fn collection(id: &str, name: String, role: Option<Role>) -> Collection {
    Collection {
        id: id.into(),
        kind: Kind::Mail,
        name,
        color: None,
        is_default: role == Some(Role::Inbox),
        role,
        access: Access::ReadWrite,
    }
}

/// The keywords of a message with these labels.
pub fn keywords_of(labels: &BTreeSet<String>) -> BTreeSet<String> {
    let has = |label: &str| labels.contains(label);
    let table = [
        (!has(UNREAD), keywords::SEEN),
        (has(STARRED), keywords::FLAGGED),
        (has(IMPORTANT), keywords::IMPORTANT),
        (has(DRAFT), keywords::DRAFT),
    ];
    table.into_iter().filter(|(is, _)| *is).map(|(_, word)| word.to_owned()).collect()
}

/// The labels that a message with these keywords has for them. `DRAFT` is not among them: only drafts have it.
pub fn flags_of(sheet: &Sheet) -> BTreeSet<String> {
    let table = [
        (!sheet.has(keywords::SEEN), UNREAD),
        (sheet.has(keywords::FLAGGED), STARRED),
        (sheet.has(keywords::IMPORTANT), IMPORTANT),
    ];
    table.into_iter().filter(|(is, _)| *is).map(|(_, label)| label.to_owned()).collect()
}

/// The mark of a state: its keywords, since nothing else of a copy can change under its name.
pub fn etag_of(keywords: &BTreeSet<String>) -> Etag {
    let words: Vec<&str> = keywords.iter().map(String::as_str).collect();
    Etag(format!("k {}", words.join(" ")).trim_end().to_owned())
}

/// The keywords that an etag names.
pub fn keywords_in(etag: &Etag) -> Option<BTreeSet<String>> {
    let words = etag.as_str().strip_prefix('k')?;
    Some(words.split_whitespace().map(str::to_owned).collect())
}

/// The name of a copy.
pub fn remote_id(message: &str, label: &str) -> RemoteId {
    RemoteId(format!("{message}/{label}"))
}

/// Message and label of a copy's name.
///
/// # Errors
/// [`ErrorKind::Malformed`] for a name that is none of ours.
pub fn parts_of(id: &RemoteId) -> Result<(&str, &str)> {
    let parts = id.as_str().split_once('/').filter(|(message, label)| is_message_id(message) && !label.is_empty());
    parts.ok_or_else(|| Error::new(ErrorKind::Malformed, "this is not the name of a copy at Gmail"))
}

/// Whether it can be the id of a message, and so can stand in a path.
pub fn is_message_id(text: &str) -> bool {
    !text.is_empty() && text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// A copy with what `sheet` knows of the message; keywords and the state of a draft are set here.
///
/// # Errors
/// None for sheets as they are.
pub fn seen(message: &str, label: &str, keywords: BTreeSet<String>, mut sheet: Sheet) -> Result<Seen> {
    // An edited draft is another message, which may take the name of the copy over.
    sheet.draft = (label == DRAFT).then(|| message.to_owned());
    sheet.keywords = keywords;
    Ok(Seen {
        remote_id: remote_id(message, label),
        collection: CollectionId(label.to_owned()),
        etag: etag_of(&sheet.keywords),
        rendering: sheet.write()?,
        uid: Some(Uid(format!("g{message}"))),
        mark: None,
        modified_ms: None,
    })
}

/// The sheet of a rendering.
///
/// # Errors
/// [`ErrorKind::Malformed`].
pub fn sheet_of(rendering: &Rendering) -> Result<Sheet> {
    Sheet::read(rendering)
}

/// Labels as a set.
pub fn set<'a>(labels: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
    labels.into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use twofold_model::Lens;

    fn labels() -> Labels {
        let rows = json!([
            {"id": "INBOX", "name": "INBOX", "type": "system"}, {"id": "CATEGORY_SOCIAL", "name": "x", "type": "system"},
            {"id": "Label_1", "name": "Work/2026", "type": "user"}, {"id": "Label_2", "name": "a\\b", "type": "user"},
        ]);
        Labels::of(serde_json::from_value(rows).unwrap())
    }

    #[test]
    fn a_message_stands_where_gmail_shows_it() {
        let labels = labels();
        let table: [(&[&str], &[&str]); 9] = [
            (&["INBOX", "UNREAD", "CATEGORY_SOCIAL"], &["INBOX"]),
            (&["INBOX", "Label_1", "STARRED"], &["INBOX", "Label_1"]),
            (&["CATEGORY_SOCIAL", "IMPORTANT"], &["ARCHIVE"]),
            (&[], &["ARCHIVE"]),
            (&["Label_9"], &["ARCHIVE"]),
            (&["INBOX", "TRASH", "Label_1"], &["TRASH"]),
            (&["SPAM", "Label_1"], &["SPAM"]),
            (&["DRAFT"], &["DRAFT"]),
            (&["CHAT", "INBOX"], &[]),
        ];
        for (has, stands) in table {
            assert_eq!(labels.stands(&set(has.iter().copied())), stands, "{has:?}");
        }
    }

    #[test]
    fn labels_are_keywords_and_back() {
        let words = keywords_of(&set(["STARRED", "IMPORTANT", "INBOX"]));
        assert_eq!(words, set(["$flagged", "$important", "$seen"]));
        assert_eq!(keywords_of(&set(["UNREAD", "DRAFT"])), set(["$draft"]));
        let sheet = Sheet { keywords: words.clone(), ..Sheet::default() };
        assert_eq!(flags_of(&sheet), set(["STARRED", "IMPORTANT"]));
        assert_eq!(flags_of(&Sheet::default()), set(["UNREAD"]));
        assert_eq!(keywords_in(&etag_of(&words)), Some(words));
        assert_eq!(keywords_in(&etag_of(&BTreeSet::new())), Some(BTreeSet::new()));
    }

    #[test]
    fn every_mailbox_has_its_role_and_names_are_paths() {
        let all = labels().collections();
        let shown: Vec<_> = all.iter().map(|one| (one.id.as_str(), one.name.as_str(), one.role)).collect();
        assert_eq!(
            shown,
            [
                ("INBOX", "INBOX", Some(Role::Inbox)),
                ("SENT", "Sent", Some(Role::Sent)),
                ("DRAFT", "Drafts", Some(Role::Drafts)),
                ("SPAM", "Spam", Some(Role::Junk)),
                ("TRASH", "Trash", Some(Role::Trash)),
                ("ARCHIVE", "Archive", Some(Role::Archive)),
                ("Label_1", "Work/2026", None),
                ("Label_2", "a\\\\b", None),
            ]
        );
        assert!(all.iter().all(|one| one.is_default == (one.id.as_str() == "INBOX")));
        assert_eq!(labels().named("work/2026"), Some("Label_1"));
    }

    #[test]
    fn a_copy_says_what_it_is_and_lacks_its_bytes() {
        let copy = seen("18c", "DRAFT", keywords_of(&set(["DRAFT"])), Sheet::default()).unwrap();
        assert_eq!((copy.remote_id.as_str(), copy.uid.as_ref().unwrap().as_str()), ("18c/DRAFT", "g18c"));
        assert!(LENS.facts(&copy.rendering).lacks_body);
        assert_eq!(parts_of(&copy.remote_id).unwrap(), ("18c", "DRAFT"));
        for wrong in ["18c", "/INBOX", "18c/", "a b/INBOX", "../x/INBOX"] {
            assert_eq!(parts_of(&RemoteId(wrong.into())).unwrap_err().kind, ErrorKind::Malformed, "{wrong}");
        }
    }
}
