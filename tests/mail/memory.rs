//! What one message of forty megabytes costs of the program's memory, both ways.

use super::{copies, mails, synced};
use crate::common::{BOTH, Home};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fs;
use std::process::Stdio;
use std::time::Duration;

const MB: usize = 1_000_000;

/// A message with a file of thirty megabytes, which are forty as text.
fn large(seed: u32) -> Vec<u8> {
    let mut mail = format!(
        "Date: Mon, 2 Mar 2026 09:00:00 +0000\r\nFrom: Ada <ada@example.org>\r\nTo: bob@example.org\r\nSubject: Film {seed}\r\n\
         Message-ID: <film-{seed}@example.org>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\n\
         Content-Type: text/plain\r\n\r\nHello Bob\r\n--m\r\nContent-Type: application/octet-stream; name=film.bin\r\n\
         Content-Disposition: attachment; filename=film.bin\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    );
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    while mail.len() < 40 * MB {
        let line: [u8; 57] = std::array::from_fn(|_| next());
        mail.push_str(&STANDARD.encode(line));
        mail.push_str("\r\n");
    }
    mail.push_str("--m--\r\n");
    mail.into_bytes()
}

/// A run, and how much memory it had at most, in MB.
fn peak(home: &Home) -> u64 {
    let mut run = home.command(&["sync"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let status = format!("/proc/{}/status", run.id());
    let mut peak = 0;
    let code = loop {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let now = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse().ok());
        peak = peak.max(now.unwrap_or(0));
        if let Some(ended) = run.try_wait().unwrap() {
            break ended.code();
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    assert_eq!(code, Some(0));
    peak * 1024 / MB as u64
}

#[test]
fn a_message_of_forty_megabytes_costs_less_than_a_hundred_of_memory() {
    let mut costs = Vec::new();
    for provider in BOTH {
        let home = synced(&[provider]);
        home.sandbox.switch(|switches| switches.graph_most_message_bytes = 0);
        let (before, idle) = (copies(&home, provider), peak(&home));
        let (here, there) = (large(1), large(2));
        match provider {
            "google" => drop(home.sandbox.google_add_mail(&there, &["INBOX"])),
            _ => drop(home.sandbox.graph_mail_deliver("inbox", &there).unwrap()),
        }
        let read = peak(&home);
        assert_eq!(copies(&home, provider), before + 1, "{provider}");
        let path = home.laptop().join(provider).join("mail/cur/1772442000.M1P1.desk:2,S");
        fs::write(path, &here).unwrap();
        let written = peak(&home);
        assert_eq!(copies(&home, provider), before + 2, "{provider}");
        let large = mails(&home, provider).into_iter().filter(|mail| mail.bytes.len() > 30 * MB).count();
        assert_eq!(large, 2, "{provider}");
        costs.push((provider, idle, read, written));
    }
    println!("MB at rest, where it is read, where it is written: {costs:?}");
    assert!(costs.iter().all(|(_, _, read, written)| *read < 100 && *written < 100), "{costs:?}");
}
