//! ORGANIZER and ATTENDEE (RFC 5545 3.8.4.1, 3.8.4.3) against participants (RFC 8984 4.4.6).

use super::doc::Prop;
use super::say::Fresh;
use crate::event::participant_address;
use serde_json::{Map, Value, json};

/// CUTYPE and `kind`, where they have other words.
const KINDS: [(&str, &str); 1] = [("room", "location")];

/// ROLE and the roles beside `attendee`.
const ROLES: [(&str, &str); 2] = [("chair", "chair"), ("opt-participant", "optional")];

/// Parameters with lists of addresses.
const ADDRESSES: [(&str, &str); 3] =
    [("DELEGATED-TO", "delegatedTo"), ("DELEGATED-FROM", "delegatedFrom"), ("MEMBER", "memberOf")];

/// A calendar address with its scheme in small letters.
fn address(text: &str) -> String {
    match text.get(..7).filter(|scheme| scheme.eq_ignore_ascii_case("mailto:")) {
        Some(_) => format!("mailto:{}", text[7..].trim()),
        None => text.to_owned(),
    }
}

/// The address and the participant that a line says; `None` for a line without an address.
pub(super) fn read(prop: &Prop) -> Option<(String, Value)> {
    let uri = address(prop.uri()?);
    let mut entry = match uri.strip_prefix("mailto:") {
        Some("") => return None,
        Some(email) => json!({"email": email}),
        None => json!({"sendTo": {"other": uri}}),
    };
    if entry.get("email").is_none()
        && let Some(email) = prop.parameter("EMAIL")
    {
        entry["email"] = email.into();
    }
    if let Some(name) = prop.parameter("CN") {
        entry["name"] = name.into();
    }
    let mut roles = Map::new();
    if prop.name == "ORGANIZER" {
        roles.insert("owner".into(), true.into());
    } else {
        let role = prop.token("ROLE").unwrap_or_default();
        let beside = ROLES.iter().find(|row| row.0 == role).map(|row| row.1);
        match role.as_str() {
            "non-participant" => drop(roles.insert("informational".into(), true.into())),
            "" | "req-participant" => drop(roles.insert("attendee".into(), true.into())),
            other => {
                roles.insert("attendee".into(), true.into());
                roles.insert(beside.unwrap_or(other).to_owned(), true.into());
            }
        }
        if let Some(status) = prop.token("PARTSTAT").filter(|status| status != "needs-action") {
            entry["participationStatus"] = status.into();
        }
        if prop.token("RSVP").is_some_and(|rsvp| rsvp == "true") {
            entry["expectReply"] = true.into();
        }
    }
    entry["roles"] = roles.into();
    if let Some(kind) = prop.token("CUTYPE").filter(|kind| kind != "individual") {
        let known = KINDS.iter().find(|row| row.0 == kind).map(|row| row.1.to_owned());
        entry["kind"] = known.unwrap_or(kind).into();
    }
    for (parameter, member) in ADDRESSES {
        let all = prop.parameter_values(parameter).filter(|uri| !uri.is_empty());
        let all: Map<String, Value> = all.map(|uri| (address(uri), true.into())).collect();
        if !all.is_empty() {
            entry[member] = all.into();
        }
    }
    if let Some(by) = prop.parameter("SENT-BY") {
        entry["sentBy"] = address(by).into();
    }
    if let Some(agent) = prop.token("SCHEDULE-AGENT").filter(|agent| agent != "server") {
        entry["scheduleAgent"] = agent.into();
    }
    Some((uri, entry))
}

/// Puts what ORGANIZER says of somebody into what ATTENDEE says.
pub(super) fn unite(attendee: &mut Value, organizer: &Value) {
    let (Value::Object(attendee), Value::Object(organizer)) = (attendee, organizer) else { return };
    for (member, value) in organizer {
        match (attendee.get_mut(member), value) {
            (Some(Value::Object(old)), Value::Object(new)) => {
                for (key, value) in new {
                    old.entry(key.clone()).or_insert_with(|| value.clone());
                }
            }
            (None, value) => drop(attendee.insert(member.clone(), value.clone())),
            _ => {}
        }
    }
}

/// The lines that say a participant: ORGANIZER for an owner, ATTENDEE for every other role.
pub(super) fn say(entry: &Value) -> Vec<Fresh> {
    let Some(uri) = participant_address(entry) else { return Vec::new() };
    let has = |role: &str| entry.get("roles").and_then(|roles| roles.get(role)) == Some(&Value::Bool(true));
    let text = |member: &str| entry.get(member).and_then(Value::as_str).filter(|text| !text.trim().is_empty());
    let upper = |member: &str| text(member).map(str::to_ascii_uppercase);
    let mut both: Vec<(&'static str, Option<String>)> = vec![("CN", text("name").map(str::to_owned))];
    if entry.get("sendTo").is_some() {
        both.push(("EMAIL", text("email").map(str::to_owned)));
    }
    let kind =
        text("kind").map(|kind| KINDS.iter().find(|row| row.1 == kind).map_or(kind, |row| row.0).to_ascii_uppercase());
    let of_person =
        [("CUTYPE", kind), ("SENT-BY", text("sentBy").map(str::to_owned)), ("SCHEDULE-AGENT", upper("scheduleAgent"))];
    let roles = entry.get("roles").and_then(Value::as_object);
    let is_attendee = roles.is_none_or(|roles| roles.is_empty() || roles.keys().any(|role| role != "owner"));
    let mut lines = Vec::new();
    if has("owner") {
        let mut line = Fresh::uri("ORGANIZER", &uri).with_all(both.clone());
        if !is_attendee {
            line = line.with_all(of_person.clone());
        }
        lines.push(line);
    }
    if is_attendee {
        let role =
            match roles.and_then(|roles| roles.keys().find(|role| !matches!(role.as_str(), "owner" | "attendee"))) {
                Some(role) if role == "informational" => Some("NON-PARTICIPANT".to_owned()),
                Some(role) => {
                    Some(ROLES.iter().find(|row| row.1 == role).map_or(role.as_str(), |row| row.0).to_ascii_uppercase())
                }
                None => None,
            };
        let reply = entry.get("expectReply") == Some(&Value::Bool(true));
        let of_attendee =
            [("ROLE", role), ("PARTSTAT", upper("participationStatus")), ("RSVP", reply.then(|| "TRUE".to_owned()))];
        let mut line = Fresh::uri("ATTENDEE", &uri).with_all(both).with_all(of_person).with_all(of_attendee);
        for (parameter, member) in ADDRESSES {
            let all = entry.get(member).and_then(Value::as_object).into_iter().flatten();
            let all: Vec<String> =
                all.filter(|(_, is)| **is == Value::Bool(true)).map(|(uri, _)| uri.clone()).collect();
            if !all.is_empty() {
                line.parameters.push((parameter, all));
            }
        }
        lines.push(line);
    }
    // A URI has no line ends, and nothing that a URI may not have can be written.
    lines.into_iter().filter(Fresh::is_sound).collect()
}
