//! A whole card: which line says which entry, and the content of them all.

use super::doc::{Dialect, Doc, Prop};
use super::entries::{Key, Meaning, Told, tell};
use super::names::{self, NameLines};
use crate::contentline::ContentLine;
use crate::contentline::ours::{CARRY, KEY, MARK, decode_carry, is_key};
use crate::{Content, card, carry};
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Lines that name or date a card, or are the frame: not content.
const FRAME: [&str; 8] = ["BEGIN", "END", "VERSION", "UID", "REV", "PRODID", CARRY, MARK];

/// An entry and the lines that say it.
#[derive(Clone, Debug)]
pub(super) struct Unit {
    pub(super) member: &'static str,
    /// Empty for a member that is an entry itself (`kind`).
    pub(super) key: String,
    /// Indices of properties; which item of the line, for lists.
    pub(super) places: Vec<(usize, Option<usize>)>,
    /// The property X-ABLabel that says its label.
    pub(super) label: Option<usize>,
    /// The property X-ABADR with its country.
    pub(super) country: Option<usize>,
    /// The property LABEL with the whole address (before vCard 4.0).
    pub(super) whole: Option<usize>,
}

/// What a card says, and where.
#[derive(Debug, Default)]
pub(super) struct Reading {
    pub(super) native: Content,
    pub(super) units: Vec<Unit>,
    pub(super) name: NameLines,
    /// Properties X-TWOFOLD-CARRY; the first counts.
    pub(super) carry: Vec<usize>,
    carried: Option<String>,
}

impl Reading {
    /// Own fields and carry-all together.
    pub(super) fn full(&self) -> Cow<'_, Content> {
        match carry::apply(&self.native, self.carried.as_deref()) {
            Cow::Owned(full) => Cow::Owned(card::without_derived_name(full)),
            native => native,
        }
    }

    /// The same, where nothing else of the reading is needed.
    pub(super) fn into_full(self) -> Content {
        if self.carried.is_none() { self.native } else { self.full().into_owned() }
    }
}

/// Reads a card.
pub(super) fn read(doc: &Doc) -> Reading {
    let mut reader = Reader {
        props: &doc.props,
        card: Map::new(),
        units: Vec::new(),
        exact: HashMap::new(),
        ordinals: card::Ordinals::default(),
    };
    let mut name = NameLines::default();
    let mut carry = Vec::new();
    let mut rest = Vec::new();
    for (at, prop) in doc.props.iter().enumerate() {
        if prop.name == CARRY {
            carry.push(at);
        } else if !FRAME.contains(&prop.name.as_str()) && !name.take(prop, at) {
            rest.push(at);
        }
    }
    if let Some(value) = names::read(&doc.props, &name) {
        reader.card.insert("name".into(), value);
    }
    reader.lines(&rest);
    let carried = carry.first().and_then(|at| doc.props.get(*at)).and_then(|prop| decode_carry(prop.content.value()));
    let native = card::without_derived_name(Content(reader.card).tidied());
    Reading { native, units: reader.units, name, carry, carried }
}

/// Whether a line stands for itself: a property that no member says, so that it may be written from `vCardProps`.
///
/// `is_free` tells whether a group is used by nothing else.
pub(super) fn stands_for_itself(line: &str, is_free: impl Fn(&str) -> bool) -> bool {
    let Some(content) = ContentLine::parse(line) else { return false };
    let is_token =
        |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    if !is_token(content.raw_name())
        || !content.group().is_none_or(is_token)
        || line.chars().any(|c| c.is_control() && c != '\t')
    {
        return false;
    }
    let is_parameter = |raw: &str| {
        let name = raw.split_once('=').map_or(raw, |(name, _)| name);
        is_token(name.trim()) && raw.bytes().filter(|b| *b == b'"').count() % 2 == 0
    };
    if !content.raw_parameters().all(is_parameter) {
        return false;
    }
    let prop = Prop::from_line(0, content, None, Dialect::V3);
    // A final `=` would swallow the line after it. PROFILE, and base64 where it is not known what is in it, are lines over
    // which common readers (vobject, and so Radicale and khard) refuse the whole card.
    if (prop.is_quoted() && line.ends_with('=')) || prop.is_base64() || prop.name == "PROFILE" {
        return false;
    }
    !FRAME.contains(&prop.name.as_str())
        && !NameLines::default().take(&prop, 0)
        && (!is_companion(&prop.name) || (prop.name != "LABEL" && prop.content.group().is_some_and(is_free)))
        && tell(&prop, None) == Meaning::Unknown
}

/// Whether a property belongs to another one of its group, or of its kind.
fn is_companion(name: &str) -> bool {
    matches!(name, "X-ABLABEL" | "X-ABADR" | "LABEL")
}

/// No card has more addresses with a LABEL each; a file that does is not worth quadratic work.
const MOST_LABELS: usize = 100;

struct Reader<'a> {
    props: &'a [Prop],
    card: Map<String, Value>,
    units: Vec<Unit>,
    /// Where the unit of a member and exact key is.
    exact: HashMap<(&'static str, String), usize>,
    ordinals: card::Ordinals,
}

impl Reader<'_> {
    fn lines(&mut self, rest: &[usize]) {
        let props = self.props;
        let first_of = |name: &str| -> Vec<(String, usize)> {
            let mut firsts: BTreeMap<String, usize> = BTreeMap::new();
            for at in rest.iter().filter(|at| props[**at].name == name) {
                if let Some(group) = props[*at].group() {
                    firsts.entry(group).or_insert(*at);
                }
            }
            firsts.into_iter().collect()
        };
        let labels = first_of("X-ABLABEL");
        let countries = first_of("X-ABADR");
        let find = |table: &[(String, usize)], group: &Option<String>| {
            let group = group.as_ref()?;
            table.binary_search_by(|row| row.0.cmp(group)).ok().and_then(|i| table.get(i)).map(|row| row.1)
        };
        let mut used = BTreeSet::new();
        let mut unknown = Vec::new();
        // Keys that are stated come before those that are made.
        for stated in [true, false] {
            for at in rest.iter().copied().filter(|at| props[*at].parameter(KEY).is_some() == stated) {
                let prop = &props[at];
                if is_companion(&prop.name) {
                    continue;
                }
                let group = prop.group();
                let label = find(&labels, &group);
                let label_text = label.map(|at| props[at].text());
                let (told, takes_label) = match tell(prop, label_text.as_deref()) {
                    Meaning::Entries { told, takes_label } => (told, takes_label),
                    Meaning::Unknown => {
                        unknown.push(at);
                        continue;
                    }
                    Meaning::Nothing => continue,
                };
                for told in told {
                    let mut companions = (label.filter(|_| takes_label), None);
                    let mut told = told;
                    if told.member == "addresses"
                        && let Some(at) = find(&countries, &group)
                        && let Some(code) = country(&props[at])
                    {
                        told.entry["countryCode"] = Value::from(code);
                        companions.1 = Some(at);
                    }
                    if self.add(at, told, companions) {
                        used.extend(companions.0.into_iter().chain(companions.1));
                    } else {
                        unknown.push(at);
                    }
                }
            }
        }
        self.whole_addresses(rest, &mut used);
        unknown.extend(rest.iter().copied().filter(|at| is_companion(&props[*at].name) && !used.contains(at)));
        unknown.sort_unstable();
        unknown.dedup();
        for at in unknown {
            self.add_unknown(at);
        }
    }

    /// Puts an entry into the card; `false` when a member that is one value is there already.
    fn add(&mut self, at: usize, told: Told, companions: (Option<usize>, Option<usize>)) -> bool {
        let Told { member, key, entry, item } = told;
        let place = (at, item);
        if key == Key::Whole {
            if self.card.contains_key(member) {
                return false;
            }
            self.card.insert(member.to_owned(), entry);
            self.units.push(unit(member, String::new(), place, companions));
            return true;
        }
        let map = self.card.entry(member.to_owned()).or_insert_with(|| json!({}));
        let Value::Object(map) = map else { return false };
        if let Key::Exact(key) = key {
            match (map.get_mut(&key), entry) {
                (None, entry) => {
                    map.insert(key.clone(), entry);
                    self.exact.insert((member, key.clone()), self.units.len());
                    self.units.push(unit(member, key, place, companions));
                    return true;
                }
                (Some(Value::Object(old)), Value::Object(new)) => merge(old, new),
                (Some(old), new) if *old != new => return false,
                _ => {}
            }
            if let Some(unit) = self.exact.get(&(member, key)).and_then(|i| self.units.get_mut(*i)) {
                unit.places.push(place);
            }
            return true;
        }
        let stated = self
            .props
            .get(at)
            .and_then(|prop| prop.parameter(KEY))
            .filter(|key| is_key(key) && !map.contains_key(*key));
        let key = match (stated, key) {
            (Some(key), _) => {
                map.insert(key.to_owned(), entry);
                key.to_owned()
            }
            (None, Key::Identity(identity)) => self.ordinals.insert(map, member, card::key(&identity), entry),
            (None, Key::Plain(word)) => self.ordinals.insert(map, member, word.to_owned(), entry),
            // Both were dealt with above.
            (None, Key::Exact(_) | Key::Whole) => return false,
        };
        self.units.push(unit(member, key, place, companions));
        true
    }

    /// LABEL (vCard 2.1 and 3.0) is the whole of the first address of the same contexts.
    fn whole_addresses(&mut self, rest: &[usize], used: &mut BTreeSet<usize>) {
        for at in rest.iter().copied().filter(|at| self.props[*at].name == "LABEL").take(MOST_LABELS) {
            let prop = &self.props[at];
            let Some(text) = prop.word() else {
                used.insert(at);
                continue;
            };
            let contexts = super::labels::put_no_type_label(prop, json!({})).get("contexts").cloned();
            let Some(Value::Object(addresses)) = self.card.get_mut("addresses") else { continue };
            let fits = |entry: &Value| entry.get("contexts") == contexts.as_ref() && entry.get("full").is_none();
            let Some(key) = addresses.iter().find(|(_, entry)| fits(entry)).map(|(key, _)| key.clone()) else {
                continue;
            };
            addresses[&key]["full"] = Value::from(crate::contentline::text::lf(&text));
            used.insert(at);
            if let Some(unit) = self.units.iter_mut().find(|unit| unit.member == "addresses" && unit.key == key) {
                unit.whole = Some(at);
            }
        }
    }

    fn add_unknown(&mut self, at: usize) {
        let content = &self.props[at].content;
        let map = self.card.entry("vCardProps").or_insert_with(|| json!({}));
        let Value::Object(map) = map else { return };
        let plain = card::key(content.without_group());
        let key = self.ordinals.insert(map, "vCardProps", plain, json!({"line": content.text()}));
        self.units.push(unit("vCardProps", key, (at, None), (None, None)));
    }
}

/// The country that Apple's X-ABADR says; some writers put other things there.
pub(super) fn country(prop: &Prop) -> Option<String> {
    prop.word()
        .filter(|code| code.len() == 2 && code.bytes().all(|b| b.is_ascii_alphabetic()))
        .map(|c| c.to_ascii_uppercase())
}

fn unit(
    member: &'static str,
    key: String,
    place: (usize, Option<usize>),
    companions: (Option<usize>, Option<usize>),
) -> Unit {
    Unit { member, key, places: vec![place], label: companions.0, country: companions.1, whole: None }
}

fn merge(old: &mut Map<String, Value>, new: Map<String, Value>) {
    for (key, value) in new {
        match (old.get_mut(&key), value) {
            (Some(Value::Object(old)), Value::Object(new)) => merge(old, new),
            (_, value) => {
                old.insert(key, value);
            }
        }
    }
}
