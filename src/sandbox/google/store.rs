//! People's memory: persons with their recent versions, groups, photos. A list may lag behind (it then shows an older
//! version), a single get never does. Every change makes a new version with new etags and the next stamp.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use rand::Rng;
use rand::rngs::StdRng;
use serde_json::{Map, Value};

use super::errors::{Refusal, not_found};
use super::groups::Group;
use crate::State;

/// Older versions are kept this long, and for the list's lag if that is longer.
const KEEP_MS: i64 = 600_000;
/// At most so many versions of one person are kept.
const KEEP_VERSIONS: usize = 64;

/// What People remembers.
#[derive(Debug, Default)]
pub struct Google {
    /// By resource name. Deleted ones stay, as tombstones.
    pub(crate) people: BTreeMap<String, Person>,
    /// A former resource name -> the present one.
    pub(crate) renamed: HashMap<String, String>,
    /// By resource name.
    pub(crate) groups: BTreeMap<String, Group>,
    /// By the key in the photo's address.
    pub(crate) photos: HashMap<String, Photo>,
    /// Counts up with every change of anything.
    pub(crate) stamp: u64,
    /// Sync tokens of an older epoch are expired.
    pub(crate) epoch: u32,
    /// When which contact gets a new etag with equal content.
    pub(crate) restamps: VecDeque<(i64, String)>,
    /// Guarded updates so far, for the false etag mismatch.
    pub(crate) guarded_updates: u32,
    /// Calendars and events.
    pub(crate) calendar: super::calendar::Room,
    /// Messages, labels, drafts and their history.
    pub(crate) mail: super::mail::Room,
    /// The address books of other accounts, by account id.
    others: HashMap<String, Google>,
}

/// A picture as it was uploaded.
#[derive(Clone, Debug)]
pub(crate) struct Photo {
    pub content_type: &'static str,
    pub bytes: Bytes,
}

/// One person.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    /// The id of the contact source, 16 hex digits.
    pub contact_id: String,
    /// Oldest first; never empty.
    pub versions: VecDeque<Arc<Version>>,
    /// Whether versions before the first one kept were forgotten.
    pub is_cut: bool,
    /// What the person's own public profile says, merged in on reading.
    pub profile: Option<Profile>,
}

/// The state of a contact after one change.
#[derive(Clone, Debug, Default)]
pub(crate) struct Version {
    pub at_ms: i64,
    pub stamp: u64,
    /// `metadata.sources[].updateTime`.
    pub updated_ms: i64,
    /// The person's etag.
    pub etag: String,
    /// The contact source's etag.
    pub source_etag: String,
    pub is_deleted: bool,
    /// Field name -> items with their `metadata`, as they are sent out.
    pub fields: Map<String, Value>,
    /// The key of the photo.
    pub photo: Option<String>,
    /// Former resource names.
    pub previous: Vec<String>,
}

/// A Google user's public profile, linked to a contact.
#[derive(Clone, Debug)]
pub(crate) struct Profile {
    pub id: String,
    /// Field name -> items without `metadata`.
    pub fields: Map<String, Value>,
}

impl Person {
    /// As it is now.
    pub fn newest(&self) -> &Arc<Version> {
        // Invariant: a person is made with one version, and `prune` keeps the last.
        self.versions.back().expect("a person has a version")
    }

    /// As a list that is `lag_ms` behind shows it.
    pub fn as_of(&self, ms: i64) -> Option<&Arc<Version>> {
        let shown = self.versions.iter().rev().find(|version| version.at_ms <= ms);
        shown.or_else(|| self.versions.front().filter(|_| self.is_cut))
    }

    fn prune(&mut self, now_ms: i64, keep_ms: i64) {
        while self.versions.len() > 1
            && (self.versions[1].at_ms <= now_ms - keep_ms || self.versions.len() > KEEP_VERSIONS)
        {
            self.versions.pop_front();
            self.is_cut = true;
        }
    }
}

impl Version {
    /// The resource names of the groups it is in.
    pub fn group_names(&self) -> impl Iterator<Item = &str> {
        let items = self.fields.get("memberships").and_then(Value::as_array);
        items.into_iter().flatten().filter_map(membership_group)
    }
}

/// The group that a membership item names.
pub(crate) fn membership_group(item: &Value) -> Option<&str> {
    item["contactGroupMembership"]["contactGroupResourceName"].as_str()
}

impl Google {
    /// The present name of a resource, if it exists and is not deleted.
    pub(crate) fn resolve(&self, resource: &str) -> Option<String> {
        let mut name = resource;
        // Invariant: a name is renamed to one made later, so this ends.
        while let Some(next) = self.renamed.get(name) {
            name = next;
        }
        self.people.get(name).filter(|person| !person.newest().is_deleted).map(|_| name.to_owned())
    }

    /// A person that is there.
    pub(crate) fn living(&self, resource: &str) -> Option<(String, &Person)> {
        let name = self.resolve(resource)?;
        let person = self.people.get(&name)?;
        Some((name, person))
    }

    /// The address book of another account, out of the cupboard.
    pub(crate) fn take_other(&mut self, account: &str) -> Self {
        self.others.remove(account).unwrap_or_default()
    }

    /// Puts it back.
    pub(crate) fn keep_other(&mut self, account: &str, other: Self) {
        self.others.insert(account.to_owned(), other);
    }

    /// All that are there, by resource name.
    pub(crate) fn all_living(&self) -> impl Iterator<Item = (&String, &Person)> {
        self.people.iter().filter(|(_, person)| !person.newest().is_deleted)
    }
}

/// A new contact id and the resource name that belongs to it: the same number in hex and in decimal.
pub(crate) fn fresh_names(rng: &mut StdRng) -> (String, String) {
    let id: u64 = rng.random_range(1_000_000_000_000_000_u64..9_000_000_000_000_000_000);
    (format!("{id:x}"), format!("people/c{id}"))
}

/// An etag of a contact source, `#AhAzEdAqRyo=`.
pub(crate) fn fresh_source_etag(rng: &mut StdRng) -> String {
    format!("#{}", STANDARD.encode(rng.random::<[u8; 8]>()))
}

/// An etag of a person, `%EgUBAgc9PhoEAQIFByIM…`.
fn fresh_etag(rng: &mut StdRng) -> String {
    format!("%EgUBAgc9PhoEAQIFByIM{}", STANDARD.encode(rng.random::<[u8; 12]>()))
}

/// A key for a photo's address.
pub(crate) fn fresh_key(rng: &mut StdRng) -> String {
    format!("ANXA{}", URL_SAFE_NO_PAD.encode(rng.random::<[u8; 18]>()))
}

/// Adds a person under a given name.
pub(crate) fn insert_as(
    state: &mut State,
    resource: String,
    contact_id: String,
    mut version: Version,
    at_ms: i64,
) -> String {
    stamp(state, &mut version, at_ms);
    let versions = VecDeque::from([Arc::new(version)]);
    state.google.people.insert(resource.clone(), Person { contact_id, versions, is_cut: false, profile: None });
    later_restamp(state, &resource);
    resource
}

/// Changes a person: a new version with new etags. `resource` is a present name.
pub(crate) fn change(
    state: &mut State,
    resource: &str,
    change: impl FnOnce(&mut Version),
) -> Result<Arc<Version>, Refusal> {
    let changed = commit(state, resource, change)?;
    later_restamp(state, resource);
    Ok(changed)
}

fn commit(state: &mut State, resource: &str, change: impl FnOnce(&mut Version)) -> Result<Arc<Version>, Refusal> {
    let old = state.google.people.get(resource).ok_or_else(not_found)?.newest();
    let mut version = Version::clone(old);
    change(&mut version);
    let now_ms = state.now_ms();
    stamp(state, &mut version, now_ms);
    let version = Arc::new(version);
    let keep_ms = KEEP_MS.max(state.switches.list_lag_s * 1000);
    let person = state.google.people.get_mut(resource).ok_or_else(not_found)?;
    person.versions.push_back(version.clone());
    person.prune(now_ms, keep_ms);
    Ok(version)
}

fn stamp(state: &mut State, version: &mut Version, at_ms: i64) {
    state.google.stamp += 1;
    version.stamp = state.google.stamp;
    version.at_ms = at_ms;
    version.updated_ms = at_ms;
    version.etag = fresh_etag(&mut state.rng);
    version.source_etag = fresh_source_etag(&mut state.rng);
}

fn later_restamp(state: &mut State, resource: &str) {
    let after_s = state.switches.restamp_etag_after_s;
    if after_s > 0 {
        let due = state.now_ms() + after_s * 1000;
        state.google.restamps.push_back((due, resource.to_owned()));
    }
}

/// Gives new etags to the contacts whose time has come; their content stays.
pub(crate) fn restamp_due(state: &mut State) {
    let now_ms = state.now_ms();
    while state.google.restamps.front().is_some_and(|(due, _)| *due <= now_ms) {
        let Some((_, resource)) = state.google.restamps.pop_front() else {
            return;
        };
        if state.google.people.get(&resource).is_some_and(|person| !person.newest().is_deleted) {
            // It was just looked up, so it cannot be missing.
            let _ = commit(state, &resource, |_| {});
        }
    }
}

/// Deletes a person; a tombstone stays.
pub(crate) fn remove(state: &mut State, resource: &str) -> Result<(), Refusal> {
    commit(state, resource, |version| {
        version.is_deleted = true;
        version.fields.clear();
        version.photo = None;
    })?;
    Ok(())
}
