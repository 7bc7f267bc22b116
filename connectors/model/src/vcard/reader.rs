//! A card's lines to content, with a note of which line said which entry.

use super::prop::{Prop, prop, split, unescape};
use crate::card::{self, address_key, email_identity, insert, insert_as, keys, phone_identity};
use crate::contentline::File;
use crate::{Content, Error, ErrorKind, Result};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The carry-all's property.
pub(super) const CARRY: &str = "X-TWOFOLD-CARRY";
/// The parameter of an FN that was made up because a card must have one.
pub(super) const DERIVED: &str = "X-TWOFOLD";

/// What a card's own VERSION says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    V21,
    V3,
    V4,
}

/// One line and the entry it said.
#[derive(Clone, Debug)]
pub(super) struct Claim {
    pub line: usize,
    pub member: String,
    /// Empty for a member that is one value.
    pub key: String,
}

/// One card, read.
pub(super) struct Card {
    pub native: Content,
    pub claims: Vec<Claim>,
    pub carry: Option<(usize, String)>,
    pub version: Written,
    pub end: usize,
    pub props: BTreeMap<usize, Prop>,
}

/// Reads the one card of a file.
pub(super) fn read(file: &File) -> Result<Card> {
    let malformed = |words: &str| Error::new(ErrorKind::Malformed, words);
    let mut cards = file.components().iter().filter(|c| c.name == "VCARD" && c.parent.is_none());
    let component = cards.next().ok_or_else(|| malformed("no BEGIN:VCARD in the file"))?;
    if cards.next().is_some() {
        return Err(malformed("several cards in one file; one is expected"));
    }
    let end = component.end.ok_or_else(|| malformed("the card has no END:VCARD (half-written)"))?;
    // Lines of components inside (an AGENT's card) are not this card's: they stay as they are.
    let inner: Vec<(usize, usize)> = file
        .components()
        .iter()
        .filter(|c| c.begin > component.begin && c.begin < end)
        .map(|c| (c.begin, c.end.unwrap_or(end)))
        .collect();
    let props: BTreeMap<usize, Prop> = (component.begin + 1..end)
        .filter(|line| !inner.iter().any(|(from, to)| line >= from && line <= to))
        .filter_map(|line| Some((line, prop(file, line)?)))
        .collect();
    let version = match props.values().find(|p| p.name == "VERSION").map(|p| p.value.trim()) {
        Some("2.1") => Written::V21,
        Some("4.0") => Written::V4,
        _ => Written::V3,
    };
    let mut reader = Reader { members: Map::new(), claims: Vec::new(), labels: labels(&props), version };
    let mut carry = None;
    for (line, prop) in &props {
        match prop.name.as_str() {
            "VERSION" | "UID" | "REV" | "PRODID" => {}
            CARRY => carry = Some((*line, unescape(&prop.value))),
            _ => reader.take(file, *line, prop),
        }
    }
    let Reader { members, mut claims, labels, .. } = reader;
    // A label's line belongs to the entries of its group.
    for (group, (line, _)) in labels {
        let of_group: Vec<Claim> = claims
            .iter()
            .filter(|claim| props.get(&claim.line).is_some_and(|p| p.group.as_deref().is_some_and(|g| g.eq_ignore_ascii_case(&group))))
            .cloned()
            .collect();
        claims.extend(of_group.into_iter().map(|claim| Claim { line, ..claim }));
    }
    let mut native = Content(members);
    drop_derived_name(&mut native, &props);
    Ok(Card { native: native.tidied(), claims, carry, version, end, props })
}

/// An FN that was made up is no content, as long as it says what would be made up today.
fn drop_derived_name(native: &mut Content, props: &BTreeMap<usize, Prop>) {
    let is_marked = props.values().any(|p| p.name == "FN" && p.param(DERIVED) == Some("derived"));
    if !is_marked {
        return;
    }
    let full = native.at(&["name", "full"]).cloned();
    let mut without = native.clone();
    if let Some(name) = without.0.get_mut("name").and_then(Value::as_object_mut) {
        name.shift_remove("full");
    }
    without.tidy();
    let derived = card::display_name(&without).unwrap_or_default();
    if full.and_then(|v| v.as_str().map(str::to_owned)).is_none_or(|full| full == derived) {
        *native = without;
    }
}

const LABELLED: &[&str] = &["TEL", "EMAIL", "ADR", "URL", "IMPP"];

/// Labels by group: the line and the words. Only where the group has something that can be labelled.
fn labels(props: &BTreeMap<usize, Prop>) -> BTreeMap<String, (usize, String)> {
    let mut found = BTreeMap::new();
    for (line, p) in props.iter().filter(|(_, p)| p.name == "X-ABLABEL") {
        let Some(group) = p.group.as_deref().map(str::to_ascii_lowercase) else { continue };
        let has_owner = props.values().any(|other| {
            LABELLED.contains(&other.name.as_str()) && other.group.as_deref().is_some_and(|g| g.eq_ignore_ascii_case(&group))
        });
        let words = unescape(&p.value);
        // Apple writes its own labels as _$!<Home>!$_.
        let words = words.strip_prefix("_$!<").and_then(|w| w.strip_suffix(">!$_")).unwrap_or(&words).trim().to_owned();
        if has_owner && !words.is_empty() {
            found.entry(group).or_insert((*line, words));
        }
    }
    found
}

struct Reader {
    members: Map<String, Value>,
    claims: Vec<Claim>,
    labels: BTreeMap<String, (usize, String)>,
    version: Written,
}

impl Reader {
    fn member(&mut self, member: &str) -> &mut Map<String, Value> {
        let slot = self.members.entry(member.to_owned()).or_insert_with(|| Value::Object(Map::new()));
        if !slot.is_object() {
            *slot = Value::Object(Map::new());
        }
        // Invariant: the two lines above made it an object.
        slot.as_object_mut().unwrap_or_else(|| unreachable!("an object"))
    }

    fn claim(&mut self, line: usize, member: &str, key: impl Into<String>) {
        self.claims.push(Claim { line, member: member.to_owned(), key: key.into() });
    }

    fn keyed(&mut self, line: usize, member: &str, identity: &str, entry: Value) {
        let key = insert(self.member(member), identity, entry);
        self.claim(line, member, key);
    }

    fn named(&mut self, line: usize, member: &str, plain: &str, entry: Value) {
        let key = insert_as(self.member(member), plain, entry);
        self.claim(line, member, key);
    }

    fn label(&self, prop: &Prop) -> Option<String> {
        self.labels.get(&prop.group.as_deref()?.to_ascii_lowercase()).map(|(_, words)| words.clone())
    }

    /// Contexts, preference and label: what the entries of several properties have in common. `known` are the types that the
    /// property gives a meaning of its own.
    fn common(&self, prop: &Prop, entry: &mut Map<String, Value>, known: &[&str]) {
        let types = prop.types();
        let mut contexts = Map::new();
        let mut words = Vec::new();
        for word in &types {
            match word.as_str() {
                "home" => drop(contexts.insert("private".into(), json!(true))),
                "work" => drop(contexts.insert("work".into(), json!(true))),
                "pref" => {
                    entry.entry("pref").or_insert(json!(1));
                }
                word if known.contains(&word) => {}
                word => words.push(word.to_owned()),
            }
        }
        if let Some(pref) = prop.param("PREF").and_then(|text| text.trim().parse::<u32>().ok()).filter(|n| (1..=100).contains(n)) {
            entry.insert("pref".into(), json!(pref));
        }
        if !contexts.is_empty() {
            entry.insert("contexts".into(), Value::Object(contexts));
        }
        if let Some(label) = self.label(prop) {
            entry.insert("label".into(), json!(label));
        } else if !words.is_empty() {
            entry.insert("label".into(), json!(words.join(" ")));
        }
    }

    fn take(&mut self, file: &File, line: usize, prop: &Prop) {
        let text = || unescape(prop.value.trim());
        match prop.name.as_str() {
            "FN" => self.single_name(line, |name| {
                name.entry("full").or_insert_with(|| json!(text()));
            }),
            "N" => {
                let components = name_components(&prop.value);
                self.single_name(line, |name| {
                    name.entry("components").or_insert_with(|| json!(components));
                });
            }
            "NICKNAME" => {
                for part in split(&prop.value, ',') {
                    let name = unescape(part.trim());
                    if !name.is_empty() {
                        self.keyed(line, "nicknames", &name, json!({"name": name}));
                    }
                }
            }
            "ORG" => self.organization(line, prop),
            "TITLE" | "ROLE" if !text().is_empty() => {
                let kind = if prop.name == "TITLE" { keys::TITLE } else { keys::ROLE };
                self.named(line, "titles", kind, json!({"name": text(), "kind": kind}));
            }
            "EMAIL" if !text().is_empty() => {
                let mut entry = Map::from_iter([("address".to_owned(), json!(text()))]);
                self.common(prop, &mut entry, &["internet"]);
                self.keyed(line, "emails", &email_identity(&text()), Value::Object(entry));
            }
            "TEL" if !text().is_empty() => self.phone(line, prop),
            "IMPP" if !text().is_empty() => {
                let mut entry = Map::from_iter([("uri".to_owned(), json!(text()))]);
                let service = prop.param("X-SERVICE-TYPE").or_else(|| prop.param("SERVICE-TYPE"));
                if let Some(service) = service {
                    entry.insert("service".into(), json!(service));
                }
                self.common(prop, &mut entry, &[]);
                self.keyed(line, "onlineServices", &text(), Value::Object(entry));
            }
            "ADR" => self.address(line, prop),
            "URL" if !prop.value.trim().is_empty() => {
                let mut entry = Map::from_iter([("uri".to_owned(), json!(text()))]);
                self.common(prop, &mut entry, &[]);
                self.keyed(line, "links", &text(), Value::Object(entry));
            }
            "BDAY" => self.day(line, prop, keys::BIRTH, file),
            "ANNIVERSARY" | "X-ANNIVERSARY" => self.day(line, prop, keys::WEDDING, file),
            "DEATHDATE" => self.day(line, prop, keys::DEATH, file),
            "NOTE" if !text().is_empty() => self.named(line, "notes", keys::NOTE, json!({"note": text()})),
            "CATEGORIES" => {
                for part in split(&prop.value, ',') {
                    let word = unescape(part.trim());
                    if !word.is_empty() {
                        self.member("keywords").insert(word.clone(), json!(true));
                        self.claim(line, "keywords", word);
                    }
                }
            }
            "PHOTO" => self.media(line, prop, keys::PHOTO, "image", file),
            "LOGO" => self.media(line, prop, keys::LOGO, "image", file),
            "SOUND" => self.media(line, prop, keys::SOUND, "audio", file),
            "KIND" | "X-ADDRESSBOOKSERVER-KIND" if !self.members.contains_key("kind") => {
                let kind = text().to_ascii_lowercase();
                if kind != "individual" && !kind.is_empty() {
                    self.members.insert("kind".into(), json!(kind));
                }
                self.claim(line, "kind", "");
            }
            "X-SPOUSE" | "X-MANAGER" | "X-ASSISTANT" | "X-CHILD" if !text().is_empty() => {
                let relation = prop.name.trim_start_matches("X-").to_ascii_lowercase();
                self.related(line, &text(), &[relation]);
            }
            "RELATED" if !text().is_empty() => {
                let types: Vec<String> = prop.types();
                self.related(line, &text(), &types);
            }
            _ => self.unknown(line, file),
        }
    }

    fn single_name(&mut self, line: usize, set: impl FnOnce(&mut Map<String, Value>)) {
        set(self.member("name"));
        self.claim(line, "name", "");
    }

    fn organization(&mut self, line: usize, prop: &Prop) {
        let mut parts = split(&prop.value, ';').into_iter().map(|part| unescape(part.trim()));
        let name = parts.next().unwrap_or_default();
        let mut units: Vec<String> = parts.collect();
        while units.last().is_some_and(String::is_empty) {
            units.pop();
        }
        if name.is_empty() && units.is_empty() {
            return;
        }
        let units: Vec<Value> = units.into_iter().map(|unit| json!({"name": unit})).collect();
        let mut entry = Map::new();
        if !name.is_empty() {
            entry.insert("name".into(), json!(name));
        }
        if !units.is_empty() {
            entry.insert("units".into(), json!(units));
        }
        self.named(line, "organizations", keys::ORGANIZATION, Value::Object(entry));
    }

    fn phone(&mut self, line: usize, prop: &Prop) {
        let text = unescape(prop.value.trim());
        let number = text.strip_prefix("tel:").unwrap_or(&text).to_owned();
        let mut entry = Map::from_iter([("number".to_owned(), json!(number))]);
        let mut features = Map::new();
        for word in prop.types() {
            let feature = match word.as_str() {
                "cell" => "mobile",
                "fax" | "pager" | "text" | "video" | "textphone" => word.as_str(),
                "main" | "main-number" => "main-number",
                "msg" => "text",
                "voice" => "voice",
                _ => continue,
            };
            features.insert(feature.into(), json!(true));
        }
        if features.len() == 1 && features.contains_key("voice") {
            features.clear();
        }
        if !features.is_empty() {
            entry.insert("features".into(), Value::Object(features));
        }
        let known = ["cell", "fax", "pager", "text", "video", "textphone", "main", "main-number", "msg", "voice"];
        self.common(prop, &mut entry, &known);
        self.keyed(line, "phones", &phone_identity(&number), Value::Object(entry));
    }

    fn address(&mut self, line: usize, prop: &Prop) {
        const KINDS: [&str; 7] = ["postOfficeBox", "apartment", "name", "locality", "region", "postcode", "country"];
        let mut components = Vec::new();
        for (part, kind) in split(&prop.value, ';').into_iter().zip(KINDS) {
            let values: Vec<String> = split(part, ',').into_iter().map(|value| unescape(value.trim())).collect();
            let joined = if kind == "name" { values.join("\n") } else { values.join(", ") };
            let value = joined.trim().to_owned();
            if !value.is_empty() {
                components.push(json!({"kind": kind, "value": value}));
            }
        }
        let mut entry = Map::new();
        if !components.is_empty() {
            entry.insert("components".into(), json!(components));
        }
        if let Some(label) = prop.param("LABEL") {
            entry.insert("full".into(), json!(unescape(label)));
        }
        if entry.is_empty() {
            return;
        }
        self.common(prop, &mut entry, &["dom", "intl", "postal", "parcel"]);
        let has = |context: &str| entry.get("contexts").and_then(|c| c.get(context)).is_some();
        let plain = address_key(has("private"), has("work"));
        self.named(line, "addresses", plain, Value::Object(entry));
    }

    fn day(&mut self, line: usize, prop: &Prop, kind: &str, file: &File) {
        let text = unescape(prop.value.trim());
        // A second birthday cannot be said; the line stays as it is.
        if text.is_empty() || self.member("anniversaries").contains_key(kind) {
            return self.unknown(line, file);
        }
        let mut entry = Map::from_iter([("kind".to_owned(), json!(kind))]);
        match parse_date(&text) {
            Some(mut date) if prop.param("VALUE").is_none_or(|value| !value.eq_ignore_ascii_case("text")) => {
                let omit = prop.param("X-APPLE-OMIT-YEAR");
                if omit.is_some() && date.get("year").map(Value::to_string).as_deref() == omit {
                    date.shift_remove("year");
                }
                entry.insert("date".into(), Value::Object(date));
            }
            _ => drop(entry.insert("label".into(), json!(text))),
        }
        self.named(line, "anniversaries", kind, Value::Object(entry));
    }

    fn media(&mut self, line: usize, prop: &Prop, kind: &str, major: &str, file: &File) {
        let compact: String = prop.value.chars().filter(|c| !c.is_whitespace()).collect();
        if compact.is_empty() {
            return self.unknown(line, file);
        }
        let minor = prop.types().into_iter().find(|word| word != "pref");
        let media_type = prop.param("MEDIATYPE").map(str::to_owned).or_else(|| {
            minor.map(|word| if word.contains('/') { word } else { format!("{major}/{}", if word == "jpg" { "jpeg" } else { &word }) })
        });
        let uri = if let Some((media_type, bytes)) = card::from_data_uri(&compact) {
            card::data_uri(&media_type.to_ascii_lowercase(), &bytes)
        } else if prop.is_base64 {
            let as_uri = format!("data:{};base64,{compact}", media_type.clone().unwrap_or_else(|| sniffed(&compact, major)));
            match card::from_data_uri(&as_uri) {
                Some((media_type, bytes)) => card::data_uri(&media_type, &bytes),
                None => return self.unknown(line, file),
            }
        } else {
            unescape(prop.value.trim())
        };
        let mut entry = Map::from_iter([("kind".to_owned(), json!(kind)), ("uri".to_owned(), json!(uri))]);
        if !uri.starts_with("data:")
            && let Some(media_type) = media_type
        {
            entry.insert("mediaType".into(), json!(media_type));
        }
        self.named(line, "media", kind, Value::Object(entry));
    }

    fn related(&mut self, line: usize, who: &str, relations: &[String]) {
        let mut relation = Map::new();
        for word in relations {
            relation.insert(word.clone(), json!(true));
        }
        let entry = self.member("relatedTo").entry(who.to_owned()).or_insert_with(|| json!({"relation": {}}));
        if let Some(held) = entry.get_mut("relation").and_then(Value::as_object_mut) {
            held.extend(relation);
        }
        self.claim(line, "relatedTo", who);
    }

    /// A property that the model has no member for: kept as its line.
    fn unknown(&mut self, line: usize, file: &File) {
        let Some(prop) = prop(file, line) else { return };
        if prop.name == "X-ABLABEL" && self.label(&prop).is_some() {
            return;
        }
        let text = if self.version == Written::V21 {
            // Encodings of 2.1 mean nothing elsewhere: the decoded value travels.
            plain_line(&prop)
        } else {
            String::from_utf8_lossy(&file.unfolded(line)).into_owned()
        };
        let identity = text.split_once('.').filter(|(group, _)| prop.group.as_deref() == Some(*group)).map_or(text.as_str(), |(_, rest)| rest);
        let identity = identity.to_owned();
        self.keyed(line, "vCardProps", &identity, json!({"line": text}));
    }
}

fn plain_line(prop: &Prop) -> String {
    let mut text = prop.group.as_ref().map(|group| format!("{group}.")).unwrap_or_default();
    text.push_str(&prop.name);
    for word in prop.types() {
        text.push_str(&format!(";TYPE={}", super::prop::param_text(&word)));
    }
    for (name, value) in prop.params.iter().filter(|(name, _)| !matches!(name.as_str(), "" | "TYPE" | "ENCODING" | "CHARSET")) {
        text.push_str(&format!(";{name}={}", super::prop::param_text(value)));
    }
    if prop.is_base64 {
        text.push_str(";ENCODING=b");
    }
    let value: String = prop.value.replace("\r\n", "\n").replace('\n', "\\n");
    format!("{text}:{value}")
}

fn sniffed(base64: &str, major: &str) -> String {
    let minor = match base64 {
        b if b.starts_with("/9j/") => "jpeg",
        b if b.starts_with("iVBOR") => "png",
        b if b.starts_with("R0lG") => "gif",
        _ if major == "image" => "jpeg",
        _ => "basic",
    };
    format!("{major}/{minor}")
}

/// N's five parts as components, in the order in which a name is spoken.
fn name_components(value: &str) -> Vec<Value> {
    let parts: Vec<Vec<String>> = split(value, ';')
        .into_iter()
        .map(|part| split(part, ',').into_iter().map(|v| unescape(v.trim())).filter(|v| !v.is_empty()).collect())
        .collect();
    let order = [(3, "title"), (1, "given"), (2, "given2"), (0, "surname"), (4, "credential")];
    let of = |(at, kind): (usize, &'static str)| {
        parts.get(at).into_iter().flatten().map(move |value| json!({"kind": kind, "value": value})).collect::<Vec<_>>()
    };
    order.into_iter().flat_map(of).collect()
}

/// A date of RFC 6350 4.3.1 or ISO 8601, complete or not; nothing for a text or a moment with a time of day.
fn parse_date(text: &str) -> Option<Map<String, Value>> {
    let text = match text.split_once(['T', 't', ' ']) {
        // Exporters write a birthday as midnight; any other time of day is not dropped.
        Some((day, time)) if time.trim_end_matches(['Z', 'z']).chars().all(|c| matches!(c, '0' | ':' | '.')) => day,
        Some(_) => return None,
        None => text,
    };
    let number = |digits: &str| digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse::<u32>().ok()).flatten();
    let (year, month, day) = if let Some(rest) = text.strip_prefix("--") {
        let digits: String = rest.chars().filter(|c| *c != '-').collect();
        match (rest.starts_with('-'), digits.len()) {
            (true, 2) => (None, None, Some(number(&digits)?)),
            (false, 4) => (None, Some(number(&digits[..2])?), Some(number(&digits[2..])?)),
            (false, 2) => (None, Some(number(&digits)?), None),
            _ => return None,
        }
    } else {
        let digits: String = text.chars().filter(|c| *c != '-').collect();
        match (digits.len(), text.matches('-').count()) {
            (8, 0 | 2) => (Some(number(&digits[..4])?), Some(number(&digits[4..6])?), Some(number(&digits[6..])?)),
            (6, 1) => (Some(number(&digits[..4])?), Some(number(&digits[4..])?), None),
            (4, 0) => (Some(number(&digits)?), None, None),
            _ => return None,
        }
    };
    if month.is_some_and(|m| !(1..=12).contains(&m)) || day.is_some_and(|d| !(1..=31).contains(&d)) {
        return None;
    }
    let mut date = Map::new();
    for (name, value) in [("year", year), ("month", month), ("day", day)] {
        if let Some(value) = value {
            date.insert(name.into(), json!(value));
        }
    }
    Some(date)
}
