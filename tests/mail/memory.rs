//! What one message of forty megabytes costs of the program's memory, both ways.

use super::bench::film;
use super::{copies, mails, synced};
use crate::common::{BOTH, Home};
use std::fs;
use std::process::Stdio;
use std::time::Duration;

const MB: usize = 1_000_000;

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
        let (here, there) = (film(1, 40), film(2, 40));
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
