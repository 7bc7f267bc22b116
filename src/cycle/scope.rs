//! What the configuration leaves out (ENGINE 19): collections by name or role, kinds that a provider does not keep, messages that are too
//! old or too large.
//!
//! What is left out is *frozen*: not read, no vote, no brake, nothing written at any place; copies, bases and bytes stay. It is worked
//! out here, once a run, kept in the hub so that the next run sees what changed, and asked for where copies come in ([`crate::intake`]),
//! are met ([`crate::meet`]), are weighed ([`crate::weigh`]) and where collections are arranged ([`crate::arrange`]).

use crate::Cycle;
use crate::arrange::{Listed, word};
use crate::pull::{as_collection, covers};
use std::collections::{BTreeSet, HashMap, HashSet};
use twofold_hub::{Collection, Hub, Replica};
use twofold_model::email::Role;
use twofold_model::email::scope::Limits;
use twofold_model::{Facts, Kind, Result};

/// What is left out of one kind in this run.
#[derive(Debug, Default)]
pub struct LeftOut {
    collections: HashSet<i64>,
    limits: HashMap<i64, Limits>,
    devices: HashSet<i64>,
}

impl LeftOut {
    fn read(hub: &Hub, kind: Kind) -> Result<LeftOut> {
        let mut left = LeftOut { collections: hub.left_out(kind)?, ..LeftOut::default() };
        let mut accounts = HashMap::new();
        for replica in hub.replicas()? {
            if replica.is_device {
                left.devices.insert(replica.id);
            }
            accounts.insert(replica.id, hub.limits(replica.id)?);
        }
        if kind == Kind::Mail {
            for collection in hub.collections(kind)? {
                let limits = accounts.get(&collection.origin).copied().unwrap_or_default();
                if !limits.is_none() {
                    left.limits.insert(collection.id, limits);
                }
            }
        }
        Ok(left)
    }

    /// Whether a collection is frozen.
    pub fn has(&self, collection: i64) -> bool {
        self.collections.contains(&collection)
    }

    /// Whether nothing may follow from a copy of a replica that stood in one collection and is in another now, or still in the same: it
    /// is frozen; or somebody put it there on a device, which would have to be written there at its account.
    pub fn is_frozen(&self, replica: i64, from: i64, to: i64) -> bool {
        self.has(to) && (self.has(from) || self.is_device(replica))
    }

    /// Whether a replica is a device folder.
    pub fn is_device(&self, replica: i64) -> bool {
        self.devices.contains(&replica)
    }

    /// Whether some message may be too old or too large.
    pub fn has_limits(&self) -> bool {
        !self.limits.is_empty()
    }

    /// The limits of a collection's account, where it has any.
    pub fn limits(&self, collection: i64) -> Option<&Limits> {
        self.limits.get(&collection)
    }

    /// Whether a message of which this is known is too old or too large to stand in a collection.
    pub fn is_beyond(&self, collection: i64, facts: &Facts) -> bool {
        self.limits(collection).is_some_and(|limits| limits.leave_out(facts))
    }

    /// Whether a message has to be looked at to know that.
    pub fn is_unclear(&self, collection: i64, facts: &Facts) -> bool {
        self.limits(collection).is_some_and(|limits| limits.want_more_than(facts))
    }
}

/// Works out what is left out of a kind, and notes what changed. What is taken up again is listed in full and compared; that begins only
/// when its provider can be reached.
///
/// Keeps promise 1: nothing is deleted for it; and promise 2: that a collection is taken up and that its feeds begin anew is one
/// transaction.
pub(crate) fn arrange(cycle: &mut Cycle<'_>, kind: Kind, found: &Listed) -> Result<()> {
    let replicas = cycle.hub.replicas()?;
    if kind == Kind::Mail {
        for account in replicas.iter().filter(|replica| !replica.is_device) {
            limit(cycle, account, found)?;
            tell_unknown(cycle, account, found)?;
        }
    }
    for collection in cycle.hub.collections(kind)? {
        let shall_be = is_to_be_left_out(cycle, &collection, &replicas)?;
        match (collection.is_left_out, shall_be) {
            (false, true) => leave_out(cycle, &collection, &replicas)?,
            (true, false) => take_up(cycle, &collection, &replicas, found)?,
            _ => {}
        }
    }
    cycle.left_out = LeftOut::read(cycle.hub, kind)?.into();
    Ok(())
}

/// Whether a mailbox that is to be made at an account would be left out there.
pub(crate) fn would_be_left_out(cycle: &Cycle<'_>, account: i64, mailbox: &str) -> Result<bool> {
    let scope = cycle.member(account).and_then(|member| cycle.settings.scopes.get(&member.replica.name));
    let all = mailboxes(cycle.hub, account)?;
    Ok(scope.is_some_and(|scope| scope.leaves_out(mailbox, &all)))
}

/// The mailboxes of an account, as it calls them: paths and roles.
fn mailboxes(hub: &Hub, account: i64) -> Result<Vec<(String, Option<Role>)>> {
    let mut all = Vec::new();
    for place in hub.places(account, Kind::Mail)? {
        let role = hub.collection(place.collection)?.and_then(|collection| collection.role);
        all.push((place.name, role));
    }
    Ok(all)
}

fn is_to_be_left_out(cycle: &Cycle<'_>, collection: &Collection, replicas: &[Replica]) -> Result<bool> {
    let places = cycle.hub.places_of(collection.id)?;
    let scope = replicas
        .iter()
        .find(|replica| replica.id == collection.origin)
        .and_then(|it| cycle.settings.scopes.get(&it.name));
    if let (Kind::Mail, Some(scope)) = (collection.kind, scope) {
        let place = places.iter().find(|place| place.replica == collection.origin);
        let name = place.map_or(&collection.name, |place| &place.name);
        if scope.leaves_out(name, &mailboxes(cycle.hub, collection.origin)?) {
            return Ok(true);
        }
    }
    // And where no provider that has it keeps this kind.
    let is_provider = |replica: &&Replica| !replica.is_device && places.iter().any(|place| place.replica == replica.id);
    let mut accounts: BTreeSet<i64> = replicas.iter().filter(is_provider).map(|replica| replica.id).collect();
    if accounts.is_empty() {
        accounts.insert(collection.origin);
    }
    let keeps = |account: &i64| cycle.member(*account).map(|member| member.kinds.contains(&collection.kind));
    let said: Vec<Option<bool>> = accounts.iter().map(keeps).collect();
    Ok(match (said.contains(&Some(true)), said.contains(&None)) {
        (true, _) => false,
        // One that is not in this run does not say.
        (false, true) => collection.is_left_out,
        (false, false) => true,
    })
}

fn leave_out(cycle: &mut Cycle<'_>, collection: &Collection, replicas: &[Replica]) -> Result<()> {
    let items = cycle.hub.size(collection.id)?;
    let is_mirrored = items > 0 || cycle.hub.places_of(collection.id)?.len() > 1;
    cycle.hub.atomically("leave out", |hub| hub.leave_out(collection.id))?;
    if is_mirrored {
        let would = if cycle.settings.dry_run { "would be left out" } else { "is left out from now on" };
        let words = format!(
            "the {} \"{}\" {would}, as the configuration says: its {items} items stay as they are everywhere",
            word(collection.kind),
            collection.name
        );
        cycle.report.say_at(name_of(replicas, collection.origin), words);
    }
    Ok(())
}

fn take_up(cycle: &mut Cycle<'_>, collection: &Collection, replicas: &[Replica], found: &Listed) -> Result<()> {
    let kind = collection.kind;
    let places = cycle.hub.places_of(collection.id)?;
    let is_listed = found.iter().any(|(index, _)| {
        let replica = &cycle.members[*index].replica;
        !replica.is_device
            && (replica.id == collection.origin || places.iter().any(|place| place.replica == replica.id))
    });
    if !is_listed {
        return Ok(());
    }
    let mut feeds = Vec::new();
    for place in &places {
        feeds.extend(feeds_of(cycle, kind, place.replica, Some(&place.remote_id))?);
    }
    cycle.hub.atomically("take up", |hub| {
        hub.take_up(collection.id)?;
        hub.drop_device_tokens(kind)?;
        feeds.iter().try_for_each(|(replica, feed)| hub.drop_token(*replica, feed))
    })?;
    let would = if cycle.settings.dry_run { "would be kept" } else { "is kept" };
    let words =
        format!("the {} \"{}\" {would} in step again: it is listed in full and compared", word(kind), collection.name);
    cycle.report.say_at(name_of(replicas, collection.origin), words);
    Ok(())
}

/// The feeds of a provider that report one of its collections, or any. (Devices are compared as wholes.)
fn feeds_of(cycle: &Cycle<'_>, kind: Kind, replica: i64, collection: Option<&str>) -> Result<Vec<(i64, String)>> {
    let Some(connector) = cycle.member(replica).filter(|it| !it.replica.is_device).and_then(|it| it.reached(kind))
    else {
        return Ok(Vec::new());
    };
    let places = cycle.hub.places(replica, kind)?;
    let all: Vec<_> = places.iter().map(|place| as_collection(place, kind)).collect();
    let is_asked = |place: &&twofold_hub::Place| collection.is_none_or(|collection| place.remote_id == collection);
    let asked: Vec<_> = places.iter().filter(is_asked).collect();
    let feeds = connector.feeds(kind, &all).into_iter().filter(|feed| asked.iter().any(|place| covers(feed, place)));
    Ok(feeds.map(|feed| (replica, feed.id.as_str().to_owned())).collect())
}

/// Notes which messages of an account are left out by now.
fn limit(cycle: &mut Cycle<'_>, account: &Replica, found: &Listed) -> Result<()> {
    let was = cycle.hub.limits(account.id)?;
    let wanted = cycle.settings.scopes.get(&account.name).map(|scope| scope.limits).unwrap_or_default();
    let is_listed = found.iter().any(|(index, _)| cycle.members[*index].replica.id == account.id);
    // What an account that cannot be reached may show more of begins when it is back.
    let now = if is_listed { wanted } else { was.tighter(&wanted) };
    if now == was {
        return Ok(());
    }
    let is_wider = now.tighter(&was) != now;
    let feeds = if is_wider { feeds_of(cycle, Kind::Mail, account.id, None)? } else { Vec::new() };
    cycle.hub.atomically("limits", |hub| {
        hub.set_limits(account.id, now)?;
        if is_wider {
            hub.unnote_all(account.id)?;
            hub.drop_device_tokens(Kind::Mail)?;
        }
        feeds.iter().try_for_each(|(replica, feed)| hub.drop_token(*replica, feed))
    })?;
    let beyond = cycle.hub.count_beyond(account.id)?;
    let would = if cycle.settings.dry_run { "would be" } else { "are" };
    if beyond > 0 {
        let words = format!(
            "{beyond} messages that are held {would} left out by since or max_size: they stay as they are everywhere"
        );
        cycle.report.say_at(&account.name, words);
    }
    if is_wider {
        let words =
            format!("since or max_size leave out less than before: all folders {would} listed in full and compared");
        cycle.report.say_at(&account.name, words);
    }
    Ok(())
}

/// Says which names of the configuration no mailbox of an account has.
fn tell_unknown(cycle: &mut Cycle<'_>, account: &Replica, found: &Listed) -> Result<()> {
    let Some(scope) = cycle.settings.scopes.get(&account.name) else { return Ok(()) };
    let Some((_, listed)) = found.iter().find(|(index, _)| cycle.members[*index].replica.id == account.id) else {
        return Ok(());
    };
    let all: Vec<(String, Option<Role>)> = listed.iter().map(|one| (one.name.clone(), one.role)).collect();
    for (key, names) in [("include", &scope.include), ("exclude", &scope.exclude)] {
        for name in names.iter().filter(|name| !all.iter().any(|(mailbox, _)| name.covers(mailbox, &all))) {
            cycle.report.say(format!(
                "{key} in [{}.mail] names \"{name}\", and there is no such folder or label; it means nothing",
                account.name
            ));
        }
    }
    Ok(())
}

fn name_of(replicas: &[Replica], replica: i64) -> &str {
    replicas.iter().find(|one| one.id == replica).map_or("", |one| one.name.as_str())
}
