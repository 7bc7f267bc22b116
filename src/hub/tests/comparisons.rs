//! The token of a place that compares: it holds for what was known when it was compared, and for nothing else (promise 2).

use twofold_hub::items::Origin;
use twofold_hub::{Hub, Label, Place};
use twofold_model::{CollectionId, Content, DeltaToken, Etag, Facts, Kind, Rendering, Seen};

const BOOK: &str = "google/contacts/Book";
const OTHER: &str = "google/contacts/Other";

struct World {
    hub: Hub,
    laptop: i64,
    /// The collections of [`BOOK`] and [`OTHER`].
    books: [i64; 2],
    item: i64,
    version: i64,
}

fn seen(id: &str, etag: &str) -> Seen {
    Seen {
        remote_id: id.into(),
        collection: CollectionId(BOOK.into()),
        etag: Etag(etag.into()),
        rendering: Rendering(b"as it looks".to_vec()),
        uid: None,
        mark: None,
        modified_ms: None,
    }
}

impl World {
    /// One copy in the book, none in the other, and a token for both.
    fn new() -> World {
        let mut hub = Hub::in_memory().unwrap();
        let (google, laptop) = (hub.replica("google", false).unwrap().id, hub.replica("laptop", true).unwrap().id);
        let books = [BOOK, OTHER].map(|name| {
            let collection = hub.add_collection(Kind::Contacts, name, None, google).unwrap();
            let label = Label { name: name.into(), color: None };
            hub.add_place(&Place::new(collection, laptop, name, label.clone())).unwrap();
            hub.add_place(&Place::new(collection, google, name, label)).unwrap();
            collection
        });
        let origin = Origin { at_ms: 1, rank: 1, source: None };
        let item = hub.add_item(Kind::Contacts, None, (&Content::new(), &Facts::default()), origin, books[0]).unwrap();
        hub.add_placement(item.id, laptop, books[0], item.version, &seen("a", "1")).unwrap();
        let mut world = World { hub, laptop, books, item: item.id, version: item.version };
        for feed in [BOOK, OTHER] {
            world.compare(feed, |_| {});
        }
        assert_eq!((world.token(BOOK).as_deref(), world.token(OTHER).as_deref()), (Some("as"), Some("as")));
        world
    }

    fn compare(&mut self, feed: &str, meanwhile: impl FnOnce(&mut World)) {
        self.hub.begin_comparison(self.laptop, (feed, Kind::Contacts)).unwrap();
        assert_eq!(self.token(feed), None, "none while it is compared");
        meanwhile(self);
        self.hub.end_comparison(self.laptop, feed, &DeltaToken::from("as"), Some(1)).unwrap();
        assert_eq!(self.hub.feed(self.laptop, feed).unwrap().listed_ms, Some(1));
    }

    fn token(&self, feed: &str) -> Option<String> {
        self.hub.feed(self.laptop, feed).unwrap().token.map(|token| token.0)
    }

    fn copy(&self) -> i64 {
        self.hub.placement(self.laptop, &"a".into()).unwrap().unwrap().id
    }
}

/// What is done to a copy in the book, and whether the book is compared anew afterwards.
type Deed = (&'static str, bool, fn(&mut World));

const DEEDS: &[Deed] = &[
    ("another copy", true, |w| w.hub.add_placement(w.item, w.laptop, w.books[0], w.version, &seen("b", "1")).unwrap()),
    ("another state", true, |w| w.hub.set_placement(w.item, w.laptop, w.books[0], w.version, &seen("a", "2")).unwrap()),
    ("another etag", true, |w| w.hub.touch_placement(w.copy(), &Etag("2".into()), None, None).unwrap()),
    ("another name", true, |w| w.hub.rename_placement(w.copy(), &"b".into()).unwrap()),
    ("gone", true, |w| w.hub.remove_placement(w.copy()).unwrap()),
    ("all gone", true, |w| w.hub.remove_all_placements(w.laptop).unwrap()),
    ("the same once more", false, |w| {
        w.hub.set_placement(w.item, w.laptop, w.books[0], w.version, &seen("a", "1")).unwrap();
        w.hub.touch_placement(w.copy(), &Etag("1".into()), Some(5), None).unwrap();
    }),
    ("agreed to another version", false, |w| w.hub.set_agreed(w.copy(), w.version).unwrap()),
    ("a copy elsewhere", false, |w| {
        let google = w.hub.replica("google", false).unwrap().id;
        w.hub.add_placement(w.item, google, w.books[0], w.version, &seen("a", "1")).unwrap();
    }),
];

#[test]
fn a_token_falls_with_what_was_known_and_with_nothing_else() {
    for (what, falls, deed) in DEEDS {
        let mut world = World::new();
        deed(&mut world);
        assert_eq!(world.token(BOOK).is_none(), *falls, "{what}");
        assert!(world.token(OTHER).is_some(), "{what}: the other book is as it was");
        world.compare(BOOK, |_| {});
        assert!(world.token(BOOK).is_some(), "{what}: compared anew");
        // What is known changes between the comparison and its end.
        let mut world = World::new();
        world.compare(BOOK, deed);
        assert_eq!(world.token(BOOK).is_none(), *falls, "{what}, meanwhile");
    }
}

#[test]
fn a_copy_that_moves_to_another_collection_is_new_in_one_and_gone_from_the_other() {
    let mut world = World::new();
    world.hub.set_placement(world.item, world.laptop, world.books[1], world.version, &seen("a", "1")).unwrap();
    assert_eq!((world.token(BOOK), world.token(OTHER)), (None, None));
}

#[test]
fn the_token_of_a_provider_stays_whatever_is_known_of_its_copies() {
    let mut world = World::new();
    let google = world.hub.replica("google", false).unwrap().id;
    world.hub.end_round(google, (BOOK, Kind::Contacts), &DeltaToken::from("t1"), None).unwrap();
    world.hub.add_placement(world.item, google, world.books[0], world.version, &seen("a", "1")).unwrap();
    assert_eq!(world.hub.feed(google, BOOK).unwrap().token, Some(DeltaToken::from("t1")));
}
