//! A card from nothing: the frame that every card needs, then the content edited into it.

use super::Version;
use super::names::{MARK, made_up, mark_of};
use super::read::HUB;
use super::text::{Within, escape};
use crate::contentline::{Parameter, fold};
use crate::{Content, Identity, Result};

/// A complete card: VERSION, UID, FN and N always.
pub(super) fn from_nothing(version: Version, content: &Content, identity: &Identity) -> Result<Vec<u8>> {
    let full = made_up(content);
    let mark = Parameter::write(MARK, &[mark_of(&full)]);
    let mut lines = vec![
        "BEGIN:VCARD".to_owned(),
        format!("VERSION:{}", if version == Version::V3 { "3.0" } else { "4.0" }),
        format!("UID:{}", escape(identity.uid.as_str(), Within::Uri)),
        format!("FN;{mark}:{}", escape(&full, Within::Text)),
        "N:;;;;".to_owned(),
    ];
    if let Some(mark) = &identity.mark {
        lines.push(format!("{HUB}:{}", escape(&mark.to_string(), Within::Uri)));
    }
    lines.push("END:VCARD".to_owned());
    let mut frame = Vec::new();
    for physical in lines.iter().flat_map(|line| fold(line.as_bytes())) {
        frame.extend_from_slice(&physical);
        frame.extend_from_slice(b"\r\n");
    }
    super::edit::edit(&frame, content)
}
