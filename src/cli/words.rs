//! Numbers as people read them.

pub use crate::endpoint::page::bytes;

/// `1,234`.
pub fn count(number: impl TryInto<u64>) -> String {
    let digits = number.try_into().unwrap_or(u64::MAX).to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1,234 messages`, and `1 message`.
pub fn many(number: usize, of_one: &str) -> String {
    format!("{} {of_one}{}", count(number as u64), if number == 1 { "" } else { "s" })
}

/// A span of time, as far as it matters: `45 s`, `40 min`, `2 h 5 min`, `3 days`.
pub fn span(seconds: u64) -> String {
    let minutes = seconds.div_ceil(60);
    match seconds {
        0..90 => format!("{seconds} s"),
        90..5_400 => format!("{minutes} min"),
        5_400..172_800 if minutes.is_multiple_of(60) => format!("{} h", minutes / 60),
        5_400..172_800 => format!("{} h {} min", minutes / 60, minutes % 60),
        _ => format!("{} days", seconds.div_ceil(86_400)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_in_threes() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (20_000, "20,000"), (1_234_567, "1,234,567")] {
            assert_eq!(count(number as u64), text);
        }
        assert_eq!((many(1, "message").as_str(), many(1_200, "message").as_str()), ("1 message", "1,200 messages"));
    }

    #[test]
    fn bytes_are_told_in_two_digits_or_three() {
        let table = [
            (0, "0 bytes"),
            (999, "999 bytes"),
            (1_000, "1.0 kB"),
            (8_450, "8.5 kB"),
            (85_000, "85 kB"),
            (999_999, "1.0 MB"),
            (85_000_000, "85 MB"),
            (1_250_000_000, "1.3 GB"),
            (4_000_000_000_000, "4 TB"),
        ];
        for (number, text) in table {
            assert_eq!(bytes(number), text, "{number}");
        }
    }

    #[test]
    fn spans_are_told_as_far_as_they_matter() {
        let table = [
            (0, "0 s"),
            (89, "89 s"),
            (90, "2 min"),
            (2_400, "40 min"),
            (7_200, "2 h"),
            (7_300, "2 h 2 min"),
            (200_000, "3 days"),
        ];
        for (seconds, text) in table {
            assert_eq!(span(seconds), text, "{seconds}");
        }
    }
}
