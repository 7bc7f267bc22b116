//! Contexts, preference and the user's own words for an entry: TYPE, PREF, X-ABLabel.

use super::doc::{Dialect, Prop};
use serde_json::{Map, Value};

/// Words of TYPE that are no word of the user's: contexts, features, delivery, networks of 1996, forms of a value.
const KNOWN: [&str; 44] = [
    "home",
    "work",
    "personal",
    "business",
    "pref",
    "other",
    "internet",
    "x400",
    "voice",
    "fax",
    "cell",
    "mobile",
    "pager",
    "msg",
    "video",
    "text",
    "textphone",
    "main",
    "main-number",
    "dom",
    "intl",
    "postal",
    "parcel",
    "uri",
    "aol",
    "applelink",
    "attmail",
    "cis",
    "eworld",
    "ibmmail",
    "mcimail",
    "powershare",
    "prodigy",
    "tlx",
    "individual",
    "group",
    "callback",
    "custom",
    "default",
    "inline",
    "vcard",
    "url",
    "x-pref",
    "unknown",
];

/// Whether a TYPE word is one of the known ones.
pub(super) fn is_known(word: &str) -> bool {
    KNOWN.iter().any(|known| word.eq_ignore_ascii_case(known))
}

/// Bare words of vCard 2.1 that say more about a phone than a Card has features for.
const BARE: [&str; 5] = ["car", "bbs", "modem", "isdn", "pcs"];

/// Apple's built-in words, which it shows in the language of the user.
const BUILTIN: [&str; 24] = [
    "Home",
    "Work",
    "Other",
    "Mobile",
    "Main",
    "HomeFAX",
    "WorkFAX",
    "Pager",
    "School",
    "iCloud",
    "HomePage",
    "Anniversary",
    "AssistantPhone",
    "Father",
    "Mother",
    "Parent",
    "Brother",
    "Sister",
    "Child",
    "Friend",
    "Spouse",
    "Partner",
    "Assistant",
    "Manager",
];

/// The label that X-ABLabel says: Apple's `_$!<Home>!$_` is `Home`.
pub(super) fn read(label: &str) -> String {
    let label = label.trim();
    label.strip_prefix("_$!<").and_then(|l| l.strip_suffix(">!$_")).unwrap_or(label).to_owned()
}

/// Whether a label is one of Apple's built-in ones as it stands in a card.
pub(super) fn is_builtin(label: &str) -> bool {
    label.trim().starts_with("_$!<")
}

/// A label as X-ABLabel says it.
pub(super) fn write(label: &str) -> String {
    if BUILTIN.contains(&label) { format!("_$!<{label}>!$_") } else { label.to_owned() }
}

/// A relation as X-ABLabel says it: `mother` is built in as `Mother`.
pub(super) fn write_relation(relation: &str) -> String {
    let builtin = BUILTIN.iter().find(|word| word.to_ascii_lowercase() == relation);
    builtin.map_or_else(|| relation.to_owned(), |word| format!("_$!<{word}>!$_"))
}

/// The TYPE word that is the user's own, as it stands there.
pub(super) fn own_type(prop: &Prop) -> Option<&str> {
    let bare: Vec<&str> =
        prop.parameters.iter().filter(|p| p.name.is_empty()).flat_map(|p| &p.values).map(String::as_str).collect();
    let is_own = |word: &&str| {
        let starts_own = word.get(..2).is_some_and(|x| x.eq_ignore_ascii_case("x-"));
        let is_phone = BARE.iter().any(|b| word.eq_ignore_ascii_case(b));
        let is_bare = bare.contains(word) || prop.dialect == Dialect::V2;
        !is_known(word) && !label_of_type(word).is_empty() && (!is_bare || starts_own || is_phone)
    };
    prop.types().find(is_own)
}

fn label_of_type(word: &str) -> &str {
    match word.get(..2) {
        Some(x) if x.eq_ignore_ascii_case("x-") => word.get(2..).unwrap_or_default(),
        _ => word,
    }
}

/// Adds contexts, preference and label to an entry.
pub(super) fn put(prop: &Prop, label: Option<&str>, entry: Value) -> Value {
    let mut entry = put_no_type_label(prop, entry);
    let label = label.map(read).filter(|label| !label.is_empty());
    if let Some(label) = label.or_else(|| own_type(prop).map(|word| label_of_type(word).to_owned())) {
        entry["label"] = Value::from(label);
    }
    entry
}

/// Adds contexts and preference to an entry.
pub(super) fn put_no_type_label(prop: &Prop, mut entry: Value) -> Value {
    let mut contexts = Map::new();
    if prop.has_type("home") || prop.has_type("personal") {
        contexts.insert("private".into(), Value::Bool(true));
    }
    if prop.has_type("work") || prop.has_type("business") {
        contexts.insert("work".into(), Value::Bool(true));
    }
    if !contexts.is_empty() {
        entry["contexts"] = Value::Object(contexts);
    }
    if let Some(pref) = prop.pref() {
        entry["pref"] = Value::from(pref);
    }
    entry
}
