//! A series in Exchange's own bytes (PidLidAppointmentRecur, MS-OXOCAL 2.2.1.44): the one index of its exceptions that comes without a
//! window. Only the days are read: of every occurrence that was taken out or changed, by its original date in the zone of the series.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{Duration, NaiveDate};

/// No series has more exceptions than this; more are a sign that the bytes are something else.
const MOST: usize = 100_000;

/// What the bytes say of a series' exceptions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Index {
    /// The days of occurrences that were taken out or changed, by their original dates.
    pub changed: Vec<NaiveDate>,
    /// The days on which those that were changed take place now.
    pub moved_to: Vec<NaiveDate>,
}

/// Reads the bytes; `None` where they cannot be understood.
pub fn read(base64: &str) -> Option<Index> {
    let bytes = STANDARD.decode(base64.trim()).ok()?;
    let mut at = Reader { bytes: &bytes };
    // ReaderVersion and WriterVersion.
    if (at.word()?, at.word()?) != (0x3004, 0x3004) {
        return None;
    }
    let _frequency = at.word()?;
    let pattern = at.word()?;
    let _calendar = at.word()?;
    // FirstDateTime, Period, SlidingFlag.
    at.skip(12)?;
    // PatternTypeSpecific: nothing for days, a mask of weekdays, a day of the month, or a mask and a position.
    at.skip(match pattern {
        0x0 => 0,
        0x1 | 0x2 | 0x4 | 0xa | 0xc => 4,
        0x3 | 0xb => 8,
        _ => return None,
    })?;
    // EndType, OccurrenceCount, FirstDOW.
    at.skip(12)?;
    Some(Index { changed: at.days()?, moved_to: at.days()? })
}

/// Minutes since 1601.
fn day(minutes: u32) -> Option<NaiveDate> {
    NaiveDate::from_ymd_opt(1601, 1, 1)?.checked_add_signed(Duration::minutes(i64::from(minutes)))
}

/// Little-endian numbers, one after the other.
struct Reader<'a> {
    bytes: &'a [u8],
}

impl Reader<'_> {
    fn skip(&mut self, count: usize) -> Option<()> {
        self.bytes = self.bytes.get(count..)?;
        Some(())
    }

    /// A count and as many days.
    fn days(&mut self) -> Option<Vec<NaiveDate>> {
        let count = usize::try_from(self.long()?).ok().filter(|count| *count <= MOST)?;
        (0..count).map(|_| day(self.long()?)).collect()
    }

    fn word(&mut self) -> Option<u16> {
        let (word, rest) = self.bytes.split_first_chunk()?;
        self.bytes = rest;
        Some(u16::from_le_bytes(*word))
    }

    fn long(&mut self) -> Option<u32> {
        let (long, rest) = self.bytes.split_first_chunk()?;
        self.bytes = rest;
        Some(u32::from_le_bytes(*long))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A series of a pattern, with these days taken out or changed, and those to which the changed ones were moved, in days since 1601.
    fn blob(pattern: u16, specific: usize, days: &[u32], moved_to: &[u32]) -> Vec<u8> {
        let mut bytes: Vec<u8> =
            [0x3004, 0x3004, 0x200b, pattern, 0].iter().flat_map(|word: &u16| word.to_le_bytes()).collect();
        bytes.extend(vec![0; 12 + specific + 12]);
        for days in [days, moved_to] {
            bytes.extend(u32::try_from(days.len()).unwrap().to_le_bytes());
            days.iter().for_each(|day| bytes.extend((day * 1440).to_le_bytes()));
        }
        bytes
    }

    #[test]
    fn exception_in_year_9() {
        // What happens nine years after the start is in the index all the same.
        let date = |year, month, day| NaiveDate::from_ymd_opt(year, month, day).unwrap();
        let since = |day: NaiveDate| u32::try_from((day - date(1601, 1, 1)).num_days()).unwrap();
        let (first, late, moved) = (date(2026, 3, 2), date(2035, 3, 5), date(2035, 3, 6));
        for (pattern, specific) in [(0, 0), (1, 4), (2, 4), (4, 4), (3, 8), (0xa, 4), (0xb, 8), (0xc, 4)] {
            let bytes = blob(pattern, specific, &[since(first), since(late)], &[since(moved)]);
            let index = Index { changed: vec![first, late], moved_to: vec![moved] };
            assert_eq!(read(&STANDARD.encode(bytes)), Some(index), "pattern {pattern}");
        }
    }

    #[test]
    fn bytes_that_are_something_else_say_nothing() {
        let whole = blob(1, 4, &[155_197], &[155_198]);
        for cut in 0..whole.len() {
            assert_eq!(read(&STANDARD.encode(&whole[..cut])), None, "{cut} bytes");
        }
        assert_eq!(read("no base64!"), None);
        assert_eq!(read(&STANDARD.encode(blob(9, 4, &[], &[]))), None);
        let mut many = blob(0, 0, &[], &[]);
        many[34..38].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(read(&STANDARD.encode(many)), None);
    }
}
