//! The table of contact groups: which resource name is which keyword. The user's own groups are keywords; the system's
//! (`myContacts`, `starred`, …) are not, and memberships in them are kept as they came.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

use super::wire::ContactGroup;

/// The group that makes a person a contact.
pub const MY_CONTACTS: &str = "contactGroups/myContacts";

/// Groups that the system made, for rows that come without their type.
const SYSTEM: [&str; 8] = ["myContacts", "starred", "friends", "family", "coworkers", "blocked", "all", "chatBuddies"];

/// Resource name to name, for the user's groups; `null` for the system's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GroupTable(pub BTreeMap<String, Option<String>>);

impl GroupTable {
    /// The keyword of a group of the user's.
    pub fn name(&self, resource: &str) -> Option<&str> {
        self.0.get(resource)?.as_deref()
    }

    /// Whether the group is known at all.
    pub fn knows(&self, resource: &str) -> bool {
        self.0.contains_key(resource)
    }

    /// The user's group of that name; the exact name wins over one that differs in case only (People takes such for equal).
    pub fn resource(&self, name: &str) -> Option<&str> {
        let users = || self.0.iter().filter_map(|(resource, name)| Some((resource.as_str(), name.as_deref()?)));
        let folded = name.trim().to_lowercase();
        users()
            .find(|(_, known)| *known == name)
            .or_else(|| users().find(|(_, known)| known.trim().to_lowercase() == folded))
            .map(|(resource, _)| resource)
    }

    /// Lays one row of a listing or a delta over the table.
    pub fn take(&mut self, group: &ContactGroup) {
        if group.resource_name.is_empty() {
            return;
        }
        if group.is_deleted() {
            self.0.remove(&group.resource_name);
            return;
        }
        let id = group.resource_name.rsplit('/').next().unwrap_or_default();
        let is_system = match group.group_type.as_deref() {
            Some("USER_CONTACT_GROUP") => false,
            Some("SYSTEM_CONTACT_GROUP") => true,
            _ => SYSTEM.contains(&id),
        };
        let name = if is_system { None } else { Some(group.name.clone().unwrap_or_else(|| id.to_owned())) };
        self.0.insert(group.resource_name.clone(), name);
    }

    /// Whether renderings made with `old` say something else than they would with this table: a group of the user's was
    /// renamed or deleted, or one that was unknown has a name now. Its members' etags need not have moved.
    pub fn changes_meaning(&self, old: &GroupTable, unresolved: &BTreeSet<String>) -> bool {
        let was_renamed = old.0.iter().any(|(resource, name)| name.is_some() && self.0.get(resource) != Some(name));
        was_renamed || unresolved.iter().any(|resource| self.name(resource).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: &[(&str, Option<&str>)]) -> GroupTable {
        GroupTable(rows.iter().map(|(id, name)| ((*id).to_owned(), name.map(str::to_owned))).collect())
    }

    fn changed(old: &[(&str, Option<&str>)], new: &[(&str, Option<&str>)]) -> bool {
        table(new).changes_meaning(&table(old), &BTreeSet::new())
    }

    #[test]
    fn a_rename_and_a_removal_change_the_meaning_and_a_new_group_does_not() {
        let old = [("g/1", Some("ICE")), ("g/all", None)];
        assert!(!changed(&old, &old));
        assert!(!changed(&old, &[("g/1", Some("ICE")), ("g/all", None), ("g/2", Some("new"))]));
        assert!(changed(&old, &[("g/1", Some("Ice")), ("g/all", None)]));
        assert!(changed(&old, &[("g/all", None)]));
        let unresolved = BTreeSet::from(["g/2".to_owned()]);
        assert!(table(&[("g/2", Some("late"))]).changes_meaning(&table(&[]), &unresolved));
    }

    #[test]
    fn rows_without_a_type_are_told_apart_by_their_id() {
        let mut table = GroupTable::default();
        for id in ["contactGroups/starred", "contactGroups/4f"] {
            let name = Some("n".to_owned());
            table.take(&ContactGroup { resource_name: id.into(), name, ..ContactGroup::default() });
        }
        assert_eq!(table.name("contactGroups/starred"), None);
        assert!(table.knows("contactGroups/starred"));
        assert_eq!(table.resource("N "), Some("contactGroups/4f"));
    }
}
