//! The Card: contacts after RFC 9553 (JSContact), and how its keys are made.
//!
//! RFC 9553 leaves the keys of its maps to the writer. Here a key comes from the *value*, plus an ordinal among equals
//! ([`insert`]), so that the same address has the same key whichever place it was read from, and difference and merge work
//! entry by entry.
//!
//! | member | key is made of | entry |
//! |---|---|---|
//! | `kind` | | `individual`, `org`, `group`, `location`, … only when stated and not `individual` |
//! | `name` | | `{full, components: [{kind, value}], sortAs?}`; kinds in this order: `title` (prefix), `given`, `given2`, `surname`, `surname2`, `generation`, `credential` (suffix); a phonetic reading stands as `phonetic` inside the component; `full` only where the rest of the card does not say it ([`without_derived_name`]) |
//! | `nicknames` | name | `{name}` |
//! | `organizations` | ordinal | `{name, units: [{name}]}` |
//! | `titles` | kind, ordinal | `{name, kind: "title" or "role"}`, kind always written |
//! | `emails` | address, ASCII lower case | `{address, contexts?, pref?, label?}` |
//! | `phones` | number without blanks, `-`, `.`, `/`, `(`, `)` | `{number, contexts?, features?, pref?, label?}`; number as text, not as `tel:` URI |
//! | `onlineServices` | uri or user | `{uri or user, service?, contexts?, label?}`; instant messaging |
//! | `addresses` | ordinal within its context (`home`, `work`, none) | `{components: [{kind, value}], full?, contexts?, label?, countryCode?}`; kinds: `postOfficeBox`, `apartment` (extended address), `name` (street, lines joined by LF), `locality`, `region`, `postcode`, `country` |
//! | `anniversaries` | kind | `{kind: "birth", "wedding" or "death", date: {year?, month?, day?}}` or `date: {utc}` for an instant, or `label` for a date in words |
//! | `notes` | ordinal | `{note}`, line ends LF |
//! | `links` | uri | `{uri, kind?, contexts?, label?}`; `kind: "contact"` for CONTACT-URI |
//! | `relatedTo` | the value itself | `{relation: {spouse: true}}`; key is a URI or a name |
//! | `keywords` | the word itself | `true`; categories, groups |
//! | `media` | kind, ordinal | `{kind: "photo", "logo" or "sound", uri, mediaType?}`; bytes as `data:image/jpeg;base64,…` |
//! | `directories`, `calendars`, `schedulingAddresses`, `cryptoKeys`, `personalInfo`, `preferredLanguages`, `speakToAs`, `members`, `language` | uri, value or ordinal | after RFC 9553, 9555 |
//! | `vCardProps` | the line without its group | a vCard property that RFC 9553 has no member for: `{line}`, unfolded, as read |
//!
//! `contexts` are `{"private": true}` (home) and `{"work": true}`; `features` are those of RFC 9553 2.3.3 (`voice` alone is
//! the default and left out; `mobile`, `fax`, `pager`, `text`, `video`, `textphone`, `main-number`). `label` is the user's own word
//! for an entry (X-ABLabel, custom types). `pref` is 1 to 100 and only there when stated. `@type` and `version` are left out:
//! they say nothing. The UID and revision stamps are not content.

use serde_json::{Map, Value};
use std::borrow::Cow;
use std::collections::HashMap;

/// The key of an entry whose identity is `identity`: short, stable, made of letters and digits (RFC 9553 1.4.1).
pub fn key(identity: &str) -> String {
    let digest = blake3::hash(identity.as_bytes());
    digest.to_hex()[..10].to_owned()
}

/// Puts an entry into a map of entries under the key of its identity; equals get an ordinal (`…-2`, `…-3`). Returns the key.
pub fn insert(map: &mut Map<String, Value>, identity: &str, entry: Value) -> String {
    insert_as(map, key(identity), entry)
}

/// Puts an entry under a plain key (`birth`, `photo`, `home`), with an ordinal when the key is taken. Returns the key.
pub fn insert_as(map: &mut Map<String, Value>, plain: impl Into<String>, entry: Value) -> String {
    let plain = plain.into();
    let mut key = plain.clone();
    let mut ordinal = 1;
    while map.contains_key(&key) {
        ordinal += 1;
        key = format!("{plain}-{ordinal}");
    }
    map.insert(key.clone(), entry);
    key
}

/// [`insert_as`] in constant time, for many entries: the ordinals that are taken are not tried again.
#[derive(Debug, Default)]
pub(crate) struct Ordinals(HashMap<(&'static str, String), usize>);

impl Ordinals {
    /// Puts an entry of a member under a plain key, with an ordinal when the key is taken. Returns the key.
    pub(crate) fn insert(
        &mut self,
        map: &mut Map<String, Value>,
        member: &'static str,
        plain: String,
        entry: Value,
    ) -> String {
        if !map.contains_key(&plain) {
            map.insert(plain.clone(), entry);
            return plain;
        }
        let ordinal = self.0.entry((member, plain.clone())).or_insert(1);
        loop {
            *ordinal += 1;
            let key = format!("{plain}-{ordinal}");
            if !map.contains_key(&key) {
                map.insert(key.clone(), entry);
                return key;
            }
        }
    }
}

/// The identity of an e-mail address: ASCII lower case, trimmed.
pub fn email_identity(address: &str) -> String {
    address.trim().to_ascii_lowercase()
}

/// The identity of a phone number: without what people put between the digits.
pub fn phone_identity(number: &str) -> String {
    number.chars().filter(|c| !matches!(c, ' ' | '-' | '.' | '/' | '(' | ')' | '\u{a0}')).collect()
}

/// The plain key of an address: `home`, `work`, or `other`.
pub fn address_key(is_home: bool, is_work: bool) -> &'static str {
    match (is_home, is_work) {
        (true, _) => "home",
        (_, true) => "work",
        _ => "other",
    }
}

/// The plain keys of single entries and ordinals, spelt once so that all lenses agree on them.
pub mod keys {
    /// The first note; others get ordinals.
    pub const NOTE: &str = "note";
    /// The first organisation; others get ordinals.
    pub const ORGANIZATION: &str = "org";
    /// The first title of kind `title`.
    pub const TITLE: &str = "title";
    /// The first title of kind `role`.
    pub const ROLE: &str = "role";
    /// The birthday.
    pub const BIRTH: &str = "birth";
    /// The wedding anniversary.
    pub const WEDDING: &str = "wedding";
    /// The day of death.
    pub const DEATH: &str = "death";
    /// The photo.
    pub const PHOTO: &str = "photo";
    /// The logo.
    pub const LOGO: &str = "logo";
    /// The sound.
    pub const SOUND: &str = "sound";
}

/// A photo's bytes as the URI that a card holds.
pub fn data_uri(media_type: &str, bytes: &[u8]) -> String {
    use base64::Engine as _;
    format!("data:{media_type};base64,{}", base64::engine::general_purpose::STANDARD.encode(bytes))
}

/// Media type and bytes of a `data:` URI in base64 form; `None` for every other URI.
pub fn from_data_uri(uri: &str) -> Option<(String, Vec<u8>)> {
    use base64::Engine as _;
    let (head, body) = uri.strip_prefix("data:")?.split_once(',')?;
    let media_type = head.strip_suffix(";base64")?;
    let engine = base64::engine::GeneralPurpose::new(
        &base64::alphabet::STANDARD,
        base64::engine::GeneralPurposeConfig::new()
            .with_decode_padding_mode(base64::engine::DecodePaddingMode::Indifferent),
    );
    let bytes = engine.decode(body).ok()?;
    Some((media_type.to_owned(), bytes))
}

/// The name to show for a card: full name, else its parts, else organisation, e-mail, phone; `None` for a card without any.
pub fn display_name(card: &crate::Content) -> Option<String> {
    let text = |value: Option<&Value>| {
        value.and_then(Value::as_str).map(str::trim).filter(|t| !t.is_empty()).map(str::to_owned)
    };
    text(card.at(&["name", "full"])).or_else(|| made_name(card))
}

/// The name to show for a card without its full name.
pub(crate) fn made_name(card: &crate::Content) -> Option<String> {
    let of_parts = || {
        let parts = card.at(&["name", "components"])?.as_array()?;
        let joined = parts.iter().filter_map(|p| p.get("value")?.as_str()).collect::<Vec<_>>().join(" ");
        (!joined.trim().is_empty()).then_some(joined)
    };
    of_parts()
        .or_else(|| first(card, "organizations", "name"))
        .or_else(|| first(card, "nicknames", "name"))
        .or_else(|| first(card, "emails", "address"))
        .or_else(|| first(card, "phones", "number"))
}

/// The name that places make of a card's parts of their own accord: the name's components, else the organisation.
pub fn derived_name(card: &crate::Content) -> Option<String> {
    let parts = card.at(&["name", "components"]).and_then(Value::as_array);
    let joined = parts.into_iter().flatten().filter_map(|part| part.get("value")?.as_str()).map(str::trim);
    let joined = joined.filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" ");
    if !joined.is_empty() {
        return Some(joined);
    }
    let name = card.at(&["organizations", keys::ORGANIZATION, "name"])?.as_str()?.trim();
    (!name.is_empty()).then(|| name.to_owned())
}

/// The card without a full name that says only what its parts say ([`derived_name`]). Places make such names, and one kept
/// from then would be stale as soon as a part changes. Every lens reads cards so.
pub fn without_derived_name(card: crate::Content) -> crate::Content {
    if !has_derived_name(&card) {
        return card;
    }
    let mut without = card;
    if let Some(name) = without.0.get_mut("name").and_then(Value::as_object_mut) {
        name.shift_remove("full");
    }
    without.tidied()
}

/// A card as the lenses compare it: tidy, and without a derived name. Most are so already, and are not copied.
pub fn settled(card: &crate::Content) -> Cow<'_, crate::Content> {
    match card.is_tidy() && !has_derived_name(card) {
        true => Cow::Borrowed(card),
        false => Cow::Owned(without_derived_name(card.clone().tidied())),
    }
}

fn has_derived_name(card: &crate::Content) -> bool {
    let full = card.at(&["name", "full"]).and_then(Value::as_str).map(str::trim);
    full.is_some_and(|full| full.is_empty() || derived_name(card).is_some_and(|derived| derived == full))
}

fn first(card: &crate::Content, member: &str, field: &str) -> Option<String> {
    card.get(member)?.as_object()?.values().find_map(|entry| Some(entry.get(field)?.as_str()?.to_owned()))
}
