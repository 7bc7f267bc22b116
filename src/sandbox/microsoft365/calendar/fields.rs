//! An event's properties: which there are, what may be written to them, what the service adds.

use chrono::{Days, NaiveDate, NaiveTime};
use serde_json::{Map, Value};

use super::super::fields::{Change, read_extended, read_text};
use super::super::html;
use super::super::reply::Refusal;
use super::body::{Body, Series};
use super::people;
use super::places;
use super::rule::{Rule, invalid, wrong_type};
use super::zones::When;
use crate::Switches;

/// Who writes a property.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Writer {
    /// A client.
    Client,
    /// A client, when it makes the event.
    Creator,
    /// The service. What a client sends is refused.
    Service,
    /// The service. The documentation's own update sends it, so it is passed over.
    Nobody,
}

use Writer::{Client, Creator, Nobody, Service};

/// All properties of `microsoft.graph.event` in the order in which they are shown.
pub(super) const PROPERTIES: [(&str, Writer); 42] = [
    ("id", Service),
    ("createdDateTime", Service),
    ("lastModifiedDateTime", Service),
    ("changeKey", Service),
    ("categories", Client),
    ("transactionId", Creator),
    ("originalStartTimeZone", Nobody),
    ("originalEndTimeZone", Nobody),
    ("iCalUId", Nobody),
    ("uid", Service),
    ("reminderMinutesBeforeStart", Client),
    ("isReminderOn", Client),
    ("hasAttachments", Service),
    ("subject", Client),
    ("bodyPreview", Service),
    ("importance", Client),
    ("sensitivity", Client),
    ("isAllDay", Client),
    ("isCancelled", Service),
    ("isOrganizer", Service),
    ("responseRequested", Client),
    ("seriesMasterId", Service),
    ("showAs", Client),
    ("type", Service),
    ("webLink", Service),
    ("onlineMeetingUrl", Service),
    ("isOnlineMeeting", Client),
    ("onlineMeetingProvider", Client),
    ("allowNewTimeProposals", Client),
    ("occurrenceId", Service),
    ("isDraft", Service),
    ("hideAttendees", Client),
    ("originalStart", Service),
    ("responseStatus", Nobody),
    ("body", Client),
    ("start", Client),
    ("end", Client),
    ("location", Client),
    ("locations", Client),
    ("recurrence", Client),
    ("attendees", Client),
    ("organizer", Service),
];
/// Shown last, and only once there is a meeting.
pub(super) const ONLINE_MEETING: &str = "onlineMeeting";
/// Asked for by name, on one master.
pub(super) const CANCELLED: &str = "cancelledOccurrences";

const WORDS: [(&str, &[&str]); 4] = [
    ("importance", &["low", "normal", "high"]),
    ("sensitivity", &["normal", "personal", "private", "confidential"]),
    ("showAs", &["free", "tentative", "busy", "oof", "workingElsewhere", "unknown"]),
    ("onlineMeetingProvider", &["unknown", "skypeForBusiness", "skypeForConsumer", "teamsForBusiness"]),
];
/// How long an event may last.
const MOST_DAYS: i64 = 1825;

/// Reads what a client sent for an event that so far says `old`. An occurrence has no rule of its own.
pub(super) fn read(
    sent: &Value,
    change: Change,
    old: &Body,
    is_occurrence: bool,
    switches: &Switches,
) -> Result<Body, Refusal> {
    let Some(sent) = sent.as_object() else {
        return Err(Refusal::new(400, "UnableToDeserializePostBody", "were unable to deserialize "));
    };
    let mut body = old.clone();
    for (name, value) in sent {
        let writer = PROPERTIES.iter().find(|(have, _)| have == name).map(|(_, writer)| *writer);
        match (name.as_str(), writer) {
            ("@odata.type", _) if value == "#microsoft.graph.event" => {}
            ("singleValueExtendedProperties", _) => read_extended(value, &mut body.extended, switches)?,
            ("multiValueExtendedProperties" | "extensions" | "attachments", _) => {
                return Err(Refusal::new(501, "NotImplemented", format!("The stand-in has no '{name}'.")));
            }
            ("organizer" | "responseStatus" | "isCancelled" | "isOrganizer" | ONLINE_MEETING, _)
                if change == Change::Replace =>
            {
                if !value.is_null() {
                    body.fields.insert(name.clone(), value.clone());
                }
            }
            ("start" | "end" | "recurrence", _) => {}
            (ONLINE_MEETING | CANCELLED, _) | (_, Some(Service)) if change == Change::Replace => {}
            (ONLINE_MEETING | CANCELLED, _) | (_, Some(Service)) => return Err(Refusal::read_only(name)),
            (_, Some(Creator)) if change == Change::Patch => return Err(Refusal::read_only(name)),
            (_, Some(Nobody)) => {}
            (_, Some(Client | Creator)) => {
                let value = read_value(name, value, old, change, switches)?;
                body.fields.insert(name.clone(), value);
            }
            (name, None) => return Err(Refusal::no_property(name, "event")),
        }
    }
    places::agree(sent, &mut body.fields);
    if change != Change::Replace {
        keep_online_meeting(sent, old, &mut body.fields);
    }
    read_times(sent, change, old, &mut body, switches)?;
    read_recurrence(sent, old, is_occurrence, &mut body, switches)?;
    if !switches.graph_exceptions_follow_master {
        body.leave_exceptions(old);
    }
    Ok(body)
}

fn read_value(name: &str, sent: &Value, old: &Body, change: Change, switches: &Switches) -> Result<Value, Refusal> {
    match name {
        "subject" => Ok(read_text(name, sent, switches)?.unwrap_or_default().into()),
        "transactionId" => match sent {
            Value::String(_) | Value::Null => Ok(sent.clone()),
            _ => Err(wrong_type(name, "Edm.String")),
        },
        "body" => read_body(sent),
        "categories" => {
            let list = sent.as_array().ok_or_else(|| wrong_type(name, "Collection(Edm.String)"))?;
            if list.iter().all(Value::is_string) { Ok(sent.clone()) } else { Err(wrong_type(name, "Edm.String")) }
        }
        "reminderMinutesBeforeStart" => sent.as_i64().map(Value::from).ok_or_else(|| wrong_type(name, "Edm.Int32")),
        "location" => places::read_one(sent),
        "locations" => places::read_many(sent),
        "attendees" => people::read(sent, &old.fields["attendees"], change == Change::Replace, switches),
        _ => match WORDS.iter().find(|(have, _)| *have == name) {
            Some((_, words)) => {
                let text = sent.as_str().unwrap_or_default();
                let found = words.iter().find(|word| word.eq_ignore_ascii_case(text));
                let refusal = || Refusal::body(format!("Requested value '{text}' of '{name}' was not found."));
                found.map(|word| Value::from(*word)).ok_or_else(refusal)
            }
            None if sent.is_boolean() => Ok(sent.clone()),
            None => Err(wrong_type(name, "Edm.Boolean")),
        },
    }
}

fn read_body(sent: &Value) -> Result<Value, Refusal> {
    let object = match sent {
        Value::Null => return Err(invalid("The body of an event cannot be null.")),
        Value::Object(object) => object,
        _ => return Err(wrong_type("body", "microsoft.graph.itemBody")),
    };
    if let Some(name) = object.keys().find(|name| !["contentType", "content"].contains(&name.as_str())) {
        return Err(Refusal::no_property(name, "itemBody"));
    }
    let is_html = match object.get("contentType").and_then(Value::as_str).map(str::to_ascii_lowercase).as_deref() {
        Some("html") => true,
        Some("text") | None => false,
        Some(other) => return Err(Refusal::body(format!("Requested value '{other}' was not found."))),
    };
    match object.get("content") {
        Some(Value::String(content)) => Ok(html::kept(is_html, content)),
        None | Some(Value::Null) => Ok(html::kept(is_html, "")),
        Some(_) => Err(wrong_type("content", "Edm.String")),
    }
}

/// Once an online meeting is set it stays, until the body loses the way into it.
fn keep_online_meeting(sent: &Map<String, Value>, old: &Body, fields: &mut Map<String, Value>) {
    let Some(meeting) = old.fields.get(ONLINE_MEETING) else { return };
    let url = meeting["joinUrl"].as_str().unwrap_or_default();
    let is_lost =
        sent.contains_key("body") && !fields["body"]["content"].as_str().is_some_and(|text| text.contains(url));
    if is_lost {
        fields.shift_remove(ONLINE_MEETING);
        fields.insert("isOnlineMeeting".into(), false.into());
        fields.insert("onlineMeetingProvider".into(), "unknown".into());
    } else {
        for name in ["isOnlineMeeting", "onlineMeetingProvider"] {
            fields.insert(name.into(), old.fields[name].clone());
        }
    }
}

fn read_times(
    sent: &Map<String, Value>,
    change: Change,
    old: &Body,
    body: &mut Body,
    switches: &Switches,
) -> Result<(), Refusal> {
    for (name, time) in [("start", &mut body.start), ("end", &mut body.end)] {
        match sent.get(name) {
            Some(value) => *time = When::read(name, value, switches)?,
            None if change != Change::Create => {}
            None => return Err(invalid(format!("An event needs a '{name}'."))),
        }
    }
    if body.end.instant() < body.start.instant() {
        return Err(invalid("The end of an event cannot be before its start."));
    }
    if (body.end.instant() - body.start.instant()).num_days() > MOST_DAYS {
        return Err(Refusal::new(400, "ErrorCalendarDurationIsTooLong", "The duration of the event is too long."));
    }
    if body.is("isAllDay") {
        for (name, time) in [("Start", &body.start), ("End", &body.end)] {
            if time.local.time() != NaiveTime::MIN {
                let text = format!("The Event.{name} property for an all-day event needs to be set to midnight.");
                return Err(Refusal::new(400, "ErrorInvalidRequest", text));
            }
        }
        if !body.start.zone.is_same(&body.end.zone) {
            let text = "The Event.Start and Event.End properties of an all-day event need the same time zone.";
            return Err(Refusal::new(400, "ErrorInvalidRequest", text));
        }
        if body.end.local == body.start.local {
            let text = "The duration of an event marked as all day must be at least 24 hours.";
            return Err(Refusal::new(400, "ErrorInvalidRequest", text));
        }
    }
    let stays_series = old.series.is_some() && !sent.contains_key("recurrence");
    if stays_series && !body.start.zone.is_same(&old.start.zone) {
        return Err(invalid("The start of a series takes another time zone together with its recurrence only."));
    }
    Ok(())
}

fn read_recurrence(
    sent: &Map<String, Value>,
    old: &Body,
    is_occurrence: bool,
    body: &mut Body,
    switches: &Switches,
) -> Result<(), Refusal> {
    let rule = match sent.get("recurrence") {
        Some(Value::Null) => {
            body.series = None;
            return Ok(());
        }
        Some(_) if is_occurrence => return Err(invalid("An occurrence has no recurrence of its own.")),
        Some(value) => Rule::read(value, &body.start, switches)?,
        None => match &old.series {
            Some(series) if body.start != old.start => {
                let mut value = series.rule.shown();
                value["range"]["startDate"] = body.start.local.date().to_string().into();
                value["range"]["recurrenceTimeZone"] = Value::Null;
                Rule::read(&value, &body.start, switches)?
            }
            _ => return Ok(()),
        },
    };
    let first = rule.start - body.start.local.date();
    body.start.local += first;
    body.end.local += first;
    let before = old.series.as_ref().filter(|series| series.rule == rule && body.start == old.start);
    let kept = match (before, &old.series) {
        (Some(series), _) => (series.exceptions.clone(), series.cancelled.clone()),
        (None, Some(series)) if !switches.graph_series_change_drops_exceptions => {
            let fits = |date: &NaiveDate| rule.falls_on(*date);
            let exceptions = series.exceptions.clone().into_iter().filter(|(date, _)| fits(date));
            (exceptions.collect(), series.cancelled.iter().copied().filter(fits).collect())
        }
        _ => Default::default(),
    };
    body.series = Some(Series { rule, exceptions: kept.0, cancelled: kept.1 });
    Ok(())
}

/// Refuses an exception that would stand on the day of another occurrence, or beyond it.
pub(super) fn check_neighbours(master: &Body, date: NaiveDate, own: &Body) -> Result<(), Refusal> {
    let Some(series) = &master.series else { return Ok(()) };
    let is_there = |day: &NaiveDate| !series.cancelled.contains(day);
    let far = date.checked_add_days(Days::new(366 * 20)).unwrap_or(date);
    let before = series.rule.dates().take_while(|day| *day < date).filter(is_there).last();
    let after = series.rule.dates().skip_while(|day| *day <= date).take_while(|day| *day < far).find(is_there);
    let zone = &master.start.zone;
    let day = |when: &When| when.in_zone(zone).local.date();
    let starts = |day_of: NaiveDate| day(&master.times_on(day_of).0);
    let crosses = before.is_some_and(|before| day(&own.start) <= starts(before))
        || after.is_some_and(|after| day(&own.start) >= starts(after));
    if crosses {
        let text = "Modified occurrence is crossing or overlapping adjacent occurrence.";
        return Err(Refusal::new(400, "ErrorOccurrenceCrossingBoundary", text));
    }
    Ok(())
}
