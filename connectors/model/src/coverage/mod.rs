//! What each place says natively, carries, or leaves to the hub: measured on items that have every member of the tables in
//! [`crate::card`] and [`crate::event`], so that the documentation's tables are made, not written.

mod card;
mod event;

pub use card::card;
pub use event::{event, whole_events};

use crate::{Content, Identity, Lens, Result, Uid};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// How a place keeps one thing that a card says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// In the place's own fields: its other users see it.
    Kept,
    /// In the place's carry-all: it survives there, unseen.
    Carried,
    /// Not there at all: the hub and other places keep it.
    HubOnly,
}

impl Standing {
    /// The word used in the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Standing::Kept => "kept",
            Standing::Carried => "carried",
            Standing::HubOnly => "hub only",
        }
    }
}

/// One member or sub-member, and how each lens keeps it, in the order of the lenses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// `emails[].pref`, `name.components[given]`.
    pub member: String,
    /// One for each lens.
    pub standings: Vec<Standing>,
}

/// The rows for an item with everything, each thing at its worst among its entries.
///
/// # Errors
/// Those of a lens that cannot write the item, or not read what it wrote.
pub fn measure(item: &Content, lenses: &[(&str, &dyn Lens)]) -> Result<Vec<Row>> {
    let wanted = facts(item);
    let identity = Identity { uid: Uid("coverage".into()), mark: None };
    let mut columns = Vec::new();
    for (_, lens) in lenses {
        let rendering = lens.write(None, item, &identity)?;
        columns.push((facts(&lens.native(&rendering)?), facts(&lens.read(&rendering)?)));
    }
    let mut rows: Vec<Row> = Vec::new();
    let mut at: BTreeMap<String, usize> = BTreeMap::new();
    for fact in &wanted {
        let standing =
            |(native, full): &(BTreeSet<Fact>, BTreeSet<Fact>)| match (native.contains(fact), full.contains(fact)) {
                (true, true) => Standing::Kept,
                (_, true) => Standing::Carried,
                _ => Standing::HubOnly,
            };
        let standings: Vec<Standing> = columns.iter().map(standing).collect();
        match at.get(&fact.member).and_then(|i| rows.get_mut(*i)) {
            Some(row) => row.standings.iter_mut().zip(standings).for_each(|(old, new)| *old = (*old).max(new)),
            None => {
                at.insert(fact.member.clone(), rows.len());
                rows.push(Row { member: fact.member.clone(), standings });
            }
        }
    }
    Ok(rows)
}

/// The rows for items that a place holds as a whole or not at all.
pub fn measure_whole(items: &[(&str, Content)], lenses: &[(&str, &dyn Lens)]) -> Vec<Row> {
    let identity = Identity { uid: Uid("coverage".into()), mark: None };
    let standing = |lens: &dyn Lens, item: &Content| {
        let Ok(rendering) = lens.write(None, item, &identity) else { return Standing::HubOnly };
        match (lens.native(&rendering), lens.read(&rendering)) {
            (Ok(native), _) if native == *item => Standing::Kept,
            (_, Ok(full)) if full == *item => Standing::Carried,
            _ => Standing::HubOnly,
        }
    };
    let row = |(what, item): &(&str, Content)| Row {
        member: (*what).to_owned(),
        standings: lenses.iter().map(|(_, lens)| standing(*lens, item)).collect(),
    };
    items.iter().map(row).collect()
}

/// The rows as a table in Markdown.
pub fn markdown(lenses: &[(&str, &dyn Lens)], rows: &[Row]) -> String {
    let mut text = String::from("| member |");
    lenses.iter().for_each(|(name, _)| text.push_str(&format!(" {name} |")));
    text.push_str("\n|---|");
    lenses.iter().for_each(|_| text.push_str("---|"));
    for row in rows {
        let name = if row.member.contains(' ') { row.member.clone() } else { format!("`{}`", row.member) };
        text.push_str(&format!("\n| {name} |"));
        row.standings.iter().for_each(|standing| text.push_str(&format!(" {} |", standing.as_str())));
    }
    text.push('\n');
    text
}

/// One thing that an item says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Fact {
    /// What it is, without keys.
    member: String,
    /// Where it stands, with keys.
    path: String,
    value: String,
}

fn facts(item: &Content) -> BTreeSet<Fact> {
    let mut facts = BTreeSet::new();
    for (member, value) in &item.0 {
        collect(member, member, value, is_keyed(member), &mut facts);
    }
    facts
}

/// Whether the keys of a member are ours and no words.
fn is_keyed(member: &str) -> bool {
    !matches!(member, "name" | "speakToAs" | "kind" | "language")
}

fn collect(member: &str, path: &str, value: &Value, keyed: bool, facts: &mut BTreeSet<Fact>) {
    match value {
        Value::Object(map) => {
            for (key, inner) in map {
                let step = match inner.get("kind").and_then(Value::as_str).filter(|_| keyed) {
                    Some(kind) => format!("{member}[{kind}]"),
                    None if keyed => format!("{member}[]"),
                    None => format!("{member}.{key}"),
                };
                // The kind of an entry is told by its row.
                if !(key == "kind" && path.contains('/')) {
                    collect(&step, &format!("{path}/{key}"), inner, key == "pronouns" && inner.is_object(), facts);
                }
            }
        }
        // Parts of a name or an address are told apart by their kinds, not by their places.
        Value::Array(list) => {
            for part in list {
                let kind = part.get("kind").and_then(Value::as_str).unwrap_or_default();
                let said = part.get("value").or(part.get("name")).unwrap_or(part).to_string();
                let at = (format!("{member}[{kind}]"), format!("{path}/{kind}/{said}"));
                facts.insert(Fact { member: at.0.clone(), path: at.1.clone(), value: said });
                if let Some(phonetic) = part.get("phonetic") {
                    let member = format!("{}.phonetic", at.0);
                    facts.insert(Fact { member, path: at.1, value: phonetic.to_string() });
                }
            }
        }
        plain => {
            facts.insert(Fact { member: member.to_owned(), path: path.to_owned(), value: plain.to_string() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vcard::{VcardLens, Version};

    #[test]
    fn a_card_with_everything_is_read_back_from_both_versions() {
        let (three, four) = (VcardLens::new(Version::V3), VcardLens::new(Version::V4));
        let lenses: [(&str, &dyn Lens); 2] = [("vCard 3.0", &three), ("vCard 4.0", &four)];
        let rows = measure(&card(), &lenses).unwrap();
        let table = markdown(&lenses, &rows);
        println!("{table}");
        assert!(rows.iter().all(|row| row.standings.iter().all(|s| *s != Standing::HubOnly)), "{table}");
        let carried = |lens: usize| -> Vec<&str> {
            rows.iter().filter(|row| row.standings[lens] == Standing::Carried).map(|row| row.member.as_str()).collect()
        };
        assert_eq!(carried(1), [] as [&str; 0], "vCard 4.0 says all of it");
        assert_eq!(
            carried(0),
            ["emails[].pref", "name.components[generation]", "name.components[surname2]"],
            "vCard 3.0 carries the rest"
        );
    }
}
