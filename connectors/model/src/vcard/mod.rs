//! vCard 2.1, 3.0 (RFC 2426) and 4.0 (RFC 6350) as renderings of a Card: one `.vcf` file with one VCARD.
//!
//! A card that somebody else wrote is never rewritten: [`VcardLens`] edits the lines of the entries that changed, in the
//! card's own version and encoding, and leaves every other byte. What the version cannot say natively travels in one
//! `X-TWOFOLD-CARRY` line ([`crate::carry`]).
//!
//! Rooms: `dates`, `media`, `doc` (one card in its file), `names` (FN, N, SORT-STRING), `entries` (one property to one
//! entry), `read` (the whole card), `say` (one entry to one property), `write` (from nothing), `edit` (onto a card), `check`
//! (what a file is, for the device scan). Escapes and charsets are in [`crate::contentline`], for both text formats.

mod check;
mod compose;
mod dates;
mod doc;
mod edit;
mod entries;
mod labels;
mod media;
mod names;
mod read;
mod say;
mod write;

pub use check::{CardFile, FileProblem, card_ranges, check_whole};

use crate::card::settled;
use crate::contentline::ours::MARK;
use crate::{Content, Error, ErrorKind, Identity, Lens, Mark, Rendering, Result, Uid};

/// The version in which a card is written when there is none yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Version {
    /// vCard 3.0, RFC 2426: what iOS, DAVx5, Radicale and khard expect.
    V3,
    /// vCard 4.0, RFC 6350.
    V4,
}

/// Reads and edits `.vcf` renderings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VcardLens {
    /// The version of cards written from nothing. A card that exists stays in its own version.
    pub version: Version,
}

impl VcardLens {
    /// A lens whose new cards are of this version.
    pub fn new(version: Version) -> Self {
        Self { version }
    }
}

/// The UID that a card carries (RFC 6350 6.7.6, RFC 2426 3.6.7), trimmed; `None` without one or when there is no one card.
pub fn uid_of(rendering: &Rendering) -> Option<Uid> {
    check_whole(rendering.as_bytes()).ok()?.uid
}

/// The mark of the hub that made this card from nothing; `None` for cards of others.
pub fn mark_of(rendering: &Rendering) -> Option<Mark> {
    let file = doc::file_of(rendering.as_bytes()).ok()?;
    let (begin, end) = doc::only_card(&file).ok()?;
    let line = doc::props_of(&file, begin, end).find(|prop| prop.name == MARK)?;
    Mark::parse(&line.word()?)
}

/// A card's lines and what they say.
fn take_apart(bytes: &[u8]) -> Result<(doc::Doc, read::Reading)> {
    let doc = doc::Doc::parse(bytes).map_err(|problem| Error::new(ErrorKind::Malformed, problem.to_string()))?;
    let reading = read::read(&doc);
    Ok((doc, reading))
}

impl Lens for VcardLens {
    fn read(&self, rendering: &Rendering) -> Result<Content> {
        Ok(take_apart(rendering.as_bytes())?.1.into_full())
    }

    fn native(&self, rendering: &Rendering) -> Result<Content> {
        Ok(take_apart(rendering.as_bytes())?.1.native)
    }

    fn write(&self, onto: Option<&Rendering>, content: &Content, identity: &Identity) -> Result<Rendering> {
        let content = settled(content);
        let Some(onto) = onto else {
            return Ok(Rendering(write::from_nothing(self.version, &content, identity)?));
        };
        let (doc, reading) = take_apart(onto.as_bytes())?;
        if reading.full() == content {
            return Ok(onto.clone());
        }
        Ok(Rendering(edit::edit(&doc, &reading, &content)?))
    }
}
