//! What the user does to people: with another client of a provider, and with a program that edits a folder's cards.

use super::rows;
use super::scenarios::{Deed, Field, PEOPLE};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use twofold_sandbox::Sandbox;

/// Fills both providers with [`PEOPLE`].
pub fn populate(sandbox: &Sandbox) {
    let climbers = sandbox.google_add_group("Climbers").unwrap();
    for (name, at_google, at_microsoft, labels) in PEOPLE {
        if *at_google {
            let person = sandbox.google_create(&person(name)).unwrap();
            if labels.contains(&"Climbers") {
                sandbox.google_members(&climbers, &[&person], &[]).unwrap();
            }
        }
        if *at_microsoft {
            let mut contact = contact(name);
            contact["categories"] = json!(labels);
            sandbox.graph_create("", &contact).unwrap();
        }
    }
}

/// Google's name for a group, which is made if need be.
pub fn group(sandbox: &Sandbox, name: &str) -> String {
    let groups = sandbox.with(|state| state.dump())["google"]["groups"].clone();
    let found = groups.as_object().unwrap().iter().find(|(_, of)| *of == name).map(|(resource, _)| resource.clone());
    found.unwrap_or_else(|| sandbox.google_add_group(name).unwrap())
}

/// With another client of Google's.
pub fn at_google(sandbox: &Sandbox, deed: &Deed) {
    let find = |name: &str| {
        let people = sandbox.google_people();
        let found = people.iter().find(|person| person["names"][0]["displayName"] == name);
        found.unwrap_or_else(|| panic!("{name} is not at Google"))["resourceName"].as_str().unwrap().to_owned()
    };
    match deed {
        Deed::Create(name) => drop(sandbox.google_create(&person(name)).unwrap()),
        Deed::Delete(name) => sandbox.google_delete(&find(name)).unwrap(),
        Deed::Label(name, label) => sandbox.google_members(&group(sandbox, label), &[&find(name)], &[]).unwrap(),
        Deed::Unlabel(name, label) => sandbox.google_members(&group(sandbox, label), &[], &[&find(name)]).unwrap(),
        Deed::Photo(name, colour) => sandbox.google_set_photo(&find(name), Some(jpeg(*colour))).unwrap(),
        Deed::Set(name, field, value) => {
            let edit = |person: &mut Value| match field {
                Field::Nickname => person["nicknames"] = json!([{ "value": value }]),
                Field::Title => person["organizations"] = json!([{ "title": value }]),
                Field::Note => person["biographies"] = json!([{ "value": value, "contentType": "TEXT_PLAIN" }]),
                Field::Email => person["emailAddresses"].as_array_mut().unwrap().push(json!({ "value": value })),
                _ => panic!("no person has a {field:?} to set"),
            };
            sandbox.google_edit(&find(name), edit).unwrap();
        }
        _ => panic!("{deed:?} is not for people"),
    }
}

/// With another client of Microsoft's.
pub fn at_microsoft(sandbox: &Sandbox, deed: &Deed) {
    let find = |name: &str| {
        let contacts = sandbox.graph_contacts();
        let found = contacts.iter().find(|contact| contact["displayName"] == name);
        found.unwrap_or_else(|| panic!("{name} is not at Microsoft"))["id"].as_str().unwrap().to_owned()
    };
    let edit = |name: &str, edit: &dyn Fn(&mut Value)| sandbox.graph_edit(&find(name), edit).unwrap();
    match deed {
        Deed::Create(name) => drop(sandbox.graph_create("", &contact(name)).unwrap()),
        Deed::Delete(name) => sandbox.graph_delete(&find(name)).unwrap(),
        Deed::Label(name, label) => edit(name, &|contact| {
            contact["categories"].as_array_mut().unwrap().push(json!(label));
        }),
        Deed::Unlabel(name, label) => edit(name, &|contact| {
            contact["categories"].as_array_mut().unwrap().retain(|other| other != label);
        }),
        Deed::Photo(name, colour) => sandbox.graph_set_photo(&find(name), Some(jpeg(*colour))).unwrap(),
        Deed::Set(name, field, value) => edit(name, &|contact| match field {
            Field::Nickname => contact["nickName"] = json!(value),
            Field::Title => contact["jobTitle"] = json!(value),
            Field::Note => contact["personalNotes"] = json!(value),
            Field::Email => contact["emailAddresses"].as_array_mut().unwrap().push(json!({ "address": value })),
            _ => panic!("no contact has a {field:?} to set"),
        }),
        _ => panic!("{deed:?} is not for people"),
    }
}

/// With a program that edits the cards of a folder.
pub fn on_device(folder: &Path, deed: &Deed) {
    let edit = |name: &str, edit: &dyn Fn(&mut Vec<String>)| {
        let (file, card) = file_of(folder, name);
        let mut lines = rows::lines(&card);
        let end = lines.pop();
        edit(&mut lines);
        lines.extend(end);
        std::fs::write(file, lines.join("\r\n") + "\r\n").unwrap();
    };
    let put = |lines: &mut Vec<String>, property: &str, line: String| {
        lines.retain(|line| rows::property(line) != property);
        lines.push(line);
    };
    match deed {
        Deed::Create(name) => {
            let (given, family) = name.split_once(' ').unwrap();
            let uid = given.to_lowercase();
            let card = format!(
                "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:{uid}-1\r\nFN:{name}\r\nN:{family};{given};;;\r\nEMAIL:{uid}@example.org\r\nEND:VCARD\r\n"
            );
            std::fs::write(folder.join(format!("{uid}-1.vcf")), card).unwrap();
        }
        Deed::Delete(name) => std::fs::remove_file(file_of(folder, name).0).unwrap(),
        Deed::Set(name, field, value) => edit(name, &|lines| match field {
            Field::Nickname => put(lines, "NICKNAME", format!("NICKNAME:{value}")),
            Field::Title => put(lines, "TITLE", format!("TITLE:{value}")),
            Field::Note => put(lines, "NOTE", format!("NOTE:{value}")),
            Field::Email => lines.push(format!("EMAIL:{value}")),
            _ => panic!("no card has a {field:?} to set"),
        }),
        Deed::Label(name, label) => edit(name, &|lines| {
            let mut labels = rows::read_card(&lines.join("\r\n")).all(Field::Label);
            labels.insert((*label).to_owned());
            put(lines, "CATEGORIES", format!("CATEGORIES:{}", labels.into_iter().collect::<Vec<_>>().join(",")));
        }),
        Deed::Unlabel(name, label) => edit(name, &|lines| {
            let mut labels = rows::read_card(&lines.join("\r\n")).all(Field::Label);
            labels.remove(*label);
            lines.retain(|line| rows::property(line) != "CATEGORIES");
            if !labels.is_empty() {
                lines.push(format!("CATEGORIES:{}", labels.into_iter().collect::<Vec<_>>().join(",")));
            }
        }),
        Deed::Photo(name, colour) => edit(name, &|lines| {
            put(lines, "PHOTO", format!("PHOTO;ENCODING=b;TYPE=JPEG:{}", rows::base64(&jpeg(*colour))));
        }),
        _ => panic!("{deed:?} is not for people"),
    }
}

/// A picture of one colour.
pub fn jpeg(colour: [u8; 3]) -> Vec<u8> {
    twofold_sandbox::microsoft365::tiny_jpeg(colour).to_vec()
}

fn person(name: &str) -> Value {
    let (given, family) = name.split_once(' ').unwrap();
    let address = format!("{}@example.org", given.to_lowercase());
    json!({ "names": [{ "givenName": given, "familyName": family }], "emailAddresses": [{ "value": address }] })
}

fn contact(name: &str) -> Value {
    let (given, family) = name.split_once(' ').unwrap();
    let address = format!("{}@example.org", given.to_lowercase());
    json!({
        "givenName": given,
        "surname": family,
        "displayName": name,
        "emailAddresses": [{ "address": address, "name": name }],
    })
}

/// The file of a person, and the card in it.
fn file_of(folder: &Path, name: &str) -> (PathBuf, String) {
    let found = rows::files(folder, ".vcf").into_iter().find(|(_, card)| rows::read_card(card).name == name);
    let (file, card) = found.unwrap_or_else(|| panic!("{name} is not in {}", folder.display()));
    (folder.join(file), card)
}
