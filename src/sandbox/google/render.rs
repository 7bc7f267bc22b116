//! From a stored version to the JSON that is sent: masks, sources, the merge with a profile, the letter tile.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::Rng;
use rand::seq::SliceRandom;
use serde_json::{Map, Value, json};

use super::errors::{Refusal, invalid};
use super::store::{Person, Version};
use crate::clock::rfc3339_micros;
use crate::{Request, State, Switches};

/// The fields that a mask may name.
const READABLE: [&str; 29] = [
    "addresses",
    "ageRanges",
    "biographies",
    "birthdays",
    "calendarUrls",
    "clientData",
    "coverPhotos",
    "emailAddresses",
    "events",
    "externalIds",
    "genders",
    "imClients",
    "interests",
    "locales",
    "locations",
    "memberships",
    "metadata",
    "miscKeywords",
    "names",
    "nicknames",
    "occupations",
    "organizations",
    "phoneNumbers",
    "photos",
    "relations",
    "sipAddresses",
    "skills",
    "urls",
    "userDefined",
];

/// What of a person is sent.
#[derive(Clone, Debug)]
pub(crate) struct View {
    /// In the order of the table above; empty = nothing at all.
    pub fields: Vec<&'static str>,
    /// Items that come from the contact.
    pub contact: bool,
    /// Items that come from the linked profile.
    pub profile: bool,
}

/// What a mask that is left out means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Absent {
    /// 400.
    Refused,
    /// Everything.
    All,
    /// Nothing is read back.
    Nothing,
}

impl View {
    /// Reads a mask (`personFields`, `readMask`) and the sources beside it.
    pub fn read<'a>(
        name: &str,
        mask: Option<&str>,
        sources: impl Iterator<Item = &'a str>,
        absent: Absent,
    ) -> Result<Self, Refusal> {
        let paths: Vec<&str> =
            mask.unwrap_or_default().split(',').map(str::trim).filter(|path| !path.is_empty()).collect();
        if paths.is_empty() && absent == Absent::Refused {
            return Err(invalid(&format!(
                "{name} mask is required. Please specify one or more valid paths. Valid paths are documented at \
                 https://developers.google.com/people/api/rest/v1/people.connections/list."
            )));
        }
        let mut wanted = Vec::with_capacity(paths.len());
        for path in paths {
            // `names.givenName` is taken as `names`: masks reach no deeper than the first level.
            let first = path.split('.').next().unwrap_or_default();
            let known = READABLE.iter().find(|field| **field == first || snake_eq(field, first));
            wanted.push(*known.ok_or_else(|| {
                invalid(&format!(
                    "Invalid {name} mask path: \"{path}\". Valid paths are documented at \
                     https://developers.google.com/people/api/rest/v1/people.connections/list."
                ))
            })?);
        }
        let all = wanted.is_empty() && absent == Absent::All;
        let fields = READABLE.into_iter().filter(|field| all || wanted.contains(field)).collect();
        let (mut contact, mut profile) = (false, false);
        for source in sources {
            match source {
                "READ_SOURCE_TYPE_CONTACT" => contact = true,
                "READ_SOURCE_TYPE_PROFILE" | "READ_SOURCE_TYPE_DOMAIN_CONTACT" => profile = true,
                "READ_SOURCE_TYPE_UNSPECIFIED" | "READ_SOURCE_TYPE_OTHER_CONTACT" => {}
                other => {
                    let kind = "type.googleapis.com/google.people.v1.ReadSourceType";
                    return Err(invalid(&format!("Invalid value at 'sources[0]' ({kind}), \"{other}\"")));
                }
            }
        }
        if !contact && !profile {
            (contact, profile) = (true, true);
        }
        Ok(Self { fields, contact, profile })
    }

    /// Reads `personFields` and `sources` off the query.
    pub fn of_query(request: &Request, absent: Absent) -> Result<Self, Refusal> {
        if let Some(mask) = request.param("requestMask.includeField") {
            let mask = mask.replace("person.", "");
            return Self::read("requestMask.includeField", Some(&mask), request.params("sources"), absent);
        }
        Self::read("personFields", request.param("personFields"), request.params("sources"), absent)
    }

    /// Everything, from both sources.
    pub fn all() -> Self {
        Self { fields: READABLE.to_vec(), contact: true, profile: true }
    }

    /// Whether nothing is to be read back.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }
}

/// `email_addresses` names `emailAddresses` as well.
fn snake_eq(field: &str, path: &str) -> bool {
    path.contains('_') && path.replace('_', "").eq_ignore_ascii_case(field)
}

/// A person as it is sent. `in_sync` = the answer to a request with a sync token, the only one that tells of deletions
/// and former names.
pub(crate) fn person(
    state: &mut State,
    resource: &str,
    person: &Person,
    version: &Version,
    view: &View,
    in_sync: bool,
) -> Value {
    let mut sent = Map::with_capacity(view.fields.len() + 2);
    sent.insert("resourceName".into(), json!(resource));
    sent.insert("etag".into(), json!(version.etag));
    for field in &view.fields {
        let value = match *field {
            "metadata" => Some(metadata(person, version, view, in_sync, &state.switches)),
            "photos" if view.contact && !version.is_deleted => photos(state, person, version),
            field => items(person, version, view, field),
        };
        if let Some(value) = value {
            sent.insert((*field).to_owned(), value);
        }
    }
    if state.switches.reorder_fields {
        let mut value = Value::Object(sent);
        shuffle(&mut value, &mut state.rng);
        return value;
    }
    Value::Object(sent)
}

fn metadata(person: &Person, version: &Version, view: &View, in_sync: bool, switches: &Switches) -> Value {
    let mut sources = Vec::new();
    if view.contact || version.is_deleted {
        sources.push(json!({
            "type": "CONTACT",
            "id": person.contact_id,
            "etag": version.source_etag,
            "updateTime": rfc3339_micros(version.updated_ms),
        }));
    }
    if let Some(profile) = person.profile.as_ref().filter(|_| view.profile && !version.is_deleted) {
        sources.push(json!({
            "type": "PROFILE",
            "id": profile.id,
            "etag": "#profile=",
            "profileMetadata": { "objectType": "PERSON", "userTypes": ["GOOGLE_USER"] },
            "updateTime": "2026-02-02T10:00:00.000001Z",
        }));
    }
    let mut metadata = json!({ "sources": sources });
    if in_sync && !version.previous.is_empty() {
        metadata["previousResourceNames"] = json!(version.previous);
    }
    // In a sync, a contact that left its last group is as gone as a deleted one.
    if in_sync && !is_listed(version, switches) {
        metadata["deleted"] = json!(true);
    }
    metadata["objectType"] = json!("PERSON");
    metadata
}

/// Whether `connections.list` shows it: it is there and, unless the switch says otherwise, in at least one group.
pub(crate) fn is_listed(version: &Version, switches: &Switches) -> bool {
    !version.is_deleted && (switches.people_lists_groupless || version.group_names().next().is_some())
}

/// The items of a field. A profile's come first and take the primary mark from the contact's.
fn items(person: &Person, version: &Version, view: &View, field: &str) -> Option<Value> {
    let own = version.fields.get(field).filter(|_| view.contact);
    let profile = person.profile.as_ref().filter(|_| view.profile && !version.is_deleted);
    let Some((profile, theirs)) = profile.and_then(|profile| Some((profile, profile.fields.get(field)?.as_array()?)))
    else {
        return own.filter(|items| items.as_array().is_some_and(|items| !items.is_empty())).cloned();
    };
    let mut sent: Vec<Value> = Vec::new();
    for (i, item) in theirs.iter().enumerate() {
        let mut metadata = Map::new();
        if i == 0 {
            metadata.insert("primary".into(), json!(true));
        }
        metadata.insert("source".into(), json!({ "type": "PROFILE", "id": profile.id }));
        let mut whole = Map::from_iter([("metadata".to_owned(), Value::Object(metadata))]);
        whole.extend(item.as_object().cloned().unwrap_or_default());
        sent.push(Value::Object(whole));
    }
    for item in own.and_then(Value::as_array).into_iter().flatten() {
        let mut item = item.clone();
        if let Some(metadata) = item["metadata"].as_object_mut() {
            metadata.shift_remove("primary");
        }
        sent.push(item);
    }
    Some(Value::Array(sent))
}

fn photos(state: &State, person: &Person, version: &Version) -> Option<Value> {
    let source = json!({ "type": "CONTACT", "id": person.contact_id });
    let metadata = json!({ "primary": true, "source": source });
    if let Some(key) = &version.photo {
        return Some(json!([{ "metadata": metadata, "url": format!("{}/google-photos/{key}=s100", state.base) }]));
    }
    if !state.switches.default_photo {
        return None;
    }
    let name = version.fields.get("names").map_or("?", |names| names[0]["displayName"].as_str().unwrap_or("?"));
    let letter = name.chars().next().unwrap_or('?').to_string();
    let url = format!("{}/google-photos/tile-{}=s100", state.base, URL_SAFE_NO_PAD.encode(letter));
    Some(json!([{ "metadata": metadata, "url": url, "default": true }]))
}

/// Keys in another order, and lists that have no order of their own.
fn shuffle(value: &mut Value, rng: &mut impl Rng) {
    match value {
        Value::Object(object) => {
            let mut entries: Vec<(String, Value)> = std::mem::take(object).into_iter().collect();
            entries.shuffle(rng);
            for (name, value) in &mut entries {
                shuffle(value, rng);
                if matches!(name.as_str(), "memberships" | "clientData" | "userDefined")
                    && let Value::Array(items) = value
                {
                    items.shuffle(rng);
                }
            }
            object.extend(entries);
        }
        Value::Array(items) => items.iter_mut().for_each(|item| shuffle(item, rng)),
        _ => {}
    }
}
