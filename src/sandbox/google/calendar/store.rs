//! Calendar's memory: calendars, the user's list of them, and events with their recent versions. Lists may lag behind
//! (they then show an older version), a single get never does. Every change makes a new version with a new etag and the
//! next stamp; stamps are what sync tokens count in.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::errors::not_found;
use super::history::{History, Version};
use super::mails::Mail;
use crate::State;
use crate::google::errors::Refusal;
use crate::state::{Account, Budget};

/// Older versions are kept this long, and for the list's lag if that is longer.
const KEEP_MS: i64 = 600_000;

/// What Calendar remembers of one account.
#[derive(Debug, Default)]
pub struct Room {
    /// In the order they were made; the primary one is the first. Deleted ones stay, as tombstones.
    pub(crate) calendars: Vec<Calendar>,
    /// Every mail that the real service would have sent, oldest first.
    pub(crate) mails: Vec<Mail>,
    /// Whose calendars these are: the address and the domain.
    pub(super) owner: String,
    pub(super) domain: String,
    /// Counts ids, so that they are the same ones each time.
    made: u64,
    /// When which event (calendar, id) gets a new etag with equal content.
    restamps: VecDeque<(i64, String, String)>,
    /// Events with guests that were inserted.
    pub(super) guest_inserts: u32,
    /// Writes are refused until then.
    pub(super) paused_until_ms: i64,
    /// Requests of the user, and writes to each calendar.
    pub(super) requests: Budget,
    pub(super) writes: HashMap<String, Budget>,
}

/// What the user may do with a calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    FreeBusyReader,
    Reader,
    WriterWithoutPrivateAccess,
    Writer,
    Owner,
}

impl Role {
    pub const ALL: [(Self, &'static str); 5] = [
        (Self::FreeBusyReader, "freeBusyReader"),
        (Self::Reader, "reader"),
        (Self::WriterWithoutPrivateAccess, "writerWithoutPrivateAccess"),
        (Self::Writer, "writer"),
        (Self::Owner, "owner"),
    ];

    pub fn name(self) -> &'static str {
        // Invariant: the table has every role.
        Self::ALL.iter().find(|(role, _)| *role == self).map_or("", |(_, name)| name)
    }

    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, have)| *have == name).map(|(role, _)| *role)
    }

    pub fn may_write(self) -> bool {
        self >= Self::WriterWithoutPrivateAccess
    }

    /// Whether the details of private events are hidden.
    pub fn hides_private(self) -> bool {
        matches!(self, Self::FreeBusyReader | Self::Reader | Self::WriterWithoutPrivateAccess)
    }
}

/// One calendar, and the user's own view of it.
#[derive(Debug)]
pub(crate) struct Calendar {
    pub id: String,
    pub is_primary: bool,
    pub role: Role,
    /// `summary`, `description`, `location`, `timeZone`, `dataOwner`, `labelProperties`.
    pub fields: Map<String, Value>,
    /// The etag of the calendar itself; its entry in the list has another.
    pub etag: String,
    /// When it or one of its events changed last.
    pub updated_ms: i64,
    /// The entry in the user's list.
    pub entry: History<Entry>,
    /// By id. Cancelled ones stay, as tombstones.
    pub events: BTreeMap<String, History<Event>>,
    /// iCalUID -> the id of the single event or the series.
    pub uids: HashMap<String, String>,
    /// Sync tokens of an older epoch are expired.
    pub epoch: u32,
    /// Whether the calendar itself was destroyed.
    pub is_gone: bool,
}

/// A calendar in the user's list.
#[derive(Clone, Debug, Default)]
pub(crate) struct Entry {
    /// `colorId`, `backgroundColor`, `foregroundColor`, `summaryOverride`, `selected`, `hidden`, `defaultReminders`,
    /// `notificationSettings`.
    pub fields: Map<String, Value>,
    pub is_deleted: bool,
}

/// An event after one change.
#[derive(Clone, Debug, Default)]
pub(crate) struct Event {
    /// What was written, checked, with what the service adds but without what is made anew for each answer.
    pub body: Map<String, Value>,
    pub created_ms: i64,
    pub updated_ms: i64,
    /// It was moved away: nothing is left but its id.
    pub is_stub: bool,
    /// An exception that was cancelled only because its series was.
    pub fell_with_series: bool,
}

impl Event {
    /// A member of the body that is a text; empty when it is not there.
    pub fn text(&self, name: &str) -> &str {
        self.body.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    pub fn is_cancelled(&self) -> bool {
        self.text("status") == "cancelled"
    }

    /// The series that this is one occurrence of.
    pub fn series(&self) -> Option<&str> {
        self.body.get("recurringEventId").and_then(Value::as_str)
    }

    pub fn is_series(&self) -> bool {
        self.body.contains_key("recurrence")
    }
}

impl Room {
    /// A calendar by its id or the word `primary`; none when it was destroyed.
    pub(crate) fn calendar(&self, id: &str) -> Option<&Calendar> {
        let found = |calendar: &&Calendar| !calendar.is_gone && (calendar.id == id || is_primary(calendar, id));
        self.calendars.iter().find(found)
    }

    pub(crate) fn calendar_mut(&mut self, id: &str) -> Option<&mut Calendar> {
        let found = |calendar: &&mut Calendar| !calendar.is_gone && (calendar.id == id || is_primary(calendar, id));
        self.calendars.iter_mut().find(found)
    }

    /// Whether this address is the user's own or the calendar's.
    pub(super) fn is_self(&self, calendar: &str, email: &str) -> bool {
        email == calendar || email.eq_ignore_ascii_case(&self.owner)
    }

    /// An id of 26 letters, as the service makes them for events.
    pub(super) fn fresh_id(&mut self, what: &str) -> String {
        self.made += 1;
        let digest = Sha256::digest(format!("{what} {} of {}", self.made, self.owner));
        let letters = b"0123456789abcdefghijklmnopqrstuv";
        digest.iter().take(26).map(|byte| char::from(letters[usize::from(byte % 32)])).collect()
    }

    /// An id for a calendar, `c_…@group.calendar.google.com`.
    pub(super) fn fresh_calendar_id(&mut self) -> String {
        self.made += 1;
        let digest = Sha256::digest(format!("calendar {} of {}", self.made, self.owner));
        let hex: String = digest.iter().take(25).map(|byte| format!("{byte:02x}")).collect();
        format!("c_{hex}@group.calendar.google.com")
    }
}

fn is_primary(calendar: &Calendar, id: &str) -> bool {
    id == "primary" && calendar.is_primary
}

impl Calendar {
    /// The zone that answers are written in.
    pub fn zone(&self) -> &str {
        self.fields.get("timeZone").and_then(Value::as_str).unwrap_or("UTC")
    }

    pub fn summary(&self) -> &str {
        self.fields.get("summary").and_then(Value::as_str).unwrap_or_default()
    }

    /// The stored exceptions of a series.
    pub fn exceptions<'a>(&'a self, series: &'a str) -> impl Iterator<Item = (&'a String, &'a History<Event>)> {
        let prefix = format!("{series}_");
        let end = format!("{series}`"); // The character after `_`.
        self.events.range(prefix..end).filter(move |(_, event)| event.newest().value.series() == Some(series))
    }
}

impl Calendar {
    /// Whether a stored event says something: it is there, or it takes an occurrence out of a series that is.
    pub fn is_telling(&self, event: &Event) -> bool {
        let Some(series) = event.series().filter(|_| event.is_cancelled()) else { return !event.is_cancelled() };
        !event.fell_with_series && self.events.get(series).is_none_or(|series| !series.newest().value.is_cancelled())
    }
}

/// A calendar of the account that is asked.
pub(super) fn calendar<'a>(state: &'a State, id: &str) -> Result<&'a Calendar, Refusal> {
    state.google.calendar.calendar(id).ok_or_else(not_found)
}

/// Makes sure that the account has its primary calendar.
pub(super) fn settle_in(state: &mut State, account: &Account) {
    if !state.google.calendar.calendars.is_empty() {
        return;
    }
    let room = &mut state.google.calendar;
    room.owner.clone_from(&account.email);
    room.domain.clone_from(&account.tenant);
    let mut fields = Map::new();
    fields.insert("summary".into(), account.email.as_str().into());
    fields.insert("timeZone".into(), "Europe/Berlin".into());
    let mut entry = Map::new();
    entry.insert("colorId".into(), "14".into());
    entry.insert("selected".into(), true.into());
    entry.insert("defaultReminders".into(), serde_json::json!([{ "method": "popup", "minutes": 10 }]));
    let at_ms = state.now_ms();
    add_calendar(state, &account.email, Role::Owner, fields, entry, at_ms);
}

/// Adds a calendar and its entry.
pub(super) fn add_calendar(
    state: &mut State,
    id: &str,
    role: Role,
    fields: Map<String, Value>,
    entry: Map<String, Value>,
    at_ms: i64,
) {
    let entry = version(state, Entry { fields: entry, is_deleted: false }, at_ms, 33);
    let calendar = Calendar {
        id: id.to_owned(),
        is_primary: state.google.calendar.calendars.is_empty(),
        role,
        fields,
        etag: entry.etag.clone(),
        updated_ms: at_ms,
        entry: History::new(entry),
        events: BTreeMap::new(),
        uids: HashMap::new(),
        epoch: 0,
        is_gone: false,
    };
    state.google.calendar.calendars.push(calendar);
}

fn version<T>(state: &mut State, value: T, at_ms: i64, family: u64) -> Version<T> {
    state.google.stamp += 1;
    let stamp = state.google.stamp;
    Version { at_ms, stamp, etag: etag(family, stamp), value }
}

fn etag(family: u64, stamp: u64) -> String {
    format!("\"{}\"", family * 100_000_000_000_000 + stamp * 2_000)
}

/// Changes the entry of a calendar in the user's list.
pub(super) fn put_entry(state: &mut State, id: &str, entry: Entry) {
    let at_ms = state.now_ms();
    let keep_ms = KEEP_MS.max(state.switches.list_lag_s * 1000);
    let made = version(state, entry, at_ms, 33);
    let calendars = &mut state.google.calendar.calendars;
    if let Some(calendar) = calendars.iter_mut().find(|calendar| calendar.id == id) {
        calendar.entry.push(made, keep_ms);
    }
}

/// A new etag for a calendar whose own fields changed. Its entry in the list stays as it was.
pub(super) fn touch_calendar(state: &mut State, id: &str) {
    state.google.stamp += 1;
    let (stamp, now_ms) = (state.google.stamp, state.now_ms());
    if let Some(calendar) = state.google.calendar.calendar_mut(id) {
        calendar.etag = etag(33, stamp);
        calendar.updated_ms = now_ms;
    }
}

/// Stores an event: a new version with a new etag. `calendar` is an id, not a word.
pub(super) fn put_event(state: &mut State, calendar: &str, id: &str, event: Event) -> Arc<Version<Event>> {
    let now_ms = state.now_ms();
    let stored = put_event_at(state, calendar, id, event, now_ms);
    let after_s = state.switches.restamp_etag_after_s;
    if after_s > 0 {
        let due = now_ms + after_s * 1000;
        state.google.calendar.restamps.push_back((due, calendar.to_owned(), id.to_owned()));
    }
    stored
}

/// Stores an event as if it had been written then.
pub(super) fn put_event_at(
    state: &mut State,
    calendar: &str,
    id: &str,
    event: Event,
    at_ms: i64,
) -> Arc<Version<Event>> {
    let keep_ms = KEEP_MS.max(state.switches.list_lag_s * 1000);
    let made = version(state, event, at_ms, 34);
    let stored = Arc::new(made.clone());
    let Some(calendar) = state.google.calendar.calendars.iter_mut().find(|have| have.id == calendar) else {
        return stored;
    };
    calendar.updated_ms = calendar.updated_ms.max(at_ms);
    let (uid, is_part) = (made.value.text("iCalUID").to_owned(), made.value.series().is_some());
    if !uid.is_empty() && !is_part && !made.value.is_stub {
        calendar.uids.insert(uid, id.to_owned());
    }
    match calendar.events.get_mut(id) {
        Some(history) => history.push(made, keep_ms),
        None => {
            calendar.events.insert(id.to_owned(), History::new(made));
        }
    }
    stored
}

/// Gives new etags to the events whose time has come; their content stays.
pub(super) fn restamp_due(state: &mut State) {
    let now_ms = state.now_ms();
    while state.google.calendar.restamps.front().is_some_and(|(due, _, _)| *due <= now_ms) {
        let Some((_, calendar, id)) = state.google.calendar.restamps.pop_front() else {
            return;
        };
        let found = state.google.calendar.calendar(&calendar).and_then(|calendar| calendar.events.get(&id));
        if let Some(event) = found.map(|event| event.newest().value.clone()).filter(|event| !event.is_cancelled()) {
            put_event_at(state, &calendar, &id, event, now_ms);
        }
    }
}

/// Puts an event in the place of its whole history, as if it had been written then.
pub(super) fn backdate(state: &mut State, calendar: &str, id: &str, event: Event, at_ms: i64) {
    let made = version(state, event, at_ms, 34);
    if let Some(calendar) = state.google.calendar.calendar_mut(calendar) {
        calendar.events.insert(id.to_owned(), History::new(made));
    }
}
