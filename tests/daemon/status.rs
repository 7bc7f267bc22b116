//! `twofold status`: its form, in many states; and waiting until all is aligned.

use super::*;
use serde_json::{Value, json};
use twofold::daemon::socket::{Door, Socket};

/// The schema as the project publishes it.
fn schema() -> Value {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli/status/schema.json");
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// What of a value is not as its schema says (JSON Schema 2020-12, the words that are used here and no others).
fn faults(value: &Value, schema: &Value, root: &Value, at: &str, found: &mut Vec<String>) {
    for (word, says) in schema.as_object().unwrap() {
        let mut fault = |why: String| found.push(format!("{at}: {why}"));
        match word.as_str() {
            "$schema" | "$defs" | "title" | "description" => {}
            "$ref" => {
                let pointer = says.as_str().unwrap().strip_prefix('#').unwrap();
                faults(value, root.pointer(pointer).unwrap(), root, at, found);
            }
            "const" if value != says => fault(format!("{value} is not {says}")),
            "enum" if !says.as_array().unwrap().contains(value) => fault(format!("{value} is none of {says}")),
            "type" => {
                let is_of = |name: &Value| match name.as_str().unwrap() {
                    "null" => value.is_null(),
                    "boolean" => value.is_boolean(),
                    "integer" => value.is_i64() || value.is_u64(),
                    "number" => value.is_number(),
                    "string" => value.is_string(),
                    "array" => value.is_array(),
                    "object" => value.is_object(),
                    other => panic!("no type {other}"),
                };
                let is_any = says.as_array().map_or_else(|| is_of(says), |names| names.iter().any(is_of));
                if !is_any {
                    fault(format!("{value} is no {says}"));
                }
            }
            "required" => {
                for key in says.as_array().unwrap() {
                    if value.as_object().is_some_and(|object| !object.contains_key(key.as_str().unwrap())) {
                        fault(format!("{key} is missing"));
                    }
                }
            }
            "properties" => {
                for (key, value) in value.as_object().into_iter().flatten() {
                    match says.get(key) {
                        Some(schema) => faults(value, schema, root, &format!("{at}.{key}"), found),
                        None if schema.get("additionalProperties") == Some(&json!(false)) => {
                            found.push(format!("{at}: {key:?} is not in the schema"));
                        }
                        None => {}
                    }
                }
            }
            "items" => {
                for (n, value) in value.as_array().into_iter().flatten().enumerate() {
                    faults(value, says, root, &format!("{at}[{n}]"), found);
                }
            }
            "anyOf" => {
                let fits = |schema: &Value| {
                    let mut found = Vec::new();
                    faults(value, schema, root, at, &mut found);
                    found.is_empty()
                };
                if !says.as_array().unwrap().iter().any(fits) {
                    fault(format!("{value} fits none of {says}"));
                }
            }
            "additionalProperties" if says.is_object() => {
                let named = schema.get("properties").and_then(Value::as_object);
                for (key, value) in value.as_object().into_iter().flatten() {
                    if !named.is_some_and(|named| named.contains_key(key)) {
                        faults(value, says, root, &format!("{at}.{key}"), found);
                    }
                }
            }
            "const" | "enum" | "additionalProperties" => {}
            other => panic!("this test does not know {other:?}"),
        }
    }
}

/// `status --json`, which must be as its schema says; kept where a judge may read it.
#[track_caller]
fn status_of(home: &Home, state: &str) -> Value {
    let value = home.json(&["status"]);
    let (schema, mut found) = (schema(), Vec::new());
    faults(&value, &schema, &schema, "", &mut found);
    assert!(found.is_empty(), "{state}: {found:#?}\n{value:#}");
    if let Some(folder) = std::env::var_os("TWOFOLD_STATUS_DIR") {
        let name = format!("{}.json", state.replace(' ', "-"));
        fs::write(std::path::Path::new(&folder).join(name), value.to_string()).unwrap();
    }
    value
}

#[test]
fn its_json_is_as_the_schema_says_in_every_state() {
    let home = Home::new(twofold_sandbox::Options::demo(), &BOTH);
    let value = status_of(&home, "nobody signed in");
    assert_eq!((&value["replicas"], &value["service"]), (&json!([]), &Value::Null));
    home.sync();
    let value = status_of(&home, "nobody signed in after a run");
    assert!(value["replicas"][0]["trouble"].is_string() && value["replicas"][0]["sign_in"]["ok"] == false, "{value}");
    BOTH.iter().for_each(|name| drop(home.login(name).expect(0)));
    home.sync().expect(0);
    let value = status_of(&home, "all is well");
    let all = value["replicas"].as_array().unwrap().iter().flat_map(|one| one["collections"].as_array().unwrap());
    assert!(all.clone().count() > 3 && all.clone().all(|one| one["late"] == false && one["last_read_ms"].is_i64()));
    let holds_any = |one: &&Value| one["items"] != 0;
    let of_providers = value["replicas"].as_array().unwrap().iter().filter(|one| one["device"] == false);
    let mut of_providers = of_providers.flat_map(|one| one["collections"].as_array().unwrap());
    assert!(of_providers.clone().any(|one| holds_any(&one)));
    assert!(of_providers.all(|one| holds_any(&one) == one["last_proof_ms"].is_i64()), "{value}");
    // A file with two cards, a field that was changed on two sides, and a mass change.
    let broken = home.google_folder().join("broken.vcf");
    let card =
        |uid: &str| format!("BEGIN:VCARD\r\nVERSION:3.0\r\nUID:{uid}\r\nFN:{uid}\r\nN:{uid};;;;\r\nEND:VCARD\r\n");
    fs::write(&broken, card("one") + &card("two")).unwrap();
    let person = home.google_person("Hotel Beispiel");
    home.sandbox.google_edit(&person, |p| p["organizations"][0]["title"] = json!("From Google")).unwrap();
    let card = home.card("TITLE:Reception");
    fs::write(&card, fs::read_to_string(&card).unwrap().replace("TITLE:Reception", "TITLE:From Laptop")).unwrap();
    home.sync().expect(5);
    let value = status_of(&home, "quarantine and conflict");
    assert!(value["conflicts"] == 1 && value["quarantine"][0]["item"].is_string(), "{value}");
    let laptop = value["replicas"].as_array().unwrap().iter().find(|one| one["name"] == "laptop").unwrap();
    assert!(laptop["collections"].as_array().unwrap().iter().any(|one| one["quarantined"] == 1), "{laptop}");
    let google: Vec<_> = home.cards().into_keys().filter(|path| path.starts_with("google")).collect();
    google.iter().take(8).for_each(|path| fs::remove_file(home.laptop().join(path)).unwrap());
    home.sync().expect(4);
    assert_eq!(status_of(&home, "held")["held"], 1);
}

#[test]
fn while_the_hub_is_made_for_the_first_time_it_says_so() {
    let home = Home::new(twofold_sandbox::Options::demo(), &BOTH);
    twofold_hub::prepare_folder(&home.state()).unwrap();
    let lock = twofold_hub::Lock::take(&home.state()).unwrap().unwrap();
    home.run(&["status"]).expect(75).says(&["is starting", "nothing to show yet", "twofold status"]);
    drop(lock);
    home.run(&["status"]).expect(3).shows(&["trouble: google: somebody has to sign in; type: twofold login google"]);
}

/// Whatever a command finds, and whatever it ends with.
#[test]
fn where_no_hub_is_what_only_shows_or_decides_makes_none_and_says_where_it_looked() {
    let home = Home::new(twofold_sandbox::Options::demo(), &BOTH);
    let backup = home.dir.path().join("backup").display().to_string();
    let all: [&[&str]; 14] = [
        &["status"],
        &["status", "--json"],
        &["held"],
        &["held", "--json"],
        &["conflicts"],
        &["conflicts", "show", "nothing"],
        &["approve", "nothing"],
        &["drop", "nothing"],
        &["doctor"],
        &["doctor", "--full", "--offline"],
        &["backup", &backup],
        &["forget", "nobody"],
        &["forget", "google", "--data", "--yes"],
        &["forget", "laptop", "--yes"],
    ];
    let no_tree = home.dir.path().join("no-tree").display().to_string();
    fs::create_dir(&no_tree).unwrap();
    for there in [false, true] {
        home.run(&["adopt", &no_tree, "--as", "laptop/google/mail"]).expect(2).says(&["nothing was done"]);
        assert_eq!(fs::read_dir(home.state()).map_or(0, Iterator::count), 0, "adopt made something");
        for args in all {
            let ran = home.run(args);
            assert_eq!(fs::read_dir(home.state()).map_or(0, Iterator::count), 0, "something was made: {ran}");
            assert_eq!(home.state().exists(), there, "{ran}");
            assert!(!fs::exists(&backup).unwrap(), "{ran}");
            let (said, state) = (format!("{}{}", ran.out, ran.err), home.state().display().to_string());
            assert!(said.contains(&format!("there is no hub in {state} yet, and none was made")), "{ran}");
        }
        // Somebody made the folder, and nobody a hub.
        twofold_hub::prepare_folder(&home.state()).unwrap();
    }
    home.run(&["status"]).expect(3).shows(&["nothing has been synced yet; type: twofold sync"]);
    home.run(&["backup", &backup]).expect(2).says(&["no backup was made"]);
}

#[test]
fn its_json_is_as_the_schema_says_with_calendars_and_with_mail() {
    let home = Home::with_calendars(&BOTH);
    assert!(status_of(&home, "calendars")["replicas"][0]["collections"].as_array().unwrap().len() > 1);
    let home = Home::with_mail(&GOOGLE);
    let more = "\n[google.mail]\nexclude = [\"Spam\"]\nmax_size = \"2kB\"\n";
    fs::write(home.config(), home.configuration(more)).unwrap();
    home.sync();
    let value = status_of(&home, "mail");
    assert!(value["replicas"][0]["mail"]["messages"].is_u64() && value["blobs"]["count"].is_u64(), "{value}");
    assert!(value["left_out"].as_array().is_some_and(|rows| !rows.is_empty()), "{value}");
}

#[test]
fn it_shows_what_the_service_is_at_and_when_the_next_run_is() {
    let home = Home::synced(&GOOGLE);
    home.run(&["status"])
        .expect(0)
        .shows(&["My Contacts (12 items); read 20", "no service is running; the last run began"]);
    let service = Service::start(&home, ONCE);
    service.until_at_rest();
    home.run(&["status"]).expect(0).shows(&["the service is at rest; next run in"]);
    let value = status_of(&home, "service at rest");
    let now = &value["service"];
    assert_eq!((&now["state"], &now["last"]["exit"], &now["troubles"]), (&json!("waiting"), &json!(0), &json!([])));
    assert!(now["due_ms"]["contacts"].as_i64() >= now["next_ms"].as_i64() && now["next_ms"].is_i64(), "{now}");
    home.sandbox.fault(Rule::any(Fault::Delay { ms: 120_000 }));
    let talk = home.start(&["sync"]);
    soon("a run", || home.json(&["status"])["service"]["state"] == "running");
    home.run(&["status"]).expect(0).shows(&["the service is at work on contacts for"]);
    let value = status_of(&home, "service at work");
    assert_eq!(value["service"]["run"]["kinds"], json!(["contacts"]));
    talk.signal(Signal::INT);
    talk.end().expect(75);
    service.stop();
}

/// Answers in the place of a service that has been there since that moment, and goes by its clock.
fn stand_in(home: &Home, since_ms: i64) -> tokio::runtime::Runtime {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _inside = runtime.enter();
    let live = Arc::new(twofold::daemon::live::Live::new(since_ms));
    let (events, _) = tokio::sync::mpsc::unbounded_channel();
    let door = Door::new(live, Arc::default(), events, false, "twofold".to_owned());
    runtime.spawn(door.keep(Socket::bind(&home.state()).unwrap()));
    drop(_inside);
    runtime
}

fn read_earlier(home: &Home, by_ms: i64) {
    let hub = rusqlite::Connection::open(home.state().join("hub.sqlite")).unwrap();
    hub.execute("UPDATE places SET read = read - ?1", [by_ms]).unwrap();
}

#[test]
fn a_collection_that_the_service_did_not_read_for_long_is_late() {
    let home = Home::synced(&GOOGLE);
    let value = status_of(&home, "proven");
    assert_eq!(value["replicas"][0]["collections"][0]["late"], false);
    // Two hours went by for the hub. Who runs it by hand owes nobody another run.
    let now_ms = value["replicas"][0]["last_ok_ms"].as_i64().unwrap();
    read_earlier(&home, 7_200_000);
    assert_eq!(status_of(&home, "old")["replicas"][0]["collections"][0]["late"], false);
    home.run(&["status"]).expect(0).shows(&["My Contacts (12 items); read 20"]);
    // A service that was there all the while should have looked.
    let service = stand_in(&home, now_ms - 7_200_000);
    let value = status_of(&home, "late");
    assert_eq!(value["replicas"][0]["collections"][0]["late"], true);
    let words = "google: contacts were not read for too long; see: twofold doctor";
    assert!(value["troubles"].as_array().unwrap().contains(&json!(words)), "{value}");
    let late = format!("trouble: {words}");
    home.run(&["status"]).expect(75).shows(&["My Contacts (12 items); LATE: last read 20", &late]);
    configure(&home, "every = \"1d\"");
    home.run(&["status"]).expect(0).shows(&["My Contacts (12 items); read 20"]);
    drop(service);
    // One that began a moment ago was not due before.
    configure(&home, OFTEN);
    let service = stand_in(&home, now_ms);
    home.run(&["status"]).expect(0).shows(&["My Contacts (12 items); read 20"]);
    drop(service);
}

#[test]
fn it_ends_with_what_the_last_run_could_not_do_and_says_what_to_type() {
    let home = Home::new(twofold_sandbox::Options::demo(), &GOOGLE);
    let signs_in = "trouble: google: somebody has to sign in; type: twofold login google";
    home.run(&["status"]).expect(3).shows(&[signs_in, "trouble: nothing has been synced yet; type: twofold sync"]);
    home.login("google").expect(0);
    home.run(&["status"]).expect(75).shows(&["trouble: nothing has been synced yet; type: twofold sync"]);
    home.sync().expect(0);
    assert!(!home.run(&["status"]).expect(0).out.contains("trouble:"));
    home.sandbox.fault(Rule::any(Fault::status(503)).on(Provider::Google));
    home.sync().expect(75);
    let words = "trouble: google: contacts did not come through in the last run: ";
    home.run(&["status"]).expect(75).shows(&[words, "503", "; go on with: twofold sync"]);
    assert_eq!(status_of(&home, "unreachable")["troubles"].as_array().unwrap().len(), 1);
    let path = home.config().display().to_string();
    let typed = format!("; go on with: twofold --config {path} sync\"");
    home.run(&["--config", &path, "status", "--json"]).expect(75).shows(&[&typed]);
    // The service says the same once, and is asked the same.
    let service = Service::start(&home, ONCE);
    service.until_told("STATUS=next run in", 1);
    let ran = home.run(&["status"]).expect(75).shows(&["trouble: google: "]);
    assert_eq!(ran.out.matches("trouble:").count(), 1, "{ran}");
    // A run that did not look there says nothing of it, beside the service or without one.
    home.run(&["sync", "--replica", "laptop"]).expect(0);
    home.run(&["status"]).expect(75).shows(&["trouble: google: "]);
    service.stop();
    home.run(&["sync", "--replica", "laptop"]).expect(0);
    home.run(&["status"]).expect(75).shows(&["trouble: google: "]);
    home.sandbox.with(|state| state.faults.clear());
    home.sync().expect(0);
    assert!(!home.run(&["status"]).expect(0).out.contains("trouble:"));
    // Revoked, and signed in again, but not read since.
    home.run(&["logout", "google"]).expect(0);
    home.sync().expect(3);
    home.run(&["status"]).expect(3).shows(&[signs_in]);
    home.login("google").expect(0);
    let since = "trouble: google: somebody signed in since the last run; type: twofold sync";
    home.run(&["status"]).expect(75).shows(&[since]);
    home.sync().expect(0);
    home.run(&["status"]).expect(0);
}

#[test]
fn a_disk_below_its_floor_and_a_service_that_was_killed_are_told() {
    let home = Home::synced(&GOOGLE);
    fs::write(home.config(), home.configuration("\n[disk]\nkeep_free = \"1000000GB\"\n")).unwrap();
    home.run(&["status"])
        .expect(75)
        .shows(&["trouble: the disk of the state folder is nearly full", "free some space. See: twofold doctor"]);
    configure(&home, ONCE);
    home.run(&["status"]).expect(0);
    let service = Service::start(&home, ONCE);
    service.until_at_rest();
    home.run(&["status"]).expect(0);
    // One that hangs is not one that was killed.
    service.signal(Signal::STOP);
    let ran = home.run(&["status"]).expect(75).shows(&["trouble: the service runs and does not answer"]);
    assert!(!ran.out.contains("was killed") && !ran.out.contains("no service is running"), "{ran}");
    assert!(ran.out.ends_with("the service runs and does not answer\n"), "{ran}");
    let value = status_of(&home, "service frozen");
    assert_eq!((&value["service"], &value["service_mute"]), (&Value::Null, &json!(true)));
    let began = Instant::now();
    home.run(&["status", "--wait-aligned", "--timeout", "2s"]).expect(75).says(&["not aligned within 2 s"]);
    assert!((2..4).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    home.run(&["sync"]).expect(75).says(&["runs and does not answer", "no run was seen to begin"]);
    home.run(&["drop", "new-1"]).expect(75).says(&["does not answer", "is not known"]);
    service.signal(Signal::CONT);
    home.run(&["status"]).expect(0);
    service.signal(Signal::KILL);
    soon("it is told", || home.json(&["status"])["service"].is_null());
    home.run(&["status"]).expect(75).shows(&["trouble: no service is running: the last one was killed"]);
    assert_eq!(status_of(&home, "service killed")["service_mute"], false);
    let service = Service::start(&home, ONCE);
    service.until_at_rest();
    service.stop();
    home.run(&["status"]).expect(0).shows(&["no service is running"]);
}

#[test]
fn after_a_sign_in_nobody_is_asked_for_one_any_more() {
    let home = Home::synced(&GOOGLE);
    home.run(&["logout", "google"]).expect(0);
    let service = Service::start(&home, ONCE);
    service.until_told("twofold login google", 1);
    home.run(&["status"]).expect(3).shows(&["twofold login google"]);
    // The run that follows takes its time.
    home.login("google").expect(0);
    home.sandbox.fault(Rule::any(Fault::Delay { ms: 1_000 }));
    let mut ran = home.run(&["status"]);
    soon("all is well", || {
        assert!(!ran.out.contains("twofold login"), "{ran}");
        ran = home.run(&["status"]);
        ran.code == Some(0)
    });
    let told = service.told();
    let asked = told.iter().rposition(|line| line.contains("twofold login google")).unwrap();
    assert!(told[asked..].iter().any(|line| line.contains("all is well")), "{told:?}");
    service.stop().says(&["over: google: "]);
}

#[test]
fn a_sync_that_was_killed_is_told_until_a_run_came_to_its_end() {
    let home = Home::synced(&GOOGLE);
    let run = || home.json(&["status"])["last_run"]["run"].as_i64().unwrap();
    let before = run();
    home.sandbox.fault(Rule::any(Fault::Delay { ms: 120_000 }));
    let talk = home.start(&["sync"]);
    soon("it is at work", || run() > before);
    assert!(!home.run(&["status"]).expect(0).out.contains("trouble:"), "it is not killed, it goes on");
    talk.signal(Signal::KILL);
    talk.end();
    let words = "trouble: the last run, which began 0 min ago, did not come to its end";
    let ran = home.run(&["status"]).expect(75).shows(&[words, "What it did is kept", "not repeated", ": twofold sync"]);
    assert_eq!(ran.out.matches("trouble:").count(), 1, "{ran}");
    assert_eq!(status_of(&home, "killed")["troubles"].as_array().unwrap().len(), 1);
    home.run(&["sync", "--dry-run", "--replica", "laptop"]).expect(0);
    home.run(&["status"]).expect(75).shows(&[words]);
    home.sandbox.with(|state| state.faults.clear());
    home.sync().expect(0);
    assert!(!home.run(&["status"]).expect(0).out.contains("trouble:"));
}

#[test]
fn waiting_until_all_is_aligned_ends_with_a_run_that_began_later_and_left_nothing() {
    let home = Home::synced(&GOOGLE);
    let wait = ["status", "--wait-aligned", "--timeout", "60s"];
    let ran = home.run(&wait).expect(75).says(&["no service is running", "twofold sync"]);
    home.names_a_command(&ran);
    home.run(&["status", "--timeout", "60s"]).expect(2);
    home.run(&["status", "--wait-aligned", "--timeout", "soon"]).expect(2);
    let service = Service::start(&home, ONCE);
    service.until_at_rest();
    give_nickname(&home, "Hotel Beispiel", "Zum Anker");
    home.run(&wait).expect(0).says(&["twofold: aligned"]).shows(&["google: reached"]);
    assert!(device_says(&home, "Zum Anker"), "what was there when it was asked is done");
    let value: Value = serde_json::from_str(&home.run(&["status", "--wait-aligned", "--json"]).expect(0).out).unwrap();
    assert_eq!(value["last_run"]["exit"], 0);
    // A provider that is down and comes back.
    home.sandbox.fault(Rule::any(Fault::status(503)).on(Provider::Google));
    let ran = home.run(&["status", "--wait-aligned", "--timeout", "1s"]).expect(75).says(&["not aligned within 1 s"]);
    home.names_a_command(&ran);
    let talk = home.start(&wait);
    let before = home.sandbox.requests(Provider::Google);
    soon("it is asked again", || home.sandbox.requests(Provider::Google) > before);
    home.sandbox.with(|state| state.faults.clear());
    talk.end().expect(0);
    // What waits for a person is no matter of time.
    home.run(&["logout", "google"]).expect(0);
    let began = Instant::now();
    home.run(&["status", "--wait-aligned", "--timeout", "2s"]).expect(3).shows(&["twofold login google"]);
    assert!(began.elapsed() >= Duration::from_secs(2), "it says that it was not within 2 s: {:?}", began.elapsed());
    service.stop();
}
