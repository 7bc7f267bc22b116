//! Exchange's own properties of a message, by their tags: which ones Graph works out, and which ones it obeys when they are
//! written. What it does not know it keeps and gives back.

use super::body::Body;
use super::mime;
use crate::{Switches, clock};

/// PidTagMessageFlags: read, not sent, has files.
const READ: u32 = 1;
const UNSENT: u32 = 8;
const HAS_FILES: u32 = 16;

/// The type and tag of a property that is named by a tag.
fn tag(id: &str) -> Option<(&str, u32)> {
    let (kind, tag) = id.split_once(" 0x")?;
    Some((kind, u32::from_str_radix(tag, 16).ok()?))
}

/// The value of an extended property (its canonical id) of a message.
pub(super) fn value(body: &Body, id: &str) -> Option<String> {
    let time = |at_ms| Some(clock::rfc3339_seconds(at_ms));
    let text = |name: &str| body.whole()[name].as_str().map(str::to_owned);
    let found = match tag(id) {
        Some(("Integer", 0x0E07)) => {
            let bit = |is: bool, bit: u32| if is { bit } else { 0 };
            let has_files = body.whole()["hasAttachments"] == true;
            let flags = bit(body.is_read, READ) | bit(body.is_draft, UNSENT) | bit(has_files, HAS_FILES);
            return Some(flags.to_string());
        }
        Some(("Integer" | "Long", 0x0E08)) => return Some(body.size().to_string()),
        Some(("SystemTime", 0x0E06)) => return time(body.received_ms),
        Some(("SystemTime", 0x0039)) => return time(body.sent_ms),
        Some(("Boolean", 0x0029)) => return Some((body.whole()["isReadReceiptRequested"] == true).to_string()),
        Some(("String", 0x001A)) => Some("IPM.Note".to_owned()),
        Some(("String", 0x1035)) => text("internetMessageId"),
        Some(("String", 0x007D)) => body.mime.as_ref().map(|bytes| mime::head(bytes)),
        Some(("String", 0x1042)) => body.mime.as_ref().and_then(|bytes| mime::names(bytes).1.last().cloned()),
        Some(("String", 0x1039)) => body.mime.as_ref().map(|bytes| mime::names(bytes).1.join(" ")),
        _ => None,
    };
    let same = |have: &str| have == id || tag(have).is_some_and(|tagged| Some(tagged) == tag(id));
    let written = body.extended.iter().find(|(have, _)| same(have)).map(|(_, value)| value.clone());
    written.or(found).filter(|value| !value.is_empty())
}

/// Does what was written of such properties. A value that does not fit its type is given back as the error.
pub(super) fn obey(body: &mut Body, is_new: bool, switches: &Switches) -> Result<(), &'static str> {
    let written = body.extended.clone();
    let time = |value: &str| {
        let time = chrono::DateTime::parse_from_rfc3339(value).map_err(|_| "Edm.DateTimeOffset")?;
        Ok::<i64, &'static str>(time.timestamp_millis())
    };
    for (id, value) in written {
        match tag(&id) {
            Some(("Integer", 0x0E07)) => {
                let flags: u32 = value.parse().map_err(|_| "Edm.Int32")?;
                if is_new && switches.graph_obeys_message_flags {
                    body.is_draft = flags & UNSENT != 0;
                    body.is_read = flags & READ != 0;
                }
            }
            Some(("SystemTime", 0x0E06)) => {
                let at_ms = time(&value)?;
                if is_new && switches.graph_obeys_delivery_time {
                    body.received_ms = at_ms;
                }
            }
            Some(("SystemTime", 0x0039)) => {
                let at_ms = time(&value)?;
                if is_new {
                    body.sent_ms = at_ms;
                }
            }
            Some(("Boolean", 0x0029)) => {
                let is_asked: bool = value.to_ascii_lowercase().parse().map_err(|_| "Edm.Boolean")?;
                body.fields.insert("isReadReceiptRequested".into(), is_asked.into());
            }
            Some(("String", 0x007D)) if !switches.graph_keeps_transport_headers => {}
            _ => continue,
        }
        // It lives on as what it was obeyed in.
        body.extended.retain(|(have, _)| *have != id);
    }
    Ok(())
}
