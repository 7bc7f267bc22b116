//! Absence is never deletion: markers of the device and of its collections.

mod common;

use common::*;
use std::collections::BTreeSet;
use std::fs;
use twofold_device::{CollectionState, Device, MarkerState, replica_marked_at};
use twofold_model::*;

fn held<T: std::fmt::Debug>(result: Result<T>) -> String {
    let error = result.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Held, "{error}");
    error.to_string()
}

/// Asks everything there is to ask; all of it must be refused, and nothing may be touched.
async fn everything_is_held(world: &World) {
    let before = tree(world.dir.path());
    let create = world.write(create("new", "New")).await;
    let known = remote("a.vcf");
    let etag = world.known.get(&known).cloned().unwrap_or_else(|| "x".into());
    let delete = world.write(Operation::Delete { place: place("a.vcf"), etag: etag.clone() }).await;
    let update = world
        .write(Operation::Update { place: place("a.vcf"), etag, from: Rendering(vec![]), to: card("a", "Eve").into() })
        .await;
    for answer in [
        held(world.device.collections(Kind::Contacts).await),
        held(world.try_scan().await),
        held(world.fetch("a.vcf").await),
        held(world.find("a").await),
        held(create),
        held(update),
        held(delete),
        held(world.make("google/contacts", "More").await),
        held(world.device.rename_collection(Kind::Contacts, &FRIENDS.into(), Some("Foes"), None).await),
        held(world.device.mark(9)),
        held(world.device.depart(9).await.and_then(|_| world.device.mark(9))),
    ] {
        assert!(answer.contains("twofold device fill laptop"), "{answer}");
        assert!(answer.to_lowercase().contains("nothing was read, written or deleted"), "{answer}");
    }
    assert_eq!(tree(world.dir.path()), before, "nothing was touched");
}

#[tokio::test]
async fn a_first_use_is_fresh_and_leaves_no_trace_until_something_is_decided() {
    let world = World::fresh();
    assert_eq!(world.device.state().unwrap(), MarkerState::Fresh);
    world.device.arrive(visit(false, 1)).await.unwrap();
    assert!(world.device.collections(Kind::Contacts).await.unwrap().is_empty());
    assert!(tree(world.dir.path()).is_empty());
    held(world.write(create("a", "Ada")).await);
    assert!(tree(world.dir.path()).is_empty(), "a marker is looked for before any folder is made");
    world.device.depart(1).await.unwrap();
    assert_eq!(world.device.state().unwrap(), MarkerState::Ours { run: 1 });
    assert_eq!(replica_marked_at(world.dir.path()), Some("replica-1".into()));
}

/// The device is the top of a disk.
#[tokio::test]
async fn what_a_file_system_keeps_at_its_top_is_no_account() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::fresh();
    let found = world.dir.path().join("lost+found");
    fs::create_dir_all(found.join("contacts/Friends")).unwrap();
    for mode in [0o700, 0o000] {
        fs::set_permissions(&found, fs::Permissions::from_mode(mode)).unwrap();
        world.device.arrive(visit(false, 1)).await.unwrap();
        assert_eq!(world.device.collections(Kind::Contacts).await.unwrap(), [], "{mode:o}");
    }
}

#[tokio::test]
async fn a_first_use_of_a_path_that_is_not_there_makes_it() {
    let outer = tempfile::tempdir().unwrap();
    let world = World::with(|options| options.root = outer.path().join("deep/laptop"));
    assert_eq!(world.device.state().unwrap(), MarkerState::Fresh);
    world.device.arrive(visit(false, 1)).await.unwrap();
    assert!(!outer.path().join("deep").exists());
    world.make("google/contacts", "Friends").await.unwrap();
    assert_eq!(world.device.state().unwrap(), MarkerState::Ours { run: 1 });
}

#[tokio::test]
async fn a_dry_run_leaves_no_trace() {
    let world = World::fresh();
    fs::create_dir_all(world.path("")).unwrap();
    world.put("a.vcf", &card("a", "Ada"));
    let before = tree(world.dir.path());
    world.device.arrive(Visit { is_dry_run: true, ..visit(false, 1) }).await.unwrap();
    assert_eq!(world.device.collections(Kind::Contacts).await.unwrap().len(), 1);
    assert_eq!(world.scan_words().await, ["seen a.vcf"]);
    world.device.depart(1).await.unwrap();
    assert_eq!(tree(world.dir.path()), before);
}

#[tokio::test]
async fn a_known_device_whose_path_is_missing_is_held() {
    let world = World::agreed_on(&[("a", "Ada")]).await;
    let aside = world.dir.path().with_extension("aside");
    fs::rename(world.dir.path(), &aside).unwrap();
    assert_eq!(world.device.state().unwrap(), MarkerState::MissingPath);
    held(world.device.arrive(visit(true, 2)).await);
    everything_is_held(&world).await;
    assert!(!world.dir.path().exists());
    fs::rename(&aside, world.dir.path()).unwrap();
    world.device.arrive(visit(true, 2)).await.unwrap();
    assert!(world.scan().await.is_empty());
}

#[tokio::test]
async fn a_known_device_whose_marker_is_missing_is_held() {
    let world = World::agreed_on(&[("a", "Ada")]).await;
    fs::remove_file(world.dir.path().join(".twofold")).unwrap();
    assert_eq!(world.device.state().unwrap(), MarkerState::MarkerMissing);
    held(world.device.arrive(visit(true, 2)).await);
    everything_is_held(&world).await;
    // An empty mount point in its place.
    fs::remove_dir_all(world.dir.path().join("google")).unwrap();
    everything_is_held(&world).await;
}

#[tokio::test]
async fn a_damaged_marker_is_held() {
    let world = World::agreed_on(&[("a", "Ada")]).await;
    fs::write(world.dir.path().join(".twofold"), "").unwrap();
    assert!(matches!(world.device.state().unwrap(), MarkerState::Unreadable { .. }));
    everything_is_held(&world).await;
}

#[tokio::test]
async fn the_folder_of_another_device_or_hub_is_held() {
    let world = World::agreed_on(&[("a", "Ada")]).await;
    let marker = world.dir.path().join(".twofold");
    let text = fs::read_to_string(&marker).unwrap();
    fs::write(&marker, text.replace("replica-1", "replica-2")).unwrap();
    assert!(
        matches!(world.device.state().unwrap(), MarkerState::OtherReplica { replica, .. } if replica == "replica-2")
    );
    everything_is_held(&world).await;
    fs::write(&marker, text.replace("hub-1", "hub-2")).unwrap();
    assert!(matches!(world.device.state().unwrap(), MarkerState::OtherHub { hub, .. } if hub == "hub-2"));
    held(world.device.arrive(visit(false, 2)).await);
    everything_is_held(&world).await;
}

#[tokio::test]
async fn the_folder_of_a_lost_hub_is_a_first_meeting() {
    let mut world = World::agreed_on(&[("a", "Ada")]).await;
    world.device = {
        let mut options = options(world.dir.path(), &Default::default());
        options.hub_id = "hub-2".into();
        options.replica_id = "replica-2".into();
        Device::open(options).unwrap()
    };
    world.known.clear();
    let lost = Visit { hub_is_empty: true, ..visit(false, 1) };
    let before = tree(world.dir.path());
    world.device.arrive(Visit { is_dry_run: true, ..lost }).await.unwrap();
    assert_eq!(world.device.collections(Kind::Contacts).await.unwrap().len(), 1);
    assert_eq!(tree(world.dir.path()), before);
    world.device.arrive(lost).await.unwrap();
    assert_eq!(world.device.state().unwrap(), MarkerState::Ours { run: 0 });
    assert_eq!(world.scan_words().await, ["seen a.vcf"]);
}

#[tokio::test]
async fn a_hub_that_is_older_than_the_folder_is_held() {
    let world = World::agreed_on(&[("a", "Ada")]).await;
    world.device.mark(7).unwrap();
    world.device.arrive(visit(true, 8)).await.unwrap();
    // Restored from a copy of the run before, or of long before: however often it runs, it is not taken for the newer one.
    let later = Visit { last_run: 5, ..visit(true, 12) };
    for older in [visit(true, 7), visit(true, 6), later] {
        let arrival = world.device.arrive(older).await.unwrap();
        assert!(matches!(arrival, Arrival::OfLaterRun(_)), "{arrival:?}");
        let said = held(arrival.or_held());
        assert!(said.contains("older copy") && said.contains("twofold device fill laptop"), "{said}");
    }
}

#[tokio::test]
async fn a_folder_that_is_older_than_the_hub_is_held() {
    let world = World::agreed_on(&[("a", "Ada")]).await;
    world.device.mark(3).unwrap();
    // A run that was stopped has written without taking the number.
    for wrote_run in [0, 2, 3] {
        assert_eq!(world.device.arrive(Visit { wrote_run, ..visit(true, 8) }).await.unwrap(), Arrival::Known);
    }
    let said = held(world.device.arrive(Visit { wrote_run: 4, ..visit(true, 8) }).await);
    assert!(said.contains("older copy") && said.contains("twofold device fill laptop"), "{said}");
}

#[tokio::test]
async fn the_marker_takes_the_number_of_a_run_that_wrote_and_of_no_other() {
    let world = World::agreed_on(&[("a", "Ada")]).await;
    world.device.depart(4).await.unwrap();
    let marker = world.dir.path().join(".twofold");
    let before = stamps(&marker);
    world.device.arrive(visit(true, 5)).await.unwrap();
    assert!(world.scan().await.is_empty());
    assert!(!world.device.depart(5).await.unwrap());
    assert_eq!(stamps(&marker), before);
    world.write(create("b", "Bob")).await.unwrap();
    assert!(world.device.depart(6).await.unwrap());
    assert_eq!(world.device.state().unwrap(), MarkerState::Ours { run: 6 });
}

#[tokio::test]
async fn an_absent_sub_mount_holds_its_collection_and_no_other() {
    let world = World::agreed_on(&[("a", "Ada")]).await;
    world.make("google/contacts", "Work").await.unwrap();
    let aside = world.dir.path().join("aside");
    // The mount point without its mount: an empty folder.
    fs::rename(world.path(""), &aside).unwrap();
    fs::create_dir(world.path("")).unwrap();
    assert_eq!(world.device.collection_state(&FRIENDS.into()).unwrap(), CollectionState::Unmarked);
    let said = held(world.try_scan().await);
    assert!(said.contains("no marker") && said.contains("twofold device fill laptop"), "{said}");
    held(world.fetch("a.vcf").await);
    held(world.find("a").await);
    held(world.write(create("b", "Bob")).await);
    held(world.write(world.delete("a.vcf")).await);
    assert_eq!(fs::read_dir(world.path("")).unwrap().count(), 0, "nothing was written below the mount point");
    // Also when the hub knows no item there: an empty folder without marker is nobody's.
    let other = World { known: Known::new(), ..world };
    held(other.try_scan().await);
    let work = other.feed("google/contacts/Work");
    let polls = [other.feed(FRIENDS), work];
    let polls = polls.each_ref().map(|feed| Poll { feed, since: Since::Start, known: &other.known });
    let answers = other.device.changes(&polls).await;
    assert!(answers[0].is_err() && answers[1].is_ok(), "one feed's failure is its own");
    // The mount point itself is gone.
    fs::remove_dir(other.path("")).unwrap();
    assert_eq!(other.device.collection_state(&FRIENDS.into()).unwrap(), CollectionState::Absent);
    held(other.try_scan().await);
    held(other.write(create("b", "Bob")).await);
    fs::rename(&aside, other.path("")).unwrap();
    assert_eq!(other.scan_words().await, ["seen a.vcf"]);
}

#[tokio::test]
async fn a_collection_whose_marker_alone_is_missing_is_held() {
    let world = World::agreed_on(&[("a", "Ada")]).await;
    fs::remove_file(world.path(".twofold-collection")).unwrap();
    held(world.try_scan().await);
    held(world.write(create("b", "Bob")).await);
    assert!(world.fetch("a.vcf").await.unwrap().is_some(), "what is there is there");
    held(world.fetch("b.vcf").await);
}

#[tokio::test]
async fn a_renamed_or_copied_collection_folder_is_not_taken_for_another() {
    let world = World::agreed_on(&[("a", "Ada")]).await;
    fs::rename(world.path(""), world.dir.path().join("google/contacts/Foes")).unwrap();
    held(world.try_scan().await);
    let foes = "google/contacts/Foes".into();
    assert_eq!(world.device.collection_state(&foes).unwrap(), CollectionState::OtherFolder { was: FRIENDS.into() });
    let listed = world.device.collections(Kind::Contacts).await.unwrap();
    assert_eq!(listed.iter().map(|c| &c.id).collect::<Vec<_>>(), [&foes]);
}

#[tokio::test]
async fn folders_that_exchange_their_names_or_leave_theirs_to_a_new_one_are_renamed_and_a_copy_is_not() {
    let world = World::agreed_on(&[("a", "Ada")]).await;
    let book = |name: &str| world.dir.path().join("google/contacts").join(name);
    let id = |name: &str| CollectionId::from(format!("google/contacts/{name}").as_str());
    let (friends, foes) = (CollectionId::from(FRIENDS), id("Foes"));
    let own = FRIENDS.rsplit('/').next().unwrap();
    fs::create_dir(book("Foes")).unwrap();
    let marker = fs::read_to_string(book(own).join(".twofold-collection")).unwrap();
    fs::write(book("Foes").join(".twofold-collection"), marker.replace(FRIENDS, foes.as_str())).unwrap();
    let moved = async || world.device.moved_collections(Kind::Contacts).await.unwrap();
    assert_eq!(moved().await, []);

    fs::rename(book(own), book("Between")).unwrap();
    fs::rename(book("Foes"), book(own)).unwrap();
    let chain = BTreeSet::from([(friends.clone(), id("Between")), (foes.clone(), friends.clone())]);
    assert_eq!(BTreeSet::from_iter(moved().await), chain, "in a chain");
    fs::rename(book("Between"), book("Foes")).unwrap();
    let swap = BTreeSet::from([(friends.clone(), foes.clone()), (foes.clone(), friends.clone())]);
    assert_eq!(BTreeSet::from_iter(moved().await), swap, "exchanged");

    fs::rename(book(own), book("Between")).unwrap();
    fs::rename(book("Foes"), book(own)).unwrap();
    fs::create_dir(book("Foes")).unwrap();
    assert_eq!(moved().await, [(foes.clone(), id("Between"))], "a new one stands under the old name");
    fs::write(book("Foes").join(".twofold-collection"), marker.replace(FRIENDS, foes.as_str())).unwrap();
    assert_eq!(moved().await, [], "a copy of a folder that is there");
}

#[tokio::test]
async fn fill_makes_the_folder_the_home_of_a_new_replica() {
    let mut world = World::agreed_on(&[("a", "Ada")]).await;
    fs::remove_file(world.dir.path().join(".twofold")).unwrap();
    let card_before = stamps(&world.path("a.vcf"));
    world.device.reset_marker("replica-2").unwrap();
    assert_eq!(world.device.state().unwrap(), MarkerState::Ours { run: 0 });
    assert_eq!(world.device.collection_state(&FRIENDS.into()).unwrap(), CollectionState::Marked);
    assert_eq!(stamps(&world.path("a.vcf")), card_before, "no item is touched");
    assert!(world.scan().await.is_empty());
    // To the process that knows the old id it is another's folder.
    world.reopened();
    everything_is_held(&world).await;
    // A path that is not there is made.
    fs::remove_dir_all(world.dir.path()).unwrap();
    world.device.reset_marker("replica-3").unwrap();
    assert_eq!(replica_marked_at(world.dir.path()), Some("replica-3".into()));
}

#[tokio::test]
async fn a_service_that_holds_a_folder_says_that_it_may_be_the_one_of_its_start() {
    let world = World::agreed_on(&[("a", "Ada")]).await;
    fs::remove_file(world.dir.path().join(".twofold")).unwrap();
    let shell = world.device.arrive(visit(true, 2)).await.unwrap_err().to_string();
    let mut options = options(world.dir.path(), &world.ahead);
    options.unit = Some("twofold@ada".into());
    let device = Device::open(options).unwrap();
    let service = device.arrive(visit(true, 2)).await.unwrap_err().to_string();
    let words = "twofold device fill laptop; and, since the service goes on seeing the folder that was there when it started: \
                 sudo systemctl restart twofold@ada";
    assert!(service.contains(words) && !shell.contains("restart"), "{service}\n{shell}");
}
