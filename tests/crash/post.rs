//! What the user does to messages: with another client of a provider, and with a program that reads Maildirs, as mutt does.

use super::letters::{self, ARCHIVE, DRAFTS, INBOX, LETTERS, TRASH};
use super::mailbox::{OWN, SEEDS, Seed};
use super::rows::{each, text};
use super::scenarios::{Deed, Field, Side};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};
use twofold_sandbox::Sandbox;

/// When everything was written, and what a device puts in was received: 2026-03-02T09:00:00Z.
pub const WRITTEN_S: u64 = 1_772_442_000;
/// What a message says until somebody writes on it.
const FIRST: &str = "As it was first sent";

/// The bytes of a message. Those of one name are two: what begins so has one Message-ID.
pub fn bytes(name: &str, says: &str) -> Vec<u8> {
    let id = name.split_once(' ').map_or(name, |(first, _)| first).to_lowercase();
    let mut all = format!(
        "Date: Mon, 2 Mar 2026 09:00:00 +0000\r\nFrom: Grace <grace@example.org>\r\nTo: ada@example.com\r\nSubject: {name}\r\n\
         Message-ID: <{id}@example.org>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nX-Odd:\t"
    )
    .into_bytes();
    // Not UTF-8, and blanks at the end of a line: whoever writes a message anew is found out.
    all.extend(b"\xE9  \r\n\r\n");
    all.extend(format!("{says}\r\n\r\n-- \r\n{name}\r\n").bytes());
    all
}

/// Fills both providers with [`SEEDS`].
pub fn populate(sandbox: &Sandbox) {
    sandbox.graph_mail_archive_create().unwrap();
    for name in OWN {
        make_at_google(sandbox, name);
        make_at_microsoft(sandbox, name);
    }
    for Seed { name, mailboxes, marks } in SEEDS {
        at_google(sandbox, &if mailboxes[0] == DRAFTS { Deed::Draft(name) } else { Deed::Create(name) });
        let labels: Vec<String> = mailboxes.iter().map(|mailbox| letters::google_label(sandbox, mailbox)).collect();
        let labels: Vec<&str> =
            labels.iter().map(String::as_str).filter(|label| !["", "DRAFT"].contains(label)).collect();
        if mailboxes[0] != DRAFTS {
            let id = google_id(sandbox, name);
            sandbox.google_label_mail(&id, &[], &["INBOX"]).unwrap();
            sandbox.google_label_mail(&id, &labels, &[]).unwrap();
        }
        match mailboxes[0] {
            DRAFTS => at_microsoft(sandbox, &Deed::Draft(name)),
            mailbox => {
                let folder = letters::microsoft_folder(sandbox, mailbox);
                sandbox.graph_mail_deliver(&folder, &bytes(name, FIRST)).unwrap();
            }
        }
        for mark in *marks {
            at_google(sandbox, &Deed::Mark(name, mark));
            at_microsoft(sandbox, &Deed::Mark(name, mark));
        }
    }
}

// ---- Google -----------------------------------------------------------------------------------------------------------

fn is_named(bytes: &[u8], name: &str) -> bool {
    String::from_utf8_lossy(bytes).contains(&format!("Subject: {name}\r\n"))
}

fn google_message(sandbox: &Sandbox, name: &str) -> Value {
    let is_it = |message: &Value| is_named(&sandbox.google_message_raw(&text(&message["id"])).unwrap(), name);
    let found = sandbox.google_messages().into_iter().find(is_it);
    found.unwrap_or_else(|| panic!("{name} is not at Google"))
}

fn google_id(sandbox: &Sandbox, name: &str) -> String {
    text(&google_message(sandbox, name)["id"])
}

fn make_at_google(sandbox: &Sandbox, name: &str) {
    sandbox.google_add_label(name).unwrap();
}

/// The label that says a mark, and whether it says the opposite.
fn google_mark(mark: &str) -> (&'static str, bool) {
    match mark {
        "seen" => ("UNREAD", true),
        "flagged" => ("STARRED", false),
        "important" => ("IMPORTANT", false),
        _ => panic!("Google has no {mark}"),
    }
}

/// With another client of Google's.
pub fn at_google(sandbox: &Sandbox, deed: &Deed) {
    let relabel = |name: &str, add: &[&str], remove: &[&str]| {
        sandbox.google_label_mail(&google_id(sandbox, name), add, remove).unwrap();
    };
    let mark = |name: &str, mark: &str, is: bool| {
        let (label, is_opposite) = google_mark(mark);
        if is != is_opposite { relabel(name, &[label], &[]) } else { relabel(name, &[], &[label]) }
    };
    match deed {
        Deed::Create(name) => drop(sandbox.google_add_mail(&bytes(name, FIRST), &["INBOX", "UNREAD"])),
        Deed::Draft(name) => drop(sandbox.google_add_draft(&bytes(name, FIRST)).unwrap()),
        Deed::Set(name, Field::Text, says) => {
            let draft = text(&google_message(sandbox, name)["draft"]);
            sandbox.google_edit_draft(&draft, &bytes(name, says)).unwrap();
        }
        Deed::Mark(name, word) => mark(name, word, true),
        Deed::Unmark(name, word) => mark(name, word, false),
        Deed::Put(name, mailbox) => relabel(name, &[&letters::google_label(sandbox, mailbox)], &[]),
        Deed::Take(name, mailbox) => relabel(name, &[], &[&letters::google_label(sandbox, mailbox)]),
        Deed::Move(name, TRASH) => sandbox.google_trash_mail(&google_id(sandbox, name)).unwrap(),
        Deed::Move(name, to) => {
            let labels: BTreeSet<String> = each(&google_message(sandbox, name)["labelIds"], "").collect();
            let is_place = |label: &&str| label.starts_with("Label_") || ["INBOX", "SPAM", "TRASH"].contains(label);
            let from: Vec<&str> = labels.iter().map(String::as_str).filter(is_place).collect();
            match *to {
                ARCHIVE => relabel(name, &[], &from),
                to => relabel(name, &[&letters::google_label(sandbox, to)], &from),
            }
        }
        Deed::Delete(name) => {
            let message = google_message(sandbox, name);
            let is_in_trash = each(&message["labelIds"], "").any(|label| label == "TRASH");
            match is_in_trash {
                true => sandbox.google_delete_mail(&text(&message["id"])).unwrap(),
                false => sandbox.google_trash_mail(&text(&message["id"])).unwrap(),
            }
        }
        Deed::MakeMailbox(name) => make_at_google(sandbox, name),
        Deed::RenameMailbox(from, to) => {
            sandbox.google_rename_label(&letters::google_label(sandbox, from), to).unwrap();
        }
        _ => panic!("{deed:?} is not for Google's messages"),
    }
}

// ---- Microsoft --------------------------------------------------------------------------------------------------------

fn microsoft_message(sandbox: &Sandbox, name: &str) -> Value {
    let found = sandbox.graph_mail_messages().into_iter().find(|message| message["subject"] == name);
    found.unwrap_or_else(|| panic!("{name} is not at Microsoft"))
}

fn make_at_microsoft(sandbox: &Sandbox, name: &str) {
    let (parent, own) = name.rsplit_once('/').map_or(("", name), |(parent, own)| (parent, own));
    let parent = if parent.is_empty() { String::new() } else { letters::microsoft_folder(sandbox, parent) };
    sandbox.graph_mail_folder_create(&parent, own).unwrap();
}

/// With another client of Microsoft's.
pub fn at_microsoft(sandbox: &Sandbox, deed: &Deed) {
    let id = |name: &str| text(&microsoft_message(sandbox, name)["id"]);
    let mark = |name: &str, word: &str, is: bool| {
        let message = microsoft_message(sandbox, name);
        let mut categories: BTreeSet<String> = each(&message["categories"], "").collect();
        let set = match word {
            "seen" => json!({ "isRead": is }),
            "flagged" => json!({ "flag": { "flagStatus": if is { "flagged" } else { "notFlagged" } } }),
            "important" => json!({ "importance": if is { "high" } else { "normal" } }),
            word => {
                if is {
                    categories.insert(word.to_owned())
                } else {
                    categories.remove(word)
                };
                json!({ "categories": categories })
            }
        };
        sandbox.graph_mail_edit(&text(&message["id"]), &set).unwrap();
    };
    match deed {
        Deed::Create(name) => drop(sandbox.graph_mail_deliver("inbox", &bytes(name, FIRST)).unwrap()),
        Deed::Draft(name) => drop(sandbox.graph_mail_draft(&bytes(name, FIRST))),
        Deed::Set(name, Field::Text, says) => sandbox.graph_mail_edit_draft(&id(name), &bytes(name, says)).unwrap(),
        Deed::Mark(name, word) => mark(name, word, true),
        Deed::Unmark(name, word) => mark(name, word, false),
        Deed::Move(name, to) => {
            sandbox.graph_mail_move(&id(name), &letters::microsoft_folder(sandbox, to)).unwrap();
        }
        Deed::Delete(name) => sandbox.graph_mail_delete(&id(name)).unwrap(),
        Deed::MakeMailbox(name) => make_at_microsoft(sandbox, name),
        Deed::RenameMailbox(from, to) => {
            let own = to.rsplit_once('/').map_or(*to, |(_, own)| own);
            sandbox.graph_mail_folder_rename(&letters::microsoft_folder(sandbox, from), own).unwrap();
        }
        _ => panic!("{deed:?} is not for Microsoft's messages"),
    }
}

// ---- the device -------------------------------------------------------------------------------------------------------

/// The files of a message.
fn files_of(root: &Path, side: Side, name: &str) -> Vec<letters::Letter> {
    let found: Vec<letters::Letter> =
        letters::files(root, side).into_iter().filter(|letter| letter.name == name).collect();
    assert!(!found.is_empty(), "{name} is not in {}", root.display());
    found
}

fn file_in(root: &Path, side: Side, name: &str, mailbox: &str) -> PathBuf {
    let found = files_of(root, side, name).into_iter().find(|letter| letter.mailbox == mailbox);
    found.unwrap_or_else(|| panic!("{name} is not in {mailbox}")).path
}

/// A new file, received when it was written.
fn deliver(root: &Path, side: Side, (name, mailbox, flags): (&str, &str, &str)) {
    let base =
        format!("{WRITTEN_S}.M{}P1.desk", name.bytes().fold(0_u32, |sum, byte| sum * 31 % 99991 + u32::from(byte)));
    let path = letters::maildir(root, side, mailbox).join("cur").join(format!("{base}:2,{flags}"));
    std::fs::write(&path, bytes(name, FIRST)).unwrap();
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    file.set_modified(UNIX_EPOCH + Duration::from_secs(WRITTEN_S)).unwrap();
}

/// The letter of a mark in a Maildir, which gets one if it has none.
fn letter_of(maildir: &Path, mark: &str) -> char {
    if let Some((letter, _)) = LETTERS.iter().find(|(_, word)| *word == mark) {
        return *letter;
    }
    let mut words = letters::words(maildir);
    let at = words.iter().position(|word| word == mark).unwrap_or_else(|| {
        let word = if mark == "important" { "$important" } else { mark };
        let path = maildir.join("dovecot-keywords");
        let table = std::fs::read_to_string(&path).unwrap_or_default();
        std::fs::write(&path, format!("{table}{} {word}\n", words.len())).unwrap();
        words.push(mark.to_owned());
        words.len() - 1
    });
    char::from(b'a' + u8::try_from(at).unwrap())
}

/// The name of a file with these marks in a Maildir.
fn named(maildir: &Path, file: &Path, marks: &BTreeSet<String>) -> PathBuf {
    let file = file.file_name().unwrap().to_string_lossy().into_owned();
    let base = file.rsplit_once(":2,").map_or(&*file, |(base, _)| base);
    let flags: BTreeSet<char> = marks.iter().map(|mark| letter_of(maildir, mark)).collect();
    maildir.join("cur").join(format!("{base}:2,{}", flags.into_iter().collect::<String>()))
}

/// What a file is called in another mailbox, where other letters mean its words.
fn place_in(root: &Path, side: Side, letter: &letters::Letter, mailbox: &str) -> PathBuf {
    let maildir = letters::maildir(root, side, mailbox);
    match letter.path.parent().unwrap().ends_with("new") {
        true => maildir.join("new").join(letter.path.file_name().unwrap()),
        false => named(&maildir, &letter.path, &letter.marks),
    }
}

/// Changes the flags of one file of a message.
fn mark(root: &Path, side: Side, (name, word): (&str, &str), is: bool) {
    let letter = files_of(root, side, name).remove(0);
    let mut marks = letter.marks.clone();
    if is {
        marks.insert(word.to_owned())
    } else {
        marks.remove(word)
    };
    let maildir = letters::maildir(root, side, &letter.mailbox);
    std::fs::rename(&letter.path, named(&maildir, &letter.path, &marks)).unwrap();
}

/// With a program that reads Maildirs. `root` is the INBOX, beside which the others are.
pub fn on_device(root: &Path, side: Side, deed: &Deed) {
    match deed {
        Deed::Create(name) => deliver(root, side, (name, INBOX, "S")),
        Deed::Draft(name) => deliver(root, side, (name, DRAFTS, "DS")),
        Deed::Mark(name, word) => mark(root, side, (name, word), true),
        Deed::Unmark(name, word) => mark(root, side, (name, word), false),
        Deed::Put(name, mailbox) => {
            let letter = files_of(root, side, name).remove(0);
            std::fs::hard_link(&letter.path, place_in(root, side, &letter, mailbox)).unwrap();
        }
        Deed::Take(name, mailbox) => std::fs::remove_file(file_in(root, side, name, mailbox)).unwrap(),
        Deed::Move(name, to) => {
            let letter = files_of(root, side, name).remove(0);
            std::fs::rename(&letter.path, place_in(root, side, &letter, to)).unwrap();
        }
        Deed::Delete(name) => {
            files_of(root, side, name).iter().for_each(|letter| std::fs::remove_file(&letter.path).unwrap());
        }
        Deed::MakeMailbox(name) => {
            let maildir = letters::maildir(root, side, name);
            ["tmp", "new", "cur"].iter().for_each(|part| std::fs::create_dir_all(maildir.join(part)).unwrap());
        }
        Deed::RenameMailbox(from, to) => {
            std::fs::rename(letters::maildir(root, side, from), letters::maildir(root, side, to)).unwrap();
        }
        _ => panic!("{deed:?} is not for messages on a device"),
    }
}
