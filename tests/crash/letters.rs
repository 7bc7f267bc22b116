//! Messages, read plainly from what a provider holds and from the files of Maildirs.

use super::post;
use super::rows::{self, Row, each, text};
use super::scenarios::{Field, Side};
use chrono::DateTime;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;
use twofold_sandbox::Sandbox;

/// The mailboxes that everybody has: what they are called here, Google's label, Microsoft's folder, and the Maildirs of the two.
const KNOWN: [(&str, &str, &str, &str, &str); 6] = [
    (INBOX, "INBOX", "Posteingang", "", ""),
    (DRAFTS, "DRAFT", "Entwürfe", ".Drafts", ".Entw&APw-rfe"),
    (SENT, "SENT", "Gesendete Elemente", ".Sent", ".Gesendete Elemente"),
    (SPAM, "SPAM", "Junk-E-Mail", ".Spam", ".Junk-E-Mail"),
    (TRASH, "TRASH", "Gelöschte Elemente", ".Trash", ".Gel&APY-schte Elemente"),
    (ARCHIVE, "", "Archiv", ".Archive", ".Archiv"),
];
pub const INBOX: &str = "INBOX";
pub const DRAFTS: &str = "Drafts";
pub const SENT: &str = "Sent";
pub const SPAM: &str = "Spam";
pub const TRASH: &str = "Trash";
pub const ARCHIVE: &str = "Archive";

/// The letters of Maildir.
pub const LETTERS: [(char, &str); 5] =
    [('D', "draft"), ('F', "flagged"), ('P', "forwarded"), ('R', "answered"), ('S', "seen")];

/// A mailbox of the user's own; it has a row even if nothing stands in it.
fn mailbox(name: &str) -> Row {
    Row::new(format!("the mailbox {name}"))
}

/// Everything of a side's mail at the provider.
pub fn at_provider(sandbox: &Sandbox, side: Side) -> Vec<Row> {
    match side {
        Side::Google => at_google(sandbox),
        Side::Microsoft => at_microsoft(sandbox),
    }
}

/// What some bytes say of a message: its row, and whether they are those that were sent.
fn read(bytes: &[u8]) -> (Row, bool) {
    let all = String::from_utf8_lossy(bytes);
    let (head, body) = all.split_once("\r\n\r\n").unwrap_or((&all, ""));
    let line = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim().to_owned();
    let body = match line("Content-Transfer-Encoding:").as_str() {
        "base64" => String::from_utf8(rows::from_base64(body)).unwrap(),
        _ => body.to_owned(),
    };
    let (name, says) = (line("Subject:"), body.lines().next().unwrap_or_default().trim().to_owned());
    let is_as_sent = post::bytes(&name, &says) == bytes;
    (Row::new(name).with(Field::Text, says), is_as_sent)
}

fn whole(bytes: &[u8]) -> Row {
    match read(bytes) {
        (row, true) => row,
        (row, false) => row.with(Field::Damage, String::from_utf8_lossy(bytes)),
    }
}

/// A draft has no time at which it was received.
fn received(row: Row, seconds: i64) -> Row {
    if row.holds(Field::Mark, "draft") { row } else { row.with(Field::Received, seconds.to_string()) }
}

// ---- Google -----------------------------------------------------------------------------------------------------------

/// The id of a mailbox at Google; the archive is no label.
pub fn google_label(sandbox: &Sandbox, name: &str) -> String {
    if let Some((_, label, ..)) = KNOWN.iter().find(|(known, ..)| *known == name) {
        return (*label).to_owned();
    }
    let labels = sandbox.google_labels();
    let found = labels.iter().find(|label| label["name"] == name);
    text(&found.unwrap_or_else(|| panic!("{name} is no label"))["id"])
}

/// Where Gmail shows a message with these labels.
fn stands(labels: &BTreeSet<String>, own: &BTreeMap<String, String>) -> Vec<String> {
    if let Some(alone) = [("TRASH", TRASH), ("SPAM", SPAM)].iter().find(|(label, _)| labels.contains(*label)) {
        return vec![alone.1.to_owned()];
    }
    let known = KNOWN.iter().filter(|(_, label, ..)| labels.contains(*label)).map(|(name, ..)| (*name).to_owned());
    let places: Vec<String> = known.chain(labels.iter().filter_map(|id| own.get(id).cloned())).collect();
    if places.is_empty() { vec![ARCHIVE.to_owned()] } else { places }
}

fn at_google(sandbox: &Sandbox) -> Vec<Row> {
    let own: BTreeMap<String, String> =
        sandbox.google_labels().iter().map(|label| (text(&label["id"]), text(&label["name"]))).collect();
    let mut rows: Vec<Row> = own.values().map(|name| mailbox(name)).collect();
    for message in sandbox.google_messages() {
        let labels: BTreeSet<String> = each(&message["labelIds"], "").collect();
        let has = |label: &str| labels.contains(label);
        let marks = [("seen", !has("UNREAD")), ("flagged", has("STARRED")), ("important", has("IMPORTANT"))];
        let marks = marks.into_iter().chain([("draft", has("DRAFT"))]).filter(|(_, is)| *is);
        let seconds = text(&message["internalDate"]).parse::<i64>().unwrap() / 1000;
        let row = whole(&sandbox.google_message_raw(&text(&message["id"])).unwrap())
            .with_all(Field::Mailbox, stands(&labels, &own))
            .with_all(Field::Mark, marks.map(|(mark, _)| mark.to_owned()));
        rows.push(received(row, seconds));
    }
    rows
}

// ---- Microsoft --------------------------------------------------------------------------------------------------------

/// The id of a mailbox at Microsoft.
pub fn microsoft_folder(sandbox: &Sandbox, name: &str) -> String {
    let folders = sandbox.graph_mail_folders();
    let found = folders.iter().find(|folder| microsoft_name(&folder["path"]) == name);
    text(&found.unwrap_or_else(|| panic!("{name} is no folder"))["id"])
}

/// What a folder of Microsoft's is called here.
fn microsoft_name(path: &Value) -> String {
    let mut names: Vec<String> = each(path, "").collect();
    if let Some((name, ..)) = KNOWN.iter().find(|(_, _, folder, ..)| names.first().is_some_and(|top| top == folder)) {
        names[0] = (*name).to_owned();
    }
    names.join("/")
}

fn at_microsoft(sandbox: &Sandbox) -> Vec<Row> {
    let folders = sandbox.graph_mail_folders();
    let is_shown = |folder: &&Value| {
        let is_mail = !["Kalender", "Kontakte", "Postausgang"].iter().any(|name| folder["path"][0] == *name);
        is_mail
            && folder["hidden"] != true
            && folder["search"] != true
            && folder["wellKnown"] != "recoverableitemsdeletions"
    };
    let names: BTreeMap<String, String> = folders
        .iter()
        .filter(is_shown)
        .map(|folder| (folder["path"].to_string(), microsoft_name(&folder["path"])))
        .collect();
    let is_own = |name: &&String| !KNOWN.iter().any(|(known, ..)| known == name);
    let mut rows: Vec<Row> = names.values().filter(is_own).map(|name| mailbox(name)).collect();
    for message in sandbox.graph_mail_messages() {
        let Some(name) = names.get(&message["folder"].to_string()) else { continue };
        // What came from a device is made of its parts there, so its bytes are others.
        let row = read(&sandbox.graph_mail_raw(&text(&message["id"])).unwrap()).0;
        let marks = [
            ("seen", message["isRead"] == true),
            ("flagged", message["flag"]["flagStatus"] == "flagged"),
            ("important", message["importance"] == "high"),
            ("draft", message["isDraft"] == true),
        ];
        let marks = marks.into_iter().filter(|(_, is)| *is).map(|(mark, _)| mark.to_owned());
        let seconds = DateTime::parse_from_rfc3339(&text(&message["receivedDateTime"])).unwrap().timestamp();
        let row = row
            .with(Field::Mailbox, name)
            .with_all(Field::Mark, marks)
            .with_all(Field::Mark, each(&message["categories"], ""));
        rows.push(received(row, seconds));
    }
    rows
}

// ---- the device -------------------------------------------------------------------------------------------------------

/// One file of a message.
pub struct Letter {
    pub path: PathBuf,
    pub mailbox: String,
    pub name: String,
    bytes: Vec<u8>,
    pub marks: BTreeSet<String>,
    row: Row,
    received: i64,
}

/// The Maildir of a mailbox.
pub fn maildir(root: &Path, side: Side, name: &str) -> PathBuf {
    match KNOWN.iter().find(|(known, ..)| *known == name) {
        Some((_, _, _, google, microsoft)) => root.join(if side == Side::Google { google } else { microsoft }),
        None => root.join(format!(".{}", name.replace('/', "."))),
    }
}

/// The Maildirs of a side, by what their mailboxes are called here.
fn maildirs(root: &Path, side: Side) -> BTreeMap<String, PathBuf> {
    let known = KNOWN.iter().map(|(name, ..)| ((*name).to_owned(), maildir(root, side, name)));
    let mut all: BTreeMap<String, PathBuf> = known.filter(|(_, path)| path.join("cur").is_dir()).collect();
    for entry in std::fs::read_dir(root).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_known = all.values().any(|path| *path == entry.path());
        if name.starts_with('.') && !is_known && entry.path().join("cur").is_dir() {
            all.insert(name[1..].replace('.', "/"), entry.path());
        }
    }
    all
}

/// The words behind the small letters of a Maildir.
pub fn words(maildir: &Path) -> Vec<String> {
    let table = std::fs::read_to_string(maildir.join("dovecot-keywords")).unwrap_or_default();
    let mut words = Vec::new();
    for line in table.lines() {
        let (number, word) = line.split_once(' ').unwrap();
        assert_eq!(number, words.len().to_string(), "{}: {table}", maildir.display());
        words.push(word.trim_start_matches('$').to_owned());
    }
    words
}

/// All files of a side's messages.
pub fn files(root: &Path, side: Side) -> Vec<Letter> {
    let mut all = Vec::new();
    for (mailbox, maildir) in maildirs(root, side) {
        let words = words(&maildir);
        for part in ["new", "cur"] {
            for entry in std::fs::read_dir(maildir.join(part)).unwrap() {
                let path = entry.unwrap().path();
                let bytes = std::fs::read(&path).unwrap();
                // Microsoft gives a message out in other bytes each time.
                let row = if side == Side::Google { whole(&bytes) } else { read(&bytes).0 };
                let file = path.file_name().unwrap().to_string_lossy().into_owned();
                let flags = file.rsplit_once(":2,").map(|(_, flags)| flags.to_owned()).unwrap_or_default();
                let mark = |flag: char| match LETTERS.iter().find(|(letter, _)| *letter == flag) {
                    Some((_, mark)) => (*mark).to_owned(),
                    None => match usize::from(flag as u8).checked_sub(usize::from(b'a')).and_then(|at| words.get(at)) {
                        Some(word) => word.clone(),
                        None => format!("letter {flag}"),
                    },
                };
                let marks = flags.chars().map(mark).collect();
                let modified = std::fs::metadata(&path).unwrap().modified().unwrap();
                let received = modified.duration_since(UNIX_EPOCH).unwrap().as_secs();
                let received = i64::try_from(received).unwrap();
                let (mailbox, name) = (mailbox.clone(), row.name.clone());
                all.push(Letter { path, mailbox, name, bytes, marks, row, received });
            }
        }
    }
    all.sort_by(|one, other| one.path.cmp(&other.path));
    all
}

/// Everything of a side's mail on the device. A message may have one file in each mailbox; a second one is another message.
pub fn in_maildirs(root: &Path, side: Side) -> Vec<Row> {
    let mut messages: Vec<Vec<Letter>> = Vec::new();
    for file in files(root, side) {
        let is_it = |message: &&mut Vec<Letter>| {
            message[0].row == file.row && message.iter().all(|other| other.mailbox != file.mailbox)
        };
        match messages.iter_mut().find(is_it) {
            Some(message) => message.push(file),
            None => messages.push(vec![file]),
        }
    }
    let is_own = |name: &&String| !KNOWN.iter().any(|(known, ..)| known == name);
    let mut rows: Vec<Row> = maildirs(root, side).keys().filter(is_own).map(|name| mailbox(name)).collect();
    for files in messages {
        let mut row = files[0].row.clone();
        for file in &files {
            row = row.with(Field::Mailbox, &file.mailbox);
            for mark in &file.marks {
                let is_everywhere = files.iter().all(|other| other.marks.contains(mark));
                row = row.with(
                    Field::Mark,
                    if is_everywhere { mark.clone() } else { format!("{mark} in {}", file.mailbox) },
                );
            }
        }
        rows.push(files.iter().fold(row, |row, file| received(row, file.received)));
    }
    rows
}

/// The bytes of each message on the device, by its side, its name, and what it says.
pub type Originals = BTreeMap<(bool, String, BTreeSet<String>), Vec<u8>>;

/// Notes the bytes of all messages of a side.
pub fn remember(root: &Path, side: Side, originals: &mut Originals) {
    for letter in files(root, side) {
        originals.insert((side == Side::Google, letter.name, letter.row.all(Field::Text)), letter.bytes);
    }
}

/// Files that have other bytes than those that were first received.
pub fn changed(root: &Path, side: Side, originals: &Originals) -> Vec<PathBuf> {
    let is_changed = |letter: &Letter| {
        let key = (side == Side::Google, letter.name.clone(), letter.row.all(Field::Text));
        originals.get(&key).is_some_and(|bytes| *bytes != letter.bytes)
    };
    files(root, side).into_iter().filter(is_changed).map(|letter| letter.path).collect()
}
