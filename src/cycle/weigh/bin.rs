//! What it means that somebody deleted a message on a device. A message is never destroyed from there: it goes to its account's trash, or,
//! where an account keeps a message without any label, to its archive (DESIGN 6).
//!
//! | the file vanished from | and | the message goes to |
//! |---|---|---|
//! | one of several folders | the account has labels | nowhere: it stays in the others |
//! | one of several folders | the account has folders | the trash: there each copy is a message of its own |
//! | its last folder | it was seen marked as deleted | the trash |
//! | its last folder | it was a draft, or was sent: it cannot be taken out of there | the trash |
//! | its last folder | the account has labels | the archive |
//! | its last folder | the account has folders | the trash |
//! | the trash | | nowhere: it stays in the account's trash, and is not put back into that device's |

use super::{Weighed, Weighing};
use std::collections::{BTreeSet, HashMap, HashSet};
use twofold_engine::{Now, Verdict};
use twofold_hub::{Hub, Item, Place};
use twofold_model::email::Role;
use twofold_model::{Kind, Result};

/// Why a message is not put back into a trash from which somebody removed it.
const EMPTIED: &str = "it was removed from the trash there, and stays in that of its account";

/// What the mailboxes of the accounts are for.
#[derive(Default)]
pub(super) struct Bins {
    roles: HashMap<i64, Role>,
    origins: HashMap<i64, i64>,
    emptied: HashSet<(i64, i64, i64)>,
}

impl Bins {
    pub(super) fn read(hub: &Hub, kind: Kind) -> Result<Bins> {
        let mut bins = Bins::default();
        if kind != Kind::Mail {
            return Ok(bins);
        }
        for collection in hub.collections(kind)? {
            bins.origins.insert(collection.id, collection.origin);
            bins.roles.extend(collection.role.map(|role| (collection.id, role)));
        }
        bins.emptied = hub.withheld_for(EMPTIED)?.into_iter().collect();
        Ok(bins)
    }

    /// The account to which a mailbox belongs.
    pub(super) fn account(&self, collection: i64) -> Option<i64> {
        self.origins.get(&collection).copied()
    }

    /// Whether somebody removed the item from this trash.
    pub(super) fn is_emptied(&self, item: i64, place: &Place) -> bool {
        self.emptied.contains(&(item, place.replica, place.collection))
    }

    /// Whether what goes there is on its way out.
    pub(super) fn is_trash(&self, collection: i64) -> bool {
        self.is(collection, Role::Trash)
    }

    /// What a mailbox is for.
    pub(super) fn role(&self, collection: i64) -> Option<Role> {
        self.roles.get(&collection).copied()
    }

    fn is(&self, collection: i64, role: Role) -> bool {
        self.role(collection) == Some(role)
    }

    fn of(&self, account: i64, role: Role) -> Option<i64> {
        let mut found = self.roles.iter().filter(|(id, is)| **is == role && self.origins.get(id) == Some(&account));
        found.next().map(|(id, _)| *id)
    }
}

impl Weighing<'_> {
    /// A message that left the trash, which somebody emptied on a device before, shows there again when it is next thrown away.
    fn fill_trash_again(&mut self, item: &Item, stands: &BTreeSet<i64>) -> Result<()> {
        let is_past =
            |(of, _, trash): &&(i64, i64, i64)| *of == item.id && !stands.is_empty() && !stands.contains(trash);
        let past: Vec<(i64, i64, i64)> = self.tables.bins.emptied.iter().filter(is_past).copied().collect();
        for (item, replica, trash) in past {
            self.hub.release(item, replica, trash)?;
            self.tables.bins.emptied.remove(&(item, replica, trash));
        }
        Ok(())
    }

    /// A message that stands nowhere any more because of what somebody did on a device goes to where its account keeps such.
    pub(super) fn keep_deleted(
        &mut self,
        item: &Item,
        verdict: &mut Verdict,
        weighed: &[Weighed],
        stood: &BTreeSet<i64>,
    ) -> Result<()> {
        let gone: Vec<&Weighed> = weighed.iter().filter(|copy| matches!(copy.now, Now::Gone)).collect();
        let is_on_devices = gone.iter().all(|copy| self.member(copy.replica).is_some_and(|m| m.replica.is_device));
        if self.kind == Kind::Mail {
            self.fill_trash_again(item, &verdict.collections)?;
        }
        if self.kind != Kind::Mail || gone.is_empty() || !is_on_devices {
            return Ok(());
        }
        let from_trash = |copy: &&&Weighed| self.tables.bins.is(copy.collection, Role::Trash);
        let emptied: Vec<(i64, i64)> = gone.iter().filter(from_trash).map(|c| (c.replica, c.collection)).collect();
        if !verdict.collections.is_empty() {
            return self.put_one_away(item, verdict, weighed, &gone, stood);
        }
        if stood.is_empty() {
            return Ok(());
        }
        if let Some((_, trash)) = emptied.first() {
            verdict.collections.insert(*trash);
            for (replica, collection) in emptied {
                self.hub.withhold(item.id, replica, collection, EMPTIED)?;
                self.tables.bins.emptied.insert((item.id, replica, collection));
            }
            return Ok(());
        }
        let Some(account) = gone.first().and_then(|copy| self.tables.bins.account(copy.collection)) else {
            return Ok(());
        };
        let has_labels = self.reached(account).is_some_and(|provider| provider.abilities().shares.contains(&self.kind));
        let mut was_marked = false;
        for copy in &gone {
            let (Some(placement), Some(device)) = (&copy.placement, self.reached(copy.replica)) else { continue };
            was_marked |= device.lens(self.kind).facts(&placement.seen).deleted;
        }
        // What an account keeps among the drafts, or as sent, has no other way out. And what is deleted among the spam does not become wanted.
        let bins = &self.tables.bins;
        let fixed = [Role::Drafts, Role::Sent, Role::Junk];
        let is_fixed = |copy: &&Weighed| fixed.iter().any(|role| bins.is(copy.collection, *role));
        let role = if has_labels && !was_marked && !gone.iter().any(is_fixed) { Role::Archive } else { Role::Trash };
        verdict.collections.extend(self.tables.bins.of(account, role).or(self.tables.bins.of(account, Role::Trash)));
        Ok(())
    }

    /// Of several copies at an account of folders each is a message: the one that somebody deleted on a device goes to the trash, and the others
    /// stay; the one that was removed from the trash there stays in the account's. (What was put elsewhere in the same moment was moved.)
    fn put_one_away(
        &mut self,
        item: &Item,
        verdict: &mut Verdict,
        weighed: &[Weighed],
        gone: &[&Weighed],
        stood: &BTreeSet<i64>,
    ) -> Result<()> {
        let has_moved = !verdict.collections.is_subset(stood);
        let left = verdict.collections.clone();
        for copy in gone.iter().filter(|copy| !left.contains(&copy.collection)) {
            let bins = &self.tables.bins;
            let Some(account) = bins.account(copy.collection) else { continue };
            let (Some(connector), Some(trash)) = (self.reached(account), bins.of(account, Role::Trash)) else {
                continue;
            };
            let is_it = |it: &Weighed| (it.replica, it.collection) == (account, copy.collection);
            let is_there = weighed.iter().any(|it| is_it(it) && matches!(it.now, Now::Same | Now::Edited { .. }));
            let is_moved = has_moved && copy.collection != trash;
            if !is_there || is_moved || connector.abilities().shares.contains(&self.kind) {
                continue;
            }
            verdict.collections.insert(trash);
            if copy.collection == trash {
                self.hub.withhold(item.id, copy.replica, trash, EMPTIED)?;
                self.tables.bins.emptied.insert((item.id, copy.replica, trash));
            }
        }
        Ok(())
    }
}
