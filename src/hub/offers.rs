//! Offers: messages that somebody brought without saying where they stand, and the copies that lack their bytes.
//!
//! An offer is no copy: nothing is decided because of it, and nothing is ever made of one that nobody asks for.

use crate::sightings::{SIGHTING, Sighting, sighting};
use crate::{Hub, replicas};
use rusqlite::params;
use twofold_model::{Rendering, Result, Uid};

/// A message that somebody brought.
#[derive(Clone, Debug, PartialEq)]
pub struct Offer {
    /// What names it among those of its account: brought twice, it is one.
    pub name: String,
    /// The UID that the account's copies of it carry, where it is known.
    pub uid: Option<Uid>,
    /// Which bytes, and what their header says.
    pub rendering: Rendering,
}

impl Hub {
    /// Takes an offer for an account; one that is there already stays. Answers whether it is new.
    pub fn offer(&mut self, origin: i64, offer: &Offer) -> Result<bool> {
        let known =
            self.count("SELECT count(*) FROM offers WHERE origin = ?1 AND name = ?2", params![origin, offer.name])?;
        if known > 0 {
            return Ok(false);
        }
        let uid = offer.uid.as_ref().map(Uid::as_str);
        let values = params![origin, offer.name, uid, offer.rendering.as_bytes()];
        self.run("INSERT INTO offers (origin, name, uid, rendering) VALUES (?1, ?2, ?3, ?4)", values)?;
        Ok(true)
    }

    /// How many offers there are for an account.
    pub fn offers_count(&self, origin: i64) -> Result<usize> {
        self.count("SELECT count(*) FROM offers WHERE origin = ?1", [origin])
    }

    /// The bytes that were brought for the copies of that UID.
    pub fn offer_of(&self, origin: i64, uid: &Uid) -> Result<Option<Rendering>> {
        let read = |row: &rusqlite::Row<'_>| Ok(Rendering(row.get(0)?));
        self.one("SELECT rendering FROM offers WHERE origin = ?1 AND uid = ?2", params![origin, uid.as_str()], read)
    }

    /// Offers of which no UID is known, after a key: key and rendering.
    pub fn unnamed_offers(&self, origin: i64, after: i64, most: usize) -> Result<Vec<(i64, Rendering)>> {
        self.all(
            "SELECT id, rendering FROM offers WHERE origin = ?1 AND uid IS NULL AND id > ?2 ORDER BY id LIMIT ?3",
            params![origin, after, i64::try_from(most).unwrap_or(i64::MAX)],
            |row| Ok((row.get(0)?, Rendering(row.get(1)?))),
        )
    }

    /// One offer by its key.
    pub fn offer_by_id(&self, id: i64) -> Result<Option<Rendering>> {
        self.one("SELECT rendering FROM offers WHERE id = ?1", [id], |row| Ok(Rendering(row.get(0)?)))
    }

    /// Nobody lacks any bytes of this account: what was brought for it and not asked for is let go.
    pub fn forget_offers(&mut self, origin: i64) -> Result<()> {
        self.run("DELETE FROM offers WHERE origin = ?1", [origin])
    }

    /// Copies at a replica whose bytes are still to be asked for, after a key.
    pub fn lacking_after(&self, replica: i64, after: i64, most: usize) -> Result<Vec<Sighting>> {
        self.all(
            &format!("SELECT {SIGHTING} FROM sightings s WHERE replica = ?1 AND lacks > 0 AND gone = 0 AND id > ?2 ORDER BY id LIMIT ?3"),
            params![replica, after, i64::try_from(most).unwrap_or(i64::MAX)],
            sighting,
        )
    }

    /// Copies on devices, in the collections of an account, that belong to no item yet, after a key.
    pub fn unpaired_after(&self, origin: i64, after: i64, most: usize) -> Result<Vec<Sighting>> {
        self.all(
            &format!("SELECT {SIGHTING} FROM sightings s JOIN collections c ON c.id = s.collection AND c.origin = ?1
             WHERE s.replica IN (SELECT id FROM replicas WHERE is_device) AND s.item IS NULL AND s.gone = 0 AND s.lacks = 0
               AND s.id > ?2 ORDER BY s.id LIMIT ?3"),
            params![origin, after, i64::try_from(most).unwrap_or(i64::MAX)],
            sighting,
        )
    }

    /// One sighting by its key.
    pub fn sighting_by_id(&self, id: i64) -> Result<Option<Sighting>> {
        self.one(&format!("SELECT {SIGHTING} FROM sightings s WHERE id = ?1"), [id], sighting)
    }

    /// Somebody brought a place more than it had when it was met: what is new there is met as on its first use.
    pub fn set_place_unmet(&mut self, place: &replicas::Place) -> Result<()> {
        self.run("UPDATE places SET met = 0 WHERE id = ?1", [place.id])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_brought_twice_is_one_offer_and_found_by_its_uid() {
        let mut hub = Hub::in_memory().unwrap();
        let account = hub.replica("google", false).unwrap().id;
        let other = hub.replica("microsoft365", false).unwrap().id;
        let offer = |name: &str, uid: Option<&str>| Offer {
            name: name.into(),
            uid: uid.map(Uid::from),
            rendering: Rendering(name.as_bytes().to_vec()),
        };
        assert!(hub.offer(account, &offer("a", Some("g1"))).unwrap());
        assert!(!hub.offer(account, &offer("a", Some("g1"))).unwrap());
        assert!(hub.offer(account, &offer("b", None)).unwrap());
        assert_eq!(hub.offer_of(account, &Uid::from("g1")).unwrap(), Some(Rendering(b"a".to_vec())));
        assert_eq!(hub.offer_of(other, &Uid::from("g1")).unwrap(), None);
        let unnamed = hub.unnamed_offers(account, 0, 9).unwrap();
        assert_eq!(unnamed.iter().map(|(_, rendering)| rendering.as_bytes()).collect::<Vec<_>>(), [b"b"]);
        assert_eq!(hub.offers_count(account).unwrap(), 2);
        hub.forget_offers(account).unwrap();
        assert_eq!(hub.offers_count(account).unwrap(), 0);
    }
}
