//! Generic difference of two contents: a PatchObject after RFC 8620 5.3, with `null` for "remove".
//!
//! Objects are compared member by member, at every depth; lists and plain values are compared whole.

use crate::Content;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The changes that make one content out of another: path to new value, `null` where the member goes. A path is a JSON
/// pointer without its leading slash (`emails/k1/address`); no path is a prefix of another.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Patch(pub BTreeMap<String, Value>);

impl Patch {
    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The patch that makes `to` out of `from`. Both are tidy ([`Content::tidy`]).
pub fn difference(from: &Content, to: &Content) -> Patch {
    let mut patch = Patch::default();
    walk(&from.0, &to.0, &mut String::new(), &mut patch.0);
    patch
}

fn walk(from: &Map<String, Value>, to: &Map<String, Value>, path: &mut String, out: &mut BTreeMap<String, Value>) {
    let length = path.len();
    let step = |key: &str, path: &mut String| {
        path.truncate(length);
        if length > 0 {
            path.push('/');
        }
        path.push_str(&escape(key));
    };
    for key in from.keys().filter(|key| !to.contains_key(*key)) {
        step(key, path);
        out.insert(path.clone(), Value::Null);
    }
    for (key, new) in to {
        match (from.get(key), new) {
            (Some(old), new) if old == new => {}
            (Some(Value::Object(old)), Value::Object(new)) => {
                step(key, path);
                walk(old, new, path, out);
            }
            _ => {
                step(key, path);
                out.insert(path.clone(), new.clone());
            }
        }
    }
    path.truncate(length);
}

/// The same, where each entry of a set or of a member with an object for each id is a change of its own, also the first that came and the
/// last that went: that there is no member for none of them ([`Content::tidy`]) says nothing of what others hold in it.
pub fn edits(from: &Content, to: &Content) -> Patch {
    let mut patch = Patch::default();
    for (path, new) in difference(from, to).0 {
        let keys = split(&path);
        let entries = match &new {
            Value::Null => get_path(&from.0, &keys),
            new => Some(new),
        };
        match entries {
            Some(Value::Object(entries)) if is_of_entries(entries, keys.len()) => {
                for (key, value) in entries {
                    let value = if new.is_null() { Value::Null } else { value.clone() };
                    patch.0.insert(format!("{path}/{}", escape(key)), value);
                }
            }
            _ => _ = patch.0.insert(path, new),
        }
    }
    patch
}

/// Whether an object at this depth is a number of entries: a set (`{"$seen": true}`), or a member of the content that has an object for
/// each id (`phones`).
pub(crate) fn is_of_entries(object: &Map<String, Value>, depth: usize) -> bool {
    let all = |is: fn(&Value) -> bool| object.values().all(is);
    all(|value| *value == Value::Bool(true)) || depth == 1 && all(Value::is_object)
}

/// `content` with the patch applied. A path whose parents are missing makes them; removing what is not there does nothing.
pub fn apply(content: &Content, patch: &Patch) -> Content {
    let mut result = content.clone();
    for (path, value) in &patch.0 {
        set_path(&mut result.0, &split(path), value.clone());
    }
    result.tidied()
}

/// The keys of a path, unescaped (RFC 6901 4).
pub fn split(path: &str) -> Vec<String> {
    path.split('/').map(|key| key.replace("~1", "/").replace("~0", "~")).collect()
}

/// One key as it stands in a path (RFC 6901 3).
pub fn escape(key: &str) -> String {
    if key.contains(['~', '/']) { key.replace('~', "~0").replace('/', "~1") } else { key.to_owned() }
}

/// The value at a path of keys.
pub fn get_path<'a>(map: &'a Map<String, Value>, keys: &[String]) -> Option<&'a Value> {
    let (first, rest) = keys.split_first()?;
    rest.iter().try_fold(map.get(first)?, |value, key| value.get(key))
}

/// Sets the value at a path of keys, making the objects on the way; `null` removes.
pub fn set_path(map: &mut Map<String, Value>, keys: &[String], value: Value) {
    let Some((first, rest)) = keys.split_first() else { return };
    if rest.is_empty() {
        if value.is_null() {
            map.shift_remove(first);
        } else {
            map.insert(first.clone(), value);
        }
        return;
    }
    if value.is_null() && !map.contains_key(first) {
        return;
    }
    let inner = map.entry(first.clone()).or_insert_with(|| Value::Object(Map::new()));
    if !inner.is_object() {
        if value.is_null() {
            return;
        }
        *inner = Value::Object(Map::new());
    }
    if let Value::Object(inner) = inner {
        set_path(inner, rest, value);
    }
}

/// JSON text with the members of every object in the order of their names: equal values give equal text.
pub fn canonical_text(value: &Value) -> String {
    let mut text = String::new();
    canonical(value, &mut text);
    text
}

fn canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort();
            out.push('{');
            for (i, key) in keys.into_iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                out.push_str(&Value::String(key.clone()).to_string());
                out.push(':');
                canonical(&map[key], out);
            }
            out.push('}');
        }
        Value::Array(list) => {
            out.push('[');
            for (i, inner) in list.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                canonical(inner, out);
            }
            out.push(']');
        }
        plain => out.push_str(&plain.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn content(value: Value) -> Content {
        Content::from_value(value)
    }

    #[test]
    fn a_difference_names_only_what_changed() {
        let from =
            content(json!({"name": {"full": "Ada"}, "emails": {"a": {"address": "a@x"}, "b": {"address": "b@x"}}}));
        let to = content(
            json!({"name": {"full": "Ada L"}, "emails": {"a": {"address": "a@x", "pref": 1}}, "kind": "individual"}),
        );
        let patch = difference(&from, &to);
        let paths: Vec<&str> = patch.0.keys().map(String::as_str).collect();
        assert_eq!(paths, ["emails/a/pref", "emails/b", "kind", "name/full"]);
        assert_eq!(patch.0["emails/b"], Value::Null);
        assert_eq!(apply(&from, &patch), to);
    }

    #[test]
    fn edits_name_each_entry_and_make_the_same_as_the_difference() {
        let none = content(json!({"subject": "Lunch"}));
        let some = content(json!({
            "subject": "Lunch",
            "keywords": {"$seen": true, "a/b": true},
            "phones": {"p": {"number": "1", "features": {"voice": true}}},
            "name": {"components": [{"kind": "given", "value": "Ada"}]},
        }));
        let paths = |patch: &Patch| patch.0.keys().cloned().collect::<Vec<_>>();
        let entries = ["keywords/$seen", "keywords/a~1b", "name", "phones/p"];
        for (from, to) in [(&none, &some), (&some, &none)] {
            assert_eq!(paths(&edits(from, to)), entries);
            assert_eq!(apply(from, &edits(from, to)), *to);
        }
    }

    #[test]
    fn keys_with_slash_and_tilde_survive() {
        let from = content(json!({}));
        let to = content(json!({"relatedTo": {"http://x/~me": {"relation": {"spouse": true}}}}));
        let patch = difference(&from, &to);
        assert_eq!(apply(&from, &patch), to);
        let back = difference(&to, &from);
        assert_eq!(apply(&to, &back), from);
        let deep = content(json!({"relatedTo": {"http://x/~me": {"relation": {"friend": true}}}}));
        assert_eq!(apply(&to, &difference(&to, &deep)), deep);
    }

    #[test]
    fn equal_values_give_equal_canonical_text_whatever_their_order() {
        assert_eq!(
            canonical_text(&json!({"b": [1, {"d": 1, "c": 2}], "a": "x"})),
            canonical_text(&json!({"a": "x", "b": [1, {"c": 2, "d": 1}]}))
        );
    }
}
