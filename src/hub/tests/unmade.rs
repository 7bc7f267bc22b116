//! Which collections are still to be made at their provider: what moves into one of these stays where it stands.

use twofold_hub::{Hub, Label, Place};
use twofold_model::Kind;

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
