//! The smallest connector: a place that lives in memory. It is the contract in its plainest form, the first to pass the
//! contract suite, and the replica of the engine's tests; it can lag, lose replies and refuse, as real places do.

use crate::card::email_identity;
use crate::connector::{
    Abilities, Access, Collection, Connector, Entry, Feed, Found, Lookup, Next, Operation, Page, Place, Poll, Removal,
    Seen, Since, Usage, Written, plain_color,
};
use crate::{
    CollectionId, Content, DeltaToken, Error, ErrorKind, Etag, Identity, Kind, Lens, Mark, RemoteId, Rendering, Result,
    Uid, carry,
};
use async_trait::async_trait;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What goes wrong with one write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is executed, but its reply is lost.
    LostReply,
    /// It is not executed, and nobody can tell.
    LostRequest,
    /// A create is executed but for what travels in requests of its own (a photo, changed occurrences), and the reply is lost.
    HalfMade,
    /// It is not executed, nobody can tell, and nothing came for too long.
    Hangs,
    /// It is executed, but nothing came for too long.
    HangsAndIsDone,
    /// It is not sent, because the place hung over another write.
    Unsent,
    /// It is not executed, and that is certain.
    Throttled,
    /// It is refused.
    Refused,
    /// There is no way to say it there.
    Unsupported,
}

/// What a place in memory is like.
#[derive(Clone, Debug)]
pub struct Manners {
    /// How many e-mail addresses it has fields for; the rest travels in its carry-all.
    pub emails: usize,
    /// It trims texts, as providers do.
    pub trims: bool,
    /// A listing shows a write only so long after it was made, in milliseconds.
    pub lag_ms: i64,
    /// Who asks for a copy by name is shown one that was deleted for so long, in milliseconds.
    pub reads_lag_ms: i64,
    /// Copies are looked at slowly besides.
    pub sweeps: bool,
    /// Device 0, provider 1.
    pub rank: u8,
    /// An e-mail address that a change takes away stays there, and the carry-all says that it does not count.
    pub keeps_emails: bool,
    /// It has no colours for collections.
    pub is_colorless: bool,
    /// A delta tells of a contact that was edited those members alone that changed ([`Lens::settle_unknown`]).
    pub tells_parts: bool,
    /// A change of more than the notes mails each of a card's `members`, as a meeting's guests are.
    pub mails: bool,
    /// It has no delta: it compares with what is known ([`Abilities::compares_known`]).
    pub compares: bool,
    /// Each feed is asked for by itself ([`Abilities::feeds_by_themselves`]).
    pub by_themselves: bool,
    /// What is handed over at once is executed whole or not at all.
    pub whole_batches: bool,
}

impl Default for Manners {
    fn default() -> Self {
        Self {
            emails: 3,
            trims: false,
            lag_ms: 0,
            reads_lag_ms: 0,
            sweeps: false,
            rank: 1,
            keeps_emails: false,
            is_colorless: false,
            tells_parts: false,
            mails: false,
            compares: false,
            by_themselves: false,
            whole_batches: false,
        }
    }
}

#[derive(Clone, Debug)]
struct Row {
    collection: CollectionId,
    rendering: Value,
    stamp: u64,
    modified_ms: i64,
    /// Members of the card that another client changed, and when.
    edited: BTreeMap<String, u64>,
}

#[derive(Debug, Default)]
struct State {
    collections: Vec<Collection>,
    rows: BTreeMap<RemoteId, Row>,
    /// What left a collection: when, and which.
    gone: BTreeMap<RemoteId, (u64, CollectionId)>,
    /// What was deleted, and when.
    last_seen: BTreeMap<RemoteId, (Row, i64)>,
    fetched: usize,
    compared: usize,
    stamp: u64,
    next_id: u64,
    faults: VecDeque<Option<Fault>>,
    collection_faults: VecDeque<Option<Fault>>,
    collection_writes: usize,
    writes: usize,
    mailed: usize,
    requests: u64,
    bytes_in: u64,
    awaited: u64,
    silent_writes: u64,
    offline: bool,
    /// Kinds of which it answers nothing.
    lost: BTreeMap<Kind, ErrorKind>,
    /// Over what it hung, and did not do so far.
    late: Vec<Operation>,
    /// It hangs over each create of a card of that name; of none where it is empty.
    hanging_over: String,
    /// Collections over whose lists it hangs.
    hanging: BTreeSet<CollectionId>,
    /// Collections whose lists break off.
    unlisted: BTreeSet<CollectionId>,
    /// Collections that lack the marker of a device's folder.
    unmarked: BTreeSet<CollectionId>,
    /// So many items of each list are not to be understood.
    unintelligible: usize,
    expired_before: u64,
    now_ms: i64,
}

impl State {
    /// Whether it hangs over that each time.
    fn hangs_over(&self, operation: &Operation) -> bool {
        let Operation::Create { rendering, .. } = operation else { return false };
        !self.hanging_over.is_empty() && String::from_utf8_lossy(rendering.as_bytes()).contains(&self.hanging_over)
    }

    /// A write that was given up.
    fn hangs(&mut self) -> Error {
        self.silent_writes += 1;
        Error::new(ErrorKind::Unknown, "no answer came in time")
    }
}

/// A request whose answer is waited for, until it is dropped.
pub struct Awaited(Memory);

impl Drop for Awaited {
    fn drop(&mut self) {
        self.0.state().awaited -= 1;
    }
}

/// Called before and after each request; an error there is a stop of the whole process (crash harness).
pub type Watch = Arc<dyn Fn(&str) -> Result<()> + Send + Sync>;

/// What whoever asks waits for: told whether it is the collections that are asked for, or what changed in them.
pub type Wait = Arc<dyn Fn(Asked) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// What a place is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Its collections.
    Collections,
    /// What changed in them.
    Changes,
    /// What changed in some, over one of which it hangs: none of them is told of.
    WhatHangs,
}

/// A place in memory.
#[derive(Clone)]
pub struct Memory {
    state: Arc<Mutex<State>>,
    lens: Arc<JsonLens>,
    manners: Manners,
    watch: Option<Watch>,
    wait: Option<Wait>,
}

impl Memory {
    /// A place with one address book of that name.
    pub fn new(collection: &str, manners: Manners) -> Self {
        Self::of(Kind::Contacts, collection, manners)
    }

    /// A place with one collection of a kind, of that name.
    pub fn of(kind: Kind, collection: &str, manners: Manners) -> Self {
        let state = State {
            collections: vec![Collection {
                id: collection.into(),
                kind,
                name: collection.into(),
                color: None,
                is_default: true,
                role: None,
                access: Access::ReadWrite,
            }],
            ..State::default()
        };
        let lens = Arc::new(JsonLens { emails: manners.emails, mails: manners.mails });
        Self { state: Arc::new(Mutex::new(state)), lens, manners, watch: None, wait: None }
    }

    /// The same place, watched.
    pub fn watched(&self, watch: Watch) -> Self {
        Self { watch: Some(watch), ..self.clone() }
    }

    /// The same place, which is slow, or hangs.
    pub fn waiting(&self, wait: Wait) -> Self {
        Self { wait: Some(wait), ..self.clone() }
    }

    /// Its answer is waited for until what this returns is dropped.
    pub fn awaited(&self) -> Awaited {
        self.state().awaited += 1;
        Awaited(self.clone())
    }

    /// A part of what it was asked for has come over the network.
    pub fn hear(&self, bytes: u64) {
        self.state().bytes_in += bytes;
    }

    async fn wait(&self, asked: Asked) {
        if let Some(wait) = &self.wait {
            wait(asked).await;
        }
    }

    /// A place without any collection, as a new device is.
    pub fn empty(manners: Manners) -> Self {
        let place = Self::new("", manners);
        place.state().collections.clear();
        place
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn step(&self, name: &str) -> Result<()> {
        self.watch.as_ref().map_or(Ok(()), |watch| watch(name))
    }

    /// Sets the place's clock.
    pub fn set_now(&self, now_ms: i64) {
        self.state().now_ms = now_ms;
    }

    /// Whether this user may write to the collection of that number.
    pub fn set_access(&self, collection: usize, access: Access) {
        self.state().collections[collection].access = access;
    }

    /// The next writes end so, one after another; `None` is a write that goes well.
    pub fn fault(&self, faults: impl IntoIterator<Item = Option<Fault>>) {
        self.state().faults.extend(faults);
    }

    /// The next changes of collections end so.
    pub fn fault_collections(&self, faults: impl IntoIterator<Item = Option<Fault>>) {
        self.state().collection_faults.extend(faults);
    }

    /// How many changes of collections were executed that we made.
    pub fn collection_writes(&self) -> usize {
        self.state().collection_writes
    }

    /// The collections as they stand there.
    pub fn shelves(&self) -> Vec<Collection> {
        self.state().collections.clone()
    }

    /// Another client of the user makes a collection, not the default one. Returns its number.
    pub fn add_shelf(&self, id: &str, kind: Kind, name: &str, color: Option<&str>) -> usize {
        let mut state = self.state();
        let color = color.map(str::to_owned);
        let (id, access) = (CollectionId::from(id), Access::ReadWrite);
        state.collections.push(Collection {
            id,
            kind,
            name: name.into(),
            color,
            is_default: false,
            role: None,
            access,
        });
        state.collections.len() - 1
    }

    /// The collection of that number is a folder that somebody made by hand: it lacks the marker of those that the hub knows. While nothing
    /// stands in it, it may as well be a mount that is absent, and a place that compares cannot tell.
    pub fn unmark(&self, collection: usize) {
        let mut state = self.state();
        let id = state.collections[collection].id.clone();
        state.unmarked.insert(id);
    }

    /// Another client of the user gives the collection of that number a name and a colour.
    pub fn label(&self, collection: usize, name: &str, color: Option<&str>) {
        let mut state = self.state();
        let shelf = &mut state.collections[collection];
        (shelf.name, shelf.color) = (name.to_owned(), color.map(str::to_owned));
    }

    /// Another client of the user deletes a collection with all that is in it.
    pub fn remove_shelf(&self, name: &str) {
        let mut state = self.state();
        let Some(at) = state.collections.iter().position(|shelf| shelf.name == name) else { return };
        let id = state.collections.remove(at).id;
        let inside: Vec<RemoteId> =
            state.rows.iter().filter(|(_, row)| row.collection == id).map(|(id, _)| id.clone()).collect();
        inside.iter().for_each(|id| state.remove(id));
    }

    /// Whether the place can be reached at all.
    pub fn set_offline(&self, offline: bool) {
        self.state().offline = offline;
    }

    /// Whether all that is asked of a kind ends so, while the other kinds are served.
    pub fn set_lost(&self, kind: Kind, error: Option<ErrorKind>) {
        match error {
            Some(error) => _ = self.state().lost.insert(kind, error),
            None => _ = self.state().lost.remove(&kind),
        }
    }

    /// Whether what is in the collection of that number can be listed; if not, its lists break off. Single copies are told all the same.
    pub fn set_listed(&self, collection: usize, listed: bool) {
        let mut state = self.state();
        let id = state.collections[collection].id.clone();
        if listed {
            state.unlisted.remove(&id)
        } else {
            state.unlisted.insert(id)
        };
    }

    /// Whether it hangs over the lists of the collection of that number ([`Asked::WhatHangs`]).
    pub fn set_hanging(&self, collection: usize, hangs: bool) {
        let mut state = self.state();
        let id = state.collections[collection].id.clone();
        match hangs {
            true => state.hanging.insert(id),
            false => state.hanging.remove(&id),
        };
    }

    /// What it hung over and did not do, it does now.
    pub fn carry_out_late(&self) {
        let mut state = self.state();
        for operation in std::mem::take(&mut state.late) {
            // Whether it can still be done nobody is told.
            _ = self.execute(&mut state, &operation);
        }
    }

    /// Whether it hangs over each create of a card of that name; over none where it is empty.
    pub fn set_hanging_over(&self, name: &str) {
        self.state().hanging_over = name.to_owned();
    }

    /// From now on each list tells of so many items that are not to be understood, besides the others.
    pub fn set_unintelligible(&self, items: usize) {
        self.state().unintelligible = items;
    }

    /// All tokens given so far are dead from now on.
    pub fn expire_tokens(&self) {
        let mut state = self.state();
        state.stamp += 1;
        state.expired_before = state.stamp;
    }

    /// How often it was asked to compare with what is known.
    pub fn compared(&self) -> usize {
        self.state().compared
    }

    /// How many writes were executed.
    pub fn writes(&self) -> usize {
        self.state().writes
    }

    /// How many mails the writes have sent.
    pub fn mailed(&self) -> usize {
        self.state().mailed
    }

    /// Another client of the user makes a contact in the collection of that number. Returns its name there.
    pub fn create_in(&self, collection: usize, content: &Content) -> RemoteId {
        let rendering = self.lens.render(content, &Identity { uid: Uid(String::new()), mark: None });
        let mut state = self.state();
        let collection = state.collections[collection].id.clone();
        state.insert(collection, rendering)
    }

    /// Another client of the user makes a contact. Returns its name there.
    pub fn create(&self, content: &Content) -> RemoteId {
        self.create_in(0, content)
    }

    /// Another client of the user changes a contact.
    pub fn edit(&self, id: &RemoteId, change: impl FnOnce(&mut Content)) {
        let mut state = self.state();
        let Some(row) = state.rows.get(id).cloned() else { return };
        let before = Content::from_value(row.rendering["card"].clone());
        let mut native = before.clone();
        change(&mut native);
        let native = native.tidied();
        let mut rendering = row.rendering;
        rendering["card"] = native.to_value();
        state.replace(id, rendering);
        let stamp = state.stamp;
        if let Some(row) = state.rows.get_mut(id) {
            let members = before.0.keys().chain(native.0.keys()).filter(|name| before.get(name) != native.get(name));
            row.edited.extend(members.map(|name| (name.clone(), stamp)));
        }
    }

    /// Another client of the user deletes a contact.
    pub fn delete(&self, id: &RemoteId) {
        self.state().remove(id);
    }

    /// The place says in its next round that a contact is gone, which it is not (it left a folder and came back).
    pub fn say_gone(&self, id: &RemoteId) {
        let mut state = self.state();
        state.stamp += 1;
        let stamp = state.stamp;
        let Some(row) = state.rows.get(id) else { return };
        let collection = row.collection.clone();
        state.gone.insert(id.clone(), (stamp, collection));
    }

    /// Another client of the user moves a contact into the collection of that number. It keeps its name there.
    pub fn move_to(&self, id: &RemoteId, collection: usize) {
        let mut state = self.state();
        let to = state.collections[collection].id.clone();
        let Some(row) = state.rows.get(id).cloned() else { return };
        state.replace(id, row.rendering);
        let stamp = state.stamp;
        if let Some(row) = state.rows.get_mut(id) {
            row.collection = to;
        }
        state.gone.insert(id.clone(), (stamp, row.collection));
    }

    /// Another client of the user copies a contact, with all that it carries, into the collection of that number and changes the
    /// copy.
    pub fn duplicate(&self, id: &RemoteId, collection: usize, change: impl FnOnce(&mut Content)) {
        let copy = {
            let mut state = self.state();
            let to = state.collections[collection].id.clone();
            let Some(row) = state.rows.get(id).cloned() else { return };
            state.insert(to, row.rendering)
        };
        self.edit(&copy, change);
    }

    /// How many copies were asked for by name.
    pub fn fetched(&self) -> usize {
        self.state().fetched
    }

    /// Everything that stands there: name and meaning.
    pub fn contents(&self) -> Vec<(RemoteId, Content)> {
        let state = self.state();
        state.rows.iter().map(|(id, row)| (id.clone(), self.lens.meaning(&row.rendering))).collect()
    }

    fn seen(&self, id: &RemoteId, row: &Row) -> Seen {
        Seen {
            remote_id: id.clone(),
            collection: row.collection.clone(),
            etag: Etag(row.stamp.to_string()),
            rendering: Rendering::from(row.rendering.to_string()),
            uid: row.rendering["uid"].as_str().filter(|uid| !uid.is_empty()).map(Uid::from),
            mark: row.rendering["mark"].as_str().and_then(Mark::parse),
            modified_ms: Some(row.modified_ms),
        }
    }

    /// A row of a delta: where the place tells parts, the members that changed since, in place of the card.
    fn told(&self, id: &RemoteId, row: &Row, since: Option<u64>) -> Seen {
        let mut seen = self.seen(id, row);
        let edited = row.edited.iter().filter(|(_, stamp)| since.is_some_and(|since| **stamp > since));
        let part: serde_json::Map<String, Value> =
            edited.map(|(name, _)| (name.clone(), row.rendering["card"][name].clone())).collect();
        if self.manners.tells_parts && !part.is_empty() {
            let mut rendering = row.rendering.clone();
            rendering["card"] = Value::Null;
            rendering["part"] = part.into();
            seen.rendering = Rendering::from(rendering.to_string());
        }
        seen
    }

    fn check(&self) -> Result<()> {
        let mut state = self.state();
        state.requests += 1;
        if state.offline {
            return Err(Error::new(ErrorKind::Offline, "the place cannot be reached"));
        }
        Ok(())
    }

    /// [`Memory::check`] for what is asked of one kind.
    fn check_kind(&self, kind: Kind) -> Result<()> {
        self.check()?;
        match self.state().lost.get(&kind) {
            Some(error) => Err(Error::new(*error, "this interface of the place does not answer")),
            None => Ok(()),
        }
    }

    fn write_one(&self, operation: &Operation) -> Result<Written> {
        let mut state = self.state();
        if state.hangs_over(operation) {
            return Err(state.hangs());
        }
        let fault = state.faults.pop_front().flatten();
        match fault {
            Some(Fault::Unsent) => return Err(Error::new(ErrorKind::NotSent, "it is not asked again")),
            Some(Fault::Throttled) => {
                return Err(Error::new(ErrorKind::Throttled { retry_after_s: Some(1) }, "asked to wait"));
            }
            Some(Fault::Refused) => return Err(Error::new(ErrorKind::Refused, "the place does not take this item")),
            Some(Fault::Unsupported) => {
                return Err(Error::new(ErrorKind::Unsupported, "the place has no way to make this item"));
            }
            Some(Fault::LostRequest) => return Err(Error::new(ErrorKind::Unknown, "no answer came")),
            Some(Fault::Hangs) => {
                state.late.push(operation.clone());
                return Err(state.hangs());
            }
            _ => {}
        }
        let written = self.execute(&mut state, operation)?;
        state.writes += 1;
        if let (Some(Fault::HalfMade), Some(made)) = (fault, &written)
            && let Some(row) = state.rows.get_mut(&made.remote_id)
            && let Some(card) = row.rendering["card"].as_object_mut()
        {
            card.shift_remove("media");
            if let Some(Value::Object(overrides)) = card.get_mut("recurrenceOverrides") {
                overrides.retain(|_, patch| patch.get("excluded").is_some());
            }
        }
        match fault {
            Some(Fault::LostReply | Fault::HalfMade) => Err(Error::new(ErrorKind::Unknown, "no answer came")),
            Some(Fault::HangsAndIsDone) => Err(state.hangs()),
            _ => Ok(written),
        }
    }

    /// One change of the collections, with what goes wrong with it.
    fn change_collections<T>(&self, change: impl FnOnce(&mut State) -> T) -> Result<T> {
        let unknown = |error: Error| Error::new(ErrorKind::Unknown, error.to_string());
        self.step("before collection").map_err(unknown)?;
        let mut state = self.state();
        let fault = state.collection_faults.pop_front().flatten();
        match fault {
            Some(Fault::LostRequest) => return Err(Error::new(ErrorKind::Unknown, "no answer came")),
            Some(Fault::Hangs) => return Err(state.hangs()),
            Some(Fault::Unsent) => return Err(Error::new(ErrorKind::NotSent, "it is not asked again")),
            Some(Fault::Throttled) => return Err(Error::new(ErrorKind::Throttled { retry_after_s: None }, "too fast")),
            Some(Fault::Refused) => return Err(Error::new(ErrorKind::Refused, "the place refuses")),
            Some(Fault::Unsupported) => {
                return Err(Error::new(ErrorKind::Unsupported, "the place has no way to do it"));
            }
            Some(Fault::LostReply | Fault::HalfMade | Fault::HangsAndIsDone) | None => {}
        }
        let changed = change(&mut state);
        state.collection_writes += 1;
        drop(state);
        self.step("after collection").map_err(unknown)?;
        match fault {
            None => Ok(changed),
            Some(_) => Err(Error::new(ErrorKind::Unknown, "no answer came")),
        }
    }

    fn execute(&self, state: &mut State, operation: &Operation) -> Result<Written> {
        let parse = |rendering: &Rendering| -> Result<Value> {
            let mut value: Value = serde_json::from_slice(rendering.as_bytes())
                .map_err(|error| Error::new(ErrorKind::Refused, "not JSON").with_source(error))?;
            if self.manners.trims {
                trim(&mut value["card"]);
            }
            Ok(value)
        };
        let guard = |state: &State, place: &Place, etag: &Etag| match state.rows.get(&place.remote_id) {
            None => Err(Error::new(ErrorKind::NotFound, "not there")),
            Some(row) if row.stamp.to_string() != etag.0 => Err(Error::new(ErrorKind::StaleEtag, "changed meanwhile")),
            Some(_) => Ok(()),
        };
        let people = match operation {
            Operation::Update { place, to, .. } => self.would_mail(state, place, Some(to)),
            Operation::Delete { place, .. } => self.would_mail(state, place, None),
            Operation::Create { .. } | Operation::Copy { .. } | Operation::Move { .. } => 0,
        };
        let id = match operation {
            Operation::Create { collection, rendering, .. } => state.insert(collection.clone(), parse(rendering)?),
            Operation::Update { place, etag, to, .. } => {
                guard(state, place, etag)?;
                let mut to = parse(to)?;
                if let (true, Some(row)) = (self.manners.keeps_emails, state.rows.get(&place.remote_id)) {
                    self.lens.keep_emails(&row.rendering, &mut to);
                }
                state.replace(&place.remote_id, to);
                state.mailed += people;
                place.remote_id.clone()
            }
            Operation::Copy { of, collection } => {
                let there = state.rows.get(&of.remote_id).map(|row| row.rendering.clone());
                let there = there.ok_or_else(|| Error::new(ErrorKind::NotFound, "not there"))?;
                state.insert(collection.clone(), there)
            }
            Operation::Move { place, etag, to } => {
                guard(state, place, etag)?;
                state.carry(&place.remote_id, to.clone());
                place.remote_id.clone()
            }
            Operation::Delete { place, etag } => {
                match guard(state, place, etag) {
                    Err(error) if error.kind == ErrorKind::NotFound => return Ok(None),
                    other => other?,
                }
                state.remove(&place.remote_id);
                state.mailed += people;
                return Ok(None);
            }
        };
        Ok(state.rows.get(&id).map(|row| self.seen(&id, row)))
    }
}

impl Memory {
    fn would_mail(&self, state: &State, place: &Place, to: Option<&Rendering>) -> usize {
        let there = state.rows.get(&place.remote_id).map(|row| Rendering::from(row.rendering.to_string()));
        there.map_or(0, |from| self.lens.mails(&from, to))
    }
}

impl State {
    fn insert(&mut self, collection: CollectionId, rendering: Value) -> RemoteId {
        self.next_id += 1;
        self.stamp += 1;
        let id = RemoteId(format!("m{}", self.next_id));
        let row = Row { collection, rendering, stamp: self.stamp, modified_ms: self.now_ms, edited: BTreeMap::new() };
        self.rows.insert(id.clone(), row);
        id
    }

    fn replace(&mut self, id: &RemoteId, rendering: Value) {
        self.stamp += 1;
        let (stamp, now_ms) = (self.stamp, self.now_ms);
        if let Some(row) = self.rows.get_mut(id) {
            (row.rendering, row.stamp, row.modified_ms) = (rendering, stamp, now_ms);
        }
    }

    fn carry(&mut self, id: &RemoteId, to: CollectionId) {
        self.stamp += 1;
        let stamp = self.stamp;
        if let Some(row) = self.rows.get_mut(id) {
            (row.collection, row.stamp) = (to, stamp);
        }
    }

    fn remove(&mut self, id: &RemoteId) {
        self.stamp += 1;
        if let Some(row) = self.rows.remove(id) {
            self.gone.insert(id.clone(), (self.stamp, row.collection.clone()));
            self.last_seen.insert(id.clone(), (row, self.now_ms));
        }
    }
}

fn trim(value: &mut Value) {
    match value {
        Value::String(text) => *text = text.trim().to_owned(),
        Value::Array(list) => list.iter_mut().for_each(trim),
        Value::Object(map) => map.values_mut().for_each(trim),
        _ => {}
    }
}

/// The memory place's renderings: JSON with the card's own fields, a limited number of e-mail addresses and a carry-all.
#[derive(Clone, Debug)]
pub struct JsonLens {
    /// How many e-mail addresses have fields of their own.
    pub emails: usize,
    /// Whether a change mails people.
    pub mails: bool,
}

impl JsonLens {
    fn native(&self, content: &Content, stay: &BTreeSet<String>) -> Content {
        let mut native = content.clone();
        if let Some(emails) = native.0.get_mut("emails").and_then(Value::as_object_mut) {
            // Who is in stays in; free slots fill in order.
            let mut order: Vec<String> = emails.keys().filter(|key| stay.contains(*key)).cloned().collect();
            order.extend(emails.keys().filter(|key| !stay.contains(*key)).cloned());
            let keep: BTreeSet<String> = order.into_iter().take(self.emails).collect();
            emails.retain(|key, _| keep.contains(key));
        }
        native.tidied()
    }

    fn render(&self, content: &Content, identity: &Identity) -> Value {
        let native = self.native(content, &BTreeSet::new());
        let mut value = json!({"uid": identity.uid.as_str(), "card": native.to_value()});
        if let Some(mark) = &identity.mark {
            value["mark"] = json!(mark.to_string());
        }
        if let Some(carried) = carry::make(&native, content, 100_000) {
            value["carry"] = json!(carried);
        }
        value
    }

    /// What `to` says, with the addresses of `from` standing beside its own.
    fn keep_emails(&self, from: &Value, to: &mut Value) {
        let says = self.meaning(to);
        let mut native = Content::from_value(to["card"].clone());
        let mut emails = native.get("emails").and_then(Value::as_object).cloned().unwrap_or_default();
        for (key, entry) in from["card"]["emails"].as_object().into_iter().flatten() {
            emails.entry(key.clone()).or_insert_with(|| entry.clone());
        }
        native.set("emails", Value::Object(emails));
        to["card"] = native.to_value();
        to["carry"] = carry::make(&native, &says, 100_000).map_or(Value::Null, Value::from);
    }

    fn meaning(&self, value: &Value) -> Content {
        carry::apply(&Content::from_value(value["card"].clone()), value["carry"].as_str()).into_owned()
    }
}

impl Lens for JsonLens {
    fn read(&self, rendering: &Rendering) -> Result<Content> {
        let value: Value = serde_json::from_slice(rendering.as_bytes())
            .map_err(|error| Error::new(ErrorKind::Malformed, "not JSON").with_source(error))?;
        Ok(self.meaning(&value))
    }

    fn native(&self, rendering: &Rendering) -> Result<Content> {
        let value: Value = serde_json::from_slice(rendering.as_bytes())
            .map_err(|error| Error::new(ErrorKind::Malformed, "not JSON").with_source(error))?;
        Ok(Content::from_value(value["card"].clone()))
    }

    fn leftovers(&self, rendering: &Rendering) -> Vec<String> {
        match (Lens::native(self, rendering), self.read(rendering)) {
            (Ok(native), Ok(says)) => carry::leftover_members(&native, &says),
            _ => Vec::new(),
        }
    }

    fn write(&self, onto: Option<&Rendering>, content: &Content, identity: &Identity) -> Result<Rendering> {
        let Some(onto) = onto else { return Ok(Rendering::from(self.render(content, identity).to_string())) };
        if self.read(onto)? == *content {
            return Ok(onto.clone());
        }
        let mut value: Value = serde_json::from_slice(onto.as_bytes())
            .map_err(|error| Error::new(ErrorKind::Malformed, "not JSON").with_source(error))?;
        let stay = value["card"]["emails"].as_object().map(|map| map.keys().cloned().collect()).unwrap_or_default();
        let native = self.native(content, &stay);
        value["card"] = native.to_value();
        value["carry"] = carry::make(&native, content, 100_000).map_or(Value::Null, Value::from);
        Ok(Rendering::from(value.to_string()))
    }

    fn mails(&self, from: &Rendering, to: Option<&Rendering>) -> usize {
        let (Ok(from), Ok(to)) = (self.read(from), to.map(|to| self.read(to)).transpose()) else { return 0 };
        let openly = |content: &Content| {
            let mut open = content.clone();
            open.set("notes", Value::Null);
            open
        };
        if !self.mails || to.as_ref().is_some_and(|to| openly(to) == openly(&from)) {
            return 0;
        }
        let people = |content: &Content| -> Vec<String> {
            content.get("members").and_then(Value::as_object).into_iter().flat_map(|map| map.keys().cloned()).collect()
        };
        people(&from).into_iter().chain(to.iter().flat_map(people)).collect::<BTreeSet<_>>().len()
    }

    fn settle_unknown(&self, last: &Rendering, now: Rendering) -> Rendering {
        let parse = |rendering: &Rendering| serde_json::from_slice::<Value>(rendering.as_bytes()).unwrap_or_default();
        let mut value = parse(&now);
        let Some(Value::Object(part)) = value.as_object_mut().and_then(|value| value.shift_remove("part")) else {
            return now;
        };
        let mut card = Content::from_value(parse(last)["card"].clone());
        part.into_iter().for_each(|(name, told)| card.set(&name, told));
        value["card"] = card.to_value();
        Rendering::from(value.to_string())
    }
}

#[async_trait]
impl Connector for Memory {
    fn abilities(&self) -> Abilities {
        Abilities {
            compares_known: self.manners.compares,
            rank: self.manners.rank,
            write_batch: 3,
            makes_collections: &[Kind::Calendar, Kind::Contacts],
            sweeps: self.manners.sweeps,
            feeds_by_themselves: self.manners.by_themselves,
            reads_lag_s: self.manners.reads_lag_ms.unsigned_abs().div_ceil(1000),
            ..Abilities::default()
        }
    }

    fn lens(&self, _kind: Kind) -> &dyn Lens {
        self.lens.as_ref()
    }

    async fn collections(&self, kind: Kind) -> Result<Vec<Collection>> {
        self.wait(Asked::Collections).await;
        self.check_kind(kind)?;
        Ok(self.state().collections.iter().filter(|one| one.kind == kind).cloned().collect())
    }

    fn feeds(&self, kind: Kind, collections: &[Collection]) -> Vec<Feed> {
        let feed = |c: &Collection| Feed { id: c.id.as_str().into(), kind, collections: vec![c.id.clone()] };
        collections.iter().map(feed).collect()
    }

    async fn changes(&self, polls: &[Poll<'_>]) -> Vec<Result<Page>> {
        self.wait(Asked::Changes).await;
        let hangs = polls.iter().any(|poll| self.state().hanging.contains(&poll.feed.collections[0]));
        if hangs {
            self.wait(Asked::WhatHangs).await;
        }
        let page = |poll| match hangs {
            true => Err(Error::new(ErrorKind::Unknown, "it does not answer")),
            false => self.page(poll),
        };
        polls.iter().map(page).collect()
    }

    async fn fetch(&self, kind: Kind, places: &[Place]) -> Vec<Result<Option<Seen>>> {
        if let Err(error) = self.check_kind(kind) {
            let (kind, words) = (error.kind, error.to_string());
            return places.iter().map(|_| Err(Error::new(kind, words.clone()))).collect();
        }
        let mut state = self.state();
        state.fetched += places.len();
        let shown = |id: &RemoteId| {
            let until_ms = |at_ms: i64| at_ms + self.manners.reads_lag_ms;
            let late = || state.last_seen.get(id).filter(|(_, at_ms)| state.now_ms < until_ms(*at_ms));
            state.rows.get(id).or_else(|| late().map(|(row, _)| row))
        };
        let seen = |place: &Place| Ok(shown(&place.remote_id).map(|row| self.seen(&place.remote_id, row)));
        places.iter().map(seen).collect()
    }

    async fn write(&self, kind: Kind, operations: &[Operation]) -> Vec<Result<Written>> {
        if self.manners.whole_batches {
            let mut state = self.state();
            if operations.iter().any(|operation| state.hangs_over(operation)) {
                return operations.iter().map(|_| Err(state.hangs())).collect();
            }
        }
        let mut outcomes = Vec::new();
        for operation in operations {
            outcomes.push(self.check_kind(kind).and_then(|()| {
                self.step("before write").map_err(|error| Error::new(ErrorKind::Unknown, error.to_string()))?;
                let outcome = self.write_one(operation);
                self.step("after write").map_err(|error| Error::new(ErrorKind::Unknown, error.to_string()))?;
                outcome
            }));
        }
        outcomes
    }

    async fn sweep(&self, kind: Kind, places: &[Place], budget: usize) -> Result<Vec<Seen>> {
        let looked = self.fetch(kind, &places[..places.len().min(budget)]).await;
        Ok(looked.into_iter().filter_map(|seen| seen.ok().flatten()).collect())
    }

    async fn find(&self, _kind: Kind, lookups: &[Lookup], now_ms: i64) -> Vec<Result<Found>> {
        let lag_ms = self.manners.lag_ms;
        let answer = |lookup: &Lookup| {
            self.check()?;
            let state = self.state();
            let mark = lookup.mark.to_string();
            let here = state
                .rows
                .iter()
                .find(|(_, row)| row.rendering["mark"].as_str() == Some(&mark) && row.modified_ms + lag_ms <= now_ms);
            Ok(match here {
                Some((id, row)) => Found::Here(Box::new(self.seen(id, row))),
                None if now_ms < lookup.sent_ms + lag_ms => Found::NotBefore(lookup.sent_ms + lag_ms),
                None => Found::Nowhere,
            })
        };
        lookups.iter().map(answer).collect()
    }

    async fn create_collection(&self, kind: Kind, like: &Collection) -> Result<Collection> {
        self.check()?;
        // The id that a device is handed: where to make it, and the key under which it is found again.
        let (parent, key) = like.id.as_str().split_once('#').unwrap_or((like.id.as_str(), ""));
        self.change_collections(|state| {
            let id = CollectionId(format!("{}/{}", like.id, like.name));
            let is_it = |one: &&Collection| {
                one.id == id
                    || (!key.is_empty() && one.id.as_str().starts_with(&format!("{parent}#{key}/")))
                    || (one.kind == kind
                        && one.name == like.name
                        && !one.id.as_str().contains('#')
                        && (parent.is_empty() || one.id.as_str().starts_with(&format!("{parent}/"))))
            };
            if let Some(found) = state.collections.iter().find(is_it).cloned() {
                state.unmarked.remove(&found.id);
                return found;
            }
            let color = like.color.clone().filter(|_| !self.manners.is_colorless);
            let made = Collection {
                id,
                kind,
                name: like.name.clone(),
                color,
                is_default: false,
                role: None,
                access: Access::ReadWrite,
            };
            state.collections.push(made.clone());
            made
        })
    }

    async fn rename_collection(
        &self,
        _kind: Kind,
        id: &CollectionId,
        name: Option<&str>,
        color: Option<&str>,
    ) -> Result<Collection> {
        self.check()?;
        let renamed = self.change_collections(|state| {
            let shelf = state.collections.iter_mut().find(|one| one.id == *id)?;
            shelf.name = name.map_or_else(|| shelf.name.clone(), str::to_owned);
            if let Some(color) = color.and_then(plain_color).filter(|_| !self.manners.is_colorless) {
                shelf.color = Some(color);
            }
            Some(shelf.clone())
        })?;
        renamed.ok_or_else(|| Error::new(ErrorKind::NotFound, "there is no such collection"))
    }

    async fn removal(&self, _kind: Kind, id: &CollectionId) -> Result<Removal> {
        self.check()?;
        let state = self.state();
        let shelf = state.collections.iter().find(|one| one.id == *id);
        let shelf = shelf.ok_or_else(|| Error::new(ErrorKind::NotFound, "there is no such collection"))?;
        Ok(match (shelf.is_default, shelf.access) {
            (true, _) => Removal::Never,
            (false, Access::ReadOnly | Access::Closed) => Removal::OffList,
            (false, Access::ReadWrite) => Removal::Whole,
        })
    }

    async fn remove_collection(&self, _kind: Kind, id: &CollectionId) -> Result<bool> {
        self.check()?;
        self.change_collections(|state| {
            let shelf = state.collections.iter().find(|one| one.id == *id);
            let is_ours = shelf.is_none_or(|shelf| shelf.access == Access::ReadWrite);
            if shelf.is_some_and(|shelf| shelf.is_default && self.manners.rank > 0)
                || (is_ours && state.rows.values().any(|row| row.collection == *id))
            {
                return false;
            }
            state.rows.retain(|_, row| row.collection != *id);
            state.collections.retain(|collection| collection.id != *id);
            true
        })
    }

    fn usage(&self) -> Usage {
        let state = self.state();
        Usage {
            requests: state.requests,
            bytes_in: state.bytes_in,
            awaited: state.awaited,
            heard: state.bytes_in,
            silent_writes: state.silent_writes,
        }
    }
}

impl Memory {
    /// A page of a place that compares: the token says how it looked when all was known.
    fn comparison(&self, poll: &Poll<'_>) -> Result<Page> {
        let mut state = self.state();
        let here = &poll.feed.collections[0];
        if state.unlisted.contains(here) {
            return Err(Error::new(ErrorKind::Unknown, "the list broke off"));
        }
        let rows: Vec<Seen> =
            state.rows.iter().filter(|(_, row)| row.collection == *here).map(|(id, row)| self.seen(id, row)).collect();
        if state.unmarked.contains(here) {
            // Where nothing is known, nothing can be missed: what stands there is taken over.
            if rows.is_empty() || !poll.known.is_empty() {
                return Err(Error::new(ErrorKind::Held, "the folder has no marker"));
            }
            state.unmarked.remove(here);
        }
        let outline: Vec<(&RemoteId, &Etag)> = rows.iter().map(|seen| (&seen.remote_id, &seen.etag)).collect();
        let outline = DeltaToken(format!("{outline:?}"));
        if let Since::Token(token) = &poll.since {
            return match *token == outline {
                true => Ok(Page { entries: Vec::new(), next: Next::Done(outline) }),
                false => Err(Error::new(ErrorKind::TokenExpired, "it looks otherwise")),
            };
        }
        state.compared += 1;
        let here: BTreeSet<RemoteId> = rows.iter().map(|seen| seen.remote_id.clone()).collect();
        let gone = poll.known.keys().filter(|id| !here.contains(*id)).map(|id| Entry::Gone(id.clone()));
        let differs = |seen: &Seen| poll.known.get(&seen.remote_id) != Some(&seen.etag);
        let told = rows.into_iter().filter(differs).map(|seen| Entry::Seen(Box::new(seen)));
        let entries: Vec<Entry> = told.chain(gone).collect();
        let token = if entries.is_empty() { outline } else { DeltaToken::from("") };
        Ok(Page { entries, next: Next::Done(token) })
    }

    fn page(&self, poll: &Poll<'_>) -> Result<Page> {
        self.check_kind(poll.feed.kind)?;
        self.step("before list")?;
        if self.manners.compares {
            let page = self.comparison(poll)?;
            self.step("after list")?;
            return Ok(page);
        }
        let state = self.state();
        let visible_until = state.now_ms - self.manners.lag_ms;
        let here = &poll.feed.collections[0];
        if state.unlisted.contains(here) {
            return Err(Error::new(ErrorKind::Unknown, "the list broke off"));
        }
        let since = match &poll.since {
            Since::Start => None,
            Since::Page(_) => return Err(Error::new(ErrorKind::Malformed, "this place has no pages")),
            Since::Token(token) => {
                let stamp: u64 = token.as_str().parse().unwrap_or(0);
                if stamp < state.expired_before {
                    return Err(Error::new(ErrorKind::TokenExpired, "the token is too old"));
                }
                Some(stamp)
            }
        };
        // What a listing does not show yet, the next one must: the token stays behind it.
        let hidden = state.rows.values().filter(|row| row.modified_ms > visible_until).map(|row| row.stamp).min();
        let token = hidden.map_or(state.stamp, |stamp| stamp - 1);
        let shown = |stamp: u64| since.is_none_or(|since| stamp > since);
        let mut entries: Vec<Entry> = state
            .rows
            .iter()
            .filter(|(_, row)| row.collection == *here && shown(row.stamp) && row.modified_ms <= visible_until)
            .map(|(id, row)| Entry::Seen(Box::new(self.told(id, row, since))))
            .collect();
        if since.is_some() {
            let left = |gone: &(u64, CollectionId)| shown(gone.0) && gone.1 == *here;
            entries.extend(state.gone.iter().filter(|(_, gone)| left(gone)).map(|(id, _)| Entry::Gone(id.clone())));
        }
        entries.extend((0..state.unintelligible).map(|number| Entry::Bad {
            remote_id: RemoteId(format!("unintelligible-{number}")),
            collection: here.clone(),
            reason: "it is not to be understood".into(),
            raw: Vec::new(),
        }));
        drop(state);
        self.step("after list")?;
        Ok(Page { entries, next: Next::Done(DeltaToken(token.to_string())) })
    }
}

/// A small card for tests: a name and e-mail addresses.
pub fn card(name: &str, emails: &[&str]) -> Content {
    let mut map = serde_json::Map::new();
    for address in emails {
        crate::card::insert(&mut map, &email_identity(address), json!({"address": address}));
    }
    Content::from_value(json!({"name": {"full": name}, "emails": map}))
}
