//! The demo's mail: marks, a move, a deletion and a new file on the device, a message that comes in at each provider. Each is read back
//! where it must have arrived: at a provider by what it says of the message, in a Maildir by the files that stand there.

use super::{Checks, failed, refused};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};
use twofold_model::{Error, ErrorKind, Result};
use twofold_sandbox::Sandbox;

const GOOGLE_MAILDIR: &str = "laptop/google/mail";
const MICROSOFT_MAILDIR: &str = "laptop/microsoft365/mail";

/// Messages of the sandbox, by their subjects.
const TWO_LABELS: &str = "Kartta";
const IN_DEPTH: (&str, &str) = ("Rechnung 4711", ".Rechnungen.2025");
const MARKED: [&str; 2] = ["Three books are due", "Text und HTML"];
const MOVED: [(&str, &str); 2] = [("Two in one", ".Klubi"), ("Foto", ".Archiv")];
const BINNED: (&str, &str) = ("Three books are overdue", ".Trash");
const REMOVED: [&str; 2] = ["First of the name", "WG: Innen"];
/// Messages of the demo.
const COMES: [&str; 2] = ["The tide tables are out", "The kiln has cooled"];
const NEW_FILE: [&str; 2] = ["Letter from the old computer", "Another letter from there"];
/// When the new files say that they were received, in seconds since 1970: 2019-05-04 10:20 UTC.
const RECEIVED_S: u64 = 1_556_965_200;

/// One file of a message on the device.
struct File {
    path: PathBuf,
    bytes: Vec<u8>,
}

impl File {
    /// The name in two: what all files of a message have in common, and its flags.
    fn name(&self) -> (String, String) {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let (base, flags) = name.split_once(":2,").unwrap_or((&name, ""));
        (base.to_owned(), flags.to_owned())
    }

    /// The Maildir in which it stands, as its folder is called.
    fn maildir(&self) -> String {
        let maildir = self.path.parent().and_then(Path::parent).and_then(Path::file_name);
        maildir.unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Puts it into a Maildir below the root, with these flags more than it has, as a mail program does.
    fn put(&self, root: &Path, maildir: &str, more: &str) -> Result<()> {
        let (base, had) = self.name();
        let flags: BTreeSet<char> = had.chars().chain(more.chars()).collect();
        let to = root.join(maildir).join("cur").join(format!("{base}:2,{}", flags.into_iter().collect::<String>()));
        fs::rename(&self.path, to).map_err(failed(format!("{} cannot be moved", self.path.display())))
    }

    /// Whether its header has this subject.
    fn is_about(&self, subject: &str) -> bool {
        let head = String::from_utf8_lossy(&self.bytes[..self.bytes.len().min(4_096)]);
        head.lines().take_while(|line| !line.is_empty()).any(|line| line.strip_prefix("Subject: ") == Some(subject))
    }
}

/// Every file of a Maildir with all its folders.
fn files(root: &Path) -> Result<Vec<File>> {
    let unread = |path: &Path| failed(format!("{} cannot be read", path.display()));
    let mut maildirs = vec![root.to_owned()];
    for entry in fs::read_dir(root).map_err(unread(root))?.flatten() {
        let is_maildir = entry.file_name().to_string_lossy().starts_with('.') && entry.path().join("cur").is_dir();
        maildirs.extend(is_maildir.then(|| entry.path()));
    }
    let mut all = Vec::new();
    for part in maildirs.iter().flat_map(|maildir| ["new", "cur"].map(|part| maildir.join(part))) {
        for entry in fs::read_dir(&part).map_err(unread(&part))?.flatten() {
            let path = entry.path();
            let bytes = fs::read(&path).map_err(unread(&path))?;
            all.push(File { path, bytes });
        }
    }
    Ok(all)
}

/// The files of the message with that subject.
fn about<'a>(files: &'a [File], subject: &str) -> Vec<&'a File> {
    files.iter().filter(|file| file.is_about(subject)).collect()
}

/// Its only file.
fn one<'a>(files: &'a [File], subject: &str) -> Result<&'a File> {
    match about(files, subject)[..] {
        [file] => Ok(file),
        _ => Err(Error::new(ErrorKind::Broken, format!("the demo found no single message \"{subject}\""))),
    }
}

/// The labels of the message at Gmail with these bytes, each message once.
fn labels(sandbox: &Sandbox, bytes: &[u8]) -> Vec<BTreeSet<String>> {
    let is_it = |message: &Value| {
        sandbox.google_message_raw(message["id"].as_str().unwrap_or_default()).is_some_and(|raw| raw == bytes)
    };
    let words =
        |value: &Value| value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
    sandbox
        .google_messages()
        .iter()
        .filter(|message| is_it(message))
        .map(|message| words(&message["labelIds"]))
        .collect()
}

/// The messages at Microsoft with this subject.
fn at_microsoft(sandbox: &Sandbox, subject: &str) -> Vec<Value> {
    sandbox.graph_mail_messages().into_iter().filter(|message| message["subject"] == subject).collect()
}

/// How many files a message of Gmail is: one for each label that is a place.
fn places(message: &Value) -> usize {
    let labels: Vec<&str> = message["labelIds"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if labels.contains(&"TRASH") || labels.contains(&"SPAM") {
        return 1;
    }
    let is_mark = |label: &str| ["UNREAD", "STARRED", "IMPORTANT"].contains(&label) || label.starts_with("CATEGORY_");
    labels.iter().filter(|label| !is_mark(label)).count().max(1)
}

/// How many messages each folder of Microsoft that people see has, from the fewest to the most.
fn by_folder(sandbox: &Sandbox) -> Vec<usize> {
    let messages = sandbox.graph_mail_messages();
    let is_shown = |folder: &&Value| folder["hidden"] != true && folder["wellKnown"] != "outbox";
    let folders = sandbox.graph_mail_folders();
    let count = |folder: &Value| messages.iter().filter(|message| message["folder"] == folder["path"]).count();
    sorted(folders.iter().filter(is_shown).map(count))
}

/// How many files each Maildir has, from the fewest to the most.
fn by_maildir(files: &[File]) -> Vec<usize> {
    let maildirs: BTreeSet<String> = files.iter().map(File::maildir).collect();
    sorted(maildirs.iter().map(|maildir| files.iter().filter(|file| file.maildir() == *maildir).count()))
}

fn sorted(counts: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut counts: Vec<usize> = counts.filter(|count| *count > 0).collect();
    counts.sort_unstable();
    counts
}

/// Whether every message of both providers stands in its folders on the device.
pub fn first_sync(sandbox: &Sandbox, dir: &Path, checks: &mut Checks) -> Result<()> {
    let (google, microsoft) = (files(&dir.join(GOOGLE_MAILDIR))?, files(&dir.join(MICROSOFT_MAILDIR))?);
    let there = sandbox.google_messages();
    let here: BTreeSet<&[u8]> = google.iter().map(|file| &file.bytes[..]).collect();
    let is_here = |message: &Value| {
        let raw = sandbox.google_message_raw(message["id"].as_str().unwrap_or_default()).unwrap_or_default();
        here.contains(&raw[..])
    };
    let is_whole = !there.is_empty() && there.iter().all(is_here);
    checks.check(format!("{} messages of Google are on the device, byte for byte", there.len()), is_whole);
    let copies: usize = there.iter().map(places).sum();
    checks.check(format!("they are {} files: one for each label", google.len()), google.len() == copies);
    let twice = about(&google, TWO_LABELS);
    let inode = |file: &File| fs::metadata(&file.path).map(|meta| meta.ino()).ok();
    let is_one = twice.len() == 2 && twice[0].name().0 == twice[1].name().0 && inode(twice[0]) == inode(twice[1]);
    checks.check("a message with two labels is two names of one file", is_one);
    let folders = by_folder(sandbox);
    checks.check(
        format!("{} messages of Microsoft 365 are on the device, in {} folders", microsoft.len(), folders.len()),
        by_maildir(&microsoft) == folders && !folders.is_empty(),
    );
    let (subject, maildir) = IN_DEPTH;
    checks.check(format!("\"{subject}\" is in {maildir}"), one(&microsoft, subject)?.maildir() == maildir);
    Ok(())
}

/// Changes things at both providers and on the device.
pub fn change(sandbox: &Sandbox, dir: &Path) -> Result<()> {
    sandbox.google_add_mail(&message(COMES[0]), &["INBOX", "UNREAD"]);
    sandbox.graph_mail_deliver("inbox", &message(COMES[1])).map_err(refused)?;
    for (side, root) in [dir.join(GOOGLE_MAILDIR), dir.join(MICROSOFT_MAILDIR)].into_iter().enumerate() {
        let here = files(&root)?;
        one(&here, MARKED[side])?.put(&root, "", "FS")?;
        let (subject, maildir) = MOVED[side];
        one(&here, subject)?.put(&root, maildir, "")?;
        let removed = &one(&here, REMOVED[side])?.path;
        fs::remove_file(removed).map_err(failed(format!("{} cannot be removed", removed.display())))?;
        let path = root.join("cur").join(format!("{RECEIVED_S}.M1P1.oldpc:2,S"));
        let unwritten = || failed(format!("{} cannot be written", path.display()));
        fs::write(&path, message(NEW_FILE[side])).map_err(unwritten())?;
        let received = UNIX_EPOCH + Duration::from_secs(RECEIVED_S);
        let file = fs::File::options().write(true).open(&path).map_err(unwritten())?;
        file.set_modified(received).map_err(unwritten())?;
    }
    let root = dir.join(GOOGLE_MAILDIR);
    one(&files(&root)?, BINNED.0)?.put(&root, BINNED.1, "")
}

/// A short message from somewhere else, spelt as Microsoft spells what it writes out, so that its bytes stay as they are there too.
fn message(subject: &str) -> Vec<u8> {
    let id = subject.to_lowercase().replace(' ', "-");
    format!(
        "Date: Sat, 04 May 2019 10:20:00 +0000\r\nFrom: Oda <oda@example.org>\r\nTo: ada@example.com\r\n\
         Subject: {subject}\r\nMessage-ID: <{id}@example.org>\r\nMIME-Version: 1.0\r\n\
         Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\nU2VlIGFib3ZlLg0K\r\n"
    )
    .into_bytes()
}

/// Looks for each change where it must have arrived.
pub fn read_back(sandbox: &Sandbox, dir: &Path, checks: &mut Checks) -> Result<()> {
    let (google, microsoft) = (files(&dir.join(GOOGLE_MAILDIR))?, files(&dir.join(MICROSOFT_MAILDIR))?);
    let came = one(&google, COMES[0])?;
    checks.check(
        format!("Google -> device: \"{}\" came in, byte for byte", COMES[0]),
        came.maildir() == "mail" && came.bytes == message(COMES[0]),
    );
    let came = one(&microsoft, COMES[1])?;
    checks.check(
        format!("Microsoft 365 -> device: \"{}\" came in, byte for byte", COMES[1]),
        came.maildir() == "mail" && came.bytes == message(COMES[1]),
    );
    let google_says = |subject: &str| -> Result<BTreeSet<String>> {
        let mut found = labels(sandbox, &one(&google, subject)?.bytes);
        Ok(if found.len() == 1 { found.remove(0) } else { BTreeSet::new() })
    };
    let microsoft_says = |subject: &str| -> Value {
        let mut found = at_microsoft(sandbox, subject);
        if found.len() == 1 { found.remove(0) } else { Value::Null }
    };
    let has = |labels: &BTreeSet<String>, label: &str| labels.contains(label);
    let says = google_says(MARKED[0])?;
    checks.check("device -> Google: a message is read and starred", has(&says, "STARRED") && !has(&says, "UNREAD"));
    let says = microsoft_says(MARKED[1]);
    checks.check(
        "device -> Microsoft 365: a message is read and flagged",
        says["isRead"] == true && says["flag"]["flagStatus"] == "flagged",
    );
    let klubi = sandbox.google_labels().into_iter().find(|label| label["name"] == MOVED[0].1[1..]).unwrap_or_default();
    let says = google_says(MOVED[0].0)?;
    let is_moved = has(&says, klubi["id"].as_str().unwrap_or("?")) && !has(&says, "INBOX");
    checks.check("device -> Google: a message is moved to another label", is_moved);
    let folder = |message: &Value| message["folder"][0].as_str().unwrap_or_default().to_owned();
    let is_moved = folder(&microsoft_says(MOVED[1].0)) == MOVED[1].1[1..];
    checks.check("device -> Microsoft 365: a message is moved to another folder", is_moved);
    let is_binned = has(&google_says(BINNED.0)?, "TRASH");
    checks.check("device -> Google: what was moved to the trash is in the trash", is_binned);
    let says = google_says(REMOVED[0])?;
    let is_archived = !has(&says, "INBOX") && one(&google, REMOVED[0])?.maildir() == ".Archive";
    checks.check("device -> Google: what was removed is archived, and not destroyed", is_archived);
    let bin = sandbox.graph_mail_folders().into_iter().find(|folder| folder["wellKnown"] == "deleteditems");
    let is_binned = bin.is_some_and(|bin| bin["path"] == microsoft_says(REMOVED[1])["folder"]);
    checks.check("device -> Microsoft 365: what was removed is in the trash, and not destroyed", is_binned);
    let made = labels(sandbox, &message(NEW_FILE[0]));
    let dates =
        sandbox.google_messages().into_iter().map(|message| message["internalDate"].as_str().unwrap_or("").to_owned());
    let is_received = made.len() == 1
        && has(&made[0], "INBOX")
        && !has(&made[0], "DRAFT")
        && dates.filter(|date| *date == format!("{RECEIVED_S}000")).count() == 1;
    checks.check("device -> Google: a new file is one received message, with its date", is_received);
    let says = microsoft_says(NEW_FILE[1]);
    let is_received = says["isDraft"] == false && says["receivedDateTime"] == "2019-05-04T10:20:00Z";
    checks.check("device -> Microsoft 365: a new file is one received message, with its date", is_received);
    Ok(())
}
