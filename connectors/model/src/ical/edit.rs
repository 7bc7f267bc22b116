//! An item edited until it says other content: only the lines of the entries that changed.

use super::compose::{self, SINGLE, component, named, occurrence, title, unread, vtimezones};
use super::dates::{self, Speller, edit_original, edit_series, edit_times, frame_of, original_frame, original_line};
use super::doc::{Doc, Part, Prop};
use super::read::{Place, Reading, Unit, Whole};
use super::say::{Fresh, Kept, edited, entries, say};
use super::zones::{Atlas, World};
use super::{alarms, take_apart};
use crate::contentline::ours::{CARRY, CARRY_LIMIT, KEY, encode_carry, is_key};
use crate::contentline::{Edit, fold};
use crate::{Content, Error, ErrorKind, Identity, Result, carry, event};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Entries whose lines state their keys: occurrence (empty: the master), member, key.
pub(super) type Stated = BTreeSet<(String, String, String)>;

/// Members whose lines can state a key, one line (or alarm) for each entry.
const STATABLE: [&str; 4] = ["participants", "links", "virtualLocations", "alerts"];

/// Members whose keys are made of values: a line of one that goes becomes that of one that comes.
const TURNED: [&str; 6] = ["participants", "links", "virtualLocations", "alerts", "relatedTo", "iCalProps"];

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
        };
        entries_of.run(native);
        Ok(())
    }
}

/// One run over the entries of one event.
struct Entries<'a, 'c> {
    part: &'a Part,
    reading: &'a Reading,
    key: &'c str,
    wanted: &'c Map<String, Value>,
    stated: &'c Stated,
    changes: &'c mut Changes<'a>,
    /// Items of lists that change: line, item, `None` where it goes. New ones stand behind all others.
    items: BTreeMap<usize, BTreeMap<usize, Option<String>>>,
    /// Lines that went.
    gone: BTreeSet<usize>,
    /// Lines that were empty and say something now.
    filled: BTreeSet<usize>,
}

/// Entries that go times entries that come, at most, where each is compared with each.
const MOST_COMPARED: usize = 100_000;

/// Items from here on are new in a list.
const NEW_ITEMS: usize = 1 << 40;

impl<'a> Entries<'a, '_> {
    fn run(&mut self, native: &Map<String, Value>) {
        let old = entries(native);
        let old_by_key: HashMap<(&str, &str), &Value> =
            old.iter().map(|(member, key, entry)| ((*member, *key), entry)).collect();
        let wanted = entries(self.wanted);
        let wanted_keys: BTreeSet<(&str, &str)> = wanted.iter().map(|(member, key, _)| (*member, *key)).collect();
        let mut gone: Vec<(&Unit, &Value)> = Vec::new();
        for (member, key, entry) in old.iter().filter(|(member, key, _)| !wanted_keys.contains(&(*member, *key))) {
            gone.extend(self.reading.own.unit(member, key).map(|unit| (unit, entry)));
        }
        let mut new: Vec<(&str, &str, &Value)> = Vec::new();
        for (member, key, entry) in &wanted {
            let was = old_by_key.get(&(*member, *key)).copied();
            if was == Some(entry) {
                continue;
            }
            match self.reading.own.unit(member, key) {
                Some(unit) => self.change(unit, was.unwrap_or(&Value::Null), key, entry),
                None => new.push((member, key, entry)),
            }
        }
        self.turn(&mut gone, &mut new);
        for (unit, was) in gone {
            self.change(unit, was, &unit.key, &Value::Null);
        }
        new.into_iter().for_each(|(member, key, entry)| self.add(member, key, entry));
        self.lists();
    }

    /// Entries whose key is their value get another key when the value changes: the line of one that goes becomes that of one
    /// that comes and is like it, or is the only one to come.
    fn turn(&mut self, gone: &mut Vec<(&Unit, &Value)>, new: &mut Vec<(&str, &str, &Value)>) {
        let mut goes: HashMap<&str, usize> = HashMap::new();
        gone.iter().for_each(|(unit, _)| *goes.entry(unit.member).or_default() += 1);
        let mut comes: HashMap<&str, usize> = HashMap::new();
        new.iter().for_each(|(member, _, _)| *comes.entry(member).or_default() += 1);
        gone.retain(|(unit, was)| {
            let [goes, comes] = [&goes, &comes].map(|count| count.get(unit.member).copied().unwrap_or(0));
            // Where everything is new there is nothing to keep, and no end of comparing.
            if !TURNED.contains(&unit.member) || comes == 0 || goes * comes > MOST_COMPARED {
                return true;
            }
            let is_lone_pair = goes == 1 && comes == 1;
            let fits = |(member, _, entry): &(&str, &str, &Value)| {
                *member == unit.member && (is_lone_pair || is_like(unit.member, was, entry))
            };
            let Some(at) = new.iter().position(fits) else { return true };
            let (_, key, entry) = new.remove(at);
            self.change(unit, was, key, entry);
            false
        });
    }

    fn is_stated(&self, member: &str, key: &str) -> bool {
        self.stated.contains(&(self.key.to_owned(), member.to_owned(), key.to_owned()))
    }

    /// Makes what says `was` say `entry` under `key`; `null`: it goes.
    fn change(&mut self, unit: &Unit, was: &Value, key: &str, entry: &Value) {
        let mut style: Vec<(usize, &Prop)> = Vec::new();
        for place in &unit.places {
            match *place {
                Place::Line(at) => style.extend(self.part.props.get(at).map(|prop| (at, prop))),
                Place::Item(at, item) => drop(self.items.entry(at).or_default().insert(item, None)),
                Place::Inner(at) => self.change_inner(unit, at, was, key, entry),
            }
        }
        if style.is_empty() {
            return;
        }
        let props: Vec<&Prop> = style.iter().map(|(_, prop)| *prop).collect();
        let mut old = say(unit.member, &unit.key, was, &props);
        let mut new = say(unit.member, key, entry, &props);
        if self.is_stated(unit.member, key) {
            new.iter_mut().for_each(|line| line.parameters.push((KEY, vec![key.to_owned()])));
        }
        if unit.member == "iCalProps" {
            // A line that stands for itself is replaced as a whole.
            old.clear();
        }
        let mut last = None;
        for (at, prop) in style {
            let is_same_name = |line: &Fresh| prop.name == line_name(line);
            let before = old.iter().position(is_same_name).map(|i| old.remove(i));
            match new.iter().position(is_same_name).map(|i| new.remove(i)) {
                Some(line) if unit.member == "iCalProps" => self.changes.replace(prop.line, &line.line()),
                Some(line) => {
                    let mut before = before;
                    if prop.parameter(KEY).is_some_and(|stated| stated != key) {
                        let before = before.get_or_insert_with(|| Fresh::uri(&line.name, ""));
                        before.parameters.push((KEY, vec![unit.key.clone()]));
                    }
                    if before.as_ref() != Some(&line) {
                        self.changes.replace(prop.line, &edited(prop, before.as_ref(), &line));
                    }
                }
                None => {
                    self.changes.remove(prop.line);
                    self.gone.insert(at);
                }
            }
            last = Some(prop.line + 1);
        }
        new.iter().for_each(|line| self.put(last.unwrap_or(self.part.end), line));
    }

    fn change_inner(&mut self, unit: &Unit, at: usize, was: &Value, key: &str, entry: &Value) {
        let Some(inner) = self.part.inner.get(at) else { return };
        let lines = match (unit.member, self.reading.alarms.get(&at)) {
            ("alerts", Some(units)) => (alarms::say_trigger(was).zip(alarms::say_action(was)))
                .zip(alarms::say_trigger(entry).zip(alarms::say_action(entry)))
                .map(|lines| (units, lines)),
            _ => None,
        };
        let Some((units, (old, new))) = lines else {
            self.changes.remove_part(inner);
            let lines = if unit.member == "iCalComponents" { component(entry, Kept::Inside) } else { None };
            self.changes.insert_all(inner.begin, &lines.unwrap_or_default());
            return;
        };
        for (name, old, new) in [("TRIGGER", old.0, new.0), ("ACTION", old.1, new.1)] {
            match inner.prop(name) {
                _ if old == new => {}
                Some(prop) => self.changes.replace(prop.line, &edited(prop, Some(&old), &new)),
                None => self.changes.insert(inner.begin + 1, &new.line()),
            }
        }
        let stated = self.is_stated("alerts", key).then(|| Fresh::uri(KEY, key).line());
        match (inner.prop(KEY), stated) {
            (Some(prop), Some(line)) => self.changes.replace(prop.line, &line),
            (Some(prop), None) if prop.word().as_deref() != Some(key) => self.changes.remove(prop.line),
            (None, Some(line)) => self.changes.insert(inner.begin + 1, &line),
            _ => {}
        }
        let wanted: BTreeMap<&String, &Value> = alarms::own_lines(entry).collect();
        for unit in &units.units {
            let Some(Place::Line(at)) = unit.places.first() else { continue };
            let Some(prop) = inner.props.get(*at) else { continue };
            let entry = wanted.get(&unit.key).copied();
            let line = entry.and_then(|entry| entry.get("line")?.as_str());
            match line {
                Some(line) if line == prop.content.text() => {}
                _ => match entry.and_then(alarms::say_line) {
                    Some(line) => self.changes.replace(prop.line, &line.line()),
                    None => self.changes.remove(prop.line),
                },
            }
        }
        let is_new = |key: &String| units.unit("iCalProps", key).is_none();
        for (_, entry) in wanted.iter().filter(|(key, _)| is_new(key)) {
            if let Some(line) = alarms::say_line(entry) {
                self.changes.insert(props_end(inner), &line.line());
            }
        }
    }

    /// Puts a new line into the event, before another; in the place of an empty one of its name, where there may be only one.
    fn put(&mut self, before: usize, line: &Fresh) {
        let name = line_name(line);
        let stays = |(at, prop): &(usize, &Prop)| prop.name == name && !self.gone.contains(at);
        let there = self.part.props.iter().enumerate().filter(|_| SINGLE.contains(&name.as_str())).find(stays);
        match there {
            None => self.changes.insert(before, &line.line()),
            Some((at, prop)) if prop.word().is_none() && self.filled.insert(at) => {
                self.changes.replace(prop.line, &edited(prop, None, line));
            }
            // A second one is carried.
            Some(_) => {}
        }
    }

    fn add(&mut self, member: &str, key: &str, entry: &Value) {
        let stated = self.is_stated(member, key).then_some(key);
        let lines = match member {
            "alerts" => alarms::compose(entry, title(self.wanted), stated),
            "iCalComponents" => component(entry, Kept::Inside),
            _ => None,
        };
        if let Some(lines) = lines {
            return self.changes.insert_all(self.part.end, &lines);
        }
        for mut line in say(member, key, entry, &[]) {
            if line.name == "CATEGORIES" {
                let units = self.reading.own.units.iter().filter(|unit| unit.member == "keywords");
                let places = units.flat_map(|unit| &unit.places);
                let lines = places.filter_map(|place| if let Place::Item(at, _) = place { Some(*at) } else { None });
                let items = self.items.entry(lines.max().unwrap_or(usize::MAX)).or_default();
                let next = items.keys().next_back().map_or(NEW_ITEMS, |last| (*last + 1).max(NEW_ITEMS));
                items.insert(next, Some(line.value));
            } else {
                line.parameters.extend(stated.map(|key| (KEY, vec![key.to_owned()])));
                self.put(props_end(self.part), &line);
            }
        }
    }

    /// Writes the lists that changed.
    fn lists(&mut self) {
        for (at, changed) in std::mem::take(&mut self.items) {
            let added = changed.range(NEW_ITEMS..).filter_map(|(_, item)| item.clone());
            let Some(prop) = self.part.props.get(at) else {
                let items: Vec<String> = added.collect();
                self.changes.insert(props_end(self.part), &format!("CATEGORIES:{}", items.join(",")));
                continue;
            };
            let old = crate::contentline::text::split(prop.content.value(), ',');
            let kept = old.into_iter().enumerate().filter(|(item, _)| !changed.contains_key(item));
            let items: Vec<String> = kept.map(|(_, item)| item.to_owned()).chain(added).collect();
            if items.iter().all(|item| item.trim().is_empty()) {
                self.changes.remove(prop.line);
            } else {
                let raw = prop.content.text();
                let head = raw.get(..raw.len() - prop.content.value().len()).unwrap_or_default();
                self.changes.replace(prop.line, &format!("{head}{}", items.join(",")));
            }
        }
    }
}

/// The name of a line in capitals; of a line of `iCalProps` without its parameters.
fn line_name(line: &Fresh) -> String {
    line.name.split(';').next().unwrap_or_default().trim().to_ascii_uppercase()
}

/// Whether an entry that comes is like one that goes, but for the value that its key is made of.
fn is_like(member: &str, was: &Value, entry: &Value) -> bool {
    let without = |entry: &Value| match member {
        "alerts" => alarms::without_trigger(entry),
        "iCalProps" => {
            let line = entry.get("line").and_then(Value::as_str).unwrap_or_default();
            line.split([':', ';']).next().unwrap_or_default().into()
        }
        _ => {
            let mut entry = entry.as_object().cloned().unwrap_or_default();
            ["email", "sendTo", "href", "uri"].iter().for_each(|value| drop(entry.shift_remove(*value)));
            Value::Object(entry)
        }
    };
    without(was) == without(entry)
}
