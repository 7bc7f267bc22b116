//! The people of the start in Graph's words.

use serde_json::{Map, Value, json};

use super::fields::{self, Body, Change};
use super::photo::tiny_jpeg;
use super::store::{CONTACTS, Photo, ROOT, Rules};
use crate::seeds::{self, SeedPerson};
use crate::{Seed, State, Switches};

/// Seeds were written this long before the start, so that a lagging delta shows them.
const AGE_MS: i64 = 40 * 86_400_000;
/// The demo's second folder, with those people whom Google does not have.
const SECOND_FOLDER: &str = "Kundschaft";

/// Fills the account, which is empty before.
pub fn seed(state: &mut State, seed: Seed) {
    let people: Vec<SeedPerson> = match seed {
        Seed::Empty => Vec::new(),
        Seed::Demo => seeds::demo(),
        Seed::Bulk(count) => seeds::bulk(count).collect(),
    };
    let start_ms = state.now_ms() - AGE_MS;
    let graph = &mut state.microsoft;
    let second = match seed {
        Seed::Demo => graph.create_folder(&Rules::before_all(start_ms), ROOT, SECOND_FOLDER).ok(),
        _ => None,
    };
    for (at, seed) in people.iter().filter(|person| person.at_microsoft).enumerate() {
        let rules = Rules::before_all(start_ms + 61 * at as i64);
        // Invariant: seeds are valid contacts; a test counts them.
        let Ok(body) = fields::read(&contact(seed), Change::Create, &Body::default(), &Switches::default()) else {
            continue;
        };
        let folder = second.filter(|_| !seed.at_google).unwrap_or(CONTACTS);
        let key = graph.create(&rules, folder, body);
        if let Some(colour) = seed.photo {
            let photo = Photo { bytes: tiny_jpeg(colour), content_type: "image/jpeg".into() };
            graph.set_photo(&rules, key, Some(photo), false);
        }
    }
}

/// A person as Outlook would have stored them. A birthday without a year has no place here.
fn contact(seed: &SeedPerson) -> Value {
    let mut contact = Map::new();
    let texts = [
        ("title", &seed.prefix),
        ("givenName", &seed.given),
        ("middleName", &seed.middle),
        ("surname", &seed.family),
        ("generation", &seed.suffix),
        ("nickName", &seed.nickname),
        ("companyName", &seed.company),
        ("department", &seed.department),
        ("jobTitle", &seed.title),
        ("personalNotes", &seed.note),
        ("businessHomePage", &seed.url),
    ];
    for (name, text) in texts.into_iter().filter(|(_, text)| !text.is_empty()) {
        contact.insert(name.into(), text.as_str().into());
    }
    let full = [&seed.given, &seed.family].map(String::as_str).join(" ");
    let full = if full.trim().is_empty() { seed.company.as_str() } else { full.trim() };
    contact.insert("displayName".into(), full.into());
    let email = |(_, address): &(String, String)| json!({ "name": full, "address": address });
    contact.insert("emailAddresses".into(), seed.emails.iter().map(email).collect());
    let numbers = |kind: &str| -> Vec<&str> {
        seed.phones.iter().filter(|(have, _)| have == kind).map(|(_, number)| number.as_str()).collect()
    };
    contact.insert("businessPhones".into(), numbers("work").into());
    contact.insert("homePhones".into(), numbers("home").into());
    if let Some(mobile) = numbers("mobile").first() {
        contact.insert("mobilePhone".into(), (*mobile).into());
    }
    for (kind, [street, city, code, country]) in &seed.addresses {
        // Outlook keeps the lines of a street in one text.
        let street = if seed.at_google { street.clone() } else { format!("{street}\r\n2. Stock") };
        let address = json!({ "street": street, "city": city, "countryOrRegion": country, "postalCode": code });
        let name = if kind == "home" { "homeAddress" } else { "businessAddress" };
        contact.insert(name.into(), address);
    }
    if let Some((year, month, day)) = seed.birthday.filter(|(year, ..)| *year > 0) {
        contact.insert("birthday".into(), format!("{year:04}-{month:02}-{day:02}T11:59:00Z").into());
    }
    contact.insert("categories".into(), seed.labels.clone().into());
    contact.into()
}
