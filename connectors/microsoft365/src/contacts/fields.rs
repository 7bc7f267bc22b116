//! The fields of a Graph contact, group by group: what they say as members of a card ([`read`]), and how they are edited until
//! they say as much of a card as they can ([`edit`]). The keys of entries are those of `twofold_model::card`.
//!
//! A field is touched only when what it says differs from what it shall say. Lists have few places (three e-mail addresses,
//! two business phones): who is in stays in, free places are filled by PREF, then in the order met. What finds no place, or is
//! said more precisely than the field can, is not our concern here: the carry-all takes every difference that is left.

use super::wire::Contact;
use chrono::{DateTime, Datelike, NaiveDate};
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::collections::HashSet;
use twofold_model::card::{self, derived_name, email_identity, keys, phone_identity};
use twofold_model::content::Content;

/// How many e-mail addresses the server takes. [i:docs#15276]
const EMAILS: usize = 3;
/// How many business phones the server takes. [i:docs#15276]
const BUSINESS_PHONES: usize = 2;
/// How many home phones the server takes (G: same shape).
const HOME_PHONES: usize = 2;
/// How many instant-messaging addresses the server takes (G: same shape).
const IM_ADDRESSES: usize = 3;

/// Name part, its field, the field with its phonetic reading.
const NAME_PARTS: [(&str, &str, Option<&str>); 5] = [
    ("title", "title", None),
    ("given", "givenName", Some("yomiGivenName")),
    ("given2", "middleName", None),
    ("surname", "surname", Some("yomiSurname")),
    // What stands behind a name is one field here and one part of N: a card calls it a credential, as from the other places.
    ("credential", "generation", None),
];

/// Field, key of the address in the card, its context.
const ADDRESSES: [(&str, &str, Option<&str>); 3] = [
    ("homeAddress", "home", Some("private")),
    ("businessAddress", "work", Some("work")),
    ("otherAddress", "other", None),
];

/// Address part and its field, in the card's order.
const ADDRESS_PARTS: [(&str, &str); 5] = [
    ("name", "street"),
    ("locality", "city"),
    ("region", "state"),
    ("postcode", "postalCode"),
    ("country", "countryOrRegion"),
];

/// Relation and the field that names one person of it; `children` is a list of its own.
const RELATIONS: [(&str, &str); 3] = [("spouse", "spouseName"), ("manager", "manager"), ("assistant", "assistantName")];

/// Fields that a card has no member for: they travel as a vCard line of this name.
const LINES: [(&str, &str); 3] =
    [("X-INITIALS", "initials"), ("X-PHONETIC-ORG", "yomiCompanyName"), ("X-OFFICE", "officeLocation")];

/// Whether a kind of name part has a field here.
pub(super) fn has_name_part(kind: &str) -> bool {
    NAME_PARTS.iter().any(|(name, _, _)| *name == kind)
}

/// Whether a kind of address part has a field here.
pub(super) fn has_address_part(kind: &str) -> bool {
    ADDRESS_PARTS.iter().any(|(name, _)| *name == kind)
}

/// What the fields say.
pub(super) fn read(contact: &Contact) -> Content {
    let mut card = Map::new();
    let mut put = |member: &str, value: Map<String, Value>| {
        if !value.is_empty() {
            card.insert(member.to_owned(), Value::Object(value));
        }
    };
    put("name", read_name(contact));
    put("nicknames", read_single(contact, "nickName", |name| (card::key(name), json!({"name": name}))));
    put("organizations", read_organization(contact));
    put("titles", read_titles(contact));
    put("emails", read_emails(contact));
    put("phones", read_phones(contact));
    put("onlineServices", read_online_services(contact));
    put("addresses", read_addresses(contact));
    put("anniversaries", read_birthday(contact));
    put("notes", read_single(contact, "personalNotes", |note| (keys::NOTE.to_owned(), json!({"note": lf(note)}))));
    put("links", read_single(contact, "businessHomePage", |uri| (card::key(uri), json!({"uri": uri}))));
    put("relatedTo", read_relations(contact));
    put("keywords", texts(contact, "categories").map(|word| (word.to_owned(), Value::Bool(true))).collect());
    put("vCardProps", read_lines(contact));
    Content(card)
}

/// Edits the fields until they say as much of the card as they can.
pub(super) fn edit(contact: &mut Contact, card: &Content) {
    edit_name(contact, card);
    edit_nickname(contact, card);
    edit_organization(contact, card);
    edit_titles(contact, card);
    edit_emails(contact, card);
    edit_phones(contact, card);
    edit_online_services(contact, card);
    edit_addresses(contact, card);
    edit_birthday(contact, card);
    edit_lines_of_text(contact, "personalNotes", text_at(card, &["notes", keys::NOTE, "note"]));
    edit_link(contact, card);
    edit_relations(contact, card);
    edit_categories(contact, card);
    edit_lines(contact, card);
}

// Plain fields

/// A field's text; blank text says nothing.
fn text<'a>(contact: &'a Contact, field: &str) -> Option<&'a str> {
    contact.text(field).filter(|text| !text.trim().is_empty())
}

/// The texts of a list.
fn texts<'a>(contact: &'a Contact, field: &str) -> impl Iterator<Item = &'a str> {
    let list = contact.0.get(field).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    list.iter().filter_map(Value::as_str).filter(|text| !text.trim().is_empty())
}

/// Whether a text can be sent: only characters that XML allows (Exchange refuses others; G).
fn is_sendable(text: &str) -> bool {
    let is_illegal =
        |c: char| matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}');
    !text.contains(is_illegal)
}

/// A text of the card; blank text cannot stand in a field.
fn text_at<'a>(card: &'a Content, path: &[&str]) -> Option<&'a str> {
    card.at(path).and_then(Value::as_str).filter(|text| !text.trim().is_empty())
}

/// A text of an entry of the card.
fn text_of<'a>(entry: &'a Value, name: &str) -> Option<&'a str> {
    entry.get(name)?.as_str().filter(|text| !text.trim().is_empty())
}

fn member<'a>(card: &'a Content, name: &str) -> Option<&'a Map<String, Value>> {
    card.get(name)?.as_object()
}

/// Line ends as a card has them.
fn lf(text: &str) -> Cow<'_, str> {
    if text.contains('\r') { Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n")) } else { Cow::Borrowed(text) }
}

fn edit_text(contact: &mut Contact, field: &str, wanted: Option<&str>) {
    let now = text(contact, field);
    if now == wanted {
        return;
    }
    let wanted = wanted.filter(|text| is_sendable(text));
    // A null is never gratuitous: only what had a value is unset.
    if now.is_some() || wanted.is_some() {
        contact.0.insert(field.to_owned(), wanted.map_or(Value::Null, Value::from));
    }
}

/// As [`edit_text`], for a text of several lines: line ends are CRLF there and LF here, and are no difference.
fn edit_lines_of_text(contact: &mut Contact, field: &str, wanted: Option<&str>) {
    if text(contact, field).map(lf) != wanted.map(lf) {
        edit_text(contact, field, wanted.map(crlf).as_deref());
    }
}

fn crlf(text: &str) -> String {
    lf(text).replace('\n', "\r\n")
}

fn read_single(contact: &Contact, field: &str, entry: impl Fn(&str) -> (String, Value)) -> Map<String, Value> {
    text(contact, field).map(entry).into_iter().collect()
}

/// The text of the entry that stands in a field for one: the entry that is in, else the first by PREF and order that fits.
fn chosen<'a>(
    entries: Option<&'a Map<String, Value>>,
    is_in: Option<&str>,
    show: impl Fn(&'a str, &'a Value) -> Option<Cow<'a, str>>,
    fits: impl Fn(&str, &Value) -> bool,
) -> Option<Cow<'a, str>> {
    let entries = entries?;
    let stays = is_in.and_then(|key| entries.get_key_value(key)).and_then(|(key, entry)| show(key, entry));
    stays.or_else(|| {
        let fitting = entries.iter().filter(|(key, entry)| fits(key, entry));
        let shown = fitting.filter_map(|(key, entry)| Some((preference(entry), show(key, entry)?)));
        shown.filter(|(_, text)| is_sendable(text)).min_by_key(|(preference, _)| *preference).map(|(_, text)| text)
    })
}

/// PREF of an entry, 101 where none is stated (RFC 9553 1.5.4: lower is preferred).
fn preference(entry: &Value) -> u64 {
    entry.get("pref").and_then(Value::as_u64).unwrap_or(101)
}

// Name

fn read_name(contact: &Contact) -> Map<String, Value> {
    let mut name = Map::new();
    if let Some(full) = text(contact, "displayName") {
        name.insert("full".to_owned(), full.into());
    }
    let mut components = Vec::new();
    for (kind, field, phonetic) in NAME_PARTS {
        let (value, phonetic) = (text(contact, field), phonetic.and_then(|field| text(contact, field)));
        if value.is_none() && phonetic.is_none() {
            continue;
        }
        let mut component = json!({"kind": kind, "value": value.unwrap_or_default()});
        if let Some(phonetic) = phonetic {
            component["phonetic"] = phonetic.into();
        }
        components.push(component);
    }
    if !components.is_empty() {
        name.insert("components".to_owned(), components.into());
    }
    name
}

/// A contact from nothing shows a name, also where the card has none of its own.
pub fn name_from_nothing(contact: &mut Contact, card: &Content) {
    if text(contact, "displayName").is_none() {
        edit_text(contact, "displayName", derived_name(card).as_deref());
    }
}

fn edit_name(contact: &mut Contact, card: &Content) {
    // A card without a full name of its own shows what the rest of it says; a display name made of older parts follows.
    match text_at(card, &["name", "full"]) {
        Some(full) => edit_text(contact, "displayName", Some(full)),
        None if text(contact, "displayName").is_some() => {
            edit_text(contact, "displayName", derived_name(card).as_deref());
        }
        None => {}
    }
    let components = card.at(&["name", "components"]);
    for (kind, field, phonetic) in NAME_PARTS {
        edit_text(contact, field, parts(components, kind, " ").as_deref());
        let Some(phonetic) = phonetic else { continue };
        let of_kind = components.and_then(Value::as_array).into_iter().flatten().filter(|part| part["kind"] == kind);
        let reading = of_kind.filter_map(|part| part.get("phonetic")?.as_str()).find(|text| !text.trim().is_empty());
        edit_text(contact, phonetic, reading);
    }
}

/// The values of all parts of one kind, joined.
fn parts(components: Option<&Value>, kind: &str, joint: &str) -> Option<String> {
    let of_kind = components?.as_array()?.iter().filter(|part| part.get("kind").is_some_and(|k| k == kind));
    let values: Vec<&str> = of_kind.filter_map(|part| text_of(part, "value")).collect();
    (!values.is_empty()).then(|| values.join(joint))
}

fn edit_nickname(contact: &mut Contact, card: &Content) {
    let is_in = text(contact, "nickName").map(card::key);
    let show = |_, entry| text_of(entry, "name").map(Cow::Borrowed);
    let wanted = chosen(member(card, "nicknames"), is_in.as_deref(), show, |_, _| true);
    edit_text(contact, "nickName", wanted.as_deref());
}

// Work

fn read_organization(contact: &Contact) -> Map<String, Value> {
    let mut organization = Map::new();
    if let Some(name) = text(contact, "companyName") {
        organization.insert("name".to_owned(), name.into());
    }
    if let Some(unit) = text(contact, "department") {
        organization.insert("units".to_owned(), json!([{"name": unit}]));
    }
    let key = keys::ORGANIZATION.to_owned();
    if organization.is_empty() { Map::new() } else { [(key, Value::Object(organization))].into_iter().collect() }
}

fn edit_organization(contact: &mut Contact, card: &Content) {
    edit_text(contact, "companyName", text_at(card, &["organizations", keys::ORGANIZATION, "name"]));
    let units = card.at(&["organizations", keys::ORGANIZATION, "units"]);
    edit_text(contact, "department", units.and_then(|units| text_of(units.get(0)?, "name")));
}

fn read_titles(contact: &Contact) -> Map<String, Value> {
    let mut titles = Map::new();
    for (key, field) in [(keys::TITLE, "jobTitle"), (keys::ROLE, "profession")] {
        if let Some(name) = text(contact, field) {
            titles.insert(key.to_owned(), json!({"name": name, "kind": key}));
        }
    }
    titles
}

fn edit_titles(contact: &mut Contact, card: &Content) {
    for (key, field) in [(keys::TITLE, "jobTitle"), (keys::ROLE, "profession")] {
        edit_text(contact, field, text_at(card, &["titles", key, "name"]));
    }
}

// Lists with places

/// One place of a list: the key under which its entry stands in the card, and the text that it shows there.
type Place = (String, String);

/// Fills a list of `limit` places. Who is in and still wanted stays where it is, the others leave, free places go to those
/// waiting, in order. Says which of the waiting found a place.
fn fill(
    places: Vec<Option<Place>>,
    limit: usize,
    stays: impl Fn(&Place) -> Option<Place>,
    waiting: &mut Vec<Place>,
) -> Vec<Option<Place>> {
    let mut filled: Vec<Option<Place>> = places
        .into_iter()
        .filter_map(|place| match place {
            // A place that shows nothing we understand (a name without an address) is left alone.
            None => Some(None),
            Some(place) => stays(&place).map(Some),
        })
        .collect();
    let free = limit.saturating_sub(filled.len()).min(waiting.len());
    filled.extend(waiting.drain(..free).map(Some));
    filled
}

/// The entries of a member that fit, as places in the order in which they are let in.
fn queue(entries: Option<&Map<String, Value>>, show: impl Fn(&Value) -> Option<&str>) -> Vec<Place> {
    let mut fitting: Vec<(u64, Place)> = entries
        .into_iter()
        .flatten()
        .filter_map(|(key, entry)| Some((preference(entry), (key.clone(), show(entry)?.to_owned()))))
        .collect();
    fitting.sort_by_key(|(preference, _)| *preference);
    fitting.into_iter().map(|(_, place)| place).collect()
}

fn read_emails(contact: &Contact) -> Map<String, Value> {
    let mut emails = Map::new();
    email_places(contact, &mut emails);
    emails
}

/// Reads the addresses into `emails` and says which place holds which.
fn email_places(contact: &Contact, emails: &mut Map<String, Value>) -> Vec<Option<Place>> {
    let slots = contact.0.get("emailAddresses").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let place = |slot: &Value| {
        let address = slot.get("address")?.as_str().filter(|text| !text.trim().is_empty())?;
        let key = card::insert(emails, &email_identity(address), json!({"address": address}));
        Some((key, address.to_owned()))
    };
    slots.iter().map(place).collect()
}

fn edit_emails(contact: &mut Contact, card: &Content) {
    let places = email_places(contact, &mut Map::new());
    let mut waiting = queue(member(card, "emails"), |entry| text_of(entry, "address"));
    let stay = keep_those_in(&places, &mut waiting);
    let filled = fill(places.clone(), EMAILS, |place| stay_of(&stay, place), &mut waiting);
    if filled == places {
        return;
    }
    let old = contact.0.get("emailAddresses").and_then(Value::as_array).cloned().unwrap_or_default();
    let mut silent = old.iter().zip(&places).filter(|(_, place)| place.is_none()).map(|(slot, _)| slot.clone());
    let slots: Vec<Value> = filled
        .into_iter()
        .filter_map(|place| {
            let Some((key, address)) = place else { return silent.next() };
            let was = places.iter().position(|place| place.as_ref().is_some_and(|(k, _)| *k == key));
            // The name beside an address is left alone.
            let mut slot = was.and_then(|at| old.get(at).cloned()).unwrap_or_else(|| json!({}));
            slot["address"] = address.into();
            Some(slot)
        })
        .collect();
    contact.0.insert("emailAddresses".to_owned(), slots.into());
}

/// Takes those out of the queue that are in already; they stay, with the text that is wanted now.
fn keep_those_in(places: &[Option<Place>], waiting: &mut Vec<Place>) -> Vec<Place> {
    let (mut stay, mut rest): (Vec<Place>, Vec<Place>) =
        waiting.drain(..).partition(|(key, _)| places.iter().flatten().any(|(inside, _)| inside == key));
    stay.retain(|place| is_sendable(&place.1) || places.iter().flatten().any(|inside| inside == place));
    rest.retain(|(_, text)| is_sendable(text));
    *waiting = rest;
    stay
}

fn stay_of(stay: &[Place], place: &Place) -> Option<Place> {
    stay.iter().find(|(key, _)| *key == place.0).cloned()
}

/// Writes a list of plain texts when it differs.
fn set_list(contact: &mut Contact, field: &str, wanted: Vec<&str>) {
    if !texts(contact, field).eq(wanted.iter().copied()) {
        contact.0.insert(field.to_owned(), wanted.into());
    }
}

fn set_places(contact: &mut Contact, field: &str, filled: &[Option<Place>]) {
    set_list(contact, field, filled.iter().flatten().map(|(_, text)| text.as_str()).collect());
}

// Phones

/// Where a phone belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    Business,
    Home,
    Mobile,
    /// A voice number that nobody said more of: it is shown where there is room, and the carry-all keeps that nothing was said.
    Anywhere,
}

fn line_of(entry: &Value) -> Option<Line> {
    let has = |member: &str, name: &str| entry.get(member).and_then(|m| m.get(name)) == Some(&Value::Bool(true));
    if has("features", "mobile") {
        return Some(Line::Mobile);
    }
    if ["fax", "pager", "video", "textphone"].iter().any(|feature| has("features", feature)) {
        return None;
    }
    match (has("contexts", "work"), has("contexts", "private")) {
        (true, _) => Some(Line::Business),
        (_, true) => Some(Line::Home),
        _ => Some(Line::Anywhere),
    }
}

fn read_phones(contact: &Contact) -> Map<String, Value> {
    let mut phones = Map::new();
    phone_places(contact, &mut phones);
    phones
}

/// Reads the numbers into `phones` and says which place holds which: business, home, mobile.
fn phone_places(contact: &Contact, phones: &mut Map<String, Value>) -> [Vec<Option<Place>>; 3] {
    let mut place = |number: &str, meaning: Value| {
        let mut entry = json!({"number": number});
        if let (Value::Object(entry), Value::Object(meaning)) = (&mut entry, meaning) {
            entry.extend(meaning);
        }
        Some((card::insert(phones, &phone_identity(number), entry), number.to_owned()))
    };
    let business = texts(contact, "businessPhones").map(|n| place(n, json!({"contexts": {"work": true}}))).collect();
    let home = texts(contact, "homePhones").map(|n| place(n, json!({"contexts": {"private": true}}))).collect();
    let mobile = text(contact, "mobilePhone").map(|n| place(n, json!({"features": {"mobile": true}}))).into_iter();
    [business, home, mobile.collect()]
}

fn edit_phones(contact: &mut Contact, card: &Content) {
    let places = phone_places(contact, &mut Map::new());
    let entries = member(card, "phones");
    let of_line =
        |line: Line| queue(entries, |entry| text_of(entry, "number").filter(|_| line_of(entry) == Some(line)));
    let mut guests = of_line(Line::Anywhere);
    // A guest that is shown somewhere stays there.
    let guests_in: [Vec<Place>; 3] =
        [&places[0], &places[1], &places[2]].map(|places| keep_those_in(places, &mut guests));
    let rows = [(Line::Business, BUSINESS_PHONES), (Line::Home, HOME_PHONES), (Line::Mobile, 1)];
    let mut filled: Vec<Vec<Option<Place>>> = Vec::new();
    for (at, (line, limit)) in rows.into_iter().enumerate() {
        let mut waiting = of_line(line);
        let mut stay = keep_those_in(&places[at], &mut waiting);
        stay.extend(guests_in[at].iter().cloned());
        filled.push(fill(places[at].clone(), limit, |place| stay_of(&stay, place), &mut waiting));
    }
    for at in [1, 0, 2] {
        let row = std::mem::take(&mut filled[at]);
        filled[at] = fill(row, rows[at].1, |place| Some(place.clone()), &mut guests);
    }
    set_places(contact, "businessPhones", &filled[0]);
    set_places(contact, "homePhones", &filled[1]);
    let mobile = filled[2].iter().flatten().next().map(|(_, number)| number.clone());
    edit_text(contact, "mobilePhone", mobile.as_deref());
}

// Instant messaging

fn read_online_services(contact: &Contact) -> Map<String, Value> {
    let mut services = Map::new();
    im_places(contact, &mut services);
    services
}

fn im_places(contact: &Contact, services: &mut Map<String, Value>) -> Vec<Option<Place>> {
    let place = |address: &str| {
        let member = if has_scheme(address) { "uri" } else { "user" };
        Some((card::insert(services, address, json!({member: address})), address.to_owned()))
    };
    texts(contact, "imAddresses").map(place).collect()
}

/// RFC 3986 3.1: a letter, then letters, digits, `+`, `-`, `.`, before the colon.
fn has_scheme(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
        && !rest.is_empty()
        && !text.contains(char::is_whitespace)
}

fn edit_online_services(contact: &mut Contact, card: &Content) {
    let places = im_places(contact, &mut Map::new());
    let mut waiting = queue(member(card, "onlineServices"), |entry| {
        let address = text_of(entry, "uri").or_else(|| text_of(entry, "user"))?;
        // A page of a social network is no address to send a message to.
        let is_page = ["http:", "https:"].iter().any(|scheme| address.to_ascii_lowercase().starts_with(scheme));
        (!is_page).then_some(address)
    });
    // A page that is in already stays in.
    for (key, address) in places.iter().flatten() {
        let is_wanted =
            card.at(&["onlineServices", key]).and_then(|entry| text_of(entry, "uri")) == Some(address.as_str());
        if is_wanted && !waiting.iter().any(|(k, _)| k == key) {
            waiting.push((key.clone(), address.clone()));
        }
    }
    let stay = keep_those_in(&places, &mut waiting);
    let filled = fill(places, IM_ADDRESSES, |place| stay_of(&stay, place), &mut waiting);
    set_places(contact, "imAddresses", &filled);
}

// Addresses

fn read_addresses(contact: &Contact) -> Map<String, Value> {
    let mut addresses = Map::new();
    for (field, key, context) in ADDRESSES {
        let components: Vec<Value> = ADDRESS_PARTS
            .iter()
            .filter_map(|(kind, part)| Some(json!({"kind": kind, "value": lf(address_part(contact, field, part)?)})))
            .collect();
        if components.is_empty() {
            continue;
        }
        let mut address = json!({"components": components});
        if let Some(context) = context {
            address["contexts"] = json!({context: true});
        }
        addresses.insert(key.to_owned(), address);
    }
    addresses
}

fn address_part<'a>(contact: &'a Contact, field: &str, part: &str) -> Option<&'a str> {
    contact.0.get(field)?.get(part)?.as_str().filter(|text| !text.trim().is_empty())
}

fn edit_addresses(contact: &mut Contact, card: &Content) {
    for (field, key, _) in ADDRESSES {
        let components = card.at(&["addresses", key, "components"]);
        for (kind, part) in ADDRESS_PARTS {
            let joint = if kind == "name" { "\n" } else { " " };
            let (now, wanted) = (address_part(contact, field, part), parts(components, kind, joint));
            if now.map(lf) == wanted.as_deref().map(lf) {
                continue;
            }
            let wanted = wanted.filter(|text| is_sendable(text));
            if now.is_none() && wanted.is_none() {
                continue;
            }
            let address = contact.0.entry(field).or_insert_with(|| json!({}));
            if !address.is_object() {
                *address = json!({});
            }
            address[part] = wanted.map_or(Value::Null, |text| crlf(&text).into());
        }
    }
}

// Birthday

/// The first year that the server's time stamps can say (FILETIME), and one past the last that is no mark for "none".
const YEARS: std::ops::Range<i32> = 1601..4501;
/// The year that stands for "no year" where a phone wrote the birthday by ActiveSync.
const NO_YEAR: i32 = 1604;

fn read_birthday(contact: &Contact) -> Map<String, Value> {
    let Some(date) = birthday(contact) else { return Map::new() };
    let mut parts = json!({"month": date.month(), "day": date.day()});
    if date.year() != NO_YEAR {
        parts = json!({"year": date.year(), "month": date.month(), "day": date.day()});
    }
    [(keys::BIRTH.to_owned(), json!({"kind": "birth", "date": parts}))].into_iter().collect()
}

/// The day that the time stamp names in UTC: Outlook stores 11:59Z, which is the same day from UTC-11 to UTC+12, and reading it
/// in a local zone is a day off in Kiritimati.
fn birthday(contact: &Contact) -> Option<NaiveDate> {
    let text = text(contact, "birthday")?;
    let date = match DateTime::parse_from_rfc3339(text) {
        Ok(instant) => instant.naive_utc().date(),
        Err(_) => NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?,
    };
    YEARS.contains(&date.year()).then_some(date)
}

fn edit_birthday(contact: &mut Contact, card: &Content) {
    let wanted = card.at(&["anniversaries", keys::BIRTH, "date"]);
    let now = read_birthday(contact);
    if now.get(keys::BIRTH).and_then(|entry| entry.get("date")) == wanted {
        return;
    }
    let part = |name: &str| wanted.and_then(|date| date.get(name)).and_then(Value::as_i64);
    let day = || {
        let (year, month, day) = (part("year")?, part("month")?, part("day")?);
        let date =
            NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, u32::try_from(month).ok()?, u32::try_from(day).ok()?);
        date.filter(|date| YEARS.contains(&date.year()) && date.year() != NO_YEAR)
    };
    // Without a year it cannot be said: 1604 would be shown as if somebody meant it.
    match day() {
        Some(date) if birthday(contact) == Some(date) => {}
        Some(date) => edit_text(contact, "birthday", Some(&format!("{}T11:59:00Z", date.format("%Y-%m-%d")))),
        None if now.is_empty() => {}
        None => edit_text(contact, "birthday", None),
    }
}

// Link, people, words

fn edit_link(contact: &mut Contact, card: &Content) {
    let is_in = text(contact, "businessHomePage").map(card::key);
    let show = |_, entry| text_of(entry, "uri").map(Cow::Borrowed);
    // A form to write to somebody (CONTACT-URI) is no home page.
    let fits = |_: &str, entry: &Value| entry.get("kind").is_none_or(|kind| kind != "contact");
    let wanted = chosen(member(card, "links"), is_in.as_deref(), show, fits);
    edit_text(contact, "businessHomePage", wanted.as_deref());
}

fn read_relations(contact: &Contact) -> Map<String, Value> {
    let mut people = Map::new();
    let mut relate = |name: &str, relation: &str| {
        let entry = people.entry(name).or_insert_with(|| json!({"relation": {}}));
        entry["relation"][relation] = Value::Bool(true);
    };
    for (relation, field) in RELATIONS {
        if let Some(name) = text(contact, field) {
            relate(name, relation);
        }
    }
    texts(contact, "children").for_each(|name| relate(name, "child"));
    people
}

fn edit_relations(contact: &mut Contact, card: &Content) {
    let people = member(card, "relatedTo");
    let is = |entry: &Value, relation: &str| {
        entry.get("relation").and_then(|relations| relations.get(relation)) == Some(&Value::Bool(true))
    };
    for (relation, field) in RELATIONS {
        let show = |name, entry| is(entry, relation).then_some(Cow::Borrowed(name));
        let fits = |name: &str, _: &Value| is_name(name);
        let wanted = chosen(people, text(contact, field), show, fits).map(Cow::into_owned);
        edit_text(contact, field, wanted.as_deref());
    }
    let children = people.into_iter().flatten().filter(|(_, entry)| is(entry, "child"));
    edit_words(contact, "children", children.map(|(name, _)| name.as_str()).collect(), is_name);
}

/// A relation is named by a name here; a URI (`urn:uuid:…`) would be shown to people who cannot read it.
fn is_name(text: &str) -> bool {
    !text.trim().is_empty() && !has_scheme(text)
}

fn edit_categories(contact: &mut Contact, card: &Content) {
    let wanted = member(card, "keywords").into_iter().flatten().map(|(word, _)| word.as_str());
    edit_words(contact, "categories", wanted.collect(), |word| !word.trim().is_empty());
}

/// A list without places: words stay in their order, new ones follow, the last one removed leaves `[]`, which the server needs
/// in order to unset it. Words that differ in case are two words.
fn edit_words(contact: &mut Contact, field: &str, wanted: Vec<&str>, fits: impl Fn(&str) -> bool) {
    let now: Vec<String> = texts(contact, field).map(str::to_owned).collect();
    let is_in: HashSet<&str> = now.iter().map(String::as_str).collect();
    let is_wanted: HashSet<&str> = wanted.iter().copied().collect();
    let mut words: Vec<&str> = now.iter().map(String::as_str).filter(|word| is_wanted.contains(word)).collect();
    words.extend(wanted.iter().copied().filter(|word| !is_in.contains(word) && fits(word) && is_sendable(word)));
    set_list(contact, field, words);
}

// Lines for what a card has no member for

fn read_lines(contact: &Contact) -> Map<String, Value> {
    let mut lines = Map::new();
    for (name, field) in LINES {
        if let Some(text) = text(contact, field) {
            let line = format!("{name}:{}", escaped(text));
            card::insert(&mut lines, &line, json!({"line": line}));
        }
    }
    lines
}

fn edit_lines(contact: &mut Contact, card: &Content) {
    for (name, field) in LINES {
        let is_in = text(contact, field).map(|text| card::key(&format!("{name}:{}", escaped(text))));
        let show = |_, entry| line_text(entry, name).map(Cow::Owned);
        let wanted = chosen(member(card, "vCardProps"), is_in.as_deref(), show, |_, _| true);
        edit_text(contact, field, wanted.as_deref());
    }
}

/// The text of a line of that name, if the line is exactly what we would write for that text.
fn line_text(entry: &Value, name: &str) -> Option<String> {
    let value = entry.get("line")?.as_str()?.strip_prefix(name)?.strip_prefix(':')?;
    let text = unescaped(value);
    (!text.trim().is_empty() && escaped(&text) == value).then_some(text)
}

/// RFC 6350 3.4.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace(',', "\\,").replace(';', "\\;").replace('\n', "\\n")
}

fn unescaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match (c, c == '\\') {
            (_, true) => match chars.next() {
                Some('n' | 'N') => text.push('\n'),
                Some(other) => text.push(other),
                None => text.push('\\'),
            },
            (c, _) => text.push(c),
        }
    }
    text
}
