//! Bytes that are here already: copies whose bytes a place was not asked for yet are compared with the messages that devices hold, and
//! with those that somebody brought, before anything is read once more.
//!
//! What names a message, in this order: its UID (only what was brought knows it), and its Message-ID, provided that nothing else that
//! both sides show is against it and that no other message of the account has it. Two candidates pair nobody, nor does what may be a draft
//! (its text changes, its Message-ID does not): those are read.
//! Only the bytes are taken from here. Which copy on a device is which item is told by [`mod@crate::meet`], as always.

use crate::bodies::{self, is_of_one_message};
use crate::intake::Intake;
use crate::meet::as_seen;
use crate::{Cycle, SLICE};
use std::collections::{HashMap, HashSet};
use std::io::Read;
use twofold_engine::pair::is_same_message;
use twofold_hub::{Collection, Hub, Sighting};
use twofold_model::email::Role;
use twofold_model::{BlobId, Blobs, Content, ErrorKind, Kind, Lens, Place, RemoteId, Rendering, Result, Seen, email};

/// So many headers are asked for at once.
const ASK: usize = 200;

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filled {
    /// Nothing that is lacking is here.
    None,
    /// Some copies have their bytes now.
    Some,
    /// There is something here, and whose it is cannot be told now.
    Waits,
}

/// A message that is here.
struct Here {
    from: Source,
    /// The device and the collection it stands in; `None` where nobody says where it stands.
    at: Option<(i64, i64)>,
    /// Its bytes.
    blob: Option<BlobId>,
}

/// Where its bytes are named.
#[derive(Clone, Copy)]
enum Source {
    /// On a device: the key of what was seen there.
    Device(i64),
    /// Brought: the key of the offer.
    Offer(i64),
}

/// A copy that lacks its bytes.
struct Lacking {
    sighting: i64,
    collection: i64,
    /// What is the same message has the same.
    message: String,
}

/// Gives the copies of an account that lack their bytes those that are here.
///
/// Keeps promise 13: what another tool brought here is not read once more.
pub async fn fill(cycle: &mut Cycle<'_>, kind: Kind, index: usize, untouched: &HashSet<i64>) -> Result<Filled> {
    let replica = cycle.members[index].replica.clone();
    let Some(connector) = cycle.members[index].reached(kind).cloned() else { return Ok(Filled::None) };
    if replica.is_device {
        return Ok(Filled::None);
    }
    let mut filled = by_uid(cycle, kind, index, untouched).await?;
    let here = here(cycle, kind, index)?;
    if here.is_empty() || cycle.hub.lacking_bodies(replica.id, 1)?.is_empty() {
        return Ok(if filled > 0 { Filled::Some } else { Filled::None });
    }
    if connector.abilities().reads_headers.contains(&kind) {
        if cycle.settings.dry_run {
            let lacking = cycle.hub.lacking_messages(replica.id)?;
            cycle.report.row(&replica.name, kind).may_be_here = here.len().min(lacking);
        } else if !read_headers(cycle, kind, index).await? {
            return Ok(Filled::Waits);
        }
    }
    let shares = connector.abilities().shares.contains(&kind);
    let blobs = cycle.settings.blobs.as_deref();
    let pairs = pairs(cycle.hub, blobs, connector.lens(kind), replica.id, &here, shares)?;
    for slice in pairs.chunks(SLICE) {
        filled += take(cycle, kind, index, untouched, slice).await?;
    }
    Ok(if filled > 0 { Filled::Some } else { Filled::None })
}

/// Lets go what was brought for an account that was read to its end and lacks nothing.
pub fn let_go(cycle: &mut Cycle<'_>, kind: Kind, index: usize) -> Result<()> {
    let member = &cycle.members[index];
    let replica = member.replica.id;
    if kind != Kind::Mail || !member.complete.contains(&kind) || cycle.hub.offers_count(replica)? == 0 {
        return Ok(());
    }
    cycle.hub.atomically("let go", |hub| hub.forget_offers(replica))
}

/// Takes what was brought for the very copies that lack it. Answers for how many.
///
/// Keeps promise 2: the bytes are with the blobs since before the offer was stored.
async fn by_uid(cycle: &mut Cycle<'_>, kind: Kind, index: usize, untouched: &HashSet<i64>) -> Result<usize> {
    let replica = cycle.members[index].replica.clone();
    if cycle.hub.offers_count(replica.id)? == 0 {
        return Ok(0);
    }
    let (mut after, mut filled) = (0, 0);
    loop {
        let slice = cycle.hub.lacking_after(replica.id, after, SLICE)?;
        let Some(last) = slice.last() else { break };
        after = last.id;
        let mut found = Vec::new();
        for sighting in slice {
            if let Some(uid) = &sighting.uid
                && let Some(rendering) = cycle.hub.offer_of(replica.id, uid)?
            {
                found.push((sighting.id, rendering));
            }
        }
        filled += found_bytes(cycle, kind, index, untouched, found).await?;
    }
    Ok(filled)
}

/// Those of the copies to which bytes were found that may be taken: not too old, not too large, as their place says. (A file may say
/// another date, and be smaller.)
async fn within_limits(
    cycle: &mut Cycle<'_>,
    kind: Kind,
    index: usize,
    found: Vec<(i64, Rendering)>,
) -> Result<Vec<(i64, Rendering)>> {
    if !cycle.left_out.has_limits() {
        return Ok(found);
    }
    let places = cycle.hub.places(cycle.members[index].replica.id, kind)?;
    let mut within = Vec::with_capacity(found.len());
    for chunk in found.chunks(ASK) {
        let mut asked = Vec::with_capacity(chunk.len());
        for (sighting, _) in chunk {
            let Some(lacking) = cycle.hub.sighting_by_id(*sighting)? else { continue };
            let Some(place) = places.iter().find(|place| place.collection == lacking.collection) else { continue };
            asked.push(Place { remote_id: lacking.remote_id, collection: place.remote_id.as_str().into() });
        }
        for place in bodies::within_limits(cycle, kind, index, asked).await? {
            let Some(lacking) = cycle.hub.sighting(cycle.members[index].replica.id, &place.remote_id)? else {
                continue;
            };
            within.extend(chunk.iter().find(|(sighting, _)| *sighting == lacking.id).cloned());
        }
    }
    Ok(within)
}

/// Gives copies the bytes that were found to be theirs, in one transaction. Answers how many took them.
async fn found_bytes(
    cycle: &mut Cycle<'_>,
    kind: Kind,
    index: usize,
    untouched: &HashSet<i64>,
    found: Vec<(i64, Rendering)>,
) -> Result<usize> {
    let found = within_limits(cycle, kind, index, found).await?;
    if found.is_empty() {
        return Ok(0);
    }
    let replica = cycle.members[index].replica.clone();
    let Some(connector) = cycle.members[index].reached(kind).cloned() else { return Ok(0) };
    let places = cycle.hub.places(replica.id, kind)?;
    let (lens, rank) = (connector.lens(kind), connector.abilities().rank);
    let (left_out, now) = (cycle.left_out.clone(), cycle.now());
    let intake = Intake { replica: replica.id, kind, places: &places, lens, rank, now, left_out: &left_out };
    let (mut filled, mut new) = (0, 0);
    cycle.hub.atomically("known bytes", |hub| {
        for (sighting, whole) in found {
            // A copy of the same message may have brought them meanwhile.
            let Some(lacking) = hub.sighting_by_id(sighting)?.filter(|lacking| lacking.lacks_body) else { continue };
            let Some(place) = places.iter().find(|place| place.collection == lacking.collection) else { continue };
            let rendering = lens.settle_unknown(&whole, lacking.rendering.clone());
            // A draft may have been written on since.
            if lens.facts(&rendering).lacks_body {
                continue;
            }
            let collection = place.remote_id.as_str().into();
            new +=
                usize::from(intake.take_whole(hub, Seen { rendering, collection, ..as_seen(&lacking) }, untouched)?);
            filled += 1;
        }
        Ok(())
    })?;
    let row = cycle.report.row(&replica.name, kind);
    row.created += new;
    row.taken_over += filled;
    Ok(filled)
}

/// What is here and could belong to an account, by its Message-ID: what was brought, and what stands in a device's folders at their first
/// use. A file that comes later into a folder in use is no copy of another tool's: it may be one's own, of a message that the account has from
/// a list, with other bytes. That account's are read.
fn here(cycle: &Cycle<'_>, kind: Kind, index: usize) -> Result<HashMap<String, Vec<Here>>> {
    let origin = cycle.members[index].replica.id;
    let mut all: HashMap<String, Vec<Here>> = HashMap::new();
    let mut in_use = HashSet::new();
    for member in cycle.members.iter().filter(|member| member.replica.is_device) {
        let met = cycle.hub.places(member.replica.id, kind)?.into_iter().filter(|place| place.met);
        in_use.extend(met.map(|place| (place.replica, place.collection)));
    }
    let mut after = 0;
    loop {
        let slice = cycle.hub.unpaired_after(origin, after, SLICE)?;
        let Some(last) = slice.last() else { break };
        after = last.id;
        for sighting in slice {
            if in_use.contains(&(sighting.replica, sighting.collection)) {
                continue;
            }
            let Some(device) = cycle.member(sighting.replica).and_then(|member| member.reached(kind)) else { continue };
            if let Some(id) = message_id(device.lens(kind), &sighting.rendering) {
                let at = Some((sighting.replica, sighting.collection));
                let blob = device.lens(kind).facts(&sighting.rendering).blob;
                all.entry(id).or_default().push(Here { from: Source::Device(sighting.id), at, blob });
            }
        }
    }
    let Some(account) = cycle.members[index].reached(kind) else { return Ok(all) };
    after = 0;
    loop {
        let slice = cycle.hub.unnamed_offers(origin, after, SLICE)?;
        let Some((last, _)) = slice.last() else { break };
        after = *last;
        for (id, rendering) in slice {
            if let Some(message) = message_id(account.lens(kind), &rendering) {
                let blob = account.lens(kind).facts(&rendering).blob;
                all.entry(message).or_default().push(Here { from: Source::Offer(id), at: None, blob });
            }
        }
    }
    Ok(all)
}

fn message_id(lens: &dyn Lens, rendering: &Rendering) -> Option<String> {
    email::message_id(&lens.read(rendering).ok()?).map(str::to_owned)
}

/// Asks what the headers of the copies say that lack their bytes, and stores it with what was seen of them: what a stop leaves is gone on
/// with. `false`: not all can be told now. What cannot be told of one message stops no other: its bytes are asked for.
///
/// Keeps promise 2: an answer is stored in one transaction, and asked for once.
async fn read_headers(cycle: &mut Cycle<'_>, kind: Kind, index: usize) -> Result<bool> {
    let replica = cycle.members[index].replica.clone();
    let Some(connector) = cycle.members[index].reached(kind).cloned() else { return Ok(false) };
    let places = cycle.hub.places(replica.id, kind)?;
    let lens = connector.lens(kind);
    let mut open: Vec<(RemoteId, i64)> = Vec::new();
    let mut after = 0;
    loop {
        let slice = cycle.hub.lacking_after(replica.id, after, SLICE)?;
        let Some(last) = slice.last() else { break };
        after = last.id;
        let is_unread = |sighting: &Sighting| message_id(lens, &sighting.rendering).is_none();
        open.extend(slice.into_iter().filter(is_unread).map(|sighting| (sighting.remote_id, sighting.collection)));
    }
    let total = open.len();
    for (at, chunk) in open.chunks(ASK).enumerate() {
        if cycle.must_stop() {
            return Ok(false);
        }
        cycle.settings.progress.at("comparing messages", at * ASK, total);
        let place = |(remote_id, collection): &(RemoteId, i64)| {
            let place = places.iter().find(|place| place.collection == *collection)?;
            Some(Place { remote_id: remote_id.clone(), collection: place.remote_id.as_str().into() })
        };
        let asked: Vec<Place> = chunk.iter().filter_map(place).collect();
        let answers = connector.headers(kind, &asked).await;
        let (rank, left_out, now) = (connector.abilities().rank, cycle.left_out.clone(), cycle.now());
        let intake = Intake { replica: replica.id, kind, places: &places, lens, rank, now, left_out: &left_out };
        let mut trouble = None;
        cycle.hub.atomically("headers", |hub| {
            for (place, answer) in asked.iter().zip(answers) {
                match answer {
                    Ok(Some(seen)) => intake.take(hub, seen)?,
                    Ok(None) => hub.store_gone(replica.id, &place.remote_id, now)?,
                    // It is set aside, if it is, when its bytes are asked for.
                    Err(error) if is_of_one_message(error.kind) => {}
                    Err(error) => trouble = Some(error),
                }
            }
            Ok(())
        })?;
        if let Some(error) = trouble {
            cycle.report.trouble(&replica.name, &error);
            if matches!(error.kind, ErrorKind::SignInNeeded | ErrorKind::Offline) {
                cycle.members[index].lose(error);
            }
            return Ok(false);
        }
    }
    Ok(true)
}

/// Which bytes belong to which copy, as far as a Message-ID tells. `shares`: a message of that account may stand in several collections.
fn pairs(
    hub: &Hub,
    blobs: Option<&dyn Blobs>,
    lens: &dyn Lens,
    replica: i64,
    here: &HashMap<String, Vec<Here>>,
    shares: bool,
) -> Result<Vec<(i64, Source)>> {
    let mut lacking: HashMap<String, Vec<Lacking>> = HashMap::new();
    let mut after = 0;
    loop {
        let slice = hub.lacking_after(replica, after, SLICE)?;
        let Some(last) = slice.last() else { break };
        after = last.id;
        for sighting in slice {
            let Some(id) = message_id(lens, &sighting.rendering).filter(|id| here.contains_key(id)) else { continue };
            let message = match (&sighting.uid, shares) {
                (Some(uid), true) => uid.as_str().to_owned(),
                _ => sighting.remote_id.as_str().to_owned(),
            };
            let lacks = Lacking { sighting: sighting.id, collection: sighting.collection, message };
            lacking.entry(id).or_default().push(lacks);
        }
    }
    let mut pairs = Vec::new();
    for (id, copies) in &lacking {
        let files = here.get(id).map(Vec::as_slice).unwrap_or_default();
        if shares {
            pairs.extend(one_message(copies, files, blobs));
        } else {
            pairs.extend(copies.iter().filter_map(|copy| Some((copy.sighting, alike(copy, copies, files, blobs)?))));
        }
    }
    Ok(pairs)
}

/// One message at the account, and one here: at most one file in each folder, and the same text in all.
fn one_message(copies: &[Lacking], files: &[Here], blobs: Option<&dyn Blobs>) -> Option<(i64, Source)> {
    let first = copies.first()?;
    let places: Vec<(i64, i64)> = files.iter().filter_map(|file| file.at).collect();
    let mut known = HashSet::new();
    let is_one = copies.iter().all(|copy| copy.message == first.message)
        && places.iter().all(|place| known.insert(*place))
        && (!places.is_empty() || files.len() == 1)
        && say_the_same(&files.iter().filter(|file| file.at.is_some()).collect::<Vec<_>>(), blobs);
    let source = files.iter().find(|file| file.at.is_some()).or_else(|| files.first())?;
    is_one.then_some((first.sighting, source.from))
}

/// Whether files have the same bytes, but for their line ends: every program keeps those in its own way.
fn say_the_same(files: &[&Here], blobs: Option<&dyn Blobs>) -> bool {
    let text = |file: &Here| {
        let mut bytes = Vec::new();
        blobs?.open(file.blob.as_ref()?).ok()?.read_to_end(&mut bytes).ok()?;
        bytes.retain(|byte| *byte != b'\r');
        Some(bytes)
    };
    let Some((first, others)) = files.split_first() else { return true };
    let mut others = others.iter().filter(|other| other.blob.is_none() || other.blob != first.blob).peekable();
    if others.peek().is_none() {
        return true;
    }
    text(first).is_some_and(|says| others.all(|other| text(other).is_some_and(|also| also == says)))
}

/// The one file that stands where the one copy stands (on each device, with the same text); or the only one anywhere, of the only copy.
fn alike(copy: &Lacking, copies: &[Lacking], files: &[Here], blobs: Option<&dyn Blobs>) -> Option<Source> {
    let here: Vec<&Here> = files.iter().filter(|file| file.at.is_some_and(|(_, at)| at == copy.collection)).collect();
    let beside = copies.iter().filter(|other| other.collection == copy.collection).count();
    let mut devices = HashSet::new();
    let is_one = beside == 1 && here.iter().all(|file| devices.insert(file.at)) && say_the_same(&here, blobs);
    match (here.first(), files, copies.len()) {
        (Some(file), _, _) if is_one => Some(file.from),
        (None, [file], 1) => Some(file.from),
        _ => None,
    }
}

/// Takes the bytes of pairs of which nothing that both show says that they are two. Answers how many.
async fn take(
    cycle: &mut Cycle<'_>,
    kind: Kind,
    index: usize,
    untouched: &HashSet<i64>,
    pairs: &[(i64, Source)],
) -> Result<usize> {
    let Some(connector) = cycle.members[index].reached(kind).cloned() else { return Ok(0) };
    let lens = connector.lens(kind);
    let is_drafts = |collection: &Collection| collection.role == Some(Role::Drafts);
    let drafts: HashSet<i64> = cycle.hub.collections(kind)?.into_iter().filter(is_drafts).map(|all| all.id).collect();
    let mut found = Vec::new();
    for (sighting, from) in pairs {
        let Some(lacking) = cycle.hub.sighting_by_id(*sighting)? else { continue };
        let whole = match from {
            // Not every program marks its drafts.
            Source::Device(id) => {
                let seen = cycle.hub.sighting_by_id(*id)?;
                seen.filter(|seen| !drafts.contains(&seen.collection)).map(|seen| seen.rendering)
            }
            Source::Offer(id) => cycle.hub.offer_by_id(*id)?,
        };
        let Some(whole) = whole else { continue };
        let shown = |rendering: &Rendering| -> Option<(Content, Option<i64>)> {
            Some((lens.read(rendering).ok()?, lens.facts(rendering).dated_ms))
        };
        if let (Some((listed, received_ms)), Some((here, kept_ms))) = (shown(&lacking.rendering), shown(&whole))
            && is_same_message((&listed, received_ms), (&here, kept_ms))
        {
            found.push((*sighting, whole));
        }
    }
    found_bytes(cycle, kind, index, untouched, found).await
}
