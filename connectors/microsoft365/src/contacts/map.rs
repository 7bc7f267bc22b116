//! The lens of a Graph contact: what a rendering means as a card, and how it is edited until it means another.
//!
//! A rendering is the text `{"photo":…,"contact":{…}}`: the contact as the server sent it, extended properties included, and
//! what is known of its photo, which Graph keeps apart: `null` where there is none, type and bytes where there is one, and no
//! member `photo` at all where nobody looked (a row of a listing). Meaning = the contact's own fields (`fields.rs`) and
//! the photo, with the carry-all beside them laid over.
//!
//! A photo cannot be taken away by v1.0. A card without its photo leaves it standing, and the carry-all says that it does not
//! count; a new photo set by the user does.

use super::fields;
use super::wire::{CARRY, Contact, MARK, READ_ONLY, UID};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::fmt;
use twofold_model::card::{self, keys};
use twofold_model::patch::{self, get_path, set_path};
use twofold_model::{Content, Error, ErrorKind, Identity, Lens, Mark, Rendering, Result, Uid, carry};

/// How much a carry-all may hold, in bytes. A text property is good for several kB (K); from 32 kB on it is a stream (F).
pub const CARRY_LIMIT: usize = 8_000;
/// The largest photo that the server takes, in bytes of base64 text (4 MB of JPEG).
const PHOTO_LIMIT: usize = 4_000_000 / 3 * 4;
/// The one type in which a photo is sent.
pub const PHOTO_TYPE: &str = "image/jpeg";

/// What is known of a contact's photo.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Photo {
    /// Nobody looked. Not the same as "none".
    #[default]
    Unlooked,
    /// There is none.
    Absent,
    /// There is this one.
    Present(Picture),
}

/// A photo: its type and its bytes as base64 text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Picture {
    /// Media type (`image/jpeg`).
    #[serde(rename = "type")]
    pub media_type: String,
    /// The bytes in base64, standard alphabet, padded.
    pub data: String,
}

impl Picture {
    /// A photo as the server sent it.
    pub fn new(media_type: Option<&str>, bytes: &[u8]) -> Picture {
        let named = media_type.and_then(|text| text.split(';').next()).map(|text| text.trim().to_ascii_lowercase());
        let named = named.filter(|name| name.starts_with("image/"));
        // What the bytes say is surer than what the header says.
        let media_type = match bytes {
            [0xff, 0xd8, 0xff, ..] => PHOTO_TYPE.to_owned(),
            [0x89, b'P', b'N', b'G', ..] => "image/png".to_owned(),
            [b'G', b'I', b'F', b'8', ..] => "image/gif".to_owned(),
            _ => named.filter(|name| name != "image/jpg").unwrap_or_else(|| PHOTO_TYPE.to_owned()),
        };
        Picture { media_type, data: STANDARD.encode(bytes) }
    }

    /// The bytes.
    pub fn bytes(&self) -> Option<Vec<u8>> {
        STANDARD.decode(&self.data).ok()
    }

    fn uri(&self) -> String {
        format!("data:{};base64,{}", self.media_type, self.data)
    }

    /// The photo of a card, if the server takes one of its type and size.
    fn of_card(card: &Content) -> Option<Picture> {
        let entry = card.at(&["media", keys::PHOTO])?;
        let uri = entry.get("uri")?.as_str().filter(|_| entry.get("kind").is_some_and(|kind| kind == "photo"))?;
        let data = uri.strip_prefix("data:")?.strip_prefix(PHOTO_TYPE)?.strip_prefix(";base64,")?;
        let is_canonical = STANDARD.decode(data).is_ok_and(|bytes| !bytes.is_empty());
        (is_canonical && data.len() <= PHOTO_LIMIT)
            .then(|| Picture { media_type: PHOTO_TYPE.to_owned(), data: data.to_owned() })
    }
}

/// A rendering, opened.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sheet {
    /// What is known of the photo.
    pub photo: Photo,
    /// The contact as the server sent it.
    pub contact: Contact,
}

#[derive(Deserialize)]
struct SheetText<'a> {
    #[serde(borrow, default)]
    photo: Option<&'a RawValue>,
    #[serde(borrow)]
    contact: &'a RawValue,
}

impl Sheet {
    /// Opens a rendering.
    pub fn open(rendering: &Rendering) -> Result<Sheet> {
        Self::open_as(rendering, |contact| serde_json::from_str(contact))
    }

    /// Opens a rendering to read its meaning: without the fields that are null, which are most of them, and those that name
    /// or date a copy.
    fn open_to_read(rendering: &Rendering) -> Result<Sheet> {
        Self::open_as(rendering, |contact| serde_json::from_str(contact).map(|Told(fields)| fields))
    }

    fn open_as(
        rendering: &Rendering,
        fields: impl FnOnce(&str) -> serde_json::Result<Map<String, Value>>,
    ) -> Result<Sheet> {
        let text = SheetText::parse(rendering).ok_or_else(malformed)?;
        let contact = fields(text.contact.get()).map_err(|_| malformed())?;
        let photo = match text.photo.map(RawValue::get) {
            None => Photo::Unlooked,
            Some("null") => Photo::Absent,
            Some(photo) => Photo::Present(serde_json::from_str(photo).map_err(|_| malformed())?),
        };
        Ok(Sheet { photo, contact: Contact(contact) })
    }

    /// Closes it again: the text of the rendering.
    pub fn close(&self) -> Rendering {
        #[derive(Serialize)]
        struct Text<'a> {
            #[serde(skip_serializing_if = "Option::is_none")]
            photo: Option<Option<&'a Picture>>,
            contact: &'a Map<String, Value>,
        }
        let photo = match &self.photo {
            Photo::Unlooked => None,
            Photo::Absent => Some(None),
            Photo::Present(picture) => Some(Some(picture)),
        };
        let text = serde_json::to_vec(&Text { photo, contact: &self.contact.0 });
        // Texts and JSON values always serialise.
        Rendering(text.unwrap_or_default())
    }

    /// What the place's own fields say.
    fn native(&self) -> Content {
        let mut card = fields::read(&self.contact);
        if let Photo::Present(picture) = &self.photo {
            let mut media = Map::new();
            media.insert(keys::PHOTO.to_owned(), json!({"kind": "photo", "uri": picture.uri()}));
            card.0.insert("media".to_owned(), Value::Object(media));
        }
        card::without_derived_name(card)
    }

    /// What it means.
    pub(super) fn meaning(&self) -> Content {
        card::without_derived_name(said(self.native(), self.contact.property(CARRY)))
    }

    /// What the fields are to show of a card: also the entries that stand there although they were to go. They were asked to
    /// once; the carry-all says that they do not count.
    fn beside_leftovers<'a>(&self, card: &'a Content) -> Cow<'a, Content> {
        if self.contact.property(CARRY).is_none() {
            return Cow::Borrowed(card);
        }
        let mut shown = Cow::Borrowed(card);
        let (native, said) = (self.native(), self.meaning());
        let unwanted = carry::leftovers(&native, card);
        for (member, key, entry) in carry::leftovers(&native, &said) {
            if unwanted.contains(&(member, key, entry)) {
                set_path(&mut shown.to_mut().0, &[member.to_owned(), key.to_owned()], entry.clone());
            }
        }
        shown
    }

    /// Sets the carry-all beside the fields, so that both together say this card.
    pub(super) fn carry_beside(&mut self, card: &Content) {
        let native = self.native();
        let carried = self.contact.property(CARRY);
        let is_said = match carried {
            Some(_) => said(native.clone(), carried) == *card,
            None => native == *card,
        };
        if is_said {
            return;
        }
        match (carry::make(&native, card, CARRY_LIMIT), carried) {
            (Some(text), _) => self.contact.set_property(CARRY, &text),
            // An extended property is not known to go away: its header alone stays.
            (None, Some(_)) => self.contact.set_property(CARRY, &carry::emptied()),
            (None, None) => {}
        }
    }

    /// The UID that the copy carries.
    pub fn uid(&self) -> Option<Uid> {
        self.contact.property(UID).filter(|uid| !uid.is_empty()).map(Uid::from)
    }

    /// The mark that the copy carries.
    pub fn mark(&self) -> Option<Mark> {
        self.contact.property(MARK).and_then(Mark::parse)
    }
}

impl<'a> SheetText<'a> {
    fn parse(rendering: &'a Rendering) -> Option<Self> {
        // `Option` alone would take `"photo":null` for "no such member".
        #[derive(Deserialize)]
        struct Looked<'a> {
            #[serde(borrow)]
            photo: &'a RawValue,
            #[serde(borrow)]
            contact: &'a RawValue,
        }
        if is_looked(rendering) {
            let Looked { photo, contact } = serde_json::from_slice(rendering.as_bytes()).ok()?;
            return Some(SheetText { photo: Some(photo), contact });
        }
        serde_json::from_slice(rendering.as_bytes()).ok()
    }
}

/// The name of a field, copied only where it is kept.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// The fields of a contact that say something.
struct Told(Map<String, Value>);

impl<'de> Deserialize<'de> for Told {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Told;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a contact")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Told, A::Error> {
                let mut told = Map::new();
                while let Some(Name(name)) = map.next_key()? {
                    if READ_ONLY.contains(&name.as_ref()) || name.contains('@') {
                        map.next_value::<IgnoredAny>()?;
                    } else if let Some(value) = map.next_value::<Option<Value>>()? {
                        told.insert(name.into_owned(), value);
                    }
                }
                Ok(Told(told))
            }
        }
        from.deserialize_map(Fields)
    }
}

/// Whether a rendering's photo was looked at: the photo stands first.
pub(super) fn is_looked(rendering: &Rendering) -> bool {
    rendering.as_bytes().starts_with(br#"{"photo":"#)
}

fn malformed() -> Error {
    Error::new(ErrorKind::Malformed, "this is no rendering of a Graph contact")
}

/// Native fields and carry-all together.
fn said(native: Content, carried: Option<&str>) -> Content {
    let Some(carried) = carried else { return native };
    let mut full = carry::apply(&native, Some(carried)).into_owned();
    reunite(&native, &mut full, carried);
    full
}

/// The parts of a name or an address are one list, so the carry-all holds the whole list when one part has no field here (a
/// credential, a post office box). When the user then changes another part at Graph, the carried list no longer fits; the
/// parts without a field still belong to it and are put back.
fn reunite(native: &Content, full: &mut Content, carried: &str) {
    if !carried.contains("components\"") {
        return;
    }
    let Ok(parsed) = serde_json::from_str::<Value>(carried) else { return };
    for (path, entry) in parsed.get("e").and_then(Value::as_object).into_iter().flatten() {
        let keys = patch::split(path);
        let has_field: fn(&str) -> bool = match keys.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["name", "components"] => fields::has_name_part,
            ["addresses", _, "components"] => fields::has_address_part,
            _ => continue,
        };
        let Some(now) = get_path(&native.0, &keys).and_then(Value::as_array) else { continue };
        let carried = entry.get(1).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        if get_path(&full.0, &keys).and_then(Value::as_array) != Some(now) {
            continue;
        }
        let is_ours = |part: &&Value| part.get("kind").and_then(Value::as_str).is_some_and(has_field);
        let homeless: Vec<&Value> = carried.iter().filter(|part| !is_ours(part)).collect();
        if !homeless.is_empty() {
            let parts: Vec<&Value> = now.iter().chain(homeless).collect();
            set_path(&mut full.0, &keys, json!(parts));
        }
    }
}

/// The lens of a Graph contact.
#[derive(Clone, Copy, Debug, Default)]
pub struct ContactLens;

impl Lens for ContactLens {
    fn read(&self, rendering: &Rendering) -> Result<Content> {
        Ok(Sheet::open_to_read(rendering)?.meaning())
    }

    fn write(&self, onto: Option<&Rendering>, content: &Content, identity: &Identity) -> Result<Rendering> {
        let content = card::settled(content);
        let mut sheet = match onto {
            Some(rendering) => {
                let sheet = Sheet::open(rendering)?;
                if sheet.meaning() == *content {
                    return Ok(rendering.clone());
                }
                sheet
            }
            None => blank(identity),
        };
        let shown = sheet.beside_leftovers(&content);
        fields::edit(&mut sheet.contact, &shown);
        if onto.is_none() {
            fields::name_from_nothing(&mut sheet.contact, &content);
        }
        if let Some(picture) = Picture::of_card(&content) {
            sheet.photo = Photo::Present(picture);
        }
        sheet.carry_beside(&content);
        Ok(sheet.close())
    }

    fn native(&self, rendering: &Rendering) -> Result<Content> {
        Ok(Sheet::open_to_read(rendering)?.native())
    }

    fn leftovers(&self, rendering: &Rendering) -> Vec<String> {
        let sheet = names_carry(rendering).then(|| Sheet::open_to_read(rendering).ok()).flatten();
        let Some(sheet) = sheet.filter(|sheet| sheet.contact.property(CARRY).is_some()) else { return Vec::new() };
        carry::leftover_members(&sheet.native(), &sheet.meaning())
    }

    fn settle_unknown(&self, last: &Rendering, now: Rendering) -> Rendering {
        let now = with_dropped(last, now);
        if is_looked(&now) || !is_looked(last) {
            return now;
        }
        let Some(SheetText { photo: Some(photo), .. }) = SheetText::parse(last) else { return now };
        match now.as_bytes().strip_prefix(b"{") {
            Some(rest) => Rendering([format!("{{\"photo\":{photo},").as_bytes(), rest].concat()),
            None => now,
        }
    }
}

/// The copy with our extended properties as they were known, where somebody dropped them: we never take the carry-all away (an
/// emptied one keeps its header), and a person cannot. It was edited by a program that does not know them, and what they held
/// was not removed by anybody.
fn with_dropped(last: &Rendering, now: Rendering) -> Rendering {
    if names_carry(&now) || !names_carry(last) {
        return now;
    }
    let (Ok(last), Ok(mut sheet)) = (Sheet::open(last), Sheet::open(&now)) else { return now };
    if last.contact.property(CARRY).is_none() {
        return now;
    }
    for id in [MARK, UID, CARRY] {
        if let (None, Some(value)) = (sheet.contact.property(id), last.contact.property(id)) {
            sheet.contact.set_property(id, value);
        }
    }
    sheet.close()
}

fn names_carry(rendering: &Rendering) -> bool {
    String::from_utf8_lossy(rendering.as_bytes()).contains("twofold-carry")
}

/// A contact from nothing, named.
fn blank(identity: &Identity) -> Sheet {
    let mut contact = Contact::default();
    contact.set_property(UID, identity.uid.as_str());
    if let Some(mark) = &identity.mark {
        contact.set_property(MARK, &mark.to_string());
    }
    Sheet { photo: Photo::Absent, contact }
}

/// A short mark of a photo, for the etag of a copy whose photo was looked at.
pub fn photo_mark(picture: &Picture) -> String {
    card::key(&picture.data)
}
