//! Locations of an event: one, and the list that goes with it.

use serde_json::{Map, Value, json};

use super::super::reply::Refusal;
use super::rule::wrong_type;

const ADDRESS: [&str; 5] = ["street", "city", "state", "countryOrRegion", "postalCode"];
const TYPES: [&str; 11] = [
    "default",
    "conferenceRoom",
    "homeAddress",
    "businessAddress",
    "geoCoordinates",
    "streetAddress",
    "hotel",
    "restaurant",
    "localBusiness",
    "postalAddress",
    "unknown",
];
const NAMES: [&str; 8] = [
    "displayName",
    "locationType",
    "uniqueId",
    "uniqueIdType",
    "address",
    "coordinates",
    "locationUri",
    "locationEmailAddress",
];

/// What `location` says when there is none.
pub(super) fn none() -> Value {
    json!({ "displayName": "", "locationType": "default", "uniqueIdType": "unknown", "address": {}, "coordinates": {} })
}

/// Reads `location`; null clears it.
pub(super) fn read_one(sent: &Value) -> Result<Value, Refusal> {
    if sent.is_null() {
        return Ok(none());
    }
    let read = read(sent)?;
    if read["displayName"] == "" && read.len() <= 2 { Ok(none()) } else { Ok(with_id(read.into())) }
}

/// Reads `locations`.
pub(super) fn read_many(sent: &Value) -> Result<Value, Refusal> {
    let list = sent.as_array().ok_or_else(|| wrong_type("locations", "Collection(microsoft.graph.location)"))?;
    let entries = list.iter().map(|entry| Ok(with_id(read(entry)?.into())));
    entries.collect::<Result<Vec<_>, _>>().map(Value::Array)
}

/// The two agree: whichever was written sets the other.
pub(super) fn agree(sent: &Map<String, Value>, fields: &mut Map<String, Value>) {
    if sent.contains_key("locations") {
        let list = fields["locations"].as_array().cloned().unwrap_or_default();
        let names: Vec<&str> = list.iter().filter_map(|entry| entry["displayName"].as_str()).collect();
        let location = match &list[..] {
            [] => none(),
            [one] => one.clone(),
            _ => with_id(json!({ "displayName": names.join("; "), "locationType": "default" })),
        };
        fields.insert("location".into(), location);
    } else if sent.contains_key("location") {
        let one = fields["location"].clone();
        let is_none = one == none();
        fields.insert("locations".into(), if is_none { json!([]) } else { json!([one]) });
    }
}

fn with_id(mut location: Value) -> Value {
    location["uniqueId"] = location["displayName"].clone();
    location["uniqueIdType"] = "private".into();
    location
}

fn read(sent: &Value) -> Result<Map<String, Value>, Refusal> {
    let object = sent.as_object().ok_or_else(|| wrong_type("location", "microsoft.graph.location"))?;
    if let Some(name) = object.keys().find(|name| !NAMES.contains(&name.as_str())) {
        return Err(Refusal::no_property(name, "location"));
    }
    let mut read = Map::new();
    let text = |name: &str| match object.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(wrong_type(name, "Edm.String")),
    };
    read.insert("displayName".into(), text("displayName")?.unwrap_or_default().into());
    let kind = text("locationType")?.unwrap_or_else(|| "default".into());
    let kind = TYPES.iter().find(|have| have.eq_ignore_ascii_case(&kind));
    let kind = kind.ok_or_else(|| Refusal::body("Requested value of 'locationType' was not found."))?;
    read.insert("locationType".into(), (*kind).into());
    for name in ["locationUri", "locationEmailAddress"] {
        if let Some(text) = text(name)?.filter(|text| !text.is_empty()) {
            read.insert(name.into(), text.into());
        }
    }
    let part = |name: &str, of: &str, known: &[&str]| match object.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(parts)) => match parts.keys().find(|key| !known.contains(&key.as_str())) {
            Some(unknown) => Err(Refusal::no_property(unknown, of)),
            None => Ok(Some(parts.clone()).filter(|parts| !parts.is_empty())),
        },
        Some(_) => Err(wrong_type(name, of)),
    };
    if let Some(address) = part("address", "physicalAddress", &ADDRESS)? {
        if address.values().any(|value| !value.is_string() && !value.is_null()) {
            return Err(wrong_type("address", "Edm.String"));
        }
        read.insert("address".into(), address.into());
    }
    let known = ["latitude", "longitude", "altitude", "accuracy", "altitudeAccuracy"];
    if let Some(coordinates) = part("coordinates", "outlookGeoCoordinates", &known)? {
        if coordinates.values().any(|value| !value.is_number() && !value.is_null()) {
            return Err(wrong_type("coordinates", "Edm.Double"));
        }
        read.insert("coordinates".into(), coordinates.into());
    }
    Ok(read)
}
