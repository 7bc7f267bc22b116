//! Lists that break off while the place itself can be reached: what they would have told is not known, and nothing is told there of it.

use super::*;

fn says(place: &Memory, name: &str) -> serde_json::Value {
    let id = World::find(place, name);
    let content = place.contents().into_iter().find(|(other, _)| *other == id).unwrap().1;
    content.get("notes").cloned().unwrap_or_default()
}

#[tokio::test]
async fn nothing_is_told_of_what_could_not_be_read() {
    let mut world = seeded(false);
    world.sync().await;
    world.google.set_listed(0, false);
    world.phone.edit(&World::find(&world.phone, "Ada"), rename("Ada King"));
    world.phone.delete(&World::find(&world.phone, "Grace"));
    world.phone.create(&card("Rosa", &["rosa@example.org"]));
    world.microsoft.edit(&World::find(&world.microsoft, "Alan"), rename("Alan Turing"));
    for _ in 0..2 {
        assert_eq!(world.sync().await.exit, 75);
        let names = World::names(&world.google);
        assert!(names.contains(&"Ada".to_owned()) && names.contains(&"Grace".to_owned()), "{names:?}");
        assert!(World::names(&world.phone).contains(&"Alan Turing".to_owned()), "other places go on");
    }
    // What somebody does there meanwhile is neither overwritten nor removed.
    world.google.edit(&World::find(&world.google, "Ada"), |ada| ada.set("notes", note()));
    world.google.edit(&World::find(&world.google, "Grace"), |grace| grace.set("notes", note()));
    world.sync().await;
    world.google.set_listed(0, true);
    assert_eq!(world.sync().await.exit, 0);
    assert_eq!((says(&world.google, "Ada King"), says(&world.phone, "Grace")), (note(), note()));
    world.settled("read in the end").await;
}

fn note() -> serde_json::Value {
    serde_json::json!({"note": {"note": "said meanwhile"}})
}

#[tokio::test]
async fn what_moves_is_followed_when_only_one_of_two_collections_can_be_read() {
    for unlisted in [0, 1] {
        let mut world = with_slow_reads();
        add_collection(&world.microsoft, "Family").await;
        world.sync().await;
        world.microsoft.move_to(&World::find(&world.microsoft, "Rosa"), 1);
        world.microsoft.set_listed(unlisted, false);
        assert_eq!(world.sync().await.exit, 75, "{unlisted}");
        world.microsoft.set_listed(unlisted, true);
        let report = world.sync().await;
        assert_eq!(report.exit, 0, "{unlisted}: where it stood before says nothing of it: {:?}", report.troubles);
        world.settled("moved").await;
    }
}

#[tokio::test]
async fn what_moves_on_a_device_out_of_a_collection_that_cannot_be_read_waits_for_it() {
    let mut world = World::new(false, 0);
    add_collection(&world.google, "Second").await;
    let ada = world.google.create(&card("Ada", &["ada@example.org"]));
    world.sync().await;
    let folders = world.phone.collections(Kind::Contacts).await.unwrap();
    let second = folders.iter().position(|folder| folder.name == "Second").unwrap();
    world.phone.move_to(&World::find(&world.phone, "Ada"), second);
    world.google.set_listed(0, false);
    assert_eq!(world.sync().await.exit, 75);
    assert_eq!(World::names(&world.google), ["Ada"], "it is not made a second time beside what nobody could read");
    world.google.edit(&ada, rename("Ada King"));
    world.google.set_listed(0, true);
    assert_eq!(world.sync().await.exit, 0);
    assert!(World::names(&world.phone).iter().all(|name| name == "Ada King"));
    world.settled("moved").await;
}

#[tokio::test]
async fn a_list_that_was_read_to_its_end_is_no_unknown_however_much_of_it_is_not_to_be_understood() {
    let mut world = seeded(false);
    world.sync().await;
    world.google.set_unintelligible(21);
    world.phone.edit(&World::find(&world.phone, "Ada"), rename("Ada King"));
    let report = world.sync().await;
    assert_eq!(report.exit, 1, "{:?}", report.troubles);
    assert!(World::names(&world.google).contains(&"Ada King".to_owned()), "what is understood goes on");
}

/// A sign of life of each collection, by its replica and its name there.
fn signs(world: &World, of: fn(twofold_hub::Place) -> Option<i64>) -> BTreeMap<String, Option<i64>> {
    let mut all = BTreeMap::new();
    for replica in world.hub.replicas().unwrap() {
        for place in world.hub.places(replica.id, Kind::Contacts).unwrap() {
            all.insert(format!("{}: {}", replica.name, place.name), of(place));
        }
    }
    all
}

/// When each was last read to its end.
fn reads(world: &World) -> BTreeMap<String, Option<i64>> {
    signs(world, |place| place.read_ms)
}

/// When a read last saw a known item of each.
fn proofs(world: &World) -> BTreeMap<String, Option<i64>> {
    signs(world, |place| place.proof_ms)
}

#[tokio::test]
async fn a_collection_is_read_by_every_answer_that_is_whole_and_by_none_that_broke_off() {
    let mut world = seeded(false);
    add_collection(&world.google, "Second").await;
    world.sync().await;
    let first = reads(&world);
    assert!(first.len() > 3 && first.values().all(Option::is_some), "{first:?}");
    world.tick(HOUR_MS);
    world.google.set_listed(0, false);
    assert_eq!(world.sync().await.exit, 75);
    let second = reads(&world);
    for (name, read) in &second {
        let is_unread = name == "google: My Contacts";
        assert_eq!(*read == first[name], is_unread, "{name}: {first:?} {second:?}");
        assert!(*read >= first[name]);
    }
    world.google.set_listed(0, true);
    // What nobody changed is read all the same, and a dry run reads nothing.
    world.tick(HOUR_MS);
    let settings = Settings { dry_run: true, ..world.settings() };
    world.run(&settings).await.unwrap();
    assert_eq!(reads(&world), second);
    world.sync().await;
    assert!(reads(&world).iter().all(|(name, read)| *read > second[name]), "{second:?}");
}

#[tokio::test]
async fn a_collection_is_proven_by_what_shows_a_known_item_and_not_by_an_answer_that_tells_nothing() {
    let mut world = seeded(false);
    add_collection(&world.google, "Second").await;
    world.sync().await;
    let first = proofs(&world);
    let of_google = |proofs: &BTreeMap<String, Option<i64>>| [proofs["google: My Contacts"], proofs["google: Second"]];
    assert!(of_google(&first)[0].is_some() && of_google(&first)[1].is_none(), "nothing is in the second: {first:?}");
    // The device was written to, and is read with the next run.
    world.sync().await;
    let second = proofs(&world);
    assert!(second["phone: My Contacts"].is_some() && second["phone: Second"].is_none(), "{second:?}");
    assert_eq!(of_google(&second), of_google(&first), "a delta that tells nothing proves nothing");
    world.google.edit(&World::find(&world.google, "Ada"), rename("Ada King"));
    world.sync().await;
    let third = proofs(&world);
    assert!(of_google(&third)[0] > of_google(&first)[0], "{third:?}");
    assert_eq!(third["microsoft365: Contacts"], first["microsoft365: Contacts"]);
    // A full check sees all.
    let settings = Settings { full_check: true, ..world.settings() };
    world.tick(HOUR_MS);
    world.run(&settings).await.unwrap();
    let fourth = proofs(&world);
    for name in ["google: My Contacts", "microsoft365: Contacts", "phone: My Contacts", "phone: Contacts"] {
        assert!(fourth[name] > third[name], "{name}: {third:?} {fourth:?}");
    }
    assert!(fourth["google: Second"].is_none() && fourth["phone: Second"].is_none(), "{fourth:?}");
    // What is gone is not seen.
    World::names(&world.phone).iter().for_each(|name| world.phone.delete(&World::find(&world.phone, name)));
    world.tick(HOUR_MS);
    world.run(&settings).await.unwrap();
    let fifth = proofs(&world);
    assert_eq!(fifth["phone: My Contacts"], fourth["phone: My Contacts"], "{fifth:?}");
}

#[tokio::test]
async fn a_second_look_at_a_known_item_proves_its_collection() {
    let mut world = seeded(false);
    world.sync().await;
    let before = proofs(&world)["google: My Contacts"];
    world.tick(HOUR_MS);
    // The list breaks off; what was said to be gone is asked for by name, and is there.
    let replica = world.hub.replicas().unwrap().into_iter().find(|replica| replica.name == "google").unwrap();
    let ada = World::find(&world.google, "Ada");
    let now = world.now.load(Ordering::SeqCst);
    world.hub.store_gone(replica.id, &ada, now).unwrap();
    world.google.set_listed(0, false);
    assert_eq!(world.sync().await.exit, 75);
    assert!(proofs(&world)["google: My Contacts"] > before, "{before:?}");
}
