//! A card from nothing: the frame that every card needs around the lines that say its content.

use super::Version;
use super::compose::{self, Composed};
use super::doc::Dialect;
use super::edit;
use super::say::{Fresh, Val};
use crate::contentline::ours::MARK;
use crate::contentline::{LineEnd, lay_out};
use crate::{Content, Identity, Result};

/// A complete card: VERSION, UID, FN and N always. `content` is settled ([`crate::card::settled`]).
pub(super) fn from_nothing(version: Version, content: &Content, identity: &Identity) -> Result<Vec<u8>> {
    let (dialect, number) = match version {
        Version::V3 => (Dialect::V3, "3.0"),
        Version::V4 => (Dialect::V4, "4.0"),
    };
    let uri = |name: &str, text: &str| Fresh::new(name, Val::Uri(text.to_owned()));
    let mut frame = vec![
        uri("BEGIN", "VCARD"),
        uri("VERSION", number),
        uri("UID", identity.uid.as_str()),
        edit::full_line(content),
        edit::parts_line(content.get("name"), dialect, true),
    ];
    frame.extend(identity.mark.as_ref().map(|mark| uri(MARK, &mark.to_string())));
    let composed = |line: &Fresh| compose::fresh(None, line, None, dialect, None);
    let head: Vec<Composed> = frame.iter().map(composed).collect();
    let end = composed(&uri("END", "VCARD"));
    edit::whole(content, |keyed| {
        let lines = edit::lines(dialect, content, keyed);
        let mut card = Vec::with_capacity(1024);
        for physical in head.iter().chain(&lines).chain([&end]).flat_map(Composed::physical) {
            lay_out(&mut card, &physical, LineEnd::CrLf);
        }
        Ok(card)
    })
}
