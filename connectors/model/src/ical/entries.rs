//! What one line of an event means, where the line says it alone: entries by the table in [`crate::event`]. Times, rules, people, places
//! and what needs several lines are read in `read`.

use super::doc::Prop;
use crate::event;
use base64::Engine as _;
use serde_json::{Map, Value, json};

/// How the key of an entry is made.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Key {
    /// From this text, hashed; equals get ordinals.
    Identity(String),
    /// This text itself; equals are the same entry.
    Exact(String),
    /// The member is the entry (`title`).
    Whole,
}

/// One entry that a line says; `null` for what is said by saying nothing.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Told {
    pub(super) member: &'static str,
    pub(super) key: Key,
    pub(super) entry: Value,
    /// Which item of a list it is.
    pub(super) item: Option<usize>,
}

/// What a line says.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Meaning {
    /// Known, and empty.
    Nothing,
    /// No member for it.
    Unknown,
    /// These entries.
    Entries(Vec<Told>),
}

/// Lines that name or date an event, or are private marks of a program about what it showed: not content.
pub(super) fn is_frame(name: &str) -> bool {
    use crate::contentline::ours::{CARRY, KEY, MARK};
    const FRAME: [&str; 16] = [
        "BEGIN",
        "END",
        "UID",
        "DTSTAMP",
        "CREATED",
        "LAST-MODIFIED",
        "SEQUENCE",
        "X-LIC-ERROR",
        "X-MOZ-LASTACK",
        "X-MOZ-GENERATION",
        "X-MOZILLA-LASTALARMACK",
        "X-MICROSOFT-CDO-APPT-SEQUENCE",
        "X-MICROSOFT-CDO-OWNER-CRITICAL-CHANGE",
        "X-MICROSOFT-CDO-ATTENDEE-CRITICAL-CHANGE",
        "X-MICROSOFT-CDO-REPLYTIME",
        "X-MICROSOFT-CDO-INSTTYPE",
    ];
    FRAME.contains(&name) || [CARRY, MARK, KEY].contains(&name) || name.starts_with("X-MOZ-SNOOZE-TIME")
}

/// Reads one line.
pub(super) fn tell(prop: &Prop) -> Meaning {
    let one = |member, key, entry| Some(vec![Told { member, key, entry, item: None }]);
    let whole = |member, word: Option<String>, default: &str| {
        let word = word?.to_ascii_lowercase();
        one(member, Key::Whole, if word == default { Value::Null } else { Value::from(word) })
    };
    let told = match prop.name.as_str() {
        "SUMMARY" => text_of(prop).and_then(|title| one("title", Key::Whole, title.into())),
        "COLOR" => whole("color", prop.word(), ""),
        "STATUS" => whole("status", prop.word(), "confirmed"),
        "CLASS" => prop.word().and_then(|class| {
            let class = class.to_ascii_lowercase();
            let privacy = if class == "confidential" { "secret".to_owned() } else { class };
            whole("privacy", Some(privacy), "public")
        }),
        "PRIORITY" => match prop.word().map(|word| word.parse::<u64>()) {
            Some(Ok(0)) => one("priority", Key::Whole, Value::Null),
            Some(Ok(priority @ 1..=9)) => one("priority", Key::Whole, priority.into()),
            Some(_) => return Meaning::Unknown,
            None => None,
        },
        "CATEGORIES" => {
            let words = prop.list().into_iter().enumerate().filter(|(_, word)| !word.is_empty());
            let told = words.map(|(item, word)| Told {
                member: "keywords",
                key: Key::Exact(word),
                entry: Value::Bool(true),
                item: Some(item),
            });
            Some(told.collect::<Vec<_>>()).filter(|told| !told.is_empty())
        }
        "URL" => prop.uri().and_then(|uri| one("links", Key::Identity(uri.to_owned()), json!({"href": uri}))),
        "ATTACH" => match attachment(prop) {
            Some(entry) => {
                let href = entry["href"].as_str().unwrap_or_default().to_owned();
                one("links", Key::Identity(href), entry)
            }
            None if prop.uri().is_some() => return Meaning::Unknown,
            None => None,
        },
        "CONFERENCE" | "X-GOOGLE-CONFERENCE" => prop.uri().and_then(|uri| {
            let mut entry = json!({"uri": uri});
            if let Some(label) = prop.parameter("LABEL") {
                entry["name"] = label.into();
            }
            let features = prop.parameter_values("FEATURE").filter(|word| !word.is_empty());
            let features: Map<String, Value> = features.map(|word| (word.to_ascii_lowercase(), true.into())).collect();
            if !features.is_empty() {
                entry["features"] = features.into();
            }
            one("virtualLocations", Key::Identity(uri.to_owned()), entry)
        }),
        "RELATED-TO" => prop.word().and_then(|uid| {
            let relation = prop.token("RELTYPE").unwrap_or_else(|| "parent".to_owned());
            one("relatedTo", Key::Exact(uid), json!({"relation": {relation: true}}))
        }),
        _ => return Meaning::Unknown,
    };
    told.map_or(Meaning::Nothing, Meaning::Entries)
}

/// A text with something to see in it.
pub(super) fn text_of(prop: &Prop) -> Option<String> {
    let text = prop.text();
    (!text.trim().is_empty()).then_some(text)
}

fn attachment(prop: &Prop) -> Option<Value> {
    let is_binary = prop.token("VALUE").is_some_and(|value| value == "binary") || prop.token("ENCODING").is_some();
    let media_type = prop.parameter("FMTTYPE");
    let mut entry = json!({"rel": "enclosure"});
    if is_binary {
        let engine = base64::engine::general_purpose::STANDARD;
        let body: String = prop.content.value().chars().filter(|c| !c.is_ascii_whitespace()).collect();
        let bytes = engine.decode(body).ok().filter(|bytes| !bytes.is_empty())?;
        // The URI has the media type.
        entry["href"] = crate::card::data_uri(media_type.unwrap_or("application/octet-stream"), &bytes).into();
    } else {
        entry["href"] = prop.uri()?.into();
        if let Some(media_type) = media_type {
            entry["contentType"] = media_type.into();
        }
    }
    if let Some(title) = prop.parameter("FILENAME").or_else(|| prop.parameter("X-FILENAME")) {
        entry["title"] = title.into();
    }
    if let Some(size) = prop.parameter("SIZE").and_then(|size| size.parse::<u64>().ok()) {
        entry["size"] = size.into();
    }
    Some(entry)
}

/// What LOCATION and GEO say together.
pub(super) fn place(location: Option<&Prop>, geo: Option<&Prop>) -> Option<Value> {
    let mut place = Map::new();
    if let Some(name) = location.and_then(text_of) {
        place.insert("name".into(), name.into());
    }
    let coordinates = geo.and_then(|prop| {
        // Some writers escape the semicolon as if it were text.
        let value = prop.content.value().replace("\\;", ";");
        let (latitude, longitude) = value.split_once(';')?;
        event::geo_uri(latitude, longitude)
    });
    if let Some(coordinates) = coordinates {
        place.insert("coordinates".into(), coordinates.into());
    }
    (!place.is_empty()).then_some(Value::Object(place))
}

/// Words of X-MICROSOFT-CDO-BUSYSTATUS ([MS-OXCICAL] 2.1.3.1.1.20.31) that TRANSP has no word for.
pub(super) const BUSY_WORDS: [(&str, &str); 3] =
    [("tentative", "tentative"), ("oof", "unavailable"), ("workingelsewhere", "workingElsewhere")];

/// What TRANSP and X-MICROSOFT-CDO-BUSYSTATUS say together; `null`: busy.
pub(super) fn busy(transparency: Option<&Prop>, status: Option<&Prop>) -> Value {
    let word = |prop: Option<&Prop>| prop.and_then(Prop::word).map(|word| word.to_ascii_lowercase());
    let (transparency, status) = (word(transparency), word(status));
    let of_status = || {
        let row = BUSY_WORDS.iter().find(|row| status.as_deref() == Some(row.0));
        row.map_or(Value::Null, |row| row.1.into())
    };
    match transparency.as_deref() {
        Some("transparent") => "free".into(),
        None if status.as_deref() == Some("free") => "free".into(),
        _ => of_status(),
    }
}
