//! Which collections are still to be made at their provider: what moves into one of these stays where it stands.

use twofold_hub::items::Origin;
use twofold_hub::{Hub, Label, Place};
use twofold_model::{CollectionId, Content, Etag, Facts, Kind, Rendering, Seen};

#[test]
fn a_collection_is_to_be_made_until_its_provider_has_it_unless_it_is_joined_left_out_or_of_another_kind() {
    let mut hub = Hub::in_memory().unwrap();
    let (google, laptop) = (hub.replica("google", false).unwrap().id, hub.replica("laptop", true).unwrap().id);
    let [made, folder, ending, joined, left_out] = ["made", "folder", "ending", "joined", "left out"].map(|name| {
        let collection = hub.add_collection(Kind::Mail, name, None, google).unwrap();
        let label = Label { name: name.into(), color: None };
        hub.add_place(&Place::new(collection, laptop, name, label)).unwrap();
        collection
    });
    hub.add_collection(Kind::Contacts, "of another kind", None, google).unwrap();
    hub.add_place(&Place::new(made, google, "made", Label { name: "made".into(), color: None })).unwrap();
    hub.set_joined(joined, true).unwrap();
    hub.leave_out(left_out).unwrap();
    hub.set_ending(ending, true).unwrap();
    assert_eq!(hub.unmade(Kind::Mail).unwrap(), [folder, ending]);
}

#[test]
fn a_collection_has_items_where_one_stands_or_is_seen_and_strangers_where_a_copy_belongs_to_none() {
    let mut hub = Hub::in_memory().unwrap();
    let (google, laptop) = (hub.replica("google", false).unwrap().id, hub.replica("laptop", true).unwrap().id);
    let [empty, stranger, seen, stands] =
        ["empty", "stranger", "seen", "stands"].map(|name| hub.add_collection(Kind::Mail, name, None, google).unwrap());
    let origin = Origin { at_ms: 1, rank: 1, source: Some(laptop) };
    let item = hub.add_item(Kind::Mail, None, (&Content::default(), &Facts::default()), origin, stands).unwrap().id;
    for (name, collection, item) in [("stranger", stranger, None), ("seen", seen, Some(item))] {
        let copy = Seen {
            remote_id: name.into(),
            collection: CollectionId(name.to_owned()),
            etag: Etag("1".to_owned()),
            rendering: Rendering(b"as it looks".to_vec()),
            uid: None,
            mark: None,
            modified_ms: None,
        };
        hub.store_sighting(laptop, collection, item, (&copy, &Facts::default()), 1).unwrap();
    }
    let all = [empty, stranger, seen, stands];
    assert_eq!(all.map(|it| hub.has_items(it).unwrap()), [false, false, true, true]);
    assert_eq!(all.map(|it| hub.has_strangers(laptop, it).unwrap()), [false, true, false, false]);
    assert_eq!(all.map(|it| hub.has_strangers(google, it).unwrap()), [false; 4]);
}
