//! What the program says of mail: how much is here, what is still to be fetched and for how long, what waits, what moved.

use super::bench::put;
use super::{Mail, copies, deliver, gmail_labels, graph, mail, mails, only, settled, synced, text};
use crate::common::{BOTH, GOOGLE, Home, MICROSOFT, files};
use serde_json::{Value, json};
use std::fs;
use twofold_sandbox::{Fault, Provider, Rule};

/// A replica as `status --json` tells of it.
fn replica(status: &Value, name: &str) -> Value {
    status["replicas"].as_array().unwrap().iter().find(|replica| replica["name"] == name).unwrap().clone()
}

#[test]
fn half_way_through_a_first_sync_status_tells_what_is_missing_and_for_how_long() {
    let home = Home::with_mail(&GOOGLE);
    let of = home.sandbox.google_messages().len() as u64;
    // The first batch comes, the others do not.
    home.sandbox.fault(Rule::any(Fault::throttled("3600")).on(Provider::Google).path("/batch").skip(1));
    home.sync();
    let status = home.json(&["status"]);
    let mail = &replica(&status, "google")["mail"];
    let number = |key: &str| mail[key].as_u64().unwrap_or_else(|| panic!("{key}: {mail}"));
    let (here, lacking) = (number("messages"), number("lacking"));
    assert!(here > 0 && lacking > 0, "{mail}");
    assert_eq!((here + lacking, number("of")), (of, of));
    // Gmail gives 6,000 units a minute, and a message takes 20.
    assert_eq!(number("eta_s"), (lacking * 60).div_ceil(300), "{mail}");
    let ran = home.run(&["status"]);
    let first = format!("mail in all: {here} of {of} messages fetched, ");
    assert!(ran.out.contains(&first) && ran.out.contains("left at Gmail's budget (300 messages a minute)"), "{ran}");
    let boxes = replica(&status, "google")["collections"].clone();
    assert!(boxes.as_array().unwrap().iter().any(|mailbox| mailbox["lacking"].as_u64() > Some(0)), "{boxes}");
}

#[test]
fn half_way_through_a_first_sync_at_graph_its_limits_say_for_how_long() {
    let home = Home::with_mail(&MICROSOFT);
    let of = copies(&home, "microsoft365") as u64;
    home.sandbox.fault(Rule::any(Fault::throttled("3600")).on(Provider::Microsoft).path("/$value").skip(6));
    home.sync();
    let status = home.json(&["status"]);
    let mail = &replica(&status, "microsoft365")["mail"];
    let number = |key: &str| mail[key].as_u64().unwrap_or_else(|| panic!("{key}: {mail}"));
    assert_eq!((number("messages"), number("lacking"), number("of")), (6, of - 6, of), "{mail}");
    // Graph answers 10,000 requests in ten minutes, and a message is one.
    assert_eq!(number("eta_s"), ((of - 6) * 60).div_ceil(1_000), "{mail}");
    let told = format!("6 of {of} messages fetched, ");
    let ran = home.run(&["status"]);
    assert!(ran.out.contains(&told) && ran.out.contains("left at Graph's limits (1,000 messages a minute)"), "{ran}");
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
fn status_counts_the_bytes_of_what_came_from_a_device_at_its_provider_too() {
    for provider in BOTH {
        let home = synced(&[provider]);
        let bytes = || replica(&home.json(&["status"]), provider)["mail"]["bytes"].as_u64().unwrap();
        let before = bytes();
        let file = text("Uploaded");
        put(&home, provider, "cur/1772442000.M1P1.desk:2,S", &file);
        home.sync().expect(0);
        assert_eq!(bytes() - before, file.len() as u64, "{provider}");
    }
}

#[test]
fn a_message_file_that_is_not_as_long_as_it_was_written_is_told_by_a_full_check_and_nothing_follows_from_it() {
    for provider in BOTH {
        let home = synced(&[provider]);
        let id = deliver(&home, provider, "Damaged");
        home.sync().expect(0);
        let file = only(mail(&home, provider, "Damaged"), provider);
        fs::write(&file.path, "").unwrap();
        home.sandbox.reset_counts();
        home.run(&["sync", "--full-check"]).expect(5);
        let status = home.run(&["status"]);
        assert!(status.out.contains("is 0 bytes long, not"), "{provider}: {status}");
        home.sync().expect(5);
        assert_eq!(home.writes(), 0, "{provider}");
        assert!(file.path.exists(), "{provider}");
        // Its bytes are back.
        fs::write(&file.path, &file.bytes).unwrap();
        home.sync().expect(0);
        // Or the file is deleted, which deletes no message: it is written anew, whole, where it stood.
        fs::write(&file.path, "").unwrap();
        home.run(&["sync", "--full-check"]).expect(5);
        fs::remove_file(&file.path).unwrap();
        home.sync().expect(0);
        match provider {
            "google" => assert!(gmail_labels(&home, &id).contains("INBOX")),
            _ => assert_eq!(graph(&home, "Damaged")["folder"], json!(["Posteingang"])),
        }
        let again = only(mail(&home, provider, "Damaged"), provider);
        assert_eq!((again.folder(), &again.bytes), (file.folder(), &file.bytes), "{provider}");
        settled(&home, provider);
    }
}

#[test]
fn a_trash_that_is_emptied_on_a_device_is_one_line_and_each_row_in_json() {
    let home = synced(&GOOGLE);
    let trash: Vec<_> = mails(&home, "google").into_iter().filter(|mail| mail.folder() == ".Trash").collect();
    // Those that stand in the inbox alone.
    let here = mails(&home, "google");
    let is_alone = |mail: &&Mail| here.iter().filter(|other| other.bytes == mail.bytes).count() == 1;
    let inbox: Vec<_> = here.iter().filter(|mail| mail.folder().is_empty()).filter(is_alone).take(4).collect();
    for mail in &inbox {
        let name = mail.path.file_name().unwrap();
        fs::rename(&mail.path, home.laptop().join("google/mail/.Trash/cur").join(name)).unwrap();
    }
    home.sync().expect(0);
    let all: Vec<_> = mails(&home, "google").into_iter().filter(|mail| mail.folder() == ".Trash").collect();
    assert_eq!(all.len(), trash.len() + 4);
    let is_ours = |mail: &&Mail| inbox.iter().any(|other| other.bytes == mail.bytes);
    all.iter().filter(is_ours).for_each(|mail| fs::remove_file(&mail.path).unwrap());
    home.sync().expect(0);
    let ran = home.run(&["status"]).expect(0);
    let lines: Vec<&str> = ran.out.lines().filter(|line| line.contains("removed from the trash")).collect();
    assert_eq!(lines.len(), 1, "{ran}");
    assert!(lines[0].contains("laptop: 4 items of "), "{ran}");
    let rows = home.json(&["status"])["not_representable"].as_array().unwrap().len();
    assert_eq!(rows, 4, "each has its row for scripts");
}

#[test]
fn what_says_neither_what_it_is_about_nor_whose_it_is_is_named_by_its_file() {
    let home = synced(&MICROSOFT);
    let letter = b"Content-Type: text/plain; charset=cp437\r\n\r\n\x81berall\r\n";
    put(&home, "microsoft365", "cur/1772442000.R1.laptop:2,S", letter);
    home.sync();
    let status = home.run(&["status"]);
    let lines: Vec<&str> = status.out.lines().filter(|line| line.contains("1772442000.R1.laptop")).collect();
    assert!(lines.len() == 1 && lines[0].contains("on laptop"), "{status}");
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

#[test]
fn a_damaged_file_of_bytes_is_told_with_what_to_type_and_harms_nothing() {
    let home = synced(&GOOGLE);
    let path = home.state().join("blobs/small.db");
    let sound = fs::read(&path).unwrap();
    let before = files(&home.laptop());
    fs::write(&path, &sound[..sound.len() / 2]).unwrap();
    for (args, code) in [(&["sync"][..], 1), (&["doctor"], 1), (&["status"], 1)] {
        let ran = home.run(args).expect(code);
        let said = format!("{}{}", ran.out, ran.err);
        assert!(said.contains("small.db is damaged") && said.contains("twofold doctor --full"), "{args:?}: {said}");
    }
    assert_eq!(files(&home.laptop()), before);
    fs::write(&path, sound).unwrap();
    home.run(&["doctor", "--full"]).expect(0).shows(&["are whole"]);
    home.sync().expect(0);
    assert_eq!(home.writes(), 0);
    // Without it the bytes of all messages are missed.
    fs::remove_file(&path).unwrap();
    home.run(&["doctor"]).expect(1).shows(&["are missing or damaged below"]);
}
