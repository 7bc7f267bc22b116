//! Dates of BDAY, ANNIVERSARY and their kin (RFC 6350 4.3, RFC 2426 3.1.5) against those of a Card (RFC 9553 2.8.1).

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use serde_json::{Map, Value, json};

/// What a date property says: a `date` object, or words.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Said {
    /// `{year?, month?, day?}` or `{utc}`.
    Date(Value),
    /// Anything that is no date.
    Words(String),
}

/// Reads a date. A time of midnight, or without a zone, says nothing but its day; another time with a zone is an instant.
/// `omitted_year` is X-APPLE-OMIT-YEAR: the year that stands for none.
pub(super) fn read(text: &str, omitted_year: Option<&str>) -> Said {
    let text = text.trim();
    let words = || Said::Words(text.to_owned());
    let (date, time) = match text.split_once(['T', 't', ' ']) {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let Some((year, month, day)) = parts(date) else { return words() };
    let year = year.filter(|year| omitted_year.and_then(|omitted| omitted.trim().parse().ok()) != Some(*year));
    if !is_real(year, month, day) {
        return words();
    }
    if let Some(time) = time {
        match instant(date, time) {
            Some(Some(instant)) if year.is_some() => {
                return Said::Date(json!({"utc": instant.to_rfc3339_opts(SecondsFormat::Secs, true)}));
            }
            Some(_) => {}
            None => return words(),
        }
    }
    let mut entry = Map::new();
    for (name, value) in [("year", year), ("month", month), ("day", day)] {
        if let Some(value) = value {
            entry.insert(name.into(), Value::from(value));
        }
    }
    if entry.is_empty() { words() } else { Said::Date(Value::Object(entry)) }
}

/// Writes a date, in the long form of vCard 3.0 or the short form of 4.0; `None` for one that has no form.
pub(super) fn write(date: &Value, long: bool) -> Option<String> {
    let date = date.as_object()?;
    if let (1, Some(utc)) = (date.len(), date.get("utc")) {
        let instant = DateTime::parse_from_rfc3339(utc.as_str()?).ok()?.with_timezone(&Utc);
        let form = if long { "%Y-%m-%dT%H:%M:%SZ" } else { "%Y%m%dT%H%M%SZ" };
        return Some(instant.format(form).to_string());
    }
    let number = |name: &str| match date.get(name) {
        None => Some(None),
        Some(value) => value.as_u64().and_then(|n| u32::try_from(n).ok()).map(Some),
    };
    let (year, month, day) = (number("year")?, number("month")?, number("day")?);
    if !is_real(year, month, day) || date.keys().any(|key| !matches!(key.as_str(), "year" | "month" | "day")) {
        return None;
    }
    let dash = if long { "-" } else { "" };
    Some(match (year, month, day) {
        (Some(y), Some(m), Some(d)) => format!("{y:04}{dash}{m:02}{dash}{d:02}"),
        (Some(y), Some(m), None) => format!("{y:04}-{m:02}"),
        (Some(y), None, None) => format!("{y:04}"),
        (None, Some(m), Some(d)) => format!("--{m:02}{dash}{d:02}"),
        (None, Some(m), None) => format!("--{m:02}"),
        (None, None, Some(d)) => format!("---{d:02}"),
        _ => return None,
    })
}

type Parts = (Option<u32>, Option<u32>, Option<u32>);

fn parts(date: &str) -> Option<Parts> {
    let digits = |text: &str, count: usize| {
        (text.len() == count && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse::<u32>().ok()).flatten()
    };
    if let Some(day) = date.strip_prefix("---") {
        return Some((None, None, Some(digits(day, 2)?)));
    }
    if let Some(rest) = date.strip_prefix("--") {
        let rest = rest.replace('-', "");
        return match rest.len() {
            2 => Some((None, Some(digits(&rest, 2)?), None)),
            _ => Some((None, digits(rest.get(..2)?, 2), Some(digits(rest.get(2..)?, 2)?))),
        };
    }
    let fields: Vec<&str> = date.split('-').collect();
    match fields[..] {
        [whole] if whole.len() == 8 => {
            digits(whole, 8)?;
            Some((digits(whole.get(..4)?, 4), digits(whole.get(4..6)?, 2), digits(whole.get(6..)?, 2)))
        }
        [year] => Some((Some(digits(year, 4)?), None, None)),
        [year, month] => Some((Some(digits(year, 4)?), Some(digits(month, 2)?), None)),
        [year, month, day] => Some((Some(digits(year, 4)?), Some(digits(month, 2)?), Some(digits(day, 2)?))),
        _ => None,
    }
}

fn is_real(year: Option<u32>, month: Option<u32>, day: Option<u32>) -> bool {
    if year == Some(0) || year.is_some_and(|y| y > 9999) || (year.is_some() && month.is_none() && day.is_some()) {
        return false;
    }
    // A year with a 29th of February and months of 31 days stands for those that are not told.
    let year = year.and_then(|y| i32::try_from(y).ok()).unwrap_or(2000);
    NaiveDate::from_ymd_opt(year, month.unwrap_or(1), day.unwrap_or(1)).is_some()
}

/// `None`: no time at all. `Some(None)`: a time that says no more than its day.
fn instant(date: &str, time: &str) -> Option<Option<DateTime<Utc>>> {
    let zone = time.find(['Z', 'z', '+', '-']);
    let (clock, zone) = time.split_at(zone.unwrap_or(time.len()));
    let clock = clock.split_once(['.', ',']).map_or(clock, |(seconds, _)| seconds);
    let mut digits: String = clock.chars().filter(|c| *c != ':').collect();
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) || digits.len() % 2 == 1 || digits.len() > 6 {
        return None;
    }
    while digits.len() < 6 {
        digits.push('0');
    }
    if digits == "000000" || zone.is_empty() {
        return Some(None);
    }
    let zone = match zone.replace(':', "").to_ascii_uppercase() {
        zone if zone == "Z" => "+0000".to_owned(),
        zone if zone.len() == 3 => format!("{zone}00"),
        zone => zone,
    };
    let date = date.replace('-', "");
    DateTime::parse_from_str(&format!("{date}{digits}{zone}"), "%Y%m%d%H%M%S%z")
        .ok()
        .map(|t| Some(t.with_timezone(&Utc)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_in_every_form() {
        let day = json!({"year": 1996, "month": 4, "day": 15});
        for text in ["1996-04-15", "19960415", "1996-04-15T00:00:00Z", "19960415T102200"] {
            assert_eq!(read(text, None), Said::Date(day.clone()), "{text}");
        }
        assert_eq!(read("--0412", None), Said::Date(json!({"month": 4, "day": 12})));
        assert_eq!(read("--04-12", None), Said::Date(json!({"month": 4, "day": 12})));
        assert_eq!(read("1604-04-12", Some("1604")), Said::Date(json!({"month": 4, "day": 12})));
        assert_eq!(read("---12", None), Said::Date(json!({"day": 12})));
        assert_eq!(read("1985-04", None), Said::Date(json!({"year": 1985, "month": 4})));
        assert_eq!(read("1985", None), Said::Date(json!({"year": 1985})));
        assert_eq!(read("1996-04-15T201243+04:00", None), Said::Date(json!({"utc": "1996-04-15T16:12:43Z"})));
        assert_eq!(read("19531015T231000Z", None), Said::Date(json!({"utc": "1953-10-15T23:10:00Z"})));
        for words in ["circa 1800", "19723101", "", "--", "1985-13-01", "\u{e4}\u{e4}\u{e4}\u{e4}", "--\u{e4}\u{e4}a"] {
            assert_eq!(read(words, None), Said::Words(words.to_owned()));
        }
    }

    #[test]
    fn written_dates_read_back() {
        for date in [
            json!({"year": 1996, "month": 4, "day": 15}),
            json!({"month": 2, "day": 29}),
            json!({"year": 1985, "month": 4}),
            json!({"year": 1985}),
            json!({"month": 4}),
            json!({"day": 31}),
            json!({"utc": "1953-10-15T23:10:00Z"}),
        ] {
            for long in [true, false] {
                assert_eq!(read(&write(&date, long).unwrap(), None), Said::Date(date.clone()));
            }
        }
        assert_eq!(write(&json!({"year": 1985, "day": 4}), true), None);
        assert_eq!(write(&json!({"month": 13}), true), None);
        assert_eq!(write(&json!({"year": -5}), true), None);
        assert_eq!(write(&json!({}), true), None);
    }
}
