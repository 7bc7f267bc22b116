//! A contact's properties: which there are, what may be written to them, and how they are shown.

use chrono::{DateTime, NaiveDate};
use serde_json::{Map, Value, json};

use super::reply::Refusal;
use crate::Switches;

/// What a property holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// A text or null.
    Text,
    /// A list of texts with at most so many entries.
    Texts(usize),
    /// `homePhones`: as many as the switch says.
    HomePhones,
    /// `imAddresses`: as many as the switch says.
    ImAddresses,
    /// `emailAddresses`.
    Emails,
    /// A postal address.
    Address,
    /// `birthday`.
    Birthday,
    /// Set by the service.
    ReadOnly,
}

use Shape::{Address, Birthday, Emails, HomePhones, ImAddresses, ReadOnly, Text, Texts};

const UNBOUNDED: usize = usize::MAX;
const MOST_EMAILS: usize = 3;

/// All properties of `microsoft.graph.contact` in the order in which they are shown.
pub(super) const PROPERTIES: [(&str, Shape); 38] = [
    ("id", ReadOnly),
    ("createdDateTime", ReadOnly),
    ("lastModifiedDateTime", ReadOnly),
    ("changeKey", ReadOnly),
    ("categories", Texts(UNBOUNDED)),
    ("parentFolderId", ReadOnly),
    ("birthday", Birthday),
    ("fileAs", Text),
    ("displayName", Text),
    ("givenName", Text),
    ("initials", Text),
    ("middleName", Text),
    ("nickName", Text),
    ("surname", Text),
    ("title", Text),
    ("yomiGivenName", Text),
    ("yomiSurname", Text),
    ("yomiCompanyName", Text),
    ("generation", Text),
    ("imAddresses", ImAddresses),
    ("jobTitle", Text),
    ("companyName", Text),
    ("department", Text),
    ("officeLocation", Text),
    ("profession", Text),
    ("businessHomePage", Text),
    ("assistantName", Text),
    ("manager", Text),
    ("homePhones", HomePhones),
    ("mobilePhone", Text),
    ("businessPhones", Texts(2)),
    ("spouseName", Text),
    ("personalNotes", Text),
    ("children", Texts(UNBOUNDED)),
    ("emailAddresses", Emails),
    ("homeAddress", Address),
    ("businessAddress", Address),
    ("otherAddress", Address),
];

/// Shown and selectable with the switch `graph_primary_addresses` only; never written.
pub(super) const PRIMARY: [&str; 3] = ["primaryEmailAddress", "secondaryEmailAddress", "tertiaryEmailAddress"];

const ADDRESS_PARTS: [&str; 5] = ["street", "city", "state", "countryOrRegion", "postalCode"];

/// The shape of a property, if there is one of this name.
pub(super) fn shape(name: &str) -> Option<Shape> {
    PROPERTIES.iter().find(|(have, _)| *have == name).map(|(_, shape)| *shape)
}

/// What a contact says. Only what is not empty is kept.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Body {
    /// The writable properties that hold something.
    pub fields: Map<String, Value>,
    /// Single-value extended properties: canonical id and value.
    pub extended: Vec<(String, String)>,
}

impl Body {
    /// A property as it is shown: null, `[]` or `{}` when empty.
    pub fn shown(&self, name: &str) -> Value {
        self.fields.get(name).cloned().unwrap_or_else(|| match shape(name) {
            Some(Texts(_) | HomePhones | ImAddresses | Emails) => json!([]),
            Some(Address) => json!({}),
            _ => Value::Null,
        })
    }

    /// The text of a property, empty when there is none.
    pub fn text(&self, name: &str) -> &str {
        self.fields.get(name).and_then(Value::as_str).unwrap_or_default()
    }
}

/// How a body that is sent in changes what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// A POST.
    Create,
    /// A PATCH.
    Patch,
    /// Another client of the user: limits hold, but what is left out is empty and nothing is read-only.
    Replace,
}

/// Reads what a client sent for a contact that so far says `old`.
pub(super) fn read(sent: &Value, change: Change, old: &Body, switches: &Switches) -> Result<Body, Refusal> {
    let Some(sent) = sent.as_object() else {
        return Err(Refusal::new(400, "UnableToDeserializePostBody", "were unable to deserialize "));
    };
    if change == Change::Create && switches.graph_null_in_create_fails && sent.values().any(holds_null) {
        return Err(Refusal::new(
            500,
            "ErrorInternalServerError",
            "An internal server error occurred. The operation failed.",
        ));
    }
    let mut body = if change == Change::Replace { Body::default() } else { old.clone() };
    for (name, value) in sent {
        match (name.as_str(), shape(name)) {
            ("@odata.type", _) if value == "#microsoft.graph.contact" => {}
            ("singleValueExtendedProperties", _) => read_extended(value, &mut body.extended, switches)?,
            (_, Some(ReadOnly)) if change == Change::Replace => {}
            // The documentation's own example of a create names the folder in the body; the caller checks it.
            ("parentFolderId", _) if change == Change::Create && value.is_string() => {}
            (_, Some(ReadOnly)) => return Err(Refusal::read_only(name)),
            (_, Some(_)) if change == Change::Patch && is_kept(value, switches) => {}
            (_, Some(shape)) => {
                let mut value = read_value(name, shape, value, body.fields.get(name), switches)?;
                if name == "emailAddresses" && change == Change::Patch && switches.graph_empty_emails_leave_third {
                    leave_third(&mut value, old);
                }
                if change == Change::Patch && switches.graph_cleared_by == "nothing" {
                    leave_all(&mut value, old.fields.get(name));
                }
                if is_empty(&value) {
                    body.fields.shift_remove(name);
                } else {
                    body.fields.insert(name.clone(), value);
                }
            }
            (name, None) if PRIMARY.contains(&name) => return Err(Refusal::read_only(name)),
            (name, None) => return Err(Refusal::no_property(name, "contact")),
        }
    }
    if change == Change::Create {
        name_it(&mut body);
    }
    Ok(body)
}

/// Whether a PATCH that empties a field does nothing, because the service wants to be told in another way.
fn is_kept(sent: &Value, switches: &Switches) -> bool {
    let is_hollow = match sent {
        Value::Array(list) => list.is_empty(),
        Value::Object(parts) => parts.values().all(|part| part.is_null() || part == ""),
        sent => sent == "",
    };
    match switches.graph_cleared_by.as_str() {
        "null" => is_hollow,
        "empty" => sent.is_null(),
        "nothing" => is_hollow || sent.is_null(),
        _ => false,
    }
}

/// What was left out of a list or an address stays in it, where there is room.
fn leave_all(value: &mut Value, old: Option<&Value>) {
    match (value, old) {
        (Value::Array(list), Some(Value::Array(old))) => {
            let room = old.len().saturating_sub(list.len());
            let lost: Vec<Value> = old.iter().filter(|entry| !list.contains(entry)).take(room).cloned().collect();
            list.extend(lost);
        }
        (Value::Object(parts), Some(Value::Object(old))) => {
            for (part, text) in old {
                parts.entry(part.clone()).or_insert_with(|| text.clone());
            }
        }
        _ => {}
    }
}

/// Provider: an update to `[]` was seen to leave the old third address standing.
fn leave_third(value: &mut Value, old: &Body) {
    let third = old.fields.get("emailAddresses").and_then(|list| list.get(MOST_EMAILS - 1));
    if let (Some(third), Value::Array(list)) = (third, value)
        && list.is_empty()
    {
        list.push(third.clone());
    }
}

/// A create without displayName or fileAs gets them from the name's parts.
pub(super) fn name_it(body: &mut Body) {
    let join = |parts: [&str; 2], by: &str| {
        parts.iter().map(|name| body.text(name)).filter(|text| !text.is_empty()).collect::<Vec<_>>().join(by)
    };
    let (display, file) = (join(["givenName", "surname"], " "), join(["surname", "givenName"], ", "));
    for (name, text) in [("displayName", display), ("fileAs", file)] {
        if !body.fields.contains_key(name) && !text.is_empty() {
            body.fields.insert(name.into(), text.into());
        }
    }
}

fn holds_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(list) => list.iter().any(holds_null),
        Value::Object(object) => object.values().any(holds_null),
        _ => false,
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(list) => list.is_empty(),
        Value::Object(object) => object.is_empty(),
        _ => false,
    }
}

fn read_value(
    name: &str,
    shape: Shape,
    sent: &Value,
    old: Option<&Value>,
    switches: &Switches,
) -> Result<Value, Refusal> {
    match shape {
        ReadOnly => Err(Refusal::read_only(name)),
        Text => Ok(read_text(name, sent, switches)?.map_or(Value::Null, Value::String)),
        Birthday => read_birthday(sent, switches),
        Texts(_) | HomePhones | ImAddresses | Emails if sent.is_null() && switches.graph_cleared_by == "null" => {
            Ok(Value::Null)
        }
        Texts(_) | HomePhones | ImAddresses => {
            let bound = |most: usize| if most == 0 { UNBOUNDED } else { most };
            let most = match shape {
                HomePhones => bound(switches.graph_most_home_phones),
                ImAddresses => bound(switches.graph_most_im_addresses),
                Texts(most) => most,
                _ => UNBOUNDED,
            };
            let list = read_list(name, sent, most)?;
            let texts = list.iter().map(|entry| match entry {
                Value::String(_) => Ok(read_text(name, entry, switches)?.unwrap_or_default().into()),
                _ => Err(wrong_type(name, "Edm.String")),
            });
            texts.collect::<Result<Vec<Value>, _>>().map(Value::Array)
        }
        Emails => {
            let list = read_list(name, sent, MOST_EMAILS)?;
            let entries = list.iter().map(|entry| read_email(entry, switches));
            entries.collect::<Result<Vec<Value>, _>>().map(Value::Array)
        }
        Address => read_address(name, sent, old, switches),
    }
}

fn wrong_type(name: &str, kind: &str) -> Refusal {
    Refusal::body(format!("Cannot convert the value given for the property '{name}' to the expected type '{kind}'."))
}

/// A text; with `trim_values` it loses white space at its ends, and one of white space only is none.
pub(super) fn read_text(name: &str, sent: &Value, switches: &Switches) -> Result<Option<String>, Refusal> {
    match sent {
        Value::Null => Ok(None),
        Value::String(text) if switches.trim_values => Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty())),
        Value::String(text) => Ok(Some(text.clone())),
        _ => Err(wrong_type(name, "Edm.String")),
    }
}

fn read_list<'a>(name: &str, sent: &'a Value, most: usize) -> Result<&'a Vec<Value>, Refusal> {
    let Value::Array(list) = sent else {
        return Err(wrong_type(name, "Collection"));
    };
    if list.len() > most {
        let mut shown = name.to_owned();
        shown[..1].make_ascii_uppercase();
        return Err(Refusal::new(
            400,
            "ErrorInvalidArgument",
            format!(
                "The multi value property {shown} has {} entries, that exceeds the max allowed value of {most}",
                list.len()
            ),
        ));
    }
    Ok(list)
}

fn read_email(sent: &Value, switches: &Switches) -> Result<Value, Refusal> {
    let object = sent.as_object().ok_or_else(|| wrong_type("emailAddresses", "microsoft.graph.emailAddress"))?;
    if let Some(name) = object.keys().find(|name| !["name", "address"].contains(&name.as_str())) {
        return Err(Refusal::no_property(name, "emailAddress"));
    }
    let part = |name: &str| match object.get(name) {
        Some(value) => read_text(name, value, switches),
        None => Ok(None),
    };
    let address = part("address")?.map(|text| if switches.recase_emails { text.to_lowercase() } else { text });
    // An address without a name is shown with itself as its name.
    let name = part("name")?.or_else(|| address.clone());
    let mut entry = Map::new();
    for (key, text) in [("name", name), ("address", address)] {
        if let Some(text) = text {
            entry.insert(key.into(), text.into());
        }
    }
    Ok(entry.into())
}

/// An address; OData 4 leaves parts that a PATCH does not name as they are.
fn read_address(name: &str, sent: &Value, old: Option<&Value>, switches: &Switches) -> Result<Value, Refusal> {
    let object = match sent {
        Value::Null => return Ok(Value::Null),
        Value::Object(object) => object,
        _ => return Err(wrong_type(name, "microsoft.graph.physicalAddress")),
    };
    let mut address = match old.and_then(Value::as_object) {
        Some(old) if switches.graph_address_patch_merges => old.clone(),
        _ => Map::new(),
    };
    for (part, value) in object {
        if !ADDRESS_PARTS.contains(&part.as_str()) {
            return Err(Refusal::no_property(part, "physicalAddress"));
        }
        match read_text(part, value, switches)? {
            Some(text) => address.insert(part.clone(), text.into()),
            None => address.shift_remove(part),
        };
    }
    Ok(address.into())
}

/// A time with a zone, or a bare date as the documentation's examples write it. Kept as 11:59 of the UTC date unless
/// the switch is off.
fn read_birthday(sent: &Value, switches: &Switches) -> Result<Value, Refusal> {
    let text = match sent {
        Value::Null => return Ok(Value::Null),
        Value::String(text) => text,
        _ => return Err(wrong_type("birthday", "Edm.DateTimeOffset")),
    };
    let time = match (DateTime::parse_from_rfc3339(text), text.parse::<NaiveDate>()) {
        (Ok(time), _) => time.naive_utc(),
        (_, Ok(date)) => date.into(),
        _ => return Err(wrong_type("birthday", "Edm.DateTimeOffset")),
    };
    let form = if switches.graph_birthday_at_noon { "%Y-%m-%dT11:59:00Z" } else { "%Y-%m-%dT%H:%M:%SZ" };
    Ok(time.format(form).to_string().into())
}

/// Named properties are set, those not named stay; a null value takes one away.
pub(super) fn read_extended(
    sent: &Value,
    extended: &mut Vec<(String, String)>,
    switches: &Switches,
) -> Result<(), Refusal> {
    let Value::Array(list) = sent else {
        return Err(wrong_type("singleValueExtendedProperties", "Collection"));
    };
    for entry in list {
        let object = entry
            .as_object()
            .ok_or_else(|| wrong_type("singleValueExtendedProperties", "singleValueLegacyExtendedProperty"))?;
        if let Some(name) = object.keys().find(|name| !["id", "value"].contains(&name.as_str())) {
            return Err(Refusal::no_property(name, "singleValueLegacyExtendedProperty"));
        }
        let id = object.get("id").and_then(Value::as_str).ok_or_else(|| wrong_type("id", "Edm.String"))?;
        let id = canonical_extended_id(id)?;
        extended.retain(|(have, _)| *have != id);
        match object.get("value") {
            Some(Value::String(text))
                if switches.graph_most_property_bytes > 0 && text.len() > switches.graph_most_property_bytes =>
            {
                let text = "The length of the property exceeds the maximum allowed.";
                return Err(Refusal::new(400, "ErrorPropertyValidationFailure", text));
            }
            Some(Value::String(text)) => extended.push((id, text.clone())),
            Some(Value::Null) => {}
            _ => return Err(wrong_type("value", "Edm.String")),
        }
    }
    Ok(())
}

/// `String {GUID} Name X`, `Integer {GUID} Id 0x8216` or `SystemTime 0x3A41`; the GUID in lower case, one space between.
pub(super) fn canonical_extended_id(id: &str) -> Result<String, Refusal> {
    const KINDS: [&str; 9] =
        ["Binary", "Boolean", "CLSID", "Double", "Float", "Integer", "Long", "String", "SystemTime"];
    let malformed = || {
        Refusal::new(
            400,
            "ErrorInvalidProperty",
            format!(
                "PropertyId values may only be in one of the following formats: 'MapiPropertyType namespaceGuid Name propertyName', 'MapiPropertyType namespaceGuid Id propertyId' or 'MapiPropertyType propertyTag'. Found '{id}'."
            ),
        )
    };
    let (kind, rest) = id.trim().split_once(' ').ok_or_else(malformed)?;
    let kind = KINDS.iter().find(|have| have.eq_ignore_ascii_case(kind)).ok_or_else(malformed)?;
    let rest = rest.trim_start();
    let is_tag = |text: &str| {
        let hex = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
        hex.is_some_and(|hex| u32::from_str_radix(hex, 16).is_ok())
    };
    if is_tag(rest) {
        return Ok(format!("{kind} {}", rest.to_ascii_lowercase()));
    }
    let (guid, named) = rest.split_once(' ').ok_or_else(malformed)?;
    let bare = guid.trim_start_matches('{').trim_end_matches('}');
    let is_guid = bare.len() == 36
        && bare.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        });
    let (word, name) = named.trim_start().split_once(' ').ok_or_else(malformed)?;
    let is_named = word.eq_ignore_ascii_case("Name") && !name.trim().is_empty();
    let is_numbered = word.eq_ignore_ascii_case("Id") && is_tag(name.trim());
    if !is_guid || !(is_named || is_numbered) {
        return Err(malformed());
    }
    let (word, name) =
        if is_named { ("Name", name.trim().to_owned()) } else { ("Id", name.trim().to_ascii_lowercase()) };
    Ok(format!("{kind} {{{}}} {word} {name}", bare.to_ascii_lowercase()))
}
