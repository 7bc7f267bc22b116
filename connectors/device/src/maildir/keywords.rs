//! Flags as keywords and back: the six letters of Maildir, and Dovecot's 26 letters for words of the user's own.

use std::collections::BTreeSet;
use twofold_model::email::{keyword, keywords as known};

/// Maildir's letters that are keywords. `T` is none: it says that the message is to be deleted.
const LETTERS: [(u8, &str); 5] = [
    (b'D', known::DRAFT),
    (b'F', known::FLAGGED),
    (b'P', known::FORWARDED),
    (b'R', known::ANSWERED),
    (b'S', known::SEEN),
];

/// The letter of a message that is to be deleted.
pub const TRASHED: u8 = b'T';

/// The letter by which Dovecot knows a message that was compressed in its place (its zlib plugin, mail_compress).
pub const COMPRESSED: u8 = b'Z';

/// So many words have a letter (`a` to `z`).
const MOST_WORDS: usize = 26;

/// The words behind a folder's small letters: Dovecot's file `dovecot-keywords`, a line `NUMBER WORD` for each, 0 for `a`. The file is
/// read and extended under Dovecot's own lock, which is the caller's to take. A line is never changed nor removed:
/// files of the folder rely on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    text: Vec<u8>,
    /// As [`keyword`] spells them; a word that is none holds its letter all the same.
    words: [Option<String>; MOST_WORDS],
}

impl Table {
    /// Reads the file. Lines that are none are kept and passed over; of two with one number the first counts.
    pub fn parse(text: &[u8]) -> Table {
        let mut table = Table { text: text.to_owned(), ..Table::default() };
        for line in text.split(|b| *b == b'\n') {
            let Some((number, word)) = std::str::from_utf8(line).ok().and_then(|line| line.trim_end().split_once(' '))
            else {
                continue;
            };
            let slot = number.parse().ok().and_then(|number: usize| table.words.get_mut(number));
            if let Some(free @ None) = slot {
                *free = Some(keyword(word).unwrap_or_default());
            }
        }
        table
    }

    /// The file, with the words that were added behind those that stood there.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// The letter of a word, spelt as [`keyword`] does.
    pub fn letter(&self, word: &str) -> Option<u8> {
        let slot = self.words.iter().position(|known| known.as_deref() == Some(word)).filter(|_| !word.is_empty())?;
        u8::try_from(slot).ok().map(|slot| b'a' + slot)
    }

    /// The word of a letter.
    pub fn word(&self, letter: u8) -> Option<&str> {
        let slot = letter.checked_sub(b'a')?;
        self.words.get(usize::from(slot))?.as_deref().filter(|word| !word.is_empty())
    }

    /// The words that have a letter, as such a file says them.
    pub fn known(&self) -> String {
        let words = self.words.iter().enumerate().filter_map(|(slot, word)| Some((slot, word.as_deref()?)));
        words.filter(|(_, word)| !word.is_empty()).map(|(slot, word)| format!("{slot} {word}\n")).collect()
    }

    /// The letter of a word, which gets one if it has none; nothing where all 26 are taken, or where it is no keyword. Such a word stays
    /// in the hub. A letter that a file of the folder has in its name already (`borne`) is passed over: it would say the word of that one, too.
    pub fn add(&mut self, word: &str, borne: &BTreeSet<u8>) -> Option<u8> {
        let word = keyword(word)?;
        if let Some(letter) = self.letter(&word) {
            return Some(letter);
        }
        // Behind the last, as Dovecot does it: a gap may be a word that somebody took out by hand while files still have its letter.
        let behind = self.words.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
        let (slot, letter) = (0..MOST_WORDS).zip(b'a'..).skip(behind).find(|(_, letter)| !borne.contains(letter))?;
        if self.text.last().is_some_and(|last| *last != b'\n') {
            self.text.push(b'\n');
        }
        self.text.extend_from_slice(format!("{slot} {word}\n").as_bytes());
        self.words[slot] = Some(word);
        Some(letter)
    }
}

/// The keywords that flags say. Letters of which nobody knows the word say nothing.
pub fn keywords(flags: &BTreeSet<u8>, table: &Table) -> BTreeSet<String> {
    let of = |flag: &u8| {
        let fixed = LETTERS.iter().find(|(letter, _)| letter == flag).map(|(_, word)| *word);
        fixed.or_else(|| table.word(*flag)).map(str::to_owned)
    };
    flags.iter().filter_map(of).collect()
}

/// Whether Dovecot, too, knows a keyword by one of Maildir's own letters. `P` it keeps and does not read.
pub fn needs_no_word(word: &str) -> bool {
    word != known::FORWARDED && LETTERS.iter().any(|(_, known)| *known == word)
}

/// The flags without what is left of a keyword that had two letters (`$forwarded`: `P` and Dovecot's) and lost one: whoever took that
/// one away knows of no other. One alone that was none of two says the keyword.
pub fn without_halves(was: &BTreeSet<u8>, now: &BTreeSet<u8>, table: &Table) -> BTreeSet<u8> {
    let mut whole = now.clone();
    for (letter, word) in LETTERS {
        let Some(other) = table.letter(word) else { continue };
        let has_both = |flags: &BTreeSet<u8>| flags.contains(&letter) && flags.contains(&other);
        if has_both(was) && !has_both(now) {
            whole.retain(|flag| *flag != letter && *flag != other);
        }
    }
    whole
}

/// The small letters among flags: a folder's own.
pub fn letters(flags: &BTreeSet<u8>) -> BTreeSet<u8> {
    flags.iter().copied().filter(u8::is_ascii_lowercase).collect()
}

/// A message that moved here from another folder, where it had the keywords `was`, said by the flags `had`: which of the flags that it has
/// now say something here, and the words that it had and that nobody took off, though it may not say them here.
///
/// The same letters as before came along (`mv`), and mean what they meant. Where there are none any more, a program dropped what it does not
/// know (neomutt). Else somebody wrote them for this folder (Dovecot), and only a word that has no letter here could not be said.
pub fn moved(
    was: &BTreeSet<String>,
    had: &BTreeSet<u8>,
    has: &BTreeSet<u8>,
    table: &Table,
) -> (BTreeSet<u8>, BTreeSet<String>) {
    let (before, now) = (letters(had), letters(has));
    let (is_same, is_dropped) = (now == before, now.is_empty() && !before.is_empty());
    // Whoever keeps the folder's letters and takes away Maildir's own of a word that has both takes off the word.
    let is_taken_off = |word: &str| {
        let own = LETTERS.iter().find(|(_, known)| *known == word);
        own.is_some_and(|(letter, _)| had.contains(letter) && !has.contains(letter)) && !is_dropped
    };
    let stays = |word: &&String| {
        !needs_no_word(word) && !is_taken_off(word) && (is_same || is_dropped || table.letter(word).is_none())
    };
    let flags = if is_same { has - &now } else { has.clone() };
    (flags, was.iter().filter(stays).cloned().collect())
}

/// The flags that say these keywords, edited into those that stand there: what is no keyword (`T`, a letter without a word, what a
/// program put there for itself) stays. Words without a letter are left out; [`Table::add`] gives them one before.
pub fn with_keywords(flags: &BTreeSet<u8>, words: &BTreeSet<String>, table: &Table) -> BTreeSet<u8> {
    let is_keyword = |flag: &u8| LETTERS.iter().any(|(letter, _)| letter == flag) || table.word(*flag).is_some();
    let fixed = |word: &String| LETTERS.iter().find(|(_, known)| known == word).map(|(letter, _)| *letter);
    let mut edited: BTreeSet<u8> = flags.iter().copied().filter(|flag| !is_keyword(flag)).collect();
    edited.extend(words.iter().filter_map(fixed));
    // A word with a letter of Maildir and one of Dovecot's (`$forwarded`) gets both, and loses both.
    edited.extend(words.iter().filter_map(|word| table.letter(word)));
    edited
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(text: &str) -> BTreeSet<u8> {
        text.bytes().collect()
    }

    fn words(list: &[&str]) -> BTreeSet<String> {
        list.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn letters_are_keywords_and_back() {
        let table = Table::parse(b"0 Work\n1 $MDNSent\n");
        let cases = [
            ("", &[][..]),
            ("S", &["$seen"]),
            ("DFPRS", &["$answered", "$draft", "$flagged", "$forwarded", "$seen"]),
            ("Sab", &["$seen", "work", "$mdnsent"]),
        ];
        for (letters, list) in cases {
            assert_eq!(keywords(&flags(letters), &table), words(list), "{letters}");
            assert_eq!(with_keywords(&flags(""), &words(list), &table), flags(letters), "{letters}");
        }
    }

    #[test]
    fn what_is_no_keyword_stays() {
        let table = Table::parse(b"0 work\n");
        assert_eq!(keywords(&flags("STcX"), &table), words(&["$seen"]));
        assert_eq!(with_keywords(&flags("STacX"), &words(&["$flagged"]), &table), flags("FTcX"));
        assert_eq!(with_keywords(&flags("ST"), &words(&["no-letter"]), &table), flags("T"));
    }

    #[test]
    fn a_word_with_two_letters_gets_both_and_loses_both() {
        let table = Table::parse(b"0 $Forwarded\n");
        assert_eq!(keywords(&flags("a"), &table), words(&["$forwarded"]));
        assert_eq!(with_keywords(&flags(""), &words(&["$forwarded"]), &table), flags("Pa"));
        assert_eq!(with_keywords(&flags("Pa"), &words(&[]), &table), flags(""));
    }

    #[test]
    fn a_table_grows_behind_what_stood_there() {
        let text = b"0 Work\nnonsense\n3 Later\n99 Far\n0 Twice";
        let mut table = Table::parse(text);
        assert_eq!(
            (table.letter("work"), table.letter("later"), table.letter("twice")),
            (Some(b'a'), Some(b'd'), None)
        );
        assert_eq!(table.text(), text);
        let none = BTreeSet::new();
        assert_eq!(table.add("LATER", &none), Some(b'd'));
        assert_eq!(table.text(), text, "nothing new");
        assert_eq!(table.add("New", &none), Some(b'e'));
        assert_eq!(table.text(), [&text[..], b"\n4 new\n"].concat());
        assert_eq!(Table::parse(table.text()), table);
        assert_eq!(table.add("two words", &none), None);
    }

    #[test]
    fn the_27th_word_has_no_letter() {
        let mut table = Table::default();
        for n in 0..26 {
            assert_eq!(table.add(&format!("w{n}"), &flags("")), Some(b'a' + n));
        }
        let full = table.clone();
        assert_eq!(table.add("w26", &flags("")), None);
        assert_eq!(table, full);
        assert_eq!(table.word(b'z'), Some("w25"));
        assert_eq!([table.word(b'Z'), table.word(b'{'), table.word(0)], [None; 3]);
    }

    #[test]
    fn a_word_that_is_no_keyword_holds_its_letter() {
        let mut table = Table::parse("0 Grün\n".as_bytes());
        assert_eq!((table.word(b'a'), table.letter("")), (None, None));
        assert_eq!(table.add("x", &flags("")), Some(b'b'));
        assert_eq!(with_keywords(&flags("a"), &words(&["x"]), &table), flags("ab"));
    }

    #[test]
    fn a_letter_that_a_file_has_already_is_given_to_no_word() {
        let mut table = Table::parse(b"0 work\n");
        assert_eq!(table.add("later", &flags("abce")), Some(b'd'));
        assert_eq!(table.add("play", &flags("abce")), Some(b'f'));
        assert_eq!(table.text(), b"0 work\n3 later\n5 play\n");
        let all: BTreeSet<u8> = (b'a'..=b'z').collect();
        assert_eq!(table.add("last", &all), None);
    }

    #[test]
    fn what_a_table_knows_is_a_table() {
        let table = Table::parse("0 Work\nnonsense\n2 Grün\n3 Later\n99 Far\n".as_bytes());
        assert_eq!(table.known(), "0 work\n3 later\n");
        assert_eq!(Table::parse(table.known().as_bytes()).letter("later"), Some(b'd'));
    }

    #[test]
    fn what_a_move_does_not_say_is_not_taken_off() {
        let table = Table::parse(b"0 home\n1 work\n2 $forwarded\n");
        let all = ["$flagged", "$forwarded", "play", "work"];
        for (what, had, has, says, unsaid) in [
            ("mv", "FPabd", "FPabd", "FP", &["$forwarded", "play", "work"][..]),
            ("mv, and a mark", "FPabd", "PSabd", "PS", &["$forwarded", "play", "work"]),
            ("mv, and P alone taken away", "FPabd", "Fabd", "F", &["play", "work"]),
            ("mv of what had no P", "Fabd", "Fabd", "F", &["$forwarded", "play", "work"]),
            ("neomutt", "FPabd", "FS", "FS", &["$forwarded", "play", "work"]),
            ("Dovecot", "FPabd", "FPbc", "FPbc", &["play"]),
            ("Dovecot, and a word taken off", "FPabd", "FPac", "FPac", &["play"]),
            ("no words", "F", "FS", "FS", &[]),
            ("a first word", "F", "Fa", "Fa", &[]),
        ] {
            let was = if had == "F" { words(&all[..1]) } else { words(&all) };
            let expected = (flags(says), words(unsaid));
            assert_eq!(moved(&was, &flags(had), &flags(has), &table), expected, "{what}");
        }
        let p_alone = moved(&words(&["$forwarded"]), &flags("P"), &flags(""), &table);
        assert_eq!(p_alone.1, words(&[]), "P was its only letter");
    }
}
