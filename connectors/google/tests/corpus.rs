//! The corpus' answers of People: nothing unknown is fatal, nothing known is dropped, and the laws of the lens hold for each
//! person. Skipped where the corpus is not there, unless `TWOFOLD_REQUIRE_SHARED=1`.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use twofold_google::GoogleDialect;
use twofold_google::contacts::groups::GroupTable;
use twofold_google::contacts::wire::{BatchGet, Connections, ContactGroups, Person};
use twofold_google::contacts::{ContactsLens, rendering};
use twofold_http::{Dialect, Response};
use twofold_model::{Content, ErrorKind, Identity, Lens, Rendering, Uid};

/// The corpus' answers: name, path asked, status, body.
fn answers() -> Vec<(String, String, u16, Value)> {
    let shared = std::env::var_os("TWOFOLD_SHARED").map(PathBuf::from);
    let shared = shared.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"));
    let folder = shared.join("corpus/provider-json/google-people");
    let Ok(files) = std::fs::read_dir(&folder) else {
        assert!(
            std::env::var_os("TWOFOLD_REQUIRE_SHARED").is_none_or(|is| is != "1"),
            "no corpus at {}",
            folder.display()
        );
        println!("skipped: the corpus is not there");
        return Vec::new();
    };
    let mut answers: Vec<_> = files
        .map(|file| {
            let path = file.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let file: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
            let (asked, status) = (file["path"].as_str().unwrap().to_owned(), file["status"].as_u64().unwrap());
            (name, asked, u16::try_from(status).unwrap(), file["body"].clone())
        })
        .collect();
    answers.sort_by(|a, b| a.0.cmp(&b.0));
    assert!(!answers.is_empty());
    answers
}

fn round_trip<T: DeserializeOwned + Serialize>(name: &str, body: &Value) -> T {
    let read: T = serde_json::from_value(body.clone()).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(&serde_json::to_value(&read).unwrap(), body, "{name}");
    read
}

/// All persons of the corpus.
fn persons() -> Vec<(String, Person)> {
    let mut persons = Vec::new();
    for (name, asked, status, body) in answers().into_iter().filter(|answer| answer.2 == 200) {
        let found = if asked.ends_with("/connections") {
            round_trip::<Connections>(&name, &body).connections
        } else if asked.ends_with(":batchGet") {
            let rows = round_trip::<BatchGet>(&name, &body).responses;
            rows.into_iter().filter_map(|row| row.person).collect()
        } else if asked.contains("/contactGroups") {
            round_trip::<ContactGroups>(&name, &body);
            continue;
        } else {
            vec![round_trip::<Person>(&name, &body)]
        };
        assert_eq!(status, 200);
        persons.extend(found.into_iter().map(|person| (name.clone(), person)));
    }
    persons
}

fn table() -> GroupTable {
    serde_json::from_value(serde_json::json!({
        "contactGroups/65189743883aabaf": "ICE", "contactGroups/myContacts": null,
    }))
    .unwrap()
}

fn render(person: &Person) -> Rendering {
    rendering::serialise(&rendering::reduce(person.clone(), &table(), &mut BTreeSet::new()))
}

#[test]
fn every_answer_is_read_and_written_back_whole() {
    assert!(persons().len() > 10 || answers().is_empty());
}

#[test]
fn the_laws_of_the_lens_hold_for_every_person() {
    let all: Vec<(String, Rendering)> = persons().iter().map(|(name, person)| (name.clone(), render(person))).collect();
    let nobody = Identity { uid: Uid("u".into()), mark: None };
    for (name, rendering) in &all {
        let card = ContactsLens.read(rendering).unwrap();
        assert_eq!(&ContactsLens.write(Some(rendering), &card, &nobody).unwrap(), rendering, "{name}");
        assert_eq!(ContactsLens.project(&card).unwrap(), card, "{name}: what was read can be held");
        let native = ContactsLens.native(&ContactsLens.write(None, &card, &nobody).unwrap()).unwrap();
        let without_full = |mut card: Content| {
            if let Some(name) =
                card.0.get_mut("name").and_then(Value::as_object_mut).filter(|n| n.contains_key("components"))
            {
                name.shift_remove("full");
            }
            card
        };
        assert_eq!(without_full(native), without_full(card.clone()), "{name}: Google's fields hold what they said");
        for (other, onto) in &all {
            let written = ContactsLens.write(Some(onto), &card, &nobody).unwrap();
            let read = ContactsLens.read(&written).unwrap();
            // A photo that is not known there stands in the way of the one that is to be written.
            assert_eq!(read.get("media").or(card.get("media")), card.get("media"));
            assert_eq!(read, card, "{name} onto {other}");
            assert_eq!(
                ContactsLens.write(Some(&written), &card, &nobody).unwrap(),
                written,
                "{name} onto {other}, again"
            );
        }
    }
}

#[test]
fn what_belongs_to_a_profile_is_not_read() {
    for (_, person) in persons() {
        let text = String::from_utf8(render(&person).0).unwrap();
        assert!(!text.contains("\"PROFILE\"") && !text.contains("DOMAIN_PROFILE") && !text.contains("Carl Domain"));
    }
}

#[test]
fn every_error_is_judged() {
    for (name, _, status, body) in answers().into_iter().filter(|answer| answer.2 != 200) {
        let kind = GoogleDialect.judge(&Response::new(status, Vec::new(), body.to_string().into_bytes())).kind;
        let expected = match name.as_str() {
            "made-error-etag-mismatch.json" => ErrorKind::StaleEtag,
            "made-error-expired-sync-token.json" => ErrorKind::TokenExpired,
            "made-error-quota.json" => ErrorKind::Throttled { retry_after_s: None },
            "made-error-scope.json" => ErrorKind::Forbidden,
            other => panic!("an error without an expectation: {other}"),
        };
        assert_eq!(kind, expected, "{name}");
    }
}
