//! PidLidAppointmentRecur: the rule of a series and its exceptions in Exchange's own bytes (MS-OXOCAL 2.2.1.44), as an
//! extended property of the master. It names every deleted and every changed day, without a window.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{Datelike, Days, NaiveDate, NaiveDateTime, Timelike};
use serde_json::Value;

use super::body::{Body, Override, Series};
use super::rule::{End, Kind, LAST, Rule};
use super::zones::When;

/// The property's canonical id.
pub(super) const ID: &str = "Binary {00062002-0000-0000-c000-000000000046} Id 0x8216";
/// The end of a series that has none: the last day of the year 4500.
const NO_END: u32 = 0x5AE9_80DF;
const SUBJECT: u16 = 0x0001;
const REMINDER_DELTA: u16 = 0x0004;
const REMINDER: u16 = 0x0008;
const LOCATION: u16 = 0x0010;
const BUSY_STATUS: u16 = 0x0020;
const ALL_DAY: u16 = 0x0080;

/// The property's value for a series, in base64.
pub(super) fn write(body: &Body) -> Option<String> {
    let series = body.series.as_ref()?;
    let mut bytes = Bytes::default();
    pattern(&mut bytes, body, series);
    bytes.long(0x3006);
    bytes.long(0x3009);
    let start = body.start.local.time().num_seconds_from_midnight() / 60;
    bytes.long(start);
    let lasting = (body.end.in_zone(&body.start.zone).local - body.start.local).num_minutes();
    bytes.long(start + u32::try_from(lasting).unwrap_or(0));
    bytes.short(series.exceptions.len());
    for (date, own) in &series.exceptions {
        exception(&mut bytes, body, *date, own);
    }
    bytes.long(0);
    for (date, own) in &series.exceptions {
        extended(&mut bytes, body, *date, own);
    }
    bytes.long(0);
    Some(STANDARD.encode(bytes.0))
}

/// The `RecurrencePattern` structure.
fn pattern(bytes: &mut Bytes, body: &Body, series: &Series) {
    let rule = &series.rule;
    let (frequency, kind) = match rule.kind {
        Kind::Daily => (0x200A, 0),
        Kind::Weekly => (0x200B, 1),
        Kind::AbsoluteMonthly => (0x200C, 2),
        Kind::RelativeMonthly => (0x200C, 3),
        Kind::AbsoluteYearly => (0x200D, 2),
        Kind::RelativeYearly => (0x200D, 3),
    };
    for word in [0x3004, 0x3004, frequency, kind, 0] {
        bytes.short(word);
    }
    let period = match rule.kind {
        Kind::Daily => rule.interval * 1440,
        Kind::AbsoluteYearly | Kind::RelativeYearly => rule.interval * 12,
        _ => rule.interval,
    };
    bytes.long(first_date_time(rule, period));
    bytes.long(period);
    bytes.long(0);
    let days = rule.days.iter().fold(0, |bits, day| bits | 1 << day.num_days_from_sunday());
    match rule.kind {
        Kind::Daily => {}
        Kind::Weekly => bytes.long(days),
        Kind::AbsoluteMonthly | Kind::AbsoluteYearly => bytes.long(rule.day_of_month),
        Kind::RelativeMonthly | Kind::RelativeYearly => {
            bytes.long(days);
            bytes.long(if rule.index == LAST { 5 } else { u32::try_from(rule.index).unwrap_or(0) + 1 });
        }
    }
    let (end, count, last) = match rule.end {
        End::On(last) => (0x2021, u32::try_from(rule.dates().count()).unwrap_or(0), midnight(last)),
        End::After(count) => (0x2022, count, rule.dates().last().map_or(NO_END, midnight)),
        End::Never => (0x2023, 10, NO_END),
    };
    bytes.long(end);
    bytes.long(count);
    bytes.long(rule.first_day.num_days_from_sunday());
    // The list of deleted days holds the changed ones as well.
    let mut gone: Vec<NaiveDate> = series.cancelled.iter().chain(series.exceptions.keys()).copied().collect();
    gone.sort_unstable();
    bytes.list(gone.into_iter().map(midnight));
    let mut changed: Vec<u32> =
        series.exceptions.keys().map(|date| midnight(local(body, &body.times_on(*date).0).date())).collect();
    changed.sort_unstable();
    bytes.list(changed.into_iter());
    bytes.long(midnight(rule.start));
    bytes.long(last);
}

/// Where the first round begins, counted from 1601 in whole rounds.
fn first_date_time(rule: &Rule, period: u32) -> u32 {
    let start = midnight(rule.start);
    match rule.kind {
        Kind::Daily => start % period.max(1),
        Kind::Weekly => {
            let since = rule.start.weekday().days_since(rule.first_day);
            let week = rule.start.checked_sub_days(Days::new(since.into())).unwrap_or(rule.start);
            midnight(week) % (period * 7 * 1440).max(1)
        }
        _ => {
            let months = u32::try_from((rule.start.year() - 1601) * 12).unwrap_or(0) + rule.start.month0();
            let over = months % period.max(1);
            let date = NaiveDate::from_ymd_opt(1601 + i32::try_from(over / 12).unwrap_or(0), over % 12 + 1, 1);
            date.map_or(0, midnight)
        }
    }
}

/// One `ExceptionInfo` structure.
fn exception(bytes: &mut Bytes, body: &Body, date: NaiveDate, own: &Override) {
    times(bytes, body, date);
    let number = |name: &str| own.fields.get(name).and_then(Value::as_u64).and_then(|number| number.try_into().ok());
    let flag = |name: &str| own.fields.get(name).map(|value| u32::from(*value == true));
    let minutes: Option<u32> = number("reminderMinutesBeforeStart");
    let busy = own.fields.get("showAs").and_then(Value::as_str).map(|text| match text {
        "free" => 0,
        "tentative" => 1,
        "oof" => 3,
        "workingElsewhere" => 4,
        _ => 2,
    });
    let flags = [
        (SUBJECT, subject(own).is_some()),
        (REMINDER_DELTA, minutes.is_some()),
        (REMINDER, flag("isReminderOn").is_some()),
        (LOCATION, location(own).is_some()),
        (BUSY_STATUS, busy.is_some()),
        (ALL_DAY, flag("isAllDay").is_some()),
    ];
    bytes.short(flags.iter().filter(|(_, is_set)| *is_set).map(|(bit, _)| usize::from(*bit)).sum());
    // In the order of the flags: numbers as four bytes, texts in one byte a letter with both their lengths before them.
    if let Some(text) = subject(own) {
        bytes.narrow(text);
    }
    for number in minutes.into_iter().chain(flag("isReminderOn")) {
        bytes.long(number);
    }
    if let Some(text) = location(own) {
        bytes.narrow(text);
    }
    for number in busy.into_iter().chain(flag("isAllDay")) {
        bytes.long(number);
    }
}

/// One `ExtendedException` structure: the texts once more, whole.
fn extended(bytes: &mut Bytes, body: &Body, date: NaiveDate, own: &Override) {
    bytes.long(4);
    bytes.long(0);
    bytes.long(0);
    if subject(own).is_none() && location(own).is_none() {
        return;
    }
    times(bytes, body, date);
    for text in [subject(own), location(own)].into_iter().flatten() {
        bytes.wide(text);
    }
    bytes.long(0);
}

/// Start and end as they are, and the start as the rule has it.
fn times(bytes: &mut Bytes, body: &Body, date: NaiveDate) {
    let (start, end) = body.times_on(date);
    bytes.long(minutes(local(body, &start)));
    bytes.long(minutes(local(body, &end)));
    bytes.long(minutes(body.planned_on(date).0.local));
}

fn subject(own: &Override) -> Option<&str> {
    own.fields.get("subject").and_then(Value::as_str)
}

fn location(own: &Override) -> Option<&str> {
    own.fields.get("location").and_then(|location| location["displayName"].as_str())
}

fn local(body: &Body, when: &When) -> NaiveDateTime {
    when.in_zone(&body.start.zone).local
}

fn midnight(date: NaiveDate) -> u32 {
    minutes(date.into())
}

/// Minutes since the beginning of 1601.
fn minutes(local: NaiveDateTime) -> u32 {
    u32::try_from(local.and_utc().timestamp() / 60 + 194_074_560).unwrap_or(0)
}

/// Numbers with their lowest byte first.
#[derive(Default)]
struct Bytes(Vec<u8>);

impl Bytes {
    fn short(&mut self, number: usize) {
        self.0.extend(u16::try_from(number).unwrap_or(u16::MAX).to_le_bytes());
    }

    fn long(&mut self, number: u32) {
        self.0.extend(number.to_le_bytes());
    }

    fn list(&mut self, numbers: impl ExactSizeIterator<Item = u32>) {
        self.long(u32::try_from(numbers.len()).unwrap_or(0));
        numbers.for_each(|number| self.long(number));
    }

    fn narrow(&mut self, text: &str) {
        let letters: Vec<u8> = text.chars().map(|letter| u8::try_from(letter).unwrap_or(b'?')).collect();
        self.short(letters.len() + 1);
        self.short(letters.len());
        self.0.extend(letters);
    }

    fn wide(&mut self, text: &str) {
        let letters: Vec<u16> = text.encode_utf16().collect();
        self.short(letters.len());
        letters.iter().for_each(|letter| self.0.extend(letter.to_le_bytes()));
    }
}
