//! What the service tells of itself: its log, and how much that says.

use super::*;
use serde_json::{Value, json};

/// Stands in every field of what is kept in step here, and in no line of a log.
const SECRET: &str = "Quittengelee";
/// How the tokens of both providers begin.
const TOKENS: [&str; 4] = ["ya29.", "1//0", "EwB", "0.A"];

/// Starts the service under a configuration.
fn start(home: &Home, configuration: &str, args: &[&str], environment: &[(&str, &str)]) -> Service {
    fs::write(home.config(), configuration).unwrap();
    let service = Service::begin_as(home, args, environment);
    service.until_told("READY=1", 1);
    service
}

/// Waits until so many more runs have begun.
fn until_more_runs(service: &Service, more: usize) {
    let runs = service.told().iter().filter(|line| line.contains("STATUS=at work")).count();
    service.until_told("STATUS=at work", runs + more);
}

/// A service that keeps all kinds, with a contact, an event and a message that say the secret in every field.
fn home_with_secrets() -> Home {
    let home = Home::new(twofold_sandbox::Options::demo(), &BOTH);
    fs::write(home.config(), all_kinds(&home, "")).unwrap();
    BOTH.iter().for_each(|name| drop(home.login(name).expect(0)));
    let mail = format!("{SECRET}@example.org");
    let address =
        json!([{"streetAddress": SECRET, "city": SECRET, "region": SECRET, "country": SECRET, "postalCode": SECRET}]);
    let person = json!({
        "names": [{"givenName": SECRET, "familyName": SECRET, "middleName": SECRET, "honorificPrefix": SECRET}],
        "nicknames": [{"value": SECRET}], "emailAddresses": [{"value": mail, "type": SECRET}],
        "phoneNumbers": [{"value": SECRET}], "addresses": address, "biographies": [{"value": SECRET}],
        "organizations": [{"name": SECRET, "title": SECRET, "department": SECRET}],
        "urls": [{"value": format!("https://{SECRET}.example.org/")}], "relations": [{"person": SECRET, "type": "friend"}],
        "userDefined": [{"key": SECRET, "value": SECRET}], "imClients": [{"username": SECRET, "protocol": "jabber"}],
    });
    home.sandbox.google_create(&person).unwrap();
    let at = |hour: u32| json!({"dateTime": format!("2050-05-20T{hour}:00:00"), "timeZone": "Europe/Berlin"});
    let event = json!({"summary": SECRET, "description": SECRET, "location": SECRET, "start": at(10), "end": at(11),
        "attendees": [{"email": mail, "displayName": SECRET, "responseStatus": "needsAction"}]});
    home.sandbox.google_add_event("primary", &event).unwrap();
    home.sandbox.google_add_mail(letter().as_bytes(), &["INBOX"]);
    let contact = json!({"givenName": SECRET, "surname": SECRET, "jobTitle": SECRET, "companyName": SECRET, "personalNotes": SECRET,
        "emailAddresses": [{"address": mail, "name": SECRET}], "mobilePhone": SECRET, "categories": [SECRET]});
    home.sandbox.graph_create("contacts", &contact).unwrap();
    home
}

fn letter() -> String {
    let lines = [
        &format!("From: {SECRET} <{SECRET}@example.org>"),
        &format!("To: {SECRET} <you-{SECRET}@example.org>"),
        &format!("Cc: {SECRET} <they-{SECRET}@example.org>"),
        &format!("Subject: {SECRET}"),
        &format!("Message-ID: <1.{SECRET}@example.org>"),
        "Date: Fri, 20 Nov 2026 10:00:00 +0000",
        "",
        SECRET,
        "",
    ];
    lines.join("\r\n")
}

fn all_kinds(home: &Home, more: &str) -> String {
    home.configuration(more).replace("kinds = [\"contacts\"]", "kinds = [\"mail\", \"calendar\", \"contacts\"]")
}

/// Changes of each sort, at Google and on the device, and each at its end.
fn change_all(home: &Home, service: &Service) {
    let secrets =
        || files(&home.laptop()).into_iter().filter(|(_, bytes)| String::from_utf8_lossy(bytes).contains(SECRET));
    soon("all on the device", || secrets().count() >= 4);
    service.until_at_rest();
    let person = home.google_person(SECRET);
    home.sandbox
        .google_edit(&person, |person| person["nicknames"] = json!([{"value": format!("{SECRET} II")}]))
        .unwrap();
    let events = home.sandbox.google_events("primary");
    let event = events.iter().find(|event| event["summary"] == SECRET).unwrap();
    home.sandbox.google_delete_event("primary", event["id"].as_str().unwrap()).unwrap();
    soon("an edit and a removal on the device", || {
        device_says(home, &format!("{SECRET} II")) && secrets().count() == 3
    });
    service.until_at_rest();
    let card = secrets().find(|(_, bytes)| String::from_utf8_lossy(bytes).contains(&format!("{SECRET} II"))).unwrap().0;
    let card = home.laptop().join(card);
    let text = fs::read_to_string(&card).unwrap();
    fs::write(&card, text.replace(&format!("{SECRET} II"), &format!("{SECRET} III"))).unwrap();
    soon("the device's edit at Google", || home.google_text().contains(&format!("{SECRET} III")));
    service.until_at_rest();
}

fn holds_no_secret(ran: &Ran) {
    let log = ran.err.to_lowercase();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains(&SECRET.to_lowercase())).collect();
    assert!(lines.is_empty(), "a line holds what an item says: {lines:?}");
    for token in TOKENS {
        assert!(!ran.err.contains(token), "a token ({token}) is in the log: {ran}");
    }
    assert!(!log.contains("bearer"), "{ran}");
}

#[test]
fn each_change_has_a_line_and_at_no_level_a_line_holds_what_items_say_or_a_token() {
    let home = home_with_secrets();
    let more = format!("\n[log]\nformat = \"json\"\n\n[schedule]\n{OFTEN}\n");
    let service = start(&home, &all_kinds(&home, &more), &["daemon"], &[("TWOFOLD_LOG", "trace")]);
    change_all(&home, &service);
    let ran = service.stop();
    holds_no_secret(&ran);
    let lines: Vec<Value> = ran.err.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    assert!(
        lines.iter().any(|line| line["level"] == "TRACE" || line["level"] == "DEBUG"),
        "it says all that there is: {ran}"
    );
    let told = |words: &str| {
        lines
            .iter()
            .filter(|line| line["message"].as_str().is_some_and(|text| text.contains(words)))
            .collect::<Vec<_>>()
    };
    for (kind, way, what) in [
        ("contacts", "taken from google", "new"),
        ("calendar", "taken from google", "new"),
        ("mail", "taken from google", "new"),
        ("contacts", "sent to laptop", "new"),
        ("calendar", "sent to laptop", "new"),
        ("mail", "sent to laptop", "new"),
        ("contacts", "taken from google", "edited"),
        ("contacts", "sent to laptop", "edited"),
        ("calendar", "taken from google", "removed"),
        ("calendar", "sent to laptop", "removed"),
        ("contacts", "taken from laptop", "edited"),
        ("contacts", "sent to google", "edited"),
    ] {
        let found = told(&format!("{way}: {kind}"));
        let line = found.iter().find(|line| line["message"].as_str().is_some_and(|text| text.ends_with(what)));
        let line = line.unwrap_or_else(|| panic!("{way}: {kind} … {what}: {ran}"));
        assert_eq!((&line["level"], &line["kind"]), (&json!("INFO"), &json!(kind)), "{line}");
        assert!(line["replica"].is_string() && line["item"].is_string() && line["collection"].is_number(), "{line}");
        assert!(line["span"]["run"].is_number(), "{line}");
    }
    // The number of a run stands in one place, whatever line it is.
    let sums = told(" taken, ");
    assert!(!sums.is_empty() && sums.iter().all(|line| line["span"]["run"].is_number()), "{sums:?}");
    let twice: Vec<_> = lines.iter().filter(|line| line["run"] != Value::Null).collect();
    assert!(twice.is_empty(), "{twice:?}");
    // Once each: what is made on the device is as many as were taken.
    let items = |way: &str| {
        let mut items: Vec<&str> = told(way).iter().filter_map(|line| line["item"].as_str()).collect();
        items.sort_unstable();
        items
    };
    let (taken, twice) = (items("taken from google: contacts"), items("sent to google: contacts"));
    let new = told("taken from google: contacts")
        .iter()
        .filter(|line| line["message"].as_str().unwrap().ends_with("new"))
        .count();
    assert_eq!((new, twice.len()), (home.sandbox.google_people().len(), 1), "{taken:?}");
}

#[test]
fn in_plain_text_and_in_the_service_of_a_person_at_a_terminal_no_line_holds_a_secret_either() {
    let home = home_with_secrets();
    let more = format!("\n[schedule]\n{OFTEN}\n");
    let service = start(&home, &all_kinds(&home, &more), &["-vvv", "daemon"], &[]);
    change_all(&home, &service);
    let ran = service.stop();
    holds_no_secret(&ran);
    assert!(ran.err.contains("run{run="), "{ran}");
}

#[test]
fn it_says_each_change_without_being_asked_and_less_where_that_is_set() {
    for (level, says_changes) in [("", true), ("level = \"warn\"", false)] {
        let home = Home::synced(&GOOGLE);
        let service =
            start(&home, &home.configuration(&format!("\n[schedule]\n{OFTEN}\n[log]\n{level}\n")), &["daemon"], &[]);
        give_nickname(&home, "Hotel Beispiel", "Zum Anker");
        soon("Google's change on the device", || device_says(&home, "Zum Anker"));
        service.until_at_rest();
        let ran = service.stop();
        assert_eq!(ran.err.contains("taken from google: contacts"), says_changes, "{ran}");
        assert_eq!(ran.err.contains("google, contacts: 1 taken, 0 sent"), says_changes, "{ran}");
        assert!(!ran.err.contains("DEBUG"), "{ran}");
    }
}

#[test]
fn a_signal_makes_it_say_more_and_another_one_as_much_as_before() {
    let home = Home::synced(&GOOGLE);
    let service = start(&home, &home.configuration(&format!("\n[schedule]\n{OFTEN}\n")), &["daemon"], &[]);
    until_more_runs(&service, 1);
    service.signal(Signal::USR1);
    until_more_runs(&service, 3);
    service.signal(Signal::USR2);
    until_more_runs(&service, 3);
    let ran = service.stop();
    let at = |words: &str| ran.err.find(words).unwrap_or_else(|| panic!("{words}: {ran}"));
    let (more, usual) = (at("the log says more: debug"), at("the log says what it says usually: info"));
    let requests: Vec<usize> = ran.err.match_indices("DEBUG").map(|(at, _)| at).collect();
    assert!(!requests.is_empty(), "{ran}");
    assert!(requests.iter().all(|at| (more..usual).contains(at)), "{ran}");
}

#[test]
fn the_signal_goes_round_and_a_configuration_that_is_read_again_counts() {
    let home = Home::synced(&GOOGLE);
    let with = |level: &str| {
        home.configuration(&format!("\n[schedule]\n{OFTEN}\n[log]\nlevel = {level:?}\nformat = \"text\"\n"))
    };
    let service = start(&home, &with("debug"), &["daemon"], &[]);
    until_more_runs(&service, 1);
    service.signal(Signal::USR1);
    until_more_runs(&service, 2);
    service.signal(Signal::USR1);
    until_more_runs(&service, 2);
    fs::write(home.config(), with("error").replace("\"text\"", "\"json\"")).unwrap();
    service.signal(Signal::HUP);
    service.until_told("READY=1", 2);
    let ran = {
        until_more_runs(&service, 2);
        service.stop()
    };
    let at = |words: &str| ran.err.find(words).unwrap_or_else(|| panic!("{words}: {ran}"));
    assert!(at("the log says more: trace") < at("the log says what it says usually: debug"), "{ran}");
    let read_again = at("the form of the log stays as it is");
    // A run that is under way in that moment may say what it asks for (two things) before the level falls; those after it say nothing.
    assert!(ran.err[read_again..].matches("DEBUG").count() <= 2, "{ran}");
    assert!(!ran.err.contains("\"level\":"), "{ran}");
}

#[test]
fn one_run_by_hand_is_as_quiet_as_ever() {
    let home = Home::synced(&GOOGLE);
    give_nickname(&home, "Hotel Beispiel", "Zum Anker");
    let ran = home.run(&["sync"]).expect(0);
    assert!(ran.err.is_empty(), "{ran}");
    give_nickname(&home, "Hotel Beispiel", "Zum Kahn");
    let ran = home.run(&["-v", "sync"]).expect(0);
    assert_eq!(ran.err.matches("taken from google: contacts").count(), 1, "{ran}");
    give_nickname(&home, "Hotel Beispiel", "Zum Hirsch");
    let ran = home.run(&["-v", "sync", "--dry-run"]).expect(0);
    assert!(ran.err.contains("dry_run{run="), "{ran}");
}

#[test]
fn a_trouble_at_an_account_has_its_name_in_a_field_when_it_begins_and_when_it_is_over() {
    let home = Home::synced(&GOOGLE);
    home.run(&["logout", "google"]).expect(0);
    let configuration = home.configuration(&format!("\n[schedule]\n{ONCE}\n\n[log]\nformat = \"json\"\n"));
    let service = start(&home, &configuration, &["daemon"], &[]);
    service.until_told("twofold login google", 1);
    home.login("google").expect(0);
    service.until_told("all is well", 1);
    let ran = service.stop();
    let lines: Vec<Value> = ran.err.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    for beginning in ["google: ", "over: google: "] {
        let of = |line: &&Value| line["message"].as_str().is_some_and(|message| message.starts_with(beginning));
        let line = lines.iter().find(of).unwrap_or_else(|| panic!("{beginning}: {ran}"));
        assert_eq!(line["replica"], "google", "{line}");
    }
}

/// Each line, which must be JSON.
#[track_caller]
fn all_json(ran: &Ran) -> Vec<Value> {
    let read = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line:?}: {ran}"));
    ran.err.lines().map(read).collect()
}

#[test]
fn where_it_is_json_each_line_is_from_the_first_to_the_last_also_of_a_service_that_does_not_begin() {
    let home = Home::synced(&GOOGLE);
    let configuration = home.configuration(&format!("\n[schedule]\n{ONCE}\n\n[log]\nformat = \"json\"\n"));
    let service = start(&home, &configuration, &["daemon"], &[]);
    let ran = home.run(&["daemon"]).expect(75);
    let lines = all_json(&ran);
    let last = lines.last().unwrap();
    assert_eq!(last["level"], "ERROR", "{ran}");
    assert!(last["message"].as_str().unwrap().starts_with("another service of this hub is running"), "{ran}");
    // What it looks like is settled by its start, and not by what is read later.
    fs::write(home.config(), configuration.replace("\"json\"", "\"text\"")).unwrap();
    service.signal(Signal::HUP);
    service.until_told("READY=1", 2);
    let ran = service.stop();
    let lines = all_json(&ran);
    let (first, last) = (lines.first().unwrap(), lines.last().unwrap());
    assert_eq!((&first["message"], &first["level"]), (&json!("the service begins"), &json!("INFO")));
    assert_eq!((&last["message"], &last["level"]), (&json!("stopped at a clean point"), &json!("INFO")));
    // Why it does not begin is said at any level.
    fs::write(home.config(), &configuration).unwrap();
    fs::set_permissions(home.state().join("hub.sqlite"), fs::Permissions::from_mode(0o644)).unwrap();
    let mut command = home.command(&["daemon"]);
    command.env("TWOFOLD_LOG", "off");
    let ran = home.talk(command, &["daemon"]).end().expect(2).says(&["hub.sqlite"]);
    assert_eq!(all_json(&ran).len(), 1, "{ran}");
}

#[test]
fn a_zone_in_the_environment_that_has_no_name_is_told_once_with_the_one_that_counts() {
    let home = Home::synced(&GOOGLE);
    let rule = [("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")];
    let service = start(&home, &home.configuration(&format!("\n[schedule]\n{OFTEN}\n")), &["daemon"], &rule);
    until_more_runs(&service, 2);
    let ran = service.stop();
    assert_eq!(ran.err.matches("TZ is \"CET-1CEST,M3.5.0,M10.5.0/3\" in the environment").count(), 1, "{ran}");
    let doctor = home.command(&["doctor", "--offline"]).envs(rule).output().unwrap();
    let out = String::from_utf8(doctor.stdout).unwrap();
    assert!(out.contains("warn  time zone: TZ is ") && out.contains("TZ=Europe/Berlin"), "{out}");
    let doctor = home.command(&["doctor", "--offline"]).env("TZ", "Asia/Tokyo").output().unwrap();
    let out = String::from_utf8(doctor.stdout).unwrap();
    assert!(out.contains("ok    time zone: Asia/Tokyo"), "{out}");
}
