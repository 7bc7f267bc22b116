//! Who was told of which trouble, and who is still to be told: a ledger that outlives the service, so that nobody hears of one trouble twice.
//!
//! Pure: what a run found comes in, what is to be sent goes out. A trouble is a place and a cause, and no words of an error, which may name
//! what people keep. A message that could not be delivered is tried again, for longer pauses each time; one of a trouble that is over by
//! then is dropped, for there is nothing to be over of what nobody heard.

use super::{Duty, Kind};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A place that cannot be reached for so long was not proven for too long.
pub const STALE_MS: i64 = 24 * 3_600_000;
/// The pause after a first failure …
const FIRST_MS: i64 = 5_000;
/// … and after any number of them.
const MOST_MS: i64 = 3_600_000;

/// Why something does not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// Somebody has to sign in.
    SignIn,
    /// A plan, or a device as a whole, waits for somebody's word.
    Held,
    /// It could not be reached for a day.
    Stale,
    /// There is no room.
    Disk,
    /// A configuration that was to be read again is refused.
    Configuration,
    /// Something failed that does not pass by itself.
    Failed,
}

impl Cause {
    /// What it means, for people.
    pub fn words(self) -> &'static str {
        match self {
            Cause::SignIn => "a sign-in is needed",
            Cause::Held => "something is held until somebody decides, or puts a device right",
            Cause::Stale => "it could not be reached for a day",
            Cause::Disk => "there is no room on the disk",
            Cause::Configuration => "the configuration that was read again is refused, and the one before stays in use",
            Cause::Failed => "something failed",
        }
    }

    /// What to type.
    pub fn command(self, replica: &str) -> String {
        match self {
            Cause::SignIn => format!("twofold login {replica}"),
            Cause::Held => "twofold held".into(),
            Cause::Disk => "df -h; twofold status".into(),
            Cause::Configuration | Cause::Stale | Cause::Failed => "twofold doctor".into(),
        }
    }
}

/// One trouble: a place (empty: the service as a whole), why, and of several of a sort which.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Trouble {
    /// The name of a replica in the configuration.
    pub replica: String,
    /// Why.
    pub cause: Cause,
    /// Which hold, where there is one: each is a trouble of its own.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub hold: String,
    /// Of which kind alone, where the others go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Of what.
    pub trouble: Trouble,
    /// Since when, in milliseconds since 1970.
    pub since_ms: i64,
    /// When it was over; `None`: it has begun.
    pub over_ms: Option<i64>,
}

/// A way in which people are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// A request to an address.
    Webhook,
    /// A line in a file.
    File,
    /// The input of a program.
    Command,
}

impl Way {
    /// All of them.
    pub const ALL: [Way; 3] = [Way::Webhook, Way::File, Way::Command];
}

/// A message that is still to be delivered in one way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// The message.
    pub notice: Notice,
    /// The way.
    pub way: Way,
    /// How often that failed.
    pub tries: u32,
    /// When it is tried next, in milliseconds since 1970.
    pub next_ms: i64,
    /// It went out, and whether anybody got it is not known.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub may_be_heard: bool,
}

/// How a message fared that was not confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unconfirmed {
    /// Nobody got it.
    Unheard,
    /// Somebody may have got it: no answer came.
    MaybeHeard,
}

/// What is known of troubles and of who was told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// What stands in the way, and since when.
    open: Vec<(Trouble, i64)>,
    /// Places that cannot be reached (`google`), or kinds of them (`google: mail`), since when: they are a trouble only after a while.
    away: BTreeMap<String, i64>,
    /// What is to be delivered, in the order in which it happened.
    waiting: Vec<Waiting>,
}

/// What a run found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// What stands in the way.
    pub troubles: BTreeSet<Trouble>,
    /// Places that could not be reached: one kind of it, or all.
    pub away: BTreeSet<(String, Option<Kind>)>,
    /// Kinds that were, by the place.
    pub reached: BTreeSet<(String, Kind)>,
}

impl Found {
    /// Whether that kind was reached at a place; `None`: whether any was.
    fn is_reached(&self, replica: &str, kind: Option<Kind>) -> bool {
        self.reached.iter().any(|(name, of)| name == replica && kind.is_none_or(|kind| kind == *of))
    }
}

/// A trouble that is the only one of its sort at its place.
fn trouble(replica: &str, cause: Cause) -> Trouble {
    Trouble { replica: replica.to_owned(), cause, hold: String::new(), kind: None }
}

/// What stands for a place, or a kind of it, in the list of those that are away.
fn key(replica: &str, kind: Option<Kind>) -> String {
    kind.map_or_else(|| replica.to_owned(), |kind| format!("{replica}: {kind}"))
}

/// The place, and the kind, that a [`key`] stands for.
fn of_key(key: &str) -> (&str, Option<Kind>) {
    let part = key.rsplit_once(": ").and_then(|(replica, kind)| Some((replica, Kind::from_name(kind)?)));
    part.map_or((key, None), |(replica, kind)| (replica, Some(kind)))
}

impl Ledger {
    /// Takes what a run found; `kinds` are all that there are, `ways` those in which people are told. Nothing is over that the run did not
    /// look at. Whether anything changed.
    pub fn hear(&mut self, found: &Found, duty: &Duty, kinds: &[Kind], ways: &[Way], now_ms: i64) -> bool {
        let before = self.clone();
        let is_reached = |key: &str| {
            let (replica, kind) = of_key(key);
            found.is_reached(replica, kind)
        };
        self.away.retain(|key, _| !is_reached(key));
        for (replica, kind) in &found.away {
            // What is away alone now may have been so with all of its place.
            let since_ms = before.away.get(replica).copied().unwrap_or(now_ms);
            self.away.entry(key(replica, *kind)).or_insert(since_ms);
        }
        let is_of_all = duty.wish.as_ref().is_none_or(|wish| wish.replica.is_none());
        let is_whole = is_of_all && !kinds.is_empty() && kinds.iter().all(|kind| duty.kinds.contains(kind));
        let is_over = |trouble: &Trouble| match (trouble.cause, trouble.replica.as_str()) {
            (Cause::Stale, replica) => found.is_reached(replica, trouble.kind),
            // No run reads it.
            (Cause::Configuration, _) => false,
            // All that is held is known at the end of any run.
            (Cause::Held, _) if !trouble.hold.is_empty() => !duty.kinds.is_empty(),
            // What failed as a whole did not when a run came to its end.
            (_, "") => !duty.kinds.is_empty(),
            (_, replica) => is_whole && !duty.without.contains_key(replica),
        };
        let mut troubles = found.troubles.clone();
        let stale = self.away.iter().filter(|(_, since_ms)| now_ms - **since_ms >= STALE_MS);
        troubles.extend(stale.map(|(key, _)| {
            let (replica, kind) = of_key(key);
            Trouble { kind, ..trouble(replica, Cause::Stale) }
        }));
        let is_gone = |(trouble, _): &mut (Trouble, i64)| !troubles.contains(trouble) && is_over(trouble);
        let over: Vec<(Trouble, i64)> = self.open.extract_if(.., is_gone).collect();
        for (trouble, since_ms) in over {
            self.over(trouble, since_ms, ways, now_ms);
        }
        for trouble in troubles {
            if !self.open.iter().any(|(open, _)| *open == trouble) {
                let away =
                    self.away.get(&key(&trouble.replica, trouble.kind)).filter(|_| trouble.cause == Cause::Stale);
                let since_ms = away.copied().unwrap_or(now_ms);
                self.open.push((trouble.clone(), since_ms));
                self.tell(&Notice { trouble, since_ms, over_ms: None }, ways.iter(), now_ms);
            }
        }
        *self != before
    }

    /// Takes whether a configuration that was read, at the beginning or again, was refused. Whether anything changed.
    pub fn configured(&mut self, is_refused: bool, ways: &[Way], now_ms: i64) -> bool {
        let trouble = trouble("", Cause::Configuration);
        let open = self.open.iter().position(|(open, _)| *open == trouble);
        match (open, is_refused) {
            (None, true) => {
                self.open.push((trouble.clone(), now_ms));
                self.tell(&Notice { trouble, since_ms: now_ms, over_ms: None }, ways.iter(), now_ms);
            }
            (Some(at), false) => {
                let (trouble, since_ms) = self.open.remove(at);
                self.over(trouble, since_ms, ways, now_ms);
            }
            _ => return false,
        }
        true
    }

    /// Tells that a trouble is over. Who has not heard that it began need not hear of it.
    fn over(&mut self, trouble: Trouble, since_ms: i64, ways: &[Way], now_ms: i64) {
        let is_beginning = |one: &mut Waiting| one.notice.trouble == trouble && one.notice.over_ms.is_none();
        let untold: Vec<Waiting> = self.waiting.extract_if(.., is_beginning).collect();
        let unheard: Vec<Way> = untold.iter().filter(|one| !one.may_be_heard).map(|one| one.way).collect();
        let notice = Notice { trouble, since_ms, over_ms: Some(now_ms) };
        self.tell(&notice, ways.iter().filter(|way| !unheard.contains(way)), now_ms);
    }

    fn tell<'a>(&mut self, notice: &Notice, ways: impl Iterator<Item = &'a Way>, now_ms: i64) {
        let waiting =
            |way: &Way| Waiting { notice: notice.clone(), way: *way, tries: 0, next_ms: now_ms, may_be_heard: false };
        self.waiting.extend(ways.map(waiting));
    }

    /// Forgets what waits for ways that are configured no more.
    pub fn keep_ways(&mut self, ways: &[Way]) {
        self.waiting.retain(|one| ways.contains(&one.way));
    }

    /// The first message that waits for a way, so that they come in order, and in how many milliseconds it is due.
    pub fn next(&self, way: Way, now_ms: i64) -> Option<(Waiting, i64)> {
        let first = self.waiting.iter().find(|one| one.way == way)?;
        // A clock that was set back makes nothing wait for longer than it would have.
        Some((first.clone(), (first.next_ms - now_ms).clamp(0, MOST_MS)))
    }

    /// A message goes out; answers it as it waits from here on. Until somebody says how it fared, it may have been heard.
    pub fn begin(&mut self, due: &Waiting) -> Waiting {
        let sent = Waiting { may_be_heard: true, ..due.clone() };
        if let Some(one) = self.waiting.iter_mut().find(|one| *one == due) {
            one.clone_from(&sent);
        }
        sent
    }

    /// A message was delivered.
    pub fn delivered(&mut self, sent: &Waiting) {
        self.waiting.retain(|one| one != sent);
    }

    /// A message was not confirmed. `due`: as it was before it went out.
    pub fn failed(&mut self, due: &Waiting, sent: &Waiting, how: Unconfirmed, now_ms: i64) {
        if let Some(one) = self.waiting.iter_mut().find(|one| *one == sent) {
            one.next_ms = now_ms + (FIRST_MS << one.tries.min(10)).min(MOST_MS);
            one.tries = one.tries.saturating_add(1);
            one.may_be_heard = due.may_be_heard || how == Unconfirmed::MaybeHeard;
        }
    }

    /// What is being sent is not waited for any longer: somebody may have got it, and it is tried again after a pause.
    pub fn cut(&mut self, now_ms: i64) {
        for way in Way::ALL {
            if let Some((due, 0)) = self.next(way, now_ms).filter(|(due, _)| due.may_be_heard) {
                self.failed(&due, &due, Unconfirmed::MaybeHeard, now_ms);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Kind; 3] = [Kind::Mail, Kind::Calendar, Kind::Contacts];
    const HOUR: i64 = 3_600_000;
    const WAYS: [Way; 2] = [Way::Webhook, Way::File];

    fn dead() -> Trouble {
        trouble("google", Cause::SignIn)
    }

    fn names(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    /// What a whole run found; `reached` with all kinds.
    fn found(troubles: &[Trouble], away: &[&str], reached: &[&str]) -> Found {
        Found {
            troubles: troubles.iter().cloned().collect(),
            away: names(away).iter().map(|key| of_key(key)).map(|(name, kind)| (name.to_owned(), kind)).collect(),
            reached: reached.iter().flat_map(|name| ALL.map(|kind| ((*name).to_owned(), kind))).collect(),
        }
    }

    /// Hears of a run over all kinds; answers what is then told, all of which is delivered.
    fn hear(ledger: &mut Ledger, found: &Found, without: &[&str], now_ms: i64) -> Vec<(Way, Cause, bool)> {
        let duty = Duty {
            kinds: ALL.to_vec(),
            without: names(without).into_iter().map(|name| (name, ALL.into())).collect(),
            ..Duty::default()
        };
        ledger.hear(found, &duty, &ALL, &WAYS, now_ms);
        let mut told = Vec::new();
        for way in WAYS {
            while let Some((due, 0)) = ledger.next(way, now_ms) {
                ledger.delivered(&due);
                told.push((due.way, due.notice.trouble.cause, due.notice.over_ms.is_some()));
            }
        }
        told
    }

    fn both(cause: Cause, is_over: bool) -> Vec<(Way, Cause, bool)> {
        WAYS.map(|way| (way, cause, is_over)).to_vec()
    }

    #[test]
    fn everybody_hears_once_that_it_begins_and_once_that_it_is_over() {
        let mut ledger = Ledger::default();
        let (bad, good) = (found(&[dead()], &[], &[]), found(&[], &[], &["google"]));
        assert_eq!(hear(&mut ledger, &bad, &[], 0), both(Cause::SignIn, false));
        assert!(hear(&mut ledger, &bad, &[], HOUR).is_empty());
        // It was left alone, so nobody knows.
        assert!(hear(&mut ledger, &found(&[], &[], &[]), &["google"], 2 * HOUR).is_empty());
        // What was told before a restart is not told again.
        let mut ledger: Ledger = serde_json::from_str(&serde_json::to_string(&ledger).unwrap()).unwrap();
        assert!(hear(&mut ledger, &bad, &[], 3 * HOUR).is_empty());
        assert_eq!(hear(&mut ledger, &good, &[], 4 * HOUR), both(Cause::SignIn, true));
        assert_eq!(ledger, Ledger::default());
    }

    #[test]
    fn each_thing_that_is_held_is_told_and_over_by_itself() {
        let mut ledger = Ledger::default();
        let held = |id: &str| Trouble { hold: id.into(), ..trouble("laptop", Cause::Held) };
        let (first, second) = (held("a"), held("b"));
        assert_eq!(hear(&mut ledger, &found(std::slice::from_ref(&first), &[], &[]), &[], 0), both(Cause::Held, false));
        assert_eq!(hear(&mut ledger, &found(&[first, second.clone()], &[], &[]), &[], 1), both(Cause::Held, false));
        // The run that follows an approval is one of a single kind.
        let of_one = Duty { kinds: vec![Kind::Contacts], ..Duty::default() };
        assert!(ledger.hear(&found(&[second], &[], &[]), &of_one, &ALL, &WAYS, 2));
        let (over, 0) = ledger.next(Way::File, 2).unwrap() else { panic!("it is due") };
        assert_eq!((over.notice.trouble.hold.as_str(), over.notice.over_ms), ("a", Some(2)));
        assert_eq!(ledger.open.len(), 1, "the other one is still held");
    }

    #[test]
    fn a_run_with_one_replica_alone_ends_no_trouble_of_the_others() {
        let mut ledger = Ledger::default();
        hear(&mut ledger, &found(&[dead()], &[], &[]), &[], 0);
        let wish = crate::daemon::Wish { replica: Some("laptop".into()), ..Default::default() };
        let duty = Duty { kinds: ALL.to_vec(), wish: Some(wish), ..Duty::default() };
        assert!(!ledger.hear(&found(&[], &[], &[]), &duty, &ALL, &WAYS, 1));
    }

    #[test]
    fn what_failed_as_a_whole_is_over_with_any_run_that_came_to_its_end() {
        let mut ledger = Ledger::default();
        let full = trouble("", Cause::Disk);
        ledger.hear(&found(&[full], &[], &[]), &Duty::default(), &ALL, &WAYS, 0);
        assert!(!ledger.hear(&found(&[], &[], &[]), &Duty::default(), &ALL, &WAYS, 1));
        let of_one = Duty { kinds: vec![Kind::Mail], ..Duty::default() };
        assert!(ledger.hear(&found(&[], &[], &[]), &of_one, &ALL, &WAYS, 2));
        assert!(ledger.open.is_empty());
    }

    #[test]
    fn a_refused_configuration_is_over_with_a_good_one_and_with_no_run() {
        let mut ledger = Ledger::default();
        assert!(!ledger.configured(false, &WAYS, 0), "a good one is no news");
        assert!(ledger.configured(true, &WAYS, HOUR) && !ledger.configured(true, &WAYS, HOUR), "told once");
        assert_eq!(hear(&mut ledger, &found(&[], &[], &["google"]), &[], 2 * HOUR), both(Cause::Configuration, false));
        assert!(ledger.configured(false, &WAYS, 3 * HOUR));
        assert_eq!(hear(&mut ledger, &found(&[], &[], &[]), &[], 3 * HOUR), both(Cause::Configuration, true));
        assert_eq!(ledger, Ledger::default());
    }

    #[test]
    fn what_cannot_be_reached_is_told_after_a_day_and_counts_from_its_beginning() {
        let mut ledger = Ledger::default();
        let (away, reached) = (found(&[], &["google"], &[]), found(&[], &[], &["google"]));
        assert!(hear(&mut ledger, &away, &[], HOUR).is_empty());
        assert!(hear(&mut ledger, &found(&[], &[], &[]), &["google"], 20 * HOUR).is_empty());
        assert_eq!(hear(&mut ledger, &away, &[], 25 * HOUR), both(Cause::Stale, false));
        assert_eq!(ledger.open, [(trouble("google", Cause::Stale), HOUR)]);
        assert_eq!(hear(&mut ledger, &reached, &[], 26 * HOUR), both(Cause::Stale, true));
        // Reached in between: it begins anew.
        hear(&mut ledger, &away, &[], 30 * HOUR);
        hear(&mut ledger, &reached, &[], 31 * HOUR);
        assert!(hear(&mut ledger, &away, &[], 54 * HOUR).is_empty());
    }

    #[test]
    fn a_kind_that_cannot_be_reached_while_its_place_can_is_told_by_itself() {
        let mut ledger = Ledger::default();
        // First all of it, then one kind, which counts from the beginning.
        hear(&mut ledger, &found(&[], &["google"], &[]), &[], HOUR);
        let mut part = found(&[], &["google: contacts"], &[]);
        part.reached = [Kind::Mail, Kind::Calendar].map(|kind| ("google".to_owned(), kind)).into();
        assert!(hear(&mut ledger, &part, &[], 10 * HOUR).is_empty());
        let mut ledger: Ledger = serde_json::from_str(&serde_json::to_string(&ledger).unwrap()).unwrap();
        assert_eq!(hear(&mut ledger, &part, &[], 25 * HOUR), both(Cause::Stale, false));
        let stale = Trouble { kind: Some(Kind::Contacts), ..trouble("google", Cause::Stale) };
        assert_eq!(ledger.open, [(stale, HOUR)]);
        assert!(hear(&mut ledger, &part, &[], 26 * HOUR).is_empty(), "told once");
        assert_eq!(hear(&mut ledger, &found(&[], &[], &["google"]), &[], 27 * HOUR), both(Cause::Stale, true));
        assert_eq!(ledger, Ledger::default());
    }

    #[test]
    fn a_way_that_fails_is_tried_again_later_and_holds_no_other() {
        let mut ledger = Ledger::default();
        let duty = Duty { kinds: ALL.to_vec(), ..Duty::default() };
        assert!(ledger.hear(&found(&[dead()], &[], &[]), &duty, &ALL, &WAYS, 0));
        let (mut waits_s, mut now) = (Vec::new(), 0);
        for _ in 0..12 {
            let (due, 0) = ledger.next(Way::Webhook, now).unwrap() else { panic!("it is due") };
            let sent = ledger.begin(&due);
            ledger.failed(&due, &sent, Unconfirmed::Unheard, now);
            let (_, wait_ms) = ledger.next(Way::Webhook, now).unwrap();
            waits_s.push(wait_ms / 1000);
            now += wait_ms;
        }
        assert_eq!(waits_s, [5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600]);
        let (due, 0) = ledger.next(Way::File, now).unwrap() else { panic!("it is due") };
        ledger.delivered(&due);
        // It is over before anybody heard of it there: the file hears that, the webhook nothing.
        ledger.hear(&found(&[], &[], &[]), &duty, &ALL, &WAYS, now);
        assert!(ledger.next(Way::Webhook, now).is_none());
        assert!(ledger.next(Way::File, now).unwrap().0.notice.over_ms.is_some());
    }

    #[test]
    fn who_may_have_heard_that_it_began_hears_that_it_is_over() {
        for answers in [true, false] {
            let mut ledger = Ledger::default();
            let duty = Duty { kinds: ALL.to_vec(), ..Duty::default() };
            ledger.hear(&found(&[dead()], &[], &[]), &duty, &ALL, &[Way::Webhook], 0);
            let (due, 0) = ledger.next(Way::Webhook, 0).unwrap() else { panic!("it is due") };
            let sent = ledger.begin(&due);
            if answers {
                ledger.failed(&due, &sent, Unconfirmed::MaybeHeard, 0);
                // A later try that reached nobody takes nothing of that back.
                let (due, _) = ledger.next(Way::Webhook, HOUR).unwrap();
                let sent = ledger.begin(&due);
                ledger.failed(&due, &sent, Unconfirmed::Unheard, HOUR);
            }
            // The service was killed, or goes on, and then somebody signed in.
            let mut ledger: Ledger = serde_json::from_str(&serde_json::to_string(&ledger).unwrap()).unwrap();
            ledger.hear(&found(&[], &[], &["google"]), &duty, &ALL, &[Way::Webhook], 2 * HOUR);
            let (due, 0) = ledger.next(Way::Webhook, 2 * HOUR).unwrap() else { panic!("it is due") };
            assert_eq!(due.notice.over_ms, Some(2 * HOUR), "answers: {answers}");
        }
    }
}
