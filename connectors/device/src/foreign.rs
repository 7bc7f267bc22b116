//! Trees that another tool filled, recognised by what it left there. Reading only; nothing here follows a link.
//!
//! | tool | how its tree looks |
//! |---|---|
//! | mbsync | Maildirs with `.uidvalidity` or `.mbsyncstate` beside, `,U=4` in names. Folders lie in each other (`SubFolders Verbatim`: `Work/2026`), as `.Work.2026` in the inbox (`Maildir++`), or as `Work/.2026` (`Legacy`); the inbox is the root or a folder called so |
//! | OfflineIMAP | Maildirs with `,U=4,FMD5=…` in names; folders side by side with `.` between levels (`Work.2026`), or in each other |
//! | lieer | one Maildir `mail`, files called by Gmail's id, `.gmailieer.json` beside it |
//! | vdirsyncer and others | folders of `.vcf` or `.ics` files, with `displayname` and `color` |

use crate::Why;
use crate::maildir::lay::received_at;
use crate::maildir::packed::LONGEST;
use crate::maildir::{folder, name};
use crate::vdir::{COLOR, DISPLAY_NAME};
use std::path::{Path, PathBuf};
use twofold_model::email::{Sheet, headers};
use twofold_model::{Blobs, Error, ErrorKind, Kind, Result, plain_color};

/// Folders in folders, so many.
const DEEPEST: usize = 32;
/// The state of lieer.
const LIEER: &str = ".gmailieer.json";
/// Files of mbsync's beside the messages of a folder.
const OF_MBSYNC: [&str; 4] = [".uidvalidity", ".mbsyncstate", ".mbsyncstate.journal", ".isyncuidmap.db"];
/// How the inbox is called, in whatever case.
const INBOX: &str = "INBOX";

/// Who filled a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// isync's mbsync.
    Mbsync,
    /// OfflineIMAP.
    OfflineImap,
    /// lieer (gmailieer). Where its messages stand, their tags in notmuch say, and nothing in the tree.
    Lieer,
    /// Some program that leaves no trace of its own.
    Maildir,
    /// vdirsyncer, or whatever keeps a vdir.
    Vdir,
}

impl Tool {
    /// For people.
    pub fn as_str(self) -> &'static str {
        match self {
            Tool::Mbsync => "mbsync",
            Tool::OfflineImap => "OfflineIMAP",
            Tool::Lieer => "lieer",
            Tool::Maildir => "Maildir",
            Tool::Vdir => "vdir",
        }
    }
}

/// A tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree {
    /// Who filled it.
    pub tool: Tool,
    /// The account whose messages they are, where the tool says so.
    pub account: Option<String>,
    /// Its folders, in order.
    pub folders: Vec<Folder>,
}

/// A folder of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    /// What it is called: the path of a mailbox (the inbox is `INBOX`), or one name.
    pub path: Vec<String>,
    /// Where it is.
    pub at: PathBuf,
    /// The colour of a calendar, as [`plain_color`] gives it.
    pub color: Option<String>,
}

/// Recognises the tree in a folder.
///
/// # Errors
/// [`ErrorKind::NotFound`] where none is recognised; where a folder cannot be read.
pub fn recognise(root: &Path, kind: Kind) -> Result<Tree> {
    let tree = match kind {
        Kind::Mail => mail(root)?,
        Kind::Calendar => vdir(root, "ics")?,
        Kind::Contacts => vdir(root, "vcf")?,
    };
    tree.ok_or_else(|| {
        let expected = match kind {
            Kind::Mail => "a Maildir (folders cur and new), a folder of Maildirs, or the folder of lieer",
            Kind::Calendar => "a folder of .ics files, or a folder of such folders",
            Kind::Contacts => "a folder of .vcf files, or a folder of such folders",
        };
        Error::new(
            ErrorKind::NotFound,
            format!("{} is no tree that can be taken over: {expected} is expected", root.display()),
        )
    })
}

/// The entries of a folder, by name: what each is, links not followed.
fn entries(folder: &Path) -> Result<Vec<(String, PathBuf, std::fs::FileType)>> {
    let failed = |error: std::io::Error| {
        let kind = if error.kind() == std::io::ErrorKind::PermissionDenied {
            ErrorKind::Forbidden
        } else {
            ErrorKind::Offline
        };
        Error::new(kind, format!("{} cannot be read: {error}", folder.display())).with_source(error)
    };
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        all.push((entry.file_name().to_string_lossy().into_owned(), entry.path(), entry.file_type().map_err(failed)?));
    }
    all.sort_by(|a, b| a.1.cmp(&b.1));
    Ok(all)
}

// ---- mail -----------------------------------------------------------------------------------------------------------------

fn is_maildir(folder: &Path) -> bool {
    let is_folder = |name: &str| folder.join(name).symlink_metadata().is_ok_and(|meta| meta.is_dir());
    is_folder("cur") && is_folder("new")
}

fn mail(root: &Path) -> Result<Option<Tree>> {
    if let Ok(text) = std::fs::read(root.join(LIEER)) {
        let state: serde_json::Value = serde_json::from_slice(&text).unwrap_or_default();
        let account = state.get("account").and_then(serde_json::Value::as_str).filter(|it| it.contains('@'));
        let at = root.join("mail");
        let folders = vec![Folder { path: Vec::new(), at: at.clone(), color: None }];
        return Ok(is_maildir(&at).then(|| Tree { tool: Tool::Lieer, account: account.map(str::to_owned), folders }));
    }
    let mut found = Vec::new();
    walk(root, &mut Vec::new(), &mut found)?;
    let mut tool = Tool::Maildir;
    for (_, at) in &found {
        match tool_of(at)? {
            Tool::Maildir => {}
            // Files of mbsync's are no proof against the names of OfflineIMAP's.
            Tool::OfflineImap => tool = Tool::OfflineImap,
            other if tool == Tool::Maildir => tool = other,
            _ => {}
        }
    }
    let is_flat = tool == Tool::OfflineImap && found.iter().all(|(names, _)| names.len() < 2);
    let folder = |(names, at): (Vec<String>, PathBuf)| Folder { path: path_of(&names, is_flat), at, color: None };
    let folders: Vec<Folder> = found.into_iter().map(folder).collect();
    Ok((!folders.is_empty()).then_some(Tree { tool, account: None, folders }))
}

/// Every Maildir at or below a folder, with the names that lead to it.
fn walk(folder: &Path, names: &mut Vec<String>, found: &mut Vec<(Vec<String>, PathBuf)>) -> Result<()> {
    let is_here = is_maildir(folder);
    if is_here {
        found.push((names.clone(), folder.to_owned()));
    }
    for (name, path, file_type) in entries(folder)? {
        let is_part = is_here && matches!(name.as_str(), "cur" | "new" | "tmp");
        // What is hidden and no Maildir is some program's own (`.notmuch`).
        let is_hidden = name.starts_with('.') && !is_maildir(&path);
        if file_type.is_dir() && !is_part && !is_hidden && names.len() < DEEPEST {
            names.push(name);
            walk(&path, names, found)?;
            names.pop();
        }
    }
    Ok(())
}

/// Who fills this Maildir.
fn tool_of(maildir: &Path) -> Result<Tool> {
    for part in ["cur", "new"] {
        for (file, _, _) in entries(&maildir.join(part))?.into_iter().take(200) {
            let base = file.split(":2,").next().unwrap_or_default();
            if base.split(',').any(|field| field.starts_with("FMD5=")) {
                return Ok(Tool::OfflineImap);
            }
            if base.split(',').skip(1).any(|field| field.starts_with("U=")) {
                return Ok(Tool::Mbsync);
            }
        }
    }
    let is_mbsync = OF_MBSYNC.iter().any(|name| maildir.join(name).exists());
    Ok(if is_mbsync { Tool::Mbsync } else { Tool::Maildir })
}

/// The path of the mailbox to which these names of folders lead. `is_flat`: levels are parted by dots in one name.
fn path_of(names: &[String], is_flat: bool) -> Vec<String> {
    let is_inbox = |name: &str| name.eq_ignore_ascii_case(INBOX);
    // What a tree of ours has below the inbox is shown behind a `_` (`maildir/folder`), and copied so by other tools.
    let is_below_ours = |first: &str, depth: usize| depth > 1 && first.strip_prefix('_').is_some_and(is_inbox);
    let mut path: Vec<String> = Vec::new();
    for (depth, name) in names.iter().enumerate() {
        let in_inbox = depth == 0 || (depth == 1 && is_inbox(&names[0]));
        match name.strip_prefix('.') {
            // Beside the inbox, wherever that is: all levels in one name.
            Some(_) if in_inbox => path = folder::read(name).unwrap_or_else(|| vec![name.clone()]),
            Some(rest) => path.push(folder::plain(rest)),
            None if is_flat => path.extend(name.split('.').map(folder::plain)),
            None => path.push(folder::plain(name)),
        }
    }
    let depth = path.len();
    match path.first_mut() {
        None => path.push(INBOX.to_owned()),
        Some(first) if is_inbox(first) || is_below_ours(first, depth) => INBOX.clone_into(first),
        Some(_) => {}
    }
    path
}

// ---- messages without a place -------------------------------------------------------------------------------------------------

/// A message of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// What tells it from others: its file's name, without flags and what programs add.
    pub name: String,
    /// Its file.
    pub file: PathBuf,
}

/// The messages of a Maildir.
///
/// # Errors
/// Where it cannot be read.
pub fn messages(maildir: &Path) -> Result<Vec<Message>> {
    let mut all = Vec::new();
    for part in ["new", "cur"] {
        for (file, path, file_type) in entries(&maildir.join(part))? {
            if file_type.is_file() && !file.starts_with('.') {
                let base = file.split(":2,").next().unwrap_or_default();
                let name = String::from_utf8_lossy(name::identity(base.as_bytes())).into_owned();
                all.push(Message { name, file: path });
            }
        }
    }
    Ok(all)
}

/// Puts the bytes of a message with the blobs, and says what is known of it: a sheet without keywords, because whoever keeps messages
/// without a place keeps their marks elsewhere too. Or why there is nothing to be kept.
///
/// # Errors
/// The store's.
pub fn keep(blobs: &dyn Blobs, message: &Message) -> Result<std::result::Result<(crate::Key, Sheet), Why>> {
    if std::fs::metadata(&message.file).is_ok_and(|stat| stat.len() > LONGEST) {
        return Ok(Err(Why::Unreadable));
    }
    let Ok(bytes) = std::fs::read(&message.file) else { return Ok(Err(Why::Unreadable)) };
    if bytes.is_empty() {
        return Ok(Err(Why::NoItem));
    }
    if is_cut_off(&bytes) {
        return Ok(Err(Why::Broken));
    }
    let (blob, size) = blobs.put(&mut bytes.as_slice())?;
    let header = headers::read(&bytes);
    let sent = || header.sent_at.map(|at| at.timestamp_millis());
    let mut sheet = Sheet { received_ms: received_at(&bytes).or_else(sent), ..Sheet::default() };
    sheet.set_bytes(&blob, size, &header);
    Ok(Ok((crate::Key::of(&bytes), sheet)))
}

/// Whether a message is not there to its end, as a full disk or a power cut leaves it: nothing follows its header, or the last of its parts has no
/// end (RFC 2046 5.1.1). Of a single text nobody can tell.
fn is_cut_off(bytes: &[u8]) -> bool {
    let is_empty_line = |line: &&[u8]| matches!(*line, b"\n" | b"\r\n");
    let lines = || bytes.split_inclusive(|byte| *byte == b'\n');
    if lines().find(is_empty_line).is_none() {
        return true;
    }
    let header: String = lines().take_while(|line| !is_empty_line(line)).map(String::from_utf8_lossy).collect();
    let unfolded = header.replace("\r\n", "\n").replace("\n ", " ").replace("\n\t", " ");
    let mut fields = unfolded.lines().filter(|line| line.to_ascii_lowercase().starts_with("content-type:"));
    let Some(kind) = fields.next() else { return false };
    let lower = kind.to_ascii_lowercase();
    let Some(at) = lower.find("boundary=").filter(|_| lower.contains("multipart/")) else { return false };
    let value = kind.get(at + "boundary=".len()..).unwrap_or_default();
    let boundary = match value.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next(),
        None => value.split([';', ' ', '\t']).next(),
    };
    let end = format!("--{}--", boundary.unwrap_or_default());
    !lines().any(|line| line.starts_with(end.as_bytes()))
}

// ---- cards and events -----------------------------------------------------------------------------------------------------

fn vdir(root: &Path, extension: &str) -> Result<Option<Tree>> {
    let is_item = |(name, _, file_type): &(String, PathBuf, std::fs::FileType)| {
        file_type.is_file() && !name.starts_with('.') && Path::new(name).extension().is_some_and(|end| end == extension)
    };
    let text = |folder: &Path, file: &str| {
        let text = std::fs::read_to_string(folder.join(file)).ok()?;
        Some(text.trim().to_owned()).filter(|text| !text.is_empty())
    };
    let collection = |name: String, at: PathBuf| Folder {
        path: vec![text(&at, DISPLAY_NAME).unwrap_or(name)],
        color: text(&at, COLOR).as_deref().and_then(plain_color),
        at,
    };
    let here = entries(root)?;
    let mut folders = Vec::new();
    if here.iter().any(is_item) {
        let name = root.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        folders.push(collection(name, root.to_owned()));
    } else {
        for (name, path, file_type) in here {
            if file_type.is_dir() && !name.starts_with('.') && entries(&path)?.iter().any(is_item) {
                folders.push(collection(name, path));
            }
        }
    }
    Ok((!folders.is_empty()).then_some(Tree { tool: Tool::Vdir, account: None, folders }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_is_not_there_to_its_end_is_known() {
        let whole =
            "Subject: x\r\nContent-Type: multipart/mixed;\r\n boundary=\"a b\"\r\n\r\n--a b\r\n\r\ntext\r\n--a b--\r\n";
        assert!(!is_cut_off(whole.as_bytes()) && !is_cut_off(b"Subject: x\n\ntext") && !is_cut_off(b"A: b\n\n"));
        assert!(!is_cut_off(whole.replace("\r\n", "\n").replace("\"a b\"", "ab").replace("--a b", "--ab").as_bytes()));
        for length in [10, 60, 75, whole.len() - 6] {
            assert!(is_cut_off(&whole.as_bytes()[..length]), "{length}");
        }
    }

    /// A tree with these files; a name that ends in `/` is a Maildir.
    fn tree(names: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for name in names {
            let path = dir.path().join(name);
            match name.ends_with('/') || name.is_empty() {
                true => ["cur", "new", "tmp"].iter().for_each(|part| std::fs::create_dir_all(path.join(part)).unwrap()),
                false => {
                    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                    std::fs::write(path, "x").unwrap();
                }
            }
        }
        dir
    }

    #[track_caller]
    fn check(names: &[&str], tool: Tool, paths: &[&str]) {
        let dir = tree(names);
        let found = recognise(dir.path(), Kind::Mail).unwrap();
        let shown: Vec<String> = found.folders.iter().map(|folder| folder.path.join("/")).collect();
        assert_eq!((found.tool, shown), (tool, paths.iter().map(|path| (*path).to_owned()).collect()), "{names:?}");
    }

    #[test]
    fn the_layouts_of_mbsync_are_told_apart() {
        let file = "INBOX/cur/1.2_1.host,U=1:2,S";
        check(&["INBOX/", "Work/", "Work/2026/", file], Tool::Mbsync, &["INBOX", "Work", "Work/2026"]);
        check(&["Inbox/", "Inbox/.Work.2026/", "Inbox/.uidvalidity"], Tool::Mbsync, &["INBOX", "Work/2026"]);
        check(&["INBOX/", "_INBOX/Club/", file], Tool::Mbsync, &["INBOX", "INBOX/Club"]);
        check(
            &["", "._INBOX.Club/", "._INBOX/", "cur/1.2_1.host,U=1:2,"],
            Tool::Mbsync,
            &["INBOX", "_INBOX", "INBOX/Club"],
        );
        check(&["", ".Sent/", ".Entw&APw-rfe/", "cur/1.2_1.host,U=1:2,"], Tool::Mbsync, &["INBOX", "Entwürfe", "Sent"]);
        check(
            &["inbox/", "Work/", "Work/.v1.0/", "Work/.v1.0/.a/", "inbox/.mbsyncstate"],
            Tool::Mbsync,
            &["Work", "Work/v1.0", "Work/v1.0/a", "INBOX"],
        );
        check(
            &["[Gmail]/All Mail/", "[Gmail]/.uidvalidity", "INBOX/", file],
            Tool::Mbsync,
            &["INBOX", "[Gmail]/All Mail"],
        );
    }

    #[test]
    fn the_layouts_of_offlineimap_are_told_apart() {
        let file = "INBOX/cur/1_0.2.host,U=1,FMD5=7e33429f656f1e6e9d79b29c3f82c57e:2,S";
        check(
            &["INBOX/", "Work.2026/", "[Gmail].Sent Mail/", "INBOX.Sub/", file],
            Tool::OfflineImap,
            &["INBOX", "INBOX/Sub", "Work/2026", "[Gmail]/Sent Mail"],
        );
        check(&["INBOX/", "Work/v1.0/", file], Tool::OfflineImap, &["INBOX", "Work/v1.0"]);
    }

    #[test]
    fn a_tree_of_lieer_says_whose_it_is() {
        let dir = tree(&["mail/", "mail/cur/18c0ffee00000001:2,S"]);
        std::fs::write(dir.path().join(LIEER), r#"{"account": "ada@example.org", "last_historyId": 7}"#).unwrap();
        let found = recognise(dir.path(), Kind::Mail).unwrap();
        assert_eq!((found.tool, found.account.as_deref()), (Tool::Lieer, Some("ada@example.org")));
        let messages = messages(&found.folders[0].at).unwrap();
        assert_eq!(messages.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["18c0ffee00000001"]);
    }

    #[test]
    fn other_maildirs_are_taken_and_what_is_hidden_or_none_is_not() {
        check(&["", "cur/1.M1P1.host:2,", ".notmuch/xapian/x"], Tool::Maildir, &["INBOX"]);
        check(&["a/", ".git/refs/x"], Tool::Maildir, &["a"]);
        for names in [&["x.txt"][..], &["cur/x"], &[]] {
            let error = recognise(tree(names).path(), Kind::Mail).unwrap_err();
            assert_eq!(error.kind, ErrorKind::NotFound, "{names:?}");
        }
        let dir = tree(&["a/"]);
        std::os::unix::fs::symlink(dir.path().join("a"), dir.path().join("b")).unwrap();
        assert_eq!(recognise(dir.path(), Kind::Mail).unwrap().folders.len(), 1, "links are not followed");
    }

    #[test]
    fn a_vdir_is_a_folder_of_items_or_a_folder_of_such() {
        let dir = tree(&["work/a.ics", "home/b.ics", "tasks/none.txt", ".cache/c.ics"]);
        std::fs::write(dir.path().join("home/displayname"), "At home\n").unwrap();
        std::fs::write(dir.path().join("home/color"), "#FF0000\n").unwrap();
        let found = recognise(dir.path(), Kind::Calendar).unwrap();
        let shown: Vec<_> = found.folders.iter().map(|folder| (folder.path.join("/"), folder.color.clone())).collect();
        assert_eq!(shown, [("At home".to_owned(), Some("#ff0000".to_owned())), ("work".to_owned(), None)]);
        let one = recognise(&dir.path().join("work"), Kind::Calendar).unwrap();
        assert_eq!(one.folders[0].path, ["work"]);
        assert!(recognise(dir.path(), Kind::Contacts).is_err());
    }

    #[test]
    fn a_message_that_is_kept_is_dated_by_its_arrival() {
        let dir = tree(&["m/"]);
        let text = b"Received: from a by b;\r\n Tue, 3 Mar 2026 10:00:00 +0000\r\nReceived: from c by a; Mon, 2 Mar 2026 10:00:00 +0000\r\nDate: Sun, 1 Mar 2026 10:00:00 +0000\r\nMessage-ID: <1@x>\r\n\r\nx";
        std::fs::write(dir.path().join("m/cur/18c:2,S"), text).unwrap();
        let blobs = twofold_model::blob::MemoryBlobs::default();
        let found = messages(&dir.path().join("m")).unwrap();
        let (key, sheet) = keep(&blobs, &found[0]).unwrap().unwrap();
        assert_eq!((sheet.received_ms, sheet.size), (Some(1_772_532_000_000), Some(text.len() as u64)));
        assert_eq!(key, crate::Key::of(&String::from_utf8(text.to_vec()).unwrap().replace("\r\n", "\n").into_bytes()));
    }
}
