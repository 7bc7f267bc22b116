//! The entries of one component: what its lines say, under which keys, and where each is said.

use super::doc::Prop;
use super::entries::{Key, Told, text_of};
use super::people;
use crate::contentline::ours::{KEY, is_key};
use crate::{card, event, html};
use serde_json::{Map, Value, json};
use std::collections::HashMap;

/// Where an entry is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// This property of the component.
    Line(usize),
    /// This item of a list in this property.
    Item(usize, usize),
    /// This component inside.
    Inner(usize),
}

/// An entry and where it is said. Of an entry that is the default (busy) only the places are there.
#[derive(Clone, Debug)]
pub(super) struct Unit {
    pub(super) member: &'static str,
    /// Empty for a member that is an entry itself (`title`).
    pub(super) key: String,
    pub(super) places: Vec<Place>,
}

/// What a component says, and where.
#[derive(Debug, Default)]
pub(super) struct Units {
    pub(super) members: Map<String, Value>,
    pub(super) units: Vec<Unit>,
    /// By member and key.
    by_key: HashMap<String, usize>,
    ordinals: card::Ordinals,
}

impl Units {
    fn push(&mut self, member: &'static str, key: String, places: Vec<Place>) {
        self.by_key.insert(path(member, &key), self.units.len());
        self.units.push(Unit { member, key, places });
    }

    /// Where an entry is said.
    pub(super) fn unit(&self, member: &str, key: &str) -> Option<&Unit> {
        self.by_key.get(&path(member, key)).and_then(|at| self.units.get(*at))
    }

    fn map(&mut self, member: &str) -> Option<&mut Map<String, Value>> {
        self.members.entry(member.to_owned()).or_insert_with(|| json!({})).as_object_mut()
    }

    pub(super) fn add_whole(&mut self, member: &'static str, value: Value, places: &[usize]) {
        if !value.is_null() {
            self.members.insert(member.to_owned(), value);
        }
        self.push(member, String::new(), places.iter().copied().map(Place::Line).collect());
    }

    pub(super) fn add_plain(&mut self, member: &'static str, key: &str, entry: Value, places: Vec<Place>) {
        if let Some(map) = self.map(member) {
            map.insert(key.to_owned(), entry);
        }
        self.push(member, key.to_owned(), places);
    }

    /// Puts an entry under the key that is stated, else under that of its identity. Returns the key.
    pub(super) fn add_keyed(
        &mut self,
        member: &'static str,
        stated: Option<&str>,
        identity: &str,
        entry: Value,
        place: Place,
    ) {
        let Some(map) = self.members.entry(member.to_owned()).or_insert_with(|| json!({})).as_object_mut() else {
            return;
        };
        let key = match stated.filter(|key| is_key(key) && !map.contains_key(*key)) {
            Some(key) => {
                map.insert(key.to_owned(), entry);
                key.to_owned()
            }
            None => self.ordinals.insert(map, member, event::key(identity), entry),
        };
        self.push(member, key, vec![place]);
    }

    pub(super) fn add_person(&mut self, prop: &Prop, at: usize, address: &str, entry: Value) {
        let identity = event::address_identity(address);
        self.add_keyed("participants", prop.parameter(KEY), &identity, entry, Place::Line(at));
    }

    /// An organizer who attends is one entry.
    pub(super) fn add_organizer(&mut self, prop: &Prop, at: usize, address: &str, entry: Value) {
        let identity = event::address_identity(address);
        let is_same = |entry: &Value| {
            event::participant_address(entry).is_some_and(|own| event::address_identity(&own) == identity)
        };
        let attendees = self.members.get_mut("participants").and_then(Value::as_object_mut);
        let attendee = attendees.and_then(|all| all.iter_mut().find(|(_, entry)| is_same(entry)));
        let Some((key, attendee)) = attendee else { return self.add_person(prop, at, address, entry) };
        people::unite(attendee, &entry);
        let unit = self.by_key.get(&path("participants", key)).and_then(|i| self.units.get_mut(*i));
        if let Some(unit) = unit {
            unit.places.push(Place::Line(at));
        }
    }

    /// A text and its HTML twin; returns the lines that are said so. The twin counts while it says the same, or alone.
    pub(super) fn add_description(
        &mut self,
        text: (Option<usize>, Option<&Prop>),
        twin: (Option<usize>, Option<&Prop>),
    ) -> Vec<usize> {
        let plain = text.1.and_then(text_of);
        let markup = twin.1.and_then(text_of);
        let (description, is_html) = match (plain, markup) {
            (Some(plain), Some(markup)) if html::is_twin(&plain, &markup) => (markup, true),
            (Some(plain), _) => (plain, false),
            (None, Some(markup)) => (markup, true),
            (None, None) => return text.0.into_iter().chain(twin.0).collect(),
        };
        if is_html {
            self.members.insert("descriptionContentType".into(), "text/html".into());
        }
        let places: Vec<usize> = text.0.into_iter().chain(twin.0).collect();
        self.add_whole("description", description.into(), &places);
        places
    }

    /// Puts what a line tells into the members; `false` when a member that is one value is there already.
    pub(super) fn add(&mut self, prop: &Prop, at: usize, told: Told) -> bool {
        let Told { member, key, entry, item } = told;
        let place = item.map_or(Place::Line(at), |item| Place::Item(at, item));
        match key {
            Key::Whole if self.by_key.contains_key(&path(member, "")) => return false,
            Key::Whole => self.add_whole(member, entry, &[at]),
            Key::Identity(identity) => self.add_keyed(member, prop.parameter(KEY), &identity, entry, place),
            Key::Exact(key) => {
                let unit = self.by_key.get(&path(member, &key)).copied();
                let Some(map) = self.map(member) else { return false };
                match map.get_mut(&key) {
                    None => self.add_plain(member, &key, entry, vec![place]),
                    Some(old) => {
                        // The same UID with another relation.
                        people::unite(old, &entry);
                        if let Some(unit) = unit.and_then(|at| self.units.get_mut(at)) {
                            unit.places.push(place);
                        }
                    }
                }
            }
        }
        true
    }

    /// A line that no member says.
    pub(super) fn add_line(&mut self, prop: &Prop, at: usize) {
        let identity = prop.content.without_group().to_owned();
        self.add_keyed("iCalProps", None, &identity, json!({"line": prop.content.text()}), Place::Line(at));
    }
}

fn path(member: &str, key: &str) -> String {
    format!("{member}/{key}")
}
