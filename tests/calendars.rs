//! Calendars through the built program: what people write in the trackers of others, each as a test. The device's files are
//! edited as text, and what the providers hold is read from their own JSON.

mod common;
#[path = "calendars/invitations.rs"]
mod invitations;

use common::{BOTH, GOOGLE, Home, MICROSOFT};
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use twofold_sandbox::{Fault, Provider, Rule};

/// Every event file on the laptop: its path and its text, long lines unfolded.
fn files(home: &Home) -> Vec<(PathBuf, String)> {
    common::files(&home.laptop())
        .into_keys()
        .map(|name| home.laptop().join(name))
        .filter(|path| path.extension().is_some_and(|extension| extension == "ics"))
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap().replace("\r\n ", "");
            (path, text)
        })
        .collect()
}

fn file_with(home: &Home, words: &str) -> (PathBuf, String) {
    files(home).into_iter().find(|(_, text)| text.contains(words)).unwrap_or_else(|| panic!("no event has {words}"))
}

/// Edits the one event that has these words, as another program would.
fn edit(home: &Home, words: &str, to: &str) {
    let (path, text) = file_with(home, words);
    fs::write(path, text.replace(words, to)).unwrap();
}

/// A new file beside the one that has these words.
fn write_beside(home: &Home, words: &str, name: &str, lines: &[&str]) {
    let (beside, _) = file_with(home, words);
    let head = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//test//EN", "BEGIN:VEVENT"];
    let uid = format!("UID:{name}");
    let inner = [&[uid.as_str(), "DTSTAMP:20260101T000000Z"], lines].concat();
    let all = [&head[..], &inner, &["END:VEVENT", "END:VCALENDAR", ""]].concat();
    fs::write(beside.with_file_name(format!("{name}.ics")), all.join("\r\n")).unwrap();
}

fn mails(home: &Home) -> usize {
    home.sandbox.google_mails().len() + home.sandbox.graph_mails().len()
}

fn google(home: &Home, id: &str) -> Value {
    home.sandbox.google_event("primary", id).unwrap()
}

fn google_titled(home: &Home, title: &str) -> Option<Value> {
    home.sandbox.google_events("primary").into_iter().find(|event| event["summary"] == title)
}

fn graph_titled(home: &Home, title: &str) -> Option<Value> {
    let found = home.sandbox.graph_events().into_iter().find(|event| event["subject"] == title)?;
    home.sandbox.graph_event(found["id"].as_str().unwrap())
}

/// The id of the only held plan.
fn held(home: &Home) -> String {
    let all = home.json(&["held"])["held"].clone();
    assert_eq!(all.as_array().map(Vec::len), Some(1), "{all}");
    all[0]["id"].as_str().unwrap().to_owned()
}

// ---------------------------------------------------------------- it mailed every attendee

/// A meeting of the user's own with two guests at each provider: where it is read, and its title.
const MEETINGS: [(&str, &str); 2] = [("google", "Quarterly figures"), ("microsoft365", "Planung der Messe")];

fn title_at(home: &Home, provider: &str, title: &str) -> bool {
    if provider == "google" { google_titled(home, title).is_some() } else { graph_titled(home, title).is_some() }
}

#[test]
fn promise_7_a_new_title_of_a_meeting_is_held_at_both_providers_until_its_guests_may_be_mailed() {
    for (provider, title) in MEETINGS {
        let home = Home::with_calendars(&BOTH);
        edit(&home, &format!("SUMMARY:{title}"), "SUMMARY:Another title");
        home.sync().expect(4).says(&["twofold held"]);
        assert!(title_at(&home, provider, title) && mails(&home) == 0, "{provider}");
        let shown = home.json(&["held"])["held"].clone();
        assert_eq!((&shown[0]["updates"], &shown[0]["replica"]), (&json!(1), &json!(provider)));
        assert!(shown[0]["reason"].as_str().unwrap().contains("would mail 2 people"), "{shown}");
        home.run(&["held"]).expect(0).shows(&["would mail 2 people; nothing was changed there (Another title)"]);
        let id = held(&home);
        let ran =
            home.run(&["approve", &id]).expect(4).says(&["would mail 2 people", "stays held", "--mail-attendees"]);
        home.names_a_command(&ran);
        home.sync().expect(4);
        assert_eq!(mails(&home), 0, "{provider}: nothing was approved");
        home.run(&["approve", &id, "--mail-attendees"]).expect(0);
        home.sync().expect(0);
        assert!(title_at(&home, provider, "Another title"), "{provider}");
        assert!(mails(&home) > 0, "{provider}: the guests heard of it");
        let sent = mails(&home);
        home.sandbox.reset_counts();
        home.sync().expect(0);
        assert_eq!((home.writes(), mails(&home)), (0, sent), "{provider}: once");
    }
}

#[test]
fn promise_7_a_meeting_that_is_deleted_on_a_device_is_not_cancelled_unasked_and_comes_back_when_that_was_wrong() {
    for (provider, title) in MEETINGS {
        let home = Home::with_calendars(&BOTH);
        let words = format!("SUMMARY:{title}");
        let (path, _) = file_with(&home, &words);
        fs::remove_file(path).unwrap();
        home.sync().expect(4);
        assert!(title_at(&home, provider, title) && mails(&home) == 0, "{provider}");
        home.run(&["drop", &held(&home)]).expect(0).says(&["taken back"]);
        home.sync().expect(0);
        file_with(&home, &words);
        assert!(title_at(&home, provider, title) && mails(&home) == 0, "{provider}");
        home.sandbox.reset_counts();
        home.sync().expect(0);
        assert_eq!(home.writes(), 0);
    }
}

#[test]
fn promise_7_an_alarm_and_a_category_of_ones_own_are_written_and_mail_nobody() {
    for (provider, title) in MEETINGS {
        let home = Home::with_calendars(&BOTH);
        let alarm = "BEGIN:VALARM\r\nACTION:DISPLAY\r\nTRIGGER:-PT3H\r\nDESCRIPTION:x\r\nEND:VALARM\r\nEND:VEVENT";
        let (path, text) = file_with(&home, &format!("SUMMARY:{title}"));
        let begin = text.find("BEGIN:VALARM").unwrap_or(text.find("END:VEVENT").unwrap());
        fs::write(path, text[..begin].to_owned() + alarm + "\r\nEND:VCALENDAR\r\n").unwrap();
        home.sync().expect(0);
        let stored = match provider {
            "google" => google_titled(&home, title).unwrap()["reminders"]["overrides"][0]["minutes"] == 180,
            _ => graph_titled(&home, title).unwrap()["reminderMinutesBeforeStart"] == 180,
        };
        assert!(stored && mails(&home) == 0, "{provider}");
    }
}

#[test]
fn promise_7_somebody_elses_meeting_is_never_changed_for_them() {
    let home = Home::with_calendars(&MICROSOFT);
    edit(&home, "SUMMARY:Vorstellung", "SUMMARY:My own name for it");
    home.sync().expect(0);
    assert!(graph_titled(&home, "Vorstellung").is_some());
    assert_eq!(mails(&home), 0);
    file_with(&home, "SUMMARY:My own name for it");
    home.sandbox.reset_counts();
    home.sync().expect(0);
    assert_eq!(home.writes(), 0);
}

#[test]
fn whoever_may_mail_attendees_is_not_asked() {
    for (provider, title) in MEETINGS {
        let home = Home::with_calendars(&BOTH);
        fs::write(home.config(), home.configuration("\n[calendar]\nmay_mail_attendees = true\n")).unwrap();
        edit(&home, &format!("SUMMARY:{title}"), "SUMMARY:Another title");
        home.sync().expect(0);
        assert!(title_at(&home, provider, "Another title") && mails(&home) > 0, "{provider}");
    }
}

#[test]
fn a_meeting_with_guests_that_is_made_on_a_device_invites_nobody_where_mail_is_not_allowed() {
    let home = Home::with_calendars(&BOTH);
    let lines = [
        "DTSTART;TZID=Europe/Berlin:20260520T100000",
        "DTEND;TZID=Europe/Berlin:20260520T110000",
        "SUMMARY:With guests",
        "ORGANIZER:mailto:ada@example.com",
        "ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:bob@example.org",
    ];
    write_beside(&home, "SUMMARY:Quarterly figures", "guests-at-google", &lines);
    write_beside(&home, "SUMMARY:Planung der Messe", "guests-at-microsoft", &lines);
    home.sync().expect(0);
    assert!(google_titled(&home, "With guests").unwrap().get("attendees").is_none());
    assert_eq!(graph_titled(&home, "With guests").unwrap()["attendees"], json!([]));
    assert_eq!(mails(&home), 0);
    file_with(&home, "mailto:bob@example.org");
}

// ---------------------------------------------------------------- an hour off after the clock change

#[test]
fn a_series_is_not_an_hour_off_after_the_clock_changed_at_any_place() {
    let home = Home::with_calendars(&BOTH);
    let lines = [
        "DTSTART;TZID=Europe/Berlin:20260316T190000",
        "DTEND;TZID=Europe/Berlin:20260316T203000",
        "RRULE:FREQ=WEEKLY;COUNT=40",
        "SUMMARY:Choir",
    ];
    write_beside(&home, "SUMMARY:Quarterly figures", "choir-at-google", &lines);
    write_beside(&home, "SUMMARY:Planung der Messe", "choir-at-microsoft", &lines);
    home.sync().expect(0);
    let there = google_titled(&home, "Choir").unwrap();
    assert_eq!(there["start"]["timeZone"], "Europe/Berlin");
    // Before and after the last Sunday of March: the same time on the wall, another one in UTC.
    for (date, utc) in [("20260323", "T180000Z"), ("20260330", "T170000Z"), ("20261026", "T180000Z")] {
        let id = format!("{}_{date}{utc}", there["id"].as_str().unwrap());
        let occurrence = google(&home, &id);
        let start = occurrence["start"]["dateTime"].as_str().unwrap();
        assert!(start[11..].starts_with("19:00:00"), "{start}");
    }
    let there = graph_titled(&home, "Choir").unwrap();
    assert_eq!(
        there["start"],
        json!({"dateTime": "2026-03-16T19:00:00.0000000", "timeZone": "W. Europe Standard Time"})
    );
    // Moved within the week of the change, at both, and back on the device.
    let at = |zone: &str, clock: &str| json!({"dateTime": format!("2026-03-30T{clock}"), "timeZone": zone});
    let google_id = google_titled(&home, "Choir").unwrap()["id"].as_str().unwrap().to_owned();
    home.sandbox
        .google_edit_event("primary", &format!("{google_id}_20260330T170000Z"), |event| {
            event["start"] = at("Europe/Berlin", "20:00:00");
            event["end"] = at("Europe/Berlin", "21:30:00");
        })
        .unwrap();
    let graph_id = there["id"].as_str().unwrap();
    home.sandbox
        .graph_occurrence_edit(graph_id, "2026-03-30", |event| {
            event["start"] = at("W. Europe Standard Time", "20:00:00");
            event["end"] = at("W. Europe Standard Time", "21:30:00");
        })
        .unwrap();
    home.sync().expect(0);
    for uid in ["choir-at-google", "choir-at-microsoft"] {
        let (_, text) = file_with(&home, &format!("UID:{uid}"));
        assert!(text.contains("RECURRENCE-ID;TZID=Europe/Berlin:20260330T190000"), "{text}");
        assert!(text.contains("DTSTART;TZID=Europe/Berlin:20260330T200000"), "{text}");
    }
}

// ---------------------------------------------------------------- all-day events shifted

#[test]
fn a_whole_day_stays_that_day_at_every_place_and_in_every_zone() {
    let home = Home::with_calendars(&BOTH);
    let lines = ["DTSTART;VALUE=DATE:20260329", "DTEND;VALUE=DATE:20260331", "SUMMARY:Fair"];
    write_beside(&home, "SUMMARY:Quarterly figures", "fair-at-google", &lines);
    write_beside(&home, "SUMMARY:Planung der Messe", "fair-at-microsoft", &lines);
    // The machine's own zone has no say in it.
    for (zone, run) in [("America/Los_Angeles", 1), ("Pacific/Auckland", 2)] {
        let ran = home.command(&["sync"]).env("TZ", zone).output().unwrap();
        assert_eq!(ran.status.code(), Some(0), "{run}");
        let there = google_titled(&home, "Fair").unwrap();
        assert_eq!((&there["start"], &there["end"]), (&json!({"date": "2026-03-29"}), &json!({"date": "2026-03-31"})));
        let there = graph_titled(&home, "Fair").unwrap();
        let day = |name: &str| there[name]["dateTime"].as_str().unwrap()[..19].to_owned();
        assert_eq!((day("start").as_str(), day("end").as_str()), ("2026-03-29T00:00:00", "2026-03-31T00:00:00"));
        assert_eq!((&there["isAllDay"], &there["start"]["timeZone"]), (&json!(true), &there["end"]["timeZone"]));
    }
    assert_eq!(home.writes(), 2, "written once at each");
}

// ---------------------------------------------------------------- exceptions lost, or on the wrong day

#[test]
fn an_exception_stays_on_its_day_and_the_others_stay_as_they_are() {
    let home = Home::with_calendars(&GOOGLE);
    // The series has a changed, a moved and a cancelled occurrence; the device changes one more, west of UTC late in the evening.
    let lines = [
        "DTSTART;TZID=America/Los_Angeles:20260302T210000",
        "DTEND;TZID=America/Los_Angeles:20260302T220000",
        "RRULE:FREQ=DAILY;COUNT=20",
        "SUMMARY:Late call",
    ];
    write_beside(&home, "SUMMARY:Quarterly figures", "late", &lines);
    home.sync().expect(0);
    let (path, text) = file_with(&home, "UID:late");
    let exception = "BEGIN:VEVENT\r\nUID:late\r\nDTSTAMP:20260101T000000Z\r\n\
                     RECURRENCE-ID;TZID=America/Los_Angeles:20260309T210000\r\n\
                     DTSTART;TZID=America/Los_Angeles:20260309T213000\r\nDTEND;TZID=America/Los_Angeles:20260309T223000\r\n\
                     SUMMARY:Later call\r\nEND:VEVENT\r\nEND:VCALENDAR";
    fs::write(path, text.replace("END:VCALENDAR", exception)).unwrap();
    home.sync().expect(0);
    let series = google_titled(&home, "Late call").unwrap();
    let id = |utc: &str| format!("{}_{utc}", series["id"].as_str().unwrap());
    assert_eq!(
        google(&home, &id("20260310T040000Z"))["summary"],
        "Later call",
        "the 9th in Los Angeles is the 10th in UTC"
    );
    for neighbour in ["20260309T040000Z", "20260311T040000Z"] {
        assert_eq!(google(&home, &id(neighbour))["summary"], "Late call");
    }
    // The seeded series keeps all of its exceptions through an edit of its title.
    edit(&home, "SUMMARY:Stand-up\r\n", "SUMMARY:Morning talk\r\n");
    home.sync().expect(0);
    assert_eq!(google(&home, "seedstandup_20260112T083000Z")["summary"], "Stand-up (with cake)");
    assert!(google(&home, "seedstandup_20260119T083000Z")["start"]["dateTime"].as_str().unwrap().contains("T14:00:00"));
    assert_eq!(google(&home, "seedstandup_20260126T083000Z")["status"], "cancelled");
}

/// All-day events shifted: an end that is missing, or is the start, is how several programs write one day.
#[test]
fn a_whole_day_whose_end_is_missing_is_one_day_at_every_place_and_its_file_stays_as_it_is() {
    let home = Home::with_calendars(&BOTH);
    let ends = ["", "DTEND;VALUE=DATE:20260329", "DURATION:P1D", "DTEND;VALUE=DATE:20260330"];
    for (place, beside) in [("google", "SUMMARY:Quarterly figures"), ("microsoft", "SUMMARY:Planung der Messe")] {
        for (at, end) in ends.iter().enumerate() {
            let title = format!("SUMMARY:Fair {at}");
            let lines = ["DTSTART;VALUE=DATE:20260329", *end, title.as_str()];
            let lines: Vec<&str> = lines.into_iter().filter(|line| !line.is_empty()).collect();
            write_beside(&home, beside, &format!("fair-{at}-at-{place}"), &lines);
        }
    }
    let fairs = || -> Vec<_> { files(&home).into_iter().filter(|(_, text)| text.contains("SUMMARY:Fair")).collect() };
    let written = fairs();
    for run in [8, 0] {
        home.sandbox.reset_counts();
        home.sync().expect(0);
        assert_eq!((home.writes(), fairs()), (run, written.clone()));
        for at in 0..ends.len() {
            let there = google_titled(&home, &format!("Fair {at}")).unwrap();
            assert_eq!(
                (&there["start"]["date"], &there["end"]["date"]),
                (&json!("2026-03-29"), &json!("2026-03-30")),
                "{at}"
            );
            let there = graph_titled(&home, &format!("Fair {at}")).unwrap();
            let day = |name: &str| there[name]["dateTime"].as_str().unwrap()[..10].to_owned();
            assert_eq!((day("start").as_str(), day("end").as_str()), ("2026-03-29", "2026-03-30"), "{at}");
            assert_eq!(there["isAllDay"], true);
        }
    }
}

/// An hour off: the file's VTIMEZONE has the rules of New York from before 2007, and everybody else goes by the name.
#[test]
fn an_old_definition_of_a_zone_moves_nothing() {
    let home = Home::with_calendars(&BOTH);
    let lines = ["DTSTART;TZID=America/New_York:20260316T090000", "DURATION:PT1H", "SUMMARY:Review"];
    let part = |name: &str, offsets: [&str; 2], rule: &str| {
        format!(
            "BEGIN:{name}\r\nDTSTART:19870405T020000\r\nTZOFFSETFROM:{}\r\nTZOFFSETTO:{}\r\nRRULE:FREQ=YEARLY;{rule}\r\nEND:{name}\r\n",
            offsets[0], offsets[1]
        )
    };
    let zone = format!(
        "BEGIN:VTIMEZONE\r\nTZID:America/New_York\r\n{}{}END:VTIMEZONE\r\n",
        part("DAYLIGHT", ["-0500", "-0400"], "BYDAY=1SU;BYMONTH=4"),
        part("STANDARD", ["-0400", "-0500"], "BYDAY=-1SU;BYMONTH=10")
    );
    for (beside, name) in
        [("SUMMARY:Quarterly figures", "review-at-google"), ("SUMMARY:Planung der Messe", "review-at-microsoft")]
    {
        write_beside(&home, beside, name, &lines);
        edit(&home, &format!("BEGIN:VEVENT\r\nUID:{name}"), &format!("{zone}BEGIN:VEVENT\r\nUID:{name}"));
    }
    home.sync().expect(0);
    let there = google_titled(&home, "Review").unwrap();
    assert_eq!(there["start"]["timeZone"], "America/New_York");
    assert_eq!(there["start"]["dateTime"], "2026-03-16T14:00:00+01:00", "told on the clocks of its calendar");
    let there = graph_titled(&home, "Review").unwrap();
    assert_eq!(there["start"], json!({"dateTime": "2026-03-16T09:00:00.0000000", "timeZone": "Eastern Standard Time"}));
    assert!(file_with(&home, "UID:review-at-google").1.contains(&zone), "the file keeps what it says");
}

/// An exception on the wrong day: each evening in Honolulu lies in the next day of UTC, and whoever looks for what begins between
/// the midnights of that day finds the neighbour, or both.
#[test]
fn an_evening_west_of_utc_that_is_taken_out_on_a_device_takes_no_neighbour_with_it() {
    let home = Home::with_calendars(&BOTH);
    let lines =
        ["DTSTART;TZID=Pacific/Honolulu:20260302T220000", "DURATION:PT1H", "RRULE:FREQ=DAILY", "SUMMARY:Late call"];
    write_beside(&home, "SUMMARY:Quarterly figures", "late-at-google", &lines);
    write_beside(&home, "SUMMARY:Planung der Messe", "late-at-microsoft", &lines);
    home.sync().expect(0);
    for uid in ["late-at-google", "late-at-microsoft"] {
        let (path, text) = file_with(&home, &format!("UID:{uid}"));
        let without = "RRULE:FREQ=DAILY\r\nEXDATE;TZID=Pacific/Honolulu:20260309T220000\r\n";
        fs::write(path, text.replace("RRULE:FREQ=DAILY\r\n", without)).unwrap();
    }
    home.sync().expect(0);
    let id = google_titled(&home, "Late call").unwrap()["id"].as_str().unwrap().to_owned();
    let status = |day: &str| google(&home, &format!("{id}_{day}T080000Z"))["status"].clone();
    assert_eq!(["20260309", "20260310", "20260311"].map(status), ["confirmed", "cancelled", "confirmed"]);
    assert_eq!(graph_titled(&home, "Late call").unwrap()["cancelled"], json!(["2026-03-09"]));
    home.sandbox.reset_counts();
    home.run(&["sync", "--full-check"]).expect(0);
    assert_eq!(home.writes(), 0);
}

/// What was cancelled at Microsoft and comes back elsewhere cannot come back there: it is said, and the rest is not kept from it.
#[test]
fn promise_5_an_occurrence_that_cannot_come_back_at_microsoft_is_listed_until_it_is_out_again() {
    let home = Home::with_calendars(&MICROSOFT);
    let lines = [
        "DTSTART;TZID=Europe/Berlin:20260316T190000",
        "DTEND;TZID=Europe/Berlin:20260316T203000",
        "RRULE:FREQ=WEEKLY;COUNT=40",
        "SUMMARY:Choir",
    ];
    write_beside(&home, "SUMMARY:Planung der Messe", "choir", &lines);
    home.sync().expect(0);
    let id = graph_titled(&home, "Choir").unwrap()["id"].as_str().unwrap().to_owned();
    home.sandbox.graph_occurrence_delete(&id, "2026-03-30").unwrap();
    home.run(&["sync", "--full-check"]).expect(0);
    let out = "EXDATE;TZID=Europe/Berlin:20260330T190000\r\n";
    file_with(&home, out);
    let listed = || home.json(&["status"])["not_representable"].as_array().unwrap().clone();
    let before = listed().len();
    // It comes back on the device, and the choir gets another name.
    edit(&home, out, "");
    edit(&home, "SUMMARY:Choir", "SUMMARY:Big choir");
    home.sync().expect(0);
    assert_eq!(graph_titled(&home, "Big choir").unwrap()["cancelled"], json!(["2026-03-30"]));
    home.run(&["status"]).expect(0).shows(&[
        "cannot be held everywhere: microsoft365: Big choir: 2026-03-30 of the series: cancelled there and elsewhere not",
    ]);
    assert_eq!(listed().len(), before + 1);
    home.sandbox.reset_counts();
    home.run(&["sync", "--full-check"]).expect(0);
    assert_eq!((home.writes(), listed().len()), (0, before + 1));
    assert!(!file_with(&home, "UID:choir").1.contains("EXDATE"), "it stays where it came back");
    // Out again: both say the same.
    edit(&home, "SUMMARY:Big choir", &format!("{out}SUMMARY:Big choir"));
    home.sync().expect(0);
    assert_eq!(listed().len(), before);
}

/// A default reminder that comes back as a change: where nothing is said, both providers remind by themselves.
#[test]
fn an_event_without_an_alarm_gets_none_at_any_place() {
    let home = Home::with_calendars(&BOTH);
    let lines = ["DTSTART;TZID=Europe/Berlin:20260520T100000", "DURATION:PT1H", "SUMMARY:Quiet"];
    write_beside(&home, "SUMMARY:Quarterly figures", "quiet-at-google", &lines);
    write_beside(&home, "SUMMARY:Planung der Messe", "quiet-at-microsoft", &lines);
    home.sync().expect(0);
    assert_eq!(google_titled(&home, "Quiet").unwrap()["reminders"]["useDefault"], false);
    assert_eq!(graph_titled(&home, "Quiet").unwrap()["isReminderOn"], false);
    home.run(&["sync", "--full-check"]).expect(0);
    assert!(files(&home).iter().all(|(_, text)| !text.contains("SUMMARY:Quiet") || !text.contains("VALARM")));
    assert_eq!(home.writes(), 2, "made once at each");
}

/// A calendar's usual reminders count for every event that leans on them: a new choice reaches the devices, and is no mass change
/// that has to wait for somebody.
#[test]
fn new_usual_reminders_of_a_calendar_reach_the_devices_and_are_not_held() {
    let home = Home::with_calendars(&GOOGLE);
    let calendar = home.sandbox.google_add_calendar("Shifts").unwrap();
    let usual = |minutes: u32| json!({"defaultReminders": [{"method": "popup", "minutes": minutes}]});
    home.sandbox.google_edit_calendar_entry(&calendar, &usual(10)).unwrap();
    for day in 1..=25 {
        let at =
            |hour: u32| json!({"dateTime": format!("2026-05-{day:02}T{hour:02}:00:00Z"), "timeZone": "Europe/Berlin"});
        let event = json!({"summary": format!("Shift {day}"), "start": at(6), "end": at(14), "reminders": {"useDefault": true}});
        home.sandbox.google_add_event(&calendar, &event).unwrap();
    }
    let reminded = |trigger: &str| {
        files(&home).iter().filter(|(_, text)| text.contains("SUMMARY:Shift") && text.contains(trigger)).count()
    };
    home.sync().expect(0);
    assert_eq!(reminded("TRIGGER:-PT10M"), 25);
    home.sandbox.google_edit_calendar_entry(&calendar, &usual(30)).unwrap();
    home.sandbox.reset_counts();
    home.run(&["sync", "--full-check"]).expect(0);
    assert_eq!((reminded("TRIGGER:-PT30M"), reminded("TRIGGER:-PT10M")), (25, 0));
    assert_eq!(home.writes(), 0, "the events themselves are as they were");
    // What does change in every event is held as ever.
    let events: Vec<Value> = home.sandbox.google_events(&calendar);
    for event in events {
        let id = event["id"].as_str().unwrap();
        home.sandbox.google_edit_event(&calendar, id, |event| event["summary"] = json!("Wiped")).unwrap();
    }
    home.sandbox.google_edit_calendar_entry(&calendar, &usual(40)).unwrap();
    home.sync().expect(4);
    assert!(files(&home).iter().all(|(_, text)| !text.contains("Wiped")));
}

#[test]
fn this_and_following_fixpoint() {
    let home = Home::with_calendars(&GOOGLE);
    let rest = home.sandbox.google_split_series("primary", "seedstandup_20260309T083000Z").unwrap();
    home.sync().expect(0);
    let (_, first) = file_with(&home, "UID:seedstandup@google.com");
    assert!(first.contains("UNTIL=") && first.contains("Stand-up (with cake)"), "{first}");
    let (_, second) = file_with(&home, "DTSTART;TZID=Europe/Berlin:20260309T093000");
    assert!(second.contains("RRULE:FREQ=WEEKLY"), "{second}");
    home.sandbox.reset_counts();
    for _ in 0..2 {
        home.run(&["sync", "--full-check"]).expect(0);
    }
    assert_eq!(home.writes(), 0, "two series, and nothing to say about them");
    assert_eq!(google(&home, &rest)["summary"], "Stand-up");
    // The same on the device, as an application does it: the old series ends, a new one begins.
    edit(&home, "SUMMARY:Training", "SUMMARY:Training, until May");
    let lines = [
        "DTSTART;TZID=Europe/Berlin:20260505T190000",
        "DTEND;TZID=Europe/Berlin:20260505T200000",
        "RRULE:FREQ=WEEKLY;BYDAY=TU",
        "SUMMARY:Training, from May",
    ];
    write_beside(&home, "SUMMARY:Training, until May", "training-2", &lines);
    home.sync().expect(0);
    home.sandbox.reset_counts();
    home.run(&["sync", "--full-check"]).expect(0);
    assert_eq!(home.writes(), 0);
    assert!(
        google_titled(&home, "Training, from May").is_some() && google_titled(&home, "Training, until May").is_some()
    );
}

#[test]
fn tasks_and_journals_in_a_calendar_folder_are_left_alone() {
    let home = Home::with_calendars(&BOTH);
    let (beside, _) = file_with(&home, "SUMMARY:Quarterly figures");
    let task = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VTODO\r\nUID:task\r\nSUMMARY:Buy\r\nEND:VTODO\r\nEND:VCALENDAR\r\n";
    let path = beside.with_file_name("task.ics");
    fs::write(&path, task).unwrap();
    home.sync().expect(0);
    home.run(&["sync", "--full-check"]).expect(0);
    assert_eq!(fs::read_to_string(&path).unwrap(), task);
    assert_eq!(home.writes(), 0);
}

#[test]
fn a_run_with_nothing_to_do_costs_a_request_for_each_calendar_and_one_more() {
    let home = Home::with_calendars(&GOOGLE);
    let calendars = home.sandbox.google_calendars().len();
    let (code, report) = home.sync_json(&[]);
    assert_eq!(code, Some(0));
    let row = report["replicas"].as_array().unwrap().iter().find(|row| row["name"] == "google").unwrap().clone();
    assert_eq!(row["requests"].as_u64().unwrap() as usize, calendars + 1, "{row}");
    let home = Home::with_calendars(&MICROSOFT);
    let (_, report) = home.sync_json(&[]);
    let row = report["replicas"].as_array().unwrap().iter().find(|row| row["name"] == "microsoft365").unwrap().clone();
    assert_eq!(row["requests"], 2, "one listing, one batch: {row}");
}

// ---------------------------------------------------------------- the other promises, over calendars

#[test]
fn promise_1_an_event_that_no_delta_shows_or_that_cannot_be_listed_is_not_deleted() {
    let home = Home::with_calendars(&BOTH);
    let before: Vec<PathBuf> = files(&home).into_iter().map(|(path, _)| path).collect();
    // Tokens that died, then listings that are refused.
    for fault in [Fault::status(410), Fault::status(403)] {
        home.sandbox.fault(Rule { write: Some(false), ..Rule::any(fault).on(Provider::Google).times(1) });
        home.sync();
        home.sandbox.with(|state| state.faults.clear());
        home.sync().expect(0);
        assert_eq!(files(&home).into_iter().map(|(path, _)| path).collect::<Vec<_>>(), before);
    }
    assert_eq!(home.writes(), 0);
}

#[test]
fn a_calendar_that_cannot_be_read_is_called_once_by_its_name_and_the_others_are_in_line() {
    let (mut google, mut microsoft) = (String::new(), String::new());
    let home = Home::of_calendars(&BOTH, |home| {
        google = home.sandbox.google_add_calendar("Chess club").unwrap();
        microsoft = home.sandbox.graph_calendar_create("Schachklub").unwrap();
        fs::write(home.config(), home.configuration("")).unwrap();
    });
    let at = |hour: u32| json!({"dateTime": format!("2050-05-20T{hour}:00:00Z")});
    let event = json!({"summary": "Summer party", "start": at(10), "end": at(11)});
    home.sandbox.google_add_event("primary", &event).unwrap();
    let ids = [google.split('@').next().unwrap(), microsoft.trim_end_matches('=')];
    for (provider, id) in [Provider::Google, Provider::Microsoft].into_iter().zip(ids) {
        home.sandbox.fault(Rule::any(Fault::status(500)).on(provider).path(id));
    }
    let said =
        ["google: calendar: \"Chess club\": list events: status 500", "microsoft365: calendar: \"Schachklub\": "];
    let ran = home.sync().expect(75).says(&said);
    assert!(ids.iter().all(|id| !ran.err.contains(id)), "{ran}");
    assert!(["Chess club", "Schachklub"].iter().all(|name| ran.err.matches(name).count() == 1), "{ran}");
    file_with(&home, "Summer party");
    let beginning =
        "google: calendar came through in part only in the last run: \"Chess club\": list events: status 500";
    home.run(&["status"]).expect(75).shows(&[beginning]);
}

#[test]
fn promise_5_what_no_provider_has_a_field_for_survives_a_change_at_the_provider() {
    let home = Home::with_calendars(&BOTH);
    let lines = [
        "DTSTART;TZID=Europe/Berlin:20260520T100000",
        "DTEND;TZID=Europe/Berlin:20260520T110000",
        "SUMMARY:Everything",
        "X-OWN;X-PARAM=1:kept",
        "GEO:52.5;13.4",
        "BEGIN:VALARM",
        "ACTION:DISPLAY",
        "TRIGGER:-PT10M",
        "DESCRIPTION:one",
        "END:VALARM",
        "BEGIN:VALARM",
        "ACTION:DISPLAY",
        "TRIGGER;RELATED=END:PT5M",
        "DESCRIPTION:two",
        "X-SOUND:bell",
        "END:VALARM",
    ];
    write_beside(&home, "SUMMARY:Quarterly figures", "all-at-google", &lines);
    write_beside(&home, "SUMMARY:Planung der Messe", "all-at-microsoft", &lines);
    home.sync().expect(0);
    let id = google_titled(&home, "Everything").unwrap()["id"].as_str().unwrap().to_owned();
    home.sandbox.google_edit_event("primary", &id, |event| event["summary"] = json!("Renamed")).unwrap();
    let id = graph_titled(&home, "Everything").unwrap()["id"].as_str().unwrap().to_owned();
    home.sandbox.graph_event_edit(&id, |event| event["subject"] = json!("Renamed")).unwrap();
    home.sync().expect(0);
    for uid in ["all-at-google", "all-at-microsoft"] {
        let (_, text) = file_with(&home, &format!("UID:{uid}"));
        assert!(text.contains("SUMMARY:Renamed"), "{text}");
        for line in &lines[3..] {
            assert!(text.contains(line), "{line} of {uid}: {text}");
        }
    }
}

#[test]
fn promise_6_a_first_sync_writes_to_no_provider_and_a_second_run_writes_nothing() {
    let home = Home::with_calendars(&BOTH);
    let before = common::files(&home.laptop());
    home.run(&["sync", "--full-check"]).expect(0);
    home.sync().expect(0);
    assert_eq!(home.writes(), 0);
    assert_eq!(common::files(&home.laptop()), before);
}

#[test]
fn promise_8_a_mass_deletion_of_events_is_held_and_can_be_put_back() {
    let home = Home::with_calendars(&GOOGLE);
    let (one, _) = file_with(&home, "UID:seedstandup@google.com");
    let all: Vec<PathBuf> =
        files(&home).into_iter().map(|(path, _)| path).filter(|p| p.parent() == one.parent()).collect();
    assert!(all.len() > 5);
    all.iter().for_each(|path| fs::remove_file(path).unwrap());
    home.sync().expect(4);
    assert_eq!(home.writes(), 0);
    let id = held(&home);
    home.run(&["drop", &id]).expect(0);
    home.sync().expect(0);
    assert_eq!(home.writes(), 0);
    assert!(all.iter().all(|path| path.exists()));
}

#[test]
fn promise_9_one_event_that_cannot_be_understood_does_not_stop_the_others() {
    let home = Home::with_calendars(&BOTH);
    write_beside(&home, "SUMMARY:Quarterly figures", "bad", &["DTSTART:no date", "SUMMARY:Bad"]);
    write_beside(&home, "SUMMARY:Quarterly figures", "good", &["DTSTART;VALUE=DATE:20260520", "SUMMARY:Good"]);
    home.sync().expect(5);
    assert!(google_titled(&home, "Good").is_some() && google_titled(&home, "Bad").is_none());
    home.run(&["status"]).expect(5).shows(&["in quarantine: laptop", "bad.ics"]);
}

#[test]
fn promise_10_a_sign_in_that_died_deletes_no_event() {
    let home = Home::with_calendars(&BOTH);
    let before = common::files(&home.laptop());
    home.run(&["logout", "google"]).expect(0);
    home.sync().expect(3);
    assert_eq!(common::files(&home.laptop()), before);
    home.login("google").expect(0);
    home.sync().expect(0);
    assert_eq!((common::files(&home.laptop()) == before, home.writes()), (true, 0));
}

#[test]
fn promise_11_a_pause_of_writes_is_kept_and_reading_goes_on() {
    let home = Home::with_calendars(&GOOGLE);
    let over = json!({"error": {"code": 403, "message": "Calendar usage limits exceeded.",
        "errors": [{"domain": "usageLimits", "reason": "quotaExceeded", "message": "Calendar usage limits exceeded."}]}});
    home.sandbox.fault(
        Rule::any(Fault::Status { status: 403, retry_after: None, executed: false, body: Some(over) })
            .on(Provider::Google)
            .writes()
            .times(1),
    );
    edit(&home, "SUMMARY:Training", "SUMMARY:Exercise");
    home.sync().expect(75);
    home.sandbox.google_edit_event("primary", "seeddoctor", |event| event["summary"] = json!("Dentist")).unwrap();
    let writes = home.writes();
    home.sync().expect(75);
    assert_eq!(home.writes(), writes, "nothing is written while the pause lasts");
    file_with(&home, "SUMMARY:Dentist");
}

#[test]
fn promise_13_a_folder_of_events_that_another_tool_filled_is_adopted() {
    let home = Home::with_calendars(&BOTH);
    let before = files(&home);
    // A new machine: nothing but the folder, without our marks, under other names.
    fs::remove_dir_all(home.state()).unwrap();
    fs::remove_file(home.laptop().join(".twofold")).unwrap();
    for (path, text) in &before {
        let lines = text.split_inclusive("\r\n").filter(|line| !line.starts_with("X-TWOFOLD-"));
        fs::write(path.with_extension("tmp"), lines.collect::<String>()).unwrap();
        fs::remove_file(path).unwrap();
        fs::rename(
            path.with_extension("tmp"),
            path.with_file_name(format!("n{}", path.file_name().unwrap().to_str().unwrap())),
        )
        .unwrap();
    }
    // The folders of empty calendars, too.
    for path in common::files(&home.laptop()).into_keys().filter(|path| path.ends_with(".twofold-collection")) {
        fs::remove_file(home.laptop().join(path)).unwrap();
    }
    for name in BOTH {
        home.login(name).expect(0);
    }
    home.sync().expect(0);
    assert_eq!(files(&home).len(), before.len(), "nothing is doubled");
    assert_eq!(home.writes(), 0);
    home.sync().expect(0).shows(&["nothing to do"]);
}

#[test]
fn promise_14_two_titles_of_one_event_are_a_conflict_that_keeps_both() {
    let home = Home::with_calendars(&GOOGLE);
    edit(&home, "SUMMARY:Training", "SUMMARY:From the laptop");
    home.sandbox.google_edit_event("primary", "seedfit", |event| event["summary"] = json!("From Google")).unwrap();
    home.sync().expect(5);
    let all = home.json(&["conflicts"])["conflicts"].clone();
    assert_eq!(all.as_array().map(Vec::len), Some(1), "{all}");
    let shown = home.run(&["conflicts", "show", all[0]["id"].as_str().unwrap()]).expect(0);
    assert!(shown.out.contains("From the laptop") && shown.out.contains("From Google"), "{shown}");
}
