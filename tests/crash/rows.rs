//! What a place says about its people, read plainly from the provider's JSON or the text of a card: none of the product's own
//! readers is asked, so that a mistake of theirs is not repeated here.

use super::scenarios::{Field, Side};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use twofold_sandbox::{Request, Sandbox};

/// One person in the fields that the scenarios change.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    pub name: String,
    pub nickname: String,
    pub title: String,
    pub note: String,
    pub emails: BTreeSet<String>,
    pub labels: BTreeSet<String>,
    /// In base64, empty for none.
    pub photo: String,
}

impl Row {
    pub fn holds(&self, field: Field, value: &str) -> bool {
        match field {
            Field::Nickname => self.nickname == value,
            Field::Title => self.title == value,
            Field::Note => self.note == value,
            Field::Email => self.emails.contains(value),
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn each<'a>(value: &'a Value, key: &'static str) -> impl Iterator<Item = String> + 'a {
    value
        .as_array()
        .into_iter()
        .flatten()
        .map(move |entry| if key.is_empty() { text(entry) } else { text(&entry[key]) })
}

/// Everybody at a provider, sorted.
pub fn at_provider(sandbox: &Sandbox, side: Side) -> Vec<Row> {
    let mut rows: Vec<Row> = match side {
        Side::Google => {
            let groups = sandbox.with(|state| state.dump())["google"]["groups"].clone();
            sandbox.google_people().iter().map(|person| google(sandbox, person, &groups)).collect()
        }
        Side::Microsoft => sandbox.graph_contacts().iter().map(microsoft).collect(),
    };
    rows.sort();
    rows
}

fn google(sandbox: &Sandbox, person: &Value, groups: &Value) -> Row {
    let labels = person["memberships"].as_array().into_iter().flatten();
    let labels = labels.map(|entry| text(&entry["contactGroupMembership"]["contactGroupResourceName"]));
    let photos = person["photos"].as_array().into_iter().flatten();
    let photo = photos.filter(|photo| photo["default"] != true).map(|photo| text(&photo["url"])).next();
    Row {
        name: text(&person["names"][0]["displayName"]),
        nickname: text(&person["nicknames"][0]["value"]),
        title: text(&person["organizations"][0]["title"]),
        note: text(&person["biographies"][0]["value"]),
        emails: each(&person["emailAddresses"], "value").collect(),
        labels: labels.filter_map(|name| groups.get(&name).map(text)).collect(),
        photo: photo.map(|url| google_photo(sandbox, &url)).unwrap_or_default(),
    }
}

fn google_photo(sandbox: &Sandbox, url: &str) -> String {
    let path = url.find("/google-photos/").map_or(url, |at| &url[at..]);
    let reply = sandbox.handle(&Request::get(path));
    assert_eq!(reply.status, 200, "{url}");
    base64(&reply.body)
}

fn microsoft(contact: &Value) -> Row {
    Row {
        name: text(&contact["displayName"]),
        nickname: text(&contact["nickName"]),
        title: text(&contact["jobTitle"]),
        note: text(&contact["personalNotes"]),
        emails: each(&contact["emailAddresses"], "address").collect(),
        labels: each(&contact["categories"], "").collect(),
        photo: text(&contact["photo"]["base64"]),
    }
}

/// Bytes in base64; six lines spare the tests a package.
pub fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let word = (0..3).fold(0_usize, |word, at| word << 8 | usize::from(chunk.get(at).copied().unwrap_or(0)));
        for at in 0..4 {
            let letter = char::from(LETTERS[word >> (18 - 6 * at) & 63]);
            text.push(if at <= chunk.len() { letter } else { '=' });
        }
    }
    text
}

/// The cards of a folder by file name.
pub fn cards(folder: &Path) -> BTreeMap<String, String> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut cards = BTreeMap::new();
    for entry in entries {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.ends_with(".vcf") && !name.starts_with('.') {
            cards.insert(name, std::fs::read_to_string(&path).unwrap());
        }
    }
    cards
}

/// Everybody in a folder, sorted.
pub fn on_device(folder: &Path) -> Vec<Row> {
    let mut rows: Vec<Row> = cards(folder).values().map(|card| read_card(card)).collect();
    rows.sort();
    rows
}

/// The lines of a card, unfolded.
pub fn lines(card: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for line in card.lines() {
        match (line.strip_prefix([' ', '\t']), lines.last_mut()) {
            (Some(more), Some(last)) => last.push_str(more),
            _ => lines.push(line.to_owned()),
        }
    }
    lines
}

/// A line's property in capitals, without group and parameters.
pub fn property(line: &str) -> String {
    let head = line.split([':', ';']).next().unwrap_or_default();
    head.rsplit('.').next().unwrap_or_default().to_ascii_uppercase()
}

pub fn read_card(card: &str) -> Row {
    let mut row = Row::default();
    for line in lines(card) {
        let value = line.split_once(':').map_or("", |(_, value)| value);
        let plain = value.replace("\\,", ",").replace("\\;", ";").replace("\\n", "\n");
        match property(&line).as_str() {
            "FN" => row.name = plain,
            "NICKNAME" => row.nickname = plain,
            "TITLE" => row.title = plain,
            "NOTE" => row.note = plain,
            "EMAIL" => drop(row.emails.insert(plain)),
            "CATEGORIES" => row.labels.extend(value.split(',').map(str::to_owned)),
            "PHOTO" => row.photo = value.rsplit(',').next().unwrap_or_default().to_owned(),
            _ => {}
        }
    }
    row
}
