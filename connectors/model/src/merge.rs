//! Generic three-way merge: what one replica changed, laid over what the hub holds.
//!
//! The replica's change is what was edited ([`crate::patch::edits`]) between two of *its own* readings; whether the hub changed the same member is asked of
//! the hub's own two versions. So what a place merely writes in another way is never taken for a change.

use crate::content::Content;
use crate::patch::{Patch, apply, escape, get_path, is_of_entries, set_path, split};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::collections::BTreeSet;

/// Where an event holds its changed occurrences, by their keys.
const OVERRIDES: &str = "recurrenceOverrides";

/// A member that both sides changed, differently.
#[derive(Clone, Debug, PartialEq)]
pub struct Clash {
    /// The member (`name/full`).
    pub path: String,
    /// What the hub says; `null`: removed.
    pub ours: Value,
    /// What the replica says; `null`: removed.
    pub theirs: Value,
}

/// Which side is shown where both changed one member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prefer {
    /// The hub's value stays.
    Ours,
    /// The replica's value is taken.
    Theirs,
}

/// `hub` with the replica's `patch` laid over it. `agreed` is the hub's content that the replica last agreed to. `prefer` is
/// asked for each clash of values; an edit beats a removal without being asked and without being a clash.
pub fn merge(
    agreed: &Content,
    hub: &Content,
    patch: &Patch,
    mut prefer: impl FnMut(&Clash) -> Prefer,
) -> (Content, Vec<Clash>) {
    let mut merged = hub.clone();
    let mut clashes = Vec::new();
    let patch = without_lost_removals(agreed, &mut merged, patch);
    for (path, theirs) in &patch.0 {
        lay_over(&agreed.0, &mut merged.0, &split(path), theirs, &mut clashes, &mut prefer);
    }
    (merged.tidied(), clashes)
}

/// An occurrence is removed by an override that says `excluded` ([`crate::event`]), not by a member that goes. Where the other side
/// edited it, the removal is taken back: the hub's in `merged`, the replica's in the patch that is given back.
fn without_lost_removals<'a>(agreed: &Content, merged: &mut Content, patch: &'a Patch) -> Cow<'a, Patch> {
    let is_of_an_occurrence = |path: &String| split(path)[0] == OVERRIDES;
    if !patch.0.keys().any(is_of_an_occurrence) {
        return Cow::Borrowed(patch);
    }
    let theirs = apply(agreed, patch);
    let mut patch = Cow::Borrowed(patch);
    for key in overridden(&theirs).chain(overridden(merged)).collect::<BTreeSet<String>>() {
        let at = [OVERRIDES.to_owned(), key];
        let [was, ours, theirs] = [agreed, &*merged, &theirs].map(|content| get_path(&content.0, &at).cloned());
        if ours == was || theirs == was || is_excluded(&ours) == is_excluded(&theirs) {
            continue;
        }
        if is_excluded(&ours) {
            set_path(&mut merged.0, &at, was.unwrap_or(Value::Null));
        } else {
            take_out(patch.to_mut(), &at);
        }
    }
    patch
}

fn overridden(content: &Content) -> impl Iterator<Item = String> {
    let overrides = content.0.get(OVERRIDES).and_then(Value::as_object);
    overrides.into_iter().flatten().map(|(key, _)| key.clone())
}

fn is_excluded(says: &Option<Value>) -> bool {
    says.as_ref().is_some_and(|says| says["excluded"] == true)
}

/// Takes what a patch does to the override at a path out of it.
fn take_out(patch: &mut Patch, at: &[String; 2]) {
    patch.0.retain(|path, value| {
        let keys = split(path);
        if let (true, Some(all)) = (keys == at[..1], value.as_object_mut()) {
            all.shift_remove(&at[1]);
            return !all.is_empty();
        }
        !keys.starts_with(at)
    });
}

fn lay_over(
    agreed: &Map<String, Value>,
    merged: &mut Map<String, Value>,
    keys: &[String],
    theirs: &Value,
    clashes: &mut Vec<Clash>,
    prefer: &mut impl FnMut(&Clash) -> Prefer,
) {
    // A member below an object that the hub removed meanwhile: the edit brings the whole object back, but not what stood beside it.
    for depth in 1..keys.len() {
        if get_path(merged, &keys[..depth]).is_none() {
            if theirs.is_null() {
                return;
            }
            match get_path(agreed, &keys[..depth]) {
                Some(Value::Object(entries)) if is_of_entries(entries, depth) => continue,
                Some(old) => set_path(merged, &keys[..depth], old.clone()),
                None => {}
            }
            break;
        }
    }
    let was = get_path(agreed, keys).cloned().unwrap_or(Value::Null);
    let ours = get_path(merged, keys).cloned().unwrap_or(Value::Null);
    if ours == *theirs {
        return;
    }
    if ours == was {
        set_path(merged, keys, theirs.clone());
        return;
    }
    match (&was, &ours, theirs) {
        // An edit beats a delete: a delete can be asked for again, a lost edit cannot.
        (_, _, Value::Null) => {}
        (_, Value::Null, _) => set_path(merged, keys, theirs.clone()),
        // Both hold an object (both added it, or one replaced it whole): member by member.
        (_, Value::Object(_), Value::Object(new)) => {
            for (key, value) in new {
                let mut deeper = keys.to_vec();
                deeper.push(key.clone());
                lay_over(agreed, merged, &deeper, value, clashes, prefer);
            }
        }
        (Value::Array(was), Value::Array(ours), Value::Array(theirs))
            if [was, ours, theirs].iter().all(|list| is_components(list)) =>
        {
            let list = merge_components(was, ours, theirs, keys, clashes, prefer);
            set_path(merged, keys, Value::Array(list));
        }
        _ => {
            let clash = Clash { path: path_text(keys), ours, theirs: theirs.clone() };
            if prefer(&clash) == Prefer::Theirs {
                set_path(merged, keys, theirs.clone());
            }
            clashes.push(clash);
        }
    }
}

fn path_text(keys: &[String]) -> String {
    keys.iter().map(|key| escape(key)).collect::<Vec<_>>().join("/")
}

/// Lists of `{kind, value}` (RFC 9553 2.2.1.2, 2.5.1.2) are merged by kind, each kind's n-th with the other's n-th.
fn is_components(list: &[Value]) -> bool {
    !list.is_empty() && list.iter().all(|part| part.get("kind").is_some_and(Value::is_string))
}

fn keyed(list: &[Value]) -> Vec<((String, usize), &Value)> {
    let mut out: Vec<((String, usize), &Value)> = Vec::with_capacity(list.len());
    for part in list {
        let kind = part.get("kind").and_then(Value::as_str).unwrap_or_default();
        let ordinal = out.iter().filter(|((k, _), _)| k == kind).count();
        out.push(((kind.to_owned(), ordinal), part));
    }
    out
}

fn merge_components(
    was: &[Value],
    ours: &[Value],
    theirs: &[Value],
    keys: &[String],
    clashes: &mut Vec<Clash>,
    prefer: &mut impl FnMut(&Clash) -> Prefer,
) -> Vec<Value> {
    let (was, ours, theirs) = (keyed(was), keyed(ours), keyed(theirs));
    let find = |list: &[((String, usize), &Value)], key: &(String, usize)| {
        list.iter().find(|(k, _)| k == key).map(|(_, value)| (*value).clone())
    };
    let mut order: Vec<(String, usize)> = ours.iter().map(|(key, _)| key.clone()).collect();
    for (at, (key, _)) in theirs.iter().enumerate() {
        if !order.contains(key) {
            // After the component that stands before it on their side.
            let after = theirs[..at].iter().rev().find_map(|(k, _)| order.iter().position(|o| o == k));
            order.insert(after.map_or(0, |i| i + 1), key.clone());
        }
    }
    let mut out = Vec::new();
    for key in order {
        let (old, mine, other) = (find(&was, &key), find(&ours, &key), find(&theirs, &key));
        let chosen = match (mine, other) {
            (mine, other) if mine == other => mine,
            (mine, other) if mine == old => other,
            (mine, other) if other == old => mine,
            (None, other) => other,
            (mine, None) => mine,
            (Some(mine), Some(other)) => {
                let path = format!("{}/{}", path_text(keys), key.0);
                let clash = Clash { path, ours: mine.clone(), theirs: other.clone() };
                let taken = if prefer(&clash) == Prefer::Theirs { other } else { mine };
                clashes.push(clash);
                Some(taken)
            }
        };
        out.extend(chosen);
    }
    out
}

/// The list of components that the path of a clash leads into, and the kind of the component.
fn component<'a, 'k>(content: &'a Content, keys: &'k [String]) -> Option<(&'k [String], &'a [Value], &'k str)> {
    let (kind, list) = keys.split_last()?;
    let parts = get_path(&content.0, list)?.as_array()?;
    Some((list, parts, kind))
}

/// What a content says at the path of a [`Clash`]: a member, or the component of a list that is named by its kind.
pub fn value_at(content: &Content, path: &str) -> Option<Value> {
    let keys = split(path);
    match component(content, &keys) {
        Some((_, parts, kind)) => parts.iter().find(|part| part["kind"] == *kind).cloned(),
        None => get_path(&content.0, &keys).cloned(),
    }
}

/// Sets what a content says at the path of a [`Clash`]; `null` takes it away. Other components of the same list stay.
pub fn put_at(content: &mut Content, path: &str, value: Value) {
    let keys = split(path);
    let Some((list, parts, kind)) = component(content, &keys) else {
        return set_path(&mut content.0, &keys, value);
    };
    let (list, mut parts) = (list.to_vec(), parts.to_vec());
    match (parts.iter().position(|part| part["kind"] == *kind), value.is_null()) {
        (Some(at), true) => drop(parts.remove(at)),
        (Some(at), false) => parts[at] = value,
        (None, true) => {}
        (None, false) => parts.push(value),
    }
    set_path(&mut content.0, &list, Value::Array(parts));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::patch::edits;
    use serde_json::json;

    fn check(what: &str, agreed: Value, hub: Value, seen: Value, now: Value, expected: Value, clashing: &[&str]) {
        let [agreed, hub, seen, now, expected] = [agreed, hub, seen, now, expected].map(Content::from_value);
        let (merged, clashes) = merge(&agreed, &hub, &edits(&seen, &now), |_| Prefer::Theirs);
        assert_eq!(merged, expected, "{what}");
        assert_eq!(clashes.iter().map(|c| c.path.as_str()).collect::<Vec<_>>(), clashing, "{what}");
    }

    #[test]
    fn each_side_keeps_what_it_changed() {
        let a = json!({"name": {"full": "Ada"}, "emails": {"k": {"address": "a@x"}}});
        check(
            "different members",
            a.clone(),
            json!({"name": {"full": "Ada L"}, "emails": {"k": {"address": "a@x"}}}),
            a.clone(),
            json!({"name": {"full": "Ada"}, "emails": {"k": {"address": "a@x", "pref": 1}}}),
            json!({"name": {"full": "Ada L"}, "emails": {"k": {"address": "a@x", "pref": 1}}}),
            &[],
        );
        check(
            "what a place writes in its own way is no change",
            json!({"name": {"full": "Ada "}}),
            json!({"name": {"full": "Ada "}}),
            json!({"name": {"full": "Ada"}}),
            json!({"name": {"full": "Ada B"}}),
            json!({"name": {"full": "Ada B"}}),
            &[],
        );
        check(
            "one member twice",
            json!({"a": 1}),
            json!({"a": 2}),
            json!({"a": 1}),
            json!({"a": 3}),
            json!({"a": 3}),
            &["a"],
        );
        check(
            "an edit beats a delete, here",
            json!({"emails": {"k": {"address": "a"}}}),
            json!({}),
            json!({"emails": {"k": {"address": "a"}}}),
            json!({"emails": {"k": {"address": "a", "pref": 1}}}),
            json!({"emails": {"k": {"address": "a", "pref": 1}}}),
            &[],
        );
        check(
            "an edit beats a delete, there",
            json!({"emails": {"k": {"address": "a"}}}),
            json!({"emails": {"k": {"address": "a", "pref": 1}}}),
            json!({"emails": {"k": {"address": "a"}}}),
            json!({}),
            json!({"emails": {"k": {"address": "a", "pref": 1}}}),
            &[],
        );
    }

    #[test]
    fn the_last_entry_goes_here_while_another_comes_there() {
        let (seen, both, flagged) = (
            json!({"keywords": {"$seen": true}}),
            json!({"keywords": {"$seen": true, "$flagged": true}}),
            json!({"keywords": {"$flagged": true}}),
        );
        let phones = |numbers: &[&str]| {
            let entries = numbers.iter().map(|number| ((*number).to_owned(), json!({"number": number, "pref": 1})));
            json!({ "phones": Value::Object(entries.collect()) })
        };
        for (was, with_another, other) in [(seen, both, flagged), (phones(&["1"]), phones(&["1", "2"]), phones(&["2"]))]
        {
            let [a, b, c] = [&was, &with_another, &other].map(Clone::clone);
            check("it came to the hub", a.clone(), b.clone(), a.clone(), json!({}), c.clone(), &[]);
            check("it came to the place", a.clone(), json!({}), a, b, c, &[]);
        }
    }

    #[test]
    fn a_place_that_holds_some_entries_only_takes_none_of_the_others_away() {
        let marks = |marks: &[&str]| {
            let entries = marks.iter().map(|mark| ((*mark).to_owned(), json!(true)));
            json!({ "keywords": Value::Object(entries.collect()) })
        };
        let phones = |numbers: &[&str]| {
            let entries = numbers.iter().map(|number| ((*number).to_owned(), json!({"number": number})));
            json!({ "phones": Value::Object(entries.collect()) })
        };
        type Of<'a> = &'a dyn Fn(&[&str]) -> Value;
        for of in [&marks as Of<'_>, &phones] {
            let (own, both) = (of(&["own"]), of(&["own", "new"]));
            check("its first one", own.clone(), own.clone(), json!({}), of(&["new"]), both.clone(), &[]);
            check("its last one", both.clone(), both, of(&["new"]), json!({}), own, &[]);
        }
    }

    #[test]
    fn an_edited_occurrence_beats_its_removal() {
        let series = |overrides: Value| match overrides {
            Value::Null => json!({"title": "Stand-up"}),
            overrides => json!({"title": "Stand-up", "recurrenceOverrides": overrides}),
        };
        let (monday, tuesday) = ("2026-03-30T09:00:00", "2026-03-31T09:00:00");
        let gone = || json!({monday: {"excluded": true}});
        for (was, edited) in [
            (Value::Null, json!({monday: {"start": "2026-03-30T11:00:00"}})),
            (json!({monday: {"locations": "2"}}), json!({monday: {"locations": "2", "title": "Later"}})),
            (json!({monday: {"locations": "2"}}), json!({monday: {"locations": "3"}})),
            (json!({monday: {"locations": "2"}}), Value::Null),
            (json!({tuesday: {"locations": "2"}}), json!({tuesday: {"locations": "2"}, monday: {"title": "Later"}})),
        ] {
            let with_tuesday = |mut overrides: Value| {
                if let Some(kept) = was.get(tuesday) {
                    overrides[tuesday] = kept.clone();
                }
                series(overrides)
            };
            let (was, gone, edited) = (series(was.clone()), with_tuesday(gone()), series(edited));
            let before = was.clone();
            check("edited here", was.clone(), edited.clone(), before.clone(), gone.clone(), edited.clone(), &[]);
            check("edited there", was, gone, before, edited.clone(), edited, &[]);
        }
    }

    #[test]
    fn a_removed_occurrence_that_nobody_edited_stays_removed() {
        let (was, key) = (json!({"title": "Stand-up"}), "2026-03-30T09:00:00");
        let gone = json!({"title": "Stand-up", "recurrenceOverrides": {key: {"excluded": true}}});
        let other = json!({"title": "Sit-down"});
        let both = json!({"title": "Sit-down", "recurrenceOverrides": {key: {"excluded": true}}});
        check("there", was.clone(), other.clone(), was.clone(), gone.clone(), both.clone(), &[]);
        check("here", was.clone(), gone.clone(), was.clone(), other, both, &[]);
        check("on both sides", was.clone(), gone.clone(), was, gone.clone(), gone, &[]);
    }

    #[test]
    fn given_name_and_surname_are_two_fields() {
        let name = |given: &str, surname: &str| json!({"name": {"components": [{"kind": "given", "value": given}, {"kind": "surname", "value": surname}]}});
        let base = name("Ada", "Byron");
        check(
            "two parts",
            base.clone(),
            name("Augusta", "Byron"),
            base.clone(),
            name("Ada", "King"),
            name("Augusta", "King"),
            &[],
        );
        check(
            "one part twice",
            base.clone(),
            name("Augusta", "Byron"),
            base.clone(),
            name("Adah", "Byron"),
            name("Adah", "Byron"),
            &["name/components/given"],
        );
    }

    #[test]
    fn lists_without_kinds_are_one_value() {
        check(
            "units",
            json!({"u": ["a"]}),
            json!({"u": ["a", "b"]}),
            json!({"u": ["a"]}),
            json!({"u": ["c"]}),
            json!({"u": ["c"]}),
            &["u"],
        );
    }

    #[test]
    fn a_component_is_read_and_set_by_its_kind_and_its_neighbours_stay() {
        let part = |kind: &str, value: &str| json!({"kind": kind, "value": value});
        let mut name = Content::from_value(json!({"name": {"components": [part("given", "A"), part("surname", "B")]}}));
        assert_eq!(value_at(&name, "name/components/given"), Some(part("given", "A")));
        put_at(&mut name, "name/components/given", part("given", "Ada"));
        put_at(&mut name, "name/components/title", part("title", "Dr"));
        put_at(&mut name, "notes", json!({"note": {"note": "x"}}));
        let parts = [part("given", "Ada"), part("surname", "B"), part("title", "Dr")];
        assert_eq!(name.to_value(), json!({"name": {"components": parts}, "notes": {"note": {"note": "x"}}}));
        put_at(&mut name, "name/components/title", Value::Null);
        put_at(&mut name, "notes", Value::Null);
        assert_eq!(value_at(&name, "name/components/title"), None);
        assert_eq!(name.0.get("notes"), None);
    }
}
