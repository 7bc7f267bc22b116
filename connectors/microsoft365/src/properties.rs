//! What entities of every kind have in common at Graph: pages of lists, and extended properties, of which three are ours.

use serde::Deserialize;
use serde_json::{Map, Value, json};

/// Extended property with the mark (`hub:item:generation`) of the twofold that made the copy. The GUID is this program's own.
pub const MARK: &str = "String {5b1c9a52-7d0e-4c0f-9f5e-2f6d1c3a8e47} Name twofold-mark";
/// Extended property with the item's UID.
pub const UID: &str = "String {5b1c9a52-7d0e-4c0f-9f5e-2f6d1c3a8e47} Name twofold-uid";
/// Extended property with the carry-all.
pub const CARRY: &str = "String {5b1c9a52-7d0e-4c0f-9f5e-2f6d1c3a8e47} Name twofold-carry";

/// The member that extended properties stand in.
pub const PROPERTIES: &str = "singleValueExtendedProperties";

/// One page of a list or of a delta round.
#[derive(Debug, Deserialize)]
pub struct ListPage {
    /// The rows.
    pub value: Vec<Value>,
    /// Where the list goes on.
    #[serde(rename = "@odata.nextLink")]
    pub next_link: Option<String>,
    /// Where the next round begins.
    #[serde(rename = "@odata.deltaLink")]
    pub delta_link: Option<String>,
}

/// The value of an extended property. Ids are compared without case: the server may write the GUID in its own way.
pub fn value<'a>(fields: &'a Map<String, Value>, id: &str) -> Option<&'a str> {
    let list = fields.get(PROPERTIES)?.as_array()?;
    list.iter().find(|property| has_id(property, id))?.get("value")?.as_str()
}

/// Sets the value of an extended property.
pub fn set_value(fields: &mut Map<String, Value>, id: &str, value: &str) {
    let list = fields.entry(PROPERTIES).or_insert_with(|| json!([]));
    if !list.is_array() {
        *list = json!([]);
    }
    let Value::Array(list) = list else { return };
    match list.iter_mut().find(|property| has_id(property, id)) {
        Some(property) => property["value"] = json!(value),
        None => list.push(json!({"id": id, "value": value})),
    }
}

/// The extended properties that differ from what they were.
pub fn changed<'a>(was: Option<&Value>, now: &'a Value) -> Vec<&'a Value> {
    let unchanged = |property: &&Value| was.and_then(Value::as_array).is_some_and(|list| list.contains(property));
    now.as_array().into_iter().flatten().filter(|property| !unchanged(property)).collect()
}

fn has_id(property: &Value, id: &str) -> bool {
    let is_same = |text: &str| text.eq_ignore_ascii_case(id) || tag(text).is_some_and(|tagged| Some(tagged) == tag(id));
    property.get("id").and_then(Value::as_str).is_some_and(is_same)
}

/// Type and number of a property of Exchange's own. The server writes `Integer 0xe08` for `Integer 0x0E08`.
fn tag(id: &str) -> Option<(String, u32)> {
    let (kind, number) = id.split_once(' ')?;
    let digits = number.strip_prefix("0x").or_else(|| number.strip_prefix("0X"))?;
    Some((kind.to_ascii_lowercase(), u32::from_str_radix(digits, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_property_is_found_however_the_server_writes_its_id() {
        let fields = |id: &str| Map::from_iter([(PROPERTIES.to_owned(), json!([{"id": id, "value": "1"}]))]);
        for (there, asked) in
            [("Integer 0xe08", "Integer 0x0E08"), ("integer 0x0E08", "Integer 0xe08"), (&MARK.to_lowercase(), MARK)]
        {
            assert_eq!(value(&fields(there), asked), Some("1"), "{there}");
        }
        for (there, asked) in [("Integer 0xe08", "Integer 0x0E07"), ("Long 0xe08", "Integer 0x0E08"), (UID, MARK)] {
            assert_eq!(value(&fields(there), asked), None, "{there}");
        }
    }
}
