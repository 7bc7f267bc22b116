//! Which keyword a category is, and which category a keyword is named. Pure.
//!
//! A category has any name; a keyword is small ASCII letters and a few signs. So a blank is `_`, and every other character that a
//! keyword cannot hold is `=` and two hexadecimal digits for each byte. Names that differ in case alone are one keyword: what they are
//! really called stands with each message ([`super::map`]), and with [`Names`] for messages that lack them so far.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use twofold_model::email;

/// The keyword of a category; `None` where it would be too long, or the name is empty.
pub fn keyword_of(name: &str) -> Option<String> {
    let mut word = String::with_capacity(name.len());
    for c in name.to_lowercase().chars() {
        match c {
            ' ' => word.push('_'),
            // A `$` at the beginning is said of the words that everybody knows.
            '_' | '=' => push_escaped(&mut word, c),
            '$' if word.is_empty() => push_escaped(&mut word, c),
            c if email::keyword(c.encode_utf8(&mut [0; 4])).is_some() => word.push(c),
            c => push_escaped(&mut word, c),
        }
    }
    email::keyword(&word)
}

fn push_escaped(word: &mut String, c: char) {
    for byte in c.encode_utf8(&mut [0; 4]).bytes() {
        // Writing to a string never fails.
        let _ = write!(word, "={byte:02x}");
    }
}

/// The name of a category for a keyword; `None` for a keyword that no category has.
pub fn name_of(keyword: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(keyword.len());
    let mut rest = keyword.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        match first {
            b'_' => bytes.push(b' '),
            b'=' => {
                let digits = std::str::from_utf8(after.get(..2)?).ok()?;
                bytes.push(u8::from_str_radix(digits, 16).ok()?);
                rest = &after[2..];
            }
            byte => bytes.push(*byte),
        }
    }
    let name = String::from_utf8(bytes).ok()?;
    // Provider (K): Outlook parts categories at commas and semicolons, so no new name has one.
    let is_name = !name.trim().is_empty() && name.trim() == name && !name.contains([',', ';']);
    (is_name && keyword_of(&name).as_deref() == Some(keyword)).then_some(name)
}

/// Whether a category may go by that keyword: one that it names, or one that came with a comma or a semicolon, and can be taken off.
pub fn is_held(keyword: &str) -> bool {
    keyword.contains([',', ';']) || name_of(keyword).is_some()
}

/// More categories than anybody has. (What strangers write into a header may become one.)
const MOST_NAMES: usize = 1_000;

/// What the categories of a mailbox are called, by keyword, as they were last seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names(BTreeMap<String, String>);

impl Names {
    /// Takes in what was seen in earlier runs; what was seen in this one counts more.
    pub fn learn(&mut self, earlier: BTreeMap<String, String>) {
        for (keyword, name) in earlier {
            self.0.entry(keyword).or_insert(name);
        }
    }

    /// Takes in the name of a category that was seen.
    pub fn see(&mut self, name: &str) {
        let Some(keyword) = keyword_of(name) else { return };
        if self.0.len() < MOST_NAMES || self.0.contains_key(&keyword) {
            self.0.insert(keyword, name.to_owned());
        }
    }

    /// The name of the category that a keyword becomes; `None` for a keyword that no category has.
    pub fn of(&self, keyword: &str) -> Option<String> {
        self.0.get(keyword).cloned().or_else(|| name_of(keyword))
    }

    /// All of them.
    pub fn all(&self) -> BTreeMap<String, String> {
        self.0.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_category_is_called_as_it_was_last_seen_and_else_as_its_keyword_says() {
        let mut names = Names::default();
        assert_eq!(names.of("gr=c3=bcn_&_blau").as_deref(), Some("grün & blau"));
        names.see("Grün & Blau");
        names.learn([("gr=c3=bcn_&_blau", "GRÜN & BLAU"), ("work", "Work")].map(|(a, b)| (a.into(), b.into())).into());
        for (keyword, name) in [("gr=c3=bcn_&_blau", "Grün & Blau"), ("work", "Work"), ("home", "home")] {
            assert_eq!(names.of(keyword).as_deref(), Some(name));
        }
        names.see("WORK");
        assert_eq!(names.of("work").as_deref(), Some("WORK"));
        assert_eq!((names.of("$seen"), names.of("a,b")), (None, None));
        names.see("A,b");
        assert_eq!(names.of("a,b").as_deref(), Some("A,b"), "it is there, whoever made it");
        assert!(is_held("a,b") && is_held("work") && !is_held("work_"));
        (0..2_000).for_each(|n| names.see(&format!("Spam {n}")));
        assert_eq!(names.all().len(), MOST_NAMES);
        names.see("Work");
        assert_eq!(names.of("work").as_deref(), Some("Work"), "what is known may change");
    }

    #[test]
    fn a_keyword_leads_back_to_its_category_but_for_the_case() {
        for (name, keyword) in [
            ("Work", "work"),
            ("Blue category", "blue_category"),
            ("Grün", "gr=c3=bcn"),
            ("R/D", "r/d"),
            ("a_b", "a=5fb"),
            ("1=1", "1=3d1"),
            ("$seen", "=24seen"),
            ("US$", "us$"),
            ("(old) 100 %", "=28old=29_100_=25"),
        ] {
            assert_eq!(keyword_of(name).as_deref(), Some(keyword), "{name}");
            assert_eq!(name_of(keyword), Some(name.to_lowercase()), "{name}");
        }
    }

    #[test]
    fn words_that_no_category_has_are_named_nothing() {
        for word in ["$seen", "a=b", "a=", "a=zz", "a=ff", "=41", "_", "work_", "a,b", "a=2cb", "a=3bb", ""] {
            assert_eq!(name_of(word), None, "{word}");
        }
        assert_eq!(keyword_of(""), None);
        assert_eq!(keyword_of(&"ü".repeat(255)), None);
    }

    proptest::proptest! {
        #[test]
        fn every_keyword_that_has_a_name_comes_back(word in "[a-z_=$/0-9c]{1,12}") {
            if let Some(name) = name_of(&word) {
                proptest::prop_assert_eq!(keyword_of(&name), Some(word));
            }
        }

        #[test]
        fn different_names_have_different_keywords(one in "[ab_= $ü(]{1,6}", other in "[ab_= $ü(]{1,6}") {
            proptest::prop_assert_eq!(one == other, keyword_of(&one) == keyword_of(&other));
        }
    }
}
