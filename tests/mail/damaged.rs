//! Files that are not what was written: cut or written over, and compressed in their place. The account's message stays whole.

use super::{Mail, deliver, gmail_labels, graph, mail, mails, only, settled, synced, text};
use crate::common::{BOTH, Home};
use serde_json::json;
use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Gives a file other bytes in its place, as a power cut or another program does.
fn overwrite(path: &Path, bytes: &[u8]) {
    fs::File::options().write(true).truncate(true).open(path).unwrap().write_all(bytes).unwrap();
}

/// Moves a file into `cur` of a folder of its tree under another name. Answers where it stands.
fn shift(home: &Home, provider: &str, path: &Path, folder: &str, name: &str) -> PathBuf {
    let to = home.laptop().join(provider).join("mail").join(folder).join("cur").join(name);
    fs::rename(path, &to).unwrap();
    to
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

/// The folder that each account has for what is done with, on the device.
fn archive(provider: &str) -> &'static str {
    if provider == "google" { ".Archive" } else { ".Archiv" }
}

/// Where a message stands at its account: `inbox`, `archive`, or what else it says there.
fn stands(home: &Home, provider: &str, id: &str, subject: &str) -> String {
    let is_in = |place: &str| match provider {
        "google" => gmail_labels(home, id).contains(place),
        _ => graph(home, subject)["folder"] == json!([place]),
    };
    match provider {
        "google" if is_in("INBOX") => "inbox".into(),
        "google" if is_in("TRASH") => "trash".into(),
        "google" => "archive".into(),
        _ if is_in("Posteingang") => "inbox".into(),
        _ if is_in("Archiv") => "archive".into(),
        _ => graph(home, subject)["folder"].to_string(),
    }
}

/// The bytes of every message at the account that has these words in it.
fn there(home: &Home, provider: &str, words: &str) -> Vec<Vec<u8>> {
    let raws: Vec<Vec<u8>> = match provider {
        "google" => {
            let ids = home.sandbox.google_messages().into_iter();
            ids.map(|one| home.sandbox.google_message_raw(one["id"].as_str().unwrap()).unwrap().to_vec()).collect()
        }
        _ => {
            let ids = home.sandbox.graph_mail_messages().into_iter();
            ids.map(|one| home.sandbox.graph_mail_raw(one["id"].as_str().unwrap()).unwrap().to_vec()).collect()
        }
    };
    raws.into_iter().filter(|raw| String::from_utf8_lossy(raw).contains(words)).collect()
}

#[test]
fn a_damaged_file_that_is_moved_takes_the_whole_message_along_and_nothing_of_the_stump() {
    for provider in BOTH {
        let home = synced(&[provider]);
        let id = deliver(&home, provider, "Stump");
        home.sync().expect(0);
        let before = super::copies(&home, provider);
        let whole = only(mail(&home, provider, "Stump"), provider);
        let stump = whole.bytes[..whole.bytes.len() / 2].to_vec();
        overwrite(&whole.path, &stump);
        let moved = shift(&home, provider, &whole.path, archive(provider), &format!("{}:2,", name_of(&whole.path)));
        for run in 0..3 {
            home.sync().expect(5);
            assert_eq!(there(&home, provider, "Subject: Stump").len(), 1, "{provider}, run {run}");
            assert_eq!(super::copies(&home, provider), before, "{provider}, run {run}");
        }
        assert_eq!(stands(&home, provider, &id, "Stump"), "archive", "{provider}");
        home.run(&["status"]).expect(5).shows(&["in quarantine", "as it was written", "delete"]);
        let stands_in = moved.parent().unwrap().display().to_string();
        home.run(&["doctor", "--full", "--offline"]).expect(5).shows(&[
            "1 message file damaged",
            &format!("1 in {stands_in}"),
            "twofold sync --full-check",
        ]);
        assert_eq!(fs::read(&moved).unwrap(), stump, "{provider}: what is left is nobody's to overwrite");
        // Deleted, it comes back whole, and the message is not deleted.
        fs::remove_file(&moved).unwrap();
        home.sync().expect(0);
        let again = only(mail(&home, provider, "Stump"), provider);
        assert_eq!((again.folder().as_str(), &again.bytes), (archive(provider), &whole.bytes), "{provider}");
        assert_eq!(stands(&home, provider, &id, "Stump"), "archive", "{provider}");
        settled(&home, provider);
    }
}

#[test]
fn a_damaged_file_that_gets_another_programs_name_is_no_message_and_the_whole_one_stays() {
    for provider in BOTH {
        let home = synced(&[provider]);
        let id = deliver(&home, provider, "Stump");
        home.sync().expect(0);
        let whole = only(mail(&home, provider, "Stump"), provider);
        let stump = whole.bytes[..whole.bytes.len() / 2].to_vec();
        overwrite(&whole.path, &stump);
        // So Dovecot names what an IMAP session moves: it believes the length in the old name.
        let name = format!("1795946402.M1P2.desk,S={}:2,S", whole.bytes.len());
        let moved = shift(&home, provider, &whole.path, archive(provider), &name);
        for run in 0..3 {
            let said = home.sync();
            assert_ne!(said.code, Some(0), "{provider}, run {run}: it is told");
            assert_eq!(there(&home, provider, "Subject: Stump").len(), 1, "{provider}, run {run}");
            assert_eq!(stands(&home, provider, &id, "Stump"), "inbox", "{provider}, run {run}");
        }
        home.run(&["status"]).shows(&["in quarantine", "M1P2.desk", "as it was written"]);
        // Its bytes put back, it is the message that was moved.
        overwrite(&moved, &whole.bytes);
        home.sync();
        home.sync().expect(0);
        assert_eq!(stands(&home, provider, &id, "Stump"), "archive", "{provider}");
        assert_eq!(there(&home, provider, "Subject: Stump").len(), 1, "{provider}");
        settled(&home, provider);
    }
}

#[test]
fn a_damaged_file_that_is_numbered_anew_is_known_and_comes_back_whole_when_it_is_deleted() {
    let provider = "google";
    let home = synced(&[provider]);
    let id = deliver(&home, provider, "Stump");
    home.sync().expect(0);
    let whole = only(mail(&home, provider, "Stump"), provider);
    overwrite(&whole.path, &whole.bytes[..20]);
    let moved = shift(&home, provider, &whole.path, "", &format!("{},U=7:2,S", name_of(&whole.path)));
    for _ in 0..2 {
        home.sync().expect(5);
        assert_eq!(stands(&home, provider, &id, "Stump"), "inbox");
    }
    fs::remove_file(&moved).unwrap();
    home.sync().expect(0);
    let again = only(mail(&home, provider, "Stump"), provider);
    assert_eq!((again.folder().as_str(), &again.bytes), ("", &whole.bytes));
    assert_eq!(stands(&home, provider, &id, "Stump"), "inbox");
    settled(&home, provider);
}

#[test]
fn promise_14_a_draft_that_was_written_on_in_its_place_stays_when_it_is_sent_or_deleted_at_its_account() {
    let written = b"Subject: Written on\r\n\r\nA long text that was only ever written on the laptop.\r\n";
    for (provider, is_sent) in [("google", true), ("google", false), ("microsoft365", true), ("microsoft365", false)] {
        let what = format!("{provider}, sent: {is_sent}");
        let home = synced(&[provider]);
        let draft = match provider {
            "google" => home.sandbox.google_add_draft(&text("Written on")).unwrap(),
            _ => home.sandbox.graph_mail_draft(&text("Written on")),
        };
        home.sync().expect(0);
        let file = only(mail(&home, provider, "Written on"), &what);
        overwrite(&file.path, written);
        match (provider, is_sent) {
            ("google", true) => drop(home.sandbox.google_send_draft(&draft).unwrap()),
            ("google", false) => home.sandbox.google_delete_draft(&draft).unwrap(),
            (_, true) => home.sandbox.graph_mail_send_draft(&draft).unwrap(),
            (_, false) => home.sandbox.graph_mail_delete(&draft).unwrap(),
        }
        for _ in 0..2 {
            home.sync().expect(5);
            assert_eq!(fs::read(&file.path).unwrap(), written, "{what}");
        }
        home.run(&["status"]).expect(5).shows(&["bytes long, not", "another name"]);
        // Under a name of its own it is a message.
        let own = shift(&home, provider, &file.path, &file.folder(), "1795946402.M1P2.desk:2,DS");
        home.sync();
        home.sync().expect(0);
        assert_eq!(fs::read(&own).unwrap(), written, "{what}");
        // What became of the draft, and this one. Gmail keeps no draft that is deleted.
        let all = if provider == "google" && !is_sent { 1 } else { 2 };
        assert_eq!(there(&home, provider, "Subject: Written on").len(), all, "{what}");
        settled(&home, &what);
    }
}

#[test]
fn promise_14_what_was_not_done_to_a_draft_that_was_written_on_is_told_with_what_to_type() {
    let written = b"Subject: Written on\r\n\r\nA long text that was only ever written on the laptop.\r\n";
    for is_sent in [true, false] {
        let what = format!("sent: {is_sent}");
        let home = synced(&["microsoft365"]);
        let draft = home.sandbox.graph_mail_draft(&text("Written on"));
        home.sync().expect(0);
        // Compared, and known: no later look at its name alone finds anything.
        home.sync().expect(0);
        let file = only(mail(&home, "microsoft365", "Written on"), &what);
        overwrite(&file.path, written);
        match is_sent {
            true => home.sandbox.graph_mail_send_draft(&draft).unwrap(),
            false => home.sandbox.graph_mail_delete(&draft).unwrap(),
        }
        home.sync().expect(5);
        assert_eq!(fs::read(&file.path).unwrap(), written, "{what}");
        let said = home.run(&["status"]).expect(5).shows(&["neither marked nor moved", "--retry-quarantined"]).out;
        let command = said.split("message of its own: ").nth(1).unwrap().split(';').next().unwrap();
        assert!(Command::new("sh").args(["-c", command]).status().unwrap().success(), "{what}: {command}");
        assert!(!file.path.exists(), "{what}: {command}");
        home.run(&["sync", "--retry-quarantined"]).expect(0);
        home.sync().expect(0);
        home.run(&["status"]).expect(0);
        // What became of the draft, and this one.
        let here = mail(&home, "microsoft365", "Written on");
        assert!(here.len() == 2 && here.iter().any(|mail| mail.bytes == written), "{what}");
        assert_eq!(there(&home, "microsoft365", "Subject: Written on").len(), 2, "{what}");
        settled(&home, &what);
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    flate2::read::GzEncoder::new(bytes, flate2::Compression::default()).read_to_end(&mut packed).unwrap();
    packed
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

/// Compresses a message in its place, as Dovecot's zlib plugin is used on Maildirs: the name keeps the length, and gets a `Z`.
fn compress(mail: &Mail, pack: fn(&[u8]) -> Vec<u8>) -> PathBuf {
    let received = fs::metadata(&mail.path).unwrap().modified().unwrap();
    let name = name_of(&mail.path);
    let base = name.split(":2,").next().unwrap();
    let flags: String = mail.flags().into_iter().collect();
    let to = mail.path.parent().unwrap().with_file_name("cur").join(format!("{base}:2,{flags}Z"));
    fs::remove_file(&mail.path).unwrap();
    fs::write(&to, pack(&mail.bytes)).unwrap();
    fs::File::options().write(true).open(&to).unwrap().set_modified(received).unwrap();
    to
}

#[test]
fn a_compressed_file_that_is_moved_or_marked_is_the_message_that_it_was() {
    for (provider, pack) in BOTH.into_iter().zip([gzip as fn(&[u8]) -> Vec<u8>, zstd]) {
        let home = synced(&[provider]);
        let subjects = ["Moved", "Renamed", "Marked", "Moved there"];
        let ids = subjects.map(|subject| deliver(&home, provider, subject));
        home.sync().expect(0);
        let before = super::copies(&home, provider);
        let [moved, renamed, marked, _] =
            subjects.map(|subject| compress(&only(mail(&home, provider, subject), subject), pack));
        settled(&home, "compressed in its place");
        shift(&home, provider, &moved, archive(provider), &name_of(&moved));
        // Dovecot's move of an IMAP session: a name of its own, the length kept, the letter lost.
        let name = format!("1795946402.M1P2.desk,S={}:2,", text("Renamed").len());
        shift(&home, provider, &renamed, archive(provider), &name);
        fs::rename(&marked, marked.with_file_name(name_of(&marked).replace(":2,", ":2,S"))).unwrap();
        match provider {
            "google" => {
                home.sandbox.google_label_mail(&ids[3], &[], &["INBOX"]).unwrap();
            }
            _ => {
                let archive = super::graph_folder(&home, "Archiv");
                home.sandbox.graph_mail_move(&ids[3], &archive).unwrap();
            }
        }
        home.sync().expect(0);
        assert_eq!(super::copies(&home, provider), before, "{provider}: no second message");
        for (at, (subject, place)) in
            [("Moved", "archive"), ("Renamed", "archive"), ("Marked", "inbox"), ("Moved there", "archive")]
                .into_iter()
                .enumerate()
        {
            assert_eq!(stands(&home, provider, &ids[at], subject), place, "{provider}: {subject}");
            let raws = there(&home, provider, &format!("Subject: {subject}\r\n"));
            assert_eq!(raws.len(), 1, "{provider}: {subject}");
        }
        assert!(super::is_read(&home, provider, &ids[2], "Marked"), "{provider}");
        let packed: Vec<String> = mails(&home, provider)
            .into_iter()
            .filter(|mail| !mail.bytes.contains(&b':'))
            .map(|mail| name_of(&mail.path))
            .collect();
        assert!(mails(&home, provider).iter().any(|mail| mail.path.ends_with(name_of(&moved))), "{packed:?}");
        home.run(&["status"]).expect(0);
        settled(&home, provider);
    }
}
