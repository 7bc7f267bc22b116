//! The vCard lens over real cards of many programs, versions and faults.

use serde_json::json;
use std::path::PathBuf;
use twofold_model::contentline::File;
use twofold_model::vcard::{VcardLens, Version, check_whole};
use twofold_model::{Content, Identity, Lens, Rendering, Uid};

/// The folder with the corpus; `None` where this checkout has none (it is said aloud, and CI insists on it).
fn corpus(kind: &str) -> Vec<(String, Vec<u8>)> {
    let shared = std::env::var_os("TWOFOLD_SHARED")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared")), PathBuf::from);
    let folder = shared.join("corpus").join(kind);
    let Ok(entries) = std::fs::read_dir(&folder) else {
        assert!(std::env::var_os("TWOFOLD_REQUIRE_SHARED").is_none(), "the corpus is required, but absent");
        println!("left out: no corpus (set TWOFOLD_SHARED)");
        return Vec::new();
    };
    let mut files: Vec<(String, Vec<u8>)> = entries
        .flatten()
        .map(|entry| (entry.file_name().to_string_lossy().into_owned(), std::fs::read(entry.path()).unwrap()))
        .collect();
    files.sort();
    files
}

fn identity() -> Identity {
    Identity { uid: Uid("4f2a".into()), mark: None }
}

/// The cards of the corpus that are one whole card.
fn cards() -> Vec<(String, Rendering, Content)> {
    let lens = VcardLens::new(Version::V3);
    corpus("vcf")
        .into_iter()
        .filter(|(_, bytes)| check_whole(bytes).is_ok())
        .map(|(name, bytes)| {
            let rendering = Rendering(bytes);
            let content = lens.read(&rendering).unwrap_or_else(|error| panic!("{name}: {error}"));
            (name, rendering, content)
        })
        .collect()
}

#[test]
fn every_file_comes_back_byte_for_byte_as_lines() {
    for kind in ["vcf", "ics"] {
        for (name, bytes) in corpus(kind) {
            // Over a limit is an answer too; one calendar nests deeper than anything sane.
            let Ok(file) = File::parse(bytes.clone()) else {
                println!("{name}: over a limit");
                continue;
            };
            assert_eq!(file.write(), bytes, "{name}");
            let joined: Vec<u8> = (0..file.len()).flat_map(|line| file.raw(line).to_vec()).collect();
            assert_eq!(joined, bytes, "{name}");
        }
    }
}

#[test]
fn nothing_changes_when_nothing_is_changed() {
    let lens = VcardLens::new(Version::V3);
    for (name, rendering, content) in cards() {
        let written = lens.write(Some(&rendering), &content, &identity()).unwrap();
        assert!(written == rendering, "{name}");
    }
}

#[test]
fn rendered_from_nothing_in_either_version_a_card_says_the_same() {
    for version in [Version::V3, Version::V4] {
        let lens = VcardLens::new(version);
        for (name, _, content) in cards() {
            let fresh = lens.write(None, &content, &identity()).unwrap();
            let again = lens.read(&fresh).unwrap();
            assert_eq!(again, content, "{name} in {version:?}:\n{}", String::from_utf8_lossy(fresh.as_bytes()));
            assert_eq!(twofold_model::vcard::uid_of(&fresh), Some(Uid("4f2a".into())), "{name}");
        }
    }
}

#[test]
fn one_property_edited_leaves_every_other_line_byte_for_byte() {
    let lens = VcardLens::new(Version::V3);
    for (name, rendering, content) in cards() {
        let mut edited = content.clone();
        edited.set("notes", json!({"note": {"note": "edited, here; and\nthere é"}}));
        let written = lens.write(Some(&rendering), &edited, &identity()).unwrap();
        assert_eq!(lens.read(&written).unwrap(), edited, "{name}:\n{}", String::from_utf8_lossy(written.as_bytes()));
        if rendering.as_bytes().starts_with(&[0xff, 0xfe]) || rendering.as_bytes().starts_with(&[0xfe, 0xff]) {
            continue;
        }
        let before = File::parse(rendering.as_bytes().to_vec()).unwrap();
        let after = File::parse(written.as_bytes().to_vec()).unwrap();
        let is_note = |file: &File, line: usize| {
            let text = String::from_utf8_lossy(&file.unfolded(line)).to_ascii_uppercase();
            let head = text.split([';', ':']).next().unwrap_or_default().to_owned();
            head.ends_with("NOTE") || head.ends_with("X-TWOFOLD-CARRY")
        };
        let others = |file: &File| {
            (0..file.len()).filter(|line| !is_note(file, *line)).map(|line| file.raw(line).to_vec()).collect::<Vec<_>>()
        };
        assert_eq!(others(&after), others(&before), "{name}");
    }
}

#[test]
fn a_changed_part_of_a_name_changes_the_name_that_is_shown() {
    let lens = VcardLens::new(Version::V3);
    let card = "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Ada Byron\r\nN:Byron;Ada;;;\r\nUID:x\r\nNOTE:kept\r\nEND:VCARD\r\n";
    let rendering = Rendering::from(card.to_owned());
    let mut content = lens.read(&rendering).unwrap();
    content
        .set("name", json!({"components": [{"kind": "given", "value": "Ada"}, {"kind": "surname", "value": "King"}]}));
    let written = lens.write(Some(&rendering), &content, &identity()).unwrap();
    let text = String::from_utf8(written.as_bytes().to_vec()).unwrap();
    assert!(text.contains(":Ada King\r\n") && text.contains("N:King;Ada;;;\r\n") && !text.contains("Byron"), "{text}");
    assert_eq!(lens.read(&written).unwrap(), content);
}
