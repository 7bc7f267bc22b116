//! The name in a card that is edited: FN, N, SORT-STRING and the phonetic readings.

use super::super::compose;
use super::super::doc::{Dialect, Prop};
use super::super::names;
use super::super::say::{Fresh, Val};
use super::Editor;
use crate::{Content, card};
use serde_json::Value;

/// The FN of a card: the full name, else one that is made up, and marked as such.
pub(in super::super) fn full_line(content: &Content) -> Fresh {
    if let Some(full) = names::full(content.get("name")) {
        return Fresh::new("FN", Val::Text(full.to_owned()));
    }
    let made_up = names::made_up(content);
    let mark = names::mark_of(&made_up);
    let mut line = Fresh::new("FN", Val::Text(made_up));
    line.parameters.push((names::MARK, vec![mark]));
    line
}

/// The N of a card; `sorts`: with SORT-AS.
pub(in super::super) fn parts_line(name: Option<&Value>, dialect: Dialect, sorts: bool) -> Fresh {
    let mut line = Fresh::new("N", Val::Parts(names::parts(name, dialect)));
    let sort_as = if sorts && dialect == Dialect::V4 { names::sort_as(name) } else { Vec::new() };
    if !sort_as.is_empty() {
        line.parameters.push(("SORT-AS", sort_as));
    }
    line
}

/// A member of the name.
fn member<'c>(content: &'c Content, member: &str) -> Option<&'c Value> {
    content.get("name").and_then(|name| name.get(member))
}

impl Editor<'_> {
    /// The name as the card's own fields say it, and as it shall be.
    fn names(&self) -> (Option<&Value>, Option<&Value>) {
        (self.reading.native.get("name"), self.content.get("name"))
    }

    /// FN.
    pub(super) fn full_name(&mut self) {
        let (old, new) = self.names();
        let at = self.reading.name.full;
        let prop = at.and_then(|at| self.prop(at));
        let text = prop.map(Prop::text).unwrap_or_default();
        let mark = prop.and_then(|prop| prop.parameter(names::MARK));
        let is_other = member(&self.full, "full") != member(self.content, "full");
        let must_write = match (names::full(old), names::full(new)) {
            (_, Some(full)) => is_other && (text != full || mark.is_some()),
            (Some(_), None) => is_other,
            // Made up of what changed since, by us or by whoever wrote the card.
            (None, None) => {
                let made_up = names::made_up(self.content);
                let is_theirs = || card::derived_name(&self.full).is_some_and(|derived| derived == text.trim());
                let has_changed = || names::made_up(&self.full) != made_up;
                text != made_up && (mark.is_some() || (is_theirs() && has_changed()))
            }
        };
        if must_write {
            let mut was = Fresh::new("FN", Val::Text(text.into_owned()));
            if let Some(mark) = mark {
                was.parameters.push((names::MARK, vec![mark.to_owned()]));
            }
            self.put(at, &was, Some(&full_line(self.content)));
        }
    }

    /// N, with SORT-AS in vCard 4.0.
    pub(super) fn parts(&mut self) {
        let (dialect, lines) = (self.doc.dialect, &self.reading.name);
        let (old, new) = self.names();
        let is_same = |of: &str| member(&self.full, of) == member(self.content, of);
        let is_said = lines.parts.is_some() || !names::parts(new, dialect).iter().flatten().all(String::is_empty);
        if (is_same("components") && is_same("sortAs")) || !is_said {
            return;
        }
        let [old, new] = [old, new].map(|name| parts_line(name, dialect, lines.sort.is_none()));
        if old != new {
            self.put(lines.parts, &old, Some(&new));
        }
    }

    /// SORT-STRING before vCard 4.0.
    pub(super) fn sorting(&mut self) {
        let at = self.reading.name.sort;
        if (at.is_none() && self.doc.dialect == Dialect::V4)
            || member(&self.full, "sortAs") == member(self.content, "sortAs")
        {
            return;
        }
        let word = |name: Option<&Value>| match &names::sort_as(name)[..] {
            [surname] => Some(Fresh::new("SORT-STRING", Val::Text(surname.clone()))),
            _ => None,
        };
        let (old, new) = self.names();
        let (old, new) = (word(old), word(new));
        if old != new {
            let was = old.unwrap_or_else(|| Fresh::new("SORT-STRING", Val::Text(String::new())));
            self.put(at, &was, new.as_ref());
        }
    }

    /// Phonetic readings.
    pub(super) fn phonetic(&mut self) {
        for ((name, kind), at) in names::PHONETIC.into_iter().zip(self.reading.name.phonetic) {
            let (old, new) = self.names();
            let (old, new) = (names::phonetic(old, kind), names::phonetic(new, kind));
            if names::phonetic(self.full.get("name"), kind) != new && old != new {
                let line = |text: &str| Fresh::new(name, Val::Text(text.to_owned()));
                let (was, new) = (line(old.unwrap_or_default()), new.map(line));
                self.put(at, &was, new.as_ref());
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
