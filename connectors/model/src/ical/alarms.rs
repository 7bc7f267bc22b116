//! VALARM (RFC 5545 3.6.6, RFC 9074) against alerts (RFC 8984 4.5). What an alarm says or plays is its program's affair: DESCRIPTION and
//! SUMMARY are no content.

use super::doc::{Part, Prop};
use super::entries::is_frame;
use super::say::{Fresh, own_line};
use super::times::{Stamp, stamp, time_value};
use super::units::Units;
use crate::contentline::ours::KEY;
use crate::event::{UTC, duration_seconds, duration_text, local, local_text};
use serde_json::{Map, Value, json};

/// Lines of an alarm that are not content: what it says, and marks of programs that showed it.
fn is_passed_over(name: &str) -> bool {
    is_frame(name) || matches!(name, "DESCRIPTION" | "SUMMARY" | "ACKNOWLEDGED" | "X-WR-ALARMUID")
}

/// What an alarm is.
pub(super) enum Alarm {
    /// This alert, and where its lines are.
    Alert(Value, Box<Units>),
    /// Apple's way to say that there is none.
    Nothing,
    /// An alarm that no alert says.
    Unknown,
}

/// Reads an alarm.
pub(super) fn read(part: &Part) -> Alarm {
    let action = part.prop("ACTION").and_then(Prop::word).map(|word| word.to_ascii_lowercase());
    let mut alert = match action.as_deref() {
        None | Some("display" | "audio") => json!({}),
        Some("email") => json!({"action": "email"}),
        Some("none") => return Alarm::Nothing,
        Some(_) => return Alarm::Unknown,
    };
    let Some(trigger) = part.prop("TRIGGER").and_then(trigger_of) else { return Alarm::Unknown };
    alert["trigger"] = trigger;
    let mut units = Units::default();
    for (at, prop) in part.props.iter().enumerate() {
        let is_first = |name: &str| part.prop(name).is_some_and(|first| first.line == prop.line);
        if !is_passed_over(&prop.name) && !is_first("ACTION") && !is_first("TRIGGER") {
            units.add_line(prop, at);
        }
    }
    if let Some(lines) = units.members.get("iCalProps") {
        alert["iCalProps"] = lines.clone();
    }
    Alarm::Alert(alert, Box::new(units))
}

fn trigger_of(prop: &Prop) -> Option<Value> {
    let text = prop.content.value().trim();
    if let Some(seconds) = duration_seconds(text) {
        let is_end = prop.token("RELATED").is_some_and(|related| related == "end");
        let offset = duration_text(seconds);
        return Some(if is_end { json!({"offset": offset, "relativeTo": "end"}) } else { json!({"offset": offset}) });
    }
    match stamp(text, false, None)? {
        Stamp::Time(time, Some(zone)) if zone == UTC => Some(json!({"when": format!("{}Z", local_text(time))})),
        _ => None,
    }
}

/// The line TRIGGER of an alert; `None` for one that no alarm can say.
pub(super) fn say_trigger(alert: &Value) -> Option<Fresh> {
    let trigger = alert.get("trigger")?.as_object()?;
    let text = |member: &str| trigger.get(member).and_then(Value::as_str);
    match (text("offset"), text("when"), text("relativeTo")) {
        (Some(offset), None, related @ (None | Some("end"))) => {
            duration_seconds(offset)?;
            Some(Fresh::uri("TRIGGER", offset).with("RELATED", related.map(|_| "END")))
        }
        (None, Some(when), None) => {
            let time = local(when.strip_suffix('Z')?)?;
            Some(Fresh::uri("TRIGGER", &(time_value(time) + "Z")).with("VALUE", Some("DATE-TIME")))
        }
        _ => None,
    }
}

/// The line ACTION of an alert; `None` for an action that is not known.
pub(super) fn say_action(alert: &Value) -> Option<Fresh> {
    match alert.get("action").map(Value::as_str) {
        None => Some(Fresh::uri("ACTION", "DISPLAY")),
        Some(Some("email")) => Some(Fresh::uri("ACTION", "EMAIL")),
        Some(_) => None,
    }
}

/// The lines of a new alarm. `title` is what it shows; `key` is stated where the place would not give it.
pub(super) fn compose(alert: &Value, title: Option<&str>, key: Option<&str>) -> Option<Vec<String>> {
    let (trigger, action) = (say_trigger(alert)?, say_action(alert)?);
    let title = title.unwrap_or("Reminder");
    let mut lines = vec!["BEGIN:VALARM".to_owned(), action.line(), trigger.line()];
    lines.extend(key.map(|key| Fresh::uri(KEY, key).line()));
    lines.push(Fresh::text("DESCRIPTION", title).line());
    if action.value == "EMAIL" {
        lines.push(Fresh::text("SUMMARY", title).line());
    }
    lines.extend(own_lines(alert).filter_map(|(_, entry)| say_line(entry)).map(|line| line.line()));
    lines.push("END:VALARM".to_owned());
    Some(lines)
}

/// A line of an alert beside its trigger and action, as it is written.
pub(super) fn say_line(entry: &Value) -> Option<Fresh> {
    let is_unknown = |prop: &Prop| !is_passed_over(&prop.name) && !matches!(prop.name.as_str(), "ACTION" | "TRIGGER");
    own_line(entry.get("line")?.as_str()?, is_unknown)
}

/// The lines that an alert has beside its trigger and action.
pub(super) fn own_lines(alert: &Value) -> impl Iterator<Item = (&String, &Value)> {
    alert.get("iCalProps").and_then(Value::as_object).into_iter().flatten()
}

/// An alert without what its key is made of.
pub(super) fn without_trigger(alert: &Value) -> Value {
    let mut alert: Map<String, Value> = alert.as_object().cloned().unwrap_or_default();
    alert.shift_remove("trigger");
    Value::Object(alert)
}
