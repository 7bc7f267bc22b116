//! What `[google.mail]` and `[microsoft365.mail]` leave out, through the built program.

use super::common::{BOTH, Home};
use super::{copies, deliver, gmail_labels, graph, mail, mails, only, settled, synced, text};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

/// Writes the configuration, with these lines about the provider's mail.
pub fn set(home: &Home, provider: &str, lines: &str) {
    let more = if lines.is_empty() { String::new() } else { format!("[{provider}.mail]\n{lines}\n") };
    fs::write(home.config(), home.configuration(&more)).unwrap();
}

/// The folder for junk: where it is on the laptop.
fn junk(home: &Home, provider: &str) -> PathBuf {
    let name = if provider == "google" { ".Spam" } else { ".Junk-E-Mail" };
    home.laptop().join(provider).join("mail").join(name)
}

fn junk_count(home: &Home, provider: &str) -> usize {
    let folder = junk(home, provider);
    mails(home, provider).iter().filter(|mail| mail.path.starts_with(&folder)).count()
}

#[test]
fn a_folder_that_is_left_out_from_the_first_run_is_not_made_and_comes_when_it_is_taken_up() {
    for provider in BOTH {
        let home = Home::with_mail(&[provider]);
        set(&home, provider, "exclude = [\"role:junk\"]");
        home.sync().expect(0);
        assert!(!junk(&home, provider).exists(), "{provider}");
        assert!(mails(&home, provider).len() < copies(&home, provider), "{provider}");
        home.run(&["status"]).expect(0).shows(&["left out:", "(0 items stay as they are)"]);
        settled(&home, provider);
        set(&home, provider, "");
        home.run(&["sync", "--dry-run"]).says(&["would be kept in step again"]);
        assert!(!junk(&home, provider).exists(), "{provider}");
        home.sync().expect(0);
        assert_eq!(home.writes(), 0, "{provider}");
        assert_eq!(mails(&home, provider).len(), copies(&home, provider), "{provider}");
        assert!(junk_count(&home, provider) > 0, "{provider}");
        settled(&home, provider);
    }
}

#[test]
fn what_is_deleted_on_the_laptop_in_a_folder_that_is_left_out_stays_at_its_provider() {
    for provider in BOTH {
        let home = synced(&[provider]);
        let (before, junk_before) = (copies(&home, provider), junk_count(&home, provider));
        set(&home, provider, "exclude = [\"role:junk\"]");
        home.run(&["sync", "--dry-run"]).says(&["would be left out, as the configuration says"]);
        home.sync().expect(0).says(&["is left out from now on"]);
        assert_eq!(junk_count(&home, provider), junk_before, "{provider}: the files stay");
        let folder = junk(&home, provider);
        let gone = mails(&home, provider).into_iter().find(|mail| mail.path.starts_with(&folder)).unwrap();
        fs::remove_file(&gone.path).unwrap();
        fs::write(folder.join("cur/1772442000.M9P9.desk:2,S"), text("Frozen")).unwrap();
        settled(&home, provider);
        assert_eq!(copies(&home, provider), before, "{provider}");
        assert_eq!(junk_count(&home, provider), junk_before, "{provider}: nothing is put back");
        set(&home, provider, "");
        home.sync().expect(0);
        assert_eq!(copies(&home, provider), before + 1, "{provider}: what was deleted is in the trash or archived");
        assert_eq!(mails(&home, provider).len(), copies(&home, provider), "{provider}");
        settled(&home, provider);
    }
}

#[test]
fn messages_that_are_too_old_or_too_large_are_frozen_and_fetched_when_the_limit_is_wider() {
    for provider in BOTH {
        for lines in ["since = \"2999-01-01\"", "max_size = \"1kB\""] {
            let home = Home::with_mail(&[provider]);
            set(&home, provider, lines);
            home.sync().expect(0);
            let few = mails(&home, provider).len();
            assert!(few < copies(&home, provider), "{provider}, {lines}");
            home.run(&["status"]).expect(0).shows(&["messages were not fetched"]);
            // One that is too old and too large for any of these.
            let path = home.laptop().join(provider).join("mail/cur/1772442000.M1P1.desk:2,S");
            fs::write(&path, [text("Kept here"), vec![b'x'; 3000]].concat()).unwrap();
            let received = UNIX_EPOCH + Duration::from_secs(1_772_442_000);
            fs::File::options().write(true).open(&path).unwrap().set_modified(received).unwrap();
            let before = copies(&home, provider);
            settled(&home, provider);
            assert_eq!(copies(&home, provider), before, "{provider}, {lines}: the file is not uploaded");
            home.run(&["status"]).expect(0).shows(&["laptop: 1 files were not uploaded"]);
            set(&home, provider, "");
            home.sync().expect(0).says(&["leave out less than before"]);
            assert_eq!(copies(&home, provider), before + 1, "{provider}, {lines}");
            assert_eq!(mails(&home, provider).len(), copies(&home, provider), "{provider}, {lines}");
            settled(&home, provider);
        }
    }
}

#[test]
fn a_message_that_is_held_is_frozen_by_a_narrower_limit() {
    for provider in BOTH {
        let home = synced(&[provider]);
        deliver(&home, provider, "Old");
        home.sync().expect(0);
        set(&home, provider, "since = \"2999-01-01\"");
        home.sync().expect(0).says(&["messages that are held are left out"]);
        fs::remove_file(only(mail(&home, provider, "Old"), provider).path).unwrap();
        let before = copies(&home, provider);
        settled(&home, provider);
        assert_eq!(copies(&home, provider), before, "{provider}");
        home.run(&["status"]).expect(0).shows(&["messages that are held stay as they are"]);
        set(&home, provider, "");
        home.sync().expect(0);
        let old = only(mail(&home, provider, "Old"), provider);
        assert!(!old.folder().is_empty(), "{provider}: it was archived, or is in the trash");
        settled(&home, provider);
    }
}

#[test]
fn only_what_is_named_is_mirrored_and_the_rest_comes_when_it_is_named_too() {
    for provider in BOTH {
        let home = Home::with_mail(&[provider]);
        set(&home, provider, "include = [\"INBOX\"]");
        home.sync().expect(0);
        let here = mails(&home, provider);
        let folders: Vec<String> = here.iter().map(super::Mail::folder).collect();
        let is_inbox = |folder: &String| folder.is_empty() || folder.contains("INBOX");
        assert!(!here.is_empty() && folders.iter().all(is_inbox), "{provider}: {folders:?}");
        assert!(here.len() < copies(&home, provider), "{provider}");
        settled(&home, provider);
        set(&home, provider, "");
        home.sync().expect(0);
        assert_eq!((home.writes(), mails(&home, provider).len()), (0, copies(&home, provider)), "{provider}");
        settled(&home, provider);
    }
}

#[test]
fn mail_from_before_a_day_stays_at_its_provider_and_what_came_later_is_mirrored() {
    for provider in BOTH {
        let home = synced(&[provider]);
        let inbox = home.laptop().join(provider).join("mail/cur");
        for (subject, day, seconds) in
            [("Earlier", "Fri, 27 Feb 2026", 1_772_182_800), ("Later", "Sun, 1 Mar 2026", 1_772_355_600)]
        {
            let path = inbox.join(format!("{seconds}.M1P1.desk:2,S"));
            let letter = String::from_utf8(text(subject)).unwrap().replace("Mon, 2 Mar 2026", day);
            fs::write(&path, letter).unwrap();
            let received = UNIX_EPOCH + Duration::from_secs(seconds);
            fs::File::options().write(true).open(&path).unwrap().set_modified(received).unwrap();
        }
        home.sync().expect(0);
        // Somebody begins anew, with a limit between the two.
        fs::remove_dir_all(home.laptop()).unwrap();
        fs::remove_dir_all(home.state()).unwrap();
        home.login(provider).expect(0);
        set(&home, provider, "since = \"2026-02-28\"");
        home.sandbox.reset_counts();
        home.sync();
        for hold in home.json(&["held"])["held"].as_array().unwrap() {
            assert!(hold["reason"].as_str().unwrap().contains("another twofold"), "{hold}");
            home.run(&["approve", hold["id"].as_str().unwrap()]).expect(0);
        }
        home.sync().expect(0);
        assert_eq!(mail(&home, provider, "Later").len(), 1, "{provider}");
        assert_eq!(mail(&home, provider, "Earlier").len(), 0, "{provider}");
        set(&home, provider, "");
        home.sync().expect(0);
        assert_eq!((home.writes(), mail(&home, provider, "Earlier").len()), (0, 1), "{provider}");
    }
}

#[test]
fn a_name_that_no_folder_has_is_said() {
    let home = Home::with_mail(&["google"]);
    set(&home, "google", "exclude = [\"Spma\"]");
    home.sync().expect(0).says(&["exclude in [google.mail] names \"Spma\", and there is no such folder or label"]);
}

#[test]
fn a_message_moved_to_a_folder_of_the_laptop_that_is_left_out_stays_at_its_provider() {
    for provider in BOTH {
        let home = Home::with_mail(&[provider]);
        set(&home, provider, "exclude = [\"role:junk\"]");
        home.sync().expect(0);
        deliver(&home, provider, "Put away");
        home.sync().expect(0);
        let before = copies(&home, provider);
        // A mail program makes the folder, which is mirrored nowhere, and moves the message there.
        let folder = junk(&home, provider);
        for part in ["cur", "new", "tmp"] {
            fs::create_dir_all(folder.join(part)).unwrap();
        }
        let here = only(mail(&home, provider, "Put away"), provider);
        let to = folder.join("cur").join(here.path.file_name().unwrap());
        fs::rename(&here.path, &to).unwrap();
        for _ in 0..2 {
            settled(&home, provider);
        }
        assert_eq!(copies(&home, provider), before, "{provider}");
        home.run(&["status"])
            .expect(0)
            .shows(&["laptop: Put away: it was moved there to a folder that is not kept in step"]);
        set(&home, provider, "");
        home.sync().expect(0);
        assert_eq!(copies(&home, provider), before, "{provider}: it moved there too");
        assert_eq!(only(mail(&home, provider, "Put away"), provider).path.parent(), to.parent(), "{provider}");
        assert_eq!(mails(&home, provider).len(), before, "{provider}");
        settled(&home, provider);
    }
}

/// What a message stands in at its account: labels without marks, or its folder.
fn stands_in(home: &Home, provider: &str, id: &str, subject: &str) -> String {
    match provider {
        "google" => {
            let mut labels = gmail_labels(home, id);
            labels.remove("UNREAD");
            labels.into_iter().collect::<Vec<_>>().join(" ")
        }
        _ => graph(home, subject)["folder"].to_string(),
    }
}

/// Moves a message into a folder as neomutt does: under another name, and with lines of its own where it writes it anew. Answers where it is.
fn save(home: &Home, provider: &str, subject: &str, folder: &Path, is_anew: bool) -> PathBuf {
    for part in ["cur", "new", "tmp"] {
        fs::create_dir_all(folder.join(part)).unwrap();
    }
    let here = only(mail(home, provider, subject), provider);
    let to = folder.join("cur").join(format!("1772442000.R{}.desk:2,S", subject.len()));
    let text = String::from_utf8(here.bytes).unwrap();
    let text = if is_anew { text.replacen("Subject:", "Status: RO\r\nLines: 1\r\nSubject:", 1) } else { text };
    fs::write(&to, text).unwrap();
    fs::remove_file(here.path).unwrap();
    to
}

#[test]
fn promise_4_a_message_moved_under_another_name_to_a_folder_that_is_left_out_is_not_deleted() {
    for (provider, is_mirrored, is_anew) in
        [("google", true, false), ("google", false, true), ("microsoft365", true, true), ("microsoft365", false, false)]
    {
        let what = format!("{provider}, mirrored before: {is_mirrored}, written anew: {is_anew}");
        let home = if is_mirrored { synced(&[provider]) } else { Home::with_mail(&[provider]) };
        set(&home, provider, "exclude = [\"role:junk\"]");
        home.sync().expect(0);
        let ids = ["Put away", "Then deleted", "Thrown away"].map(|subject| deliver(&home, provider, subject));
        home.sync().expect(0);
        let before = stands_in(&home, provider, &ids[0], "Put away");
        save(&home, provider, "Put away", &junk(&home, provider), is_anew);
        let then = save(&home, provider, "Then deleted", &junk(&home, provider), is_anew);
        fs::remove_file(only(mail(&home, provider, "Thrown away"), &what).path).unwrap();
        home.sync().expect(0);
        settled(&home, &what);
        for (id, subject) in [(&ids[0], "Put away"), (&ids[1], "Then deleted")] {
            assert_eq!(stands_in(&home, provider, id, subject), before, "{what}");
        }
        assert_ne!(stands_in(&home, provider, &ids[2], "Thrown away"), before, "{what}");
        let kept = "it was moved there to a folder that is not kept in step";
        home.run(&["status"])
            .expect(0)
            .shows(&[&format!("laptop: Put away: {kept}"), &format!("laptop: Then deleted: {kept}")]);
        // What is deleted there is deleted.
        fs::remove_file(then).unwrap();
        home.sync().expect(0);
        let gone = stands_in(&home, provider, &ids[2], "Thrown away");
        assert_eq!(stands_in(&home, provider, &ids[1], "Then deleted"), gone, "{what}");
        settled(&home, &what);
        set(&home, provider, "");
        home.sync().expect(0);
        let file = only(mail(&home, provider, "Put away"), &what);
        assert_eq!(file.path.parent().unwrap().parent(), Some(junk(&home, provider).as_path()), "{what}");
        let there = stands_in(&home, provider, &ids[0], "Put away");
        assert!(there == "SPAM" || there == "[\"Junk-E-Mail\"]", "{what}: {there}");
        assert_eq!(mails(&home, provider).len(), copies(&home, provider), "{what}");
        settled(&home, &what);
    }
}

/// A library that makes the clock of a program run ahead, or behind, by so many days. `None`: there is no compiler here.
fn other_clock(home: &Home, days: i64) -> Option<PathBuf> {
    let (source, library) = (home.dir.path().join("clock.c"), home.dir.path().join(format!("clock{days}.so")));
    let code = format!(
        "#include <time.h>\n#include <unistd.h>\n#include <sys/syscall.h>\n\
         int clock_gettime(clockid_t id, struct timespec *at) {{\n\
         \x20   int result = (int)syscall(SYS_clock_gettime, id, at);\n\
         \x20   if (id == CLOCK_REALTIME) at->tv_sec += {days}L * 86400L;\n    return result;\n}}\n"
    );
    fs::write(&source, code).unwrap();
    let made = std::process::Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source).status();
    made.is_ok_and(|status| status.success()).then_some(library)
}

/// A run under a clock that jumped.
fn sync_days_from_now(home: &Home, library: &PathBuf) -> super::common::Ran {
    let mut command = home.command(&["sync"]);
    command.env("LD_PRELOAD", library);
    home.talk(command, &["sync"]).end()
}

#[test]
fn a_clock_that_jumps_while_messages_are_frozen_deletes_and_sends_nothing() {
    for provider in BOTH {
        let home = synced(&[provider]);
        for subject in ["Old", "Other"] {
            deliver(&home, provider, subject);
        }
        home.sync().expect(0);
        let (Some(ahead), Some(behind)) = (other_clock(&home, 400), other_clock(&home, -400)) else {
            return println!("skipped: there is no C compiler here");
        };
        set(&home, provider, "since = \"2999-01-01\"");
        home.sync().expect(0).says(&["messages that are held are left out"]);
        // Deeds that nobody takes up now: one is removed here, and one is new here.
        fs::remove_file(only(mail(&home, provider, "Old"), provider).path).unwrap();
        let path = home.laptop().join(provider).join("mail/cur/1772442000.M1P1.desk:2,S");
        fs::write(&path, text("Kept here")).unwrap();
        let received = UNIX_EPOCH + Duration::from_secs(1_772_442_000);
        fs::File::options().write(true).open(&path).unwrap().set_modified(received).unwrap();
        let (held, files) = (copies(&home, provider), mails(&home, provider).len());
        home.sandbox.reset_counts();
        for jump in [Some(&ahead), None, Some(&behind), None, Some(&ahead), Some(&behind), None] {
            match jump {
                Some(library) => sync_days_from_now(&home, library).expect(0),
                None => home.sync().expect(0),
            };
            assert_eq!((home.writes(), copies(&home, provider)), (0, held), "{provider}, {jump:?}");
            assert_eq!(mails(&home, provider).len(), files, "{provider}, {jump:?}");
        }
        set(&home, provider, "");
        home.sync().expect(0);
        assert_eq!(copies(&home, provider), held + 1, "{provider}: what is new here is there");
        assert!(
            !only(mail(&home, provider, "Old"), provider).folder().is_empty(),
            "{provider}: archived, or in the trash"
        );
        assert!(only(mail(&home, provider, "Other"), provider).folder().is_empty(), "{provider}: as it was");
        assert_eq!(mails(&home, provider).len(), copies(&home, provider), "{provider}");
        settled(&home, provider);
    }
}
