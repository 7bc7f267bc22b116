//! What an event may say: the checks of a whole event before it is stored, and what is added to it.

use serde_json::{Map, Value, json};

use super::colors;
use super::errors::{calendar_rule, event_type_restriction, invalid, required};
use super::recurrence::{self, Reading};
use super::times;
use crate::google::errors::Refusal;
use crate::{State, Switches};

const MOST_OVERRIDES: usize = 5;
const MOST_MINUTES: i64 = 40_320;
const MOST_ATTACHMENTS: usize = 25;
const MOST_PROPERTIES: usize = 300;
const LONGEST_KEY: usize = 44;
const LONGEST_VALUE: usize = 1024;
const MOST_PROPERTY_BYTES: usize = 32 * 1024;

/// How the lines of a recurrence are read.
pub(super) fn reading(switches: &Switches) -> Reading {
    Reading { lenient_until: switches.calendar_lenient_until, start_counts: switches.calendar_start_always_counts }
}

/// An id that a client may choose: base32hex, 5 to 1024 letters.
pub(super) fn check_id(id: &str) -> Result<(), Refusal> {
    let fits = (5..=1024).contains(&id.len()) && id.bytes().all(|byte| matches!(byte, b'a'..=b'v' | b'0'..=b'9'));
    fits.then_some(()).ok_or_else(|| invalid("Invalid resource id value."))
}

/// Checks a whole event and gives it as it is stored: defaults taken out or put in, times in their own zones.
/// `of` is the calendar's id, and whether it is the primary one.
pub(super) fn settle(
    state: &State,
    (calendar, is_primary): (&str, bool),
    mut body: Map<String, Value>,
) -> Result<Map<String, Value>, Refusal> {
    let switches = &state.switches;
    body.retain(|_, value| !value.is_null());
    for name in ["attendeesOmitted", "kind", "etag", "created", "updated", "htmlLink"] {
        body.remove(name);
    }
    if switches.trim_values {
        for name in ["summary", "description", "location"] {
            if let Some(Value::String(text)) = body.get_mut(name) {
                *text = text.trim().to_owned();
            }
        }
    }
    for name in ["summary", "description", "location", "colorId"] {
        if body.get(name).and_then(Value::as_str) == Some("") {
            body.remove(name);
        }
    }
    one_of(&mut body, "status", &["confirmed", "tentative", "cancelled"], None)?;
    one_of(&mut body, "visibility", &["default", "public", "private", "confidential"], Some("default"))?;
    one_of(&mut body, "transparency", &["opaque", "transparent"], Some("opaque"))?;
    for (name, default) in [
        ("guestsCanInviteOthers", true),
        ("guestsCanSeeOtherGuests", true),
        ("guestsCanModify", false),
        ("anyoneCanAddSelf", false),
        ("privateCopy", false),
    ] {
        if body.get(name) == Some(&json!(default)) {
            body.remove(name);
        }
    }
    if body.get("colorId").and_then(Value::as_str).is_some_and(|id| !colors::is_event_color(id)) {
        return Err(invalid("Invalid color id value."));
    }
    if let Some(url) = body.get("source").map(|source| source["url"].as_str().unwrap_or_default())
        && !(url.starts_with("http://") || url.starts_with("https://"))
    {
        return Err(invalid("Invalid source URL."));
    }
    when(switches, &mut body)?;
    reminders(&mut body)?;
    attendees(switches, &mut body)?;
    extended(switches, &mut body)?;
    attachments(&mut body)?;
    kinds(switches, is_primary, &mut body)?;
    if body.get("conferenceData").is_some() {
        conference(calendar, &mut body)?;
    }
    body.entry("status").or_insert_with(|| json!("confirmed"));
    body.entry("sequence").or_insert_with(|| json!(0));
    Ok(body)
}

fn one_of(body: &mut Map<String, Value>, name: &str, values: &[&str], default: Option<&str>) -> Result<(), Refusal> {
    let Some(value) = body.get(name).and_then(Value::as_str) else { return Ok(()) };
    if !values.contains(&value) {
        return Err(invalid(&format!("Invalid value for: {value} is not a valid value of {name}")));
    }
    // A default is not sent.
    if Some(value) == default {
        body.remove(name);
    }
    Ok(())
}

fn when(switches: &Switches, body: &mut Map<String, Value>) -> Result<(), Refusal> {
    let start = times::read(body.get("start").unwrap_or(&Value::Null), "start")?;
    let end = times::read(body.get("end").unwrap_or(&Value::Null), "end")?;
    times::check_order(start, end)?;
    body.insert("start".into(), start.stored());
    body.insert("end".into(), end.stored());
    let lines = body.get("recurrence").and_then(Value::as_array).cloned().unwrap_or_default();
    if lines.is_empty() {
        body.remove("recurrence");
        return Ok(());
    }
    if body.contains_key("recurringEventId") {
        return Err(invalid("Invalid recurrence: an instance cannot have one."));
    }
    recurrence::check(&lines, start, reading(switches))?;
    match (start, end) {
        (times::Moment::At(_, Some(_)), times::Moment::At(_, None)) => {
            Err(required("Missing time zone definition for end time."))
        }
        (times::Moment::At(_, one), times::Moment::At(_, other)) if one != other => {
            Err(invalid("Start and end of a recurring event must be in the same time zone."))
        }
        _ => Ok(()),
    }
}

/// A list of reminders: at most five, each with a known method and 0 to 40320 minutes.
pub(super) fn check_reminders(list: &[Value]) -> Result<(), Refusal> {
    if list.len() > MOST_OVERRIDES {
        return Err(invalid("Too many reminders. The maximum number is 5."));
    }
    for reminder in list {
        if !matches!(reminder["method"].as_str(), Some("email" | "popup")) {
            return Err(invalid("Invalid reminder method."));
        }
        let minutes = reminder["minutes"].as_i64().ok_or_else(|| required("Missing reminder minutes."))?;
        if !(0..=MOST_MINUTES).contains(&minutes) {
            return Err(invalid("Invalid reminder minutes: must be between 0 and 40320."));
        }
    }
    Ok(())
}

fn reminders(body: &mut Map<String, Value>) -> Result<(), Refusal> {
    let Some(reminders) = body.get_mut("reminders").and_then(Value::as_object_mut) else {
        body.insert("reminders".into(), json!({ "useDefault": true }));
        return Ok(());
    };
    reminders.retain(|_, value| !value.is_null());
    let uses_default = reminders.get("useDefault") == Some(&json!(true));
    let list = reminders.get("overrides").and_then(Value::as_array).cloned().unwrap_or_default();
    if uses_default && !list.is_empty() {
        let message = "Cannot specify both default reminders and overrides at the same time.";
        return Err(calendar_rule("cannotUseDefaultRemindersAndSpecifyOverride", message));
    }
    check_reminders(&list)?;
    reminders.insert("useDefault".into(), json!(uses_default));
    if list.is_empty() {
        reminders.remove("overrides");
    }
    Ok(())
}

fn attendees(switches: &Switches, body: &mut Map<String, Value>) -> Result<(), Refusal> {
    let Some(list) = body.get_mut("attendees").and_then(Value::as_array_mut) else { return Ok(()) };
    if list.is_empty() {
        body.remove("attendees");
        return Ok(());
    }
    let mut seen = Vec::with_capacity(list.len());
    for guest in list {
        let Some(guest) = guest.as_object_mut() else { continue };
        guest.retain(|name, value| !value.is_null() && !matches!(name.as_str(), "self" | "organizer" | "id"));
        let email = guest.get("email").and_then(Value::as_str).unwrap_or_default().to_owned();
        let is_address = email.split_once('@').is_some_and(|(local, domain)| !local.is_empty() && domain.contains('.'));
        if !is_address || email.contains([' ', ',']) {
            return Err(invalid("Invalid attendee email."));
        }
        if seen.contains(&email.to_lowercase()) {
            return Err(invalid("Duplicate attendee email."));
        }
        seen.push(email.to_lowercase());
        if switches.recase_emails {
            guest.insert("email".into(), json!(email.to_lowercase()));
        }
        one_of(guest, "responseStatus", &["needsAction", "declined", "tentative", "accepted"], None)?;
        guest.entry("responseStatus").or_insert_with(|| json!("needsAction"));
        for name in ["optional", "resource"] {
            if guest.get(name) == Some(&json!(false)) {
                guest.remove(name);
            }
        }
    }
    Ok(())
}

fn extended(switches: &Switches, body: &mut Map<String, Value>) -> Result<(), Refusal> {
    let Some(both) = body.get_mut("extendedProperties").and_then(Value::as_object_mut) else { return Ok(()) };
    for pairs in both.values_mut().filter_map(Value::as_object_mut) {
        pairs.retain(|_, value| !value.is_null());
        let length = |text: &str| text.chars().count();
        match switches.calendar_long_properties.as_str() {
            "kept" => continue,
            "cut" => {
                pairs.retain(|key, _| length(key) <= LONGEST_KEY);
                for value in pairs.values_mut() {
                    let text = value.as_str().unwrap_or_default();
                    if length(text) > LONGEST_VALUE {
                        *value = json!(text.chars().take(LONGEST_VALUE).collect::<String>());
                    }
                }
            }
            _ => {
                let text_of = |value: &Value| length(value.as_str().unwrap_or_default());
                if pairs.iter().any(|(key, value)| length(key) > LONGEST_KEY || text_of(value) > LONGEST_VALUE) {
                    return Err(invalid("Invalid extended property: key or value is too long."));
                }
            }
        }
        let bytes: usize = pairs.iter().map(|(key, value)| key.len() + value.as_str().map_or(0, str::len)).sum();
        if pairs.len() > MOST_PROPERTIES || bytes > MOST_PROPERTY_BYTES {
            return Err(invalid("The extended properties of the event are too large."));
        }
    }
    both.retain(|_, pairs| pairs.as_object().is_some_and(|pairs| !pairs.is_empty()));
    if both.is_empty() {
        body.remove("extendedProperties");
    }
    Ok(())
}

fn attachments(body: &mut Map<String, Value>) -> Result<(), Refusal> {
    let Some(list) = body.get_mut("attachments").and_then(Value::as_array_mut) else { return Ok(()) };
    if list.len() > MOST_ATTACHMENTS {
        return Err(invalid("Too many attachments. The maximum number is 25."));
    }
    if list.iter().any(|attachment| !attachment["fileUrl"].as_str().is_some_and(|url| url.starts_with("http"))) {
        return Err(required("Missing attachment fileUrl."));
    }
    if list.is_empty() {
        body.remove("attachments");
    }
    Ok(())
}

/// What each type of event must have and must not have.
fn kinds(switches: &Switches, is_primary: bool, body: &mut Map<String, Value>) -> Result<(), Refusal> {
    const TYPES: [&str; 6] = ["default", "birthday", "fromGmail", "focusTime", "outOfOffice", "workingLocation"];
    const OWN: [(&str, &str); 4] = [
        ("birthday", "birthdayProperties"),
        ("focusTime", "focusTimeProperties"),
        ("outOfOffice", "outOfOfficeProperties"),
        ("workingLocation", "workingLocationProperties"),
    ];
    one_of(body, "eventType", &TYPES, None)?;
    let kind = body.entry("eventType").or_insert_with(|| json!("default")).as_str().unwrap_or_default().to_owned();
    if let Some((_, name)) = OWN.iter().find(|(other, name)| *other != kind && body.contains_key(*name)) {
        return Err(event_type_restriction(&format!("{name} does not go with the event type {kind}.")));
    }
    if !switches.calendar_event_type_rules || kind == "default" || kind == "fromGmail" {
        return Ok(());
    }
    let refused = |message: &str| Err(event_type_restriction(message));
    if !is_primary {
        return refused("Events of this type can be on primary calendars only.");
    }
    let is_day = body["start"].get("date").is_some();
    if kind == "birthday" {
        let lines = body.get("recurrence").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let is_yearly = lines.iter().any(|line| line.as_str().is_some_and(|line| line.contains("FREQ=YEARLY")));
        if !is_day || !(is_yearly || body.contains_key("recurringEventId")) {
            return refused("A birthday event must be an all-day event with an annual recurrence.");
        }
        if body.get("transparency") != Some(&json!("transparent")) || body.get("visibility") != Some(&json!("private"))
        {
            return refused("A birthday event must be private and transparent.");
        }
        for name in ["description", "location", "attendees", "attachments", "conferenceData", "source"] {
            if body.contains_key(name) {
                return refused(&format!("A birthday event cannot have {name}."));
            }
        }
        body.entry("birthdayProperties").or_insert_with(|| json!({ "type": "birthday" }));
        return Ok(());
    }
    // Invariant: `kind` is one of the three that are left, and the table has them.
    let name = OWN.iter().find(|(other, _)| *other == kind).map_or("", |(_, name)| name);
    if !body.contains_key(name) {
        return refused(&format!("An event of type {kind} needs {name}."));
    }
    if is_day && kind != "workingLocation" {
        return refused("An all-day event cannot be of this type.");
    }
    if kind == "workingLocation" {
        let place = body[name]["type"].as_str().unwrap_or_default();
        if !matches!(place, "homeOffice" | "officeLocation" | "customLocation") {
            return refused("workingLocationProperties needs a type.");
        }
    }
    Ok(())
}

/// Makes the conference that a `createRequest` asks for; the sandbox needs no time for it.
fn conference(calendar: &str, body: &mut Map<String, Value>) -> Result<(), Refusal> {
    let data = &mut body["conferenceData"];
    let is_made = data.get("entryPoints").is_some() && data.get("conferenceSolution").is_some();
    let Some(request) = data.get("createRequest").cloned() else {
        let message = "Invalid conference data: a solution with entry points, or a createRequest.";
        return if is_made { Ok(()) } else { Err(invalid(message)) };
    };
    let id = request["requestId"].as_str().filter(|id| !id.is_empty());
    let id = id.ok_or_else(|| invalid("Invalid conference data: createRequest needs a requestId."))?;
    let sum = id.bytes().chain(calendar.bytes()).fold(7_u32, |sum, byte| sum.wrapping_mul(31) + u32::from(byte));
    let letter = |at: u32| char::from(b'a' + u8::try_from((sum >> at) % 26).unwrap_or(0));
    let code: String = (0..10).map(letter).collect();
    let code = format!("{}-{}-{}", &code[..3], &code[3..7], &code[7..]);
    let uri = format!("https://meet.google.com/{code}");
    let mut made = request;
    made["status"] = json!({ "statusCode": "success" });
    *data = json!({
        "createRequest": made,
        "entryPoints": [{ "entryPointType": "video", "uri": uri, "label": format!("meet.google.com/{code}") }],
        "conferenceSolution": { "key": { "type": "hangoutsMeet" }, "name": "Google Meet" },
        "conferenceId": code,
    });
    body.insert("hangoutLink".into(), json!(uri));
    Ok(())
}
