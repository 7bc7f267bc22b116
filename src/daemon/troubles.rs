//! What stands in the way, told once when it begins and once when it is over.

use super::{Duty, Kind};
use std::collections::BTreeSet;

/// What was told and is not over, in the words of a run's report (`google: …`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Troubles {
    told: BTreeSet<String>,
}

/// What there is to tell after a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct News {
    /// Stands in the way since this run.
    pub new: Vec<String>,
    /// Does so no more.
    pub over: Vec<String>,
}

impl Troubles {
    /// Takes what a run found; `kinds` are all that there are. Nothing is over that the run did not look at: a kind that it left out, a
    /// provider that it left alone, all but the one replica that somebody asked for.
    pub fn hear(&mut self, found: BTreeSet<String>, duty: &Duty, kinds: &[Kind]) -> News {
        let is_of_all = duty.wish.as_ref().is_none_or(|wish| wish.replica.is_none());
        let is_whole = is_of_all && kinds.iter().all(|kind| duty.kinds.contains(kind));
        let was_looked_at = |words: &str| {
            is_whole
                && !duty.without.iter().any(|name| words.strip_prefix(name).is_some_and(|rest| rest.starts_with(':')))
        };
        let new: Vec<String> = found.difference(&self.told).cloned().collect();
        let over: Vec<String> = self.told.difference(&found).filter(|words| was_looked_at(words)).cloned().collect();
        self.told.retain(|words| !over.contains(words));
        self.told.extend(found);
        News { new, over }
    }

    /// All that stands in the way.
    pub fn all(&self) -> Vec<String> {
        self.told.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Kind; 3] = [Kind::Mail, Kind::Calendar, Kind::Contacts];

    fn run(troubles: &mut Troubles, found: &[&str], kinds: &[Kind], without: &[&str]) -> (Vec<String>, Vec<String>) {
        let without = without.iter().map(|name| (*name).to_owned()).collect();
        let duty = Duty { kinds: kinds.to_vec(), without, ..Duty::default() };
        let news = troubles.hear(found.iter().map(|words| (*words).to_owned()).collect(), &duty, &ALL);
        (news.new, news.over)
    }

    #[test]
    fn a_trouble_is_told_once_and_once_when_it_is_over() {
        let mut troubles = Troubles::default();
        let dead = "google: sign in";
        assert_eq!(run(&mut troubles, &[dead], &ALL, &[]), (vec![dead.to_owned()], vec![]));
        assert_eq!(run(&mut troubles, &[dead], &ALL, &[]), (vec![], vec![]));
        assert_eq!(troubles.all(), [dead]);
        assert_eq!(run(&mut troubles, &[], &ALL, &[]), (vec![], vec![dead.to_owned()]));
        assert_eq!(troubles, Troubles::default());
    }

    #[test]
    fn what_a_run_did_not_look_at_is_not_over() {
        let mut troubles = Troubles::default();
        let (dead, held) = ("google: sign in", "something is held");
        run(&mut troubles, &[dead, held], &ALL, &[]);
        assert_eq!(run(&mut troubles, &[], &[Kind::Mail], &[]), (vec![], vec![]));
        let wish = Some(crate::daemon::Wish { replica: Some("laptop".to_owned()), ..Default::default() });
        let duty = Duty { kinds: ALL.to_vec(), wish, ..Duty::default() };
        assert_eq!(troubles.hear(BTreeSet::new(), &duty, &ALL), News::default(), "one replica alone");
        assert_eq!(run(&mut troubles, &[], &ALL, &["google"]), (vec![], vec![held.to_owned()]));
        assert_eq!(troubles.all(), [dead]);
    }
}
