//! Gmail's memory: messages, the user's labels, drafts, and the history of changes. Every change goes through [`Room`], so
//! that none is without its record.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use bytes::Bytes;
use serde_json::{Map, Value};

use super::history::{Change, Record};
use super::uploads::Upload;
use crate::State;
use crate::mime::Part;
use crate::state::{Account, Budget};

/// The history begins here: a mailbox was in use before anyone asked.
const FIRST_HISTORY_ID: u64 = 3_170_006;
/// How often the history's id rises by itself.
const TICK_MS: i64 = 3_600_000;

/// What Gmail remembers of one account.
#[derive(Debug, Default)]
pub struct Room {
    /// Whose mailbox it is: the address.
    pub(super) owner: String,
    /// The user's own labels by id: what was written of them.
    pub(super) labels: BTreeMap<String, Map<String, Value>>,
    messages: HashMap<String, Message>,
    /// Newest first.
    order: BTreeMap<(Reverse<i64>, Reverse<u64>), String>,
    /// The messages of each thread.
    threads: HashMap<String, BTreeSet<String>>,
    /// By the Message-ID without its brackets.
    named: HashMap<String, Vec<String>>,
    /// A draft's id -> its message.
    pub(super) drafts: BTreeMap<String, String>,
    /// Oldest first.
    pub(super) records: VecDeque<Record>,
    /// The id of the latest change.
    pub(super) history_id: u64,
    /// Changes up to this one are forgotten, and so are the ids given out then.
    pub(super) forgotten: u64,
    /// When the id rose although nothing changed: ids grow old on a quiet mailbox too.
    pub(super) ticks: VecDeque<(i64, u64)>,
    ticked_ms: i64,
    /// Uploads in pieces, by their id.
    pub(super) uploads: HashMap<String, Upload>,
    /// Units of the last minute.
    pub(super) units: Budget,
    /// Imports that asked for their invitations to be put into the calendar.
    pub(super) calendar_imports: u32,
    /// Counts what was made, for ids.
    made: u64,
    labels_made: u64,
}

/// One message.
#[derive(Clone, Debug)]
pub(super) struct Message {
    /// Sixteen hex digits, for ever the same.
    pub id: String,
    pub thread: String,
    pub labels: BTreeSet<String>,
    /// The latest change of it.
    pub history_id: u64,
    /// The time that it is sorted by.
    pub internal_ms: i64,
    /// When the service got it.
    pub stored_ms: i64,
    /// The message as it is given out.
    pub raw: Bytes,
    /// The Message-ID without its brackets; empty when it has none.
    pub message_id: String,
    /// The subject without `Re:` and its like, for threads.
    pub topic: String,
    pub snippet: String,
    number: u64,
}

/// A message that is to be stored.
#[derive(Debug, Default)]
pub(super) struct New {
    pub raw: Bytes,
    pub labels: BTreeSet<String>,
    pub internal_ms: i64,
    /// The thread to join; none: its own.
    pub thread: Option<String>,
    /// It was there before anyone looked: no record tells of it.
    pub is_old: bool,
}

impl Message {
    pub fn has(&self, label: &str) -> bool {
        self.labels.contains(label)
    }
}

impl Room {
    pub(super) fn message(&self, id: &str) -> Option<&Message> {
        self.messages.get(id)
    }

    /// All messages, newest first.
    pub(super) fn newest_first(&self) -> impl Iterator<Item = &Message> {
        self.order.values().filter_map(|id| self.messages.get(id))
    }

    pub(super) fn count(&self) -> usize {
        self.messages.len()
    }

    pub(super) fn thread_count(&self) -> usize {
        self.threads.len()
    }

    /// The messages with this Message-ID (given without brackets), oldest first.
    pub(super) fn named<'a>(&'a self, message_id: &str) -> impl Iterator<Item = &'a Message> {
        self.named.get(message_id).into_iter().flatten().filter_map(|id| self.messages.get(id))
    }

    /// The messages of a thread; none: there is no such thread.
    pub(super) fn thread<'a>(&'a self, id: &str) -> Option<impl Iterator<Item = &'a Message>> {
        Some(self.threads.get(id)?.iter().filter_map(|id| self.messages.get(id)))
    }

    /// The draft that a message is the present content of.
    pub(super) fn draft_of(&self, message: &str) -> Option<String> {
        self.drafts.iter().find(|(_, have)| *have == message).map(|(draft, _)| draft.clone())
    }

    /// Stores a message and gives its id.
    pub(super) fn add(&mut self, new: New, now_ms: i64) -> String {
        let part = Part::read(&new.raw);
        let id = self.fresh_id(if new.is_old { new.internal_ms } else { now_ms });
        let history_id = if new.is_old { self.history_id } else { self.next_history_id() };
        let message_id = bare(part.header("message-id").unwrap_or_default());
        let message = Message {
            thread: new.thread.unwrap_or_else(|| id.clone()),
            labels: new.labels,
            history_id,
            internal_ms: new.internal_ms,
            stored_ms: if new.is_old { new.internal_ms } else { now_ms },
            raw: new.raw,
            topic: topic(part.header("subject").unwrap_or_default()),
            snippet: part.snippet(),
            number: self.made,
            message_id,
            id,
        };
        if !new.is_old {
            self.record(&message, Change::Added, now_ms);
        }
        self.threads.entry(message.thread.clone()).or_default().insert(message.id.clone());
        if !message.message_id.is_empty() {
            self.named.entry(message.message_id.clone()).or_default().push(message.id.clone());
        }
        self.order.insert((Reverse(message.internal_ms), Reverse(message.number)), message.id.clone());
        let id = message.id.clone();
        self.messages.insert(id.clone(), message);
        id
    }

    /// Adds and removes labels. What changes nothing leaves no record. Whether there is such a message.
    pub(super) fn relabel(&mut self, id: &str, add: &[&str], remove: &[&str], now_ms: i64) -> bool {
        let Some(message) = self.messages.get_mut(id) else { return false };
        let owned = |labels: Vec<&&str>| labels.into_iter().map(|label| (*label).to_owned()).collect::<Vec<_>>();
        let removed = owned(remove.iter().filter(|label| message.has(label) && !add.contains(label)).collect());
        let added = owned(add.iter().filter(|label| !message.has(label)).collect());
        if added.is_empty() && removed.is_empty() {
            return true;
        }
        message.labels.extend(added.iter().cloned());
        message.labels.retain(|label| !removed.contains(label));
        let history_id = self.next_history_id();
        let message = self.messages.get_mut(id).map(|message| {
            message.history_id = history_id;
            message.clone()
        });
        if let Some(message) = message {
            self.record(&message, Change::Labels { added, removed }, now_ms);
        }
        true
    }

    /// Takes a label off every message; nothing is recorded of it.
    pub(super) fn strip(&mut self, label: &str) {
        for message in self.messages.values_mut() {
            message.labels.remove(label);
        }
    }

    /// Destroys a message, and the draft that it is of. Whether there was one.
    pub(super) fn remove(&mut self, id: &str, now_ms: i64) -> bool {
        let Some(message) = self.messages.remove(id) else { return false };
        self.order.remove(&(Reverse(message.internal_ms), Reverse(message.number)));
        if let Some(thread) = self.threads.get_mut(&message.thread) {
            thread.remove(id);
            if thread.is_empty() {
                self.threads.remove(&message.thread);
            }
        }
        if let Some(named) = self.named.get_mut(&message.message_id) {
            named.retain(|have| have != id);
        }
        self.drafts.retain(|_, have| have != id);
        self.next_history_id();
        self.record(&message, Change::Deleted, now_ms);
        true
    }

    /// A name such as `r1184401` for a draft, or an upload's.
    pub(super) fn fresh_name(&mut self, prefix: &str) -> String {
        self.made += 1;
        format!("{prefix}{}", mixed(self.made) >> 2)
    }

    /// An id for a label.
    pub(super) fn fresh_label_id(&mut self) -> String {
        self.labels_made += 1;
        format!("Label_{}", self.labels_made)
    }

    /// An id that says when it was made, as the service's do.
    pub(super) fn fresh_id(&mut self, at_ms: i64) -> String {
        loop {
            self.made += 1;
            let time = u64::try_from(at_ms).unwrap_or_default() << 20;
            let id = format!("{:016x}", time | (mixed(self.made) & 0xF_FFFF));
            if !self.messages.contains_key(&id) {
                return id;
            }
        }
    }

    fn next_history_id(&mut self) -> u64 {
        // The ids rise with gaps of any size.
        self.history_id += 1 + mixed(self.history_id) % 6;
        self.history_id
    }

    /// Notes a change under the latest id.
    fn record(&mut self, message: &Message, change: Change, at_ms: i64) {
        self.records.push_back(Record {
            id: self.history_id,
            at_ms,
            message: message.id.clone(),
            thread: message.thread.clone(),
            labels: message.labels.clone(),
            change,
        });
    }
}

/// Makes sure that the account has its mailbox, and that its history goes on with the time.
pub(super) fn settle_in(state: &mut State, account: &Account) {
    let now_ms = state.now_ms();
    let room = &mut state.google.mail;
    if room.history_id == 0 {
        room.owner.clone_from(&account.email);
        room.history_id = FIRST_HISTORY_ID;
        room.forgotten = FIRST_HISTORY_ID - 1;
    } else if now_ms - room.ticked_ms < TICK_MS {
        return;
    } else {
        room.next_history_id();
    }
    room.ticked_ms = now_ms;
    room.ticks.push_back((now_ms, room.history_id));
}

/// A Message-ID without its brackets.
pub(super) fn bare(message_id: &str) -> String {
    message_id.trim().trim_start_matches('<').trim_end_matches('>').to_owned()
}

/// A subject without what answers and forwards put before it.
pub(super) fn topic(subject: &str) -> String {
    let mut rest = subject.trim();
    while let Some((word, after)) = rest.split_once(':') {
        if !["re", "aw", "fw", "fwd", "wg", "sv", "vs"].contains(&word.trim().to_lowercase().as_str()) {
            break;
        }
        rest = after.trim();
    }
    rest.to_lowercase()
}

/// Spreads a count over all numbers (SplitMix64), so that ids look like none.
fn mixed(count: u64) -> u64 {
    let mut n = count.wrapping_add(0x9E37_79B9_7F4A_7C15);
    n = (n ^ (n >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    n = (n ^ (n >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    n ^ (n >> 31)
}
