//! Commands beside the service: they ask it at its socket, and never is there a second run on one hub.

use super::*;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream;

/// The socket of a home's service.
fn socket(home: &Home) -> std::path::PathBuf {
    home.state().join("socket")
}

/// Opens a conversation and sends these bytes.
fn send(home: &Home, bytes: &[u8]) -> UnixStream {
    let mut stream = UnixStream::connect(socket(home)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(bytes).unwrap();
    stream
}

/// Asks, and hears every line of the answer.
fn ask(home: &Home, request: &Value) -> Vec<Value> {
    let stream = send(home, format!("{request}\n").as_bytes());
    BufReader::new(stream).lines().map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect()
}

/// How many runs the service has begun.
fn runs(home: &Home) -> u64 {
    ask(home, &json!({"twofold": 1, "word": "status"}))[0]["status"]["now"]["runs"].as_u64().unwrap()
}

/// Every request takes so long from now on.
fn slow(home: &Home, ms: u64) {
    home.sandbox.fault(Rule::any(Fault::Delay { ms }));
}

fn quick(home: &Home) {
    home.sandbox.with(|state| state.faults.clear());
}

#[test]
fn a_sync_beside_the_service_is_a_run_of_the_service_and_ends_as_it_would_alone() {
    let home = Home::synced(&BOTH);
    let service = Service::start(&home, ONCE);
    service.until_at_rest();
    let mode = fs::metadata(socket(&home)).unwrap();
    assert!(mode.file_type().is_socket() && mode.permissions().mode() & 0o777 == 0o600, "{mode:?}");
    let before = runs(&home);
    give_nickname(&home, "Hotel Beispiel", "Zum Anker");
    let ran = home.sync().expect(0).shows(&["google", "contacts", "laptop", "received"]);
    assert!(device_says(&home, "Zum Anker"), "it is done when the command ends: {ran}");
    home.sync().expect(0).shows(&["nothing to do"]);
    give_title(&home, "Karl", "Chief");
    let (code, report) = home.sync_json(&["--only", "contacts", "--full-check"]);
    assert_eq!((code, &report["schema"], &report["exit"]), (Some(0), &json!(1), &json!(0)), "{report}");
    let row = report["replicas"].as_array().unwrap().iter().find(|row| row["name"] == "microsoft365").unwrap();
    assert_eq!(row["updated"], 1, "{report}");
    assert_eq!(runs(&home), before + 3, "each of them was a run of the service");
    // What makes no sense is refused before anybody is asked.
    home.run(&["sync", "--replica", "phone"]).expect(2).says(&["phone", "laptop"]);
    home.run(&["sync", "--only", "notes"]).expect(2);
    assert_eq!(runs(&home), before + 3);
    // A dry run is none of the service's.
    home.run(&["sync", "--dry-run"]).expect(0).shows(&["nothing would be done"]);
    assert_eq!(runs(&home), before + 3);
    service.stop();
    assert!(!socket(&home).exists(), "the socket goes with the service");
    home.sync().expect(0).shows(&["nothing to do"]);
}

#[test]
fn what_is_left_is_told_beside_the_service_as_it_is_alone() {
    let home = Home::synced(&GOOGLE);
    home.run(&["logout", "google"]).expect(0);
    let alone = home.sync();
    let service = Service::start(&home, ONCE);
    service.until_at_rest();
    let beside = home.sync();
    assert_eq!((alone.code, beside.code), (Some(3), Some(3)), "{alone}\n{beside}");
    assert_eq!(alone.err, beside.err);
    service.stop();
}

#[test]
fn the_doctor_looks_beside_a_run_and_sends_nobody_away() {
    let home = Home::with_mail(&GOOGLE);
    home.sync().expect(0);
    let service = Service::start(&home, ONCE);
    service.until_at_rest();
    slow(&home, 120_000);
    let talk = home.start(&["sync"]);
    soon("a run", || home.json(&["status"])["service"]["state"] == "running");
    for args in [&["doctor", "--offline"][..], &["doctor", "--offline", "--full"]] {
        let ran = home.run(args).expect(0);
        let ran =
            ran.shows(&["ok    hub: whole", "ok    messages: the bytes of all", "ok    devices: a run is at work"]);
        assert!(!ran.out.to_lowercase().contains("try again"), "{ran}");
    }
    talk.signal(Signal::INT);
    talk.end().expect(75);
    service.stop();
    quick(&home);
    // Beside any other process, too, and what stands in the way is said.
    home.run(&["logout", "google"]).expect(0);
    home.sync().expect(3);
    let lock = twofold_hub::Lock::take(&home.state()).unwrap().unwrap();
    home.run(&["doctor", "--offline"]).expect(3).shows(&["ok    hub: whole", "fail  google: "]);
    drop(lock);
}

#[test]
fn a_wish_during_a_run_is_the_next_run_and_those_who_wish_the_same_share_it() {
    let home = Home::synced(&GOOGLE);
    let service = Service::start(&home, ONCE);
    service.until_at_rest();
    let before = runs(&home);
    slow(&home, 500);
    let first = home.start(&["sync", "--only", "contacts"]);
    soon("the first run", || runs(&home) == before + 1);
    // Its pull is over or under way: what changes now is in a run of those who come now.
    give_nickname(&home, "Hotel Beispiel", "Zum Anker");
    let others: Vec<Talk> = (0..3).map(|_| home.start(&["sync"])).collect();
    let first = first.end().expect(0);
    let others: Vec<Ran> = others.into_iter().map(|talk| talk.end().expect(0)).collect();
    quick(&home);
    assert!(device_says(&home, "Zum Anker"));
    assert!(others.iter().any(|ran| ran.err.contains("yours comes after it")), "{}", others[0]);
    assert!(!first.err.contains("yours comes after it"), "{first}");
    let after = runs(&home);
    assert!((before + 2..=before + 3).contains(&after), "{} runs for four commands", after - before);
    service.stop();
}

#[test]
fn whoever_goes_away_leaves_the_run_to_the_service() {
    let home = Home::synced(&GOOGLE);
    let service = Service::start(&home, ONCE);
    service.until_at_rest();
    let before = runs(&home);
    slow(&home, 500);
    give_nickname(&home, "Hotel Beispiel", "Zum Anker");
    let talk = home.start(&["sync"]);
    soon("the run", || runs(&home) == before + 1);
    talk.signal(Signal::INT);
    let ran = talk.end().expect(75).says(&["the service goes on with this run", "twofold status"]);
    home.names_a_command(&ran);
    quick(&home);
    soon("the run goes on", || device_says(&home, "Zum Anker"));
    service.stop();
}

#[test]
fn whoever_waits_hears_that_the_service_ended_or_was_killed() {
    let home = Home::synced(&GOOGLE);
    for signal in [Signal::TERM, Signal::KILL] {
        let mut service = Service::start(&home, ONCE);
        service.until_at_rest();
        let before = runs(&home);
        slow(&home, 120_000);
        let talk = home.start(&["sync"]);
        soon("the run", || runs(&home) == before + 1);
        service.signal(signal);
        let ran = talk.end().expect(75).says(&["twofold sync"]);
        home.names_a_command(&ran);
        assert!(signal == Signal::TERM || ran.err.contains("does not answer any more"), "{ran}");
        quick(&home);
        let ended = service.talk.take().unwrap().end();
        assert_eq!(ended.code, if signal == Signal::TERM { Some(0) } else { None }, "{ended}");
    }
    // What the killed one left behind stands in nobody's way.
    assert!(socket(&home).exists());
    home.sync().expect(0);
    let service = Service::start(&home, ONCE);
    service.until_at_rest();
    home.sync().expect(0);
    service.stop();
}

#[test]
fn a_wish_beside_another_process_waits_for_it() {
    let home = Home::synced(&GOOGLE);
    let service = Service::start(&home, ONCE);
    service.until_at_rest();
    slow(&home, 1_500);
    let dry = home.start(&["sync", "--dry-run"]);
    let asked = home.requests();
    soon("the dry run", || home.requests() > asked);
    let ran = home.sync().expect(0);
    quick(&home);
    dry.end().expect(0);
    assert!(ran.out.contains("nothing to do"), "{ran}");
    service.stop();
}

#[test]
fn what_makes_no_sense_at_the_socket_is_refused_and_disturbs_nobody() {
    let home = Home::synced(&GOOGLE);
    let service = Service::start(&home, ONCE);
    service.until_at_rest();
    for (request, exit, says) in [
        (json!({"twofold": 1, "word": "dance"}), 2, "dance"),
        (json!({"twofold": 99, "word": "status"}), 2, "another version"),
        (json!({"twofold": 1, "word": "sync", "kinds": ["notes"]}), 2, "notes"),
        (json!("hello"), 2, "another version"),
    ] {
        let answer = ask(&home, &request);
        let refused = &answer[0]["refused"];
        assert!(refused["exit"] == exit && refused["words"].as_str().unwrap().contains(says), "{answer:?}");
    }
    // Too long, and never ended.
    let mut stream = send(&home, &vec![b'x'; 64 * 1024]);
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("no line of 65536 bytes"), "{answer}");
    // Many who say nothing leave room for those who do, when their time is over.
    let silent: Vec<UnixStream> = (0..40).map(|_| send(&home, b"")).collect();
    soon("those who say nothing are let go", || {
        let mut stream = UnixStream::connect(socket(&home)).unwrap();
        let mut answer = String::new();
        // Who comes while there is no room is turned away.
        let is_asked = stream.write_all(b"{\"twofold\":1,\"word\":\"status\"}\n").is_ok();
        is_asked && stream.read_to_string(&mut answer).is_ok_and(|length| length > 0)
    });
    drop(silent);
    home.sync().expect(0);
    service.stop();
}

/// A folder with a key, as systemd hands one to a service.
fn credentials(home: &Home) -> std::path::PathBuf {
    let folder = home.dir.path().join("credentials");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("twofold.key"), [7; 32]).unwrap();
    folder
}

#[test]
fn where_the_key_is_the_services_a_shell_syncs_through_it_and_is_told_how_to_sign_in() {
    let home = Home::new(twofold_sandbox::Options::demo(), &GOOGLE);
    let key = credentials(&home);
    configure(&home, ONCE);
    let service = Service::begin_with(&home, &[("CREDENTIALS_DIRECTORY", key.to_str().unwrap())]);
    // As it is to be typed: with the key.
    let typed = format!(" --config {} login google", home.config().display());
    service.until_told(&typed, 1);
    assert!(service.told().iter().any(|line| line.contains("sudo systemd-run") && line.contains(&typed)));
    // A sign-in here would make a key that the service does not have.
    let refused = home.run(&["login", "google", "--no-browser"]).expect(2);
    let line = refused.err.lines().last().unwrap().trim();
    let path = home.dir.path().join("twofold.key.cred");
    for words in [
        "sudo systemd-run --pty --wait --collect --uid=",
        " --property=UMask=0077",
        &format!(" --property=LoadCredentialEncrypted=twofold.key:{} ", path.display()),
        &format!(" --config {} login google --no-browser", home.config().display()),
    ] {
        assert!(line.contains(words), "{words:?}: {refused}");
    }
    assert!(!home.state().join("twofold.key").exists() && !home.state().join("vault.json").exists(), "{refused}");
    // What systemd would start.
    let args = ["login", "google", "--no-browser"];
    let mut command = home.command(&args);
    command.env("CREDENTIALS_DIRECTORY", &key);
    let mut talk = home.talk(command, &args);
    common::visit(&talk.address().unwrap());
    talk.end().expect(0);
    soon("the sign-in is used", || home.laptop().exists() && device_says(&home, "Hotel Beispiel"));
    service.until_at_rest();
    give_nickname(&home, "Hotel Beispiel", "Zum Anker");
    home.sync().expect(0);
    assert!(device_says(&home, "Zum Anker"), "a shell needs no key for it");
    home.run(&["logout", "google"]).expect(2).says(&["systemd-run", "logout google"]);
    let ran = home.run(&["doctor"]).expect(0).shows(&[
        "warn  sign-ins",
        "that they do not open without it is as it should be",
        "systemd-run",
        " doctor\n",
    ]);
    assert!(!ran.out.contains("away"), "nobody is sent to throw them away: {ran}");
    home.run(&["forget", "nobody"]).expect(2).says(&["nothing is kept of \"nobody\"", "google"]);
    home.run(&["forget", "laptop"]).expect(75).says(&["First stop `twofold daemon` where it runs"]);
    service.stop();
    let alone = home.sync();
    assert!(alone.code != Some(0) && alone.err.contains("systemd-run") && alone.err.ends_with(" sync\n"), "{alone}");
}

#[test]
fn where_the_key_that_systemd_hands_over_does_not_fit_it_is_said_and_what_is_said_to_type_signs_in() {
    let home = Home::synced(&GOOGLE);
    fs::remove_file(home.state().join("twofold.key")).unwrap();
    let key = credentials(&home);
    let with_key = |args: &[&str]| {
        let mut command = home.command(args);
        command.env("CREDENTIALS_DIRECTORY", &key);
        home.talk(command, args)
    };
    let vault = home.state().join("vault.json");
    let away = home.state().join("vault.json.other-key");
    let line = format!("sudo mv {} {}\n  sudo systemd-run ", vault.display(), away.display());
    for (args, login) in [
        (&["login", "google", "--paste"][..], "login google --paste\n"),
        (&["logout", "google"], "login google --no-browser\n"),
        (&["sync"], "login google --no-browser\n"),
    ] {
        let ran = with_key(args).end();
        assert_ne!(ran.code, Some(0), "{ran}");
        let ran = ran.says(&["sealed with another key", &line]);
        assert!(ran.err.ends_with(login) && !ran.err.contains("hands to"), "{ran}");
    }
    fs::rename(&vault, &away).unwrap();
    let mut talk = with_key(&["login", "google", "--no-browser"]);
    let address = talk.address().unwrap();
    common::visit(&address);
    let ran = talk.end().expect(0);
    assert!(
        ran.err.contains("Without ssh, end this with Ctrl+C and type: sudo systemd-run "),
        "pasting wants the key, too: {ran}"
    );
    with_key(&["sync"]).end().expect(0);
}

/// Half of the cards are removed on the device: more than goes without a word.
fn remove_six(home: &Home) {
    let cards: Vec<_> = home.cards().into_keys().take(6).collect();
    cards.iter().for_each(|path| fs::remove_file(home.laptop().join(path)).unwrap());
}

/// The ids of all that is held.
fn held_ids(home: &Home) -> Vec<String> {
    let ran = home.run(&["held"]).expect(0);
    ran.out.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

#[test]
fn many_holds_are_decided_with_one_command_all_of_them_or_none() {
    let home = Home::synced(&BOTH);
    let (all, people) = (home.cards().len(), home.sandbox.google_people().len());
    let remove_all = || home.cards().into_keys().for_each(|path| fs::remove_file(home.laptop().join(path)).unwrap());
    let decide = |command: &str, ids: &[&str]| home.run(&[&[command], ids].concat());
    for beside_the_service in [false, true] {
        let service = beside_the_service.then(|| Service::start(&home, ONCE));
        if let Some(service) = &service {
            service.until_at_rest();
        }
        remove_all();
        match &service {
            Some(service) => {
                soon("three are held", || held_ids(&home).len() == 3);
                service.until_at_rest();
            }
            None => _ = home.sync().expect(4),
        }
        let ids = held_ids(&home);
        let [one, two, three] = ids.as_slice() else { panic!("{ids:?}") };
        for command in ["approve", "drop"] {
            let ran = decide(command, &[one, "no-such-hold", two]).expect(2).says(&[
                "none of the 3 is ",
                "\"no-such-hold\"",
                "nothing was done",
            ]);
            home.names_a_command(&ran);
        }
        assert_eq!(held_ids(&home), ids, "all stay held");
        let ran = decide("drop", &[one, two, three, one]).expect(0).says(&[one, two, three]);
        assert_eq!(ran.err.matches("is dropped").count(), 3, "a hold that is named twice is one: {ran}");
        if !beside_the_service {
            home.sync().expect(0);
        }
        soon("all is put back", || home.cards().len() == all);
        if let Some(service) = service {
            service.until_at_rest();
            remove_all();
            soon("three are held again", || held_ids(&home).len() == 3);
            service.until_at_rest();
            let ids = held_ids(&home);
            let all = ids.iter().map(String::as_str).collect::<Vec<_>>();
            let ran = decide("approve", &all).expect(0).says(&["The service does it now"]);
            assert_eq!(ran.err.matches("is approved").count(), 3, "{ran}");
            soon("all are gone", || home.sandbox.google_people().len() < people && home.cards().is_empty());
            soon("nothing is held", || held_ids(&home).is_empty());
            service.stop();
        }
    }
}

#[test]
fn what_is_approved_during_a_first_sync_of_mail_is_done_before_that_is_over() {
    let home = Home::new(twofold_sandbox::Options::demo(), &MICROSOFT);
    let all = home.configuration(&format!("\n[schedule]\n{ONCE}\n"));
    fs::write(home.config(), all.replace("kinds = [\"contacts\"]", "kinds = [\"mail\", \"contacts\"]")).unwrap();
    home.login("microsoft365").expect(0);
    home.run(&["sync", "--only", "contacts"]).expect(0);
    remove_six(&home);
    home.run(&["sync", "--only", "contacts"]).expect(4);
    let id = home.run(&["held"]).expect(0).only_id();
    for n in 0..600 {
        let letter =
            format!("Message-ID: <{n}@example.org>\r\nSubject: Letter {n}\r\nFrom: a@example.org\r\n\r\nText\r\n");
        home.sandbox.graph_mail_deliver("inbox", letter.as_bytes()).unwrap();
    }
    home.sandbox.switch(|switches| switches.latency_ms = 200);
    home.sandbox.reset_counts();
    let read = || home.sandbox.log().iter().filter(|line| line.info.path.ends_with("/$value")).count();
    let service = Service::begin(&home);
    soon("messages are read", || read() > 20);
    let people = || home.graph_text().matches("\"givenName\"").count();
    let before = people();
    home.run(&["approve", &id]).expect(0).says(&["in the middle of a run", "is approved", "The service does it now"]);
    soon("they are gone at Microsoft", || people() < before);
    assert!(read() < 600, "{} were read: that was no first sync any more", read());
    home.sandbox.switch(|switches| switches.latency_ms = 0);
    service.stop();
}

#[test]
fn whoever_decides_hears_what_stands_in_its_way() {
    let home = Home::synced(&BOTH);
    remove_six(&home);
    let service = Service::start(&home, ONCE);
    service.until_at_rest();
    let id = home.run(&["held"]).expect(0).only_id();
    home.sandbox.fault(Rule::any(Fault::status(503)).on(Provider::Microsoft));
    home.run(&["logout", "google"]).expect(0);
    home.sync().expect(3);
    let ran = home.run(&["approve", &id]).expect(0).says(&[
        "is approved",
        "but for what waits until this is over",
        "google: somebody has to sign in; type: twofold login google",
        "microsoft365: ",
    ]);
    assert!(!ran.err.contains("laptop:"), "nothing is the matter there: {ran}");
    service.until_at_rest();
    assert_eq!(home.sandbox.google_people().len(), 12, "nothing is done there");
    quick(&home);
    home.login("google").expect(0);
    soon("it is done when that is over", || home.sandbox.google_people().len() == 6);
    service.stop();
    // Without a service it is told as well.
    remove_six(&home);
    home.sandbox.with(|state| state.faults.clear());
    home.sync().expect(4);
    let id = home.run(&["held"]).expect(0).only_id();
    home.run(&["logout", "google"]).expect(0);
    let says = ["The next run does it, but for what waits", "twofold login google", "Type: twofold sync"];
    home.run(&["drop", &id]).expect(0).says(&says);
}

#[test]
fn what_is_approved_or_resolved_during_a_run_waits_for_its_end() {
    let home = Home::synced(&GOOGLE);
    remove_six(&home);
    let service = Service::start(&home, ONCE);
    service.until_at_rest();
    let id = home.run(&["held"]).expect(0).only_id();
    let before = runs(&home);
    slow(&home, 400);
    let run = home.start(&["sync"]);
    soon("the run", || runs(&home) == before + 1);
    home.run(&["approve", &id]).expect(0).says(&["is approved", "The service does it now"]);
    run.end().expect(4);
    quick(&home);
    soon("what was approved is done, and nobody typed sync", || home.sandbox.google_people().len() == 6);
    service.until_at_rest();
    assert_eq!(runs(&home), before + 2);
    // Whoever does not wait for a longer run leaves it to the service; one that is killed has done nothing.
    let ids = |home: &Home| home.run(&["held"]).expect(0).out.lines().count();
    remove_six(&home);
    soon("it is held again", || ids(&home) == 1);
    service.until_at_rest();
    let id = home.run(&["held"]).expect(0).only_id();
    let before = runs(&home);
    slow(&home, 120_000);
    let run = home.start(&["sync"]);
    soon("the run", || runs(&home) == before + 1);
    let talk = home.start(&["drop", &id]);
    soon("the service heard it", || talk.said().contains("in the middle of a run (contacts)"));
    talk.signal(Signal::INT);
    let ran = talk.end().expect(75).says(&[
        "no longer waiting",
        "when the run that is under way ends or gives way",
        "twofold held",
    ]);
    home.names_a_command(&ran);
    let talk = home.start(&["drop", &id]);
    soon("the service heard it again", || talk.said().contains("in the middle of a run"));
    service.signal(Signal::KILL);
    talk.end().expect(75).says(&["does not answer", "is not known", "twofold held"]);
    quick(&home);
    run.end().expect(75);
    assert_eq!(ids(&home), 1, "it stays held");
    home.run(&["drop", &id]).expect(0).says(&["is dropped", "twofold sync"]);
}

#[test]
fn of_two_decisions_about_one_hold_the_first_counts_and_who_comes_second_hears_when_it_was() {
    let home = Home::synced(&GOOGLE);
    let (all, people) = (home.cards().len(), || home.sandbox.google_people().len());
    remove_six(&home);
    home.sync().expect(4);
    let id = home.run(&["held"]).expect(0).only_id();
    home.run(&["approve", &id]).expect(0).says(&["is approved"]);
    let second = home.run(&["drop", &id]).expect(2).says(&[
        &id,
        "was already approved at 20",
        " UTC; that stays",
        "nothing was done",
    ]);
    home.names_a_command(&second);
    home.run(&["approve", &id]).expect(0).says(&["was already approved at 20", "twofold sync"]);
    home.sync().expect(0);
    assert_eq!((people(), home.cards().len()), (all - 6, all - 6), "all of it is made");
    home.run(&["drop", &id]).expect(2).says(&["was already approved at 20"]);
    home.run(&["drop", "no-such-hold"]).expect(2).says(&["nothing is held under"]);
    // Two people at the same moment, and the service.
    let service = Service::start(&home, ONCE);
    service.until_at_rest();
    let left = home.cards().len();
    home.cards().into_keys().for_each(|path| fs::remove_file(home.laptop().join(path)).unwrap());
    soon("it is held", || home.run(&["held"]).expect(0).out.lines().count() == 1);
    let id = home.run(&["held"]).expect(0).only_id();
    let both = [home.start(&["approve", &id]), home.start(&["drop", &id])].map(Talk::end);
    let stands = match both.each_ref().map(|ran| ran.code) {
        [Some(0), Some(2)] => 0,
        [Some(2), Some(0)] => left,
        _ => panic!("{}{}", both[0], both[1]),
    };
    let refused = both.iter().find(|ran| ran.code == Some(2)).unwrap();
    assert!(refused.err.contains("that stays"), "{refused}");
    soon("one of the two, as a whole", || (people(), home.cards().len()) == (stands, stands));
    service.stop();
    home.sync().expect(0).shows(&["nothing to do"]);
    assert_eq!((people(), home.cards().len()), (stands, stands));
}

#[test]
fn what_is_dropped_beside_the_service_is_put_back_at_once_and_alone_by_the_next_run() {
    let home = Home::synced(&GOOGLE);
    let all = home.cards().len();
    remove_six(&home);
    let service = Service::start(&home, ONCE);
    service.until_at_rest();
    let id = home.run(&["held"]).expect(0).only_id();
    home.run(&["drop", "no-such-hold"]).expect(2).says(&["no-such-hold", "nothing was done", "twofold held"]);
    home.run(&["drop", &id]).expect(0).says(&["is dropped", "The service does it now"]);
    soon("they are back", || home.cards().len() == all);
    service.stop();
    remove_six(&home);
    home.sync().expect(4);
    let id = home.run(&["held"]).expect(0).only_id();
    home.run(&["drop", &id]).expect(0).says(&["is dropped", "twofold sync"]);
    home.sync().expect(0);
    assert_eq!(home.cards().len(), all);
}

#[test]
fn a_command_goes_by_the_state_folder_of_the_running_service_until_that_starts_with_another_one() {
    let home = Home::synced(&GOOGLE);
    let service = Service::start(&home, ONCE);
    let (good, there) = (fs::read_to_string(home.config()).unwrap(), home.dir.path().join("another"));
    let (from, to) = (format!("{:?}", home.state()), format!("{there:?}"));
    let other = good.replace(&from, &to);
    // Before it is asked to read the file, and after it refused to take it.
    for reads in [false, true] {
        fs::write(home.config(), &other).unwrap();
        if reads {
            service.signal(Signal::HUP);
            service.until_told("names another state_dir", 1);
            service.until_at_rest();
        }
        let still = format!("still uses {}", home.state().display());
        let ran =
            home.run(&["status"]).says(&[&still, &there.display().to_string(), "stop `twofold daemon` where it runs"]);
        assert!(ran.out.contains("the service is at ") && !ran.out.contains("nothing has been synced"), "{ran}");
        let asked = runs(&home);
        home.sync().expect(0).says(&[&still]);
        assert_eq!(runs(&home), asked + 1, "the run is the service's");
        home.run(&["held"]).expect(0).says(&[&still]);
        home.run(&["approve", "nothing"]).expect(2).says(&["nothing is held under the id"]);
        home.run(&["doctor", "--offline"]).says(&[&still]);
        home.run(&["daemon"]).expect(75).says(&["another service", "not started"]);
        assert!(!there.exists(), "no second hub was begun");
    }
    // What the sandbox has to let through is what the file says.
    let drop_in = home.run(&["systemd-dropin"]).expect(0).out;
    assert!(drop_in.contains(&there.display().to_string()), "{drop_in}");
    let file = fs::read_to_string(home.config()).unwrap();
    fs::write(home.config(), &good).unwrap();
    let ran = home.run(&["status"]);
    assert!(!ran.err.contains("still uses"), "{ran}");
    fs::write(home.config(), file).unwrap();
    service.stop();
    // Nobody is there any more: the file counts.
    home.run(&["status"]).says(&[&format!("there is no hub in {} yet", there.display())]);
    assert!(!there.exists());
}

#[test]
fn another_user_who_comes_to_the_socket_is_turned_away() {
    let home = Home::synced(&GOOGLE);
    let asks = "import socket,sys;s=socket.socket(socket.AF_UNIX);s.connect(sys.argv[1]);\
                s.sendall(b'{\"twofold\":1,\"word\":\"status\"}\\n');print(len(s.recv(9)))";
    let ask = |user: Option<u32>| {
        use std::os::unix::process::CommandExt;
        let mut command = std::process::Command::new("python3");
        command.args(["-c", asks]).arg(socket(&home));
        user.map(|user| command.uid(user));
        let output = command.output().unwrap();
        String::from_utf8_lossy(&output.stdout).trim().parse::<usize>().ok()
    };
    let service = Service::start(&home, ONCE);
    service.until_at_rest();
    assert_eq!(ask(None), Some(9), "this user is answered");
    if !rustix::process::geteuid().is_root() {
        let is_required = std::env::var("TWOFOLD_REQUIRE_OTHER_USER").is_ok_and(|value| value == "1");
        assert!(!is_required, "only root can come as another user, and this is not root");
        println!("left out: only root can come as another user");
        service.stop();
        return;
    }
    assert_eq!(ask(Some(65_534)), None, "another one does not even come to the socket");
    // The doors that stand before it are opened; the kernel says who comes.
    let open = |path: std::path::PathBuf, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    open(home.dir.path().to_owned(), 0o711);
    open(home.state(), 0o711);
    open(socket(&home), 0o666);
    assert!(ask(Some(65_534)).is_none_or(|length| length == 0), "it is told nothing");
    assert_eq!(ask(None), Some(9));
    open(home.state(), 0o700);
    let ran = service.stop();
    assert!(ran.err.contains("user 65534 asked at the socket and was turned away"), "{ran}");
}
