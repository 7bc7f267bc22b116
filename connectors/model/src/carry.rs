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
    fn what_does_not_fit_is_left_out_largest_first() {
        let full = content(json!({"notes": {"n": {"note": "x".repeat(5000)}}, "kind": "individual"}));
        let carried = make(&Content::new(), &full, 1000);
        assert_eq!(*apply(&Content::new(), carried.as_deref()), content(json!({"kind": "individual"})));
        assert_eq!(make(&Content::new(), &Content::new(), 1000), None);
        assert_eq!(*apply(&full, Some(&emptied())), full);
    }
}
