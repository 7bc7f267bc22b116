//! The name: FN, N, SORT-STRING and the phonetic readings against the `name` of a Card (RFC 6350 6.2.1 and 6.2.2, RFC 2426
//! 3.1, RFC 9554 2.2).

use super::doc::{Dialect, Prop};
use crate::{Content, card};
use serde_json::{Map, Value, json};

/// Kinds of a component in the order of N: five parts, and two more of RFC 9554.
pub(super) const KINDS: [&str; 7] = ["surname", "given", "given2", "title", "credential", "surname2", "generation"];

/// The order in which a Card has them ([`crate::card`]).
const CARD_ORDER: [&str; 7] = ["title", "given", "given2", "surname", "surname2", "generation", "credential"];

/// Properties of a phonetic reading and the kind that is read.
pub(super) const PHONETIC: [(&str, &str); 3] =
    [("X-PHONETIC-FIRST-NAME", "given"), ("X-PHONETIC-MIDDLE-NAME", "given2"), ("X-PHONETIC-LAST-NAME", "surname")];

/// The lines of a name, as indices of properties.
#[derive(Clone, Debug, Default)]
pub(super) struct NameLines {
    pub(super) full: Option<usize>,
    pub(super) parts: Option<usize>,
    pub(super) sort: Option<usize>,
    pub(super) phonetic: [Option<usize>; 3],
}

impl NameLines {
    /// Takes a line if it is the first of its kind; a second one is no part of the name.
    pub(super) fn take(&mut self, prop: &Prop, at: usize) -> bool {
        let place = match prop.name.as_str() {
            "FN" => &mut self.full,
            "N" => &mut self.parts,
            "SORT-STRING" => &mut self.sort,
            name => match PHONETIC.iter().position(|row| row.0 == name) {
                Some(which) => &mut self.phonetic[which],
                None => return false,
            },
        };
        if place.is_some() {
            // An empty repetition says nothing either.
            return prop.text().chars().all(|c| c == ';' || c.is_whitespace());
        }
        *place = Some(at);
        true
    }
}

/// The parameter that marks an FN made up because every card must have one.
pub(super) const MARK: &str = "X-TWOFOLD";

/// The mark for a made-up FN: it holds as long as nobody edits the text.
pub(super) fn mark_of(full: &str) -> String {
    format!("derived-{}", &card::key(full)[..8])
}

/// The FN that is made up for a card without a full name.
pub(super) fn made_up(content: &Content) -> String {
    let shown = card::derived_name(content).or_else(|| card::made_name(content)).unwrap_or_default();
    let shown: String = shown.chars().filter(|c| !c.is_control()).collect();
    let shown = shown.trim();
    if shown.is_empty() { "(no name)".to_owned() } else { shown.to_owned() }
}

/// The `name` that these lines say.
pub(super) fn read(props: &[Prop], lines: &NameLines) -> Option<Value> {
    let prop = |at: Option<usize>| at.and_then(|at| props.get(at));
    let mut name = Map::new();
    if let Some(prop) = prop(lines.full) {
        let full = prop.text();
        let is_made_up = prop.parameter(MARK).is_some_and(|mark| mark == mark_of(&full));
        if !full.trim().is_empty() && !is_made_up {
            name.insert("full".into(), Value::from(full));
        }
    }
    let phonetic: Vec<Option<String>> = lines.phonetic.iter().map(|at| prop(*at).and_then(Prop::word)).collect();
    let mut components = Vec::new();
    let mut sort = Map::new();
    if let Some(prop) = prop(lines.parts) {
        let mut parts = prop.lists();
        parts.resize(KINDS.len(), Vec::new());
        // RFC 9554 2.2: those of the two later parts are repeated in the old ones.
        let (old, new) = parts.split_at_mut(5);
        old[0].retain(|surname| !new[0].contains(surname));
        old[4].retain(|suffix| !new[1].contains(suffix));
        for kind in CARD_ORDER {
            let values = KINDS.iter().position(|k| *k == kind).and_then(|at| parts.get(at));
            for value in values.into_iter().flatten() {
                components.push(json!({"kind": kind, "value": value}));
            }
        }
        let sort_as =
            prop.parameters.iter().find(|p| p.name == "SORT-AS").map(|p| p.values.clone()).unwrap_or_default();
        let sort_as = sort_as.iter().flat_map(|value| value.split(',')).map(str::trim);
        for (kind, value) in KINDS.iter().zip(sort_as).filter(|(_, value)| !value.is_empty()) {
            sort.insert((*kind).to_owned(), Value::from(value));
        }
    }
    for ((_, kind), reading) in PHONETIC.iter().zip(phonetic) {
        let component = components.iter_mut().find(|c| c.get("kind").and_then(Value::as_str) == Some(*kind));
        if let (Some(component), Some(reading)) = (component, reading) {
            component["phonetic"] = Value::from(reading);
        }
    }
    if let Some(word) = prop(lines.sort).and_then(Prop::word).filter(|_| sort.is_empty()) {
        sort.insert("surname".into(), Value::from(word));
    }
    if !components.is_empty() {
        name.insert("components".into(), Value::Array(components));
    }
    if !sort.is_empty() {
        name.insert("sortAs".into(), Value::Object(sort));
    }
    (!name.is_empty()).then_some(Value::Object(name))
}

/// The full name that content states, if there is something to see in it.
pub(super) fn full(name: Option<&Value>) -> Option<&str> {
    name?.get("full")?.as_str().filter(|full| full.chars().any(|c| !c.is_whitespace() && !c.is_control()))
}

/// The parts of N that content states: five, or seven where vCard 4.0 needs them.
pub(super) fn parts(name: Option<&Value>, dialect: Dialect) -> Vec<Vec<String>> {
    let of = |kind: &str| -> Vec<String> {
        let components = name.and_then(|n| n.get("components")).and_then(Value::as_array).into_iter().flatten();
        let own = components.filter(|c| c.get("kind").and_then(Value::as_str) == Some(kind));
        let values = own.filter_map(|c| c.get("value").and_then(Value::as_str)).map(|value| value.trim().to_owned());
        values.filter(|value| !value.is_empty()).collect()
    };
    let mut parts: Vec<Vec<String>> = KINDS.iter().map(|kind| of(kind)).collect();
    let (surname2, generation) = (parts[5].clone(), parts[6].clone());
    parts[0].extend(surname2);
    let credentials = std::mem::replace(&mut parts[4], generation);
    parts[4].extend(credentials);
    if dialect != Dialect::V4 || (parts[5].is_empty() && parts[6].is_empty()) {
        parts.truncate(5);
    }
    if dialect == Dialect::V2 {
        for part in &mut parts {
            *part = vec![part.join(" ")];
        }
    }
    parts
}

/// The phonetic reading of the first component of a kind.
pub(super) fn phonetic<'a>(name: Option<&'a Value>, kind: &str) -> Option<&'a str> {
    let components = name?.get("components")?.as_array()?;
    let first = components.iter().find(|c| c.get("kind").and_then(Value::as_str) == Some(kind))?;
    first.get("phonetic")?.as_str().filter(|reading| !reading.trim().is_empty())
}

/// What SORT-AS says, part by part; empty when content states nothing that it can say.
pub(super) fn sort_as(name: Option<&Value>) -> Vec<String> {
    let stated = name.and_then(|n| n.get("sortAs")).and_then(Value::as_object);
    let of = |kind: &&str| stated.and_then(|s| s.get(*kind)).and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut words: Vec<String> = KINDS[..5].iter().map(of).collect();
    while words.last().is_some_and(String::is_empty) {
        words.pop();
    }
    if words.iter().any(|word| word.contains(',')) { Vec::new() } else { words }
}
