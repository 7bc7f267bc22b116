//! Carries out a slice's intents and settles each outcome (promise 3).

use crate::hung;
use crate::intake::Intake;
use crate::weigh::{Planned, quarantine_name};
use crate::{Cycle, Member};
use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use twofold_hub::items::Origin;
use twofold_hub::placements::HELD_ONCE;
use twofold_hub::{Bad, Hub, Intent, IntentKind, Sighting};
use twofold_model::{Connector, Error, ErrorKind, Kind, Lens, Operation, RemoteId, Rendering, Result, Seen, Written};

/// Writes one slice. Returns the items that must be decided again in this run: their state had moved, or a first part of
/// what they need is done now.
///
/// `is_last`: all else of the kind was written; over what a place hung the last time is told there only then, because it may hang each time.
///
/// Keeps promise 3: that a batch may have left is on disk before it leaves.
pub async fn write(cycle: &mut Cycle<'_>, kind: Kind, planned: Vec<Planned>, is_last: bool) -> Result<BTreeSet<i64>> {
    // What hung before is none of these.
    hung::look_at_writes(cycle, kind)?;
    let mut again = BTreeSet::new();
    let mut queues: BTreeMap<i64, VecDeque<Planned>> = BTreeMap::new();
    let mut not_made = NotMade::default();
    let hung = hung::items(cycle, kind)?;
    let rank = |plan: &Planned| hung.get(&plan.intent.replica).map_or((0, 0), |items| items.rank(plan.intent.item));
    for plan in planned {
        if rank(&plan) > (0, 0) && !is_last {
            again.insert(plan.intent.item);
            not_made.failed(cycle, &plan, None);
            cycle.hub.remove_intent(plan.intent.id)?;
        } else {
            queues.entry(plan.intent.replica).or_default().push_back(plan);
        }
    }
    // What is moved is made at its new place, verified, and only then removed at the old one, be that at another account.
    for queue in queues.values_mut() {
        queue.make_contiguous().sort_by_key(|plan| (order(plan).min(DELETES), rank(plan), order(plan), plan.tells));
    }
    while queues.values().any(|queue| !queue.is_empty()) {
        if cycle.must_stop() {
            break;
        }
        let mut batches = Vec::new();
        let removes = |queue: &VecDeque<Planned>| queue.front().is_none_or(|plan| order(plan) >= DELETES);
        let is_all_made = queues.values().all(removes);
        for (replica, queue) in &mut queues {
            if removes(queue) && !is_all_made {
                continue;
            }
            let connector =
                cycle.members.iter().find(|m| m.replica.id == *replica).and_then(|m| m.written(kind)).cloned();
            let Some(connector) = connector else {
                // It went away, or hung, in this run: nothing of this was sent.
                for plan in queue.drain(..) {
                    not_made.failed(cycle, &plan, None);
                    cycle.hub.remove_intent(plan.intent.id)?;
                }
                continue;
            };
            let batch = next_batch(queue, connector.write_batch(kind).max(1), &rank);
            let (batch, skipped): (Vec<Planned>, Vec<Planned>) =
                batch.into_iter().partition(|plan| !not_made.keeps(cycle, plan));
            for plan in skipped {
                cycle.hub.remove_intent(plan.intent.id)?;
            }
            if !batch.is_empty() {
                batches.push((*replica, connector, batch));
            }
        }
        let now = cycle.now();
        cycle.hub.atomically("send", |hub| {
            let leave: Vec<i64> = batches.iter().flat_map(|(_, _, batch)| batch).map(|plan| plan.intent.id).collect();
            hub.set_sent(&leave, now)
        })?;
        let changing = cycle.settings.calls.changing();
        let sent = batches.into_iter().map(|(replica, connector, batch)| async move {
            let operations: Vec<Operation> = batch.iter().map(|plan| plan.operation.clone()).collect();
            let mut outcomes = match batch.first().is_some_and(|plan| plan.tells) {
                true => connector.write_telling(kind, &operations).await,
                false => connector.write(kind, &operations).await,
            };
            outcomes.resize_with(batch.len(), || {
                Err(Error::new(ErrorKind::Unknown, "the connector gave no answer for this write"))
            });
            if let Err(error) = connector.flush().await {
                let words = error.to_string();
                outcomes = batch.iter().map(|_| Err(Error::new(ErrorKind::Unknown, words.clone()))).collect();
            }
            (replica, connector, batch, outcomes)
        });
        let mut sent = futures_util::future::join_all(sent).await;
        drop(changing);
        let silent = hung::silent(cycle, kind);
        // Devices first: should the run end in between, what they made is looked for by the UID that their messages had, which the account's
        // answer changes.
        sent.sort_by_key(|(replica, ..)| !cycle.is_device(*replica));
        for (replica, connector, batch, outcomes) in sent {
            for (plan, outcome) in batch.iter().zip(&outcomes) {
                match outcome {
                    Ok(_) => not_made.made(cycle, plan),
                    Err(error) => not_made.failed(cycle, plan, Some(error)),
                }
            }
            let is_silent = silent.contains(&replica);
            // What hangs each time is put off by itself, and not all else with it.
            let is_unknown =
                |outcome: &Result<Written>| matches!(outcome, Err(error) if !error.kind.proves_not_executed());
            let is_put_off =
                is_silent && batch.iter().all(|plan| rank(plan).0 >= ALONE) && outcomes.iter().all(is_unknown);
            if is_put_off {
                hung::come_back_at(cycle, kind, cycle.now() + hung::OPEN_MS);
            } else if is_silent {
                hung::note_writes(cycle, replica, kind)?;
            }
            let hangs = (is_silent, is_put_off);
            again.extend(outcome_of(cycle, (kind, connector.as_ref()), (replica, hangs), batch, outcomes).await?);
        }
    }
    // Asked to stop: what was not sent is no intent any more.
    for plan in queues.into_values().flatten() {
        cycle.hub.remove_intent(plan.intent.id)?;
    }
    Ok(again)
}

/// What was to be made and was not: it is not removed where it stood (ENGINE 7).
#[derive(Default)]
struct NotMade {
    /// Items, and the replica at which they were to be made.
    at: HashSet<(i64, i64)>,
    /// Those that were to be made at an account, and may be yet.
    at_accounts: HashSet<i64>,
    /// Those that were made at one.
    made: HashSet<i64>,
}

impl NotMade {
    /// This was not done.
    fn failed(&mut self, cycle: &Cycle<'_>, plan: &Planned, error: Option<&Error>) {
        if makes(plan) {
            self.at.insert((plan.intent.item, plan.intent.replica));
            // What an account has no way to hold is not waited for.
            let may_be_yet = error.is_none_or(|error| error.kind != ErrorKind::Unsupported);
            if may_be_yet && !cycle.is_device(plan.intent.replica) {
                self.at_accounts.insert(plan.intent.item);
            }
        }
    }

    /// This was done.
    fn made(&mut self, cycle: &Cycle<'_>, plan: &Planned) {
        if makes(plan) && !cycle.is_device(plan.intent.replica) {
            self.made.insert(plan.intent.item);
        }
    }

    /// Whether a removal waits for that.
    fn keeps(&self, cycle: &Cycle<'_>, plan: &Planned) -> bool {
        let (item, replica) = (plan.intent.item, plan.intent.replica);
        let waits_for_account = self.at_accounts.contains(&item) && !self.made.contains(&item);
        let waits = self.at.contains(&(item, replica)) || waits_for_account && !cycle.is_device(replica);
        plan.intent.kind == IntentKind::Delete && waits
    }
}

fn makes(plan: &Planned) -> bool {
    matches!(plan.intent.kind, IntentKind::Create | IntentKind::Copy | IntentKind::Move)
}

/// Whether a message gets other bytes by it: somebody wrote on a draft.
fn rewrites(lens: &dyn Lens, plan: &Planned) -> bool {
    let Operation::Update { from, to, .. } = &plan.operation else { return false };
    lens.facts(from).blob != lens.facts(to).blob
}

/// Over what a place hung so often, it is written by itself.
const ALONE: u32 = 2;

fn order(plan: &Planned) -> u8 {
    match plan.intent.kind {
        IntentKind::Move if plan.goes_last => DELETES + 1,
        IntentKind::Create => 0,
        IntentKind::Copy => 1,
        IntentKind::Move => 2,
        IntentKind::Update => 3,
        IntentKind::Delete => DELETES,
    }
}

/// When copies are removed.
const DELETES: u8 = 4;

/// The next operations of one kind, so that a delete never travels with the create on which it depends; what comes after the removals
/// travels with them, so that a place may take both for one change. And of those people hear of all, or of none.
fn next_batch(queue: &mut VecDeque<Planned>, most: usize, rank: &impl Fn(&Planned) -> (u32, usize)) -> Vec<Planned> {
    let manner = |plan: &Planned| (order(plan).min(DELETES), rank(plan).0, plan.tells);
    let like = queue.front().map(manner);
    let most = if like.is_some_and(|(_, times, _)| times >= ALONE) { 1 } else { most };
    let count = queue.iter().take(most).take_while(|plan| Some(manner(plan)) == like).count();
    queue.drain(..count).collect()
}

/// Settles the outcomes of one replica's batch in one transaction.
///
/// Keeps promise 3: what was executed has its base, what may have been keeps its intent, what was not has none. `hangs`: whether what got no
/// answer may still be executed, and whether that is no news of these items, so that they are put off.
async fn outcome_of(
    cycle: &mut Cycle<'_>,
    (kind, connector): (Kind, &dyn Connector),
    (replica, (is_open, is_put_off)): (i64, (bool, bool)),
    batch: Vec<Planned>,
    outcomes: Vec<Result<Written>>,
) -> Result<BTreeSet<i64>> {
    let now = cycle.now();
    let mut again = BTreeSet::new();
    let mut look: Vec<(Planned, bool)> = Vec::new();
    let mut errors: Vec<Error> = Vec::new();
    let (mut hung, mut answered): (BTreeSet<i64>, BTreeSet<i64>) = Default::default();
    let member = cycle.member(replica);
    let is_device = member.is_some_and(|member| member.replica.is_device);
    let name = member.map(|member| member.replica.name.clone()).unwrap_or_default();
    let report = &mut cycle.report;
    let (lens, shares) = (connector.lens(kind), connector.abilities().shares.contains(&kind));
    cycle.hub.atomically("settle", |hub| {
        let (mut carried_out, mut answers, mut failed) = (Vec::new(), Vec::new(), Vec::new());
        let mut made: BTreeSet<RemoteId> = BTreeSet::new();
        for (plan, outcome) in batch.into_iter().zip(outcomes) {
            match outcome {
                Ok(Some(seen)) if is_anothers(hub, &plan.intent, &seen)? || !made.insert(seen.remote_id.clone()) => {
                    failed.push((plan, Error::new(ErrorKind::Unsupported, HELD_ONCE)));
                }
                Ok(written) => {
                    carried_out.push(plan);
                    answers.push(written);
                }
                Err(error) => failed.push((plan, error)),
            }
        }
        let intents: Vec<&Intent> = carried_out.iter().map(|plan| &plan.intent).collect();
        all_done(hub, lens, replica, (&intents, answers), now)?;
        let items: Vec<i64> = intents.iter().map(|intent| intent.item).collect();
        answered.extend(&items);
        let in_several = if shares { hub.stand_in_several(&items)? } else { BTreeSet::new() };
        for plan in &carried_out {
            let row = report.row(&name, kind);
            match plan.intent.kind {
                IntentKind::Create => {
                    row.sent_created += 1;
                    // Its guests are asked: now it is made where else it belongs.
                    again.extend(plan.tells.then_some(plan.intent.item));
                }
                IntentKind::Copy | IntentKind::Update => row.sent_updated += 1,
                IntentKind::Move => row.sent_moved += 1,
                IntentKind::Delete => row.sent_deleted += 1,
            }
            let (collection, item) = (plan.intent.collection, plan.intent.item);
            // What it says where it stands now is compared with what it shall say.
            let has_further_places = plan.intent.kind == IntentKind::Create && in_several.contains(&item);
            let says_its_own = plan.intent.is_copy() || has_further_places;
            if says_its_own || matches!(plan.intent.kind, IntentKind::Copy | IntentKind::Move) {
                again.insert(item);
            }
            // A file beside its copy waited until that said what was marked on it, and is taken away now.
            let is_beside = |seen: &Sighting| (seen.replica, seen.collection) == (replica, collection);
            if shares && plan.intent.kind == IntentKind::Update && hub.sightings(item)?.iter().any(is_beside) {
                again.insert(item);
            }
            crate::tell::sent(hub, &name, kind, collection, item, plan.intent.kind)?;
        }
        for (plan, error) in failed {
            match error {
                // Whatever may have been executed stays an intent, and is looked for, not repeated.
                error if !error.kind.proves_not_executed() => {
                    if is_open {
                        hung.insert(plan.intent.item);
                    }
                    // Where another message may have taken the place of a draft, it is looked for, and a search finds it only a while later.
                    if is_open || !is_device && rewrites(lens, &plan) {
                        hub.set_not_before(plan.intent.id, now + hung::OPEN_MS)?;
                    }
                    if is_put_off {
                        let (item, collection) = (hub.item(plan.intent.item)?, plan.intent.collection);
                        let remote_id = quarantine_name(&item, collection, plan.intent.kind);
                        let reason = format!("{error}, nor did it before; {PUT_OFF}");
                        hub.leave_refused_before(replica, plan.intent.item, plan.intent.collection, &remote_id)?;
                        let (collection, item) = (Some(collection), Some(item.id));
                        let bad = Bad { replica, collection, item, remote_id: &remote_id, reason: &reason, raw: &[] };
                        hub.quarantine(&bad, now)?;
                        report.say_at(&name, format_args!("{reason}"));
                    }
                    errors.push(error);
                    again.insert(plan.intent.item);
                }
                error => {
                    hub.remove_intent(plan.intent.id)?;
                    match error.kind {
                        ErrorKind::StaleEtag | ErrorKind::NotFound => {
                            look.push((plan, error.kind == ErrorKind::StaleEtag));
                        }
                        // It has no way to hold it, so that trying again is of no use.
                        ErrorKind::Unsupported => {
                            let intent = &plan.intent;
                            hub.withhold(intent.item, intent.replica, intent.collection, &error.to_string())?;
                            hub.release_write(intent.item, intent.replica, intent.collection)?;
                            hub.settle_item(intent.item, Some((intent.replica, intent.collection)))?;
                        }
                        kind if kind == ErrorKind::Refused || is_denied(&plan.intent, kind, is_device) => {
                            let (item, collection) = (hub.item(plan.intent.item)?, plan.intent.collection);
                            let raw = plan
                                .intent
                                .target
                                .as_ref()
                                .map(|target| target.as_bytes().to_vec())
                                .unwrap_or_default();
                            let remote_id = quarantine_name(&item, collection, plan.intent.kind);
                            let reason = match plan.intent.kind {
                                IntentKind::Move => format!("{error}; {STAYS}"),
                                _ => error.to_string(),
                            };
                            let (collection, item) = (Some(collection), Some(item.id));
                            hub.leave_refused_before(replica, plan.intent.item, plan.intent.collection, &remote_id)?;
                            let bad =
                                Bad { replica, collection, item, remote_id: &remote_id, reason: &reason, raw: &raw };
                            hub.quarantine(&bad, now)?;
                            report.say_at(&name, format_args!("{reason}; this item was not sent, the rest was"));
                        }
                        ErrorKind::Broken => return Err(error),
                        ErrorKind::Forbidden => report.trouble(&name, &error),
                        _ => errors.push(error),
                    }
                }
            }
        }
        // Of those that were sent together one stands for all of its kind.
        let mut told = Vec::new();
        for error in &errors {
            let kind = std::mem::discriminant(&error.kind);
            if !told.contains(&kind) {
                told.push(kind);
                report.trouble(&name, error);
            }
        }
        Ok(())
    })?;
    if !look.is_empty() {
        again.extend(look_again(cycle, kind, replica, look).await?);
    }
    // What is all of the place's first.
    let is_lost = |error: &Error| error.kind.proves_not_executed();
    let is_of_all = |error: &Error| matches!(error.kind, ErrorKind::SignInNeeded | ErrorKind::Offline);
    errors.retain(is_lost);
    // It hung over another write, of this kind or of another one, and may answer all that it is asked.
    let are_unsent = !errors.is_empty() && !cycle.is_stopped();
    errors.retain(|error| error.kind != ErrorKind::NotSent);
    if are_unsent && errors.is_empty() {
        hung::note_writes(cycle, replica, kind)?;
    }
    hung::note_items(cycle, (replica, kind), &hung, &answered)?;
    errors.sort_by_key(|error| !is_of_all(error));
    if let Some(error) = errors.into_iter().next()
        && let Some(member) = cycle.members.iter_mut().find(|member| member.replica.id == replica)
    {
        member.lose_kind(kind, error);
    }
    Ok(again)
}

/// Whether what was answered for one item is the copy of another one: for its account two messages may be one.
fn is_anothers(hub: &Hub, intent: &Intent, seen: &Seen) -> Result<bool> {
    let known = hub.placement(intent.replica, &seen.remote_id)?;
    Ok(intent.kind == IntentKind::Create && known.is_some_and(|known| known.item != intent.item))
}

/// What is told of what a place hangs over each time.
const PUT_OFF: &str =
    "this item waits, and the others do not; it is tried again later; to try it now: twofold sync --retry-quarantined";

/// What is told of a move that was refused.
const STAYS: &str =
    "it stays there where it was, and is tried again later; to try it now: twofold sync --retry-quarantined";

/// Whether a place denies a write of one item for good. On a device a right that is missing is one of the folder, but for where a message
/// is put, and each run sees whether it is there by now.
fn is_denied(intent: &Intent, kind: ErrorKind, is_device: bool) -> bool {
    kind == ErrorKind::Forbidden && (!is_device || matches!(intent.kind, IntentKind::Move | IntentKind::Copy))
}

/// The replica agrees: the base moves, the intent is settled.
///
/// Keeps promise 3: base and intent move in the transaction that the caller holds.
pub fn done(hub: &mut Hub, lens: &dyn Lens, intent: &Intent, written: Written, now_ms: i64) -> Result<()> {
    all_done(hub, lens, intent.replica, (&[intent], vec![written]), now_ms)
}

/// [`done`] for what one replica carried out together, each with its answer.
fn all_done(
    hub: &mut Hub,
    lens: &dyn Lens,
    replica: i64,
    (intents, answers): (&[&Intent], Vec<Written>),
    now_ms: i64,
) -> Result<()> {
    if intents.is_empty() {
        return Ok(());
    }
    hub.end_intents(replica, &intents.iter().map(|intent| intent.id).collect::<Vec<_>>())?;
    let items: Vec<i64> = intents.iter().map(|intent| intent.item).collect();
    let placed = hub.placed(replica, &items)?;
    let is_device = hub.replicas()?.iter().any(|one| one.id == replica && one.is_device);
    // What is noted of a copy as long as it is not as it was told.
    let (mut seen_before, mut released, mut news) = (Vec::new(), Vec::new(), Vec::new());
    for (intent, written) in intents.iter().zip(answers) {
        // What was copied stays as it is.
        let own = intent.remote_id.as_ref().filter(|_| !matches!(intent.kind, IntentKind::Create | IntentKind::Copy));
        match (intent.kind, written) {
            (IntentKind::Delete, _) | (_, None) => {
                if let Some(remote_id) = own {
                    seen_before.push(remote_id.clone());
                    if let Some(placement) = hub.placement(replica, remote_id)? {
                        hub.depart(placement.id, now_ms)?;
                    }
                }
                released.push((intent.item, intent.collection));
            }
            (_, Some(mut seen)) => {
                let before = match &intent.remote_id {
                    Some(before) => hub.placement(replica, before)?,
                    None => None,
                };
                // A move, a mark and a further place leave the bytes as they were, whether the answer speaks of them or not.
                if let Some(before) = before.as_ref().filter(|_| lens.facts(&seen.rendering).lacks_body) {
                    seen.rendering = lens.settle_unknown(&before.seen, seen.rendering);
                    if lens.facts(&seen.rendering).lacks_body {
                        seen.rendering.clone_from(&before.seen);
                    }
                }
                // What was changed in what is left out is read only now that it was moved out of there.
                if let Some(before) = before.filter(|it| intent.kind == IntentKind::Move && it.seen != seen.rendering)
                    && hub.collection(before.collection)?.is_some_and(|from| from.is_left_out)
                {
                    news.push((intent.item, intent.collection, seen.clone()));
                    seen.rendering = before.seen;
                }
                if let Some(old) = own.filter(|old| **old != seen.remote_id)
                    && let Some(placement) = hub.placement(replica, old)?
                {
                    // A pull met what took its place before this answer came, and took it for a new item: that has lost it.
                    if let Some(twin) = hub.placement(replica, &seen.remote_id)? {
                        hub.lose_copy(&twin, now_ms)?;
                    }
                    hub.rename_placement(placement.id, &seen.remote_id)?;
                }
                if !is_device {
                    call_as_its_account_does(hub, intent, &seen)?;
                }
                let agreed = if intent.is_copy() { copied(hub, lens, intent, &seen, now_ms)? } else { intent.version };
                if intent.kind == IntentKind::Create && !placed.contains(&intent.item) {
                    hub.first_placement(intent.item, replica, intent.collection, agreed, &seen)?;
                } else {
                    hub.set_placement(intent.item, replica, intent.collection, agreed, &seen)?;
                }
                match lens.shortfall(&seen.rendering) {
                    Some(words) => hub.withhold(intent.item, replica, intent.collection, &words)?,
                    None => released.push((intent.item, intent.collection)),
                }
                seen_before.push(seen.remote_id);
            }
        }
    }
    hub.remove_sightings_of(replica, &seen_before.iter().map(RemoteId::as_str).collect::<Vec<_>>())?;
    for (item, collection, seen) in news {
        hub.store_sighting(replica, collection, Some(item), (&seen, &lens.facts(&seen.rendering)), now_ms)?;
    }
    hub.release_all(replica, &released)?;
    hub.settle_items(&items)
}

/// What was agreed by a copy of another item: what it says itself so far, which is what that one said. What its own item says is told
/// next.
fn copied(hub: &mut Hub, lens: &dyn Lens, intent: &Intent, seen: &Seen, now_ms: i64) -> Result<i64> {
    let meant = hub.version(intent.version)?;
    match lens.read(&seen.rendering) {
        Ok(says) if !lens.facts(&seen.rendering).lacks_body && says != meant.content => {
            let origin = Origin { at_ms: now_ms, rank: meant.rank, source: Some(intent.replica) };
            hub.add_version(intent.item, &says, origin, None, None)
        }
        _ => Ok(intent.version),
    }
}

/// A message that came from a device was made at its account, and is called in the account's own way from now on: by that name a
/// further label is one of the same message. What has another copy there is called so already, and keeps the name: its files have it.
pub fn call_as_its_account_does(hub: &mut Hub, intent: &Intent, seen: &Seen) -> Result<()> {
    let Some(uid) = seen.uid.as_ref().filter(|_| intent.kind == IntentKind::Create) else { return Ok(()) };
    let item = hub.item(intent.item)?;
    if item.kind != Kind::Mail || item.uid == *uid {
        return Ok(());
    }
    let is_on_device = hub.replicas()?.iter().any(|replica| replica.id == intent.replica && replica.is_device);
    let has_other = hub.placements(item.id)?.iter().any(|copy| copy.replica == intent.replica);
    match is_on_device || has_other || !hub.items_by_uid(Kind::Mail, uid)?.is_empty() {
        true => Ok(()),
        false => hub.set_uid(item.id, uid),
    }
}

/// Lists what a copy cannot show as it was told, or ends the listing. (Item, replica, collection.)
pub fn list_shortfall(hub: &mut Hub, lens: &dyn Lens, copy: (i64, i64, i64), seen: &Rendering) -> Result<()> {
    let (item, replica, collection) = copy;
    match lens.shortfall(seen) {
        Some(words) => hub.withhold(item, replica, collection, &words),
        None => hub.release(item, replica, collection),
    }
}

/// The copy that is asked for by name after a write found it changed or gone. `None`: what became of the copy that was to be moved, or to
/// get another place, only the next pull tells, and until then none is made instead of it. No pull tells it of what is left out, nor has one to
/// tell of what only changed.
fn asked_for(
    cycle: &Cycle<'_>,
    replica: i64,
    (operation, is_changed): (&Operation, bool),
) -> Result<Option<twofold_model::Place>> {
    Ok(match operation {
        Operation::Move { place, .. } if is_changed => Some(place.clone()),
        Operation::Update { place, .. } | Operation::Delete { place, .. } => Some(place.clone()),
        Operation::Copy { of: place, .. } | Operation::Move { place, .. } => {
            let source = cycle.hub.placement(replica, &place.remote_id)?;
            source.filter(|source| cycle.left_out.has(source.collection)).map(|_| place.clone())
        }
        Operation::Create { .. } => None,
    })
}

/// The copy was changed (or removed) meanwhile: take it again at once, so that this run can merge and send. With each plan: whether its
/// place said that the copy changed. One that changed and is not there under its name has another name (a draft of Gmail's that somebody
/// wrote on), and what it says the next pull tells.
///
/// Keeps promise 14: what is there now is stored before anything else is sent.
async fn look_again(
    cycle: &mut Cycle<'_>,
    kind: Kind,
    replica: i64,
    plans: Vec<(Planned, bool)>,
) -> Result<BTreeSet<i64>> {
    let Some(connector) = cycle.member(replica).and_then(|member: &Member| member.reached(kind)).cloned() else {
        return Ok(BTreeSet::new());
    };
    let places = cycle.hub.places(replica, kind)?;
    let (mut asked, mut told_by_the_next_pull) = (Vec::new(), Vec::new());
    let mut changed = Vec::new();
    for (plan, is_changed) in &plans {
        match asked_for(cycle, replica, (&plan.operation, *is_changed))? {
            Some(place) => {
                asked.push(place);
                changed.push(*is_changed);
            }
            None => told_by_the_next_pull.push(plan.intent.item),
        }
    }
    let answers = connector.fetch(kind, &asked).await;
    let now = cycle.now();
    let mut again = BTreeSet::new();
    let name = cycle.member(replica).map(|member| member.replica.name.clone()).unwrap_or_default();
    let report = &mut cycle.report;
    let (lens, rank) = (connector.lens(kind), connector.abilities().rank);
    let left_out = cycle.left_out.clone();
    let intake = Intake { replica, kind, places: &places, lens, rank, now, left_out: &left_out };
    cycle.hub.atomically("look again", |hub| {
        for item in told_by_the_next_pull {
            hub.add_todo(item)?;
            report.codes.push(crate::report::exit::TEMPORARY);
        }
        for ((place, is_changed), answer) in asked.iter().zip(changed).zip(answers) {
            match answer {
                Ok(None) if is_changed => {
                    if let Some(placement) = hub.placement(replica, &place.remote_id)? {
                        hub.add_todo(placement.item)?;
                        report.codes.push(crate::report::exit::TEMPORARY);
                    }
                    continue;
                }
                Ok(Some(seen)) => match hub.placement(replica, &place.remote_id)? {
                    // What is left out says nothing, and can be moved all the same.
                    Some(known) if left_out.has(known.collection) && seen.collection == place.collection => {
                        hub.touch_placement(known.id, &seen.etag, seen.modified_ms, None)?;
                    }
                    _ => intake.take(hub, seen)?,
                },
                Ok(None) => {
                    hub.store_gone(replica, &place.remote_id, now)?;
                    if let Some(sighting) = hub.sighting(replica, &place.remote_id)? {
                        hub.confirm_gone(sighting.id)?;
                    }
                }
                Err(error) => report.trouble(&name, &error),
            }
            if let Some(placement) = hub.placement(replica, &place.remote_id)? {
                hub.add_todo(placement.item)?;
                again.insert(placement.item);
            }
        }
        Ok(())
    })?;
    Ok(again)
}
