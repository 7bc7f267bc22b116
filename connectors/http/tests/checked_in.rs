//! The cassettes that are checked in: small, of a stated origin, with a moral, and with nothing of anybody in them.
#![allow(missing_docs)]

use serde_json::Value;
use std::path::{Path, PathBuf};
use twofold_http::{Cassette, unscrubbed};

/// Domains that are nobody's (RFC 2606).
const NOBODYS: [&str; 2] = ["example.org", "example.com"];
/// What the ids of Google's calendars end with: told apart by that, so it stays behind a stand-in.
const GROUP_CALENDARS: &str = "group.calendar.google.com";
/// A cassette is one exchange or one round.
const MOST_ENTRIES: usize = 12;
const MOST_BYTES: usize = 40_000;

fn cassettes() -> Vec<(PathBuf, String)> {
    let mut open = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cassettes")];
    let mut found = Vec::new();
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|end| end != "rs") {
                found.push((path.clone(), std::fs::read_to_string(path).unwrap()));
            }
        }
    }
    found
}

#[test]
fn each_is_a_small_cassette_with_its_origin_and_a_moral() {
    let all = cassettes();
    assert!(all.len() > 40, "{} cassettes", all.len());
    for (path, text) in all {
        let name = path.display();
        assert_eq!(path.extension().unwrap(), "json", "{name}");
        let cassette = Cassette::load(&path).unwrap();
        assert!(cassette.moral().len() > 15 && cassette.moral().ends_with('.'), "{name}: {}", cassette.moral());
        let entries = cassette.unused().len();
        assert!((1..=MOST_ENTRIES).contains(&entries) && text.len() <= MOST_BYTES, "{name}: {entries}, {}", text.len());
    }
}

#[test]
fn nothing_in_them_would_be_scrubbed_once_more() {
    for (path, text) in cassettes() {
        assert_eq!(unscrubbed(&text).unwrap(), [""; 0], "{}", path.display());
    }
}

/// What a bearer and the providers' tokens and secrets begin with, in lower case.
const SIGNS: [&str; 8] = ["bearer ", "basic ", "\"authorization\"", "set-cookie", "ya29.", "eyj", "1//0", "gocspx-"];
/// What has a secret as its value.
const SECRETS: [&str; 8] = [
    "access_token",
    "refresh_token",
    "id_token",
    "client_secret",
    "device_code",
    "user_code",
    "code_verifier",
    "assertion",
];

/// A second reading, which does not trust the scrubber: what each secret looks like, and whose addresses there are.
fn leaks(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    let mut found: Vec<String> = SIGNS.iter().filter(|sign| lower.contains(**sign)).map(|&sign| sign.into()).collect();
    // In forms, in JSON, in JSON that is a text in JSON.
    for (name, is) in SECRETS.iter().flat_map(|name| ["=", "\":\"", "\": \"", "\\\":\\\""].map(|is| (name, is))) {
        for value in text.split(&format!("{name}{is}")).skip(1) {
            if value.split(['&', '"', '\\']).next() != Some("scrubbed") {
                found.push((*name).to_owned());
            }
        }
    }
    for mail in text.split(|c: char| !(c.is_ascii_alphanumeric() || "@.-_+%".contains(c))) {
        if let Some((local, domain)) = mail.split_once('@')
            && !local.is_empty()
            && domain.contains('.')
            && !domain.starts_with("odata.")
            && !NOBODYS.contains(&domain)
            && !(domain == GROUP_CALENDARS && local.strip_prefix("person").is_some_and(|n| n.parse::<u32>().is_ok()))
        {
            found.push(mail.to_owned());
        }
    }
    found
}

#[test]
fn no_secret_and_nobodys_address_stands_in_them() {
    for (path, text) in cassettes() {
        assert_eq!(leaks(&text), [""; 0], "{}", path.display());
    }
}

/// The checks above are able to fail.
#[test]
fn what_is_put_into_a_cassette_by_hand_is_noticed() {
    let (_, text) = cassettes().into_iter().find(|(path, _)| path.ends_with("google/contacts/update.json")).unwrap();
    let har: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((leaks(&text), unscrubbed(&text).unwrap()), (vec![], vec![]));
    let put = |pointer: &str, value: &str| {
        let mut har = har.clone();
        *har.pointer_mut(pointer).unwrap() = value.into();
        unscrubbed(&har.to_string()).unwrap()
    };
    let entry = "/log/entries/0";
    let url =
        put(&format!("{entry}/request/url"), "http://127.0.0.1/google/v1/people/c123456789012?personFields=names");
    assert_eq!(url, ["entry 1: the address"]);
    let header = put(&format!("{entry}/request/headers/0/name"), "authorization");
    assert_eq!(header, ["entry 1: request header authorization"]);
    let body = put(&format!("{entry}/response/content/text"), r#"{"names":[{"givenName":"Ada"}]}"#);
    assert_eq!(body, ["entry 1: response body"]);
    let arguments = put("/log/_arguments/person/resourceName", "people/c123456789012");
    assert_eq!(arguments, ["the arguments"]);
    for leak in [
        r#"{"text": "{\"access_token\":\"ya29.hush\"}"}"#,
        r#"{"refresh_token": "1//0hush"}"#,
        "client_secret=hush&grant_type=refresh_token",
        "ada@lovelace.net",
        "c_1234@group.calendar.google.com",
        "Bearer hush",
        r#"{"name": "Authorization", "value": "hush"}"#,
    ] {
        assert_ne!(leaks(leak), [""; 0], "{leak}");
    }
    for fine in ["grant_type=refresh_token&refresh_token=scrubbed", r#"{"@odata.etag": 1, "a": "person1@example.org"}"#]
    {
        assert_eq!(leaks(fine), [""; 0], "{fine}");
    }
}
