//! Recurrence rules: the value of RRULE (RFC 5545 3.3.10, RFC 7529) and the rule of RFC 8984 4.3.3. Nothing is guessed: a rule that is
//! not understood as a whole is no rule.

use super::times::{Frame, stamp};
use serde_json::{Map, Value, json};

const FREQUENCIES: [&str; 7] = ["yearly", "monthly", "weekly", "daily", "hourly", "minutely", "secondly"];
const DAYS: [&str; 7] = ["mo", "tu", "we", "th", "fr", "sa", "su"];

/// Lists of numbers: part, member, least and greatest value, whether they count from the end too.
const NUMBERS: [(&str, &str, i64, i64, bool); 7] = [
    ("BYSECOND", "bySecond", 0, 60, false),
    ("BYMINUTE", "byMinute", 0, 59, false),
    ("BYHOUR", "byHour", 0, 23, false),
    ("BYMONTHDAY", "byMonthDay", 1, 31, true),
    ("BYYEARDAY", "byYearDay", 1, 366, true),
    ("BYWEEKNO", "byWeekNo", 1, 53, true),
    ("BYSETPOS", "bySetPosition", 1, 366, true),
];

/// Reads the value of RRULE or EXRULE.
///
/// # Errors
/// What is not understood, in words.
pub(super) fn read(text: &str, frame: &Frame<'_>) -> Result<Value, String> {
    let mut rule = Map::new();
    for part in text.split(';').map(str::trim).filter(|part| !part.is_empty()) {
        let wrong = || format!("a rule with {part:?}");
        let (name, value) = part.split_once('=').ok_or_else(wrong)?;
        let (name, value) = (name.trim().to_ascii_uppercase(), value.trim());
        let (member, value) = read_part(&name, value, frame).ok_or_else(wrong)?;
        if rule.insert(member.to_owned(), value).is_some() {
            return Err(format!("a rule with {name} twice"));
        }
    }
    if !rule.contains_key("frequency") {
        return Err("a rule without FREQ".to_owned());
    }
    Ok(Value::Object(settled(rule)))
}

fn read_part(name: &str, value: &str, frame: &Frame<'_>) -> Option<(&'static str, Value)> {
    let word = value.to_ascii_lowercase();
    let among = |words: &[&'static str]| words.iter().find(|known| **known == word).map(|known| Value::from(*known));
    let count = || value.parse::<u32>().ok().filter(|n| *n > 0).map(Value::from);
    Some(match name {
        "FREQ" => ("frequency", among(&FREQUENCIES)?),
        "INTERVAL" => ("interval", count()?),
        "COUNT" => ("count", count()?),
        "UNTIL" => ("until", frame.until_of(&stamp(value, false, frame.zone.as_deref())?)?.into()),
        "WKST" => ("firstDayOfWeek", among(&DAYS)?),
        "RSCALE" if word == "gregorian" => ("rscale", Value::Null),
        "SKIP" => ("skip", among(&["omit", "backward", "forward"])?),
        "BYMONTH" => {
            let months: Option<Vec<i64>> = value.split(',').map(|month| number(month, 1, 12, false)).collect();
            ("byMonth", sorted(months?).into_iter().map(|month| month.to_string()).collect())
        }
        "BYDAY" => {
            let days: Option<Vec<(i64, usize)>> = word.split(',').map(weekday).collect();
            let days = sorted(days?).into_iter().map(|(nth, day)| match nth {
                0 => json!({"day": DAYS[day]}),
                nth => json!({"day": DAYS[day], "nthOfPeriod": nth}),
            });
            ("byDay", days.collect())
        }
        name => {
            let (_, member, least, most, is_signed) = NUMBERS.iter().find(|row| row.0 == name)?;
            let numbers: Option<Vec<i64>> = value.split(',').map(|n| number(n, *least, *most, *is_signed)).collect();
            (member, sorted(numbers?).into_iter().map(Value::from).collect())
        }
    })
}

fn number(text: &str, least: i64, most: i64, is_signed: bool) -> Option<i64> {
    let number: i64 = text.trim().parse().ok()?;
    let size = if is_signed { number.abs() } else { number };
    (least..=most).contains(&size).then_some(number)
}

/// The position (0: every) and the day of `2mo`.
fn weekday(text: &str) -> Option<(i64, usize)> {
    let text = text.trim();
    let (nth, day) = text.split_at_checked(text.len().checked_sub(2)?)?;
    let day = DAYS.iter().position(|known| *known == day)?;
    Some((if nth.is_empty() { 0 } else { number(nth, 1, 53, true)? }, day))
}

fn sorted<T: Ord>(mut list: Vec<T>) -> Vec<T> {
    list.sort();
    list.dedup();
    list
}

/// A rule without what it says by default, or to no effect: WKST counts only where weeks are (RFC 5545 3.3.10).
fn settled(mut rule: Map<String, Value>) -> Map<String, Value> {
    for (member, default) in
        [("interval", json!(1)), ("firstDayOfWeek", json!("mo")), ("skip", json!("omit")), ("rscale", Value::Null)]
    {
        if rule.get(member) == Some(&default) {
            rule.shift_remove(member);
        }
    }
    let is_weekly = rule.get("frequency").is_some_and(|frequency| frequency == "weekly");
    let has = |member: &str| rule.contains_key(member);
    let counts = has("byWeekNo") || (is_weekly && has("byDay") && (has("interval") || has("bySetPosition")));
    if !counts {
        rule.shift_remove("firstDayOfWeek");
    }
    rule
}

/// The value of RRULE that says a rule; `None` where it has members or values that no rule has.
pub(super) fn write(rule: &Value, frame: &Frame<'_>) -> Option<String> {
    let rule = rule.as_object()?;
    let mut parts = vec![format!("FREQ={}", rule.get("frequency")?.as_str()?.to_ascii_uppercase())];
    for (member, value) in rule {
        let number = || value.as_i64().map(|n| n.to_string());
        let word = || value.as_str().map(str::to_ascii_uppercase);
        let list = |one: fn(&Value) -> Option<String>| {
            let items: Option<Vec<String>> = value.as_array()?.iter().map(one).collect();
            items.filter(|items| !items.is_empty()).map(|items| items.join(","))
        };
        let (name, value) = match member.as_str() {
            "frequency" => continue,
            "interval" => ("INTERVAL", number()?),
            "count" => ("COUNT", number()?),
            "until" => ("UNTIL", frame.until_value(value.as_str()?)?),
            "firstDayOfWeek" => ("WKST", word()?),
            "skip" => ("SKIP", word()?),
            "byMonth" => ("BYMONTH", list(|month| month.as_str().map(str::to_ascii_uppercase))?),
            "byDay" => ("BYDAY", list(day_text)?),
            member => {
                let row = NUMBERS.iter().find(|row| row.1 == member)?;
                (row.0, list(|n| n.as_i64().map(|n| n.to_string()))?)
            }
        };
        parts.push(format!("{name}={value}"));
    }
    if rule.contains_key("skip") {
        parts.insert(0, "RSCALE=GREGORIAN".to_owned());
    }
    parts.sort_by_key(|part| ORDER.iter().position(|name| part.starts_with(name)));
    let text = parts.join(";");
    // What is written says the same, or it is not written.
    (read(&text, frame).is_ok_and(|again| again.as_object() == Some(rule))).then_some(text)
}

/// The parts in the order in which most programs write them.
const ORDER: [&str; 16] = [
    "RSCALE=",
    "FREQ=",
    "UNTIL=",
    "COUNT=",
    "INTERVAL=",
    "BYSECOND=",
    "BYMINUTE=",
    "BYHOUR=",
    "BYDAY=",
    "BYMONTHDAY=",
    "BYYEARDAY=",
    "BYWEEKNO=",
    "BYMONTH=",
    "BYSETPOS=",
    "WKST=",
    "SKIP=",
];

fn day_text(day: &Value) -> Option<String> {
    let nth = day.get("nthOfPeriod").map(|nth| nth.as_i64()).unwrap_or(Some(0))?;
    let word = day.get("day")?.as_str()?.to_ascii_uppercase();
    Some(if nth == 0 { word } else { format!("{nth}{word}") })
}

#[cfg(test)]
mod tests {
    use super::super::times::Stamp;
    use super::super::zones::AsWritten;
    use super::*;

    fn frame() -> Frame<'static> {
        let start = crate::event::local("2026-03-02T09:00:00").unwrap();
        Frame::of(&Stamp::Time(start, Some(crate::event::UTC.into())), &AsWritten)
    }

    #[test]
    fn a_rule_has_one_form_and_comes_back() {
        let frame = frame();
        for (text, rule, again) in [
            ("FREQ=DAILY", json!({"frequency": "daily"}), "FREQ=DAILY"),
            ("freq=weekly;INTERVAL=1;WKST=SU;", json!({"frequency": "weekly"}), "FREQ=WEEKLY"),
            (
                "BYDAY=WE,MO,WE;FREQ=WEEKLY;WKST=SU;INTERVAL=2",
                json!({"byDay": [{"day": "mo"}, {"day": "we"}], "frequency": "weekly", "interval": 2, "firstDayOfWeek": "su"}),
                "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE;WKST=SU",
            ),
            (
                "FREQ=MONTHLY;BYDAY=-1FR,+2MO;COUNT=3",
                json!({"frequency": "monthly", "count": 3, "byDay": [{"day": "fr", "nthOfPeriod": -1}, {"day": "mo", "nthOfPeriod": 2}]}),
                "FREQ=MONTHLY;COUNT=3;BYDAY=-1FR,2MO",
            ),
            (
                "FREQ=YEARLY;UNTIL=20300101T090000Z;BYMONTH=12,2;BYMONTHDAY=31,-1;SKIP=OMIT;RSCALE=GREGORIAN",
                json!({"frequency": "yearly", "until": "2030-01-01T09:00:00", "byMonth": ["2", "12"], "byMonthDay": [-1, 31]}),
                "FREQ=YEARLY;UNTIL=20300101T090000Z;BYMONTHDAY=-1,31;BYMONTH=2,12",
            ),
            (
                "RSCALE=GREGORIAN;FREQ=MONTHLY;SKIP=BACKWARD",
                json!({"frequency": "monthly", "skip": "backward"}),
                "RSCALE=GREGORIAN;FREQ=MONTHLY;SKIP=BACKWARD",
            ),
        ] {
            let read_rule = read(text, &frame).unwrap();
            assert_eq!(read_rule, rule, "{text}");
            assert_eq!(write(&rule, &frame).as_deref(), Some(again), "{text}");
        }
    }

    #[test]
    fn what_is_not_understood_is_no_rule() {
        let frame = frame();
        for text in [
            "",
            "FREQ",
            "FREQ=",
            "FREQ=OFTEN",
            "INTERVAL=2",
            "FREQ=DAILY;INTERVAL=0",
            "FREQ=DAILY;COUNT=-1",
            "FREQ=DAILY;BYDAY=XX",
            "FREQ=DAILY;BYDAY=0MO",
            "FREQ=DAILY;BYMONTH=13",
            "FREQ=DAILY;X-NEW=1",
            "FREQ=DAILY;UNTIL=soon",
            "FREQ=DAILY;FREQ=DAILY",
            "FREQ=DAILY;BYHOUR=24",
            "FREQ=YEARLY;RSCALE=HEBREW",
            "FREQ=YEARLY;BYMONTH=5L",
            "FREQ=DAILY;BYDAY=\u{e4}",
            "FREQ=DAILY;BYMONTHDAY=0",
        ] {
            assert!(read(text, &frame).is_err(), "{text}");
        }
        for rule in [
            json!({}),
            json!({"frequency": "often"}),
            json!({"frequency": "daily", "x": 1}),
            json!({"frequency": "daily", "interval": 1}),
        ] {
            assert_eq!(write(&rule, &frame), None, "{rule}");
        }
    }
}
