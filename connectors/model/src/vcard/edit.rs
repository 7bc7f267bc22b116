//! A card edited until it says other content: only the lines of the entries that changed.

use super::charset::{self, Charset};
use super::compose::{self, Composed};
use super::doc::{Dialect, Doc, Prop};
use super::labels;
use super::names;
use super::read::{self, CARRY, Reading, Unit, is_key, stands_for_itself};
use super::say::{Fresh, Val, say};
use crate::{Content, Error, ErrorKind, Result, carry};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The most that one card carries beside what its version says.
const CARRY_LIMIT: usize = 4 << 20;

/// `onto` edited so that it says `content`; the same bytes when it says so already.
pub(super) fn edit(onto: &[u8], content: &Content) -> Result<Vec<u8>> {
    let content = content.clone().tidied();
    let doc = super::parse(onto)?;
    let reading = read::read(&doc);
    if reading.full() == content {
        return Ok(onto.to_vec());
    }
    let edited = Editor::new(&doc, &reading, &content, BTreeSet::new()).run()?;
    let (doc_now, now) = reread(&edited)?;
    let displaced = displaced(&now.native, &content);
    if displaced.is_empty() {
        return finish(&doc_now, &now, &edited, &content);
    }
    // Some new lines got other keys than the content has: written once more, with those keys.
    let keyed = Editor::new(&doc, &reading, &content, displaced).run()?;
    let (doc_now, now) = reread(&keyed)?;
    finish(&doc_now, &now, &keyed, &content)
}

fn reread(bytes: &[u8]) -> Result<(Doc, Reading)> {
    let doc = super::parse(bytes)?;
    let reading = read::read(&doc);
    Ok((doc, reading))
}

/// Members that have keys which the content does not have.
fn displaced(native: &Content, content: &Content) -> BTreeSet<String> {
    let has_strange_key = |member: &str, map: &Value| {
        let wanted = content.get(member).and_then(Value::as_object);
        let mut keys = map.as_object().into_iter().flatten().map(|(key, _)| key);
        keys.any(|key| wanted.is_none_or(|wanted| !wanted.contains_key(key)))
    };
    native.0.iter().filter(|(member, map)| has_strange_key(member, map)).map(|(member, _)| member.clone()).collect()
}

/// Puts the carry-all right.
fn finish(doc: &Doc, now: &Reading, bytes: &[u8], content: &Content) -> Result<Vec<u8>> {
    let wanted = carry::make(&now.native, content, CARRY_LIMIT);
    if wanted.is_none() && now.carry.is_empty() {
        return Ok(bytes.to_vec());
    }
    let mut edit = doc.file.edit();
    let mut old = now.carry.iter().filter_map(|at| doc.props.get(*at));
    if let Some(text) = wanted {
        let line = Fresh::new(CARRY, Val::Text(read::encode_carry(&text)));
        let physical = compose::fresh(None, &line, None, Dialect::V3, None).physical();
        match old.next() {
            Some(prop) => edit.replace(prop.line, physical),
            None => edit.insert_before(doc.end, physical),
        }
    }
    old.for_each(|prop| edit.remove(prop.line));
    encode(doc, edit.finish())
}

fn encode(doc: &Doc, bytes: Vec<u8>) -> Result<Vec<u8>> {
    let Some(wide) = doc.wide else { return Ok(bytes) };
    let text = String::from_utf8(bytes)
        .map_err(|_| Error::new(ErrorKind::Malformed, "the card is UTF-16 and cannot hold what is written"))?;
    Ok(charset::widen(&text, wide))
}

/// One run over a card.
struct Editor<'a> {
    doc: &'a Doc,
    reading: &'a Reading,
    full: Content,
    content: &'a Content,
    /// Members whose new lines state their keys.
    keyed: BTreeSet<String>,
    /// What comes in the place of a property (empty: it goes).
    replaced: BTreeMap<usize, Vec<Composed>>,
    /// What comes after a property.
    after: BTreeMap<usize, Vec<Composed>>,
    /// What comes before the end of the card.
    added: Vec<Composed>,
    /// Items of lists that change: property, item, new text.
    items: BTreeMap<usize, BTreeMap<usize, Option<String>>>,
    /// How many properties use a group.
    users: HashMap<String, usize>,
    groups: BTreeSet<String>,
    next_group: usize,
    charset: Option<Charset>,
}

impl<'a> Editor<'a> {
    fn new(doc: &'a Doc, reading: &'a Reading, content: &'a Content, keyed: BTreeSet<String>) -> Self {
        let mut users: HashMap<String, usize> = HashMap::new();
        let mut groups = BTreeSet::new();
        for prop in &doc.props {
            if let Some(group) = prop.group() {
                groups.insert(group.clone());
                if !matches!(prop.name.as_str(), "X-ABLABEL" | "X-ABADR") {
                    *users.entry(group).or_default() += 1;
                }
            }
        }
        let lines = content.get("vCardProps").and_then(Value::as_object).into_iter().flatten();
        groups.extend(lines.filter_map(|(_, entry)| {
            let line = crate::contentline::ContentLine::parse(entry.get("line")?.as_str()?)?;
            Some(line.group()?.to_ascii_lowercase())
        }));
        let charset = doc.is_ansi.then_some(Charset::WINDOWS_1252);
        let full = reading.full();
        Self {
            doc,
            reading,
            full,
            content,
            keyed,
            replaced: BTreeMap::new(),
            after: BTreeMap::new(),
            added: Vec::new(),
            items: BTreeMap::new(),
            users,
            groups,
            next_group: 1,
            charset,
        }
    }

    fn run(mut self) -> Result<Vec<u8>> {
        self.name();
        let (doc, reading, content) = (self.doc, self.reading, self.content);
        let units: HashMap<(&str, &str), &Unit> =
            reading.units.iter().map(|unit| ((unit.member, unit.key.as_str()), unit)).collect();
        for unit in &reading.units {
            if entry(content, unit.member, &unit.key).is_none() && entry(&self.full, unit.member, &unit.key).is_some() {
                self.remove(unit);
            }
        }
        for (member, value) in content.0.iter().filter(|(member, _)| *member != "name") {
            let mut new = Vec::new();
            let whole = (String::new(), value);
            let entries: Vec<(&str, &Value)> = match value {
                Value::Object(map) => map.iter().map(|(key, entry)| (key.as_str(), entry)).collect(),
                _ => vec![(whole.0.as_str(), whole.1)],
            };
            for (key, wanted) in entries {
                if entry(&self.full, member, key) == Some(wanted) {
                    continue;
                }
                match units.get(&(member.as_str(), key)) {
                    Some(unit) => self.change(unit, wanted),
                    None => new.push((key, wanted)),
                }
            }
            self.add(member, new);
        }
        self.lists();
        let mut edit = doc.file.edit();
        let physical = |lines: &[Composed]| lines.iter().flat_map(Composed::physical).collect::<Vec<_>>();
        for (at, lines) in &self.replaced {
            let Some(prop) = doc.props.get(*at) else { continue };
            if lines.is_empty() { edit.remove(prop.line) } else { edit.replace(prop.line, physical(lines)) }
        }
        for (at, lines) in &self.after {
            if let Some(prop) = doc.props.get(*at) {
                edit.insert_before(prop.line + 1, physical(lines));
            }
        }
        edit.insert_before(doc.end, physical(&self.added));
        encode(doc, edit.finish())
    }

    fn prop(&self, at: usize) -> Option<&'a Prop> {
        self.doc.props.get(at)
    }

    // ---- single entries -----------------------------------------------------------------------------------------------

    fn native(&self, unit: &Unit) -> Value {
        entry(&self.reading.native, unit.member, &unit.key).cloned().unwrap_or_default()
    }

    fn is_shared(&self, group: Option<&str>) -> bool {
        group.and_then(|g| self.users.get(&g.to_ascii_lowercase())).is_some_and(|users| *users > 1)
    }

    fn new_group(&mut self) -> String {
        loop {
            let group = format!("item{}", self.next_group);
            self.next_group += 1;
            if self.groups.insert(group.clone()) {
                return group;
            }
        }
    }

    fn remove(&mut self, unit: &Unit) {
        for (at, item) in &unit.places {
            match item {
                Some(item) => {
                    self.items.entry(*at).or_default().insert(*item, None);
                }
                None => {
                    self.replaced.insert(*at, Vec::new());
                    let group = self.prop(*at).and_then(|prop| prop.content.group());
                    if !self.is_shared(group) {
                        for companion in unit.label.into_iter().chain(unit.country) {
                            self.replaced.insert(companion, Vec::new());
                        }
                    }
                }
            }
        }
        if let Some(at) = unit.whole {
            self.replaced.insert(at, Vec::new());
        }
    }

    fn change(&mut self, unit: &Unit, wanted: &Value) {
        let Some(prop) = unit.places.first().and_then(|(at, _)| self.prop(*at)) else { return };
        let at = unit.places[0].0;
        if unit.member == "vCardProps" {
            let lines = self.own_line(wanted).into_iter().collect();
            self.replaced.insert(at, lines);
            return;
        }
        let dialect = self.doc.dialect;
        let old = say(unit.member, &unit.key, &self.native(unit), dialect, Some(prop));
        let new = say(unit.member, &unit.key, wanted, dialect, Some(prop));
        if unit.places.iter().any(|(_, item)| item.is_some()) {
            let text = new.first().and_then(|fresh| match &fresh.value {
                Val::List(items) => items.first().cloned(),
                _ => None,
            });
            for (at, item) in &unit.places {
                self.items.entry(*at).or_default().insert(item.unwrap_or_default(), text.clone());
            }
            return;
        }
        match (&old[..], &new[..]) {
            ([old], [new]) if unit.places.len() == 1 => self.change_line(unit, prop, at, (old, new)),
            // What it says of the entry cannot be told apart from what it shall say.
            (_, []) => self.remove(unit),
            _ => {
                self.remove(unit);
                let mut lines = Vec::new();
                for fresh in &new {
                    self.fresh_lines(fresh, None, &mut lines);
                }
                self.replaced.insert(at, lines);
            }
        }
    }

    /// Edits the one line of an entry and the lines that belong to it.
    fn change_line(&mut self, unit: &Unit, prop: &'a Prop, at: usize, (old, new): (&Fresh, &Fresh)) {
        if old == new {
            // The difference is nothing that this version says.
            return;
        }
        let mut group = prop.content.group().map(str::to_owned);
        let was_shared = self.is_shared(group.as_deref());
        let mut own_type = None;
        let mut more = Vec::new();
        let companions =
            [(unit.label, &old.label, &new.label, "X-ABLabel"), (unit.country, &old.country, &new.country, "X-ABADR")];
        if was_shared && companions.iter().any(|(_, old, new, _)| old != new) {
            // The others of the group keep what it says; this one leaves it.
            let stays = companions.iter().any(|(_, _, new, _)| new.is_some());
            group = stays.then(|| self.new_group());
            for (_, _, new, name) in &companions {
                if let Some(text) = new {
                    more.push(self.companion(group.as_deref(), name, text));
                }
            }
            own_type = labels::own_type(prop).filter(|_| unit.label.is_none());
        } else {
            for (there, old, new, name) in companions.into_iter().filter(|(_, old, new, _)| old != new) {
                let _ = old;
                match (there, new) {
                    (Some(there), None) => {
                        self.replaced.insert(there, Vec::new());
                    }
                    (Some(there), Some(text)) => {
                        let line = self.companion(group.as_deref(), name, text);
                        self.replaced.insert(there, vec![line]);
                    }
                    (None, Some(text)) => {
                        let own = group.take().unwrap_or_else(|| self.new_group());
                        more.push(self.companion(Some(&own), name, text));
                        group = Some(own);
                    }
                    (None, None) => {}
                }
                if name == "X-ABLabel" && there.is_none() {
                    own_type = labels::own_type(prop);
                }
            }
        }
        if old.whole != new.whole {
            let line = new.whole.as_ref().map(|text| self.whole(new, text));
            match unit.whole {
                Some(there) => drop(self.replaced.insert(there, line.into_iter().collect())),
                None => more.extend(line),
            }
        }
        let is_media = matches!(unit.member, "media" | "cryptoKeys");
        let line = if is_media {
            compose::fresh(group.as_deref(), new, prop.parameter(read::KEY), self.doc.dialect, self.charset)
        } else {
            compose::edited(prop, group.as_deref(), (old, new), own_type, self.charset)
        };
        self.replaced.insert(at, vec![line]);
        if !more.is_empty() {
            self.after.entry(at).or_default().extend(more);
        }
    }

    fn companion(&self, group: Option<&str>, name: &str, text: &str) -> Composed {
        compose::fresh(group, &Fresh::new(name, Val::Text(text.to_owned())), None, self.doc.dialect, self.charset)
    }

    fn whole(&self, address: &Fresh, text: &str) -> Composed {
        let mut label = Fresh::new("LABEL", Val::Text(text.to_owned()));
        label.types = address.types.clone();
        compose::fresh(None, &label, None, self.doc.dialect, self.charset)
    }

    fn own_line(&self, entry: &Value) -> Option<Composed> {
        let line = entry.get("line")?.as_str()?;
        stands_for_itself(line).then(|| Composed::whole(line, self.charset)).flatten()
    }

    /// The lines of a new property with all that belongs to it.
    fn fresh_lines(&mut self, fresh: &Fresh, key: Option<&str>, lines: &mut Vec<Composed>) {
        let is_grouped = fresh.label.is_some() || fresh.country.is_some();
        let group = is_grouped.then(|| self.new_group());
        lines.push(compose::fresh(group.as_deref(), fresh, key, self.doc.dialect, self.charset));
        for (text, name) in [(&fresh.label, "X-ABLabel"), (&fresh.country, "X-ABADR")] {
            if let Some(text) = text {
                lines.push(self.companion(group.as_deref(), name, text));
            }
        }
        if let Some(text) = &fresh.whole {
            lines.push(self.whole(fresh, text));
        }
    }

    fn add(&mut self, member: &str, mut new: Vec<(&str, &Value)>) {
        let ordinals: Vec<(&str, u32)> = new.iter().map(|(key, _)| ordinal(key)).collect();
        let mut last: HashMap<&str, u32> = HashMap::new();
        if ordinals.iter().any(|(plain, ordinal)| last.insert(plain, *ordinal).is_some_and(|before| before > *ordinal))
        {
            // Ordinals are given in the order of the lines.
            new.sort_by_key(|(key, _)| ordinal(key).1);
        }
        let is_keyed = self.keyed.contains(member);
        for (key, wanted) in new {
            if member == "vCardProps" {
                let line = self.own_line(wanted);
                self.added.extend(line);
                continue;
            }
            for fresh in say(member, key, wanted, self.doc.dialect, None) {
                let key = Some(key).filter(|key| is_keyed && is_key(key));
                match &fresh.value {
                    Val::List(items) if key.is_none() => self.add_item(member, &fresh.name, items),
                    _ => {
                        let mut lines = Vec::new();
                        self.fresh_lines(&fresh, key, &mut lines);
                        self.added.extend(lines);
                    }
                }
            }
        }
    }

    // ---- lists --------------------------------------------------------------------------------------------------------

    /// Adds an item to the last line of its list; the line is made in [`Editor::lists`] if there is none.
    fn add_item(&mut self, member: &str, name: &str, items: &[String]) {
        let places = self.reading.units.iter().filter(|unit| unit.member == member).flat_map(|unit| &unit.places);
        let last = places.map(|(at, _)| *at).max();
        let at = last.unwrap_or(if name == "CATEGORIES" { usize::MAX } else { usize::MAX - 1 });
        let line = self.items.entry(at).or_default();
        for item in items {
            // Numbers past those of the items that are there.
            let next = line.keys().next_back().map_or(NEW_ITEMS, |last| (*last + 1).max(NEW_ITEMS));
            line.insert(next, Some(item.clone()));
        }
    }

    /// Writes the lists that changed.
    fn lists(&mut self) {
        for (at, changes) in std::mem::take(&mut self.items) {
            let Some(prop) = self.prop(at) else {
                let name = if at == usize::MAX { "CATEGORIES" } else { "NICKNAME" };
                let items: Vec<String> = changes.into_values().flatten().collect();
                let line = Fresh::new(name, Val::List(items));
                self.added.push(compose::fresh(None, &line, None, self.doc.dialect, self.charset));
                continue;
            };
            let old = prop.list();
            let mut new = Vec::new();
            for (i, item) in old.iter().enumerate() {
                match changes.get(&i) {
                    None => new.push(item.clone()),
                    Some(text) => new.extend(text.clone()),
                }
            }
            new.extend(changes.range(NEW_ITEMS..).filter_map(|(_, text)| text.clone()));
            let lines = if new.iter().all(String::is_empty) {
                Vec::new()
            } else {
                let pair = (Fresh::new(&prop.name, Val::List(old)), Fresh::new(&prop.name, Val::List(new)));
                vec![compose::edited(prop, prop.content.group(), (&pair.0, &pair.1), None, self.charset)]
            };
            self.replaced.insert(at, lines);
        }
    }

    // ---- the name -----------------------------------------------------------------------------------------------------

    fn name(&mut self) {
        let (dialect, lines) = (self.doc.dialect, &self.reading.name);
        let (before, old, new) =
            (self.full.get("name").cloned(), self.reading.native.get("name"), self.content.get("name"));
        let member = |name: Option<&Value>, member: &str| name.and_then(|n| n.get(member)).cloned();
        // FN
        let made_up = names::made_up(self.content);
        let fresh = |full: Option<&str>| {
            let mut line = Fresh::new("FN", Val::Text(full.unwrap_or(&made_up).to_owned()));
            if full.is_none() {
                line.parameters.push((names::MARK, vec![names::mark_of(&made_up)]));
            }
            line
        };
        let prop = lines.full.and_then(|at| self.prop(at));
        let is_marked = prop.is_some_and(|p| p.parameter(names::MARK).is_some());
        // A name that only says what the parts say follows them.
        let follows = is_marked || names::made_up(&self.full) != made_up;
        let is_derived = names::full(old).is_none() && names::full(new).is_none();
        let is_stale = is_derived && follows && prop.is_some_and(|p| p.text() != made_up);
        let is_other = member(before.as_ref(), "full") != member(new, "full");
        if is_stale || (is_other && names::full(old) != names::full(new)) {
            let mut was = Fresh::new("FN", Val::Text(prop.map(Prop::text).unwrap_or_default()));
            if let Some(mark) = prop.and_then(|p| p.parameter(names::MARK)) {
                was.parameters.push((names::MARK, vec![mark.to_owned()]));
            }
            self.put(lines.full, &was, Some(&fresh(names::full(new))));
        }
        // N, with SORT-AS in vCard 4.0
        let sorted = |name: Option<&Value>| if dialect == Dialect::V4 { names::sort_as(name) } else { Vec::new() };
        let line = |name: Option<&Value>| {
            let mut line = Fresh::new("N", Val::Parts(names::parts(name, dialect)));
            if lines.sort.is_none() && !sorted(name).is_empty() {
                line.parameters.push(("SORT-AS", sorted(name)));
            }
            line
        };
        let is_other = member(before.as_ref(), "components") != member(new, "components")
            || member(before.as_ref(), "sortAs") != member(new, "sortAs");
        let is_said = lines.parts.is_some() || !names::parts(new, dialect).iter().flatten().all(String::is_empty);
        if is_other && is_said && line(old) != line(new) {
            self.put(lines.parts, &line(old), Some(&line(new)));
        }
        // SORT-STRING before it
        let word = |name: Option<&Value>| match &names::sort_as(name)[..] {
            [surname] => Some(Fresh::new("SORT-STRING", Val::Text(surname.clone()))),
            _ => None,
        };
        let is_there = lines.sort.is_some() || dialect != Dialect::V4;
        if is_there && member(before.as_ref(), "sortAs") != member(new, "sortAs") && word(old) != word(new) {
            let was = word(old).unwrap_or_else(|| Fresh::new("SORT-STRING", Val::Text(String::new())));
            self.put(lines.sort, &was, word(new).as_ref());
        }
        // Phonetic readings
        for ((name, kind), at) in names::PHONETIC.into_iter().zip(lines.phonetic) {
            let reading = |of: Option<&Value>| names::phonetic(of, kind).map(str::to_owned);
            if reading(before.as_ref()) != reading(new) && reading(old) != reading(new) {
                let line = |text: Option<String>| text.map(|text| Fresh::new(name, Val::Text(text)));
                let was = line(reading(old)).unwrap_or_else(|| Fresh::new(name, Val::Text(String::new())));
                self.put(at, &was, line(reading(new)).as_ref());
            }
        }
    }

    /// Puts a line in the place of one that may be there.
    fn put(&mut self, at: Option<usize>, old: &Fresh, new: Option<&Fresh>) {
        let there = at.and_then(|at| Some((at, self.prop(at)?)));
        match (there, new) {
            (Some((at, prop)), Some(new)) => {
                let line = compose::edited(prop, prop.content.group(), (old, new), None, self.charset);
                self.replaced.insert(at, vec![line]);
            }
            (Some((at, _)), None) => drop(self.replaced.insert(at, Vec::new())),
            (None, Some(new)) => self.added.push(compose::fresh(None, new, None, self.doc.dialect, self.charset)),
            (None, None) => {}
        }
    }
}

/// Items from here on are new in a list.
const NEW_ITEMS: usize = 1 << 40;

/// One entry of a content; the member itself under the empty key.
fn entry<'c>(content: &'c Content, member: &str, key: &str) -> Option<&'c Value> {
    match content.get(member)? {
        Value::Object(map) => map.get(key),
        value => key.is_empty().then_some(value),
    }
}

/// The plain part of a key and its ordinal ([`crate::card::insert_as`]).
fn ordinal(key: &str) -> (&str, u32) {
    let split = key.rsplit_once('-').and_then(|(plain, number)| Some((plain, number.parse().ok()?)));
    split.filter(|(_, n)| *n >= 2).unwrap_or((key, 1))
}
