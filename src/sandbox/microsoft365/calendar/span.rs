//! When things are: instances of events in a window of time.

use chrono::{DateTime, Days, NaiveDate, NaiveDateTime};

use super::super::reply::Refusal;
use super::body::Body;
use super::zones::read_local;
use crate::Switches;

/// A window of instants; the end does not belong to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    pub from: NaiveDateTime,
    pub to: NaiveDateTime,
}

impl Window {
    /// Reads the two ends from a query.
    pub fn read(from: Option<&str>, to: Option<&str>, switches: &Switches) -> Result<Self, Refusal> {
        let (Some(from), Some(to)) = (from, to) else {
            let text = "This request requires a time window specified by the query string parameters StartDateTime and \
                        EndDateTime.";
            return Err(Refusal::new(400, "ErrorInvalidParameter", text));
        };
        let window = Self { from: read_instant("startDateTime", from)?, to: read_instant("endDateTime", to)? };
        if window.to < window.from {
            let text = "The end of the time window is before its start.";
            return Err(Refusal::new(400, "ErrorInvalidParameter", text));
        }
        let most = switches.graph_most_window_days;
        if most > 0 && (window.to - window.from).num_days() > most {
            let text = format!("The calendar view range cannot be more than {most} days.");
            return Err(Refusal::new(400, "ErrorCalendarViewRangeTooBig", text));
        }
        Ok(window)
    }

    fn touches(&self, from: NaiveDateTime, to: NaiveDateTime) -> bool {
        from < self.to && (to > self.from || (from == to && from >= self.from))
    }
}

/// An instant with an offset, or in UTC when there is none.
pub(super) fn read_instant(name: &str, text: &str) -> Result<NaiveDateTime, Refusal> {
    // A plus that was not encoded arrives as a space.
    let time = DateTime::parse_from_rfc3339(&text.replace(' ', "+")).map(|time| time.naive_utc());
    let date = || text.parse::<NaiveDate>().ok().map(NaiveDateTime::from);
    let found = time.ok().or_else(|| read_local(text)).or_else(date);
    found.ok_or_else(|| {
        let text = format!("The value '{text}' of parameter '{name}' is invalid.");
        Refusal::new(400, "ErrorInvalidParameter", text)
    })
}

/// One event on the time line, or one occurrence of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Instance {
    /// The day that the rule names; none for an event that is no series.
    pub date: Option<NaiveDate>,
    pub start: NaiveDateTime,
    pub is_exception: bool,
}

/// What of an event lies in a window, by time. Cancelled occurrences are not there.
pub(super) fn instances(body: &Body, window: &Window) -> Vec<Instance> {
    let Some(series) = &body.series else {
        let (start, end) = (body.start.instant(), body.end.instant());
        let is_inside = window.touches(start, end);
        return Vec::from_iter(is_inside.then_some(Instance { date: None, start, is_exception: false }));
    };
    let mut found = Vec::new();
    let length = body.end.instant() - body.start.instant();
    let day = |instant: NaiveDateTime| instant.date();
    // A day more at both ends, for zones.
    let first = day(window.from - length).checked_sub_days(Days::new(1)).unwrap_or(NaiveDate::MIN);
    let last = day(window.to).checked_add_days(Days::new(1)).unwrap_or(NaiveDate::MAX);
    for date in series.rule.dates().skip_while(|date| *date < first).take_while(|date| *date <= last) {
        if series.cancelled.contains(&date) || series.exceptions.contains_key(&date) {
            continue;
        }
        let (start, end) = body.planned_on(date);
        let (start, end) = (start.instant(), end.instant());
        if window.touches(start, end) {
            found.push(Instance { date: Some(date), start, is_exception: false });
        }
    }
    for date in series.exceptions.keys() {
        let (start, end) = body.times_on(*date);
        let (start, end) = (start.instant(), end.instant());
        if window.touches(start, end) {
            found.push(Instance { date: Some(*date), start, is_exception: true });
        }
    }
    found.sort_by_key(|instance| instance.start);
    found
}
