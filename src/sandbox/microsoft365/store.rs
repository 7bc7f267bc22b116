//! What Graph remembers: contacts and folders with all they ever said, so that a delta can show any moment. Calendars
//! and mail are remembered in `calendar/store.rs` and `mail/store.rs`, and share the log.
//!
//! Every write appends one entry to the log and one state to the item's history; nothing is taken away. A delta token
//! is a place in the log.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use sha2::{Digest, Sha256};

use super::fields::Body;
use super::reply::Refusal;
use super::{calendar, mail};
use crate::State;

/// The mailbox's root.
pub(super) const ROOT: u64 = 1;
/// The default contact folder.
pub(super) const CONTACTS: u64 = 2;
/// Deleted Items.
pub(super) const DELETED: u64 = 3;

/// What Graph remembers.
#[derive(Debug)]
pub struct Microsoft {
    pub(super) contacts: BTreeMap<u64, Contact>,
    pub(super) folders: BTreeMap<u64, Folder>,
    /// Ids that are answered now, in both forms.
    by_id: HashMap<String, (u64, IdForm)>,
    pub(super) log: Vec<Touch>,
    pub(super) last_key: u64,
    /// Change keys that are to move once more: when, and of which contact, event or message.
    pub(super) restamps: VecDeque<(i64, u64)>,
    /// Delta chains with the newest round begun on each.
    pub(super) chains: HashMap<u64, u64>,
    /// Delta tokens of another epoch have expired.
    pub(super) epoch: u64,
    /// Guarded updates so far, for the switch that refuses every n-th.
    pub(super) guarded: u64,
    /// Calendars and events.
    pub(super) calendar: calendar::Store,
    /// Mail folders and messages.
    pub(super) mail: mail::Store,
}

/// One line of the log.
#[derive(Clone, Copy, Debug)]
pub(super) struct Touch {
    pub at_ms: i64,
    pub what: Touched,
}

/// What a line of the log is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Touched {
    Contact(u64),
    Folder(u64),
    Event(u64),
    MailFolder(u64),
    Message(u64),
}

/// The two forms of an item's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IdForm {
    /// Changes when the item moves.
    Regular,
    /// Stays; asked for by `Prefer: IdType="ImmutableId"`.
    Immutable,
}

#[derive(Clone, Debug)]
pub(super) struct Contact {
    pub created_ms: i64,
    pub photo: Option<Photo>,
    /// Never empty; the last entry is the present.
    pub history: Vec<Moment>,
}

/// What a contact was from one write to the next.
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

#[derive(Clone, Debug)]
pub(super) struct Photo {
    pub bytes: bytes::Bytes,
    pub content_type: String,
}

#[derive(Clone, Debug)]
pub(super) struct Folder {
    pub id: String,
    /// Never empty; the last entry is the present.
    pub history: Vec<FolderMoment>,
}

#[derive(Clone, Debug)]
pub(super) struct FolderMoment {
    pub seq: u64,
    pub name: String,
    /// The folder above; none = deleted.
    pub parent: Option<u64>,
}

/// What a write needs to know besides its own matter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    pub now_ms: i64,
    pub restamp_after_ms: i64,
    pub ids_change_on_move: bool,
}

impl Rules {
    pub fn of(state: &State) -> Self {
        Self {
            now_ms: state.now_ms(),
            restamp_after_ms: state.switches.restamp_etag_after_s * 1000,
            ids_change_on_move: state.switches.graph_ids_change_on_move,
        }
    }

    /// For what was there before the first request.
    pub fn before_all(now_ms: i64) -> Self {
        Self { now_ms, restamp_after_ms: 0, ids_change_on_move: true }
    }
}

impl Default for Microsoft {
    fn default() -> Self {
        let mut new = Self {
            contacts: BTreeMap::new(),
            folders: BTreeMap::new(),
            by_id: HashMap::new(),
            log: Vec::new(),
            last_key: DELETED.max(mail::LAST_KNOWN),
            restamps: VecDeque::new(),
            chains: HashMap::new(),
            epoch: 1,
            guarded: 0,
            calendar: calendar::Store::default(),
            mail: mail::Store::default(),
        };
        for (key, name) in [(ROOT, "Top of Information Store"), (CONTACTS, "Kontakte"), (DELETED, "Gelöschte Elemente")]
        {
            let moment = FolderMoment { seq: 0, name: name.into(), parent: Some(ROOT) };
            new.folders.insert(key, Folder { id: folder_id(key), history: vec![moment] });
        }
        new
    }
}

impl Contact {
    /// What it is now.
    pub fn now(&self) -> &Moment {
        self.history.last().expect("a contact is made with its first moment")
    }

    /// What it was when the log had so many lines.
    pub fn at(&self, seq: u64) -> Option<&Moment> {
        let after = self.history.partition_point(|moment| moment.seq <= seq);
        after.checked_sub(1).map(|at| &self.history[at])
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

impl Microsoft {
    /// Does what is due by now: change keys that move once more with equal content.
    pub(super) fn settle(&mut self, now_ms: i64) {
        while let Some((due, key)) = self.restamps.front().copied().filter(|(due, _)| *due <= now_ms) {
            self.restamps.pop_front();
            match self.contacts.get(&key).map(|contact| contact.now().clone()) {
                Some(moment) if moment.folder.is_some() => self.append(due, key, moment),
                Some(_) => {}
                None if self.mail.is_message(key) => self.restamp_message(due, key),
                None => self.restamp_event(due, key),
            }
        }
    }

    /// Adds a moment to a contact's history and a line to the log; gives it its place and change key.
    fn append(&mut self, at_ms: i64, key: u64, mut moment: Moment) {
        self.log.push(Touch { at_ms, what: Touched::Contact(key) });
        moment.seq = self.log.len() as u64;
        moment.change_key = change_key(key, moment.seq);
        if let Some(contact) = self.contacts.get_mut(&key) {
            contact.history.push(moment);
        }
    }

    fn write(&mut self, rules: &Rules, key: u64, moment: Moment) {
        self.append(rules.now_ms, key, moment);
        if rules.restamp_after_ms > 0 {
            self.restamps.push_back((rules.now_ms + rules.restamp_after_ms, key));
        }
    }

    /// Makes a contact.
    pub(super) fn create(&mut self, rules: &Rules, folder: u64, body: Body) -> u64 {
        self.last_key += 1;
        let key = self.last_key;
        self.contacts.insert(key, Contact { created_ms: rules.now_ms, photo: None, history: Vec::new() });
        let first = Moment {
            seq: 0,
            modified_ms: rules.now_ms,
            folder: Some(folder),
            moves: 0,
            change_key: String::new(),
            body: Arc::new(body),
        };
        self.write(rules, key, first);
        self.by_id.insert(contact_id(key, 0, IdForm::Immutable), (key, IdForm::Immutable));
        self.by_id.insert(contact_id(key, 0, IdForm::Regular), (key, IdForm::Regular));
        key
    }

    /// Gives a contact other content, or the same under a new change key.
    pub(super) fn edit(&mut self, rules: &Rules, key: u64, body: Body) {
        let mut moment = self.contacts[&key].now().clone();
        if *moment.body != body {
            moment.body = Arc::new(body);
        }
        moment.modified_ms = rules.now_ms;
        self.write(rules, key, moment);
    }

    /// Moves a contact. Its immutable id stays; its regular id is another one from now on.
    pub(super) fn move_to(&mut self, rules: &Rules, key: u64, folder: u64) {
        let mut moment = self.contacts[&key].now().clone();
        moment.folder = Some(folder);
        moment.modified_ms = rules.now_ms;
        if rules.ids_change_on_move {
            self.by_id.remove(&contact_id(key, moment.moves, IdForm::Regular));
            moment.moves += 1;
            self.by_id.insert(contact_id(key, moment.moves, IdForm::Regular), (key, IdForm::Regular));
        }
        self.write(rules, key, moment);
    }

    /// Takes a contact away for good.
    pub(super) fn purge(&mut self, rules: &Rules, key: u64) {
        let mut moment = self.contacts[&key].now().clone();
        self.by_id.remove(&contact_id(key, moment.moves, IdForm::Regular));
        self.by_id.remove(&contact_id(key, moment.moves, IdForm::Immutable));
        moment.folder = None;
        moment.modified_ms = rules.now_ms;
        self.append(rules.now_ms, key, moment);
    }

    /// Deletes a contact as a client does: to Deleted Items, and from there for good.
    pub(super) fn delete(&mut self, rules: &Rules, key: u64) {
        if self.contacts[&key].now().folder == Some(DELETED) {
            self.purge(rules, key);
        } else {
            self.move_to(rules, key, DELETED);
        }
    }

    /// Sets or takes away a photo. It is no property: change key and delta stay unless `shows` says so.
    pub(super) fn set_photo(&mut self, rules: &Rules, key: u64, photo: Option<Photo>, shows: bool) {
        if let Some(contact) = self.contacts.get_mut(&key) {
            contact.photo = photo;
        }
        if shows {
            let body = (*self.contacts[&key].now().body).clone();
            self.edit(rules, key, body);
        }
    }

    /// The contact that an id of this form names now. An id of the other form names nothing.
    pub(super) fn find(&self, id: &str, form: IdForm) -> Result<u64, Refusal> {
        match self.by_id.get(id) {
            Some((key, have)) if *have == form => Ok(*key),
            _ if is_well_formed(id) => Err(Refusal::not_found()),
            _ => Err(Refusal::new(400, "ErrorInvalidIdMalformed", "Id is malformed.")),
        }
    }

    /// The contact that an id of either form names, for the test's own hands.
    pub(super) fn find_any(&self, id: &str) -> Option<u64> {
        self.by_id.get(id).map(|(key, _)| *key)
    }

    /// The contact folder that an id, or the well-known name `contacts`, names now.
    pub(super) fn find_folder(&self, id: &str) -> Result<u64, Refusal> {
        if id.eq_ignore_ascii_case("contacts") {
            return Ok(CONTACTS);
        }
        let found = self.folders.iter().find(|(key, folder)| folder.id == id && self.is_contact_folder(**key));
        match found {
            Some((key, _)) => Ok(*key),
            None if is_well_formed(id) => Err(Refusal::not_found()),
            None => Err(Refusal::new(400, "ErrorInvalidIdMalformed", "Id is malformed.")),
        }
    }

    /// Whether a folder is there and holds contacts.
    pub(super) fn is_contact_folder(&self, key: u64) -> bool {
        key != ROOT && key != DELETED && self.folders.get(&key).is_some_and(|folder| folder.now().parent.is_some())
    }

    /// The contact folders right under another folder.
    pub(super) fn children(&self, parent: u64) -> Vec<u64> {
        let is_child = |key: &u64| self.is_contact_folder(*key) && self.folders[key].now().parent == Some(parent);
        self.folders.keys().copied().filter(is_child).collect()
    }

    /// The contacts of one folder, oldest first.
    pub(super) fn inside(&self, folder: u64) -> Vec<u64> {
        let is_inside = |(_, contact): &(&u64, &Contact)| contact.now().folder == Some(folder);
        self.contacts.iter().filter(is_inside).map(|(key, _)| *key).collect()
    }

    fn append_folder(&mut self, rules: &Rules, key: u64, mut moment: FolderMoment) {
        self.log.push(Touch { at_ms: rules.now_ms, what: Touched::Folder(key) });
        moment.seq = self.log.len() as u64;
        let new = || Folder { id: folder_id(key), history: Vec::new() };
        self.folders.entry(key).or_insert_with(new).history.push(moment);
    }

    /// Makes a folder; a name that is there already is refused.
    pub(super) fn create_folder(&mut self, rules: &Rules, parent: u64, name: &str) -> Result<u64, Refusal> {
        self.check_name(parent, name, None)?;
        self.last_key += 1;
        let key = self.last_key;
        self.append_folder(rules, key, FolderMoment { seq: 0, name: name.into(), parent: Some(parent) });
        Ok(key)
    }

    /// Gives a folder another name or place.
    pub(super) fn edit_folder(&mut self, rules: &Rules, key: u64, parent: u64, name: &str) -> Result<(), Refusal> {
        self.check_name(parent, name, Some(key))?;
        let mut above = Some(parent);
        while let Some(folder) = above.filter(|folder| *folder != ROOT) {
            if folder == key {
                return Err(Refusal::new(400, "ErrorInvalidRequest", "A folder cannot be moved into itself."));
            }
            above = self.folders.get(&folder).and_then(|folder| folder.now().parent);
        }
        self.append_folder(rules, key, FolderMoment { seq: 0, name: name.into(), parent: Some(parent) });
        Ok(())
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

    /// Deletes a folder with all that is in it.
    pub(super) fn delete_folder(&mut self, rules: &Rules, key: u64) -> Result<(), Refusal> {
        if key <= DELETED {
            let text = "Distinguished folders cannot be deleted.";
            return Err(Refusal::new(400, "ErrorDeleteDistinguishedFolder", text));
        }
        for child in self.children(key) {
            self.delete_folder(rules, child)?;
        }
        for contact in self.inside(key) {
            self.purge(rules, contact);
        }
        let name = self.folders[&key].now().name.clone();
        self.append_folder(rules, key, FolderMoment { seq: 0, name, parent: None });
        Ok(())
    }

    /// How many lines of the log are shown now where the last `lag_s` seconds are not.
    pub(super) fn horizon(&self, now_ms: i64, lag_s: i64) -> u64 {
        let limit = now_ms - lag_s * 1000;
        let hidden = self.log.iter().rev().take_while(|line| line.at_ms > limit).count();
        (self.log.len() - hidden) as u64
    }
}

/// The id of a contact in one of its forms.
pub(super) fn contact_id(key: u64, moves: u32, form: IdForm) -> String {
    match form {
        IdForm::Immutable => id("AAkALgAAAAAAHYQDEapmEc2byACqAC-EWg0AMdx", &format!("immutable {key}")),
        IdForm::Regular => {
            id("AAMkAGI2NGVhZTVlLTI1OGMtNDI4My1iZmE5LTA5OGJiZGEyMTc0YQBGAAAA", &format!("{key} {moves}"))
        }
    }
}

fn folder_id(key: u64) -> String {
    id("AQMkAGI2NGVhZTVlLTI1OGMtNDI4My1iZmE5LTA5OGJiZGEyMTc0YQAuAAAA", &format!("folder {key}"))
}

pub(super) fn id(prefix: &str, of: &str) -> String {
    format!("{prefix}{}", URL_SAFE.encode(Sha256::digest(of.as_bytes())))
}

pub(super) fn change_key(key: u64, seq: u64) -> String {
    let digest = Sha256::digest(format!("key {key} {seq}").as_bytes());
    format!("EQAAABYAAA{}", STANDARD.encode(&digest[..21]))
}

pub(super) fn is_well_formed(id: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'=' | b'/' | b'+');
    (20..=400).contains(&id.len()) && id.starts_with('A') && id.bytes().all(is_letter)
}
