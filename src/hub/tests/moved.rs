//! Collections that go by other names at a replica by now.

use twofold_hub::items::Origin;
use twofold_hub::{Hub, Label, Place};
use twofold_model::{CollectionId, Content, Etag, Facts, Kind, Rendering, Seen};

#[test]
fn places_that_exchange_their_names_keep_their_copies_and_one_that_lost_its_name_steps_aside() {
    let mut hub = Hub::in_memory().unwrap();
    let laptop = hub.replica("laptop", true).unwrap().id;
    let all = ["m/.A", "m/.B", "m/.C", "m/.D"].map(|name| {
        let collection = hub.add_collection(Kind::Mail, name, None, laptop).unwrap();
        hub.add_place(&Place::new(collection, laptop, name, Label { name: name.into(), color: None })).unwrap();
        let item = hub
            .add_item(
                Kind::Mail,
                None,
                (&Content::new(), &Facts::default()),
                Origin { at_ms: 1, rank: 1, source: None },
                collection,
            )
            .unwrap();
        let seen = Seen {
            remote_id: format!("{name}/same").as_str().into(),
            collection: CollectionId(name.into()),
            uid: None,
            etag: Etag("1".into()),
            modified_ms: None,
            mark: None,
            rendering: Rendering(b"as it looks".to_vec()),
        };
        hub.add_placement(item.id, laptop, collection, item.version, &seen).unwrap();
        (collection, item.id)
    });
    let places = hub.places(laptop, Kind::Mail).unwrap();
    let of = |at: usize| places.iter().find(|place| place.collection == all[at].0).unwrap().clone();
    // A and B exchange theirs, C goes, and D is called C.
    let moves = [(of(0), "m/.B".to_owned()), (of(1), "m/.A".to_owned()), (of(3), "m/.C".to_owned())];
    hub.atomically("test", |hub| hub.move_places(&moves)).unwrap();
    let called = |at: usize| {
        let place = hub.places_of(all[at].0).unwrap().remove(0);
        let copy = hub.placements(all[at].1).unwrap().remove(0);
        assert_eq!(copy.remote_id.as_str(), format!("{}/same", place.remote_id), "a copy goes by its folder's name");
        place.remote_id
    };
    assert_eq!([called(0), called(1), called(3)], ["m/.B", "m/.A", "m/.C"]);
    assert!(!["m/.A", "m/.B", "m/.C", "m/.D"].contains(&called(2).as_str()), "what is gone has nobody's name");
}
