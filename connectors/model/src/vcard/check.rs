//! What a file in a device folder is: one whole card, or why not ([`check_whole`]).

use super::doc::{file_of, find_cards, only_card, props_of};
use crate::Uid;
use std::fmt;
use std::ops::Range;

/// What is told of a file that holds one whole card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardFile {
    /// The card's UID, trimmed; `None` when it has none (khard hides such cards, so twofold gives it one).
    pub uid: Option<Uid>,
}

/// Why a file cannot be taken as one card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileProblem {
    /// A card begins and does not end: somebody is still writing, or stopped in the middle. Look again later.
    HalfWritten,
    /// Several cards, this many ([`card_ranges`] tells where). A vdir file holds one item.
    SeveralCards(usize),
    /// No card begins here.
    NoCard,
    /// Over a limit of [`crate::contentline::Limits`]: which one.
    TooLarge(String),
    /// The bytes are no text in any way that is understood: how.
    Unreadable(String),
}

impl fmt::Display for FileProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FileProblem::HalfWritten => f.write_str("the card has no END:VCARD (half-written)"),
            FileProblem::SeveralCards(count) => write!(f, "{count} cards in one file; one is expected"),
            FileProblem::NoCard => f.write_str("no BEGIN:VCARD in the file"),
            FileProblem::TooLarge(what) => write!(f, "too large: {what}"),
            FileProblem::Unreadable(how) => write!(f, "unreadable: {how}"),
        }
    }
}

impl std::error::Error for FileProblem {}

/// Tells whether `bytes` are exactly one whole card (RFC 6350 3.3, 6.1.1).
///
/// # Errors
/// The [`FileProblem`] that is found first, in the order too large, unreadable, no card, half-written, several cards.
pub fn check_whole(bytes: &[u8]) -> Result<CardFile, FileProblem> {
    let file = file_of(bytes)?;
    let (begin, end) = only_card(&file)?;
    let uid = props_of(&file, begin, end).find(|prop| prop.name == "UID").and_then(|prop| prop.word());
    Ok(CardFile { uid: uid.map(Uid) })
}

/// Where the cards of a file stand, from `BEGIN` to past the line end of `END`: byte ranges of the file. In a UTF-16 file
/// they are ranges of its text as UTF-8, mark taken off.
///
/// # Errors
/// As [`check_whole`], but several cards are no problem here.
pub fn card_ranges(bytes: &[u8]) -> Result<Vec<Range<usize>>, FileProblem> {
    let file = file_of(bytes)?;
    let cards = find_cards(&file)?;
    Ok(cards.into_iter().map(|(begin, end)| file.range(begin).start..file.range(end).end).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_one_whole_card_or_says_why_not() {
        let one = b"BEGIN:VCARD\r\nVERSION:3.0\r\nUID: a-1 \r\nEND:VCARD\r\n";
        assert_eq!(check_whole(one).unwrap().uid, Some(Uid("a-1".into())));
        assert_eq!(check_whole(b"begin:vcard\nend:vcard").unwrap().uid, None);
        assert_eq!(check_whole(&one[..40]), Err(FileProblem::HalfWritten));
        for cut in 12..one.len() - 2 {
            assert_eq!(check_whole(&one[..cut]), Err(FileProblem::HalfWritten), "{cut}");
        }
        let two = [&one[..], &one[..]].concat();
        assert_eq!(check_whole(&two), Err(FileProblem::SeveralCards(2)));
        assert_eq!(card_ranges(&two), Ok(vec![0..one.len(), one.len()..two.len()]));
        assert_eq!(check_whole(b""), Err(FileProblem::NoCard));
        assert_eq!(check_whole(b"<html>"), Err(FileProblem::NoCard));
        assert!(matches!(check_whole(b"B\0E\0G\0"), Err(FileProblem::Unreadable(_))));
        assert!(matches!(check_whole(b"\xff\xfea"), Err(FileProblem::Unreadable(_))));
        assert!(matches!(check_whole(&vec![b'x'; 40 << 20]), Err(FileProblem::TooLarge(_))));
        let inner = b"BEGIN:VCARD\nAGENT:\nBEGIN:VCARD\nUID:in\nEND:VCARD\nUID:out\nEND:VCARD\n";
        assert_eq!(check_whole(inner).unwrap().uid, Some(Uid("out".into())));
    }
}
