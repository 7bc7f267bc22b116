//! The commands, as a person types them: the built program as a child process against the sandbox on a loopback port.
//!
//! Each test has a sandbox, a configuration and a device folder of its own. In order: signing in, the exit codes, what the
//! commands show, the promises.

mod common;
#[path = "commands/mishaps.rs"]
mod mishaps;
#[path = "commands/portals.rs"]
mod portals;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use common::{BOTH, GOOGLE, Home, MICROSOFT, files, get, provider, visit};
use serde_json::{Value, json};
use twofold_sandbox::oauth::{End, GOOGLE_CLIENT_SECRET};
use twofold_sandbox::{Fault, Kind, Options, Phase, Provider, Rule};

// ---------------------------------------------------------------- signing in

#[test]
fn google_is_signed_in_at_the_address_that_no_browser_prints() {
    let home = Home::new(Options::demo(), &GOOGLE);
    let mut talk = home.start(&["login", "google", "--no-browser"]);
    let address = talk.line().unwrap();
    assert!(
        address.starts_with(&home.sandbox.urls().google_auth),
        "the address stands on a line of its own: {address}"
    );
    visit(&address);
    let ran = talk.end().expect(0).says(&["Signed in at Google as ada@example.com"]);
    assert_eq!(ran.out.lines().count(), 1, "nothing else stands on stdout: {ran}");
    home.sync().expect(0);
    assert_eq!(home.cards().len(), 12);
}

#[test]
fn microsoft_is_signed_in_at_the_address_that_no_browser_prints() {
    let home = Home::new(Options::demo(), &MICROSOFT);
    let mut talk = home.start(&["login", "microsoft365", "--no-browser"]);
    let address = talk.line().unwrap();
    assert!(address.starts_with(&home.sandbox.urls().microsoft_login), "{address}");
    visit(&address);
    talk.end().expect(0).says(&["Signed in at Microsoft as ada@example.com"]);
    home.sync().expect(0);
    assert_eq!(home.cards().len(), 12);
}

#[test]
fn a_machine_without_a_browser_signs_in_by_pasting_the_redirected_address() {
    for name in BOTH {
        let home = Home::new(Options::demo(), &[name]);
        let mut talk = home.start(&["login", name, "--paste"]);
        let address = talk.address().unwrap();
        let redirected = get(&address).unwrap();
        assert!(redirected.contains("code="), "{redirected}");
        talk.type_line("this is not it");
        talk.type_line(&redirected);
        talk.end().expect(0).says(&["paste", "That holds no answer", "Signed in at"]);
        home.sync().expect(0);
        assert_eq!(home.cards().len(), 12);
    }
}

#[test]
fn pasting_nothing_useful_changes_nothing_and_names_the_command() {
    let home = Home::new(Options::demo(), &GOOGLE);
    let mut talk = home.start(&["login", "google", "--paste"]);
    talk.address().unwrap();
    for _ in 0..3 {
        talk.type_line("http://127.0.0.1:1/?code=stolen&state=of-another");
    }
    let ran = talk.end().expect(3).says(&[
        "belongs to another sign-in",
        "nothing was changed",
        "twofold login google --paste",
    ]);
    home.names_a_command(&ran);
    assert!(!home.state().join("vault.json").exists());
}

#[test]
fn microsoft_is_signed_in_by_device_code_after_waiting_and_slowing_down() {
    let home = Home::new(Options::demo(), &MICROSOFT);
    home.sandbox.switch(|switches| {
        switches.device_pending_polls = 1;
        switches.device_slow_down = true;
    });
    let slow_down = json!({"error": "slow_down", "error_codes": [70016], "error_description": "AADSTS70016: slower"});
    let fault = Fault::Status { status: 400, retry_after: None, executed: false, body: Some(slow_down) };
    home.sandbox.fault(Rule::any(fault).of_kind(Kind::SignIn).path("/token").times(1));
    let mut talk = home.start(&["login", "microsoft365", "--device-code"]);
    assert_eq!(talk.line().as_deref(), Some("https://microsoft.com/devicelogin"));
    assert_eq!(talk.line().unwrap().len(), 9, "the code stands on a line of its own");
    talk.end().expect(0).says(&["enter the code", "Signed in at Microsoft as ada@example.com"]);
    let polls: Vec<i64> =
        home.sandbox.log().iter().filter(|line| line.info.path.ends_with("/token")).map(|line| line.at_ms).collect();
    assert_eq!(polls.len(), 3, "slow_down, authorization_pending, done");
    assert!(polls.windows(2).all(|pair| pair[1] - pair[0] >= 9_500), "the pace after slow_down is 10 s: {polls:?}");
    home.sync().expect(0);
    assert_eq!(home.cards().len(), 12);
}

#[test]
fn a_recorded_sign_in_and_run_hold_no_token_no_secret_and_no_person() {
    let home = Home::new(Options::demo(), &BOTH);
    let dir = home.dir.path().join("recorded");
    for name in BOTH {
        let args = ["login", name, "--no-browser"];
        let mut command = home.command(&args);
        command.env("TWOFOLD_RECORD", &dir);
        let mut talk = home.talk(command, &args);
        visit(&talk.address().unwrap());
        talk.end().expect(0);
    }
    let mut command = home.command(&["sync"]);
    command.env("TWOFOLD_RECORD", &dir);
    home.talk(command, &["sync"]).end().expect(0);
    let recorded = files(&dir);
    let text: String = recorded.values().map(|bytes| String::from_utf8_lossy(bytes)).collect();
    assert!(text.contains("/token") && text.contains("connections") && text.contains("contactFolders"));
    for secret in [GOOGLE_CLIENT_SECRET, "Bearer ey", "Hotel Beispiel", "Hausmeister", "Çağlar", "zoe.private@"] {
        assert!(!text.contains(secret), "{secret}");
    }
    for path in recorded.keys() {
        assert_eq!(fs::metadata(dir.join(path)).unwrap().mode() & 0o077, 0, "{path:?} is readable by its owner only");
    }
}

#[test]
fn google_has_no_device_code_and_the_refusal_names_the_other_way() {
    let home = Home::new(Options::demo(), &GOOGLE);
    let ran = home
        .run(&["login", "google", "--device-code"])
        .expect(2)
        .says(&["device code", "twofold login google --paste"]);
    home.names_a_command(&ran);
}

#[test]
fn a_declined_sign_in_is_a_sentence_and_stores_nothing() {
    let home = Home::new(Options::demo(), &BOTH);
    home.sandbox.switch(|switches| switches.user_answer = "decline".into());
    for name in BOTH {
        let ran = home.login(name);
        assert!(!matches!(ran.code, Some(0) | None), "{ran}");
        assert_eq!(ran.err.lines().filter(|line| line.starts_with("twofold: ")).count(), 1, "one sentence: {ran}");
        let ran = ran.says(&["declined", "othing was changed", &format!("twofold login {name}")]);
        home.names_a_command(&ran);
    }
    let ran = home.run(&["login", "microsoft365", "--device-code"]).says(&["declined", "othing was changed"]);
    assert!(!matches!(ran.code, Some(0) | None), "{ran}");
    home.names_a_command(&ran);
    assert!(!home.state().join("vault.json").exists(), "nothing is stored");
}

#[test]
fn a_client_id_that_is_still_the_examples_opens_no_browser() {
    let home = Home::new(Options::demo(), &BOTH);
    let written = home.configuration("");
    let example = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/config.example.toml")).unwrap();
    for (at, name) in BOTH.iter().enumerate() {
        let table = example.split_once(&format!("\n[{name}]")).unwrap().1;
        let id = table.lines().find(|line| line.starts_with("client_id = ")).unwrap();
        let own = written.lines().filter(|line| line.starts_with("client_id = ")).nth(at).unwrap();
        fs::write(home.config(), written.replace(own, id)).unwrap();
        let ran = home.run(&["login", name, "--no-browser"]).expect(2).says(&["client_id", name, "nobody was asked"]);
        home.names_a_command(&ran);
        assert_eq!(ran.out, "", "no address is shown");
    }
    assert!(!home.state().join("vault.json").exists(), "nothing is stored");
}

#[test]
fn another_account_is_refused_and_nothing_is_changed() {
    for name in BOTH {
        let home = Home::synced(&[name]);
        let (vault, laptop) = (fs::read(home.state().join("vault.json")).unwrap(), files(&home.laptop()));
        home.sandbox.switch(|switches| switches.another_account = true);
        home.login(name).expect(2).says(&["otto@example.com", "ada@example.com", "nothing was changed"]);
        assert_eq!(fs::read(home.state().join("vault.json")).unwrap(), vault, "the stored sign-in is as it was");
        home.sync().expect(0);
        assert_eq!(files(&home.laptop()), laptop);
        assert_eq!(home.writes(), 0);
    }
}

#[test]
fn the_refusal_of_another_account_names_a_command_that_exists() {
    let home = Home::synced(&GOOGLE);
    home.sandbox.switch(|switches| switches.another_account = true);
    let ran = home.login("google").expect(2);
    home.names_a_command(&ran);
}

#[test]
fn rights_that_were_not_granted_are_named() {
    for (name, scope) in [("google", "contacts"), ("microsoft365", "Contacts.ReadWrite")] {
        let home = Home::new(Options::demo(), &[name]);
        home.sandbox.switch(|switches| switches.unticked_scopes = vec![scope.into()]);
        let again = format!("twofold login {name}");
        let ran =
            home.login(name).expect(3).says(&["not granted", scope, "contacts cannot be synced without it", &again]);
        home.names_a_command(&ran);
        home.run(&["doctor"]).expect(3).shows(&["fail", scope, &again]);
        home.sandbox.switch(|switches| switches.unticked_scopes.clear());
        home.login(name).expect(0);
        home.sync().expect(0);
        assert_eq!(home.cards().len(), 12);
    }
}

/// The configuration with these kinds everywhere, in place of contacts alone.
fn configure_kinds(home: &Home, kinds: &[&str]) {
    fs::write(home.config(), home.configuration("").replace("kinds = [\"contacts\"]", &format!("kinds = {kinds:?}")))
        .unwrap();
}

/// Somebody changes a contact at a provider.
fn change_at(home: &Home, name: &str, words: &str) {
    match name {
        "google" => {
            let give = |person: &mut Value| person["nicknames"] = json!([{"value": words}]);
            home.sandbox.google_edit(&home.google_person("Hotel Beispiel"), give).unwrap();
        }
        _ => {
            home.sandbox.graph_edit(&home.graph_contact("Karl"), |contact| contact["jobTitle"] = words.into()).unwrap()
        }
    }
}

/// The messages of the device: where each stands, and its bytes.
fn letters(home: &Home) -> BTreeMap<std::path::PathBuf, Vec<u8>> {
    let is_message =
        |path: &std::path::Path| path.parent().is_some_and(|folder| folder.ends_with("cur") || folder.ends_with("new"));
    files(&home.laptop()).into_iter().filter(|(path, _)| is_message(path)).collect()
}

#[test]
fn a_kind_that_was_not_granted_holds_no_other_kind_and_goes_on_with_the_next_login() {
    for (name, scope) in [("google", "gmail.modify"), ("microsoft365", "Mail.ReadWrite")] {
        let home = Home::new(Options::demo(), &[name]);
        configure_kinds(&home, &["contacts", "mail"]);
        home.login(name).expect(0);
        home.sync().expect(0);
        home.run(&["logout", name]).expect(0);
        home.sandbox.switch(|switches| switches.unticked_scopes = vec![scope.into()]);
        home.login(name).expect(3).says(&["not granted", scope, "mail"]);
        change_at(&home, name, "Nachbar");
        let before = letters(&home);
        let is_in_inbox = |path: &&std::path::PathBuf| path.starts_with(format!("{name}/mail/cur"));
        let read = before.keys().find(is_in_inbox).unwrap().clone();
        fs::remove_file(home.laptop().join(&read)).unwrap();
        home.sandbox.reset_counts();
        let again = format!("twofold login {name}");
        for moved in ["Nachbar", "Nachbarin"] {
            change_at(&home, name, moved);
            let ran = home.sync().expect(3).says(&["not granted", scope, "mail", &again]);
            home.names_a_command(&ran);
            assert_eq!(ran.err.matches(&again).count(), 1, "{ran}");
            assert!(home.card(&format!("{moved}\r\n")).exists(), "contacts go on");
            let mut now = before.clone();
            now.remove(&read);
            assert_eq!(letters(&home), now, "nothing of mail is taken for deleted, nor made anew");
            assert_eq!(home.writes(), 0);
        }
        let state = home.run(&["status"]).expect(3);
        assert_eq!(state.out.matches("not granted").count(), 1, "{state}");
        state.shows(&[name, "mail", &again]);
        home.sandbox.switch(|switches| switches.unticked_scopes.clear());
        home.login(name).expect(0);
        home.sync().expect(0);
        assert!(home.writes() > 0, "what was deleted on the device meanwhile is deleted there");
        home.run(&["status"]).expect(0);
    }
}

#[test]
fn a_kind_that_is_configured_later_holds_none_that_was_granted_before() {
    for name in BOTH {
        let home = Home::synced(&[name]);
        configure_kinds(&home, &["contacts", "calendar"]);
        change_at(&home, name, "Nachbar");
        home.sync().expect(3).says(&["not granted", "calendar", &format!("twofold login {name}")]);
        assert!(home.card("Nachbar").exists(), "contacts go on");
        home.run(&["doctor"]).expect(3).shows(&["not granted"]);
        home.login(name).expect(0);
        home.sync().expect(0);
        assert!(files(&home.laptop()).keys().any(|path| path.extension().is_some_and(|ics| ics == "ics")));
    }
}

#[test]
fn exit_3_a_right_that_was_not_granted_ends_a_run() {
    for (name, scope) in [("google", "contacts"), ("microsoft365", "Contacts.ReadWrite")] {
        let home = Home::new(Options::demo(), &[name]);
        home.sandbox.switch(|switches| switches.unticked_scopes = vec![scope.into()]);
        home.login(name).expect(3);
        let ran = home.sync().expect(3).says(&[&format!("twofold login {name}")]);
        home.names_a_command(&ran);
    }
}

#[test]
fn signing_out_forgets_the_tokens_and_keeps_the_data() {
    let home = Home::synced(&BOTH);
    let laptop = files(&home.laptop());
    home.run(&["logout", "google"]).expect(0).says(&["was revoked", "The data stays"]);
    home.run(&["logout", "microsoft365"]).expect(0).says(&["forgotten", "the data stays"]);
    for name in BOTH {
        let refreshed = home.sandbox.log().iter().filter(|line| line.info.provider == Some(provider(name))).count();
        let ran = home.sync().expect(3).says(&[&format!("twofold login {name}")]);
        home.names_a_command(&ran);
        let after = home.sandbox.log().iter().filter(|line| line.info.provider == Some(provider(name))).count();
        assert_eq!(after, refreshed, "{name} is not asked while nobody is signed in");
    }
    assert_eq!(files(&home.laptop()), laptop);
    for name in BOTH {
        home.login(name).expect(0);
    }
    home.sync().expect(0);
    assert_eq!(files(&home.laptop()), laptop);
    assert_eq!(home.writes(), 0);
}

// ---------------------------------------------------------------- exit codes

#[test]
fn exit_1_is_a_hub_that_cannot_be_read() {
    let home = Home::synced(&GOOGLE);
    let laptop = files(&home.laptop());
    for name in ["hub.sqlite-wal", "hub.sqlite-shm"] {
        let _ = fs::remove_file(home.state().join(name));
    }
    fs::write(home.state().join("hub.sqlite"), "this is no database, and it is longer than its header".repeat(200))
        .unwrap();
    let ran = home.sync().expect(1).says(&["hub", "nothing further was changed"]);
    home.names_a_command(&ran);
    home.run(&["doctor"]).expect(1).shows(&["fail  hub"]);
    assert_eq!(files(&home.laptop()), laptop);
    assert_eq!(home.requests(), 0);
}

#[test]
fn exit_2_is_a_wrong_configuration_or_a_wrong_argument() {
    let home = Home::signed_in(&GOOGLE);
    fs::write(home.config(), home.configuration("vcrad = \"4.0\"\n")).unwrap();
    home.sync().expect(2).says(&["vcrad", "vcard"]);
    home.run(&["doctor"]).expect(2).shows(&["fail  configuration", "vcard"]);
    fs::write(home.config(), home.configuration("[brake]\ncontacts = \"20%\"\n")).unwrap();
    home.sync().expect(2).says(&["brake", "brakes"]);
    fs::write(home.config(), home.configuration("")).unwrap();
    home.run(&["sync", "--dryrun"]).expect(2).says(&["--dryrun", "--dry-run"]);
    home.run(&["snyc"]).expect(2).says(&["snyc", "sync"]);
    home.run(&["login", "yahoo"]).expect(2).says(&["yahoo", "google", "microsoft365"]);
    home.run(&["sync", "--only", "birthdays"]).expect(2).says(&["birthdays", "nothing was done", "contacts"]);
    home.run(&["sync", "--replica", "desktop"]).expect(2).says(&["desktop", "nothing was done", "google, laptop"]);
    home.run(&["device", "fill", "desktop"]).expect(2).says(&["desktop", "nothing was done", "laptop"]);
    for command in ["approve", "drop"] {
        let ran = home.run(&[command, "del-000000"]).expect(2).says(&["del-000000", "nothing was done"]);
        home.names_a_command(&ran);
    }
    let ran = home.run(&["conflicts", "show", "none"]).expect(2).says(&["none", "nothing was done"]);
    home.names_a_command(&ran);
    home.run(&["sync", "--config", "absent.toml"]).expect(2).says(&["absent.toml"]);
    assert_eq!(home.requests(), 0);
    assert!(home.cards().is_empty());
}

/// Ends the sign-in in each of these ways; each has a sentence of its own and names the command, and nothing is touched.
fn each_end_of_a_sign_in_has_its_sentence(name: &'static str, ends: &[(End, &str)]) {
    let home = Home::synced(&[name]);
    let laptop = files(&home.laptop());
    let mut sentences = BTreeSet::new();
    for (end, words) in ends {
        home.sandbox.end_sign_ins(provider(name), *end, true);
        home.sandbox.expire_access_tokens(provider(name));
        let again = format!("twofold login {name}");
        let ran = home.sync().expect(3).says(&[words, &again]);
        home.names_a_command(&ran);
        let lines: Vec<&str> = ran.err.lines().filter(|line| line.contains(&again)).collect();
        assert_eq!(lines.len(), 1, "{end:?} is told in one sentence: {ran}");
        sentences.insert(lines[0].to_owned());
        home.run(&["status"]).expect(3).shows(&[words, &again]);
        assert_eq!(files(&home.laptop()), laptop, "{end:?}");
        home.login(name).expect(0);
        home.sync().expect(0);
    }
    assert_eq!(sentences.len(), ends.len(), "no two causes share a sentence: {sentences:#?}");
    assert_eq!(files(&home.laptop()), laptop);
    assert_eq!(home.writes(), 0);
}

#[test]
fn exit_3_each_end_of_a_sign_in_at_microsoft_has_its_sentence() {
    each_end_of_a_sign_in_has_its_sentence(
        "microsoft365",
        &[
            (End::PasswordChanged, "password at Microsoft was changed"),
            (End::Inactive, "not used for too long"),
            (End::MfaNeeded, "second factor"),
            (End::SignInFrequency, "from time to time"),
            (End::ConsentMissing, "has to allow this application first: ask the admin"),
            (End::Blocked, "A rule of your organisation blocks"),
            (End::Disabled, "disabled or locked"),
        ],
    );
}

#[test]
fn exit_3_each_end_of_a_sign_in_at_google_has_its_sentence() {
    each_end_of_a_sign_in_has_its_sentence(
        "google",
        &[
            (End::Revoked, "publish the app or make it Internal"),
            (End::SessionControl, "from time to time"),
            (End::AdminPolicy, "A rule of your organisation blocks"),
        ],
    );
}

#[test]
fn exit_3_nobody_ever_signed_in() {
    let home = Home::new(Options::demo(), &BOTH);
    let ran = home.sync().expect(3).says(&["Nobody is signed in at Google", "Nobody is signed in at Microsoft"]);
    home.names_a_command(&ran);
    assert_eq!(home.requests(), 0);
}

/// Deletes so many of Google's twelve cards on the device; gives back their names.
fn delete_cards(home: &Home, count: usize) -> Vec<std::path::PathBuf> {
    let gone: Vec<_> = home.cards().into_keys().take(count).map(|path| home.laptop().join(path)).collect();
    gone.iter().for_each(|path| fs::remove_file(path).unwrap());
    gone
}

#[test]
fn exit_4_a_mass_delete_is_held_and_made_after_approve() {
    let home = Home::synced(&GOOGLE);
    let gone = delete_cards(&home, 6);
    let ran = home.sync().expect(4).says(&["something is held", "it was not done", "twofold held"]);
    home.names_a_command(&ran);
    assert_eq!(home.sandbox.google_people().len(), 12);
    assert_eq!(home.writes(), 0);
    home.run(&["status"]).expect(4).shows(&["held: 1"]);
    let held = home.run(&["held"]).expect(0).shows(&["laptop contacts: ", "6 of 12", "nothing was removed elsewhere"]);
    home.names_a_command(&held);
    let id = held.only_id();
    let value = home.json(&["held"]);
    let reason = &value["held"][0]["reason"];
    assert!(reason.is_string());
    let row = json!({"id": id, "replica": "laptop", "kind": "contacts", "collection": "My Contacts", "reason": reason,
        "creates": 0, "updates": 0, "deletes": 6});
    assert_eq!(value, json!({"schema": 1, "held": [row]}));
    assert_eq!(home.sync().expect(4).code, Some(4));
    assert_eq!(home.run(&["held"]).only_id(), id, "the id is stable");
    let ran = home.run(&["approve", &id]).expect(0).says(&[&id, "twofold sync"]);
    home.names_a_command(&ran);
    home.sync().expect(0);
    assert_eq!(home.sandbox.google_people().len(), 6);
    assert!(gone.iter().all(|path| !path.exists()));
    assert_eq!(home.cards().len(), 6);
    assert_eq!(home.run(&["held"]).expect(0).out, "");
    home.sandbox.reset_counts();
    home.sync().expect(0);
    assert_eq!(home.writes(), 0);
}

#[test]
fn exit_4_a_mass_delete_that_was_wrong_is_put_back_by_drop() {
    let home = Home::synced(&GOOGLE);
    let before = home.google_text();
    delete_cards(&home, 6);
    home.sync().expect(4);
    let id = home.run(&["held"]).only_id();
    let ran = home.run(&["drop", &id]).expect(0).says(&[&id, "6 items", "twofold sync"]);
    home.names_a_command(&ran);
    home.sync().expect(0);
    assert_eq!(home.cards().len(), 12);
    assert_eq!(home.google_text(), before);
    assert_eq!(home.writes(), 0);
    home.sync().expect(0).shows(&["nothing to do"]);
}

#[test]
fn exit_4_a_mass_delete_at_the_provider_is_held_the_same() {
    let home = Home::synced(&GOOGLE);
    let laptop = home.cards();
    for person in home.sandbox.google_people().iter().take(6) {
        home.sandbox.google_delete(person["resourceName"].as_str().unwrap()).unwrap();
    }
    home.sync().expect(4);
    assert_eq!(home.cards(), laptop);
    let held = home.run(&["held"]).expect(0).shows(&["google contacts"]);
    home.run(&["approve", &held.only_id()]).expect(0);
    home.sync().expect(0);
    assert_eq!(home.cards().len(), 6);
}

#[test]
fn exit_4_a_missing_device_folder_deletes_nothing_and_can_only_be_filled() {
    let home = Home::synced(&GOOGLE);
    let before = home.google_text();
    let names: BTreeSet<_> = home.cards().into_keys().collect();
    for is_empty_folder in [false, true] {
        fs::remove_dir_all(home.laptop()).unwrap();
        if is_empty_folder {
            fs::create_dir(home.laptop()).unwrap();
        }
        let ran = home.sync().expect(4).says(&["twofold device fill laptop"]);
        home.names_a_command(&ran);
        assert!(!ran.err.contains("?."), "{ran}");
        assert!(home.cards().is_empty());
        assert_eq!(home.google_text(), before);
        let held = home.run(&["held"]).expect(0).shows(&["laptop", "twofold device fill laptop"]);
        assert_eq!(home.json(&["held"])["held"][0]["kind"], Value::Null, "a device as a whole is of no kind");
        assert!(!held.err.contains("approve") && !held.err.contains("drop"), "neither of the two is taken: {held}");
        let id = held.only_id();
        home.run(&["approve", &id]).expect(4).says(&["nothing was done", "twofold device fill laptop"]);
        home.run(&["drop", &id]).expect(4).says(&["nothing was done"]);
        home.sync().expect(4);
        home.run(&["doctor"]).expect(4).shows(&["fail  device laptop", "twofold device fill laptop"]);
        home.run(&["device", "fill", "laptop"]).expect(0);
        let filled: BTreeSet<_> = home.cards().into_keys().collect();
        assert_eq!(filled, names, "everything is back");
        assert_eq!(home.google_text(), before);
        assert_eq!(home.writes(), 0);
        home.sync().expect(0).shows(&["nothing to do"]);
        assert_eq!(home.run(&["held"]).expect(0).out, "");
    }
}

#[test]
fn exit_4_a_device_folder_that_comes_back_is_no_longer_held() {
    let home = Home::synced(&GOOGLE);
    let away = home.dir.path().join("away");
    fs::rename(home.laptop(), &away).unwrap();
    home.sandbox.google_edit(&home.google_person("Çağlar"), |p| p["nicknames"] = json!([{"value": "Cag"}])).unwrap();
    home.sync().expect(4);
    fs::rename(&away, home.laptop()).unwrap();
    home.sync().expect(0);
    home.card("NICKNAME:Cag");
    assert_eq!(home.writes(), 0);
}

#[test]
fn exit_5_a_conflict_keeps_both_sides_until_somebody_decides() {
    let home = Home::synced(&GOOGLE);
    let person = home.google_person("Hotel Beispiel");
    home.sandbox.google_edit(&person, |p| p["organizations"][0]["title"] = json!("From Google")).unwrap();
    let card = home.card("TITLE:Reception");
    let text = fs::read_to_string(&card).unwrap().replace("TITLE:Reception", "TITLE:From Laptop");
    fs::write(&card, text).unwrap();
    let ran = home.sync().expect(5).says(&["conflicts are left", "both sides are kept", "twofold conflicts"]);
    home.names_a_command(&ran);
    let shown = if home.google_text().contains("From Laptop") { "From Laptop" } else { "From Google" };
    let other = if shown == "From Laptop" { "From Google" } else { "From Laptop" };
    assert!(fs::read_to_string(&card).unwrap().contains(shown), "one value stands everywhere");
    assert!(home.google_text().contains(shown));
    let ran = home.run(&["conflicts"]).expect(0).shows(&["contacts", "My Contacts", "Hotel Beispiel"]);
    let id = ran.only_id();
    let value = home.json(&["conflicts"]);
    let fields = &value["conflicts"][0]["fields"];
    assert!(fields.as_array().is_some_and(|fields| !fields.is_empty()), "{value}");
    let row = json!({"id": id, "kind": "contacts", "collection": "My Contacts", "title": "Hotel Beispiel", "fields": fields,
        "sides": ["shown", "other"]});
    assert_eq!(value, json!({"schema": 1, "conflicts": [row]}));
    home.run(&["conflicts", "show", &id]).expect(0).shows(&["shown: ", "other: ", shown, other]);
    home.run(&["status"]).expect(5).shows(&["conflicts: 1"]);
    home.sync().expect(5);
    let ran = home.run(&["conflicts", "resolve", &id, "--take", "other"]).expect(0).says(&["twofold sync"]);
    home.names_a_command(&ran);
    home.sync().expect(0);
    assert!(fs::read_to_string(&card).unwrap().contains(other));
    assert!(home.google_text().contains(other));
    assert!(!home.google_text().contains(shown));
    assert_eq!(home.run(&["conflicts"]).expect(0).out, "");
    home.sandbox.reset_counts();
    home.sync().expect(0).shows(&["nothing to do"]);
    assert_eq!(home.writes(), 0);
}

#[test]
fn exit_5_a_conflict_resolved_as_shown_stays_as_it_is() {
    let home = Home::synced(&MICROSOFT);
    let contact = home.graph_contact("Hausmeister");
    home.sandbox.graph_edit(&contact, |c| c["jobTitle"] = json!("From Outlook")).unwrap();
    let card = home.card("TITLE:Hausmeister");
    let text = fs::read_to_string(&card).unwrap().replace("TITLE:Hausmeister", "TITLE:From Laptop");
    fs::write(&card, text).unwrap();
    home.sync().expect(5);
    let (text, at_graph) = (fs::read_to_string(&card).unwrap(), home.graph_text());
    let id = home.run(&["conflicts"]).only_id();
    home.run(&["conflicts", "resolve", &id, "--take", "shown"]).expect(0);
    home.sandbox.reset_counts();
    home.sync().expect(0);
    assert_eq!((fs::read_to_string(&card).unwrap(), home.graph_text()), (text, at_graph));
    assert_eq!(home.writes(), 0);
}

fn card(uid: &str, name: &str) -> String {
    format!("BEGIN:VCARD\r\nVERSION:3.0\r\nUID:{uid}\r\nFN:{name}\r\nN:{name};;;;\r\nEND:VCARD\r\n")
}

#[test]
fn exit_5_a_file_with_two_cards_is_quarantined_and_the_rest_is_done() {
    let home = Home::synced(&GOOGLE);
    let two = card("two-a", "Twin-A") + &card("two-b", "Twin-B");
    let path = home.google_folder().join("two.vcf");
    fs::write(&path, &two).unwrap();
    fs::write(home.google_folder().join("one.vcf"), card("one", "Single")).unwrap();
    let ran = home.sync().expect(5).says(&["in quarantine", "the rest was done", "twofold status"]);
    home.names_a_command(&ran);
    assert!(home.google_text().contains("Single"), "one bad file never stops the rest");
    assert!(!home.google_text().contains("Twin"));
    assert_eq!(fs::read_to_string(&path).unwrap(), two, "the file is as its writer left it");
    home.run(&["status"]).expect(5).shows(&["in quarantine: laptop", "two.vcf"]);
    let rows = home.json(&["status"])["quarantine"].clone();
    assert_eq!(rows.as_array().map(Vec::len), Some(1), "{rows}");
    assert_eq!(rows[0]["replica"], "laptop");
    assert!(rows[0]["reason"].as_str().is_some_and(|reason| !reason.is_empty()));
    home.sync().expect(5);
    assert_eq!(fs::read_to_string(&path).unwrap(), two);
    fs::write(&path, card("two-a", "Twin-A")).unwrap();
    fs::write(home.google_folder().join("three.vcf"), card("two-b", "Twin-B")).unwrap();
    home.run(&["sync", "--retry-quarantined"]).expect(0);
    assert!(home.google_text().contains("Twin-A") && home.google_text().contains("Twin-B"));
    home.sandbox.reset_counts();
    home.sync().expect(0);
    assert_eq!(home.writes(), 0);
}

#[test]
fn an_item_that_a_provider_refuses_is_named_by_its_title() {
    let home = Home::synced(&GOOGLE);
    fs::write(home.google_folder().join("one.vcf"), card("one", "Nobody's Friend")).unwrap();
    home.sandbox.fault(Rule::any(Fault::status(400)).on(Provider::Google).writes());
    home.sync().expect(5);
    home.run(&["status"]).expect(5).shows(&["in quarantine: google: Nobody's Friend: "]);
}

#[test]
fn a_bad_file_that_is_deleted_leaves_the_quarantine() {
    let home = Home::synced(&GOOGLE);
    let path = home.google_folder().join("two.vcf");
    fs::write(&path, card("two-a", "Twin-A") + &card("two-b", "Twin-B")).unwrap();
    home.sync().expect(5);
    home.sync().expect(5);
    fs::remove_file(&path).unwrap();
    home.sync().expect(0);
    assert_eq!(home.json(&["status"])["quarantine"], serde_json::json!([]));
}

#[test]
fn exit_75_a_provider_that_is_down_is_left_for_the_next_run() {
    for fault in [Fault::DropBefore, Fault::status(503), Fault::Html { executed: false }] {
        let home = Home::synced(&GOOGLE);
        let laptop = files(&home.laptop());
        home.sandbox.fault(Rule::any(fault.clone()));
        home.add_line(&home.card("Şimşek;Çağlar"), "NICKNAME:Meanwhile");
        let edited = files(&home.laptop());
        assert_ne!(edited, laptop);
        let ran = home.sync();
        assert_eq!(ran.code, Some(75), "{fault:?}: {ran}");
        let ran = ran.says(&["google"]);
        assert_eq!(files(&home.laptop()), edited, "{fault:?}");
        home.sandbox.with(|state| state.faults.clear());
        home.names_a_command(&ran);
        home.sync().expect(0);
        assert!(home.google_text().contains("Meanwhile"), "{fault:?}");
    }
}

#[test]
fn exit_75_a_provider_that_does_not_listen() {
    let mut home = Home::synced(&GOOGLE);
    let laptop = files(&home.laptop());
    home.stop_sandbox();
    let ran = home.sync().expect(75).says(&["google"]);
    home.names_a_command(&ran);
    assert_eq!(files(&home.laptop()), laptop);
}

#[test]
fn exit_75_another_run_holds_the_lock() {
    let home = Home::synced(&GOOGLE);
    let file = fs::OpenOptions::new().write(true).open(home.state().join("lock")).unwrap();
    rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let commands: [&[&str]; 4] = [
        &["sync"],
        &["device", "fill", "laptop"],
        &["approve", "1"],
        &["conflicts", "resolve", "1", "--take", "other"],
    ];
    for args in commands {
        let ran = home.run(args).expect(75).says(&["another twofold is at work", "nothing was done"]);
        home.names_a_command(&ran);
        // Who wanted a folder filled is sent to nothing else.
        assert!(args[0] != "device" || ran.err.contains(": twofold device fill laptop"), "{ran}");
    }
    // What only reads works beside it, on a hub that is as private as ever.
    let hub = home.state().join("hub.sqlite");
    fs::set_permissions(&hub, fs::Permissions::from_mode(0o644)).unwrap();
    home.run(&["status"]).expect(2).says(&["others can read"]);
    fs::set_permissions(&hub, fs::Permissions::from_mode(0o600)).unwrap();
    home.run(&["status"]).expect(0).shows(&["google"]);
    home.run(&["held"]).expect(0);
    home.run(&["conflicts"]).expect(0);
    assert_eq!(home.requests(), 0);
    drop(file);
    home.sync().expect(0);
}

#[test]
fn a_folder_is_filled_when_the_run_that_is_at_work_is_over() {
    let home = Home::synced(&GOOGLE);
    home.add_line(&home.card("Hotel Beispiel"), "NICKNAME:Zum Anker");
    let (has_come, release) = stop_at(&home, Phase::After, |info| info.is_write);
    let run = home.start(&["sync"]);
    wait_for(&has_come);
    let mut filled = home.start(&["device", "fill", "laptop"]);
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(2) {
        assert!(!filled.is_over(), "it does not wait: {}", filled.end());
    }
    release.send(()).unwrap();
    run.end().expect(0);
    filled.end().expect(0).says(&["laptop is a new folder from now on"]);
    home.sync().expect(0);
}

#[test]
fn what_waits_can_be_read_while_a_run_is_in_the_middle_of_its_work() {
    let home = Home::synced(&GOOGLE);
    let before = home.json(&["status"]);
    home.add_line(&home.card("Hotel Beispiel"), "NICKNAME:Zum Anker");
    let (has_come, release) = stop_at(&home, Phase::After, |info| info.is_write);
    let talk = home.start(&["sync"]);
    wait_for(&has_come);
    let meanwhile = home.json(&["status"]);
    assert_eq!(meanwhile["unknown_writes"], 1, "the write under way");
    let unknown = &meanwhile["unknown"][0];
    assert_eq!((&unknown["replica"], &unknown["reason"]), (&json!("google"), &json!("changing it")));
    assert!(unknown["title"].as_str().unwrap().contains("Hotel Beispiel"), "{unknown}");
    assert_eq!(before["unknown_writes"], 0);
    drop(release);
    talk.end().expect(0);
    assert_eq!(home.json(&["status"])["unknown_writes"], 0);
}

// ---------------------------------------------------------------- what commands show

#[test]
fn sync_json_has_the_shape_that_scripts_rely_on() {
    let home = Home::signed_in(&BOTH);
    home.sandbox.reset_counts();
    let (code, value) = home.sync_json(&[]);
    assert_eq!(code, Some(0));
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    let set = |words: &str| words.split(' ').map(str::to_owned).collect::<BTreeSet<_>>();
    assert_eq!(keys(&value), set("schema run exit replicas elapsed_s"));
    assert_eq!((&value["schema"], &value["exit"]), (&json!(1), &json!(0)));
    assert!(value["elapsed_s"].is_f64() && value["run"].is_u64(), "{value}");
    let rows = value["replicas"].as_array().unwrap();
    let row = |name: &str| rows.iter().find(|row| row["name"] == name).unwrap();
    for row in rows {
        let names = "name kind collections created updated deleted sent_created sent_updated sent_deleted moved sent_moved conflicts held \
                     quarantined requests bytes_in";
        assert_eq!(keys(row), set(names));
    }
    assert_eq!(rows.len(), 3);
    for (name, collections) in [("google", 1), ("microsoft365", 2)] {
        assert_eq!((&row(name)["collections"], &row(name)["created"]), (&json!(collections), &json!(12)), "{value}");
        assert_eq!(row(name)["sent_created"], 0);
        assert_eq!(
            row(name)["requests"].as_u64(),
            Some(home.sandbox.requests(provider(name))),
            "{name} counts its requests"
        );
        assert!(row(name)["bytes_in"].as_u64().unwrap() > 1000);
    }
    assert_eq!((&row("laptop")["sent_created"], &row("laptop")["collections"]), (&json!(24), &json!(3)));
    let (_, second) = home.sync_json(&[]);
    assert!(second["run"].as_u64() > value["run"].as_u64());
}

#[test]
fn a_dry_run_moves_nothing_and_the_next_run_does_the_work() {
    let home = Home::synced(&BOTH);
    home.sandbox.google_create(&json!({"names": [{"givenName": "Nora", "familyName": "New"}]})).unwrap();
    home.sandbox.google_delete(&home.google_person("Hotel Beispiel")).unwrap();
    home.sandbox.graph_edit(&home.graph_contact("Hausmeister"), |c| c["jobTitle"] = json!("Chief")).unwrap();
    home.add_line(&home.card("Şimşek;Çağlar"), "NICKNAME:Cag");
    fs::write(home.google_folder().join("dora.vcf"), card("dora", "Dora")).unwrap();
    let state = || {
        let mut status = home.json(&["status"]);
        // The requests of a dry run are used up like any other.
        status.as_object_mut().unwrap().remove("budgets");
        // What was asked counts, and the disk is everybody's.
        status.as_object_mut().unwrap().remove("budgets_left");
        status["disk"].as_object_mut().unwrap().remove("free");
        for device in status["disk"]["devices"].as_array_mut().unwrap() {
            device.as_object_mut().unwrap().remove("free");
        }
        (status, home.json(&["held"]), home.json(&["conflicts"]), feeds(&home))
    };
    let (before, laptop) = (state(), files(&home.laptop()));
    let (at_google, at_graph) = (home.google_text(), home.graph_text());
    let ran = home.run(&["sync", "--dry-run"]).expect(0).shows(&["would be sent"]);
    assert!(!ran.out.contains("nothing would be done"));
    assert_eq!(state(), before, "no token, version or marker moved");
    assert_eq!(files(&home.laptop()), laptop);
    assert_eq!((home.google_text(), home.graph_text()), (at_google, at_graph));
    assert_eq!(home.writes(), 0);
    home.sync().expect(0);
    assert!(home.google_text().contains("Cag") && home.google_text().contains("Dora"));
    home.card("Nora");
    home.card("TITLE:Chief");
    assert!(!home.cards().values().any(|bytes| String::from_utf8_lossy(bytes).contains("Hotel Beispiel")));
    home.run(&["sync", "--dry-run"]).expect(0).shows(&["nothing would be done"]);
}

/// What the hub holds that `status` does not show: each collection's feed and what was decided about each item.
fn feeds(home: &Home) -> Vec<String> {
    let mut hub = twofold_hub::Hub::open(&home.state()).unwrap();
    let mut all =
        vec![format!("{:?}", hub.last_run().unwrap().map(|run| run.id)), format!("{:?}", hub.todo_count().unwrap())];
    for replica in hub.replicas().unwrap() {
        for place in hub.places(replica.id, twofold_model::Kind::Contacts).unwrap() {
            let known: BTreeMap<_, _> = hub.known(replica.id, place.collection).unwrap().into_iter().collect();
            all.push(format!("{replica:?} {place:?} {known:?} {:?}", hub.feed(replica.id, &place.remote_id).unwrap()));
        }
    }
    all.push(format!("{:?}", hub.replica("laptop", true).unwrap().mark));
    all
}

#[test]
fn a_dry_run_before_the_first_sync_leaves_no_file() {
    let home = Home::signed_in(&BOTH);
    home.run(&["sync", "--dry-run"]).expect(0).shows(&["would be sent"]);
    assert!(files(&home.laptop()).is_empty(), "{:?}", files(&home.laptop()).keys());
    assert_eq!(home.writes(), 0);
    home.sync().expect(0);
    assert_eq!(home.cards().len(), 24);
}

/// Every file and folder of a home, by name.
fn all_names(home: &Home) -> Vec<std::path::PathBuf> {
    fn walk(folder: &std::path::Path, all: &mut Vec<std::path::PathBuf>) {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            all.push(entry.path());
            if entry.path().is_dir() {
                walk(&entry.path(), all);
            }
        }
    }
    let mut all = Vec::new();
    walk(home.dir.path(), &mut all);
    all.sort();
    all
}

#[test]
fn what_only_shows_or_has_nothing_to_do_leaves_nothing_behind_where_no_hub_is() {
    let home = Home::new(Options::demo(), &BOTH);
    let kinds = "kinds = [\"contacts\", \"calendar\", \"mail\"]";
    fs::write(home.config(), home.configuration("").replace("kinds = [\"contacts\"]", kinds)).unwrap();
    let tree = home.dir.path().join("tree/work");
    fs::create_dir_all(&tree).unwrap();
    fs::write(tree.join("ada.vcf"), card("ada", "Ada")).unwrap();
    let (tree, config) = (tree.display().to_string(), home.config().display().to_string());
    let adopts = ["adopt", &tree, "--as", "laptop/google/contacts", "--dry-run"];
    let all: [&[&str]; 7] = [
        &["sync", "--dry-run"],
        &["sync", "--dry-run", "--json", "--replica", "laptop"],
        &["logout", "google"],
        &["logout", "microsoft365"],
        &["daemon", "--check"],
        &["systemd-dropin"],
        &adopts,
    ];
    let look = |shows: &str| {
        let before = all_names(&home);
        for args in all {
            if shows.is_empty() || args[0] != "logout" {
                let ran = home.run(&[&["--config", &config], args].concat());
                assert_eq!(all_names(&home), before, "{ran}");
                assert!(!args.starts_with(&["sync", "--dry-run"]) || ran.err.contains("there is no hub in "), "{ran}");
            }
        }
        assert!(home.run(&["sync", "--dry-run"]).out.contains(shows));
    };
    look("");
    home.run(&["logout", "google"]).expect(0).says(&["Nobody was signed in"]);
    // Signed in, and never synced.
    home.login("google").expect(0);
    look("would be read");
    home.run(&["logout", "microsoft365"]).expect(0).says(&["Nobody was signed in"]);
    home.login("microsoft365").expect(0);
    home.sync().expect(0);
}

#[test]
fn one_replica_alone_is_brought_into_line_and_the_others_follow_later() {
    let home = Home::synced(&BOTH);
    let laptop = files(&home.laptop());
    home.sandbox.google_edit(&home.google_person("Çağlar"), |p| p["nicknames"] = json!([{"value": "Cag"}])).unwrap();
    home.sandbox.graph_edit(&home.graph_contact("Hausmeister"), |c| c["jobTitle"] = json!("Chief")).unwrap();
    let (code, value) = home.sync_json(&["--replica", "google"]);
    assert_eq!(code, Some(0));
    let names: Vec<&Value> = value["replicas"].as_array().unwrap().iter().map(|row| &row["name"]).collect();
    assert_eq!(names, ["google"]);
    assert_eq!(value["replicas"][0]["updated"], 1);
    assert_eq!(home.sandbox.requests(Provider::Microsoft), 0);
    assert_eq!(files(&home.laptop()), laptop);
    home.sync().expect(0);
    home.card("NICKNAME:Cag");
    home.card("TITLE:Chief");
    assert_eq!(home.writes(), 0);
}

#[test]
fn only_contacts_are_synced_when_only_they_are_asked_for() {
    let home = Home::signed_in(&GOOGLE);
    home.run(&["sync", "--only", "calendar,mail"]).expect(0);
    assert!(home.cards().is_empty());
    home.run(&["sync", "--only", "contacts"]).expect(0);
    assert_eq!(home.cards().len(), 12);
}

#[test]
fn a_full_check_writes_nothing_and_finds_what_a_delta_lost() {
    let home = Home::synced(&BOTH);
    let laptop = files(&home.laptop());
    home.run(&["sync", "--full-check"]).expect(0).shows(&["nothing to do"]);
    assert_eq!(files(&home.laptop()), laptop);
    assert_eq!(home.writes(), 0);
    // A new photo shows in no delta of Graph.
    let contact = home.graph_contact("Hausmeister");
    let jpeg = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00\xff\xd9".to_vec();
    home.sandbox.graph_set_photo(&contact, Some(jpeg)).unwrap();
    home.run(&["sync", "--full-check"]).expect(0);
    let text = fs::read_to_string(home.card("TITLE:Hausmeister")).unwrap();
    assert!(text.contains("PHOTO"), "{text}");
    assert_eq!(home.writes(), 0);
}

#[test]
fn status_shows_replicas_and_collections() {
    let home = Home::signed_in(&BOTH);
    home.run(&["status"]).expect(75).shows(&["nothing has been synced yet", "twofold sync"]);
    home.sync().expect(0);
    home.run(&["status"]).expect(0).shows(&[
        "google: reached",
        "My Contacts (12 items)",
        "microsoft365: reached",
        "Kundschaft",
        "laptop: reached",
    ]);
    let value = home.json(&["status"]);
    assert_eq!(value["schema"], 1);
    for key in ["held", "conflicts", "unknown_writes"] {
        assert_eq!(value[key], 0, "{key}");
    }
    for key in ["quarantine", "not_representable", "deletions_waiting"] {
        assert!(value[key].is_array(), "{key}");
    }
    let replicas = value["replicas"].as_array().unwrap();
    let named = |name: &str| replicas.iter().find(|replica| replica["name"] == name).unwrap();
    assert_eq!(replicas.len(), 3);
    assert_eq!(named("google")["account"]["address"], "ada@example.com");
    let sign = |field: &str| &named("google")["collections"][0][field];
    let (read, proof) = (sign("last_read_ms"), sign("last_proof_ms"));
    assert!(proof.as_i64() >= value["last_run"]["started_ms"].as_i64(), "{value}");
    assert_eq!(
        named("google")["collections"],
        json!([{"name": "My Contacts", "kind": "contacts", "items": 12, "can_write": true, "last_read_ms": read, "last_proof_ms": proof,
                "late": false, "quarantined": 0}])
    );
    assert_eq!(named("google")["sign_in"]["ok"], true);
    assert!(value["disk"]["hub"].as_u64() > Some(0) && value["disk"]["free"].is_u64(), "{value}");
    let graph = value["budgets_left"].as_array().unwrap().iter().find(|row| row["name"] == "microsoft365").unwrap();
    assert!(graph["of"] == 10_000 && graph["left"].as_u64().is_some_and(|left| left < 10_000), "{graph}");
    assert!(value["service"].is_null());
    assert_eq!(named("laptop")["device"], true);
    assert!(named("laptop")["last_ok_ms"].is_i64() && named("laptop")["trouble"].is_null());
    assert_eq!(value["last_run"]["exit"], 0);
    assert!(value["budgets"]["google"].is_object(), "{value}");
}

#[test]
fn status_shows_who_holds_what_was_deleted() {
    let home = Home::synced(&GOOGLE);
    assert!(!home.run(&["status"]).expect(0).out.contains("deleted"));
    home.sandbox.google_delete(&home.google_person("Reception")).unwrap();
    let away = home.dir.path().join("away");
    fs::rename(home.laptop(), &away).unwrap();
    home.sync().expect(4);
    home.run(&["status"]).expect(4).shows(&["deleted items that laptop still has: 1 (the hub keeps them"]);
    assert_eq!(home.json(&["status"])["deletions_waiting"], json!([{"replica": "laptop", "items": 1}]));
    fs::rename(&away, home.laptop()).unwrap();
    home.sync().expect(0);
    assert_eq!(home.json(&["status"])["deletions_waiting"], json!([]));
}

#[test]
fn the_doctor_finds_a_healthy_setup_healthy() {
    let home = Home::synced(&BOTH);
    let (laptop, before) = (files(&home.laptop()), feeds(&home));
    let ran = home.run(&["doctor"]).expect(0).shows(&[
        "ok    configuration",
        "ok    state folder",
        "ok    google: signed in as ada@example.com",
        "ok    hub: whole",
        "ok    device laptop",
    ]);
    let is_finding = |line: &str| ["ok    ", "warn  ", "fail  "].iter().any(|word| line.starts_with(word));
    assert!(ran.out.lines().all(is_finding), "{ran}");
    assert!(!ran.out.contains("fail "), "{ran}");
    assert_eq!((files(&home.laptop()), feeds(&home)), (laptop, before), "it only looks");
    assert_eq!(home.requests(), 0);
}

#[test]
fn the_doctor_says_when_the_zone_files_are_old() {
    let home = Home::new(Options::empty(), &GOOGLE);
    let zones = home.state().with_file_name("zoneinfo");
    fs::create_dir(&zones).unwrap();
    for (version, words) in [("2019c", "warn  time zones"), ("9999a", "ok    time zones")] {
        fs::write(zones.join("+VERSION"), version).unwrap();
        let ran = home.command(&["doctor"]).env("TZDIR", &zones).output().unwrap();
        let said = String::from_utf8(ran.stdout).unwrap();
        assert!(said.contains(words) && said.contains(version), "{said}");
    }
}

#[test]
fn completions_and_the_manual_are_printed() {
    let home = Home::new(Options::empty(), &GOOGLE);
    for shell in ["bash", "zsh", "fish"] {
        home.run(&["completions", shell]).expect(0).shows(&["twofold", "retry-quarantined"]);
    }
    home.run(&["man"]).expect(0).shows(&[".TH twofold", "sync"]);
    home.run(&["--help"]).expect(0).shows(&["sync", "login", "doctor"]);
    home.run(&["--version"]).expect(0).shows(&["twofold"]);
}

#[test]
fn the_demo_ends_well_and_leaves_nothing_behind() {
    let home = Home::new(Options::empty(), &GOOGLE);
    let before: BTreeSet<_> = files(home.dir.path()).into_keys().collect();
    let kinds = [
        "device -> Google: what was removed is archived, and not destroyed",
        "device -> Microsoft 365: what was removed is in the trash, and not destroyed",
        "device -> Microsoft 365: a new file is one received message, with its date",
    ];
    let ran = home.run(&["demo"]).expect(0).shows(&["read back", "everything moved as it should"]);
    ran.shows(&kinds);
    assert_eq!(files(home.dir.path()).into_keys().collect::<BTreeSet<_>>(), before);
}

#[test]
fn the_demo_fails_when_a_side_is_broken() {
    let home = Home::new(Options::empty(), &GOOGLE);
    for side in BOTH {
        home.run(&["demo", "--break-side", side]).expect(1).shows(&["FAILED", "some checks failed"]);
    }
}

#[test]
fn the_demo_keeps_its_files_where_it_is_told_and_never_overwrites_them() {
    let home = Home::new(Options::empty(), &GOOGLE);
    home.run(&["demo", "--dir", "kept"]).expect(0);
    let kept = files(&home.dir.path().join("kept"));
    assert!(kept.keys().any(|path| path.extension().is_some_and(|e| e == "vcf")));
    home.run(&["demo", "--dir", "kept"]).expect(2).says(&["kept", "nothing was done", "twofold demo --dir"]);
    assert_eq!(files(&home.dir.path().join("kept")), kept);
}

// ---------------------------------------------------------------- the promises

#[test]
fn promise_1_absence_is_never_deletion_at_google() {
    let home = Home::synced(&GOOGLE);
    let laptop = files(&home.laptop());
    let empty =
        |status: u16, body: Value| Fault::Status { status, retry_after: None, executed: false, body: Some(body) };
    let list = || Rule::any(Fault::DropBefore).path("/people/me/connections");
    let cases: Vec<(&str, Rule)> = vec![
        ("an empty answer", Rule { fault: empty(200, json!({})), ..list() }),
        ("an empty page", Rule { fault: empty(200, json!({"connections": [], "totalItems": 0})), ..list() }),
        ("a 403", Rule { fault: Fault::status(403), ..list() }),
        ("a 404", Rule { fault: Fault::status(404), ..list() }),
        ("half a listing", Rule { fault: Fault::Truncate, ..list() }),
        ("a page of a proxy", Rule { fault: Fault::Html { executed: false }, ..list() }),
    ];
    for (what, rule) in cases {
        home.sandbox.google_expire_sync_tokens();
        home.sandbox.fault(rule);
        let ran = home.run(&["sync", "--full-check"]);
        assert!(ran.code.is_some(), "{what}: {ran}");
        assert_eq!(files(&home.laptop()), laptop, "{what}: {ran}");
        home.sandbox.with(|state| state.faults.clear());
        let ran = home.sync();
        assert_eq!(ran.code, Some(0), "after {what}: {ran}");
        assert_eq!(files(&home.laptop()), laptop, "after {what}");
        assert_eq!(home.sandbox.google_people().len(), 12);
        assert_eq!(home.writes(), 0, "{what}");
    }
}

#[test]
fn promise_2_a_token_that_google_calls_invalid_leads_to_a_full_listing() {
    let home = Home::synced(&GOOGLE);
    let laptop = files(&home.laptop());
    let body = json!({"error": {"code": 400, "status": "INVALID_ARGUMENT", "message": "Sync token is invalid."}});
    let fault = Fault::Status { status: 400, retry_after: None, executed: false, body: Some(body) };
    home.sandbox.fault(Rule::any(fault).path("/people/me/connections").times(1));
    home.sync().expect(0);
    assert_eq!(files(&home.laptop()), laptop);
    assert_eq!(home.writes(), 0);
}

#[test]
fn promise_1_absence_is_never_deletion_at_microsoft() {
    let home = Home::synced(&MICROSOFT);
    let laptop = files(&home.laptop());
    let check = |what: &str, code: Option<i32>| {
        let ran = home.run(&["sync", "--full-check"]);
        assert!(ran.code.is_some() && code.is_none_or(|code| ran.code == Some(code)), "{what}: {ran}");
        assert_eq!(files(&home.laptop()), laptop, "{what}: {ran}");
        assert_eq!(home.writes(), 0, "{what}");
    };
    home.sandbox.graph_expire_delta_tokens();
    check("expired tokens", Some(0));
    home.sandbox.switch(|switches| switches.graph_denied_folders = vec!["contacts".into(), "Kundschaft".into()]);
    check("folders that answer 403", None);
    home.sandbox.switch(|switches| switches.graph_denied_folders.clear());
    for fault in [
        Fault::Status { status: 200, retry_after: None, executed: false, body: Some(json!({"value": []})) },
        Fault::Status { status: 200, retry_after: None, executed: false, body: Some(json!({})) },
        Fault::Truncate,
        Fault::status(404),
    ] {
        home.sandbox.graph_expire_delta_tokens();
        home.sandbox.fault(Rule::any(fault.clone()).method("GET").path("/delta"));
        check(&format!("{fault:?}"), None);
        home.sandbox.with(|state| state.faults.clear());
        check(&format!("after {fault:?}"), Some(0));
    }
    assert_eq!(home.sandbox.graph_contacts().len(), 12);
}

#[test]
fn promise_1_another_account_behind_the_same_sign_in_deletes_nothing() {
    let home = Home::synced(&GOOGLE);
    let laptop = files(&home.laptop());
    // The vault is lost, and somebody else signs in.
    for name in ["vault.json", "twofold.key"] {
        fs::remove_file(home.state().join(name)).unwrap();
    }
    home.sandbox.switch(|switches| switches.another_account = true);
    home.login("google").expect(0);
    let ran = home.sync().expect(2).says(&["otto@example.com", "ada@example.com", "nothing was read or changed"]);
    home.names_a_command(&ran);
    assert_eq!(files(&home.laptop()), laptop);
    assert_eq!(home.requests(), 0);
}

#[test]
fn promise_3_a_lost_reply_leads_to_a_look_and_never_to_two_copies() {
    for fault in [Fault::DropAfter, Fault::status_but_executed(500), Fault::DropBefore, Fault::status(500)] {
        let home = Home::synced(&BOTH);
        home.sandbox.fault(Rule::any(fault.clone()).writes().times(2));
        fs::write(home.google_folder().join("dora.vcf"), card("dora", "Dora")).unwrap();
        let folder = home.card("TITLE:Hausmeister").parent().unwrap().to_owned();
        fs::write(folder.join("dirk.vcf"), card("dirk", "Dirk")).unwrap();
        let ran = home.sync();
        assert!(matches!(ran.code, Some(0 | 75)), "{fault:?}: {ran}");
        if ran.code == Some(75) {
            home.names_a_command(&ran);
        }
        home.sandbox.with(|state| state.faults.clear());
        // What was executed is found by its mark; what was not may still show late, and is neither repeated nor given up.
        let (code, count) = if fault.executes() { (0, 13) } else { (75, 12) };
        for _ in 0..2 {
            home.sandbox.reset_counts();
            let ran = home.sync();
            assert_eq!(ran.code, Some(code), "{fault:?}: {ran}");
            let counts = (home.sandbox.google_people().len(), home.sandbox.graph_contacts().len());
            assert_eq!(counts, (count, count), "{fault:?}");
            assert_eq!(home.cards().len(), 26, "{fault:?}");
            assert_eq!(home.writes(), 0, "{fault:?}");
        }
    }
}

/// Every note that the hub holds of any item, in a version that is shown or is not.
fn notes(home: &Home) -> String {
    let hub = twofold_hub::Hub::open(&home.state()).unwrap();
    let versions = (1..100).flat_map(|item| hub.versions_of(item).unwrap());
    versions.map(|version| hub.version(version).unwrap().content.to_value()["notes"].to_string()).collect()
}

#[test]
fn promise_4_what_was_overwritten_goes_after_the_retention_time_of_the_configuration() {
    let home = Home::synced(&GOOGLE);
    let card = home.card("TITLE:Reception");
    home.add_line(&card, "NOTE:said first");
    home.sync().expect(0);
    let text = fs::read_to_string(&card).unwrap();
    fs::write(&card, text.replace("said first", "said since")).unwrap();
    home.sync().expect(0);
    let has_first = || notes(&home).contains("said first");
    home.sync().expect(0);
    assert!(has_first(), "180 days are not over");
    fs::write(home.config(), home.configuration("\n[history]\nretention = \"1s\"\n")).unwrap();
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(2) {
        home.run(&["sync", "--replica", "laptop"]).expect(0);
        assert!(has_first(), "a run of one replica prunes nothing");
    }
    home.sync().expect(0);
    assert!(has_first(), "Google is back in this run");
    home.sync().expect(0);
    let left = notes(&home);
    assert!(!left.contains("said first") && left.contains("said since"), "{left}");
    home.sync().expect(0);
    assert_eq!((home.cards().len(), home.writes()), (12, 2));
}

#[test]
fn promise_5_what_a_provider_cannot_hold_survives_on_the_device() {
    let home = Home::synced(&MICROSOFT);
    let folder = home.card("TITLE:Hausmeister").parent().unwrap().to_owned();
    let text = "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:quinn\r\nFN:Quinn Quad\r\nN:Quad;Quinn;;;\r\nEMAIL:a@example.org\r\n\
                EMAIL:b@example.org\r\nEMAIL:c@example.org\r\nEMAIL:d@example.org\r\nX-SHOE-SIZE:43\r\nEND:VCARD\r\n";
    let path = folder.join("quinn.vcf");
    fs::write(&path, text).unwrap();
    home.sync().expect(0);
    assert_eq!(fs::read_to_string(&path).unwrap(), text, "the file is as its writer left it");
    home.sandbox.graph_edit(&home.graph_contact("Quinn"), |c| c["jobTitle"] = json!("Counter")).unwrap();
    home.sync().expect(0);
    let now = fs::read_to_string(&path).unwrap();
    assert!(now.contains("TITLE:Counter"), "{now}");
    for line in text.lines().filter(|line| line.starts_with("EMAIL") || line.starts_with("X-")) {
        assert!(now.lines().any(|now| now == line), "{line} is gone:\n{now}");
    }
    home.sandbox.reset_counts();
    home.sync().expect(0);
    assert_eq!(home.writes(), 0);
}

/// Everything about a file that a needless write would change.
fn stamps(home: &Home) -> Vec<(u64, i64, i64)> {
    let stamp = |path: &std::path::PathBuf| {
        let meta = fs::metadata(home.laptop().join(path)).unwrap();
        (meta.ino(), meta.mtime(), meta.mtime_nsec())
    };
    files(&home.laptop()).keys().map(stamp).collect()
}

#[test]
fn promise_6_a_second_run_writes_nothing() {
    let home = Home::signed_in(&BOTH);
    home.sandbox.reset_counts();
    home.sync().expect(0);
    assert_eq!(home.writes(), 0, "a first sync onto an empty device sends no write");
    let (laptop, before) = (files(&home.laptop()), stamps(&home));
    for args in [&["sync"][..], &["sync", "--full-check"], &["sync"]] {
        home.sandbox.reset_counts();
        home.run(args).expect(0).shows(&["nothing to do"]);
        assert_eq!((files(&home.laptop()), stamps(&home)), (laptop.clone(), before.clone()), "{args:?}");
        assert_eq!(home.writes(), 0, "{args:?}");
    }
    assert!(home.requests() <= 6, "{} requests with nothing to do", home.requests());
}

#[test]
fn promise_6_a_change_moves_once() {
    let home = Home::synced(&BOTH);
    home.add_line(&home.card("Şimşek;Çağlar"), "NICKNAME:Cag");
    home.sandbox.graph_edit(&home.graph_contact("Hausmeister"), |c| c["jobTitle"] = json!("Chief")).unwrap();
    home.sync().expect(0);
    assert_eq!(home.writes(), 1, "one write for the one change of the device");
    let before = stamps(&home);
    home.sandbox.reset_counts();
    home.sync().expect(0).shows(&["nothing to do"]);
    assert_eq!(home.writes(), 0);
    assert_eq!(stamps(&home), before);
}

#[test]
fn promise_11_a_pause_that_was_asked_for_is_kept_by_this_run_and_the_next() {
    for provider in [Provider::Google, Provider::Microsoft] {
        let home = Home::synced(&BOTH);
        home.sandbox.fault(Rule::any(Fault::throttled("3600")).on(provider).times(1));
        home.sync().expect(75);
        let asked = home.sandbox.requests(provider);
        assert!(asked <= 4, "no more than what was under way: {asked}");
        for _ in 0..2 {
            home.sync().expect(75).says(&["twofold sync"]);
            assert_eq!(home.sandbox.requests(provider), asked, "nobody asks again within the hour");
        }
        let other = if provider == Provider::Google { Provider::Microsoft } else { Provider::Google };
        assert!(home.sandbox.requests(other) > asked, "the other provider goes on");
    }
}

#[test]
fn promise_10_a_dead_sign_in_is_a_state_and_the_rest_goes_on() {
    let home = Home::synced(&BOTH);
    home.sandbox.end_sign_ins(Provider::Google, End::Revoked, true);
    home.add_line(&home.card("Şimşek;Çağlar"), "NICKNAME:Cag");
    home.sandbox.graph_edit(&home.graph_contact("Hausmeister"), |c| c["jobTitle"] = json!("Chief")).unwrap();
    let count = home.cards().len();
    let ran = home.sync().expect(3).says(&["twofold login google"]);
    home.names_a_command(&ran);
    home.card("TITLE:Chief");
    home.card("NICKNAME:Cag");
    assert_eq!(home.cards().len(), count, "nothing is deleted");
    let ran = home.run(&["status"]).expect(3).shows(&["twofold login google"]);
    assert!(!ran.out.contains("twofold login microsoft365"), "{ran}");
    home.run(&["doctor"]).expect(3).shows(&["fail  google", "ok    microsoft365"]);
    let before = home.sandbox.counts(Provider::Google).sign_in;
    home.sync().expect(3);
    assert_eq!(home.sandbox.counts(Provider::Google).sign_in, before, "a dead sign-in is not asked again and again");
    home.login("google").expect(0);
    home.sync().expect(0);
    assert!(home.google_text().contains("Cag"), "what was changed meanwhile arrives");
    assert_eq!(home.cards().len(), count);
    home.run(&["status"]).expect(0);
}

/// Stops the first request that `is_it` says yes to, at this phase, until the sender is used or dropped; the receiver is
/// told when it has come.
fn stop_at(
    home: &Home,
    phase: Phase,
    is_it: impl Fn(&twofold_sandbox::RequestInfo) -> bool + Send + Sync + 'static,
) -> (mpsc::Receiver<()>, mpsc::Sender<()>) {
    let (came, has_come) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let once = Mutex::new(Some((came, released)));
    home.sandbox.set_hook(Some(Arc::new(move |info, at| {
        let stop = if at == phase && is_it(info) { once.lock().unwrap().take() } else { None };
        if let Some((came, released)) = stop {
            came.send(()).unwrap();
            // Released by a word or by the end of the other side.
            let _ = released.recv();
        }
    })));
    (has_come, release)
}

/// Waits until the request has come.
#[track_caller]
fn wait_for(has_come: &mpsc::Receiver<()>) {
    has_come.recv_timeout(Duration::from_secs(60)).expect("the request never came");
}

#[test]
fn promise_12_two_runs_at_once_never_work_on_one_hub() {
    let home = Home::signed_in(&GOOGLE);
    let (has_come, release) = stop_at(&home, Phase::Before, |info| info.kind == Kind::Api);
    let first = home.start(&["sync"]);
    wait_for(&has_come);
    let ran = home.sync().expect(75).says(&["another twofold is at work", "nothing was done"]);
    home.names_a_command(&ran);
    assert!(home.cards().is_empty());
    drop(release);
    first.end().expect(0);
    assert_eq!(home.cards().len(), 12);
    home.sync().expect(0).shows(&["nothing to do"]);
}

#[test]
fn promise_12_a_run_that_is_asked_to_stop_ends_at_a_clean_point() {
    let home = Home::synced(&GOOGLE);
    for number in 0..4 {
        fs::write(
            home.google_folder().join(format!("new{number}.vcf")),
            card(&format!("new{number}"), &format!("New-{number}")),
        )
        .unwrap();
    }
    let (has_come, release) = stop_at(&home, Phase::After, |info| info.is_write);
    let talk = home.start(&["sync"]);
    wait_for(&has_come);
    let since = Instant::now();
    talk.signal(rustix::process::Signal::TERM);
    let ran = talk.end().expect(75);
    assert!(since.elapsed().as_secs() < 10, "it ends within 10 s although a request is under way");
    home.names_a_command(&ran);
    drop(release);
    home.sync().expect(0);
    assert_eq!(home.sandbox.google_people().len(), 16);
    assert_eq!(home.cards().len(), 16);
    home.sandbox.reset_counts();
    home.sync().expect(0);
    assert_eq!(home.writes(), 0);
}

#[test]
fn promise_12_a_run_that_only_reads_is_left_as_soon_as_the_service_leaves_one() {
    let home = Home::synced(&GOOGLE);
    let (has_come, release) = stop_at(&home, Phase::Before, |info| !info.is_write);
    let talk = home.start(&["sync"]);
    wait_for(&has_come);
    let since = Instant::now();
    talk.signal(rustix::process::Signal::TERM);
    talk.end().expect(75).says(&["the next run looks for it", "twofold sync"]);
    let took = since.elapsed();
    assert!(
        took < Duration::from_millis(6_500),
        "half a second for the end of the process is more than enough: {took:?}"
    );
    drop(release);
    home.sync().expect(0);
}

#[test]
fn promise_12_a_kill_at_a_write_loses_and_doubles_nothing() {
    for phase in [Phase::Before, Phase::After] {
        for name in BOTH {
            let home = Home::synced(&[name]);
            let folder = home.card("Siobhán").parent().unwrap().to_owned();
            fs::write(folder.join("dora.vcf"), card("dora", "Dora")).unwrap();
            home.add_line(&home.card("Siobhán"), "NICKNAME:Siob");
            // Graph's writes travel in a $batch, which is none itself.
            let (has_come, release) = stop_at(&home, phase, |info| info.is_write || info.path.ends_with("/$batch"));
            let talk = home.start(&["sync"]);
            wait_for(&has_come);
            let log = home.sandbox.log().len();
            talk.signal(rustix::process::Signal::KILL);
            assert_eq!(talk.end().code, None, "a signal ended it");
            // Phase::Before: the request is executed only now, after the death of who sent it.
            drop(release);
            let since = Instant::now();
            while phase == Phase::Before && home.sandbox.log().len() == log && since.elapsed().as_secs() < 10 {
                std::thread::yield_now();
            }
            let ran = home.sync();
            assert!(matches!(ran.code, Some(0 | 75)), "{name} {phase:?}: {ran}");
            home.sync().expect(0);
            let all = if name == "google" { home.google_text() } else { home.graph_text() };
            let count =
                if name == "google" { home.sandbox.google_people().len() } else { home.sandbox.graph_contacts().len() };
            assert_eq!(count, 13, "{name} {phase:?}");
            assert!(all.contains("Dora") && all.contains("Siob"), "{name} {phase:?}");
            assert_eq!(home.cards().len(), 13, "{name} {phase:?}");
            home.sandbox.reset_counts();
            home.sync().expect(0);
            assert_eq!(home.writes(), 0, "{name} {phase:?}");
        }
    }
}

/// A card as a program writes it that knows nothing of our parameters and properties; not folded.
fn without_ours(text: &str) -> String {
    let mut plain = String::new();
    for line in text.replace("\r\n ", "").lines().filter(|line| !line.starts_with("X-TWOFOLD")) {
        let (name, rest) = line.split_once(";X-TWOFOLD").unwrap_or((line, ""));
        let kept = rest.find([';', ':']).map_or("", |end| &rest[end..]);
        plain += &format!("{name}{kept}\r\n");
    }
    assert!(!plain.contains("TWOFOLD"), "{plain}");
    plain
}

/// Another tool filled the folder before the first use: the cards of which `is_there` says so, with file names and UIDs of
/// that tool's own, no marker, nothing of ours. All of it is adopted and nothing is written anywhere.
fn a_foreign_folder_is_adopted(is_there: impl Fn(&str) -> bool) {
    let home = Home::synced(&BOTH);
    let mut foreign = Vec::new();
    for (number, (path, bytes)) in home.cards().into_iter().enumerate() {
        let text = without_ours(&String::from_utf8(bytes).unwrap());
        let uid = text.lines().find(|line| line.starts_with("UID:")).unwrap();
        let text = text.replace(uid, &format!("UID:foreign-{number}"));
        if is_there(&text) {
            foreign.push((path.with_file_name(format!("foreign-{number}.vcf")), text));
        }
    }
    assert!(!foreign.is_empty());
    let (at_google, at_graph) = (home.google_text(), home.graph_text());
    // A new machine: nothing but the folder.
    fs::remove_dir_all(home.laptop()).unwrap();
    fs::remove_dir_all(home.state()).unwrap();
    for (path, text) in &foreign {
        fs::create_dir_all(home.laptop().join(path).parent().unwrap()).unwrap();
        fs::write(home.laptop().join(path), text).unwrap();
    }
    for name in BOTH {
        home.login(name).expect(0);
    }
    home.sync().expect(0);
    assert_eq!(home.cards().len(), 24, "nothing is doubled: {:?}", home.cards().keys());
    for (path, text) in &foreign {
        let now = fs::read_to_string(home.laptop().join(path)).unwrap();
        assert_eq!(&now, text, "{path:?} is as the other tool left it");
    }
    assert_eq!(home.writes(), 0, "no write is sent to a provider");
    assert_eq!((home.google_text(), home.graph_text()), (at_google, at_graph));
    home.sync().expect(0).shows(&["nothing to do"]);
}

/// Graph keeps `PhD` in `generation`; a card of 3.0 has one place for both and is read as a credential.
fn has_suffix_at_graph(text: &str) -> bool {
    text.contains(";PhD") && text.contains("TYPE=JPEG")
}

#[test]
fn promise_13_a_folder_that_another_tool_filled_pairs_by_content() {
    a_foreign_folder_is_adopted(|text| !has_suffix_at_graph(text));
}

#[test]
fn promise_13_a_suffix_that_graph_calls_a_generation_pairs_by_content() {
    a_foreign_folder_is_adopted(has_suffix_at_graph);
}

#[test]
fn promise_13_a_hub_that_was_lost_is_paired_again() {
    let home = Home::synced(&BOTH);
    let cards = home.cards();
    fs::remove_dir_all(home.state()).unwrap();
    for name in BOTH {
        home.login(name).expect(0);
    }
    home.sync().expect(0);
    assert_eq!(home.cards(), cards);
    assert_eq!(home.writes(), 0);
    home.sync().expect(0).shows(&["nothing to do"]);
}

#[test]
fn promise_13_an_old_folder_brings_back_nobody_without_being_asked() {
    let home = Home::signed_in(&GOOGLE);
    fs::create_dir_all(home.google_folder()).unwrap();
    for number in 0..6 {
        let text = card(&format!("old{number}"), &format!("Old-{number}"));
        fs::write(home.google_folder().join(format!("old{number}.vcf")), text).unwrap();
    }
    home.sync().expect(4);
    assert_eq!(home.sandbox.google_people().len(), 12);
    assert_eq!(home.cards().len(), 18, "the old files stay, and Google's are there");
    let held = home.run(&["held"]).expect(0).shows(&["laptop contacts", "6 items"]);
    assert_eq!(home.json(&["held"])["held"][0]["creates"], 6);
    home.run(&["approve", &held.only_id()]).expect(0);
    home.sync().expect(0);
    assert_eq!(home.sandbox.google_people().len(), 18);
    assert_eq!(home.cards().len(), 18);
}

#[test]
fn promise_14_an_edit_beats_a_delete() {
    let home = Home::synced(&GOOGLE);
    let path = home.card("Şimşek;Çağlar");
    home.add_line(&path, "NICKNAME:Cag");
    home.sandbox.google_delete(&home.google_person("Çağlar")).unwrap();
    home.sync().expect(0);
    assert!(home.google_text().contains("Cag"));
    assert!(fs::read_to_string(&path).unwrap().contains("NICKNAME:Cag"));
    assert_eq!(home.sandbox.google_people().len(), 12);
}
