//! A place that holds messages, in memory: an account with labels, an account with folders, or a device's folders.

use async_trait::async_trait;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use twofold_model::connector::Removal;
use twofold_model::email::{EmailLens, Moving, Role, Sheet, headers, path};
use twofold_model::{
    Abilities, Access, BlobId, Blobs, Collection, CollectionId, Connector, DeltaToken, Entry, Error, ErrorKind, Etag,
    Feed, Found, Kind, Lens, Lookup, Mark, Next, Operation, Page, Place, Poll, RemoteId, Result, Seen, Since, Uid,
    Unread, Usage, Written,
};

/// How a place keeps messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// A message has any number of labels; a list shows no bytes.
    Labels,
    /// As labels, and what is in the trash stands nowhere else, nor what is in the archive.
    Alone,
    /// A message stands in one folder and keeps its id when it moves; a list shows no bytes.
    Folders,
    /// A message is a file in each folder, with its bytes.
    Files,
}

impl Manner {
    fn has_labels(self) -> bool {
        matches!(self, Manner::Labels | Manner::Alone)
    }
}

/// A message at a place.
#[derive(Clone, Debug)]
pub struct Message {
    pub bytes: Vec<u8>,
    /// The mailboxes, each with the name of its file.
    pub at: BTreeMap<String, String>,
    pub keywords: BTreeSet<String>,
    /// The mailboxes in which it is marked as deleted.
    pub deleted: BTreeSet<String>,
    pub received_ms: i64,
    mark: Option<Mark>,
    uid: String,
    /// Goes up with what leaves the message as it was.
    stamp: usize,
}

type Snapshot = BTreeMap<RemoteId, (Etag, CollectionId)>;

#[derive(Default)]
struct State {
    next: u64,
    messages: BTreeMap<u64, Message>,
    mailboxes: Vec<Collection>,
    /// What stood there after the last change, and when each copy last changed, came or went.
    last: Snapshot,
    changed: BTreeMap<RemoteId, u64>,
    tick: u64,
    looks: usize,
    lists: usize,
    bodies: BTreeMap<u64, usize>,
    headers: BTreeMap<u64, usize>,
    bodies_left: Option<usize>,
    /// Messages that cannot be read, and how that is said.
    spoiled: BTreeMap<u64, ErrorKind>,
    /// Messages that cannot be looked at either.
    hidden: BTreeMap<u64, ErrorKind>,
    /// How often it was asked for what cannot be read.
    refusals: usize,
    /// Where no message may be moved or copied to, and how that is said.
    closed: BTreeMap<String, ErrorKind>,
    /// How it is said that no message may be made, marked or deleted, if none may.
    shut: Option<ErrorKind>,
    /// How often it was asked to all the same.
    turned_away: usize,
    /// What it calls words: as it knows it, and as it was told that it said.
    names: BTreeMap<String, String>,
    told_names: BTreeMap<String, String>,
    /// How long it is silent when it is asked for bytes, and whether it answers then.
    silence: Option<(Duration, bool)>,
    /// Over which of its next writes it hangs, and whether those are executed.
    hangs: VecDeque<Option<bool>>,
    silent_writes: u64,
    writes: Vec<String>,
    creates: usize,
    is_away: bool,
    /// How long reads may lag behind lists, in seconds.
    lag_s: u64,
    /// Copies that stand where they stood, and that the list calls gone since then.
    blind: BTreeMap<RemoteId, u64>,
    /// Copies that are gone, and can still be read.
    ghosts: BTreeMap<RemoteId, Seen>,
    /// Copies that its next lists show, wherever they stand by now.
    echoes: Vec<Seen>,
    /// Each round has a page before the last, with all that it tells.
    is_paged: bool,
    /// Its rounds say when a copy was changed.
    is_stamped: bool,
    /// How many lists it was asked for at once, at most.
    most_listings: usize,
    /// Messages that others stand instead of, for whoever writes them.
    instead: BTreeMap<u64, u64>,
}

/// Called before and after whatever a place does; an error there is a stop of the program.
pub type Watch = Arc<dyn Fn(&str) -> Result<()> + Send + Sync>;

/// The place.
pub struct Office {
    name: &'static str,
    watch: Mutex<Option<Watch>>,
    /// Told of each folder right before it is listed.
    before_list: Mutex<Option<Watch>>,
    manner: Manner,
    blobs: Arc<dyn Blobs>,
    state: Mutex<State>,
}

const LENS: EmailLens = EmailLens::new(|word| word.starts_with('$') || word == "work");

/// A program that moves a file drops the words that are nobody's but the user's.
const FILES: EmailLens = LENS.moving(Moving {
    moved: |last, now| {
        let own = last.keywords.iter().filter(|word| !word.starts_with('$'));
        now.keywords.iter().chain(own).cloned().collect()
    },
    seen_again: |_, _| {},
});

impl Office {
    pub fn new(name: &'static str, manner: Manner, blobs: Arc<dyn Blobs>) -> Arc<Office> {
        Arc::new(Office {
            name,
            watch: Mutex::default(),
            before_list: Mutex::default(),
            manner,
            blobs,
            state: Mutex::default(),
        })
    }

    /// Sets who is told of each step.
    pub fn set_watch(&self, watch: Option<Watch>) {
        *self.watch.lock().unwrap() = watch;
    }

    /// Sets who is told of each folder right before it is listed.
    pub fn set_before_list(&self, watch: Option<Watch>) {
        *self.before_list.lock().unwrap() = watch;
    }

    fn step(&self, name: &str) -> Result<()> {
        let watch = self.watch.lock().unwrap().clone();
        watch.map_or(Ok(()), |watch| watch(name))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub fn add_mailbox(&self, id: &str, role: Option<Role>) {
        let name = id.rsplit_once("mail/").map_or(id, |(_, name)| name).to_owned();
        self.state().mailboxes.push(Collection {
            id: id.into(),
            kind: Kind::Mail,
            name,
            color: None,
            is_default: role == Some(Role::Inbox),
            role,
            access: Access::ReadWrite,
        });
    }

    /// Somebody puts a message there. Answers its number.
    pub fn put(&self, bytes: &[u8], mailboxes: &[&str], keywords: &[&str]) -> u64 {
        let mut state = self.state();
        state.next += 1;
        let id = state.next;
        let uid = format!("{}{id}", if self.manner == Manner::Files { self.name } else { "m" });
        let at = mailboxes.iter().map(|mailbox| ((*mailbox).to_owned(), uid.clone())).collect();
        let keywords = keywords.iter().map(|word| (*word).to_owned()).collect();
        let received_ms = 1_000_000 + i64::try_from(id).unwrap();
        let deleted = BTreeSet::new();
        let message = Message { bytes: bytes.to_vec(), at, keywords, deleted, received_ms, mark: None, uid, stamp: 0 };
        state.messages.insert(id, message);
        self.note(&mut state);
        id
    }

    /// Another program changes a message.
    pub fn change(&self, id: u64, change: impl FnOnce(&mut Message)) {
        let mut state = self.state();
        let message = state.messages.get_mut(&id).expect("the message is there");
        change(message);
        if message.at.is_empty() {
            state.messages.remove(&id);
        }
        self.note(&mut state);
    }

    /// How many lists it was asked for at once, at most.
    pub fn most_listings(&self) -> usize {
        self.state().most_listings
    }

    /// A write of the first puts it into the trash, and answers with the second, which was made to take its place.
    pub fn stands_instead(&self, old: u64, new: u64) {
        self.state().instead.insert(old, new);
    }

    /// Reads may lag that long behind lists, in seconds.
    pub fn lag(&self, lag_s: u64) {
        self.state().lag_s = lag_s;
    }

    /// A message goes to another folder and comes back: the list says that it is gone from where it stands.
    pub fn go_and_come_back(&self, id: u64) {
        self.change(id, |message| message.stamp += 1);
        let mut state = self.state();
        let message = &state.messages[&id];
        let names: Vec<RemoteId> = message.at.keys().map(|mailbox| self.remote_id(id, message, mailbox)).collect();
        let tick = state.tick;
        state.blind.extend(names.into_iter().map(|name| (name, tick)));
    }

    /// A message is destroyed, and can still be read until `ghosts_go`.
    pub fn destroy_lagging(&self, id: u64) {
        let message = self.message(id);
        let seen = message.at.keys().map(|mailbox| self.seen(id, &message, mailbox, false));
        self.state().ghosts.extend(seen.map(|seen| (seen.remote_id.clone(), seen)));
        self.change(id, |message| message.at.clear());
    }

    /// The copies of a message, as a list shows them now.
    pub fn copies(&self, id: u64) -> Vec<Seen> {
        let message = self.message(id);
        message.at.keys().map(|mailbox| self.listed(id, &message, mailbox)).collect()
    }

    /// From now on its rounds say of each copy when it was changed last.
    pub fn stamp(&self) {
        self.state().is_stamped = true;
    }

    /// The next round of each feed that tells a change shows these copies as they were: a list that lags.
    pub fn echo(&self, copies: Vec<Seen>) {
        self.state().echoes.extend(copies);
    }

    /// From now on each round has a page before the last, which holds all that the round tells, be it nothing.
    pub fn page(&self) {
        self.state().is_paged = true;
    }

    /// What is gone can be read no more.
    pub fn ghosts_go(&self) {
        self.state().ghosts.clear();
    }

    /// The messages with these bytes.
    pub fn find(&self, bytes: &[u8]) -> Vec<u64> {
        self.state().messages.iter().filter(|(_, message)| message.bytes == bytes).map(|(id, _)| *id).collect()
    }

    /// The number of the message with these bytes.
    pub fn find_one(&self, bytes: &[u8]) -> u64 {
        let found = self.find(bytes);
        assert_eq!(found.len(), 1, "messages with these bytes: {}", String::from_utf8_lossy(bytes));
        found[0]
    }

    /// What stands there: mailbox (its last name), bytes, keywords; sorted.
    pub fn shows(&self) -> Vec<(String, String, Vec<String>)> {
        let mut rows: Vec<_> = Vec::new();
        for message in self.state().messages.values() {
            for mailbox in message.at.keys() {
                let mailbox = mailbox.rsplit_once("mail/").map_or(mailbox.as_str(), |(_, name)| name);
                let text = String::from_utf8_lossy(&message.bytes).into_owned();
                rows.push((mailbox.to_owned(), text, message.keywords.iter().cloned().collect()));
            }
        }
        rows.sort();
        rows
    }

    /// Somebody gives a mailbox another path.
    pub fn call(&self, id: &str, name: &str) {
        let mut state = self.state();
        let mailbox = state.mailboxes.iter_mut().find(|mailbox| mailbox.id.as_str() == id);
        mailbox.expect("the mailbox is there").name = name.to_owned();
    }

    /// A folder goes by another path, and what is below it moves along; one that has that path already is in the way.
    fn carry_tree(&self, from: &[String], to: &[String]) -> Result<()> {
        let mut state = self.state();
        let paths: Vec<Vec<String>> = state.mailboxes.iter().map(|mailbox| path::split(&mailbox.name)).collect();
        if paths.iter().any(|path| path == to) {
            return Err(Error::new(ErrorKind::Refused, format!("a folder {} is there already", to.join("/"))));
        }
        for (mailbox, path) in state.mailboxes.iter_mut().zip(&paths) {
            if let Some(below) = path.strip_prefix(from) {
                mailbox.name = path::join(to.iter().chain(below).map(String::as_str));
            }
        }
        Ok(())
    }

    /// What a mailbox is called.
    pub fn called(&self, id: &str) -> String {
        let mailboxes = &self.state().mailboxes;
        mailboxes.iter().find(|mailbox| mailbox.id.as_str() == id).expect("the mailbox is there").name.clone()
    }

    /// Somebody removes a mailbox with all that is in it; it is what comes back when a disk is mounted again.
    pub fn remove_mailbox(&self, id: &str) -> (Collection, Vec<Message>) {
        let mut state = self.state();
        let at = state.mailboxes.iter().position(|mailbox| mailbox.id.as_str() == id);
        let mailbox = state.mailboxes.remove(at.expect("the mailbox is there"));
        let mut lost = Vec::new();
        for message in state.messages.values_mut() {
            if let Some(name) = message.at.remove(id) {
                lost.push(Message { at: BTreeMap::from([(id.to_owned(), name)]), ..message.clone() });
            }
        }
        state.messages.retain(|_, message| !message.at.is_empty());
        self.note(&mut state);
        (mailbox, lost)
    }

    /// A mailbox is back, with what was in it.
    pub fn bring_back(&self, (mailbox, lost): (Collection, Vec<Message>)) {
        let mut state = self.state();
        state.mailboxes.push(mailbox);
        for message in lost {
            state.next += 1;
            let id = state.next;
            state.messages.insert(id, message);
        }
        self.note(&mut state);
    }

    /// Whether there is a mailbox of that name.
    pub fn has_mailbox(&self, id: &str) -> bool {
        self.state().mailboxes.iter().any(|mailbox| mailbox.id.as_str() == id)
    }

    /// Whether a message with these bytes is there.
    pub fn has(&self, bytes: &[u8]) -> bool {
        self.state().messages.values().any(|message| message.bytes == bytes)
    }

    /// The numbers of all messages.
    pub fn ids(&self) -> Vec<u64> {
        self.state().messages.keys().copied().collect()
    }

    /// Whether a message may stand in several mailboxes.
    pub fn is_shared(&self) -> bool {
        self.manner != Manner::Folders
    }

    pub fn writes(&self) -> Vec<String> {
        self.state().writes.clone()
    }

    pub fn creates(&self) -> usize {
        self.state().creates
    }

    /// How often the bytes of each message were asked for.
    pub fn bodies(&self) -> Vec<usize> {
        self.state().bodies.values().copied().collect()
    }

    /// How often the header of each message was asked for by itself.
    pub fn headers(&self) -> Vec<usize> {
        self.state().headers.values().copied().collect()
    }

    /// How often a copy was asked for by its name, without its bytes.
    pub fn looks(&self) -> usize {
        self.state().looks
    }

    /// How often it was listed in full.
    pub fn lists(&self) -> usize {
        self.state().lists
    }

    /// After so many bodies, the place asks to be left alone.
    pub fn limit_bodies(&self, most: Option<usize>) {
        self.state().bodies_left = most;
    }

    /// From now on neither the bytes nor the header of a message can be read.
    pub fn spoil(&self, id: u64, kind: ErrorKind) {
        self.state().spoiled.insert(id, kind);
    }

    /// From now on it cannot even be looked at.
    pub fn hide(&self, id: u64, kind: ErrorKind) {
        self.state().hidden.insert(id, kind);
    }

    /// Whatever was spoiled or hidden can be read again.
    pub fn mend(&self) {
        let mut state = self.state();
        state.spoiled.clear();
        state.hidden.clear();
    }

    /// How often it was asked for what cannot be read.
    pub fn refusals(&self) -> usize {
        self.state().refusals
    }

    /// From now on no message may be moved or copied to a mailbox.
    pub fn close(&self, mailbox: &str, kind: ErrorKind) {
        self.state().closed.insert(mailbox.to_owned(), kind);
    }

    /// From now on no message may be made, marked or deleted.
    pub fn shut(&self, kind: ErrorKind) {
        self.state().shut = Some(kind);
    }

    /// Everything may be done with messages again.
    pub fn open(&self) {
        let mut state = self.state();
        state.closed.clear();
        state.shut = None;
    }

    /// How often it was asked for what may not be done.
    pub fn turned_away(&self) -> usize {
        self.state().turned_away
    }

    /// It hangs over those of its next writes that are named, which are executed all the same, or are not.
    pub fn hang(&self, over: impl IntoIterator<Item = Option<bool>>) {
        self.state().hangs = over.into_iter().collect();
    }

    /// From now on it takes so long when it is asked for bytes; then it answers, or is found to be away.
    pub fn be_silent(&self, silence: Duration, answers: bool) {
        self.state().silence = Some((silence, answers));
    }

    /// It calls a word by a name.
    pub fn call_word(&self, word: &str, name: &str) {
        self.state().names.insert(word.to_owned(), name.to_owned());
    }

    /// What it was told that it called words in earlier runs.
    pub fn told_names(&self) -> BTreeMap<String, String> {
        self.state().told_names.clone()
    }

    pub fn set_away(&self, is_away: bool) {
        self.state().is_away = is_away;
    }

    pub fn message(&self, id: u64) -> Message {
        self.state().messages[&id].clone()
    }

    fn remote_id(&self, id: u64, message: &Message, mailbox: &str) -> RemoteId {
        RemoteId(match self.manner {
            Manner::Labels | Manner::Alone => format!("{id}|{mailbox}"),
            Manner::Folders => id.to_string(),
            Manner::Files => format!("{mailbox}|{}", message.at[mailbox]),
        })
    }

    fn parse(&self, state: &State, remote_id: &RemoteId) -> Option<(u64, String)> {
        state.messages.iter().find_map(|(id, message)| {
            let mut at = message.at.keys();
            at.find(|mailbox| self.remote_id(*id, message, mailbox) == *remote_id).map(|mailbox| (*id, mailbox.clone()))
        })
    }

    /// A copy as a list shows it: one of labels says neither date nor size.
    fn listed(&self, id: u64, message: &Message, mailbox: &str) -> Seen {
        let mut seen = self.seen(id, message, mailbox, self.manner == Manner::Files);
        if self.manner.has_labels() {
            let sheet = Sheet::read(&seen.rendering).unwrap();
            seen.rendering = Sheet { received_ms: None, size: None, ..sheet }.write().unwrap();
        }
        seen
    }

    /// A folder against what is known of it. Its token says how it looked when all was as it is known.
    fn compared(&self, state: &State, poll: &Poll<'_>) -> Result<Page> {
        let mut here = Vec::new();
        for (id, message) in state.messages.iter().rev() {
            let at = message.at.keys().filter(|mailbox| poll.feed.id.as_str() == *mailbox);
            here.extend(at.map(|mailbox| self.seen(*id, message, mailbox, true)));
        }
        let looks: String = here.iter().map(|seen| format!("{} {}\n", seen.remote_id, seen.etag.0)).collect();
        if let Since::Token(token) = &poll.since {
            return match token.as_str() == looks {
                true => Ok(Page { entries: Vec::new(), next: Next::Done(token.clone()) }),
                false => Err(Error::new(ErrorKind::TokenExpired, "it looks otherwise")),
            };
        }
        // Of what is known to stand here under a name of another folder it says nothing.
        let is_own = |id: &&RemoteId| id.as_str().split('|').next() == Some(poll.feed.id.as_str());
        let mut gone: BTreeSet<&RemoteId> = poll.known.keys().filter(is_own).collect();
        let mut entries = Vec::new();
        for seen in here {
            gone.remove(&seen.remote_id);
            if poll.known.get(&seen.remote_id) != Some(&seen.etag) {
                entries.push(Entry::Seen(Box::new(seen)));
            }
        }
        entries.extend(gone.into_iter().cloned().map(Entry::Gone));
        let token = if entries.is_empty() { looks } else { String::new() };
        Ok(Page { entries, next: Next::Done(DeltaToken(token)) })
    }

    /// Where a file of that name stands by now.
    fn find_file(&self, state: &State, remote_id: &RemoteId) -> Option<(u64, String)> {
        let (_, base) = remote_id.as_str().rsplit_once('|').filter(|_| self.manner == Manner::Files)?;
        let mut all = state.messages.iter().flat_map(|(id, it)| it.at.iter().map(move |(at, name)| (*id, at, name)));
        all.find(|(_, _, name)| *name == base).map(|(id, at, _)| (id, at.clone()))
    }

    fn seen(&self, id: u64, message: &Message, mailbox: &str, is_whole: bool) -> Seen {
        let mut sheet = Sheet {
            keywords: message.keywords.clone(),
            deleted: message.deleted.contains(mailbox),
            received_ms: Some(message.received_ms),
            size: Some(message.bytes.len() as u64),
            ..Sheet::default()
        };
        sheet.own.insert("at".into(), message.at.keys().cloned().collect::<Vec<_>>().into());
        // What lists of folders show of a header, those of labels do not.
        if self.manner == Manner::Folders {
            sheet.set_header(&headers::read(&message.bytes));
        }
        if is_whole {
            let (blob, _) = self.blobs.put(&mut &message.bytes[..]).unwrap();
            sheet.set_bytes(&blob, message.bytes.len() as u64, &headers::read(&message.bytes));
        }
        // Somebody goes on writing a draft, but for one that was thrown away (as Gmail says it).
        let is_draft = message.keywords.contains("$draft") && !(self.manner == Manner::Labels && mailbox == "Trash");
        let state = is_draft.then(|| BlobId::of(&message.bytes).as_str()[..8].to_owned());
        sheet.draft = state.clone().filter(|_| self.manner != Manner::Files);
        let state = state.unwrap_or_default();
        let stamp = "+".repeat(message.stamp);
        let etag = Etag(format!("{:?}{:?}{state}{stamp}", message.keywords, sheet.deleted));
        Seen {
            remote_id: self.remote_id(id, message, mailbox),
            collection: mailbox.into(),
            etag,
            rendering: sheet.write().unwrap(),
            uid: Some(Uid(message.uid.clone())),
            mark: message.mark.clone(),
            modified_ms: None,
        }
    }

    /// Notes which copies changed, came or went since the last time.
    fn note(&self, state: &mut State) {
        for message in state.messages.values_mut().filter(|_| self.manner == Manner::Alone) {
            if message.at.contains_key("Trash") {
                message.at.retain(|mailbox, _| mailbox == "Trash");
            } else if message.at.len() > 1 {
                message.at.remove("Archive");
            }
        }
        let now = self.snapshot(state);
        state.tick += 1;
        for id in state.last.keys().chain(now.keys()).filter(|id| state.last.get(*id) != now.get(*id)) {
            state.changed.insert(id.clone(), state.tick);
        }
        state.last = now;
    }

    fn snapshot(&self, state: &State) -> Snapshot {
        let mut snapshot = Snapshot::new();
        for (id, message) in &state.messages {
            for mailbox in message.at.keys() {
                let seen = self.seen(*id, message, mailbox, false);
                let etag = Etag(format!("{} {:?}", seen.etag, message.at));
                snapshot.insert(seen.remote_id, (etag, seen.collection));
            }
        }
        snapshot
    }

    /// What a write answers. Only who was told of the bytes, or reads them from a disk, speaks of them.
    fn answer(&self, state: &State, id: u64, mailbox: &str, is_told: bool) -> Written {
        let is_whole = is_told || self.manner == Manner::Files;
        state.messages.get(&id).map(|message| self.seen(id, message, mailbox, is_whole))
    }

    fn execute(&self, state: &mut State, operation: &Operation) -> Result<Written> {
        let gone = || Error::new(ErrorKind::NotFound, "not there");
        if let Operation::Move { to, .. } | Operation::Copy { collection: to, .. } = operation
            && let Some(kind) = state.closed.get(to.as_str()).copied()
        {
            state.turned_away += 1;
            return Err(Error::new(kind, "no message may be put there"));
        }
        if let Operation::Create { .. } | Operation::Update { .. } | Operation::Delete { .. } = operation
            && let Some(kind) = state.shut
        {
            state.turned_away += 1;
            return Err(Error::new(kind, "no message may be written"));
        }
        match operation {
            Operation::Create { collection, rendering, uid, mark } => {
                let sheet = Sheet::read(rendering)?;
                let blob = sheet.blob().ok_or_else(|| Error::new(ErrorKind::Broken, "a message without bytes"))?;
                let mut bytes = Vec::new();
                self.blobs.open(&blob)?.read_to_end(&mut bytes).unwrap();
                let has_name = |it: &Message| it.at.get(collection.as_str()).is_some_and(|name| name == uid.as_str());
                let there = state.messages.iter().find(|(_, it)| self.manner == Manner::Files && has_name(it));
                if let Some((id, there)) = there {
                    // As a device's folders: the same bytes under that name are taken for the file that was to be made.
                    return match there.bytes == bytes {
                        true => Ok(self.answer(state, *id, collection.as_str(), true)),
                        false => Err(Error::new(ErrorKind::StaleEtag, "another file has that name")),
                    };
                }
                state.next += 1;
                state.creates += 1;
                let id = state.next;
                let uid = match self.manner {
                    Manner::Files => uid.as_str().to_owned(),
                    _ => format!("m{id}"),
                };
                let message = Message {
                    bytes,
                    at: BTreeMap::from([(collection.0.clone(), uid.clone())]),
                    keywords: sheet.keywords,
                    deleted: BTreeSet::new(),
                    received_ms: sheet.received_ms.unwrap_or(0),
                    mark: (self.manner != Manner::Files).then(|| mark.clone()),
                    uid,
                    stamp: 0,
                };
                state.writes.push(format!("create in {collection}"));
                state.messages.insert(id, message);
                Ok(self.answer(state, id, collection.as_str(), true))
            }
            Operation::Copy { of, collection } => {
                let (id, from) = self.parse(state, &of.remote_id).ok_or_else(gone)?;
                let is_apart = ["Trash", "Archive"].contains(&collection.as_str()) || from == "Trash";
                if self.manner == Manner::Alone && is_apart {
                    return Err(Error::new(ErrorKind::Unsupported, "it cannot stand there beside where it stands"));
                }
                if self.manner == Manner::Folders {
                    // Another message like it, the mark included.
                    state.next += 1;
                    let other = state.next;
                    let uid = format!("m{other}");
                    let at = BTreeMap::from([(collection.0.clone(), uid.clone())]);
                    let message = Message { at, uid, ..state.messages[&id].clone() };
                    state.messages.insert(other, message);
                    state.writes.push(format!("copy to {collection}"));
                    return Ok(self.answer(state, other, collection.as_str(), false));
                }
                let message = state.messages.get_mut(&id).ok_or_else(gone)?;
                let base = message.at[&from].clone();
                message.at.insert(collection.0.clone(), base);
                state.writes.push(format!("copy to {collection}"));
                Ok(self.answer(state, id, collection.as_str(), false))
            }
            Operation::Move { place, etag, to } => {
                let (id, from) = self.parse(state, &place.remote_id).ok_or_else(gone)?;
                let now = self.seen(id, &state.messages[&id], &from, false).etag;
                if self.manner == Manner::Folders && (now != *etag || from != place.collection.as_str()) {
                    return Err(Error::new(ErrorKind::StaleEtag, "changed meanwhile"));
                }
                let message = state.messages.get_mut(&id).ok_or_else(gone)?;
                if self.manner == Manner::Alone && to.as_str() == "Archive" && message.at.len() > 1 {
                    return Err(Error::new(ErrorKind::Unsupported, "it stands elsewhere too"));
                }
                let base = message.at.remove(&from).ok_or_else(gone)?;
                message.deleted.remove(&from);
                state.writes.push(format!("move to {to}"));
                let taken = message.clone();
                state.next += 1;
                let (other, is_taken) =
                    (state.next, state.messages.values().any(|it| it.at.get(to.as_str()) == Some(&base)));
                if self.manner == Manner::Files && is_taken {
                    // A file of that name is there already: this one gets another.
                    let at = BTreeMap::from([(to.0.clone(), format!("{base}+{other}"))]);
                    state.messages.insert(other, Message { at, ..taken });
                    return Ok(self.answer(state, other, to.as_str(), false));
                }
                let message = state.messages.get_mut(&id).ok_or_else(gone)?;
                message.at.insert(to.0.clone(), base);
                Ok(self.answer(state, id, to.as_str(), false))
            }
            Operation::Update { place, etag, to, .. } => {
                let (id, at) = self.parse(state, &place.remote_id).ok_or_else(gone)?;
                if let Some(new) = state.instead.get(&id).copied() {
                    let old = state.messages.get_mut(&id).ok_or_else(gone)?;
                    old.at = BTreeMap::from([("Trash".to_owned(), old.uid.clone())]);
                    state.writes.push(format!("update in {at}"));
                    return Ok(self.answer(state, new, &at, false));
                }
                let seen = self.seen(id, &state.messages[&id], &at, false);
                let sheet = Sheet::read(to)?;
                let message = state.messages.get_mut(&id).ok_or_else(gone)?;
                // What is done to one label's copy is done to all, so the second one finds it done.
                if seen.etag != *etag && message.keywords != sheet.keywords {
                    return Err(Error::new(ErrorKind::StaleEtag, "changed meanwhile"));
                }
                message.keywords = sheet.keywords.clone();
                if message.keywords.contains("$draft")
                    && let Some(blob) = sheet.blob()
                {
                    message.bytes.clear();
                    self.blobs.open(&blob)?.read_to_end(&mut message.bytes).unwrap();
                }
                state.writes.push(format!("update in {at}"));
                Ok(self.answer(state, id, &at, false))
            }
            Operation::Delete { place, .. } => {
                let Some((id, at)) = self.parse(state, &place.remote_id) else { return Ok(None) };
                let message = state.messages.get_mut(&id).ok_or_else(gone)?;
                message.at.remove(&at);
                if message.at.is_empty() {
                    state.messages.remove(&id);
                }
                state.writes.push(format!("delete in {at}"));
                Ok(None)
            }
        }
    }

    fn check(&self) -> Result<()> {
        match self.state().is_away {
            true => Err(Error::new(ErrorKind::Offline, "the place is away")),
            false => Ok(()),
        }
    }
}

#[async_trait]
impl Connector for Office {
    fn abilities(&self) -> Abilities {
        let (rank, shares, moves): (u8, &'static [Kind], &'static [Kind]) = match self.manner {
            Manner::Labels | Manner::Alone => (1, &[Kind::Mail], &[Kind::Mail]),
            Manner::Folders => (1, &[], &[Kind::Mail]),
            Manner::Files => (0, &[Kind::Mail], &[Kind::Mail]),
        };
        let of_mail = |is: bool| -> &'static [Kind] { if is { &[Kind::Mail] } else { &[] } };
        Abilities {
            rank,
            shares,
            moves,
            copies: of_mail(self.manner == Manner::Folders),
            alone: if matches!(self.manner, Manner::Alone | Manner::Folders) { &[Role::Trash] } else { &[] },
            left_over: (self.manner == Manner::Alone).then_some(Role::Archive),
            reads_headers: of_mail(self.manner.has_labels()),
            compares_known: self.manner == Manner::Files,
            makes_collections: &[Kind::Mail],
            reads_lag_s: self.state().lag_s,
            write_batch: 20,
            ..Abilities::default()
        }
    }

    fn lens(&self, _: Kind) -> &dyn Lens {
        if self.manner == Manner::Files { &FILES } else { &LENS }
    }

    async fn collections(&self, _: Kind) -> Result<Vec<Collection>> {
        self.check()?;
        Ok(self.state().mailboxes.clone())
    }

    fn feeds(&self, kind: Kind, collections: &[Collection]) -> Vec<Feed> {
        if self.manner.has_labels() {
            let collections = collections.iter().map(|collection| collection.id.clone()).collect();
            return vec![Feed { id: "all".into(), kind, collections }];
        }
        let feed = |one: &Collection| Feed { id: one.id.as_str().into(), kind, collections: vec![one.id.clone()] };
        collections.iter().map(feed).collect()
    }

    async fn changes(&self, polls: &[Poll<'_>]) -> Vec<Result<Page>> {
        let listings = polls.iter().filter(|poll| !matches!(poll.since, Since::Token(_))).count();
        {
            let mut state = self.state();
            state.most_listings = state.most_listings.max(listings);
        }
        let mut pages = Vec::new();
        for poll in polls {
            let before = self.before_list.lock().unwrap().clone();
            let told = before.map_or(Ok(()), |before| before(poll.feed.id.as_str()));
            if let Err(error) = self.check().and(told) {
                pages.push(Err(error));
                continue;
            }
            let mut state = self.state();
            if self.manner == Manner::Files {
                pages.push(self.compared(&state, poll));
                continue;
            }
            let since = match &poll.since {
                Since::Token(token) => token.as_str().parse().unwrap(),
                Since::Page(end) => {
                    pages.push(Ok(Page { entries: Vec::new(), next: Next::Done(DeltaToken(end.clone())) }));
                    continue;
                }
                Since::Start => 0,
            };
            self.note(&mut state);
            state.lists += usize::from(since == 0);
            let covers = |mailbox: &str| poll.feed.collections.iter().any(|one| one.as_str() == mailbox);
            let is_new = |id: &RemoteId| state.changed.get(id).is_some_and(|tick| *tick > since);
            let is_blind =
                |id: &RemoteId| since > 0 && state.blind.get(id).is_some_and(|at| state.changed.get(id) == Some(at));
            let mut entries: Vec<Entry> = Vec::new();
            for (id, message) in state.messages.iter().rev() {
                for mailbox in message.at.keys().filter(|mailbox| covers(mailbox)) {
                    let mut seen = self.listed(*id, message, mailbox);
                    let stamp = state.changed.get(&seen.remote_id).filter(|_| state.is_stamped);
                    seen.modified_ms = stamp.map(|tick| i64::try_from(*tick).unwrap());
                    if is_new(&seen.remote_id) && !is_blind(&seen.remote_id) {
                        entries.push(Entry::Seen(Box::new(seen)));
                    }
                }
            }
            // One that moved is gone from where it was.
            let is_there = |id: &RemoteId| state.last.get(id).is_some_and(|(_, mailbox)| covers(mailbox.as_str()));
            let is_gone = |id: &&RemoteId| since > 0 && is_new(id) && (!is_there(id) || is_blind(id));
            entries.extend(state.changed.keys().filter(is_gone).cloned().map(Entry::Gone));
            let echoes = state.echoes.extract_if(.., |seen| since > 0 && covers(seen.collection.as_str()));
            entries.extend(echoes.map(|seen| Entry::Seen(Box::new(seen))));
            let token = state.tick.to_string();
            let next = if state.is_paged { Next::Page(token) } else { Next::Done(DeltaToken(token)) };
            pages.push(Ok(Page { entries, next }));
        }
        pages
    }

    async fn fetch(&self, _: Kind, places: &[Place]) -> Vec<Result<Option<Seen>>> {
        let mut state = self.state();
        state.looks += places.len();
        places
            .iter()
            .map(|place| {
                let found = self.parse(&state, &place.remote_id).or_else(|| self.find_file(&state, &place.remote_id));
                // Whether what stood in a folder that is not there is gone, nobody knows.
                let is_folder = |mailbox: &Collection| mailbox.id == place.collection;
                if found.is_none() && self.manner == Manner::Files && !state.mailboxes.iter().any(is_folder) {
                    return Err(Error::new(ErrorKind::Held, "the folder is not there"));
                }
                let Some((id, at)) = found else { return Ok(state.ghosts.get(&place.remote_id).cloned()) };
                if let Some(kind) = state.hidden.get(&id) {
                    return Err(Error::new(*kind, "it cannot be looked at"));
                }
                Ok(Some(self.seen(id, &state.messages[&id], &at, self.manner == Manner::Files)))
            })
            .collect()
    }

    async fn bodies(&self, _: Kind, copies: &[Unread]) -> Vec<Result<Option<Seen>>> {
        let silence = self.state().silence;
        if let Some((silence, answers)) = silence {
            tokio::time::sleep(silence).await;
            if !answers {
                let silent = || Err(Error::new(ErrorKind::Offline, "it did not answer in time"));
                return copies.iter().map(|_| silent()).collect();
            }
        }
        let mut state = self.state();
        let mut read: BTreeSet<u64> = BTreeSet::new();
        let mut answers = Vec::new();
        for Unread { place, shown, .. } in copies {
            let Some((id, at)) = self.parse(&state, &place.remote_id) else {
                answers.push(Ok(None));
                continue;
            };
            if let Some(kind) = state.spoiled.get(&id).copied() {
                state.refusals += 1;
                answers.push(Err(Error::new(kind, "it cannot be read")));
                continue;
            }
            if read.insert(id) {
                if state.bodies_left == Some(0) {
                    read.remove(&id);
                    answers.push(Err(Error::new(ErrorKind::Throttled { retry_after_s: None }, "come back later")));
                    continue;
                }
                if let Err(error) = self.step("a body") {
                    answers.push(Err(Error::new(ErrorKind::Unknown, error.to_string())));
                    continue;
                }
                state.bodies_left = state.bodies_left.map(|left| left - 1);
                *state.bodies.entry(id).or_default() += 1;
            }
            let now = self.seen(id, &state.messages[&id], &at, true);
            // Folders answer the bytes alone: the rest is as it was shown.
            let shown = shown.clone().filter(|_| self.manner == Manner::Folders);
            let whole = shown.map_or(now.clone(), |mut shown| {
                let bytes = &state.messages[&id].bytes;
                let mut sheet = Sheet::read(&shown.rendering).unwrap();
                sheet.set_bytes(&BlobId::of(bytes), bytes.len() as u64, &headers::read(bytes));
                shown.rendering = sheet.write().unwrap();
                shown
            });
            answers.push(Ok(Some(whole)));
        }
        answers
    }

    async fn headers(&self, _: Kind, places: &[Place]) -> Vec<Result<Option<Seen>>> {
        let mut state = self.state();
        let mut answers = Vec::new();
        for place in places {
            let Some((id, at)) = self.parse(&state, &place.remote_id) else {
                answers.push(Ok(None));
                continue;
            };
            if let Some(kind) = state.spoiled.get(&id) {
                answers.push(Err(Error::new(*kind, "it cannot be read")));
                continue;
            }
            if let Err(error) = self.step("a header") {
                answers.push(Err(Error::new(ErrorKind::Unknown, error.to_string())));
                continue;
            }
            *state.headers.entry(id).or_default() += 1;
            let seen = self.seen(id, &state.messages[&id], &at, false);
            let mut sheet = Sheet::read(&seen.rendering).unwrap();
            sheet.set_header(&headers::read(&state.messages[&id].bytes));
            answers.push(Ok(Some(Seen { rendering: sheet.write().unwrap(), ..seen })));
        }
        answers
    }

    fn usage(&self) -> Usage {
        Usage { silent_writes: self.state().silent_writes, ..Usage::default() }
    }

    async fn write(&self, _: Kind, operations: &[Operation]) -> Vec<Result<Written>> {
        let mut state = self.state();
        let cut = |error: Error| Error::new(ErrorKind::Unknown, error.to_string());
        let mut written = Vec::new();
        for operation in operations {
            if let Some(is_done) = state.hangs.pop_front().flatten() {
                if is_done {
                    _ = self.execute(&mut state, operation);
                    self.note(&mut state);
                }
                state.silent_writes += 1;
                written.push(Err(Error::new(ErrorKind::Unknown, "no answer came in time")));
                continue;
            }
            let answer = self.step("before a write").map_err(cut).and_then(|()| self.execute(&mut state, operation));
            self.note(&mut state);
            // Executed, and nobody hears of it.
            written.push(answer.and_then(|written| self.step("after a write").map_err(cut).map(|()| written)));
        }
        written
    }

    async fn find(&self, _: Kind, lookups: &[Lookup], _: i64) -> Vec<Result<Found>> {
        let state = self.state();
        let find = |lookup: &Lookup| {
            let found = state
                .messages
                .iter()
                .find(|(_, message)| message.mark.as_ref() == Some(&lookup.mark) || message.uid == lookup.uid.as_str());
            match found.and_then(|(id, message)| Some((*id, message, message.at.keys().next()?))) {
                Some((id, message, at)) => Ok(Found::Here(Box::new(self.seen(id, message, at, false)))),
                None => Ok(Found::Nowhere),
            }
        };
        lookups.iter().map(find).collect()
    }

    fn names(&self) -> BTreeMap<String, String> {
        self.state().names.clone()
    }

    fn learn_names(&self, names: BTreeMap<String, String>) {
        self.state().told_names = names;
    }

    async fn create_collection(&self, _: Kind, like: &Collection) -> Result<Collection> {
        self.step("before a mailbox is made")?;
        let parent = like.id.as_str().split('#').next().unwrap_or_default();
        let id = if self.manner == Manner::Files { format!("{parent}/{}", like.name) } else { like.name.clone() };
        let is_it = |mailbox: &&Collection| {
            let is_in_tree = mailbox.id.as_str().rsplit_once('/').is_some_and(|(tree, _)| tree == parent);
            mailbox.id.as_str() == id || self.manner == Manner::Files && is_in_tree && mailbox.name == like.name
        };
        if let Some(there) = self.state().mailboxes.iter().find(is_it) {
            return Ok(there.clone());
        }
        assert!(!path::split(&like.name).is_empty());
        let made = Collection { id: id.as_str().into(), ..like.clone() };
        self.state().mailboxes.push(made.clone());
        Ok(made)
    }

    async fn removal(&self, _: Kind, id: &CollectionId) -> Result<Removal> {
        let is_fixed = self.state().mailboxes.iter().any(|mailbox| mailbox.id == *id && mailbox.role.is_some());
        Ok(if is_fixed { Removal::Never } else { Removal::Whole })
    }

    async fn remove_collection(&self, _: Kind, id: &CollectionId) -> Result<bool> {
        let mut state = self.state();
        let is_empty = state.messages.values().all(|message| !message.at.contains_key(id.as_str()));
        if is_empty {
            state.mailboxes.retain(|mailbox| mailbox.id != *id);
        }
        Ok(is_empty)
    }

    /// Where messages stand in folders, it takes a move and a rename, either of which may fail.
    async fn rename_collection(
        &self,
        _: Kind,
        id: &CollectionId,
        name: Option<&str>,
        _: Option<&str>,
    ) -> Result<Collection> {
        let to = path::split(name.unwrap_or_default());
        let mut between = path::split(&self.called(id.as_str()));
        let moved = to.iter().rev().skip(1).rev().chain(between.last()).cloned().collect();
        let steps: &[(&str, &Vec<String>)] = match self.manner {
            Manner::Folders => &[("folder moved", &moved), ("folder renamed", &to)],
            _ => &[("folder renamed", &to)],
        };
        for (step, path) in steps {
            if between != **path {
                self.step(&format!("before {step}"))?;
                if self.manner == Manner::Folders {
                    self.carry_tree(&between, path)?;
                } else {
                    self.call(id.as_str(), &path::join(path.iter().map(String::as_str)));
                }
                self.step(&format!("after {step}"))?;
                between.clone_from(path);
            }
        }
        let state = self.state();
        let now = state.mailboxes.iter().find(|mailbox| mailbox.id == *id).cloned();
        now.ok_or_else(|| Error::new(ErrorKind::NotFound, "it is gone"))
    }
}
