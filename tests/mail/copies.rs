//! A file that somebody copies to another folder of the same account, as Dovecot's COPY does: under a name of its own.

use super::bench::{flag, put, quiet};
use super::*;
use twofold_sandbox::{Fault, Provider, Rule};

/// A received message with headers that no create could give, and a file.
const RECEIVED: &str = "Received: from mx.example.net (mx.example.net [192.0.2.7]) by mail.example.org; Mon, 2 Mar 2026 09:00:05 +0000\r\n\
    Date: Mon, 2 Mar 2026 09:00:00 +0000\r\nFrom: Ada <ada@example.org>\r\nTo: bob@example.org\r\nSubject: Copied\r\n\
    Message-ID: <copied@example.org>\r\nList-Id: Readers <readers.example.org>\r\nMIME-Version: 1.0\r\n\
    Content-Type: multipart/mixed; boundary=\"edge\"\r\n\r\n--edge\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nHello Bob\r\n\
    --edge\r\nContent-Type: application/octet-stream; name=\"list.bin\"\r\nContent-Disposition: attachment; filename=\"list.bin\"\r\n\
    Content-Transfer-Encoding: base64\r\n\r\nAQIDBAUGBwg=\r\n--edge--\r\n";

fn there(home: &Home) -> Vec<Value> {
    home.sandbox.graph_mail_messages().into_iter().filter(|message| message["subject"] == "Copied").collect()
}

/// A synced home with that message, and a file of its bytes, flagged, in another folder.
fn copied() -> Home {
    let home = synced(&MICROSOFT);
    home.sandbox.graph_mail_deliver("inbox", RECEIVED.as_bytes()).unwrap();
    home.sync().expect(0);
    let here = only(mail(&home, "microsoft365", "Copied"), "before");
    put(&home, "microsoft365", ".Rechnungen/cur/1772442000.M9P9.desk:2,FS", &here.bytes);
    home
}

#[track_caller]
fn assert_copied(home: &Home, what: &str) {
    let mut all = there(home);
    all.sort_by_key(|message| message["folder"].to_string());
    let folders: Vec<&Value> = all.iter().map(|message| &message["folder"]).collect();
    assert_eq!(folders, [&json!(["Posteingang"]), &json!(["Rechnungen"])], "{what}");
    assert_eq!(all[0]["receivedDateTime"], all[1]["receivedDateTime"], "{what}");
    let raw = |at: usize| home.sandbox.graph_mail_raw(all[at]["id"].as_str().unwrap()).unwrap();
    let copy = String::from_utf8_lossy(&raw(1)).into_owned();
    for part in ["Received: from mx.example.net", "List-Id: Readers <readers.example.org>", "AQIDBAUGBwg="] {
        assert!(copy.contains(part), "{what}: the copy lacks {part:?}: {copy}");
    }
    assert_eq!(raw(1), raw(0), "{what}");
    assert_eq!((&all[0]["isRead"], &all[0]["flag"]["flagStatus"]), (&json!(false), &json!("notFlagged")), "{what}");
    assert_eq!(all[1]["flag"]["flagStatus"], "flagged", "{what}");
    let files = mail(home, "microsoft365", "Copied");
    assert_eq!(files.len(), 2, "{what}");
    assert_eq!(files[0].bytes, files[1].bytes, "{what}");
}

#[test]
fn a_file_copied_to_another_folder_is_a_copy_that_graph_makes_with_all_that_the_message_has() {
    let home = copied();
    home.sync().expect(0);
    assert_copied(&home, "copied");
    assert_eq!(there(&home).iter().filter(|message| message["isRead"] == true).count(), 1);
    let file = home.laptop().join("microsoft365/mail/.Rechnungen/cur/1772442000.M9P9.desk:2,FS");
    assert!(file.is_file(), "the file is left as it is");
    settled(&home, "copied");
    assert_copied(&home, "a further run");
    quiet(&home, "copied");
}

#[test]
fn promise_3_a_copy_whose_reply_is_lost_is_there_once() {
    for fault in [Fault::DropAfter, Fault::DropBefore] {
        let what = format!("{fault:?}");
        let home = copied();
        home.sandbox.fault(Rule::any(fault).on(Provider::Microsoft).writes().parts().times(1));
        home.sync().expect(75);
        home.sync().expect(75);
        let mut hub = twofold_hub::Hub::open(&home.state()).unwrap();
        for intent in hub.intents().unwrap() {
            hub.set_sent(&[intent.id], intent.sent_ms.unwrap() - 600_000).unwrap();
        }
        drop(hub);
        home.sync().expect(0);
        assert_copied(&home, &what);
        settled(&home, &what);
    }
}

/// What came from here stands at Graph in Exchange's own writing, and so does a copy of it: its date in another zone, its sender with a name.
#[test]
fn promise_3_a_copy_of_what_came_from_here_is_there_once_whatever_gets_lost() {
    let letter = RECEIVED.replace("Mon, 2 Mar 2026 09:00:00 +0000", "Mon, 2 Mar 2026 10:00:00 +0100");
    let letter = letter.replace("From: Ada <ada@example.org>", "From: ada@example.org");
    let rewrite = |home: &Home, how: &str| home.sandbox.switch(|switches| switches.graph_mime_rewritten = how.into());
    for keeps_properties in [true, false] {
        for faults in [vec![Fault::DropAfter], vec![Fault::DropBefore, Fault::DropAfter]] {
            let what = format!("keeps properties: {keeps_properties}, {faults:?}");
            let home = synced(&MICROSOFT);
            rewrite(&home, "each");
            home.sandbox.switch(|switches| switches.graph_copy_keeps_properties = keeps_properties);
            put(&home, "microsoft365", "cur/1772442000.M8P8.desk:2,", letter.as_bytes());
            home.sync().expect(0);
            assert_eq!(there(&home).len(), 1, "{what}");
            put(&home, "microsoft365", ".Rechnungen/cur/1772442000.M9P9.desk:2,FS", letter.as_bytes());
            for fault in &faults {
                home.sandbox.fault(Rule::any(fault.clone()).on(Provider::Microsoft).writes().parts().times(1));
                home.sync().expect(75);
                let mut hub = twofold_hub::Hub::open(&home.state()).unwrap();
                for intent in hub.intents().unwrap() {
                    hub.set_sent(&[intent.id], intent.sent_ms.unwrap() - 600_000).unwrap();
                }
            }
            home.sync().expect(0);
            settled(&home, &what);
            let all = there(&home);
            assert_eq!(all.len(), 2, "{what}");
            assert_eq!(all.iter().filter(|one| one["folder"] == json!(["Rechnungen"])).count(), 1, "{what}");
            for file in mail(&home, "microsoft365", "Copied") {
                assert!(file.bytes == letter.as_bytes(), "{what}: the bytes stay");
            }
            assert_eq!(home.json(&["conflicts"])["conflicts"], json!([]), "{what}");
        }
    }
}

/// What goes to the trash at Gmail while it is flagged here, and one of them is heard of late, in a bad hour.
#[test]
fn a_message_that_is_flagged_here_and_deleted_there_comes_to_stand_in_one_place_whatever_gets_lost() {
    let mut wrong = Vec::new();
    for lag_s in [3_600, 0] {
        for fault in [Fault::DropBefore, Fault::DropAfter, Fault::status(503)] {
            for skip in 0..3 {
                let home = synced(&["google"]);
                let id = deliver(&home, "google", "Anchor");
                home.sync().expect(0);
                home.sandbox.switch(|switches| switches.mail_history_lag_s = lag_s);
                flag(&only(mail(&home, "google", "Anchor"), "before"), "F");
                home.sandbox.google_trash_mail(&id).unwrap();
                home.sandbox.fault(Rule::any(fault.clone()).on(Provider::Google).writes().skip(skip).times(2));
                let mut exits = vec![home.sync().code];
                home.sandbox.switch(|switches| switches.mail_history_lag_s = 0);
                exits.push(home.sync().code);
                home.sandbox.with(|state| state.faults.clear());
                exits.extend((0..3).map(|_| home.sync().code));
                let labels = gmail_labels(&home, &id);
                let here: Vec<(String, BTreeSet<char>)> =
                    mail(&home, "google", "Anchor").iter().map(|mail| (mail.folder(), mail.flags())).collect();
                let place = if labels.contains("TRASH") { ".Trash" } else { "" };
                let is_right = here == [(place.to_owned(), BTreeSet::from(['F']))] && labels.contains("STARRED");
                if !is_right || exits.last() != Some(&Some(0)) {
                    wrong.push(format!("lag {lag_s}, {fault:?}, {skip}: {exits:?} {labels:?} {here:?}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// What tells that a file is another writing of a message does not make one message of the mail of two accounts.
#[test]
fn a_file_that_is_written_anew_in_the_folders_of_another_account_is_a_message_of_that_account() {
    let home = synced(&BOTH);
    let id = deliver(&home, "google", "Crossed");
    home.sync().expect(0);
    let here = only(mail(&home, "google", "Crossed"), "before");
    let anew = String::from_utf8(here.bytes.clone()).unwrap().replacen("\r\n\r\n", "\r\nContent-Length: 11\r\n\r\n", 1);
    fs::remove_file(&here.path).unwrap();
    put(&home, "microsoft365", "cur/1772442000.M9P9.desk:2,S", anew.as_bytes());
    home.sync().expect(0);
    assert_eq!(graph(&home, "Crossed")["isRead"], true);
    assert!(!gmail_labels(&home, &id).contains("INBOX") && !gmail_labels(&home, &id).contains("TRASH"), "archived");
    settled(&home, "crossed");
}
