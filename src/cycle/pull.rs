//! Reads every feed to its end and stores what it says as sightings, each feed's token with what it covers (promise 2).

use crate::Cycle;
use crate::arrange::missing;
use crate::hung::{self, What};
use crate::intake::{Alone, Intake};
use crate::late::{self, Silent};
use futures_util::{StreamExt, stream};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;
use twofold_hub::{Hub, Place, Presence, Replica};
use twofold_model::{Connector, Entry, Error, ErrorKind, Etag, Feed, Kind, Known, Next, Page, Poll, Result, Since};

/// So many rounds since one token that broke off one after the other are enough: then everything is listed in full.
const BROKEN_AT_MOST: u32 = 3;
/// More items than this that cannot be understood in one round of a provider's feed are our own fault (ENGINE 17).
const BAD_AT_MOST: usize = 20;
/// So many feeds are read side by side where each is asked for by itself.
const SIDE_BY_SIDE: usize = 4;

/// What a puller tells the hub's side.
enum News {
    /// The round starts (anew) with a full listing. A place that compares waits for what the hub knows.
    Listing { member: usize, feed: usize, known: oneshot::Sender<Known> },
    /// One page.
    Page { member: usize, feed: usize, page: Page },
    /// The feed could not be read to its end; how long its place took to say so.
    Failed { member: usize, feed: usize, error: Error, took: Duration },
}

impl News {
    /// Whose they are.
    fn member(&self) -> usize {
        match self {
            News::Listing { member, .. } | News::Page { member, .. } | News::Failed { member, .. } => *member,
        }
    }
}

/// One feed's round, as its place is asked.
struct Round {
    feed: Feed,
    since: Since,
    known: Known,
    /// It hung the last time: it is asked for by itself, so that it takes none of the others along.
    has_hung: bool,
}

/// The same round, as the hub takes what it says.
struct Course {
    feed: Feed,
    /// Where the collections that it covers stand.
    own: Vec<Place>,
    /// So many rounds of the feed before this one broke off, one after the other.
    breaks: u32,
    tally: Tally,
    end: End,
    /// It failed the last time that it was asked for.
    has_failed: bool,
    /// So lately that it is not in this run: what is told of it.
    left_alone: Option<Error>,
    /// Why nothing may be touched there, as its device said.
    held: Option<String>,
}

impl Course {
    /// By what people call it, where it is one collection's; at a device by its path, since each account may have one of that name.
    fn name(&self, is_device: bool) -> String {
        match self.own.as_slice() {
            [place] if is_device => format!("\"{}\"", place.remote_id.escape_debug()),
            [place] => format!("\"{}\"", place.name.escape_debug()),
            _ => self.feed.id.to_string(),
        }
    }
}

/// How a round ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// It was not read to its end.
    Open,
    /// Nor will it be, perhaps, as long as its token is the same.
    Broken,
    /// All of it was read, and too much of it cannot be understood: the token was kept.
    Kept,
    /// All of it was read and stored.
    Complete,
}

/// What is read of one replica.
struct Source {
    places: Vec<Place>,
    courses: Vec<Course>,
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

/// Pulls all feeds of a kind, the replicas side by side. What feeds that say nothing new leave behind is one transaction for all of them.
pub async fn pull(cycle: &mut Cycle<'_>, kind: Kind) -> Result<()> {
    pull_from(cycle, kind, 0..cycle.members.len()).await
}

/// [`pull`] from some replicas.
pub async fn pull_from(cycle: &mut Cycle<'_>, kind: Kind, members: impl IntoIterator<Item = usize>) -> Result<()> {
    let now = cycle.now();
    let (sender, mut receiver) = mpsc::channel::<News>(1);
    let mut sources: BTreeMap<usize, Source> = BTreeMap::new();
    let (mut tasks, mut readers) = (JoinSet::new(), BTreeMap::<usize, AbortHandle>::new());
    for index in members {
        let Some(connector) = cycle.members[index].reached(kind).cloned() else { continue };
        let places = cycle.hub.places(cycle.members[index].replica.id, kind)?;
        let (rounds, courses) = rounds(cycle, kind, index, connector.as_ref(), &places, now)?;
        if courses.iter().any(|course| course.tally.is_listing) {
            let replica = cycle.members[index].replica.id;
            cycle.hub.atomically("begin listings", |hub| {
                courses.iter().try_for_each(|course| begin_listing(hub, replica, kind, course))
            })?;
        }
        sources.insert(index, Source { places, courses });
        readers.insert(index, tasks.spawn(read_rounds(index, connector, rounds, sender.clone())));
    }
    drop(sender);
    let mut silent = Silent::new(cycle, kind, sources.keys().copied())?;
    // Who is asked for nothing, because all of it is left alone, is not waited for.
    for (member, source) in &sources {
        if source.courses.iter().all(|course| course.left_alone.is_some()) {
            silent.heard(*member);
        }
    }
    let mut failed: Vec<(usize, Error)> = Vec::new();
    let mut hung: Vec<(usize, Feed, String, bool)> = Vec::new();
    let mut quiet: Vec<(usize, usize, Page)> = Vec::new();
    let mut taken = 0;
    loop {
        let news = tokio::select! {
            biased;
            news = receiver.recv() => news,
            () = silent.is_enough(cycle, |index| readers[&index].is_finished()) => {
                for member in silent.leave(cycle, kind)? {
                    readers[&member].abort();
                }
                continue;
            }
        };
        let Some(news) = news else { break };
        silent.heard(news.member());
        match news {
            News::Listing { member, feed: at, known } => {
                let Some(source) = sources.get_mut(&member) else { continue };
                let (replica, course) = (cycle.members[member].replica.id, &mut source.courses[at]);
                course.tally = tally(cycle, kind, member, &course.own, true)?;
                cycle.hub.atomically("begin listing", |hub| {
                    hub.drop_token(replica, course.feed.id.as_str())?;
                    begin_listing(hub, replica, kind, course)
                })?;
                // Whoever does not wait for it any more has given up by itself.
                let _ = known.send(match course.tally.compares_known {
                    true => known_of(cycle, kind, &course.own)?,
                    false => Known::new(),
                });
            }
            News::Page { member, feed, page } => {
                taken += page.entries.len();
                cycle.settings.progress.at("reading", taken, 0);
                let Some(source) = sources.get_mut(&member) else { continue };
                // A long round whose last page is empty waits for nobody: a stop would have all of it read again.
                let is_quiet = source.courses[feed].tally.entries + page.entries.len() == 0;
                if is_quiet && matches!(page.next, Next::Done(_)) {
                    quiet.push((member, feed, page));
                    continue;
                }
                match take_pages(cycle, kind, now, (member, source), vec![(feed, page)]) {
                    Err(error) if error.kind != ErrorKind::Broken => failed.push((member, error)),
                    taken => taken?,
                }
            }
            News::Failed { member, feed, error, took } => {
                let Some(course) = sources.get_mut(&member).map(|source| &mut source.courses[feed]) else { continue };
                if matches!(error.kind, ErrorKind::Unknown | ErrorKind::Malformed | ErrorKind::Refused) {
                    course.end = End::Broken;
                }
                if matches!(error.kind, ErrorKind::Unknown | ErrorKind::Malformed) {
                    hung.push((member, course.feed.clone(), error.message.clone(), took >= hung::LONG));
                }
                let is_device = cycle.members[member].replica.is_device;
                let is_held = error.kind == ErrorKind::Held;
                let error = error.at(course.name(is_device));
                // A hold says its kind by itself.
                course.held = (is_device && is_held).then(|| error.to_string());
                failed.push((member, error.at(kind)));
            }
        }
    }
    while tasks.join_next().await.is_some() {}
    // What a stop takes of them is read again. Keeps promise 2: no token moves before all that it covers is stored.
    if !quiet.is_empty() {
        let mut of: BTreeMap<usize, Vec<(usize, Page)>> = BTreeMap::new();
        quiet.into_iter().for_each(|(member, feed, page)| of.entry(member).or_default().push((feed, page)));
        for (member, pages) in of {
            let Some(source) = sources.get_mut(&member) else { continue };
            take_pages(cycle, kind, now, (member, source), pages)?;
        }
    }
    let is_read = |course: &Course| matches!(course.end, End::Kept | End::Complete);
    let are_read: BTreeSet<usize> =
        sources.iter().filter(|(_, source)| source.courses.iter().any(is_read)).map(|(member, _)| *member).collect();
    for (member, feed, words, has_hung) in hung {
        let replica = &cycle.members[member].replica;
        // Where nothing at all is read the service leaves the kind alone; what hung is asked for by itself the next time all the same.
        if !replica.is_device && (has_hung || are_read.contains(&member)) {
            let replica = replica.id;
            hung::note_feed(cycle, (replica, &feed), &words, has_hung)?;
            hung::look_at_feeds(cycle, &[(replica, feed)])?;
        }
    }
    for (member, error) in failed {
        let gone_dark = matches!(error.kind, ErrorKind::SignInNeeded | ErrorKind::Offline);
        let is_any_read = are_read.contains(&member);
        // Who is asked to wait is that for all of a kind.
        let is_throttled = cycle.members[member].note_throttled(kind, &error);
        if is_throttled || error.kind.is_temporary() && !is_any_read {
            cycle.members[member].stumbles.insert(kind);
        }
        let name = cycle.members[member].replica.name.clone();
        if gone_dark {
            cycle.members[member].lose(error);
        } else {
            cycle.report.trouble(&name, &error);
        }
    }
    let (mut over, mut left_alone, mut unfit) = (Vec::new(), Vec::new(), Vec::new());
    for (index, source) in sources {
        let member = &mut cycle.members[index];
        // Where another kind fails, too, it is the place, and no token.
        let is_of_feed = !member.kinds.iter().any(|other| *other != kind && member.is_down(*other));
        let replica = member.replica.id;
        let mut complete = member.reached(kind).is_some();
        for mut course in source.courses {
            if let Some(error) = course.left_alone.take() {
                cycle.report.trouble(&member.replica.name, &error.at(course.name(member.replica.is_device)).at(kind));
                left_alone.push((replica, course.feed.clone()));
            }
            complete &= course.end == End::Complete;
            if let [place] = course.own.as_slice()
                && (course.held.is_some() || course.end == End::Complete)
            {
                unfit.push((replica, place.collection, course.held.take()));
            }
            let own: BTreeSet<i64> = course.own.iter().map(|place| place.collection).collect();
            member.unread.retain(|collection| !own.contains(collection));
            if matches!(course.end, End::Open | End::Broken) {
                member.unread.extend(own);
            }
            let now = match course.end {
                End::Complete => 0,
                End::Broken if is_of_feed => course.breaks + 1,
                End::Broken | End::Open | End::Kept => course.breaks,
            };
            if now != course.breaks {
                cycle.hub.set_meta(&breaks_key(replica, &course.feed), &now.to_string())?;
            }
            if course.has_failed && matches!(course.end, End::Complete | End::Kept) {
                over.push((replica, course.feed));
            }
        }
        match complete {
            true => member.complete.insert(kind),
            false => member.complete.remove(&kind),
        };
        if complete {
            late::was_read(cycle, replica, kind)?;
        }
    }
    missing::note_unfit(cycle, kind, unfit)?;
    hung::look_at_feeds(cycle, &left_alone)?;
    over.iter().try_for_each(|(replica, feed)| hung::is_over(cycle, What::Feed(*replica, feed)))
}

/// A round begins; what is to be made of its pages.
fn tally(cycle: &Cycle<'_>, kind: Kind, index: usize, own: &[Place], is_listing: bool) -> Result<Tally> {
    let replica = &cycle.members[index].replica;
    let compares_known = cycle.members[index].reached(kind).is_some_and(|place| place.abilities().compares_known);
    let mut tally = Tally { is_listing, compares_known, ..Tally::default() };
    for place in own.iter().filter(|_| is_listing) {
        tally.compares |= cycle.hub.has_unknown(replica.id, place.collection)?
            || !compares_known && cycle.hub.copies(replica.id, place.collection)? > 0;
    }
    if !compares_known {
        tally.untouched = untouched(cycle, replica, own)?;
    }
    Ok(tally)
}

/// Notes that a full listing begins, if it is one.
fn begin_listing(hub: &mut Hub, replica: i64, kind: Kind, course: &Course) -> Result<()> {
    let (feed, tally) = (course.feed.id.as_str(), &course.tally);
    if tally.is_listing && tally.compares_known {
        hub.begin_comparison(replica, (feed, kind))?;
    }
    if tally.compares {
        hub.clear_listed(replica, feed)?;
    }
    Ok(())
}

/// Collections of which nothing else is known that a new copy could be paired with: it is an item of its own.
pub(crate) fn untouched(cycle: &Cycle<'_>, replica: &Replica, places: &[Place]) -> Result<HashSet<i64>> {
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

/// Where each feed of a replica is read on from, and the courses of all that are to be read, after them those that are left alone. `places`:
/// where the collections stand there.
fn rounds(
    cycle: &Cycle<'_>,
    kind: Kind,
    index: usize,
    connector: &dyn Connector,
    places: &[Place],
    now: i64,
) -> Result<(Vec<Round>, Vec<Course>)> {
    let replica = cycle.members[index].replica.id;
    let abilities = connector.abilities();
    // A collection that is gone as a whole is not asked for: what became of it is one question, and it is put to a person.
    let held = cycle.hub.held_places()?;
    let asked = || places.iter().filter(|place| !held.contains(&(place.replica, place.collection)));
    let collections: Vec<twofold_model::Collection> = asked().map(|place| as_collection(place, kind)).collect();
    let by_id: HashMap<&str, &Place> = asked().map(|place| (place.remote_id.as_str(), place)).collect();
    let (mut rounds, mut courses, mut alone) = (Vec::new(), Vec::new(), Vec::new());
    for feed in connector.feeds(kind, &collections) {
        let own: Vec<Place> =
            feed.collections.iter().filter_map(|id| by_id.get(id.as_str())).map(|place| (*place).clone()).collect();
        // What is left out is not read. Where one feed reports several collections, the rest of it is.
        if !own.is_empty() && own.iter().all(|place| cycle.left_out.has(place.collection)) {
            continue;
        }
        let breaks = breaks(cycle, replica, &feed)?;
        let hung = hung::of(cycle.hub, What::Feed(replica, &feed))?;
        let left_alone = hung.as_ref().and_then(|hung| hung::is_left_alone(cycle, hung));
        let (has_failed, has_hung) = (hung.is_some(), hung.is_some_and(|hung| hung.took_long));
        if left_alone.is_some() {
            let tally = Tally::default();
            alone.push(Course { feed, own, breaks, tally, end: End::Open, has_failed, left_alone, held: None });
            continue;
        }
        let state = cycle.hub.feed(replica, feed.id.as_str())?;
        state.token.iter().for_each(|token| connector.remember(&feed, token));
        // A listing of the future was made under a clock that ran ahead: nobody knows how old it is.
        let age = Some(now - state.listed_ms.unwrap_or(0)).filter(|age| *age >= 0).unwrap_or(i64::MAX);
        let relist_ms = i64::try_from(abilities.relist_after_s).unwrap_or(0) * 1000;
        let is_due = cycle.settings.full_check
            || breaks >= BROKEN_AT_MOST
            || age >= cycle.full_check_ms(now)
            || (relist_ms > 0 && age >= relist_ms);
        let since = match state.token {
            Some(token) if !is_due => Since::Token(token),
            _ => Since::Start,
        };
        let is_listing = since == Since::Start;
        let known = if abilities.compares_known && is_listing { known_of(cycle, kind, &own)? } else { Known::new() };
        let tally = tally(cycle, kind, index, &own, is_listing)?;
        courses.push(Course {
            feed: feed.clone(),
            own,
            breaks,
            tally,
            end: End::Open,
            has_failed,
            left_alone,
            held: None,
        });
        rounds.push(Round { feed, since, known, has_hung });
    }
    // Each round has its course at the same place.
    courses.extend(alone);
    Ok((rounds, courses))
}

/// What the hub knows of the copies in a feed's collections.
fn known_of(cycle: &Cycle<'_>, kind: Kind, own: &[Place]) -> Result<Known> {
    let mut known = Known::new();
    for place in own {
        known.extend(cycle.hub.known(place.replica, place.collection)?);
        // A message that is said to be gone is told once more where it is back, also as it was. The state of a file of another kind says when it
        // was written, and whose it is.
        let gone = match kind {
            Kind::Mail => cycle.hub.gone_from(place.replica, place.collection)?,
            Kind::Contacts | Kind::Calendar => Vec::new(),
        };
        for gone in gone {
            known.entry(gone).and_modify(|etag| *etag = Etag(String::new()));
        }
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

/// So many lists, or pages of what follows on a token's first, are asked for together: two batches of twenty.
const LISTINGS_TOGETHER: usize = 40;

/// Reads all rounds of one replica to their ends: together, or side by side, as the place is asked for them.
async fn read_rounds(member: usize, connector: Arc<dyn Connector>, rounds: Vec<Round>, sender: mpsc::Sender<News>) {
    let is_by_itself = |round: &Round| round.has_hung || connector.abilities().feeds_by_themselves;
    let (single, together): (Vec<_>, Vec<_>) =
        rounds.into_iter().enumerate().partition(|(_, round)| is_by_itself(round));
    let groups =
        [together].into_iter().chain(single.into_iter().map(|one| vec![one])).filter(|group| !group.is_empty());
    let read = |group| read_together(member, connector.as_ref(), group, &sender);
    stream::iter(groups).for_each_concurrent(SIDE_BY_SIDE, read).await;
}

/// Reads rounds to their ends, asking for the pages of all that are open together. Each comes with the number of its feed.
async fn read_together(
    member: usize,
    connector: &dyn Connector,
    mut rounds: Vec<(usize, Round)>,
    sender: &mpsc::Sender<News>,
) {
    let mut open: Vec<(usize, Since, bool)> =
        rounds.iter().enumerate().map(|(at, (_, round))| (at, round.since.clone(), false)).collect();
    // What changed since a token is little, as a rule. A listing is not, and its pages are in memory together: a place whose lists are many has
    // them read a few at a time. One that compares waits once for all of them.
    let most = if connector.abilities().compares_known { usize::MAX } else { LISTINGS_TOGETHER };
    let mut later = Vec::new();
    while !open.is_empty() || !later.is_empty() {
        open.append(&mut later);
        let mut listings = 0;
        (open, later) = open.into_iter().partition(|(_, since, _)| {
            listings += usize::from(!matches!(since, Since::Token(_)));
            matches!(since, Since::Token(_)) || listings <= most
        });
        let polls: Vec<Poll<'_>> = open
            .iter()
            .map(|(at, since, _)| {
                let (_, round) = &rounds[*at];
                Poll { feed: &round.feed, since: since.clone(), known: &round.known }
            })
            .collect();
        let began = Instant::now();
        let mut answers = connector.changes(&polls).await;
        let missing = || Err(Error::new(ErrorKind::Malformed, "the connector gave no answer for this feed"));
        answers.resize_with(open.len(), missing);
        let mut still = Vec::new();
        let took = began.elapsed();
        for ((at, since, relisted), answer) in open.into_iter().zip(answers) {
            let (feed, mut asked) = (rounds[at].0, None);
            let news = match answer {
                Ok(page) => {
                    if let Next::Page(next) = &page.next {
                        if Since::Page(next.clone()) == since {
                            let error = Error::new(ErrorKind::Malformed, "the server's next page is the page itself");
                            News::Failed { member, feed, error, took: Duration::ZERO }
                        } else {
                            still.push((at, Since::Page(next.clone()), relisted));
                            News::Page { member, feed, page }
                        }
                    } else {
                        News::Page { member, feed, page }
                    }
                }
                // A fresh round once; if that is refused too, it is not the token.
                Err(error) if error.kind == ErrorKind::TokenExpired && !relisted => {
                    still.push((at, Since::Start, true));
                    let (known, answered) = oneshot::channel();
                    asked = Some(answered);
                    News::Listing { member, feed, known }
                }
                Err(error) => News::Failed { member, feed, error, took },
            };
            if sender.send(news).await.is_err() {
                return;
            }
            if let Some(answered) = asked {
                let Ok(known) = answered.await else { return };
                rounds[at].1.known = known;
            }
        }
        open = still;
    }
}

impl Tally {
    /// One more page.
    fn count(&mut self, page: &Page) {
        self.entries += page.entries.len();
        self.bad += page.entries.iter().filter(|entry| matches!(entry, Entry::Bad { .. })).count();
        self.bad_names.extend(page.entries.iter().filter_map(|entry| match entry {
            Entry::Bad { remote_id, .. } => Some(remote_id.as_str().to_owned()),
            _ => None,
        }));
    }

    /// Whether so much cannot be understood that it is our own fault.
    fn is_too_bad(&self) -> bool {
        self.bad > BAD_AT_MOST || (self.bad >= 5 && self.bad * 20 > self.entries)
    }
}

/// Stores pages of one replica; with the last page of a round, its token.
///
/// Keeps promise 2: a token is stored in the transaction that stores the last of what it covers; all earlier pages are
/// stored before. Keeps promise 1: what a listing lacks becomes a question, and only when the listing is complete.
fn take_pages(
    cycle: &mut Cycle<'_>,
    kind: Kind,
    now: i64,
    (member, source): (usize, &mut Source),
    pages: Vec<(usize, Page)>,
) -> Result<()> {
    let Some(connector) = cycle.members[member].reached(kind).cloned() else { return Ok(()) };
    let replica = cycle.members[member].replica.clone();
    let Source { places, courses } = source;
    pages.iter().for_each(|(at, page)| courses[*at].tally.count(page));
    let (rank, left_out) = (connector.abilities().rank, cycle.left_out.clone());
    let lens = connector.lens(kind);
    let intake = Intake { replica: replica.id, kind, places, lens, rank, now, left_out: &left_out };
    let names = connector.names();
    let (mut new, mut ended) = (0, Vec::new());
    cycle.hub.atomically("pull", |hub| {
        hub.set_names(replica.id, &names)?;
        let bad: HashSet<String> = hub.quarantined_names(replica.id)?;
        for (at, page) in pages {
            let (made, end) = store_page(hub, &intake, &replica, &courses[at], &bad, page)?;
            new += made;
            ended.push((at, end));
        }
        Ok(())
    })?;
    for (at, end) in ended {
        let course = &mut courses[at];
        course.end = end;
        if end == End::Kept {
            cycle.report.codes.push(crate::report::exit::FAILED);
            let words = format!(
                "{} of {} items of a feed cannot be understood; its token was kept. Please report this",
                course.tally.bad, course.tally.entries
            );
            cycle.report.say_at(&replica.name, words);
        }
    }
    cycle.report.row(&replica.name, kind).created += new;
    Ok(())
}

/// One page. Answers how many new items it made, and how far the round has come with it.
fn store_page(
    hub: &mut Hub,
    intake: &Intake<'_>,
    replica: &Replica,
    Course { feed, own, tally, .. }: &Course,
    bad: &HashSet<String>,
    page: Page,
) -> Result<(usize, End)> {
    let (now, left_out) = (intake.now, intake.left_out);
    let kept = || own.iter().filter(|place| !left_out.has(place.collection));
    let shown_in: HashSet<&str> = page
        .entries
        .iter()
        .filter_map(|entry| match entry {
            Entry::Seen(seen) => Some(seen.collection.as_str()),
            _ => None,
        })
        .collect();
    let proven = kept().filter(|place| shown_in.contains(place.remote_id.as_str()));
    hub.prove(replica.id, &proven.map(|place| place.collection).collect::<Vec<_>>(), now)?;
    let own: Vec<i64> = kept().map(|place| place.collection).collect();
    let is_file_of_mail = replica.is_device && intake.kind == Kind::Mail;
    let mut new = 0;
    let listing = tally.compares.then_some(feed.id.as_str());
    let (renames, mut told): (Vec<Entry>, Vec<Entry>) =
        page.entries.into_iter().partition(|entry| matches!(entry, Entry::Renamed { .. }));
    intake.rename(hub, renames, listing)?;
    // A copy in what is left out is one only beside another, which has to be known first.
    told.sort_by_key(|entry| intake.is_seen_frozen(entry));
    let shown = told.iter().filter_map(|entry| match entry {
        Entry::Seen(seen) => Some(seen.as_ref()),
        _ => None,
    });
    let mut alone = Alone::of(hub, replica.id, intake.kind, shown)?;
    for entry in told {
        match entry {
            Entry::Seen(seen) => {
                if let Some(feed) = listing {
                    hub.note_listed(replica.id, feed, seen.remote_id.as_str())?;
                }
                let is_made = match alone.take(&seen) {
                    Some(waiting) => intake.take_alone(hub, waiting.as_ref(), *seen, &tally.untouched)?,
                    None if bad.contains(seen.remote_id.as_str()) => {
                        intake.take_once_more(hub, *seen, &tally.untouched)?
                    }
                    None => intake.take_or_make(hub, *seen, &tally.untouched)?,
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
    let Next::Done(token) = &page.next else { return Ok((new, End::Open)) };
    if !replica.is_device && tally.is_too_bad() {
        return Ok((new, End::Kept));
    }
    // What a place that tells all that is bad no longer names is gone or mended.
    if tally.compares_known {
        own.iter().try_for_each(|collection| hub.retain_quarantine(replica.id, *collection, &tally.bad_names))?;
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
    hub.was_read(replica.id, &own, now)?;
    // A place that compares all that is there with what is known tells of none that are as they were.
    if tally.compares_known && tally.is_listing {
        for collection in &own {
            if hub.is_any_there(replica.id, *collection)? {
                hub.prove(replica.id, &[*collection], now)?;
            }
        }
    }
    let listed_ms = tally.is_listing.then_some(now);
    match tally.compares_known {
        true => hub.end_comparison(replica.id, feed.id.as_str(), token, listed_ms)?,
        false => hub.end_round(replica.id, (feed.id.as_str(), intake.kind), token, listed_ms)?,
    }
    Ok((new, End::Complete))
}
