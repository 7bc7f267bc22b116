//! The fields of one event, group by group: what they say as members of an Event ([`read`]), and how they are edited until they say
//! as much of one as they can ([`edit`]). Recurrence is the business of `series.rs`.
//!
//! A field is touched only when what it says differs from what it shall say. What finds no place, or is said more precisely than a
//! field can, is not our concern here: the carry-all takes every difference that is left.

use super::people;
use super::times::Times;
use super::wire::Event;
use serde_json::{Map, Value, json};
use twofold_model::content::Content;
use twofold_model::event::{self, alert_identity, duration_seconds, duration_text, keys};
use twofold_model::{Result, card, html};

/// `sensitivity` and what it says; `personal` is a shade of private that only Outlook knows.
const PRIVACY: [(&str, &str); 3] = [("private", "private"), ("confidential", "secret"), ("personal", "private")];
/// `showAs` and what it says; busy, and unknown, are not said.
const FREE_BUSY: [(&str, &str); 4] =
    [("free", "free"), ("tentative", "tentative"), ("oof", "unavailable"), ("workingElsewhere", "workingElsewhere")];
/// The longest text that a location takes (Exchange's own limit for one line of it).
const LOCATION_LIMIT: usize = 255;
/// The longest subject that Exchange keeps.
const SUBJECT_LIMIT: usize = 255;

/// What the fields say, without participants' and series' members being looked at for occurrences.
pub fn read(times: &Times, event: &Event) -> Result<Content> {
    let mut content = Map::new();
    times.read(event, &mut content)?;
    let mut put = |member: &str, value: Option<Value>| {
        if let Some(value) = value.filter(|value| !twofold_model::content::is_nothing(value)) {
            content.insert(member.to_owned(), value);
        }
    };
    put("timeZones", times.definition(event));
    put("title", event.text("subject").filter(|text| !text.trim().is_empty()).map(Value::from));
    put("description", description(event).map(Value::from));
    put("locations", Some(read_locations(event).into()));
    put("virtualLocations", Some(read_meeting(event).into()));
    let words = event.0.get("categories").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    put("keywords", Some(words.map(|word| (word.to_owned(), Value::Bool(true))).collect::<Map<_, _>>().into()));
    put("privacy", said(event, "sensitivity", &PRIVACY).map(Value::from));
    put("freeBusyStatus", said(event, "showAs", &FREE_BUSY).map(Value::from));
    put("status", event.is("isCancelled").then(|| "cancelled".into()));
    put("priority", priority(event).map(Value::from));
    put("participants", Some(people::read(event).into()));
    put("alerts", Some(read_alert(event).into()));
    Ok(Content(content))
}

/// Whose fields may be edited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rights {
    /// All of them.
    Own,
    /// Those that are the user's own on somebody else's meeting: reminder, categories, free or busy.
    Private,
}

impl Rights {
    /// What the user may edit of an event.
    pub fn of(event: &Event) -> Rights {
        if event.is_foreign() { Rights::Private } else { Rights::Own }
    }
}

/// Edits the fields until they say as much of the content as they can; whether the times changed.
///
/// # Errors
/// Unsupported where the times cannot be said.
pub fn edit(times: &Times, event: &mut Event, content: &Content, rights: Rights) -> Result<bool> {
    edit_alert(event, content);
    edit_words(event, content);
    edit_choice(event, content, "freeBusyStatus", "showAs", &FREE_BUSY, "busy");
    if rights == Rights::Private {
        return Ok(false);
    }
    edit_subject(event, content);
    edit_body(event, content);
    edit_locations(event, content);
    edit_choice(event, content, "privacy", "sensitivity", &PRIVACY, "normal");
    edit_priority(event, content);
    times.edit(event, content)
}

fn text<'a>(content: &'a Content, member: &str) -> Option<&'a str> {
    content.get(member).and_then(Value::as_str)
}

// Subject and body

fn edit_subject(event: &mut Event, content: &Content) {
    let now = event.text("subject").filter(|text| !text.trim().is_empty());
    let wanted = text(content, "title").filter(|text| !text.trim().is_empty());
    if now != wanted {
        let line: String = wanted.unwrap_or_default().chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
        event.0.insert("subject".into(), cut(&line, SUBJECT_LIMIT).into());
    }
}

/// A text that is not longer than a place takes; never cut within a character.
fn cut(text: &str, limit: usize) -> &str {
    text.char_indices().nth(limit).map_or(text, |(at, _)| &text[..at])
}

/// The body as text: what its markup and wrapping look like says nothing.
fn description(event: &Event) -> Option<String> {
    let body = event.0.get("body")?;
    let content = body.get("content")?.as_str()?;
    let is_html = body.get("contentType").and_then(Value::as_str).is_some_and(|kind| kind.eq_ignore_ascii_case("html"));
    let plain = if is_html { html::text_of(content) } else { content.replace("\r\n", "\n").replace('\r', "\n") };
    let lines: Vec<&str> = plain.lines().map(str::trim_end).collect();
    let plain = lines.join("\n");
    let plain = plain.trim_matches('\n');
    (!plain.trim().is_empty()).then(|| plain.to_owned())
}

/// The body is sent only when its text is another one: Exchange wraps what it stores, and wraps it again when it comes back.
fn edit_body(event: &mut Event, content: &Content) {
    // Invariant: the body of an online meeting holds the block by which people join, and is left alone.
    if event.is("isOnlineMeeting") {
        return;
    }
    let is_html = text(content, "descriptionContentType").is_some_and(|kind| kind.eq_ignore_ascii_case("text/html"));
    let wanted = text(content, "description").filter(|text| !text.trim().is_empty());
    let plain = wanted.map(|text| if is_html { html::text_of(text) } else { text.to_owned() });
    let now = description(event);
    let words = |text: &Option<String>| -> Vec<String> {
        text.iter().flat_map(|text| text.split_whitespace()).map(str::to_owned).collect()
    };
    let is_same_text = match is_html {
        true => words(&now) == words(&plain),
        false => lines(now.as_deref()) == lines(plain.as_deref()),
    };
    if is_same_text {
        return;
    }
    let (kind, said) =
        if is_html { ("html", wanted.unwrap_or_default()) } else { ("text", wanted.unwrap_or_default()) };
    // Provider: a body of null is refused; an empty text clears it.
    event.0.insert("body".into(), json!({"contentType": kind, "content": said.replace('\n', "\r\n")}));
}

/// A text as lines without the blanks at their ends, and without empty lines around.
fn lines(text: Option<&str>) -> Vec<&str> {
    let text = text.unwrap_or_default().trim_matches(['\n', '\r']);
    text.lines().map(str::trim_end).collect()
}

// Places

fn read_locations(event: &Event) -> Map<String, Value> {
    let mut locations = Map::new();
    let list = event.0.get("locations").and_then(Value::as_array).filter(|list| !list.is_empty());
    let single = || event.0.get("location").into_iter().collect::<Vec<_>>();
    for place in list.map_or_else(single, |list| list.iter().collect()) {
        let mut entry = Map::new();
        if let Some(name) = place.get("displayName").and_then(Value::as_str).filter(|name| !name.trim().is_empty()) {
            entry.insert("name".into(), name.into());
        }
        if let Some(uri) = coordinates(place) {
            entry.insert("coordinates".into(), uri.into());
        }
        if !entry.is_empty() {
            card::insert_as(&mut locations, keys::LOCATION, Value::Object(entry));
        }
    }
    locations
}

fn coordinates(place: &Value) -> Option<String> {
    let of = place.get("coordinates")?;
    let number = |name: &str| of.get(name).and_then(Value::as_f64);
    event::geo_uri(&number("latitude")?.to_string(), &number("longitude")?.to_string())
}

/// `geo:LATITUDE,LONGITUDE`.
fn degrees(uri: &str) -> Option<(f64, f64)> {
    let (latitude, rest) = uri.strip_prefix("geo:")?.split_once(',')?;
    let longitude = rest.split([',', ';']).next()?;
    Some((latitude.parse().ok()?, longitude.parse().ok()?))
}

fn edit_locations(event: &mut Event, content: &Content) {
    let now = read_locations(event);
    let none = Map::new();
    let wanted = content.get("locations").and_then(Value::as_object).unwrap_or(&none);
    let entries = |of: &Map<String, Value>| of.values().cloned().collect::<Vec<_>>();
    if entries(&now) == entries(wanted) {
        return;
    }
    let places: Vec<Value> = wanted
        .values()
        .filter_map(|entry| {
            let name = entry.get("name").and_then(Value::as_str).unwrap_or_default();
            let mut place = json!({"displayName": cut(name, LOCATION_LIMIT)});
            let coordinates = entry.get("coordinates").and_then(Value::as_str).and_then(degrees);
            if let Some((latitude, longitude)) = coordinates {
                place["coordinates"] = json!({"latitude": latitude, "longitude": longitude});
            }
            (!name.trim().is_empty() || coordinates.is_some()).then_some(place)
        })
        .collect();
    // Setting the one replaces the other.
    if places.len() > 1 {
        event.0.insert("locations".into(), places.into());
        event.0.shift_remove("location");
    } else {
        let place = places.into_iter().next().unwrap_or_else(|| json!({"displayName": ""}));
        event.0.insert("location".into(), place);
        event.0.shift_remove("locations");
    }
}

/// Where to join an online meeting.
fn read_meeting(event: &Event) -> Map<String, Value> {
    let mut places = Map::new();
    let join = event.0.get("onlineMeeting").and_then(|meeting| meeting.get("joinUrl")?.as_str());
    if let Some(uri) = join.or_else(|| event.text("onlineMeetingUrl")).filter(|uri| !uri.trim().is_empty()) {
        card::insert(&mut places, uri, json!({"uri": uri}));
    }
    places
}

// Words and choices

fn edit_words(event: &mut Event, content: &Content) {
    let none = Map::new();
    let wanted = content.get("keywords").and_then(Value::as_object).unwrap_or(&none);
    let now: Vec<String> = event
        .0
        .get("categories")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|word| word.as_str().map(str::to_owned))
        .collect();
    // Words stay in their order, new ones follow; the last one removed leaves `[]`, which the server needs in order to unset it.
    let mut words: Vec<&str> = now.iter().map(String::as_str).filter(|word| wanted.contains_key(*word)).collect();
    let new = wanted.keys().filter(|word| !word.trim().is_empty() && !now.contains(word));
    words.extend(new.map(String::as_str));
    if words != now.iter().map(String::as_str).collect::<Vec<_>>() {
        event.0.insert("categories".into(), words.into());
    }
}

/// What one of few words says; the server writes them in its own case.
fn said<'a>(event: &Event, field: &str, table: &[(&str, &'a str)]) -> Option<&'a str> {
    let now = event.text(field)?;
    table.iter().find(|(word, _)| word.eq_ignore_ascii_case(now)).map(|(_, meaning)| *meaning)
}

fn edit_choice(event: &mut Event, content: &Content, member: &str, field: &str, table: &[(&str, &str)], default: &str) {
    let wanted = text(content, member);
    if said(event, field, table) == wanted && event.0.contains_key(field) {
        return;
    }
    let word = table.iter().find(|(_, meaning)| Some(*meaning) == wanted).map_or(default, |(word, _)| word);
    // A word that says nothing here (`unknown`) says as much as the default.
    if said(event, field, table).is_some() || word != default || !event.0.contains_key(field) {
        event.0.insert(field.into(), word.into());
    }
}

fn priority(event: &Event) -> Option<u64> {
    match event.text("importance")?.to_ascii_lowercase().as_str() {
        "high" => Some(1),
        "low" => Some(9),
        _ => None,
    }
}

fn edit_priority(event: &mut Event, content: &Content) {
    let importance = |priority: Option<u64>| match priority {
        Some(1..=4) => "high",
        Some(6..=9) => "low",
        _ => "normal",
    };
    let wanted = importance(content.get("priority").and_then(Value::as_u64));
    if importance(priority(event)) != wanted {
        event.0.insert("importance".into(), wanted.into());
    }
}

// The reminder

fn read_alert(event: &Event) -> Map<String, Value> {
    let mut alerts = Map::new();
    let minutes = event.0.get("reminderMinutesBeforeStart").and_then(Value::as_i64);
    if let (true, Some(minutes)) = (event.is("isReminderOn"), minutes) {
        let alert = json!({"trigger": {"offset": duration_text(minutes.saturating_mul(-60))}});
        card::insert(&mut alerts, &alert_identity(&alert), alert);
    }
    alerts
}

/// The minutes before the start at which an alert is shown, if that is what it is.
fn minutes(alert: &Value) -> Option<i64> {
    let trigger = alert.get("trigger")?;
    if alert.get("action").is_some() || trigger.get("relativeTo").is_some() {
        return None;
    }
    let seconds = duration_seconds(trigger.get("offset")?.as_str()?)?;
    (seconds <= 0 && seconds % 60 == 0).then_some(-seconds / 60)
}

/// There is one reminder here. The one that is set stays while it is wanted, else the first that can be said is set; and that there
/// is none is said too, or Graph sets one of its own.
fn edit_alert(event: &mut Event, content: &Content) {
    let alerts = content.get("alerts").and_then(Value::as_object);
    let wanted: Vec<i64> = alerts.into_iter().flatten().filter_map(|(_, alert)| minutes(alert)).collect();
    let now = event.0.get("reminderMinutesBeforeStart").and_then(Value::as_i64).filter(|_| event.is("isReminderOn"));
    let stays = now.filter(|now| wanted.contains(now));
    match stays.or_else(|| wanted.first().copied()) {
        Some(minutes) if now != Some(minutes) => {
            event.0.insert("isReminderOn".into(), true.into());
            event.0.insert("reminderMinutesBeforeStart".into(), minutes.into());
        }
        None if now.is_some() || !event.0.contains_key("isReminderOn") => {
            event.0.insert("isReminderOn".into(), false.into());
        }
        _ => {}
    }
}
