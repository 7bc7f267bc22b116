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

/// A folder in which nothing can be made, renamed or removed, as long as this lives; root may write anywhere, except where the file system
/// itself forbids it.
struct Locked(std::path::PathBuf);

impl Locked {
    /// `None` where this user cannot lock a folder.
    fn of(path: std::path::PathBuf) -> Option<Locked> {
        let done = |word: &str| std::process::Command::new("chattr").arg(word).arg(&path).status();
        if !done("+i").is_ok_and(|status| status.success()) {
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o500)).unwrap();
        }
        let locked = Locked(path);
        std::fs::write(locked.0.join("probe"), "").is_err().then_some(locked)
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        use std::os::unix::fs::PermissionsExt;
        let _ = std::process::Command::new("chattr").arg("-i").arg(&self.0).status();
        let _ = std::fs::set_permissions(&self.0, std::fs::Permissions::from_mode(0o700));
        let _ = std::fs::remove_file(self.0.join("probe"));
    }
}

#[tokio::test]
async fn in_a_folder_that_may_only_be_read_twins_and_halves_of_a_word_stay_and_everything_else_is_told() {
    let mut desk = Desk::new().await;
    desk.put("dovecot-keywords", "0 $Forwarded\n");
    desk.put("cur/1.host:2,", &mail("one"));
    desk.put("cur/2.host:2,Pa", &mail("two"));
    desk.put("cur/3.host:2,", &mail("three"));
    desk.agree(INBOX).await;
    std::fs::hard_link(desk.path("cur/1.host:2,"), desk.path("cur/1.host:2,F")).unwrap();
    desk.mv("cur/2.host:2,Pa", "cur/2.host:2,a");
    desk.mv("cur/3.host:2,", "cur/3.host:2,S");
    let Some(locked) = Locked::of(desk.path("cur")) else {
        return println!("skipped: this user may write everywhere and cannot lock a folder");
    };
    for _ in 0..2 {
        let said = desk.words(INBOX).await;
        assert!(said.contains(&"seen 3.host cur:S".to_owned()), "{said:?}");
        assert!(!said.iter().any(|word| word.contains("gone") || word.contains("2.host")), "{said:?}");
    }
    drop(locked);
    desk.agree(INBOX).await;
    assert_eq!(desk.names(""), set(&["cur/1.host:2,F", "cur/2.host:2,", "cur/3.host:2,S"]));
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
        // The same copy once more, with the date that it has, is a second file of the message that it became.
        let is_two = |name: &&String| std::fs::read_to_string(desk.path(name)).unwrap() == mail("two");
        let dated =
            std::fs::metadata(desk.path(desk.names("").iter().find(is_two).unwrap())).unwrap().modified().unwrap();
        desk.put(two, &mail("two"));
        std::fs::File::options().write(true).open(desk.path(two)).unwrap().set_modified(dated).unwrap();
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
