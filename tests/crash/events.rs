//! What a place says about its events, read plainly from the provider's JSON or the text of a file. A series is laid out into its
//! occurrences, each a row of its own: two places may write a series in different ways, and yet mean the same.

use super::rows::{Row, each, files, lines, property, text, unescaped};
use super::scenarios::{Field, MAIN, Side};
use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveDateTime, TimeZone, Weekday};
use chrono_tz::Tz;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use twofold_sandbox::Sandbox;

/// Series are laid out until this day.
const LAST: NaiveDate = NaiveDate::from_ymd_opt(2026, 12, 1).unwrap();
const WEEK: [(&str, &str, Weekday); 7] = [
    ("MO", "monday", Weekday::Mon),
    ("TU", "tuesday", Weekday::Tue),
    ("WE", "wednesday", Weekday::Wed),
    ("TH", "thursday", Weekday::Thu),
    ("FR", "friday", Weekday::Fri),
    ("SA", "saturday", Weekday::Sat),
    ("SU", "sunday", Weekday::Sun),
];
/// How Windows calls the zones of the scenarios.
const ZONES: [(&str, Tz); 4] = [
    ("W. Europe Standard Time", Tz::Europe__Berlin),
    ("Eastern Standard Time", Tz::America__New_York),
    ("UTC", Tz::UTC),
    ("Z", Tz::UTC),
];
/// The user, who is no guest.
const OWNER: &str = "ada@example.com";

/// A time on a zone's clocks; of a whole day the midnight, in no zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct When {
    pub local: NaiveDateTime,
    pub zone: Option<Tz>,
}

impl When {
    /// As the table writes it: `2026-03-16T09:00 Europe/Berlin` or `2026-03-16`.
    pub fn read(text: &str) -> Self {
        match text.split_once(' ') {
            Some((local, zone)) => {
                let local = NaiveDateTime::parse_from_str(local, "%Y-%m-%dT%H:%M").unwrap();
                Self { local, zone: Some(self::zone(zone)) }
            }
            None => Self { local: text.parse::<NaiveDate>().unwrap().into(), zone: None },
        }
    }

    /// As iCalendar writes it: `20260316T090000`, perhaps with a `Z`, or `20260316`.
    pub fn basic(text: &str, zone: Option<Tz>) -> Self {
        match NaiveDate::parse_from_str(text, "%Y%m%d") {
            Ok(day) => Self { local: day.into(), zone: None },
            Err(_) => {
                let local = NaiveDateTime::parse_from_str(text.trim_end_matches('Z'), "%Y%m%dT%H%M%S");
                let local = local.unwrap_or_else(|_| panic!("{text} is no time"));
                Self { local, zone: if text.ends_with('Z') { Some(Tz::UTC) } else { zone } }
            }
        }
    }

    fn show(&self) -> String {
        match self.zone {
            Some(zone) => format!("{} {zone}", self.local.format("%Y-%m-%dT%H:%M")),
            None => self.local.date().to_string(),
        }
    }

    /// The same moment on another zone's clocks.
    pub fn in_zone(self, zone: Option<Tz>) -> Self {
        match (self.zone, zone) {
            (Some(from), Some(to)) => {
                let there = from.from_local_datetime(&self.local).earliest().unwrap();
                Self { local: there.with_timezone(&to).naive_local(), zone: Some(to) }
            }
            _ => self,
        }
    }

    pub fn on(self, day: NaiveDate) -> Self {
        Self { local: day.and_time(self.local.time()), ..self }
    }

    /// What starts on a day lasts a day, else an hour.
    pub fn end(self) -> Self {
        let length = if self.zone.is_some() { chrono::Duration::hours(1) } else { chrono::Duration::days(1) };
        Self { local: self.local + length, ..self }
    }
}

/// A zone by its name.
pub fn zone(name: &str) -> Tz {
    let found = ZONES.iter().find(|(windows, _)| *windows == name).map(|(_, zone)| *zone);
    found.or_else(|| name.parse().ok()).unwrap_or_else(|| panic!("{name} is no zone of the scenarios"))
}

/// An event before it is laid out; exceptions are those of a series, by the days that the rule has.
struct Event {
    says: Row,
    start: When,
    rule: Option<String>,
    gone: BTreeSet<NaiveDate>,
    exceptions: BTreeMap<NaiveDate, Event>,
}

impl Event {
    fn new(name: String, start: When, end: When) -> Self {
        let length = end.in_zone(start.zone).local - start.local;
        let says = Row::new(name).with(Field::Length, format!("{} min", length.num_minutes()));
        Self { says, start, rule: None, gone: BTreeSet::new(), exceptions: BTreeMap::new() }
    }

    fn say(mut self, field: Field, value: impl Into<String>) -> Self {
        self.says = self.says.with(field, value);
        self
    }

    fn row(&self, name: String, start: When) -> Row {
        self.says.clone().named(name).with(Field::Start, start.show())
    }

    fn laid_out(&self) -> Vec<Row> {
        let name = &self.says.name;
        let Some(rule) = &self.rule else { return vec![self.row(name.clone(), self.start)] };
        let days = days(rule, self.start);
        let strays = self.exceptions.keys().find(|day| !days.contains(day) && **day < LAST);
        assert!(strays.is_none(), "{name} has an exception on {strays:?}, and no occurrence there");
        let there = days.iter().filter(|day| !self.gone.contains(day));
        let row = |day: &NaiveDate| {
            let occurrence = format!("{name}@{day}");
            match self.exceptions.get(day) {
                Some(changed) => changed.row(occurrence, changed.start),
                None => self.row(occurrence, self.start.on(*day)),
            }
        };
        there.map(row).collect()
    }
}

/// The days that a rule has until [`LAST`]. The table needs weekly rules only.
fn days(rule: &str, start: When) -> BTreeSet<NaiveDate> {
    let parts: BTreeMap<&str, &str> = rule.split(';').filter_map(|part| part.split_once('=')).collect();
    assert_eq!(parts["FREQ"], "WEEKLY", "{rule}");
    let known = ["FREQ", "BYDAY", "INTERVAL", "COUNT", "UNTIL", "WKST"];
    assert!(parts.keys().all(|part| known.contains(part)), "{rule}");
    let first = start.local.date();
    let weekdays: Vec<Weekday> = match parts.get("BYDAY") {
        Some(list) => list.split(',').map(|day| WEEK.iter().find(|(name, ..)| *name == day).unwrap().2).collect(),
        None => vec![first.weekday()],
    };
    let interval = parts.get("INTERVAL").map_or(1, |number| number.parse().unwrap());
    let most = parts.get("COUNT").map_or(usize::MAX, |number| number.parse().unwrap());
    let until = parts.get("UNTIL").map(|until| When::basic(until, start.zone));
    let monday = first - Days::new(first.weekday().num_days_from_monday().into());
    let is_in_time = |day: &NaiveDate| match until {
        None => true,
        Some(until) if until.zone.is_none() => *day <= until.local.date(),
        Some(until) => start.on(*day).local <= until.in_zone(start.zone).local,
    };
    let all = first.iter_days().filter(|day| weekdays.contains(&day.weekday()));
    let all = all.filter(|day| ((*day - monday).num_days() / 7) % interval == 0);
    all.take(most).take_while(is_in_time).take_while(|day| *day < LAST).collect()
}

// ---- Google -----------------------------------------------------------------------------------------------------------

/// The user's calendars at Google that are kept: what each is called here, and its id.
pub fn google_calendars(sandbox: &Sandbox) -> Vec<(String, String)> {
    let calendars = sandbox.google_calendars();
    let name = |calendar: &Value| if calendar["primary"] == true { MAIN.into() } else { text(&calendar["summary"]) };
    calendars.iter().map(|calendar| (name(calendar), text(&calendar["id"]))).collect()
}

pub fn at_google(sandbox: &Sandbox) -> Vec<Row> {
    let mut rows = Vec::new();
    for (name, id) in google_calendars(sandbox) {
        let events = sandbox.google_events(&id);
        let masters =
            events.iter().filter(|event| event["recurringEventId"].is_null() && event["status"] != "cancelled");
        for master in masters {
            let mut event = google(master, None, &name);
            for exception in events.iter().filter(|event| event["recurringEventId"] == master["id"]) {
                let original = google_time(&exception["originalStartTime"], event.start.zone).in_zone(event.start.zone);
                let day = original.local.date();
                if event.start.on(day) != original {
                    // It belongs to no occurrence any more, and Google shows none.
                    continue;
                }
                if exception["status"] == "cancelled" {
                    event.gone.insert(day);
                } else {
                    event.exceptions.insert(day, google(exception, event.start.zone, &name));
                }
            }
            rows.extend(event.laid_out());
        }
    }
    rows
}

/// A time of Google's; what is stored has an offset that is the calendar's, and a zone where there is need of one.
pub fn google_time(time: &Value, otherwise: Option<Tz>) -> When {
    if let Some(day) = time["date"].as_str() {
        return When { local: day.parse::<NaiveDate>().unwrap().into(), zone: None };
    }
    let moment = DateTime::parse_from_rfc3339(time["dateTime"].as_str().unwrap()).unwrap();
    let zone = time["timeZone"].as_str().map(zone).or(otherwise).unwrap_or(Tz::Europe__Berlin);
    When { local: moment.with_timezone(&zone).naive_local(), zone: Some(zone) }
}

fn google(event: &Value, zone: Option<Tz>, calendar: &str) -> Event {
    let start = google_time(&event["start"], zone);
    let mut read = Event::new(text(&event["summary"]), start, google_time(&event["end"], zone))
        .say(Field::Calendar, calendar)
        .say(Field::Place, text(&event["location"]))
        .say(Field::Note, text(&event["description"]));
    for reminder in event["reminders"]["overrides"].as_array().into_iter().flatten() {
        read = read.say(Field::Alarm, reminder["minutes"].to_string());
    }
    for guest in each(&event["attendees"], "email").filter(|guest| guest != OWNER) {
        read = read.say(Field::Guest, guest);
    }
    for line in each(&event["recurrence"], "") {
        match property(&line).as_str() {
            "RRULE" => read.rule = line.split_once(':').map(|(_, rule)| rule.to_owned()),
            "EXDATE" => read.gone.extend(excluded(&line, start.zone)),
            other => panic!("the table has no {other}"),
        }
    }
    read
}

// ---- Microsoft --------------------------------------------------------------------------------------------------------

/// The user's calendars at Microsoft: what each is called here, its id, and its events.
pub fn microsoft_calendars(sandbox: &Sandbox) -> Vec<(String, String, Vec<Value>)> {
    let dump = sandbox.with(|state| state.dump());
    let calendars = dump["microsoft"]["calendar"]["calendars"].as_array().unwrap();
    let name =
        |calendar: &Value| if calendar["isDefaultCalendar"] == true { MAIN.into() } else { text(&calendar["name"]) };
    let events = |calendar: &Value| calendar["events"].as_array().unwrap().clone();
    calendars.iter().map(|calendar| (name(calendar), text(&calendar["id"]), events(calendar))).collect()
}

pub fn at_microsoft(sandbox: &Sandbox) -> Vec<Row> {
    let calendars = microsoft_calendars(sandbox).into_iter();
    calendars
        .flat_map(|(name, _, events)| events.into_iter().flat_map(move |event| microsoft(&event, &name).laid_out()))
        .collect()
}

pub fn microsoft_time(event: &Value, key: &str) -> When {
    let local = event[key]["dateTime"].as_str().unwrap();
    let local = NaiveDateTime::parse_from_str(local, "%Y-%m-%dT%H:%M:%S%.f").unwrap();
    let zone = (event["isAllDay"] != true).then(|| zone(event[key]["timeZone"].as_str().unwrap()));
    When { local, zone }
}

fn microsoft(event: &Value, calendar: &str) -> Event {
    let start = microsoft_time(event, "start");
    let mut read = Event::new(text(&event["subject"]), start, microsoft_time(event, "end"))
        .say(Field::Calendar, calendar)
        .say(Field::Place, text(&event["location"]["displayName"]))
        // The body is HTML, whatever was sent.
        .say(Field::Note, text(&event["bodyPreview"]).trim_end());
    if event["isReminderOn"] == true {
        read = read.say(Field::Alarm, event["reminderMinutesBeforeStart"].to_string());
    }
    for guest in event["attendees"].as_array().into_iter().flatten() {
        read = read.say(Field::Guest, text(&guest["emailAddress"]["address"]));
    }
    for label in each(&event["categories"], "") {
        read = read.say(Field::Label, label);
    }
    if event["recurrence"].is_object() {
        read.rule = Some(rule_of(&event["recurrence"]));
    }
    read.gone.extend(each(&event["cancelled"], "").map(|day| day.parse::<NaiveDate>().unwrap()));
    for (day, exception) in event["exceptions"].as_object().into_iter().flatten() {
        read.exceptions.insert(day.parse().unwrap(), microsoft(exception, calendar));
    }
    read
}

/// A pattern and its range as a rule.
fn rule_of(recurrence: &Value) -> String {
    let (pattern, range) = (&recurrence["pattern"], &recurrence["range"]);
    assert_eq!(pattern["type"], "weekly", "the table has weekly rules only");
    let day = |name: String| WEEK.iter().find(|(_, long, _)| *long == name).unwrap().0;
    let days: Vec<&str> = each(&pattern["daysOfWeek"], "").map(day).collect();
    let end = match range["type"].as_str().unwrap() {
        "endDate" => format!(";UNTIL={}", text(&range["endDate"]).replace('-', "")),
        "numbered" => format!(";COUNT={}", range["numberOfOccurrences"]),
        _ => String::new(),
    };
    format!("FREQ=WEEKLY;INTERVAL={};BYDAY={}{end}", pattern["interval"], days.join(","))
}

/// A rule as a pattern and its range, for a series that starts on this day.
pub fn recurrence_of(rule: &str, start: NaiveDate) -> Value {
    let parts: BTreeMap<&str, &str> = rule.split(';').filter_map(|part| part.split_once('=')).collect();
    let day = |name: &str| WEEK.iter().find(|(short, ..)| *short == name).unwrap().1;
    let days: Vec<&str> = parts["BYDAY"].split(',').map(day).collect();
    let interval: u32 = parts.get("INTERVAL").map_or(1, |number| number.parse().unwrap());
    let range = match (parts.get("UNTIL"), parts.get("COUNT")) {
        (Some(until), _) => {
            let last = When::basic(until, None).in_zone(Some(Tz::Europe__Berlin)).local.date();
            serde_json::json!({ "type": "endDate", "endDate": last.to_string() })
        }
        (None, Some(count)) => {
            serde_json::json!({ "type": "numbered", "numberOfOccurrences": count.parse::<u32>().unwrap() })
        }
        (None, None) => serde_json::json!({ "type": "noEnd" }),
    };
    let mut recurrence = serde_json::json!({
        "pattern": { "type": "weekly", "interval": interval, "daysOfWeek": days, "firstDayOfWeek": "monday" },
        "range": range,
    });
    recurrence["range"]["startDate"] = start.to_string().into();
    recurrence
}

// ---- the device -------------------------------------------------------------------------------------------------------

/// The days that a line excludes.
fn excluded(line: &str, zone: Option<Tz>) -> Vec<NaiveDate> {
    let (head, values) = line.split_once(':').unwrap();
    let own = parameter(head, "TZID").map(|name| self::zone(&name)).or(zone);
    values.split(',').map(|value| When::basic(value, own).in_zone(zone).local.date()).collect()
}

/// The value of a parameter in what stands before the colon.
fn parameter(head: &str, name: &str) -> Option<String> {
    let mut parts = head.split(';').skip(1).filter_map(|part| part.split_once('='));
    parts.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim_matches('"').to_owned())
}

/// Where the events of a file stand in its lines: from `BEGIN:VEVENT` to behind `END:VEVENT`.
pub fn events(lines: &[String]) -> Vec<std::ops::Range<usize>> {
    let begins = lines.iter().enumerate().filter(|(_, line)| *line == "BEGIN:VEVENT").map(|(at, _)| at);
    let end = |at: usize| at + 1 + lines[at..].iter().position(|line| line == "END:VEVENT").unwrap();
    begins.map(|at| at..end(at)).collect()
}

/// An event's own value, with what stands before its colon.
pub fn value<'a>(event: &'a [String], name: &str) -> Option<(&'a str, &'a str)> {
    let alarm = event.iter().position(|line| line == "BEGIN:VALARM").unwrap_or(event.len());
    event[..alarm].iter().find(|line| property(line) == name)?.split_once(':')
}

/// An event's own time.
pub fn time(event: &[String], name: &str) -> Option<When> {
    let (head, text) = value(event, name)?;
    Some(When::basic(text, parameter(head, "TZID").map(|name| zone(&name))))
}

pub fn in_folder(folder: &Path, calendar: &str) -> Vec<Row> {
    files(folder, ".ics").values().flat_map(|file| in_file(file, calendar)).collect()
}

/// The rows of one file.
pub fn in_file(file: &str, calendar: &str) -> Vec<Row> {
    let lines = lines(file);
    let (exceptions, masters): (Vec<_>, Vec<_>) =
        events(&lines).into_iter().map(|at| &lines[at]).partition(|event| value(event, "RECURRENCE-ID").is_some());
    assert_eq!(masters.len(), 1, "one master:\n{file}");
    let mut master = on_device(masters[0], calendar);
    for exception in exceptions {
        let day = time(exception, "RECURRENCE-ID").unwrap().in_zone(master.start.zone).local.date();
        let twin = master.exceptions.insert(day, on_device(exception, calendar));
        assert!(twin.is_none(), "one exception for {day}:\n{file}");
    }
    master.laid_out()
}

fn on_device(event: &[String], calendar: &str) -> Event {
    let start = time(event, "DTSTART").unwrap();
    let end = time(event, "DTEND").unwrap_or_else(|| match value(event, "DURATION").map(|(_, text)| text) {
        Some("PT1H") => When { local: start.local + chrono::Duration::hours(1), ..start },
        None | Some("P1D") => start.end(),
        Some(other) => panic!("no length of the table: {other}"),
    });
    let say = |name: &str| value(event, name).map(|(_, text)| unescaped(text)).unwrap_or_default();
    let mut read = Event::new(say("SUMMARY"), start, end)
        .say(Field::Calendar, calendar)
        .say(Field::Place, say("LOCATION"))
        .say(Field::Note, say("DESCRIPTION").trim_end());
    for line in event {
        let (head, value) = line.split_once(':').unwrap_or((line, ""));
        read = match property(line).as_str() {
            "RRULE" => Event { rule: Some(value.to_owned()), ..read },
            "TRIGGER" => read.say(Field::Alarm, minutes(value).to_string()),
            "ATTENDEE" => {
                let address = value.trim_start_matches("mailto:");
                if address == OWNER { read } else { read.say(Field::Guest, address) }
            }
            "CATEGORIES" => value.split(',').fold(read, |read, label| read.say(Field::Label, label)),
            "EXDATE" => {
                read.gone.extend(excluded(&format!("{head}:{value}"), start.zone));
                read
            }
            _ => read,
        };
    }
    read
}

/// `-PT1H30M` and so on: how many minutes before.
fn minutes(trigger: &str) -> i64 {
    let (mut sum, mut number) = (0, 0);
    for letter in trigger.chars() {
        match letter {
            '0'..='9' => number = number * 10 + i64::from(letter as u8 - b'0'),
            _ => {
                sum += number
                    * match letter {
                        'D' => 1440,
                        'H' => 60,
                        'M' => 1,
                        _ => 0,
                    };
                number = 0;
            }
        }
    }
    sum
}

/// Everything on a side's calendars.
pub fn at_provider(sandbox: &Sandbox, side: Side) -> Vec<Row> {
    match side {
        Side::Google => at_google(sandbox),
        Side::Microsoft => at_microsoft(sandbox),
    }
}
