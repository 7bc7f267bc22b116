//! The name in a card that is edited: FN, N, SORT-STRING and the phonetic readings.

use super::super::compose;
use super::super::doc::{Dialect, Prop};
use super::super::names;
use super::super::say::{Fresh, Val};
use super::Editor;
use crate::card;
use serde_json::Value;

impl Editor<'_> {
    pub(super) fn name(&mut self) {
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
        let text = prop.map(Prop::text).unwrap_or_default();
        let is_marked = prop.is_some_and(|p| p.parameter(names::MARK).is_some());
        let is_other = member(before.as_ref(), "full") != member(new, "full");
        let must_write = match (names::full(old), names::full(new)) {
            (_, Some(full)) => is_other && (text != full || is_marked),
            (Some(_), None) => is_other,
            // Made up of what changed since, by us or by whoever wrote the card.
            (None, None) => {
                let is_theirs = || card::derived_name(&self.full).is_some_and(|derived| derived == text.trim());
                let has_changed = || names::made_up(&self.full) != made_up;
                text != made_up && (is_marked || (is_theirs() && has_changed()))
            }
        };
        if must_write {
            let mut was = Fresh::new("FN", Val::Text(text));
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
