//! What a device's first use of a collection brings: old files, which must not bring back what was deleted, nor say what was said long ago.

use super::{Account, as_seen, is_of_other_account, named, stands_or_is_seen};
use crate::Cycle;
use crate::intake::Intake;
use twofold_engine::pair::clashes;
use twofold_hub::items::Origin;
use twofold_hub::{Hold, Hub, Sighting, random_id};
use twofold_model::email::Role;
use twofold_model::{Content, Identity, Kind, Lens, Result};

/// More new files than this, of all folders of an account, on a device's first use are held and shown: old folders must not bring back
/// what was deleted.
pub(super) const ADOPT_AT_MOST: usize = 5;

/// More than so many of the copies that a device's first use pairs say something else than the hub: the meeting is held.
const CLASH_PERCENT: usize = 20;

/// What becomes of the strangers that a device's first use of a collection brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Strangers {
    /// They are left as they are, and counted.
    AreCounted,
    /// They were counted, and are few.
    AreTaken,
}

/// What a device's first use of a collection brought, before any of it is believed.
#[derive(Default)]
pub(super) struct Adoption {
    /// Copies that belong to no item, to one that was deleted, or to one that does not stand there: each would be made at the provider.
    pub(super) strangers: Vec<i64>,
    /// How many of them were deleted.
    pub(super) deleted: usize,
    /// Copies that were paired.
    pub(super) paired: Vec<i64>,
    /// Those of them that say something else than the hub.
    pub(super) clashing: Vec<i64>,
}

/// Holds what a device's first use of a place paired, where too much of it says something else (ENGINE 4).
///
/// Keeps promise 8: what is held and the hold are one transaction.
pub(super) fn clash(
    cycle: &mut Cycle<'_>,
    replica: &twofold_hub::Replica,
    place: &twofold_hub::Place,
    intake: &Intake<'_>,
    Adoption { paired, clashing, .. }: &Adoption,
) -> Result<()> {
    if clashing.len() <= ADOPT_AT_MOST || clashing.len() * 100 <= paired.len() * CLASH_PERCENT {
        return Ok(());
    }
    let reason = format!(
        "{} of {} items of \"{}\" on {} say something else than what is known; nothing of it was taken or written",
        clashing.len(),
        paired.len(),
        place.name,
        replica.name
    );
    cycle.hub.atomically("adopt", |hub| {
        let id = hold(hub, intake, place, ("chg", "changes"), reason)?;
        paired.iter().try_for_each(|sighting| hub.hold_sighting(*sighting, &id))
    })
}

/// Holds the strangers of one place, of `all` that a device's first use brought for its account (DESIGN 6, ENGINE 12).
///
/// Keeps promise 8: what is held and the hold are one transaction.
pub(super) fn hold_strangers(
    cycle: &mut Cycle<'_>,
    replica: &twofold_hub::Replica,
    place: &twofold_hub::Place,
    intake: &Intake<'_>,
    Adoption { strangers, deleted, .. }: &Adoption,
    all: usize,
) -> Result<()> {
    let deleted = if *deleted > 0 {
        format!(" ({deleted} of them are in the trash, or were deleted before)")
    } else {
        String::new()
    };
    let beside = if all > strangers.len() { format!(", {all} with those of its other places") } else { String::new() };
    let folder = if cycle.hub.unmade(intake.kind)?.contains(&place.collection) { ", nor was the folder" } else { "" };
    let reason = format!(
        "{} items of \"{}\" on {} are nowhere else{deleted}{beside}; they were not created at the provider{folder}",
        strangers.len(),
        place.name,
        replica.name
    );
    cycle.hub.atomically("adopt", |hub| {
        let id = hold(hub, intake, place, ("new", "adoption"), reason)?;
        strangers.iter().try_for_each(|sighting| hub.hold_sighting(*sighting, &id))
    })
}

/// Whether what a stranger is was deleted: its item, or one of its bytes, is buried or stands in the trash of its account alone.
pub(super) fn was_deleted(hub: &Hub, intake: &Intake<'_>, sighting: &Sighting, item: Option<i64>) -> Result<bool> {
    let mut items: Vec<i64> = item.into_iter().collect();
    if let (None, Some(blob)) = (item, intake.lens.facts(&sighting.rendering).blob) {
        for like in hub.items_by_blob(&blob)? {
            if !is_of_other_account(hub, sighting, like.id)? {
                items.push(like.id);
            }
        }
    }
    for item in items {
        let mut is_deleted = hub.item(item)?.buried_ms.is_some();
        if !is_deleted {
            let stands = stands_or_is_seen(hub, item)?;
            is_deleted = !stands.is_empty();
            for collection in stands {
                is_deleted &= hub.collection(collection)?.is_some_and(|it| it.role == Some(Role::Trash));
            }
        }
        if is_deleted {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a message that a device's first use brings stands elsewhere at its account by now, and not in the trash: an older folder says where
/// it was, and not where it is to be.
pub(super) fn went_elsewhere(
    hub: &Hub,
    intake: &Intake<'_>,
    (sighting, account): (&Sighting, Account),
    item: i64,
) -> Result<bool> {
    let Some(blob) = intake.lens.facts(&sighting.rendering).blob.filter(|_| intake.kind == Kind::Mail) else {
        return Ok(false);
    };
    Ok(account != Account::NotReadYet
        && hub.item(item)?.buried_ms.is_none()
        && hub.items_by_blob(&blob)?.iter().any(|like| like.id == item)
        && !stands_or_is_seen(hub, item)?.is_empty()
        && !is_of_other_account(hub, sighting, item)?
        && !was_deleted(hub, intake, sighting, Some(item))?)
}

/// Notes a copy as one that was known where its item stands no more, so that the ordinary decision moves it, or takes it away. It agreed to
/// the last version that says what it says; where none does, to what both say: what it says more is an edit, and what it lacks is none, for
/// nobody knows whether it ever said that.
pub(super) fn take_as_it_was(hub: &mut Hub, intake: &Intake<'_>, sighting: &Sighting, item: i64) -> Result<()> {
    let says = intake.lens.project(&intake.lens.read(&sighting.rendering)?)?;
    let (known, current) = hub.item_and_version(item)?;
    let mut agreed = None;
    for version in hub.versions_of(item)?.into_iter().rev() {
        if intake.lens.project(&hub.version(version)?.content)? == says {
            agreed = Some(version);
            break;
        }
    }
    let mut seen = as_seen(sighting);
    let agreed = match agreed {
        Some(agreed) => agreed,
        None => {
            let both = keywords_of_both(&says, current.content);
            let nobody = Identity { uid: known.uid, mark: None };
            seen.rendering = intake.lens.write(Some(&sighting.rendering), &both, &nobody)?;
            let origin = Origin { at_ms: 0, rank: intake.rank, source: None };
            hub.add_version(item, &both, origin, None, None)?
        }
    };
    hub.add_placement(item, intake.replica, sighting.collection, agreed, &seen)?;
    hub.date_back(sighting.id)?;
    hub.bind_sighting(sighting.id, item)
}

/// Content with those of its keywords that a copy says, too.
fn keywords_of_both(copy: &Content, mut content: Content) -> Content {
    let mut words = content.get("keywords").cloned().unwrap_or_default();
    if let Some(words) = words.as_object_mut() {
        words.retain(|word, _| copy.at(&["keywords", word]).is_some());
    }
    content.set("keywords", words);
    content
}

/// Stores a hold on a place, or renews the one that is there. Answers its id.
fn hold(
    hub: &mut Hub,
    intake: &Intake<'_>,
    place: &twofold_hub::Place,
    (prefix, cause): (&str, &str),
    reason: String,
) -> Result<String> {
    let open = hub.open_hold(intake.replica, Some(place.collection), cause)?;
    let id = open.map_or_else(|| format!("{prefix}-{}", &random_id()[..6]), |hold| hold.id);
    hub.set_hold(&Hold {
        id: id.clone(),
        replica: intake.replica,
        collection: Some(place.collection),
        kind: intake.kind,
        cause: cause.into(),
        reason,
        since_ms: intake.now,
        is_approved: false,
    })?;
    Ok(id)
}

/// Files that were held or set aside when they were met, and whose item has come from elsewhere since: they are its copies.
///
/// Keeps promise 13: they are bound, not doubled.
pub(super) fn known_by_now(
    cycle: &mut Cycle<'_>,
    replica: &twofold_hub::Replica,
    place: &twofold_hub::Place,
    intake: &Intake<'_>,
) -> Result<()> {
    let held = cycle.hub.strangers_held(replica.id, place.collection)?;
    if held.is_empty() {
        return Ok(());
    }
    cycle.hub.atomically("known by now", |hub| {
        for sighting in held {
            let mut named = named(hub, intake.kind, &as_seen(&sighting))?;
            named.retain(|item| item.buried_ms.is_none());
            let [item] = named.as_slice() else { continue };
            let has_copy =
                hub.placements(item.id)?.iter().any(|p| (p.replica, p.collection) == (replica.id, place.collection));
            if !has_copy && hub.stands(item.id)?.contains(&place.collection) {
                hub.date_back(sighting.id)?;
                hub.bind_sighting(sighting.id, item.id)?;
            }
        }
        Ok(())
    })
}

/// Whether a copy and the item that it was paired with say different things of one member.
pub(super) fn says_otherwise(hub: &Hub, lens: &dyn Lens, sighting: &Sighting, item: i64) -> Result<bool> {
    let current: Content = hub.version(hub.item(item)?.version)?.content;
    Ok(lens.read(&sighting.rendering).is_ok_and(|content| clashes(&current, &content)))
}
