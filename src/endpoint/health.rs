//! Whether all is well: what `/healthz` answers.

use super::facts::{Facts, Kept, Replica};
use twofold_model::Kind;

/// Exit codes of a run that failed as a whole.
const FAILED: [i32; 2] = [1, 2];

/// What is not well, in words for people and without names of anything but replicas and kinds; nothing: all is.
///
/// What waits for a person (held, in conflict, in quarantine) is no illness: the rest goes on.
pub fn ills(facts: &Facts) -> Vec<String> {
    let mut ills = Vec::new();
    if facts.service.is_stuck {
        ills.push("the service makes no progress; see its log".to_owned());
    }
    if facts.last_run.and_then(|run| run.exit).is_some_and(|exit| FAILED.contains(&exit)) {
        ills.push("the last run failed; see the log of the service, or type: twofold doctor".to_owned());
    }
    if facts.disk.room.is_some_and(|room| room.free < room.floor) {
        ills.push("the disk is nearly full, and nothing more is read or written; free some space".to_owned());
    }
    for replica in &facts.replicas {
        let needs_sign_in = replica.sign_in.as_ref().is_some_and(|sign_in| sign_in.needed.is_some());
        if needs_sign_in {
            ills.push(format!("{0}: somebody has to sign in; type: twofold login {0}", replica.name));
        }
        let late: Vec<&str> = late_kinds(facts, replica).map(Kind::as_str).collect();
        if !late.is_empty() && !needs_sign_in {
            ills.push(format!("{}: {} were not read for too long", replica.name, late.join(", ")));
        }
    }
    ills
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
        let kept = Kept { proof_ms: Some(0), late_from_ms: Some(1_000), ..Kept::default() };
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
        assert_eq!(ills(&facts), ["google: mail, contacts were not read for too long"]);
        // A run that began before is still reading.
        facts.service.at_work = Some((1_000, vec![Kind::Mail]));
        assert_eq!(ills(&facts), [""; 0]);
    }

    #[test]
    fn a_dead_sign_in_a_failed_run_a_full_disk_and_no_progress_are_told() {
        let mut facts = well();
        facts.now_ms = 5_000;
        facts.replicas[0].sign_in =
            Some(SignIn { needed: Some("the sign-in of ada@example.org ended".into()), ends_ms: None });
        facts.last_run = Some(Run { exit: Some(1), ..Run::default() });
        facts.service.is_stuck = true;
        facts.disk.room = Some(Room { free: 9, floor: 10 });
        let ills = ills(&facts);
        assert_eq!(ills.len(), 4, "{ills:?}");
        assert!(ills[3].ends_with("type: twofold login google"), "{ills:?}");
        assert!(!ills.concat().contains("ada@example.org"), "{ills:?}");
    }
}
