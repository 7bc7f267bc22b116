//! Graph's JSON for contacts, as it comes and goes: pages, folders, the contact with its extended properties. A contact is
//! kept as the object that the server sent, so that nothing is dropped that this program does not know.

pub use crate::properties::{CARRY, ListPage, MARK, PROPERTIES, UID};

use crate::properties;
use chrono::DateTime;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// What the server alone sets: never part of a request.
pub const READ_ONLY: [&str; 5] = ["id", "changeKey", "createdDateTime", "lastModifiedDateTime", "parentFolderId"];

/// A contact as the server sent it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Contact(pub Map<String, Value>);

impl Contact {
    /// Takes a row of a list or the answer of a GET. Annotations that speak of the request (`@odata.context`) are left out,
    /// so that a contact looks the same whichever way it came.
    pub fn from_value(value: Value) -> Option<Contact> {
        let Value::Object(mut fields) = value else { return None };
        if fields.keys().any(|name| name.ends_with("@odata.context")) {
            fields.retain(|name, _| !name.ends_with("@odata.context"));
        }
        Some(Contact(fields))
    }

    /// One field that holds text, as it stands.
    pub fn text(&self, field: &str) -> Option<&str> {
        self.0.get(field)?.as_str()
    }

    /// The id.
    pub fn id(&self) -> Option<&str> {
        self.text("id").filter(|id| !id.is_empty())
    }

    /// The folder that it stands in.
    pub fn folder(&self) -> Option<&str> {
        self.text("parentFolderId").filter(|id| !id.is_empty())
    }

    /// The mark of its state, as `If-Match` takes it.
    pub fn etag(&self) -> Option<String> {
        let etag = self.text("@odata.etag").map(str::to_owned);
        etag.or_else(|| Some(format!("W/\"{}\"", self.text("changeKey")?)))
    }

    /// When it last changed by the server's clock, in milliseconds since 1970.
    pub fn modified_ms(&self) -> Option<i64> {
        Some(DateTime::parse_from_rfc3339(self.text("lastModifiedDateTime")?).ok()?.timestamp_millis())
    }

    /// Whether a delta row says that it left the folder.
    pub fn is_removed(&self) -> bool {
        self.0.contains_key("@removed")
    }

    /// The value of an extended property. Ids are compared without case: the server may write the GUID in its own way.
    pub fn property(&self, id: &str) -> Option<&str> {
        properties::value(&self.0, id)
    }

    /// The extended properties, ids and values.
    pub fn properties(&self) -> impl Iterator<Item = (&str, &str)> {
        let list = self.0.get(PROPERTIES).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        list.iter().filter_map(|property| Some((property.get("id")?.as_str()?, property.get("value")?.as_str()?)))
    }

    /// Sets the value of an extended property.
    pub fn set_property(&mut self, id: &str, value: &str) {
        properties::set_value(&mut self.0, id, value);
    }

    /// The body of the POST that makes this contact.
    pub fn create_body(&self) -> Value {
        let fields = self.0.iter().filter(|(name, value)| is_writable(name) && !value.is_null());
        Value::Object(fields.map(|(name, value)| (name.clone(), value.clone())).collect())
    }

    /// The body of the PATCH that makes this contact out of `from`: only the top-level fields that differ, `null` only where
    /// there was something (Graph answers 500 to a gratuitous null). `None` when nothing differs.
    pub fn patch_body(&self, from: &Contact) -> Option<Value> {
        let mut body = Map::new();
        for (name, value) in self.0.iter().filter(|(name, _)| is_writable(name)) {
            let was = from.0.get(name);
            if was == Some(value) || (value.is_null() && was.is_none()) {
                continue;
            }
            if name == PROPERTIES {
                let changed = properties::changed(was, value);
                if !changed.is_empty() {
                    body.insert(name.clone(), json!(changed));
                }
            } else {
                body.insert(name.clone(), value.clone());
            }
        }
        for (name, was) in from.0.iter().filter(|(name, _)| is_writable(name) && *name != PROPERTIES) {
            if !self.0.contains_key(name) && !twofold_model::content::is_nothing(was) {
                body.insert(name.clone(), if was.is_array() { json!([]) } else { Value::Null });
            }
        }
        (!body.is_empty()).then_some(Value::Object(body))
    }
}

fn is_writable(name: &str) -> bool {
    !READ_ONLY.contains(&name) && !name.contains('@')
}

/// A contact folder.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContactFolder {
    /// Its id; does not change.
    pub id: String,
    /// The name that the user reads.
    pub display_name: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contact(value: Value) -> Contact {
        Contact::from_value(value).unwrap()
    }

    #[test]
    fn a_patch_holds_only_what_differs() {
        let from =
            contact(json!({"id": "1", "@odata.etag": "W/\"a\"", "givenName": "Ada", "surname": "King", "title": null}));
        let to = contact(
            json!({"id": "1", "@odata.etag": "W/\"a\"", "givenName": "Ada", "surname": "Lovelace", "title": null}),
        );
        assert_eq!(to.patch_body(&from), Some(json!({"surname": "Lovelace"})));
        assert_eq!(to.patch_body(&to), None);
    }

    #[test]
    fn null_is_sent_only_for_what_had_a_value() {
        let from = contact(json!({"title": "Dr", "children": ["Al"], "manager": null}));
        let to = contact(json!({"spouseName": null}));
        assert_eq!(to.patch_body(&from), Some(json!({"title": null, "children": []})));
    }

    #[test]
    fn only_the_changed_extended_property_is_sent() {
        let mut to = contact(json!({}));
        to.set_property(UID, "u");
        to.set_property(MARK, "h:i:1");
        let from = to.clone();
        to.set_property(CARRY, "c");
        let body = to.patch_body(&from).unwrap();
        assert_eq!(body, json!({"singleValueExtendedProperties": [{"id": CARRY, "value": "c"}]}));
        assert_eq!(to.property(&UID.to_uppercase()), Some("u"));
    }
}
