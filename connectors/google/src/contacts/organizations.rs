//! Organisations and job titles: two members of a card, one list at Google.

use serde_json::{Map, Value, json};
use twofold_model::Content;

use super::fields::{carry_over, has, word};
use super::map::{Origin, drop_items, entries, filled, list, pair, read_from, tidy_list};
use super::wire::Object;

/// The organisation in an item of `organizations`; its title is an entry of its own.
pub(super) fn read_organization(item: &Object) -> Option<Value> {
    let mut entry = Map::new();
    if let Some(name) = filled(item, "name") {
        entry.insert("name".into(), Value::from(name));
    }
    if let Some(department) = filled(item, "department") {
        entry.insert("units".into(), json!([{"name": department}]));
    }
    (!entry.is_empty()).then_some(Value::Object(entry))
}

fn first_unit(entry: &Value) -> &str {
    entry.get("units").and_then(|units| units.get(0)).map(|unit| word(unit, "name")).unwrap_or_default()
}

/// One item of Google's holds an organisation and the title in it; which belong together is told by the item, or for new
/// ones by the ordinals of their keys.
pub(super) fn write_organizations(person: &mut Object, before: &Content, content: &Content, origins: &[Origin]) {
    let (org_at, orgs) = read_from(origins, before, "organizations", "organizations");
    let (title_at, titles) = read_from(origins, before, "organizations", "titles");
    let wanted_orgs: Vec<(&str, &Value)> = entries(content, "organizations")
        .filter(|(_, entry)| has(entry, "name") || !first_unit(entry).trim().is_empty())
        .collect();
    let wanted_titles: Vec<(&str, &Value)> = entries(content, "titles")
        .filter(|(_, entry)| has(entry, "name") && matches!(word(entry, "kind"), "title" | ""))
        .collect();
    if orgs == wanted_orgs && titles == wanted_titles {
        return;
    }
    let (org_partner, title_partner) = (pair(&orgs, &wanted_orgs), pair(&titles, &wanted_titles));
    let list = list(person, "organizations");
    // The ordinal of the organisation that stands in an item, for titles that are new.
    let mut standing: Vec<(usize, usize)> = Vec::new();
    for ((index, (_, old)), partner) in org_at.iter().zip(&orgs).zip(&org_partner) {
        let new = partner.map(|new| wanted_orgs[new]);
        edit_organization(&mut list[*index], old, new.map_or(&Value::Null, |(_, entry)| entry));
        standing.extend(new.map(|(key, _)| (ordinal(key), *index)));
    }
    for ((index, (_, old)), partner) in title_at.iter().zip(&titles).zip(&title_partner) {
        let new = partner.map_or("", |new| word(wanted_titles[new].1, "name"));
        edit_title(&mut list[*index], word(old, "name"), new);
    }
    for (_, (key, entry)) in wanted_orgs.iter().enumerate().filter(|(i, _)| !org_partner.contains(&Some(*i))) {
        let mut item = Value::Object(Object::new());
        edit_organization(&mut item, &Value::Null, entry);
        standing.push((ordinal(key), list.len()));
        list.push(item);
    }
    for (_, (key, entry)) in wanted_titles.iter().enumerate().filter(|(i, _)| !title_partner.contains(&Some(*i))) {
        let home = standing.iter().find(|(number, _)| *number == ordinal(key)).map(|(_, index)| *index);
        let home = home.filter(|index| !has(&list[*index], "title")).unwrap_or_else(|| {
            list.push(Value::Object(Object::new()));
            list.len() - 1
        });
        edit_title(&mut list[home], "", word(entry, "name"));
    }
    let emptied: Vec<usize> =
        org_at.iter().chain(&title_at).copied().filter(|index| says_nothing(&list[*index])).collect();
    drop_items(list, &emptied);
    tidy_list(person, "organizations", None);
}

/// `org-2` is the second.
fn ordinal(key: &str) -> usize {
    key.rsplit_once('-').and_then(|(_, number)| number.parse().ok()).unwrap_or(1)
}

fn edit_organization(item: &mut Value, old: &Value, new: &Value) {
    if let Value::Object(item) = item {
        if word(old, "name") != word(new, "name") {
            item.shift_remove("phoneticName");
        }
        carry_over(item, "name", word(old, "name"), word(new, "name"));
        carry_over(item, "department", first_unit(old), first_unit(new));
    }
}

fn edit_title(item: &mut Value, old: &str, new: &str) {
    if let Value::Object(item) = item {
        carry_over(item, "title", old, new);
    }
}

/// Whether nothing is left in an organisation that a person would miss.
fn says_nothing(item: &Value) -> bool {
    let plain = ["metadata", "type", "formattedType", "current"];
    item.as_object().is_none_or(|item| item.keys().all(|name| plain.contains(&name.as_str())))
}
