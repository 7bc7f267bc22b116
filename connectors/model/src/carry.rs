//! The carry-all: what a place has no field for travels in one text property of the place (extended property, `clientData`,
//! an `X-` line), so that nothing is lost even when the hub is.
//!
//! It is the guarded difference between what the place's own fields say (*native*) and what the item says (*full*). Each
//! entry names a member, a digest of what the native reading said there when the entry was written, and the value to put
//! there. When the user changes the native field later, the guard no longer fits and the user's change wins.

use crate::content::Content;
use crate::patch::{canonical_text, difference, get_path, set_path, split};
use serde_json::{Map, Value, json};
use std::borrow::Cow;

/// Words before the entries: version of the form. An emptied carry-all is this header alone (People will not drop an entry).
const FORM: u64 = 1;

/// Makes the carry-all for a place whose own fields say `native` of an item that says `full`. Entries that do not fit into
/// `limit` bytes are left out, largest first: they stay in the hub alone. `None` when there is nothing to carry.
pub fn make(native: &Content, full: &Content, limit: usize) -> Option<String> {
    let mut entries: Vec<(String, String, Value)> = difference(native, full)
        .0
        .into_iter()
        .map(|(path, value)| {
            let guard = guard_of(get_path(&native.0, &split(&path)));
            (path, guard, value)
        })
        .collect();
    let size = |entry: &(String, String, Value)| entry.0.len() + entry.2.to_string().len() + 32;
    let mut total: usize = 16 + entries.iter().map(size).sum::<usize>();
    while total > limit {
        let (at, _) = entries.iter().enumerate().max_by_key(|(_, entry)| size(entry))?;
        total -= size(&entries.remove(at));
    }
    if entries.is_empty() {
        return None;
    }
    let map: Map<String, Value> =
        entries.into_iter().map(|(path, guard, value)| (path, json!([guard, value]))).collect();
    Some(json!({"v": FORM, "e": map}).to_string())
}

/// The header alone, for places that cannot drop the property.
pub fn emptied() -> String {
    json!({"v": FORM}).to_string()
}

/// What the item says, from the place's own fields and the carry-all beside them. A carry-all that cannot be read, or of a
/// later form, is passed over.
pub fn apply<'a>(native: &'a Content, carried: Option<&str>) -> Cow<'a, Content> {
    let parsed = carried.and_then(|text| serde_json::from_str::<Value>(text).ok());
    let parsed = parsed.filter(|parsed| parsed.get("v").and_then(Value::as_u64) == Some(FORM));
    let Some(entries) = parsed.as_ref().and_then(|parsed| parsed.get("e")?.as_object()) else {
        return Cow::Borrowed(native);
    };
    let mut full = native.clone();
    for (path, entry) in entries {
        let keys = split(path);
        let (Some(guard), Some(value)) = (entry.get(0).and_then(Value::as_str), entry.get(1)) else { continue };
        if guard_of(get_path(&native.0, &keys)) != guard {
            continue;
        }
        // A member of something that the user removed there goes with it; an entry of its own (a fourth address) does not.
        let has_parent = keys.len() <= 2 || get_path(&native.0, &keys[..keys.len() - 1]).is_some();
        if has_parent && (keys.len() != 2 || value.is_object() || native.0.contains_key(&keys[0])) {
            set_path(&mut full.0, &keys, value.clone());
        }
    }
    Cow::Owned(full.tidied())
}

/// The entries of a carry-all: what it has to say where.
pub fn values(carried: Option<&str>) -> Vec<(Vec<String>, Value)> {
    let parsed = carried.and_then(|text| serde_json::from_str::<Value>(text).ok()).unwrap_or_default();
    let entries = parsed.get("e").and_then(Value::as_object).into_iter().flatten();
    entries.filter_map(|(path, entry)| Some((split(path), entry.get(1)?.clone()))).collect()
}

/// Whether a content says an entry of a carry-all.
pub fn is_there(full: &Content, path: &[String], value: &Value) -> bool {
    get_path(&full.0, path).unwrap_or(&Value::Null) == value
}

/// As [`apply`], for a place where `members` say one thing together (when an event is): where somebody changed that there, nothing
/// that was carried of it holds any more.
pub fn apply_together<'a>(native: &'a Content, carried: Option<&str>, members: &[&str]) -> Cow<'a, Content> {
    let full = apply(native, carried);
    let is_of = |path: &[String]| path.len() == 1 && members.contains(&path[0].as_str());
    if values(carried).iter().all(|(path, value)| !is_of(path) || is_there(&full, path, value)) {
        return full;
    }
    let mut full = full.into_owned();
    for member in members {
        full.set(member, native.get(member).cloned().unwrap_or_default());
    }
    Cow::Owned(full)
}

/// The entries (member, key, value) that the place's own fields show and the item does not say: it was told to take them away,
/// and did not.
pub fn leftovers<'a>(native: &'a Content, full: &Content) -> Vec<(&'a str, &'a str, &'a Value)> {
    // What is no map of entries (a name) is one value, and never left in part.
    let are_entries =
        |entries: &Map<String, Value>| entries.values().all(|entry| entry.is_object() || entry.is_boolean());
    let members = native.0.iter().filter_map(|(member, value)| Some((member, value.as_object()?)));
    let entries = members
        .filter(|(_, entries)| are_entries(entries))
        .flat_map(|(member, entries)| entries.iter().map(move |(key, entry)| (member.as_str(), key.as_str(), entry)));
    entries.filter(|(member, key, entry)| !is_said(full, member, key, entry)).collect()
}

/// Whether an item says an entry, under this key or another: all its texts are those of one entry.
fn is_said(full: &Content, member: &str, key: &str, entry: &Value) -> bool {
    let Some(entries) = full.get(member).and_then(Value::as_object) else { return false };
    let mut wanted = Vec::new();
    texts(entry, &mut wanted);
    let holds = |other: &Value| {
        let mut said = Vec::new();
        texts(other, &mut said);
        wanted.iter().all(|text| said.contains(text))
    };
    entries.contains_key(key) || (!wanted.is_empty() && entries.values().any(holds))
}

/// The texts of an entry, but for their spelling.
fn texts(entry: &Value, into: &mut Vec<String>) {
    match entry {
        Value::String(text) => into.push(text.trim().to_lowercase()),
        Value::Array(list) => list.iter().for_each(|value| texts(value, into)),
        Value::Object(map) => map.values().for_each(|value| texts(value, into)),
        _ => {}
    }
}

/// The members of [`leftovers`], each once.
pub fn leftover_members(native: &Content, full: &Content) -> Vec<String> {
    let mut members: Vec<String> = leftovers(native, full).into_iter().map(|(member, ..)| member.to_owned()).collect();
    members.dedup();
    members
}

fn guard_of(value: Option<&Value>) -> String {
    match value {
        None => String::new(),
        Some(value) => blake3::hash(canonical_text(value).as_bytes()).to_hex()[..12].to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(value: Value) -> Content {
        Content::from_value(value)
    }

    #[test]
    fn what_the_place_lacks_comes_back() {
        let native = content(json!({"emails": {"a": {"address": "a@x"}}}));
        let full = content(
            json!({"emails": {"a": {"address": "a@x", "pref": 1}, "d": {"address": "d@x"}}, "speakToAs": {"grammaticalGender": "feminine"}}),
        );
        let carried = make(&native, &full, 8000);
        assert_eq!(*apply(&native, carried.as_deref()), full);
    }

    #[test]
    fn a_change_in_the_places_own_field_beats_the_carry_all() {
        let native = content(json!({"name": {"full": "ADA"}, "emails": {"a": {"address": "a@x"}}}));
        let full = content(json!({"name": {"full": "Ada"}, "emails": {"a": {"address": "a@x", "pref": 1}}}));
        let carried = make(&native, &full, 8000);
        let edited = content(json!({"name": {"full": "Ada King"}}));
        assert_eq!(*apply(&edited, carried.as_deref()), edited);
    }

    #[test]
    fn what_stands_there_and_is_not_said_is_left_over() {
        let native = content(json!({
            "name": {"full": "Ada", "components": [{"kind": "given", "value": "Ada"}]},
            "emails": {"a": {"address": "a@x"}, "b": {"address": "b@x"}},
            "keywords": {"Choir": true},
        }));
        let full = content(
            json!({"name": {"full": "Ada"}, "emails": {"a": {"address": "A@x"}, "c": {"address": "c@x", "label": "x"}}}),
        );
        let entries: Vec<(&str, &str)> =
            leftovers(&native, &full).iter().map(|(member, key, _)| (*member, *key)).collect();
        assert_eq!(
            entries,
            [("emails", "b"), ("keywords", "Choir")],
            "a name is one value, and another spelling stands"
        );
        assert_eq!(leftover_members(&native, &full), ["emails", "keywords"]);
        assert_eq!(leftover_members(&native, &native), Vec::<String>::new());
        let keyed = content(json!({"emails": {"other": {"address": "C@x"}}}));
        assert_eq!(leftover_members(&keyed, &full), Vec::<String>::new(), "another key is no other entry");
    }

    #[test]
    fn what_does_not_fit_is_left_out_largest_first() {
        let full = content(json!({"notes": {"n": {"note": "x".repeat(5000)}}, "kind": "individual"}));
        let carried = make(&Content::new(), &full, 1000);
        assert_eq!(*apply(&Content::new(), carried.as_deref()), content(json!({"kind": "individual"})));
        assert_eq!(make(&Content::new(), &Content::new(), 1000), None);
        assert_eq!(*apply(&full, Some(&emptied())), full);
    }
}
