//! Names and colours of collections: one of each in the hub, and a base for each place, a pair as that of an item (what was
//! agreed on, what the place showed). A place changed it where what it shows differs from what it showed; it is to be told
//! where the hub's differs from what was agreed on. So what a place makes of a name, or has no room for, is neither an edit
//! nor sent again.
//!
//! Lists may lag behind what a place was told. What it showed before is kept for so long (`places.earlier`): shown again it says nothing, and
//! whatever else is shown is somebody's wish, also the earlier name once another one was seen.
//!
//! Of a mailbox its own name and the path above it are two members: who moves one says nothing of its name. So a place that got only half
//! of a new path (it moves and renames in two steps) has renamed nothing.
//!
//! A name that its provider refuses is in quarantine (`folder:ID as NAME`), and is not agreed on: it is tried again later and later.
//!
//! Of a joined collection the provider that gave it its name counts; the others keep their own, by which `[[join]]` knows them.

use crate::Cycle;
use twofold_hub::holds::folder_name;
use twofold_hub::{Bad, Label, Place};
use twofold_model::connector::{Collection, plain_color};
use twofold_model::email::path;
use twofold_model::{CollectionId, Connector, ErrorKind, Kind, Result};

/// What happened to one member of a label at a place since its base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    /// Nothing, or the place says nothing of it.
    None,
    /// It says what the hub says by now.
    Agrees,
    /// It says something new.
    Taken,
    /// It says something new, and the hub's is another one since.
    Clash,
}

fn change(shows: Option<&str>, showed: Option<&str>, agreed: Option<&str>, hub: Option<&str>) -> Change {
    match shows {
        None => Change::None,
        Some(_) if shows == showed => Change::None,
        Some(_) if shows == hub => Change::Agrees,
        Some(_) if hub == agreed => Change::Taken,
        Some(_) => Change::Clash,
    }
}

/// What is merged of a label, each by itself: the path above a mailbox, the name, the colour.
#[derive(PartialEq)]
struct Members([Option<String>; 3]);

/// What people call them.
const WORDS: [&str; 3] = ["folder above it", "name", "colour"];

impl Members {
    fn of(kind: Kind, label: &Label) -> Members {
        let mut names = match kind {
            Kind::Mail => path::split(&label.name),
            Kind::Calendar | Kind::Contacts => return Members([None, Some(label.name.clone()), label.color.clone()]),
        };
        let own = names.pop().map(|name| path::join([name.as_str()]));
        Members([Some(path::join(names.iter().map(String::as_str))), own, label.color.clone()])
    }

    fn whole(self) -> Label {
        let [above, own, color] = self.0;
        let above = above.filter(|above| !above.is_empty());
        Label { name: above.into_iter().chain(own).collect::<Vec<_>>().join("/"), color }
    }
}

/// Takes what a device's folders are called and coloured by now.
pub(super) fn take(cycle: &mut Cycle<'_>, kind: Kind, index: usize, folders: &[Collection]) -> Result<()> {
    for place in cycle.hub.places(cycle.members[index].replica.id, kind)? {
        if cycle.left_out.has(place.collection) {
            continue;
        }
        if let Some(folder) = folders.iter().find(|folder| folder.id.as_str() == place.remote_id) {
            take_one(cycle, index, kind, &place, folder)?;
        }
    }
    Ok(())
}

/// Takes what one place shows. Where place and hub both changed, the provider's word counts, and the report says so.
///
/// Keeps promise 2: the hub's label and the place's base move in one transaction.
pub(super) fn take_one(
    cycle: &mut Cycle<'_>,
    index: usize,
    kind: Kind,
    place: &Place,
    seen: &Collection,
) -> Result<()> {
    let replica = cycle.members[index].replica.clone();
    let Some(collection) = cycle.hub.collection(place.collection)? else { return Ok(()) };
    let shows = Label {
        name: Some(seen.name.clone()).filter(|name| !name.trim().is_empty()).unwrap_or_else(|| place.name.clone()),
        color: seen.color.as_deref().and_then(plain_color).or_else(|| place.color.clone()),
    };
    let showed = Label { name: place.name.clone(), color: place.color.clone() };
    if !collection.stays() || (shows == showed && place.earlier.is_empty()) {
        return Ok(());
    }
    if !counts(&replica, &collection) {
        return cycle.hub.set_label(place.id, &shows, &place.agreed);
    }
    // A stop left it between two names: nobody wished for that one.
    if shows.name.ends_with(&passing_mark(place)) && place.earlier.iter().all(|label| label.name != shows.name) {
        return cycle.hub.set_label(place.id, &shows, &shows);
    }
    let [mut hub, mut agreed] = [&collection.label(), &place.agreed].map(|label| Members::of(kind, label));
    let [mut now, before] = [&shows, &showed].map(|label| Members::of(kind, label));
    // Its list may still show what it was before we told it.
    let earlier: Vec<Members> = lags(cycle, index, kind, place).iter().map(|it| Members::of(kind, it)).collect();
    let mut is_late = false;
    for at in 0..WORDS.len() {
        let is_told = earlier.iter().any(|it| it.0[at] != before.0[at]);
        if is_told && earlier.iter().any(|it| it.0[at] == now.0[at]) {
            now.0[at].clone_from(&before.0[at]);
            is_late = true;
        }
    }
    if !is_late && !place.earlier.is_empty() {
        cycle.hub.forget_earlier(place.id)?;
    }
    if now == before {
        return Ok(());
    }
    for (at, what) in WORDS.into_iter().enumerate() {
        let change =
            change(now.0[at].as_deref(), before.0[at].as_deref(), agreed.0[at].as_deref(), hub.0[at].as_deref());
        if let (Change::Clash, Some(theirs), Some(ours)) = (change, &now.0[at], &hub.0[at]) {
            let (stays, goes) = if replica.is_device { (ours, theirs) } else { (theirs, ours) };
            let [stays, goes] = [stays, goes].map(|it| if it.is_empty() { "/" } else { it });
            cycle.report.say(format!(
                "\"{}\" got another {what} on two sides: \"{stays}\" counts, \"{goes}\" was not taken",
                collection.name
            ));
        }
        if change != Change::None {
            agreed.0[at].clone_from(&now.0[at]);
        }
        if change == Change::Taken || (change == Change::Clash && !replica.is_device) {
            hub.0[at].clone_from(&now.0[at]);
        }
    }
    let [shows, hub, agreed] = [now, hub, agreed].map(Members::whole);
    cycle.hub.atomically("take label", |store| {
        store.set_label(place.id, &shows, &agreed)?;
        store.rename_collection(collection.id, &hub.name, hub.color.as_deref())
    })
}

/// A place that is to be told a label.
struct Told {
    place: Place,
    label: Label,
    /// What it is called now: what stands below one that was told may have moved along.
    called: String,
}

impl Told {
    fn name(&self) -> Option<&str> {
        Some(self.label.name.as_str()).filter(|name| *name != self.place.agreed.name)
    }

    fn color(&self) -> Option<&str> {
        self.label.color.as_deref().filter(|color| Some(*color) != self.place.agreed.color.as_deref())
    }

    /// Whether the other one still has the name that this one is to get. Folders of a device with several accounts may share a name.
    fn wants_name_of(&self, other: &Told, is_device: bool) -> bool {
        let has_it = |name: &str| name.to_lowercase() == other.called.to_lowercase();
        self.place.id != other.place.id
            && self.name().is_some_and(has_it)
            && self.tree(is_device) == other.tree(is_device)
    }

    /// Whether the other one is above this one by the names that both are to get: by its path another one may still go.
    fn comes_below(&self, other: &Told, kind: Kind, is_device: bool) -> bool {
        let are_told = self.name().is_some() && other.name().is_some();
        are_told && is_below(kind, &self.label.name, &other.label.name) && self.tree(is_device) == other.tree(is_device)
    }

    fn tree(&self, is_device: bool) -> Option<&str> {
        self.place.remote_id.rsplit_once('/').filter(|_| is_device).map(|(tree, _)| tree)
    }

    /// What a name that its provider refused is called in quarantine.
    fn quarantine_name(&self) -> String {
        folder_name(&format!("{} as {}", self.place.remote_id, self.label.name))
    }
}

/// Whether a mailbox of that name stands below the other one.
pub(super) fn is_below(kind: Kind, name: &str, above: &str) -> bool {
    let [names, above] = [name, above].map(path::split);
    kind == Kind::Mail && names.len() > above.len() && names.starts_with(&above)
}

fn passing_mark(place: &Place) -> String {
    format!(" (moving {})", place.id)
}

/// Tells each place the name and the colour that it has not agreed to yet. A name that is set once more is the same name, so
/// what may or may not have been executed is simply told again. A name that another one is about to leave is told after that, and one below
/// another after that one; where they wait for each other, one goes by a name of its own in between.
pub(super) async fn tell(cycle: &mut Cycle<'_>, kind: Kind) -> Result<()> {
    for index in 0..cycle.members.len() {
        let is_device = cycle.members[index].replica.is_device;
        let waiting = to_be_told(cycle, kind, index)?;
        // Those that do not have their new name, and may not have the old one any more.
        let (mut unclear, mut waiting) = split_refused(cycle, kind, index, waiting)?;
        let (mut is_fresh, mut aside) = (false, Vec::new());
        while !waiting.is_empty() {
            let Some(connector) = cycle.members[index].reached(kind).cloned() else { break };
            let waits = |one: &Told, other: &Told| {
                one.wants_name_of(other, is_device) || one.comes_below(other, kind, is_device)
            };
            let is_free = |one: &Told| !waiting.iter().chain(&unclear).any(|other| waits(one, other));
            if let Some(at) = waiting.iter().position(is_free) {
                let told = waiting.remove(at);
                let is_told = tell_one(cycle, index, kind, &told).await?;
                // What stands below it may have moved along.
                if waiting.iter().any(|one| is_below(kind, &one.called, &told.called)) {
                    see(connector.as_ref(), kind, &mut waiting).await;
                }
                if !is_told {
                    unclear.push(told);
                }
                continue;
            }
            if !is_fresh {
                see(connector.as_ref(), kind, &mut waiting).await;
                is_fresh = true;
                continue;
            }
            let Some(at) = in_the_way(&waiting, is_device, kind, &aside) else { break };
            // Once: a place that made nothing of it is told its name as it is.
            if aside.contains(&waiting[at].place.id) {
                let told = waiting.remove(at);
                if !tell_one(cycle, index, kind, &told).await? {
                    unclear.push(told);
                }
                continue;
            }
            let one = &waiting[at];
            aside.push(one.place.id);
            let name = format!("{}{}", one.called, passing_mark(&one.place));
            let label = Label { name, color: one.place.agreed.color.clone() };
            let passing = Told { place: one.place.clone(), label, called: one.called.clone() };
            if !tell_one(cycle, index, kind, &passing).await? {
                unclear.push(waiting.remove(at));
                continue;
            }
            // A folder of a device goes by another id from now on.
            if is_device {
                super::follow::follow_moved(cycle, kind, index).await?;
            }
            waiting = to_be_told(cycle, kind, index)?;
            waiting.retain(|one| !unclear.iter().any(|other| other.place.id == one.place.id));
            see(connector.as_ref(), kind, &mut waiting).await;
        }
    }
    Ok(())
}

/// What they are called by now, where that can be read.
async fn see(connector: &dyn Connector, kind: Kind, waiting: &mut [Told]) {
    let Ok(listed) = connector.collections(kind).await else { return };
    for told in waiting {
        if let Some(seen) = listed.iter().find(|one| one.id.as_str() == told.place.remote_id) {
            told.called.clone_from(&seen.name);
        }
    }
}

/// Of some that wait for each other in a circle, one whose name another one of them is to get; best one that was not `aside` yet.
fn in_the_way(waiting: &[Told], is_device: bool, kind: Kind, aside: &[i64]) -> Option<usize> {
    let wants = |at: usize| waiting.iter().position(|other| waiting[at].wants_name_of(other, is_device));
    let next = |at: usize| {
        wants(at).or_else(|| waiting.iter().position(|other| waiting[at].comes_below(other, kind, is_device)))
    };
    // After so many steps it is in a circle, or has come to one that waits for what is not in the list.
    let entry = (0..waiting.len()).find_map(|from| (0..waiting.len()).try_fold(from, |at, _| next(at)))?;
    let mut circle = vec![entry];
    while let Some(at) = next(circle[circle.len() - 1]).filter(|at| *at != entry) {
        circle.push(at);
    }
    let mut wanted: Vec<usize> = circle.into_iter().filter_map(wants).collect();
    wanted.sort_by_key(|at| aside.contains(&waiting[*at].place.id));
    wanted.first().copied()
}

/// Those who have not agreed to the hub's label yet, and may be told.
fn to_be_told(cycle: &mut Cycle<'_>, kind: Kind, index: usize) -> Result<Vec<Told>> {
    let replica = cycle.members[index].replica.clone();
    let mut all = Vec::new();
    for place in cycle.hub.places(replica.id, kind)? {
        let Some(collection) = cycle.hub.collection(place.collection)?.filter(|it| !it.is_left_out) else { continue };
        let is_held = cycle.hub.hold_on(replica.id, collection.id, "collection")?.is_some();
        let told = Told { label: collection.label(), called: place.name.clone(), place };
        let is_told = told.name().is_some() || told.color().is_some();
        if !is_told || is_held || !collection.stays() || !counts(&replica, &collection) || cycle.settings.dry_run {
            continue;
        }
        if !told.place.can_write && !replica.is_device {
            let showed = Label { name: told.place.name.clone(), color: told.place.color.clone() };
            cycle.hub.set_label(told.place.id, &showed, &told.label)?;
            continue;
        }
        all.push(told);
    }
    // A mailbox comes after the one above it, whose path its own begins with: told first, it would make that one once more.
    all.sort_by_key(|told| told.label.name.len());
    Ok(all)
}

/// Apart: those whose provider refused that very name, and whose next try is still to come. They are told of in each run; what another name
/// was refused for is over.
fn split_refused(cycle: &mut Cycle<'_>, kind: Kind, index: usize, all: Vec<Told>) -> Result<(Vec<Told>, Vec<Told>)> {
    let replica = cycle.members[index].replica.clone();
    if replica.is_device || cycle.settings.dry_run || cycle.members[index].reached(kind).is_none() {
        return Ok((Vec::new(), all));
    }
    let places = cycle.hub.places(replica.id, kind)?;
    let waiting = cycle.hub.waiting(cycle.now())?;
    let mut refused = Vec::new();
    for entry in cycle.hub.quarantined()?.into_iter().filter(|entry| entry.replica == replica.id && entry.is_folder()) {
        let is_it = |told: &Told| entry.remote_id.as_str() == told.quarantine_name();
        if all.iter().any(is_it) {
            if waiting.get(&(replica.id, entry.remote_id.as_str().to_owned())) == Some(&true) {
                cycle.report.say_at(&replica.name, &entry.reason);
                refused.push(entry.remote_id);
            }
        } else if places.iter().any(|place| Some(place.collection) == entry.collection) {
            cycle.hub.leave_quarantine(replica.id, entry.remote_id.as_str())?;
        }
    }
    Ok(all.into_iter().partition(|told| refused.iter().any(|name| name.as_str() == told.quarantine_name())))
}

/// Tells one place. `false`: it has to be told again.
async fn tell_one(cycle: &mut Cycle<'_>, index: usize, kind: Kind, told: &Told) -> Result<bool> {
    let replica = cycle.members[index].replica.clone();
    let Some(connector) = cycle.members[index].written(kind).cloned() else { return Ok(false) };
    let Told { place, label, called } = told;
    let showed = Label { name: place.name.clone(), color: place.color.clone() };
    let id = CollectionId(place.remote_id.clone());
    let _changing = cycle.settings.calls.changing();
    match connector.rename_collection(kind, &id, told.name(), told.color()).await {
        Ok(now) => {
            let color = now.color.as_deref().and_then(plain_color).or_else(|| showed.color.clone());
            let shows = Label { name: now.name, color };
            let at = cycle.now();
            let mut earlier = lags(cycle, index, kind, place).to_vec();
            earlier.push(showed.clone());
            if *called != showed.name {
                earlier.push(Label { name: called.clone(), ..showed });
            }
            cycle.hub.atomically("label told", |hub| {
                hub.set_label(place.id, &shows, label)?;
                hub.set_told(place.id, at, &earlier)?;
                hub.leave_quarantine(replica.id, &told.quarantine_name())
            })?;
        }
        // Nobody agreed on that name: it is tried again, and told of until then.
        Err(error) if may_take_it_later(error.kind) && told.name().is_some() && !replica.is_device => {
            let reason =
                format!("\"{called}\" stays as it is there, and is not called \"{}\": {error}; {TRIED}", label.name);
            cycle.report.say_at(&replica.name, format_args!("{reason}"));
            let (remote_id, now) = (told.quarantine_name(), cycle.now());
            let (collection, reason) = (Some(place.collection), reason.as_str());
            let bad = Bad { replica: replica.id, collection, item: None, remote_id: &remote_id, reason, raw: &[] };
            cycle.hub.atomically("label refused", |hub| hub.quarantine(&bad, now))?;
            return Ok(false);
        }
        // It has no room for it, and will not have it tomorrow.
        Err(error) if is_final(error.kind) => {
            cycle.report.say_at(&replica.name, format_args!("\"{}\" stays as it is there: {error}", place.name));
            cycle.hub.set_label(place.id, &showed, label)?;
        }
        Err(error) => {
            cycle.report.trouble(&replica.name, &error);
            return Ok(false);
        }
    }
    Ok(true)
}

/// What is told of a name that was refused.
pub(super) const TRIED: &str = "it is tried again later; to try it now: twofold sync --retry-quarantined";

/// What the place's lists may still show, because it was told something else a moment ago.
fn lags<'a>(cycle: &Cycle<'_>, index: usize, kind: Kind, place: &'a Place) -> &'a [Label] {
    let lag_s = cycle.members[index].reached(kind).map_or(0, |connector| connector.abilities().reads_lag_s);
    let lag_ms = i64::try_from(lag_s).unwrap_or(i64::MAX).saturating_mul(1000);
    // (Told in the future, by a clock that ran ahead: nobody knows how long ago that was.)
    match place.told_ms {
        Some(told) if (0..lag_ms).contains(&(cycle.now() - told)) => &place.earlier,
        _ => &[],
    }
}

/// What the lists of a place may show of a mailbox that is made there now: the one above it under the names that it had before.
pub(super) fn earlier_above(cycle: &Cycle<'_>, index: usize, kind: Kind, made: &Label) -> Result<Vec<Label>> {
    let [Some(above), own, _] = Members::of(kind, made).0 else { return Ok(Vec::new()) };
    let places = cycle.hub.places(cycle.members[index].replica.id, kind)?;
    let Some(place) = places.iter().find(|place| place.name == above) else { return Ok(Vec::new()) };
    let below = |label: &Label| Members([Some(label.name.clone()), own.clone(), made.color.clone()]).whole();
    Ok(lags(cycle, index, kind, place).iter().map(below).collect())
}

fn may_take_it_later(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Refused | ErrorKind::Forbidden)
}

fn is_final(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Refused | ErrorKind::Unsupported | ErrorKind::Forbidden)
}

/// Whether this replica has a say in what the collection is called.
fn counts(replica: &twofold_hub::Replica, collection: &twofold_hub::Collection) -> bool {
    replica.is_device || collection.origin == replica.id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_follows_the_three_way_rule() {
        let of = |shows, showed, agreed, hub| change(shows, showed, agreed, hub);
        let (a, b, c) = (Some("a"), Some("b"), Some("c"));
        assert_eq!(of(a, a, a, a), Change::None);
        assert_eq!(of(a, a, a, b), Change::None, "the hub's is another one: that is told, not taken");
        assert_eq!(of(b, a, a, a), Change::Taken);
        assert_eq!(of(b, a, a, b), Change::Agrees, "told before, and the reply got lost");
        assert_eq!(of(b, a, a, c), Change::Clash);
        assert_eq!(of(None, a, a, a), Change::None, "a file that is not there is no wish");
        assert_eq!(of(a, a, b, b), Change::None, "a place that made something else of it");
    }
}
