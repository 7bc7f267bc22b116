//! What Graph remembers of calendars: calendars and their groups as they are, events with all they ever said.
//!
//! A series with its exceptions is one event with one history, as it is one item with one change key at the service. The
//! log and its numbering are those of the whole mailbox (`microsoft365/store.rs`).

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{Datelike, NaiveDate};
use sha2::{Digest, Sha256};

use super::super::reply::Refusal;
use super::super::store::{IdForm, Microsoft, Rules, Touch, Touched, change_key, id, is_well_formed};
use super::body::Body;
use super::mails::Mail;
use super::zones::Zone;

/// Deleted Items, as a place of events.
pub(super) const BIN: u64 = 0;
/// The default calendar.
pub(super) const DEFAULT: u64 = 1;
/// The group of the user's own calendars.
pub(super) const MINE: u64 = 1;
/// The group of holidays and what others share.
pub(super) const OTHERS: u64 = 2;

const IMMUTABLE: &str = "AAkALgAAAAAAHYQDEapmEc2byACqAC-EWg0AEvt";
const REGULAR: &str = "AAMkAGI2NGVhZTVlLTI1OGMtNDI4My1iZmE5LTA5OGJiZGEyMTc0YQBGAAEV";
/// How many letters of an occurrence's id say which day it is of.
const DAY_LETTERS: usize = 8;

/// What Graph remembers of calendars.
#[derive(Debug)]
pub(in super::super) struct Store {
    pub(super) calendars: BTreeMap<u64, Calendar>,
    pub(super) groups: BTreeMap<u64, Group>,
    pub(super) events: BTreeMap<u64, Event>,
    by_id: HashMap<String, (u64, IdForm)>,
    /// Events by the transaction that made them.
    pub(super) transactions: HashMap<String, u64>,
    /// What the service mailed to people.
    pub(super) mails: Vec<Mail>,
    /// The zone of the mailbox.
    pub(super) zone: Zone,
    /// The newest key of a calendar or a group.
    last_key: u64,
}

#[derive(Clone, Debug)]
pub(super) struct Group {
    pub name: String,
    pub class: String,
    pub changes: u64,
}

#[derive(Clone, Debug)]
pub(super) struct Calendar {
    pub name: String,
    pub color: String,
    pub group: u64,
    pub can_edit: bool,
    pub is_removable: bool,
    /// Name and address; none = the user.
    pub owner: Option<(String, String)>,
    /// How often it changed, for its change key.
    pub changes: u64,
}

#[derive(Clone, Debug)]
pub(super) struct Event {
    pub created_ms: i64,
    /// The `iCalUId` of the series, or of the one.
    pub uid: String,
    pub attachments: Vec<super::attachments::Attachment>,
    /// Never empty; the last entry is the present.
    pub history: Vec<Moment>,
}

/// What an event was from one write to the next.
#[derive(Clone, Debug)]
pub(super) struct Moment {
    /// Place in the log, counted from 1.
    pub seq: u64,
    pub modified_ms: i64,
    /// The calendar; none = gone for good.
    pub calendar: Option<u64>,
    /// How often its regular id changed so far.
    pub moves: u32,
    pub change_key: String,
    pub body: Arc<Body>,
}

/// What an id names: an event, or the occurrence of a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub key: u64,
    pub date: Option<NaiveDate>,
}

impl Default for Store {
    fn default() -> Self {
        let group = |name: &str, class: &str| Group { name: name.into(), class: class.into(), changes: 1 };
        let calendar = Calendar {
            name: "Kalender".into(),
            color: "auto".into(),
            group: MINE,
            can_edit: true,
            is_removable: false,
            owner: None,
            changes: 1,
        };
        Self {
            calendars: BTreeMap::from([(DEFAULT, calendar)]),
            groups: BTreeMap::from([
                (MINE, group("Meine Kalender", "0006f0b7-0000-0000-c000-000000000046")),
                (OTHERS, group("Andere Kalender", "0006f0b8-0000-0000-c000-000000000046")),
            ]),
            events: BTreeMap::new(),
            by_id: HashMap::new(),
            transactions: HashMap::new(),
            mails: Vec::new(),
            zone: Zone::named("W. Europe Standard Time").unwrap_or_else(Zone::utc),
            last_key: OTHERS,
        }
    }
}

impl Event {
    /// What it is now.
    pub fn now(&self) -> &Moment {
        self.history.last().expect("an event is made with its first moment")
    }

    /// What it was when the log had so many lines.
    pub fn at(&self, seq: u64) -> Option<&Moment> {
        let after = self.history.partition_point(|moment| moment.seq <= seq);
        after.checked_sub(1).map(|at| &self.history[at])
    }
}

impl Store {
    /// The events of one calendar, oldest first.
    pub(super) fn inside(&self, calendar: u64) -> Vec<u64> {
        let is_inside = |(_, event): &(&u64, &Event)| event.now().calendar == Some(calendar);
        self.events.iter().filter(is_inside).map(|(key, _)| *key).collect()
    }

    /// Adds a calendar; a name that is there already is refused.
    pub(super) fn add_calendar(&mut self, calendar: Calendar) -> Result<u64, Refusal> {
        self.check_name(&calendar.name, None)?;
        self.last_key += 1;
        self.calendars.insert(self.last_key, calendar);
        Ok(self.last_key)
    }

    /// Refuses an empty name, and one that another calendar has.
    pub(super) fn check_name(&self, name: &str, own: Option<u64>) -> Result<(), Refusal> {
        if name.trim().is_empty() {
            return Err(Refusal::new(400, "ErrorInvalidRequest", "The name of a calendar cannot be empty."));
        }
        let lower = name.to_lowercase();
        let is_taken = |(key, have): (&u64, &Calendar)| Some(*key) != own && have.name.to_lowercase() == lower;
        if self.calendars.iter().any(is_taken) {
            let text = "A folder with the specified name already exists.";
            return Err(Refusal::new(409, "ErrorFolderExists", text));
        }
        Ok(())
    }

    /// Adds a group of calendars.
    pub(super) fn add_group(&mut self, name: &str, class: String) -> u64 {
        self.last_key += 1;
        self.groups.insert(self.last_key, Group { name: name.into(), class, changes: 1 });
        self.last_key
    }

    /// The calendar that an id names.
    pub(super) fn find_calendar(&self, id: &str) -> Result<u64, Refusal> {
        find_by_id(self.calendars.keys(), id, calendar_id)
    }

    /// The group that an id names.
    pub(super) fn find_group(&self, id: &str) -> Result<u64, Refusal> {
        find_by_id(self.groups.keys(), id, group_id)
    }

    /// What an id of this form names now. An id of the other form names nothing.
    pub(super) fn find(&self, id: &str, form: IdForm) -> Result<Found, Refusal> {
        match self.look_up(id).filter(|(_, have)| *have == form) {
            Some((found, _)) => Ok(found),
            None if is_well_formed(id) => Err(Refusal::not_found()),
            None => Err(Refusal::new(400, "ErrorInvalidIdMalformed", "Id is malformed.")),
        }
    }

    /// What an id of either form names, for the test's own hands.
    pub(super) fn find_any(&self, id: &str) -> Option<Found> {
        self.look_up(id).map(|(found, _)| found)
    }

    fn look_up(&self, id: &str) -> Option<(Found, IdForm)> {
        if let Some((key, form)) = self.by_id.get(id) {
            return Some((Found { key: *key, date: None }, *form));
        }
        let (master, date) = read_occurrence_id(id)?;
        let (key, form) = self.by_id.get(&master)?;
        let body = &self.events[key].now().body;
        let series = body.series.as_ref()?;
        let is_there = !series.cancelled.contains(&date) && series.rule.falls_on(date);
        is_there.then_some((Found { key: *key, date: Some(date) }, *form))
    }
}

impl Microsoft {
    /// Adds a moment to an event's history and a line to the log; gives it its place and change key.
    fn append_event(&mut self, at_ms: i64, key: u64, mut moment: Moment) {
        self.log.push(Touch { at_ms, what: Touched::Event(key) });
        moment.seq = self.log.len() as u64;
        moment.change_key = change_key(key, moment.seq);
        if let Some(event) = self.calendar.events.get_mut(&key) {
            event.history.push(moment);
        }
    }

    fn write_event(&mut self, rules: &Rules, key: u64, moment: Moment) {
        self.append_event(rules.now_ms, key, moment);
        if rules.restamp_after_ms > 0 {
            self.restamps.push_back((rules.now_ms + rules.restamp_after_ms, key));
        }
    }

    /// Gives an event a new change key with equal content, as the service does now and then.
    pub(in super::super) fn restamp_event(&mut self, at_ms: i64, key: u64) {
        let Some(event) = self.calendar.events.get(&key) else { return };
        let moment = event.now().clone();
        if moment.calendar.is_some() {
            self.append_event(at_ms, key, moment);
        }
    }

    /// Makes an event.
    pub(super) fn create_event(&mut self, rules: &Rules, calendar: u64, body: Body, uid: Option<String>) -> u64 {
        self.last_key += 1;
        let key = self.last_key;
        let uid = uid.unwrap_or_else(|| made_uid(key, rules.now_ms));
        let new = Event { created_ms: rules.now_ms, uid, attachments: Vec::new(), history: Vec::new() };
        self.calendar.events.insert(key, new);
        let first = Moment {
            seq: 0,
            modified_ms: rules.now_ms,
            calendar: Some(calendar),
            moves: 0,
            change_key: String::new(),
            body: Arc::new(body),
        };
        self.write_event(rules, key, first);
        for form in [IdForm::Immutable, IdForm::Regular] {
            self.calendar.by_id.insert(event_id(key, 0, form), (key, form));
        }
        key
    }

    /// Gives an event other content, or the same under a new change key.
    pub(super) fn edit_event(&mut self, rules: &Rules, key: u64, body: Body) {
        let mut moment = self.calendar.events[&key].now().clone();
        if *moment.body != body {
            moment.body = Arc::new(body);
        }
        moment.modified_ms = rules.now_ms;
        self.write_event(rules, key, moment);
    }

    /// Moves an event. Its immutable id stays; its regular id is another one from now on.
    pub(super) fn move_event(&mut self, rules: &Rules, key: u64, calendar: u64) {
        let mut moment = self.calendar.events[&key].now().clone();
        moment.calendar = Some(calendar);
        moment.modified_ms = rules.now_ms;
        if rules.ids_change_on_move {
            self.calendar.by_id.remove(&event_id(key, moment.moves, IdForm::Regular));
            moment.moves += 1;
            self.calendar.by_id.insert(event_id(key, moment.moves, IdForm::Regular), (key, IdForm::Regular));
        }
        self.write_event(rules, key, moment);
    }

    /// Takes an event away for good.
    pub(super) fn purge_event(&mut self, rules: &Rules, key: u64) {
        let mut moment = self.calendar.events[&key].now().clone();
        for form in [IdForm::Immutable, IdForm::Regular] {
            self.calendar.by_id.remove(&event_id(key, moment.moves, form));
        }
        moment.calendar = None;
        moment.modified_ms = rules.now_ms;
        self.append_event(rules.now_ms, key, moment);
    }

    /// Deletes an event as a client does: to Deleted Items, and from there for good.
    pub(super) fn delete_event(&mut self, rules: &Rules, key: u64) {
        if self.calendar.events[&key].now().calendar == Some(BIN) {
            self.purge_event(rules, key);
        } else {
            self.move_event(rules, key, BIN);
        }
    }

    /// Deletes a calendar with all that is in it.
    pub(super) fn delete_calendar(&mut self, rules: &Rules, calendar: u64) {
        for key in self.calendar.inside(calendar) {
            self.purge_event(rules, key);
        }
        self.calendar.calendars.remove(&calendar);
    }
}

fn find_by_id<'a>(keys: impl Iterator<Item = &'a u64>, id: &str, name: fn(u64) -> String) -> Result<u64, Refusal> {
    let mut keys = keys.copied();
    match keys.find(|key| name(*key) == id) {
        Some(key) => Ok(key),
        None if is_well_formed(id) => Err(Refusal::not_found()),
        None => Err(Refusal::new(400, "ErrorInvalidIdMalformed", "Id is malformed.")),
    }
}

/// The id of an event in one of its forms.
pub(super) fn event_id(key: u64, moves: u32, form: IdForm) -> String {
    match form {
        IdForm::Immutable => id(IMMUTABLE, &format!("immutable event {key}")),
        IdForm::Regular => id(REGULAR, &format!("event {key} {moves}")),
    }
}

/// The id of an occurrence: the master's, with the day in the midst of it.
pub(super) fn occurrence_id(master: &str, date: NaiveDate) -> String {
    let year = date.year().to_be_bytes();
    let day = URL_SAFE_NO_PAD.encode([0x4D, year[2], year[3], date.month() as u8, date.day() as u8, 0x5A]);
    let at = if master.starts_with(IMMUTABLE) { IMMUTABLE.len() } else { REGULAR.len() };
    format!("{}{day}{}", &master[..at], &master[at..])
}

fn read_occurrence_id(id: &str) -> Option<(String, NaiveDate)> {
    let prefix = [IMMUTABLE, REGULAR].into_iter().find(|prefix| id.starts_with(prefix))?;
    let (day, rest) = id[prefix.len()..].split_at_checked(DAY_LETTERS)?;
    let bytes = URL_SAFE_NO_PAD.decode(day).ok()?;
    let [0x4D, high, low, month, day, 0x5A] = bytes[..] else { return None };
    let year = i32::from(u16::from_be_bytes([high, low]));
    Some((format!("{prefix}{rest}"), NaiveDate::from_ymd_opt(year, month.into(), day.into())?))
}

/// The id of a calendar; it stays.
pub(super) fn calendar_id(key: u64) -> String {
    id("AQMkAGI2NGVhZTVlLTI1OGMtNDI4My1iZmE5LTA5OGJiZGEyMTc0YQAuAAAB", &format!("calendar {key}"))
}

/// The id of a group of calendars; it stays.
pub(super) fn group_id(key: u64) -> String {
    id("AQMkAGI2NGVhZTVlLTI1OGMtNDI4My1iZmE5LTA5OGJiZGEyMTc0YQBGAAAG", &format!("group {key}"))
}

/// The head of every global object id, and of every `iCalUId` that is made from one.
const GLOBAL: &str = "040000008200E00074C5B7101A82E008";

/// A `iCalUId` as the service makes them: the head, a day that is not yet filled in, a time, and sixteen bytes.
fn made_uid(key: u64, now_ms: i64) -> String {
    let digest = Sha256::digest(format!("uid {key} {now_ms}").as_bytes());
    // Hundreds of nanoseconds since 1601, the lowest byte first.
    let filetime = (now_ms + 11_644_473_600_000) * 10_000;
    let unique: String = digest[..16].iter().map(|byte| format!("{byte:02X}")).collect();
    format!("{GLOBAL}00000000{:016X}000000000000000010000000{unique}", filetime.swap_bytes())
}

/// The `iCalUId` of an occurrence: the series' with the day filled in.
pub(super) fn uid_on(uid: &str, date: NaiveDate) -> String {
    let Some(rest) = uid.strip_prefix(GLOBAL).and_then(|rest| rest.get(8..)) else { return uid.to_owned() };
    format!("{GLOBAL}{:04X}{:02X}{:02X}{rest}", date.year(), date.month(), date.day())
}
