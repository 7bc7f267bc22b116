//! A card with everything.

use crate::Content;
use crate::card::key;
use serde_json::{Value, json};

/// A card with every member and sub-member of the table, several entries where a card may have several.
pub fn card() -> Content {
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
