//! The lens of a contact: what a rendering says as a card, and how a rendering is edited until it says a given card. Pure.
//!
//! Google's fields hold what they have a place for (the *native* card); the rest travels in one `clientData` entry
//! ([`twofold_model::carry`]). Choices worth knowing:
//! * `name.full` is read only where `unstructuredName` has a word that the parts lack: Google makes the display name of the
//!   parts, in the order of the reader's language. A full name beside parts is never sent; one without parts is, as
//!   `unstructuredName`.
//! * Address and phone: `formattedValue` and `canonicalForm` are Google's own making and say nothing beside the parts.
//! * An HTML biography, `userDefined`, `externalIds`, genders, events other than the anniversary and everything unknown are
//!   left alone, and stay where they are through every edit.
//! * A photo whose bytes are not known is neither read nor touched (see [`super::rendering`]).

use serde_json::{Map, Value, json};
use twofold_model::{Content, Identity, Lens, Rendering, Result, card, carry};

use super::dates::{birthday, wedding, write_birthday, write_wedding};
use super::fields::{FIELDS, Field, word};
use super::name::{read_name, write_name};
use super::organizations::{read_organization, write_organizations};
use super::rendering::{
    CARRY_KEY, GROUPS, MARK_KEY, PHOTO, UID_KEY, client_data, parse, parse_read, photo_data, photo_url, serialise,
};
use super::wire::{Object, SINGLETONS, text};

/// The most that all `clientData` of a person may hold, in bytes. People documents no limit; this keeps far below what
/// contact services usually take for one entry.
pub const CLIENT_DATA_LIMIT: usize = 8000;

/// Reads and edits renderings of contacts.
#[derive(Clone, Copy, Debug, Default)]
pub struct ContactsLens;

impl ContactsLens {
    /// What Google's own fields say, without the carry-all.
    pub fn native(&self, rendering: &Rendering) -> Result<Content> {
        Ok(native(&parse_read(rendering)?, &mut Vec::new()))
    }
}

impl Lens for ContactsLens {
    fn read(&self, rendering: &Rendering) -> Result<Content> {
        let person = parse_read(rendering)?;
        let native = native(&person, &mut Vec::new());
        Ok(match client_data(&person, CARRY_KEY) {
            Some(carried) => carry::apply(&native, Some(carried)).into_owned(),
            None => native,
        })
    }

    fn write(&self, onto: Option<&Rendering>, content: &Content, identity: &Identity) -> Result<Rendering> {
        let content = content.clone().tidied();
        let Some(onto) = onto else {
            let mut person = Object::new();
            edit(&mut person, &content);
            add_identity(&mut person, identity);
            return Ok(serialise(&person));
        };
        let original = parse(onto)?;
        let mut person = original.clone();
        edit(&mut person, &content);
        Ok(if person == original { onto.clone() } else { serialise(&person) })
    }

    fn native(&self, rendering: &Rendering) -> Result<Content> {
        ContactsLens::native(self, rendering)
    }

    fn settle_unknown(&self, last: &Rendering, now: Rendering) -> Rendering {
        let Ok(mut person) = parse(&now) else { return now };
        let lacks_photo = photo_url(&person).is_some() && photo_data(&person).is_none();
        let lacks_carry = client_data(&person, CARRY_KEY).is_none();
        let Some(last) = (lacks_photo || lacks_carry).then(|| parse(last).ok()).flatten() else { return now };
        let mut is_settled = false;
        // With its own address: should that differ from today's, the photo is fetched at the next occasion.
        if let Some(photo) = last.get(PHOTO).filter(|_| lacks_photo && photo_data(&last).is_some()) {
            person.insert(PHOTO.into(), photo.clone());
            is_settled = true;
        }
        // We never take the carry-all away (an emptied one keeps its header), and a person cannot: where it is gone, it was
        // dropped by a program that does not know it, and what it held was not removed by anybody.
        if lacks_carry && client_data(&last, CARRY_KEY).is_some() {
            for key in [MARK_KEY, UID_KEY, CARRY_KEY] {
                if let (None, Some(value)) = (client_data(&person, key), client_data(&last, key)) {
                    let value = json!({"key": key, "value": value});
                    match person.entry("clientData").or_insert_with(|| json!([])) {
                        Value::Array(items) => items.push(value),
                        other => *other = json!([value]),
                    }
                }
            }
            is_settled = true;
        }
        if is_settled { serialise(&person) } else { now }
    }
}

/// Where an entry was read.
pub(super) struct Origin {
    items: &'static str,
    index: usize,
    member: &'static str,
    key: String,
}

/// Collects what is read.
struct Reader<'a> {
    person: &'a Object,
    card: Object,
    origins: &'a mut Vec<Origin>,
}

impl<'a> Reader<'a> {
    fn items(&self, field: &str) -> impl Iterator<Item = (usize, &'a Object)> + use<'a> {
        items(self.person, field)
    }

    fn add(&mut self, from: (&'static str, usize), member: &'static str, key: String, entry: Value) {
        let map = self.card.entry(member).or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(map) = map {
            let key = card::insert_as(map, key, entry);
            self.origins.push(Origin { items: from.0, index: from.1, member, key });
        }
    }
}

/// The items of a field that are objects, with their places.
pub(super) fn items<'a>(person: &'a Object, field: &str) -> impl Iterator<Item = (usize, &'a Object)> + use<'a> {
    let list = person.get(field).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    list.iter().enumerate().filter_map(|(i, item)| Some((i, item.as_object()?)))
}

/// What Google's own fields say.
fn native(person: &Object, origins: &mut Vec<Origin>) -> Content {
    let mut reader = Reader { person, card: Object::new(), origins };
    if let Some((_, item)) = reader.items("names").next()
        && let Some(name) = read_name(item)
    {
        reader.card.insert("name".into(), name);
    }
    for (i, item) in reader.items("organizations") {
        if let Some(entry) = read_organization(item) {
            reader.add(("organizations", i), "organizations", card::keys::ORGANIZATION.into(), entry);
        }
        if let Some(title) = filled(item, "title") {
            let entry = json!({"name": title, "kind": "title"});
            reader.add(("organizations", i), "titles", card::keys::TITLE.into(), entry);
        }
    }
    for field in &FIELDS {
        read_field(&mut reader, field);
    }
    for (items, key, found) in
        [("birthdays", card::keys::BIRTH, birthday(person)), ("events", card::keys::WEDDING, wedding(person))]
    {
        if let Some((i, mut entry)) = found {
            entry["kind"] = Value::from(key);
            reader.add((items, i), "anniversaries", key.into(), entry);
        }
    }
    if let Some((i, note)) = note(person) {
        reader.add(("biographies", i), "notes", card::keys::NOTE.into(), json!({"note": note}));
    }
    let mut related = Map::new();
    for (who, what) in items(person, "relations").filter_map(|(_, item)| relation(item)) {
        let entry = related.entry(who).or_insert_with(|| json!({"relation": {}}));
        entry["relation"][what] = Value::Bool(true);
    }
    let names = person.get(GROUPS).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let keywords: Map<String, Value> = names.map(|name| (name.to_owned(), Value::Bool(true))).collect();
    let mut media = Map::new();
    if let Some((media_type, data)) = photo_data(person) {
        let uri = format!("data:{media_type};base64,{data}");
        media.insert(card::keys::PHOTO.into(), json!({"kind": "photo", "uri": uri}));
    }
    for (member, map) in [("relatedTo", related), ("keywords", keywords), ("media", media)] {
        if !map.is_empty() {
            reader.card.insert(member.into(), Value::Object(map));
        }
    }
    Content(reader.card)
}

fn read_field(reader: &mut Reader<'_>, field: &'static Field) {
    for (i, item) in reader.items(field.items) {
        let Some(entry) = (field.read)(item) else { continue };
        let key = match (field.key)(&entry) {
            super::fields::Key::Identity(identity) => card::key(&identity),
            super::fields::Key::Plain(word) => word.to_owned(),
        };
        reader.add((field.items, i), field.member, key, entry);
    }
}

/// Makes the person say `content`: fields first, the carry-all for the rest. Nothing happens where it says so already.
fn edit(person: &mut Object, content: &Content) {
    let mut origins = Vec::new();
    let before = native(person, &mut origins);
    let carried = client_data(person, CARRY_KEY);
    if *carry::apply(&before, carried) == *content {
        return;
    }
    let has_carried = carried.is_some();
    write_name(person, &before, content);
    write_organizations(person, &before, content, &origins);
    for field in &FIELDS {
        write_field(person, field, &before, content, &origins);
    }
    write_birthday(person, content);
    write_wedding(person, content);
    write_note(person, content);
    write_relations(person, content);
    write_groups(person, content);
    write_photo(person, content);
    let after = native(person, &mut Vec::new());
    match carry::make(&after, content, room_for_carry(person)) {
        Some(text) => set_client_data(person, CARRY_KEY, &text),
        // People does not drop entries, so an emptied one stays as its header.
        None if has_carried => set_client_data(person, CARRY_KEY, &carry::emptied()),
        None => {}
    }
}

/// A text member with something to see in it.
pub(super) fn filled<'a>(item: &'a Object, name: &str) -> Option<&'a str> {
    text(item, name).filter(|text| !text.trim().is_empty())
}

/// The list of a field, made if need be.
pub(super) fn list<'a>(person: &'a mut Object, field: &str) -> &'a mut Vec<Value> {
    let value = person.entry(field).or_insert_with(|| Value::Array(Vec::new()));
    if !value.is_array() {
        *value = Value::Array(Vec::new());
    }
    match value {
        Value::Array(list) => list,
        // Invariant: made an array above.
        _ => unreachable!("an array"),
    }
}

/// Drops the list of a field when nothing is in it; of a singleton that was edited, all but the item edited.
pub(super) fn tidy_list(person: &mut Object, field: &str, edited: Option<usize>) {
    if let Some(Value::Array(list)) = person.get_mut(field) {
        if let Some(edited) = edited.filter(|_| SINGLETONS.contains(&field) && list.len() > 1) {
            // More than one per source is refused.
            *list = vec![list.swap_remove(edited)];
        }
        if list.is_empty() {
            person.shift_remove(field);
        }
    }
}

/// The entries of a member of a card.
pub(super) fn entries<'a>(content: &'a Content, member: &str) -> impl Iterator<Item = (&'a str, &'a Value)> + use<'a> {
    content.get(member).and_then(Value::as_object).into_iter().flatten().map(|(key, entry)| (key.as_str(), entry))
}

/// Whether an existing entry, by key and value, is to become a wanted one.
type Fit = fn((&str, &Value), (&str, &Value)) -> bool;

/// For each existing entry the wanted one that it shall become: the same entry, else one that says the same, else one under
/// its key. Each wanted entry is given once.
pub(super) fn pair(existing: &[(&str, &Value)], wanted: &[(&str, &Value)]) -> Vec<Option<usize>> {
    let mut partner: Vec<Option<usize>> = vec![None; existing.len()];
    let mut taken = vec![false; wanted.len()];
    let fits: [Fit; 3] = [|a, b| a == b, |a, b| a.1 == b.1, |a, b| a.0 == b.0];
    for fits in fits {
        for (i, old) in existing.iter().enumerate() {
            if partner[i].is_none()
                && let Some(found) = (0..wanted.len()).find(|w| !taken[*w] && fits(*old, wanted[*w]))
            {
                partner[i] = Some(found);
                taken[found] = true;
            }
        }
    }
    partner
}

/// The entries that were read from a field, with the index of their item.
pub(super) fn read_from<'a>(
    origins: &'a [Origin],
    before: &'a Content,
    items: &str,
    member: &str,
) -> (Vec<usize>, Vec<(&'a str, &'a Value)>) {
    let ours = origins.iter().filter(|origin| origin.items == items && origin.member == member);
    ours.filter_map(|origin| Some((origin.index, (origin.key.as_str(), before.at(&[member, &origin.key])?)))).unzip()
}

fn write_field(person: &mut Object, field: &Field, before: &Content, content: &Content, origins: &[Origin]) {
    let (indices, existing) = read_from(origins, before, field.items, field.member);
    let wanted: Vec<(&str, &Value)> =
        entries(content, field.member).filter(|(_, entry)| (field.takes)(entry)).collect();
    if existing == wanted {
        return;
    }
    let partner = pair(&existing, &wanted);
    let items = list(person, field.items);
    let mut dropped = Vec::new();
    for ((index, (_, old)), partner) in indices.iter().zip(&existing).zip(&partner) {
        match (partner, &mut items[*index]) {
            (Some(new), Value::Object(item)) => (field.edit)(item, old, wanted[*new].1),
            _ => dropped.push(*index),
        }
    }
    drop_items(items, &dropped);
    for (_, new) in wanted.iter().enumerate().filter(|(i, _)| !partner.contains(&Some(*i))) {
        let mut item = Object::new();
        (field.edit)(&mut item, &Value::Null, new.1);
        items.push(Value::Object(item));
    }
    tidy_list(person, field.items, None);
}

/// Drops the items at these places.
pub(super) fn drop_items(items: &mut Vec<Value>, dropped: &[usize]) {
    let mut index = 0;
    items.retain(|_| {
        index += 1;
        !dropped.contains(&(index - 1))
    });
}

/// Edits the item at `index`, or a new one at the end; gives its index.
pub(super) fn edit_item(
    person: &mut Object,
    field: &str,
    index: Option<usize>,
    edit: impl FnOnce(&mut Object),
) -> usize {
    let list = list(person, field);
    let index = index.unwrap_or_else(|| {
        list.push(Value::Object(Object::new()));
        list.len() - 1
    });
    if let Some(Value::Object(item)) = list.get_mut(index) {
        edit(item);
    }
    index
}

// ---- note, relations, groups, photo ---------------------------------------------------------------------------------

/// The first plain biography, line ends LF.
fn note(person: &Object) -> Option<(usize, String)> {
    items(person, "biographies").find_map(|(i, item)| {
        let is_plain = !matches!(text(item, "contentType"), Some("TEXT_HTML"));
        let value = filled(item, "value").filter(|_| is_plain)?;
        Some((i, value.replace("\r\n", "\n").replace('\r', "\n")))
    })
}

fn write_note(person: &mut Object, content: &Content) {
    let entry = content.at(&["notes", card::keys::NOTE]);
    let wanted = entry.map(|entry| word(entry, "note")).filter(|note| !note.trim().is_empty());
    match (note(person), wanted) {
        (None, None) => {}
        (Some((_, old)), Some(new)) if old == new => {}
        (Some((index, _)), None) => {
            list(person, "biographies").remove(index);
            tidy_list(person, "biographies", None);
        }
        // An HTML biography stands in the only place there is: the note travels in the carry-all.
        (None, Some(_)) if items(person, "biographies").any(|(_, item)| filled(item, "value").is_some()) => {}
        (old, Some(new)) => {
            let index = edit_item(person, "biographies", old.map(|(index, _)| index), |item| {
                item.insert("value".into(), Value::from(new));
                item.insert("contentType".into(), Value::from("TEXT_PLAIN"));
            });
            tidy_list(person, "biographies", Some(index));
        }
    }
}

/// Who and what; a relation without a type says nothing that a card could.
fn relation(item: &Object) -> Option<(String, &str)> {
    let what = match filled(item, "type")? {
        "relative" => "kin",
        other => other,
    };
    Some((filled(item, "person")?.to_owned(), what))
}

/// Whether a related person is named by a URI, for which Google has no place.
fn is_uri(who: &str) -> bool {
    let Some((scheme, rest)) = who.split_once(':') else { return false };
    let is_scheme = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(is_scheme)
        && !rest.starts_with([' ', '\t'])
}

fn write_relations(person: &mut Object, content: &Content) {
    let mut wanted: Vec<(String, &str)> = entries(content, "relatedTo")
        .filter(|(who, _)| !is_uri(who) && !who.trim().is_empty())
        .flat_map(|(who, entry)| {
            let whats = entry.get("relation").and_then(Value::as_object).into_iter().flatten();
            let said = whats.filter(|(what, is)| **is == Value::Bool(true) && !what.trim().is_empty());
            said.map(move |(what, _)| (who.to_owned(), what.as_str()))
        })
        .collect();
    let mut dropped = Vec::new();
    let mut told: Vec<(String, &str)> = Vec::new();
    for (i, existing) in items(person, "relations").filter_map(|(i, item)| Some((i, relation(item)?))) {
        if let Some(at) = wanted.iter().position(|wanted| *wanted == existing) {
            wanted.remove(at);
            told.push(existing);
        } else if !told.contains(&existing) {
            dropped.push(i);
        }
    }
    if dropped.is_empty() && wanted.is_empty() {
        return;
    }
    let list = list(person, "relations");
    drop_items(list, &dropped);
    for (who, what) in wanted {
        let kind = if what == "kin" { "relative" } else { what };
        list.push(json!({"person": who, "type": kind}));
    }
    tidy_list(person, "relations", None);
}

fn write_groups(person: &mut Object, content: &Content) {
    let wanted: Vec<&str> = entries(content, "keywords")
        .filter(|(name, is)| **is == Value::Bool(true) && !name.trim().is_empty())
        .map(|(name, _)| name)
        .collect();
    let groups = list(person, GROUPS);
    groups.retain(|group| group.as_str().is_some_and(|group| wanted.contains(&group)));
    for name in wanted {
        if !groups.iter().any(|group| group.as_str() == Some(name)) {
            groups.push(Value::from(name));
        }
    }
    tidy_list(person, GROUPS, None);
}

fn write_photo(person: &mut Object, content: &Content) {
    if photo_url(person).is_some() && photo_data(person).is_none() {
        // Not known here, so not to be replaced unseen.
        return;
    }
    let entry = content.at(&["media", card::keys::PHOTO]).filter(|entry| word(entry, "kind") == "photo");
    let wanted = entry.and_then(|entry| {
        let uri = word(entry, "uri");
        let (media_type, _) = card::from_data_uri(uri).filter(|(media_type, _)| media_type.starts_with("image/"))?;
        Some((media_type, uri.split_once(',')?.1))
    });
    match wanted {
        None => {
            person.shift_remove(PHOTO);
        }
        Some((media_type, data)) if photo_data(person) == Some((&media_type, data)) => {}
        Some((media_type, data)) => {
            person.insert(PHOTO.into(), json!({"type": media_type, "data": data}));
        }
    }
}

// ---- client data ----------------------------------------------------------------------------------------------------

/// How many bytes are left for the carry-all beside what others keep there.
fn room_for_carry(person: &Object) -> usize {
    let others = items(person, "clientData").filter(|(_, entry)| text(entry, "key") != Some(CARRY_KEY));
    let size = |entry: &Object| text(entry, "key").map_or(0, str::len) + text(entry, "value").map_or(0, str::len);
    // Our mark and UID may still be missing.
    let ours = 200;
    CLIENT_DATA_LIMIT.saturating_sub(ours + others.map(|(_, entry)| size(entry)).sum::<usize>())
}

/// Sets every entry of that key, so that it does not matter which one is found first; adds one where there is none.
fn set_client_data(person: &mut Object, key: &str, value: &str) {
    let entries = list(person, "clientData");
    let mut is_there = false;
    for entry in entries.iter_mut().filter_map(Value::as_object_mut).filter(|entry| text(entry, "key") == Some(key)) {
        is_there = true;
        entry.insert("value".into(), Value::from(value));
    }
    if !is_there {
        entries.push(json!({"key": key, "value": value}));
    }
}

fn add_identity(person: &mut Object, identity: &Identity) {
    set_client_data(person, UID_KEY, identity.uid.as_str());
    if let Some(mark) = &identity.mark {
        set_client_data(person, MARK_KEY, &mark.to_string());
    }
}
