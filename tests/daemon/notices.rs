//! Who is told of troubles: an address, a file, a program; once when a trouble begins and once when it is over.

use super::*;
use crate::common::disk::{Small, fill};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;

/// What of the webhook's address nobody may see.
const SECRET: &str = "T01-only-we-know-this";

/// Somebody who listens at an address.
struct Listener {
    address: String,
    heard: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Listener {
    /// Answers the first requests with these statuses (0: with nothing at all), and all others with 200.
    fn answering(statuses: &[u16]) -> Listener {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/{SECRET}?key={SECRET}", socket.local_addr().unwrap());
        let heard = Arc::new(Mutex::new(Vec::new()));
        let told = heard.clone();
        let mut statuses: VecDeque<u16> = statuses.iter().copied().collect();
        std::thread::spawn(move || {
            let mut silent = Vec::new();
            for stream in socket.incoming() {
                let mut reader = BufReader::new(stream.unwrap());
                let (mut head, mut length) = (String::new(), 0);
                loop {
                    let mut line = String::new();
                    if reader.read_line(&mut line).unwrap_or(0) < 3 {
                        break;
                    }
                    if let Some(number) = line.to_lowercase().strip_prefix("content-length:") {
                        length = number.trim().parse().unwrap();
                    }
                    head += &line;
                }
                let mut body = vec![0; length];
                reader.read_exact(&mut body).unwrap();
                told.lock().unwrap().push((head, serde_json::from_slice(&body).unwrap()));
                let mut stream = reader.into_inner();
                match statuses.pop_front().unwrap_or(200) {
                    // Kept open, so that it hangs.
                    0 => silent.push(stream),
                    status => {
                        let _ = write!(stream, "HTTP/1.1 {status} -\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                    }
                }
            }
        });
        Listener { address, heard }
    }

    fn heard(&self) -> Vec<Value> {
        self.heard.lock().unwrap().iter().map(|(_, body)| body.clone()).collect()
    }
}

fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// Starts the service with these ways of telling.
fn start(home: &Home, schedule: &str, notify: &str) -> Service {
    fs::write(home.config(), home.configuration(&format!("\n[schedule]\n{schedule}\n\n[notify]\n{notify}\n"))).unwrap();
    let service = Service::begin(home);
    service.until_told("READY=1", 1);
    service
}

#[test]
fn everybody_is_told_once_of_a_trouble_across_restarts_and_once_when_it_is_over() {
    let home = Home::synced(&GOOGLE);
    home.run(&["logout", "google"]).expect(0);
    let listener = Listener::answering(&[]);
    let (file, other) = (home.dir.path().join("troubles.jsonl"), home.dir.path().join("program.jsonl"));
    let notify =
        format!("webhook = {:?}\nfile = {file:?}\ncommand = [\"/usr/bin/tee\", \"-a\", {other:?}]", listener.address);
    let all =
        |count: usize| listener.heard().len() == count && lines(&file).len() == count && lines(&other).len() == count;
    let mut logs = String::new();
    for _ in 0..2 {
        let service = start(&home, ONCE, &notify);
        service.until_told("twofold login google", 1);
        soon("all are told", || all(1));
        logs += &service.stop().err;
    }
    let service = start(&home, ONCE, &notify);
    service.until_told("twofold login google", 1);
    home.login("google").expect(0);
    soon("all are told that it is over", || all(2));
    logs += &service.stop().err;
    let told = listener.heard();
    assert_eq!((&told, &told), (&lines(&file), &lines(&other)));
    assert_eq!((&told[0]["state"], &told[1]["state"]), (&json!("begun"), &json!("over")));
    for message in &told {
        assert_eq!((&message["trouble"], &message["replica"]), (&json!("sign-in"), &json!("google")), "{message}");
        assert_eq!(message["since"], told[0]["since"]);
        assert!(!message.to_string().contains("example.com"), "whose account it is, is nobody's business: {message}");
    }
    assert_eq!(told[0]["type"], "twofold login google");
    assert!(told[0]["text"].as_str().unwrap().ends_with("Type: twofold login google"));
    let head = listener.heard.lock().unwrap()[0].0.to_lowercase();
    assert!(head.starts_with("post /") && head.contains("content-type: application/json"), "{head}");
    assert!(!head.contains("authorization") && !head.contains("cookie"), "{head}");
    assert!(!logs.contains(SECRET), "{logs}");
    assert_eq!((mode(&file), mode(&home.state().join("notices.json"))), (0o600, 0o600));
}

#[test]
fn what_a_service_that_was_started_with_its_configuration_says_to_type_names_that_too() {
    let home = Home::synced(&GOOGLE);
    home.run(&["logout", "google"]).expect(0);
    let file = home.dir.path().join("troubles.jsonl");
    let (text, config) = (home.configuration(&format!("\n[notify]\nfile = {file:?}\n")), home.config());
    fs::write(&config, text).unwrap();
    let service = Service::begin_as(&home, &["--config", &config.display().to_string(), "-v", "daemon"], &[]);
    soon("it is told", || lines(&file).len() == 1);
    service.stop();
    let (told, command) = (lines(&file).remove(0), format!("twofold --config {} login google", config.display()));
    assert_eq!(told["type"], command);
    assert!(told["text"].as_str().unwrap().ends_with(&format!("Type: {command}")), "{told}");
}

#[test]
fn what_a_program_is_just_taking_when_the_service_stops_is_not_told_again_by_the_next_one() {
    let home = Home::synced(&GOOGLE);
    home.run(&["logout", "google"]).expect(0);
    let file = home.dir.path().join("troubles.jsonl");
    let notify = format!("command = [\"/bin/sh\", \"-c\", \"/bin/cat >> '{}'; /bin/sleep 1\"]", file.display());
    let service = start(&home, ONCE, &notify);
    soon("the program has it, and goes on", || lines(&file).len() == 1);
    service.stop();
    let service = start(&home, ONCE, &notify);
    service.until_told("twofold login google", 1);
    home.login("google").expect(0);
    soon("it is told that it is over", || lines(&file).last().is_some_and(|line| line["state"] == "over"));
    service.stop();
    assert_eq!(lines(&file).len(), 2, "{:?}", lines(&file));
}

#[test]
fn an_address_that_is_down_is_tried_again_and_one_that_hangs_holds_neither_a_run_nor_a_stop() {
    let home = Home::synced(&GOOGLE);
    let elsewhere = home.dir.path().join("elsewhere");
    fs::rename(home.laptop(), &elsewhere).unwrap();
    let listener = Listener::answering(&[503, 0]);
    let service = start(&home, OFTEN, &format!("webhook = {:?}", listener.address));
    soon("it is told, and once more", || listener.heard().len() == 2);
    // It hangs now; the runs go on.
    give_nickname(&home, "Hotel Beispiel", "Zum Anker");
    let moved = || service.told().iter().filter(|line| line.contains("STATUS=at work")).count();
    let runs = moved();
    soon("more runs", || moved() >= runs + 2);
    let ran = service.stop();
    assert_eq!(ran.err.matches("nobody could be told of a trouble").count(), 1, "{ran}");
    assert!(!ran.err.contains(SECRET), "{ran}");
    let told = listener.heard();
    assert_eq!(told[0], told[1]);
    assert_eq!((&told[0]["trouble"], &told[0]["replica"]), (&json!("held"), &json!("laptop")));
    // What nobody took is told by the next service.
    let service = start(&home, OFTEN, &format!("webhook = {:?}", listener.address));
    soon("it is told by the next service", || listener.heard().len() == 3);
    fs::rename(&elsewhere, home.laptop()).unwrap();
    soon("it is over", || listener.heard().len() == 4);
    soon("the change on the device", || device_says(&home, "Zum Anker"));
    service.stop();
    let told = listener.heard();
    assert_eq!((&told[2], &told[3]["state"]), (&told[0], &json!("over")));
}

#[test]
fn an_address_a_pipe_and_a_program_that_hang_all_at_once_hold_neither_a_run_nor_a_stop() {
    let home = Home::synced(&GOOGLE);
    let is_left = |(_, card): &(std::path::PathBuf, Vec<u8>)| !String::from_utf8_lossy(card).contains("Hotel Beispiel");
    let cards = home.cards().into_iter().filter(is_left).take(6);
    cards.for_each(|(path, _)| fs::remove_file(home.laptop().join(path)).unwrap());
    let listener = Listener::answering(&[0]);
    let (pipe, pid) = (home.dir.path().join("pipe"), home.dir.path().join("pid"));
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let program = format!("echo $$ > '{}'; exec /bin/sleep 600", pid.display());
    let notify =
        format!("webhook = {:?}\nfile = {pipe:?}\ncommand = [\"/bin/sh\", \"-c\", {program:?}]", listener.address);
    let service = start(&home, OFTEN, &notify);
    let id = || fs::read_to_string(&pid).unwrap_or_default().trim().to_owned();
    soon("the address and the program have it", || listener.heard().len() == 1 && !id().is_empty());
    give_nickname(&home, "Hotel Beispiel", "Zum Anker");
    soon("the change on the device", || device_says(&home, "Zum Anker"));
    assert!(Path::new("/proc").join(id()).exists(), "it hangs all the while");
    service.stop();
    soon("the program is ended with the service", || !Path::new("/proc").join(id()).exists());
    assert_eq!(listener.heard().len(), 1);
}

#[test]
fn on_a_disk_without_one_free_byte_nothing_is_told_twice_and_nothing_is_lost() {
    let home = Home::new(twofold_sandbox::Options::demo(), &GOOGLE);
    let Some(disk) = Small::at(home.state(), "32m") else { return };
    home.login("google").expect(0);
    home.sync().expect(0);
    let (listener, file) = (Listener::answering(&[]), home.dir.path().join("troubles.jsonl"));
    let notify = format!("webhook = {:?}\nfile = {file:?}", listener.address);
    start(&home, OFTEN, &notify).stop();
    let ballast = fill(&disk.0, 0);
    let mut full = fs::OpenOptions::new().append(true).open(&ballast).unwrap();
    while full.write(&[1]).is_ok_and(|written| written > 0) {}
    drop(full);
    let is_told = |count: usize| listener.heard().len() == count && lines(&file).len() == count;
    for ends_by in [Signal::TERM, Signal::KILL, Signal::TERM] {
        let mut service = start(&home, OFTEN, &notify);
        service.until_told("STATUS=at work", 3);
        soon("it is told", || is_told(1));
        match ends_by {
            Signal::KILL => {
                service.signal(ends_by);
                service.talk.take().unwrap().end();
            }
            _ => _ = service.stop(),
        }
    }
    assert_eq!(disk.free(), 0);
    fs::remove_file(ballast).unwrap();
    let service = start(&home, OFTEN, &notify);
    soon("it is told that it is over", || is_told(2));
    service.stop();
    let service = start(&home, OFTEN, &notify);
    service.until_told("STATUS=at work", 3);
    service.stop();
    let told = lines(&file);
    assert_eq!((&told, told.len()), (&listener.heard(), 2), "{told:?}");
    for (message, state) in told.iter().zip(["begun", "over"]) {
        assert_eq!((&message["trouble"], &message["state"]), (&json!("disk"), &json!(state)), "{told:?}");
    }
}

#[test]
fn of_a_file_on_a_full_disk_the_run_and_the_doctor_say_that_it_cannot_be_written_and_why() {
    let home = Home::synced(&GOOGLE);
    let Some(disk) = Small::at(home.dir.path().join("small"), "1m") else { return };
    let file = disk.0.join("troubles.jsonl");
    let more = format!("\n[notify]\nfile = {file:?}\n\n[disk]\nkeep_free = \"9000000GB\"\n");
    fs::write(home.config(), home.configuration(&more)).unwrap();
    home.run(&["doctor", "--offline"]).shows(&["troubles.jsonl can be written"]);
    let ballast = fill(&disk.0, 0);
    home.sync().expect(75).says(&["nobody could be told", "troubles.jsonl: No space left on device"]);
    for there in [true, false] {
        assert_eq!(file.exists(), there);
        let ran = home.run(&["doctor", "--offline"]).expect(75);
        assert!(!ran.out.contains("troubles.jsonl can be written"), "{ran}");
        let ran = ran.shows(&["fail  notify: ", "troubles.jsonl cannot be written", "No space left on device"]);
        assert!(ran.out.contains("nothing is told there"), "{ran}");
        fs::remove_file(&file).unwrap_or_default();
    }
    fs::remove_file(ballast).unwrap();
    home.run(&["doctor", "--offline"]).shows(&["troubles.jsonl can be written"]);
}

#[test]
fn a_full_disk_of_a_device_folder_is_told_with_its_name_and_what_is_free_there() {
    let home = Home::synced(&GOOGLE);
    let Some(disk) = Small::at(home.dir.path().join("small"), "64m") else { return };
    let folder = disk.0.join("laptop");
    assert!(std::process::Command::new("cp").arg("-a").arg(home.laptop()).arg(&folder).status().unwrap().success());
    let file = home.dir.path().join("troubles.jsonl");
    let more = format!(
        "\n[disk]\nkeep_free = \"6MB\"\n\n[schedule]\n{ONCE}\n\n[endpoint]\nlisten = \"127.0.0.1:0\"\n\n[notify]\nfile = {file:?}\n"
    );
    let text = home.configuration(&more).replace(&format!("{:?}", home.laptop()), &format!("{folder:?}"));
    fs::write(home.config(), text).unwrap();
    let ballast = fill(&disk.0, 3_000_000);
    let service = Service::begin(&home);
    let said = ["the disk of the folder of laptop is nearly full", "3.0 MB are free", "6.0 MB are to stay free"];
    soon("it is told", || lines(&file).len() == 1);
    home.run(&["status"]).expect(75).shows(&said).shows(&["laptop: 3.0 MB are free on its disk"]);
    let told = lines(&file).remove(0);
    assert_eq!((&told["trouble"], &told["replica"]), (&json!("disk"), &json!("laptop")), "{told}");
    let words = told["text"].as_str().unwrap();
    assert!(words.starts_with("laptop: ") && words.contains("3.0 MB are free") && words.contains("6.0 MB"), "{words}");
    fs::remove_file(ballast).unwrap();
    home.sync().expect(0);
    soon("it is told that it is over", || lines(&file).len() == 2);
    assert_eq!(lines(&file)[1]["state"], "over");
    home.run(&["status"]).expect(0);
    service.stop();
}

#[test]
fn a_hub_that_is_damaged_when_the_service_starts_is_told_and_the_doctor_says_the_way_out() {
    let home = Home::synced(&GOOGLE);
    let file = home.dir.path().join("troubles.jsonl");
    let backup = home.dir.path().join("hub.backup");
    home.run(&["backup", backup.to_str().unwrap()]).expect(0);
    start(&home, ONCE, &format!("file = {file:?}")).stop();
    let hub = home.state().join("hub.sqlite");
    for name in ["hub.sqlite-wal", "hub.sqlite-shm"] {
        let _ = fs::remove_file(home.state().join(name));
    }
    let mut bytes = fs::read(&hub).unwrap();
    let end = bytes.len().min(4096 * 23);
    bytes[..end]
        .iter_mut()
        .zip(1u32..)
        .skip(4096)
        .for_each(|(byte, at)| *byte = at.wrapping_mul(2_654_435_761).to_be_bytes()[0]);
    fs::write(&hub, bytes).unwrap();
    for _ in 0..2 {
        home.run(&["daemon"]).expect(1);
    }
    let told = lines(&file);
    assert_eq!(told.len(), 1, "it is told once: {told:?}");
    assert_eq!((&told[0]["trouble"], &told[0]["state"]), (&json!("failed"), &json!("begun")));
    let ran = home.run(&["doctor", "--offline"]).expect(1);
    let ran = ran.shows(&["fail  hub", "twofold backup --restore --force FILE", "hub.sqlite.damaged", "twofold sync"]);
    assert!(!ran.out.contains(": twofold doctor"), "it sends nobody back to itself: {ran}");
    home.run(&["backup", "--restore", "--force", backup.to_str().unwrap()]).expect(0);
    let service = start(&home, ONCE, &format!("file = {file:?}"));
    soon("it is told that it is over", || lines(&file).len() == 2);
    service.stop();
    assert_eq!(lines(&file)[1]["state"], "over");
}

#[test]
fn sign_ins_that_are_damaged_when_the_service_starts_are_told_and_it_waits_for_new_ones() {
    for damaged in ["", "{}", "garbage"] {
        let home = Home::synced(&GOOGLE);
        let file = home.dir.path().join("troubles.jsonl");
        let vault = home.state().join("vault.json");
        fs::write(&vault, damaged).unwrap();
        let service = start(&home, OFTEN, &format!("file = {file:?}"));
        soon("it is told", || lines(&file).len() == 1);
        assert_eq!(lines(&file)[0]["state"], "begun", "{damaged:?}");
        let ran = home.run(&["status"]);
        assert!(ran.code != Some(0) && ran.err.contains("vault.json"), "{damaged:?}: {ran}");
        fs::remove_file(&vault).unwrap();
        home.login("google").expect(0);
        soon("it goes on by itself", || home.run(&["status"]).code == Some(0));
        soon("it is told that it is over", || lines(&file).iter().any(|told| told["state"] == "over"));
        service.stop();
    }
}

#[test]
fn each_thing_that_is_held_is_told_by_itself_and_is_over_when_it_is_approved() {
    let home = Home::synced(&GOOGLE);
    let elsewhere = home.dir.path().join("elsewhere");
    let file = home.dir.path().join("troubles.jsonl");
    home.cards().into_keys().take(6).for_each(|path| fs::remove_file(home.laptop().join(path)).unwrap());
    let service = start(&home, ONCE, &format!("file = {file:?}"));
    soon("the removals are told", || lines(&file).len() == 1);
    let id = home.run(&["held"]).expect(0).only_id();
    assert_eq!((&lines(&file)[0]["trouble"], &lines(&file)[0]["hold"]), (&json!("held"), &json!(id)));
    // A second thing is held at the same place.
    fs::rename(home.laptop(), &elsewhere).unwrap();
    home.sync().expect(4);
    soon("the missing folder is told", || lines(&file).len() == 2);
    let second = lines(&file)[1].clone();
    assert_eq!((&second["state"], &second["replica"]), (&json!("begun"), &json!("laptop")));
    assert!(second["hold"] != id.as_str() && second["hold"].is_string(), "{second}");
    fs::rename(&elsewhere, home.laptop()).unwrap();
    home.sync().expect(4);
    soon("that is over", || lines(&file).len() == 3);
    home.run(&["approve", &id]).expect(0);
    soon("so are the removals", || lines(&file).len() == 4);
    let over: Vec<Value> = lines(&file)[2..].to_vec();
    assert!(over.iter().all(|line| line["state"] == "over"), "{over:?}");
    assert_eq!((&over[0]["hold"], &over[1]["hold"]), (&second["hold"], &json!(id)));
    service.stop();
}

#[test]
fn what_is_configured_while_it_runs_is_told_and_a_program_that_is_not_there_is_a_word_in_the_log() {
    let home = Home::synced(&GOOGLE);
    home.run(&["logout", "google"]).expect(0);
    let service = start(&home, OFTEN, "command = [\"/nowhere/at-all\"]");
    service.until_told("twofold login google", 1);
    let file = home.dir.path().join("troubles.jsonl");
    let config = home.configuration(&format!("\n[schedule]\n{OFTEN}\n\n[notify]\nfile = {file:?}\n"));
    fs::write(home.config(), config).unwrap();
    service.signal(Signal::HUP);
    service.until_told("READY=1", 2);
    home.login("google").expect(0);
    soon("it is told that it is over", || lines(&file).len() == 1);
    let ran = service.stop().says(&["/nowhere/at-all cannot be run"]);
    assert_eq!(lines(&file)[0]["state"], "over", "{ran}");
}

#[test]
fn another_state_folder_is_a_trouble_of_the_running_service_and_over_when_it_ends_or_it_is_taken_back() {
    let home = Home::synced(&GOOGLE);
    let file = home.dir.path().join("troubles.jsonl");
    let service = start(&home, ONCE, &format!("file = {file:?}"));
    let good = fs::read_to_string(home.config()).unwrap();
    let (here, there) = (format!("{:?}", home.state()), format!("{:?}", home.dir.path().join("another")));
    let reload = |text: &str, told: usize| {
        fs::write(home.config(), text).unwrap();
        service.signal(Signal::HUP);
        soon("it is told", || lines(&file).len() == told);
    };
    reload(&good.replace(&here, &there), 1);
    service.signal(Signal::HUP);
    service.until_told("names another state_dir", 2);
    reload(&good, 2);
    reload(&good.replace(&here, &there), 3);
    service.stop();
    let told = lines(&file);
    assert_eq!(told.len(), 4, "{told:?}");
    for (message, state) in told.iter().zip(["begun", "over", "begun", "over"]) {
        assert_eq!((&message["trouble"], &message["state"]), (&json!("configuration"), &json!(state)), "{told:?}");
    }
    assert_eq!(told[0]["type"], "twofold doctor");
    // The next service keeps its notes there, and has nothing to tell of this.
    let service = Service::begin(&home);
    service.until_told("READY=1", 1);
    service.stop();
    assert!(lines(&file)[4..].iter().all(|message| message["trouble"] != "configuration"), "{:?}", lines(&file));
}

#[test]
fn the_status_line_says_of_a_refused_configuration_what_status_says_and_what_to_type_as_it_is_typed() {
    let home = Home::synced(&GOOGLE);
    configure(&home, ONCE);
    let path = home.config().display().to_string();
    let service = Service::begin_as(&home, &["--config", &path, "daemon"], &[]);
    service.until_at_rest();
    let good = fs::read_to_string(home.config()).unwrap();
    fs::write(home.config(), good.replace("[schedule]", "[shedule]")).unwrap();
    service.signal(Signal::HUP);
    service.until_told("; the configuration is refused", 1);
    fs::write(home.config(), &good).unwrap();
    let ran = home.run(&["--config", &path, "status"]).expect(2);
    let words = ran.out.lines().find_map(|line| line.strip_prefix("trouble: the configuration is refused")).unwrap();
    assert!(words.contains(&format!("twofold --config {path} doctor")) && words.contains("SIGHUP"), "{words}");
    service.until_told(words, 1);
    service.stop();
}

#[test]
fn a_configuration_that_is_refused_is_a_trouble_until_a_good_one_was_read() {
    let home = Home::synced(&GOOGLE);
    let file = home.dir.path().join("troubles.jsonl");
    let service = start(&home, OFTEN, &format!("file = {file:?}"));
    let good = fs::read_to_string(home.config()).unwrap();
    fs::write(home.config(), good.replace("[schedule]", "[shedule]")).unwrap();
    service.signal(Signal::HUP);
    service.until_told("; the configuration is refused, and the one before stays in use: a restart would fail", 1);
    service.signal(Signal::HUP);
    service.until_told("READY=1", 3);
    // Runs go on all the while, and are not what ends it.
    let runs = service.told().iter().filter(|line| line.contains("at work")).count();
    service.until_told("STATUS=at work", runs + 3);
    home.run(&["status"]).expect(2).says(&["shedule"]);
    // Mended, and not read yet.
    fs::write(home.config(), &good).unwrap();
    home.run(&["status"]).expect(2).shows(&[
        "trouble: the configuration is refused",
        "mend it, then send SIGHUP to `twofold daemon`, or stop it where it runs (Ctrl-C) and type: twofold daemon",
    ]);
    service.signal(Signal::HUP);
    service.until_told("READY=1", 4);
    soon("it is told that it is over", || lines(&file).len() == 2);
    home.run(&["status"]).expect(0);
    assert!(service.told().last().is_some_and(|line| !line.contains("refused")), "{:?}", service.told());
    service.stop();
    let told = lines(&file);
    let said = |message: &Value| [&message["trouble"], &message["state"], &message["type"]].map(Value::clone);
    assert_eq!(said(&told[0]), [json!("configuration"), json!("begun"), json!("twofold doctor")]);
    assert_eq!(said(&told[1]), [json!("configuration"), json!("over"), Value::Null]);
    // One that ended meanwhile did not hear of the good one: the next service tells.
    let service = Service::begin(&home);
    service.until_told("READY=1", 1);
    fs::write(home.config(), "nothing").unwrap();
    service.signal(Signal::HUP);
    soon("it is told", || lines(&file).len() == 3);
    service.stop();
    fs::write(home.config(), &good).unwrap();
    let service = Service::begin(&home);
    soon("it is told that it is over", || lines(&file).len() == 4);
    service.stop();
}

#[test]
fn an_address_without_encryption_is_refused_but_on_this_machine() {
    let home = Home::synced(&GOOGLE);
    for (notify, words) in [
        ("webhook = \"http://hooks.example.com/x\"", "is not https"),
        ("webhook = \"https://me:word@hooks.example.com/x\"", "has a name"),
        ("command = []", "names no program"),
        ("mail = \"me@example.com\"", "\"mail\" is no key of [notify]"),
    ] {
        fs::write(home.config(), home.configuration(&format!("\n[notify]\n{notify}\n"))).unwrap();
        home.run(&["status"]).expect(2).says(&[words]);
    }
}

/// Has it tell in this way.
fn tell_by(home: &Home, notify: &str) {
    fs::write(home.config(), home.configuration(&format!("\n[schedule]\n{ONCE}\n\n[notify]\n{notify}\n"))).unwrap();
}

#[test]
fn runs_without_a_service_tell_the_same_and_nothing_twice_where_they_take_turns_with_one() {
    let home = Home::synced(&GOOGLE);
    let file = home.dir.path().join("troubles.jsonl");
    let states = || lines(&file).iter().map(|line| line["state"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    tell_by(&home, &format!("file = {file:?}"));
    home.sync().expect(0);
    assert!(states().is_empty(), "nothing stands in the way: {:?}", lines(&file));
    home.run(&["logout", "google"]).expect(0);
    home.run(&["sync", "--dry-run"]);
    assert!(states().is_empty(), "a dry run changes nothing: {:?}", lines(&file));
    home.sync().expect(3);
    assert_eq!(states(), ["begun"]);
    home.sync().expect(3);
    let service = Service::begin(&home);
    service.until_told("twofold login google", 1);
    service.stop();
    home.run(&["sync", "--only", "contacts"]).expect(3);
    assert_eq!(states(), ["begun"], "it was told: {:?}", lines(&file));
    home.login("google").expect(0);
    home.run(&["sync", "--replica", "laptop"]).expect(0);
    assert_eq!(states(), ["begun"], "that run did not look: {:?}", lines(&file));
    home.sync().expect(0);
    assert_eq!(states(), ["begun", "over"]);
    let service = Service::begin(&home);
    service.until_told("next run in", 1);
    service.stop();
    assert_eq!(states(), ["begun", "over"]);
    // What does not fail the timer's unit is told as well.
    let elsewhere = home.dir.path().join("elsewhere");
    fs::rename(home.laptop(), &elsewhere).unwrap();
    home.sync().expect(4);
    assert_eq!((states().len(), &lines(&file)[2]["trouble"]), (3, &json!("held")));
    // So is what a folder's first run finds, or ends.
    home.run(&["logout", "google"]).expect(0);
    home.run(&["device", "fill", "laptop"]).expect(3);
    let told =
        lines(&file)[3..].iter().map(|line| (line["trouble"].clone(), line["state"].clone())).collect::<Vec<_>>();
    assert!(
        told.contains(&(json!("held"), json!("over"))) && told.contains(&(json!("sign-in"), json!("begun"))),
        "{told:?}"
    );
    assert_eq!(mode(&home.state().join("notices.json")), 0o600);
}

#[test]
fn a_receiver_that_hangs_holds_a_run_without_a_service_for_a_moment_only_and_the_next_one_does_not_repeat_it_at_once() {
    let home = Home::synced(&GOOGLE);
    home.run(&["logout", "google"]).expect(0);
    let listener = Listener::answering(&[0]);
    tell_by(&home, &format!("webhook = {:?}", listener.address));
    let began = Instant::now();
    let ran = home.sync().expect(3);
    assert!(began.elapsed() < STOP_WITHIN, "it took {:?}", began.elapsed());
    assert!(!ran.err.contains(SECRET), "{ran}");
    assert_eq!(listener.heard().len(), 1);
    let ledger = fs::read_to_string(home.state().join("notices.json")).unwrap();
    let waiting = serde_json::from_str::<Value>(&ledger).unwrap()["waiting"][0].clone();
    assert_eq!(
        (&waiting["tries"], &waiting["may_be_heard"]),
        (&json!(1), &json!(true)),
        "it is repeated after a pause"
    );
}

#[test]
fn a_service_that_starts_while_a_run_tells_waits_for_it_and_repeats_nothing() {
    let home = Home::synced(&GOOGLE);
    home.run(&["logout", "google"]).expect(0);
    let file = home.dir.path().join("troubles.jsonl");
    tell_by(&home, &format!("command = [\"/bin/sh\", \"-c\", \"/bin/cat >> '{}'; /bin/sleep 2\"]", file.display()));
    let run = home.start(&["sync"]);
    soon("the program has it, and goes on", || lines(&file).len() == 1);
    let service = Service::begin(&home);
    service.until_told("twofold login google", 1);
    run.end().expect(3);
    service.stop();
    assert_eq!(lines(&file).len(), 1, "{:?}", lines(&file));
}
