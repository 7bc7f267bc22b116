//! Reads every feed to its end and stores what it says as sightings, each feed's token with what it covers (promise 2).

use crate::Cycle;
use crate::intake::Intake;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};
use twofold_hub::{Place, Presence};
use twofold_model::{Connector, Entry, Error, ErrorKind, Feed, Kind, Known, Next, Page, Poll, Result, Since};

/// So many rounds since one token that broke off one after the other are enough: then everything is listed in full.
const BROKEN_AT_MOST: u32 = 3;
/// More items than this that cannot be understood in one round of a provider's feed are our own fault (ENGINE 17).
const BAD_AT_MOST: usize = 20;

/// What a puller tells the hub's side.
enum News {
    /// The round starts (anew) with a full listing. A place that compares waits for what the hub knows.
    Listing { member: usize, feed: usize, known: oneshot::Sender<Known> },
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
    /// The place compares by itself: it tells all that differs from what is known, and all that is bad.
    compares_known: bool,
    /// The round is a full listing beside which the hub knows of copies: those that it does not name are asked for.
    compares: bool,
    /// Collections whose new copies are items of their own, with nothing that they could be paired with.
    untouched: HashSet<i64>,
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
            tallies.insert((index, feed), tally(cycle, kind, index, &round.feed, round.since == Since::Start)?);
        }
        tasks.spawn(read_rounds(index, connector, rounds, sender.clone()));
    }
    drop(sender);
    let mut failed: Vec<(usize, Error)> = Vec::new();
    let mut broken: HashSet<(usize, usize)> = HashSet::new();
    let mut read_to_end: HashSet<(usize, usize)> = HashSet::new();
    let mut taken = 0;
    while let Some(news) = receiver.recv().await {
        match news {
            News::Listing { member, feed: at, known } => {
                let (replica, feed) = (cycle.members[member].replica.id, &feeds[&member][at]);
                cycle.hub.drop_token(replica, feed.id.as_str())?;
                let tally = tally(cycle, kind, member, feed, true)?;
                let places = cycle.hub.places(replica, kind)?;
                // Whoever does not wait for it any more has given up by itself.
                let _ = known.send(if tally.compares_known { known_of(cycle, feed, &places)? } else { Known::new() });
                tallies.insert((member, at), tally);
            }
            News::Page { member, feed, page } => {
                taken += page.entries.len();
                cycle.settings.progress.at("reading", taken, 0);
                let tally = tallies.entry((member, feed)).or_default();
                let is_last = matches!(page.next, Next::Done(_));
                match take_page(cycle, kind, member, &feeds[&member][feed], page, tally, now) {
                    Ok(()) if is_last => read_to_end.extend([(member, feed)]),
                    Ok(()) => {}
                    Err(error) if error.kind == ErrorKind::Broken => return Err(error),
                    Err(error) => failed.push((member, error)),
                }
            }
            News::Failed { member, feed, error } => {
                if matches!(error.kind, ErrorKind::Unknown | ErrorKind::Malformed | ErrorKind::Refused) {
                    broken.insert((member, feed));
                }
                failed.push((member, error.at(format!("{kind}, {}", feeds[&member][feed].id))));
            }
        }
    }
    while tasks.join_next().await.is_some() {}
    for (member, error) in failed {
        let gone_dark = matches!(error.kind, ErrorKind::SignInNeeded | ErrorKind::Offline);
        let is_any_read = read_to_end.iter().any(|(reader, _)| *reader == member);
        cycle.members[member].stumbles |= error.kind.is_temporary() && !is_any_read;
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
        let places = cycle.hub.places(replica, kind)?;
        let mut complete = cycle.members[index].connector.is_some();
        for (at, feed) in list.iter().enumerate() {
            let is_complete = cycle.hub.feed(replica, feed.id.as_str())?.is_complete;
            complete &= is_complete;
            let own: BTreeSet<i64> =
                places.iter().filter(|place| covers(feed, place)).map(|place| place.collection).collect();
            let unread = &mut cycle.members[index].unread;
            unread.retain(|collection| !own.contains(collection));
            if !read_to_end.contains(&(index, at)) {
                unread.extend(own);
            }
            let before = breaks(cycle, replica, feed)?;
            let now = if is_complete { 0 } else { before + u32::from(broken.contains(&(index, at))) };
            if now != before {
                cycle.hub.set_meta(&breaks_key(replica, feed), &now.to_string())?;
            }
        }
        match complete {
            true => cycle.members[index].complete.insert(kind),
            false => cycle.members[index].complete.remove(&kind),
        };
    }
    Ok(())
}

/// A round begins; what is to be made of its pages.
fn tally(cycle: &mut Cycle<'_>, kind: Kind, index: usize, feed: &Feed, is_listing: bool) -> Result<Tally> {
    let replica = &cycle.members[index].replica;
    let compares_known = cycle.members[index].reached(kind).is_some_and(|place| place.abilities().compares_known);
    let mut tally = Tally { is_listing, compares_known, ..Tally::default() };
    let replica = replica.id;
    if is_listing && compares_known {
        cycle.hub.begin_comparison(replica, feed.id.as_str())?;
    }
    let mut places = cycle.hub.places(replica, kind)?;
    places.retain(|place| covers(feed, place));
    for place in places.iter().filter(|_| is_listing) {
        tally.compares |= cycle.hub.has_unknown(replica, place.collection)?
            || !compares_known && cycle.hub.copies(replica, place.collection)? > 0;
    }
    if !compares_known {
        tally.untouched = untouched(cycle, &cycle.members[index].replica, &places)?;
    }
    if tally.compares {
        cycle.hub.clear_listed(replica, feed.id.as_str())?;
    }
    Ok(tally)
}

/// Collections of which nothing else is known that a new copy could be paired with: it is an item of its own.
pub(crate) fn untouched(cycle: &Cycle<'_>, replica: &twofold_hub::Replica, places: &[Place]) -> Result<HashSet<i64>> {
    let mut untouched = HashSet::new();
    for place in places.iter().filter(|place| !replica.is_device && !place.met) {
        let stands_elsewhere = cycle
            .hub
            .places_of(place.collection)?
            .iter()
            .filter(|other| other.replica != replica.id)
            .any(|other| cycle.member(other.replica).is_none_or(|member| !member.replica.is_device));
        if !stands_elsewhere
            && cycle.hub.waiting_for_copy(replica.id, place.collection)?.is_empty()
            && cycle.hub.said_gone_in(replica.id, place.collection)?.is_empty()
        {
            untouched.insert(place.collection);
        }
    }
    Ok(untouched)
}

fn breaks_key(replica: i64, feed: &Feed) -> String {
    format!("broken {replica} {}", feed.id)
}

/// How many rounds of a feed broke off one after the other (a link that dies in the middle of each).
fn breaks(cycle: &Cycle<'_>, replica: i64, feed: &Feed) -> Result<u32> {
    Ok(cycle.hub.meta(&breaks_key(replica, feed))?.and_then(|text| text.parse().ok()).unwrap_or(0))
}

pub(crate) fn covers(feed: &Feed, place: &Place) -> bool {
    feed.collections.iter().any(|id| id.as_str() == place.remote_id)
}

/// Where each feed of a replica is read on from.
fn rounds(cycle: &mut Cycle<'_>, kind: Kind, index: usize, connector: &dyn Connector, now: i64) -> Result<Vec<Round>> {
    let replica = cycle.members[index].replica.clone();
    let abilities = connector.abilities();
    let mut places = cycle.hub.places(replica.id, kind)?;
    // A collection that is gone as a whole is not asked for: what became of it is one question, and it is put to a person.
    let held = cycle.hub.held_places()?;
    places.retain(|place| !held.contains(&(place.replica, place.collection)));
    let collections: Vec<twofold_model::Collection> = places.iter().map(|place| as_collection(place, kind)).collect();
    let mut rounds = Vec::new();
    for feed in connector.feeds(kind, &collections) {
        // What is left out is not read. Where one feed reports several collections, the rest of it is.
        let mut own = places.iter().filter(|place| covers(&feed, place)).peekable();
        if own.peek().is_some() && own.all(|place| cycle.left_out.has(place.collection)) {
            continue;
        }
        let state = cycle.hub.feed(replica.id, feed.id.as_str())?;
        // A listing of the future was made under a clock that ran ahead: nobody knows how old it is.
        let age = Some(now - state.listed_ms.unwrap_or(0)).filter(|age| *age >= 0).unwrap_or(i64::MAX);
        let relist_ms = i64::try_from(abilities.relist_after_s).unwrap_or(0) * 1000;
        let is_due = cycle.settings.full_check
            || breaks(cycle, replica.id, &feed)? >= BROKEN_AT_MOST
            || age >= cycle.full_check_ms(now)
            || (relist_ms > 0 && age >= relist_ms);
        let since = match state.token {
            Some(token) if !is_due => Since::Token(token),
            _ => Since::Start,
        };
        let is_comparison = abilities.compares_known && since == Since::Start;
        let known = if is_comparison { known_of(cycle, &feed, &places)? } else { Known::new() };
        rounds.push(Round { feed, since, known });
    }
    Ok(rounds)
}

/// What the hub knows of the copies in a feed's collections.
fn known_of(cycle: &Cycle<'_>, feed: &Feed, places: &[Place]) -> Result<Known> {
    let mut known = Known::new();
    for place in places.iter().filter(|place| covers(feed, place)) {
        known.extend(cycle.hub.known(place.replica, place.collection)?);
        known.extend(cycle.hub.noted(place.replica, place.collection)?);
    }
    Ok(known)
}

pub(crate) fn as_collection(place: &Place, kind: Kind) -> twofold_model::Collection {
    twofold_model::Collection {
        id: place.remote_id.as_str().into(),
        kind,
        name: place.name.clone(),
        color: None,
        is_default: place.is_default,
        role: None,
        access: if place.can_write { twofold_model::Access::ReadWrite } else { twofold_model::Access::ReadOnly },
    }
}

/// Reads all rounds of one replica to their ends, asking for the pages of all open rounds together.
async fn read_rounds(member: usize, connector: Arc<dyn Connector>, mut rounds: Vec<Round>, sender: mpsc::Sender<News>) {
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
            let mut asked = None;
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
                    let (known, answered) = oneshot::channel();
                    asked = Some(answered);
                    News::Listing { member, feed, known }
                }
                Err(error) => News::Failed { member, feed, error },
            };
            if sender.send(news).await.is_err() {
                return;
            }
            if let Some(answered) = asked {
                let Ok(known) = answered.await else { return };
                rounds[feed].known = known;
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
    let bad_names = &tally.bad_names;
    let too_bad = !replica.is_device && (tally.bad > BAD_AT_MOST || (tally.bad >= 5 && tally.bad * 20 > tally.entries));
    let (tally, report) = (&*tally, &mut cycle.report);
    let lens = connector.lens(kind);
    let (rank, left_out) = (connector.abilities().rank, cycle.left_out.clone());
    let intake = Intake { replica: replica.id, kind, places: &places, lens, rank, now, left_out: &left_out };
    let own = places.iter().filter(|place| covers(feed, place) && !left_out.has(place.collection));
    let own: Vec<i64> = own.map(|place| place.collection).collect();
    let mut new = 0;
    let is_file_of_mail = replica.is_device && kind == Kind::Mail;
    let names = connector.names();
    cycle.hub.atomically("pull", |hub| {
        hub.set_names(replica.id, &names)?;
        let listing = tally.compares.then_some(feed.id.as_str());
        let bad: HashSet<String> = hub.quarantined_names(replica.id)?;
        let (renames, mut told): (Vec<Entry>, Vec<Entry>) =
            page.entries.into_iter().partition(|entry| matches!(entry, Entry::Renamed { .. }));
        intake.rename(hub, renames, listing)?;
        // A copy in what is left out is one only beside another, which has to be known first.
        told.sort_by_key(|entry| intake.is_seen_frozen(entry));
        for entry in told {
            match entry {
                Entry::Seen(seen) => {
                    if let Some(feed) = listing {
                        hub.note_listed(replica.id, feed, seen.remote_id.as_str())?;
                    }
                    let is_made = match bad.contains(seen.remote_id.as_str()) {
                        true => intake.take_once_more(hub, *seen, &tally.untouched)?,
                        false => intake.take_or_make(hub, *seen, &tally.untouched)?,
                    };
                    new += usize::from(is_made);
                }
                Entry::Gone(remote_id) => {
                    // Of a file that could not be read, the second look says what follows.
                    if !is_file_of_mail {
                        hub.leave_quarantine(replica.id, remote_id.as_str())?;
                    }
                    if intake.is_gone_frozen(hub, &remote_id)? {
                        continue;
                    }
                    // A feed speaks for its own collections: what was last seen in another one has moved there.
                    let waiting =
                        hub.sighting(replica.id, &remote_id)?.filter(|waiting| waiting.presence == Presence::Here);
                    let stands = match waiting {
                        Some(waiting) => Some(waiting.collection),
                        None => hub.placement(replica.id, &remote_id)?.map(|known| known.collection),
                    };
                    if stands.is_none_or(|collection| own.contains(&collection)) {
                        hub.store_gone(replica.id, &remote_id, now)?;
                    }
                }
                Entry::Bad { remote_id, collection, reason, raw } => {
                    if let Some(feed) = listing {
                        hub.note_listed(replica.id, feed, remote_id.as_str())?;
                    }
                    intake.take_bad(hub, &remote_id, collection.as_str(), &reason, &raw)?;
                }
                Entry::Renamed { .. } => {}
            }
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
        // What a place that tells all that is bad no longer names is gone or mended.
        if tally.compares_known {
            own.iter().try_for_each(|collection| hub.retain_quarantine(replica.id, *collection, bad_names))?;
        }
        if tally.compares {
            hub.unknown_absent_from_listing(replica.id, feed.id.as_str(), &own, now)?;
            // A place that compares tells of what is known by itself.
            if !tally.compares_known {
                hub.retain_noted(replica.id, feed.id.as_str(), &own)?;
                hub.absent_from_listing(replica.id, feed.id.as_str(), &own, now)?;
                if left_out.has_limits() {
                    hub.drop_absences_beyond(replica.id)?;
                }
            }
            hub.clear_listed(replica.id, feed.id.as_str())?;
        }
        hub.prove(replica.id, &own, now)?;
        let listed_ms = tally.is_listing.then_some(now);
        match tally.compares_known {
            true => hub.end_comparison(replica.id, feed.id.as_str(), token, listed_ms),
            false => hub.end_round(replica.id, feed.id.as_str(), token, listed_ms),
        }
    })?;
    report.row(&replica.name, kind).created += new;
    Ok(())
}
