//! The rules of a zone in Exchange's own bytes (PidLidTimeZoneStruct, MS-OXOCAL 2.2.1.39): what a series has that was made in a zone that
//! has no name, or one that nobody knows.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fmt::Write as _;
use twofold_model::zone::{Rules, vtimezone};

/// Weekdays as Windows counts them, from Sunday.
const DAYS: [&str; 7] = ["SU", "MO", "TU", "WE", "TH", "FR", "SA"];
/// No zone is further from UTC than this, in minutes.
const FURTHEST: i32 = 16 * 60;

/// The rules of a zone; `None` where the bytes cannot be understood, or speak of one year only.
pub fn rules(base64: &str) -> Option<Rules> {
    let bytes = STANDARD.decode(base64.trim()).ok()?;
    let long = |at: usize| Some(i32::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
    let (bias, standard, daylight) = (long(0)?, long(4)?, long(8)?);
    let to_standard = Change::read(bytes.get(14..30)?)?;
    let to_daylight = Change::read(bytes.get(32..48)?)?;
    // Minutes that lead from local time to UTC.
    let east = |minutes: i32| bias.checked_add(minutes)?.checked_neg().filter(|east| east.abs() <= FURTHEST);
    if to_standard.month == 0 || to_daylight.month == 0 {
        return Some(Rules::fixed(east(if to_standard.month == 0 { 0 } else { standard })? * 60));
    }
    let (standard, daylight) = (east(standard)?, east(daylight)?);
    let mut text = String::from("BEGIN:VTIMEZONE\nTZID:x\n");
    to_standard.write("STANDARD", daylight, standard, &mut text)?;
    to_daylight.write("DAYLIGHT", standard, daylight, &mut text)?;
    text.push_str("END:VTIMEZONE\n");
    Some(vtimezone::parse(&text).ok()?.rules)
}

/// When the clocks change, each year.
struct Change {
    month: u16,
    /// From Sunday.
    weekday: u16,
    /// The how-manieth of the month; 5 is the last.
    nth: u16,
    hour: u16,
    minute: u16,
}

impl Change {
    /// A SYSTEMTIME whose year is 0.
    fn read(bytes: &[u8]) -> Option<Change> {
        let word = |at: usize| Some(u16::from_le_bytes(*bytes.get(2 * at..)?.first_chunk()?));
        let (year, month) = (word(0)?, word(1)?);
        let change = Change { month, weekday: word(2)?, nth: word(3)?, hour: word(4)?, minute: word(5)? };
        let is_day = change.weekday < 7 && (1..=5).contains(&change.nth) && change.hour < 24 && change.minute < 60;
        (year == 0 && (month == 0 || (month <= 12 && is_day))).then_some(change)
    }

    fn write(&self, name: &str, before: i32, after: i32, text: &mut String) -> Option<()> {
        let offset = |minutes: i32| {
            let sign = if minutes < 0 { '-' } else { '+' };
            format!("{sign}{:02}{:02}", minutes.abs() / 60, minutes.abs() % 60)
        };
        let nth = if self.nth == 5 { -1 } else { i32::from(self.nth) };
        let day = DAYS.get(usize::from(self.weekday))?;
        let (month, hour, minute) = (self.month, self.hour, self.minute);
        // Writing to a string never fails.
        let _ = write!(
            text,
            "BEGIN:{name}\nDTSTART:19700101T{hour:02}{minute:02}00\nRRULE:FREQ=YEARLY;BYMONTH={month};BYDAY={nth}{day}\n\
             TZOFFSETFROM:{}\nTZOFFSETTO:{}\nEND:{name}\n",
            offset(before),
            offset(after)
        );
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use twofold_model::event::local;

    /// Bias, standard, daylight in minutes; month, weekday, how-manieth, hour of each change.
    fn bytes(biases: [i32; 3], to_standard: [u16; 4], to_daylight: [u16; 4]) -> String {
        let mut bytes: Vec<u8> = biases.iter().flat_map(|bias| bias.to_le_bytes()).collect();
        for [month, weekday, nth, hour] in [to_standard, to_daylight] {
            // The year twice, then the date: month, weekday, day, hour, minute, second, milliseconds.
            let words = [0, 0, month, weekday, nth, hour, 0, 0, 0];
            bytes.extend(words.iter().flat_map(|word: &u16| word.to_le_bytes()));
        }
        STANDARD.encode(bytes)
    }

    #[test]
    fn the_clocks_change_when_the_bytes_say() {
        // Berlin: an hour east, from the last Sunday of March, 2:00, to that of October, 3:00.
        let rules = rules(&bytes([-60, 0, -60], [10, 0, 5, 3], [3, 0, 5, 2])).unwrap();
        let utc = |text: &str| rules.to_utc(local(text).unwrap()).format("%H:%M").to_string();
        assert_eq!(utc("2026-03-28T12:00:00"), "11:00");
        assert_eq!(utc("2026-03-29T12:00:00"), "10:00");
        assert_eq!(utc("2026-10-24T12:00:00"), "10:00");
        assert_eq!(utc("2026-10-25T12:00:00"), "11:00");
    }

    #[test]
    fn a_zone_without_summer_is_an_offset() {
        let rules = rules(&bytes([-330, 0, 0], [0; 4], [0; 4])).unwrap();
        assert_eq!(rules, Rules::fixed(330 * 60));
    }

    #[test]
    fn bytes_that_are_something_else_say_nothing() {
        let whole = STANDARD.decode(bytes([-60, 0, -60], [10, 0, 5, 3], [3, 0, 5, 2])).unwrap();
        for cut in 0..whole.len() {
            assert_eq!(rules(&STANDARD.encode(&whole[..cut])), None, "{cut} bytes");
        }
        assert_eq!(rules(&bytes([i32::MIN, 0, 0], [10, 0, 5, 3], [3, 0, 5, 2])), None);
        assert_eq!(rules(&bytes([-60, 0, -60], [10, 9, 5, 3], [3, 0, 5, 2])), None);
        assert_eq!(rules("no base64!"), None);
    }
}
