//! Two files of one base name in one folder: a program that was killed between link and unlink, an older copy put beside what stands there.

use super::desk::*;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use twofold_model::*;

/// The bytes of all files of the INBOX, and how many files there are.
fn texts(desk: &Desk) -> (BTreeSet<String>, usize) {
    let names = desk.names("");
    (names.iter().map(|name| std::fs::read_to_string(desk.path(name)).unwrap()).collect(), names.len())
}

#[tokio::test]
async fn two_files_of_one_base_and_the_same_bytes_become_one_with_the_flags_of_both() {
    for (known, now, one) in [
        ("cur/1.host:2,", &["cur/1.host:2,F", "cur/1.host:2,R"][..], "cur/1.host:2,FR"),
        ("cur/1.host:2,S", &["cur/1.host:2,S", "cur/1.host:2,F"], "cur/1.host:2,FS"),
        ("cur/1.host:2,", &["cur/1.host:2,", "cur/1.host:2,F", "cur/1.host:2,ST"], "cur/1.host:2,FST"),
        ("new/1.host", &["new/1.host", "cur/1.host:2,S"], "cur/1.host:2,S"),
        ("cur/1.host:2,", &["new/1.host", "cur/1.host:2,"], "cur/1.host:2,"),
        ("cur/1.host:2,", &["cur/1.host", "cur/1.host:2,"], "cur/1.host:2,"),
    ] {
        for is_link in [true, false] {
            let mut desk = Desk::new().await;
            desk.put(known, &mail("one"));
            desk.agree(INBOX).await;
            desk.mv(known, now[0]);
            for twin in &now[1..] {
                match is_link {
                    true => std::fs::hard_link(desk.path(now[0]), desk.path(twin)).unwrap(),
                    false => desk.put(twin, &mail("one")),
                }
            }
            desk.agree(INBOX).await;
            assert_eq!(desk.names(""), set(&[one]), "{now:?}");
            assert_eq!(std::fs::read_to_string(desk.path(one)).unwrap(), mail("one"));
            assert_eq!(desk.copies.len(), 1, "{now:?}");
            let etag = desk.copies[&remote(INBOX, "1.host")].0.clone();
            let (place, name) = one.split_once('/').unwrap();
            assert_eq!(etag.as_str(), format!("{place}:{}", name.split_once(":2,").map_or("", |(_, flags)| flags)));
            assert!(desk.words(INBOX).await.is_empty(), "{now:?}");
        }
    }
}

#[tokio::test]
async fn twins_that_a_first_use_meets_are_one_message() {
    let mut desk = Desk::new().await;
    desk.put("new/1.host", &mail("one"));
    desk.put("cur/1.host:2,S", &mail("one"));
    assert_eq!(desk.words(INBOX).await, ["seen 1.host cur:S"]);
    desk.agree(INBOX).await;
    assert_eq!(desk.names(""), set(&["cur/1.host:2,S"]));
}

#[tokio::test]
async fn of_two_files_of_one_base_and_other_bytes_the_one_that_is_known_keeps_it_and_the_other_is_a_new_message() {
    for (one, two) in
        [("cur/1.host:2,S", "cur/1.host:2,F"), ("cur/1.host:2,F", "cur/1.host:2,"), ("new/1.host", "cur/1.host:2,S")]
    {
        let mut desk = Desk::new().await;
        desk.put(one, &mail("one"));
        desk.agree(INBOX).await;
        desk.put(two, &mail("two"));
        let said = desk.words(INBOX).await;
        let [new] = said.as_slice() else { panic!("{said:?}") };
        assert!(new.starts_with("seen ") && !new.starts_with("seen 1.host "), "{said:?}");
        desk.agree(INBOX).await;
        assert_eq!(texts(&desk), ([mail("one"), mail("two")].into(), 2), "{two}");
        assert!(desk.names("").contains(one), "{:?}", desk.names(""));
        let blobs: BTreeSet<_> =
            desk.copies.values().map(|(_, sheet)| email::Sheet::read(sheet).unwrap().blob()).collect();
        assert_eq!(blobs, [mail("one"), mail("two")].map(|text| Some(BlobId::of(text.as_bytes()))).into());
        assert!(desk.words(INBOX).await.is_empty());
        // The same copy once more is a second file of the message that it became.
        desk.put(two, &mail("two"));
        desk.agree(INBOX).await;
        assert_eq!((texts(&desk), desk.copies.len()), (([mail("one"), mail("two")].into(), 2), 2), "{two}");
        assert!(desk.words(INBOX).await.is_empty());
    }
}

#[tokio::test]
async fn where_none_of_two_files_of_one_base_is_called_as_known_nobody_guesses_which_it_is() {
    let mut desk = Desk::new().await;
    desk.put("cur/1.host:2,", &mail("one"));
    desk.agree(INBOX).await;
    desk.mv("cur/1.host:2,", "cur/1.host:2,S");
    desk.put("cur/1.host:2,F", &mail("two"));
    let said = desk.words(INBOX).await;
    assert!(
        said.len() == 3 && said[0] == "gone 1.host" && said[1..].iter().all(|one| one.starts_with("seen ")),
        "{said:?}"
    );
    assert_eq!(desk.fetch(INBOX, "1.host").await.unwrap(), None, "the bytes tell the hub which of them it is");
    assert_eq!(texts(&desk), ([mail("one"), mail("two")].into(), 2));
}

#[tokio::test]
async fn a_damaged_twin_is_listed_and_both_files_stay() {
    let mut desk = Desk::new().await;
    let whole = format!("cur/1.host,S={}:2,S", mail("one").len());
    let cut = whole.replace(":2,S", ":2,FS");
    desk.put(&whole, &mail("one"));
    desk.agree(INBOX).await;
    desk.put(&cut, &mail("one")[..20]);
    for _ in 0..2 {
        let said = desk.words(INBOX).await;
        assert!(said.len() == 1 && said[0].contains("is 20 bytes long") && said[0].contains(&cut), "{said:?}");
    }
    assert_eq!(desk.names(""), set(&[&whole, &cut]));
    std::fs::remove_file(desk.path(&cut)).unwrap();
    assert!(desk.words(INBOX).await.is_empty());
}

#[tokio::test]
async fn a_second_name_that_was_made_just_now_may_be_half_of_a_move_and_is_left_alone() {
    let mut desk = Desk::new().await;
    desk.put("cur/1.host:2,F", &mail("one"));
    desk.agree(INBOX).await;
    // By this clock the names are made only later.
    let reopened =
        |root: &Path, blobs| open(root, blobs, |options| options.clock = Arc::new(|| now_ns() - 60_000_000_000));
    let later = std::mem::replace(&mut desk.device, reopened(desk.dir.path(), &desk.blobs));
    std::fs::hard_link(desk.path("cur/1.host:2,F"), desk.path("cur/1.host:2,")).unwrap();
    assert!(desk.words(INBOX).await.is_empty());
    assert_eq!(desk.names(""), set(&["cur/1.host:2,", "cur/1.host:2,F"]));
    desk.device = later;
    desk.agree(INBOX).await;
    assert_eq!(desk.names(""), set(&["cur/1.host:2,F"]), "it is looked at again");
}

#[tokio::test]
async fn a_dry_run_takes_twins_for_one_message_and_touches_neither() {
    let mut desk = Desk::new().await;
    desk.put("cur/1.host:2,", &mail("one"));
    desk.agree(INBOX).await;
    desk.put("cur/1.host:2,F", &mail("two"));
    let visit = Visit { is_known: true, hub_is_empty: false, is_dry_run: true, run: 2, last_run: 1, wrote_run: 0 };
    desk.device.arrive(visit).await.unwrap();
    assert!(desk.words(INBOX).await.is_empty());
    assert_eq!(desk.names(""), set(&["cur/1.host:2,", "cur/1.host:2,F"]));
}
