//! The Email: messages after RFC 8621, what of them is content, and the roles of mailboxes.
//!
//! A message is bytes that never change and marks that do. The bytes are a blob, which content names by its hash; of
//! what they say, content has only what a list shows and what pairing asks for.
//!
//! | member | entry |
//! |---|---|
//! | `keywords` | `{keyword: true}`, each as [`keyword`] spells it: RFC 8621 4.1.1, the IANA registry of IMAP and JMAP keywords, and the user's own words |
//! | `blobId` | BLAKE3 of the bytes as first received, 64 hexadecimal digits. It changes only where the user writes on a draft |
//! | `messageId` | `[id]`, without the angle brackets |
//! | `subject` | text, decoded and unfolded; blank says nothing |
//! | `from` | `[{email, name?}]` in the order of the header |
//! | `sentAt` | RFC 3339 with the sender's own offset, `Z` for none |
//!
//! The last four follow from the bytes ([`headers::read`]) and go with `blobId`: nobody edits them by themselves.
//!
//! **Not content**, although RFC 8621 has it beside these:
//! * `mailboxIds`: where a message stands is its collections;
//! * `id`, `threadId`: each place names and threads as it likes, and what it says is kept with its copy ([`Sheet::own`]: `threadId` of
//!   Gmail, `conversationId` of Graph);
//! * `receivedAt` dates the item. It is what the first place that had the message said, and is kept beside the blob. As content it
//!   would differ for ever at a place that cannot be given it (Gmail);
//! * `size` is that of the blob. Places count their own renderings;
//! * `preview`, `hasAttachment`, body parts: to be read from the blob whenever somebody asks.
//!
//! A place that renders a message in its own way (Graph does, of what it was given as JSON) has other bytes under the same id. They
//! are that replica's rendering, never the blob, so what is read there says no `blobId`.

pub mod headers;
pub mod path;
pub mod scope;
pub mod sheet;

pub use headers::{Address, Headers};
pub use sheet::{EmailLens, Moving, Sheet};

use crate::Content;
use serde_json::{Map, Value, json};

/// Keywords that more than one place has a field or a flag for (RFC 8621 4.1.1, RFC 9051 2.3.2, the IANA registry).
pub mod keywords {
    /// Somebody read it (`\Seen`).
    pub const SEEN: &str = "$seen";
    /// It wants attention (`\Flagged`, a star, a follow-up).
    pub const FLAGGED: &str = "$flagged";
    /// It was answered (`\Answered`).
    pub const ANSWERED: &str = "$answered";
    /// The user is still writing it (`\Draft`).
    pub const DRAFT: &str = "$draft";
    /// It was passed on.
    pub const FORWARDED: &str = "$forwarded";
    /// The user, or a filter, says that it is junk.
    pub const JUNK: &str = "$junk";
    /// The user says that it is not junk.
    pub const NOT_JUNK: &str = "$notjunk";
    /// Its links may deceive.
    pub const PHISHING: &str = "$phishing";
    /// A read receipt was sent, or is never to be sent (RFC 3503).
    pub const MDN_SENT: &str = "$mdnsent";
    /// It is likely to matter to the user (RFC 8457).
    pub const IMPORTANT: &str = "$important";
}

/// No keyword is longer than this, in bytes (RFC 8621 4.1.1).
pub const LONGEST_KEYWORD: usize = 255;

/// The one spelling of a keyword: small letters, because IMAP and JMAP ignore case. `None` for what RFC 8621 4.1.1 does not allow:
/// nothing, more than 255 bytes, anything but printable ASCII, a blank, or one of `( ) { ] % * " \`.
pub fn keyword(word: &str) -> Option<String> {
    let is_allowed = |b: u8| b.is_ascii_graphic() && !b"(){]%*\"\\".contains(&b);
    let is_keyword = (1..=LONGEST_KEYWORD).contains(&word.len()) && word.bytes().all(is_allowed);
    is_keyword.then(|| word.to_ascii_lowercase())
}

/// The content of a message: what its bytes say ([`headers::read`]), which bytes, and its keywords. What is no keyword is left out.
pub fn content<'a>(headers: &Headers, blob_id: &str, words: impl IntoIterator<Item = &'a str>) -> Content {
    let mut content = Content::new();
    let keywords: Map<String, Value> =
        words.into_iter().filter_map(keyword).map(|word| (word, Value::Bool(true))).collect();
    content.set("keywords", Value::Object(keywords));
    content.set("blobId", json!(blob_id));
    content.set("messageId", headers.message_id.as_ref().map_or(Value::Null, |id| json!([id])));
    content.set("subject", headers.subject.as_ref().map_or(Value::Null, |text| json!(text)));
    content.set("from", headers.from.iter().map(Address::to_value).collect());
    content.set("sentAt", headers.sent_at.map_or(Value::Null, |time| json!(headers::date_text(&time))));
    content
}

/// Whether a message has a keyword, spelt as [`keyword`] does.
pub fn has_keyword(email: &Content, keyword: &str) -> bool {
    email.at(&["keywords", keyword]) == Some(&Value::Bool(true))
}

/// The Message-ID of a message, without the angle brackets.
pub fn message_id(email: &Content) -> Option<&str> {
    email.get("messageId")?.get(0)?.as_str()
}

/// The title to show for a message: its subject, else whom it is from.
pub fn display_title(email: &Content) -> Option<String> {
    let sender = || {
        let first = email.get("from")?.get(0)?;
        first.get("name").or_else(|| first.get("email"))?.as_str()
    };
    let subject = email.get("subject").and_then(Value::as_str).filter(|subject| !subject.trim().is_empty());
    subject.or_else(sender).map(str::to_owned)
}

/// What a mailbox is for (RFC 8621 2; the IANA registry of mailbox name attributes, RFC 6154). At most one mailbox of an
/// account has each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// New messages arrive there.
    Inbox,
    /// Messages that the user sent.
    Sent,
    /// Messages that the user is still writing.
    Drafts,
    /// Messages to be deleted.
    Trash,
    /// Messages that are junk.
    Junk,
    /// Messages that are out of the way and kept.
    Archive,
    /// All messages, whatever other mailboxes they stand in.
    All,
}

impl Role {
    /// Every role.
    pub const EACH: [Role; 7] =
        [Role::Inbox, Role::Sent, Role::Drafts, Role::Trash, Role::Junk, Role::Archive, Role::All];

    /// The role's name in RFC 8621.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Inbox => "inbox",
            Role::Sent => "sent",
            Role::Drafts => "drafts",
            Role::Trash => "trash",
            Role::Junk => "junk",
            Role::Archive => "archive",
            Role::All => "all",
        }
    }

    /// The role of that name, in small letters as RFC 8621 has them.
    pub fn from_name(name: &str) -> Option<Role> {
        Role::EACH.into_iter().find(|role| role.as_str() == name)
    }
}

/// When a message was sent, by the sender's clock, in milliseconds since 1970; `None` where it does not say.
pub fn sent_ms(email: &Content) -> Option<i64> {
    let text = email.get("sentAt")?.as_str()?;
    Some(chrono::DateTime::parse_from_rfc3339(text).ok()?.timestamp_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keyword_has_one_spelling_and_what_is_none_is_refused() {
        assert_eq!(keyword("$Forwarded").as_deref(), Some(keywords::FORWARDED));
        assert_eq!(keyword("Work/2026").as_deref(), Some("work/2026"));
        assert_eq!(keyword(&"x".repeat(255)).map(|word| word.len()), Some(255));
        for wrong in
            ["", "two words", "a(b", "a)b", "a{b", "a]b", "a%b", "a*b", "a\"b", "\\Seen", "Grün", "a\tb", "\u{7f}"]
        {
            assert_eq!(keyword(wrong), None, "{wrong:?}");
        }
        assert_eq!(keyword(&"x".repeat(256)), None);
        let known = [
            keywords::SEEN,
            keywords::FLAGGED,
            keywords::ANSWERED,
            keywords::DRAFT,
            keywords::FORWARDED,
            keywords::JUNK,
            keywords::NOT_JUNK,
            keywords::PHISHING,
            keywords::MDN_SENT,
            keywords::IMPORTANT,
        ];
        for word in known {
            assert_eq!(keyword(word).as_deref(), Some(word));
        }
    }

    #[test]
    fn a_message_s_content_is_its_keywords_its_bytes_and_what_they_say() {
        let text = b"Message-ID: <1@example.org>\r\nSubject: Hello\r\nFrom: Ada <ada@example.org>, bob@example.org\r\n\
            Date: Sat, 28 Nov 2026 06:00:00 +0100\r\n\r\nbody";
        let email = content(&headers::read(text), "ab12", ["$Seen", "Work", "no keyword"]);
        assert_eq!(
            email.to_value(),
            json!({
                "keywords": {"$seen": true, "work": true},
                "blobId": "ab12",
                "messageId": ["1@example.org"],
                "subject": "Hello",
                "from": [{"email": "ada@example.org", "name": "Ada"}, {"email": "bob@example.org"}],
                "sentAt": "2026-11-28T06:00:00+01:00",
            })
        );
        assert!(email.is_tidy());
        assert!(has_keyword(&email, keywords::SEEN) && !has_keyword(&email, keywords::DRAFT));
        assert_eq!(message_id(&email), Some("1@example.org"));
        assert_eq!(display_title(&email).as_deref(), Some("Hello"));
        let untitled = content(&headers::read(b"From: Ada <ada@example.org>\r\n\r\n"), "ab12", []);
        assert_eq!(display_title(&untitled).as_deref(), Some("Ada"));
        assert_eq!(content(&headers::read(b""), "ab12", []).to_value(), json!({"blobId": "ab12"}));
    }

    #[test]
    fn every_role_is_found_by_its_name() {
        for role in Role::EACH {
            assert_eq!(Role::from_name(role.as_str()), Some(role));
        }
        assert_eq!(Role::from_name("Inbox"), None);
        assert_eq!(Role::from_name("important"), None);
    }
}
