//! iCalendar (RFC 5545, RFC 7986) as renderings of an Event: one `.ics` file with the events of one UID.
//!
//! A calendar that somebody else wrote is never rewritten: [`IcalLens`] edits the lines of the entries that changed, and leaves
//! every other byte: order, folds, line ends, VTIMEZONEs, alarms' words, properties and components that nobody knows. What
//! iCalendar cannot say natively travels in one `X-TWOFOLD-CARRY` line of the master ([`crate::carry`]).
//!
//! What stands there is not guessed at: a rule, a date or an override that is not understood makes the item unreadable
//! ([`crate::ErrorKind::Malformed`]), and a change for "this and following" occurrences (RANGE=THISANDFUTURE) is kept as a whole in
//! `iCalOverrides`, for places that can keep it.
//!
//! Rooms: `zones` (the zones that an item names), `doc` (components and lines in their file), `times` (dates, and what they mean
//! in the zone of a series), `rules` (RRULE), `entries` (one line to one entry), `people`, `alarms`, `units` (the entries of a
//! component), `read` (the whole item), `say` (one entry to lines), `dates` (start, end, rules and dates as lines), `compose` (from
//! nothing), `edit` (onto a calendar), `check` (what a file is, for the device scan).

mod alarms;
mod check;
mod compose;
mod dates;
mod doc;
mod edit;
mod entries;
mod people;
mod read;
mod rules;
mod say;
mod times;
mod units;
mod zones;

pub use check::{CalendarFile, FileProblem, check_whole};

use crate::contentline::ours::MARK;
use crate::event::settled;
use crate::zone::Zones;
use crate::{Content, Error, ErrorKind, Identity, Lens, Mark, Rendering, Result, Uid};
use std::fmt;
use std::sync::Arc;

/// DTSTAMP of what is made from nothing. RFC 5545 3.8.7.2 asks for the time at which the text was made; nothing here knows the
/// time, and the same content must give the same bytes.
const STAMP: &str = "19700101T000000Z";

/// Reads and edits `.ics` renderings.
#[derive(Clone)]
pub struct IcalLens {
    atlas: Arc<zones::Atlas>,
}

impl fmt::Debug for IcalLens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IcalLens")
    }
}

impl IcalLens {
    /// A lens that knows these zones.
    pub fn new(zones: Arc<dyn Zones>) -> Self {
        Self { atlas: Arc::new(zones::Atlas::new(zones)) }
    }
}

/// The UID that an item carries (RFC 5545 3.8.4.7), trimmed; `None` without one or when there is no one item.
pub fn uid_of(rendering: &Rendering) -> Option<Uid> {
    check_whole(rendering.as_bytes()).ok()?.uid
}

/// The mark of the hub that made this item from nothing; `None` for items of others.
pub fn mark_of(rendering: &Rendering) -> Option<Mark> {
    let file = doc::file_of(rendering.as_bytes()).ok()?;
    let calendar = check::only_calendar(&file).ok()?;
    let mut lines = calendar.inner.iter().filter(|part| part.name == "VEVENT").filter_map(|part| part.prop(MARK));
    Mark::parse(&lines.next()?.word()?)
}

/// An item's lines and what they say.
fn take_apart<'a>(bytes: &[u8], atlas: &'a zones::Atlas) -> Result<(doc::Doc<'a>, read::Whole)> {
    let doc = doc::Doc::parse(bytes, atlas).map_err(|problem| Error::new(ErrorKind::Malformed, problem.to_string()))?;
    let whole = read::read(&doc).map_err(|problem| Error::new(ErrorKind::Malformed, problem))?;
    Ok((doc, whole))
}

impl Lens for IcalLens {
    fn read(&self, rendering: &Rendering) -> Result<Content> {
        Ok(take_apart(rendering.as_bytes(), &self.atlas)?.1.full().into_owned())
    }

    fn native(&self, rendering: &Rendering) -> Result<Content> {
        Ok(take_apart(rendering.as_bytes(), &self.atlas)?.1.native)
    }

    fn write(&self, onto: Option<&Rendering>, content: &Content, identity: &Identity) -> Result<Rendering> {
        let content = settled(content);
        let Some(onto) = onto else {
            return Ok(Rendering(compose::from_nothing(&content, identity, &self.atlas)?));
        };
        let (doc, whole) = take_apart(onto.as_bytes(), &self.atlas)?;
        if *whole.full() == *content {
            return Ok(onto.clone());
        }
        Ok(Rendering(edit::edit(&doc, &whole, &content, identity, &self.atlas)?))
    }
}
