//! From a person as it came to the rendering that the hub keeps, and from renderings to what is sent.
//!
//! A rendering is the person's JSON with what belongs to the contact source alone, and three members in place of what would
//! mean something else tomorrow:
//!
//! | member | in place of | holds |
//! |---|---|---|
//! | `groups` | `memberships` in the user's own groups | their names |
//! | `_systemGroups` | the other `memberships` | as they came: `myContacts`, `starred`, … |
//! | `photo` | `photos` | `{url, type?, data?}`, base64. Without `data` the photo is not known here: it is neither read nor touched, and [`Lens::settle_unknown`](twofold_model::Lens::settle_unknown) fills it from the rendering held before. The generated letter tile is no photo |
//!
//! All else stays as it came, unknown members included.

use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use twofold_model::{CollectionId, Error, ErrorKind, Etag, Mark, RemoteId, Rendering, Result, Seen, Uid, card};

use super::COLLECTION;
use super::groups::{GroupTable, MY_CONTACTS};
use super::wire::{Object, Person, WRITABLE, contact_source, is_contact_source, membership_group, text};

/// Names of the user's groups.
pub const GROUPS: &str = "groups";
/// Other memberships, raw.
pub const SYSTEM_GROUPS: &str = "_systemGroups";
/// The photo.
pub const PHOTO: &str = "photo";

/// The `clientData` key of the carry-all.
pub const CARRY_KEY: &str = "twofold-carry";
/// The `clientData` key of the mark.
pub const MARK_KEY: &str = "twofold-mark";
/// The `clientData` key of the UID.
pub const UID_KEY: &str = "twofold-uid";

/// The rendering of a person. Groups that the table does not know are put into `unresolved` and kept raw.
pub fn reduce(person: Person, table: &GroupTable, unresolved: &mut BTreeSet<String>) -> Object {
    let mut kept = Object::with_capacity(person.0.len());
    for (name, value) in person.0 {
        match (name.as_str(), value) {
            ("metadata", Value::Object(mut metadata)) => {
                if let Some(Value::Array(sources)) = metadata.get_mut("sources") {
                    sources.retain(is_contact_source);
                }
                // Told in deltas only, so a listing and a delta would differ by it.
                metadata.shift_remove("previousResourceNames");
                kept.insert(name, Value::Object(metadata));
            }
            ("memberships", Value::Array(items)) => {
                let (mut names, mut others) = (Vec::new(), Vec::new());
                for item in items.into_iter().filter(is_own) {
                    let group = membership_group(&item).unwrap_or_default();
                    match table.name(group) {
                        Some(name) => names.push(Value::from(name)),
                        None => {
                            if !group.is_empty() && !table.knows(group) {
                                unresolved.insert(group.to_owned());
                            }
                            others.push(item);
                        }
                    }
                }
                for (member, list) in [(GROUPS, names), (SYSTEM_GROUPS, others)] {
                    if !list.is_empty() {
                        kept.insert(member.to_owned(), Value::Array(list));
                    }
                }
            }
            ("photos", Value::Array(items)) => {
                let is_real =
                    |item: &&Value| is_own(item) && item.get("default").and_then(Value::as_bool) != Some(true);
                let url = items.iter().find(is_real).and_then(|item| item.get("url")?.as_str());
                if let Some(url) = url.filter(|url| !url.is_empty()) {
                    kept.insert(PHOTO.to_owned(), json!({"url": url}));
                }
            }
            (_, Value::Array(mut items)) => {
                items.retain(is_own);
                if !items.is_empty() {
                    kept.insert(name, Value::Array(items));
                }
            }
            (_, value) => {
                kept.insert(name, value);
            }
        }
    }
    kept
}

/// Whether an item belongs to the contact source (an item that names no source does).
fn is_own(item: &Value) -> bool {
    let source = item.get("metadata").and_then(|metadata| metadata.get("source"));
    source.is_none_or(|source| source.get("type").is_none() || is_contact_source(source))
}

/// A rendering's object.
pub fn parse(rendering: &Rendering) -> Result<Object> {
    serde_json::from_slice(rendering.as_bytes())
        .map_err(|_| Error::new(ErrorKind::Malformed, "the rendering is not a JSON object"))
}

/// A rendering's object without what no lens reads: most of a person is metadata of its items, and reading is what is done
/// most often.
pub fn parse_read(rendering: &Rendering) -> Result<Object> {
    let read: Read = serde_json::from_slice(rendering.as_bytes())
        .map_err(|_| Error::new(ErrorKind::Malformed, "the rendering is not a JSON object"))?;
    Ok(read.0)
}

/// Members of a person that no lens reads.
const UNREAD: [&str; 9] = [
    "metadata",
    "etag",
    "resourceName",
    "externalIds",
    "genders",
    "interests",
    "locations",
    "miscKeywords",
    SYSTEM_GROUPS,
];
/// Members of an item that no lens reads.
const UNREAD_OF_ITEMS: [&str; 5] =
    ["metadata", "formattedType", "formattedProtocol", "canonicalForm", "displayNameLastFirst"];

/// The name of a member, copied only where it is kept.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

struct Read(Object);

impl<'de> Deserialize<'de> for Read {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Read;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a person")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Read, A::Error> {
                let mut read = Object::new();
                while let Some(Name(name)) = map.next_key()? {
                    if UNREAD.contains(&name.as_ref()) {
                        map.next_value::<IgnoredAny>()?;
                    } else {
                        let ReadItems(items) = map.next_value()?;
                        read.insert(name.into_owned(), items);
                    }
                }
                Ok(Read(read))
            }
        }
        from.deserialize_map(Members)
    }
}

/// The value of a member of a person: a list of items, or a single one.
struct ReadItems(Value);

impl<'de> Deserialize<'de> for ReadItems {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Items;
        impl<'de> Visitor<'de> for Items {
            type Value = ReadItems;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("items")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<ReadItems, A::Error> {
                let mut items = Vec::new();
                while let Some(ReadItems(item)) = seq.next_element()? {
                    items.push(item);
                }
                Ok(ReadItems(Value::Array(items)))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ReadItems, A::Error> {
                let mut item = Object::new();
                while let Some(Name(name)) = map.next_key()? {
                    if UNREAD_OF_ITEMS.contains(&name.as_ref()) {
                        map.next_value::<IgnoredAny>()?;
                    } else {
                        item.insert(name.into_owned(), map.next_value()?);
                    }
                }
                Ok(ReadItems(Value::Object(item)))
            }

            fn visit_str<E>(self, text: &str) -> Result<ReadItems, E> {
                Ok(ReadItems(Value::from(text)))
            }

            // Of other plain values no lens knows a meaning.
            fn visit_unit<E>(self) -> Result<ReadItems, E> {
                Ok(ReadItems(Value::Null))
            }

            fn visit_bool<E>(self, _: bool) -> Result<ReadItems, E> {
                Ok(ReadItems(Value::Null))
            }

            fn visit_i64<E>(self, _: i64) -> Result<ReadItems, E> {
                Ok(ReadItems(Value::Null))
            }

            fn visit_u64<E>(self, _: u64) -> Result<ReadItems, E> {
                Ok(ReadItems(Value::Null))
            }

            fn visit_f64<E>(self, _: f64) -> Result<ReadItems, E> {
                Ok(ReadItems(Value::Null))
            }
        }
        from.deserialize_any(Items)
    }
}

/// A rendering's bytes.
pub fn serialise(rendering: &Object) -> Rendering {
    // Invariant: a JSON object always serialises.
    Rendering(serde_json::to_vec(rendering).expect("a JSON object serialises"))
}

/// A rendering as a copy that was seen.
pub fn seen(rendering: &Object) -> Result<Seen> {
    let name = text(rendering, "resourceName")
        .ok_or_else(|| Error::new(ErrorKind::Malformed, "a person without a resource name"))?;
    let source = contact_source(rendering)
        .ok_or_else(|| Error::new(ErrorKind::Malformed, "a person without a contact source or its etag"))?;
    let modified = source.update_time.and_then(|time| chrono::DateTime::parse_from_rfc3339(time).ok());
    Ok(Seen {
        remote_id: RemoteId(name.to_owned()),
        collection: CollectionId(COLLECTION.into()),
        etag: Etag(source.etag.to_owned()),
        uid: client_data(rendering, UID_KEY).filter(|uid| !uid.is_empty()).map(Uid::from),
        mark: client_data(rendering, MARK_KEY).and_then(Mark::parse),
        modified_ms: modified.map(|time| time.timestamp_millis()),
        rendering: serialise(rendering),
    })
}

/// The value of a `clientData` key; of several entries the last one counts (People puts what it kept before what is new).
pub fn client_data<'a>(person: &'a Object, key: &str) -> Option<&'a str> {
    let entries = person.get("clientData")?.as_array()?;
    let ours = entries.iter().rev().find(|entry| entry.get("key").and_then(Value::as_str) == Some(key))?;
    ours.get("value")?.as_str()
}

/// The photo's address, where there is a photo.
pub fn photo_url(rendering: &Object) -> Option<&str> {
    rendering.get(PHOTO)?.get("url")?.as_str()
}

/// Media type and base64 text of a photo that is known.
pub fn photo_data(rendering: &Object) -> Option<(&str, &str)> {
    let photo = rendering.get(PHOTO)?.as_object()?;
    Some((text(photo, "type")?, text(photo, "data")?))
}

/// Puts a photo's bytes beside its address.
pub fn set_photo_data(rendering: &mut Object, media_type: &str, base64: String) {
    if let Some(Value::Object(photo)) = rendering.get_mut(PHOTO) {
        photo.insert("type".into(), Value::from(media_type));
        photo.insert("data".into(), Value::String(base64));
    }
}

/// What is to be done with the photo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PhotoChange {
    /// Nothing.
    Keep,
    /// Set it to these bytes (base64, padded).
    Set(String),
    /// Remove it.
    Remove,
}

/// What has to be done to the photo of `from` until it is that of `to`. A photo that is not known is not touched.
pub fn photo_change(from: Option<&Object>, to: &Object) -> PhotoChange {
    match (from.and_then(|from| from.get(PHOTO)), photo_data(to)) {
        (Some(_), None) if to.get(PHOTO).is_none() => PhotoChange::Remove,
        (_, None) => PhotoChange::Keep,
        (Some(_), Some(new)) if from.and_then(photo_data) == Some(new) => PhotoChange::Keep,
        (_, Some((media_type, data))) => {
            let bytes = card::from_data_uri(&format!("data:{media_type};base64,{data}")).map(|(_, bytes)| bytes);
            bytes.map_or(PhotoChange::Keep, |bytes| PhotoChange::Set(encode(&bytes)))
        }
    }
}

/// Base64 as the renderings and People write it.
pub fn encode(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// The names of the user's groups that the person is in.
pub fn group_names(rendering: &Object) -> impl Iterator<Item = &str> {
    rendering.get(GROUPS).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

/// The memberships of a rendering as they are sent; `resolve` gives the resource name of a keyword, or nothing where there
/// can be no such group. A contact needs one group at least.
pub fn memberships(rendering: &Object, resolve: impl Fn(&str) -> Option<String>) -> Vec<Value> {
    let raw = rendering.get(SYSTEM_GROUPS).and_then(Value::as_array).into_iter().flatten();
    let mut groups: Vec<String> = raw.filter_map(membership_group).map(str::to_owned).collect();
    groups.extend(group_names(rendering).filter_map(resolve));
    if groups.is_empty() || contact_source(rendering).is_none() {
        groups.insert(0, MY_CONTACTS.to_owned());
    }
    let mut told = BTreeSet::new();
    groups.retain(|group| told.insert(group.clone()));
    groups.into_iter().map(|group| json!({"contactGroupMembership": {"contactGroupResourceName": group}})).collect()
}

/// The person to create from a rendering made from nothing: what can be written, never an etag.
pub fn new_person(rendering: &Object, resolve: impl Fn(&str) -> Option<String>) -> Object {
    let mut person = Object::new();
    for field in WRITABLE.into_iter().filter(|field| *field != "memberships") {
        if let Some(items) = rendering.get(field) {
            person.insert(field.to_owned(), items.clone());
        }
    }
    person.insert("memberships".into(), Value::Array(memberships(rendering, resolve)));
    person
}

/// The fields in which two renderings differ: the mask of an update.
pub fn changed_fields(from: &Object, to: &Object) -> Vec<&'static str> {
    let differs = |field: &str| from.get(field) != to.get(field);
    WRITABLE
        .into_iter()
        .filter(|field| match *field {
            "memberships" => differs(GROUPS) || differs(SYSTEM_GROUPS),
            field => differs(field),
        })
        .collect()
}

/// The person of an update: its name, the guard, and the fields of the mask. `None` where the rendering has no contact source.
pub fn changed_person(
    resource: &str,
    etag: &Etag,
    to: &Object,
    mask: &[&'static str],
    resolve: impl Fn(&str) -> Option<String>,
) -> Option<Object> {
    let source = contact_source(to)?;
    let mut person = Object::new();
    person.insert("resourceName".into(), Value::from(resource));
    let guard = json!({"sources": [{"type": "CONTACT", "id": source.id, "etag": etag.as_str()}]});
    person.insert("metadata".into(), guard);
    for field in mask {
        if *field == "memberships" {
            person.insert("memberships".into(), Value::Array(memberships(to, &resolve)));
        } else if let Some(items) = to.get(*field) {
            person.insert((*field).to_owned(), items.clone());
        }
    }
    Some(person)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(value: Value) -> Object {
        value.as_object().unwrap().clone()
    }

    fn reduced(person: Value) -> Value {
        let table =
            serde_json::from_value(json!({"contactGroups/1": "ICE", "contactGroups/myContacts": null})).unwrap();
        Value::Object(reduce(Person(object(person)), &table, &mut BTreeSet::new()))
    }

    #[test]
    fn profile_items_are_dropped_and_the_rest_stays_verbatim() {
        let contact = json!({"source": {"type": "CONTACT", "id": "7"}});
        let person = json!({
            "resourceName": "people/c8",
            "metadata": {"sources": [{"type": "CONTACT", "id": "7", "etag": "#a"}, {"type": "PROFILE", "etag": "#b"}],
                         "previousResourceNames": ["people/c1"], "objectType": "PERSON"},
            "names": [{"metadata": {"source": {"type": "PROFILE"}}, "givenName": "Carl"}, {"metadata": contact, "givenName": "Charles"}],
            "emailAddresses": [{"metadata": {"source": {"type": "DOMAIN_PROFILE"}}, "value": "carl@x"}],
            "skills": [{"value": "future"}],
        });
        assert_eq!(
            reduced(person),
            json!({
                "resourceName": "people/c8",
                "metadata": {"sources": [{"type": "CONTACT", "id": "7", "etag": "#a"}], "objectType": "PERSON"},
                "names": [{"metadata": contact, "givenName": "Charles"}],
                "skills": [{"value": "future"}],
            })
        );
    }

    #[test]
    fn default_photo_ignored() {
        let tile = json!({"photos": [{"url": "https://x/tile", "default": true}]});
        assert_eq!(reduced(tile), json!({}));
        let both = json!({"photos": [{"url": "https://x/tile", "default": true}, {"url": "https://x/own"}]});
        assert_eq!(reduced(both), json!({"photo": {"url": "https://x/own"}}));
        let profile = json!({"photos": [{"url": "https://x/p", "metadata": {"source": {"type": "PROFILE"}}}]});
        assert_eq!(reduced(profile), json!({}));
    }

    #[test]
    fn memberships_become_names_and_come_back() {
        let member = |group: &str| json!({"contactGroupMembership": {"contactGroupResourceName": group}});
        let person = json!({
            "metadata": {"sources": [{"type": "CONTACT", "id": "7", "etag": "#a"}]},
            "memberships": [member("contactGroups/starred"), member("contactGroups/1")],
        });
        let rendering = object(reduced(person));
        assert_eq!(rendering[GROUPS], json!(["ICE"]));
        assert_eq!(rendering[SYSTEM_GROUPS], json!([member("contactGroups/starred")]));
        let resolve = |name: &str| (name == "ICE").then(|| "contactGroups/1".to_owned());
        assert_eq!(memberships(&rendering, resolve), [member("contactGroups/starred"), member("contactGroups/1")]);
        let new = object(json!({"groups": ["ICE", "impossible"]}));
        assert_eq!(memberships(&new, resolve), [member(MY_CONTACTS), member("contactGroups/1")]);
    }

    #[test]
    fn an_update_names_only_what_changed_and_carries_the_guard() {
        let from = object(json!({"metadata": {"sources": [{"type": "CONTACT", "id": "7", "etag": "#a"}]},
            "names": [{"givenName": "Ada"}], "urls": [{"value": "u"}], "groups": ["ICE"]}));
        let mut to = from.clone();
        to.shift_remove("urls");
        to.insert("etag".into(), json!("%new"));
        to.insert("groups".into(), json!(["ICE", "Work"]));
        let mask = changed_fields(&from, &to);
        assert_eq!(mask, ["memberships", "urls"]);
        let person = changed_person("people/c1", &"#a".into(), &to, &mask, |name| Some(format!("g/{name}"))).unwrap();
        assert_eq!(person["metadata"], json!({"sources": [{"type": "CONTACT", "id": "7", "etag": "#a"}]}));
        assert_eq!(person["memberships"].as_array().unwrap().len(), 2);
        assert!(!person.contains_key("names") && !person.contains_key("etag") && !person.contains_key("urls"));
    }

    #[test]
    fn an_unknown_photo_is_not_touched() {
        let known = |data: &str| object(json!({"photo": {"url": "u", "type": "image/png", "data": data}}));
        let (unknown, none) = (object(json!({"photo": {"url": "u"}})), Object::new());
        assert_eq!(photo_change(Some(&unknown), &unknown), PhotoChange::Keep);
        assert_eq!(photo_change(Some(&known("AAAA")), &unknown), PhotoChange::Keep);
        assert_eq!(photo_change(Some(&known("AAAA")), &none), PhotoChange::Remove);
        assert_eq!(photo_change(Some(&known("AAAA")), &known("AAAB")), PhotoChange::Set("AAAB".into()));
        assert_eq!(photo_change(None, &known("AAA")), PhotoChange::Set("AAA=".into()));
        assert_eq!(photo_change(Some(&known("AAAA")), &known("AAAA")), PhotoChange::Keep);
    }
}
