//! What changed, and `history.list`. The records after an id, oldest first; those that are too old are forgotten.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::errors::{invalid, invalid_value, not_found};
use super::pages::{self, Place};
use super::{labels, render};
use crate::google::errors::Refusal;
use crate::{Request, Response, State};

/// One change of one message.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub id: u64,
    pub at_ms: i64,
    pub message: String,
    pub thread: String,
    /// After the change; of a deleted message, before it.
    pub labels: BTreeSet<String>,
    pub change: Change,
}

#[derive(Clone, Debug)]
pub(super) enum Change {
    Added,
    Deleted,
    Labels { added: Vec<String>, removed: Vec<String> },
}

/// The kinds that may be asked for. The answer has them in the plural, the question must not.
const KINDS: [&str; 4] = ["messageAdded", "messageDeleted", "labelAdded", "labelRemoved"];

/// `GET history`.
pub(super) fn list(state: &mut State, request: &Request) -> Result<Response, Refusal> {
    forget(state);
    let kinds: Vec<&str> = request.params("historyTypes").collect();
    if let Some(kind) = kinds.iter().find(|kind| !KINDS.contains(kind)) {
        return Err(invalid_value("historyTypes", "string", kind));
    }
    let label = request.param("labelId");
    if let Some(label) = label {
        labels::known(state, label).map_err(|_| invalid("labelId not found"))?;
    }
    let start = request.param("startHistoryId").ok_or_else(|| invalid("Missing startHistoryId"))?;
    let start: u64 = start.parse().map_err(|_| invalid_value("startHistoryId", "uint64", start))?;
    let room = &state.google.mail;
    // An id of the future is one of another mailbox.
    if start <= room.forgotten || start > room.history_id {
        return Err(not_found());
    }
    let place = Place::read("history", request)?;
    let asked = pages::asked(request, 500)?;
    // A page token says up to which record the pages before it went.
    let after = place.map_or(start, |place| place.sent);
    let pages = place.map_or(0, |place| place.pages);
    let wanted = |record: &&Record| {
        let shown = show(state, record, &kinds);
        shown.is_some() && label.is_none_or(|label| is_about(state, record, label))
    };
    let first = room.records.partition_point(|record| record.id <= after);
    let last = told_until(state);
    let matching: Vec<&Record> = room.records.iter().take(last).skip(first).filter(wanted).collect();
    let size = pages::size(&state.switches, asked, pages);
    let page = &matching[..size.min(matching.len())];
    let mut shown: Vec<Value> = page.iter().filter_map(|record| show(state, record, &kinds)).collect();
    if state.switches.mail_history_repeats && after > start {
        let before = room.records.iter().take(first).rfind(wanted);
        shown.splice(0..0, before.and_then(|record| show(state, record, &kinds)));
    }
    let mut body = json!({});
    if !shown.is_empty() {
        body["history"] = Value::Array(shown);
    }
    if page.len() < matching.len() {
        let sent = page.last().map_or(after, |record| record.id);
        body["nextPageToken"] = json!(Place { sent, pages: pages + 1 }.write("history", request));
    }
    let latest = match room.records.get(last) {
        None => room.history_id,
        Some(_) => last.checked_sub(1).map_or(start, |last| room.records[last].id.max(start)),
    };
    body["historyId"] = json!(latest.to_string());
    Ok(Response::json(200, &body))
}

/// How many of the records are told by now.
fn told_until(state: &State) -> usize {
    let latest_ms = state.now_ms() - state.switches.mail_history_lag_s * 1000;
    state.google.mail.records.partition_point(|record| record.at_ms <= latest_ms)
}

/// A record as it is shown, or nothing when none of these kinds is in it.
fn show(state: &State, record: &Record, kinds: &[&str]) -> Option<Value> {
    let wanted = |kind: &str| kinds.is_empty() || kinds.contains(&kind);
    let message = render::reference(state, record);
    let mut shown = json!({
        "id": record.id.to_string(),
        "messages": [{ "id": record.message, "threadId": record.thread }],
    });
    let mut is_shown = false;
    let mut note = |kind: &str, name: &str, entry: Value| {
        if wanted(kind) {
            shown[name] = json!([entry]);
            is_shown = true;
        }
    };
    match &record.change {
        Change::Added => note("messageAdded", "messagesAdded", json!({ "message": message })),
        Change::Deleted => note("messageDeleted", "messagesDeleted", json!({ "message": message })),
        Change::Labels { added, removed } => {
            let entry = |labels: &[String]| json!({ "message": message, "labelIds": labels });
            if !added.is_empty() {
                note("labelAdded", "labelsAdded", entry(added));
            }
            let is_put_away = added.iter().any(|label| ["TRASH", "SPAM"].contains(&label.as_str()));
            let is_hushed = is_put_away && state.switches.mail_history_tells_trash_alone;
            if !removed.is_empty() && !is_hushed {
                note("labelRemoved", "labelsRemoved", entry(removed));
            }
        }
    }
    is_shown.then_some(shown)
}

/// Whether a record has to do with a label: the message had it, has it, or it is what changed.
fn is_about(state: &State, record: &Record, label: &str) -> bool {
    let changed = match &record.change {
        Change::Labels { added, removed } => added.iter().chain(removed).any(|have| have == label),
        Change::Added | Change::Deleted => false,
    };
    let has_now = state.google.mail.message(&record.message).is_some_and(|message| message.has(label));
    changed || has_now || record.labels.contains(label)
}

/// Forgets what is older than the switches say.
fn forget(state: &mut State) {
    let oldest_ms = state.now_ms() - state.switches.mail_history_hours * 3_600_000;
    let room = &mut state.google.mail;
    while room.records.front().is_some_and(|record| record.at_ms < oldest_ms) {
        room.forgotten = room.records.pop_front().map_or(room.forgotten, |record| room.forgotten.max(record.id));
    }
    while room.ticks.front().is_some_and(|(at_ms, _)| *at_ms < oldest_ms) {
        room.forgotten = room.ticks.pop_front().map_or(room.forgotten, |(_, id)| room.forgotten.max(id));
    }
}

/// Forgets everything: from now on every older id is too old.
pub(super) fn forget_all(state: &mut State) {
    let room = &mut state.google.mail;
    room.records.clear();
    // The present id stays good: nothing happened since.
    room.forgotten = room.history_id - 1;
}
