//! What one property means: the entries of a card that a line says, by the table in [`crate::card`].

use super::dates::{self, Said};
use super::doc::Prop;
use super::labels;
use super::media::{self, is_uri};
use crate::card::{self, keys};
use crate::contentline::text::lf;
use serde_json::{Map, Value, json};

/// How the key of an entry is made.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Key {
    /// From this text, hashed; equals get ordinals.
    Identity(String),
    /// This word; others get ordinals.
    Plain(&'static str),
    /// This text itself; equals are the same entry.
    Exact(String),
    /// The member is the entry (`kind`, `language`).
    Whole,
}

/// One entry that a line says.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Told {
    pub(super) member: &'static str,
    pub(super) key: Key,
    pub(super) entry: Value,
    /// Which item of a list it is.
    pub(super) item: Option<usize>,
}

/// What a line says.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Meaning {
    /// Known, and empty.
    Nothing,
    /// No member for it.
    Unknown,
    /// These entries. `takes_label`: the label of its group is said by them.
    Entries { told: Vec<Told>, takes_label: bool },
}

/// Properties of the name of a service and the service.
pub(super) const SERVICES: [(&str, &str); 14] = [
    ("X-AIM", "aim"),
    ("X-ICQ", "icq"),
    ("X-MSN", "msn"),
    ("X-YAHOO", "yahoo"),
    ("X-YAHOO-ID", "yahoo"),
    ("X-JABBER", "jabber"),
    ("X-SKYPE", "skype"),
    ("X-SKYPE-USERNAME", "skype"),
    ("X-QQ", "qq"),
    ("X-GTALK", "googleTalk"),
    ("X-GOOGLE-TALK", "googleTalk"),
    ("X-GADUGADU", "gadugadu"),
    ("X-GROUPWISE", "groupwise"),
    ("X-SIP", "SIP"),
];

/// Properties named by a relation.
pub(super) const RELATIONS: [(&str, &str); 14] = [
    ("X-SPOUSE", "spouse"),
    ("X-MANAGER", "manager"),
    ("X-ASSISTANT", "assistant"),
    ("X-MS-SPOUSE", "spouse"),
    ("X-MS-MANAGER", "manager"),
    ("X-MS-ASSISTANT", "assistant"),
    ("X-MS-CHILD", "child"),
    ("X-EVOLUTION-SPOUSE", "spouse"),
    ("X-EVOLUTION-MANAGER", "manager"),
    ("X-EVOLUTION-ASSISTANT", "assistant"),
    ("X-KADDRESSBOOK-X-SPOUSESNAME", "spouse"),
    ("X-KADDRESSBOOK-X-MANAGERSNAME", "manager"),
    ("X-KADDRESSBOOK-X-ASSISTANTSNAME", "assistant"),
    ("X-WAB-SPOUSE_NAME", "spouse"),
];

/// Properties that are a wedding day.
pub(super) const WEDDINGS: [&str; 6] = [
    "ANNIVERSARY",
    "X-ANNIVERSARY",
    "X-MS-ANNIVERSARY",
    "X-EVOLUTION-ANNIVERSARY",
    "X-KADDRESSBOOK-X-ANNIVERSARY",
    "X-WAB-WEDDING_ANNIVERSARY",
];

/// Parts of ADR in their order (RFC 6350 6.3.1).
pub(super) const ADDRESS: [&str; 7] =
    ["postOfficeBox", "apartment", "name", "locality", "region", "postcode", "country"];

/// Words of TYPE that are a feature of a phone; the first of a feature is written.
pub(super) const FEATURES: [(&str, &str); 10] = [
    ("cell", "mobile"),
    ("mobile", "mobile"),
    ("voice", "voice"),
    ("fax", "fax"),
    ("pager", "pager"),
    ("text", "text"),
    ("video", "video"),
    ("textphone", "textphone"),
    ("main", "main-number"),
    ("main-number", "main-number"),
];

/// Words for LEVEL of EXPERTISE (RFC 6715 3.1) and those of a card.
pub(super) const LEVELS: [(&str, &str); 3] = [("beginner", "low"), ("average", "medium"), ("expert", "high")];

/// Reads one line. `label` is that of its group.
pub(super) fn tell(prop: &Prop, label: Option<&str>) -> Meaning {
    let one = |member, key, entry| Some(vec![Told { member, key, entry, item: None }]);
    let uri_member = |member, entry: Value| {
        let uri = prop.word()?;
        let mut entry = entry;
        entry["uri"] = Value::from(uri.as_str());
        if let Some(media_type) = prop.parameter("MEDIATYPE") {
            entry["mediaType"] = Value::from(media_type);
        }
        one(member, Key::Identity(uri), labels::put(prop, label, entry))
    };
    let mut takes_label = false;
    let mut labelled = |told: Option<Vec<Told>>| {
        takes_label = told.is_some();
        told
    };
    let told = match prop.name.as_str() {
        "EMAIL" => labelled(prop.word().and_then(|address| {
            let key = Key::Identity(card::email_identity(&address));
            one("emails", key, labels::put(prop, label, json!({"address": address})))
        })),
        "TEL" | "X-MS-TEL" => labelled(phone(prop, label)),
        "IMPP" | "SOCIALPROFILE" | "X-SOCIALPROFILE" | "X-MS-IMADDRESS" | "X-KADDRESSBOOK-X-IMADDRESS" => {
            labelled(service(prop, None, label))
        }
        name if let Some((_, of)) = SERVICES.iter().find(|row| row.0 == name) => {
            labelled(service(prop, Some(of), label))
        }
        "ADR" => labelled(address(prop, label)),
        "URL" => labelled(uri_member("links", json!({}))),
        "CONTACT-URI" => labelled(uri_member("links", json!({"kind": "contact"}))),
        "CALURI" => labelled(uri_member("calendars", json!({"kind": "calendar"}))),
        "FBURL" => labelled(uri_member("calendars", json!({"kind": "freeBusy"}))),
        "CALADRURI" => labelled(uri_member("schedulingAddresses", json!({}))),
        "SOURCE" => labelled(uri_member("directories", json!({"kind": "entry"}))),
        "ORG-DIRECTORY" => labelled(uri_member("directories", json!({"kind": "directory"}))),
        "NICKNAME" => items(prop, |name| ("nicknames", Key::Identity(name.clone()), json!({"name": name}))),
        "CATEGORIES" => items(prop, |word| ("keywords", Key::Exact(word), Value::Bool(true))),
        "ORG" => organization(prop).and_then(|entry| one("organizations", Key::Plain(keys::ORGANIZATION), entry)),
        "TITLE" => {
            prop.word().and_then(|name| one("titles", Key::Plain(keys::TITLE), json!({"name": name, "kind": "title"})))
        }
        "ROLE" => {
            prop.word().and_then(|name| one("titles", Key::Plain(keys::ROLE), json!({"name": name, "kind": "role"})))
        }
        "NOTE" => {
            let note = lf(&prop.text());
            (!note.trim().is_empty())
                .then_some(())
                .and_then(|()| one("notes", Key::Plain(keys::NOTE), json!({"note": note})))
        }
        "BDAY" => date(prop, "birth", keys::BIRTH),
        "DEATHDATE" => date(prop, "death", keys::DEATH),
        name if WEDDINGS.contains(&name) => date(prop, "wedding", keys::WEDDING),
        "X-ABDATE" => {
            let label = label.map(labels::read);
            let told = match label.as_deref() {
                Some("Anniversary") => date(prop, "wedding", keys::WEDDING),
                label => date(prop, "other", "other").map(|mut told| {
                    for told in &mut told {
                        if let (Some(label), Some(_)) = (label, told.entry.get("date")) {
                            told.entry["label"] = Value::from(label);
                        }
                    }
                    told
                }),
            };
            // Words instead of a date have no room beside the label.
            match labelled(told) {
                Some(told) if told.iter().any(|t| t.entry.get("date").is_none()) => return Meaning::Unknown,
                told => told,
            }
        }
        "RELATED" => prop.word().and_then(|who| {
            let words =
                prop.types().map(str::to_ascii_lowercase).filter(|w| !matches!(w.as_str(), "home" | "work" | "pref"));
            let mut relation: Map<String, Value> = words.map(|word| (word, Value::Bool(true))).collect();
            if relation.is_empty() {
                relation.insert("contact".into(), Value::Bool(true));
            }
            one("relatedTo", Key::Exact(who), json!({"relation": relation}))
        }),
        "X-ABRELATEDNAMES" => labelled(prop.word().and_then(|who| {
            let relation = label.map(labels::read).filter(|l| !l.is_empty());
            let is_builtin = label.is_some_and(labels::is_builtin);
            let relation =
                relation.map_or("contact".to_owned(), |l| if is_builtin { l.to_ascii_lowercase() } else { l });
            one("relatedTo", Key::Exact(who), json!({"relation": {relation: true}}))
        })),
        name if let Some((_, relation)) = RELATIONS.iter().find(|row| row.0 == name) => {
            prop.word().and_then(|who| one("relatedTo", Key::Exact(who), json!({"relation": {*relation: true}})))
        }
        "MEMBER" | "X-ADDRESSBOOKSERVER-MEMBER" => {
            prop.word().and_then(|uri| one("members", Key::Exact(uri), Value::Bool(true)))
        }
        "KIND" | "X-ADDRESSBOOKSERVER-KIND" => prop
            .word()
            .map(|kind| kind.to_ascii_lowercase())
            .filter(|kind| kind != "individual")
            .and_then(|kind| one("kind", Key::Whole, Value::from(kind))),
        "X-ABSHOWAS" => match prop.word() {
            Some(word) if word.eq_ignore_ascii_case("COMPANY") => one("kind", Key::Whole, Value::from("org")),
            _ => return Meaning::Unknown,
        },
        "PHOTO" | "LOGO" | "SOUND" | "KEY" => {
            if prop.word().is_none() {
                return Meaning::Nothing;
            }
            let Some((uri, media_type)) = media::read(prop) else { return Meaning::Unknown };
            let mut entry = json!({"uri": uri, "mediaType": media_type});
            let (member, key, kind) = match prop.name.as_str() {
                "PHOTO" => ("media", Key::Plain(keys::PHOTO), "photo"),
                "LOGO" => ("media", Key::Plain(keys::LOGO), "logo"),
                "SOUND" => ("media", Key::Plain(keys::SOUND), "sound"),
                _ => ("cryptoKeys", Key::Identity(uri), ""),
            };
            if kind.is_empty() {
                entry = labels::put_no_type_label(prop, entry);
            } else {
                entry["kind"] = Value::from(kind);
            }
            one(member, key, entry)
        }
        "LANG" => prop.word().and_then(|language| {
            let entry = labels::put_no_type_label(prop, json!({"language": language}));
            one("preferredLanguages", Key::Identity(language), entry)
        }),
        "LANGUAGE" => prop.word().and_then(|language| one("language", Key::Whole, Value::from(language))),
        "GRAMGENDER" => prop.word().and_then(|gender| {
            one("speakToAs", Key::Exact("grammaticalGender".into()), Value::from(gender.to_ascii_lowercase()))
        }),
        "PRONOUNS" => prop.word().and_then(|pronouns| {
            let entry = labels::put_no_type_label(prop, json!({"pronouns": pronouns}));
            one("speakToAs", Key::Exact("pronouns".into()), json!({card::key(&pronouns): entry}))
        }),
        name @ ("EXPERTISE" | "HOBBY" | "INTEREST") => prop.word().and_then(|value| {
            let mut entry = json!({"kind": name.to_ascii_lowercase(), "value": value});
            if let Some(level) = prop.parameter("LEVEL").map(str::to_ascii_lowercase) {
                let known = LEVELS.iter().find(|row| row.0 == level).map(|row| row.1.to_owned());
                entry["level"] = Value::from(known.unwrap_or(level));
            }
            one("personalInfo", Key::Identity(value), entry)
        }),
        _ => return Meaning::Unknown,
    };
    told.map_or(Meaning::Nothing, |mut told| {
        for one in &mut told {
            if let Value::Object(entry) = &mut one.entry {
                entry.retain(|_, value| !crate::content::is_nothing(value));
            }
        }
        Meaning::Entries { told, takes_label }
    })
}

fn items(prop: &Prop, tell: impl Fn(String) -> (&'static str, Key, Value)) -> Option<Vec<Told>> {
    let words = prop.list().into_iter().enumerate().filter(|(_, word)| !word.is_empty());
    let told = words.map(|(item, word)| {
        let (member, key, entry) = tell(word);
        Told { member, key, entry, item: Some(item) }
    });
    let told: Vec<Told> = told.collect();
    (!told.is_empty()).then_some(told)
}

fn phone(prop: &Prop, label: Option<&str>) -> Option<Vec<Told>> {
    let text = prop.word()?;
    let number = match text.get(..4) {
        Some(scheme) if scheme.eq_ignore_ascii_case("tel:") && text.len() > 4 => text.get(4..)?.trim().to_owned(),
        _ => text,
    };
    let words = FEATURES.iter().filter(|(word, _)| prop.has_type(word));
    let mut features: Map<String, Value> =
        words.map(|(_, feature)| ((*feature).to_owned(), Value::Bool(true))).collect();
    if features.len() == 1 {
        features.shift_remove("voice");
    }
    let key = Key::Identity(card::phone_identity(&number));
    let entry = labels::put(prop, label, json!({"number": number, "features": features}));
    Some(vec![Told { member: "phones", key, entry, item: None }])
}

fn service(prop: &Prop, of: Option<&str>, label: Option<&str>) -> Option<Vec<Told>> {
    let value = prop.word();
    let user = prop.parameter("X-USER").or(prop.parameter("USERNAME")).map(str::trim).filter(|u| !u.is_empty());
    let is_text = prop.parameter("VALUE").is_some_and(|kind| kind.eq_ignore_ascii_case("text"));
    let mut entry = json!({});
    let identity = match (value, user) {
        (Some(value), _) if !is_text && is_uri(&value) => {
            entry["uri"] = Value::from(value.as_str());
            if let Some(user) = user {
                entry["user"] = Value::from(user);
            }
            value
        }
        (Some(value), _) => {
            entry["user"] = Value::from(value.as_str());
            value
        }
        (None, Some(user)) => {
            entry["user"] = Value::from(user);
            user.to_owned()
        }
        (None, None) => return None,
    };
    let is_social = prop.name == "X-SOCIALPROFILE";
    let by_type = || prop.types().find(|w| is_social && !labels::is_known(w)).map(str::to_owned);
    let stated = prop.parameter("X-SERVICE-TYPE").or(prop.parameter("SERVICE-TYPE")).map(str::to_owned);
    // `sip:` is a scheme of its own: the service says nothing more.
    let own = of.filter(|of| !(*of == "SIP" && entry.get("uri").is_some())).map(str::to_owned);
    if let Some(service) = own.or(stated).or_else(by_type) {
        entry["service"] = Value::from(service);
    }
    let mut entry = if is_social { labels::put_no_type_label(prop, entry) } else { labels::put(prop, None, entry) };
    if let Some(label) = label.map(labels::read).filter(|label| !label.is_empty()) {
        entry["label"] = Value::from(label);
    }
    Some(vec![Told { member: "onlineServices", key: Key::Identity(identity), entry, item: None }])
}

fn address(prop: &Prop, label: Option<&str>) -> Option<Vec<Told>> {
    let parts = prop.parts();
    let components: Vec<Value> = ADDRESS
        .iter()
        .zip(&parts)
        .filter(|(_, part)| !part.trim().is_empty())
        .map(|(kind, part)| json!({"kind": kind, "value": lf(part.trim())}))
        .collect();
    let full = prop.parameter("LABEL").map(lf).filter(|full| !full.trim().is_empty());
    if components.is_empty() && full.is_none() {
        return None;
    }
    let members = [
        ("components", Value::Array(components)),
        ("full", full.into()),
        ("coordinates", prop.parameter("GEO").into()),
        ("timeZone", prop.parameter("TZ").into()),
    ];
    let told = members.into_iter().filter(|(_, value)| !crate::content::is_nothing(value));
    let entry = told.map(|(member, value)| (member.to_owned(), value)).collect();
    let entry = labels::put(prop, label, Value::Object(entry));
    let is_in = |context: &str| entry.get("contexts").is_some_and(|contexts| contexts.get(context).is_some());
    let key = Key::Plain(card::address_key(is_in("private"), is_in("work")));
    Some(vec![Told { member: "addresses", key, entry, item: None }])
}

fn organization(prop: &Prop) -> Option<Value> {
    let mut parts = prop.parts().into_iter().map(|part| part.trim().to_owned());
    let name = parts.next().filter(|name| !name.is_empty());
    let units: Vec<Value> = parts.filter(|unit| !unit.is_empty()).map(|unit| json!({"name": unit})).collect();
    (name.is_some() || !units.is_empty()).then(|| json!({"name": name, "units": units}))
}

fn date(prop: &Prop, kind: &str, key: &'static str) -> Option<Vec<Told>> {
    let text = prop.word()?;
    let is_text = prop.parameter("VALUE").is_some_and(|value| value.eq_ignore_ascii_case("text"));
    let said = if is_text { Said::Words(text) } else { dates::read(&text, prop.parameter("X-APPLE-OMIT-YEAR")) };
    let entry = match said {
        Said::Date(date) => json!({"kind": kind, "date": date}),
        Said::Words(words) => json!({"kind": kind, "label": words}),
    };
    Some(vec![Told { member: "anniversaries", key: Key::Plain(key), entry, item: None }])
}
