//! Names: five parts with their phonetic twins, and the whole name where it stands alone.

use serde_json::{Map, Value};
use twofold_model::Content;

use super::fields::{set_text, word};
use super::map::{filled, items};
use super::wire::Object;

/// Parts of a name: Google's member, its phonetic twin, the card's kinds.
const NAME_PARTS: [(&str, &str, &[&str]); 5] = [
    ("honorificPrefix", "phoneticHonorificPrefix", &["title"]),
    ("givenName", "phoneticGivenName", &["given"]),
    ("middleName", "phoneticMiddleName", &["given2"]),
    ("familyName", "phoneticFamilyName", &["surname", "surname2"]),
    ("honorificSuffix", "phoneticHonorificSuffix", &["generation", "credential"]),
];

/// The kind that a part is read as.
const NAME_KINDS: [&str; 5] = ["title", "given", "given2", "surname", "credential"];

/// What an item of `names` says.
pub(super) fn read_name(item: &Object) -> Option<Value> {
    let mut components = Vec::new();
    for ((member, phonetic, _), kind) in NAME_PARTS.iter().zip(NAME_KINDS) {
        let Some(value) = filled(item, member) else { continue };
        let mut component = Map::new();
        component.insert("kind".into(), Value::from(kind));
        component.insert("value".into(), Value::from(value));
        if let Some(phonetic) = filled(item, phonetic) {
            component.insert("phonetic".into(), Value::from(phonetic));
        }
        components.push(Value::Object(component));
    }
    let mut name = Map::new();
    let whole = filled(item, "unstructuredName");
    if components.is_empty() {
        name.insert("full".into(), Value::from(whole.or_else(|| filled(item, "displayName"))?));
    } else {
        if let Some(whole) = whole.filter(|whole| says_more(whole, item)) {
            name.insert("full".into(), Value::from(whole));
        }
        name.insert("components".into(), Value::Array(components));
    }
    Some(Value::Object(name))
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c.is_whitespace() || c == ',').filter(|word| !word.is_empty())
}

fn part_words(item: &Object) -> Vec<&str> {
    NAME_PARTS.iter().filter_map(|(member, ..)| filled(item, member)).flat_map(words).collect()
}

/// Whether a whole name has a word that its parts lack.
fn says_more(whole: &str, item: &Object) -> bool {
    words(whole).any(|word| {
        !NAME_PARTS.iter().any(|part| filled(item, part.0).is_some_and(|text| words(text).any(|w| w == word)))
    })
}

/// What a part of Google's shall say: all components of its kinds, in their order.
fn wanted_part(components: &[Value], kinds: &[&str], member: &str) -> String {
    let ours = components.iter().filter(|component| kinds.contains(&word(component, "kind")));
    let texts: Vec<&str> =
        ours.map(|component| word(component, member).trim()).filter(|text| !text.is_empty()).collect();
    texts.join(if kinds.contains(&"credential") { ", " } else { " " })
}

/// Makes the person's name say what the card says, as far as its parts (or a name without parts) can.
pub(super) fn write_name(person: &mut Object, before: &Content, content: &Content) {
    let (old, new) = (before.get("name"), content.get("name"));
    if old == new {
        return;
    }
    let components = new.and_then(|name| name.get("components")).and_then(Value::as_array);
    let components = components.map(Vec::as_slice).unwrap_or_default();
    let full = new.map(|name| word(name, "full")).unwrap_or_default();
    let parts = NAME_PARTS.map(|(_, _, kinds)| wanted_part(components, kinds, "value"));
    let has_parts = parts.iter().any(|part| !part.is_empty());
    if !has_parts && full.trim().is_empty() {
        if old.is_some() {
            person.shift_remove("names");
        }
        return;
    }
    let mut item = items(person, "names").next().map(|(_, item)| item.clone()).unwrap_or_default();
    let was = item.clone();
    if has_parts {
        edit_parts(&mut item, components, &parts);
    } else {
        let shown: Vec<&str> = match part_words(&was) {
            parts if parts.is_empty() => words(filled(&was, "unstructuredName").unwrap_or_default()).collect(),
            parts => parts,
        };
        // Google took an unstructured name apart: as long as it says the same, it stays so.
        if words(full).ne(shown) {
            for (member, phonetic, _) in NAME_PARTS {
                item.shift_remove(member);
                item.shift_remove(phonetic);
            }
            forget_whole_name(&mut item);
            item.insert("unstructuredName".into(), Value::from(full));
        }
    }
    if item != was {
        person.insert("names".into(), Value::Array(vec![Value::Object(item)]));
    }
}

fn edit_parts(item: &mut Object, components: &[Value], parts: &[String; 5]) {
    for ((member, phonetic, kinds), new) in NAME_PARTS.iter().zip(parts) {
        let old = filled(item, member).unwrap_or_default();
        if old.trim() != new {
            set_text(item, member, new);
            forget_whole_name(item);
        }
        let new = if new.is_empty() { String::new() } else { wanted_part(components, kinds, "phonetic") };
        if filled(item, phonetic).unwrap_or_default().trim() != new {
            set_text(item, phonetic, &new);
            item.shift_remove("phoneticFullName");
        }
    }
}

/// What Google makes of the parts.
fn forget_whole_name(item: &mut Object) {
    for made in ["unstructuredName", "displayName", "displayNameLastFirst"] {
        item.shift_remove(made);
    }
}
