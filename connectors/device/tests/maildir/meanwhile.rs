//! Another program at work in the same folders while we read and write.

use super::desk::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use twofold_model::*;

/// Ends the other program with the test, also with one that fails.
struct Other {
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Other {
    fn start(deed: impl Fn(usize) + Send + 'static) -> Other {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut n = 0;
            while !stopped.load(Ordering::Relaxed) {
                deed(n);
                n += 1;
            }
        });
        Other { stop, thread: Some(thread) }
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let ended = self.thread.take().map(std::thread::JoinHandle::join);
        assert!(std::thread::panicking() || ended.is_some_and(|end| end.is_ok()), "the other program failed");
    }
}

#[tokio::test]
async fn a_message_that_moves_all_the_time_is_never_gone() {
    const MESSAGES: usize = 40;
    let mut desk = Desk::new().await;
    desk.is_alone = false;
    desk.make("Later").await;
    let folders = ["", ".Work", ".Later"];
    let ids = [INBOX, WORK, "google/mail/.Later"];
    for n in 0..MESSAGES {
        desk.put(&format!("cur/{n}.host:2,"), &mail(&n.to_string()));
    }
    // Messages that nobody touches fill the folders, so that reading one takes time.
    for n in 0..500 {
        let folder = ["cur", ".Work/cur", ".Later/cur"][n % 3];
        desk.put(&format!("{folder}/{n}.still:2,S"), &mail("still"));
    }
    for id in ids {
        desk.agree(id).await;
    }
    let root = desk.path("");
    let moves = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&moves);
    let other = Other::start(move |n| {
        let (message, round) = (n % MESSAGES, n / MESSAGES);
        // From folder to folder, and with other flags in each.
        let name = |round: usize| {
            let flags = ["", "S", "FS"][round % 3];
            root.join(folders[round % 3]).join(format!("cur/{message}.host:2,{flags}"))
        };
        std::fs::rename(name(round), name(round + 1)).unwrap();
        count.fetch_add(1, Ordering::Relaxed);
    });
    let (mut questions, mut unanswered) = (0, 0);
    while moves.load(Ordering::Relaxed) < 20_000 || questions < 50 {
        for id in ids {
            let asked: Vec<Place> = desk
                .try_scan(id)
                .await
                .unwrap()
                .into_iter()
                .filter_map(|entry| match entry {
                    Entry::Gone(remote_id) => Some(Place { remote_id, collection: id.into() }),
                    _ => None,
                })
                .collect();
            let answers = desk.device.fetch(Kind::Mail, &asked).await;
            for (place, answer) in asked.iter().zip(answers) {
                questions += 1;
                match answer {
                    Ok(found) => {
                        let found = found.unwrap_or_else(|| panic!("{} is said to be gone", place.remote_id));
                        let base = |id: &RemoteId| id.as_str().rsplit('/').next().unwrap().to_owned();
                        assert_eq!(base(&found.remote_id), base(&place.remote_id));
                    }
                    Err(error) => {
                        assert_eq!(error.kind, ErrorKind::Unknown, "{error}");
                        unanswered += 1;
                    }
                }
            }
        }
    }
    drop(other);
    assert!(unanswered * 2 < questions, "{unanswered} of {questions} were not answered");
    // Once all is quiet, everything stands somewhere.
    for n in 0..MESSAGES {
        assert!(desk.fetch(INBOX, &format!("{n}.host")).await.unwrap().is_some());
    }
    assert_eq!(desk.fetch(INBOX, "nobody").await.unwrap(), None);
}

#[tokio::test]
async fn flags_that_two_programs_change_at_once_lose_nothing() {
    let mut desk = Desk::new().await;
    desk.is_alone = false;
    desk.put("cur/1.host:2,", &mail("one"));
    desk.agree(INBOX).await;
    let root = desk.path("cur");
    // The other program sets and takes away R, whatever else is there.
    let other = Other::start(move |_| {
        let Some(name) = std::fs::read_dir(&root).unwrap().next() else { return };
        let name = name.unwrap().file_name().into_string().unwrap();
        let (base, flags) = name.split_once(":2,").unwrap();
        let flags = if flags.contains('R') { flags.replace('R', "") } else { sorted(&format!("{flags}R")) };
        // Where we were faster its rename fails, and it tries again.
        let _ = std::fs::rename(root.join(&name), root.join(format!("{base}:2,{flags}")));
    });
    let (mut written, mut stale) = (0, 0);
    while written < 200 {
        desk.agree(INBOX).await;
        let Some(had) = desk.copies.get(&remote(INBOX, "1.host")).map(|_| desk.sheet(INBOX, "1.host").keywords) else {
            // Missed by a listing: nobody removed it.
            let seen = desk.fetch(INBOX, "1.host").await.unwrap().unwrap();
            desk.take(seen);
            continue;
        };
        let mut words: Vec<&str> = had.iter().map(String::as_str).filter(|word| *word != "$flagged").collect();
        if !had.contains("$flagged") {
            words.push("$flagged");
        }
        let operation = desk.flag(INBOX, "1.host", &words);
        match desk.write(operation).await {
            Ok(_) => written += 1,
            Err(error) => {
                assert!(matches!(error.kind, ErrorKind::StaleEtag | ErrorKind::NotFound), "{error}");
                stale += 1;
            }
        }
        assert!(stale < 20_000, "no write came through");
    }
    drop(other);
    let names = desk.names("");
    assert_eq!(names.len(), 1, "{names:?}");
    assert_eq!(std::fs::read_to_string(desk.path(names.first().unwrap())).unwrap(), mail("one"));
}

fn sorted(flags: &str) -> String {
    let mut flags: Vec<char> = flags.chars().collect();
    flags.sort_unstable();
    flags.into_iter().collect()
}

#[tokio::test]
async fn a_program_that_delivers_meanwhile_is_not_read_by_halves() {
    let mut desk = Desk::new().await;
    desk.is_alone = false;
    let root = desk.path("");
    let text = mail("whole");
    let delivered = text.clone();
    let count = Arc::new(AtomicUsize::new(0));
    let done = Arc::clone(&count);
    let other = Other::start(move |n| {
        use std::io::Write as _;
        let tmp = root.join(format!("tmp/{n}.host"));
        let mut file = std::fs::File::create(&tmp).unwrap();
        let (start, end) = delivered.split_at(20);
        file.write_all(start.as_bytes()).unwrap();
        file.write_all(end.as_bytes()).unwrap();
        std::fs::rename(tmp, root.join(format!("new/{n}.host"))).unwrap();
        done.store(n + 1, Ordering::Relaxed);
    });
    while count.load(Ordering::Relaxed) < 500 {
        desk.agree(INBOX).await;
    }
    drop(other);
    desk.agree(INBOX).await;
    assert_eq!(desk.copies.len(), count.load(Ordering::Relaxed));
    let whole = BlobId::of(text.as_bytes());
    for (_, rendering) in desk.copies.values() {
        assert_eq!(email::Sheet::read(rendering).unwrap().blob(), Some(whole.clone()));
    }
}
