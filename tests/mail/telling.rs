//! What the program says of mail: how much is here, what is still to be fetched and for how long, what waits, what moved.

use super::{copies, mails, synced};
use crate::common::{BOTH, GOOGLE, Home};
use serde_json::{Value, json};
use std::fs;
use twofold_sandbox::Provider;

/// A replica as `status --json` tells of it.
fn replica(status: &Value, name: &str) -> Value {
    status["replicas"].as_array().unwrap().iter().find(|replica| replica["name"] == name).unwrap().clone()
}

#[test]
fn status_counts_messages_once_and_their_bytes() {
    let home = synced(&BOTH);
    let status = home.json(&["status"]);
    assert_eq!(status["schema"], 1);
    let raw = |id: &Value| home.sandbox.google_message_raw(id.as_str().unwrap()).unwrap().len() as u64;
    let bytes: u64 = home.sandbox.google_messages().iter().map(|message| raw(&message["id"])).sum();
    let google = replica(&status, "google");
    assert_eq!(google["mail"]["bytes"], json!(bytes));
    let items = |replica: &Value| -> u64 {
        let boxes = replica["collections"].as_array().unwrap();
        boxes.iter().map(|mailbox| mailbox["messages"].as_u64().unwrap()).sum()
    };
    assert_eq!(items(&google), copies(&home, "google") as u64);
    let laptop = replica(&status, "laptop");
    let files = BOTH.map(|provider| mails(&home, provider).len()).iter().sum::<usize>();
    assert_eq!(items(&laptop), files as u64);
    assert_eq!(status["blobs"]["count"], laptop["mail"]["messages"]);
    let ran = home.run(&["status"]).expect(0);
    assert!(ran.out.lines().all(|line| line.chars().count() <= 80), "{ran}");
}

#[test]
fn what_was_received_is_told_for_each_kind() {
    let home = Home::new(twofold_sandbox::Options::demo(), &GOOGLE);
    let text = home.configuration("").replace("\"contacts\"", "\"mail\", \"contacts\"");
    fs::write(home.config(), text).unwrap();
    home.login("google").expect(0);
    home.sandbox.reset_counts();
    let (code, report) = home.sync_json(&[]);
    assert_eq!(code, Some(0));
    let row = |kind: &str, key: &str| -> u64 {
        let rows = report["replicas"].as_array().unwrap().iter();
        let mut rows = rows.filter(|row| row["name"] == "google" && row["kind"] == kind);
        rows.next().unwrap()[key].as_u64().unwrap()
    };
    assert_eq!(row("mail", "requests") + row("contacts", "requests"), home.sandbox.requests(Provider::Google));
    let raw = |message: &Value| home.sandbox.google_message_raw(message["id"].as_str().unwrap()).unwrap().len() as u64;
    let bytes: u64 = home.sandbox.google_messages().iter().map(raw).sum();
    assert!(row("mail", "bytes_in") > bytes && row("contacts", "bytes_in") < bytes, "{report}");
    assert_eq!(row("mail", "read"), home.sandbox.google_messages().len() as u64);
}

#[test]
fn without_a_terminal_a_short_run_says_nothing_of_how_far_it_is() {
    let home = Home::with_mail(&GOOGLE);
    let ran = home.sync().expect(0);
    assert_eq!(ran.err, "", "{ran}");
    assert!(ran.out.contains("taken:") && ran.out.contains(" received"), "{ran}");
}
