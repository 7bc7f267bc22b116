//! An item edited until it says other content: only the lines of the entries that changed.

mod entry;

use super::compose::{self, named, occurrence, unread, vtimezones};
use super::dates::{self, Speller, edit_original, edit_series, edit_times, frame_of, original_frame, original_line};
use super::doc::{Doc, Part};
use super::read::{Reading, Whole};
use super::say::Fresh;
use super::take_apart;
use super::zones::{Atlas, World};
use crate::contentline::ours::{CARRY, CARRY_LIMIT, encode_carry, is_key};
use crate::contentline::{Edit, fold};
use crate::{Content, Error, ErrorKind, Identity, Result, carry, event};
use entry::Entries;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Entries whose lines state their keys: occurrence (empty: the master), member, key.
pub(super) type Stated = BTreeSet<(String, String, String)>;

/// Members whose lines can state a key, one line (or alarm) for each entry.
const STATABLE: [&str; 4] = ["participants", "links", "virtualLocations", "alerts"];

/// `onto` edited so that it says `content`, which is settled and not what it says already.
pub(super) fn edit(
    doc: &Doc<'_>,
    now: &Whole,
    content: &Content,
    identity: &Identity,
    atlas: &Atlas,
) -> Result<Vec<u8>> {
    let world = doc.world.clone().with(content);
    whole(content, atlas, |stated| Editor::new(doc, now, content, stated, &world).run(identity))
}

/// An item that says all of `content`: the lines that iCalendar has for it, then, from what these lines are read as, the keys that
/// they would not give by themselves, and the carry-all.
pub(super) fn whole(content: &Content, atlas: &Atlas, write: impl Fn(&Stated) -> Result<Vec<u8>>) -> Result<Vec<u8>> {
    let bytes = write(&Stated::new())?;
    let (doc, now) = take_apart(&bytes, atlas)?;
    let stated = displaced(&now, content);
    if stated.is_empty() {
        return Ok(finish(&doc, &now, bytes, content));
    }
    // Some new lines got other keys than the content has: written once more, with those keys.
    let bytes = write(&stated)?;
    let (doc, now) = take_apart(&bytes, atlas)?;
    Ok(finish(&doc, &now, bytes, content))
}

/// Entries that stand under other keys than the content has.
fn displaced(now: &Whole, content: &Content) -> Stated {
    let mut displaced = Stated::new();
    let master = now.master.iter().map(|reading| (String::new(), reading, Some(content.clone())));
    let overrides = now.overrides.iter().map(|(key, reading)| (key.clone(), reading, wanted_occurrence(content, key)));
    for (part, reading, wanted) in master.chain(overrides) {
        let Some(wanted) = wanted else { continue };
        for member in STATABLE {
            let (Some(native), Some(wanted)) = (
                reading.own.members.get(member).and_then(Value::as_object),
                wanted.get(member).and_then(Value::as_object),
            ) else {
                continue;
            };
            if native.keys().any(|key| !wanted.contains_key(key)) {
                let missing = wanted.keys().filter(|key| !native.contains_key(*key) && is_key(key));
                displaced.extend(missing.map(|key| (part.clone(), member.to_owned(), key.clone())));
            }
        }
    }
    displaced
}

/// What an occurrence that has an event of its own shall say; `None` where it shall have none.
fn wanted_occurrence(content: &Content, key: &str) -> Option<Content> {
    event::changed(content, key).or_else(|| event::occurrence(content, key))
}

/// Puts the carry-all right.
fn finish(doc: &Doc<'_>, now: &Whole, bytes: Vec<u8>, content: &Content) -> Vec<u8> {
    let wanted = carry::make(&now.native, content, CARRY_LIMIT);
    if wanted.is_none() && now.carry.is_empty() {
        return bytes;
    }
    let mut changes = Changes::of(doc);
    let mut old = now.carry.iter().copied();
    if let Some(text) = wanted {
        let line = Fresh::uri(CARRY, &encode_carry(&text)).line();
        match old.next() {
            Some(at) => changes.replace(at, &line),
            None => {
                let holder = now.master.as_ref().map_or(0, |master| master.part);
                if let Some(part) = doc.events.get(holder) {
                    changes.insert(props_end(part), &line);
                }
            }
        }
    }
    old.for_each(|at| changes.remove(at));
    doc.encode(changes.edit.finish())
}

/// Where the lines of a component end and the components in it begin.
fn props_end(part: &Part) -> usize {
    part.inner.first().map_or(part.end, |inner| inner.begin)
}

/// Changes to a file, line by line.
pub(super) struct Changes<'a> {
    edit: Edit<'a>,
    /// Where components that went began.
    removed: BTreeSet<usize>,
}

impl<'a> Changes<'a> {
    fn of(doc: &'a Doc<'_>) -> Self {
        Self { edit: doc.file.edit(), removed: BTreeSet::new() }
    }

    /// Puts a line, unfolded, in the place of one that is there.
    pub(super) fn replace(&mut self, line: usize, text: &str) {
        self.edit.replace(line, fold(text.as_bytes()));
    }

    /// Takes a line away.
    pub(super) fn remove(&mut self, line: usize) {
        self.edit.remove(line);
    }

    /// Puts a new line before one that is there.
    pub(super) fn insert(&mut self, before: usize, text: &str) {
        self.edit.insert_before(before, fold(text.as_bytes()));
    }

    fn remove_part(&mut self, part: &Part) {
        self.removed.insert(part.begin);
        (part.begin..=part.end).for_each(|line| self.remove(line));
    }

    fn insert_all(&mut self, before: usize, lines: &[String]) {
        lines.iter().for_each(|line| self.insert(before, line));
    }
}

/// One run over a file.
struct Editor<'a> {
    doc: &'a Doc<'a>,
    now: &'a Whole,
    content: &'a Content,
    stated: &'a Stated,
    world: &'a World<'a>,
    speller: Speller<'a>,
    changes: Changes<'a>,
}

impl<'a> Editor<'a> {
    fn new(doc: &'a Doc<'a>, now: &'a Whole, content: &'a Content, stated: &'a Stated, world: &'a World<'a>) -> Self {
        let speller = Speller::new(&doc.zones, world);
        Self { doc, now, content, stated, world, speller, changes: Changes::of(doc) }
    }

    fn run(mut self, identity: &Identity) -> Result<Vec<u8>> {
        let (doc, now, content) = (self.doc, self.now, self.content);
        let stated = doc.events.iter().filter_map(|part| part.prop("UID")).find(|prop| prop.word().is_some());
        let uid = stated.map(|prop| prop.content.text().trim_start().to_owned());
        let uid = uid.unwrap_or_else(|| Fresh::text("UID", identity.uid.as_str()).line());
        let is_lone = content.get("start").is_none();
        let series = if is_lone { None } else { Some(frame_of(&content.0, self.world)?) };
        let mut new = Vec::new();
        let mut kept_events = 0;
        match (&now.master, &series) {
            (Some(master), Some(frame)) => {
                self.event(master, &content.0, "")?;
                let part = &doc.events[master.part];
                let native = Content(now.native.0.clone());
                edit_series(doc, part, &master.times, (&native, content), frame, &mut self.speller, &mut self.changes)?;
            }
            (Some(master), None) => self.changes.remove_part(&doc.events[master.part]),
            (None, Some(_)) => new.extend(compose::master(content, &uid, None, self.stated, &mut self.speller)?),
            (None, None) => {}
        }
        for (key, reading) in &now.overrides {
            let part = &doc.events[reading.part];
            let wanted = wanted_occurrence(content, key);
            let frame = wanted.as_ref().and_then(|wanted| match &series {
                Some(frame) => Some(frame.clone()),
                None => original_frame(key, &wanted.0, self.world).ok(),
            });
            // What an occurrence says that cannot be written is carried.
            let original = frame.as_ref().and_then(|frame| original_line(key, frame, &mut self.speller).ok());
            let wanted = wanted.filter(|wanted| frame_of(&wanted.0, self.world).is_ok());
            let (Some(wanted), Some(frame), Some(original)) = (wanted, frame, original) else {
                self.changes.remove_part(part);
                continue;
            };
            self.event(reading, &wanted.0, key)?;
            if let Some(prop) = reading.times.original.and_then(|at| part.props.get(at)) {
                edit_original(doc, prop, (key, &original), &frame, &mut self.speller, &mut self.changes);
            }
            kept_events += 1;
        }
        let overrides = content.get("recurrenceOverrides").and_then(Value::as_object).into_iter().flatten();
        for (key, patch) in overrides.filter(|(key, _)| !now.overrides.contains_key(*key)) {
            // A period says its length itself.
            let is_said = !is_lone && now.native.at(&["recurrenceOverrides", key]) == Some(patch);
            if !is_said {
                new.extend(
                    occurrence(content, key, &uid, &mut None, self.stated, &mut self.speller).into_iter().flatten(),
                );
            }
        }
        let mut kept = unread(content);
        if is_lone && kept_events == 0 && new.is_empty() && kept.is_empty() {
            return Err(Error::new(ErrorKind::Refused, "an event without a start"));
        }
        for (key, part) in &now.unread {
            if kept.remove(key).is_none() {
                self.changes.remove_part(&doc.events[*part]);
            }
        }
        new.extend(kept.into_values().flat_map(|lines| named(lines, &uid, None)));
        if stated.is_none() && !new.is_empty() {
            // Events of one series have one UID; the only one there has none.
            let kept = doc.events.iter().filter(|part| !self.changes.removed.contains(&part.begin));
            for part in kept.collect::<Vec<_>>() {
                match part.prop("UID") {
                    Some(prop) => self.changes.replace(prop.line, &uid),
                    None => self.changes.insert(part.begin + 1, &uid),
                }
            }
        }
        let zones = vtimezones(content, &self.speller);
        let first = doc.events.iter().map(|part| part.begin).min().unwrap_or(doc.end);
        let last = doc.events.iter().map(|part| part.end + 1).max().unwrap_or(doc.end);
        self.changes.insert_all(first, &zones);
        self.changes.insert_all(last, &new);
        Ok(doc.encode(self.changes.edit.finish()))
    }

    /// Makes one event say `wanted`. `key` is that of the occurrence; empty for the master.
    fn event(&mut self, reading: &'a Reading, wanted: &Map<String, Value>, key: &str) -> Result<()> {
        let part = &self.doc.events[reading.part];
        let native = &reading.own.members;
        let frames = (dates::old_frame(reading, self.world)?, frame_of(wanted, self.world)?);
        edit_times(
            part,
            &reading.times,
            (native, wanted),
            (&frames.0, &frames.1),
            &mut self.speller,
            &mut self.changes,
        );
        let mut entries_of = Entries {
            part,
            reading,
            key,
            wanted,
            stated: self.stated,
            changes: &mut self.changes,
            items: BTreeMap::new(),
            gone: BTreeSet::new(),
            filled: BTreeSet::new(),
            added: BTreeSet::new(),
        };
        entries_of.run(native);
        Ok(())
    }
}
