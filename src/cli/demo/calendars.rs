//! The demo's calendars: one occurrence of a series changed at each provider, an event edited, a series made and an event
//! deleted on the device. Each is read back where it must have arrived, plainly from the text that stands there.

use super::{Checks, failed, refused};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use twofold_model::{Error, ErrorKind, Result};
use twofold_sandbox::Sandbox;

/// Google's own calendar.
const PRIMARY: &str = "primary";
const GOOGLE_FOLDER: &str = "laptop/google/calendar";
const MICROSOFT_FOLDER: &str = "laptop/microsoft365/calendar";
/// Stands in one calendar folder of each provider, and is looked for to find the folder.
const AT_GOOGLE: &str = "SUMMARY:Dr. Müller-Groß";
const AT_MICROSOFT: &str = "SUMMARY:Wochenstart & Überblick";
const RETITLED: &str = "Stand-up, told at Google";
const MOVED: &str = "Wochenstart, moved at Microsoft";
const PLACE: &str = "Written on the laptop";
const NEW_SERIES: &str = "Choir, from the laptop";
const DELETED: &str = "seedholiday";

/// Every event file below a folder: its path and its text with long lines unfolded.
fn files(folder: &Path) -> Result<Vec<(PathBuf, String)>> {
    let mut all = Vec::new();
    let unread = |path: &Path| failed(format!("{} cannot be read", path.display()));
    for calendar in fs::read_dir(folder).map_err(unread(folder))?.flatten() {
        for entry in fs::read_dir(calendar.path()).map_err(unread(&calendar.path()))?.flatten() {
            let path = entry.path();
            if path.extension().is_some_and(|extension| extension == "ics") {
                let text = fs::read_to_string(&path).map_err(unread(&path))?;
                all.push((path, text.replace("\r\n ", "")));
            }
        }
    }
    Ok(all)
}

fn file_with(folder: &Path, words: &str) -> Result<(PathBuf, String)> {
    let found = files(folder)?.into_iter().find(|(_, text)| text.contains(words));
    found.ok_or_else(|| Error::new(ErrorKind::Broken, format!("the demo found no event with \"{words}\"")))
}

fn microsoft_series(sandbox: &Sandbox) -> String {
    let named = |event: &&Value| event["subject"] == AT_MICROSOFT.trim_start_matches("SUMMARY:");
    let id = sandbox.graph_events().iter().find(named).and_then(|event| event["id"].as_str().map(str::to_owned));
    id.unwrap_or_default()
}

/// Whether every event of both providers is on the device, a series with all its occurrences in one file.
pub fn first_sync(sandbox: &Sandbox, dir: &Path, checks: &mut Checks) -> Result<()> {
    let of_calendar = |calendar: &Value| sandbox.google_events(calendar["id"].as_str().unwrap_or_default());
    let google = sandbox.google_calendars().iter().flat_map(of_calendar).collect::<Vec<_>>();
    let google = google.iter().filter(|event| event.get("recurringEventId").is_none()).count();
    for (side, folder, there) in
        [("Google", GOOGLE_FOLDER, google), ("Microsoft 365", MICROSOFT_FOLDER, sandbox.graph_events().len())]
    {
        let here = files(&dir.join(folder))?.len();
        checks.check(format!("{here} events and series of {side} are on the device"), here == there && here > 0);
    }
    Ok(())
}

/// Changes things at both providers and on the device.
pub fn change(sandbox: &Sandbox, dir: &Path) -> Result<()> {
    // At the providers: the title of one occurrence, and the time of one in the week after the clocks changed.
    let occurrence = "seedstandup_20260202T083000Z";
    sandbox.google_edit_event(PRIMARY, occurrence, |event| event["summary"] = json!(RETITLED)).map_err(refused)?;
    let at = |time: &str| json!({"dateTime": format!("2026-03-30T{time}"), "timeZone": "W. Europe Standard Time"});
    let edit = |event: &mut Value| {
        event["subject"] = json!(MOVED);
        event["start"] = at("15:00:00");
        event["end"] = at("15:30:00");
    };
    sandbox.graph_occurrence_edit(&microsoft_series(sandbox), "2026-03-30", edit).map_err(refused)?;
    // On the device: an edit of one line, a new series with a day left out, and a file that goes.
    let unwritten = |path: &Path| failed(format!("{} cannot be written", path.display()));
    let (path, text) = file_with(&dir.join(GOOGLE_FOLDER), AT_GOOGLE)?;
    let edited = text.replace(AT_GOOGLE, &format!("{AT_GOOGLE}\r\nLOCATION:{PLACE}"));
    fs::write(&path, edited).map_err(unwritten(&path))?;
    let (beside, _) = file_with(&dir.join(MICROSOFT_FOLDER), AT_MICROSOFT)?;
    let path = beside.with_file_name("demo-series.ics");
    let series = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//twofold//demo//EN",
        "BEGIN:VEVENT",
        "UID:demo-series",
        "DTSTAMP:20260101T000000Z",
        "DTSTART;TZID=Europe/Berlin:20260316T190000",
        "DTEND;TZID=Europe/Berlin:20260316T203000",
        "RRULE:FREQ=WEEKLY;COUNT=10",
        "EXDATE;TZID=Europe/Berlin:20260406T190000",
        &format!("SUMMARY:{}", NEW_SERIES.replace(',', "\\,")),
        "END:VEVENT",
        "END:VCALENDAR",
        "",
    ];
    fs::write(&path, series.join("\r\n")).map_err(unwritten(&path))?;
    let (path, _) = file_with(&dir.join(GOOGLE_FOLDER), &format!("UID:{DELETED}@"))?;
    fs::remove_file(&path).map_err(failed(format!("{} cannot be removed", path.display())))
}

/// Looks for each change where it must have arrived.
pub fn read_back(sandbox: &Sandbox, dir: &Path, checks: &mut Checks) -> Result<()> {
    let device = |folder: &str, words: [&str; 2]| -> Result<bool> {
        Ok(files(&dir.join(folder))?.iter().any(|(_, text)| words.iter().all(|words| text.contains(words))))
    };
    let one = ["RECURRENCE-ID;TZID=Europe/Berlin:20260202T093000", &RETITLED.replace(',', "\\,")];
    checks.check("Google -> device: one occurrence of a series has another title", device(GOOGLE_FOLDER, one)?);
    let one = ["DTSTART;TZID=Europe/Berlin:20260330T150000", &MOVED.replace(',', "\\,")];
    let words = "Microsoft 365 -> device: one occurrence in the week of the clock change is at 15:00";
    checks.check(words, device(MICROSOFT_FOLDER, one)?);
    let doctor = sandbox.google_event(PRIMARY, "seeddoctor").unwrap_or_default();
    checks.check("device -> Google: an event has a place", doctor["location"] == PLACE);
    let gone = sandbox.google_event(PRIMARY, DELETED).is_none_or(|event| event["status"] == "cancelled");
    checks.check("device -> Google: an event is deleted", gone);
    let made = sandbox.graph_events().into_iter().find(|event| event["subject"] == NEW_SERIES);
    let made = made.and_then(|event| sandbox.graph_event(event["id"].as_str().unwrap_or_default())).unwrap_or_default();
    let is_series = made["recurrence"]["pattern"]["type"] == "weekly"
        && made["start"] == json!({"dateTime": "2026-03-16T19:00:00.0000000", "timeZone": "W. Europe Standard Time"});
    checks.check("device -> Microsoft 365: a series is new, in its own time zone", is_series);
    let without = made["cancelled"] == json!(["2026-04-06"]);
    checks.check("device -> Microsoft 365: the day that it leaves out is left out", without);
    Ok(())
}
