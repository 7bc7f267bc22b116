//! Every contact of the shared examples and corpus: nothing unknown is fatal, nothing known is dropped, and the laws hold.

use serde_json::{Map, Value};
use std::path::{Path, PathBuf};
use twofold_http::Response;
use twofold_microsoft365::contacts::api;
use twofold_microsoft365::contacts::map::{ContactLens, Photo, Sheet};
use twofold_microsoft365::contacts::wire::{Contact, ContactFolder, ListPage};
use twofold_model::{Identity, Lens, Uid};

/// The shared folder, or nothing; with `TWOFOLD_REQUIRE_SHARED=1` its absence is a failure.
fn shared() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let folder = std::env::var_os("TWOFOLD_SHARED").map_or(beside, PathBuf::from);
    if folder.join("api/examples").is_dir() {
        return Some(folder);
    }
    assert_ne!(std::env::var("TWOFOLD_REQUIRE_SHARED").as_deref(), Ok("1"), "the shared folder is missing");
    println!("skipped: there is no shared folder");
    None
}

/// The JSON files of a folder whose names speak of contacts.
fn files(folder: &Path) -> Vec<(String, Value)> {
    let words = ["contact", "singlevalue", "profilephoto"];
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<(String, Value)> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "json"))
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), path))
        .filter(|(name, _)| words.iter().any(|word| name.contains(word)))
        .map(|(name, path)| (name, serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()))
        .collect();
    files.sort_by(|one, other| one.0.cmp(&other.0));
    files
}

/// The bodies of answers (and of requests, which have the same fields).
fn bodies(file: &Value) -> Vec<Value> {
    let places = [file.pointer("/response/body"), file.pointer("/request/body"), file.get("body")];
    places.into_iter().flatten().filter(|body| body.is_object()).cloned().collect()
}

fn all() -> Vec<(String, Value)> {
    let Some(shared) = shared() else { return Vec::new() };
    let mut all = files(&shared.join("api/examples/microsoft-graph"));
    all.extend(files(&shared.join("corpus/provider-json/graph")));
    assert!(all.len() > 20, "only {} files", all.len());
    all.into_iter().flat_map(|(name, file)| bodies(&file).into_iter().map(move |body| (name.clone(), body))).collect()
}

/// The contacts in them: rows of lists and single ones, with an id if the documentation left it out.
fn contacts() -> Vec<(String, Value)> {
    let mut contacts = Vec::new();
    for (name, body) in all() {
        if name.contains("folder-") && !name.contains("-contacts") || name.contains("folders") || name.contains("photo")
        {
            continue;
        }
        match body.get("value") {
            Some(Value::Array(rows)) => contacts.extend(rows.iter().map(|row| (name.clone(), row.clone()))),
            _ => contacts.push((name, body)),
        }
    }
    contacts
}

#[test]
fn every_contact_is_kept_whole_and_obeys_the_laws() {
    let identity = Identity { uid: Uid::from("u"), mark: None };
    for (name, value) in contacts() {
        let contact = Contact::from_value(value.clone()).unwrap();
        let rendering = Sheet { photo: Photo::Unlooked, contact: contact.clone() }.close();
        assert_eq!(Sheet::open(&rendering).unwrap().contact, contact, "{name}");
        for (field, value) in value.as_object().unwrap().iter().filter(|(field, _)| !field.ends_with("@odata.context"))
        {
            assert_eq!(contact.0.get(field), Some(value), "{name}: {field}");
        }
        let card = ContactLens.read(&rendering).unwrap();
        assert_eq!(ContactLens.write(Some(&rendering), &card, &identity).unwrap(), rendering, "{name}");
        let anew = ContactLens.write(None, &card, &identity).unwrap();
        assert_eq!(ContactLens.read(&anew).unwrap(), card, "{name}");
        // What has a meaning comes back in the same fields, but for what only a rendering keeps.
        let made = Sheet::open(&anew).unwrap().contact;
        // A display name that says what the parts say is made anew from them.
        let kept = ["displayName", "fileAs", "birthday", "emailAddresses", "singleValueExtendedProperties"];
        let mut written: Map<String, Value> = Map::new();
        for (field, value) in &made.0 {
            if !kept.contains(&field.as_str()) {
                written.insert(field.clone(), value.clone());
                assert_eq!(contact.0.get(field), Some(value), "{name}: {field}");
            }
        }
    }
}

#[test]
fn every_known_field_of_a_full_contact_has_a_meaning() {
    let mut without = Vec::new();
    for (name, value) in contacts() {
        let contact = Contact::from_value(value).unwrap();
        let whole = ContactLens.read(&Sheet { photo: Photo::Unlooked, contact: contact.clone() }.close()).unwrap();
        for (field, value) in &contact.0 {
            let says_nothing = twofold_model::content::is_nothing(value) || value == "";
            let is_stamp = field.contains('@')
                || ["id", "changeKey", "parentFolderId", "fileAs", "displayName"].contains(&field.as_str());
            if says_nothing || is_stamp || field.ends_with("DateTime") || value == "datetime-value" {
                continue;
            }
            let mut less = contact.clone();
            less.0.shift_remove(field);
            let less = ContactLens.read(&Sheet { photo: Photo::Unlooked, contact: less }.close()).unwrap();
            if less == whole {
                without.push(format!("{name}: {field}"));
            }
        }
    }
    // Messages and events among the examples of extended properties have other fields.
    without.retain(|line| !line.starts_with("singlevalue"));
    assert_eq!(without, Vec::<String>::new());
}

#[test]
fn every_list_and_folder_is_understood() {
    for (name, body) in all() {
        if body.get("value").is_some_and(Value::is_array) {
            let page: ListPage = serde_json::from_value(body.clone()).unwrap();
            assert_eq!(page.next_link.is_some(), body.get("@odata.nextLink").is_some(), "{name}");
        }
        if name.contains("folder") && body.get("displayName").is_some() && body.get("id").is_some() {
            let folder: ContactFolder = serde_json::from_value(body.clone()).unwrap();
            assert_eq!(Some(folder.id.as_str()), body["id"].as_str(), "{name}");
        }
        if name.contains("list-contactfolders") || name.contains("list-childfolders") {
            let answer = Response::new(200, Vec::new(), body.to_string().into_bytes());
            assert!(!api::read_folders(&answer).unwrap().0.is_empty(), "{name}");
        }
    }
}
