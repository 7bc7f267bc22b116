//! What the discovery document of revision 20261030 says a request's body may hold, and the check against it. What a
//! client may not write is taken out, as the service ignores it; an unknown name or a wrong type is refused.

use serde_json::{Map, Value};

use super::errors::error;
use crate::google::errors::Refusal;

/// The type of one field.
#[derive(Clone, Copy, Debug)]
enum Type {
    Str,
    Int,
    Bool,
    /// Any object, not looked into.
    Any,
    Msg(&'static str),
    List(&'static Type),
    /// Names of the client's own, each with a text.
    Texts,
    /// Sent by the service only: ignored in a request.
    Output,
}

use Type::{Any, Bool, Int, List, Msg, Output, Str, Texts};

type Fields = &'static [(&'static str, Type)];

#[rustfmt::skip] // One line for each message.
const TABLE: &[(&str, Fields)] = &[
    ("Event", &[
        ("anyoneCanAddSelf", Bool), ("attachments", List(&Msg("Attachment"))), ("attendees", List(&Msg("Attendee"))), ("attendeesOmitted", Bool),
        ("birthdayProperties", Msg("Birthday")), ("colorId", Str), ("conferenceData", Msg("Conference")), ("created", Output), ("creator", Output),
        ("description", Str), ("end", Msg("Moment")), ("endTimeUnspecified", Output), ("etag", Output), ("eventLabelId", Str), ("eventType", Str),
        ("extendedProperties", Msg("Extended")), ("focusTimeProperties", Msg("FocusTime")), ("gadget", Output), ("guestsCanInviteOthers", Bool),
        ("guestsCanModify", Bool), ("guestsCanSeeOtherGuests", Bool), ("hangoutLink", Output), ("htmlLink", Output), ("iCalUID", Str), ("id", Str),
        ("kind", Output), ("location", Str), ("locked", Output), ("organizer", Msg("Person")), ("originalStartTime", Msg("Moment")),
        ("outOfOfficeProperties", Msg("OutOfOffice")), ("privateCopy", Bool), ("recurrence", List(&Str)), ("recurringEventId", Str),
        ("reminders", Msg("Reminders")), ("sequence", Int), ("source", Msg("Source")), ("start", Msg("Moment")), ("status", Str), ("summary", Str),
        ("transparency", Str), ("updated", Output), ("visibility", Str), ("workingLocationProperties", Msg("WorkingLocation")),
    ]),
    ("Attachment", &[("fileId", Str), ("fileUrl", Str), ("iconLink", Str), ("mimeType", Str), ("title", Str)]),
    ("Attendee", &[
        ("additionalGuests", Int), ("asyncOperation", Output), ("comment", Str), ("displayName", Str), ("email", Str), ("id", Str), ("optional", Bool),
        ("organizer", Output), ("resource", Bool), ("responseStatus", Str), ("self", Output),
    ]),
    ("Birthday", &[("contact", Output), ("customTypeName", Output), ("type", Str)]),
    ("Conference", &[
        ("conferenceId", Str), ("conferenceSolution", Any), ("createRequest", Msg("CreateConference")), ("entryPoints", List(&Msg("EntryPoint"))),
        ("notes", Str), ("parameters", Any), ("signature", Str),
    ]),
    ("CreateConference", &[("conferenceSolutionKey", Msg("SolutionKey")), ("requestId", Str), ("status", Output)]),
    ("SolutionKey", &[("type", Str)]),
    ("EntryPoint", &[
        ("accessCode", Str), ("entryPointFeatures", List(&Str)), ("entryPointType", Str), ("label", Str), ("meetingCode", Str), ("passcode", Str),
        ("password", Str), ("pin", Str), ("regionCode", Str), ("uri", Str),
    ]),
    ("Moment", &[("date", Str), ("dateTime", Str), ("timeZone", Str)]),
    ("Extended", &[("private", Texts), ("shared", Texts)]),
    ("FocusTime", &[("autoDeclineMode", Str), ("chatStatus", Str), ("declineMessage", Str)]),
    ("OutOfOffice", &[("autoDeclineMode", Str), ("declineMessage", Str)]),
    ("WorkingLocation", &[("customLocation", Msg("CustomLocation")), ("homeOffice", Any), ("officeLocation", Msg("OfficeLocation")), ("type", Str)]),
    ("CustomLocation", &[("label", Str)]),
    ("OfficeLocation", &[("buildingId", Str), ("deskId", Str), ("floorId", Str), ("floorSectionId", Str), ("label", Str)]),
    ("Person", &[("displayName", Str), ("email", Str), ("id", Str), ("self", Output)]),
    ("Reminders", &[("overrides", List(&Msg("Reminder"))), ("useDefault", Bool)]),
    ("Reminder", &[("method", Str), ("minutes", Int)]),
    ("Source", &[("title", Str), ("url", Str)]),
    ("Entry", &[
        ("accessRole", Output), ("autoAcceptInvitations", Output), ("backgroundColor", Str), ("colorId", Str), ("conferenceProperties", Output),
        ("dataOwner", Output), ("defaultReminders", List(&Msg("Reminder"))), ("deleted", Output), ("description", Output), ("etag", Output),
        ("foregroundColor", Str), ("hidden", Bool), ("id", Str), ("kind", Output), ("location", Output), ("notificationSettings", Msg("Notifications")),
        ("primary", Output), ("selected", Bool), ("summary", Output), ("summaryOverride", Str), ("timeZone", Output),
    ]),
    ("Notifications", &[("notifications", List(&Msg("Notification")))]),
    ("Notification", &[("method", Str), ("type", Str)]),
    ("Calendar", &[
        ("autoAcceptInvitations", Output), ("conferenceProperties", Output), ("dataOwner", Output), ("description", Str), ("etag", Output),
        ("id", Output), ("kind", Output), ("labelProperties", Msg("Labels")), ("location", Str), ("summary", Str), ("timeZone", Str), ("workingHours", Any),
    ]),
    ("Labels", &[("eventLabels", List(&Msg("Label")))]),
    ("Label", &[("backgroundColor", Str), ("id", Str), ("name", Str)]),
];

fn kind_of(message: &str, name: &str) -> Option<Type> {
    let (_, fields) = TABLE.iter().find(|(have, _)| *have == message)?;
    fields.iter().find(|(have, _)| *have == name).map(|(_, kind)| *kind)
}

/// Checks a body and gives it without what a client may not write. With `ignores_unknown`, unknown names are taken out
/// too. A null stays: in a patch it clears.
pub(super) fn check(message: &str, body: &Value, ignores_unknown: bool) -> Result<Map<String, Value>, Refusal> {
    match cleaned(message_of(message), body, "", ignores_unknown)? {
        Some(Value::Object(object)) => Ok(object),
        _ => Err(parse_error("", "object")),
    }
}

/// The table's names live as long as the program.
fn message_of(message: &str) -> Type {
    TABLE.iter().find(|(have, _)| *have == message).map_or(Any, |(have, _)| Msg(have))
}

fn cleaned(kind: Type, value: &Value, path: &str, ignores_unknown: bool) -> Result<Option<Value>, Refusal> {
    let wrong = |what: &str| Err(parse_error(path, what));
    match (kind, value) {
        (Output, _) => Ok(None),
        (_, Value::Null) if !path.is_empty() => Ok(Some(Value::Null)),
        (Str, Value::String(_)) | (Bool, Value::Bool(_)) | (Any, Value::Object(_)) => Ok(Some(value.clone())),
        (Int, Value::Number(number)) if number.as_i64().is_some_and(|n| i32::try_from(n).is_ok()) => {
            Ok(Some(value.clone()))
        }
        (Msg(message), Value::Object(object)) => {
            let mut kept = Map::new();
            for (name, value) in object {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                match kind_of(message, name) {
                    Some(kind) => {
                        let value = cleaned(kind, value, &path, ignores_unknown)?;
                        kept.extend(value.map(|value| (name.clone(), value)));
                    }
                    None if ignores_unknown => {}
                    None => {
                        let text =
                            format!("Invalid JSON payload received. Unknown name \"{path}\": Cannot find field.");
                        return Err(error(400, "global", "parseError", &text, None));
                    }
                }
            }
            Ok(Some(Value::Object(kept)))
        }
        (List(inner), Value::Array(items)) => {
            let mut kept = Vec::with_capacity(items.len());
            for (i, item) in items.iter().enumerate() {
                if item.is_null() {
                    return wrong("list without nulls");
                }
                kept.extend(cleaned(*inner, item, &format!("{path}[{i}]"), ignores_unknown)?);
            }
            Ok(Some(Value::Array(kept)))
        }
        (Texts, Value::Object(pairs)) => {
            let fits = pairs.values().all(|value| value.is_string() || value.is_null());
            if fits { Ok(Some(value.clone())) } else { wrong("map of strings") }
        }
        (Str, _) => wrong("string"),
        (Int, _) => wrong("int32"),
        (Bool, _) => wrong("boolean"),
        (List(_), _) => wrong("list"),
        (Any | Msg(_) | Texts, _) => wrong("object"),
    }
}

fn parse_error(path: &str, kind: &str) -> Refusal {
    let text = format!("Invalid value for {kind} field: {}", if path.is_empty() { "the body" } else { path });
    error(400, "global", "parseError", &text, None)
}
