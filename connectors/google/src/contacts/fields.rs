//! The plain multi-valued fields, one row each in [`FIELDS`]: how an item of Google's reads as an entry of a card, and how an
//! item is edited until it reads like a given entry. Only what differs between the old and the new entry is touched.
//!
//! Fields that need more than this (names, organisations, dates, notes, relations, groups, photo) stand in [`super::map`].

use serde_json::{Map, Value, json};
use twofold_model::card;

use super::wire::{Object, text};

/// How an entry's key is made.
pub enum Key {
    /// From this text, hashed.
    Identity(String),
    /// This word itself.
    Plain(&'static str),
}

/// One field of a person against one member of a card.
pub struct Field {
    /// Google's list.
    pub items: &'static str,
    /// The card's map.
    pub member: &'static str,
    /// What an item says; nothing where it says nothing that a card could.
    pub read: fn(&Object) -> Option<Value>,
    /// What the entry's key is made of.
    pub key: fn(&Value) -> Key,
    /// Whether this field is the place for that entry.
    pub takes: fn(&Value) -> bool,
    /// Edits an item that says `old` (`null`: a new item) until it says `new`, as far as the field can.
    pub edit: fn(&mut Object, old: &Value, new: &Value),
}

/// All plain fields, in the order in which they are read.
pub static FIELDS: [Field; 10] = [
    Field {
        items: "nicknames",
        member: "nicknames",
        read: |item| Some(json!({"name": filled(item, "value")?})),
        key: |entry| Key::Identity(word(entry, "name").to_owned()),
        takes: |entry| has(entry, "name"),
        edit: |item, old, new| carry_over(item, "value", word(old, "name"), word(new, "name")),
    },
    Field {
        items: "emailAddresses",
        member: "emails",
        read: |item| Some(labelled(json!({"address": filled(item, "value")?}), text(item, "type"))),
        key: |entry| Key::Identity(card::email_identity(word(entry, "address"))),
        takes: |entry| has(entry, "address"),
        edit: |item, old, new| {
            carry_over(item, "value", word(old, "address"), word(new, "address"));
            edit_type(item, label_or_context(old), label_or_context(new));
        },
    },
    Field {
        items: "phoneNumbers",
        member: "phones",
        read: read_phone,
        key: |entry| Key::Identity(card::phone_identity(word(entry, "number"))),
        takes: |entry| has(entry, "number"),
        edit: |item, old, new| {
            if word(old, "number") != word(new, "number") {
                item.shift_remove("canonicalForm");
            }
            carry_over(item, "value", word(old, "number"), word(new, "number"));
            edit_type(item, phone_type(old), phone_type(new));
        },
    },
    Field {
        items: "addresses",
        member: "addresses",
        read: read_address,
        key: |entry| Key::Plain(card::address_key(is_in(entry, "private"), is_in(entry, "work"))),
        takes: |entry| {
            has(entry, "full")
                || has(entry, "countryCode")
                || ADDRESS_PARTS.iter().any(|(kind, _)| part(entry, kind).is_some())
        },
        edit: edit_address,
    },
    Field {
        items: "urls",
        member: "links",
        read: |item| Some(labelled(json!({"uri": filled(item, "value")?}), text(item, "type"))),
        key: |entry| Key::Identity(word(entry, "uri").to_owned()),
        takes: |entry| has(entry, "uri"),
        edit: |item, old, new| {
            carry_over(item, "value", word(old, "uri"), word(new, "uri"));
            edit_type(item, label_or_context(old), label_or_context(new));
        },
    },
    Field {
        items: "calendarUrls",
        member: "calendars",
        read: |item| {
            let kind = text(item, "type");
            let (entry, kind) = match kind {
                Some("freeBusy") => (json!({"uri": filled(item, "url")?, "kind": "freeBusy"}), None),
                kind => (json!({"uri": filled(item, "url")?, "kind": "calendar"}), kind),
            };
            Some(labelled(entry, kind))
        },
        key: |entry| Key::Identity(word(entry, "uri").to_owned()),
        takes: |entry| has(entry, "uri"),
        edit: |item, old, new| {
            carry_over(item, "url", word(old, "uri"), word(new, "uri"));
            edit_type(item, calendar_type(old), calendar_type(new));
        },
    },
    Field {
        items: "occupations",
        member: "titles",
        read: |item| Some(json!({"name": filled(item, "value")?, "kind": "role"})),
        key: |_| Key::Plain(card::keys::ROLE),
        takes: |entry| has(entry, "name") && word(entry, "kind") == "role",
        edit: |item, old, new| carry_over(item, "value", word(old, "name"), word(new, "name")),
    },
    Field {
        items: "imClients",
        member: "onlineServices",
        read: |item| {
            let name = filled(item, "username")?;
            let protocol = text(item, "protocol");
            let entry = match im_scheme(name) {
                Some(own) if protocol == own || protocol.is_none() => json!({"uri": name}),
                Some(_) => json!({"uri": name, "service": protocol}),
                None => json!({"user": name, "service": protocol}),
            };
            Some(labelled(entry, text(item, "type")))
        },
        key: |entry| Key::Identity(account(entry).to_owned()),
        takes: |entry| !is_sip(entry) && (has(entry, "user") || im_scheme(word(entry, "uri")).is_some()),
        edit: |item, old, new| {
            carry_over(item, "username", account(old), account(new));
            let protocol = |entry: &Value| match word(entry, "service") {
                "" => im_scheme(word(entry, "uri")).flatten().unwrap_or_default().to_owned(),
                service => service.to_owned(),
            };
            if protocol(old) != protocol(new) {
                item.shift_remove("formattedProtocol");
            }
            carry_over(item, "protocol", &protocol(old), &protocol(new));
            edit_type(item, label_or_context(old), label_or_context(new));
        },
    },
    Field {
        items: "sipAddresses",
        member: "onlineServices",
        read: |item| {
            let address = filled(item, "value")?;
            let entry =
                if is_sip_uri(address) { json!({"uri": address}) } else { json!({"user": address, "service": "SIP"}) };
            Some(labelled(entry, text(item, "type")))
        },
        key: |entry| Key::Identity(account(entry).to_owned()),
        takes: is_sip,
        edit: |item, old, new| {
            carry_over(item, "value", account(old), account(new));
            edit_type(item, label_or_context(old), label_or_context(new));
        },
    },
    Field {
        items: "locales",
        member: "preferredLanguages",
        read: |item| Some(json!({"language": filled(item, "value")?})),
        key: |entry| Key::Identity(word(entry, "language").to_owned()),
        takes: |entry| has(entry, "language"),
        edit: |item, old, new| carry_over(item, "value", word(old, "language"), word(new, "language")),
    },
];

/// Types of a phone number: Google's word, home, work, feature.
const PHONE_TYPES: [(&str, bool, bool, &str); 10] = [
    ("home", true, false, ""),
    ("work", false, true, ""),
    ("mobile", false, false, "mobile"),
    ("workMobile", false, true, "mobile"),
    ("homeFax", true, false, "fax"),
    ("workFax", false, true, "fax"),
    ("otherFax", false, false, "fax"),
    ("pager", false, false, "pager"),
    ("workPager", false, true, "pager"),
    ("main", false, false, "main-number"),
];

/// Parts of an address: the card's kind and Google's member, in the order of the card.
const ADDRESS_PARTS: [(&str, &str); 7] = [
    ("postOfficeBox", "poBox"),
    ("apartment", "extendedAddress"),
    ("name", "streetAddress"),
    ("locality", "city"),
    ("region", "region"),
    ("postcode", "postalCode"),
    ("country", "country"),
];

/// URI schemes of instant messaging, and Google's word for the protocol where it has one.
const IM_SCHEMES: [(&str, Option<&str>); 19] = [
    ("xmpp", Some("jabber")),
    ("skype", Some("skype")),
    ("aim", Some("aim")),
    ("icq", Some("icq")),
    ("msnim", Some("msn")),
    ("msn", Some("msn")),
    ("ymsgr", Some("yahoo")),
    ("gtalk", Some("googleTalk")),
    ("qq", Some("qq")),
    ("irc", None),
    ("ircs", None),
    ("matrix", None),
    ("im", None),
    ("tg", None),
    ("whatsapp", None),
    ("sgnl", None),
    ("threema", None),
    ("http", None),
    ("https", None),
];

/// A text member with something to see in it.
fn filled<'a>(item: &'a Object, name: &str) -> Option<&'a str> {
    text(item, name).filter(|text| !text.trim().is_empty())
}

/// A text member of an entry, or the empty text.
pub(super) fn word<'a>(entry: &'a Value, name: &str) -> &'a str {
    entry.get(name).and_then(Value::as_str).unwrap_or_default()
}

pub(super) fn has(entry: &Value, name: &str) -> bool {
    !word(entry, name).trim().is_empty()
}

/// Sets or removes a text member where the old and the new value differ.
pub(super) fn carry_over(item: &mut Object, name: &str, old: &str, new: &str) {
    if old != new {
        set_text(item, name, new);
    }
}

/// Sets a text member; the empty text removes it.
pub(super) fn set_text(item: &mut Object, name: &str, new: &str) {
    if new.is_empty() {
        item.shift_remove(name);
    } else {
        item.insert(name.to_owned(), Value::from(new));
    }
}

/// An entry with the contexts or the label that a plain type stands for.
fn labelled(mut entry: Value, kind: Option<&str>) -> Value {
    let (name, value) = match kind {
        None | Some("other") => return without_null(entry),
        Some("home") => ("contexts", json!({"private": true})),
        Some("work") => ("contexts", json!({"work": true})),
        Some(own) => ("label", Value::from(own)),
    };
    entry[name] = value;
    without_null(entry)
}

fn without_null(mut entry: Value) -> Value {
    if let Some(entry) = entry.as_object_mut() {
        entry.retain(|_, value| !value.is_null());
    }
    entry
}

fn is_in(entry: &Value, context: &str) -> bool {
    entry.get("contexts").and_then(|contexts| contexts.get(context)).and_then(Value::as_bool) == Some(true)
}

/// The user's own word for an entry, unless it is one that Google means something else by.
fn own_label<'a>(entry: &'a Value, reserved: &[&str]) -> Option<&'a str> {
    Some(word(entry, "label")).filter(|label| !label.trim().is_empty() && !reserved.contains(label))
}

/// The plain type of an entry: its label, else its one context. Home *and* work cannot be said.
fn label_or_context(entry: &Value) -> Option<&str> {
    own_label(entry, &["home", "work", "other"]).or_else(|| one_context(entry))
}

fn calendar_type(entry: &Value) -> Option<&str> {
    own_label(entry, &["home", "work", "other", "freeBusy"])
        .or(Some("freeBusy").filter(|kind| word(entry, "kind") == *kind))
        .or_else(|| one_context(entry))
}

fn one_context(entry: &Value) -> Option<&'static str> {
    match (is_in(entry, "private"), is_in(entry, "work")) {
        (true, false) => Some("home"),
        (false, true) => Some("work"),
        _ => None,
    }
}

fn edit_type(item: &mut Object, old: Option<&str>, new: Option<&str>) {
    if old == new {
        return;
    }
    item.shift_remove("formattedType");
    match new {
        Some(kind) => item.insert("type".into(), Value::from(kind)),
        None => item.shift_remove("type"),
    };
}

fn read_phone(item: &Object) -> Option<Value> {
    let mut entry = Map::new();
    entry.insert("number".into(), Value::from(filled(item, "value")?));
    let kind = text(item, "type").filter(|kind| *kind != "other");
    match (kind, PHONE_TYPES.iter().find(|row| Some(row.0) == kind)) {
        (_, Some((_, home, work, feature))) => {
            if *home || *work {
                let context = if *home { "private" } else { "work" };
                entry.insert("contexts".into(), json!({context: true}));
            }
            if !feature.is_empty() {
                entry.insert("features".into(), json!({*feature: true}));
            }
        }
        (Some(own), None) => {
            entry.insert("label".into(), Value::from(own));
        }
        (None, None) => {}
    }
    Some(Value::Object(entry))
}

/// Google's word for a phone number: the label, else the feature that says most, with the context if there is a word for both.
fn phone_type(entry: &Value) -> Option<&str> {
    let label = word(entry, "label");
    if !label.trim().is_empty() && label != "other" && PHONE_TYPES.iter().all(|row| row.0 != label) {
        return Some(label);
    }
    let does =
        |feature: &str| entry.get("features").and_then(|features| features.get(feature)) == Some(&Value::Bool(true));
    let feature =
        ["fax", "pager", "mobile", "main-number"].into_iter().find(|feature| does(feature)).unwrap_or_default();
    let (home, work) = match (is_in(entry, "private"), is_in(entry, "work")) {
        (true, true) => (false, false),
        one => one,
    };
    let exact = PHONE_TYPES.iter().find(|row| (row.1, row.2, row.3) == (home, work, feature));
    let bare =
        || PHONE_TYPES.iter().find(|row| !feature.is_empty() && (row.1, row.2, row.3) == (false, false, feature));
    exact.or_else(bare).map(|row| row.0)
}

fn read_address(item: &Object) -> Option<Value> {
    let components: Vec<Value> = ADDRESS_PARTS
        .iter()
        .filter_map(|(kind, member)| {
            let value = filled(item, member)?;
            let value =
                if value.contains('\r') { value.replace("\r\n", "\n").replace('\r', "\n") } else { value.to_owned() };
            Some(json!({"kind": kind, "value": value}))
        })
        .collect();
    let mut entry = Map::new();
    if components.is_empty() {
        // With parts, the whole is made of them (by Google or by the user's locale) and says nothing more.
        if let Some(whole) = filled(item, "formattedValue") {
            entry.insert("full".into(), Value::from(whole));
        }
    } else {
        entry.insert("components".into(), Value::Array(components));
    }
    if let Some(code) = filled(item, "countryCode") {
        entry.insert("countryCode".into(), Value::from(code));
    }
    if entry.is_empty() { None } else { Some(labelled(Value::Object(entry), text(item, "type"))) }
}

/// The first part of that kind.
fn part<'a>(entry: &'a Value, kind: &str) -> Option<&'a str> {
    let parts = entry.get("components")?.as_array()?;
    let first = parts.iter().find(|part| word(part, "kind") == kind)?;
    Some(word(first, "value")).filter(|value| !value.trim().is_empty())
}

fn edit_address(item: &mut Object, old: &Value, new: &Value) {
    let mut has_parts = false;
    let mut is_edited = false;
    for (kind, member) in ADDRESS_PARTS {
        let (was, is) = (part(old, kind).unwrap_or_default(), part(new, kind).unwrap_or_default());
        has_parts |= !is.is_empty();
        is_edited |= was != is;
        carry_over(item, member, was, is);
    }
    let whole = |entry: &Value, has_parts: bool| if has_parts { String::new() } else { word(entry, "full").to_owned() };
    let had_parts = ADDRESS_PARTS.iter().any(|(kind, _)| part(old, kind).is_some());
    if is_edited {
        // Made of the parts that were: Google makes it anew.
        item.shift_remove("formattedValue");
    }
    let (was, is) = (whole(old, had_parts), whole(new, has_parts));
    if !is.trim().is_empty() && (is_edited || was != is) {
        item.insert("formattedValue".into(), Value::from(is));
    } else if was != is {
        item.shift_remove("formattedValue");
    }
    carry_over(item, "countryCode", word(old, "countryCode"), word(new, "countryCode"));
    edit_type(item, label_or_context(old), label_or_context(new));
}

/// The account of an online service: its URI, else its user name.
fn account(entry: &Value) -> &str {
    match word(entry, "uri") {
        "" => word(entry, "user"),
        uri => uri,
    }
}

fn is_sip_uri(text: &str) -> bool {
    let scheme = text.split(':').next().unwrap_or_default();
    scheme.len() < text.len() && (scheme.eq_ignore_ascii_case("sip") || scheme.eq_ignore_ascii_case("sips"))
}

fn is_sip(entry: &Value) -> bool {
    match word(entry, "uri") {
        "" => word(entry, "service") == "SIP" && has(entry, "user") && !is_sip_uri(word(entry, "user")),
        uri => is_sip_uri(uri),
    }
}

/// Whether a user name is a messaging URI, and if so Google's word for its protocol.
fn im_scheme(name: &str) -> Option<Option<&'static str>> {
    let (scheme, rest) = name.split_once(':')?;
    let known = IM_SCHEMES.iter().find(|(known, _)| scheme.eq_ignore_ascii_case(known))?;
    (!rest.is_empty()).then_some(known.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(items: &str) -> &'static Field {
        FIELDS.iter().find(|field| field.items == items).unwrap()
    }

    fn read(items: &str, item: Value) -> Value {
        (field(items).read)(item.as_object().unwrap()).unwrap_or_default()
    }

    /// What a new item looks like that says this entry, and that it is read back.
    fn made(items: &str, entry: Value) -> Value {
        let mut item = Map::new();
        (field(items).edit)(&mut item, &Value::Null, &entry);
        Value::Object(item)
    }

    #[test]
    fn phone_types_go_both_ways() {
        for (kind, ..) in PHONE_TYPES {
            let entry = read("phoneNumbers", json!({"value": "1", "type": kind}));
            assert_eq!(made("phoneNumbers", entry), json!({"value": "1", "type": kind}), "{kind}");
        }
        let entry = read("phoneNumbers", json!({"value": "1", "type": "googleVoice"}));
        assert_eq!(entry, json!({"number": "1", "label": "googleVoice"}));
        assert_eq!(made("phoneNumbers", entry), json!({"value": "1", "type": "googleVoice"}));
        let home_mobile =
            json!({"number": "1", "contexts": {"private": true}, "features": {"mobile": true, "voice": true}});
        assert_eq!(made("phoneNumbers", home_mobile)["type"], "mobile");
        assert_eq!(
            made("phoneNumbers", json!({"number": "1", "contexts": {"private": true, "work": true}})),
            json!({"value": "1"})
        );
    }

    #[test]
    fn a_label_that_is_googles_own_word_is_not_written_as_a_type() {
        let entry = json!({"address": "a@x", "label": "work", "contexts": {"private": true}});
        assert_eq!(made("emailAddresses", entry), json!({"value": "a@x", "type": "home"}));
        assert_eq!(made("phoneNumbers", json!({"number": "1", "label": "pager"})), json!({"value": "1"}));
    }

    #[test]
    fn an_edit_touches_only_what_differs() {
        let mut item =
            json!({"value": "A@x", "type": "other", "displayName": "Ada", "future": [1]}).as_object().unwrap().clone();
        let old = read("emailAddresses", Value::Object(item.clone()));
        let new = json!({"address": "a@x", "pref": 1});
        (field("emailAddresses").edit)(&mut item, &old, &new);
        assert_eq!(Value::Object(item), json!({"value": "a@x", "type": "other", "displayName": "Ada", "future": [1]}));
    }

    #[test]
    fn the_formatted_whole_of_an_address_goes_when_a_part_changes() {
        let item =
            json!({"formattedValue": "Mill 1\nParis", "streetAddress": "Mill 1", "city": "Paris", "type": "home"});
        let mut edited = item.as_object().unwrap().clone();
        let old = read("addresses", item);
        let mut new = old.clone();
        new["components"][1]["value"] = json!("Lyon");
        (field("addresses").edit)(&mut edited, &old, &new);
        assert_eq!(Value::Object(edited), json!({"streetAddress": "Mill 1", "city": "Lyon", "type": "home"}));
        assert_eq!(made("addresses", json!({"full": "Mill 1, Paris"})), json!({"formattedValue": "Mill 1, Paris"}));
    }

    #[test]
    fn messaging_addresses_keep_their_form() {
        for (items, item) in [
            ("imClients", json!({"username": "zoe@example.com", "protocol": "jabber", "type": "home"})),
            ("imClients", json!({"username": "xmpp:zoe@example.com", "protocol": "jabber"})),
            ("imClients", json!({"username": "https://matrix.example/@zoe"})),
            ("sipAddresses", json!({"value": "sip:zoe@example.com", "type": "work"})),
            ("sipAddresses", json!({"value": "zoe@example.com", "type": "mobile"})),
        ] {
            let entry = read(items, item.clone());
            assert!((field(items).takes)(&entry), "{entry}");
            let takers =
                FIELDS.iter().filter(|field| field.member == "onlineServices" && (field.takes)(&entry)).count();
            assert_eq!(takers, 1, "{entry}");
            assert_eq!(made(items, entry), item);
        }
    }

    #[test]
    fn calendar_addresses_keep_their_kind() {
        for kind in ["freeBusy", "home", "work", "Team"] {
            let item = json!({"url": "https://x/a.ics", "type": kind});
            assert_eq!(made("calendarUrls", read("calendarUrls", item.clone())), item);
        }
    }
}
