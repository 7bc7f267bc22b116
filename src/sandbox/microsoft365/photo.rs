//! Contact photos: bytes and metadata. Sizes are not supported for contacts.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::reply::{Answer, Refusal};
use super::store::{Photo, Rules};
use super::{contacts, links, query};
use crate::{Request, Response, State, Switches};

/// The most a photo may weigh.
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// A JPEG of one pixel, for seeds and tests; the colour stands in its comment, so that two of them differ.
pub fn tiny_jpeg(colour: [u8; 3]) -> Bytes {
    let parts: [&[u8]; 9] = [
        b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x01\x00\x48\x00\x48\x00\x00",
        b"\xff\xfe\x00\x05",
        &colour,
        b"\xff\xdb\x00\x43\x00",
        &[0xff; 64],
        b"\xff\xc2\x00\x0b\x08\x00\x01\x00\x01\x01\x01\x11\x00",
        b"\xff\xc4\x00\x14\x10\x01",
        &[0; 16],
        b"\xff\xda\x00\x08\x01\x01\x00\x01\x3f\x10\xff\xd9",
    ];
    parts.concat().into()
}

/// Answers for a contact's photo; `is_bytes` tells `photo/$value` from `photo`.
pub(super) fn answer(state: &mut State, request: &Request, folder: Option<u64>, id: &str, is_bytes: bool) -> Answer {
    query::options(request, &[])?;
    let key = contacts::find(state, request, folder, id)?;
    let none = || Refusal::new(404, "ErrorItemNotFound", "The specified object was not found in the store.");
    match (request.method.as_str(), is_bytes) {
        ("GET", _) => {
            let photo = state.microsoft.contacts[&key].photo.as_ref().ok_or_else(none)?;
            let bytes = shown(photo, &state.switches);
            if is_bytes {
                let reply = Response::bytes(200, &photo.content_type, bytes.clone());
                return Ok(reply.with_header("etag", &media_etag(&bytes)));
            }
            let (width, height) = size(&bytes).unwrap_or((1, 1));
            Ok(Response::json(
                200,
                &json!({
                    "@odata.context": links::context(state, &format!("contacts('{}')/photo/$entity", links::escape(id))),
                    "@odata.mediaContentType": photo.content_type,
                    "@odata.mediaEtag": media_etag(&bytes),
                    "id": format!("{width}X{height}"),
                    "width": width,
                    "height": height,
                }),
            ))
        }
        ("PUT", true) => {
            let photo = read(request)?;
            let rules = Rules::of(state);
            let shows = state.switches.graph_delta_photo;
            state.microsoft.set_photo(&rules, key, Some(photo), shows);
            Ok(Response::empty(200))
        }
        ("DELETE", false) if !state.switches.graph_photo_delete_refused => {
            if state.microsoft.contacts[&key].photo.is_none() {
                return Err(none());
            }
            let rules = Rules::of(state);
            let shows = state.switches.graph_delta_photo;
            state.microsoft.set_photo(&rules, key, None, shows);
            Ok(Response::empty(204))
        }
        _ => Err(Refusal::no_method()),
    }
}

fn read(request: &Request) -> Result<Photo, Refusal> {
    let kind = request.header("content-type").unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if !["image/jpeg", "image/jpg"].contains(&kind.to_ascii_lowercase().as_str()) {
        let text = format!("The content type '{kind}' of the photo is not supported; image/jpeg is.");
        return Err(Refusal::new(400, "ErrorInvalidRequest", text));
    }
    match request.body.len() {
        0 => Err(Refusal::new(400, "ErrorInvalidRequest", "The photo is empty.")),
        1..=MOST_BYTES => Ok(Photo { bytes: request.body.clone(), content_type: "image/jpeg".into() }),
        _ => Err(Refusal::new(413, "ErrorMessageSizeExceeded", "The photo is larger than 4 MB.")),
    }
}

/// The bytes that come back: those sent, or with the switch the same picture with a comment behind its end.
fn shown(photo: &Photo, switches: &Switches) -> Bytes {
    if !switches.graph_photo_reencoded {
        return photo.bytes.clone();
    }
    let mut bytes = photo.bytes.to_vec();
    bytes.extend_from_slice(b"\xff\xfe\x00\x04\x00\x00");
    bytes.into()
}

fn media_etag(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    format!("\"{:02X}{:02X}{:02X}{:02X}\"", digest[0], digest[1], digest[2], digest[3])
}

/// Width and height of a JPEG, read from its frame header.
fn size(bytes: &[u8]) -> Option<(u32, u32)> {
    let mut at = 2;
    while let [0xFF, marker, high, low, ..] = *bytes.get(at..)? {
        if (0xC0..=0xC3).contains(&marker) {
            let frame = bytes.get(at + 5..at + 9)?;
            let pair = |at: usize| u32::from(frame[at]) << 8 | u32::from(frame[at + 1]);
            return Some((pair(2), pair(0)));
        }
        at += 2 + (usize::from(high) << 8 | usize::from(low));
    }
    None
}

/// A photo for a test to compare.
pub(super) fn dump(photo: Option<&Photo>) -> Value {
    photo.map_or(
        Value::Null,
        |photo| json!({ "contentType": photo.content_type, "base64": STANDARD.encode(&photo.bytes) }),
    )
}
