//! One entry as properties of a version: the reverse of [`super::entries`]. What a property cannot say is left out here and
//! carried ([`crate::carry`]).

use super::doc::{Dialect, Prop};
use super::entries::{ADDRESS, FEATURES, LEVELS, RELATIONS, SERVICES, WEDDINGS};
use super::media::{self, Form, is_uri};
use super::{dates, labels};
use serde_json::Value;

/// A value before it is escaped and encoded.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Val {
    /// One text.
    Text(String),
    /// A URI, in which commas and semicolons are not escaped.
    Uri(String),
    /// Parts between semicolons, each a list between commas.
    Parts(Vec<Vec<String>>),
    /// A list between commas.
    List(Vec<String>),
    /// Bytes in base64.
    Base64(String),
}

/// A property to be written.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Fresh {
    pub(super) name: String,
    /// Words of TYPE, in small letters unless they are somebody's own.
    pub(super) types: Vec<String>,
    pub(super) pref: Option<u64>,
    pub(super) parameters: Vec<(&'static str, Vec<String>)>,
    pub(super) value: Val,
    /// X-ABLabel of its group, as it stands there.
    pub(super) label: Option<String>,
    /// X-ABADR of its group.
    pub(super) country: Option<String>,
    /// LABEL beside it (before vCard 4.0).
    pub(super) whole: Option<String>,
}

impl Fresh {
    /// A property without parameters.
    pub(super) fn new(name: impl Into<String>, value: Val) -> Fresh {
        let name = name.into();
        Fresh {
            name,
            types: Vec::new(),
            pref: None,
            parameters: Vec::new(),
            value,
            label: None,
            country: None,
            whole: None,
        }
    }

    fn with(mut self, parameter: &'static str, value: Option<&str>) -> Fresh {
        if let Some(value) = value.filter(|value| !value.trim().is_empty()) {
            self.parameters.push((parameter, vec![value.to_owned()]));
        }
        self
    }

    /// Contexts and preference.
    fn placed(mut self, entry: &Value, dialect: Dialect) -> Fresh {
        let is_in = |context: &str| entry.get("contexts").and_then(|c| c.get(context)) == Some(&Value::Bool(true));
        for (context, word) in [("private", "home"), ("work", "work")] {
            if is_in(context) {
                self.types.push(word.to_owned());
            }
        }
        // Before vCard 4.0 a thing is preferred or not.
        let pref = entry.get("pref").and_then(Value::as_u64).filter(|n| (1..=100).contains(n));
        self.pref = pref.filter(|n| dialect == Dialect::V4 || *n == 1);
        self
    }

    /// Contexts, preference and label.
    fn labelled(self, entry: &Value, dialect: Dialect) -> Fresh {
        let mut fresh = self.placed(entry, dialect);
        fresh.label = word(entry, "label").map(|label| labels::write(&label));
        fresh
    }
}

/// A text member with something to see in it, blanks around it taken off.
fn word(entry: &Value, member: &str) -> Option<String> {
    let text = entry.get(member)?.as_str()?;
    let text = text.trim();
    text.chars().any(|c| !c.is_whitespace() && !c.is_control()).then(|| text.to_owned())
}

/// The properties that say an entry; none where this version cannot. `style` is the property that says it until now: its
/// name is kept where it can say the new entry too.
pub(super) fn say(member: &str, key: &str, entry: &Value, dialect: Dialect, style: Option<&Prop>) -> Vec<Fresh> {
    match member {
        "relatedTo" => relations(key, entry, dialect, style),
        "speakToAs" if key == "pronouns" => pronouns(entry, dialect),
        _ => one(member, key, entry, dialect, style).into_iter().collect(),
    }
}

fn one(member: &str, key: &str, entry: &Value, dialect: Dialect, style: Option<&Prop>) -> Option<Fresh> {
    let styled = |names: &[&str], usual: &str| {
        let kept = style.map(|prop| prop.name.as_str()).filter(|name| names.contains(name));
        kept.unwrap_or(usual).to_owned()
    };
    let kind = entry.get("kind").and_then(Value::as_str);
    Some(match member {
        "emails" => Fresh::new("EMAIL", Val::Text(word(entry, "address")?)).labelled(entry, dialect),
        "phones" => {
            let name = styled(&["TEL", "X-MS-TEL"], "TEL");
            let mut fresh = Fresh::new(name, Val::Text(word(entry, "number")?)).labelled(entry, dialect);
            let does = |feature: &str| entry.get("features").and_then(|f| f.get(feature)) == Some(&Value::Bool(true));
            for (word, feature) in FEATURES {
                let is_other_form = match word {
                    "mobile" => true,
                    "main" => dialect == Dialect::V4,
                    "main-number" => dialect != Dialect::V4,
                    _ => false,
                };
                if does(feature) && !is_other_form {
                    fresh.types.push(word.to_owned());
                }
            }
            fresh
        }
        "onlineServices" => service(entry, dialect, style)?,
        "addresses" => address(entry, dialect)?,
        "links" => {
            let name = if kind == Some("contact") { "CONTACT-URI" } else { "URL" };
            uri(name, entry, dialect)?
        }
        "calendars" => uri(if kind == Some("freeBusy") { "FBURL" } else { "CALURI" }, entry, dialect)?,
        "schedulingAddresses" => uri("CALADRURI", entry, dialect)?,
        "directories" => uri(if kind == Some("entry") { "SOURCE" } else { "ORG-DIRECTORY" }, entry, dialect)?,
        "nicknames" => Fresh::new("NICKNAME", Val::List(vec![word(entry, "name")?])),
        "keywords" if *entry == Value::Bool(true) && !key.trim().is_empty() => {
            Fresh::new("CATEGORIES", Val::List(vec![key.to_owned()]))
        }
        "organizations" => {
            let name = word(entry, "name").unwrap_or_default();
            let units = entry.get("units").and_then(Value::as_array).into_iter().flatten();
            let units: Vec<String> = units.filter_map(|unit| word(unit, "name")).collect();
            if name.is_empty() && units.is_empty() {
                return None;
            }
            Fresh::new("ORG", Val::Parts(std::iter::once(name).chain(units).map(|part| vec![part]).collect()))
        }
        "titles" => Fresh::new(if kind == Some("role") { "ROLE" } else { "TITLE" }, Val::Text(word(entry, "name")?)),
        "notes" => {
            word(entry, "note")?;
            Fresh::new("NOTE", Val::Text(entry.get("note")?.as_str()?.to_owned()))
        }
        "anniversaries" => anniversary(entry, dialect, style)?,
        "media" => {
            let property = match kind? {
                "photo" => "PHOTO",
                "logo" => "LOGO",
                "sound" => "SOUND",
                _ => return None,
            };
            of_form(media::form(entry, property, dialect)?, property, dialect)
        }
        "cryptoKeys" => of_form(media::form(entry, "KEY", dialect)?, "KEY", dialect).placed(entry, dialect),
        "personalInfo" => {
            let kind = kind.filter(|kind| ["expertise", "hobby", "interest"].contains(kind))?;
            let level = word(entry, "level");
            let level = level.as_deref().map(|level| match kind {
                "expertise" => LEVELS.iter().find(|row| row.1 == level).map_or(level, |row| row.0),
                _ => level,
            });
            Fresh::new(kind.to_ascii_uppercase(), Val::Text(word(entry, "value")?)).with("LEVEL", level)
        }
        "preferredLanguages" => Fresh::new("LANG", Val::Text(word(entry, "language")?)).placed(entry, dialect),
        "language" => Fresh::new("LANGUAGE", Val::Text(entry.as_str().filter(|l| !l.trim().is_empty())?.to_owned())),
        "speakToAs" if key == "grammaticalGender" => Fresh::new("GRAMGENDER", Val::Text(entry.as_str()?.to_owned())),
        "members" if *entry == Value::Bool(true) && !key.trim().is_empty() => {
            let usual = if dialect == Dialect::V4 { "MEMBER" } else { "X-ADDRESSBOOKSERVER-MEMBER" };
            Fresh::new(styled(&["MEMBER", "X-ADDRESSBOOKSERVER-MEMBER"], usual), Val::Uri(key.to_owned()))
        }
        "kind" => {
            let kind = entry.as_str().filter(|kind| !kind.trim().is_empty())?;
            let usual = match kind {
                _ if dialect == Dialect::V4 => "KIND",
                "org" => "X-ABSHOWAS",
                _ => "X-ADDRESSBOOKSERVER-KIND",
            };
            match styled(&["KIND", "X-ADDRESSBOOKSERVER-KIND", "X-ABSHOWAS"], usual) {
                name if name == "X-ABSHOWAS" && kind == "org" => Fresh::new(name, Val::Text("COMPANY".into())),
                name if name == "X-ABSHOWAS" => Fresh::new("X-ADDRESSBOOKSERVER-KIND", Val::Text(kind.to_owned())),
                name => Fresh::new(name, Val::Text(kind.to_owned())),
            }
        }
        _ => return None,
    })
}

fn uri(name: &str, entry: &Value, dialect: Dialect) -> Option<Fresh> {
    let media_type = word(entry, "mediaType");
    let fresh = Fresh::new(name, Val::Uri(word(entry, "uri")?)).with("MEDIATYPE", media_type.as_deref());
    Some(fresh.labelled(entry, dialect))
}

fn of_form(form: Form, property: &str, dialect: Dialect) -> Fresh {
    match form {
        Form::Inline(body, media_word) => {
            let mut fresh = Fresh::new(property, Val::Base64(body));
            fresh.types.extend(media_word);
            fresh
        }
        Form::Uri(uri, told) => {
            let mut fresh = Fresh::new(property, Val::Uri(uri));
            match told {
                Some(("TYPE", media_word)) => fresh.types.push(media_word),
                Some((name, media_type)) => fresh.parameters.push((name, vec![media_type])),
                None => {}
            }
            match dialect {
                Dialect::V2 => fresh.with("VALUE", Some("URL")),
                Dialect::V3 => fresh.with("VALUE", Some("uri")),
                Dialect::V4 => fresh,
            }
        }
    }
}

fn service(entry: &Value, dialect: Dialect, style: Option<&Prop>) -> Option<Fresh> {
    let (uri, user, service) = (word(entry, "uri"), word(entry, "user"), word(entry, "service"));
    let old = style.map(|prop| prop.name.as_str()).unwrap_or_default();
    let named = |name: &str| service.as_deref().is_some_and(|s| SERVICES.contains(&(name, s)));
    let fresh = match (uri, user) {
        (Some(uri), user) => {
            let (name, parameter) = match old {
                "SOCIALPROFILE" => ("SOCIALPROFILE", "SERVICE-TYPE"),
                "X-SOCIALPROFILE" => ("X-SOCIALPROFILE", "TYPE"),
                _ => ("IMPP", "X-SERVICE-TYPE"),
            };
            let value = if is_uri(&uri) { Val::Uri(uri) } else { return None };
            let mut fresh = Fresh::new(name, value).with("X-USER", user.as_deref());
            match (parameter, service) {
                ("TYPE", service) => fresh.types.extend(service),
                (parameter, service) => fresh = fresh.with(parameter, service.as_deref()),
            }
            fresh
        }
        (None, Some(user)) if named(old) && !is_uri(&user) => Fresh::new(old, Val::Text(user)),
        (None, Some(user)) if service.is_none() && !is_uri(&user) && old.ends_with("-IMADDRESS") => {
            Fresh::new(old, Val::Text(user))
        }
        (None, Some(user)) => match SERVICES.iter().find(|row| Some(row.1) == service.as_deref()) {
            Some((name, _)) if !is_uri(&user) => Fresh::new(*name, Val::Text(user)),
            _ => Fresh::new("IMPP", Val::Text(user))
                .with("VALUE", Some("text"))
                .with("X-SERVICE-TYPE", service.as_deref()),
        },
        (None, None) => return None,
    };
    Some(fresh.labelled(entry, dialect))
}

fn address(entry: &Value, dialect: Dialect) -> Option<Fresh> {
    let components = entry.get("components").and_then(Value::as_array);
    let of = |kind: &str| -> String {
        let own = components.into_iter().flatten().filter(|c| c.get("kind").and_then(Value::as_str) == Some(kind));
        let values: Vec<String> = own.filter_map(|c| word(c, "value")).collect();
        values.join(if kind == "name" { "\n" } else { ", " })
    };
    let parts: Vec<Vec<String>> = ADDRESS.iter().map(|kind| vec![of(kind)]).collect();
    let full = word(entry, "full");
    if parts.iter().flatten().all(String::is_empty) && (full.is_none() || dialect != Dialect::V4) {
        return None;
    }
    let mut fresh = Fresh::new("ADR", Val::Parts(parts)).labelled(entry, dialect);
    if dialect == Dialect::V4 {
        for (name, member) in [("LABEL", "full"), ("GEO", "coordinates"), ("TZ", "timeZone")] {
            fresh = fresh.with(name, word(entry, member).as_deref());
        }
    } else {
        fresh.whole = full;
    }
    let is_code = |code: &String| code.len() == 2 && code.bytes().all(|b| b.is_ascii_uppercase());
    fresh.country = word(entry, "countryCode").filter(is_code).map(|code| code.to_ascii_lowercase());
    Some(fresh)
}

fn anniversary(entry: &Value, dialect: Dialect, style: Option<&Prop>) -> Option<Fresh> {
    let old = style.map(|prop| prop.name.as_str()).unwrap_or_default();
    let name = match entry.get("kind")?.as_str()? {
        "birth" => "BDAY",
        "death" => "DEATHDATE",
        "wedding" if WEDDINGS.contains(&old) || old == "X-ABDATE" => old,
        "wedding" if dialect == Dialect::V4 => "ANNIVERSARY",
        "wedding" => "X-ANNIVERSARY",
        "other" => "X-ABDATE",
        _ => return None,
    };
    let mut fresh = match entry.get("date") {
        Some(date) => {
            let no_year = date.get("year").is_none() && date.get("month").is_some() && date.get("day").is_some();
            let is_apple = no_year && dialect == Dialect::V3;
            let mut date = date.clone();
            if is_apple {
                date["year"] = Value::from(1604);
            }
            let fresh = Fresh::new(name, Val::Text(dates::write(&date, dialect == Dialect::V3)?));
            if is_apple { fresh.with("X-APPLE-OMIT-YEAR", Some("1604")) } else { fresh }
        }
        None if name == "X-ABDATE" => return None,
        None => Fresh::new(name, Val::Text(word(entry, "label")?)).with("VALUE", Some("text")),
    };
    if name == "X-ABDATE" {
        let label = if entry["kind"] == "wedding" { Some("Anniversary".to_owned()) } else { word(entry, "label") };
        fresh.label = label.map(|label| labels::write(&label));
    }
    Some(fresh)
}

fn relations(who: &str, entry: &Value, dialect: Dialect, style: Option<&Prop>) -> Vec<Fresh> {
    let stated = entry.get("relation").and_then(Value::as_object).into_iter().flatten();
    let words: Vec<&str> = stated.filter(|(_, is)| **is == Value::Bool(true)).map(|(word, _)| word.as_str()).collect();
    if words.is_empty() || who.trim() != who || who.is_empty() {
        return Vec::new();
    }
    let old = style.map(|prop| prop.name.as_str()).unwrap_or_default();
    if let [word] = words[..] {
        if RELATIONS.contains(&(old, word)) {
            return vec![Fresh::new(old, Val::Text(who.to_owned()))];
        }
        if old == "X-ABRELATEDNAMES" {
            let mut fresh = Fresh::new(old, Val::Text(who.to_owned()));
            fresh.label = Some(labels::write_relation(word));
            return vec![fresh];
        }
    }
    let is_own = |word: &&str| dialect != Dialect::V4 && RELATIONS[..3].iter().any(|row| row.1 == *word);
    let own = words.iter().filter(|word| is_own(word));
    let own = own.filter_map(|word| RELATIONS.iter().find(|row| row.1 == *word));
    let mut said: Vec<Fresh> = own.map(|(name, _)| Fresh::new(*name, Val::Text(who.to_owned()))).collect();
    // A word that TYPE cannot say, being somebody's own, is said in Apple's way.
    let is_type = |word: &str| {
        let is_token = word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        is_token && !word.is_empty() && !matches!(word, "home" | "work" | "pref")
    };
    let (rest, named): (Vec<&str>, Vec<&str>) =
        words.iter().copied().filter(|word| !is_own(word)).partition(|word| is_type(word));
    for word in named.into_iter().filter(|word| !word.trim().is_empty()) {
        let mut fresh = Fresh::new("X-ABRELATEDNAMES", Val::Text(who.to_owned()));
        fresh.label = Some(labels::write_relation(word));
        said.push(fresh);
    }
    let rest: Vec<String> = rest.into_iter().map(str::to_owned).collect();
    if !rest.is_empty() {
        let mut fresh =
            Fresh::new("RELATED", if is_uri(who) { Val::Uri(who.to_owned()) } else { Val::Text(who.to_owned()) });
        fresh.types = rest;
        said.push(fresh.with("VALUE", Some(if is_uri(who) { "uri" } else { "text" })));
    }
    said
}

fn pronouns(entry: &Value, dialect: Dialect) -> Vec<Fresh> {
    let all = entry.as_object().into_iter().flatten();
    let one = |entry: &Value| Some(Fresh::new("PRONOUNS", Val::Text(word(entry, "pronouns")?)).placed(entry, dialect));
    all.filter_map(|(_, entry)| one(entry)).collect()
}
