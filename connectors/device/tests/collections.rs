//! Collection folders: found, made, adopted, renamed.

mod common;

use common::*;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use twofold_device::{CollectionState, Device, DeviceOptions};
use twofold_model::*;

#[tokio::test]
async fn a_collection_is_made_with_marker_displayname_and_color() {
    let world = World::fresh();
    let wish = Collection { color: Some("#ff8800".into()), ..like("google/contacts", "My Contacts") };
    let made = world.device.create_collection(Kind::Contacts, &wish).await.unwrap();
    assert_eq!(made.id.as_str(), "google/contacts/My Contacts");
    let folder = world.dir.path().join(made.id.as_str());
    assert_eq!(fs::read_to_string(folder.join("displayname")).unwrap(), "My Contacts");
    assert_eq!(fs::read_to_string(folder.join("color")).unwrap(), "#ff8800");
    assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o7777, 0o700);
    assert_eq!(fs::metadata(folder.join("displayname")).unwrap().permissions().mode() & 0o7777, 0o600);
    assert_eq!(world.device.collection_state(&made.id).unwrap(), CollectionState::Marked);
    assert_eq!(world.device.collections(Kind::Contacts).await.unwrap(), std::slice::from_ref(&made));
    let feeds = world.device.feeds(Kind::Contacts, std::slice::from_ref(&made));
    assert!(
        matches!(&feeds[..], [feed] if feed.id.as_str() == made.id.as_str() && feed.collections == [made.id.clone()])
    );
}

#[tokio::test]
async fn made_again_it_is_the_one_that_is_there() {
    let world = World::fresh();
    let first = world.make("google/contacts", "Friends").await.unwrap();
    let before = tree(world.dir.path());
    assert_eq!(world.make("google/contacts", "Friends").await.unwrap(), first);
    assert_eq!(tree(world.dir.path()), before);
    let elsewhere = world.make("microsoft365/contacts", "Friends").await.unwrap();
    assert_eq!(elsewhere.id.as_str(), "microsoft365/contacts/Friends");
    assert_eq!(world.make("joined/contacts", "Friends").await.unwrap().id.as_str(), "joined/contacts/Friends");
}

#[tokio::test]
async fn two_collections_of_one_name_get_two_folders() {
    let world = World::fresh();
    let first = world.make("microsoft365/contacts#c1", "Friends").await.unwrap();
    let second = world.make("microsoft365/contacts#c2", "Friends").await.unwrap();
    assert_eq!(first.id.as_str(), "microsoft365/contacts/Friends");
    assert_eq!(second.id.as_str(), "microsoft365/contacts/Friends (2)");
    assert_eq!(second.name, "Friends");
    // Repeated after a crash, each finds its own, whatever it is called by now.
    world.device.rename_collection(Kind::Contacts, &first.id, Some("Best Friends"), None).await.unwrap();
    assert_eq!(world.make("microsoft365/contacts#c1", "Friends").await.unwrap().id, first.id);
    assert_eq!(world.make("microsoft365/contacts#c2", "Friends").await.unwrap().id, second.id);
}

#[tokio::test]
async fn names_that_differ_in_case_only_get_two_folders() {
    let world = World::fresh();
    world.make("google/contacts", "Friends").await.unwrap();
    assert_eq!(world.make("google/contacts", "FRIENDS").await.unwrap().id.as_str(), "google/contacts/FRIENDS (2)");
    assert_eq!(world.make("google/contacts", "a/b").await.unwrap().id.as_str(), "google/contacts/a_b");
    assert_eq!(world.make("google/contacts", "a:b").await.unwrap().id.as_str(), "google/contacts/a_b (2)");
}

#[tokio::test]
async fn no_name_leads_out_of_the_root() {
    let world = World::fresh();
    for name in ["../../../etc", "..", ".", "", "/etc", "CON", "x".repeat(400).as_str(), ".twofold-collection", "a\0b"]
    {
        let made = world.make("google/contacts", name).await.unwrap();
        let path = world.dir.path().join(made.id.as_str());
        assert_eq!(path.parent().unwrap(), world.dir.path().join("google/contacts"), "{name:?}");
        assert!(path.join(".twofold-collection").exists(), "{name:?}");
    }
    for parent in [
        "../x/contacts",
        "google",
        "",
        "google/calendar",
        "a/b/contacts",
        "/etc/contacts",
        "google/contacts/x",
        ".x/contacts",
    ] {
        let error = world.make(parent, "Friends").await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Misconfigured, "{parent}: {error}");
    }
    assert_eq!(fs::read_dir(world.dir.path()).unwrap().count(), 2, "the marker and google");
}

#[tokio::test]
async fn a_rename_changes_the_displayname_and_not_the_id() {
    let world = World::agreed_on(&[("a", "Ada")]).await;
    world.device.rename_collection(Kind::Contacts, &FRIENDS.into(), Some("Foes"), Some("#000000")).await.unwrap();
    let listed = world.device.collections(Kind::Contacts).await.unwrap();
    assert_eq!((listed[0].id.as_str(), listed[0].name.as_str()), (FRIENDS, "Foes"));
    assert_eq!(listed[0].color.as_deref(), Some("#000000"));
    let before = stamps(&world.path("displayname"));
    world.device.rename_collection(Kind::Contacts, &FRIENDS.into(), Some("Foes"), None).await.unwrap();
    assert_eq!(stamps(&world.path("displayname")), before, "a file is touched only when its meaning changed");
    assert!(world.scan().await.is_empty());
}

#[tokio::test]
async fn a_colour_is_read_for_what_it_means_and_written_only_when_it_changes() {
    let world = World::agreed_on(&[("a", "Ada")]).await;
    let listed = async || world.device.collections(Kind::Contacts).await.unwrap().remove(0);
    for (text, color) in
        [("#FF8800\n", Some("#ff8800")), ("#ff8800CC", Some("#ff8800")), ("orange", None), ("#ff88", None)]
    {
        world.put("color", text);
        assert_eq!(listed().await.color.as_deref(), color, "{text}");
    }
    world.put("color", "#FF8800CC");
    world.device.rename_collection(Kind::Contacts, &FRIENDS.into(), Some("Foes"), None).await.unwrap();
    assert_eq!(fs::read_to_string(world.path("color")).unwrap(), "#FF8800CC", "nobody asked for another one");
    let told = world.device.rename_collection(Kind::Contacts, &FRIENDS.into(), None, Some("#000000")).await.unwrap();
    assert_eq!((told.name.as_str(), told.color.as_deref()), ("Foes", Some("#000000")));
    assert_eq!(fs::read_to_string(world.path("displayname")).unwrap(), "Foes");
}

#[tokio::test]
async fn a_name_that_is_missing_or_not_yet_written_is_no_name() {
    let world = World::agreed_on(&[("a", "Ada")]).await;
    world.put("displayname", "Foes\n");
    assert_eq!(world.device.collections(Kind::Contacts).await.unwrap()[0].name, "Foes");
    world.put("displayname", "");
    assert_eq!(world.device.collections(Kind::Contacts).await.unwrap()[0].name, "");
    fs::remove_file(world.path("displayname")).unwrap();
    assert_eq!(world.device.collections(Kind::Contacts).await.unwrap()[0].name, "");
    // It is found all the same where one of its name is to be made.
    assert_eq!(world.make("google/contacts", "Friends").await.unwrap().id.as_str(), FRIENDS);
}

#[tokio::test]
async fn a_folder_with_cards_and_no_marker_is_adopted() {
    let mut world = World::fresh();
    fs::create_dir_all(world.path("")).unwrap();
    world.put("a.vcf", &card("a", "Ada"));
    world.put("displayname", "My Friends\n");
    fs::create_dir_all(world.dir.path().join("google/contacts/empty")).unwrap();
    let listed = world.device.collections(Kind::Contacts).await.unwrap();
    assert_eq!(listed.len(), 1, "an empty folder may be a mount that is absent");
    assert_eq!((listed[0].id.as_str(), listed[0].name.as_str()), (FRIENDS, "My Friends"));
    assert_eq!(world.device.collection_state(&FRIENDS.into()).unwrap(), CollectionState::Unmarked);
    let before = stamps(&world.path("a.vcf"));

    world.device.adopt_collection(&FRIENDS.into(), Some("c1")).unwrap();
    assert_eq!(world.device.collection_state(&FRIENDS.into()).unwrap(), CollectionState::Marked);
    assert_eq!(world.make("google/contacts#c1", "whatever").await.unwrap().id.as_str(), FRIENDS);
    assert_eq!(stamps(&world.path("a.vcf")), before, "what is adopted is not touched");
    world.agree().await;
    assert_eq!(world.known.len(), 1);
}

#[tokio::test]
async fn a_copy_of_a_folder_is_taken_up_as_a_folder_of_its_own_and_no_other_is_made() {
    for has_card in [false, true] {
        let world = World::fresh();
        let first = world.make("google/contacts", "Friends").await.unwrap();
        let (from, to) = (world.dir.path().join(first.id.as_str()), world.dir.path().join("google/contacts/Copy"));
        fs::create_dir(&to).unwrap();
        fs::copy(from.join(".twofold-collection"), to.join(".twofold-collection")).unwrap();
        fs::write(to.join("displayname"), "Foes").unwrap();
        if has_card {
            fs::write(to.join("a.vcf"), card("a", "Ada")).unwrap();
        }
        let copy = world.make("google/contacts", "Foes").await.unwrap();
        assert_eq!(copy.id.as_str(), "google/contacts/Copy");
        for id in [&first.id, &copy.id] {
            assert_eq!(world.device.collection_state(id).unwrap(), CollectionState::Marked, "{id}");
        }
        assert_eq!(world.device.collections(Kind::Contacts).await.unwrap().len(), 2);
    }
}

#[tokio::test]
async fn a_folder_that_somebody_filled_is_adopted_when_it_is_wished_for() {
    for (folder, displayname, wish) in [("Friends", None, "Friends"), ("abc", Some("Friends"), "Friends")] {
        let world = World::fresh();
        let path = world.dir.path().join("google/contacts").join(folder);
        fs::create_dir_all(&path).unwrap();
        fs::write(path.join("a.vcf"), card("a", "Ada")).unwrap();
        if let Some(name) = displayname {
            fs::write(path.join("displayname"), name).unwrap();
        }
        let made = world.make("google/contacts", wish).await.unwrap();
        assert_eq!(made.id.as_str(), format!("google/contacts/{folder}"));
        assert_eq!(world.device.collection_state(&made.id).unwrap(), CollectionState::Marked);
    }
}

#[tokio::test]
async fn a_folder_that_somebody_filled_is_adopted_when_it_is_scanned_first() {
    let world = World::ready().await;
    let id = "google/contacts/Work";
    let path = world.dir.path().join(id);
    fs::create_dir(&path).unwrap();
    fs::write(path.join("a.vcf"), card("a", "Ada")).unwrap();
    let feed = world.feed(id);
    let poll = || Poll { feed: &feed, since: Since::Start, known: &world.known };
    let page = world.device.changes(&[poll()]).await.pop().unwrap().unwrap();
    assert_eq!(words(&page.entries), ["seen a.vcf"]);
    assert_eq!(world.device.collection_state(&id.into()).unwrap(), CollectionState::Marked);
}

#[tokio::test]
async fn a_link_among_the_folders_is_not_followed() {
    let world = World::ready().await;
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("a.vcf"), card("a", "Ada")).unwrap();
    std::os::unix::fs::symlink(outside.path(), world.dir.path().join("google/contacts/Link")).unwrap();
    assert_eq!(world.device.collections(Kind::Contacts).await.unwrap().len(), 1);
    let rendering = card("b", "Bob").into();
    let operation =
        Operation::Create { collection: "google/contacts/Link".into(), rendering, uid: "b".into(), mark: mark() };
    assert_eq!(world.write(operation).await.unwrap_err().kind, ErrorKind::Forbidden);
    // The whole provider folder replaced by a link.
    fs::rename(world.dir.path().join("google"), outside.path().join("google")).unwrap();
    std::os::unix::fs::symlink(outside.path().join("google"), world.dir.path().join("google")).unwrap();
    assert_eq!(world.write(create("b", "Bob")).await.unwrap_err().kind, ErrorKind::Forbidden);
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 2, "nothing was written outside");
}

#[tokio::test]
async fn a_group_may_read_and_write_where_the_configuration_says_so() {
    let world = World::with(|options| options.group = Some("0".into()));
    let made = world.make("google/contacts", "Friends").await;
    let Ok(made) = made else { return println!("skipped: this user may not give files to group 0 ({made:?})") };
    world.write(create("a", "Ada")).await.unwrap();
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(&world.dir.path().join(made.id.as_str())), 0o2770);
    assert_eq!(mode(&world.path("a.vcf")), 0o660);
    for (mode, group) in [(Some(0o700), None), (Some(0o066), None), (None, Some("no such group"))] {
        let mut options = DeviceOptions::new("laptop", "/tmp", "h", "r");
        options.mode = mode;
        options.group = group.map(str::to_owned);
        assert!(Device::open(options).is_err_and(|e| e.kind == ErrorKind::Misconfigured), "{mode:?} {group:?}");
    }
}

#[tokio::test]
async fn a_kind_that_is_not_held_is_unsupported() {
    let world = World::ready().await;
    assert_eq!(world.device.collections(Kind::Calendar).await.unwrap_err().kind, ErrorKind::Unsupported);
    assert!(world.device.lens(Kind::Mail).read(&Rendering(Vec::new())).is_err());
}

#[tokio::test]
async fn a_folder_is_taken_away_only_when_nothing_but_our_own_files_is_in_it() {
    let world = World::fresh();
    let wish = Collection { color: Some("#ff8800".into()), ..like("google/contacts", "My Contacts") };
    let made = world.device.create_collection(Kind::Contacts, &wish).await.unwrap();
    let folder = world.dir.path().join(made.id.as_str());
    for foreign in ["ada.vcf", ".Radicale.props", "readme"] {
        fs::write(folder.join(foreign), "x").unwrap();
        let before = tree(world.dir.path());
        assert!(!world.device.remove_collection(Kind::Contacts, &made.id).await.unwrap(), "{foreign}");
        assert_eq!(tree(world.dir.path()), before, "{foreign}");
        fs::remove_file(folder.join(foreign)).unwrap();
    }
    assert!(world.device.remove_collection(Kind::Contacts, &made.id).await.unwrap());
    assert!(!folder.exists() && folder.parent().unwrap().exists());
    assert!(world.device.remove_collection(Kind::Contacts, &made.id).await.unwrap(), "once more, after a stop");
}

#[tokio::test]
async fn what_one_that_was_killed_left_in_a_folder_goes_with_it_and_somebody_s_edit_stays() {
    let world = World::fresh();
    let made = world.make("google/contacts", "Friends").await.unwrap();
    let folder = world.dir.path().join(made.id.as_str());
    let (ada, zero) = (card("a", "Ada"), "0".repeat(32));
    let known: String = blake3::hash(ada.as_bytes()).to_hex().chars().take(32).collect();
    fs::write(folder.join(".twofold-new-abc-1"), "BEGIN:VCA").unwrap();
    fs::write(folder.join(format!(".twofold-swap-{known}-{zero}-abc-2")), &ada).unwrap();
    let edit = folder.join(format!(".twofold-swap-{zero}-{zero}-abc-3"));
    fs::write(&edit, card("b", "Their Edit")).unwrap();
    assert!(!world.device.remove_collection(Kind::Contacts, &made.id).await.unwrap(), "nobody else has it");
    let left =
        fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).find(|path| path.ends_with("b.kept-1.vcf"));
    fs::remove_file(left.expect("it has a name that is seen")).unwrap();
    assert!(world.device.remove_collection(Kind::Contacts, &made.id).await.unwrap());
    assert!(!folder.exists());
}

#[tokio::test]
async fn a_folder_that_is_not_marked_as_ours_is_not_taken_away() {
    let world = World::fresh();
    let made = world.make("google/contacts", "Friends").await.unwrap();
    let folder = world.dir.path().join(made.id.as_str());
    fs::remove_file(folder.join(twofold_device::COLLECTION_MARKER)).unwrap();
    assert!(!world.device.remove_collection(Kind::Contacts, &made.id).await.unwrap());
    assert!(folder.exists());
}
