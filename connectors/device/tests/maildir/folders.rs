//! Folders: made, listed, renamed by us and by others, and taken away.

use super::desk::*;
use twofold_device::CollectionState;
use twofold_model::email::Role;
use twofold_model::*;

fn named(pairs: &[(&str, &str)]) -> std::collections::BTreeMap<String, String> {
    pairs.iter().map(|(id, name)| ((*id).to_owned(), (*name).to_owned())).collect()
}

#[tokio::test]
async fn the_inbox_is_the_root_and_the_others_stand_beside_it() {
    let desk = Desk::bare();
    let inbox = desk.make("INBOX").await;
    assert_eq!((inbox.id.as_str(), inbox.role), (INBOX, Some(Role::Inbox)));
    let sub = desk.make("Work/v1.0").await;
    assert_eq!(sub.id.as_str(), "google/mail/.Work.v1\\2e0");
    for part in ["cur", "new", "tmp", ".Work.v1\\2e0/cur", ".Work.v1\\2e0/maildirfolder", ".twofold-collection"] {
        assert!(desk.path(part).exists(), "{part}");
    }
    assert_eq!(desk.collections().await, named(&[(INBOX, "INBOX"), (sub.id.as_str(), "Work/v1.0")]));
    assert_eq!(desk.make("Work/v1.0").await, sub, "once more is the same");
    // What a Maildir reader takes for a folder is one.
    let dots = std::fs::read_dir(desk.path("")).unwrap().map(|entry| entry.unwrap());
    let folders = dots
        .filter(|entry| entry.file_name().to_string_lossy().starts_with('.') && entry.file_type().unwrap().is_dir());
    assert_eq!(folders.count(), 1);
}

#[tokio::test]
async fn names_that_no_folder_can_have_are_stored() {
    let desk = Desk::new().await;
    let (long, odd) = ("ü".repeat(200), "inbox/sub");
    let (first, second) = (desk.make(&long).await, desk.make(odd).await);
    let keyed = |key: &str| like(&format!("google/mail#{key}"), "Work");
    let device = &desk.device;
    let made = |like: Collection| async move { device.create_collection(Kind::Mail, &like).await.unwrap() };
    // The folder that has no key yet is the first one's; then there are two of one name.
    assert_eq!(made(keyed("c1")).await.id.as_str(), WORK);
    let double = made(keyed("c2")).await;
    assert_eq!(double.id.as_str(), "google/mail/.Work (2)");
    assert_eq!(made(keyed("c2")).await, double);
    assert_eq!(
        desk.collections().await,
        named(&[
            (INBOX, "INBOX"),
            (WORK, "Work"),
            (double.id.as_str(), "Work"),
            (first.id.as_str(), &long),
            (second.id.as_str(), odd),
        ])
    );
    assert_eq!((desk.make(&long).await.id, desk.make(odd).await.id), (first.id, second.id));
}

#[tokio::test]
async fn a_folder_whose_making_was_cut_off_is_ours_under_its_own_name_as_soon_as_it_is_a_maildir() {
    let desk = Desk::new().await;
    // Its second, and one whose name no folder can have: nothing but the marker says what they are called.
    desk.device.create_collection(Kind::Mail, &like("google/mail#c1", "Work")).await.unwrap();
    for (key, name, folder) in [("c2", "Work", ".Work (2)"), ("c3", "inbox/sub", "._inbox.sub")] {
        std::fs::create_dir(desk.path(folder)).unwrap();
        std::fs::write(desk.path(folder).join("cur"), "in the way").unwrap();
        let wanted = like(&format!("google/mail#{key}"), name);
        desk.device.create_collection(Kind::Mail, &wanted).await.unwrap_err();
        std::fs::remove_file(desk.path(folder).join("cur")).unwrap();
        std::fs::create_dir(desk.path(folder).join("cur")).unwrap();
        let id = format!("google/mail/{folder}");
        assert_eq!(desk.collections().await.get(&id).map(String::as_str), Some(name), "no folder that somebody made");
        assert_eq!(desk.device.create_collection(Kind::Mail, &wanted).await.unwrap().id.as_str(), id, "found again");
        assert!(desk.path(folder).join("maildirfolder").exists(), "and whole");
    }
}

/// Its marker is written under a temporary name first.
#[tokio::test]
async fn a_folder_whose_making_was_cut_off_before_it_was_marked_is_no_other_programs() {
    let desk = Desk::new().await;
    std::fs::create_dir(desk.path(".Bills")).unwrap();
    std::fs::write(desk.path(".Bills").join(".twofold-new-0123456789ab-7"), "{").unwrap();
    let made = desk.device.create_collection(Kind::Mail, &like("google/mail#c7", "Bills")).await.unwrap();
    assert_eq!(made.id.as_str(), "google/mail/.Bills");
}

#[tokio::test]
async fn a_tree_goes_on_writing_names_as_it_does() {
    let desk = Desk::new().await;
    assert_eq!(desk.make("Entwürfe").await.id.as_str(), "google/mail/.Entw&APw-rfe");
    let desk = Desk::new().await;
    for part in ["cur", "new", "tmp"] {
        std::fs::create_dir_all(desk.path(".Bücher").join(part)).unwrap();
    }
    let found = desk.collections().await;
    assert_eq!(found["google/mail/.Bücher"], "Bücher");
    assert_eq!(desk.make("Entwürfe").await.id.as_str(), "google/mail/.Entwürfe");
    // A name that reads as something else here is stored.
    let odd = desk.make("R&-D").await;
    assert_eq!((odd.id.as_str(), odd.name.as_str()), ("google/mail/.R&-D", "R&-D"));
    assert_eq!(desk.make("inbox").await.id.as_str(), "google/mail/._inbox");
}

#[tokio::test]
async fn a_folder_that_somebody_made_is_listed_and_adopted_and_other_folders_are_not() {
    let desk = Desk::new().await;
    for part in ["cur", "new", "tmp"] {
        std::fs::create_dir_all(desk.path(".Mine").join(part)).unwrap();
    }
    std::fs::create_dir_all(desk.path(".notmuch/xapian")).unwrap();
    std::os::unix::fs::symlink(desk.path(".Mine"), desk.path(".Link")).unwrap();
    desk.put(".mbsyncstate", "x");
    let mine: CollectionId = "google/mail/.Mine".into();
    let found = desk.collections().await;
    assert_eq!(found, named(&[(INBOX, "INBOX"), (WORK, "Work"), (mine.as_str(), "Mine")]));
    assert_eq!(desk.device.collection_state(&mine).unwrap(), CollectionState::Unmarked);
    assert_eq!(desk.make("Mine").await.id, mine);
    assert_eq!(desk.device.collection_state(&mine).unwrap(), CollectionState::Marked);
    // A mailbox that would be called as another program's folder or file is called otherwise.
    assert_eq!(desk.make("notmuch").await.id.as_str(), "google/mail/.notmuch (2)");
    assert_eq!(desk.make("mbsyncstate").await.id.as_str(), "google/mail/.mbsyncstate (2)");
}

#[tokio::test]
async fn a_folder_that_cannot_be_read_is_listed_as_shut_and_nobody_says_what_is_not_in_it() {
    let mut desk = Desk::new().await;
    desk.put("cur/1.host:2,S", &mail("one"));
    desk.agree(INBOX).await;
    // As a folder of another user; through a link nothing is read, whoever runs this.
    for part in ["new", "tmp"] {
        std::fs::create_dir_all(desk.path(".Shut").join(part)).unwrap();
    }
    std::os::unix::fs::symlink(desk.path("cur"), desk.path(".Shut/cur")).unwrap();
    let all = desk.device.collections(Kind::Mail).await.unwrap();
    let access = |id: &str| all.iter().find(|folder| folder.id.as_str() == id).map(|folder| folder.access);
    assert_eq!(access("google/mail/.Shut"), Some(Access::Closed));
    assert_eq!((access(INBOX), access(WORK)), (Some(Access::ReadWrite), Some(Access::ReadWrite)));
    desk.mv("cur/1.host:2,S", "tmp/1.host");
    assert_eq!(kind_of(desk.fetch(INBOX, "1.host").await), ErrorKind::Unknown, "it may stand in there");
    std::fs::remove_file(desk.path(".Shut/cur")).unwrap();
    assert_eq!(kind_of(desk.fetch(INBOX, "1.host").await), ErrorKind::Unknown, "half a Maildir may be all of it again");
    std::fs::remove_dir(desk.path(".Shut/new")).unwrap();
    assert_eq!(desk.fetch(INBOX, "1.host").await.unwrap(), None);
}

#[tokio::test]
async fn a_tree_that_is_a_link_is_listed_as_shut_and_the_other_accounts_mail_goes_on() {
    let mut desk = Desk::new().await;
    desk.put("cur/1.host:2,S", &mail("one"));
    desk.agree(INBOX).await;
    let other = desk.dir.path().join("microsoft365");
    std::fs::create_dir(&other).unwrap();
    std::os::unix::fs::symlink(desk.path("."), other.join("mail")).unwrap();
    let all = desk.device.collections(Kind::Mail).await.unwrap();
    let access = |id: &str| all.iter().find(|folder| folder.id.as_str() == id).map(|folder| folder.access);
    assert_eq!((access("microsoft365/mail/INBOX"), all.len()), (Some(Access::Closed), 3));
    assert_eq!((access(INBOX), access(WORK)), (Some(Access::ReadWrite), Some(Access::ReadWrite)));
    desk.mv("cur/1.host:2,S", "cur/1.host:2,F");
    assert_eq!(desk.words(INBOX).await, ["seen 1.host cur:F"]);
    desk.mv(".Work", ".Play");
    let moved = desk.device.moved_collections(Kind::Mail).await.unwrap();
    assert_eq!(moved.len(), 1, "what was renamed in the other tree is followed");
}

#[tokio::test]
async fn a_folder_whose_marker_is_damaged_is_listed_as_shut_and_the_others_are_as_they_were() {
    let mut desk = Desk::new().await;
    desk.put("cur/1.host:2,S", &mail("one"));
    desk.agree(INBOX).await;
    desk.put(".Work/.twofold-collection", "{ this is none");
    let all = desk.device.collections(Kind::Mail).await.unwrap();
    let access = |id: &str| all.iter().find(|folder| folder.id.as_str() == id).map(|folder| folder.access);
    assert_eq!((access(INBOX), access(WORK)), (Some(Access::ReadWrite), Some(Access::Closed)));
    desk.mv("cur/1.host:2,S", "cur/1.host:2,F");
    assert_eq!(desk.words(INBOX).await, ["seen 1.host cur:F"]);
}

#[tokio::test]
async fn what_a_file_system_keeps_at_its_top_is_no_account_with_mail() {
    let desk = Desk::new().await;
    for part in ["cur", "new", "tmp"] {
        std::fs::create_dir_all(desk.path("../../lost+found/mail").join(part)).unwrap();
    }
    let all = desk.device.collections(Kind::Mail).await.unwrap();
    assert!(all.iter().all(|folder| folder.id.as_str().starts_with("google/mail")), "{all:?}");
}

#[tokio::test]
async fn a_maildir_whose_name_is_no_mailboxes_is_listed_as_shut_and_nobody_says_what_is_not_in_it() {
    use std::os::unix::ffi::OsStrExt as _;
    // As Dovecot never writes it, in Latin-1, and as a program makes it that knows of no dots.
    for name in [&b".a..b"[..], b"..a", b".a.", b".B\xfccher", b"Saved", b"INBOX"] {
        let mut desk = Desk::new().await;
        desk.put("cur/1.host:2,S", &mail("one"));
        desk.agree(INBOX).await;
        let path = desk.path(".Work").with_file_name(std::ffi::OsStr::from_bytes(name));
        let name = String::from_utf8_lossy(name).into_owned();
        std::fs::create_dir(&path).unwrap();
        assert_eq!(desk.device.collections(Kind::Mail).await.unwrap().len(), 2, "{name}: another program's folder");
        for part in ["cur", "new", "tmp"] {
            std::fs::create_dir(path.join(part)).unwrap();
        }
        std::fs::rename(desk.path("cur/1.host:2,S"), path.join("cur/1.host:2,S")).unwrap();
        let all = desk.device.collections(Kind::Mail).await.unwrap();
        let shut: Vec<_> = all.iter().filter(|folder| folder.access == Access::Closed).collect();
        assert_eq!((all.len(), shut.len()), (3, 1), "{name}: {all:?}");
        assert_eq!(shut[0].name, "", "{name}");
        let is_told =
            shut[0].id.as_str().starts_with(&format!("google/mail/{name}")) || shut[0].id.as_str().contains("%FC");
        assert!(is_told, "{name}: {:?}", shut[0].id);
        assert_eq!(kind_of(desk.fetch(INBOX, "1.host").await), ErrorKind::Unknown, "{name}: it stands in there");
        std::fs::rename(&path, desk.path(".Better")).unwrap();
        let seen = desk.fetch(INBOX, "1.host").await.unwrap().unwrap();
        assert_eq!(seen.collection.as_str(), "google/mail/.Better", "{name}");
    }
}

#[tokio::test]
async fn an_existing_maildir_is_taken_as_it_is() {
    let mut desk = Desk::bare();
    for part in ["cur", "new", "tmp"] {
        std::fs::create_dir_all(desk.path(part)).unwrap();
    }
    desk.put("cur/1.host:2,S", &mail("one"));
    assert_eq!(desk.collections().await, named(&[(INBOX, "INBOX")]));
    // What a Dovecot with another prefix, or a take-over of long ago, left beside it.
    for part in ["cur", "new", "tmp"] {
        std::fs::create_dir_all(desk.path(".INBOX").join(part)).unwrap();
    }
    assert_eq!(
        desk.device.create_collection(Kind::Mail, &like("google/mail#c1", "INBOX")).await.unwrap().id,
        INBOX.into()
    );
    desk.agree(INBOX).await;
    assert_eq!(desk.copies.len(), 1);
}

#[tokio::test]
async fn a_rename_leaves_the_folders_beneath_and_old_ids_lead_there_until_the_hub_follows() {
    let mut desk = Desk::new().await;
    let sub = desk.make("Work/a").await.id;
    desk.make("Workshop").await;
    desk.put(".Work.a/cur/1.host:2,S", &mail("one"));
    desk.agree(sub.as_str()).await;
    let now = desk.device.rename_collection(Kind::Mail, &WORK.into(), Some("Job"), None).await.unwrap();
    assert_eq!((now.id.as_str(), now.name.as_str()), ("google/mail/.Job", "Job"));
    // Gmail's labels are called each by itself; where a tree takes them along, each is told its new path.
    assert!(desk.path(".Work.a/cur/1.host:2,S").exists() && desk.path(".Workshop").exists());
    assert_eq!(desk.device.rename_collection(Kind::Mail, &WORK.into(), Some("Job"), None).await.unwrap(), now);
    let child = desk.device.rename_collection(Kind::Mail, &sub, Some("Job/a"), None).await.unwrap();
    assert_eq!(child.id.as_str(), "google/mail/.Job.a");

    assert!(desk.words(sub.as_str()).await.is_empty(), "the same messages under the old id");
    let flag = desk.flag(sub.as_str(), "1.host", &[]);
    assert_eq!(desk.write(flag).await.unwrap().unwrap().collection, sub);

    let mut moved = desk.device.moved_collections(Kind::Mail).await.unwrap();
    moved.sort();
    assert_eq!(moved, [(WORK.into(), "google/mail/.Job".into()), (sub.clone(), child.id.clone())]);
    for (_, to) in &moved {
        desk.device.follow_collection(Kind::Mail, to).await.unwrap();
    }
    assert!(desk.device.moved_collections(Kind::Mail).await.unwrap().is_empty());
    assert_eq!(desk.device.collection_state(&child.id).unwrap(), CollectionState::Marked);
    assert_eq!(desk.device.collection_state(&sub).unwrap(), CollectionState::Absent);
}

#[tokio::test]
async fn a_rename_to_a_name_that_is_taken_or_cannot_be_is_stored() {
    let desk = Desk::new().await;
    desk.make("Job").await;
    let work: CollectionId = WORK.into();
    let now = desk.device.rename_collection(Kind::Mail, &work, Some("Job"), None).await.unwrap();
    assert_eq!((now.id.as_str(), now.name.as_str()), ("google/mail/.Job (2)", "Job"));
    let inbox = desk.device.rename_collection(Kind::Mail, &INBOX.into(), Some("Posteingang"), None).await;
    assert_eq!(kind_of(inbox), ErrorKind::Unsupported);
}

#[tokio::test]
async fn a_folder_that_somebody_renamed_is_followed_and_a_copy_is_not() {
    let desk = Desk::new().await;
    desk.make("Other").await;
    desk.mv(".Work", ".Job");
    let copied = std::process::Command::new("cp").arg("-a").arg(desk.path(".Other")).arg(desk.path(".Copy")).status();
    assert!(copied.unwrap().success());
    let moved = desk.device.moved_collections(Kind::Mail).await.unwrap();
    assert_eq!(moved, [(CollectionId::from(WORK), "google/mail/.Job".into())]);
    let names = desk.collections().await;
    assert_eq!(names["google/mail/.Job"], "Job");
    // Of two that could be it nobody can tell which one it is.
    let copied = std::process::Command::new("cp").arg("-a").arg(desk.path(".Job")).arg(desk.path(".Job2")).status();
    assert!(copied.unwrap().success());
    assert!(desk.device.moved_collections(Kind::Mail).await.unwrap().is_empty());
    assert_eq!(kind_of(desk.try_scan(WORK).await), ErrorKind::Held);
}

#[tokio::test]
async fn a_copy_of_a_folder_is_taken_up_as_a_folder_of_its_own_and_no_other_is_made() {
    let desk = Desk::new().await;
    let copied = std::process::Command::new("cp").arg("-a").arg(desk.path(".Work")).arg(desk.path(".Copy")).status();
    assert!(copied.unwrap().success());
    let copy: CollectionId = "google/mail/.Copy".into();
    assert_eq!(desk.make("Copy").await.id, copy);
    for id in [WORK.into(), copy] {
        assert_eq!(desk.device.collection_state(&id).unwrap(), CollectionState::Marked, "{id}");
    }
    assert_eq!(desk.collections().await.len(), 3);
}

#[tokio::test]
async fn only_an_empty_folder_is_taken_away_and_never_the_inbox() {
    let desk = Desk::new().await;
    let work: CollectionId = WORK.into();
    desk.put(".Work/new/1.host", &mail("one"));
    desk.put(".Work/dovecot-uidlist", "3 V1 N1");
    assert_eq!(desk.device.removal(Kind::Mail, &work).await.unwrap(), Removal::Whole);
    assert!(!desk.device.remove_collection(Kind::Mail, &work).await.unwrap());
    assert!(desk.path(".Work/cur").exists() && desk.path(".Work/dovecot-uidlist").exists());
    std::fs::remove_file(desk.path(".Work/new/1.host")).unwrap();
    desk.put(".Work/notes.txt", "mine");
    assert!(!desk.device.remove_collection(Kind::Mail, &work).await.unwrap());
    std::fs::remove_file(desk.path(".Work/notes.txt")).unwrap();
    // What one that was killed had begun to write.
    desk.put(".Work/tmp/.twofold-new-0123456789ab-0", "half");
    desk.put(".Work/.twofold-new-0123456789ab-1", "{");
    assert!(desk.device.remove_collection(Kind::Mail, &work).await.unwrap());
    assert!(!desk.path(".Work").exists());
    assert!(desk.device.remove_collection(Kind::Mail, &work).await.unwrap(), "gone already");
    assert_eq!(desk.device.removal(Kind::Mail, &INBOX.into()).await.unwrap(), Removal::Never);
    assert!(!desk.device.remove_collection(Kind::Mail, &INBOX.into()).await.unwrap());
}

#[tokio::test]
async fn what_dovecot_shows_is_kept_up_with_new_folders() {
    let desk = Desk::new().await;
    desk.make("Before").await;
    assert!(!desk.path("subscriptions").exists(), "never made by us");
    desk.put("subscriptions", "V\t2\n\nWork\n");
    desk.make("Work/a").await;
    desk.device.rename_collection(Kind::Mail, &WORK.into(), Some("Job"), None).await.unwrap();
    assert_eq!(std::fs::read_to_string(desk.path("subscriptions")).unwrap(), "V\t2\n\nWork\ta\nJob\n");
    assert!(!desk.path("subscriptions.lock").exists());
}

#[tokio::test]
async fn a_device_that_is_filled_anew_marks_its_mail_folders_too() {
    let desk = Desk::new().await;
    desk.device.reset_marker("replica-2").unwrap();
    assert_eq!(desk.device.collection_state(&WORK.into()).unwrap(), CollectionState::Marked);
    assert_eq!(desk.device.collection_state(&INBOX.into()).unwrap(), CollectionState::Marked);
}
