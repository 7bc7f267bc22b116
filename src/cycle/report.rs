//! What a run says of itself: counts per replica, what is left, and the exit code.

use crate::{Cycle, NoRoom};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use twofold_hub::Hub;
use twofold_model::{Error, ErrorKind, Kind, Result};

/// One replica's part of a run, for one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ReplicaReport {
    /// Its name in the configuration.
    pub name: String,
    /// The kind.
    pub kind: String,
    /// How many collections it has of it.
    pub collections: usize,
    /// New items taken from it into the hub.
    pub created: usize,
    /// Edits taken from it.
    pub updated: usize,
    /// Removals taken from it.
    pub deleted: usize,
    /// Items made there.
    pub sent_created: usize,
    /// Items changed there.
    pub sent_updated: usize,
    /// Items removed there.
    pub sent_deleted: usize,
    /// Items that somebody moved to another collection there.
    pub moved: usize,
    /// Items moved to another collection there, as one step.
    pub sent_moved: usize,
    /// Messages whose bytes were read there.
    #[serde(skip_serializing_if = "is_zero")]
    pub read: usize,
    /// Messages that a dry run does not read, and a run would: it makes those of them that are new at the devices.
    #[serde(skip_serializing_if = "is_zero")]
    pub would_read: usize,
    /// Messages whose bytes were not read there because they are here already: on a device, or brought by `twofold adopt`.
    #[serde(skip_serializing_if = "is_zero")]
    pub taken_over: usize,
    /// Of those that would be read, so many at most are here already: only their headers tell, which a dry run does not ask for.
    #[serde(skip_serializing_if = "is_zero")]
    pub may_be_here: usize,
    /// How long reading took, in milliseconds.
    #[serde(skip_serializing_if = "is_zero")]
    pub read_ms: u64,
    /// Conflicts found in this run.
    pub conflicts: usize,
    /// What is held.
    pub held: usize,
    /// Items in quarantine.
    pub quarantined: usize,
    /// Requests made for this kind.
    pub requests: u64,
    /// Bytes received for this kind.
    pub bytes_in: u64,
}

/// What is not said of kinds that have no such thing.
fn is_zero<T: Default + PartialEq>(number: &T) -> bool {
    *number == T::default()
}

impl ReplicaReport {
    /// Whether anything moved at all.
    pub fn moved(&self) -> bool {
        self.taken() + self.sent() > 0
    }

    /// How many changes were taken from it.
    pub fn taken(&self) -> usize {
        self.created + self.updated + self.deleted + self.moved
    }

    /// How many changes were sent to it.
    pub fn sent(&self) -> usize {
        self.sent_created + self.sent_updated + self.sent_deleted + self.sent_moved
    }
}

/// One run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Version of this form.
    pub schema: u32,
    /// The number of the run.
    pub run: i64,
    /// The exit code that follows.
    pub exit: i32,
    /// Each replica and kind.
    pub replicas: Vec<ReplicaReport>,
    /// How long it took, in seconds.
    pub elapsed_s: f64_as_text::Seconds,
    /// What stood in the way, in words for the person who reads them.
    #[serde(skip)]
    pub troubles: Vec<String>,
    /// What those of them are about that are not of this run as a whole, by their words.
    #[serde(skip)]
    pub about: BTreeMap<String, About>,
    /// What a person has to do something about, by the name of the replica, without any words.
    #[serde(skip)]
    pub signs: BTreeSet<(String, Sign)>,
    /// The worst kinds of trouble met.
    #[serde(skip)]
    pub(crate) codes: Vec<i32>,
    /// What may pass by itself and was met since a kind last ended: at which replica, in which words.
    #[serde(skip)]
    passing: Vec<(String, String)>,
    /// The first of that in each kind.
    #[serde(skip)]
    of_kinds: BTreeMap<(String, Kind), String>,
    /// Earlier versions that were deleted because their time was over.
    #[serde(skip)]
    pub pruned: usize,
    /// The process was asked to stop.
    #[serde(skip)]
    pub stopped: bool,
    /// Messages are left to be read, because others waited for the run.
    #[serde(skip)]
    pub gave_way: bool,
    /// There was too little room on a disk: it did not begin, or did not come to its end.
    #[serde(skip)]
    pub full: bool,
    /// Providers that are better left alone for a while, by name: one kind of it, or all.
    #[serde(skip)]
    pub down: BTreeSet<(String, Option<Kind>)>,
    /// Those of them that only asked us to wait, and for how many seconds.
    #[serde(skip)]
    pub throttled: BTreeMap<(String, Option<Kind>), u64>,
    /// When what was left alone in this run, because it hung, may be asked for or written again, by kind: milliseconds since 1970.
    #[serde(skip)]
    pub again: BTreeMap<Kind, i64>,
}

/// What a trouble is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// All that the hub holds: every run says it, whatever it looked at itself.
    Hub,
    /// The sign-in at that place.
    SignIn(String),
    /// What this run met at that place.
    Place(String),
}

/// What a person has to do something about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sign {
    /// Somebody has to sign in.
    SignIn,
    /// Something waits for somebody's word: the hold's id; empty for what has none.
    Held(String),
    /// There is no room.
    Disk,
    /// Something failed that does not pass by itself.
    Failed,
}

impl Sign {
    /// What an error asks of a person; `None`: it may pass by itself.
    pub fn of(error: &Error) -> Option<Sign> {
        match code_of(error.kind) {
            // Our own words for it, at a device and in the hub.
            _ if error.to_string().contains("disk full") => Some(Sign::Disk),
            exit::SIGN_IN => Some(Sign::SignIn),
            exit::HELD => Some(Sign::Held(String::new())),
            exit::FAILED | exit::USAGE => Some(Sign::Failed),
            _ => None,
        }
    }
}

/// Seconds with three decimals, comparable.
pub mod f64_as_text {
    use serde::{Serialize, Serializer};

    /// A time span in milliseconds that is written as seconds.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Seconds(pub i64);

    impl Serialize for Seconds {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            // Milliseconds of a run fit into an f64 without loss.
            serializer.serialize_f64(self.0 as f64 / 1000.0)
        }
    }
}

/// Exit codes of the program (DESIGN 4).
pub mod exit {
    /// Aligned.
    pub const ALIGNED: i32 = 0;
    /// Failed.
    pub const FAILED: i32 = 1;
    /// Usage or configuration.
    pub const USAGE: i32 = 2;
    /// Sign-in needed.
    pub const SIGN_IN: i32 = 3;
    /// Something is held: it waits for an approval, or for a device to be put right.
    pub const HELD: i32 = 4;
    /// Done, but conflicts or quarantined items are left.
    pub const LEFT: i32 = 5;
    /// Temporary: network, provider down, an intent still unknown, another run holds the lock.
    pub const TEMPORARY: i32 = 75;
}

/// The exit code that an error alone would lead to.
pub fn code_of(kind: ErrorKind) -> i32 {
    match kind {
        ErrorKind::SignInNeeded => exit::SIGN_IN,
        ErrorKind::Held => exit::HELD,
        ErrorKind::Misconfigured => exit::USAGE,
        ErrorKind::Broken
        | ErrorKind::Unsupported
        | ErrorKind::Refused
        | ErrorKind::Forbidden
        | ErrorKind::NotFound => exit::FAILED,
        _ => exit::TEMPORARY,
    }
}

/// The one code to exit with, where several apply: the first of 2, 1, 3, 75, 4, 5.
pub fn worst(codes: &[i32]) -> i32 {
    [exit::USAGE, exit::FAILED, exit::SIGN_IN, exit::TEMPORARY, exit::HELD, exit::LEFT]
        .into_iter()
        .find(|code| codes.contains(code))
        .unwrap_or(exit::ALIGNED)
}

impl Report {
    /// An empty report of a run.
    pub fn new(run: i64) -> Self {
        Report {
            schema: 1,
            run,
            exit: 0,
            replicas: Vec::new(),
            pruned: 0,
            elapsed_s: f64_as_text::Seconds(0),
            troubles: Vec::new(),
            about: BTreeMap::new(),
            signs: BTreeSet::new(),
            codes: Vec::new(),
            passing: Vec::new(),
            of_kinds: BTreeMap::new(),
            stopped: false,
            gave_way: false,
            full: false,
            down: BTreeSet::new(),
            throttled: BTreeMap::new(),
            again: BTreeMap::new(),
        }
    }

    /// The report of a run that did not begin because there is too little room: it may by itself later.
    pub fn not_begun(no_room: NoRoom) -> Self {
        let mut report = Report { exit: exit::TEMPORARY, ..Report::new(0) };
        report.no_room(no_room);
        report
    }

    /// There is too little room on a disk.
    fn no_room(&mut self, no_room: NoRoom) {
        self.full = true;
        self.signs.insert((no_room.replica, Sign::Disk));
        self.codes.push(exit::TEMPORARY);
        self.say(no_room.words);
    }

    /// The row of a replica and kind, made on first mention.
    pub fn row(&mut self, name: &str, kind: Kind) -> &mut ReplicaReport {
        let at =
            self.replicas.iter().position(|row| row.name == name && row.kind == kind.as_str()).unwrap_or_else(|| {
                self.replicas.push(ReplicaReport { name: name.into(), kind: kind.to_string(), ..Default::default() });
                self.replicas.len() - 1
            });
        &mut self.replicas[at]
    }

    /// Notes trouble with one replica or item; it is told once, and counts for the exit code.
    pub fn trouble(&mut self, name: &str, error: &Error) {
        self.codes.push(code_of(error.kind));
        self.signs.extend(Sign::of(error).map(|sign| (name.to_owned(), sign)));
        if code_of(error.kind) == exit::TEMPORARY {
            self.passing.push((name.to_owned(), error.to_string()));
        }
        // A sign-in is that of the whole account, wherever it was missed first.
        match error.kind {
            ErrorKind::SignInNeeded => {
                let words = format!("{name}: {}", error.message);
                self.about.insert(words.clone(), About::SignIn(name.to_owned()));
                self.say(words);
            }
            _ => self.say_at(name, error),
        }
    }

    /// Says something of a place once; its name goes before the words.
    pub fn say_at(&mut self, place: &str, words: impl std::fmt::Display) {
        let words = format!("{place}: {words}");
        self.about.insert(words.clone(), About::Place(place.to_owned()));
        self.say(words);
    }

    /// Says something once.
    pub fn say(&mut self, words: String) {
        if !self.troubles.contains(&words) {
            self.troubles.push(words);
        }
    }

    /// Says something of all that the hub holds.
    fn say_of_hub(&mut self, words: &str) {
        self.about.insert(words.to_owned(), About::Hub);
        self.say(words.to_owned());
    }

    /// How many writes this run sent to replicas.
    pub fn writes(&self) -> usize {
        self.replicas.iter().map(ReplicaReport::sent).sum()
    }
}

/// Counts the network that a kind used: what every connector used since the last call is that kind's. What a place was asked before the
/// first kind counts for the first.
pub fn count_usage(cycle: &mut Cycle<'_>, kind: Kind) {
    for member in cycle.members.iter_mut().filter(|member| member.kinds.contains(&kind)) {
        let used = member.usage();
        let row = cycle.report.row(&member.replica.name, kind);
        row.requests += used.requests.saturating_sub(member.counted.requests);
        row.bytes_in += used.bytes_in.saturating_sub(member.counted.bytes_in);
        member.counted = used;
    }
    for (name, words) in std::mem::take(&mut cycle.report.passing) {
        cycle.report.of_kinds.entry((name, kind)).or_insert(words);
    }
}

fn why_key(replica: i64) -> String {
    format!("why {replica}")
}

/// What kept each kind at a replica from coming through in its last run, where that may pass by itself, in words for people.
pub fn why(hub: &Hub, replica: i64) -> Result<BTreeMap<Kind, String>> {
    let noted = hub.meta(&why_key(replica))?;
    // What cannot be read says nothing; the next run writes it anew.
    Ok(noted.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
}

/// Remembers what kept kinds from coming through. A run of some kinds says nothing of the others, nor of what was left alone.
fn note_why(cycle: &mut Cycle<'_>, index: usize) -> Result<()> {
    let (looked_at, member) = (cycle.kinds(), &cycle.members[index]);
    let before = why(cycle.hub, member.replica.id)?;
    let words = |kind: &Kind| {
        let absent = member.absent.get(kind);
        if !looked_at.contains(kind) || absent.is_some_and(Option::is_none) && !member.is_away() {
            return before.get(kind).cloned();
        }
        let error = member.trouble.as_ref().or_else(|| absent.and_then(Option::as_ref));
        let passes = |error: &&Error| code_of(error.kind) == exit::TEMPORARY;
        let met = cycle.report.of_kinds.get(&(member.replica.name.clone(), *kind));
        error.filter(passes).map(Error::to_string).or_else(|| met.cloned())
    };
    let now: BTreeMap<Kind, String> = member.kinds.iter().filter_map(|kind| Some((*kind, words(kind)?))).collect();
    if now != before {
        let text = serde_json::to_string(&now)
            .map_err(|error| Error::new(ErrorKind::Broken, "what a run met cannot be written").with_source(error))?;
        cycle.hub.set_meta(&why_key(member.replica.id), &text)?;
    }
    Ok(())
}

/// Fills what is only known at the end.
pub fn complete(cycle: &mut Cycle<'_>, started_ms: i64) -> Result<()> {
    let now = cycle.now();
    let kinds = cycle.kinds();
    let holds = cycle.hub.holds()?;
    let quarantined = cycle.hub.quarantined()?;
    for index in 0..cycle.members.len() {
        note_why(cycle, index)?;
    }
    for member in &cycle.members {
        for kind in kinds.iter().filter(|kind| member.kinds.contains(kind)) {
            let collections = cycle.hub.places(member.replica.id, *kind)?.len();
            let row = cycle.report.row(&member.replica.name, *kind);
            row.collections = collections;
            row.held = holds.iter().filter(|hold| hold.replica == member.replica.id && hold.kind == *kind).count();
            row.quarantined = quarantined.iter().filter(|entry| entry.replica == member.replica.id).count();
        }
        let of_kinds = kinds.iter().filter_map(|kind| member.absent.get(kind)).flatten();
        for error in member.trouble.iter().chain(of_kinds) {
            cycle.report.trouble(&member.replica.name, error);
        }
        if !member.replica.is_device {
            let down: Vec<Kind> = member.kinds.iter().copied().filter(|kind| member.is_down(*kind)).collect();
            let is_all = member.is_away() || !down.is_empty() && down.len() == member.kinds.len();
            // By what made it absent, if that did.
            let is_other = |kind: &Kind| {
                member
                    .absent
                    .get(kind)
                    .into_iter()
                    .flatten()
                    .any(|why| !matches!(why.kind, ErrorKind::Throttled { .. }))
            };
            let pause_s =
                |kind: &Kind| member.throttled.get(kind).copied().filter(|_| !member.is_away() && !is_other(kind));
            let parts: Vec<(Option<Kind>, Option<u64>)> = match is_all {
                true => vec![(
                    None,
                    down.iter().map(pause_s).collect::<Option<Vec<_>>>().and_then(|all| all.into_iter().max()),
                )],
                false => down.into_iter().map(|kind| (Some(kind), pause_s(&kind))).collect(),
            };
            for (part, pause_s) in parts {
                let place = (member.replica.name.clone(), part);
                cycle.report.throttled.extend(pause_s.map(|pause_s| (place.clone(), pause_s)));
                cycle.report.down.insert(place);
            }
        }
    }
    cycle.report.codes.extend(&cycle.settings.left_alone);
    if cycle.hub.intents()?.iter().any(|intent| intent.sent_ms.is_some()) {
        cycle.report.codes.push(exit::TEMPORARY);
        cycle.report.say_of_hub(
            "a write's fate is not known yet; it is looked for, not repeated. Run again later: twofold sync",
        );
    }
    // All of them, also of a replica that this run left out: what is not named is over.
    let names: HashMap<i64, String> = cycle.hub.replicas()?.into_iter().map(|known| (known.id, known.name)).collect();
    for hold in holds.iter().filter(|hold| !hold.is_approved) {
        let Some(name) = names.get(&hold.replica) else { continue };
        cycle.report.signs.insert((name.clone(), Sign::Held(hold.id.clone())));
        if hold.is_to_be_mended() {
            // What the device itself said is this very hold.
            cycle.report.signs.remove(&(name.clone(), Sign::Held(String::new())));
        }
    }
    if holds.iter().any(|hold| !hold.is_approved) {
        cycle.report.codes.push(exit::HELD);
        cycle.report.say_of_hub("something is held; it was not done. What it waits for: twofold held");
    }
    if !cycle.hub.conflicts()?.is_empty() {
        cycle.report.codes.push(exit::LEFT);
        cycle.report.say_of_hub("conflicts are left; both sides are kept. See: twofold conflicts");
    }
    if !quarantined.is_empty() {
        cycle.report.codes.push(exit::LEFT);
        cycle.report.say_of_hub("items are in quarantine; the rest was done. See: twofold status");
    }
    if let Some(no_room) = cycle.full.get() {
        cycle.report.no_room(no_room.clone());
    } else if cycle.report.stopped {
        cycle.report.codes.push(exit::TEMPORARY);
        cycle.report.say("the run was asked to stop and ended at a clean point. Go on with: twofold sync".into());
    } else if cycle.report.gave_way {
        cycle.report.codes.push(exit::TEMPORARY);
        cycle
            .report
            .say("mail: not all messages are read yet; the service goes on with them. See: twofold status".into());
    }
    cycle.report.elapsed_s = f64_as_text::Seconds(now - started_ms);
    cycle.report.exit = worst(&cycle.report.codes);
    Ok(())
}

/// What is told, without what of it is another one each time though it is the same that is told: how long a pause lasts still, until when, and
/// the names of requests.
pub fn lasting(words: &str) -> String {
    let mut kept = String::with_capacity(words.len());
    let mut rest = words;
    // Provider: "(request ID)" is what a provider calls its answer, "(client request ID)" what we called the request.
    while let Some(at) = [" (request ", " (client request "].iter().filter_map(|name| rest.find(name)).min() {
        kept.push_str(&rest[..at]);
        rest = rest[at..].split_once(')').map_or("", |(_, after)| after);
    }
    kept.push_str(rest);
    // Provider: Gmail tells the moment ("Retry after 2026-11-30T08:00:00.000Z").
    if let Some(at) = kept.find("Retry after ").map(|at| at + "Retry after".len()) {
        let length = kept[at + 1..].find([' ', ')', ';', ',']).map_or(kept.len() - at, |length| length + 1);
        kept.replace_range(at..at + length, "");
    }
    let is_passing = |part: &&str| {
        let number = part.strip_suffix(" s are left").or_else(|| {
            part.strip_prefix("the next try is in ").and_then(|rest| rest.strip_suffix(" s at the earliest"))
        });
        number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let parts: Vec<&str> = kept.split("; ").filter(|part| !is_passing(part)).collect();
    parts.join("; ").replace(", and others wait", "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_that_is_told_twice_is_one_trouble_and_other_numbers_tell_troubles_apart() {
        let told = [
            "google: contacts: the provider asked us to wait; 20 s are left",
            "google: contacts: the provider asked us to wait, and others wait; 7 s are left",
            "google: contacts: the provider asked us to wait",
        ];
        assert!(told.iter().all(|words| lasting(words) == told[2]), "{told:?}");
        for (request, left_s, moment) in
            [("a-1", 20, "2026-11-30T08:00:00.000Z"), ("b-2", 7, "2026-11-30T08:13:00.000Z")]
        {
            let words = format!(
                "google: mail: status 429: User-rate limit exceeded. Retry after {moment} (request {request}) (client request {request}); the next try is in {left_s} s at the earliest"
            );
            assert_eq!(lasting(&words), "google: mail: status 429: User-rate limit exceeded. Retry after");
        }
        for words in ["google: 3 items; 4 s are left over; go on", "a; b", "", "a (request"] {
            assert_eq!(lasting(words), words);
        }
    }

    #[test]
    fn where_several_codes_apply_the_first_of_the_design_is_taken() {
        assert_eq!(worst(&[]), 0);
        assert_eq!(worst(&[5, 4, 75]), 75);
        assert_eq!(worst(&[5, 4]), 4);
        assert_eq!(worst(&[75, 3, 4]), 3);
        assert_eq!(worst(&[1, 3]), 1);
        assert_eq!(worst(&[1, 2]), 2);
    }
}
