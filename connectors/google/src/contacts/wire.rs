//! People's JSON. A person is kept as the object it is, so that nothing unknown is dropped; envelopes keep what they do not
//! know in `rest`. Absent, `null` and empty lists are one and the same.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

/// A JSON object: a person, an item of one of its fields.
pub type Object = Map<String, Value>;

/// The fields that `updatePersonFields` and `updateMask` may name.
pub const WRITABLE: [&str; 24] = [
    "addresses",
    "biographies",
    "birthdays",
    "calendarUrls",
    "clientData",
    "emailAddresses",
    "events",
    "externalIds",
    "genders",
    "imClients",
    "interests",
    "locales",
    "locations",
    "memberships",
    "miscKeywords",
    "names",
    "nicknames",
    "occupations",
    "organizations",
    "phoneNumbers",
    "relations",
    "sipAddresses",
    "urls",
    "userDefined",
];

/// `personFields` and `readMask` of every request that reads persons: all that can be written, and `metadata`, `photos`.
pub const PERSON_FIELDS: &str = "addresses,biographies,birthdays,calendarUrls,clientData,emailAddresses,events,externalIds,\
                                 genders,imClients,interests,locales,locations,memberships,metadata,miscKeywords,names,\
                                 nicknames,occupations,organizations,phoneNumbers,photos,relations,sipAddresses,urls,userDefined";

/// Fields of which a contact has at most one item.
pub const SINGLETONS: [&str; 4] = ["biographies", "birthdays", "genders", "names"];

/// A person as it came.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Person(pub Object);

/// The contact source of a person: the part that belongs to the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContactSource<'a> {
    /// Its id.
    pub id: &'a str,
    /// The guard of every update.
    pub etag: &'a str,
    /// When it last changed, RFC 3339.
    pub update_time: Option<&'a str>,
}

impl Person {
    /// `people/c…`; nothing where the row has no name.
    pub fn resource_name(&self) -> Option<&str> {
        text(&self.0, "resourceName")
    }

    /// The sources of the person; nothing where the person came without them.
    pub fn sources(&self) -> Option<&[Value]> {
        sources(&self.0)
    }

    /// The contact source, if it has one with id and etag.
    pub fn contact_source(&self) -> Option<ContactSource<'_>> {
        contact_source(&self.0)
    }

    /// Whether a source of the user's own is named at all.
    pub fn is_contact(&self) -> bool {
        self.sources().unwrap_or_default().iter().any(is_contact_source)
    }

    /// The tombstone of a delta.
    pub fn is_deleted(&self) -> bool {
        self.0.get("metadata").and_then(|metadata| metadata.get("deleted")).and_then(Value::as_bool) == Some(true)
    }

    /// The names that it had before.
    pub fn previous_names(&self) -> impl Iterator<Item = &str> {
        let names = self.0.get("metadata").and_then(|metadata| metadata.get("previousResourceNames"));
        names.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).filter(|name| !name.is_empty())
    }

    /// The resource names of the contact groups it is in.
    pub fn group_names(&self) -> impl Iterator<Item = &str> {
        self.items("memberships").iter().filter_map(membership_group)
    }

    /// The items of a field.
    pub fn items(&self, field: &str) -> &[Value] {
        self.0.get(field).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
    }
}

/// A text member, if it is there and not empty.
pub fn text<'a>(object: &'a Object, name: &str) -> Option<&'a str> {
    object.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// The contact source of a person or a rendering.
pub fn contact_source(person: &Object) -> Option<ContactSource<'_>> {
    let source = sources(person)?.iter().find(|source| is_contact_source(source))?.as_object()?;
    Some(ContactSource {
        id: text(source, "id")?,
        etag: text(source, "etag")?,
        update_time: text(source, "updateTime"),
    })
}

/// Whether a source is the user's own.
pub fn is_contact_source(source: &Value) -> bool {
    source.get("type").and_then(Value::as_str) == Some("CONTACT")
}

/// The group that an item of `memberships` names.
pub fn membership_group(item: &Value) -> Option<&str> {
    item.get("contactGroupMembership")?.get("contactGroupResourceName")?.as_str()
}

fn sources(person: &Object) -> Option<&[Value]> {
    person.get("metadata")?.get("sources")?.as_array().map(Vec::as_slice)
}

/// The answer of `people.connections.list`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Connections {
    /// The page's rows; the key is absent on an empty page.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub connections: Vec<Person>,
    /// There is more.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub next_page_token: Option<String>,
    /// Only on the last page.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub next_sync_token: Option<String>,
    /// What else came.
    #[serde(flatten)]
    pub rest: Object,
}

/// The answer of `contactGroups.list`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContactGroups {
    /// The page's rows.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub contact_groups: Vec<ContactGroup>,
    /// There is more.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub next_page_token: Option<String>,
    /// Only on the last page.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub next_sync_token: Option<String>,
    /// What else came.
    #[serde(flatten)]
    pub rest: Object,
}

/// One contact group.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContactGroup {
    /// `contactGroups/…`.
    #[serde(default, deserialize_with = "or_default")]
    pub resource_name: String,
    /// `USER_CONTACT_GROUP` or `SYSTEM_CONTACT_GROUP`.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub group_type: Option<String>,
    /// The name as the user wrote it.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What else came.
    #[serde(flatten)]
    pub rest: Object,
}

impl ContactGroup {
    /// The tombstone of a delta.
    pub fn is_deleted(&self) -> bool {
        self.rest.get("metadata").and_then(|metadata| metadata.get("deleted")).and_then(Value::as_bool) == Some(true)
    }
}

/// The answer of `people:batchGet`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BatchGet {
    /// One for each name asked for, in any order.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub responses: Vec<PersonResponse>,
    /// What else came.
    #[serde(flatten)]
    pub rest: Object,
}

/// The answer of `people:batchCreateContacts`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchCreated {
    /// One for each person sent.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub created_people: Vec<PersonResponse>,
    /// What else came.
    #[serde(flatten)]
    pub rest: Object,
}

/// The answer of `people:batchUpdateContacts`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchUpdated {
    /// By the resource name that was sent.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub update_result: std::collections::BTreeMap<String, PersonResponse>,
    /// What else came.
    #[serde(flatten)]
    pub rest: Object,
}

/// The answer for one person of a batch.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PersonResponse {
    /// The person, where all went well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<Person>,
    /// The name it was asked by.
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub requested_resource_name: Option<String>,
    /// An HTTP status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_status_code: Option<u16>,
    /// A `google.rpc.Status`: code 0 or absent is well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Value>,
    /// What else came.
    #[serde(flatten)]
    pub rest: Object,
}

/// The answer of `updateContactPhoto` and `deleteContactPhoto`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PhotoChanged {
    /// The person afterwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<Person>,
    /// What else came.
    #[serde(flatten)]
    pub rest: Object,
}

fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(from: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

/// An empty token is no token.
fn filled<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<String>::deserialize(from)?.filter(|text| !text.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn absent_and_null_and_empty_lists_are_one() {
        for page in [json!({}), json!({"connections": null, "nextPageToken": ""}), json!({"connections": []})] {
            let read: Connections = serde_json::from_value(page).unwrap();
            assert!(read.connections.is_empty() && read.next_page_token.is_none());
        }
    }

    #[test]
    fn a_profile_is_no_contact_source() {
        let person = Person(
            json!({"metadata": {"sources": [{"type": "PROFILE", "id": "1", "etag": "x"}]}})
                .as_object()
                .unwrap()
                .clone(),
        );
        assert!(!person.is_contact());
        assert_eq!(person.contact_source(), None);
    }

    #[test]
    fn the_mask_names_all_that_is_written() {
        let asked: Vec<&str> = PERSON_FIELDS.split(',').collect();
        assert!(WRITABLE.iter().all(|field| asked.contains(field)));
        assert!(asked.contains(&"metadata") && asked.contains(&"photos"));
        assert!(!PERSON_FIELDS.contains(' '));
    }
}
