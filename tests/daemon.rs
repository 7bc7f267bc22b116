//! The service, as the built program: what changes anywhere is elsewhere soon, and nothing but a signal ends it.
//!
//! | environment | runs |
//! |---|---|
//! | `TWOFOLD_STOPS=100` | so many stops at random moments (ordinarily 20) |
//! | `TWOFOLD_SEED=7` | which moments these are |

#[path = "daemon/asked.rs"]
mod asked;
mod common;
#[path = "daemon/notices.rs"]
mod notices;
#[path = "daemon/status.rs"]
mod status;
#[path = "daemon/telling.rs"]
mod telling;

use common::{BOTH, GOOGLE, Home, MICROSOFT, Ran, Talk, files};
use rand::{Rng, SeedableRng};
use rustix::process::Signal;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use twofold_sandbox::oauth::End;
use twofold_sandbox::{Fault, Provider, Rule};

/// Far more than anything here takes, and far less than a test may hang.
const PATIENCE: Duration = Duration::from_secs(60);
/// A stop takes no longer (promise 12).
const STOP_WITHIN: Duration = Duration::from_secs(10);
/// What changes in a device folder is at work within this time.
const AT_WORK_WITHIN: Duration = Duration::from_secs(2);

/// Looks every second.
const OFTEN: &str = "every = \"1s\"";
/// Looks once at its beginning, and for a day at nothing but what it is told of.
const ONCE: &str = "every = \"1d\"";

/// The service under way, and what it told the manager.
struct Service {
    talk: Option<Talk>,
    told: Arc<Mutex<Vec<String>>>,
}

impl Service {
    /// Starts it under a `[schedule]` and waits until it is ready.
    fn start(home: &Home, schedule: &str) -> Service {
        configure(home, schedule);
        let service = Service::begin(home);
        service.until_told("READY=1", 1);
        service
    }

    /// Starts it; its manager listens at a socket of its own.
    fn begin(home: &Home) -> Service {
        Service::begin_with(home, &[])
    }

    /// The same, told more of its environment.
    fn begin_with(home: &Home, environment: &[(&str, &str)]) -> Service {
        Service::begin_as(home, &["-v", "daemon"], environment)
    }

    /// The same with other arguments, and more of an environment.
    fn begin_as(home: &Home, args: &[&str], environment: &[(&str, &str)]) -> Service {
        let path = home.dir.path().join("manager");
        // The socket of a service before this one.
        let _ = fs::remove_file(&path);
        let socket = UnixDatagram::bind(&path).unwrap();
        let told = Arc::new(Mutex::new(Vec::new()));
        let heard = told.clone();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(length) = socket.recv(&mut bytes) {
                let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
                heard.lock().unwrap().extend(text.lines().map(str::to_owned));
            }
        });
        let mut command = home.command(args);
        command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "900000").envs(environment.iter().copied());
        Service { talk: Some(home.talk(command, args)), told }
    }

    /// What it told so far.
    fn told(&self) -> Vec<String> {
        self.told.lock().unwrap().clone()
    }

    /// Waits until it has told the manager a line with these words so often.
    #[track_caller]
    fn until_told(&self, words: &str, times: usize) -> Duration {
        soon(words, || self.told().iter().filter(|line| line.contains(words)).count() >= times)
    }

    /// Waits until nothing is due: what is told says so.
    #[track_caller]
    fn until_at_rest(&self) {
        let is_at_rest = || self.told().iter().rev().find(|line| line.starts_with("STATUS=")).cloned();
        soon("a rest", || is_at_rest().is_some_and(|line| line.contains("next run in")));
    }

    fn signal(&self, signal: Signal) {
        self.talk.as_ref().unwrap().signal(signal);
    }

    /// SIGTERM: it ends in time and with code 0.
    #[track_caller]
    fn stop(mut self) -> Ran {
        let began = Instant::now();
        let talk = self.talk.take().unwrap();
        talk.signal(Signal::TERM);
        let ran = talk.end().expect(0);
        assert!(began.elapsed() < STOP_WITHIN, "{:?}: {ran}", began.elapsed());
        ran
    }
}

impl Drop for Service {
    /// A test that fails leaves no service behind.
    fn drop(&mut self) {
        if let Some(talk) = self.talk.take() {
            talk.signal(Signal::KILL);
        }
    }
}

fn configure(home: &Home, schedule: &str) {
    fs::write(home.config(), home.configuration(&format!("\n[schedule]\n{schedule}\n"))).unwrap();
}

/// Waits until something holds; answers how long that took.
#[track_caller]
fn soon(what: &str, mut holds: impl FnMut() -> bool) -> Duration {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
    began.elapsed()
}

/// A reader of the device sees these words: not in a file that is being written and has no name yet.
fn device_says(home: &Home, words: &str) -> bool {
    let is_named = |path: &std::path::Path| {
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        !hidden && !path.parent().is_some_and(|folder| folder.ends_with("tmp"))
    };
    files(&home.laptop()).iter().any(|(path, bytes)| is_named(path) && String::from_utf8_lossy(bytes).contains(words))
}

fn rename(home: &Home, from: &str, to: &str) {
    let card = home.card(from);
    let text = fs::read_to_string(&card).unwrap();
    fs::write(card, text.replace(from, to)).unwrap();
}

fn give_nickname(home: &Home, person: &str, nickname: &str) {
    let person = home.google_person(person);
    let give = |person: &mut serde_json::Value| person["nicknames"] = serde_json::json!([{"value": nickname}]);
    home.sandbox.google_edit(&person, give).unwrap();
}

fn give_title(home: &Home, contact: &str, title: &str) {
    home.sandbox.graph_edit(&home.graph_contact(contact), |contact| contact["jobTitle"] = title.into()).unwrap();
}

#[test]
fn it_tells_the_manager_when_it_is_ready_at_work_at_rest_and_ending() {
    let home = Home::synced(&GOOGLE);
    let service = Service::start(&home, ONCE);
    service.until_told("STATUS=at work: contacts", 1);
    service.until_at_rest();
    service.until_told("WATCHDOG=1", 3);
    let told = service.told.clone();
    let ran = service.stop();
    let told = told.lock().unwrap();
    let at = |words: &str| told.iter().position(|line| line.starts_with(words)).unwrap_or_else(|| panic!("{words}"));
    assert!(at("READY=1") < at("STATUS=at work") && at("STATUS=next run in") < at("STOPPING=1"), "{told:?}");
    assert!(told.iter().any(|line| line.starts_with("STATUS=next run in") && line.contains("all is well")), "{told:?}");
    assert!(ran.err.contains("stopped at a clean point"), "{ran}");
}

#[test]
fn it_is_not_ready_where_it_can_never_work() {
    let home = Home::synced(&GOOGLE);
    fs::write(home.config(), "this is no configuration").unwrap();
    home.run(&["daemon"]).expect(2);
    configure(&home, ONCE);
    fs::set_permissions(home.state().join("hub.sqlite"), fs::Permissions::from_mode(0o644)).unwrap();
    let mut service = Service::begin(&home);
    let ran = service.talk.take().unwrap().end().expect(2).says(&["hub.sqlite"]);
    assert!(!service.told().iter().any(|line| line == "READY=1"), "{ran}");
}

#[test]
fn a_change_at_a_provider_is_on_the_device_with_the_next_run() {
    let home = Home::synced(&GOOGLE);
    let service = Service::start(&home, OFTEN);
    service.until_at_rest();
    give_nickname(&home, "Hotel Beispiel", "Zum Anker");
    soon("Google's change on the device", || device_says(&home, "Zum Anker"));
    service.stop();
    home.sync().expect(0);
    assert_eq!(home.writes(), 0, "nothing was sent back");
}

#[test]
fn a_change_in_a_device_folder_is_at_work_within_two_seconds_and_once_at_its_provider() {
    let home = Home::synced(&GOOGLE);
    let service = Service::start(&home, ONCE);
    service.until_at_rest();
    let mut quickest = PATIENCE;
    let names = ["Hotel Beispiel", "Pension Beispiel", "Gasthof Beispiel", "Herberge Beispiel"];
    for pair in names.windows(2) {
        let runs = service.told().iter().filter(|line| line.contains("at work")).count();
        rename(&home, pair[0], pair[1]);
        quickest = quickest.min(service.until_told("STATUS=at work", runs + 1));
        soon("the device's change at Google", || home.google_text().contains(pair[1]));
        // What the run itself wrote may have another one.
        service.until_at_rest();
    }
    assert!(quickest < AT_WORK_WITHIN, "{quickest:?}");
    service.stop();
    home.sync().expect(0);
    assert_eq!(home.writes(), 3, "each change, and none twice");
}

#[test]
fn a_folder_that_comes_later_is_watched_from_then_on() {
    let home = Home::synced(&GOOGLE);
    let elsewhere = home.dir.path().join("elsewhere");
    fs::rename(home.laptop(), &elsewhere).unwrap();
    let service = Service::start(&home, ONCE);
    service.until_at_rest();
    fs::rename(&elsewhere, home.laptop()).unwrap();
    let runs = |service: &Service| service.told().iter().filter(|line| line.contains("at work")).count();
    service.until_told("STATUS=at work", 2);
    service.until_at_rest();
    let before = runs(&service);
    rename(&home, "Hotel Beispiel", "Pension Beispiel");
    service.until_told("STATUS=at work", before + 1);
    soon("the device's change at Google", || home.google_text().contains("Pension Beispiel"));
    service.stop();
}

#[test]
fn without_a_sign_in_it_waits_and_picks_it_up() {
    let home = Home::synced(&GOOGLE);
    home.run(&["logout", "google"]).expect(0);
    let service = Service::start(&home, ONCE);
    service.until_told("twofold login google", 1);
    rename(&home, "Hotel Beispiel", "Pension Beispiel");
    home.login("google").expect(0);
    soon("the sign-in is used", || home.google_text().contains("Pension Beispiel"));
    service.until_told("all is well", 1);
    let ran = service.stop();
    assert_eq!(ran.err.matches("twofold login google").count(), 2, "told once, and once when it is over: {ran}");
}

#[test]
fn a_sign_in_that_is_revoked_meanwhile_does_not_end_it_nor_hold_the_other_provider() {
    let home = Home::synced(&BOTH);
    let service = Service::start(&home, OFTEN);
    service.until_at_rest();
    home.sandbox.end_sign_ins(Provider::Google, End::Revoked, true);
    service.until_told("twofold login google", 1);
    give_title(&home, "Karl", "Chief");
    soon("Microsoft's change on the device", || device_says(&home, "Chief"));
    let asked = home.sandbox.counts(Provider::Google);
    give_title(&home, "Karl", "Chief of all");
    soon("Microsoft's next change on the device", || device_says(&home, "Chief of all"));
    assert_eq!(
        home.sandbox.counts(Provider::Google).sign_in,
        asked.sign_in,
        "what is dead is not asked again and again"
    );
    give_nickname(&home, "Hotel Beispiel", "Zum Anker");
    home.login("google").expect(0);
    soon("Google's change on the device", || device_says(&home, "Zum Anker"));
    let ran = service.stop();
    assert_eq!(ran.err.matches("over: google:").count(), 1, "{ran}");
}

#[test]
fn a_provider_that_is_down_is_left_alone_and_the_other_one_goes_on() {
    let home = Home::synced(&BOTH);
    home.sandbox.fault(Rule::any(Fault::status(503)).on(Provider::Google));
    let service = Service::start(&home, OFTEN);
    service.until_told("STATUS=next run in", 1);
    let asked = home.sandbox.requests(Provider::Google);
    assert!(asked > 0);
    for title in ["Chief", "Chief of all", "Nobody's chief"] {
        give_title(&home, "Karl", title);
        let took = soon("Microsoft's change on the device", || device_says(&home, title));
        assert!(took < Duration::from_secs(20), "{took:?}");
    }
    assert_eq!(home.sandbox.requests(Provider::Google), asked, "it is left alone for a minute");
    service.stop();
}

/// All kinds, in place of contacts alone.
fn configure_kinds(home: &Home, schedule: &str, kinds: &[&str]) {
    let text = home.configuration(&format!("\n[schedule]\n{schedule}\n"));
    fs::write(home.config(), text.replace("kinds = [\"contacts\"]", &format!("kinds = {kinds:?}"))).unwrap();
}

#[test]
fn where_only_gmail_is_down_contacts_go_on_and_it_alone_is_left_alone_and_named() {
    let home = Home::new(twofold_sandbox::Options::demo(), &GOOGLE);
    configure_kinds(&home, OFTEN, &["contacts", "calendar", "mail"]);
    home.login("google").expect(0);
    home.sync().expect(0);
    home.sandbox.fault(Rule::any(Fault::status(503)).on(Provider::Google).path("/gmail/"));
    let service = Service::begin(&home);
    service.until_told("google: mail", 1);
    let asked = || home.sandbox.log().iter().filter(|line| line.info.path.contains("/gmail/")).count();
    let before = asked();
    assert!(before > 0);
    for nickname in ["Anker", "Zum Anker", "Zum alten Anker"] {
        give_nickname(&home, "Hotel Beispiel", nickname);
        let took = soon("Google's change on the device", || device_says(&home, &format!("{nickname}\r\n")));
        assert!(took < Duration::from_secs(20), "{took:?}");
    }
    assert_eq!(asked(), before, "it is left alone for a minute");
    home.run(&["status"]).expect(75).shows(&["google: mail"]);
    let ran = service.stop();
    assert_eq!(ran.err.matches("over: google").count(), 0, "what is left alone is not over: {ran}");
}

#[test]
fn where_only_microsofts_contacts_are_down_its_mail_and_calendar_go_on_and_that_it_is_over_is_told_once() {
    let home = Home::new(twofold_sandbox::Options::demo(), &MICROSOFT);
    configure_kinds(&home, OFTEN, &["contacts", "calendar", "mail"]);
    home.login("microsoft365").expect(0);
    home.sync().expect(0);
    home.sandbox.fault(Rule::any(Fault::status(503)).on(Provider::Microsoft).path("/contact"));
    let service = Service::begin(&home);
    service.until_told("microsoft365: contacts", 1);
    let asked = || home.sandbox.log().iter().filter(|line| line.info.path.contains("/contact")).count();
    let before = asked();
    give_title(&home, "Karl", "Chief of nobody");
    for n in 0..3 {
        let letter = format!("Subject: Letter {n}\r\nMessage-ID: <letter-{n}@example.org>\r\n\r\nHello\r\n");
        home.sandbox.graph_mail_deliver("inbox", letter.as_bytes()).unwrap();
        let event = home.sandbox.graph_events().into_iter().find(|event| event["type"] == "singleInstance").unwrap();
        let rename = |event: &mut serde_json::Value| event["subject"] = format!("Meeting {n}").into();
        home.sandbox.graph_event_edit(event["id"].as_str().unwrap(), rename).unwrap();
        for words in [format!("Subject: Letter {n}\r\n"), format!("SUMMARY:Meeting {n}\r\n")] {
            let took = soon("Microsoft's change on the device", || device_says(&home, &words));
            assert!(took < Duration::from_secs(20), "{took:?}");
        }
    }
    assert_eq!(asked(), before, "it is left alone for a minute");
    assert!(!device_says(&home, "Chief of nobody"));
    home.run(&["status"]).expect(75).shows(&["trouble: microsoft365: contacts"]);
    let troubles = home.json(&["status"])["troubles"].clone();
    assert_eq!(troubles.as_array().unwrap().len(), 1, "{troubles}");
    assert!(troubles[0].to_string().contains("microsoft365: contacts"), "{troubles}");
    home.sandbox.with(|state| state.faults.clear());
    home.sync().expect(0);
    soon("Microsoft's contacts on the device", || device_says(&home, "Chief of nobody"));
    soon("nothing is left", || home.run(&["status"]).code == Some(0));
    let ran = service.stop();
    assert_eq!(ran.err.matches("over: microsoft365: contacts").count(), 1, "{ran}");
    assert_eq!(ran.err.matches("over: ").count(), 1, "nothing else was a trouble: {ran}");
}

#[test]
fn a_kind_that_is_configured_while_it_runs_and_was_not_granted_holds_no_other_and_is_told_once() {
    let home = Home::synced(&GOOGLE);
    let service = Service::start(&home, OFTEN);
    service.until_at_rest();
    configure_kinds(&home, OFTEN, &["contacts", "calendar"]);
    service.signal(Signal::HUP);
    service.until_told("twofold login google", 1);
    for nickname in ["Anker", "Zum Anker"] {
        give_nickname(&home, "Hotel Beispiel", nickname);
        soon("Google's change on the device", || device_says(&home, &format!("{nickname}\r\n")));
    }
    home.run(&["status"]).expect(3).shows(&["google: not granted", "calendar"]);
    home.login("google").expect(0);
    let has_calendar = || files(&home.laptop()).keys().any(|path| path.extension().is_some_and(|end| end == "ics"));
    soon("the calendar", has_calendar);
    // Not before its run is over: one that is stopped says of nothing that it is over.
    soon("an end of the run", || home.run(&["status"]).code == Some(0));
    let ran = service.stop();
    let said = |words: &str| ran.err.lines().filter(|line| line.contains(words)).count();
    assert_eq!(
        (said("google: not granted"), said("over: google: not granted")),
        (2, 1),
        "told once, and over once: {ran}"
    );
}

#[test]
fn a_provider_that_hangs_holds_the_other_one_for_no_more_than_seconds() {
    // So long it is asked for its first word, and waited for when all else is done; the rest is the machine's.
    let within = Duration::from_secs(2 + 3 + 5);
    let home = Home::synced(&BOTH);
    home.sandbox.fault(Rule::any(Fault::Hang).on(Provider::Google));
    give_title(&home, "Karl", "Chief");
    let began = Instant::now();
    let run = home.talk(home.command(&["sync"]), &["sync"]);
    let took = soon("Microsoft's change on the device", || device_says(&home, "Chief"));
    assert!(took < within, "{took:?}");
    run.end().expect(75).says(&["google", "does not answer", "twofold sync"]);
    assert!(began.elapsed() < Duration::from_secs(45), "nobody else waits, so it has its time: {:?}", began.elapsed());
    let service = Service::start(&home, OFTEN);
    for title in ["Chief of all", "Nobody's chief", "The chief's chief"] {
        give_title(&home, "Karl", title);
        let took = soon("Microsoft's change on the device", || device_says(&home, title));
        assert!(took < within, "{took:?}");
    }
    service.until_told("google: ", 1);
    service.until_told("STATUS=next run in", 1);
    let asked = home.sandbox.requests(Provider::Google);
    rename(&home, "The chief's chief", "Chief once more");
    let has_come = || home.graph_text().contains("Chief once more");
    let took = soon("the device's change at Microsoft", has_come);
    assert!(took < within, "{took:?}");
    assert_eq!(home.sandbox.requests(Provider::Google), asked, "it is left alone for a minute");
    service.stop();
    home.sandbox.with(|state| state.faults.clear());
    home.sync().expect(0);
}

#[test]
fn a_first_sync_of_mail_holds_neither_the_other_kinds_nor_a_folder_nor_who_asks_and_reads_no_message_twice() {
    let home = Home::new(twofold_sandbox::Options::demo(), &MICROSOFT);
    let all =
        |more: &str| home.configuration(more).replace("kinds = [\"contacts\"]", "kinds = [\"mail\", \"contacts\"]");
    fs::write(home.config(), all("")).unwrap();
    home.login("microsoft365").expect(0);
    for n in 0..600 {
        let letter =
            format!("Message-ID: <{n}@example.org>\r\nSubject: Letter {n}\r\nFrom: a@example.org\r\n\r\nText\r\n");
        home.sandbox.graph_mail_deliver("inbox", letter.as_bytes()).unwrap();
    }
    home.sandbox.switch(|switches| switches.latency_ms = 200);
    home.sandbox.reset_counts();
    let read = || -> Vec<String> {
        let lines = home.sandbox.log();
        lines
            .iter()
            .filter(|line| line.status == 200 && line.info.path.ends_with("/$value"))
            .map(|line| line.info.path.clone())
            .collect()
    };
    fs::write(home.config(), all(&format!("\n[schedule]\n{ONCE}\n"))).unwrap();
    let service = Service::begin(&home);
    service.until_told("READY=1", 1);
    soon("messages are read", || read().len() > 20);
    assert!(device_says(&home, "Karl"), "the contacts are here before the first message");
    rename(&home, "Karl", "Kuno");
    let took = soon("the device's change at Microsoft", || home.graph_text().contains("Kuno"));
    assert!(took < Duration::from_secs(20), "{took:?}");
    home.run(&["sync", "--only", "contacts"]).expect(0);
    let count = read().len();
    assert!(count < 600, "{count} were read: that was no first sync any more");
    home.sandbox.switch(|switches| switches.latency_ms = 0);
    let letters = || {
        let holds = |bytes: &[u8]| String::from_utf8_lossy(bytes).contains("Subject: Letter ");
        files(&home.laptop()).values().filter(|bytes| holds(bytes)).count()
    };
    soon("all messages", || letters() == 600);
    service.until_at_rest();
    let (all, each) = (read(), read().into_iter().collect::<std::collections::BTreeSet<_>>());
    assert_eq!(all.len(), each.len(), "no message is read twice");
    let ran = service.stop();
    assert!(!ran.err.contains("asked to stop"), "{ran}");
    home.sync().expect(0);
}

#[test]
fn a_configuration_that_is_read_again_counts_and_a_wrong_one_does_not() {
    let home = Home::synced(&GOOGLE);
    let service = Service::start(&home, ONCE);
    service.until_at_rest();
    fs::write(home.config(), "this is no configuration").unwrap();
    service.signal(Signal::HUP);
    service.until_told("READY=1", 2);
    let told = service.told();
    let reloading = told.iter().position(|line| line == "RELOADING=1").expect("it says that it reads");
    assert!(told[reloading + 1].starts_with("MONOTONIC_USEC="), "{told:?}");
    // The old one stands, and so does its watch of the folder.
    let runs = told.iter().filter(|line| line.contains("at work")).count();
    rename(&home, "Hotel Beispiel", "Pension Beispiel");
    soon("the device's change at Google", || home.google_text().contains("Pension Beispiel"));
    service.until_told("STATUS=at work", runs + 1);
    configure(&home, OFTEN);
    service.signal(Signal::HUP);
    service.until_told("READY=1", 3);
    let runs = service.told().iter().filter(|line| line.contains("at work")).count();
    service.until_told("STATUS=at work", runs + 4);
    let ran = service.stop();
    assert_eq!(ran.err.matches("the old one stays").count(), 1, "{ran}");
}

#[test]
fn whether_a_start_or_a_reload_takes_the_configuration_is_said_and_nothing_is_done() {
    let home = Home::new(twofold_sandbox::Options::demo(), &GOOGLE);
    let good = fs::read_to_string(home.config()).unwrap();
    home.run(&["daemon", "--check"]).expect(0).says(&["config.toml can be taken"]);
    fs::write(home.config(), format!("nonsense = 1\n{good}")).unwrap();
    home.run(&["--quiet", "daemon", "--check"]).expect(2).says(&["config.toml:1: \"nonsense\" is no key"]);
    assert!(!home.state().exists() && !home.laptop().exists(), "nothing is begun");
    fs::write(home.config(), &good).unwrap();
    let service = Service::start(&home, ONCE);
    home.run(&["daemon", "--check"]).expect(0);
    let (from, to) = (format!("{:?}", home.state()), format!("{:?}", home.dir.path().join("another")));
    fs::write(home.config(), good.replace(&from, &to)).unwrap();
    let words = "the configuration names another state_dir, and the one before stays in use until a restart; stop `twofold daemon` where it runs (Ctrl-C), then type: twofold daemon";
    home.run(&["daemon", "--check"]).expect(2).says(&[words]);
    service.stop();
    home.run(&["daemon", "--check"]).expect(0);
}

#[test]
fn a_run_in_which_a_place_is_left_alone_for_its_dead_sign_in_is_not_aligned() {
    let home = Home::synced(&BOTH);
    home.sandbox.end_sign_ins(Provider::Google, End::Revoked, true);
    let service = Service::start(&home, OFTEN);
    service.until_told("twofold login google", 1);
    let hub = rusqlite::Connection::open(home.state().join("hub.sqlite")).unwrap();
    let exits = || {
        let mut rows = hub.prepare("SELECT exit FROM runs WHERE finished IS NOT NULL ORDER BY id").unwrap();
        let all = rows.query_map([], |row| row.get::<_, i32>(0)).unwrap();
        all.collect::<Result<Vec<_>, _>>().unwrap()
    };
    let before = exits().len();
    soon("some more runs", || exits().len() >= before + 4);
    assert_eq!(exits()[before..before + 4], [3; 4]);
    home.run(&["status"]).expect(3);
    service.stop();
}

#[test]
fn there_is_one_service_of_a_hub_and_commands_work_beside_it() {
    let home = Home::synced(&GOOGLE);
    let service = Service::start(&home, OFTEN);
    home.run(&["daemon"]).expect(75).says(&["another service"]);
    // What only reads works at any moment; what does more says so where it meets a run, and works between two.
    for command in ["status", "held", "conflicts"].iter().cycle().take(9) {
        home.run(&[command]).expect(0);
    }
    soon("a run by hand", || home.sync().code == Some(0));
    service.stop();
}

#[test]
fn a_stop_ends_it_in_time_also_where_a_provider_does_not_answer() {
    let home = Home::synced(&GOOGLE);
    let service = Service::start(&home, OFTEN);
    service.until_at_rest();
    home.sandbox.fault(Rule::any(Fault::Delay { ms: 120_000 }));
    let asked = home.requests();
    soon("a request that is not answered", || home.requests() > asked);
    let began = Instant::now();
    service.stop();
    // It only reads: there is nothing to wait for.
    assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
    home.sandbox.with(|state| state.faults.clear());
    home.sync().expect(0);
}

#[test]
fn a_stop_at_any_moment_ends_it_in_time_and_leaves_nothing_to_mend() {
    let number = |name: &str, ordinarily: u64| std::env::var(name).map_or(ordinarily, |text| text.parse().unwrap());
    let (stops, seed) = (number("TWOFOLD_STOPS", 20), number("TWOFOLD_SEED", 1));
    let mut random = rand::rngs::StdRng::seed_from_u64(seed);
    let home = Home::synced(&BOTH);
    let cards = home.cards().len();
    let (people, contacts) = (home.sandbox.google_people().len(), home.sandbox.graph_contacts().len());
    let mut name = "Hotel Beispiel".to_owned();
    let mut in_a_run = 0;
    for stop in 0..stops {
        // Something to do at each place, for the first run or one after it.
        let next = format!("Hotel Nummer {stop}");
        rename(&home, &name, &next);
        name = next;
        give_title(&home, "Karl", &format!("Chief {stop}"));
        // A run takes a while, so that it is met at each of its steps.
        home.sandbox.fault(Rule::any(Fault::Delay { ms: 20 }));
        let service = Service::start(&home, OFTEN);
        let told = service.told.clone();
        // The first one meets a run on any machine; the others come at any moment.
        let wait_ms = if stop == 0 { 0 } else { random.random_range(0..400) };
        if stop == 0 {
            service.until_told("at work", 1);
        }
        std::thread::sleep(Duration::from_millis(wait_ms));
        let ran = service.stop();
        let last = told.lock().unwrap().iter().rev().find(|line| line.starts_with("STATUS=")).cloned();
        in_a_run += u64::from(last.is_some_and(|line| line.contains("at work")));
        home.sandbox.with(|state| state.faults.clear());
        let next = home.sync();
        assert_eq!(next.code, Some(0), "stop {stop} (seed {seed}) after {wait_ms} ms: {ran}\n{next}");
        assert!(home.google_text().contains(&name), "stop {stop} (seed {seed}) after {wait_ms} ms: {ran}\n{next}");
        assert!(device_says(&home, &format!("Chief {stop}")), "stop {stop} (seed {seed}) after {wait_ms} ms");
        home.sandbox.reset_counts();
        home.sync().expect(0);
        assert_eq!(home.writes(), 0, "stop {stop} (seed {seed}) after {wait_ms} ms: a run after it has nothing to do");
    }
    assert!(in_a_run > 0, "no run was met");
    println!("{in_a_run} of {stops} stops met a run");
    assert_eq!(home.cards().len(), cards, "nothing twice, nothing lost");
    let now = (home.sandbox.google_people().len(), home.sandbox.graph_contacts().len());
    assert_eq!(now, (people, contacts), "nothing twice, nothing lost");
}
