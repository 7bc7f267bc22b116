//! Content to a card's lines: from nothing, or onto a card that somebody wrote, line by line.

use super::prop::{Prop, escape, folded, is_token, param_text, parse};
use super::reader::{CARRY, Card, DERIVED, Written, read};
use crate::card::{self, display_name};
use crate::contentline::{File, LineEnd};
use crate::patch::difference;
use crate::{Content, Error, ErrorKind, Identity, Result, carry};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Members that are one value: a change rewrites their lines.
const SINGLE: &[&str] = &["name", "kind"];
/// Members whose entries share a line: a change rewrites it.
const SHARED: &[&str] = &["keywords", "nicknames"];
/// The carry-all may grow to this; a photo that a version cannot say is never that large.
const CARRY_LIMIT: usize = 4 << 20;

/// A card from nothing.
pub(super) fn fresh(version: Written, content: &Content, identity: &Identity) -> Result<Vec<u8>> {
    let number = if version == Written::V4 { "4.0" } else { "3.0" };
    let uid = escape(identity.uid.as_str());
    let mut say = Say { version, groups: BTreeSet::new() };
    let mut lines = vec!["BEGIN:VCARD".to_owned(), format!("VERSION:{number}"), format!("UID:{uid}")];
    lines.extend(name_lines(version, content));
    for (member, value) in content.0.iter().filter(|(member, _)| *member != "name") {
        lines.extend(say.member(member, value));
    }
    lines.push("END:VCARD".into());
    let bytes: String = lines.iter().map(|line| folded(line, "\r\n")).collect();
    carried(bytes.into_bytes(), content)
}

/// A card edited until it says `content`; lines of entries that did not change stay byte for byte.
pub(super) fn edited(bytes: &[u8], content: &Content) -> Result<Vec<u8>> {
    let file = parse_file(bytes)?;
    let card = read(&file)?;
    let native = carry::apply(&card.native, card.carry.as_ref().map(|(_, text)| text.as_str()));
    if native == *content {
        return Ok(bytes.to_vec());
    }
    let changed = changed_entries(&card.native, content);
    let mut say = Say {
        version: card.version,
        groups: card.props.values().filter_map(|p| p.group.as_deref().map(str::to_ascii_lowercase)).collect(),
    };
    let mut drop_lines: BTreeSet<usize> = BTreeSet::new();
    let mut instead: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    let mut added: Vec<String> = Vec::new();
    for (member, key) in changed {
        let lines: Vec<usize> = card
            .claims
            .iter()
            .filter(|claim| claim.member == member && (key.is_empty() || claim.key == key))
            .map(|claim| claim.line)
            .collect();
        // A line that says other entries too (a related person with two relations on two lines stays two lines).
        drop_lines.extend(lines.iter().copied());
        let value = content.get(&member);
        let entry = if key.is_empty() { value } else { value.and_then(|map| map.get(&key)) };
        let old = lines.iter().find_map(|line| card.props.get(line).filter(|p| p.name != "X-ABLABEL"));
        let new = match (member.as_str(), entry) {
            ("name", _) => name_lines(card.version, content),
            (_, None) => Vec::new(),
            (member, Some(value)) if key.is_empty() => say.member(member, value),
            (member, Some(entry)) => say.entry(member, &key, entry, old),
        };
        match lines.iter().min() {
            Some(first) => instead.entry(*first).or_default().extend(new),
            None => added.extend(new),
        }
    }
    Ok(carried(rebuild(&file, &card, &drop_lines, &instead, &added), content)?)
}

/// Which entries differ: member and key; the key is empty where a member is rewritten whole.
fn changed_entries(from: &Content, to: &Content) -> BTreeSet<(String, String)> {
    let mut changed = BTreeSet::new();
    for path in difference(from, to).0.keys() {
        let keys = crate::patch::split(path);
        let member = keys[0].clone();
        if SINGLE.contains(&member.as_str()) || SHARED.contains(&member.as_str()) {
            changed.insert((member, String::new()));
            continue;
        }
        match keys.get(1) {
            Some(key) => drop(changed.insert((member, key.clone()))),
            // A member that comes or goes whole: each of its entries.
            None => {
                let of = |content: &Content| content.get(&member).and_then(Value::as_object).cloned().unwrap_or_default();
                for key in of(from).keys().chain(of(to).keys()) {
                    changed.insert((member.clone(), key.clone()));
                }
            }
        }
    }
    // A made-up FN follows what it is made of.
    let made_up = |content: &Content| content.at(&["name", "full"]).is_none();
    if (made_up(from) || made_up(to)) && display_name(from) != display_name(to) {
        changed.insert(("name".into(), String::new()));
    }
    changed
}

fn rebuild(
    file: &File,
    card: &Card,
    dropped: &BTreeSet<usize>,
    instead: &BTreeMap<usize, Vec<String>>,
    added: &[String],
) -> Vec<u8> {
    let end = line_end(file);
    let mut out = Vec::new();
    for line in 0..file.len() {
        if line == card.end {
            added.iter().for_each(|text| out.extend(folded(text, end).into_bytes()));
        }
        if let Some(texts) = instead.get(&line) {
            texts.iter().for_each(|text| out.extend(folded(text, end).into_bytes()));
        }
        if !dropped.contains(&line) {
            out.extend_from_slice(file.raw(line));
        }
    }
    out
}

fn line_end(file: &File) -> &'static str {
    match file.line_end() {
        LineEnd::CrLf => "\r\n",
        LineEnd::Lf => "\n",
        LineEnd::Cr => "\r",
    }
}

/// Sets the carry-all so that the card says `content` in full.
fn carried(bytes: Vec<u8>, content: &Content) -> Result<Vec<u8>> {
    let file = parse_file(&bytes)?;
    let card = read(&file)?;
    let text = carry::make(&card.native, content, CARRY_LIMIT);
    if card.carry.as_ref().map(|(_, text)| text) == text.as_ref() {
        return Ok(bytes);
    }
    let old: BTreeSet<usize> = card.carry.iter().map(|(line, _)| *line).collect();
    let new: Vec<String> = text.into_iter().map(|text| format!("{CARRY}:{}", escape(&text))).collect();
    Ok(rebuild(&file, &card, &old, &BTreeMap::new(), &new))
}

pub(super) fn parse_file(bytes: &[u8]) -> Result<File> {
    File::parse(bytes).map_err(|error| Error::new(ErrorKind::Malformed, error.to_string()))
}

fn text<'a>(value: &'a Value, member: &str) -> Option<&'a str> {
    value.get(member).and_then(Value::as_str)
}

/// FN and N. A card must have both (RFC 2426 3.1): what the content does not say is made up, and marked where that matters.
fn name_lines(version: Written, content: &Content) -> Vec<String> {
    let full = content.at(&["name", "full"]).and_then(Value::as_str);
    let fn_line = match full {
        Some(full) => format!("FN:{}", value_text(version, full)),
        None => format!("FN;{DERIVED}=derived:{}", value_text(version, &display_name(content).unwrap_or_default())),
    };
    let components = content.at(&["name", "components"]).and_then(Value::as_array).cloned().unwrap_or_default();
    let part = |kinds: &[&str]| {
        let values = components.iter().filter(|c| text(c, "kind").is_some_and(|kind| kinds.contains(&kind)));
        values.filter_map(|c| text(c, "value")).map(|v| value_text(version, v)).collect::<Vec<_>>().join(",")
    };
    let parts = [part(&["surname", "surname2"]), part(&["given"]), part(&["given2"]), part(&["title"]), part(&["generation", "credential"])];
    let mut lines = vec![fn_line];
    if version != Written::V4 || parts.iter().any(|part| !part.is_empty()) {
        lines.push(format!("N:{}", parts.join(";")));
    }
    lines
}

fn value_text(_version: Written, text: &str) -> String {
    escape(text)
}

struct Say {
    version: Written,
    groups: BTreeSet<String>,
}

impl Say {
    fn member(&mut self, member: &str, value: &Value) -> Vec<String> {
        match (member, value) {
            ("kind", Value::String(kind)) => match self.version {
                Written::V4 => vec![format!("KIND:{}", escape(kind))],
                _ => vec![format!("X-ADDRESSBOOKSERVER-KIND:{}", escape(kind))],
            },
            ("keywords", Value::Object(words)) => {
                vec![format!("CATEGORIES:{}", words.keys().map(|word| escape(word)).collect::<Vec<_>>().join(","))]
            }
            ("nicknames", Value::Object(map)) => {
                let names: Vec<String> = map.values().filter_map(|entry| text(entry, "name")).map(escape).collect();
                vec![format!("NICKNAME:{}", names.join(","))]
            }
            (member, Value::Object(map)) => {
                map.iter().flat_map(|(key, entry)| self.entry(member, key, entry, None)).collect()
            }
            _ => Vec::new(),
        }
    }

    fn free_group(&mut self) -> String {
        let free = (1..).map(|n| format!("item{n}")).find(|group| !self.groups.contains(group));
        // Invariant: the numbers do not end.
        let group = free.unwrap_or_else(|| unreachable!("a number is free"));
        self.groups.insert(group.clone());
        group
    }

    /// One entry as lines; none where this version has no property for it (the carry-all takes it).
    fn entry(&mut self, member: &str, key: &str, entry: &Value, old: Option<&Prop>) -> Vec<String> {
        let said = match member {
            "emails" => {
                let more = if self.version == Written::V3 && old.is_none() { &["INTERNET"][..] } else { &[] };
                text(entry, "address").map(|address| ("EMAIL", self.types(entry, more, old), escape(address)))
            }
            "phones" => self.phone(entry, old),
            "onlineServices" => text(entry, "uri").map(|uri| {
                let mut params = self.types(entry, &[], old);
                if let Some(service) = text(entry, "service") {
                    params.push_str(&format!(";X-SERVICE-TYPE={}", param_text(service)));
                }
                ("IMPP", params, escape(uri))
            }),
            "links" => text(entry, "uri").map(|uri| ("URL", self.types(entry, &[], old), escape(uri))),
            "addresses" => Some(("ADR", self.address_params(entry, old), address_value(entry))),
            "organizations" => {
                let units = entry.get("units").and_then(Value::as_array).cloned().unwrap_or_default();
                let name = escape(text(entry, "name").unwrap_or_default());
                let parts = std::iter::once(name).chain(units.iter().map(|unit| escape(text(unit, "name").unwrap_or_default())));
                Some(("ORG", String::new(), parts.collect::<Vec<_>>().join(";")))
            }
            "titles" => {
                let name = if text(entry, "kind") == Some("role") { "ROLE" } else { "TITLE" };
                text(entry, "name").map(|title| (name, String::new(), escape(title)))
            }
            "notes" => text(entry, "note").map(|note| ("NOTE", String::new(), escape(note))),
            "anniversaries" => self.day(entry),
            "media" => self.media(entry),
            "relatedTo" => return self.related(key, entry),
            "vCardProps" => return kept_line(entry).into_iter().collect(),
            _ => None,
        };
        let Some((name, params, value)) = said else { return Vec::new() };
        let label = text(entry, "label").filter(|_| matches!(member, "emails" | "phones" | "onlineServices" | "links" | "addresses"));
        let old_group = old.and_then(|p| p.group.clone());
        let group = match (label, old_group) {
            (Some(_), None) => Some(self.free_group()),
            (_, group) => group,
        };
        let prefix = group.map(|group| format!("{group}.")).unwrap_or_default();
        let mut lines = vec![format!("{prefix}{name}{params}:{value}")];
        lines.extend(label.map(|label| format!("{prefix}X-ABLabel:{}", escape(label))));
        lines
    }

    /// Contexts and preference as parameters, and those of the old line that mean nothing to us.
    fn types(&self, entry: &Value, more: &[&str], old: Option<&Prop>) -> String {
        let has = |context: &str| entry.get("contexts").and_then(|c| c.get(context)).is_some();
        let mut words: Vec<&str> = more.to_vec();
        words.extend(has("private").then_some("HOME"));
        words.extend(has("work").then_some("WORK"));
        let pref = entry.get("pref").and_then(Value::as_u64);
        let mut params = String::new();
        match (self.version, pref) {
            (Written::V4, Some(pref)) => params.push_str(&format!(";PREF={pref}")),
            (_, Some(1)) => words.push("PREF"),
            _ => {}
        }
        if let Some(old) = old {
            for word in old.types().iter().filter(|word| word.as_str() == "internet") {
                params.push_str(&format!(";TYPE={}", word.to_ascii_uppercase()));
            }
            let understood = ["", "TYPE", "PREF", "ENCODING", "CHARSET", "VALUE", "LABEL", "X-SERVICE-TYPE", "SERVICE-TYPE", "MEDIATYPE"];
            for (name, value) in old.params.iter().filter(|(name, _)| !understood.contains(&name.as_str())) {
                params.push_str(&format!(";{name}={}", param_text(value)));
            }
        }
        let types = words.iter().map(|word| if self.version == Written::V21 { format!(";{word}") } else { format!(";TYPE={word}") });
        types.collect::<String>() + &params
    }

    fn phone(&self, entry: &Value, old: Option<&Prop>) -> Option<(&'static str, String, String)> {
        let number = text(entry, "number")?;
        let mut more = Vec::new();
        for feature in entry.get("features").and_then(Value::as_object).into_iter().flat_map(Map::keys) {
            more.push(match feature.as_str() {
                "mobile" => "CELL",
                "fax" => "FAX",
                "pager" => "PAGER",
                "text" => "TEXT",
                "video" => "VIDEO",
                "textphone" => "TEXTPHONE",
                "main-number" => "MAIN",
                "voice" => "VOICE",
                _ => return None,
            });
        }
        Some(("TEL", self.types(entry, &more, old), escape(number)))
    }

    fn address_params(&self, entry: &Value, old: Option<&Prop>) -> String {
        let mut params = self.types(entry, &[], old);
        if let (Written::V4, Some(full)) = (self.version, text(entry, "full")) {
            params.push_str(&format!(";LABEL={}", param_text(full)));
        }
        params
    }

    fn day(&self, entry: &Value) -> Option<(&'static str, String, String)> {
        let name = match (text(entry, "kind")?, self.version) {
            ("birth", _) => "BDAY",
            ("wedding", Written::V4) => "ANNIVERSARY",
            ("wedding", _) => "X-ANNIVERSARY",
            ("death", Written::V4) => "DEATHDATE",
            _ => return None,
        };
        if let Some(label) = text(entry, "label") {
            let words = (entry.get("date").is_none()).then(|| escape(label))?;
            return Some((name, ";VALUE=text".into(), words));
        }
        let date = entry.get("date")?;
        let number = |part: &str| date.get(part).and_then(Value::as_u64);
        match (number("year"), number("month"), number("day"), self.version) {
            (Some(y), Some(m), Some(d), Written::V4) => Some((name, String::new(), format!("{y:04}{m:02}{d:02}"))),
            (Some(y), Some(m), Some(d), _) => Some((name, String::new(), format!("{y:04}-{m:02}-{d:02}"))),
            (None, Some(m), Some(d), Written::V4) => Some((name, String::new(), format!("--{m:02}{d:02}"))),
            (None, Some(m), Some(d), _) => Some((name, ";X-APPLE-OMIT-YEAR=1604".into(), format!("1604-{m:02}-{d:02}"))),
            (Some(y), None, None, Written::V4) => Some((name, String::new(), format!("{y:04}"))),
            _ => None,
        }
    }

    fn media(&self, entry: &Value) -> Option<(&'static str, String, String)> {
        let name = match text(entry, "kind")? {
            "photo" => "PHOTO",
            "logo" => "LOGO",
            "sound" => "SOUND",
            _ => return None,
        };
        let uri = text(entry, "uri")?;
        match (card::from_data_uri(uri), self.version) {
            (Some(_), Written::V4) => Some((name, String::new(), uri.to_owned())),
            (Some((media_type, _)), version) => {
                let minor = media_type.rsplit('/').next().unwrap_or_default().to_ascii_uppercase();
                let base64 = uri.split_once(',').map(|(_, body)| body).unwrap_or_default();
                let params = if version == Written::V21 { format!(";ENCODING=BASE64;{minor}") } else { format!(";ENCODING=b;TYPE={minor}") };
                is_token(&minor).then(|| (name, params, base64.to_owned()))
            }
            (None, version) => {
                let mut params = if version == Written::V4 { String::new() } else { ";VALUE=uri".into() };
                if let (Written::V4, Some(media_type)) = (version, text(entry, "mediaType")) {
                    params.push_str(&format!(";MEDIATYPE={}", param_text(media_type)));
                }
                Some((name, params, escape(uri)))
            }
        }
    }

    fn related(&self, who: &str, entry: &Value) -> Vec<String> {
        let relations: Vec<&String> = entry.get("relation").and_then(Value::as_object).into_iter().flat_map(Map::keys).collect();
        if self.version == Written::V4 {
            let types: String = relations.iter().map(|word| format!(";TYPE={}", param_text(word))).collect();
            let value = if who.contains("://") || who.starts_with("urn:") { "" } else { ";VALUE=text" };
            return vec![format!("RELATED{types}{value}:{}", escape(who))];
        }
        let known = |word: &&&String| matches!(word.as_str(), "spouse" | "manager" | "assistant" | "child");
        relations.iter().filter(known).map(|word| format!("X-{}:{}", word.to_ascii_uppercase(), escape(who))).collect()
    }
}

fn address_value(entry: &Value) -> String {
    let components = entry.get("components").and_then(Value::as_array).cloned().unwrap_or_default();
    let kinds = ["postOfficeBox", "apartment", "name", "locality", "region", "postcode", "country"];
    let of = |kind: &str| {
        let values = components.iter().filter(|c| text(c, "kind") == Some(kind)).filter_map(|c| text(c, "value"));
        values.map(escape).collect::<Vec<_>>().join(if kind == "name" { "\\n" } else { "\\, " })
    };
    kinds.map(of).join(";")
}

/// A property without a member of its own, as its line; never one that would break the card or name it anew.
fn kept_line(entry: &Value) -> Option<String> {
    let line = text(entry, "line")?;
    if line.chars().any(|c| c.is_control() && c != '\t') {
        return None;
    }
    let prop = parse(line.as_bytes())?;
    let taken = ["BEGIN", "END", "VERSION", "UID", "REV", "PRODID", "FN", "N", CARRY];
    (!taken.contains(&prop.name.as_str())).then(|| line.to_owned())
}
