//! A message of nine megabytes with two files attached, put into a folder of the laptop: it arrives once and whole, also where its
//! upload is cut off in the middle.

use super::bench::waited;
use super::{Mail, copies, gmail_labels, graph, mails, only, settled, synced};
use crate::common::{BOTH, Home, MICROSOFT};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fs;
use twofold_sandbox::{Fault, Provider, Rule};

const MB: usize = 1024 * 1024;
const NAMES: [&str; 2] = ["plan.pdf", "photo.jpg"];

fn noise(length: usize, seed: u32) -> Vec<u8> {
    let step = |state: &mut u32| {
        *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        Some((*state >> 24) as u8)
    };
    let mut state = seed;
    std::iter::from_fn(|| step(&mut state)).take(length).collect()
}

fn contents() -> [Vec<u8>; 2] {
    [noise(7 * MB / 2, 1), noise(13 * MB / 4, 2)]
}

/// The message, about nine megabytes.
fn large() -> Vec<u8> {
    let mut mail = "Date: Mon, 2 Mar 2026 09:00:00 +0000\r\nFrom: Ada <ada@example.org>\r\nTo: bob@example.org\r\nSubject: Large\r\n\
         Message-ID: <large@example.org>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\n\
         Content-Type: text/plain\r\n\r\nHello Bob\r\n"
        .to_owned();
    for (name, bytes) in NAMES.iter().zip(contents()) {
        mail += &format!(
            "--m\r\nContent-Type: application/octet-stream; name={name}\r\nContent-Disposition: attachment; filename={name}\r\n\
             Content-Transfer-Encoding: base64\r\n\r\n"
        );
        for line in STANDARD.encode(bytes).as_bytes().chunks(76) {
            mail.push_str(std::str::from_utf8(line).unwrap());
            mail.push_str("\r\n");
        }
    }
    mail += "--m--\r\n";
    mail.into_bytes()
}

fn put(home: &Home, provider: &str) {
    let path = home.laptop().join(provider).join("mail/cur/1772442000.M1P1.desk:2,S");
    fs::write(path, large()).unwrap();
}

fn is_large(mail: &Mail) -> bool {
    mail.bytes.len() > 5 * MB
}

/// The provider holds it, whole, and says so in its own words.
fn assert_whole(home: &Home, provider: &str) {
    match provider {
        "google" => {
            let all = home.sandbox.google_messages();
            let raw =
                |message: &serde_json::Value| home.sandbox.google_message_raw(message["id"].as_str().unwrap()).unwrap();
            let found: Vec<_> = all.iter().filter(|message| raw(message).len() > 5 * MB).collect();
            assert_eq!(found.len(), 1);
            assert!(raw(found[0]) == large(), "other bytes");
            assert!(gmail_labels(home, found[0]["id"].as_str().unwrap()).contains("INBOX"));
        }
        _ => {
            let there = graph(home, "Large");
            let raw = home.sandbox.graph_mail_raw(there["id"].as_str().unwrap()).unwrap();
            let text = String::from_utf8_lossy(&raw).replace(['\r', '\n'], "");
            for (name, bytes) in NAMES.iter().zip(contents()) {
                assert_eq!(text.matches(STANDARD.encode(bytes).as_str()).count(), 1, "{name}");
            }
        }
    }
}

#[test]
fn a_large_file_put_into_a_folder_arrives_once_and_whole() {
    for provider in BOTH {
        let home = synced(&[provider]);
        let before = copies(&home, provider);
        put(&home, provider);
        home.sync().expect(0);
        assert_eq!(copies(&home, provider), before + 1, "{provider}");
        assert_whole(&home, provider);
        let found = only(mails(&home, provider).into_iter().filter(is_large).collect(), provider);
        assert!(found.bytes == large() && found.flags() == ['S'].into(), "{provider}: the file is left as it is");
        settled(&home, provider);
        assert_eq!(copies(&home, provider), before + 1, "{provider}");
    }
}

#[test]
fn a_large_message_whose_upload_is_cut_is_whole_after_the_next_run() {
    for provider in BOTH {
        let home = synced(&[provider]);
        let before = copies(&home, provider);
        put(&home, provider);
        // The second piece is lost, and at Gmail each question how far the upload is.
        let (whose, path, times) = match provider {
            "google" => (Provider::Google, "/upload/", 5),
            _ => (Provider::Microsoft, "AttachmentSessions", 1),
        };
        home.sandbox.fault(Rule::any(Fault::DropBefore).on(whose).method("PUT").path(path).skip(1).times(times));
        let cut = home.sync();
        assert_ne!(cut.code, Some(0), "{provider}: {cut}");
        home.sync().expect(0);
        assert_eq!(copies(&home, provider), before + 1, "{provider}");
        assert_whole(&home, provider);
        settled(&home, provider);
    }
}

#[test]
fn a_large_message_whose_making_was_killed_is_whole_after_the_next_run_whatever_its_files_are_called_there() {
    for writes in [2, 3, 5] {
        let home = synced(&MICROSOFT);
        home.sandbox.switch(|switches| switches.graph_renames_files = true);
        let before = copies(&home, MICROSOFT[0]);
        put(&home, MICROSOFT[0]);
        home.sandbox.reset_counts();
        let talk = home.start(&["sync"]);
        waited("the message is being made", || home.writes() >= writes);
        talk.signal(rustix::process::Signal::KILL);
        talk.end();
        // Where the lists lag, what was made is looked for once more.
        let codes: Vec<Option<i32>> = (0..3).map(|_| home.sync().code).collect();
        assert_eq!(codes.last(), Some(&Some(0)), "{writes}: {codes:?}");
        assert_eq!(copies(&home, MICROSOFT[0]), before + 1, "{writes}");
        assert_whole(&home, MICROSOFT[0]);
        settled(&home, MICROSOFT[0]);
    }
}

#[test]
fn a_dry_run_does_not_finish_what_is_half_made() {
    let home = synced(&MICROSOFT);
    put(&home, MICROSOFT[0]);
    let pieces = Rule::any(Fault::DropBefore).on(Provider::Microsoft).method("PUT").path("AttachmentSessions").skip(1);
    home.sandbox.fault(pieces);
    assert_ne!(home.sync().code, Some(0), "the upload is cut, and stays cut");
    home.sandbox.with(|state| state.faults.clear());
    home.sandbox.reset_counts();
    home.run(&["sync", "--dry-run"]);
    assert_eq!(home.writes(), 0);
    home.sync().expect(0);
    assert_whole(&home, MICROSOFT[0]);
}
