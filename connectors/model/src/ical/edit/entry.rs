//! The entries of one event that is edited: the lines, list items and alarms that say them.

use super::super::alarms;
use super::super::compose::{SINGLE, component, title};
use super::super::doc::{Part, Prop};
use super::super::read::Reading;
use super::super::say::{Fresh, Kept, edited, entries, say};
use super::super::units::{Place, Unit};
use super::{Changes, Stated, props_end};
use crate::contentline::ours::KEY;
use crate::contentline::text::split;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Members whose keys are made of values: a line of one that goes becomes that of one that comes.
const TURNED: [&str; 6] = ["participants", "links", "virtualLocations", "alerts", "relatedTo", "iCalProps"];

/// One run over the entries of one event.
pub(super) struct Entries<'a, 'c> {
    pub(super) part: &'a Part,
    pub(super) reading: &'a Reading,
    pub(super) key: &'c str,
    pub(super) wanted: &'c Map<String, Value>,
    pub(super) stated: &'c Stated,
    pub(super) changes: &'c mut Changes<'a>,
    /// Items of lists that change: line, item, `None` where it goes. New ones stand behind all others.
    pub(super) items: BTreeMap<usize, BTreeMap<usize, Option<String>>>,
    /// Lines that went.
    pub(super) gone: BTreeSet<usize>,
    /// Lines that were empty and say something now.
    pub(super) filled: BTreeSet<usize>,
    /// Names of new lines that may come once.
    pub(super) added: BTreeSet<String>,
}

/// Entries that go times entries that come, at most, where each is compared with each.
const MOST_COMPARED: usize = 100_000;

/// Items from here on are new in a list.
const NEW_ITEMS: usize = 1 << 40;

impl<'a> Entries<'a, '_> {
    pub(super) fn run(&mut self, native: &Map<String, Value>) {
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
        let is_single = SINGLE.contains(&name.as_str());
        let stays = |(at, prop): &(usize, &Prop)| prop.name == name && !self.gone.contains(at);
        let there = self.part.props.iter().enumerate().filter(|_| is_single).find(stays);
        match there {
            // A second one is carried.
            None if is_single && !self.added.insert(name) => {}
            None => self.changes.insert(before, &line.line()),
            Some((at, prop)) if prop.word().is_none() && self.filled.insert(at) => {
                self.changes.replace(prop.line, &edited(prop, None, line));
            }
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
            let old = split(prop.content.value(), ',');
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
