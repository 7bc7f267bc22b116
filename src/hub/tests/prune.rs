//! What may go, and what may not (promise 4, ENGINE 12 and 13).

use std::collections::BTreeSet;
use twofold_hub::items::Origin;
use twofold_hub::{Bad, Conflict, Hub, Intent, IntentKind, Item, Label, Place};
use twofold_model::{CollectionId, Content, Error, ErrorKind, Etag, Facts, Kind, Rendering, Seen};

const DAY_MS: i64 = 24 * 3_600_000;
/// When everything is made.
const MADE: i64 = 20_000 * DAY_MS;
const RETENTION_MS: i64 = 180 * DAY_MS;
const ORIGIN: Origin = Origin { at_ms: 1, rank: 1, source: None };

fn says(name: &str) -> Content {
    let mut content = Content::new();
    content.set("name", serde_json::json!({"full": name}));
    content
}

fn seen(id: &str) -> Seen {
    Seen {
        remote_id: id.into(),
        collection: CollectionId("book".into()),
        etag: Etag("1".into()),
        rendering: Rendering(b"as it looks".to_vec()),
        uid: None,
        mark: None,
        modified_ms: None,
    }
}

struct World {
    hub: Hub,
    google: i64,
    phone: i64,
    book: i64,
}

impl World {
    fn new() -> World {
        World::of(Hub::in_memory().unwrap())
    }

    fn of(mut hub: Hub) -> World {
        let (google, phone) = (hub.replica("google", false).unwrap().id, hub.replica("phone", true).unwrap().id);
        let book = hub.add_collection(Kind::Contacts, "Book", None, google).unwrap();
        for replica in [google, phone] {
            let label = Label { name: "Book".into(), color: None };
            let place = Place { is_default: true, ..Place::new(book, replica, "book", label) };
            hub.add_place(&place).unwrap();
        }
        hub.begin_run(MADE).unwrap();
        World { hub, google, phone, book }
    }

    /// An item that is settled.
    fn item(&mut self, name: &str) -> Item {
        let item =
            self.hub.add_item(Kind::Contacts, None, (&says(name), &Facts::default()), ORIGIN, self.book).unwrap();
        self.hub.done(item.id).unwrap();
        item
    }

    fn overwrite(&mut self, item: &Item, name: &str) -> i64 {
        let version = self.hub.add_version(item.id, &says(name), ORIGIN, Some(item.version), None).unwrap();
        self.hub.set_version(item.id, version).unwrap();
        self.hub.done(item.id).unwrap();
        version
    }

    fn bury(&mut self, item: &Item) {
        self.hub.set_stands(item.id, &BTreeSet::new(), MADE).unwrap();
        self.hub.done(item.id).unwrap();
    }

    /// Prunes that long after everything was made.
    fn prune_after(&mut self, ms: i64) -> usize {
        self.hub.prune(MADE + ms - RETENTION_MS, MADE + ms, |_, _| Ok(())).unwrap()
    }
}

#[test]
fn promise_4_a_version_stays_for_the_retention_time_from_when_it_was_replaced() {
    let mut world = World::new();
    let ada = world.item("Ada");
    let king = world.overwrite(&ada, "Ada King");
    world.hub.begin_aging(MADE).unwrap();
    assert_eq!(world.prune_after(RETENTION_MS), 0, "not before its time");
    assert!(!world.hub.has_aged(MADE).unwrap());
    assert!(world.hub.has_aged(MADE + 1).unwrap());
    assert_eq!(world.prune_after(RETENTION_MS + 1), 1);
    assert_eq!(world.hub.versions_of(ada.id).unwrap(), [king]);
    // What it says now was said long ago, and ages only once it is replaced.
    assert_eq!(world.prune_after(100 * RETENTION_MS), 0);
    world.overwrite(&ada, "Ada Lovelace");
    world.hub.begin_aging(MADE + 100 * RETENTION_MS).unwrap();
    assert_eq!(world.prune_after(101 * RETENTION_MS), 0);
    assert_eq!(world.prune_after(101 * RETENTION_MS + 1), 1);
}

#[test]
fn a_version_that_is_shown_again_ages_only_from_when_it_is_replaced_again() {
    let mut world = World::new();
    let ada = world.item("Ada");
    let king = world.overwrite(&ada, "Ada King");
    world.hub.begin_aging(MADE).unwrap();
    world.hub.set_version(ada.id, ada.version).unwrap();
    world.hub.begin_aging(MADE).unwrap();
    let lovelace = world.overwrite(&ada, "Ada Lovelace");
    world.hub.begin_aging(MADE + 2 * RETENTION_MS).unwrap();
    assert_eq!(world.prune_after(2 * RETENTION_MS + 1), 1);
    assert!(world.hub.version(king).is_err());
    assert_eq!(world.hub.versions_of(ada.id).unwrap(), [ada.version, lovelace]);
    assert_eq!(world.prune_after(3 * RETENTION_MS + 1), 1);
}

#[test]
fn the_current_version_stays_whatever_is_noted_of_it_and_a_parent_that_is_gone_is_none() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::of(Hub::open(&dir.path().join("state")).unwrap());
    let ada = world.item("Ada");
    let king = world.overwrite(&ada, "Ada King");
    world.hub.begin_aging(MADE).unwrap();
    let beside = rusqlite::Connection::open(world.hub.path()).unwrap();
    let parent = || -> Option<i64> {
        let sql = "SELECT parent FROM versions WHERE id = ?1";
        beside.query_row(sql, [king], |row| row.get(0)).unwrap()
    };
    assert_eq!(parent(), Some(ada.version));
    let grace = world.item("Grace");
    for current in [king, grace.version] {
        beside.execute("INSERT INTO aging VALUES (?1, 1)", [current]).unwrap();
    }
    assert_eq!(world.prune_after(2 * RETENTION_MS), 1);
    assert_eq!(world.hub.versions_of(ada.id).unwrap(), [king]);
    assert_eq!(world.hub.versions_of(grace.id).unwrap(), [grace.version]);
    assert_eq!(parent(), None);
}

#[test]
fn a_buried_item_that_came_back_keeps_what_it_says() {
    let mut world = World::new();
    let ada = world.item("Ada");
    world.bury(&ada);
    world.hub.begin_aging(MADE).unwrap();
    world.hub.set_stands(ada.id, &[world.book].into(), MADE).unwrap();
    world.hub.done(ada.id).unwrap();
    assert_eq!(world.prune_after(2 * RETENTION_MS), 0);
    assert_eq!(world.hub.version(ada.version).unwrap().content, says("Ada"));
}

/// Why a version that was replaced long ago is still needed, and how that ends.
type Need = (&'static str, fn(&mut World, &Item), fn(&mut World, &Item));

const NEEDS: &[Need] = &[
    (
        "a replica that is away agreed to it",
        |world, ada| world.hub.add_placement(ada.id, world.phone, world.book, ada.version, &seen("1")).unwrap(),
        |world, _| world.hub.remove_all_placements(world.phone).unwrap(),
    ),
    (
        "a write rests on it",
        |world, ada| {
            let intent = Intent {
                id: 0,
                replica: world.phone,
                item: ada.id,
                collection: world.book,
                kind: IntentKind::Create,
                remote_id: None,
                etag: None,
                target: None,
                version: ada.version,
                generation: 1,
                sent_ms: None,
                not_before_ms: None,
            };
            world.hub.add_intent(&intent).unwrap();
        },
        |world, _| {
            let intent = world.hub.intents().unwrap().remove(0);
            world.hub.remove_intent(intent.id).unwrap();
        },
    ),
    (
        "its item is not settled everywhere",
        |world, ada| world.hub.add_todo(ada.id).unwrap(),
        |world, ada| world.hub.done(ada.id).unwrap(),
    ),
    (
        "its item is seen otherwise somewhere, held perhaps",
        |world, ada| {
            world
                .hub
                .store_sighting(world.phone, world.book, Some(ada.id), (&seen("1"), &Facts::default()), MADE)
                .unwrap();
            world.hub.done(ada.id).unwrap();
        },
        |world, _| world.hub.remove_sighting_of(world.phone, &"1".into()).unwrap(),
    ),
    (
        "its item is in quarantine",
        |world, ada| {
            let (replica, collection) = (world.phone, Some(world.book));
            let bad = Bad { replica, collection, item: Some(ada.id), remote_id: "1", reason: "torn", raw: b"x" };
            world.hub.quarantine(&bad, MADE).unwrap();
        },
        |world, _| world.hub.leave_quarantine(world.phone, "1").unwrap(),
    ),
    ("a conflict shows it", |world, ada| conflict(world, ada, true), decide),
    ("a conflict does not show it", |world, ada| conflict(world, ada, false), decide),
];

fn conflict(world: &mut World, ada: &Item, is_shown: bool) {
    let current = world.hub.item(ada.id).unwrap().version;
    let (shown, other) = if is_shown { (ada.version, current) } else { (current, ada.version) };
    let conflict = Conflict {
        id: "c".into(),
        item: ada.id,
        fields: vec!["name/full".into()],
        shown,
        other,
        replica: world.google,
        at_ms: MADE,
    };
    world.hub.add_conflict(&conflict).unwrap();
}

fn decide(world: &mut World, _: &Item) {
    world.hub.resolve_conflict("c", MADE + 3 * RETENTION_MS).unwrap();
}

#[test]
fn promise_4_what_is_held_in_conflict_quarantined_or_not_yet_everywhere_never_ages() {
    for (what, begin, end) in NEEDS {
        let mut world = World::new();
        let ada = world.item("Ada");
        world.overwrite(&ada, "Ada King");
        world.hub.begin_aging(MADE).unwrap();
        begin(&mut world, &ada);
        assert_eq!(world.prune_after(3 * RETENTION_MS), 0, "{what}");
        // It has begun to age anew.
        end(&mut world, &ada);
        assert_eq!(world.prune_after(4 * RETENTION_MS), 0, "{what}, not long ago");
        assert_eq!(world.prune_after(5 * RETENTION_MS + 1), 1, "{what}, long ago");
        assert_eq!(world.hub.versions_of(ada.id).unwrap().len(), 1, "{what}, long ago");
    }
}

#[test]
fn a_conflict_that_was_decided_is_forgotten_with_the_retention_time_and_not_before() {
    let mut world = World::new();
    let ada = world.item("Ada");
    let other = world.hub.add_version(ada.id, &says("Augusta"), ORIGIN, None, None).unwrap();
    world.hub.begin_aging(MADE).unwrap();
    let conflict = Conflict {
        id: "c".into(),
        item: ada.id,
        fields: Vec::new(),
        shown: ada.version,
        other,
        replica: world.google,
        at_ms: MADE,
    };
    world.hub.add_conflict(&conflict).unwrap();
    world.hub.resolve_conflict("c", MADE).unwrap();
    assert_eq!(world.prune_after(RETENTION_MS), 0);
    assert!(world.hub.has_aged(MADE + 1).unwrap());
    assert_eq!(world.prune_after(RETENTION_MS + 1), 1, "and what it kept goes with it");
    // The id is free again: nothing of it is left.
    world.hub.add_conflict(&Conflict { other: ada.version, ..conflict }).unwrap();
}

#[test]
fn engine_12_a_tombstone_goes_when_every_replica_let_go_of_it_and_its_time_is_over() {
    let mut world = World::new();
    let ada = world.item("Ada");
    let (phone, book) = (world.phone, world.book);
    let last = world.overwrite(&ada, "Ada King");
    let grace = world.item("Grace");
    // What the phone agreed to: what was said last, what was said before, or what an item said of which this one was a part.
    for agreed in [last, ada.version, grace.version] {
        let seen = seen(&agreed.to_string());
        world.hub.add_placement(ada.id, phone, book, agreed, &seen).unwrap();
    }
    world.hub.withhold(ada.id, phone, book, "this user may not delete there").unwrap();
    world.bury(&ada);
    world.hub.begin_aging(MADE).unwrap();
    let mut retentions = 2;
    for agreed in [last, ada.version, grace.version] {
        assert_eq!(world.hub.tombstone_holders().unwrap(), [("phone".to_owned(), 1)]);
        world.prune_after(retentions * RETENTION_MS);
        assert_eq!(world.hub.item(ada.id).unwrap().buried_ms, Some(MADE), "the tombstone stays");
        let placement = world.hub.placement(phone, &agreed.to_string().as_str().into()).unwrap().unwrap();
        world.hub.remove_placement(placement.id).unwrap();
        retentions += 2;
    }
    assert_eq!(world.hub.tombstone_holders().unwrap(), []);
    world.prune_after(retentions * RETENTION_MS);
    assert!(world.hub.item(ada.id).is_err());
    assert_eq!(world.hub.versions_of(grace.id).unwrap(), [grace.version]);
}

#[test]
fn engine_12_a_tombstone_goes_last_of_its_item() {
    let mut world = World::new();
    let ada = world.item("Ada");
    world.bury(&ada);
    world.hub.begin_aging(MADE).unwrap();
    // Somebody decided an old conflict of it meanwhile.
    world.hub.begin_run(MADE + RETENTION_MS).unwrap();
    world.hub.add_version(ada.id, &says("Augusta"), ORIGIN, None, None).unwrap();
    world.hub.begin_aging(MADE + RETENTION_MS).unwrap();
    assert_eq!(world.prune_after(RETENTION_MS + 1), 0);
    // Replaced in one run and buried in the next, or both in one: all of it goes when its time has come.
    let mut world = World::new();
    let ada = world.item("Ada");
    world.overwrite(&ada, "Ada King");
    world.bury(&ada);
    world.hub.begin_aging(MADE).unwrap();
    assert_eq!(world.prune_after(RETENTION_MS + 1), 2);
    assert!(world.hub.item(ada.id).is_err());
}

#[test]
fn a_clock_that_is_set_back_makes_nothing_older_than_it_is() {
    let mut world = World::new();
    let ada = world.item("Ada");
    world.overwrite(&ada, "Ada King");
    // The machine starts in 1970, and is put right two runs later.
    for _ in 0..2 {
        let now = DAY_MS;
        world.hub.begin_run(now).unwrap();
        world.hub.begin_aging(now).unwrap();
    }
    assert_eq!(world.prune_after(DAY_MS), 0);
    assert_eq!(world.prune_after(RETENTION_MS + 1), 1);
}

#[test]
fn what_a_clock_that_ran_ahead_has_dated_is_dated_anew_once_its_run_is_forgotten() {
    let mut world = World::new();
    let ada = world.item("Ada");
    world.overwrite(&ada, "Ada King");
    world.hub.begin_aging(MADE + 1000 * RETENTION_MS).unwrap();
    world.hub.begin_aging(MADE).unwrap();
    assert_eq!(world.prune_after(RETENTION_MS + 1), 1);
}

#[test]
fn engine_13_a_clock_that_moved_by_more_than_a_week_is_noticed_for_an_hour() {
    let day = |n: i64| MADE + n * DAY_MS;
    for (what, starts, now, moved) in [
        ("a run a day", vec![day(1), day(2)], day(2), false),
        ("a week off", vec![day(1), day(8)], day(8), false),
        ("more than that", vec![day(1), day(8) + 1], day(8) + 1, true),
        ("back by that", vec![day(9), day(1)], day(1), true),
        ("within the run", vec![day(1)], day(9), true),
        ("minutes ago", vec![day(1), day(9), day(9) + 600_000], day(9) + 600_000, true),
        ("an hour ago", vec![day(1), day(9), day(9) + 3_600_000], day(9) + 3_600_000, false),
        ("ahead and back again, minutes ago", vec![day(1), day(900), day(1) + 1], day(1) + 1, true),
        ("ahead and back again, hours ago", vec![day(1), day(900), day(1) + 1, day(2)], day(2), false),
    ] {
        let mut hub = Hub::in_memory().unwrap();
        for start in starts {
            hub.begin_run(start).unwrap();
        }
        assert_eq!(hub.clock_moved(now).unwrap(), moved, "{what}");
    }
}

#[test]
fn a_stop_between_two_slices_leaves_the_rest_for_the_next_run() {
    let mut world = World::new();
    let ada = world.item("Ada");
    for n in 0..1200 {
        world.overwrite(&ada, &format!("Ada {n}"));
    }
    world.hub.begin_aging(MADE).unwrap();
    let mut steps = 0;
    world.hub.set_steps(Some(Box::new(move |name| {
        assert!(name.starts_with("prune: "), "{name}");
        steps += 1;
        if steps == 4 { Err(Error::new(ErrorKind::Broken, "stopped")) } else { Ok(()) }
    })));
    let now = MADE + 2 * RETENTION_MS;
    assert!(world.hub.prune(now - RETENTION_MS, now, |_, _| Ok(())).is_err());
    world.hub.set_steps(None);
    assert_eq!(world.hub.versions_of(ada.id).unwrap().len(), 201, "two slices are gone as a whole, the rest is there");
    let shown = world.hub.item(ada.id).unwrap().version;
    assert_eq!(world.hub.version(shown).unwrap().content, says("Ada 1199"));
    assert_eq!(world.prune_after(2 * RETENTION_MS), 200);
    assert_eq!(world.hub.versions_of(ada.id).unwrap(), [shown]);
}

#[test]
fn what_is_needed_is_not_looked_at_again_before_its_time() {
    let mut world = World::new();
    let ada = world.item("Ada");
    world.overwrite(&ada, "Ada King");
    world.hub.begin_aging(MADE).unwrap();
    world.hub.add_todo(ada.id).unwrap();
    let now = MADE + 2 * RETENTION_MS;
    assert!(world.hub.has_aged(now - RETENTION_MS).unwrap());
    world.prune_after(2 * RETENTION_MS);
    assert!(!world.hub.has_aged(now - RETENTION_MS).unwrap());
}
