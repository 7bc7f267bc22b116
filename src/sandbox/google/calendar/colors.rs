//! `colors.get`: the two palettes, and which colour of the calendars' palette comes nearest to a written one.

use serde_json::{Map, Value, json};

/// Backgrounds of calendars, ids 1 to 24.
const CALENDARS: [&str; 24] = [
    "#ac725e", "#d06b64", "#f83a22", "#fa573c", "#ff7537", "#ffad46", "#42d692", "#16a765", "#7bd148", "#b3dc6c",
    "#fbe983", "#fad165", "#92e1c0", "#9fe1e7", "#9fc6e7", "#4986e7", "#9a9cff", "#b99aff", "#c2c2c2", "#cabdbf",
    "#cca6ac", "#f691b2", "#cd74e6", "#a47ae2",
];
/// Backgrounds of events, ids 1 to 11.
const EVENTS: [&str; 11] = [
    "#a4bdfc", "#7ae7bf", "#dbadff", "#ff887c", "#fbd75b", "#ffb878", "#46d6db", "#e1e1e1", "#5484ed", "#51b749",
    "#dc2127",
];

/// The answer of `colors.get`.
pub(super) fn all() -> Value {
    json!({
        "kind": "calendar#colors",
        "updated": "2012-02-14T00:00:00.000Z",
        "calendar": palette(&CALENDARS),
        "event": palette(&EVENTS),
    })
}

fn palette(colors: &[&str]) -> Value {
    let rows = colors
        .iter()
        .enumerate()
        .map(|(i, background)| ((i + 1).to_string(), json!({ "background": background, "foreground": "#1d1d1d" })));
    Value::Object(rows.collect::<Map<_, _>>())
}

/// The background that belongs to a calendar colour's id.
pub(super) fn of_calendar(id: &str) -> Option<&'static str> {
    CALENDARS.get(index(id)?).copied()
}

/// Whether an event may have this colour id.
pub(super) fn is_event_color(id: &str) -> bool {
    index(id).is_some_and(|index| index < EVENTS.len())
}

fn index(id: &str) -> Option<usize> {
    // `01` is no id.
    let number: usize = id.parse().ok().filter(|number: &usize| number.to_string() == id)?;
    number.checked_sub(1)
}

/// Red, green and blue of `#0088aa`.
pub(super) fn rgb(text: &str) -> Option<[u8; 3]> {
    let hex = text.strip_prefix('#').filter(|hex| hex.len() == 6 && hex.is_ascii())?;
    let part = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).ok();
    Some([part(0)?, part(2)?, part(4)?])
}

/// The id of the calendar colour nearest to this one.
pub(super) fn nearest(color: [u8; 3]) -> String {
    let distance = |other: &str| -> u32 {
        let other = rgb(other).unwrap_or_default();
        color.iter().zip(other).map(|(a, b)| u32::from(a.abs_diff(b)).pow(2)).sum()
    };
    let best = CALENDARS.iter().enumerate().min_by_key(|(_, other)| distance(other)).map_or(0, |(i, _)| i);
    (best + 1).to_string()
}
