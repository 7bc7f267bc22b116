//! What of an account's mail is kept in step, as its user says it: which mailboxes, and which messages.

use super::{Role, path};
use crate::Facts;
use std::fmt;

/// What of one account's mail is kept in step; by default everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// Only these mailboxes; all where none is named.
    pub include: Vec<Name>,
    /// Of these, not those.
    pub exclude: Vec<Name>,
    /// Which messages are left out wherever they stand.
    pub limits: Limits,
}

/// How the configuration names mailboxes: each stands for what is below it too.
#[derive(Clone, Debug)]
pub enum Name {
    /// By its path.
    Path(String),
    /// By what it is for: accounts call these in their user's language.
    Role(Role),
}

impl Name {
    /// Reads `Projects/2024` or `role:junk`; `None` where it is neither.
    pub fn parse(text: &str) -> Option<Name> {
        match text.strip_prefix("role:") {
            Some(role) => Role::from_name(role).map(Name::Role),
            None => path::split(text).iter().all(|name| !name.trim().is_empty()).then(|| Name::Path(text.to_owned())),
        }
    }

    /// Whether a mailbox of this account is meant. `all` are the account's mailboxes: paths and roles.
    pub fn covers(&self, mailbox: &str, all: &[(String, Option<Role>)]) -> bool {
        match self {
            Name::Path(path) => is_below(mailbox, path),
            Name::Role(role) => all.iter().any(|(path, is)| *is == Some(*role) && is_below(mailbox, path)),
        }
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Name) -> bool {
        self.to_string().to_lowercase() == other.to_string().to_lowercase()
    }
}

impl Eq for Name {}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Name::Path(path) => f.write_str(path),
            Name::Role(role) => write!(f, "role:{}", role.as_str()),
        }
    }
}

/// Whether a path is another one, or stands below it.
fn is_below(mailbox: &str, above: &str) -> bool {
    let (mailbox, above) = (path::split(&mailbox.to_lowercase()), path::split(&above.to_lowercase()));
    mailbox.starts_with(&above)
}

impl Scope {
    /// Whether a mailbox is left out. `all` are the account's mailboxes: paths and roles.
    pub fn leaves_out(&self, mailbox: &str, all: &[(String, Option<Role>)]) -> bool {
        let is_named = |names: &[Name]| names.iter().any(|name| name.covers(mailbox, all));
        (!self.include.is_empty() && !is_named(&self.include)) || is_named(&self.exclude)
    }
}

/// Which messages of an account are left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Those that were received before this moment, in milliseconds since 1970.
    pub since_ms: Option<i64>,
    /// Those that have more bytes than this.
    pub max_size: Option<u64>,
}

impl Limits {
    /// Whether nothing is left out.
    pub fn is_none(&self) -> bool {
        *self == Limits::default()
    }

    /// Whether a message of which this is known is left out. What is not known leaves nothing out.
    pub fn leave_out(&self, facts: &Facts) -> bool {
        let is_old = self.since_ms.zip(facts.dated_ms).is_some_and(|(since, dated)| dated < since);
        let is_large = self.max_size.zip(facts.size).is_some_and(|(most, size)| size > most);
        is_old || is_large
    }

    /// Whether these facts do not say yet on which side a message is.
    pub fn want_more_than(&self, facts: &Facts) -> bool {
        !self.leave_out(facts)
            && ((self.since_ms.is_some() && facts.dated_ms.is_none())
                || (self.max_size.is_some() && facts.size.is_none()))
    }

    /// The limits under which is left out what either leaves out.
    pub fn tighter(&self, other: &Limits) -> Limits {
        let either = |a: Option<u64>, b: Option<u64>| a.into_iter().chain(b).min();
        Limits { since_ms: self.since_ms.max(other.since_ms), max_size: either(self.max_size, other.max_size) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(include: &[&str], exclude: &[&str]) -> Scope {
        let names = |names: &[&str]| names.iter().map(|name| Name::parse(name).unwrap()).collect();
        Scope { include: names(include), exclude: names(exclude), limits: Limits::default() }
    }

    #[test]
    fn a_name_means_a_mailbox_and_what_is_below_it() {
        let all = [("INBOX".to_owned(), Some(Role::Inbox)), ("Junk-E-Mail".to_owned(), Some(Role::Junk))];
        for (what, include, exclude, mailbox, is_out) in [
            ("nothing is named", &[][..], &[][..], "Work", false),
            ("excluded", &[], &["Work"], "Work", true),
            ("excluded, in other letters", &[], &["wORK"], "Work", true),
            ("below what is excluded", &[], &["Work"], "Work/2026/March", true),
            ("a name that only begins so", &[], &["Work"], "Workshop", false),
            ("above what is excluded", &[], &["Work/2026"], "Work", false),
            ("one that has a slash in its name", &[], &["a"], "a\\/b", false),
            ("by its role", &[], &["role:junk"], "Junk-E-Mail", true),
            ("below one of that role", &[], &["role:junk"], "Junk-E-Mail/Old", true),
            ("of another role", &[], &["role:junk"], "INBOX", false),
            ("included", &["Work"], &[], "Work/2026", false),
            ("not included", &["Work"], &[], "INBOX", true),
            ("included, and excluded again", &["Work"], &["Work/2026"], "Work/2026", true),
        ] {
            assert_eq!(scope(include, exclude).leaves_out(mailbox, &all), is_out, "{what}");
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for wrong in ["role:spam", "role:", "/a", "a/", "a//b", "", " "] {
            assert!(Name::parse(wrong).is_none(), "{wrong:?}");
        }
        assert_eq!(Name::parse("A/b"), Name::parse("a/B"));
        assert_ne!(Name::parse("role:junk"), Name::parse("junk"));
    }

    fn facts(dated_ms: Option<i64>, size: Option<u64>) -> Facts {
        Facts { dated_ms, size, ..Facts::default() }
    }

    #[test]
    fn a_message_is_left_out_by_its_date_or_by_its_size() {
        let limits = Limits { since_ms: Some(100), max_size: Some(50) };
        for (what, facts, is_out, is_unclear) in [
            ("just new enough, just small enough", facts(Some(100), Some(50)), false, false),
            ("too old", facts(Some(99), Some(1)), true, false),
            ("too large", facts(Some(100), Some(51)), true, false),
            ("too old, whatever its size", facts(Some(1), None), true, false),
            ("new, of a size that nobody said", facts(Some(100), None), false, true),
            ("of no date", facts(None, Some(1)), false, true),
        ] {
            assert_eq!((limits.leave_out(&facts), limits.want_more_than(&facts)), (is_out, is_unclear), "{what}");
            let none = Limits::default();
            assert_eq!((none.leave_out(&facts), none.want_more_than(&facts)), (false, false), "{what}");
        }
    }

    #[test]
    fn of_two_limits_the_tighter_leaves_out_what_either_does() {
        let (a, b) = (Limits { since_ms: Some(1), max_size: None }, Limits { since_ms: Some(2), max_size: Some(9) });
        assert_eq!(a.tighter(&b), b);
        assert_eq!(
            b.tighter(&Limits { since_ms: None, max_size: Some(5) }),
            Limits { since_ms: Some(2), max_size: Some(5) }
        );
    }
}
