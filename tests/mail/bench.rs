//! What the tests of mail do again and again beside reading Maildirs.

use super::{Mail, mails};
use crate::common::Home;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant, UNIX_EPOCH};
use twofold_sandbox::Fault;

/// How many messages were read with their bytes since the counts were reset.
pub fn bodies_read(home: &Home) -> usize {
    let is_raw = |(name, value): &(String, String)| name == "format" && value == "raw";
    let lines = home.sandbox.log();
    lines.iter().filter(|line| line.info.path.ends_with("/$value") || line.query.iter().any(is_raw)).count()
}

/// How many messages of Graph were asked for without their bytes, one by one.
pub fn looks(home: &Home) -> usize {
    let named = |path: &str| path.split_once("/v1.0/me/messages/").is_some_and(|(_, id)| !id.contains('/'));
    home.sandbox.log().iter().filter(|line| line.info.method == "GET" && named(&line.info.path)).count()
}

/// An answer of a provider's with this body, whatever was asked.
pub fn answers(status: u16, body: Value) -> Fault {
    Fault::Status { status, retry_after: None, executed: false, body: Some(body) }
}

/// A refusal that is about rights, in words of both providers.
pub fn forbidden() -> Fault {
    let reasons = json!([{"domain": "global", "reason": "forbidden", "message": "Forbidden"}]);
    answers(403, json!({"error": {"code": "ErrorAccessDenied", "message": "Forbidden", "errors": reasons}}))
}

/// Makes every token that a provider gave out for mail worthless.
pub fn expire(home: &Home, provider: &str) {
    match provider {
        "google" => home.sandbox.google_forget_mail_history(),
        _ => home.sandbox.graph_expire_delta_tokens(),
    }
}

/// All files of messages on the laptop.
pub fn paths(home: &Home) -> Vec<PathBuf> {
    let all = home.providers.iter().flat_map(|provider| mails(home, provider));
    all.map(|mail| mail.path).collect()
}

/// Puts a file into a folder of a provider's mail, dated as it was received.
pub fn put(home: &Home, provider: &str, path: &str, bytes: &[u8]) {
    let path = home.laptop().join(provider).join("mail").join(path);
    fs::write(&path, bytes).unwrap();
    let received = UNIX_EPOCH + Duration::from_secs(1_772_442_000);
    fs::File::options().write(true).open(&path).unwrap().set_modified(received).unwrap();
}

/// Gives a message these flags, as a mail program does. Answers where it stands then.
pub fn flag(mail: &Mail, flags: &str) -> PathBuf {
    let name = mail.path.file_name().unwrap().to_string_lossy().into_owned();
    let base = name.split(":2,").next().unwrap().to_owned();
    let to = mail.path.parent().unwrap().with_file_name("cur").join(format!("{base}:2,{flags}"));
    fs::rename(&mail.path, &to).unwrap();
    to
}

/// Nobody got a receipt, an invitation or any other mail.
#[track_caller]
pub fn quiet(home: &Home, what: &str) {
    assert!(home.sandbox.graph_read_receipts().is_empty(), "{what}");
    assert!(home.sandbox.graph_mails().is_empty() && home.sandbox.google_mails().is_empty(), "{what}");
}

/// Waits until something holds that is on its way.
#[track_caller]
pub fn waited(what: &str, holds: impl Fn() -> bool) {
    let since = Instant::now();
    while !holds() {
        assert!(since.elapsed().as_secs() < 20, "{what}");
        std::thread::yield_now();
    }
}

/// The requests for the bytes of messages, oldest first: the message, and whether a fault struck.
pub fn asked(home: &Home) -> Vec<(String, bool)> {
    let lines = home.sandbox.log();
    // What was refused (Gmail's parts get in each other's way) was not read.
    let messages = lines.iter().filter(|line| line.status == 200).filter_map(|line| {
        let is_raw = line.query.iter().any(|(name, value)| name == "format" && value == "raw");
        let path = line.info.path.strip_suffix("/$value").or(is_raw.then_some(line.info.path.as_str()))?;
        Some((path.rsplit('/').next()?.to_owned(), line.fault.is_some()))
    });
    messages.collect()
}

/// The messages whose bytes were asked for more than once.
pub fn doubled(home: &Home) -> Vec<String> {
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    asked(home).into_iter().for_each(|(id, _)| *times.entry(id).or_default() += 1);
    times.into_iter().filter(|(_, times)| *times > 1).map(|(id, _)| id).collect()
}

/// A message with a large file, of so many megabytes as text; a packer finds nothing in it but the text's own looseness.
pub fn film(seed: u32, megabytes: usize) -> Vec<u8> {
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
    while mail.len() < megabytes * 1_000_000 {
        let line: [u8; 57] = std::array::from_fn(|_| next());
        mail.push_str(&STANDARD.encode(line));
        mail.push_str("\r\n");
    }
    mail.push_str("--m--\r\n");
    mail.into_bytes()
}
