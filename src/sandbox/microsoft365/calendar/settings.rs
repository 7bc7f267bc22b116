//! The mailbox's zone, and the zones it knows.

use serde_json::{Map, Value, json};

use super::super::query as graph;
use super::super::reply::{Answer, Refusal, ordered};
use super::super::{is, links};
use super::zones::{iana_names, windows_names};
use crate::oauth::Access;
use crate::{Request, Response, State};

/// Answers `/me/mailboxSettings` and `/me/outlook`; none when the path names neither.
pub(in super::super) fn answer(state: &State, request: &Request, words: &[&str], access: &Access) -> Option<Answer> {
    match words {
        [settings, rest @ ..] if is(settings, "mailboxSettings") => Some(mailbox(state, request, rest, access)),
        [outlook, zones] if is(outlook, "outlook") && zones.to_ascii_lowercase().starts_with("supportedtimezones") => {
            Some(supported(state, request, zones))
        }
        _ => None,
    }
}

fn mailbox(state: &State, request: &Request, words: &[&str], access: &Access) -> Answer {
    if request.method != "GET" {
        return Err(Refusal::no_method());
    }
    if !access.has("MailboxSettings.Read") && !access.has("MailboxSettings.ReadWrite") {
        return Err(Refusal::denied());
    }
    graph::options(request, &[])?;
    let zone = state.microsoft.calendar.zone.name.as_str();
    let language = json!({ "locale": "de-DE", "displayName": "Deutsch (Deutschland)" });
    let hours = json!({
        "daysOfWeek": ["monday", "tuesday", "wednesday", "thursday", "friday"],
        "startTime": "08:00:00.0000000",
        "endTime": "17:00:00.0000000",
        "timeZone": { "name": zone },
    });
    let mut whole = Map::new();
    let context = |rest: &str| Value::from(links::context(state, &format!("mailboxSettings{rest}")));
    match words {
        [] => {
            whole.insert("@odata.context".into(), context(""));
            for (name, value) in [
                ("timeZone", json!(zone)),
                ("delegateMeetingMessageDeliveryOptions", json!("sendToDelegateOnly")),
                ("dateFormat", json!("dd.MM.yyyy")),
                ("timeFormat", json!("HH:mm")),
                ("userPurpose", json!("user")),
                ("automaticRepliesSetting", json!({ "status": "disabled", "externalAudience": "all" })),
                ("language", language),
                ("workingHours", hours),
            ] {
                whole.insert(name.into(), value);
            }
        }
        [one] => {
            let found = [("timeZone", json!(zone)), ("language", language), ("workingHours", hours)];
            let found = found.into_iter().find(|(name, _)| is(one, name));
            let (name, value) = found.ok_or_else(|| Refusal::no_resource(one))?;
            whole.insert("@odata.context".into(), context(&format!("/{name}")));
            match value {
                Value::Object(parts) => whole.extend(parts),
                value => _ = whole.insert("value".into(), value),
            }
        }
        [_, first, ..] => return Err(Refusal::no_resource(first)),
    }
    Ok(Response::json(200, &ordered(whole, &state.switches)))
}

fn supported(state: &State, request: &Request, asked: &str) -> Answer {
    if request.method != "GET" {
        return Err(Refusal::no_method());
    }
    graph::options(request, &[])?;
    let standard = asked.split_once('(').map_or("", |(_, rest)| rest.trim_end_matches(')'));
    let kind = standard.split('\'').nth(1).unwrap_or(if standard.is_empty() { "Windows" } else { "" });
    let names = match kind.to_ascii_lowercase().as_str() {
        "windows" => windows_names(),
        "iana" => iana_names(),
        _ => return Err(Refusal::bad(format!("The parameter '{standard}' is not supported."))),
    };
    let rows: Vec<Value> = names.iter().map(|name| json!({ "alias": name, "displayName": name })).collect();
    let context = links::api(state, "$metadata#Collection(microsoft.graph.timeZoneInformation)");
    Ok(Response::json(200, &json!({ "@odata.context": context, "value": rows })))
}
