//! A card edited until it says other content: only the lines of the entries that changed.

mod entry;
mod name;

pub(super) use name::{full_line, parts_line};

use super::compose::{self, Composed};
use super::doc::{Dialect, Doc, Prop};
use super::read::{Reading, Unit};
use super::say::{Fresh, Val, say};
use crate::contentline::charset::{self, Charset};
use crate::contentline::ours::{CARRY, CARRY_LIMIT, encode_carry, is_key};
use crate::{Content, Error, ErrorKind, Result, carry};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// `onto` edited so that it says `content`, which is settled ([`crate::card::settled`]) and not what it says already.
pub(super) fn edit(doc: &Doc, reading: &Reading, content: &Content) -> Result<Vec<u8>> {
    whole(content, |keyed| Editor::new(doc, reading, content, keyed).run())
}

/// The lines that say `content` in a card from nothing, but for FN and N. `keyed`: entries whose lines state their keys.
pub(super) fn lines(dialect: Dialect, content: &Content, keyed: BTreeSet<(String, String)>) -> Vec<Composed> {
    let (doc, reading) = (Doc::nothing(dialect), Reading::default());
    let mut editor = Editor::new(&doc, &reading, content, keyed);
    editor.sorting();
    editor.phonetic();
    editor.entries();
    editor.added
}

/// A card that says all of `content`: the lines of its version, then, from what these lines are read as, the keys that they
/// would not give by themselves, and the carry-all.
pub(super) fn whole(
    content: &Content,
    write: impl Fn(BTreeSet<(String, String)>) -> Result<Vec<u8>>,
) -> Result<Vec<u8>> {
    let bytes = write(BTreeSet::new())?;
    let (doc, now) = super::take_apart(&bytes)?;
    let displaced = displaced(&now.native, content);
    if displaced.is_empty() {
        return finish(&doc, &now, bytes, content);
    }
    // Some new lines got other keys than the content has: written once more, with those keys.
    let keyed = write(displaced)?;
    let (doc, now) = super::take_apart(&keyed)?;
    finish(&doc, &now, keyed, content)
}

/// Member and key of entries that stand under other keys than the content has.
fn displaced(native: &Content, content: &Content) -> BTreeSet<(String, String)> {
    let mut displaced = BTreeSet::new();
    for (member, map) in &native.0 {
        let (Some(map), Some(wanted)) = (map.as_object(), content.get(member).and_then(Value::as_object)) else {
            continue;
        };
        if map.keys().any(|key| !wanted.contains_key(key)) {
            let missing = wanted.keys().filter(|key| !map.contains_key(*key) && is_key(key));
            displaced.extend(missing.map(|key| (member.clone(), key.clone())));
        }
    }
    displaced
}

/// Puts the carry-all right.
fn finish(doc: &Doc, now: &Reading, bytes: Vec<u8>, content: &Content) -> Result<Vec<u8>> {
    let wanted = carry::make(&now.native, content, CARRY_LIMIT);
    if wanted.is_none() && now.carry.is_empty() {
        return Ok(bytes);
    }
    let mut edit = doc.file.edit();
    let mut old = now.carry.iter().filter_map(|at| doc.props.get(*at));
    if let Some(text) = wanted {
        let line = Fresh::new(CARRY, Val::Text(encode_carry(&text)));
        let physical = compose::fresh(None, &line, None, Dialect::V3, None).physical();
        match old.next() {
            Some(prop) => edit.replace(prop.line, physical),
            None => edit.insert_before(doc.end, physical),
        }
    }
    old.for_each(|prop| edit.remove(prop.line));
    encode(doc, edit.finish())
}

fn encode(doc: &Doc, bytes: Vec<u8>) -> Result<Vec<u8>> {
    let Some(wide) = doc.wide else { return Ok(bytes) };
    let text = String::from_utf8(bytes)
        .map_err(|_| Error::new(ErrorKind::Malformed, "the card is UTF-16 and cannot hold what is written"))?;
    Ok(charset::widen(&text, wide))
}

/// One run over a card.
struct Editor<'a> {
    doc: &'a Doc,
    reading: &'a Reading,
    full: Cow<'a, Content>,
    content: &'a Content,
    /// Entries whose new lines state their keys.
    keyed: BTreeSet<(String, String)>,
    /// What comes in the place of a property (empty: it goes).
    replaced: BTreeMap<usize, Vec<Composed>>,
    /// What comes after a property.
    after: BTreeMap<usize, Vec<Composed>>,
    /// What comes before the end of the card.
    added: Vec<Composed>,
    /// Items of lists that change: property, item, new text.
    items: BTreeMap<usize, BTreeMap<usize, Option<String>>>,
    /// How many properties use a group.
    users: HashMap<String, usize>,
    groups: BTreeSet<String>,
    next_group: usize,
    charset: Option<Charset>,
}

impl<'a> Editor<'a> {
    fn new(doc: &'a Doc, reading: &'a Reading, content: &'a Content, keyed: BTreeSet<(String, String)>) -> Self {
        let mut users: HashMap<String, usize> = HashMap::new();
        let mut groups = BTreeSet::new();
        for prop in &doc.props {
            if let Some(group) = prop.group() {
                groups.insert(group.clone());
                if !matches!(prop.name.as_str(), "X-ABLABEL" | "X-ABADR") {
                    *users.entry(group).or_default() += 1;
                }
            }
        }
        let lines = content.get("vCardProps").and_then(Value::as_object).into_iter().flatten();
        groups.extend(lines.filter_map(|(_, entry)| {
            let line = crate::contentline::ContentLine::parse(entry.get("line")?.as_str()?)?;
            Some(line.group()?.to_ascii_lowercase())
        }));
        let charset = doc.is_ansi.then_some(Charset::WINDOWS_1252);
        let full = reading.full();
        Self {
            doc,
            reading,
            full,
            content,
            keyed,
            replaced: BTreeMap::new(),
            after: BTreeMap::new(),
            added: Vec::new(),
            items: BTreeMap::new(),
            users,
            groups,
            next_group: 1,
            charset,
        }
    }

    fn run(mut self) -> Result<Vec<u8>> {
        self.full_name();
        self.parts();
        self.sorting();
        self.phonetic();
        self.entries();
        let doc = self.doc;
        let mut edit = doc.file.edit();
        let physical = |lines: &[Composed]| lines.iter().flat_map(Composed::physical).collect::<Vec<_>>();
        for (at, lines) in &self.replaced {
            let Some(prop) = doc.props.get(*at) else { continue };
            if lines.is_empty() { edit.remove(prop.line) } else { edit.replace(prop.line, physical(lines)) }
        }
        for (at, lines) in &self.after {
            if let Some(prop) = doc.props.get(*at) {
                edit.insert_before(prop.line + 1, physical(lines));
            }
        }
        edit.insert_before(doc.end, physical(&self.added));
        encode(doc, edit.finish())
    }

    /// All but the name.
    fn entries(&mut self) {
        let (reading, content) = (self.reading, self.content);
        let units: HashMap<(&str, &str), &Unit> =
            reading.units.iter().map(|unit| ((unit.member, unit.key.as_str()), unit)).collect();
        let mut gone: BTreeMap<&str, Vec<&Unit>> = BTreeMap::new();
        for unit in &reading.units {
            if entry(content, unit.member, &unit.key).is_none() && entry(&self.full, unit.member, &unit.key).is_some() {
                gone.entry(unit.member).or_default().push(unit);
            }
        }
        for (member, value) in content.0.iter().filter(|(member, _)| *member != "name") {
            let mut new = Vec::new();
            let whole = (String::new(), value);
            let entries: Vec<(&str, &Value)> = match value {
                Value::Object(map) => map.iter().map(|(key, entry)| (key.as_str(), entry)).collect(),
                _ => vec![(whole.0.as_str(), whole.1)],
            };
            for (key, wanted) in entries {
                if entry(&self.full, member, key) == Some(wanted) {
                    continue;
                }
                match units.get(&(member.as_str(), key)) {
                    Some(unit) => self.change(unit, key, wanted),
                    None => new.push((key, wanted)),
                }
            }
            if let Some(gone) = gone.get_mut(member.as_str()) {
                self.turn(gone, &mut new);
            }
            self.add(member, new);
        }
        gone.values().flatten().for_each(|unit| self.remove(unit));
        self.lists();
    }

    fn prop(&self, at: usize) -> Option<&'a Prop> {
        self.doc.props.get(at)
    }

    /// Entries whose key is their value get another key when the value changes: the line of one that goes becomes that of one
    /// that comes and is like it, or is the only one to come.
    fn turn(&mut self, gone: &mut Vec<&'a Unit>, new: &mut Vec<(&str, &Value)>) {
        let is_single = |unit: &&'a Unit| {
            TURNED.contains(&unit.member)
                && unit.places.len() == 1
                && unit.places.iter().all(|(_, item)| item.is_none())
        };
        let is_lone_pair = gone.len() == 1 && new.len() == 1;
        gone.retain(|unit| {
            let was = without_value(&self.native(unit));
            let like = |(_, wanted): &(&str, &Value)| is_lone_pair || without_value(wanted) == was;
            let Some(at) = new.iter().position(like).filter(|_| is_single(unit)) else { return true };
            let (key, wanted) = new.remove(at);
            self.change(unit, key, wanted);
            false
        });
    }

    fn add(&mut self, member: &str, mut new: Vec<(&str, &Value)>) {
        let ordinals: Vec<(&str, u32)> = new.iter().map(|(key, _)| ordinal(key)).collect();
        let mut last: HashMap<&str, u32> = HashMap::new();
        if ordinals.iter().any(|(plain, ordinal)| last.insert(plain, *ordinal).is_some_and(|before| before > *ordinal))
        {
            // Ordinals are given in the order of the lines.
            new.sort_by_key(|(key, _)| ordinal(key).1);
        }
        for (key, wanted) in new {
            if member == "vCardProps" {
                let line = self.own_line(wanted);
                self.added.extend(line);
                continue;
            }
            for fresh in say(member, key, wanted, self.doc.dialect, None) {
                let key = Some(key).filter(|key| self.keyed.contains(&(member.to_owned(), (*key).to_owned())));
                match &fresh.value {
                    Val::List(items) if key.is_none() => self.add_item(member, &fresh.name, items),
                    _ => {
                        let mut lines = Vec::new();
                        self.fresh_lines(&fresh, key, &mut lines);
                        self.added.extend(lines);
                    }
                }
            }
        }
    }

    // ---- lists --------------------------------------------------------------------------------------------------------

    /// Adds an item to the last line of its list; the line is made in [`Editor::lists`] if there is none.
    fn add_item(&mut self, member: &str, name: &str, items: &[String]) {
        let places = self.reading.units.iter().filter(|unit| unit.member == member).flat_map(|unit| &unit.places);
        let last = places.map(|(at, _)| *at).max();
        let at = last.unwrap_or(if name == "CATEGORIES" { usize::MAX } else { usize::MAX - 1 });
        let line = self.items.entry(at).or_default();
        for item in items {
            // Numbers past those of the items that are there.
            let next = line.keys().next_back().map_or(NEW_ITEMS, |last| (*last + 1).max(NEW_ITEMS));
            line.insert(next, Some(item.clone()));
        }
    }

    /// Writes the lists that changed.
    fn lists(&mut self) {
        for (at, changes) in std::mem::take(&mut self.items) {
            let Some(prop) = self.prop(at) else {
                let name = if at == usize::MAX { "CATEGORIES" } else { "NICKNAME" };
                let items: Vec<String> = changes.into_values().flatten().collect();
                let line = Fresh::new(name, Val::List(items));
                self.added.push(compose::fresh(None, &line, None, self.doc.dialect, self.charset));
                continue;
            };
            let old = prop.list();
            let mut new = Vec::new();
            for (i, item) in old.iter().enumerate() {
                match changes.get(&i) {
                    None => new.push(item.clone()),
                    Some(text) => new.extend(text.clone()),
                }
            }
            new.extend(changes.range(NEW_ITEMS..).filter_map(|(_, text)| text.clone()));
            let lines = if new.iter().all(String::is_empty) {
                Vec::new()
            } else {
                let pair = (Fresh::new(&prop.name, Val::List(old)), Fresh::new(&prop.name, Val::List(new)));
                vec![compose::edited(prop, prop.content.group(), (&pair.0, &pair.1), None, self.charset)]
            };
            self.replaced.insert(at, lines);
        }
    }
}

/// Members whose keys are made of values, one line each.
const TURNED: [&str; 10] = [
    "emails",
    "phones",
    "onlineServices",
    "links",
    "relatedTo",
    "calendars",
    "directories",
    "schedulingAddresses",
    "personalInfo",
    "preferredLanguages",
];

/// An entry without the value that its key is made of.
fn without_value(entry: &Value) -> Value {
    let mut entry = entry.clone();
    if let Value::Object(entry) = &mut entry {
        for value in ["address", "number", "uri", "user", "value", "language"] {
            entry.shift_remove(value);
        }
    }
    entry
}

/// Items from here on are new in a list.
const NEW_ITEMS: usize = 1 << 40;

/// One entry of a content; the member itself under the empty key.
fn entry<'c>(content: &'c Content, member: &str, key: &str) -> Option<&'c Value> {
    match content.get(member)? {
        Value::Object(map) => map.get(key),
        value => key.is_empty().then_some(value),
    }
}

/// The plain part of a key and its ordinal ([`crate::card::insert_as`]).
fn ordinal(key: &str) -> (&str, u32) {
    let split = key.rsplit_once('-').and_then(|(plain, number)| Some((plain, number.parse().ok()?)));
    split.filter(|(_, n)| *n >= 2).unwrap_or((key, 1))
}
