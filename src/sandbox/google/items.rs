//! From what a client wrote to what People then shows: checks on values, `metadata`, and the values it adds itself
//! (`displayName`, `formattedType`, `canonicalForm`, …).

use serde_json::{Map, Value, json};

use super::errors::{Refusal, dead_group, invalid};
use super::schema::{input_only, item_message};
use super::store::membership_group;
use crate::State;

/// The fields that `updatePersonFields` may name.
pub(crate) const WRITABLE: [&str; 24] = [
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

/// Fields of which a contact has one at most.
const SINGLETONS: [&str; 4] = ["biographies", "birthdays", "genders", "names"];

/// Whether a field can be written.
pub(crate) fn is_writable(field: &str) -> bool {
    WRITABLE.contains(&field)
}

/// Who writes: the documented bounds on what a contact may hold are the API's, older data and imports go beyond them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hand {
    /// A request to the API.
    Api,
    /// Anything else that the user does.
    Other,
}

/// The items of one field of a written person, ready to be stored. Empty items are dropped, and so are items that say of
/// themselves that they come from a profile: "any non-contact data in the person to update will be ignored".
pub(crate) fn adopt(
    state: &State,
    contact_id: &str,
    field: &'static str,
    written: Option<&Value>,
    hand: Hand,
) -> Result<Vec<Value>, Refusal> {
    let message = item_message(field).unwrap_or_default();
    let written = written.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut items = Vec::with_capacity(written.len());
    let mut primary = None;
    let is_own = |item: &&Map<String, Value>| {
        let source = item.get("metadata").and_then(|metadata| metadata["source"]["type"].as_str());
        source.is_none_or(|source| source == "CONTACT")
    };
    for item in written.iter().filter_map(Value::as_object).filter(is_own) {
        let mut kept = input_only(message, item);
        tidy(state, field, &mut kept);
        let group = kept.get("contactGroupMembership").and_then(|group| group["contactGroupResourceName"].as_str());
        let is_dropped =
            state.switches.people_dead_group_status == 200 && group.is_some_and(|group| is_dead(state, group));
        if kept.is_empty() || is_dropped {
            continue;
        }
        if item.get("metadata").is_some_and(|metadata| metadata["sourcePrimary"] == true) {
            primary.get_or_insert(items.len());
        }
        check(state, field, &kept)?;
        if state.switches.output_only_fields {
            complete(field, &mut kept);
        }
        items.push(kept);
    }
    let most = state.switches.people_most_client_data_bytes;
    let size = |item: &Map<String, Value>| item.values().filter_map(Value::as_str).map(str::len).sum::<usize>();
    if field == "clientData" && most > 0 && items.iter().map(size).sum::<usize>() > most {
        return Err(invalid("Request person.client_data is too large."));
    }
    if hand == Hand::Api && SINGLETONS.contains(&field) && items.len() > 1 {
        return Err(invalid(&format!("Cannot have more than one person.{field} per source.")));
    }
    let primary = primary.unwrap_or(0);
    Ok(items.into_iter().enumerate().map(|(i, item)| labelled(contact_id, field, item, i == primary)).collect())
}

/// Puts the `metadata` in front.
fn labelled(contact_id: &str, field: &str, item: Map<String, Value>, is_primary: bool) -> Value {
    let mut metadata = Map::new();
    // Memberships have no order, hence no first.
    if is_primary && field != "memberships" {
        metadata.insert("primary".into(), json!(true));
    }
    metadata.insert("source".into(), json!({ "type": "CONTACT", "id": contact_id }));
    if is_primary && matches!(field, "names" | "emailAddresses") {
        metadata.insert("sourcePrimary".into(), json!(true));
    }
    let mut whole = Map::with_capacity(item.len() + 1);
    whole.insert("metadata".into(), Value::Object(metadata));
    whole.extend(item);
    Value::Object(whole)
}

/// What the switches do to written texts.
fn tidy(state: &State, field: &str, item: &mut Map<String, Value>) {
    let switches = &state.switches;
    if switches.trim_values && field != "clientData" {
        for value in item.values_mut() {
            if let Value::String(text) = value {
                *text = text.trim().to_owned();
            }
        }
        item.retain(|_, value| value.as_str() != Some(""));
    }
    if switches.recase_emails
        && field == "emailAddresses"
        && let Some(Value::String(address)) = item.get_mut("value")
    {
        *address = address.to_lowercase();
    }
}

/// Whether there is no such group, or none any more.
fn is_dead(state: &State, group: &str) -> bool {
    state.google.groups.get(group).is_none_or(|group| group.is_deleted)
}

/// What would be refused.
fn check(state: &State, field: &str, item: &Map<String, Value>) -> Result<(), Refusal> {
    for name in ["date", "startDate", "endDate"] {
        if let Some(date) = item.get(name) {
            check_date(date, field)?;
        }
    }
    match field {
        "memberships" => {
            let group = item.get("contactGroupMembership").and_then(|group| group["contactGroupResourceName"].as_str());
            let group = group.ok_or_else(|| invalid("Membership must specify a contactGroupResourceName."))?;
            if is_dead(state, group) {
                return Err(dead_group(state.switches.people_dead_group_status, group));
            }
        }
        "clientData" | "userDefined" if !item.contains_key("key") || !item.contains_key("value") => {
            return Err(invalid(&format!("person.{field} must have a key and a value.")));
        }
        _ => {}
    }
    Ok(())
}

fn check_date(date: &Value, field: &str) -> Result<(), Refusal> {
    let part = |name: &str| date[name].as_i64().unwrap_or(0);
    let (year, month, day) = (part("year"), part("month"), part("day"));
    let longest = match month {
        2 if year != 0 && !(year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)) => 28,
        2 => 29,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    let is_possible = (0..=9999).contains(&year) && (0..=12).contains(&month) && (0..=longest).contains(&day);
    // A day without its month says nothing.
    if is_possible && (day == 0 || month != 0) {
        return Ok(());
    }
    Err(invalid(&format!("Invalid date in person.{field}.")))
}

/// What People adds to an item.
fn complete(field: &str, item: &mut Map<String, Value>) {
    match field {
        "names" => complete_name(item),
        "addresses" => complete_address(item),
        "phoneNumbers" => {
            let number = item.get("value").and_then(Value::as_str).unwrap_or_default();
            if number.trim_start().starts_with('+') {
                let number = number.split(['e', 'x', ';', ',']).next().unwrap_or_default();
                let digits: String = number.chars().filter(char::is_ascii_digit).collect();
                item.insert("canonicalForm".into(), json!(format!("+{digits}")));
            }
        }
        "birthdays" => {
            if !item.contains_key("text")
                && let Some(date) = item.get("date")
            {
                let part = |name: &str| date[name].as_i64().unwrap_or(0);
                let text = match (part("year"), part("month"), part("day")) {
                    (0, month, day) => format!("{month:02}/{day:02}"),
                    (year, month, day) => format!("{month:02}/{day:02}/{year:04}"),
                };
                item.insert("text".into(), json!(text));
            }
        }
        "biographies" => {
            item.entry("contentType").or_insert_with(|| json!("TEXT_PLAIN"));
        }
        "genders" => {
            if let Some(value) = item.get("value").and_then(Value::as_str) {
                let shown = formatted(value);
                item.insert("formattedValue".into(), json!(shown));
            }
        }
        "imClients" => {
            if let Some(protocol) = item.get("protocol").and_then(Value::as_str) {
                let shown = formatted(protocol);
                item.insert("formattedProtocol".into(), json!(shown));
            }
        }
        "memberships" => {
            if let Some(Value::Object(group)) = item.get_mut("contactGroupMembership")
                && let Some(name) = group.get("contactGroupResourceName").cloned()
            {
                let id = name.as_str().and_then(|name| name.strip_prefix("contactGroups/")).unwrap_or_default();
                *group = Map::from_iter([
                    ("contactGroupId".to_owned(), json!(id)),
                    ("contactGroupResourceName".to_owned(), name),
                ]);
            }
        }
        _ => {}
    }
    let has_formatted_type = !matches!(field, "nicknames" | "locations" | "miscKeywords");
    if has_formatted_type && let Some(kind) = item.get("type").and_then(Value::as_str) {
        let shown = formatted(kind);
        item.insert("formattedType".into(), json!(shown));
    }
}

/// `workFax` -> `Work Fax`; a label that the user made up (it has spaces or capitals first) is shown as it is.
fn formatted(kind: &str) -> String {
    if kind == "freeBusy" {
        return "Free/Busy".into();
    }
    let is_own = kind.contains(' ') || kind.chars().next().is_none_or(|first| !first.is_lowercase());
    if is_own {
        return kind.to_owned();
    }
    let mut shown = String::with_capacity(kind.len() + 2);
    for (i, letter) in kind.chars().enumerate() {
        if i == 0 {
            shown.extend(letter.to_uppercase());
        } else if letter.is_uppercase() {
            shown.push(' ');
            shown.push(letter);
        } else {
            shown.push(letter);
        }
    }
    shown
}

/// `displayName` and its kin; a name written only as `unstructuredName` is taken apart.
fn complete_name(item: &mut Map<String, Value>) {
    let part = |item: &Map<String, Value>, name: &str| {
        item.get(name).and_then(Value::as_str).map(str::to_owned).filter(|text| !text.is_empty())
    };
    let has_parts = ["honorificPrefix", "givenName", "middleName", "familyName", "honorificSuffix"]
        .iter()
        .any(|name| item.contains_key(*name));
    if !has_parts && let Some(whole) = part(item, "unstructuredName") {
        match whole.rsplit_once(' ') {
            Some((given, family)) => {
                item.insert("givenName".into(), json!(given));
                item.insert("familyName".into(), json!(family));
            }
            None => {
                item.insert("givenName".into(), json!(whole));
            }
        }
    }
    let [prefix, given, middle, family, suffix] =
        ["honorificPrefix", "givenName", "middleName", "familyName", "honorificSuffix"].map(|name| part(item, name));
    let join =
        |parts: &[&Option<String>]| parts.iter().filter_map(|part| part.as_deref()).collect::<Vec<_>>().join(" ");
    let with_suffix = |text: String| match &suffix {
        Some(suffix) if !text.is_empty() => format!("{text}, {suffix}"),
        Some(suffix) => suffix.clone(),
        None => text,
    };
    let shown = with_suffix(join(&[&prefix, &given, &middle, &family]));
    let first_names = join(&[&given, &middle]);
    let last_first = match &family {
        Some(family) if !first_names.is_empty() => with_suffix(format!("{family}, {first_names}")),
        Some(family) => with_suffix(family.clone()),
        None => with_suffix(first_names),
    };
    if shown.is_empty() {
        return;
    }
    item.insert("displayName".into(), json!(shown));
    item.insert("displayNameLastFirst".into(), json!(last_first));
    item.insert("unstructuredName".into(), json!(shown));
}

/// `formattedValue` from the parts, or the parts' street from it.
fn complete_address(item: &mut Map<String, Value>) {
    let part = |name: &str| item.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let parts = ["extendedAddress", "streetAddress", "poBox", "city", "region", "postalCode", "country"];
    if let Some(whole) = part("formattedValue") {
        if parts.iter().all(|name| part(name).is_none()) {
            let street = json!(whole);
            item.insert("streetAddress".into(), street);
        }
        return;
    }
    let po_box = part("poBox").map(|number| format!("PO Box {number}"));
    let city = [part("postalCode"), part("city")].into_iter().flatten().collect::<Vec<_>>().join(" ");
    let lines = [
        part("extendedAddress"),
        part("streetAddress"),
        po_box.as_deref(),
        Some(city.as_str()).filter(|city| !city.is_empty()),
        part("region"),
        part("country"),
    ];
    let whole = lines.into_iter().flatten().collect::<Vec<_>>().join("\n");
    if !whole.is_empty() {
        item.insert("formattedValue".into(), json!(whole));
    }
}

/// A membership item for this group.
pub(crate) fn membership(contact_id: &str, group: &str) -> Value {
    let mut item = Map::new();
    item.insert("contactGroupMembership".into(), json!({ "contactGroupResourceName": group }));
    complete("memberships", &mut item);
    labelled(contact_id, "memberships", item, false)
}

/// The entries that People keeps although an update left them out: those whose key is not written anew.
pub(crate) fn keep_client_data(old: Option<&Value>, written: &mut Vec<Value>) {
    let old = old.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let kept: Vec<Value> =
        old.iter().filter(|entry| written.iter().all(|new| new["key"] != entry["key"])).cloned().collect();
    written.splice(0..0, kept);
}

/// Whether any of these membership items names a group.
pub(crate) fn is_in_a_group(memberships: &[Value]) -> bool {
    memberships.iter().any(|item| membership_group(item).is_some())
}
