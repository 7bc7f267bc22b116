//! One entry in a card that is edited: its line, and the lines that belong to it.

use super::super::compose::{self, Composed};
use super::super::doc::Prop;
use super::super::labels;
use super::super::read::{Unit, stands_for_itself};
use super::super::say::{Fresh, Val, say};
use super::{Editor, entry};
use crate::contentline::ours::KEY;
use serde_json::Value;

impl<'a> Editor<'a> {
    pub(super) fn native(&self, unit: &Unit) -> Value {
        entry(&self.reading.native, unit.member, &unit.key).cloned().unwrap_or_default()
    }

    fn is_shared(&self, group: Option<&str>) -> bool {
        group.and_then(|g| self.users.get(&g.to_ascii_lowercase())).is_some_and(|users| *users > 1)
    }

    pub(super) fn new_group(&mut self) -> String {
        loop {
            let group = format!("item{}", self.next_group);
            self.next_group += 1;
            if self.groups.insert(group.clone()) {
                return group;
            }
        }
    }

    pub(super) fn remove(&mut self, unit: &Unit) {
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

    pub(super) fn change(&mut self, unit: &Unit, key: &str, wanted: &Value) {
        let Some(prop) = unit.places.first().and_then(|(at, _)| self.prop(*at)) else { return };
        let at = unit.places[0].0;
        if unit.member == "vCardProps" {
            let lines = self.own_line(wanted).into_iter().collect();
            self.replaced.insert(at, lines);
            return;
        }
        let dialect = self.doc.dialect;
        let old = say(unit.member, &unit.key, &self.native(unit), dialect, Some(prop));
        let mut new = say(unit.member, key, wanted, dialect, Some(prop));
        if self.keyed.contains(&(unit.member.to_owned(), key.to_owned()))
            && let [new] = &mut new[..]
        {
            new.parameters.push((KEY, vec![key.to_owned()]));
        }
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
            for (there, new, name) in companions
                .into_iter()
                .filter(|(_, old, new, _)| old != new)
                .map(|(there, _, new, name)| (there, new, name))
            {
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
            compose::fresh(group.as_deref(), new, prop.parameter(KEY), self.doc.dialect, self.charset)
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

    pub(super) fn own_line(&self, entry: &Value) -> Option<Composed> {
        let line = entry.get("line")?.as_str()?;
        // A label may come with the unknown property of its group; a group that is here already would be relabelled.
        let is_free = |group: &str| !self.users.contains_key(&group.to_ascii_lowercase());
        stands_for_itself(line, is_free).then(|| Composed::whole(line, self.charset)).flatten()
    }

    /// The lines of a new property with all that belongs to it.
    pub(super) fn fresh_lines(&mut self, fresh: &Fresh, key: Option<&str>, lines: &mut Vec<Composed>) {
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
}
