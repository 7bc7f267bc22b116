//! Trees of other tools through the built program: they are taken over, nothing of them is downloaded again, and no provider is written to.
//!
//! The trees are made here, of what the sandbox holds, as mbsync, OfflineIMAP, lieer and vdirsyncer lay them out.

mod common;

use common::{BOTH, GOOGLE, Home, MICROSOFT, Ran};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// A message as its provider holds it.
struct Held {
    id: String,
    /// The paths of its mailboxes, as IMAP calls them.
    at: Vec<Vec<String>>,
    flags: String,
    bytes: Vec<u8>,
    is_draft: bool,
}

impl Held {
    /// With the line ends of a Unix tool.
    fn plain(&self) -> Vec<u8> {
        let mut plain = Vec::new();
        for (at, byte) in self.bytes.iter().enumerate() {
            if *byte != b'\r' || self.bytes.get(at + 1) != Some(&b'\n') {
                plain.push(*byte);
            }
        }
        plain
    }

    fn message_id(&self) -> Option<String> {
        let text = String::from_utf8_lossy(&self.bytes).into_owned();
        let head = text.split("\r\n\r\n").next()?.to_owned();
        let line = head.lines().find(|line| line.to_lowercase().starts_with("message-id:"))?.to_owned();
        Some(line["message-id:".len()..].trim().to_owned())
    }
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn gmail(home: &Home) -> Vec<Held> {
    let names: BTreeMap<String, String> = home
        .sandbox
        .google_labels()
        .into_iter()
        .filter(|label| label["type"] == "user")
        .map(|label| (label["id"].as_str().unwrap().to_owned(), label["name"].as_str().unwrap().to_owned()))
        .collect();
    let held = |message: Value| {
        let labels: BTreeSet<String> = texts(&message["labelIds"]).into_iter().collect();
        let own = |name: &str| vec!["[Gmail]".to_owned(), name.to_owned()];
        let has = |label: &str| labels.contains(label);
        let at = match (has("TRASH"), has("SPAM")) {
            (true, _) => vec![own("Trash")],
            (_, true) => vec![own("Spam")],
            _ => {
                let mut at = vec![own("All Mail")];
                at.extend(has("INBOX").then(|| vec!["INBOX".to_owned()]));
                at.extend(has("SENT").then(|| own("Sent Mail")));
                at.extend(has("STARRED").then(|| own("Starred")));
                at.extend(
                    labels
                        .iter()
                        .filter_map(|label| names.get(label))
                        .map(|name| name.split('/').map(str::to_owned).collect()),
                );
                at
            }
        };
        let id = message["id"].as_str().unwrap().to_owned();
        let flags = [(has("STARRED"), "F"), (!has("UNREAD"), "S")];
        let flags = flags.iter().filter(|(is, _)| *is).map(|(_, flag)| *flag).collect();
        let bytes = home.sandbox.google_message_raw(&id).unwrap().to_vec();
        (!has("CHAT")).then(|| Held { id, at, flags, bytes, is_draft: has("DRAFT") })
    };
    home.sandbox.google_messages().into_iter().filter_map(held).collect()
}

fn graph(home: &Home) -> Vec<Held> {
    let folders = home.sandbox.graph_mail_folders();
    let inbox = folders.iter().find(|folder| folder["wellKnown"] == "inbox");
    let held = |message: Value| {
        let folder = folders.iter().find(|folder| folder["path"] == message["folder"])?;
        if folder["hidden"] == true || folder["wellKnown"] == "outbox" {
            return None;
        }
        // Over IMAP the inbox is called so in every language.
        let mut path = texts(&message["folder"]);
        if inbox.is_some_and(|inbox| texts(&inbox["path"])[0] == path[0]) {
            "INBOX".clone_into(&mut path[0]);
        }
        let id = message["id"].as_str().unwrap().to_owned();
        let flags = [(message["flag"]["flagStatus"] == "flagged", "F"), (message["isRead"] == true, "S")];
        let flags = flags.iter().filter(|(is, _)| *is).map(|(_, flag)| *flag).collect();
        let bytes = home.sandbox.graph_mail_raw(&id).unwrap().to_vec();
        Some(Held { id, at: vec![path], flags, bytes, is_draft: message["isDraft"] == true })
    };
    home.sandbox.graph_mail_messages().into_iter().filter_map(held).collect()
}

fn held(home: &Home, provider: &str) -> Vec<Held> {
    if provider == "google" { gmail(home) } else { graph(home) }
}

/// Those that their Message-ID tells from all others, and that nobody goes on writing: the rest is read as if it were nowhere.
fn named(messages: Vec<Held>) -> Vec<Held> {
    let ids: Vec<Option<String>> = messages.iter().map(Held::message_id).collect();
    let is_named = |one: &Held| {
        let id = one.message_id();
        let is_alone = ids.iter().filter(|other| **other == id).count() == 1;
        // Nor does IMAP know a folder with a slash in its name.
        let has_folder = !one.at.iter().flatten().any(|name| name.contains('/'));
        id.is_some() && is_alone && has_folder && !one.is_draft && std::str::from_utf8(&one.bytes).is_ok()
    };
    messages.into_iter().filter(is_named).collect()
}

fn make_maildir(folder: &Path) {
    for part in ["cur", "new", "tmp"] {
        fs::create_dir_all(folder.join(part)).unwrap();
    }
}

/// A file as a tool writes it: readable by its owner only.
fn write(path: &Path, bytes: &[u8]) {
    use std::os::unix::fs::PermissionsExt;
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// The tree of mbsync (`SubFolders Verbatim`): each copy is a file of its own, with a line that mbsync added.
fn mbsync(messages: &[Held], root: &Path) {
    let mut number = 0;
    for message in messages.iter().filter(|message| !message.is_draft) {
        for path in &message.at {
            number += 1;
            let folder = path.iter().fold(root.to_owned(), |folder, name| folder.join(name));
            make_maildir(&folder);
            write(&folder.join(".uidvalidity"), b"1\n9\n");
            let bytes = [format!("X-TUID: tuid{number:08}\n").into_bytes(), message.plain()].concat();
            write(
                &folder.join("cur").join(format!("17000000{number:02}.2_1.desk,U={number}:2,{}", message.flags)),
                &bytes,
            );
        }
    }
}

/// The tree of OfflineIMAP, folders in each other.
fn offlineimap(messages: &[Held], root: &Path) {
    for (number, message) in messages.iter().filter(|message| !message.is_draft).enumerate() {
        for path in &message.at {
            let folder = path.iter().fold(root.to_owned(), |folder, name| folder.join(name));
            make_maildir(&folder);
            let hash = "7e33429f656f1e6e9d79b29c3f82c57e";
            let name = format!("17000000{number:02}_0.4.desk,U={number},FMD5={hash}:2,{}", message.flags);
            write(&folder.join("cur").join(name), &message.plain());
        }
    }
}

/// The tree of lieer.
fn lieer(messages: &[Held], root: &Path, account: &str) {
    make_maildir(&root.join("mail"));
    for message in messages {
        write(&root.join("mail/cur").join(format!("{}:2,S", message.id)), &message.plain());
    }
    write(&root.join(".gmailieer.json"), json!({"account": account, "last_historyId": 1}).to_string().as_bytes());
}

/// The messages whose bytes the providers were asked for.
fn bodies(home: &Home) -> Vec<String> {
    let mut asked = Vec::new();
    for line in home.sandbox.log() {
        let is_raw = line.query.iter().any(|(name, value)| name == "format" && value == "raw");
        let path = line.info.path.as_str();
        let message = if is_raw { Some(path) } else { path.strip_suffix("/$value") };
        asked.extend(message.and_then(|path| path.rsplit('/').next()).map(str::to_owned));
    }
    asked
}

/// What a device must show: folder of the Maildir, flags, bytes without what tools change.
fn shown(home: &Home, provider: &str) -> Vec<(String, String)> {
    let root = home.laptop().join(provider).join("mail");
    let mut all = Vec::new();
    for (path, bytes) in common::files(&root) {
        let parts: Vec<String> = path.iter().map(|part| part.to_string_lossy().into_owned()).collect();
        let (folder, place) = match parts.as_slice() {
            [place, _] => (String::new(), place.as_str()),
            [folder, place, _] => (folder.clone(), place.as_str()),
            _ => continue,
        };
        if matches!(place, "cur" | "new") {
            let text = String::from_utf8_lossy(&bytes).replace("\r\n", "\n");
            let plain: String = text.split_inclusive('\n').filter(|line| !line.starts_with("X-TUID:")).collect();
            all.push((folder, plain));
        }
    }
    all.sort();
    all
}

/// The inode of each message of a Maildir tree.
fn inodes(root: &Path) -> BTreeSet<u64> {
    let is_message =
        |path: &&PathBuf| path.parent().is_some_and(|place| place.ends_with("cur") || place.ends_with("new"));
    common::files(root).keys().filter(is_message).map(|path| fs::metadata(root.join(path)).unwrap().ino()).collect()
}

fn adopt(home: &Home, tree: &Path, goal: &str) -> Ran {
    home.run(&["adopt", tree.to_str().unwrap(), "--as", goal])
}

/// A further run, and a further take-over, change nothing.
fn settled(home: &Home, tree: &Path, goal: &str) {
    home.sandbox.reset_counts();
    let names = |home: &Home| -> BTreeSet<PathBuf> {
        common::files(&home.laptop()).into_keys().filter(|path| !path.ends_with(".twofold")).collect()
    };
    let before = names(home);
    adopt(home, tree, goal).expect(0);
    assert_eq!(names(home), before, "{goal}: taken over once more");
    home.sync().expect(0);
    assert_eq!((home.writes(), names(home)), (0, before), "{goal}: synced once more");
}

/// What the account shows on a device that downloads all of it.
fn downloaded(home: &Home, provider: &str) -> Vec<(String, String)> {
    fs::remove_dir_all(home.laptop()).unwrap();
    fs::remove_dir_all(home.state()).unwrap();
    home.login(provider).expect(0);
    home.sync().expect(0);
    shown(home, provider)
}

/// Fails unless both are the same, and says in few words where they differ.
#[track_caller]
fn same(a: &[(String, String)], b: &[(String, String)], what: &str) {
    let lacking = |a: &[(String, String)], b: &[(String, String)]| -> Vec<(String, String)> {
        let line = |text: &str| text.lines().find(|line| line.starts_with("Subject:")).unwrap_or_default().to_owned();
        a.iter().filter(|one| !b.contains(one)).map(|(folder, text)| (folder.clone(), line(text))).collect()
    };
    assert_eq!((lacking(a, b), lacking(b, a)), (Vec::new(), Vec::new()), "{what}");
    assert_eq!(a.len(), b.len(), "{what}");
}

#[test]
fn promise_13_trees_of_mbsync_and_offlineimap_are_taken_over_without_downloading_again() {
    let both = BOTH.map(|provider| ["mbsync", "OfflineIMAP"].map(|tool| (provider, tool)));
    for (provider, tool) in both.concat() {
        let home = Home::with_mail(&[provider]);
        let tree = home.dir.path().join("Mail");
        let messages = held(&home, provider);
        let count = messages.len();
        let named = named(messages);
        assert!(named.len() > count / 2, "{provider}, {tool}: {} of {count}", named.len());
        match tool {
            "mbsync" => mbsync(&named, &tree),
            _ => offlineimap(&named, &tree),
        }
        let before = common::files(&tree);
        let goal = format!("laptop/{provider}/mail");
        let dry = home.run(&["adopt", tree.to_str().unwrap(), "--as", &goal, "--dry-run"]).expect(0);
        assert!(!home.laptop().exists(), "a dry run makes nothing: {dry}");
        let ran = adopt(&home, &tree, &goal).expect(0).shows(&[tool]).says(&["twofold sync"]);
        home.names_a_command(&ran);
        assert!(inodes(&home.laptop()).is_subset(&inodes(&tree)), "{provider}, {tool}: no message takes room twice");
        home.sandbox.reset_counts();
        // What was taken over waits under the names of the account's folders, and is no second one of these.
        let dry = home.run(&["sync", "--dry-run"]).expect(0);
        assert!(!dry.err.contains("is called") && !dry.err.contains("dry-run-"), "{provider}, {tool}: {dry}");
        let told = |words: &str| -> usize {
            let line = dry.out.lines().find(|line| line.contains(words)).unwrap_or_default();
            line.split_whitespace().find_map(|word| word.parse().ok()).unwrap_or(0)
        };
        let (taken, read) = (told("would be taken over from what is here"), told("would be read"));
        match provider {
            // Its lists show no header by which a message is known.
            "google" => assert!(read == count && (count / 2..=named.len()).contains(&taken), "{taken}, {read}: {dry}"),
            _ => assert!(taken + read == count && taken > count / 2, "{taken} and {read} of {count}: {dry}"),
        }
        home.sync().expect(0);
        let distinct: BTreeSet<String> = bodies(&home).into_iter().collect();
        assert!(provider == "google" || distinct.len() == read, "{distinct:?}, and {read} were to be read");
        assert_eq!(home.writes(), 0, "{provider}, {tool}");
        let laid: BTreeSet<&String> = named.iter().map(|one| &one.id).collect();
        let again: Vec<String> = bodies(&home).into_iter().filter(|id| laid.contains(id)).collect();
        assert!(again.is_empty(), "{provider}, {tool}: {again:?} were read again");
        assert_eq!(common::files(&tree), before, "{provider}, {tool}: the tree is as it was");
        let here = shown(&home, provider);
        settled(&home, &tree, &goal);
        let there = downloaded(&home, provider);
        // Graph renders a message in its own way when it is downloaded; what the tree has is what its sender wrote.
        let named = |all: &[(String, String)]| -> Vec<(String, String)> {
            let id = |text: &str| {
                text.lines().find(|line| line.to_lowercase().starts_with("message-id:")).unwrap_or_default().to_owned()
            };
            all.iter().map(|(folder, text)| (folder.clone(), id(text))).collect()
        };
        match provider {
            "google" => same(&here, &there, provider),
            _ => same(&named(&here), &named(&there), provider),
        }
    }
}

/// A Dovecot shows what stands below the inbox as twofold calls its folders, `_INBOX/Klubi`, and mbsync copies that.
#[test]
fn promise_13_a_tree_that_was_copied_from_folders_of_ours_makes_no_folder_at_its_account() {
    let home = Home::with_mail(&["microsoft365"]);
    let messages = named(held(&home, "microsoft365"));
    let tree = home.dir.path().join("Mail");
    mbsync(&messages, &tree);
    let below: Vec<PathBuf> = fs::read_dir(tree.join("INBOX"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("cur").is_dir())
        .collect();
    assert!(!below.is_empty());
    fs::create_dir(tree.join("_INBOX")).unwrap();
    for folder in below {
        fs::rename(&folder, tree.join("_INBOX").join(folder.file_name().unwrap())).unwrap();
    }
    let folders = home.sandbox.graph_mail_folders().len();
    adopt(&home, &tree, "laptop/microsoft365/mail").expect(0);
    home.sandbox.reset_counts();
    home.sync().expect(0);
    assert_eq!((home.writes(), home.sandbox.graph_mail_folders().len()), (0, folders));
}

#[test]
fn promise_13_a_tree_of_lieer_fills_the_folders_of_its_labels_and_changes_nothing_at_gmail() {
    let home = Home::with_mail(&GOOGLE);
    let tree = home.dir.path().join("lieer");
    let messages = gmail(&home);
    lieer(&messages, &tree, "ada@example.com");
    let labels = |home: &Home| home.sandbox.google_messages();
    let before = labels(&home);
    adopt(&home, &tree, "laptop/google/mail").expect(0).shows(&["lieer"]);
    home.sandbox.reset_counts();
    home.sync().expect(0);
    assert_eq!(home.writes(), 0);
    let drafts: BTreeSet<String> = messages.iter().filter(|one| one.is_draft).map(|one| one.id.clone()).collect();
    let read: BTreeSet<String> = bodies(&home).into_iter().collect();
    assert!(read.is_subset(&drafts), "{read:?} were read again");
    assert_eq!(labels(&home), before);
    let here = shown(&home, "google");
    settled(&home, &tree, "laptop/google/mail");
    let other = home.dir.path().join("other");
    lieer(&[], &other, "somebody@else.example");
    adopt(&home, &other, "laptop/google/mail").expect(2).says(&["somebody@else.example"]);
    same(&here, &downloaded(&home, "google"), "lieer");
}

/// Messages that no provider holds.
fn old(count: usize, root: &Path) {
    make_maildir(&root.join("INBOX"));
    for number in 0..count {
        let text = format!(
            "Date: Mon, 4 Mar 2019 09:00:00 +0000\nFrom: Old <old@example.org>\nSubject: Old {number}\nMessage-ID: <old-{number}@example.org>\n\nLong ago\n"
        );
        write(&root.join("INBOX/cur").join(format!("15500000{number:04}.1_1.desk,U={number}:2,S")), text.as_bytes());
    }
}

#[test]
fn promise_8_an_old_tree_is_held_and_shown_also_where_the_device_is_known_already() {
    for is_known in [false, true] {
        for provider in BOTH {
            let home = Home::with_mail(&[provider]);
            if is_known {
                home.sync().expect(0);
            }
            let tree = home.dir.path().join("Mail");
            old(10, &tree);
            adopt(&home, &tree, &format!("laptop/{provider}/mail")).expect(0);
            home.sandbox.reset_counts();
            home.sync().expect(4);
            assert_eq!(home.writes(), 0, "{provider}, known: {is_known}");
            let held = home.json(&["held"]);
            assert_eq!(held["held"].as_array().map(Vec::len), Some(1), "{held}");
            assert_eq!(held["held"][0]["creates"], 10, "{held}");
            if provider == "google" {
                continue;
            }
            home.run(&["drop", held["held"][0]["id"].as_str().unwrap()]).expect(0);
            home.sync().expect(5);
            home.run(&["status"]).expect(5).shows(&["10 files", "microsoft365/mail/INBOX", "sync --retry-quarantined"]);
            home.run(&["sync", "--retry-quarantined"]).expect(4);
            home.run(&["status"]).expect(4);
            assert_eq!(home.json(&["held"])["held"][0]["creates"], 10);
            assert_eq!(home.writes(), 0, "{provider}, known: {is_known}");
        }
    }
}

#[test]
fn a_keyword_letter_of_another_tools_tree_does_not_become_another_word() {
    let home = Home::with_mail(&GOOGLE);
    home.sync().expect(0);
    let tree = home.dir.path().join("tree");
    old(1, &tree);
    let inbox = tree.join("INBOX/cur");
    let file = fs::read_dir(&inbox).unwrap().next().unwrap().unwrap().path();
    let name = file.file_name().unwrap().to_string_lossy().into_owned();
    let base = name.split(":2,").next().unwrap();
    fs::rename(&file, inbox.join(format!("{base}:2,Sa"))).unwrap();
    fs::write(tree.join("INBOX/dovecot-keywords"), "0 $Junk\n").unwrap();
    // Here the letter says something else: what Gmail calls important.
    let here = home.laptop().join("google/mail");
    assert!(fs::read_to_string(here.join("dovecot-keywords")).unwrap().contains("0 $important"));
    let flags = |folder: &Path| -> Vec<String> {
        let names =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
        let own = names.filter(|name| name.starts_with("15500000"));
        own.filter_map(|name| Some(name.rsplit_once(":2,")?.1.to_owned())).collect()
    };
    adopt(&home, &tree, "laptop/google/mail").expect(0);
    assert_eq!(flags(&here.join("cur")), ["S"]);
    assert_eq!(flags(&inbox), ["Sa"], "the tree stays as it is");
}

#[test]
fn promise_12_a_take_over_that_is_killed_is_begun_once_more_and_doubles_nothing() {
    let home = Home::with_mail(&MICROSOFT);
    let tree = home.dir.path().join("Mail");
    old(1500, &tree);
    let goal = "laptop/microsoft365/mail";
    let inbox = home.laptop().join("microsoft365/mail/cur");
    let count = || fs::read_dir(&inbox).map_or(0, Iterator::count);
    for most in [1, 300, 900] {
        let talk = home.start(&["adopt", tree.to_str().unwrap(), "--as", goal]);
        let since = Instant::now();
        while count() < most && since.elapsed().as_secs() < 20 {
            std::thread::yield_now();
        }
        talk.signal(rustix::process::Signal::KILL);
        talk.end();
    }
    let ran = home.run(&["adopt", tree.to_str().unwrap(), "--as", goal, "--json"]).expect(0);
    let row = serde_json::from_str::<Value>(&ran.out).unwrap()["folders"][0].clone();
    assert_eq!((&row["items"], count()), (&json!(1500), 1500), "{row}");
    assert_eq!(inodes(&home.laptop()), inodes(&tree));
}

#[test]
fn promise_8_what_a_take_over_laid_before_it_was_killed_is_held_too_where_the_device_is_known_already() {
    let home = Home::with_mail(&MICROSOFT);
    home.sync().expect(0);
    let tree = home.dir.path().join("Mail");
    old(1500, &tree);
    let inbox = home.laptop().join("microsoft365/mail/cur");
    let count = || fs::read_dir(&inbox).map_or(0, Iterator::count);
    let before = count();
    let talk = home.start(&["adopt", tree.to_str().unwrap(), "--as", "laptop/microsoft365/mail"]);
    let since = Instant::now();
    while count() < before + 20 && since.elapsed().as_secs() < 20 {
        std::thread::yield_now();
    }
    talk.signal(rustix::process::Signal::KILL);
    talk.end();
    assert!(count() >= before + 20, "it was killed before it began");
    home.sandbox.reset_counts();
    home.sync().expect(4).says(&["twofold held"]);
    assert_eq!(home.writes(), 0);
}

/// A card or event without the lines that are this program's own.
fn without_marks(text: &str) -> String {
    let mut is_own = false;
    let is_kept = |line: &&str| {
        is_own = if line.starts_with([' ', '\t']) { is_own } else { line.starts_with("X-TWOFOLD") };
        !is_own
    };
    text.split_inclusive('\n').filter(is_kept).collect()
}

/// How many items of a kind a provider holds.
fn at_provider(home: &Home, provider: &str, kind: &str) -> usize {
    let sandbox = &home.sandbox;
    match (provider, kind) {
        ("google", "contacts") => sandbox.google_people().len(),
        ("google", _) => sandbox.google_events("primary").len(),
        (_, "contacts") => sandbox.graph_contacts().len(),
        _ => sandbox.graph_events().len(),
    }
}

#[test]
fn promise_13_folders_of_vdirsyncer_are_taken_over_and_no_provider_is_written_to() {
    for kind in ["contacts", "calendar"] {
        for provider in BOTH {
            let home = match kind {
                "contacts" => Home::synced(&[provider]),
                _ => Home::with_calendars(&[provider]),
            };
            // What a tool would have fetched; then all that this program knows is lost.
            let (from, tree) = (home.laptop().join(provider).join(kind), home.dir.path().join("vdir"));
            let (before, held) = (common::files(&from), at_provider(&home, provider, kind));
            for (path, bytes) in &before {
                if path.iter().any(|part| part.to_string_lossy().starts_with('.')) {
                    continue;
                }
                fs::create_dir_all(tree.join(path.parent().unwrap())).unwrap();
                let text = String::from_utf8_lossy(bytes).into_owned();
                fs::write(tree.join(path), without_marks(&text)).unwrap();
            }
            fs::remove_dir_all(home.laptop()).unwrap();
            fs::remove_dir_all(home.state()).unwrap();
            home.login(provider).expect(0);
            let goal = format!("laptop/{provider}/{kind}");
            adopt(&home, &tree, &goal).expect(0).shows(&["vdir"]);
            home.sandbox.reset_counts();
            home.sync().expect(0);
            assert_eq!(home.writes(), 0, "{provider}, {kind}");
            let items = |files: &BTreeMap<PathBuf, Vec<u8>>| -> BTreeSet<PathBuf> {
                files
                    .keys()
                    .filter(|path| path.extension().is_some_and(|end| end == "vcf" || end == "ics"))
                    .cloned()
                    .collect()
            };
            assert_eq!(items(&common::files(&from)), items(&before), "{provider}, {kind}");
            // Each file is the one that the tool had, byte for byte but for lines of this program's own.
            for path in items(&before) {
                let (now, theirs) = (fs::read(from.join(&path)).unwrap(), fs::read(tree.join(&path)).unwrap());
                assert_eq!(without_marks(&text(&now)), text(&theirs), "{provider}, {kind}, {path:?}");
            }
            assert!(items(&before).len() > 5, "{provider}, {kind}");
            assert_eq!(at_provider(&home, provider, kind), held, "{provider}, {kind}: nothing is doubled");
            settled(&home, &tree, &goal);
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn card(uid: &str, name: &str) -> String {
    format!("BEGIN:VCARD\r\nVERSION:3.0\r\nUID:{uid}\r\nFN:{name}\r\nN:;{name};;;\r\nEND:VCARD\r\n")
}

/// A file that cannot be read, also by root: then a part of the process file system stands in its place. `None`: that is not permitted here.
struct Unreadable(PathBuf);

impl Unreadable {
    fn at(path: &Path) -> Option<Unreadable> {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(0o000)).unwrap();
        if fs::read(path).is_err() {
            return Some(Unreadable(path.to_owned()));
        }
        let memory = format!("/proc/{}/mem", std::process::id());
        let mount = std::process::Command::new("mount").args(["--bind", &memory]).arg(path).status();
        mount.is_ok_and(|status| status.success()).then(|| Unreadable(path.to_owned()))
    }
}

impl Drop for Unreadable {
    fn drop(&mut self) {
        let _ =
            std::process::Command::new("umount").arg("-l").arg(&self.0).stderr(std::process::Stdio::null()).status();
    }
}

#[test]
fn a_card_that_says_something_else_than_the_one_of_its_uid_is_left_and_told() {
    let home = Home::synced(&GOOGLE);
    let tree = home.dir.path().join("vdir/people");
    fs::create_dir_all(&tree).unwrap();
    for (file, uid, name) in [("a", "one", "Old Name"), ("b", "two", "Two"), ("c", "two", "Two again")] {
        fs::write(tree.join(format!("{file}.vcf")), card(uid, name)).unwrap();
    }
    fs::write(tree.join("task.vcf"), "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n").unwrap();
    let here = home.laptop().join("google/contacts/people");
    let goal = "laptop/google/contacts";
    adopt(&home, &tree, goal).expect(5).says(&["1 files say something else", "c.vcf"]);
    assert_eq!(fs::read_dir(&here).unwrap().filter(|it| is_card(&it.as_ref().unwrap().path())).count(), 2);
    // The same again, in another writing, is there; what was edited here stays, and the tree's is told.
    let mine = fs::read_dir(&here).unwrap().map(|it| it.unwrap().path());
    let mine =
        mine.filter(|path| is_card(path)).find(|path| text(&fs::read(path).unwrap()).contains("Old Name")).unwrap();
    fs::write(&mine, card("one", "New Name")).unwrap();
    fs::write(tree.join("b.vcf"), card("two", "Two").replace("\r\n", "\n")).unwrap();
    let ran = home.run(&["adopt", tree.to_str().unwrap(), "--as", goal, "--json"]).expect(5);
    let row = serde_json::from_str::<Value>(&ran.out).unwrap()["folders"][0].clone();
    assert_eq!((&row["there"], &row["added"], &row["differing"]), (&json!(1), &json!(0), &json!(2)), "{row}");
    assert_eq!(text(&fs::read(&mine).unwrap()), card("one", "New Name"));
}

fn is_card(path: &Path) -> bool {
    path.extension().is_some_and(|end| end == "vcf")
}

#[test]
fn a_file_that_cannot_be_read_is_left_and_told_and_the_others_are_taken_over() {
    let (contacts, post) = (Home::synced(&GOOGLE), Home::with_mail(&GOOGLE));
    let (cards, mails) = (contacts.dir.path().join("people"), post.dir.path().join("Mail"));
    fs::create_dir_all(&cards).unwrap();
    for (file, uid) in [("a", "one"), ("b", "two"), ("c", "three")] {
        fs::write(cards.join(format!("{file}.vcf")), card(uid, uid)).unwrap();
    }
    old(3, &mails);
    let mail = mails.join("INBOX/cur/155000000001.1_1.desk,U=1:2,S");
    let (Some(_card), Some(_mail)) = (Unreadable::at(&cards.join("b.vcf")), Unreadable::at(&mail)) else {
        return println!("skipped: making a file unreadable is not permitted here");
    };
    let message = "155000000001.1_1.desk,U=1:2,S";
    for (home, tree, goal, file) in [(&contacts, &cards, "contacts", "b.vcf"), (&post, &mails, "mail", message)] {
        let goal = format!("laptop/google/{goal}");
        for dry in [&["--dry-run"][..], &[]] {
            let ran =
                home.run(&[&["adopt", tree.to_str().unwrap(), "--as", &goal, "--json"][..], dry].concat()).expect(5);
            let row = serde_json::from_str::<Value>(&ran.out).unwrap()["folders"][0].clone();
            assert_eq!((&row["added"], &row["unreadable"]), (&json!(2), &json!(1)), "{row}");
            ran.says(&["1 files cannot be read", file]);
        }
        home.sync().expect(0);
    }
}

#[test]
fn numbers_of_mbsync_stay_in_its_tree_and_a_tree_that_was_numbered_anew_is_there_all_the_same() {
    let home = Home::with_mail(&MICROSOFT);
    let tree = home.dir.path().join("Mail");
    old(3, &tree);
    let goal = "laptop/microsoft365/mail";
    let names = || -> BTreeSet<String> {
        let all = fs::read_dir(home.laptop().join("microsoft365/mail/cur")).unwrap();
        all.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
    };
    adopt(&home, &tree, goal).expect(0);
    let laid = names();
    assert!(laid.len() == 3 && laid.iter().all(|name| !name.contains("U=")), "{laid:?}");
    let cur = tree.join("INBOX/cur");
    for entry in fs::read_dir(&cur).unwrap().map(Result::unwrap).collect::<Vec<_>>() {
        let name = entry.file_name().to_string_lossy().replace(",U=", ",U=7");
        fs::rename(entry.path(), cur.join(name)).unwrap();
    }
    let ran = home.run(&["adopt", tree.to_str().unwrap(), "--as", goal, "--json"]).expect(0);
    let row = serde_json::from_str::<Value>(&ran.out).unwrap()["folders"][0].clone();
    assert_eq!((&row["added"], &row["there"], names()), (&json!(0), &json!(3), laid), "{row}");
}

#[test]
fn what_cannot_be_meant_is_refused_and_nothing_is_done() {
    let home = Home::with_mail(&GOOGLE);
    let tree = home.dir.path().join("Mail");
    old(2, &tree);
    for (goal, says) in [
        ("phone/google/mail", "[[device]]"),
        ("laptop/microsoft365/mail", "[microsoft365]"),
        ("laptop/google/contacts", "kinds of [google]"),
        ("laptop/google", "DEVICE/PROVIDER/KIND"),
    ] {
        adopt(&home, &tree, goal).expect(2).says(&[says]);
    }
    adopt(&home, &home.dir.path().join("nowhere"), "laptop/google/mail").expect(2);
    fs::create_dir_all(home.dir.path().join("empty")).unwrap();
    adopt(&home, &home.dir.path().join("empty"), "laptop/google/mail").expect(2).says(&["Maildir"]);
    let inside = home.laptop().join("old");
    old(1, &inside);
    adopt(&home, &inside, "laptop/google/mail").expect(2).says(&["inside"]);
    adopt(&home, home.dir.path(), "laptop/google/mail").expect(2).says(&["inside"]);
    assert!(!home.laptop().join("google").exists());
}

/// A small disk over a folder, with what is in it.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// `None`: mounting is not permitted here.
    fn over(folder: &Path, kilobytes: usize) -> Option<SmallDisk> {
        fs::create_dir_all(folder).unwrap();
        let before = common::files(folder);
        let size = format!("size={kilobytes}k,mode=700");
        let mut mount = std::process::Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder).stderr(std::process::Stdio::null());
        if !mount.status().is_ok_and(|status| status.success()) {
            println!("skipped: mounting a small disk is not permitted here");
            return None;
        }
        let disk = SmallDisk(folder.to_owned());
        for (path, bytes) in before {
            fs::create_dir_all(folder.join(&path).parent().unwrap()).unwrap();
            write(&folder.join(path), &bytes);
        }
        Some(disk)
    }

    fn grow(&self, kilobytes: usize) {
        let size = format!("remount,size={kilobytes}k");
        assert!(std::process::Command::new("mount").args(["-o", &size]).arg(&self.0).status().unwrap().success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Bytes that nothing makes smaller.
fn noise(kilobytes: usize, seed: u64) -> String {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut text = String::new();
    for _ in 0..kilobytes * 16 {
        for _ in 0..4 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            text += &format!("{state:016x}")[1..];
        }
        text += "abc\n";
    }
    text
}

/// Messages that take room.
fn heavy(count: usize, root: &Path) {
    old(count, root);
    for (number, path) in common::files(&root.join("INBOX/cur")).into_keys().enumerate() {
        let path = root.join("INBOX/cur").join(path);
        let text = fs::read_to_string(&path).unwrap() + &noise(200, number as u64 + 1);
        write(&path, text.as_bytes());
    }
}

/// The command that goes on with a take-over.
fn again(tree: &Path, goal: &str) -> String {
    format!("twofold adopt {} --as {goal}", tree.display())
}

#[test]
fn promise_12_a_disk_that_is_full_ends_a_take_over_and_nothing_is_half_there() {
    let home = Home::with_mail(&MICROSOFT);
    let tree = home.dir.path().join("Mail");
    heavy(5, &tree);
    let before = common::files(&tree);
    let Some(disk) = SmallDisk::over(&home.laptop(), 700) else { return };
    let goal = "laptop/microsoft365/mail";
    adopt(&home, &tree, goal).expect(75).says(&["disk full", "the rest was not", &again(&tree, goal)]);
    let texts: BTreeSet<&Vec<u8>> = before.values().collect();
    let all = common::files(&home.laptop());
    let is_message = |path: &Path| path.parent().is_some_and(|at| at.ends_with("cur") || at.ends_with("new"));
    let laid = all.iter().filter(|(path, _)| is_message(path));
    assert!(laid.clone().all(|(_, bytes)| texts.contains(bytes)) && laid.count() < 5, "what is there is whole");
    assert!(!all.keys().any(|path| path.parent().is_some_and(|at| at.ends_with("tmp"))), "{:?}", all.keys());
    assert_eq!(common::files(&tree), before);
    disk.grow(16_000);
    let ran = home.run(&["adopt", tree.to_str().unwrap(), "--as", goal, "--json"]).expect(0);
    let row = serde_json::from_str::<Value>(&ran.out).unwrap()["folders"][0].clone();
    assert_eq!(row["items"], 5, "{row}");
    home.sync().expect(0);
    let now = common::files(&home.laptop());
    let laid: BTreeSet<&Vec<u8>> = now.values().filter(|bytes| texts.contains(bytes)).collect();
    assert_eq!(laid, texts);
    settled(&home, &tree, goal);
}

#[test]
fn promise_2_a_disk_that_is_full_of_kept_bytes_ends_a_take_over_which_is_begun_once_more() {
    let home = Home::with_mail(&GOOGLE);
    let tree = home.dir.path().join("lieer");
    for number in 0..5 {
        let text = text(&fs::read(write_heavy(&home, number)).unwrap());
        home.sandbox.google_add_mail(text.replace('\n', "\r\n").as_bytes(), &["INBOX"]);
    }
    lieer(&gmail(&home), &tree, "ada@example.com");
    let Some(disk) = SmallDisk::over(&home.state(), 900) else { return };
    let ran = adopt(&home, &tree, "laptop/google/mail").expect(1);
    assert!(!ran.err.contains("twofold sync"), "{}", ran.err);
    let goal = "laptop/google/mail";
    ran.says(&["No space left", "the rest was not", "Free some space", &again(&tree, goal)]);
    disk.grow(64_000);
    adopt(&home, &tree, "laptop/google/mail").expect(0);
    home.sandbox.reset_counts();
    home.sync().expect(0);
    assert_eq!(home.writes(), 0);
    let drafts: BTreeSet<String> = gmail(&home).iter().filter(|one| one.is_draft).map(|one| one.id.clone()).collect();
    let read: BTreeSet<String> = bodies(&home).into_iter().collect();
    assert!(read.is_subset(&drafts), "{read:?} were read again");
    settled(&home, &tree, "laptop/google/mail");
}

/// A heavy message in a file of its own.
fn write_heavy(home: &Home, number: u64) -> PathBuf {
    let path = home.dir.path().join(format!("heavy-{number}"));
    let head = format!(
        "Date: Mon, 4 Mar 2019 09:00:00 +0000\nFrom: Old <old@example.org>\nSubject: Heavy {number}\nMessage-ID: <heavy-{number}@example.org>\n\n"
    );
    write(&path, (head + &noise(200, number + 50)).as_bytes());
    path
}

#[test]
fn promise_13_a_tree_is_taken_over_beside_an_account_that_cannot_be_reached_and_for_it() {
    use twofold_sandbox::{Fault, Provider, Rule};
    for (away, provider) in [("google", Provider::Google), ("microsoft365", Provider::Microsoft)] {
        let home = Home::with_mail(&BOTH);
        home.sandbox.fault(Rule::any(Fault::DropBefore).on(provider));
        let mut laid = BTreeMap::new();
        for name in BOTH {
            let (tree, messages) = (home.dir.path().join(name), named(held(&home, name)));
            match name {
                "google" => mbsync(&messages, &tree),
                _ => offlineimap(&messages, &tree),
            }
            adopt(&home, &tree, &format!("laptop/{name}/mail")).expect(0);
            laid.insert(name, messages.into_iter().map(|one| one.id).collect::<BTreeSet<String>>());
        }
        let files = |name: &str| common::files(&home.laptop().join(name).join("mail"));
        let before = files(away);
        home.sandbox.reset_counts();
        home.sync().expect(75);
        assert_eq!(home.writes(), 0, "{away} is away");
        assert_eq!(files(away), before, "what is there for it stays as it is");
        home.sandbox.with(|state| state.faults.clear());
        home.sync().expect(0);
        assert_eq!(home.writes(), 0, "{away} is back");
        let read = bodies(&home);
        for (name, ids) in &laid {
            let again: Vec<&String> = read.iter().filter(|id| ids.contains(*id)).collect();
            assert!(again.is_empty(), "{away} was away, {name}: {again:?} were read again");
        }
        for name in BOTH {
            settled(&home, &home.dir.path().join(name), &format!("laptop/{name}/mail"));
            let count: usize = held(&home, name).iter().map(|one| places(name, one)).sum();
            assert_eq!(shown(&home, name).len(), count, "{away} was away, {name}: each message once in each mailbox");
        }
    }
}

/// In how many mailboxes of the device a message stands.
fn places(provider: &str, message: &Held) -> usize {
    let is_one = |path: &&Vec<String>| !matches!(path.last().map(String::as_str), Some("All Mail" | "Starred"));
    match provider {
        // What has no mailbox of its own is archived.
        "google" => message.at.iter().filter(is_one).count().max(1),
        _ => 1,
    }
}
