//! `[disk] keep_free`: no disk is filled to its last byte.

use crate::common::disk::{Small, fill};
use crate::common::{BOTH, GOOGLE, Home, MICROSOFT, files};
use rustix::process::Signal;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

/// More than any disk has.
const ALL: &str = "\n[disk]\nkeep_free = \"9000000GB\"\n";

fn configure(home: &Home, more: &str) {
    fs::write(home.config(), home.configuration(more)).unwrap();
}

#[test]
fn below_the_floor_nothing_is_read_or_written_and_one_line_says_so() {
    let home = Home::synced(&BOTH);
    home.sandbox.google_create(&serde_json::json!({"names": [{"givenName": "Ada", "familyName": "Waiting"}]})).unwrap();
    let (state, laptop) = (files(&home.state()), files(&home.laptop()));
    configure(&home, ALL);
    let ran = home.sync().expect(75).says(&["less than", "nothing more is read or written", "twofold sync"]);
    assert_eq!(ran.err.lines().count(), 1, "{ran}");
    assert_eq!(home.requests(), 0);
    assert!(files(&home.state()) == state && files(&home.laptop()) == laptop);
    home.run(&["doctor"]).expect(75).shows(&["fail  disk"]);
    // What writes nothing goes on.
    home.run(&["sync", "--dry-run"]).expect(0);
    home.run(&["status"]);
    configure(&home, "");
    home.sync().expect(0);
    home.card("Waiting");
}

#[test]
fn the_service_says_it_once_and_goes_on_when_there_is_room() {
    let home = Home::synced(&BOTH);
    let Some(disk) = Small::at(home.dir.path().join("small"), "64m") else { return };
    // The state is on the small disk.
    let state = disk.0.join("state");
    let text = home.configuration("\n[disk]\nkeep_free = \"20MB\"\n\n[schedule]\nevery = \"1s\"\n");
    let copied = Command::new("cp").arg("-a").arg(home.state()).arg(&state).status().unwrap();
    assert!(copied.success());
    fs::write(home.config(), text.replace(&format!("{:?}", home.state()), &format!("{state:?}"))).unwrap();
    let ballast = fill(&disk.0, 10_000_000);
    home.sandbox.google_create(&serde_json::json!({"names": [{"givenName": "Ada", "familyName": "Waiting"}]})).unwrap();
    let args = ["-v", "daemon"];
    let mut command = home.command(&args);
    let log = home.dir.path().join("log");
    command.stderr(fs::File::create(&log).unwrap());
    let mut child = command.spawn().unwrap();
    let said = |words: &str| fs::read_to_string(&log).unwrap().matches(words).count();
    let soon = |what: &str, holds: &dyn Fn() -> bool| {
        let began = Instant::now();
        while !holds() {
            assert!(began.elapsed() < Duration::from_secs(60), "{what}: {}", fs::read_to_string(&log).unwrap());
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    soon("a line", &|| said("less than 20 MB") > 0);
    // Some looks more say nothing more, and ask nobody.
    let looks = || home.json(&["status"])["service"]["runs"].as_u64().unwrap();
    let before = looks();
    soon("some looks more", &|| looks() >= before + 3);
    assert_eq!((said("less than 20 MB"), home.requests()), (1, 0));
    fs::remove_file(ballast).unwrap();
    soon("the card", &|| files(&home.laptop()).values().any(|b| String::from_utf8_lossy(b).contains("Waiting")));
    soon("the end of it", &|| said("over: disk") == 1);
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_service_that_begins_on_a_full_disk_waits_and_status_says_why() {
    let home = Home::new(twofold_sandbox::Options::demo(), &GOOGLE);
    let Some(disk) = Small::at(home.state(), "32m") else { return };
    home.login("google").expect(0);
    home.sync().expect(0);
    let ballast = fill(&disk.0, 0);
    // To the last byte: a whole page is more than is left.
    let mut file = fs::OpenOptions::new().append(true).open(&ballast).unwrap();
    while std::io::Write::write(&mut file, &[1]).is_ok_and(|written| written > 0) {}
    drop(file);
    let full = "trouble: the disk of the state folder is nearly full";
    home.run(&["status"]).expect(75).shows(&[full]);
    let ran = home.run(&["sync", "--dry-run"]).expect(75);
    let of = format!("the disk of {} is full", home.state().display());
    let ran = ran.says(&[&of, "nothing was done. Free some space, then: twofold sync --dry-run"]);
    assert!(ran.out.is_empty() && ran.err.lines().count() == 1, "{ran}");
    let args = ["-v", "daemon"];
    let mut talk = home.talk(home.command(&args), &args);
    let until = Instant::now() + Duration::from_secs(20);
    while !home.run(&["status"]).expect(75).shows(&[full]).out.contains("the service is at rest") {
        assert!(Instant::now() < until && !talk.is_over(), "it waits");
    }
    let troubles = home.json(&["status"])["troubles"].as_array().unwrap().len();
    assert_eq!(troubles, 1, "it is told once");
    fs::remove_file(ballast).unwrap();
    home.sync().expect(0);
    home.run(&["status"]).expect(0);
    talk.signal(Signal::TERM);
    talk.end().expect(0);
}

#[test]
fn a_first_sync_that_meets_the_floor_stops_between_two_parts_and_goes_on_later() {
    let home = Home::new(twofold_sandbox::Options::empty().mails(1200), &MICROSOFT);
    let Some(disk) = Small::at(home.dir.path().join("small"), "64m") else { return };
    let state = disk.0.join("state");
    let text = home.configuration("\n[disk]\nkeep_free = \"8MB\"\n").replace("contacts", "mail");
    fs::write(home.config(), text.replace(&format!("{:?}", home.state()), &format!("{state:?}"))).unwrap();
    home.login("microsoft365").expect(0);
    let store = state.join("blobs");
    let blobs = || twofold_blobs::Store::look(&store).map_or(0, |blobs| blobs.hashes().count());
    let free = || rustix::fs::statvfs(&disk.0).map(|stat| stat.f_bavail * stat.f_frsize).unwrap();
    // Each run finds a little more room than the one before, and takes a little more.
    let mut parts = Vec::new();
    for room in (9..60).map(|room| room * 1_000_000) {
        let _ = fs::remove_file(disk.0.join("ballast"));
        fill(&disk.0, room);
        let ran = home.sync();
        if ran.code == Some(0) {
            break;
        }
        ran.expect(75).says(&["less than 8.0 MB"]);
        assert!(free() > 4_000_000, "{} bytes are left", free());
        parts.push(blobs());
    }
    assert!(parts.iter().any(|count| *count > 0 && *count < 1200), "{parts:?}");
    assert_eq!(blobs(), 1200);
    let is_mail =
        |path: &&PathBuf| path.components().any(|part| part.as_os_str() == "cur" || part.as_os_str() == "new");
    assert_eq!(files(&home.laptop()).keys().filter(is_mail).count(), 1200);
    home.sandbox.reset_counts();
    home.sync().expect(0);
    assert_eq!(home.writes(), 0);
}

#[test]
fn a_backup_leaves_the_floor_of_a_disk_that_twofold_keeps_things_on_and_says_what_it_did_not_do() {
    let home = Home::with_mail(&BOTH);
    home.sync().expect(0);
    let Some(disk) = Small::at(home.dir.path().join("small"), "64m") else { return };
    let state = disk.0.join("state");
    assert!(Command::new("cp").arg("-a").arg(home.state()).arg(&state).status().unwrap().success());
    let text = home.configuration("\n[disk]\nkeep_free = \"6MB\"\n");
    fs::write(home.config(), text.replace(&format!("{:?}", home.state()), &format!("{state:?}"))).unwrap();
    let there = disk.0.join("hub.backup");
    let file = there.to_str().unwrap();
    home.run(&["backup", file]).expect(0);
    let size = fs::metadata(&there).unwrap().len();
    let first = fs::read(&there).unwrap();
    let ballast = disk.0.join("ballast");
    // With the copy of the hub beside it, it takes more room than its own size.
    for room in [0, size / 2, size] {
        let _ = fs::remove_file(&ballast);
        fill(&disk.0, 6_000_000 + room);
        let ran = home.run(&["backup", "--force", file]).expect(75);
        ran.says(&["6.0 MB are to stay free", "no backup was made", "another disk", "twofold backup"]);
        assert!(fs::read(&there).unwrap() == first, "the one before was touched");
        assert_eq!(fs::read_dir(&disk.0).unwrap().count(), 3, "something is left of it");
    }
    // On another disk it goes, and with room here.
    home.run(&["backup", home.dir.path().join("elsewhere").to_str().unwrap()]).expect(0);
    fs::remove_file(&ballast).unwrap();
    fill(&disk.0, 6_000_000 + size * 3);
    home.run(&["backup", "--force", file]).expect(0);
    assert!(disk.free() >= 6_000_000);
}

#[test]
fn a_backup_is_not_put_back_where_that_would_take_the_floor_of_the_disk_and_nothing_is_touched() {
    let home = Home::with_mail(&BOTH);
    home.sync().expect(0);
    let there = home.dir.path().join("hub.backup");
    let file = there.to_str().unwrap();
    home.run(&["backup", file]).expect(0);
    let Some(disk) = Small::at(home.dir.path().join("small"), "64m") else { return };
    let state = disk.0.join("state");
    let text = home.configuration("\n[disk]\nkeep_free = \"6MB\"\n");
    fs::write(home.config(), text.replace(&format!("{:?}", home.state()), &format!("{state:?}"))).unwrap();
    let size = fs::metadata(&there).unwrap().len();
    for room in [0, size / 8] {
        let ballast = fill(&disk.0, 6_000_000 + room);
        home.run(&["backup", "--restore", file]).expect(75).says(&[
            "6.0 MB are to stay free",
            "nothing was put back. Free some space, then type: twofold backup --restore ",
        ]);
        assert!(["hub.sqlite", "blobs", "restoring"].iter().all(|name| !state.join(name).exists()), "{state:?}");
        fs::remove_file(ballast).unwrap();
    }
    let ballast = fill(&disk.0, 6_000_000 + size);
    home.run(&["backup", "--restore", file]).expect(0);
    assert!(disk.free() >= 6_000_000, "{}", disk.free());
    // What is there already takes nothing, but the hub once more.
    fs::remove_file(ballast).unwrap();
    let hub = fs::metadata(state.join("hub.sqlite")).unwrap().len();
    fill(&disk.0, 6_000_000 + hub * 2);
    home.run(&["backup", "--restore", "--force", file]).expect(0);
    assert!(disk.free() >= 6_000_000, "{}", disk.free());
}

#[test]
fn a_backup_that_has_no_room_on_a_disk_of_its_own_is_told_before_that_is_full() {
    let home = Home::with_mail(&BOTH);
    home.sync().expect(0);
    fs::write(home.config(), home.configuration("\n[disk]\nkeep_free = \"6MB\"\n")).unwrap();
    let Some(disk) = Small::at(home.dir.path().join("small"), "64m") else { return };
    let there = disk.0.join("hub.backup");
    let file = there.to_str().unwrap();
    home.run(&["backup", file]).expect(0);
    let size = fs::metadata(&there).unwrap().len();
    fs::remove_file(&there).unwrap();
    for room in [0, size / 2, size] {
        let ballast = fill(&disk.0, room);
        home.run(&["backup", file]).expect(75).says(&["no backup was made", "another disk"]);
        assert_eq!(fs::read_dir(&disk.0).unwrap().count(), 1, "something is left of it");
        fs::remove_file(ballast).unwrap();
    }
    // What is kept free where twofold works is none of this disk's.
    fill(&disk.0, size * 3);
    home.run(&["backup", file]).expect(0);
}

#[test]
fn a_state_folder_that_cannot_be_written_is_said_at_once_by_every_command_with_the_way_out() {
    let home = Home::synced(&GOOGLE);
    let Some(_disk) = Small::at(home.state(), "1m") else { return };
    let read_only = Command::new("mount").args(["-o", "remount,ro"]).arg(home.state()).status().unwrap();
    assert!(read_only.success());
    for args in [
        &["daemon"][..],
        &["sync"],
        &["login", "google", "--no-browser"],
        &["logout", "google"],
        &["forget", "google", "--yes"],
        &["approve", "drop-1"],
        &["held"],
        &["status"],
        &["doctor"],
    ] {
        let ran = home.run(args).expect(2);
        let all = ran.out.clone() + &ran.err;
        for words in ["cannot be written", "nothing was read or changed", "twofold systemd-dropin"] {
            assert!(all.contains(words), "{args:?}: {ran}");
        }
    }
}

#[test]
fn no_state_folder_is_made_in_the_memory_that_a_sandbox_shows_for_a_home() {
    let home = Home::synced(&GOOGLE);
    // As `ProtectHome=tmpfs` of a unit has it, in a namespace of its own.
    let hides = "mount -t tmpfs tmpfs /home && \"$@\"; code=$?; ls -A /home; exit $code";
    let hidden = |args: &[&str]| {
        let command = home.command(args);
        let mut hidden = Command::new("unshare");
        hidden.args(["--mount", "sh", "-c", hides, "sh"]).arg(command.get_program()).args(command.get_args());
        hidden.current_dir(home.dir.path()).env_clear();
        hidden.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        hidden.env("PATH", std::env::var_os("PATH").unwrap_or_default()).output().unwrap()
    };
    if !Command::new("unshare").args(["--mount", "true"]).status().is_ok_and(|status| status.success()) {
        let is_required = std::env::var("TWOFOLD_REQUIRE_MOUNT").is_ok_and(|value| value == "1");
        assert!(!is_required, "a namespace is required, and cannot be had");
        println!("left out: no namespace of its own");
        return;
    }
    let text = home.configuration("");
    let state = "\"/home/ada/hub\"";
    fs::write(home.config(), text.replace(&format!("{:?}", home.state()), state)).unwrap();
    for args in [&["daemon"][..], &["sync"], &["login", "google", "--no-browser"], &["status"], &["doctor"]] {
        let output = hidden(args);
        let all = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {all}");
        for words in ["/home/ada/hub would be in memory only", "nothing was read or changed", "twofold systemd-dropin"]
        {
            assert!(all.contains(words), "{args:?}: {all}");
        }
        assert!(!all.lines().any(|line| line == "ada"), "nothing is made there: {all}");
    }
}
