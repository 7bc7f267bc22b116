//! What a message carries beside Maildir's own flags, when a program moves its file from one folder of a Maildir++ to another. The letters of
//! such words count in their folder alone (`dovecot-keywords`): `mv` keeps them, neomutt drops them, and Dovecot writes those of the new folder.

use super::bench::{flag, put};
use super::{Mail, deliver, gmail_labels, graph, is_read, mail, only, settled, synced};
use crate::common::{BOTH, GOOGLE, Home};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What the folder is called that messages are moved to.
const FOLDER: &str = ".Rechnungen";

fn maildir(home: &Home, provider: &str, folder: &str) -> PathBuf {
    home.laptop().join(provider).join("mail").join(folder)
}

/// The words behind small letters, by the table of a Maildir.
fn table(maildir: &Path) -> Vec<(char, String)> {
    let text = fs::read_to_string(maildir.join("dovecot-keywords")).unwrap_or_default();
    let line = |line: &str| {
        let (number, word) = line.split_once(' ').unwrap();
        (char::from(b'a' + number.parse::<u8>().unwrap()), word.to_owned())
    };
    text.lines().map(line).collect()
}

/// What the letters of a file say in its folder. One that says nothing there is a question mark.
fn says(mail: &Mail) -> BTreeSet<String> {
    let table = table(mail.path.parent().and_then(Path::parent).unwrap());
    let word =
        |letter: &char| table.iter().find(|(known, _)| known == letter).map_or("?".into(), |(_, word)| word.clone());
    mail.flags().iter().filter(|letter| letter.is_ascii_lowercase()).map(word).collect()
}

fn set(words: &[&str]) -> BTreeSet<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// The categories of a message at Graph, in small letters.
fn categories(home: &Home, subject: &str) -> BTreeSet<String> {
    let there = graph(home, subject)["categories"].clone();
    there.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_lowercase).collect()
}

/// A message with these words in the inbox, at the account (a category of Microsoft 365) and in the name of its file. Answers its id.
fn with_words(home: &Home, provider: &str, subject: &str, words: &[&str]) -> String {
    let id = deliver(home, provider, subject);
    if provider == "microsoft365" {
        home.sandbox.graph_mail_edit(&id, &json!({"categories": words})).unwrap();
        home.sync().expect(0);
        return id;
    }
    home.sync().expect(0);
    let inbox = maildir(home, provider, "");
    let mut known = table(&inbox);
    let mut flags = String::new();
    for word in words {
        let next = char::from(b'a' + u8::try_from(known.len()).unwrap());
        let letter = known.iter().find(|(_, had)| had == word).map_or(next, |(letter, _)| *letter);
        if letter == next {
            known.push((letter, (*word).to_owned()));
        }
        flags.push(letter);
    }
    let lines = known.iter().enumerate().map(|(number, (_, word))| format!("{number} {word}\n"));
    fs::write(inbox.join("dovecot-keywords"), lines.collect::<String>()).unwrap();
    flag(&only(mail(home, provider, subject), subject), &flags);
    home.sync().expect(0);
    id
}

/// The small letters of the only file of a message.
fn letters_of(home: &Home, provider: &str, subject: &str) -> String {
    only(mail(home, provider, subject), subject).flags().into_iter().filter(char::is_ascii_lowercase).collect()
}

/// A synced home with a folder beside the inbox, whose letters mean what `letters` says.
fn with_folder(provider: &'static str, letters: &str) -> Home {
    let home = synced(&[provider]);
    if provider == "google" {
        home.sandbox.google_add_label(&FOLDER[1..]).unwrap();
        home.sync().expect(0);
    }
    if !letters.is_empty() {
        fs::write(maildir(&home, provider, FOLDER).join("dovecot-keywords"), letters).unwrap();
    }
    home
}

/// Moves the file of a message to the folder under its name with these flags.
fn move_as(home: &Home, provider: &str, subject: &str, flags: &str) {
    let from = only(mail(home, provider, subject), subject).path;
    let name = from.file_name().unwrap().to_string_lossy().into_owned();
    let base = name.split(":2,").next().unwrap();
    fs::rename(&from, maildir(home, provider, FOLDER).join("cur").join(format!("{base}:2,{flags}"))).unwrap();
}

/// Moves it as neomutt does: another name, lines of its own, and none of the letters that it does not know.
fn move_by_neomutt(home: &Home, provider: &str, subject: &str, flags: &str) {
    let from = only(mail(home, provider, subject), subject);
    let text = String::from_utf8(from.bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let bytes = format!("{head}\r\nContent-Length: {}\r\nLines: 1\r\n\r\n{body}", body.len());
    put(home, provider, &format!("{FOLDER}/cur/1772442000.R7.desk:2,{flags}"), bytes.as_bytes());
    fs::remove_file(from.path).unwrap();
}

/// The message stands in the folder with these words, at its account and in the name of its file, and a further run writes nothing.
#[track_caller]
fn has_moved(home: &Home, provider: &str, (subject, id): (&str, &str), words: &[&str], what: &str) {
    let (what, here) = (format!("{provider}, {what}"), mail(home, provider, subject));
    let file = here.iter().find(|mail| mail.folder() == FOLDER).unwrap_or_else(|| panic!("{what}: moved"));
    assert_eq!((here.len(), says(file)), (1, set(words)), "{what}: {}", file.path.display());
    match provider {
        "google" => assert!(!gmail_labels(home, id).contains("INBOX"), "{what}"),
        _ => {
            assert_eq!(graph(home, subject)["folder"], json!([&FOLDER[1..]]), "{what}");
            assert_eq!(categories(home, subject), set(words), "{what}");
        }
    }
    settled(home, &what);
}

#[test]
fn promise_5_mv_to_another_folder_keeps_the_words_of_a_message_and_gives_it_none() {
    for provider in BOTH {
        for (letters, what) in [
            ("", "letters that mean nothing"),
            ("0 home\n1 later\n", "letters of other words"),
            ("0 play\n1 work\n2 later\n", "the same words by other letters"),
        ] {
            let home = with_folder(provider, letters);
            let id = with_words(&home, provider, "Alphorn", &["work", "play"]);
            let had = letters_of(&home, provider, "Alphorn");
            move_as(&home, provider, "Alphorn", &format!("FS{had}"));
            home.sync().expect(0);
            has_moved(&home, provider, ("Alphorn", &id), &["play", "work"], what);
            assert!(is_read(&home, provider, &id, "Alphorn"), "{provider}: what Maildir's own letters say counts");
        }
    }
}

#[test]
fn promise_5_files_that_bring_the_letters_of_their_folder_along_give_each_other_no_words() {
    for provider in BOTH {
        for is_one_run in [true, false] {
            let what = format!("in one run: {is_one_run}");
            let home = with_folder(provider, "");
            let words = [("Alphorn", "work"), ("Birdsong", "play"), ("Clavichord", "later")];
            let ids = words.map(|(subject, word)| with_words(&home, provider, subject, &[word]));
            // Those that came last are written first.
            for (subject, _) in words.into_iter().rev() {
                move_as(&home, provider, subject, &letters_of(&home, provider, subject));
                if !is_one_run {
                    home.sync().expect(0);
                }
            }
            home.sync().expect(0);
            for ((subject, word), id) in words.into_iter().zip(&ids) {
                has_moved(&home, provider, (subject, id), &[word], &what);
            }
        }
    }
}

#[test]
fn promise_5_a_program_that_drops_letters_it_does_not_know_takes_no_words_from_what_it_moves() {
    for provider in BOTH {
        for is_written_anew in [true, false] {
            let what = format!("written anew: {is_written_anew}");
            let home = with_folder(provider, "0 later\n");
            let id = with_words(&home, provider, "Alphorn", &["work", "play"]);
            match is_written_anew {
                true => move_by_neomutt(&home, provider, "Alphorn", "RS"),
                false => move_as(&home, provider, "Alphorn", "RS"),
            }
            home.sync().expect(0);
            has_moved(&home, provider, ("Alphorn", &id), &["play", "work"], &what);
            assert!(is_read(&home, provider, &id, "Alphorn"), "{provider}: what Maildir's own letters say counts");
            let flags = only(mail(&home, provider, "Alphorn"), &what).flags();
            assert!(flags.contains(&'R') && flags.contains(&'S'), "{provider}: {flags:?}");
        }
    }
}

#[test]
fn promise_5_a_program_that_writes_the_letters_of_the_new_folder_is_taken_at_its_word() {
    for provider in BOTH {
        for (letters, flags, words, what) in [
            ("20 work\n21 play\n", "Suv", &["play", "work"][..], "it moves them all"),
            ("20 work\n21 play\n22 later\n", "uw", &["later", "work"], "one was taken off, and one set"),
            ("20 work\n", "Su", &["play", "work"], "the folder has no letter for one"),
        ] {
            let home = with_folder(provider, letters);
            let id = with_words(&home, provider, "Alphorn", &["work", "play"]);
            move_as(&home, provider, "Alphorn", flags);
            home.sync().expect(0);
            has_moved(&home, provider, ("Alphorn", &id), words, what);
        }
    }
}

#[test]
fn promise_5_forwarded_is_not_taken_off_by_a_program_that_knows_neither_of_its_letters() {
    for (own, keeps_letters, is_forwarded, what) in [
        ("S", false, true, "it drops both"),
        ("PS", true, true, "it keeps both"),
        ("S", true, false, "it takes P away alone"),
    ] {
        let home = with_folder("microsoft365", "");
        let id = deliver(&home, "microsoft365", "Alphorn");
        let there = json!({"singleValueExtendedProperties": [
            {"id": "Integer 0x1081", "value": "104"}, {"id": "Integer 0x1080", "value": "262"},
        ]});
        home.sandbox.graph_mail_edit(&id, &there).unwrap();
        home.sync().expect(0);
        let file = only(mail(&home, "microsoft365", "Alphorn"), what);
        assert!(file.flags().contains(&'P') && says(&file) == set(&["$forwarded"]), "{:?}", file.path);
        let letters = if keeps_letters { letters_of(&home, "microsoft365", "Alphorn") } else { String::new() };
        move_as(&home, "microsoft365", "Alphorn", &format!("{own}{letters}"));
        home.sync().expect(0);
        let there = graph(&home, "Alphorn")["extended"]["Integer 0x1081"] == "104";
        assert_eq!(there, is_forwarded, "{what}");
        let here = only(mail(&home, "microsoft365", "Alphorn"), what);
        assert_eq!(
            (here.flags().contains(&'P'), says(&here).contains("$forwarded")),
            (is_forwarded, is_forwarded),
            "{what}"
        );
        settled(&home, what);
    }
}

/// A message has one file in a folder of Gmail's: the further one is taken away.
#[test]
fn promise_5_a_file_that_neomutt_moves_to_where_its_message_stands_takes_no_words_from_it() {
    let home = with_folder(GOOGLE[0], "");
    let id = with_words(&home, "google", "Alphorn", &["work"]);
    let label = home.sandbox.google_labels().into_iter().find(|label| label["name"] == FOLDER[1..]).unwrap();
    home.sandbox.google_label_mail(&id, &[label["id"].as_str().unwrap()], &[]).unwrap();
    home.sync().expect(0);
    let files = mail(&home, "google", "Alphorn");
    assert_eq!(files.iter().map(says).collect::<Vec<_>>(), [set(&["work"]), set(&["work"])]);
    let inbox = files.into_iter().find(|mail| mail.folder().is_empty()).unwrap();
    put(&home, "google", &format!("{FOLDER}/cur/1772442000.R7.desk:2,S"), &inbox.bytes);
    fs::remove_file(inbox.path).unwrap();
    home.sync().expect(0);
    has_moved(&home, "google", ("Alphorn", &id), &["work"], "put beside");
    assert!(is_read(&home, "google", &id, "Alphorn"));
}

#[test]
fn a_category_that_a_device_could_not_note_yet_stays_at_its_account_and_is_noted_later() {
    let home = synced(&["microsoft365"]);
    let id = deliver(&home, "microsoft365", "Noted");
    home.sandbox.graph_mail_edit(&id, &json!({"categories": ["New"]})).unwrap();
    // Another program holds the lock under which words are noted, for longer than anybody waits.
    let lock = maildir(&home, "microsoft365", "").join("dovecot-uidlist.lock");
    fs::write(&lock, "1:elsewhere.example").unwrap();
    for _ in 0..2 {
        assert_ne!(home.sync().code, Some(0), "it is not aligned");
        assert_eq!(categories(&home, "Noted"), set(&["new"]), "nobody took it off");
    }
    fs::remove_file(&lock).unwrap();
    home.sync().expect(0);
    assert_eq!(says(&only(mail(&home, "microsoft365", "Noted"), "Noted")), set(&["new"]));
    assert_eq!(categories(&home, "Noted"), set(&["new"]));
    settled(&home, "noted");
}
