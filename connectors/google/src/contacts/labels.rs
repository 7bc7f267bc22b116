//! Keywords at the moment of a write: which contact group each one is, and how an answer says it.
//!
//! A keyword is the group of that name, upper and lower case being one, as at Google; where there is none it is made. A write
//! answers with the keywords *as they were asked for*: an answer names groups by their resource names alone, and what they are
//! called by now is for the list to say. Where the list then spells one otherwise, or calls it by another name, that is
//! Google's edit, and the other places take it. (Were the answer to say so, the difference would stand between what was sent
//! and what was answered, and be nobody's.)

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use twofold_model::{Error, ErrorKind, Result};

use super::groups::GroupTable;
use super::rendering::{GROUPS, group_names};
use super::wire::Object;
use super::{Contacts, api};

/// Keyword to the resource name of its group. A keyword that can be no group is not in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Labels(BTreeMap<String, String>);

impl Labels {
    /// The group of a keyword.
    pub(super) fn group(&self, keyword: &str) -> Option<String> {
        self.0.get(keyword).cloned()
    }

    /// Whether no group is sent.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those of these keywords.
    pub(super) fn of(&self, keywords: impl Iterator<Item = String>) -> Labels {
        Labels(keywords.filter_map(|keyword| self.group(&keyword).map(|group| (keyword, group))).collect())
    }

    /// The keywords whose group is not there.
    pub(super) fn outside<'a>(&'a self, is_there: impl Fn(&str) -> bool + 'a) -> impl Iterator<Item = String> + 'a {
        self.0.iter().filter(move |(_, group)| !is_there(group)).map(|(keyword, _)| keyword.clone())
    }

    /// Takes over what `others` says; whether anything is another one than before.
    pub(super) fn follow(&mut self, others: &Labels) -> bool {
        let mut follows = false;
        for (keyword, group) in &mut self.0 {
            if let Some(other) = others.0.get(keyword).filter(|other| *other != group) {
                group.clone_from(other);
                follows = true;
            }
        }
        follows
    }
}

/// Lets the copy in the answer to a write say the keywords that `asked` says. Where groups were sent, only what was sent: a
/// keyword that can be no group is not there.
pub(super) fn say_as_asked(copy: &mut Object, asked: &Object, sent: Option<&Labels>) {
    let is_told = |name: &&str| sent.is_none_or(|sent| sent.0.contains_key(*name));
    let told: Vec<&str> = group_names(asked).filter(is_told).collect();
    if told.iter().collect::<BTreeSet<_>>() == group_names(copy).collect::<Vec<_>>().iter().collect() {
        return;
    }
    if told.is_empty() {
        copy.shift_remove(GROUPS);
    } else {
        copy.insert(GROUPS.into(), told.into_iter().map(Value::from).collect());
    }
}

impl Contacts {
    /// The group of each keyword; groups that are missing are made. A failure here means that no person was written, so it is
    /// told as such whatever became of the group (its name is unique: there will not be a second one).
    pub(super) async fn labels(&self, keywords: BTreeSet<String>) -> Result<Labels> {
        let mut labels = Labels::default();
        if keywords.is_empty() {
            return Ok(labels);
        }
        let mut table = (*self.groups().await?).clone();
        for keyword in keywords {
            if table.resource(&keyword).is_none() {
                table = self.make_group(table, &keyword).await?;
            }
            match table.resource(&keyword) {
                Some(resource) => drop(labels.0.insert(keyword, resource.to_owned())),
                None => tracing::warn!("a category cannot be a contact group at Google; it is left out there"),
            }
        }
        Ok(labels)
    }

    /// Lists the groups afresh; gives new groups for those labels whose group is gone by now. A group that is there under
    /// another name is the one that was meant.
    pub(super) async fn labels_anew<'a>(&self, labels: impl Iterator<Item = &'a Labels>) -> Result<Labels> {
        let (table, _) = self.refresh_groups(None).await?;
        self.labels(labels.flat_map(|labels| labels.outside(|group| table.knows(group))).collect()).await
    }

    /// Makes a group; gives the table with it.
    async fn make_group(&self, mut table: GroupTable, name: &str) -> Result<GroupTable> {
        let made = match self.client.send(api::create_group(name)).await {
            Ok(response) => api::read_group(&response),
            Err(error) => Err(error),
        };
        match made {
            Ok(group) => {
                table.take(&group);
                // The answer need not show the name.
                table.0.insert(group.resource_name, Some(name.to_owned()));
                self.memory().groups = Some(table.clone().into());
                Ok(table)
            }
            Err(error) => self.after_failed_group(name, error).await,
        }
    }

    /// The groups as they are after a group could not be made: it may be there already (409), or be impossible.
    async fn after_failed_group(&self, name: &str, error: Error) -> Result<GroupTable> {
        let (table, _) = match error.kind {
            ErrorKind::Refused | ErrorKind::StaleEtag | ErrorKind::Unknown | ErrorKind::Malformed => {
                self.refresh_groups(None).await?
            }
            _ => return Err(error),
        };
        if table.resource(name).is_some() || error.kind == ErrorKind::Refused {
            return Ok(table);
        }
        // No person was written: whatever became of the group, the operations were not executed.
        Err(Error::new(ErrorKind::Offline, format!("a contact group could not be made: {}", error.message)))
    }
}
