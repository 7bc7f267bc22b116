//! vCard 2.1, 3.0 (RFC 2426) and 4.0 (RFC 6350) as renderings of a Card: one `.vcf` file with one VCARD.
//!
//! A card that somebody else wrote is never rewritten: [`VcardLens`] edits the lines of the entries that changed, in the
//! card's own version and encoding, and leaves every other byte. What the version cannot say natively travels in one
//! `X-TWOFOLD-CARRY` line ([`crate::carry`]).
//!
//! Rooms: [`charset`] (bytes to text), [`text`] (escapes, quoted-printable), [`dates`], [`media`], [`doc`] (one card in its
//! file), [`names`] (FN, N, SORT-STRING), [`entries`] (one property to one entry), [`read`] (the whole card), [`say`] (one
//! entry to one property), [`write`] (from nothing), [`edit`] (onto a card), [`check`] (what a file is, for the device scan).

mod charset;
mod check;
mod dates;
mod doc;
mod entries;
mod labels;
mod media;
mod names;
mod read;
mod text;
mod prop;
mod reader;
mod writer;

pub use check::{CardFile, FileProblem, card_ranges, check_whole};

use crate::{Content, Error, ErrorKind, Identity, Lens, Rendering, Result, Uid};

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

impl VcardLens {
    fn written(self) -> reader::Written {
        match self.version {
            Version::V3 => reader::Written::V3,
            Version::V4 => reader::Written::V4,
        }
    }
}

impl Lens for VcardLens {
    fn read(&self, rendering: &Rendering) -> Result<Content> {
        let (bytes, _) = utf8(rendering.as_bytes());
        let card = reader::read(&writer::parse_file(&bytes)?)?;
        Ok(crate::carry::apply(&card.native, card.carry.as_ref().map(|(_, text)| text.as_str())))
    }

    fn native(&self, rendering: &Rendering) -> Result<Content> {
        let (bytes, _) = utf8(rendering.as_bytes());
        Ok(reader::read(&writer::parse_file(&bytes)?)?.native)
    }

    fn write(&self, onto: Option<&Rendering>, content: &Content, identity: &Identity) -> Result<Rendering> {
        let Some(onto) = onto else { return Ok(Rendering(writer::fresh(self.written(), content, identity)?)) };
        let (bytes, wide) = utf8(onto.as_bytes());
        let edited = writer::edited(&bytes, content)?;
        if edited == *bytes {
            return Ok(onto.clone());
        }
        match wide {
            None => Ok(Rendering(edited)),
            Some(order) => order.encode(&edited).map(Rendering),
        }
    }
}

/// The byte order of a UTF-16 file (RFC 2781).
#[derive(Clone, Copy)]
enum Order {
    Little,
    Big,
}

impl Order {
    fn encode(self, text: &[u8]) -> Result<Vec<u8>> {
        let text = std::str::from_utf8(text)
            .map_err(|error| Error::new(ErrorKind::Refused, "a UTF-16 card holds bytes that are no text").with_source(error))?;
        let units = std::iter::once(0xfeff).chain(text.encode_utf16());
        Ok(units
            .flat_map(|unit| match self {
                Order::Little => unit.to_le_bytes(),
                Order::Big => unit.to_be_bytes(),
            })
            .collect())
    }
}

/// The bytes as UTF-8 where the file says that it is UTF-16; else as they are.
fn utf8(bytes: &[u8]) -> (std::borrow::Cow<'_, [u8]>, Option<Order>) {
    let (rest, order) = match bytes {
        [0xff, 0xfe, rest @ ..] => (rest, Order::Little),
        [0xfe, 0xff, rest @ ..] => (rest, Order::Big),
        _ => return (std::borrow::Cow::Borrowed(bytes), None),
    };
    let unit = |pair: &[u8]| match order {
        Order::Little => u16::from_le_bytes([pair[0], pair[1]]),
        Order::Big => u16::from_be_bytes([pair[0], pair[1]]),
    };
    let text: String = char::decode_utf16(rest.chunks_exact(2).map(unit)).map(|c| c.unwrap_or('\u{fffd}')).collect();
    (std::borrow::Cow::Owned(text.into_bytes()), Some(order))
}
