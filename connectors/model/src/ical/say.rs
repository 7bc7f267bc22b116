//! Entries as lines: the reverse of [`super::entries`], and how a line that is there is edited until it says another entry. What
//! a line cannot say is left out here and carried ([`crate::carry`]).

use super::doc::Prop;
use super::entries::BUSY_WORDS;
use super::people;
use super::read::is_unknown;
use crate::contentline::text::{Within, escape};
use crate::contentline::{ContentLine, File, Parameter};
use crate::{card, html};
use base64::Engine as _;
use serde_json::{Map, Value, json};

/// A line to be written.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Fresh {
    pub(super) name: String,
    pub(super) parameters: Vec<(&'static str, Vec<String>)>,
    /// The value as it stands in the line.
    pub(super) value: String,
}

/// Parameters that belong to the value and go when it changes.
const OF_VALUE: [&str; 3] = ["VALUE", "ENCODING", "CHARSET"];

impl Fresh {
    /// A line with a text.
    pub(super) fn text(name: &str, text: &str) -> Fresh {
        Fresh { name: name.to_owned(), parameters: Vec::new(), value: escape(text, Within::Text) }
    }

    /// A line with a value that is not escaped.
    pub(super) fn uri(name: &str, uri: &str) -> Fresh {
        Fresh { name: name.to_owned(), parameters: Vec::new(), value: uri.to_owned() }
    }

    pub(super) fn with(mut self, parameter: &'static str, value: Option<&str>) -> Fresh {
        if let Some(value) = value.filter(|value| !value.trim().is_empty()) {
            self.parameters.push((parameter, vec![value.to_owned()]));
        }
        self
    }

    pub(super) fn with_all(self, parameters: impl IntoIterator<Item = (&'static str, Option<String>)>) -> Fresh {
        parameters.into_iter().fold(self, |line, (name, value)| line.with(name, value.as_deref()))
    }

    /// Whether the value can stand in a line as it is: not empty, no control characters.
    pub(super) fn is_sound(&self) -> bool {
        !self.value.trim().is_empty() && !self.value.chars().any(|c| c.is_control() && c != '\t')
    }

    /// The line, unfolded.
    pub(super) fn line(&self) -> String {
        let parameters = self.parameters.iter().map(|(name, values)| format!(";{}", Parameter::write(name, values)));
        format!("{}{}:{}", self.name, parameters.collect::<String>(), self.value)
    }

    fn parameter(&self, name: &str) -> Option<&Vec<String>> {
        self.parameters.iter().find(|row| row.0 == name).map(|row| &row.1)
    }
}

/// The line that says `old`, edited so that it says `new`: parameters and value that mean the same stay as they stand.
pub(super) fn edited(prop: &Prop, old: Option<&Fresh>, new: &Fresh) -> String {
    let is_new_value = old.is_none_or(|old| old.value != new.value);
    let differs = |name: &str| old.and_then(|old| old.parameter(name)) != new.parameter(name);
    let mut line = prop.content.raw_name().to_owned();
    for (raw, parsed) in prop.content.raw_parameters().zip(&prop.parameters) {
        let is_of_value = is_new_value && OF_VALUE.contains(&parsed.name.as_str());
        if !is_of_value && !differs(&parsed.name) {
            line.push(';');
            line.push_str(raw);
        }
    }
    for (name, values) in &new.parameters {
        if differs(name) || (is_new_value && OF_VALUE.contains(name)) {
            line.push(';');
            line.push_str(&Parameter::write(name, values));
        }
    }
    line.push(':');
    line.push_str(if is_new_value { &new.value } else { prop.content.value() });
    line
}

/// Members that are maps of entries; each entry is said by lines of its own.
pub(super) const KEYED: [&str; 9] = [
    "locations",
    "virtualLocations",
    "links",
    "keywords",
    "participants",
    "alerts",
    "relatedTo",
    "iCalProps",
    "iCalComponents",
];

/// Members that say when, and those of the series: written by `dates`.
pub(super) const OF_TIME: [&str; 12] = [
    "start",
    "timeZone",
    "showWithoutTime",
    "duration",
    "end",
    "endTimeZone",
    "timeZones",
    "recurrenceRules",
    "excludedRecurrenceRules",
    "recurrenceOverrides",
    "recurrenceIdTimeZone",
    "recurrenceIdWithoutTime",
];

/// The members of an event as entries: member, key (empty where the member is one entry), entry. Two members that one line
/// says are one entry.
pub(super) fn entries(members: &Map<String, Value>) -> Vec<(&str, &str, Value)> {
    let mut entries = Vec::new();
    for (member, value) in members {
        match (member.as_str(), value) {
            (member, _) if OF_TIME.contains(&member) || member == "iCalOverrides" => {}
            ("descriptionContentType", _) if members.contains_key("description") => {}
            ("description", text) => {
                entries.push(("description", "", json!({"text": text, "type": members.get("descriptionContentType")})));
            }
            (member, Value::Object(map)) if KEYED.contains(&member) => {
                entries.extend(map.iter().map(|(key, entry)| (member, key.as_str(), entry.clone())));
            }
            (member, value) => entries.push((member, "", value.clone())),
        }
    }
    entries
}

/// A text member with something to see in it.
fn text<'v>(entry: &'v Value, member: &str) -> Option<&'v str> {
    entry.get(member)?.as_str().filter(|text| !text.trim().is_empty())
}

/// A word that can stand as a value by itself, in capitals.
fn token(entry: &Value) -> Option<String> {
    let word = entry.as_str()?;
    let is_token = !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    is_token.then(|| word.to_ascii_uppercase())
}

/// The lines that say an entry; none where iCalendar cannot. `null` is an entry that is no more. `style` are the lines that say it until
/// now: names that they have are kept where they can say the new entry too. Alerts and components are no lines.
pub(super) fn say(member: &str, key: &str, entry: &Value, style: &[&Prop]) -> Vec<Fresh> {
    let has = |name: &str| style.iter().any(|prop| prop.name == name);
    if member == "freeBusyStatus" {
        return busy(entry, has("TRANSP"), has("X-MICROSOFT-CDO-BUSYSTATUS"));
    }
    if entry.is_null() {
        return Vec::new();
    }
    let lines = match member {
        "title" => entry.as_str().filter(|text| !text.trim().is_empty()).map(|text| vec![Fresh::text("SUMMARY", text)]),
        "description" => Some(description(entry, has("STYLED-DESCRIPTION"))),
        "color" => token(entry).map(|word| vec![Fresh::uri("COLOR", &word.to_ascii_lowercase())]),
        "status" => token(entry).map(|word| vec![Fresh::uri("STATUS", &word)]),
        "privacy" if entry == "secret" => Some(vec![Fresh::uri("CLASS", "CONFIDENTIAL")]),
        "privacy" => token(entry).map(|word| vec![Fresh::uri("CLASS", &word)]),
        "priority" => {
            entry.as_u64().filter(|n| (1..=9).contains(n)).map(|n| vec![Fresh::uri("PRIORITY", &n.to_string())])
        }
        "locations" if key == crate::event::keys::LOCATION => Some(place(entry)),
        "keywords" if *entry == Value::Bool(true) && !key.trim().is_empty() => {
            Some(vec![Fresh::text("CATEGORIES", key)])
        }
        "virtualLocations" => conference(entry, has("X-GOOGLE-CONFERENCE")).map(|line| vec![line]),
        "links" => link(entry).map(|line| vec![line]),
        "relatedTo" if !key.trim().is_empty() => Some(relations(key, entry)),
        "participants" => Some(people::say(entry)),
        "iCalProps" => {
            entry.get("line").and_then(Value::as_str).and_then(|line| own_line(line, is_unknown)).map(|line| vec![line])
        }
        _ => None,
    };
    lines.unwrap_or_default().into_iter().filter(Fresh::is_sound).collect()
}

fn description(entry: &Value, is_styled: bool) -> Vec<Fresh> {
    let Some(text) = text(entry, "text") else { return Vec::new() };
    if entry.get("type").and_then(Value::as_str) != Some("text/html") {
        return vec![Fresh::text("DESCRIPTION", text)];
    }
    let plain = html::text_of(text);
    let name = if is_styled { "STYLED-DESCRIPTION" } else { "X-ALT-DESC" };
    let twin = Fresh::text(name, text).with("FMTTYPE", Some("text/html"));
    if plain.is_empty() { vec![twin] } else { vec![Fresh::text("DESCRIPTION", &plain), twin] }
}

fn busy(entry: &Value, has_transparency: bool, has_status: bool) -> Vec<Fresh> {
    let word = entry.as_str();
    let status = BUSY_WORDS.iter().find(|row| word == Some(row.1)).map(|row| row.0.to_ascii_uppercase());
    let is_free = word == Some("free");
    if word.is_some() && !is_free && status.is_none() {
        return Vec::new();
    }
    let mut lines = Vec::new();
    if is_free || has_transparency {
        lines.push(Fresh::uri("TRANSP", if is_free { "TRANSPARENT" } else { "OPAQUE" }));
    }
    if has_status || status.is_some() {
        let usual = if is_free { "FREE" } else { "BUSY" };
        lines.push(Fresh::uri("X-MICROSOFT-CDO-BUSYSTATUS", status.as_deref().unwrap_or(usual)));
    }
    lines
}

fn place(entry: &Value) -> Vec<Fresh> {
    let name = text(entry, "name").map(|name| Fresh::text("LOCATION", name));
    let coordinates = text(entry, "coordinates").and_then(|uri| uri.strip_prefix("geo:")?.split_once(','));
    let geo = coordinates.map(|(latitude, longitude)| Fresh::uri("GEO", &format!("{latitude};{longitude}")));
    name.into_iter().chain(geo).collect()
}

fn conference(entry: &Value, is_google: bool) -> Option<Fresh> {
    let uri = text(entry, "uri")?;
    let features = entry.get("features").and_then(Value::as_object);
    let features: Vec<String> = features.into_iter().flatten().map(|(word, _)| word.to_ascii_uppercase()).collect();
    if is_google && features.is_empty() && entry.get("name").is_none() {
        return Some(Fresh::uri("X-GOOGLE-CONFERENCE", uri));
    }
    let mut line = Fresh::uri("CONFERENCE", uri).with("VALUE", Some("URI"));
    if !features.is_empty() {
        line.parameters.push(("FEATURE", features));
    }
    Some(line.with("LABEL", text(entry, "name")))
}

fn link(entry: &Value) -> Option<Fresh> {
    let href = text(entry, "href")?;
    match entry.get("rel").map(Value::as_str) {
        None => Some(Fresh::uri("URL", href)),
        Some(Some("enclosure")) => {
            let line = match card::from_data_uri(href) {
                Some((media_type, bytes)) => {
                    let body = base64::engine::general_purpose::STANDARD.encode(bytes);
                    let line = Fresh::uri("ATTACH", &body).with("FMTTYPE", Some(&media_type));
                    line.with("ENCODING", Some("BASE64")).with("VALUE", Some("BINARY"))
                }
                None => Fresh::uri("ATTACH", href).with("FMTTYPE", text(entry, "contentType")),
            };
            let size = entry.get("size").and_then(Value::as_u64).map(|size| size.to_string());
            Some(line.with("FILENAME", text(entry, "title")).with("SIZE", size.as_deref()))
        }
        Some(_) => None,
    }
}

fn relations(uid: &str, entry: &Value) -> Vec<Fresh> {
    let words = entry.get("relation").and_then(Value::as_object).into_iter().flatten();
    let line = |(word, _): (&String, &Value)| {
        let line = Fresh::text("RELATED-TO", uid);
        if word == "parent" { line } else { line.with("RELTYPE", Some(&word.to_ascii_uppercase())) }
    };
    words.map(line).collect()
}

/// A line of `iCalProps` as it is written, if it stands for itself: a property that no member of what it stands in says.
pub(super) fn own_line(line: &str, is_unknown: fn(&Prop) -> bool) -> Option<Fresh> {
    let content = ContentLine::parse(line)?;
    let is_token = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let is_parameter = |raw: &str| {
        let name = raw.split_once('=').map_or("", |(name, _)| name);
        is_token(name.trim()) && raw.bytes().filter(|b| *b == b'"').count() % 2 == 0
    };
    let prop = Prop::from_line(0, ContentLine::parse(line)?);
    let is_coded = prop.token("ENCODING").is_some() || line.ends_with('=');
    if content.group().is_some()
        || !is_token(content.raw_name())
        || !content.raw_parameters().all(is_parameter)
        || is_coded
        || line.chars().any(|c| c.is_control() && c != '\t')
        || !is_unknown(&prop)
    {
        return None;
    }
    let (name, value) = line.split_at(line.len() - content.value().len() - 1);
    Some(Fresh { name: name.to_owned(), parameters: Vec::new(), value: value.get(1..)?.to_owned() })
}

/// What a component that is kept as a text may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    /// A component inside an event that nobody reads.
    Inside,
    /// An event that is an override.
    Override,
    /// A VTIMEZONE.
    Zone,
}

/// The lines of a component that is kept as a text, if it is one whole component of that kind and nothing else.
pub(super) fn own_component(text: &str, kept: Kept) -> Option<Vec<String>> {
    if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t'))
        || text.contains("\n ")
        || text.contains("\n\t")
    {
        return None;
    }
    let file = File::parse(text.as_bytes()).ok()?;
    let components = file.components();
    let mut roots = components.iter().filter(|component| component.parent.is_none());
    let (root, None) = (roots.next()?, roots.next()) else { return None };
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let is_whole = root.begin == 0 && root.end == Some(file.len() - 1) && lines.len() == file.len();
    let is_balanced = components.iter().all(|component| component.end.is_some());
    let is_frame = |name: &str| matches!(name, "VCALENDAR" | "VTIMEZONE" | "VEVENT");
    let is_kind = match kept {
        Kept::Inside => !is_frame(&root.name),
        Kept::Override => root.name == "VEVENT",
        Kept::Zone => root.name == "VTIMEZONE",
    };
    let is_alone = components.iter().skip(1).all(|component| !is_frame(&component.name));
    (is_whole && is_balanced && is_kind && is_alone).then_some(lines)
}
