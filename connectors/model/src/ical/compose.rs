//! An item from nothing: the frame that every calendar needs around the lines that say its content.

use super::dates::{Speller, frame_of, fresh_series, fresh_times, original_frame, original_line};
use super::doc::Zones;
use super::edit::{Stated, whole};
use super::say::{Fresh, Kept, entries, own_component, say};
use super::zones::{Atlas, World};
use super::{STAMP, alarms};
use crate::contentline::ours::{KEY, MARK};
use crate::contentline::text::unescape;
use crate::contentline::{ContentLine, LineEnd, fold, lay_out};
use crate::{Content, Error, ErrorKind, Identity, Result, event};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Properties that an event may have once (RFC 5545 3.6.1); strict readers refuse a second one.
pub(super) const SINGLE: [&str; 11] =
    ["SUMMARY", "DESCRIPTION", "CLASS", "STATUS", "PRIORITY", "TRANSP", "LOCATION", "GEO", "URL", "ORGANIZER", "COLOR"];

/// A complete calendar. `content` is settled ([`event::settled`]).
///
/// # Errors
/// [`ErrorKind::Refused`] for an event without a start, or occurrences of none.
pub(super) fn from_nothing(content: &Content, identity: &Identity, atlas: &Atlas) -> Result<Vec<u8>> {
    let world = World::new(atlas).with(content);
    whole(content, atlas, |stated| {
        let zones = Zones::default();
        let mut speller = Speller::new(&zones, &world);
        let uid = Fresh::text("UID", identity.uid.as_str()).line();
        let mut mark = identity.mark.as_ref().map(|mark| Fresh::uri(MARK, &mark.to_string()).line());
        let mut events = Vec::new();
        if content.get("start").is_some() {
            events.extend(master(content, &uid, mark.take(), stated, &mut speller)?);
        }
        let overrides = content.get("recurrenceOverrides").and_then(Value::as_object).into_iter().flatten();
        for (key, _) in overrides {
            events.extend(occurrence(content, key, &uid, &mut mark, stated, &mut speller).into_iter().flatten());
        }
        for kept in unread(content).into_values() {
            events.extend(named(kept, &uid, mark.take().filter(|_| events.is_empty())));
        }
        if events.is_empty() {
            return Err(Error::new(ErrorKind::Refused, "an event without a start"));
        }
        let mut lines = vec!["BEGIN:VCALENDAR".to_owned(), "VERSION:2.0".to_owned(), format!("PRODID:{PRODID}")];
        lines.extend(vtimezones(content, &speller));
        lines.extend(events);
        lines.push("END:VCALENDAR".to_owned());
        let mut bytes = Vec::with_capacity(2048);
        for physical in lines.iter().flat_map(|line| fold(line.as_bytes())) {
            lay_out(&mut bytes, &physical, LineEnd::CrLf);
        }
        Ok(bytes)
    })
}

/// Who made a calendar from nothing (RFC 5545 3.7.3). Without a version: the same content gives the same bytes.
const PRODID: &str = "-//twofold//EN";

/// The lines of a new master.
pub(super) fn master(
    content: &Content,
    uid: &str,
    mark: Option<String>,
    stated: &Stated,
    speller: &mut Speller<'_>,
) -> Result<Vec<String>> {
    let frame = frame_of(&content.0, speller.world)?;
    let mut lines = head(uid);
    lines.extend(fresh_times(&content.0, &frame, speller));
    lines.extend(fresh_series(content, &frame, speller));
    lines.extend(mark);
    body(&content.0, "", stated, &mut lines);
    Ok(lines)
}

/// The lines of a new override; none where the occurrence is like the master, or its key is no start of the series.
pub(super) fn occurrence(
    content: &Content,
    key: &str,
    uid: &str,
    mark: &mut Option<String>,
    stated: &Stated,
    speller: &mut Speller<'_>,
) -> Option<Vec<String>> {
    let members = event::changed(content, key)?;
    let is_lone = content.get("start").is_none();
    let series = match is_lone {
        true => original_frame(key, &members.0, speller.world),
        false => frame_of(&content.0, speller.world),
    };
    // What an occurrence says that cannot be written is carried.
    let original = series.and_then(|series| original_line(key, &series, speller));
    let (Ok(original), Ok(frame)) = (original, frame_of(&members.0, speller.world)) else { return None };
    let mut lines = head(uid);
    lines.push(speller.written(&original));
    lines.extend(fresh_times(&members.0, &frame, speller));
    lines.extend(mark.take().filter(|_| is_lone));
    body(&members.0, key, stated, &mut lines);
    Some(lines)
}

fn head(uid: &str) -> Vec<String> {
    vec!["BEGIN:VEVENT".to_owned(), uid.to_owned(), format!("DTSTAMP:{STAMP}")]
}

/// All entries of an event, and its end. `part` is the key of the occurrence; empty for the master.
fn body(members: &Map<String, Value>, part: &str, stated: &Stated, lines: &mut Vec<String>) {
    let mut words = Vec::new();
    let mut inner = Vec::new();
    let mut used = BTreeSet::new();
    for (member, key, entry) in entries(members) {
        let stated = stated.contains(&(part.to_owned(), member.to_owned(), key.to_owned())).then_some(key);
        match member {
            "alerts" => inner.extend(alarms::compose(&entry, title(members), stated).into_iter().flatten()),
            "iCalComponents" => inner.extend(component(&entry, Kept::Inside).into_iter().flatten()),
            _ => {
                for mut line in say(member, key, &entry, &[]) {
                    if line.name == "CATEGORIES" {
                        words.push(line.value);
                    } else if !SINGLE.contains(&line.name.as_str()) || used.insert(line.name.clone()) {
                        line.parameters.extend(stated.map(|key| (KEY, vec![key.to_owned()])));
                        lines.push(line.line());
                    }
                }
            }
        }
    }
    if !words.is_empty() {
        lines.push(format!("CATEGORIES:{}", words.join(",")));
    }
    lines.extend(inner);
    lines.push("END:VEVENT".to_owned());
}

/// The title, as an alarm shows it.
pub(super) fn title(members: &Map<String, Value>) -> Option<&str> {
    members.get("title").and_then(Value::as_str).filter(|title| !title.trim().is_empty())
}

/// The lines of a component that is kept as it is.
pub(super) fn component(entry: &Value, kept: Kept) -> Option<Vec<String>> {
    own_component(entry.get("component")?.as_str()?, kept)
}

/// The overrides that are kept unread, by their keys.
pub(super) fn unread(content: &Content) -> BTreeMap<String, Vec<String>> {
    let all = content.get("iCalOverrides").and_then(Value::as_object).into_iter().flatten();
    all.filter_map(|(key, entry)| Some((key.clone(), component(entry, Kept::Override)?))).collect()
}

/// The lines of an event that came without what names it.
pub(super) fn named(lines: Vec<String>, uid: &str, mark: Option<String>) -> Vec<String> {
    let rest = lines.into_iter().skip(1);
    head(uid).into_iter().chain(mark).chain(rest).collect()
}

/// The VTIMEZONEs that a file lacks for what was written into it.
pub(super) fn vtimezones(content: &Content, speller: &Speller<'_>) -> Vec<String> {
    let own = |zone: &str| {
        let lines = component(content.at(&["timeZones", zone])?, Kept::Zone)?;
        let tzid =
            lines.iter().filter_map(|line| ContentLine::parse(line.as_str())).find(|line| line.name() == "TZID")?;
        (unescape(tzid.value(), true).trim() == zone.strip_prefix('/')?).then_some(lines)
    };
    let missing = speller.missing.iter();
    missing
        .filter_map(|zone| if zone.starts_with('/') { own(zone) } else { speller.world.vtimezone(zone, content) })
        .flatten()
        .collect()
}
