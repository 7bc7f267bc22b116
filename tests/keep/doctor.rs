//! What `twofold doctor` finds beyond the configuration: the traps of signing in, the clock, the network, what stands on the disk.

use crate::common::{BOTH, GOOGLE, Home, MICROSOFT, provider};
use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use twofold_sandbox::oauth::End;
use twofold_sandbox::{Fault, Provider, Rule};

#[test]
fn each_way_in_which_a_sign_in_ends_has_a_line_of_its_own() {
    for (name, end, words) in [
        ("google", End::Revoked, "access was taken back"),
        ("google", End::SessionControl, "from time to time"),
        ("google", End::AdminPolicy, "ask the admin"),
        ("microsoft365", End::PasswordChanged, "password"),
        ("microsoft365", End::Inactive, "not used for too long"),
        ("microsoft365", End::MfaNeeded, "second factor"),
        ("microsoft365", End::ConsentMissing, "administrator of your organisation has to allow"),
        ("microsoft365", End::Blocked, "A rule of your organisation blocks"),
        ("microsoft365", End::Disabled, "disabled or locked"),
        ("microsoft365", End::SignInFrequency, "from time to time"),
    ] {
        let home = Home::synced(if name == "google" { &GOOGLE } else { &MICROSOFT });
        home.sandbox.end_sign_ins(provider(name), end, true);
        home.sync().expect(3);
        let ran = home.run(&["doctor"]).expect(3).shows(&[&format!("fail  {name}"), words]);
        assert!(ran.out.contains(&format!("twofold login {name}")), "{ran}");
    }
}

#[test]
fn an_app_in_testing_is_said_before_its_seven_days_are_over() {
    let home = Home::new(twofold_sandbox::Options::demo(), &GOOGLE);
    home.sandbox.switch(|switches| switches.google_testing_days = 7);
    home.login("google").expect(0);
    home.run(&["doctor"]).expect(0).shows(&["warn  google", "\"Testing\"", "Publish the app", "twofold login google"]);
}

#[test]
fn an_interface_that_is_not_switched_on_is_said_where_it_is_asked() {
    let home = Home::synced(&BOTH);
    home.run(&["doctor", "--live"]).expect(0).shows(&["ok    google: 1 collection of contacts can be read"]);
    let reason = json!([{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "SERVICE_DISABLED", "domain": "googleapis.com"}]);
    let body = json!({"error": {"code": 403, "status": "PERMISSION_DENIED", "message": "People API has not been used in project 1 before or it is disabled.", "details": reason}});
    let refused = Fault::Status { status: 403, retry_after: None, executed: false, body: Some(body) };
    home.sandbox.fault(Rule::any(refused).on(Provider::Google).path("/v1/"));
    let ran = home.run(&["doctor", "--live"]);
    let ran = ran.shows(&["fail  google: contacts", "SERVICE_DISABLED", "enable it in the Cloud console"]);
    assert_ne!(ran.code, Some(0), "{ran}");
    assert!(ran.out.contains("ok    microsoft365: "), "{ran}");
}

#[test]
fn a_provider_that_cannot_be_reached_and_a_proxy_that_is_none_are_said() {
    let mut home = Home::synced(&GOOGLE);
    home.run(&["doctor"]).expect(0).shows(&["answers, and this machine's clock is right"]);
    home.stop_sandbox();
    home.run(&["doctor"]).expect(75).shows(&["fail  google", "cannot be reached", "[network]"]);
    home.run(&["doctor", "--offline"]).expect(0);
}

#[test]
fn a_wrong_clock_is_said_with_the_command_that_sets_it() {
    let home = Home::new(twofold_sandbox::Options::demo().virtual_time(), &GOOGLE);
    home.login("google").expect(0);
    home.run(&["doctor"]).shows(&["fail  clock", "ahead", "timedatectl set-ntp true"]);
}

#[test]
fn another_account_than_the_hub_s_is_said_with_both_ways_out() {
    let home = Home::synced(&GOOGLE);
    let vault = home.state().join("vault.json");
    fs::remove_file(&vault).unwrap();
    home.sandbox.switch(|switches| switches.another_account = true);
    home.login("google").expect(0);
    home.run(&["doctor"]).expect(2).shows(&[
        "but this hub holds the data of",
        "twofold login google",
        "twofold forget google",
    ]);
}

#[test]
fn a_secret_that_others_can_read_and_a_message_that_rots_are_said() {
    let home = Home::with_mail(&GOOGLE);
    home.sync().expect(0);
    fs::set_permissions(home.config(), fs::Permissions::from_mode(0o644)).unwrap();
    home.run(&["doctor"]).expect(0).shows(&["warn  configuration", "chmod o-rwx", "that were read are whole"]);
    fs::set_permissions(home.config(), fs::Permissions::from_mode(0o600)).unwrap();
    let ran = home.run(&["doctor"]).expect(0);
    assert!(!ran.out.contains("warn  configuration"), "{ran}");
}

#[test]
fn ways_of_telling_that_lead_nowhere_and_an_address_that_another_program_has_are_said() {
    let home = Home::synced(&GOOGLE);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = taken.local_addr().unwrap();
    let hook = home.sandbox.urls().google_token;
    let config = home.configuration("");
    let with = |notify: &str, endpoint: &str| {
        let text = format!("{config}\n[notify]\n{notify}\n[endpoint]\nlisten = \"{endpoint}\"\n");
        fs::write(home.config(), text).unwrap();
    };
    with(
        "command = [\"/nowhere/tell\"]\nfile = \"/nowhere/log\"\nwebhook = \"http://127.0.0.1:1/t0k3n\"",
        &at.to_string(),
    );
    let ran = home.run(&["doctor"]).expect(2).shows(&[
        "fail  notify: /nowhere/tell is not there",
        "fail  notify: /nowhere/log cannot be written",
        "fail  notify: the webhook at 127.0.0.1 cannot be reached",
        &format!("fail  endpoint: {at} cannot be had"),
        "ss -ltnp",
    ]);
    assert!(!ran.out.contains("t0k3n"), "{ran}");
    let ran = home.run(&["doctor", "--offline"]).expect(2);
    assert!(!ran.out.contains("webhook at"), "{ran}");
    drop(taken);
    let file = home.state().join("troubles");
    with(&format!("command = [\"/bin/cat\"]\nfile = {file:?}\nwebhook = \"{hook}\""), &at.to_string());
    home.run(&["doctor"]).expect(0).shows(&[
        "ok    notify: /bin/cat can be run",
        "troubles can be written",
        "ok    notify: 127.0.0.1 answers",
        &format!("ok    endpoint: {at} is free for the service"),
    ]);
    assert!(!file.exists(), "doctor makes nothing");
}

#[test]
fn what_stands_in_the_way_is_said_by_the_doctor_too_and_sends_nobody_back_to_it() {
    let home = Home::synced(&GOOGLE);
    home.sandbox.fault(Rule::any(Fault::status(503)).on(Provider::Google));
    home.sync().expect(75);
    let ran = home.run(&["doctor", "--offline"]).expect(75).shows(&["warn  last run", "fail  google: "]);
    assert!(!ran.out.contains(": twofold doctor"), "{ran}");
    home.sandbox.with(|state| state.faults.clear());
    home.sync().expect(0);
    home.run(&["doctor"]).expect(0).shows(&["ok    last run"]);
}

#[test]
fn a_key_that_is_not_at_hand_is_no_reason_to_throw_the_sign_ins_away() {
    let home = Home::synced(&BOTH);
    let key = home.state().join("twofold.key");
    let away = home.state().join("away");
    fs::rename(&key, &away).unwrap();
    for args in [&["doctor"][..], &["sync"]] {
        let ran = home.run(args);
        let said = format!("{}{}", ran.out, ran.err);
        for words in ["no sign-in was touched", "LoadCredentialEncrypted=twofold.key:", "put it back from a backup"] {
            assert_eq!(said.matches(words).count(), 1, "{words}: {ran}");
        }
        assert!(said.contains("only where the key is lost, move"), "{ran}");
        assert_eq!(said.matches("move ").count(), 1, "{ran}");
        assert_ne!(ran.code, Some(0), "{ran}");
    }
    fs::rename(&away, &key).unwrap();
    home.sync().expect(0);
    home.run(&["doctor"]).expect(0);
}

#[test]
fn a_state_with_sign_ins_that_the_service_would_not_use_is_said() {
    let home = Home::synced(&GOOGLE);
    let own = home.dir.path().join("own");
    let ran = || {
        let output = home.command(&["doctor"]).env("XDG_STATE_HOME", &own).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    fs::create_dir_all(own.join("twofold")).unwrap();
    assert!(!ran().contains("another one"), "nobody signed in there");
    fs::copy(home.state().join("vault.json"), own.join("twofold/vault.json")).unwrap();
    let said = ran();
    assert!(said.contains("warn  state folder: another one, with sign-ins, is "), "{said}");
}
