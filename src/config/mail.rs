//! `[google.mail]` and `[microsoft365.mail]`: what of an account's mail is kept in step.

use super::Result;
use super::table::{Table, Value};
use chrono::NaiveDate;
use twofold_model::email::scope::{Limits, Name, Scope};

/// What a provider's table says of its mail; everything where it says nothing.
pub(super) fn scope(provider: &Table<'_>) -> Result<Scope> {
    let Some(table) = provider.table("mail")? else { return Ok(Scope::default()) };
    table.allow(&["include", "exclude", "since", "max_size"], &[])?;
    Ok(Scope {
        include: names(&table, "include")?,
        exclude: names(&table, "exclude")?,
        limits: Limits {
            since_ms: table.get("since").map(|value| date(&value)).transpose()?,
            max_size: table.get("max_size").map(|value| size(&value, NO_MESSAGE)).transpose()?,
        },
    })
}

fn names(table: &Table<'_>, key: &str) -> Result<Vec<Name>> {
    let Some(value) = table.get(key) else { return Ok(Vec::new()) };
    let mut names = Vec::new();
    for entry in value.list()? {
        let word = entry.word()?;
        let todo = "Write a folder or label as `twofold status` shows it, such as \"Projects/2024\", or role:inbox, role:sent, \
                    role:drafts, role:trash, role:junk, role:archive.";
        let name =
            Name::parse(word).ok_or_else(|| entry.wrong(&format!("names \"{word}\", which is no folder"), todo))?;
        if names.contains(&name) {
            return Err(entry.wrong(&format!("names \"{word}\" twice"), "Remove one of the two."));
        }
        names.push(name);
    }
    match names.is_empty() {
        true => Err(value.wrong("is empty", "Name a folder or label, or remove the line.")),
        false => Ok(names),
    }
}

/// The beginning of a day in UTC, in milliseconds since 1970.
fn date(value: &Value<'_>) -> Result<i64> {
    let todo = "Write a day as a string, such as \"2020-01-01\"; it begins at midnight UTC.";
    let text = value.text()?.trim();
    let is_plain = text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().filter(|_| is_plain);
    match day.and_then(|day| day.and_hms_opt(0, 0, 0)) {
        Some(midnight) => Ok(midnight.and_utc().timestamp_millis()),
        None => Err(value.wrong("is no day", todo)),
    }
}

/// The way out where no message would be small enough.
const NO_MESSAGE: &str = "Then no message would be kept in step; to leave all mail out, take \"mail\" out of kinds.";

/// `"500kB"`, `"50MB"`, `"1GB"` in bytes. `of_none`: the way out where it is nothing.
pub(super) fn size(value: &Value<'_>, of_none: &str) -> Result<u64> {
    let todo = "Write a number with kB, MB or GB behind it, such as \"50MB\"; 1 MB is 1,000,000 bytes.";
    match bytes(value.text()?.trim()) {
        None => Err(value.wrong("is no size", todo)),
        Some(0) => Err(value.wrong("is 0", of_none)),
        Some(bytes) => Ok(bytes),
    }
}

fn bytes(text: &str) -> Option<u64> {
    let lower = text.to_ascii_lowercase();
    let units = [("kb", 1_000), ("mb", 1_000_000), ("gb", 1_000_000_000)];
    let (digits, unit) = units.iter().find_map(|(unit, bytes)| Some((lower.strip_suffix(unit)?.trim_end(), *bytes)))?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let bytes = digits.parse::<u64>().ok()?.checked_mul(unit)?;
    i64::try_from(bytes).is_ok().then_some(bytes)
}
