//! What the user does to events: with another client of a provider, and with a program that edits a folder's files as khal does.

use super::calendars::{EVENTS, Seed};
use super::events::{self, When};
use super::rows::{self, files};
use super::scenarios::{Deed, Field, MAIN, Side};
use chrono::NaiveDate;
use chrono_tz::Tz;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use twofold_sandbox::Sandbox;

/// When something created starts.
const SOON: &str = "2026-03-20T10:00 Europe/Berlin";

/// `Choir@2026-10-19`: the series and the day.
fn occurrence(name: &str) -> (&str, Option<NaiveDate>) {
    match name.split_once('@') {
        Some((name, day)) => (name, Some(day.parse().unwrap())),
        None => (name, None),
    }
}

/// Fills both providers with [`EVENTS`].
pub fn populate(sandbox: &Sandbox) {
    let klub = sandbox.google_add_calendar("Klub").unwrap();
    sandbox.google_edit_calendar(&klub, &json!({ "timeZone": "Europe/Berlin" })).unwrap();
    sandbox.graph_calendar_create("Verein").unwrap();
    for Seed { name, side, calendar, start, more } in EVENTS {
        let uid = format!("{}-seed@example.org", name.to_lowercase());
        match side {
            Side::Google => {
                let mut event = json!({ "summary": name, "iCalUID": uid, "reminders": { "useDefault": false } });
                more.iter().for_each(|(field, value)| set_google(&mut event, *field, value));
                set_google(&mut event, Field::Start, start);
                sandbox.google_add_event(&google_calendar(sandbox, calendar), &event).unwrap();
            }
            Side::Microsoft => {
                let mut event = json!({ "subject": name, "iCalUId": uid, "isReminderOn": false });
                set_microsoft(&mut event, Field::Start, start);
                more.iter().for_each(|(field, value)| set_microsoft(&mut event, *field, value));
                let calendar = if *calendar == MAIN { "" } else { calendar };
                sandbox.graph_event_create(calendar, &event).unwrap();
            }
        }
    }
}

// ---- Google -----------------------------------------------------------------------------------------------------------

fn google_calendar(sandbox: &Sandbox, name: &str) -> String {
    let all = events::google_calendars(sandbox);
    all.into_iter().find(|(of, _)| of == name).unwrap_or_else(|| panic!("{name} is not at Google")).1
}

/// The calendar and the id of an event or an occurrence.
fn find_google(sandbox: &Sandbox, name: &str) -> (String, String) {
    let (name, day) = occurrence(name);
    for (_, calendar) in events::google_calendars(sandbox) {
        let all = sandbox.google_events(&calendar);
        let is_there = |event: &&Value| event["status"] != "cancelled" && event["recurringEventId"].is_null();
        let Some(event) = all.iter().filter(is_there).find(|event| event["summary"] == name) else { continue };
        let id = event["id"].as_str().unwrap();
        let original = |day| {
            let start = events::google_time(&event["start"], None).on(day).in_zone(Some(Tz::UTC));
            format!("{id}_{}Z", start.local.format("%Y%m%dT%H%M%S"))
        };
        return (calendar, day.map_or_else(|| id.to_owned(), original));
    }
    panic!("{name} is not at Google")
}

fn google_moment(when: When) -> Value {
    match when.zone {
        Some(zone) => {
            json!({ "dateTime": when.local.format("%Y-%m-%dT%H:%M:%S").to_string(), "timeZone": zone.name() })
        }
        None => json!({ "date": when.local.date().to_string() }),
    }
}

fn set_google(event: &mut Value, field: Field, value: &str) {
    match field {
        Field::Start => {
            let start = When::read(value);
            event["start"] = google_moment(start);
            event["end"] = google_moment(start.end());
        }
        Field::Place => event["location"] = json!(value),
        Field::Note => event["description"] = json!(value),
        Field::Rule => event["recurrence"] = json!([format!("RRULE:{value}")]),
        Field::Alarm => {
            let minutes: u32 = value.parse().unwrap();
            event["reminders"] =
                json!({ "useDefault": false, "overrides": [{ "method": "popup", "minutes": minutes }] });
        }
        Field::Guest => event["attendees"] = json!([{ "email": value, "responseStatus": "accepted" }]),
        _ => panic!("no event of Google's has a {field:?} to set"),
    }
}

/// With another client of Google's.
pub fn at_google(sandbox: &Sandbox, deed: &Deed) {
    match deed {
        Deed::Create(name) => {
            let mut event = json!({ "summary": name, "reminders": { "useDefault": false } });
            set_google(&mut event, Field::Start, SOON);
            sandbox.google_add_event("primary", &event).unwrap();
        }
        Deed::Delete(name) => {
            let (calendar, id) = find_google(sandbox, name);
            sandbox.google_delete_event(&calendar, &id).unwrap();
        }
        Deed::Set(name, field, value) => {
            let (calendar, id) = find_google(sandbox, name);
            sandbox.google_edit_event(&calendar, &id, |event| set_google(event, *field, value)).unwrap();
        }
        Deed::Move(name, to) => {
            let (calendar, id) = find_google(sandbox, name);
            sandbox.google_move_event(&calendar, &id, &google_calendar(sandbox, to)).unwrap();
        }
        Deed::Split(name, rest) => {
            let (calendar, id) = find_google(sandbox, name);
            let id = sandbox.google_split_series(&calendar, &id).unwrap();
            sandbox.google_edit_event(&calendar, &id, |event| event["summary"] = json!(rest)).unwrap();
        }
        _ => panic!("{deed:?} is not for Google's events"),
    }
}

// ---- Microsoft --------------------------------------------------------------------------------------------------------

/// The calendar's id and the event, or its series.
fn find_microsoft(sandbox: &Sandbox, name: &str) -> (String, Value) {
    for (_, calendar, all) in events::microsoft_calendars(sandbox) {
        if let Some(event) = all.into_iter().find(|event| event["subject"] == occurrence(name).0) {
            return (calendar, event);
        }
    }
    panic!("{name} is not at Microsoft")
}

fn microsoft_moment(when: When) -> Value {
    let zone = when.zone.unwrap_or(Tz::Europe__Berlin).name();
    json!({ "dateTime": when.local.format("%Y-%m-%dT%H:%M:%S").to_string(), "timeZone": zone })
}

fn set_microsoft(event: &mut Value, field: Field, value: &str) {
    match field {
        Field::Start => {
            let start = When::read(value);
            event["isAllDay"] = json!(start.zone.is_none());
            event["start"] = microsoft_moment(start);
            event["end"] = microsoft_moment(start.end());
        }
        Field::Place => event["location"] = json!({ "displayName": value }),
        Field::Note => event["body"] = json!({ "contentType": "text", "content": value }),
        Field::Rule => {
            let start = events::microsoft_time(event, "start");
            event["recurrence"] = events::recurrence_of(value, start.local.date());
        }
        Field::Alarm => {
            event["isReminderOn"] = json!(true);
            event["reminderMinutesBeforeStart"] = json!(value.parse::<u32>().unwrap());
        }
        Field::Guest => {
            let guest = json!({ "type": "required", "emailAddress": { "address": value, "name": value } });
            event["attendees"] = json!([guest]);
        }
        _ => panic!("no event of Microsoft's has a {field:?} to set"),
    }
}

/// With another client of Microsoft's.
pub fn at_microsoft(sandbox: &Sandbox, deed: &Deed) {
    let id = |event: &Value| event["id"].as_str().unwrap().to_owned();
    let edit = |name: &str, edit: &dyn Fn(&mut Value)| {
        let (_, event) = find_microsoft(sandbox, name);
        match occurrence(name).1 {
            Some(day) => sandbox.graph_occurrence_edit(&id(&event), &day.to_string(), edit).unwrap(),
            None => sandbox.graph_event_edit(&id(&event), edit).unwrap(),
        }
    };
    match deed {
        Deed::Create(name) => {
            let mut event = json!({ "subject": name, "isReminderOn": false });
            set_microsoft(&mut event, Field::Start, SOON);
            sandbox.graph_event_create("", &event).unwrap();
        }
        Deed::Delete(name) => {
            let (_, event) = find_microsoft(sandbox, name);
            match occurrence(name).1 {
                Some(day) => sandbox.graph_occurrence_delete(&id(&event), &day.to_string()).unwrap(),
                None => sandbox.graph_event_delete(&id(&event)).unwrap(),
            }
        }
        Deed::Set(name, field, value) => edit(name, &|event| set_microsoft(event, *field, value)),
        Deed::Move(name, to) => {
            let (_, event) = find_microsoft(sandbox, name);
            sandbox.graph_event_move(&id(&event), to).unwrap();
        }
        Deed::Split(name, rest) => {
            let (calendar, event) = find_microsoft(sandbox, name);
            let day = occurrence(name).1.unwrap();
            let range = json!({
                "type": "endDate",
                "startDate": event["recurrence"]["range"]["startDate"],
                "endDate": day.pred_opt().unwrap().to_string(),
            });
            let mut tail = json!({ "subject": rest, "isReminderOn": false });
            let start = events::microsoft_time(&event, "start").on(day);
            tail["start"] = microsoft_moment(start);
            tail["end"] = microsoft_moment(start.end());
            tail["recurrence"] = event["recurrence"].clone();
            tail["recurrence"]["range"]["startDate"] = json!(day.to_string());
            let ended = |event: &mut Value| event["recurrence"]["range"] = range;
            sandbox.graph_event_edit(&id(&event), ended).unwrap();
            sandbox.graph_event_create(&calendar, &tail).unwrap();
        }
        Deed::Label(name, label) => edit(name, &|event| {
            event["categories"].as_array_mut().unwrap().push(json!(label));
        }),
        Deed::Unlabel(name, label) => edit(name, &|event| {
            event["categories"].as_array_mut().unwrap().retain(|other| other != label);
        }),
        _ => panic!("{deed:?} is not for events"),
    }
}

// ---- the device -------------------------------------------------------------------------------------------------------

/// The file of an event or of its series, and its lines.
fn file_of(folders: &BTreeMap<String, PathBuf>, name: &str) -> (PathBuf, Vec<String>) {
    let name = occurrence(name).0;
    for folder in folders.values() {
        for (file, text) in files(folder, ".ics") {
            let lines = rows::lines(&text);
            let own = events::events(&lines).into_iter().find(|at| is_master(&lines[at.clone()]));
            if own.is_some_and(|at| events::value(&lines[at], "SUMMARY").is_some_and(|(_, text)| text == name)) {
                return (folder.join(file), lines);
            }
        }
    }
    panic!("{name} is not in {folders:?}")
}

fn is_master(event: &[String]) -> bool {
    events::value(event, "RECURRENCE-ID").is_none()
}

/// A property with a time.
fn moment(name: &str, when: When) -> String {
    match when.zone {
        Some(Tz::UTC) => format!("{name}:{}Z", when.local.format("%Y%m%dT%H%M%S")),
        Some(zone) => format!("{name};TZID={}:{}", zone.name(), when.local.format("%Y%m%dT%H%M%S")),
        None => format!("{name};VALUE=DATE:{}", when.local.format("%Y%m%d")),
    }
}

/// Replaces an event's own lines of a name, before its alarms.
fn put(event: &mut Vec<String>, name: &str, line: String) {
    let is_inside = |at: usize, event: &[String]| {
        event[..at].iter().filter(|line| *line == "BEGIN:VALARM").count()
            > event[..at].iter().filter(|line| *line == "END:VALARM").count()
    };
    let whole = event.clone();
    let mut at = 0;
    event.retain(|line| {
        at += 1;
        rows::property(line) != name || is_inside(at - 1, &whole)
    });
    event.insert(1, line);
}

fn set_on_device(event: &mut Vec<String>, field: Field, value: &str) {
    match field {
        Field::Start => {
            let start = When::read(value);
            event.retain(|line| rows::property(line) != "DURATION");
            put(event, "DTSTART", moment("DTSTART", start));
            put(event, "DTEND", moment("DTEND", start.end()));
        }
        Field::Place => put(event, "LOCATION", format!("LOCATION:{value}")),
        Field::Note => put(event, "DESCRIPTION", format!("DESCRIPTION:{value}")),
        Field::Rule => put(event, "RRULE", format!("RRULE:{value}")),
        Field::Alarm => {
            if let Some(at) = event.iter().position(|line| line == "BEGIN:VALARM") {
                let end = event.iter().rposition(|line| line == "END:VALARM").unwrap();
                event.drain(at..=end);
            }
            let alarm =
                ["BEGIN:VALARM", "ACTION:DISPLAY", "DESCRIPTION:soon", &format!("TRIGGER:-PT{value}M"), "END:VALARM"];
            let end = event.len() - 1;
            event.splice(end..end, alarm.map(str::to_owned));
        }
        _ => panic!("no event of a file has a {field:?} to set"),
    }
}

/// A zone's definition where the file lacks it, as programs add it.
fn define_zones(lines: &mut Vec<String>) {
    for (zone, [winter, summer], [back, forth]) in [
        ("Europe/Berlin", ["+0100", "+0200"], ["BYMONTH=10;BYDAY=-1SU", "BYMONTH=3;BYDAY=-1SU"]),
        ("America/New_York", ["-0500", "-0400"], ["BYMONTH=11;BYDAY=1SU", "BYMONTH=3;BYDAY=2SU"]),
    ] {
        let is_used = lines.iter().any(|line| line.contains(&format!("TZID={zone}:")));
        if !is_used || lines.contains(&format!("TZID:{zone}")) {
            continue;
        }
        let (autumn, spring) = if zone == "Europe/Berlin" {
            ("20071028T030000", "20070325T020000")
        } else {
            ("20071104T020000", "20070311T020000")
        };
        let definition = format!(
            "BEGIN:VTIMEZONE\nTZID:{zone}\nBEGIN:STANDARD\nDTSTART:{autumn}\nRRULE:FREQ=YEARLY;{back}\n\
             TZOFFSETFROM:{summer}\nTZOFFSETTO:{winter}\nEND:STANDARD\nBEGIN:DAYLIGHT\nDTSTART:{spring}\n\
             RRULE:FREQ=YEARLY;{forth}\nTZOFFSETFROM:{winter}\nTZOFFSETTO:{summer}\nEND:DAYLIGHT\nEND:VTIMEZONE"
        );
        let at = lines.iter().position(|line| line == "BEGIN:VEVENT").unwrap();
        lines.splice(at..at, definition.lines().map(str::to_owned));
    }
}

fn write(file: &Path, mut lines: Vec<String>) {
    define_zones(&mut lines);
    std::fs::write(file, lines.join("\r\n") + "\r\n").unwrap();
}

/// Changes one event of a file: the series, or an occurrence, which is split off the series if need be.
fn edit(folders: &BTreeMap<String, PathBuf>, name: &str, edit: &dyn Fn(&mut Vec<String>)) {
    let (file, mut lines) = file_of(folders, name);
    let all = events::events(&lines);
    let master = all.iter().find(|at| is_master(&lines[(*at).clone()])).unwrap().clone();
    let start = events::time(&lines[master.clone()], "DTSTART").unwrap();
    let Some(day) = occurrence(name).1 else {
        let mut event = lines[master.clone()].to_vec();
        edit(&mut event);
        lines.splice(master, event);
        return write(&file, lines);
    };
    let is_it = |event: &[String]| {
        events::time(event, "RECURRENCE-ID").is_some_and(|id| id.in_zone(start.zone).local.date() == day)
    };
    let at = match all.into_iter().find(|at| is_it(&lines[at.clone()])) {
        Some(at) => at,
        None => {
            let mut event = lines[master.clone()].to_vec();
            event.retain(|line| !["RRULE", "EXDATE", "DURATION"].contains(&rows::property(line).as_str()));
            put(&mut event, "DTSTART", moment("DTSTART", start.on(day)));
            put(&mut event, "DTEND", moment("DTEND", start.on(day).end()));
            put(&mut event, "RECURRENCE-ID", moment("RECURRENCE-ID", start.on(day)));
            let at = master.end..master.end + event.len();
            lines.splice(master.end..master.end, event);
            at
        }
    };
    let mut event = lines[at.clone()].to_vec();
    edit(&mut event);
    lines.splice(at, event);
    write(&file, lines);
}

/// With a program that edits the files of folders, one for each calendar.
pub fn on_device(folders: &BTreeMap<String, PathBuf>, deed: &Deed) {
    match deed {
        Deed::Create(name) => {
            let uid = format!("{}-here", name.to_lowercase());
            let start = When::read(SOON);
            let head = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//example//khal//EN", "BEGIN:VEVENT"];
            let mut lines: Vec<String> = head.map(str::to_owned).into();
            lines.push(format!("UID:{uid}"));
            lines.push("DTSTAMP:20260301T080000Z".into());
            lines.push(format!("SUMMARY:{name}"));
            lines.extend([moment("DTSTART", start), moment("DTEND", start.end())]);
            lines.extend(["END:VEVENT", "END:VCALENDAR"].map(str::to_owned));
            write(&folders[MAIN].join(format!("{uid}.ics")), lines);
        }
        Deed::Delete(name) => match occurrence(name).1 {
            None => std::fs::remove_file(file_of(folders, name).0).unwrap(),
            Some(day) => exclude(folders, name, day),
        },
        Deed::Set(name, field, value) => edit(folders, name, &|event| set_on_device(event, *field, value)),
        Deed::Move(name, to) => {
            let (file, _) = file_of(folders, name);
            std::fs::rename(&file, folders[*to].join(file.file_name().unwrap())).unwrap();
        }
        Deed::Split(name, rest) => split(folders, name, rest),
        Deed::Label(name, label) => edit(folders, name, &|event| {
            let own = events::value(event, "CATEGORIES").map(|(_, labels)| format!("{labels},")).unwrap_or_default();
            put(event, "CATEGORIES", format!("CATEGORIES:{own}{label}"));
        }),
        _ => panic!("{deed:?} is not for events"),
    }
}

fn exclude(folders: &BTreeMap<String, PathBuf>, name: &str, day: NaiveDate) {
    let (file, mut lines) = file_of(folders, name);
    let (series, _) = occurrence(name);
    let master = events::events(&lines).into_iter().find(|at| is_master(&lines[at.clone()])).unwrap();
    let start = events::time(&lines[master], "DTSTART").unwrap();
    let is_it = |event: &[String]| {
        events::time(event, "RECURRENCE-ID").is_some_and(|id| id.in_zone(start.zone).local.date() == day)
    };
    if let Some(at) = events::events(&lines).into_iter().find(|at| is_it(&lines[at.clone()])) {
        lines.drain(at);
        write(&file, lines);
    }
    edit(folders, series, &|event| event.insert(1, moment("EXDATE", start.on(day))));
}

/// The series ends before the day, and what follows is an event of its own.
fn split(folders: &BTreeMap<String, PathBuf>, name: &str, rest: &str) {
    let (series, day) = occurrence(name);
    let day = day.unwrap();
    let (file, lines) = file_of(folders, series);
    let master = events::events(&lines).into_iter().find(|at| is_master(&lines[at.clone()])).unwrap();
    let master = lines[master].to_vec();
    let start = events::time(&master, "DTSTART").unwrap();
    let rule = events::value(&master, "RRULE").unwrap().1.to_owned();
    let last = start.on(day.pred_opt().unwrap()).in_zone(Some(Tz::UTC)).local.format("%Y%m%dT%H%M%SZ");
    let bare: Vec<&str> = rule.split(';').filter(|part| !part.starts_with("UNTIL=")).collect();
    let ended = format!("RRULE:{};UNTIL={last}", bare.join(";"));
    edit(folders, series, &|event| put(event, "RRULE", ended.clone()));
    let mut tail = master;
    tail.retain(|line| rows::property(line) != "EXDATE" && rows::property(line) != "DURATION");
    put(&mut tail, "UID", format!("UID:{}-rest", rest.to_lowercase()));
    put(&mut tail, "SUMMARY", format!("SUMMARY:{rest}"));
    put(&mut tail, "DTSTART", moment("DTSTART", start.on(day)));
    put(&mut tail, "DTEND", moment("DTEND", start.on(day).end()));
    let mut whole: Vec<String> =
        ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//example//khal//EN"].map(str::to_owned).into();
    whole.extend(tail);
    whole.push("END:VCALENDAR".into());
    write(&file.with_file_name(format!("{}-rest.ics", rest.to_lowercase())), whole);
}
