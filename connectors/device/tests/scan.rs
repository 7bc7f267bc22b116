//! What a scan says of a folder that other programs write to.

mod common;

use common::*;
use std::os::unix::ffi::OsStrExt as _;
use std::time::Duration;
use twofold_model::*;

#[tokio::test]
async fn an_unchanged_folder_says_nothing() {
    let world = World::agreed_on(&[("a", "Ada"), ("b", "Bob")]).await;
    assert_eq!(world.known.len(), 2);
    assert!(world.scan().await.is_empty());
}

/// What the folder answers by a token, and the token of a comparison with what is known.
async fn as_it_was(world: &World, token: &DeltaToken) -> bool {
    let feed = world.feed(FRIENDS);
    let poll = Poll { feed: &feed, since: Since::Token(token.clone()), known: &Known::new() };
    match world.device.changes(&[poll]).await.pop().unwrap() {
        Ok(page) => {
            assert!(page.entries.is_empty());
            assert_eq!(page.next, Next::Done(token.clone()));
            true
        }
        Err(error) => {
            assert_eq!(error.kind, ErrorKind::TokenExpired, "{error}");
            false
        }
    }
}

async fn token(world: &World) -> DeltaToken {
    let feed = world.feed(FRIENDS);
    let poll = Poll { feed: &feed, since: Since::Start, known: &world.known };
    match world.device.changes(&[poll]).await.pop().unwrap().unwrap().next {
        Next::Done(token) => token,
        Next::Page(_) => panic!("one page"),
    }
}

#[tokio::test]
async fn a_folder_that_looks_as_it_did_is_not_compared_and_any_difference_is_told() {
    let world = World::agreed_on(&[("a", "Ada"), ("b", "Bob")]).await;
    let settled = token(&world).await;
    assert!(!settled.as_str().is_empty());
    assert!(as_it_was(&world, &settled).await);
    // What is no item makes no difference.
    world.put("note.txt", "x");
    std::fs::create_dir(world.path("sub.vcf")).unwrap();
    assert!(as_it_was(&world, &settled).await);
    type Deed = (&'static str, fn(&World));
    let deeds: [Deed; 5] = [
        ("edited in place, its old time put back", |world| {
            let before = std::fs::metadata(world.path("a.vcf")).unwrap().modified().unwrap();
            world.until_later_than("a.vcf");
            world.put("a.vcf", &card("a", "Eve"));
            std::fs::File::options().write(true).open(world.path("a.vcf")).unwrap().set_modified(before).unwrap();
        }),
        ("made", |world| world.put("c.vcf", &card("c", "Cid"))),
        ("renamed", |world| std::fs::rename(world.path("b.vcf"), world.path("d.vcf")).unwrap()),
        ("exchanged", |world| {
            std::fs::rename(world.path("a.vcf"), world.path("x")).unwrap();
            std::fs::rename(world.path("c.vcf"), world.path("a.vcf")).unwrap();
            std::fs::rename(world.path("x"), world.path("c.vcf")).unwrap();
        }),
        ("removed", |world| std::fs::remove_file(world.path("a.vcf")).unwrap()),
    ];
    let mut last = settled;
    let mut world = world;
    for (what, deed) in deeds {
        deed(&world);
        assert!(!as_it_was(&world, &last).await, "{what}");
        // What is told and not agreed on yet is told again.
        assert_eq!(token(&world).await.as_str(), "", "{what}");
        world.known.clear();
        world.agree().await;
        last = token(&world).await;
        assert!(as_it_was(&world, &last).await, "{what}, agreed on");
    }
}

#[tokio::test]
async fn what_has_to_be_looked_at_again_leaves_no_token() {
    // A file that is young, one that is bad, one that is half, one that is missed.
    let mut world = World::ready().await;
    world.set_ahead(0);
    world.put("a.vcf", &card("a", "Ada"));
    world.agree().await;
    assert_eq!(token(&world).await.as_str(), "", "young");
    world.set_ahead(10);
    world.agree().await;
    assert_ne!(token(&world).await.as_str(), "");
    for (what, text) in [("bad", "BEGIN:VCARD\r\n\0\r\nEND:VCARD\r\n".to_owned()), ("half", "BEGIN:VCARD\r\n".into())] {
        world.put("b.vcf", &text);
        assert_eq!(token(&world).await.as_str(), "", "{what}");
        std::fs::remove_file(world.path("b.vcf")).unwrap();
        assert_ne!(token(&world).await.as_str(), "", "{what}, gone");
    }
    world.known.insert(remote("c.vcf"), "x".into());
    assert_eq!(token(&world).await.as_str(), "", "missed");
}

#[tokio::test]
async fn a_new_file_is_seen_with_its_uid() {
    let world = World::ready().await;
    world.put("whatever.vcf", &card("u-1", "Ada"));
    let entries = world.scan().await;
    let [Entry::Seen(seen)] = entries.as_slice() else { panic!("{entries:?}") };
    assert_eq!(seen.remote_id, remote("whatever.vcf"));
    assert_eq!(seen.collection.as_str(), FRIENDS);
    assert_eq!(seen.uid, Some("u-1".into()));
    assert_eq!(seen.rendering.as_bytes(), card("u-1", "Ada").as_bytes());
    assert_eq!(seen.modified_ms, None, "a device says no time: what counts is when we first saw it");
}

#[tokio::test]
async fn edit_in_place_is_seen() {
    let world = World::agreed_on(&[("a", "Ada")]).await;
    let folder = stamps(&world.path(""));
    // Same size, same inode, and the directory's own time does not move.
    world.until_later_than("a.vcf");
    world.put("a.vcf", &card("a", "Eve"));
    assert_eq!(stamps(&world.path("")), folder);
    assert_eq!(world.scan_words().await, ["seen a.vcf"]);
}

#[tokio::test]
async fn an_edit_with_its_old_time_put_back_is_seen() {
    let world = World::agreed_on(&[("a", "Ada")]).await;
    let before = std::fs::metadata(world.path("a.vcf")).unwrap().modified().unwrap();
    world.until_later_than("a.vcf");
    world.put("a.vcf", &card("a", "Eve"));
    std::fs::File::options().write(true).open(world.path("a.vcf")).unwrap().set_modified(before).unwrap();
    assert_eq!(world.scan_words().await, ["seen a.vcf"]);
}

#[tokio::test]
async fn two_edits_one_tick() {
    // Two edits in one tick of the file system's clock have one stamp: a young file is taken, but looked at again.
    let mut world = World::ready().await;
    world.set_ahead(0);
    world.put("a.vcf", &card("a", "Ada"));
    world.agree().await;
    let etag = &world.known[&remote("a.vcf")];
    assert!(etag.as_str().ends_with('!'), "{etag}");
    assert!(world.scan().await.is_empty(), "still young, looked at again, still the same: nothing to say");

    // The second edit, under the very same stamp: nothing but the bytes tells.
    let stamp = etag.as_str().split('.').next().unwrap().to_owned();
    world.put("a.vcf", &card("a", "Eve"));
    let seen = world.fetch("a.vcf").await.unwrap().unwrap();
    let now = seen.etag.as_str().split('.').next().unwrap().to_owned();
    let forged = etag.as_str().replace(&stamp, &now);
    world.known.insert(remote("a.vcf"), forged.into());
    assert_eq!(world.scan_words().await, ["seen a.vcf"]);
}

#[tokio::test]
async fn a_young_file_settles_once_it_is_two_seconds_old() {
    let mut world = World::ready().await;
    world.set_ahead(0);
    world.put("a.vcf", &card("a", "Ada"));
    world.agree().await;
    world.set_ahead(3);
    assert_eq!(world.scan_words().await, ["seen a.vcf"], "the same bytes under an etag that is final");
    world.agree().await;
    assert!(!world.known[&remote("a.vcf")].as_str().ends_with('!'));
    assert!(world.scan().await.is_empty());
}

#[tokio::test]
async fn a_touched_file_has_a_new_etag_and_the_same_bytes() {
    let mut world = World::agreed_on(&[("a", "Ada")]).await;
    let old = world.known[&remote("a.vcf")].clone();
    std::fs::File::options()
        .write(true)
        .open(world.path("a.vcf"))
        .unwrap()
        .set_modified(std::time::UNIX_EPOCH)
        .unwrap();
    let entries = world.scan().await;
    let [Entry::Seen(seen)] = entries.as_slice() else { panic!("{entries:?}") };
    assert_ne!(seen.etag, old);
    assert_eq!(seen.rendering.as_bytes(), card("a", "Ada").as_bytes());
    world.agree().await;
    assert!(world.scan().await.is_empty());
}

#[tokio::test]
async fn a_half_written_file_is_neither_an_error_nor_a_removal() {
    let world = World::agreed_on(&[("a", "Ada")]).await;
    let whole = card("a", "Ada Lovelace");
    for length in [0, 1, 5, 11, 30, whole.len() - 15] {
        world.put("a.vcf", &whole[..length]);
        world.put("new.vcf", &whole[..length]);
        assert_eq!(world.scan_words().await, [""; 0], "{length} bytes");
        assert!(
            world.fetch("a.vcf").await.is_err_and(|e| e.kind.is_temporary()),
            "asked for by name: there, not whole"
        );
    }
    world.put("a.vcf", &whole);
    std::fs::remove_file(world.path("new.vcf")).unwrap();
    assert_eq!(world.scan_words().await, ["seen a.vcf"]);
}

#[tokio::test]
async fn half_a_file_that_nobody_goes_on_writing_is_named() {
    let world = World::ready().await;
    world.put("a.vcf", "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Ada\r\n");
    assert!(world.scan().await.is_empty());
    world.set_ahead(4 * 60);
    assert!(world.scan().await.is_empty(), "somebody may still write it");
    world.set_ahead(6 * 60);
    let said = world.scan_words().await;
    assert!(said.len() == 1 && said[0].starts_with("bad a.vcf: is half a file"), "{said:?}");
}

#[tokio::test]
async fn a_vanished_file_is_gone() {
    let world = World::agreed_on(&[("a", "Ada"), ("b", "Bob")]).await;
    std::fs::remove_file(world.path("a.vcf")).unwrap();
    assert_eq!(world.scan_words().await, ["gone a.vcf"]);
    assert_eq!(world.fetch("a.vcf").await.unwrap(), None);
    assert!(world.fetch("b.vcf").await.unwrap().is_some());
}

#[tokio::test]
async fn two_files_that_exchanged_names_are_two_renames() {
    let world = World::agreed_on(&[("a", "Ada"), ("b", "Bob"), ("c", "Cy")]).await;
    let swap = |from: &str, to: &str| std::fs::rename(world.path(from), world.path(to)).unwrap();
    swap("a.vcf", "t");
    swap("b.vcf", "a.vcf");
    swap("t", "b.vcf");
    let said = ["renamed a.vcf to b.vcf", "renamed b.vcf to a.vcf", "seen a.vcf", "seen b.vcf"];
    assert_eq!(world.scan_words().await, said);
}

#[tokio::test]
async fn a_file_moved_over_another_is_renamed_and_the_other_is_gone() {
    let world = World::agreed_on(&[("a", "Ada"), ("b", "Bob")]).await;
    std::fs::rename(world.path("b.vcf"), world.path("a.vcf")).unwrap();
    let said = world.scan_words().await;
    let [gone, away, renamed, seen] = said.as_slice() else { panic!("{said:?}") };
    let name = gone.strip_prefix("gone ").unwrap();
    assert_eq!(*away, format!("renamed a.vcf to {name}"));
    assert_eq!((renamed.as_str(), seen.as_str()), ("renamed b.vcf to a.vcf", "seen a.vcf"));
    assert!(world.fetch(name).await.unwrap().is_none(), "and a second look confirms it");
}

#[tokio::test]
async fn two_uids_exchanged_by_hand_are_edits_of_the_files_they_stand_in() {
    let world = World::agreed_on(&[("a", "Ada"), ("b", "Bob")]).await;
    world.put("a.vcf", &card("b", "Ada"));
    world.put("b.vcf", &card("a", "Bob"));
    assert_eq!(world.scan_words().await, ["seen a.vcf", "seen b.vcf"]);
}

#[tokio::test]
async fn a_file_under_a_new_name_is_renamed_not_gone() {
    let mut world = World::agreed_on(&[("a", "Ada"), ("b", "Bob")]).await;
    std::fs::rename(world.path("a.vcf"), world.path("Ada Lovelace.vcf")).unwrap();
    assert_eq!(world.scan_words().await, ["renamed a.vcf to Ada Lovelace.vcf", "seen Ada Lovelace.vcf"]);
    world.agree().await;
    assert!(world.scan().await.is_empty());
}

#[tokio::test]
async fn a_file_moved_to_another_collection_is_found_there() {
    let world = World::agreed_on(&[("a", "Ada")]).await;
    world.make("google/contacts", "Work").await.unwrap();
    let there = world.dir.path().join("google/contacts/Work/a.vcf");
    std::fs::rename(world.path("a.vcf"), &there).unwrap();
    assert_eq!(world.scan_words().await, ["gone a.vcf"]);
    let seen = world.fetch("a.vcf").await.unwrap().unwrap();
    assert_eq!(seen.collection.as_str(), "google/contacts/Work");
    assert_eq!(seen.remote_id.as_str(), "google/contacts/Work/a.vcf");
    // A file that is not called like its UID proves nothing.
    std::fs::write(&there, card("another", "Eve")).unwrap();
    assert_eq!(world.fetch("a.vcf").await.unwrap(), None);
}

#[tokio::test]
async fn files_of_other_programs_are_left_alone() {
    let world = World::agreed_on(&[("a", "Ada")]).await;
    let text = card("x", "Eve");
    for name in [
        ".hidden.vcf",
        ".a.vcf.swp",
        "a.vcf~",
        "x.vcf.tmp",
        "x.vcf.part",
        "notes.txt",
        "vcf",
        ".vcf",
        "x.ics",
        ".stfolder",
    ] {
        world.put(name, &text);
    }
    std::fs::create_dir(world.path("folder.vcf")).unwrap();
    assert!(world.scan().await.is_empty());
    assert_eq!(world.device.collections(Kind::Contacts).await.unwrap().len(), 1);
    assert!(world.path("a.vcf~").exists() && world.path(".hidden.vcf").exists() && world.path("x.vcf.part").exists());
    std::fs::write(world.path("UPPER.VCF"), card("up", "Upper")).unwrap();
    assert_eq!(world.scan_words().await, ["seen UPPER.VCF"]);
}

#[tokio::test]
async fn a_card_without_uid_is_seen_without_uid() {
    let world = World::ready().await;
    world.put("a.vcf", "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Ada\r\nN:Ada;;;;\r\nEND:VCARD\r\n");
    let entries = world.scan().await;
    assert!(matches!(&entries[..], [Entry::Seen(seen)] if seen.uid.is_none()), "{entries:?}");
}

#[tokio::test]
async fn what_cannot_be_taken_is_named_and_counts_as_present() {
    let world = World::agreed_on(&[("a", "Ada"), ("b", "Bob"), ("c", "Cyd"), ("d", "Dan")]).await;
    world.put("a.vcf", &(card("a", "Ada") + &card("z", "Zoe")));
    world.put("b.vcf", "this is no card");
    std::fs::File::create(world.path("c.vcf")).unwrap().set_len(20 * 1024 * 1024).unwrap();
    std::fs::remove_file(world.path("d.vcf")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", world.path("d.vcf")).unwrap();
    let said = world.scan_words().await;
    assert_eq!(said.len(), 4, "{said:?}");
    for (line, start) in said.iter().zip([
        "bad a.vcf: holds 2 items in one file",
        "bad b.vcf: ",
        "bad c.vcf: is 20971520 bytes long",
        "bad d.vcf: is a symbolic link",
    ]) {
        assert!(line.starts_with(start), "{line}");
    }
    let raw: Vec<Vec<u8>> = world
        .scan()
        .await
        .into_iter()
        .filter_map(|e| if let Entry::Bad { raw, .. } = e { Some(raw) } else { None })
        .collect();
    assert!(raw.contains(&b"this is no card".to_vec()));
    for file in ["a.vcf", "b.vcf", "c.vcf", "d.vcf"] {
        assert!(world.fetch(file).await.is_err(), "{file} is there: never answered as gone");
    }
}

#[tokio::test]
async fn a_pipe_or_a_folder_in_a_cards_place_stops_nothing() {
    let world = World::agreed_on(&[("a", "Ada"), ("b", "Bob")]).await;
    std::fs::remove_file(world.path("a.vcf")).unwrap();
    std::fs::create_dir(world.path("a.vcf")).unwrap();
    std::fs::remove_file(world.path("b.vcf")).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(world.path("b.vcf")).status().unwrap().success());
    let said = world.scan_words().await;
    assert_eq!(said, ["bad a.vcf: is a folder, not a file", "bad b.vcf: is not an ordinary file"]);
}

#[tokio::test]
async fn of_two_files_with_one_uid_the_second_is_named() {
    let mut world = World::agreed_on(&[("a", "Ada")]).await;
    world.put("0 copy of a.vcf", &card("a", "Ada Copy"));
    let expected = [
        "bad 0 copy of a.vcf: has the same UID as google/contacts/Friends/a.vcf; remove one of the two, or give it a UID of its own",
    ];
    assert_eq!(world.scan_words().await, expected, "the one that the hub knows is the item");
    world.put("a.vcf", &card("a", "Ada Edited"));
    assert_eq!(world.scan_words().await, [expected[0], "seen a.vcf"], "also when it changes");
    world.known.clear();
    assert_eq!(world.scan_words().await, [expected[0], "seen a.vcf"], "the one that is called like its UID");
    std::fs::remove_file(world.path("a.vcf")).unwrap();
    assert_eq!(world.scan_words().await, ["seen 0 copy of a.vcf"], "alone again, it is an item");
}

#[tokio::test]
async fn a_known_file_that_takes_anothers_uid_is_named() {
    let world = World::agreed_on(&[("a", "Ada"), ("b", "Bob")]).await;
    world.put("b.vcf", &card("a", "Bob"));
    let said = world.scan_words().await;
    assert!(said.len() == 1 && said[0].starts_with("bad b.vcf: has the same UID as"), "{said:?}");
}

#[tokio::test]
async fn names_that_are_not_utf_8_are_items_like_others() {
    let mut world = World::ready().await;
    let name = std::ffi::OsStr::from_bytes(b"J\xf6rg 100%.vcf");
    if let Err(error) = std::fs::write(world.path("").join(name), card("j", "Joerg")) {
        return println!("skipped: this file system takes no such names ({error})");
    }
    world.agree().await;
    let id = remote("/J%F6rg%20100%25.vcf");
    assert!(world.known.contains_key(&id), "{:?}", world.known);
    let place = Place { remote_id: id.clone(), collection: FRIENDS.into() };
    let update = Operation::Update {
        place: place.clone(),
        etag: world.known[&id].clone(),
        from: Rendering(Vec::new()),
        to: card("j", "Jorg").into(),
    };
    let written = world.write(update).await.unwrap().unwrap();
    assert_eq!(written.remote_id, id);
    world.known.insert(id.clone(), written.etag);
    assert!(world.scan().await.is_empty());
    std::fs::remove_file(world.path("").join(name)).unwrap();
    assert!(matches!(&world.scan().await[..], [Entry::Gone(gone)] if *gone == id));
}

#[tokio::test]
async fn names_of_255_bytes_are_items_like_others() {
    let mut world = World::ready().await;
    let name = "x".repeat(251) + ".vcf";
    world.put(&name, &card("long", "Long"));
    world.agree().await;
    let written = world.write(world.update(&name, &card("long", "Longer"))).await.unwrap().unwrap();
    world.known.insert(written.remote_id, written.etag);
    assert!(world.scan().await.is_empty());
    assert_eq!(world.write(world.delete(&name)).await.unwrap(), None);
    assert!(world.files().is_empty());
}

#[tokio::test]
async fn a_folder_changing_all_the_time_loses_nothing() {
    let world = World::agreed_on(&[("a", "Ada"), ("b", "Bob"), ("c", "Cyd")]).await;
    let folder = world.path("");
    let writer = std::thread::spawn(move || {
        for n in 0..300 {
            for uid in ["a", "b", "c"] {
                std::fs::write(folder.join(".t"), card(uid, &format!("Name {n}"))).unwrap();
                std::fs::rename(folder.join(".t"), folder.join(format!("{uid}.vcf"))).unwrap();
            }
        }
    });
    let mut scans = 0;
    while !writer.is_finished() {
        let said = world.scan_words().await;
        assert!(said.iter().all(|line| line.starts_with("seen")), "{said:?}");
        scans += 1;
    }
    writer.join().unwrap();
    assert!(scans > 0);
}

#[tokio::test]
async fn a_round_of_several_pages_misses_and_doubles_nothing() {
    let mut world = World::ready().await;
    let count = 6_000;
    for n in 0..count {
        world.put(&format!("file-{n:05}.vcf"), &card(&format!("u{n}"), "Ada"));
    }
    // The same UID on the first page and on the second.
    world.put("file-99999.vcf", &card("u3", "Copy"));
    let feed = world.feed(FRIENDS);
    let first = world.device.changes(&[Poll { feed: &feed, since: Since::Start, known: &world.known }]).await.pop();
    assert!(matches!(first.unwrap().unwrap().next, Next::Page(_)));
    let said = world.scan_words().await;
    assert_eq!(said.len(), count + 1);
    assert!(
        said[0].starts_with("bad file-99999.vcf: has the same UID as google/contacts/Friends/file-00003.vcf"),
        "{}",
        said[0]
    );
    world.agree().await;
    assert_eq!(world.known.len(), count);

    // Everything renamed at once, over several pages: not one of them is gone.
    std::fs::remove_file(world.path("file-99999.vcf")).unwrap();
    for n in 0..count {
        std::fs::rename(world.path(&format!("file-{n:05}.vcf")), world.path(&format!("new-{n:05}.vcf"))).unwrap();
    }
    let said = world.scan_words().await;
    assert_eq!(said.len(), 2 * count);
    assert!(said.iter().all(|line| line.starts_with("renamed") || line.starts_with("seen")));
}

#[tokio::test]
async fn twenty_thousand_unchanged_files_are_scanned_quickly() {
    let count = 20_000;
    let mut world = World::ready().await;
    for n in 0..count {
        world.put(&format!("uid-{n:05}-of-a-usual-length.vcf"), &card(&format!("uid-{n:05}-of-a-usual-length"), "Ada"));
    }
    // What other programs do on this machine counts in neither figure: processor time of this thread.
    let spent = || -> Duration {
        let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
        Duration::from_nanos(stat.split(' ').next().and_then(|ns| ns.parse().ok()).unwrap_or_default())
    };
    let start = spent();
    world.agree().await;
    let first = spent() - start;
    assert_eq!(world.known.len(), count);
    let start = spent();
    for _ in 0..10 {
        assert!(world.scan().await.is_empty());
    }
    let again = (spent() - start) / 10;
    println!("{count} files: first scan with reading {first:?}, nothing changed {again:?} of processor time");
    // The figure to reach is 40 ms in a release build; a shared machine gets more room.
    assert!(again < Duration::from_millis(if cfg!(debug_assertions) { 2_000 } else { 200 }), "{again:?}");
}
