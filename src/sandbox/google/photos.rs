//! Contact photos: setting, deleting, and the host that serves them without a token.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use bytes::Bytes;
use serde_json::{Value, json};

use super::errors::{Refusal, invalid, not_found};
use super::people::after;
use super::render::{Absent, View};
use super::store::{self, Photo, fresh_key};
use crate::wire::segments;
use crate::{Request, Response, State};

/// PATCH people/{id}:updateContactPhoto.
pub(crate) fn update(state: &mut State, resource: &str, body: &Value) -> Result<Response, Refusal> {
    let name = state.google.resolve(resource).ok_or_else(not_found)?;
    let sources: Vec<&str> = body["sources"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let view = View::read("personFields", body["personFields"].as_str(), sources.into_iter(), Absent::Nothing)?;
    let text = body["photoBytes"].as_str().unwrap_or_default();
    let bytes =
        decode(text).ok_or_else(|| invalid("Invalid value at 'photo_bytes' (TYPE_BYTES), Base64 decoding failed"))?;
    let photo = picture(bytes).ok_or_else(|| invalid("Photo bytes are not a valid image."))?;
    set(state, &name, Some(photo))?;
    answer(state, &name, &view)
}

/// DELETE people/{id}:deleteContactPhoto.
pub(crate) fn delete(state: &mut State, request: &Request, resource: &str) -> Result<Response, Refusal> {
    let view = View::of_query(request, Absent::Nothing)?;
    let (name, person) = state.google.living(resource).ok_or_else(not_found)?;
    if person.newest().photo.is_none() {
        return Err(not_found());
    }
    set(state, &name, None)?;
    answer(state, &name, &view)
}

fn answer(state: &mut State, name: &str, view: &View) -> Result<Response, Refusal> {
    if view.is_empty() {
        return Ok(Response::json(200, &json!({})));
    }
    let person = after(state, name, view)?;
    Ok(Response::json(200, &json!({ "person": person })))
}

/// Changes the photo of a contact (a present name). Whether its etag changes as well is a switch.
pub(crate) fn set(state: &mut State, name: &str, photo: Option<Photo>) -> Result<(), Refusal> {
    let key = photo.map(|photo| {
        let key = fresh_key(&mut state.rng);
        state.google.photos.insert(key.clone(), photo);
        key
    });
    if state.switches.photo_changes_etag {
        store::change(state, name, |version| version.photo = key)?;
        return Ok(());
    }
    replace(state, name, key);
    Ok(())
}

/// The photo a contact has from the start.
pub(crate) fn seed(state: &mut State, name: &str, photo: Option<Photo>) {
    let Some(photo) = photo else { return };
    let key = fresh_key(&mut state.rng);
    state.google.photos.insert(key.clone(), photo);
    replace(state, name, Some(key));
}

/// Puts another photo into every version, as if it had always been there.
fn replace(state: &mut State, name: &str, key: Option<String>) {
    let person = state.google.people.get_mut(name);
    for version in person.into_iter().flat_map(|person| &mut person.versions) {
        Arc::make_mut(version).photo.clone_from(&key);
    }
}

/// Any of the four ways to write base64.
fn decode(text: &str) -> Option<Vec<u8>> {
    let engines = [&STANDARD, &STANDARD_NO_PAD, &URL_SAFE, &URL_SAFE_NO_PAD];
    engines.iter().find_map(|engine| engine.decode(text).ok())
}

/// A picture by its first bytes; anything else is none.
pub(crate) fn picture(bytes: Vec<u8>) -> Option<Photo> {
    let content_type = match bytes.as_slice() {
        [0xFF, 0xD8, 0xFF, ..] => "image/jpeg",
        [0x89, b'P', b'N', b'G', ..] => "image/png",
        [b'G', b'I', b'F', b'8', ..] => "image/gif",
        _ => return None,
    };
    Some(Photo { content_type, bytes: Bytes::from(bytes) })
}

/// GET on the photo host: `{key}=s100`, or the same with `?sz=`. The size is taken and changes nothing.
pub(crate) fn host(state: &State, request: &Request, path: &str) -> Response {
    let key = segments(path).first().map(|part| part.split('=').next().unwrap_or_default().to_owned());
    let key = key.unwrap_or_default();
    if request.method != "GET" {
        return Response::empty(405);
    }
    if let Some(letter) = key.strip_prefix("tile-") {
        let shade = letter.bytes().fold(0_u8, u8::wrapping_add);
        return Response::bytes(200, "image/png", tiny_png([shade, 120, 200]));
    }
    match state.google.photos.get(&key) {
        Some(photo) => Response::bytes(200, photo.content_type, photo.bytes.clone()),
        None => {
            Response::bytes(404, "text/html; charset=UTF-8", "<!DOCTYPE html><title>Error 404 (Not Found)!!1</title>")
        }
    }
}

/// A whole, valid PNG of one colour, 8 by 8.
pub fn tiny_png(colour: [u8; 3]) -> Vec<u8> {
    const SIDE: u32 = 8;
    let mut header = Vec::new();
    header.extend(SIDE.to_be_bytes());
    header.extend(SIDE.to_be_bytes());
    header.extend([8, 2, 0, 0, 0]); // 8 bits, RGB, no interlace
    let row: Vec<u8> = std::iter::once(0).chain(std::iter::repeat_n(colour, SIDE as usize).flatten()).collect();
    let raw = row.repeat(SIDE as usize);
    let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    // Writing to a Vec cannot fail.
    let _ = std::io::Write::write_all(&mut packed, &raw);
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    for (kind, data) in [(b"IHDR", header), (b"IDAT", packed.finish().unwrap_or_default()), (b"IEND", Vec::new())] {
        png.extend(u32::try_from(data.len()).unwrap_or(0).to_be_bytes());
        let mut crc = flate2::Crc::new();
        crc.update(kind);
        crc.update(&data);
        png.extend_from_slice(kind);
        png.extend(data);
        png.extend(crc.sum().to_be_bytes());
    }
    png
}
