//! What a place says, as rows; and people, read plainly from the provider's JSON or the text of a card: none of the product's
//! own readers is asked, so that a mistake of theirs is not repeated here.

use super::scenarios::{Field, Side};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;
use twofold_sandbox::{Request, Sandbox};

/// A person, an event or an occurrence of a series, in the fields that the scenarios change. What is not there says nothing.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    pub name: String,
    says: BTreeMap<Field, BTreeSet<String>>,
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.name, self.says)
    }
}

impl Row {
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    pub fn named(self, name: impl Into<String>) -> Self {
        Self { name: name.into(), ..self }
    }

    /// Adds to what it says of a field.
    pub fn with(mut self, field: Field, value: impl Into<String>) -> Self {
        let value = value.into();
        if !value.is_empty() {
            self.says.entry(field).or_default().insert(value);
        }
        self
    }

    pub fn with_all(self, field: Field, values: impl IntoIterator<Item = String>) -> Self {
        values.into_iter().fold(self, |row, value| row.with(field, value))
    }

    pub fn without(mut self, field: Field) -> Self {
        self.says.remove(&field);
        self
    }

    pub fn all(&self, field: Field) -> BTreeSet<String> {
        self.says.get(&field).cloned().unwrap_or_default()
    }

    /// An empty value: it says nothing there.
    pub fn holds(&self, field: Field, value: &str) -> bool {
        let says = self.says.get(&field);
        if value.is_empty() { says.is_none() } else { says.is_some_and(|all| all.contains(value)) }
    }
}

pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

pub fn each<'a>(value: &'a Value, key: &'static str) -> impl Iterator<Item = String> + 'a {
    value
        .as_array()
        .into_iter()
        .flatten()
        .map(move |entry| if key.is_empty() { text(entry) } else { text(&entry[key]) })
}

/// Everybody at a provider.
pub fn people_at(sandbox: &Sandbox, side: Side) -> Vec<Row> {
    match side {
        Side::Google => {
            let groups = sandbox.with(|state| state.dump())["google"]["groups"].clone();
            sandbox.google_people().iter().map(|person| google(sandbox, person, &groups)).collect()
        }
        Side::Microsoft => sandbox.graph_contacts().iter().map(microsoft).collect(),
    }
}

fn google(sandbox: &Sandbox, person: &Value, groups: &Value) -> Row {
    let labels = person["memberships"].as_array().into_iter().flatten();
    let labels = labels.map(|entry| text(&entry["contactGroupMembership"]["contactGroupResourceName"]));
    let photos = person["photos"].as_array().into_iter().flatten();
    let photo = photos.filter(|photo| photo["default"] != true).map(|photo| text(&photo["url"])).next();
    Row::new(text(&person["names"][0]["displayName"]))
        .with(Field::Nickname, text(&person["nicknames"][0]["value"]))
        .with(Field::Title, text(&person["organizations"][0]["title"]))
        .with(Field::Note, text(&person["biographies"][0]["value"]))
        .with_all(Field::Email, each(&person["emailAddresses"], "value"))
        .with_all(Field::Label, labels.filter_map(|name| groups.get(&name).map(text)))
        .with(Field::Photo, photo.map(|url| google_photo(sandbox, &url)).unwrap_or_default())
}

fn google_photo(sandbox: &Sandbox, url: &str) -> String {
    let path = url.find("/google-photos/").map_or(url, |at| &url[at..]);
    let reply = sandbox.handle(&Request::get(path));
    assert_eq!(reply.status, 200, "{url}");
    base64(&reply.body)
}

fn microsoft(contact: &Value) -> Row {
    Row::new(text(&contact["displayName"]))
        .with(Field::Nickname, text(&contact["nickName"]))
        .with(Field::Title, text(&contact["jobTitle"]))
        .with(Field::Note, text(&contact["personalNotes"]))
        .with_all(Field::Email, each(&contact["emailAddresses"], "address"))
        .with_all(Field::Label, each(&contact["categories"], ""))
        .with(Field::Photo, text(&contact["photo"]["base64"]))
}

const SIXTY_FOUR: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Bytes in base64; a few lines spare the tests a package.
pub fn base64(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let word = (0..3).fold(0_usize, |word, at| word << 8 | usize::from(chunk.get(at).copied().unwrap_or(0)));
        for at in 0..4 {
            let letter = char::from(SIXTY_FOUR[word >> (18 - 6 * at) & 63]);
            text.push(if at <= chunk.len() { letter } else { '=' });
        }
    }
    text
}

/// The bytes of a text in base64.
pub fn from_base64(text: &str) -> Vec<u8> {
    let values = text.bytes().filter_map(|letter| SIXTY_FOUR.iter().position(|known| *known == letter));
    let values: Vec<usize> = values.collect();
    let bytes = values.chunks(4).flat_map(|chunk| {
        let word = (0..4).fold(0, |word, at| word << 6 | chunk.get(at).copied().unwrap_or(0));
        [word >> 16, word >> 8, word].into_iter().take(chunk.len() * 3 / 4).map(|byte| (byte & 255) as u8)
    });
    bytes.collect()
}

/// The files of a folder whose names end so, by name.
pub fn files(folder: &Path, end: &str) -> BTreeMap<String, String> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files = BTreeMap::new();
    for entry in entries {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.ends_with(end) && !name.starts_with('.') {
            files.insert(name, std::fs::read_to_string(&path).unwrap());
        }
    }
    files
}

/// Everybody in a folder.
pub fn people_in(folder: &Path) -> Vec<Row> {
    files(folder, ".vcf").values().map(|card| read_card(card)).collect()
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
        let plain = unescaped(value);
        row = match property(&line).as_str() {
            "FN" => row.named(plain),
            "NICKNAME" => row.with(Field::Nickname, plain),
            "TITLE" => row.with(Field::Title, plain),
            "NOTE" => row.with(Field::Note, plain),
            "EMAIL" => row.with(Field::Email, plain),
            "CATEGORIES" => row.with_all(Field::Label, value.split(',').map(str::to_owned)),
            "PHOTO" => row.with(Field::Photo, value.rsplit(',').next().unwrap_or_default()),
            _ => row,
        };
    }
    row
}

/// A text value as it is meant.
pub fn unescaped(value: &str) -> String {
    value.replace("\\,", ",").replace("\\;", ";").replace("\\n", "\n")
}
