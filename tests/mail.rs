//! Messages through the built program: Maildirs as other programs read and write them, and what the providers hold, read plainly.

#[path = "mail/bench.rs"]
mod bench;
mod common;
#[path = "mail/copies.rs"]
mod copies_made;
#[path = "mail/damaged.rs"]
mod damaged;
#[path = "mail/dovecot.rs"]
mod dovecot;
#[path = "mail/folders.rs"]
mod folders;
#[path = "mail/full.rs"]
mod full;
#[path = "mail/labels.rs"]
mod labels;
#[path = "mail/large.rs"]
mod large;
#[path = "mail/memory.rs"]
mod memory;
#[path = "mail/options.rs"]
mod options;
#[path = "mail/pace.rs"]
mod pace;
#[path = "mail/promises.rs"]
mod promises;
#[path = "mail/stopped.rs"]
mod stopped;
#[path = "mail/telling.rs"]
mod telling;
#[path = "mail/traps.rs"]
mod traps;
#[path = "mail/twins.rs"]
mod twins;
#[path = "mail/words.rs"]
mod words;

use common::{BOTH, GOOGLE, Home, MICROSOFT};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, UNIX_EPOCH};

/// One file of a message.
struct Mail {
    path: PathBuf,
    bytes: Vec<u8>,
}

impl Mail {
    /// The letters behind `:2,`.
    fn flags(&self) -> BTreeSet<char> {
        let name = self.path.file_name().unwrap().to_string_lossy().into_owned();
        name.rsplit_once(":2,").map(|(_, flags)| flags.chars().collect()).unwrap_or_default()
    }

    /// The folder, as the directory of its Maildir is called; empty for the INBOX.
    fn folder(&self) -> String {
        let maildir = self.path.parent().and_then(Path::parent).unwrap();
        let name = maildir.file_name().unwrap().to_string_lossy().into_owned();
        if name == "mail" { String::new() } else { name }
    }
}

/// All messages of a provider on the laptop.
fn mails(home: &Home, provider: &str) -> Vec<Mail> {
    let root = home.laptop().join(provider).join("mail");
    let mut found = Vec::new();
    let mut maildirs = vec![root.clone()];
    maildirs.extend(
        fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().path()).filter(|path| {
            path.is_dir() && path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
        }),
    );
    for maildir in maildirs {
        for part in ["new", "cur"] {
            for entry in fs::read_dir(maildir.join(part)).unwrap() {
                let path = entry.unwrap().path();
                found.push(Mail { bytes: fs::read(&path).unwrap(), path });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// The files of the message with this subject.
fn mail(home: &Home, provider: &str, subject: &str) -> Vec<Mail> {
    let line = format!("Subject: {subject}\r\n");
    mails(home, provider).into_iter().filter(|mail| String::from_utf8_lossy(&mail.bytes).contains(&line)).collect()
}

fn only(mut found: Vec<Mail>, what: &str) -> Mail {
    assert_eq!(found.len(), 1, "{what}");
    found.remove(0)
}

/// A message of our own.
fn text(subject: &str) -> Vec<u8> {
    format!(
        "Date: Mon, 2 Mar 2026 09:00:00 +0000\r\nFrom: Ada <ada@example.org>\r\nTo: bob@example.org\r\n\
         Subject: {subject}\r\nMessage-ID: <{}@example.org>\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nHello Bob\r\n",
        subject.to_lowercase().replace(' ', "-")
    )
    .into_bytes()
}

/// Puts a message into the provider's inbox, as if it had just come. Answers its id.
fn deliver(home: &Home, provider: &str, subject: &str) -> String {
    match provider {
        "google" => home.sandbox.google_add_mail(&text(subject), &["INBOX", "UNREAD"]),
        _ => home.sandbox.graph_mail_deliver("inbox", &text(subject)).unwrap(),
    }
}

fn gmail_labels(home: &Home, id: &str) -> BTreeSet<String> {
    let message = home.sandbox.google_messages().into_iter().find(|message| message["id"] == id).unwrap();
    message["labelIds"].as_array().into_iter().flatten().map(|label| label.as_str().unwrap().to_owned()).collect()
}

/// The message with this subject; ids may change when a message moves.
fn graph(home: &Home, subject: &str) -> Value {
    home.sandbox.graph_mail_messages().into_iter().find(|message| message["subject"] == subject).unwrap()
}

fn graph_folder(home: &Home, name: &str) -> String {
    let folder = home.sandbox.graph_mail_folders().into_iter().find(|folder| folder["path"] == json!([name]));
    folder.unwrap()["id"].as_str().unwrap().to_owned()
}

/// Whether somebody has read it, by the provider's own word.
fn is_read(home: &Home, provider: &str, id: &str, subject: &str) -> bool {
    match provider {
        "google" => !gmail_labels(home, id).contains("UNREAD"),
        _ => graph(home, subject)["isRead"] == true,
    }
}

/// How many copies the provider shows: one for each message and label, one for each message in a folder.
fn copies(home: &Home, provider: &str) -> usize {
    let hidden = ["UNREAD", "STARRED", "IMPORTANT", "CHAT"];
    let count = |message: &Value| {
        let labels: Vec<&str> =
            message["labelIds"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        if labels.contains(&"TRASH") || labels.contains(&"SPAM") {
            return 1;
        }
        let shown = labels.iter().filter(|label| !hidden.contains(label) && !label.starts_with("CATEGORY_"));
        shown.count().max(1)
    };
    match provider {
        "google" => home.sandbox.google_messages().iter().map(count).sum(),
        _ => {
            let folders = home.sandbox.graph_mail_folders();
            let is_shown = |message: &&Value| {
                let folder = folders.iter().find(|folder| folder["path"] == message["folder"]);
                // What is deleted for good, hidden, or about to be sent is nobody's folder.
                folder.is_some_and(|folder| folder["hidden"] != true && folder["wellKnown"] != "outbox")
            };
            home.sandbox.graph_mail_messages().iter().filter(is_shown).count()
        }
    }
}

fn synced(providers: &[&'static str]) -> Home {
    let home = Home::with_mail(providers);
    home.sync().expect(0);
    assert_eq!(home.writes(), 0, "a first sync writes to no provider");
    home.sandbox.reset_counts();
    home
}

/// A further run writes nothing anywhere.
fn settled(home: &Home, what: &str) {
    home.sandbox.reset_counts();
    let before: BTreeMap<PathBuf, Vec<u8>> = common::files(&home.laptop());
    home.sync().expect(0);
    assert_eq!(home.writes(), 0, "{what}");
    let after = common::files(&home.laptop());
    let named = |files: &BTreeMap<PathBuf, Vec<u8>>| -> Vec<PathBuf> {
        files.keys().filter(|path| !path.ends_with(".twofold")).cloned().collect()
    };
    assert_eq!(named(&before), named(&after), "{what}");
}

#[test]
fn promise_6_a_first_sync_brings_every_message_and_writes_to_no_provider() {
    let home = synced(&BOTH);
    for provider in BOTH {
        assert_eq!(mails(&home, provider).len(), copies(&home, provider), "{provider}");
    }
    // What Gmail holds is on the disk byte for byte.
    let here: BTreeSet<Vec<u8>> = mails(&home, "google").into_iter().map(|mail| mail.bytes).collect();
    for message in home.sandbox.google_messages() {
        let raw = home.sandbox.google_message_raw(message["id"].as_str().unwrap()).unwrap();
        assert!(here.contains(&raw[..]), "{}", message["id"]);
    }
    settled(&home, "first sync");
}

#[test]
fn promise_6_a_run_with_nothing_to_do_asks_little() {
    let home = synced(&GOOGLE);
    home.sync().expect(0);
    home.sandbox.reset_counts();
    home.sync().expect(0);
    assert_eq!(home.requests(), 2, "labels and history");
    let home = synced(&MICROSOFT);
    home.sync().expect(0);
    home.sandbox.reset_counts();
    home.sync().expect(0);
    let folders = home.sandbox.graph_mail_folders().len();
    assert_eq!(home.requests(), 2, "the tree, and {folders} folders in one batch");
    for n in 0..=20 {
        home.sandbox.graph_mail_folder_create("", &format!("Further {n}")).unwrap();
    }
    for _ in 0..2 {
        home.sync().expect(0);
    }
    home.sandbox.reset_counts();
    home.sync().expect(0);
    let folders = home.sandbox.graph_mail_folders().len();
    assert!((21..=40).contains(&folders), "{folders}");
    assert_eq!(home.requests(), 3, "the tree, and {folders} folders in two batches");
}

#[test]
fn a_message_that_comes_is_read_on_the_laptop_and_flags_go_both_ways() {
    for provider in BOTH {
        let home = synced(&[provider]);
        let id = deliver(&home, provider, "Flags");
        home.sync().expect(0);
        let new = only(mail(&home, provider, "Flags"), provider);
        assert_eq!((new.folder().as_str(), new.path.parent().unwrap().ends_with("new")), ("", true), "{provider}");
        // A mail program shows it, and marks it as read.
        let seen = new
            .path
            .parent()
            .unwrap()
            .with_file_name("cur")
            .join(format!("{}:2,S", new.path.file_name().unwrap().to_string_lossy()));
        fs::rename(&new.path, seen).unwrap();
        assert!(!is_read(&home, provider, &id, "Flags"));
        home.sync().expect(0);
        assert!(is_read(&home, provider, &id, "Flags"), "{provider}");
        match provider {
            "google" => home.sandbox.google_label_mail(&id, &["STARRED"], &[]).unwrap(),
            _ => home.sandbox.graph_mail_edit(&id, &json!({"flag": {"flagStatus": "flagged"}})).unwrap(),
        }
        home.sync().expect(0);
        assert_eq!(only(mail(&home, provider, "Flags"), provider).flags(), ['F', 'S'].into(), "{provider}");
        assert!(home.sandbox.graph_mails().is_empty(), "no receipt, no other mail");
        settled(&home, provider);
    }
}

#[test]
fn a_message_that_is_moved_on_either_side_moves_on_the_other() {
    let home = synced(&GOOGLE);
    let label = home.sandbox.google_add_label("Projects/2026").unwrap();
    let id = deliver(&home, "google", "Moves");
    home.sync().expect(0);
    let from = only(mail(&home, "google", "Moves"), "before").path;
    let to = home.laptop().join("google/mail/.Projects.2026/new").join(from.file_name().unwrap());
    fs::rename(&from, &to).unwrap();
    home.sync().expect(0);
    let labels = gmail_labels(&home, &id);
    assert!(labels.contains(&label) && !labels.contains("INBOX"), "{labels:?}");
    home.sandbox.google_label_mail(&id, &["INBOX"], &[&label]).unwrap();
    home.sync().expect(0);
    assert_eq!(only(mail(&home, "google", "Moves"), "after").folder(), "");
    settled(&home, "Gmail");

    let home = synced(&MICROSOFT);
    let id = deliver(&home, "microsoft365", "Moves");
    home.sync().expect(0);
    let from = only(mail(&home, "microsoft365", "Moves"), "before").path;
    let to = home.laptop().join("microsoft365/mail/.Rechnungen/new").join(from.file_name().unwrap());
    fs::rename(&from, &to).unwrap();
    home.sync().expect(0);
    assert_eq!(graph(&home, "Moves")["folder"], json!(["Rechnungen"]));
    let archive = graph_folder(&home, "Archiv");
    home.sandbox.graph_mail_move(&id, &archive).unwrap();
    home.sync().expect(0);
    assert_eq!(only(mail(&home, "microsoft365", "Moves"), "after").folder(), ".Archiv");
    settled(&home, "Graph");
}

#[test]
fn promise_4_a_message_deleted_on_the_laptop_is_kept_by_its_account() {
    let home = synced(&GOOGLE);
    let (plain, marked) = (deliver(&home, "google", "Plain"), deliver(&home, "google", "Marked"));
    home.sync().expect(0);
    let path = only(mail(&home, "google", "Marked"), "marked").path;
    let deleted = path
        .parent()
        .unwrap()
        .with_file_name("cur")
        .join(format!("{}:2,ST", path.file_name().unwrap().to_string_lossy()));
    fs::rename(&path, &deleted).unwrap();
    home.sync().expect(0);
    fs::remove_file(&deleted).unwrap();
    fs::remove_file(only(mail(&home, "google", "Plain"), "plain").path).unwrap();
    home.sync().expect(0);
    assert!(gmail_labels(&home, &marked).contains("TRASH"));
    assert!(!gmail_labels(&home, &plain).contains("INBOX") && !gmail_labels(&home, &plain).contains("TRASH"));
    assert_eq!(only(mail(&home, "google", "Plain"), "archived").folder(), ".Archive");
    settled(&home, "Gmail");

    let home = synced(&MICROSOFT);
    deliver(&home, "microsoft365", "Plain");
    home.sync().expect(0);
    fs::remove_file(only(mail(&home, "microsoft365", "Plain"), "plain").path).unwrap();
    home.sync().expect(0);
    assert_eq!(graph(&home, "Plain")["folder"], json!(["Gelöschte Elemente"]));
    settled(&home, "Graph");
}

#[test]
fn promise_3_a_file_put_into_a_folder_is_one_received_message_of_its_account() {
    for provider in BOTH {
        let home = synced(&[provider]);
        let before = copies(&home, provider);
        let path = home.laptop().join(provider).join("mail/cur/1772442000.M1P1.desk:2,S");
        fs::write(&path, text("Uploaded")).unwrap();
        let received = UNIX_EPOCH + Duration::from_secs(1_772_442_000);
        fs::File::options().write(true).open(&path).unwrap().set_modified(received).unwrap();
        home.sync().expect(0);
        assert_eq!(copies(&home, provider), before + 1, "{provider}");
        let found = only(mail(&home, provider, "Uploaded"), provider);
        assert_eq!(found.bytes, text("Uploaded"), "{provider}: the file is left as it is");
        settled(&home, provider);
        assert_eq!(copies(&home, provider), before + 1, "{provider}");
        if provider == "microsoft365" {
            let there =
                home.sandbox.graph_mail_messages().into_iter().find(|one| one["subject"] == "Uploaded").unwrap();
            assert_eq!((&there["isDraft"], &there["isRead"]), (&json!(false), &json!(true)));
            assert_eq!(there["receivedDateTime"], json!("2026-03-02T09:00:00Z"));
        }
    }
}

#[test]
fn promise_12_a_first_sync_that_is_killed_goes_on_and_doubles_no_message() {
    for provider in BOTH {
        for requests in [2, 4, 6] {
            let home = Home::with_mail(&[provider]);
            home.sandbox.reset_counts();
            let talk = home.start(&["sync"]);
            let since = Instant::now();
            while home.requests() < requests && since.elapsed().as_secs() < 20 {
                std::thread::yield_now();
            }
            talk.signal(rustix::process::Signal::KILL);
            talk.end();
            home.sync().expect(0);
            assert_eq!(home.writes(), 0, "{provider}, {requests}");
            assert_eq!(mails(&home, provider).len(), copies(&home, provider), "{provider}, {requests}");
            settled(&home, provider);
        }
    }
}
