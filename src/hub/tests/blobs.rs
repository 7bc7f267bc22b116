//! Which blobs are named, and by what: the bytes of a message go with the last name (promise 4).

use std::collections::BTreeSet;
use twofold_hub::items::Origin;
use twofold_hub::{Bad, Hub, Intent, IntentKind, Item, Label, Place};
use twofold_model::email::{Sheet, headers};
use twofold_model::{BlobId, CollectionId, Content, Etag, Facts, Kind, Rendering, Seen};

const ORIGIN: Origin = Origin { at_ms: 1, rank: 1, source: None };
const BYTES: &[u8] = b"Subject: Hello\r\n\r\nbody";

fn says(bytes: &[u8]) -> Content {
    twofold_model::email::content(&headers::read(bytes), BlobId::of(bytes).as_str(), ["$seen"])
}

fn sheet(bytes: &[u8]) -> Rendering {
    let mut sheet = Sheet { received_ms: Some(1), draft: Some("a".into()), ..Sheet::default() };
    sheet.set_message(&BlobId::of(bytes), bytes);
    sheet.write().unwrap()
}

fn seen(bytes: &[u8]) -> Seen {
    Seen {
        remote_id: "1".into(),
        collection: CollectionId("INBOX".into()),
        etag: Etag("1".into()),
        rendering: sheet(bytes),
        uid: None,
        mark: None,
        modified_ms: None,
    }
}

struct World {
    hub: Hub,
    google: i64,
    inbox: i64,
}

impl World {
    fn new() -> World {
        let mut hub = Hub::in_memory().unwrap();
        let google = hub.replica("google", false).unwrap().id;
        let inbox = hub.add_collection(Kind::Mail, "INBOX", None, google).unwrap();
        let label = Label { name: "INBOX".into(), color: None };
        hub.add_place(&Place { is_default: true, ..Place::new(inbox, google, "INBOX", label) }).unwrap();
        hub.begin_run(1_000).unwrap();
        World { hub, google, inbox }
    }

    fn message(&mut self, bytes: &[u8]) -> Item {
        let item = self.hub.add_item(Kind::Mail, None, (&says(bytes), &Facts::default()), ORIGIN, self.inbox).unwrap();
        self.hub.done(item.id).unwrap();
        item
    }

    fn is_named(&self, bytes: &[u8]) -> bool {
        self.hub.unnamed(vec![BlobId::of(bytes)]).unwrap().is_empty()
    }
}

/// What names the bytes, and how it ends.
type Name = (&'static str, fn(&mut World), fn(&mut World));

const NAMES: &[Name] = &[
    (
        "a version that was replaced",
        |world| {
            let item = world.message(BYTES);
            let other = world.hub.add_version(item.id, &says(b"other"), ORIGIN, None, None).unwrap();
            world.hub.set_version(item.id, other).unwrap();
            world.hub.done(item.id).unwrap();
            world.hub.begin_aging(1_000).unwrap();
        },
        |world| assert_eq!(world.hub.prune(2_000, 3_000, |_, _| Ok(())).unwrap(), 1),
    ),
    (
        "a copy whose item says otherwise",
        |world| {
            let item = world.message(b"other");
            world.hub.add_placement(item.id, world.google, world.inbox, item.version, &seen(BYTES)).unwrap();
        },
        |world| world.hub.remove_all_placements(world.google).unwrap(),
    ),
    (
        "what was seen and is not settled",
        |world| {
            let told = (&seen(BYTES), &Facts::default());
            world.hub.store_sighting(world.google, world.inbox, None, told, 1).unwrap();
        },
        |world| world.hub.remove_sighting_of(world.google, &"1".into()).unwrap(),
    ),
    (
        "what is about to be written",
        |world| {
            let item = world.message(b"other");
            let intent = Intent {
                id: 0,
                replica: world.google,
                item: item.id,
                collection: world.inbox,
                kind: IntentKind::Update,
                remote_id: Some("1".into()),
                etag: None,
                target: Some(sheet(BYTES)),
                version: item.version,
                generation: 1,
                sent_ms: None,
                not_before_ms: None,
            };
            world.hub.add_intent(&intent).unwrap();
        },
        |world| {
            let intent = world.hub.intents().unwrap().remove(0);
            world.hub.remove_intent(intent.id).unwrap();
        },
    ),
    (
        "what is in quarantine",
        |world| {
            let raw = sheet(BYTES);
            let bad = Bad {
                replica: world.google,
                collection: Some(world.inbox),
                item: None,
                remote_id: "1",
                reason: "odd",
                raw: raw.as_bytes(),
            };
            world.hub.quarantine(&bad, 1).unwrap();
        },
        |world| world.hub.leave_quarantine(world.google, "1").unwrap(),
    ),
];

#[test]
fn bytes_are_named_by_every_row_that_says_them_and_by_nothing_once_it_is_gone() {
    for (what, begin, end) in NAMES {
        let mut world = World::new();
        assert!(!world.is_named(BYTES));
        begin(&mut world);
        assert!(world.is_named(BYTES), "{what}");
        end(&mut world);
        assert!(!world.is_named(BYTES), "{what}, no more");
    }
}

#[test]
fn promise_4_what_goes_with_a_message_is_only_what_no_other_message_names() {
    let mut world = World::new();
    let (shared, own) = (BYTES, b"Subject: Own\r\n\r\nbody".as_slice());
    for bytes in [shared, own] {
        let gone = world.message(bytes);
        world.hub.set_stands(gone.id, &BTreeSet::new(), 1).unwrap();
        world.hub.done(gone.id).unwrap();
    }
    // The same bytes in another account.
    world.message(shared);
    world.hub.begin_aging(1_000).unwrap();
    let mut gone = Vec::new();
    let pruned = world.hub.prune(2_000, 3_000, |hub, unnamed| {
        assert!(hub.items_by_blob(&BlobId::of(own))?.is_empty(), "the row goes first");
        gone.extend_from_slice(unnamed);
        Ok(())
    });
    assert_eq!((pruned.unwrap(), gone), (2, vec![BlobId::of(own)]));
    let mut named = Vec::new();
    let note = |blob: &BlobId| {
        named.push(blob.clone());
        Ok(())
    };
    world.hub.each_named_blob(note).unwrap();
    assert_eq!(named, [BlobId::of(shared)]);
}

#[test]
fn a_hub_that_was_made_before_tells_which_blobs_it_names() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let mut world = World { hub: Hub::open(&state).unwrap(), ..World::new() };
    let google = world.hub.replica("google", false).unwrap().id;
    world.inbox = world.hub.add_collection(Kind::Mail, "INBOX", None, google).unwrap();
    world.message(BYTES);
    let beside = rusqlite::Connection::open(world.hub.path()).unwrap();
    beside
        .execute_batch("DROP INDEX versions_by_blob; DROP INDEX placements_by_blob; UPDATE items SET blob = NULL")
        .unwrap();
    drop((beside, world));
    let hub = Hub::open(&state).unwrap();
    assert_eq!(hub.unnamed(vec![BlobId::of(BYTES), BlobId::of(b"none")]).unwrap(), [BlobId::of(b"none")]);
}
