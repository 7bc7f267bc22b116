//! New meetings that are made on a device, where mail is allowed: each guest hears of it once, from one provider, and of nothing
//! that is no new meeting of the user's own.

use super::{edit, file_with, google_titled, graph_titled, mails, write_beside};
use crate::common::{BOTH, Home, files};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use twofold_sandbox::google::calendar::Notice;
use twofold_sandbox::microsoft365::calendar::{Mail, Why};
use twofold_sandbox::{Fault, Phase, Provider, Rule};

/// The account at Google. That at Microsoft is another address, unless a test says otherwise.
const AT_GOOGLE: &str = "ada@example.com";
const AT_MICROSOFT: &str = "ada@work.example";
/// An event that stands at each provider.
const BESIDE: [(&str, &str); 2] =
    [("google", "SUMMARY:Quarterly figures"), ("microsoft365", "SUMMARY:Planung der Messe")];

const MAY_MAIL: &str = "\n[calendar]\nmay_mail_attendees = true\n";
const JOIN: &str = "\n[[join]]\nkind = \"calendar\"\ncollections = [\"microsoft365:default\", \"google:default\"]\n";

/// A home with both providers, in step, that may mail.
fn home(microsoft: &str, more: &str) -> Home {
    let home = Home::of_calendars(&BOTH, |home| {
        home.sandbox.with(|state| state.microsoft_account.email = microsoft.to_owned());
        fs::write(home.config(), home.configuration(&format!("{MAY_MAIL}{more}"))).unwrap();
    });
    assert_eq!(mails(&home), 0, "what is there invites nobody");
    home
}

/// A meeting in spring, far from now, with two guests; `organizer` organizes it.
fn meeting(organizer: Option<&str>) -> Vec<String> {
    let organizer = organizer.map(|address| format!("ORGANIZER;CN=Ada B:mailto:{address}"));
    let lines = [
        "DTSTART;TZID=Europe/Berlin:20500520T100000",
        "DTEND;TZID=Europe/Berlin:20500520T110000",
        "SUMMARY:With guests",
        "ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:bob@example.org",
        "ATTENDEE;CN=Eve;ROLE=OPT-PARTICIPANT:mailto:Eve@example.net",
    ];
    lines.into_iter().map(str::to_owned).chain(organizer).collect()
}

fn make(home: &Home, beside: &str, lines: &[String]) {
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    write_beside(home, beside, "new-meeting", &lines);
}

/// Who was invited, by each provider, sorted; every other mail fails the test.
fn invited(home: &Home) -> (Vec<String>, Vec<String>) {
    let of_google = home.sandbox.google_mails().into_iter().map(|mail| {
        assert_eq!(mail.what, Notice::Invitation, "{mail:?}");
        mail.to.to_lowercase()
    });
    let of_graph = home.sandbox.graph_mails().into_iter().flat_map(|mail| {
        assert_eq!(mail.why, Why::Invitation, "{mail:?}");
        mail.to
    });
    let (mut google, mut graph): (Vec<_>, Vec<_>) =
        (of_google.collect(), of_graph.map(|to| to.to_lowercase()).collect());
    google.sort();
    graph.sort();
    (google, graph)
}

fn guests() -> Vec<String> {
    vec!["bob@example.org".into(), "eve@example.net".into()]
}

/// What follows once a meeting was made: nothing is written, and nobody hears of anything.
fn is_quiet(home: &Home, what: &str) {
    let before = mails(home);
    home.sandbox.reset_counts();
    home.sync().expect(0);
    home.run(&["sync", "--full-check"]).expect(0);
    assert_eq!((home.writes(), mails(home)), (0, before), "{what}");
}

#[test]
fn a_new_meeting_that_is_made_on_a_device_asks_each_guest_once() {
    let everybody = guests();
    for (provider, beside) in BESIDE {
        let home = home(AT_MICROSOFT, "");
        let account = if provider == "google" { AT_GOOGLE } else { AT_MICROSOFT };
        // The organizer takes part, as many applications write it.
        let mut lines = meeting(Some(account));
        lines.push(format!("ATTENDEE;PARTSTAT=ACCEPTED;CN=Ada B:mailto:{account}"));
        make(&home, beside, &lines);
        home.sync().expect(0);
        let (google, graph) = invited(&home);
        match provider {
            "google" => {
                assert_eq!((&google, graph.len()), (&everybody, 0));
                let there = google_titled(&home, "With guests").unwrap();
                assert_eq!(there["attendees"].as_array().map(Vec::len), Some(3), "{there}");
            }
            _ => {
                assert_eq!((google.len(), &graph), (0, &everybody));
                let there = graph_titled(&home, "With guests").unwrap();
                assert_eq!(there["attendees"].as_array().map(Vec::len), Some(2), "{there}");
                assert_eq!(there["attendees"][1]["type"], "optional");
            }
        }
        is_quiet(&home, provider);
        let (_, text) = file_with(&home, "UID:new-meeting");
        assert!(lines.iter().all(|line| text.contains(line)), "the file stays as it was: {text}");
        // A later change is told as ever: once, by the same provider.
        edit(&home, "SUMMARY:With guests", "SUMMARY:Later");
        let before = mails(&home);
        home.sync().expect(0);
        assert!(mails(&home) > before, "{provider}");
    }
}

#[test]
fn a_new_series_with_a_changed_occurrence_asks_its_guests_to_the_series() {
    for (provider, beside) in BESIDE {
        let home = home(AT_MICROSOFT, "");
        let mut lines = meeting(None);
        lines.extend(["RRULE:FREQ=WEEKLY;COUNT=5", "EXDATE;TZID=Europe/Berlin:20500603T100000"].map(str::to_owned));
        let exception = [
            "END:VEVENT",
            "BEGIN:VEVENT",
            "UID:new-meeting",
            "DTSTAMP:20260101T000000Z",
            "RECURRENCE-ID;TZID=Europe/Berlin:20500527T100000",
            "DTSTART;TZID=Europe/Berlin:20500527T120000",
            "DTEND;TZID=Europe/Berlin:20500527T130000",
            "SUMMARY:With guests at noon",
        ];
        lines.extend(exception.map(str::to_owned));
        lines.extend(meeting(None).split_off(3));
        make(&home, beside, &lines);
        home.sync().expect(0);
        let google: Vec<String> = home
            .sandbox
            .google_mails()
            .into_iter()
            .filter(|mail| mail.what == Notice::Invitation)
            .map(|mail| mail.to)
            .collect();
        let of_graph = home.sandbox.graph_mails();
        let graph: Vec<String> =
            of_graph.iter().filter(|mail| mail.why == Why::Invitation).flat_map(|mail| mail.to.clone()).collect();
        let here = if provider == "google" { &google } else { &graph };
        assert_eq!((here.len(), google.len() + graph.len()), (2, 2), "{provider}: {google:?} {graph:?}");
        let calls_off =
            |mail: &&Mail| mail.why == Why::Cancellation && mail.occurrence.as_deref() != Some("2050-06-03");
        assert_eq!(
            of_graph.iter().filter(calls_off).count(),
            0,
            "nobody is asked away from an occurrence that is: {of_graph:?}"
        );
        assert!(home.sandbox.google_mails().iter().all(|mail| mail.what != Notice::Cancellation));
        is_quiet(&home, provider);
    }
}

#[test]
fn of_a_joined_calendar_one_provider_asks_that_of_the_organizer_or_else_the_first() {
    let (everybody, nobody) = (guests(), Vec::new());
    let (by_google, by_microsoft) = ((&everybody, &nobody), (&nobody, &everybody));
    for (what, microsoft, organizer, expected) in [
        ("that of Google's account", AT_MICROSOFT, Some(AT_GOOGLE), by_google),
        ("that of Microsoft's account", AT_MICROSOFT, Some("ADA@work.example"), by_microsoft),
        ("nobody is named", AT_MICROSOFT, None, by_microsoft),
        ("both are that account's", AT_GOOGLE, Some(AT_GOOGLE), by_microsoft),
        ("somebody else", AT_MICROSOFT, Some("boss@example.com"), (&nobody, &nobody)),
    ] {
        let home = home(microsoft, JOIN);
        make(&home, "SUMMARY:Quarterly figures", &meeting(organizer));
        home.sync().expect(0);
        let (google, graph) = invited(&home);
        assert_eq!((&google, &graph), expected, "{what}");
        let (there, also) = (google_titled(&home, "With guests").unwrap(), graph_titled(&home, "With guests").unwrap());
        assert_eq!(there.get("attendees").is_some(), !google.is_empty(), "{what}");
        assert_eq!(also["attendees"] != json!([]), !graph.is_empty(), "{what}");
        is_quiet(&home, what);
    }
}

#[test]
fn where_the_provider_that_asks_cannot_be_reached_the_other_waits_for_it() {
    let home = home(AT_MICROSOFT, JOIN);
    make(&home, "SUMMARY:Quarterly figures", &meeting(Some(AT_GOOGLE)));
    home.sandbox.fault(Rule::any(Fault::status(503)).on(Provider::Google));
    home.sync();
    assert!(graph_titled(&home, "With guests").is_none() && mails(&home) == 0);
    home.run(&["sync", "--replica", "microsoft365"]);
    assert!(graph_titled(&home, "With guests").is_none() && mails(&home) == 0);
    home.sandbox.with(|state| state.faults.clear());
    home.sync();
    home.sync().expect(0);
    assert_eq!(invited(&home), (guests(), Vec::new()));
    assert!(graph_titled(&home, "With guests").is_some());
    is_quiet(&home, "in the end");
}

#[test]
fn what_is_no_new_meeting_of_the_users_own_invites_nobody() {
    let past = |line: &String| line.replace("20500520", "20200520");
    let answered = |line: &String| line.replace("PARTSTAT=NEEDS-ACTION", "PARTSTAT=ACCEPTED");
    let own = meeting(Some(AT_GOOGLE));
    for (what, lines) in [
        ("somebody else organizes it", meeting(Some("boss@example.com"))),
        ("it is over", own.iter().map(past).collect()),
        ("a guest has answered already", own.iter().map(answered).collect()),
        ("nobody but the user", own.iter().filter(|line| !line.starts_with("ATTENDEE")).cloned().collect()),
    ] {
        for (_, beside) in BESIDE {
            let home = home(AT_GOOGLE, "");
            make(&home, beside, &lines);
            home.sync().expect(0);
            assert!(google_titled(&home, "With guests").is_some() || graph_titled(&home, "With guests").is_some());
            assert_eq!(mails(&home), 0, "{what}");
            is_quiet(&home, what);
        }
    }
}

#[test]
fn a_meeting_that_comes_from_the_other_provider_invites_nobody() {
    let home = home(AT_GOOGLE, JOIN);
    let at = |clock: &str| json!({"dateTime": format!("2050-05-20T{clock}"), "timeZone": "Europe/Berlin"});
    let event = json!({"summary": "Made at Google", "start": at("10:00:00"), "end": at("11:00:00"),
        "attendees": [{"email": "bob@example.org", "responseStatus": "needsAction"}]});
    home.sandbox.google_add_event("primary", &event).unwrap();
    home.sandbox.google_forget_mails();
    home.sync().expect(0);
    assert_eq!(graph_titled(&home, "Made at Google").unwrap()["attendees"], json!([]));
    assert_eq!(mails(&home), 0);
    // Nor does one that comes back.
    let (path, text) = file_with(&home, "SUMMARY:Made at Google");
    fs::remove_file(&path).unwrap();
    home.sync().expect(0);
    home.sandbox.google_forget_mails();
    fs::write(&path, text).unwrap();
    home.sync().expect(0);
    assert!(google_titled(&home, "Made at Google").is_some_and(|event| event["status"] != "cancelled"));
    assert_eq!(mails(&home), 0);
    is_quiet(&home, "back again");
}

#[test]
fn what_a_folder_brings_on_its_first_use_is_no_new_meeting() {
    let home = home(AT_GOOGLE, "");
    // The state is lost, and of the folder one meeting stands at no provider any more.
    make(&home, BESIDE[0].1, &meeting(Some(AT_GOOGLE)));
    fs::remove_dir_all(home.state()).unwrap();
    let marks = |name: &PathBuf| name.ends_with(".twofold") || name.ends_with(".twofold-collection");
    for name in files(&home.laptop()).into_keys().filter(marks) {
        fs::remove_file(home.laptop().join(name)).unwrap();
    }
    BOTH.iter().for_each(|name| drop(home.login(name).expect(0)));
    home.sync().expect(0);
    assert!(google_titled(&home, "With guests").is_some());
    assert_eq!(mails(&home), 0);
    is_quiet(&home, "first use");
    // A folder that is put there as a whole becomes a calendar; what was in it may be as old.
    let (path, text) = file_with(&home, "UID:new-meeting");
    let folder = path.parent().unwrap().with_file_name("Exported");
    fs::create_dir(&folder).unwrap();
    fs::write(
        folder.join("a.ics"),
        text.replace("new-meeting", "old-meeting").replace("With guests", "Exported meeting"),
    )
    .unwrap();
    home.sync().expect(0);
    let calendars = home.sandbox.google_calendars();
    let made =
        calendars.iter().find(|calendar| calendar["summary"] == "Exported").unwrap_or_else(|| panic!("{calendars:?}"));
    assert_eq!(home.sandbox.google_events(made["id"].as_str().unwrap()).len(), 1);
    assert_eq!(mails(&home), 0);
    is_quiet(&home, "a folder");
}

#[test]
fn a_new_meeting_whose_reply_is_lost_asks_each_guest_once() {
    for more in ["", JOIN] {
        for (provider, beside) in BESIDE {
            for fault in [Fault::DropBefore, Fault::DropAfter, Fault::status(500)] {
                let what = format!("{provider} {fault:?} {more}");
                let home = home(AT_MICROSOFT, more);
                let (account, at) = match provider {
                    "google" => (AT_GOOGLE, Provider::Google),
                    _ => (AT_MICROSOFT, Provider::Microsoft),
                };
                make(&home, beside, &meeting(Some(account)));
                home.sandbox.fault(Rule::any(fault.clone()).on(at).writes().times(1));
                home.sync();
                is_asked_once_in_the_end(&home, provider, &what);
            }
        }
    }
}

#[test]
fn a_new_meeting_at_which_the_program_is_killed_asks_each_guest_once() {
    for more in ["", JOIN] {
        for (provider, beside) in BESIDE {
            for at in [Phase::Before, Phase::After] {
                // What a batch of Graph's is about is told by what it has done.
                if (provider, at) == ("microsoft365", Phase::Before) {
                    continue;
                }
                let what = format!("{provider} killed {at:?} {more}");
                let home = home(AT_MICROSOFT, more);
                make(&home, beside, &meeting(Some(if provider == "google" { AT_GOOGLE } else { AT_MICROSOFT })));
                kill_when_it_asks(&home, at);
                is_asked_once_in_the_end(&home, provider, &what);
            }
        }
    }
}

/// Kills a run before its first write is executed, or after the first that mails.
fn kill_when_it_asks(home: &Home, at: Phase) {
    let (reached, is_reached) = channel();
    let (dead, is_dead) = channel();
    let ends = Mutex::new((reached, is_dead, false));
    let sandbox = home.sandbox.clone();
    home.sandbox.set_hook(Some(Arc::new(move |info, phase| {
        let Ok(mut ends) = ends.lock() else { return };
        let has_mailed = || !sandbox.google_mails().is_empty() || !sandbox.graph_mails().is_empty();
        let is_it = if at == Phase::Before { info.is_write } else { has_mailed() };
        if phase != at || ends.2 || !is_it {
            return;
        }
        ends.2 = true;
        if at == Phase::Before {
            sandbox.fault(Rule::any(Fault::DropBefore).times(1));
        }
        // Where the test has failed meanwhile nobody listens.
        let _ = ends.0.send(());
        let _ = ends.1.recv();
    })));
    let talk = home.start(&["sync"]);
    is_reached.recv_timeout(std::time::Duration::from_secs(60)).unwrap();
    talk.signal(Signal::KILL);
    let ran = talk.end();
    assert_eq!(ran.code, None, "{ran}");
    dead.send(()).unwrap();
    home.sandbox.set_hook(None);
}

fn is_asked_once_in_the_end(home: &Home, provider: &str, what: &str) {
    home.sync();
    // A list may lag behind what was made: what is not there counts as not made only after a minute, which passes here.
    let mut hub = twofold_hub::Hub::open(&home.state()).unwrap();
    for intent in hub.intents().unwrap() {
        hub.set_sent(&[intent.id], intent.sent_ms.unwrap() - 120_000).unwrap();
    }
    drop(hub);
    home.sync().expect(0);
    let (google, graph) = invited(home);
    let (here, there) = if provider == "google" { (google, graph) } else { (graph, google) };
    assert_eq!((here, there), (guests(), Vec::new()), "{what}");
    let count = |events: Vec<Value>, title: &str| {
        events.iter().filter(|event| event[title] == "With guests" && event["status"] != "cancelled").count()
    };
    let at_both =
        (count(home.sandbox.google_events("primary"), "summary"), count(home.sandbox.graph_events(), "subject"));
    let is_joined = what.contains("join");
    let expected = if is_joined {
        (1, 1)
    } else if provider == "google" {
        (1, 0)
    } else {
        (0, 1)
    };
    assert_eq!(at_both, expected, "{what}");
    is_quiet(home, what);
}
