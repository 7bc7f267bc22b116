//! `twofold forget PROVIDER|DEVICE [--data]`.

use crate::common::{BOTH, GOOGLE, Home, MICROSOFT, files};
use serde_json::json;
use std::fs;
use std::path::Path;
use std::time::Duration;
use twofold_blobs::Store;
use twofold_hub::Hub;

/// What nobody but Google's account says, in an earlier version and in the last one.
const EARLIER: &str = "Quixotic-Earlier-Note";
const LATER: &str = "Quixotic-Later-Note";
/// What nobody but Microsoft's says.
const THEIRS: &str = "Zephyrine-Graph-Note";
/// What was said of a person that was deleted since.
const BURIED: &str = "Umbrageous-Buried-Note";

/// The files below a folder in which words stand.
fn holding(folder: &Path, words: &str) -> Vec<String> {
    let holds = |bytes: &[u8]| bytes.windows(words.len()).any(|part| part == words.as_bytes());
    let found = files(folder).into_iter().filter(|(_, bytes)| holds(bytes));
    found.map(|(path, _)| path.display().to_string()).collect()
}

fn note(home: &Home, person: &str, words: &str) {
    home.sandbox.google_edit(person, |p| p["biographies"] = json!([{"value": words}])).unwrap();
    home.sync().expect(0);
}

/// Both providers with a known history, in step.
fn with_history() -> Home {
    let home = Home::synced(&BOTH);
    let people = home.sandbox.google_people();
    let name = |at: usize| people[at]["resourceName"].as_str().unwrap().to_owned();
    note(&home, &name(0), EARLIER);
    note(&home, &name(0), LATER);
    note(&home, &name(1), BURIED);
    home.sandbox.google_delete(&name(1)).unwrap();
    let contact = home.sandbox.graph_contacts()[0]["id"].as_str().unwrap().to_owned();
    home.sandbox.graph_edit(&contact, |contact| contact["personalNotes"] = json!(THEIRS)).unwrap();
    home.sync().expect(0);
    home.sync().expect(0);
    for words in [EARLIER, LATER, BURIED, THEIRS] {
        assert!(!holding(&home.state(), words).is_empty(), "{words} is not in the hub to begin with");
    }
    home.sandbox.reset_counts();
    home
}

/// The configuration without Google.
fn without_google(home: &mut Home) {
    home.providers = vec!["microsoft365"];
    fs::write(home.config(), home.configuration("")).unwrap();
}

#[test]
fn what_is_kept_of_a_leaver_is_in_no_file_of_the_state_folder_and_at_the_provider_nothing_changed() {
    let mut home = with_history();
    let (people, contacts) = (home.google_text(), home.graph_text());
    let foreign = home.google_folder().join("notes of mine.txt");
    fs::write(&foreign, "not twofold's").unwrap();
    home.run(&["backup", &home.dir.path().join("b.tar").display().to_string()]).expect(0);
    let theirs = files(&home.laptop().join("microsoft365"));

    let ran = home.run(&["forget", "google", "--data", "--yes"]).expect(0);
    let ran = ran.shows(&["forgotten: google", "nothing is deleted there", "files in device folders"]);
    assert!(ran.err.contains("was revoked") && ran.err.contains("still stands in"), "{ran}");
    for words in [EARLIER, LATER, BURIED] {
        assert_eq!(holding(&home.state(), words), Vec::<String>::new(), "{words}");
        assert_eq!(holding(&home.laptop(), words), Vec::<String>::new(), "{words}");
    }
    assert_eq!(files(&home.laptop().join("google")).len(), 1 + home_markers(&home), "only what is not ours is left");
    assert_eq!(fs::read(&foreign).unwrap(), b"not twofold's");
    assert_eq!(files(&home.laptop().join("microsoft365")), theirs);
    assert!(!holding(&home.state(), THEIRS).is_empty());
    assert!(!fs::read_to_string(home.state().join("vault.json")).unwrap().contains("google"));
    home.run(&["sync"]).expect(3).says(&["google", "twofold login google"]);
    without_google(&mut home);
    home.sync().expect(0);
    assert_eq!((home.google_text(), home.graph_text()), (people, contacts));
    assert_eq!(home.writes(), 0);
    home.run(&["doctor"]).expect(0);
}

/// The folder with the foreign file keeps what names it: its marker and its display name.
fn home_markers(home: &Home) -> usize {
    let ours = [".twofold-collection", "displayname", "color"];
    let all = files(&home.laptop().join("google"));
    all.keys().filter(|path| ours.iter().any(|name| path.ends_with(name))).count()
}

/// The files on the device, but for the markers of its folders.
fn items(home: &Home) -> std::collections::BTreeMap<std::path::PathBuf, Vec<u8>> {
    let mut all = files(&home.laptop());
    all.retain(|path, _| !path.ends_with(".twofold-collection"));
    all
}

#[test]
fn who_signs_in_again_after_an_account_was_forgotten_has_what_stayed_paired_and_not_doubled() {
    for provider in BOTH {
        let home = Home::with_mail(&BOTH);
        let work = home.sandbox.google_add_label("Work").unwrap();
        home.sandbox.google_add_mail(b"Message-ID: <w1@example.com>\r\nSubject: one\r\n\r\nBody\r\n", &[&work]);
        let deep = home.sandbox.graph_mail_folder_create("inbox", "Deep").unwrap();
        home.sandbox
            .graph_mail_deliver(&deep, b"Message-ID: <d1@example.com>\r\nSubject: one\r\n\r\nBody\r\n")
            .unwrap();
        home.sync().expect(0);
        let before = items(&home);
        home.run(&["forget", provider, "--yes"]).expect(0);
        assert_eq!(items(&home), before, "{provider}");
        // What is new there meanwhile has a key of its own.
        home.sandbox.google_add_label("A new one").unwrap();
        home.sandbox.graph_mail_folder_create("", "A new one").unwrap();
        home.login(provider).expect(0);
        home.sandbox.reset_counts();
        home.sync();
        let ran = home.sync().expect(0);
        assert_eq!(home.writes(), 0, "{provider}: {ran}");
        let mut now = items(&home);
        now.retain(|path, _| !path.to_string_lossy().contains("A new one"));
        assert_eq!(now.keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>(), "{provider}");
        // But for what the device's own marker counts, and the new name that Dovecot is to know.
        let changed: Vec<_> =
            now.iter().filter(|(path, bytes)| before[*path] != **bytes).map(|(path, _)| path).collect();
        assert!(
            changed.iter().all(|path| path.ends_with("subscriptions") || path.ends_with(".twofold")),
            "{provider}: {changed:?}"
        );
    }
}

#[test]
fn without_data_the_files_stay_and_go_to_nobody_else() {
    let mut home = with_history();
    let before = items(&home);
    home.run(&["forget", "google", "--yes"]).expect(0).shows(&["stay as they are"]);
    assert_eq!(items(&home), before);
    assert_eq!(holding(&home.state(), LATER), Vec::<String>::new());
    without_google(&mut home);
    for _ in 0..2 {
        let ran = home.sync();
        assert_eq!(home.writes(), 0, "{ran}");
        assert_eq!(holding(&home.laptop(), LATER).len(), 1);
    }
}

#[test]
fn nobody_is_forgotten_without_being_asked() {
    let home = with_history();
    home.run(&["forget", "google"])
        .expect(2)
        .shows(&["goes for good", "what a backup file elsewhere holds of it stays in that", "make a new one"])
        .says(&["nothing was erased", "Type: twofold forget google --yes"]);
    let with_files = home.run(&["forget", "google", "--data"]).expect(2);
    with_files.says(&["nothing was erased", "Type: twofold forget google --data --yes"]);
    home.run(&["forget", "toaster", "--yes"]).expect(2).says(&["nothing was erased", "laptop"]);
    assert!(!holding(&home.state(), LATER).is_empty());
    home.sync().expect(0);
}

#[test]
fn where_the_key_of_the_sign_ins_is_not_at_hand_nothing_is_erased_and_the_line_to_type_is_said() {
    let home = with_history();
    let key = home.state().join("twofold.key");
    let aside = home.dir.path().join("key.aside");
    fs::rename(&key, &aside).unwrap();
    home.run(&["forget", "google", "--data", "--yes"]).expect(2).says(&["systemd-run", "forget google --data --yes\n"]);
    assert!(!holding(&home.state(), LATER).is_empty() && !holding(&home.laptop(), LATER).is_empty());
    // Microsoft has nothing to revoke, a device no sign-in, and a backup holds none: none of them needs the key.
    home.run(&["backup", &home.dir.path().join("b.tar").display().to_string()]).expect(0);
    home.run(&["forget", "laptop", "--yes"]).expect(0);
    home.run(&["forget", "microsoft365", "--yes"]).expect(0);
    fs::rename(&aside, &key).unwrap();
    let ran = home.run(&["forget", "google", "--data", "--yes"]).expect(0);
    assert!(ran.err.contains("was revoked"), "{ran}");
}

#[test]
fn where_the_key_of_the_sign_ins_is_lost_an_account_is_forgotten_once_it_is_out_of_the_configuration() {
    let home = with_history();
    fs::remove_file(home.state().join("twofold.key")).unwrap();
    let ran = home.run(&["forget", "google", "--data", "--yes"]).expect(2).says(&["key is lost", "[google] out of"]);
    home.names_a_command(&ran);
    let text = home.configuration("");
    let (from, to) = (text.find("[google]").unwrap(), text.find("[microsoft365]").unwrap());
    let without = if from < to {
        text[..from].to_owned() + &text[to..]
    } else {
        text[..from].to_owned() + &text[text.find("[[device]]").unwrap()..]
    };
    fs::write(home.config(), without).unwrap();
    home.run(&["forget", "google", "--data", "--yes"]).expect(0);
    assert!(holding(&home.state(), LATER).is_empty() && holding(&home.laptop(), LATER).is_empty());
}

#[test]
fn of_a_join_the_files_of_the_leaver_that_would_come_to_the_other_account_are_counted_before_and_go_with_data() {
    for with_data in [false, true] {
        let mut home = Home::signed_in(&BOTH);
        let join = "\n[[join]]\nkind = \"contacts\"\ncollections = [\"microsoft365:default\", \"google:default\"]\n";
        fs::write(home.config(), home.configuration(join)).unwrap();
        home.sync();
        for id in home.run(&["held"]).out.lines().filter_map(|line| line.split_whitespace().next()) {
            home.run(&["approve", id]);
        }
        home.sync();
        // Nobody is signed in at Microsoft, so only Google and the device get it.
        home.run(&["logout", "microsoft365"]);
        home.sandbox.google_create(&json!({"names": [{"givenName": "Xenia", "familyName": "Leaver"}]})).unwrap();
        home.sync().expect(3);
        home.card("Xenia");
        assert!(!home.graph_text().contains("Xenia"));
        let told = "among them 1 file in the folder of a join";
        if with_data {
            let ran = home.run(&["forget", "google", "--data", "--yes"]).expect(0);
            assert!(!ran.out.contains(told), "{ran}");
        } else {
            home.run(&["forget", "google", "--yes"]).expect(0).shows(&[told, "makes it at the other account"]);
        }
        without_google(&mut home);
        home.login("microsoft365").expect(0);
        home.sync();
        home.sync();
        assert_eq!(home.graph_text().contains("Xenia"), !with_data);
        assert_eq!(holding(&home.laptop(), "Xenia").len(), usize::from(!with_data));
    }
}

#[test]
fn of_joined_collections_what_the_other_provider_holds_stays() {
    let home = Home::signed_in(&BOTH);
    let join = "\n[[join]]\nkind = \"contacts\"\ncollections = [\"microsoft365:default\", \"google:default\"]\n";
    fs::write(home.config(), home.configuration(join)).unwrap();
    let ran = home.sync();
    for id in home.run(&["held"]).out.lines().filter_map(|line| line.split_whitespace().next()) {
        home.run(&["approve", id]);
    }
    home.sync();
    let cards = home.cards();
    let contacts = home.graph_text();
    assert!(cards.len() > 3, "{ran}");
    let before = home.sandbox.google_people().len();
    home.sandbox.reset_counts();
    let ran = home.run(&["forget", "google", "--data", "--yes"]).expect(0);
    assert!(ran.out.contains("stay, because they are elsewhere too"), "{ran}");
    let left = home.cards();
    assert!(left.len() + 2 > cards.len(), "{} of {}: {ran}", left.len(), cards.len());
    assert_eq!(home.graph_text(), contacts);
    assert_eq!((home.sandbox.google_people().len(), home.writes()), (before, 0));
    home.run(&["doctor"]);
}

#[test]
fn a_device_is_forgotten_with_its_files_and_nothing_is_deleted_anywhere_else() {
    let home = with_history();
    let (people, contacts) = (home.google_text(), home.graph_text());
    fs::write(home.laptop().join("mine.txt"), "not twofold's").unwrap();
    let ran = home.run(&["forget", "laptop", "--data", "--yes"]).expect(0);
    assert!(ran.err.contains("[[device]]"), "{ran}");
    let left: Vec<_> = files(&home.laptop()).into_keys().collect();
    assert_eq!(left, [Path::new("mine.txt")]);
    assert!(!holding(&home.state(), LATER).is_empty(), "the history of the accounts stays");
    let text = home.configuration("");
    fs::write(home.config(), &text[..text.find("[[device]]").unwrap()]).unwrap();
    home.sync().expect(0);
    assert_eq!((home.google_text(), home.graph_text(), home.writes()), (people, contacts, 0));
}

#[test]
fn a_file_that_nobody_else_has_seen_is_not_removed() {
    let home = with_history();
    let card = home.card(LATER);
    home.add_line(&card, "NICKNAME:Unseen");
    home.run(&["forget", "google", "--data", "--yes"])
        .expect(4)
        .says(&["1 file changed", "twofold forget google --data"]);
    assert!(card.exists());
    // Until it is through, nothing of it is read or written.
    let ran = home.sync().expect(2).says(&["not finished", "twofold forget google"]);
    assert_eq!(home.writes(), 0, "{ran}");
    fs::remove_file(&card).unwrap();
    home.run(&["forget", "google", "--data", "--yes"]).expect(0);
    assert_eq!(holding(&home.state(), LATER), Vec::<String>::new());
}

#[test]
fn a_message_file_that_somebody_wrote_on_in_its_place_is_not_removed() {
    let home = Home::with_mail(&GOOGLE);
    let raw = "From: a@example.com\r\nSubject: Written on\r\nMessage-ID: <w1@example.com>\r\n\r\nHello\r\n";
    home.sandbox.google_add_mail(raw.as_bytes(), &["INBOX"]);
    home.sync().expect(0);
    let all = files(&home.laptop());
    let (path, _) = all.iter().find(|(_, bytes)| bytes.as_slice() == raw.as_bytes()).unwrap();
    let path = home.laptop().join(path);
    fs::write(&path, "Subject: Written on\r\n\r\nWhat stands nowhere else\r\n").unwrap();
    home.run(&["forget", "google", "--data", "--yes"])
        .expect(4)
        .says(&["1 file changed", "twofold forget google --data"]);
    assert!(path.exists());
    fs::remove_file(&path).unwrap();
    home.run(&["forget", "google", "--data", "--yes"]).expect(0);
}

#[test]
fn forgetting_that_is_killed_anywhere_is_finished_by_typing_it_again() {
    let (mut met_at_work, mut left_open) = (0, 0);
    // A machine that is busy just then lets one come through early: then it is another leaver's turn.
    for leavers in 1.. {
        let (met, open) = kill_while_forgetting();
        (met_at_work, left_open) = (met_at_work + met, left_open + open);
        if met_at_work > 5 && left_open > 3 {
            break;
        }
        assert!(leavers < 8, "{met_at_work} were killed at work, {left_open} before the end of it");
    }
}

/// Kills those who forget, each a little later than the one before, counted from when it set about it, until one is through before that. How
/// many were killed, and how many of these before the end of it.
fn kill_while_forgetting() -> (usize, usize) {
    let home = with_history();
    let people = home.google_text();
    let (mut met_at_work, mut left_open) = (0, 0);
    for step in 0.. {
        let mut talk = home.start(&["forget", "google", "--data", "--yes"]);
        assert!(talk.line().unwrap().contains("goes for good"));
        std::thread::sleep(Duration::from_micros(250 * step));
        talk.signal(rustix::process::Signal::KILL);
        if talk.end().code.is_some() {
            break;
        }
        met_at_work += 1;
        if Hub::open(&home.state()).unwrap().is_being_forgotten("google").unwrap() {
            left_open += 1;
            home.sync().expect(2).says(&["twofold forget google"]);
        }
    }
    home.run(&["forget", "google", "--data", "--yes"]).expect(0);
    for words in [EARLIER, LATER, BURIED] {
        assert_eq!(holding(&home.state(), words), Vec::<String>::new(), "{words}");
        assert_eq!(holding(&home.laptop(), words), Vec::<String>::new(), "{words}");
    }
    assert_eq!(home.google_text(), people);
    (met_at_work, left_open)
}

#[test]
fn the_bytes_of_a_leaver_s_messages_are_gone() {
    let home = Home::with_mail(&BOTH);
    let raw = "From: a@example.com\r\nTo: b@example.com\r\nSubject: Xylographic-Subject\r\nMessage-ID: <x1@example.com>\r\n\
               Date: Mon, 02 Mar 2026 09:00:00 +0000\r\n\r\nXylographic-Body\r\n";
    home.sandbox.google_add_mail(raw.as_bytes(), &["INBOX"]);
    home.sync().expect(0);
    let count = || Store::look(&home.state().join("blobs")).unwrap().hashes().count();
    let before = count();
    assert!(!holding(&home.state(), "Xylographic-Subject").is_empty());
    home.sandbox.reset_counts();
    home.run(&["forget", "google", "--data", "--yes"]).expect(0);
    assert!(count() < before && count() > 0, "{before} then {}", count());
    for words in ["Xylographic-Subject", "Xylographic-Body"] {
        assert_eq!(holding(&home.state(), words), Vec::<String>::new(), "{words}");
        assert_eq!(holding(&home.laptop(), words), Vec::<String>::new(), "{words}");
    }
    assert_eq!(home.writes(), 0);
    home.run(&["doctor", "--full"]);
}

#[test]
fn of_a_leaver_no_empty_folder_stays_of_which_each_run_would_speak() {
    let mut home = Home::with_mail(&BOTH);
    home.sync().expect(0);
    assert!(home.laptop().join("google/mail/cur").is_dir());
    fs::write(home.laptop().join("google/mail/subscriptions"), "Work\n").unwrap();
    home.run(&["forget", "google", "--data", "--yes"]).expect(0);
    assert!(!home.laptop().join("google").exists(), "{:?}", files(&home.laptop()).keys());
    assert!(home.laptop().join("microsoft365/mail/cur").is_dir());
    home.providers = MICROSOFT.to_vec();
    fs::write(home.config(), home.configuration("")).unwrap();
    let ran = home.sync().expect(0);
    assert!(!format!("{}{}", ran.out, ran.err).contains("google"), "{ran}");
}

#[test]
fn what_a_leaver_put_beside_the_messages_stays() {
    let home = Home::with_mail(&GOOGLE);
    home.sync().expect(0);
    let mine = home.laptop().join("google/mail/mine.txt");
    fs::write(&mine, "not twofold's").unwrap();
    home.run(&["forget", "google", "--data", "--yes"]).expect(0);
    assert_eq!(fs::read_to_string(&mine).unwrap(), "not twofold's");
}

#[test]
fn what_is_said_to_type_names_the_configuration_and_a_file() {
    let home = Home::synced(&GOOGLE);
    let config = home.config().display().to_string();
    let ran = home.run(&["--config", &config, "forget", "laptop"]).expect(2);
    ran.shows(&[&format!("make a new one (twofold --config {config} backup FILE)")])
        .says(&[&format!("Type: twofold --config {config} forget laptop --yes")]);
}
