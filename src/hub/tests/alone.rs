//! Of which copies of a batch nothing is known but what waits to be settled of them.

use std::collections::HashSet;
use twofold_hub::items::Origin;
use twofold_hub::{Bad, Hub};
use twofold_model::{CollectionId, Content, Etag, Facts, Kind, Rendering, Seen, Uid};

const ORIGIN: Origin = Origin { at_ms: 1, rank: 1, source: None };

struct World {
    hub: Hub,
    account: i64,
    inbox: i64,
}

impl World {
    fn new() -> World {
        let mut hub = Hub::in_memory().unwrap();
        let account = hub.replica("account", false).unwrap().id;
        let inbox = hub.add_collection(Kind::Mail, "INBOX", None, account).unwrap();
        World { hub, account, inbox }
    }

    fn see(&mut self, name: &str, uid: &str) {
        let (seen, facts) = (seen(name, uid), Facts { lacks_body: true, ..Facts::default() });
        self.hub.first_sighting(self.account, self.inbox, (&seen, &facts), 1).unwrap();
    }

    /// An item with that UID, known at the account under that name.
    fn know(&mut self, name: &str, uid: &str) -> i64 {
        let says = (&Content::new(), &Facts::default());
        let item = self.hub.add_item(Kind::Mail, Some(&Uid::from(uid)), says, ORIGIN, self.inbox).unwrap();
        self.hub.add_placement(item.id, self.account, self.inbox, item.version, &seen(name, uid)).unwrap();
        self.hub.placements(item.id).unwrap()[0].id
    }

    fn are_alone(&self, shown: &[(&str, Option<&str>)]) -> HashSet<String> {
        self.hub.alone(self.account, Kind::Mail, shown).unwrap()
    }
}

fn seen(name: &str, uid: &str) -> Seen {
    Seen {
        remote_id: name.into(),
        collection: CollectionId("INBOX".into()),
        uid: Some(Uid::from(uid)),
        etag: Etag("1".into()),
        modified_ms: Some(7),
        mark: None,
        rendering: Rendering(b"as it looks".to_vec()),
    }
}

#[test]
fn a_new_copy_is_alone_also_where_it_waits_for_its_bytes() {
    let mut world = World::new();
    world.see("waits", "w");
    let shown = [("waits", Some("w")), ("new \"one\"", Some("n")), ("nameless", None)];
    assert_eq!(world.are_alone(&shown), shown.map(|(name, _)| name.to_owned()).into());
    let waiting = world.hub.sightings_of(world.account, &["new \"one\"", "waits"]).unwrap();
    assert_eq!(waiting.iter().map(|waiting| waiting.remote_id.as_str()).collect::<Vec<_>>(), ["waits"]);
}

#[test]
fn a_further_copy_of_a_message_that_waits_or_is_known_is_not_alone() {
    let mut world = World::new();
    world.see("inbox/1", "1");
    world.know("inbox/2", "2");
    let shown = [("archive/1", Some("1")), ("archive/2", Some("2")), ("archive/3", Some("3"))];
    assert_eq!(world.are_alone(&shown), ["archive/3".to_owned()].into());
}

#[test]
fn a_copy_that_is_known_or_gone_was_removed_or_cannot_be_read_is_not_alone() {
    let mut world = World::new();
    world.know("known", "1");
    let left = world.know("gone", "3");
    world.hub.store_gone(world.account, &"gone".into(), 1).unwrap();
    world.hub.remove_placement(left).unwrap();
    let gone = world.know("removed", "2");
    world.hub.depart(gone, 5).unwrap();
    let (replica, collection) = (world.account, Some(world.inbox));
    let bad = Bad { replica, collection, item: None, remote_id: "bad", reason: "no sheet", raw: b"" };
    world.hub.quarantine(&bad, 1).unwrap();
    let shown = [("known", None), ("gone", None), ("removed", None), ("bad", None), ("other", None)];
    assert_eq!(world.are_alone(&shown), ["other".to_owned()].into());
    let elsewhere = world.hub.replica("elsewhere", false).unwrap().id;
    assert_eq!(world.hub.alone(elsewhere, Kind::Mail, &shown).unwrap().len(), 5, "at another place all are");
}
