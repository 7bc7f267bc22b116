//! What a file in a device folder is: one whole calendar item, or why not ([`check_whole`]).

use super::doc::{Part, file_of};
use crate::Uid;
use crate::contentline::File;
use std::collections::BTreeSet;
use std::fmt;

/// What is told of a file that holds one whole item: an event, a series with its overrides, or occurrences of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CalendarFile {
    /// The item's UID, trimmed; `None` when it has none.
    pub uid: Option<Uid>,
}

/// Why a file cannot be taken as one calendar item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileProblem {
    /// A calendar begins and does not end: somebody is still writing, or stopped in the middle. Look again later.
    HalfWritten,
    /// Items of so many UIDs, or so many calendars. A vdir file holds one item.
    Several(usize),
    /// Nothing but things of other kinds, which are left alone: their names (`VTODO`).
    NotEvents(String),
    /// No calendar begins here.
    NoCalendar,
    /// Over a limit of [`crate::contentline::Limits`]: which one.
    TooLarge(String),
    /// The bytes are no calendar in any way that is understood: how.
    Unreadable(String),
}

impl fmt::Display for FileProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FileProblem::HalfWritten => f.write_str("the calendar has no END:VCALENDAR (half-written)"),
            FileProblem::Several(count) => write!(f, "{count} calendar items in one file; one is expected"),
            FileProblem::NotEvents(names) => write!(f, "no event in the file, but {names}: left alone"),
            FileProblem::NoCalendar => f.write_str("no BEGIN:VCALENDAR in the file"),
            FileProblem::TooLarge(what) => write!(f, "too large: {what}"),
            FileProblem::Unreadable(how) => write!(f, "unreadable: {how}"),
        }
    }
}

impl std::error::Error for FileProblem {}

/// Components that are the frame of items, not items.
const FRAMES: [&str; 2] = ["VTIMEZONE", "VALARM"];

/// Tells whether `bytes` are exactly one whole item of the kind calendar (RFC 5545 3.4, RFC 4791 4.1).
///
/// # Errors
/// The [`FileProblem`] that is found first, in the order too large, unreadable, no calendar, half-written, several, not events.
pub fn check_whole(bytes: &[u8]) -> Result<CalendarFile, FileProblem> {
    let file = file_of(bytes)?;
    let calendar = only_calendar(&file)?;
    Ok(CalendarFile { uid: the_uid(&calendar)?.map(Uid) })
}

/// The one calendar of a file, whole.
pub(super) fn only_calendar(file: &File) -> Result<Part, FileProblem> {
    let components = file.components();
    let roots: Vec<usize> = (0..components.len()).filter(|at| components[*at].parent.is_none()).collect();
    let calendars: Vec<usize> = roots.into_iter().filter(|at| components[*at].name == "VCALENDAR").collect();
    let [calendar] = calendars[..] else {
        return Err(match calendars.len() {
            0 if file.write().contains(&0) => {
                FileProblem::Unreadable("zero bytes: text of two bytes per character without a mark?".into())
            }
            0 => FileProblem::NoCalendar,
            _ if calendars.iter().any(|at| components[*at].end.is_none()) => FileProblem::HalfWritten,
            count => FileProblem::Several(count),
        });
    };
    if components[calendar].end.is_none() {
        return Err(FileProblem::HalfWritten);
    }
    let open = components.iter().enumerate().find(|(_, component)| component.end.is_none());
    if let Some((_, component)) = open {
        return Err(FileProblem::Unreadable(format!("a {} does not end", component.name)));
    }
    let calendar = Part::of(file, calendar);
    let version = calendar.props.iter().find(|prop| prop.name == "VERSION").map(|prop| prop.content.value().trim());
    if version.is_some_and(|version| version.starts_with("1.")) {
        return Err(FileProblem::Unreadable("vCalendar 1.0; iCalendar 2.0 is expected".into()));
    }
    let scale = calendar.props.iter().find(|prop| prop.name == "CALSCALE").map(|prop| prop.content.value().trim());
    if scale.is_some_and(|scale| !scale.is_empty() && !scale.eq_ignore_ascii_case("GREGORIAN")) {
        return Err(FileProblem::Unreadable("a calendar that is not Gregorian".into()));
    }
    Ok(calendar)
}

/// The UID of a calendar's only item.
pub(super) fn the_uid(calendar: &Part) -> Result<Option<String>, FileProblem> {
    let items = || calendar.inner.iter().filter(|part| !FRAMES.contains(&part.name.as_str()));
    if !items().any(|part| part.name == "VEVENT") {
        let names: BTreeSet<&str> = items().map(|part| part.name.as_str()).collect();
        let names = names.into_iter().collect::<Vec<_>>().join(", ");
        return Err(if names.is_empty() {
            FileProblem::Unreadable("a calendar with nothing in it".into())
        } else {
            FileProblem::NotEvents(names)
        });
    }
    let mut uids: BTreeSet<String> = BTreeSet::new();
    // Events without UID have nothing in common.
    let (mut nameless, mut others) = (0, 0);
    for part in items() {
        match part.name.as_str() {
            "VEVENT" => match part.prop("UID").and_then(|prop| prop.word()) {
                Some(uid) => drop(uids.insert(uid)),
                None => nameless += 1,
            },
            // What deletes the file would delete them too.
            "VTODO" | "VJOURNAL" | "VFREEBUSY" | "VAVAILABILITY" | "VPOLL" => others += 1,
            _ => {}
        }
    }
    match uids.len() + nameless + others {
        1 => Ok(uids.into_iter().next()),
        count => Err(FileProblem::Several(count)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calendar(inner: &str) -> Vec<u8> {
        format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{inner}END:VCALENDAR\r\n").into_bytes()
    }

    #[test]
    fn a_file_is_one_whole_item_or_says_why_not() {
        let one = calendar("BEGIN:VEVENT\r\nUID: a-1 \r\nEND:VEVENT\r\n");
        assert_eq!(check_whole(&one).unwrap().uid, Some(Uid("a-1".into())));
        for cut in 16..one.len() - 2 {
            assert_eq!(check_whole(&one[..cut]), Err(FileProblem::HalfWritten), "{cut}");
        }
        let series =
            calendar("BEGIN:VEVENT\nUID:a\nEND:VEVENT\nBEGIN:VEVENT\nUID:a\nRECURRENCE-ID:20260101\nEND:VEVENT\n");
        assert_eq!(check_whole(&series).unwrap().uid, Some(Uid("a".into())));
        let nameless = "BEGIN:VEVENT\nEND:VEVENT\n";
        assert_eq!(check_whole(&calendar(nameless)).unwrap().uid, None);
        assert_eq!(check_whole(&calendar(&nameless.repeat(2))), Err(FileProblem::Several(2)));
        let two = calendar("BEGIN:VEVENT\nUID:a\nEND:VEVENT\nBEGIN:VEVENT\nUID:b\nEND:VEVENT\n");
        assert_eq!(check_whole(&two), Err(FileProblem::Several(2)));
        let mixed = calendar("BEGIN:VEVENT\nUID:a\nEND:VEVENT\nBEGIN:VTODO\nUID:a\nEND:VTODO\n");
        assert_eq!(check_whole(&mixed), Err(FileProblem::Several(2)), "a task that would go with the event");
        assert_eq!(check_whole(&[one.clone(), one.clone()].concat()), Err(FileProblem::Several(2)));
        let task =
            calendar("BEGIN:VTODO\nUID:a\nBEGIN:VALARM\nEND:VALARM\nEND:VTODO\nBEGIN:VTIMEZONE\nEND:VTIMEZONE\n");
        assert_eq!(check_whole(&task), Err(FileProblem::NotEvents("VTODO".into())));
        assert!(matches!(check_whole(&calendar("")), Err(FileProblem::Unreadable(_))));
        assert_eq!(check_whole(b""), Err(FileProblem::NoCalendar));
        assert_eq!(check_whole(b"BEGIN:VEVENT\nEND:VEVENT\n"), Err(FileProblem::NoCalendar));
        assert!(matches!(check_whole(&calendar("BEGIN:VEVENT\n")), Err(FileProblem::Unreadable(_))));
        assert!(matches!(
            check_whole(b"BEGIN:VCALENDAR\nVERSION:1.0\nEND:VCALENDAR\n"),
            Err(FileProblem::Unreadable(_))
        ));
        assert!(matches!(check_whole(b"B\0E\0G\0"), Err(FileProblem::Unreadable(_))));
        assert!(matches!(check_whole(&vec![b'x'; 40 << 20]), Err(FileProblem::TooLarge(_))));
    }
}
