//! The people of the start in People's words.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::photos::{self, tiny_png};
use super::{groups, people};
use crate::seeds::{self, SeedPerson};
use crate::{Seed, State};

/// Seeds were written this long before the start, so that a lagging list shows them.
const AGE_MS: i64 = 40 * 86_400_000;

/// Fills the account, which is empty before.
pub fn seed(state: &mut State, seed: Seed) {
    groups::add_system_groups(state);
    let people: Vec<SeedPerson> = match seed {
        Seed::Empty => Vec::new(),
        Seed::Demo => seeds::demo(),
        Seed::Bulk(count) => seeds::bulk(count).collect(),
    };
    let mut at_ms = state.now_ms() - AGE_MS;
    let mut labels: HashMap<String, String> = HashMap::new();
    for seed in people.iter().filter(|person| person.at_google) {
        at_ms += 61;
        let mut memberships =
            vec![json!({ "contactGroupMembership": { "contactGroupResourceName": people::MY_CONTACTS } })];
        for label in &seed.labels {
            let group = labels.entry(label.clone()).or_insert_with(|| groups::add(state, label, Value::Null, at_ms));
            memberships.push(json!({ "contactGroupMembership": { "contactGroupResourceName": group } }));
        }
        let mut body = person(seed);
        body["memberships"] = json!(memberships);
        // Invariant: seeds are valid contacts; a test reads them all.
        let Ok(name) = people::insert(state, &body, at_ms) else { continue };
        if let Some(colour) = seed.photo {
            let photo = photos::picture(tiny_png(colour));
            photos::seed(state, &name, photo);
        }
    }
}

/// A person as a client would write it.
fn person(seed: &SeedPerson) -> Value {
    let mut body = Map::new();
    let mut name = Map::new();
    let parts = [
        ("honorificPrefix", &seed.prefix),
        ("givenName", &seed.given),
        ("middleName", &seed.middle),
        ("familyName", &seed.family),
        ("honorificSuffix", &seed.suffix),
    ];
    for (part, text) in parts.into_iter().filter(|(_, text)| !text.is_empty()) {
        name.insert(part.into(), json!(text));
    }
    if !name.is_empty() {
        body.insert("names".into(), json!([name]));
    }
    let typed = |pairs: &[(String, String)]| -> Vec<Value> {
        pairs.iter().map(|(kind, value)| json!({ "value": value, "type": kind })).collect()
    };
    let mut job = Map::new();
    for (part, text) in [("name", &seed.company), ("department", &seed.department), ("title", &seed.title)] {
        if !text.is_empty() {
            job.insert(part.into(), json!(text));
        }
    }
    let address = |(kind, [street, city, code, country]): &(String, [String; 4])| json!({ "type": kind, "streetAddress": street, "city": city, "postalCode": code, "country": country });
    let single = |text: &str| if text.is_empty() { Vec::new() } else { vec![json!({ "value": text })] };
    let birthday = seed.birthday.map(|(year, month, day)| match year {
        0 => json!({ "date": { "month": month, "day": day } }),
        year => json!({ "date": { "year": year, "month": month, "day": day } }),
    });
    let lists = [
        ("nicknames", single(&seed.nickname)),
        ("emailAddresses", typed(&seed.emails)),
        ("phoneNumbers", typed(&seed.phones)),
        ("addresses", seed.addresses.iter().map(address).collect()),
        ("organizations", if job.is_empty() { Vec::new() } else { vec![Value::Object(job)] }),
        ("birthdays", birthday.into_iter().collect()),
        ("biographies", single(&seed.note)),
        ("urls", single(&seed.url)),
    ];
    for (field, items) in lists.into_iter().filter(|(_, items)| !items.is_empty()) {
        body.insert(field.into(), Value::Array(items));
    }
    Value::Object(body)
}
