//! A disk that fills amid large messages, and a run that is killed over one: what is told, that nothing half stands anywhere, and that the
//! next run completes it.

use super::bench::{asked, doubled, film};
use super::{copies, mails, settled};
use crate::common::disk::Small;
use crate::common::{BOTH, Home, Ran, files};
use rustix::process::Signal;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// So many large messages…
const FILMS: usize = 3;
/// …of so many megabytes, which are more than an answer may have in memory.
const EACH: usize = 9;
/// No other message has so many bytes.
const LARGE: usize = 5_000_000;
/// No floor stops a run before the disk is full.
const TO_THE_END: &str = "\n[disk]\nkeep_free = \"1KB\"\n";

fn films() -> &'static [Vec<u8>] {
    static FILMS_MADE: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    FILMS_MADE.get_or_init(|| (0..FILMS as u32).map(|n| film(n, EACH)).collect())
}

/// The demo's mailbox and some large messages, nothing synced yet.
fn with_films(provider: &'static str, count: usize) -> Home {
    let home = Home::with_mail(&[provider]);
    for film in &films()[..count] {
        match provider {
            "google" => drop(home.sandbox.google_add_mail(film, &["INBOX"])),
            _ => drop(home.sandbox.graph_mail_deliver("inbox", film).unwrap()),
        }
    }
    home.sandbox.reset_counts();
    home
}

/// Puts the state folder on a small disk.
fn with_small_state(home: &Home, size: &str) -> Option<Small> {
    let disk = Small::at(home.dir.path().join("small"), size)?;
    let state = disk.0.join("state");
    assert!(Command::new("cp").arg("-a").arg(home.state()).arg(&state).status().unwrap().success());
    let text = home.configuration(TO_THE_END).replace(&format!("{:?}", home.state()), &format!("{state:?}"));
    fs::write(home.config(), text).unwrap();
    Some(disk)
}

/// How many of the large messages are on the laptop, each of them whole.
#[track_caller]
fn films_of(home: &Home, provider: &str) -> usize {
    if !home.laptop().join(provider).join("mail").exists() {
        return 0;
    }
    let there: Vec<Vec<u8>> = mails(home, provider).into_iter().map(|mail| mail.bytes).collect();
    let begins = |mail: &[u8]| String::from_utf8_lossy(&mail[..mail.len().min(2_000)]).contains("Subject: Film ");
    let found: Vec<String> = there.iter().filter(|mail| begins(mail)).map(|mail| letters(mail)).collect();
    // Exchange writes what stands around a file in its own way.
    let payload = |film: &Vec<u8>| letters(film).rsplit("base64").next().unwrap().trim_end_matches("--m--").to_owned();
    let payloads: Vec<String> = films().iter().map(payload).collect();
    let is_whole = |text: &String| payloads.iter().any(|payload| text.contains(payload.as_str()));
    let half: Vec<usize> = found.iter().filter(|text| !is_whole(text)).map(String::len).collect();
    assert!(half.is_empty(), "{provider}: half a message: {half:?}");
    found.len()
}

/// A message without its line breaks.
fn letters(mail: &[u8]) -> String {
    String::from_utf8_lossy(mail).replace(['\r', '\n'], "")
}

/// What is left of files that were not finished, below a folder.
fn half_made(folder: &Path) -> Vec<PathBuf> {
    let is_half = |path: &Path| path.iter().any(|part| part == "tmp" || part.to_string_lossy().starts_with(".tmp"));
    files(folder).into_keys().filter(|path| is_half(path)).collect()
}

/// The disk was full: it is said so once, in these words, with the way out.
#[track_caller]
fn told(ran: &Ran, code: i32, words: &str) {
    let full: Vec<&str> = ran.err.lines().filter(|line| line.contains(words)).collect();
    assert_eq!((ran.code, full.len()), (Some(code), 1), "{ran}");
    assert!(full[0].ends_with("Free some space, then: twofold sync"), "{ran}");
}

/// How often the bytes of each of the large messages were asked for.
fn asked_of_films(home: &Home, provider: &str) -> Vec<usize> {
    let all = match provider {
        "google" => home.sandbox.google_messages(),
        _ => home.sandbox.graph_mail_messages(),
    };
    let ids = all.iter().map(|message| message["id"].as_str().unwrap());
    let is_large = |id: &&str| match provider {
        "google" => home.sandbox.google_message_raw(id).unwrap().len() > LARGE,
        _ => home.sandbox.graph_mail_raw(id).unwrap().len() > LARGE,
    };
    let asked = asked(home);
    ids.filter(is_large).map(|id| asked.iter().filter(|(asked, _)| asked == id).count()).collect()
}

/// The next runs complete what a full disk left.
fn completed(home: &Home, provider: &str) {
    home.sync().expect(0);
    assert_eq!((home.writes(), films_of(home, provider)), (0, FILMS), "{provider}");
    assert_eq!(mails(home, provider).len(), copies(home, provider), "{provider}");
    settled(home, provider);
}

#[test]
fn promise_12_a_first_sync_of_large_messages_that_fills_the_disk_of_the_state_goes_on_once_there_is_room() {
    for provider in BOTH {
        let home = with_films(provider, FILMS);
        let Some(disk) = with_small_state(&home, "24m") else { return };
        // What has room comes though not all has; then nothing more does.
        let full = "No space left";
        for _ in 0..2 {
            told(&home.sync(), 1, full);
            assert_eq!(half_made(&disk.0), Vec::<PathBuf>::new(), "{provider}");
            assert_eq!(half_made(&home.laptop()), Vec::<PathBuf>::new(), "{provider}");
        }
        let there = films_of(&home, provider);
        assert!((1..FILMS).contains(&there), "{provider}: {there}");
        home.sandbox.reset_counts();
        told(&home.sync(), 1, full);
        assert_eq!(films_of(&home, provider), there, "{provider}");
        // At Gmail among others, which is too much at once, and then alone.
        let most = if provider == "google" { 2 } else { 1 };
        let asked = asked_of_films(&home, provider);
        assert!(asked.iter().all(|times| *times <= most), "{provider}: {asked:?}");
        disk.resize("400m");
        home.sandbox.reset_counts();
        completed(&home, provider);
        assert_eq!(doubled(&home), Vec::<String>::new(), "{provider}");
    }
}

#[test]
fn promise_12_a_first_sync_of_large_messages_that_fills_the_disk_of_a_device_goes_on_once_there_is_room() {
    for provider in BOTH {
        let home = with_films(provider, FILMS);
        let Some(disk) = Small::at(home.laptop(), "24m") else { return };
        fs::write(home.config(), home.configuration(TO_THE_END)).unwrap();
        told(&home.sync(), 75, "disk full");
        let there = films_of(&home, provider);
        assert!((1..FILMS).contains(&there), "{provider}: {there}");
        assert_eq!(half_made(&home.laptop()), Vec::<PathBuf>::new(), "{provider}");
        disk.resize("400m");
        completed(&home, provider);
        assert_eq!(doubled(&home), Vec::<String>::new(), "{provider}: what is here is not asked for again");
    }
}

/// The mode of a file without a name that the process has open below a folder.
fn nameless(pid: u32, folder: &Path) -> Option<u32> {
    let open = fs::read_dir(format!("/proc/{pid}/fd")).ok()?.flatten();
    let is_it = |target: &Path| target.starts_with(folder) && target.to_string_lossy().ends_with(" (deleted)");
    let is_at = |path: &Path| fs::read_link(path).is_ok_and(|target| is_it(&target));
    // What a number stands for may change between two looks: it counts where it is the same after.
    open.map(|entry| entry.path()).filter(|path| is_at(path)).find_map(|path| {
        let mode = fs::metadata(&path).ok()?.permissions().mode() & 0o7777;
        is_at(&path).then_some(mode)
    })
}

/// A run that is killed while it has a file without a name: the mode of that, and what the state folder held before. `None`: nobody saw it in time.
fn killed_over_a_large_answer(home: &Home) -> Option<(u32, BTreeSet<PathBuf>)> {
    let before: BTreeSet<PathBuf> = files(&home.state()).into_keys().collect();
    let mut command = home.command(&["sync"]);
    let mut run = command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();
    let since = Instant::now();
    let mode = loop {
        if let Some(mode) = nameless(run.id(), &home.state()) {
            break mode;
        }
        assert!(since.elapsed() < Duration::from_secs(60));
        if run.try_wait().unwrap().is_some() {
            return None;
        }
    };
    rustix::process::kill_process(rustix::process::Pid::from_child(&run), Signal::KILL).unwrap();
    let was_killed = run.wait().unwrap().code().is_none();
    was_killed.then_some((mode, before))
}

#[test]
fn promise_12_a_run_that_is_killed_over_a_large_answer_leaves_nothing_of_it_and_the_next_one_completes() {
    for provider in BOTH {
        // On a busy machine the moment may pass unseen: then it is another run's turn.
        let met = (0..10).find_map(|_| {
            let home = with_films(provider, 1);
            killed_over_a_large_answer(&home).map(|(mode, before)| (home, mode, before))
        });
        let (home, mode, before) = met.unwrap_or_else(|| panic!("{provider}: no run was met over a large answer"));
        assert_eq!(mode, 0o600, "{provider}: nobody else reads it");
        let left: Vec<PathBuf> =
            files(&home.state()).into_iter().filter(|(path, _)| !before.contains(path)).map(|(path, _)| path).collect();
        let is_known = |path: &PathBuf| {
            path.starts_with("blobs") || path.to_string_lossy().starts_with("hub.sqlite") || path.ends_with("lock")
        };
        assert!(left.iter().all(is_known), "{provider}: {left:?}");
        home.sync().expect(0);
        assert_eq!((home.writes(), films_of(&home, provider)), (0, 1), "{provider}");
        assert_eq!(half_made(&home.state()), Vec::<PathBuf>::new(), "{provider}");
        assert_eq!(mails(&home, provider).len(), copies(&home, provider), "{provider}");
        settled(&home, provider);
    }
}
