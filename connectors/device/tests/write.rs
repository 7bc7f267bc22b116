//! Writes: guarded, whole, inside the root, and never over somebody's edit.

mod common;

use common::*;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};
use twofold_model::*;

fn kind<T: std::fmt::Debug>(result: Result<T>) -> ErrorKind {
    result.unwrap_err().kind
}

#[tokio::test]
async fn a_create_makes_one_file_of_that_uid() {
    let mut world = World::ready().await;
    let seen = world.write(create("u-1", "Ada")).await.unwrap().unwrap();
    assert_eq!(seen.remote_id, remote("u-1.vcf"));
    assert_eq!(seen.uid, Some("u-1".into()));
    assert_eq!(world.files().keys().collect::<Vec<_>>(), ["u-1.vcf"], "no temporary file is left");
    assert_eq!(world.text("u-1.vcf"), card("u-1", "Ada"));
    assert_eq!(fs::metadata(world.path("u-1.vcf")).unwrap().permissions().mode() & 0o7777, 0o600);
    world.known.insert(seen.remote_id, seen.etag);
    assert!(world.scan().await.is_empty(), "what we wrote ourselves is no news");
}

#[tokio::test]
async fn a_uid_cannot_name_a_file_outside() {
    let world = World::ready().await;
    let before = tree(world.dir.path()).len();
    for (n, uid) in
        ["../../../x", "/etc/x", "a/b", ".hidden", "..", "con", "urn:uuid:1", "grün"].into_iter().enumerate()
    {
        let seen = world.write(create(uid, "Ada")).await.unwrap().unwrap();
        assert!(seen.remote_id.as_str().starts_with(&format!("{FRIENDS}/")), "{uid}");
        assert_eq!(world.files().len(), n + 1, "{uid}");
        assert!(matches!(world.find(uid).await.unwrap(), Found::Here(found) if found.remote_id == seen.remote_id));
    }
    assert_eq!(tree(world.dir.path()).len(), before + 8);
    for id in [
        "../x.vcf",
        "google/contacts/Friends/../x.vcf",
        "/etc/passwd",
        "google/contacts/Friends/.twofold-collection",
        "x.vcf",
    ] {
        let place = Place { remote_id: id.into(), collection: FRIENDS.into() };
        assert_eq!(kind(world.write(Operation::Delete { place, etag: "x".into() }).await), ErrorKind::NotFound, "{id}");
    }
}

#[tokio::test]
async fn a_create_that_was_carried_out_before_is_found_not_doubled() {
    let world = World::ready().await;
    let first = world.write(create("a", "Ada")).await.unwrap().unwrap();
    let again = world.write(create("a", "Ada")).await.unwrap().unwrap();
    assert_eq!((again.remote_id, again.rendering), (first.remote_id, first.rendering));
    assert_eq!(
        kind(world.write(create("a", "Eve")).await),
        ErrorKind::StaleEtag,
        "the same UID, other bytes: look first"
    );
    assert_eq!(world.files().len(), 1);
    assert_eq!(world.text("a.vcf"), card("a", "Ada"));
}

#[tokio::test]
async fn a_name_that_another_item_has_is_not_overwritten() {
    let world = World::ready().await;
    world.put("a.vcf", &card("somebody-else", "Eve"));
    let seen = world.write(create("a", "Ada")).await.unwrap().unwrap();
    assert_eq!(seen.remote_id, remote("a (2).vcf"));
    assert_eq!(world.text("a.vcf"), card("somebody-else", "Eve"));
    assert!(matches!(world.find("a").await.unwrap(), Found::Here(found) if found.remote_id == seen.remote_id));
}

#[tokio::test]
async fn an_update_replaces_what_was_expected() {
    let mut world = World::agreed_on(&[("a", "Ada")]).await;
    fs::set_permissions(world.path("a.vcf"), fs::Permissions::from_mode(0o644)).unwrap();
    world.agree().await;
    let seen = world.write(world.update("a.vcf", &card("a", "Ada Lovelace"))).await.unwrap().unwrap();
    assert_eq!(world.text("a.vcf"), card("a", "Ada Lovelace"));
    assert_eq!(world.files().len(), 1);
    assert_eq!(
        fs::metadata(world.path("a.vcf")).unwrap().permissions().mode() & 0o7777,
        0o644,
        "its readers can still read"
    );
    world.known.insert(seen.remote_id, seen.etag);
    assert!(world.scan().await.is_empty());
}

#[tokio::test]
async fn an_update_to_the_same_bytes_touches_nothing() {
    let world = World::agreed_on(&[("a", "Ada")]).await;
    let before = stamps(&world.path("a.vcf"));
    let seen = world.write(world.update("a.vcf", &card("a", "Ada"))).await.unwrap().unwrap();
    assert_eq!(seen.etag, world.known[&remote("a.vcf")]);
    assert_eq!(stamps(&world.path("a.vcf")), before);
    assert_eq!(world.files().len(), 1);
}

#[tokio::test]
async fn an_edit_meanwhile_is_stale_and_stands() {
    let world = World::agreed_on(&[("a", "Ada")]).await;
    world.put("a.vcf", &card("a", "Their Edit"));
    assert_eq!(kind(world.write(world.update("a.vcf", &card("a", "Ours"))).await), ErrorKind::StaleEtag);
    assert_eq!(kind(world.write(world.delete("a.vcf")).await), ErrorKind::StaleEtag);
    assert_eq!(world.text("a.vcf"), card("a", "Their Edit"));
    assert_eq!(world.files().len(), 1);
}

#[tokio::test]
async fn a_file_that_was_only_touched_is_not_stale() {
    let world = World::agreed_on(&[("a", "Ada"), ("b", "Bob")]).await;
    for file in ["a.vcf", "b.vcf"] {
        fs::File::options().write(true).open(world.path(file)).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
    }
    world.write(world.update("a.vcf", &card("a", "Eve"))).await.unwrap();
    assert_eq!(world.write(world.delete("b.vcf")).await.unwrap(), None);
    assert_eq!(world.text("a.vcf"), card("a", "Eve"));
    assert_eq!(world.files().len(), 1);
}

#[tokio::test]
async fn a_delete_of_what_is_gone_is_a_success_and_an_update_is_not() {
    let world = World::agreed_on(&[("a", "Ada")]).await;
    fs::remove_file(world.path("a.vcf")).unwrap();
    assert_eq!(kind(world.write(world.update("a.vcf", &card("a", "Eve"))).await), ErrorKind::NotFound);
    assert_eq!(world.write(world.delete("a.vcf")).await.unwrap(), None);
    assert!(world.files().is_empty(), "no temporary file is left");
}

#[tokio::test]
async fn a_delete_removes_the_file() {
    let mut world = World::agreed_on(&[("a", "Ada"), ("b", "Bob")]).await;
    assert_eq!(world.write(world.delete("a.vcf")).await.unwrap(), None);
    assert_eq!(world.files().keys().collect::<Vec<_>>(), ["b.vcf"]);
    world.known.remove(&remote("a.vcf"));
    assert!(world.scan().await.is_empty());
}

#[tokio::test]
async fn a_batch_answers_for_each_operation() {
    let world = World::agreed_on(&[("a", "Ada"), ("b", "Bob"), ("c", "Cyd")]).await;
    world.put("b.vcf", &card("b", "Their Edit"));
    let operations = [
        world.update("a.vcf", &card("a", "Ada 2")),
        world.update("b.vcf", &card("b", "Bob 2")),
        world.delete("c.vcf"),
        create("d", "Dan"),
        world.update("a.vcf", "no card at all"),
    ];
    let answers = world.device.write(Kind::Contacts, &operations).await;
    assert!(matches!(&answers[0], Ok(Some(_))));
    let error = answers[1].as_ref().unwrap_err();
    assert_eq!(error.kind, ErrorKind::StaleEtag);
    let said = error.to_string();
    assert!(said.starts_with(&format!("{FRIENDS}: ")), "where it was is told: {said}");
    assert!(!said.contains("b.vcf"), "a file may be called as people call an item: {said}");
    assert!(matches!(&answers[2], Ok(None)));
    assert!(matches!(&answers[3], Ok(Some(_))));
    assert!(
        matches!(&answers[4], Err(e) if e.kind == ErrorKind::Refused),
        "what we could not read back is not written"
    );
    assert_eq!(world.files().keys().collect::<Vec<_>>(), ["a.vcf", "b.vcf", "d.vcf"]);
}

#[tokio::test]
async fn an_edit_right_after_our_write_is_seen() {
    let mut world = World::ready().await;
    world.set_ahead(0);
    for n in 0..20 {
        let uid = format!("u{n}");
        let seen = world.write(create(&uid, "Ada")).await.unwrap().unwrap();
        world.known.insert(seen.remote_id, seen.etag);
        // The same size, as soon as it can be.
        world.put(&format!("{uid}.vcf"), &card(&uid, "Eve"));
        assert_eq!(world.scan_words().await, [format!("seen {uid}.vcf")]);
        world.agree().await;
    }
}

#[tokio::test]
async fn a_link_in_a_cards_place_is_not_written_through() {
    let world = World::agreed_on(&[("a", "Ada")]).await;
    let outside = tempfile::NamedTempFile::new().unwrap();
    fs::write(outside.path(), card("a", "Ada")).unwrap();
    fs::remove_file(world.path("a.vcf")).unwrap();
    std::os::unix::fs::symlink(outside.path(), world.path("a.vcf")).unwrap();
    assert_eq!(kind(world.write(world.update("a.vcf", &card("a", "Eve"))).await), ErrorKind::Refused);
    assert_eq!(kind(world.write(world.delete("a.vcf")).await), ErrorKind::Refused);
    assert_eq!(fs::read_to_string(outside.path()).unwrap(), card("a", "Ada"));
    assert!(world.path("a.vcf").is_symlink());
    assert_eq!(world.files().len(), 1);
}

#[tokio::test]
async fn a_folder_that_may_not_be_written_to_is_forbidden() {
    let world = World::agreed_on(&[("a", "Ada")]).await;
    let path = world.path("");
    // Root may write anywhere, except where the file system itself forbids it.
    let locked = std::process::Command::new("chattr").arg("+i").arg(&path).status().is_ok_and(|s| s.success());
    if !locked {
        fs::set_permissions(&path, fs::Permissions::from_mode(0o500)).unwrap();
    }
    let answers = [
        world.write(create("b", "Bob")).await,
        world.write(world.update("a.vcf", &card("a", "Eve"))).await,
        world.write(world.delete("a.vcf")).await,
    ];
    let was_root = !locked && fs::write(path.join("probe"), "").is_ok();
    let _ = std::process::Command::new("chattr").arg("-i").arg(&path).status();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
    if was_root {
        return println!("skipped: this user may write everywhere and cannot lock a folder");
    }
    for answer in answers {
        let error = answer.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Forbidden, "{error}");
        assert!(error.to_string().contains(FRIENDS), "{error}");
    }
    assert_eq!(world.text("a.vcf"), card("a", "Ada"));
}

#[tokio::test]
async fn a_full_disk_changes_nothing_and_says_so() {
    let disk = tempfile::tempdir().unwrap();
    let mounted = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=128k", "tmpfs"])
        .arg(disk.path())
        .stderr(std::process::Stdio::null())
        .status();
    if !mounted.is_ok_and(|status| status.success()) {
        return println!("skipped: mounting a small disk is not permitted here");
    }
    struct Unmount<'a>(&'a std::path::Path);
    impl Drop for Unmount<'_> {
        fn drop(&mut self) {
            let _ = std::process::Command::new("umount").arg("-l").arg(self.0).status();
        }
    }
    let _unmount = Unmount(disk.path());
    let root = disk.path().join("device");
    let world = World::with(|options| options.root = root.clone());
    world.make("google/contacts", "Friends").await.unwrap();
    let seen = world.write(create("a", "Ada")).await.unwrap().unwrap();
    let before = tree(&root);
    let large = card("a", &"x".repeat(300_000));
    let etag = seen.etag.clone();
    let update = Operation::Update { place: place("a.vcf"), etag, from: seen.rendering, to: large.clone().into() };
    let create = Operation::Create {
        collection: FRIENDS.into(),
        rendering: card("b", &"x".repeat(300_000)).into(),
        uid: "b".into(),
        mark: mark(),
    };
    for operation in [update, create] {
        let error = world.write(operation).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Offline, "{error}");
        assert!(error.message.contains("disk full") && error.message.contains("nothing was changed"), "{error}");
        assert_eq!(tree(&root), before, "no half file, no temporary file");
    }
    let small = World { known: Known::from([(seen.remote_id, seen.etag)]), ..world };
    assert!(small.scan().await.is_empty());
}

#[tokio::test]
async fn find_looks_by_name_and_then_into_every_file() {
    let world = World::ready().await;
    world.put("random name.vcf", &card("u-1", "Ada"));
    world.put("u-2.vcf", &card("other", "Eve"));
    world.put("broken.vcf", "no card");
    assert!(
        matches!(world.find("u-1").await.unwrap(), Found::Here(seen) if seen.remote_id == remote("random name.vcf"))
    );
    assert!(matches!(world.find("u-2").await.unwrap(), Found::Nowhere));
    world.write(create("u-3", "Cyd")).await.unwrap();
    assert!(matches!(world.find("u-3").await.unwrap(), Found::Here(seen) if seen.remote_id == remote("u-3.vcf")));
}

#[tokio::test]
async fn modification_times_are_never_set_back() {
    let world = World::agreed_on(&[("a", "Ada")]).await;
    let start = std::time::SystemTime::now() - Duration::from_millis(50);
    world.write(world.update("a.vcf", &card("a", "Eve"))).await.unwrap();
    assert!(fs::metadata(world.path("a.vcf")).unwrap().modified().unwrap() >= start);
}

#[tokio::test]
async fn what_a_stopped_run_left_is_tidied_and_an_edit_in_it_is_kept() {
    let mut world = World::agreed_on(&[("a", "Ada")]).await;
    let zero = "0".repeat(32);
    world.put(".twofold-new-abc-1", "BEGIN:VCA");
    world.put(&format!(".twofold-swap-{zero}-{zero}-abc-2"), &card("a", "Their Edit"));
    assert!(world.scan().await.is_empty());
    assert_eq!(world.files().len(), 3, "young leftovers may be another process at work");
    world.set_ahead(3600);
    world.reopened();
    let said = world.scan_words().await;
    assert!(
        matches!(&said[..], [bad] if bad.starts_with("bad a.kept-1.vcf: has the same UID as google/contacts/Friends/a.vcf")),
        "{said:?}"
    );
    assert_eq!(world.files().keys().collect::<Vec<_>>(), ["a.kept-1.vcf", "a.vcf"]);
}

#[tokio::test]
async fn radicales_lock_is_taken_where_there_is_one() {
    let outer = tempfile::tempdir().unwrap();
    let lock_path = outer.path().join(".Radicale.lock");
    let world = World::with(|options| options.root = outer.path().join("collection-root/ada"));
    world.make("google/contacts", "Friends").await.unwrap();
    assert!(!lock_path.exists(), "never made by us");
    fs::write(&lock_path, "").unwrap();
    let theirs = fs::File::open(&lock_path).unwrap();

    // They read: we read too, but wait with writing.
    theirs.lock_shared().unwrap();
    let start = Instant::now();
    assert!(world.try_scan().await.is_ok());
    assert!(start.elapsed() < Duration::from_secs(2));
    let unlocker = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        theirs.unlock().unwrap();
        theirs
    });
    let start = Instant::now();
    world.write(create("a", "Ada")).await.unwrap();
    assert!(start.elapsed() >= Duration::from_millis(250), "waited for their lock");

    // They write for longer than we wait.
    let theirs = unlocker.join().unwrap();
    theirs.lock().unwrap();
    let error = world.try_scan().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Offline);
    assert!(error.message.contains(".Radicale.lock"), "{error}");
    theirs.unlock().unwrap();
    assert_eq!(world.scan_words().await, ["seen a.vcf"]);
}

#[tokio::test]
async fn what_is_written_is_made_durable() {
    let world = World::with(|options| options.is_durable = true);
    world.make("google/contacts", "Friends").await.unwrap();
    let operations: Vec<Operation> = (0..20).map(|n| create(&format!("u{n}"), "Ada")).collect();
    for few in [&operations[..3], &operations[3..]] {
        assert!(world.device.write(Kind::Contacts, few).await.iter().all(Result::is_ok));
        world.device.flush().await.unwrap();
    }
    assert_eq!(world.files().len(), 20);
}

#[tokio::test]
async fn a_thousand_creates_are_quick() {
    let world = World::ready().await;
    let operations: Vec<Operation> = (0..1000).map(|n| create(&format!("u{n}"), "Ada")).collect();
    let start = Instant::now();
    for batch in operations.chunks(world.device.abilities().write_batch) {
        assert!(world.device.write(Kind::Contacts, batch).await.iter().all(Result::is_ok));
    }
    println!("1000 creates: {:?}", start.elapsed());
}
