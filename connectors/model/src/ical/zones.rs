//! What a calendar has to know about time zones ([`ZoneNames`]), asked for and not known here.

use crate::event::UTC;
use chrono::NaiveDateTime;

/// Names and rules of time zones. Pure: the same question has the same answer.
pub trait ZoneNames: Send + Sync {
    /// The one IANA name of a zone: for an IANA name, one of its aliases, a Windows name, or a name that holds one of them
    /// (`/mozilla.org/20050126_1/Europe/Berlin`). `rules` is the file's VTIMEZONE of that name, its lines unfolded and joined by LF.
    /// `None`: a zone of the sender's own.
    fn iana(&self, tzid: &str, rules: Option<&str>) -> Option<String>;

    /// The instant at which the clocks of an IANA zone show `local`: the first of two, and after a gap as RFC 5545 3.3.5 says.
    /// `None` for a zone that is not known.
    fn to_utc(&self, zone: &str, local: NaiveDateTime) -> Option<NaiveDateTime>;

    /// What the clocks of an IANA zone show at an instant; `None` for a zone that is not known.
    fn to_local(&self, zone: &str, utc: NaiveDateTime) -> Option<NaiveDateTime>;

    /// A VTIMEZONE with the IANA name as its TZID that is right from `from` on, its lines joined by LF. `None`: the name alone is
    /// written, which RFC 7809 readers understand.
    fn vtimezone(&self, zone: &str, from: NaiveDateTime) -> Option<String>;
}

/// Knows no more than what stands there: names that look like IANA names are, and the rules of UTC alone.
#[derive(Clone, Copy, Debug, Default)]
pub struct AsWritten;

/// The areas of the IANA database.
const AREAS: [&str; 11] = [
    "Africa",
    "America",
    "Antarctica",
    "Arctic",
    "Asia",
    "Atlantic",
    "Australia",
    "Etc",
    "Europe",
    "Indian",
    "Pacific",
];

impl ZoneNames for AsWritten {
    fn iana(&self, tzid: &str, _rules: Option<&str>) -> Option<String> {
        if ["UTC", "GMT", "Etc/UTC", "Z"].iter().any(|name| name.eq_ignore_ascii_case(tzid)) {
            return Some(UTC.to_owned());
        }
        let (area, place) = tzid.split_once('/')?;
        let is_place = !place.is_empty() && place.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-+/".contains(&b));
        (AREAS.contains(&area) && is_place).then(|| tzid.to_owned())
    }

    fn to_utc(&self, zone: &str, local: NaiveDateTime) -> Option<NaiveDateTime> {
        (zone == UTC).then_some(local)
    }

    fn to_local(&self, zone: &str, utc: NaiveDateTime) -> Option<NaiveDateTime> {
        (zone == UTC).then_some(utc)
    }

    fn vtimezone(&self, _zone: &str, _from: NaiveDateTime) -> Option<String> {
        None
    }
}
