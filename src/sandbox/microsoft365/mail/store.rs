//! What Graph remembers of mail: folders and messages with all they ever were. The log and its numbering are those of the
//! whole mailbox (`microsoft365/store.rs`).

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde_json::{Map, Value};

use super::super::reply::Refusal;
use super::super::store::{IdForm, Microsoft, Rules, Touch, Touched, change_key, id, is_well_formed};

/// `msgfolderroot`.
pub(super) const ROOT: u64 = 1;
/// `inbox`.
pub(super) const INBOX: u64 = 2;
/// `drafts`.
pub(super) const DRAFTS: u64 = 3;
/// `deleteditems`.
pub(super) const BIN: u64 = 5;
/// `recoverableitemsdeletions`, which no listing shows.
pub(super) const RECOVERABLE: u64 = 8;
/// The highest key of a folder that is there from the start; what is made later counts on from it.
pub(in super::super) const LAST_KNOWN: u64 = RECOVERABLE;

/// The folders of a German mailbox: key, well-known name, what the user sees. `archive` was never made.
pub(super) const KNOWN: [(u64, &str, &str); 8] = [
    (ROOT, "msgfolderroot", "Oberste Ebene des Informationsspeichers"),
    (INBOX, "inbox", "Posteingang"),
    (DRAFTS, "drafts", "Entwürfe"),
    (4, "sentitems", "Gesendete Elemente"),
    (BIN, "deleteditems", "Gelöschte Elemente"),
    (6, "junkemail", "Junk-E-Mail"),
    (7, "outbox", "Postausgang"),
    (RECOVERABLE, "recoverableitemsdeletions", "Deletions"),
];

/// What Graph remembers of mail.
#[derive(Debug)]
pub(in super::super) struct Store {
    pub(super) folders: BTreeMap<u64, Folder>,
    pub(super) messages: BTreeMap<u64, Message>,
    by_id: HashMap<String, (u64, IdForm)>,
    /// Immutable ids of the messages for which the service sent a read receipt.
    pub(super) receipts: Vec<String>,
}

#[derive(Clone, Debug)]
pub(super) struct Folder {
    pub is_hidden: bool,
    /// Never empty; the last entry is the present.
    pub history: Vec<FolderMoment>,
}

#[derive(Clone, Debug)]
pub(super) struct FolderMoment {
    pub seq: u64,
    pub name: String,
    /// The folder above; none = gone for good. The root stands above itself.
    pub parent: Option<u64>,
}

#[derive(Clone, Debug)]
pub(super) struct Message {
    pub created_ms: i64,
    /// Never empty; the last entry is the present.
    pub history: Vec<Moment>,
}

/// What a message was from one write to the next.
#[derive(Clone, Debug)]
pub(super) struct Moment {
    /// Place in the log, counted from 1.
    pub seq: u64,
    pub modified_ms: i64,
    /// The folder; none = gone for good.
    pub folder: Option<u64>,
    /// How often its regular id changed so far.
    pub moves: u32,
    pub change_key: String,
    pub body: Arc<Body>,
}

/// What a message says.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Body {
    /// Properties as they are shown, those left out that the store knows itself.
    pub fields: Map<String, Value>,
    pub extended: Vec<(String, String)>,
    /// The MIME that it was made from; none = it was made from JSON.
    pub mime: Option<Arc<[u8]>>,
}

impl Default for Store {
    fn default() -> Self {
        let mut folders = BTreeMap::new();
        for (key, _, name) in KNOWN {
            let moment = FolderMoment { seq: 0, name: name.into(), parent: Some(ROOT) };
            folders.insert(key, Folder { is_hidden: key == RECOVERABLE, history: vec![moment] });
        }
        Self { folders, messages: BTreeMap::new(), by_id: HashMap::new(), receipts: Vec::new() }
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
    /// The messages of one folder, oldest first.
    pub(super) fn inside(&self, folder: u64) -> Vec<u64> {
        let is_inside = |(_, message): &(&u64, &Message)| message.now().folder == Some(folder);
        self.messages.iter().filter(is_inside).map(|(key, _)| *key).collect()
    }

    /// Whether a folder is there.
    pub(super) fn is_there(&self, key: u64) -> bool {
        self.folders.get(&key).is_some_and(|folder| folder.now().parent.is_some())
    }

    /// The folders right under another one, hidden ones included.
    pub(super) fn children(&self, parent: u64) -> Vec<u64> {
        let is_child =
            |key: &u64| *key != ROOT && *key != RECOVERABLE && self.folders[key].now().parent == Some(parent);
        self.folders.keys().copied().filter(is_child).collect()
    }

    /// The folder that an id or a well-known name names now.
    pub(super) fn find_folder(&self, name: &str) -> Result<u64, Refusal> {
        if let Some((key, ..)) = KNOWN.iter().find(|(_, known, _)| known.eq_ignore_ascii_case(name)) {
            return Ok(*key);
        }
        match self.folders.keys().find(|key| folder_id(**key) == name && self.is_there(**key)) {
            Some(key) => Ok(*key),
            None if name.eq_ignore_ascii_case("archive") || is_well_formed(name) => Err(Refusal::not_found()),
            None => Err(Refusal::new(400, "ErrorInvalidIdMalformed", "Id is malformed.")),
        }
    }

    /// The message that an id of this form names now. An id of the other form names nothing.
    pub(super) fn find(&self, id: &str, form: IdForm) -> Result<u64, Refusal> {
        match self.by_id.get(id) {
            Some((key, have)) if *have == form => Ok(*key),
            _ if is_well_formed(id) => Err(Refusal::not_found()),
            _ => Err(Refusal::new(400, "ErrorInvalidIdMalformed", "Id is malformed.")),
        }
    }

    /// The message that an id of either form names, for the test's own hands.
    pub(super) fn find_any(&self, id: &str) -> Option<u64> {
        self.by_id.get(id).map(|(key, _)| *key)
    }

    fn check_name(&self, parent: u64, name: &str, own: Option<u64>) -> Result<(), Refusal> {
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

impl Microsoft {
    fn append_message(&mut self, at_ms: i64, key: u64, mut moment: Moment) {
        self.log.push(Touch { at_ms, what: Touched::Message(key) });
        moment.seq = self.log.len() as u64;
        moment.change_key = change_key(key, moment.seq);
        if let Some(message) = self.mail.messages.get_mut(&key) {
            message.history.push(moment);
        }
    }

    /// Makes a message.
    pub(super) fn create_message(&mut self, rules: &Rules, folder: u64, body: Body) -> u64 {
        self.last_key += 1;
        let key = self.last_key;
        self.mail.messages.insert(key, Message { created_ms: rules.now_ms, history: Vec::new() });
        let (change_key, body) = (String::new(), Arc::new(body));
        let first = Moment { seq: 0, modified_ms: rules.now_ms, folder: Some(folder), moves: 0, change_key, body };
        self.append_message(rules.now_ms, key, first);
        for form in [IdForm::Immutable, IdForm::Regular] {
            self.mail.by_id.insert(message_id(key, 0, form), (key, form));
        }
        key
    }

    /// Gives a message other content, or the same under a new change key.
    pub(super) fn edit_message(&mut self, rules: &Rules, key: u64, body: Body) {
        let mut moment = self.mail.messages[&key].now().clone();
        if *moment.body != body {
            moment.body = Arc::new(body);
        }
        moment.modified_ms = rules.now_ms;
        self.append_message(rules.now_ms, key, moment);
    }

    /// Moves a message. Its immutable id stays; its regular id is another one from now on.
    pub(super) fn move_message(&mut self, rules: &Rules, key: u64, folder: u64) {
        let mut moment = self.mail.messages[&key].now().clone();
        moment.folder = Some(folder);
        moment.modified_ms = rules.now_ms;
        if rules.ids_change_on_move {
            self.mail.by_id.remove(&message_id(key, moment.moves, IdForm::Regular));
            moment.moves += 1;
            self.mail.by_id.insert(message_id(key, moment.moves, IdForm::Regular), (key, IdForm::Regular));
        }
        self.append_message(rules.now_ms, key, moment);
    }

    /// Takes a message away for good.
    pub(super) fn purge_message(&mut self, rules: &Rules, key: u64) {
        let mut moment = self.mail.messages[&key].now().clone();
        for form in [IdForm::Immutable, IdForm::Regular] {
            self.mail.by_id.remove(&message_id(key, moment.moves, form));
        }
        moment.folder = None;
        moment.modified_ms = rules.now_ms;
        self.append_message(rules.now_ms, key, moment);
    }

    /// Deletes a message as a client does: to Deleted Items, from there to Recoverable Items, from there for good.
    pub(super) fn delete_message(&mut self, rules: &Rules, key: u64) {
        match self.mail.messages[&key].now().folder {
            Some(BIN) => self.move_message(rules, key, RECOVERABLE),
            Some(RECOVERABLE) => self.purge_message(rules, key),
            _ => self.move_message(rules, key, BIN),
        }
    }

    fn append_mail_folder(&mut self, rules: &Rules, key: u64, mut moment: FolderMoment) {
        self.log.push(Touch { at_ms: rules.now_ms, what: Touched::MailFolder(key) });
        moment.seq = self.log.len() as u64;
        if let Some(folder) = self.mail.folders.get_mut(&key) {
            folder.history.push(moment);
        }
    }

    /// Makes a mail folder; a name that is there already is refused.
    pub(super) fn create_mail_folder(
        &mut self,
        rules: &Rules,
        parent: u64,
        name: &str,
        is_hidden: bool,
    ) -> Result<u64, Refusal> {
        self.mail.check_name(parent, name, None)?;
        self.last_key += 1;
        let key = self.last_key;
        self.mail.folders.insert(key, Folder { is_hidden, history: Vec::new() });
        self.append_mail_folder(rules, key, FolderMoment { seq: 0, name: name.into(), parent: Some(parent) });
        Ok(key)
    }

    /// Gives a mail folder another name or place.
    pub(super) fn edit_mail_folder(&mut self, rules: &Rules, key: u64, parent: u64, name: &str) -> Result<(), Refusal> {
        self.mail.check_name(parent, name, Some(key))?;
        let mut above = parent;
        while above != ROOT {
            if above == key {
                return Err(Refusal::new(400, "ErrorInvalidRequest", "A folder cannot be moved into itself."));
            }
            above = self.mail.folders[&above].now().parent.unwrap_or(ROOT);
        }
        self.append_mail_folder(rules, key, FolderMoment { seq: 0, name: name.into(), parent: Some(parent) });
        Ok(())
    }

    /// Deletes a mail folder as a client does: to Deleted Items, and from there for good with all that is in it.
    pub(super) fn delete_mail_folder(&mut self, rules: &Rules, key: u64) -> Result<(), Refusal> {
        if KNOWN.iter().any(|(known, ..)| *known == key) {
            let text = "Distinguished folders cannot be deleted.";
            return Err(Refusal::new(400, "ErrorDeleteDistinguishedFolder", text));
        }
        let FolderMoment { name, parent, .. } = self.mail.folders[&key].now().clone();
        if parent == Some(BIN) {
            self.purge_mail_folder(rules, key);
            return Ok(());
        }
        let mut free = name.clone();
        for number in 1.. {
            if self.mail.check_name(BIN, &free, Some(key)).is_ok() {
                break;
            }
            free = format!("{name}{number}");
        }
        self.edit_mail_folder(rules, key, BIN, &free)
    }

    /// Takes a mail folder away for good with all that is in it.
    pub(super) fn purge_mail_folder(&mut self, rules: &Rules, key: u64) {
        for child in self.mail.children(key) {
            self.purge_mail_folder(rules, child);
        }
        for message in self.mail.inside(key) {
            self.purge_message(rules, message);
        }
        let name = self.mail.folders[&key].now().name.clone();
        self.append_mail_folder(rules, key, FolderMoment { seq: 0, name, parent: None });
    }
}

/// The id of a message in one of its forms.
pub(super) fn message_id(key: u64, moves: u32, form: IdForm) -> String {
    match form {
        IdForm::Immutable => id("AAkALgAAAAAAHYQDEapmEc2byACqAC-EWg0AMail", &format!("immutable message {key}")),
        IdForm::Regular => {
            id("AAMkAGI2NGVhZTVlLTI1OGMtNDI4My1iZmE5LTA5OGJiZGEyMTc0YQBGAAMM", &format!("message {key} {moves}"))
        }
    }
}

/// The id of a mail folder; it stays.
pub(super) fn folder_id(key: u64) -> String {
    id("AQMkAGI2NGVhZTVlLTI1OGMtNDI4My1iZmE5LTA5OGJiZGEyMTc0YQAuAAAM", &format!("mail folder {key}"))
}
