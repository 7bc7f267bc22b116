//! What Graph remembers of mail: folders and messages with all they ever were, and how they are found. What a message says
//! is in `body.rs`; every change goes through `writes.rs`.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use sha2::{Digest, Sha256};

use super::super::reply::Refusal;
use super::super::store::{IdForm, id, is_well_formed};
use super::body::Body;
use super::uploads::Upload;

/// Above `msgfolderroot` and its neighbours; it names nothing.
pub(super) const ABOVE: u64 = 0;
/// `msgfolderroot`.
pub(super) const ROOT: u64 = 1;
/// `inbox`.
pub(super) const INBOX: u64 = 2;
/// `drafts`.
pub(super) const DRAFTS: u64 = 3;
/// `sentitems`.
pub(super) const SENT: u64 = 4;
/// `deleteditems`.
pub(super) const BIN: u64 = 5;
/// `recoverableitemsdeletions`, which no listing shows.
pub(super) const RECOVERABLE: u64 = 8;
/// `searchfolders`.
pub(super) const SEARCHES: u64 = 9;
/// The highest key of a folder that is there from the start; what is made later counts on from it.
pub(in super::super) const LAST_KNOWN: u64 = 11;

/// The folders of a German mailbox: key, well-known name, what the user sees, the folder above. The last two hold no mail.
const KNOWN: [(u64, &str, &str, u64); 11] = [
    (ROOT, "msgfolderroot", "Oberste Ebene des Informationsspeichers", ABOVE),
    (INBOX, "inbox", "Posteingang", ROOT),
    (DRAFTS, "drafts", "Entwürfe", ROOT),
    (SENT, "sentitems", "Gesendete Elemente", ROOT),
    (BIN, "deleteditems", "Gelöschte Elemente", ROOT),
    (6, "junkemail", "Junk-E-Mail", ROOT),
    (7, "outbox", "Postausgang", ROOT),
    (RECOVERABLE, "recoverableitemsdeletions", "Deletions", ABOVE),
    (SEARCHES, "searchfolders", "Finder", ABOVE),
    (10, "", "Kalender", ROOT),
    (LAST_KNOWN, "", "Kontakte", ROOT),
];
/// Well-known names of folders that a mailbox may never have had.
const OTHER_NAMES: [&str; 9] = [
    "archive",
    "clutter",
    "conflicts",
    "conversationhistory",
    "localfailures",
    "scheduled",
    "serverfailures",
    "syncissues",
    "recoverableitemspurges",
];

/// What Graph remembers of mail.
#[derive(Debug)]
pub(in super::super) struct Store {
    pub(super) folders: BTreeMap<u64, Folder>,
    pub(super) messages: BTreeMap<u64, Message>,
    /// The messages that have or had a Message-ID, oldest first.
    pub(super) named: HashMap<String, Vec<u64>>,
    /// Uploads that are not done, by the session's id.
    pub(super) uploads: HashMap<String, Upload>,
    /// How often MIME was written, so that no two writings are the same.
    pub(super) written: u64,
}

/// What a folder holds.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Mail,
    /// What meets a `$filter`, wherever it is.
    Search(String),
    /// Calendars or contacts.
    Other,
}

#[derive(Clone, Debug)]
pub(super) struct Folder {
    pub is_hidden: bool,
    pub kind: Kind,
    /// Its well-known name; empty = none.
    pub known: &'static str,
    /// Never empty; the last entry is the present.
    pub history: Vec<FolderMoment>,
}

#[derive(Clone, Debug)]
pub(super) struct FolderMoment {
    pub seq: u64,
    pub name: String,
    /// The folder above; none = gone for good.
    pub parent: Option<u64>,
}

#[derive(Clone, Debug)]
pub(super) struct Message {
    pub created_ms: i64,
    /// Which messages belong together: the key of the first of them.
    pub conversation: u64,
    /// Another client moved it since a request did.
    pub was_moved_elsewhere: bool,
    /// Never empty; the last entry is the present.
    pub history: Vec<Moment>,
}

/// What a message was from one write to the next.
#[derive(Clone, Debug)]
pub(super) struct Moment {
    /// Place in the log, counted from 1. The change key follows from it.
    pub seq: u64,
    pub modified_ms: i64,
    /// The folder; none = gone for good.
    pub folder: Option<u64>,
    /// How often its regular id changed so far.
    pub moves: u32,
    pub body: Arc<Body>,
}

impl Default for Store {
    fn default() -> Self {
        let mut folders = BTreeMap::new();
        for (key, known, name, parent) in KNOWN {
            let moment = FolderMoment { seq: 0, name: name.into(), parent: Some(parent) };
            let kind = if known.is_empty() { Kind::Other } else { Kind::Mail };
            folders.insert(key, Folder { is_hidden: parent == ABOVE, kind, known, history: vec![moment] });
        }
        Self { folders, messages: BTreeMap::new(), named: HashMap::new(), uploads: HashMap::new(), written: 0 }
    }
}

impl Folder {
    /// What it is now.
    pub fn now(&self) -> &FolderMoment {
        self.history.last().expect("a folder is made with its first moment")
    }

    /// What it was when the log had so many lines.
    pub fn at(&self, seq: u64) -> Option<&FolderMoment> {
        let after = self.history.partition_point(|moment| moment.seq <= seq);
        after.checked_sub(1).map(|at| &self.history[at])
    }
}

impl Message {
    /// What it is now.
    pub fn now(&self) -> &Moment {
        self.history.last().expect("a message is made with its first moment")
    }

    /// What it was when the log had so many lines.
    pub fn at(&self, seq: u64) -> Option<&Moment> {
        let after = self.history.partition_point(|moment| moment.seq <= seq);
        after.checked_sub(1).map(|at| &self.history[at])
    }
}

impl Store {
    /// Whether a key is a message's.
    pub(in super::super) fn is_message(&self, key: u64) -> bool {
        self.messages.contains_key(&key)
    }

    /// The messages of one folder, oldest first.
    pub(super) fn inside(&self, folder: u64) -> Vec<u64> {
        let is_inside = |(_, message): &(&u64, &Message)| message.now().folder == Some(folder);
        self.messages.iter().filter(is_inside).map(|(key, _)| *key).collect()
    }

    /// Whether a folder holds mail and is there.
    pub(super) fn is_there(&self, key: u64) -> bool {
        self.folders.get(&key).is_some_and(|folder| folder.now().parent.is_some() && folder.kind != Kind::Other)
    }

    /// The folders right under another one, hidden ones included.
    pub(super) fn children(&self, parent: u64) -> Vec<u64> {
        let is_child = |key: &u64| self.is_there(*key) && self.folders[key].now().parent == Some(parent);
        self.folders.keys().copied().filter(is_child).collect()
    }

    /// The folder that an id or a well-known name names now.
    pub(super) fn find_folder(&self, name: &str) -> Result<u64, Refusal> {
        let is_known = |key: &u64| !name.is_empty() && self.folders[key].known.eq_ignore_ascii_case(name);
        let is_named = |key: &u64| self.is_there(*key) && (is_known(key) || folder_id(*key) == name);
        match self.folders.keys().copied().find(is_named) {
            Some(key) => Ok(key),
            None if is_well_formed(name) || OTHER_NAMES.iter().any(|known| known.eq_ignore_ascii_case(name)) => {
                Err(Refusal::not_found())
            }
            None => Err(malformed_id()),
        }
    }

    /// The message that an id of this form names now. An id of the other form names nothing.
    pub(super) fn find(&self, id: &str, form: IdForm) -> Result<u64, Refusal> {
        match self.find_any(id) {
            Some((key, have)) if have == form => Ok(key),
            _ if is_well_formed(id) => Err(Refusal::not_found()),
            _ => Err(malformed_id()),
        }
    }

    /// The message that an id of either form names, for the test's own hands.
    pub(super) fn find_any(&self, id: &str) -> Option<(u64, IdForm)> {
        let form = [IdForm::Immutable, IdForm::Regular].into_iter().find(|form| id.starts_with(prefix(*form)))?;
        let letters = URL_SAFE.decode(&id[prefix(form).len()..]).ok()?;
        let key = u64::from_be_bytes(*letters.first_chunk()?) ^ KEY_MASK;
        let now = self.messages.get(&key)?.now();
        (now.folder.is_some() && message_id(key, now.moves, form) == id).then_some((key, form))
    }

    /// The messages that have or had this Message-ID, oldest first.
    pub(super) fn named(&self, message_id: &str) -> &[u64] {
        self.named.get(message_id).map_or(&[], Vec::as_slice)
    }

    /// Refuses a folder's name that is no name, or that another folder beside it has.
    pub(super) fn check_name(&self, parent: u64, name: &str, own: Option<u64>) -> Result<(), Refusal> {
        if name.trim().is_empty() || name.chars().count() > 255 {
            return Err(Refusal::new(400, "ErrorInvalidRequest", "The folder's display name is empty or too long."));
        }
        let lower = name.to_lowercase();
        let is_taken = |key: &u64| Some(*key) != own && self.folders[key].now().name.to_lowercase() == lower;
        if self.children(parent).iter().any(is_taken) {
            let text = "A folder with the specified name already exists.";
            return Err(Refusal::new(409, "ErrorFolderExists", text));
        }
        Ok(())
    }
}

fn malformed_id() -> Refusal {
    Refusal::new(400, "ErrorInvalidIdMalformed", "Id is malformed.")
}

const KEY_MASK: u64 = 0x9E37_79B9_7F4A_7C15;

fn prefix(form: IdForm) -> &'static str {
    match form {
        IdForm::Immutable => "AAkALgAAAAAAHYQDEapmEc2byACqAC-EWg0AMail",
        IdForm::Regular => "AAMkAGI2NGVhZTVlLTI1OGMtNDI4My1iZmE5LTA5OGJiZGEyMTc0YQBGAAMM",
    }
}

/// The id of a message in one of its forms. It holds the key, so that nothing has to be remembered to find it again.
pub(super) fn message_id(key: u64, moves: u32, form: IdForm) -> String {
    let moves = if form == IdForm::Immutable { 0 } else { moves };
    let mut letters = (key ^ KEY_MASK).to_be_bytes().to_vec();
    letters.extend_from_slice(&Sha256::digest(format!("message {key} {moves} {form:?}"))[..25]);
    format!("{}{}", prefix(form), URL_SAFE.encode(letters))
}

/// The id of a mail folder; it stays.
pub(super) fn folder_id(key: u64) -> String {
    id("AQMkAGI2NGVhZTVlLTI1OGMtNDI4My1iZmE5LTA5OGJiZGEyMTc0YQAuAAAM", &format!("mail folder {key}"))
}

/// The id of a conversation.
pub(super) fn conversation_id(key: u64) -> String {
    id("AAQkAGI2NGVhZTVlLTI1OGMtNDI4My1iZmE5LTA5OGJiZGEyMTc0YQAQ", &format!("conversation {key}"))
}
