//! Photos that could not be had, and when they are asked for again (pure).
//!
//! Why a photo cannot be had says little of how long: a host that is down is up again, an address that leads nowhere (404, or a
//! page for people) may lead to the picture a minute later, and some never do. So all are treated alike: asked for again in the
//! next round, then after 2, 4, 8 … rounds, [`TRIES`] times; after that there is the next full listing, which asks anew. A photo
//! that is really gone costs [`TRIES`] looks between two full listings, and not one in each round.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// So many photos are remembered; for more there is the next full listing.
const MOST: usize = 200;
/// So often a photo is asked for again.
pub const TRIES: u32 = 5;

/// Persons whose photo could not be had, by resource name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LatePhotos(BTreeMap<String, Late>);

/// One such photo.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Late {
    /// How often it was asked for again.
    tries: u32,
    /// Rounds until the next try.
    rounds: u32,
}

impl LatePhotos {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Another photo that could not be had: it is due in the next round.
    pub fn add(&mut self, person: String) {
        if self.0.len() < MOST {
            self.0.entry(person).or_insert(Late { tries: 0, rounds: 1 });
        }
    }

    /// Nothing is to be asked any more.
    pub fn remove(&mut self, person: &str) {
        self.0.remove(person);
    }

    /// A round begins: gives at most `most` that are due, those first that were tried least. Whatever comes of it, each of them
    /// waits twice as long as before, or is given up.
    pub fn due(&mut self, most: usize) -> Vec<String> {
        self.0.values_mut().for_each(|late| late.rounds = late.rounds.saturating_sub(1));
        let mut due: Vec<(u32, String)> = self
            .0
            .iter()
            .filter(|(_, late)| late.rounds == 0)
            .map(|(person, late)| (late.tries, person.clone()))
            .collect();
        due.sort();
        due.truncate(most);
        for (tries, person) in &due {
            match tries + 1 {
                TRIES.. => drop(self.0.remove(person)),
                tries => drop(self.0.insert(person.clone(), Late { tries, rounds: 1 << tries })),
            }
        }
        due.into_iter().map(|(_, person)| person).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rounds, counted from 1, in which a photo is asked for that never comes.
    fn asked(late: &mut LatePhotos, person: &str, rounds: u32) -> Vec<u32> {
        (1..=rounds).filter(|_| late.due(8).iter().any(|due| due == person)).collect()
    }

    #[test]
    fn a_photo_that_never_comes_is_asked_for_less_and_less_and_then_given_up() {
        let mut late = LatePhotos::default();
        late.add("people/c1".into());
        assert_eq!(asked(&mut late, "people/c1", 1000), [1, 3, 7, 15, 31]);
        assert!(late.is_empty());
    }

    #[test]
    fn one_that_fails_each_time_does_not_keep_the_others_waiting() {
        let mut late = LatePhotos::default();
        (0..20).for_each(|i| late.add(format!("people/c{i:02}")));
        let mut seen: Vec<String> = (0..3).flat_map(|_| late.due(8)).take(20).collect();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 20, "each is asked for once before any is asked for twice");
    }

    #[test]
    fn a_bounded_number_is_remembered() {
        let mut late = LatePhotos::default();
        (0..1000).for_each(|i| late.add(format!("people/c{i}")));
        assert_eq!(late.0.len(), MOST);
    }
}
