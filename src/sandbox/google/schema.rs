//! What the discovery document says a request's body may hold, and the check against it: an unknown name, a wrong type
//! or an unknown enum value is refused as the real service refuses it.

use serde_json::{Map, Value};

use super::errors::{Refusal, bad_field};

/// The type of one field.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Type {
    Str,
    Int,
    Bool,
    Bytes,
    Enum(&'static [&'static str]),
    Msg(&'static str),
    List(&'static Type),
    Map(&'static str),
}

/// One field of a message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    pub name: &'static str,
    pub kind: Type,
    /// Sent by the service only; ignored in a request.
    pub is_output: bool,
}

const fn inp(name: &'static str, kind: Type) -> Field {
    Field { name, kind, is_output: false }
}

const fn out(name: &'static str, kind: Type) -> Field {
    Field { name, kind, is_output: true }
}

/// Every message, as the discovery document of revision 20251117 has them.
#[rustfmt::skip] // One line for each message, or the table is a thousand lines long.
const TABLE: &[(&str, &[Field])] = &{
    use Type::{Bool, Bytes, Enum, Int, List, Map, Msg, Str};
    [
        ("Person", &[inp("addresses", List(&Msg("Address"))), out("ageRange", Enum(&["AGE_RANGE_UNSPECIFIED", "LESS_THAN_EIGHTEEN", "EIGHTEEN_TO_TWENTY", "TWENTY_ONE_OR_OLDER"])), out("ageRanges", List(&Msg("AgeRangeType"))), inp("biographies", List(&Msg("Biography"))), inp("birthdays", List(&Msg("Birthday"))), inp("braggingRights", List(&Msg("BraggingRights"))), inp("calendarUrls", List(&Msg("CalendarUrl"))), inp("clientData", List(&Msg("ClientData"))), out("coverPhotos", List(&Msg("CoverPhoto"))), inp("emailAddresses", List(&Msg("EmailAddress"))), inp("etag", Str), inp("events", List(&Msg("Event"))), inp("externalIds", List(&Msg("ExternalId"))), inp("fileAses", List(&Msg("FileAs"))), inp("genders", List(&Msg("Gender"))), inp("imClients", List(&Msg("ImClient"))), inp("interests", List(&Msg("Interest"))), inp("locales", List(&Msg("Locale"))), inp("locations", List(&Msg("Location"))), inp("memberships", List(&Msg("Membership"))), out("metadata", Msg("PersonMetadata")), inp("miscKeywords", List(&Msg("MiscKeyword"))), inp("names", List(&Msg("Name"))), inp("nicknames", List(&Msg("Nickname"))), inp("occupations", List(&Msg("Occupation"))), inp("organizations", List(&Msg("Organization"))), inp("phoneNumbers", List(&Msg("PhoneNumber"))), out("photos", List(&Msg("Photo"))), inp("relations", List(&Msg("Relation"))), out("relationshipInterests", List(&Msg("RelationshipInterest"))), out("relationshipStatuses", List(&Msg("RelationshipStatus"))), inp("residences", List(&Msg("Residence"))), inp("resourceName", Str), inp("sipAddresses", List(&Msg("SipAddress"))), inp("skills", List(&Msg("Skill"))), out("taglines", List(&Msg("Tagline"))), inp("urls", List(&Msg("Url"))), inp("userDefined", List(&Msg("UserDefined")))]),
        ("Address", &[inp("city", Str), inp("country", Str), inp("countryCode", Str), inp("extendedAddress", Str), out("formattedType", Str), inp("formattedValue", Str), inp("metadata", Msg("FieldMetadata")), inp("poBox", Str), inp("postalCode", Str), inp("region", Str), inp("streetAddress", Str), inp("type", Str)]),
        ("FieldMetadata", &[out("primary", Bool), inp("source", Msg("Source")), inp("sourcePrimary", Bool), out("verified", Bool)]),
        ("Source", &[inp("etag", Str), inp("id", Str), out("profileMetadata", Msg("ProfileMetadata")), inp("type", Enum(&["SOURCE_TYPE_UNSPECIFIED", "ACCOUNT", "PROFILE", "DOMAIN_PROFILE", "CONTACT", "OTHER_CONTACT", "DOMAIN_CONTACT"])), out("updateTime", Str)]),
        ("ProfileMetadata", &[out("objectType", Enum(&["OBJECT_TYPE_UNSPECIFIED", "PERSON", "PAGE"])), out("userTypes", List(&Enum(&["USER_TYPE_UNKNOWN", "GOOGLE_USER", "GPLUS_USER", "GOOGLE_APPS_USER"])))]),
        ("AgeRangeType", &[inp("ageRange", Enum(&["AGE_RANGE_UNSPECIFIED", "LESS_THAN_EIGHTEEN", "EIGHTEEN_TO_TWENTY", "TWENTY_ONE_OR_OLDER"])), inp("metadata", Msg("FieldMetadata"))]),
        ("Biography", &[inp("contentType", Enum(&["CONTENT_TYPE_UNSPECIFIED", "TEXT_PLAIN", "TEXT_HTML"])), inp("metadata", Msg("FieldMetadata")), inp("value", Str)]),
        ("Birthday", &[inp("date", Msg("Date")), inp("metadata", Msg("FieldMetadata")), inp("text", Str)]),
        ("Date", &[inp("day", Int), inp("month", Int), inp("year", Int)]),
        ("BraggingRights", &[inp("metadata", Msg("FieldMetadata")), inp("value", Str)]),
        ("CalendarUrl", &[out("formattedType", Str), inp("metadata", Msg("FieldMetadata")), inp("type", Str), inp("url", Str)]),
        ("ClientData", &[inp("key", Str), inp("metadata", Msg("FieldMetadata")), inp("value", Str)]),
        ("CoverPhoto", &[inp("default", Bool), inp("metadata", Msg("FieldMetadata")), inp("url", Str)]),
        ("EmailAddress", &[inp("displayName", Str), out("formattedType", Str), inp("metadata", Msg("FieldMetadata")), inp("type", Str), inp("value", Str)]),
        ("Event", &[inp("date", Msg("Date")), out("formattedType", Str), inp("metadata", Msg("FieldMetadata")), inp("type", Str)]),
        ("ExternalId", &[out("formattedType", Str), inp("metadata", Msg("FieldMetadata")), inp("type", Str), inp("value", Str)]),
        ("FileAs", &[inp("metadata", Msg("FieldMetadata")), inp("value", Str)]),
        ("Gender", &[inp("addressMeAs", Str), out("formattedValue", Str), inp("metadata", Msg("FieldMetadata")), inp("value", Str)]),
        ("ImClient", &[out("formattedProtocol", Str), out("formattedType", Str), inp("metadata", Msg("FieldMetadata")), inp("protocol", Str), inp("type", Str), inp("username", Str)]),
        ("Interest", &[inp("metadata", Msg("FieldMetadata")), inp("value", Str)]),
        ("Locale", &[inp("metadata", Msg("FieldMetadata")), inp("value", Str)]),
        ("Location", &[inp("buildingId", Str), inp("current", Bool), inp("deskCode", Str), inp("floor", Str), inp("floorSection", Str), inp("metadata", Msg("FieldMetadata")), inp("type", Str), inp("value", Str)]),
        ("Membership", &[inp("contactGroupMembership", Msg("ContactGroupMembership")), out("domainMembership", Msg("DomainMembership")), inp("metadata", Msg("FieldMetadata"))]),
        ("ContactGroupMembership", &[out("contactGroupId", Str), inp("contactGroupResourceName", Str)]),
        ("DomainMembership", &[inp("inViewerDomain", Bool)]),
        ("PersonMetadata", &[out("deleted", Bool), out("linkedPeopleResourceNames", List(&Str)), out("objectType", Enum(&["OBJECT_TYPE_UNSPECIFIED", "PERSON", "PAGE"])), out("previousResourceNames", List(&Str)), inp("sources", List(&Msg("Source")))]),
        ("MiscKeyword", &[out("formattedType", Str), inp("metadata", Msg("FieldMetadata")), inp("type", Enum(&["TYPE_UNSPECIFIED", "OUTLOOK_BILLING_INFORMATION", "OUTLOOK_DIRECTORY_SERVER", "OUTLOOK_KEYWORD", "OUTLOOK_MILEAGE", "OUTLOOK_PRIORITY", "OUTLOOK_SENSITIVITY", "OUTLOOK_SUBJECT", "OUTLOOK_USER", "HOME", "WORK", "OTHER"])), inp("value", Str)]),
        ("Name", &[out("displayName", Str), out("displayNameLastFirst", Str), inp("familyName", Str), inp("givenName", Str), inp("honorificPrefix", Str), inp("honorificSuffix", Str), inp("metadata", Msg("FieldMetadata")), inp("middleName", Str), inp("phoneticFamilyName", Str), inp("phoneticFullName", Str), inp("phoneticGivenName", Str), inp("phoneticHonorificPrefix", Str), inp("phoneticHonorificSuffix", Str), inp("phoneticMiddleName", Str), inp("unstructuredName", Str)]),
        ("Nickname", &[inp("metadata", Msg("FieldMetadata")), inp("type", Enum(&["DEFAULT", "MAIDEN_NAME", "INITIALS", "GPLUS", "OTHER_NAME", "ALTERNATE_NAME", "SHORT_NAME"])), inp("value", Str)]),
        ("Occupation", &[inp("metadata", Msg("FieldMetadata")), inp("value", Str)]),
        ("Organization", &[inp("costCenter", Str), inp("current", Bool), inp("department", Str), inp("domain", Str), inp("endDate", Msg("Date")), out("formattedType", Str), inp("fullTimeEquivalentMillipercent", Int), inp("jobDescription", Str), inp("location", Str), inp("metadata", Msg("FieldMetadata")), inp("name", Str), inp("phoneticName", Str), inp("startDate", Msg("Date")), inp("symbol", Str), inp("title", Str), inp("type", Str)]),
        ("PhoneNumber", &[out("canonicalForm", Str), out("formattedType", Str), inp("metadata", Msg("FieldMetadata")), inp("type", Str), inp("value", Str)]),
        ("Photo", &[inp("default", Bool), inp("metadata", Msg("FieldMetadata")), inp("url", Str)]),
        ("Relation", &[out("formattedType", Str), inp("metadata", Msg("FieldMetadata")), inp("person", Str), inp("type", Str)]),
        ("RelationshipInterest", &[out("formattedValue", Str), inp("metadata", Msg("FieldMetadata")), inp("value", Str)]),
        ("RelationshipStatus", &[out("formattedValue", Str), inp("metadata", Msg("FieldMetadata")), inp("value", Str)]),
        ("Residence", &[inp("current", Bool), inp("metadata", Msg("FieldMetadata")), inp("value", Str)]),
        ("SipAddress", &[out("formattedType", Str), inp("metadata", Msg("FieldMetadata")), inp("type", Str), inp("value", Str)]),
        ("Skill", &[inp("metadata", Msg("FieldMetadata")), inp("value", Str)]),
        ("Tagline", &[inp("metadata", Msg("FieldMetadata")), inp("value", Str)]),
        ("Url", &[out("formattedType", Str), inp("metadata", Msg("FieldMetadata")), inp("type", Str), inp("value", Str)]),
        ("UserDefined", &[inp("key", Str), inp("metadata", Msg("FieldMetadata")), inp("value", Str)]),
        ("BatchCreateContactsRequest", &[inp("contacts", List(&Msg("ContactToCreate"))), inp("readMask", Str), inp("sources", List(&Enum(&["READ_SOURCE_TYPE_UNSPECIFIED", "READ_SOURCE_TYPE_PROFILE", "READ_SOURCE_TYPE_CONTACT", "READ_SOURCE_TYPE_DOMAIN_CONTACT", "READ_SOURCE_TYPE_OTHER_CONTACT"])))]),
        ("ContactToCreate", &[inp("contactPerson", Msg("Person"))]),
        ("BatchUpdateContactsRequest", &[inp("contacts", Map("Person")), inp("readMask", Str), inp("sources", List(&Enum(&["READ_SOURCE_TYPE_UNSPECIFIED", "READ_SOURCE_TYPE_PROFILE", "READ_SOURCE_TYPE_CONTACT", "READ_SOURCE_TYPE_DOMAIN_CONTACT", "READ_SOURCE_TYPE_OTHER_CONTACT"]))), inp("updateMask", Str)]),
        ("BatchDeleteContactsRequest", &[inp("resourceNames", List(&Str))]),
        ("UpdateContactPhotoRequest", &[inp("personFields", Str), inp("photoBytes", Bytes), inp("sources", List(&Enum(&["READ_SOURCE_TYPE_UNSPECIFIED", "READ_SOURCE_TYPE_PROFILE", "READ_SOURCE_TYPE_CONTACT", "READ_SOURCE_TYPE_DOMAIN_CONTACT", "READ_SOURCE_TYPE_OTHER_CONTACT"])))]),
        ("CreateContactGroupRequest", &[inp("contactGroup", Msg("ContactGroup")), inp("readGroupFields", Str)]),
        ("ContactGroup", &[inp("clientData", List(&Msg("GroupClientData"))), inp("etag", Str), out("formattedName", Str), out("groupType", Enum(&["GROUP_TYPE_UNSPECIFIED", "USER_CONTACT_GROUP", "SYSTEM_CONTACT_GROUP"])), out("memberCount", Int), out("memberResourceNames", List(&Str)), out("metadata", Msg("ContactGroupMetadata")), inp("name", Str), inp("resourceName", Str)]),
        ("GroupClientData", &[inp("key", Str), inp("value", Str)]),
        ("ContactGroupMetadata", &[out("deleted", Bool), out("updateTime", Str)]),
        ("UpdateContactGroupRequest", &[inp("contactGroup", Msg("ContactGroup")), inp("readGroupFields", Str), inp("updateGroupFields", Str)]),
        ("ModifyContactGroupMembersRequest", &[inp("resourceNamesToAdd", List(&Str)), inp("resourceNamesToRemove", List(&Str))]),
    ]
};

/// The fields of a message.
fn fields(message: &str) -> &'static [Field] {
    TABLE.iter().find(|(name, _)| *name == message).map_or(&[], |(_, fields)| fields)
}

/// One field of a message.
pub(crate) fn field(message: &str, name: &str) -> Option<&'static Field> {
    fields(message).iter().find(|field| field.name == name)
}

/// The message that the items of a person's field are made of: `names` -> `Name`.
pub(crate) fn item_message(person_field: &str) -> Option<&'static str> {
    match field("Person", person_field)?.kind {
        Type::List(Type::Msg(message)) => Some(message),
        _ => None,
    }
}

/// Checks a request's body. `path` is where the value stands in the body, in the words of the error.
pub(crate) fn check_body(message: &'static str, body: &Value) -> Result<(), Refusal> {
    check_message(message, body, "")
}

/// Checks a message that is a part of the body, such as the person of a create.
fn check_message(message: &'static str, value: &Value, path: &str) -> Result<(), Refusal> {
    let Value::Object(object) = value else {
        return Err(wrong_type(path, &format!("type.googleapis.com/google.people.v1.{message}"), value));
    };
    for (name, value) in object {
        let Some(field) = field(message, name) else {
            let place = if path.is_empty() { String::new() } else { format!(" at '{path}'") };
            let text = format!("Invalid JSON payload received. Unknown name \"{name}\"{place}: Cannot find field.");
            return Err(bad_field(path, &text));
        };
        let path = if path.is_empty() { snake(name) } else { format!("{path}.{}", snake(name)) };
        check_value(field.kind, value, &path, message, name)?;
    }
    Ok(())
}

fn check_value(kind: Type, value: &Value, path: &str, message: &str, name: &str) -> Result<(), Refusal> {
    // A null is an absent field in the JSON form of these messages.
    if value.is_null() {
        return Ok(());
    }
    match kind {
        Type::Str | Type::Bytes => {
            value.is_string().then_some(()).ok_or_else(|| wrong_type(path, "TYPE_STRING", value))
        }
        Type::Bool => value.is_boolean().then_some(()).ok_or_else(|| wrong_type(path, "TYPE_BOOL", value)),
        Type::Int => {
            let is_int = value.is_i64() || value.as_str().is_some_and(|text| text.parse::<i32>().is_ok());
            is_int.then_some(()).ok_or_else(|| wrong_type(path, "TYPE_INT32", value))
        }
        Type::Enum(names) => {
            let known = value.as_str().is_some_and(|text| names.contains(&text));
            let mut kind: Vec<char> = name.chars().collect();
            if let Some(first) = kind.first_mut() {
                *first = first.to_ascii_uppercase();
            }
            let kind: String = kind.into_iter().collect();
            let kind = format!("type.googleapis.com/google.people.v1.{message}.{kind}");
            known.then_some(()).ok_or_else(|| wrong_type(path, &kind, value))
        }
        Type::Msg(message) => check_message(message, value, path),
        Type::List(inner) => {
            let Value::Array(items) = value else {
                return Err(wrong_type(path, "list", value));
            };
            let mut each = items.iter().enumerate();
            each.try_for_each(|(i, item)| check_value(*inner, item, &format!("{path}[{i}]"), message, name))
        }
        Type::Map(message) => {
            let Value::Object(entries) = value else {
                return Err(wrong_type(path, "map", value));
            };
            entries.iter().try_for_each(|(key, entry)| check_message(message, entry, &format!("{path}[{key}]")))
        }
    }
}

fn wrong_type(path: &str, kind: &str, value: &Value) -> Refusal {
    bad_field(path, &format!("Invalid value at '{path}' ({kind}), {value}"))
}

/// `contactPerson` -> `contact_person`: errors speak the service's own field names.
fn snake(name: &str) -> String {
    let mut text = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            text.push('_');
        }
        text.push(letter.to_ascii_lowercase());
    }
    text
}

/// The item without what the service alone may say (and without `metadata`, which it makes anew) and without nulls.
pub(crate) fn input_only(message: &str, item: &Map<String, Value>) -> Map<String, Value> {
    let is_input = |name: &str| name != "metadata" && field(message, name).is_some_and(|field| !field.is_output);
    let mut kept = Map::new();
    for (name, value) in item.iter().filter(|(name, value)| is_input(name) && !value.is_null()) {
        // The JSON form of these messages has no empty strings: they are the default and are not sent. Only the user's
        // own fields show a label without a value.
        if value.as_str() != Some("") || (name == "value" && matches!(message, "UserDefined" | "ClientData")) {
            kept.insert(name.clone(), value.clone());
        }
    }
    kept
}
