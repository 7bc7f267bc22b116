//! What a scan says of what other programs did.

use super::desk::*;
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::sync::Arc;
use twofold_model::blob::Blobs as _;
use twofold_model::*;

#[tokio::test]
async fn the_first_scan_reads_every_message_and_the_second_says_nothing() {
    let mut desk = Desk::new().await;
    desk.put("new/1.host", &mail("one"));
    desk.put("cur/2.host,S=9:2,FS", &mail("two"));
    assert_eq!(desk.words(INBOX).await, ["seen 1.host new:", "seen 2.host,S=9 cur:FS"]);
    desk.agree(INBOX).await;
    let sheet = desk.sheet(INBOX, "2.host,S=9");
    assert_eq!(sheet.blob(), Some(BlobId::of(mail("two").as_bytes())));
    assert_eq!((sheet.size, sheet.says["subject"].as_str()), (Some(mail("two").len() as u64), Some("two")));
    assert_eq!((sheet.keywords, sheet.deleted), (set(&["$flagged", "$seen"]), false));
    assert_eq!((sheet.own["place"].as_str(), sheet.own["flags"].as_str()), (Some("cur"), Some("FS")));
    assert!(sheet.received_ms.is_some_and(|at| (now_ns() / 1_000_000 - at).abs() < 60_000));
    assert!(desk.words(INBOX).await.is_empty());
}

#[tokio::test]
async fn another_message_under_a_name_that_begins_alike_is_another_one() {
    let mut desk = Desk::new().await;
    desk.put("cur/Report, May.eml:2,S", &mail("May"));
    desk.agree(INBOX).await;
    std::fs::remove_file(desk.path("cur/Report, May.eml:2,S")).unwrap();
    desk.put("cur/Report, June.eml:2,S", &mail("June"));
    let told = desk.words(INBOX).await;
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told.iter().any(|word| word.starts_with("gone ")), "{told:?}");
    assert!(told.iter().any(|word| word.starts_with("seen ") && word.contains("June")), "{told:?}");
}

#[tokio::test]
async fn a_maildir_that_looks_as_it_did_is_not_compared_and_any_difference_is_told() {
    let mut desk = Desk::new().await;
    for n in 1..=3 {
        desk.put(&format!("cur/{n}.host:2,S"), &mail(&n.to_string()));
    }
    let ask = async |desk: &Desk, since: Since, known: Known| {
        let feed = Feed { id: INBOX.into(), kind: Kind::Mail, collections: vec![INBOX.into()] };
        desk.device.changes(&[Poll { feed: &feed, since, known: &known }]).await.pop().unwrap()
    };
    let token = async |desk: &Desk| match ask(desk, Since::Start, desk.known(INBOX)).await.unwrap().next {
        Next::Done(token) => token,
        Next::Page(_) => panic!("one page"),
    };
    let as_it_was =
        async |desk: &Desk, token: &DeltaToken| match ask(desk, Since::Token(token.clone()), Known::new()).await {
            Ok(page) => page.entries.is_empty() && page.next == Next::Done(token.clone()),
            Err(error) => {
                assert_eq!(error.kind, ErrorKind::TokenExpired, "{error}");
                false
            }
        };
    assert_eq!(token(&desk).await.as_str(), "", "nothing is known yet");
    desk.agree(INBOX).await;
    let mut last = token(&desk).await;
    assert!(as_it_was(&desk, &last).await);
    desk.put("cur/.hidden", "x");
    desk.put("tmp/4.host", "x");
    assert!(as_it_was(&desk, &last).await, "what is no message makes no difference");
    type Deed = (&'static str, fn(&Desk));
    let deeds: [Deed; 6] = [
        ("marked", |desk| desk.mv("cur/1.host:2,S", "cur/1.host:2,FS")),
        ("delivered", |desk| desk.put("new/4.host", &mail("4"))),
        ("moved from new to cur", |desk| desk.mv("new/4.host", "cur/4.host")),
        ("a letter that means something else", |desk| desk.put("dovecot-keywords", "0 Receipts\n")),
        ("renamed", |desk| desk.mv("cur/2.host:2,S", "cur/5.host:2,S")),
        ("removed", |desk| std::fs::remove_file(desk.path("cur/3.host:2,S")).unwrap()),
    ];
    for (what, deed) in deeds {
        deed(&desk);
        assert!(!as_it_was(&desk, &last).await, "{what}");
        if !what.starts_with("a letter") {
            assert_eq!(token(&desk).await.as_str(), "", "{what}: told, and told again until it is agreed on");
        }
        desk.agree(INBOX).await;
        last = token(&desk).await;
        assert!(as_it_was(&desk, &last).await, "{what}, agreed on");
    }
    std::fs::create_dir(desk.path("cur/9.host:2,")).unwrap();
    assert!(!as_it_was(&desk, &last).await);
    assert_eq!(token(&desk).await.as_str(), "", "what is bad is told in each scan");
}

#[tokio::test]
async fn changed_flags_are_seen_without_reading_the_file_and_the_bytes_stay() {
    let mut desk = Desk::new().await;
    desk.put("new/1.host", &mail("one"));
    desk.agree(INBOX).await;
    let before = desk.sheet(INBOX, "1.host");
    desk.mv("new/1.host", "cur/1.host:2,");
    assert_eq!(desk.words(INBOX).await, ["seen 1.host cur:"]);
    desk.agree(INBOX).await;
    desk.mv("cur/1.host:2,", "cur/1.host:2,RST");
    // Nobody could read it.
    std::fs::write(desk.path("cur/1.host:2,RST"), "").unwrap();
    assert_eq!(desk.words(INBOX).await, ["seen 1.host cur:RST"]);
    desk.agree(INBOX).await;
    let after = desk.sheet(INBOX, "1.host");
    assert_eq!((after.blob_id, after.received_ms, after.says), (before.blob_id, before.received_ms, before.says));
    assert_eq!((after.keywords, after.deleted), (set(&["$answered", "$seen"]), true));
}

#[tokio::test]
async fn letters_are_the_words_that_dovecot_noted_also_when_it_notes_them_later() {
    let mut desk = Desk::new().await;
    desk.put("cur/1.host:2,Sab", &mail("one"));
    desk.put("dovecot-keywords", "0 Receipts\n");
    desk.agree(INBOX).await;
    assert_eq!(desk.sheet(INBOX, "1.host").keywords, set(&["$seen", "receipts"]));
    assert!(desk.words(INBOX).await.is_empty());
    desk.put("dovecot-keywords", "0 Receipts\n1 $MDNSent\n");
    assert_eq!(desk.words(INBOX).await, ["seen 1.host cur:Sab"]);
    desk.agree(INBOX).await;
    assert_eq!(desk.sheet(INBOX, "1.host").keywords, set(&["$mdnsent", "$seen", "receipts"]));
}

#[tokio::test]
async fn whoever_takes_away_one_letter_of_forwarded_takes_it_away() {
    // Dovecot knows its own letter of the word alone, other programs know `P` alone.
    for left in ["FPX", "FaX"] {
        let mut desk = Desk::new().await;
        desk.put("cur/1.host:2,FPaX", &mail("one"));
        desk.put("dovecot-keywords", "0 $Forwarded\n");
        desk.agree(INBOX).await;
        assert_eq!(desk.sheet(INBOX, "1.host").keywords, set(&["$flagged", "$forwarded"]));
        desk.mv("cur/1.host:2,FPaX", &format!("cur/1.host:2,{left}"));
        desk.agree(INBOX).await;
        assert_eq!(desk.sheet(INBOX, "1.host").keywords, set(&["$flagged"]), "{left}");
        assert_eq!(desk.names(""), set(&["cur/1.host:2,FX"]), "the other letter goes with it");
        assert!(desk.words(INBOX).await.is_empty());
        // Either letter says it again.
        desk.mv("cur/1.host:2,FX", &format!("cur/1.host:2,{left}"));
        desk.agree(INBOX).await;
        assert_eq!(desk.sheet(INBOX, "1.host").keywords, set(&["$flagged", "$forwarded"]), "{left}");
        assert_eq!(desk.names(""), set(&[&format!("cur/1.host:2,{left}")]));
    }
}

#[tokio::test]
async fn a_dry_run_says_that_a_letter_of_forwarded_was_taken_away_and_renames_nothing() {
    let mut desk = Desk::new().await;
    desk.put("cur/1.host:2,Pa", &mail("one"));
    desk.put("dovecot-keywords", "0 $Forwarded\n");
    desk.agree(INBOX).await;
    desk.mv("cur/1.host:2,Pa", "cur/1.host:2,P");
    let visit = Visit { is_known: true, hub_is_empty: false, is_dry_run: true, run: 2, last_run: 1, wrote_run: 0 };
    desk.device.arrive(visit).await.unwrap();
    desk.agree(INBOX).await;
    assert!(desk.sheet(INBOX, "1.host").keywords.is_empty());
    assert_eq!(desk.names(""), set(&["cur/1.host:2,P"]));
}

#[tokio::test]
async fn a_base_that_a_program_numbered_anew_is_the_same_message() {
    let mut desk = Desk::new().await;
    desk.put("cur/1.host,U=4:2,", &mail("one"));
    desk.put("cur/2.host:2,", &mail("two"));
    desk.agree(INBOX).await;
    desk.mv("cur/1.host,U=4:2,", "cur/1.host,U=7:2,S");
    desk.mv("cur/2.host:2,", "cur/2.host,U=8:2,");
    let said = desk.words(INBOX).await;
    assert_eq!(
        said,
        ["renamed 1.host,U=4 to 1.host,U=7", "renamed 2.host to 2.host,U=8", "seen 1.host,U=7 cur:S"],
        "the second one's flags are as they were"
    );
    desk.agree(INBOX).await;
    assert_eq!(desk.sheet(INBOX, "1.host,U=7").blob(), Some(BlobId::of(mail("one").as_bytes())));
    assert!(desk.words(INBOX).await.is_empty());
}

#[tokio::test]
async fn a_message_that_is_gone_is_a_question_and_the_answer_is_where_it_stands() {
    let mut desk = Desk::new().await;
    desk.put("cur/1.host:2,S", &mail("one"));
    desk.put("cur/2.host:2,S", &mail("two"));
    desk.agree(INBOX).await;
    desk.mv("cur/1.host:2,S", ".Work/cur/1.host,U=3:2,FS");
    std::fs::remove_file(desk.path("cur/2.host:2,S")).unwrap();
    assert_eq!(desk.words(INBOX).await, ["gone 1.host", "gone 2.host"]);
    let moved = desk.fetch(INBOX, "1.host").await.unwrap().unwrap();
    assert_eq!((moved.remote_id, moved.collection), (remote(WORK, "1.host,U=3"), WORK.into()));
    assert_eq!(moved.etag.as_str(), "cur:FS");
    assert_eq!(desk.fetch(INBOX, "2.host").await.unwrap(), None);
    assert_eq!(desk.words(WORK).await, ["seen 1.host,U=3 cur:FS"]);
}

#[tokio::test]
async fn what_stands_where_nothing_is_read_is_found_by_its_message_id_and_bytes() {
    let mut desk = Desk::new().await;
    desk.put("cur/1.host:2,S", &mail("one"));
    desk.put("cur/2.host:2,", "Subject: no name\r\n\r\nHello\r\n");
    desk.put(".Work/cur/3.host:2,", &mail("one"));
    desk.agree(INBOX).await;
    desk.agree(WORK).await;
    let known: Vec<Rendering> = desk.known(INBOX).keys().map(|id| desk.copies[id].1.clone()).collect();
    // A folder that some program made, and one whose messages are known.
    for part in ["", "/tmp", "/new", "/cur"] {
        std::fs::create_dir(desk.path(&format!(".Away{part}"))).unwrap();
    }
    let mut gzip = Vec::new();
    flate2::read::GzEncoder::new(mail("one").as_bytes(), flate2::Compression::fast()).read_to_end(&mut gzip).unwrap();
    std::fs::write(desk.path(".Away/cur/7.desk:2,SZ"), gzip).unwrap();
    desk.put(".Away/new/8.desk", "Subject: no name\r\n\r\nHello\r\n");
    desk.put(".Away/cur/9.desk:2,", &mail("two"));
    let looked_at = async |read: &[&str]| {
        let read = read.iter().map(|id| CollectionId::from(*id)).collect();
        let aside = desk.device.aside(Kind::Mail, &read, &desk.known(WORK), &known).await.unwrap();
        let of = |seen: &Seen| (seen.remote_id.0.clone(), email::Sheet::read(&seen.rendering).unwrap().blob());
        aside.iter().map(of).collect::<std::collections::BTreeMap<_, _>>()
    };
    let blob = |text: &str| Some(BlobId::of(text.as_bytes()));
    let found = [
        ("google/mail/.Away/7.desk".to_owned(), blob(&mail("one"))),
        ("google/mail/.Away/8.desk".to_owned(), blob("Subject: no name\r\n\r\nHello\r\n")),
    ];
    assert_eq!(looked_at(&[INBOX]).await, found.into(), "what is known elsewhere is nobody's");
    assert!(looked_at(&[INBOX, "google/mail/.Away"]).await.is_empty());
}

#[tokio::test]
async fn of_a_folder_that_is_not_there_only_what_stands_elsewhere_by_its_name_is_told() {
    let mut desk = Desk::new().await;
    desk.put(".Work/cur/1.host:2,", &mail("a"));
    desk.put(".Work/cur/2.host:2,", &mail("b"));
    desk.agree(WORK).await;
    desk.mv(".Work/cur/1.host:2,", "cur/1.host:2,S");
    std::fs::remove_dir_all(desk.path(".Work")).unwrap();
    assert_eq!(desk.fetch(WORK, "1.host").await.unwrap().unwrap().collection.as_str(), INBOX);
    let error = desk.fetch(WORK, "2.host").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Held, "{error}: is a disk not mounted?");
}

#[tokio::test]
async fn a_fetch_answers_what_the_scan_answered() {
    let desk = Desk::new().await;
    desk.put("cur/1.host:2,S", &mail("one"));
    let Some(Entry::Seen(seen)) = desk.try_scan(INBOX).await.unwrap().pop() else { panic!("one message") };
    assert_eq!(desk.fetch(INBOX, "1.host").await.unwrap(), Some(*seen));
    let asked = [place(INBOX, "nobody"), place(INBOX, "1.host"), place("google/mail/INBOX", "../x")];
    let answers = desk.device.fetch(Kind::Mail, &asked).await;
    assert!(matches!(&answers[..], [Ok(None), Ok(Some(_)), Err(_)]));
}

#[tokio::test]
async fn what_is_in_tmp_is_no_message_and_what_is_no_file_is_quarantined() {
    let desk = Desk::new().await;
    desk.put("tmp/1.host", &mail("half"));
    desk.put("cur/.hidden", "x");
    desk.put("cur/4.host:2,", "");
    std::fs::create_dir(desk.path("cur/1.host:2,S")).unwrap();
    std::os::unix::fs::symlink("/etc/hosts", desk.path("cur/2.host:2,")).unwrap();
    let made = std::process::Command::new("mkfifo").arg(desk.path("new/3.host")).status().unwrap();
    assert!(made.success());
    let said = desk.words(INBOX).await;
    assert_eq!(
        said,
        [
            "bad 1.host is a folder, not a file",
            "bad 2.host is a symbolic link, which is not followed",
            "bad 3.host is not an ordinary file",
            "bad 4.host is empty",
        ]
    );
}

#[tokio::test]
async fn a_file_of_ours_that_is_not_as_long_as_it_was_written_is_quarantined_until_it_is() {
    let mut desk = Desk::new().await;
    let operation = desk.create(INBOX, "g1", &mail("one"), &["$seen"]);
    let seen = desk.write(operation).await.unwrap().unwrap();
    desk.take(seen.clone());
    desk.agree(INBOX).await;
    let size = mail("one").len();
    let file = desk.names("").pop_first().unwrap();
    for text in ["", &mail("one")[..20], &format!("{}more", mail("one"))] {
        desk.is_alone = false;
        desk.put(&file, text);
        let base = format!("1700000000.g1.twofold,S={size}");
        let expected = format!(
            "bad {base} is {} bytes long, not {size} as it was written. Put its bytes back, or give it another name to keep it as \
             a message of its own; or delete it, and the next run writes its message anew, whole, where that is still there: rm '{}'",
            text.len(),
            desk.path(&file).display()
        );
        for _ in 0..2 {
            assert_eq!(desk.words(INBOX).await, std::slice::from_ref(&expected), "each comparison says so");
        }
    }
    desk.put(&file, &mail("one"));
    assert!(desk.words(INBOX).await.is_empty());
    // Dovecot compresses it: the name goes on saying how long it is without that.
    let folder = desk.dir.path().join("google/mail");
    std::fs::rename(folder.join(&file), folder.join(format!("{file}Z"))).unwrap();
    desk.put(&format!("{file}Z"), "\u{1f}\u{8b}");
    let words = desk.words(INBOX).await;
    assert!(words.iter().all(|words| !words.starts_with("bad")), "{words:?}");
}

#[tokio::test]
async fn a_damaged_file_that_was_moved_says_where_its_message_is_and_nothing_of_its_bytes() {
    let mut desk = Desk::new().await;
    let work = desk.make("Work").await.id.0;
    let operation = desk.create(INBOX, "g1", &mail("one"), &["$seen"]);
    let seen = desk.write(operation).await.unwrap().unwrap();
    desk.take(seen);
    let (file, size) = (desk.names("").pop_first().unwrap(), mail("one").len());
    let base = format!("1700000000.g1.twofold,S={size}");
    desk.put(&file, &mail("one")[..20]);
    desk.mv(&file, &format!(".Work/{file}"));
    let said = desk.words(&work).await;
    assert_eq!(
        said,
        [format!(
            "bad {base} is 20 bytes long, not {size} as it was written, and no message. Put its bytes back, or delete it"
        )]
    );
    assert_eq!(desk.words(INBOX).await, [format!("gone {base}")]);
    let there = desk.fetch(INBOX, &base).await.unwrap().unwrap();
    assert_eq!((there.collection.as_str(), there.etag.as_str()), (work.as_str(), "cur:S"));
    assert_eq!(email::Sheet::read(&there.rendering).unwrap().blob(), None);
    // What another program named may be it: nobody says that it is gone.
    desk.mv(&format!(".Work/{file}"), &format!(".Work/cur/1.host,S={size}:2,"));
    assert_eq!(kind_of(desk.fetch(INBOX, &base).await), ErrorKind::Malformed);
    desk.put(&format!(".Work/cur/1.host,S={size}:2,"), &mail("two"));
    assert_eq!(desk.fetch(INBOX, &base).await.unwrap(), None, "that is another message, and whole");
}

#[tokio::test]
async fn a_compressed_file_is_read_as_what_it_was() {
    let mut desk = Desk::new().await;
    let text = mail("one");
    let mut gzip = Vec::new();
    flate2::read::GzEncoder::new(text.as_bytes(), flate2::Compression::fast()).read_to_end(&mut gzip).unwrap();
    let zstd = zstd::encode_all(text.as_bytes(), 1).unwrap();
    let cut = gzip[..gzip.len() / 2].to_vec();
    let other = [b"BZh91AY&SY", &gzip[..]].concat();
    for (at, bytes) in [&gzip, &zstd, &cut, &other].into_iter().enumerate() {
        let path = desk.path(&format!("cur/{at}.host,S={}:2,SZ", text.len()));
        std::fs::write(path, bytes).unwrap();
    }
    let said = desk.words(INBOX).await;
    assert_eq!(said.iter().filter(|line| line.starts_with("seen")).count(), 2, "{said:?}");
    assert!(said.iter().any(|line| line.contains("is compressed, and cannot be unpacked")), "{said:?}");
    assert!(said.iter().any(|line| line.contains("is compressed with bzip2, and not read")), "{said:?}");
    desk.agree(INBOX).await;
    let (blob, _) = desk.blobs.put(&mut text.as_bytes()).unwrap();
    for base in [format!("0.host,S={}", text.len()), format!("1.host,S={}", text.len())] {
        let sheet = desk.sheet(INBOX, &base);
        assert_eq!((sheet.blob(), sheet.size), (Some(blob.clone()), Some(text.len() as u64)), "{base}");
    }
}

#[tokio::test]
async fn a_name_is_bytes_and_comes_back_as_it_was() {
    let mut desk = Desk::new().await;
    let name = |flags: &str| [b"cur/1.\xff%\xc3(x:2,", flags.as_bytes()].concat();
    let path = |bytes: &[u8]| desk.dir.path().join("google/mail").join(std::ffi::OsStr::from_bytes(bytes));
    let (before, after) = (path(&name("")), path(&name("S")));
    std::fs::write(&before, mail("one")).unwrap();
    desk.agree(INBOX).await;
    let id = desk.copies.keys().next().unwrap().clone();
    let base = id.as_str().strip_prefix(INBOX).unwrap()[1..].to_owned();
    let operation = desk.flag(INBOX, &base, &["$seen"]);
    assert_eq!(desk.write(operation).await.unwrap().unwrap().remote_id, id);
    assert!(after.exists() && !before.exists());
}

#[tokio::test]
async fn a_file_that_was_written_to_just_now_is_read_again() {
    let mut desk = Desk::new().await;
    desk.device = open(desk.dir.path(), &desk.blobs, |options| options.clock = Arc::new(now_ns));
    desk.put("cur/1.host:2,", "Subject: half");
    desk.agree(INBOX).await;
    desk.put("cur/1.host:2,", &mail("whole"));
    desk.agree(INBOX).await;
    assert_eq!(desk.sheet(INBOX, "1.host").says["subject"].as_str(), Some("whole"));
}

/// Somebody copies a message of several parts into the folder, over a slow line.
#[tokio::test]
async fn half_a_message_that_is_just_being_written_is_not_taken_and_one_that_stays_so_is() {
    let mut desk = Desk::new().await;
    let kind = "Content-Type: multipart/mixed;\r\n boundary=\"=_a b\"\r\n";
    let whole = format!("{kind}{}--=_a b\r\n\r\nText\r\n--=_a b--\r\nand a last word\r\n", mail("parts"));
    let half = &whole[..whole.find("--=_a b--").unwrap()];
    let just_now = |desk: &mut Desk| {
        desk.device = open(desk.dir.path(), &desk.blobs, |options| options.clock = Arc::new(now_ns));
    };
    let (path, rest) = (desk.path("cur/1.host:2,"), whole[half.len()..].to_owned());
    desk.put("cur/1.host:2,", half);
    // The rest comes right after the first half was read.
    let (blobs, read) = (Arc::clone(&desk.blobs), BlobId::of(half.as_bytes()));
    let has_come = std::sync::atomic::AtomicBool::new(false);
    desk.device = open(desk.dir.path(), &desk.blobs, |options| {
        options.clock = Arc::new(move || {
            if blobs.open(&read).is_ok() && !has_come.swap(true, std::sync::atomic::Ordering::SeqCst) {
                use std::io::Write as _;
                std::fs::File::options().append(true).open(&path).unwrap().write_all(rest.as_bytes()).unwrap();
            }
            now_ns()
        });
    });
    desk.agree(INBOX).await;
    let blob = |desk: &Desk| desk.sheet(INBOX, "1.host").blob();
    assert_eq!(blob(&desk), Some(BlobId::of(whole.as_bytes())), "nobody was told of the half");
    // A message that came so from its sender stays as it is.
    just_now(&mut desk);
    desk.put("cur/3.host:2,", half);
    desk.agree(INBOX).await;
    assert_eq!(desk.sheet(INBOX, "3.host").blob(), Some(BlobId::of(half.as_bytes())));
}

#[tokio::test]
async fn pages_are_bounded_and_together_they_say_everything_once() {
    let mut desk = Desk::new().await;
    // Names of one file: making files is what costs time.
    desk.put("cur/0.host:2,", &mail("many"));
    for n in 1..4_500 {
        std::fs::hard_link(desk.path("cur/0.host:2,"), desk.path(&format!("cur/{n}.host:2,"))).unwrap();
    }
    let pages = desk.pages(INBOX).await.unwrap();
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [2_000, 2_000, 500]);
    desk.agree(INBOX).await;
    assert_eq!(desk.copies.len(), 4_500);
    for n in 0..2_500 {
        desk.mv(&format!("cur/{n}.host:2,"), &format!("cur/{n}.host,U={n}:2,S"));
    }
    for n in 2_500..2_600 {
        std::fs::remove_file(desk.path(&format!("cur/{n}.host:2,"))).unwrap();
    }
    desk.agree(INBOX).await;
    assert_eq!(desk.copies.len(), 4_400);
    assert!(desk.words(INBOX).await.is_empty());
}

#[tokio::test]
async fn a_folder_without_its_marker_or_its_parts_is_held() {
    let mut desk = Desk::new().await;
    desk.put(".Work/cur/1.host:2,", &mail("one"));
    desk.agree(WORK).await;
    desk.mv(".Work/cur", ".Work/away");
    assert_eq!(kind_of(desk.try_scan(WORK).await), ErrorKind::Held);
    assert_eq!(kind_of(desk.fetch(WORK, "1.host").await), ErrorKind::Held);
    desk.mv(".Work/away", ".Work/cur");
    std::fs::remove_file(desk.path(".Work/.twofold-collection")).unwrap();
    std::fs::remove_file(desk.path(".Work/cur/1.host:2,")).unwrap();
    assert_eq!(kind_of(desk.try_scan(WORK).await), ErrorKind::Held);
    assert_eq!(kind_of(desk.fetch(WORK, "1.host").await), ErrorKind::Held);
}

#[tokio::test]
async fn without_a_place_for_bytes_there_is_no_mail() {
    let desk = Desk::new().await;
    let device = open(desk.dir.path(), &desk.blobs, |options| options.blobs = None);
    assert_eq!(kind_of(device.collections(Kind::Mail).await), ErrorKind::Unsupported);
    assert_eq!(kind_of(device.fetch(Kind::Mail, &[place(INBOX, "x")]).await.pop().unwrap()), ErrorKind::Unsupported);
    let create = desk.create(INBOX, "u", &mail("one"), &[]);
    assert_eq!(kind_of(device.write(Kind::Mail, &[create]).await.pop().unwrap()), ErrorKind::Unsupported);
}
