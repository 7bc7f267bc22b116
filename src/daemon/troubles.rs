//! What stands in the way, told once when it begins and once when it is over.

use super::{Duty, Kind};
use std::collections::{BTreeMap, BTreeSet};

/// What was told and is not over, in the words of a run's report (`google: …`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Troubles {
    told: BTreeMap<String, Open>,
}

/// A trouble that is not over.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Open {
    about: About,
    /// The kinds in which it was found and not looked for since.
    kinds: BTreeSet<Kind>,
}

/// What a trouble is about, which decides when it is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// What a run met in its kinds.
    Kinds,
    /// All that the hub holds: every run says it, whatever it looked at itself.
    Hub,
    /// The sign-in at that place.
    SignIn(String),
    /// What a run met at that place.
    Place(String),
}

impl About {
    /// The replica; `None`: not one alone.
    pub fn place(&self) -> Option<&str> {
        match self {
            About::Kinds | About::Hub => None,
            About::SignIn(place) | About::Place(place) => Some(place),
        }
    }
}

/// What there is to tell after a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct News {
    /// Stands in the way since this run, and what it is about.
    pub new: Vec<(String, About)>,
    /// Does so no more.
    pub over: Vec<(String, About)>,
}

impl Troubles {
    /// Takes what a run found; `kinds` are all that there are. Nothing is over that the run did not look at: a kind that it left out, or
    /// left alone at its provider, all but the one replica that somebody asked for.
    pub fn hear(&mut self, found: BTreeMap<String, About>, duty: &Duty, kinds: &[Kind]) -> News {
        let is_of_all = duty.wish.as_ref().is_none_or(|wish| wish.replica.is_none());
        for (_, open) in self.told.iter_mut().filter(|(words, _)| !found.contains_key(*words)) {
            if open.about == About::Hub && !duty.kinds.is_empty() {
                open.kinds.clear();
            } else if is_of_all {
                let left = open.about.place().and_then(|place| duty.without.get(place));
                open.kinds.retain(|kind| !duty.kinds.contains(kind) || left.is_some_and(|left| left.contains(kind)));
            }
        }
        let over = self.over(|open| open.kinds.is_empty());
        let is_new = |(words, _): &(&String, &About)| !self.told.contains_key(*words);
        let new = found.iter().filter(is_new).map(|(words, about)| (words.clone(), about.clone())).collect();
        // A run that failed as a whole is one of all.
        let of_run = if duty.kinds.is_empty() { kinds } else { &duty.kinds };
        for (words, about) in found {
            self.told.entry(words).or_insert(Open { about, kinds: BTreeSet::new() }).kinds.extend(of_run);
        }
        News { new, over }
    }

    /// Somebody signed in at these places. Answers what is over with that; whether it was enough says the next run.
    pub fn signed_in(&mut self, places: &BTreeSet<String>) -> Vec<(String, About)> {
        self.over(|open| matches!(&open.about, About::SignIn(place) if places.contains(place)))
    }

    fn over(&mut self, is_over: impl Fn(&Open) -> bool) -> Vec<(String, About)> {
        self.told.extract_if(.., |_, open| is_over(open)).map(|(words, open)| (words, open.about)).collect()
    }

    /// All that stands in the way, the first of it where there is room for one: what is said of the whole hub lasts for as long as a place is
    /// away of which it is, and comes last.
    pub fn all(&self) -> Vec<String> {
        let mut all: Vec<(&String, &Open)> = self.told.iter().collect();
        all.sort_by_key(|(_, open)| open.about == About::Hub);
        all.into_iter().map(|(words, _)| words.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Kind; 3] = [Kind::Mail, Kind::Calendar, Kind::Contacts];
    const OF_THE_HUB: [&str; 2] = ["something waits", "something is left"];

    fn run(troubles: &mut Troubles, found: &[&str], kinds: &[Kind], without: &[&str]) -> (Vec<String>, Vec<String>) {
        let without = without.iter().map(|name| ((*name).to_owned(), ALL.into())).collect();
        let duty = Duty { kinds: kinds.to_vec(), without, ..Duty::default() };
        let about = |words: &str| match words.strip_suffix(": sign in") {
            Some(place) => About::SignIn(place.to_owned()),
            None if OF_THE_HUB.contains(&words) => About::Hub,
            None => words.split_once(": ").map_or(About::Kinds, |(place, _)| About::Place(place.to_owned())),
        };
        let found = found.iter().map(|words| ((*words).to_owned(), about(words))).collect();
        let news = troubles.hear(found, &duty, &ALL);
        (words(news.new), words(news.over))
    }

    fn words(told: Vec<(String, About)>) -> Vec<String> {
        told.into_iter().map(|(words, _)| words).collect()
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
        assert_eq!(troubles.hear(BTreeMap::new(), &duty, &ALL), News::default(), "one replica alone");
        assert_eq!(run(&mut troubles, &[], &ALL, &["google"]), (vec![], vec![held.to_owned()]));
        assert_eq!(troubles.all(), [dead]);
    }

    #[test]
    fn where_a_trouble_is_says_who_found_it_and_not_how_its_words_begin() {
        let mut troubles = Troubles::default();
        let (of_all, at_place) = ("mail: not all is read yet", "google: nobody answers");
        let about = [(of_all.to_owned(), About::Kinds), (at_place.to_owned(), About::Place("google".to_owned()))];
        let duty = Duty { kinds: ALL.to_vec(), ..Duty::default() };
        let new = troubles.hear(about.into(), &duty, &ALL).new;
        let places: Vec<_> = new.iter().map(|(words, about)| (words.as_str(), about.place())).collect();
        assert_eq!(places, [(at_place, Some("google")), (of_all, None)]);
        // A device may be called so, and be left alone.
        assert_eq!(run(&mut troubles, &[], &ALL, &["google", "mail"]).1, [of_all]);
    }

    #[test]
    fn the_trouble_of_a_kind_that_is_left_alone_at_its_provider_is_not_over_when_its_other_kinds_ran() {
        let mut troubles = Troubles::default();
        let away = "google: mail: it answers 503";
        run(&mut troubles, &[away], &ALL, &[]);
        let without = [("google".to_owned(), [Kind::Mail].into())].into();
        let duty = Duty { kinds: ALL.to_vec(), without, ..Duty::default() };
        assert_eq!(troubles.hear(BTreeMap::new(), &duty, &ALL), News::default());
        assert_eq!(run(&mut troubles, &[], &[Kind::Mail], &[]), (vec![], vec![away.to_owned()]));
    }

    #[test]
    fn kinds_that_never_run_together_end_a_trouble_when_each_of_those_that_had_it_was_looked_at() {
        let mut troubles = Troubles::default();
        let away = "google: nobody answers";
        run(&mut troubles, &[away], &[Kind::Mail], &[]);
        run(&mut troubles, &[away], &[Kind::Contacts], &[]);
        assert_eq!(run(&mut troubles, &[], &[Kind::Calendar], &[]), (vec![], vec![]));
        assert_eq!(run(&mut troubles, &[], &[Kind::Mail], &[]), (vec![], vec![]));
        assert_eq!(run(&mut troubles, &[], &[Kind::Contacts], &[]), (vec![], vec![away.to_owned()]));
    }

    #[test]
    fn what_is_said_of_the_whole_hub_is_over_with_any_run_that_says_it_no_more() {
        let mut troubles = Troubles::default();
        run(&mut troubles, &OF_THE_HUB, &ALL, &[]);
        assert_eq!(troubles.all().len(), OF_THE_HUB.len());
        let (_, over) = run(&mut troubles, &OF_THE_HUB[1..], &[Kind::Mail], &["google"]);
        assert_eq!(over, [OF_THE_HUB[0]]);
    }

    #[test]
    fn a_place_that_wants_somebody_is_told_before_what_waits_for_it() {
        let mut troubles = Troubles::default();
        run(&mut troubles, &["google: sign in", "something waits", "the disk is full"], &ALL, &[]);
        assert_eq!(troubles.all(), ["google: sign in", "the disk is full", "something waits"]);
    }

    #[test]
    fn a_sign_in_that_was_missed_is_no_trouble_any_more_when_somebody_signed_in_there() {
        let mut troubles = Troubles::default();
        run(&mut troubles, &["google: sign in", "google: nobody answers", "microsoft365: sign in"], &ALL, &[]);
        assert_eq!(words(troubles.signed_in(&["google".to_owned()].into())), ["google: sign in"]);
        assert_eq!(troubles.all(), ["google: nobody answers", "microsoft365: sign in"]);
        // It did not help.
        assert_eq!(run(&mut troubles, &["google: sign in"], &[Kind::Mail], &[]).0, ["google: sign in"]);
    }
}
