//! What other programs fell into with mail, through the built program. What one connector alone can show is in its own tests;
//! `tests/house.rs` knows all of them.

use super::bench::{bodies_read, expire, flag, forbidden, paths, put, quiet, waited};
use super::{copies, deliver, gmail_labels, graph, graph_folder, is_read, mail, mails, only, settled, synced, text};
use crate::common::{self, BOTH, Home, MICROSOFT, provider as provider_of};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;
use twofold_sandbox::{Fault, Phase, Provider, Rule};

/// Trap: `token_lost_removes_nothing`. What did go meanwhile goes.
#[test]
fn promise_2_a_lost_token_takes_away_what_is_gone_alone_and_reads_nothing_again() {
    for provider in BOTH {
        let home = synced(&[provider]);
        deliver(&home, provider, "Stays");
        let gone = deliver(&home, provider, "Goes");
        home.sync().expect(0);
        let before = paths(&home);
        let path = only(mail(&home, provider, "Goes"), provider).path;
        expire(&home, provider);
        home.sandbox.reset_counts();
        home.sync().expect(0);
        assert_eq!((paths(&home), bodies_read(&home), home.writes()), (before.clone(), 0, 0), "{provider}");
        match provider {
            "google" => home.sandbox.google_delete_mail(&gone).unwrap(),
            _ => home.sandbox.graph_mail_purge(&gone).unwrap(),
        }
        expire(&home, provider);
        home.sync().expect(0);
        let left: Vec<PathBuf> = before.into_iter().filter(|one| *one != path).collect();
        assert_eq!((paths(&home), bodies_read(&home), home.writes()), (left, 0, 0), "{provider}");
    }
}

/// Trap: `early_end_keeps_token`. A round that breaks off has no token, so that the next one tells all of it.
#[test]
fn promise_2_a_round_that_breaks_off_is_told_again_whole() {
    for (provider, feed) in [("google", "/history"), ("microsoft365", "/delta")] {
        let home = synced(&[provider]);
        home.sandbox.switch(|switches| switches.page_size_cap = 1);
        for n in 0..4 {
            deliver(&home, provider, &format!("Late {n}"));
        }
        home.sandbox.fault(Rule::any(forbidden()).on(provider_of(provider)).path(feed).skip(2));
        let ran = home.sync();
        assert_ne!(ran.code, Some(0), "{provider}: {ran}");
        home.sandbox.with(|state| state.faults.clear());
        home.sync().expect(0);
        for n in 0..4 {
            only(mail(&home, provider, &format!("Late {n}")), provider);
        }
        settled(&home, provider);
    }
}

#[test]
fn folder_rename_zero_bodies() {
    let home = synced(&BOTH);
    let label = home.sandbox.google_labels().into_iter().find(|label| label["name"] == "Klubi").unwrap();
    let renamed = [("google", ".Klubi", ".Verein"), ("microsoft365", ".Rechnungen.2025", ".Belege.2025")];
    let inodes = |folder: &str, provider: &str| -> Vec<u64> {
        let in_it = mails(&home, provider).into_iter().filter(|mail| mail.folder() == folder);
        let mut inodes: Vec<u64> = in_it.map(|mail| fs::metadata(mail.path).unwrap().ino()).collect();
        inodes.sort_unstable();
        inodes
    };
    let before = renamed.map(|(provider, from, _)| inodes(from, provider));
    assert!(before.iter().all(|inodes| !inodes.is_empty()));
    home.sandbox.google_rename_label(label["id"].as_str().unwrap(), "Verein").unwrap();
    home.sandbox.graph_mail_folder_rename(&graph_folder(&home, "Rechnungen"), "Belege").unwrap();
    home.sandbox.reset_counts();
    home.sync().expect(0);
    assert_eq!((bodies_read(&home), home.writes()), (0, 0));
    let after = renamed.map(|(provider, _, to)| inodes(to, provider));
    assert_eq!(after, before, "the same files");
    assert!(!home.laptop().join("microsoft365/mail/.Rechnungen").exists());
    settled(&home, "renamed");
}

#[test]
fn a_folder_that_is_renamed_on_a_device_takes_those_below_it_along() {
    let home = synced(&["microsoft365"]);
    // The folder above came later than the one below.
    let below = home.sandbox.graph_mail_folder_create("", "Below").unwrap();
    home.sync().expect(0);
    let above = home.sandbox.graph_mail_folder_create("", "Above").unwrap();
    home.sandbox.graph_mail_folder_move(&below, &above).unwrap();
    home.sandbox.graph_mail_deliver(&below, &text("Low")).unwrap();
    home.sync().expect(0);
    let folder = |name: &str| home.laptop().join("microsoft365/mail").join(name);
    fs::rename(folder(".Above"), folder(".Higher")).unwrap();
    fs::rename(folder(".Above.Below"), folder(".Higher.Below")).unwrap();
    home.sync().expect(0);
    let path = |id: &str| {
        let folder = home.sandbox.graph_mail_folders().into_iter().find(|folder| folder["id"] == id).unwrap();
        folder["path"].clone()
    };
    assert_eq!((path(&above), path(&below)), (json!(["Higher"]), json!(["Higher", "Below"])));
    settled(&home, "renamed");
}

#[test]
fn a_folder_that_is_made_below_one_that_is_renamed_on_a_device_stands_below_it() {
    let home = synced(&["microsoft365"]);
    let above = home.sandbox.graph_mail_folder_create("", "Above").unwrap();
    home.sync().expect(0);
    let folder = |name: &str| home.laptop().join("microsoft365/mail").join(name);
    fs::rename(folder(".Above"), folder(".Higher")).unwrap();
    for part in ["cur", "new", "tmp"] {
        fs::create_dir_all(folder(".Higher.New").join(part)).unwrap();
    }
    home.sync().expect(0);
    let folders = home.sandbox.graph_mail_folders();
    let path = |id: &str| folders.iter().find(|folder| folder["id"] == id).unwrap()["path"].clone();
    assert_eq!(path(&above), json!(["Higher"]));
    assert!(folders.iter().any(|folder| folder["path"] == json!(["Higher", "New"])), "{folders:?}");
    settled(&home, "renamed");
}

#[test]
fn folders_five_deep() {
    let home = synced(&BOTH);
    home.sandbox.google_add_label("a/b/c/d/e").unwrap();
    let names = ["a", "b", "c", "d", "e"];
    let deepest =
        names.iter().fold(String::new(), |above, name| home.sandbox.graph_mail_folder_create(&above, name).unwrap());
    let label = home.sandbox.google_labels().into_iter().find(|label| label["name"] == "a/b/c/d/e").unwrap();
    home.sandbox.google_add_mail(&text("Deep"), &[label["id"].as_str().unwrap()]);
    home.sandbox.graph_mail_deliver(&deepest, &text("Deep")).unwrap();
    home.sync().expect(0);
    for provider in BOTH {
        let deep = only(mail(&home, provider, "Deep"), provider);
        assert_eq!(deep.folder(), ".a.b.c.d.e", "{provider}");
        // And from there up again.
        fs::rename(&deep.path, home.laptop().join(provider).join("mail/new/deep")).unwrap();
    }
    home.sync().expect(0);
    assert_eq!(graph(&home, "Deep")["folder"], json!(["Posteingang"]));
    settled(&home, "deep");
}

#[test]
fn draft_edited_five_times() {
    for provider in BOTH {
        let home = synced(&[provider]);
        let draft = match provider {
            "google" => home.sandbox.google_add_draft(&text("Draft 0")).unwrap(),
            _ => home.sandbox.graph_mail_draft(&text("Draft 0")),
        };
        home.sync().expect(0);
        let count = mails(&home, provider).len();
        for n in 1..=5 {
            let text = text(&format!("Draft {n}"));
            match provider {
                "google" => drop(home.sandbox.google_edit_draft(&draft, &text).unwrap()),
                _ => home.sandbox.graph_mail_edit_draft(&draft, &text).unwrap(),
            }
            home.sync().expect(0);
            let shown = only(mail(&home, provider, &format!("Draft {n}")), provider);
            assert_eq!((shown.flags().contains(&'D'), mails(&home, provider).len()), (true, count), "{provider}, {n}");
        }
        // Sent from there, it is no draft any more, and one message.
        match provider {
            "google" => drop(home.sandbox.google_send_draft(&draft).unwrap()),
            _ => home.sandbox.graph_mail_send_draft(&draft).unwrap(),
        }
        home.sync().expect(0);
        let sent = only(mail(&home, provider, "Draft 5"), provider);
        assert_eq!((sent.flags().contains(&'D'), mails(&home, provider).len()), (false, count), "{provider}");
        assert_eq!(home.writes(), 0, "{provider}");
        settled(&home, provider);
    }
}

/// Whatever Exchange makes of a message that was sent in, and however it writes it each time: the bytes that were first here stay, and
/// they are what another device gets.
#[test]
fn uploaded_mail_bytes_stay() {
    for rewritten in ["once", "each"] {
        let home = synced(&MICROSOFT);
        home.sandbox.switch(|switches| switches.graph_mime_rewritten = rewritten.into());
        let odd = [&text("Odd")[..], b"From here on\xff: 8 bit, \r\n.\r\nand no end of line"].concat();
        put(&home, "microsoft365", "cur/1772442000.M1P1.desk:2,S", &odd);
        home.sync().expect(0);
        let id = graph(&home, "Odd")["id"].as_str().unwrap().to_owned();
        home.sandbox.graph_mail_edit(&id, &json!({"categories": ["Work"], "flag": {"flagStatus": "flagged"}})).unwrap();
        home.sync().expect(0);
        home.run(&["sync", "--full-check"]).expect(0);
        home.sandbox.graph_mail_move(&id, &graph_folder(&home, "Rechnungen")).unwrap();
        home.sync().expect(0);
        expire(&home, "microsoft365");
        home.sync().expect(0);
        let here = only(mail(&home, "microsoft365", "Odd"), rewritten);
        assert_eq!((here.folder().as_str(), here.bytes == odd), (".Rechnungen", true), "{rewritten}");
        let phone = home.dir.path().join("phone");
        let more = format!("\n[[device]]\nname = \"phone\"\npath = {phone:?}\nkinds = [\"mail\"]\n");
        fs::write(home.config(), home.configuration(&more)).unwrap();
        home.sync().expect(0);
        let there: BTreeMap<PathBuf, Vec<u8>> = common::files(&phone);
        assert_eq!(there.values().filter(|bytes| **bytes == odd).count(), 1, "{rewritten}");
    }
}

/// Graph calls a draft another one when it was flagged, moved, or looked at by the server. That is no writing of anybody's; what somebody
/// writes on is.
#[test]
fn a_draft_made_here_keeps_its_bytes_until_somebody_writes_on_it_there() {
    let home = synced(&MICROSOFT);
    let plain = [&text("Plain")[..], b"An own line  \n\n\n"].concat();
    let rich = b"Subject: Rich\r\nFrom: Me <me@example.org>\r\nTo: Bob <bob@example.org>, carol@example.org\r\nX-Own: kept\r\n\
        Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>Hello, <b>Bob</b></p>\r\n\
        --b\r\nContent-Type: application/pdf; name=\"a.pdf\"\r\nContent-Disposition: attachment\r\n\r\n%PDF\r\n--b--\r\n";
    for (subject, bytes) in [("Plain", &plain[..]), ("Rich", rich)] {
        put(&home, "microsoft365", &format!(".Entw&APw-rfe/cur/{subject}.M1P1.desk:2,DS"), bytes);
        home.sync().expect(0);
        let id = graph(&home, subject)["id"].as_str().unwrap().to_owned();
        type Doing<'a> = &'a dyn Fn() -> Result<(), String>;
        let deeds: [(&str, Doing<'_>); 3] = [
            ("stamped", &|| home.sandbox.graph_mail_restamp(&id)),
            ("flagged", &|| home.sandbox.graph_mail_edit(&id, &json!({"flag": {"flagStatus": "flagged"}}))),
            ("moved", &|| home.sandbox.graph_mail_move(&id, &graph_folder(&home, "Gelöschte Elemente"))),
        ];
        for (deed, doing) in deeds {
            doing().unwrap();
            home.sync().expect(0);
            assert!(only(mail(&home, "microsoft365", subject), deed).bytes == bytes, "{subject}: {deed}");
            settled(&home, deed);
        }
        let shown = only(mail(&home, "microsoft365", subject), "at last");
        assert_eq!((shown.flags(), shown.folder()), (['D', 'F', 'S'].into(), ".Gel&APY-schte Elemente".to_owned()));
        let written = json!({"body": {"contentType": "text", "content": "Written there"}});
        home.sandbox.graph_mail_edit(&id, &written).unwrap();
        home.sync().expect(0);
        let shown = only(mail(&home, "microsoft365", subject), "written on").bytes;
        assert!(shown != bytes && String::from_utf8_lossy(&shown).contains("V3JpdHRlbiB0aGVyZQ"), "{subject}");
        settled(&home, "written on");
    }
}

#[test]
fn a_draft_whose_making_was_not_answered_keeps_its_bytes() {
    for fault in [Fault::DropAfter, Fault::status_but_executed(500)] {
        let home = synced(&MICROSOFT);
        let bytes = [&text("Begun")[..], b"An own line  \n\n\n"].concat();
        put(&home, "microsoft365", ".Entw&APw-rfe/cur/1772442000.M1P1.desk:2,DS", &bytes);
        home.sandbox.fault(Rule::any(fault).on(Provider::Microsoft).writes().times(1));
        let ran = home.sync();
        assert!(matches!(ran.code, Some(0 | 75)), "{ran}");
        home.sync().expect(0);
        assert!(only(mail(&home, "microsoft365", "Begun"), "made").bytes == bytes);
        settled(&home, "made");
        let id = graph(&home, "Begun")["id"].as_str().unwrap().to_owned();
        home.sandbox.graph_mail_restamp(&id).unwrap();
        home.sync().expect(0);
        assert!(only(mail(&home, "microsoft365", "Begun"), "stamped").bytes == bytes);
        settled(&home, "stamped");
    }
}

/// What a provider made, and did not answer, is met when it is looked at next.
#[test]
fn a_draft_whose_making_was_not_answered_is_there_once() {
    for (provider, folder) in [("google", ".Drafts"), ("microsoft365", ".Entw&APw-rfe")] {
        for fault in [Fault::DropAfter, Fault::Truncate, Fault::status_but_executed(503)] {
            let case = format!("{provider}: {fault:?}");
            let home = synced(&[provider]);
            let before = copies(&home, provider);
            put(&home, provider, &format!("{folder}/cur/1772442000.M1P1.desk:2,DS"), &text("Begun"));
            home.sandbox.fault(Rule::any(fault).on(common::provider(provider)).writes());
            let ran = home.sync();
            assert!(matches!(ran.code, Some(0 | 75)), "{case}: {ran}");
            let made = copies(&home, provider);
            assert_eq!(made, before + 1, "{case}: made, and not answered");
            home.sandbox.with(|state| state.faults.clear());
            home.sync();
            home.sync().expect(0);
            assert_eq!(copies(&home, provider), made, "{case}: there are not two");
            let here = only(mail(&home, provider, "Begun"), &case);
            assert!(here.bytes == text("Begun") && here.flags().contains(&'D'), "{case}");
            assert_eq!(here.folder(), folder, "{case}");
            settled(&home, &case);
        }
    }
}

/// Killed before or after Graph has made the message: it is there once, it looks received, and nothing else is left behind.
#[test]
fn crash_in_append_no_draft() {
    for phase in [Phase::Before, Phase::After] {
        let home = synced(&MICROSOFT);
        let before = copies(&home, "microsoft365");
        put(&home, "microsoft365", "cur/1772442000.M1P1.desk:2,S", &text("Uploaded"));
        let (came, has_come) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let once = Mutex::new(Some((came, released)));
        home.sandbox.set_hook(Some(Arc::new(move |info, at| {
            let is_it = at == phase && info.is_write;
            let stop = if is_it { once.lock().unwrap().take() } else { None };
            if let Some((came, released)) = stop {
                came.send(()).unwrap();
                // Released by the end of the other side.
                let _ = released.recv();
            }
        })));
        let talk = home.start(&["sync"]);
        has_come.recv_timeout(Duration::from_secs(60)).unwrap();
        talk.signal(rustix::process::Signal::KILL);
        assert_eq!(talk.end().code, None);
        drop(release);
        home.sandbox.set_hook(None);
        // What was on its way is executed after the death of who sent it.
        waited("the request is executed", || copies(&home, "microsoft365") == before + 1);
        home.sync();
        home.sync().expect(0);
        let all: Vec<Value> = home.sandbox.graph_mail_messages();
        let made: Vec<&Value> = all.iter().filter(|message| message["subject"] == "Uploaded").collect();
        assert_eq!(made.len(), 1, "{phase:?}");
        assert_eq!((&made[0]["isDraft"], &made[0]["folder"]), (&json!(false), &json!(["Posteingang"])), "{phase:?}");
        assert_eq!(only(mail(&home, "microsoft365", "Uploaded"), "here").bytes, text("Uploaded"), "{phase:?}");
        settled(&home, &format!("{phase:?}"));
    }
}

#[test]
fn read_and_flag_race() {
    for provider in BOTH {
        let home = synced(&[provider]);
        let id = deliver(&home, provider, "Race");
        home.sync().expect(0);
        flag(&only(mail(&home, provider, "Race"), provider), "S");
        match provider {
            "google" => home.sandbox.google_label_mail(&id, &["STARRED"], &[]).unwrap(),
            _ => home.sandbox.graph_mail_edit(&id, &json!({"flag": {"flagStatus": "flagged"}})).unwrap(),
        }
        home.sync().expect(0);
        assert!(is_read(&home, provider, &id, "Race"), "{provider}");
        match provider {
            "google" => assert!(gmail_labels(&home, &id).contains("STARRED")),
            _ => assert_eq!(graph(&home, "Race")["flag"], json!({"flagStatus": "flagged"})),
        }
        assert_eq!(only(mail(&home, provider, "Race"), provider).flags(), ['F', 'S'].into(), "{provider}");
        settled(&home, provider);
    }
}

/// Trap: `mdn_never_sent`. Read, deleted unread, thrown into the trash unread, answered: whoever asked for a receipt gets none.
#[test]
fn promise_7_nothing_that_is_done_on_the_laptop_sends_a_receipt() {
    for provider in BOTH {
        let home = synced(&[provider]);
        let asks = |subject: &str| [b"Disposition-Notification-To: bob@example.org\r\n", &text(subject)[..]].concat();
        for subject in ["Read", "Removed", "Binned", "Answered"] {
            match provider {
                "google" => drop(home.sandbox.google_add_mail(&asks(subject), &["INBOX", "UNREAD"])),
                _ => drop(home.sandbox.graph_mail_deliver("inbox", &asks(subject)).unwrap()),
            }
        }
        home.sync().expect(0);
        let one = |subject: &str| only(mail(&home, provider, subject), subject);
        flag(&one("Read"), "S");
        flag(&one("Answered"), "RS");
        fs::remove_file(one("Removed").path).unwrap();
        let bin = if provider == "google" { ".Trash/new/binned" } else { ".Gel&APY-schte Elemente/new/binned" };
        fs::rename(one("Binned").path, home.laptop().join(provider).join("mail").join(bin)).unwrap();
        put(&home, provider, "cur/1772442000.M1P1.desk:2,S", &asks("Uploaded"));
        home.sync().expect(0);
        assert_eq!(one("Read").flags(), ['S'].into(), "{provider}");
        if provider == "microsoft365" {
            assert_eq!(graph(&home, "Binned")["folder"], json!(["Gelöschte Elemente"]));
        }
        home.sync().expect(0);
        quiet(&home, provider);
    }
}

/// Trap: `restore_mail_makes_no_events`. An invitation in a message that is put into a folder is a message.
#[test]
fn promise_7_an_invitation_in_an_uploaded_message_makes_no_event_and_mails_nobody() {
    let home = synced(&BOTH);
    let events = |home: &Home| (home.sandbox.google_events("primary").len(), home.sandbox.graph_events().len());
    let before = events(&home);
    let plain = String::from_utf8(text("Invitation")).unwrap();
    let invitation = plain
        .replace("text/plain; charset=utf-8\r\n\r\nHello Bob\r\n", "text/calendar; method=REQUEST\r\n\r\n")
        + "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nUID:restored@example.org\r\n\
           DTSTAMP:20260301T080000Z\r\nDTSTART:20260305T080000Z\r\nDTEND:20260305T090000Z\r\nSUMMARY:Restored\r\n\
           ORGANIZER:mailto:bob@example.org\r\nATTENDEE;RSVP=TRUE:mailto:ada@example.com\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
    for provider in BOTH {
        put(&home, provider, "cur/1772442000.M1P1.desk:2,S", invitation.as_bytes());
    }
    home.sync().expect(0);
    for provider in BOTH {
        assert_eq!(only(mail(&home, provider, "Invitation"), provider).bytes, invitation.as_bytes());
        quiet(&home, provider);
    }
    assert_eq!(events(&home), before);
    assert_eq!(home.sandbox.google_mail_calendar_imports(), 0);
    settled(&home, "restored");
}

/// One file, copied by hand into the folders of both accounts under one name, is a message of each.
#[test]
fn the_mail_of_two_accounts_is_never_one() {
    let home = synced(&BOTH);
    let bytes = text("To both of them");
    for provider in BOTH {
        put(&home, provider, "cur/1772442000.M1P1.desk:2,", &bytes);
    }
    home.sync().expect(0);
    settled(&home, "put into both");
    let at_google = only(mail(&home, "google", "To both of them"), "at Google");
    flag(&at_google, "FS");
    home.sync().expect(0);
    assert!(only(mail(&home, "google", "To both of them"), "at Google").flags().contains(&'S'));
    let other = only(mail(&home, "microsoft365", "To both of them"), "at Microsoft");
    assert!(!other.flags().contains(&'S') && !other.flags().contains(&'F'), "{:?}", other.path);
    let there = graph(&home, "To both of them");
    assert_eq!((&there["isRead"], &there["flag"]["flagStatus"]), (&json!(false), &json!("notFlagged")), "{there}");
    settled(&home, "flagged at one of them");
}

/// The known hole of the delta: a message that goes to another folder and back is told as gone from where it stands.
#[test]
fn a_message_that_went_to_another_folder_and_back_is_whole_again_with_the_next_full_check() {
    let home = synced(&MICROSOFT);
    let id = deliver(&home, "microsoft365", "Boomerang");
    home.sync().expect(0);
    home.sandbox.graph_mail_move(&id, &graph_folder(&home, "Rechnungen")).unwrap();
    home.sandbox.graph_mail_edit(&id, &json!({"flag": {"flagStatus": "flagged"}})).unwrap();
    home.sandbox.graph_mail_move(&id, "inbox").unwrap();
    home.sandbox.reset_counts();
    home.sync();
    home.run(&["sync", "--full-check"]).expect(0);
    let file = only(mail(&home, "microsoft365", "Boomerang"), "one file");
    assert!(file.folder().is_empty() && file.flags().contains(&'F'), "{:?}", file.path);
    assert_eq!(home.writes(), 0);
    settled(&home, "back");
}
