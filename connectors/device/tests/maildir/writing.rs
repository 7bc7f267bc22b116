//! What is written, and what is not where another program was faster.

use super::desk::*;
use std::os::unix::fs::MetadataExt as _;
use twofold_model::email::{Sheet, has_keyword};
use twofold_model::*;

const SEEN_FILE: &str = "cur/1700000000.g1.twofold,S=77:2,S";

#[tokio::test]
async fn a_new_message_stands_in_new_and_one_that_was_read_in_cur() {
    let mut desk = Desk::new().await;
    let text = mail("one");
    let unread = desk.create(INBOX, "g1", &text, &[]);
    let seen = desk.write(unread).await.unwrap().unwrap();
    assert_eq!(desk.names(""), set(&["new/1700000000.g1.twofold,S=77"]));
    assert_eq!((seen.uid.clone(), seen.etag.as_str()), (Some("g1".into()), "new:"));
    let path = desk.path("new/1700000000.g1.twofold,S=77");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    let data = std::fs::metadata(&path).unwrap();
    assert_eq!((data.mtime(), data.mtime_nsec(), data.mode() & 0o777), (1_700_000_000, 500_000_000, 0o600));
    // What is answered is what a look answers.
    assert_eq!(desk.fetch(INBOX, "1700000000.g1.twofold,S=77").await.unwrap().unwrap(), seen);

    let read = desk.create(WORK, "g2", &text, &["$seen", "$flagged"]);
    let seen = desk.write(read).await.unwrap().unwrap();
    assert_eq!(desk.names(".Work"), set(&["cur/1700000000.g2.twofold,S=77:2,FS"]));
    assert_eq!(desk.fetch(WORK, "1700000000.g2.twofold,S=77").await.unwrap().unwrap(), seen);
    assert_eq!((desk.tmp(""), desk.tmp(".Work")), (0, 0));
    desk.take(seen);
    assert!(desk.words(WORK).await.is_empty());
}

#[tokio::test]
async fn a_create_that_is_repeated_makes_no_second_file() {
    let mut desk = Desk::new().await;
    let create = desk.create(INBOX, "g1", &mail("one"), &["$seen"]);
    let first = desk.write(create.clone()).await.unwrap();
    assert!(matches!(desk.find(INBOX, "g1").await, Found::Here(seen) if Some(&*seen) == first.as_ref()));
    assert_eq!(desk.write(create).await.unwrap(), first);
    assert_eq!(desk.names(""), set(&[SEEN_FILE]));
    assert!(matches!(desk.find(INBOX, "g2").await, Found::Nowhere));
    let other = desk.create(INBOX, "g1", &mail("another"), &[]);
    assert_eq!(kind_of(desk.write(other).await), ErrorKind::StaleEtag);
    assert_eq!((desk.names(""), desk.tmp("")), (set(&[SEEN_FILE]), 0));
}

#[tokio::test]
async fn what_a_stopped_run_left_in_tmp_is_no_message_and_goes_when_it_is_old() {
    let mut desk = Desk::new().await;
    desk.put("tmp/.twofold-new-0123456789ab-0", "half");
    desk.put("tmp/1700.theirs", "half");
    assert!(matches!(desk.find(INBOX, "g1").await, Found::Nowhere));
    assert!(desk.words(INBOX).await.is_empty());
    assert_eq!(desk.tmp(""), 2, "another process may be writing");
    desk.device = open(desk.dir.path(), &desk.blobs, |options| {
        options.clock = std::sync::Arc::new(|| now_ns() + 3_600_000_000_000);
    });
    assert!(desk.words(INBOX).await.is_empty());
    assert!(desk.tmp("") == 1 && desk.path("tmp/1700.theirs").exists());
}

#[tokio::test]
async fn a_message_without_its_bytes_is_not_made() {
    let mut desk = Desk::new().await;
    let Operation::Create { collection, uid, mark, .. } = desk.create(INBOX, "g1", &mail("one"), &[]) else { panic!() };
    let mut sheet = Sheet::default();
    sheet.set_message(&BlobId::of(b"nobody has this"), b"nobody has this");
    for sheet in [Sheet::default(), sheet] {
        let rendering = sheet.write().unwrap();
        let create =
            Operation::Create { collection: collection.clone(), rendering, uid: uid.clone(), mark: mark.clone() };
        assert_eq!(kind_of(desk.write(create).await), ErrorKind::Refused);
    }
    assert_eq!((desk.names("").len(), desk.tmp("")), (0, 0));
}

#[tokio::test]
async fn letters_that_came_along_with_files_go_when_their_words_are_written_and_say_nothing_meanwhile() {
    let mut desk = Desk::new().await;
    desk.put("dovecot-keywords", "0 work\n1 play\n");
    desk.put("cur/1.host:2,Sab", &mail("one"));
    desk.put("cur/2.host:2,Xb", &mail("two"));
    desk.agree(INBOX).await;
    let was = desk.copies.clone();
    for name in ["1.host:2,Sab", "2.host:2,Xb"] {
        desk.mv(&format!("cur/{name}"), &format!(".Work/cur/{name}"));
    }
    desk.agree(WORK).await;
    for (base, keywords, names) in [
        ("2.host", &["play"][..], ["cur/1.host:2,Sab", "cur/2.host:2,Xc"]),
        ("1.host", &["$seen", "play", "work"], ["cur/1.host:2,Scd", "cur/2.host:2,Xc"]),
    ] {
        let (etag, now) = desk.copies[&remote(WORK, base)].clone();
        let lens = desk.device.lens(Kind::Mail);
        let (from, content) = lens.moved(&was[&remote(INBOX, base)].1, now).unwrap();
        let to = lens.write(Some(&from), &content, &Identity { uid: base.into(), mark: None }).unwrap();
        assert_eq!(Sheet::read(&to).unwrap().keywords, set(keywords));
        let seen = desk.write(Operation::Update { place: place(WORK, base), etag, from, to }).await.unwrap().unwrap();
        assert_eq!(Sheet::read(&seen.rendering).unwrap().keywords, set(keywords), "{base}");
        assert_eq!(desk.names(".Work"), set(&names));
        desk.take(seen);
    }
    assert_eq!(std::fs::read_to_string(desk.path(".Work/dovecot-keywords")).unwrap(), "2 play\n3 work\n");
    assert!(desk.words(WORK).await.is_empty());
}

#[tokio::test]
async fn letters_that_came_along_say_nothing_however_often_the_file_is_read_or_moved_before_its_words_are_written() {
    for (flags, keywords) in [("Sab", &["$seen"][..]), ("FSab", &["$flagged", "$seen"])] {
        let mut desk = Desk::new().await;
        desk.put("dovecot-keywords", "0 work\n1 play\n");
        desk.put(".Work/dovecot-keywords", "0 home\n1 later\n");
        desk.put("cur/1.host:2,Sab", &mail("one"));
        desk.agree(INBOX).await;
        let was = desk.copies[&remote(INBOX, "1.host")].1.clone();
        desk.mv("cur/1.host:2,Sab", ".Work/cur/1.host:2,Sab");
        desk.agree(WORK).await;
        let (etag, now) = desk.copies[&remote(WORK, "1.host")].clone();
        let (settled, content) = desk.device.lens(Kind::Mail).moved(&was, now).unwrap();
        assert!(["work", "play"].iter().all(|word| has_keyword(&content, word)), "{content:?}");
        // The run was killed here: it is read once more, under the same name or with another flag.
        desk.copies.insert(remote(WORK, "1.host"), (etag, settled.clone()));
        if flags != "Sab" {
            desk.mv(".Work/cur/1.host:2,Sab", &format!(".Work/cur/1.host:2,{flags}"));
        }
        desk.agree(WORK).await;
        assert_eq!(desk.sheet(WORK, "1.host").keywords, set(keywords));
        let read_again = desk.copies[&remote(WORK, "1.host")].1.clone();
        assert!(flags != "Sab" || read_again == settled, "it says nothing new");
        desk.mv(&format!(".Work/cur/1.host:2,{flags}"), &format!("cur/1.host:2,{flags}"));
        desk.copies.remove(&remote(INBOX, "1.host"));
        desk.agree(INBOX).await;
        let now = desk.copies[&remote(INBOX, "1.host")].1.clone();
        let (_, content) = desk.device.lens(Kind::Mail).moved(&read_again, now).unwrap();
        assert!(!["work", "play", "home", "later"].iter().any(|word| has_keyword(&content, word)), "{content:?}");
        // Whoever writes other letters there is taken at his word.
        desk.mv(&format!("cur/1.host:2,{flags}"), ".Work/cur/1.host:2,Sb");
        desk.copies.insert(remote(WORK, "1.host"), (Etag("cur:Sab".to_owned()), settled));
        desk.agree(WORK).await;
        assert_eq!(desk.sheet(WORK, "1.host").keywords, set(&["$seen", "later"]));
    }
}

#[tokio::test]
async fn flags_are_written_into_the_name_and_everything_else_of_it_stays() {
    let mut desk = Desk::new().await;
    desk.put("new/1.host,U=4,FMD5=00", &mail("one"));
    desk.put("cur/2.host:2,STX", &mail("two"));
    desk.agree(INBOX).await;
    let flag = desk.flag(INBOX, "1.host,U=4,FMD5=00", &["$seen", "$answered"]);
    let seen = desk.write(flag).await.unwrap().unwrap();
    assert_eq!(seen, desk.fetch(INBOX, "1.host,U=4,FMD5=00").await.unwrap().unwrap());
    let flag = desk.flag(INBOX, "2.host", &["$flagged"]);
    desk.write(flag).await.unwrap();
    assert_eq!(desk.names(""), set(&["cur/1.host,U=4,FMD5=00:2,RS", "cur/2.host:2,FTX"]));
}

#[tokio::test]
async fn a_number_that_mbsync_gave_in_one_folder_is_not_taken_to_another() {
    let mut desk = Desk::new().await;
    desk.put("cur/1.host,U=1,FMD5=00:2,S", &mail("one"));
    desk.put("new/2.host,U=2", &mail("two"));
    desk.put("cur/3.host,U=3:2,S", &mail("three"));
    for name in ["8.host,U=1", "9.host,U=2"] {
        desk.put(&format!(".Work/cur/{name}:2,S"), &mail(name));
    }
    desk.agree(INBOX).await;
    for base in ["1.host,U=1,FMD5=00", "2.host,U=2"] {
        let shift = desk.shift(INBOX, base, WORK);
        let seen = desk.write(shift).await.unwrap().unwrap();
        desk.take(seen);
    }
    let copy = Operation::Copy { of: place(INBOX, "3.host,U=3"), collection: WORK.into() };
    desk.write(copy).await.unwrap();
    let work = ["cur/1.host,FMD5=00:2,S", "cur/3.host:2,S", "cur/8.host,U=1:2,S", "cur/9.host,U=2:2,S", "new/2.host"];
    assert_eq!(desk.names(".Work"), set(&work));
    assert_eq!(desk.names(""), set(&["cur/3.host,U=3:2,S"]));
}

#[tokio::test]
async fn a_flag_that_another_program_set_meanwhile_is_not_lost() {
    let mut desk = Desk::new().await;
    desk.put("cur/1.host:2,S", &mail("one"));
    desk.put("new/2.host", &mail("two"));
    desk.agree(INBOX).await;
    desk.mv("cur/1.host:2,S", "cur/1.host:2,RS");
    desk.mv("new/2.host", "cur/2.host:2,");
    for operation in [
        desk.flag(INBOX, "1.host", &["$flagged"]),
        desk.delete(INBOX, "1.host"),
        desk.shift(INBOX, "1.host", WORK),
        desk.flag(INBOX, "2.host", &["$flagged"]),
        desk.delete(INBOX, "2.host"),
    ] {
        assert_eq!(kind_of(desk.write(operation).await), ErrorKind::StaleEtag);
    }
    assert_eq!(desk.names(""), set(&["cur/1.host:2,RS", "cur/2.host:2,"]));
}

#[tokio::test]
async fn a_keyword_gets_a_letter_behind_those_that_are_taken() {
    let mut desk = Desk::new().await;
    desk.put("cur/1.host:2,", &mail("one"));
    desk.put("dovecot-keywords", "0 Old\n");
    desk.agree(INBOX).await;
    let flag = desk.flag(INBOX, "1.host", &["$seen", "receipts"]);
    let seen = desk.write(flag).await.unwrap().unwrap();
    assert_eq!(desk.names(""), set(&["cur/1.host:2,Sb"]));
    assert_eq!(std::fs::read_to_string(desk.path("dovecot-keywords")).unwrap(), "0 Old\n1 receipts\n");
    assert!(!desk.path("dovecot-uidlist.lock").exists());
    assert_eq!(Sheet::read(&seen.rendering).unwrap().keywords, set(&["$seen", "receipts"]));
    desk.take(seen);
    assert!(desk.words(INBOX).await.is_empty());
}

#[tokio::test]
async fn forwarded_has_the_letter_that_programs_know_and_the_one_that_dovecot_knows() {
    let mut desk = Desk::new().await;
    desk.put("cur/1.host:2,", &mail("one"));
    desk.agree(INBOX).await;
    let flag = desk.flag(INBOX, "1.host", &["$forwarded"]);
    let seen = desk.write(flag).await.unwrap().unwrap();
    assert_eq!(desk.names(""), set(&["cur/1.host:2,Pa"]));
    assert_eq!(std::fs::read_to_string(desk.path("dovecot-keywords")).unwrap(), "0 $forwarded\n");
    desk.take(seen);
    let unset = desk.flag(INBOX, "1.host", &[]);
    desk.write(unset).await.unwrap();
    assert_eq!(desk.names(""), set(&["cur/1.host:2,"]));
}

#[tokio::test]
async fn dovecot_sees_that_the_file_of_keywords_changed() {
    let mut desk = Desk::new().await;
    desk.put("cur/1.host:2,", &mail("one"));
    desk.put("dovecot-keywords", "0 Old\n");
    let path = desk.path("dovecot-keywords");
    let future = std::time::SystemTime::now() + std::time::Duration::from_secs(100);
    std::fs::File::options().write(true).open(&path).unwrap().set_modified(future).unwrap();
    let before = std::fs::metadata(&path).unwrap().mtime();
    desk.agree(INBOX).await;
    let flag = desk.flag(INBOX, "1.host", &["receipts"]);
    desk.write(flag).await.unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().mtime(), before + 1);
}

#[tokio::test]
async fn where_keywords_cannot_be_noted_the_flags_are_written_all_the_same() {
    let mut desk = Desk::new().await;
    desk.put("cur/1.host:2,", &mail("one"));
    desk.agree(INBOX).await;
    let theirs = format!("{}:{}", std::process::id(), "elsewhere.example");
    desk.put("dovecot-uidlist.lock", &theirs);
    let flag = desk.flag(INBOX, "1.host", &["$seen", "receipts"]);
    assert_eq!(kind_of(desk.write(flag).await), ErrorKind::Unknown);
    assert_eq!(desk.names(""), set(&["cur/1.host:2,S"]));
    assert!(!desk.path("dovecot-keywords").exists());
    assert_eq!(std::fs::read_to_string(desk.path("dovecot-uidlist.lock")).unwrap(), theirs);
}

#[tokio::test]
async fn a_lock_that_stays_is_waited_for_once_in_a_batch_and_the_flags_are_written() {
    let mut desk = Desk::new().await;
    for n in 0..6 {
        desk.put(&format!("cur/{n}.host:2,"), &mail(&format!("message {n}")));
    }
    desk.agree(INBOX).await;
    desk.put("dovecot-uidlist.lock", "1:elsewhere.example");
    let flags: Vec<Operation> =
        (0..6).map(|n| desk.flag(INBOX, &format!("{n}.host"), &["$seen", &format!("word{n}")])).collect();
    let began = std::time::Instant::now();
    let answers = desk.device.write(Kind::Mail, &flags).await;
    assert!(began.elapsed() < std::time::Duration::from_secs(5), "it waited for {:?}", began.elapsed());
    assert!(answers.iter().all(|answer| answer.as_ref().is_err_and(|error| error.kind == ErrorKind::Unknown)));
    assert_eq!(desk.names("").iter().filter(|name| name.ends_with(":2,S")).count(), 6);
}

#[tokio::test]
async fn a_folder_keeps_the_sign_that_its_files_have_before_their_flags() {
    let mut desk = Desk::new().await;
    desk.put("cur/1.host;2,S", &mail("one"));
    desk.put("cur/2.host;2,", &mail("two"));
    desk.put("new/3.host", &mail("three"));
    desk.agree(INBOX).await;
    let flag = desk.flag(INBOX, "3.host", &["$seen"]);
    let seen = desk.write(flag).await.unwrap().unwrap();
    assert_eq!(desk.names(""), set(&["cur/1.host;2,S", "cur/2.host;2,", "cur/3.host;2,S"]));
    desk.take(seen);
    assert!(desk.words(INBOX).await.is_empty(), "nothing changed");
}

#[tokio::test]
async fn a_copy_is_a_second_name_of_the_same_file_with_the_letters_of_its_folder() {
    let mut desk = Desk::new().await;
    // `c` means nothing in either folder.
    desk.put("cur/1.host:2,FSac", &mail("one"));
    desk.put("dovecot-keywords", "0 receipts\n");
    desk.put(".Work/dovecot-keywords", "0 other\n");
    desk.agree(INBOX).await;
    let copy = Operation::Copy { of: place(INBOX, "1.host"), collection: WORK.into() };
    let seen = desk.write(copy.clone()).await.unwrap().unwrap();
    assert_eq!(desk.names(".Work"), set(&["cur/1.host:2,FSb"]));
    let inode = |file: &str| std::fs::metadata(desk.path(file)).unwrap().ino();
    assert_eq!(inode("cur/1.host:2,FSac"), inode(".Work/cur/1.host:2,FSb"));
    assert_eq!((seen.remote_id.clone(), seen.collection.clone()), (remote(WORK, "1.host"), WORK.into()));
    let sheet = Sheet::read(&seen.rendering).unwrap();
    assert_eq!(sheet.blob(), Some(BlobId::of(mail("one").as_bytes())));
    assert_eq!(sheet.keywords, set(&["$flagged", "$seen", "receipts"]));
    assert_eq!(desk.write(copy).await.unwrap().unwrap(), seen, "once more is the same");
    let none = Operation::Copy { of: place(INBOX, "2.host"), collection: WORK.into() };
    assert_eq!(kind_of(desk.write(none).await), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_move_keeps_base_and_flags_and_the_file() {
    let mut desk = Desk::new().await;
    desk.put("cur/1.host,S=9:2,FS", &mail("one"));
    desk.put("new/2.host", &mail("two"));
    desk.agree(INBOX).await;
    for (base, place) in [("1.host,S=9", "cur:FS"), ("2.host", "new:")] {
        let shift = desk.shift(INBOX, base, WORK);
        let seen = desk.write(shift.clone()).await.unwrap().unwrap();
        assert_eq!((seen.remote_id.clone(), seen.etag.as_str()), (remote(WORK, base), place));
        assert!(Sheet::read(&seen.rendering).unwrap().blob().is_some());
        assert_eq!(kind_of(desk.write(shift).await), ErrorKind::NotFound);
    }
    assert_eq!(desk.names(""), set(&[]));
    assert_eq!(desk.names(".Work"), set(&["cur/1.host,S=9:2,FS", "new/2.host"]));
}

#[tokio::test]
async fn a_move_onto_the_same_file_leaves_one_and_beside_another_of_that_name_two() {
    let mut desk = Desk::new().await;
    desk.put("cur/1.host:2,S", &mail("one"));
    desk.put("cur/2.host:2,S", &mail("two"));
    desk.put(".Work/cur/2.host:2,", &mail("another"));
    // A copy that somebody made under its name: where each copy is a message of its own they are two.
    let size = mail("three").len();
    desk.put(&format!("cur/3.host,S={size}:2,S"), &mail("three"));
    desk.put(&format!(".Work/cur/3.host,S={size}:2,"), &mail("three"));
    std::fs::hard_link(desk.path("cur/1.host:2,S"), desk.path(".Work/cur/1.host:2,F")).unwrap();
    desk.agree(INBOX).await;
    desk.agree(WORK).await;
    let shift = desk.shift(INBOX, "1.host", WORK);
    assert_eq!(desk.write(shift).await.unwrap().unwrap().etag.as_str(), "cur:F");
    let third = [format!("3.host,S={size}"), format!("3.host.2,S={size}")];
    for (base, moved) in [("2.host", "2.host.2"), (&*third[0], &*third[1])] {
        let shift = desk.shift(INBOX, base, WORK);
        let seen = desk.write(shift.clone()).await.unwrap().unwrap();
        assert_eq!((seen.remote_id.clone(), seen.etag.as_str()), (remote(WORK, moved), "cur:S"));
        assert_eq!(kind_of(desk.write(shift).await), ErrorKind::NotFound);
    }
    assert_eq!(desk.names(""), set(&[]));
    let third = [format!("cur/{}:2,", third[0]), format!("cur/{}:2,S", third[1])];
    let all = ["cur/1.host:2,F", "cur/2.host:2,", "cur/2.host.2:2,S", &*third[0], &*third[1]];
    assert_eq!(desk.names(".Work"), set(&all));
}

#[tokio::test]
async fn a_file_that_is_not_as_long_as_it_was_written_is_neither_marked_nor_moved_nor_copied_nor_removed() {
    let mut desk = Desk::new().await;
    let operation = desk.create(INBOX, "g1", &mail("one"), &["$seen"]);
    let seen = desk.write(operation).await.unwrap().unwrap();
    desk.take(seen);
    let names = desk.names("");
    desk.put(names.first().unwrap(), "Subject: on");
    let base = format!("1700000000.g1.twofold,S={}", mail("one").len());
    let copy = Operation::Copy { of: place(INBOX, &base), collection: WORK.into() };
    let delete = desk.delete(INBOX, &base);
    for operation in [desk.flag(INBOX, &base, &["$flagged"]), desk.shift(INBOX, &base, WORK), copy, delete.clone()] {
        assert_eq!(kind_of(desk.write(operation).await), ErrorKind::Refused);
    }
    assert_eq!((&desk.names(""), desk.names(".Work").len()), (&names, 0));
    desk.put(names.first().unwrap(), &mail("one"));
    desk.write(delete).await.unwrap();
    assert!(desk.names("").is_empty(), "with its bytes put back it is the message that is to go");
}

#[tokio::test]
async fn a_removal_takes_one_name_away_and_what_is_gone_is_removed() {
    let mut desk = Desk::new().await;
    desk.put("cur/1.host:2,S", &mail("one"));
    std::fs::hard_link(desk.path("cur/1.host:2,S"), desk.path(".Work/cur/1.host:2,S")).unwrap();
    desk.agree(INBOX).await;
    let delete = desk.delete(INBOX, "1.host");
    assert_eq!(desk.write(delete.clone()).await.unwrap(), None);
    assert_eq!(desk.write(delete).await.unwrap(), None);
    assert_eq!((desk.names(""), desk.names(".Work")), (set(&[]), set(&["cur/1.host:2,S"])));
}

#[tokio::test]
async fn a_draft_that_changed_gets_a_new_base_and_stays_the_same_message() {
    let mut desk = Desk::new().await;
    let create = desk.create(INBOX, "g1", &mail("aaa"), &["$draft", "$seen"]);
    let seen = desk.write(create).await.unwrap().unwrap();
    let old = seen.remote_id.clone();
    desk.take(seen.clone());
    let from = desk.copies[&old].1.clone();
    // As long as the old one, so that only the bytes tell.
    let (blob, _) = desk.blobs.put(&mut mail("bbb").as_bytes()).unwrap();
    let mut to = Sheet::read(&from).unwrap();
    to.set_message(&blob, mail("bbb").as_bytes());
    let update = |etag: Etag| Operation::Update {
        place: Place { remote_id: old.clone(), collection: INBOX.into() },
        etag,
        from: from.clone(),
        to: to.write().unwrap(),
    };
    let stale = update("cur:S".into());
    assert_eq!(kind_of(desk.write(stale).await), ErrorKind::StaleEtag);
    assert_eq!((desk.names("").len(), desk.tmp("")), (1, 0));

    let update = update(seen.etag.clone());
    let now = desk.write(update).await.unwrap().unwrap();
    assert_ne!(now.remote_id, old);
    assert_eq!((now.uid.clone(), now.etag.as_str()), (seen.uid, "cur:DS"));
    let names = desk.names("");
    let file = names.iter().next().unwrap();
    assert_eq!((names.len(), std::fs::read_to_string(desk.path(file)).unwrap()), (1, mail("bbb")));
    // A run that was stopped before it could note the answer: the old name leads to the new bytes, in a scan too.
    let base = old.as_str().strip_prefix(INBOX).unwrap()[1..].to_owned();
    assert_eq!(desk.fetch(INBOX, &base).await.unwrap().unwrap(), now);
    desk.agree(INBOX).await;
    assert_eq!(Sheet::read(&desk.copies[&now.remote_id].1).unwrap().blob(), Some(blob));

    let (blob, _) = desk.blobs.put(&mut mail("ccc").as_bytes()).unwrap();
    let (etag, from) = desk.copies[&now.remote_id].clone();
    to.set_message(&blob, mail("ccc").as_bytes());
    let place = Place { remote_id: now.remote_id.clone(), collection: INBOX.into() };
    let update = Operation::Update { place, etag, from, to: to.write().unwrap() };
    let third = desk.write(update).await.unwrap().unwrap();
    assert!(third.remote_id != now.remote_id && third.uid == now.uid);
    assert_eq!(desk.names("").len(), 1);
}

#[tokio::test]
async fn of_two_files_with_one_identity_only_the_one_that_is_meant_is_touched() {
    let mut desk = Desk::new().await;
    desk.put("cur/1.host:2,", &mail("one"));
    desk.put("cur/1.host,U=3:2,", &mail("one"));
    desk.agree(INBOX).await;
    assert_eq!(desk.copies.len(), 2);
    std::fs::remove_file(desk.path("cur/1.host:2,")).unwrap();
    assert_eq!(desk.words(INBOX).await, ["gone 1.host"]);
    for operation in
        [desk.delete(INBOX, "1.host"), desk.flag(INBOX, "1.host", &["$seen"]), desk.shift(INBOX, "1.host", WORK)]
    {
        assert_eq!(kind_of(desk.write(operation).await), ErrorKind::StaleEtag);
    }
    assert_eq!(desk.names(""), set(&["cur/1.host,U=3:2,"]));
}

#[tokio::test]
async fn a_batch_answers_for_each_and_one_failure_is_its_own() {
    let mut desk = Desk::new().await;
    desk.put("cur/1.host:2,S", &mail("one"));
    desk.agree(INBOX).await;
    let operations = [
        desk.create(INBOX, "g1", &mail("new"), &["$seen"]),
        desk.create("google/mail/.Nowhere", "g2", &mail("new"), &[]),
        desk.flag(INBOX, "1.host", &[]),
        desk.create(INBOX, "../../g3", &mail("new"), &[]),
    ];
    let device = open(desk.dir.path(), &desk.blobs, |options| options.is_durable = true);
    let answers = device.write(Kind::Mail, &operations).await;
    let kinds: Vec<_> = answers.into_iter().map(|answer| answer.map(drop).map_err(|error| error.kind)).collect();
    assert_eq!(kinds, [Ok(()), Err(ErrorKind::Held), Ok(()), Ok(())]);
    assert_eq!(desk.names("").len(), 3);
}
