//! What each place says natively, carries, or leaves to the hub: measured on a card that has every member of the table in
//! [`crate::card`], so that the documentation's table is made, not written.

use crate::{Content, Identity, Lens, Result, Uid};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// How a place keeps one thing that a card says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// In the place's own fields: its other users see it.
    Kept,
    /// In the place's carry-all: it survives there, unseen.
    Carried,
    /// Not there at all: the hub alone keeps it.
    HubOnly,
}

impl Standing {
    /// The word used in the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Standing::Kept => "kept",
            Standing::Carried => "carried",
            Standing::HubOnly => "hub only",
        }
    }
}

/// One member or sub-member, and how each lens keeps it, in the order of the lenses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// `emails[].pref`, `name.components[given]`.
    pub member: String,
    /// One for each lens.
    pub standings: Vec<Standing>,
}

/// The rows for a card with everything, each thing at its worst among its entries.
///
/// # Errors
/// Those of a lens that cannot write the card, or not read what it wrote.
pub fn measure(lenses: &[(&str, &dyn Lens)]) -> Result<Vec<Row>> {
    let card = sample();
    let wanted = facts(&card);
    let identity = Identity { uid: Uid("coverage".into()), mark: None };
    let mut columns = Vec::new();
    for (_, lens) in lenses {
        let rendering = lens.write(None, &card, &identity)?;
        columns.push((facts(&lens.native(&rendering)?), facts(&lens.read(&rendering)?)));
    }
    let mut rows: Vec<Row> = Vec::new();
    let mut at: BTreeMap<String, usize> = BTreeMap::new();
    for fact in &wanted {
        let standing =
            |(native, full): &(BTreeSet<Fact>, BTreeSet<Fact>)| match (native.contains(fact), full.contains(fact)) {
                (true, true) => Standing::Kept,
                (_, true) => Standing::Carried,
                _ => Standing::HubOnly,
            };
        let standings: Vec<Standing> = columns.iter().map(standing).collect();
        match at.get(&fact.member).and_then(|i| rows.get_mut(*i)) {
            Some(row) => row.standings.iter_mut().zip(standings).for_each(|(old, new)| *old = (*old).max(new)),
            None => {
                at.insert(fact.member.clone(), rows.len());
                rows.push(Row { member: fact.member.clone(), standings });
            }
        }
    }
    Ok(rows)
}

/// The rows as a table in Markdown.
pub fn markdown(lenses: &[(&str, &dyn Lens)], rows: &[Row]) -> String {
    let mut text = String::from("| member |");
    lenses.iter().for_each(|(name, _)| text.push_str(&format!(" {name} |")));
    text.push_str("\n|---|");
    lenses.iter().for_each(|_| text.push_str("---|"));
    for row in rows {
        text.push_str(&format!("\n| `{}` |", row.member));
        row.standings.iter().for_each(|standing| text.push_str(&format!(" {} |", standing.as_str())));
    }
    text.push('\n');
    text
}

/// One thing that a card says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Fact {
    /// What it is, without keys.
    member: String,
    /// Where it stands, with keys.
    path: String,
    value: String,
}

fn facts(card: &Content) -> BTreeSet<Fact> {
    let mut facts = BTreeSet::new();
    for (member, value) in &card.0 {
        collect(member, member, value, is_keyed(member), &mut facts);
    }
    facts
}

/// Whether the keys of a member are ours and no words.
fn is_keyed(member: &str) -> bool {
    !matches!(member, "name" | "speakToAs" | "kind" | "language")
}

fn collect(member: &str, path: &str, value: &Value, keyed: bool, facts: &mut BTreeSet<Fact>) {
    match value {
        Value::Object(map) => {
            for (key, inner) in map {
                let step = match inner.get("kind").and_then(Value::as_str).filter(|_| keyed) {
                    Some(kind) => format!("{member}[{kind}]"),
                    None if keyed => format!("{member}[]"),
                    None => format!("{member}.{key}"),
                };
                // The kind of an entry is told by its row.
                if !(key == "kind" && path.contains('/')) {
                    collect(&step, &format!("{path}/{key}"), inner, key == "pronouns" && inner.is_object(), facts);
                }
            }
        }
        // Parts of a name or an address are told apart by their kinds, not by their places.
        Value::Array(list) => {
            for part in list {
                let kind = part.get("kind").and_then(Value::as_str).unwrap_or_default();
                let said = part.get("value").or(part.get("name")).unwrap_or(part).to_string();
                let at = (format!("{member}[{kind}]"), format!("{path}/{kind}/{said}"));
                facts.insert(Fact { member: at.0.clone(), path: at.1.clone(), value: said });
                if let Some(phonetic) = part.get("phonetic") {
                    let member = format!("{}.phonetic", at.0);
                    facts.insert(Fact { member, path: at.1, value: phonetic.to_string() });
                }
            }
        }
        plain => {
            facts.insert(Fact { member: member.to_owned(), path: path.to_owned(), value: plain.to_string() });
        }
    }
}

/// A card with every member and sub-member of the table, several entries where a card may have several.
pub fn sample() -> Content {
    use crate::card::key;
    let keyed = |entries: Vec<(&str, Value)>| -> Value {
        entries.into_iter().map(|(identity, entry)| (key(identity), entry)).collect::<serde_json::Map<_, _>>().into()
    };
    Content::from_value(json!({
        "kind": "org",
        "language": "en",
        "name": {
            "full": "Countess Ada",
            "components": [
                {"kind": "title", "value": "Lady"}, {"kind": "given", "value": "Ada", "phonetic": "Eida"},
                {"kind": "given2", "value": "King"}, {"kind": "surname", "value": "Lovelace", "phonetic": "Lavleis"},
                {"kind": "surname2", "value": "Byron"}, {"kind": "generation", "value": "II"},
                {"kind": "credential", "value": "FRS"},
            ],
            "sortAs": {"surname": "lovelace"},
        },
        "nicknames": keyed(vec![("Ad", json!({"name": "Ad"})), ("Enchantress", json!({"name": "Enchantress"}))]),
        "organizations": {
            "org": {"name": "Engines", "units": [{"name": "Notes"}, {"name": "Bernoulli"}]}, "org-2": {"name": "Royal Society"},
        },
        "titles": {"title": {"name": "Analyst", "kind": "title"}, "role": {"name": "Programmer", "kind": "role"}},
        "emails": keyed(vec![
            ("ada@example.org", json!({"address": "Ada@example.org", "contexts": {"private": true}, "pref": 1})),
            ("ada@work.example", json!({"address": "ada@work.example", "contexts": {"work": true}, "pref": 2})),
            ("ada@lab.example", json!({"address": "ada@lab.example", "label": "Laboratory"})),
            ("ada@fourth.example", json!({"address": "ada@fourth.example"})),
        ]),
        "phones": keyed(vec![
            ("+4411", json!({"number": "+44 11", "contexts": {"private": true}, "pref": 1})),
            ("+4412", json!({"number": "+44 12", "contexts": {"work": true}, "features": {"fax": true}})),
            ("+4413", json!({"number": "+44 13", "features": {"mobile": true}})),
            ("+4414", json!({"number": "+44 14", "features": {"pager": true}})),
            ("+4415", json!({"number": "+44 15", "features": {"main-number": true}})),
            ("+4416", json!({"number": "+44 16", "features": {"text": true, "video": true}})),
            ("+4417", json!({"number": "+44 17", "features": {"textphone": true, "voice": true}, "label": "Laboratory"})),
        ]),
        "onlineServices": keyed(vec![
            ("xmpp:ada@example.org", json!({"uri": "xmpp:ada@example.org", "contexts": {"private": true}})),
            ("ada.l", json!({"user": "ada.l", "service": "skype", "label": "Evenings"})),
        ]),
        "addresses": {
            "home": {
                "components": [
                    {"kind": "postOfficeBox", "value": "9"}, {"kind": "apartment", "value": "Attic"},
                    {"kind": "name", "value": "12 St James's Square\nBack door"}, {"kind": "locality", "value": "London"},
                    {"kind": "region", "value": "Westminster"}, {"kind": "postcode", "value": "SW1Y"},
                    {"kind": "country", "value": "England"},
                ],
                "full": "12 St James's Square\nLondon", "contexts": {"private": true}, "countryCode": "GB",
            },
            "home-2": {"components": [{"kind": "locality", "value": "Ockham"}], "contexts": {"private": true}, "label": "Country"},
        },
        "anniversaries": {
            "birth": {"kind": "birth", "date": {"year": 1815, "month": 12, "day": 10}},
            "wedding": {"kind": "wedding", "date": {"month": 7, "day": 8}},
            "death": {"kind": "death", "date": {"utc": "1852-11-27T21:30:00Z"}},
            "birth-2": {"kind": "birth", "label": "in winter"},
        },
        "notes": {"note": {"note": "One\ntwo, three; four"}, "note-2": {"note": "Another"}},
        "links": keyed(vec![
            ("https://example.org/ada", json!({"uri": "https://example.org/ada", "contexts": {"work": true}})),
            ("https://example.org/write", json!({"uri": "https://example.org/write", "kind": "contact", "label": "Form"})),
        ]),
        "relatedTo": {"William": {"relation": {"spouse": true}}, "urn:uuid:2": {"relation": {"friend": true}}},
        "keywords": {"Friends": true, "Engine, people": true},
        "media": {
            "photo": {"kind": "photo", "uri": "data:image/jpeg;base64,/9j/4AAR"},
            "logo": {"kind": "logo", "uri": "https://example.org/logo.png", "mediaType": "image/png"},
            "sound": {"kind": "sound", "uri": "data:audio/ogg;base64,T2dnUw=="},
        },
        "directories": keyed(vec![("https://example.org/d", json!({"kind": "directory", "uri": "https://example.org/d"}))]),
        "calendars": keyed(vec![
            ("https://example.org/c", json!({"kind": "calendar", "uri": "https://example.org/c"})),
            ("https://example.org/b", json!({"kind": "freeBusy", "uri": "https://example.org/b"})),
        ]),
        "schedulingAddresses": keyed(vec![("mailto:ada@example.org", json!({"uri": "mailto:ada@example.org"}))]),
        "cryptoKeys": keyed(vec![("https://example.org/k", json!({"uri": "https://example.org/k", "mediaType": "application/pgp-keys"}))]),
        "personalInfo": keyed(vec![
            ("chess", json!({"kind": "hobby", "value": "chess", "level": "high"})),
            ("analysis", json!({"kind": "expertise", "value": "analysis", "level": "high"})),
        ]),
        "preferredLanguages": keyed(vec![("en", json!({"language": "en", "pref": 1})), ("fr", json!({"language": "fr"}))]),
        "speakToAs": {"grammaticalGender": "feminine", "pronouns": keyed(vec![("she/her", json!({"pronouns": "she/her"}))])},
        "members": {"urn:uuid:3": true},
        "vCardProps": keyed(vec![("X-ENGINE;TYPE=big:yes", json!({"line": "X-ENGINE;TYPE=big:yes"}))]),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vcard::{VcardLens, Version};

    #[test]
    fn a_card_with_everything_is_read_back_from_both_versions() {
        let (three, four) = (VcardLens::new(Version::V3), VcardLens::new(Version::V4));
        let lenses: [(&str, &dyn Lens); 2] = [("vCard 3.0", &three), ("vCard 4.0", &four)];
        let rows = measure(&lenses).unwrap();
        let table = markdown(&lenses, &rows);
        println!("{table}");
        assert!(rows.iter().all(|row| row.standings.iter().all(|s| *s != Standing::HubOnly)), "{table}");
        let carried = |lens: usize| -> Vec<&str> {
            rows.iter().filter(|row| row.standings[lens] == Standing::Carried).map(|row| row.member.as_str()).collect()
        };
        assert_eq!(carried(1), [] as [&str; 0], "vCard 4.0 says all of it");
        assert_eq!(
            carried(0),
            ["emails[].pref", "name.components[generation]", "name.components[surname2]"],
            "vCard 3.0 carries the rest"
        );
    }
}
