//! Reads every feed to its end and stores what it says as sightings, each feed's token with what it covers (promise 2).

use crate::Cycle;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use tokio::sync::mpsc;
use twofold_hub::{Bad, Hub, Place};
use twofold_model::{
    Connector, DeltaToken, Entry, Error, ErrorKind, Feed, Kind, Known, Lens, Next, Page, Poll, RemoteId, Result, Seen,
    Since,
};

/// A slow look is taken at no more copies than this in one run.
const SWEEP_BUDGET: usize = 2000;
/// When a slow look is not through, it goes on after this time.
const SWEEP_PAUSE_MS: i64 = 15 * 60 * 1000;
/// More items than this that cannot be understood in one round of a provider's feed are our own fault (ENGINE 17).
const BAD_AT_MOST: usize = 20;

/// What a puller tells the hub's side.
enum News {
    /// The round starts (anew) with a full listing.
    Listing { member: usize, feed: usize },
    /// One page.
    Page { member: usize, feed: usize, page: Page },
    /// The feed could not be read to its end.
    Failed { member: usize, feed: usize, error: Error },
}

/// One feed's round.
struct Round {
    feed: Feed,
    since: Since,
    known: Known,
}

/// What is counted while a round's pages come in.
#[derive(Default)]
struct Tally {
    is_listing: bool,
    entries: usize,
    bad: usize,
    /// The names of what could not be understood.
    bad_names: HashSet<String>,
}

/// Pulls all feeds of a kind, the replicas side by side.
pub async fn pull(cycle: &mut Cycle<'_>, kind: Kind) -> Result<()> {
    let now = cycle.now();
    let (sender, mut receiver) = mpsc::channel::<News>(1);
    let mut feeds: HashMap<usize, Vec<Feed>> = HashMap::new();
    let mut tasks = tokio::task::JoinSet::new();
    let mut tallies: HashMap<(usize, usize), Tally> = HashMap::new();
    for index in 0..cycle.members.len() {
        let Some(connector) = cycle.members[index].reached(kind).cloned() else { continue };
        let rounds = rounds(cycle, kind, index, connector.as_ref(), now)?;
        feeds.insert(index, rounds.iter().map(|round| round.feed.clone()).collect());
        for (feed, round) in rounds.iter().enumerate() {
            let replica = cycle.members[index].replica.id;
            cycle.hub.begin_round(replica, round.feed.id.as_str(), kind)?;
            tallies.insert((index, feed), Tally { is_listing: round.since == Since::Start, ..Tally::default() });
            if round.since == Since::Start {
                cycle.hub.begin_listing(replica, round.feed.id.as_str())?;
            }
        }
        tasks.spawn(read_rounds(index, connector, rounds, sender.clone()));
    }
    drop(sender);
    let mut failed: Vec<(usize, Error)> = Vec::new();
    let mut taken = 0;
    while let Some(news) = receiver.recv().await {
        match news {
            News::Listing { member, feed } => {
                let replica = cycle.members[member].replica.id;
                let name = feeds[&member][feed].id.as_str();
                cycle.hub.drop_token(replica, name)?;
                cycle.hub.begin_listing(replica, name)?;
                tallies.insert((member, feed), Tally { is_listing: true, ..Tally::default() });
            }
            News::Page { member, feed, page } => {
                taken += page.entries.len();
                cycle.settings.progress.at("reading", taken, 0);
                let tally = tallies.entry((member, feed)).or_default();
                if let Err(error) = take_page(cycle, kind, member, &feeds[&member][feed], page, tally, now) {
                    if error.kind == ErrorKind::Broken {
                        return Err(error);
                    }
                    failed.push((member, error));
                }
            }
            News::Failed { member, feed, error } => {
                failed.push((member, error.at(format!("{kind}, {}", feeds[&member][feed].id))));
            }
        }
    }
    while tasks.join_next().await.is_some() {}
    for (member, error) in failed {
        let gone_dark = matches!(error.kind, ErrorKind::SignInNeeded | ErrorKind::Offline);
        let name = cycle.members[member].replica.name.clone();
        if gone_dark {
            cycle.members[member].lose(error);
        } else {
            cycle.report.trouble(&name, &error);
        }
    }
    for index in 0..cycle.members.len() {
        let Some(list) = feeds.get(&index) else { continue };
        let replica = cycle.members[index].replica.id;
        let mut complete = cycle.members[index].connector.is_some();
        for feed in list {
            complete &= cycle.hub.feed(replica, feed.id.as_str())?.is_complete;
        }
        if complete {
            cycle.members[index].complete.insert(kind);
        }
    }
    Ok(())
}

/// Where each feed of a replica is read on from.
fn rounds(cycle: &mut Cycle<'_>, kind: Kind, index: usize, connector: &dyn Connector, now: i64) -> Result<Vec<Round>> {
    let replica = cycle.members[index].replica.clone();
    let abilities = connector.abilities();
    let places = cycle.hub.places(replica.id, kind)?;
    let collections: Vec<twofold_model::Collection> = places.iter().map(|place| as_collection(place, kind)).collect();
    let mut rounds = Vec::new();
    for feed in connector.feeds(kind, &collections) {
        let state = cycle.hub.feed(replica.id, feed.id.as_str())?;
        let age = now - state.listed_ms.unwrap_or(0);
        let relist_ms = i64::try_from(abilities.relist_after_s).unwrap_or(0) * 1000;
        let is_due = !abilities.compares_known
            && (cycle.settings.full_check
                || age >= cycle.settings.full_check_ms
                || (relist_ms > 0 && age >= relist_ms));
        let since = match state.token {
            Some(token) if !is_due => Since::Token(token),
            _ => Since::Start,
        };
        let mut known = Known::new();
        if abilities.compares_known {
            for place in places.iter().filter(|place| feed.collections.iter().any(|id| id.as_str() == place.remote_id))
            {
                known.extend(cycle.hub.known(replica.id, place.collection)?);
            }
        }
        // A place that compares by itself always tells the difference to what is known.
        let since = if abilities.compares_known { Since::Token(DeltaToken("scan".into())) } else { since };
        rounds.push(Round { feed, since, known });
    }
    Ok(rounds)
}

fn as_collection(place: &Place, kind: Kind) -> twofold_model::Collection {
    twofold_model::Collection {
        id: place.remote_id.as_str().into(),
        kind,
        name: place.name.clone(),
        color: None,
        is_default: place.is_default,
        access: if place.can_write { twofold_model::Access::ReadWrite } else { twofold_model::Access::ReadOnly },
    }
}

/// Reads all rounds of one replica to their ends, asking for the pages of all open rounds together.
async fn read_rounds(member: usize, connector: Arc<dyn Connector>, rounds: Vec<Round>, sender: mpsc::Sender<News>) {
    let mut open: Vec<(usize, Since, bool)> =
        rounds.iter().enumerate().map(|(feed, round)| (feed, round.since.clone(), false)).collect();
    while !open.is_empty() {
        let polls: Vec<Poll<'_>> = open
            .iter()
            .map(|(feed, since, _)| Poll {
                feed: &rounds[*feed].feed,
                since: since.clone(),
                known: &rounds[*feed].known,
            })
            .collect();
        let mut answers = connector.changes(&polls).await;
        let missing = || Err(Error::new(ErrorKind::Malformed, "the connector gave no answer for this feed"));
        answers.resize_with(open.len(), missing);
        let mut still = Vec::new();
        for ((feed, since, relisted), answer) in open.into_iter().zip(answers) {
            let news = match answer {
                Ok(page) => {
                    if let Next::Page(next) = &page.next {
                        if Since::Page(next.clone()) == since {
                            let error = Error::new(ErrorKind::Malformed, "the server's next page is the page itself");
                            News::Failed { member, feed, error }
                        } else {
                            still.push((feed, Since::Page(next.clone()), relisted));
                            News::Page { member, feed, page }
                        }
                    } else {
                        News::Page { member, feed, page }
                    }
                }
                // A fresh round once; if that is refused too, it is not the token.
                Err(error) if error.kind == ErrorKind::TokenExpired && !relisted => {
                    still.push((feed, Since::Start, true));
                    News::Listing { member, feed }
                }
                Err(error) => News::Failed { member, feed, error },
            };
            if sender.send(news).await.is_err() {
                return;
            }
        }
        open = still;
    }
}

/// Stores one page; with the last page of a round, its token.
///
/// Keeps promise 2: the token is stored in the transaction that stores the last of what it covers; all earlier pages are
/// stored before. Keeps promise 1: what a listing lacks becomes a question, and only when the listing is complete.
fn take_page(
    cycle: &mut Cycle<'_>,
    kind: Kind,
    member: usize,
    feed: &Feed,
    page: Page,
    tally: &mut Tally,
    now: i64,
) -> Result<()> {
    let Some(connector) = cycle.members[member].connector.clone() else { return Ok(()) };
    let replica = cycle.members[member].replica.clone();
    let places = cycle.hub.places(replica.id, kind)?;
    tally.entries += page.entries.len();
    tally.bad += page.entries.iter().filter(|entry| matches!(entry, Entry::Bad { .. })).count();
    tally.bad_names.extend(page.entries.iter().filter_map(|entry| match entry {
        Entry::Bad { remote_id, .. } => Some(remote_id.as_str().to_owned()),
        _ => None,
    }));
    // A place that compares by itself names what is bad in every complete scan: what it no longer names is gone or mended.
    let tells_all_bad = connector.abilities().compares_known;
    let bad_names = &tally.bad_names;
    let too_bad = !replica.is_device && (tally.bad > BAD_AT_MOST || (tally.bad >= 5 && tally.bad * 20 > tally.entries));
    let (is_listing, report) = (tally.is_listing, &mut cycle.report);
    cycle.hub.atomically("pull", |hub| {
        for entry in page.entries {
            take_entry(hub, kind, &replica, &places, connector.lens(kind), feed, entry, is_listing, now)?;
        }
        let Next::Done(token) = &page.next else { return Ok(()) };
        if too_bad {
            report.codes.push(crate::report::exit::FAILED);
            report.say(format!(
                "{}: {} of {} items of a feed cannot be understood; its token was kept. Please report this",
                replica.name, tally.bad, tally.entries
            ));
            return Ok(());
        }
        let collections: Vec<i64> = places
            .iter()
            .filter(|place| feed.collections.iter().any(|id| id.as_str() == place.remote_id))
            .map(|place| place.collection)
            .collect();
        if tells_all_bad {
            collections.iter().try_for_each(|collection| hub.retain_quarantine(replica.id, *collection, bad_names))?;
        }
        if is_listing {
            hub.absent_from_listing(replica.id, feed.id.as_str(), &collections, now)?;
        }
        hub.end_round(replica.id, feed.id.as_str(), token, is_listing.then_some(now))
    })
}

#[expect(clippy::too_many_arguments, reason = "one entry and everything it is held against")]
fn take_entry(
    hub: &mut Hub,
    kind: Kind,
    replica: &twofold_hub::Replica,
    places: &[Place],
    lens: &dyn Lens,
    feed: &Feed,
    entry: Entry,
    is_listing: bool,
    now: i64,
) -> Result<()> {
    match entry {
        Entry::Seen(seen) => {
            if is_listing {
                hub.note_listed(replica.id, feed.id.as_str(), seen.remote_id.as_str())?;
            }
            hub.leave_quarantine(replica.id, seen.remote_id.as_str())?;
            take_seen(hub, replica.id, places, lens, *seen, now)
        }
        Entry::Gone(remote_id) => {
            hub.leave_quarantine(replica.id, remote_id.as_str())?;
            hub.store_gone(replica.id, &remote_id, now)
        }
        Entry::Renamed { from, to } => rename(hub, replica.id, &from, &to, now),
        Entry::Bad { remote_id, collection, reason, raw } => {
            if is_listing {
                hub.note_listed(replica.id, feed.id.as_str(), remote_id.as_str())?;
            }
            let collection =
                places.iter().find(|place| place.remote_id == collection.as_str()).map(|place| place.collection);
            let item = hub.placement(replica.id, &remote_id)?.map(|placement| placement.item);
            // It counts as present.
            hub.remove_sighting_of(replica.id, &remote_id)?;
            let _ = kind;
            let bad = Bad {
                replica: replica.id,
                collection,
                item,
                remote_id: remote_id.as_str(),
                reason: &reason,
                raw: &raw,
            };
            hub.quarantine(&bad, now)
        }
    }
}

/// Stores what a copy looks like now, unless that is what was agreed, or older than that.
pub fn take_seen(
    hub: &mut Hub,
    replica: i64,
    places: &[Place],
    lens: &dyn Lens,
    mut seen: Seen,
    now: i64,
) -> Result<()> {
    let Some(place) = places.iter().find(|place| place.remote_id == seen.collection.as_str()) else { return Ok(()) };
    // A stamp in the future is cut to the moment of observation (ENGINE 18).
    seen.modified_ms = seen.modified_ms.map(|at| at.min(now));
    let Some(known) = hub.placement(replica, &seen.remote_id)? else {
        return hub.store_sighting(replica, place.collection, None, &seen, now);
    };
    // A list row older than what the replica itself answered is old news (People's lists lag behind its writes).
    if let (Some(stamp), Some(agreed)) = (seen.modified_ms, known.modified_ms)
        && stamp < agreed
    {
        return Ok(());
    }
    seen.rendering = lens.settle_unknown(&known.seen, seen.rendering);
    if seen.rendering == known.seen && place.collection == known.collection {
        hub.remove_sighting_of(replica, &seen.remote_id)?;
        if seen.etag != known.etag || seen.modified_ms > known.modified_ms {
            hub.touch_placement(known.id, &seen.etag, seen.modified_ms, None)?;
        }
        return Ok(());
    }
    hub.store_sighting(replica, place.collection, Some(known.item), &seen, now)
}

/// Follows a copy to its new name. Where both names are known, two persons were merged there: the old one is gone.
fn rename(hub: &mut Hub, replica: i64, from: &RemoteId, to: &RemoteId, now: i64) -> Result<()> {
    let Some(old) = hub.placement(replica, from)? else { return Ok(()) };
    if hub.placement(replica, to)?.is_some() {
        return hub.store_gone(replica, from, now);
    }
    hub.remove_sighting_of(replica, from)?;
    hub.rename_placement(old.id, to)
}

/// Looks slowly at what the deltas do not tell (photos), within a budget, when it is due.
pub async fn sweep(cycle: &mut Cycle<'_>, kind: Kind) -> Result<()> {
    let now = cycle.now();
    for index in 0..cycle.members.len() {
        let Some(connector) = cycle.members[index].reached(kind).cloned() else { continue };
        if !connector.abilities().sweeps {
            continue;
        }
        let replica = cycle.members[index].replica.clone();
        let key = format!("sweep {} {kind}", replica.id);
        let due: i64 = cycle.hub.meta(&key)?.and_then(|text| text.parse().ok()).unwrap_or(0);
        if now < due && !cycle.settings.full_check {
            continue;
        }
        let places = cycle.hub.places(replica.id, kind)?;
        let before = if cycle.settings.full_check { now } else { now - cycle.settings.full_check_ms };
        let candidates = cycle.hub.unswept(replica.id, before.max(1), SWEEP_BUDGET + 1)?;
        let is_through = candidates.len() <= SWEEP_BUDGET;
        let remote = |collection: i64| places.iter().find(|place| place.collection == collection);
        let asked: Vec<twofold_model::Place> = candidates
            .iter()
            .take(SWEEP_BUDGET)
            .filter_map(|(_, remote_id, collection)| {
                let collection = remote(*collection)?.remote_id.as_str().into();
                Some(twofold_model::Place { remote_id: remote_id.clone(), collection })
            })
            .collect();
        let mut looked = Vec::new();
        if !asked.is_empty() {
            match connector.sweep(kind, &asked, SWEEP_BUDGET).await {
                Ok(seen) => looked = seen,
                Err(error) => {
                    cycle.report.trouble(&replica.name, &error);
                    continue;
                }
            }
        }
        cycle.hub.atomically("sweep", |hub| {
            for seen in looked {
                if let Some(known) = hub.placement(replica.id, &seen.remote_id)? {
                    hub.set_swept(known.id, now)?;
                    if hub.sighting(replica.id, &seen.remote_id)?.is_none() {
                        take_seen(hub, replica.id, &places, connector.lens(kind), seen, now)?;
                    }
                }
            }
            let next = if is_through { now + cycle.settings.full_check_ms } else { now + SWEEP_PAUSE_MS };
            hub.set_meta(&key, &next.to_string())
        })?;
    }
    Ok(())
}
