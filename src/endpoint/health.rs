//! What stands in the way: `twofold status` and the page show all of it, and `/healthz` answers what of it leads to an exit code.

use super::facts::{Facts, Kept, Replica};
use super::page::bytes;
use std::collections::BTreeMap;
use twofold_model::Kind;

/// Something that stands in the way of the service or of a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// For people, with what to type where somebody can do something about it.
    pub words: String,
    /// The same without what a place or a person said, where all is not well for it: it names nothing but replicas and kinds.
    pub brief: Option<String>,
    /// The exit code that it alone leads to (DESIGN 4); 0: it is told elsewhere in that code.
    pub exit: i32,
}

impl Trouble {
    /// Whose words name nothing but replicas and kinds.
    fn plain(exit: i32, words: String) -> Trouble {
        // All is not well where `status` ends with something else than 0 for it alone.
        Trouble { brief: (exit != 0).then(|| words.clone()), words, exit }
    }

    /// Whether all is not well for it.
    pub fn is_ill(&self) -> bool {
        self.brief.is_some()
    }
}

const FAILED: i32 = 1;
const USAGE: i32 = 2;
const SIGN_IN: i32 = 3;
const TEMPORARY: i32 = 75;

/// All that stands in the way. What waits for a person (held, in conflict, in quarantine) is counted elsewhere: the rest goes on.
pub fn troubles(facts: &Facts) -> Vec<Trouble> {
    let mut all = Vec::new();
    let service = &facts.service;
    if service.is_stuck {
        all.push(Trouble::plain(FAILED, "the service makes no progress; see its log".to_owned()));
    }
    if service.is_mute {
        let words = format!("the service runs and does not answer; {}", service.keeper.look());
        all.push(Trouble::plain(TEMPORARY, words));
    }
    if let Some(path) = &service.left_behind {
        let words = format!(
            "no service is running: the last one was killed, or crashed; {}, or, where none is to run, type: rm '{path}'",
            service.keeper.start()
        );
        all.push(Trouble::plain(TEMPORARY, words));
    }
    if let Some(words) = &service.refused {
        all.push(Trouble::plain(USAGE, words.clone()));
    }
    if let Some(exit) = facts.exits.iter().find(|exit| [FAILED, USAGE].contains(exit)) {
        let words = "the last run failed; see the log of the service, or type: twofold doctor";
        all.push(Trouble::plain(*exit, words.to_owned()));
    }
    all.extend(full(facts));
    for replica in &facts.replicas {
        place(&mut all, facts, replica);
    }
    let is_told = |words: &str| {
        // Of these all was said above that there is to say.
        let mut told =
            facts.replicas.iter().filter(|replica| needs_sign_in(replica) || signed_in_since(facts, replica));
        let mut met = facts.replicas.iter().flat_map(|replica| {
            replica.why.values().chain(&replica.trouble).map(|met| format!("{}: {met}", replica.name))
        });
        all.iter().any(|trouble| trouble.words == words)
            || told.any(|replica| is_of(words, replica))
            || met.any(|met| met == words)
    };
    let of_runs: Vec<Trouble> =
        service.troubles.iter().filter(|words| !is_told(words)).map(|words| Trouble::plain(0, words.clone())).collect();
    all.extend(of_runs);
    if let Some(began_ms) = facts.cut_off_ms {
        all.push(Trouble::plain(TEMPORARY, cut_off(began_ms, facts.now_ms)));
    }
    if facts.last_run.is_none() && facts.exits.is_empty() && facts.cut_off_ms.is_none() {
        all.push(match service.at_work {
            // What the service is at is no illness, though it may take hours.
            Some(_) => {
                let words = "nothing has been synced yet: the first run is under way. See: twofold status".to_owned();
                Trouble { words, brief: None, exit: TEMPORARY }
            }
            None => Trouble::plain(TEMPORARY, "nothing has been synced yet; type: twofold sync".to_owned()),
        });
    }
    if all.is_empty() && facts.exits.iter().any(|exit| [SIGN_IN, TEMPORARY].contains(exit)) {
        let words = "the last run did not come through all that it was to do; go on with: twofold sync";
        all.push(Trouble::plain(TEMPORARY, words.to_owned()));
    }
    all
}

/// What stands in the way at a place.
fn place(all: &mut Vec<Trouble>, facts: &Facts, replica: &Replica) {
    let name = &replica.name;
    if needs_sign_in(replica) {
        let words = format!("{name}: somebody has to sign in; type: twofold login {name}");
        return all.push(Trouble::plain(SIGN_IN, words));
    }
    let not_granted = replica.sign_in.as_ref().map(|sign_in| &sign_in.not_granted);
    for words in not_granted.into_iter().flat_map(|all| all.values()) {
        all.push(Trouble::plain(SIGN_IN, format!("{name}: {words}")));
    }
    let is_granted = |kind: &Kind| not_granted.is_none_or(|all| !all.contains_key(kind));
    let late: Vec<&str> = late_kinds(facts, replica).filter(is_granted).map(Kind::as_str).collect();
    if !late.is_empty() {
        let words = format!("{name}: {} were not read for too long; see: twofold doctor", late.join(", "));
        all.push(Trouble::plain(TEMPORARY, words));
    }
    if replica.trouble.is_some() && signed_in_since(facts, replica) {
        let exit = if replica.down.is_empty() { 0 } else { TEMPORARY };
        let words = format!("{name}: somebody signed in since the last run; type: twofold sync");
        return all.push(Trouble::plain(exit, words));
    }
    let parts = parts(replica, is_granted);
    let is_told = |words: &String| parts.keys().any(|(_, why)| *why == Some(words.as_str()));
    if let Some(words) = replica.trouble.as_ref().filter(|words| !is_told(words)) {
        let words = format!("{name}: {words}");
        if all.iter().all(|trouble| trouble.words != words) {
            all.push(Trouble::plain(0, words));
        }
    }
    for ((is_down, why), kinds) in parts {
        let how = if is_down { "did not come through" } else { "came through in part only" };
        let what = format!("{name}: {} {how} in the last run", kinds.join(", "));
        let brief = format!("{what}; go on with: twofold sync");
        // An error names its kind first, as the words before it do.
        let why = why.map(|why| why.strip_prefix(&format!("{}: ", kinds.join(", "))).unwrap_or(why));
        let words = match why.map(|why| why.trim_end_matches('.')) {
            None => brief.clone(),
            Some(why) if why.contains("twofold ") => format!("{what}: {why}"),
            Some(why) => format!("{what}: {why}; go on with: twofold sync"),
        };
        all.push(Trouble { words, brief: Some(brief), exit: TEMPORARY });
    }
}

/// The kinds that did not come through at a place in their last run, by whether they could not be read at all, and why as far as it is known.
fn parts(replica: &Replica, is_granted: impl Fn(&Kind) -> bool) -> BTreeMap<(bool, Option<&str>), Vec<&'static str>> {
    let mut parts: BTreeMap<_, Vec<&str>> = BTreeMap::new();
    for kind in replica.kinds.keys().filter(|kind| is_granted(kind)) {
        let (is_down, why) = (replica.down.contains(kind), replica.why.get(kind));
        if is_down || why.is_some() {
            let why = why.or(replica.trouble.as_ref()).map(String::as_str);
            parts.entry((is_down, why)).or_default().push(kind.as_str());
        }
    }
    parts
}

/// What keeps runs over these kinds from coming through at some place, in words for people; nothing: nothing that is known.
pub fn in_the_way(facts: &Facts, kinds: &[Kind]) -> Vec<String> {
    let mut all: Vec<Trouble> = full(facts).into_iter().collect();
    for replica in facts.replicas.iter().filter(|replica| kinds.iter().any(|kind| replica.kinds.contains_key(kind))) {
        place(&mut all, facts, replica);
    }
    all.into_iter().map(|trouble| trouble.words).collect()
}

/// What is told of a run that did not come to its end.
fn cut_off(began_ms: i64, now_ms: i64) -> String {
    let minutes = (now_ms - began_ms).max(0) / 60_000;
    let when = match minutes {
        0..120 => format!("{minutes} min ago"),
        120..2_880 => format!("{} h ago", minutes / 60),
        _ => format!("{} days ago", minutes / 1_440),
    };
    format!(
        "the last run, which began {when}, did not come to its end: it was killed, crashed, or failed as a whole. What it did is kept, \
         and what it had under way is looked for, not repeated. Go on with: twofold sync"
    )
}

/// The first disk without room, as runs tell it: one of them holds all places.
fn full(facts: &Facts) -> Option<Trouble> {
    let room = facts.disk.rooms.iter().find(|room| room.is_full())?;
    let words = format!(
        "the disk of {} is nearly full: {} are free, and {} are to stay free; nothing more is read or written; free some space. See: twofold \
         doctor",
        room.folder(),
        bytes(room.free),
        bytes(room.floor)
    );
    Some(Trouble::plain(TEMPORARY, words))
}

/// Whether words of a run are about a place.
fn is_of(words: &str, replica: &Replica) -> bool {
    words.strip_prefix(&replica.name).is_some_and(|rest| rest.starts_with(':'))
}

fn needs_sign_in(replica: &Replica) -> bool {
    replica.sign_in.as_ref().is_some_and(|sign_in| sign_in.needed.is_some())
}

/// Whether no run began after somebody signed in there: what stood in the way before is not known to do so now.
pub fn signed_in_since(facts: &Facts, replica: &Replica) -> bool {
    let since_ms = replica.sign_in.as_ref().and_then(|sign_in| sign_in.since_ms);
    facts.last_run.is_some_and(|run| since_ms.is_some_and(|since_ms| since_ms > run.started_ms))
}

/// The exit codes that the state leads to, without that of what waits for a person.
pub fn exits(facts: &Facts, troubles: &[Trouble]) -> Vec<i32> {
    let signed_in = facts.replicas.iter().any(|replica| signed_in_since(facts, replica));
    let of_runs = facts.exits.iter().filter_map(|exit| match *exit {
        // Whether that was enough says the next run.
        SIGN_IN if signed_in => Some(TEMPORARY),
        SIGN_IN | TEMPORARY => Some(*exit),
        _ => None,
    });
    troubles.iter().map(|trouble| trouble.exit).chain(of_runs).collect()
}

/// What is not well, in words for people and without names of anything but replicas and kinds; nothing: all is.
pub fn ills(facts: &Facts) -> Vec<String> {
    troubles(facts).into_iter().filter_map(|trouble| trouble.brief).collect()
}

/// The kinds that were not read at a place when they should have been.
pub fn late_kinds(facts: &Facts, replica: &Replica) -> impl Iterator<Item = Kind> {
    // A run that is under way reads, and holds up what is due meanwhile.
    let as_of_ms = facts.service.at_work.as_ref().map_or(facts.now_ms, |(since_ms, _)| *since_ms);
    let is_late = move |kept: &Kept| kept.late_from_ms.is_some_and(|late_ms| late_ms < as_of_ms);
    replica.kinds.iter().filter(move |(_, kept)| is_late(kept)).map(|(kind, _)| *kind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::facts::{Room, Run, SignIn};

    fn well() -> Facts {
        let kept = Kept { read_ms: Some(0), late_from_ms: Some(1_000), ..Kept::default() };
        let replica = Replica {
            name: "google".into(),
            sign_in: Some(SignIn::default()),
            kinds: [(Kind::Mail, kept.clone()), (Kind::Contacts, kept)].into(),
            ..Replica::default()
        };
        let last_run = Some(Run { exit: Some(4), ..Run::default() });
        Facts { now_ms: 1_000, replicas: vec![replica], last_run, ..Facts::default() }
    }

    #[test]
    fn what_waits_for_a_person_is_no_illness() {
        let mut facts = well();
        facts.conflicts = 3;
        facts.replicas[0].quarantined = 2;
        assert_eq!(ills(&facts), [""; 0]);
    }

    #[test]
    fn what_was_not_read_in_time_is_told_by_place_and_kind() {
        let mut facts = well();
        facts.now_ms = 1_001;
        assert_eq!(ills(&facts), ["google: mail, contacts were not read for too long; see: twofold doctor"]);
        // A run that began before is still reading.
        facts.service.at_work = Some((1_000, vec![Kind::Mail]));
        assert_eq!(ills(&facts), [""; 0]);
    }

    #[test]
    fn a_dead_sign_in_a_failed_run_a_full_disk_and_no_progress_are_told() {
        let mut facts = well();
        facts.now_ms = 5_000;
        facts.replicas[0].sign_in =
            Some(SignIn { needed: Some("the sign-in of ada@example.org ended".into()), ..SignIn::default() });
        facts.exits = vec![0, 1];
        facts.service.is_stuck = true;
        let room = |device: &str, free| Room { device: Some(device.into()), free, floor: 6_000_000 };
        facts.disk.rooms = vec![room("phone", 9_000_000), room("laptop", 3_000_000)];
        let ills = ills(&facts);
        assert_eq!(ills.len(), 4, "{ills:?}");
        assert!(ills[3].ends_with("type: twofold login google"), "{ills:?}");
        let full = "the disk of the folder of laptop is nearly full: 3.0 MB are free, and 6.0 MB are to stay free";
        assert!(ills[2].starts_with(full), "{ills:?}");
        assert!(!ills.concat().contains("ada@example.org"), "{ills:?}");
    }

    /// What is told, and the exit codes that follow.
    fn told(facts: &Facts) -> (Vec<String>, Vec<i32>) {
        let all = troubles(facts);
        let codes = exits(facts, &all).into_iter().filter(|exit| *exit != 0).collect();
        (all.into_iter().map(|trouble| trouble.words).collect(), codes)
    }

    #[test]
    fn what_may_pass_is_told_and_counts_and_is_no_illness() {
        let mut facts = well();
        assert_eq!(told(&facts), (vec![], vec![]));
        facts.replicas[0].trouble = Some("nobody answers".into());
        facts.exits = vec![75];
        // The service says the same, and one thing more.
        facts.service.troubles = vec!["google: nobody answers".into(), "laptop: a folder is missing".into()];
        let words = vec!["google: nobody answers".to_owned(), "laptop: a folder is missing".to_owned()];
        assert_eq!((told(&facts), ills(&facts)), ((words, vec![75]), vec![]));
    }

    #[test]
    fn what_status_ends_with_for_a_place_or_the_service_is_an_illness_by_place_and_kind_without_what_was_answered() {
        let mut facts = well();
        facts.exits = vec![75];
        facts.replicas[0].down = [Kind::Contacts].into();
        facts.replicas[0].why = [(Kind::Contacts, "\"Anna's people\": it answers 503".to_owned())].into();
        facts.service.troubles = vec!["google: \"Anna's people\": it answers 503".into()];
        let brief = "google: contacts did not come through in the last run; go on with: twofold sync".to_owned();
        assert_eq!(ills(&facts), [brief]);
        let words = "google: contacts did not come through in the last run: \"Anna's people\": it answers 503; go on with: twofold sync";
        assert_eq!(told(&facts), (vec![words.to_owned()], vec![75, 75]), "told once");
        facts.replicas[0].why = [(Kind::Contacts, "contacts: it answers 503".to_owned())].into();
        facts.service.troubles.clear();
        let words = "google: contacts did not come through in the last run: it answers 503; go on with: twofold sync";
        assert_eq!(told(&facts).0, [words], "the kind is named once");
        facts.replicas[0].why = [(Kind::Contacts, "\"Anna's people\": it answers 503".to_owned())].into();
        // One folder of many.
        facts.replicas[0].down.clear();
        let ills_of = ills(&facts);
        assert_eq!(ills_of, ["google: contacts came through in part only in the last run; go on with: twofold sync"]);
        // All of a place, for one reason.
        facts.service.troubles = vec!["google: nobody answers".into()];
        facts.replicas[0].trouble = Some("nobody answers".into());
        facts.replicas[0].down = [Kind::Mail, Kind::Contacts].into();
        facts.replicas[0].why = [Kind::Mail, Kind::Contacts].map(|kind| (kind, "nobody answers".to_owned())).into();
        let words =
            "google: mail, contacts did not come through in the last run: nobody answers; go on with: twofold sync";
        assert_eq!(told(&facts).0, [words]);
        facts.replicas.clear();
        (facts.service.troubles, facts.exits, facts.cut_off_ms) = (vec![], vec![], Some(0));
        assert_eq!(ills(&facts).len(), 1);
    }

    #[test]
    fn a_first_sync_of_mail_that_goes_on_is_no_illness() {
        let mut facts = well();
        facts.exits = vec![75];
        facts.service.troubles = vec!["mail: not all messages are read yet".into()];
        assert_eq!((told(&facts).1, ills(&facts).len()), (vec![75], 0));
        // The very first run, for as long as it takes.
        (facts.exits, facts.last_run, facts.service) = (vec![], None, Default::default());
        assert_eq!((told(&facts).1, ills(&facts).len()), (vec![75], 1));
        facts.service.at_work = Some((0, vec![Kind::Mail]));
        assert_eq!((told(&facts).1, ills(&facts).len()), (vec![75], 0));
    }

    #[test]
    fn a_kind_that_was_not_granted_is_an_illness_told_once_and_never_late() {
        let mut facts = well();
        let words = "not granted: mail; type: twofold login google".to_owned();
        let not_granted = [(Kind::Mail, words.clone())].into();
        facts.replicas[0].sign_in = Some(SignIn { not_granted, ..SignIn::default() });
        facts.replicas[0].trouble = Some(words.clone());
        facts.service.troubles = vec![format!("google: {words}")];
        facts.exits = vec![3];
        assert_eq!(told(&facts), (vec![format!("google: {words}")], vec![3, 3]));
        facts.now_ms = 1_001;
        let late = "google: contacts were not read for too long; see: twofold doctor".to_owned();
        assert_eq!(ills(&facts), [format!("google: {words}"), late]);
    }

    #[test]
    fn a_run_that_was_cut_short_or_never_made_is_told() {
        let mut facts = well();
        facts.exits = vec![75];
        let (words, codes) = told(&facts);
        assert!(words.len() == 1 && words[0].ends_with(": twofold sync"), "{words:?}");
        assert_eq!(codes, [75, 75]);
        (facts.exits, facts.last_run) = (vec![], None);
        assert_eq!(told(&facts), (vec!["nothing has been synced yet; type: twofold sync".to_owned()], vec![75]));
    }

    #[test]
    fn a_sign_in_that_was_made_after_the_last_run_needs_a_run_and_no_other_sign_in() {
        let mut facts = well();
        facts.replicas[0].trouble = Some("the sign-in ended; type: twofold login google".into());
        facts.exits = vec![3];
        assert_eq!(told(&facts).1, [3], "it did not help");
        facts.replicas[0].sign_in = Some(SignIn { since_ms: Some(1), ..SignIn::default() });
        let (words, codes) = told(&facts);
        assert_eq!(words, ["google: somebody signed in since the last run; type: twofold sync"]);
        assert_eq!(codes, [75]);
        // A service that has not heard of it yet.
        facts.service.troubles = vec!["google: the sign-in ended; type: twofold login google".into()];
        assert_eq!(told(&facts).0, words);
    }

    #[test]
    fn a_run_that_was_killed_is_told_until_one_came_to_its_end() {
        let mut facts = well();
        (facts.now_ms, facts.cut_off_ms) = (5 * 60_000, Some(0));
        facts.replicas.clear();
        let (words, codes) = told(&facts);
        assert!(words[0].contains("began 5 min ago") && words[0].ends_with(": twofold sync"), "{words:?}");
        assert_eq!((words.len(), codes), (1, vec![75]));
        // The first one of all, too.
        (facts.last_run, facts.exits) = (None, vec![]);
        assert_eq!(told(&facts).0, words);
    }

    #[test]
    fn a_killed_service_and_a_refused_configuration_are_told() {
        let mut facts = well();
        facts.service.keeper = crate::config::unit::Keeper::Unit("twofold@ada".into());
        facts.service.left_behind = Some("/state/socket".into());
        facts.service.refused = Some("the configuration is refused".into());
        assert_eq!((ills(&facts).len(), told(&facts).1), (2, vec![75, 2]));
        let words = told(&facts).0[0].clone();
        assert!(
            words.contains("systemctl status twofold@ada;") && words.ends_with("type: rm '/state/socket'"),
            "{words}"
        );
    }
}
