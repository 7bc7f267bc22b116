//! Collections that go by other names at a replica by now, or are gone there.

use twofold_hub::items::Origin;
use twofold_hub::{Bad, Hub, Label, Place, Presence};
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

/// Its account told of the move before somebody said that the folder may go.
#[test]
fn what_was_moved_out_of_a_collection_that_may_go_is_not_gone_with_it() {
    let mut hub = Hub::in_memory().unwrap();
    let account = hub.replica("account", false).unwrap().id;
    let [work, inbox] = ["Work", "INBOX"].map(|name| {
        let collection = hub.add_collection(Kind::Mail, name, None, account).unwrap();
        hub.add_place(&Place::new(collection, account, name, Label { name: name.into(), color: None })).unwrap();
        collection
    });
    let origin = Origin { at_ms: 1, rank: 1, source: None };
    let seen = |id: &str, at: &str| Seen {
        remote_id: id.into(),
        collection: CollectionId(at.into()),
        uid: None,
        etag: Etag("1".into()),
        modified_ms: None,
        mark: None,
        rendering: Rendering(b"as it looks".to_vec()),
    };
    for id in ["stays", "moved"] {
        let item = hub.add_item(Kind::Mail, None, (&Content::new(), &Facts::default()), origin, work).unwrap();
        hub.add_placement(item.id, account, work, item.version, &seen(id, "Work")).unwrap();
    }
    let known = hub.placement(account, &"moved".into()).unwrap().unwrap();
    let facts = Facts::default();
    hub.store_sighting(account, inbox, Some(known.item), (&seen("moved", "INBOX"), &facts), 5).unwrap();
    assert_eq!(hub.atomically("test", |hub| hub.bury_collection(account, work, "folder-1", 6)).unwrap(), 2);
    let presence = |id: &str| hub.sighting(account, &id.into()).unwrap().map(|seen| (seen.presence, seen.collection));
    assert_eq!(presence("stays"), Some((Presence::Gone, work)));
    assert_eq!(presence("moved"), Some((Presence::Here, inbox)));
}

#[test]
fn what_is_in_quarantine_goes_with_its_folder_or_with_what_is_left_out() {
    for is_left_out in [true, false] {
        let mut hub = Hub::in_memory().unwrap();
        let laptop = hub.replica("laptop", true).unwrap().id;
        let collection = hub.add_collection(Kind::Mail, "Work", None, laptop).unwrap();
        hub.add_place(&Place::new(collection, laptop, "m/.Work", Label { name: "Work".into(), color: None })).unwrap();
        let bad = Bad {
            replica: laptop,
            collection: Some(collection),
            item: None,
            remote_id: "m/.Work/1",
            reason: "is a symbolic link",
            raw: &[],
        };
        hub.quarantine(&bad, 1).unwrap();
        match is_left_out {
            true => hub.leave_out(collection).unwrap(),
            false => hub.remove_place(hub.places(laptop, Kind::Mail).unwrap()[0].id).unwrap(),
        }
        assert!(hub.quarantined().unwrap().is_empty(), "left out: {is_left_out}");
    }
}

/// The bytes of what came since that copy are named by nothing until it was read anew.
#[test]
fn a_hub_that_was_put_back_from_an_older_copy_looks_for_blobs_that_nothing_names_a_month_later() {
    let mut hub = Hub::in_memory().unwrap();
    hub.set_meta(twofold_hub::prune::SWEEP, "1 0").unwrap();
    hub.note_restored().unwrap();
    assert_eq!(hub.meta(twofold_hub::prune::SWEEP).unwrap(), None, "the next run says when");
}
